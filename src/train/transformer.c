/* The causal transformer in training: a window forwards over the keys and values that its lanes carry from the windows before,
 * and backwards. Equations: model/network.h and kernels/block.h.
 * Invariant: no gradient passes a fresh start or the window's start. A lane's state is h, the number of events since its
 * fresh start (the bits of a whole number), and each block's memory. */
#include "kernels/block.h"
#include "model/backbone.h"
#include "train/backbone.h"

typedef struct {
    fl_block_work *work[FL_LAYERS_MAX]; /* without gradients all are the first */
    float *block;
    float *x[FL_LAYERS_MAX +
             1];          /* [N][width] what each block reads; without gradients two take turns */
    float *normed, *stat; /* [N][width], [N][2] */
    float *d_h, *d_one, *d_two; /* [N][H], [N][width] twice */
    float *turn;                /* [N][size of a head] */
    uint32_t *first, *row, *before;
} stack;

static size_t state(const fl_network *n)
{
    return (size_t)n->h + 1 + n->layers * fl_block_memory(&n->block);
}

/* ---- buffers ---- */

static void close_stack(fl_worker *k)
{
    stack *s = k->own;

    for (int l = 0; s && l < FL_LAYERS_MAX; l++)
        if (!l || s->work[l] != s->work[0]) fl_block_work_free(s->work[l]);
    if (!s) return;
    free(s->block);
    free(s->first);
    free(s->row);
    free(s->before);
    free(s);
    k->own = NULL;
}

/* Places all arrays, or counts their floats where there is no block yet. */
static size_t lay_out(stack *s, const fl_network *n, size_t N, bool gradient)
{
    size_t W = n->block.width, at = 0, arrays = gradient ? n->layers + 1 : 2;
    struct {
        float **p;
        size_t n;
    } rest[] = {{&s->normed, N * W},
                {&s->stat, N * 2},
                {&s->turn, N * (W / n->block.heads)},
                {&s->d_h, gradient ? N * n->h : 0},
                {&s->d_one, gradient ? N * W : 0},
                {&s->d_two, gradient ? N * W : 0}};

    for (size_t l = 0; l <= n->layers; l++) s->x[l] = s->block + l % arrays * N * W;
    at += arrays * N * W;
    for (size_t i = 0; i < FL_LEN(rest); i++) {
        at = (at + 15) / 16 * 16;
        *rest[i].p = s->block + at;
        at += rest[i].n;
    }
    return at;
}

static bool open_stack(fl_worker *k, const fl_net *net, bool gradient)
{
    const fl_network *n = net->network;
    size_t N = (size_t)k->lanes * k->steps;
    stack *s = k->own = fl_calloc(1, sizeof *s);
    stack count = {0};
    float one;

    if (!s) return false;
    count.block = &one; /* addresses are not used */
    s->block = fl_alloc_aligned(lay_out(&count, n, N, gradient), sizeof *s->block);
    s->first = fl_calloc((size_t)k->lanes + 1, sizeof *s->first);
    s->row = fl_calloc(N, sizeof *s->row);
    s->before = fl_calloc(N, sizeof *s->before);
    bool ok = s->block && s->first && s->row && s->before;
    for (uint32_t l = 0; l < n->layers && ok; l++) {
        bool own = gradient || !l;
        s->work[l] = own ? fl_block_work_new(&n->block, (uint32_t)N, k->lanes, k->steps, gradient)
                         : s->work[0];
        ok = s->work[l] != NULL;
    }
    if (ok) lay_out(s, n, N, gradient);
    return ok;
}

/* ---- lists ---- */

/* The lanes' events in order, and how many came before each since the lane's fresh start. */
static fl_block_lists lists_of(fl_worker *k, const fl_net *net)
{
    const fl_window *w = &k->window;
    stack *s = k->own;
    uint32_t e = 0;

    for (uint32_t l = 0; l < w->lanes; l++) {
        float *counted = k->state + l * k->states + k->H;
        uint32_t events;
        memcpy(&events, counted, sizeof events);
        s->first[l] = e;
        for (uint32_t t = 0; t < w->steps; t++) {
            uint32_t at = t * w->lanes + l;
            if (w->row[at] == FL_NO_ROW) continue;
            if (w->fresh[at]) events = 0;
            s->row[e] = at;
            s->before[e++] = events++;
        }
        memcpy(counted, &events, sizeof events);
    }
    s->first[w->lanes] = e;
    fl_block_lists out = {.rows = w->lanes * w->steps,
                          .lists = w->lanes,
                          .first = s->first,
                          .row = s->row,
                          .before = s->before,
                          .turn = s->turn,
                          .stride = k->states};
    if (net->network->block.positions == FL_POSITIONS_ROTARY)
        fl_block_turns(&net->network->block, s->before, e, s->turn);
    return out;
}

static fl_block block_of(const fl_worker *k, const fl_net *net, const fl_pass *pass, uint32_t l)
{
    fl_block b = {.shape = &net->network->block,
                  .ops = net->ops,
                  .own = fl_block_ops_get(NULL),
                  .products = pass->packs->products,
                  .scratch = k->scratch};

    for (int p = 0; p < FL_BLOCK_PARAMETERS; p++) {
        size_t at = net->block[l][p];
        if (at == SIZE_MAX) continue;
        b.w[p] = net->w + at;
        if (pass->train) b.gradient[p] = k->gradient + at;
    }
    for (int i = 0; i < FL_BLOCK_MATRICES; i++) {
        b.forward[i] = &pass->packs->layer[l][i].forward;
        b.backward[i] = &pass->packs->layer[l][i].backward;
    }
    return b;
}

