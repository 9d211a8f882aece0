/* Metrics against scikit-learn's values (tests/tools/metrics_reference.py prints them), and where they have no value:
 * ties, one class, nothing. The bootstrap: deterministic, by cluster, paired, and as wide as theory says. */
#include "support/support.h"
#include "task/metrics.h"

#include <math.h>

enum { N = 60 };
static double score[N], weight[N], probability[N], amount[N], distinct[N];
static float y[N];
static uint64_t card[N];
static int64_t day[N];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < N; i++) {
        score[i] = i * 37 % 23 / 23.0;
        distinct[i] = i * 37 % 61 / 61.0;
        y[i] = (i * i * 7 + 3 * i) % 5 == 0;
        weight[i] = 1 + i % 3;
        probability[i] = .02 + .9 * score[i];
        amount[i] = 1 + i * 13 % 50;
        card[i] = (uint64_t)(i % 11 + 1);
        day[i] = i / 15;
    }
    return 0;
}

static void close_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-12)) fail_msg("%.15f is not %.15f", got, want);
}

static void equal_to_scikit_learn(void **state)
{
    (void)state;
    fl_scored s = {.n = N, .score = score, .y = y, .parts = 1};
    size_t *order = fl_order_scores(score, N);
    assert_non_null(order);
    close_to(fl_auc(&s, order, NULL), 0.410300925925926);
    close_to(fl_auc(&s, order, weight), 0.4296875);
    close_to(fl_average_precision(&s, order, NULL), 0.371874592760471);
    close_to(fl_average_precision(&s, order, weight), 0.400243913518411);
    close_to(fl_brier(y, probability, N), 0.350352551984877);
    close_to(fl_recall_at_fpr(&s, order, .05), 1 / 24.);
    close_to(fl_recall_at_fpr(&s, order, .1), 2 / 24.);
    close_to(fl_recall_at_fpr(&s, order, .25), 6 / 24.);
    close_to(fl_recall_at_fpr(&s, order, .5), 9 / 24.);
    close_to(fl_precision_at(&s, order, 5), .4);
    close_to(fl_precision_at(&s, order, 20), .4);
    close_to(fl_observed_over_expected(y, probability, order, N, 0), 0.392960874765078);
    close_to(fl_observed_over_expected(y, probability, order, N, 1), 0.649350649350649);
    close_to(fl_observed_over_expected(y, probability, order, N, 2), 0.495903406640793);
    close_to(fl_money_caught(&s, order, amount, .25), 0.230357142857143);
    free(order);
}

static void card_precision_is_the_handbooks(void **state)
{
    (void)state;
    fl_scored s = {.n = N, .score = distinct, .y = y, .parts = 1};
    double out;
    assert_int_equal(fl_card_precision(&out, &s, card, day, 3, NULL), FLORIN_OK);
    close_to(out, .5);
    assert_int_equal(fl_card_precision(&out, &s, card, day, 2, NULL), FLORIN_OK);
    close_to(out, .5);
    /* Two days, k = 1. Card 1 is found on the first day, so on the second card 2 is looked at though it ranks below;
     * without the rule the second day would be right as well. */
    const double sc[] = {.9, .1, .9, .5};
    const float bad[] = {1, 0, 1, 0};
    const uint64_t who[] = {1, 2, 1, 2};
    const int64_t when[] = {0, 0, 1, 1};
    fl_scored two = {.n = 4, .score = sc, .y = bad, .parts = 1};
    assert_int_equal(fl_card_precision(&out, &two, who, when, 1, NULL), FLORIN_OK);
    close_to(out, .5);
    /* The same rows as two periods: what was found in one says nothing in the other. */
    const uint32_t part[] = {0, 0, 1, 1};
    two.part = part;
    two.parts = 2;
    assert_int_equal(fl_card_precision(&out, &two, who, when, 1, NULL), FLORIN_OK);
    close_to(out, 1);
}

static void ties_enter_together(void **state)
{
    (void)state;
    /* All scores equal: chance, whatever the order of the rows. */
    double same[N] = {0};
    fl_scored s = {.n = N, .score = same, .y = y, .parts = 1};
    size_t *order = fl_order_scores(same, N);
    close_to(fl_auc(&s, order, NULL), .5);
    close_to(fl_average_precision(&s, order, NULL), 24. / 60);
    close_to(fl_recall_at_fpr(&s, order, .5), 0); /* either none or all are alerted */
    close_to(fl_recall_at_fpr(&s, order, 1), 1);
    for (size_t i = 0; i < N; i++) assert_int_equal(order[i], i); /* stable */
    free(order);
}

