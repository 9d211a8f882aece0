/* The decider's section of florin.h: checks every argument, turns callers' events into requests, and answers into what
 * callers read. */
#include "api/policy.h"
#include "api/scorer.h"
#include "policy/decider.h"
#include "score/state.h"

#include <math.h>
#include <stdio.h>

enum { KEY_MAX = 255 };

struct florin_decider {
    florin_scorer *scorer;
    const fl_schema *schema;
    fl_decider *decider;
    uint32_t batch_max;
    fl_request *request;   /* [batch_max] */
    fl_request **good;     /* [batch_max] those without a fault of their own */
    uint32_t *place;       /* [batch_max] of which caller's request each is */
    fl_decided *decided;   /* [batch_max] */
    florin_status *status; /* [batch_max] */
    florin_error *error;   /* [2][batch_max]: by the caller's request; by good one */
    fl_buf scratch;
    uint32_t last; /* items of the last call */
    uint64_t checkpoint;
    char key[17];
};

const char *florin_action_name(florin_action action)
{
    static const char *const name[] = {"allow", "request_3ds", "review", "block"};
    return (uint32_t)action < FL_LEN(name) ? name[action] : NULL;
}

/* ---- opening ---- */

static florin_status check_options(const florin_decider_options *o, florin_error *err)
{
    if (!o || o->size != sizeof *o || o->scorer.size != sizeof o->scorer)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_decider_open: begin the options with FLORIN_DECIDER_INIT");
    if (!o->folder || !o->folder[0])
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_open: needs a folder");
    if (o->sync > FLORIN_SYNC_ALWAYS)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_open: sync is %d", (int)o->sync);
    if (o->scorer.batch_max > FL_DECIDER_BATCH_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "batch_max %u: at most %d", o->scorer.batch_max,
                       FL_DECIDER_BATCH_MAX);
    if (o->window_us < 0 || o->ahead_us < 0 || o->segment_bytes > (UINT64_C(16) << 30))
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_open: an option is out of range");
    return FLORIN_OK;
}

/* The scorer with the newest checkpoint's state; in an empty folder with what it is to begin with, of which a copy stays. */
static florin_status open_scorer(florin_decider *d, florin_model *model,
                                 const florin_decider_options *opt, const florin_context *ctx,
                                 florin_error *err)
{
    florin_scorer_options o = opt->scorer;
    char *path = NULL;
    bool journal = false;
    florin_status st = fl_decider_state_find(opt->folder, &path, &d->checkpoint, err);
    if (!st && !path) st = fl_journal_exists(opt->folder, &journal, err);
    if (path) o.state = path;
    if (!st && journal && (o.state || opt->bootstrap))
        st = fl_fail(err, FLORIN_EUSAGE,
                     "%s: its journal began without histories: `state` and "
                     "`bootstrap` are for an empty folder",
                     opt->folder);
    if (!st) st = florin_scorer_open(&d->scorer, model, &o, err);
    if (!st) fl_key_print(d->scorer->key, d->key);
    if (!st && !path && opt->bootstrap)
        st = florin_scorer_warm(d->scorer, opt->bootstrap, INT64_MAX, ctx, err);
    /* Empty too: it says how much there is room for, on which a replay depends. */
    if (!st && !path && !journal)
        st = fl_decider_state_begin(opt->folder, d->scorer->live, d->key, err);
    free(path);
    return st;
}

static florin_status find_head(const florin_decider *d, const char *name, uint32_t *head,
                               florin_error *err)
{
    uint32_t heads = fl_scorer_heads(d->scorer->live);
    *head = 0;
    if (!name) return FLORIN_OK;
    for (; *head < heads; ++*head)
        if (!strcmp(fl_head_name(fl_scorer_head(d->scorer->live, *head)), name)) return FLORIN_OK;
    return fl_fail(err, FLORIN_EUSAGE, "the model has no head '%.64s' that scores events", name);
}

static florin_status open_batch(florin_decider *d, florin_error *err)
{
    static const char zero[FL_JOURNAL_RECORD_MAX];
    size_t n = d->batch_max = fl_scorer_batch_max(d->scorer->live);
    d->request = fl_calloc(n, sizeof *d->request);
    d->good = fl_calloc(n, sizeof *d->good);
    d->place = fl_calloc(n, sizeof *d->place);
    d->decided = fl_calloc(n, sizeof *d->decided);
    d->status = fl_calloc(n, sizeof *d->status);
    d->error = fl_calloc(2 * n, sizeof *d->error);
    fl_buf_add(&d->scratch, zero, sizeof zero);
    return d->request && d->good && d->place && d->decided && d->status && d->error &&
                   !d->scratch.failed
               ? FLORIN_OK
               : fl_fail(err, FLORIN_ENOMEM, "decider: a batch of %zu", n);
}

