/* XGBoost through its C API: training and its JSON model. Histogram method, a fixed number of threads and a seed:
 * the same rows give the same trees. */
#include "task/trees.h"
#include <math.h>
#include <stdio.h>
#include <xgboost/c_api.h>

enum { NODES_MAX = 1 << 24 };

static florin_status fail(florin_error *err)
{
    return fl_fail(err, FLORIN_EINTERNAL, "xgboost: %.400s", XGBGetLastError());
}

static void silent(const char *line)
{
    (void)line;
}

static florin_status set_params(BoosterHandle b, const fl_trees_options *o, florin_error *err)
{
    struct {
        const char *name;
        char value[32];
    } p[] = {{"depth", ""}, {"eta", ""},   {"subsample", ""}, {"columns", ""},
             {"l2", ""},    {"child", ""}, {"seed", ""},      {"threads", ""}};
    static const char *const name[] = {
        "max_depth",        "eta",  "subsample", "colsample_bytree", "lambda",
        "min_child_weight", "seed", "nthread"};
    static const char *const fixed[][2] = {{"objective", "binary:logistic"},
                                           {"tree_method", "hist"},
                                           {"base_score", "0.5"},
                                           {"verbosity", "0"},
                                           {"max_bin", "256"}};

    snprintf(p[0].value, sizeof p[0].value, "%u", o->depth);
    snprintf(p[1].value, sizeof p[1].value, "%.9g", o->eta);
    snprintf(p[2].value, sizeof p[2].value, "%.9g", o->subsample);
    snprintf(p[3].value, sizeof p[3].value, "%.9g", o->columns);
    snprintf(p[4].value, sizeof p[4].value, "%.9g", o->l2);
    snprintf(p[5].value, sizeof p[5].value, "%.9g", o->min_child);
    snprintf(p[6].value, sizeof p[6].value, "%u", (unsigned)(o->seed & 0x7fffffff));
    snprintf(p[7].value, sizeof p[7].value, "%u", o->threads ? o->threads : 2);
    for (size_t i = 0; i < FL_LEN(fixed); i++)
        if (XGBoosterSetParam(b, fixed[i][0], fixed[i][1])) return fail(err);
    for (size_t i = 0; i < FL_LEN(p); i++)
        if (XGBoosterSetParam(b, name[i], p[i].value)) return fail(err);
    if (!o->classes) return FLORIN_OK;
    snprintf(p[0].value, sizeof p[0].value, "%u", o->classes);
    if (XGBoosterSetParam(b, "objective", "multi:softprob") ||
        XGBoosterSetParam(b, "num_class", p[0].value))
        return fail(err);
    return FLORIN_OK;
}

static florin_status make_matrix(DMatrixHandle *out, const fl_train_set *s, florin_error *err)
{
    float *x = fl_alloc(s->n, s->width * sizeof *x);

    if (!x)
        return fl_fail(err, FLORIN_ENOMEM, "trees: no memory for %zu rows of %zu inputs", s->n,
                       s->width);
    for (size_t i = 0; i < s->n; i++)
        memcpy(x + i * s->width, s->x + s->pick[i] * s->width, s->width * sizeof *x);
    int rc = XGDMatrixCreateFromMat(x, s->n, s->width, NAN, out);
    free(x);
    if (rc) return fail(err);
    if (XGDMatrixSetFloatInfo(*out, "label", s->y, s->n) ||
        XGDMatrixSetFloatInfo(*out, "weight", s->weight, s->n))
        return fail(err);
    return FLORIN_OK;
}

florin_status fl_trees_fit(fl_forest *out, char **json, const fl_train_set *set,
                           const fl_trees_options *opt, const florin_context *ctx,
                           florin_error *err)
{
    DMatrixHandle matrix = NULL;
    BoosterHandle booster = NULL;
    const char *text;
    bst_ulong n = 0;
    florin_status st;

    memset(out, 0, sizeof *out);
    if (json) *json = NULL;
    if (!set->n || !set->width) return fl_fail(err, FLORIN_EINPUT, "trees: no rows to fit");
    XGBRegisterLogCallback(silent);
    st = make_matrix(&matrix, set, err);
    if (st) goto done;
    if (XGBoosterCreate(&matrix, 1, &booster)) {
        st = fail(err);
        goto done;
    }
    st = set_params(booster, opt, err);
    for (uint32_t i = 0; i < opt->rounds && !st; i++) {
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped while fitting trees");
        else if (XGBoosterUpdateOneIter(booster, (int)i, matrix)) st = fail(err);
        fl_progress(ctx, "fit trees", i + 1, opt->rounds);
    }
    if (st) goto done;
    if (XGBoosterSaveModelToBuffer(booster, "{\"format\":\"json\"}", &n, &text)) {
        st = fail(err);
        goto done;
    }
    st = fl_forest_from_xgboost(out, text, n, err);
    if (st || !json) goto done;
    *json = fl_strndup(text, n);
    if (!*json) st = fl_fail(err, FLORIN_ENOMEM, "trees: out of memory");
done:
    if (booster) XGBoosterFree(booster);
    if (matrix) XGDMatrixFree(matrix);
    if (st) fl_forest_free(out);
    return st;
}

