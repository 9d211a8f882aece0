/* The live path: states of all entities; one event in, its row and scores out, states updated.
 *
 * Order: the caller's order of calls is the order of things; fold/replay.h says which order equals a log's.
 * Invariant: after fl_scorer_open nothing is allocated; an event that is refused changes nothing. */
#ifndef FL_SCORER_H
#define FL_SCORER_H

#include "score/table.h"
#include "score/reasons.h"

enum { FL_SCORE_HEADS_MAX = 64 };

typedef struct {
    uint32_t entities_max; /* of each kind; 0: 1,000,000 */
    uint32_t pairs_max;    /* of each pair of the schema; 0: 4 x entities_max, at most 8,000,000 */
    uint32_t
        pending_max; /* events that still await labels; the oldest is forgotten first; 0: 1,000,000 */
    fl_full when_full;
} fl_scorer_options;

typedef struct fl_scorer fl_scorer;

/* model must outlive the scorer. One thread at a time; several scorers may share a model. */
florin_status fl_scorer_open(fl_scorer **out, const fl_model *model, const fl_scorer_options *opt,
                             florin_error *err);
void fl_scorer_close(fl_scorer *s);

/* Heads that score events, in the order of `out` below; heads at a date are not among them. */
uint32_t fl_scorer_heads(const fl_scorer *s);
const fl_head *fl_scorer_head(const fl_scorer *s, uint32_t i);

/* Score and apply one event. entity_hash names the entities (0 = absent); entity[] is ignored and set.
 *   row [fl_model_row_width]  out;  out [fl_scorer_heads] out, may be NULL: state is updated without scoring
 * Errors: FLORIN_EINPUT an id that is still pending, or a time out of range; FLORIN_ENOMEM table full under
 * FL_FULL_ERROR. */
florin_status fl_scorer_event(fl_scorer *s, fl_event *event, float *row, fl_head_out *out,
                              florin_error *err);
/* A label arrives. Only the schema's risk label changes states; others are accepted and ignored.
 * FLORIN_EINPUT: the event is unknown, or was forgotten. */
florin_status fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                              int64_t arrival_us, florin_error *err);
/* Advance the states over a whole log without scoring, in the log's order. */
florin_status fl_scorer_warm(fl_scorer *s, const fl_log *log, const florin_context *ctx,
                             florin_error *err);

typedef struct {
    uint64_t events, labels, late, evicted,
        forgotten; /* forgotten: pending events dropped before a label came */
    int64_t clock_us;
} fl_scorer_stats;
fl_scorer_stats fl_scorer_stats_of(const fl_scorer *s);

/* Why: fl_reasons of one head for a row that fl_scorer_event gave; before the next call, since the normals are
 * read from the states. */
uint32_t fl_scorer_reasons(fl_scorer *s, uint32_t head, const fl_event *event, const float *row,
                           fl_reason *out, uint32_t max);

#endif
