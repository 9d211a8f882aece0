/* Task files: what is read, what is refused and how; folds; and that nothing is known before it arrived. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "task/folds.h"
#include "task/sample.h"

#include <math.h>
#include <stdio.h>

static fl_schema *schema;
static fl_model *model;
static fl_log *log_;

static int setup(void **state)
{
    (void)state;
    florin_error e = {0};
    schema = fixture_schema();
    const char *path = fixture_model(scratch_path("m.florin"), schema, 32, 16, 1);
    if (fl_model_open(&model, path, "ref", &e)) fail_msg("%s", e.message);
    log_ = fixture_log("log", 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fl_log_close(log_);
    fl_model_close(model);
    fl_schema_free(schema);
    return 0;
}

#define HEAD   "florin_task: 1\nname: t\n"
#define EVENTS HEAD "moments: {event: payment}\nlabel: fraud\n"
#define CARDS                                                                                      \
    HEAD "moments: {entity: card, every: 1d}\nlabel: {event: payment, within: 12h, is: present}\n"

static fl_task task_of(const char *text)
{
    fl_task t;
    florin_error e = {0};
    if (fl_task_parse(&t, text, strlen(text), "t.yaml", schema, &e)) fail_msg("%s", e.message);
    return t;
}

static void refuse(florin_status want, const char *text, const char *message)
{
    fl_task t;
    florin_error e = {0};
    florin_status st = fl_task_parse(&t, text, strlen(text), "t.yaml", schema, &e);
    if (st != want) fail_msg("%s: status %d: %s", message, st, e.message);
    if (!strstr(e.message, message)) fail_msg("'%s' lacks '%s'", e.message, message);
    if (strncmp(e.message, "t.yaml:", 7)) fail_msg("'%s' does not name the line", e.message);
    if (strchr(e.message, '\n')) fail_msg("'%s' is more than a line", e.message);
}

static void whole_file_is_read(void **state)
{
    (void)state;
    fl_task t = task_of(EVENTS "train: {from: 2018-05-16}\ngap: 7d\n"
                               "validate: [{from: 2018-07-04, to: 2018-07-11}]\n"
                               "test:\n  - {from: 2018-08-08, to: 2018-08-15}\n"
                               "  - {from: 2018-08-15, to: 2018-08-22}\n"
                               "removal: {entity: card, since: 14d, lag: 7d}\n"
                               "negatives: 0.5\ncluster: merchant\ncost: {miss: 90, alert: 4}\n"
                               "metrics: {card_precision: 50, recall_at_fpr: [0.001, 0.01]}\n"
                               "label_delay: 2d\nhead: blend\nabout: words\n");
    assert_true(t.per_event && t.label == 0 && t.moment.type == 0);
    assert_int_equal(t.validates, 1);
    assert_int_equal(t.tests, 2);
    int64_t day = FL_DAY_US, first;
    assert_true(fl_time_parse("2018-08-08", &first));
    assert_true(fl_task_first_test(&t) == first);
    assert_true(fl_task_train_end(&t, 1) == first - 7 * day);
    assert_true(fl_task_train_end(&t, 2) == first);
    assert_int_equal(t.card_k, 50);
    assert_int_equal(t.fprs, 2);
    assert_int_equal(t.cluster, 1);
    assert_true(t.drop_before_us == 14 * day && t.drop_since_us == INT64_MIN);
    fl_task_shift(&t, 3 * day);
    assert_true(fl_task_first_test(&t) == first + 3 * day);
    t = task_of(CARDS "train: {from: 2020-09-14, to: 2020-09-16}\ntest: {at: 2020-09-18}\n");
    assert_true(!t.per_event && t.kind == 0 && t.has_outcome && t.is == FL_IS_PRESENT);
    t = task_of(HEAD "moments: {event: payment, where: {mcc: 0/1}, amount_from: 10.50}\n"
                     "label: {event: refund, within: 30d}\n"
                     "train: {from: 2018-05-16}\ntest: {from: 2018-08-08, to: 2018-08-15}\n");
    assert_true(t.has_outcome && t.per_event && t.outcome_kind == 0 && t.outcome.type == 1);
    assert_true(t.moment.amount_from == 1050 && t.moment.wheres == 1);
}

#define TRAIN "train: {from: 2018-05-01}\n"
#define TEST  "test: {from: 2018-08-08, to: 2018-08-15}\n"

static void wrong_keys_and_names(void **state)
{
    (void)state;
    refuse(FLORIN_EINPUT, "[1]", "not a task");
    refuse(FLORIN_EINPUT, "name: t\n", "florin_task: 1");
    refuse(FLORIN_EINPUT, "florin_task: 2\nname: t\n", "florin_task: 1");
    refuse(FLORIN_EINPUT, "florin_task: 1\n", "name: missing");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "heads: trees\n", "did you mean 'head'");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "head: forest\n", "trees, probe, blend or surprise");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "inputs: half\n",
           "all, fold, sequence, fold+surprise or fold+embedding");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "negatives: 0\n", "above 0");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "negatives: many\n", "needs a number");
    refuse(FLORIN_EINPUT, HEAD TRAIN TEST, "moments: needs");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: paymnt}\n" TRAIN TEST, "did you mean 'payment'");
    refuse(FLORIN_EINPUT, HEAD "moments: {entity: wallet}\n" TRAIN TEST, "card, merchant");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment, with: declined}\n" TRAIN TEST,
           "no mark 'declined'");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment, every: 7d}\n" TRAIN TEST, "every");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment, where: {size: 1}}\n" TRAIN TEST,
           "no category field 'size'");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment}\nlabel: churn\n" TRAIN TEST,
           "no label 'churn' in the log; it has: fraud");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment}\nlabel: [fraud]\n" TRAIN TEST, "one");
    refuse(FLORIN_EINPUT, HEAD "moments: {event: payment}\nlabel: {sql: ''}\n" TRAIN TEST,
           "SELECT");
    refuse(FLORIN_EINPUT, HEAD "moments: {entity: card}\n" TRAIN TEST, "label: needs");
    refuse(FLORIN_EINPUT, HEAD "moments: {entity: card}\nlabel: {event: payment}\n" TRAIN TEST,
           "within");
    refuse(FLORIN_EINPUT,
           HEAD
           "moments: {entity: card}\nlabel: {event: payment, within: 30d, is: gone}\n" TRAIN TEST,
           "present, absent, sum, count");
    refuse(FLORIN_EINPUT, EVENTS "population: {active: {event: payment}}\n" TRAIN TEST,
           "population");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "cluster: shop\n", "no entity kind 'shop'");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "removal: {entity: card}\n", "since");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "removal: {since: 14d}\n", "entity");
    refuse(FLORIN_EINPUT,
           CARDS "train: {from: 2020-09-01}\ntest: {at: 2020-09-18}\n"
                 "removal: {entity: card, since: 14d}\n",
           "task of events");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "cost: {alert: 0}\n", "cost");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "metrics: {recall_at_fpr: 2}\n", "recall_at_fpr");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "metrics: {precision_at: [1.5]}\n", "whole number");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "metrics: {auc: 1}\n", "unknown key 'auc'");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "label_delay: -3d\n", "label_delay");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "gap: soon\n", "needs a duration");
}

static void wrong_periods(void **state)
{
    (void)state;
    refuse(FLORIN_EINPUT, EVENTS TRAIN, "test: missing");
    refuse(FLORIN_EINPUT, EVENTS TEST, "train: missing");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: 2018-08-08\n", "test: needs");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: []\n", "one to");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: {at: 2018-08-08}\n", "unknown key 'at'");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: {from: 2018-08-08}\n", "`to` is missing");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: {from: 2018-08-08, to: 2018-08-08}\n",
           "must be after");
    refuse(FLORIN_EINPUT, EVENTS TRAIN "test: {from: 8 Aug, to: 2018-08-08}\n", "needs a time");
    refuse(FLORIN_EINPUT,
           EVENTS TRAIN "test:\n  - {from: 2018-08-08, to: 2018-08-15}\n"
                        "  - {from: 2018-08-14, to: 2018-08-20}\n",
           "do not overlap");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "validate: {from: 2018-08-01, to: 2018-08-09}\n",
           "must end before the test");
    refuse(FLORIN_EINPUT, EVENTS "train: {from: 2018-05-01, to: 2018-08-09}\n" TEST,
           "test: begins before train ends");
    refuse(FLORIN_EINPUT,
           EVENTS "train: {from: 2018-05-01, to: 2018-07-09}\n"
                  "validate: {from: 2018-07-01, to: 2018-07-30}\n" TEST,
           "validate: begins before train ends");
    refuse(FLORIN_EINPUT, EVENTS "train: {from: 2018-08-03}\ngap: 7d\n" TEST, "nothing lies");
    refuse(FLORIN_EINPUT, EVENTS TRAIN TEST "folds: f.csv\n", "not together with `folds`");
    /* The outcome of the last training date would be known only when the test has begun. */
    refuse(FLORIN_ELEAK,
           HEAD "moments: {entity: card}\nlabel: {event: payment, within: 30d}\n"
                "train: {from: 2018-05-01, to: 2018-08-01}\ntest: {at: 2018-08-08}\n",
           "end it 22 days earlier");
}

