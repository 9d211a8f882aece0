/* bf16 where the CPU has AVX-512 but no bf16 products: factors are rounded and multiplied as fp32, so that a model can
 * be trained, slower, to the same quality. */
#include "kernels/train_product_tiers.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define TIER   "avx512"
#define BF16   true
#define TABLE  fl_products_avx512_rounded
#define VALUES 1

static inline __attribute__((always_inline)) __m512 rounded(__m512 x)
{
    __m512i b = _mm512_castps_si512(x),
            odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));

    b = _mm512_add_epi32(b, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    return _mm512_castsi512_ps(_mm512_and_si512(b, _mm512_set1_epi32((int)0xffff0000u)));
}

#define step(c, a, b)         _mm512_fmadd_ps(a, b, c)
#define words(p, mask)        rounded(_mm512_maskz_loadu_ps(mask, p))
#define words2(p, q, mask, m) _mm512_setzero_ps() /* one value a word */

#include "kernels/train_product_tiles.inc"
#else
const fl_products fl_products_avx512_rounded = {.tier = NULL};
#endif
