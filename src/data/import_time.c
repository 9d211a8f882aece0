/* Moments of a table's texts (import_time.h). */
#include "data/import_time.h"
#include "data/import_parts.h"
#include <pthread.h>

struct fl_moments {
    fl_duck *db;
    char *sql;
    fl_duck_ask *ask; /* opened when it is needed first */
    pthread_mutex_t lock;
};

static bool digits(const char *s, int n, int *out)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        unsigned d = (unsigned)(s[i] - '0');
        if (d > 9) return false;
        v = v * 10 + (int)d;
    }
    *out = v;
    return true;
}

/* Days from 1970-01-01 (proleptic Gregorian), after Hinnant's days_from_civil. */
static int64_t days_of(int y, int m, int d)
{
    y -= m <= 2;
    int era = y / 400, of_era = y - era * 400;
    int day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * INT64_C(146097) + of_era * 365 + of_era / 4 - of_era / 100 + day - 719468;
}

/* The size tells seconds from milli- and microseconds, as in the SQL (add_epoch), and in the same arithmetic. */
static bool epoch(const char *s, size_t n, int64_t *time_us)
{
    int64_t v = 0;
    if (n > 16) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(s[i] - '0');
        if (d > 9) return false;
        v = v * 10 + (int64_t)d;
    }
    double x = (double)v;
    *time_us = (int64_t)(x * (x < 1e11 ? 1e6 : x < 1e14 ? 1e3 : 1));
    return true;
}

bool fl_moment_plain(const char *s, size_t n, int64_t *time_us)
{
    static const uint8_t last[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour = 0, minute = 0, second = 0, part = 0;
    if (n < 10 || s[4] != '-') return n && epoch(s, n, time_us);
    if (s[7] != '-' || !digits(s, 4, &year) || !digits(s + 5, 2, &month) ||
        !digits(s + 8, 2, &day) || year < 1000 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > last[month] + leap) return false;
    if (n > 10) {
        if (n < 19 || (s[10] != ' ' && s[10] != 'T') || s[13] != ':' || s[16] != ':' ||
            !digits(s + 11, 2, &hour) || !digits(s + 14, 2, &minute) ||
            !digits(s + 17, 2, &second) || hour > 23 || minute > 59 || second > 59)
            return false;
        const char *p = s + 19, *end = s + n;
        if (p < end && end[-1] == 'Z') end--;
        if (p < end) {
            int places = (int)(end - p) - 1;
            if (*p != '.' || places < 1 || places > 6 || !digits(p + 1, places, &part))
                return false;
            for (; places < 6; places++) part *= 10;
        }
    }
    *time_us = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 * FL_SECOND_US +
               second * FL_SECOND_US + part;
    return true;
}

florin_status fl_moments_open(fl_moments **out, fl_duck *db, const fl_schema *schema,
                              florin_error *err)
{
    fl_buf sql = {0};
    fl_moments *m = fl_calloc(1, sizeof *m);
    *out = NULL;
    fl_import_ask_select(&sql, schema);
    if (!m || sql.failed || pthread_mutex_init(&m->lock, NULL)) {
        fl_buf_free(&sql);
        free(m);
        return fl_fail(err, FLORIN_ENOMEM, "import");
    }
    m->db = db;
    m->sql = sql.data;
    *out = m;
    return FLORIN_OK;
}

void fl_moments_close(fl_moments *m)
{
    if (!m) return;
    fl_duck_ask_close(m->ask);
    pthread_mutex_destroy(&m->lock);
    free(m->sql);
    free(m);
}

static florin_status ask(fl_moments *m, const fl_duck_cell *const *text, const uint32_t *row,
                         uint32_t n, int64_t *out, bool *valid, florin_error *err)
{
    int64_t *time = fl_alloc(n, sizeof *time);
    bool *good = fl_alloc(n, sizeof *good);
    florin_status st = time && good ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%u times", n);
    pthread_mutex_lock(&m->lock);
    if (!st && !m->ask) st = fl_duck_ask_open(&m->ask, m->db, m->sql, err);
    if (!st) st = fl_duck_ask_times(m->ask, text, n, time, good, err);
    pthread_mutex_unlock(&m->lock);
    for (uint32_t i = 0; i < n && !st; i++) {
        out[row[i]] = time[i];
        valid[row[i]] = good[i];
    }
    free(time);
    free(good);
    return st;
}

florin_status fl_moments_read(fl_moments *m, const fl_duck_vector *text, uint32_t n, int64_t *out,
                              bool *valid, florin_error *err)
{
    const fl_duck_cell *cell = text->data, **other = NULL;
    uint32_t others = 0, *row = NULL;
    florin_status st = FLORIN_OK;
    for (uint32_t r = 0; r < n && !st; r++) {
        valid[r] = false;
        if (!fl_duck_valid(text, r) || !cell[r].near.length) continue;
        valid[r] = fl_moment_plain(fl_duck_cell_text(&cell[r]), cell[r].near.length, &out[r]);
        if (valid[r]) continue;
        if (!other) {
            other = fl_alloc(n, sizeof *other);
            row = fl_alloc(n, sizeof *row);
            if (!other || !row) st = fl_fail(err, FLORIN_ENOMEM, "%u times", n);
        }
        if (!st) {
            row[others] = r;
            other[others++] = &cell[r];
        }
    }
    if (!st && others) st = ask(m, other, row, others, out, valid, err);
    free(other);
    free(row);
    return st;
}
