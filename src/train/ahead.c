/* Owns what the next K events of an entity hold, and the heads that predict it: loss and gradient. The heads serve
 * training alone: a model file has none. Invariant: no event that may not be trained on is looked at. */
#include "train/ahead.h"
#include "train/worker.h"
#include <math.h>

enum { LOOKS = 100000 }; /* positions for means and biases */

typedef struct {
    uint64_t bag[FL_TARGETS_MAX]; /* a bit a value */
    double sum, time;             /* as logarithms */
} future;

/* ---- what comes ---- */

static uint32_t bin_of(const fl_net *net, uint32_t t, uint32_t token)
{
    uint32_t last = net->ahead_at[t + 1] - net->ahead_at[t] - 1;

    return token < last ? token : last;
}

/* The amount in major units: the first of a row's number inputs holds its logarithm. */
static double amount_of(const fl_rows *rows, const fl_network *n, uint32_t row)
{
    double x = (double)rows->number[(size_t)row * rows->numbers] / FL_FIXED_ONE;

    if (!rows->small[row].amount) return 0; /* none */
    x = x * (double)n->log_amount_scale + (double)n->log_amount_mean;
    return x < 0 ? -expm1(-x) : expm1(x);
}

/* False: fewer than K events are known. */
static bool look(const fl_ahead *a, const fl_rows *rows, const fl_net *net, int stream,
                 uint32_t row, future *out)
{
    double sum = 0;
    uint32_t at = row;

    memset(out, 0, sizeof *out);
    for (uint32_t k = 0; k < a->events; k++) {
        at = a->next[stream][at];
        if (at == FL_NO_ROW) return false;
        for (uint32_t t = 0; t < net->targets; t++)
            if (net->ahead_at[t + 1] > net->ahead_at[t])
                out->bag[t] |= (uint64_t)1
                               << bin_of(net, t, fl_rows_target(rows, &net->target[t], at, row));
        sum += amount_of(rows, net->network, at);
    }
    out->sum = (double)fl_squash((float)sum);
    out->time = (double)fl_squash((float)((double)(rows->time_us[at] - rows->time_us[row]) * 1e-6));
    return true;
}

/* ---- set-up ---- */

static void link_rows(uint32_t *next, const fl_rows *rows, const fl_sequences *q)
{
    for (uint32_t r = 0; r < rows->count; r++) next[r] = FL_NO_ROW;
    for (uint32_t e = 0; e < q->entities; e++)
        for (uint64_t i = q->start[e] + 1; i < q->start[e + 1] && !q->unseen[e]; i++)
            if (q->row[i] < rows->train) next[q->row[i - 1]] = q->row[i];
}

/* Means, scales and shares over a sample. */
static void measure(fl_ahead *a, const fl_rows *rows, const fl_net *net, int stream)
{
    uint32_t stride = rows->train / LOOKS + 1;
    double *share = a->share[stream], sum[2] = {0}, square[2] = {0}, n = 0;
    future f;

    for (uint32_t r = 0; r < rows->train; r += stride) {
        if (!look(a, rows, net, stream, r, &f)) continue;
        const double y[2] = {f.sum, f.time};
        for (uint32_t t = 0; t < net->targets; t++)
            for (uint32_t c = net->ahead_at[t]; c < net->ahead_at[t + 1]; c++)
                share[c] += (double)(f.bag[t] >> (c - net->ahead_at[t]) & 1);
        for (int i = 0; i < 2; i++) {
            sum[i] += y[i];
            square[i] += y[i] * y[i];
        }
        n++;
    }
    a->positions[stream] = (uint64_t)n;
    for (uint32_t c = 0; c + 2 < net->ahead; c++) share[c] = (share[c] + .5) / (n + 1);
    for (int i = 0; i < 2; i++) {
        double mean = n > 0 ? sum[i] / n : 0, variance = n > 0 ? square[i] / n - mean * mean : 0;
        a->mean[stream][i] = mean;
        a->scale[stream][i] = variance > 1e-8 ? sqrt(variance) : 1;
    }
}