static florin_status open_inner(florin_decider *d, const florin_decider_options *opt,
                                const florin_context *ctx, florin_error *err)
{
    fl_decider_options o = {.scorer = d->scorer->live,
                            .model = d->scorer->model->model,
                            .key = d->key,
                            .from = d->checkpoint,
                            .window_us = opt->window_us,
                            .entries = opt->window_entries,
                            .ahead_us = opt->ahead_us,
                            .policy = opt->policy ? opt->policy->policy : NULL,
                            .rings = opt->rings_max,
                            .now_us = opt->now_us};
    o.journal = (fl_journal_options){.folder = opt->folder,
                                     .sync = (fl_sync)opt->sync,
                                     .interval_us = opt->sync_interval_us,
                                     .segment_bytes = opt->segment_bytes,
                                     .acknowledged = opt->acknowledged,
                                     .user = opt->user};
    if (opt->random) memcpy(o.journal.id, opt->random, FL_JOURNAL_ID);
    florin_status st = find_head(d, opt->head, &o.head, err);
    return st ? st : fl_decider_open(&d->decider, &o, ctx, err);
}

florin_status florin_decider_open(florin_decider **out, florin_model *model,
                                  const florin_decider_options *opt, const florin_context *ctx,
                                  florin_error *err)
{
    if (!out || !model)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_decider_open: needs a model and a place for the decider");
    *out = NULL;
    florin_status st = check_options(opt, err);
    if (st) return st;
    florin_decider *d = fl_calloc(1, sizeof *d);
    if (!d) return fl_fail(err, FLORIN_ENOMEM, "decider");
    st = open_scorer(d, model, opt, ctx, err);
    if (!st) {
        d->schema = d->scorer->schema;
        st = open_batch(d, err);
    }
    if (!st) st = open_inner(d, opt, ctx, err);
    if (st) florin_decider_close(d);
    else *out = d;
    return st;
}

void florin_decider_close(florin_decider *d)
{
    if (!d) return;
    fl_decider_close(d->decider);
    florin_scorer_close(d->scorer);
    fl_buf_free(&d->scratch);
    free(d->request);
    free(d->good);
    free(d->place);
    free(d->decided);
    free(d->status);
    free(d->error);
    free(d);
}

florin_scorer *florin_decider_scorer(florin_decider *d)
{
    return d ? d->scorer : NULL;
}

/* ---- requests ---- */

static florin_status take_key(const florin_decider *d, const char *key, uint32_t n, uint64_t out[2],
                              florin_error *err)
{
    uint8_t other[16];
    out[0] = out[1] = 0;
    if (!n) return FLORIN_OK;
    if (n > KEY_MAX || !key)
        return fl_fail(err, FLORIN_EINPUT, "idempotency key: at most %d bytes", KEY_MAX);
    memcpy(other, d->scorer->key, sizeof other);
    other[0] ^= 0x5a;
    out[0] = fl_siphash(key, n, d->scorer->key);
    out[1] = fl_siphash(key, n, other);
    if (!out[0]) out[0] = 1;
    return FLORIN_OK;
}

static florin_status take_metadata(const florin_request *from, fl_request *r, florin_error *err)
{
    if (from->metadata_n > FL_META_MAX || (from->metadata_n && !from->metadata))
        return fl_fail(err, FLORIN_EINPUT, "metadata: at most %d keys", FL_META_MAX);
    for (uint32_t i = 0; i < from->metadata_n; i++) {
        const florin_metadata *m = &from->metadata[i];
        if (!m->key_n || m->key_n > FL_META_KEY_MAX || !m->key)
            return fl_fail(err, FLORIN_EINPUT, "metadata: a key has 1 to %d bytes",
                           FL_META_KEY_MAX);
        if (m->value_n > FL_META_VALUE_MAX || (m->value_n && !m->value))
            return fl_fail(err, FLORIN_EINPUT, "metadata '%.*s': at most %d bytes", (int)m->key_n,
                           m->key, FL_META_VALUE_MAX);
        r->meta_key[i] = (fl_span){m->key, m->key_n};
        r->meta_value[i] = (fl_span){m->value, m->value_n};
    }
    r->metas = from->metadata_n;
    return FLORIN_OK;
}

