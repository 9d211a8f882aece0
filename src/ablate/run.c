/* Owns the order of an ablation's runs. Seeds come first, so that a run that is cut short by its budget has compared every
 * choice at least once. Invariant: a run's key follows from all that decides its result, so a changed plan repeats only what it
 * changed, and two choices that ask for the same run share it. */
#include "ablate/run.h"
#include "ablate/gain.h"
#include "ablate/work.h"
#include "base/file.h"
#include "task/fit.h"
#include <stdio.h>
#include <sys/resource.h>

typedef struct {
    const fl_ablate_plan *plan;
    const fl_ablate_options *opt;
    const florin_context *ctx;
    florin_error *err;
    fl_work work;
    fl_log *log[FL_ABLATE_DATA];
    json_t *planned; /* keys */
    uint64_t done;
    int64_t begun_us;
    bool late;
} runner;

typedef struct {
    const fl_ablate_data *data;
    const fl_log *log;
    const fl_choice *choice; /* NULL: the defaults */
    uint64_t seed;
    char model[17]; /* keys */
} one;

/* Of all threads of this process: what a run costs, whatever else the machine does. */
static double core_seconds(void)
{
    struct rusage u;

    if (getrusage(RUSAGE_SELF, &u)) return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static char *file_of(const runner *r, const char *key, const char *ending)
{
    return fl_asprintf("%s/%s.%s", r->opt->work, key, ending);
}

/* ---- keys ---- */

static florin_status key_of(char out[17], const char *what, const json_t *j, florin_error *err)
{
    char *text = j ? fl_json_text(j) : NULL;

    if (!text) return fl_fail(err, FLORIN_ENOMEM, "ablation");
    snprintf(out, 17, "%016llx",
             (unsigned long long)fl_hash64(text, strlen(text), fl_hash64(what, strlen(what), 1)));
    free(text);
    return FLORIN_OK;
}

static florin_status model_key(runner *r, one *o)
{
    fl_train_config c;
    florin_status st = fl_ablate_config(&c, o->data, o->choice, o->seed, r->err);
    json_t *j = st ? NULL
                   : json_pack("{s:o*, s:s}", "config", fl_train_config_json(&c), "log",
                               fl_log_hash(o->log));

    if (!st) st = key_of(o->model, "pretrain", j, r->err);
    json_decref(j);
    return st;
}

static florin_status fit_key(runner *r, const one *o, const char *path, char out[17])
{
    fl_task t;
    char *text = NULL;
    size_t n = 0;
    florin_status st = fl_ablate_task(&t, path, o->choice, o->log, r->err);

    if (!st) st = fl_read_file(&text, &n, path, 1 << 20, r->err);
    json_t *j =
        st ? NULL
           : json_pack("{s:s, s:I, s:s, s:s, s:I, s:I}", "model", o->model, "task",
                       (json_int_t)(fl_hash64(text, n, 1) >> 1), "head", t.head, "inputs", t.inputs,
                       "rounds", (json_int_t)r->plan->rounds, "seed", (json_int_t)o->seed);
    if (!st) st = key_of(out, "fit", j, r->err);
    json_decref(j);
    free(text);
    return st;
}

/* ---- one run ---- */

static json_t *line_of(const one *o, const char *kind, double seconds)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:f}", "kind", kind, "data", o->data->name, "choice",
                     o->choice ? o->choice->name : "defaults", "seed", (json_int_t)o->seed,
                     "core_seconds", seconds);
}

static double nats(const json_t *report, const char *slice)
{
    static const char *const stream[] = {"payer", "payee"};
    const json_t *metrics = json_object_get(report, "metrics");
    double sum = 0;

    for (int s = 0; s < FL_STREAMS; s++) {
        const json_t *m = json_object_get(json_object_get(metrics, stream[s]), slice);
        sum += fl_json_num(json_object_get(m, "nats"), "sum", 0);
    }
    return sum;
}