florin_status fl_ahead_new(fl_ahead **out, const fl_rows *rows, const fl_net *net, uint32_t events,
                           florin_error *err)
{
    fl_ahead *a = fl_calloc(1, sizeof *a);
    uint64_t positions = 0;

    *out = NULL;
    if (!a) return fl_fail(err, FLORIN_ENOMEM, "several events ahead");
    a->events = events;
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->network->stream[s]) continue;
        a->next[s] = fl_alloc((size_t)rows->count + 1, sizeof *a->next[s]);
        a->share[s] = fl_calloc(net->ahead + 1, sizeof *a->share[s]);
        if (!a->next[s] || !a->share[s]) {
            fl_ahead_free(a);
            return fl_fail(err, FLORIN_ENOMEM, "several events ahead of %u rows", rows->count);
        }
        link_rows(a->next[s], rows, &rows->stream[s]);
        measure(a, rows, net, s);
        positions += a->positions[s];
    }
    if (!positions) {
        fl_ahead_free(a);
        return fl_fail(err, FLORIN_EINPUT,
                       "--ahead %u: no history that is trained on has more than %u events; take a "
                       "smaller number or leave it out",
                       events, events);
    }
    *out = a;
    return FLORIN_OK;
}

void fl_ahead_free(fl_ahead *a)
{
    if (!a) return;
    for (int s = 0; s < FL_STREAMS; s++) {
        free(a->next[s]);
        free(a->share[s]);
    }
    free(a);
}

void fl_ahead_bias(const fl_ahead *a, fl_net *net, int stream)
{
    float *bias = net->w + net->stream[stream].ahead_b;

    for (uint32_t c = 0; c + 2 < net->ahead; c++) {
        double p = a->share[stream][c];
        bias[c] = (float)log(p / (1 - p));
    }
}

/* ---- heads ---- */

/* Half the square of the error of a standardised value; x becomes its gradient. */
static double regress(float *x, double y, double weight)
{
    double held = y < -4 ? -4 : y > 4 ? 4 : y, miss = (double)*x - held;

    *x = (float)(weight * miss);
    return weight * miss * miss / 2;
}

/* One row's loss; its outputs become their gradients. */
static double row_loss(const fl_net *net, const fl_ahead *a, int stream, const future *f, float *x,
                       double weight)
{
    double loss = 0;
    uint32_t last = net->ahead - 2;

    for (uint32_t t = 0; t < net->targets; t++)
        for (uint32_t c = net->ahead_at[t]; c < net->ahead_at[t + 1]; c++) {
            float z = x[c], e = expf(-fabsf(z)),
                  y = (float)(f->bag[t] >> (c - net->ahead_at[t]) & 1);
            loss += weight * (double)(log1pf(e) + (z > 0 ? z : 0) - y * z);
            x[c] = (float)weight * ((z > 0 ? 1 : e) / (1 + e) - y);
        }
    loss += regress(x + last, (f->sum - a->mean[stream][0]) / a->scale[stream][0], weight);
    loss += regress(x + last + 1, (f->time - a->mean[stream][1]) / a->scale[stream][1], weight);
    return loss;
}

/* Loss and gradients of rows [from, from + n) of the window, whose outputs are in the tile. */
static void tile(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass,
                 size_t from, size_t n)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    size_t stride = fl_tile_stride(net->ahead);
    future f;

    for (size_t i = 0; i < n; i++) {
        float *x = k->tile + i * stride, weight = k->window.weight[from + i];
        uint32_t row = k->window.row[from + i];
        if (!(weight > 0) || row == FL_NO_ROW ||
            !look(pass->ahead, rows, net, pass->stream, row, &f)) {
            memset(x, 0, net->ahead * sizeof *x);
            continue;
        }
        net->ops->add(x, net->w + q->ahead_b, net->ahead);
        k->ahead_loss +=
            row_loss(net, pass->ahead, pass->stream, &f, x, (double)(pass->ahead_weight * weight));
        if (pass->train) net->ops->add(k->gradient + q->ahead_b, x, net->ahead);
    }
}

void fl_worker_ahead(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    const fl_pack *w = &pass->packs->ahead[pass->stream];
    const fl_products *op = pass->packs->products;
    size_t N = (size_t)k->window.lanes * k->window.steps, H = k->H, A = net->ahead,
           stride = fl_tile_stride(net->ahead), most = fl_tile_rows(net->ahead);

    k->ahead_loss = 0;
    for (size_t from = 0; from < N; from += most) {
        size_t n = N - from < most ? N - from : most;
        const float *states = k->after + from * H;
        op->product(k->tile, stride, states, H, n, &w->forward, false, k->scratch);
        tile(k, net, rows, pass, from, n);
        if (!pass->train) continue;
        op->product(k->d_state + from * H, H, k->tile, stride, n, &w->backward, true, k->scratch);
        op->outer(k->gradient + q->ahead_w, H, k->tile, stride, A, states, H, H, n, k->scratch);
    }
}

double fl_worker_ahead_loss(const fl_worker *k)
{
    return k->ahead_loss;
}
