/* Metrics and the cluster bootstrap. */
#include "task/metrics.h"
#include <math.h>

typedef struct {
    double score;
    size_t row;
} ranked;

static int falling(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

size_t *fl_order_scores(const double *score, size_t n)
{
    ranked *r = fl_alloc(n ? n : 1, sizeof *r);
    size_t *order = fl_alloc(n ? n : 1, sizeof *order);

    if (!r || !order) {
        free(r);
        free(order);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) r[i] = (ranked){score[i], i};
    qsort(r, n, sizeof *r, falling);
    for (size_t i = 0; i < n; i++) order[i] = r[i].row;
    free(r);
    return order;
}

/* Area by trapezoids: a block of equal scores is one step. */
double fl_auc(const fl_scored *s, const size_t *order, const double *weight)
{
    double tp = 0, fp = 0, area = 0;

    for (size_t i = 0; i < s->n;) {
        double p = 0, q = 0, score = s->score[order[i]];
        for (; i < s->n && s->score[order[i]] == score; i++) {
            double w = weight ? weight[order[i]] : 1;
            if (s->y[order[i]] > .5f) p += w;
            else q += w;
        }
        area += q * (tp + .5 * p);
        tp += p;
        fp += q;
    }
    return tp > 0 && fp > 0 ? area / (tp * fp) : NAN;
}

/* Sum over steps of (recall gained) x precision. */
double fl_average_precision(const fl_scored *s, const size_t *order, const double *weight)
{
    double tp = 0, all = 0, sum = 0;

    for (size_t i = 0; i < s->n;) {
        double p = 0, score = s->score[order[i]];
        for (; i < s->n && s->score[order[i]] == score; i++) {
            double w = weight ? weight[order[i]] : 1;
            if (s->y[order[i]] > .5f) p += w;
            all += w;
        }
        tp += p;
        if (p > 0) sum += p * (tp / all);
    }
    return tp > 0 ? sum / tp : NAN;
}

double fl_precision_at(const fl_scored *s, const size_t *order, size_t k)
{
    double tp = 0;
    size_t m = k < s->n ? k : s->n;

    for (size_t i = 0; i < m; i++) tp += s->y[order[i]] > .5f;
    return m ? tp / (double)m : 0;
}

double fl_recall_at_fpr(const fl_scored *s, const size_t *order, double fpr)
{
    double tp = 0, fp = 0, best = 0, positives = 0;

    for (size_t i = 0; i < s->n; i++) positives += s->y[i] > .5f;
    double negatives = (double)s->n - positives;
    for (size_t i = 0; i < s->n;) {
        double score = s->score[order[i]];
        for (; i < s->n && s->score[order[i]] == score; i++)
            if (s->y[order[i]] > .5f) tp++;
            else fp++;
        if (fp > fpr * negatives) break;
        best = tp;
    }
    return positives > 0 ? best / positives : 0;
}

double fl_brier(const float *y, const double *p, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += (p[i] - (double)y[i]) * (p[i] - (double)y[i]);
    return n ? sum / (double)n : 0;
}

double fl_observed_over_expected(const float *y, const double *p, const size_t *order, size_t n,
                                 uint32_t d)
{
    double observed = 0, expected = 0;

    for (size_t i = n * d / 10; i < n * (d + 1) / 10; i++) {
        observed += (double)y[order[i]];
        expected += p[order[i]];
    }
    return expected > 0 ? observed / expected : 0;
}

double fl_money_caught(const fl_scored *s, const size_t *order, const double *amount, double share)
{
    double caught = 0, all = 0;
    size_t m = (size_t)ceil(share * (double)s->n);

    for (size_t i = 0; i < s->n; i++) {
        if (s->y[order[i]] < .5f) continue;
        double a = fabs(amount[order[i]]);
        all += a;
        if (i < m) caught += a;
    }
    return all > 0 ? caught / all : 0;
}

typedef struct {
    uint64_t entity;
    int64_t day;
    uint32_t part;
    double score;
    bool bad, skip;
    size_t row;
} card_day;

static int by_day_entity(const void *a, const void *b)
{
    const card_day *x = a, *y = b;
    if (x->part != y->part) return x->part < y->part ? -1 : 1;
    if (x->day != y->day) return x->day < y->day ? -1 : 1;
    if (x->entity != y->entity) return x->entity < y->entity ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_score(const void *a, const void *b)
{
    const card_day *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->entity > y->entity) - (x->entity < y->entity);
}

/* One entry per (day, entity): the largest score, bad if any row is. Returns the new count. */
static size_t merge_days(card_day *c, size_t n)
{
    size_t m = 0;

    qsort(c, n, sizeof *c, by_day_entity);
    for (size_t i = 0; i < n; i++) {
        card_day *l = m ? &c[m - 1] : NULL;
        if (l && l->part == c[i].part && l->day == c[i].day && l->entity == c[i].entity) {
            if (c[i].score > l->score) l->score = c[i].score;
            l->bad |= c[i].bad;
        } else c[m++] = c[i];
    }
    return m;
}

florin_status fl_card_precision(double *out, const fl_scored *s, const uint64_t *entity,
                                const int64_t *day, uint32_t k, florin_error *err)
{
    card_day *c = fl_alloc(s->n ? s->n : 1, sizeof *c);
    fl_map64 found = {0};
    double part_sum = 0, day_sum = 0;
    uint32_t days = 0, parts = 0;
    florin_status st = FLORIN_OK;

    *out = 0;
    if (!c || !fl_map64_init(&found, 1024)) {
        st = fl_fail(err, FLORIN_ENOMEM, "card precision: out of memory");
        goto done;
    }
    for (size_t i = 0; i < s->n; i++)
        c[i] = (card_day){entity[i], day[i], s->part ? s->part[i] : 0, s->score[i], s->y[i] > .5f,
                          false,     i};
    size_t n = merge_days(c, s->n);
    for (size_t i = 0, e; i < n; i = e) {
        for (e = i; e < n && c[e].day == c[i].day && c[e].part == c[i].part; e++) {}
        uint32_t hits = 0, taken = 0, part = c[i].part;
        qsort(c + i, e - i, sizeof *c, by_score);
        for (size_t j = i; j < e && taken < k; j++) {
            uint64_t key = fl_mix64(c[j].entity ^ fl_mix64(part + 1u)) | 1;
            if (fl_map64_find(&found, key)) continue;
            taken++;
            if (!c[j].bad) continue;
            hits++;
            if (!fl_map64_insert(&found, key, NULL)) {
                st = fl_fail(err, FLORIN_ENOMEM, "card precision: out of memory");
                goto done;
            }
        }
        day_sum += (double)hits / k;
        days++;
        if (e < n && c[e].part == part) continue;
        part_sum += day_sum / days;
        parts++;
        day_sum = 0;
        days = 0;
    }
    *out = parts ? part_sum / parts : 0;
done:
    fl_map64_free(&found);
    free(c);
    return st;
}

/* --- bootstrap --- */

typedef struct {
    fl_scored *part;  /* [parts] rows of a period, scores of a */
    double **score_b; /* [parts] */
    size_t **order, **order_b;
    uint32_t **cluster; /* [parts][rows] dense */
    double *weight;
    uint32_t parts, clusters;
} boot;

static void boot_free(boot *b)
{
    for (uint32_t p = 0; b->part && p < b->parts; p++) {
        free((void *)b->part[p].score);
        free((void *)b->part[p].y);
        if (b->score_b) free(b->score_b[p]);
        if (b->order) free(b->order[p]);
        if (b->order_b) free(b->order_b[p]);
        if (b->cluster) free(b->cluster[p]);
    }
    free(b->part);
    free(b->score_b);
    free(b->order);
    free(b->order_b);
    free(b->cluster);
    free(b->weight);
}

static florin_status boot_part(boot *b, const fl_scored *a, const double *other, uint32_t p,
                               fl_map64 *dense)
{
    size_t n = 0, m = 0;

    for (size_t i = 0; i < a->n; i++) n += !a->part || a->part[i] == p;
    double *score = fl_alloc(n + 1, sizeof *score);
    float *y = fl_alloc(n + 1, sizeof *y);
    b->part[p] = (fl_scored){.n = n, .score = score, .y = y};
    b->score_b[p] = other ? fl_alloc(n + 1, sizeof(double)) : NULL;
    b->cluster[p] = fl_alloc(n + 1, sizeof(uint32_t));
    if (!score || !y || !b->cluster[p] || (other && !b->score_b[p])) return FLORIN_ENOMEM;
    for (size_t i = 0; i < a->n; i++) {
        if (a->part && a->part[i] != p) continue;
        bool inserted;
        uint32_t *c =
            fl_map64_insert(dense, fl_mix64((a->cluster ? a->cluster[i] : i) + 1) | 1, &inserted);
        if (!c) return FLORIN_ENOMEM;
        if (inserted) *c = b->clusters++;
        b->cluster[p][m] = *c;
        if (other) b->score_b[p][m] = other[i];
        score[m] = a->score[i];
        y[m++] = a->y[i];
    }
    b->order[p] = fl_order_scores(score, n);
    b->order_b[p] = other ? fl_order_scores(b->score_b[p], n) : NULL;
    return b->order[p] && (!other || b->order_b[p]) ? FLORIN_OK : FLORIN_ENOMEM;
}

/* Means over the periods; draw [clusters]: times each was drawn, NULL: once each. */
static void boot_value(const boot *b, const double *draw, bool pair, double out[4])
{
    double sum[4] = {0};

    for (uint32_t p = 0; p < b->parts; p++) {
        fl_scored s = b->part[p];
        const double *w = NULL;
        if (draw) {
            for (size_t i = 0; i < s.n; i++) b->weight[i] = draw[b->cluster[p][i]];
            w = b->weight;
        }
        sum[0] += fl_auc(&s, b->order[p], w);
        sum[1] += fl_average_precision(&s, b->order[p], w);
        if (!pair) continue;
        s.score = b->score_b[p];
        sum[2] += fl_auc(&s, b->order_b[p], w);
        sum[3] += fl_average_precision(&s, b->order_b[p], w);
    }
    for (int k = 0; k < 4; k++) out[k] = sum[k] / b->parts;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Percentile with linear interpolation, as numpy's default. */
static double percentile(double *v, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t lo = (size_t)at;
    return lo + 1 < n ? v[lo] + (v[lo + 1] - v[lo]) * (at - (double)lo) : v[n - 1];
}

static void set_interval(fl_interval *out, double value, double *draws, size_t n)
{
    *out = (fl_interval){value, value, value};
    if (n < 2) return;
    qsort(draws, n, sizeof *draws, rising);
    out->low = percentile(draws, n, .025);
    out->high = percentile(draws, n, .975);
}

static florin_status boot_open(boot *b, const fl_scored *a, const double *other, florin_error *err)
{
    fl_map64 dense = {0};
    florin_status st = FLORIN_OK;

    b->parts = a->part && a->parts ? a->parts : 1;
    b->part = fl_calloc(b->parts, sizeof *b->part);
    b->score_b = fl_calloc(b->parts, sizeof *b->score_b);
    b->order = fl_calloc(b->parts, sizeof *b->order);
    b->order_b = fl_calloc(b->parts, sizeof *b->order_b);
    b->cluster = fl_calloc(b->parts, sizeof *b->cluster);
    b->weight = fl_alloc(a->n + 1, sizeof *b->weight);
    if (!b->part || !b->score_b || !b->order || !b->order_b || !b->cluster || !b->weight ||
        !fl_map64_init(&dense, 1024))
        st = FLORIN_ENOMEM;
    for (uint32_t p = 0; p < b->parts && !st; p++) st = boot_part(b, a, other, p, &dense);
    fl_map64_free(&dense);
    return st ? fl_fail(err, st, "bootstrap: no memory for %zu rows", a->n) : FLORIN_OK;
}

florin_status fl_bootstrap(fl_interval out[6], const fl_scored *a, const double *b, uint32_t draws,
                           uint64_t seed, const florin_context *ctx, florin_error *err)
{
    boot k = {0};
    double *draw = NULL, *kept = NULL, value[4], v[4];
    size_t got = 0;
    fl_rng rng;

    memset(out, 0, 6 * sizeof *out);
    florin_status st = boot_open(&k, a, b, err);
    if (st) goto done;
    draw = fl_alloc(k.clusters + 1, sizeof *draw);
    kept = fl_alloc((size_t)draws + 1, 6 * sizeof *kept);
    if (!draw || !kept) {
        st = fl_fail(err, FLORIN_ENOMEM, "bootstrap: out of memory");
        goto done;
    }
    fl_rng_seed(&rng, seed);
    boot_value(&k, NULL, b != NULL, value);
    for (uint32_t d = 0; d < draws && !fl_cancelled(ctx); d++) {
        memset(draw, 0, k.clusters * sizeof *draw);
        for (uint32_t c = 0; c < k.clusters; c++) draw[fl_rng_below(&rng, k.clusters)] += 1;
        boot_value(&k, draw, b != NULL, v);
        fl_progress(ctx, "bootstrap", d + 1, draws);
        if (!isfinite(v[0]) || !isfinite(v[1]))
            continue; /* a draw without positives says nothing */
        double six[6] = {v[0], v[1], v[2], v[3], v[0] - v[2], v[1] - v[3]};
        for (size_t i = 0; i < 6; i++) kept[i * draws + got] = six[i];
        got++;
    }
    double six[6] = {value[0],           value[1], value[2], value[3], value[0] - value[2],
                     value[1] - value[3]};
    for (size_t i = 0; i < (b ? 6u : 2u); i++) set_interval(&out[i], six[i], kept + i * draws, got);
done:
    boot_free(&k);
    free(draw);
    free(kept);
    return st;
}

/* Clusters as numbers from 0, in order of appearance; their number. 0: no memory. */
static uint32_t dense_clusters(const uint64_t *cluster, size_t n, uint32_t *out)
{
    fl_map64 at = {0};
    uint32_t count = 0;
    bool ok = fl_map64_init(&at, 1024);
    for (size_t i = 0; ok && i < n; i++) {
        bool inserted;
        uint32_t *c = fl_map64_insert(&at, fl_mix64(cluster[i] + 1) | 1, &inserted);
        ok = c != NULL;
        if (ok && inserted) *c = count++;
        if (ok) out[i] = *c;
    }
    fl_map64_free(&at);
    return ok ? count : 0;
}

florin_status fl_bootstrap_figures(fl_interval *out, uint32_t figures, fl_figures of, void *self,
                                   const uint64_t *cluster, size_t n, uint32_t draws, uint64_t seed,
                                   const florin_context *ctx, florin_error *err)
{
    uint32_t *dense = fl_alloc(n + 1, sizeof *dense), done = 0;
    uint32_t clusters = dense ? dense_clusters(cluster, n, dense) : 0;
    double *times = fl_alloc((size_t)clusters + 1, sizeof *times),
           *weight = fl_alloc(n + 1, sizeof *weight), *one = fl_alloc(figures, sizeof *one),
           *kept = fl_alloc((size_t)draws + 1, figures * sizeof *kept);
    florin_status st = clusters && times && weight && one && kept
                           ? FLORIN_OK
                           : fl_fail(err, FLORIN_ENOMEM, "bootstrap: no memory for %zu rows", n);
    fl_rng rng;
    fl_rng_seed(&rng, seed);
    for (; !st && done < draws && !fl_cancelled(ctx); done++) {
        memset(times, 0, clusters * sizeof *times);
        for (uint32_t c = 0; c < clusters; c++) times[fl_rng_below(&rng, clusters)] += 1;
        for (size_t i = 0; i < n; i++) weight[i] = times[dense[i]];
        of(self, weight, one);
        for (uint32_t k = 0; k < figures; k++) kept[(size_t)k * draws + done] = one[k];
        fl_progress(ctx, "bootstrap", done + 1, draws);
    }
    if (!st) of(self, NULL, one);
    for (uint32_t k = 0; !st && k < figures; k++) {
        double *v = kept + (size_t)k * draws;
        out[k] = (fl_interval){one[k], one[k], one[k]};
        if (done < 20) continue;
        qsort(v, done, sizeof *v, rising);
        out[k].low = v[(size_t)(.025 * (done - 1))];
        out[k].high = v[(size_t)ceil(.975 * (done - 1))];
    }
    free(dense);
    free(times);
    free(weight);
    free(one);
    free(kept);
    return st;
}
