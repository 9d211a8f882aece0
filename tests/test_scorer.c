/* Live scoring through florin.h: live = offline, batch = single, peeking changes nothing, bad events leave no trace,
 * heads at a date, threads that share a model. Capacities and memory: test_scorer_limits.c; the state file:
 * test_scorer_state.c. */
#include "support/support.h"
#include "support/scorer_fixture.h"
#include "model/encode.h"
#include "base/file.h"
#include "score/log_score.h"
#include "score/words.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

static void check_words(const florin_reason *r, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++) {
        assert_true(r[k].code[0] && r[k].text[0]);
        assert_true(isfinite(r[k].share) && r[k].share >= 0 && r[k].share <= 1);
        assert_null(strstr(r[k].text, "nan"));
        assert_null(strstr(r[k].text, "{"));
        assert_null(strstr(r[k].normal, "inf"));
        for (uint32_t j = 0; j < k; j++) assert_string_not_equal(r[k].code, r[j].code);
    }
}

/* ---- live = offline ---- */

typedef struct {
    florin_head_score *score; /* [SCORE_EVENTS][HEADS] */
    uint64_t events;
} results;

/* The whole log one by one; labels as they arrive. */
static void run_log(florin_scorer *s, results *r)
{
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;

    r->events = 0;
    score_feed_open(&f, scorer_log, s);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        if (step == FL_STEP_EVENT) score_one(s, &e, r->score + HEADS * r->events++);
        else if (florin_label(s, &l, NULL)) continue; /* the ring has forgotten the event */
    }
    score_feed_close(&f);
}

