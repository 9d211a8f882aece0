/* A judged ranking as JSON: metrics with intervals and the curves of the report page. */
#ifndef FL_RESULT_H
#define FL_RESULT_H

#include "task/metrics.h"
#include "task/sample.h"

/* Rows of the test (or validation), columns as arrays. */
typedef struct {
    size_t n;
    float *y;
    uint64_t *cluster, *card, *row;
    int64_t *time_us, *day;
    double *amount;
    const fl_task *task;
} fl_judged;

florin_status fl_judged_take(fl_judged *out, const fl_sample *s, int part, const fl_task *t,
                             florin_error *err);
void fl_judged_free(fl_judged *j);

/* One system: score ranks, probability is calibrated (NULL: none), level score 0-99 (NULL: none). ci: fl_bootstrap's. */
json_t *fl_result_system(const char *name, const char *label, const fl_judged *j,
                         const double *score, const double *probability, const uint8_t *score99,
                         const fl_interval *auc, const fl_interval *ap, double threshold,
                         florin_error *err);
json_t *fl_result_difference(const char *a, const char *b, const char *metric,
                             const fl_interval *d);

#endif
