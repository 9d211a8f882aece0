/* Fills the two tables through DuckDB's appender. */
#include "data/log_sql.h"
#include <duckdb.h>
#include <math.h>
#include <stdio.h>

enum { NAMES_MAX = 5 + FL_KINDS_MAX + FL_CATEGORIES_MAX + FL_NUMBERS_MAX + FL_MARKS_MAX };

typedef struct {
    fl_buf sql;
    const char *taken[NAMES_MAX];
    uint32_t n;
} columns;

/* DuckDB's names are one whatever their case. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a,
             y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y) return false;
    }
    return *a == *b;
}

static void add_column(columns *c, const char *name, const char *type)
{
    bool taken = false;
    for (uint32_t i = 0; i < c->n; i++) taken |= same_name(c->taken[i], name);
    fl_buf_puts(&c->sql, c->n ? ", \"" : "\"");
    for (const char *p = name; *p; p++) fl_buf_printf(&c->sql, *p == '"' ? "\"\"" : "%c", *p);
    fl_buf_printf(&c->sql, "%s\" %s", taken ? "_2" : "", type);
    c->taken[c->n++] = name;
}

static florin_status create_tables(fl_duck *db, const fl_schema *s, bool inputs, florin_error *err)
{
    columns c = {.n = 0};
    fl_buf_puts(&c.sql, "CREATE TABLE events (");
    add_column(&c, "id", "VARCHAR");
    add_column(&c, "time", "TIMESTAMP");
    add_column(&c, "type", "VARCHAR");
    add_column(&c, "amount", "DOUBLE");
    for (uint32_t i = 0; i < s->kinds; i++) add_column(&c, s->kind[i].name, "VARCHAR");
    for (uint32_t i = 0; i < s->categories; i++)
        if (!inputs || !s->category[i].after) add_column(&c, s->category[i].name, "VARCHAR");
    for (uint32_t i = 0; i < s->numbers; i++)
        if (!inputs || !s->number[i].after) add_column(&c, s->number[i].name, "DOUBLE");
    for (uint32_t i = 0; i < s->marks && !inputs; i++) add_column(&c, s->mark[i].name, "BOOLEAN");
    fl_buf_puts(&c.sql, ")");
    florin_status st = c.sql.failed ? fl_fail(err, FLORIN_ENOMEM, "log as tables: out of memory")
                                    : fl_duck_exec(db, c.sql.data, err);
    if (!st && !inputs)
        st = fl_duck_exec(db,
                          "CREATE TABLE labels (id VARCHAR, label VARCHAR, value DOUBLE, arrival "
                          "TIMESTAMP, time TIMESTAMP)",
                          err);
    fl_buf_free(&c.sql);
    return st;
}

const char *fl_log_sql_entity(const fl_log *log, int kind, uint32_t entity, char buffer[17],
                              size_t *len)
{
    const char *name = fl_log_entity_name(log, kind, entity, len);
    if (name) return name;
    snprintf(buffer, 17, "%016llx", (unsigned long long)fl_log_entity_hash(log, kind, entity));
    *len = 16;
    return buffer;
}

static void append_text(duckdb_appender a, const char *text, size_t len)
{
    if (text) duckdb_append_varchar_length(a, text, len);
    else duckdb_append_null(a);
}

static void append_time(duckdb_appender a, int64_t us)
{
    duckdb_append_timestamp(a, (duckdb_timestamp){us});
}

static void append_event(duckdb_appender a, const fl_log *log, uint64_t row, double unit,
                         bool inputs)
{
    const fl_schema *s = fl_log_schema(log);
    char hex[17], number[FL_ID_NUMBER];
    size_t len;
    fl_event e;
    fl_log_event(log, row, &e);
    duckdb_appender_begin_row(a);
    const char *id = fl_log_event_id(log, row, number, &len);
    append_text(a, id, len);
    append_time(a, e.time_us);
    append_text(a, s->source[e.type].name, strlen(s->source[e.type].name));
    if (e.amount_minor == FL_AMOUNT_NONE) duckdb_append_null(a);
    else duckdb_append_double(a, (double)e.amount_minor * unit);
    for (uint32_t k = 0; k < s->kinds; k++) {
        const char *name =
            e.entity[k] == FL_NONE ? NULL : fl_log_sql_entity(log, (int)k, e.entity[k], hex, &len);
        append_text(a, name, len);
    }
    for (uint32_t c = 0; c < s->categories; c++) {
        if (inputs && s->category[c].after) continue;
        const char *value =
            e.category[c] ? fl_log_value_text(log, (int)c, e.category[c], &len) : NULL;
        append_text(a, value, len);
    }
    for (uint32_t n = 0; n < s->numbers; n++) {
        if (inputs && s->number[n].after) continue;
        if (e.number_present >> n & 1) duckdb_append_double(a, (double)e.number[n]);
        else duckdb_append_null(a);
    }
    for (uint32_t m = 0; m < s->marks && !inputs; m++)
        duckdb_append_bool(a, (e.marks >> m & 1) != 0);
}

static florin_status append_failed(duckdb_appender a, florin_error *err)
{
    const char *why = duckdb_appender_error(a);
    bool memory = why && strstr(why, "memory");
    return fl_fail(err, memory ? FLORIN_ENOMEM : FLORIN_EINTERNAL,
                   "the log does not fit as a table: %.500s", why ? why : "no reason given");
}

static florin_status fill_events(duckdb_appender a, const fl_log *log, bool inputs,
                                 const florin_context *ctx, florin_error *err)
{
    double unit = pow(10, -fl_currency_exponent(fl_log_schema(log)->currency));
    for (uint64_t row = 0; row < fl_log_rows(log); row++) {
        append_event(a, log, row, unit, inputs);
        if (duckdb_appender_end_row(a) != DuckDBSuccess) return append_failed(a, err);
        if (row % 65536 == 0 && fl_cancelled(ctx))
            return fl_fail(err, FLORIN_ECANCELLED, "stopped while reading the log");
    }
    return FLORIN_OK;
}

static florin_status fill_labels(duckdb_appender a, const fl_log *log, florin_error *err)
{
    const fl_schema *s = fl_log_schema(log);
    char number[FL_ID_NUMBER];
    fl_label l;
    size_t len;
    for (uint64_t i = 0; i < fl_log_labels(log); i++) {
        fl_log_label(log, i, &l);
        duckdb_appender_begin_row(a);
        const char *id = fl_log_event_id(log, l.row, number, &len);
        append_text(a, id, len);
        append_text(a, s->label[l.label].name, strlen(s->label[l.label].name));
        duckdb_append_double(a, (double)l.value);
        append_time(a, l.arrival_us);
        append_time(a, fl_log_time(log, l.row));
        if (duckdb_appender_end_row(a) != DuckDBSuccess) return append_failed(a, err);
    }
    return FLORIN_OK;
}

static florin_status fill(fl_duck *db, const fl_log *log, const char *table, bool inputs,
                          const florin_context *ctx, florin_error *err)
{
    duckdb_appender a = NULL;
    if (duckdb_appender_create(fl_duck_native(db), NULL, table, &a) != DuckDBSuccess) {
        florin_status st = append_failed(a, err);
        duckdb_appender_destroy(&a);
        return st;
    }
    florin_status st =
        *table == 'e' ? fill_events(a, log, inputs, ctx, err) : fill_labels(a, log, err);
    if (!st && duckdb_appender_flush(a) != DuckDBSuccess) st = append_failed(a, err);
    duckdb_appender_destroy(&a);
    return st;
}

static florin_status open_tables(fl_duck **out, const fl_log *log, bool inputs,
                                 const florin_context *ctx, florin_error *err)
{
    const fl_duck_options opt = {.sandbox = true, .threads = inputs ? 1 : 0};
    *out = NULL;
    fl_duck *db = NULL;
    florin_status st = fl_duck_open(&db, &opt, ctx, err);
    if (!st) st = create_tables(db, fl_log_schema(log), inputs, err);
    if (!st) st = fill(db, log, "events", inputs, ctx, err);
    if (!st && !inputs) st = fill(db, log, "labels", inputs, ctx, err);
    if (st) fl_duck_close(db);
    else *out = db;
    return st;
}

florin_status fl_log_sql_open(fl_duck **out, const fl_log *log, const florin_context *ctx,
                              florin_error *err)
{
    return open_tables(out, log, false, ctx, err);
}

florin_status fl_log_sql_open_inputs(fl_duck **out, const fl_log *log, const florin_context *ctx,
                                     florin_error *err)
{
    return open_tables(out, log, true, ctx, err);
}

florin_status fl_log_sql_cut(fl_duck *db, int64_t at_us, florin_error *err)
{
    char sql[160];
    snprintf(sql, sizeof sql, "DELETE FROM events WHERE epoch_us(time) >= %lld", (long long)at_us);
    florin_status st = fl_duck_exec(db, sql, err);
    snprintf(sql, sizeof sql,
             "DELETE FROM labels WHERE epoch_us(arrival) > %lld OR epoch_us(time) >= %lld",
             (long long)at_us, (long long)at_us);
    return st ? st : fl_duck_exec(db, sql, err);
}
