/* The next-event heads: softmax and cross-entropy of every target from the state before the event. Loss and gradient
 * of a tile of rows are made in one pass while its logits are in the cache: no logit is computed twice, and of whole
 * targets none is kept. A factored target costs its clusters plus the members of the one cluster that holds the answer:
 * p(token) = p(cluster) p(member | cluster) (Goodman 2001, "Classes for fast maximum entropy training"). A gate mixes each
 * prediction with the entity's recent tokens (model/network.h, `copy`).
 * Order: logits of clusters and gates of all rows; whole targets; members of each cluster; last the clusters' and gates'
 * gradients, because only then is it known how much of a prediction was the head's.
 * Invariant: sums run over rows in window order, and over clusters in order. */
#include "train/worker.h"
#include <math.h>

typedef struct {
    fl_worker *k;
    const fl_net *net;
    const fl_rows *rows;
    const fl_net_stream *q;
    const fl_products *products;
    const fl_pack *panel; /* [panels] */
    int stream;
    bool train;
    uint32_t n;          /* positions with weight */
    size_t K;            /* columns that are kept: the first panel's */
    const float *states; /* [n][H] */
    float *d_states;
} heads;

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

/* Row i's prediction of target t is complete but for the copy: mixes it in, leaves the gate's gradient in its place, and
 * returns the head's share. */
static float mix_copy(const heads *x, uint32_t i, uint32_t t)
{
    fl_worker *k = x->k;
    uint32_t at = k->pick[i], row = k->window.row[at];
    float *odds = k->kept + i * x->K + x->q->gate + t,
          *nats = k->nats + (size_t)at * k->targets + t, part = 1;

    if (k->window.previous[at] == FL_NO_ROW) { /* no history, nothing to copy */
        *odds = 0;
        return 1;
    }
    *odds += x->net->w[x->q->dense_b + x->q->gate + t];
    *nats = mix(*nats, x->rows->stream[x->stream].share[(size_t)row * k->targets + t], odds,
                k->window.weight[at], &part);
    return part;
}

/* ---- whole targets ---- */

static void plain_row(const heads *x, const fl_panel *p, uint32_t i, float *logits)
{
    fl_worker *k = x->k;
    const fl_train_ops *op = x->net->ops;
    uint32_t at = k->pick[i];

    for (uint32_t s = p->from; s < p->to; s++) {
        const fl_segment *g = &x->q->segment[s];
        float *own = logits + g->first - p->first;
        size_t bias = x->q->dense_b + g->first, token = k->token[g->target * x->n + i];
        float total;
        k->nats[(size_t)at * k->targets + g->target] =
            op->softmax(own, x->net->w + bias, g->size, token, &total);
        float part = mix_copy(x, i, g->target);
        if (!x->train) continue;
        op->softmax_back(own, k->gradient + bias, g->size, token, part * k->window.weight[at],
                         total);
    }
}

static void plain_panel(const heads *x, uint32_t index)
{
    fl_worker *k = x->k;
    const fl_panel *p = &x->q->panel[index];
    const fl_pack *w = &x->panel[index];
    const fl_products *op = x->products;
    size_t H = k->H, stride = fl_tile_stride(p->columns), most = fl_tile_rows(p->columns);

    for (size_t from = 0; from < x->n; from += most) {
        size_t rows = x->n - from < most ? x->n - from : most;
        const float *states = x->states + from * H;
        op->product(k->tile, stride, states, H, rows, &w->forward, false, k->scratch);
        for (size_t i = 0; i < rows; i++)
            plain_row(x, p, (uint32_t)(from + i), k->tile + i * stride);
        if (!x->train) continue;
        op->product(x->d_states + from * H, H, k->tile, stride, rows, &w->backward, true,
                    k->scratch);
        op->outer(k->gradient + x->q->dense_w + p->first * H, H, k->tile, stride, p->columns,
                  states, H, H, rows, k->scratch);
    }
}

