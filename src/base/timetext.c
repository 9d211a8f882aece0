/* Times and durations as text. All times are UTC; the calendar is the proleptic Gregorian one
 * (civil days by Hinnant 2013, "chrono-compatible low-level date algorithms"). */
#include "base/base.h"

#include <stdio.h>

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = yoe + era * 400 + (*m <= 2);
}

/* Exactly n digits at *s, or false. */
static bool digits(const char **s, int n, int *out)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if ((*s)[i] < '0' || (*s)[i] > '9') return false;
        v = v * 10 + ((*s)[i] - '0');
    }
    *s += n;
    *out = v;
    return true;
}

static bool eat(const char **s, char c)
{
    if (**s != c) return false;
    ++*s;
    return true;
}

static bool fraction(const char **s, int64_t *us)
{
    int64_t v = 0, unit = FL_SECOND_US;

    if (**s < '0' || **s > '9') return false;
    for (; **s >= '0' && **s <= '9'; ++*s) {
        if (unit == 1) continue; /* digits past the microsecond are cut */
        unit /= 10;
        v += (**s - '0') * unit;
    }
    *us = v;
    return true;
}

static int days_in_month(int y, int m)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

bool fl_time_parse(const char *s, int64_t *time_us)
{
    int y, mo, d, h = 0, mi = 0, sec = 0;
    int64_t us = 0;

    if (!digits(&s, 4, &y) || !eat(&s, '-') || !digits(&s, 2, &mo) || !eat(&s, '-') ||
        !digits(&s, 2, &d))
        return false;
    if (*s && *s != 'Z') {
        if (*s != ' ' && *s != 'T') return false;
        s++;
        if (!digits(&s, 2, &h) || !eat(&s, ':') || !digits(&s, 2, &mi)) return false;
        if (eat(&s, ':')) {
            if (!digits(&s, 2, &sec)) return false;
            if (eat(&s, '.') && !fraction(&s, &us)) return false;
        }
    }
    eat(&s, 'Z');
    if (*s || mo < 1 || mo > 12 || d < 1 || d > days_in_month(y, mo) || h > 23 || mi > 59 ||
        sec > 59)
        return false;
    int64_t seconds = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec;
    *time_us = seconds * FL_SECOND_US + us;
    return true;
}

void fl_time_format(int64_t time_us, char out[32])
{
    int64_t day = time_us / FL_DAY_US, rest = time_us % FL_DAY_US, y;
    int m, d;

    if (rest < 0) {
        rest += FL_DAY_US;
        day--;
    }
    civil_from_days(day, &y, &m, &d);
    int us = (int)(rest % FL_SECOND_US), sec = (int)(rest / FL_SECOND_US);
    int n = snprintf(out, 32, "%04lld-%02d-%02d %02d:%02d:%02d", (long long)y, m, d, sec / 3600,
                     sec / 60 % 60, sec % 60);
    if (us && n > 0 && n < 32) {
        n += snprintf(out + n, (size_t)(32 - n), ".%06d", us);
        while (n > 0 && n < 32 && out[n - 1] == '0') out[--n] = 0;
    }
}

bool fl_duration_parse(const char *s, int64_t *us)
{
    static const struct {
        char unit;
        int64_t us;
    } units[] = {{'s', FL_SECOND_US},
                 {'m', 60 * FL_SECOND_US},
                 {'h', FL_HOUR_US},
                 {'d', FL_DAY_US},
                 {'w', 7 * FL_DAY_US}};
    int64_t v = 0;

    if (*s < '0' || *s > '9') return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s - '0', &v))
            return false;
    for (size_t i = 0; i < FL_LEN(units); i++)
        if (s[0] == units[i].unit && !s[1]) return !__builtin_mul_overflow(v, units[i].us, us);
    return false;
}
