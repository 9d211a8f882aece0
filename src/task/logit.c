/* Quantile transform, L-BFGS, logistic regression. */
#include "task/logit.h"
#include <math.h>

enum { MEMORY = 8 };

void fl_logit_free(fl_logit *l)
{
    if (!l) return;
    free(l->knots);
    free(l->at);
    free(l->z);
    free(l->w);
    memset(l, 0, sizeof *l);
}

/* Acklam's rational approximation with one step of Halley's method. */
double fl_normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01};
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    double x, q;

    if (p < 1e-12) p = 1e-12;
    if (p > 1 - 1e-12) p = 1 - 1e-12;
    if (p < .02425 || p > 1 - .02425) {
        q = sqrt(-2 * log(p < .5 ? p : 1 - p));
        x = (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
            ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
        if (p > .5) x = -x;
    } else {
        q = p - .5;
        double r = q * q;
        x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
            (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
    }
    double e = .5 * erfc(-x / sqrt(2)) - p, u = e * sqrt(2 * acos(-1)) * exp(x * x / 2);
    return x - u / (1 + x * u / 2);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Quantile (i + 1/2) / FL_KNOTS of the sorted values; equal knots become one with the mean of their scores. */
static uint32_t make_knots(const float *sorted, size_t n, bool tail, float *at, float *z)
{
    uint32_t k = 0, ties = 0;

    for (uint32_t i = 0; i < FL_KNOTS; i++) {
        /* of a tail: -log of what is above, in even steps up to one row in n */
        double above = i * log((double)n) / FL_KNOTS;
        double share = tail ? 1 - exp(-above) : (i + .5) / FL_KNOTS;
        size_t place = (size_t)(share * (double)n);
        float v = sorted[place < n ? place : n - 1];
        float score = (float)(tail ? above : fl_normal_quantile(share));
        if (k && at[k - 1] == v) {
            z[k - 1] += (score - z[k - 1]) / (float)++ties;
            continue;
        }
        at[k] = v;
        z[k++] = score;
        ties = 1;
    }
    return k;
}

float fl_logit_z(const fl_logit *l, uint32_t input, float x)
{
    const float *at = l->at + (size_t)input * FL_KNOTS, *z = l->z + (size_t)input * FL_KNOTS;
    uint32_t lo = 0, hi = l->knots[input] - 1;

    if (!(x > at[lo])) return z[lo];
    if (x >= at[hi]) return z[hi];
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (at[mid] <= x) lo = mid;
        else hi = mid;
    }
    return z[lo] + (z[hi] - z[lo]) * ((x - at[lo]) / (at[hi] - at[lo]));
}

float fl_logit_margin(const fl_logit *l, const float *x)
{
    float sum = l->b;

    for (uint32_t i = 0; i < l->inputs; i++)
        if (l->w[i] != 0) sum += l->w[i] * fl_logit_z(l, i, x[i]);
    return sum;
}

typedef struct {
    const float *z; /* [n][inputs] */
    const fl_train_set *set;
    double l2;
} problem;

/* Eight sums side by side, so that the compiler can keep them in vectors: its order is part of the result. */
static double weighted_sum(const double *w, const float *z, size_t n)
{
    double lane[8] = {0}, sum = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) lane[k] += w[i + k] * (double)z[i + k];
    for (; i < n; i++) sum += w[i] * (double)z[i];
    for (size_t k = 0; k < 8; k++) sum += lane[k];
    return sum;
}

/* Weighted log loss + l2 |w|^2 / 2; x = weights, then the intercept, which is not shrunk. */
static double log_loss(void *arg, const double *x, double *g, size_t m)
{
    const problem *p = arg;
    size_t inputs = m - 1;
    double loss = 0;

    for (size_t i = 0; i < inputs; i++) {
        g[i] = p->l2 * x[i];
        loss += .5 * p->l2 * x[i] * x[i];
    }
    g[inputs] = 0;
    for (size_t r = 0; r < p->set->n; r++) {
        const float *z = p->z + r * inputs;
        double w = (double)p->set->weight[r], y = (double)p->set->y[r];
        double f = x[inputs] + weighted_sum(x, z, inputs);
        double s = 1 / (1 + exp(-f));
        loss += w * ((f > 0 ? log1p(exp(-f)) + f : log1p(exp(f))) - y * f);
        double d = w * (s - y);
        for (size_t i = 0; i < inputs; i++) g[i] += d * (double)z[i];
        g[inputs] += d;
    }
    return loss;
}