static void test_live_is_offline(void **state)
{
    florin_scorer_options o = small_scorer(5000, FLORIN_FULL_ERROR);
    florin_scorer *s = open_scorer(&o);
    results r = {calloc(SCORE_EVENTS * HEADS, sizeof(florin_head_score)), 0};
    fl_model *m;
    fl_log *log;
    fl_encode *e;
    fl_head *head[HEADS];
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row, n = 0;

    (void)state;
    run_log(s, &r);
    assert_int_equal(fl_model_open(&m, scorer_model_path, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_log_open(&log, scorer_log, NULL), FLORIN_OK);
    assert_int_equal(fl_encode_open(&e, m, log, NULL), FLORIN_OK);
    assert_int_equal(fl_head_open(&head[0], m, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_head_open(&head[1], m, 2, NULL), FLORIN_OK);
    while (fl_encode_next(e, &row, NULL, &values, &carry)) {
        for (int h = 0; h < HEADS; h++) {
            fl_head_out want;
            const florin_head_score *got = &r.score[n * HEADS + (uint64_t)h];
            fl_head_score(head[h], values, &want);
            assert_memory_equal(&got->probability, &want.probability, sizeof(float));
            assert_int_equal(got->score, want.score);
            assert_int_equal(got->risk, want.level);
            assert_int_equal(got->over_threshold, want.over_threshold);
            assert_true(got->probability >= 0 && got->probability <= 1);
        }
        n++;
    }
    assert_int_equal(n, r.events);
    assert_int_equal(n, SCORE_EVENTS);
    for (int h = 0; h < HEADS; h++) fl_head_close(head[h]);
    fl_encode_close(e);
    fl_log_close(log);
    fl_model_close(m);
    florin_scorer_close(s);
    free(r.score);
}

/* The top list of the offline path and its reasons, found again live by the events' own ids. */
static void test_reasons_are_the_same(void **state)
{
    enum { TOP = 40 };
    fl_log_score_options o = {
        .from_us = INT64_MIN, .to_us = INT64_MAX, .top = TOP, .head = "again"};
    fl_log_score_result offline;
    florin_scorer_options small_o = small_scorer(5000, FLORIN_FULL_EVICT);
    florin_scorer *s = open_scorer(&small_o);
    fl_model *m;
    fl_log *log;
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    uint32_t found = 0;

    (void)state;
    assert_int_equal(fl_model_open(&m, scorer_model_path, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_log_open(&log, scorer_log, NULL), FLORIN_OK);
    assert_int_equal(fl_log_score(m, log, &o, &offline, NULL, NULL), FLORIN_OK);
    assert_int_equal(offline.tops, TOP);
    score_feed_open(&f, scorer_log, s);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        florin_head_score score[HEADS];
        florin_reason r[5];
        uint32_t n;
        if (step == FL_STEP_LABEL) {
            assert_int_equal(florin_label(s, &l, NULL), FLORIN_OK);
            continue;
        }
        score_one(s, &e, score);
        for (uint32_t i = 0; i < TOP; i++) {
            const fl_top_event *t = &offline.top[i];
            if (t->row != f.row) continue;
            found++;
            assert_int_equal(florin_reasons(s, 0, 1, r, 5, &n, NULL), FLORIN_OK);
            assert_int_equal(n, t->reasons);
            check_words(r, n);
            for (uint32_t k = 0; k < n; k++) {
                assert_string_equal(r[k].code, t->reason[k].code);
                assert_string_equal(r[k].text, t->reason[k].text);
                assert_string_equal(r[k].normal, t->reason[k].normal);
                assert_memory_equal(&r[k].share, &t->reason[k].share, sizeof(float));
            }
        }
    }
    assert_int_equal(found, TOP);
    score_feed_close(&f);
    fl_log_score_free(&offline);
    fl_log_close(log);
    fl_model_close(m);
    florin_scorer_close(s);
}

/* ---- batch = single ---- */

/* Copies of events that outlive the feed's. */
typedef struct {
    florin_event event[BATCH];
    florin_value value[BATCH][64];
    char text[BATCH][64][96], id[BATCH][96];
    uint32_t n;
} batch;

static void batch_add(batch *b, const florin_event *e)
{
    uint32_t i = b->n++;

    b->event[i] = *e;
    memcpy(b->id[i], e->id, e->id_n);
    b->event[i].id = b->id[i];
    b->event[i].values = b->value[i];
    for (uint32_t v = 0; v < e->n_values; v++) {
        b->value[i][v] = e->values[v];
        if (!e->values[v].n) continue;
        memcpy(b->text[i][v], e->values[v].text, e->values[v].n);
        b->value[i][v].text = b->text[i][v];
    }
}

/* Both scorers judge the batch's events, one at a time and at once; then it is empty. */
static void both(florin_scorer *one, florin_scorer *many, batch *b)
{
    florin_head_score single[HEADS], all[BATCH * HEADS];
    florin_status item, items[BATCH];
    char text[BATCH][288];
    uint32_t n;

    assert_int_equal(florin_score(many, b->event, b->n, all, items, NULL), FLORIN_OK);
    for (uint32_t i = 0; i < b->n; i++) {
        assert_int_equal(florin_score(one, &b->event[i], 1, single, &item, NULL), FLORIN_OK);
        assert_int_equal(item, items[i]);
        if (item) continue;
        florin_reason r[5], q[5];
        assert_memory_equal(single, all + i * HEADS, sizeof single);
        assert_int_equal(florin_reasons(one, 0, 0, r, 5, &n, NULL), FLORIN_OK);
        assert_int_equal(florin_reasons(many, i, 0, q, 5, &n, NULL), FLORIN_OK);
        check_words(r, n);
        assert_memory_equal(r, q, n * sizeof *r);
        memcpy(text[i], r[0].text, sizeof text[i]);
    }
    b->n = 0;
}

static void batch_and_single(uint32_t most, florin_full full)
{
    florin_scorer_options o = small_scorer(most, full);
    florin_scorer *one = open_scorer(&o), *many = open_scorer(&o);
    batch *b = calloc(1, sizeof *b);
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    fl_rng r;
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;

    fl_rng_seed(&r, most);
    score_feed_open(&f, scorer_log, one);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        if (step == FL_STEP_LABEL) {
            both(one, many, b);
            assert_int_equal(florin_label(one, &l, NULL), florin_label(many, &l, NULL));
            continue;
        }
        batch_add(b, &e);
        if (b->n == BATCH || !fl_rng_below(&r, 40)) both(one, many, b);
    }
    both(one, many, b);
    same_state(one, many);
    assert_int_equal(florin_scorer_stats(many, &counts, NULL), FLORIN_OK);
    if (full == FLORIN_FULL_EVICT && most < 100) assert_true(counts.evicted > 100);
    if (full != FLORIN_FULL_EVICT) assert_int_equal(counts.evicted, 0);
    if (most < 100) assert_true(counts.entities <= 4 * most);
    score_feed_close(&f);
    florin_scorer_close(one);
    florin_scorer_close(many);
    free(b);
}

static void test_batch_is_single(void **state)
{
    (void)state;
    batch_and_single(5000, FLORIN_FULL_ERROR);
    batch_and_single(7, FLORIN_FULL_EVICT);
    batch_and_single(25, FLORIN_FULL_NEUTRAL);
    batch_and_single(25, FLORIN_FULL_ERROR);
}

/* ---- bad events ---- */

static void test_bad_events_leave_no_trace(void **state)
{
    enum { N = 17 };
    florin_scorer *s = open_scorer(NULL), *clean = open_scorer(NULL);
    names x;
    florin_event e[N];
    florin_status item[N];
    florin_head_score score[N * HEADS], want[HEADS];
    uint32_t salary;
    names_open(&x, s);

    (void)state;
    assert_int_equal(florin_scorer_find(s, FLORIN_TYPE, "salary", &salary, NULL), FLORIN_OK);
    for (int i = 0; i < N; i++) e[i] = x.payment;
    const florin_value card = {x.card, 2, "c1", 0}, nan_mark = {x.declined, 0, NULL, NAN},
                       half = {x.declined, 0, NULL, 0.5}, income = {x.income, 0, NULL, 1},
                       infinite = {x.income, 0, NULL, INFINITY}, none = {x.fraud, 0, NULL, 1},
                       null = {x.card, 5, NULL, 0}, far = {x.category + 30, 2, "c1", 0},
                       twice[2] = {card, card}, longest = {x.card, 70000, "", 0};
    const florin_event with = {.id = "a",
                               .id_n = 1,
                               .type = x.payment.type,
                               .time_us = x.payment.time_us,
                               .amount_minor = 5};
    for (int i = 1; i < N - 1; i++) {
        e[i] = with;
        e[i].n_values = 1;
    }
    florin_status expect[N] = {FLORIN_OK};
#define BAD(i, field, to, st) (e[i].field = (to), expect[i] = (st))
    BAD(1, time_us, INT64_MAX, FLORIN_EINPUT), e[1].values = &card;
    BAD(2, time_us, INT64_MIN, FLORIN_EINPUT), e[2].values = &card;
    BAD(3, type, 99, FLORIN_ESCHEMA), e[3].values = &card;
    BAD(4, values, &nan_mark, FLORIN_EINPUT);
    BAD(5, values, &half, FLORIN_EINPUT);
    BAD(6, values, &income, FLORIN_ESCHEMA); /* a payment has no income */
    BAD(7, values, &none, FLORIN_EUSAGE);    /* a label is no field */
    BAD(8, values, &null, FLORIN_EINPUT);
    BAD(9, values, &far, FLORIN_EUSAGE);
    BAD(10, values, twice, FLORIN_EINPUT), e[10].n_values = 2;
    BAD(11, values, &longest, FLORIN_EINPUT);
    BAD(12, amount_minor, FLORIN_NO_AMOUNT, FLORIN_EINPUT), e[12].values = &card;
    BAD(13, amount_minor, INT64_MAX, FLORIN_EINPUT), e[13].values = &card;
    memcpy(e[14].currency, "E1R", 4), expect[14] = FLORIN_EINPUT, e[14].values = &card;
    BAD(15, type, salary, FLORIN_EINPUT), e[15].values = &infinite,
                                          e[15].amount_minor = FLORIN_NO_AMOUNT;
    expect[16] = FLORIN_EINPUT; /* the first event again */
#undef BAD
    memset(score, 0x5a, sizeof score);
    assert_int_equal(florin_score(s, e, N, score, item, NULL), FLORIN_OK);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(item[i], expect[i]);
        assert_int_equal(florin_scorer_message(s, i)[0] != 0, item[i] != FLORIN_OK);
        if (item[i])
            for (size_t k = 0; k < sizeof want; k++)
                assert_int_equal(((uint8_t *)(score + i * HEADS))[k], 0x5a);
    }
    score_one(clean, &x.payment, want);
    assert_memory_equal(score, want, sizeof want);
    same_state(s, clean);
    score_feed_close(&x.feed);
    florin_scorer_close(s);
    florin_scorer_close(clean);
}

