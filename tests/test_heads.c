/* Heads: our forest is XGBoost's bit for bit, attribution adds up, the probe is the optimum of its loss, calibration and
 * score are monotone, and a head that was saved scores as before. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "task/forest.h"
#include "task/forest_rows.h"
#include "task/parts.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 900, WIDTH = 7 };
static float x[ROWS * WIDTH], y[ROWS], weight[ROWS];
static size_t pick[ROWS];

/* Labels depend on columns 0 to 2; column 3 repeats few values, column 4 is often missing, 5 is constant. */
static int setup(void **state)
{
    fl_rng r;
    (void)state;
    fl_rng_seed(&r, 5);
    for (size_t i = 0; i < ROWS; i++) {
        float *v = x + i * WIDTH;
        for (int c = 0; c < WIDTH; c++) v[c] = (float)fl_rng_normal(&r);
        v[1] *= 1000;
        v[3] = (float)fl_rng_below(&r, 4);
        v[5] = 3;
        y[i] = v[0] + v[1] / 1000 - v[2] * v[0] + (float)fl_rng_normal(&r) > 1;
        if (fl_rng_below(&r, 3)) v[4] = NAN;
        weight[i] = y[i] > 0 ? 1 : 4;
        pick[i] = i;
    }
    return 0;
}

static fl_train_set all_rows(void)
{
    return (fl_train_set){
        .x = x, .n = ROWS, .width = WIDTH, .pick = pick, .y = y, .weight = weight};
}

static void grow(fl_forest *f, char **json, uint32_t rounds)
{
    const fl_train_set set = all_rows();
    const fl_trees_options o = {.depth = 5,
                                .rounds = rounds,
                                .threads = 2,
                                .eta = .1,
                                .subsample = .8,
                                .columns = .7,
                                .l2 = 2,
                                .min_child = 3,
                                .seed = 11};
    florin_error e = {0};
    if (fl_trees_fit(f, json, &set, &o, NULL, &e)) fail_msg("%s", e.message);
}

static void forest_equals_xgboost(void **state)
{
    (void)state;
    fl_forest f;
    char *json;
    static float peer[ROWS];
    florin_error e = {0};
    grow(&f, &json, 60);
    assert_int_equal(f.trees, 60);
    assert_int_equal(fl_trees_peer_margin(json, x, ROWS, WIDTH, peer, &e), FLORIN_OK);
    float spread = 0;
    for (size_t i = 0; i < ROWS; i++) {
        float own = fl_forest_margin(&f, x + i * WIDTH);
        assert_memory_equal(&own, &peer[i], sizeof own);
        spread = fmaxf(spread, fabsf(own));
    }
    assert_true(spread > 1); /* it has learnt something to be equal on */
    free(json);
    fl_forest_free(&f);
}

static void attribution_adds_up(void **state)
{
    (void)state;
    fl_forest f;
    float most[WIDTH] = {0};
    grow(&f, NULL, 40);
    for (size_t i = 0; i < ROWS; i++) {
        float part[WIDTH] = {0}, bias = 0;
        fl_forest_attribute(&f, x + i * WIDTH, .5f, part, &bias);
        double sum = (double)bias;
        for (int c = 0; c < WIDTH; c++) {
            sum += (double)part[c];
            most[c] = fmaxf(most[c], fabsf(part[c]));
        }
        assert_true(fabs(sum - .5 * (double)fl_forest_margin(&f, x + i * WIDTH)) < 1e-4);
    }
    assert_true(most[5] == 0); /* a constant column explains nothing */
    assert_true(most[0] > most[6] && most[1] > most[6]);
    fl_forest_free(&f);
}

/* A tree of any shape below node i, at most depth levels more. */
static uint32_t random_tree(fl_forest *f, uint32_t depth, fl_rng *r)
{
    uint32_t i = f->nodes++;
    fl_node *n = &f->node[i];
    *n = (fl_node){.feature = FL_LEAF, .split = (float)fl_rng_normal(r)};
    n->mean = n->split;
    if (!depth || fl_rng_below(r, 8) == 0) return i;
    n->feature = (uint32_t)fl_rng_below(r, WIDTH);
    if (fl_rng_below(r, 4) == 0) n->split = fl_rng_below(r, 2) ? 0.0f : -0.0f;
    n->missing_left = (uint32_t)fl_rng_below(r, 2);
    uint32_t left = random_tree(f, depth - 1, r), right = random_tree(f, depth - 1, r);
    f->node[i].left = left;
    f->node[i].right = right;
    return i;
}

