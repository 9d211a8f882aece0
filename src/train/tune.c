/* Owns a fine-tuning: weights, moments and rows. Invariant: a run reads no event at or after its moment and no label but
 * those it is given. */
#include "train/tune.h"
#include "train/lanes.h"
#include <math.h>

enum { LANES = 64, WINDOW = 64, PARTS = 2, LEAST_STEPS = 50 };

struct fl_tune {
    const fl_model *m;
    const florin_context *ctx;
    fl_tune_config config;
    fl_rows *rows;
    fl_net *net;
    fl_packs *packs;
    fl_team *team;
    fl_optimiser optimiser;
    fl_worker *worker[FL_STREAMS * PARTS];
    uint32_t workers, runs;
    float label_weight[FL_STREAMS][FL_TUNE_TASKS_MAX]; /* of the step at work */
};

/* ---- set-up ---- */

/* The network's parameters as they stand in the model file. */
static florin_status load(fl_net *net, const fl_model *m, florin_error *err)
{
    florin_status st = FLORIN_OK;

    for (uint32_t i = 0; i < net->own && !st; i++) {
        const fl_parameter *p = &net->list[i];
        const size_t dim[2] = {p->rows, p->cols};
        const fl_tensor *t;
        st = fl_model_file_get(fl_model_source(m), p->name, FL_F32, 2, dim, &t, err);
        if (!st) memcpy(net->w + net->offset[i], t->data, p->rows * p->cols * sizeof(float));
    }
    return st;
}

static bool within(size_t at, size_t from, size_t to)
{
    return at >= from && at < to;
}

/* Heads of the next event move only while they are trained; the low-rank way leaves matrices and vocabularies. */
static void fix_parameters(fl_net *net, bool keep)
{
    for (uint32_t i = 0; i < net->own; i++) {
        for (int s = 0; s < FL_STREAMS; s++)
            if (net->network->stream[s] && !keep)
                net->fixed[i] |= within(net->offset[i], net->stream[s].dense_w, net->stream[s].to);
        if (!net->rank) continue;
        for (uint32_t c = 0; c < net->network->categories; c++)
            net->fixed[i] |= net->offset[i] == net->category[c];
        for (uint32_t k = 0; k < net->lows; k++) net->fixed[i] |= net->offset[i] == net->low[k].w;
    }
}

florin_status fl_tune_open(fl_tune **out, const fl_model *m, const fl_log *log,
                           const fl_tune_config *config, const char *folder,
                           const florin_context *ctx, florin_error *err)
{
    const fl_network *n = fl_model_network(m);
    fl_tune *t = fl_calloc(1, sizeof *t);
    uint32_t threads = fl_threads(ctx);
    florin_status st;

    *out = NULL;
    if (!t) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    *t = (fl_tune){.m = m, .ctx = ctx, .config = *config};
    if (!t->config.tasks) t->config.tasks = 1;
    for (int s = 0; s < FL_STREAMS; s++) t->workers += n->stream[s] ? PARTS : 0;
    st = fl_schema_same(fl_model_schema(m), fl_log_schema(log), err);
    if (!st)
        st = fl_rows_of(&t->rows, n, fl_model_plan(m), log, config->until_us, config->keep > 0,
                        folder, ctx, err);
    if (!st) st = fl_net_new_task(&t->net, n, t->config.tasks, config->rank, err);
    if (st) goto done;
    fl_net_init(t->net, config->seed);
    st = load(t->net, m, err);
    fl_net_low_begin(t->net);
    fix_parameters(t->net, config->keep > 0);
    t->team = fl_team_new(threads < t->workers ? threads : t->workers, true);
    if (!st && !t->team) st = fl_fail(err, FLORIN_ENOMEM, "fine-tuning");
    if (!st)
        st = fl_packs_new(&t->packs, t->net, fl_products_get(NULL, false),
                          FL_PACK_BACKWARD | (config->keep > 0 ? FL_PACK_HEADS : 0), err);
    if (!st) st = fl_optimiser_new(&t->optimiser, t->net, t->team, err);
    for (uint32_t k = 0; k < t->workers && !st; k++)
        st = fl_worker_new(&t->worker[k], t->net, LANES / PARTS, WINDOW, true, err);
done:
    if (st) {
        fl_tune_free(t);
        return st;
    }
    *out = t;
    return FLORIN_OK;
}