/* Extreme but legal events: nothing ever turns into NaN. */
static void test_extremes(void **state)
{
    static const int64_t times[] = {0, -1, INT64_C(1) << 59, -(INT64_C(1) << 59), 1700000000000000},
                         amounts[] = {0, 1, -1, (INT64_C(1) << 61) - 1, -(INT64_C(1) << 61) + 1};
    florin_scorer *s = open_scorer(NULL);
    names x;
    fl_rng r;
    char id[32];

    (void)state;
    names_open(&x, s);
    fl_rng_seed(&r, 3);
    for (int i = 0; i < 2000; i++) {
        florin_value v[] = {{x.card, 1, &"ab"[fl_rng_below(&r, 2)], 0},
                            {x.merchant, 1, &"ab"[fl_rng_below(&r, 2)], 0},
                            {x.category, 1, &"xyz"[fl_rng_below(&r, 3)], 0}};
        florin_event e = {.type = x.payment.type,
                          .time_us = times[fl_rng_below(&r, 5)],
                          .amount_minor = amounts[fl_rng_below(&r, 5)],
                          .n_values = (uint32_t)fl_rng_below(&r, 4),
                          .values = v};
        florin_head_score score[HEADS];
        florin_reason why[5];
        uint32_t n;
        snprintf(id, sizeof id, "%d", i);
        e.id = id;
        e.id_n = (uint32_t)strlen(id);
        score_one(s, &e, score);
        for (int h = 0; h < HEADS; h++)
            assert_true(score[h].probability >= 0 && score[h].probability <= 1);
        assert_int_equal(florin_reasons(s, 0, 0, why, 5, &n, NULL), FLORIN_OK);
        check_words(why, n);
        const florin_label_arrival l = {id, e.id_n, e.type, x.fraud, (float)(i % 2), e.time_us};
        assert_int_equal(florin_label(s, &l, NULL), FLORIN_OK);
    }
    florin_label_arrival bad = {id, 4, x.payment.type, x.fraud, NAN, 0};
    assert_int_equal(florin_label(s, &bad, NULL), FLORIN_EINPUT);
    bad.value = 1, bad.arrival_us = INT64_MAX;
    assert_int_equal(florin_label(s, &bad, NULL), FLORIN_EINPUT);
    bad.arrival_us = 0, bad.label = x.card;
    assert_int_equal(florin_label(s, &bad, NULL), FLORIN_ESCHEMA);
    bad.label = x.fraud, bad.id = "nobody", bad.id_n = 6;
    assert_int_equal(florin_label(s, &bad, NULL), FLORIN_EINPUT);
    score_feed_close(&x.feed);
    florin_scorer_close(s);
}

