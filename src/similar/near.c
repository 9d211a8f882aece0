/* Cosine of standardised vectors. */
#include "similar/near.h"
#include <math.h>

typedef struct {
    float value;
    uint32_t row;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                                : (x->row > y->row) - (x->row < y->row);
}

/* Column c of x [n][w] becomes the mean rank of its value, from 0 to 1. */
static void rank_column(float *x, uint32_t n, uint32_t w, uint32_t c, ranked *r)
{
    for (uint32_t i = 0; i < n; i++) r[i] = (ranked){x[(size_t)i * w + c], i};
    qsort(r, n, sizeof *r, by_value);
    for (uint32_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && r[j].value == r[i].value;) j++;
        for (uint32_t k = i; k < j; k++)
            x[(size_t)r[k].row * w + c] = ((float)i + (float)j) / 2 / (float)n;
    }
}

static void standardise(float *x, uint32_t n, uint32_t w)
{
    for (uint32_t c = 0; c < w; c++) {
        double sum = 0, square = 0;
        for (uint32_t i = 0; i < n; i++) sum += x[(size_t)i * w + c];
        double mean = sum / n;
        for (uint32_t i = 0; i < n; i++) {
            double d = x[(size_t)i * w + c] - mean;
            square += d * d;
        }
        double spread = sqrt(square / n);
        for (uint32_t i = 0; i < n; i++) {
            float *v = &x[(size_t)i * w + c];
            *v = spread > 1e-9 ? (float)((*v - mean) / spread) : 0;
        }
    }
}

void fl_unit_rows(float *x, uint32_t n, uint32_t w)
{
    for (uint32_t i = 0; i < n; i++) {
        float *v = x + (size_t)i * w;
        double square = 0;
        for (uint32_t c = 0; c < w; c++) square += (double)v[c] * v[c];
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (uint32_t c = 0; c < w; c++) v[c] *= scale;
    }
}

static florin_status part(float **out, const float *from, uint32_t n, uint32_t w, bool ranks,
                          florin_error *err)
{
    float *x = fl_alloc((size_t)n * w, sizeof *x);
    ranked *r = fl_alloc(n, sizeof *r);

    if (!x || !r) {
        free(x);
        free(r);
        return fl_fail(err, FLORIN_ENOMEM, "no memory for %u vectors", n);
    }
    memcpy(x, from, (size_t)n * w * sizeof *x);
    for (uint32_t c = 0; ranks && c < w; c++) rank_column(x, n, w, c, r);
    free(r);
    standardise(x, n, w);
    fl_unit_rows(x, n, w);
    *out = x;
    return FLORIN_OK;
}

florin_status fl_near_vectors(float **out, uint32_t *width, const fl_crowd *c, fl_by by,
                              florin_error *err)
{
    float *state = NULL, *fold = NULL;
    florin_status st = FLORIN_OK;

    *out = NULL;
    if (by != FL_BY_FOLD && !c->states)
        return fl_fail(err, FLORIN_EUSAGE,
                       "there are no states to compare by: the model holds no network for this "
                       "kind; by fold compares what was counted");
    if (by != FL_BY_FOLD) st = part(&state, c->state, c->n, c->states, false, err);
    if (!st && by != FL_BY_EMBEDDING) st = part(&fold, c->fold, c->n, c->folds, true, err);
    *width = by == FL_BY_EMBEDDING ? c->states : by == FL_BY_FOLD ? c->folds : c->states + c->folds;
    if (st || by != FL_BY_BOTH) {
        *out = st ? NULL : state ? state : fold;
        if (st) free(state);
        return st;
    }
    float *x = fl_alloc((size_t)c->n * *width, sizeof *x);
    if (!x) st = fl_fail(err, FLORIN_ENOMEM, "no memory for %u vectors", c->n);
    for (uint32_t i = 0; !st && i < c->n; i++) {
        memcpy(x + (size_t)i * *width, state + (size_t)i * c->states, c->states * sizeof *x);
        memcpy(x + (size_t)i * *width + c->states, fold + (size_t)i * c->folds,
               c->folds * sizeof *x);
    }
    if (!st) fl_unit_rows(x, c->n, *width);
    free(state);
    free(fold);
    *out = x;
    return st;
}

void fl_near_add(fl_near *best, uint32_t *n, uint32_t k, fl_near one)
{
    uint32_t at = *n;

    if (at == k && !(one.cosine > best[k - 1].cosine)) return;
    if (at < k) ++*n;
    else at = k - 1;
    for (; at > 0 && one.cosine > best[at - 1].cosine; at--) best[at] = best[at - 1];
    best[at] = one;
}

uint32_t fl_near_k(const fl_kernels *kernels, const float *x, const float *gallery, uint32_t n,
                   uint32_t width, uint32_t skip, uint32_t k, float *scratch, fl_near *out)
{
    uint32_t found = 0;

    kernels->dots(scratch, gallery, x, NULL, n, width);
    for (uint32_t i = 0; i < n; i++)
        if (i != skip) fl_near_add(out, &found, k, (fl_near){i, scratch[i]});
    return found;
}
