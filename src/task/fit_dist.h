/* Fitting what is not a yes or no: numbers, times and classes, as a distribution over bins (dist.h). */
#ifndef FL_FIT_DIST_H
#define FL_FIT_DIST_H

#include "task/fit.h"
#include "task/result.h"

/* Chooses on validation, fits for each judged period, judges: ours, boosted trees on the fold features with the same
 * search, and the distribution of what was learnt from without any input. report: fl_result_head's, gets `kind`,
 * `systems`, `differences`, `train`. */
florin_status fl_fit_dist(json_t *report, const fl_task *t, const fl_model *m, const fl_log *log,
                          const fl_sample *s, const fl_judged *j, const fl_fit_options *opt,
                          const florin_context *ctx, florin_error *err);

#endif