/* Every label of a sample, found again by reading the log's labels one by one. */
static float known_at(uint64_t row, int64_t at_us)
{
    float v = 0; /* most events of this log are never labelled: silence means genuine */
    int64_t last = INT64_MIN;
    fl_label l;
    for (uint64_t i = 0; i < fl_log_labels(log_); i++) {
        fl_log_label(log_, i, &l);
        if (l.row != row || l.arrival_us > at_us || l.arrival_us < last) continue;
        last = l.arrival_us;
        v = l.value > .5f;
    }
    return v;
}

static void labels_count_from_their_arrival(void **state)
{
    (void)state;
    /* 600 events, one every 977 s from 2020-09-13 12:26: until 2020-09-20 07:15; labels a day late. */
    fl_task t = task_of(EVENTS "train: {from: 2020-09-13}\ngap: 12h\n"
                               "validate: {from: 2020-09-16, to: 2020-09-17}\n"
                               "test: [{from: 2020-09-17, to: 2020-09-18}, {from: 2020-09-18, to: "
                               "2020-09-20}]\nremoval: {entity: card, since: 3d, lag: 1d}\n");
    fl_sample s;
    florin_error e = {0};
    if (fl_sample_take(&s, &t, model, log_, 1, NULL, &e)) fail_msg("%s", e.message);
    size_t late = 0, learnt = 0, early = 0;
    for (size_t r = 0; r < s.rows; r++) {
        assert_true(s.truth[r] == known_at(s.row[r], INT64_MAX));
        for (uint32_t j = 0; j < s.judged; j++) {
            float y, known = s.known[r * s.judged + j];
            assert_true(known == known_at(s.row[r], t.period[j].from_us));
            late += s.truth[r] > known;
            if (!fl_sample_learns(&s, &t, r, j, &y)) continue;
            learnt++;
            assert_true(y == known);
            assert_true(s.time_us[r] < t.period[j].from_us - 12 * FL_HOUR_US);
            early += s.in[r] > t.validates; /* of a test period that lies before this one */
        }
        if (!s.in[r]) continue;
        const fl_period *p = &t.period[s.in[r] - 1];
        assert_true(s.time_us[r] >= p->from_us && s.time_us[r] < p->to_us);
    }
    assert_true(late > 10); /* there were labels that had not arrived */
    assert_true(learnt > 200);
    assert_true(early > 10);
    fl_sample_free(&s);
}

