/* The tables of the tiers; only train_ops.c chooses between them. */
#ifndef FL_TRAIN_TIERS_H
#define FL_TRAIN_TIERS_H

#include "kernels/train_ops.h"

extern const fl_train_ops fl_train_ref;
extern const fl_train_ops fl_train_avx2;   /* tier NULL: built without it */
extern const fl_train_ops fl_train_avx512; /* the same */

#endif
