/* Layout of one entity's record and the arithmetic on it: private to src/fold.
 *
 * Invariant: every byte zero is an entity never seen; no field is ever NaN or infinite; counts stop at their type's
 * end instead of wrapping. Decayed sums are kept on a grid of epochs: see `moment`.
 * Groups of four floats hold the four time scales side by side, so that one vector operation moves a quantity. */
#ifndef FL_FOLD_RECORD_H
#define FL_FOLD_RECORD_H

#include <stddef.h>

#include "fold/fold.h"

enum {
    /* Places in vectors: the events' scales, then those of the labels. */
    LANES = 8,
    LABEL_LANE = 4, /* 1, 7, 30, 90 days */
    LANE_90D = 7,   /* the slowest, of events too */
    EPOCH_HALVINGS = 32,
    SCALES = 4,      /* half-lives: 1 hour, 1 day, 7 days, 30 days */
    HIGHS = 4,       /* times kept of the last events with a high amount */
    NOVEL_SMALL = 3, /* category fields with a 64-bit map; one more has the wide map */
    NOVEL_FIELDS = 1 + NOVEL_SMALL,
    HOUR_BINS = 8,
    NEIGHBOURS = 4 /* what is kept of the counterparties: surprise, risk, tenure, activity */
};

/* Quantities at all four scales. */
enum { Q_COUNT, Q_SUM, Q_HIGH, Q_NEW, Q_MARK0, Q_MARK1, Q_EVENT_COUNT };
enum { L_SEEN, L_BAD, L_OWN, L_LABEL_COUNT };
/* Places in month[]: flat. */
enum { M_LOG, M_LOG_SQ, M_LOG_WEIGHT, M_PEER_WEIGHT, M_PEER, M_COUNT = M_PEER + 4 };

/* Sums behind the own normal and its mean absolute log ratio. */
typedef struct {
    float sum, weight, spread_sum, spread_weight;
} own_normal;

typedef struct {
    /* What a label changes, in the first two cache lines. Edges are in the time of the labelled events. */
    float label[L_LABEL_COUNT][SCALES]; /* 1 d, 7 d, 30 d, 90 d */
    float high_good;                    /* 30 d: good labels, each by how unusual its amount was */
    float run_gap_d;
    int64_t label_us; /* clock at the last label */
    float run_ratio_sum;
    uint32_t labelled, bads;
    uint32_t edge_last_s, edge_bad_s, edge_good_s,
        edge_own_s;                    /* newest labelled, bad, good, own bad event */
    uint32_t run_first_s, own_first_s; /* first bad, first own bad of the current run */
    uint32_t run_arrival_s;            /* when the run's first label arrived */
    uint32_t marked_s;                 /* last event with any mark */
    uint32_t first_s;                  /* clock seconds (stamp) of the first event */
    uint16_t run, own_run, good_tail, last_bad;
    uint16_t label_epoch, epoch; /* of the labels' and the events' sums, on the 1-hour scale */
    uint32_t day;
    /* sums */
    float acc[Q_EVENT_COUNT][SCALES];
    float slow[2][4];     /* 7 d, 30 d, 7 d, 30 d: visits, outgoing amount; then marks 2 and 3 */
    float month[M_COUNT]; /* 30 d */
    float quarter[4];     /* 90 d: events, visits, amount, marked events */
    float ratio_max[2];   /* ratio's maximum, decaying at 7 d and 30 d */
    float peer_max[2];    /* largest risk and surprise among counterparties, decaying at 30 d */
    own_normal normal;
    float amount_max, last_amount;
    float sum, visit_amount, gap_sum, gap_sq, gap_last,
        gap_max;            /* amounts in major units, gaps in days */
    uint32_t high_s[HIGHS]; /* newest first */
    int64_t seen_us;        /* clock at the last event */
    int64_t visit_us;       /* time of the last visit's events */
    uint32_t events, visits, active_days;
    uint32_t met_count; /* counterparties met for the first time */
    /* novelty: bitmaps that serve as Bloom filter and as linear-counting sketch */
    uint64_t met[4];  /* counterparties */
    uint64_t wide[3]; /* values of the category field with the largest vocabulary */
    uint64_t small[NOVEL_SMALL];
    uint16_t visit_items, out_events;
    uint8_t hour[HOUR_BINS];
} record;
_Static_assert(sizeof(record) <= FL_FOLD_RECORD_BYTES, "a record fits its place");
_Static_assert(offsetof(record, acc) <= FL_FOLD_LABEL_BYTES, "labels touch its beginning alone");

static inline record *record_of(fl_fold_record *r)
{
    return (record *)(void *)r;
}
static inline const record *record_const(const fl_fold_record *r)
{
    return (const record *)(const void *)r;
}

/* Seconds since 1950, so that 0 can mean never and 32 bits reach 2086; times outside are clamped. */
static inline uint32_t stamp(int64_t time_us)
{
    int64_t s = time_us / FL_SECOND_US + 631152000;
    return s < 1 ? 1 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}