/* Texts of categories beside their hashes; true: they are not too long for a record. */
static bool take_texts(const florin_event *e, fl_request *r)
{
    size_t all = e->id_n;
    memset(r->category, 0, sizeof r->category);
    r->id = (fl_span){e->id, e->id_n};
    for (uint32_t i = 0; i < e->n_values; i++) {
        const florin_value *v = &e->values[i];
        if (v->field >> WHAT_SHIFT != FLORIN_CATEGORY || !v->n) continue;
        r->category[v->field & INDEX_MASK] = (fl_span){v->text, v->n};
        all += v->n;
    }
    return all <= FL_REQUEST_BYTES_MAX;
}

static florin_status take_request(florin_decider *d, const florin_request *from, fl_request *r,
                                  florin_error *err)
{
    enum { FLAGS = FLORIN_REQUEST_DRY_RUN | FLORIN_REQUEST_RULES_ONLY | FLORIN_REQUEST_OWN_TIME };
    if (from->flags & ~(uint32_t)FLAGS)
        return fl_fail(err, FLORIN_EINPUT, "flags: %u is unknown", from->flags);
    florin_status st = fl_api_event(d->scorer, &from->event, &r->event, err);
    if (!st) st = take_key(d, from->key, from->key_n, r->key, err);
    if (!st) st = take_metadata(from, r, err);
    if (!st && !take_texts(&from->event, r))
        st = fl_fail(err, FLORIN_EINPUT, "id and categories together: at most %d bytes",
                     FL_REQUEST_BYTES_MAX);
    r->flags = (uint8_t)from->flags;
    if (!st) r->print = fl_request_print(d->schema, r, &d->scratch);
    return st;
}

static void give_answer(const florin_decider *d, const fl_decided *from, florin_decision *to)
{
    const fl_answer *a = &from->answer;
    memset(to, 0, sizeof *to);
    if (from->sequence)
        fl_decision_id(fl_journal_id(fl_decider_journal(d->decider)), from->sequence, to->id);
    to->sequence = from->sequence;
    to->decided_us = from->at_us;
    to->time_us = from->time_us;
    to->action = (florin_action)a->action;
    to->repeat = from->repeat;
    to->dry_run = from->dry_run;
    to->scored = a->scored;
    to->head = a->head;
    to->heads = a->heads;
    for (uint32_t h = 0; h < a->heads && a->scored; h++)
        to->score[h] = (florin_head_score){a->score[h].probability, a->score[h].score,
                                           a->score[h].level, a->score[h].over_threshold, 0};
    to->by = a->by;
    to->holdout = a->holdout;
    to->threshold = a->threshold;
    to->propensity = a->propensity;
    memcpy(to->rule, a->rule, sizeof to->rule);
    to->reasons = a->reasons;
    for (uint32_t i = 0; i < a->reasons; i++) {
        const fl_reason *r = &a->reason[i];
        florin_reason *t = &to->reason[i];
        memcpy(t->code, r->code, sizeof t->code);
        memcpy(t->text, r->text, sizeof t->text);
        memcpy(t->normal, r->normal, sizeof t->normal);
        t->share = r->share;
        t->value = r->value;
    }
    snprintf(to->model, sizeof to->model, "%016llx", (unsigned long long)a->model);
    if (a->policy)
        snprintf(to->policy, sizeof to->policy, "%016llx", (unsigned long long)a->policy);
}
_Static_assert(sizeof((florin_decision *)0)->rule == FL_RULE_NAME_MAX + 1 &&
                   (int)FLORIN_HEADS_MAX == (int)FL_SCORE_HEADS_MAX &&
                   (int)FLORIN_REASONS_MAX == (int)FL_REASONS_MAX &&
                   (int)FLORIN_DECISION_ID >= (int)FL_DECISION_ID,
               "an answer fits");

