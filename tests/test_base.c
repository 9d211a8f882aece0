/* Hashes against published vectors, random numbers against the reference generator, memory, buffers, map,
 * threads, time text, files that are never half written. */
#include "support/support.h"
#include "base/base.h"
#include "base/file.h"
#include "base/json.h"

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void hash64_matches_xxh64(void **state)
{
    (void)state;
    uint8_t seq[200];
    for (size_t i = 0; i < sizeof seq; i++) seq[i] = (uint8_t)i;
    const char *text = "Nobody inspects the spammish repetition";
    CHECK(fl_hash64("", 0, 0) == 0xef46db3751d8e999u);
    CHECK(fl_hash64("a", 1, 0) == 0xd24ec4f1a98c6e5bu);
    CHECK(fl_hash64("abc", 3, 0) == 0x44bc2cf5ad770999u);
    CHECK(fl_hash64(text, strlen(text), 0) == 0xfbcea83c8a378bf1u);
    CHECK(fl_hash64(seq, 200, 11400714785074694797u) == 0x7d8145b8ed9b5317u);
    CHECK(fl_hash64(seq, 37, 7) == 0x69e0c889396afaf7u);
    /* No byte past the end is read. */
    for (size_t n = 0; n < 70; n++) {
        uint8_t *p = guarded(n);
        memcpy(p, seq, n);
        CHECK(fl_hash64(p, n, 3) == fl_hash64(seq, n, 3));
    }
    guarded_free_all();
}

static void siphash_matches_its_paper(void **state)
{
    (void)state;
    uint8_t key[16], message[15];
    for (uint8_t i = 0; i < 16; i++) key[i] = i;
    for (uint8_t i = 0; i < 15; i++) message[i] = i;
    CHECK(fl_siphash(message, 15, key) == 0xa129ca6149be45e5u);
    CHECK(fl_siphash("", 0, key) == 0x726fdb47dd0e0e31u);
    key[0] ^= 1;
    CHECK(fl_siphash(message, 15, key) != 0xa129ca6149be45e5u);
}

