/* AdamW with clipping by the global norm. Invariant: gradients are added and squared in fixed blocks and in order, so
 * the bytes of a step do not depend on the number of threads. */
#include "train/net.h"
#include <math.h>

enum { BLOCK = 1 << 15 };

typedef struct {
    fl_optimiser *o;
    fl_net *net;
    fl_worker *const *worker;
    uint32_t workers;
    size_t from, to;
    double *square; /* [blocks] */
    fl_adam adam;
} update;

static void sum_block(void *arg, uint32_t i)
{
    update *u = arg;
    size_t from = u->from + (size_t)i * BLOCK, n = u->to - from < BLOCK ? u->to - from : BLOCK;
    float *g = fl_worker_gradient(u->worker[0]) + from;

    for (uint32_t k = 1; k < u->workers; k++)
        u->net->ops->add(g, fl_worker_gradient(u->worker[k]) + from, n);
    u->square[i] = u->net->ops->squares(g, n);
}

/* The parameters that overlap block i; those with decay and those without differ. */
static void apply_block(void *arg, uint32_t i)
{
    update *u = arg;
    size_t from = u->from + (size_t)i * BLOCK, to = u->to - from < BLOCK ? u->to : from + BLOCK;
    const fl_net *net = u->net;

    for (uint32_t p = 0; p < net->parameters; p++) {
        size_t a = net->offset[p], b = a + net->list[p].rows * net->list[p].cols;
        if (a < from) a = from;
        if (b > to) b = to;
        if (a >= b) continue;
        fl_adam adam = u->adam;
        if (!net->list[p].decay) adam.decay = 1.0f;
        net->ops->adam(net->w + a, u->o->m + a, u->o->v + a, fl_worker_gradient(u->worker[0]) + a,
                       b - a, &adam);
    }
}

double fl_optimiser_step(fl_optimiser *o, fl_net *net, fl_worker *const *worker, uint32_t workers,
                         size_t from, size_t to)
{
    uint32_t blocks = (uint32_t)((to - from + BLOCK - 1) / BLOCK);
    update u = {.o = o, .net = net, .worker = worker, .workers = workers, .from = from, .to = to};
    double norm = 0;

    u.square = fl_calloc(blocks, sizeof *u.square);
    if (!u.square) return NAN;
    fl_parallel(o->threads, blocks, sum_block, &u);
    for (uint32_t i = 0; i < blocks; i++) norm += u.square[i];
    norm = sqrt(norm);
    free(u.square);
    if (!isfinite(norm)) return norm;
    o->steps++;
    u.adam = (fl_adam){.rate = (float)o->rate,
                       .beta1 = 0.9f,
                       .beta2 = 0.999f,
                       .epsilon = 1e-8f,
                       .decay = (float)(1.0 - o->rate * o->decay),
                       .correct1 = (float)(1.0 / (1.0 - pow(0.9, (double)o->steps))),
                       .correct2 = (float)(1.0 / (1.0 - pow(0.999, (double)o->steps))),
                       .scale = norm > o->clip ? (float)(o->clip / norm) : 1.0f};
    fl_parallel(o->threads, blocks, apply_block, &u);
    return norm;
}
