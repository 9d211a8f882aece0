/* florin report: results of other commands on one page; the catalogue's page; a map of entities. */
#include "cli.h"

enum { PARTS_MAX = 32 };

int cmd_report(cli *c, int argc, char **argv)
{
    const char *part[PARTS_MAX], *folder = NULL;
    bool tasks = false;
    int n = 0, code = 0;
    florin_error err;
    florin_report_options o = FLORIN_REPORT_INIT;
    const cli_option options[] = {
        {"--out", CLI_TEXT, &o.out, "PAGE.html", "page to write (default: standard output)"},
        {"--title", CLI_TEXT, &o.title, "TEXT", "title of the page"},
        {"--tasks", CLI_FLAG, &tasks, NULL, "a row for each task of the catalogue"},
        {"--folder", CLI_TEXT, &folder, "FOLDER", "task files are here (as of florin tasks)"},
        {"--results", CLI_TEXT, &o.results, "FOLDER",
         "with --tasks: results NAME.json; each becomes a page beside PAGE.html"},
        {"--map", CLI_TEXT, &o.map_model, "MODEL", "a map of entities by their states"},
        {"--log", CLI_TEXT, &o.map_log, "LOG", "of the map"},
        {"--entity", CLI_TEXT, &o.map_entity, "KIND", "of the map (default: the payer)"},
        {"--colour", CLI_TEXT, &o.map_colour, "FIELD",
         "of the map: a category field, or a feature of the fold"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, part, PARTS_MAX, 0, &n, &code)) return code;
    o.part = part;
    o.parts = (uint32_t)n;
    if (tasks || folder) o.tasks = folder ? folder : cli_task_folders();
    florin_status st = florin_report(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : FLORIN_OK;
}
