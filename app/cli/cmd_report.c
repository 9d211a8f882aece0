/* florin report: results of other commands on one page. */
#include "cli.h"

enum { PARTS_MAX = 32 };

int cmd_report(cli *c, int argc, char **argv)
{
    const char *part[PARTS_MAX];
    int n = 0, code = 0;
    florin_error err;
    florin_report_options o = FLORIN_REPORT_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.out, "PAGE.html", "page to write (default: standard output)"},
        {"--title", CLI_TEXT, &o.title, "TEXT", "title of the page"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, part, PARTS_MAX, 1, &n, &code)) return code;
    o.part = part;
    o.parts = (uint32_t)n;
    florin_status st = florin_report(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
