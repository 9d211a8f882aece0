/* Figures of distributions. Invariant: every figure of a draw is computed from the same drawn rows for all systems, so that
 * differences are paired. */
#include "task/judge_dist.h"
#include "data/duck.h"
#include <math.h>

enum { LOSS, SKILL, RANK, FIGURES, SYSTEMS = 3 };
/* RANK: concordance of a number or a time; accuracy of a class. SKILL: 1 - loss / the trivial system's. */

florin_status fl_told_new(fl_told *t, size_t n, florin_error *err)
{
    n = n ? n : 1;
    t->loss = fl_calloc(n, sizeof *t->loss);
    t->value = fl_calloc(n, sizeof *t->value);
    t->median = fl_calloc(n, sizeof *t->median);
    t->low = fl_calloc(n, sizeof *t->low);
    t->high = fl_calloc(n, sizeof *t->high);
    t->pit = fl_calloc(n, sizeof *t->pit);
    t->guess = fl_calloc(n, sizeof *t->guess);
    t->top3 = fl_calloc(n, sizeof *t->top3);
    if (t->loss && t->value && t->median && t->low && t->high && t->pit && t->guess && t->top3)
        return FLORIN_OK;
    return fl_fail(err, FLORIN_ENOMEM, "%zu judged rows", n);
}

void fl_told_as(fl_told *t, const fl_told *other)
{
    const char *name = t->name, *label = t->label;
    *t = *other;
    t->name = name;
    t->label = label;
}

void fl_told_free(fl_told *t)
{
    free(t->loss);
    free(t->value);
    free(t->median);
    free(t->low);
    free(t->high);
    free(t->pit);
    free(t->guess);
    free(t->top3);
    *t = (fl_told){.name = t->name, .label = t->label};
}

/* Sum of tree entries 1 .. i (Fenwick 1994). */
static double upto(const double *tree, uint32_t i)
{
    double sum = 0;
    for (; i; i &= i - 1) sum += tree[i];
    return sum;
}

double fl_concordance(const float *y, const size_t *order, const uint32_t *rank, uint32_t ranks,
                      size_t n, const double *weight, double *tree)
{
    double right = 0, pairs = 0, seen = 0;
    memset(tree, 0, (ranks + 1) * sizeof *tree);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && y[order[end]] == y[order[i]]; end++) {
            size_t r = order[end];
            double w = weight ? weight[r] : 1;
            if (w <= 0) continue;
            double lower = upto(tree, rank[r]), same = upto(tree, rank[r] + 1) - lower;
            right += w * (lower + .5 * same);
            pairs += w * seen;
        }
        for (size_t k = i; k < end; k++) {
            size_t r = order[k];
            double w = weight ? weight[r] : 1;
            for (uint32_t a = rank[r] + 1; a <= ranks; a += a & -a) tree[a] += w;
            seen += w;
        }
    }
    return pairs > 0 ? right / pairs : NAN;
}

typedef struct {
    double value;
    size_t at;
} keyed;

