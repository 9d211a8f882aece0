/* florin import: tables to an event log. */
#include "cli.h"

int cmd_import(cli *c, int argc, char **argv)
{
    const char *args[32] = {0};
    int n = 0, code = 0;
    bool strict = false, no_ids = false, sort = false;
    florin_import_options o = {.size = sizeof o};
    const cli_option options[] = {
        {"--log", CLI_TEXT, &o.log, "LOG",
         "folder of the event log (made when missing, appended to when not)"},
        {"--rejects", CLI_TEXT, &o.rejects, "FILE",
         "where rejected rows go, with row, field and reason (default LOG/rejects.csv)"},
        {"--strict", CLI_FLAG, &strict, NULL, "import nothing when one row is rejected"},
        {"--no-ids", CLI_FLAG, &no_ids, NULL, "keep no dictionary of identifiers (hashes only)"},
        {"--sort-on-disk", CLI_FLAG, &sort, NULL,
         "sort by spilling to disk whatever the size (chosen by itself past --memory)"},
        {"--key", CLI_TEXT, &o.key, "FILE", "of a journal: hash key, where its schema names one"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 32, 1, &n, &code)) return code;
    florin_error err = {0};
    if (!o.log) {
        err.status = FLORIN_EUSAGE;
        snprintf(err.message, sizeof err.message, "name the event log: --log LOG");
        return cli_fail(c, &err);
    }
    o.schema = args[0];
    o.files = args + 1;
    o.n_files = (uint32_t)(n - 1);
    o.strict = strict;
    o.no_ids = no_ids;
    o.sort_on_disk = sort;
    o.format = c->format;
    return florin_import(&c->context, &o, &err) ? cli_fail(c, &err) : 0;
}
