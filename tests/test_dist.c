/* Predicted distributions: bins, quantiles, PIT, scores, temperature, concordance; against direct computation. */
#include "support/support.h"
#include "task/judge_dist.h"
#include "task/trees.h"

#include <math.h>
#include <stdlib.h>

enum { N = 4000 };

/* Four in ten are 0; the rest are lognormal. */
static void made_up(float *y, fl_rng *rng)
{
    for (int i = 0; i < N; i++)
        y[i] = fl_rng_double(rng) < .4 ? 0 : (float)exp(1 + fl_rng_normal(rng));
}

static void bins_follow_the_values(void **state)
{
    (void)state;
    static float y[N], sorted[N];
    fl_rng rng;
    fl_bins b;
    florin_error e = {0};
    fl_rng_seed(&rng, 5);
    made_up(y, &rng);
    memcpy(sorted, y, sizeof y);
    assert_int_equal(fl_bins_fit(&b, sorted, N, 8, &e), FLORIN_OK);
    assert_true(b.bins >= 5 && b.bins <= 10);
    assert_true(b.point[0][0] == 0 && b.point[0][FL_BIN_POINTS - 1] == 0);
    double share = 0, mean = 0, want = 0;
    for (uint32_t k = 0; k < b.bins; k++) {
        share += b.share[k];
        if (k) assert_true(b.point[k][0] >= b.point[k - 1][FL_BIN_POINTS - 1]);
    }
    assert_true(fabs(share - 1) < 1e-9 && fabs(b.share[0] - .4) < .03);
    for (int i = 0; i < N; i++) want += (double)y[i] / N;
    mean = fl_dist_mean(&b, b.share);
    assert_true(fabs(mean - want) < 1e-3 * want);
    /* The marginal's quantiles are the sample's. */
    for (double q = .45; q < .96; q += .1) {
        double got = fl_dist_quantile(&b, b.share, q), is = (double)sorted[(int)(q * N)];
        assert_true(fabs(got - is) < .06 * is + .05);
    }
    assert_true(fl_dist_quantile(&b, b.share, .2) == 0);
    float same[3] = {2, 2, 2};
    assert_int_equal(fl_bins_fit(&b, same, 3, 8, &e), FLORIN_EINPUT);
}

static void pit_is_even(void **state)
{
    (void)state;
    static float y[N], sorted[N];
    int tenth[10] = {0};
    fl_rng rng;
    fl_bins b;
    fl_rng_seed(&rng, 6);
    made_up(y, &rng);
    memcpy(sorted, y, sizeof y);
    assert_int_equal(fl_bins_fit(&b, sorted, N, 8, NULL), FLORIN_OK);
    for (int i = 0; i < N; i++) {
        double u = fl_dist_pit(&b, b.share, y[i], fl_rng_double(&rng));
        assert_true(u >= 0 && u <= 1);
        tenth[u < 1 ? (int)(u * 10) : 9]++;
    }
    for (int k = 0; k < 10; k++) assert_true(abs(tenth[k] - N / 10) < 80);
    assert_true(fl_dist_pit(&b, b.share, -5, .5) == 0);
    assert_true(fl_dist_pit(&b, b.share, 1e9f, .5) > 1 - 1e-9);
}

/* A distribution that knows more costs less, and the cost is that of its quantiles. */
static void crps_rewards_what_is_right(void **state)
{
    (void)state;
    float y[] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, sorted[12];
    fl_bins b;
    memcpy(sorted, y, sizeof y);
    assert_int_equal(fl_bins_fit(&b, sorted, 12, 3, NULL), FLORIN_OK);
    double sure[FL_BINS_MAX] = {1}, sum = 0;
    assert_true(fl_dist_crps(&b, sure, 0) == 0);
    assert_true(fl_dist_crps(&b, b.share, 0) > 0);
    assert_true(fl_dist_crps(&b, sure, 8) > fl_dist_crps(&b, b.share, 8));
    for (int i = 1; i < 20; i++) {
        double q = i / 20., d = 8 - fl_dist_quantile(&b, b.share, q);
        sum += 2 * (d >= 0 ? q * d : (q - 1) * d) / 19;
    }
    assert_true(fabs(sum - fl_dist_crps(&b, b.share, 8)) < 1e-12);
}

