/* Backpropagation through a window, truncated at its start: from the heads' gradient of the states through the backbone
 * to the stream's inputs and the encoder. Equations: derivatives of those in model/network.h.
 * Invariant: no gradient passes a fresh start or the window's start. Windows with gradients have no empty position. */
#include "train/backbone.h"

static void stream_inputs(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D;
    float *g = k->gradient;

    for (size_t i = 0; i < N; i++) {
        uint32_t row = k->window.row[i], previous = k->window.previous[i];
        bool first = previous == FL_NO_ROW;
        int64_t dt = first ? 0 : rows->time_us[row] - rows->time_us[previous];
        net->ops->add(g + q->dt_table + fl_dt_token(dt, first) * D, k->d_input + i * D, D);
        net->ops->axpy(g + q->dt_w, fl_dt_number(dt, first), k->d_input + i * D, D);
    }
}

static void scatter_row(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass,
                        uint32_t i, uint32_t row)
{
    const fl_train_ops *op = net->ops;
    const fl_small_tokens *s = &rows->small[row];
    const float *d = k->d_encoded + (size_t)i * k->D;
    float *g = k->gradient;
    size_t D = k->D;

    op->add(g + net->num_b, d, D);
    for (uint32_t f = 0; f < rows->categories; f++) {
        uint32_t token = rows->category[(size_t)row * rows->categories + f];
        if (fl_field_lost(pass, row, f)) token = FL_TOKEN_UNKNOWN;
        op->add(g + net->category[f] + token * D, d, D);
    }
    op->add(g + net->type + s->type * D, d, D);
    op->add(g + net->amount + s->amount * D, d, D);
    op->add(g + net->hour + s->hour * D, d, D);
    op->add(g + net->weekday + s->weekday * D, d, D);
    op->add(g + net->day + s->day * D, d, D);
}

static void encoder(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D;
    const fl_packs *packs = pass->packs;
    const fl_products *p = packs->products;
    float *g = k->gradient;

    net->ops->column_sums(g + net->b2, k->d_input, N, D);
    p->outer(g + net->w2, D, k->hidden, 2 * D, 2 * D, k->d_input, D, D, N, k->scratch);
    p->product(k->d_hidden, 2 * D, k->d_input, D, N, &packs->mlp2.backward, false, k->scratch);
    net->ops->relu_back(k->d_hidden, k->hidden, N * 2 * D);
    net->ops->column_sums(g + net->b1, k->d_hidden, N, 2 * D);
    p->outer(g + net->w1, 2 * D, k->encoded, D, D, k->d_hidden, 2 * D, 2 * D, N, k->scratch);
    memcpy(k->d_encoded, k->d_input, N * D * sizeof(float));
    p->product(k->d_encoded, D, k->d_hidden, 2 * D, N, &packs->mlp1.backward, true, k->scratch);
    p->outer(g + net->num_w, D, k->numbers, k->U, k->U, k->d_encoded, D, D, N, k->scratch);
    for (uint32_t i = 0; i < N; i++) scatter_row(k, net, rows, pass, i, k->window.row[i]);
}

void fl_worker_backward(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    k->bone->backward(k, net, pass);
    stream_inputs(k, net, rows, pass);
    encoder(k, net, rows, pass);
}