void fl_tune_free(fl_tune *t)
{
    if (!t) return;
    for (uint32_t k = 0; k < t->workers; k++) fl_worker_free(t->worker[k]);
    fl_optimiser_free(&t->optimiser);
    fl_packs_free(t->packs);
    fl_team_free(t->team);
    fl_net_free(t->net);
    fl_rows_free(t->rows);
    free(t);
}

/* ---- steps ---- */

/* Each task's weight by its labels among a stream's windows; the next event's loss gets its own. Positions with a label. */
static uint64_t weigh(fl_tune *t, int stream, fl_worker *const *worker, const float *const *label)
{
    uint64_t known[FL_TUNE_TASKS_MAX] = {0}, all = 0;

    for (uint32_t k = 0; k < PARTS; k++) {
        fl_window *w = fl_worker_window(worker[k]);
        for (size_t i = 0; i < (size_t)w->lanes * w->steps; i++) {
            for (uint32_t j = 0; j < t->config.tasks && w->weight[i] > 0; j++)
                known[j] += label[j][w->row[i]] >= 0;
            if (t->config.keep > 0) w->weight[i] *= (float)t->config.keep;
        }
    }
    for (uint32_t j = 0; j < t->config.tasks; j++) {
        t->label_weight[stream][j] = known[j] ? 1.0f / (float)known[j] : 0;
        all += known[j];
    }
    return all;
}

static florin_status step(fl_tune *t, fl_lanes *const *lanes, const float *const *label,
                          double done, double *loss, florin_error *err)
{
    fl_train_step j = {.team = t->team,
                       .packs = t->packs,
                       .net = t->net,
                       .rows = t->rows,
                       .worker = t->worker,
                       .workers = t->workers,
                       .parts = PARTS};
    uint32_t streams = 0, used = 0;
    double rate = t->config.rate;

    for (int s = 0; s < FL_STREAMS; s++) {
        if (!lanes[s]) continue;
        fl_worker *const *own = t->worker + streams * PARTS;
        (void)fl_lanes_next(lanes[s], own, PARTS, WINDOW);
        used += weigh(t, s, own, label) > 0;
        j.pass[streams++] = (fl_pass){.stream = s,
                                      .train = true,
                                      .packs = t->packs,
                                      .label = label,
                                      .label_weight = t->label_weight[s],
                                      .states_alone = !(t->config.keep > 0)};
    }
    fl_train_step_run(&j);
    *loss = 0;
    for (uint32_t k = 0; k < t->workers; k++) *loss += fl_worker_task_loss(t->worker[k]) / streams;
    if (!used && !(t->config.keep > 0)) return FLORIN_OK; /* no gradient: nor momentum's */
    t->optimiser.rate =
        done < .05 ? rate * (done + 1e-3) / (.05 + 1e-3)
                   : rate * (.05 + .95 * .5 * (1 + cos(3.14159265358979 * (done - .05) / .95)));
    double norm = fl_optimiser_step(&t->optimiser, t->net, t->worker, t->workers);
    if (!isfinite(norm) || !isfinite(*loss))
        return fl_fail(err, FLORIN_EINTERNAL,
                       "fine-tuning left the range of numbers; try a smaller rate");
    fl_net_low_merge(t->net);
    return FLORIN_OK;
}

/* Events after the last known label are of no use to a run. */
static uint32_t last_labelled(const fl_tune *t, const float *const *label, int64_t until_us)
{
    uint32_t last = 0;

    for (uint32_t r = 0; r < t->rows->count && t->rows->time_us[r] < until_us; r++)
        for (uint32_t j = 0; j < t->config.tasks; j++)
            if (label[j][r] >= 0) last = r + 1;
    return last;
}

