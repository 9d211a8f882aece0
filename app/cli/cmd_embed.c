/* florin embed: vectors of entities or events. */
#include "cli.h"

int cmd_embed(cli *c, int argc, char **argv)
{
    florin_embed_options opt = FLORIN_EMBED_INIT;
    bool events = false;
    const char *args[1];
    int n, code;
    florin_error err = {0};
    const cli_option options[] = {
        {"--model", CLI_TEXT, &opt.model, "M", "model file (from pretrain or fit)"},
        {"--out", CLI_TEXT, &opt.out, "FILE",
         ".parquet, .arrow, .csv or .npy (numbers only; ids beside it)"},
        {"--entity", CLI_TEXT, &opt.entity, "KIND",
         "one row for each entity of this kind, e.g. card"},
        {"--at", CLI_TEXT, &opt.at, "TIME",
         "entities as known at this moment (default: end of the log)"},
        {"--pool", CLI_TEXT, &opt.pool, "HOW", "last state (default), mean, or ema of all states"},
        {"--events", CLI_FLAG, &events, NULL, "one row for each event (default without --entity)"},
        {"--tier", CLI_TEXT, &opt.tier, "NAME", "pin the kernels: ref, avx2 or avx512"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    opt.log = args[0];
    opt.format = c->format;
    if (events && opt.entity) {
        err.status = FLORIN_EUSAGE;
        snprintf(err.message, sizeof err.message, "--events and --entity exclude each other");
        return cli_fail(c, &err);
    }
    return florin_embed(&c->context, &opt, &err) ? cli_fail(c, &err) : FLORIN_OK;
}
