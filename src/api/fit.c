/* florin_fit and florin_eval: a task, a log and a model (or none: the fold alone) in; a head and honest figures out. */
#include "base/file.h"
#include "base/json.h"
#include "similar/judge.h"
#include "task/card.h"
#include "task/catalogue.h"
#include "task/eval.h"
#include "task/few.h"
#include "task/items.h"
#include "task/sql_features.h"
#include "tune/finetune.h"
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

/* Whether the trees were fitted on rows that pretraining saw, and what that means, in words. */
static void write_pretraining(const florin_context *ctx, const json_t *p)
{
    if (!p) return;
    long long before = (long long)fl_json_int(p, "rows_before", 0),
              all = (long long)fl_json_int(p, "rows", 0);
    const json_t *d = json_object_get(p, "later_rows_alone");
    fl_writef(ctx,
              "  pretraining saw events until %s: %lld of the %lld rows learnt from are earlier",
              fl_json_str(p, "until", ""), before, all);
    if (json_object_get(p, "surprise_before") && json_object_get(p, "surprise_after"))
        fl_writef(ctx, "\n    an event's mean surprise is %.3f nats there and %.3f later",
                  fl_json_num(p, "surprise_before", 0), fl_json_num(p, "surprise_after", 0));
    if (d)
        fl_writef(
            ctx,
            "\n    fitted on the later rows alone, average precision changes by %+.4f [%+.4f, "
            "%+.4f]",
            fl_json_num(d, "value", 0), fl_json_num(d, "low", 0), fl_json_num(d, "high", 0));
    else if (before)
        fl_writef(ctx, "\n    too few later rows to fit on alone: an earlier --until of pretrain "
                       "would leave some");
    fl_writef(ctx, "\n");
}

/* Figures of numbers, times and classes. */
static void write_told(const florin_context *ctx, const json_t *j)
{
    const json_t *systems = json_object_get(j, "systems"), *s;
    bool classes = !strcmp(fl_json_str(j, "kind", ""), "class");
    size_t i;
    fl_writef(ctx, "\n  %-10s %-26s %-24s %s\n", "", "skill (1: perfect)",
              classes ? "accuracy" : "concordance",
              classes ? "macro F1   right among three" : "CRPS     80 % interval holds  50 %");
    json_array_foreach(systems, i, s)
    {
        const json_t *skill = metric(s, "skill"),
                     *rank = metric(s, classes ? "accuracy" : "concordance"),
                     *all = json_object_get(s, "metrics");
        fl_writef(ctx, "  %-10.32s %+.4f [%+.4f, %+.4f]  %.4f [%.4f, %.4f]  ",
                  fl_json_str(s, "name", ""), fl_json_num(skill, "value", 0),
                  fl_json_num(skill, "low", 0), fl_json_num(skill, "high", 0),
                  fl_json_num(rank, "value", 0), fl_json_num(rank, "low", 0),
                  fl_json_num(rank, "high", 0));
        if (classes)
            fl_writef(ctx, "%.4f     %.4f\n", fl_json_num(all, "macro_f1", 0),
                      fl_json_num(all, "top3", 0));
        else
            fl_writef(ctx, "%-9.5g %.3f             %.3f\n",
                      fl_json_num(metric(s, "crps"), "value", 0),
                      fl_json_num(all, "coverage_80", 0), fl_json_num(all, "coverage_50", 0));
    }
}

/* Figures of rankings of items. */
static void write_ranked(const florin_context *ctx, const json_t *j)
{
    static const char *const figure[] = {"recall_at_10", "hit_at_10", "mrr_at_10", "ndcg_at_10"};
    const json_t *systems = json_object_get(j, "systems"), *s;
    size_t i;
    fl_writef(ctx, "\n  %-10s %-25s %-25s %-8s %s\n", "", "recall@10", "hit@10", "MRR@10",
              "NDCG@10");
    json_array_foreach(systems, i, s)
    {
        fl_writef(ctx, "  %-10.32s ", fl_json_str(s, "name", ""));
        for (size_t k = 0; k < FL_LEN(figure); k++) {
            const json_t *m = metric(s, figure[k]);
            double v = fl_json_num(m, "value", 0);
            if (k < 2)
                fl_writef(ctx, "%.4f [%.4f, %.4f]   ", v, fl_json_num(m, "low", 0),
                          fl_json_num(m, "high", 0));
            else fl_writef(ctx, "%.4f   ", v);
        }
        fl_writef(ctx, "\n");
    }
}

