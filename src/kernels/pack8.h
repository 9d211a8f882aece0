/* Weights in 8 bits: what all tiers share, so that they hold the same whole numbers. */
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

#endif