/* The intercepts of heads that know nothing else. */
static void start_heads(fl_tune *t, const float *const *label, uint32_t rows)
{
    for (uint32_t j = 0; j < t->config.tasks; j++) {
        double n = 1, y = .5;
        for (uint32_t r = 0; r < rows; r++)
            if (label[j][r] >= 0) n++, y += (double)label[j][r];
        for (int s = 0; s < FL_STREAMS; s++)
            if (t->net->network->stream[s])
                t->net->w[t->net->stream[s].task_b + j] = (float)log(y / (n - y));
    }
}

florin_status fl_tune_run(fl_tune *t, const float *const *label, int64_t until_us, double epochs,
                          double *loss, florin_error *err)
{
    fl_lanes *lanes[FL_STREAMS] = {NULL};
    florin_status st = FLORIN_OK;
    uint64_t most = 0;
    double one, sum = 0, n = 0;

    t->rows->train = last_labelled(t, label, until_us);
    if (!t->rows->train)
        return fl_fail(err, FLORIN_EINPUT, "fine-tuning: no label is known: check `train`");
    if (!t->runs++) start_heads(t, label, t->rows->train);
    fl_optimiser_reset(&t->optimiser, t->net);
    t->optimiser.clip = 1;
    t->optimiser.decay = .01;
    for (int s = 0; s < FL_STREAMS && !st; s++) {
        if (!t->net->network->stream[s]) continue;
        st = fl_lanes_new(&lanes[s], t->rows, s, LANES, t->config.seed + t->runs, err);
        if (!st && lanes[s]->rows > most) most = lanes[s]->rows;
    }
    uint64_t steps = (uint64_t)ceil(epochs * (double)most / (LANES * WINDOW));
    if (steps < LEAST_STEPS) steps = LEAST_STEPS;
    for (uint64_t i = 0; i < steps && !st; i++) {
        st = step(t, lanes, label, (double)i / (double)steps, &one, err);
        if (!st && i >= steps * 3 / 4) sum += one, n++;
        fl_progress(t->ctx, "fine-tune", i + 1, steps);
        if (!st && fl_cancelled(t->ctx))
            st = fl_fail(err, FLORIN_ECANCELLED, "stopped while fine-tuning");
    }
    *loss = n > 0 ? sum / n : 0;
    for (int s = 0; s < FL_STREAMS; s++) fl_lanes_free(lanes[s]);
    return st;
}

/* ---- the model file ---- */

static json_t *meta_of(const fl_tune *t, int64_t until_us, const json_t *tuned)
{
    json_t *meta = json_deep_copy(fl_model_file_json(fl_model_source(t->m)));
    json_t *trained = json_object_get(meta, "trained");

    if (!meta || !json_is_object(trained)) {
        json_decref(meta);
        return NULL;
    }
    if (until_us > fl_model_until(t->m))
        json_object_set_new(trained, "until_us", json_integer(until_us));
    json_object_set_new(meta, "heads", json_array());
    json_object_set_new(meta, "tuned", json_deep_copy(tuned));
    return meta;
}

florin_status fl_tune_save(const fl_tune *t, const char *path, int64_t until_us,
                           const json_t *tuned, florin_error *err)
{
    const fl_net *net = t->net;
    fl_tensor *tensor = fl_calloc(net->own, sizeof *tensor);
    json_t *meta = meta_of(t, until_us, tuned);
    florin_status st = FLORIN_OK;

    if (!tensor || !meta) st = fl_fail(err, FLORIN_ENOMEM, "model file");
    for (uint32_t i = 0; i < net->own && !st; i++) {
        const fl_parameter *p = &net->list[i];
        tensor[i] = (fl_tensor){.name = p->name,
                                .type = FL_F32,
                                .dims = 2,
                                .dim = {p->rows, p->cols},
                                .data = net->w + net->offset[i]};
    }
    if (!st) st = fl_model_file_save(path, meta, tensor, net->own, err);
    json_decref(meta);
    free(tensor);
    return st;
}

const float *fl_tune_head(const fl_tune *t, int stream, float *intercept)
{
    const fl_net_stream *q = &t->net->stream[stream];

    if (!t->net->network->stream[stream]) return NULL;
    *intercept = t->net->w[q->task_b];
    return t->net->w + q->task_w;
}
