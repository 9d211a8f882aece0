/* The model file: what was written comes back; a truncated, bit-flipped or hostile file is refused with a word on
 * why, and never read past its end. */
#include "support/support.h"
#include "base/file.h"
#include "model/file.h"

static const float weights[35] = {1.5f, -2, 3e-9f};
static const uint8_t blob[5] = {1, 2, 3, 4, 5};
static const uint64_t words[3] = {1, 2, UINT64_MAX};

static const char *save(const char *name)
{
    const char *path = scratch_path(name);
    json_t *meta = json_pack("{s:s, s:{s:f}, s:s}", "schema", "demo \"quoted\" \xc3\xa9", "metrics",
                             "auc", 0.1, "hash", "to be replaced");
    const fl_tensor t[] = {{"a.w", FL_F32, 2, {7, 5}, weights},
                           {"blob", FL_U8, 1, {5}, blob},
                           {"none", FL_F32, 1, {0}, NULL},
                           {"words", FL_U64, 1, {3}, words}};
    florin_error err = {0};

    assert_int_equal(fl_model_file_save(path, meta, t, 4, &err), FLORIN_OK);
    json_decref(meta);
    return path;
}

static void test_round_trip(void **state)
{
    fl_model_file *f;
    florin_error err = {0};
    const fl_tensor *t;

    (void)state;
    assert_int_equal(fl_model_file_open(&f, save("round.model"), &err), FLORIN_OK);
    assert_int_equal(fl_model_file_count(f), 4);
    t = fl_model_file_find(f, "a.w");
    assert_non_null(t);
    assert_memory_equal(t->data, weights, sizeof weights);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal((uintptr_t)fl_model_file_at(f, i)->data % 64, 0);
    assert_memory_equal(fl_model_file_find(f, "words")->data, words, sizeof words);
    assert_memory_equal(fl_model_file_find(f, "blob")->data, blob, sizeof blob);
    const json_t *j = fl_model_file_json(f);
    assert_string_equal(fl_json_str(j, "schema", ""), "demo \"quoted\" \xc3\xa9");
    assert_string_equal(fl_json_str(j, "hash", ""), fl_model_file_hash(f));
    assert_int_equal(strlen(fl_model_file_hash(f)), 64);

    size_t right[2] = {7, 5}, any[2] = {0, 5}, wrong[2] = {5, 7};
    assert_int_equal(fl_model_file_get(f, "a.w", FL_F32, 2, right, &t, &err), FLORIN_OK);
    assert_int_equal(fl_model_file_get(f, "a.w", FL_F32, 2, any, &t, &err), FLORIN_OK);
    assert_int_equal(fl_model_file_get(f, "a.w", FL_F32, 2, wrong, &t, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, "a.w"));
    assert_int_equal(fl_model_file_get(f, "a.w", FL_U8, 2, right, &t, &err), FLORIN_EFORMAT);
    assert_int_equal(fl_model_file_get(f, "b.w", FL_F32, 2, right, &t, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, "b.w"));
    fl_model_file_close(f);
}

static void test_same_bytes(void **state)
{
    char *a, *b;
    size_t n, m;

    (void)state;
    assert_int_equal(fl_read_file(&a, &n, save("one.model"), 1 << 20, NULL), FLORIN_OK);
    assert_int_equal(fl_read_file(&b, &m, save("two.model"), 1 << 20, NULL), FLORIN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* The bytes lie against an unmapped page, so that reading one too many is a crash. */
static florin_status parse_guarded(const void *bytes, size_t n, florin_error *err)
{
    uint8_t *p = guarded(n);
    fl_model_file *f;

    if (n) memcpy(p, bytes, n);
    florin_status st = fl_model_file_parse(&f, p, n, "guarded", err);
    if (!st) fl_model_file_close(f);
    guarded_free_all();
    return st;
}

static void test_truncated(void **state)
{
    char *bytes;
    size_t n;
    florin_error err;

    (void)state;
    assert_int_equal(fl_read_file(&bytes, &n, save("cut.model"), 1 << 20, NULL), FLORIN_OK);
    assert_int_equal(parse_guarded(bytes, n, &err), FLORIN_OK);
    for (size_t cut = 0; cut < n; cut++) {
        memset(&err, 0, sizeof err);
        assert_int_equal(parse_guarded(bytes, cut, &err), FLORIN_EFORMAT);
        assert_true(strlen(err.message) > 0);
    }
    free(bytes);
}

static void test_every_bit(void **state)
{
    char *bytes;
    size_t n;
    fl_model_file *f;

    (void)state;
    assert_int_equal(fl_read_file(&bytes, &n, save("flip.model"), 1 << 20, NULL), FLORIN_OK);
    for (size_t i = 0; i < n * 8; i++) {
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        florin_status st = fl_model_file_parse(&f, bytes, n, "flipped", NULL);
        if (st != FLORIN_EFORMAT) fail_msg("bit %zu of byte %zu went unseen", i % 8, i / 8);
        bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
    }
    free(bytes);
}

/* Headers that lie. Each is followed by 64 bytes of data. */
static void test_hostile(void **state)
{
    static const char *const header[] = {
        "",
        "[]",
        "{\"a\":1}",
        "{\"__metadata__\":{}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,999999]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[-64,0]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807,9223372036854775807,4],\"data_"
        "offsets\":[0,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"X9\",\"shape\":[16],\"data_offsets\":[0,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,16],\"data_offsets\":[0,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[15],\"data_offsets\":[4,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,64]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[0,64]}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":2}\",\"sha256\":\"\"}}",
        "{\"__metadata__\":{\"florin\":\"[[[[[[\",\"sha256\":\"\"}}",
        "{\"__metadata__\":{\"florin\":\"{\\\"florin\\\":1}\",\"sha256\":\"\"},\"a\":3}",
    };
    florin_error err;

    (void)state;
    for (size_t i = 0; i < FL_LEN(header); i++) {
        char bytes[2048];
        size_t n = strlen(header[i]), padded = (8 + n + 63) / 64 * 64;
        memset(bytes, ' ', sizeof bytes);
        memcpy(bytes + 8, header[i], n);
        for (int b = 0; b < 8; b++) bytes[b] = (char)((padded - 8) >> (8 * b));
        memset(bytes + padded, 0, 64);
        if (parse_guarded(bytes, padded + 64, &err) != FLORIN_EFORMAT)
            fail_msg("header %zu was taken", i);
    }
    char huge[16];
    memset(huge, 0xff, sizeof huge);
    assert_int_equal(parse_guarded(huge, sizeof huge, &err), FLORIN_EFORMAT);
}

static void test_errors_of_files(void **state)
{
    fl_model_file *f;
    florin_error err;
    json_t *meta = json_object();
    const fl_tensor twice[] = {{"a", FL_U8, 1, {5}, blob}, {"a", FL_U8, 1, {5}, blob}};

    (void)state;
    assert_int_equal(fl_model_file_open(&f, scratch_path("absent.model"), &err), FLORIN_EIO);
    assert_non_null(strstr(err.message, "absent.model"));
    assert_null(f);
    assert_int_equal(fl_model_file_open(&f, scratch_file("empty.model", "", 0), &err),
                     FLORIN_EFORMAT);
    assert_int_equal(fl_model_file_save(scratch_path("no/such/folder/x"), meta, NULL, 0, &err),
                     FLORIN_EIO);
    assert_int_not_equal(fl_model_file_save(scratch_path("twice.model"), meta, twice, 2, &err),
                         FLORIN_OK);
    assert_false(fl_file_exists(scratch_path("twice.model")));
    json_decref(meta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_errors_of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
