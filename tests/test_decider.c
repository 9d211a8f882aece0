/* The decider: the same scores as the scorer, the same state after any restart, a repeat counts nothing, and the journal
 * has what was answered. */
#include "support/support.h"
#include "support/score_fixture.h"
#include "base/file.h"

#include <stdio.h>

enum { HEADS = 2, BATCH = 16 };

static const char *log_path;
static char model_path[512];
static florin_model *model;
static const int64_t NOW = INT64_C(1800000000000000);

static int set_up(void **state)
{
    florin_error err = {0};
    (void)state;
    log_path = score_log();
    snprintf(model_path, sizeof model_path, "%s", scratch_path("a.model"));
    score_model(model_path, log_path, 5, 77);
    if (florin_model_open(&model, model_path, NULL, &err)) fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    florin_model_close(model);
    return 0;
}

static const florin_policy *policy; /* of every decider that is opened */

static florin_decider *open_in(const char *folder, florin_sync sync)
{
    florin_decider_options o = FLORIN_DECIDER_INIT;
    florin_decider *d = NULL;
    florin_error err = {0};

    o.folder = folder;
    o.scorer.entities_max = 5000;
    o.scorer.batch_max = BATCH;
    o.window_entries = 10000;
    o.sync = sync;
    o.policy = policy;
    o.rings_max = 1000;
    if (florin_decider_open(&d, model, &o, NULL, &err)) fail_msg("%s", err.message);
    return d;
}

/* Steps [from, to) of the log through a decider, one by one; decisions appended to out. Returns how many. */
static uint32_t feed(florin_decider *d, uint32_t from, uint32_t to, florin_decision *out)
{
    score_feed f;
    florin_error err = {0};
    uint32_t n = 0;
    fl_step step;
    florin_event e;
    florin_label_arrival l;

    score_feed_open(&f, log_path, florin_decider_scorer(d));
    for (uint32_t i = 0; i < to && (step = score_feed_next(&f, &e, &l)) != FL_STEP_END; i++) {
        florin_status item = FLORIN_OK;
        if (i < from) continue;
        if (step == FL_STEP_EVENT) {
            florin_metadata meta = {"channel", n % 3 ? "web" : "app", 7, 3};
            florin_request r = {.event = e, .metadata = &meta, .metadata_n = 1};
            if (florin_decide(d, &r, 1, NOW, &out[n], &item, &err)) fail_msg("%s", err.message);
            if (item) fail_msg("%s", florin_decider_message(d, 0));
            n++;
        } else {
            florin_receipt receipt;
            florin_news news = {.kind = FLORIN_NEWS_LABEL,
                                .event = l.id,
                                .event_n = l.id_n,
                                .type = l.type,
                                .label = l.label,
                                .value = l.value,
                                .arrival_us = l.arrival_us};
            if (florin_decider_learn(d, &news, 1, NOW, &receipt, &item, &err))
                fail_msg("%s", err.message);
            if (item) fail_msg("%s", florin_decider_message(d, 0));
        }
    }
    score_feed_close(&f);
    return n;
}

static void same_decision(const florin_decision *a, const florin_decision *b)
{
    florin_decision x = *a, y = *b;

    x.repeat = y.repeat = 0;
    assert_memory_equal(&x, &y, sizeof x);
}

static void agrees_with_the_scorer(void **state)
{
    florin_decision *out = calloc(SCORE_EVENTS, sizeof *out);
    florin_scorer *s;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_head_score score[HEADS];
    florin_status item;
    florin_decider *d = open_in(scratch_path("scorer"), FLORIN_SYNC_INTERVAL);
    uint32_t n = feed(d, 0, UINT32_MAX, out), i = 0, blocked = 0;
    score_feed f;
    fl_step step;
    florin_event e;
    florin_label_arrival l;

    (void)state;
    o.entities_max = 5000;
    assert_int_equal(n, SCORE_EVENTS);
    assert_int_equal(florin_scorer_open(&s, model, &o, NULL), FLORIN_OK);
    score_feed_open(&f, log_path, s);
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        if (step == FL_STEP_LABEL) {
            assert_int_equal(florin_label(s, &l, NULL), FLORIN_OK);
            continue;
        }
        assert_int_equal(florin_score(s, &e, 1, score, &item, NULL), FLORIN_OK);
        assert_memory_equal(score, out[i].score, sizeof score);
        assert_int_equal(out[i].action, score[0].over_threshold ? FLORIN_BLOCK : FLORIN_ALLOW);
        blocked += score[0].over_threshold;
        i++;
    }
    assert_true(blocked > 0 && blocked < n);
    score_feed_close(&f);
    florin_scorer_close(s);
    florin_decider_close(d);
    free(out);
}

