/* replay --check notices what it is for: a live path that loses one label, or gets it wrong, no longer equals the
 * offline one, and the difference is named. The linker sends log_score.c's calls of fl_scorer_label here (--wrap). */
#include "support/support.h"
#include "support/score_fixture.h"
#include "score/log_score.h"

florin_status __real_fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                                     int64_t arrival_us, florin_error *err);
florin_status __wrap_fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                                     int64_t arrival_us, florin_error *err);

static uint64_t seen, lose,
    turn; /* the label with that number, from 1, is lost, or has the other value */

florin_status __wrap_fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                                     int64_t arrival_us, florin_error *err)
{
    if (++seen == lose) return FLORIN_OK;
    if (seen == turn) value = 1 - value;
    return __real_fl_scorer_label(s, event_id, label, value, arrival_us, err);
}

static florin_status check(florin_error *err)
{
    fl_model *m;
    fl_log *log;
    fl_log_score_options o = {
        .from_us = INT64_MIN, .to_us = INT64_MAX, .live = true, .check = true};
    fl_log_score_result r;

    seen = 0;
    score_model(scratch_path("check.model"), score_log(), 5, 77);
    assert_int_equal(fl_model_open(&m, scratch_path("check.model"), NULL, err), FLORIN_OK);
    assert_int_equal(fl_log_open(&log, score_log(), err), FLORIN_OK);
    florin_status st = fl_log_score(m, log, &o, &r, NULL, err);
    if (!st) fl_log_score_free(&r);
    fl_log_close(log);
    fl_model_close(m);
    return st;
}

static void test_equal(void **state)
{
    florin_error err = {0};

    (void)state;
    lose = turn = 0;
    assert_int_equal(check(&err), FLORIN_OK);
    assert_true(seen > 10);
}

static void test_a_lost_label(void **state)
{
    florin_error err = {0};

    (void)state;
    lose = 3;
    turn = 0;
    assert_int_equal(check(&err), FLORIN_EQUALITY);
    assert_non_null(strstr(err.message, "event "));
    assert_non_null(strstr(err.message, " offline and "));
}

static void test_a_wrong_label(void **state)
{
    florin_error err = {0};

    (void)state;
    lose = 0;
    turn = 5;
    assert_int_equal(check(&err), FLORIN_EQUALITY);
    assert_non_null(strstr(err.message, "fold:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal),
                                       cmocka_unit_test(test_a_lost_label),
                                       cmocka_unit_test(test_a_wrong_label)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
