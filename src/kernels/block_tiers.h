/* The tables of the tiers; only block_ops.c chooses between them. */
#ifndef FL_BLOCK_TIERS_H
#define FL_BLOCK_TIERS_H

#include "kernels/block_ops.h"

extern const fl_block_ops fl_block_ref;
extern const fl_block_ops fl_block_avx2;   /* tier NULL: built without it */
extern const fl_block_ops fl_block_avx512; /* the same */

#endif