/* Stopped at several places, with and without a checkpoint: the same as never stopped; the first answers are there. */
static void goes_on(void **state)
{
    florin_decision *whole = calloc(SCORE_EVENTS, sizeof *whole),
                    *out = calloc(SCORE_EVENTS, sizeof *out), got;
    static const uint32_t stop[] = {0, 1, 700, 701, 1500, 2900, UINT32_MAX};
    florin_decider *d = open_in(scratch_path("whole"), FLORIN_SYNC_INTERVAL);

    (void)state;
    uint32_t n = feed(d, 0, UINT32_MAX, whole), m = 0;
    florin_decider_close(d);
    for (size_t i = 0; i + 1 < FL_LEN(stop); i++) {
        d = open_in(scratch_path("parts"), i % 2 ? FLORIN_SYNC_ALWAYS : FLORIN_SYNC_INTERVAL);
        m += feed(d, stop[i], stop[i + 1], out + m);
        if (i == 2 || i == 3) assert_int_equal(florin_decider_checkpoint(d, NULL), FLORIN_OK);
        assert_int_equal(florin_decider_wait(d, out[m - 1].sequence, NULL), FLORIN_OK);
        florin_decider_close(d);
    }
    assert_int_equal(m, n);
    d = open_in(scratch_path("parts"), FLORIN_SYNC_INTERVAL);
    for (uint32_t i = 0; i < n; i++) {
        same_decision(&whole[i], &out[i]);
        assert_int_equal(florin_decider_get(d, out[i].id, (uint32_t)strlen(out[i].id), &got, NULL),
                         FLORIN_OK);
        same_decision(&whole[i], &got);
    }
    florin_decider_close(d);
    free(whole);
    free(out);
}

static char captured[4096];
static void capture(void *user, const char *bytes, size_t n)
{
    (void)user;
    size_t used = strlen(captured);
    assert_true(used + n < sizeof captured);
    memcpy(captured + used, bytes, n);
    captured[used + n] = 0;
}

static void replay(const char *folder, const char *rules, florin_status want, const char *says)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_replay_journal_options o = FLORIN_REPLAY_JOURNAL_INIT;
    florin_error err = {0};

    ctx.write = capture;
    captured[0] = 0;
    o.format = FLORIN_JSON;
    o.journal = folder;
    o.model = model_path;
    o.policy = rules;
    if (florin_replay_journal(&ctx, &o, &err) != want) fail_msg("%s%s", captured, err.message);
    if (!strstr(captured, says)) fail_msg("%s", captured);
}

/* A checkpoint by a copy of the process: of the moment when it began, whatever was decided meanwhile. */
static void checkpoint_beside(void **state)
{
    florin_decision *out = calloc(SCORE_EVENTS, sizeof *out);
    florin_decider_counts counts = FLORIN_DECIDER_COUNTS_INIT;
    char folder[512], name[600];
    int running = 1;
    uint32_t n;
    florin_error err = {0};

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch_path("beside"));
    florin_decider *d = open_in(folder, FLORIN_SYNC_INTERVAL);
    n = feed(d, 0, 1000, out);
    if (florin_decider_checkpoint_start(d, &err)) fail_msg("%s", err.message);
    n += feed(d, 1000, 1500, out + n);
    while (running)
        if (florin_decider_checkpoint_poll(d, &running, &err)) fail_msg("%s", err.message);
    assert_int_equal(florin_decider_stats(d, &counts, NULL), FLORIN_OK);
    assert_int_equal(counts.checkpoint, 1000);
    if (florin_decider_checkpoint_start(d, &err)) fail_msg("%s", err.message);
    florin_decider_close(d); /* at once: it is given up */
    snprintf(name, sizeof name, "%s/%020d.state", folder, 1000);
    assert_true(fl_file_exists(name));
    snprintf(name, sizeof name, "%s/%020d.state", folder, 1500);
    assert_false(fl_file_exists(name));
    d = open_in(folder, FLORIN_SYNC_INTERVAL);
    assert_int_equal(florin_decider_stats(d, &counts, NULL), FLORIN_OK);
    assert_int_equal(counts.recovered, 500);
    n += feed(d, 1500, UINT32_MAX, out + n);
    florin_decider_close(d);
    assert_int_equal(n, SCORE_EVENTS);
    replay(folder, NULL, FLORIN_OK, "\"differ\":0");
    free(out);
}

