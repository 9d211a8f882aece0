/* The next-event heads: softmax and cross-entropy of every target from the state before the event, forward and backward
 * in one go over tiles of rows, so that the logits of a step are never all in memory. A factored target costs its
 * clusters (in the dense block) plus the members of the one cluster that holds the answer:
 * p(token) = p(cluster) p(member | cluster) (Goodman 2001, "Classes for fast maximum entropy training"). A gate mixes each
 * prediction with the entity's recent tokens (model/network.h, `copy`).
 * Order: members forward, then clusters, dense targets and gates, then members backward: only then is it known how much
 * of a prediction was the head's.
 * Invariant: sums run over rows in window order, and over clusters in order. */
#include "kernels/train_gemm.h"
#include "train/worker.h"
#include <math.h>

typedef struct {
    fl_worker *k;
    const fl_net *net;
    const fl_rows *rows;
    const fl_net_stream *q;
    int stream;
    bool train;
    uint32_t n;          /* positions with weight */
    const float *states; /* [n][H] */
    float *d_states;
} heads;

static uint32_t token_of(const heads *x, uint32_t target, uint32_t i)
{
    const fl_window *w = &x->k->window;
    uint32_t at = x->k->pick[i];

    return fl_rows_target(x->rows, &x->net->target[target], w->row[at], w->previous[at]);
}

