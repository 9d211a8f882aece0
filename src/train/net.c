/* Owns the parameters and where each lies. Invariant: offsets follow from the network's shape alone; what the streams
 * share comes first, then each stream's own. */
#include "model/backbone.h"
#include "train/net.h"
#include <assert.h>
#include <math.h>
#include <stdio.h>

enum {
    PANEL_COLUMNS = 1536, /* narrower targets share a panel */
    TASK_PARAMETERS = 2 * (FL_LOW_RANKS + FL_STREAMS)
};

static size_t take(size_t *at, size_t n, size_t align)
{
    *at = (*at + align - 1) / align * align;
    size_t here = *at;
    *at += n;
    return here;
}

static const char *const stream_name[FL_STREAMS] = {"payer", "payee"};

static uint32_t find(const fl_net *net, const char *name)
{
    for (uint32_t i = 0; i < net->parameters; i++)
        if (!strcmp(net->list[i].name, name)) return i;
    return UINT32_MAX;
}

/* Place a parameter by name; returns its offset, SIZE_MAX if the network has none of that name. */
static size_t place(fl_net *net, size_t *at, size_t align, const char *name)
{
    uint32_t i = find(net, name);

    if (i == UINT32_MAX) return SIZE_MAX;
    net->offset[i] = take(at, net->list[i].rows * net->list[i].cols, align);
    return net->offset[i];
}

static size_t place_of(fl_net *net, size_t *at, size_t align, int s, const char *rest)
{
    char name[192];

    snprintf(name, sizeof name, "%s.%s", stream_name[s], rest);
    return place(net, at, align, name);
}

static size_t place_head(fl_net *net, size_t *at, size_t align, int s, uint32_t t, const char *rest)
{
    char name[160];

    snprintf(name, sizeof name, "head.%s.%s", net->target[t].name, rest);
    return place_of(net, at, align, s, name);
}

/* The matrices that every event goes through. */
static uint32_t matrices(const fl_net *net, size_t at[FL_LOW_RANKS])
{
    const size_t first[] = {net->num_w, net->w1, net->w2, net->wx,
                            net->network->layers ? net->out_w : net->wh};
    uint32_t n = FL_LEN(first);

    memcpy(at, first, sizeof first);
    for (uint32_t l = 0; l < net->network->layers; l++)
        for (int i = 0; i < FL_BLOCK_MATRICES; i++) at[n++] = net->block[l][fl_block_matrix[i]];
    return n;
}

/* Their low-rank parts. */
static void place_low_ranks(fl_net *net, size_t *at)
{
    size_t matrix[FL_LOW_RANKS], base = 0;

    (void)matrices(net, matrix);
    for (uint32_t i = 0; i < net->lows && net->rank; i++) {
        fl_low_rank *l = &net->low[i];
        char name[32];
        for (uint32_t p = 0; p < net->own; p++)
            if (net->offset[p] == matrix[i])
                *l = (fl_low_rank){.w = matrix[i],
                                   .base = base,
                                   .rows = net->list[p].rows,
                                   .cols = net->list[p].cols};
        base += l->rows * l->cols;
        uint32_t a = net->own + 2 * i;
        net->list[a].rows = l->rows;
        net->list[a + 1].cols = l->cols;
        snprintf(name, sizeof name, "low.%u.a", i);
        l->a = place(net, at, 16, name);
        snprintf(name, sizeof name, "low.%u.b", i);
        l->b = place(net, at, 16, name);
    }
}

static size_t place_backbone(fl_net *net, size_t *at, const char *rest)
{
    char name[96];

    snprintf(name, sizeof name, "%.20s.%.60s", net->network->backbone->name, rest);
    return place(net, at, 16, name);
}

static void place_blocks(fl_net *net, size_t *at)
{
    for (uint32_t l = 0; l < net->network->layers; l++)
        for (int p = 0; p < FL_BLOCK_PARAMETERS; p++) {
            const char *name;
            size_t rows, cols;
            char text[64];
            (void)fl_block_has(&net->network->block, (fl_block_parameter)p, &name, &rows, &cols);
            snprintf(text, sizeof text, "%u.%.40s", l, name);
            net->block[l][p] = place_backbone(net, at, text);
        }
    net->norm_gain = place_backbone(net, at, "norm.gain");
    net->norm_bias = place_backbone(net, at, "norm.bias");
    net->out_w = place_backbone(net, at, "out.w");
    net->out_b = place_backbone(net, at, "out.b");
}

