/* Dense products of training over packed weights: one table per tier and precision. Row-major throughout.
 * Contract for all: fp32 in and out, sums in fp32; with bf16 both factors are first rounded to bf16 (nearest even).
 * Each call runs on the calling thread and allocates nothing; arrays may not overlap; no byte past an array is
 * touched. A row's result never depends on the rows beside it, nor anything on the number of threads: sums run in the
 * order of the inner dimension, in pieces that only the shapes decide.
 * The three products of a layer y [rows][out] = x [rows][in] W [in][out]:
 *     forward      pack W                     product(y, x, W)
 *     backward     pack W, transposed         product(dx, dy, W^T)
 *     gradient     nothing packed             outer(dW, x, dy)
 * (W kept as [out][in] swaps `transposed`, and its gradient is outer(dW, dy, x)).
 * Weights are packed once a step, by all threads together, and shared. Softmax heads: call product for a tile of rows
 * (FL_PRODUCT_TILE) and a slice of columns at a time, and make loss and gradient while the tile is in the cache. */
#ifndef FL_TRAIN_PRODUCT_H
#define FL_TRAIN_PRODUCT_H

#include "kernels/train_gemm.h"

enum {
    FL_PRODUCT_COLUMNS = 32,       /* columns are packed in groups of so many */
    FL_PRODUCT_PACKED = 512 << 10, /* bytes of scratch that fl_product_of may pack into */
    FL_PRODUCT_TILE = 224,         /* rows of a tile: a multiple of every tier's block */
    FL_PRODUCT_SCRATCH =
        640 << 10, /* bytes of scratch that product and outer want, 64-byte aligned */
};

/* A packed matrix [k][n], or a slice of one. The caller owns data; the rest is the tier's. */
typedef struct {
    void *data; /* fl_product_bytes(k, n) bytes, 64-byte aligned */
    size_t k, n;
    size_t stride; /* from one row (plain tiers, floats) or group of columns (words) to the next */
} fl_packed_matrix;

typedef struct {
    const char *tier;
    bool bf16;
    /* Part `part` of `parts` of packing b [k][n], or its transpose stored as [n][k], into to->data (to->k, to->n are
     * set by the caller, stride by each part). Parts may run at once; all must end before a product. */
    void (*pack)(fl_packed_matrix *to, const float *b, size_t ldb, bool transposed, uint32_t part,
                 uint32_t parts);
    /* Rows [k0, k1) and columns [n0, n1) of a packed matrix: k0 even, n0 a multiple of FL_PRODUCT_COLUMNS. Shares its
     * data. */
    fl_packed_matrix (*slice)(const fl_packed_matrix *b, size_t k0, size_t k1, size_t n0,
                              size_t n1);
    /* C [m][n] = A [m][k] B, or += where add. */
    void (*product)(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                    const fl_packed_matrix *b, bool add, void *scratch);
    /* C [m][n] += A^T B with A [rows][m], B [rows][n]: the gradient of weights. */
    void (*outer)(float *c, size_t ldc, const float *a, size_t lda, size_t m, const float *b,
                  size_t ldb, size_t n, size_t rows, void *scratch);
} fl_products;

static inline size_t fl_product_bytes(size_t k, size_t n)
{
    return (n + FL_PRODUCT_COLUMNS - 1) / FL_PRODUCT_COLUMNS * FL_PRODUCT_COLUMNS *
           ((k + 1) & ~(size_t)1) * sizeof(float);
}

/* Best tier of this CPU, or the named one: "ref" (plain loops, the definition), "onednn" (any CPU), "avx512" (bf16 by
 * rounding alone: no faster) and "avx512bf16". NULL: unknown or not supported here. Products run between
 * fl_products_begin and fl_products_end. */
const fl_products *fl_products_get(const char *tier, bool bf16);
/* Around a thread's products: in tier onednn signals wait meanwhile (train_gemm.h), in the others nothing happens. */
void fl_products_begin(const fl_products *p, fl_gemm_hold *hold);
void fl_products_end(const fl_products *p, const fl_gemm_hold *hold);
/* product with a B [k][n] (or its transpose, stored as [n][k]) that is packed on the spot: for a small matrix that few
 * rows meet, as the members of a cluster. fl_product_bytes(k, n) <= FL_PRODUCT_PACKED. */
void fl_product_of(const fl_products *p, float *c, size_t ldc, const float *a, size_t lda, size_t m,
                   const float *b, size_t ldb, bool transposed, size_t k, size_t n, bool add,
                   void *scratch);
/* This CPU multiplies bf16 faster than fp32. */
bool fl_products_fast_bf16(void);

#endif
