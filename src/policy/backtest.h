/* What a policy would have done to a log: per rule and threshold the events that match, what became of them, the money in them, and
 * how rules overlap. Columnar: over stored scores (columns.h), block by block, all cores. */
#ifndef FL_POLICY_BACKTEST_H
#define FL_POLICY_BACKTEST_H

#include "data/log.h"
#include "policy/policy.h"

typedef struct {
    const char *folder;     /* of stored columns */
    const char *label;      /* whose bad value is a dispute; NULL: the schema's risk label */
    const char *type;       /* events of this type; NULL: all that the label speaks of */
    int64_t from_us, to_us; /* events in [from, to) */
    int64_t
        matured_us; /* above 0: events without a label that are older than this at the log's end count as good */
} fl_backtest_options;

/* Amounts in minor units of the schema's currency; those in others are not added. good: the label says so; unknown: no label came. */
typedef struct {
    uint64_t events, disputed, good, unknown, refunded, declined;
    int64_t amount, amount_disputed, amount_good;
} fl_tally;

typedef struct {
    const char *name, *text;
    uint8_t action;
    fl_tally matched;
    fl_tally decided; /* those that it is the one to decide */
    uint64_t alone;   /* matched by nothing else */
} fl_backtest_item;

typedef struct {
    fl_tally all, action[FL_ACTIONS];
    uint32_t items; /* rules in the file's order, then thresholds */
    fl_backtest_item *item;
    uint64_t *overlap;      /* [items][items]: matched by both */
    bool refunds, declines; /* the log knows of them */
    bool metadata;          /* a rule reads metadata, which a log does not have: missing */
    uint32_t made;          /* columns that had to be computed */
    double seconds;         /* of the rules alone, columns being there */
    char label[FL_NAME_MAX];
} fl_backtest;

/* model NULL: the policy was read without one, which a backtest can't use: FLORIN_EUSAGE. Errors: FLORIN_EINPUT no such label or
 * type; those of fl_columns_open. */
florin_status fl_backtest_run(fl_backtest *out, const fl_policy *p, const fl_model *m,
                              const fl_log *log, const fl_backtest_options *opt,
                              const florin_context *ctx, florin_error *err);
void fl_backtest_free(fl_backtest *b);

#endif
