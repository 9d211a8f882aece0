/* Single cells: decimals, yes/no words, card numbers. Nothing here rounds through binary floating point unless the
 * text itself has an exponent. */
#include "data/import_cells.h"
#include "data/import.h"
#include <ctype.h>
#include <math.h>

/* The plainest form, "1234.56" with at most `exponent` places: no sign, blank or exponent. False: of another form. */
static bool plain_decimal(const char *s, size_t n, int exponent, int64_t *out)
{
    static const int64_t power[] = {1, 10, 100, 1000, 10000};
    int64_t v = 0;
    size_t point = n;
    if (n > 14 || !n || exponent > 4) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(s[i] - '0');
        if (d <= 9) v = v * 10 + (int64_t)d;
        else if (s[i] == '.' && point == n) point = i;
        else return false;
    }
    size_t places = point == n ? 0 : n - point - 1;
    if (n == 1 && point == 0) return false;
    if (places > (size_t)exponent) return false;
    *out = v * power[(size_t)exponent - places];
    return true;
}

bool fl_decimal_parse(const char *s, size_t n, int exponent, int64_t *out)
{
    if (plain_decimal(s, n, exponent, out)) return true;
    while (n && isspace((unsigned char)*s)) s++, n--;
    while (n && isspace((unsigned char)s[n - 1])) n--;
    if (!n || n > 60) return false;
    bool minus = *s == '-';
    if (n > 2 && *s == '(' && s[n - 1] == ')') minus = true, s++, n -= 2; /* a bookkeeper's minus */
    size_t i = *s == '-' || *s == '+';
    int64_t v = 0;
    int places = -1;
    bool digits = false, round_up = false;
    for (; i < n; i++) {
        if (s[i] == '.' && places < 0) {
            places = 0;
            continue;
        }
        if (s[i] == 'e' || s[i] == 'E') {
            double d;
            if (!digits || !fl_number_parse(s, n, &d) || fabs(d) > 9e15) return false;
            *out = llround(d * pow(10, exponent));
            return true;
        }
        if (s[i] < '0' || s[i] > '9') return false;
        digits = true;
        if (places >= exponent && places >= 0) {
            if (places++ == exponent) round_up = s[i] >= '5';
            continue;
        }
        if (v > (INT64_MAX / 4 - 9) / 10) return false;
        v = v * 10 + (s[i] - '0');
        if (places >= 0) places++;
    }
    if (!digits) return false;
    for (int p = places < 0 ? 0 : places; p < exponent; p++) {
        if (v > INT64_MAX / 40) return false;
        v *= 10;
    }
    v += round_up;
    *out = minus ? -v : v;
    return true;
}

/* "-1234.56" with at most 15 digits: the digits and the power of ten are exact, so one division rounds as strtod does
 * (Clinger 1990). False: of another form. */
static bool plain_number(const char *s, size_t n, double *out)
{
    static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    int64_t v = 0;
    size_t i = n && *s == '-', point = n, digits = 0;
    for (; i < n && digits <= 15; i++) {
        unsigned d = (unsigned)(s[i] - '0');
        if (d <= 9) v = v * 10 + (int64_t)d, digits++;
        else if (s[i] == '.' && point == n) point = i;
        else return false;
    }
    if (!digits || digits > 15) return false;
    *out = (double)v / power[point == n ? 0 : n - point - 1];
    if (*s == '-') *out = -*out;
    return true;
}

bool fl_number_parse(const char *s, size_t n, double *out)
{
    if (plain_number(s, n, out)) return true;
    char buf[64];
    while (n && isspace((unsigned char)*s)) s++, n--;
    while (n && isspace((unsigned char)s[n - 1])) n--;
    if (!n || n >= sizeof buf) return false;
    memcpy(buf, s, n);
    buf[n] = 0;
    char *end;
    *out = strtod(buf, &end);
    return end == buf + n && isfinite(*out) && strpbrk(buf, "xXnNpP") == NULL;
}

bool fl_yes_no(const char *s, size_t n, bool *out)
{
    static const char *const yes[] = {"yes", "true", "y", "t", "1", "ja", "oui", "si"},
                             *const no[] = {"no", "false", "n", "f", "0", "nein", "non", "no"};
    if (n == 1 && (*s == '0' || *s == '1')) return *out = *s == '1', true;
    while (n && isspace((unsigned char)*s)) s++, n--;
    while (n && isspace((unsigned char)s[n - 1])) n--;
    for (size_t i = 0; i < FL_LEN(yes); i++) {
        if (strlen(yes[i]) == n && !strncasecmp(s, yes[i], n)) return *out = true, true;
        if (strlen(no[i]) == n && !strncasecmp(s, no[i], n)) return *out = false, true;
    }
    double d;
    if (!fl_number_parse(s, n, &d) || (d != 0 && d != 1)) return false;
    *out = d > 0;
    return true;
}

bool fl_is_card_number(const char *s, size_t n)
{
    uint32_t digits = 0, sum = 0;
    for (size_t i = n; i-- > 0;) {
        if (s[i] == ' ' || s[i] == '-') continue;
        if (s[i] < '0' || s[i] > '9') return false;
        uint32_t d = (uint32_t)(s[i] - '0');
        if (digits++ % 2) d = d > 4 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    return digits >= 13 && digits <= 19 && sum % 10 == 0 && n && s[0] != '-' && s[0] != '0';
}
