/* The order of things, defined once: merge the log's events and labels and run the fold over them.
 *
 *   clock = max(clock, time of the event). Before an event every label with arrival <= clock whose event is
 *   already in the past of the stream is applied, in (arrival, import) order; a label that arrives before its own
 *   event waits until just after it. Ties between events: log order. Late events apply at their place, clock
 *   standing still, and are counted. Replaying a log in any split into segments gives the same bytes.
 */
#ifndef FL_REPLAY_H
#define FL_REPLAY_H

#include "fold/fold.h"

/* The merged stream by itself, for whoever applies it elsewhere (the live path replaying a log). fl_replay is built
 * on it. Labels of all kinds come; only those of schema->risk_label go to the fold. */
typedef struct fl_order fl_order;
typedef enum { FL_STEP_END = 0, FL_STEP_EVENT, FL_STEP_LABEL } fl_step;
florin_status fl_order_open(fl_order **out, const fl_log *log, florin_error *err);
void fl_order_close(fl_order *o);
/* Next step: EVENT sets *row, LABEL sets *label. *clock_us: the stream's clock at that step (for a label the clock at
 * which it is applied: max(arrival, clock so far)). */
fl_step fl_order_next(fl_order *o, uint64_t *row, fl_label *label, int64_t *clock_us);
/* Next label with arrival <= at_us whose event has been returned; FL_STEP_END when none. For reads at a date. */
fl_step fl_order_advance(fl_order *o, int64_t at_us, fl_label *label, int64_t *clock_us);
/* Row of the nth label from here in order of arrival, UINT64_MAX past the end: for prefetching. */
uint64_t fl_order_label_ahead(const fl_order *o, uint64_t n);
/* Time of the next event, INT64_MAX at the end; events so far whose time was before the clock; the clock. */
int64_t fl_order_peek(const fl_order *o);
uint64_t fl_order_late(const fl_order *o);
int64_t fl_order_clock(const fl_order *o);

typedef struct fl_replay fl_replay;

/* plan and log must outlive it. */
florin_status fl_replay_open(fl_replay **out, const fl_fold_plan *plan, const fl_log *log,
                             florin_error *err);
void fl_replay_close(fl_replay *r);

/* Step to the next event: applies the labels that are due, then folds the event. False at the end.
 * *row, *event, features [fl_fold_features]. Use `carry` to see what the fold kept. */
bool fl_replay_next(fl_replay *r, uint64_t *row, fl_event *event, float *features,
                    const fl_fold_carry **carry);
/* Apply all labels with arrival <= at_us (their events being past), without an event: before reading at a cut date. */
void fl_replay_advance(fl_replay *r, int64_t at_us);
/* Time of the next event, INT64_MAX at the end. */
int64_t fl_replay_peek(const fl_replay *r);
fl_fold_record *fl_replay_record(fl_replay *r, int kind,
                                 uint32_t entity); /* live view of the table */
uint64_t fl_replay_late(const fl_replay *r);
int64_t fl_replay_clock(const fl_replay *r);

/* Labels as known at a moment: value of `label` for the event at `row` among those with arrival <= at_us;
 * later arrivals correct earlier ones. -1: none visible. O(log n) after an index is built on first use. */
typedef struct fl_label_index fl_label_index;
florin_status fl_label_index_new(fl_label_index **out, const fl_log *log, int label,
                                 florin_error *err);
float fl_label_at(const fl_label_index *x, uint64_t row, int64_t at_us);
/* Arrival of the first label of row, INT64_MAX: none. */
int64_t fl_label_arrival(const fl_label_index *x, uint64_t row);
void fl_label_index_free(fl_label_index *x);

#endif
