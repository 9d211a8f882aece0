/* Reading a record: what it says by itself at a moment, and what an event is against it. Changes nothing. */
#include <math.h>
#include <stddef.h>

#include "fold/plan.h"
#include "fold/step.h"

/* a over b, both kept relative to the same epoch; unknown once b has all but faded. */
static float share(float a, float b, float fade, float unknown)
{
    return b * fade > 1e-6f ? a / b : unknown;
}

/* The same at every scale. */
static inline void shares(const float a[SCALES], const float b[SCALES], const float fade[SCALES],
                          float unknown, float out[SCALES])
{
    for (int s = 0; s < SCALES; s++) out[s] = b[s] * fade[s] > 1e-6f ? a[s] / b[s] : unknown;
}

/* Set bits of a word, without the instruction that not every x86 has. Warren, Hacker's Delight 5-1. */
static uint32_t ones(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)((x * 0x0101010101010101u) >> 56);
}
static uint32_t bits_set(const uint64_t *map, int words)
{
    uint32_t n = 0;
    for (int i = 0; i < words; i++) n += ones(map[i]);
    return n;
}
static float days_between(int64_t a, int64_t b)
{
    return (float)((double)elapsed_us(a, b) / 8.64e10);
}

static void read_activity(const view *v, float *f)
{
    const record *r = v->r;
    f[F_EVENTS] = (float)r->events;
    f[F_SINCE] = r->events ? days_between(r->seen_us, v->clock_us) : -1;
    for (int s = 0; s < SCALES; s++) {
        f[F_COUNT_1H + s] = r->acc[Q_COUNT][s] * v->fade[s];
        f[F_NEW_1H + s] = r->acc[Q_NEW][s] * v->fade[s];
    }
    shares(r->acc[Q_SUM], r->acc[Q_COUNT], v->fade, -1, f + F_MEAN_1H);
    for (int s = 1; s < SCALES; s++) f[F_SUM_1D + s - 1] = r->acc[Q_SUM][s] * v->fade[s];
    f[F_COUNT_90D] = r->quarter[0] * v->fade_90d;
    f[F_SUM_90D] = r->quarter[2] * v->fade_90d;
    f[F_OUT_7D] = r->slow[0][2] * v->fade[2];
    f[F_OUT_30D] = r->slow[0][3] * v->fade[3];
    f[F_OUT_OVER_IN] =
        share(r->slow[0][3], r->acc[Q_SUM][3], v->fade[3], f[F_OUT_30D] > 1e-6f ? 1e6f : 0);
    f[F_NEW_SHARE] = share(r->acc[Q_NEW][2], r->acc[Q_COUNT][2], v->fade[2], -1);
}

static void read_marks(const view *v, float *f)
{
    const record *r = v->r;
    for (int s = 0; s < SCALES; s++) {
        f[F_MARK0_1H + s] = r->acc[Q_MARK0][s] * v->fade[s];
        f[F_MARK1_1H + s] = r->acc[Q_MARK1][s] * v->fade[s];
    }
    f[F_MARK2_7D] = r->slow[1][0] * v->fade[2];
    f[F_MARK2_30D] = r->slow[1][1] * v->fade[3];
    f[F_MARK3_7D] = r->slow[1][2] * v->fade[2];
    f[F_MARK3_30D] = r->slow[1][3] * v->fade[3];
    const float count = r->acc[Q_COUNT][3];
    f[F_MARK0_SHARE] = share(r->acc[Q_MARK0][3], count, v->fade[3], 0);
    f[F_MARK1_SHARE] = share(r->acc[Q_MARK1][3], count, v->fade[3], 0);
    f[F_MARK2_SHARE] = share(r->slow[1][1], count, v->fade[3], 0);
    f[F_MARK3_SHARE] = share(r->slow[1][3], count, v->fade[3], 0);
    f[F_MARKED_90D] = r->quarter[3] * v->fade_90d;
}