static double log_sigmoid(double x)
{
    return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

/* The head's -log p mixed with the copy: -log((1 - g) p + g share), g = sigmoid(odds). *part: the head's share of the
 * mixture, by which the gradient of its logits shrinks. *odds becomes its own gradient. */
static float mix(float nats, float share, float *odds, float weight, float *part)
{
    double o = (double)*odds, head = log_sigmoid(-o) - (double)nats, all = head;

    if (share > 0) {
        double copy = log_sigmoid(o) + log((double)share), top = copy > head ? copy : head;
        all = top + log(exp(copy - top) + exp(head - top));
    }
    double own = exp(head - all);
    *part = (float)own;
    *odds = weight * (float)(1.0 / (1.0 + exp(-o)) - (1.0 - own));
    return (float)-all;
}

static void dense_row(const heads *x, uint32_t i, float *logits)
{
    const fl_net_stream *q = x->q;
    const fl_train_ops *op = x->net->ops;
    fl_worker *k = x->k;
    uint32_t at = k->pick[i], row = k->window.row[at];
    bool history = k->window.previous[at] != FL_NO_ROW;
    float weight = k->window.weight[at], *nats = k->nats + (size_t)at * k->targets,
          *part = k->part + (size_t)at * k->targets;
    const float *bias = x->net->w + q->dense_b,
                *share = x->rows->stream[x->stream].share + (size_t)row * k->targets;

    for (uint32_t s = 0; s < q->segments; s++) {
        const fl_segment *g = &q->segment[s];
        uint32_t t = g->target, token = token_of(x, t, i);
        float *odds = logits + q->gate + t;
        if (x->net->target[t].group) token /= x->net->target[t].group;
        nats[t] += op->cross_entropy(logits + g->first, bias + g->first, g->size, token, weight);
        part[t] = 1;
        if (!history) {
            *odds = 0;
            continue;
        }
        *odds += bias[q->gate + t];
        nats[t] = mix(nats[t], share[t], odds, weight, &part[t]);
        if (part[t] < 1) op->scale(logits + g->first, part[t], g->size);
    }
}

static void dense(const heads *x)
{
    fl_worker *k = x->k;
    const fl_net_stream *q = x->q;
    size_t H = k->H, V = q->V, tile = k->tile_floats / V;
    const float *w = x->net->w + q->dense_w;

    if (tile < 1) tile = 1;
    for (size_t from = 0; from < x->n; from += tile) {
        size_t rows = x->n - from < tile ? x->n - from : tile;
        fl_sgemm(false, true, rows, V, H, 1, x->states + from * H, H, w, H, 0, k->tile, V);
        for (size_t i = 0; i < rows; i++) dense_row(x, (uint32_t)(from + i), k->tile + i * V);
        if (!x->train) continue;
        fl_sgemm(false, false, rows, H, V, 1, k->tile, V, w, H, 0, x->d_states + from * H, H);
        fl_sgemm(true, false, V, H, rows, 1, k->tile, V, x->states + from * H, H, 1,
                 k->gradient + q->dense_w, H);
        x->net->ops->column_sums(k->gradient + q->dense_b, k->tile, rows, V);
    }
}

/* Positions ordered by the cluster of their token (counting sort, stable). */
static void sort_by_cluster(const heads *x, uint32_t target, uint32_t clusters)
{
    fl_worker *k = x->k;
    uint32_t group = x->net->target[target].group, *at = k->cluster_at;

    memset(at, 0, (clusters + 2) * sizeof *at);
    for (uint32_t i = 0; i < x->n; i++) {
        k->token[i] = token_of(x, target, i);
        at[k->token[i] / group + 2]++;
    }
    for (uint32_t c = 0; c < clusters; c++) at[c + 2] += at[c + 1];
    for (uint32_t i = 0; i < x->n; i++) k->order[at[k->token[i] / group + 1]++] = i;
}

/* The rows order[from, to), all of one cluster. */
typedef struct {
    uint32_t target, from, to;
    size_t first, G; /* its members: tokens first .. first + G - 1 */
    float *logits;   /* [rows][G], for training kept until the cluster's part is known */
    float *gathered; /* [rows][H] */
} cluster;

static void gather(const heads *x, const cluster *c)
{
    size_t H = x->k->H;

    for (uint32_t i = c->from; i < c->to; i++)
        memcpy(c->gathered + (i - c->from) * H, x->states + (size_t)x->k->order[i] * H,
               H * sizeof(float));
}

static void members_forward(const heads *x, const cluster *c)
{
    fl_worker *k = x->k;
    size_t H = k->H;
    const float *w = x->net->w + x->q->member_w[c->target] + c->first * H,
                *b = x->net->w + x->q->member_b[c->target] + c->first;

    gather(x, c);
    fl_sgemm(false, true, c->to - c->from, c->G, H, 1, c->gathered, H, w, H, 0, c->logits, c->G);
    for (uint32_t i = c->from; i < c->to; i++) {
        uint32_t row = k->order[i], at = k->pick[row];
        k->nats[(size_t)at * k->targets + c->target] =
            x->net->ops->cross_entropy(c->logits + (i - c->from) * c->G, b, c->G,
                                       k->token[row] - c->first, k->window.weight[at]);
    }
}

static void members_backward(const heads *x, const cluster *c)
{
    fl_worker *k = x->k;
    size_t H = k->H, rows = c->to - c->from;
    size_t w = x->q->member_w[c->target] + c->first * H, b = x->q->member_b[c->target] + c->first;

    for (uint32_t i = c->from; i < c->to; i++) {
        float part = k->part[(size_t)k->pick[k->order[i]] * k->targets + c->target];
        if (part < 1) x->net->ops->scale(c->logits + (i - c->from) * c->G, part, c->G);
    }
    gather(x, c);
    fl_sgemm(true, false, c->G, H, rows, 1, c->logits, c->G, c->gathered, H, 1, k->gradient + w, H);
    x->net->ops->column_sums(k->gradient + b, c->logits, rows, c->G);
    fl_sgemm(false, false, rows, H, c->G, 1, c->logits, c->G, x->net->w + w, H, 0, c->gathered, H);
    for (size_t i = 0; i < rows; i++)
        x->net->ops->add(x->d_states + (size_t)k->order[c->from + i] * H, c->gathered + i * H, H);
}

/* All clusters of one factored target. kept [n][group]: where training keeps the members' gradients, NULL: nowhere. */
static void factored(const heads *x, uint32_t target, float *kept,
                     void (*run)(const heads *x, const cluster *c))
{
    fl_worker *k = x->k;
    const fl_target *t = &x->net->target[target];
    uint32_t clusters = fl_target_clusters(t),
             most = (uint32_t)(k->tile_floats / (t->group + k->H));

    if (most < 1) most = 1;
    sort_by_cluster(x, target, clusters);
    for (uint32_t c = 0; c < clusters; c++)
        for (uint32_t from = k->cluster_at[c]; from < k->cluster_at[c + 1]; from += most) {
            size_t first = (size_t)c * t->group, left = t->tokens - first;
            cluster piece = {.target = target, .from = from, .first = first};
            piece.to = k->cluster_at[c + 1] - from < most ? k->cluster_at[c + 1] : from + most;
            piece.G = left < t->group ? left : t->group;
            piece.logits = kept ? kept + (size_t)from * t->group : k->tile;
            piece.gathered = k->tile + (size_t)most * t->group;
            run(x, &piece);
        }
}

static void all_factored(const heads *x, void (*run)(const heads *x, const cluster *c))
{
    float *kept = x->train ? x->k->member : NULL;

    for (uint32_t t = 0; t < x->net->targets; t++) {
        if (!x->net->target[t].group) continue;
        factored(x, t, kept, run);
        if (kept) kept += (size_t)x->n * x->net->target[t].group;
    }
}

/* Rows with weight, side by side. */
static void pick_rows(heads *x)
{
    fl_worker *k = x->k;
    size_t N = (size_t)k->window.lanes * k->window.steps, H = k->H;

    for (uint32_t i = 0; i < N; i++)
        if (k->window.weight[i] > 0) k->pick[x->n++] = i;
    if (x->n == N) {
        x->states = k->before;
        x->d_states = k->d_before;
        return;
    }
    for (uint32_t i = 0; i < x->n; i++)
        memcpy(k->picked + (size_t)i * H, k->before + (size_t)k->pick[i] * H, H * sizeof(float));
    x->states = k->picked;
    x->d_states = k->d_picked;
}

void fl_worker_heads(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    heads x = {.k = k,
               .net = net,
               .rows = rows,
               .q = &net->stream[pass->stream],
               .stream = pass->stream,
               .train = pass->train};
    size_t N = (size_t)k->window.lanes * k->window.steps, H = k->H;

    pick_rows(&x);
    memset(k->nats, 0, N * k->targets * sizeof(float));
    all_factored(&x, members_forward);
    dense(&x);
    if (pass->train) all_factored(&x, members_backward);
    if (!pass->train || x.n == N) return;
    memset(k->d_before, 0, N * H * sizeof(float));
    for (uint32_t i = 0; i < x.n; i++)
        memcpy(k->d_before + (size_t)k->pick[i] * H, k->d_picked + (size_t)i * H,
               H * sizeof(float));
}
