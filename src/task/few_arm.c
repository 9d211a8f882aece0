/* Views, cross-validation inside a draw, the fit that follows. Invariant: nothing of a row that is judged but its inputs is
 * read. */
#include "task/few_arm.h"
#include "task/logit.h"
#include "task/ridge.h"
#include <math.h>
#include <stdio.h>

enum { INNER_FOLDS = 5, ROUNDS = 100 };
/* From the strongest: of equal figures the first wins, and a fit begins where the one before it ended. */
static const double PENALTY[] = {300, 100, 30, 10, 3, 1, .3};
static const fl_trees_recipe RECIPE[] = {{2, .1, 1}, {3, .05, 1}, {4, .05, 5}};
enum { PENALTIES = FL_LEN(PENALTY), RECIPES = FL_LEN(RECIPE) };

uint32_t fl_few_arm_settings(const fl_few_arm *a)
{
    return a->views * PENALTIES + (a->x ? RECIPES * 3 : 0);
}

/* --- views --- */

void fl_view_free(fl_view *v)
{
    free(v->z);
    *v = (fl_view){0};
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Share of the sorted values below x, ties in the middle, as a normal score. */
static float normal_score(const float *sorted, size_t n, float x)
{
    size_t lo = 0, hi = n, from;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (sorted[mid] < x) lo = mid + 1;
        else hi = mid;
    }
    for (from = lo, hi = n; lo < hi;) {
        size_t mid = (lo + hi) / 2;
        if (sorted[mid] <= x) lo = mid + 1;
        else hi = mid;
    }
    double share = ((double)from + (double)lo + 1) / 2 / ((double)n + 1);
    return (float)fl_normal_quantile(share);
}

/* The pool's mean and variance of a column. */
static double variance(const fl_view_column *c, size_t rows, const uint8_t *pool, double *mean)
{
    double sum = 0, square = 0, n = 0;
    for (size_t r = 0; r < rows; r++) {
        double x = (double)c->x[r * c->stride];
        if (!pool[r]) continue;
        sum += x;
        square += x * x;
        n++;
    }
    *mean = n > 0 ? sum / n : 0;
    return n > 0 ? fmax(square / n - *mean * *mean, 0) : 0;
}

/* Enough of the pool for quantiles, in sorted [at most 20,000]. */
static size_t gather(float *sorted, const fl_view_column *c, size_t rows, const uint8_t *pool)
{
    size_t all = 0, n = 0, seen = 0;
    for (size_t r = 0; r < rows; r++) all += pool[r] != 0;
    size_t step = all / 20000 + 1;
    for (size_t r = 0; r < rows; r++)
        if (pool[r] && seen++ % step == 0) sorted[n++] = c->x[r * c->stride];
    qsort(sorted, n, sizeof *sorted, ascending);
    return n;
}

florin_status fl_view_make(fl_view *out, size_t rows, const fl_view_column *column, size_t n,
                           const uint8_t *pool, const char *name, florin_error *err)
{
    *out = (fl_view){.z = fl_alloc(rows * n + 1, sizeof *out->z), .width = n, .name = name};
    float *sorted = fl_alloc(20001, sizeof *sorted);
    double *mean = fl_calloc(n + 1, sizeof *mean), total = 0, kept = 0;
    florin_status st = out->z && sorted && mean
                           ? FLORIN_OK
                           : fl_fail(err, FLORIN_ENOMEM, "%zu rows of %zu inputs", rows, n);
    for (size_t i = 0; i < n && !st; i++)
        if (column[i].plain) total += variance(&column[i], rows, pool, &mean[i]), kept++;
    double scale = total > 0 ? 1 / sqrt(total / kept) : 0;
    for (size_t i = 0; i < n && !st; i++) {
        const fl_view_column *c = &column[i];
        size_t m = c->plain ? 0 : gather(sorted, c, rows, pool);
        for (size_t r = 0; r < rows; r++) {
            float x = c->x[r * c->stride];
            out->z[r * n + i] = c->scale * (c->plain ? (float)(((double)x - mean[i]) * scale)
                                            : m      ? normal_score(sorted, m, x)
                                                     : 0);
        }
    }
    free(sorted);
    free(mean);
    if (st) fl_view_free(out);
    return st;
}

/* --- choosing --- */

typedef struct {
    const fl_few_arm *a;
    const fl_few_draw *d;
    const florin_context *ctx;
    florin_error *err;
    uint8_t *fold; /* [n] */
    size_t *pick, *test, picks, tests;
    float *y;                    /* of pick */
    double *margin;              /* [n] of test */
    double right[64], pairs[64]; /* by setting: pairs in the right order, all of them */
} choosing;

