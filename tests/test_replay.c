/* The order of things: a log replayed in any split gives the same bytes; labels never act before their arrival. */
#include "support/support.h"

#include <stdio.h>

#include "data/log_writer.h"
#include "fold/velocity.h"

enum { ROWS = 1500, CARDS = 20, SHOPS = 6 };

typedef struct {
    int64_t time_us, amount;
    uint32_t card, shop, item;
    uint8_t marks;
    int labels; /* 0..2: the second corrects the first */
    int64_t arrival_us[2];
    float value[2];
} plain_row;

static fl_schema *make_schema(void)
{
    static fl_schema s;
    memset(&s, 0, sizeof s);
    strcpy(s.name, "test");
    strcpy(s.currency, "EUR");
    s.time_zone = "UTC";
    s.kinds = 2;
    strcpy(s.kind[0].name, "card");
    s.kind[0].role = FL_ROLE_PAYER;
    strcpy(s.kind[1].name, "shop");
    s.kind[1].role = FL_ROLE_PAYEE;
    s.categories = 1;
    strcpy(s.category[0].name, "item");
    s.labels = 1;
    strcpy(s.label[0].name, "fraud");
    s.marks = 1;
    strcpy(s.mark[0].name, "declined");
    s.sources = 1;
    s.source[0].name = "payment";
    s.source[0].label_of = -1;
    s.source[0].amount.sql = "amount";
    s.pairs = 1;
    s.pair[0] = (fl_pair){0, 1};
    return &s;
}

static void must(florin_status st, const florin_error *err)
{
    if (st) fail_msg("%s", err->message);
}

/* A random stream: same-second ties, labels from a day before to twenty days after their event, some corrected. */
static plain_row *make_rows(uint64_t seed)
{
    plain_row *rows = calloc(ROWS, sizeof *rows);
    int64_t t = 1522540800 * FL_SECOND_US;
    fl_rng rng;
    fl_rng_seed(&rng, seed);
    for (int i = 0; i < ROWS; i++) {
        plain_row *r = &rows[i];
        if (fl_rng_below(&rng, 5)) t += (int64_t)fl_rng_below(&rng, 7000) * FL_SECOND_US;
        r->time_us = t;
        r->amount = 1 + (int64_t)fl_rng_below(&rng, 20000);
        if (fl_rng_below(&rng, 30) == 0) r->amount *= 20;
        r->card = (uint32_t)fl_rng_below(&rng, CARDS);
        r->shop = (uint32_t)fl_rng_below(&rng, SHOPS);
        r->item = (uint32_t)fl_rng_below(&rng, 50);
        r->marks = fl_rng_below(&rng, 6) == 0;
        r->labels = (int)fl_rng_below(&rng, 8) ? 1 + (fl_rng_below(&rng, 10) == 0) : 0;
        for (int l = 0; l < r->labels; l++) {
            int64_t from = l ? r->arrival_us[0] : t - FL_DAY_US;
            r->arrival_us[l] = from + (int64_t)fl_rng_below(&rng, 21 * 86400) * FL_SECOND_US;
            r->value[l] = fl_rng_below(&rng, 4) == 0;
        }
    }
    return rows;
}

static uint32_t code(fl_log_writer *w, int kind, uint32_t n)
{
    florin_error err = {0};
    char text[16];
    uint32_t c = 0;
    int len = snprintf(text, sizeof text, "%c%u", kind < 0 ? 'v' : "cs"[kind], n);
    if (kind < 0) must(fl_log_writer_value(w, 0, text, (size_t)len, &c, &err), &err);
    else must(fl_log_writer_entity(w, kind, text, (size_t)len, &c, &err), &err);
    return c;
}

