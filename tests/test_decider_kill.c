/* kill -9 under load: a process decides and learns, tells what was acknowledged, and is killed anywhere, opening included.
 * Nothing that was acknowledged is lost or doubled, and in the end all is as if nobody had been killed: answers, state,
 * and a replay of the journal. FLORIN_KILLS says how often (20). */
#include "support/support.h"
#include "support/score_fixture.h"
#include "base/file.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 8, ID = FLORIN_DECISION_ID };
static const int64_t NOW = INT64_C(1800000000000000);
static const char *log_path, *model_path;

/* What a killed process told about a record. */
typedef struct {
    uint64_t sequence;
    uint8_t label; /* 1: an outcome */
    char id[ID];
    florin_head_score score;
} told;

static florin_decider *open_in(florin_model *m, const char *folder, florin_sync sync)
{
    florin_decider_options o = FLORIN_DECIDER_INIT;
    florin_decider *d = NULL;
    florin_error err = {0};

    o.folder = folder;
    o.scorer.entities_max = 60; /* less than there are: some are forgotten */
    o.scorer.batch_max = BATCH;
    o.window_entries = 501;
    o.segment_bytes = 100000;
    o.sync_interval_us = 2000;
    o.sync = sync;
    if (florin_decider_open(&d, m, &o, NULL, &err)) fail_msg("%s", err.message);
    return d;
}

static uint64_t last_record(const florin_decider *d)
{
    florin_decider_counts c = FLORIN_DECIDER_COUNTS_INIT;
    assert_int_equal(florin_decider_stats(d, &c, NULL), FLORIN_OK);
    return c.sequence;
}

static void one_step(florin_decider *d, fl_step step, const florin_event *e,
                     const florin_label_arrival *l, told *out)
{
    florin_status item;
    florin_error err = {0};
    memset(out, 0, sizeof *out);
    if (step == FL_STEP_EVENT) {
        static florin_decision decision;
        florin_request r = {.event = *e};
        if (florin_decide(d, &r, 1, NOW, &decision, &item, &err) || item)
            fail_msg("%s%s", err.message, florin_decider_message(d, 0));
        out->sequence = decision.sequence;
        memcpy(out->id, decision.id, ID);
        out->score = decision.score[0];
        assert_false(decision.repeat);
    } else {
        florin_receipt receipt;
        florin_news n = {.kind = FLORIN_NEWS_LABEL,
                         .event = l->id,
                         .event_n = l->id_n,
                         .type = l->type,
                         .label = l->label,
                         .value = l->value,
                         .arrival_us = l->arrival_us};
        if (florin_decider_learn(d, &n, 1, NOW, &receipt, &item, &err) || item)
            fail_msg("%s%s", err.message, florin_decider_message(d, 0));
        out->sequence = receipt.sequence;
        out->label = 1;
    }
}

/* Go on with the log where the journal ends: every step is one record. Ends by itself at the log's end. */
static void work(const char *folder, florin_sync sync, uint32_t seed, int out)
{
    florin_model *m;
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;
    fl_rng rng;
    told t;
    int running;

    fl_rng_seed(&rng, seed);
    assert_int_equal(florin_model_open(&m, model_path, NULL, NULL), FLORIN_OK);
    florin_decider *d = open_in(m, folder, sync);
    uint64_t done = last_record(d), i = 0;
    score_feed_open(&f, log_path, florin_decider_scorer(d));
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        if (i++ < done) continue;
        one_step(d, step, &e, &l, &t);
        if (fl_rng_below(&rng, 60) == 0)
            assert_int_equal(florin_decider_checkpoint(d, NULL), FLORIN_OK);
        if (fl_rng_below(&rng, 60) == 0)
            assert_int_equal(florin_decider_checkpoint_start(d, NULL), FLORIN_OK);
        assert_int_equal(florin_decider_checkpoint_poll(d, &running, NULL), FLORIN_OK);
        assert_int_equal(florin_decider_wait(d, t.sequence, NULL), FLORIN_OK);
        assert_true(florin_decider_acknowledged(d) >= t.sequence);
        if (write(out, &t, sizeof t) != sizeof t) _exit(3);
    }
    score_feed_close(&f);
    florin_decider_close(d);
    florin_model_close(m);
}

