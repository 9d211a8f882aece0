/* Owns the joint training of tasks. Invariant: a label is used only as it was known at T. */
#include "tune/together.h"
#include "base/file.h"
#include "model/model.h"
#include "task/sample.h"

/* The task with one judged period, which begins at T: what may be learnt then is what is known at T. */
static florin_status task_at(fl_task *t, const char *path, const fl_schema *schema,
                             int64_t until_us, florin_error *err)
{
    florin_status st = fl_task_load(t, path, schema, err);
    if (st) return st;
    if (!t->per_event || t->answer != FL_TASK_BINARY || *t->folds)
        return fl_fail(err, FLORIN_EUSAGE,
                       "task %s: only tasks about events whose answer is yes or no, without folds, "
                       "are trained together",
                       t->name);
    t->validates = 0;
    t->tests = 1;
    t->period[0] = (fl_period){until_us, until_us + 1};
    return FLORIN_OK;
}

florin_status fl_together_load(fl_together *o, const char *files, const fl_schema *schema,
                               florin_error *err)
{
    uint32_t n = 1;
    florin_status st = FLORIN_OK;

    for (const char *p = files; *p; p++) n += *p == ',';
    if (n > FL_TUNE_TASKS_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "--tasks: 1 to %d task files", FL_TUNE_TASKS_MAX);
    if (!(o->weight >= 0 && o->weight <= 1000) || !(o->epochs >= 0 && o->epochs <= 100))
        return fl_fail(err, FLORIN_EUSAGE,
                       "--task-weight is at most 1000, --task-epochs at most 100");
    o->task = fl_calloc(n, sizeof *o->task);
    if (!o->task) return fl_fail(err, FLORIN_ENOMEM, "tasks together");
    for (const char *at = files; o->tasks < n && !st; at += strcspn(at, ",") + 1) {
        char *path = fl_strndup(at, strcspn(at, ","));
        st = path ? task_at(&o->task[o->tasks++], path, schema, o->until_us, err)
                  : fl_fail(err, FLORIN_ENOMEM, "tasks together");
        free(path);
    }
    return st;
}

void fl_together_free(fl_together *o)
{
    free(o->task);
    o->task = NULL;
    o->tasks = 0;
}

/* One task's labels, and a line of the report. */
static florin_status labels_of(float *label, const fl_task *t, const fl_log *log, json_t *list,
                               const florin_context *ctx, florin_error *err)
{
    json_int_t rows = 0, positives = 0;
    florin_status st = fl_sample_labels(label, t, log, 0, ctx, err);
    for (uint64_t r = 0; r < fl_log_rows(log) && !st; r++) {
        rows += label[r] >= 0;
        positives += label[r] > .5f;
    }
    if (!st && (!positives || positives == rows)) {
        char until[32];
        fl_time_format(t->period[0].from_us, until);
        return fl_fail(
            err, FLORIN_EINPUT,
            "task %s: of its labels known at %s, %lld of %lld are positive: a later --until, "
            "an earlier `train`, or leave it out of --tasks",
            t->name, until, (long long)positives, (long long)rows);
    }
    if (!st)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", t->name, "rows", rows,
                                              "positives", positives));
    return st;
}

static florin_status learn(const char *path, const fl_model *m, const fl_log *log,
                           const fl_together *o, const float *const *label, json_t *about,
                           const florin_context *ctx, florin_error *err)
{
    double weight = o->weight > 0 ? o->weight : 1, epochs = o->epochs > 0 ? o->epochs : 1, loss = 0;
    const fl_tune_config c = {.tasks = o->tasks,
                              .rate = 1e-3,
                              .keep = 1 / weight,
                              .seed = o->seed + 1,
                              .until_us = o->until_us};
    fl_tune *tune = NULL;
    char *folder = fl_path_dir(path);
    florin_status st = folder ? fl_tune_open(&tune, m, log, &c, folder, ctx, err)
                              : fl_fail(err, FLORIN_ENOMEM, "tasks together");
    if (!st) st = fl_tune_run(tune, label, o->until_us, epochs, &loss, err);
    json_object_set_new(about, "weight", json_real(weight));
    json_object_set_new(about, "epochs", json_real(epochs));
    json_object_set_new(about, "loss", json_real(loss));
    if (!st) st = fl_tune_save(tune, path, o->until_us, about, err);
    fl_tune_free(tune);
    free(folder);
    return st;
}

florin_status fl_together_run(const char *path, const fl_log *log, const fl_together *o,
                              const florin_context *ctx, json_t **about, florin_error *err)
{
    float *label[FL_TUNE_TASKS_MAX] = {NULL};
    const float *known[FL_TUNE_TASKS_MAX];
    fl_model *m = NULL;
    json_t *list = json_array();

    *about = json_pack("{s:o}", "tasks", list);
    florin_status st =
        *about ? fl_model_open(&m, path, NULL, err) : fl_fail(err, FLORIN_ENOMEM, "tasks together");
    for (uint32_t i = 0; i < o->tasks && !st; i++) {
        known[i] = label[i] = fl_calloc(fl_log_rows(log) + 1, sizeof(float));
        if (!label[i]) st = fl_fail(err, FLORIN_ENOMEM, "tasks together");
        else st = labels_of(label[i], &o->task[i], log, list, ctx, err);
    }
    if (!st) st = learn(path, m, log, o, known, *about, ctx, err);
    for (uint32_t i = 0; i < o->tasks; i++) free(label[i]);
    fl_model_close(m);
    return st;
}