static void place_shared(fl_net *net, size_t *at)
{
    for (uint32_t i = 0; i < net->network->categories; i++) {
        char name[128];
        snprintf(name, sizeof name, "cat.%s.table", net->network->name[i]);
        net->category[i] = place(net, at, 16, name);
    }
    net->type = place(net, at, 16, "type.table");
    net->amount = place(net, at, 16, "amount.table");
    net->hour = place(net, at, 16, "hour.table");
    net->weekday = place(net, at, 16, "weekday.table");
    net->day = place(net, at, 16, "day.table");
    net->num_w = place(net, at, 16, "num.w");
    net->num_b = place(net, at, 16, "num.b");
    net->w1 = place(net, at, 16, "mlp.w1");
    net->b1 = place(net, at, 16, "mlp.b1");
    net->w2 = place(net, at, 16, "mlp.w2");
    net->b2 = place(net, at, 16, "mlp.b2");
    net->wx = place_backbone(net, at, "wx");
    net->wh = place_backbone(net, at, "wh");
    net->bx = place_backbone(net, at, "bx");
    net->bh = place_backbone(net, at, "bh");
    if (net->network->layers) place_blocks(net, at);
    place_low_ranks(net, at);
    net->shared_to = take(at, 0, 16);
}

/* Order of the dense block's columns: clusters, gates, whole targets. */
static void place_columns(fl_net *net, fl_net_stream *q)
{
    for (uint32_t t = 0; t < net->targets; t++) {
        uint32_t clusters = fl_target_clusters(&net->target[t]);
        if (!clusters) continue;
        q->segment[q->segments++] = (fl_segment){t, q->V, clusters};
        q->V += clusters;
    }
    q->gate = q->V;
    q->V += net->targets;
    q->panel[q->panels++] = (fl_panel){0, q->V, 0, q->segments};
    for (uint32_t t = 0; t < net->targets; t++) {
        uint32_t tokens = net->target[t].tokens;
        if (net->target[t].group) continue;
        fl_panel *p = &q->panel[q->panels - 1];
        if (q->panels == 1 || p->columns + tokens > PANEL_COLUMNS) {
            p = &q->panel[q->panels++];
            *p = (fl_panel){q->V, 0, q->segments, q->segments};
        }
        q->segment[q->segments++] = (fl_segment){t, q->V, tokens};
        p->to++;
        p->columns += tokens;
        q->V += tokens;
    }
}

/* The dense block's rows must follow each other without a gap: alignment 1 after the first. */
static void place_dense(fl_net *net, size_t *at, int s, const char *clusters, const char *gate,
                        const char *tokens)
{
    for (uint32_t t = 0; t < net->targets; t++)
        if (net->target[t].group) place_head(net, at, 1, s, t, clusters);
    for (uint32_t t = 0; t < net->targets; t++) place_head(net, at, 1, s, t, gate);
    for (uint32_t t = 0; t < net->targets; t++)
        if (!net->target[t].group) place_head(net, at, 1, s, t, tokens);
}

static void place_stream(fl_net *net, size_t *at, int s)
{
    fl_net_stream *q = &net->stream[s];

    q->from = take(at, 0, 16);
    q->dt_table = place_of(net, at, 16, s, "dt.table");
    q->dt_w = place_of(net, at, 16, s, "dt.w");
    q->task_w = place_of(net, at, 16, s, "task.w");
    q->task_b = place_of(net, at, 16, s, "task.b");
    q->ahead_w = place_of(net, at, 16, s, "ahead.w");
    q->ahead_b = place_of(net, at, 16, s, "ahead.b");
    place_columns(net, q);
    q->dense_w = take(at, 0, 16);
    place_dense(net, at, s, "cw", "gw", "w");
    q->dense_b = take(at, 0, 16);
    place_dense(net, at, s, "cb", "gb", "b");
    for (uint32_t t = 0; t < net->targets; t++) {
        if (!net->target[t].group) continue;
        q->member_w[t] = place_head(net, at, 16, s, t, "w");
        q->member_b[t] = place_head(net, at, 16, s, t, "b");
    }
    q->to = take(at, 0, 16);
}

/* A parameter more than the network lists: what serves training alone. */
static void add_parameter(fl_net *net, size_t rows, size_t cols, fl_init init, const char *who,
                          const char *rest)
{
    fl_parameter *p = &net->list[net->parameters++];

    *p = (fl_parameter){.rows = rows, .cols = cols, .init = init};
    snprintf(p->name, sizeof p->name, "%s.%s", who, rest);
}

