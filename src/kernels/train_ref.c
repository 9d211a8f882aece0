/* Element-wise loops of training for any CPU. */
#include "kernels/train_tiers.h"

#define FL_TIER  "ref"
#define FL_TABLE fl_train_ref
#include "kernels/train_loops.inc"
