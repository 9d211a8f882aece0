/* Measures the columns of a table on its first rows: types, distinct values, what their text reads as. No guess is made
 * here, and no value that may be a card number is kept. */
#include "data/draft.h"
#include "data/import_parts.h"
#include <math.h>

enum { SAMPLE = 200000 };

static const char measures[] =
    "count(x), count(DISTINCT x), count(TRY_CAST(x AS DOUBLE)), "
    "count(TRY_CAST(regexp_replace(x, '[$\xe2\x82\xac\xc2\xa3 ,()]', '', 'g') AS DOUBLE)), "
    "count(*) FILTER (TRY_CAST(x AS DOUBLE) = floor(TRY_CAST(x AS DOUBLE))), "
    "count(*) FILTER (lower(x) IN "
    "('yes','no','true','false','y','n','t','f','0','1','ja','nein','oui','non','si')), "
    "count(*) FILTER (regexp_full_match(replace(replace(x, ' ', ''), '-', ''), '[0-9]{13,19}')), "
    "count(*) FILTER (regexp_full_match(x, "
    "'(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])')), "
    "count(*) FILTER (regexp_full_match(x, '[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?')), "
    "coalesce(min(TRY_CAST(x AS DOUBLE)), 0), coalesce(max(TRY_CAST(x AS DOUBLE)), 0), "
    "coalesce(avg(length(x)), 0), coalesce(min(x), ''), "
    "coalesce(max(CASE WHEN x LIKE '%$%' THEN 3 WHEN x LIKE '%\xe2\x82\xac%' THEN 2 WHEN x LIKE "
    "'%\xc2\xa3%' "
    "THEN 1 ELSE 0 END), 0)::BIGINT, "
    "count(*) FILTER (regexp_matches(x, ',[0-9]{1,2}[^0-9]*$')), "
    "count(*) FILTER (regexp_matches(x, '\\.[0-9]{1,2}[^0-9]*$')), "
    "count(TRY_CAST(replace(replace(regexp_replace(x, '[$\xe2\x82\xac\xc2\xa3 ()]', '', 'g'), '.', "
    "''), "
    "',', '.') AS DOUBLE)), "
    "count(*) FILTER (x LIKE '%.0'), count(";

static uint64_t count_at(const fl_duck_result *r, uint32_t c)
{
    return (uint64_t)((const int64_t *)fl_duck_data(r, c))[0];
}

static double number_at(const fl_duck_result *r, uint32_t c)
{
    double v = ((const double *)fl_duck_data(r, c))[0];
    return isfinite(v) ? v : 0;
}

static void take(fl_draft_column *c, const fl_duck_result *r)
{
    static const char symbols[] = {0, 'L', 'E', '$'};
    size_t n;
    const char *first = fl_duck_text(r, 12, 0, &n);
    c->values = count_at(r, 0);
    c->distinct = count_at(r, 1);
    c->numbers = count_at(r, 2);
    c->money = count_at(r, 3);
    c->whole = count_at(r, 4);
    c->two_valued = count_at(r, 5);
    c->cards = count_at(r, 6);
    c->days = count_at(r, 7);
    c->clock = count_at(r, 8);
    c->low = number_at(r, 9);
    c->high = number_at(r, 10);
    c->length = number_at(r, 11);
    c->symbol = symbols[count_at(r, 13) & 3];
    c->comma_ends = count_at(r, 14);
    c->point_ends = count_at(r, 15);
    c->continental = count_at(r, 16);
    c->point_zero = count_at(r, 17);
    c->iso = count_at(r, 18);
    c->comma = c->comma_ends && !c->point_ends && c->continental == c->values;
    c->whole_text = c->values && c->point_zero == c->values;
    if (!c->cards && first && n < sizeof c->first) memcpy(c->first, first, n);
}

static florin_status one_row(fl_duck *db, const char *sql, fl_duck_result **r, florin_error *err)
{
    uint64_t rows = 0;
    florin_status st = fl_duck_query(r, db, sql, false, err);
    if (!st) st = fl_duck_next(*r, &rows, err);
    if (!st && rows != 1) st = fl_fail(err, FLORIN_EINTERNAL, "draft: a measure gave no row");
    return st;
}

