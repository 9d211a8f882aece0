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
    _Alignas(16) float fade[LANES]; /* of the events' sums, then of the labels' */
    float fade_90d;                 /* of the events' */
    int64_t clock_us;
    uint32_t now_s;
} view;

/* The event's amount against an entity's own normal. */
typedef struct {
    float normal, log_ratio; /* 0 where unknown */
} against;

static inline void fl_fold_view(view *v, const record *r, const moment *m, int64_t clock_us,
                                uint32_t now_s)
{
    float by[LANES];
    v->r = r;
    v->clock_us = clock_us;
    v->now_s = now_s;
    memcpy(v->fade, m->fade, sizeof v->fade);
    v->fade_90d = m->fade[LANE_90D];
    if (epochs_behind(m, r->epoch, by)) {
        for (int s = 0; s < SCALES; s++) v->fade[s] = by[s] * m->fade[s];
        v->fade_90d = by[LANE_90D] * m->fade[LANE_90D];
    }
    if (epochs_behind(m, r->label_epoch, by))
        for (int s = LABEL_LANE; s < LANES; s++) v->fade[s] = by[s] * m->fade[s];
}
/* Everything that a record says without an event: fills the slots marked as read. */
void fl_fold_read_state(const fl_fold_plan *plan, const kind_plan *k, const view *v, float *f);
/* The other slots. f holds what fl_fold_read_state gave. */
against fl_fold_read_event(const kind_plan *k, const view *v, const step *s, float log_ratio,
                           float *f);
/* The amount over the own normal, of which fl_fold_read_event wants the logarithm; 1 where there is none. */
static inline float ratio_of(const kind_plan *k, const record *r, const step *s)
{
    float normal = normal_mean(k, &r->normal);
    return s->amount > 0 && normal > 0 ? s->amount / normal : 1;
}

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