static void write_text(const florin_context *ctx, const json_t *j)
{
    bool told = json_object_get(j, "kind") != NULL;
    const json_t *test = json_object_get(j, "test"), *train = json_object_get(j, "train");
    const json_t *systems = json_object_get(j, "systems"),
                 *differences = json_object_get(j, "differences"), *s;
    size_t i;
    const char *from = fl_json_str(test, "from", ""), *to = fl_json_str(test, "to", "");
    bool moment = !strcmp(from, to);
    fl_writef(ctx, "Task %s, judged on %s %s%s%s: %lld rows", fl_json_str(j, "task", ""),
              fl_json_str(j, "part", "test"), from, moment ? "" : " to ", moment ? "" : to,
              (long long)fl_json_int(test, "rows", 0));
    if (!told) fl_writef(ctx, ", %lld positive", (long long)fl_json_int(test, "positives", 0));
    if (!strcmp(fl_json_str(j, "kind", ""), "items")) write_ranked(ctx, j);
    else if (told) write_told(ctx, j);
    if (train && !told)
        fl_writef(ctx, "\n(trained on %lld, %lld positive)",
                  (long long)fl_json_int(train, "rows", 0),
                  (long long)fl_json_int(train, "positives", 0));
    if (!told)
        fl_writef(ctx, "\n  %-12s %-25s %-25s %s\n", "", "average precision", "AUC", "Brier");
    json_array_foreach(systems, i, s)
    {
        if (told) break;
        const json_t *ap = metric(s, "ap"), *auc = metric(s, "auc");
        fl_writef(
            ctx, "  %-12.32s %.4f [%.4f, %.4f]   %.4f [%.4f, %.4f]   %.5f\n",
            fl_json_str(s, "name", ""), fl_json_num(ap, "value", 0), fl_json_num(ap, "low", 0),
            fl_json_num(ap, "high", 0), fl_json_num(auc, "value", 0), fl_json_num(auc, "low", 0),
            fl_json_num(auc, "high", 0), fl_json_num(json_object_get(s, "metrics"), "brier", 0));
    }
    json_array_foreach(systems, i, s)
        fl_writef(ctx, "  %s: %s\n", fl_json_str(s, "name", ""), fl_json_str(s, "label", ""));
    if (json_object_get(j, "auto"))
        fl_writef(ctx, "  chosen: %s\n", fl_json_str(json_object_get(j, "auto"), "why", ""));
    write_pretraining(ctx, json_object_get(j, "pretraining"));
    json_array_foreach(differences, i, s)
        fl_writef(ctx, "  %s - %s, paired %-18s %+.4f [%+.4f, %+.4f]\n", fl_json_str(s, "a", ""),
                  fl_json_str(s, "b", ""), fl_json_str(s, "metric", ""), fl_json_num(s, "value", 0),
                  fl_json_num(s, "low", 0), fl_json_num(s, "high", 0));
}

/* --- explain inputs --- */

typedef struct {
    const florin_context *ctx;
    json_t *list; /* NULL: as text */
} inputs;

static void one_input(const inputs *o, const char *name, const char *lag, const char *meaning)
{
    if (!o->list) fl_writef(o->ctx, "  %-44s %-40s %s\n", name, lag, meaning);
    else
        json_array_append_new(
            o->list, json_pack("{s:s, s:s, s:s}", "input", name, "lag", lag, "meaning", meaning));
}

static const char LAG_OWN[] = "0: the event itself", LAG_PAST[] = "above 0: events before t",
                  LAG_BOTH[] = "0: the event itself and those before",
                  LAG_LABELS[] = "labels that arrived at or before t";

/* Which part of the past a feature of the fold reads; its meaning says so. */
static void fold_input(const inputs *o, const char *name, const fl_fold_feature *x, bool per_event)
{
    bool label =
        strstr(x->meaning, "label") || strstr(x->meaning, "bad") || strstr(x->meaning, " run");
    one_input(o, name,
              label           ? LAG_LABELS
              : !per_event    ? LAG_PAST
              : x->kind == -1 ? LAG_OWN
              : x->read       ? LAG_PAST
                              : LAG_BOTH,
              x->meaning);
}

