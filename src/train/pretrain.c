/* One pretraining from log to model file. Owns the order of things: rows, steps over both streams, measurements,
 * file. Invariant: what decides the bytes (steps, validations, early stop) never reads a clock unless a
 * time limit was asked for. */
#include "base/file.h"
#include "train/run.h"
#include <math.h>

enum { VALIDATION_EVENTS = 40000, VALIDATIONS = 10, JOURNAL_EVERY = 10, FIRST_SAVE_S = 5 };
#define AHEAD_WEIGHT 0.2

/* ---- configuration ---- */

fl_train_config fl_train_defaults(void)
{
    return (fl_train_config){.hidden = 256,
                             .int8 = true,
                             .width = 128,
                             .parts = 2,
                             .vocabulary = 16384,
                             .epochs = 3,
                             .seed = 1,
                             .until_us = INT64_MAX,
                             .valid_from_us = INT64_MIN,
                             .valid_share = 0.1,
                             .unseen_share = 0.05,
                             .rate = 2e-3,
                             .rate_end = 1e-4,
                             .warmup = 0.02,
                             .clip = 1,
                             .decay = 0.01,
                             .field_dropout = 0.01,
                             .silence = 1,
                             .patience = 3};
}

fl_train_blocks fl_train_blocks_defaults(void)
{
    return (fl_train_blocks){
        .layers = 2, .heads = 4, .context = 64, .positions = FL_POSITIONS_ROTARY};
}

fl_block_shape fl_train_blocks_shape(const fl_train_blocks *b, uint32_t H, uint32_t D)
{
    enum { UNIT = 8 }; /* a head's size is a multiple of it */
    uint32_t step = UNIT * b->heads, width = b->width;
    double want = 3.0 * H * ((double)D + H), best = INFINITY;

    for (uint32_t w = step; !b->width && w <= FL_STACK_WIDTH_MAX; w += step) {
        double have = (double)w * (12.0 * b->layers * w + D + H);
        if (fabs(have - want) < best) width = w, best = fabs(have - want);
    }
    return (fl_block_shape){.width = width,
                            .heads = b->heads,
                            .inner = 4 * width,
                            .window = b->context,
                            .positions = b->positions,
                            .causal = true,
                            .pre_norm = !b->post_norm,
                            .bias = !b->no_bias,
                            .history = !b->no_history,
                            .epsilon = 1e-5f};
}

static florin_status check_blocks(const fl_train_config *c, florin_error *err)
{
    const fl_train_blocks *b = &c->blocks;

    if (!b->layers) return FLORIN_OK;
    if (!b->heads || b->heads > FL_STACK_HEADS_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "--heads must be 1 to %d", FL_STACK_HEADS_MAX);
    fl_block_shape s = fl_train_blocks_shape(b, c->hidden, c->width);
    const char *wrong = fl_network_stack_wrong(b->layers, &s);
    return wrong ? fl_fail(err, FLORIN_EUSAGE, "--backbone transformer: %s", wrong) : FLORIN_OK;
}

bool fl_train_size(fl_train_config *c, const char *name)
{
    static const struct {
        const char *name;
        uint32_t hidden, width;
    } size[] = {{"nano", 64, 32}, {"small", 128, 64}, {"base", 256, 128}};

    for (size_t i = 0; i < FL_LEN(size); i++) {
        if (strcmp(name, size[i].name)) continue;
        c->hidden = size[i].hidden;
        c->width = size[i].width;
        return true;
    }
    return false;
}

static florin_status out_of_range(florin_error *err, const char *option, const char *range)
{
    return fl_fail(err, FLORIN_EUSAGE, "%s must be %s", option, range);
}

