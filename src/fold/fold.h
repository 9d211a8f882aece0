/* The fold: what is known of every entity before an event, as numbers, in O(1) time and space per event.
 *
 * Families (shared design 1.2): decayed counters at 1 h, 1 d, 7 d, 30 d (and their rates); the entity's own robust
 * normal and runs of high ratios; edges of the visible labels; labels that arrive with their event's scores
 * (explaining away); one-hop counterparty reads; novelty; visits and gaps; calendar.
 * Invariant: every feature is finite; "never" and "unknown" are -1 in ages and shares. A feature reads the state
 * before the event, plus the event's own amount, time, and entities; never its marks, labels or `after` fields. */
#ifndef FL_FOLD_H
#define FL_FOLD_H

#include "data/log.h"

enum {
    FL_FOLD_RECORD_BYTES = 512,
    FL_FOLD_LABEL_BYTES = 128, /* of a record: what a label changes lies in its beginning */
    FL_FOLD_VERSION = 1,       /* of a plan in JSON */
    FL_FOLD_RECORD_VERSION = 2,
    FL_FOLD_FEATURES_MAX = 1280
};

typedef struct {
    _Alignas(64) uint8_t bytes[FL_FOLD_RECORD_BYTES];
} fl_fold_record; /* all zero = an entity never seen */

/* What an event leaves for its labels to bring back: kept with the event (log row, journal), not with an entity. */
typedef struct {
    uint32_t entity[FL_KINDS_MAX];
    int64_t time_us;
    float z[FL_KINDS_MAX]; /* surprise of the amount for that entity's own normal, robust units */
    float explain;         /* 0..1: how much the payer explains a bad label of this event */
    float label[2];        /* last risk-label value seen (NaN-free: -1 none), spare */
} fl_fold_carry;

typedef struct {
    char name[96];     /* stable code, e.g. "card.amount_over_normal" */
    char unit[24];     /* "days", "ratio", "count", "share" ... */
    char meaning[160]; /* one line in plain words */
    int kind;          /* entity kind it is about, -1: the event itself, -2: pair */
    bool read;         /* also defined for an entity at a date, without an event (fl_fold_read) */
} fl_fold_feature;

/* Learned constants (amount scale, quantiles for "high", prior means): fitted on rows before a moment, kept in
 * the model file, so that nothing is a constant of a known data set. */
typedef struct fl_fold_plan fl_fold_plan;

/* Plan from a schema, with neutral constants. */
florin_status fl_fold_plan_new(fl_fold_plan **out, const fl_schema *schema, florin_error *err);
/* Learn the constants from events with time < until_us and labels with arrival < until_us, nothing later. */
florin_status fl_fold_plan_fit(fl_fold_plan *plan, const fl_log *log, int64_t until_us,
                               const florin_context *ctx, florin_error *err);
json_t *fl_fold_plan_to_json(const fl_fold_plan *plan);
florin_status fl_fold_plan_from_json(fl_fold_plan **out, const fl_schema *schema, const json_t *j,
                                     florin_error *err);
void fl_fold_plan_free(fl_fold_plan *plan);

uint32_t fl_fold_features(const fl_fold_plan *plan);
const fl_fold_feature *fl_fold_feature_at(const fl_fold_plan *plan, uint32_t i);
/* Subset for one entity kind at a date (fl_fold_read): count, and the index of each in the list above. */
uint32_t fl_fold_read_features(const fl_fold_plan *plan, int kind);
uint32_t fl_fold_read_feature(const fl_fold_plan *plan, int kind, uint32_t i);

/* One step. rec[k]: the record of event->entity[k], NULL where absent; pair[p]: record of the pair or NULL.
 * features [fl_fold_features] out; carry out. Records are updated. Allocates nothing. */
void fl_fold_event(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, const fl_event *event, int64_t clock_us,
                   float *features, fl_fold_carry *carry);
/* A risk label arrives (or is corrected: carry->label[0] holds the last value). clock_us = time of arrival as the
 * stream knows it. Updates rec[k] and carry. */
void fl_fold_label(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, fl_fold_carry *carry, float value,
                   int64_t clock_us);
/* Marks of an event become known after it was applied (declined, cancelled): counted as of clock_us, and the amount (minor
 * units, FL_AMOUNT_NONE: none) no longer as one that went through. before: the event's marks so far; fresh: those that
 * are new. Gaps between visits keep the event: a log that had the marks at once differs there. */
void fl_fold_marks(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, const fl_fold_carry *carry, uint8_t before,
                   uint8_t fresh, int64_t amount_minor, int64_t clock_us);
/* Features of an entity at a date: [fl_fold_read_features(kind)]. The record is not changed. */
void fl_fold_read(const fl_fold_plan *plan, int kind, const fl_fold_record *rec, int64_t at_us,
                  float *out);
/* Ratio to the own normal from which an amount of this kind counts as high: for reasons. */
float fl_fold_high_ratio(const fl_fold_plan *plan, int kind);
/* False: a record read from a file holds a number that is not finite. */
bool fl_fold_record_sound(const fl_fold_record *rec);

/* Major units in one minor unit of the schema's currency: 0.01 for EUR. */
float fl_fold_unit(const fl_schema *schema);

/* Key of a pair of entities (their fl_event.entity_hash), for pair tables; never 0. Features may only depend on
 * entity_hash, never on the dense numbers of event->entity, which differ between a log and a live stream. */
static inline uint64_t fl_pair_key(uint64_t a, uint64_t b)
{
    return fl_mix64(a ^ fl_mix64(b)) | 1;
}

#endif
