/* One step of the fold: an event, or a label that arrives. Owns what every feature means and how a record moves.
 *
 * Order inside an event: every record is brought forward to the clock and read; only then all are updated, each
 * reading what the others were before. So neither the order of the kinds nor of the pairs matters.
 * The clock never runs backwards (replay.h).
 * Sources: exponential histograms of streams, Cormode et al. 2009 (forward decay); linear counting, Whang et al. 1990;
 * Bloom 1970; attributable fraction among the exposed, Levin 1953. */
#include <math.h>

#include "fold/plan.h"
#include "fold/step.h"

/* The logarithms that an event needs: KIND_LOGS places for each kind, then the ratio of each pair. They are taken all at
 * once. */
enum {
    LOG_RATIO,
    LOG_TENURE,
    LOG_COUNT,
    LOG_AMOUNT, /* in the first kind's places alone */
    KIND_LOGS,
    LOGS_MAX = KIND_LOGS * FL_KINDS_MAX + FL_PAIRS_MAX
};
_Static_assert(KIND_LOGS % LOGS_STEP == 0 && FL_PAIRS_MAX % LOGS_STEP == 0, "logs in whole steps");

/* What is known of an event's kinds between reading their records and writing them. */
typedef struct {
    step at;
    float f[FL_KINDS_MAX][SLOT_COUNT], log[LOGS_MAX];
    view view[FL_KINDS_MAX];
    uint64_t peer_hash[FL_KINDS_MAX];
    bool fresh[FL_KINDS_MAX], own_map[FL_KINDS_MAX];
    against own[FL_KINDS_MAX];
} work;
enum { NORMAL_MEMORY = 400 }; /* events after which the own normal begins to forget */
static const float CLIPPED_WEIGHT = 0.1f;
static const kind_plan plain = {0, 0.5f, 4.5f, 4.5f, 1.504077f, 1.504077f, {{0}, {0}}}; /* a pair */

/* ln x = e ln 2 + ln m, m within a factor of sqrt 2 of 1: ln m = 2 atanh((m - 1) / (m + 1)), by its series. Each stage is
 * a loop over all numbers, without branches and with integers only where every processor has vectors of them. */
static inline void logs_of(float *x, int n)
{
    union {
        double v[LOGS_STEP];
        uint64_t u[LOGS_STEP];
    } m, e;
    double s[LOGS_STEP], q[LOGS_STEP], p[LOGS_STEP], one[LOGS_STEP];
    for (int i = 0; i < n; i++) m.v[i] = (double)x[i];
    for (int i = 0; i < n; i++) e.u[i] = m.u[i] >> 52 | 0x4330000000000000u; /* 2^52 + exponent */
    for (int i = 0; i < n; i++) m.u[i] = (m.u[i] & 0xfffffffffffffu) | 0x3ff0000000000000u;
    for (int i = 0; i < n; i++) one[i] = m.v[i] > 1.4142135623730951 ? 1 : 0;
    for (int i = 0; i < n; i++) m.v[i] *= 1 - 0.5 * one[i];
    for (int i = 0; i < n; i++) e.v[i] = e.v[i] - (0x1p52 + 1023) + one[i];
    for (int i = 0; i < n; i++) s[i] = (m.v[i] - 1) / (m.v[i] + 1);
    for (int i = 0; i < n; i++) q[i] = s[i] * s[i];
    for (int i = 0; i < n; i++)
        p[i] = 1.0 / 3 + q[i] * (0.2 + q[i] * (1.0 / 7 + q[i] * (1.0 / 9 + q[i] * (1.0 / 11))));
    for (int i = 0; i < n; i++) p[i] = 2 * s[i] * (1 + q[i] * p[i]);
    for (int i = 0; i < n; i++) x[i] = (float)(p[i] + e.v[i] * 0.69314718055994531);
}

float fl_fold_log(float x)
{
    logs_of(&x, 1);
    return x;
}

void fl_fold_logs(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LOGS_STEP) logs_of(x + i, LOGS_STEP);
}

float fl_fold_exp(float x)
{
    double y = (double)x * 1.4426950408889634; /* doublings */
    return (float)(y < 0 ? half_power(-y) : 1 / half_power(y < 125 ? y : 125));
}

