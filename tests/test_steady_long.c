/* State is carried for thousands of events without drifting off: of simulated cards whose habits never change, and which
 * training never saw, events 4,900 to 5,000 are predicted no worse than events 50 to 150; and no worse by scoring, which
 * rounds weights and states to 8 bits at every event, than by training's floats. */
#include "support/support.h"
#include "support/train_fixture.h"
#include "florin.h"
#include "model/encode.h"
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

/* Slice of an event of the payer with this hash, counted in *position. */
static int by_hash(const fl_rows *rows, const uint8_t *skip, uint32_t *position, uint64_t hash)
{
    const fl_sequences *q = &rows->stream[0];
    uint32_t e = 0;

    while (e < q->entities && q->hash[e] != hash) e++;
    assert_true(e < q->entities);
    uint32_t at = position[e]++;
    return skip[e] ? -1 : by_position((void *)(uintptr_t)rows, e, at, 0);
}

/* The same events by the model that was written, as scoring sees them: nats an event of both slices. */
static void scored(const char *path, const fl_log *log, const fl_rows *rows, const uint8_t *skip,
                   double sum[2])
{
    fl_model *m;
    fl_encode *e;
    uint64_t row, events[2] = {0};
    fl_event event;
    const float *values;
    const fl_fold_carry *carry;
    florin_error err = {0};
    uint32_t *position = fl_calloc(rows->stream[0].entities, sizeof *position);

    if (fl_model_open(&m, path, NULL, &err)) fail_msg("%s", err.message);
    assert_true(fl_model_network(m)->int8);
    assert_int_equal(fl_encode_open(&e, m, log, &err), FLORIN_OK);
    assert_int_equal(fl_encode_ahead(e, INT64_MAX, &err), FLORIN_OK);
    sum[0] = sum[1] = 0;
    while (fl_encode_next(e, &row, &event, &values, &carry)) {
        uint64_t hash = event.entity_hash[fl_model_stream_kind(m, 0)];
        int slice = hash ? by_hash(rows, skip, position, hash) : -1;
        if (slice < 0) continue;
        events[slice]++;
        for (uint32_t t = 0; t < fl_model_targets(m); t++)
            sum[slice] += (double)values[fl_model_row_surprise(m) + t];
    }
    for (int s = 0; s < 2; s++) sum[s] /= (double)events[s];
    fl_encode_close(e);
    fl_model_close(m);
    free(position);
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
    double by8[2];
    scored(files.out, log, rows, skip, by8);
    print_message("%-12s %.4f, %.4f\n", "in 8 bits", by8[EARLY], by8[LATE]);
    for (int s = 0; s < 2; s++)
        if (!(by8[s] < sum[s] * 1.0003))
            fail_msg("in 8 bits events cost %.4f nats, in floats %.4f", by8[s], sum[s]);
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