static void add_task(fl_net *net, uint32_t rank)
{
    size_t at[FL_LOW_RANKS];

    net->rank = rank;
    net->lows = matrices(net, at);
    for (uint32_t i = 0; i < net->lows && rank; i++) { /* placing fills in the matrix's sizes */
        char who[16];
        snprintf(who, sizeof who, "low.%u", i);
        add_parameter(net, 1, rank, FL_INIT_MATRIX, who, "a");
        add_parameter(net, rank, 1, FL_INIT_ZERO, who, "b");
    }
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->network->stream[s]) continue;
        add_parameter(net, net->tasks, net->network->h, FL_INIT_ZERO, stream_name[s], "task.w");
        add_parameter(net, 1, net->tasks, FL_INIT_ZERO, stream_name[s], "task.b");
    }
}

/* Heads of several future events: a column a value of each category field and type, two for the sum and the time. */
static void add_ahead(fl_net *net)
{
    for (uint32_t t = 0; t < net->targets; t++) {
        const fl_target *target = &net->target[t];
        uint32_t tokens = target->tokens < FL_AHEAD_TOKENS ? target->tokens : FL_AHEAD_TOKENS;
        bool bag = target->slot >= -1; /* amounts and gaps: their sum and the time */
        net->ahead_at[t + 1] = net->ahead_at[t] + (bag ? tokens : 0);
    }
    net->ahead = net->ahead_at[net->targets] + 2;
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->network->stream[s]) continue;
        add_parameter(net, net->ahead, net->network->h, FL_INIT_ZERO, stream_name[s], "ahead.w");
        add_parameter(net, 1, net->ahead, FL_INIT_ZERO, stream_name[s], "ahead.b");
    }
}

/* What a trainable network has beyond the model's. */
typedef enum { PLAIN, TASK, AHEAD } with;

static florin_status new_net(fl_net **out, const fl_network *network, with more, uint32_t tasks,
                             uint32_t rank, florin_error *err)
{
    fl_net *net = fl_calloc(1, sizeof *net);
    size_t at = 0;

    *out = NULL;
    if (!net) return fl_fail(err, FLORIN_ENOMEM, "network: out of memory");
    assert(network->copy); /* every target has a gate among the dense block's columns */
    net->network = network;
    net->tasks = tasks;
    net->ops = fl_train_ops_get(NULL);
    net->list = fl_calloc(FL_PARAMETERS_MAX + TASK_PARAMETERS, sizeof *net->list);
    net->offset = fl_calloc(FL_PARAMETERS_MAX + TASK_PARAMETERS, sizeof *net->offset);
    net->fixed = fl_calloc(FL_PARAMETERS_MAX + TASK_PARAMETERS, 1);
    if (!net->list || !net->offset || !net->fixed) {
        fl_net_free(net);
        return fl_fail(err, FLORIN_ENOMEM, "network: out of memory");
    }
    net->own = net->parameters = fl_network_parameters(network, net->list);
    net->targets = fl_network_targets(network, net->target);
    if (more == TASK) add_task(net, rank);
    if (more == AHEAD) add_ahead(net);
    for (uint32_t i = 0; i < net->parameters; i++) net->offset[i] = SIZE_MAX;
    place_shared(net, &at);
    for (int s = 0; s < FL_STREAMS; s++)
        if (network->stream[s]) place_stream(net, &at, s);
    for (uint32_t i = 0; i < net->parameters; i++)
        if (net->offset[i] == SIZE_MAX) {
            florin_status st = fl_fail(err, FLORIN_EINTERNAL,
                                       "network: parameter %s is not trained", net->list[i].name);
            fl_net_free(net);
            return st;
        }
    net->total = take(&at, 0, 16);
    net->w = fl_alloc_aligned(net->total, sizeof *net->w);
    size_t low = 0;
    for (uint32_t i = 0; i < net->lows && rank; i++) low += net->low[i].rows * net->low[i].cols;
    net->base = fl_alloc_aligned(low + 1, sizeof *net->base);
    if (!net->w || !net->base) {
        florin_status st = fl_fail(err, FLORIN_ENOMEM, "network: %zu parameters", net->total);
        fl_net_free(net);
        return st;
    }
    *out = net;
    return FLORIN_OK;
}

florin_status fl_net_new(fl_net **out, const fl_network *network, florin_error *err)
{
    return new_net(out, network, PLAIN, 0, 0, err);
}

florin_status fl_net_new_ahead(fl_net **out, const fl_network *network, florin_error *err)
{
    return new_net(out, network, AHEAD, 0, 0, err);
}

florin_status fl_net_new_task(fl_net **out, const fl_network *network, uint32_t tasks,
                              uint32_t rank, florin_error *err)
{
    return new_net(out, network, TASK, tasks, rank, err);
}

void fl_net_free(fl_net *net)
{
    if (!net) return;
    free(net->list);
    free(net->offset);
    free(net->fixed);
    free(net->base);
    free(net->w);
    free(net);
}