florin_status fl_train_check(const fl_train_config *c, florin_error *err)
{
    if (!c->hidden || c->hidden > FL_H_MAX) return out_of_range(err, "--hidden", "1 to 2048");
    if (!c->width || c->width > FL_D_MAX) return out_of_range(err, "--width", "1 to 1024");
    if (!c->parts || c->parts > FL_PARTS_MAX) return out_of_range(err, "--parts", "1 to 64");
    if (c->lanes > 4096 || c->lanes % c->parts)
        return out_of_range(err, "--lanes", "a multiple of --parts up to 4096");
    if (c->window > 4096) return out_of_range(err, "--window", "1 to 4096");
    if (!c->vocabulary || c->vocabulary > FL_VOCABULARY_MAX / 2)
        return out_of_range(err, "--vocabulary", "1 to 524288");
    if (!(c->epochs > 0) || c->epochs > 10000)
        return out_of_range(err, "--epochs", "above 0 and at most 10000");
    if (!(c->minutes >= 0) || c->minutes > 1e6) return out_of_range(err, "--minutes", "at least 0");
    if (!(c->valid_share >= 0) || c->valid_share > 0.9)
        return out_of_range(err, "--valid-share", "0 to 0.9");
    if (!(c->unseen_share >= 0) || c->unseen_share > 0.9)
        return out_of_range(err, "--unseen-share", "0 to 0.9");
    if (!(c->rate > 0) || c->rate > 1 || !(c->rate_end >= 0) || c->rate_end > c->rate)
        return out_of_range(err, "--rate", "above 0 and at most 1");
    if (!(c->field_dropout >= 0) || c->field_dropout > 0.9)
        return out_of_range(err, "--dropout", "0 to 0.9");
    if (!(c->silence >= 0) || c->silence > 1000) return out_of_range(err, "--silence", "0 to 1000");
    if (!(c->contrast >= 0) || c->contrast > 1000)
        return out_of_range(err, "--contrast", "0 to 1000");
    if (c->ahead > FL_AHEAD_MOST) return out_of_range(err, "--ahead", "1 to 64 events");
    if (!(c->ahead_weight >= 0) || c->ahead_weight > 1000)
        return out_of_range(err, "--ahead-weight", "above 0 and at most 1000");
    if (c->ahead_weight > 0 && !c->ahead)
        return fl_fail(err, FLORIN_EUSAGE,
                       "--ahead-weight without --ahead: say how many events ahead, --ahead K");
    if (c->valid_from_us != INT64_MIN && c->valid_from_us > c->until_us)
        return out_of_range(err, "--valid-from", "before --until");
    return check_blocks(c, err);
}

/* Of a transformer alone: the bytes of other models are as they were before there was one. */
static json_t *add_blocks(json_t *j, const fl_train_config *c)
{
    const fl_train_blocks *b = &c->blocks;

    if (!j || !b->layers) return j;
    json_t *more = json_pack("{sisisisisisisisi}", "layers", (int)b->layers, "heads", (int)b->heads,
                             "context", (int)b->context, "block_width",
                             (int)fl_train_blocks_shape(b, c->hidden, c->width).width, "positions",
                             (int)b->positions, "post_norm", (int)b->post_norm, "no_bias",
                             (int)b->no_bias, "no_history", (int)b->no_history);
    if (!more || json_object_update(j, more)) {
        json_decref(j);
        j = NULL;
    }
    json_decref(more);
    return j;
}

json_t *fl_train_config_json(const fl_train_config *c)
{
    json_t *j = json_pack(
        "{sssisisisisisisisisfsIsfsIsIsIsfsfsfsfsfsfsfsfsisfsfsisf}", "precision",
        c->int8 ? "int8" : "fp32", "hidden", (int)c->hidden, "width", (int)c->width, "lanes",
        (int)c->lanes, "window", (int)c->window, "parts", (int)c->parts, "vocabulary",
        (int)c->vocabulary, "dense", (int)c->dense, "bf16", (int)c->bf16, "epochs", c->epochs,
        "steps", (json_int_t)c->steps, "minutes", c->minutes, "seed", (json_int_t)c->seed,
        "until_us", (json_int_t)c->until_us, "valid_from_us", (json_int_t)c->valid_from_us,
        "valid_share", c->valid_share, "unseen_share", c->unseen_share, "rate", c->rate, "rate_end",
        c->rate_end, "warmup", c->warmup, "clip", c->clip, "decay", c->decay, "field_dropout",
        c->field_dropout, "patience", (int)c->patience, "silence", c->silence, "contrast",
        c->contrast, "ahead", (int)c->ahead, "ahead_weight", c->ahead_weight);

    return add_blocks(j, c);
}

/* ---- set-up ---- */

