/* Loops of a transformer block for any CPU. */
#include "kernels/block_tiers.h"

#define FL_TIER  "ref"
#define FL_TABLE fl_block_ref
#include "kernels/block_loops.inc"