static void sha256_matches_fips(void **state)
{
    (void)state;
    char hex[65], block[1000];
    fl_sha256 s;

    fl_sha256_init(&s);
    fl_sha256_hex(&s, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    fl_sha256_init(&s);
    fl_sha256_add(&s, "abc", 3);
    fl_sha256_hex(&s, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    fl_sha256_init(&s);
    fl_sha256_add(&s, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    fl_sha256_hex(&s, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    /* A million a's, in pieces of every size. */
    memset(block, 'a', sizeof block);
    fl_sha256_init(&s);
    size_t left = 1000000, piece = 1;
    while (left) {
        size_t n = piece < left ? piece : left;
        fl_sha256_add(&s, block, n);
        left -= n;
        piece = piece % 997 + 1;
    }
    fl_sha256_hex(&s, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void random_numbers_repeat(void **state)
{
    (void)state;
    fl_rng r;
    fl_rng_seed(&r, 42);
    CHECK(fl_rng_u64(&r) == 0x15780b2e0c2ec716u);
    CHECK(fl_rng_u64(&r) == 0x6104d9866d113a7eu);
    CHECK(fl_rng_u64(&r) == 0xae17533239e499a1u);
    double sum = 0, squares = 0;
    unsigned count[7] = {0};
    enum { N = 70000 };
    for (int i = 0; i < N; i++) {
        double x = fl_rng_normal(&r), u = fl_rng_double(&r);
        CHECK(u >= 0 && u < 1);
        sum += x;
        squares += x * x;
        count[fl_rng_below(&r, 7)]++;
    }
    CHECK(fabs(sum / N) < .02);
    CHECK(fabs(squares / N - 1) < .03);
    for (int i = 0; i < 7; i++) CHECK(abs((int)count[i] - 10000) < 500);
    CHECK(fl_rng_below(&r, 1) == 0);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    CHECK(!fl_alloc(SIZE_MAX / 2, 3));
    CHECK(!fl_calloc(SIZE_MAX, SIZE_MAX));
    CHECK(!fl_realloc(NULL, SIZE_MAX / 8, 16));
    CHECK(!fl_alloc_aligned(SIZE_MAX, 1));
    uint8_t *p = fl_alloc_aligned(3, 33);
    assert_non_null(p);
    CHECK((uintptr_t)p % 64 == 0);
    for (int i = 0; i < 99; i++) CHECK(p[i] == 0);
    free(p);
    p = fl_alloc(0, 8);
    assert_non_null(p);
    free(p);
    void *q = NULL;
    size_t cap = 0;
    CHECK(fl_grow(&q, &cap, 100, 8) && cap >= 100);
    CHECK(!fl_grow(&q, &cap, SIZE_MAX / 4, 8) && cap >= 100);
    free(q);
    fl_arena *a = fl_arena_new(100);
    for (size_t i = 1; i < 3000; i += 7) {
        uint8_t *at = fl_arena_alloc(a, i);
        CHECK((uintptr_t)at % 16 == 0 && at[0] == 0 && at[i - 1] == 0);
        memset(at, 0xff, i);
    }
    CHECK(!fl_arena_alloc(a, SIZE_MAX - 4));
    assert_string_equal(fl_arena_strdup(a, "word"), "word");
    fl_arena_free(a);
    fl_arena_free(NULL);
}

static void buffers_survive_lost_memory(void **state)
{
    (void)state;
    fl_buf b = {0};
    fl_buf_puts(&b, "x=");
    fl_buf_printf(&b, "%d;%s", 7, "");
    assert_string_equal(b.data, "x=7;");
    allocation_fail_at(1, true);
    for (int i = 0; i < 100; i++) fl_buf_puts(&b, "0123456789");
    allocation_fail_at(0, false);
    CHECK(b.failed);
    CHECK(!strncmp(b.data, "x=7;", 4));
    fl_buf_free(&b);
    CHECK(!b.data && !b.failed);
    allocation_fail_at(1, false);
    CHECK(!fl_strdup("word"));
    allocation_fail_at(1, false);
    CHECK(!fl_asprintf("%d", 1));
    allocation_fail_at(0, false);
}

static void map_keeps_what_it_is_given(void **state)
{
    (void)state;
    fl_map64 m;
    bool fresh;
    CHECK(fl_map64_init(&m, 0));
    for (uint64_t i = 1; i <= 20000; i++) {
        uint32_t *v = fl_map64_insert(&m, i * 0x10000, &fresh);
        CHECK(v && fresh && *v == 0);
        *v = (uint32_t)i;
    }
    CHECK(m.count == 20000);
    for (uint64_t i = 1; i <= 20000; i++) {
        uint32_t *v = fl_map64_insert(&m, i * 0x10000, &fresh);
        CHECK(v && !fresh && *v == i);
        CHECK(!fl_map64_find(&m, i * 0x10000 + 1));
    }
    CHECK(!fl_map64_find(&m, 0));
    size_t cap = m.cap;
    fl_map64_free(&m);
    CHECK(fl_map64_init(&m, 20000) && m.cap <= cap);
    fl_map64_free(&m);
    CHECK(!fl_map64_init(&m, SIZE_MAX));
}

static void square(void *arg, uint32_t i)
{
    ((uint32_t *)arg)[i] += i * i;
}

static void parallel_runs_each_index_once(void **state)
{
    (void)state;
    uint32_t out[1000];
    for (uint32_t threads = 0; threads < 100; threads += 9) {
        memset(out, 0, sizeof out);
        fl_parallel(threads, 1000, square, out);
        for (uint32_t i = 0; i < 1000; i++) CHECK(out[i] == i * i);
    }
    fl_parallel(4, 0, square, out);
}

static void times_are_read_and_written(void **state)
{
    (void)state;
    int64_t t;
    char text[32];
    static const struct {
        const char *text;
        int64_t us;
        const char *back;
    } good[] = {{"1970-01-01", 0, "1970-01-01 00:00:00"},
                {"2018-08-01 12:30", 1533126600000000, "2018-08-01 12:30:00"},
                {"2018-08-01T12:30:45Z", 1533126645000000, "2018-08-01 12:30:45"},
                {"2018-08-01 12:30:45.123", 1533126645123000, "2018-08-01 12:30:45.123"},
                {"2000-02-29 23:59:59.9999999", 951868799999999, "2000-02-29 23:59:59.999999"},
                {"1969-12-31 23:59:59.5", -500000, "1969-12-31 23:59:59.5"},
                {"1600-03-01", -11670912000000000, "1600-03-01 00:00:00"}};
    static const char *const bad[] = {"",
                                      "2018",
                                      "2018-13-01",
                                      "2018-02-29",
                                      "2018-08-01 24:00",
                                      "2018-08-1",
                                      "2018-08-01 ",
                                      "2018-08-01 12:3",
                                      "2018-08-00",
                                      "x018-08-01",
                                      "2018-08-01 12:30:45.",
                                      "2018-08-01Zx",
                                      "2018-08-01 12:61"};
    for (size_t i = 0; i < FL_LEN(good); i++) {
        CHECK(fl_time_parse(good[i].text, &t));
        assert_int_equal(t, good[i].us);
        fl_time_format(t, text);
        assert_string_equal(text, good[i].back);
    }
    for (size_t i = 0; i < FL_LEN(bad); i++) CHECK(!fl_time_parse(bad[i], &t));
    fl_time_format(INT64_MAX, text);
    fl_time_format(INT64_MIN, text);
    CHECK(fl_duration_parse("7d", &t) && t == 7 * FL_DAY_US);
    CHECK(fl_duration_parse("0s", &t) && t == 0);
    CHECK(fl_duration_parse("90m", &t) && t == 5400 * FL_SECOND_US);
    CHECK(fl_duration_parse("2w", &t) && t == 14 * FL_DAY_US);
    CHECK(!fl_duration_parse("", &t) && !fl_duration_parse("7", &t) &&
          !fl_duration_parse("-1d", &t));
    CHECK(!fl_duration_parse("1dd", &t) && !fl_duration_parse("99999999999999d", &t));
}

static void nearest_word_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"amount", "time", "merchant", "id"};
    assert_string_equal(fl_nearest("ammount", names, 4), "amount");
    assert_string_equal(fl_nearest("merchent", names, 4), "merchant");
    CHECK(!fl_nearest("zzz", names, 4));
    CHECK(!fl_nearest("x", names, 4));
    CHECK(!fl_nearest("", names, 4));
}

static void errors_say_what_and_where(void **state)
{
    (void)state;
    florin_error e = {0};
    CHECK(fl_fail(NULL, FLORIN_EIO, "x") == FLORIN_EIO);
    CHECK(fl_fail(&e, FLORIN_EINPUT, "row %d", 7) == FLORIN_EINPUT);
    CHECK(fl_fail_prefix(&e, "%s", "a.csv") == FLORIN_EINPUT);
    assert_string_equal(e.message, "a.csv: row 7");
    char huge[4000];
    memset(huge, 'h', sizeof huge);
    huge[sizeof huge - 1] = 0;
    CHECK(fl_fail_prefix(&e, "%s", huge) == FLORIN_EINPUT);
    CHECK(strlen(e.message) < sizeof e.message);
    CHECK(fl_fail_prefix(NULL, "x") == FLORIN_EINTERNAL);
    for (int s = -1; s < 80; s++) assert_non_null(florin_status_name((florin_status)s));
    fl_say(NULL, FLORIN_LOG_INFO, "x");
    fl_write(NULL, "x", 1);
    fl_progress(NULL, "x", 0, 0);
    CHECK(!fl_cancelled(NULL) && fl_threads(NULL) >= 1 && fl_now_us(NULL) == 0);
}

static size_t files_in(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void files_are_whole_or_old(void **state)
{
    (void)state;
    florin_error e = {0};
    char *text;
    size_t n;
    fl_writer *w;
    const char *dir = scratch_path("deep/er"), *path = scratch_path("deep/er/f");
    assert_int_equal(fl_make_dir(dir, &e), FLORIN_OK);
    assert_int_equal(fl_make_dir(dir, &e), FLORIN_OK);
    assert_int_equal(fl_write_file(path, "old", 3, &e), FLORIN_OK);
    /* While a writer is open, and after it is aborted, the old content stands. */
    assert_int_equal(fl_writer_open(&w, path, 0600, &e), FLORIN_OK);
    char *big = calloc(1 << 20, 1);
    assert_int_equal(fl_writer_add(w, "new", 3, &e), FLORIN_OK);
    assert_int_equal(fl_writer_add(w, big, 1 << 20, &e), FLORIN_OK);
    CHECK(fl_writer_size(w) == 3 + (1 << 20));
    assert_int_equal(fl_read_file(&text, &n, path, 10, &e), FLORIN_OK);
    assert_string_equal(text, "old");
    free(text);
    fl_writer_abort(w);
    fl_writer_abort(NULL);
    CHECK(files_in(dir) == 3);
    assert_int_equal(fl_writer_open(&w, path, 0600, &e), FLORIN_OK);
    assert_int_equal(fl_writer_add(w, "new", 3, &e), FLORIN_OK);
    assert_int_equal(fl_writer_add(w, big, 1 << 20, &e), FLORIN_OK);
    assert_int_equal(fl_writer_commit(w, &e), FLORIN_OK);
    free(big);
    struct stat st;
    CHECK(!stat(path, &st) && st.st_size == 3 + (1 << 20) && (st.st_mode & 0777) == 0600);
    fl_mapping m;
    assert_int_equal(fl_map_file(&m, path, &e), FLORIN_OK);
    CHECK(m.size == 3 + (1 << 20) && !memcmp(m.data, "new", 3));
    fl_unmap(&m);
    assert_int_equal(fl_map_file(&m, scratch_file("empty", "", 0), &e), FLORIN_OK);
    CHECK(m.size == 0 && !m.data);
    fl_unmap(&m);
}

/* Leftovers of killed writers of the same path go; those of living ones, and other files, stay. */
static void leftovers_are_swept(void **state)
{
    (void)state;
    static const char *const name[] = {"g.tmp-%d", "g.tmp-%d",  "g.tmp-%dx",
                                       "g.tmp-",   "gg.tmp-%d", "g.tmp-0"};
    florin_error e = {0};
    char file[400], path[300];
    int status;
    snprintf(path, sizeof path, "%s/g", scratch_path("swept"));
    assert_int_equal(fl_make_dir(scratch_path("swept"), &e), FLORIN_OK);
    pid_t killed = fork(), alive = getppid();
    if (!killed) { /* dies in the midst of writing */
        fl_writer *w;
        if (fl_writer_open(&w, path, 0600, NULL) || fl_writer_add(w, "half", 4, NULL)) _exit(1);
        kill(getpid(), SIGKILL);
    }
    assert_true(killed > 0 && waitpid(killed, &status, 0) == killed && WIFSIGNALED(status));
    for (size_t i = 1; i < FL_LEN(name); i++) {
        char leaf[40];
        snprintf(leaf, sizeof leaf, name[i], i == 1 ? alive : killed);
        snprintf(file, sizeof file, "swept/%s", leaf);
        scratch_file(file, "x", 1);
    }
    CHECK(files_in(scratch_path("swept")) == FL_LEN(name) + 2); /* . and .. */
    assert_int_equal(fl_write_file(path, "new", 3, &e), FLORIN_OK);
    snprintf(file, sizeof file, "%s.tmp-%d", path, killed);
    CHECK(!fl_file_exists(file));
    CHECK(files_in(scratch_path("swept")) == FL_LEN(name) - 1 + 1 + 2);
}

/* A disk that takes no more (here: a limit of the file's size) leaves the old file and no half of the new one. */
static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    florin_error e = {0};
    const char *dir = scratch_path("full"), *path = scratch_path("full/f");
    char *big = calloc(1 << 20, 1), *text;
    size_t n;
    struct rlimit old, low;
    assert_int_equal(fl_make_dir(dir, &e), FLORIN_OK);
    assert_int_equal(fl_write_file(path, "old", 3, &e), FLORIN_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 1 << 16;
    CHECK(!setrlimit(RLIMIT_FSIZE, &low));
    florin_status st = fl_write_file(path, big, 1 << 20, &e);
    CHECK(!setrlimit(RLIMIT_FSIZE, &old));
    assert_int_equal(st, FLORIN_EIO);
    assert_non_null(strstr(e.message, "full/f"));
    assert_int_equal(fl_read_file(&text, &n, path, 10, &e), FLORIN_OK);
    assert_string_equal(text, "old");
    CHECK(files_in(dir) == 3);
    free(text);
    /* Lost memory while writing or reading is an error too, and leaks nothing. */
    bool through = false;
    for (uint64_t k = 1; k < 100 && !through; k++) {
        allocation_fail_at(k, false);
        st = fl_write_file(path, "new", 3, &e);
        if (!st) {
            st = fl_read_file(&text, &n, path, 10, &e);
            if (!st) free(text);
        }
        through = !allocation_failed();
        allocation_fail_at(0, false);
        assert_int_equal(st, through ? FLORIN_OK : FLORIN_ENOMEM);
    }
    CHECK(through && files_in(dir) == 3);
    free(big);
}

static void file_errors_name_the_file(void **state)
{
    (void)state;
    florin_error e = {0};
    fl_mapping m;
    char *text;
    size_t n;
    assert_int_equal(fl_map_file(&m, scratch_path("none"), &e), FLORIN_EIO);
    assert_non_null(strstr(e.message, "none"));
    assert_int_equal(fl_read_file(&text, &n, scratch_folder(), 10, &e), FLORIN_EIO);
    assert_non_null(strstr(e.message, "folder"));
    assert_int_equal(fl_read_file(&text, &n, scratch_file("eleven", "12345678901", 11), 10, &e),
                     FLORIN_EINPUT);
    assert_int_equal(fl_write_file(scratch_folder(), "x", 1, &e), FLORIN_EIO);
    assert_int_equal(fl_write_file(scratch_path("no/such/folder"), "x", 1, &e), FLORIN_EIO);
    assert_int_equal(fl_write_file("/dev/full/x", "x", 1, &e), FLORIN_EIO);
    assert_int_equal(fl_make_dir(scratch_path("eleven/x"), &e), FLORIN_EIO);
    assert_int_equal(fl_make_dir(scratch_path("eleven"), &e), FLORIN_EIO);
    static const char *const join[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < FL_LEN(join); i++) {
        char *p = fl_path_join(join[i][0], join[i][1]);
        assert_string_equal(p, join[i][2]);
        free(p);
    }
    static const char *const dir[][2] = {{"a/b", "a"}, {"a", "."}, {"/a", "/"}, {"/a/b/c", "/a/b"}};
    for (size_t i = 0; i < FL_LEN(dir); i++) {
        char *p = fl_path_dir(dir[i][0]);
        assert_string_equal(p, dir[i][1]);
        free(p);
    }
}

static void json_is_stable_and_finite(void **state)
{
    (void)state;
    florin_error e = {0};
    json_t *j;
    const char *text = "{\"b\":[1,2.5,true],\"a\":{\"s\":\"\\u00e9 \\\"1.50\",\"n\":-3,\"x\":0.1}}";
    assert_int_equal(fl_json_parse(&j, text, strlen(text), "t", &e), FLORIN_OK);
    char *back = fl_json_text(j);
    assert_string_equal(
        back, "{\"a\":{\"n\":-3,\"s\":\"\xc3\xa9 \\\"1.50\",\"x\":0.1},\"b\":[1,2.5,true]}");
    json_t *a = json_object_get(j, "a");
    CHECK(fl_json_int(a, "n", 0) == -3 && fl_json_num(a, "x", 0) == .1 &&
          fl_json_int(a, "x", 9) == 9);
    assert_string_equal(fl_json_str(a, "none", "f"), "f");
    CHECK(fl_json_bool(j, "b", true));
    const char *path = scratch_path("j.json");
    assert_int_equal(fl_json_save(j, path, &e), FLORIN_OK);
    json_decref(j);
    assert_int_equal(fl_json_load(&j, path, &e), FLORIN_OK);
    char *again = fl_json_text(j);
    assert_string_equal(again, back);
    free(again);
    free(back);
    json_decref(j);
    static const char *const bad[] = {
        "", "{", "[1e999]", "[NaN]", "[Infinity]", "{\"a\":1,\"a\":2}", "[1] x", "\xff"};
    for (size_t i = 0; i < FL_LEN(bad); i++) {
        assert_int_equal(fl_json_parse(&j, bad[i], strlen(bad[i]), "bad.json", &e), FLORIN_EINPUT);
        CHECK(!j && strstr(e.message, "bad.json:"));
    }
    CHECK(!json_real((double)NAN) && !json_real((double)INFINITY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hash64_matches_xxh64),
                                       cmocka_unit_test(siphash_matches_its_paper),
                                       cmocka_unit_test(sha256_matches_fips),
                                       cmocka_unit_test(random_numbers_repeat),
                                       cmocka_unit_test(sizes_are_checked),
                                       cmocka_unit_test(buffers_survive_lost_memory),
                                       cmocka_unit_test(map_keeps_what_it_is_given),
                                       cmocka_unit_test(parallel_runs_each_index_once),
                                       cmocka_unit_test(times_are_read_and_written),
                                       cmocka_unit_test(nearest_word_is_found),
                                       cmocka_unit_test(errors_say_what_and_where),
                                       cmocka_unit_test(files_are_whole_or_old),
                                       cmocka_unit_test(leftovers_are_swept),
                                       cmocka_unit_test(a_full_disk_loses_nothing),
                                       cmocka_unit_test(file_errors_name_the_file),
                                       cmocka_unit_test(json_is_stable_and_finite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
