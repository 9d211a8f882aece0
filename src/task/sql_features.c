/* Runs the SELECT once and keeps its numbers by row or entity. */
#include "task/sql_features.h"
#include "data/log_sql.h"
#include "task/sql_rows.h"
#include <math.h>
#include <stdio.h>

struct fl_sql_features {
    const fl_task *t;
    const fl_log *log;
    fl_map64 at; /* 1 + log row or entity -> 1 + its place below */
    size_t n, cap;
    uint32_t columns;
    char **name; /* [columns] */
    float *x;    /* [n][columns] */
};

typedef struct {
    fl_sql_features *f;
    const fl_task *t;
    fl_duck *db;
    fl_map64 name; /* fl_sql_name of an event id or identifier -> 1 + row or entity */
    char *query;
    fl_sql_where at;
} reader;

void fl_sql_features_free(fl_sql_features *f)
{
    if (!f) return;
    fl_map64_free(&f->at);
    for (uint32_t i = 0; f->name && i < f->columns; i++) free(f->name[i]);
    free(f->name);
    free(f->x);
    free(f);
}

static fl_sql_where where(const fl_task *t, florin_error *err)
{
    return (fl_sql_where){t->features_place, "features", err};
}

static const char *key_name(const fl_task *t)
{
    return t->per_event ? "id" : "entity";
}

/* Nothing of the log may lie after the first judged moment (at dates: nor at it, since only earlier events count). */
static florin_status refuse_clock(const fl_sql_where *at, const fl_task *t, const fl_log *log)
{
    int64_t first = t->period[0].from_us, last = fl_log_time_max(log);
    char from[32], to[32];

    if (!fl_log_rows(log) || last < first || (t->per_event && last == first)) return FLORIN_OK;
    fl_time_format(first, from);
    fl_time_format(last, to);
    return fl_sql_fail(
        at, FLORIN_ELEAK,
        "the log has a clock: it goes on until %s, and `test` begins at %s, so that a "
        "SELECT would see the future; it is for tables whose rows are judged after all of "
        "the log, at one moment (docs/schema.md)",
        to, from);
}

static florin_status add_column(reader *r, const fl_duck_result *res, uint32_t c)
{
    fl_sql_features *f = r->f;
    const char *name = fl_duck_column_name(res, c);
    fl_duck_type type = fl_duck_column_type(res, c);

    for (uint32_t i = 0; i < f->columns; i++)
        if (!strcmp(f->name[i], name))
            return fl_sql_fail(&r->at, FLORIN_EINPUT,
                               "two columns are called `%.64s`: name one anew with AS", name);
    if (type == FL_DUCK_TEXT || type == FL_DUCK_TIME_US)
        return fl_sql_fail(
            &r->at, FLORIN_EINPUT,
            "column `%.64s` is %s: numbers or yes/no only, as by length(x), x = 'A', or "
            "epoch(x)",
            name, type == FL_DUCK_TEXT ? "text" : "a time");
    if (f->columns == FL_SQL_FEATURES_MAX)
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "more than %d columns", FL_SQL_FEATURES_MAX);
    f->name[f->columns] = fl_strdup(name);
    return f->name[f->columns++] ? FLORIN_OK : fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
}

/* The user's SELECT by itself, so that its errors speak of it; then inside one that gives the key and doubles. */
static florin_status wrap(reader *r)
{
    fl_sql_features *f = r->f;
    fl_duck_result *res = NULL;
    florin_error why = {0};
    bool key = false;
    florin_status st = fl_duck_query(&res, r->db, r->t->features, true, &why);

    if (st) return fl_sql_fail(&r->at, st, "%.400s", why.message);
    f->name = fl_calloc(FL_SQL_FEATURES_MAX, sizeof *f->name);
    if (!f->name) st = fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
    for (uint32_t c = 0; !st && c < fl_duck_columns(res); c++) {
        bool is_key = !strcmp(fl_duck_column_name(res, c), key_name(r->t));
        if (is_key && key)
            st = fl_sql_fail(&r->at, FLORIN_EINPUT, "two columns are called `%s`", key_name(r->t));
        else if (!is_key) st = add_column(r, res, c);
        key |= is_key;
    }
    fl_duck_result_free(res);
    if (!st && (!key || !f->columns))
        st = fl_sql_fail(
            &r->at, FLORIN_EINPUT,
            "%s: it must return `%s`, which says of whom it speaks, and columns of numbers",
            key ? "no column of numbers" : "no key", key_name(r->t));
    if (st) return st;
    fl_buf q = {0};
    fl_buf_printf(&q, "SELECT CAST(%s AS VARCHAR)", key_name(r->t));
    for (uint32_t i = 0; i < f->columns; i++) {
        fl_buf_puts(&q, ", CAST(");
        fl_buf_quoted(&q, '"', "", f->name[i]);
        fl_buf_puts(&q, " AS DOUBLE)");
    }
    fl_buf_printf(&q, " FROM (\n%.*s\n)", (int)fl_sql_length(r->t->features), r->t->features);
    r->query = q.data;
    return q.failed ? fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory") : FLORIN_OK;
}

