/* florin tasks: the catalogue. And where a task that is a bare name is looked for. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* $FLORIN_TASKS, or: ./examples/tasks, examples/tasks beside the build folder that the program lies in, and the share folder
 * of an installation. */
const char *cli_task_folders(void)
{
    static char folders[4096 * 3];
    char self[4096];
    const char *own = getenv("FLORIN_TASKS");
    if (own && *own) return own;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (!slash) return "examples/tasks";
    *slash = 0;
    snprintf(folders, sizeof folders,
             "examples/tasks:%.4000s/../examples/tasks:%.4000s/../share/florin/tasks", self, self);
    return folders;
}

int cmd_tasks(cli *c, int argc, char **argv)
{
    const char *args[1] = {0};
    int n = 0, code = 0;
    florin_error err = {0};
    florin_tasks_options o = FLORIN_TASKS_INIT;
    const cli_option options[] = {
        {"--folder", CLI_TEXT, &o.folders, "FOLDER",
         "task files are here (default: $FLORIN_TASKS, ./examples/tasks, the installed ones)"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    o.folders = cli_task_folders();
    if (!cli_parse(c, argc, argv, options, args, 0, 0, &n, &code)) return code;
    o.format = c->format;
    florin_status st = florin_tasks(&c->context, &o, &err);
    return st ? cli_fail(c, &err) : 0;
}
