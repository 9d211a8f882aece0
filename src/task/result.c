/* Results as JSON. Every number is finite: what is not defined is left out. */
#include "task/result.h"
#include "data/duck.h"
#include <math.h>
#include <stdio.h>

static int64_t floor_day(int64_t us)
{
    int64_t d = us / FL_DAY_US;
    return d * FL_DAY_US > us ? d - 1 : d;
}

florin_status fl_judged_take(fl_judged *out, const fl_sample *s, bool validation, const fl_task *t,
                             florin_error *err)
{
    memset(out, 0, sizeof *out);
    out->task = t;
    out->first = validation ? 0 : t->validates;
    out->parts = validation ? t->validates : t->tests;
    uint32_t first = out->first, last = first + out->parts;
    for (size_t i = 0; i < s->rows; i++) out->n += s->in[i] > first && s->in[i] <= last;
    size_t n = out->n ? out->n : 1;
    out->at = fl_alloc(n, sizeof *out->at);
    out->y = fl_alloc(n, sizeof *out->y);
    out->cluster = fl_alloc(n, 8);
    out->card = fl_alloc(n, 8);
    out->row = fl_alloc(n, 8);
    out->part = fl_alloc(n, sizeof *out->part);
    out->time_us = fl_alloc(n, 8);
    out->day = fl_alloc(n, 8);
    out->amount = fl_alloc(n, sizeof *out->amount);
    if (!out->at || !out->y || !out->cluster || !out->card || !out->row || !out->part ||
        !out->time_us || !out->day || !out->amount) {
        fl_judged_free(out);
        return fl_fail(err, FLORIN_ENOMEM, "%zu judged rows", n);
    }
    for (size_t i = 0, k = 0; i < s->rows; i++) {
        if (s->in[i] <= first || s->in[i] > last) continue;
        out->at[k] = i;
        out->y[k] = s->truth[i];
        out->cluster[k] = s->cluster[i];
        out->card[k] = s->card[i];
        out->row[k] = s->row[i];
        out->part[k] = s->in[i] - 1 - first;
        out->time_us[k] = s->time_us[i];
        out->day[k] = floor_day(s->time_us[i]);
        out->amount[k++] = s->amount[i];
    }
    return FLORIN_OK;
}

void fl_judged_free(fl_judged *j)
{
    free(j->at);
    free(j->y);
    free(j->cluster);
    free(j->card);
    free(j->row);
    free(j->part);
    free(j->time_us);
    free(j->day);
    free(j->amount);
    memset(j, 0, sizeof *j);
}

fl_scored fl_judged_rows(const fl_judged *j, const double *score)
{
    return (fl_scored){.n = j->n,
                       .score = score,
                       .y = j->y,
                       .cluster = j->cluster,
                       .part = j->part,
                       .parts = j->parts};
}

static void put(json_t *o, const char *key, double v)
{
    if (isfinite(v)) json_object_set_new(o, key, json_real(v));
}

json_t *fl_result_interval(const fl_interval *i)
{
    return json_pack("{s:f, s:f, s:f}", "value", isfinite(i->value) ? i->value : 0, "low",
                     isfinite(i->low) ? i->low : 0, "high", isfinite(i->high) ? i->high : 0);
}

json_t *fl_result_difference(const char *a, const char *b, const char *metric, const fl_interval *d)
{
    json_t *j = fl_result_interval(d);
    json_object_set_new(j, "a", json_string(a));
    json_object_set_new(j, "b", json_string(b));
    json_object_set_new(j, "metric", json_string(metric));
    return j;
}

/* Curves at the ends of groups of equal score, some 200 points each: precision and recall and the ROC in even steps,
 * cost and money caught in steps that grow with the number of alerts, as they are read on a logarithmic axis. */
