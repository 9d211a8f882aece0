/* The state file: going on from it is as if nothing had stopped; a file that is cut, flipped, forged, of another model,
 * key or size is refused; kill -9 while it is written leaves the old one. */
#include "support/support.h"
#include "support/blocks_sign.h"
#include "support/model_fixture.h"
#include "support/score_fixture.h"
#include "base/file.h"
#include "score/state.h"
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEADS = 2 };

static const char *log_path;
static char model_path[512], other_path[512], refitted_path[512], blocks_path[512];

static int set_up(void **state)
{
    (void)state;
    log_path = score_log();
    snprintf(model_path, sizeof model_path, "%s", scratch_path("a.model"));
    snprintf(other_path, sizeof other_path, "%s", scratch_path("b.model"));
    snprintf(refitted_path, sizeof refitted_path, "%s", scratch_path("c.model"));
    snprintf(blocks_path, sizeof blocks_path, "%s", scratch_path("d.model"));
    score_model(model_path, log_path, 5, 77);
    score_model(blocks_path, log_path, FIXTURE_TRANSFORMER + FIXTURE_INT8 + 5, 77);
    score_model(other_path, log_path, 7, 77);
    score_model(refitted_path, log_path, 5, 99);
    return 0;
}

static florin_model *open_model(const char *path)
{
    florin_model *m;
    florin_error err = {0};

    if (florin_model_open(&m, path, NULL, &err)) fail_msg("%s", err.message);
    return m;
}

static florin_scorer_options small(uint32_t most, const char *state)
{
    florin_scorer_options o = FLORIN_SCORER_INIT;

    o.entities_max = most;
    o.pairs_max = 2 * most;
    o.pending_max = 2 * most;
    o.state = state;
    return o;
}

/* Steps of the log from `from` to `to` handed to a scorer; scores of events appended to out. */
static uint32_t feed(florin_scorer *s, uint32_t from, uint32_t to, florin_head_score *out)
{
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    florin_status item;
    uint32_t n = 0;
    fl_step step;

    score_feed_open(&f, log_path, s);
    for (uint32_t i = 0; i < to && (step = score_feed_next(&f, &e, &l)) != FL_STEP_END; i++) {
        if (i < from) continue;
        if (step == FL_STEP_EVENT) {
            assert_int_equal(florin_score(s, &e, 1, out + HEADS * n++, &item, NULL), FLORIN_OK);
            assert_int_equal(item, FLORIN_OK);
        } else if (florin_label(s, &l, NULL) == FLORIN_ESCHEMA) {
            fail();
        }
    }
    score_feed_close(&f);
    return n;
}

static void save(const florin_scorer *s, const char *path)
{
    florin_error err = {0};

    if (florin_scorer_save(s, path, &err)) fail_msg("%s", err.message);
}

static char *contents(const char *path, size_t *n)
{
    char *bytes;

    assert_int_equal(fl_read_file(&bytes, n, path, (size_t)1 << 30, NULL), FLORIN_OK);
    return bytes;
}

/* Stopped and opened again in the middle, with room for all or with evictions, by the same or a refitted model. */
static void goes_on(uint32_t most, const char *first, const char *then)
{
    enum { MIDDLE = 1500, END = 2600 };
    florin_model *m = open_model(first), *after = open_model(then);
    florin_scorer_options o = small(most, NULL);
    florin_scorer *straight, *stopped;
    florin_head_score *a = calloc(END * HEADS, sizeof *a), *b = calloc(END * HEADS, sizeof *b);
    char path[512], end_a[512], end_b[512];
    size_t n, k;
    florin_error err = {0};

    snprintf(path, sizeof path, "%s", scratch_path("middle.state"));
    snprintf(end_a, sizeof end_a, "%s", scratch_path("end.a"));
    snprintf(end_b, sizeof end_b, "%s", scratch_path("end.b"));
    assert_int_equal(florin_scorer_open(&straight, m, &o, NULL), FLORIN_OK);
    feed(straight, 0, MIDDLE, a);
    save(straight, path);
    uint32_t events = feed(straight, MIDDLE, END, a);
    save(straight, end_a);

    florin_scorer_options from = FLORIN_SCORER_INIT; /* capacities as in the file */
    from.state = path;
    if (florin_scorer_open(&stopped, after, &from, &err)) fail_msg("%s", err.message);
    assert_int_equal(feed(stopped, MIDDLE, END, b), events);
    save(stopped, end_b);
    if (!strcmp(then, first)) assert_memory_equal(a, b, events * HEADS * sizeof *a);
    char *x = contents(end_a, &n), *y = contents(end_b, &k);
    assert_int_equal(n, k);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
    free(a);
    free(b);
    florin_scorer_close(straight);
    florin_scorer_close(stopped);
    florin_model_close(m);
    florin_model_close(after);
}