static florin_status measure(fl_draft_column *c, fl_duck *db, florin_error *err)
{
    fl_buf q = {0};
    fl_duck_result *r = NULL;
    char *raw = fl_asprintf("raw:%s", c->name);
    fl_buf_printf(&q, "SELECT %s", measures);
    fl_import_moment(&q, "x");
    fl_buf_puts(&q, ") FROM (SELECT nullif(trim(CAST(");
    fl_buf_quoted(&q, '"', "", raw ? raw : "");
    fl_buf_puts(&q, " AS VARCHAR)), '') AS x FROM sample)");
    florin_status st =
        q.failed || !raw ? fl_fail(err, FLORIN_ENOMEM, "draft") : one_row(db, q.data, &r, err);
    if (!st) take(c, r);
    fl_duck_result_free(r);
    fl_buf_free(&q);
    free(raw);
    return st;
}

/* The check digit of the candidates: most of them must be right, one in ten would be by chance. */
static florin_status check_cards(fl_draft_column *c, fl_duck *db, florin_error *err)
{
    fl_buf q = {0};
    fl_duck_result *r = NULL;
    uint64_t rows = 0, good = 0, seen = 0;
    char *raw = fl_asprintf("raw:%s", c->name);
    fl_buf_puts(&q, "SELECT x FROM (SELECT DISTINCT trim(CAST(");
    fl_buf_quoted(&q, '"', "", raw ? raw : "");
    fl_buf_puts(&q,
                " AS VARCHAR)) AS x FROM sample) WHERE regexp_full_match(replace(replace(x, ' ', "
                "''), '-', ''), '[0-9]{13,19}') LIMIT 2000");
    florin_status st = q.failed || !raw ? fl_fail(err, FLORIN_ENOMEM, "draft")
                                        : fl_duck_query(&r, db, q.data, false, err);
    while (!st && !(st = fl_duck_next(r, &rows, err)) && rows)
        for (uint64_t i = 0; i < rows; i++) {
            size_t n;
            const char *s = fl_duck_text(r, 0, i, &n);
            seen++;
            good += fl_is_card_number(s, n);
        }
    c->cards = good && good * 10 >= seen * 6 ? c->cards : 0;
    fl_duck_result_free(r);
    fl_buf_free(&q);
    free(raw);
    return st;
}