static double dot(const double *a, const double *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}

/* Two-loop recursion: direction = -H g, with the last `kept` pairs (s, y). */
static void direction(double *d, const double *g, double *s, double *y, const double *rho,
                      uint32_t kept, uint32_t next, size_t n)
{
    double alpha[MEMORY];

    for (size_t i = 0; i < n; i++) d[i] = -g[i];
    for (uint32_t k = 0; k < kept; k++) {
        uint32_t j = (next + MEMORY - 1 - k) % MEMORY;
        alpha[j] = rho[j] * dot(s + j * n, d, n);
        for (size_t i = 0; i < n; i++) d[i] -= alpha[j] * y[j * n + i];
    }
    if (kept) {
        uint32_t j = (next + MEMORY - 1) % MEMORY;
        double scale = 1 / (rho[j] * dot(y + j * n, y + j * n, n));
        for (size_t i = 0; i < n; i++) d[i] *= scale;
    }
    for (uint32_t k = kept; k-- > 0;) {
        uint32_t j = (next + MEMORY - 1 - k) % MEMORY;
        double beta = rho[j] * dot(y + j * n, d, n);
        for (size_t i = 0; i < n; i++) d[i] += s[j * n + i] * (alpha[j] - beta);
    }
}

florin_status fl_minimise(fl_objective f, void *arg, double *x, size_t n, uint32_t steps,
                          double tolerance, florin_error *err)
{
    double *all = fl_calloc(n, (2 * MEMORY + 4) * sizeof(double));
    double rho[MEMORY];
    uint32_t kept = 0, next = 0;

    if (!all) return fl_fail(err, FLORIN_ENOMEM, "no memory for a fit of %zu weights", n);
    double *s = all, *y = s + MEMORY * n, *g = y + MEMORY * n, *d = g + n, *x1 = d + n,
           *g1 = x1 + n;
    double value = f(arg, x, g, n);
    for (uint32_t it = 0; it < steps; it++) {
        direction(d, g, s, y, rho, kept, next, n);
        double slope = dot(d, g, n), t = kept ? 1 : 1 / (1 + sqrt(dot(g, g, n))), v1 = value;
        bool down = false;
        for (int k = 0; k < 30 && !down; k++, t *= .5) {
            for (size_t i = 0; i < n; i++) x1[i] = x[i] + t * d[i];
            v1 = f(arg, x1, g1, n);
            down = v1 <= value + 1e-4 * t * slope;
        }
        if (!down) break;
        for (size_t i = 0; i < n; i++) {
            s[next * n + i] = x1[i] - x[i];
            y[next * n + i] = g1[i] - g[i];
        }
        double sy = dot(s + next * n, y + next * n, n);
        if (sy > 1e-12) {
            rho[next] = 1 / sy;
            next = (next + 1) % MEMORY;
            if (kept < MEMORY) kept++;
        }
        double gain = value - v1;
        memcpy(x, x1, n * sizeof *x);
        memcpy(g, g1, n * sizeof *g);
        value = v1;
        if (gain <= tolerance * (fabs(value) + 1)) break;
    }
    free(all);
    return FLORIN_OK;
}

static florin_status alloc_logit(fl_logit *l, size_t inputs, florin_error *err)
{
    l->inputs = (uint32_t)inputs;
    l->knots = fl_calloc(inputs, sizeof *l->knots);
    l->at = fl_calloc(inputs, FL_KNOTS * sizeof *l->at);
    l->z = fl_calloc(inputs, FL_KNOTS * sizeof *l->z);
    l->w = fl_calloc(inputs, sizeof *l->w);
    if (!l->knots || !l->at || !l->z || !l->w)
        return fl_fail(err, FLORIN_ENOMEM, "logistic regression: out of memory");
    return FLORIN_OK;
}