static void fast_walk_has_the_same_bits(void **state)
{
    (void)state;
    enum { TREES = 21, GAP = 3 };
    static const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f};
    fl_rng r;
    fl_rng_seed(&r, 7);
    for (uint32_t depth = 1; depth <= FL_FOREST_DEPTH_MAX + 1; depth++) {
        uint32_t root[TREES], column[WIDTH], missing = 0, walked = 0;
        fl_forest f = {.trees = TREES, .features = WIDTH, .root = root, .base = .25f};
        f.node = fl_calloc(TREES << (depth + 1), sizeof *f.node);
        assert_non_null(f.node);
        for (uint32_t t = 0; t < TREES; t++) root[t] = random_tree(&f, depth, &r);
        for (uint32_t c = 0; c < WIDTH; c++) column[c] = GAP + 2 * (WIDTH - 1 - c);
        fl_forest_walk w;
        florin_error e;
        assert_int_equal(fl_forest_check(&f, "random", &e), FLORIN_OK);
        assert_int_equal(fl_forest_walk_init(&w, &f, column, &e), FLORIN_OK);
        assert_int_equal(w.levels, depth > FL_FOREST_DEPTH_MAX ? 0 : (depth + 2) / 3);
        for (uint32_t i = 0; i < 2000 && w.levels; i++) {
            float row[GAP + 2 * WIDTH] = {0}, values[WIDTH], want, got = 0;
            bool nan = false;
            for (uint32_t c = 0; c < WIDTH; c++) {
                values[c] = fl_rng_below(&r, 30) ? (float)fl_rng_normal(&r)
                                                 : odd[fl_rng_below(&r, FL_LEN(odd))];
                row[column[c]] = values[c];
                nan |= isnan(values[c]);
            }
            want = fl_forest_margin(&f, values);
            if (fl_forest_walk_margin(&w, row, &got)) {
                float a[WIDTH] = {0}, b[WIDTH] = {0}, a_bias = 0, b_bias = 0;
                assert_memory_equal(&got, &want, sizeof got);
                fl_forest_attribute(&f, values, .5f, a, &a_bias);
                assert_true(fl_forest_walk_attribute(&w, row, .5f, b, &b_bias));
                assert_memory_equal(a, b, sizeof a);
                assert_memory_equal(&a_bias, &b_bias, sizeof a_bias);
                walked++;
            } else {
                assert_true(nan);
                missing++;
            }
        }
        assert_true(!w.levels || (missing > 10 && walked > 1000));
        fl_forest_walk_free(&w);
        free(f.node);
    }
}

/* Sixteen rows at once, on every tier that offers it: columns over several blocks, trees over two parts, rows that end where
 * memory does. */