static void curves(json_t *sys, const fl_judged *j, const double *score, const size_t *order)
{
    double pos = 0, neg = 0, tp = 0, fp = 0, money = 0, all = 0;
    json_t *pr = json_array(), *roc = json_array(), *cost = json_array(), *caught = json_array();
    for (size_t i = 0; i < j->n; i++) {
        pos += j->y[i] > .5f;
        neg += j->y[i] <= .5f;
        if (j->y[i] > .5f && j->amount[i] > 0) all += j->amount[i];
    }
    double last_recall = -1, last_fpr = -1, next = 1, n = (double)j->n;
    for (size_t i = 0; i < j->n; i++) {
        size_t r = order[i];
        tp += j->y[r] > .5f;
        fp += j->y[r] <= .5f;
        if (j->y[r] > .5f && j->amount[r] > 0) money += j->amount[r];
        bool end = i + 1 == j->n;
        if (!end && score[order[i + 1]] == score[r]) continue;
        if (pos > 0 && (tp / pos >= last_recall + .005 || end)) {
            last_recall = tp / pos;
            json_array_append_new(pr, json_pack("[f, f]", last_recall, tp / (tp + fp)));
        }
        if (neg > 0 && pos > 0 && (fp / neg >= last_fpr + .005 || end)) {
            last_fpr = fp / neg;
            json_array_append_new(roc, json_pack("[f, f]", last_fpr, tp / pos));
        }
        if (tp + fp < next && !end) continue;
        next = (tp + fp) * 1.06;
        double missed = j->task->cost_miss > 0 ? j->task->cost_miss * (pos - tp) : all - money;
        double total = (tp + fp) * j->task->cost_alert + missed;
        json_array_append_new(cost, json_pack("[f, f]", (tp + fp) / n, 1000 * total / n));
        if (all > 0) json_array_append_new(caught, json_pack("[f, f]", tp + fp, money / all));
    }
    json_object_set_new(sys, "pr", pr);
    json_object_set_new(sys, "roc", roc);
    json_object_set_new(sys, "cost", cost);
    json_object_set_new(sys, "money", caught);
}

/* Ten groups of equal size by probability; the interval is Wilson's. */
static void calibration(json_t *sys, const fl_judged *j, const double *p, const size_t *order)
{
    json_t *list = json_array();
    for (size_t d = 10; d-- > 0;) {
        size_t from = j->n * d / 10, to = j->n * (d + 1) / 10;
        double want = 0, got = 0, n = (double)(to - from);
        for (size_t i = from; i < to; i++) {
            want += p[order[i]];
            got += (double)j->y[order[i]];
        }
        if (n < 1) continue;
        double q = got / n, z = 1.96, mid = (q + z * z / 2 / n) / (1 + z * z / n);
        double half = z * sqrt(q * (1 - q) / n + z * z / 4 / n / n) / (1 + z * z / n);
        json_array_append_new(list, json_pack("{s:f, s:f, s:f, s:f, s:I}", "predicted", want / n,
                                              "observed", q, "low", fmax(0, mid - half), "high",
                                              fmin(1, mid + half), "n", (json_int_t)n));
    }
    json_object_set_new(sys, "calibration", list);
}

static void histogram(json_t *sys, const fl_judged *j, const uint8_t *score99)
{
    json_int_t bad[10] = {0}, good[10] = {0};
    json_t *list = json_array();
    for (size_t i = 0; i < j->n; i++)
        *(j->y[i] > .5f ? &bad[score99[i] / 10] : &good[score99[i] / 10]) += 1;
    for (int b = 0; b < 10; b++)
        json_array_append_new(list,
                              json_pack("{s:i, s:i, s:I, s:I}", "from", b * 10, "to", b * 10 + 10,
                                        "negatives", good[b], "positives", bad[b]));
    json_object_set_new(sys, "histogram", list);
}

static void confusion(json_t *sys, const fl_judged *j, const double *p, double threshold)
{
    json_int_t n[2][2] = {{0}};
    for (size_t i = 0; i < j->n; i++) n[j->y[i] > .5f][p[i] >= threshold]++;
    json_object_set_new(sys, "confusion",
                        json_pack("{s:f, s:I, s:I, s:I, s:I}", "threshold", threshold, "tp",
                                  n[1][1], "fp", n[0][1], "fn", n[1][0], "tn", n[0][0]));
}

