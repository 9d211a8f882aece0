/* Weights and states in 8 bits: what all tiers share, so that they hold the same whole numbers. */
#ifndef FL_PACK8_H
#define FL_PACK8_H

#include "kernels/kernels.h"
#include <math.h>

/* The unit in which a largest magnitude becomes 127. */
static inline float fl_unit8(float top)
{
    return top * (1.0f / 127.0f);
}
static inline int8_t fl_round8(float w, float unit)
{
    return unit > 0 ? (int8_t)lrintf(w / unit) : 0;
}

/* One block of `bytes` of zeros for the weights, in *q, and behind them scale, filled from w [in][out] and padded with
 * zeros to whole lines. *q NULL: no memory. */
fl_packed fl_pack8(int8_t **q, const float *w, uint32_t in, uint32_t out, size_t bytes);

/* Where element i of a state is rounded up at a turn: sequences of Weyl in both, by the golden ratio and by the inverse of
 * the plastic number (Roberts 2018), so that thresholds lie evenly over any few turns and any few elements. The upper 16
 * bits k stand for (k + .5) / 2^16: exact in a float, also once up to 127 is added. */
#define FL_DITHER_TURN    0x9e3779b9u
#define FL_DITHER_ELEMENT 0xc13fa9a9u
static inline float fl_dither8(uint32_t turn, uint32_t i)
{
    uint32_t k = (turn * FL_DITHER_TURN + i * FL_DITHER_ELEMENT) >> 16;

    return ((float)k + 0.5f) * 0x1p-16f;
}

#endif
