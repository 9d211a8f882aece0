/* What a pretraining learnt, for people and for the model file: nats per field beside the baselines, on the later slice
 * and on unseen entities. Owns the journal's lines. Invariant: a model that does not beat a baseline is said to. */
#include "train/run.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

enum { MEASURED_EVENTS = 400000 };

static const char *const slice_name[] = {"later", "unseen"};
static const char *const stream_name[FL_STREAMS] = {"payer", "payee"};

void fl_run_journal(fl_run *r, json_t *j)
{
    char *text = j ? fl_json_text(j) : NULL;

    json_decref(j);
    if (!text || !r->files->journal || r->journal_lost) {
        free(text);
        return;
    }
    size_t n = strlen(text);
    text[n] = '\n'; /* over the NUL: written with its length */
    int fd = open(r->files->journal, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, n + 1) != (ssize_t)(n + 1)) {
        r->journal_lost = true;
        fl_say(r->ctx, FLORIN_LOG_WARN, "%s: %s: training goes on without this log",
               r->files->journal, strerror(errno));
    }
    if (fd >= 0) close(fd);
    free(text);
}

/* {"field": nats, ..., "sum": nats} means of one slice. */
static json_t *means(const fl_net *net, const fl_nats *n, int slice)
{
    json_t *j = json_object();
    double sum = 0;

    for (uint32_t t = 0; t < net->targets; t++) {
        double mean = n->nats[slice][t] / (double)n->events[slice];
        sum += mean;
        json_object_set_new(j, net->target[t].name, json_real(mean));
    }
    json_object_set_new(j, "sum", json_real(sum));
    return j;
}

/* Fields where the network is worse than the best baseline. */
static json_t *beaten_by(const fl_net *net, const fl_nats *model, const fl_nats *base, int slice)
{
    json_t *list = json_array();

    for (uint32_t t = 0; t < net->targets; t++)
        for (int b = 0; b < FL_BASELINES; b++)
            if (base[b].nats[slice][t] < model->nats[slice][t]) {
                json_array_append_new(list, json_string(net->target[t].name));
                break;
            }
    return list;
}

static florin_status measure(fl_run *r, int stream, json_t *metrics, json_t *baselines,
                             florin_error *err)
{
    uint8_t *skip = fl_calloc((size_t)r->rows->stream[stream].entities + 1, 1);
    fl_nats *nats = fl_calloc(1 + FL_BASELINES, sizeof *nats);
    double **counts = NULL;
    fl_held_out held = {r->rows, stream};
    fl_evaluation e = {.stream = stream,
                       .slice = fl_held_out_slice,
                       .arg = &held,
                       .skip = skip,
                       .threads = r->threads,
                       .ctx = r->ctx,
                       .stage = stream ? "measure payee" : "measure payer"};
    florin_status st = skip && nats ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "measuring");

    if (st) goto done;
    fl_held_out_choose(r->rows, stream, MEASURED_EVENTS, skip);
    st = fl_evaluate(r->net, r->rows, &e, nats, err);
    if (!st) st = fl_target_counts(&counts, r->net, r->rows, stream, err);
    if (!st) st = fl_baselines(r->net, r->rows, stream, counts, skip, r->threads, nats + 1, err);
    if (st) goto done;
    json_t *m = json_object(), *b = json_object();
    for (int s = 0; s < 2; s++) {
        if (!nats->events[s]) continue;
        json_t *each = json_object();
        json_object_set_new(m, slice_name[s],
                            json_pack("{sIsoso}", "events", (json_int_t)nats->events[s], "nats",
                                      means(r->net, nats, s), "worse_than_a_baseline",
                                      beaten_by(r->net, nats, nats + 1, s)));
        for (int k = 0; k < FL_BASELINES; k++)
            json_object_set_new(each, fl_baseline_name((fl_baseline)k),
                                means(r->net, nats + 1 + k, s));
        json_object_set_new(b, slice_name[s], each);
    }
    json_object_set_new(metrics, stream_name[stream], m);
    json_object_set_new(baselines, stream_name[stream], b);
done:
    fl_target_counts_free(counts);
    free(nats);
    free(skip);
    return st;
}

/* Of the model: heads of training alone do not count. */
static json_int_t parameters(const fl_net *net)
{
    json_int_t n = 0;

    for (uint32_t i = 0; i < net->own; i++)
        n += (json_int_t)(net->list[i].rows * net->list[i].cols);
    return n;
}

static json_t *trained_json(const fl_run *r)
{
    json_t *j = json_pack(
        "{sIsssIsIsIsIsIsIso*}", "until_us", (json_int_t)r->config.until_us, "data_hash",
        r->rows->hash, "events", (json_int_t)r->rows->count, "train_events",
        (json_int_t)r->rows->train, "labels", (json_int_t)r->rows->labels, "valid_from_us",
        (json_int_t)r->rows->valid_from_us, "seed", (json_int_t)r->config.seed, "parameters",
        parameters(r->net), "config", fl_train_config_json(&r->config));

    for (int s = 0; s < FL_STREAMS && j; s++) {
        const fl_progress_made *p = &r->made;
        if (!r->network->stream[s]) continue;
        json_object_set_new(j, stream_name[s],
                            json_pack("{sIsIsIsb}", "steps", (json_int_t)p->steps, "best_step",
                                      (json_int_t)p->best_step, "events",
                                      (json_int_t)(p->steps * r->config.lanes * r->config.window),
                                      "stopped_early", p->stopped_early));
    }
    return j;
}