static void write_segment(const char *path, const plain_row *rows, const int *pick, int n)
{
    fl_log_writer *w = NULL;
    fl_log_written stats;
    florin_error err = {0};
    must(fl_log_writer_open(&w, path, make_schema(), false, false, NULL, &err), &err);
    for (int i = 0; i < n; i++) {
        const plain_row *p = &rows[pick[i]];
        char id[16];
        fl_log_row r = {
            .time_us = p->time_us, .amount_minor = p->amount, .marks = p->marks, .id = id};
        r.id_len = (size_t)snprintf(id, sizeof id, "e%d", pick[i]);
        for (int k = 0; k < FL_KINDS_MAX; k++) r.entity[k] = FL_NONE;
        for (int c = 0; c < FL_CATEGORIES_MAX; c++) r.category[c] = FL_NONE;
        r.entity[0] = code(w, 0, p->card);
        r.entity[1] = code(w, 1, p->shop);
        r.category[0] = code(w, -1, p->item);
        must(fl_log_writer_row(w, &r, &err), &err);
        for (int l = 0; l < p->labels; l++)
            must(fl_log_writer_label(w, fl_hash64(id, r.id_len, 0), 0, p->value[l],
                                     p->arrival_us[l], &err),
                 &err);
    }
    must(fl_log_writer_commit(w, &stats, &err), &err);
    assert_int_equal(stats.rows, n);
}

/* Write rows as `parts` contiguous segments, cut at random places. */
static fl_log *write_log(const char *name, const plain_row *rows, int parts, uint64_t seed)
{
    const char *path = scratch_path(name);
    int pick[ROWS], from = 0;
    fl_log *log = NULL;
    florin_error err = {0};
    fl_rng rng;
    fl_rng_seed(&rng, seed);
    for (int i = 0; i < ROWS; i++) pick[i] = i;
    for (int p = 0; p < parts; p++) {
        int room = ROWS - from - (parts - p - 1);
        int n = p == parts - 1 ? ROWS - from : 1 + (int)fl_rng_below(&rng, (uint64_t)room);
        write_segment(path, rows, pick + from, n);
        from += n;
    }
    must(fl_log_open(&log, path, &err), &err);
    return log;
}

static fl_fold_plan *make_plan(void)
{
    fl_fold_plan *p = NULL;
    florin_error err = {0};
    must(fl_fold_plan_new(&p, make_schema(), &err), &err);
    return p;
}

/* All features of a log, [rows][features]. advance_every > 0: now and then labels are applied ahead of events. */
static float *replay_all(const fl_fold_plan *p, const fl_log *log, int advance_every)
{
    uint32_t width = fl_fold_features(p);
    float *out = calloc((size_t)ROWS * width, sizeof *out);
    fl_replay *r = NULL;
    florin_error err = {0};
    fl_event e;
    uint64_t row, n = 0;
    must(fl_replay_open(&r, p, log, &err), &err);
    for (;;) {
        if (advance_every && n % (uint64_t)advance_every == 0 && fl_replay_peek(r) != INT64_MAX)
            fl_replay_advance(r, fl_replay_peek(r) - 1);
        if (!fl_replay_next(r, &row, &e, out + n * width, NULL)) break;
        assert_int_equal(row, n);
        n++;
    }
    assert_int_equal(n, ROWS);
    fl_replay_advance(r, INT64_MAX);
    fl_replay_close(r);
    return out;
}

static void test_splits(void **state)
{
    (void)state;
    plain_row *rows = make_rows(1);
    fl_fold_plan *p = make_plan();
    size_t bytes = (size_t)ROWS * fl_fold_features(p) * sizeof(float);
    fl_log *whole = write_log("whole", rows, 1, 0);
    float *want = replay_all(p, whole, 0);
    for (int parts = 2; parts <= 9; parts++) {
        char name[32];
        snprintf(name, sizeof name, "split%d", parts);
        fl_log *log = write_log(name, rows, parts, (uint64_t)parts);
        assert_int_equal(fl_log_segments(log), parts);
        float *got = replay_all(p, log, parts);
        if (memcmp(want, got, bytes)) fail_msg("%d segments differ from one", parts);
        free(got);
        fl_log_close(log);
    }
    free(want);
    fl_log_close(whole);
    fl_fold_plan_free(p);
    free(rows);
}