static uint64_t train_events(const fl_rows *rows, int stream)
{
    const fl_sequences *q = &rows->stream[stream];
    uint64_t n = 0;

    for (uint32_t e = 0; e < q->entities; e++)
        for (uint64_t i = q->start[e];
             !q->unseen[e] && i < q->start[e + 1] && q->row[i] < rows->train; i++)
            n++;
    return n;
}

/* Small data need small steps, or there are too few of them: aim at some hundreds. */
static void choose_sizes(fl_train_config *c, uint64_t events)
{
    bool lanes = !c->lanes, window = !c->window;

    if (lanes) c->lanes = (64 + c->parts - 1) / c->parts * c->parts;
    if (window) c->window = 64;
    while (c->epochs * (double)events / (double)(c->lanes * c->window) < 400) {
        if (window && c->window > 32) c->window /= 2;
        else if (lanes && c->lanes / 2 >= 16 && c->lanes / 2 % c->parts == 0) c->lanes /= 2;
        else if (window && c->window > 16) c->window /= 2;
        else break;
    }
}

/* All that a step needs: it allocates nothing itself. */
static florin_status set_up_step(fl_run *r, florin_error *err)
{
    florin_status st = FLORIN_OK;

    for (int s = 0; s < FL_STREAMS; s++) r->streams += r->network->stream[s];
    r->passes = r->config.contrast > 0 ? 2 : 1;
    r->workers = r->streams * r->passes * r->config.parts;
    r->team = fl_team_new(r->threads < r->workers ? r->threads : r->workers, true);
    r->best = fl_alloc_aligned(r->net->total, sizeof(float));
    if (!r->team || !r->best) return fl_fail(err, FLORIN_ENOMEM, "%zu parameters", r->net->total);
    st = fl_optimiser_new(&r->optimiser, r->net, r->team, err);
    r->optimiser.clip = r->config.clip;
    r->optimiser.decay = r->config.decay;
    if (!st)
        st = fl_packs_new(&r->packs, r->net, fl_products_get(NULL, r->config.bf16),
                          FL_PACK_HEADS | FL_PACK_BACKWARD, err);
    uint32_t share = r->config.lanes / r->config.parts;
    for (uint32_t k = 0; k < r->workers && !st; k++) {
        bool compares = k / r->config.parts % r->passes == 1;
        st = compares ? fl_worker_new(&r->worker[k], r->net,
                                      fl_slices_lanes((size_t)share * r->config.window),
                                      FL_SLICE_STEPS, true, err)
                      : fl_worker_new(&r->worker[k], r->net, share, r->config.window, true, err);
    }
    return st;
}

/* What the further objectives read: it follows from the rows alone, so a checkpoint does not hold it. */
static florin_status set_up_objectives(fl_run *r, florin_error *err)
{
    const fl_train_config *c = &r->config;
    florin_status st = FLORIN_OK;
    bool some = false;

    if (c->ahead) st = fl_ahead_new(&r->ahead, r->rows, r->net, c->ahead, err);
    for (int s = 0; s < FL_STREAMS && c->contrast > 0 && !st; s++) {
        if (!r->network->stream[s]) continue;
        st = fl_slices_new(&r->slices[s], r->rows, s, err);
        some |= !st && r->slices[s]->entities > 1;
    }
    if (!st && c->contrast > 0 && !some)
        st = fl_fail(err, FLORIN_EINPUT,
                     "--contrast: fewer than two histories that are trained on have %d events; "
                     "leave it out",
                     FL_SLICE_EVENTS);
    return st;
}

static florin_status set_up(fl_run *r, florin_error *err)
{
    char *folder = fl_path_dir(r->files->out);
    florin_status st;

    if (!folder) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    st = fl_rows_build(&r->rows, &r->network, &r->plan, r->log, &r->config, folder, r->ctx, err);
    if (!st)
        st = r->config.ahead ? fl_net_new_ahead(&r->net, r->network, err)
                             : fl_net_new(&r->net, r->network, err);
    free(folder);
    if (st) return st;
    fl_net_init(r->net, r->config.seed);
    uint64_t most = 0; /* the larger stream's; the other's histories come round again */
    for (int s = 0; s < FL_STREAMS; s++) {
        uint64_t n = r->network->stream[s] ? train_events(r->rows, s) : 0;
        if (n > most) most = n;
    }
    choose_sizes(&r->config, most);
    double n = ceil(r->config.epochs * (double)most / (double)(r->config.lanes * r->config.window));
    r->made = (fl_progress_made){.best = INFINITY, .planned = n >= 1 ? (uint64_t)n : 1};
    if (r->config.steps && r->made.planned > r->config.steps) r->made.planned = r->config.steps;
    st = set_up_objectives(r, err);
    return st ? st : set_up_step(r, err);
}

