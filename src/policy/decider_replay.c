/* The journal played back: for an open, which needs the state alone, and for a check, which works every answer out again by
 * the code that answered and holds the bytes against the recorded ones. */
#include "policy/decider_parts.h"
#include "score/journal_file.h"

enum { STEPS = 256 };

typedef struct {
    uint64_t sequence;
    uint32_t n, slot; /* slot: in the scorer's batch */
    uint16_t type;
    bool other; /* by another model */
    fl_request request;
    fl_news news;
    uint8_t head, action;
    const uint8_t *bytes; /* [n] its payload */
} step;

struct fl_playback {
    fl_decider *d;
    bool check;
    step *step;     /* [STEPS] */
    uint8_t *bytes; /* payloads of the steps */
    size_t used, cap;
    uint32_t steps, events;
    fl_replayed result;
};

florin_status fl_playback_open(fl_playback **out, fl_decider *d, bool check, florin_error *err)
{
    fl_playback *p = *out = fl_calloc(1, sizeof *p);
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "replay");
    p->d = d;
    p->check = check;
    p->cap = 4 * (size_t)FL_JOURNAL_RECORD_MAX;
    p->step = fl_calloc(STEPS, sizeof *p->step);
    p->bytes = fl_alloc(p->cap, 1);
    if (p->step && p->bytes) return FLORIN_OK;
    fl_playback_close(p);
    *out = NULL;
    return fl_fail(err, FLORIN_ENOMEM, "replay");
}

void fl_playback_close(fl_playback *p)
{
    if (!p) return;
    free(p->step);
    free(p->bytes);
    free(p);
}

void fl_playback_result(const fl_playback *p, fl_replayed *out)
{
    *out = p->result;
}

static void differs(fl_playback *p, const step *t)
{
    if (!p->result.differ++) p->result.first = t->sequence;
}

/* The answer once more, and its bytes. */
static void check_step(fl_playback *p, const step *t)
{
    fl_decider *d = p->d;
    fl_answer a;
    if (t->other) {
        p->result.other++;
        return;
    }
    fl_decider_answer(d, &t->request, t->head, d->out + (size_t)t->slot * d->heads,
                      fl_scorer_row(d->scorer, t->slot), &a);
    d->scratch.len = 0;
    fl_request_put(&d->scratch, d->schema, &t->request);
    fl_answer_put(&d->scratch, &a);
    if (d->scratch.len != t->n || memcmp(d->scratch.data, t->bytes, t->n)) differs(p, t);
}

static florin_status run_step(fl_playback *p, step *t, florin_error *err)
{
    fl_decider *d = p->d;
    if (t->type != FL_RECORD_DECISION) {
        (void)fl_decider_apply(d, t->type, &t->news);
        return FLORIN_OK;
    }
    t->slot = d->added;
    florin_status st = fl_scorer_add(d->scorer, &t->request.event, err);
    if (!st) d->added++;
    else if (p->check) { /* it was taken then */ differs(p, t);
        t->type = 0;
        st = FLORIN_OK;
    } else fl_fail_prefix(err, "record %llu of the journal", (unsigned long long)t->sequence);
    return st;
}

florin_status fl_playback_finish(fl_playback *p, florin_error *err)
{
    fl_decider *d = p->d;
    florin_status st = FLORIN_OK;
    fl_scorer_begin(d->scorer);
    d->added = 0;
    for (uint32_t i = 0; i < p->steps && !st; i++) {
        if (i + FL_SCORE_SOON < p->steps && p->step[i + FL_SCORE_SOON].type == FL_RECORD_DECISION)
            fl_scorer_fetch_soon(d->scorer, &p->step[i + FL_SCORE_SOON].request.event);
        if (i + FL_SCORE_NEXT < p->steps && p->step[i + FL_SCORE_NEXT].type == FL_RECORD_DECISION)
            fl_scorer_fetch_next(d->scorer, &p->step[i + FL_SCORE_NEXT].request.event);
        st = run_step(p, &p->step[i], err);
    }
    fl_scorer_finish(d->scorer, p->check ? d->out : NULL);
    for (uint32_t i = 0; !st && i < p->steps; i++) {
        const step *t = &p->step[i];
        if (t->type != FL_RECORD_DECISION) continue;
        if (p->check) check_step(p, t);
        fl_decider_count(d, &t->request, t->action);
    }
    p->steps = p->events = 0;
    p->used = 0;
    return st;
}