static void test_as_if_never_stopped(void **state)
{
    (void)state;
    goes_on(2000, model_path, model_path);
    goes_on(11, model_path, model_path);
    goes_on(11, model_path, refitted_path);
    goes_on(2000, blocks_path, blocks_path);
    goes_on(11, blocks_path, blocks_path);
}

/* A model of fold heads alone has no streams, and its state goes on just the same. */
static void test_fold_alone(void **state)
{
    char path[512], saved[512], again[512];
    fl_log *log;
    fl_fold_plan *plan;
    florin_model *m;
    florin_scorer *s, *t;
    florin_head_score none[1];
    size_t n, k;
    florin_error err = {0};

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("fold.model"));
    snprintf(saved, sizeof saved, "%s", scratch_path("fold.state"));
    snprintf(again, sizeof again, "%s", scratch_path("fold.again"));
    assert_int_equal(fl_log_open(&log, log_path, NULL), FLORIN_OK);
    assert_int_equal(fl_fold_plan_new(&plan, fl_log_schema(log), NULL), FLORIN_OK);
    json_t *meta = json_pack("{s:o, s:o, s:[]}", "schema", fl_schema_to_json(fl_log_schema(log)),
                             "fold", fl_fold_plan_to_json(plan), "heads");
    if (fl_model_file_save(path, meta, NULL, 0, &err)) fail_msg("%s", err.message);
    json_decref(meta);
    fl_fold_plan_free(plan);
    m = open_model(path);
    florin_scorer_options o = small(100, NULL);
    assert_int_equal(florin_scorer_open(&s, m, &o, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_heads(s), 0);
    int64_t half = fl_log_time(log, SCORE_EVENTS / 2);
    assert_int_equal(florin_scorer_warm(s, log_path, half, NULL, &err), FLORIN_OK);
    save(s, saved);
    o.state = saved;
    if (florin_scorer_open(&t, m, &o, &err)) fail_msg("%s", err.message);
    for (int i = 0; i < 2; i++) {
        florin_scorer *each = i ? t : s;
        florin_event e;
        florin_label_arrival l;
        florin_status item;
        score_feed f;
        score_feed_open(&f, log_path, each);
        for (fl_step step; (step = score_feed_next(&f, &e, &l)) != FL_STEP_END;) {
            if (step != FL_STEP_EVENT || e.time_us < half) continue;
            assert_int_equal(florin_score(each, &e, 1, none, &item, NULL), FLORIN_OK);
            assert_int_equal(item, FLORIN_OK);
        }
        score_feed_close(&f);
    }
    save(s, saved);
    save(t, again);
    char *x = contents(saved, &n), *y = contents(again, &k);
    assert_int_equal(n, k);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
    florin_scorer_close(s);
    florin_scorer_close(t);
    florin_model_close(m);
    fl_log_close(log);
}

/* A small state and its file. */
static void make_state(const char *path, uint32_t steps)
{
    florin_model *m = open_model(model_path);
    florin_scorer_options o = small(40, NULL);
    florin_scorer *s;
    florin_head_score *scores = calloc(steps * HEADS, sizeof *scores);

    assert_int_equal(florin_scorer_open(&s, m, &o, NULL), FLORIN_OK);
    feed(s, 0, steps, scores);
    save(s, path);
    florin_scorer_close(s);
    florin_model_close(m);
    free(scores);
}

static florin_status opens(florin_model *m, const char *path, florin_error *err)
{
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_scorer *s;
    o.state = path;
    florin_status st = florin_scorer_open(&s, m, &o, err);
    florin_scorer_close(s);
    return st;
}