/* Days from s to now; -1: never; never negative otherwise (a late event does not turn time back). */
static inline float age_days(uint32_t now_s, uint32_t s)
{
    if (s == 0) return -1;
    return now_s > s ? (float)(now_s - s) / 86400.0f : 0;
}
/* Microseconds from a to b, 0 if b is earlier; saturates where the subtraction would overflow. */
static inline int64_t elapsed_us(int64_t a, int64_t b)
{
    int64_t d;
    if (b <= a) return 0;
    return __builtin_sub_overflow(b, a, &d) ? INT64_MAX : d;
}

/* 2^-x for x >= 0, relative error below 1e-7. Own code so that every machine gives the same bits: libm's
 * differ between versions. The fraction's exp is its Taylor series about 1/2, to the 8th power. */
static inline double half_power(double x)
{
    int i = (int)(x < 1000 ? x : 1000);
    double f = (x - i - 0.5) * -0.69314718055994531, q = f * f;
    double p = 1 + f + q * (0.5 + f * (1.0 / 6)) + q * q * (1.0 / 24 + f * (1.0 / 120)) +
               q * q * q * (1.0 / 720 + f * (1.0 / 5040) + q * (1.0 / 40320));
    union {
        uint64_t u;
        double v;
    } scale = {(uint64_t)(1023 - i) << 52};
    return x < 1000 ? p * 0.70710678118654752 * scale.v : 0;
}

/* A moment on the scales' common grid. Sums are kept relative to the start of the epoch they were last touched in
 * (forward decay): an event adds 2^(halvings since that start), a reader multiplies by 2^-(the same), and moving a sum
 * to a later epoch is a multiplication by a power of two, which is exact. So no rounding piles up however many events
 * an entity has, and the five powers belong to the moment, not to the record. */
typedef struct {
    uint16_t epoch; /* of the 1-hour scale; those of the others follow from it: see epochs_behind */
    _Alignas(16) float fade[LANES], weight[LANES]; /* 2^-x, 2^x; x < EPOCH_HALVINGS */
} moment;

enum { HOURS_1D = 24, HOURS_7D = 168, HOURS_30D = 720, HOURS_90D = 2160 };

static inline moment moment_of(int64_t clock_us)
{
    static const double scale[LANES] = {1,        HOURS_1D, HOURS_7D,  HOURS_30D,
                                        HOURS_1D, HOURS_7D, HOURS_30D, HOURS_90D};
    double hours = (double)clock_us * (1.0 / 3.6e9) + 175320.0; /* since 1950 */
    moment m;
    hours = hours < 0 ? 0 : hours > 2e6 ? 2e6 : hours;
    m.epoch = (uint16_t)(hours * (1.0 / EPOCH_HALVINGS));
    for (int s = 0; s < LANES; s++) {
        /* floor(epoch / scale) in doubles: exact, the numbers are small integers and the quotient is no closer to the
         * next integer than 1 / scale */
        double epochs = (double)(int32_t)((m.epoch + 0.5) / scale[s]);
        double g = half_power((hours - epochs * scale[s] * EPOCH_HALVINGS) / scale[s]);
        m.fade[s] = (float)g;
        m.weight[s] = (float)(1 / g);
    }
    return m;
}
/* Factors that move sums of epoch `from` to the moment's: exact powers of two, 0 when too small to matter. Moments
 * before `from` leave sums where they are. False: all factors are 1. */
static inline bool epochs_behind(const moment *m, uint16_t from, float by[LANES])
{
    static const float power[] = {1, 0x1p-32f, 0x1p-64f, 0x1p-96f, 0};
    if (m->epoch <= from) return false;
    const uint32_t now = m->epoch, last = FL_LEN(power) - 1;
    uint32_t h = now - from, d = now / HOURS_1D - from / HOURS_1D,
             w = now / HOURS_7D - from / HOURS_7D, t = now / HOURS_30D - from / HOURS_30D,
             q = now / HOURS_90D - from / HOURS_90D;
    float day = power[d < last ? d : last], week = power[w < last ? w : last],
          month = power[t < last ? t : last], quarter = power[q < last ? q : last];
    by[0] = power[h < last ? h : last];
    by[1] = by[LABEL_LANE] = day;
    by[2] = by[LABEL_LANE + 1] = week;
    by[3] = by[LABEL_LANE + 2] = month;
    by[LANE_90D] = quarter;
    return true;
}

static inline float clampf(float x, float low, float high)
{
    return x < low    ? low
           : x > high ? high
                      : x; /* NaN never comes here: inputs are integers and sums */
}
static inline void count16(uint16_t *n)
{
    if (*n < UINT16_MAX) ++*n;
}
static inline void count32(uint32_t *n)
{
    if (*n < UINT32_MAX) ++*n;
}

#endif
