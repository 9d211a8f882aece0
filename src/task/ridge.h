/* Logistic regression with a ridge penalty on inputs as they are: for few rows, many times over. */
#ifndef FL_RIDGE_H
#define FL_RIDGE_H

#include "base/base.h"

/* Rows chosen from a matrix: row i is z + pick[i] * width, its label y[i] is 0 or 1. */
typedef struct {
    const float *z;
    size_t width, n;
    const size_t *pick;
    const float *y;
} fl_ridge_rows;

/* w [width + 1], the intercept last and not shrunk: on entry where to begin, on return the minimum of the summed log loss
 * + l2 |w|^2 / 2. FLORIN_ENOMEM. */
florin_status fl_ridge_fit(double *w, const fl_ridge_rows *rows, double l2, florin_error *err);
double fl_ridge_margin(const double *w, const float *z, size_t width);

#endif
