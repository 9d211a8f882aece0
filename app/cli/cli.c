/* Arguments and options: one parser for all commands, driven by each command's table. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 64, LIST_MAX = 7, OPTIONS_MAX = 64, WORD_MAX = 40, FAR = 3 };

const char *cli_nearest(const char *typed, const char *const *names, size_t n, size_t stride)
{
    const char *best = NULL;
    unsigned least = FAR + 1, row[WORD_MAX + 1];
    size_t len = strlen(typed);

    for (size_t i = 0; i < n && len <= WORD_MAX; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);
        size_t k = strlen(name);
        if (k > WORD_MAX) continue;
        /* Levenshtein distance, one row of the table kept. */
        for (size_t x = 0; x <= k; x++) row[x] = (unsigned)x;
        for (size_t y = 1; y <= len; y++) {
            unsigned diagonal = row[0];
            row[0] = (unsigned)y;
            for (size_t x = 1; x <= k; x++) {
                unsigned d = diagonal + (typed[y - 1] != name[x - 1]);
                if (row[x] + 1 < d) d = row[x] + 1;
                if (row[x - 1] + 1 < d) d = row[x - 1] + 1;
                diagonal = row[x];
                row[x] = d;
            }
        }
        if (row[k] < least && row[k] < (k < 4 ? 2 : k)) {
            least = row[k];
            best = name;
        }
    }
    return best;
}

static bool parse_size(const char *s, uint64_t *out)
{
    static const char units[] = "kmgt";
    char *end;
    errno = 0;
    double v = strtod(s, &end);
    if (end == s || errno || !isfinite(v) || v < 0) return false;
    for (int i = 0; units[i]; i++) {
        if ((*end | 32) != units[i]) continue;
        v = ldexp(v, 10 * (i + 1));
        end++;
        if (*end == 'i') end++;
        break;
    }
    if (*end == 'B') end++;
    if (*end || v >= 0x1p63) return false;
    *out = (uint64_t)v;
    return true;
}

/* Whole numbers, also as 400k, 2M or 1_000_000. */
static bool parse_int(const char *s, int64_t *out)
{
    char digits[32];
    size_t n = 0;
    for (; *s && n + 1 < sizeof digits; s++)
        if (*s != '_') digits[n++] = *s;
    digits[n] = 0;
    int64_t unit = 1;
    char last = n ? digits[n - 1] : 0;
    if (last == 'k') unit = 1000;
    else if (last == 'M') unit = 1000000;
    if (unit > 1) digits[n - 1] = 0;
    char *end;
    errno = 0;
    long long v = strtoll(digits, &end, 10);
    if (*s || end == digits || *end || errno || strspn(digits, " \t\n")) return false;
    return !__builtin_mul_overflow((int64_t)v, unit, out);
}

static bool parse_number(const char *s, double *out)
{
    char *end;
    errno = 0;
    double v = strtod(s, &end);
    if (end == s || *end || errno == ERANGE || !isfinite(v)) return false;
    *out = v;
    return true;
}

static bool store(const cli_option *o, const char *value, const char **wanted)
{
    const char **list = o->out;
    size_t n = 0;

    switch (o->type) {
    case CLI_FLAG: *(bool *)o->out = true; return true;
    case CLI_TEXT:
        *wanted = "a value";
        *list = value;
        return value[0] != 0;
    case CLI_INT: *wanted = "a whole number"; return parse_int(value, o->out);
    case CLI_NUMBER: *wanted = "a number"; return parse_number(value, o->out);
    case CLI_SIZE: *wanted = "a size such as 512M or 4G"; return parse_size(value, o->out);
    case CLI_LIST:
        while (n < LIST_MAX && list[n]) n++;
        *wanted = n == LIST_MAX ? "at most 7 values" : "a value";
        if (n == LIST_MAX || !value[0]) return false;
        list[n] = value;
        list[n + 1] = NULL;
        return true;
    }
    return false;
}

static void help_option(const cli_option *o)
{
    char left[64];
    snprintf(left, sizeof left, "%s %s", o->name, o->value ? o->value : "");
    printf("  %-24s %s\n", left, o->help ? o->help : "");
}

static void show_help(const cli *c, const cli_option *options, const cli_option *common)
{
    const cli_command *k = c->command;
    printf("florin %s: %s\n\nUsage: florin %s %s\n", k->name, k->summary, k->name, k->usage);
    if (options && options->name) puts("\nOptions:");
    for (const cli_option *o = options; o && o->name; o++) help_option(o);
    puts("\nOptions of every command:");
    for (const cli_option *o = common; o->name; o++) help_option(o);
    if (k->example) {
        puts("\nExample:");
        for (const char *p = k->example; *p;) {
            size_t n = strcspn(p, "\n");
            printf("  %.*s\n", (int)n, p);
            p += n + (p[n] == '\n');
        }
    }
    puts("\nExit codes: florin --help.");
}

static bool fail_usage(const cli *c, int *code)
{
    fprintf(stderr, "Try 'florin %s --help'.\n", c->command->name);
    *code = FLORIN_EUSAGE;
    return false;
}

static const cli_option *find(const cli_option *table, const char *arg, size_t n)
{
    for (const cli_option *o = table; o && o->name; o++)
        if (strlen(o->name) == n && !strncmp(o->name, arg, n)) return o;
    return NULL;
}

