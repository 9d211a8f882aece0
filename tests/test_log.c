/* The event log: what goes in comes out, in the order that log.h promises, against a slow and obvious reference; damage
 * anywhere is found; what deceives the checksums still cannot make a reader look outside. */
#include "support/support.h"

#include "base/file.h"
#include "data/log_layout.h"
#include "data/log_writer.h"
#include "support/blocks_sign.h"
#include <math.h>
#include <stdio.h>

enum { N = 3000, CARDS = 40, SHOPS = 9, VALUES = 25 };

static const char SCHEMA[] = "florin: 1\n"
                             "name: t\n"
                             "currency: EUR\n"
                             "entities:\n  card: {role: payer}\n  shop: {role: payee}\n"
                             "sources:\n"
                             "  payment:\n    time: t\n    id: i\n    amount: a\n"
                             "    entities: {card: c, shop: s}\n    categories: {kind: k}\n"
                             "    numbers: {x: x, y: y}\n    marks: {declined: d}\n"
                             "    labels:\n      fraud: {column: f, delay: 1d}\n"
                             "  login:\n    time: t\n    id: i\n    entities: {card: c}\n";

typedef struct {
    int64_t time, amount;
    uint32_t card, shop, value; /* FL_NONE: absent */
    float x;
    bool has_x;
    uint8_t type, marks;
    uint16_t currency;
    char id[16];
} made;

static made event[N];
static char log_path[512];

static void make_events(void)
{
    fl_rng r;
    fl_rng_seed(&r, 11);
    for (int i = 0; i < N; i++) {
        made *e = &event[i];
        *e = (made){.time = (int64_t)fl_rng_below(&r, N / 4) * FL_SECOND_US,
                    .amount = fl_rng_below(&r, 9) ? (int64_t)fl_rng_below(&r, 99999) - 5000
                                                  : FL_AMOUNT_NONE,
                    .card = fl_rng_below(&r, 30) ? (uint32_t)fl_rng_below(&r, CARDS) : FL_NONE,
                    .shop = fl_rng_below(&r, 3) ? (uint32_t)fl_rng_below(&r, SHOPS) : FL_NONE,
                    .value = fl_rng_below(&r, 7) ? (uint32_t)fl_rng_below(&r, VALUES) : FL_NONE,
                    .has_x = fl_rng_below(&r, 5) != 0,
                    .type = fl_rng_below(&r, 6) == 0,
                    .marks = (uint8_t)fl_rng_below(&r, 2),
                    .currency = (uint16_t)(fl_rng_below(&r, 4) ? 0 : 77)};
        if (e->has_x) e->x = (float)fl_rng_normal(&r);
        snprintf(e->id, sizeof e->id, "e%d", i);
    }
}

static fl_schema *schema(void)
{
    fl_schema *s = NULL;
    florin_error err = {0};
    if (fl_schema_parse(&s, SCHEMA, sizeof SCHEMA - 1, "test", &err)) fail_msg("%s", err.message);
    return s;
}

static fl_log_writer *open_writer(const char *path, bool sorted, const florin_context *ctx)
{
    fl_schema *s = schema();
    fl_log_writer *w = NULL;
    florin_error err = {0};
    if (fl_log_writer_open(&w, path, s, sorted, true, ctx, &err)) fail_msg("%s", err.message);
    fl_schema_free(s);
    return w;
}

static void write_event(fl_log_writer *w, const made *e)
{
    char text[32];
    fl_log_row row = {.time_us = e->time,
                      .amount_minor = e->amount,
                      .type = e->type,
                      .marks = e->marks,
                      .currency = e->currency,
                      .number = {e->x},
                      .number_present = e->has_x,
                      .id = e->id,
                      .id_len = strlen(e->id)};
    for (int k = 0; k < FL_KINDS_MAX; k++) row.entity[k] = FL_NONE;
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) row.category[f] = FL_NONE;
    uint32_t of[2] = {e->card, e->shop};
    for (int k = 0; k < 2; k++)
        if (of[k] != FL_NONE) {
            snprintf(text, sizeof text, "number %u", of[k]);
            assert_int_equal(fl_log_writer_entity(w, k, text, strlen(text), &row.entity[k], NULL),
                             FLORIN_OK);
        }
    if (e->value != FL_NONE) {
        snprintf(text, sizeof text, "value %u", e->value);
        assert_int_equal(fl_log_writer_value(w, 0, text, strlen(text), &row.category[0], NULL),
                         FLORIN_OK);
    }
    assert_int_equal(fl_log_writer_row(w, &row, NULL), FLORIN_OK);
}

