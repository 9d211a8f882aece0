/* The tables of the tiers; only train_product.c chooses between them. tier NULL: built without it. */
#ifndef FL_TRAIN_PRODUCT_TIERS_H
#define FL_TRAIN_PRODUCT_TIERS_H

#include "kernels/train_product.h"

extern const fl_products fl_products_avx512;         /* fp32 */
extern const fl_products fl_products_avx512_rounded; /* fp32 products of factors rounded to bf16 */
extern const fl_products fl_products_avx512bf16;

#endif
