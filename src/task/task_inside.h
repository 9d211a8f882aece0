/* Inside of reading a task file, shared by task.c and task_label.c. */
#ifndef FL_TASK_INSIDE_H
#define FL_TASK_INSIDE_H

#include "base/yaml.h"
#include "task/task.h"

typedef struct {
    const fl_schema *s;
    fl_task *t;
    florin_error *err;
} fl_task_loader;

typedef enum {
    FL_TASK_TYPES,
    FL_TASK_MARKS,
    FL_TASK_KINDS,
    FL_TASK_LABELS,
    FL_TASK_CATEGORIES
} fl_task_table;
/* Position of a name in one of the schema's tables; *st tells why it is -1. */
int fl_task_named(fl_task_loader *l, const fl_yaml *y, fl_task_table which, const char *name,
                  florin_status *st);
/* The entity kind under a key; -1: the key is not there, or *st says why. */
int fl_task_kind_named(fl_task_loader *l, const fl_yaml *y, const char *key, florin_status *st);
/* The keys of an event rule inside a map that may hold others too (which the caller has checked). */
#define FL_TASK_RULE_KEYS "event", "with", "without", "where", "amount_from"
florin_status fl_task_event_rule(fl_task_loader *l, const fl_yaml *y, fl_event_rule *r);
/* A time of 0 to 100 years: sums of a date and a few of these can't overflow. *us stays without the key. */
florin_status fl_task_span(fl_task_loader *l, const fl_yaml *y, const char *key, int64_t *us);

/* task_label.c: `label` and `label_delay` of the file; the map under `features`, NULL: none. */
florin_status fl_task_label(fl_task_loader *l, const fl_yaml *top);
florin_status fl_task_features(fl_task_loader *l, const fl_yaml *y);

#endif
