/* Owns evaluation passes. Invariant: every share handles its own list of histories from zero states, alone. */
#include "train/evaluate.h"
#include <pthread.h>
#include <stdatomic.h>

enum { SHARES = 8, LANES = 32, STEPS = 32 };

typedef struct {
    const fl_net *net;
    const fl_rows *rows;
    const fl_evaluation *e;
    fl_packs *packs;
    uint32_t *order; /* [n] entities, longest first */
    uint32_t n;
    fl_nats nats[SHARES];
    florin_status status[SHARES];
    atomic_uint_fast64_t done;
    atomic_bool stop;
    pthread_t caller; /* callbacks run on its thread alone */
    uint64_t total;
} job;

typedef struct {
    uint32_t entity;
    uint64_t at;
    bool busy;
} lane;

typedef struct {
    job *j;
    fl_worker *k;
    lane lane[LANES];
    uint32_t busy, next, step; /* next: place in order; step: SHARES */
    fl_nats *nats;
    int8_t slice[LANES * STEPS];
} share;

/* Busy lanes first, their states moved along. */
static void refill(share *s)
{
    job *j = s->j;
    size_t n = fl_worker_states(s->k);
    float *state = fl_worker_state(s->k);
    uint32_t busy = 0;

    for (uint32_t i = 0; i < LANES; i++) {
        if (!s->lane[i].busy) {
            if (s->next >= j->n) continue;
            uint32_t entity = j->order[s->next];
            s->next += s->step;
            s->lane[i] = (lane){entity, j->rows->stream[j->e->stream].start[entity], true};
        }
        if (i != busy) {
            s->lane[busy] = s->lane[i];
            memcpy(state + busy * n, state + i * n, n * sizeof *state);
            s->lane[i].busy = false;
        }
        busy++;
    }
    s->busy = busy;
}

static void fill(share *s)
{
    job *j = s->j;
    const fl_sequences *q = &j->rows->stream[j->e->stream];
    fl_window *w = fl_worker_window(s->k);

    w->lanes = s->busy;
    w->steps = STEPS;
    for (uint32_t t = 0; t < STEPS; t++)
        for (uint32_t i = 0; i < s->busy; i++) {
            size_t at = (size_t)t * s->busy + i;
            lane *l = &s->lane[i];
            w->row[at] = FL_NO_ROW;
            w->previous[at] = FL_NO_ROW;
            w->fresh[at] = 0;
            w->weight[at] = 0;
            s->slice[at] = -1;
            if (l->busy &&
                l->at ==
                    q->start[l->entity + 1]) { /* the next history may begin inside the window */
                l->busy = s->next < j->n;
                if (l->busy) {
                    *l = (lane){j->order[s->next], q->start[j->order[s->next]], true};
                    s->next += s->step;
                }
            }
            if (!l->busy) continue;
            uint64_t position = l->at - q->start[l->entity];
            w->row[at] = q->row[l->at];
            w->fresh[at] = position == 0;
            if (position) w->previous[at] = q->row[l->at - 1];
            s->slice[at] = (int8_t)j->e->slice(j->e->arg, l->entity, position, q->row[l->at]);
            if (s->slice[at] >= 0) w->weight[at] = 1;
            l->at++;
        }
}

static void collect(share *s)
{
    job *j = s->j;
    const fl_window *w = fl_worker_window(s->k);
    size_t N = (size_t)w->lanes * w->steps;
    uint32_t T = j->net->targets;
    uint64_t passed = 0;

    for (size_t i = 0; i < N; i++) {
        if (w->row[i] == FL_NO_ROW) continue;
        passed++;
        if (s->slice[i] < 0) continue;
        s->nats->events[s->slice[i]]++;
        for (uint32_t t = 0; t < T; t++)
            s->nats->nats[s->slice[i]][t] += (double)fl_worker_nats(s->k)[i * T + t];
    }
    atomic_fetch_add(&j->done, passed);
    for (uint32_t i = 0; i < s->busy; i++) {
        lane *l = &s->lane[i];
        if (l->busy && l->at == j->rows->stream[j->e->stream].start[l->entity + 1]) l->busy = false;
    }
    if (!pthread_equal(pthread_self(), j->caller)) return;
    if (j->e->stage) fl_progress(j->e->ctx, j->e->stage, atomic_load(&j->done), j->total);
    if (fl_cancelled(j->e->ctx)) atomic_store(&j->stop, true);
}