static void rows_at_once_have_the_same_bits(void **state)
{
    (void)state;
    enum { TREES = 290, APART = 131, LAST = 5 + APART * (WIDTH - 1) };
    static const char *const tier[] = {"avx2", "avx512"};
    static const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-40f};
    fl_rng r;
    fl_rng_seed(&r, 8);
    for (uint32_t depth = 0; depth <= FL_TREES16_DEPTH + 1; depth++) {
        uint32_t root[TREES], column[WIDTH], missing = 0;
        fl_forest f = {.trees = TREES, .features = WIDTH, .root = root, .base = .25f};
        f.node = fl_calloc(TREES << (depth + 1), sizeof *f.node);
        assert_non_null(f.node);
        for (uint32_t t = 0; t < TREES; t++) root[t] = random_tree(&f, depth, &r);
        for (uint32_t c = 0; c < WIDTH; c++) column[c] = LAST - APART * c;
        fl_forest_rows w;
        florin_error e;
        assert_int_equal(fl_forest_rows_init(&w, &f, column, &e), FLORIN_OK);
        assert_int_equal(w.t.trees, depth > FL_TREES16_DEPTH ? 0 : TREES);
        for (uint32_t trial = 0; trial < 40 && w.t.trees; trial++) {
            const float *at[FL_TREES16_ROWS];
            float want[FL_TREES16_ROWS], got[FL_TREES16_ROWS], values[WIDTH];
            uint32_t nan = 0;
            for (uint32_t i = 0; i < FL_TREES16_ROWS; i++) {
                float *row = guarded_floats(LAST + 1);
                memset(row, 0, (LAST + 1) * sizeof *row);
                for (uint32_t c = 0; c < WIDTH; c++) {
                    values[c] = fl_rng_below(&r, 20) ? (float)fl_rng_normal(&r)
                                                     : odd[fl_rng_below(&r, FL_LEN(odd))];
                    row[column[c]] = values[c];
                    nan |= (uint32_t)isnan(values[c]) << i;
                }
                want[i] = fl_forest_margin(&f, values);
                at[i] = row + w.first;
            }
            for (size_t k = 0; k < FL_LEN(tier); k++) {
                const fl_kernels *kernels = fl_kernels_get(tier[k]);
                if (!kernels || !kernels->trees16) continue;
                uint32_t told = kernels->trees16(&w.t, at, got);
                if (depth == FL_TREES16_DEPTH) assert_int_equal(told, nan);
                assert_int_equal(told & ~nan, 0);
                for (uint32_t i = 0; i < FL_TREES16_ROWS; i++)
                    if (!(nan >> i & 1)) assert_memory_equal(&got[i], &want[i], sizeof *got);
                missing += told != 0;
            }
            guarded_free_all();
        }
        if (fl_kernels_get("avx512") && depth == FL_TREES16_DEPTH) assert_true(missing > 5);
        fl_forest_rows_free(&w);
        free(f.node);
    }
}

static void first_trees_are_the_shorter_forest(void **state)
{
    (void)state;
    fl_forest shorter, longer;
    grow(&shorter, NULL, 20);
    grow(&longer, NULL, 40);
    fl_forest_cut(&longer, 20);
    for (size_t i = 0; i < ROWS; i++) {
        float a = fl_forest_margin(&shorter, x + i * WIDTH),
              b = fl_forest_margin(&longer, x + i * WIDTH);
        assert_memory_equal(&a, &b, sizeof a);
    }
    fl_forest_free(&shorter);
    fl_forest_free(&longer);
}

static void damaged_forest_is_refused(void **state)
{
    (void)state;
    fl_forest f;
    florin_error e = {0};
    grow(&f, NULL, 5);
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_OK);
    fl_node kept = f.node[0];
    f.node[0].left = f.nodes;
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_EFORMAT);
    f.node[0] = kept;
    f.node[0].right = 0; /* a circle */
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_EFORMAT);
    f.node[0] = kept;
    f.node[0].feature = WIDTH;
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_EFORMAT);
    f.node[0] = kept;
    f.node[0].split = NAN;
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_EFORMAT);
    f.node[0] = kept;
    f.root[1] = f.nodes;
    assert_int_equal(fl_forest_check(&f, "t", &e), FLORIN_EFORMAT);
    fl_forest_free(&f);
}