static bool unknown_option(const cli *c, const char *arg, size_t n, const cli_option *options,
                           const cli_option *common, int *code)
{
    const char *names[OPTIONS_MAX];
    char typed[WORD_MAX + 1];
    size_t count = 0;

    for (const cli_option *o = options; o && o->name && count < OPTIONS_MAX; o++)
        names[count++] = o->name;
    for (const cli_option *o = common; o->name && count < OPTIONS_MAX; o++)
        names[count++] = o->name;
    snprintf(typed, sizeof typed, "%.*s", (int)(n > WORD_MAX ? WORD_MAX : n), arg);
    const char *near = cli_nearest(typed, names, count, sizeof names[0]);
    fprintf(stderr, "florin %s: unknown option '%s'", c->command->name, typed);
    if (near) fprintf(stderr, ": did you mean '%s'?", near);
    fputc('\n', stderr);
    return fail_usage(c, code);
}

/* One option at argv[*i]; moves *i past a value that stands alone. */
static bool take_option(const cli *c, int argc, char **argv, int *i, const cli_option *options,
                        const cli_option *common, int *code)
{
    const char *arg = argv[*i], *wanted = "";
    size_t n = strcspn(arg, "=");
    const cli_option *o = find(options, arg, n);

    if (!o) o = find(common, arg, n);
    if (!o) return unknown_option(c, arg, n, options, common, code);
    const char *value = arg[n] == '=' ? arg + n + 1 : NULL;
    if (o->type == CLI_FLAG && value) {
        fprintf(stderr, "florin %s: %s takes no value\n", c->command->name, o->name);
        return fail_usage(c, code);
    }
    if (o->type != CLI_FLAG && !value) {
        if (*i + 1 >= argc) {
            fprintf(stderr, "florin %s: %s needs a value%s%s\n", c->command->name, o->name,
                    o->value ? ": " : "", o->value ? o->value : "");
            return fail_usage(c, code);
        }
        value = argv[++*i];
    }
    if (store(o, value, &wanted)) return true;
    fprintf(stderr, "florin %s: %s needs %s, not '%.64s'\n", c->command->name, o->name, wanted,
            value);
    return fail_usage(c, code);
}

static bool check_common(cli *c, bool json, bool html, const int64_t *threads, int *code)
{
    if (json && html) {
        fprintf(stderr, "florin %s: --json and --html exclude each other\n", c->command->name);
        return fail_usage(c, code);
    }
    if (*threads < 0 || *threads > THREADS_MAX) {
        fprintf(stderr, "florin %s: --threads needs 1 to %d (0: as many as cores)\n",
                c->command->name, THREADS_MAX);
        return fail_usage(c, code);
    }
    c->format = json ? FLORIN_JSON : html ? FLORIN_HTML : FLORIN_TEXT;
    c->context.threads = (uint32_t)*threads;
    return true;
}

bool cli_parse(cli *c, int argc, char **argv, const cli_option *options, const char **args, int max,
               int min, int *n, int *code)
{
    bool json = false, html = false, help = false, words_only = false;
    int64_t threads = 0;
    const cli_option common[] = {
        {"--json", CLI_FLAG, &json, NULL, "results as JSON"},
        {"--html", CLI_FLAG, &html, NULL, "results as one HTML page, where the command has one"},
        {"--quiet", CLI_FLAG, &c->quiet, NULL, "no progress, no notes"},
        {"--threads", CLI_INT, &threads, "N", "threads to use (default: as many as cores)"},
        {"--memory", CLI_SIZE, &c->context.memory_bytes, "SIZE",
         "memory to stay under (default 2G)"},
        {"--help", CLI_FLAG, &help, NULL, "this text"},
        {NULL, CLI_FLAG, NULL, NULL, NULL}};

    *n = 0;
    for (int i = 1; i < argc; i++) {
        if (!words_only && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            show_help(c, options, common);
            *code = FLORIN_OK;
            return false;
        }
        if (!words_only && !strcmp(argv[i], "--")) {
            words_only = true;
        } else if (!words_only && argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(c, argc, argv, &i, options, common, code)) return false;
        } else if (*n == max) {
            fprintf(stderr, "florin %s: '%.64s' is one argument too many\n", c->command->name,
                    argv[i]);
            return fail_usage(c, code);
        } else {
            args[(*n)++] = argv[i];
        }
    }
    if (*n < min) {
        fprintf(stderr, "florin %s: an argument is missing: florin %s %s\n", c->command->name,
                c->command->name, c->command->usage);
        return fail_usage(c, code);
    }
    return check_common(c, json, html, &threads, code);
}

int cli_fail(cli *c, const florin_error *err)
{
    const char *text = err->message[0] ? err->message : florin_status_name(err->status);

    cli_progress_end();
    fprintf(stderr, "florin %s: ", c->command->name);
    /* Text from a user's file may hold anything: control bytes never reach the terminal. */
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '\n') fputs("\n  ", stderr);
        else if (*p < 32 || *p == 127) fprintf(stderr, "\\x%02x", *p);
        else fputc(*p, stderr);
    }
    fputc('\n', stderr);
    return err->status ? (int)err->status : FLORIN_EINTERNAL;
}
