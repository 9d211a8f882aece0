/* A whole log through the model: the same bytes every time and however the log is cut into segments; another
 * schema is refused by name; an entity at a date is the fold's reading, its state and its age. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "model/encode.h"
#include <math.h>
#include <stdio.h>

enum { H = 24, D = 12, EVENTS = FIXTURE_EVENTS };

static fl_model *open_seed(uint64_t seed)
{
    fl_schema *s = fixture_schema();
    fl_model *m;
    florin_error err = {0};

    if (fl_model_open(&m, fixture_model(scratch_path("encode.model"), s, H, D, seed), NULL, &err))
        fail_msg("%s", err.message);
    fl_schema_free(s);
    return m;
}

static fl_model *open_model(void)
{
    return open_seed(7);
}

static float *encode_all(const fl_model *m, const fl_log *log, int64_t ahead_us, uint32_t threads)
{
    uint32_t width = fl_model_row_width(m);
    float *rows = fl_calloc((size_t)EVENTS * width, sizeof *rows);
    fl_encode *e;
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row, n = 0;
    florin_error err = {0};

    if (fl_encode_open(&e, m, log, &err)) fail_msg("%s", err.message);
    fl_encode_threads(e, threads);
    if (ahead_us && fl_encode_ahead(e, ahead_us, &err)) fail_msg("%s", err.message);
    while (fl_encode_next(e, &row, NULL, &values, &carry)) {
        assert_int_equal(row, n);
        for (uint32_t c = 0; c < width; c++) assert_true(isfinite(values[c]));
        memcpy(rows + n++ * width, values, width * sizeof *rows);
    }
    assert_int_equal(n, EVENTS);
    assert_int_equal(fl_encode_peek(e), INT64_MAX);
    fl_encode_close(e);
    return rows;
}

static void test_same_bytes(void **state)
{
    fl_model *m = open_model();
    fl_log *one = fixture_log("one.log", 1), *three = fixture_log("three.log", 3);
    float *a = encode_all(m, one, 0, 1), *b = encode_all(m, one, 0, 1),
          *c = encode_all(m, three, 0, 1);
    size_t bytes = (size_t)EVENTS * fl_model_row_width(m) * sizeof(float);

    (void)state;
    assert_memory_equal(a, b, bytes);
    assert_memory_equal(a, c, bytes);
    free(b);
    for (uint32_t threads = 1; threads < 4; threads++) {
        b = encode_all(m, one, INT64_MAX, threads); /* many at a time */
        assert_memory_equal(a, b, bytes);
        free(b);
        b = encode_all(m, one, FIXTURE_START + 333 * FIXTURE_STEP, threads); /* then one by one */
        assert_memory_equal(a, b, bytes);
        if (threads < 3) free(b);
    }
    free(a);
    free(b);
    free(c);
    fl_log_close(one);
    fl_log_close(three);
    fl_model_close(m);
}

/* States alone: embeddings of whole rows to the bit, the kind's own where only it is wanted; states at the end. */
static void states_alone(const fl_model *m, const fl_log *log, const float *rows, int kind,
                         uint32_t threads)
{
    uint32_t width = fl_model_row_width(m), events, want_events;
    fl_encode *e, *whole;
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row, n = 0;

    assert_int_equal(fl_encode_open(&e, m, log, NULL), FLORIN_OK);
    assert_int_equal(fl_encode_open(&whole, m, log, NULL), FLORIN_OK);
    fl_encode_threads(e, threads);
    assert_int_equal(fl_encode_ahead(whole, INT64_MAX, NULL), FLORIN_OK);
    assert_int_equal(fl_encode_states(e, kind, INT64_MAX, NULL), FLORIN_OK);
    uint32_t first = kind < 0 ? fl_model_row_embedding(m) : fl_encode_embedding(e, kind),
             count = kind < 0 ? width - first : H;
    while (fl_encode_next(e, &row, NULL, &values, &carry)) {
        const float *want = rows + n++ * width;
        assert_memory_equal(values, want, fl_model_row_surprise(m) * sizeof *values);
        assert_memory_equal(values + first, want + first, count * sizeof *values);
        for (uint32_t c = fl_model_row_surprise(m); c < fl_model_row_embedding(m); c++)
            assert_true(values[c] == 0);
    }
    assert_int_equal(n, EVENTS);
    while (fl_encode_next(whole, &row, NULL, &values, &carry)) continue;
    for (int k = kind < 0 ? 0 : kind; k <= (kind < 0 ? 1 : kind); k++)
        for (uint32_t i = 0; i < fl_log_entities(log, k); i++) {
            const float *h = fl_encode_state(e, k, i, &events),
                        *want = fl_encode_state(whole, k, i, &want_events);
            assert_int_equal(events, want_events);
            assert_memory_equal(h, want, H * sizeof *h);
        }
    fl_encode_close(whole);
    fl_encode_close(e);
}

