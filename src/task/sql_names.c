/* Reads the names off the log. */
#include "task/sql_names.h"
#include "data/log_sql.h"

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
