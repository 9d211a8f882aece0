/* The rows that pretraining sees, encoded once: tokens, fixed-point numbers, and each stream's sequences. */
#ifndef FL_ROWS_H
#define FL_ROWS_H

#include "fold/replay.h"
#include "model/network.h"
#include "train/scratch.h"
#include "train/train.h"

enum { FL_FIXED_ONE = 3200 }; /* number inputs lie in [-10, 10]: int16 steps of 1/3200 */
#define FL_NO_ROW UINT32_MAX

/* What followed an entity's row: its next gap, and what a copy of its recent gaps, as inference keeps them, says of that. */
enum {
    FL_GAP_NEVER = 0,
    FL_GAP_SAME = 1
}; /* in place of a token: nothing came by valid_from_us; the same moment */
typedef struct {
    float
        answer; /* share of recent gaps that are this one, or, of FL_GAP_NEVER, longer than the time that has passed */
    float moments; /* share of those that lead to another moment */
    uint8_t gap;   /* token */
} fl_return;

typedef struct {
    uint32_t entities;
    uint64_t *start; /* [entities + 1] into row */
    uint32_t *row;   /* rows of an entity in log order */
    uint64_t *hash;  /* [entities] keyed hash of the identifier */
    uint8_t *unseen; /* [entities] 1: never trained on */
    uint64_t rows;   /* all entities together */
    /* [rows of the log][targets]: how much of the entity's recent tokens before the row is the row's own token, as
     * inference keeps them (fl_copy_share); 0 where the entity has no earlier event. */
    const float *share;
    fl_scratch share_block;
    /* Only where the configuration has `silence`. */
    fl_return *next; /* [rows of the log] of rows that may be trained on */
    double
        moments; /* rows that may be trained on, to those of them after which the entity's moment is over */
} fl_sequences;

typedef struct {
    uint8_t type, amount, hour, weekday, day;
} fl_small_tokens;

typedef struct {
    uint32_t count, train; /* rows; rows before valid_from_us: [0, train) may be trained on */
    uint32_t categories, numbers; /* numbers: fl_network_numbers */
    int64_t valid_from_us, first_us, last_us;
    int64_t *time_us;       /* [count] */
    uint32_t *category;     /* [count][categories] */
    fl_small_tokens *small; /* [count] */
    int16_t *number;        /* [count][numbers] */
    fl_scratch number_block;
    fl_sequences stream[FL_STREAMS];
    char hash[65];   /* of the events and labels used */
    uint64_t labels; /* labels known before T */
} fl_rows;

/* Fits the fold plan, vocabularies, bins and scales on the training rows, then encodes all rows before T. *network and
 * *plan are the caller's to free. Not enough rows is FLORIN_EINPUT. */
florin_status fl_rows_build(fl_rows **out, fl_network **network, fl_fold_plan **plan,
                            const fl_log *log, const fl_train_config *config, const char *folder,
                            const florin_context *ctx, florin_error *err);
/* The same rows for a network and plan that are trained already: all events before until_us, none held out. shares: with
 * what the next-event heads copy from. */
florin_status fl_rows_of(fl_rows **out, const fl_network *network, const fl_fold_plan *plan,
                         const fl_log *log, int64_t until_us, bool shares, const char *folder,
                         const florin_context *ctx, florin_error *err);
void fl_rows_free(fl_rows *r);

/* Steps of it, also used by tests. */
florin_status fl_network_fit(fl_network *n, const fl_log *log, uint32_t rows, uint32_t vocabulary,
                             florin_error *err);
/* Target's token of a row; previous: the row before it in the stream's sequence, FL_NO_ROW if none. */
uint32_t fl_rows_target(const fl_rows *r, const fl_target *t, uint32_t row, uint32_t previous);
uint32_t fl_rows_gap(const fl_rows *r, uint32_t row, uint32_t previous);
/* Microseconds from a row to valid_from_us, at least 0. */
double fl_rows_passed(const fl_rows *r, uint32_t row);

#endif