/* One row of the result; a key that nobody judges is no error: the SELECT may speak of more. */
static florin_status keep(void *self, const fl_duck_result *res, uint64_t i)
{
    reader *r = self;
    fl_sql_features *f = r->f;
    size_t len;
    bool inserted;

    if (fl_duck_null(res, 0, i))
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "%s is NULL", key_name(r->t));
    const char *key = fl_duck_text(res, 0, i, &len);
    int shown = len > 60 ? 60 : (int)len;
    const uint32_t *row = fl_map64_find(&r->name, fl_sql_name(key, len));
    if (!row) return FLORIN_OK;
    uint32_t *v = fl_map64_insert(&f->at, *row, &inserted);
    if (v && !inserted)
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "two rows for '%.*s': one each", shown, key);
    if (!v || !fl_grow((void **)&f->x, &f->cap, f->n + 1, f->columns * sizeof *f->x))
        return fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
    *v = (uint32_t)f->n + 1;
    float *x = f->x + f->n++ * f->columns;
    for (uint32_t c = 0; c < f->columns; c++) {
        bool none = fl_duck_null(res, c + 1, i);
        double value = none ? 0 : ((const double *)fl_duck_data(res, c + 1))[i];
        if (!(fabs(value) < 1e29)) /* NaN too */
            return fl_sql_fail(
                &r->at, FLORIN_EINPUT,
                "`%.64s` of '%.*s' is infinite, too large or not a number: guard it, as by "
                "nullif(x, 0) below a division",
                f->name[c], shown, key);
        x[c] = none ? FL_SQL_NONE : (float)value;
    }
    return FLORIN_OK;
}

florin_status fl_sql_features_read(fl_sql_features **out, const fl_task *t, const fl_log *log,
                                   const florin_context *ctx, florin_error *err)
{
    reader r = {.f = fl_calloc(1, sizeof *r.f), .t = t, .at = where(t, err)};
    florin_status st = refuse_clock(&r.at, t, log);

    *out = NULL;
    if (!st && (!r.f || !fl_map64_init(&r.f->at, 1024)))
        st = fl_sql_fail(&r.at, FLORIN_ENOMEM, "out of memory");
    if (r.f) {
        r.f->t = t;
        r.f->log = log;
    }
    fl_progress(ctx, "asking for features", 0, 1);
    if (!st) st = fl_log_sql_open_inputs(&r.db, log, ctx, err);
    if (!st) st = fl_sql_names(&r.name, t, log, err);
    if (!st) st = wrap(&r);
    if (!st) st = fl_sql_each(&r.at, r.db, r.query, keep, &r);
    fl_progress(ctx, "asking for features", 1, 1);
    free(r.query);
    fl_map64_free(&r.name);
    fl_duck_close(r.db);
    if (st) fl_sql_features_free(r.f);
    else *out = r.f;
    return st;
}

uint32_t fl_sql_features_columns(const fl_sql_features *f)
{
    return f->columns;
}

const char *fl_sql_features_name(const fl_sql_features *f, uint32_t i)
{
    return f->name[i];
}

florin_status fl_sql_features_row(const fl_sql_features *f, uint64_t row, float *out,
                                  florin_error *err)
{
    const uint32_t *v = fl_map64_find(&f->at, row + 1);
    char text[FL_ID_NUMBER > 17 ? FL_ID_NUMBER : 17];
    size_t len;

    if (v) {
        memcpy(out, f->x + (size_t)(*v - 1) * f->columns, f->columns * sizeof *out);
        return FLORIN_OK;
    }
    const char *name = f->t->per_event
                           ? fl_log_event_id(f->log, row, text, &len)
                           : fl_log_sql_entity(f->log, f->t->kind, (uint32_t)row, text, &len);
    const fl_sql_where at = where(f->t, err);
    return fl_sql_fail(
        &at, FLORIN_EINPUT,
        "no row for '%.*s', which is judged: begin with all that are judged and LEFT JOIN "
        "the rest",
        len > 60 ? 60 : (int)len, name);
}
