/* Metrics of scores against outcomes, and bootstrap intervals by cluster. Scores are ordered once; a draw of clusters
 * then costs one pass. Ties are handled as scikit-learn does: equal scores enter together. */
#ifndef FL_METRICS_H
#define FL_METRICS_H

#include "base/base.h"

typedef struct {
    size_t n;
    const double *score;     /* [n] higher is more suspect */
    const float *y;          /* [n] 0 or 1 */
    const uint64_t *cluster; /* [n] entity that is drawn together; NULL: rows */
    const uint32_t
        *part; /* [n] test period, 0..parts-1: metrics are means over periods. NULL: one */
    uint32_t parts;
} fl_scored;

/* weight NULL: ones. order: rows by falling score (fl_order_scores). NaN where there is a single class. */
double fl_auc(const fl_scored *s, const size_t *order, const double *weight);
double fl_average_precision(const fl_scored *s, const size_t *order, const double *weight);
size_t *fl_order_scores(const double *score, size_t n); /* malloc'ed, stable; NULL: no memory */

double fl_precision_at(const fl_scored *s, const size_t *order, size_t k);
double fl_recall_at_fpr(const fl_scored *s, const size_t *order, double fpr);
double fl_brier(const float *y, const double *p, size_t n);
/* Observed over expected positives in the d-th tenth from the top (d = 0..9); p: probabilities. */
double fl_observed_over_expected(const float *y, const double *p, const size_t *order, size_t n,
                                 uint32_t d);
/* Mean over days of the share of true positives among the k highest entities of a day (each by its largest score);
 * entities found on an earlier day of the same part are left out later. Source: Fraud Detection Handbook, ch. 4. */
florin_status fl_card_precision(double *out, const fl_scored *s, const uint64_t *entity,
                                const int64_t *day, uint32_t k, florin_error *err);
/* Share of the positives' amount among the `share` highest rows. */
double fl_money_caught(const fl_scored *s, const size_t *order, const double *amount, double share);

typedef struct {
    double value, low, high; /* 95 % interval */
} fl_interval;
/* [0] AUC, [1] average precision of `a`; with b (same rows): [2], [3] of b, [4], [5] a - b, paired draws. */
florin_status fl_bootstrap(fl_interval out[6], const fl_scored *a, const double *b, uint32_t draws,
                           uint64_t seed, const florin_context *ctx, florin_error *err);

/* What figures [figures] rows have when each counts weight [n] times; NULL: once. */
typedef void (*fl_figures)(void *self, const double *weight, double *out);
/* Any figures, with intervals over draws of clusters [n]; all figures of a draw are of the same rows, so a difference among
 * them is paired. Fewer than 20 draws (cancelled): no interval. */
florin_status fl_bootstrap_figures(fl_interval *out, uint32_t figures, fl_figures of, void *self,
                                   const uint64_t *cluster, size_t n, uint32_t draws, uint64_t seed,
                                   const florin_context *ctx, florin_error *err);

#endif
