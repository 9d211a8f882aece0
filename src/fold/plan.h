/* The plan's insides and the feature slots: private to src/fold.
 *
 * A step computes one block of SLOT_COUNT values per entity kind; the plan says which of them this schema has (no
 * marks, no label, no categories: no such columns) and where they go. Slots are never saved by number, only by name. */
#ifndef FL_FOLD_PLAN_H
#define FL_FOLD_PLAN_H

#include "fold/record.h"

enum {
    TAIL_EDGES =
        14, /* quantiles 1 - 2^-k, k = 1..14: half of the bins describe the last hundredth */
    TAIL_BINS = TAIL_EDGES + 1,
    BLOCKS_MAX = FL_KINDS_MAX + FL_PAIRS_MAX,
    /* own fields (own.c): of at most so many values each */
    OWN_FIELDS_MAX = 16,
    OWN_VALUES_MAX = 24,
    OWN_SLOTS = 64
};

/* The known values of a small category field, in order, and a table to find them by. */
typedef struct {
    char name[FL_NAME_MAX];
    int field;
    uint32_t n;
    uint64_t value[OWN_VALUES_MAX], slot[OWN_SLOTS];
    uint8_t place[OWN_SLOTS];
} own_values;

/* A value's place in the upper tail of what was seen before the plan's moment, and how much of the bad labels there
 * are due to being there. */
typedef struct {
    float edge[TAIL_EDGES];
    float explain[TAIL_BINS]; /* attributable fraction, not decreasing */
} tail;

typedef struct {
    float mean;               /* prior of the own normal, major units; 0: none */
    float spread;             /* prior of the mean absolute log ratio */
    float clip;               /* ratio past which an amount barely moves the normal */
    float high;               /* ratio from which an event counts as high */
    float log_clip, log_high; /* their logarithms */
    tail ratio;               /* log ratio of the amount to the own normal */
} kind_plan;

/* Slots of the event itself. */
enum {
    E_AMOUNT,
    E_AMOUNT_TAIL,
    E_HOUR,
    E_WEEKDAY,
    E_WEEKEND,
    E_MONTH_DAY,
    E_TYPE,
    E_FOREIGN,
    E_EXPLAIN,
    E_COUNT
};

/* Slots of an entity kind or a pair. */
enum {
    /* activity */
    F_EVENTS,
    F_TENURE,
    F_SINCE,
    F_COUNT_1H,
    F_COUNT_1D,
    F_COUNT_7D,
    F_COUNT_30D,
    F_COUNT_90D,
    F_MEAN_1H,
    F_MEAN_1D,
    F_MEAN_7D,
    F_MEAN_30D,
    F_OVER_MEAN_1H,
    F_OVER_MEAN_1D,
    F_OVER_MEAN_7D,
    F_OVER_MEAN_30D,
    F_LOG_Z,
    F_SUM_1D,
    F_SUM_7D,
    F_SUM_30D,
    F_SUM_90D,
    F_OUT_7D,
    F_OUT_30D,
    F_OUT_OVER_IN,
    F_OVER_LAST,
    /* own normal */
    F_NORMAL,
    F_OVER_NORMAL,
    F_SURPRISE,
    F_EXPLAIN,
    F_OVER_MAX,
    F_HIGH_1D,
    F_HIGH_7D,
    F_HIGH_30D,
    F_HIGH_SHARE,
    F_HIGH_AGE_1,
    F_HIGH_AGE_2,
    F_HIGH_AGE_3,
    F_HIGH_AGE_4,
    F_RATIO_MAX_7D,
    F_RATIO_MAX_30D,
    /* visible labels */
    F_LABELS_1D,
    F_LABELS_7D,
    F_LABELS_30D,
    F_BAD_1D,
    F_BAD_7D,
    F_BAD_30D,
    F_BAD_RATE_1D,
    F_BAD_RATE_7D,
    F_BAD_RATE_30D,
    F_BAD_RATE_90D,
    F_OWN_7D,
    F_OWN_30D,
    F_OWN_RATE_7D,
    F_OWN_RATE_30D,
    F_BAD_TOTAL,
    F_BAD_SHARE,
    F_HIGH_GOOD,
    F_UNLABELLED,
    F_LABELLED_AGE,
    F_LAST_LABEL,
    F_RUN,
    F_RUN_FIRST_AGE,
    F_RUN_GAP,
    F_RUN_RATIO,
    F_RUN_ARRIVAL_AGE,
    F_OWN_RUN,
    F_OWN_FIRST_AGE,
    F_OWN_LAST_AGE,
    F_BAD_AGE,
    F_GOOD_AGE,
    F_GOOD_TAIL,
    F_LABEL_ARRIVAL_AGE,
    /* marks */
    F_MARK0_1H,
    F_MARK0_1D,
    F_MARK0_7D,
    F_MARK0_30D,
    F_MARK1_1H,
    F_MARK1_1D,
    F_MARK1_7D,
    F_MARK1_30D,
    F_MARK2_7D,
    F_MARK2_30D,
    F_MARK3_7D,
    F_MARK3_30D,
    F_MARK0_SHARE,
    F_MARK1_SHARE,
    F_MARK2_SHARE,
    F_MARK3_SHARE,
    F_MARKED_AGE,
    F_MARKED_90D,
    /* novelty */
    F_NEW,
    F_MET,
    F_NEW_1H,
    F_NEW_1D,
    F_NEW_7D,
    F_NEW_30D,
    F_NEW_SHARE,
    F_VALUE0_NEW,
    F_VALUE1_NEW,
    F_VALUE2_NEW,
    F_VALUE3_NEW,
    F_VALUE0_DISTINCT,
    F_VALUE1_DISTINCT,
    F_VALUE2_DISTINCT,
    F_VALUE3_DISTINCT,
    F_HOUR_SHARE,
    /* counterparties */
    F_PEER_SURPRISE,
    F_PEER_RISK,
    F_PEER_TENURE,
    F_PEER_ACTIVITY,
    F_PEER_RISK_MAX,
    F_PEER_SURPRISE_MAX,
    /* visits */
    F_VISITS,
    F_VISITS_7D,
    F_VISITS_30D,
    F_VISITS_90D,
    F_VISIT_AGE,
    F_VISIT_AMOUNT,
    F_VISIT_ITEMS,
    F_ITEMS_PER_VISIT,
    F_SUM,
    F_SUM_PER_VISIT,
    F_GAP_MEAN,
    F_GAP_SD,
    F_GAP_LAST,
    F_GAP_MAX,
    F_AGE_OVER_GAP,
    F_VISIT_RATE,
    F_ACTIVE_DAYS,
    F_OUT_EVENTS,
    SLOT_COUNT
};

