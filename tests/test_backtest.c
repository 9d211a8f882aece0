/* A backtest against a plain walk over the log: every event scored, judged by the live path's own evaluation, and counted. */
#include "support/support.h"
#include "support/score_fixture.h"
#include "base/file.h"
#include "model/encode.h"
#include "policy/backtest.h"
#include "policy/lists.h"
#include "policy/rings.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* Every operator, every kind of attribute, in all four kinds of rules. */
static const char POLICY[] =
    "thresholds: {block: 97, review: 60, request_3ds: 55, per: {merchant: {m00003: {block: 50, "
    "review: 20}}}}\n"
    "lists:\n"
    "  cards: {of: card, entries: [c0000001, c0000004, {value: c0000002, until: 2025-02-20}]}\n"
    "  lands: {entries: [DE, FR]}\n"
    "  kinds: {entries: [login]}\n"
    "rules: |\n"
    "  a: Block if :card: in @cards and :amount: > 10\n"
    "  b: Review if :country: not in @lands or :event_type: in @kinds\n"
    "  c: Request 3DS if :amount: > 3 * :card.normal_amount: and not :card.new_counterparty:\n"
    "  d: Allow if :entry_mode: = 'chip' and :hour: < 12\n"
    "  e: Block if velocity(card, 1d) > 3 or velocity(merchant, 2h, declined) >= 1\n"
    "  f: Review if is_missing(:device:) and not (:country: != 'DE')\n"
    "  g: Review if :entry_mode: like 'c%s' or :entry_mode: includes 'lin' or :category: like 'x'\n"
    "  h: Block if :fraud.probability: * 2 - 1 > -(0.2) / (:again.probability: + 0.1)\n"
    "  i: Review if :risk_level: in ('highest', 'elevated') and :fraud.score: >= :again.score:\n"
    "  j: Review if :weekday: in (5, 6, -1) and :currency: = 'EUR' and :amount: - 5 in (1, 2.5)\n"
    "  k: Block if :card.since_last: < 0.01 or :card.since_bad: >= 0\n"
    "  l: Review if :amount: < :card.normal_amount: and :amount: != 5 and :amount: <= 100\n"
    "  m: Allow if ::trusted:: or is_missing(::trusted::) and :card.tenure: < 0.5\n"
    "  n: Review if :country: = :category: or :income: > 5 or true and false\n"
    "  o: Block if :terminal: in ('t1') or :card: = 'c0000003'\n";

typedef struct {
    fl_model *m;
    fl_log *log;
    fl_policy *p;
    char folder[512];
} fixture;

