/* What score_main.c and state_main.c share: events as a client of florin.h makes them, and the clock. */
#ifndef BENCH_LIVE_H
#define BENCH_LIVE_H

#include <florin.h>
#include <inttypes.h>
#include <stdint.h>

enum { BATCH = 64, ENTITIES_MAX = 4, CATEGORIES = 3, HEADS_MAX = 64 };

typedef struct {
    florin_scorer *scorer;
    uint32_t payment, entities, entity[ENTITIES_MAX], category[CATEGORIES];
    uint64_t random, number;
    int64_t time_us;
    florin_event event[BATCH];
    florin_value value[BATCH][ENTITIES_MAX + CATEGORIES];
    char text[BATCH][1 + ENTITIES_MAX][24];
    florin_head_score scores[BATCH * HEADS_MAX];
    florin_status item[BATCH];
} live;
#define LIVE_INIT                                                                                  \
    {                                                                                              \
        .time_us = INT64_C(1750000000000000), .random = 1                                          \
    }

/* Ends the program with the status as its code, unless it is FLORIN_OK. */
void check(florin_status st, const florin_error *err);
uint64_t draw(live *b, uint64_t below);
double now_us(void);
/* The value at share (0 .. 1) of n >= 1 values, which are sorted. */
double quantile(double *values, size_t n, double share);

/* Opens a scorer; events will have these kinds of entities. batch_max is BATCH. */
void open_live(live *b, florin_model *model, florin_scorer_options *o, const char *const *kind,
               uint32_t kinds);
/* The i-th event of a batch: a payment by entities that are named "KIND-NUMBER". */
void fill(live *b, uint32_t i, const uint64_t *number);
/* Scores the first n; microseconds of the call. */
double score(live *b, uint32_t n);

#endif
