/* florin score: a log through the model, offline. florin replay: the same through the live path. */
#include "cli.h"

static int run(cli *c, int argc, char **argv, bool live)
{
    const char *args[2] = {0};
    int n = 0, code = 0;
    int64_t top = 0;
    bool check = false;
    florin_score_options o = FLORIN_SCORE_INIT;
    florin_replay_journal_options journal = FLORIN_REPLAY_JOURNAL_INIT;
    const cli_option options[] = {
        {"--model", CLI_TEXT, &o.model, "MODEL", "model with at least one head (florin fit)"},
        {"--out", CLI_TEXT, &o.out, "FILE",
         "table of scores, .parquet or .csv: id, time, probability, score, level"},
        {"--from", CLI_TEXT, &o.from, "TIME",
         "score events from this moment on; earlier ones only move the states"},
        {"--to", CLI_TEXT, &o.to, "TIME", "score events before this moment"},
        {"--top", CLI_INT, &top, "N", "list the N most suspicious events with reasons"},
        {"--head", CLI_TEXT, &o.head, "NAME", "head of the top list (default: the first)"},
        {"--tier", CLI_TEXT, &o.tier, "NAME",
         "kernels: ref, avx2 or avx512 (default: the best of this CPU)"},
        live ? (cli_option){"--check", CLI_FLAG, &check, NULL,
                            "run the offline path beside it and fail at the first different bit"}
             : (cli_option){"--at", CLI_TEXT, &o.at, "TIME",
                            "judge every entity known before this moment (end: the whole log) by a "
                            "head at a date, such as churn"},
        {live ? "--key" : NULL, CLI_TEXT, &journal.key, "FILE",
         "journal: hash key, where the schema names one"},
        {live ? "--policy" : NULL, CLI_TEXT, &journal.policy, "FILE",
         "journal: the rules that decided"},
        {live ? "--state" : NULL, CLI_TEXT, &journal.state, "FILE",
         "journal: write the histories as they are at its end"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    florin_error err = {0};
    if (!o.model || top < 0) {
        err.status = FLORIN_EUSAGE;
        snprintf(err.message, sizeof err.message,
                 o.model ? "--top needs a number above 0" : "name the model: --model MODEL");
        return cli_fail(c, &err);
    }
    if (live && florin_journal_is(args[0])) {
        journal.journal = args[0];
        journal.model = o.model;
        journal.tier = o.tier;
        journal.format = c->format;
        return florin_replay_journal(&c->context, &journal, &err) ? cli_fail(c, &err) : 0;
    }
    o.log = args[0];
    o.top = (uint32_t)(top > 100000 ? 100000 : top);
    o.check = check;
    o.format = c->format;
    florin_status st =
        live ? florin_replay_log(&c->context, &o, &err) : florin_score_log(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : 0;
}

int cmd_score(cli *c, int argc, char **argv)
{
    return run(c, argc, argv, false);
}

int cmd_replay(cli *c, int argc, char **argv)
{
    return run(c, argc, argv, true);
}
