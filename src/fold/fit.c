/* Learning the plan's constants from a log's past: typical amount, upper tails, what counts as high for an entity,
 * and how much of the bad labels an unusual amount explains.
 *
 * Uses events with time and labels with arrival before a moment, nothing else: what the fold computes later from
 * these constants could have been known at that moment. */
#include "fold/plan.h"

enum { SAMPLE_MAX = 1 << 18, RATIO_BINS = 4000, PASSES = 3, WARM = 3 };
static const float HIGH_QUANTILE =
    0.99f;                         /* of the ratio to the own normal: past it an amount is high */
static const double PRIOR_BAD = 2; /* bad labels' worth of base rate mixed into every bin */

typedef struct {
    const fl_log *log;
    fl_fold_plan *plan;
    int64_t until_us;
    uint8_t *label; /* [rows] 1: known as bad; NULL without a risk label */
    uint64_t rows;
} fitting;

/* Log ratios in steps of 0.01 over [-20, 20]; and the events known as bad among them. Events without a label count as
 * good: many sources report bad ones only. */
typedef struct {
    double all[RATIO_BINS], bad[RATIO_BINS];
} histogram;

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float amount_at(const fitting *f, uint64_t row)
{
    int64_t a = fl_log_amount(f->log, row);
    return a == FL_AMOUNT_NONE ? 0 : (float)a * f->plan->unit;
}

static florin_status load_labels(fitting *f, florin_error *err)
{
    if (f->plan->risk < 0 || f->rows == 0) return FLORIN_OK;
    f->label = fl_alloc(f->rows, 1);
    if (!f->label)
        return fl_fail(err, FLORIN_ENOMEM, "fold: labels of %llu rows",
                       (unsigned long long)f->rows);
    memset(f->label, 0, f->rows);
    uint64_t n = fl_log_labels(f->log);
    for (uint64_t i = 0; i < n; i++) {
        fl_label l;
        fl_log_label(f->log, i, &l);
        if (l.arrival_us >= f->until_us) break; /* arrival order */
        if (l.label == f->plan->risk) f->label[l.row] = l.value >= 0.5f;
    }
    return FLORIN_OK;
}

/* Typical amount, prior mean and the edges of the tail of all amounts. */
static florin_status fit_amounts(fitting *f, florin_error *err)
{
    fl_fold_plan *p = f->plan;
    uint64_t stride = f->rows / SAMPLE_MAX + 1;
    size_t n = 0;
    float *v = fl_alloc(f->rows / stride + 1, sizeof *v);
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "fold: a sample of amounts");
    for (uint64_t r = 0; r < f->rows; r += stride) {
        float a = amount_at(f, r);
        if (a > 0 && fl_log_time(f->log, r) < f->until_us) v[n++] = a;
    }
    if (n >= 20) {
        qsort(v, n, sizeof *v, by_value);
        p->amount_typical = v[n / 2];
        double sum = 0, top = (double)v[(size_t)((double)n * 0.99)];
        for (size_t i = 0; i < n; i++) sum += (double)v[i] < top ? (double)v[i] : top;
        for (uint32_t k = 0; k < p->kinds; k++) p->kind[k].mean = (float)(sum / (double)n);
        double part = 0.5;
        for (int i = 0; i < TAIL_EDGES; i++, part *= 0.5) {
            size_t at = (size_t)((double)n * (1 - part));
            p->amount.edge[i] = fl_fold_log(v[at < n ? at : n - 1] / p->amount_typical);
        }
    }
    free(v);
    return FLORIN_OK;
}

static int ratio_bin(float log_ratio)
{
    int b = (int)((log_ratio + 20) * 100);
    return b < 0 ? 0 : b >= RATIO_BINS ? RATIO_BINS - 1 : b;
}
static float bin_edge(int b)
{
    return (float)b / 100 - 20;
}

/* Run the own normals of one kind over the past and count their log ratios. */
static void pass_kind(const fitting *f, uint32_t k, own_normal *normal, histogram *h)
{
    const kind_plan *q = &f->plan->kind[k];
    double spread = 0, weight = 0;
    memset(h, 0, sizeof *h);
    for (uint64_t r = 0; r < f->rows; r++) {
        if (fl_log_time(f->log, r) >= f->until_us) continue;
        uint32_t e = fl_log_entity(f->log, (int)k, r);
        float a = amount_at(f, r);
        if (e == FL_NONE || !(a > 0)) continue;
        float mean = normal_mean(q, &normal[e]), x = 0;
        if (mean > 0) {
            x = fl_fold_log(a / mean);
            x = x < -20 ? -20 : x > 20 ? 20 : x;
        }
        if (normal[e].weight >= WARM) {
            int b = ratio_bin(x);
            h->all[b]++;
            if (f->label) h->bad[b] += f->label[r];
            float dev = x < 0 ? -x : x;
            spread += (double)(dev < q->log_clip ? dev : q->log_clip);
            weight++;
        }
        fl_fold_normal_add(q, &normal[e], a, mean, x);
    }
    if (weight >= 20) f->plan->kind[k].spread = (float)(spread / weight) + 1e-3f;
}

static float quantile_of(const histogram *h, double q)
{
    double total = 0, sum = 0;
    for (int b = 0; b < RATIO_BINS; b++) total += h->all[b];
    for (int b = 0; b < RATIO_BINS; b++) {
        sum += h->all[b];
        if (sum >= q * total) return bin_edge(b + 1);
    }
    return bin_edge(RATIO_BINS);
}

