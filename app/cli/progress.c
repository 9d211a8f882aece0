/* Progress on stderr: one line that is redrawn on a terminal, a plain line every few seconds elsewhere.
 * Its state is the terminal's, of which a program has one, hence the static variable. */
#include "cli.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR = 24, BAR_NARROW = 6, NARROW = 110, COLUMNS_MAX = 160 };
#define DRAW_US  100000ll  /* a terminal is redrawn at most this often */
#define PLAIN_US 5000000ll /* without a terminal: one line each so many microseconds */

static struct {
    char stage[64];
    int64_t start_us, drawn_us;
    uint64_t start_done, drawn_done;
    double rate; /* per second, recent */
    int64_t rate_us;
    uint64_t rate_done;
    bool on_line; /* the cursor stands behind a bar */
} bar;

void cli_progress_end(void)
{
    /* A stage of which nothing was seen done leaves no trace. */
    if (bar.on_line) fputs(bar.drawn_done ? "\n" : "\r\033[K", stderr);
    bar.on_line = false;
}

void cli_log(void *user, florin_level level, const char *line)
{
    const cli *c = user;
    bool problem = level >= FLORIN_LOG_WARN;

    if (level == FLORIN_LOG_DEBUG || (c->quiet && !problem)) return;
    if (bar.on_line) fputs("\r\033[K", stderr);
    bar.on_line = false;
    fprintf(stderr, "%s%s\n",
            level == FLORIN_LOG_WARN ? "warning: "
            : problem                ? "error: "
                                     : "",
            line);
}

static void format_count(char *out, size_t n, double v)
{
    if (v >= 1e10) snprintf(out, n, "%.1fG", v / 1e9);
    else if (v >= 1e7) snprintf(out, n, "%.1fM", v / 1e6);
    else if (v >= 1e4) snprintf(out, n, "%.1fk", v / 1e3);
    else snprintf(out, n, v < 10 && v != (double)(int)v ? "%.1f" : "%.0f", v);
}

static void format_span(char *out, size_t n, double seconds)
{
    unsigned s = seconds < 0 ? 0 : seconds > 359999 ? 359999 : (unsigned)(seconds + .5);
    if (s >= 3600) snprintf(out, n, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else snprintf(out, n, "%u:%02u", s / 60, s % 60);
}

/* Rate over the last seconds rather than the whole stage, so that the ETA follows a change of pace. */
static void update_rate(int64_t now, uint64_t done)
{
    double span = (double)(now - bar.rate_us) * 1e-6;
    if (span < .5 || done < bar.rate_done) return;
    double recent = (double)(done - bar.rate_done) / span;
    double keep = bar.rate > 0 ? (span > 5 ? 0 : 1 - span / 5) : 0;
    bar.rate = keep * bar.rate + (1 - keep) * recent;
    bar.rate_us = now;
    bar.rate_done = done;
}

/* Width of the terminal: a line that wraps could not be redrawn. */
static int columns(void)
{
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20) return 80;
    return w.ws_col < COLUMNS_MAX ? w.ws_col : COLUMNS_MAX;
}

static void draw(bool terminal, int64_t now, uint64_t done, uint64_t total, const char *note)
{
    char have[32], all[32], rate[32], span[32], line[512], cells[BAR + 1];
    double elapsed = (double)(now - bar.start_us) * 1e-6;
    bool complete = total && done >= total;
    double mean =
        elapsed > 0 && done >= bar.start_done ? (double)(done - bar.start_done) / elapsed : 0;
    double pace = complete || bar.rate <= 0 ? mean : bar.rate;
    int at = 0, room = (int)sizeof line, width = terminal ? columns() : COLUMNS_MAX;

    format_count(have, sizeof have, (double)done);
    format_count(all, sizeof all, (double)total);
    format_count(rate, sizeof rate, pace);
    at += snprintf(line + at, (size_t)(room - at), "%-18.40s", bar.stage);
    if (total) {
        double part = complete ? 1 : (double)done / (double)total;
        int n = width < NARROW ? BAR_NARROW : BAR, full = (int)(part * n);
        for (int i = 0; i < n; i++) cells[i] = i < full ? '=' : i == full ? '>' : ' ';
        cells[n] = 0;
        if (terminal) at += snprintf(line + at, (size_t)(room - at), " [%s]", cells);
        at +=
            snprintf(line + at, (size_t)(room - at), " %3d%% %s/%s", (int)(part * 100), have, all);
    } else {
        at += snprintf(line + at, (size_t)(room - at), " %s", have);
    }
    bool noted = note && note[0];
    /* In 80 columns the note, which has its own rate, goes first. */
    if (!noted || width >= NARROW) at += snprintf(line + at, (size_t)(room - at), " %s/s", rate);
    if (complete || !total) {
        format_span(span, sizeof span, elapsed);
        at += snprintf(line + at, (size_t)(room - at), " in %s", span);
    } else if (pace > 0) {
        format_span(span, sizeof span, (double)(total - done) / pace);
        at += snprintf(line + at, (size_t)(room - at), " ETA %s", span);
    }
    if (noted) snprintf(line + at, (size_t)(room - at), "  %.200s", note);
    if (terminal) fprintf(stderr, "\r\033[K%.*s", width - 1, line);
    else fprintf(stderr, "%s\n", line);
    bar.on_line = terminal;
    bar.drawn_us = now;
    bar.drawn_done = done;
    if (complete) cli_progress_end();
}

void cli_progress(void *user, const char *stage, uint64_t done, uint64_t total, const char *note)
{
    const cli *c = user;
    bool complete = total && done >= total;

    if (c->quiet) return;
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t now = c->context.monotonic_us(user);
    if (strncmp(bar.stage, stage, sizeof bar.stage - 1) || done < bar.rate_done) {
        cli_progress_end();
        memset(&bar, 0, sizeof bar);
        snprintf(bar.stage, sizeof bar.stage, "%s", stage);
        bar.start_us = bar.rate_us = now;
        bar.start_done = bar.rate_done = done;
        bar.drawn_us = terminal ? 0 : now;
    }
    update_rate(now, done);
    /* Off a terminal a stage that was over before the first line was due says nothing. */
    bool due = now - bar.drawn_us >= (terminal ? DRAW_US : PLAIN_US);
    if (due || (complete && (terminal || now - bar.start_us >= PLAIN_US)))
        draw(terminal, now, done, total, note);
    if (complete) bar.stage[0] = 0;
}
