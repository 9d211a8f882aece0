/* A small schema and a model with random weights, for tests that need a model but no training. */
#ifndef MODEL_FIXTURE_H
#define MODEL_FIXTURE_H

#include "model/model.h"

/* card pays merchant; fields mcc, country, shop (a large vocabulary, so factored), `after` field code; number
 * distance; types payment, refund. The same every time. Freed by fl_schema_free. */
fl_schema *fixture_schema(void);
enum { FIXTURE_INT8 = 1000, FIXTURE_TRANSFORMER = 2000 };
/* Save a model for the schema with weights drawn by seed (odd: with copy; FIXTURE_INT8 more: the same weights in 8 bits;
 * FIXTURE_TRANSFORMER more: with two blocks over six events in place of the GRU);
 * returns path. Fails the test on any error. */
const char *fixture_model(const char *path, const fl_schema *s, uint32_t h, uint32_t d,
                          uint64_t seed);
/* A random event of the schema: some fields missing, some values unknown, entities among 0..entities-1. */
void fixture_event(fl_rng *r, const fl_schema *s, uint32_t entities, int64_t time_us,
                   fl_event *out);

/* A log of FIXTURE_EVENTS such events, one every FIXTURE_STEP, in that many segments, with late labels; event ids are
 * "event 0", "event 1" ... The same events whatever the segments. */
enum { FIXTURE_EVENTS = 600, FIXTURE_ENTITIES = 30 };
#define FIXTURE_START (1600000000 * FL_SECOND_US)
#define FIXTURE_STEP  (977 * FL_SECOND_US)
fl_log *fixture_log(const char *name, int segments);

#endif