florin_status fl_run_report(fl_run *r, json_t **out, florin_error *err)
{
    json_t *metrics = json_object(), *baselines = json_object();
    florin_status st = FLORIN_OK;

    for (int s = 0; s < FL_STREAMS && !st; s++)
        if (r->network->stream[s]) st = measure(r, s, metrics, baselines, err);
    if (!st) {
        *out = json_pack("{ssso*sOsO}", "report", "pretrain", "trained", trained_json(r), "metrics",
                         metrics, "baselines", baselines);
        if (!*out) st = fl_fail(err, FLORIN_ENOMEM, "report");
    }
    json_decref(metrics);
    json_decref(baselines);
    return st;
}

/* ---- text ---- */

static void table(const florin_context *ctx, const char *stream, const char *slice,
                  const json_t *metrics, const json_t *baselines)
{
    const json_t *m = json_object_get(json_object_get(metrics, stream), slice);
    const json_t *b = json_object_get(json_object_get(baselines, stream), slice), *value;
    const json_t *model = json_object_get(m, "nats");
    const char *field;

    if (!m) return;
    fl_writef(ctx, "\nNats of a %s's next event, less is better: %s (%lld)\n", stream,
              strcmp(slice, "later") == 0 ? "events later in time" : "entities never trained on",
              (long long)fl_json_int(m, "events", 0));
    fl_writef(ctx, "  %-18s %8s %9s %9s %9s %9s\n", "field", "Florin", "popular", "last",
              "frequent", "decayed");
    json_object_foreach((json_t *)(uintptr_t)model, field, value)
    {
        double own = json_number_value(value), best = INFINITY;
        fl_writef(ctx, "  %-18.18s %8.3f", field, own);
        for (int k = 0; k < FL_BASELINES; k++) {
            double x =
                fl_json_num(json_object_get(b, fl_baseline_name((fl_baseline)k)), field, INFINITY);
            if (x < best) best = x;
            fl_writef(ctx, " %9.3f", x);
        }
        fl_writef(ctx, "%s\n", own > best ? "  worse" : "");
    }
}

/* One plain sentence: does it beat counting? */
static void verdict(const florin_context *ctx, const char *stream, const char *slice,
                    const json_t *metrics, const json_t *baselines)
{
    const json_t *m = json_object_get(json_object_get(metrics, stream), slice);
    const json_t *b = json_object_get(json_object_get(baselines, stream), slice);
    const char *best = NULL;
    double own = fl_json_num(json_object_get(m, "nats"), "sum", 0), lowest = INFINITY;

    if (!m) return;
    for (int i = 0; i < FL_BASELINES; i++) {
        const char *name = fl_baseline_name((fl_baseline)i);
        double other = fl_json_num(json_object_get(b, name), "sum", INFINITY);
        if (other < lowest) best = name;
        lowest = fmin(lowest, other);
    }
    if (own <= lowest)
        fl_writef(ctx, "Beats all four baselines (%s, %s): %.3f nats against %.3f of '%s'.\n",
                  stream, slice, own, lowest, best);
    else
        fl_writef(ctx,
                  "This model does NOT beat the simple baseline '%s' (%s, %s):\n  %.3f nats "
                  "against %.3f. Do not use it: give it more data or more epochs.\n",
                  best, stream, slice, own, lowest);
}

void fl_train_report_text(const florin_context *ctx, const json_t *report)
{
    const json_t *trained = json_object_get(report, "trained"),
                 *metrics = json_object_get(report, "metrics");
    const json_t *baselines = json_object_get(report, "baselines");
    char until[32], from[32];

    fl_time_format(fl_json_int(trained, "until_us", 0), until);
    fl_time_format(fl_json_int(trained, "valid_from_us", 0), from);
    fl_writef(
        ctx,
        "Learnt from %lld events before %s; nothing later was used. %lld of them, from %s on, were "
        "kept for validation.\n",
        (long long)fl_json_int(trained, "train_events", 0), until,
        (long long)(fl_json_int(trained, "events", 0) - fl_json_int(trained, "train_events", 0)),
        from);
    fl_writef(ctx, "Baselines, with constants chosen on the training events: popular = each "
                   "value's share; last, frequent = "
                   "the entity's last or most frequent value, smoothed with popular; decayed = its "
                   "faded counts mixed with "
                   "popular.\n");
    const json_t *p = json_object_get(trained, stream_name[0]);
    if (!p) p = json_object_get(trained, stream_name[1]);
    fl_writef(ctx, "Training took %lld steps%s.\n", (long long)fl_json_int(p, "steps", 0),
              fl_json_bool(p, "stopped_early", false)
                  ? ", stopped early: validation no longer improved"
                  : "");
    for (int s = 0; s < FL_STREAMS; s++)
        for (int k = 0; k < 2; k++) table(ctx, stream_name[s], slice_name[k], metrics, baselines);
    fl_writef(ctx, "\n");
    for (int s = 0; s < FL_STREAMS; s++)
        for (int k = 0; k < 2; k++) verdict(ctx, stream_name[s], slice_name[k], metrics, baselines);
}
