/* Element-wise loops of training, compiled for AVX2. No fused products: the bytes are those of the ref tier. */
#include "kernels/train_tiers.h"

#if defined(__AVX2__)
#define FL_TIER  "avx2"
#define FL_TABLE fl_train_avx2
#include "kernels/train_loops.inc"
#else
const fl_train_ops fl_train_avx2 = {.tier = NULL};
#endif
