/* Loops of a transformer block, compiled for AVX-512. No fused products: the bytes are those of the ref tier. */
#include "kernels/block_tiers.h"

#if defined(__AVX512F__)
#define FL_TIER  "avx512"
#define FL_TABLE fl_block_avx512
#include "kernels/block_loops.inc"
#else
const fl_block_ops fl_block_avx512 = {.tier = NULL};
#endif
