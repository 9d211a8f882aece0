/* Products in bf16 for CPUs that multiply pairs of bf16 and add them in fp32. */
#include "kernels/train_product_tiers.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>

#define TIER   "avx512bf16"
#define BF16   true
#define TABLE  fl_products_avx512bf16
#define VALUES 2

static inline __attribute__((always_inline)) __m512 multiply(__m512 c, __m512 a, __m512 b)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

/* 32 floats in order: word i holds floats 2 i, 2 i + 1. */
static inline __attribute__((always_inline)) __m512 words_wide(const float *p, __mmask16 low,
                                                               __mmask16 high)
{
    return (__m512)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, p + 16),
                                       _mm512_maskz_loadu_ps(low, p));
}

/* Word i holds float i of p and of q. */
static inline __attribute__((always_inline)) __m512 words2(const float *p, const float *q,
                                                           __mmask16 mask, __mmask16 other)
{
    const __m512i turn =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(other, q),
                                                _mm512_maskz_loadu_ps(mask, p));

    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(turn, both));
}

#define step           multiply
#define words(p, mask) _mm512_setzero_ps() /* two values a word */

#include "kernels/train_product_tiles.inc"
#else
const fl_products fl_products_avx512bf16 = {.tier = NULL};
#endif
