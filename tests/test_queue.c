/* The review queue: who may do what, cursors, what the journal has still to be told, and that nothing is lost by kill -9. */
#include "support/support.h"
#include "support/score_fixture.h"
#include "base/file.h"
#include "policy/queue.h"
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR = 3600 };

static fl_queue *queue_at(const char *path)
{
    fl_queue *q;
    florin_error err = {0};
    if (fl_queue_open(&q, path, &err)) fail_msg("%s", err.message);
    return q;
}

static void put(fl_queue *q, uint64_t sequence, int score)
{
    char id[32];
    snprintf(id, sizeof id, "dec_%llu", (unsigned long long)sequence);
    fl_queue_item item = {.decision = id,
                          .sequence = sequence,
                          .decided_us = (int64_t)sequence * 10,
                          .amount_minor = sequence % 2 ? INT64_MIN : 1999,
                          .currency = "EUR",
                          .type = "payment",
                          .event = "p1",
                          .score = score,
                          .rule = "abroad",
                          .why = "far from home"};
    assert_int_equal(fl_queue_put(q, &item, NULL), FLORIN_OK);
}

static void one_person_at_a_time(void **state)
{
    (void)state;
    fl_queue *q = queue_at(scratch_path("people.db"));
    florin_error err = {0};
    json_t *j;
    put(q, 7, 71);
    put(q, 7, 99); /* as it was */
    assert_int_equal(fl_queue_claim(q, "dec_8", "ann", 100, HOUR, &err), FLORIN_EINPUT);
    CHECK(strstr(err.message, "not in the queue"));
    assert_int_equal(fl_queue_claim(q, "dec_7", "", 100, HOUR, &err), FLORIN_EINPUT);
    assert_int_equal(fl_queue_release(q, "dec_7", "ann", 100, &err), FLORIN_EINPUT);
    CHECK(strstr(err.message, "nobody's hands"));
    assert_int_equal(fl_queue_claim(q, "dec_7", "ann", 100, HOUR, &err), FLORIN_OK);
    assert_int_equal(fl_queue_claim(q, "dec_7", "bob", 200, HOUR, &err), FLORIN_EINPUT);
    CHECK(strstr(err.message, "hands of ann"));
    assert_int_equal(fl_queue_decide(q, "dec_7", "bob", FL_REVIEW_FRAUD, NULL, 200, &err),
                     FLORIN_EINPUT);
    assert_int_equal(fl_queue_note(q, "dec_7", "bob", "looks odd", 210, &err), FLORIN_OK);
    assert_int_equal(fl_queue_claim(q, "dec_7", "ann", 300, HOUR, &err), FLORIN_OK); /* longer */
    assert_int_equal(fl_queue_release(q, "dec_7", "ann", 400, &err), FLORIN_OK);
    assert_int_equal(fl_queue_claim(q, "dec_7", "bob", 500, HOUR, &err), FLORIN_OK);
    assert_int_equal(fl_queue_claim(q, "dec_7", "ann", 500 + HOUR, HOUR, &err),
                     FLORIN_OK); /* lapsed */
    assert_int_equal(fl_queue_decide(q, "dec_7", "ann", FL_REVIEW_REFUND, "asked him", 5000, &err),
                     FLORIN_OK);
    assert_int_equal(fl_queue_decide(q, "dec_7", "ann", FL_REVIEW_FRAUD, NULL, 5001, &err),
                     FLORIN_EINPUT);
    CHECK(strstr(err.message, "refund, by ann"));
    assert_int_equal(fl_queue_get(q, "dec_7", 6000, &j, &err), FLORIN_OK);
    assert_string_equal(fl_json_str(j, "state", ""), "done");
    assert_string_equal(fl_json_str(j, "outcome", ""), "refund");
    assert_int_equal(fl_json_int(j, "score", 0), 71);
    CHECK(!json_object_get(j, "amount"));
    json_t *history = json_object_get(j, "history");
    assert_int_equal(json_array_size(history), 7);
    assert_string_equal(fl_json_str(json_array_get(history, 6), "text", ""), "asked him");
    json_decref(j);
    fl_queue_close(q);
}