void fl_fold_normal_add(const kind_plan *k, own_normal *n, float amount, float mean,
                        float log_ratio)
{
    float w = 1, deviation = log_ratio < 0 ? -log_ratio : log_ratio;
    if (mean > 0 && log_ratio >= k->log_clip) {
        w = CLIPPED_WEIGHT;
        amount = mean * k->clip;
    }
    if (deviation > k->log_clip) deviation = k->log_clip;
    n->sum += w * amount;
    n->weight += w;
    if (mean > 0) {
        n->spread_sum += w * deviation;
        n->spread_weight += w;
    }
    if (n->weight > NORMAL_MEMORY) {
        float keep = NORMAL_MEMORY / n->weight;
        n->sum *= keep;
        n->weight *= keep;
        n->spread_sum *= keep;
        n->spread_weight *= keep;
    }
}

/* Move the events' sums of a record to the moment's epochs. */
static void touch(record *r, const moment *m)
{
    static const uint8_t slow_column[4] = {2, 3, 2, 3};
    float by[LANES];
    if (!epochs_behind(m, r->epoch, by)) return;
    r->epoch = m->epoch;
    for (int q = 0; q < Q_EVENT_COUNT; q++)
        for (int s = 0; s < SCALES; s++) r->acc[q][s] *= by[s];
    for (int q = 0; q < 2; q++)
        for (int s = 0; s < 4; s++) r->slow[q][s] *= by[slow_column[s]];
    for (int q = 0; q < M_COUNT; q++) r->month[q] *= by[3];
    for (int q = 0; q < 4; q++) r->quarter[q] *= by[LANE_90D];
    for (int q = 0; q < 2; q++) {
        r->ratio_max[q] *= by[2 + q];
        r->peer_max[q] *= by[3];
    }
}

static void update_novelty(record *r, const step *s, bool fresh, uint64_t peer_hash, bool own_map)
{
    if (peer_hash && own_map) {
        map_add(r->met, 256, peer_hash);
        map_add(r->met, 256, fl_mix64(peer_hash));
    }
    if (fresh) {
        count32(&r->met_count);
        for (int i = 0; i < SCALES; i++) r->acc[Q_NEW][i] += s->at.weight[i];
    }
    if (s->value[0]) map_add(r->wide, 192, s->value[0]);
    for (int i = 0; i < NOVEL_SMALL; i++)
        if (s->value[i + 1]) map_add(&r->small[i], 64, s->value[i + 1]);
    if (r->hour[s->hour_bin] == UINT8_MAX)
        for (int i = 0; i < HOUR_BINS; i++) r->hour[i] /= 2;
    r->hour[s->hour_bin]++;
}

static void update_visit(record *r, const step *s)
{
    if (s->marks || s->amount < 0) return;
    if (r->visits == 0 || s->time_us != r->visit_us) {
        if (r->visits) {
            float gap = (float)((double)elapsed_us(r->visit_us, s->time_us) / 8.64e10);
            r->gap_sum += gap;
            r->gap_sq += gap * gap;
            r->gap_last = gap;
            if (gap > r->gap_max) r->gap_max = gap;
        }
        count32(&r->visits);
        if (r->visits == 1 || s->time_us > r->visit_us) r->visit_us = s->time_us;
        r->visit_amount = 0;
        r->visit_items = 0;
        r->slow[0][0] += s->at.weight[2];
        r->slow[0][1] += s->at.weight[3];
        r->quarter[1] += s->at.weight[LANE_90D];
    }
    r->visit_amount += s->amount;
    count16(&r->visit_items);
}

static void update_amount(const kind_plan *k, record *r, const step *s, const against *own)
{
    if (s->amount > 0) {
        const float mean = own->normal, log_ratio = own->log_ratio;
        float ratio = mean > 0 ? s->amount / mean : 1;
        if (!s->marks) r->sum += s->amount;
        for (int i = 0; i < SCALES; i++) r->acc[Q_SUM][i] += s->amount * s->at.weight[i];
        r->quarter[2] += s->amount * s->at.weight[LANE_90D];
        r->month[M_LOG] += s->log_amount * s->at.weight[3];
        r->month[M_LOG_SQ] += s->log_amount * s->log_amount * s->at.weight[3];
        r->month[M_LOG_WEIGHT] += s->at.weight[3];
        if (r->events && mean > 0 && log_ratio >= k->log_high) {
            for (int i = 0; i < SCALES; i++) r->acc[Q_HIGH][i] += s->at.weight[i];
            memmove(r->high_s + 1, r->high_s, (HIGHS - 1) * sizeof r->high_s[0]);
            r->high_s[0] = s->now_s;
        }
        for (int i = 0; i < 2; i++)
            if (ratio * s->at.weight[2 + i] > r->ratio_max[i])
                r->ratio_max[i] = ratio * s->at.weight[2 + i];
        fl_fold_normal_add(k, &r->normal, s->amount, mean, log_ratio);
        if (s->amount > r->amount_max) r->amount_max = s->amount;
    } else if (s->amount < 0) {
        r->slow[0][2] -= s->amount * s->at.weight[2];
        r->slow[0][3] -= s->amount * s->at.weight[3];
        count16(&r->out_events);
    }
    if (s->has_amount) r->last_amount = s->amount < 0 ? -s->amount : s->amount;
}

