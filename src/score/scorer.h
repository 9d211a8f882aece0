/* The live path: states of all entities; one event in, its row and scores out, states updated.
 *
 * Order: the caller's order of calls is the order of things; fold/replay.h says which order equals a log's.
 * Invariant: after fl_scorer_open scoring allocates nothing; an event that is refused changes nothing; a batch gives
 * the bits of its events one by one. */
#ifndef FL_SCORER_H
#define FL_SCORER_H

#include "score/table.h"
#include "score/reasons.h"

enum { FL_SCORE_HEADS_MAX = 64, FL_SCORE_BATCH = 64, FL_SCORE_BATCH_MAX = 65536 };

typedef struct {
    uint32_t entities_max[FL_KINDS_MAX]; /* of each kind; 0: 1,000,000 */
    uint32_t
        pairs_max; /* of each pair of the schema; 0: 4 x most of its kinds, at most 8,000,000 */
    uint32_t
        pending_max; /* events that still await labels; the oldest is forgotten first; 0: 1,000,000 */
    uint32_t batch_max; /* events of one fl_scorer_events; 0: 64 */
    fl_full when_full;
    const char *
        state; /* state file to go on from (score/state.h), whose capacities stand for 0; NULL: none */
    const char *key; /* fl_key_print of the hash key that it must have */
} fl_scorer_options;

typedef struct fl_scorer fl_scorer;

/* model must outlive the scorer. One thread at a time; several scorers may share a model. */
florin_status fl_scorer_open(fl_scorer **out, const fl_model *model, const fl_scorer_options *opt,
                             florin_error *err);
void fl_scorer_close(fl_scorer *s);

/* Heads that score events, in the order of `out` below; after them those that score an entity at a date. */
uint32_t fl_scorer_heads(const fl_scorer *s), fl_scorer_date_heads(const fl_scorer *s);
const fl_head *fl_scorer_head(const fl_scorer *s, uint32_t i);
uint32_t fl_scorer_batch_max(const fl_scorer *s);

/* Score and apply one event. entity_hash names the entities (0 = absent); entity[] is ignored and set.
 *   row [fl_model_row_width]  out;  out [fl_scorer_heads] out, may be NULL: state is updated without scoring
 * Errors: FLORIN_EINPUT an id that is still pending, a time, amount or number out of range; FLORIN_ENOMEM table full
 * under FL_FULL_ERROR. */
florin_status fl_scorer_event(fl_scorer *s, fl_event *event, float *row, fl_head_out *out,
                              florin_error *err);

typedef enum {
    FL_SCORE_APPLY = 0, /* score, then update the states */
    FL_SCORE_PEEK       /* score each event as if it came next; nothing changes */
} fl_score_mode;
/* Many events in order, n <= fl_scorer_batch_max; events are copied.
 *   out [n][fl_scorer_heads]; untouched where status[i] is not FLORIN_OK
 *   status, err [n]: one per event; err may be NULL */
void fl_scorer_events(fl_scorer *s, const fl_event *events, uint32_t n, fl_score_mode mode,
                      fl_head_out *out, florin_status *status, florin_error *err);
/* Row of item i of the last fl_scorer_events, if its status was FLORIN_OK. */
const float *fl_scorer_row(const fl_scorer *s, uint32_t i);

/* A batch that is put together event by event, with labels (fl_scorer_label) in between as they come: the same bits as one
 * event after the other, for a label changes records, which the events before it have been through, and no state.
 *   begin; up to fl_scorer_batch_max add; finish: out [added][fl_scorer_heads], then fl_scorer_row
 * An event that is refused is not counted. fetch: ask for the memory of an event that comes soon, then nearly next. */
enum { FL_SCORE_SOON = 8, FL_SCORE_NEXT = 4 }; /* that many events ahead */
void fl_scorer_begin(fl_scorer *s);
florin_status fl_scorer_add(fl_scorer *s, const fl_event *event, florin_error *err);
void fl_scorer_finish(fl_scorer *s, fl_head_out *out);
void fl_scorer_fetch_soon(const fl_scorer *s, const fl_event *event);
void fl_scorer_fetch_next(fl_scorer *s, const fl_event *event);

/* A label arrives. Only the schema's risk label changes states; others are accepted and ignored.
 * FLORIN_EINPUT: the event is unknown, or was forgotten. */
florin_status fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                              int64_t arrival_us, florin_error *err);
/* Marks of a pending event become known: fl_fold_marks. FLORIN_EINPUT: the event is unknown, or was forgotten. */
florin_status fl_scorer_marks(fl_scorer *s, uint64_t event_id, uint8_t before, uint8_t fresh,
                              int64_t amount_minor, int64_t arrival_us, florin_error *err);
/* Advance the states over a log without scoring, in the log's order, up to the first event with time >= until_us and
 * the labels that arrived by then. INT64_MAX: all events, and the labels that arrived by the last one. */
florin_status fl_scorer_warm(fl_scorer *s, const fl_log *log, int64_t until_us,
                             const florin_context *ctx, florin_error *err);

/* A head at a date (fl_scorer_heads <= head): the entity with this hash as it stands, seen from at_us.
 * FLORIN_EINPUT: the entity has no history here. */
florin_status fl_scorer_entity(fl_scorer *s, uint32_t head, uint64_t hash, int64_t at_us,
                               fl_head_out *out, florin_error *err);

typedef struct {
    uint64_t events, labels, late, evicted,
        forgotten; /* forgotten: pending events dropped before a label came */
    int64_t clock_us;
} fl_scorer_stats;
fl_scorer_stats fl_scorer_stats_of(const fl_scorer *s);
uint32_t fl_scorer_entities(const fl_scorer *s, int kind); /* with a history now */

/* Why: fl_reasons of one head for a row. */
uint32_t fl_scorer_reasons(fl_scorer *s, uint32_t head, const float *row, fl_reason *out,
                           uint32_t max);

#endif
