/* A log as tables of a sandboxed in-memory database, for a SELECT that a user wrote: it can reach neither files nor
 * network, and its settings are locked.
 *
 *   events  id, time, type, amount (major units), then by their names in the schema: entities (identifier, or without a
 *           dictionary 16 hex digits of its hash), categories, numbers, marks
 *   labels  id, label, value, arrival, time (of the event it speaks of)
 * A name that is already taken gets "_2" behind it. Times are UTC. For inputs of a model there is `events` alone, without
 * marks and without fields that are known after the decision. */
#ifndef FL_LOG_SQL_H
#define FL_LOG_SQL_H

#include "data/duck.h"
#include "data/log.h"

florin_status fl_log_sql_open(fl_duck **out, const fl_log *log, const florin_context *ctx,
                              florin_error *err);
/* For inputs; on one thread, so that sums come out the same every time. */
florin_status fl_log_sql_open_inputs(fl_duck **out, const fl_log *log, const florin_context *ctx,
                                     florin_error *err);
/* Forget events at or after the moment, and labels that arrive after it or whose event is forgotten. */
florin_status fl_log_sql_cut(fl_duck *db, int64_t at_us, florin_error *err);
/* How `events` names an entity: text (not NUL-terminated) of at most 16 bytes in buffer when it has no name. */
const char *fl_log_sql_entity(const fl_log *log, int kind, uint32_t entity, char buffer[17],
                              size_t *len);

#endif
