/* JSON read in one pass, in place, without a tree and without an allocation (RFC 8259, strict: UTF-8 alone, nothing after
 * the value, no comments, no NaN). The caller asks for what comes next; texts point into the buffer, their escapes undone
 * there. The first fault ends it: every later call fails, and scan_pointer tells where.
 *
 *   scan s; scan_begin(&s, body, n);             body has n + 1 bytes, body[n] is written
 *   if (scan_enter(&s, SCAN_OBJECT))
 *       while (scan_key(&s, &key, &key_n)) ... one value, read or skipped ...
 *   scan_end(&s); if (s.fault) ... */
#ifndef SERVER_SCAN_H
#define SERVER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCAN_DEPTH = 16, SCAN_POINTER = 512 };

typedef enum {
    SCAN_BAD = 0, /* no value begins here; the fault is set */
    SCAN_OBJECT,
    SCAN_ARRAY,
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_BOOL,
    SCAN_NULL
} scan_kind;

typedef struct {
    const char *key; /* in an object: the member we are at; NULL: none yet */
    uint32_t key_n, index;
    bool array, first;
} scan_step;

typedef struct {
    char *at, *end;
    const char *fault; /* what is wrong, a constant; NULL: nothing so far */
    bool content;      /* it is JSON, but not what is expected here */
    uint32_t depth;
    scan_step path[SCAN_DEPTH];
} scan;

typedef struct {
    double value;
    bool whole;      /* written as an integer that fits `integer` */
    int64_t integer; /* when whole */
    const char *text;
    uint32_t n; /* as written */
} scan_number_value;

void scan_begin(scan *s, char *body, size_t n);
void scan_end(scan *s); /* nothing but white space may follow */
scan_kind scan_peek(scan *s);
bool scan_enter(scan *s, scan_kind kind); /* false: something else is here, which is a fault */
bool scan_key(scan *s, const char **key, uint32_t *n); /* false: the object has ended, or a fault */
bool scan_item(scan *s);                               /* the same of an array */
bool scan_string(scan *s, const char **string, uint32_t *n);
bool scan_number(scan *s, scan_number_value *out);
bool scan_bool(scan *s, bool *out);
bool scan_null(scan *s);
bool scan_skip(scan *s); /* any value, checked as strictly */
/* The caller found something wrong with the value it has just read or is at. why is a constant. Returns false. */
bool scan_fail(scan *s, const char *why);
/* JSON pointer (RFC 6901) to where the scan stands, cut to fit; returns out. */
const char *scan_pointer(const scan *s, char *out, size_t room);

static inline bool scan_is(const char *key, uint32_t n, const char *name, size_t name_n)
{
    return n == name_n && !__builtin_memcmp(key, name, name_n);
}
#define SCAN_IS(key, n, constant) scan_is(key, n, constant, sizeof(constant) - 1)

#endif
