/* Decisions, in order: look up, score, judge, put in the journal. decider_open.c has opening and replaying. */
#include "policy/decider_parts.h"

#include <stdio.h>

enum {
    CHUNK_BYTES = 4 << 20, /* of the journal's buffer, at once */
    RECORD_EXTRA = 40      /* the journal's own, of each record */
};

uint64_t fl_decision_number(const fl_decider *d, const char *id, size_t n)
{
    uint64_t sequence = fl_decision_id_read(fl_journal_id(d->journal), id, n);
    return sequence < fl_journal_next(d->journal) ? sequence : 0;
}

/* ---- one request ---- */

static size_t request_bytes(const fl_decider *d, const fl_request *r)
{
    size_t n = 128 + r->id.n + 8 * (size_t)d->schema->kinds + 4 * (size_t)d->schema->numbers;
    for (uint32_t i = 0; i < d->schema->categories; i++) n += 2 + r->category[i].n;
    for (uint32_t i = 0; i < r->metas; i++) n += 4 + r->meta_key[i].n + r->meta_value[i].n;
    return n;
}

uint64_t fl_request_print(const fl_schema *s, const fl_request *r, fl_buf *scratch)
{
    fl_request plain = *r;
    plain.at_us = 0;
    plain.print = 0;
    plain.flags = 0;
    if (r->flags & FLORIN_REQUEST_OWN_TIME) plain.event.time_us = 0;
    scratch->len = 0;
    fl_request_put(scratch, s, &plain);
    return fl_hash64(scratch->data, scratch->len, 0);
}

static size_t answer_bytes(const fl_decider *d)
{
    return sizeof(fl_answer) + 8 * (size_t)d->heads;
}

/* Files of the index whose newest record is older are not looked at; twice the window, for clocks jump. */
static int64_t since_us(const fl_decider *d, int64_t at_us)
{
    int64_t since;
    return __builtin_sub_overflow(at_us, 2 * d->opt.window_us, &since) ? INT64_MIN : since;
}

/* The first answer to this request, if there is one that is young enough. True: d->item says where. */
static florin_status find_repeat(fl_decider *d, const fl_request *r, item *it, florin_error *err)
{
    fl_request before;
    fl_answer answer;
    fl_record record;
    bool keyed = r->key[0] || r->key[1];
    int64_t since = since_us(d, r->at_us);
    uint64_t by_key = keyed ? fl_journal_index_find(d->index, r->key[0], since) : 0;
    uint64_t by_id = r->event.id ? fl_journal_index_find(d->index, r->event.id, since) : 0;
    for (int k = 0; k < 2; k++) {
        uint64_t sequence = k ? by_id : by_key;
        if (!sequence) continue;
        uint64_t waiting = sequence >= fl_journal_next(d->journal);
        const fl_request *first = &before;
        if (waiting) first = d->item[sequence - fl_journal_next(d->journal)].added;
        else {
            florin_status st = fl_journal_get(d->journal, sequence, &record, err);
            if (st) return st;
            if (record.type != FL_RECORD_DECISION) continue;
            st = fl_decision_read(d->schema, &record, &before, &answer, err);
            if (st) return st;
        }
        if (first->at_us < r->at_us && r->at_us - first->at_us > d->opt.window_us) continue;
        bool same = k ? first->event.id == r->event.id
                      : first->key[0] == r->key[0] && first->key[1] == r->key[1];
        if (!same) continue; /* another one of the same 64 bits */
        if (!k && first->print != r->print)
            return fl_fail(err, FLORIN_EINPUT,
                           "the idempotency key came before with another request: a key belongs to "
                           "one request");
        it->repeat = sequence;
        return FLORIN_OK;
    }
    return FLORIN_OK;
}

static florin_status check_time(const fl_decider *d, const fl_request *r, florin_error *err)
{
    char time[32];
    if (r->event.time_us <= r->at_us || r->event.time_us - r->at_us <= d->opt.ahead_us)
        return FLORIN_OK;
    fl_time_format(r->event.time_us, time);
    return fl_fail(err, FLORIN_EINPUT, "time %s is more than %.1f h ahead of this machine's clock",
                   time, (double)d->opt.ahead_us / FL_HOUR_US);
}