/* The live path, in its smallest form: own tables by entity hash, the merged stream as its input. */
static void test_live(void **state)
{
    (void)state;
    plain_row *rows = make_rows(2);
    fl_fold_plan *p = make_plan();
    fl_log *log = write_log("live", rows, 3, 5);
    uint32_t width = fl_fold_features(p);
    float *want = replay_all(p, log, 0), *got = calloc(width, sizeof *got);
    fl_fold_record *table = fl_alloc_aligned(4096, sizeof *table);
    fl_fold_carry *carry = calloc(ROWS, sizeof *carry);
    fl_event *events = calloc(ROWS, sizeof *events);
    fl_order *o = NULL;
    florin_error err = {0};
    fl_map64 map;
    uint64_t row;
    fl_label l;
    int64_t clock_us;
    CHECK(fl_map64_init(&map, 16));
    must(fl_order_open(&o, log, &err), &err);
    for (fl_step s; (s = fl_order_next(o, &row, &l, &clock_us)) != FL_STEP_END;) {
        uint64_t at = s == FL_STEP_EVENT ? row : l.row, key[3];
        fl_fold_record *rec[FL_KINDS_MAX] = {NULL}, *pair[1];
        if (s == FL_STEP_EVENT) fl_log_event(log, row, &events[at]);
        for (int k = 0; k < 2; k++) key[k] = events[at].entity_hash[k];
        key[2] = fl_pair_key(key[0], key[1]);
        for (int k = 0; k < 3; k++) {
            bool fresh;
            uint32_t *n = fl_map64_insert(&map, key[k], &fresh);
            if (fresh) *n = (uint32_t)map.count;
            if (k < 2) rec[k] = &table[*n];
            else pair[0] = &table[*n];
        }
        for (int k = 0; k < FL_KINDS_MAX; k++)
            events[at].entity[k] = 77; /* dense numbers must not matter */
        if (s == FL_STEP_LABEL) fl_fold_label(p, rec, pair, &carry[at], l.value, clock_us);
        else {
            fl_fold_event(p, rec, pair, &events[at], clock_us, got, &carry[at]);
            assert_memory_equal(got, want + at * width, width * sizeof *got);
        }
    }
    fl_order_close(o);
    fl_map64_free(&map);
    free(events);
    free(carry);
    free(table);
    free(got);
    free(want);
    fl_log_close(log);
    fl_fold_plan_free(p);
    free(rows);
}

/* What a label says changes no feature of an event before the label's arrival, and some feature after it. A fold that
 * peeked at labels would fail here; so would one that never read them. */
static void test_no_label_before_arrival(void **state)
{
    (void)state;
    plain_row *rows = make_rows(3);
    fl_fold_plan *p = make_plan();
    uint32_t width = fl_fold_features(p);
    fl_log *log = write_log("arrival", rows, 1, 0);
    float *want = replay_all(p, log, 0);
    int mattered = 0, tried = 0;
    for (int i = 100; i < ROWS; i += 97) {
        if (rows[i].labels != 1 || rows[i].arrival_us[0] > rows[ROWS - 50].time_us) continue;
        char name[32];
        snprintf(name, sizeof name, "flip%d", i);
        rows[i].value[0] = rows[i].value[0] == 0;
        fl_log *other = write_log(name, rows, 1, 0);
        float *got = replay_all(p, other, 0);
        bool differs = false;
        int64_t from =
            rows[i].arrival_us[0] > rows[i].time_us ? rows[i].arrival_us[0] : rows[i].time_us;
        for (int n = 0; n < ROWS; n++) {
            bool same =
                !memcmp(got + (size_t)n * width, want + (size_t)n * width, width * sizeof *got);
            if (rows[n].time_us < from && !same)
                fail_msg("row %d knows the label of row %d before it arrived", n, i);
            differs |= !same;
        }
        mattered += differs;
        tried++;
        rows[i].value[0] = rows[i].value[0] == 0;
        free(got);
        fl_log_close(other);
    }
    CHECK(tried >= 5 && mattered == tried);
    free(want);
    fl_log_close(log);
    fl_fold_plan_free(p);
    free(rows);
}

