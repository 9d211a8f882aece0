/* Exact windows as differences of totals that only grow: of every entity what has entered, and for every window what has
 * left it again. Tails follow the stream, one for each window; what a tail passes is added to its entity's "left". O(1)
 * per event and window, whatever the entity's history. */
#include "fold/velocity.h"
#include "fold/order.h"
#include "fold/record.h"

enum { WINDOWS = 3, NOW = WINDOWS, NOBODY = 0 };
static const int64_t window_us[WINDOWS] = {FL_DAY_US, 7 * FL_DAY_US, 30 * FL_DAY_US};

/* Of one payer; [w]: what has left window w, [NOW]: all. Two's complement: hostile amounts wrap, they don't trap. */
typedef struct {
    uint64_t sum[WINDOWS + 1];
    uint32_t count[WINDOWS + 1];
} payments;
/* Of one payee; labels in the low half, bad ones in the high half: differences are right, carries included, as long as
 * a window holds fewer than 2^32 labels of one payee. */
typedef struct {
    uint64_t all[WINDOWS + 1];
} labels;

/* The rows that a window's tail has yet to pass. */
typedef struct {
    fl_cursor next;
    int64_t clock_us; /* largest time in the segments before */
} row_tail;

struct fl_velocity {
    const fl_log *log;
    fl_order *order;
    int payer, payee, label;
    double unit;
    payments *payers; /* [1 + entity]; NOBODY: of events without one */
    labels *payees;   /* [1 + entity] */
    row_tail row_tail[WINDOWS];
    /* Labels as they were applied, clocks not decreasing. */
    int64_t *label_clock_us;
    uint32_t *label_payee; /* 1 + entity */
    uint8_t *label_bad;
    uint64_t label_count, label_tail[WINDOWS];
    fl_log_columns label_at; /* the segment of the last label's event */
    float out[FL_VELOCITY];
};

const char *fl_velocity_name(uint32_t i)
{
    static const char *const names[FL_VELOCITY] = {
        "payer.count_1d",  "payer.mean_1d",      "payer.count_7d",   "payer.mean_7d",
        "payer.count_30d", "payer.mean_30d",     "payee.labels_1d",  "payee.bad_share_1d",
        "payee.labels_7d", "payee.bad_share_7d", "payee.labels_30d", "payee.bad_share_30d"};
    return names[i];
}

florin_status fl_velocity_open(fl_velocity **out, const fl_log *log, int payer, int payee,
                               int label, florin_error *err)
{
    fl_velocity *v = fl_calloc(1, sizeof *v);
    florin_status st = FLORIN_OK;
    *out = NULL;
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "%s: windows", fl_log_path(log));
    v->log = log;
    v->payer = payer;
    v->payee = payee;
    v->label = label;
    v->unit = (double)fl_fold_unit(fl_log_schema(log));
    size_t payers = 1 + (payer < 0 ? 0 : (size_t)fl_log_entities(log, payer)),
           payees = 1 + (payee < 0 ? 0 : (size_t)fl_log_entities(log, payee)),
           room = 1 + (payee < 0 ? 0 : (size_t)fl_log_labels(log));
    for (int w = 0; w < WINDOWS; w++) v->row_tail[w] = (row_tail){fl_cursor_start(log), INT64_MIN};
    v->payers = fl_alloc_aligned(payers, sizeof *v->payers);
    v->payees = fl_alloc_aligned(payees, sizeof *v->payees);
    v->label_clock_us = fl_alloc(room, sizeof *v->label_clock_us);
    v->label_payee = fl_alloc(room, sizeof *v->label_payee);
    v->label_bad = fl_alloc(room, sizeof *v->label_bad);
    if (!v->payers || !v->payees || !v->label_clock_us || !v->label_payee || !v->label_bad)
        st = fl_fail(err, FLORIN_ENOMEM, "%s: windows of %llu events", fl_log_path(log),
                     (unsigned long long)fl_log_rows(log));
    if (!st) st = fl_order_open(&v->order, log, err);
    if (st) fl_velocity_close(v);
    else *out = v;
    return st;
}

void fl_velocity_close(fl_velocity *v)
{
    if (!v) return;
    fl_order_close(v->order);
    free(v->payers);
    free(v->payees);
    free(v->label_clock_us);
    free(v->label_payee);
    free(v->label_bad);
    free(v);
}

