/* The GRU in training: a window forwards, and backwards through time, truncated at the window's start.
 * Invariant: no gradient passes a fresh start or the window's start. */
#include "kernels/train_gemm.h"
#include "model/backbone.h"
#include "train/backbone.h"

static void forward(fl_worker *k, const fl_net *net, int stream)
{
    const fl_net_stream *q = &net->stream[stream];
    const fl_window *window = &k->window;
    size_t L = window->lanes, H = k->H, N = L * window->steps;
    const float *state = k->state;

    for (size_t i = 0; i < N; i++)
        memcpy(k->gates + i * 3 * H, net->w + q->bx, 3 * H * sizeof(float));
    fl_sgemm(false, false, N, 3 * H, k->D, 1, k->input, k->D, net->w + q->wx, 3 * H, 1, k->gates,
             3 * H);
    for (size_t t = 0; t < window->steps; t++) {
        float *before = k->before + t * L * H, *gh = k->recurrent + t * L * 3 * H,
              *after = k->after + t * L * H;
        for (size_t l = 0; l < L; l++) {
            if (window->fresh[t * L + l]) memset(before + l * H, 0, H * sizeof(float));
            else memcpy(before + l * H, state + l * H, H * sizeof(float));
            memcpy(gh + l * 3 * H, net->w + q->bh, 3 * H * sizeof(float));
        }
        fl_sgemm(false, false, L, 3 * H, H, 1, before, H, net->w + q->wh, 3 * H, 1, gh, 3 * H);
        net->ops->gru(k->gates + t * L * 3 * H, gh, before, after, L, H);
        for (size_t l = 0; l < L; l++)
            if (window->row[t * L + l] == FL_NO_ROW)
                memcpy(after + l * H, before + l * H, H * sizeof(float));
        state = after;
    }
    memmove(k->state, state, L * H * sizeof(float));
}

/* Through time. Leaves the gradients of gx in gates and of gh in recurrent. */
static void through_time(fl_worker *k, const fl_net *net, const fl_net_stream *q)
{
    const fl_window *window = &k->window;
    size_t L = window->lanes, H = k->H;
    float *d = k->d_after;

    memset(d, 0, L * H * sizeof(float));
    for (size_t t = window->steps; t-- > 0;) {
        float *gates = k->gates + t * L * 3 * H, *gh = k->recurrent + t * L * 3 * H;
        net->ops->gru_back(gates, gh, k->before + t * L * H, d, L, H);
        fl_sgemm(false, true, L, H, 3 * H, 1, gh, 3 * H, net->w + q->wh, 3 * H, 1, d, H);
        net->ops->add(d, k->d_before + t * L * H, L * H);
        for (size_t l = 0; l < L; l++)
            if (window->fresh[t * L + l]) memset(d + l * H, 0, H * sizeof(float));
    }
}

static void backward(fl_worker *k, const fl_net *net, int stream)
{
    const fl_net_stream *q = &net->stream[stream];
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D, H = k->H;
    float *g = k->gradient;

    through_time(k, net, q);
    net->ops->column_sums(g + q->bx, k->gates, N, 3 * H);
    net->ops->column_sums(g + q->bh, k->recurrent, N, 3 * H);
    fl_sgemm(true, false, D, 3 * H, N, 1, k->input, D, k->gates, 3 * H, 1, g + q->wx, 3 * H);
    fl_sgemm(true, false, H, 3 * H, N, 1, k->before, H, k->recurrent, 3 * H, 1, g + q->wh, 3 * H);
    fl_sgemm(false, true, N, D, 3 * H, 1, k->gates, 3 * H, net->w + q->wx, 3 * H, 0, k->d_input, D);
}

const fl_train_backbone *fl_train_backbone_of(const fl_network *n)
{
    static const fl_train_backbone gru = {forward, backward};

    (void)n; /* there is one */
    return &gru;
}
