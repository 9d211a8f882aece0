/* The live path. Owns entity tables, pair tables and the ring of events that await labels; asks the fold and the
 * model for everything else, so that live and offline cannot differ. */
#include "score/scorer.h"
#include "fold/replay.h"

typedef struct {
    uint64_t id;
    uint64_t hash[FL_KINDS_MAX];
    uint64_t pair[FL_PAIRS_MAX];
    fl_fold_carry carry;
} pending_event;

struct fl_scorer {
    const fl_model *model;
    const fl_schema *schema;
    fl_scorer_options opt;
    fl_table table[FL_KINDS_MAX];
    fl_table pairs[FL_PAIRS_MAX];
    int role_kind[FL_STREAMS];
    fl_model_scratch *scratch;
    fl_head *head[FL_SCORE_HEADS_MAX];
    uint32_t heads;
    pending_event *pending; /* ring */
    uint64_t pending_next;  /* events ever remembered */
    fl_index pending_index;
    fl_reasoner *reasoner;
    fl_fold_record neutral[FL_KINDS_MAX + FL_PAIRS_MAX];
    uint8_t *neutral_state[FL_STREAMS];
    fl_scorer_stats stats;
};

/* Times beyond +-2^60 us (36,000 years) are nonsense and would overflow differences. */
static const int64_t TIME_LIMIT_US = INT64_C(1) << 60;

static florin_status open_heads(fl_scorer *s, florin_error *err)
{
    for (uint32_t i = 0; i < fl_heads(s->model); i++) {
        fl_head *h = NULL;
        florin_status st = fl_head_open(&h, s->model, i, err);
        if (st) return st;
        if (!fl_head_per_event(h)) {
            fl_head_close(h);
            continue;
        }
        if (s->heads == FL_SCORE_HEADS_MAX) {
            fl_head_close(h);
            return fl_fail(err, FLORIN_EFORMAT, "model has more than %d heads", FL_SCORE_HEADS_MAX);
        }
        s->head[s->heads++] = h;
    }
    return FLORIN_OK;
}

static bool open_tables(fl_scorer *s)
{
    size_t bytes = fl_model_state_bytes(s->model);
    const fl_network *net = fl_model_network(s->model);
    for (int k = 0; k < (int)s->schema->kinds; k++) {
        bool stream = false;
        for (int r = 0; r < FL_STREAMS; r++)
            stream |= net && net->stream[r] && s->role_kind[r] == k;
        if (!fl_table_init(&s->table[k], s->opt.entities_max, stream ? bytes : 0)) return false;
    }
    for (uint32_t p = 0; p < s->schema->pairs; p++)
        if (!fl_table_init(&s->pairs[p], s->opt.pairs_max, 0)) return false;
    for (int r = 0; r < FL_STREAMS; r++) {
        s->neutral_state[r] = fl_alloc_aligned(1, bytes ? bytes : 64);
        if (!s->neutral_state[r]) return false;
    }
    s->pending = fl_calloc(s->opt.pending_max, sizeof *s->pending);
    return s->pending && fl_index_init(&s->pending_index, s->opt.pending_max);
}

florin_status fl_scorer_open(fl_scorer **out, const fl_model *model, const fl_scorer_options *opt,
                             florin_error *err)
{
    *out = NULL;
    fl_scorer *s = fl_calloc(1, sizeof *s);
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "scorer");
    s->model = model;
    s->schema = fl_model_schema(model);
    if (opt) s->opt = *opt;
    if (!s->opt.entities_max) s->opt.entities_max = 1000000;
    if (!s->opt.pairs_max)
        s->opt.pairs_max = s->opt.entities_max > 2000000 ? 8000000 : 4 * s->opt.entities_max;
    if (!s->opt.pending_max) s->opt.pending_max = 1000000;
    s->role_kind[0] = fl_schema_role(s->schema, FL_ROLE_PAYER);
    s->role_kind[1] = fl_schema_role(s->schema, FL_ROLE_PAYEE);
    s->stats.clock_us = INT64_MIN;

    florin_status st = FLORIN_OK;
    if (!open_tables(s)) {
        st =
            fl_fail(err, FLORIN_ENOMEM, "tables for %u entities of each kind and %u pending events",
                    s->opt.entities_max, s->opt.pending_max);
        goto done;
    }
    st = fl_model_scratch_new(&s->scratch, model, err);
    if (st) goto done;
    st = open_heads(s, err);
    if (st) goto done;
    st = fl_reasoner_new(&s->reasoner, model, err);
    if (st) goto done;
    *out = s;
    s = NULL;
done:
    fl_scorer_close(s);
    return st;
}

