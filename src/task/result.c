/* Results as JSON. Every number is finite: what is not defined is left out. */
#include "task/result.h"
#include <math.h>

static int64_t floor_day(int64_t us)
{
    int64_t d = us / FL_DAY_US;
    return d * FL_DAY_US > us ? d - 1 : d;
}

florin_status fl_judged_take(fl_judged *out, const fl_sample *s, int part, const fl_task *t,
                             florin_error *err)
{
    memset(out, 0, sizeof *out);
    out->task = t;
    for (size_t i = 0; i < s->rows; i++) out->n += s->part[i] == part;
    size_t n = out->n ? out->n : 1;
    out->y = fl_alloc(n, sizeof *out->y);
    out->cluster = fl_alloc(n, 8);
    out->card = fl_alloc(n, 8);
    out->row = fl_alloc(n, 8);
    out->time_us = fl_alloc(n, 8);
    out->day = fl_alloc(n, 8);
    out->amount = fl_alloc(n, sizeof *out->amount);
    if (!out->y || !out->cluster || !out->card || !out->row || !out->time_us || !out->day ||
        !out->amount) {
        fl_judged_free(out);
        return fl_fail(err, FLORIN_ENOMEM, "%zu judged rows", n);
    }
    for (size_t i = 0, k = 0; i < s->rows; i++) {
        if (s->part[i] != part) continue;
        out->y[k] = s->truth[i];
        out->cluster[k] = s->cluster[i];
        out->card[k] = s->card[i];
        out->row[k] = s->row[i];
        out->time_us[k] = s->time_us[i];
        out->day[k] = floor_day(s->time_us[i]);
        out->amount[k++] = s->amount[i];
    }
    return FLORIN_OK;
}

void fl_judged_free(fl_judged *j)
{
    free(j->y);
    free(j->cluster);
    free(j->card);
    free(j->row);
    free(j->time_us);
    free(j->day);
    free(j->amount);
    memset(j, 0, sizeof *j);
}

static void put(json_t *o, const char *key, double v)
{
    if (isfinite(v)) json_object_set_new(o, key, json_real(v));
}

static json_t *interval(const fl_interval *i)
{
    return json_pack("{s:f, s:f, s:f}", "value", isfinite(i->value) ? i->value : 0, "low",
                     isfinite(i->low) ? i->low : 0, "high", isfinite(i->high) ? i->high : 0);
}

json_t *fl_result_difference(const char *a, const char *b, const char *metric, const fl_interval *d)
{
    json_t *j = interval(d);
    json_object_set_new(j, "a", json_string(a));
    json_object_set_new(j, "b", json_string(b));
    json_object_set_new(j, "metric", json_string(metric));
    return j;
}

/* At most ~200 points of both curves, at the ends of groups of equal score. */
static void curves(json_t *sys, const fl_judged *j, const double *score, const size_t *order)
{
    double pos = 0, neg = 0, tp = 0, fp = 0, money = 0, all = 0;
    json_t *pr = json_array(), *roc = json_array(), *cost = json_array(), *caught = json_array();
    for (size_t i = 0; i < j->n; i++) {
        pos += j->y[i] > .5f;
        neg += j->y[i] <= .5f;
        if (j->y[i] > .5f && j->amount[i] > 0) all += j->amount[i];
    }
    double last_recall = -1, last_fpr = -1, last_share = -1, missed = all;
    for (size_t i = 0; i < j->n; i++) {
        size_t r = order[i];
        tp += j->y[r] > .5f;
        fp += j->y[r] <= .5f;
        if (j->y[r] > .5f && j->amount[r] > 0) money += j->amount[r];
        if (i + 1 < j->n && score[order[i + 1]] == score[r]) continue;
        bool end = i + 1 == j->n;
        missed = j->task->cost_miss > 0 ? j->task->cost_miss * (pos - tp) : all - money;
        if (pos > 0 && (tp / pos >= last_recall + .005 || end)) {
            last_recall = tp / pos;
            json_array_append_new(pr, json_pack("[f, f]", last_recall, tp / (tp + fp)));
        }
        if (neg > 0 && pos > 0 && (fp / neg >= last_fpr + .005 || end)) {
            last_fpr = fp / neg;
            json_array_append_new(roc, json_pack("[f, f]", last_fpr, tp / pos));
        }
        double share = (double)(i + 1) / (double)j->n;
        if (share >= last_share + .005 || end) {
            last_share = share;
            json_array_append_new(
                cost, json_pack("[f, f]", share,
                                1000 * ((tp + fp) * j->task->cost_alert + missed) / (double)j->n));
            if (all > 0) json_array_append_new(caught, json_pack("[f, f]", tp + fp, money / all));
        }
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

json_t *fl_result_system(const char *name, const char *label, const fl_judged *j,
                         const double *score, const double *probability, const uint8_t *score99,
                         const fl_interval *auc, const fl_interval *ap, double threshold,
                         florin_error *err)
{
    fl_scored s = {.n = j->n, .score = score, .y = j->y, .cluster = j->cluster, .parts = 1};
    size_t *order = fl_order_scores(score, j->n);
    json_t *sys = json_object(), *m = json_object();
    if (!order || !sys || !m) {
        free(order);
        json_decref(sys);
        json_decref(m);
        (void)fl_fail(err, FLORIN_ENOMEM, "results");
        return NULL;
    }
    json_object_set_new(sys, "name", json_string(name));
    json_object_set_new(sys, "label", json_string(label));
    json_object_set_new(m, "auc", interval(auc));
    json_object_set_new(m, "ap", interval(ap));
    put(m, "recall_at_fpr_0.01", fl_recall_at_fpr(&s, order, .01));
    put(m, "precision_at_100", fl_precision_at(&s, order, 100));
    double cp = 0;
    if (j->task->per_event && !fl_card_precision(&cp, &s, j->card, j->day, j->task->card_k, NULL))
        put(m, "card_precision", cp);
    put(m, "money_caught_at_1pc", fl_money_caught(&s, order, j->amount, .01));
    if (probability) {
        put(m, "brier", fl_brier(j->y, probability, j->n));
        json_t *top = json_array();
        for (uint32_t d = 0; d < 3; d++) {
            double x = fl_observed_over_expected(j->y, probability, order, j->n, d);
            json_array_append_new(top, json_real(isfinite(x) ? x : 0));
        }
        json_object_set_new(m, "observed_over_expected", top);
        calibration(sys, j, probability, order);
        confusion(sys, j, probability, threshold);
    }
    json_object_set_new(sys, "metrics", m);
    curves(sys, j, score, order);
    if (score99) histogram(sys, j, score99);
    free(order);
    return sys;
}