typedef struct {
    const char *name, *unit, *meaning;
    uint8_t needs; /* NEED_* */
    bool read;     /* defined without an event */
    bool pair;     /* part of a pair's short list */
} slot;
enum {
    NEED_NOTHING,
    NEED_LABEL,
    NEED_AMOUNT,
    NEED_MARK0,
    NEED_MARK1,
    NEED_MARK2,
    NEED_MARK3,
    NEED_PEER,
    NEED_VALUE0,
    NEED_VALUE1,
    NEED_VALUE2,
    NEED_VALUE3,
    NEED_TYPES,
    NEED_PAYER
};
const slot *fl_fold_slot(uint32_t i);       /* of an entity: [SLOT_COUNT] */
const slot *fl_fold_event_slot(uint32_t i); /* of the event: [E_COUNT] */

/* Where one block's slots go: in runs, slots from `from` on to as many features; all features of a block lie together
 * and so the runs follow each other from `first` on. */
typedef struct {
    uint16_t from, count;
} slot_run;
typedef struct {
    uint32_t first, count, reads, runs;
    slot_run run[SLOT_COUNT];
    uint16_t read[SLOT_COUNT]; /* slots of fl_fold_read; its feature is read_at */
    uint32_t read_at[SLOT_COUNT];
} block;

struct fl_fold_plan {
    uint32_t kinds, pairs, marks, sources;
    char name[FL_KINDS_MAX][FL_NAME_MAX];
    fl_pair pair[FL_PAIRS_MAX];
    int payer, payee;       /* kinds, -1: none */
    int peer[FL_KINDS_MAX]; /* kind of the counterparty, -1: none */
    int risk;               /* label, -1: none */
    bool amounts;
    float unit; /* major units in one minor unit */
    char currency[4];
    int novel[NOVEL_FIELDS]; /* schema category of each map, -1: none; 0 has the wide map */
    char category[NOVEL_FIELDS][FL_NAME_MAX];
    char mark[FL_MARKS_MAX][FL_NAME_MAX];
    kind_plan kind[FL_KINDS_MAX];
    float amount_typical; /* median amount, major units */
    tail amount;          /* log of amount over typical */
    int64_t until_us;     /* fitted on what was known before; INT64_MIN: not fitted */
    /* what a bitmap with n bits set stands for; Whang et al. 1990 */
    float met_count[257], wide_count[193], small_count[65];
    block event, of_kind[FL_KINDS_MAX], of_pair[FL_PAIRS_MAX];
    /* own fields of the event, behind its block */
    uint32_t own_first, own_numbers, own_fields;
    uint8_t own_number[FL_NUMBERS_MAX];
    char own_name[FL_NUMBERS_MAX][FL_NAME_MAX];
    own_values own[OWN_FIELDS_MAX];
    uint32_t features;
    fl_fold_feature *feature;
};

/* Lay out the features once kinds, marks, label and novelty fields are known. */
florin_status fl_fold_plan_layout(fl_fold_plan *plan, florin_error *err);

/* own.c: which own fields there are; their features; the values; to and from JSON. */
void fl_fold_own_fit(fl_fold_plan *plan, const fl_log *log, int64_t until_us);
bool fl_fold_own_layout(fl_fold_plan *plan); /* false: too many */
void fl_fold_own_features(const fl_fold_plan *plan, const fl_event *event, float *features);
void fl_fold_own_to_json(const fl_fold_plan *plan, json_t *to);
florin_status fl_fold_own_from_json(fl_fold_plan *plan, const fl_schema *schema, const json_t *j,
                                    florin_error *err);

/* Which bin of a tail x falls into. */
static inline uint32_t tail_bin(const tail *t, float x)
{
    uint32_t b = 0; /* edges ascend: the bin is how many are not above x */
    for (int i = 0; i < TAIL_EDGES; i++) b += x >= t->edge[i];
    return b;
}

/* The own normal: a mean that outliers barely enter. Shared by the fold and by fitting. Amounts above 0 only. */
static inline float normal_mean(const kind_plan *k, const own_normal *n)
{
    float prior = k->mean > 0 ? 1.0f : 0;
    return n->weight + prior > 0 ? (n->sum + prior * k->mean) / (n->weight + prior) : 0;
}
static inline float normal_spread(const kind_plan *k, const own_normal *n)
{
    return (n->spread_sum + 5 * k->spread) / (n->spread_weight + 5);
}
void fl_fold_normal_add(const kind_plan *k, own_normal *n, float amount, float mean,
                        float log_ratio);
/* Logarithm for features: own code for equal bits everywhere; x > 0. */
float fl_fold_log(float x);
/* The same for n numbers in place; n is a multiple of LOGS_STEP. */
enum { LOGS_STEP = 4 };
void fl_fold_logs(float *x, uint32_t n);
float fl_fold_exp(float x);

#endif
