/* florin load: payments against a server at a rate. */
#include "cli.h"
#include "load.h"

static int wrong(cli *c, const char *what)
{
    florin_error err = {.status = FLORIN_EUSAGE};
    snprintf(err.message, sizeof err.message, "%s", what);
    return cli_fail(c, &err);
}

int cmd_load(cli *c, int argc, char **argv)
{
    const char *args[2] = {0}, *as[8] = {0};
    int n = 0, code = 0;
    load_options o = LOAD_INIT;
    florin_error err = {0};
    const cli_option options[] = {
        {"--rate", CLI_NUMBER, &o.rate, "N",
         "requests a second (default 100), each due at its moment whatever became of the others; "
         "0: as many "
         "as the connections get done"},
        {"--seconds", CLI_NUMBER, &o.seconds, "S", "how long (default 10)"},
        {"--warmup", CLI_NUMBER, &o.warmup_s, "S", "before that, not measured (default 0)"},
        {"--requests", CLI_INT, &o.requests, "N", "stop after so many"},
        {"--connections", CLI_INT, &o.connections, "N", "kept open (default 64)"},
        {"--key", CLI_TEXT, &o.key, "KEY", "API key with the role score"},
        {"--per-request", CLI_INT, &o.per_request, "N", "payments in one request (default 1)"},
        {"--as", CLI_LIST, as, "COLUMN=NAME", "a column of the CSV file under another name"},
        {"--keep-time", CLI_FLAG, &o.keep_time, NULL,
         "send the file's times (default: the server's clock)"},
        {"--even", CLI_FLAG, &o.even, NULL, "equal gaps (default: as independent customers come)"},
        {"--entities", CLI_INT, &o.entities, "N",
         "of each kind, of made-up payments (default 100k)"},
        {"--bytes", CLI_INT, &o.pad_to, "N", "of a made-up payment (default 500)"},
        {"--seed", CLI_INT, &o.seed, "N", "of gaps and made-up payments (default 1)"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 2, 1, &n, &code)) return code;
    if (o.rate < 0 || o.seconds <= 0 || o.warmup_s < 0)
        return wrong(c, "--rate, --seconds and --warmup: not below 0");
    if (o.connections < 1 || o.connections > 60000 || o.entities < 1 || o.per_request < 1 ||
        o.per_request > 10000 || o.requests < 0)
        return wrong(c,
                     "--connections 1 to 60000, --entities 1 and more, --per-request 1 to 10000");
    o.url = args[0];
    o.file = args[1];
    o.as = as;
    o.json = c->format == FLORIN_JSON;
    return load_run(&o, &c->context, &err) ? cli_fail(c, &err) : 0;
}