static void test_peek_changes_nothing(void **state)
{
    florin_scorer_options o = small_scorer(9, FLORIN_FULL_EVICT);
    florin_scorer *s = open_scorer(&o), *other = open_scorer(&o);
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    florin_head_score seen[2 * HEADS], score[HEADS];
    florin_status item[2];
    int steps = 0;

    (void)state;
    score_feed_open(&f, scorer_log, s);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END && steps++ < 700) {
        if (step == FL_STEP_LABEL) {
            assert_int_equal(florin_label(s, &l, NULL), florin_label(other, &l, NULL));
            continue;
        }
        const florin_event two[2] = {e, e};
        assert_int_equal(florin_peek(s, two, 2, seen, item, NULL), FLORIN_OK);
        assert_int_equal(item[0] | item[1], FLORIN_OK);
        score_one(s, &e, score);
        assert_memory_equal(seen, score, sizeof score);
        assert_memory_equal(seen + HEADS, score, sizeof score);
        score_one(other, &e, score);
    }
    same_state(s, other);
    score_feed_close(&f);
    florin_scorer_close(s);
    florin_scorer_close(other);
}

static void test_unknown_values(void **state)
{
    florin_scorer *s = open_scorer(NULL);
    names x;
    florin_head_score a[HEADS], b[HEADS];
    florin_status item;
    florin_error err = {0};
    uint32_t number;

    (void)state;
    names_open(&x, s);
    for (int pass = 0; pass < 2; pass++) {
        florin_value v[] = {{x.card, 2, "c1", 0}, {x.category, 6, pass ? "unseen" : "nowhat", 0}};
        florin_event e = x.payment;
        e.values = v;
        e.n_values = 2;
        assert_int_equal(florin_peek(s, &e, 1, pass ? b : a, &item, NULL), FLORIN_OK);
        assert_int_equal(item, FLORIN_OK);
    }
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(florin_scorer_find(s, FLORIN_CATEGORY, "mcc", &number, &err), FLORIN_ESCHEMA);
    assert_non_null(strstr(err.message, "category, country, entry_mode"));
    assert_int_equal(florin_scorer_find(s, FLORIN_TYPE, "dispute", &number, &err), FLORIN_ESCHEMA);
    score_feed_close(&x.feed);
    florin_scorer_close(s);
}

