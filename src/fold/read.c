/* Reading a record: what it says by itself at a moment, and what an event is against it. Changes nothing. */
#include <math.h>
#include <stddef.h>

#include "fold/plan.h"
#include "fold/step.h"

view fl_fold_view(const record *r, const moment *m, int64_t clock_us, uint32_t now_s)
{
    view v = {.r = r, .clock_us = clock_us, .now_s = now_s};
    epochs_behind(m, r->epoch, v.event);
    epochs_behind(m, r->label_epoch, v.label);
    for (int s = 0; s < COLUMNS; s++) {
        v.event[s] *= m->fade[s];
        v.label[s] *= m->fade[s];
    }
    return v;
}

/* a over b, both kept relative to the same epoch; unknown once b has all but faded. */
static float share(float a, float b, float fade, float unknown)
{
    return b * fade > 1e-6f ? a / b : unknown;
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
    f[F_TENURE] = age_days(v->now_s, r->first_s);
    f[F_SINCE] = r->events ? days_between(r->seen_us, v->clock_us) : -1;
    for (int s = 0; s < SCALES; s++) {
        f[F_COUNT_1H + s] = r->acc[Q_COUNT][s] * v->event[s];
        f[F_MEAN_1H + s] = share(r->acc[Q_SUM][s], r->acc[Q_COUNT][s], v->event[s], -1);
        f[F_NEW_1H + s] = r->acc[Q_NEW][s] * v->event[s];
    }
    for (int s = 1; s < SCALES; s++) f[F_SUM_1D + s - 1] = r->acc[Q_SUM][s] * v->event[s];
    f[F_COUNT_90D] = r->quarter[0] * v->event[4];
    f[F_SUM_90D] = r->quarter[2] * v->event[4];
    f[F_OUT_7D] = r->slow[0][2] * v->event[2];
    f[F_OUT_30D] = r->slow[0][3] * v->event[3];
    f[F_OUT_OVER_IN] =
        share(r->slow[0][3], r->acc[Q_SUM][3], v->event[3], f[F_OUT_30D] > 1e-6f ? 1e6f : 0);
    f[F_NEW_SHARE] = share(r->acc[Q_NEW][2], r->acc[Q_COUNT][2], v->event[2], -1);
}

static void read_marks(const view *v, float *f)
{
    const record *r = v->r;
    for (int s = 0; s < SCALES; s++) {
        f[F_MARK0_1H + s] = r->acc[Q_MARK0][s] * v->event[s];
        f[F_MARK1_1H + s] = r->acc[Q_MARK1][s] * v->event[s];
    }
    f[F_MARK2_7D] = r->slow[1][0] * v->event[2];
    f[F_MARK2_30D] = r->slow[1][1] * v->event[3];
    f[F_MARK3_7D] = r->slow[1][2] * v->event[2];
    f[F_MARK3_30D] = r->slow[1][3] * v->event[3];
    const float count = r->acc[Q_COUNT][3];
    f[F_MARK0_SHARE] = share(r->acc[Q_MARK0][3], count, v->event[3], 0);
    f[F_MARK1_SHARE] = share(r->acc[Q_MARK1][3], count, v->event[3], 0);
    f[F_MARK2_SHARE] = share(r->slow[1][1], count, v->event[3], 0);
    f[F_MARK3_SHARE] = share(r->slow[1][3], count, v->event[3], 0);
    f[F_MARKED_AGE] = age_days(v->now_s, r->marked_s);
    f[F_MARKED_90D] = r->quarter[3] * v->event[4];
}

static void read_normal(const kind_plan *k, const view *v, float *f)
{
    const record *r = v->r;
    f[F_NORMAL] = r->normal.weight > 0 || k->mean > 0 ? normal_mean(k, &r->normal) : -1;
    for (int s = 1; s < SCALES; s++) f[F_HIGH_1D + s - 1] = r->acc[Q_HIGH][s] * v->event[s];
    f[F_HIGH_SHARE] = share(r->acc[Q_HIGH][2], r->acc[Q_COUNT][2], v->event[2], 0);
    for (int i = 0; i < HIGHS; i++) f[F_HIGH_AGE_1 + i] = age_days(v->now_s, r->high_s[i]);
    f[F_RATIO_MAX_7D] = r->ratio_max[0] * v->event[2];
    f[F_RATIO_MAX_30D] = r->ratio_max[1] * v->event[3];
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
            share(r->month[M_PEER + i], r->month[M_PEER_WEIGHT], v->event[3], -1);
    f[F_PEER_RISK_MAX] = r->peer_max[0] * v->event[3];
    f[F_PEER_SURPRISE_MAX] = r->peer_max[1] * v->event[3];
}

