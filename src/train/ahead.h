/* The objective of several future events: from the state after event t, what the entity's next K events hold together.
 * Of each category field and of the event's type: which values are among them (a logistic loss for each of the
 * FL_AHEAD_TOKENS - 1 most frequent and one for all the rest); the logarithm of the sum of their amounts and of the time until
 * the last of them, both standardised (half the square of the error).
 * Why a bag and not K more predictions in order: it costs one product of at most FL_AHEAD_TOKENS columns a field
 * whatever K is, where K softmaxes over whole vocabularies would multiply the dearest part of a step by K; and what tasks ask
 * of the future (will it happen within, how much in all, how long until) is what the bag says.
 * A position whose next K events do not all lie among those that may be trained on has no such loss: that nothing more
 * is known of an entity is no fact about it. */
#ifndef FL_AHEAD_H
#define FL_AHEAD_H

#include "train/net.h"

enum { FL_AHEAD_MOST = 64 }; /* the largest K */

typedef struct fl_ahead {
    uint32_t events;            /* K */
    uint32_t *next[FL_STREAMS]; /* [rows] next row of the entity that may be trained on */
    double mean[FL_STREAMS][2],
        scale[FL_STREAMS][2];       /* of the sum and of the time, as logarithms */
    uint64_t positions[FL_STREAMS]; /* that were looked at for these: 0: too short histories */
    double *share[FL_STREAMS];      /* [columns] how often a value is among the next */
} fl_ahead;

/* net: with heads for it (fl_net_new_ahead). FLORIN_EINPUT: no history is long enough. */
florin_status fl_ahead_new(fl_ahead **out, const fl_rows *rows, const fl_net *net, uint32_t events,
                           florin_error *err);
void fl_ahead_free(fl_ahead *a);
/* Biases of a stream's heads from how often each value is among the next. */
void fl_ahead_bias(const fl_ahead *a, fl_net *net, int stream);

#endif