/* The removal rule, said again without a map: a card with a bad event since `since`, before max(end, day - lag). */
static void removal_leaves_known_cards_out(void **state)
{
    (void)state;
    const char *common = EVENTS "train: {from: 2020-09-13}\ngap: 12h\n"
                                "test: {from: 2020-09-17, to: 2020-09-20}\n";
    char with[512];
    snprintf(with, sizeof with, "%sremoval: {entity: card, since: 3d, lag: 1d}\n", common);
    fl_task all = task_of(common), t = task_of(with);
    fl_sample a, b;
    florin_error e = {0};
    assert_int_equal(fl_sample_take(&a, &all, model, log_, 1, NULL, &e), FLORIN_OK);
    assert_int_equal(fl_sample_take(&b, &t, model, log_, 1, NULL, &e), FLORIN_OK);
    size_t kept = 0, left = 0;
    for (size_t r = 0, k = 0; r < a.rows; r++) {
        if (!a.in[r]) continue;
        while (k < b.rows && b.row[k] < a.row[r]) k++;
        bool there = k < b.rows && b.row[k] == a.row[r] && b.in[k], drop = false;
        fl_event judged, other;
        fl_log_event(log_, a.row[r], &judged);
        int64_t day = judged.time_us / FL_DAY_US * FL_DAY_US,
                end = t.period[0].from_us - 12 * FL_HOUR_US;
        int64_t limit = day - FL_DAY_US > end ? day - FL_DAY_US : end;
        for (uint64_t q = 0; q < fl_log_rows(log_); q++) {
            fl_log_event(log_, q, &other);
            drop |= judged.entity[0] != FL_NONE && other.entity[0] == judged.entity[0] &&
                    known_at(q, INT64_MAX) > 0 &&
                    other.time_us >= t.period[0].from_us - 3 * FL_DAY_US && other.time_us < limit;
        }
        assert_int_equal(there, !drop);
        *(drop ? &left : &kept) += 1;
    }
    assert_true(kept > 20 && left > 20);
    fl_sample_free(&a);
    fl_sample_free(&b);
}