static void temperature_undoes_overconfidence(void **state)
{
    (void)state;
    static float margin[N][3];
    static uint32_t y[N];
    fl_rng rng;
    fl_rng_seed(&rng, 7);
    for (int i = 0; i < N; i++) {
        double p[3], u = fl_rng_double(&rng);
        for (int k = 0; k < 3; k++) margin[i][k] = (float)fl_rng_normal(&rng);
        fl_softmax(p, margin[i], 3, 1);
        y[i] = u < p[0] ? 0 : u < p[0] + p[1] ? 1 : 2;
        for (int k = 0; k < 3; k++) margin[i][k] *= 3;
    }
    double t = fl_dist_temperature(&margin[0][0], y, N, 3);
    assert_true(t > 2.6 && t < 3.4);
}

static const float *compared;
static int by_y(const void *a, const void *b)
{
    float x = compared[*(const size_t *)a], y = compared[*(const size_t *)b];
    return (x > y) - (x < y);
}

static void concordance_counts_pairs(void **state)
{
    (void)state;
    enum { M = 60 };
    float y[M];
    uint32_t rank[M];
    double w[M], tree[M + 2], right = 0, pairs = 0;
    size_t order[M];
    fl_rng rng;
    fl_rng_seed(&rng, 8);
    for (size_t i = 0; i < M; i++) {
        y[i] = (float)fl_rng_below(&rng, 9);
        rank[i] = (uint32_t)fl_rng_below(&rng, 20);
        w[i] = (double)fl_rng_below(&rng, 3);
        order[i] = i;
    }
    compared = y;
    qsort(order, M, sizeof *order, by_y);
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < M; k++) {
            if (!(y[i] > y[k])) continue;
            pairs += w[i] * w[k];
            right += w[i] * w[k] * (rank[i] > rank[k] ? 1 : rank[i] == rank[k] ? .5 : 0);
        }
    double got = fl_concordance(y, order, rank, 20, M, w, tree);
    assert_true(fabs(got - right / pairs) < 1e-12);
    float flat[2] = {1, 1};
    assert_true(isnan(fl_concordance(flat, order, rank, 20, 0, NULL, tree)));
}

/* Each class of a forest of classes is learnt by its own trees, in XGBoost's order. */
static void classes_have_their_own_trees(void **state)
{
    (void)state;
    enum { ROWS = 600 };
    static float x[ROWS][2], y[ROWS], w[ROWS];
    static size_t pick[ROWS];
    fl_forest f;
    florin_error e = {0};
    for (size_t i = 0; i < ROWS; i++) {
        x[i][0] = (float)(i % 3);
        x[i][1] = (float)(i % 7);
        y[i] = (float)((i % 3 + 1) % 3);
        w[i] = 1;
        pick[i] = i;
    }
    fl_train_set set = {&x[0][0], ROWS, 2, pick, y, w};
    fl_trees_options o = {.depth = 2,
                          .rounds = 8,
                          .threads = 1,
                          .eta = .3,
                          .subsample = 1,
                          .columns = 1,
                          .l2 = 1,
                          .min_child = 1,
                          .classes = 3};
    if (fl_trees_fit(&f, NULL, &set, &o, NULL, &e)) fail_msg("%s", e.message);
    assert_int_equal(f.trees, 24);
    for (size_t i = 0; i < 21; i++) {
        float m[3];
        fl_forest_margins(&f, x[i], 3, m);
        for (uint32_t k = 0; k < 3; k++)
            if (k != (uint32_t)y[i]) assert_true(m[(uint32_t)y[i]] > m[k] + 1);
    }
    fl_forest_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_follow_the_values),
        cmocka_unit_test(pit_is_even),
        cmocka_unit_test(crps_rewards_what_is_right),
        cmocka_unit_test(temperature_undoes_overconfidence),
        cmocka_unit_test(concordance_counts_pairs),
        cmocka_unit_test(classes_have_their_own_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