static void update_marks(record *r, const step *s)
{
    if (!s->marks) return;
    for (int i = 0; i < SCALES; i++) {
        if (s->marks & 1) r->acc[Q_MARK0][i] += s->at.weight[i];
        if (s->marks & 2) r->acc[Q_MARK1][i] += s->at.weight[i];
    }
    for (int i = 0; i < 2; i++) {
        if (s->marks & 4) r->slow[1][i] += s->at.weight[2 + i];
        if (s->marks & 8) r->slow[1][2 + i] += s->at.weight[2 + i];
    }
    r->quarter[3] += s->at.weight[LANE_90D];
    r->marked_s = s->now_s;
}

/* What an entity tells its counterparty; logs: of what ask_logs put there. */
static void peer_keys(const float *f, const float logs[KIND_LOGS], float out[NEIGHBOURS])
{
    out[0] = clampf(f[F_SURPRISE], 0, 20);
    out[1] = f[F_OWN_RATE_30D] > 0 ? f[F_OWN_RATE_30D] : 0;
    out[2] = logs[LOG_TENURE];
    out[3] = logs[LOG_COUNT];
}

static void update_peer(record *r, const float key[NEIGHBOURS], float weight)
{
    r->month[M_PEER_WEIGHT] += weight;
    for (int i = 0; i < NEIGHBOURS; i++) r->month[M_PEER + i] += key[i] * weight;
    if (key[1] * weight > r->peer_max[0]) r->peer_max[0] = key[1] * weight;
    if (key[0] * weight > r->peer_max[1]) r->peer_max[1] = key[0] * weight;
}

static void update_common(record *r, const step *s)
{
    uint32_t day = s->now_s / 86400 + 1;
    if (r->events == 0) r->first_s = s->now_s;
    count32(&r->events);
    if (day != r->day) {
        r->day = day;
        count32(&r->active_days);
    }
    for (int i = 0; i < SCALES; i++) r->acc[Q_COUNT][i] += s->at.weight[i];
    r->quarter[0] += s->at.weight[LANE_90D];
    if (s->clock_us > r->seen_us || r->events == 1) r->seen_us = s->clock_us;
}

static void select_slots(const block *b, const float *from, float *features)
{
    float *out = features + b->first;
    for (uint32_t i = 0; i < b->runs; i++) {
        const slot_run *run = &b->run[i];
        memcpy(out, from + run->from, run->count * sizeof *out);
        out += run->count;
    }
}

static void absent(const block *b, float *features)
{
    for (uint32_t i = 0; i < b->count; i++) features[b->first + i] = -1;
}

static void step_of(const fl_fold_plan *plan, const fl_event *event, int64_t clock_us, step *s)
{
    s->clock_us = clock_us;
    s->time_us = event->time_us;
    s->now_s = stamp(clock_us);
    s->at = moment_of(clock_us);
    s->marks = event->marks;
    s->has_amount = event->amount_minor != FL_AMOUNT_NONE;
    s->amount = s->has_amount ? (float)event->amount_minor * plan->unit : 0;
    s->log_amount = 0;
    for (int i = 0; i < NOVEL_FIELDS; i++)
        s->value[i] = plan->novel[i] >= 0 && event->category[plan->novel[i]]
                          ? fl_mix64(event->category[plan->novel[i]]) | 1
                          : 0;
    s->second_of_day = (uint32_t)(((event->time_us / FL_SECOND_US) % 86400 + 86400) % 86400);
    s->hour_bin = s->second_of_day / (86400 / HOUR_BINS);
}

/* Day of the month of a day number counted from 1970-01-01. Hinnant 2013, "chrono-compatible low-level date algorithms". */
static int month_day(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    return (int)(doy - (153 * mp + 2) / 5 + 1);
}