static void tear_down(fl_run *r)
{
    for (uint32_t k = 0; k < r->workers; k++) fl_worker_free(r->worker[k]);
    for (int s = 0; s < FL_STREAMS; s++) fl_lanes_free(r->lanes[s]);
    for (int s = 0; s < FL_STREAMS; s++) fl_slices_free(r->slices[s]);
    fl_ahead_free(r->ahead);
    fl_optimiser_free(&r->optimiser);
    fl_packs_free(r->packs);
    fl_team_free(r->team);
    free(r->best);
    fl_net_free(r->net);
    fl_network_free(r->network);
    fl_fold_plan_free(r->plan);
    fl_rows_free(r->rows);
}

/* ---- steps ---- */

fl_worker **fl_run_workers(fl_run *r, int stream)
{
    return r->worker + (stream && r->network->stream[0] ? r->passes * r->config.parts : 0);
}

static florin_status begin(fl_run *r, int stream, florin_error *err)
{
    double **counts = NULL;
    florin_status st =
        fl_lanes_new(&r->lanes[stream], r->rows, stream, r->config.lanes, r->config.seed, err);

    if (!st) st = fl_target_counts(&counts, r->net, r->rows, stream, err);
    if (!st) fl_net_bias(r->net, stream, counts);
    if (!st) fl_net_gates(r->net, stream, r->rows, counts);
    if (!st && r->ahead) fl_ahead_bias(r->ahead, r->net, stream);
    fl_target_counts_free(counts);
    return st;
}

/* Nats of later events by the weights as they are now; *some false: there are none. */
static florin_status validate(fl_run *r, int stream, uint8_t *skip, double *nats, bool *some,
                              florin_error *err)
{
    fl_held_out held = {r->rows, stream};
    fl_evaluation e = {.stream = stream,
                       .slice = fl_held_out_slice,
                       .arg = &held,
                       .skip = skip,
                       .threads = r->threads,
                       .ctx = r->ctx};
    fl_nats *out = fl_calloc(1, sizeof *out);
    florin_status st = out ? fl_evaluate(r->net, r->rows, &e, out, err)
                           : fl_fail(err, FLORIN_ENOMEM, "validation");

    *nats = 0;
    for (uint32_t t = 0; t < r->net->targets && !st; t++) *nats += out->nats[FL_LATER][t];
    *some = !st && out->events[FL_LATER] > 0;
    if (*some) *nats /= (double)out->events[FL_LATER];
    free(out);
    return st;
}

/* Validate, keep the best weights, decide on stopping. */
static florin_status judge(fl_run *r, uint8_t *const *skip, florin_error *err)
{
    fl_progress_made *p = &r->made;
    double sum = 0;
    bool any = false;

    for (int s = 0; s < FL_STREAMS; s++) {
        double nats;
        bool some;
        if (!r->network->stream[s]) continue;
        florin_status st = validate(r, s, skip[s], &nats, &some, err);
        if (st) return st;
        if (!some) continue;
        any = true;
        sum += nats;
        fl_run_journal(r, json_pack("{sssIsf}", "stream", s ? "payee" : "payer", "step",
                                    (json_int_t)p->steps, "validation_nats", nats));
    }
    p->judged = p->steps;
    if (!any) return FLORIN_OK;
    if (sum < p->best) {
        p->best = sum;
        p->best_step = p->steps;
        p->bad = 0;
        memcpy(r->best, r->net->w, r->net->total * sizeof(float));
    } else if (++p->bad >= r->config.patience && r->config.patience && p->steps < p->planned) {
        p->stopped_early = true;
    }
    return FLORIN_OK;
}

/* Share of the training that is done: by steps, or by time where a limit was asked for. */
static double progress_of(const fl_run *r)
{
    double done = (double)r->made.steps / (double)r->made.planned;

    if (r->config.minutes > 0) {
        double timed = (double)(fl_monotonic_us(r->ctx) - r->begun_us) / (r->config.minutes * 60e6);
        if (timed > done) done = timed;
    }
    return done;
}

