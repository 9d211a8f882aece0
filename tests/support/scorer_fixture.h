/* A scorer of score_fixture.h's log and model, for the tests of florin_scorer. */
#ifndef SCORER_FIXTURE_H
#define SCORER_FIXTURE_H

#include "support/score_fixture.h"

enum { HEADS = 2, BATCH = 64 }; /* heads on events; a batch at most */

/* Set by scorer_set_up: path of the log, path of the model, and the model. */
extern const char *scorer_log, *scorer_model_path;
extern florin_model *scorer_model;
int scorer_set_up(void **state);
int scorer_tear_down(void **state);

/* Options with room for so many entities, twice as many pairs and 5,000 pending events (300 if there are few). */
florin_scorer_options small_scorer(uint32_t most, florin_full full);
florin_scorer *open_scorer(const florin_scorer_options *o); /* NULL: roomy */
/* The bytes of a scorer's state: two scorers in the same state have the same. Freed by the caller. */
char *bytes_of(const florin_scorer *s, size_t *n);
void same_state(const florin_scorer *a, const florin_scorer *b);
void score_one(florin_scorer *s, const florin_event *e, florin_head_score *out);

/* The first payment of the log, and numbers of names. */
typedef struct {
    score_feed feed;
    florin_event payment;
    uint32_t card, merchant, category, declined, fraud, login, income;
} names;
void names_open(names *x, florin_scorer *s);

#endif