/* A clock that jumps: order is the journal's, repeats are known, the far future is refused, nothing that came is lost. */
static void clocks_jump(void **state)
{
    static const int64_t day = INT64_C(86400000000);
    static const int64_t clock[] = {0,
                                    1000,
                                    -400 * INT64_C(86400000000),
                                    5,
                                    3 * INT64_C(86400000000),
                                    10,
                                    40 * INT64_C(86400000000),
                                    20};
    enum { TURNS = FL_LEN(clock) };
    char id[TURNS][8];
    florin_decision out[TURNS], again;
    florin_status item;
    florin_scorer_counts counts = FLORIN_SCORER_COUNTS_INIT;
    florin_receipt receipt;
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    florin_decider *d = open_in(scratch_path("clocks"), FLORIN_SYNC_INTERVAL);

    (void)state;
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    while (score_feed_next(&f, &e, &l) != FL_STEP_EVENT) continue;
    for (int i = 0; i < TURNS; i++) {
        int64_t now = NOW + clock[i];
        snprintf(id[i], sizeof id[i], "id %d", i);
        e.id = id[i];
        e.id_n = (uint32_t)strlen(id[i]);
        e.time_us = now - i % 3 * day; /* some late */
        florin_request r = {.event = e};
        assert_int_equal(florin_decide(d, &r, 1, now, &out[i], &item, NULL), FLORIN_OK);
        assert_int_equal(item, FLORIN_OK);
        assert_int_equal(out[i].sequence, i + 1);
        assert_int_equal(out[i].decided_us, now);
        r.event.time_us += 7;
        assert_int_equal(florin_decide(d, &r, 1, now + 1000, &again, &item, NULL), FLORIN_OK);
        assert_true(item == FLORIN_OK && again.repeat);
        same_decision(&again, &out[i]);
        r.event.id = "far";
        r.event.id_n = 3;
        r.event.time_us = now + day + 1;
        assert_int_equal(florin_decide(d, &r, 1, now, &again, &item, NULL), FLORIN_OK);
        assert_int_equal(item, FLORIN_EINPUT);
        assert_non_null(strstr(florin_decider_message(d, 0), "ahead"));
    }
    assert_int_equal(florin_scorer_stats(florin_decider_scorer(d), &counts, NULL), FLORIN_OK);
    assert_true(counts.events == TURNS && counts.late >= 3);
    florin_news n = {
        .event = id[2], .event_n = 4, .type = e.type, .label = UINT32_MAX, .arrival_us = INT64_MIN};
    assert_non_null(florin_scorer_name(florin_decider_scorer(d), FLORIN_LABEL, 0, &n.label));
    assert_int_equal(florin_decider_learn(d, &n, 1, NOW - 900 * day, &receipt, &item, NULL),
                     FLORIN_OK);
    assert_int_equal(item, FLORIN_OK);
    assert_int_equal(receipt.decision, 3);
    n.arrival_us = NOW + 2 * day;
    assert_int_equal(florin_decider_learn(d, &n, 1, NOW, &receipt, &item, NULL), FLORIN_OK);
    assert_int_equal(item, FLORIN_EINPUT);
    score_feed_close(&f);
    florin_decider_close(d);
    replay(scratch_path("clocks"), NULL, FLORIN_OK, "\"differ\":0");
}