/* Draws of a parameter depend on the seed and its name, not on its neighbours. */
static void init_parameter(const fl_net *net, uint32_t i, uint64_t seed)
{
    const fl_parameter *p = &net->list[i];
    float *w = net->w + net->offset[i];
    size_t n = p->rows * p->cols;
    bool head = strstr(p->name, ".head.") != NULL;
    double scale = 0;
    fl_rng rng;

    fl_rng_seed(&rng, fl_hash64(p->name, strlen(p->name), seed));
    switch (p->init) {
    case FL_INIT_ZERO: memset(w, 0, n * sizeof *w); return;
    case FL_INIT_ONE:
        for (size_t k = 0; k < n; k++) w[k] = 1;
        return;
    case FL_INIT_TABLE: scale = 0.5; break;
    case FL_INIT_MATRIX:
        scale = head ? 0.25 / sqrt((double)p->cols) : 1.0 / sqrt((double)p->rows);
        break;
    case FL_INIT_RESIDUAL: scale = 1.0 / sqrt((double)p->rows * 2 * net->network->layers); break;
    case FL_INIT_RECURRENT: /* PyTorch's nn.GRU: uniform within 1/sqrt(H) */
        scale = 1.0 / sqrt((double)net->network->h);
        for (size_t k = 0; k < n; k++) w[k] = (float)((2 * fl_rng_double(&rng) - 1) * scale);
        return;
    }
    for (size_t k = 0; k < n; k++) w[k] = (float)(fl_rng_normal(&rng) * scale);
}

void fl_net_init(fl_net *net, uint64_t seed)
{
    memset(net->w, 0, net->total * sizeof *net->w);
    for (uint32_t i = 0; i < net->parameters; i++) init_parameter(net, i, seed);
}

void fl_net_bias(fl_net *net, int stream, double *const *counts)
{
    fl_net_stream *q = &net->stream[stream];

    for (uint32_t k = 0; k < q->segments; k++) {
        const fl_target *t = &net->target[q->segment[k].target];
        const double *count = counts[q->segment[k].target];
        float *bias = net->w + q->dense_b + q->segment[k].first;
        if (!t->group) {
            for (uint32_t v = 0; v < t->tokens; v++) bias[v] = (float)log(count[v] + 0.5);
            continue;
        }
        float *member = net->w + q->member_b[q->segment[k].target];
        for (uint32_t c = 0; c < q->segment[k].size; c++) {
            double sum = 0;
            for (uint32_t v = c * t->group; v < t->tokens && v < (c + 1) * t->group; v++) {
                sum += count[v] + 0.5;
                member[v] = (float)log(count[v] + 0.5);
            }
            bias[c] = (float)log(sum);
        }
    }
    /* Softmax does not see a common shift: move each block's largest bias to zero, so that none is huge. */
    for (uint32_t k = 0; k < q->segments; k++) {
        float *bias = net->w + q->dense_b + q->segment[k].first, top = bias[0];
        for (uint32_t v = 1; v < q->segment[k].size; v++) top = fmaxf(top, bias[v]);
        for (uint32_t v = 0; v < q->segment[k].size; v++) bias[v] -= top;
    }
}

/* EM for one weight between two fixed predictions, popularity and copying (Dempster et al. 1977). */
static double best_mixing(const fl_rows *rows, const fl_sequences *q, const fl_target *target,
                          uint32_t t, uint32_t targets, const double *count)
{
    enum { ROUNDS = 12, SAMPLE = 50000 };
    double share = 0.5, total = 0.5 * target->tokens;
    uint64_t stride = q->rows / SAMPLE + 1;

    for (uint32_t v = 0; v < target->tokens; v++) total += count[v];
    for (int round = 0; round < ROUNDS; round++) {
        double copied = 1, seen = 2; /* one for, one against: never all or nothing */
        for (uint32_t e = 0; e < q->entities; e += (uint32_t)stride)
            for (uint64_t i = q->start[e] + 1; i < q->start[e + 1]; i++) {
                uint32_t row = q->row[i];
                if (q->unseen[e] || row >= rows->train) break;
                double p = (count[fl_rows_target(rows, target, row, q->row[i - 1])] + 0.5) / total;
                double own = share * (double)q->share[(size_t)row * targets + t];
                copied += own / (own + (1 - share) * p);
                seen++;
            }
        share = copied / seen;
    }
    return share;
}

void fl_net_gates(fl_net *net, int stream, const fl_rows *rows, double *const *counts)
{
    const fl_net_stream *q = &net->stream[stream];

    for (uint32_t t = 0; t < net->targets; t++) {
        double g =
            best_mixing(rows, &rows->stream[stream], &net->target[t], t, net->targets, counts[t]);
        net->w[q->dense_b + q->gate + t] = (float)log(g / (1 - g));
    }
}
