/* A whole log through the model: fold by fl_replay, streams by fl_model_event, states in one table per stream.
 * Invariant: a row is exactly what the live path computes for the same events in the same order. */
#include "model/encode.h"
#include "model/forecast.h"
#include <assert.h>
#include <stdio.h>

enum { AHEAD = 128 };

/* Events in order, of which `taken` have been handed out. */
typedef struct {
    fl_model_batch *batch;
    uint32_t count, taken;
    uint64_t row[AHEAD];
    fl_event event[AHEAD];
    fl_fold_carry carry[AHEAD];
    fl_model_item item[AHEAD];
    float *values; /* [AHEAD][stride] */
    size_t stride;
} pending;

struct fl_encode {
    const fl_model *m;
    const fl_log *log;
    fl_replay *replay;
    fl_model_scratch *scratch;
    int kind[FL_STREAMS];       /* entity kind of a stream, -1: none */
    uint8_t *state[FL_STREAMS]; /* [entities] of fl_model_state_bytes */
    size_t state_bytes;
    int64_t *last[FL_KINDS_MAX]; /* [entities] time of the last event, INT64_MIN: none */
    fl_event event;
    float *row, *h; /* h: what fl_encode_state gave last */
    pending *now;   /* events computed ahead; NULL: none ever asked for */
    pending *next;  /* with a team: events after them, of which the streams are still to come */
    uint32_t threads;
    fl_team *team;    /* of two; NULL: one thread does all */
    int64_t ahead_us; /* events before it may be computed ahead */
    bool states;      /* alone are wanted, of */
    int stream;       /* -1: all */
    fl_arena *arena;
    const char **name[FL_KINDS_MAX]; /* columns of an entity's row */
};

static fl_state *state_of(const fl_encode *e, int stream, uint32_t entity)
{
    if (e->kind[stream] < 0 || entity == FL_NONE) return NULL;
    return (fl_state *)(void *)(e->state[stream] + (size_t)entity * e->state_bytes);
}

static int stream_of(const fl_encode *e, int kind)
{
    for (int s = 0; s < FL_STREAMS; s++)
        if (e->kind[s] == kind) return s;
    return -1;
}

static florin_status name_entity_columns(fl_encode *e, int kind, florin_error *err)
{
    const fl_fold_plan *plan = fl_model_plan(e->m);
    const fl_network *n = fl_model_network(e->m);
    uint32_t fold = fl_fold_read_features(plan, kind), width = fl_encode_entity_width(e, kind),
             c = 0;
    const char **name = fl_arena_alloc(e->arena, width * sizeof *name);
    char text[128];
    bool ok = name != NULL;

    for (uint32_t i = 0; i < fold && ok; i++) {
        snprintf(text, sizeof text, "fold:%s",
                 fl_fold_feature_at(plan, fl_fold_read_feature(plan, kind, i))->name);
        ok = (name[c++] = fl_arena_strdup(e->arena, text)) != NULL;
    }
    for (uint32_t i = 0; ok && stream_of(e, kind) >= 0 && i < n->h; i++) {
        snprintf(text, sizeof text, "embedding:%s.%u", stream_of(e, kind) ? "payee" : "payer", i);
        ok = (name[c++] = fl_arena_strdup(e->arena, text)) != NULL;
    }
    if (ok) name[c] = "days_since_last_event.log1p";
    e->name[kind] = name;
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
}

static florin_status make_tables(fl_encode *e, florin_error *err)
{
    const fl_schema *s = fl_model_schema(e->m);

    for (int i = 0; i < FL_STREAMS; i++) {
        e->kind[i] = fl_model_stream_kind(e->m, i);
        if (e->kind[i] < 0) continue;
        size_t entities = fl_log_entities(e->log, e->kind[i]);
        e->state[i] = fl_calloc(entities + 1, e->state_bytes);
        if (!e->state[i])
            return fl_fail(err, FLORIN_ENOMEM, "encode: no memory for the states of %zu entities",
                           entities);
    }
    for (uint32_t k = 0; k < s->kinds; k++) {
        uint32_t entities = fl_log_entities(e->log, (int)k);
        e->last[k] = fl_alloc((size_t)entities + 1, sizeof *e->last[k]);
        if (!e->last[k]) return fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
        for (uint32_t i = 0; i < entities; i++) e->last[k][i] = INT64_MIN;
        florin_status st = name_entity_columns(e, (int)k, err);
        if (st) return st;
    }
    return FLORIN_OK;
}

