/* The GRU in training: a window forwards, and backwards through time, truncated at the window's start.
 * Invariant: no gradient passes a fresh start or the window's start. */
#include "model/backbone.h"
#include "train/backbone.h"

/* y += x to each of so many rows. */
static void add_to_rows(const fl_train_ops *op, float *y, const float *x, size_t rows, size_t n)
{
    for (size_t i = 0; i < rows; i++) op->add(y + i * n, x, n);
}

static void forward(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_products *p = pass->packs->products;
    const fl_window *window = &k->window;
    size_t L = window->lanes, H = k->H, N = L * window->steps;
    const float *state = k->state;

    p->product(k->gates, 3 * H, k->input, k->D, N, &pass->packs->wx.forward, false, k->scratch);
    for (size_t t = 0; t < window->steps; t++) {
        float *before = k->before + t * L * H, *gx = k->gates + t * L * 3 * H,
              *gh = k->recurrent + t * L * 3 * H, *after = k->after + t * L * H;
        for (size_t l = 0; l < L; l++) {
            if (window->fresh[t * L + l]) memset(before + l * H, 0, H * sizeof(float));
            else memcpy(before + l * H, state + l * H, H * sizeof(float));
        }
        p->product(gh, 3 * H, before, H, L, &pass->packs->wh.forward, false, k->scratch);
        add_to_rows(net->ops, gx, net->w + net->bx, L, 3 * H);
        add_to_rows(net->ops, gh, net->w + net->bh, L, 3 * H);
        net->ops->gru(gx, gh, before, after, L, H);
        for (size_t l = 0; l < L; l++)
            if (window->row[t * L + l] == FL_NO_ROW)
                memcpy(after + l * H, before + l * H, H * sizeof(float));
        state = after;
    }
    memmove(k->state, state, L * H * sizeof(float));
}

/* Through time. Leaves the gradients of gx in gates and of gh in recurrent, and adds those of the biases. */
static void through_time(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_window *window = &k->window;
    size_t L = window->lanes, H = k->H;
    float *d = k->d_after;

    memset(d, 0, L * H * sizeof(float));
    for (size_t t = window->steps; t-- > 0;) {
        float *gates = k->gates + t * L * 3 * H, *gh = k->recurrent + t * L * 3 * H;
        if (fl_pass_on_states(pass)) net->ops->add(d, k->d_state + t * L * H, L * H);
        net->ops->gru_back(gates, gh, k->before + t * L * H, d, L, H);
        net->ops->column_sums(k->gradient + net->bx, gates, L, 3 * H);
        net->ops->column_sums(k->gradient + net->bh, gh, L, 3 * H);
        pass->packs->products->product(d, H, gh, 3 * H, L, &pass->packs->wh.backward, true,
                                       k->scratch);
        net->ops->add(d, k->d_before + t * L * H, L * H);
        for (size_t l = 0; l < L; l++)
            if (window->fresh[t * L + l]) memset(d + l * H, 0, H * sizeof(float));
    }
}

static void backward(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_products *p = pass->packs->products;
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D, H = k->H;
    float *g = k->gradient;

    through_time(k, net, pass);
    p->outer(g + net->wx, 3 * H, k->input, D, D, k->gates, 3 * H, 3 * H, N, k->scratch);
    p->outer(g + net->wh, 3 * H, k->before, H, H, k->recurrent, 3 * H, 3 * H, N, k->scratch);
    p->product(k->d_input, D, k->gates, 3 * H, N, &pass->packs->wx.backward, false, k->scratch);
}

static size_t state(const fl_network *n)
{
    return n->h;
}

const fl_train_backbone fl_train_gru = {.state = state, .forward = forward, .backward = backward};

const fl_train_backbone *fl_train_backbone_of(const fl_network *n)
{
    return n->backbone == &fl_backbone_transformer ? &fl_train_transformer : &fl_train_gru;
}