/* The first format that reads every value. Day before month is tried first only where the values decide it. */
static florin_status find_format(fl_draft_column *c, fl_duck *db, florin_error *err)
{
    static const char *const formats[] = {"%Y/%m/%d %H:%M:%S",
                                          "%Y/%m/%d %H:%M",
                                          "%Y/%m/%d",
                                          "%Y%m%dT%H%M%SZ",
                                          "%Y%m%dT%H%M%S",
                                          "%m/%d/%Y %H:%M:%S",
                                          "%m/%d/%Y %H:%M",
                                          "%m/%d/%Y",
                                          "%d/%m/%Y %H:%M:%S",
                                          "%d/%m/%Y %H:%M",
                                          "%d/%m/%Y",
                                          "%d.%m.%Y %H:%M:%S",
                                          "%d.%m.%Y %H:%M",
                                          "%d.%m.%Y",
                                          "%d-%m-%Y %H:%M:%S",
                                          "%d-%m-%Y %H:%M",
                                          "%d-%m-%Y",
                                          "%Y%m%d%H%M%S",
                                          "%Y%m%d %H:%M:%S",
                                          "%m/%d/%y %H:%M",
                                          "%m/%d/%y",
                                          "%d %b %Y %H:%M:%S",
                                          "%d %b %Y",
                                          "%b %d, %Y",
                                          "%m/%d/%Y %I:%M:%S %p",
                                          "%d-%b-%Y",
                                          "%d-%b-%y",
                                          "%d.%m.%y %H:%M",
                                          "%d.%m.%y",
                                          "%d/%m/%y %H:%M",
                                          "%d/%m/%y",
                                          "%b %d %Y %H:%M:%S",
                                          "%d %B %Y",
                                          "%B %d, %Y",
                                          "%a, %d %b %Y %H:%M:%S %Z",
                                          "%a %b %d %H:%M:%S %Y",
                                          "%d/%b/%Y:%H:%M:%S %z",
                                          "%m-%d-%Y %H:%M:%S",
                                          "%m-%d-%Y"};
    if (!c->values || c->length < 6 || c->length > 40) return FLORIN_OK;
    /* A few rows rule most formats out, the others must read many. */
    bool left[FL_LEN(formats)];
    memset(left, true, sizeof left);
    for (int round = 0; round < 2; round++) {
        uint32_t tried = 0, at[FL_LEN(formats)];
        fl_buf q = {0};
        fl_duck_result *r = NULL;
        char *raw = fl_asprintf("raw:%s", c->name);
        fl_buf_puts(&q, "SELECT count(x)");
        for (size_t i = 0; i < FL_LEN(formats); i++) {
            if (!left[i]) continue;
            at[i] = ++tried;
            fl_buf_printf(&q, ", count(try_strptime(x, '%s'))", formats[i]);
        }
        fl_buf_puts(&q, " FROM (SELECT nullif(trim(CAST(");
        fl_buf_quoted(&q, '"', "", raw ? raw : "");
        fl_buf_printf(&q, " AS VARCHAR)), '') AS x FROM sample LIMIT %d)", round ? 5000 : 100);
        florin_status st =
            q.failed || !raw ? fl_fail(err, FLORIN_ENOMEM, "draft") : one_row(db, q.data, &r, err);
        for (size_t i = 0; i < FL_LEN(formats) && !st; i++)
            left[i] = left[i] && count_at(r, at[i]) == count_at(r, 0);
        bool any = !st && count_at(r, 0);
        fl_duck_result_free(r);
        fl_buf_free(&q);
        free(raw);
        if (st || (round && !any)) return st;
    }
    for (size_t i = 0; i < FL_LEN(formats) && !c->format[0]; i++)
        if (left[i]) memcpy(c->format, formats[i], strlen(formats[i]) + 1);
    return FLORIN_OK;
}

florin_status fl_draft_profile(fl_draft *d, fl_duck *db, const char *path, const char *table,
                               florin_error *err)
{
    fl_duck_result *r = NULL;
    memset(d, 0, sizeof *d);
    d->price = d->quantity = d->owner = -1;
    d->tick = "days";
    memcpy(d->currency, "EUR", 4);
    fl_source named = {.table = table, .header = true, .label_of = -1};
    florin_status st = fl_source_relation(&d->relation, db, NULL, table ? &named : NULL, path, err);
    if (st) return st;
    d->column = fl_calloc(d->relation.columns ? d->relation.columns : 1, sizeof *d->column);
    char *sql = fl_asprintf("CREATE TEMP TABLE sample AS SELECT * FROM %s LIMIT %d",
                            d->relation.sql, SAMPLE);
    if (!d->column || !sql) st = fl_fail(err, FLORIN_ENOMEM, "draft");
    if (!st) st = fl_duck_exec(db, sql, err);
    if (!st) st = one_row(db, "SELECT count(*) FROM sample", &r, err);
    if (!st) {
        d->rows = count_at(r, 0);
        d->whole = d->rows < SAMPLE;
        if (!d->rows) st = fl_fail(err, FLORIN_EINPUT, "%s: has a header and no rows", path);
    }
    fl_duck_result_free(r);
    free(sql);
    for (uint32_t i = 0; i < d->relation.columns && !st; i++) {
        fl_draft_column *c = &d->column[i];
        c->name = d->relation.name[i];
        c->type = d->relation.type[i];
        st = measure(c, db, err);
        if (!st && c->cards) st = check_cards(c, db, err);
        if (!st && c->iso < c->values && c->numbers < c->values) st = find_format(c, db, err);
    }
    return st;
}

void fl_draft_free(fl_draft *d)
{
    fl_relation_free(&d->relation);
    free(d->column);
    d->column = NULL;
}