florin_status fl_encode_open(fl_encode **out, const fl_model *m, const fl_log *log,
                             florin_error *err)
{
    fl_encode *e = NULL;
    florin_status st = fl_schema_same(fl_model_schema(m), fl_log_schema(log), err);

    *out = NULL;
    if (st) return st;
    e = fl_calloc(1, sizeof *e);
    if (!e) return fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
    e->m = m;
    e->log = log;
    e->kind[0] = e->kind[1] = -1;
    e->state_bytes = fl_model_state_bytes(m);
    e->row = fl_alloc_aligned(fl_model_row_width(m) + 1, sizeof *e->row);
    e->arena = fl_arena_new(1 << 14);
    e->h = fl_alloc(fl_model_network(m) ? fl_model_network(m)->h : 1, sizeof *e->h);
    if (!e->row || !e->h || !e->arena) st = fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
    if (!st) st = fl_model_scratch_new(&e->scratch, m, err);
    if (!st) st = fl_replay_open(&e->replay, fl_model_plan(m), log, err);
    if (!st) st = make_tables(e, err);
    if (st) {
        fl_encode_close(e);
        return st;
    }
    *out = e;
    return FLORIN_OK;
}

static void pending_free(pending *p)
{
    if (!p) return;
    fl_model_batch_free(p->batch);
    free(p->values);
    free(p);
}

void fl_encode_close(fl_encode *e)
{
    if (!e) return;
    for (int s = 0; s < FL_STREAMS; s++) free(e->state[s]);
    for (int k = 0; k < FL_KINDS_MAX; k++) free(e->last[k]);
    fl_replay_close(e->replay);
    fl_model_scratch_free(e->scratch);
    fl_team_free(e->team);
    pending_free(e->now);
    pending_free(e->next);
    fl_arena_free(e->arena);
    free(e->row);
    free(e->h);
    free(e);
}

static florin_status pending_new(pending **out, const fl_model *m, florin_error *err)
{
    pending *p = fl_calloc(1, sizeof *p);

    *out = p;
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
    p->stride = ((size_t)fl_model_row_width(m) + 15) / 16 * 16;
    p->values = fl_alloc_aligned(AHEAD * p->stride, sizeof *p->values);
    return p->values ? fl_model_batch_new(&p->batch, m, AHEAD, err)
                     : fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
}

void fl_encode_threads(fl_encode *e, uint32_t threads)
{
    e->threads = threads;
}

florin_status fl_encode_ahead(fl_encode *e, int64_t until_us, florin_error *err)
{
    florin_status st = FLORIN_OK;

    e->ahead_us = until_us;
    if (e->now) return FLORIN_OK;
    if (e->threads > 1 && fl_model_network(e->m)) {
        st = pending_new(&e->next, e->m, err);
        e->team = fl_team_new(2, true);
        if (!st && !e->team) st = fl_fail(err, FLORIN_ENOMEM, "encode: out of memory");
    }
    return st ? st : pending_new(&e->now, e->m, err);
}

florin_status fl_encode_states(fl_encode *e, int kind, int64_t until_us, florin_error *err)
{
    florin_status st = fl_encode_ahead(e, until_us, err);

    e->states = true;
    e->stream = kind < 0 ? -1 : stream_of(e, kind);
    return st;
}

static void states_of(const fl_encode *e, const fl_event *event, fl_state *state[FL_STREAMS])
{
    for (int i = 0; i < FL_STREAMS; i++)
        state[i] = e->kind[i] < 0 ? NULL : state_of(e, i, event->entity[e->kind[i]]);
}

/* Fold as many events as may be taken ahead, and all of the model that needs no state. */
static void begin(fl_encode *e, pending *p)
{
    const fl_fold_carry *carry;

    p->count = p->taken = 0;
    while (p->count < AHEAD && fl_replay_peek(e->replay) < e->ahead_us) {
        uint32_t i = p->count;
        float *values = p->values + i * p->stride;
        if (!fl_replay_next(e->replay, &p->row[i], &p->event[i], values, &carry)) break;
        p->carry[i] = *carry;
        p->item[i] = (fl_model_item){.event = &p->event[i], .row = values};
        states_of(e, &p->event[i], p->item[i].state);
        p->count++;
    }
    fl_model_encode(e->m, p->batch, p->item, p->count);
}

