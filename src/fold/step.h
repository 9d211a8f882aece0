/* What all records of one event share. Private to src/fold. */
#ifndef FL_FOLD_STEP_H
#define FL_FOLD_STEP_H

#include "fold/plan.h"

typedef struct {
    int64_t clock_us, time_us;
    moment at;
    uint32_t now_s; /* stamp of the clock */
    uint32_t second_of_day, hour_bin;
    bool has_amount;
    uint8_t marks;
    float amount;                 /* major units; 0 without one */
    float log_amount;             /* of amount over the typical one; 0 unless amount > 0 */
    uint64_t value[NOVEL_FIELDS]; /* mixed hashes of the novelty fields' values, 0: missing */
} step;

/* A record as seen at a moment: what its sums are multiplied by. */
typedef struct {
    const record *r;
    float event[COLUMNS], label[COLUMNS];
    int64_t clock_us;
    uint32_t now_s;
} view;

/* The event's amount against an entity's own normal. */
typedef struct {
    float normal, log_ratio; /* 0 where unknown */
} against;

view fl_fold_view(const record *r, const moment *m, int64_t clock_us, uint32_t now_s);
/* Everything that a record says without an event: fills the slots marked as read. */
void fl_fold_read_state(const fl_fold_plan *plan, const kind_plan *k, const view *v, float *f);
/* The other slots. f holds what fl_fold_read_state gave. */
against fl_fold_read_event(const kind_plan *k, const view *v, const step *s, float *f);

/* Set the bit of `hash` in a map of `bits` bits; true if it was not set. */
static inline bool map_add(uint64_t *map, uint32_t bits, uint64_t hash)
{
    uint32_t i = (uint32_t)(((hash >> 32) * bits) >> 32);
    uint64_t bit = (uint64_t)1 << (i & 63);
    bool fresh = !(map[i >> 6] & bit);
    map[i >> 6] |= bit;
    return fresh;
}
static inline bool map_has(const uint64_t *map, uint32_t bits, uint64_t hash)
{
    uint32_t i = (uint32_t)(((hash >> 32) * bits) >> 32);
    return map[i >> 6] >> (i & 63) & 1;
}

#endif