/* ---- warming up, entities at a date ---- */

static void test_warm_is_scoring(void **state)
{
    florin_scorer_options o = small_scorer(5000, FLORIN_FULL_ERROR);
    florin_scorer *warmed = open_scorer(&o), *fed = open_scorer(&o), *whole = open_scorer(&o);
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    int64_t until = 0;
    florin_head_score score[HEADS];
    fl_log *log;
    florin_error err = {0};

    (void)state;
    assert_int_equal(fl_log_open(&log, scorer_log, NULL), FLORIN_OK);
    until = fl_log_time(log, SCORE_EVENTS / 2);
    fl_log_close(log);
    if (florin_scorer_warm(warmed, scorer_log, until, NULL, &err)) fail_msg("%s", err.message);
    score_feed_open(&f, scorer_log, fed);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        if (step == FL_STEP_EVENT && e.time_us >= until) break;
        if (step == FL_STEP_EVENT) score_one(fed, &e, score);
        else assert_int_equal(florin_label(fed, &l, NULL), FLORIN_OK);
    }
    score_feed_close(&f);
    same_state(warmed, fed);
    assert_int_equal(florin_scorer_warm(warmed, scorer_log, INT64_MAX, NULL, &err), FLORIN_EINPUT);
    assert_int_equal(florin_scorer_warm(whole, scorer_log, INT64_MAX, NULL, &err), FLORIN_OK);
    florin_scorer_counts c = FLORIN_SCORER_COUNTS_INIT;
    assert_int_equal(florin_scorer_stats(whole, &c, NULL), FLORIN_OK);
    assert_int_equal(c.events, SCORE_EVENTS);
    assert_int_equal(florin_scorer_warm(whole, "nowhere", INT64_MAX, NULL, &err), FLORIN_EIO);
    florin_scorer_close(warmed);
    florin_scorer_close(fed);
    florin_scorer_close(whole);
}