/* Backwards through all decisions, and what each was about. */
static void going_back(void **state)
{
    florin_decision *out = calloc(SCORE_EVENTS, sizeof *out), got;
    florin_decider *d = open_in(scratch_path("back"), FLORIN_SYNC_INTERVAL);
    uint32_t n = feed(d, 0, 400, out), metas;
    uint64_t before = UINT64_MAX;
    florin_event e, want;
    florin_label_arrival l;
    florin_value values[FLORIN_VALUES_MAX];
    florin_metadata metadata[50];
    score_feed f;

    (void)state;
    for (uint32_t i = n; i-- > 0; before = got.sequence) {
        assert_int_equal(florin_decider_before(d, before, &got, NULL), FLORIN_OK);
        same_decision(&got, &out[i]);
    }
    assert_int_equal(florin_decider_before(d, before, &got, NULL), FLORIN_EINPUT);
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    for (uint32_t i = 0; i < n; i++) {
        while (score_feed_next(&f, &want, &l) != FL_STEP_EVENT) continue;
        assert_int_equal(florin_decider_event(d, out[i].id, (uint32_t)strlen(out[i].id), &e, values,
                                              metadata, &metas, NULL),
                         FLORIN_OK);
        assert_int_equal(e.id_n, want.id_n);
        assert_memory_equal(e.id, want.id, e.id_n);
        assert_true(e.type == want.type && e.time_us == want.time_us &&
                    e.amount_minor == want.amount_minor);
        assert_int_equal(strlen(e.currency), 3);
        if (want.currency[0]) assert_string_equal(e.currency, want.currency);
        assert_int_equal(metas, 1);
        assert_memory_equal(metadata[0].key, "channel", 7);
        for (uint32_t k = 0; k < e.n_values; k++) {
            uint32_t found = 0;
            for (uint32_t w = 0; w < want.n_values; w++)
                if (want.values[w].field == e.values[k].field)
                    found += want.values[w].n == e.values[k].n &&
                             (!e.values[k].n ||
                              !memcmp(want.values[w].text, e.values[k].text, e.values[k].n));
            assert_int_equal(found, 1);
        }
    }
    score_feed_close(&f);
    florin_decider_close(d);
    free(out);
}

/* Deciding allocates nothing; opening fails cleanly wherever memory ends. */
static void memory(void **state)
{
    florin_decision *out = calloc(SCORE_EVENTS, sizeof *out);
    florin_decider *d = open_in(scratch_path("memory"), FLORIN_SYNC_INTERVAL);
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    florin_status item;
    uint64_t refused = 0;

    (void)state;
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    for (int i = 0; i < 300;) {
        if (score_feed_next(&f, &e, &l) != FL_STEP_EVENT) continue;
        florin_request r = {.event = e};
        uint64_t before = allocation_count();
        assert_int_equal(florin_decide(d, &r, 1, NOW, out, &item, NULL), FLORIN_OK);
        assert_int_equal(item, FLORIN_OK);
        if (i++) assert_int_equal(allocation_count(), before);
    }
    score_feed_close(&f);
    florin_decider_close(d);
    for (uint64_t n = 1;; n++) {
        florin_decider_options o = FLORIN_DECIDER_INIT;
        florin_error err = {0};
        o.folder = scratch_path("memory");
        o.window_entries = 1000;
        allocation_fail_at(n, n % 2);
        florin_status st = florin_decider_open(&d, model, &o, NULL, &err);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        if (!st) florin_decider_close(d);
        else if (st != FLORIN_ENOMEM)
            fail_msg("allocation %llu: %s", (unsigned long long)n, err.message);
        refused += st != FLORIN_OK;
        if (!failed) break;
    }
    assert_true(refused > 30);
    d = open_in(scratch_path("memory"), FLORIN_SYNC_INTERVAL);
    assert_int_equal(florin_decider_before(d, UINT64_MAX, out, NULL), FLORIN_OK);
    assert_int_equal(out->sequence, 300);
    florin_decider_close(d);
    free(out);
}