static void event_features(const fl_fold_plan *plan, const fl_event *event, const step *s,
                           float f[E_COUNT])
{
    int64_t seconds = event->time_us / FL_SECOND_US - (event->time_us % FL_SECOND_US < 0);
    int64_t day = seconds / 86400 - (seconds % 86400 < 0);
    int weekday = (int)(((day + 3) % 7 + 7) % 7);
    uint32_t bin = s->amount > 0 ? tail_bin(&plan->amount, s->log_amount) : 0;
    f[E_AMOUNT] = s->has_amount ? s->amount : -1;
    f[E_AMOUNT_TAIL] = (float)bin;
    f[E_HOUR] = (float)s->second_of_day / 3600.0f;
    f[E_WEEKDAY] = (float)weekday;
    f[E_WEEKEND] = weekday >= 5;
    f[E_MONTH_DAY] = (float)month_day(day);
    f[E_TYPE] = event->type;
    f[E_FOREIGN] = event->currency != 0;
    f[E_EXPLAIN] = s->amount > 0 ? plan->amount.explain[bin] : 0;
}

/* Is this the first meeting of kind k and its counterparty? The payer's map answers for both sides: a payer meets few
 * payees, a payee would fill any small map. own_map: kind k keeps a map of its own. */
static bool first_meeting(const fl_fold_plan *plan, fl_fold_record *const *rec,
                          const fl_event *event, int k, uint64_t *peer_hash, bool *own_map)
{
    int peer = plan->peer[k], keeper = k;
    *peer_hash = peer >= 0 ? event->entity_hash[peer] : 0;
    *own_map = true;
    if (!*peer_hash) return false;
    if (k == plan->payee && peer == plan->payer && rec[peer]) {
        keeper = peer;
        *own_map = false;
    }
    const record *r = record_const(rec[keeper]);
    uint64_t h = keeper == k ? *peer_hash : event->entity_hash[k];
    return !(map_has(r->met, 256, h) && map_has(r->met, 256, fl_mix64(h)));
}

/* Bring the kinds' records forward and read what they say by themselves. */
static void read_kinds(const fl_fold_plan *plan, fl_fold_record *const *rec, const fl_event *event,
                       work *w)
{
    for (uint32_t k = 0; k < plan->kinds; k++) {
        if (!rec[k]) continue;
        record *r = record_of(rec[k]);
        w->fresh[k] = first_meeting(plan, rec, event, (int)k, &w->peer_hash[k], &w->own_map[k]);
        touch(r, &w->at.at);
        fl_fold_view(&w->view[k], r, &w->at.at, w->at.clock_us, w->at.now_s);
        fl_fold_read_state(plan, &plan->kind[k], &w->view[k], w->f[k]);
    }
}

static void take_logs(const fl_fold_plan *plan, fl_fold_record *const *rec,
                      fl_fold_record *const *pair, work *w)
{
    uint32_t n = KIND_LOGS * (plan->kinds ? plan->kinds : 1), pairs = n;
    if (plan->pairs) n += FL_PAIRS_MAX;
    for (uint32_t i = 0; i < n; i++) w->log[i] = 1;
    for (uint32_t k = 0; k < plan->kinds; k++) {
        if (!rec[k]) continue;
        float *log = w->log + KIND_LOGS * k, tenure = w->f[k][F_TENURE];
        log[LOG_RATIO] = ratio_of(&plan->kind[k], record_of(rec[k]), &w->at);
        log[LOG_TENURE] = 1 + (tenure > 0 ? tenure : 0);
        log[LOG_COUNT] = 1 + w->f[k][F_COUNT_7D];
    }
    for (uint32_t i = 0; i < plan->pairs; i++)
        if (pair && pair[i]) w->log[pairs + i] = ratio_of(&plain, record_of(pair[i]), &w->at);
    if (w->at.amount > 0) w->log[LOG_AMOUNT] = w->at.amount / plan->amount_typical;
    fl_fold_logs(w->log, n);
    if (w->at.amount > 0) w->at.log_amount = clampf(w->log[LOG_AMOUNT], -40, 40);
}

static void update_kinds(const fl_fold_plan *plan, fl_fold_record *const *rec, const work *w)
{
    const step *s = &w->at;
    for (uint32_t k = 0; k < plan->kinds; k++) {
        if (!rec[k]) continue;
        record *r = record_of(rec[k]);
        int peer = plan->peer[k];
        if (peer >= 0 && rec[peer]) {
            float key[NEIGHBOURS];
            peer_keys(w->f[peer], w->log + KIND_LOGS * (uint32_t)peer, key);
            update_peer(r, key, s->at.weight[3]);
        }
        update_novelty(r, s, w->fresh[k], w->peer_hash[k], w->own_map[k]);
        update_amount(&plan->kind[k], r, s, &w->own[k]);
        update_visit(r, s);
        update_marks(r, s);
        update_common(r, s);
    }
}