static void event_inputs(const inputs *o, const fl_model *m)
{
    const fl_fold_plan *plan = fl_model_plan(m);
    for (uint32_t c = 0; c < fl_model_row_width(m); c++) {
        const char *name = fl_model_row_name(m, c);
        if (c < fl_fold_features(plan)) fold_input(o, name, fl_fold_feature_at(plan, c), true);
        else if (c < fl_model_row_embedding(m))
            one_input(o, name, LAG_BOTH, "the event's own field against the state before it");
        else one_input(o, name, LAG_BOTH, "state of the sequence model after the event");
    }
}

static void date_inputs(const inputs *o, const fl_task *t, const fl_model *m)
{
    const fl_fold_plan *plan = fl_model_plan(m);
    uint32_t n = fl_fold_read_features(plan, t->kind);
    char name[128];
    for (uint32_t i = 0; i < n; i++) {
        const fl_fold_feature *x = fl_fold_feature_at(plan, fl_fold_read_feature(plan, t->kind, i));
        snprintf(name, sizeof name, "fold:%s", x->name);
        fold_input(o, name, x, false);
    }
    const fl_network *net = fl_model_network(m);
    fl_role role = fl_model_schema(m)->kind[t->kind].role;
    for (uint32_t i = 0; net && role != FL_ROLE_OTHER && i < net->h; i++) {
        snprintf(name, sizeof name, "embedding.%u", i);
        one_input(o, name, LAG_PAST, "state of the sequence model");
    }
    one_input(o, "last event", LAG_PAST, "log of 1 + days since the last event, -1: none");
}

static florin_status sql_inputs(const inputs *o, const fl_task *t, const fl_log *log,
                                florin_error *err)
{
    fl_sql_features *f = NULL;
    char name[FL_NAME_MAX + 8];
    if (!*t->features) return FLORIN_OK;
    florin_status st = fl_sql_features_read(&f, t, log, o->ctx, err);
    for (uint32_t i = 0; !st && i < fl_sql_features_columns(f); i++) {
        snprintf(name, sizeof name, "sql:%s", fl_sql_features_name(f, i));
        one_input(o, name, "the whole log, which has no clock", "of the task's SELECT");
    }
    fl_sql_features_free(f);
    return st;
}