static double number_at(const json_t *tree, const char *key, size_t i)
{
    const json_t *v = json_array_get(json_object_get(tree, key), i);
    return json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
}

/* Means from the leaves up: children come after parents in XGBoost's numbering, so one pass backwards. */
static void node_means(fl_node *node, const json_t *tree, uint32_t first, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        fl_node *d = &node[i];
        if (d->feature == FL_LEAF) {
            d->mean = d->split;
            continue;
        }
        uint32_t l = d->left - first, r = d->right - first;
        double hl = number_at(tree, "sum_hessian", l), hr = number_at(tree, "sum_hessian", r);
        double all = hl + hr;
        d->mean = (float)(all > 0 ? (hl * node[l].mean + hr * node[r].mean) / all
                                  : .5 * (node[l].mean + node[r].mean));
    }
}

static florin_status read_tree(fl_forest *f, size_t *cap, const json_t *tree, florin_error *err)
{
    size_t count = json_array_size(json_object_get(tree, "left_children"));
    uint32_t first = f->nodes;

    if (!count || count > NODES_MAX ||
        !fl_grow((void **)&f->node, cap, first + count, sizeof *f->node))
        return fl_fail(err, FLORIN_ENOMEM, "trees: %zu nodes", count);
    for (size_t i = 0; i < count; i++) {
        double left = number_at(tree, "left_children", i),
               right = number_at(tree, "right_children", i);
        fl_node *d = &f->node[first + i];
        *d = (fl_node){.split = (float)number_at(tree, "split_conditions", i), .feature = FL_LEAF};
        if (left < 0) continue;
        if (left <= (double)i || right <= (double)i || left >= (double)count ||
            right >= (double)count)
            return fl_fail(err, FLORIN_EFORMAT,
                           "trees: a node of XGBoost's model points backwards");
        d->feature = (uint32_t)number_at(tree, "split_indices", i);
        d->left = first + (uint32_t)left;
        d->right = first + (uint32_t)right;
        d->missing_left = number_at(tree, "default_left", i) != 0;
    }
    node_means(f->node + first, tree, first, (uint32_t)count);
    f->nodes += (uint32_t)count;
    return FLORIN_OK;
}

florin_status fl_forest_from_xgboost(fl_forest *out, const char *text, size_t n, florin_error *err)
{
    json_t *j = NULL;
    size_t cap = 0;
    florin_status st = fl_json_parse(&j, text, n, "XGBoost model", err);

    memset(out, 0, sizeof *out);
    if (st) return st;
    const json_t *learner = json_object_get(j, "learner");
    const json_t *param = json_object_get(learner, "learner_model_param");
    const json_t *trees = json_object_get(
        json_object_get(json_object_get(learner, "gradient_booster"), "model"), "trees");
    size_t count = json_array_size(trees);
    double base = strtod(fl_json_str(param, "base_score", "0.5"), NULL);

    out->features = (uint32_t)strtoul(fl_json_str(param, "num_feature", "0"), NULL, 10);
    out->base = base > 0 && base < 1 ? (float)-log(1 / base - 1) : 0;
    out->root = fl_alloc(count ? count : 1, sizeof *out->root);
    if (!out->root) st = fl_fail(err, FLORIN_ENOMEM, "trees: out of memory");
    for (size_t t = 0; t < count && !st; t++) {
        out->root[t] = out->nodes;
        st = read_tree(out, &cap, json_array_get(trees, t), err);
    }
    out->trees = (uint32_t)count;
    if (!st) st = fl_forest_check(out, "XGBoost model", err);
    if (st) fl_forest_free(out);
    json_decref(j);
    return st;
}

florin_status fl_trees_peer_margin(const char *json, const float *x, size_t n, size_t width,
                                   float *out, florin_error *err)
{
    DMatrixHandle matrix = NULL;
    BoosterHandle booster = NULL;
    const float *p;
    bst_ulong len;
    florin_status st = FLORIN_OK;

    if (XGDMatrixCreateFromMat(x, n, width, NAN, &matrix) || XGBoosterCreate(NULL, 0, &booster) ||
        XGBoosterLoadModelFromBuffer(booster, json, strlen(json)) ||
        XGBoosterPredict(booster, matrix, 1, 0, 0, &len, &p))
        st = fail(err);
    else if (len != n)
        st = fl_fail(err, FLORIN_EINTERNAL, "xgboost: %zu results for %zu rows", (size_t)len, n);
    else memcpy(out, p, n * sizeof *out);
    if (booster) XGBoosterFree(booster);
    if (matrix) XGDMatrixFree(matrix);
    return st;
}
