/* florin doctor: what this machine offers, and what to fix. */
#include "cli.h"

#include <stdlib.h>

int cmd_doctor(cli *c, int argc, char **argv)
{
    bool bench = false;
    const char *folder = NULL, *data = getenv("FLORIN_DATA");
    const cli_option options[] = {
        {"--data", CLI_TEXT, &data, "FOLDER", "where data sets lie (default $FLORIN_DATA)"},
        {"--bench", CLI_FLAG, &bench, NULL,
         "measure this machine and the kernels: share is the part of the bound that each reaches "
         "(seconds)"},
        {NULL, CLI_FLAG, NULL, NULL, NULL}};
    florin_error err = {FLORIN_OK, ""};
    int n, code;

    if (!cli_parse(c, argc, argv, options, &folder, 1, 0, &n, &code)) return code;
    florin_doctor_options opt = FLORIN_DOCTOR_INIT;
    opt.format = c->format;
    opt.work_folder = folder;
    opt.data_folder = data;
    opt.bench = bench;
    if (florin_doctor(&c->context, &opt, &err)) return cli_fail(c, &err);
    return FLORIN_OK;
}
