/* AdamW with clipping by the global norm. Invariant: gradients are added and squared in fixed blocks and in order, so
 * the bytes of a step do not depend on the number of threads. */
#include "train/net.h"
#include <math.h>

enum {
    BLOCK = 1 << 14
}; /* floats: what the sum of a block leaves in the cache is little beside it */

/* Parameters that the same workers have gradients of; the first of them takes the sum. */
typedef struct {
    size_t from, to;
    fl_worker *const *worker;
    uint32_t workers, blocks;
} range;

typedef struct {
    fl_optimiser *o;
    fl_net *net;
    range range[1 + FL_STREAMS];
    uint32_t ranges, blocks;
    double norm; /* thread 0's */
} update;

static void add_range(update *u, size_t from, size_t to, fl_worker *const *worker, uint32_t workers)
{
    uint32_t blocks = (uint32_t)((to - from + BLOCK - 1) / BLOCK);

    u->range[u->ranges++] = (range){from, to, worker, workers, blocks};
    u->blocks += blocks;
}

/* [from, to) of block i. */
static const range *range_of(const update *u, uint32_t i, size_t *from, size_t *to)
{
    const range *r = u->range;

    for (; i >= r->blocks; r++) i -= r->blocks;
    *from = r->from + (size_t)i * BLOCK;
    *to = r->to - *from < BLOCK ? r->to : *from + BLOCK;
    return r;
}

static void sum_block(const update *u, uint32_t i)
{
    size_t from, to;
    const range *r = range_of(u, i, &from, &to);
    float *g = fl_worker_gradient(r->worker[0]) + from;

    for (uint32_t k = 1; k < r->workers; k++)
        u->net->ops->add(g, fl_worker_gradient(r->worker[k]) + from, to - from);
    u->o->square[i] = u->net->ops->squares(g, to - from);
}

/* The parameters that overlap block i; those with decay and those without differ. */
static void apply_block(const update *u, uint32_t i, const fl_adam *a)
{
    size_t from, to;
    const range *r = range_of(u, i, &from, &to);
    const fl_net *net = u->net;

    for (uint32_t p = 0; p < net->parameters; p++) {
        size_t low = net->offset[p], high = low + net->list[p].rows * net->list[p].cols;
        if (low < from) low = from;
        if (high > to) high = to;
        if (low >= high || net->fixed[p]) continue;
        fl_adam adam = *a;
        if (!net->list[p].decay) adam.decay = 1.0f;
        net->ops->adam(net->w + low, u->o->m + low, u->o->v + low,
                       fl_worker_gradient(r->worker[0]) + low, high - low, &adam);
    }
}

static fl_adam settings(const fl_optimiser *o, uint64_t step, double norm)
{
    return (fl_adam){.rate = (float)o->rate,
                     .beta1 = 0.9f,
                     .beta2 = 0.999f,
                     .epsilon = 1e-8f,
                     .decay = (float)(1.0 - o->rate * o->decay),
                     .correct1 = (float)(1.0 / (1.0 - pow(0.9, (double)step))),
                     .correct2 = (float)(1.0 / (1.0 - pow(0.999, (double)step))),
                     .scale = norm > o->clip ? (float)(o->clip / norm) : 1.0f};
}

static void run(void *arg, uint32_t thread)
{
    update *u = arg;
    uint32_t threads = fl_team_size(u->o->team);
    double norm = 0;

    for (uint32_t i = thread; i < u->blocks; i += threads) sum_block(u, i);
    fl_team_meet(u->o->team);
    for (uint32_t i = 0; i < u->blocks; i++) norm += u->o->square[i];
    norm = sqrt(norm);
    if (!thread) u->norm = norm;
    if (!isfinite(norm)) return;
    fl_adam adam = settings(u->o, u->o->steps + 1, norm);
    for (uint32_t i = thread; i < u->blocks; i += threads) apply_block(u, i, &adam);
}

double fl_optimiser_step(fl_optimiser *o, fl_net *net, fl_worker *const *worker, uint32_t workers)
{
    update u = {.o = o, .net = net};
    uint32_t streams = 0;

    for (int s = 0; s < FL_STREAMS; s++) streams += net->network->stream[s];
    add_range(&u, 0, net->shared_to, worker, workers);
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->network->stream[s]) continue;
        add_range(&u, net->stream[s].from, net->stream[s].to, worker, workers / streams);
        worker += workers / streams;
    }
    fl_team_run(o->team, run, &u);
    if (isfinite(u.norm)) o->steps++;
    return u.norm;
}

florin_status fl_optimiser_new(fl_optimiser *o, const fl_net *net, fl_team *team, florin_error *err)
{
    *o =
        (fl_optimiser){.m = fl_alloc_aligned(net->total, sizeof(float)),
                       .v = fl_alloc_aligned(net->total, sizeof(float)),
                       .square = fl_calloc(net->total / BLOCK + 1 + FL_STREAMS + 1, sizeof(double)),
                       .team = team};
    if (!o->m || !o->v || !o->square)
        return fl_fail(err, FLORIN_ENOMEM, "%zu parameters", net->total);
    return FLORIN_OK;
}

void fl_optimiser_free(fl_optimiser *o)
{
    free(o->m);
    free(o->v);
    free(o->square);
    *o = (fl_optimiser){0};
}

void fl_optimiser_reset(fl_optimiser *o, const fl_net *net)
{
    memset(o->m, 0, net->total * sizeof(float));
    memset(o->v, 0, net->total * sizeof(float));
    o->steps = 0;
}