void fl_scorer_close(fl_scorer *s)
{
    if (!s) return;
    for (int k = 0; k < FL_KINDS_MAX; k++) fl_table_free(&s->table[k]);
    for (int p = 0; p < FL_PAIRS_MAX; p++) fl_table_free(&s->pairs[p]);
    for (int r = 0; r < FL_STREAMS; r++) free(s->neutral_state[r]);
    for (uint32_t i = 0; i < s->heads; i++) fl_head_close(s->head[i]);
    fl_model_scratch_free(s->scratch);
    fl_index_free(&s->pending_index);
    free(s->pending);
    fl_reasoner_free(s->reasoner);
    free(s);
}

uint32_t fl_scorer_heads(const fl_scorer *s)
{
    return s->heads;
}

const fl_head *fl_scorer_head(const fl_scorer *s, uint32_t i)
{
    return s->head[i];
}

fl_scorer_stats fl_scorer_stats_of(const fl_scorer *s)
{
    fl_scorer_stats x = s->stats;
    for (uint32_t k = 0; k < s->schema->kinds; k++) x.evicted += s->table[k].evicted;
    return x;
}

/* Refuse before anything is touched: what fails here leaves the scorer as it was. */
static florin_status check_event(const fl_scorer *s, const fl_event *e, florin_error *err)
{
    if (e->time_us <= -TIME_LIMIT_US || e->time_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "event time %lld us is out of range",
                       (long long)e->time_us);
    if (e->type >= s->schema->sources)
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: the model's schema has %u", e->type,
                       s->schema->sources);
    if (e->id && fl_index_find(&s->pending_index, e->id) != FL_NONE)
        return fl_fail(err, FLORIN_EINPUT,
                       "event id was scored before: not scored or counted again");
    if (s->opt.when_full != FL_FULL_ERROR) return FLORIN_OK;
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        const fl_table *t = &s->table[k];
        if (e->entity_hash[k] && fl_table_is_full(t) &&
            fl_table_find(t, e->entity_hash[k]) == FL_NONE)
            return fl_fail(err, FLORIN_ENOMEM, "table of %s is full (%u): raise entities_max",
                           s->schema->kind[k].name, t->capacity);
    }
    return FLORIN_OK;
}

/* Number an event's entities and find their records; full tables under FL_FULL_NEUTRAL lend a blank one. */
static void find_records(fl_scorer *s, fl_event *e, fl_fold_record **rec)
{
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        rec[k] = NULL;
        e->entity[k] = FL_NONE;
        if (!e->entity_hash[k]) continue;
        e->entity[k] = fl_table_use(&s->table[k], e->entity_hash[k], s->opt.when_full);
        if (e->entity[k] != FL_NONE) {
            rec[k] = &s->table[k].record[e->entity[k]];
        } else {
            rec[k] = &s->neutral[k];
            memset(rec[k], 0, sizeof *rec[k]);
        }
    }
    for (uint32_t k = s->schema->kinds; k < FL_KINDS_MAX; k++) {
        rec[k] = NULL;
        e->entity[k] = FL_NONE;
    }
}

static uint64_t pair_key(const fl_scorer *s, uint32_t p, const fl_event *e)
{
    uint64_t a = e->entity_hash[s->schema->pair[p].a], b = e->entity_hash[s->schema->pair[p].b];
    return a && b ? fl_pair_key(a, b) : 0;
}

static void find_pairs(fl_scorer *s, const fl_event *e, fl_fold_record **pair)
{
    for (uint32_t p = 0; p < FL_PAIRS_MAX; p++) {
        pair[p] = NULL;
        uint64_t key = p < s->schema->pairs ? pair_key(s, p, e) : 0;
        if (!key) continue;
        /* A pair is a refinement: when its table is full the oldest goes, whatever the entities' rule. */
        uint32_t i = fl_table_use(&s->pairs[p], key, FL_FULL_EVICT);
        pair[p] = &s->pairs[p].record[i];
    }
}

static fl_state *stream_state(fl_scorer *s, int role, const fl_event *e)
{
    int k = s->role_kind[role];
    if (k < 0 || !e->entity_hash[k] || !s->table[k].state_bytes) return NULL;
    if (e->entity[k] != FL_NONE) return fl_table_state(&s->table[k], e->entity[k]);
    memset(s->neutral_state[role], 0, s->table[k].state_bytes);
    return (fl_state *)(void *)s->neutral_state[role];
}

/* Keep what the event's labels will need. The ring forgets its oldest member. */
static void remember(fl_scorer *s, const fl_event *e, const fl_fold_carry *carry)
{
    if (!e->id) return;
    uint32_t slot = (uint32_t)(s->pending_next % s->opt.pending_max);
    pending_event *p = &s->pending[slot];
    if (s->pending_next >= s->opt.pending_max) {
        fl_index_remove(&s->pending_index, p->id);
        s->stats.forgotten++;
    }
    s->pending_next++;
    p->id = e->id;
    memcpy(p->hash, e->entity_hash, sizeof p->hash);
    for (uint32_t i = 0; i < s->schema->pairs; i++) p->pair[i] = pair_key(s, i, e);
    p->carry = *carry;
    fl_index_put(&s->pending_index, e->id, slot);
}