/* Steps of the merged stream: every label once, never before its event or its arrival, in order of arrival except
 * where it had to wait; late events are counted and don't turn the clock back. */
static void test_order(void **state)
{
    (void)state;
    plain_row *rows = make_rows(4);
    const char *path = scratch_path("late");
    int first[ROWS], second[ROWS], n1 = 0, n2 = 0;
    fl_log *log = NULL;
    florin_error err = {0};
    fl_order *o = NULL;
    for (int i = 0; i < ROWS; i++) {
        if (i % 10 == 3 && i < ROWS - 10) second[n2++] = i;
        else first[n1++] = i;
    }
    write_segment(path, rows, first, n1);
    write_segment(path, rows, second, n2);
    must(fl_log_open(&log, path, &err), &err);
    must(fl_order_open(&o, log, &err), &err);
    uint64_t row, events = 0, labels = 0, late = 0;
    int64_t clock_us, last_clock = INT64_MIN, newest = INT64_MIN;
    bool *past = calloc(ROWS, sizeof *past);
    fl_label l;
    uint64_t before = allocation_count();
    for (fl_step s; (s = fl_order_next(o, &row, &l, &clock_us)) != FL_STEP_END;) {
        CHECK(clock_us >= last_clock || s == FL_STEP_EVENT);
        last_clock = clock_us;
        if (s == FL_STEP_EVENT) {
            int64_t t = fl_log_time(log, row);
            assert_int_equal(row, events);
            late += t < newest;
            newest = t > newest ? t : newest;
            CHECK(clock_us == newest);
            past[row] = true;
            events++;
        } else {
            CHECK(past[l.row]);
            CHECK(l.arrival_us <= clock_us);
            if (events < ROWS) CHECK(l.arrival_us <= fl_order_peek(o) || l.arrival_us <= newest);
            labels++;
        }
    }
    CHECK(allocation_count() == before);
    assert_int_equal(events, ROWS);
    assert_int_equal(labels, fl_log_labels(log));
    assert_int_equal(late, fl_order_late(o));
    CHECK(late >= (uint64_t)n2 * 9 / 10);
    free(past);
    fl_order_close(o);
    fl_log_close(log);
    free(rows);
}

static void test_label_index(void **state)
{
    (void)state;
    plain_row *rows = make_rows(5);
    fl_log *log = write_log("index", rows, 4, 9);
    fl_label_index *x = NULL;
    florin_error err = {0};
    fl_rng rng;
    fl_rng_seed(&rng, 1);
    must(fl_label_index_new(&x, log, 0, &err), &err);
    for (int i = 0; i < ROWS; i++) {
        const plain_row *r = &rows[i];
        assert_int_equal(fl_label_arrival(x, (uint64_t)i),
                         r->labels ? r->arrival_us[0] : INT64_MAX);
        for (int n = 0; n < 5; n++) {
            int64_t at =
                r->time_us + (int64_t)fl_rng_below(&rng, 50 * 86400) * FL_SECOND_US - 2 * FL_DAY_US;
            if (n == 0 && r->labels) at = r->arrival_us[0];
            float want = -1;
            for (int l = 0; l < r->labels; l++)
                if (r->arrival_us[l] <= at) want = r->value[l];
            CHECK(fl_label_at(x, (uint64_t)i, at) == want);
        }
    }
    fl_label_index_free(x);
    fl_log_close(log);
    free(rows);
}