static void one_class_and_nothing(void **state)
{
    (void)state;
    float good[N] = {0}, bad[N];
    for (int i = 0; i < N; i++) bad[i] = 1;
    size_t *order = fl_order_scores(score, N), *none = fl_order_scores(score, 0);
    assert_non_null(none);
    fl_scored s = {.n = N, .score = score, .y = good, .parts = 1};
    assert_true(isnan(fl_auc(&s, order, NULL)));
    assert_true(isnan(fl_average_precision(&s, order, NULL)));
    close_to(fl_recall_at_fpr(&s, order, .1), 0);
    close_to(fl_money_caught(&s, order, amount, .5), 0);
    s.y = bad;
    assert_true(isnan(fl_auc(&s, order, NULL)));
    close_to(fl_average_precision(&s, order, NULL), 1);
    s.n = 0;
    double out;
    assert_true(isnan(fl_auc(&s, none, NULL)));
    assert_true(isnan(fl_average_precision(&s, none, NULL)));
    close_to(fl_precision_at(&s, none, 100), 0);
    close_to(fl_brier(y, probability, 0), 0);
    close_to(fl_observed_over_expected(y, probability, none, 0, 0), 0);
    assert_int_equal(fl_card_precision(&out, &s, card, day, 3, NULL), FLORIN_OK);
    close_to(out, 0);
    free(order);
    free(none);
}

static void bootstrap_repeats_itself(void **state)
{
    (void)state;
    fl_interval a[6], b[6], c[6];
    fl_scored s = {.n = N, .score = score, .y = y, .cluster = card, .parts = 1};
    assert_int_equal(fl_bootstrap(a, &s, distinct, 200, 7, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_bootstrap(b, &s, distinct, 200, 7, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_bootstrap(c, &s, distinct, 200, 8, NULL, NULL), FLORIN_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    close_to(a[0].value, 0.410300925925926);
    close_to(a[1].value, 0.371874592760471);
    close_to(a[4].value, a[0].value - a[2].value);
    close_to(a[5].value, a[1].value - a[3].value);
    for (int i = 0; i < 6; i++) assert_true(a[i].low <= a[i].value && a[i].value <= a[i].high);
    /* A system against itself differs by exactly nothing in every draw: the draws are paired. */
    assert_int_equal(fl_bootstrap(a, &s, score, 200, 7, NULL, NULL), FLORIN_OK);
    for (int i = 4; i < 6; i++) assert_true(a[i].low == 0 && a[i].high == 0 && a[i].value == 0);
}

/* Rows of a cluster are drawn together: ten copies of each row, clustered, are worth no more than one. Drawn row by row
 * they would look ten times as many, and the interval would be about sqrt(10) times narrower. */
static void clusters_widen_the_interval(void **state)
{
    (void)state;
    enum { COPIES = 10, ROWS = N * COPIES };
    static double many[ROWS];
    static float label[ROWS];
    static uint64_t cluster[ROWS];
    fl_interval one[6], together[6], apart[6];
    for (int i = 0; i < ROWS; i++) {
        many[i] = distinct[i % N];
        label[i] = y[i % N];
        cluster[i] = (uint64_t)(i % N + 1);
    }
    fl_scored small = {.n = N, .score = distinct, .y = y, .parts = 1},
              large = {.n = ROWS, .score = many, .y = label, .cluster = cluster, .parts = 1};
    assert_int_equal(fl_bootstrap(one, &small, NULL, 1000, 3, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_bootstrap(together, &large, NULL, 1000, 3, NULL, NULL), FLORIN_OK);
    large.cluster = NULL;
    assert_int_equal(fl_bootstrap(apart, &large, NULL, 1000, 3, NULL, NULL), FLORIN_OK);
    double w1 = one[0].high - one[0].low, w2 = together[0].high - together[0].low,
           w3 = apart[0].high - apart[0].low;
    assert_true(w2 > .9 * w1 && w2 < 1.1 * w1);
    assert_true(w2 / w3 > 2.6 && w2 / w3 < 3.8);
    /* Hanley and McNeil 1982: standard error of an AUC of 24 and 36 rows, within a quarter. */
    double a = one[0].value, q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
    double se = sqrt((a * (1 - a) + 23 * (q1 - a * a) + 35 * (q2 - a * a)) / (24. * 36));
    assert_true(w1 > .75 * 3.92 * se && w1 < 1.25 * 3.92 * se);
}

/* Several periods: plain means of the figures, not figures of the pooled rows. */
static void periods_are_averaged(void **state)
{
    (void)state;
    uint32_t part[N];
    double auc = 0, ap = 0;
    for (int i = 0; i < N; i++) part[i] = (uint32_t)(i / 20);
    for (size_t p = 0; p < 3; p++) {
        fl_scored s = {.n = 20, .score = score + 20 * p, .y = y + 20 * p, .parts = 1};
        size_t *order = fl_order_scores(s.score, s.n);
        auc += fl_auc(&s, order, NULL) / 3;
        ap += fl_average_precision(&s, order, NULL) / 3;
        free(order);
    }
    fl_interval iv[6];
    fl_scored s = {.n = N, .score = score, .y = y, .part = part, .parts = 3};
    assert_int_equal(fl_bootstrap(iv, &s, NULL, 50, 1, NULL, NULL), FLORIN_OK);
    close_to(iv[0].value, auc);
    close_to(iv[1].value, ap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_to_scikit_learn),
        cmocka_unit_test(card_precision_is_the_handbooks),
        cmocka_unit_test(ties_enter_together),
        cmocka_unit_test(one_class_and_nothing),
        cmocka_unit_test(bootstrap_repeats_itself),
        cmocka_unit_test(clusters_widen_the_interval),
        cmocka_unit_test(periods_are_averaged),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
