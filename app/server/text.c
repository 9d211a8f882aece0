/* Writing numbers and JSON strings without printf: an answer has dozens of them. */
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "utf8.h"

enum { FIRST_ROOM = 2048 };

bool text_grow(text *t, size_t more)
{
    if (t->failed) return false;
    size_t room = t->room ? t->room : FIRST_ROOM;
    while (room - t->n < more) {
        if (room > SIZE_MAX / 4) {
            t->failed = true;
            return false;
        }
        room *= 2;
    }
    char *at = realloc(t->at, room);
    if (!at) {
        t->failed = true;
        return false;
    }
    t->at = at;
    t->room = room;
    return true;
}

void text_free(text *t)
{
    free(t->at);
    memset(t, 0, sizeof *t);
}

void text_printf(text *t, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int n = vsnprintf(NULL, 0, format, list);
    if (n >= 0 && text_room(t, (size_t)n + 1)) {
        vsnprintf(t->at + t->n, (size_t)n + 1, format, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(list);
}

void text_unsigned(text *t, uint64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    text_bytes(t, digits + at, sizeof digits - at);
}

void text_signed(text *t, int64_t v)
{
    if (v < 0) text_char(t, '-');
    text_unsigned(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void text_decimal(text *t, double v, unsigned decimals)
{
    static const uint64_t power[] = {1,      10,      100,      1000,      10000,
                                     100000, 1000000, 10000000, 100000000, 1000000000};
    if (!isfinite(v) || fabs(v) > 9e9) {
        text_put(t, "null");
        return;
    }
    uint64_t scaled = (uint64_t)(fabs(v) * (double)power[decimals] + .5);
    uint64_t part = scaled % power[decimals];
    if (v < 0 && scaled) text_char(t, '-');
    text_unsigned(t, scaled / power[decimals]);
    if (!part) return;
    while (part % 10 == 0) {
        part /= 10;
        decimals--;
    }
    char digits[10];
    digits[0] = '.';
    for (unsigned i = decimals; i > 0; i--) {
        digits[i] = (char)('0' + part % 10);
        part /= 10;
    }
    text_bytes(t, digits, decimals + 1);
}

static void escape(text *t, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    switch (c) {
    case '"': text_put(t, "\\\""); break;
    case '\\': text_put(t, "\\\\"); break;
    case '\n': text_put(t, "\\n"); break;
    case '\t': text_put(t, "\\t"); break;
    case '\r': text_put(t, "\\r"); break;
    default: text_bytes(t, out, sizeof out);
    }
}

void text_json(text *t, const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes, *end = p + n, *from = p;
    text_char(t, '"');
    while (p < end) {
        if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') {
            p++;
            continue;
        }
        size_t length = *p < 0x80 ? 0 : utf8_length(p, end);
        if (length) {
            p += length;
            continue;
        }
        text_bytes(t, (const char *)from, (size_t)(p - from));
        if (*p < 0x80) escape(t, *p);
        else text_put(t, "\xEF\xBF\xBD");
        from = ++p;
    }
    text_bytes(t, (const char *)from, (size_t)(p - from));
    text_char(t, '"');
}

static void put_digits(char *to, int n, int64_t v)
{
    for (int i = n; i-- > 0; v /= 10) to[i] = (char)('0' + v % 10);
}

/* Days since 1970-01-01 to a date. Source: Hinnant, chrono-compatible low-level date algorithms. */
void text_time(text *t, int64_t time_us)
{
    int64_t days = time_us / 86400000000, rest = time_us % 86400000000;
    if (rest < 0) {
        rest += 86400000000;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int day = (int)(doy - (153 * mp + 2) / 5 + 1), month = (int)(mp < 10 ? mp + 3 : mp - 9);
    int64_t year = yoe + era * 400 + (month <= 2);
    char out[] = "0000-00-00T00:00:00.000000Z";
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, rest / 3600000000);
    put_digits(out + 14, 2, rest / 60000000 % 60);
    put_digits(out + 17, 2, rest / 1000000 % 60);
    put_digits(out + 20, 6, rest % 1000000);
    text_bytes(t, out, sizeof out - 1);
}