static double rate_at(const fl_train_config *c, double done)
{
    if (done > 1) done = 1;
    if (done < c->warmup) return c->rate * (done + 1e-3) / (c->warmup + 1e-3);
    double x = (done - c->warmup) / (1 - c->warmup);
    return c->rate_end + (c->rate - c->rate_end) * 0.5 * (1 + cos(3.14159265358979 * x));
}

static double mean_nats(fl_run *r, int stream, uint64_t events)
{
    fl_worker *const *worker = fl_run_workers(r, stream);
    double sum = 0;

    for (uint32_t k = 0; k < r->config.parts; k++) {
        const fl_window *w = fl_worker_window(worker[k]);
        size_t n = (size_t)w->lanes * w->steps * r->net->targets;
        for (size_t i = 0; i < n; i++) sum += (double)fl_worker_nats(worker[k])[i];
    }
    return events ? sum / (double)events : 0;
}

/* Speed of the last half second or more; before the first is over, of what there is. Each stream's events count. */
static void count_events(fl_run *r)
{
    int64_t now = fl_monotonic_us(r->ctx), span = now - r->counted_us;

    r->counted_events += (uint64_t)r->config.lanes * r->config.window * r->streams;
    if (span > 500000 || (!r->timed && span > 0))
        r->events_per_s = (double)r->counted_events * 1e6 / (double)span;
    if (span <= 500000) return;
    r->timed = true;
    r->counted_us = now;
    r->counted_events = 0;
}

/* The passes of a stream in this step, their windows filled. *loss: positions with a loss. */
static uint32_t add_passes(fl_run *r, int stream, fl_pass *pass, uint64_t *loss)
{
    const fl_train_config *c = &r->config;
    uint64_t seed = fl_mix64(c->seed ^ fl_mix64(r->made.steps * 2 + (uint64_t)stream + 1));
    fl_worker **worker = fl_run_workers(r, stream);

    *pass = (fl_pass){.stream = stream,
                      .train = true,
                      .seed = seed,
                      .dropout = c->field_dropout,
                      .packs = r->packs,
                      .silence = (float)c->silence,
                      .ahead = r->ahead,
                      .ahead_weight = (float)c->ahead_weight};
    *loss = fl_lanes_next(r->lanes[stream], worker, c->parts, c->window);
    if (r->passes == 1) return 1;
    uint32_t slices =
        fl_slices_fill(r->slices[stream], worker + c->parts, c->parts, seed ^ 0x636f6c6573);
    pass[1] = (fl_pass){.stream = stream,
                        .train = true,
                        .seed = fl_mix64(seed),
                        .dropout = c->field_dropout,
                        .packs = r->packs,
                        .states_alone = true,
                        .contrast = (float)(c->contrast / (slices ? slices : 1))};
    return 2;
}

/* One line of each stream: where its losses are. */
static void note_losses(fl_run *r, const double *nats, double norm)
{
    for (int s = 0; s < FL_STREAMS && r->made.steps % JOURNAL_EVERY == 0; s++) {
        if (!r->network->stream[s]) continue;
        fl_worker **worker = fl_run_workers(r, s);
        json_t *j = json_pack("{sssIsfsfsfsf}", "stream", s ? "payee" : "payer", "step",
                              (json_int_t)r->made.steps, "nats", nats[s], "norm", norm, "rate",
                              r->optimiser.rate, "events_per_s", r->events_per_s);
        double ahead = 0, contrast = 0;
        for (uint32_t k = 0; k < r->config.parts; k++) {
            if (r->ahead) ahead += fl_worker_ahead_loss(worker[k]);
            if (r->passes > 1) contrast += fl_worker_contrast_loss(worker[r->config.parts + k]);
        }
        if (r->ahead) json_object_set_new(j, "ahead_loss", json_real(ahead));
        if (r->passes > 1) json_object_set_new(j, "contrast_loss", json_real(contrast));
        fl_run_journal(r, j);
    }
}

