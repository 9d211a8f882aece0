/* The tables of the hot path against a plain array: adding, finding, evicting and removing in any order, at every load. */
#include "support/support.h"
#include "score/table.h"

enum { CAPACITY = 700, KEYS = 3000, ROUNDS = 200000 };

typedef struct {
    uint64_t key;
    uint32_t other;
} owner;

static void index_equals_a_plain_array(void **state)
{
    (void)state;
    static owner at[CAPACITY];
    uint32_t place[KEYS], room[CAPACITY], rooms = CAPACITY, wrong = 0, found = 0;
    fl_index x;
    fl_rng r;
    fl_rng_seed(&r, 11);
    assert_true(fl_index_init(&x, CAPACITY, &at->key, sizeof *at));
    for (uint32_t i = 0; i < CAPACITY; i++) room[i] = i;
    for (uint32_t k = 0; k < KEYS; k++) place[k] = FL_NONE;
    for (uint32_t n = 0; n < ROUNDS; n++) {
        /* Mostly filling, then mostly emptying, so that runs of all lengths are cut everywhere. */
        uint32_t k = (uint32_t)fl_rng_below(&r, KEYS);
        uint64_t key = fl_mix64(k + 1);
        bool put = fl_rng_below(&r, 10) < (n / 5000 % 2 ? 2 : 8);
        assert_int_equal(fl_index_find(&x, key), place[k]);
        found += place[k] != FL_NONE;
        wrong += fl_index_guess(&x, key) != place[k];
        fl_index_fetch(&x, key);
        if (put && place[k] == FL_NONE && rooms) {
            place[k] = room[--rooms];
            at[place[k]].key = key;
            fl_index_put(&x, key, place[k]);
        } else if (!put) {
            fl_index_remove(&x, key);
            if (place[k] != FL_NONE) room[rooms++] = place[k];
            place[k] = FL_NONE;
        }
    }
    for (uint32_t k = 0; k < KEYS; k++)
        assert_int_equal(fl_index_find(&x, fl_mix64(k + 1)), place[k]);
    assert_true(found > 1000 && found < ROUNDS - 1000);
    assert_true(wrong < ROUNDS / 1000); /* a guess may be wrong, and hardly ever is */
    fl_index_free(&x);
}

/* A clock hand forgets who was not used since it passed; who takes the place starts from nothing. */
static void eviction_spares_the_used(void **state)
{
    (void)state;
    fl_table t;
    assert_true(fl_table_init(&t, 100, 64));
    for (uint64_t e = 1; e <= 100; e++) {
        uint32_t i = fl_table_use(&t, e, FL_FULL_EVICT);
        assert_int_equal(i, e - 1);
        assert_int_equal((uintptr_t)fl_table_record(&t, i) % 64, 0);
        assert_int_equal(t.entity[i].last_us, INT64_MIN);
        memset(fl_table_record(&t, i), 1, t.stride);
    }
    assert_true(fl_table_is_full(&t));
    assert_int_equal(fl_table_use(&t, 500, FL_FULL_NEUTRAL), FL_NONE);
    assert_int_equal(fl_table_use(&t, 500, FL_FULL_ERROR), FL_NONE);
    uint32_t first = fl_table_use(&t, 500, FL_FULL_EVICT); /* all were used: the hand goes round */
    assert_int_equal(first, 0);
    assert_int_equal(fl_table_find(&t, 1), FL_NONE);
    for (size_t i = 0; i < t.stride; i++) assert_int_equal(t.body[first * t.stride + i], 0);
    for (uint64_t e = 2; e <= 100; e += 2) fl_table_use(&t, e, FL_FULL_EVICT);
    for (uint64_t e = 501; e <= 549; e++) {
        fl_table_fetch(&t, e);
        assert_true(fl_table_use(&t, e, FL_FULL_EVICT) != FL_NONE);
    }
    for (uint64_t e = 2; e <= 100; e++)
        assert_int_equal(fl_table_find(&t, e) == FL_NONE, e % 2 == 1);
    assert_int_equal(t.evicted, 50);
    assert_int_equal(t.count, 100);
    fl_table_free(&t);
}

/* What is asked for ahead, and never comes, changes nothing, however small the table. */
static void asking_changes_nothing(void **state)
{
    (void)state;
    for (uint32_t capacity = 1; capacity <= 20; capacity++) {
        fl_table t;
        assert_true(fl_table_init(&t, capacity, 64));
        for (uint64_t e = 1; e <= 60; e++) {
            for (uint64_t ahead = 0; ahead < e % 7; ahead++) fl_table_fetch(&t, 1000 * e + ahead);
            fl_table_fetch(&t, e);
            assert_int_equal(fl_table_use(&t, e, FL_FULL_EVICT), (e - 1) % capacity);
        }
        assert_int_equal(t.evicted, 60 - capacity);
        fl_table_free(&t);
    }
}

/* Blocks that are large enough for huge pages are as zero and as aligned as small ones. */
static void pages_are_zero(void **state)
{
    (void)state;
    static const size_t size[] = {1, 64, 4096, 4 << 20, (5 << 20) + 7};
    for (size_t i = 0; i < FL_LEN(size); i++) {
        void *block;
        uint8_t *p = fl_pages(size[i], 1, &block), any = 0;
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        for (size_t k = 0; k < size[i]; k++) any |= p[k];
        assert_int_equal(any, 0);
        memset(p, 1, size[i]);
        free(block);
    }
    void *block;
    assert_null(fl_pages(SIZE_MAX / 2, 4, &block));
    assert_null(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_equals_a_plain_array),
        cmocka_unit_test(eviction_spares_the_used),
        cmocka_unit_test(asking_changes_nothing),
        cmocka_unit_test(pages_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
