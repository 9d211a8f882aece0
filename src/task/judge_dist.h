/* Figures of predicted distributions: of numbers and times, of classes; with intervals by cluster. */
#ifndef FL_JUDGE_DIST_H
#define FL_JUDGE_DIST_H

#include "task/dist.h"
#include "task/result.h"

/* What one system said of the judged rows, and what it cost: arrays [n], owned by the caller. */
typedef struct {
    const char *name, *label;
    double *loss; /* CRPS of a number or a time, -log p of a class */
    double *
        value; /* what rows are ranked by: the mean; of a class 1 where the likeliest is right, else 0 */
    double *median, *low, *high, *pit; /* numbers and times: quantiles .5, .1, .9; PIT */
    uint32_t *guess;                   /* class: the likeliest */
    bool *top3;                        /* class: the right one is among the three likeliest */
} fl_told;

florin_status fl_told_new(fl_told *t, size_t n, florin_error *err);
/* The arrays of another, lent, under t's own name. */
void fl_told_as(fl_told *t, const fl_told *other);
void fl_told_free(fl_told *t);

/* Probability that the larger of two different values is ranked higher, equal ranks counting half; of times cut off at a
 * horizon Harrell's C. order: rows by rising y; rank: of the prediction, equal ones equal, [0, ranks). weight NULL: ones;
 * tree: scratch [ranks + 1]. NAN: all alike. */
double fl_concordance(const float *y, const size_t *order, const uint32_t *rank, uint32_t ranks,
                      size_t n, const double *weight, double *tree);

/* systems and differences into `report` (fl_result_head's). told[0]: ours, [1]: the baseline, [2]: the trivial one. */
florin_status fl_dist_report(json_t *report, const fl_judged *j, const fl_told told[3],
                             const fl_sample *s, uint32_t draws, uint64_t seed,
                             const florin_context *ctx, florin_error *err);

/* A line a judged row, .csv or .parquet: id, y, then quantiles .1, .5, .9 and the mean of ours and the baseline's median,
 * or of a class its name and the likeliest; loss, time, period, cluster. */
florin_status fl_dist_scores(const char *path, const fl_judged *j, const fl_log *log,
                             const fl_sample *s, const fl_told told[3], const florin_context *ctx,
                             florin_error *err);

#endif