/* The same loss by plain gradient descent over the same rank-normalised inputs: slow, and obviously right. */
static void probe_is_the_optimum(void **state)
{
    (void)state;
    const double l2 = 10;
    double w[WIDTH + 1] = {0}, total = 0;
    fl_logit l;
    florin_error e = {0};
    fl_train_set set = all_rows();
    for (size_t i = 0; i < ROWS; i++) {
        if (isnan(x[i * WIDTH + 4])) x[i * WIDTH + 4] = -1; /* the fold has no NaN */
        total += (double)weight[i];
    }
    if (fl_logit_fit(&l, &set, l2, NULL, &e)) fail_msg("%s", e.message);
    for (int step = 0; step < 4000; step++) {
        double g[WIDTH + 1] = {0};
        for (int c = 0; c < WIDTH; c++) g[c] = l2 * w[c];
        for (size_t i = 0; i < ROWS; i++) {
            double f = w[WIDTH];
            for (uint32_t c = 0; c < WIDTH; c++)
                f += w[c] * (double)fl_logit_z(&l, c, x[i * WIDTH + c]);
            double d = (double)weight[i] * (1 / (1 + exp(-f)) - (double)y[i]);
            for (uint32_t c = 0; c < WIDTH; c++)
                g[c] += d * (double)fl_logit_z(&l, c, x[i * WIDTH + c]);
            g[WIDTH] += d;
        }
        for (int c = 0; c <= WIDTH; c++) w[c] -= g[c] / total;
    }
    for (int c = 0; c < WIDTH; c++) assert_true(fabs(w[c] - (double)l.w[c]) < 2e-3);
    assert_true(fabs(w[WIDTH] - (double)l.b) < 2e-3);
    assert_true(fabsf(l.w[0]) > .5f);
    /* Rank-normalised: the scale of a column does not matter, and beyond its ends it is flat. */
    assert_true(fl_logit_z(&l, 0, 1e30f) == fl_logit_z(&l, 0, 1e6f));
    assert_true(fl_logit_z(&l, 0, -.5f) < fl_logit_z(&l, 0, .5f));
    fl_logit_free(&l);
}

static void normal_quantiles(void **state)
{
    (void)state;
    assert_true(fabs(fl_normal_quantile(.5)) < 1e-12);
    assert_true(fabs(fl_normal_quantile(.975) - 1.959963984540054) < 1e-9);
    assert_true(fabs(fl_normal_quantile(.001) + 3.090232306167813) < 1e-9);
}

static void score_rises_with_the_odds(void **state)
{
    (void)state;
    const double thresholds[] = {.02, .1, .5, .9};
    for (size_t k = 0; k < FL_LEN(thresholds); k++) {
        fl_parts p = {.a = .8f, .b = -1};
        fl_head_out last = {0}, o;
        fl_parts_anchor(&p, .01, thresholds[k]);
        uint8_t low = 99, high = 0;
        for (float m = -25; m < 25; m += .01f) {
            fl_parts_out(&p, m, &o);
            assert_true(o.score <= 99 && o.probability >= 0 && o.probability <= 1);
            if (m > -25) assert_true(o.score >= last.score && o.probability >= last.probability);
            fl_level want = o.score >= 75   ? FL_LEVEL_HIGHEST
                            : o.score >= 65 ? FL_LEVEL_ELEVATED
                                            : FL_LEVEL_NORMAL;
            assert_int_equal(o.level, want);
            /* 75 is the threshold: above it alerts, below it none (but for rounding right at it). */
            if (fabs((double)o.probability - thresholds[k]) > 1e-4) {
                assert_int_equal(o.over_threshold, (double)o.probability > thresholds[k]);
                assert_int_equal(o.over_threshold, o.score >= 75);
            }
            low = o.score < low ? o.score : low;
            high = o.score > high ? o.score : high;
            last = o;
        }
        assert_int_equal(low, 0);
        assert_int_equal(high, 99);
    }
}

/* Any number of rows at once, some with a missing value: what each gives alone. */
static void rows_score_as_one(const fl_head *h, uint32_t width)
{
    enum { MOST = 40 };
    const float *row[MOST];
    fl_head_out want, got[MOST];
    float *rows = fl_calloc((size_t)MOST * width, sizeof *rows);
    for (uint32_t i = 0; i < MOST; i++) {
        row[i] = rows + (size_t)i * width;
        for (uint32_t c = 0; c < WIDTH; c++) rows[(size_t)i * width + 3 * c] = x[i * WIDTH + c];
    }
    for (uint32_t n = 1; n <= MOST; n++) {
        fl_head_score_rows(h, row, n, got);
        for (uint32_t i = 0; i < n; i++) {
            fl_head_score(h, row[i], &want);
            assert_memory_equal(&got[i].logit, &want.logit, sizeof want.logit);
            assert_memory_equal(&got[i].probability, &want.probability, sizeof want.probability);
            assert_int_equal(got[i].score, want.score);
        }
    }
    free(rows);
}

