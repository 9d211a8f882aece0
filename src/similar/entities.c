/* Neighbours of an entity, with what they share. */
#include "similar/entities.h"

void fl_known_crowd_free(fl_known_crowd *k)
{
    fl_crowd_free(&k->crowd);
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) free(k->code[f]);
    free(k->feature);
    memset(k, 0, sizeof *k);
}

florin_status fl_known_crowd_new(fl_known_crowd *out, const fl_model *m, const fl_log *log,
                                 const fl_crowd_options *opt, const florin_context *ctx,
                                 florin_error *err)
{
    const fl_fold_plan *plan = fl_model_plan(m);

    *out = (fl_known_crowd){.m = m, .log = log, .opt = opt};
    florin_status st = fl_crowd_new(&out->crowd, m, log, opt, ctx, err);
    if (st) return st;
    out->columns = out->crowd.folds - 1;
    out->feature = fl_alloc((size_t)out->columns + 1, sizeof *out->feature);
    if (!out->feature) st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    for (uint32_t i = 0; !st && i < out->columns; i++)
        out->feature[i] = fl_fold_read_feature(plan, opt->kind, i);
    for (uint32_t f = 0; f < fl_log_schema(log)->categories && !st; f++) {
        out->code[f] = fl_alloc(out->crowd.n, sizeof **out->code);
        st = out->code[f] ? fl_share_usual(out->code[f], &out->crowd, log, opt->kind, (int)f,
                                           opt->at_us, err)
                          : fl_fail(err, FLORIN_ENOMEM, "out of memory");
    }
    if (st) fl_known_crowd_free(out);
    return st;
}

static void codes_of(uint32_t code[FL_CATEGORIES_MAX], const fl_known_crowd *c, uint32_t place)
{
    for (uint32_t f = 0; f < FL_CATEGORIES_MAX; f++) code[f] = c->code[f] ? c->code[f][place] : 0;
}

florin_status fl_like_entities(fl_like_entity *out, uint32_t *n, uint32_t k, uint32_t place,
                               const fl_known_crowd *c, fl_by by, florin_error *err)
{
    const fl_crowd *crowd = &c->crowd;
    uint32_t width, mine[FL_CATEGORIES_MAX], other[FL_CATEGORIES_MAX];
    float *x = NULL, *scratch = fl_alloc(crowd->n, sizeof *scratch);
    fl_near *near = fl_alloc(k, sizeof *near);
    fl_traits *t = NULL;
    florin_status st = scratch && near ? fl_near_vectors(&x, &width, crowd, by, err)
                                       : fl_fail(err, FLORIN_ENOMEM, "out of memory");

    *n = 0;
    if (!st)
        st = fl_traits_new(&t, c->m, c->log, crowd->fold, crowd->n, crowd->folds, c->columns,
                           c->feature, true, err);
    if (st) goto done;
    codes_of(mine, c, place);
    for (uint32_t f = 0; f < FL_CATEGORIES_MAX; f++) {
        uint32_t same = 0;
        for (uint32_t i = 0; c->code[f] && i < crowd->n; i++) same += c->code[f][i] == mine[f];
        fl_traits_field(t, (int)f, mine[f], (double)same / crowd->n);
    }
    *n = fl_near_k(fl_model_kernels(c->m), x + (size_t)place * width, x, crowd->n, width, place, k,
                   scratch, near);
    for (uint32_t i = 0; i < *n; i++) {
        uint32_t p = near[i].item;
        codes_of(other, c, p);
        out[i] = (fl_like_entity){.place = p, .cosine = near[i].cosine};
        out[i].shares =
            fl_traits_shared(t, crowd->fold + (size_t)place * crowd->folds,
                             crowd->fold + (size_t)p * crowd->folds, mine, other, out[i].shared);
    }
done:
    fl_traits_free(t);
    free(x);
    free(scratch);
    free(near);
    return st;
}
