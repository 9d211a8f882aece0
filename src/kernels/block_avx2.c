/* Loops of a transformer block, compiled for AVX2. No fused products: the bytes are those of the ref tier. */
#include "kernels/block_tiers.h"

#if defined(__AVX2__)
#define FL_TIER  "avx2"
#define FL_TABLE fl_block_avx2
#include "kernels/block_loops.inc"
#else
const fl_block_ops fl_block_avx2 = {.tier = NULL};
#endif
