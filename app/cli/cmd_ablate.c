/* florin ablate: which choice pays, by a plan. */
#include "cli.h"

int cmd_ablate(cli *c, int argc, char **argv)
{
    const char *args[1] = {0};
    int n = 0, code = 0;
    florin_error err = {0};
    florin_ablate_options o = FLORIN_ABLATE_INIT;
    const cli_option options[] = {
        {"--work", CLI_TEXT, &o.work, "FOLDER",
         "finished runs, models and scores are kept here (default: PLAN.work)"},
        {"--budget", CLI_NUMBER, &o.minutes, "MIN",
         "begin no run after so many minutes; the same command goes on (default: no limit)"},
        {"--plot", CLI_TEXT, &o.plot, "FILE.svg", "of a plan with `scaling`: its curves"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    o.plan = args[0];
    o.format = c->format;
    return florin_ablate(&c->context, &o, &err) ? cli_fail(c, &err) : 0;
}
