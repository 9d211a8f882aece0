/* Moments: what C reads by itself is what DuckDB reads; what it leaves alone, DuckDB is asked for. */
#include "support/support.h"

#include "data/import_parts.h"
#include <stdio.h>

static fl_duck *db;
static fl_moments *asked;
static fl_duck_ask *ask;

static fl_duck_cell cell(const char *s)
{
    fl_duck_cell c = {0};
    c.near.length = (uint32_t)strlen(s);
    if (c.near.length <= sizeof c.near.text) memcpy(c.near.text, s, c.near.length);
    else c.far.text = s;
    return c;
}

/* DuckDB's own answer to n texts must be C's wherever C has one. Returns how many C read. */
static uint32_t compare(char (*text)[40], uint32_t n)
{
    florin_error err = {0};
    fl_duck_cell *c = calloc(n, sizeof *c);
    const fl_duck_cell **at = calloc(n, sizeof *at);
    int64_t *theirs = calloc(n, sizeof *theirs), ours;
    bool *valid = calloc(n, sizeof *valid);
    uint32_t plain = 0;
    for (uint32_t i = 0; i < n; i++) {
        c[i] = cell(text[i]);
        at[i] = &c[i];
    }
    if (fl_duck_ask_times(ask, at, n, theirs, valid, &err)) fail_msg("%s", err.message);
    for (uint32_t i = 0; i < n; i++) {
        if (!fl_moment_plain(text[i], strlen(text[i]), &ours)) continue;
        plain++;
        if (!valid[i] || ours != theirs[i])
            fail_msg("'%s': %lld here, %lld (%d) in DuckDB", text[i], (long long)ours,
                     (long long)theirs[i], valid[i]);
    }
    free(c);
    free(at);
    free(theirs);
    free(valid);
    return plain;
}

static void plain_forms(void **state)
{
    (void)state;
    enum { N = 4000 };
    static char text[N][40];
    fl_rng r;
    fl_rng_seed(&r, 7);
    for (uint32_t i = 0; i < N; i++) {
        int year = (int)fl_rng_below(&r, i % 3 ? 400 : 9999) + (i % 3 ? 1800 : 1),
            month = 1 + (int)fl_rng_below(&r, 13), day = 1 + (int)fl_rng_below(&r, 31);
        int hour = (int)fl_rng_below(&r, 25), minute = (int)fl_rng_below(&r, 61),
            second = (int)fl_rng_below(&r, 61);
        int n = snprintf(text[i], sizeof text[i], "%04d-%02d-%02d", year, month, day);
        if (i % 4 == 0) continue;
        n += snprintf(text[i] + n, sizeof text[i] - (size_t)n, "%c%02d:%02d:%02d",
                      i % 4 == 1 ? 'T' : ' ', hour, minute, second);
        if (i % 5 == 0)
            n += snprintf(text[i] + n, sizeof text[i] - (size_t)n, ".%.*s", 1 + (int)(i % 7),
                          "9871234");
        if (i % 3 == 0) snprintf(text[i] + n, sizeof text[i] - (size_t)n, "Z");
    }
    assert_true(compare(text, N) > N / 2);
}

static void epochs(void **state)
{
    (void)state;
    enum { N = 2000 };
    static char text[N][40];
    fl_rng r;
    fl_rng_seed(&r, 8);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t v = fl_rng_u64(&r) >> (4 + i % 60);
        snprintf(text[i], sizeof text[i], "%s%llu", i % 11 ? "" : "0", (unsigned long long)v);
    }
    assert_true(compare(text, N) > N / 2);
}

/* One byte of a plain form changed: C may leave it to DuckDB, but may not read it in another way. */
static void spoiled(void **state)
{
    (void)state;
    enum { N = 6000 };
    static char text[N][40];
    static const char *const form[] = {"2018-08-01",           "2018-08-01 12:30:45",
                                       "2018-08-01T12:30:45Z", "2018-02-28 23:59:59.125",
                                       "1533124245",           "20180801"};
    static const char bytes[] = "0123456789-:T Z+./eE_\tx";
    fl_rng r;
    fl_rng_seed(&r, 9);
    for (uint32_t i = 0; i < N; i++) {
        const char *f = form[i % FL_LEN(form)];
        snprintf(text[i], sizeof text[i], "%s", f);
        text[i][fl_rng_below(&r, strlen(f))] = bytes[fl_rng_below(&r, sizeof bytes - 1)];
        if (i % 13 == 0) text[i][1 + fl_rng_below(&r, strlen(f) - 1)] = 0;
    }
    assert_true(compare(text, N) > N / 20);
}

static void others_are_asked(void **state)
{
    (void)state;
    static const char *const text[] = {"2018-08-01 12:30:45",
                                       "2018-08-01 12:30:45+02:00",
                                       "  2018-08-01  ",
                                       "",
                                       "yesterday",
                                       "20180801T123045Z",
                                       "1e9",
                                       "2018-02-30",
                                       "1533124245.5"};
    static const int64_t want[] = {1533126645000000,
                                   1533119445000000,
                                   1533081600000000,
                                   -1,
                                   -1,
                                   1533126645000000,
                                   1000000000000000,
                                   -1,
                                   1533124245500000};
    enum { N = FL_LEN(text) };
    fl_duck_cell c[N];
    int64_t got[N];
    bool valid[N];
    florin_error err = {0};
    for (size_t i = 0; i < N; i++) c[i] = cell(text[i]);
    fl_duck_vector v = {c, NULL};
    for (int again = 0; again < 2; again++) {
        if (fl_moments_read(asked, &v, N, got, valid, &err)) fail_msg("%s", err.message);
        for (size_t i = 0; i < N; i++)
            if (valid[i] != (want[i] >= 0) || (valid[i] && got[i] != want[i]))
                fail_msg("'%s': %lld (%d)", text[i], (long long)got[i], valid[i]);
    }
    uint64_t none = ~UINT64_C(1); /* the first row is NULL */
    v.valid = &none;
    assert_int_equal(fl_moments_read(asked, &v, 2, got, valid, &err), FLORIN_OK);
    assert_true(!valid[0] && valid[1]);
}

static int open_all(void **state)
{
    (void)state;
    fl_schema *s = NULL;
    fl_buf sql = {0};
    static const char yaml[] =
        "florin: 1\nname: t\ncurrency: EUR\nentities:\n  card: {role: payer}\n"
        "sources:\n  p: {time: t, entities: {card: c}}\n";
    if (fl_schema_parse(&s, yaml, sizeof yaml - 1, "test", NULL)) return 1;
    fl_import_ask_select(&sql, s);
    int bad = fl_duck_open(&db, NULL, NULL, NULL) || fl_moments_open(&asked, db, s, NULL) ||
              fl_duck_ask_open(&ask, db, sql.data, NULL);
    fl_buf_free(&sql);
    fl_schema_free(s);
    return bad;
}

static int close_all(void **state)
{
    (void)state;
    fl_duck_ask_close(ask);
    fl_moments_close(asked);
    fl_duck_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plain_forms), cmocka_unit_test(epochs),
                                       cmocka_unit_test(spoiled),
                                       cmocka_unit_test(others_are_asked)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