static florin_status one_step(fl_run *r, florin_error *err)
{
    fl_progress_made *p = &r->made;
    fl_train_step j = {.team = r->team,
                       .packs = r->packs,
                       .net = r->net,
                       .rows = r->rows,
                       .worker = r->worker,
                       .workers = r->workers,
                       .parts = r->config.parts};
    double nats[FL_STREAMS] = {0};
    uint64_t loss[FL_STREAMS];
    uint32_t passes = 0;

    for (int s = 0; s < FL_STREAMS; s++)
        if (r->network->stream[s]) passes += add_passes(r, s, j.pass + passes, &loss[s]);
    fl_train_step_run(&j);
    for (int s = 0; s < FL_STREAMS; s++)
        if (r->network->stream[s]) nats[s] = mean_nats(r, s, loss[s]);
    r->optimiser.rate = rate_at(&r->config, progress_of(r));
    double norm = fl_optimiser_step(&r->optimiser, r->net, r->worker, r->workers);
    if (!isfinite(norm) || !isfinite(nats[0]) || !isfinite(nats[1]))
        return fl_fail(err, FLORIN_EINTERNAL,
                       "training left the range of numbers at step %llu; try a smaller --rate",
                       (unsigned long long)p->steps);
    for (int s = 0; s < FL_STREAMS; s++)
        p->nats[s] = p->steps ? 0.95 * p->nats[s] + 0.05 * nats[s] : nats[s];
    p->steps++;
    count_events(r);
    note_losses(r, nats, norm);
    return FLORIN_OK;
}

static void show(const fl_run *r)
{
    const fl_progress_made *p = &r->made;

    fl_progress_note(r->ctx, "pretrain", p->steps, p->planned, "%.0f events/s, %.2f nats",
                     r->events_per_s, p->nats[0] + p->nats[1]);
}

/* now: at the end of training, so that a stop in what follows loses nothing. A failure is said once, until one works. */
static void checkpoint_if_due(fl_run *r, bool now)
{
    florin_error local = {0};
    int64_t t = fl_monotonic_us(r->ctx);
    double every = r->files->checkpoint_s, first = every < FIRST_SAVE_S ? every : FIRST_SAVE_S;

    if (!now && (every <= 0 || (double)(t - r->saved_us) < (r->saved ? every : first) * 1e6))
        return;
    r->saved_us = t;
    r->saved = true;
    bool failed = fl_checkpoint_save(r, &local) != FLORIN_OK;
    if (failed && !r->save_failed)
        fl_say(r->ctx, FLORIN_LOG_WARN, "no checkpoint this time, training goes on: %s",
               local.message);
    r->save_failed = failed;
}

static bool over(const fl_run *r)
{
    const fl_progress_made *p = &r->made;

    return p->steps >= p->planned || p->stopped_early ||
           (r->config.minutes > 0 && progress_of(r) >= 1);
}

static void end(fl_run *r)
{
    fl_progress_made *p = &r->made;

    if (isfinite(p->best)) memcpy(r->net->w, r->best, r->net->total * sizeof(float));
    p->done = true;
    for (int s = 0; s < FL_STREAMS; s++) {
        fl_lanes_free(r->lanes[s]);
        r->lanes[s] = NULL;
    }
    fl_progress(r->ctx, "pretrain", p->planned, p->planned);
    checkpoint_if_due(r, true);
}

static florin_status stopped(fl_run *r, florin_error *err)
{
    florin_error local = {0};
    unsigned long long steps = r->made.steps;

    if (fl_checkpoint_save(r, &local))
        return fl_fail(err, FLORIN_ECANCELLED,
                       "stopped at step %llu; the last checkpoint stays (a new one failed: %s)",
                       steps, local.message);
    return fl_fail(err, FLORIN_ECANCELLED,
                   "stopped at step %llu; go on with the same command and --resume", steps);
}

/* A validation that was interrupted is done again after --resume, before the next step. */
static bool validation_due(const fl_run *r)
{
    const fl_progress_made *p = &r->made;
    uint64_t every = (p->planned + VALIDATIONS - 1) / VALIDATIONS;

    if (!p->steps || p->judged == p->steps) return false;
    /* A time limit ends between validations: the last weights take part too. */
    return p->steps % every == 0 || p->steps == p->planned ||
           (r->config.minutes > 0 && progress_of(r) >= 1);
}