static void item_inputs(const inputs *o)
{
    for (uint32_t i = 0; i < FL_ITEM_INPUTS; i++)
        one_input(o, fl_item_input(i), LAG_PAST, "of an entity and a candidate item");
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Time from an event to the arrival of its bad label, by quantile; -1: there are none. */
static int64_t label_lag(const fl_log *log, int label, double quantile)
{
    uint64_t n = 0, all = fl_log_labels(log);
    int64_t *lag = fl_alloc(all ? all : 1, sizeof *lag), out = -1;
    fl_label l;
    for (uint64_t i = 0; lag && i < all; i++) {
        fl_log_label(log, i, &l);
        if (l.label == label && l.value > .5f) lag[n++] = l.arrival_us - fl_log_time(log, l.row);
    }
    if (n) {
        qsort(lag, n, sizeof *lag, by_value);
        out = lag[(uint64_t)(quantile * (double)(n - 1))];
    }
    free(lag);
    return out;
}

/* Every input with how far its value may lie in the past at the moment of prediction. */
static florin_status explain_inputs(const florin_context *ctx, florin_format format,
                                    const fl_task *t, const fl_model *m, const fl_log *log,
                                    florin_error *err)
{
    inputs o = {ctx, format == FLORIN_JSON ? json_array() : NULL};
    if (format == FLORIN_JSON && !o.list) return fl_fail(err, FLORIN_ENOMEM, "inputs");
    if (!o.list) {
        fl_writef(ctx,
                  "Inputs of task %s at a moment t. Lag: how old the newest data is that an "
                  "input may rest on.\n",
                  t->name);
        int64_t lag = t->label >= 0 ? label_lag(log, t->label, .5) : -1;
        if (lag >= 0)
            fl_writef(ctx, "Bad labels of this log arrive %.1f days after their event (median).\n",
                      (double)lag / FL_DAY_US);
        fl_writef(ctx, "Not among them: marks, labels and `after` fields of the event itself.\n");
    }
    if (t->answer == FL_TASK_ITEMS) item_inputs(&o);
    else if (t->per_event) event_inputs(&o, m);
    else date_inputs(&o, t, m);
    florin_status st = sql_inputs(&o, t, log, err);
    if (o.list && !st) fl_json_write(ctx, o.list);
    json_decref(o.list);
    return st;
}

/* --- refit --- */

/* Move every date so that the last test ends where the log's outcomes are known: for a label of the log 9 of 10 have
 * arrived by then, for an outcome the horizon is over. Whole days. */
static void move_to_end(fl_task *t, const fl_log *log, const florin_context *ctx)
{
    const fl_period *last = &t->period[t->validates + t->tests - 1];
    int64_t lag = t->label >= 0 ? label_lag(log, t->label, .9) : 0, end = fl_log_time_max(log);
    int64_t mature = end - (lag > 0 ? lag : 0) - t->label_delay_us - t->horizon_us;
    int64_t to = last->to_us - (t->per_event ? 0 : 1);
    int64_t days = (mature - to) / FL_DAY_US - (mature < to && (mature - to) % FL_DAY_US ? 1 : 0);
    fl_task_shift(t, days * FL_DAY_US);
    fl_say(ctx, FLORIN_LOG_INFO, "all dates of task %s moved by %lld days, to the log's end",
           t->name, (long long)days);
}

/* refit with a SELECT: its dates stand in its text. */
static florin_status check_options(const florin_fit_options *opt, const fl_task *t,
                                   const fl_model *m, florin_error *err)
{
    if (opt->refit && *t->sql && !t->per_event)
        return fl_fail(err, FLORIN_EUSAGE,
                       "task %s: --refit can't move the dates inside its SELECT: write them anew",
                       t->name);
    if (opt->later_rows && !fl_model_network(m))
        return fl_fail(err, FLORIN_EUSAGE, "--later-rows needs a pretrained --model");
    return FLORIN_OK;
}

static florin_status open_all(const florin_context *ctx, const florin_fit_options *opt,
                              const char *temp, fl_log **log, fl_task *t, fl_model **m,
                              florin_error *err)
{
    char *path = NULL;
    florin_status st = fl_log_open(log, opt->log, err);
    if (!st) st = fl_catalogue_find(&path, opt->task, opt->folders, err);
    if (!st) st = fl_task_load(t, path, fl_log_schema(*log), err);
    free(path);
    if (!st && opt->refit) move_to_end(t, *log, ctx);
    if (!st && !opt->model) st = fold_model(temp, *log, t, ctx, err);
    if (!st) st = fl_model_open(m, opt->model ? opt->model : temp, opt->tier, err);
    if (!st) st = fl_schema_same(fl_model_schema(*m), fl_log_schema(*log), err);
    return st ? st : check_options(opt, t, *m, err);
}

/* A task of likeness: nothing is fitted, all is judged. */
static florin_status alike(const florin_context *ctx, const florin_fit_options *opt, json_t **j,
                           const fl_task *t, const fl_model *m, const fl_log *log,
                           florin_error *err)
{
    if (opt->finetune || opt->auto_minutes > 0 || opt->scores || opt->validate_only)
        return fl_fail(err, FLORIN_EUSAGE,
                       "task %s asks who is alike: it has no head to choose, fine-tune or score",
                       t->name);
    fl_alike a = fl_alike_of_task(t);
    a.draws = opt->draws;
    a.seed = opt->seed;
    return fl_alike_judge(j, &a, m, log, ctx, err);
}

/* Few labels: a line a size. */
static void write_few(const florin_context *ctx, const json_t *j)
{
    const json_t *test = json_object_get(j, "test"), *list = json_object_get(j, "few"), *at;
    size_t i;
    fl_writef(ctx,
              "Task %s with few labels, judged on %s: %lld rows, %lld positive\n(AUC, means over "
              "draws from %lld examples known by %s; differences paired by draw, 95 %%)\n",
              fl_json_str(j, "task", ""), fl_json_str(j, "part", ""),
              (long long)fl_json_int(test, "rows", 0), (long long)fl_json_int(test, "positives", 0),
              (long long)fl_json_int(j, "candidates", 0), fl_json_str(j, "labels_until", ""));
    fl_writef(ctx, "  %8s %6s %8s %9s %10s  %-28s %s\n", "examples", "draws", "network", "baseline",
              "both", "network - baseline", "both - baseline");
    json_array_foreach(list, i, at)
    {
        const json_t *both = json_object_get(at, "added_difference");
        fl_writef(ctx,
                  "  %8lld %6lld %8.4f %9.4f %10.4f  %+.4f [%+.4f, %+.4f]    %+.4f [%+.4f, "
                  "%+.4f]\n",
                  (long long)fl_json_int(at, "n", 0), (long long)fl_json_int(at, "draws", 0),
                  fl_json_num(at, "ours", 0), fl_json_num(at, "baseline", 0),
                  fl_json_num(at, "added", 0), fl_json_num(at, "difference", 0),
                  fl_json_num(at, "low", 0), fl_json_num(at, "high", 0),
                  fl_json_num(both, "value", 0), fl_json_num(both, "low", 0),
                  fl_json_num(both, "high", 0));
    }
    fl_writef(
        ctx, "  network: logistic regression on the frozen network's numbers; baseline: the better "
             "of logistic\n  regression and trees on the fold; both: the two together\n");
}

static void finish(const florin_context *ctx, const florin_fit_options *opt, const json_t *j)
{
    if (opt->format == FLORIN_JSON) fl_json_write(ctx, j);
    else if (!strcmp(fl_json_str(j, "kind", ""), "similarity")) fl_alike_text(ctx, j);
    else if (opt->few_labels) write_few(ctx, j);
    else write_text(ctx, j);
}

/* What fine-tuning needs of a fit. */
typedef struct {
    const florin_context *ctx;
    const florin_fit_options *opt;
    const fl_task *t;
    const fl_model *m;
    const fl_log *log;
    const fl_fit_options *o;
    florin_error *err;
} fitting;

static florin_status finetune(const fitting *f, const char *how, const fl_task *t,
                              const fl_fit_options *o, json_t **j)
{
    const florin_fit_options *opt = f->opt;
    bool low = !strcmp(how, "low-rank");
    const fl_finetune_options with = {.rank = !low        ? 0
                                              : opt->rank ? opt->rank
                                                          : 8,
                                      .rate = opt->rate,
                                      .epochs = opt->epochs,
                                      .keep = opt->keep};
    if (!low && strcmp(how, "full"))
        return fl_fail(f->err, FLORIN_EUSAGE, "--finetune %s: full or low-rank", how);
    if (opt->rank > 64 || !(opt->rate >= 0 && opt->rate <= 1) ||
        !(opt->epochs >= 0 && opt->epochs <= 1000) || !(opt->keep >= 0 && opt->keep <= 100))
        return fl_fail(f->err, FLORIN_EUSAGE,
                       "fine-tuning: --rank is 1 to 64, --rate at most 1, --epochs at most 1000, "
                       "--keep at most 100");
    return fl_finetune(j, t, f->m, f->log, o, &with, opt->out ? opt->out : opt->log, f->ctx,
                       f->err);
}

/* The tuned network beside trees on the fold, as --auto tries and uses it. */
static florin_status tuned_blend(const fitting *f, const char *how, const fl_fit_options *o,
                                 json_t **j)
{
    fl_task t = *f->t;
    snprintf(t.head, sizeof t.head, "blend");
    return finetune(f, how, &t, o, j);
}

static florin_status try_tuned(void *self, const char *how, double *figure)
{
    const fitting *f = self;
    fl_fit_options o = *f->o;
    json_t *j = NULL;
    o.out = o.scores = NULL;
    o.auto_minutes = 0;
    o.more = NULL;
    o.validate_only = true;
    o.draws = 1;
    florin_status st = tuned_blend(f, how, &o, &j);
    const json_t *ours = json_array_get(json_object_get(j, "systems"), 0);
    *figure = fl_json_num(metric(ours, "ap"), "value", 0);
    json_decref(j);
    return st;
}

/* --auto: fl_fit's ways, then the network's own learning where the task allows it. */
static florin_status choose_and_fit(fitting *f, json_t **j)
{
    static const char *const how[] = {"low-rank", "full", NULL};
    fl_auto_more more = {.how = how, .attempt = try_tuned, .self = f};
    fl_fit_options o = *f->o;
    if (f->opt->finetune)
        return fl_fail(f->err, FLORIN_EUSAGE, "--auto and --finetune exclude each other");
    if (fl_finetune_suits(f->t, f->m, f->o, NULL) == FLORIN_OK) o.more = &more;
    florin_status st = fl_fit(j, f->t, f->m, f->log, &o, f->ctx, f->err);
    if (!st && more.chosen) {
        o.more = NULL;
        o.auto_minutes = 0;
        st = tuned_blend(f, more.chosen, &o, j);
        if (!st) json_object_set(*j, "auto", more.about);
    }
    json_decref(more.about);
    return st;
}

static florin_status few_labels(const florin_context *ctx, const florin_fit_options *opt,
                                json_t **j, const fl_task *t, const fl_model *m, const fl_log *log,
                                florin_error *err)
{
    fl_few_options o = {
        .draws = opt->draws, .seed = opt->seed, .validate_only = opt->validate_only != 0};
    if (opt->auto_minutes > 0 || opt->finetune || opt->scores || opt->refit || opt->later_rows)
        return fl_fail(err, FLORIN_EUSAGE,
                       "--few-labels fits many small heads and keeps none: not with --auto, "
                       "--finetune, --scores, --refit or --later-rows");
    florin_status st = fl_few_sizes(&o, opt->few_labels, err);
    return st ? st : fl_few(j, t, m, log, &o, ctx, err);
}

florin_status florin_fit(const florin_context *ctx, const florin_fit_options *opt,
                         florin_error *err)
{
    if (!opt || !opt->log || !opt->task ||
        (!opt->out && !opt->validate_only && !opt->explain_inputs && !opt->few_labels))
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
                        .validate_only = opt->validate_only != 0,
                        .later_rows = opt->later_rows != 0,
                        .auto_minutes = opt->auto_minutes};
    char *card = fl_card_old(opt->model);
    florin_status st = open_all(ctx, opt, temp, &log, &t, &m, err);
    fitting f = {.ctx = ctx, .opt = opt, .t = &t, .m = m, .log = log, .o = &o, .err = err};
    if (!st && opt->explain_inputs) st = explain_inputs(ctx, opt->format, &t, m, log, err);
    else if (!st && opt->few_labels) st = few_labels(ctx, opt, &j, &t, m, log, err);
    else if (!st && t.answer == FL_TASK_ALIKE) st = alike(ctx, opt, &j, &t, m, log, err);
    else if (!st && opt->auto_minutes > 0) st = choose_and_fit(&f, &j);
    else if (!st && opt->finetune) st = finetune(&f, opt->finetune, &t, &o, &j);
    else if (!st) st = fl_fit(&j, &t, m, log, &o, ctx, err);
    if (!st && j && (t.answer != FL_TASK_BINARY || *t.features) && opt->out && !opt->few_labels)
        fl_say(ctx, FLORIN_LOG_INFO, "%s is not written: a head %s is judged, not yet served",
               opt->out, *t.features ? "with inputs from a SELECT" : "of this kind");
    if (!st && j && t.answer == FL_TASK_BINARY && !*t.features && opt->out)
        fl_card_beside(opt->out, log, card, j, ctx);
    if (!st && j && opt->report) st = fl_json_save(j, opt->report, err);
    if (!st && j) finish(ctx, opt, j);
    json_decref(j);
    fl_model_close(m);
    fl_log_close(log);
    unlink(temp);
    free(temp);
    free(card);
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
    if (!st && t.answer == FL_TASK_ALIKE) st = alike(ctx, opt, &j, &t, m, log, err);
    else if (!st) st = fl_eval(&j, &t, m, log, &o, ctx, err);
    if (!st && opt->report) st = fl_json_save(j, opt->report, err);
    if (!st) finish(ctx, opt, j);
    json_decref(j);
    fl_model_close(m);
    fl_log_close(log);
    return st;
}
