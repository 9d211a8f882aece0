/* Single cells: decimals, yes/no words, card numbers. Nothing here rounds through binary floating point unless the
 * text itself has an exponent. */
#include "data/import_cells.h"
#include "data/import.h"
#include <ctype.h>
#include <math.h>

bool fl_decimal_parse(const char *s, size_t n, int exponent, int64_t *out)
{
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

bool fl_number_parse(const char *s, size_t n, double *out)
{
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
