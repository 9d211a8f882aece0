/* One transformer block, forwards and backwards, over lists of rows of any lengths: multi-head attention, then a feed-forward
 * layer, each with a residual and a layer norm (Vaswani et al. 2017). A block of event histories is causal, sees a bounded
 * window and carries a memory from one call to the next; a block of a sentence encoder sees both sides.
 *
 *   pre-norm   x' = x + A(norm1(x))       y = x' + F(norm2(x'))
 *   post-norm  x' = norm1(x + A(x))       y = norm2(x' + F(x'))
 *   A(x) = attention(x qkv.w + qkv.b) out.w + out.b       F(x) = gelu(x up.w + up.b) down.w + down.b
 *
 * Attention of a head of size d: softmax over keys j of q_i k_j / sqrt(d), with positions
 *   rotary   pairs (c, c + d/2) of q and k turned by position * 10000^(-2c/d) (Su et al. 2021): only distances count
 *   learned  a learned number per head and distance added to the score (Raffel et al. 2020)
 *   none     nothing (a sentence encoder adds its positions to the block's input)
 * Causal: element i sees the elements of its list from i - window + 1 to i; else also those up to i + window - 1.
 *
 * History token (causal only): one key more, learned, whose value is a learned vector plus the mean of all values that fell
 * out of the window. The mean is plain for the first FL_HISTORY windows of them and then decays: with f fallen values,
 * mean += (value - mean) / min(f, FL_HISTORY * window). Before anything has fallen out it is zero. The key meets q unturned.
 *
 * Matrices [in][out], row-major. fp32; the result of a list depends on nothing beside it. */
#ifndef FL_BLOCK_H
#define FL_BLOCK_H

#include "kernels/block_ops.h"
#include "kernels/block_shape.h"
#include "kernels/train_ops.h"
#include "kernels/train_product.h"

typedef struct {
    const fl_block_shape *shape;
    const fl_train_ops *ops;
    const fl_block_ops *own;
    const fl_products *products;
    const float *w[FL_BLOCK_PARAMETERS]; /* NULL where the shape has none */
    float *gradient[FL_BLOCK_PARAMETERS];
    const fl_packed_matrix *forward[FL_BLOCK_MATRICES], *backward[FL_BLOCK_MATRICES];
    void *scratch; /* FL_PRODUCT_SCRATCH */
} fl_block;

/* Which rows make a list, in order. Rows in no list are computed and mean nothing; their gradient must be zero. */
typedef struct {
    uint32_t rows, lists;
    const uint32_t *first; /* [lists + 1] of an element */
    const uint32_t *row;   /* [elements] */
    const uint32_t *
        before; /* [elements] its position: how many of its sequence came before it. A list may hold the end of
                             * one sequence and then others, each from position 0 */
    const uint32_t
        *after; /* [elements] how many of its sequence follow in the list; not read if causal */
    const float *turn; /* [elements][d/2][2] by fl_block_turns; rotary alone */
    float *memory; /* [lists] of fl_block_memory floats; NULL: every sequence begins in its list */
    size_t stride; /* floats from one list's memory to the next */
} fl_block_lists;

/* What a pass leaves for the way back, and room to work. */
typedef struct fl_block_work fl_block_work;
/* For up to `rows` rows in up to `lists` lists of at most `longest` elements; gradient: for backward too. */
fl_block_work *fl_block_work_new(const fl_block_shape *s, uint32_t rows, uint32_t lists,
                                 uint32_t longest, bool gradient); /* NULL: no memory */
void fl_block_work_free(fl_block_work *k);

/* y [rows][width] from x, and the memories moved on. x and y may not be the same. */
void fl_block_forward(const fl_block *b, fl_block_work *k, const fl_block_lists *l, const float *x,
                      float *y);
/* After forward with the same lists: d_x from d_y, and the gradients of the parameters, which are added to. No gradient
 * reaches the memory. d_x and d_y may not be the same; d_y is changed. */
void fl_block_backward(const fl_block *b, fl_block_work *k, const fl_block_lists *l, const float *x,
                       float *d_y, float *d_x);

#endif
