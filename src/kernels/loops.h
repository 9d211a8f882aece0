/* What the loops of training share: exponentials and sums in eight fixed lanes, so that a vector unit may take them without
 * changing a bit. Compiled once per tier. */
#ifndef FL_LOOPS_H
#define FL_LOOPS_H

#include "base/base.h"

enum { LANES = 8 };

/* e^x by 2^k * polynomial (Cephes' expf, Moshier 1989), relative error 2e-7 for |x| < 87, held beyond. */
static inline float exp_of(float x)
{
    x = x > -87.0f ? x : -87.0f;
    x = x < 88.0f ? x : 88.0f;
    float k = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to the nearest whole number */
    int32_t bits;
    memcpy(&bits, &k, 4);
    k -= 12582912.0f;
    float r = x - k * 0.693359375f + k * 2.12194440e-4f, y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    int32_t scale = (int32_t)((uint32_t)(bits - 0x4b400000 + 127) << 23);
    memcpy(&k, &scale, 4);
    return y * k;
}

static inline float sum8(const float *s)
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

#endif