/* Let the rows with clock < end leave window w. */
static inline void payments_leave(fl_velocity *v, int w, uint64_t row, int64_t end_us)
{
    row_tail *t = &v->row_tail[w];
    while (t->next.row < row && t->clock_us < end_us) {
        const fl_log_columns *at = &t->next.at;
        const uint32_t *payer = at->entity[v->payer];
        const int64_t *time_us = at->time_us;
        const uint64_t rows = at->rows;
        uint64_t i = t->next.row - at->first;
        for (; i < rows && time_us[i] < end_us; i++) {
            payments *p = &v->payers[payer[i] + 1];
            int64_t amount = at->amount_minor[i];
            p->sum[w] += amount == FL_AMOUNT_NONE ? 0 : (uint64_t)amount;
            p->count[w]++;
        }
        t->next.row = at->first + i;
        if (i < rows) break;
        if (time_us[i - 1] > t->clock_us) t->clock_us = time_us[i - 1];
        fl_cursor_turn(&t->next);
    }
}

static inline void labels_leave(fl_velocity *v, int w, int64_t end_us)
{
    const int64_t *clock_us = v->label_clock_us;
    const uint64_t n = v->label_count;
    uint64_t i = v->label_tail[w];
    for (; i < n && clock_us[i] < end_us; i++)
        v->payees[v->label_payee[i]].all[w] += (uint64_t)v->label_bad[i] << 32 | 1;
    v->label_tail[w] = i;
}

/* Exclusive end of what is older than window w at clock_us: c leaves if c < end. */
static inline int64_t end_of(int w, int64_t clock_us)
{
    int64_t end;
    return __builtin_sub_overflow(clock_us, window_us[w] - 1, &end) ? INT64_MIN : end;
}

static inline void add_label(fl_velocity *v, const fl_label *l, int64_t clock_us)
{
    fl_log_columns *at = &v->label_at;
    if (v->payee < 0 || l->label != v->label) return;
    if (l->row - at->first >= at->rows)
        *at = fl_log_columns_of(v->log, fl_log_segment_of(v->log, l->row));
    uint32_t who = at->entity[v->payee][l->row - at->first] + 1;
    bool bad = l->value >= 0.5f;
    if (who == NOBODY) return;
    v->payees[who].all[NOW] += (uint64_t)bad << 32 | 1;
    uint64_t i = v->label_count++;
    v->label_clock_us[i] = clock_us;
    v->label_payee[i] = who;
    v->label_bad[i] = bad;
}

static inline void payer_features(const payments *p, double unit, float *out)
{
    for (int w = 0; w < WINDOWS; w++) {
        uint32_t count = p->count[NOW] - p->count[w];
        out[2 * w] = (float)count;
        out[2 * w + 1] = (float)((double)(int64_t)(p->sum[NOW] - p->sum[w]) * unit / count);
    }
}

static inline void payee_features(const labels *p, float *out)
{
    for (int w = 0; w < WINDOWS; w++) {
        uint64_t d = p->all[NOW] - p->all[w];
        uint32_t all = (uint32_t)d, bad = (uint32_t)(d >> 32);
        out[2 * w] = (float)all;
        out[2 * w + 1] = all ? (float)bad / (float)all : 0;
    }
}

static inline void pay(fl_velocity *v, uint32_t who, int64_t amount)
{
    payments *p = &v->payers[who];
    p->sum[NOW] += amount == FL_AMOUNT_NONE ? 0 : (uint64_t)amount;
    p->count[NOW]++;
    payer_features(p, v->unit, v->out);
}

static void apply_labels(fl_velocity *v, int64_t clock_us)
{
    fl_order *o = v->order;
    const fl_label *plain;
    fl_label l;
    int64_t at_us;
    while ((plain = fl_order_plain_label(o, clock_us)) != NULL)
        add_label(v, plain, plain->arrival_us > o->clock_us ? plain->arrival_us : o->clock_us);
    if (!fl_order_label_due(o, clock_us)) return;
    while (fl_order_advance(o, clock_us, &l, &at_us) == FL_STEP_LABEL) add_label(v, &l, at_us);
}

const float *fl_velocity_next(fl_velocity *v, uint64_t *row)
{
    fl_order *o = v->order;
    if (o->next.row == o->rows) return NULL;
    const int64_t clock_us = fl_order_next_clock(o);
    apply_labels(v, clock_us);
    *row = o->next.row;
    const uint64_t i = *row - o->next.at.first;
    const uint32_t a = v->payer < 0 ? NOBODY : o->next.at.entity[v->payer][i] + 1;
    const uint32_t b = v->payee < 0 ? NOBODY : o->next.at.entity[v->payee][i] + 1;
    const int64_t amount = o->next.at.amount_minor[i];
    fl_order_take(o, clock_us);
    for (int w = 0; w < WINDOWS; w++) {
        int64_t end_us = end_of(w, clock_us);
        if (v->payer >= 0) payments_leave(v, w, *row, end_us);
        labels_leave(v, w, end_us);
    }
    memset(v->out, 0, sizeof v->out);
    if (a != NOBODY) pay(v, a, amount);
    if (b != NOBODY) payee_features(&v->payees[b], v->out + 2 * WINDOWS);
    return v->out;
}
