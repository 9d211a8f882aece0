/* florin_embed: entities at a date and events, as .csv and .npy, against the encoder's own rows. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "data/duck.h"
#include "model/encode.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

enum { H = 24, D = 12, HEAD = 128 };

static char *model, *log_path;

static int make(void **state)
{
    fl_schema *s = fixture_schema();
    fl_log *log = fixture_log("embed.log", 1);

    (void)state;
    model = fl_strdup(fixture_model(scratch_path("embed.model"), s, H, D, 3));
    log_path = fl_strdup(fl_log_path(log));
    fl_log_close(log);
    fl_schema_free(s);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    free(model);
    free(log_path);
    return 0;
}

static florin_embed_options options(const char *out)
{
    florin_embed_options o = FLORIN_EMBED_INIT;

    o.log = log_path;
    o.model = model;
    o.out = out;
    return o;
}

/* Numbers of an .npy file behind its header. */
static float *read_npy(const char *path, size_t *n)
{
    char *bytes;
    florin_error err = {0};

    if (fl_read_file(&bytes, n, path, 1 << 26, &err)) fail_msg("%s", err.message);
    assert_true(*n > HEAD && !memcmp(bytes + 1, "NUMPY", 5));
    *n = (*n - HEAD) / sizeof(float);
    memmove(bytes, bytes + HEAD, *n * sizeof(float));
    return (float *)(void *)bytes;
}

static void run(const florin_embed_options *o)
{
    florin_error err = {0};

    if (florin_embed(NULL, o, &err)) fail_msg("%s", err.message);
}