/* Labels of event i: one in three has one, one in nine is corrected later. Numbered as they are added. */
static void write_labels(fl_log_writer *w, const made *e, int i)
{
    uint64_t id = fl_event_id_hash(e->type, e->id, strlen(e->id));
    if (i % 3) return;
    assert_int_equal(fl_log_writer_label(w, id, 0, 1, e->time + (i % 50) * FL_SECOND_US, NULL),
                     FLORIN_OK);
    if (i % 9 == 0)
        assert_int_equal(fl_log_writer_label(w, id, 0, 0, e->time + FL_DAY_US, NULL), FLORIN_OK);
}

static fl_log_written commit(fl_log_writer *w)
{
    fl_log_written t;
    florin_error err = {0};
    if (fl_log_writer_commit(w, &t, &err)) fail_msg("%s", err.message);
    return t;
}

static fl_log *open_log(const char *path)
{
    fl_log *log = NULL;
    florin_error err = {0};
    if (fl_log_open(&log, path, &err)) fail_msg("%s", err.message);
    return log;
}

static bool same_text(const char *a, size_t n, const char *b)
{
    return a && n == strlen(b) && !memcmp(a, b, n);
}

static void check_event(const fl_log *log, uint64_t row, const made *e)
{
    fl_event got;
    char text[32], number[FL_ID_NUMBER];
    size_t n;
    fl_log_event(log, row, &got);
    const char *id = fl_log_event_id(log, row, number, &n);
    assert_true(same_text(id, n, e->id));
    assert_true(got.id == fl_event_id_hash(e->type, e->id, strlen(e->id)));
    assert_true(got.time_us == e->time && got.amount_minor == e->amount && got.type == e->type &&
                got.marks == e->marks && got.currency == e->currency);
    assert_true(got.number_present == e->has_x && got.number[0] == e->x && got.number[1] == 0);
    uint32_t of[2] = {e->card, e->shop};
    for (int k = 0; k < 2; k++) {
        assert_true((of[k] == FL_NONE) == (got.entity[k] == FL_NONE));
        assert_true((of[k] == FL_NONE) == (got.entity_hash[k] == 0));
        if (of[k] == FL_NONE) continue;
        snprintf(text, sizeof text, "number %u", of[k]);
        const char *name = fl_log_entity_name(log, k, got.entity[k], &n);
        assert_true(same_text(name, n, text));
        assert_int_equal(fl_log_entity_find(log, k, got.entity_hash[k]), got.entity[k]);
    }
    if (e->value == FL_NONE) {
        assert_true(got.category[0] == 0);
        return;
    }
    snprintf(text, sizeof text, "value %u", e->value);
    const char *value = fl_log_value_text(log, 0, got.category[0], &n);
    assert_true(same_text(value, n, text));
}

/* The rows of every entity, found by looking at every event. */
static void check_index(const fl_log *log)
{
    for (int k = 0; k < 2; k++)
        for (uint32_t e = 0; e < fl_log_entities(log, k); e++)
            for (uint32_t s = 0; s < fl_log_segments(log); s++) {
                uint32_t n, at = 0;
                const uint32_t *rows = fl_log_entity_rows(log, k, e, s, &n);
                uint64_t first = fl_log_segment_first(log, s),
                         end = fl_log_segment_first(log, s + 1);
                for (uint64_t r = first; r < end; r++)
                    if (fl_log_entity(log, k, r) == e) {
                        assert_true(at < n && rows[at] + first == r);
                        at++;
                    }
                assert_int_equal(at, n);
            }
}