static void outcomes_at_dates(void **state)
{
    (void)state;
    fl_task t =
        task_of(CARDS "train: {from: 2020-09-14}\ntest: {from: 2020-09-18, to: 2020-09-20}\n"
                      "population: {active: {event: payment, within: 2d}}\nlabel_delay: 1h\n");
    fl_sample s;
    florin_error e = {0};
    if (fl_sample_take(&s, &t, model, log_, 1, NULL, &e)) fail_msg("%s", e.message);
    assert_true(s.rows > 50);
    for (size_t r = 0; r < s.rows; r++) {
        bool active = false, outcome = false;
        for (uint64_t q = 0; q < fl_log_rows(log_); q++) {
            int64_t d = fl_log_time(log_, q) - s.time_us[r];
            if (fl_log_type(log_, q) != 0 || fl_log_entity(log_, 0, q) != s.row[r]) continue;
            active |= d < 0 && d >= -2 * FL_DAY_US;
            outcome |= d >= 0 && d < 12 * FL_HOUR_US;
        }
        assert_true(active);
        assert_true(s.truth[r] == (float)outcome);
        bool known = s.time_us[r] + 13 * FL_HOUR_US <= t.period[0].from_us;
        assert_true(known ? s.known[r] == (float)outcome : isnan(s.known[r]));
    }
    fl_sample_free(&s);
}

/* What is learnt from is what scoring computes: the rows of a sample are those of one event after the other. */
static void rows_are_what_scoring_computes(void **state)
{
    (void)state;
    fl_task t =
        task_of(EVENTS "train: {from: 2020-09-13}\ntest: {from: 2020-09-17, to: 2020-09-20}\n");
    fl_task d =
        task_of(CARDS "train: {from: 2020-09-14}\ntest: {from: 2020-09-18, to: 2020-09-20}\n");
    fl_sample s, at;
    fl_encode *e;
    florin_error err = {0};
    assert_int_equal(fl_sample_take(&s, &t, model, log_, 1, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_sample_take(&at, &d, model, log_, 1, NULL, &err), FLORIN_OK);
    assert_int_equal(fl_encode_open(&e, model, log_, &err), FLORIN_OK);
    uint64_t row;
    fl_event event;
    const float *values;
    const fl_fold_carry *carry;
    float *entity = fl_calloc(at.width, sizeof *entity);
    size_t r = 0, q = 0;
    assert_true(s.rows > 200 && at.rows > 50 && s.width == fl_model_row_width(model));
    for (bool more = true; more;) {
        for (; q < at.rows && fl_encode_peek(e) >= at.time_us[q]; q++) {
            fl_encode_entity(e, 0, (uint32_t)at.row[q], at.time_us[q], entity);
            assert_memory_equal(entity, at.x + q * at.width, at.width * sizeof *entity);
        }
        more = fl_encode_next(e, &row, &event, &values, &carry);
        if (!more || r == s.rows || s.row[r] != row) continue;
        assert_memory_equal(values, s.x + r++ * s.width, s.width * sizeof *values);
    }
    assert_int_equal(r, s.rows);
    assert_int_equal(q, at.rows);
    free(entity);
    fl_encode_close(e);
    fl_sample_free(&s);
    fl_sample_free(&at);
}

static void folds_of(const char *text, florin_status want, const char *message)
{
    const uint8_t key[16] = {1};
    char body[256];
    fl_map64 m = {0};
    florin_error e = {0};
    size_t n = strlen(text);
    memcpy(body, text, n + 1);
    assert_int_equal(fl_folds_read(&m, body, n, "f.csv", key, "card", &e), want);
    if (want && !strstr(e.message, message)) fail_msg("'%s' lacks '%s'", e.message, message);
    if (!want) {
        uint32_t *v = fl_map64_find(&m, fl_entity_hash(key, "card", "a b", 3));
        assert_true(v && *v == 2);
    }
    fl_map64_free(&m);
}

static void folds_are_read_or_refused(void **state)
{
    (void)state;
    folds_of("id,fold\na b,1\nc,0\n", FLORIN_OK, NULL);
    folds_of("\"a b\" , 1\r\nc,0\r\n\r\n", FLORIN_OK, NULL);
    folds_of("\xef\xbb\xbfid,fold\na b,1\nc,0", FLORIN_OK, NULL);
    folds_of("", FLORIN_EINPUT, "at least two folds");
    folds_of("id,fold\na,1\nb,1\n", FLORIN_EINPUT, "at least two folds");
    folds_of("a\n", FLORIN_EINPUT, "line 1: needs `id,fold`");
    folds_of("id,fold\na,x\n", FLORIN_EINPUT, "line 2: fold 'x'");
    folds_of("a,1\nb,64\n", FLORIN_EINPUT, "line 2: fold 64");
    folds_of("a,1\n,0\n", FLORIN_EINPUT, "line 2: the id is empty");
    folds_of("a,1\na,0\n", FLORIN_EINPUT, "line 2: this id is already in fold 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file_is_read),
        cmocka_unit_test(wrong_keys_and_names),
        cmocka_unit_test(wrong_periods),
        cmocka_unit_test(labels_count_from_their_arrival),
        cmocka_unit_test(removal_leaves_known_cards_out),
        cmocka_unit_test(outcomes_at_dates),
        cmocka_unit_test(rows_are_what_scoring_computes),
        cmocka_unit_test(folds_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
