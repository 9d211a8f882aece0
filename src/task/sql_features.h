/* Inputs that a SELECT of the task says, for tables without a clock. It runs over `events` (data/log_sql.h) as inputs may see
 * it: no label, no mark, no field that is known after the decision; sandboxed, on one thread. It returns
 *   id (tasks of events) or entity (tasks of dates), and one or more columns of numbers or yes/no
 * Each judged row has exactly one; others are ignored. NULL counts as less than every number.
 *
 * A SELECT sees the whole log at once, so no event may lie later than the first judged moment: otherwise FLORIN_ELEAK. */
#ifndef FL_SQL_FEATURES_H
#define FL_SQL_FEATURES_H

#include "task/task.h"

enum { FL_SQL_FEATURES_MAX = 256 };
#define FL_SQL_NONE (-1e30f) /* what NULL becomes */

typedef struct fl_sql_features fl_sql_features;
/* FLORIN_EINPUT names file, line and what is wrong: no key, a name twice, a column that is no number, too many columns, two
 * rows for a key. */
florin_status fl_sql_features_read(fl_sql_features **out, const fl_task *t, const fl_log *log,
                                   const florin_context *ctx, florin_error *err);
uint32_t fl_sql_features_columns(const fl_sql_features *f);
const char *fl_sql_features_name(const fl_sql_features *f, uint32_t i);
/* out [columns], of a log row (tasks of events) or an entity. FLORIN_EINPUT: it returned no row for it. */
florin_status fl_sql_features_row(const fl_sql_features *f, uint64_t row, float *out,
                                  florin_error *err);
void fl_sql_features_free(fl_sql_features *f);

#endif
