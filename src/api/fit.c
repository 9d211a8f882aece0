/* florin_fit and florin_eval: a task, a log and a model (or none: the fold alone) in; a head and honest figures out. */
#include "base/file.h"
#include "base/json.h"
#include "task/eval.h"
#include <stdio.h>
#include <unistd.h>

/* A model of the fold alone: its constants learnt from events before the first moment that is judged. */
static florin_status fold_model(const char *path, const fl_log *log, const fl_task *t,
                                const florin_context *ctx, florin_error *err)
{
    fl_fold_plan *plan = NULL;
    int64_t until = t->period[0].from_us;
    florin_status st = fl_fold_plan_new(&plan, fl_log_schema(log), err);
    if (!st) st = fl_fold_plan_fit(plan, log, until, ctx, err);
    if (!st) {
        json_t *j =
            json_pack("{s:i, s:o, s:o, s:{s:I, s:s}}", "florin", 1, "schema",
                      fl_schema_to_json(fl_log_schema(log)), "fold", fl_fold_plan_to_json(plan),
                      "trained", "until_us", (json_int_t)until, "data_hash", fl_log_hash(log));
        st =
            j ? fl_model_file_save(path, j, NULL, 0, err) : fl_fail(err, FLORIN_ENOMEM, "%s", path);
        json_decref(j);
    }
    fl_fold_plan_free(plan);
    return st;
}

static const json_t *metric(const json_t *system, const char *name)
{
    return json_object_get(json_object_get(system, "metrics"), name);
}

static void write_text(const florin_context *ctx, const json_t *j)
{
    const json_t *test = json_object_get(j, "test"), *train = json_object_get(j, "train");
    const json_t *systems = json_object_get(j, "systems"),
                 *differences = json_object_get(j, "differences"), *s;
    size_t i;
    fl_writef(
        ctx, "Task %s, judged on %s %s to %s: %lld rows, %lld positive", fl_json_str(j, "task", ""),
        fl_json_str(j, "part", "test"), fl_json_str(test, "from", ""), fl_json_str(test, "to", ""),
        (long long)fl_json_int(test, "rows", 0), (long long)fl_json_int(test, "positives", 0));
    if (train)
        fl_writef(ctx, " (trained on %lld, %lld positive)",
                  (long long)fl_json_int(train, "rows", 0),
                  (long long)fl_json_int(train, "positives", 0));
    fl_writef(ctx, "\n  %-32s %-24s %-24s %s\n", "", "average precision", "AUC", "Brier");
    json_array_foreach(systems, i, s)
    {
        const json_t *ap = metric(s, "ap"), *auc = metric(s, "auc");
        char label[64];
        snprintf(label, sizeof label, "%s: %s", fl_json_str(s, "name", ""),
                 fl_json_str(s, "label", ""));
        fl_writef(ctx, "  %-32.32s %.4f [%.4f, %.4f]   %.4f [%.4f, %.4f]   %.5f\n", label,
                  fl_json_num(ap, "value", 0), fl_json_num(ap, "low", 0),
                  fl_json_num(ap, "high", 0), fl_json_num(auc, "value", 0),
                  fl_json_num(auc, "low", 0), fl_json_num(auc, "high", 0),
                  fl_json_num(json_object_get(s, "metrics"), "brier", 0));
    }
    json_array_foreach(differences, i, s)
        fl_writef(ctx, "  %s - %s, paired %-18s %+.4f [%+.4f, %+.4f]\n", fl_json_str(s, "a", ""),
                  fl_json_str(s, "b", ""), fl_json_str(s, "metric", ""), fl_json_num(s, "value", 0),
                  fl_json_num(s, "low", 0), fl_json_num(s, "high", 0));
}