/* Take one request into the batch. */
static florin_status admit(fl_decider *d, fl_request *r, item *it, florin_error *err)
{
    florin_status st = check_time(d, r, err);
    if (!st) st = find_repeat(d, r, it, err);
    if (st || it->repeat) return st;
    it->sequence = fl_journal_next(d->journal) + d->added;
    if (!r->event.id)
        r->event.id = fl_decision_event(fl_journal_id(d->journal), it->sequence, r->event.type);
    st = fl_scorer_add(d->scorer, &r->event, err);
    if (st) return st;
    it->slot = d->added;
    d->item[d->added++].added = r;
    if (r->key[0] || r->key[1]) fl_journal_index_put(d->index, r->key[0], it->sequence, r->at_us);
    if (r->event.id) fl_journal_index_put(d->index, r->event.id, it->sequence, r->at_us);
    return FLORIN_OK;
}

/* Without rules the head's own threshold blocks. */
static void judge_plainly(const fl_decider *d, uint32_t head, const fl_head_out *scores,
                          fl_answer *a)
{
    if (!scores || !d->heads || !scores[head].over_threshold) return;
    a->action = FLORIN_BLOCK;
    a->by = FLORIN_BY_THRESHOLD;
    a->threshold = fl_head_threshold(fl_scorer_head(d->scorer, head));
}

/* What the rules say. */
static void judge(fl_decider *d, const fl_request *r, const fl_head_out *scores, const float *row,
                  fl_answer *a)
{
    const fl_policy *p = d->opt.policy;
    fl_policy_view view = {.event = &r->event,
                           .row = row,
                           .head = scores,
                           .category = d->category,
                           .metadata = d->metadata,
                           .lists = d->lists,
                           .rings = d->rings};
    fl_decision out;
    for (uint32_t i = 0; i < d->schema->categories; i++)
        d->category[i] = (fl_text){r->category[i].n ? r->category[i].text : NULL, r->category[i].n};
    memset(d->metadata, 0, fl_policy_metadata(p) * sizeof *d->metadata);
    for (uint32_t i = 0; i < r->metas; i++) {
        uint32_t at = fl_policy_metadata_find(p, r->meta_key[i].text, r->meta_key[i].n);
        if (at != FL_NONE) d->metadata[at] = (fl_text){r->meta_value[i].text, r->meta_value[i].n};
    }
    fl_policy_decide(p, &view, &out);
    a->action = out.action;
    a->by = out.by;
    a->holdout = out.holdout;
    a->propensity = out.propensity;
    a->threshold = out.threshold;
    if (out.rule == FL_POLICY_NONE) return;
    const char *name = fl_policy_rule_name(p, out.rule);
    size_t n = strnlen(name, FL_RULE_NAME_MAX);
    memcpy(a->rule, name, n);
    a->rule[n] = 0;
}
_Static_assert((int)FL_ALLOW == (int)FLORIN_ALLOW &&
                   (int)FL_REQUEST_3DS == (int)FLORIN_REQUEST_3DS &&
                   (int)FL_REVIEW == (int)FLORIN_REVIEW && (int)FL_BLOCK == (int)FLORIN_BLOCK &&
                   (int)FL_BY_THRESHOLD == (int)FLORIN_BY_THRESHOLD,
               "the same numbers");

void fl_decider_answer(fl_decider *d, const fl_request *r, uint32_t head, const fl_head_out *scores,
                       const float *row, fl_answer *a)
{
    bool scored = !(r->flags & FLORIN_REQUEST_RULES_ONLY);
    a->model = d->model_version;
    a->policy = d->policy_version;
    a->action = FLORIN_ALLOW;
    a->by = FLORIN_BY_NONE;
    a->propensity = 1;
    a->threshold = 0;
    a->holdout = 0;
    a->rule[0] = 0;
    a->head = (uint8_t)head;
    a->heads = (uint8_t)d->heads;
    a->scored = scored;
    a->reasons = 0;
    for (uint32_t h = 0; h < d->heads && scored; h++)
        a->score[h] = (fl_answer_score){scores[h].probability, scores[h].score, scores[h].level,
                                        scores[h].over_threshold};
    if (scored && d->heads)
        a->reasons = (uint8_t)fl_scorer_reasons(d->scorer, head, row, a->reason, FL_REASONS_MAX);
    if (d->opt.policy) judge(d, r, scored ? scores : NULL, scored ? row : NULL, a);
    else judge_plainly(d, head, scored ? scores : NULL, a);
}