/* Share of the bad labels in each bin that would not be there at the base rate of the lower half; never falling
 * from bin to bin. Levin 1953. */
static void attribute(float explain[TAIL_BINS], const double seen[TAIL_BINS],
                      const double bad[TAIL_BINS])
{
    double all_seen = 0, all_bad = 0;
    for (int b = 0; b < TAIL_BINS; b++) all_seen += seen[b], all_bad += bad[b];
    if (all_bad < 10 || all_seen <= all_bad)
        return; /* too little to learn from: the neutral curve stays */
    double base = (bad[0] + PRIOR_BAD * 0.1) / (seen[0] + PRIOR_BAD * 0.1 * all_seen / all_bad);
    double prior = PRIOR_BAD / base;
    if (prior > 1000) prior = 1000;
    float least = 0;
    for (int b = 0; b < TAIL_BINS; b++) {
        double rate = (bad[b] + prior * base) / (seen[b] + prior);
        float e = rate > base ? (float)(1 - base / rate) : 0;
        if (e > least) least = e;
        explain[b] = least;
    }
}

static void fit_ratio_tail(tail *t, const histogram *h)
{
    double seen[TAIL_BINS] = {0}, bad[TAIL_BINS] = {0}, part = 0.5;
    for (int i = 0; i < TAIL_EDGES; i++, part *= 0.5) t->edge[i] = quantile_of(h, 1 - part);
    for (int b = 0; b < RATIO_BINS; b++) {
        uint32_t i = tail_bin(t, bin_edge(b) + 0.005f);
        seen[i] += h->all[b];
        bad[i] += h->bad[b];
    }
    attribute(t->explain, seen, bad);
}

static void fit_amount_explain(const fitting *f)
{
    double seen[TAIL_BINS] = {0}, bad[TAIL_BINS] = {0};
    tail *t = &f->plan->amount;
    for (uint64_t r = 0; f->label && r < f->rows; r++) {
        float a = amount_at(f, r);
        if (!(a > 0) || fl_log_time(f->log, r) >= f->until_us) continue;
        uint32_t i = tail_bin(t, fl_fold_log(a / f->plan->amount_typical));
        seen[i]++;
        bad[i] += f->label[r];
    }
    attribute(t->explain, seen, bad);
}

static florin_status fit_kind(fitting *f, uint32_t k, histogram *h, florin_error *err)
{
    kind_plan *q = &f->plan->kind[k];
    size_t n = fl_log_entities(f->log, (int)k);
    own_normal *normal = fl_alloc(n ? n : 1, sizeof *normal);
    if (!normal) return fl_fail(err, FLORIN_ENOMEM, "fold: normals of %zu entities", n);
    for (int pass = 0; pass < PASSES; pass++) {
        memset(normal, 0, n * sizeof *normal);
        pass_kind(f, k, normal, h);
        double total = 0;
        for (int b = 0; b < RATIO_BINS; b++) total += h->all[b];
        if (total < 100) break;
        float x = quantile_of(h, (double)HIGH_QUANTILE);
        q->log_high = x < 0.1f ? 0.1f : x;
        q->high = q->clip = fl_fold_exp(q->log_high);
        q->log_high = q->log_clip = fl_fold_log(q->high);
        fit_ratio_tail(&q->ratio, h);
    }
    free(normal);
    return FLORIN_OK;
}

/* The fields with the largest vocabularies are the ones worth watching for novelty. */
static void choose_novelty(fl_fold_plan *p, const fl_log *log)
{
    const fl_schema *s = fl_log_schema(log);
    bool taken[FL_CATEGORIES_MAX] = {false};
    for (int i = 0; i < NOVEL_FIELDS; i++) {
        int best = -1;
        uint32_t most = 0;
        for (int c = 0; c < (int)s->categories; c++) {
            uint32_t n = taken[c] || s->category[c].after ? 0 : fl_log_values(log, c);
            if (n > most) {
                most = n;
                best = c;
            }
        }
        p->novel[i] = best;
        if (best < 0) continue;
        taken[best] = true;
        memcpy(p->category[i], s->category[best].name, FL_NAME_MAX);
    }
}

florin_status fl_fold_plan_fit(fl_fold_plan *plan, const fl_log *log, int64_t until_us,
                               const florin_context *ctx, florin_error *err)
{
    fitting f = {log, plan, until_us, NULL, fl_log_rows(log)};
    histogram *h = NULL;
    florin_status st = load_labels(&f, err);
    if (st) goto done;
    h = fl_alloc(1, sizeof *h);
    if (!h) {
        st = fl_fail(err, FLORIN_ENOMEM, "fold: histograms");
        goto done;
    }
    if (plan->amounts) {
        st = fit_amounts(&f, err);
        if (st) goto done;
        fit_amount_explain(&f);
        for (uint32_t k = 0; k < plan->kinds; k++) {
            fl_progress(ctx, "fitting the fold", k, plan->kinds);
            if (fl_cancelled(ctx)) {
                st = fl_fail(err, FLORIN_ECANCELLED,
                             "fold: stopped before its constants were learned");
                goto done;
            }
            st = fit_kind(&f, k, h, err);
            if (st) goto done;
        }
    }
    choose_novelty(plan, log);
    plan->until_us = until_us;
    fl_fold_own_fit(plan, log, until_us);
    st = fl_fold_plan_layout(plan, err);
done:
    free(h);
    free(f.label);
    return st;
}
