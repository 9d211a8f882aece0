/* What happened to an entity after a moment: the answer that an outcome of a task asks for. Pure reads of the log. */
#ifndef FL_ANSWER_H
#define FL_ANSWER_H

#include "task/task.h"

/* Values of a class label, numbered in the order in which they are met. */
typedef struct {
    fl_map64 at;     /* value's hash -> 1 + number */
    uint64_t *value; /* [n] fl_category_hash */
    uint32_t n;
    size_t cap;
} fl_classes;

void fl_classes_free(fl_classes *c);
/* Number of a value; UINT32_MAX: no memory. */
uint32_t fl_classes_of(fl_classes *c, uint64_t value);

bool fl_rule_fits(const fl_event_rule *r, const fl_log *log, uint64_t row);
/* Is there an event of the rule in [from, to) for this entity, other than row `but`? */
bool fl_has_event(const fl_log *log, const fl_event_rule *r, int kind, uint32_t entity,
                  int64_t from, int64_t to, uint64_t but);
/* Does the entity belong to a task's population at a date? */
bool fl_belongs(const fl_task *t, const fl_log *log, uint32_t entity, int64_t at);
/* FLORIN_EINPUT when the time that is looked ahead from the last moment ends after the log. */
florin_status fl_horizon_check(const fl_task *t, const fl_log *log, int64_t last_us,
                               florin_error *err);
/* The answer of t's outcome for an entity over [from, from + horizon), other than row `but`: 0 or 1; a sum or an amount in
 * major units (unit: of a minor one); a count; days until the event, the horizon's when there is none; a class's number.
 * NAN: no answer (the next amount or class of an entity without such an event, or no memory). */
float fl_answer_of(const fl_task *t, const fl_log *log, uint32_t entity, int64_t from, uint64_t but,
                   double unit, fl_classes *classes);
/* Of the judged event itself: its mark, or its field's class; NAN: the field is empty. */
float fl_answer_own(const fl_task *t, const fl_log *log, uint64_t row, fl_classes *classes);

#endif
