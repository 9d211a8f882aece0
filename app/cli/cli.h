/* What every command of the program shares: options, help, context with progress and Ctrl-C. The program
 * is a client of florin.h like any other. */
#ifndef CLI_H
#define CLI_H

#include "florin.h"
#include <stdbool.h>
#include <stdio.h>

typedef enum { CLI_FLAG, CLI_TEXT, CLI_INT, CLI_NUMBER, CLI_SIZE, CLI_LIST } cli_type;

/* One option. out: bool* (FLAG), const char** (TEXT), int64_t* (INT), double* (NUMBER), uint64_t* bytes
 * (SIZE: "512M", "2G"), const char*[8] ended by NULL (LIST, may be repeated). */
typedef struct {
    const char *name; /* "--until" */
    cli_type type;
    void *out;
    const char *value; /* shown in help: "TIME" */
    const char *help;
} cli_option;

typedef struct cli {
    florin_context context; /* handed to every call; stdout, stderr, progress bar, SIGINT */
    florin_format format;   /* --json, --html */
    bool quiet;
    const struct cli_command *command;
} cli;

typedef struct cli_command {
    const char *name;
    const char *summary; /* one line */
    const char *usage;   /* "FILE [--out SCHEMA]" */
    const char *example; /* one or more lines, shown under Example */
    int (*run)(cli *c, int argc,
               char **argv); /* argv[0] is the command's name; returns the exit code */
} cli_command;

/* Parse argv against options (ended by a NULL name) and the common ones (--json, --html, --quiet, --threads N,
 * --memory SIZE, --help). Positional arguments go to args [max], *n of them. Returns true to go on; false: exit
 * with *code (help was shown, or the usage error was printed, with a suggestion). */
bool cli_parse(cli *c, int argc, char **argv, const cli_option *options, const char **args, int max,
               int min, int *n, int *code);
/* Print "florin CMD: message" on stderr, with the remedy line if the message has one; returns the exit code. */
int cli_fail(cli *c, const florin_error *err);

/* Context callbacks of progress.c; user is the cli. */
void cli_log(void *user, florin_level level, const char *line);
void cli_progress(void *user, const char *stage, uint64_t done, uint64_t total, const char *note);
void cli_progress_end(void); /* leaves the terminal on a fresh line */

/* The table of commands (commands.c). A new command: cmd_NAME.c, its prototype below, one entry there. */
extern const cli_command cli_commands[]; /* ended by a NULL name */
const cli_command *cli_find_command(const char *name);
/* Nearest of n names to what was typed, or NULL. Names are `stride` bytes apart. */
const char *cli_nearest(const char *typed, const char *const *names, size_t n, size_t stride);

/* Folders of task files, separated by ':' (cmd_tasks.c). */
const char *cli_task_folders(void);

/* The commands, each in cmd_NAME.c. */
int cmd_draft(cli *c, int argc, char **argv);
int cmd_import(cli *c, int argc, char **argv);
int cmd_describe(cli *c, int argc, char **argv);
int cmd_simulate(cli *c, int argc, char **argv);
int cmd_features(cli *c, int argc, char **argv);
int cmd_pretrain(cli *c, int argc, char **argv);
int cmd_embed(cli *c, int argc, char **argv);
int cmd_similar(cli *c, int argc, char **argv);
int cmd_fit(cli *c, int argc, char **argv);
int cmd_eval(cli *c, int argc, char **argv);
int cmd_score(cli *c, int argc, char **argv);
int cmd_replay(cli *c, int argc, char **argv);
int cmd_policy(cli *c, int argc, char **argv);
int cmd_backtest(cli *c, int argc, char **argv);
int cmd_review(cli *c, int argc, char **argv);
int cmd_tasks(cli *c, int argc, char **argv);
int cmd_ablate(cli *c, int argc, char **argv);
int cmd_serve(cli *c, int argc, char **argv);
int cmd_load(cli *c, int argc, char **argv);
int cmd_report(cli *c, int argc, char **argv);
int cmd_doctor(cli *c, int argc, char **argv);

#endif