static int by_value(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Dense ranks of v [n]; the number of ranks. */
static uint32_t ranks_of(const double *v, size_t n, uint32_t *rank, keyed *scratch)
{
    uint32_t r = 0;
    for (size_t i = 0; i < n; i++) scratch[i] = (keyed){v[i], i};
    qsort(scratch, n, sizeof *scratch, by_value);
    for (size_t i = 0; i < n; i++) {
        if (i && scratch[i].value != scratch[i - 1].value) r++;
        rank[scratch[i].at] = r;
    }
    return n ? r + 1 : 0;
}

typedef struct {
    const fl_judged *j;
    const fl_told *told;
    bool classes;
    size_t *order;
    uint32_t *rank[SYSTEMS], ranks[SYSTEMS];
    double *tree;
} judge;

/* What is drawn: every figure of every system, and ours less the other two. */
enum { DRAWN = (SYSTEMS + 2) * FIGURES };

static void figures(void *self, const double *weight, double *drawn)
{
    const judge *g = self;
    const fl_judged *j = g->j;
    double all = 0, out[SYSTEMS][FIGURES];
    for (size_t i = 0; i < j->n; i++) all += weight ? weight[i] : 1;
    for (int s = 0; s < SYSTEMS; s++) {
        double loss = 0, right = 0;
        for (size_t i = 0; i < j->n; i++) {
            double w = weight ? weight[i] : 1;
            loss += w * g->told[s].loss[i];
            right += w * g->told[s].value[i];
        }
        out[s][LOSS] = loss / all;
        out[s][RANK] = g->classes ? right / all
                                  : fl_concordance(j->y, g->order, g->rank[s], g->ranks[s], j->n,
                                                   weight, g->tree);
        if (!isfinite(out[s][RANK])) out[s][RANK] = .5;
    }
    for (int s = 0; s < SYSTEMS; s++)
        out[s][SKILL] = out[2][LOSS] > 0 ? 1 - out[s][LOSS] / out[2][LOSS] : 0;
    memcpy(drawn, out, sizeof out);
    for (int s = 1; s < SYSTEMS; s++)
        for (int k = 0; k < FIGURES; k++)
            drawn[(SYSTEMS + s - 1) * FIGURES + k] = out[0][k] - out[s][k];
}

static florin_status judge_open(judge *g, florin_error *err)
{
    size_t n = g->j->n;
    keyed *k = fl_alloc(n + 1, sizeof *k);
    bool ok = k && (g->order = fl_alloc(n + 1, sizeof *g->order)) &&
              (g->tree = fl_alloc(n + 2, sizeof *g->tree));
    for (size_t i = 0; ok && i < n; i++) k[i] = (keyed){(double)g->j->y[i], i};
    if (ok) qsort(k, n, sizeof *k, by_value);
    for (size_t i = 0; ok && i < n; i++) g->order[i] = k[i].at;
    for (int s = 0; ok && s < SYSTEMS; s++) {
        ok = (g->rank[s] = fl_alloc(n + 1, sizeof(uint32_t))) != NULL;
        if (ok) g->ranks[s] = ranks_of(g->told[s].value, n, g->rank[s], k);
    }
    free(k);
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "judging %zu rows", n);
}

static void judge_close(judge *g)
{
    free(g->order);
    free(g->tree);
    for (int s = 0; s < SYSTEMS; s++) free(g->rank[s]);
}

/* Coverage of the central 80 and 50 %, the error of the median, the PIT in tenths; quantiles as users read them. */
static void number_figures(json_t *sys, json_t *metrics, const fl_judged *j, const fl_told *t)
{
    double in80 = 0, in50 = 0, error = 0, width = 0, bin[10] = {0}, n = j->n ? (double)j->n : 1;
    for (size_t i = 0; i < j->n; i++) {
        double u = t->pit[i];
        in80 += u >= .1 && u < .9;
        in50 += u >= .25 && u < .75;
        error += fabs((double)j->y[i] - t->median[i]);
        width += t->high[i] - t->low[i];
        bin[u < 0 ? 0 : u >= 1 ? 9 : (int)(u * 10)] += 1 / n;
    }
    json_object_set_new(metrics, "coverage_80", json_real(in80 / n));
    json_object_set_new(metrics, "coverage_50", json_real(in50 / n));
    json_object_set_new(metrics, "median_absolute_error", json_real(error / n));
    json_object_set_new(metrics, "width_80", json_real(width / n));
    json_t *list = json_array();
    for (int k = 0; k < 10; k++) json_array_append_new(list, json_real(bin[k]));
    json_object_set_new(sys, "pit", list);
}

/* Macro F1 (mean over the classes that occur), the right one among three, and recall and precision by class. */
static void class_figures(json_t *sys, json_t *metrics, const fl_judged *j, const fl_told *t,
                          const fl_sample *s)
{
    double hit[FL_CLASSES_MAX] = {0}, is[FL_CLASSES_MAX] = {0}, said[FL_CLASSES_MAX] = {0}, f1 = 0,
           top3 = 0;
    uint32_t occur = 0;
    for (size_t i = 0; i < j->n; i++) {
        uint32_t y = (uint32_t)j->y[i], g = t->guess[i];
        hit[y] += y == g;
        is[y]++;
        said[g]++;
        top3 += t->top3[i];
    }
    json_t *list = json_array();
    for (uint32_t c = 0; c < s->classes; c++) {
        if (is[c] > 0) {
            occur++;
            f1 += hit[c] > 0 ? 2 * hit[c] / (is[c] + said[c]) : 0;
        }
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:f, s:f}", "class", s->class_name[c], "rows",
                                        (json_int_t)is[c], "recall", is[c] > 0 ? hit[c] / is[c] : 0,
                                        "precision", said[c] > 0 ? hit[c] / said[c] : 0));
    }
    json_object_set_new(metrics, "macro_f1", json_real(occur ? f1 / occur : 0));
    json_object_set_new(metrics, "top3", json_real(j->n ? top3 / (double)j->n : 0));
    json_object_set_new(sys, "classes", list);
}