static void read_normal(const kind_plan *k, const view *v, float *f)
{
    const record *r = v->r;
    f[F_NORMAL] = r->normal.weight > 0 || k->mean > 0 ? normal_mean(k, &r->normal) : -1;
    for (int s = 1; s < SCALES; s++) f[F_HIGH_1D + s - 1] = r->acc[Q_HIGH][s] * v->fade[s];
    f[F_HIGH_SHARE] = share(r->acc[Q_HIGH][2], r->acc[Q_COUNT][2], v->fade[2], 0);
    f[F_RATIO_MAX_7D] = r->ratio_max[0] * v->fade[2];
    f[F_RATIO_MAX_30D] = r->ratio_max[1] * v->fade[3];
}

static void read_novelty(const fl_fold_plan *plan, const view *v, float *f)
{
    const record *r = v->r;
    uint32_t met = bits_set(r->met, 4);
    f[F_MET] = met ? plan->met_count[met] : (float)r->met_count;
    if (plan->novel[0] >= 0) f[F_VALUE0_DISTINCT] = plan->wide_count[bits_set(r->wide, 3)];
    for (int i = 0; i < NOVEL_SMALL && plan->novel[i + 1] >= 0; i++)
        f[F_VALUE1_DISTINCT + i] = plan->small_count[bits_set(&r->small[i], 1)];
    for (int i = 0; i < NEIGHBOURS; i++)
        f[F_PEER_SURPRISE + i] =
            share(r->month[M_PEER + i], r->month[M_PEER_WEIGHT], v->fade[3], -1);
    f[F_PEER_RISK_MAX] = r->peer_max[0] * v->fade[3];
    f[F_PEER_SURPRISE_MAX] = r->peer_max[1] * v->fade[3];
}

static void read_labels(const view *v, float *f)
{
    const record *r = v->r;
    const float *fade = v->fade + LABEL_LANE;
    float own[SCALES];
    shares(r->label[L_BAD], r->label[L_SEEN], fade, -1, f + F_BAD_RATE_1D);
    shares(r->label[L_OWN], r->label[L_SEEN], fade, -1, own);
    for (int s = 0; s < 3; s++) {
        f[F_LABELS_1D + s] = r->label[L_SEEN][s] * fade[s];
        f[F_BAD_1D + s] = r->label[L_BAD][s] * fade[s];
    }
    for (int s = 1; s < 3; s++) {
        f[F_OWN_7D + s - 1] = r->label[L_OWN][s] * fade[s];
        f[F_OWN_RATE_7D + s - 1] = own[s];
    }
    f[F_BAD_TOTAL] = (float)r->bads;
    f[F_BAD_SHARE] = r->labelled ? (float)r->bads / (float)r->labelled : -1;
    f[F_HIGH_GOOD] = r->high_good * v->fade[LABEL_LANE + 2];
    f[F_UNLABELLED] = (float)(r->events > r->labelled ? r->events - r->labelled : 0);
    f[F_LABEL_ARRIVAL_AGE] = r->labelled ? days_between(r->label_us, v->clock_us) : -1;
}

static void read_edges(const view *v, float *f)
{
    const record *r = v->r;
    f[F_LAST_LABEL] = r->labelled ? (float)r->last_bad : -1;
    f[F_RUN] = (float)r->run;
    f[F_RUN_GAP] = r->run ? r->run_gap_d : -1;
    f[F_RUN_RATIO] = r->run ? r->run_ratio_sum / (float)r->run : -1;
    f[F_OWN_RUN] = (float)r->own_run;
    f[F_GOOD_TAIL] = (float)r->good_tail;
}