static void saved_head_scores_as_before(void **state)
{
    (void)state;
    florin_error e = {0};
    fl_schema *s = fixture_schema();
    fl_model *m = NULL;
    const char *path = scratch_path("base.florin"), *with = scratch_path("head.florin");
    fixture_model(path, s, 32, 16, 3);
    if (fl_model_open(&m, path, "ref", &e)) fail_msg("%s", e.message);
    fl_parts p = {.name = "fraud",
                  .per_event = true,
                  .kind = -1,
                  .inputs = WIDTH,
                  .trees_weight = .5f,
                  .probe_weight = .5f,
                  .a = 1.2f,
                  .b = -.4f,
                  .until_us = 42,
                  .about = json_object()};
    const fl_train_set set = all_rows();
    grow(&p.forest, &p.json, 15);
    assert_int_equal(fl_logit_fit(&p.probe, &set, 10, NULL, &e), FLORIN_OK);
    fl_parts_anchor(&p, .05, .2);
    p.column = fl_calloc(WIDTH, sizeof *p.column);
    p.input = fl_calloc(WIDTH, sizeof *p.input);
    for (uint32_t i = 0; i < WIDTH; i++) {
        p.column[i] = 3 * i;
        p.input[i] = fl_strdup(fl_model_row_name(m, 3 * i));
    }
    for (int again = 0; again < 2; again++) { /* the second save takes the place of the first */
        if (fl_parts_save(with, m, &p, &e)) fail_msg("%s", e.message);
        fl_model_close(m);
        if (fl_model_open(&m, with, "ref", &e)) fail_msg("%s", e.message);
        assert_int_equal(fl_heads(m), 1);
    }
    uint32_t at;
    fl_head *h;
    assert_int_equal(fl_head_find(&at, m, "fraud", &e), FLORIN_OK);
    assert_int_equal(fl_head_find(&at, m, "other", &e), FLORIN_EUSAGE);
    assert_non_null(strstr(e.message, "fraud"));
    assert_int_equal(fl_head_find(&at, m, "fraud", &e), FLORIN_OK);
    if (fl_head_open(&h, m, at, &e)) fail_msg("%s", e.message);
    assert_int_equal(fl_head_until(h), 42);
    float *row = fl_calloc(fl_model_row_width(m), sizeof *row);
    for (size_t i = 0; i < ROWS; i++) {
        fl_head_out a, b;
        float part[WIDTH], bias, sum = 0;
        for (uint32_t c = 0; c < WIDTH; c++) row[3 * c] = x[i * WIDTH + c];
        fl_parts_out(&p, fl_parts_logit(&p, x + i * WIDTH), &a);
        fl_head_score(h, row, &b);
        assert_memory_equal(&a.logit, &b.logit, sizeof a.logit);
        assert_memory_equal(&a.probability, &b.probability, sizeof a.probability);
        assert_int_equal(a.score, b.score);
        fl_head_attribute(h, row, part, &bias);
        for (int c = 0; c < WIDTH; c++) sum += part[c];
        assert_true(fabsf(sum + bias - b.logit) < 1e-4f);
    }
    free(row);
    rows_score_as_one(h, fl_model_row_width(m));
    fl_head_close(h);
    fl_model_close(m);
    if (fl_model_open(&m, with, NULL, &e)) fail_msg("%s", e.message);
    if (fl_head_open(&h, m, at, &e)) fail_msg("%s", e.message);
    rows_score_as_one(h, fl_model_row_width(m));
    fl_head_close(h);
    fl_model_close(m);
    fl_parts_free(&p);
    fl_schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forest_equals_xgboost),
        cmocka_unit_test(attribution_adds_up),
        cmocka_unit_test(fast_walk_has_the_same_bits),
        cmocka_unit_test(rows_at_once_have_the_same_bits),
        cmocka_unit_test(first_trees_are_the_shorter_forest),
        cmocka_unit_test(damaged_forest_is_refused),
        cmocka_unit_test(probe_is_the_optimum),
        cmocka_unit_test(normal_quantiles),
        cmocka_unit_test(score_rises_with_the_odds),
        cmocka_unit_test(saved_head_scores_as_before),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