static florin_status read_step(fl_playback *p, const fl_record *record, step *t, florin_error *err)
{
    fl_answer a;
    fl_record own = *record;
    own.payload = t->bytes;
    if (record->type != FL_RECORD_DECISION) {
        p->result.labels += record->type == FL_RECORD_LABEL;
        p->result.results += record->type == FL_RECORD_RESULT;
        return fl_news_read(p->d->schema, &own, &t->news, err);
    }
    florin_status st = fl_decision_read(p->d->schema, &own, &t->request, &a, err);
    t->head = a.head;
    t->other = a.model != p->d->model_version || a.policy != p->d->policy_version ||
               (p->d->heads && a.head >= p->d->heads);
    t->action = a.action;
    p->result.decisions++;
    p->events++;
    return st;
}

florin_status fl_playback_take(fl_playback *p, const fl_record *record, florin_error *err)
{
    p->result.records++;
    p->result.last = record->sequence;
    florin_status st = FLORIN_OK;
    if (record->type == FL_RECORD_LIST) {
        fl_change c;
        st = fl_playback_finish(p, err);
        if (!st) st = fl_change_read(record, &c, err);
        return st ? st : fl_decider_apply_change(p->d, record->type, &c, err);
    }
    if (record->type != FL_RECORD_DECISION && record->type != FL_RECORD_LABEL &&
        record->type != FL_RECORD_RESULT)
        return FLORIN_OK;
    /* Velocities hear of a result after the decisions before it. */
    if (record->type == FL_RECORD_RESULT && p->d->rings) st = fl_playback_finish(p, err);
    if (st) return st;
    if (p->steps == STEPS || p->events == fl_scorer_batch_max(p->d->scorer) ||
        p->used + record->n > p->cap)
        st = fl_playback_finish(p, err);
    if (st) return st;
    step *t = &p->step[p->steps];
    t->sequence = record->sequence;
    t->type = record->type;
    t->n = record->n;
    t->bytes = p->bytes + p->used;
    if (record->n) memcpy(p->bytes + p->used, record->payload, record->n);
    p->used += record->n;
    st = read_step(p, record, t, err);
    p->steps += !st;
    return st;
}

/* ---- a whole journal, checked ---- */

static florin_status play(fl_decider *d, fl_playback *p, const florin_context *ctx,
                          florin_error *err)
{
    fl_journal_reader *reader = NULL;
    fl_record record;
    bool more = true;
    size_t n;
    uint64_t model;
    florin_status st = fl_journal_reader_open(&reader, d->opt.journal.folder, d->opt.from + 1, err);
    if (!st) {
        const uint8_t *text = fl_journal_reader_preamble(reader, &n);
        st = fl_decider_check_preamble(d, text, n, &model, err);
    }
    while (!st) {
        st = fl_journal_reader_next(reader, &record, &more, err);
        if (st || !more) break;
        st = fl_playback_take(p, &record, err);
        if (record.sequence % 65536) continue;
        fl_progress(ctx, "replaying", record.sequence, 0);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "replay: stopped");
    }
    if (!st) st = fl_playback_finish(p, err);
    fl_journal_reader_close(reader);
    return st;
}

florin_status fl_decider_replay(const fl_decider_options *opt, fl_replayed *out,
                                const florin_context *ctx, florin_error *err)
{
    fl_playback *p = NULL;
    memset(out, 0, sizeof *out);
    fl_decider *d = fl_calloc(1, sizeof *d);
    if (!d) return fl_fail(err, FLORIN_ENOMEM, "replay");
    d->opt = *opt;
    d->scorer = opt->scorer;
    d->schema = fl_model_schema(opt->model);
    florin_status st = fl_decider_set_up(d, err);
    if (!st) st = fl_decider_restore_policy(d, err);
    if (!st) st = fl_playback_open(&p, d, true, err);
    if (!st) st = play(d, p, ctx, err);
    if (!st) fl_playback_result(p, out);
    fl_playback_close(p);
    fl_decider_close(d);
    return st;
}
