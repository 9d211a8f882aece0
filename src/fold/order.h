/* The merged stream's insides, so that its common step is a few instructions: private to src/fold. */
#ifndef FL_FOLD_ORDER_H
#define FL_FOLD_ORDER_H

#include "fold/replay.h"

typedef struct {
    uint64_t row, index;
} fl_waiting;

/* Rows in order, with the columns of the segment that holds the next one at hand. */
typedef struct {
    const fl_log *log;
    uint64_t row; /* the next one */
    uint32_t segment;
    fl_log_columns at; /* its segment; meaningless past the last row */
} fl_cursor;

struct fl_order {
    const fl_log *log;
    const fl_label *label; /* [labels] by arrival */
    uint64_t rows, labels, next_label;
    fl_cursor next;   /* rows before next.row have been returned */
    int64_t clock_us; /* largest event time so far */
    fl_waiting *heap;
    size_t heap_cap;
    uint64_t heap_count;
    uint64_t late;
};

fl_cursor fl_cursor_start(const fl_log *log);
/* Find the segment of the next row again: for fl_cursor_step. */
void fl_cursor_turn(fl_cursor *c);

static inline void fl_cursor_step(fl_cursor *c)
{
    if (++c->row == c->at.first + c->at.rows) fl_cursor_turn(c);
}
static inline int64_t fl_cursor_time(const fl_cursor *c)
{
    return c->at.time_us[c->row - c->at.first];
}

/* The clock at the next event, of which there must be one. */
static inline int64_t fl_order_next_clock(const fl_order *o)
{
    int64_t t = fl_cursor_time(&o->next);
    return t > o->clock_us ? t : o->clock_us;
}
/* Might a label come before the next event? False is certain. */
static inline bool fl_order_label_due(const fl_order *o, int64_t next_clock_us)
{
    return o->heap_count ||
           (o->next_label < o->labels && o->label[o->next_label].arrival_us <= next_clock_us);
}
/* The label that comes before the next event if it is the plain case: its event is past and nothing waits. NULL: ask
 * fl_order_advance. */
static inline const fl_label *fl_order_plain_label(fl_order *o, int64_t next_clock_us)
{
    const fl_label *l = o->label + o->next_label;
    if (o->heap_count || o->next_label == o->labels || l->arrival_us > next_clock_us ||
        l->row >= o->next.row)
        return NULL;
    o->next_label++;
    return l;
}
/* Take the next event; no label may be due. */
static inline void fl_order_take(fl_order *o, int64_t next_clock_us)
{
    o->late += fl_cursor_time(&o->next) < o->clock_us;
    o->clock_us = next_clock_us;
    fl_cursor_step(&o->next);
}

#endif
