/* florin features: the fold's numbers as a table. */
#include "cli.h"

int cmd_features(cli *c, int argc, char **argv)
{
    const char *args[1] = {NULL};
    bool velocity = false, list = false;
    int n = 0, code = 0;
    florin_error err;
    florin_features_options o = FLORIN_FEATURES_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.out, "FILE",
         ".parquet, .csv, .npy or .arrow; without it only the rate is reported"},
        {"--from", CLI_TEXT, &o.from, "TIME",
         "first event to write; what came before is folded all the same"},
        {"--to", CLI_TEXT, &o.to, "TIME", "write events before this moment"},
        {"--model", CLI_TEXT, &o.model, "MODEL", "use the learned constants of this model"},
        {"--until", CLI_TEXT, &o.until, "TIME",
         "else learn them from what was known before (default --from, else the first third of the "
         "log)"},
        {"--labels-at", CLI_TEXT, &o.labels_at, "TIME", "add each label as known at this moment"},
        {"--entity", CLI_TEXT, &o.entity, "KIND", "one row per entity of this kind, at --at"},
        {"--at", CLI_TEXT, &o.at, "TIME", "moment of --entity (default: after the last event)"},
        {"--velocity", CLI_FLAG, &velocity, NULL,
         "instead: exact counts, means and label shares of the last 1, 7 and 30 days"},
        {"--list", CLI_FLAG, &list, NULL, "only list the features with unit and meaning"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    o.format = c->format;
    o.log = args[0];
    o.velocity = velocity;
    o.list = list;
    florin_status st = florin_features(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