/* ---- members of clusters ---- */

/* Positions ordered by the cluster of their token (counting sort, stable). */
static void sort_by_cluster(const heads *x, const uint32_t *token, uint32_t group,
                            uint32_t clusters)
{
    uint32_t *at = x->k->cluster_at;

    memset(at, 0, (clusters + 2) * sizeof *at);
    for (uint32_t i = 0; i < x->n; i++) at[token[i] / group + 2]++;
    for (uint32_t c = 0; c < clusters; c++) at[c + 2] += at[c + 1];
    for (uint32_t i = 0; i < x->n; i++) x->k->order[at[token[i] / group + 1]++] = i;
}

/* The rows order[from, from + rows), all of one cluster. */
typedef struct {
    uint32_t target;
    const uint32_t *order;
    size_t rows, first, G; /* its members: tokens first .. first + G - 1 */
} cluster;

/* C = A B, B [k][n] packed on the spot, a slice of columns at a time if it is large. */
static void product_of(const heads *x, float *c, size_t ldc, const float *a, size_t lda,
                       size_t rows, const float *b, size_t ldb, bool turned, size_t k, size_t n)
{
    size_t most = FL_PRODUCT_PACKED / fl_product_bytes(k, FL_PRODUCT_COLUMNS) * FL_PRODUCT_COLUMNS;

    for (size_t at = 0; at < n; at += most)
        fl_product_of(x->products, c + at, ldc, a, lda, rows, b + (turned ? at * ldb : at), ldb,
                      turned, k, n - at < most ? n - at : most, false, x->k->scratch);
}

static void members(const heads *x, const cluster *c)
{
    fl_worker *k = x->k;
    const fl_train_ops *op = x->net->ops;
    size_t H = k->H, stride = fl_tile_stride(c->G);
    size_t w = x->q->member_w[c->target] + c->first * H, b = x->q->member_b[c->target] + c->first;
    float *gathered = k->gathered, *d = k->gathered + (size_t)FL_PRODUCT_TILE * H;

    for (size_t i = 0; i < c->rows; i++)
        memcpy(gathered + i * H, x->states + (size_t)c->order[i] * H, H * sizeof(float));
    product_of(x, k->tile, stride, gathered, H, c->rows, x->net->w + w, H, true, H, c->G);
    for (size_t i = 0; i < c->rows; i++) {
        uint32_t row = c->order[i], at = k->pick[row];
        size_t token = k->token[c->target * x->n + row] - c->first;
        float *logits = k->tile + i * stride, total;
        k->nats[(size_t)at * k->targets + c->target] +=
            op->softmax(logits, x->net->w + b, c->G, token, &total);
        float part = mix_copy(x, row, c->target);
        k->part[(size_t)row * k->targets + c->target] = part;
        if (!x->train) continue;
        op->softmax_back(logits, k->gradient + b, c->G, token, part * k->window.weight[at], total);
    }
    if (!x->train) return;
    x->products->outer(k->gradient + w, H, k->tile, stride, c->G, gathered, H, H, c->rows,
                       k->scratch);
    product_of(x, d, H, k->tile, stride, c->rows, x->net->w + w, H, false, c->G, H);
    for (size_t i = 0; i < c->rows; i++)
        op->add(x->d_states + (size_t)c->order[i] * H, d + i * H, H);
}

static void all_members(const heads *x, uint32_t target)
{
    fl_worker *k = x->k;
    const fl_target *t = &x->net->target[target];
    uint32_t clusters = fl_target_clusters(t);
    size_t most = fl_tile_rows(t->group);

    sort_by_cluster(x, k->token + (size_t)target * x->n, t->group, clusters);
    for (uint32_t c = 0; c < clusters; c++)
        for (size_t from = k->cluster_at[c], to = k->cluster_at[c + 1]; from < to; from += most) {
            size_t first = (size_t)c * t->group, left = t->tokens - first;
            cluster piece = {.target = target,
                             .order = k->order + from,
                             .rows = to - from < most ? to - from : most,
                             .first = first,
                             .G = left < t->group ? left : t->group};
            members(x, &piece);
        }
}

