/* Boosted trees: trained by XGBoost (Chen & Guestrin 2016), walked by our own flat forest, whose result is XGBoost's
 * bit for bit, and explained along the path of a row (Saabas 2014). This folder is XGBoost's one home. */
#ifndef FL_TREES_H
#define FL_TREES_H

#include "base/base.h"
#include "base/json.h"

/* One node. A leaf has feature FL_LEAF and its value in split. mean: expected value below the node, by hessian. */
#define FL_LEAF UINT32_MAX
typedef struct {
    uint32_t feature, left, right, missing_left;
    float split, mean;
} fl_node;

typedef struct {
    uint32_t trees, nodes, features;
    uint32_t *root; /* [trees] */
    fl_node *node;  /* [nodes]; children come after their parent */
    float base;     /* margin before the first tree */
} fl_forest;

void fl_forest_free(fl_forest *f);
/* Margin of one row [features]: base + leaves, summed in float in the order of the trees, as XGBoost does. */
float fl_forest_margin(const fl_forest *f, const float *x);
/* The margins of a forest of classes: tree t adds to margin [t % classes]. */
void fl_forest_margins(const fl_forest *f, const float *x, uint32_t classes, float *margin);
/* Adds each feature's share of the margin to contribution [features], scaled; bias gets the rest. */
void fl_forest_attribute(const fl_forest *f, const float *x, float scale, float *contribution,
                         float *bias);
/* Bounds of every index, so that a damaged file can't send the walker outside. */
florin_status fl_forest_check(const fl_forest *f, const char *what, florin_error *err);

/* What a search varies. */
typedef struct {
    uint32_t depth;
    double eta, min_child;
} fl_trees_recipe;

typedef struct {
    uint32_t depth, rounds, threads;
    double eta, subsample, columns, l2, min_child;
    uint64_t seed;
    uint32_t
        classes; /* 0: yes or no; else y is a class's number, and each round grows one tree a class, in order */
} fl_trees_options;

/* Rows chosen from a matrix: row i of the training set is x + pick[i] * width. */
typedef struct {
    const float *x; /* [..][width] */
    size_t n, width;
    const size_t *pick;      /* [n] */
    const float *y, *weight; /* [n] */
} fl_train_set;

/* Deterministic for the same rows, options and threads. json: XGBoost's own model text (malloc'ed), may be NULL. */
florin_status fl_trees_fit(fl_forest *out, char **json, const fl_train_set *set,
                           const fl_trees_options *opt, const florin_context *ctx,
                           florin_error *err);
/* Flat forest from XGBoost's JSON model. */
florin_status fl_forest_from_xgboost(fl_forest *out, const char *text, size_t n, florin_error *err);
/* What XGBoost itself says for n rows, from its JSON: for the test of equality. */
florin_status fl_trees_peer_margin(const char *json, const float *x, size_t n, size_t width,
                                   float *out, florin_error *err);
/* The first `rounds` trees. */
void fl_forest_cut(fl_forest *f, uint32_t rounds);

#endif