/* --- metrics --- */

enum { METRICS_MAX = 16 + 3 * FL_CHOICES_MAX };
typedef struct {
    char name[METRICS_MAX][40];
    double value[METRICS_MAX];
    uint32_t n;
} figures;

static void figure(figures *f, double value, const char *fmt, ...) FL_PRINTF(3, 4);
static void figure(figures *f, double value, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(f->name[f->n], sizeof f->name[0], fmt, ap);
    va_end(ap);
    f->value[f->n++] = value;
}

/* The judged rows of one period as arrays of their own. */
typedef struct {
    size_t n;
    double *score, *p, *amount;
    float *y;
    uint64_t *card;
    int64_t *day;
} slice;

static void slice_free(slice *c)
{
    free(c->score);
    free(c->p);
    free(c->amount);
    free(c->y);
    free(c->card);
    free(c->day);
}

static bool slice_take(slice *c, const fl_judged *j, const fl_system *s, uint32_t part)
{
    size_t n = j->n ? j->n : 1;
    *c = (slice){.score = fl_alloc(n, sizeof(double)),
                 .p = fl_calloc(n, sizeof(double)),
                 .amount = fl_alloc(n, sizeof(double)),
                 .y = fl_alloc(n, sizeof(float)),
                 .card = fl_alloc(n, 8),
                 .day = fl_alloc(n, 8)};
    if (!c->score || !c->p || !c->amount || !c->y || !c->card || !c->day) return false;
    for (size_t i = 0; i < j->n; i++) {
        if (j->part[i] != part) continue;
        c->score[c->n] = s->score[i];
        if (s->probability) c->p[c->n] = s->probability[i];
        c->amount[c->n] = j->amount[i];
        c->y[c->n] = j->y[i];
        c->card[c->n] = j->card[i];
        c->day[c->n++] = j->day[i];
    }
    return true;
}

/* Every figure of one period but those that are bootstrapped. */
static florin_status period_figures(figures *f, const fl_judged *j, const fl_system *s,
                                    uint32_t part, florin_error *err)
{
    const fl_task *t = j->task;
    slice c;
    size_t *order = NULL;
    double cards = 0;
    florin_status st = FLORIN_OK;

    f->n = 0;
    if (!slice_take(&c, j, s, part) || !(order = fl_order_scores(c.score, c.n)))
        st = fl_fail(err, FLORIN_ENOMEM, "results");
    fl_scored q = {.n = c.n, .score = c.score, .y = c.y, .parts = 1};
    if (!st && t->per_event) st = fl_card_precision(&cards, &q, c.card, c.day, t->card_k, err);
    if (!st) {
        figure(f, fl_auc(&q, order, NULL), "auc");
        figure(f, fl_average_precision(&q, order, NULL), "ap");
        if (s->probability) figure(f, fl_brier(c.y, c.p, c.n), "brier");
        for (uint32_t i = 0; i < t->fprs; i++)
            figure(f, fl_recall_at_fpr(&q, order, t->fpr[i]), "recall_at_fpr_%g", t->fpr[i]);
        for (uint32_t i = 0; i < t->precisions; i++)
            figure(f, fl_precision_at(&q, order, t->precision_at[i]), "precision_at_%u",
                   t->precision_at[i]);
        if (t->per_event) figure(f, cards, "card_precision_at_%u", t->card_k);
        for (uint32_t i = 0; t->per_event && i < t->moneys; i++)
            figure(f, fl_money_caught(&q, order, c.amount, t->money_at[i]), "money_caught_at_%g",
                   t->money_at[i]);
        for (uint32_t d = 0; s->probability && d < 3; d++)
            figure(f, fl_observed_over_expected(c.y, c.p, order, c.n, d),
                   "observed_over_expected_%u", d + 1);
    }
    free(order);
    slice_free(&c);
    return st;
}