/* The same event id, the same key: the first answer, whether in one batch, later, or after a restart. */
static void repeats(void **state)
{
    florin_decider *d = open_in(scratch_path("repeats"), FLORIN_SYNC_INTERVAL);
    florin_decision out[4], again[4];
    florin_status item[4];
    florin_decider_counts counts = FLORIN_DECIDER_COUNTS_INIT;
    score_feed f;
    florin_event e;
    florin_label_arrival l;

    (void)state;
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    while (score_feed_next(&f, &e, &l) != FL_STEP_EVENT) continue;
    florin_request r[4] = {{.event = e, .key = "a", .key_n = 1},
                           {.event = e},
                           {.event = e, .key = "a", .key_n = 1},
                           {.event = e, .key = "a", .key_n = 1}};
    r[3].event.time_us++; /* the key came before with another request */
    assert_int_equal(florin_decide(d, r, 4, NOW, out, item, NULL), FLORIN_OK);
    assert_int_equal(item[0] | item[1] | item[2], FLORIN_OK);
    assert_int_equal(item[3], FLORIN_EINPUT);
    assert_non_null(strstr(florin_decider_message(d, 3), "another request"));
    assert_true(!out[0].repeat && out[1].repeat && out[2].repeat);
    same_decision(&out[0], &out[1]);
    same_decision(&out[0], &out[2]);
    florin_decider_close(d);
    d = open_in(scratch_path("repeats"), FLORIN_SYNC_INTERVAL);
    assert_int_equal(florin_decide(d, r, 3, NOW + 1, again, item, NULL), FLORIN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(item[i], FLORIN_OK);
        assert_true(again[i].repeat);
        same_decision(&out[0], &again[i]);
    }
    assert_int_equal(florin_decider_stats(d, &counts, NULL), FLORIN_OK);
    assert_int_equal(counts.repeats, 3);
    assert_int_equal(counts.decisions, 0);
    assert_int_equal(counts.sequence, 1);
    r[0].flags = FLORIN_REQUEST_DRY_RUN;
    r[0].event.id = "never seen";
    r[0].event.id_n = 10;
    assert_int_equal(florin_decide(d, r, 1, NOW + 1, again, item, NULL), FLORIN_OK);
    assert_int_equal(item[0], FLORIN_OK);
    assert_true(again[0].dry_run && !again[0].sequence && !again[0].id[0]);
    assert_int_equal(florin_decider_stats(d, &counts, NULL), FLORIN_OK);
    assert_int_equal(counts.sequence, 1);
    score_feed_close(&f);
    florin_decider_close(d);
}

static void no_output(void *user, const char *bytes, size_t n)
{
    (void)user, (void)bytes, (void)n;
}

static void import(const char *journal, const char *log)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_import_options o = {.size = sizeof o, .schema = journal, .log = log};
    florin_error err = {0};

    ctx.write = no_output;
    if (florin_import(&ctx, &o, &err)) fail_msg("%s", err.message);
}

static void same_events(const fl_log *a, const fl_log *b)
{
    const fl_schema *s = fl_log_schema(a);
    assert_int_equal(fl_log_rows(a), fl_log_rows(b));
    for (uint64_t r = 0; r < fl_log_rows(a); r++) {
        fl_event x, y;
        char number[FL_ID_NUMBER];
        size_t n, m;
        fl_log_event(a, r, &x);
        fl_log_event(b, r, &y);
        const char *id = fl_log_event_id(a, r, number, &n);
        assert_memory_equal(id, fl_log_event_id(b, r, number, &m), n);
        assert_int_equal(n, m);
        memset(x.entity, 0, sizeof x.entity); /* dense numbers are each log's own */
        memset(y.entity, 0, sizeof y.entity);
        assert_memory_equal(&x, &y, sizeof x);
        for (uint32_t f = 0; f < s->categories; f++) {
            if (!x.category[f]) continue;
            const char *text = fl_log_value_text(a, (int)f, x.category[f], &n);
            assert_memory_equal(text, fl_log_value_text(b, (int)f, x.category[f], &m), n);
            assert_int_equal(n, m);
        }
    }
    assert_int_equal(fl_log_labels(a), fl_log_labels(b));
    for (uint64_t i = 0; i < fl_log_labels(a); i++) {
        fl_label x, y;
        fl_log_label(a, i, &x);
        fl_log_label(b, i, &y);
        assert_int_equal(x.arrival_us, y.arrival_us);
        assert_int_equal(x.row, y.row);
        assert_int_equal(x.label, y.label);
        assert_true(x.value == y.value);
    }
}

/* The journal of a log's events is the log again, and imported twice it is the same. */
static void the_loop_closes(void **state)
{
    florin_decision *out = calloc(SCORE_EVENTS, sizeof *out);
    char folder[512], again[512];
    fl_log *a, *b;
    florin_decider *d;

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch_path("loop"));
    snprintf(again, sizeof again, "%s", scratch_path("loop.log"));
    d = open_in(folder, FLORIN_SYNC_INTERVAL);
    feed(d, 0, 1500, out);
    florin_decider_close(d);
    import(folder, again);
    d = open_in(folder, FLORIN_SYNC_INTERVAL);
    feed(d, 1500, UINT32_MAX, out);
    florin_decider_close(d);
    import(folder, again);
    import(folder, again);
    assert_int_equal(fl_log_open(&a, log_path, NULL), FLORIN_OK);
    assert_int_equal(fl_log_open(&b, again, NULL), FLORIN_OK);
    same_events(a, b);
    fl_log_close(a);
    fl_log_close(b);
    free(out);
}