florin_status florin_decide(florin_decider *d, const florin_request *requests, uint32_t n,
                            int64_t now_us, florin_decision *out, florin_status *item,
                            florin_error *err)
{
    if (!d || (n && (!requests || !out || !item)))
        return fl_fail(err, FLORIN_EUSAGE, "florin_decide: needs requests, out and item");
    if (n > d->batch_max)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decide: %u requests, batch_max is %u", n,
                       d->batch_max);
    florin_error *inner = d->error + d->batch_max;
    uint32_t good = 0;
    d->last = n;
    for (uint32_t i = 0; i < n; i++) {
        d->error[i].message[0] = 0;
        item[i] = take_request(d, &requests[i], &d->request[i], &d->error[i]);
        if (item[i]) continue;
        d->place[good] = i;
        d->good[good++] = &d->request[i];
    }
    florin_status st =
        fl_decide(d->decider, d->good, good, now_us, d->decided, d->status, inner, err);
    if (st) return st;
    for (uint32_t g = 0; g < good; g++) {
        uint32_t i = d->place[g];
        item[i] = d->status[g];
        if (item[i]) d->error[i] = inner[g];
        else give_answer(d, &d->decided[g], &out[i]);
    }
    return FLORIN_OK;
}

const char *florin_decider_message(const florin_decider *d, uint32_t i)
{
    return d && i < d->last ? d->error[i].message : "";
}

/* ---- news ---- */

static florin_status take_subject(const florin_decider *d, const florin_news *from, fl_news *n,
                                  florin_error *err)
{
    if (from->decision_n) {
        if (from->decision)
            n->decision = fl_decision_number(d->decider, from->decision, from->decision_n);
        return n->decision ? FLORIN_OK
                           : fl_fail(err, FLORIN_EINPUT, "there is no decision of this id");
    }
    if (!fl_api_type(d->scorer, from->type))
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: florin_scorer_find gives the numbers",
                       from->type);
    florin_status st = fl_api_event_id(from->event, from->event_n, from->type, &n->event, err);
    if (!st && !n->event)
        st = fl_fail(err, FLORIN_EINPUT, "neither a decision nor an event is named");
    return st;
}

static florin_status take_label(const florin_decider *d, const florin_news *from, fl_news *n,
                                florin_error *err)
{
    uint32_t i = from->label & INDEX_MASK;
    if (from->label >> WHAT_SHIFT != FLORIN_LABEL || i >= d->schema->labels)
        return fl_fail(err, FLORIN_ESCHEMA, "label %u: florin_scorer_find gives the numbers",
                       from->label);
    if (!(fabsf(from->value) <= 1e30f))
        return fl_fail(err, FLORIN_EINPUT, "label '%s': not a finite number",
                       d->schema->label[i].name);
    n->label = (uint8_t)i;
    n->value = from->value;
    return FLORIN_OK;
}

/* Fields of a result: marks, categories, numbers of the decision's type of event. */
static florin_status take_result(const florin_decider *d, const florin_news *from, fl_news *n,
                                 florin_error *err)
{
    fl_event e;
    uint32_t seen[4] = {0};
    size_t all = 0;
    memset(&e, 0, sizeof e);
    const event_type *type = fl_api_type(d->scorer, from->type);
    if (!type)
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: florin_scorer_find gives the numbers",
                       from->type);
    if (from->n_values && !from->values) return fl_fail(err, FLORIN_EINPUT, "values is NULL");
    for (uint32_t i = 0; i < from->n_values; i++) {
        const florin_value *v = &from->values[i];
        if (v->field >> WHAT_SHIFT == FLORIN_ENTITY)
            return fl_fail(err, FLORIN_EINPUT,
                           "a result names no entities: they are the decision's");
        florin_status st = fl_api_value(d->scorer, type, v, seen, &e, err);
        if (st) return st;
        if (v->field >> WHAT_SHIFT == FLORIN_CATEGORY && v->n) {
            n->category[v->field & INDEX_MASK] = (fl_span){v->text, v->n};
            all += v->n;
        }
    }
    if (all > FL_REQUEST_BYTES_MAX / 2)
        return fl_fail(err, FLORIN_EINPUT, "categories together: at most %d bytes",
                       FL_REQUEST_BYTES_MAX / 2);
    n->marks = e.marks;
    n->marks_known = (uint8_t)seen[FLORIN_MARK - FLORIN_ENTITY];
    n->number_present = e.number_present;
    memcpy(n->number, e.number, sizeof n->number);
    return FLORIN_OK;
}

