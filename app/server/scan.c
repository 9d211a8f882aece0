/* The scanner. The buffer ends in a zero byte, which no token contains, so that loops need no look at its end. */
#include "scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "utf8.h"

static bool fault(scan *s, const char *why)
{
    if (!s->fault) s->fault = why;
    return false;
}

bool scan_fail(scan *s, const char *why)
{
    if (!s->fault) s->content = true;
    return fault(s, why);
}

/* Another value than the one that is expected, or none. */
static bool other(scan *s, const char *why)
{
    return scan_peek(s) == SCAN_BAD ? false : scan_fail(s, why);
}

void scan_begin(scan *s, char *body, size_t n)
{
    body[n] = 0;
    s->at = body;
    s->end = body + n;
    s->fault = NULL;
    s->content = false;
    s->depth = 0;
}

static inline void space(scan *s)
{
    while (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r') s->at++;
}

scan_kind scan_peek(scan *s)
{
    if (s->fault) return SCAN_BAD;
    space(s);
    switch (*s->at) {
    case '{': return SCAN_OBJECT;
    case '[': return SCAN_ARRAY;
    case '"': return SCAN_STRING;
    case 't':
    case 'f': return SCAN_BOOL;
    case 'n': return SCAN_NULL;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return SCAN_NUMBER;
    default:
        fault(s, s->at == s->end ? "the body ends where a value should begin"
                                 : "no JSON value begins here");
        return SCAN_BAD;
    }
}

void scan_end(scan *s)
{
    if (s->fault) return;
    space(s);
    if (s->at != s->end) fault(s, "something follows the JSON value");
}

bool scan_enter(scan *s, scan_kind kind)
{
    if (scan_peek(s) != kind)
        return other(s, kind == SCAN_OBJECT ? "an object is expected" : "an array is expected");
    if (s->depth == SCAN_DEPTH) return fault(s, "nested too deeply: at most 16 levels");
    scan_step *p = &s->path[s->depth++];
    p->key = NULL;
    p->key_n = p->index = 0;
    p->array = kind == SCAN_ARRAY;
    p->first = true;
    s->at++;
    return true;
}

/* Past the comma before the next member, or past the bracket that closes: false. */
static bool next(scan *s, char close)
{
    scan_step *p = &s->path[s->depth - 1];
    space(s);
    if (*s->at == close) {
        s->at++;
        s->depth--;
        return false;
    }
    if (!p->first) {
        if (*s->at != ',')
            return fault(s, s->at == s->end ? "the body ends inside an object or array"
                                            : "a comma or the closing bracket is expected");
        s->at++;
        space(s);
    }
    p->first = false;
    return true;
}

bool scan_key(scan *s, const char **key, uint32_t *n)
{
    if (s->fault || !next(s, '}')) return false;
    scan_step *p = &s->path[s->depth - 1];
    if (*s->at != '"') return fault(s, "a name in quotes is expected");
    if (!scan_string(s, key, n)) return false;
    p->key = *key;
    p->key_n = *n;
    space(s);
    if (*s->at != ':') return fault(s, "a colon is expected");
    s->at++;
    return true;
}

bool scan_item(scan *s)
{
    if (s->fault) return false;
    scan_step *p = &s->path[s->depth - 1];
    bool first = p->first;
    if (!next(s, ']')) return false;
    if (!first) p->index++;
    return true;
}

static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i], d = c >= '0' && c <= '9'                 ? c - '0'
                          : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                               : -1;
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

static char *put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* "\uXXXX" at s->at, also a pair of surrogates. NULL: no such character. Never longer undone than written. */
static char *unicode(scan *s, char *to)
{
    int c = hex4(s->at + 2);
    if (c < 0) return NULL;
    s->at += 6;
    if (c >= 0xDC00 && c <= 0xDFFF) return NULL;
    if (c >= 0xD800 && c <= 0xDBFF) {
        int low = s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF) return NULL;
        s->at += 6;
        c = 0x10000 + ((c - 0xD800) * 1024) + (low - 0xDC00);
    }
    return put_utf8(to, (unsigned)c);
}

static char *unescape(scan *s, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (s->at[1] == 'u') return unicode(s, to);
    const char *found = s->at[1] ? strchr(from, s->at[1]) : NULL;
    if (!found) return NULL;
    *to = into[found - from];
    s->at += 2;
    return to + 1;
}

/* Bytes that end a plain run: quote, backslash, control bytes, everything beyond ASCII. */
static inline bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* From a byte that is not plain on: undone in place. Where the text ends, NULL: a fault. */
static char *string_rest(scan *s)
{
    char *to = s->at;
    for (;;) {
        unsigned char c = (unsigned char)*s->at;
        if (plain(c)) {
            *to++ = *s->at++;
        } else if (c == '"') {
            s->at++;
            return to;
        } else if (c == '\\') {
            to = unescape(s, to);
            if (!to) {
                fault(s, "an escape that JSON does not have, or half of a surrogate pair");
                return NULL;
            }
        } else if (c < 0x20) {
            fault(s, s->at == s->end ? "the body ends inside a string"
                                     : "a control byte in a string: escape it");
            return NULL;
        } else {
            size_t n = c < 0x80 ? 1 : utf8_length((unsigned char *)s->at, (unsigned char *)s->end);
            if (!n) {
                fault(s, "a string that is no UTF-8");
                return NULL;
            }
            memmove(to, s->at, n);
            to += n;
            s->at += n;
        }
    }
}

