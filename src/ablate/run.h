/* An ablation, or a scaling study: the runs that a plan asks for, and what they say. */
#ifndef FL_ABLATE_RUN_H
#define FL_ABLATE_RUN_H

#include "ablate/plan.h"
#include "base/json.h"

typedef struct {
    const char *work; /* folder of the work file, models and scores; made if it is not there */
    double minutes;   /* no run begins later than this after the start; 0: no limit */
} fl_ablate_options;

/* Does what is not yet done, then sums up: {ablation, seeds, done, runs, tasks: [...], choices: [...]} or, of a scaling plan,
 * with points in place of choices. *out is the caller's. FLORIN_ECANCELLED: stopped; the same command goes on.
 * What a choice gains is on - off, whichever of them is the default. */
florin_status fl_ablate(json_t **out, const fl_ablate_plan *plan, const fl_ablate_options *opt,
                        const florin_context *ctx, florin_error *err);
/* table.c: the result as people read it. */
void fl_ablate_text(const florin_context *ctx, const json_t *result);
/* curve.c: adds {curve: ...} to a scaling result. plot.c: the plot as SVG. */
florin_status fl_ablate_curve(json_t *result, florin_error *err);
florin_status fl_ablate_plot(const json_t *result, const char *path, florin_error *err);

#endif
