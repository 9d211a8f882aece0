/* florin simulate: a made-up world of payments, as an event log or as tables. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool parse_date(const char *text, int64_t *us)
{
    struct tm t;
    memset(&t, 0, sizeof t);
    const char *end = strptime(text, "%Y-%m-%d", &t);
    if (!end || *end) return false;
    *us = (int64_t)timegm(&t) * 1000000;
    return true;
}

static int bad(cli *c, const char *option, const char *what)
{
    florin_error err = {.status = FLORIN_EUSAGE};
    snprintf(err.message, sizeof err.message, "%s must be %s", option, what);
    return cli_fail(c, &err);
}

int cmd_simulate(cli *c, int argc, char **argv)
{
    int64_t events = 400000, seed = 1, days = 180, cards = 0;
    const char *start = NULL, *none[1];
    bool steady = false;
    int n = 0, code = 0;
    florin_error err;
    florin_simulate_options o = FLORIN_SIMULATE_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.log, "LOG", "event log to write"},
        {"--csv", CLI_TEXT, &o.csv, "DIR",
         "also (or only) write the tables as CSV, with their schema"},
        {"--truth", CLI_TEXT, &o.truth, "FILE",
         "which event is which kind of fraud (default LOG-truth.csv)"},
        {"--events", CLI_INT, &events, "N",
         "payments, refunds, logins and salaries in all (default 400000)"},
        {"--days", CLI_INT, &days, "D", "days they are spread over (default 180)"},
        {"--cards", CLI_INT, &cards, "N",
         "cards in use at a time (default: 100 events each in 180 days)"},
        {"--seed", CLI_INT, &seed, "S", "same seed and options, same bytes (default 1)"},
        {"--start", CLI_TEXT, &start, "DATE", "first day (default 2025-01-01)"},
        {"--steady", CLI_FLAG, &steady, NULL, "habits never change and nobody cheats"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, none, 0, 0, &n, &code)) return code;
    if (events < 1 || events > 4000000000) return bad(c, "--events", "from 1 to 4000000000");
    if (days < 1 || days > 36500) return bad(c, "--days", "from 1 to 36500");
    if (cards < 0 || cards > 1000000000) return bad(c, "--cards", "from 1 to 1000000000");
    if (start && !parse_date(start, &o.start_us))
        return bad(c, "--start", "a date such as 2025-01-01");
    o.format = c->format;
    o.events = (uint64_t)events;
    o.seed = (uint64_t)seed;
    o.days = (uint32_t)days;
    o.cards = (uint32_t)cards;
    o.steady = steady;
    florin_status st = florin_simulate(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