static florin_status pretrain(runner *r, const one *o)
{
    fl_train_config c;
    char *out = file_of(r, o->model, "florin"), *checkpoint = NULL;
    json_t *report = NULL;
    florin_status st = fl_ablate_config(&c, o->data, o->choice, o->seed, r->err);

    if (out) checkpoint = fl_asprintf("%s.checkpoint", out);
    if (!st && !checkpoint) st = fl_fail(r->err, FLORIN_ENOMEM, "ablation");
    bool resumed = !st && fl_file_exists(checkpoint);
    fl_train_files files = {.out = out, .resume = resumed, .checkpoint_s = 60};
    double before = core_seconds();
    if (!st) st = fl_pretrain(o->log, &c, &files, r->ctx, &report, r->err);
    if (!st) {
        const json_t *t = json_object_get(report, "trained");
        json_t *line = line_of(o, "pretrain", core_seconds() - before);
        double events = 0;
        for (int s = 0; s < FL_STREAMS; s++)
            events += (double)fl_json_int(json_object_get(t, s ? "payee" : "payer"), "events", 0);
        json_t *more = json_pack("{s:f, s:I, s:f, s:f, s:b}", "events", events, "parameters",
                                 (json_int_t)fl_json_int(t, "parameters", 0), "nats_later",
                                 nats(report, "later"), "nats_unseen", nats(report, "unseen"),
                                 "resumed", (int)resumed);
        if (line && more) json_object_update(line, more);
        json_decref(more);
        st = fl_work_add(&r->work, o->model, line, r->err);
    }
    json_decref(report);
    free(checkpoint);
    free(out);
    return st;
}

static florin_status fit(runner *r, const one *o, const char *path, const char *key)
{
    fl_task t;
    fl_model *m = NULL;
    json_t *j = NULL;
    char *model = file_of(r, o->model, "florin"), *scores = file_of(r, key, "csv");
    double before = core_seconds();
    florin_status st = fl_ablate_task(&t, path, o->choice, o->log, r->err);

    if (!st && (!model || !scores)) st = fl_fail(r->err, FLORIN_ENOMEM, "ablation");
    if (!st) st = fl_model_open(&m, model, NULL, r->err);
    const fl_fit_options opt = {.scores = scores,
                                .seed = o->seed,
                                .draws = 20,
                                .rounds = r->plan->rounds,
                                .validate_only = true};
    if (!st) st = fl_fit(&j, &t, m, o->log, &opt, r->ctx, r->err);
    if (!st) {
        json_t *line = line_of(o, "fit", core_seconds() - before);
        if (line) json_object_set_new(line, "task", json_string(t.name));
        st = fl_work_add(&r->work, key, line, r->err);
    }
    json_decref(j);
    fl_model_close(m);
    free(model);
    free(scores);
    return st;
}

/* ---- all runs ---- */

static bool finished(const runner *r, const char *key, const char *ending)
{
    char *path = file_of(r, key, ending);
    bool there = path && fl_work_find(&r->work, key) && fl_file_exists(path);

    free(path);
    return there;
}

/* Runs a task needs a model for; plan: they are only counted. */
static florin_status run_fits(runner *r, const one *o, bool plan)
{
    florin_status st = FLORIN_OK;

    for (uint32_t i = 0; i < o->data->tasks && !st && !r->late; i++) {
        char key[17];
        st = fit_key(r, o, o->data->task[i], key);
        if (st) return st;
        if (plan) {
            json_object_set_new(r->planned, key, json_true());
            continue;
        }
        if (finished(r, key, "csv")) continue;
        if (!finished(r, o->model, "florin")) { /* somebody tidied up */
            st = pretrain(r, o);
            if (st) return st;
        }
        st = fit(r, o, o->data->task[i], key);
        if (!st) r->done++;
    }
    return st;
}

static bool too_late(const runner *r)
{
    double minutes = (double)(fl_monotonic_us(r->ctx) - r->begun_us) / 60e6;

    return r->opt->minutes > 0 && minutes > r->opt->minutes;
}