static void read_labels(const view *v, float *f)
{
    const record *r = v->r;
    for (int s = 0; s < SCALES; s++) {
        const float fade = v->label[s + 1];
        f[F_BAD_RATE_1D + s] = share(r->label[L_BAD][s], r->label[L_SEEN][s], fade, -1);
        if (s == 3) break;
        f[F_LABELS_1D + s] = r->label[L_SEEN][s] * fade;
        f[F_BAD_1D + s] = r->label[L_BAD][s] * fade;
        if (s == 0) continue;
        f[F_OWN_7D + s - 1] = r->label[L_OWN][s] * fade;
        f[F_OWN_RATE_7D + s - 1] = share(r->label[L_OWN][s], r->label[L_SEEN][s], fade, -1);
    }
    f[F_BAD_TOTAL] = (float)r->bads;
    f[F_BAD_SHARE] = r->labelled ? (float)r->bads / (float)r->labelled : -1;
    f[F_HIGH_GOOD] = r->high_good * v->label[3];
    f[F_UNLABELLED] = (float)(r->events > r->labelled ? r->events - r->labelled : 0);
    f[F_LABEL_ARRIVAL_AGE] = r->labelled ? days_between(r->label_us, v->clock_us) : -1;
}

static void read_edges(const view *v, float *f)
{
    const record *r = v->r;
    const uint32_t now_s = v->now_s;
    f[F_LABELLED_AGE] = age_days(now_s, r->edge_last_s);
    f[F_LAST_LABEL] = r->labelled ? (float)r->last_bad : -1;
    f[F_RUN] = (float)r->run;
    f[F_RUN_FIRST_AGE] = age_days(now_s, r->run_first_s);
    f[F_RUN_GAP] = r->run ? r->run_gap_d : -1;
    f[F_RUN_RATIO] = r->run ? r->run_ratio_sum / (float)r->run : -1;
    f[F_RUN_ARRIVAL_AGE] = age_days(now_s, r->run_arrival_s);
    f[F_OWN_RUN] = (float)r->own_run;
    f[F_OWN_FIRST_AGE] = age_days(now_s, r->own_first_s);
    f[F_OWN_LAST_AGE] = age_days(now_s, r->edge_own_s);
    f[F_BAD_AGE] = age_days(now_s, r->edge_bad_s);
    f[F_GOOD_AGE] = age_days(now_s, r->edge_good_s);
    f[F_GOOD_TAIL] = (float)r->good_tail;
}

static void read_visits(const view *v, float *f)
{
    const record *r = v->r;
    float visits = (float)r->visits, gaps = visits - 1;
    float age = r->visits ? days_between(r->visit_us, v->clock_us) : -1;
    float mean = gaps > 0 ? r->gap_sum / gaps : -1;
    f[F_VISITS] = visits;
    f[F_VISITS_7D] = r->slow[0][0] * v->event[2];
    f[F_VISITS_30D] = r->slow[0][1] * v->event[3];
    f[F_VISITS_90D] = r->quarter[1] * v->event[4];
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
    read_normal(k, v, f);
    if (plan->risk >= 0) {
        read_labels(v, f);
        read_edges(v, f);
    }
    if (plan->marks) read_marks(v, f);
    read_novelty(plan, v, f);
    read_visits(v, f);
}

/* The event's amount over an earlier one. Held inside +-1e6: a decayed mean goes to zero when only events without an
 * amount follow. */
static float ratio_to(const step *s, float base)
{
    return s->has_amount && base > 0 ? clampf(s->amount / base, -1e6f, 1e6f) : -1;
}

/* What the event's own amount, hour and values are against the record. */
against fl_fold_read_event(const kind_plan *k, const view *v, const step *s, float *f)
{
    const record *r = v->r;
    const float fade = v->event[3];
    for (int i = 0; i < SCALES; i++) f[F_OVER_MEAN_1H + i] = ratio_to(s, f[F_MEAN_1H + i]);
    float normal = normal_mean(k, &r->normal), log_ratio = 0;
    bool known = s->amount > 0 && normal > 0;
    if (known) log_ratio = clampf(fl_fold_log(s->amount / normal), -20, 20);
    float surprise = known ? log_ratio / (normal_spread(k, &r->normal) + 1e-3f) : 0;
    f[F_OVER_NORMAL] = ratio_to(s, normal);
    f[F_SURPRISE] = surprise;
    f[F_EXPLAIN] = known ? k->ratio.explain[tail_bin(&k->ratio, log_ratio)] : 0;
    f[F_OVER_MAX] = ratio_to(s, r->amount_max);
    f[F_OVER_LAST] = ratio_to(s, r->last_amount);
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
    const view v = fl_fold_view(r, &m, clock_us, stamp(clock_us));

    memset(f, 0, sizeof f);
    fl_fold_read_state(plan, &plan->kind[kind], &v, f);
    for (uint32_t i = 0; i < b->reads; i++) out[i] = f[b->read[i]];
}

float fl_fold_high_ratio(const fl_fold_plan *plan, int kind)
{
    return plan->kind[kind].high;
}

static bool all_finite(const record *r, size_t from, size_t to)
{
    float x;
    for (; from < to; from += sizeof x) {
        memcpy(&x, (const uint8_t *)r + from, sizeof x);
        if (!isfinite(x)) return false;
    }
    return true;
}

bool fl_fold_record_sound(const fl_fold_record *rec)
{
    const record *r = record_const(rec);
    return all_finite(r, 0, offsetof(record, label_us)) && isfinite(r->run_ratio_sum) &&
           all_finite(r, offsetof(record, acc), offsetof(record, high_s));
}
