/* Inside of a fit of yes or no, shared by fit.c and fit_given.c. */
#ifndef FL_FIT_INSIDE_H
#define FL_FIT_INSIDE_H

#include "task/fit.h"
#include "task/result.h"

typedef struct {
    const fl_task *t;
    const fl_model *m;
    const fl_log *log;
    const fl_fit_options *opt;
    const florin_context *ctx;
    florin_error *err;
    fl_sample s;
    uint32_t rounds;
    int64_t from_us; /* nothing earlier is learnt from */
} fitter;

/* One candidate: inputs and how they are joined. */
typedef struct {
    const char *name, *label;
    bool trees, probe;
    bool surprise; /* `head: surprise`: of all fields together; no label is learnt from */
    fl_fit_inputs in;
    fl_parts parts;
    fl_trees_recipe chosen;
    uint32_t chosen_rounds;
    double figure;       /* average precision on validation */
    double *held_margin; /* of the held-out rows by the recipe that was chosen */
} candidate;

/* Rows held out for choosing: of validation period v, or without one of the training time. */
typedef struct {
    size_t n, *row, start[FL_PERIODS_MAX + 1]; /* rows of period v: [start[v], start[v + 1]) */
    uint32_t parts;
} held;

/* Caller frees row. */
florin_status fl_fit_held(const fitter *f, held *h);
/* Weighted average precision of n held-out rows by their labels as known when the test begins. */
double fl_fit_held_ap(const fitter *f, const double *score, const size_t *row, size_t n);
/* Calibrate on the held-out rows, with margins of parts fitted without them. */
florin_status fl_fit_calibrate(const fitter *f, candidate *c, const double *m, const size_t *row,
                               size_t n);

/* fit_given.c: what was learnt elsewhere (f->opt->given), judged like a fit of our own; calibrated on the validation periods,
 * as known when each began. */
florin_status fl_fit_given(fitter *f, candidate *c, const fl_judged *j, double *score);
/* Beside the baseline's trees, which have been fitted and judged (base); they and their inputs become c's. */
florin_status fl_fit_blend(fitter *f, candidate *c, candidate *trees, const fl_judged *j,
                           const double *base, double *score);
/* Once figures are done: the embedding behind the trees' inputs, and the head on it. */
florin_status fl_fit_widen(fitter *f, candidate *c);

#endif