static void open_fixture(fixture *f)
{
    florin_error err = {0};
    uint8_t key[16];
    const char *log = score_log(), *model = score_model(scratch_path("m.florin"), log, 3, 4);
    assert_int_equal(fl_model_open(&f->m, model, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_log_open(&f->log, log, &err), FLORIN_OK);
    assert_int_equal(fl_schema_key(fl_model_schema(f->m), key, &err), FLORIN_OK);
    if (fl_policy_parse(&f->p, POLICY, strlen(POLICY), "p.yaml", f->m, key, &err))
        fail_msg("%s", err.message);
    snprintf(f->folder, sizeof f->folder, "%s", scratch_path("columns"));
}

static void close_fixture(fixture *f)
{
    fl_policy_free(f->p);
    fl_log_close(f->log);
    fl_model_close(f->m);
}

static void count(fl_tally *t, const fl_event *e, int outcome, bool declined)
{
    int64_t amount = e->amount_minor == FL_AMOUNT_NONE ? 0 : e->amount_minor;
    t->events++;
    t->disputed += outcome == 1;
    t->good += outcome == 0;
    t->unknown += outcome < 0;
    t->declined += declined;
    t->amount += amount;
    t->amount_disputed += outcome == 1 ? amount : 0;
    t->amount_good += outcome == 0 ? amount : 0;
}

enum { ITEMS = 18, RULES = 15 };
typedef struct {
    fl_tally all, action[FL_ACTIONS], matched[ITEMS], decided[ITEMS];
    uint64_t alone[ITEMS], overlap[ITEMS][ITEMS];
} plain;

static void walk(const fixture *f, plain *out)
{
    fl_encode *e;
    fl_lists *lists;
    fl_rings *rings;
    fl_head *head[2] = {0};
    fl_label_index *labels;
    uint64_t row;
    fl_event event;
    const float *values;
    const fl_fold_carry *carry;
    const fl_schema *s = fl_log_schema(f->log);
    uint32_t heads = 0;
    for (uint32_t i = 0; i < fl_heads(f->m); i++) {
        fl_head *h;
        assert_int_equal(fl_head_open(&h, f->m, i, NULL), FLORIN_OK);
        if (fl_head_per_event(h) && heads < 2) head[heads++] = h;
        else fl_head_close(h);
    }
    assert_int_equal(heads, 2);
    assert_int_equal(fl_encode_open(&e, f->m, f->log, NULL), FLORIN_OK);
    assert_int_equal(fl_lists_open(&lists, f->p, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_open(&rings, f->p, 10000, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_label_index_new(&labels, f->log, s->risk_label, NULL), FLORIN_OK);
    int payment = fl_schema_source(s, "payment"), mark = fl_schema_mark(s, "declined");
    uint8_t key[16];
    assert_int_equal(fl_schema_key(s, key, NULL), FLORIN_OK);
    memset(out, 0, sizeof *out);
    while (fl_encode_next(e, &row, &event, &values, &carry)) {
        fl_head_out scores[2];
        fl_text text[FL_CATEGORIES_MAX] = {{0}};
        fl_decision d;
        uint64_t bits[1];
        for (uint32_t h = 0; h < 2; h++) fl_head_score(head[h], values, &scores[h]);
        for (uint32_t c = 0; c < s->categories; c++) {
            size_t n = 0;
            const char *t =
                event.category[c] ? fl_log_value_text(f->log, (int)c, event.category[c], &n) : NULL;
            text[c] = (fl_text){t, (uint32_t)n};
        }
        fl_policy_view v = {.event = &event,
                            .row = values,
                            .head = scores,
                            .category = text,
                            .lists = lists,
                            .rings = rings};
        fl_policy_match(f->p, &v, bits);
        fl_policy_decide(f->p, &v, &d);
        fl_rings_add(rings, &event, FL_ALLOW);
        if (event.type != payment) continue;
        float label = fl_label_at(labels, row, INT64_MAX);
        int outcome = label < 0 ? -1 : label > 0;
        bool declined = event.marks >> mark & 1;
        count(&out->all, &event, outcome, declined);
        count(&out->action[d.action], &event, outcome, declined);
        bool third = event.entity_hash[1] == fl_entity_hash(key, "merchant", "m00003", 6);
        bool hit[ITEMS];
        for (int i = 0; i < RULES; i++) hit[i] = bits[0] >> i & 1;
        hit[15] = scores[0].score >= (third ? 50 : 97); /* block, review, 3DS */
        hit[16] = scores[0].score >= (third ? 20 : 60);
        hit[17] = scores[0].score >= 55;
        int hits = 0;
        for (int i = 0; i < ITEMS; i++) hits += hit[i];
        for (int i = 0; i < ITEMS; i++) {
            if (!hit[i]) continue;
            count(&out->matched[i], &event, outcome, declined);
            out->alone[i] += hits == 1;
            for (int j = 0; j < ITEMS; j++) out->overlap[i][j] += j != i && hit[j];
        }
        int by = d.by == FL_BY_RULE      ? d.rule
                 : d.by == FL_BY_NONE    ? -1
                 : d.action == FL_BLOCK  ? 15
                 : d.action == FL_REVIEW ? 16
                                         : 17;
        if (by >= 0) count(&out->decided[by], &event, outcome, declined);
    }
    fl_encode_close(e);
    fl_lists_close(lists);
    fl_rings_close(rings);
    fl_label_index_free(labels);
    fl_head_close(head[0]);
    fl_head_close(head[1]);
}

static void same_tally(const fl_tally *a, const fl_tally *b, const char *what)
{
    if (memcmp(a, b, sizeof *a))
        fail_msg("%s: %llu %llu %llu %llu %lld, not %llu %llu %llu %llu %lld", what,
                 (unsigned long long)a->events, (unsigned long long)a->disputed,
                 (unsigned long long)a->good, (unsigned long long)a->declined, (long long)a->amount,
                 (unsigned long long)b->events, (unsigned long long)b->disputed,
                 (unsigned long long)b->good, (unsigned long long)b->declined,
                 (long long)b->amount);
}

static void equals_a_plain_walk(void **state)
{
    (void)state;
    static plain want;
    fixture f;
    open_fixture(&f);
    walk(&f, &want);
    for (uint32_t threads = 1; threads <= 3; threads++) {
        fl_backtest b;
        florin_error err = {0};
        florin_context ctx = FLORIN_CONTEXT_INIT;
        ctx.threads = threads;
        fl_backtest_options o = {.folder = f.folder, .from_us = INT64_MIN, .to_us = INT64_MAX};
        if (fl_backtest_run(&b, f.p, f.m, f.log, &o, &ctx, &err)) fail_msg("%s", err.message);
        assert_int_equal(b.items, ITEMS);
        CHECK(b.declines && !b.refunds && b.metadata);
        CHECK(threads == 1 ? b.made > 10 : b.made == 0);
        same_tally(&b.all, &want.all, "all");
        uint32_t used = 0;
        for (int a = 0; a < FL_ACTIONS; a++)
            same_tally(&b.action[a], &want.action[a], fl_action_name((fl_action)a));
        for (int i = 0; i < ITEMS; i++) {
            same_tally(&b.item[i].matched, &want.matched[i], b.item[i].name);
            same_tally(&b.item[i].decided, &want.decided[i], b.item[i].name);
            assert_int_equal(b.item[i].alone, want.alone[i]);
            used += want.matched[i].events > 0;
            for (int j = 0; j < ITEMS; j++)
                if (i != j) assert_int_equal(b.overlap[i * ITEMS + j], want.overlap[i][j]);
        }
        CHECK(used >= 13); /* the rules say something */
        fl_backtest_free(&b);
    }
    close_fixture(&f);
}

/* A damaged or shortened column is made anew; another model's is never taken; nothing is left of a run that fails. */
static void stored_columns_are_checked(void **state)
{
    (void)state;
    fixture f;
    fl_backtest b, again;
    florin_error err = {0};
    char command[1200], path[600] = "";
    open_fixture(&f);
    fl_backtest_options o = {.folder = f.folder, .from_us = INT64_MIN, .to_us = INT64_MAX};
    assert_int_equal(fl_backtest_run(&b, f.p, f.m, f.log, &o, NULL, &err), FLORIN_OK);
    snprintf(command, sizeof command, "ls %s/head-0-score-*", f.folder);
    FILE *ls = popen(command, "r");
    assert_non_null(ls);
    assert_non_null(fgets(path, sizeof path, ls));
    pclose(ls);
    path[strcspn(path, "\n")] = 0;
    for (int k = 0; k < 3; k++) {
        if (k == 0) flip_bit(path, 64 + 4 * 500 + 2, 6);
        else if (k == 1) cut_file(path, 64 + 4 * 700);
        else cut_file(path, 0);
        assert_int_equal(fl_backtest_run(&again, f.p, f.m, f.log, &o, NULL, &err), FLORIN_OK);
        assert_int_equal(again.made, 1);
        same_tally(&again.action[FL_REVIEW], &b.action[FL_REVIEW], "review");
        fl_backtest_free(&again);
    }
    fl_model *other;
    const char *model = score_model(scratch_path("other.florin"), score_log(), 3, 5);
    assert_int_equal(fl_model_open(&other, model, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_backtest_run(&again, f.p, other, f.log, &o, NULL, &err), FLORIN_OK);
    CHECK(again.made > 5);
    fl_backtest_free(&again);
    fl_model_close(other);
    o.label = "fraudd";
    assert_int_equal(fl_backtest_run(&again, f.p, f.m, f.log, &o, NULL, &err), FLORIN_EINPUT);
    CHECK(strstr(err.message, "did you mean 'fraud'"));
    o.label = NULL;
    o.type = "dispute";
    assert_int_equal(fl_backtest_run(&again, f.p, f.m, f.log, &o, NULL, &err), FLORIN_EINPUT);
    fl_backtest_free(&b);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_a_plain_walk),
                                       cmocka_unit_test(stored_columns_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