/* A single moment is kept as [t, t + 1 us): shown as it was written. */
static void format_end(const fl_period *p, char out[32])
{
    fl_time_format(p->to_us == p->from_us + 1 ? p->from_us : p->to_us, out);
}

static void add_period(json_t *list, const fl_judged *j, uint32_t part, const figures *f)
{
    char from[32], to[32];
    const fl_period *p = &j->task->period[j->first + part];
    json_t *o = json_object(), *m = json_object();

    fl_time_format(p->from_us, from);
    format_end(p, to);
    json_object_set_new(o, "from", json_string(from));
    json_object_set_new(o, "to", json_string(to));
    for (uint32_t i = 0; i < f->n; i++) put(m, f->name[i], f->value[i]);
    json_object_set_new(o, "metrics", m);
    json_array_append_new(list, o);
}

static florin_status all_figures(json_t *sys, const fl_judged *j, const fl_system *s,
                                 const fl_interval ci[2], florin_error *err)
{
    figures f = {.n = 0};
    double sum[METRICS_MAX] = {0};
    json_t *m = json_object(), *list = json_array();
    florin_status st = m && list ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "results");

    for (uint32_t part = 0; part < j->parts && !st; part++) {
        st = period_figures(&f, j, s, part, err);
        for (uint32_t i = 0; i < f.n; i++) sum[i] += f.value[i];
        if (!st && j->parts > 1) add_period(list, j, part, &f);
    }
    for (uint32_t i = 0; i < f.n; i++) put(m, f.name[i], sum[i] / j->parts);
    json_object_set_new(m, "auc", fl_result_interval(&ci[0]));
    json_object_set_new(m, "ap", fl_result_interval(&ci[1]));
    json_object_set_new(sys, "metrics", m);
    if (j->parts > 1) json_object_set_new(sys, "periods", list);
    else json_decref(list);
    return st;
}

json_t *fl_result_system(const fl_system *s, const fl_judged *j, const fl_interval ci[2],
                         florin_error *err)
{
    size_t *order = fl_order_scores(s->score, j->n);
    json_t *sys = json_pack("{s:s, s:s}", "name", s->name, "label", s->label);
    if (!order || !sys || all_figures(sys, j, s, ci, err)) {
        if (!order || !sys) (void)fl_fail(err, FLORIN_ENOMEM, "results");
        free(order);
        json_decref(sys);
        return NULL;
    }
    if (s->probability) {
        calibration(sys, j, s->probability, order);
        confusion(sys, j, s->probability, s->threshold);
    }
    curves(sys, j, s->score, order);
    if (s->score99) histogram(sys, j, s->score99);
    free(order);
    return sys;
}

json_t *fl_result_head(const fl_sample *s, const fl_judged *j)
{
    const fl_task *t = j->task;
    const fl_period *p = &t->period[j->first];
    char from[32], to[32];
    uint64_t rows = 0, positives = 0;
    json_t *list = json_array();
    fl_map64 entities = {0};

    bool counted = fl_map64_init(&entities, 1024);
    for (size_t i = 0; counted && i < j->n; i++)
        counted = fl_map64_insert(&entities, fl_mix64(j->cluster[i]) | 1, NULL) != NULL;
    json_int_t drawn = counted ? (json_int_t)entities.count : 0;
    fl_map64_free(&entities);

    for (uint32_t k = 0; k < j->parts; k++) {
        uint64_t n = s->seen[j->first + k], bad = s->positives[j->first + k];
        fl_time_format(p[k].from_us, from);
        format_end(&p[k], to);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "from", from, "to", to,
                                              "rows", (json_int_t)n, "positives", (json_int_t)bad));
        rows += n;
        positives += bad;
    }
    fl_time_format(p[0].from_us, from);
    format_end(&p[j->parts - 1], to);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:{s:s, s:s, s:I, s:I, s:I, s:o}}", "report",
                     "eval", "task", t->name, "data", t->data, "about", t->about, "part",
                     j->first < t->validates ? "validation" : "test", "per_event",
                     (int)t->per_event, "test", "from", from, "to", to, "rows", (json_int_t)rows,
                     "positives", (json_int_t)positives, "entities", drawn, "periods", list);
}