/* ---- clusters and gates ---- */

static void clusters_forward(const heads *x)
{
    fl_worker *k = x->k;
    const fl_panel *p = &x->q->panel[0];

    x->products->product(k->kept, x->K, x->states, k->H, x->n, &x->panel[0].forward, false,
                         k->scratch);
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t s = p->from; s < p->to; s++) {
            const fl_segment *g = &x->q->segment[s];
            uint32_t at = k->pick[i], group = x->net->target[g->target].group;
            k->nats[(size_t)at * k->targets + g->target] = x->net->ops->softmax(
                k->kept + i * x->K + g->first, x->net->w + x->q->dense_b + g->first, g->size,
                k->token[g->target * x->n + i] / group, &k->total[i * k->targets + g->target]);
        }
}

static void clusters_backward(const heads *x)
{
    fl_worker *k = x->k;
    const fl_panel *p = &x->q->panel[0];
    size_t H = k->H;

    for (uint32_t i = 0; i < x->n; i++) {
        float *row = k->kept + i * x->K, *d_bias = k->gradient + x->q->dense_b;
        for (uint32_t s = p->from; s < p->to; s++) {
            const fl_segment *g = &x->q->segment[s];
            size_t at = (size_t)i * k->targets + g->target;
            x->net->ops->softmax_back(row + g->first, d_bias + g->first, g->size,
                                      k->token[g->target * x->n + i] /
                                          x->net->target[g->target].group,
                                      k->part[at] * k->window.weight[k->pick[i]], k->total[at]);
        }
        x->net->ops->add(d_bias + x->q->gate, row + x->q->gate, k->targets);
    }
    x->products->product(x->d_states, H, k->kept, x->K, x->n, &x->panel[0].backward, true,
                         k->scratch);
    x->products->outer(k->gradient + x->q->dense_w, H, k->kept, x->K, x->K, x->states, H, H, x->n,
                       k->scratch);
}

/* ---- all ---- */

/* Rows with weight, side by side, and what they should predict. */
static void pick_rows(heads *x)
{
    fl_worker *k = x->k;
    const fl_window *w = &k->window;
    size_t N = (size_t)w->lanes * w->steps, H = k->H;

    for (uint32_t i = 0; i < N; i++)
        if (w->weight[i] > 0) k->pick[x->n++] = i;
    for (uint32_t t = 0; t < k->targets; t++)
        for (uint32_t i = 0; i < x->n; i++)
            k->token[t * x->n + i] = fl_rows_target(x->rows, &x->net->target[t], w->row[k->pick[i]],
                                                    w->previous[k->pick[i]]);
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
               .products = pass->packs->products,
               .panel = pass->packs->panel[pass->stream],
               .stream = pass->stream,
               .train = pass->train};
    size_t N = (size_t)k->window.lanes * k->window.steps, H = k->H;

    x.K = x.q->panel[0].columns;
    if (x.train) memset(k->gradient + x.q->dense_w, 0, (x.q->to - x.q->dense_w) * sizeof(float));
    pick_rows(&x);
    memset(k->nats, 0, N * k->targets * sizeof(float));
    if (x.train) memset(x.d_states, 0, x.n * H * sizeof(float));
    clusters_forward(&x);
    for (uint32_t i = 1; i < x.q->panels; i++) plain_panel(&x, i);
    for (uint32_t t = 0; t < net->targets; t++)
        if (net->target[t].group) all_members(&x, t);
    if (!x.train) return;
    clusters_backward(&x);
    if (x.n == N) return;
    memset(k->d_before, 0, N * H * sizeof(float));
    for (uint32_t i = 0; i < x.n; i++)
        memcpy(k->d_before + (size_t)k->pick[i] * H, k->d_picked + (size_t)i * H,
               H * sizeof(float));
}
