/* florin draft: a first schema for an unknown table. */
#include "cli.h"

int cmd_draft(cli *c, int argc, char **argv)
{
    const char *args[1] = {0};
    int n = 0, code = 0;
    florin_error err = {0};
    florin_draft_options o = FLORIN_DRAFT_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.out, "SCHEMA.yaml",
         "schema to write, with an explanation on standard output (default: the schema itself "
         "there)"},
        {"--name", CLI_TEXT, &o.name, "NAME", "name of the schema (default: the file's)"},
        {"--table", CLI_TEXT, &o.table, "TABLE",
         "table of a SQLite file (default: the one with most rows)"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    o.file = args[0];
    o.format = c->format;
    return florin_draft(&c->context, &o, &err) ? cli_fail(c, &err) : 0;
}
