/* Distributions over bins. Invariant: points of successive bins rise, so quantiles rise too. */
#include "task/dist.h"
#include <math.h>

static int rising(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void fill_bin(fl_bins *b, const float *y, size_t from, size_t to, size_t n)
{
    float *point = b->point[b->bins];
    double sum = 0;
    for (size_t i = from; i < to; i++) sum += (double)y[i];
    for (uint32_t k = 0; k < FL_BIN_POINTS; k++)
        point[k] = y[from + (to - from - 1) * k / (FL_BIN_POINTS - 1)];
    b->mean[b->bins] = (float)(sum / (double)(to - from));
    b->share[b->bins++] = (double)(to - from) / (double)n;
}

/* End of the run of values equal to y[at]. */
static size_t run_end(const float *y, size_t at, size_t n)
{
    size_t end = at + 1;
    while (end < n && y[end] == y[at]) end++;
    return end;
}

florin_status fl_bins_fit(fl_bins *out, float *y, size_t n, uint32_t want, florin_error *err)
{
    memset(out, 0, sizeof *out);
    if (want > FL_BINS_MAX / 2) want = FL_BINS_MAX / 2;
    size_t each = n / want ? n / want : 1, from = 0, at = 0;
    qsort(y, n, sizeof *y, rising);
    if (n < 2 || y[0] == y[n - 1])
        return fl_fail(err, FLORIN_EINPUT, "%zu values, all alike: nothing to predict", n);
    while (at < n && out->bins + 2 < FL_BINS_MAX) {
        size_t end = run_end(y, at, n);
        if (2 * (end - at) > each) { /* a bin of its own, and one for what lies before it */
            if (at > from) fill_bin(out, y, from, at, n);
            fill_bin(out, y, at, end, n);
            from = end;
        } else if (end - from >= each) {
            fill_bin(out, y, from, end, n);
            from = end;
        }
        at = end;
    }
    if (from < n) fill_bin(out, y, from, n, n);
    return FLORIN_OK;
}

uint32_t fl_bins_of(const fl_bins *b, float y)
{
    uint32_t k = 0;
    while (k + 1 < b->bins && y > b->point[k][FL_BIN_POINTS - 1]) k++;
    return k;
}

void fl_softmax(double *p, const float *margin, uint32_t k, double temperature)
{
    double most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < k; i++) most = fmax(most, (double)margin[i] / temperature);
    for (uint32_t i = 0; i < k; i++) sum += p[i] = exp((double)margin[i] / temperature - most);
    for (uint32_t i = 0; i < k; i++) p[i] /= sum;
}

double fl_dist_mean(const fl_bins *b, const double *p)
{
    double sum = 0;
    for (uint32_t k = 0; k < b->bins; k++) sum += p[k] * (double)b->mean[k];
    return sum;
}

/* Value at the share u of a bin. */
static double inside(const float *point, double u)
{
    double at = u * (FL_BIN_POINTS - 1);
    uint32_t i = at < FL_BIN_POINTS - 2 ? (uint32_t)at : FL_BIN_POINTS - 2;
    double part = fmin(at - i, 1), a = (double)point[i];
    return a + part * ((double)point[i + 1] - a);
}

double fl_dist_quantile(const fl_bins *b, const double *p, double q)
{
    double below = 0;
    for (uint32_t k = 0; k < b->bins; k++) {
        if (p[k] > 0 && (below + p[k] >= q || k + 1 == b->bins))
            return inside(b->point[k], fmin(fmax((q - below) / p[k], 0), 1));
        below += p[k];
    }
    return (double)b->point[b->bins - 1][FL_BIN_POINTS - 1];
}

/* Share of a bin's values below y and up to y, by straight lines between its points. */
static void share_of(const float *point, float y, double *below, double *upto)
{
    uint32_t lo = 0, hi = 0;
    while (lo < FL_BIN_POINTS && point[lo] < y) lo++;
    while (hi < FL_BIN_POINTS && point[hi] <= y) hi++;
    const double last = FL_BIN_POINTS - 1;
    if (lo == hi && lo > 0 && lo < FL_BIN_POINTS) { /* between two points */
        double part = (double)(y - point[lo - 1]) / (double)(point[lo] - point[lo - 1]);
        *below = *upto = (lo - 1 + part) / last;
        return;
    }
    *below = lo >= FL_BIN_POINTS ? 1 : lo / last;
    *upto = hi > 0 ? (hi - 1) / last : 0;
    if (*upto < *below) *upto = *below;
}

double fl_dist_pit(const fl_bins *b, const double *p, float y, double u)
{
    uint32_t k = fl_bins_of(b, y);
    double before = 0, below, upto;
    for (uint32_t i = 0; i < k; i++) before += p[i];
    share_of(b->point[k], y, &below, &upto);
    return before + p[k] * (below + u * (upto - below));
}

double fl_dist_crps(const fl_bins *b, const double *p, float y)
{
    double sum = 0;
    for (int i = 1; i < 20; i++) {
        double q = i / 20., d = (double)y - fl_dist_quantile(b, p, q);
        sum += d >= 0 ? q * d : (q - 1) * d;
    }
    return 2 * sum / 19;
}

static double loss_at(const float *margin, const uint32_t *y, size_t n, uint32_t k, double t)
{
    double p[FL_BINS_MAX], sum = 0;
    for (size_t i = 0; i < n; i++) {
        fl_softmax(p, margin + i * k, k, t);
        sum -= log(fmax(p[y[i]], 1e-12));
    }
    return sum;
}

double fl_dist_temperature(const float *margin, const uint32_t *y, size_t n, uint32_t k)
{
    /* Golden section on the logarithm; the loss has one minimum in 1/t. */
    double lo = log(.25), hi = log(8), g = (sqrt(5) - 1) / 2;
    if (n < 20) return 1;
    double a = hi - g * (hi - lo), b = lo + g * (hi - lo);
    double fa = loss_at(margin, y, n, k, exp(a)), fb = loss_at(margin, y, n, k, exp(b));
    for (int i = 0; i < 24; i++) {
        if (fa < fb) {
            hi = b, b = a, fb = fa;
            a = hi - g * (hi - lo);
            fa = loss_at(margin, y, n, k, exp(a));
        } else {
            lo = a, a = b, fa = fb;
            b = lo + g * (hi - lo);
            fb = loss_at(margin, y, n, k, exp(b));
        }
    }
    return exp((lo + hi) / 2);
}
