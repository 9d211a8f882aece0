/* Low-rank fine-tuning: W = base + A B. Owns the way between the matrix, which passes read, and its parts, which the
 * optimiser moves; so inference never knows of them. */
#include "train/net.h"

void fl_net_low_begin(fl_net *net)
{
    for (uint32_t i = 0; i < net->lows && net->rank; i++) {
        const fl_low_rank *l = &net->low[i];
        memcpy(net->base + l->base, net->w + l->w, l->rows * l->cols * sizeof(float));
    }
}

void fl_net_low_merge(fl_net *net)
{
    for (uint32_t i = 0; i < net->lows && net->rank; i++) {
        const fl_low_rank *l = &net->low[i];
        memcpy(net->w + l->w, net->base + l->base, l->rows * l->cols * sizeof(float));
        for (size_t r = 0; r < l->rows; r++)
            for (uint32_t k = 0; k < net->rank; k++)
                net->ops->axpy(net->w + l->w + r * l->cols, net->w[l->a + r * net->rank + k],
                               net->w + l->b + k * l->cols, l->cols);
    }
}

/* dA = dW B^T, dB = A^T dW; dW itself is then nobody's. */
void fl_net_low_gradient(const fl_net *net, float *gradient)
{
    for (uint32_t i = 0; i < net->lows && net->rank; i++) {
        const fl_low_rank *l = &net->low[i];
        for (size_t r = 0; r < l->rows; r++) {
            const float *row = gradient + l->w + r * l->cols;
            for (uint32_t k = 0; k < net->rank; k++) {
                size_t a = l->a + r * net->rank + k, b = l->b + k * l->cols;
                gradient[a] = net->ops->dot(row, net->w + b, l->cols);
                net->ops->axpy(gradient + b, net->w[a], row, l->cols);
            }
        }
        memset(gradient + l->w, 0, l->rows * l->cols * sizeof(float));
    }
}