static void put_decision(fl_decider *d, const fl_request *r, const fl_answer *a)
{
    d->scratch.len = 0;
    fl_request_put(&d->scratch, d->schema, r);
    fl_answer_put(&d->scratch, a);
    fl_journal_put(d->journal, FL_RECORD_DECISION, d->scratch.data, d->scratch.len);
    d->counts.decisions++;
    d->counts.action[a->action]++;
}

/* ---- a batch ---- */

static florin_status read_decision(fl_decider *d, uint64_t sequence, fl_request *r, fl_decided *out,
                                   florin_error *err)
{
    fl_record record;
    florin_status st = fl_journal_get(d->journal, sequence, &record, err);
    if (!st && record.type != FL_RECORD_DECISION)
        st =
            fl_fail(err, FLORIN_EINPUT, "record %llu is no decision", (unsigned long long)sequence);
    if (!st) st = fl_decision_read(d->schema, &record, r, &out->answer, err);
    if (st) return st;
    out->sequence = sequence;
    out->at_us = r->at_us;
    out->time_us = r->event.time_us;
    out->repeat = out->dry_run = false;
    return FLORIN_OK;
}

/* Requests [from, to) that are all remembered. There is room in the journal for them. */
static void decide_some(fl_decider *d, fl_request *const *r, uint32_t from, uint32_t to,
                        fl_decided *out, florin_status *status, florin_error *errors)
{
    fl_request before;
    d->added = 0;
    fl_scorer_begin(d->scorer);
    for (uint32_t i = from; i < to && i < from + FL_SCORE_SOON; i++)
        fl_scorer_fetch_soon(d->scorer, &r[i]->event);
    for (uint32_t i = from; i < to && i < from + FL_SCORE_NEXT; i++)
        fl_scorer_fetch_next(d->scorer, &r[i]->event);
    for (uint32_t i = from; i < to; i++) {
        if (i + FL_SCORE_SOON < to) fl_scorer_fetch_soon(d->scorer, &r[i + FL_SCORE_SOON]->event);
        if (i + FL_SCORE_NEXT < to) fl_scorer_fetch_next(d->scorer, &r[i + FL_SCORE_NEXT]->event);
        d->item[i - from].repeat = d->item[i - from].sequence = 0;
        status[i] = admit(d, r[i], &d->item[i - from], &errors[i]);
    }
    fl_scorer_finish(d->scorer, d->out);
    for (uint32_t i = from; i < to; i++) {
        const item *it = &d->item[i - from];
        if (status[i] || it->repeat) continue;
        out[i].sequence = it->sequence;
        out[i].at_us = r[i]->at_us;
        out[i].time_us = r[i]->event.time_us;
        out[i].repeat = out[i].dry_run = false;
        fl_decider_answer(d, r[i], d->opt.head, d->out + (size_t)it->slot * d->heads,
                          fl_scorer_row(d->scorer, it->slot), &out[i].answer);
        put_decision(d, r[i], &out[i].answer);
        fl_decider_count(d, r[i], out[i].answer.action);
    }
    for (uint32_t i = from; i < to; i++) {
        uint64_t first = d->item[i - from].repeat;
        if (status[i] || !first) continue;
        status[i] = read_decision(d, first, &before, &out[i], &errors[i]);
        out[i].repeat = true;
        d->counts.repeats++;
    }
}

/* A dry run: judged as if it came next. */
static florin_status decide_dry(fl_decider *d, const fl_request *r, fl_decided *out,
                                florin_error *err)
{
    florin_status st = check_time(d, r, err), scored;
    if (st) return st;
    fl_scorer_events(d->scorer, &r->event, 1, FL_SCORE_PEEK, d->out, &scored, err);
    if (scored) return scored;
    out->sequence = 0;
    out->at_us = r->at_us;
    out->time_us = r->event.time_us;
    out->repeat = false;
    out->dry_run = true;
    fl_decider_answer(d, r, d->opt.head, d->out, fl_scorer_row(d->scorer, 0), &out->answer);
    d->counts.dry_runs++;
    return FLORIN_OK;
}