static void step_pair(const fl_fold_plan *plan, uint32_t i, record *r, const step *s, float log,
                      float *features)
{
    float f[SLOT_COUNT];
    view v;
    touch(r, &s->at);
    fl_fold_view(&v, r, &s->at, s->clock_us, s->now_s);
    fl_fold_read_state(plan, &plain, &v, f);
    const against own = fl_fold_read_event(&plain, &v, s, log, f);
    f[F_NEW] = -1;
    select_slots(&plan->of_pair[i], f, features);
    update_amount(&plain, r, s, &own);
    update_marks(r, s);
    update_common(r, s);
}

void fl_fold_event(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, const fl_event *event, int64_t clock_us,
                   float *features, fl_fold_carry *carry)
{
    float e[E_COUNT];
    work w;

    step_of(plan, event, clock_us, &w.at);
    read_kinds(plan, rec, event, &w);
    take_logs(plan, rec, pair, &w);
    event_features(plan, event, &w.at, e);
    select_slots(&plan->event, e, features);
    fl_fold_own_features(plan, event, features);
    memset(carry, 0, sizeof *carry);
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++)
        carry->entity[k] = k < plan->kinds ? event->entity[k] : FL_NONE;
    carry->time_us = event->time_us;
    carry->label[0] = -1;
    carry->explain = e[E_EXPLAIN];
    for (uint32_t k = 0; k < plan->kinds; k++) {
        if (!rec[k]) {
            absent(&plan->of_kind[k], features);
            continue;
        }
        float *f = w.f[k];
        w.own[k] = fl_fold_read_event(&plan->kind[k], &w.view[k], &w.at,
                                      w.log[KIND_LOGS * k + LOG_RATIO], f);
        f[F_NEW] = w.peer_hash[k] ? (float)w.fresh[k] : -1;
        select_slots(&plan->of_kind[k], f, features);
        carry->z[k] = f[F_SURPRISE];
    }
    int lead = plan->payer >= 0 ? plan->payer : 0;
    if (plan->kinds && rec[lead]) {
        carry->explain = 1 - (1 - e[E_EXPLAIN]) * (1 - w.f[lead][F_EXPLAIN]);
        carry->label[1] = w.own[lead].log_ratio;
    }
    update_kinds(plan, rec, &w);
    const float *log = w.log + KIND_LOGS * (plan->kinds ? plan->kinds : 1);
    for (uint32_t i = 0; i < plan->pairs; i++) {
        if (pair && pair[i]) step_pair(plan, i, record_of(pair[i]), &w.at, log[i], features);
        else absent(&plan->of_pair[i], features);
    }
}

/* ---- marks that come later ---- */

static void take_off(float *sum, float x)
{
    *sum = *sum > x ? *sum - x : 0;
}

/* A visit that did not take place. */
static void undo_visit(record *r, const moment *m, int64_t time_us, float amount)
{
    if (amount > 0) take_off(&r->sum, amount);
    if (amount < 0 || !r->visits || r->visit_us != time_us || !r->visit_items) return;
    take_off(&r->visit_amount, amount);
    if (--r->visit_items) return;
    r->visits--;
    take_off(&r->slow[0][0], m->weight[2]);
    take_off(&r->slow[0][1], m->weight[3]);
    take_off(&r->quarter[1], m->weight[LANE_90D]);
}

void fl_fold_marks(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, const fl_fold_carry *carry, uint8_t before,
                   uint8_t fresh, int64_t amount_minor, int64_t clock_us)
{
    step s;
    memset(&s, 0, sizeof s);
    s.at = moment_of(clock_us);
    s.now_s = stamp(clock_us);
    s.marks = fresh;
    s.amount = amount_minor == FL_AMOUNT_NONE ? 0 : (float)amount_minor * plan->unit;
    for (uint32_t k = 0; k < plan->kinds; k++) {
        if (!rec[k]) continue;
        record *r = record_of(rec[k]);
        touch(r, &s.at);
        float marked = r->quarter[3];
        if (!before) undo_visit(r, &s.at, carry->time_us, s.amount);
        update_marks(r, &s);
        if (before) r->quarter[3] = marked; /* one event with any mark, counted before */
    }
    for (uint32_t i = 0; i < plan->pairs; i++) {
        if (!pair || !pair[i]) continue;
        record *r = record_of(pair[i]);
        touch(r, &s.at);
        float marked = r->quarter[3];
        if (!before && s.amount > 0) take_off(&r->sum, s.amount);
        update_marks(r, &s);
        if (before) r->quarter[3] = marked;
    }
}
