/* One look at UTF-8. */
#ifndef SERVER_UTF8_H
#define SERVER_UTF8_H

#include <stddef.h>

/* Bytes of the character at p (1 to 4), which lies in [p, end), p < end; 0: no well-formed UTF-8 (RFC 3629). */
static inline size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    size_t have = (size_t)(end - p);
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xC2 || have < 2 || (p[1] & 0xC0) != 0x80) return 0;
    if (p[0] < 0xE0) return 2;
    if (have < 3 || (p[2] & 0xC0) != 0x80) return 0;
    if (p[0] < 0xF0) {
        if (p[0] == 0xE0 && p[1] < 0xA0) return 0;
        if (p[0] == 0xED && p[1] > 0x9F) return 0; /* surrogates */
        return 3;
    }
    if (p[0] > 0xF4 || have < 4 || (p[3] & 0xC0) != 0x80) return 0;
    if (p[0] == 0xF0 && p[1] < 0x90) return 0;
    if (p[0] == 0xF4 && p[1] > 0x8F) return 0;
    return 4;
}

#endif