/* How many requests from `from` on are of one kind and fit the journal's buffer; *bytes of theirs. */
static uint32_t run_of(const fl_decider *d, fl_request *const *r, uint32_t from, uint32_t n,
                       size_t *bytes)
{
    uint32_t i = from;
    *bytes = 0;
    for (; i < n && !(r[i]->flags & FLORIN_REQUEST_DRY_RUN); i++) {
        size_t one = request_bytes(d, r[i]) + answer_bytes(d) + RECORD_EXTRA;
        if (*bytes && *bytes + one > CHUNK_BYTES) break;
        *bytes += one;
    }
    return i;
}

florin_status fl_decide(fl_decider *d, fl_request *const *r, uint32_t n, int64_t now_us,
                        fl_decided *out, florin_status *status, florin_error *errors,
                        florin_error *err)
{
    for (uint32_t i = 0; i < n; i++) {
        r[i]->at_us = now_us;
        errors[i].message[0] = 0;
    }
    for (uint32_t from = 0, to; from < n; from = to) {
        size_t bytes;
        to = run_of(d, r, from, n, &bytes);
        if (to == from) {
            status[from] = decide_dry(d, r[from], &out[from], &errors[from]);
            to = from + 1;
        } else {
            florin_error room;
            florin_status st = fl_journal_room(d->journal, bytes, &room);
            if (st && !from) return fl_fail(err, st, "%s", room.message);
            for (uint32_t i = from; st && i < to; i++)
                status[i] = fl_fail(&errors[i], st, "%s", room.message);
            if (!st) decide_some(d, r, from, to, out, status, errors);
        }
        for (uint32_t i = from; i < to; i++) d->counts.refused += status[i] != FLORIN_OK;
    }
    fl_journal_flush(d->journal);
    return FLORIN_OK;
}

florin_status fl_decider_read(fl_decider *d, uint64_t sequence, fl_request *r, fl_decided *out,
                              florin_error *err)
{
    return read_decision(d, sequence, r, out, err);
}

/* ---- what becomes known ---- */

static uint64_t news_hash(uint64_t event)
{
    return fl_mix64(event ^ UINT64_C(0x6e657773)); /* the chain of an event's news */
}

/* Has this very thing come before? */
static florin_status find_news(fl_decider *d, uint16_t type, const fl_news *n, fl_receipt *out,
                               florin_error *err)
{
    fl_record record;
    fl_news before;
    uint64_t sequence = n->key[0] || n->key[1]
                            ? fl_journal_index_find(d->index, n->key[0], since_us(d, n->at_us))
                            : 0;
    if (!sequence) return FLORIN_OK;
    florin_status st = fl_journal_get(d->journal, sequence, &record, err);
    if (st) return st;
    if (record.type == FL_RECORD_DECISION)
        return fl_fail(err, FLORIN_EINPUT,
                       "the idempotency key came before with a decision: a key "
                       "belongs to one request");
    st = fl_news_read(d->schema, &record, &before, err);
    if (st || memcmp(before.key, n->key, sizeof n->key)) return st;
    if (n->at_us > before.at_us && n->at_us - before.at_us > d->opt.window_us) return FLORIN_OK;
    if (record.type != type || before.event != n->event || before.label != n->label ||
        memcmp(&before.value, &n->value, sizeof n->value) || before.marks != n->marks ||
        before.marks_known != n->marks_known)
        return fl_fail(err, FLORIN_EINPUT,
                       "the idempotency key came before with other news: a key "
                       "belongs to one request");
    *out = (fl_receipt){sequence, before.decision, true, false};
    return FLORIN_OK;
}

/* Which decision it is about, and what its event's id hashes to. */
static florin_status find_subject(fl_decider *d, fl_news *n, uint8_t *marks, florin_error *err)
{
    fl_request r;
    fl_decided decided;
    if (!n->decision && n->event)
        n->decision = fl_journal_index_find(d->index, n->event, INT64_MIN);
    if (!n->decision)
        return fl_fail(err, FLORIN_EINPUT,
                       "no decision about this event is known: name the decision");
    florin_status st = read_decision(d, n->decision, &r, &decided, err);
    if (st) return st;
    n->event = r.event.id;
    n->amount_minor = r.event.amount_minor;
    n->time_us = r.event.time_us;
    memcpy(n->entity_hash, r.event.entity_hash, sizeof n->entity_hash);
    *marks = r.event.marks;
    return FLORIN_OK;
}