/* What an authorisation said becomes part of the event; one without an id has its decision's. */
static void results_and_outcomes(void **state)
{
    char folder[512], imported[512], number[FL_ID_NUMBER];
    florin_decision out;
    florin_status item;
    florin_receipt receipt;
    florin_error err = {0};
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    uint32_t declined, label;
    fl_log *log;
    fl_event row;
    size_t n;

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch_path("results"));
    snprintf(imported, sizeof imported, "%s", scratch_path("results.log"));
    florin_decider *d = open_in(folder, FLORIN_SYNC_INTERVAL);
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    assert_int_equal(
        florin_scorer_find(florin_decider_scorer(d), FLORIN_MARK, "declined", &declined, NULL),
        FLORIN_OK);
    assert_non_null(florin_scorer_name(florin_decider_scorer(d), FLORIN_LABEL, 0, &label));
    while (score_feed_next(&f, &e, &l) != FL_STEP_EVENT) continue;
    for (uint32_t i = 0; i < e.n_values; i++)
        if (e.values[i].field == declined) ((florin_value *)&e.values[i])->number = 0;
    e.id_n = 0;
    florin_request r = {.event = e};
    assert_int_equal(florin_decide(d, &r, 1, NOW, &out, &item, NULL), FLORIN_OK);
    assert_int_equal(item, FLORIN_OK);
    florin_value mark = {.field = declined, .number = 1};
    florin_news news[] = {{.kind = FLORIN_NEWS_RESULT,
                           .decision = out.id,
                           .decision_n = (uint32_t)strlen(out.id),
                           .type = e.type,
                           .arrival_us = INT64_MIN,
                           .values = &mark,
                           .n_values = 1,
                           .key = "k",
                           .key_n = 1},
                          {.kind = FLORIN_NEWS_LABEL,
                           .decision = out.id,
                           .decision_n = (uint32_t)strlen(out.id),
                           .label = label,
                           .value = 1,
                           .arrival_us = NOW + 5}};
    for (int i = 0; i < 2; i++) {
        if (florin_decider_learn(d, &news[i], 1, NOW, &receipt, &item, &err))
            fail_msg("%s", err.message);
        if (item) fail_msg("%s", florin_decider_message(d, 0));
        assert_int_equal(receipt.sequence, 2 + i);
        assert_int_equal(receipt.decision, 1);
        assert_true(receipt.counted && !receipt.repeat);
    }
    assert_int_equal(florin_decider_learn(d, news, 1, NOW, &receipt, &item, &err), FLORIN_OK);
    assert_true(receipt.repeat);
    assert_int_equal(receipt.sequence, 2);
    /* The same outcome again says nothing new; another one, and the first once more, do. */
    for (int i = 0; i < 4; i++) {
        news[1].value = i < 2 ? 1 : i == 2 ? 0 : 1;
        news[1].arrival_us = NOW + 5 + i;
        assert_int_equal(florin_decider_learn(d, news + 1, 1, NOW + i, &receipt, &item, &err),
                         FLORIN_OK);
        assert_int_equal(item, FLORIN_OK);
        assert_int_equal(receipt.repeat, i < 2);
        assert_int_equal(receipt.sequence, i < 2 ? 3 : 2 + i);
    }
    news[1].key = "k";
    news[1].key_n = 1;
    assert_int_equal(florin_decider_learn(d, news + 1, 1, NOW, &receipt, &item, &err), FLORIN_OK);
    assert_int_equal(item, FLORIN_EINPUT);
    news[1].decision = "dec_0000000000000";
    assert_int_equal(florin_decider_learn(d, news + 1, 1, NOW, &receipt, &item, &err), FLORIN_OK);
    assert_int_equal(item, FLORIN_EINPUT);
    score_feed_close(&f);
    florin_decider_close(d);
    import(folder, imported);
    assert_int_equal(fl_log_open(&log, imported, NULL), FLORIN_OK);
    assert_int_equal(fl_log_rows(log), 1);
    assert_int_equal(fl_log_labels(log), 3);
    fl_log_event(log, 0, &row);
    assert_int_equal(row.marks, 1);
    const char *id = fl_log_event_id(log, 0, number, &n);
    assert_int_equal(n, strlen(out.id));
    assert_memory_equal(id, out.id, n);
    fl_log_close(log);
}

