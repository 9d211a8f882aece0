/* florin describe: what is in an event log; with --features, what the fold makes of it. */
#include "cli.h"

int cmd_describe(cli *c, int argc, char **argv)
{
    const char *args[1] = {NULL};
    bool features = false;
    int n = 0, code = 0;
    florin_error err;
    const cli_option options[] = {
        {"--features", CLI_FLAG, &features, NULL,
         "instead: every feature that the fold computes, with unit and meaning"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    florin_status st;
    if (features) {
        florin_features_options o = FLORIN_FEATURES_INIT;
        o.format = c->format;
        o.log = args[0];
        o.list = 1;
        st = florin_features(&c->context, &o, &err);
    } else {
        florin_describe_options o = FLORIN_DESCRIBE_INIT;
        o.format = c->format;
        o.log = args[0];
        st = florin_describe(&c->context, &o, &err);
    }
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