bool scan_string(scan *s, const char **string, uint32_t *n)
{
    if (s->fault) return false;
    space(s);
    if (*s->at != '"') return other(s, "a string is expected");
    char *from = ++s->at, *to;
    while (plain((unsigned char)*s->at)) s->at++;
    if (*s->at == '"') to = s->at++;
    else to = string_rest(s);
    if (!to) return false;
    *string = from;
    *n = (uint32_t)(to - from);
    return true;
}

static inline bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Checks the grammar; the digits of the mantissa as far as 19 of them go, and the power of ten they stand at. */
static bool number_shape(scan *s, uint64_t *mantissa, int *digits, int *scale, bool *whole)
{
    char *p = s->at;
    *mantissa = 0;
    *digits = *scale = 0;
    *whole = true;
    if (*p == '-') p++;
    if (!digit(*p) || (*p == '0' && digit(p[1])))
        return fault(s, "a number as JSON writes it is expected");
    for (; digit(*p); p++, ++*digits)
        if (*digits < 19) *mantissa = *mantissa * 10 + (uint64_t)(*p - '0');
    if (*p == '.') {
        *whole = false;
        if (!digit(*++p)) return fault(s, "digits are expected after the point");
        for (; digit(*p); p++, ++*digits, --*scale)
            if (*digits < 19) *mantissa = *mantissa * 10 + (uint64_t)(*p - '0');
    }
    if ((*p | 32) == 'e') {
        bool minus = *++p == '-';
        int e = 0;
        *whole = false;
        if (*p == '-' || *p == '+') p++;
        if (!digit(*p)) return fault(s, "digits are expected in the exponent");
        for (; digit(*p); p++) e = e < 100000 ? e * 10 + (*p - '0') : e;
        *scale += minus ? -e : e;
    }
    s->at = p;
    return true;
}

bool scan_number(scan *s, scan_number_value *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t mantissa;
    int digits, scale;
    if (s->fault) return false;
    if (scan_peek(s) != SCAN_NUMBER) return other(s, "a number is expected");
    char *from = s->at;
    if (!number_shape(s, &mantissa, &digits, &scale, &out->whole)) return false;
    bool minus = *from == '-';
    out->text = from;
    out->n = (uint32_t)(s->at - from);
    if (out->whole && digits > 18) out->whole = false;
    out->integer = !out->whole ? 0 : minus ? -(int64_t)mantissa : (int64_t)mantissa;
    /* Both exact in a double, so that one rounding gives the nearest. */
    if (digits <= 15 && scale >= -22 && scale <= 22) {
        double v = (double)mantissa;
        v = scale < 0 ? v / power[-scale] : v * power[scale];
        out->value = minus ? -v : v;
        return true;
    }
    out->value = strtod(from, NULL); /* what follows the number ends it */
    return isfinite(out->value) ? true : fault(s, "a number beyond what a double holds");
}

static bool word(scan *s, const char *w, size_t n)
{
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, w, n))
        return fault(s, "no JSON value begins here");
    s->at += n;
    return true;
}

bool scan_bool(scan *s, bool *out)
{
    if (scan_peek(s) != SCAN_BOOL) return other(s, "true or false is expected");
    *out = *s->at == 't';
    return *out ? word(s, "true", 4) : word(s, "false", 5);
}

bool scan_null(scan *s)
{
    if (scan_peek(s) != SCAN_NULL) return other(s, "null is expected");
    return word(s, "null", 4);
}

bool scan_skip(scan *s)
{
    uint32_t base = s->depth, n;
    const char *string;
    scan_number_value number;
    bool truth;
    do {
        if (s->depth > base) {
            bool more = s->path[s->depth - 1].array ? scan_item(s) : scan_key(s, &string, &n);
            if (s->fault) return false;
            if (!more) continue;
        }
        scan_kind kind = scan_peek(s);
        switch (kind) {
        case SCAN_OBJECT:
        case SCAN_ARRAY: scan_enter(s, kind); break;
        case SCAN_STRING: scan_string(s, &string, &n); break;
        case SCAN_NUMBER: scan_number(s, &number); break;
        case SCAN_BOOL: scan_bool(s, &truth); break;
        case SCAN_NULL: scan_null(s); break;
        case SCAN_BAD: break;
        }
        if (s->fault) return false;
    } while (s->depth > base);
    return true;
}

const char *scan_pointer(const scan *s, char *out, size_t room)
{
    size_t n = 0;
    for (uint32_t d = 0; d < s->depth; d++) {
        const scan_step *p = &s->path[d];
        char number[12];
        const char *from = p->key;
        uint32_t length = p->key_n;
        if (p->array) {
            uint32_t v = p->index;
            from = number + sizeof number;
            length = 0;
            do {
                *(char *)--from = (char)('0' + v % 10);
                length++;
            } while (v /= 10);
        }
        if (!from || n + 3 > room) break; /* in an object before its first name */
        out[n++] = '/';
        for (uint32_t i = 0; i < length && n + 3 < room; i++) {
            bool escaped = from[i] == '~' || from[i] == '/';
            if (escaped) out[n++] = '~';
            out[n++] = !escaped ? from[i] : from[i] == '~' ? '0' : '1';
        }
    }
    out[n] = 0;
    return out;
}