static void test_damaged(void **state)
{
    char path[512], key[17] = "";
    uint8_t raw[16] = "florin built-in";
    size_t n;
    fl_model *m;
    fl_saved *f;
    florin_error err = {0};
    fl_rng r;

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("damaged.state"));
    make_state(path, 8);
    char *good = contents(path, &n);
    assert_int_equal(fl_model_open(&m, model_path, NULL, NULL), FLORIN_OK);
    fl_key_print(raw, key);
    assert_int_equal(fl_saved_open(&f, path, m, key, &err), FLORIN_OK);
    fl_saved_close(f);
    fl_rng_seed(&r, 1);
    /* One bit of every seventh byte, and of every byte of the tail. */
    for (size_t i = 0; i < n; i += i + 600 < n ? 7 : 1) {
        int bit = (int)fl_rng_below(&r, 8);
        flip_bit(path, i, bit);
        assert_int_equal(fl_saved_open(&f, path, m, key, &err), FLORIN_EFORMAT);
        assert_null(f);
        assert_non_null(strstr(err.message, path));
        flip_bit(path, i, bit);
    }
    for (size_t i = n; i-- > 0;) {
        cut_file(path, i);
        assert_int_equal(fl_saved_open(&f, path, m, key, &err), FLORIN_EFORMAT);
    }
    assert_int_equal(fl_saved_open(&f, scratch_path("none"), m, key, &err), FLORIN_EIO);
    fl_model_close(m);
    free(good);
}

/* A file that is whole and lies: checksums made right again by a deceiver. Refused or harmless, never a crash. */
static void test_forged(void **state)
{
    char path[512];
    size_t n;
    fl_rng r;
    uint32_t refused = 0, taken = 0;
    florin_model *m = open_model(model_path);

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("forged.state"));
    make_state(path, 60);
    char *good = contents(path, &n), *bad = malloc(n);
    fl_rng_seed(&r, 2);
    for (int i = 0; i < 300; i++) {
        florin_error err = {0};
        florin_scorer_options o = FLORIN_SCORER_INIT;
        florin_scorer *s;
        memcpy(bad, good, n);
        for (int k = 0; k < 30; k++) bad[fl_rng_below(&r, n)] = (char)(fl_rng_below(&r, 256));
        if (i % 3 == 0) /* in the description, as often as not */
            bad[64 + fl_rng_below(&r, 400)] = (char)('0' + fl_rng_below(&r, 10));
        if (!blocks_sign((uint8_t *)bad, n)) continue;
        assert_int_equal(fl_write_file(path, bad, n, NULL), FLORIN_OK);
        o.state = path;
        o.entities_max = o.pairs_max = o.pending_max = 2000;
        if (florin_scorer_open(&s, m, &o, &err)) {
            assert_true(err.message[0]);
            refused++;
            continue;
        }
        florin_head_score score[100 * HEADS];
        uint32_t events = feed(s, 60, 140, score);
        for (uint32_t k = 0; k < events * HEADS; k++)
            assert_true(score[k].probability >= 0 && score[k].probability <= 1);
        florin_scorer_close(s);
        taken++;
    }
    assert_true(refused > 20);
    assert_true(taken > 20);
    free(good);
    free(bad);
    florin_model_close(m);
}

/* A file whose states are laid out as they were before is refused, and the way out is named. */
static void test_other_version(void **state)
{
    char path[512];
    size_t n;
    const char what[] = "\"florin_state\":";
    florin_model *m = open_model(model_path);
    florin_error err = {0};

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("old.state"));
    make_state(path, 60);
    char *bytes = contents(path, &n), *at = memmem(bytes, n, what, sizeof what - 1);
    assert_non_null(at);
    at[sizeof what - 1]--;
    assert_true(blocks_sign((uint8_t *)bytes, n));
    assert_int_equal(fl_write_file(path, bytes, n, NULL), FLORIN_OK);
    assert_int_equal(opens(m, path, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "another version"));
    assert_non_null(strstr(err.message, "warm up from the log"));
    free(bytes);
    florin_model_close(m);
}

