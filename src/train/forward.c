/* Owns a share's buffers and the forward pass: rows -> encoder -> states. The equations are those of model/network.h.
 * Invariant: the result depends on the window, weights and pass alone. */
#include "model/backbone.h"
#include "train/backbone.h"
#include "train/contrast.h"

/* ---- buffers ---- */

/* Floats that the largest tile takes: of a panel, or of a cluster's members. */
static size_t tile_floats(const fl_net *net)
{
    size_t most = 0;

    for (int s = 0; s < FL_STREAMS; s++)
        for (uint32_t i = 1; i < net->stream[s].panels; i++) {
            uint32_t columns = net->stream[s].panel[i].columns;
            size_t floats = fl_tile_rows(columns) * fl_tile_stride(columns);
            if (floats > most) most = floats;
        }
    for (uint32_t t = 0; t < net->targets; t++) {
        uint32_t group = net->target[t].group;
        size_t floats = fl_tile_rows(group) * fl_tile_stride(group);
        if (group && floats > most) most = floats;
    }
    if (net->ahead) {
        size_t floats = fl_tile_rows(net->ahead) * fl_tile_stride(net->ahead);
        if (floats > most) most = floats;
    }
    return most;
}

/* Columns of the first panel. */
static size_t kept_columns(const fl_net *net)
{
    size_t a = net->stream[0].panel[0].columns, b = net->stream[1].panel[0].columns;

    return a > b ? a : b;
}

static bool allocate_floats(fl_worker *k, const fl_net *net, bool gradient)
{
    size_t N = (size_t)k->lanes * k->steps, L = k->lanes, H = k->H, D = k->D, U = k->U, at = 0;
    size_t gru = net->network->backbone == &fl_backbone_gru ? N * 3 * H : 0;

    struct {
        float **p;
        size_t n;
    } list[] = {
        {&k->state, L * k->states},
        {&k->numbers, N * U},
        {&k->encoded, N * D},
        {&k->hidden, N * 2 * D},
        {&k->input, N * D},
        {&k->gates, gru},
        {&k->recurrent, gru},
        {&k->before, N * H},
        {&k->after, N * H},
        {&k->d_before, gradient ? N * H : 0},
        {&k->d_after, L * H},
        {&k->d_state, gradient ? N * H : 0},
        {&k->d_input, gradient ? N * D : 0},
        {&k->d_encoded, gradient ? N * D : 0},
        {&k->d_hidden, gradient ? N * 2 * D : 0},
        {&k->nats, N * k->targets},
        {&k->part, N * k->targets},
        {&k->total, N * k->targets},
        {&k->kept, N * kept_columns(net)},
        {&k->tile, tile_floats(net)},
        {&k->gathered, (size_t)2 * FL_PRODUCT_TILE * H},
        {&k->picked, N * H},
        {&k->d_picked, gradient ? N * H : 0},
        {&k->alike, gradient ? (size_t)FL_SLICES_MAX * FL_SLICES_MAX : 0},
        {&k->gradient, gradient ? net->total : 0},
    };
    for (size_t i = 0; i < FL_LEN(list); i++) at += (list[i].n + 15) / 16 * 16;
    k->block = fl_alloc_aligned(at, sizeof *k->block);
    if (!k->block) return false;
    at = 0;
    for (size_t i = 0; i < FL_LEN(list); i++) {
        *list[i].p = list[i].n ? k->block + at : NULL;
        at += (list[i].n + 15) / 16 * 16;
    }
    return true;
}