static florin_status learn(florin_decider *d, const florin_news *from, int64_t now_us,
                           florin_receipt *out, florin_error *err)
{
    fl_news n;
    fl_receipt receipt;
    memset(&n, 0, sizeof n);
    n.arrival_us = from->arrival_us;
    if ((uint32_t)from->kind > FLORIN_NEWS_RESULT)
        return fl_fail(err, FLORIN_EINPUT, "news of kind %d", (int)from->kind);
    bool label = from->kind == FLORIN_NEWS_LABEL;
    florin_status st = take_subject(d, from, &n, err);
    if (!st) st = take_key(d, from->key, from->key_n, n.key, err);
    if (!st) st = label ? take_label(d, from, &n, err) : take_result(d, from, &n, err);
    if (!st)
        st = fl_decider_learn(d->decider, label ? FL_RECORD_LABEL : FL_RECORD_RESULT, &n, now_us,
                              &receipt, err);
    if (st) return st;
    *out = (florin_receipt){receipt.sequence, receipt.decision, receipt.repeat, receipt.counted};
    return FLORIN_OK;
}

florin_status florin_decider_learn(florin_decider *d, const florin_news *news, uint32_t n,
                                   int64_t now_us, florin_receipt *out, florin_status *item,
                                   florin_error *err)
{
    if (!d || (n && (!news || !out || !item)))
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_learn: needs news, out and item");
    if (n > d->batch_max)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_learn: %u at once, batch_max is %u", n,
                       d->batch_max);
    d->last = n;
    for (uint32_t i = 0; i < n; i++) {
        d->error[i].message[0] = 0;
        item[i] = learn(d, &news[i], now_us, &out[i], &d->error[i]);
        if (item[i] == FLORIN_EIO && !i) return fl_fail(err, FLORIN_EIO, "%s", d->error[0].message);
    }
    fl_decider_flush(d->decider);
    return FLORIN_OK;
}

/* ---- the rest ---- */

uint64_t florin_decider_acknowledged(const florin_decider *d)
{
    return d ? fl_journal_acknowledged(fl_decider_journal(d->decider)) : 0;
}

florin_status florin_decider_wait(florin_decider *d, uint64_t sequence, florin_error *err)
{
    if (!d) return fl_fail(err, FLORIN_EUSAGE, "florin_decider_wait: needs a decider");
    return fl_journal_wait(fl_decider_journal(d->decider), sequence, err);
}

florin_status florin_decider_get(florin_decider *d, const char *id, uint32_t id_n,
                                 florin_decision *out, florin_error *err)
{
    if (!d || !id || !out)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_get: needs an id and a place");
    uint64_t number = fl_decision_number(d->decider, id, id_n);
    if (!number) return fl_fail(err, FLORIN_EINPUT, "there is no decision of this id");
    florin_status st = fl_decider_read(d->decider, number, &d->request[0], &d->decided[0], err);
    if (!st) give_answer(d, &d->decided[0], out);
    return st;
}

florin_status florin_decider_before(florin_decider *d, uint64_t before, florin_decision *out,
                                    florin_error *err)
{
    if (!d || !out) return fl_fail(err, FLORIN_EUSAGE, "florin_decider_before: needs a place");
    uint64_t next = fl_journal_next(fl_decider_journal(d->decider));
    fl_record record;
    for (uint64_t i = before < next ? before : next; i-- > 1;) {
        florin_status st = fl_journal_get(fl_decider_journal(d->decider), i, &record, err);
        if (st) return st;
        if (record.type != FL_RECORD_DECISION) continue;
        st = fl_decider_read(d->decider, i, &d->request[0], &d->decided[0], err);
        if (!st) give_answer(d, &d->decided[0], out);
        return st;
    }
    return fl_fail(err, FLORIN_EINPUT, "there is no decision before that");
}

static uint32_t give_values(const florin_decider *d, const fl_request *r, florin_value *v)
{
    uint32_t n = 0;
    const fl_schema *s = d->schema;
    for (uint32_t i = 0; i < s->categories; i++)
        if (r->category[i].n)
            v[n++] = (florin_value){(uint32_t)FLORIN_CATEGORY << WHAT_SHIFT | i, r->category[i].n,
                                    r->category[i].text, 0};
    for (uint32_t i = 0; i < s->numbers; i++)
        if (r->event.number_present >> i & 1)
            v[n++] = (florin_value){(uint32_t)FLORIN_NUMBER << WHAT_SHIFT | i, 0, NULL,
                                    (double)r->event.number[i]};
    for (uint32_t i = 0; i < s->marks; i++)
        if (r->event.marks >> i & 1)
            v[n++] = (florin_value){(uint32_t)FLORIN_MARK << WHAT_SHIFT | i, 0, NULL, 1};
    return n;
}
_Static_assert(FL_CATEGORIES_MAX + FL_NUMBERS_MAX + FL_MARKS_MAX <= FLORIN_VALUES_MAX, "room");