static void test_belongs(void **state)
{
    char path[512], key[512];
    florin_model *m = open_model(model_path), *other = open_model(other_path),
                 *refitted = open_model(refitted_path);
    florin_scorer_options o = small(3, NULL);
    florin_scorer *s;
    florin_error err = {0};
    const char hex[] = "000102030405060708090a0b0c0d0e0f\n";

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("belongs.state"));
    snprintf(key, sizeof key, "%s", scratch_file("key.hex", hex, sizeof hex - 1));
    make_state(path, 60);
    assert_int_equal(opens(m, path, &err), FLORIN_OK);
    assert_int_equal(opens(refitted, path, &err), FLORIN_OK);
    assert_int_equal(opens(other, path, &err), FLORIN_ESCHEMA);
    assert_non_null(strstr(err.message, "another model"));
    o.state = path;
    assert_int_equal(florin_scorer_open(&s, m, &o, &err), FLORIN_ENOMEM);
    assert_non_null(strstr(err.message, "capacity is 3"));
    o = small(100, path);
    o.key = key;
    assert_int_equal(florin_scorer_open(&s, m, &o, &err), FLORIN_ESCHEMA);
    assert_non_null(strstr(err.message, "another key"));
    o.state = NULL;
    assert_int_equal(florin_scorer_open(&s, m, &o, &err), FLORIN_OK);
    assert_int_equal(florin_scorer_warm(s, log_path, INT64_MAX, NULL, &err), FLORIN_ESCHEMA);
    assert_non_null(strstr(err.message, "another key"));
    florin_scorer_close(s);
    o.key = model_path;
    assert_int_equal(florin_scorer_open(&s, m, &o, &err), FLORIN_EINPUT);
    assert_int_equal(opens(m, model_path, &err), FLORIN_EFORMAT);
    char seg[600];
    snprintf(seg, sizeof seg, "%s/seg-000001.fls", log_path);
    assert_int_equal(opens(m, seg, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, "not a state file"));
    florin_model_close(m);
    florin_model_close(other);
    florin_model_close(refitted);
}

/* A larger and a smaller ring of events that await labels. */
static void test_other_capacities(void **state)
{
    char path[512];
    florin_model *m = open_model(model_path);
    florin_scorer *s;
    florin_scorer_counts c = FLORIN_SCORER_COUNTS_INIT;
    florin_head_score score[100 * HEADS];

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("ring.state"));
    make_state(path, 300);
    florin_scorer_options o = small(5000, path);
    assert_int_equal(florin_scorer_open(&s, m, &o, NULL), FLORIN_OK);
    feed(s, 300, 380, score);
    florin_scorer_close(s);
    o.pending_max = 10;
    assert_int_equal(florin_scorer_open(&s, m, &o, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_stats(s, &c, NULL), FLORIN_OK);
    assert_true(c.forgotten >= 70);
    feed(s, 300, 380, score);
    florin_scorer_close(s);
    florin_model_close(m);
}

/* A file that may not grow, as on a full disk; a folder that is not there: an error, and the old file stays. */
static void test_no_room(void **state)
{
    char path[512];
    struct rlimit old, tight;
    size_t n, k;
    florin_model *m = open_model(model_path);
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_scorer *s;
    florin_error err = {0};

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("full.state"));
    make_state(path, 300);
    char *before = contents(path, &n);
    o.state = path;
    assert_int_equal(florin_scorer_open(&s, m, &o, NULL), FLORIN_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = old;
    tight.rlim_cur = n / 2;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    florin_status st = florin_scorer_save(s, path, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, FLORIN_EIO);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(florin_scorer_save(s, scratch_path("none/state"), &err), FLORIN_EIO);
    char *after = contents(path, &k);
    assert_int_equal(n, k);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    florin_scorer_close(s);
    florin_model_close(m);
}

static void test_kill(void **state)
{
    char path[512];
    florin_model *m = open_model(model_path);
    florin_error err = {0};

    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("killed.state"));
    make_state(path, 300);
    for (int i = 0; i < 12; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            florin_scorer_options o = FLORIN_SCORER_INIT;
            florin_scorer *s;
            o.state = path;
            if (florin_scorer_open(&s, m, &o, NULL)) _exit(1);
            while (!florin_scorer_save(s, path, NULL)) continue;
            _exit(1);
        }
        usleep(3000 * (useconds_t)(i + 1));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        if (opens(m, path, &err)) fail_msg("%s", err.message);
    }
    assert_int_equal(florin_scorer_save(NULL, path, &err), FLORIN_EUSAGE);
    florin_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_if_never_stopped),
        cmocka_unit_test(test_fold_alone),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_belongs),
        cmocka_unit_test(test_other_capacities),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_kill),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