florin_status fl_worker_new(fl_worker **out, const fl_net *net, uint32_t lanes, uint32_t steps,
                            bool gradient, florin_error *err)
{
    fl_worker *k = fl_calloc(1, sizeof *k);
    size_t N = (size_t)lanes * steps, clusters = 1;
    const fl_train_backbone *bone = fl_train_backbone_of(net->network);

    *out = NULL;
    if (!k) return fl_fail(err, FLORIN_ENOMEM, "training buffers");
    *k = (fl_worker){.H = net->network->h,
                     .D = net->network->d,
                     .U = fl_network_numbers(net->network),
                     .targets = net->targets,
                     .bone = bone,
                     .states = bone->state(net->network),
                     .lanes = lanes,
                     .steps = steps};
    for (uint32_t t = 0; t < net->targets; t++)
        if (fl_target_clusters(&net->target[t]) > clusters)
            clusters = fl_target_clusters(&net->target[t]);
    k->window.row = fl_calloc(N, sizeof(uint32_t));
    k->window.previous = fl_calloc(N, sizeof(uint32_t));
    k->window.fresh = fl_calloc(N, 1);
    k->window.weight = fl_calloc(N, sizeof(float));
    k->window.slice = fl_calloc(N, sizeof(uint32_t));
    k->pick = fl_calloc(N, sizeof(uint32_t));
    k->order = fl_calloc(N, sizeof(uint32_t));
    k->token = fl_calloc(N * k->targets, sizeof(uint32_t));
    k->scratch = fl_alloc_aligned(FL_PRODUCT_SCRATCH, 1);
    k->cluster_at = fl_calloc(clusters + 2, sizeof(uint32_t));
    if (!allocate_floats(k, net, gradient) || !k->window.row || !k->window.previous ||
        !k->window.fresh || !k->window.weight || !k->window.slice || !k->pick || !k->order ||
        !k->token || !k->cluster_at || !k->scratch ||
        (bone->open && !bone->open(k, net, gradient))) {
        fl_worker_free(k);
        return fl_fail(err, FLORIN_ENOMEM, "training buffers of %zu positions", N);
    }
    k->window.lanes = lanes;
    k->window.steps = steps;
    *out = k;
    return FLORIN_OK;
}

void fl_worker_free(fl_worker *k)
{
    if (!k) return;
    if (k->own) k->bone->close(k);
    free(k->window.row);
    free(k->window.previous);
    free(k->window.fresh);
    free(k->window.weight);
    free(k->window.slice);
    free(k->pick);
    free(k->order);
    free(k->token);
    free(k->cluster_at);
    free(k->scratch);
    free(k->block);
    free(k);
}

fl_window *fl_worker_window(fl_worker *k)
{
    return &k->window;
}

size_t fl_worker_states(const fl_worker *k)
{
    return k->states;
}

float *fl_worker_state(fl_worker *k)
{
    return k->state;
}

float *fl_worker_gradient(fl_worker *k)
{
    return k->gradient;
}

const float *fl_worker_nats(const fl_worker *k)
{
    return k->nats;
}

/* ---- forward ---- */

bool fl_field_lost(const fl_pass *pass, uint32_t row, uint32_t field)
{
    if (!pass->train || pass->dropout <= 0) return false;
    uint64_t draw = fl_mix64(pass->seed ^ fl_mix64((uint64_t)row << 6 | field));
    return (double)(draw >> 11) * 0x1p-53 < pass->dropout;
}

/* Sum of the tables' rows of one event, and its numbers. */
static void gather_row(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass,
                       uint32_t i, uint32_t row)
{
    const fl_train_ops *op = net->ops;
    const float *w = net->w;
    const fl_small_tokens *s = &rows->small[row];
    float *e = k->encoded + (size_t)i * k->D;
    size_t D = k->D;

    memcpy(e, w + net->num_b, D * sizeof *e);
    for (uint32_t f = 0; f < rows->categories; f++) {
        uint32_t token = rows->category[(size_t)row * rows->categories + f];
        if (fl_field_lost(pass, row, f)) token = FL_TOKEN_UNKNOWN;
        op->add(e, w + net->category[f] + token * D, D);
    }
    op->add(e, w + net->type + s->type * D, D);
    op->add(e, w + net->amount + s->amount * D, D);
    op->add(e, w + net->hour + s->hour * D, D);
    op->add(e, w + net->weekday + s->weekday * D, D);
    op->add(e, w + net->day + s->day * D, D);
    op->from_fixed(k->numbers + (size_t)i * k->U, rows->number + (size_t)row * k->U,
                   1.0f / FL_FIXED_ONE, k->U);
}