florin_status fl_logit_plain(fl_logit *out, const float *w, float b, uint32_t inputs)
{
    memset(out, 0, sizeof *out);
    if (alloc_logit(out, inputs, NULL)) {
        fl_logit_free(out);
        return FLORIN_ENOMEM;
    }
    for (uint32_t i = 0; i < inputs; i++) {
        size_t k = (size_t)i * FL_KNOTS;
        out->knots[i] = 2;
        out->at[k] = out->z[k] = -1;
        out->at[k + 1] = out->z[k + 1] = 1;
        out->w[i] = w[i];
    }
    out->b = b;
    return FLORIN_OK;
}

florin_status fl_logit_copy(fl_logit *out, const fl_logit *l)
{
    florin_status st = fl_logit_plain(out, l->w, l->b, l->inputs);

    if (st) return st;
    memcpy(out->knots, l->knots, l->inputs * sizeof *l->knots);
    memcpy(out->at, l->at, (size_t)l->inputs * FL_KNOTS * sizeof *l->at);
    memcpy(out->z, l->z, (size_t)l->inputs * FL_KNOTS * sizeof *l->z);
    return FLORIN_OK;
}

/* The knots of every input of the rows; z [n][width]: their scores, NULL: not wanted. */
static florin_status fit_knots(fl_logit *out, const fl_train_set *set, bool tail, float *z,
                               florin_error *err)
{
    float *column = fl_alloc(set->n ? set->n : 1, sizeof *column);
    if (!column || !set->n) {
        free(column);
        return fl_fail(err, FLORIN_ENOMEM, "logistic regression: no memory for %zu rows", set->n);
    }
    for (uint32_t i = 0; i < set->width; i++) {
        size_t k = (size_t)i * FL_KNOTS;
        for (size_t r = 0; r < set->n; r++) column[r] = set->x[set->pick[r] * set->width + i];
        qsort(column, set->n, sizeof *column, ascending);
        out->knots[i] = make_knots(column, set->n, tail, out->at + k, out->z + k);
        for (size_t r = 0; z && r < set->n; r++)
            z[r * set->width + i] = fl_logit_z(out, i, set->x[set->pick[r] * set->width + i]);
    }
    free(column);
    return FLORIN_OK;
}

florin_status fl_logit_unusual(fl_logit *out, const fl_train_set *set, florin_error *err)
{
    memset(out, 0, sizeof *out);
    florin_status st = alloc_logit(out, set->width, err);
    if (!st) st = fit_knots(out, set, true, NULL, err);
    for (uint32_t i = 0; !st && i < set->width; i++) out->w[i] = 1;
    out->b = 0;
    if (st) fl_logit_free(out);
    return st;
}

florin_status fl_logit_fit(fl_logit *out, const fl_train_set *set, double l2,
                           const florin_context *ctx, florin_error *err)
{
    size_t m = set->width + 1;
    float *z = fl_alloc(set->n ? set->n : 1, set->width * sizeof *z);
    double *x = fl_calloc(m, sizeof *x);
    florin_status st;

    memset(out, 0, sizeof *out);
    st = alloc_logit(out, set->width, err);
    if (!st && (!z || !x))
        st = fl_fail(err, FLORIN_ENOMEM, "logistic regression: no memory for %zu rows", set->n);
    if (!st) st = fit_knots(out, set, false, z, err);
    if (st) goto done;
    fl_progress(ctx, "fit probe", 0, 1);
    problem p = {z, set, l2};
    st = fl_minimise(log_loss, &p, x, m, 300, 1e-9, err);
    for (uint32_t i = 0; i < set->width; i++) out->w[i] = (float)x[i];
    out->b = (float)x[m - 1];
    fl_progress(ctx, "fit probe", 1, 1);
done:
    if (st) fl_logit_free(out);
    free(z);
    free(x);
    return st;
}