/* Then the streams. */
static void finish(fl_encode *e, pending *p)
{
    if (e->states) fl_model_states(e->m, p->batch, p->item, p->count, e->stream);
    else fl_model_rows(e->m, p->batch, p->item, p->count);
}

/* Two batches at once: states belong to the one, records of the fold to the other. */
static void both(void *arg, uint32_t thread)
{
    fl_encode *e = arg;

    if (thread) finish(e, e->now);
    else begin(e, e->next);
}

static void fill(fl_encode *e)
{
    pending *done = e->now;

    if (!e->team || fl_team_size(e->team) < 2) {
        begin(e, e->now);
        finish(e, e->now);
        return;
    }
    if (!e->next->count) begin(e, e->next);
    e->now = e->next;
    e->next = done;
    done->count = done->taken = 0;
    if (e->now->count) fl_team_run(e->team, both, e);
}

static void note_last(fl_encode *e, const fl_event *event)
{
    const fl_schema *s = fl_model_schema(e->m);

    for (uint32_t k = 0; k < s->kinds; k++) {
        uint32_t entity = event->entity[k];
        if (entity != FL_NONE && event->time_us > e->last[k][entity])
            e->last[k][entity] = event->time_us;
    }
}

bool fl_encode_next(fl_encode *e, uint64_t *row, fl_event *event, const float **values,
                    const fl_fold_carry **carry)
{
    if (e->now && e->now->taken == e->now->count) fill(e);
    pending *p = e->now;
    if (p && p->taken < p->count) {
        uint32_t i = p->taken++;
        *row = p->row[i];
        *values = p->values + i * p->stride;
        *carry = &p->carry[i];
        if (event) *event = p->event[i];
        note_last(e, &p->event[i]);
        return true;
    }
    if (!fl_replay_next(e->replay, row, &e->event, e->row, carry)) return false;
    fl_state *state[FL_STREAMS];
    states_of(e, &e->event, state);
    fl_model_event(e->m, e->scratch, &e->event, state[0], state[1], e->row);
    note_last(e, &e->event);
    if (event) *event = e->event;
    *values = e->row;
    return true;
}

int64_t fl_encode_peek(const fl_encode *e)
{
    const pending *p = e->now, *q = e->next;

    if (p && p->taken < p->count) return p->event[p->taken].time_us;
    return q && q->count ? q->event[0].time_us : fl_replay_peek(e->replay);
}

uint32_t fl_encode_entity_width(const fl_encode *e, int kind)
{
    return fl_model_entity_width(e->m, kind);
}

const char *fl_encode_entity_name(const fl_encode *e, int kind, uint32_t column)
{
    assert(column < fl_encode_entity_width(e, kind));
    return e->name[kind][column];
}

void fl_encode_entity(fl_encode *e, int kind, uint32_t entity, int64_t at_us, float *out)
{
    int stream = stream_of(e, kind);

    fl_replay_advance(e->replay, at_us);
    fl_model_entity_row(e->m, kind, fl_replay_record(e->replay, kind, entity),
                        stream < 0 ? NULL : state_of(e, stream, entity), e->last[kind][entity],
                        at_us, out);
}

uint32_t fl_encode_embedding(const fl_encode *e, int kind)
{
    const fl_network *n = fl_model_network(e->m);
    int stream = stream_of(e, kind);

    assert(stream >= 0);
    return fl_model_row_embedding(e->m) + (stream && n->stream[0] ? n->h : 0);
}

const float *fl_encode_state(const fl_encode *e, int kind, uint32_t entity, uint32_t *events)
{
    int stream = stream_of(e, kind);

    if (stream < 0) return NULL;
    const fl_state *state = state_of(e, stream, entity);
    if (events) *events = state->events;
    fl_model_state_get(e->m, state, e->h, fl_model_network(e->m)->h);
    return e->h;
}

bool fl_encode_forecast(fl_encode *e, int kind, uint32_t entity, int64_t at_us, float *out)
{
    int stream = stream_of(e, kind);

    if (stream < 0) return false;
    fl_model_forecast(e->m, e->scratch, stream, state_of(e, stream, entity), at_us, out);
    return true;
}

fl_replay *fl_encode_replay(fl_encode *e)
{
    return e->replay;
}