/* All ages at once: of the stamps from edge_last_s to first_s, and of the last high amounts. */
static void read_ages(const view *v, float *f)
{
    enum { EDGES = 9, ALL = EDGES + HIGHS, ROOM = 16 };
    static const uint16_t slot_of[ALL] = {
        F_LABELLED_AGE,  F_BAD_AGE,         F_GOOD_AGE,   F_OWN_LAST_AGE, F_RUN_FIRST_AGE,
        F_OWN_FIRST_AGE, F_RUN_ARRIVAL_AGE, F_MARKED_AGE, F_TENURE,       F_HIGH_AGE_1,
        F_HIGH_AGE_2,    F_HIGH_AGE_3,      F_HIGH_AGE_4};
    _Static_assert(offsetof(record, first_s) ==
                       offsetof(record, edge_last_s) + (EDGES - 1) * sizeof(uint32_t),
                   "the edges lie side by side");
    uint32_t at[ROOM] = {0};
    float age[ROOM];
    memcpy(at, (const char *)v->r + offsetof(record, edge_last_s), EDGES * sizeof *at);
    memcpy(at + EDGES, v->r->high_s, sizeof v->r->high_s);
    for (int i = 0; i < ROOM; i++) age[i] = age_days(v->now_s, at[i]);
    for (int i = 0; i < ALL; i++) f[slot_of[i]] = age[i];
}

static void read_visits(const view *v, float *f)
{
    const record *r = v->r;
    float visits = (float)r->visits, gaps = visits - 1;
    float age = r->visits ? days_between(r->visit_us, v->clock_us) : -1;
    float mean = gaps > 0 ? r->gap_sum / gaps : -1;
    f[F_VISITS] = visits;
    f[F_VISITS_7D] = r->slow[0][0] * v->fade[2];
    f[F_VISITS_30D] = r->slow[0][1] * v->fade[3];
    f[F_VISITS_90D] = r->quarter[1] * v->fade_90d;
    f[F_VISIT_AGE] = age;
    f[F_VISIT_AMOUNT] = r->visit_amount;
    f[F_VISIT_ITEMS] = (float)r->visit_items;
    f[F_ITEMS_PER_VISIT] = r->visits ? (float)r->events / visits : 0;
    f[F_SUM] = r->sum;
    f[F_SUM_PER_VISIT] = r->visits ? r->sum / visits : 0;
    f[F_GAP_MEAN] = mean;
    float variance = gaps > 1 ? r->gap_sq / gaps - mean * mean : 0;
    f[F_GAP_SD] = gaps > 1 ? sqrtf(variance > 0 ? variance : 0) : -1;
    f[F_GAP_LAST] = gaps > 0 ? r->gap_last : -1;
    f[F_GAP_MAX] = gaps > 0 ? r->gap_max : -1;
    f[F_AGE_OVER_GAP] = gaps > 0 ? age / (mean + 1) : -1;
    f[F_VISIT_RATE] = f[F_TENURE] >= 0 ? visits / (f[F_TENURE] + 1) : 0;
    f[F_ACTIVE_DAYS] = (float)r->active_days;
    f[F_OUT_EVENTS] = (float)r->out_events;
}

void fl_fold_read_state(const fl_fold_plan *plan, const kind_plan *k, const view *v, float *f)
{
    read_activity(v, f);
    read_ages(v, f);
    read_normal(k, v, f);
    if (plan->risk >= 0) {
        read_labels(v, f);
        read_edges(v, f);
    }
    if (plan->marks) read_marks(v, f);
    read_novelty(plan, v, f);
    read_visits(v, f);
}

/* The event's amount over what it was before: the means, the own normal, the largest, the last. Held inside +-1e6: a
 * decayed mean goes to zero when only events without an amount follow. */
static void read_ratios(const record *r, const step *s, float normal, float *f)
{
    enum { MEANS = SCALES, ROOM = 8 };
    float base[ROOM] = {0}, ratio[ROOM];
    memcpy(base, f + F_MEAN_1H, MEANS * sizeof *base);
    base[MEANS] = normal;
    base[MEANS + 1] = r->amount_max;
    base[MEANS + 2] = r->last_amount;
    for (int i = 0; i < ROOM; i++)
        ratio[i] = s->has_amount && base[i] > 0 ? clampf(s->amount / base[i], -1e6f, 1e6f) : -1;
    memcpy(f + F_OVER_MEAN_1H, ratio, MEANS * sizeof *ratio);
    f[F_OVER_NORMAL] = ratio[MEANS];
    f[F_OVER_MAX] = ratio[MEANS + 1];
    f[F_OVER_LAST] = ratio[MEANS + 2];
}