static const float *weight(const fl_net *net, size_t at)
{
    return at == SIZE_MAX ? NULL : net->w + at;
}

/* ---- forward ---- */

/* States before and after each event; what came last stays the lane's. */
static void set_states(fl_worker *k)
{
    const fl_window *w = &k->window;
    size_t H = k->H;

    for (size_t l = 0; l < w->lanes; l++) {
        float *last = k->state + l * k->states;
        const float *h = last;
        for (size_t t = 0; t < w->steps; t++) {
            size_t at = t * w->lanes + l;
            float *before = k->before + at * H, *after = k->after + at * H;
            if (w->fresh[at]) memset(before, 0, H * sizeof *before);
            else memcpy(before, h, H * sizeof *before);
            if (w->row[at] == FL_NO_ROW) memcpy(after, before, H * sizeof *after);
            h = after;
        }
        if (h != last) memcpy(last, h, H * sizeof *last);
    }
}

static void forward(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_network *n = net->network;
    const fl_products *p = pass->packs->products;
    const fl_block_ops *own = fl_block_ops_get(NULL);
    stack *s = k->own;
    fl_block_lists lists = lists_of(k, net);
    size_t N = lists.rows, W = n->block.width, H = k->H;

    p->product(s->x[0], W, k->input, k->D, N, &pass->packs->wx.forward, false, k->scratch);
    for (size_t i = 0; i < N; i++) net->ops->add(s->x[0] + i * W, net->w + net->bx, W);
    for (uint32_t l = 0; l < n->layers; l++) {
        fl_block b = block_of(k, net, pass, l);
        lists.memory = k->state + H + 1 + l * fl_block_memory(&n->block);
        fl_block_forward(&b, s->work[l], &lists, s->x[l], s->x[l + 1]);
    }
    const float *y = s->x[n->layers];
    if (n->block.pre_norm) {
        own->norm(s->normed, s->stat, y, net->w + net->norm_gain, weight(net, net->norm_bias),
                  n->block.epsilon, N, W);
        y = s->normed;
    }
    p->product(k->after, H, y, W, N, &pass->packs->out.forward, false, k->scratch);
    own->tanh(k->after, net->w + net->out_b, N, H);
    set_states(k);
}

/* ---- backward ---- */

/* Gradient of each state after an event: from the heads of the next one, and from a task's head. */
static void gather_gradient(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_window *w = &k->window;
    stack *s = k->own;
    size_t L = w->lanes, H = k->H, N = L * w->steps;

    for (size_t at = 0; at < N; at++) {
        float *d = s->d_h + at * H;
        bool next = at + L < N && !w->fresh[at + L];
        if (next) memcpy(d, k->d_before + (at + L) * H, H * sizeof *d);
        else memset(d, 0, H * sizeof *d);
        if (fl_pass_on_states(pass)) net->ops->add(d, k->d_state + at * H, H);
    }
    fl_block_ops_get(NULL)->tanh_back(s->d_h, k->after, N * H);
}

/* From d_h to d_one, the gradient of what the last block gave. */
static void last_layer_back(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_network *n = net->network;
    const fl_products *p = pass->packs->products;
    stack *s = k->own;
    size_t N = (size_t)k->window.lanes * k->window.steps, W = n->block.width, H = k->H;
    float *g = k->gradient, *d = n->block.pre_norm ? s->d_two : s->d_one;
    const float *y = s->x[n->layers];

    net->ops->column_sums(g + net->out_b, s->d_h, N, H);
    p->outer(g + net->out_w, H, n->block.pre_norm ? s->normed : y, W, W, s->d_h, H, H, N,
             k->scratch);
    p->product(d, W, s->d_h, H, N, &pass->packs->out.backward, false, k->scratch);
    if (!n->block.pre_norm) return;
    memset(s->d_one, 0, N * W * sizeof *s->d_one);
    fl_block_ops_get(NULL)->norm_back(s->d_one, g + net->norm_gain,
                                      net->norm_bias == SIZE_MAX ? NULL : g + net->norm_bias, d, y,
                                      s->stat, net->w + net->norm_gain, N, W);
}

static void backward(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_network *n = net->network;
    const fl_products *p = pass->packs->products;
    stack *s = k->own;
    size_t N = (size_t)k->window.lanes * k->window.steps, W = n->block.width, D = k->D;
    float *d = s->d_one, *other = s->d_two, *g = k->gradient;
    fl_block_lists lists = {.rows = (uint32_t)N,
                            .lists = k->window.lanes,
                            .first = s->first,
                            .row = s->row,
                            .before = s->before,
                            .turn = s->turn,
                            .memory = k->state, /* there is one; the blocks kept what it was */
                            .stride = k->states};

    gather_gradient(k, net, pass);
    last_layer_back(k, net, pass);
    for (uint32_t l = n->layers; l-- > 0;) {
        fl_block b = block_of(k, net, pass, l);
        fl_block_backward(&b, s->work[l], &lists, s->x[l], d, other);
        float *swap = d;
        d = other;
        other = swap;
    }
    net->ops->column_sums(g + net->bx, d, N, W);
    p->outer(g + net->wx, W, k->input, D, D, d, W, W, N, k->scratch);
    p->product(k->d_input, D, d, W, N, &pass->packs->wx.backward, false, k->scratch);
}

const fl_train_backbone fl_train_transformer = {.state = state,
                                                .open = open_stack,
                                                .close = close_stack,
                                                .forward = forward,
                                                .backward = backward};
