/* Gradients of a pass against finite differences. */
#ifndef GRADIENT_H
#define GRADIENT_H

#include "support/train_fixture.h"
#include "train/net.h"

typedef struct {
    fl_worker *k;
    fl_net *net;
    const fl_rows *rows;
    fl_pass pass;
    float *state; /* before the window */
    size_t states;
    double step; /* of the differences; 0: 2e-3 */
} gradient_point;

/* A pass with the weights as they are now, by the products of a tier. */
void gradient_pass_by(const fl_products *products, fl_worker *k, const fl_net *net,
                      const fl_rows *rows, fl_pass pass);
void gradient_pass(fl_worker *k, const fl_net *net, const fl_rows *rows, fl_pass pass);
/* All losses of the pass together, with its gradient in the worker. */
double gradient_loss(gradient_point *p);
/* Fails the test where parameter i's gradient is not what differences along it and along random signs say. */
void gradient_check(gradient_point *p, uint32_t i, const float *gradient, fl_rng *r);

#endif
