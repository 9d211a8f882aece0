/* The program: finds the command, hands it a context (terminal, clock, Ctrl-C), returns its exit code. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

/* The first Ctrl-C asks the job to stop and save; the second ends the program as it would have. */
static void on_signal(int number)
{
    static const char line[] =
        "\nflorin: stopping, nothing is lost (Ctrl-C again ends it at once)\n";

    if (interrupted) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    interrupted = 1;
    int saved = errno;
    if (write(STDERR_FILENO, line, sizeof line - 1) < 0) interrupted = 1;
    errno = saved;
}

static void catch_signals(void)
{
    struct sigaction a;

    memset(&a, 0, sizeof a);
    sigemptyset(&a.sa_mask);
    a.sa_handler = on_signal;
    a.sa_flags = SA_RESTART;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    /* A file-size limit is then an error of write(), reported like a full disk. */
    a.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &a, NULL);
}

static int is_cancelled(void *user)
{
    (void)user;
    return interrupted != 0;
}

static void write_result(void *user, const char *bytes, size_t n)
{
    (void)user;
    cli_progress_end();
    fwrite(bytes, 1, n, stdout); /* a failure is seen by ferror() at the end */
}

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    return clock_gettime(id, &t) ? 0 : (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t now_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_REALTIME);
}

static int64_t monotonic_us(void *user)
{
    (void)user;
    return clock_us(CLOCK_MONOTONIC);
}

static void show_help(FILE *to)
{
    fputs("Florin: a payments foundation model that a company can own.\n\n"
          "Usage: florin COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n",
          to);
    for (const cli_command *k = cli_commands; k->name; k++)
        fprintf(to, "  %-10s %s\n", k->name, k->summary);
    fputs("\n"
          "Options of every command:\n"
          "  --json          results as JSON\n"
          "  --html          results as one HTML page (where a command has one)\n"
          "  --quiet         no progress, no notes\n"
          "  --threads N     threads to use (default: as many as cores)\n"
          "  --memory SIZE   memory to stay under, such as 512M or 4G (default 2G)\n"
          "  --help          help of the command, with an example\n"
          "\n"
          "florin --version prints the version.\n"
          "\n"
          "Exit codes:\n"
          "   0  done\n"
          "   2  usage       wrong arguments or options\n"
          "   3  input       data or a schema is wrong; the message names file, row and field\n"
          "   4  format      a Florin file is damaged, truncated or of another version\n"
          "   5  schema      model, task and log do not belong together\n"
          "   6  io          a file can't be read or written: missing, permission, disk full\n"
          "   7  memory      out of memory, or past a memory or capacity option\n"
          "   8  leak        something later than the moment of prediction would have been used\n"
          "   9  cancelled   stopped by Ctrl-C; what was saved before is usable\n"
          "  10  equality    --check found two paths that differ\n"
          "  70  internal    a bug in Florin\n",
          to);
}

static int unknown_command(const char *name)
{
    size_t n = 0;
    while (cli_commands[n].name) n++;
    const char *near = cli_nearest(name, &cli_commands[0].name, n, sizeof cli_commands[0]);
    fprintf(stderr, "florin: unknown command '%.64s'", name);
    if (near) fprintf(stderr, ": did you mean '%s'?", near);
    fputs("\nTry 'florin --help'.\n", stderr);
    return FLORIN_EUSAGE;
}

static int run(int argc, char **argv)
{
    cli c = {.context = FLORIN_CONTEXT_INIT};

    if (argc < 2) {
        show_help(stderr);
        return FLORIN_EUSAGE;
    }
    const char *name = argv[1];
    bool help = !strcmp(name, "help");
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || (help && argc < 3)) {
        show_help(stdout);
        return FLORIN_OK;
    }
    if (!strcmp(name, "--version")) {
        printf("florin %s\n", florin_version());
        return FLORIN_OK;
    }
    if (name[0] == '-') {
        fprintf(stderr, "florin: options come after the command: florin COMMAND %.64s\n", name);
        return FLORIN_EUSAGE;
    }
    c.command = cli_find_command(help ? argv[2] : name);
    if (!c.command) return unknown_command(help ? argv[2] : name);
    c.context.user = &c;
    c.context.write = write_result;
    c.context.log = cli_log;
    c.context.progress = cli_progress;
    c.context.cancelled = is_cancelled;
    c.context.now_us = now_us;
    c.context.monotonic_us = monotonic_us;
    char *help_argv[] = {argv[help ? 2 : 1], (char[]){"--help"}, NULL};
    if (help) return c.command->run(&c, 2, help_argv);
    return c.command->run(&c, argc - 1, argv + 1);
}

/* OpenMP's threads (XGBoost's) spin while they wait. On a machine that is shared the spinning takes the cores from the
 * thread they wait for: fits take five times as long. The runtime reads its settings before main, so start again with
 * the right one. */
static void wait_quietly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    if (setenv("OMP_WAIT_POLICY", "passive", 1) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_quietly(argv);
    catch_signals();
    int code = run(argc, argv);
    cli_progress_end();
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "florin: standard output: can't write: %s\n", strerror(errno));
        if (!code) code = FLORIN_EIO;
    }
    return code;
}