static void check_labels(const fl_log *log, uint64_t want)
{
    fl_label l, before = {.arrival_us = INT64_MIN};
    size_t n;
    assert_int_equal(fl_log_labels(log), want);
    for (uint64_t i = 0; i < want; i++, before = l) {
        fl_log_label(log, i, &l);
        assert_true(l.arrival_us >= before.arrival_us && l.row < fl_log_rows(log));
        char text[16] = {0}, number[FL_ID_NUMBER];
        const char *id = fl_log_event_id(log, l.row, number, &n);
        memcpy(text, id, n);
        int e = atoi(text + 1);
        assert_true(e % 3 == 0);
        assert_true(l.arrival_us ==
                    event[e].time + (l.value > 0 ? (e % 50) * FL_SECOND_US : FL_DAY_US));
    }
}

/* Stable order by time of events [from, to): insertion sort, the obvious one. */
static void sorted_order(int *order, int from, int to)
{
    for (int i = from; i < to; i++) {
        int at = i - from;
        while (at && event[order[at - 1]].time > event[i].time) at--;
        memmove(order + at + 1, order + at, (size_t)(i - from - at) * sizeof *order);
        order[at] = i;
    }
}

static void write_part(const char *path, int from, int to)
{
    fl_log_writer *w = open_writer(path, false, NULL);
    for (int i = from; i < to; i++) {
        write_event(w, &event[i]);
        write_labels(w, &event[i], i);
    }
    assert_int_equal(commit(w).rows, to - from);
}

static void round_trip(void **state)
{
    static int order[N];
    (void)state;
    int cut[] = {0, 1000, 1001, N};
    for (int p = 0; p < 3; p++) {
        write_part(log_path, cut[p], cut[p + 1]);
        sorted_order(order + cut[p], cut[p], cut[p + 1]);
    }
    fl_log *log = open_log(log_path);
    assert_int_equal(fl_log_rows(log), N);
    assert_int_equal(fl_log_segments(log), 3);
    for (int i = 0; i < N; i++) check_event(log, (uint64_t)i, &event[order[i]]);
    check_index(log);
    check_labels(log, N / 3 + (N + 8) / 9);
    assert_int_equal(fl_log_entities(log, 0), CARDS);
    for (int i = 0; i < N; i++)
        assert_int_equal(fl_log_find(log, fl_event_id_hash(event[order[i]].type, event[order[i]].id,
                                                           strlen(event[order[i]].id))),
                         i);
    assert_true(fl_log_find(log, 12345) == UINT64_MAX);
    fl_log_close(log);
}

static void again_adds_nothing(void **state)
{
    (void)state;
    fl_log *log = open_log(log_path);
    char hash[65];
    snprintf(hash, sizeof hash, "%s", fl_log_hash(log));
    fl_log_close(log);
    fl_log_writer *w = open_writer(log_path, false, NULL);
    for (int i = 0; i < N; i++) {
        write_event(w, &event[i]);
        write_labels(w, &event[i], i);
    }
    fl_log_written t = commit(w);
    assert_true(t.rows == 0 && t.labels == 0 && t.duplicates == N);
    log = open_log(log_path);
    assert_string_equal(hash, fl_log_hash(log));
    assert_int_equal(fl_log_segments(log), 3);
    fl_log_close(log);
}

