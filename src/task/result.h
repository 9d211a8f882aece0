/* A judged ranking as JSON: metrics with intervals and the curves of the report page. */
#ifndef FL_RESULT_H
#define FL_RESULT_H

#include "task/metrics.h"
#include "task/sample.h"

/* Rows of some judged periods, columns as arrays. */
typedef struct {
    size_t n;
    size_t *at; /* row of the sample */
    float *y;
    uint64_t *cluster, *card, *row;
    uint32_t *part; /* 0 .. parts-1 */
    int64_t *time_us, *day;
    double *amount;
    uint32_t first, parts; /* judged periods first .. first + parts - 1 */
    const fl_task *task;
} fl_judged;

/* The rows of the validation or of the test. */
florin_status fl_judged_take(fl_judged *out, const fl_sample *s, bool validation, const fl_task *t,
                             florin_error *err);
void fl_judged_free(fl_judged *j);
/* The rows with a score [n] each, as metrics take them; borrows both. */
fl_scored fl_judged_rows(const fl_judged *j, const double *score);

/* One system's scores of the judged rows. probability: calibrated, NULL: none; score99: 0-99, NULL: none. */
typedef struct {
    const char *name, *label;
    const double *score, *probability;
    const uint8_t *score99;
    double threshold; /* of the probability */
} fl_system;

/* Metrics as plain means over the periods (and per period), and the curves over all of them. ci: [0] AUC, [1] average
 * precision, of fl_bootstrap. NULL: err says why. */
json_t *fl_result_system(const fl_system *s, const fl_judged *j, const fl_interval ci[2],
                         florin_error *err);
/* {value, low, high}; what is not finite is 0. */
json_t *fl_result_interval(const fl_interval *i);
json_t *fl_result_difference(const char *a, const char *b, const char *metric,
                             const fl_interval *d);
/* {report, task, data, part, test: {from, to, rows, positives, entities, periods}}: what fit and eval share. */
json_t *fl_result_head(const fl_sample *s, const fl_judged *j);
/* The user's own ids of the judged rows, and their clusters as text. Free it also after an error. */
typedef struct {
    const char **id, **cluster; /* [n] */
    fl_arena *arena;
} fl_row_ids;
florin_status fl_result_ids(fl_row_ids *out, const fl_judged *j, const fl_log *log,
                            florin_error *err);
void fl_result_ids_free(fl_row_ids *ids);
/* Per-row scores with the user's ids, .csv or .parquet: id, y, score, [baseline,] probability, score99, time, period. */
florin_status fl_result_scores(const char *path, const fl_judged *j, const fl_log *log,
                               const fl_system *ours, const double *baseline,
                               const florin_context *ctx, florin_error *err);

#endif