static florin_status run_choice(runner *r, one *o, bool plan)
{
    florin_status st = model_key(r, o);

    if (st) return st;
    if (plan) {
        json_object_set_new(r->planned, o->model, json_true());
        return run_fits(r, o, true);
    }
    r->late = r->late || too_late(r);
    if (r->late) return FLORIN_OK;
    fl_say(r->ctx, FLORIN_LOG_INFO, "%llu of %zu runs done; now %s, %s, seed %llu",
           (unsigned long long)r->done, json_object_size(r->planned), o->data->name,
           o->choice ? o->choice->name : "the defaults", (unsigned long long)o->seed);
    if (!fl_work_find(&r->work, o->model)) {
        st = pretrain(r, o);
        if (!st) r->done++;
    }
    return st ? st : run_fits(r, o, false);
}

static florin_status all_runs(runner *r, bool plan)
{
    const fl_ablate_plan *p = r->plan;
    florin_status st = FLORIN_OK;

    for (uint64_t seed = 1; seed <= p->seeds; seed++)
        for (uint32_t d = 0; d < p->data_sets; d++)
            for (uint32_t c = p->scaling; c <= p->choices && !st; c++) {
                one o = {.data = &p->data[d],
                         .log = r->log[d],
                         .choice = c ? &p->choice[c - 1] : NULL,
                         .seed = seed};
                st = run_choice(r, &o, plan);
            }
    return st;
}

/* Logs and tasks fit each other, and no task is judged on what pretraining saw. */
static florin_status open_logs(runner *r)
{
    florin_status st = FLORIN_OK;

    for (uint32_t d = 0; d < r->plan->data_sets && !st; d++) {
        const fl_ablate_data *data = &r->plan->data[d];
        st = fl_log_open(&r->log[d], data->log, r->err);
        for (uint32_t i = 0; i < data->tasks && !st; i++) {
            fl_task t;
            st = fl_ablate_task(&t, data->task[i], NULL, r->log[d], r->err);
            if (!st && t.period[0].from_us < data->until_us)
                st = fl_fail(r->err, FLORIN_ELEAK,
                             "%s: `until` of %s is later than the first validation period of %s; "
                             "pretraining would see what is judged",
                             r->plan->path, data->name, data->task[i]);
        }
    }
    return st;
}

/* ---- what they say ---- */

/* The choice's run of a seed, and its lines; false: something is missing. */
static bool lines_of(runner *r, uint32_t d, const fl_choice *c, uint64_t seed, one *o,
                     const json_t **model)
{
    *o = (one){.data = &r->plan->data[d], .log = r->log[d], .choice = c, .seed = seed};
    if (model_key(r, o)) return false;
    *model = fl_work_find(&r->work, o->model);
    return *model != NULL;
}

/* Scores of a task's runs by all seeds that both sides have; *seeds: how many. */
static florin_status load_scores(runner *r, uint32_t d, const char *task, const fl_choice *c,
                                 fl_runs_scores *s, uint32_t *seeds)
{
    char *path[2 * FL_ABLATE_SEEDS] = {NULL};
    florin_status st = FLORIN_OK;

    *seeds = 0;
    for (uint64_t seed = 1; seed <= r->plan->seeds && !st; seed++) {
        char *both[2] = {NULL, NULL};
        for (int side = 0; side < 2 && !st; side++) {
            one o;
            const json_t *model;
            char key[17];
            if (!lines_of(r, d, side ? c : NULL, seed, &o, &model)) continue;
            st = fit_key(r, &o, task, key);
            if (!st && finished(r, key, "csv")) both[side] = file_of(r, key, "csv");
        }
        if (both[0] && both[1]) {
            path[*seeds] = both[0];
            path[FL_ABLATE_SEEDS + (*seeds)++] = both[1];
        } else {
            free(both[0]);
            free(both[1]);
        }
    }
    for (int side = 0; side < 2; side++) /* the default's, then the changed ones */
        for (uint32_t i = 0; i < *seeds; i++) {
            uint32_t at = (uint32_t)(side ? FL_ABLATE_SEEDS : 0) + i;
            if (!st) st = fl_runs_add(s, path[at], r->err);
            free(path[at]);
        }
    return st;
}

