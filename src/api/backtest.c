/* florin_backtest: the report of a policy over a log, as a table or JSON. */
#include "api/policy.h"
#include "policy/backtest.h"
#include <stdio.h>

typedef struct {
    const florin_context *ctx;
    const fl_backtest *b;
    const char *currency;
    double units; /* minor in one major */
} report;

static double major(const report *r, int64_t minor)
{
    return (double)minor / r->units;
}

/* ---- JSON ---- */

static json_t *tally_json(const report *r, const fl_tally *t)
{
    json_t *o =
        json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "events", (json_int_t)t->events,
                  "disputed", (json_int_t)t->disputed, "good", (json_int_t)t->good, "unknown",
                  (json_int_t)t->unknown, "amount", major(r, t->amount), "amount_disputed",
                  major(r, t->amount_disputed), "amount_good", major(r, t->amount_good));
    if (r->b->refunds) json_object_set_new(o, "refunded", json_integer((json_int_t)t->refunded));
    if (r->b->declines) json_object_set_new(o, "declined", json_integer((json_int_t)t->declined));
    return o;
}

static json_t *item_json(const report *r, uint32_t i)
{
    const fl_backtest_item *m = &r->b->item[i];
    json_t *overlap = json_object();
    for (uint32_t k = 0; k < r->b->items; k++) {
        uint64_t n = r->b->overlap[(size_t)i * r->b->items + k];
        if (k != i && n)
            json_object_set_new(overlap, r->b->item[k].name, json_integer((json_int_t)n));
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:o}", "name", m->name, "action",
                     fl_action_name((fl_action)m->action), "rule", m->text, "matched",
                     tally_json(r, &m->matched), "decided", tally_json(r, &m->decided), "alone",
                     (json_int_t)m->alone, "overlap", overlap);
}

static void write_json(const report *r, const florin_policy *p)
{
    json_t *items = json_array(), *actions = json_object();
    for (uint32_t i = 0; i < r->b->items; i++) json_array_append_new(items, item_json(r, i));
    for (int a = 0; a < FL_ACTIONS; a++)
        json_object_set_new(actions, fl_action_name((fl_action)a), tally_json(r, &r->b->action[a]));
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:f}", "version", fl_policy_version(p->policy),
        "label", r->b->label, "currency", r->currency, "all", tally_json(r, &r->b->all), "actions",
        actions, "items", items, "columns_made", (int)r->b->made, "seconds", r->b->seconds);
    fl_json_write(r->ctx, j);
    json_decref(j);
}

/* ---- text ---- */

static void write_row(const report *r, const char *name, const char *action, const fl_tally *t)
{
    uint64_t known = t->disputed + t->good;
    char share[16] = "-", recall[16] = "-";
    if (known)
        snprintf(share, sizeof share, "%.1f %%", 100.0 * (double)t->disputed / (double)known);
    if (r->b->all.disputed)
        snprintf(recall, sizeof recall, "%.1f %%",
                 100.0 * (double)t->disputed / (double)r->b->all.disputed);
    fl_writef(r->ctx, "  %-22.22s %-11s %10llu %9llu %9llu %9llu %8s %8s %14.2f %14.2f", name,
              action, (unsigned long long)t->events, (unsigned long long)t->disputed,
              (unsigned long long)t->good, (unsigned long long)t->unknown, share, recall,
              major(r, t->amount_disputed), major(r, t->amount_good));
    if (r->b->refunds) fl_writef(r->ctx, " %9llu", (unsigned long long)t->refunded);
    if (r->b->declines) fl_writef(r->ctx, " %9llu", (unsigned long long)t->declined);
}

static void write_head(const report *r, const char *what)
{
    fl_writef(r->ctx, "\n  %-22s %-11s %10s %9s %9s %9s %8s %8s %14s %14s", what, "action",
              "events", "disputed", "good", "unknown", "of known", "of all", "caught", "lost");
    if (r->b->refunds) fl_writef(r->ctx, " %9s", "refunded");
    if (r->b->declines) fl_writef(r->ctx, " %9s", "declined");
}

/* The three that share most with item i. */
static void write_overlap(const report *r, uint32_t i)
{
    const uint64_t *row = &r->b->overlap[(size_t)i * r->b->items];
    uint64_t below = UINT64_MAX;
    uint32_t last = UINT32_MAX;
    for (int shown = 0; shown < 3; shown++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t k = 0; k < r->b->items; k++) {
            bool left = row[k] < below || (row[k] == below && k > last);
            if (k != i && row[k] && left && (best == UINT32_MAX || row[k] > row[best])) best = k;
        }
        if (best == UINT32_MAX) return;
        fl_writef(r->ctx, "%s%s %llu", shown ? ", " : "; shared with ", r->b->item[best].name,
                  (unsigned long long)row[best]);
        below = row[best];
        last = best;
    }
}

