/* One arm of few.h: some views of the rows, each for a logistic regression, and maybe raw inputs for trees; what is best for a
 * draw is chosen by cross-validation inside it. */
#ifndef FL_FEW_ARM_H
#define FL_FEW_ARM_H

#include "task/sample.h"
#include "task/trees.h"

enum { FL_FEW_VIEWS = 3 };

/* Rows as inputs of a logistic regression: columns by their normal scores, or (of an embedding, whose directions of large
 * variance say most) as they are, all at one scale. Quantiles and scale are of the rows in the pool; no label is read. */
typedef struct {
    float *z; /* [rows][width] */
    size_t width;
    const char *name;
} fl_view;
typedef struct {
    const float *x; /* first value; row r has it at x[r * stride] */
    size_t stride;
    bool plain; /* stays as it is */
    float
        scale; /* of what comes of it; a column at twice the scale is trusted as much at a quarter of the penalty */
} fl_view_column;
/* pool [rows]: 1: counts for the scale. */
florin_status fl_view_make(fl_view *out, size_t rows, const fl_view_column *column, size_t n,
                           const uint8_t *pool, const char *name, florin_error *err);
void fl_view_free(fl_view *v);

typedef struct {
    fl_view view[FL_FEW_VIEWS];
    uint32_t views;
    const float *x; /* [rows][width], for trees; NULL: none */
    size_t width;
} fl_few_arm;

/* Labelled examples, of both classes. */
typedef struct {
    size_t n, *row; /* of the sample */
    float *y;
    uint64_t seed;
} fl_few_draw;

/* Chooses, fits on the whole draw, scores the rows at [n] of the sample. choice: what was chosen, in words. */
florin_status fl_few_arm_run(double *score, const fl_few_arm *a, const fl_few_draw *d,
                             const size_t *at, size_t n, char choice[64], const florin_context *ctx,
                             florin_error *err);
/* Settings that an arm tries at most. */
uint32_t fl_few_arm_settings(const fl_few_arm *a);

#endif
