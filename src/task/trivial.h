/* The simplest answer a task is held against: one input, or the same answer for all. It is named in the task file
 * (`baseline:`), learns a direction from the rows that may be learnt from, and nothing else. */
#ifndef FL_TRIVIAL_H
#define FL_TRIVIAL_H

#include "model/model.h"
#include "task/result.h"

/* Scores of the judged rows, malloc'ed; NULL when the task names no baseline, or is one of numbers, times or classes (their
 * skill is against the same answer for all already). FLORIN_EINPUT: no input of that name; the message has the nearest. */
florin_status fl_trivial_scores(double **out, const fl_sample *s, const fl_task *t,
                                const fl_model *m, const fl_judged *j, florin_error *err);
/* Its figures and what `ours` [j->n] has above it, paired, into report as "trivial". score NULL: nothing. */
florin_status fl_trivial_report(json_t *report, const fl_task *t, const double *score,
                                const double *ours, const fl_judged *j, uint32_t draws,
                                uint64_t seed, const florin_context *ctx, florin_error *err);

#endif