static fl_encode *encode_until(fl_model **m, fl_log **log, int64_t at_us, float *mean)
{
    fl_encode *e;
    fl_event event;
    uint64_t row;
    uint32_t events;
    const float *values;
    const fl_fold_carry *carry;

    assert_int_equal(fl_model_open(m, model, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_log_open(log, log_path, NULL), FLORIN_OK);
    assert_int_equal(fl_encode_open(&e, *m, *log, NULL), FLORIN_OK);
    while (fl_encode_peek(e) < at_us && fl_encode_next(e, &row, &event, &values, &carry)) {
        if (event.entity[0] == FL_NONE) continue;
        const float *h = fl_encode_state(e, 0, event.entity[0], &events);
        for (int i = 0; i < H; i++) mean[event.entity[0] * H + (uint32_t)i] += h[i];
    }
    return e;
}

static void test_entities(void **state)
{
    const char *last = scratch_path("last.npy"), *mean = scratch_path("mean.npy"),
               *ema = scratch_path("ema.npy");
    florin_embed_options o = options(last);
    fl_model *m;
    fl_log *log;
    float sum[FIXTURE_ENTITIES * H] = {0};
    size_t n, k, r = 0;

    (void)state;
    o.entity = "card";
    o.at = "2020-09-14 00:00";
    run(&o);
    o.out = mean;
    o.pool = "mean";
    run(&o);
    o.out = ema;
    o.pool = "ema";
    run(&o);
    int64_t at;
    assert_true(fl_time_parse(o.at, &at));
    fl_encode *e = encode_until(&m, &log, at, sum);
    float *a = read_npy(last, &n), *b = read_npy(mean, &k), *c = read_npy(ema, &k);
    for (uint32_t i = 0; i < fl_log_entities(log, 0); i++) {
        uint32_t events;
        const float *h = fl_encode_state(e, 0, i, &events);
        if (!events) continue;
        assert_memory_equal(a + r * H, h, H * sizeof *h);
        for (uint32_t x = 0; x < H; x++) {
            assert_true(fabsf(b[r * H + x] - sum[i * H + x] / (float)events) < 1e-5f);
            assert_true(fabsf(c[r * H + x]) <= 1);
        }
        r++;
    }
    assert_int_equal(n, r * H);
    assert_int_equal(k, r * H);
    assert_true(r > 0 && r <= FIXTURE_ENTITIES);
    free(a);
    free(b);
    free(c);
    fl_encode_close(e);
    fl_log_close(log);
    fl_model_close(m);
}

static void test_events(void **state)
{
    const char *out = scratch_path("events.npy");
    florin_embed_options o = options(out);
    size_t n;
    char *ids;

    (void)state;
    run(&o);
    float *v = read_npy(out, &n);
    assert_int_equal(n, (size_t)FIXTURE_EVENTS * 2 * H);
    for (size_t i = 0; i < n; i++) assert_true(isfinite(v[i]));
    free(v);
    char *side = fl_asprintf("%s.ids.csv", out);
    assert_int_equal(fl_read_file(&ids, &n, side, 1 << 26, NULL), FLORIN_OK);
    assert_non_null(strstr(ids, "event 0,"));
    assert_non_null(strstr(ids, "event 599,"));
    free(side);
    free(ids);
    o.out = scratch_path("events.parquet");
    run(&o);
    assert_true(fl_file_exists(o.out));
}

/* A row of .npy as it is; NaN and infinity, which it has no word for, are refused by the number of the row. */
static void test_npy_rows(void **state)
{
    static const fl_table_column columns[] = {{"a", FL_DUCK_FLOAT}, {"b", FL_DUCK_FLOAT}};
    const float good[2] = {1.5f, -FLT_MAX}, bad[3][2] = {{0, NAN}, {INFINITY, 0}, {0, -INFINITY}};
    const char *path = scratch_path("rows.npy");
    fl_table_writer *w;
    florin_error err = {0};
    size_t n;

    (void)state;
    assert_int_equal(fl_table_open(&w, path, columns, 2, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_table_add_row(w, good, &err), FLORIN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fl_table_add_row(w, bad[i], &err), FLORIN_EINTERNAL);
        assert_non_null(strstr(err.message, "row 1 "));
    }
    assert_int_equal(fl_table_add_row(w, good, &err), FLORIN_OK);
    assert_int_equal(fl_table_commit(w, &err), FLORIN_OK);
    float *v = read_npy(path, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(v, good, sizeof good);
    assert_memory_equal(v + 2, good, sizeof good);
    free(v);
}

static void test_refusals(void **state)
{
    florin_error err = {0};
    florin_embed_options o = options(scratch_path("no.csv"));

    (void)state;
    o.entity = "dog";
    assert_int_equal(florin_embed(NULL, &o, &err), FLORIN_EUSAGE);
    assert_non_null(strstr(err.message, "card"));
    o.entity = NULL;
    o.at = "2020-01-01";
    assert_int_equal(florin_embed(NULL, &o, &err), FLORIN_EUSAGE);
    o.entity = "card";
    o.at = "yesterday";
    assert_int_equal(florin_embed(NULL, &o, &err), FLORIN_EUSAGE);
    o.at = NULL;
    o.pool = "max";
    assert_int_equal(florin_embed(NULL, &o, &err), FLORIN_EUSAGE);
    o.pool = NULL;
    o.log = scratch_path("no.log");
    assert_int_not_equal(florin_embed(NULL, &o, &err), FLORIN_OK);
    assert_false(fl_file_exists(scratch_path("no.csv")));
}

static void test_info(void **state)
{
    florin_model *m;
    florin_error err = {0};
    florin_context ctx = FLORIN_CONTEXT_INIT;

    (void)state;
    assert_int_equal(florin_model_open(&m, model, NULL, &err), FLORIN_OK);
    assert_int_equal(florin_model_info(m, &ctx, &err), FLORIN_OK);
    florin_model_close(m);
    florin_model_close(NULL);
    assert_int_equal(florin_model_open(&m, scratch_path("none"), NULL, &err), FLORIN_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entities), cmocka_unit_test(test_events),
        cmocka_unit_test(test_npy_rows), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_info),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
