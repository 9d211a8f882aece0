/* Products in fp32 for AVX-512. */
#include "kernels/train_product_tiers.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define TIER   "avx512"
#define BF16   false
#define TABLE  fl_products_avx512
#define VALUES 1

#define step(c, a, b)         _mm512_fmadd_ps(a, b, c)
#define words(p, mask)        _mm512_maskz_loadu_ps(mask, p)
#define words2(p, q, mask, m) _mm512_setzero_ps() /* one value a word */

#include "kernels/train_product_tiles.inc"
#else
const fl_products fl_products_avx512 = {.tier = NULL};
#endif
