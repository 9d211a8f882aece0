/* A scorer's limits: capacities and what happens when they are reached, no allocation after opening, and every allocation
 * of opening failed in turn. */
#include "support/support.h"
#include "support/scorer_fixture.h"
#include <stdio.h>

/* ---- capacities ---- */

static void test_capacity_of_one_kind(void **state)
{
    const florin_capacity two = {"card", 2}, none = {"wallet", 2}, zero = {"card", 0};
    florin_scorer_options o = small_scorer(5000, FLORIN_FULL_ERROR);
    florin_scorer *s, *bad;
    names x;
    florin_head_score score[HEADS];
    florin_status item;
    size_t n, m;
    florin_error err = {0};

    (void)state;
    o.capacities = 1;
    o.capacity = &none;
    assert_int_equal(florin_scorer_open(&bad, scorer_model, &o, &err), FLORIN_ESCHEMA);
    assert_null(bad);
    assert_non_null(strstr(err.message, "wallet"));
    o.capacity = &zero;
    assert_int_equal(florin_scorer_open(&bad, scorer_model, &o, &err), FLORIN_EUSAGE);
    o.capacity = &two;
    s = open_scorer(&o);
    names_open(&x, s);
    for (int i = 0; i < 3; i++) {
        char card[2] = {'c', (char)('0' + i)}, id[2] = {'i', (char)('0' + i)};
        florin_value v = {x.card, 2, card, 0};
        florin_event e = x.payment;
        e.id = id;
        e.id_n = 2;
        e.values = &v;
        e.n_values = 1;
        char *before = bytes_of(s, &n);
        assert_int_equal(florin_score(s, &e, 1, score, &item, NULL), FLORIN_OK);
        assert_int_equal(item, i < 2 ? FLORIN_OK : FLORIN_ENOMEM);
        char *after = bytes_of(s, &m);
        if (i == 2) {
            assert_non_null(strstr(florin_scorer_message(s, 0), "card"));
            assert_int_equal(n, m);
            assert_memory_equal(before, after, n);
        }
        free(before);
        free(after);
    }
    score_feed_close(&x.feed);
    florin_scorer_close(s);
}

/* A card without a place is judged as one never seen, every time. */
static void test_neutral(void **state)
{
    const florin_capacity one = {"card", 1};
    florin_scorer_options o = small_scorer(5000, FLORIN_FULL_NEUTRAL);
    florin_scorer *s, *fresh;
    names x;
    florin_head_score score[HEADS], want[HEADS];
    florin_scorer_counts c = FLORIN_SCORER_COUNTS_INIT;

    (void)state;
    o.capacities = 1;
    o.capacity = &one;
    s = open_scorer(&o);
    fresh = open_scorer(&o);
    names_open(&x, s);
    florin_value v = {x.card, 2, "c0", 0};
    florin_event e = x.payment;
    e.values = &v;
    e.n_values = 1;
    score_one(s, &e, score);
    v.text = "c1";
    e.id = "x";
    e.id_n = 1;
    score_one(s, &e, score);
    score_one(fresh, &e, want);
    assert_memory_equal(score, want, sizeof score);
    e.id = "y";
    score_one(s, &e, score);
    assert_memory_equal(score, want, sizeof score);
    assert_int_equal(florin_scorer_stats(s, &c, NULL), FLORIN_OK);
    assert_int_equal(c.entities, 1);
    assert_int_equal(c.events, 3);
    score_feed_close(&x.feed);
    florin_scorer_close(s);
    florin_scorer_close(fresh);
}

/* ---- memory ---- */

static void test_no_allocation(void **state)
{
    florin_scorer_options o = small_scorer(40, FLORIN_FULL_EVICT);
    florin_scorer *s = open_scorer(&o);
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    uint64_t inside = 0;

    (void)state;
    score_feed_open(&f, scorer_log, s);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        florin_head_score score[BATCH * HEADS];
        florin_status item[BATCH];
        florin_reason r[5];
        florin_scorer_counts c = FLORIN_SCORER_COUNTS_INIT;
        const florin_event many[3] = {e, e, {.type = 99}};
        uint32_t n;
        uint64_t before = allocation_count();
        florin_status st = FLORIN_OK;
        if (step == FL_STEP_LABEL) {
            st = florin_label(s, &l, NULL); /* refused when the ring has forgotten the event */
            if (st == FLORIN_EINPUT) st = FLORIN_OK;
        } else {
            st = florin_peek(s, &e, 1, score, item, NULL);
            if (!st) st = florin_score(s, many, 3, score, item, NULL);
            if (!st) st = florin_reasons(s, 0, 0, r, 5, &n, NULL);
            if (!st) st = florin_scorer_stats(s, &c, NULL);
            if (!st &&
                florin_score_entity(s, HEADS, "nobody", 6, e.time_us, score, NULL) != FLORIN_EINPUT)
                st = FLORIN_EINTERNAL;
        }
        inside += allocation_count() - before;
        assert_int_equal(st, FLORIN_OK);
    }
    assert_int_equal(inside, 0);
    score_feed_close(&f);
    florin_scorer_close(s);
}

/* Every allocation at open fails once: an error, no leak (the address sanitizer looks), and the model lives on. */
static void test_failing_allocations(void **state)
{
    florin_scorer_options o = small_scorer(10, FLORIN_FULL_EVICT);
    florin_scorer *s;
    char path[512];
    uint64_t n = 1;

    (void)state;
    s = open_scorer(&o);
    snprintf(path, sizeof path, "%s", scratch_path("fail.state"));
    assert_int_equal(florin_scorer_save(s, path, NULL), FLORIN_OK);
    florin_scorer_close(s);
    o.state = path;
    for (; n < 2000; n++) {
        florin_error err = {0};
        allocation_fail_at(n, n % 2);
        florin_status st = florin_scorer_open(&s, scorer_model, &o, &err);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        if (!failed) {
            assert_int_equal(st, FLORIN_OK);
            florin_scorer_close(s);
            break;
        }
        assert_int_equal(st, FLORIN_ENOMEM);
        assert_null(s);
        assert_true(err.message[0]);
    }
    assert_in_range(n, 30, 1999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capacity_of_one_kind),
        cmocka_unit_test(test_neutral),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, scorer_set_up, scorer_tear_down);
}