/* Reads what was told until there were `most` or the process is done; kills it. True: it was done. */
static bool run_and_kill(const char *folder, florin_sync sync, uint32_t seed, uint32_t most,
                         told *all, uint64_t *n)
{
    int ends[2], status;
    told t;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        close(ends[0]);
        work(folder, sync, seed, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    bool done = false;
    for (uint32_t i = 0; i < most; i++) {
        if (read(ends[0], &t, sizeof t) != sizeof t) {
            done = true;
            break;
        }
        /* The one before may have died between an acknowledgement and telling of it. */
        if (i) assert_int_equal(t.sequence, *n + 1);
        else assert_true(t.sequence > *n);
        all[t.sequence] = t;
        *n = t.sequence;
    }
    if (!most) usleep(1000 * (seed % 7)); /* while it opens */
    kill(child, SIGKILL);
    while (read(ends[0], &t, sizeof t) == sizeof t) { /* acknowledged before it died */
        all[t.sequence] = t;
        *n = t.sequence;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(done ? WIFEXITED(status) && !WEXITSTATUS(status)
                     : WIFSIGNALED(status) || !WEXITSTATUS(status));
    return done;
}

static void no_output(void *user, const char *bytes, size_t n)
{
    (void)user, (void)bytes, (void)n;
}

static void same_files(const char *a, const char *b)
{
    char *x, *y;
    size_t n, m;
    assert_int_equal(fl_read_file(&x, &n, a, 1 << 28, NULL), FLORIN_OK);
    assert_int_equal(fl_read_file(&y, &m, b, 1 << 28, NULL), FLORIN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* Everything that was told is in the journal as it was told; the state is that of a run without kills, and of a replay. */
static void check(const char *folder, const told *all, uint64_t n)
{
    florin_model *m;
    static florin_decision got;
    char state[512], whole_folder[512], replayed[512], path[600];
    florin_error err = {0};
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_replay_journal_options o = FLORIN_REPLAY_JOURNAL_INIT;
    told t;
    uint64_t i = 0;
    score_feed f;
    florin_event e;
    florin_label_arrival l;
    fl_step step;

    snprintf(whole_folder, sizeof whole_folder, "%s", scratch_path("whole"));
    snprintf(replayed, sizeof replayed, "%s", scratch_path("replayed.state"));
    assert_int_equal(florin_model_open(&m, model_path, NULL, NULL), FLORIN_OK);
    florin_decider *d = open_in(m, folder, FLORIN_SYNC_INTERVAL),
                   *whole = open_in(m, whole_folder, FLORIN_SYNC_INTERVAL);
    uint64_t told_n = 0, lost = 0, doubled = last_record(d) > n ? last_record(d) - n : 0;
    lost = last_record(d) < n ? n - last_record(d) : 0;
    score_feed_open(&f, log_path, florin_decider_scorer(whole));
    while ((step = score_feed_next(&f, &e, &l)) != FL_STEP_END) {
        one_step(whole, step, &e, &l, &t);
        assert_int_equal(t.sequence, ++i);
        bool is_told = all[i].sequence != 0, same = all[i].label == t.label;
        told_n += is_told;
        if (!t.label) {
            bool there = !florin_decider_get(d, t.id, (uint32_t)strlen(t.id), &got, NULL) &&
                         !memcmp(&got.score[0], &t.score, sizeof t.score);
            same = same && there && !strcmp(all[i].id, t.id) &&
                   !memcmp(&all[i].score, &t.score, sizeof t.score);
            assert_true(there);
        }
        lost += is_told && !same;
    }
    printf("told %llu\nlost %llu\ndoubled %llu\n", (unsigned long long)told_n,
           (unsigned long long)lost, (unsigned long long)doubled);
    assert_int_equal(lost + doubled, 0);
    assert_int_equal(i, n);
    score_feed_close(&f);
    assert_int_equal(florin_decider_checkpoint(d, NULL), FLORIN_OK);
    assert_int_equal(florin_decider_checkpoint(whole, NULL), FLORIN_OK);
    florin_decider_close(d);
    florin_decider_close(whole);
    florin_model_close(m);
    snprintf(state, sizeof state, "%020llu.state", (unsigned long long)n);
    char *a = fl_path_join(folder, state), *b = fl_path_join(whole_folder, state);
    same_files(a, b);
    ctx.write = no_output;
    o.journal = folder;
    o.model = model_path;
    o.state = replayed;
    if (florin_replay_journal(&ctx, &o, &err)) fail_msg("%s", err.message);
    same_files(a, replayed);
    printf("replayed %llu\n", (unsigned long long)n);
    free(a);
    free(b);
    snprintf(path, sizeof path, "rm -rf '%s'", whole_folder);
    assert_int_equal(system(path), 0);
}

static void kill_often(florin_sync sync, const char *name, uint32_t kills)
{
    char folder[512];
    told *all = calloc(2 * SCORE_EVENTS, sizeof *all);
    uint64_t n = 0;
    fl_rng rng;
    bool done = false;

    snprintf(folder, sizeof folder, "%s", scratch_path(name));
    fl_rng_seed(&rng, 11 + sync);
    for (uint32_t i = 0; i < kills && !done; i++)
        done = run_and_kill(folder, sync, i,
                            i % 5 == 4 ? 0 : (uint32_t)fl_rng_below(&rng, 2 * SCORE_EVENTS / kills),
                            all, &n);
    run_and_kill(folder, sync, kills, UINT32_MAX, all, &n);
    check(folder, all, n);
    free(all);
}

static void killed(void **state)
{
    const char *often = getenv("FLORIN_KILLS");
    uint32_t kills = often ? (uint32_t)atoi(often) : 20;

    (void)state;
    kill_often(FLORIN_SYNC_INTERVAL, "interval", kills / 2);
    kill_often(FLORIN_SYNC_ALWAYS, "always", kills - kills / 2);
}

static int set_up(void **state)
{
    static char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("a.model"));
    log_path = score_log();
    model_path = score_model(path, log_path, 5, 77);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed)};
    return cmocka_run_group_tests(tests, set_up, NULL);
}
