/* florin similar: who is alike, and what they share. */
#include "cli.h"

int cmd_similar(cli *c, int argc, char **argv)
{
    florin_similar_options o = FLORIN_SIMILAR_INIT;
    const char *args[1];
    int64_t top = 10, least = 0, draws = 0, seed = 0, segments = 0;
    int n, code;
    florin_error err = {0};
    const cli_option options[] = {
        {"--model", CLI_TEXT, &o.model, "M", "model file (from pretrain or fit)"},
        {"--entity", CLI_TEXT, &o.entity, "KIND", "entities of this kind are compared, e.g. card"},
        {"--id", CLI_TEXT, &o.id, "ID", "whom the others should be like"},
        {"--event", CLI_TEXT, &o.event, "ID", "in place of both: the event that others are like"},
        {"--at", CLI_TEXT, &o.at, "TIME", "as known at this moment (default: end of the log)"},
        {"--top", CLI_INT, &top, "N", "neighbours to show (default 10)"},
        {"--by", CLI_TEXT, &o.by, "WHAT",
         "compare by embedding (default where there is one), fold, or both"},
        {"--pool", CLI_TEXT, &o.pool, "HOW", "mean of all states (default), or last"},
        {"--least", CLI_INT, &least, "N", "leave out entities with fewer events"},
        {"--segments", CLI_INT, &segments, "K", "groups of alike entities, each described"},
        {"--judge", CLI_TEXT, &o.judge, "WHAT",
         "a category field: do neighbours share it? same: does one half of a history find the "
         "other?"},
        {"--draws", CLI_INT, &draws, "N", "of the bootstrap of --judge (default 300)"},
        {"--seed", CLI_INT, &seed, "N", "of --judge and --segments"},
        {"--tier", CLI_TEXT, &o.tier, "NAME", "pin the kernels: ref, avx2 or avx512"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    o.log = args[0];
    o.format = c->format;
    o.top = top > 0 ? (uint32_t)(top < 1000000 ? top : 1000000) : 0;
    o.least = least > 0 ? (uint32_t)(least < UINT32_MAX ? least : UINT32_MAX) : 0;
    o.draws = draws > 0 ? (uint32_t)(draws < 100000 ? draws : 100000) : 0;
    o.segments = segments > 0 ? (uint32_t)(segments < 1000000 ? segments : 1000000) : 0;
    o.seed = (uint64_t)seed;
    return florin_similar(&c->context, &o, &err) ? cli_fail(c, &err) : FLORIN_OK;
}
