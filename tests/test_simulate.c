/* The simulator: same options same bytes, rates within bounds, every kind of fraud, labels never before their event. */
#include "support/support.h"

#include "base/file.h"
#include "data/log.h"
#include "data/simulate.h"

static fl_simulate_options small(const char *log)
{
    return (fl_simulate_options){
        .events = 120000, .seed = 7, .days = 120, .start_us = 20089 * FL_DAY_US, .log = log};
}

static fl_simulate_result make(const fl_simulate_options *o, uint32_t threads)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_simulate_result r;
    florin_error err = {0};
    ctx.threads = threads;
    florin_status st = fl_simulate(o, &r, &ctx, &err);
    if (st) print_error("%s\n", err.message);
    assert_int_equal(st, FLORIN_OK);
    return r;
}

static fl_log *open_log(const char *path)
{
    fl_log *log = NULL;
    florin_error err = {0};
    if (fl_log_open(&log, path, &err)) print_error("%s\n", err.message);
    assert_non_null(log);
    return log;
}

static void same_options_same_bytes(void **state)
{
    (void)state;
    char a[512], b[512], c[512];
    snprintf(a, sizeof a, "%s", scratch_path("sim_a"));
    snprintf(b, sizeof b, "%s", scratch_path("sim_b"));
    snprintf(c, sizeof c, "%s", scratch_path("sim_c"));
    fl_simulate_options o = small(a);
    make(&o, 1);
    o.log = b;
    make(&o, 3);
    o.log = c;
    o.seed++;
    make(&o, 1);
    fl_log *la = open_log(a), *lb = open_log(b), *lc = open_log(c);
    assert_string_equal(fl_log_hash(la), fl_log_hash(lb));
    assert_string_not_equal(fl_log_hash(la), fl_log_hash(lc));
    assert_int_equal(fl_log_rows(la), 120000);
    fl_log_close(la);
    fl_log_close(lb);
    fl_log_close(lc);
}

static void rates_are_plausible(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("sim_rates"));
    fl_simulate_options o = small(path);
    fl_simulate_result r = make(&o, 2);
    double n = (double)r.payments, fraud = n - (double)r.kind[FL_SIM_HONEST];
    assert_int_equal(r.payments + r.refunds + r.logins + r.salaries, 120000);
    assert_true(n > .8 * 120000);
    assert_true(fraud / n > .004 && fraud / n < .015);
    assert_true((double)r.declined / n > .008 && (double)r.declined / n < .08);
    for (int k = 1; k < FL_SIM_KINDS; k++) assert_true(r.kind[k] > 0);
    assert_true(r.labels > 100 && r.testing_labels > 0 && r.corrections > 0 && r.refunds > 0 &&
                r.logins > 0);

    fl_log *log = open_log(path);
    int risk = fl_schema_label(fl_log_schema(log), "fraud");
    uint64_t bad = 0;
    for (uint64_t i = 0; i < fl_log_labels(log); i++) {
        fl_label l;
        fl_log_label(log, i, &l);
        assert_true(l.arrival_us > fl_log_time(log, l.row));
        if (l.label == risk && l.value > 0) bad++;
    }
    assert_true(bad > 50 && (double)bad < fraud + (double)r.corrections + 1);
    for (uint64_t i = 1; i < fl_log_rows(log); i++)
        assert_true(fl_log_time(log, i) > fl_log_time(log, i - 1));
    fl_log_close(log);
}

/* A card's most visited merchant takes a share of its payments that chance would not give: there are habits. */
static void cards_have_favourites(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("sim_steady"));
    fl_simulate_options o = small(path);
    o.steady = true;
    o.cards = 40;
    o.events = 40000;
    fl_simulate_result r = make(&o, 1);
    for (int k = 1; k < FL_SIM_KINDS; k++) assert_int_equal(r.kind[k], 0);
    fl_log *log = open_log(path);
    uint32_t merchants = fl_log_entities(log, 1), *seen = fl_calloc(merchants, sizeof *seen);
    uint64_t top = 0, all = 0;
    for (uint32_t c = 0; c < fl_log_entities(log, 0); c++) {
        uint32_t n, most = 0;
        const uint32_t *rows = fl_log_entity_rows(log, 0, c, 0, &n);
        memset(seen, 0, merchants * sizeof *seen);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t m = fl_log_entity(log, 1, rows[i]);
            if (m == FL_NONE) continue;
            all++;
            if (++seen[m] > most) most = seen[m];
        }
        top += most;
    }
    assert_true((double)top / (double)all > 10.0 / merchants);
    free(seen);
    fl_log_close(log);
}

static void the_schema_in_examples_is_the_program_s(void **state)
{
    (void)state;
    char *text = NULL, path[1024];
    size_t n = 0;
    florin_error err = {0};
    snprintf(path, sizeof path, "%s/examples/simulated/schema.yaml", getenv("FLORIN_SOURCE"));
    assert_int_equal(fl_read_file(&text, &n, path, 1 << 20, &err), FLORIN_OK);
    assert_string_equal(text, fl_sim_schema);
    free(text);
}

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

static void bad_options_and_ctrl_c(void **state)
{
    (void)state;
    char path[512];
    fl_simulate_result r;
    florin_error err = {0};
    florin_context ctx = FLORIN_CONTEXT_INIT;
    snprintf(path, sizeof path, "%s", scratch_path("sim_never"));
    fl_simulate_options o = small(path);
    o.events = 0;
    assert_int_equal(fl_simulate(&o, &r, &ctx, &err), FLORIN_EUSAGE);
    o.events = 1000000;
    o.cards = 1;
    assert_int_equal(fl_simulate(&o, &r, &ctx, &err), FLORIN_EUSAGE);
    o = small(NULL);
    assert_int_equal(fl_simulate(&o, &r, &ctx, &err), FLORIN_EUSAGE);
    ctx.cancelled = stop_now;
    o = small(path);
    assert_int_equal(fl_simulate(&o, &r, &ctx, &err), FLORIN_ECANCELLED);
    fl_log *log = NULL;
    assert_int_not_equal(fl_log_open(&log, path, &err), FLORIN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_options_same_bytes),
        cmocka_unit_test(rates_are_plausible),
        cmocka_unit_test(cards_have_favourites),
        cmocka_unit_test(the_schema_in_examples_is_the_program_s),
        cmocka_unit_test(bad_options_and_ctrl_c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
