/* The transformer behind the backbone's interface: tiers agree, 8 bits stay near floats, whatever an event holds the row is
 * finite, one event allocates nothing, a shape or a memory that makes no sense is refused. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "model/backbone.h"
#include "model/internal.h"
#include <jansson.h>
#include <math.h>

enum { H = 24, D = 12, EVENTS = 400, ENTITIES = 5 };
#define START (1600000000 * FL_SECOND_US)

static fl_model *open_seed(const char *tier, uint64_t seed)
{
    fl_schema *s = fixture_schema();
    fl_model *m;
    florin_error err = {0};

    if (fl_model_open(&m, fixture_model(scratch_path("blocks.model"), s, H, D, seed), tier, &err))
        fail_msg("%s", err.message);
    fl_schema_free(s);
    return m;
}

/* Rows of events from `from` on; extreme: of events that hold what no event should. */
static void run(const fl_model *m, int from, bool extreme, float *rows)
{
    static const float number[] = {NAN, INFINITY, -INFINITY, 3e38f, -1e-40f};
    size_t bytes = fl_model_state_bytes(m), width = fl_model_row_width(m);
    uint8_t *state[2] = {fl_alloc_aligned(ENTITIES, bytes), fl_alloc_aligned(ENTITIES, bytes)};
    fl_model_scratch *scratch;
    fl_event e;
    fl_rng r;

    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int i = from; i < EVENTS; i++) {
        float *row = rows + (size_t)i * width;
        fl_state *of[2] = {NULL, NULL};
        fl_rng_seed(&r, (uint64_t)i);
        fixture_event(&r, fl_model_schema(m), ENTITIES, START + i * 977000000ll, &e);
        if (extreme) {
            e.amount_minor = i % 2 ? INT64_MAX : INT64_MIN + 1;
            e.number[0] = number[i % 5];
            e.number_present = 1;
        }
        for (uint32_t f = 0; f < fl_model_row_surprise(m); f++)
            row[f] = extreme ? (i % 2 ? 3e38f : -3e38f) : (float)fl_rng_normal(&r);
        for (int s = 0; s < 2; s++)
            if (e.entity[s] != FL_NONE) of[s] = (void *)(state[s] + e.entity[s] * bytes);
        uint64_t before = allocation_count();
        fl_model_event(m, scratch, &e, of[0], of[1], row);
        assert_int_equal(allocation_count(), before);
    }
    fl_model_scratch_free(scratch);
    free(state[0]);
    free(state[1]);
}

static float *rows_of(const char *tier, uint64_t seed, bool extreme, size_t *n)
{
    fl_model *m = open_seed(tier, seed);
    float *rows;

    *n = (size_t)EVENTS * fl_model_row_width(m);
    rows = fl_calloc(*n, sizeof *rows);
    run(m, 0, extreme, rows);
    fl_model_close(m);
    return rows;
}

static void test_tiers_agree(void **state)
{
    static const char *const tier[] = {"avx2", "avx512"};
    static const uint64_t seed[] = {FIXTURE_TRANSFORMER + 7, FIXTURE_TRANSFORMER + 8};
    size_t n;

    (void)state;
    for (size_t k = 0; k < FL_LEN(seed); k++) {
        float *x = rows_of("ref", seed[k], false, &n);
        for (size_t t = 0; t < FL_LEN(tier); t++) {
            if (!fl_kernels_get(tier[t])) continue;
            float *y = rows_of(tier[t], seed[k], false, &n);
            for (size_t i = 0; i < n; i++)
                assert_true(fabsf(x[i] - y[i]) < 3e-4f * (1 + fabsf(x[i])));
            free(y);
        }
        free(x);
    }
}