static const char *figure_name(const judge *g, int k)
{
    return k == SKILL  ? "skill"
           : k == LOSS ? (g->classes ? "log_loss" : "crps")
                       : (g->classes ? "accuracy" : "concordance");
}

florin_status fl_dist_report(json_t *report, const fl_judged *j, const fl_told told[SYSTEMS],
                             const fl_sample *s, uint32_t draws, uint64_t seed,
                             const florin_context *ctx, florin_error *err)
{
    judge g = {.j = j, .told = told, .classes = j->task->answer == FL_TASK_CLASS};
    fl_interval iv[DRAWN];
    florin_status st = judge_open(&g, err);
    if (!st)
        st = fl_bootstrap_figures(iv, DRAWN, figures, &g, j->cluster, j->n, draws, seed, ctx, err);
    json_t *systems = json_array(), *differences = json_array();
    for (int k = 0; !st && k < SYSTEMS; k++) {
        json_t *metrics = json_object();
        for (int f = 0; f < FIGURES; f++)
            json_object_set_new(metrics, figure_name(&g, f),
                                fl_result_interval(&iv[k * FIGURES + f]));
        json_t *sys = json_pack("{s:s, s:s}", "name", told[k].name, "label", told[k].label);
        if (g.classes) class_figures(sys, metrics, j, &told[k], s);
        else number_figures(sys, metrics, j, &told[k]);
        json_object_set_new(sys, "metrics", metrics);
        json_array_append_new(systems, sys);
    }
    for (int k = 1; !st && k < SYSTEMS; k++)
        for (int f = SKILL; f < FIGURES; f++)
            json_array_append_new(
                differences, fl_result_difference(told[0].name, told[k].name, figure_name(&g, f),
                                                  &iv[(SYSTEMS + k - 1) * FIGURES + f]));
    judge_close(&g);
    json_object_set_new(report, "systems", systems);
    json_object_set_new(report, "differences", differences);
    return st;
}

enum { COLUMNS = 10 };

florin_status fl_dist_scores(const char *path, const fl_judged *j, const fl_log *log,
                             const fl_sample *s, const fl_told told[SYSTEMS],
                             const florin_context *ctx, florin_error *err)
{
    bool classes = j->task->answer == FL_TASK_CLASS;
    size_t n = j->n ? j->n : 1;
    const char **is = fl_calloc(n, sizeof *is), **said = fl_calloc(n, sizeof *said);
    fl_table_writer *w = NULL;
    fl_row_ids ids;
    florin_status st = fl_result_ids(&ids, j, log, err);
    if (!st && (!is || !said)) st = fl_fail(err, FLORIN_ENOMEM, "scores");
    for (size_t i = 0; !st && classes && i < j->n; i++) {
        is[i] = s->class_name[(uint32_t)j->y[i]];
        said[i] = s->class_name[told[0].guess[i]];
    }
    const fl_table_column number[COLUMNS] = {{"id", FL_DUCK_TEXT},       {"y", FL_DUCK_FLOAT},
                                             {"p10", FL_DUCK_DOUBLE},    {"p50", FL_DUCK_DOUBLE},
                                             {"p90", FL_DUCK_DOUBLE},    {"mean", FL_DUCK_DOUBLE},
                                             {"loss", FL_DUCK_DOUBLE},   {"time", FL_DUCK_TIME_US},
                                             {"period", FL_DUCK_UINT32}, {"cluster", FL_DUCK_TEXT}};
    const void *numbers[COLUMNS] = {ids.id,       j->y,          told[0].low,  told[0].median,
                                    told[0].high, told[0].value, told[0].loss, j->time_us,
                                    j->part,      ids.cluster};
    const fl_table_column name[] = {{"id", FL_DUCK_TEXT},        {"y", FL_DUCK_TEXT},
                                    {"likeliest", FL_DUCK_TEXT}, {"loss", FL_DUCK_DOUBLE},
                                    {"time", FL_DUCK_TIME_US},   {"period", FL_DUCK_UINT32},
                                    {"cluster", FL_DUCK_TEXT}};
    const void *names[] = {ids.id, is, said, told[0].loss, j->time_us, j->part, ids.cluster};
    if (!st)
        st = fl_table_open(&w, path, classes ? name : number, classes ? FL_LEN(name) : COLUMNS, ctx,
                           err);
    if (!st) st = fl_table_add(w, classes ? names : numbers, j->n, err);
    if (!st) st = fl_table_commit(w, err);
    else fl_table_abort(w);
    fl_result_ids_free(&ids);
    free(is);
    free(said);
    return st;
}