/* All of a state, page by page, each once, in order. */
static void walk(fl_queue *q, const char *state, fl_queue_order by, uint32_t page, uint64_t want)
{
    char cursor[64] = "";
    uint64_t seen = 0;
    int64_t last = by == FL_QUEUE_SCORE ? INT64_MAX : -1;
    for (bool more = true; more;) {
        json_t *j;
        assert_int_equal(fl_queue_list(q, state, by, cursor, page, 50, &j, NULL), FLORIN_OK);
        const json_t *items = json_object_get(j, "items");
        for (size_t i = 0; i < json_array_size(items); i++, seen++) {
            const json_t *o = json_array_get(items, i);
            int64_t s = fl_json_int(o, "score", 0), n = fl_json_int(o, "sequence", 0);
            int64_t place = by == FL_QUEUE_SCORE ? s * 1000 - n : n;
            CHECK(by == FL_QUEUE_SCORE ? place < last : place > last);
            last = place;
        }
        more = fl_json_str(j, "next", NULL) != NULL;
        if (more) assert_int_equal(json_array_size(items), page);
        snprintf(cursor, sizeof cursor, "%s", fl_json_str(j, "next", ""));
        json_decref(j);
    }
    assert_int_equal(seen, want);
}

static void lists_and_news(void **state)
{
    (void)state;
    fl_queue *q = queue_at(scratch_path("list.db"));
    fl_queue_counts c;
    fl_queue_news news[10];
    uint32_t n;
    uint64_t reached;
    json_t *j;
    assert_int_equal(fl_queue_begin(q, NULL), FLORIN_OK);
    for (uint64_t i = 1; i <= 57; i++) put(q, i, (int)(i * 37 % 20));
    assert_int_equal(fl_queue_reach(q, 80, NULL), FLORIN_OK);
    assert_int_equal(fl_queue_end(q, FLORIN_OK, NULL), FLORIN_OK);
    assert_int_equal(fl_queue_reached(q, &reached, NULL), FLORIN_OK);
    assert_int_equal(reached, 80);
    assert_int_equal(fl_queue_claim(q, "dec_3", "ann", 0, 100, NULL), FLORIN_OK);
    assert_int_equal(fl_queue_claim(q, "dec_4", "ann", 0, 10, NULL), FLORIN_OK);
    assert_int_equal(fl_queue_decide(q, "dec_9", "ann", FL_REVIEW_FRAUD, NULL, 30, NULL),
                     FLORIN_OK);
    assert_int_equal(fl_queue_decide(q, "dec_5", "ann", FL_REVIEW_APPROVE, NULL, 20, NULL),
                     FLORIN_OK);
    for (uint32_t page = 1; page < 60; page += 13) {
        walk(q, NULL, FL_QUEUE_OLDEST, page, 57);
        walk(q, NULL, FL_QUEUE_SCORE, page, 57);
        walk(q, "open", FL_QUEUE_OLDEST, page, 54);
        walk(q, "claimed", FL_QUEUE_SCORE, page, 1);
        walk(q, "done", FL_QUEUE_OLDEST, page, 2);
    }
    assert_int_equal(fl_queue_list(q, "opened", FL_QUEUE_OLDEST, "", 5, 0, &j, NULL),
                     FLORIN_EINPUT);
    assert_int_equal(fl_queue_list(q, NULL, FL_QUEUE_OLDEST, "5.x", 5, 0, &j, NULL), FLORIN_EINPUT);
    assert_int_equal(fl_queue_count(q, 50, &c, NULL), FLORIN_OK);
    CHECK(c.open == 54 && c.claimed == 1 && c.done == 2 && c.untold == 2 && c.oldest_us == 10);
    assert_int_equal(fl_queue_untold(q, news, 10, &n, NULL), FLORIN_OK);
    CHECK(n == 2 && !strcmp(news[0].decision, "dec_5") && news[0].outcome == FL_REVIEW_APPROVE &&
          news[1].outcome == FL_REVIEW_FRAUD && news[1].at_us == 30);
    assert_int_equal(fl_queue_told(q, "dec_5", NULL), FLORIN_OK);
    assert_int_equal(fl_queue_told(q, "dec_6", NULL), FLORIN_OK); /* not decided: stays */
    assert_int_equal(fl_queue_untold(q, news, 10, &n, NULL), FLORIN_OK);
    CHECK(n == 1 && !strcmp(news[0].decision, "dec_9"));
    fl_queue_close(q);
}

