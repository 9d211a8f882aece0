/* The logistic heads of tasks while the network learns them, one or several at once: from the state after the event, which is what embeddings and
 * heads of scoring read, so no later event enters. Owns its loss and gradient.
 * Invariant: a row whose label is not known (below 0) has neither. */
#include "train/worker.h"
#include <math.h>

static void one_task(fl_worker *k, const fl_net *net, const fl_pass *pass, uint32_t task)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    const fl_window *window = &k->window;
    size_t N = (size_t)window->lanes * window->steps, H = k->H;
    const float *w = net->w + q->task_w + task * H, b = net->w[q->task_b + task];
    const float *label = pass->label[task], weight = pass->label_weight[task];
    float *g = pass->train ? k->gradient : NULL;

    for (size_t i = 0; i < N; i++) {
        uint32_t row = window->row[i];
        if (row == FL_NO_ROW || !(window->weight[i] > 0) || label[row] < 0) continue;
        const float *h = k->after + i * H;
        double y = (double)label[row], z = (double)(net->ops->dot(w, h, H) + b);
        k->task_loss += (double)weight * ((z > 0 ? log1p(exp(-z)) + z : log1p(exp(z))) - y * z);
        if (!g) continue;
        float d = weight * (float)(1 / (1 + exp(-z)) - y);
        net->ops->axpy(k->d_state + i * H, d, w, H);
        net->ops->axpy(g + q->task_w + task * H, d, h, H);
        g[q->task_b + task] += d;
    }
}

void fl_worker_task(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    k->task_loss = 0;
    for (uint32_t task = 0; task < net->tasks; task++) one_task(k, net, pass, task);
}

double fl_worker_task_loss(const fl_worker *k)
{
    return k->task_loss;
}
