/* Labels that a SELECT of the task says (data/log_sql.h: over `events` and `labels`, sandboxed). It returns
 *   id (tasks of events) or entity and date (tasks of dates), value (0, 1, true or false; a number; a class), known_at
 * Rows without a value count as unknown.
 *
 * A label may not be older than what it rests on: for every moment at which a judged period begins, the SELECT runs again
 * over the log as it was known then, and what it calls known by then must come out the same, else FLORIN_ELEAK. */
#ifndef FL_SQL_LABEL_H
#define FL_SQL_LABEL_H

#include "task/task.h"

typedef struct fl_sql_labels fl_sql_labels;
florin_status fl_sql_labels_read(fl_sql_labels **out, const fl_task *t, const fl_log *log,
                                 const florin_context *ctx, florin_error *err);
/* The answer (0 or 1, a number, a class's number) for a log row (tasks of events) or an entity at a date, as known at a
 * moment (INT64_MAX: in the end); NAN: unknown. */
float fl_sql_label_at(const fl_sql_labels *s, uint64_t row, int64_t time_us, int64_t at_us);
/* Classes, in order of appearance, and their texts (not NUL-terminated, lent). */
uint32_t fl_sql_label_classes(const fl_sql_labels *s);
const char *fl_sql_label_class(const fl_sql_labels *s, uint32_t i, size_t *len);
void fl_sql_labels_free(fl_sql_labels *s);

#endif
