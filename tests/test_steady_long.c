/* State is carried for thousands of events without drifting off: of simulated cards whose habits never change, and which
 * training never saw, events 4,900 to 5,000 are predicted no worse than events 50 to 150. */
#include "support/support.h"
#include "support/train_fixture.h"
#include "florin.h"
#include "model/file.h"
#include <math.h>
#include <stdio.h>

enum { CARDS = 110, EARLY = 0, LATE = 1 };

static fl_log *steady_log(void)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_simulate_options o = FLORIN_SIMULATE_INIT;
    fl_log *log;
    florin_error err = {0};

    o.log = scratch_path("steady");
    o.events = 600000;
    o.days = 360;
    o.cards = CARDS;
    o.seed = 5;
    o.steady = 1;
    if (florin_simulate(&ctx, &o, &err)) fail_msg("%s", err.message);
    if (fl_log_open(&log, o.log, &err)) fail_msg("%s", err.message);
    return log;
}

static int by_position(void *arg, uint32_t entity, uint64_t position, uint32_t row)
{
    const fl_rows *rows = arg;

    (void)row;
    if (!rows->stream[0].unseen[entity]) return -1;
    if (position >= 50 && position < 150) return EARLY;
    return position >= 4900 && position < 5000 ? LATE : -1;
}

static void test_late_events(void **state)
{
    fl_train_config c = fl_train_defaults();
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_log *log = steady_log();
    fl_train_files files = {.out = scratch_path("steady.model")};
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_net *net;
    json_t *report;
    florin_error err = {0};

    (void)state;
    c.hidden = 64;
    c.width = 32;
    c.epochs = 1;
    c.unseen_share = 0.55;
    c.until_us = fl_log_time_max(log) + 1;
    if (fl_pretrain(log, &c, &files, &ctx, &report, &err)) fail_msg("%s", err.message);
    json_decref(report);
    if (fl_rows_build(&rows, &n, &plan, log, &c, scratch_folder(), &ctx, &err))
        fail_msg("%s", err.message);
    assert_int_equal(fl_net_new(&net, n, &err), FLORIN_OK);
    fixture_load_weights(net, files.out);
    uint8_t *skip = fl_calloc(rows->stream[0].entities, 1);
    uint32_t unseen = 0;
    for (uint32_t e = 0; e < rows->stream[0].entities; e++) {
        const fl_sequences *q = &rows->stream[0];
        skip[e] = !q->unseen[e] || q->start[e + 1] - q->start[e] < 5000;
        unseen += !skip[e];
    }
    print_message("%u unseen cards with 5,000 events\n", unseen);
    assert_true(unseen >= 50);
    fl_nats *nats = fl_calloc(1, sizeof *nats);
    fl_evaluation e = {
        .slice = by_position, .arg = rows, .skip = skip, .threads = fl_threads(&ctx), .ctx = &ctx};
    assert_int_equal(fl_evaluate(net, rows, &e, nats, &err), FLORIN_OK);
    assert_int_equal(nats->events[EARLY], unseen * 100);
    assert_int_equal(nats->events[LATE], unseen * 100);
    double sum[2] = {0, 0};
    for (uint32_t t = 0; t < net->targets; t++) {
        double per = (double)nats->events[EARLY];
        print_message("%-12s %.4f nats at events 50 to 150, %.4f at 4,900 to 5,000\n",
                      net->target[t].name, nats->nats[EARLY][t] / per, nats->nats[LATE][t] / per);
        for (int s = 0; s < 2; s++) sum[s] += nats->nats[s][t] / per;
    }
    print_message("%-12s %.4f, %.4f\n", "sum", sum[EARLY], sum[LATE]);
    if (!(sum[LATE] <= sum[EARLY]))
        fail_msg("late events cost %.4f nats, early ones %.4f", sum[LATE], sum[EARLY]);
    free(nats);
    free(skip);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_late_events)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
