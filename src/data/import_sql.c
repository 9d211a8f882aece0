/* Every source becomes one SELECT with the same columns in the same order, all as text but the times. */
#include "data/import_parts.h"
#include <stdio.h>

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
    fl_buf_puts(b, "CASE WHEN false THEN NULL::TIMESTAMP");
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

void fl_import_ask_select(fl_buf *b, const fl_schema *s)
{
    fl_buf_puts(b, "SELECT ");
    add_time(b, s, "x", NULL);
    fl_buf_puts(b, " FROM (SELECT unnest($1::VARCHAR[]) AS x)");
}

/* ---- a source ---- */

typedef struct {
    fl_buf *b;
    const fl_importer *m;
    fl_select_columns *columns;
    uint32_t source;
    bool sort;
} selecting;

static uint16_t next_column(selecting *x)
{
    if (x->columns->columns) fl_buf_puts(x->b, ", ");
    return x->columns->columns++;
}

static uint16_t add_text(selecting *x, const fl_expr *e)
{
    if (!e->sql && !x->sort) return FL_NO_COLUMN;
    uint16_t c = next_column(x);
    if (e->sql) fl_buf_printf(x->b, "CAST((%s) AS VARCHAR)", e->sql);
    else fl_buf_puts(x->b, "NULL::VARCHAR");
    return c;
}

/* A plain column that the file itself holds as moments needs no reading. */
static bool is_moment(const selecting *x, const fl_expr *e)
{
    const fl_relation *r = &x->m->relation[x->source];
    if (r->text || !e->sql || *e->sql != '"' || !e->columns) return false;
    for (uint32_t c = 0; c < r->columns; c++)
        if (!strcmp(r->name[c], e->columns[0])) return !strcmp(r->type[c], "TIMESTAMP");
    return false;
}

/* In UTC and without a format a text is left to C, which asks DuckDB for what it can't read (import_time.c). */
static fl_moment_columns add_moment(selecting *x, const fl_expr *e, const char *format, bool text)
{
    const fl_schema *s = x->m->schema;
    fl_moment_columns c = {FL_NO_COLUMN, FL_NO_COLUMN};
    bool utc = !s->time_zone || !strcmp(s->time_zone, "UTC");
    if (!e->sql && !x->sort) return c;
    if (!e->sql || x->sort || format || !utc || is_moment(x, e)) {
        c.at = next_column(x);
        if (!e->sql) fl_buf_puts(x->b, "NULL::TIMESTAMP");
        else if (!format && utc && is_moment(x, e)) fl_buf_puts(x->b, e->sql);
        else add_time(x->b, s, e->sql, format);
    }
    if (text || c.at == FL_NO_COLUMN) c.text = add_text(x, e);
    return c;
}

void fl_import_select(fl_buf *b, fl_select_columns *columns, const fl_importer *m, uint32_t i,
                      bool sort)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    selecting x = {b, m, columns, i, sort};
    memset(columns, 0xff, sizeof *columns); /* FL_NO_COLUMN */
    columns->columns = 0;
    fl_buf_puts(b, "SELECT ");
    if (sort) {
        columns->source = next_column(&x);
        fl_buf_printf(b, "%u::UINTEGER", i);
        columns->row = next_column(&x);
        fl_buf_printf(b, "CAST(row_number() OVER () + %u AS UBIGINT)", m->relation[i].first - 1);
    }
    if (src->where || sort) {
        columns->keep = next_column(&x);
        fl_buf_printf(b, "coalesce(CAST((%s) AS BOOLEAN), false)",
                      src->where ? src->where : "true");
    }
    columns->time = add_moment(&x, &src->time, src->time_format, true);
    columns->id = add_text(&x, src->label_of >= 0 ? &src->of : &src->id);
    columns->amount = add_text(&x, &src->amount);
    columns->currency = add_text(&x, &src->currency);
    for (uint32_t k = 0; k < s->kinds; k++) columns->entity[k] = add_text(&x, &src->entity[k]);
    for (uint32_t f = 0; f < s->categories; f++)
        columns->category[f] = add_text(&x, &src->category[f]);
    for (uint32_t f = 0; f < s->numbers; f++) columns->number[f] = add_text(&x, &src->number[f]);
    for (uint32_t f = 0; f < s->marks; f++) columns->mark[f] = add_text(&x, &src->mark[f]);
    for (uint32_t l = 0; l < s->labels; l++) {
        columns->label[l] =
            add_text(&x, src->label_of == (int)l ? &src->of_value : &src->label[l].value);
        columns->arrival[l] = add_moment(&x, &src->label[l].arrival, NULL, false);
    }
    fl_buf_printf(b, " FROM %s", m->relation[i].sql);
}

/* ---- a plain source ---- */

static bool plain_expr(fl_plain *p, const fl_expr *e, uint16_t *out)
{
    *out = FL_NO_COLUMN;
    if (!e->sql) return true;
    if (*e->sql != '"' || !e->columns) return false;
    int c = fl_plain_column(p, e->columns[0]);
    if (c >= 0) *out = fl_plain_want(p, (uint32_t)c);
    return c >= 0;
}

florin_status fl_import_plain(fl_importer *m, uint32_t i)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    fl_select_columns *c = &m->plain_columns[i];
    bool utc = !s->time_zone || !strcmp(s->time_zone, "UTC");
    if (src->where || src->time_format || !utc) return FLORIN_OK;
    florin_status st = fl_plain_open(&m->plain[i], m->db, src, m->path[i], m->err);
    fl_plain *p = m->plain[i];
    if (st || !p) return st;
    memset(c, 0xff, sizeof *c); /* FL_NO_COLUMN */
    bool ok = plain_expr(p, &src->time, &c->time.text) &&
              plain_expr(p, src->label_of >= 0 ? &src->of : &src->id, &c->id) &&
              plain_expr(p, &src->amount, &c->amount) &&
              plain_expr(p, &src->currency, &c->currency);
    for (uint32_t k = 0; k < s->kinds; k++)
        ok = ok && plain_expr(p, &src->entity[k], &c->entity[k]);
    for (uint32_t f = 0; f < s->categories; f++)
        ok = ok && plain_expr(p, &src->category[f], &c->category[f]);
    for (uint32_t f = 0; f < s->numbers; f++)
        ok = ok && plain_expr(p, &src->number[f], &c->number[f]);
    for (uint32_t f = 0; f < s->marks; f++) ok = ok && plain_expr(p, &src->mark[f], &c->mark[f]);
    for (uint32_t l = 0; l < s->labels; l++)
        ok = ok &&
             plain_expr(p, src->label_of == (int)l ? &src->of_value : &src->label[l].value,
                        &c->label[l]) &&
             plain_expr(p, &src->label[l].arrival, &c->arrival[l].text);
    m->relation[i].first = fl_plain_first(p);
    m->relation[i].rows = fl_plain_rows(p);
    if (ok) return FLORIN_OK;
    fl_plain_close(p);
    m->plain[i] = NULL;
    return FLORIN_OK;
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