/* Every input with how far its value lies in the past at the moment of prediction. */
static void explain_inputs(const florin_context *ctx, const fl_task *t, const fl_model *m)
{
    const fl_fold_plan *plan = fl_model_plan(m);
    fl_writef(ctx,
              "Inputs of task %s at a moment t. Labels count from their arrival (at or before t), "
              "never earlier.\n",
              t->name);
    for (uint32_t c = 0; t->per_event && c < fl_model_row_width(m); c++) {
        const char *name = fl_model_row_name(m, c),
                   *lag = "events before t, and the event's own fields known at t";
        if (c < fl_fold_features(plan)) {
            const fl_fold_feature *x = fl_fold_feature_at(plan, c);
            lag = strstr(x->name, "bad") || strstr(x->name, "label")
                      ? "labels that arrived at or before t"
                      : "events before t, amount and time of the event at t";
            fl_writef(ctx, "  %-48s %s: %s\n", name, lag, x->meaning);
        } else {
            if (!strncmp(name, "embedding:", 10) && strcmp(strrchr(name, '.'), ".0")) continue;
            fl_writef(ctx, "  %-48s %s\n", name, lag);
        }
    }
    for (uint32_t i = 0; !t->per_event && i < fl_fold_read_features(plan, t->kind); i++) {
        const fl_fold_feature *x = fl_fold_feature_at(plan, fl_fold_read_feature(plan, t->kind, i));
        fl_writef(ctx, "  fold:%-43s events strictly before t: %s\n", x->name, x->meaning);
    }
}

static florin_status open_all(const florin_context *ctx, const florin_fit_options *opt,
                              const char *temp, fl_log **log, fl_task *t, fl_model **m,
                              florin_error *err)
{
    florin_status st = fl_log_open(log, opt->log, err);
    if (!st) st = fl_task_load(t, opt->task, fl_log_schema(*log), err);
    if (!st && !opt->model) st = fold_model(temp, *log, t, ctx, err);
    if (!st) st = fl_model_open(m, opt->model ? opt->model : temp, opt->tier, err);
    if (!st) st = fl_schema_same(fl_model_schema(*m), fl_log_schema(*log), err);
    return st;
}

static void finish(const florin_context *ctx, const florin_fit_options *opt, const json_t *j)
{
    if (opt->format == FLORIN_JSON) fl_json_write(ctx, j);
    else write_text(ctx, j);
}

florin_status florin_fit(const florin_context *ctx, const florin_fit_options *opt,
                         florin_error *err)
{
    if (!opt || !opt->log || !opt->task ||
        (!opt->out && !opt->validate_only && !opt->explain_inputs))
        return fl_fail(err, FLORIN_EUSAGE, "fit needs a log, a task and --out MODEL");
    fl_log *log = NULL;
    fl_model *m = NULL;
    fl_task t;
    json_t *j = NULL;
    char *temp = fl_asprintf("%s.fold-%ld", opt->out ? opt->out : opt->log, (long)getpid());
    if (!temp) return fl_fail(err, FLORIN_ENOMEM, "fit");
    fl_fit_options o = {.out = opt->out,
                        .scores = opt->scores,
                        .seed = opt->seed,
                        .draws = opt->draws,
                        .rounds = opt->rounds,
                        .validate_only = opt->validate_only != 0};
    florin_status st = open_all(ctx, opt, temp, &log, &t, &m, err);
    if (!st && opt->explain_inputs) explain_inputs(ctx, &t, m);
    else if (!st) st = fl_fit(&j, &t, m, log, &o, ctx, err);
    if (!st && j && opt->report) st = fl_json_save(j, opt->report, err);
    if (!st && j) finish(ctx, opt, j);
    json_decref(j);
    fl_model_close(m);
    fl_log_close(log);
    unlink(temp);
    free(temp);
    return st;
}

florin_status florin_eval(const florin_context *ctx, const florin_fit_options *opt,
                          florin_error *err)
{
    if (!opt || !opt->log || !opt->task || !opt->model)
        return fl_fail(err, FLORIN_EUSAGE, "eval needs a log, a task and a model");
    fl_log *log = NULL;
    fl_model *m = NULL;
    fl_task t;
    json_t *j = NULL;
    florin_status st = open_all(ctx, opt, "", &log, &t, &m, err);
    const fl_eval_options o = {.scores = opt->scores, .draws = opt->draws, .seed = opt->seed};
    if (!st) st = fl_eval(&j, &t, m, log, &o, ctx, err);
    if (!st && opt->report) st = fl_json_save(j, opt->report, err);
    if (!st) finish(ctx, opt, j);
    json_decref(j);
    fl_model_close(m);
    fl_log_close(log);
    return st;
}