static florin_status gain_of(runner *r, uint32_t d, const char *task, const fl_choice *c,
                             json_t *into)
{
    fl_runs_scores s = {0};
    fl_gain g;
    fl_task t;
    uint32_t seeds = 0;
    florin_status st = fl_ablate_task(&t, task, c, r->log[d], r->err);

    if (!st) st = load_scores(r, d, task, c, &s, &seeds);
    if (!st && seeds) {
        st = fl_gain_of(&g, &s, seeds, t.per_event, r->plan->draws, r->ctx, r->err);
        if (c->on) /* the changed run is the one without */
            g = (fl_gain){g.on, g.off, {0 - g.gain.value, 0 - g.gain.high, 0 - g.gain.low}};
        if (!st)
            json_array_append_new(
                into, json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "data",
                                r->plan->data[d].name, "task", t.name, "metric",
                                t.per_event ? "AP" : "AUC", "rows", (json_int_t)s.n, "seeds",
                                (json_int_t)seeds, "off", g.off, "on", g.on, "gain", g.gain.value,
                                "low", g.gain.low, "high", g.gain.high));
    }
    fl_runs_free(&s);
    return st;
}

/* Means over seeds of what pretraining cost and learnt: of both sides, by the seeds that both have. */
static json_t *cost_of(runner *r, uint32_t d, const fl_choice *c)
{
    double speed[2] = {0}, later[2] = {0}, unseen[2] = {0};
    uint32_t n = 0, timed = 0;

    for (uint64_t seed = 1; seed <= r->plan->seeds; seed++) {
        const json_t *m[2];
        one o;
        if (!lines_of(r, d, NULL, seed, &o, &m[0]) || !lines_of(r, d, c, seed, &o, &m[1])) continue;
        n++;
        bool whole = !fl_json_bool(m[0], "resumed", false) && !fl_json_bool(m[1], "resumed", false);
        timed += whole;
        for (int k = 0; k < 2; k++) {
            int on = c->on ? !k : k;
            double s = fl_json_num(m[k], "core_seconds", 0);
            if (whole && s > 0) speed[on] += fl_json_num(m[k], "events", 0) / s;
            later[on] += fl_json_num(m[k], "nats_later", 0);
            unseen[on] += fl_json_num(m[k], "nats_unseen", 0);
        }
    }
    if (!n) return NULL;
    double by = timed ? 1. / timed : 0, each = 1. / n;
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "data", r->plan->data[d].name,
                     "events_per_core_s_off", speed[0] * by, "events_per_core_s_on", speed[1] * by,
                     "nats_later_off", later[0] * each, "nats_later_on", later[1] * each,
                     "nats_unseen_off", unseen[0] * each, "nats_unseen_on", unseen[1] * each);
}

static florin_status sum_choice(runner *r, const fl_choice *c, json_t *list)
{
    json_t *gains = json_array(), *costs = json_array();
    florin_status st = gains && costs ? FLORIN_OK : fl_fail(r->err, FLORIN_ENOMEM, "ablation");

    for (uint32_t d = 0; d < r->plan->data_sets && !st; d++) {
        for (uint32_t i = 0; i < r->plan->data[d].tasks && !st; i++)
            st = gain_of(r, d, r->plan->data[d].task[i], c, gains);
        json_t *cost = st || !c->pretrain ? NULL : cost_of(r, d, c);
        if (cost) json_array_append_new(costs, cost);
    }
    if (!st)
        json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:O}", "name", c->name, "default",
                                              c->on ? "on" : "off", "tasks", gains, "pretraining",
                                              costs));
    json_decref(gains);
    json_decref(costs);
    return st;
}