/* Sorted input past the memory option: several segments, one stream, labels of earlier segments found. */
static void little_memory(void **state)
{
    enum { ROWS = 200000 };
    (void)state;
    florin_context ctx = FLORIN_CONTEXT_INIT;
    ctx.memory_bytes = 1 << 20;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("little"));
    fl_log_writer *w = open_writer(path, true, &ctx);
    made e = event[0];
    for (int i = 0; i < ROWS; i++) {
        e.time = i * 1000;
        e.card = (uint32_t)(i % 1000);
        snprintf(e.id, sizeof e.id, "e%d", i);
        write_event(w, &e);
    }
    assert_int_equal(fl_log_writer_label(w, fl_event_id_hash(e.type, "e5", 2), 0, 1, 6000, NULL),
                     0);
    assert_int_equal(fl_log_writer_label(w, fl_event_id_hash(e.type, "no", 2), 0, 1, 6000, NULL),
                     0);
    fl_log_written t = commit(w);
    assert_true(t.rows == ROWS && t.labels == 1 && t.labels_unmatched == 1);
    fl_log *log = open_log(path);
    fl_label l;
    fl_log_label(log, 0, &l);
    assert_true(fl_log_rows(log) == ROWS && fl_log_segments(log) > 1 && l.row == 5);
    assert_int_equal(fl_log_entities(log, 0), 1000);
    for (uint64_t i = 0; i < ROWS; i++) assert_true(fl_log_time(log, i) == (int64_t)i * 1000);
    fl_log_close(log);

    w = open_writer(path, true, &ctx);
    e.time = 5;
    snprintf(e.id, sizeof e.id, "x");
    write_event(w, &e);
    fl_log_row late = {.time_us = 4, .id = "y", .id_len = 1};
    florin_error err = {0};
    assert_int_equal(fl_log_writer_row(w, &late, &err), FLORIN_EINTERNAL);
    fl_log_writer_abort(w);
    log = open_log(path);
    assert_int_equal(fl_log_rows(log), ROWS);
    fl_log_close(log);
}

static void empty_log(void **state)
{
    (void)state;
    const char *path = scratch_path("empty.log");
    commit(open_writer(path, false, NULL));
    fl_log *log = open_log(path);
    assert_true(fl_log_rows(log) == 0 && fl_log_labels(log) == 0 && fl_log_entities(log, 0) == 0);
    assert_true(fl_log_time_min(log) == 0 && fl_log_time_max(log) == 0);
    fl_log_close(log);
}

static void must_refuse(const char *path, const char *what, size_t at)
{
    fl_log *log = NULL;
    florin_error err = {0};
    florin_status st = fl_log_open(&log, path, &err);
    if (st != FLORIN_EFORMAT && st != FLORIN_EINPUT) fail_msg("%s %zu: status %d", what, at, st);
    assert_true(strstr(err.message, path) != NULL);
}

/* Every bit of every file of a small log, and every length. White space in the manifest says nothing. */
static void damage(void **state)
{
    (void)state;
    char path[512], file[600];
    const char *files[] = {"manifest.json", "seg-000001.fls", "ids-000001.fld"};
    snprintf(path, sizeof path, "%s", scratch_path("small"));
    write_part(path, 0, 12);
    for (size_t f = 0; f < FL_LEN(files); f++) {
        char *bytes = NULL;
        size_t n = 0, step = f == 0 ? 1 : 3;
        snprintf(file, sizeof file, "%s/%s", path, files[f]);
        assert_int_equal(fl_read_file(&bytes, &n, file, 1 << 20, NULL), FLORIN_OK);
        for (size_t i = 0; i < n; i += step) {
            if (f == 0 && strchr(" \n\t\r", bytes[i])) continue;
            flip_bit(file, i, (int)(i % 8));
            must_refuse(path, files[f], i);
            flip_bit(file, i, (int)(i % 8));
        }
        for (size_t i = f ? 0 : 2; i + 1 < n; i += 37) {
            cut_file(file, n - 1 - i);
            must_refuse(path, "length", n - 1 - i);
            FILE *out = fopen(file, "wb");
            assert_non_null(out);
            assert_int_equal(fwrite(bytes, 1, n, out), n);
            fclose(out);
        }
        free(bytes);
    }
    fl_log_close(open_log(path));
    remove(file); /* the dictionary may go */
    fl_log *log = open_log(path);
    size_t n;
    assert_null(fl_log_entity_name(log, 0, 0, &n));
    fl_log_close(log);
}

