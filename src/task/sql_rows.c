/* Names off the log, rows out of DuckDB. */
#include "task/sql_rows.h"
#include "data/log_sql.h"
#include <stdarg.h>
#include <stdio.h>

florin_status fl_sql_names(fl_map64 *out, const fl_task *t, const fl_log *log, florin_error *err)
{
    uint64_t n = t->per_event ? fl_log_rows(log) : fl_log_entities(log, t->kind);
    char hex[17];

    if (n >= UINT32_MAX || !fl_map64_init(out, n))
        return fl_fail(err, FLORIN_ENOMEM, "task %s: sql: the log is too large", t->name);
    for (uint64_t i = 0; i < n; i++) {
        char number[FL_ID_NUMBER];
        size_t len;
        if (t->per_event && t->moment.type >= 0 && fl_log_type(log, i) != t->moment.type) continue;
        const char *text = t->per_event ? fl_log_event_id(log, i, number, &len)
                                        : fl_log_sql_entity(log, t->kind, (uint32_t)i, hex, &len);
        bool inserted;
        uint32_t *v = fl_map64_insert(out, fl_sql_name(text, len), &inserted);
        if (!v) return fl_fail(err, FLORIN_ENOMEM, "task %s: sql: out of memory", t->name);
        if (inserted) *v = (uint32_t)i + 1;
    }
    return FLORIN_OK;
}

florin_status fl_sql_fail(const fl_sql_where *w, florin_status st, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return fl_fail(w->err, st, "%s: %s: sql: %s", w->place, w->key, what);
}

size_t fl_sql_length(const char *select)
{
    size_t len = strlen(select);
    while (len && strchr("; \t\r\n", select[len - 1])) len--;
    return len;
}

florin_status fl_sql_each(const fl_sql_where *w, fl_duck *db, const char *query, fl_sql_row row,
                          void *self)
{
    fl_duck_result *res = NULL;
    uint64_t rows = 1;
    florin_error why = {0};
    florin_status st = fl_duck_query(&res, db, query, true, &why);

    if (st) return fl_sql_fail(w, st, "%.400s", why.message);
    while (!st && rows) {
        st = fl_duck_next(res, &rows, &why);
        if (st) st = fl_sql_fail(w, st, "%.400s", why.message);
        for (uint64_t i = 0; i < rows && !st; i++) st = row(self, res, i);
    }
    fl_duck_result_free(res);
    return st;
}