static void write_text(const report *r, const florin_policy *p, const char *log)
{
    const fl_backtest *b = r->b;
    fl_writef(r->ctx,
              "%s under %s, version %.12s: %llu events, %llu disputed (label %s, %.2f %s)\n", log,
              fl_policy_name(p->policy), fl_policy_version(p->policy),
              (unsigned long long)b->all.events, (unsigned long long)b->all.disputed, b->label,
              major(r, b->all.amount_disputed), r->currency);
    if (b->metadata)
        fl_writef(r->ctx, "  Rules that read metadata find none: a log does not keep it.\n");
    write_head(r, "what would be decided");
    fl_writef(r->ctx, "\n");
    for (int a = FL_ACTIONS - 1; a >= 0; a--) {
        write_row(r, "all together", fl_action_name((fl_action)a), &b->action[a]);
        fl_writef(r->ctx, "\n");
    }
    if (b->items) write_head(r, "what matches");
    fl_writef(r->ctx, "\n");
    for (uint32_t i = 0; i < b->items; i++) {
        const fl_backtest_item *m = &b->item[i];
        write_row(r, m->name, fl_action_name((fl_action)m->action), &m->matched);
        fl_writef(r->ctx, "\n      decides %llu; nothing else matches %llu",
                  (unsigned long long)m->decided.events, (unsigned long long)m->alone);
        write_overlap(r, i);
        fl_writef(r->ctx, "\n");
    }
    fl_writef(
        r->ctx,
        "\ncaught, lost: amounts in %s of what was disputed and of what was good. %.3f s for %llu "
        "events; %u columns computed first\n",
        r->currency, b->seconds, (unsigned long long)b->all.events, b->made);
}

/* ---- the call ---- */

static florin_status moment(const char *text, const char *what, int64_t *out, florin_error *err)
{
    if (!text || fl_time_parse(text, out)) return FLORIN_OK;
    return fl_fail(err, FLORIN_EUSAGE,
                   "%s: '%.40s' is no moment such as 2025-06-01 or '2025-06-01 12:00'", what, text);
}

static florin_status run(const florin_context *ctx, const florin_backtest_options *opt,
                         const florin_policy *p, const fl_log *log, florin_error *err)
{
    fl_backtest b;
    fl_buf folder = {0};
    size_t n = strlen(opt->log);
    while (n > 1 && opt->log[n - 1] == '/') n--;
    fl_buf_printf(&folder, "%.*s.columns", (int)n, opt->log);
    fl_backtest_options o = {.folder = opt->columns ? opt->columns : folder.data,
                             .label = opt->label,
                             .type = opt->type,
                             .from_us = INT64_MIN,
                             .to_us = INT64_MAX};
    florin_status st = folder.failed ? fl_fail(err, FLORIN_ENOMEM, "backtest") : FLORIN_OK;
    if (!st) st = moment(opt->from, "from", &o.from_us, err);
    if (!st) st = moment(opt->to, "to", &o.to_us, err);
    if (!st && opt->matured &&
        (!fl_duration_parse(opt->matured, &o.matured_us) || o.matured_us <= 0))
        st = fl_fail(err, FLORIN_EUSAGE, "matured: '%.40s' is no span such as 60d", opt->matured);
    if (!st) st = fl_backtest_run(&b, p->policy, p->model->model, log, &o, ctx, err);
    fl_buf_free(&folder);
    if (st) return st;
    report r = {ctx, &b, fl_log_schema(log)->currency, 1};
    for (int i = fl_currency_exponent(r.currency); i > 0; i--) r.units *= 10;
    if (opt->format == FLORIN_JSON) write_json(&r, p);
    else write_text(&r, p, opt->log);
    fl_backtest_free(&b);
    return FLORIN_OK;
}

florin_status florin_backtest(const florin_context *ctx, const florin_backtest_options *opt,
                              florin_error *err)
{
    florin_policy *p = NULL;
    fl_log *log = NULL;
    if (!opt || opt->size != sizeof *opt || !opt->log || (opt->n_rules && !opt->rules))
        return fl_fail(err, FLORIN_EUSAGE, "backtest: needs a log");
    if (!opt->policy && !opt->n_rules)
        return fl_fail(err, FLORIN_EUSAGE, "backtest: needs a policy or a rule");
    florin_status st = fl_log_open(&log, opt->log, err);
    if (!st) st = fl_api_policy_open(&p, opt->policy, opt->model, opt->key, false, err);
    for (uint32_t i = 0; i < opt->n_rules && !st; i++)
        st = fl_policy_add(p->policy, opt->rules[i], "rule", err);
    if (!st) st = run(ctx, opt, p, log, err);
    florin_policy_close(p);
    fl_log_close(log);
    return st;
}