static void encode(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D;
    const fl_packs *packs = pass->packs;
    const fl_products *p = packs->products;
    const float *w = net->w;

    for (uint32_t i = 0; i < N; i++) {
        uint32_t row = k->window.row[i];
        if (row != FL_NO_ROW) {
            gather_row(k, net, rows, pass, i, row);
        } else {
            memset(k->encoded + i * D, 0, D * sizeof(float));
            memset(k->numbers + (size_t)i * k->U, 0, k->U * sizeof(float));
        }
    }
    p->product(k->encoded, D, k->numbers, k->U, N, &packs->numbers.forward, true, k->scratch);
    p->product(k->hidden, 2 * D, k->encoded, D, N, &packs->mlp1.forward, false, k->scratch);
    net->ops->bias_relu(k->hidden, w + net->b1, N, 2 * D);
    memcpy(k->input, k->encoded, N * D * sizeof(float));
    for (size_t i = 0; i < N; i++) net->ops->add(k->input + i * D, w + net->b2, D);
    p->product(k->input, D, k->hidden, 2 * D, N, &packs->mlp2.forward, true, k->scratch);
}

/* What the stream adds to the shared encoding: the gap since its entity's last event. */
static void add_stream_inputs(fl_worker *k, const fl_net *net, const fl_rows *rows,
                              const fl_pass *pass)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    size_t N = (size_t)k->window.lanes * k->window.steps, D = k->D;

    for (uint32_t i = 0; i < N; i++) {
        uint32_t row = k->window.row[i], previous = k->window.previous[i];
        if (row == FL_NO_ROW) continue;
        bool first = previous == FL_NO_ROW;
        int64_t dt = first ? 0 : rows->time_us[row] - rows->time_us[previous];
        net->ops->add(k->input + i * D, net->w + q->dt_table + fl_dt_token(dt, first) * D, D);
        net->ops->axpy(k->input + i * D, fl_dt_number(dt, first), net->w + q->dt_w, D);
    }
}

void fl_worker_forward(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    const fl_net_stream *q = &net->stream[pass->stream];

    if (pass->train) {
        memset(k->gradient, 0, net->shared_to * sizeof(float));
        memset(k->gradient + q->from, 0, (q->dense_w - q->from) * sizeof(float));
    }
    encode(k, net, rows, pass);
    add_stream_inputs(k, net, rows, pass);
    k->bone->forward(k, net, pass);
}

/* In place of the heads' pass: nothing is predicted, nothing of theirs moves. */
static void leave_heads(fl_worker *k, const fl_net *net, const fl_pass *pass)
{
    const fl_net_stream *q = &net->stream[pass->stream];
    size_t N = (size_t)k->window.lanes * k->window.steps;

    memset(k->nats, 0, N * k->targets * sizeof(float));
    if (!pass->train) return;
    memset(k->gradient + q->dense_w, 0, (q->to - q->dense_w) * sizeof(float));
    memset(k->d_before, 0, N * k->H * sizeof(float));
}

void fl_worker_pass(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass)
{
    fl_gemm_hold hold;

    fl_products_begin(pass->packs->products, &hold);
    fl_worker_forward(k, net, rows, pass);
    if (pass->states_alone) leave_heads(k, net, pass);
    else fl_worker_heads(k, net, rows, pass);
    if (pass->train && fl_pass_on_states(pass)) {
        size_t N = (size_t)k->window.lanes * k->window.steps;
        memset(k->d_state, 0, N * k->H * sizeof(float));
    }
    if (pass->label) fl_worker_task(k, net, pass);
    if (pass->contrast > 0) fl_worker_contrast(k, net, pass);
    if (pass->ahead) fl_worker_ahead(k, net, rows, pass);
    if (pass->silence > 0) fl_worker_silence(k, net, rows, pass);
    if (pass->train) fl_worker_backward(k, net, rows, pass);
    if (pass->train) fl_net_low_gradient(net, k->gradient);
    fl_products_end(pass->packs->products, &hold);
}

static void step_share(void *arg, uint32_t thread)
{
    const fl_train_step *s = arg;
    uint32_t threads = fl_team_size(s->team);

    fl_packs_fill(s->packs, s->net, thread, threads);
    fl_team_meet(s->team);
    for (uint32_t i = thread; i < s->workers; i += threads)
        fl_worker_pass(s->worker[i], s->net, s->rows, &s->pass[i / s->parts]);
}

void fl_train_step_run(fl_train_step *s)
{
    fl_team_run(s->team, step_share, s);
}
