/* The events or entities that a task judges, by the names that its SELECTs use. */
#ifndef FL_SQL_NAMES_H
#define FL_SQL_NAMES_H

#include "task/task.h"

/* out (initialised here, the caller frees it): fl_sql_name of an event's id (tasks of events: of the judged type alone) or of
 * an entity's identifier -> 1 + log row or entity number. */
florin_status fl_sql_names(fl_map64 *out, const fl_task *t, const fl_log *log, florin_error *err);
static inline uint64_t fl_sql_name(const char *text, size_t len)
{
    return fl_hash64(text, len, 0) | 1;
}

#endif
