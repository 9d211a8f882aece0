/* Every entity of a kind seen as two, as if a person had used two cards: each day of its history falls to one of them by a hash
 * of both, so that what was bought together stays together. The two have identifiers of their own; all else of the log is as it
 * was. Invariant: neither half's vectors depend on the other's events but through what they share with all: merchants' and other
 * kinds' records. Labels are not applied: whose half they speak of would tell the two apart. */
#include "fold/replay.h"
#include "similar/crowd.h"

enum { BATCH = 128 };

typedef struct {
    const fl_crowd_options *opt;
    const florin_context *ctx;
    const fl_model *m;
    const fl_log *log;
    const fl_schema *s;
    int stream;
    uint32_t h, halves; /* twice the entities */
    size_t state_bytes, stride;
    uint32_t *count;
    int64_t *last; /* [halves] time of the last event */
    float *pooled; /* [halves][h] */
    fl_fold_record *record[FL_KINDS_MAX];
    uint8_t *state[FL_STREAMS];
    fl_map64 pair_number[FL_PAIRS_MAX];
    fl_fold_record *pair[FL_PAIRS_MAX];
    uint32_t pair_cap[FL_PAIRS_MAX];
    fl_model_batch *batch;
    fl_event event[BATCH];
    fl_model_item item[BATCH];
    float *values; /* [BATCH][stride] */
} cut;

static void cut_free(cut *c)
{
    for (int k = 0; k < FL_KINDS_MAX; k++) free(c->record[k]);
    for (int s = 0; s < FL_STREAMS; s++) free(c->state[s]);
    for (int p = 0; p < FL_PAIRS_MAX; p++) {
        fl_map64_free(&c->pair_number[p]);
        free(c->pair[p]);
    }
    fl_model_batch_free(c->batch);
    free(c->values);
    free(c->pooled);
    free(c->last);
    free(c->count);
}

static size_t entities_of(const cut *c, int kind)
{
    size_t n = fl_log_entities(c->log, kind);
    return (kind == c->opt->kind ? 2 * n : n) + 1;
}

static florin_status cut_room(cut *c, florin_error *err)
{
    bool ok = true;

    c->halves = (uint32_t)entities_of(c, c->opt->kind) - 1;
    c->count = fl_calloc((size_t)c->halves + 1, sizeof *c->count);
    c->last = fl_calloc((size_t)c->halves + 1, sizeof *c->last);
    c->pooled = fl_calloc((size_t)c->halves + 1, (c->h + 1) * sizeof *c->pooled);
    c->stride = ((size_t)fl_model_row_width(c->m) + 15) / 16 * 16;
    c->values = fl_alloc_aligned(BATCH * c->stride, sizeof *c->values);
    for (uint32_t k = 0; k < c->s->kinds; k++) {
        c->record[k] = fl_alloc_aligned(entities_of(c, (int)k), sizeof *c->record[k]);
        ok = ok && c->record[k];
    }
    for (uint32_t p = 0; p < c->s->pairs; p++) ok = ok && fl_map64_init(&c->pair_number[p], 1024);
    for (int s = 0; s < FL_STREAMS && c->h; s++) {
        int kind = fl_model_stream_kind(c->m, s);
        if (kind < 0) continue;
        c->state[s] = fl_calloc(entities_of(c, kind), c->state_bytes);
        ok = ok && c->state[s];
    }
    ok = ok && c->count && c->last && c->pooled && c->values;
    return ok ? fl_model_batch_new(&c->batch, c->m, BATCH, err)
              : fl_fail(err, FLORIN_ENOMEM, "no memory for %u halves", c->halves);
}

/* The event as the half that its day falls to had it. */
static void give_half(const cut *c, fl_event *e)
{
    int k = c->opt->kind;
    if (e->entity[k] == FL_NONE) return;
    uint64_t day = (uint64_t)(e->time_us / FL_DAY_US);
    uint32_t half = (uint32_t)(fl_mix64(e->entity_hash[k] ^ fl_mix64(day)) & 1);
    e->entity[k] = 2 * e->entity[k] + half;
    e->entity_hash[k] = fl_mix64(e->entity_hash[k] + half) | 1;
}

static florin_status pairs_of(cut *c, const fl_event *e, fl_fold_record *pair[FL_PAIRS_MAX],
                              florin_error *err)
{
    for (uint32_t p = 0; p < FL_PAIRS_MAX; p++) {
        const fl_pair *of = &c->s->pair[p];
        pair[p] = NULL;
        if (p >= c->s->pairs || e->entity[of->a] == FL_NONE || e->entity[of->b] == FL_NONE)
            continue;
        bool fresh;
        uint32_t *n = fl_map64_insert(
            &c->pair_number[p], fl_pair_key(e->entity_hash[of->a], e->entity_hash[of->b]), &fresh);
        if (!n) return fl_fail(err, FLORIN_ENOMEM, "no memory for pairs");
        if (fresh) *n = (uint32_t)c->pair_number[p].count - 1;
        if (*n >= c->pair_cap[p]) {
            uint32_t cap = c->pair_cap[p] ? 2 * c->pair_cap[p] : 1024;
            fl_fold_record *more = fl_alloc_aligned(cap, sizeof *more);
            if (!more) return fl_fail(err, FLORIN_ENOMEM, "no memory for %u pairs", cap);
            if (c->pair[p]) memcpy(more, c->pair[p], c->pair_cap[p] * sizeof *more);
            free(c->pair[p]);
            c->pair[p] = more;
            c->pair_cap[p] = cap;
        }
        pair[p] = &c->pair[p][*n];
    }
    return FLORIN_OK;
}

