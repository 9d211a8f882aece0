/* What the SELECTs of a task share: the names by which they speak of events and entities, their rows, their errors. */
#ifndef FL_SQL_ROWS_H
#define FL_SQL_ROWS_H

#include "data/duck.h"
#include "task/task.h"

/* out (initialised here, the caller frees it): fl_sql_name of an event's id (tasks of events: of the judged type alone) or of
 * an entity's identifier -> 1 + log row or entity number. */
florin_status fl_sql_names(fl_map64 *out, const fl_task *t, const fl_log *log, florin_error *err);
static inline uint64_t fl_sql_name(const char *text, size_t len)
{
    return fl_hash64(text, len, 0) | 1;
}

/* Which SELECT of a task speaks: of `key`, at "file:line". */
typedef struct {
    const char *place, *key;
    florin_error *err;
} fl_sql_where;
/* "file:line: KEY: sql: ..."; gives st. */
florin_status fl_sql_fail(const fl_sql_where *w, florin_status st, const char *fmt, ...)
    FL_PRINTF(3, 4);
/* The SELECT's length without the semicolon and blanks at its end, so that it can stand inside another one. */
size_t fl_sql_length(const char *select);
/* Asks, and gives each row of the result to `row`, which has said itself what is wrong when it fails. */
typedef florin_status (*fl_sql_row)(void *self, const fl_duck_result *res, uint64_t i);
florin_status fl_sql_each(const fl_sql_where *w, fl_duck *db, const char *query, fl_sql_row row,
                          void *self);

#endif
