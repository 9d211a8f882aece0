/* Text that grows as it is written: answers, metrics, log lines. A buffer that is kept and cleared allocates no more
 * once it has met its largest text. When memory runs out, nothing more is written and `failed` says so. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *at; /* [n], room for `room`; not ended by a zero byte */
    size_t n, room;
    bool failed;
} text;

bool text_grow(text *t, size_t more); /* room for `more` bytes; false: no memory */
void text_free(text *t);
static inline bool text_room(text *t, size_t more)
{
    return t->room - t->n >= more || text_grow(t, more);
}
static inline void text_bytes(text *t, const char *bytes, size_t n)
{
    if (!text_room(t, n)) return;
    memcpy(t->at + t->n, bytes, n);
    t->n += n;
}
static inline void text_char(text *t, char c)
{
    if (text_room(t, 1)) t->at[t->n++] = c;
}
/* A constant, whose length the compiler knows. */
#define text_put(t, constant) text_bytes(t, constant, sizeof(constant) - 1)
static inline void text_add(text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}
void text_printf(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_unsigned(text *t, uint64_t v);
void text_signed(text *t, int64_t v);
/* v with so many decimals (0 to 9), trailing zeros left out; null when it is not finite or beyond 9e9. */
void text_decimal(text *t, double v, unsigned decimals);
/* A JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD. */
void text_json(text *t, const char *bytes, size_t n);
static inline void text_json_str(text *t, const char *s)
{
    text_json(t, s, strlen(s));
}
/* "2025-06-01T12:00:00.123456Z" */
void text_time(text *t, int64_t time_us);

#endif
