/* One table of operations. ref.c defines them; a tier overwrites what it does better.
 * Contract for all: arrays may not overlap unless said; no alignment needed; no byte past an array is touched;
 * the result for a row never depends on how many rows are in the call. Float sums may differ between tiers. */
#ifndef FL_KERNELS_H
#define FL_KERNELS_H

#include "kernels/trees16.h"

/* W packed for y = x W: owned by the caller of pack, freed by fl_packed_free. Layout is the tier's own. */
typedef struct {
    uint32_t in, out;
    void *data;
    /* Whole numbers of 8 bits: W[k][o] = scale[o] * q[k][o], |q| <= 127; NULL: data are floats. Lies in data's block, with
     * zeros up to a whole line. */
    float *scale;
    size_t bytes; /* of data's block */
} fl_packed;
static inline void fl_packed_free(fl_packed *p)
{
    free(p->data);
    *p = (fl_packed){0};
}

typedef struct {
    const char *tier;
    /* Pack w [in][out]. data NULL: no memory. */
    fl_packed (*pack)(const float *w, uint32_t in, uint32_t out);
    /* The same in 8 bits, each column by its own scale, values rounded to nearest. For the same w all tiers hold the
     * same whole numbers. */
    fl_packed (*pack8)(const float *w, uint32_t in, uint32_t out);
    /* y [rows][out] = x [rows][in] W + b [out] (b NULL: none). Leading dimensions ldx, ldy. With W in 8 bits each row of
     * x is rounded to 8 bits by its own scale (its largest magnitude becomes 127) and the sums are exact. */
    void (*linear)(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                   const fl_packed *w, const float *b);
    void (*add)(float *y, const float *x, uint32_t n);           /* y += x */
    void (*axpy)(float *y, float a, const float *x, uint32_t n); /* y += a x */
    void (*relu)(float *x, uint32_t n);
    /* h' = GRU gates; gx = x Wx + bx, gh = h Wh + bh, each [3H] (r, z, n); h [H] updated in place. */
    void (*gru)(float *h, const float *gx, const float *gh, uint32_t H);
    float (*dot)(const float *a, const float *b, uint32_t n);
    /* y [rows] = w [rows][n] x + b [rows] (NULL: none): rows that are not packed, as the members of a cluster. */
    void (*dots)(float *y, const float *w, const float *x, const float *b, uint32_t rows,
                 uint32_t n);
    void (*exp)(float *x, uint32_t n); /* in place; x held in [-87, 88] */
    void (*log)(float *x, uint32_t n); /* in place, natural; x > 0 and normal; of 1 exactly 0 */
    float (*sum)(const float *x, uint32_t n);
    /* x becomes exp(x - *top), *top its largest; returns their sum. n >= 1. */
    float (*exp_sum)(float *x, uint32_t n, float *top);
    /* In place log-softmax. n >= 1. */
    void (*log_softmax)(float *x, uint32_t n);
    /* y = (fl_squash(x) - mean) / scale, held in [-limit, limit]. The same bits in every tier. */
    void (*squash)(float *y, const float *x, const float *mean, const float *scale, float limit,
                   uint32_t n);
    /* Whole numbers of 8 bits, a unit of 1 / 127: y = floor(127 x + dither), what is outside [-1, 1] becomes its end. With
     * `turn` counting up the mean of what x becomes is x, so that a value which moves by less than a unit a turn still
     * moves. The same bits in every tier. */
    void (*to8)(int8_t *y, const float *x, uint32_t turn, uint32_t n);
    void (*from8)(float *y, const int8_t *x, uint32_t n);
    /* trees16.h; NULL: walking trees row by row is faster. */
    uint32_t (*trees16)(const fl_trees16 *t, const float *const row[FL_TREES16_ROWS],
                        float sum[FL_TREES16_ROWS]);
} fl_kernels;

/* Symmetric log, sign(x) ln(1 + |x|): keeps sign and zero, tames counts, ages and amounts alike. By the polynomial of
 * Cephes' logf (Moshier 1989), so that it is the same on every machine; largest error 1e-7 absolute. Infinite becomes
 * the largest float, NaN zero. */
float fl_squash(float x);

const fl_kernels *fl_kernels_ref(void);
const fl_kernels *fl_kernels_avx2(void);   /* NULL where the program was built without it */
const fl_kernels *fl_kernels_avx512(void); /* the same; with VNNI */
/* Best tier of this CPU (asks the OS for the registers too), or the named one: "ref", "avx2", "avx512". NULL: unknown
 * or not supported here. The table is constant. */
const fl_kernels *fl_kernels_get(const char *tier);
const char *fl_kernels_best(void);

#endif