/* The event's news so far, the newest first: marks that results have set; the same outcome again, which says nothing new. */
static florin_status look_back(fl_decider *d, uint16_t type, const fl_news *n, uint8_t *marks,
                               fl_receipt *out, florin_error *err)
{
    fl_record record;
    fl_news old;
    bool told = type != FL_RECORD_LABEL; /* the last word about this label */
    for (uint64_t i = n->before; i; i = old.before) {
        florin_status st = fl_journal_get(d->journal, i, &record, err);
        if (!st) st = fl_news_read(d->schema, &record, &old, err);
        if (st) return st;
        if (record.type == FL_RECORD_RESULT) *marks |= old.marks_fresh;
        if (record.type == FL_RECORD_LABEL && old.label == n->label && !told) {
            told = true;
            if (old.value == n->value) *out = (fl_receipt){i, old.decision, true, false};
        }
        if (old.before >= i) break;
    }
    return FLORIN_OK;
}

florin_status fl_decider_learn(fl_decider *d, uint16_t type, fl_news *n, int64_t now_us,
                               fl_receipt *out, florin_error *err)
{
    uint8_t marks = 0;
    n->at_us = now_us;
    if (n->arrival_us == INT64_MIN) n->arrival_us = now_us;
    if (n->arrival_us > now_us && n->arrival_us - now_us > d->opt.ahead_us)
        return fl_fail(err, FLORIN_EINPUT,
                       "arrival is more than %.1f h ahead of this machine's clock",
                       (double)d->opt.ahead_us / FL_HOUR_US);
    memset(out, 0, sizeof *out);
    florin_status st = fl_journal_room(d->journal, FL_REQUEST_BYTES_MAX + RECORD_EXTRA, err);
    if (!st) st = find_subject(d, n, &marks, err);
    if (!st) st = find_news(d, type, n, out, err);
    if (st || out->repeat) return st;
    n->before = fl_journal_index_find(d->index, news_hash(n->event), INT64_MIN);
    st = look_back(d, type, n, &marks, out, err);
    if (st || out->repeat) return st;
    if (type == FL_RECORD_RESULT) {
        n->marks_before = marks;
        n->marks_fresh = (uint8_t)(n->marks & ~marks);
    }
    *out =
        (fl_receipt){fl_journal_next(d->journal), n->decision, false, fl_decider_apply(d, type, n)};
    d->scratch.len = 0;
    fl_news_put(&d->scratch, d->schema, type, n);
    fl_journal_put(d->journal, type, d->scratch.data, d->scratch.len);
    fl_decider_remember(d, n, out->sequence);
    if (type == FL_RECORD_LABEL) d->counts.labels++;
    else d->counts.results++;
    return FLORIN_OK;
}

bool fl_decider_apply(fl_decider *d, uint16_t type, const fl_news *n)
{
    if (type == FL_RECORD_LABEL)
        return !fl_scorer_label(d->scorer, n->event, n->label, n->value, n->arrival_us, NULL);
    if (type != FL_RECORD_RESULT) return false;
    if (d->rings) {
        fl_event e = {.time_us = n->time_us};
        memcpy(e.entity_hash, n->entity_hash, sizeof e.entity_hash);
        fl_rings_marks(d->rings, &e, n->marks_fresh);
    }
    return !fl_scorer_marks(d->scorer, n->event, n->marks_before, n->marks_fresh, n->amount_minor,
                            n->arrival_us, NULL);
}

void fl_decider_remember(fl_decider *d, const fl_news *n, uint64_t sequence)
{
    if (n->key[0] || n->key[1]) fl_journal_index_put(d->index, n->key[0], sequence, n->at_us);
    if (n->event) fl_journal_index_put(d->index, news_hash(n->event), sequence, n->at_us);
}

void fl_decider_flush(fl_decider *d)
{
    fl_journal_flush(d->journal);
}

fl_journal *fl_decider_journal(const fl_decider *d)
{
    return d->journal;
}

fl_decider_counts fl_decider_counts_of(const fl_decider *d)
{
    return d->counts;
}