/* The windows, counted again from scratch for every event. */
static void test_velocity(void **state)
{
    (void)state;
    static const int days[3] = {1, 7, 30};
    plain_row *rows = make_rows(6);
    fl_log *log = write_log("velocity", rows, 2, 3);
    fl_velocity *v = NULL;
    florin_error err = {0};
    const float *f;
    uint64_t row, n = 0;
    must(fl_velocity_open(&v, log, 0, 1, 0, &err), &err);
    uint64_t before = allocation_count();
    while ((f = fl_velocity_next(v, &row)) != NULL) {
        const plain_row *r = &rows[row];
        n++;
        for (int w = 0; w < 3; w++) {
            int64_t from = r->time_us - days[w] * FL_DAY_US, sum = 0;
            unsigned count = 0, labels = 0, bad = 0;
            for (uint64_t i = 0; i < ROWS; i++) {
                const plain_row *p = &rows[i];
                if (i <= row && p->card == r->card && p->time_us > from) count++, sum += p->amount;
                for (int l = 0; i < row && p->shop == r->shop && l < p->labels; l++) {
                    int64_t a = p->arrival_us[l] > p->time_us ? p->arrival_us[l] : p->time_us;
                    if (a > r->time_us || a <= from) continue;
                    labels++;
                    bad += p->value[l] == 1;
                }
            }
            CHECK(f[2 * w] == (float)count && f[6 + 2 * w] == (float)labels);
            CHECK(f[2 * w + 1] == (float)((double)sum * (double)0.01f / count));
            CHECK(f[7 + 2 * w] == (labels ? (float)bad / (float)labels : 0));
        }
    }
    CHECK(allocation_count() == before);
    assert_int_equal(n, ROWS);
    fl_velocity_close(v);
    fl_log_close(log);
    free(rows);
}

/* Fitting reads nothing at or after its moment, and survives a log with nothing in it. */
static void test_fit(void **state)
{
    (void)state;
    plain_row *rows = make_rows(7);
    fl_log *log = write_log("fit", rows, 1, 0);
    int64_t until = rows[900].time_us;
    fl_fold_plan *a = make_plan(), *b = make_plan();
    florin_error err = {0};
    must(fl_fold_plan_fit(a, log, until, NULL, &err), &err);
    for (int i = 0; i < ROWS; i++) {
        if (rows[i].time_us >= until) rows[i].amount = 1 + i % 7;
        for (int l = 0; l < rows[i].labels; l++)
            if (rows[i].arrival_us[l] >= until) rows[i].value[l] = rows[i].value[l] == 0;
    }
    fl_log *other = write_log("fit2", rows, 1, 0);
    must(fl_fold_plan_fit(b, other, until, NULL, &err), &err);
    json_t *ja = fl_fold_plan_to_json(a), *jb = fl_fold_plan_to_json(b);
    CHECK(json_equal(ja, jb));
    must(fl_fold_plan_fit(b, other, INT64_MAX, NULL, &err), &err);
    json_t *jc = fl_fold_plan_to_json(b);
    CHECK(!json_equal(ja, jc));
    must(fl_fold_plan_fit(b, other, INT64_MIN, NULL, &err),
         &err); /* nothing before the beginning */
    json_decref(ja);
    json_decref(jb);
    json_decref(jc);
    fl_fold_plan_free(a);
    fl_fold_plan_free(b);
    fl_log_close(log);
    fl_log_close(other);
    free(rows);
}

static void test_no_memory(void **state)
{
    (void)state;
    plain_row *rows = make_rows(8);
    fl_fold_plan *p = make_plan();
    fl_log *log = write_log("memory", rows, 2, 2);
    florin_error err = {0};
    float *f = calloc(fl_fold_features(p), sizeof *f);
    for (uint64_t n = 1; n < 200; n++) {
        fl_replay *r = NULL;
        allocation_fail_at(n, false);
        florin_status st = fl_replay_open(&r, p, log, &err);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        if (!failed) {
            must(st, &err);
            fl_event e;
            uint64_t row, before = allocation_count();
            while (fl_replay_next(r, &row, &e, f, NULL)) {}
            CHECK(allocation_count() == before);
            fl_replay_close(r);
            break;
        }
        assert_int_equal(st, FLORIN_ENOMEM);
        assert_null(r);
    }
    free(f);
    fl_log_close(log);
    fl_fold_plan_free(p);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_live),
        cmocka_unit_test(test_no_label_before_arrival),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_label_index),
        cmocka_unit_test(test_velocity),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
