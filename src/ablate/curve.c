/* The fitted curve of a scaling study: nats = floor + b (parameters / P0)^-alpha + c (events / E0)^-beta (the form of
 * Hoffmann et al. 2022, arXiv:2203.15556), by least squares. For given exponents it is linear in the rest, so exponents are
 * searched on a grid. Intervals: bootstrap over points. Owns nothing. */
#include "ablate/run.h"
#include <math.h>

#define PARAMETERS_UNIT 1e5
#define EVENTS_UNIT     1e6
enum { GRID = 40, DRAWS = 200, POINTS_MAX = 1024, LEAST = 4 };

typedef struct {
    uint32_t n;
    double p[POINTS_MAX], e[POINTS_MAX], y[POINTS_MAX];
    bool sizes, amounts; /* more than one of each: else that term is left out */
} points;

typedef struct {
    double floor, b, c, alpha, beta, residual; /* residual: root mean square */
} curve;

static double exponent(int i)
{
    return .05 * (i + 1);
}

/* Solves the symmetric 3 x 3 system a x = r in place; terms that are left out have a unit row. */
static void solve(double a[3][3], double r[3])
{
    for (int i = 0; i < 3; i++)
        for (int k = i + 1; k < 3; k++) {
            double f = a[k][i] / a[i][i];
            for (int m = i; m < 3; m++) a[k][m] -= f * a[i][m];
            r[k] -= f * r[i];
        }
    for (int i = 2; i >= 0; i--) {
        for (int k = i + 1; k < 3; k++) r[i] -= a[i][k] * r[k];
        r[i] /= a[i][i];
    }
}

/* Least squares at fixed exponents. A factor below zero has no meaning here: its term is left out then. */
static void at_exponents(const points *x, const uint32_t *pick, bool p, bool e, curve *c)
{
    for (int again = 0; again < 3; again++) {
        double a[3][3] = {{0}}, r[3] = {0}, left = 0;
        for (uint32_t i = 0; i < x->n; i++) {
            uint32_t k = pick[i];
            const double f[3] = {1, p ? pow(x->p[k], -c->alpha) : 0,
                                 e ? pow(x->e[k], -c->beta) : 0};
            for (int m = 0; m < 3; m++) {
                for (int q = 0; q < 3; q++) a[m][q] += f[m] * f[q];
                r[m] += f[m] * x->y[k];
            }
        }
        for (int m = 0; m < 3; m++) a[m][m] += 1e-9; /* a term that is left out, or is constant */
        solve(a, r);
        c->floor = r[0];
        c->b = p ? r[1] : 0;
        c->c = e ? r[2] : 0;
        if (c->b >= 0 && c->c >= 0) {
            for (uint32_t i = 0; i < x->n; i++) {
                uint32_t k = pick[i];
                double d = c->floor + c->b * pow(x->p[k], -c->alpha) +
                           c->c * pow(x->e[k], -c->beta) - x->y[k];
                left += d * d;
            }
            c->residual = sqrt(left / x->n);
            return;
        }
        if (c->b < 0) p = false;
        if (c->c < 0) e = false;
    }
    c->residual = INFINITY;
}

static curve fit(const points *x, const uint32_t *pick)
{
    curve best = {.residual = INFINITY};

    for (int i = 0; i < (x->sizes ? GRID : 1); i++)
        for (int k = 0; k < (x->amounts ? GRID : 1); k++) {
            curve c = {.alpha = exponent(i), .beta = exponent(k)};
            at_exponents(x, pick, x->sizes, x->amounts, &c);
            if (c.residual < best.residual) best = c;
        }
    return best;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The points of one data set. */
static void take(points *x, const json_t *list, const char *data, bool unseen)
{
    const json_t *p;
    size_t i;

    memset(x, 0, sizeof *x);
    json_array_foreach(list, i, p)
    {
        if (strcmp(fl_json_str(p, "data", ""), data) || x->n == POINTS_MAX) continue;
        x->p[x->n] = fl_json_num(p, "parameters", 0) / PARAMETERS_UNIT;
        x->e[x->n] = fl_json_num(p, "events", 0) / EVENTS_UNIT;
        x->y[x->n] = fl_json_num(p, unseen ? "nats_unseen" : "nats_later", 0);
        x->sizes |= x->n && x->p[x->n] != x->p[0];
        x->amounts |= x->n && x->e[x->n] != x->e[0];
        x->n++;
    }
}

static json_t *curve_of(const points *x, const char *data)
{
    uint32_t pick[POINTS_MAX];
    double alpha[DRAWS], beta[DRAWS];
    fl_rng rng;

    for (uint32_t i = 0; i < x->n; i++) pick[i] = i;
    curve c = fit(x, pick);
    fl_rng_seed(&rng, 1);
    for (int d = 0; d < DRAWS; d++) {
        for (uint32_t i = 0; i < x->n; i++) pick[i] = (uint32_t)fl_rng_below(&rng, x->n);
        curve drawn = fit(x, pick);
        alpha[d] = drawn.alpha;
        beta[d] = drawn.beta;
    }
    qsort(alpha, DRAWS, sizeof *alpha, rising);
    qsort(beta, DRAWS, sizeof *beta, rising);
    const int low = (int)(.025 * DRAWS), high = DRAWS - 1 - low;
    return json_pack("{s:s, s:I, s:f, s:f, s:{s:f, s:f, s:f, s:f}, s:{s:f, s:f, s:f, s:f}}", "data",
                     data, "points", (json_int_t)x->n, "floor", c.floor, "residual", c.residual,
                     "parameters", "factor", c.b, "exponent", c.alpha, "low", alpha[low], "high",
                     alpha[high], "events", "factor", c.c, "exponent", c.beta, "low", beta[low],
                     "high", beta[high]);
}

florin_status fl_ablate_curve(json_t *result, florin_error *err)
{
    const json_t *list = json_object_get(result, "points"), *p;
    json_t *curves = json_array(), *seen = json_object();
    points *x = fl_alloc(1, sizeof *x);
    bool unseen = true;
    size_t i;

    if (!curves || !seen || !x) {
        json_decref(curves);
        json_decref(seen);
        free(x);
        return fl_fail(err, FLORIN_ENOMEM, "scaling");
    }
    json_array_foreach(list, i, p) unseen &= fl_json_num(p, "nats_unseen", 0) > 0;
    json_array_foreach(list, i, p)
    {
        const char *data = fl_json_str(p, "data", "");
        if (json_object_get(seen, data)) continue;
        json_object_set_new(seen, data, json_true());
        take(x, list, data, unseen);
        if (x->n >= LEAST) json_array_append_new(curves, curve_of(x, data));
    }
    json_object_set_new(result, "nats", json_string(unseen ? "nats_unseen" : "nats_later"));
    json_object_set_new(result, "curves", curves);
    json_decref(seen);
    free(x);
    return FLORIN_OK;
}
