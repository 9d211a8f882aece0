/* By L-BFGS (logit.h): with more inputs than rows a step of Newton's would cost a hundred times as much. */
#include "task/ridge.h"
#include "task/logit.h"
#include <math.h>

typedef struct {
    const fl_ridge_rows *rows;
    double l2;
} problem;

double fl_ridge_margin(const double *w, const float *z, size_t width)
{
    double lane[4] = {0};
    size_t i = 0;
    for (; i + 4 <= width; i += 4)
        for (size_t k = 0; k < 4; k++) lane[k] += w[i + k] * (double)z[i + k];
    for (; i < width; i++) lane[0] += w[i] * (double)z[i];
    return w[width] + lane[0] + lane[1] + lane[2] + lane[3];
}

static double loss(void *arg, const double *w, double *g, size_t d)
{
    const problem *p = arg;
    const fl_ridge_rows *r = p->rows;
    size_t m = d - 1;
    double sum = 0;
    for (size_t i = 0; i < m; i++) {
        g[i] = p->l2 * w[i];
        sum += .5 * p->l2 * w[i] * w[i];
    }
    g[m] = 0;
    for (size_t k = 0; k < r->n; k++) {
        const float *z = r->z + r->pick[k] * m;
        double f = fl_ridge_margin(w, z, m), y = (double)r->y[k], e = exp(-fabs(f)),
               q = f > 0 ? 1 / (1 + e) : e / (1 + e);
        sum += log1p(e) + (f > 0 ? f : 0) - y * f;
        for (size_t i = 0; i < m; i++) g[i] += (q - y) * (double)z[i];
        g[m] += q - y;
    }
    return sum;
}

florin_status fl_ridge_fit(double *w, const fl_ridge_rows *rows, double l2, florin_error *err)
{
    problem p = {rows, l2};
    return fl_minimise(loss, &p, w, rows->width + 1, 200, 1e-7, err);
}
