/* The merged stream of events and labels (replay.h). Labels that arrive before their own event wait in a heap
 * ordered by (row, place among the labels) and come out just after that event. */
#include "fold/order.h"

fl_cursor fl_cursor_start(const fl_log *log)
{
    fl_cursor c = {.log = log};
    fl_cursor_turn(&c);
    return c;
}

void fl_cursor_turn(fl_cursor *c)
{
    uint32_t n = fl_log_segments(c->log);
    while (c->segment < n) {
        c->at = fl_log_columns_of(c->log, c->segment);
        if (c->row < c->at.first + c->at.rows) return;
        c->segment++;
    }
}

florin_status fl_order_open(fl_order **out, const fl_log *log, florin_error *err)
{
    fl_order *o = fl_calloc(1, sizeof *o);
    *out = NULL;
    if (!o) return fl_fail(err, FLORIN_ENOMEM, "%s: replay", fl_log_path(log));
    o->log = log;
    o->rows = fl_log_rows(log);
    o->labels = fl_log_labels(log);
    o->label = fl_log_label_array(log);
    o->next = fl_cursor_start(log);
    o->clock_us = INT64_MIN;
    /* Room for every label that arrives before its event, so that stepping never allocates. */
    uint64_t early = 0;
    for (uint64_t i = 0; i < o->labels; i++) {
        const fl_label *l = &o->label[i];
        early += l->arrival_us <= fl_log_time(log, l->row);
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

static bool before(const fl_waiting *a, const fl_waiting *b)
{
    return a->row != b->row ? a->row < b->row : a->index < b->index;
}

static void push(fl_order *o, fl_waiting w)
{
    uint64_t i = o->heap_count++;
    while (i > 0 && before(&w, &o->heap[(i - 1) / 2])) {
        o->heap[i] = o->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    o->heap[i] = w;
}

static fl_waiting pop(fl_order *o)
{
    fl_waiting top = o->heap[0], last = o->heap[--o->heap_count];
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
    *label = o->label[index];
    *clock_us = label->arrival_us > o->clock_us ? label->arrival_us : o->clock_us;
    return FL_STEP_LABEL;
}

fl_step fl_order_advance(fl_order *o, int64_t at_us, fl_label *label, int64_t *clock_us)
{
    if (o->heap_count && o->heap[0].row < o->next.row)
        return give_label(o, pop(o).index, label, clock_us);
    while (o->next_label < o->labels) {
        const fl_label *l = &o->label[o->next_label];
        if (l->arrival_us > at_us) break;
        uint64_t index = o->next_label++;
        if (l->row < o->next.row) return give_label(o, index, label, clock_us);
        push(o, (fl_waiting){l->row, index});
    }
    return FL_STEP_END;
}

fl_step fl_order_next(fl_order *o, uint64_t *row, fl_label *label, int64_t *clock_us)
{
    if (o->next.row == o->rows) {
        /* After the last event: whatever labels are left. */
        return fl_order_advance(o, INT64_MAX, label, clock_us);
    }
    int64_t clock = fl_order_next_clock(o);
    if (fl_order_label_due(o, clock) &&
        fl_order_advance(o, clock, label, clock_us) == FL_STEP_LABEL)
        return FL_STEP_LABEL;
    *row = o->next.row;
    *clock_us = clock;
    fl_order_take(o, clock);
    return FL_STEP_EVENT;
}

uint64_t fl_order_label_ahead(const fl_order *o, uint64_t n)
{
    return n < o->labels - o->next_label ? o->label[o->next_label + n].row : UINT64_MAX;
}

int64_t fl_order_peek(const fl_order *o)
{
    return o->next.row < o->rows ? fl_cursor_time(&o->next) : INT64_MAX;
}

uint64_t fl_order_late(const fl_order *o)
{
    return o->late;
}

int64_t fl_order_clock(const fl_order *o)
{
    return o->clock_us;
}