static florin_status fold_one(cut *c, uint32_t i, uint64_t row, int64_t clock_us, florin_error *err)
{
    fl_fold_record *rec[FL_KINDS_MAX] = {NULL}, *pair[FL_PAIRS_MAX];
    fl_event *e = &c->event[i];
    fl_fold_carry carry;
    float *values = c->values + i * c->stride;

    fl_log_event(c->log, row, e);
    give_half(c, e);
    florin_status st = pairs_of(c, e, pair, err);
    if (st) return st;
    for (uint32_t k = 0; k < c->s->kinds; k++)
        if (e->entity[k] != FL_NONE) rec[k] = &c->record[k][e->entity[k]];
    fl_fold_event(fl_model_plan(c->m), rec, pair, e, clock_us, values, &carry);
    c->item[i] = (fl_model_item){.event = e, .row = values};
    for (int s = 0; s < FL_STREAMS && c->h; s++) {
        int kind = fl_model_stream_kind(c->m, s);
        if (kind >= 0 && e->entity[kind] != FL_NONE)
            c->item[i].state[s] =
                (fl_state *)(void *)(c->state[s] + (size_t)e->entity[kind] * c->state_bytes);
    }
    return FLORIN_OK;
}

static void finish_batch(cut *c, uint32_t n)
{
    const fl_network *net = fl_model_network(c->m);
    size_t at = fl_model_row_embedding(c->m) + (c->stream > 0 && net->stream[0] ? c->h : 0);

    if (c->h) {
        fl_model_encode(c->m, c->batch, c->item, n);
        fl_model_states(c->m, c->batch, c->item, n, c->stream);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t e = c->event[i].entity[c->opt->kind];
        if (e == FL_NONE) continue;
        float w = 1.0f / (float)++c->count[e], *p = c->pooled + (size_t)e * c->h;
        const float *h = c->item[i].row + at;
        c->last[e] =
            c->count[e] == 1 || c->event[i].time_us > c->last[e] ? c->event[i].time_us : c->last[e];
        for (uint32_t d = 0; d < c->h; d++) p[d] += w * (h[d] - p[d]);
    }
}

static florin_status walk(cut *c, florin_error *err)
{
    fl_order *order = NULL;
    fl_label label;
    fl_step step;
    uint64_t row, done = 0;
    int64_t clock_us;
    uint32_t n = 0;
    florin_status st = fl_order_open(&order, c->log, err);

    while (!st && fl_order_peek(order) < c->opt->at_us &&
           (step = fl_order_next(order, &row, &label, &clock_us)) != FL_STEP_END) {
        if (step == FL_STEP_LABEL) continue;
        st = fold_one(c, n, row, clock_us, err);
        if (!st && ++n == BATCH) {
            finish_batch(c, n);
            n = 0;
        }
        if (++done % 4096) continue;
        fl_progress(c->ctx, "halves", done, fl_log_rows(c->log));
        if (fl_cancelled(c->ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    if (!st) finish_batch(c, n);
    fl_order_close(order);
    return st;
}

static florin_status collect(fl_crowd *out, cut *c, florin_error *err)
{
    const fl_crowd_options *o = c->opt;
    uint32_t n = 0, at = 0;

    for (uint32_t e = 0; e < c->halves; e += 2)
        n += c->count[e] >= o->least && c->count[e + 1] >= o->least ? 2 : 0;
    florin_status st = fl_crowd_room(out, c->m, o->kind, n, c->ctx, err);
    float *row = fl_alloc(fl_model_entity_width(c->m, o->kind), sizeof *row);
    if (!st && !row) st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    for (uint32_t e = 0; e < c->halves && !st; e++) {
        if (c->count[e & ~1u] < o->least || c->count[e | 1] < o->least) continue;
        const fl_state *state =
            c->stream < 0 ? NULL
                          : (fl_state *)(void *)(c->state[c->stream] + (size_t)e * c->state_bytes);
        fl_model_entity_row(c->m, o->kind, &c->record[o->kind][e], state, c->last[e], o->at_us,
                            row);
        fl_crowd_put(out, at, row, o->pool == FL_POOL_MEAN ? c->pooled + (size_t)e * c->h : NULL);
        out->entity[at] = e / 2;
        out->events[at++] = c->count[e];
    }
    free(row);
    return st;
}

florin_status fl_crowd_halves(fl_crowd *out, const fl_model *m, const fl_log *log,
                              const fl_crowd_options *opt, const florin_context *ctx,
                              florin_error *err)
{
    cut *c = fl_calloc(1, sizeof *c);

    if (!c) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    c->opt = opt;
    c->ctx = ctx;
    c->m = m;
    c->log = log;
    c->s = fl_log_schema(log);
    c->stream = fl_crowd_stream(m, opt->kind);
    c->h = c->stream < 0 ? 0 : fl_model_network(m)->h;
    c->state_bytes = fl_model_state_bytes(m);
    florin_status st = fl_log_entities(log, opt->kind) < UINT32_MAX / 2
                           ? fl_schema_same(fl_model_schema(m), c->s, err)
                           : fl_fail(err, FLORIN_ENOMEM, "too many entities to halve");
    if (!st) st = cut_room(c, err);
    if (!st) st = walk(c, err);
    if (!st) st = collect(out, c, err);
    if (st) fl_crowd_free(out);
    cut_free(c);
    free(c);
    return st;
}
