/* A simulated log, a model with random weights and random heads for it, and the log's events and labels as a client of
 * florin.h would hand them in. */
#ifndef SCORE_FIXTURE_H
#define SCORE_FIXTURE_H

#include "data/log.h"
#include "fold/replay.h"

enum { SCORE_EVENTS = 3000 };

/* LOG of SCORE_EVENTS simulated events; its path. */
const char *score_log(void);
/* A model for the schema of a log: network drawn by seed, heads "fraud" (trees) and "again" (trees) on events, "churn" on
 * cards at a date. head_seed draws the heads. Returns path. */
const char *score_model(const char *path, const char *log, uint64_t seed, uint64_t head_seed);
/* The same with states and encoder of width h, and so many trees in each head. */
const char *score_model_of(const char *path, const char *log, uint32_t h, uint32_t trees,
                           uint64_t seed, uint64_t head_seed);

/* A log's steps in its order. */
typedef struct {
    fl_log *log;
    fl_order *order;
    uint64_t row;
    char text[64][96]; /* what the event's values point at */
    florin_value value[64];
    char id[96];
    uint32_t field[4][32], type[16], label[8]; /* florin_scorer_find's numbers */
} score_feed;
void score_feed_open(score_feed *f, const char *log, const florin_scorer *names);
void score_feed_close(score_feed *f);
/* FL_STEP_EVENT: *event, FL_STEP_LABEL: *label; valid until the next call. */
fl_step score_feed_next(score_feed *f, florin_event *event, florin_label_arrival *label);

#endif