/* Each class's rows dealt out to the folds, in an order of their own. */
static uint32_t deal(choosing *c, uint64_t repeat)
{
    size_t n = c->d->n, count[2] = {0}, dealt[2] = {0};
    for (size_t i = 0; i < n; i++) count[c->d->y[i] > .5f]++;
    size_t least = count[0] < count[1] ? count[0] : count[1];
    uint32_t folds = least < INNER_FOLDS ? (uint32_t)least : INNER_FOLDS;
    fl_rng rng;
    fl_rng_seed(&rng, fl_mix64(c->d->seed + repeat));
    for (size_t i = 0; i < n; i++) c->pick[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = fl_rng_below(&rng, (uint32_t)i), kept = c->pick[k];
        c->pick[k] = c->pick[i - 1];
        c->pick[i - 1] = kept;
    }
    for (size_t i = 0; i < n && folds > 1; i++) {
        size_t k = c->pick[i];
        c->fold[k] = (uint8_t)(dealt[c->d->y[k] > .5f]++ % folds);
    }
    return folds;
}

/* Rows inside a fold to test, the others to pick. */
static void split(choosing *c, uint32_t fold)
{
    c->picks = c->tests = 0;
    for (size_t i = 0; i < c->d->n; i++)
        if (c->fold[i] == fold) c->test[c->tests++] = i;
        else {
            c->pick[c->picks] = c->d->row[i];
            c->y[c->picks++] = c->d->y[i];
        }
}

static void count_pairs(choosing *c, uint32_t setting)
{
    for (size_t i = 0; i < c->tests; i++)
        for (size_t k = 0; k < c->tests; k++) {
            if (!(c->d->y[c->test[i]] > .5f) || c->d->y[c->test[k]] > .5f) continue;
            c->pairs[setting]++;
            c->right[setting] += c->margin[i] > c->margin[k]    ? 1
                                 : c->margin[i] == c->margin[k] ? .5
                                                                : 0;
        }
}

static florin_status try_view(choosing *c, uint32_t v)
{
    const fl_view *view = &c->a->view[v];
    const fl_ridge_rows rows = {
        .z = view->z, .width = view->width, .n = c->picks, .pick = c->pick, .y = c->y};
    double *w = fl_calloc(view->width + 1, sizeof *w);
    florin_status st = w ? FLORIN_OK : fl_fail(c->err, FLORIN_ENOMEM, "few labels");
    for (uint32_t p = 0; p < PENALTIES && !st; p++) {
        st = fl_ridge_fit(w, &rows, PENALTY[p], c->err);
        for (size_t i = 0; i < c->tests && !st; i++)
            c->margin[i] =
                fl_ridge_margin(w, view->z + c->d->row[c->test[i]] * view->width, view->width);
        if (!st) count_pairs(c, v * PENALTIES + p);
    }
    free(w);
    return st;
}

static florin_status grow(fl_forest *out, const fl_few_arm *a, const fl_few_draw *d,
                          const size_t *pick, const float *y, size_t n, uint32_t recipe,
                          const florin_context *ctx, florin_error *err)
{
    const fl_trees_recipe *r = &RECIPE[recipe];
    const fl_trees_options o = {.depth = r->depth,
                                .rounds = ROUNDS,
                                .threads = 1,
                                .eta = r->eta,
                                .subsample = .8,
                                .columns = .6,
                                .l2 = 5,
                                .min_child = r->min_child,
                                .seed = d->seed};
    float *one = fl_alloc(n, sizeof *one);
    if (!one) return fl_fail(err, FLORIN_ENOMEM, "few labels");
    for (size_t i = 0; i < n; i++) one[i] = 1;
    const fl_train_set set = {
        .x = a->x, .n = n, .width = a->width, .pick = pick, .y = y, .weight = one};
    florin_status st = fl_trees_fit(out, NULL, &set, &o, ctx, err);
    free(one);
    return st;
}

static uint32_t rounds_of(uint32_t third)
{
    return ROUNDS * (third + 1) / 3;
}

static florin_status try_trees(choosing *c, uint32_t recipe)
{
    fl_forest f = {0};
    florin_status st = grow(&f, c->a, c->d, c->pick, c->y, c->picks, recipe, c->ctx, c->err);
    fl_forest whole = f;
    for (uint32_t third = 0; third < 3 && !st; third++) {
        f = whole;
        fl_forest_cut(&f, rounds_of(third));
        for (size_t i = 0; i < c->tests; i++)
            c->margin[i] =
                (double)fl_forest_margin(&f, c->a->x + c->d->row[c->test[i]] * c->a->width);
        count_pairs(c, c->a->views * PENALTIES + recipe * 3 + third);
    }
    fl_forest_free(&whole);
    return st;
}