/* Rules over scores, velocities, lists and metadata: stopped and opened again, with and without a checkpoint, as if never
 * stopped; the journal replayed gives the bytes. */
static void rules_decide(void **state)
{
    static const char text[] =
        "lists: {bad: {of: card}}\nthresholds: {block: 90}\nholdout: {share: 0.5}\nrules: |\n"
        "  Request 3DS if velocity(card, 30d) > 20 and ::channel:: = 'app'\n"
        "  Block if :card: in @bad\n"
        "  Block if velocity(card, 90d, blocked) > 3\n"
        "  Review if :risk_score: > 60 or velocity(card, 90d, declined) > 2\n";
    static const uint32_t stop[] = {0, 700, 1300, 1900, 2600, UINT32_MAX};
    florin_decision *whole = calloc(SCORE_EVENTS, sizeof *whole),
                    *out = calloc(SCORE_EVENTS, sizeof *out);
    florin_error err = {0};
    florin_policy *p;
    char rules[512], a[512], b[512];
    uint32_t action[4] = {0}, n = 0, m = 0, by_rule = 0, held = 0;
    uint64_t sequence;

    (void)state;
    snprintf(rules, sizeof rules, "%s", scratch_file("rules.yaml", text, sizeof text - 1));
    snprintf(a, sizeof a, "%s", scratch_path("rules.whole"));
    snprintf(b, sizeof b, "%s", scratch_path("rules.parts"));
    if (florin_policy_open(&p, rules, model, NULL, &err)) fail_msg("%s", err.message);
    policy = p;
    for (int parts = 0; parts < 2; parts++) {
        florin_decider *d = open_in(parts ? b : a, FLORIN_SYNC_INTERVAL);
        for (size_t i = 0; i + 1 < FL_LEN(stop); i++) {
            if (parts) m += feed(d, stop[i], stop[i + 1], out + m);
            else n += feed(d, stop[i], stop[i + 1], whole + n);
            if (i == 0 &&
                florin_decider_list(d, "bad", "c0000003", 8, INT64_MAX, NOW, &sequence, &err))
                fail_msg("%s", err.message);
            if (i == 3 &&
                florin_decider_list(d, "bad", "c0000003", 8, INT64_MIN, NOW, &sequence, &err))
                fail_msg("%s", err.message);
            if (!parts) continue;
            if (i == 1) assert_int_equal(florin_decider_checkpoint(d, NULL), FLORIN_OK);
            florin_decider_close(d);
            d = open_in(b, FLORIN_SYNC_INTERVAL);
        }
        assert_int_equal(florin_decider_list(d, "none", "x", 1, INT64_MAX, NOW, &sequence, NULL),
                         FLORIN_EINPUT);
        florin_decider_close(d);
    }
    assert_int_equal(n, m);
    for (uint32_t i = 0; i < n; i++) {
        action[whole[i].action]++;
        by_rule += whole[i].rule[0] != 0;
        held += whole[i].holdout;
        out[i].sequence = whole[i].sequence; /* every open writes its policy down */
        memcpy(out[i].id, whole[i].id, sizeof out[i].id);
        assert_int_equal(out[i].action, whole[i].action);
        /* A holdout is drawn from the event's id, so it is the same too. */
        same_decision(&whole[i], &out[i]);
    }
    for (int k = 0; k < 4; k++)
        if (!action[k])
            fail_msg("no action %s among %u %u %u %u", florin_action_name((florin_action)k),
                     action[0], action[1], action[2], action[3]);
    assert_true(by_rule > 50 && held > 0);
    replay(a, rules, FLORIN_OK, "\"differ\":0");
    replay(a, rules, FLORIN_OK, "\"other_model\":0");
    replay(b, rules, FLORIN_OK, "\"differ\":0");
    replay(a, NULL, FLORIN_OK, "\"same\":0");
    policy = NULL;
    florin_policy_close(p);
    free(whole);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_scorer),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(checkpoint_beside),
        cmocka_unit_test(clocks_jump),
        cmocka_unit_test(going_back),
        cmocka_unit_test(memory),
        cmocka_unit_test(repeats),
        cmocka_unit_test(the_loop_closes),
        cmocka_unit_test(results_and_outcomes),
        cmocka_unit_test(rules_decide),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