/* What the event's own amount, hour and values are against the record. */
against fl_fold_read_event(const kind_plan *k, const view *v, const step *s, float log_ratio,
                           float *f)
{
    const record *r = v->r;
    const float fade = v->fade[3];
    float normal = normal_mean(k, &r->normal);
    bool known = s->amount > 0 && normal > 0;
    log_ratio = known ? clampf(log_ratio, -20, 20) : 0;
    read_ratios(r, s, normal, f);
    f[F_SURPRISE] = known ? log_ratio / (normal_spread(k, &r->normal) + 1e-3f) : 0;
    f[F_EXPLAIN] = known ? k->ratio.explain[tail_bin(&k->ratio, log_ratio)] : 0;
    f[F_LOG_Z] = 0;
    float w = r->month[M_LOG_WEIGHT];
    if (s->amount > 0 && w * fade > 1.5f) {
        float mean = r->month[M_LOG] / w, var = r->month[M_LOG_SQ] / w - mean * mean;
        f[F_LOG_Z] = clampf((s->log_amount - mean) / sqrtf(var > 0.01f ? var : 0.01f), -100, 100);
    }
    for (int i = 0; i < NOVEL_FIELDS; i++) {
        uint64_t h = s->value[i];
        if (!h) f[F_VALUE0_NEW + i] = -1;
        else
            f[F_VALUE0_NEW + i] =
                !(i ? map_has(&r->small[i - 1], 64, h) : map_has(r->wide, 192, h));
    }
    uint32_t n = 0;
    for (int i = 0; i < HOUR_BINS; i++) n += r->hour[i];
    f[F_HOUR_SHARE] = n ? (float)r->hour[s->hour_bin] / (float)n : -1;
    return (against){normal, log_ratio};
}

void fl_fold_read(const fl_fold_plan *plan, int kind, const fl_fold_record *rec, int64_t at_us,
                  float *out)
{
    const block *b = &plan->of_kind[kind];
    const record *r = record_const(rec);
    float f[SLOT_COUNT];
    int64_t clock_us = r->events && r->seen_us > at_us ? r->seen_us : at_us;
    const moment m = moment_of(clock_us);
    view v;

    fl_fold_view(&v, r, &m, clock_us, stamp(clock_us));
    memset(f, 0, sizeof f);
    fl_fold_read_state(plan, &plan->kind[kind], &v, f);
    for (uint32_t i = 0; i < b->reads; i++) out[i] = f[b->read[i]];
}

float fl_fold_high_ratio(const fl_fold_plan *plan, int kind)
{
    return plan->kind[kind].high;
}

/* Far above what payments sum to, and far enough below the end of floats that a moment's weights cannot lead there. */
#define SUM_LIMIT 1e28f

static bool in_bounds(const record *r, size_t from, size_t to)
{
    float x;
    for (; from < to; from += sizeof x) {
        memcpy(&x, (const uint8_t *)r + from, sizeof x);
        if (!(fabsf(x) <= SUM_LIMIT)) return false;
    }
    return true;
}

/* What events can make of it: a mean of them is then far from infinite, also after more events. */
static bool normal_sound(const own_normal *n)
{
    return (n->sum == 0 || fabsf(n->sum) >= 1e-9f) &&
           (n->weight == 0 || (n->weight >= 1e-3f && n->weight <= 1e6f)) &&
           (n->spread_weight == 0 || (n->spread_weight >= 1e-3f && n->spread_weight <= 1e6f));
}

bool fl_fold_record_sound(const fl_fold_record *rec)
{
    const record *r = record_const(rec);
    return in_bounds(r, 0, offsetof(record, label_us)) && fabsf(r->run_ratio_sum) <= SUM_LIMIT &&
           in_bounds(r, offsetof(record, acc), offsetof(record, high_s)) &&
           normal_sound(&r->normal);
}
