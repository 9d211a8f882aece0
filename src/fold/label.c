/* A risk label arrives: counts, edges of the visible labels, and whose doing it was.
 *
 * Edges are in the time of the labelled events, so that "three weeks since the first bad event" means the same
 * whatever the delay. The run is the bad labels after the newest good one. O(1) state can't reorder: when labels come
 * out of their events' order, a good label inside the run cuts it and what is kept is the run's newest end. */
#include "fold/plan.h"

enum { SILENCE_S = 30 * 86400 };

/* Move the labels' sums to the moment's epochs. */
static void touch(record *r, const moment *m, int64_t clock_us)
{
    float by[LANES];
    if (epochs_behind(m, r->label_epoch, by)) {
        r->label_epoch = m->epoch;
        for (int q = 0; q < L_LABEL_COUNT; q++)
            for (int s = 0; s < SCALES; s++) r->label[q][s] *= by[LABEL_LANE + s];
        r->high_good *= by[3];
    }
    if (r->labelled == 0 || clock_us > r->label_us) r->label_us = clock_us;
}

/* Where good labels are never reported, silence as long as the slowest scale ends a run instead. */
static bool silent(uint32_t last_s, uint32_t event_s)
{
    return event_s > last_s && event_s - last_s > SILENCE_S;
}

static void edge_bad(record *r, uint32_t event_s, uint32_t now_s, bool own, float log_ratio)
{
    bool joins = event_s >= r->edge_good_s;
    if (r->run && silent(r->edge_bad_s, event_s)) r->run = r->own_run = 0;
    if (r->own_run && silent(r->edge_own_s, event_s)) r->own_run = 0;
    if (event_s > r->edge_bad_s) r->edge_bad_s = event_s;
    if (own && event_s > r->edge_own_s) r->edge_own_s = event_s;
    if (!joins) return;
    if (r->run == 0) {
        r->run_first_s = event_s;
        r->run_arrival_s = now_s;
        r->run_gap_d = r->edge_good_s ? age_days(event_s, r->edge_good_s) : -1;
        r->run_ratio_sum = 0;
    }
    if (event_s < r->run_first_s) r->run_first_s = event_s;
    count16(&r->run);
    if (r->run < UINT16_MAX) r->run_ratio_sum += log_ratio;
    r->good_tail = 0;
    if (!own) return;
    if (r->own_run == 0 || event_s < r->own_first_s) r->own_first_s = event_s;
    count16(&r->own_run);
}

static void edge_good(record *r, uint32_t event_s)
{
    if (event_s > r->edge_good_s) r->edge_good_s = event_s;
    if (event_s >= r->edge_bad_s) {
        r->run = r->own_run = 0;
        r->run_first_s = r->own_first_s = r->run_arrival_s = 0;
        count16(&r->good_tail);
    } else if (r->run && event_s > r->run_first_s) {
        r->run_first_s = r->edge_bad_s;
        r->run_ratio_sum /= (float)r->run;
        r->run = 1;
        if (r->own_run && r->own_first_s <= event_s) {
            bool left = r->edge_own_s > event_s;
            r->own_first_s = left ? r->edge_own_s : 0;
            r->own_run = left;
        }
    }
}

/* own: share of a bad label that is this entity's doing; unusual: how unusual its amount was. */
static void apply(record *r, const fl_fold_carry *c, bool bad, bool again, const moment *m,
                  int64_t clock_us, float own, float unusual)
{
    uint32_t event_s = stamp(c->time_us), now_s = stamp(clock_us);
    touch(r, m, clock_us);
    const float *weight = m->weight + LABEL_LANE;
    if (!again) {
        count32(&r->labelled);
        for (int s = 0; s < SCALES; s++) r->label[L_SEEN][s] += weight[s];
    }
    if (bad) {
        count32(&r->bads);
        for (int s = 0; s < SCALES; s++) {
            r->label[L_BAD][s] += weight[s];
            r->label[L_OWN][s] += own * weight[s];
        }
        edge_bad(r, event_s, now_s, own >= 0.5f, c->label[1]);
    } else {
        if (again) { /* a bad label is taken back: at most what is left of one */
            if (r->bads) r->bads--;
            for (int s = 0; s < SCALES; s++) {
                float one = weight[s], part = own * weight[s];
                r->label[L_BAD][s] -= r->label[L_BAD][s] < one ? r->label[L_BAD][s] : one;
                r->label[L_OWN][s] -= r->label[L_OWN][s] < part ? r->label[L_OWN][s] : part;
            }
        }
        r->high_good += unusual * m->weight[3];
        edge_good(r, event_s);
    }
    if (event_s >= r->edge_last_s) {
        r->edge_last_s = event_s;
        r->last_bad = bad;
    }
}

void fl_fold_label(const fl_fold_plan *plan, fl_fold_record *const *rec,
                   fl_fold_record *const *pair, fl_fold_carry *carry, float value, int64_t clock_us)
{
    bool bad = value >= 0.5f, again = carry->label[0] >= 0;
    if (again && bad == (carry->label[0] >= 0.5f)) return; /* says nothing new */
    const moment m = moment_of(clock_us);
    int lead = plan->payer >= 0 ? plan->payer : 0;
    const tail *t = &plan->kind[lead].ratio;
    float by_ratio = t->explain[tail_bin(t, carry->label[1])];
    for (uint32_t k = 0; k < plan->kinds; k++)
        if (rec[k])
            apply(record_of(rec[k]), carry, bad, again, &m, clock_us,
                  (int)k == lead ? by_ratio : 1 - carry->explain, by_ratio);
    for (uint32_t i = 0; i < plan->pairs; i++)
        if (pair && pair[i])
            apply(record_of(pair[i]), carry, bad, again, &m, clock_us, by_ratio, by_ratio);
    carry->label[0] = bad;
}