static void test_states(void **state)
{
    static const uint64_t seeds[] = {7,
                                     8,
                                     FIXTURE_INT8 + 7,
                                     FIXTURE_TRANSFORMER + 7,
                                     FIXTURE_TRANSFORMER + 8,
                                     FIXTURE_TRANSFORMER + FIXTURE_INT8 + 7};
    fl_log *log = fixture_log("states.log", 1);

    (void)state;
    for (uint32_t s = 0; s < FL_LEN(seeds); s++) {
        fl_model *m = open_seed(seeds[s]);
        float *rows = encode_all(m, log, 0, 1);
        for (int kind = -1; kind < 2; kind++)
            for (uint32_t threads = 1; threads < 3; threads++)
                states_alone(m, log, rows, kind, threads);
        free(rows);
        fl_model_close(m);
    }
    fl_log_close(log);
}

/* Date after date: entities read between batches are those of one event after the other, whatever the threads. */
static void test_dates(void **state)
{
    fl_model *m = open_model();
    fl_log *log = fixture_log("dates.log", 1);
    fl_encode *e[3];
    uint64_t row;
    float a[2048], b[2048];
    const float *values;
    const fl_fold_carry *carry;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(fl_encode_open(&e[i], m, log, NULL), FLORIN_OK);
        fl_encode_threads(e[i], i);
    }
    for (int64_t n = 100; n < EVENTS; n += 150) {
        int64_t at = FIXTURE_START + n * FIXTURE_STEP;
        for (int i = 0; i < 3; i++) {
            if (i) assert_int_equal(fl_encode_ahead(e[i], at, NULL), FLORIN_OK);
            while (fl_encode_peek(e[i]) < at && fl_encode_next(e[i], &row, NULL, &values, &carry))
                assert_true(row < (uint64_t)n);
            assert_int_equal(row, n - 1);
        }
        for (int kind = 0; kind < 2; kind++)
            for (uint32_t k = 0; k < fl_log_entities(log, kind); k++) {
                size_t bytes = fl_encode_entity_width(e[0], kind) * sizeof *a;
                fl_encode_entity(e[0], kind, k, at, a);
                for (int i = 1; i < 3; i++) {
                    fl_encode_entity(e[i], kind, k, at, b);
                    assert_memory_equal(a, b, bytes);
                }
            }
    }
    for (int i = 0; i < 3; i++) fl_encode_close(e[i]);
    fl_log_close(log);
    fl_model_close(m);
}

static void test_entities(void **state)
{
    fl_model *m = open_model();
    fl_log *log = fixture_log("entities.log", 1);
    fl_encode *e;
    int64_t cut = FIXTURE_START + EVENTS / 2 * FIXTURE_STEP;
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row, seen = 0;
    uint32_t unseen = 0;
    fl_event event;

    (void)state;
    assert_int_equal(fl_encode_open(&e, m, log, NULL), FLORIN_OK);
    while (fl_encode_peek(e) < cut && fl_encode_next(e, &row, &event, &values, &carry)) {
        assert_true(event.time_us < cut);
        seen++;
    }
    assert_int_equal(seen, EVENTS / 2);
    for (int kind = 0; kind < 2; kind++) {
        uint32_t width = fl_encode_entity_width(e, kind),
                 fold = fl_fold_read_features(fl_model_plan(m), kind);
        float out[2048], again[2048];
        assert_int_equal(width, fold + H + 1);
        assert_string_equal(fl_encode_entity_name(e, kind, fold),
                            kind ? "embedding:payee.0" : "embedding:payer.0");
        for (uint32_t i = 0; i < fl_log_entities(log, kind); i++) {
            uint32_t events;
            const float *h = fl_encode_state(e, kind, i, &events);
            fl_encode_entity(e, kind, i, cut, out);
            fl_encode_entity(e, kind, i, cut, again);
            assert_memory_equal(out, again, width * sizeof *out);
            assert_memory_equal(out + fold, h, H * sizeof *h);
            for (uint32_t c = 0; c < width; c++) assert_true(isfinite(out[c]));
            assert_true(events ? out[width - 1] >= 0 : out[width - 1] == -1);
            unseen += !events;
        }
    }
    print_message("%u entities have no event yet\n", unseen);
    fl_encode_close(e);
    fl_log_close(log);
    fl_model_close(m);
}

static void test_other_schema(void **state)
{
    fl_schema *s = fixture_schema();
    fl_log *log = fixture_log("schema.log", 1);
    fl_model *m;
    fl_encode *e;
    florin_error err = {0};

    (void)state;
    snprintf(s->category[2].name, FL_NAME_MAX, "land");
    assert_int_equal(
        fl_model_open(&m, fixture_model(scratch_path("other.model"), s, H, D, 7), NULL, NULL),
        FLORIN_OK);
    assert_int_equal(fl_encode_open(&e, m, log, &err), FLORIN_ESCHEMA);
    assert_null(e);
    assert_non_null(strstr(err.message, "land"));
    fl_schema_free(s);
    fl_model_close(m);
    fl_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_states),
        cmocka_unit_test(test_dates),        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_other_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
