/* Pieces of the avx2 tier. */
#ifndef FL_LINEAR_AVX2_H
#define FL_LINEAR_AVX2_H

#include "kernels/kernels.h"

fl_packed fl_pack_avx2(const float *w, uint32_t in, uint32_t out);
void fl_linear_avx2(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                    const fl_packed *w, const float *b);
/* Weights in 8 bits. */
fl_packed fl_pack8_avx2(const float *w, uint32_t in, uint32_t out);
void fl_linear8_avx2(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                     const fl_packed *w, const float *b);

#endif
