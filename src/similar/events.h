/* The events most like one. */
#ifndef FL_SIMILAR_EVENTS_H
#define FL_SIMILAR_EVENTS_H

#include "similar/near.h"
#include "similar/share.h"

typedef struct {
    uint64_t row;
    float cosine;
    fl_event event;
    uint32_t shares;
    fl_shared shared[FL_SHARED_MAX];
} fl_like_event;

/* The k events nearest to that at `row`, best first, by the embeddings after each of payer and payee (by: FL_BY_EMBEDDING)
 * or by the fold's features, squashed (FL_BY_FOLD). out [k]; *n how many. Two passes over the
 * log: the first for means, spreads and the event itself, the second compares; memory does not grow with the log. */
florin_status fl_like_events(fl_like_event *out, uint32_t *n, uint32_t k, uint64_t row, fl_by by,
                             const fl_model *m, const fl_log *log, const florin_context *ctx,
                             florin_error *err);

#endif