/* A point of a scaling study: a model of one seed, its nats and its tasks' figures. */
static florin_status sum_point(runner *r, uint32_t d, const fl_choice *c, uint64_t seed,
                               json_t *list)
{
    const json_t *model;
    one o;
    json_t *tasks = json_array(), *point;
    florin_status st = tasks ? FLORIN_OK : fl_fail(r->err, FLORIN_ENOMEM, "scaling");

    if (!lines_of(r, d, c, seed, &o, &model)) {
        json_decref(tasks);
        return st;
    }
    for (uint32_t i = 0; i < o.data->tasks && !st; i++) {
        char key[17];
        fl_task t;
        fl_runs_scores s = {0};
        double figure = 0;
        st = fl_ablate_task(&t, o.data->task[i], c, o.log, r->err);
        if (!st) st = fit_key(r, &o, o.data->task[i], key);
        if (st || !finished(r, key, "csv")) continue;
        char *path = file_of(r, key, "csv");
        st = path ? fl_runs_add(&s, path, r->err) : fl_fail(r->err, FLORIN_ENOMEM, "scaling");
        if (!st) st = fl_mean_of(&figure, &s, t.per_event, r->err);
        if (!st)
            json_array_append_new(tasks, json_pack("{s:s, s:s, s:f}", "task", t.name, "metric",
                                                   t.per_event ? "AP" : "AUC", "value", figure));
        fl_runs_free(&s);
        free(path);
    }
    point = st ? NULL : json_deep_copy(model);
    if (!st && (!point || json_object_set(point, "tasks", tasks)))
        st = fl_fail(r->err, FLORIN_ENOMEM, "scaling");
    if (!st) json_array_append(list, point);
    json_decref(point);
    json_decref(tasks);
    return st;
}

static florin_status sum_up(runner *r, json_t **out)
{
    const fl_ablate_plan *p = r->plan;
    json_t *list = json_array();
    florin_status st = list ? FLORIN_OK : fl_fail(r->err, FLORIN_ENOMEM, "ablation");
    uint64_t done = 0;
    const char *key;
    json_t *value;

    json_object_foreach(r->planned, key, value) done += fl_work_find(&r->work, key) != NULL;
    for (uint32_t c = 0; c < p->choices && !st; c++) {
        if (!p->scaling) st = sum_choice(r, &p->choice[c], list);
        for (uint32_t d = 0; p->scaling && d < p->data_sets; d++)
            for (uint64_t seed = 1; seed <= p->seeds && !st; seed++)
                st = sum_point(r, d, &p->choice[c], seed, list);
    }
    if (!st)
        *out = json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:O}", "report", p->scaling ? "scaling" : "ablation", "name",
            p->name, "seeds", (json_int_t)p->seeds, "done", (json_int_t)done, "runs",
            (json_int_t)json_object_size(r->planned), p->scaling ? "points" : "choices", list);
    json_decref(list);
    return st || *out ? st : fl_fail(r->err, FLORIN_ENOMEM, "ablation");
}

florin_status fl_ablate(json_t **out, const fl_ablate_plan *plan, const fl_ablate_options *opt,
                        const florin_context *ctx, florin_error *err)
{
    runner r = {.plan = plan,
                .opt = opt,
                .ctx = ctx,
                .err = err,
                .planned = json_object(),
                .begun_us = fl_monotonic_us(ctx)};
    char *path = fl_asprintf("%s/runs.jsonl", opt->work);
    const char *key;
    json_t *value;
    florin_status st = path && r.planned ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "ablation");

    *out = NULL;
    if (!st) st = open_logs(&r);
    if (!st) st = all_runs(&r, true);
    if (!st) st = fl_make_dir(opt->work, err);
    if (!st) st = fl_work_open(&r.work, path, err);
    if (!st) {
        json_object_foreach(r.planned, key, value) r.done += fl_work_find(&r.work, key) != NULL;
        st = all_runs(&r, false);
    }
    if (st == FLORIN_ECANCELLED)
        st = fl_fail(err, st, "stopped; the same command goes on where it was");
    if (!st) st = sum_up(&r, out);
    for (uint32_t d = 0; d < plan->data_sets; d++) fl_log_close(r.log[d]);
    fl_work_close(&r.work);
    json_decref(r.planned);
    free(path);
    return st;
}
