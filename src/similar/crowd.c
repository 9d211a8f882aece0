/* One pass over the log; then each entity is read once. Memory: a row of floats for an entity, as much again as its record
 * and state. */
#include "similar/crowd.h"
#include <math.h>

int fl_crowd_stream(const fl_model *m, int kind)
{
    for (int s = 0; fl_model_network(m) && s < FL_STREAMS; s++)
        if (fl_model_stream_kind(m, s) == kind) return s;
    return -1;
}

void fl_crowd_free(fl_crowd *c)
{
    free(c->entity);
    free(c->events);
    free(c->state);
    free(c->fold);
    memset(c, 0, sizeof *c);
}

florin_status fl_crowd_room(fl_crowd *c, const fl_model *m, int kind, uint32_t n,
                            const florin_context *ctx, florin_error *err)
{
    const char *name = fl_model_schema(m)->kind[kind].name;
    uint64_t most = fl_memory(ctx);

    *c = (fl_crowd){.n = n};
    if (n < 2)
        return fl_fail(err, FLORIN_EINPUT,
                       "%u entities of kind %s have enough events: there is nothing to compare", n,
                       name);
    c->states = fl_crowd_stream(m, kind) < 0 ? 0 : fl_model_network(m)->h;
    c->folds = fl_fold_read_features(fl_model_plan(m), kind) + 1;
    uint64_t bytes = (uint64_t)n * (2 * (c->states + c->folds) + 2) * sizeof(float);
    if (bytes > most)
        return fl_fail(err, FLORIN_ENOMEM,
                       "vectors of %u entities of kind %s take %llu MiB: give more --memory", n,
                       name, (unsigned long long)(bytes >> 20));
    c->entity = fl_alloc(n, sizeof *c->entity);
    c->events = fl_alloc(n, sizeof *c->events);
    c->fold = fl_alloc((size_t)n * c->folds, sizeof *c->fold);
    c->state = fl_alloc((size_t)n * c->states + 1, sizeof *c->state);
    return c->entity && c->events && c->fold && c->state
               ? FLORIN_OK
               : fl_fail(err, FLORIN_ENOMEM, "no memory for the vectors of %u entities", n);
}

void fl_crowd_put(fl_crowd *c, uint32_t i, const float *row, const float *pooled)
{
    float *fold = c->fold + (size_t)i * c->folds;

    memcpy(fold, row, (c->folds - 1) * sizeof *fold);
    fold[c->folds - 1] = row[c->folds - 1 + c->states];
    if (c->states)
        memcpy(c->state + (size_t)i * c->states, pooled ? pooled : row + c->folds - 1,
               c->states * sizeof *c->state);
}

typedef struct {
    const fl_crowd_options *opt;
    const florin_context *ctx;
    const fl_log *log;
    fl_encode *encode;
    uint32_t entities, h;
    uint32_t *count; /* [entities] */
    float *pooled;   /* [entities][h]; NULL: the last */
} gathering;

static void take(gathering *g, uint32_t entity, const float *h)
{
    if (entity == FL_NONE) return;
    float w = 1.0f / (float)++g->count[entity];
    float *p = g->pooled ? g->pooled + (size_t)entity * g->h : NULL;
    for (uint32_t i = 0; p && i < g->h; i++) p[i] += w * (h[i] - p[i]);
}

static florin_status walk(gathering *g, florin_error *err)
{
    const fl_crowd_options *o = g->opt;
    const fl_fold_carry *carry;
    const float *values;
    uint64_t row, done = 0;
    fl_event event;
    florin_status st = fl_encode_states(g->encode, g->h ? o->kind : -1, o->at_us, err);
    uint32_t embedding = g->h ? fl_encode_embedding(g->encode, o->kind) : 0;

    while (!st && fl_encode_peek(g->encode) < o->at_us &&
           fl_encode_next(g->encode, &row, &event, &values, &carry)) {
        take(g, event.entity[o->kind], values + embedding);
        if (++done % 4096) continue;
        fl_progress(g->ctx, "read", done, fl_log_rows(g->log));
        if (fl_cancelled(g->ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    return st;
}

static florin_status collect(fl_crowd *out, gathering *g, const fl_model *m, florin_error *err)
{
    const fl_crowd_options *o = g->opt;
    uint32_t n = 0, at = 0;

    for (uint32_t e = 0; e < g->entities; e++) n += g->count[e] >= o->least;
    florin_status st = fl_crowd_room(out, m, o->kind, n, g->ctx, err);
    float *row = fl_alloc(fl_encode_entity_width(g->encode, o->kind), sizeof *row);
    if (!st && !row) st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    for (uint32_t e = 0; e < g->entities && !st; e++) {
        if (g->count[e] < o->least) continue;
        fl_encode_entity(g->encode, o->kind, e, o->at_us, row);
        fl_crowd_put(out, at, row, g->pooled ? g->pooled + (size_t)e * g->h : NULL);
        out->entity[at] = e;
        out->events[at++] = g->count[e];
    }
    free(row);
    return st;
}

florin_status fl_crowd_new(fl_crowd *out, const fl_model *m, const fl_log *log,
                           const fl_crowd_options *opt, const florin_context *ctx,
                           florin_error *err)
{
    gathering g = {.opt = opt, .ctx = ctx, .log = log};

    memset(out, 0, sizeof *out);
    if (opt->halves) return fl_crowd_halves(out, m, log, opt, ctx, err);
    g.entities = fl_log_entities(log, opt->kind);
    g.h = fl_crowd_stream(m, opt->kind) < 0 ? 0 : fl_model_network(m)->h;
    g.count = fl_calloc((size_t)g.entities + 1, sizeof *g.count);
    if (opt->pool == FL_POOL_MEAN && g.h)
        g.pooled = fl_calloc((size_t)g.entities + 1, g.h * sizeof *g.pooled);
    florin_status st = g.count && (g.pooled || opt->pool == FL_POOL_LAST || !g.h)
                           ? fl_encode_open(&g.encode, m, log, err)
                           : fl_fail(err, FLORIN_ENOMEM, "out of memory");
    if (!st) fl_encode_threads(g.encode, fl_threads(ctx));
    if (!st) st = walk(&g, err);
    if (!st) st = collect(out, &g, m, err);
    if (st) fl_crowd_free(out);
    fl_encode_close(g.encode);
    free(g.count);
    free(g.pooled);
    return st;
}