florin_status florin_decider_event(florin_decider *d, const char *id, uint32_t id_n,
                                   florin_event *out, florin_value *values,
                                   florin_metadata *metadata, uint32_t *metadata_n,
                                   florin_error *err)
{
    if (!d || !id || !out || !values || !metadata || !metadata_n)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_event: needs an id and places");
    fl_request *r = &d->request[0];
    uint64_t number = fl_decision_number(d->decider, id, id_n);
    if (!number) return fl_fail(err, FLORIN_EINPUT, "there is no decision of this id");
    florin_status st = fl_decider_read(d->decider, number, r, &d->decided[0], err);
    if (st) return st;
    memset(out, 0, sizeof *out);
    out->id = r->id.text;
    out->id_n = r->id.n;
    out->type = r->event.type;
    out->time_us = r->event.time_us;
    out->amount_minor = r->event.amount_minor;
    fl_currency_unpack(d->schema, r->event.currency, out->currency);
    out->values = values;
    out->n_values = give_values(d, r, values);
    *metadata_n = r->metas;
    for (uint32_t i = 0; i < r->metas; i++)
        metadata[i] = (florin_metadata){r->meta_key[i].text, r->meta_value[i].text,
                                        r->meta_key[i].n, r->meta_value[i].n};
    return FLORIN_OK;
}

florin_status florin_decider_set_policy(florin_decider *d, const florin_policy *policy,
                                        int64_t now_us, florin_error *err)
{
    if (!d) return fl_fail(err, FLORIN_EUSAGE, "florin_decider_set_policy: needs a decider");
    return fl_decider_set_policy(d->decider, policy ? policy->policy : NULL, now_us, err);
}

florin_status florin_decider_list(florin_decider *d, const char *list, const char *value,
                                  uint32_t n, int64_t until_us, int64_t now_us, uint64_t *sequence,
                                  florin_error *err)
{
    if (!d || !list || !value || !n || n > FL_REQUEST_BYTES_MAX || !sequence)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_decider_list: needs a list, a value and a place "
                       "for the record's number");
    return fl_decider_list(d->decider, list, value, n, until_us, now_us, sequence, err);
}

florin_status florin_decider_checkpoint(florin_decider *d, florin_error *err)
{
    if (!d) return fl_fail(err, FLORIN_EUSAGE, "florin_decider_checkpoint: needs a decider");
    return fl_decider_state_save(d->decider, &d->checkpoint, err);
}

florin_status florin_decider_checkpoint_start(florin_decider *d, florin_error *err)
{
    if (!d) return fl_fail(err, FLORIN_EUSAGE, "florin_decider_checkpoint_start: needs a decider");
    return fl_decider_state_start(d->decider, err);
}

florin_status florin_decider_checkpoint_poll(florin_decider *d, int *running, florin_error *err)
{
    bool at_work = false;
    if (!d || !running)
        return fl_fail(err, FLORIN_EUSAGE, "florin_decider_checkpoint_poll: needs a decider");
    florin_status st = fl_decider_state_poll(d->decider, &at_work, &d->checkpoint, err);
    *running = at_work;
    return st;
}

florin_status florin_decider_stats(const florin_decider *d, florin_decider_counts *out,
                                   florin_error *err)
{
    if (!d || !out || out->size != sizeof *out)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_decider_stats: begin the counts with FLORIN_DECIDER_COUNTS_INIT");
    fl_decider_counts c = fl_decider_counts_of(d->decider);
    fl_journal *j = fl_decider_journal(d->decider);
    out->decisions = c.decisions;
    out->repeats = c.repeats;
    out->dry_runs = c.dry_runs;
    out->refused = c.refused;
    out->labels = c.labels;
    out->results = c.results;
    memcpy(out->action, c.action, sizeof out->action);
    out->sequence = fl_journal_next(j) - 1;
    out->acknowledged = fl_journal_acknowledged(j);
    out->synced = fl_journal_synced(j);
    out->checkpoint = d->checkpoint;
    fl_journal_size(j, &out->journal_bytes, &out->segments);
    out->recovered = c.recovered;
    out->cut_bytes = c.cut_bytes;
    out->failing = fl_journal_failing(j);
    return FLORIN_OK;
}