florin_status fl_result_ids(fl_row_ids *out, const fl_judged *j, const fl_log *log,
                            florin_error *err)
{
    const fl_task *t = j->task;
    *out = (fl_row_ids){.arena = fl_arena_new(1 << 20),
                        .id = fl_calloc(j->n ? j->n : 1, sizeof *out->id),
                        .cluster = fl_calloc(j->n ? j->n : 1, sizeof *out->cluster)};
    if (!out->arena || !out->id || !out->cluster) return fl_fail(err, FLORIN_ENOMEM, "scores");
    for (size_t i = 0; i < j->n; i++) {
        char number[FL_ID_NUMBER];
        size_t len = 0;
        const char *text = t->per_event
                               ? fl_log_event_id(log, j->row[i], number, &len)
                               : fl_log_entity_name(log, t->kind, (uint32_t)j->row[i], &len);
        char *copy = fl_arena_alloc(out->arena, len + 24), *drawn = fl_arena_alloc(out->arena, 24);
        if (!copy || !drawn) return fl_fail(err, FLORIN_ENOMEM, "scores");
        if (text) snprintf(copy, len + 1, "%.*s", (int)len, text);
        else snprintf(copy, 24, "%016llx", (unsigned long long)j->card[i]);
        snprintf(drawn, 24, "%016llx", (unsigned long long)j->cluster[i]);
        out->id[i] = copy;
        out->cluster[i] = drawn;
    }
    return FLORIN_OK;
}

void fl_result_ids_free(fl_row_ids *ids)
{
    free(ids->id);
    free(ids->cluster);
    fl_arena_free(ids->arena);
}

florin_status fl_result_scores(const char *path, const fl_judged *j, const fl_log *log,
                               const fl_system *ours, const double *baseline,
                               const florin_context *ctx, florin_error *err)
{
    fl_table_column col[9] = {
        {"id", FL_DUCK_TEXT}, {"y", FL_DUCK_FLOAT}, {"score", FL_DUCK_DOUBLE}};
    const void *data[9];
    uint32_t n = 3, *level = fl_alloc(j->n ? j->n : 1, sizeof *level);
    fl_table_writer *w = NULL;
    fl_row_ids ids;
    florin_status st = fl_result_ids(&ids, j, log, err);
    if (!st && !level) st = fl_fail(err, FLORIN_ENOMEM, "scores");
    for (size_t i = 0; i < j->n && !st; i++) level[i] = ours->score99[i];
    data[0] = ids.id;
    data[1] = j->y;
    data[2] = ours->score;
    if (baseline) {
        col[n] = (fl_table_column){"baseline", FL_DUCK_DOUBLE};
        data[n++] = baseline;
    }
    const fl_table_column rest[] = {{"probability", FL_DUCK_DOUBLE},
                                    {"score99", FL_DUCK_UINT32},
                                    {"time", FL_DUCK_TIME_US},
                                    {"period", FL_DUCK_UINT32},
                                    {"cluster", FL_DUCK_TEXT}};
    const void *const more[] = {ours->probability, level, j->time_us, j->part, ids.cluster};
    for (size_t i = 0; i < FL_LEN(rest); i++) {
        col[n] = rest[i];
        data[n++] = more[i];
    }
    if (!st) st = fl_table_open(&w, path, col, n, ctx, err);
    if (!st) st = fl_table_add(w, data, j->n, err);
    if (!st) st = fl_table_commit(w, err);
    else fl_table_abort(w);
    fl_result_ids_free(&ids);
    free(level);
    return st;
}