florin_status fl_scorer_event(fl_scorer *s, fl_event *e, float *row, fl_head_out *out,
                              florin_error *err)
{
    florin_status st = check_event(s, e, err);
    if (st) return st;

    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    fl_fold_carry carry;
    memset(&carry, 0, sizeof carry);
    find_records(s, e, rec);
    find_pairs(s, e, pair);
    if (e->time_us < s->stats.clock_us) s->stats.late++;
    else s->stats.clock_us = e->time_us;
    s->stats.events++;

    fl_fold_event(fl_model_plan(s->model), rec, pair, e, s->stats.clock_us, row, &carry);
    fl_model_event(s->model, s->scratch, e, stream_state(s, 0, e), stream_state(s, 1, e), row);
    if (out)
        for (uint32_t i = 0; i < s->heads; i++) fl_head_score(s->head[i], row, &out[i]);
    remember(s, e, &carry);
    return FLORIN_OK;
}

florin_status fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                              int64_t arrival_us, florin_error *err)
{
    if (label < 0 || label >= (int)s->schema->labels)
        return fl_fail(err, FLORIN_ESCHEMA, "label %d: the model's schema has %u", label,
                       s->schema->labels);
    if (!(value >= -1e30f && value <= 1e30f))
        return fl_fail(err, FLORIN_EINPUT, "label value is not a finite number");
    if (arrival_us <= -TIME_LIMIT_US || arrival_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "label arrival %lld us is out of range",
                       (long long)arrival_us);
    uint32_t slot = event_id ? fl_index_find(&s->pending_index, event_id) : FL_NONE;
    if (slot == FL_NONE)
        return fl_fail(err, FLORIN_EINPUT,
                       "label for an event that is unknown or older than the last %u",
                       s->opt.pending_max);
    s->stats.labels++;
    if (arrival_us > s->stats.clock_us) s->stats.clock_us = arrival_us;
    if (label != s->schema->risk_label) return FLORIN_OK;

    pending_event *p = &s->pending[slot];
    fl_fold_record *rec[FL_KINDS_MAX] = {0}, *pair[FL_PAIRS_MAX] = {0};
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        /* Looked up again: the entity may have been evicted and its slot given to another since. */
        uint32_t i = p->hash[k] ? fl_table_find(&s->table[k], p->hash[k]) : FL_NONE;
        rec[k] = i == FL_NONE ? NULL : &s->table[k].record[i];
    }
    for (uint32_t i = 0; i < s->schema->pairs; i++) {
        uint32_t x = p->pair[i] ? fl_table_find(&s->pairs[i], p->pair[i]) : FL_NONE;
        pair[i] = x == FL_NONE ? NULL : &s->pairs[i].record[x];
    }
    fl_fold_label(fl_model_plan(s->model), rec, pair, &p->carry, value, s->stats.clock_us);
    return FLORIN_OK;
}

florin_status fl_scorer_warm(fl_scorer *s, const fl_log *log, const florin_context *ctx,
                             florin_error *err)
{
    florin_status st = fl_schema_same(s->schema, fl_log_schema(log), err);
    if (st) return st;
    fl_order *order = NULL;
    float *row = fl_calloc(fl_model_row_width(s->model), sizeof *row);
    if (!row) return fl_fail(err, FLORIN_ENOMEM, "warming up");
    st = fl_order_open(&order, log, err);
    uint64_t n = fl_log_rows(log), r = 0, done = 0;
    fl_label label;
    fl_event event;
    int64_t clock_us;
    fl_step step = FL_STEP_END;
    while (!st && (step = fl_order_next(order, &r, &label, &clock_us)) != FL_STEP_END) {
        if (step == FL_STEP_EVENT) {
            fl_log_event(log, r, &event);
            st = fl_scorer_event(s, &event, row, NULL, err);
            if (++done % 65536 == 0) fl_progress(ctx, "warming up", done, n);
            if (!st && done % 65536 == 0 && fl_cancelled(ctx))
                st = fl_fail(err, FLORIN_ECANCELLED, "warming up: stopped");
        } else {
            fl_log_event(log, label.row, &event);
            /* An event that the ring has forgotten cannot take its label: the same as live, so not an error. */
            (void)fl_scorer_label(s, event.id, label.label, label.value, label.arrival_us, NULL);
        }
    }
    fl_order_close(order);
    free(row);
    return st;
}

uint32_t fl_scorer_reasons(fl_scorer *s, uint32_t head, const fl_event *event, const float *row,
                           fl_reason *out, uint32_t max)
{
    const fl_fold_record *rec[FL_KINDS_MAX] = {0};
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        uint32_t i =
            event->entity_hash[k] ? fl_table_find(&s->table[k], event->entity_hash[k]) : FL_NONE;
        if (i != FL_NONE) rec[k] = &s->table[k].record[i];
    }
    return fl_reasons(s->reasoner, s->head[head], row, rec, out, max);
}