/* Read all that a log offers, as a careless caller would. */
static void read_all(fl_log *log)
{
    fl_event e;
    fl_label l;
    size_t n;
    uint32_t m;
    uint64_t sum = 0;
    for (uint64_t r = 0; r < fl_log_rows(log); r++) {
        fl_log_event(log, r, &e);
        char number[FL_ID_NUMBER];
        const char *id = fl_log_event_id(log, r, number, &n);
        for (size_t i = 0; i < n; i++) sum += (uint8_t)id[i];
        const char *v = fl_log_value_text(log, 0, e.category[0], &n);
        for (size_t i = 0; v && i < n; i++) sum += (uint8_t)v[i];
        sum += e.time_us;
    }
    for (uint64_t i = 0; i < fl_log_labels(log); i++) {
        fl_log_label(log, i, &l);
        sum += (uint64_t)fl_log_time(log, l.row);
    }
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < fl_log_entities(log, k); i++)
            for (uint32_t s = 0; s < fl_log_segments(log); s++) {
                const uint32_t *rows = fl_log_entity_rows(log, k, i, s, &m);
                for (uint32_t j = 0; j < m; j++)
                    sum += (uint64_t)fl_log_time(log, rows[j] + fl_log_segment_first(log, s));
            }
    assert_true(sum != 1);
}

/* Any one 8-byte word of a segment replaced by an extreme, and signed: refused, or read without a fault. */
static void deceit(void **state)
{
    (void)state;
    char path[512], file[600], manifest[600], hex[17];
    snprintf(path, sizeof path, "%s", scratch_path("deceit"));
    write_part(path, 0, 12);
    snprintf(file, sizeof file, "%s/seg-000001.fls", path);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", path);
    char *bytes = NULL;
    size_t n = 0, refused = 0;
    assert_int_equal(fl_read_file(&bytes, &n, file, 1 << 20, NULL), FLORIN_OK);
    json_t *j = NULL;
    assert_int_equal(fl_json_load(&j, manifest, NULL), FLORIN_OK);
    static const uint64_t extreme[] = {UINT64_MAX, UINT64_C(1) << 63, 0, 0x7fffffff00000001u};
    for (size_t at = 64; at + 8 <= n; at += 8)
        for (size_t x = 0; x < FL_LEN(extreme); x++) {
            uint8_t *copy = fl_alloc(n, 1);
            memcpy(copy, bytes, n);
            memcpy(copy + at, &extreme[x], 8);
            uint64_t hash = blocks_sign(copy, n);
            FILE *out = fopen(file, "wb");
            assert_non_null(out);
            assert_int_equal(fwrite(copy, 1, n, out), n);
            fclose(out);
            free(copy);
            snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
            json_object_set_new(json_array_get(json_object_get(j, "segments"), 0), "checksum",
                                json_string(hex));
            assert_int_equal(fl_manifest_hash(j, hex, NULL), FLORIN_OK);
            json_object_set_new(j, "hash", json_string(hex));
            assert_int_equal(fl_json_save(j, manifest, NULL), FLORIN_OK);
            fl_log *log = NULL;
            if (fl_log_open(&log, path, NULL)) refused++;
            else read_all(log);
            fl_log_close(log);
        }
    assert_true(refused > n / 8);
    json_decref(j);
    free(bytes);
}

/* Every allocation fails once: an error, never a crash, and the log stays as it was. */
static void no_memory(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("nomem"));
    write_part(path, 0, 12);
    for (uint64_t i = 1;; i++) {
        fl_log *log = NULL;
        allocation_fail_at(i, true);
        florin_status st = fl_log_open(&log, path, NULL);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        if (!st) {
            assert_int_equal(fl_log_rows(log), 12);
            fl_log_close(log);
        }
        if (!failed) break;
        assert_int_not_equal(st, FLORIN_OK);
    }
}

int main(void)
{
    snprintf(log_path, sizeof log_path, "%s", scratch_path("log"));
    make_events();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(again_adds_nothing),
        cmocka_unit_test(little_memory), cmocka_unit_test(empty_log),
        cmocka_unit_test(damage),        cmocka_unit_test(deceit),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