/* The setting with the highest share of pairs in the right order; where nothing could be held out, the middle penalty. */
static florin_status choose(choosing *c, uint32_t *best)
{
    uint32_t repeats = c->d->n <= 100 ? 4 : c->d->n <= 400 ? 2 : 1;
    uint32_t settings = fl_few_arm_settings(c->a);
    florin_status st = FLORIN_OK;
    *best = PENALTIES / 2;
    for (uint32_t k = 0; k < repeats && !st; k++) {
        uint32_t folds = deal(c, k);
        if (folds < 2) return FLORIN_OK;
        for (uint32_t f = 0; f < folds && !st; f++) {
            split(c, f);
            for (uint32_t v = 0; v < c->a->views && !st; v++) st = try_view(c, v);
            for (uint32_t r = 0; c->a->x && r < RECIPES && !st; r++) st = try_trees(c, r);
        }
    }
    double most = -1;
    for (uint32_t k = 0; k < settings && !st; k++) {
        double share = c->right[k] / c->pairs[k];
        if (share > most + 1e-9) {
            most = share;
            *best = k;
        }
    }
    return st;
}

/* --- the whole draw --- */

static florin_status score_by_view(double *score, const fl_few_arm *a, const fl_few_draw *d,
                                   uint32_t setting, const size_t *at, size_t n, florin_error *err)
{
    const fl_view *v = &a->view[setting / PENALTIES];
    const fl_ridge_rows rows = {.z = v->z, .width = v->width, .n = d->n, .pick = d->row, .y = d->y};
    double *w = fl_calloc(v->width + 1, sizeof *w);
    florin_status st = w ? fl_ridge_fit(w, &rows, PENALTY[setting % PENALTIES], err)
                         : fl_fail(err, FLORIN_ENOMEM, "few labels");
    for (size_t i = 0; i < n && !st; i++)
        score[i] = fl_ridge_margin(w, v->z + at[i] * v->width, v->width);
    free(w);
    return st;
}

static florin_status score_by_trees(double *score, const fl_few_arm *a, const fl_few_draw *d,
                                    uint32_t recipe, uint32_t third, const size_t *at, size_t n,
                                    const florin_context *ctx, florin_error *err)
{
    fl_forest f = {0};
    florin_status st = grow(&f, a, d, d->row, d->y, d->n, recipe, ctx, err);
    fl_forest whole = f;
    if (!st) fl_forest_cut(&f, rounds_of(third));
    for (size_t i = 0; i < n && !st; i++)
        score[i] = (double)fl_forest_margin(&f, a->x + at[i] * a->width);
    fl_forest_free(&whole);
    return st;
}

florin_status fl_few_arm_run(double *score, const fl_few_arm *a, const fl_few_draw *d,
                             const size_t *at, size_t n, char choice[64], const florin_context *ctx,
                             florin_error *err)
{
    choosing c = {.a = a, .d = d, .ctx = ctx, .err = err};
    uint32_t best = 0, linear = a->views * PENALTIES;
    c.fold = fl_calloc(d->n, 1);
    c.pick = fl_alloc(d->n, sizeof *c.pick);
    c.test = fl_alloc(d->n, sizeof *c.test);
    c.y = fl_alloc(d->n, sizeof *c.y);
    c.margin = fl_alloc(d->n, sizeof *c.margin);
    florin_status st = c.fold && c.pick && c.test && c.y && c.margin
                           ? choose(&c, &best)
                           : fl_fail(err, FLORIN_ENOMEM, "few labels");
    if (!st && best < linear) {
        snprintf(choice, 64, "%s, penalty %g", a->view[best / PENALTIES].name,
                 PENALTY[best % PENALTIES]);
        st = score_by_view(score, a, d, best, at, n, err);
    } else if (!st) {
        uint32_t recipe = (best - linear) / 3, third = (best - linear) % 3;
        snprintf(choice, 64, "trees of depth %u, %u rounds", RECIPE[recipe].depth,
                 rounds_of(third));
        st = score_by_trees(score, a, d, recipe, third, at, n, ctx, err);
    }
    free(c.fold);
    free(c.pick);
    free(c.test);
    free(c.y);
    free(c.margin);
    return st;
}
