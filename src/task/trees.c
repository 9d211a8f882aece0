/* The flat forest: walking, explaining, checking. Training is in xgboost.c. */
#include "task/trees.h"
#include <math.h>

void fl_forest_free(fl_forest *f)
{
    if (!f) return;
    free(f->root);
    free(f->node);
    memset(f, 0, sizeof *f);
}

static inline uint32_t step(const fl_node *d, const float *x)
{
    float v = x[d->feature];

    if (isnan(v)) return d->missing_left ? d->left : d->right;
    return v < d->split ? d->left : d->right;
}

float fl_forest_margin(const fl_forest *f, const float *x)
{
    float sum = f->base;

    for (uint32_t t = 0; t < f->trees; t++) {
        const fl_node *d = &f->node[f->root[t]];
        while (d->feature != FL_LEAF) d = &f->node[step(d, x)];
        sum += d->split;
    }
    return sum;
}

void fl_forest_margins(const fl_forest *f, const float *x, uint32_t classes, float *margin)
{
    for (uint32_t k = 0; k < classes; k++) margin[k] = f->base;
    for (uint32_t t = 0, k = 0; t < f->trees; t++, k = k + 1 == classes ? 0 : k + 1) {
        const fl_node *d = &f->node[f->root[t]];
        while (d->feature != FL_LEAF) d = &f->node[step(d, x)];
        margin[k] += d->split;
    }
}

void fl_forest_attribute(const fl_forest *f, const float *x, float scale, float *contribution,
                         float *bias)
{
    *bias += scale * f->base;
    for (uint32_t t = 0; t < f->trees; t++) {
        const fl_node *d = &f->node[f->root[t]];
        *bias += scale * d->mean;
        while (d->feature != FL_LEAF) {
            const fl_node *next = &f->node[step(d, x)];
            contribution[d->feature] += scale * (next->mean - d->mean);
            d = next;
        }
    }
}

florin_status fl_forest_check(const fl_forest *f, const char *what, florin_error *err)
{
    for (uint32_t t = 0; t < f->trees; t++)
        if (f->root[t] >= f->nodes)
            return fl_fail(err, FLORIN_EFORMAT, "%s: tree %u starts outside the nodes", what, t);
    for (uint32_t i = 0; i < f->nodes; i++) {
        const fl_node *d = &f->node[i];
        if (!isfinite(d->split) || !isfinite(d->mean))
            return fl_fail(err, FLORIN_EFORMAT, "%s: node %u is not finite", what, i);
        if (d->feature == FL_LEAF) continue;
        if (d->feature >= f->features || d->left <= i || d->right <= i || d->left >= f->nodes ||
            d->right >= f->nodes)
            return fl_fail(err, FLORIN_EFORMAT, "%s: node %u points outside the forest", what, i);
    }
    if (!isfinite(f->base)) return fl_fail(err, FLORIN_EFORMAT, "%s: base is not finite", what);
    return FLORIN_OK;
}

void fl_forest_cut(fl_forest *f, uint32_t rounds)
{
    if (rounds >= f->trees) return;
    f->nodes = f->root[rounds];
    f->trees = rounds;
}
