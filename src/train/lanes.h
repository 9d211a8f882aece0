/* Which event comes next in which lane: sequences of very different lengths are packed one after the other, so that no
 * position of a training window is empty. */
#ifndef FL_LANES_H
#define FL_LANES_H

#include "train/net.h"

enum {
    FL_BURN_IN = 16
}; /* events of context after a start in the middle of a long history, without loss */

typedef struct {
    uint64_t from, at, to; /* of fl_sequences.row; from is the history's start or a cut */
    uint64_t first;        /* the entity's start */
} fl_lane;

typedef struct {
    const fl_sequences *sequences;
    uint32_t train;      /* rows below it may be trained on */
    uint64_t seed, rows; /* rows: one epoch */
    uint64_t epoch, cursor;
    uint32_t units, lanes;
    struct fl_unit *unit; /* [units] pieces of histories, in this epoch's order */
    fl_lane *lane;        /* [lanes] */
} fl_lanes;

/* Histories longer than an epoch's share of one lane are cut, so that no lane is left with one history for ever. */
florin_status fl_lanes_new(fl_lanes **out, const fl_rows *rows, int stream, uint32_t lanes,
                           uint64_t seed, florin_error *err);
void fl_lanes_free(fl_lanes *l);
/* Fill the windows of `workers` shares (equal lanes each) with the next steps. Weights are 1 / number of positions with
 * loss, so that gradients of all shares add up to the mean's. Returns that number. */
uint64_t fl_lanes_next(fl_lanes *l, fl_worker *const *worker, uint32_t workers, uint32_t steps);
/* For checkpoints: epoch, cursor and lanes are the state; this orders the units of l->epoch again. */
void fl_lanes_order(fl_lanes *l);

#endif
