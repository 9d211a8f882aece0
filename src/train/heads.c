/* The next-event heads: softmax and cross-entropy of every target from the state before the event, forward and backward
 * in one go over tiles of rows, so that the logits of a step are never all in memory. A factored target costs its
 * clusters (in the dense block) plus the members of the one cluster that holds the answer:
 * p(token) = p(cluster) p(member | cluster) (Goodman 2001, "Classes for fast maximum entropy training").
 * Invariant: sums run over rows in window order, and over clusters in order. */
#include "kernels/train_gemm.h"
#include "train/worker.h"

typedef struct {
    fl_worker *k;
    const fl_net *net;
    const fl_rows *rows;
    const fl_net_stream *q;
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

static void dense_row(const heads *x, uint32_t i, float *logits)
{
    const fl_net_stream *q = x->q;
    uint32_t at = x->k->pick[i];

    for (uint32_t s = 0; s < q->segments; s++) {
        const fl_segment *g = &q->segment[s];
        const fl_target *t = &x->net->target[g->target];
        uint32_t token = token_of(x, g->target, i);
        if (t->group) token /= t->group;
        x->k->nats[(size_t)at * x->k->targets + g->target] =
            x->net->ops->cross_entropy(logits + g->first, x->net->w + q->dense_b + g->first,
                                       g->size, token, x->k->window.weight[at]);
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

/* Members of one cluster for the rows order[from, to). Gathered states lie in `numbers`, whose content the heads do
 * not need any more in a forward pass; backwards needs it, so a tile of its own is used. */
static void members(const heads *x, uint32_t target, uint32_t cluster, uint32_t from, uint32_t to,
                    float *logits, float *gathered)
{
    fl_worker *k = x->k;
    const fl_target *t = &x->net->target[target];
    size_t H = k->H, rows = to - from, first = (size_t)cluster * t->group;
    size_t G = t->tokens - first < t->group ? t->tokens - first : t->group;
    size_t w = x->q->member_w[target] + first * H, b = x->q->member_b[target] + first;

    for (size_t i = 0; i < rows; i++)
        memcpy(gathered + i * H, x->states + (size_t)k->order[from + i] * H, H * sizeof(float));
    fl_sgemm(false, true, rows, G, H, 1, gathered, H, x->net->w + w, H, 0, logits, G);
    for (size_t i = 0; i < rows; i++) {
        uint32_t row = k->order[from + i], at = k->pick[row];
        k->nats[(size_t)at * k->targets + target] += x->net->ops->cross_entropy(
            logits + i * G, x->net->w + b, G, k->token[row] - first, k->window.weight[at]);
    }
    if (!x->train) return;
    fl_sgemm(true, false, G, H, rows, 1, logits, G, gathered, H, 1, k->gradient + w, H);
    x->net->ops->column_sums(k->gradient + b, logits, rows, G);
    fl_sgemm(false, false, rows, H, G, 1, logits, G, x->net->w + w, H, 0, gathered, H);
    for (size_t i = 0; i < rows; i++)
        x->net->ops->add(x->d_states + (size_t)k->order[from + i] * H, gathered + i * H, H);
}

static void factored(const heads *x, uint32_t target)
{
    fl_worker *k = x->k;
    const fl_target *t = &x->net->target[target];
    uint32_t clusters = fl_target_clusters(t),
             most = (uint32_t)(k->tile_floats / (t->group + k->H));

    if (most < 1) most = 1;
    sort_by_cluster(x, target, clusters);
    for (uint32_t c = 0; c < clusters; c++)
        for (uint32_t from = k->cluster_at[c]; from < k->cluster_at[c + 1]; from += most) {
            uint32_t to = k->cluster_at[c + 1] - from < most ? k->cluster_at[c + 1] : from + most;
            members(x, target, c, from, to, k->tile, k->tile + (size_t)most * t->group);
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
    heads x = {
        .k = k, .net = net, .rows = rows, .q = &net->stream[pass->stream], .train = pass->train};
    size_t N = (size_t)k->window.lanes * k->window.steps, H = k->H;

    pick_rows(&x);
    memset(k->nats, 0, N * k->targets * sizeof(float));
    dense(&x);
    for (uint32_t t = 0; t < net->targets; t++)
        if (net->target[t].group) factored(&x, t);
    if (!pass->train || x.n == N) return;
    memset(k->d_before, 0, N * H * sizeof(float));
    for (uint32_t i = 0; i < x.n; i++)
        memcpy(k->d_before + (size_t)k->pick[i] * H, k->d_picked + (size_t)i * H,
               H * sizeof(float));
}
