/* florin_simulate: checks the options, runs the simulator, prints what was made. */
#include "base/json.h"
#include "data/simulate.h"

enum { DAYS = 180 };
static const int64_t START_US = 20089 * FL_DAY_US; /* 2025-01-01 */

static double per_second(const fl_simulate_result *r, int64_t us)
{
    uint64_t n = r->payments + r->refunds + r->logins + r->salaries;
    return us > 0 ? (double)n / ((double)us / 1e6) : 0;
}

static florin_status as_json(const florin_context *ctx, const fl_simulate_result *r, int64_t us,
                             florin_error *err)
{
    json_t *kinds = json_object();
    for (int k = 1; k < FL_SIM_KINDS; k++)
        json_object_set_new(kinds, fl_sim_kind_name[k], json_integer((json_int_t)r->kind[k]));
    json_t *j =
        json_pack("{sIsIsIsIsIsIsIsIsIsIsIsIsfsfso}", "payments", (json_int_t)r->payments,
                  "refunds", (json_int_t)r->refunds, "logins", (json_int_t)r->logins, "salaries",
                  (json_int_t)r->salaries, "declined", (json_int_t)r->declined, "fraud_labels",
                  (json_int_t)r->labels, "corrected_labels", (json_int_t)r->corrections,
                  "card_testing_labels", (json_int_t)r->testing_labels, "cards",
                  (json_int_t)r->cards, "merchants", (json_int_t)r->merchants, "terminals",
                  (json_int_t)r->terminals, "days", (json_int_t)r->days, "seconds",
                  (double)us / 1e6, "events_per_second", per_second(r, us), "fraud", kinds);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "simulate: report");
    fl_json_write(ctx, j);
    json_decref(j);
    return FLORIN_OK;
}

static void as_text(const florin_context *ctx, const fl_simulate_options *o,
                    const fl_simulate_result *r, int64_t us)
{
    char first[32], last[32];
    uint64_t bad = r->payments - r->kind[FL_SIM_HONEST];
    fl_time_format(r->first_us - r->first_us % FL_DAY_US, first);
    fl_time_format(r->last_us - r->last_us % FL_DAY_US, last);
    fl_writef(ctx, "%llu payments, %llu refunds, %llu logins, %llu salaries from %.10s to %.10s\n",
              (unsigned long long)r->payments, (unsigned long long)r->refunds,
              (unsigned long long)r->logins, (unsigned long long)r->salaries, first, last);
    fl_writef(ctx, "%u cards at a time, %u merchants, %u terminals; %.2f %% of payments declined\n",
              r->cards, r->merchants, r->terminals,
              r->payments ? 100.0 * (double)r->declined / (double)r->payments : 0);
    fl_writef(ctx, "%llu fraudulent payments (%.2f %%):", (unsigned long long)bad,
              r->payments ? 100.0 * (double)bad / (double)r->payments : 0);
    for (int k = 1; k < FL_SIM_KINDS; k++)
        fl_writef(ctx, "%s %s %llu", k > 1 ? "," : "", fl_sim_kind_name[k],
                  (unsigned long long)r->kind[k]);
    fl_writef(ctx, "\n%llu fraud labels (%llu corrected later), %llu card-testing alerts\n",
              (unsigned long long)r->labels, (unsigned long long)r->corrections,
              (unsigned long long)r->testing_labels);
    if (us > 0)
        fl_writef(ctx, "%.1f s, %.2f M events/s\n", (double)us / 1e6, per_second(r, us) / 1e6);
    if (o->log) fl_writef(ctx, "log %s\n", o->log);
    if (o->csv) fl_writef(ctx, "tables and schema in %s\n", o->csv);
}

florin_status florin_simulate(const florin_context *ctx, const florin_simulate_options *opt,
                              florin_error *err)
{
    fl_simulate_result r;
    if (!opt || opt->size < sizeof *opt)
        return fl_fail(err, FLORIN_EUSAGE, "simulate: options missing or too small");
    fl_simulate_options o = {.events = opt->events,
                             .seed = opt->seed,
                             .days = opt->days ? opt->days : DAYS,
                             .cards = opt->cards,
                             .start_us = opt->start_us ? opt->start_us : START_US,
                             .steady = opt->steady != 0,
                             .log = opt->log,
                             .csv = opt->csv,
                             .truth = opt->truth};
    int64_t began = fl_monotonic_us(ctx);
    florin_status st = fl_simulate(&o, &r, ctx, err);
    if (st) return st;
    int64_t us = fl_monotonic_us(ctx) - began;
    if (opt->format == FLORIN_JSON) return as_json(ctx, &r, us, err);
    as_text(ctx, &o, &r, us);
    return FLORIN_OK;
}
