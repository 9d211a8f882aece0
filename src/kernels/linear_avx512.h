/* Pieces of the avx512 tier. */
#ifndef FL_LINEAR_AVX512_H
#define FL_LINEAR_AVX512_H

#include "kernels/kernels.h"

fl_packed fl_pack_avx512(const float *w, uint32_t in, uint32_t out);
fl_packed fl_pack8_avx512(const float *w, uint32_t in, uint32_t out);
void fl_linear_avx512(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                      const fl_packed *w, const float *b);

#endif
