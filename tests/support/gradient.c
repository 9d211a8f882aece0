/* See the header. */
#include "support/support.h"
#include "support/gradient.h"
#include <math.h>

void gradient_pass_by(const fl_products *products, fl_worker *k, const fl_net *net,
                      const fl_rows *rows, fl_pass pass)
{
    fl_packs *packs;

    assert_int_equal(fl_packs_new(&packs, net, products,
                                  FL_PACK_HEADS | (pass.train ? FL_PACK_BACKWARD : 0), NULL),
                     FLORIN_OK);
    for (uint32_t i = 0; i < 3; i++) fl_packs_fill(packs, net, i, 3);
    pass.packs = packs;
    fl_worker_pass(k, net, rows, &pass);
    fl_packs_free(packs);
}

void gradient_pass(fl_worker *k, const fl_net *net, const fl_rows *rows, fl_pass pass)
{
    gradient_pass_by(fl_products_get(NULL, false), k, net, rows, pass);
}

double gradient_loss(gradient_point *p)
{
    const fl_window *w = fl_worker_window(p->k);
    double sum = 0;

    memcpy(fl_worker_state(p->k), p->state, p->states * sizeof(float));
    fl_net_low_merge(p->net);
    gradient_pass(p->k, p->net, p->rows, p->pass);
    for (size_t i = 0; i < (size_t)w->lanes * w->steps; i++)
        for (uint32_t t = 0; t < p->net->targets; t++)
            sum += (double)w->weight[i] * (double)fl_worker_nats(p->k)[i * p->net->targets + t];
    return sum + (p->pass.label ? fl_worker_task_loss(p->k) : 0) +
           (p->pass.contrast > 0 ? fl_worker_contrast_loss(p->k) : 0) +
           (p->pass.silence > 0 ? fl_worker_silence_loss(p->k) : 0) +
           (p->pass.ahead ? fl_worker_ahead_loss(p->k) : 0);
}

/* Along a direction d: (loss(w + e d) - loss(w - e d)) / 2e must be gradient * d. Once along the gradient itself, once
 * along random signs, so that neither a missing nor a wrong entry stays hidden. */
void gradient_check(gradient_point *p, uint32_t i, const float *gradient, fl_rng *r)
{
    const fl_parameter *q = &p->net->list[i];
    size_t n = q->rows * q->cols, at = p->net->offset[i];
    float *keep = fl_alloc(n, sizeof *keep), *d = fl_alloc(n, sizeof *d);
    const float *g = gradient + at;

    memcpy(keep, p->net->w + at, n * sizeof *keep);
    for (int way = 0; way < 2; way++) {
        double norm = 0, expected = 0;
        for (size_t k = 0; k < n; k++) {
            d[k] = way ? (fl_rng_below(r, 2) ? 1.0f : -1.0f) : g[k];
            norm += (double)d[k] * (double)d[k];
        }
        norm = sqrt(norm);
        if (norm < 1e-7) continue;
        double step[2], e = p->step > 0 ? p->step : 2e-3;
        for (size_t k = 0; k < n; k++) expected += (double)g[k] * (double)d[k] / norm;
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < n; k++)
                p->net->w[at + k] = keep[k] + (float)((side ? -e : e) * (double)d[k] / norm);
            step[side] = gradient_loss(p);
        }
        memcpy(p->net->w + at, keep, n * sizeof *keep);
        double found = (step[0] - step[1]) / (2 * e);
        if (fabs(found - expected) > 4e-4 + 0.01 * fabs(found))
            fail_msg("%s, way %d: gradient %.6f, finite difference %.6f", q->name, way, expected,
                     found);
    }
    free(keep);
    free(d);
}
