/* Error text and the NULL-safe helpers around the caller's context. Holds no state. */
#include "base/base.h"

#include <stdio.h>
#include <unistd.h>

enum { THREADS_MAX = 64, LINE_MAX_BYTES = 2048 };

florin_status fl_fail(florin_error *err, florin_status status, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        err->status = status;
        va_start(ap, fmt);
        vsnprintf(err->message, sizeof err->message, fmt, ap);
        va_end(ap);
    }
    return status;
}

florin_status fl_fail_prefix(florin_error *err, const char *fmt, ...)
{
    char old[sizeof err->message];
    va_list ap;

    if (!err) return FLORIN_EINTERNAL;
    memcpy(old, err->message, sizeof old);
    old[sizeof old - 1] = 0;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    size_t at = n < 0 ? 0 : (size_t)n;
    if (at + 3 < sizeof err->message) {
        memcpy(err->message + at, ": ", 2);
        at += 2;
        size_t room = sizeof err->message - at - 1, len = strlen(old);
        if (len > room) len = room;
        memcpy(err->message + at, old, len);
        err->message[at + len] = 0;
    }
    return err->status ? err->status : FLORIN_EINTERNAL;
}

void fl_say(const florin_context *ctx, florin_level level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;

    if (!ctx || !ctx->log) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    ctx->log(ctx->user, level, line);
}

void fl_write(const florin_context *ctx, const char *bytes, size_t n)
{
    if (ctx && ctx->write && n) ctx->write(ctx->user, bytes, n);
}

void fl_writef(const florin_context *ctx, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap, again;

    if (!ctx || !ctx->write) return;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    if (n > 0 && (size_t)n < sizeof line) {
        ctx->write(ctx->user, line, (size_t)n);
    } else if (n > 0) {
        char *longer = fl_alloc((size_t)n + 1, 1);
        if (longer) {
            vsnprintf(longer, (size_t)n + 1, fmt, again);
            ctx->write(ctx->user, longer, (size_t)n);
        } else {
            ctx->write(ctx->user, line, sizeof line - 1);
        }
        free(longer);
    }
    va_end(again);
    va_end(ap);
}

void fl_progress(const florin_context *ctx, const char *stage, uint64_t done, uint64_t total)
{
    if (ctx && ctx->progress) ctx->progress(ctx->user, stage, done, total, "");
}

void fl_progress_note(const florin_context *ctx, const char *stage, uint64_t done, uint64_t total,
                      const char *fmt, ...)
{
    char note[256];
    va_list ap;

    if (!ctx || !ctx->progress) return;
    va_start(ap, fmt);
    vsnprintf(note, sizeof note, fmt, ap);
    va_end(ap);
    ctx->progress(ctx->user, stage, done, total, note);
}

bool fl_cancelled(const florin_context *ctx)
{
    return ctx && ctx->cancelled && ctx->cancelled(ctx->user);
}

uint32_t fl_threads(const florin_context *ctx)
{
    if (ctx && ctx->threads) return ctx->threads > THREADS_MAX ? THREADS_MAX : ctx->threads;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1) return 1;
    return n > THREADS_MAX ? THREADS_MAX : (uint32_t)n;
}

uint64_t fl_memory(const florin_context *ctx)
{
    return ctx && ctx->memory_bytes ? ctx->memory_bytes : UINT64_C(2) << 30;
}

int64_t fl_now_us(const florin_context *ctx)
{
    return ctx && ctx->now_us ? ctx->now_us(ctx->user) : 0;
}

int64_t fl_monotonic_us(const florin_context *ctx)
{
    return ctx && ctx->monotonic_us ? ctx->monotonic_us(ctx->user) : 0;
}

enum { NEAREST_LEN = 63, NEAREST_MAX = 3 };

/* Levenshtein distance of two short words; one row of the table is kept. */
static unsigned edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned row[NEAREST_LEN + 1];

    for (size_t j = 0; j <= nb; j++) row[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[nb];
}

const char *fl_nearest(const char *s, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned least = NEAREST_MAX + 1;
    size_t len = strlen(s);

    if (len > NEAREST_LEN) return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t k = names[i] ? strlen(names[i]) : 0;
        if (!k || k > NEAREST_LEN) continue;
        unsigned d = edit_distance(s, len, names[i], k);
        /* A word that shares nothing with s is no suggestion. */
        if (d < least && d < (len > k ? len : k)) {
            least = d;
            best = names[i];
        }
    }
    return best;
}
