/* A task: who is judged, when, by which label, and how honestly. Read from YAML (docs/tasks.md). */
#ifndef FL_TASK_H
#define FL_TASK_H

#include "data/log.h"

enum { FL_CUTS_MAX = 400 };

/* "Some event of this type, with or without a mark". type -1: any; mark -1: no condition. */
typedef struct {
    int type, mark;
    bool without;
} fl_event_rule;

typedef struct {
    int64_t from_us, to_us; /* [from, to) */
} fl_period;

typedef struct fl_task {
    char name[64], data[64];
    bool per_event;
    fl_event_rule moment; /* per event: which events are judged */
    int kind;             /* at dates: which entities */
    fl_event_rule
        active; /* at dates: who belongs: such an event within active_us before the date */
    int64_t active_us;
    fl_event_rule outcome; /* at dates: such an event in [date, date + horizon) */
    int64_t horizon_us;
    bool outcome_absent; /* positive = no such event (churn) */
    int label;           /* per event: number of the log's label */
    fl_period train, validate, test;
    bool has_validate;
    int64_t step_us;     /* at dates: distance of the dates inside train and test */
    char folds[256];     /* at dates: CSV of id,fold; "" = by time */
    uint32_t fold_count; /* with folds */
    double negatives;    /* share of genuine training rows kept (weighted back) */
    int drop_kind; /* removal rule: entity kind whose known bad cases leave the test; -1: none */
    int64_t drop_since_us, drop_lag_us;
    int cluster;                  /* entity kind of the bootstrap; -1: payer */
    double cost_miss, cost_alert; /* in major units; miss 0: the amount of the event */
    char head[16];                /* trees, probe, blend */
    uint32_t card_k;
} fl_task;

florin_status fl_task_load(fl_task *out, const char *path, const fl_schema *schema,
                           florin_error *err);
/* First moment that is scored for a figure: the test's, or with folds the date itself. */
int64_t fl_task_first_test(const fl_task *t);

#endif
