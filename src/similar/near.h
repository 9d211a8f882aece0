/* Vectors that can be compared, and exact nearest neighbours by cosine. */
#ifndef FL_NEAR_H
#define FL_NEAR_H

#include "kernels/kernels.h"
#include "similar/crowd.h"

typedef enum { FL_BY_EMBEDDING, FL_BY_FOLD, FL_BY_BOTH } fl_by;

/* Unit vectors [n][width] of a crowd, malloc'ed. The network's states: each number less its mean over the crowd, divided by
 * its spread. The fold's features, whose scales differ by magnitudes: each number's rank in the crowd, ties by their mean
 * rank, then the same. Both: one after the other, of equal weight. FLORIN_EUSAGE: no states to compare by. */
florin_status fl_near_vectors(float **out, uint32_t *width, const fl_crowd *c, fl_by by,
                              florin_error *err);

typedef struct {
    uint32_t item;
    float cosine;
} fl_near;
/* The k of gallery [n][width] nearest to x [width], best first, ties by number; `skip` (or UINT32_MAX) is left out.
 * scratch [n]. Returns how many. */
uint32_t fl_near_k(const fl_kernels *kernels, const float *x, const float *gallery, uint32_t n,
                   uint32_t width, uint32_t skip, uint32_t k, float *scratch, fl_near *out);
/* Puts one into the best so far [*n of at most k]. */
void fl_near_add(fl_near *best, uint32_t *n, uint32_t k, fl_near one);

/* Each row of x [n][w] to length 1; one of zeros stays. */
void fl_unit_rows(float *x, uint32_t n, uint32_t w);

#endif