/* A child decides and says so; what it has said is decided, and still to be told, after it was killed. */
static void decisions_outlive_kill(void **state)
{
    (void)state;
    const char *path = scratch_path("killed.db");
    fl_queue *q = queue_at(path);
    for (uint64_t i = 1; i <= 400; i++) put(q, i, 50);
    fl_queue_close(q);
    int pipes[2], said = 0;
    char byte;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (!child) {
        q = queue_at(path);
        for (int i = 1; i <= 400; i++) {
            char id[32];
            snprintf(id, sizeof id, "dec_%d", i);
            if (fl_queue_decide(q, id, "ann", FL_REVIEW_FRAUD, NULL, i, NULL) ||
                write(pipes[1], "x", 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(pipes[1]);
    while (said < 25 && read(pipes[0], &byte, 1) == 1) said++;
    kill(child, SIGKILL);
    while (read(pipes[0], &byte, 1) == 1) said++;
    waitpid(child, NULL, 0);
    close(pipes[0]);
    fl_queue_counts c;
    q = queue_at(path);
    assert_int_equal(fl_queue_count(q, 0, &c, NULL), FLORIN_OK);
    CHECK(said >= 25 && c.done >= (uint64_t)said && c.done <= (uint64_t)said + 1);
    CHECK(c.untold == c.done && c.done + c.open == 400);
    fl_queue_close(q);
}

/* ---- from a journal, and back as labels ---- */

enum { FED = 300 };
#define NOW (1750000000 * FL_SECOND_US)

static char page[1 << 20];
static size_t paged;

static void take(void *user, const char *bytes, size_t n)
{
    (void)user;
    assert_true(paged + n < sizeof page);
    memcpy(page + paged, bytes, n);
    paged += n;
    page[paged] = 0;
}

static json_t *list_of(florin_queue *q)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_queue_options o = FLORIN_QUEUE_INIT;
    json_t *j;
    ctx.write = take;
    o.format = FLORIN_JSON;
    o.now_us = NOW;
    paged = 0;
    assert_int_equal(florin_queue_list(q, &o, &ctx, NULL), FLORIN_OK);
    assert_int_equal(fl_json_parse(&j, page, paged, "page", NULL), FLORIN_OK);
    return j;
}

/* Events of the log up to the n-th; those of review are counted and the first three kept. */
static uint32_t feed(florin_decider *d, const char *log, uint32_t from, uint32_t to,
                     char (*id)[FLORIN_DECISION_ID])
{
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    florin_error err = {0};
    uint32_t n = 0, reviews = 0;
    fl_step step;
    score_feed_open(&f, log, florin_decider_scorer(d));
    while (n < to && (step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        florin_status item = FLORIN_OK;
        florin_decision out;
        if (step != FL_STEP_EVENT || n++ < from) continue;
        florin_request r = {.event = e};
        if (florin_decide(d, &r, 1, NOW, &out, &item, &err) || item)
            fail_msg("%s", florin_decider_message(d, 0));
        if (out.action != FLORIN_REVIEW) continue;
        if (reviews < 3) memcpy(id[reviews], out.id, sizeof id[0]);
        reviews++;
    }
    score_feed_close(&f);
    return reviews;
}

static void from_journal_to_label(void **state)
{
    (void)state;
    static const char text[] =
        "rules: |\n  some: Review if :event_type: = 'payment' and :amount: > 40\n";
    char id[3][FLORIN_DECISION_ID] = {{0}}, log[512], folder[512], store[512];
    florin_model *model;
    florin_policy *policy;
    florin_decider *d;
    florin_queue *q;
    florin_error err = {0};
    uint64_t added;
    uint32_t told;
    snprintf(log, sizeof log, "%s", score_log());
    snprintf(folder, sizeof folder, "%s", scratch_path("journal"));
    snprintf(store, sizeof store, "%s", scratch_path("reviews.db"));
    const char *path = score_model(scratch_path("q.florin"), log, 3, 4);
    assert_int_equal(florin_model_open(&model, path, NULL, &err), FLORIN_OK);
    assert_int_equal(florin_policy_open(&policy, scratch_file("q.yaml", text, sizeof text - 1),
                                        model, NULL, &err),
                     FLORIN_OK);
    florin_decider_options o = FLORIN_DECIDER_INIT;
    o.folder = folder;
    o.scorer.entities_max = 5000;
    o.window_entries = 10000;
    o.policy = policy;
    if (florin_decider_open(&d, model, &o, NULL, &err)) fail_msg("%s", err.message);
    uint32_t reviews = feed(d, log, 0, FED, id);
    CHECK(reviews > 20 && reviews < FED);
    /* In pieces, again, and after more has come: each once. */
    assert_int_equal(florin_queue_open(&q, store, &err), FLORIN_OK);
    if (florin_queue_fill(q, folder, 100, &added, &err)) fail_msg("%s", err.message);
    uint64_t first = added;
    CHECK(first > 0 && first < reviews);
    assert_int_equal(florin_queue_fill(q, folder, 0, &added, &err), FLORIN_OK);
    assert_int_equal(first + added, reviews);
    assert_int_equal(florin_queue_fill(q, folder, 0, &added, &err), FLORIN_OK);
    assert_int_equal(added, 0);
    char more[3][FLORIN_DECISION_ID];
    uint32_t later = feed(d, log, FED, FED + 100, more);
    florin_queue_close(q);
    assert_int_equal(florin_queue_open(&q, store, &err), FLORIN_OK);
    assert_int_equal(florin_queue_fill(q, folder, 0, &added, &err), FLORIN_OK);
    assert_int_equal(added, later);
    json_t *j = list_of(q);
    const json_t *item = json_array_get(json_object_get(j, "items"), 0);
    assert_int_equal(fl_json_int(j, "open", 0), reviews + later);
    assert_string_equal(fl_json_str(item, "decision", ""), id[0]);
    assert_string_equal(fl_json_str(item, "rule", ""), "some");
    assert_string_equal(fl_json_str(item, "type", ""), "payment");
    CHECK(fl_json_int(item, "amount", 0) > 4000);
    json_decref(j);
    /* People decide; the decider hears it once, even when telling was cut off after the journal had it. */
    florin_signature by = {"ann", "called the customer", NOW};
    assert_int_equal(florin_queue_claim(q, id[0], &by, FL_HOUR_US, &err), FLORIN_OK);
    assert_int_equal(florin_queue_decide(q, id[0], FLORIN_FRAUD, &by, &err), FLORIN_OK);
    assert_int_equal(florin_queue_decide(q, id[1], FLORIN_APPROVE, &by, &err), FLORIN_OK);
    assert_int_equal(florin_queue_decide(q, id[2], FLORIN_REFUND, &by, &err), FLORIN_OK);
    assert_int_equal(florin_queue_tell(q, d, NOW, &told, &err), FLORIN_OK);
    assert_int_equal(told,
                     3); /* the refund: no label speaks of it, so nothing is told, and it is done */
    florin_decider_counts c = FLORIN_DECIDER_COUNTS_INIT;
    assert_int_equal(florin_decider_stats(d, &c, &err), FLORIN_OK);
    assert_int_equal(c.labels, 2);
    assert_int_equal(florin_queue_tell(q, d, NOW, &told, &err), FLORIN_OK);
    assert_int_equal(told, 0);
    florin_queue_close(q);
    /* Lost queue: filled again from the journal; the same decision by the same key counts nothing twice. */
    assert_int_equal(florin_queue_open(&q, scratch_path("again.db"), &err), FLORIN_OK);
    assert_int_equal(florin_queue_fill(q, folder, 0, &added, &err), FLORIN_OK);
    assert_int_equal(added, reviews + later);
    assert_int_equal(florin_queue_decide(q, id[0], FLORIN_FRAUD, &by, &err), FLORIN_OK);
    assert_int_equal(florin_queue_tell(q, d, NOW, &told, &err), FLORIN_OK);
    assert_int_equal(told, 1);
    assert_int_equal(florin_decider_stats(d, &c, &err), FLORIN_OK);
    assert_int_equal(c.labels, 2);
    florin_queue_close(q);
    florin_decider_close(d);
    florin_policy_close(policy);
    florin_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_person_at_a_time), cmocka_unit_test(lists_and_news),
        cmocka_unit_test(decisions_outlive_kill), cmocka_unit_test(from_journal_to_label)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
