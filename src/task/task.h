/* A task: who is judged, when, by which label, and how honestly. Read from YAML (docs/tasks.md). */
#ifndef FL_TASK_H
#define FL_TASK_H

#include "data/log.h"

enum {
    FL_CUTS_MAX = 400,
    FL_PERIODS_MAX = 8, /* of validation, and as many of test */
    FL_JUDGED_MAX = 2 * FL_PERIODS_MAX,
    FL_WHERE_MAX = 4,
    FL_CHOICES_MAX = 4, /* values of one metric: precision at 100, 1000 ... */
    FL_TASK_SQL_MAX = 4096,
    FL_TASK_FEATURES_MAX = 16384
};

/* "Some event of this type, with or without a mark, with these values, of at least this amount". type -1: any; mark -1:
 * no condition. */
typedef struct {
    int type, mark;
    bool without;
    uint32_t wheres;
    uint8_t field[FL_WHERE_MAX];
    uint64_t value[FL_WHERE_MAX]; /* fl_category_hash */
    int64_t amount_from;          /* minor units; FL_AMOUNT_NONE: no condition */
} fl_event_rule;

typedef struct {
    int64_t from_us, to_us; /* [from, to) */
} fl_period;

/* What is predicted: a yes or no; an amount or a number; a time until something, cut off at a horizon; one of some
 * values: these three are given as a distribution (dist.h). Or a ranking of items (items.h). */
typedef enum {
    FL_TASK_BINARY,
    FL_TASK_NUMBER,
    FL_TASK_TIME,
    FL_TASK_CLASS,
    FL_TASK_ITEMS,
    FL_TASK_ALIKE /* who resembles whom: learnt from no label (src/similar) */
} fl_task_answer;
typedef enum {
    FL_IS_PRESENT,
    FL_IS_ABSENT,
    FL_IS_SUM,
    FL_IS_COUNT,
    FL_IS_AMOUNT, /* of the next such event */
    FL_IS_TIME,   /* days until it */
    FL_IS_CLASS,  /* its value of a field */
    FL_IS_ITEMS   /* all values of a field within the time, or with none in the next basket */
} fl_outcome_is;

typedef struct fl_task {
    char name[64], data[64], about[256];
    bool per_event;
    fl_event_rule moment; /* per event: which events are judged */
    int kind;             /* at dates: which entities */
    fl_event_rule active; /* at dates: who belongs: such an event within active_us before it */
    int64_t active_us;
    /* The label is one of four: the log's own (label >= 0); what such events of the entity in [moment, moment + horizon)
     * say (has_outcome; of an event its outcome_kind, the event itself left out); the judged event's own mark or `after`
     * field (own); or what a SELECT says (sql). */
    int label;
    fl_task_answer answer;
    bool has_outcome, own;
    fl_outcome_is is;
    int of, own_mark; /* category field of a class or of items; mark of `own`, -1: none */
    int group;        /* items: field whose value events of one basket share; -1: their time */
    fl_event_rule outcome;
    int outcome_kind;
    int64_t horizon_us;
    char sql[FL_TASK_SQL_MAX], sql_place[128]; /* place: file:line of it, for messages */
    int64_t label_delay_us;                    /* how much later than that a label is known */
    /* A SELECT of further inputs, of tables without a clock (sql_features.h); "": none */
    char features[FL_TASK_FEATURES_MAX], features_place[128];

    fl_period train;                 /* to INT64_MAX: up to each judged period */
    int64_t gap_us;                  /* training ends so long before a judged period begins */
    fl_period period[FL_JUDGED_MAX]; /* judged: validations, then tests, each in order of time */
    uint32_t validates, tests;
    int64_t step_us;  /* at dates: distance of the dates inside a period */
    char folds[256];  /* CSV of id,fold; "" = by time */
    double negatives; /* share of genuine training rows kept (weighted back) */

    int drop_kind; /* removal rule: entity kind whose known bad cases leave what is judged; -1: none */
    int64_t drop_since_us; /* a moment; INT64_MIN: drop_before_us before the period */
    int64_t drop_before_us, drop_lag_us;
    int cluster;                  /* entity kind of the bootstrap; -1: payer */
    double cost_miss, cost_alert; /* in major units; miss 0: the amount of the event */
    char head[16];                /* trees, probe, blend */
    /* all, fold, sequence (surprise, tails and embedding alone), fold+surprise (no embedding), fold+embedding (no surprise, no
     * tails) */
    char inputs[16];
    char baseline[64]; /* the simplest answer: an input, recency, amount, prior; "": none */

    uint32_t card_k, precisions, fprs, moneys;
    uint32_t precision_at[FL_CHOICES_MAX];
    double fpr[FL_CHOICES_MAX], money_at[FL_CHOICES_MAX];
} fl_task;

#define FL_TASK_INPUTS "all, fold, sequence, fold+surprise or fold+embedding"
bool fl_task_inputs_known(const char *inputs);
florin_status fl_task_load(fl_task *out, const char *path, const fl_schema *schema,
                           florin_error *err);
/* The same from memory; `name` stands for the file in messages. */
florin_status fl_task_parse(fl_task *out, const char *text, size_t n, const char *name,
                            const fl_schema *schema, florin_error *err);
/* First moment that is scored for a figure of the test. */
int64_t fl_task_first_test(const fl_task *t);
/* Rows before this moment may be learnt from for judged period j. */
int64_t fl_task_train_end(const fl_task *t, uint32_t j);
/* Every date of the task later (or earlier) by so much. */
void fl_task_shift(fl_task *t, int64_t by_us);

#endif