static void test_int8(void **state)
{
    static const char *const tier[] = {"ref", "avx2", "avx512"};
    fl_model *wide = open_seed(NULL, FIXTURE_TRANSFORMER + 7),
             *small = open_seed(NULL, FIXTURE_TRANSFORMER + FIXTURE_INT8 + 7);
    size_t n, width = fl_model_row_width(wide), first = fl_model_row_surprise(wide);

    (void)state;
    assert_true(fl_model_state_bytes(small) < fl_model_state_bytes(wide) / 2);
    fl_model_close(wide);
    fl_model_close(small);
    float *x = rows_of("ref", FIXTURE_TRANSFORMER + 7, false, &n);
    for (size_t t = 0; t < FL_LEN(tier); t++) {
        if (!fl_kernels_get(tier[t])) continue;
        float *y = rows_of(tier[t], FIXTURE_TRANSFORMER + FIXTURE_INT8 + 7, false, &n);
        double off = 0, cells = 0;
        for (size_t i = 0; i < n; i++) {
            if (i % width < first) continue;
            off += fabs((double)x[i] - (double)y[i]);
            cells++;
        }
        assert_true(off > 0);
        if (off / cells > 0.03) fail_msg("%s: %.4f apart on average", tier[t], off / cells);
        free(y);
    }
    free(x);
}

static void test_extremes(void **state)
{
    static const uint64_t seed[] = {FIXTURE_TRANSFORMER + 7, FIXTURE_TRANSFORMER + 8,
                                    FIXTURE_TRANSFORMER + FIXTURE_INT8 + 7};
    size_t n;

    (void)state;
    for (size_t k = 0; k < FL_LEN(seed); k++) {
        float *x = rows_of(NULL, seed[k], true, &n);
        fl_model *m = open_seed(NULL, seed[k]);
        size_t width = fl_model_row_width(m), first = fl_model_row_surprise(m);
        for (size_t i = 0; i < n; i++) assert_true(i % width < first || isfinite(x[i]));
        fl_model_close(m);
        free(x);
    }
}

/* ---- what is refused ---- */

static void test_json(void **state)
{
    static const struct {
        const char *key, *says;
        int value;
    } bad[] = {{"layers", "layers must be 1 to 8", 9},
               {"width", "width must be 1 to 512", 1024},
               {"heads", "heads must divide the width", 3},
               {"context", "context must be 1 to 512", 0},
               {"inner", "inner must be 1 to 2048", 9000},
               {"positions", "positions (there are: none, rotary, learned)", 1},
               {"epsilon", "epsilon", 0}};
    fl_model *m = open_seed(NULL, FIXTURE_TRANSFORMER + 7);
    fl_network *n;
    json_t *good = fl_network_to_json(fl_model_network(m)), *again;

    (void)state;
    assert_int_equal(fl_network_from_json(&n, fl_model_schema(m), good, NULL), FLORIN_OK);
    again = fl_network_to_json(n);
    assert_true(json_equal(good, again));
    json_decref(again);
    fl_network_free(n);
    for (size_t i = 0; i < FL_LEN(bad); i++) {
        json_t *broken = json_deep_copy(good);
        florin_error err = {0};
        json_object_set_new(json_object_get(broken, "blocks"), bad[i].key,
                            json_integer(bad[i].value));
        assert_int_equal(fl_network_from_json(&n, fl_model_schema(m), broken, &err),
                         FLORIN_EFORMAT);
        if (!strstr(err.message, bad[i].says)) fail_msg("%s: %s", bad[i].key, err.message);
        assert_null(n);
        json_decref(broken);
    }
    json_object_del(good, "blocks");
    assert_int_equal(fl_network_from_json(&n, fl_model_schema(m), good, NULL), FLORIN_EFORMAT);
    json_decref(good);
    fl_model_close(m);
}

static void test_sound(void **state)
{
    static const uint64_t seed[] = {FIXTURE_TRANSFORMER + 7,
                                    FIXTURE_TRANSFORMER + FIXTURE_INT8 + 7};
    const float nothing = NAN;

    (void)state;
    for (size_t k = 0; k < FL_LEN(seed); k++) {
        fl_model *m = open_seed(NULL, seed[k]);
        fl_state *st = fl_alloc_aligned(1, fl_model_state_bytes(m));
        char *memory = fl_state_memory(m, st);
        assert_true(fl_model_state_sound(m, st));
        memcpy(memory + 16, &nothing, sizeof nothing); /* of the first layer's mean */
        assert_false(fl_model_state_sound(m, st));
        free(st);
        fl_model_close(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers_agree), cmocka_unit_test(test_int8),
        cmocka_unit_test(test_extremes),    cmocka_unit_test(test_json),
        cmocka_unit_test(test_sound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
