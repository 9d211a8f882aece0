/* The merged stream of events and labels (replay.h). Labels that arrive before their own event wait in a heap
 * ordered by (row, place among the labels) and come out just after that event. */
#include "fold/replay.h"

typedef struct {
    uint64_t row, index;
} waiting;

struct fl_order {
    const fl_log *log;
    uint64_t rows, labels;
    uint64_t next_row, next_label; /* rows before next_row have been returned */
    int64_t clock_us;              /* largest event time so far */
    waiting *heap;
    size_t heap_cap;
    uint64_t heap_count;
    uint64_t late;
};

florin_status fl_order_open(fl_order **out, const fl_log *log, florin_error *err)
{
    fl_order *o = fl_calloc(1, sizeof *o);
    *out = NULL;
    if (!o) return fl_fail(err, FLORIN_ENOMEM, "%s: replay", fl_log_path(log));
    o->log = log;
    o->rows = fl_log_rows(log);
    o->labels = fl_log_labels(log);
    o->clock_us = INT64_MIN;
    /* Room for every label that arrives before its event, so that stepping never allocates. */
    uint64_t early = 0;
    for (uint64_t i = 0; i < o->labels; i++) {
        fl_label l;
        fl_log_label(log, i, &l);
        early += l.arrival_us <= fl_log_time(log, l.row);
    }
    uint32_t segments = fl_log_segments(log);
    size_t room = segments > 1 ? o->labels : early; /* late rows: any label may have to wait */
    o->heap = fl_alloc(room ? room : 1, sizeof *o->heap);
    o->heap_cap = room;
    if (!o->heap) {
        fl_order_close(o);
        return fl_fail(err, FLORIN_ENOMEM, "%s: %llu labels that wait for their events",
                       fl_log_path(log), (unsigned long long)room);
    }
    *out = o;
    return FLORIN_OK;
}

void fl_order_close(fl_order *o)
{
    if (o) free(o->heap);
    free(o);
}

static bool before(const waiting *a, const waiting *b)
{
    return a->row != b->row ? a->row < b->row : a->index < b->index;
}

static void push(fl_order *o, waiting w)
{
    uint64_t i = o->heap_count++;
    while (i > 0 && before(&w, &o->heap[(i - 1) / 2])) {
        o->heap[i] = o->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    o->heap[i] = w;
}

static waiting pop(fl_order *o)
{
    waiting top = o->heap[0], last = o->heap[--o->heap_count];
    uint64_t i = 0, n = o->heap_count;
    for (;;) {
        uint64_t c = 2 * i + 1;
        if (c >= n) break;
        if (c + 1 < n && before(&o->heap[c + 1], &o->heap[c])) c++;
        if (!before(&o->heap[c], &last)) break;
        o->heap[i] = o->heap[c];
        i = c;
    }
    if (n) o->heap[i] = last;
    return top;
}

static fl_step give_label(const fl_order *o, uint64_t index, fl_label *label, int64_t *clock_us)
{
    fl_log_label(o->log, index, label);
    *clock_us = label->arrival_us > o->clock_us ? label->arrival_us : o->clock_us;
    return FL_STEP_LABEL;
}

fl_step fl_order_advance(fl_order *o, int64_t at_us, fl_label *label, int64_t *clock_us)
{
    if (o->heap_count && o->heap[0].row < o->next_row)
        return give_label(o, pop(o).index, label, clock_us);
    while (o->next_label < o->labels) {
        fl_log_label(o->log, o->next_label, label);
        if (label->arrival_us > at_us) break;
        uint64_t index = o->next_label++;
        if (label->row < o->next_row) return give_label(o, index, label, clock_us);
        push(o, (waiting){label->row, index});
    }
    return FL_STEP_END;
}

fl_step fl_order_next(fl_order *o, uint64_t *row, fl_label *label, int64_t *clock_us)
{
    if (o->next_row == o->rows) {
        /* After the last event: whatever labels are left. */
        return fl_order_advance(o, INT64_MAX, label, clock_us);
    }
    int64_t t = fl_log_time(o->log, o->next_row);
    int64_t clock = t > o->clock_us ? t : o->clock_us;
    if (fl_order_advance(o, clock, label, clock_us) == FL_STEP_LABEL) return FL_STEP_LABEL;
    o->late += t < o->clock_us;
    o->clock_us = clock;
    *clock_us = clock;
    *row = o->next_row++;
    return FL_STEP_EVENT;
}

uint64_t fl_order_label_ahead(const fl_order *o, uint64_t n)
{
    fl_label l;
    if (n >= o->labels - o->next_label) return UINT64_MAX;
    fl_log_label(o->log, o->next_label + n, &l);
    return l.row;
}

int64_t fl_order_peek(const fl_order *o)
{
    return o->next_row < o->rows ? fl_log_time(o->log, o->next_row) : INT64_MAX;
}

uint64_t fl_order_late(const fl_order *o)
{
    return o->late;
}

int64_t fl_order_clock(const fl_order *o)
{
    return o->clock_us;
}