static void test_entity_at_a_date(void **state)
{
    florin_scorer *s = open_scorer(NULL);
    florin_head_info info = FLORIN_HEAD_INFO_INIT;
    fl_model *m;
    fl_log *log;
    fl_encode *enc;
    fl_head *head;
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row;
    florin_error err = {0};

    (void)state;
    assert_int_equal(florin_scorer_head(s, 2, &info, &err), FLORIN_OK);
    assert_string_equal(info.name, "churn");
    assert_string_equal(info.entity, "card");
    assert_int_equal(florin_scorer_head(s, 3, &info, &err), FLORIN_EUSAGE);
    assert_int_equal(florin_scorer_head(s, 0, &info, &err), FLORIN_OK);
    assert_null(info.entity);
    assert_true(info.threshold > 0.199f && info.threshold < 0.201f);
    assert_int_equal(fl_log_open(&log, scorer_log, NULL), FLORIN_OK);
    int64_t at = fl_log_time_max(log);
    assert_int_equal(florin_scorer_warm(s, scorer_log, at, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_model_open(&m, scorer_model_path, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_encode_open(&enc, m, log, NULL), FLORIN_OK);
    assert_int_equal(fl_head_open(&head, m, 1, NULL), FLORIN_OK);
    while (fl_encode_peek(enc) < at && fl_encode_next(enc, &row, NULL, &values, &carry)) continue;
    float *x = calloc(fl_encode_entity_width(enc, 0), sizeof *x);
    for (uint32_t i = 0; i < 40; i++) {
        fl_head_out want;
        florin_head_score got;
        size_t n;
        const char *id = fl_log_entity_name(log, 0, i, &n);
        fl_encode_entity(enc, 0, i, at, x);
        fl_head_score(head, x, &want);
        if (florin_score_entity(s, 2, id, (uint32_t)n, at, &got, &err)) fail_msg("%s", err.message);
        assert_memory_equal(&got.probability, &want.probability, sizeof(float));
    }
    florin_head_score got;
    assert_int_equal(florin_score_entity(s, 2, "nobody", 6, at, &got, &err), FLORIN_EINPUT);
    assert_int_equal(florin_score_entity(s, 0, "nobody", 6, at, &got, &err), FLORIN_EUSAGE);
    free(x);
    fl_head_close(head);
    fl_encode_close(enc);
    fl_log_close(log);
    fl_model_close(m);
    florin_scorer_close(s);
}

/* ---- words ---- */

/* Every column of a row has words of its own, whatever its value, and nothing left to fill in. */
static void test_words(void **state)
{
    static const float values[] = {-1, 0, 1, 0.01f, 3.7f, 100, 1e9f, -6};
    fl_model *m;
    fl_told t;
    char out[FL_WORDS_MAX], text[48];

    (void)state;
    assert_int_equal(fl_model_open(&m, scorer_model_path, NULL, NULL), FLORIN_OK);
    for (uint32_t c = 0; c < fl_model_row_width(m); c++) {
        fl_told_of(m, c, &t);
        assert_non_null(t.text); /* not the fallback for a feature without words */
        assert_non_null(strchr(t.code, '.'));
        for (size_t i = 0; i < FL_LEN(values); i++) {
            fl_told_text(m, &t, values[i], out);
            assert_true(strlen(out) > 8 && strlen(out) < 160);
            assert_null(strpbrk(out, "{}"));
            assert_null(strstr(out, "nan"));
            assert_null(strstr(out, "inf"));
        }
    }
    assert_string_equal(fl_words_days(0.5 / 24, text), "30 minutes");
    assert_string_equal(fl_words_days(1. / 86400, text), "1 second");
    assert_string_equal(fl_words_days(2.5, text), "2.5 days");
    assert_string_equal(fl_words_days(800, text), "2.2 years");
    assert_string_equal(fl_words_money(fl_model_schema(m), 12.3, text), "12.30 EUR");
    assert_string_equal(fl_words_number(3, text), "3");
    assert_string_equal(fl_words_number(0.0123, text), "0.012");
    fl_model_close(m);
}

/* ---- threads, arguments ---- */

typedef struct {
    results r;
    pthread_t thread;
} worker;

static void *run_worker(void *arg)
{
    worker *w = arg;
    florin_scorer_options o = small_scorer(300, FLORIN_FULL_EVICT);
    florin_scorer *s;

    if (florin_scorer_open(&s, scorer_model, &o, NULL)) return NULL;
    run_log(s, &w->r);
    florin_scorer_close(s);
    return w;
}

static void test_two_threads(void **state)
{
    worker w[2];
    size_t bytes = SCORE_EVENTS * HEADS * sizeof(florin_head_score);

    (void)state;
    for (int i = 0; i < 2; i++) {
        w[i].r.score = calloc(1, bytes);
        assert_int_equal(pthread_create(&w[i].thread, NULL, run_worker, &w[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        void *done;
        pthread_join(w[i].thread, &done);
        assert_non_null(done);
    }
    assert_int_equal(w[0].r.events, SCORE_EVENTS);
    assert_memory_equal(w[0].r.score, w[1].r.score, bytes);
    free(w[0].r.score);
    free(w[1].r.score);
}

/* The model's handle may be closed before its scorers. */
static void test_model_outlives(void **state)
{
    florin_model *own;
    florin_scorer *s;
    names x;
    florin_head_score score[HEADS];

    (void)state;
    assert_int_equal(florin_model_open(&own, scorer_model_path, NULL, NULL), FLORIN_OK);
    assert_int_equal(florin_scorer_open(&s, own, NULL, NULL), FLORIN_OK);
    florin_model_close(own);
    names_open(&x, s);
    score_one(s, &x.payment, score);
    score_feed_close(&x.feed);
    florin_scorer_close(s);
}

static void test_arguments(void **state)
{
    florin_scorer *s = open_scorer(NULL), *none;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_event e = {.type = 0};
    florin_head_score score[HEADS];
    florin_status item[BATCH + 1];
    florin_reason r[5];
    uint32_t n;
    florin_error err = {0};

    (void)state;
#define USAGE(call) assert_int_equal(call, FLORIN_EUSAGE)
    USAGE(florin_scorer_open(NULL, scorer_model, NULL, &err));
    USAGE(florin_scorer_open(&none, NULL, NULL, &err));
    o.size--;
    USAGE(florin_scorer_open(&none, scorer_model, &o, &err));
    o.size++, o.batch_max = 70000;
    USAGE(florin_scorer_open(&none, scorer_model, &o, &err));
    o.batch_max = 0, o.when_full = (florin_full)9;
    USAGE(florin_scorer_open(&none, scorer_model, &o, &err));
    USAGE(florin_score(NULL, &e, 1, score, item, &err));
    USAGE(florin_score(s, NULL, 1, score, item, &err));
    USAGE(florin_score(s, &e, 1, NULL, item, &err));
    USAGE(florin_score(s, &e, 1, score, NULL, &err));
    USAGE(florin_score(s, &e, BATCH + 1, score, item, &err));
    assert_non_null(strstr(err.message, "batch_max is 64"));
    assert_int_equal(florin_score(s, NULL, 0, NULL, NULL, &err), FLORIN_OK);
    USAGE(florin_reasons(s, 0, 0, r, 5, &n, &err));
    USAGE(florin_reasons(NULL, 0, 0, r, 5, &n, &err));
    USAGE(florin_label(s, NULL, &err));
    USAGE(florin_scorer_find(s, FLORIN_TYPE, NULL, &n, &err));
    USAGE(florin_scorer_find(s, (florin_what)17, "x", &n, &err));
    USAGE(florin_scorer_head(s, 0, NULL, &err));
    USAGE(florin_scorer_stats(s, NULL, &err));
    USAGE(florin_scorer_save(s, NULL, &err));
    USAGE(florin_scorer_warm(s, NULL, 0, NULL, &err));
    USAGE(florin_score_entity(s, 2, NULL, 0, 0, score, &err));
#undef USAGE
    assert_string_equal(florin_scorer_message(s, 7), "");
    assert_null(florin_scorer_name(s, FLORIN_TYPE, 4, NULL));
    assert_string_equal(florin_scorer_name(s, FLORIN_TYPE, 3, &n), "salary");
    florin_scorer_close(NULL);
    florin_scorer_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_is_offline),  cmocka_unit_test(test_reasons_are_the_same),
        cmocka_unit_test(test_batch_is_single),  cmocka_unit_test(test_bad_events_leave_no_trace),
        cmocka_unit_test(test_extremes),         cmocka_unit_test(test_peek_changes_nothing),
        cmocka_unit_test(test_unknown_values),   cmocka_unit_test(test_warm_is_scoring),
        cmocka_unit_test(test_entity_at_a_date), cmocka_unit_test(test_words),
        cmocka_unit_test(test_two_threads),      cmocka_unit_test(test_model_outlives),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, scorer_set_up, scorer_tear_down);
}
