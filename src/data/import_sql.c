/* Every source becomes one SELECT with the same columns in the same order, all as text but the times. */
#include "data/import_parts.h"
#include <stdio.h>

static void add_text(fl_buf *b, const fl_expr *e)
{
    if (e->sql) fl_buf_printf(b, ", CAST((%s) AS VARCHAR)", e->sql);
    else fl_buf_puts(b, ", NULL::VARCHAR");
}

static void add_literal(fl_buf *b, const char *s)
{
    fl_buf_puts(b, "'");
    for (; *s; s++) fl_buf_printf(b, *s == '\'' ? "''" : "%c", *s);
    fl_buf_puts(b, "'");
}

/* Bare numbers are epochs, told apart by size: seconds until year 5138, then milli-, micro- and nanoseconds. */
static void add_epoch(fl_buf *b, const char *x)
{
    fl_buf_printf(b,
                  " WHEN TRY_CAST(%s AS DOUBLE) IS NOT NULL AND abs(TRY_CAST(%s AS DOUBLE)) < 1e20 "
                  "THEN make_timestamp(CAST(TRY_CAST(%s AS DOUBLE) * CASE WHEN "
                  "abs(TRY_CAST(%s AS DOUBLE)) < 1e11 THEN 1e6 WHEN abs(TRY_CAST(%s AS DOUBLE)) < "
                  "1e14 THEN 1e3 WHEN abs(TRY_CAST(%s AS DOUBLE)) < 1e17 THEN 1 ELSE 1e-3 END AS "
                  "BIGINT))",
                  x, x, x, x, x, x);
}

/* Text with a zone or none; without one it is in UTC. What DuckDB's cast does not read (no seconds before a zone, a zone
 * without colon, the compact form) is brought into its form first. */
void fl_import_moment(fl_buf *b, const char *x)
{
    fl_buf_printf(b,
                  "CAST(coalesce(TRY_CAST(%s AS TIMESTAMPTZ), CASE WHEN length(%s) > 12 AND "
                  "(contains(%s, ':') OR contains(%s, 'T')) THEN TRY_CAST(",
                  x, x, x, x);
    fl_buf_printf(b,
                  "regexp_replace(regexp_replace(regexp_replace(%s, "
                  "'^(\\d{4})(\\d\\d)(\\d\\d)T(\\d\\d)(\\d\\d)(\\d\\d)', '\\1-\\2-\\3 "
                  "\\4:\\5:\\6'), '([T ]\\d\\d?:\\d\\d) ?(Z|[+-]\\d)', '\\1:00\\2'), "
                  "'(:\\d\\d(?:\\.\\d+)?) ?([+-]\\d\\d)(\\d\\d)$', '\\1\\2:\\3') AS "
                  "TIMESTAMPTZ) END) AS TIMESTAMP)",
                  x);
}

/* A moment in UTC from text or number. */
static void add_time(fl_buf *b, const fl_schema *s, const char *sql, const char *format)
{
    fl_buf t = {0}, naive = {0};
    bool utc = !s->time_zone || !strcmp(s->time_zone, "UTC"), zoned = !format;
    fl_buf_printf(&t, "trim(CAST((%s) AS VARCHAR))", sql);
    const char *x = t.data ? t.data : "NULL";
    if (format) {
        zoned = strstr(format, "%z") || strstr(format, "%Z");
        fl_buf_printf(&naive, "CAST(try_strptime(%s, ", x);
        add_literal(&naive, format);
        fl_buf_puts(&naive, ") AS TIMESTAMP)");
    } else {
        fl_buf_printf(&naive, "TRY_CAST(%s AS TIMESTAMP)", x);
    }
    const char *n = naive.data ? naive.data : "NULL";
    fl_buf_puts(b, ", CASE WHEN false THEN NULL::TIMESTAMP");
    if (!format) add_epoch(b, x);
    if (!utc && (!format || !zoned)) {
        if (!format)
            fl_buf_printf(
                b,
                " WHEN NOT regexp_matches(%s, '\\d:\\d\\d.*([+-]\\d\\d(:?\\d\\d)?|[A-Za-z])$')"
                " THEN CAST(timezone(",
                x);
        else fl_buf_puts(b, " WHEN true THEN CAST(timezone(");
        add_literal(b, s->time_zone);
        fl_buf_printf(b, ", %s) AS TIMESTAMP)", n);
    }
    fl_buf_puts(b, " ELSE ");
    if (format) fl_buf_puts(b, n);
    else fl_import_moment(b, x);
    fl_buf_puts(b, " END");
    fl_buf_free(&t);
    fl_buf_free(&naive);
}

