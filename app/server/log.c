/* Clocks, and the log: JSON lines that name no card, customer or payment. */
#include "server.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    return clock_gettime(id, &t) ? 0 : (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void server_log(const server *s, florin_level level, const char *message, const char *format, ...)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    text line = {0};
    va_list list;
    char more[1024];
    if (level < s->log_level) return;
    text_put(&line, "{\"time\":\"");
    text_time(&line, clock_now_us());
    text_printf(&line, "\",\"level\":\"%s\",\"message\":", levels[level]);
    text_json_str(&line, message);
    va_start(list, format);
    vsnprintf(more, sizeof more, format, list);
    va_end(list);
    if (more[0]) {
        text_char(&line, ',');
        text_add(&line, more);
    }
    text_put(&line, "}\n");
    /* One write is one line, whoever else writes. A log that cannot be written is no reason to stop. */
    if (!line.failed && write(STDERR_FILENO, line.at, line.n) < 0) line.failed = true;
    text_free(&line);
}
