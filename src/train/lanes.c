/* Owns the order in which sequences are trained. Invariant: it follows from the seed, the epoch and the data alone, so a
 * checkpoint needs only epoch, cursor and the lanes' places. */
#include "train/lanes.h"

typedef struct fl_unit {
    uint32_t entity, piece;
    uint64_t from, to;
} fl_unit;

enum { PIECE_MIN = 512 };

/* Events of an entity that may be trained on: rows are ascending, so it is a prefix. */
static uint64_t trainable(const fl_sequences *q, uint32_t e, uint32_t train)
{
    uint64_t low = q->start[e], high = q->start[e + 1];

    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (q->row[middle] < train) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool add_units(fl_lanes *l, size_t *cap, uint32_t e, uint64_t from, uint64_t to,
                      uint64_t most)
{
    uint64_t pieces = (to - from + most - 1) / most,
             length = pieces ? (to - from + pieces - 1) / pieces : 0;

    for (uint32_t p = 0; p < pieces; p++) {
        if (!fl_grow((void **)&l->unit, cap, (size_t)l->units + 1, sizeof *l->unit)) return false;
        uint64_t a = from + p * length, b = a + length < to ? a + length : to;
        if (a < b) l->unit[l->units++] = (fl_unit){e, p, a, b};
    }
    return true;
}

static int by_place(const void *a, const void *b)
{
    const fl_unit *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

void fl_lanes_order(fl_lanes *l)
{
    fl_rng rng;

    qsort(l->unit, l->units, sizeof *l->unit, by_place);
    fl_rng_seed(&rng, l->seed ^ fl_mix64(l->epoch + 0x65706f6368));
    for (uint32_t i = l->units; i > 1; i--) {
        uint32_t j = (uint32_t)fl_rng_below(&rng, i);
        fl_unit u = l->unit[i - 1];
        l->unit[i - 1] = l->unit[j];
        l->unit[j] = u;
    }
}

florin_status fl_lanes_new(fl_lanes **out, const fl_rows *rows, int stream, uint32_t lanes,
                           uint64_t seed, florin_error *err)
{
    const fl_sequences *q = &rows->stream[stream];
    fl_lanes *l = fl_calloc(1, sizeof *l);
    size_t cap = 0;

    *out = NULL;
    if (!l) return fl_fail(err, FLORIN_ENOMEM, "sequences");
    l->sequences = q;
    l->train = rows->train;
    l->seed = seed ^ (uint64_t)(stream + 1) << 56;
    l->lanes = lanes;
    for (uint32_t e = 0; e < q->entities; e++)
        if (!q->unseen[e]) l->rows += trainable(q, e, rows->train) - q->start[e];
    uint64_t most = l->rows / lanes > PIECE_MIN ? l->rows / lanes : PIECE_MIN;
    l->lane = fl_calloc(lanes, sizeof *l->lane);
    bool ok = l->lane != NULL;
    for (uint32_t e = 0; e < q->entities && ok; e++)
        if (!q->unseen[e])
            ok = add_units(l, &cap, e, q->start[e], trainable(q, e, rows->train), most);
    if (!ok || !l->units) {
        florin_status st = ok ? fl_fail(err, FLORIN_EINPUT, "no %s has an event to train on",
                                        stream ? "payee" : "payer")
                              : fl_fail(err, FLORIN_ENOMEM, "sequences");
        fl_lanes_free(l);
        return st;
    }
    fl_lanes_order(l);
    *out = l;
    return FLORIN_OK;
}

void fl_lanes_free(fl_lanes *l)
{
    if (!l) return;
    free(l->unit);
    free(l->lane);
    free(l);
}

static void next_unit(fl_lanes *l, fl_lane *lane)
{
    if (l->cursor == l->units) {
        l->cursor = 0;
        l->epoch++;
        fl_lanes_order(l);
    }
    const fl_unit *u = &l->unit[l->cursor++];
    *lane = (fl_lane){u->from, u->from, u->to, l->sequences->start[u->entity]};
}

uint64_t fl_lanes_next(fl_lanes *l, fl_worker *const *worker, uint32_t workers, uint32_t steps)
{
    uint32_t share = l->lanes / workers;
    uint64_t count = 0;

    for (uint32_t t = 0; t < steps; t++)
        for (uint32_t i = 0; i < l->lanes; i++) {
            fl_window *w = fl_worker_window(worker[i / share]);
            fl_lane *lane = &l->lane[i];
            size_t at = (size_t)t * share + i % share;
            if (lane->at == lane->to) next_unit(l, lane);
            w->row[at] = l->sequences->row[lane->at];
            w->previous[at] = lane->at > lane->first ? l->sequences->row[lane->at - 1] : FL_NO_ROW;
            w->fresh[at] = lane->at == lane->from;
            bool loss = lane->from == lane->first || lane->at - lane->from >= FL_BURN_IN;
            w->weight[at] = loss ? 1.0f : 0.0f;
            count += loss;
            lane->at++;
        }
    for (uint32_t k = 0; k < workers; k++) {
        fl_window *w = fl_worker_window(worker[k]);
        w->lanes = share;
        w->steps = steps;
        for (size_t i = 0; i < (size_t)share * steps; i++)
            if (w->weight[i] > 0) w->weight[i] = 1.0f / (float)count;
    }
    return count;
}