void fl_import_select(fl_buf *b, const fl_importer *m, uint32_t i)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    fl_buf_printf(b, "SELECT %u::UINTEGER, CAST(row_number() OVER () + %u AS UBIGINT)", i,
                  m->relation[i].first - 1);
    if (src->where) fl_buf_printf(b, ", coalesce(CAST((%s) AS BOOLEAN), false)", src->where);
    else fl_buf_puts(b, ", true");
    add_time(b, s, src->time.sql, src->time_format);
    add_text(b, &src->time);
    add_text(b, src->label_of >= 0 ? &src->of : &src->id);
    add_text(b, &src->amount);
    add_text(b, &src->currency);
    for (uint32_t k = 0; k < s->kinds; k++) add_text(b, &src->entity[k]);
    for (uint32_t f = 0; f < s->categories; f++) add_text(b, &src->category[f]);
    for (uint32_t f = 0; f < s->numbers; f++) add_text(b, &src->number[f]);
    for (uint32_t f = 0; f < s->marks; f++) add_text(b, &src->mark[f]);
    for (uint32_t l = 0; l < s->labels; l++) {
        add_text(b, src->label_of == (int)l ? &src->of_value : &src->label[l].value);
        if (src->label[l].arrival.sql) add_time(b, s, src->label[l].arrival.sql, NULL);
        else fl_buf_puts(b, ", NULL::TIMESTAMP");
    }
    fl_buf_printf(b, " FROM %s", m->relation[i].sql);
}

/* ---- whose fault ---- */

static bool fails_alone(fl_importer *m, uint32_t source, const char *field, const char *sql,
                        florin_status *st)
{
    florin_error why = {0};
    fl_duck_result *q = NULL;
    uint64_t rows;
    char *text = fl_asprintf("SELECT count((%s)) FROM %s", sql, m->relation[source].sql);
    if (!text) return false;
    florin_status failed = fl_duck_query(&q, m->db, text, false, &why);
    if (!failed) failed = fl_duck_next(q, &rows, &why);
    fl_duck_result_free(q);
    free(text);
    if (!failed) return false;
    *st =
        fl_fail(m->err, FLORIN_EINPUT,
                "%s: field %s: %s: mend the expression in the schema, or leave such rows out with "
                "`where`",
                m->path[source], field, why.message);
    return true;
}

/* Only what a user wrote as SQL can fail on a value: plain columns are read as text. */
static bool user_sql(const fl_expr *e)
{
    return e->sql && !e->columns;
}

florin_status fl_import_blame(fl_importer *m, uint32_t i, florin_status st)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    const struct {
        const char *name;
        const fl_expr *e;
    } one[] = {{"id", &src->id}, {"time", &src->time},         {"amount", &src->amount},
               {"id", &src->of}, {"currency", &src->currency}, {"value", &src->of_value}};
    if (st != FLORIN_EINPUT) return st;
    if (src->where && fails_alone(m, i, "where", src->where, &st)) return st;
    for (size_t k = 0; k < FL_LEN(one); k++)
        if (user_sql(one[k].e) && fails_alone(m, i, one[k].name, one[k].e->sql, &st)) return st;
    const struct {
        const fl_expr *e;
        const char *name;
        size_t stride;
        uint32_t n;
    } many[] = {{src->entity, s->kind[0].name, sizeof s->kind[0], s->kinds},
                {src->category, s->category[0].name, sizeof s->category[0], s->categories},
                {src->number, s->number[0].name, sizeof s->number[0], s->numbers},
                {src->mark, s->mark[0].name, sizeof s->mark[0], s->marks}};
    for (size_t k = 0; k < FL_LEN(many); k++)
        for (uint32_t f = 0; f < many[k].n; f++)
            if (user_sql(&many[k].e[f]) &&
                fails_alone(m, i, many[k].name + f * many[k].stride, many[k].e[f].sql, &st))
                return st;
    for (uint32_t l = 0; l < s->labels; l++)
        if ((user_sql(&src->label[l].value) &&
             fails_alone(m, i, s->label[l].name, src->label[l].value.sql, &st)) ||
            (user_sql(&src->label[l].arrival) &&
             fails_alone(m, i, s->label[l].name, src->label[l].arrival.sql, &st)))
            return st;
    return st;
}
