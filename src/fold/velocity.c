/* Exact windows by three tails that follow the stream, each taking away what has left its window: O(1) per event
 * and window, whatever the entity's history. */
#include "fold/velocity.h"
#include "fold/record.h"

enum { WINDOWS = 3 };
static const int64_t window_us[WINDOWS] = {FL_DAY_US, 7 * FL_DAY_US, 30 * FL_DAY_US};

typedef struct {
    uint64_t sum[WINDOWS]; /* two's complement: hostile amounts wrap, they don't trap */
    uint32_t count[WINDOWS];
} payer_window;
typedef struct {
    uint32_t count[WINDOWS], bad[WINDOWS];
} payee_window;
/* A label as it was applied; clock_us does not decrease along the queue. */
typedef struct {
    int64_t clock_us;
    uint32_t payee;
    bool bad;
} applied;

struct fl_velocity {
    const fl_log *log;
    fl_order *order;
    int payer, payee, label;
    float unit;
    payer_window *payers;
    payee_window *payees;
    applied *queue; /* [labels]; entries before the last tail are done with */
    uint64_t queued, queue_tail[WINDOWS], tail[WINDOWS];
    int64_t tail_clock[WINDOWS]; /* clock of the row at each tail */
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
    florin_status st = FLORIN_ENOMEM;
    *out = NULL;
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "%s: windows", fl_log_path(log));
    v->log = log;
    v->payer = payer;
    v->payee = payee;
    v->label = label;
    v->unit = fl_fold_unit(fl_log_schema(log));
    for (int w = 0; w < WINDOWS; w++) v->tail_clock[w] = INT64_MIN;
    v->payers = fl_calloc(payer < 0 ? 1 : fl_log_entities(log, payer) + 1, sizeof *v->payers);
    v->payees = fl_calloc(payee < 0 ? 1 : fl_log_entities(log, payee) + 1, sizeof *v->payees);
    v->queue = fl_alloc((size_t)fl_log_labels(log) + 1, sizeof *v->queue);
    if (!v->payers || !v->payees || !v->queue) {
        fl_fail(err, st, "%s: windows of %llu labels", fl_log_path(log),
                (unsigned long long)fl_log_labels(log));
        goto failed;
    }
    st = fl_order_open(&v->order, log, err);
    if (st) goto failed;
    *out = v;
    return FLORIN_OK;
failed:
    fl_velocity_close(v);
    return st;
}

void fl_velocity_close(fl_velocity *v)
{
    if (!v) return;
    fl_order_close(v->order);
    free(v->payers);
    free(v->payees);
    free(v->queue);
    free(v);
}

/* Clock of a row, given that of the row before it. */
static int64_t clock_after(const fl_log *log, uint64_t row, int64_t before)
{
    int64_t t = fl_log_time(log, row);
    return t > before ? t : before;
}

/* Let events leave window w that are w old at clock_us; row: the stream's newest. */
static void leave(fl_velocity *v, int w, uint64_t row, int64_t clock_us)
{
    while (v->tail[w] < row) {
        int64_t c = clock_after(v->log, v->tail[w], v->tail_clock[w]);
        if (elapsed_us(c, clock_us) < window_us[w]) break;
        uint32_t e = fl_log_entity(v->log, v->payer, v->tail[w]);
        if (e != FL_NONE) {
            int64_t a = fl_log_amount(v->log, v->tail[w]);
            v->payers[e].count[w]--;
            if (a != FL_AMOUNT_NONE) v->payers[e].sum[w] -= (uint64_t)a;
        }
        v->tail_clock[w] = c;
        v->tail[w]++;
    }
}

static void labels_leave(fl_velocity *v, int w, int64_t clock_us)
{
    while (v->queue_tail[w] < v->queued &&
           elapsed_us(v->queue[v->queue_tail[w]].clock_us, clock_us) >= window_us[w]) {
        const applied *a = &v->queue[v->queue_tail[w]++];
        v->payees[a->payee].count[w]--;
        v->payees[a->payee].bad[w] -= a->bad;
    }
}

static void add_label(fl_velocity *v, const fl_label *l, int64_t clock_us)
{
    uint32_t e = l->label == v->label ? fl_log_entity(v->log, v->payee, l->row) : FL_NONE;
    if (e == FL_NONE) return;
    bool bad = l->value >= 0.5f;
    for (int w = 0; w < WINDOWS; w++) {
        v->payees[e].count[w]++;
        v->payees[e].bad[w] += bad;
    }
    v->queue[v->queued++] = (applied){clock_us, e, bad};
}

bool fl_velocity_next(fl_velocity *v, uint64_t *row, float *out)
{
    fl_label l;
    int64_t clock_us;
    if (fl_order_peek(v->order) == INT64_MAX) return false;
    for (;;) {
        fl_step s = fl_order_next(v->order, row, &l, &clock_us);
        if (s == FL_STEP_END) return false;
        if (s == FL_STEP_EVENT) break;
        if (v->payee >= 0) add_label(v, &l, clock_us);
    }
    memset(out, 0, FL_VELOCITY * sizeof *out);
    uint32_t a = v->payer < 0 ? FL_NONE : fl_log_entity(v->log, v->payer, *row);
    uint32_t b = v->payee < 0 ? FL_NONE : fl_log_entity(v->log, v->payee, *row);
    int64_t amount = fl_log_amount(v->log, *row);
    for (int w = 0; w < WINDOWS; w++) {
        if (v->payer >= 0) leave(v, w, *row, clock_us);
        labels_leave(v, w, clock_us);
        if (a != FL_NONE) {
            payer_window *p = &v->payers[a];
            p->count[w]++;
            if (amount != FL_AMOUNT_NONE) p->sum[w] += (uint64_t)amount;
            out[2 * w] = (float)p->count[w];
            out[2 * w + 1] = (float)((double)(int64_t)p->sum[w] * (double)v->unit / p->count[w]);
        }
        if (b == FL_NONE || !v->payees[b].count[w]) continue;
        out[6 + 2 * w] = (float)v->payees[b].count[w];
        out[7 + 2 * w] = (float)v->payees[b].bad[w] / (float)v->payees[b].count[w];
    }
    return true;
}