static florin_status take_steps(fl_run *r, uint8_t *const *skip, bool held, florin_error *err)
{
    florin_status st = FLORIN_OK;

    while (!st) {
        if (held && validation_due(r)) st = judge(r, skip, err);
        if (st || over(r)) break;
        st = one_step(r, err);
        if (st) break;
        r->steps_now++;
        show(r);
        if (fl_cancelled(r->ctx) || (r->files->stop_after && r->steps_now >= r->files->stop_after))
            st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
        else checkpoint_if_due(r, false);
    }
    if (st == FLORIN_ECANCELLED) st = stopped(r, err);
    if (!st) end(r);
    return st;
}

static florin_status run_steps(fl_run *r, florin_error *err)
{
    uint8_t *skip[FL_STREAMS] = {NULL};
    uint64_t held = 0;
    bool fresh = !r->lanes[0] && !r->lanes[1]; /* no checkpoint was read */
    florin_status st = FLORIN_OK;

    if (r->made.done) return FLORIN_OK;
    for (int s = 0; s < FL_STREAMS && !st; s++) {
        if (!r->network->stream[s]) continue;
        skip[s] = fl_calloc((size_t)r->rows->stream[s].entities + 1, 1);
        if (!skip[s]) st = fl_fail(err, FLORIN_ENOMEM, "validation");
        else held += fl_held_out_choose(r->rows, s, VALIDATION_EVENTS, skip[s]);
        if (!st && fresh) st = begin(r, s, err);
    }
    if (!st) st = take_steps(r, skip, held > 0, err);
    for (int s = 0; s < FL_STREAMS; s++) free(skip[s]);
    return st;
}

/* ---- the model file ---- */

static florin_status save_model(fl_run *r, const json_t *report, florin_error *err)
{
    fl_tensor *tensor = fl_calloc(r->net->own, sizeof *tensor); /* no head of training alone */
    json_t *meta = json_pack(
        "{siso*so*so*s[]}", "florin", 1, "schema", fl_schema_to_json(fl_log_schema(r->log)), "fold",
        fl_fold_plan_to_json(r->plan), "network", fl_network_to_json(r->network), "heads");
    florin_status st = FLORIN_OK;

    if (!tensor || !meta || json_object_update(meta, (json_t *)(uintptr_t)report)) {
        st = fl_fail(err, FLORIN_ENOMEM, "model file");
        goto done;
    }
    for (uint32_t i = 0; i < r->net->own; i++) {
        const fl_parameter *p = &r->net->list[i];
        tensor[i] = (fl_tensor){.name = p->name,
                                .type = FL_F32,
                                .dims = 2,
                                .dim = {p->rows, p->cols},
                                .data = r->net->w + r->net->offset[i]};
    }
    st = fl_model_file_save(r->files->out, meta, tensor, r->net->own, err);
done:
    json_decref(meta);
    free(tensor);
    return st;
}

florin_status fl_pretrain(const fl_log *log, const fl_train_config *config,
                          const fl_train_files *files, const florin_context *ctx, json_t **report,
                          florin_error *err)
{
    fl_run *r = fl_calloc(1, sizeof *r);
    florin_status st;
    bool found = false;

    *report = NULL;
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    r->log = log;
    r->ctx = ctx;
    r->files = files;
    r->config = *config;
    if (config->ahead && !(config->ahead_weight > 0)) r->config.ahead_weight = AHEAD_WEIGHT;
    r->threads = fl_threads(ctx);
    st = fl_train_check(config, err);
    if (!st) st = set_up(r, err);
    if (!st && files->resume) st = fl_checkpoint_load(r, &found, err);
    if (!st && files->resume && !found)
        fl_say(ctx, FLORIN_LOG_WARN, "no checkpoint beside %s: starting from the beginning",
               files->out);
    r->begun_us = r->saved_us = r->counted_us = fl_monotonic_us(ctx);
    if (!st) st = run_steps(r, err);
    if (!st) st = fl_run_report(r, report, err);
    if (st == FLORIN_ECANCELLED && r->made.done)
        st = fl_fail(err, st, "stopped while measuring; go on with the same command and --resume");
    if (!st) st = save_model(r, *report, err);
    if (!st) fl_checkpoint_remove(files->out);
    if (st) {
        json_decref(*report);
        *report = NULL;
    }
    tear_down(r);
    free(r);
    return st;
}
