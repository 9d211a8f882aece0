/* Element-wise loops of training, one table per tier. ref and avx2 are compiled from one text without fused products or
 * reordered sums, so they give the same bytes; avx512 differs from them in the last bits of gru, softmax, dot and
 * squares. Within a tier the same inputs give the same bytes. Arrays may not overlap unless said. */
#ifndef FL_TRAIN_OPS_H
#define FL_TRAIN_OPS_H

#include "base/base.h"

typedef struct {
    float rate, beta1, beta2, epsilon, decay; /* decay: 1 - rate * weight decay */
    float correct1, correct2;                 /* 1 / (1 - beta^step) */
    float scale;                              /* of the gradient: mean and clipping */
} fl_adam;

typedef struct {
    const char *tier;
    /* GRU gates (PyTorch's nn.GRU) for rows of H. gx = x Wx + bx and gh = h Wh + bh, [rows][3H] (r, z, n). before [rows][H]:
     * state before. Writes r, z, n over gx and after [rows][H]. gh is kept: its last third is needed backwards. */
    void (*gru)(float *gx, const float *gh, const float *before, float *after, size_t rows,
                size_t H);
    /* Backwards. d [rows][H]: gradient of `after`, replaced by the part that reaches `before` through z. gates: what gru left in
     * gx, replaced by the gradient of gx. gh: replaced by its gradient. */
    void (*gru_back)(float *gates, float *gh, const float *before, float *d, size_t rows, size_t H);
    /* Softmax and cross-entropy of n logits + bias (NULL: none): x becomes exp(x + bias - the largest), *total their sum.
     * Returns -log p(target). */
    float (*softmax)(float *x, const float *bias, size_t n, size_t target, float *total);
    /* From what softmax left to the gradient of weight * -log p(target): x becomes weight * (x / total - [i == target]) and is
     * added to d_bias. */
    void (*softmax_back)(float *x, float *d_bias, size_t n, size_t target, float weight,
                         float total);
    void (*bias_relu)(float *x, const float *bias, size_t rows,
                      size_t n);                               /* x = max(0, x + bias) */
    void (*relu_back)(float *d, const float *x, size_t n);     /* d = x > 0 ? d : 0 */
    void (*add)(float *y, const float *x, size_t n);           /* y += x */
    void (*axpy)(float *y, float a, const float *x, size_t n); /* y += a x */
    void (*scale)(float *y, float a, size_t n);                /* y *= a */
    float (*dot)(const float *a, const float *b, size_t n);
    void (*column_sums)(float *y, const float *x, size_t rows, size_t n); /* y += sum of x's rows */
    void (*from_fixed)(float *y, const int16_t *x, float unit, size_t n); /* y = x * unit */
    void (*to_bf16)(uint16_t *y, const float *x, size_t n); /* round to nearest even */
    void (*from_bf16)(float *y, const uint16_t *x, size_t n);
    double (*squares)(const float *x, size_t n); /* sum of squares */
    /* Decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101). */
    void (*adam)(float *w, float *m, float *v, const float *g, size_t n, const fl_adam *a);
} fl_train_ops;

/* Best tier of this CPU, or the named one ("ref", "avx2", "avx512"); NULL: unknown or not supported here. */
const fl_train_ops *fl_train_ops_get(const char *tier);

#endif
