/* A head that was learnt with the network (src/tune), alone or beside trees on the fold. Invariant: its share is chosen, and it
 * is calibrated, on validation alone. */
#include "task/fit_inside.h"

/* The head's inputs: the embedding, all of it. */
static florin_status given_columns(fitter *f, candidate *c)
{
    const fl_given *g = f->opt->given;
    c->in.n = g->probe->inputs;
    c->in.column = fl_alloc(c->in.n, sizeof *c->in.column);
    if (!c->in.column || fl_logit_copy(&c->parts.probe, g->probe))
        return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (size_t i = 0; i < c->in.n; i++) c->in.column[i] = fl_model_row_embedding(f->m) + i;
    c->parts.probe_weight = 1;
    return FLORIN_OK;
}

/* Judge what was learnt elsewhere: calibrated on the validation periods, as known when each began. */
florin_status fl_fit_given(fitter *f, candidate *c, const fl_judged *j, double *score)
{
    float *const *margin = f->opt->given->margin;
    held h;
    florin_status st = given_columns(f, c), found = fl_fit_held(f, &h);
    double *m = fl_alloc(h.n ? h.n : 1, sizeof *m);
    if (!st) st = found;
    if (!st && !m) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t v = 0; v < h.parts && !st; v++) {
        size_t from = h.start[v], n = h.start[v + 1] - from;
        for (size_t i = 0; i < n; i++) m[from + i] = (double)margin[v][f->s.row[h.row[from + i]]];
        c->figure += fl_fit_held_ap(f, m + from, h.row + from, n) / h.parts;
    }
    if (!st) st = fl_fit_calibrate(f, c, m, h.row, h.n);
    for (size_t i = 0; i < j->n && !st; i++)
        score[i] = (double)margin[j->first + j->part[i]][f->s.row[j->at[i]]];
    free(h.row);
    free(m);
    return st;
}

/* Of the margins of trees and the given ones, a share of these from 0 to 1. */
static double mixed(double trees, float given, float share)
{
    float sum = 0; /* as fl_parts_logit_of adds them up */
    sum += (1 - share) * (float)trees;
    sum += share * given;
    return (double)sum;
}

/* The share of what was learnt elsewhere that is best beside the baseline's trees, by the mean over the validation
 * periods; m: the margins there. */
static void choose_share(fitter *f, candidate *c, const candidate *trees, const held *h, double *m)
{
    float *const *margin = f->opt->given->margin, best = 0;
    c->figure = -1;
    for (int step = 0; step <= 11; step++) {
        float share = step <= 10 ? (float)step / 10 : best;
        double ap = 0;
        for (uint32_t v = 0; v < h->parts; v++) {
            size_t from = h->start[v], n = h->start[v + 1] - from;
            for (size_t i = from; i < from + n; i++)
                m[i] = mixed(trees->held_margin[i], margin[v][f->s.row[h->row[i]]], share);
            ap += fl_fit_held_ap(f, m + from, h->row + from, n) / h->parts;
        }
        if (ap <= c->figure) continue;
        c->figure = ap;
        best = share;
    }
    c->parts.probe_weight = best;
    c->parts.trees_weight = 1 - best;
}

/* The baseline's trees and what was learnt elsewhere, added up. The trees and their inputs become c's. */
florin_status fl_fit_blend(fitter *f, candidate *c, candidate *trees, const fl_judged *j,
                           const double *base, double *score)
{
    float *const *margin = f->opt->given->margin;
    held h;
    florin_status st = fl_fit_held(f, &h);
    double *m = fl_alloc(h.n ? h.n : 1, sizeof *m);
    if (!st && !m) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    if (!st) choose_share(f, c, trees, &h, m);
    if (!st) st = fl_fit_calibrate(f, c, m, h.row, h.n);
    for (size_t i = 0; i < j->n && !st; i++)
        score[i] = mixed(base[i], margin[j->first + j->part[i]][f->s.row[j->at[i]]],
                         c->parts.probe_weight);
    c->trees = true;
    c->in.column = trees->in.column;
    c->in.n = trees->in.n;
    c->in.x = trees->in.x;
    c->chosen = trees->chosen;
    c->parts.forest = trees->parts.forest;
    c->parts.json = trees->parts.json;
    trees->in.column = NULL;
    trees->in.x = NULL;
    trees->parts.json = NULL;
    memset(&trees->parts.forest, 0, sizeof trees->parts.forest);
    free(h.row);
    free(m);
    return st;
}

/* Once figures are done: the embedding behind the trees' inputs, and the head on it. */
florin_status fl_fit_widen(fitter *f, candidate *c)
{
    const fl_logit *given = f->opt->given->probe;
    size_t folds = c->in.n, all = folds + given->inputs;
    size_t *column = fl_alloc(all, sizeof *column);
    float *w = fl_calloc(all, sizeof *w);
    florin_status st = FLORIN_OK;
    if (!column || !w || all > FL_HEAD_INPUTS_MAX ||
        fl_logit_plain(&c->parts.probe, w, given->b, (uint32_t)all))
        st = fl_fail(f->err, FLORIN_ENOMEM, "head of %zu inputs", all);
    if (!st) {
        memcpy(column, c->in.column, folds * sizeof *column);
        for (size_t i = folds; i < all; i++) column[i] = fl_model_row_embedding(f->m) + (i - folds);
        memcpy(c->parts.probe.w + folds, given->w, given->inputs * sizeof *w);
        free(c->in.column);
        c->in.column = column;
        c->in.n = all;
        c->parts.forest.features = (uint32_t)all;
        column = NULL;
    }
    free(column);
    free(w);
    return st;
}
