/* Logistic regression on rank-normalised inputs: every input goes through its training quantiles to a normal score, so
 * that counts, ages and amounts of any scale enter alike. */
#ifndef FL_LOGIT_H
#define FL_LOGIT_H

#include "task/trees.h"

enum { FL_KNOTS = 64 };

typedef struct {
    uint32_t inputs;
    uint32_t *knots; /* [inputs] distinct knots used, 1..FL_KNOTS */
    float *at, *z;   /* [inputs][FL_KNOTS] value -> normal score, linear between, flat outside */
    float *w;        /* [inputs] */
    float b;
} fl_logit;

void fl_logit_free(fl_logit *l);
/* The weights w [inputs] of inputs within [-1, 1], as they are. FLORIN_ENOMEM. */
florin_status fl_logit_plain(fl_logit *out, const float *w, float b, uint32_t inputs);
florin_status fl_logit_copy(fl_logit *out, const fl_logit *l);
float fl_logit_z(const fl_logit *l, uint32_t input, float x);
float fl_logit_margin(const fl_logit *l, const float *x);
/* l2: weight of |w|^2/2 against the summed log loss (1/C of scikit-learn). */
florin_status fl_logit_fit(fl_logit *out, const fl_train_set *set, double l2,
                           const florin_context *ctx, florin_error *err);

/* How unusual a row is in all inputs together: the sum of -log of the share of rows with a higher value (Fisher 1932, as if
 * the inputs were independent). No label of the set is read. */
florin_status fl_logit_unusual(fl_logit *out, const fl_train_set *set, florin_error *err);

/* Minimise by L-BFGS (Nocedal 1980). f: value and gradient at x [n]. Stops at tolerance or `steps`. */
typedef double (*fl_objective)(void *arg, const double *x, double *gradient, size_t n);
florin_status fl_minimise(fl_objective f, void *arg, double *x, size_t n, uint32_t steps,
                          double tolerance, florin_error *err);
double fl_normal_quantile(double p);

#endif