static void run_share(void *arg, uint32_t i)
{
    job *j = arg;
    share *s = fl_calloc(1, sizeof *s);
    fl_pass pass = {.stream = j->e->stream, .packs = j->packs};

    if (!s || fl_worker_new(&s->k, j->net, LANES, STEPS, false, NULL)) {
        j->status[i] = FLORIN_ENOMEM;
        free(s);
        return;
    }
    s->j = j;
    s->next = i;
    s->step = SHARES;
    s->nats = &j->nats[i];
    for (refill(s); s->busy && !atomic_load(&j->stop); refill(s)) {
        fill(s);
        fl_worker_pass(s->k, j->net, j->rows, &pass);
        collect(s);
    }
    fl_worker_free(s->k);
    free(s);
}

typedef struct {
    uint64_t length;
    uint32_t entity;
} sized;

static int longest_first(const void *a, const void *b)
{
    const sized *x = a, *y = b;

    if (x->length != y->length) return x->length > y->length ? -1 : 1;
    return x->entity < y->entity ? -1 : 1;
}

static florin_status sort_entities(job *j, florin_error *err)
{
    const fl_sequences *q = &j->rows->stream[j->e->stream];
    sized *list = fl_alloc((size_t)q->entities + 1, sizeof *list);

    j->order = fl_alloc((size_t)q->entities + 1, sizeof *j->order);
    if (!list || !j->order) {
        free(list);
        return fl_fail(err, FLORIN_ENOMEM, "evaluation of %u histories", q->entities);
    }
    for (uint32_t e = 0; e < q->entities; e++) {
        if (j->e->skip && j->e->skip[e]) continue;
        list[j->n++] = (sized){q->start[e + 1] - q->start[e], e};
        j->total += list[j->n - 1].length;
    }
    qsort(list, j->n, sizeof *list, longest_first);
    for (uint32_t i = 0; i < j->n; i++) j->order[i] = list[i].entity;
    free(list);
    return FLORIN_OK;
}

florin_status fl_evaluate(const fl_net *net, const fl_rows *rows, const fl_evaluation *e,
                          fl_nats *out, florin_error *err)
{
    job *j = fl_calloc(1, sizeof *j);
    florin_status st;

    if (!j) return fl_fail(err, FLORIN_ENOMEM, "evaluation");
    *j = (job){.net = net, .rows = rows, .e = e, .caller = pthread_self()};
    st = sort_entities(j, err);
    if (!st) st = fl_packs_new(&j->packs, net, fl_products_get(NULL, false), FL_PACK_HEADS, err);
    if (!st) {
        fl_packs_fill(j->packs, net, 0, 1);
        if (e->stage) fl_progress(e->ctx, e->stage, 0, j->total);
        fl_parallel(e->threads, SHARES, run_share, j);
        if (e->stage && !atomic_load(&j->stop)) fl_progress(e->ctx, e->stage, j->total, j->total);
        for (int i = 0; i < SHARES && !st; i++)
            if (j->status[i]) st = fl_fail(err, j->status[i], "evaluation: out of memory");
    }
    if (!st && atomic_load(&j->stop))
        st = fl_fail(err, FLORIN_ECANCELLED, "stopped during evaluation");
    if (!st) {
        memset(out, 0, sizeof *out);
        for (int i = 0; i < SHARES; i++)
            for (int s = 0; s < FL_SLICES; s++) {
                out->events[s] += j->nats[i].events[s];
                for (uint32_t t = 0; t < net->targets; t++)
                    out->nats[s][t] += j->nats[i].nats[s][t];
            }
    }
    fl_packs_free(j->packs);
    free(j->order);
    free(j);
    return st;
}

int fl_held_out_slice(void *held_out, uint32_t entity, uint64_t position, uint32_t row)
{
    const fl_held_out *h = held_out;

    (void)position;
    if (h->rows->stream[h->stream].unseen[entity]) return FL_UNSEEN;
    return row >= h->rows->train ? FL_LATER : -1;
}

uint64_t fl_held_out_choose(const fl_rows *rows, int stream, uint64_t most, uint8_t *skip)
{
    const fl_sequences *q = &rows->stream[stream];
    uint64_t total = 0, kept = 0;
    fl_held_out held = {rows, stream};

    for (uint32_t e = 0; e < q->entities; e++) {
        uint64_t length = q->start[e + 1] - q->start[e];
        /* Rows ascend, so the last one tells whether any lies in a slice. */
        skip[e] =
            !length || fl_held_out_slice(&held, e, length - 1, q->row[q->start[e + 1] - 1]) < 0;
        if (!skip[e]) total += length;
    }
    double part = total > most ? (double)most / (double)total : 1.0;
    for (uint32_t e = 0; e < q->entities; e++) {
        if (skip[e]) continue;
        skip[e] = (double)(fl_mix64(q->hash[e] ^ 0x63686f6f7365) >> 11) * 0x1p-53 >= part;
        for (uint64_t i = q->start[e]; i < q->start[e + 1] && !skip[e]; i++)
            kept += fl_held_out_slice(&held, e, i - q->start[e], q->row[i]) >= 0;
    }
    return kept;
}
