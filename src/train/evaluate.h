/* Forward passes over whole histories: held-out nats. */
#ifndef FL_EVALUATE_H
#define FL_EVALUATE_H

#include "train/net.h"

typedef struct {
    double nats[FL_SLICES][FL_TARGETS_MAX]; /* sums of -log p */
    uint64_t events[FL_SLICES];
} fl_nats;

/* Slice of an event (0 .. FL_SLICES-1), -1: context only. position: how many events of the entity came before. */
typedef int (*fl_slice)(void *arg, uint32_t entity, uint64_t position, uint32_t row);

typedef struct {
    int stream;
    fl_slice slice;
    void *arg;
    const uint8_t *skip; /* [entities] 1: leave out; NULL: none */
    uint32_t threads;
    const florin_context *ctx;
    const char *stage; /* of the progress, NULL: none */
} fl_evaluation;

/* Entities are dealt to a fixed number of shares, so the sums do not depend on threads. */
florin_status fl_evaluate(const fl_net *net, const fl_rows *rows, const fl_evaluation *e,
                          fl_nats *out, florin_error *err);

/* The slices of a pretraining: rows of the later slice of seen entities, and all rows of unseen ones. */
enum { FL_LATER = 0, FL_UNSEEN = 1 };
typedef struct {
    const fl_rows *rows;
    int stream;
} fl_held_out;
int fl_held_out_slice(void *held_out, uint32_t entity, uint64_t position, uint32_t row);
/* Choose entities so that at most `most` of their events are passed through, preferring none; entities without an event
 * in a slice are always skipped. skip [entities]. Returns the number of events in slices that remain. */
uint64_t fl_held_out_choose(const fl_rows *rows, int stream, uint64_t most, uint8_t *skip);

#endif
