/* Reasons: why a row got its score, in stable codes and plain words; no identifier in either. They depend on the row
 * alone, so live, replayed and offline reasons are the same. */
#ifndef FL_REASONS_H
#define FL_REASONS_H

#include "task/head.h"

enum { FL_REASONS_MAX = 5 };

typedef struct {
    char code[112]; /* "terminal.past_cases", "unusual.card.category", "pattern.card" */
    char text[288];
    char
        normal[192]; /* the entity's normal beside it, before this event; "" when it has none yet */
    float share; /* of what raised the score, 0..1; 0 for a surprise that the head does not use */
    float value; /* of the strongest input */
} fl_reason;

typedef struct fl_reasoner fl_reasoner; /* scratch; one per thread */
florin_status fl_reasoner_new(fl_reasoner **out, const fl_model *m, florin_error *err);
void fl_reasoner_free(fl_reasoner *r);

/* At most max reasons of a head that scores events, no two of the same code; strongest first.
 *   row   as fl_model_event filled it
 * Allocates nothing. Source: path attribution, Saabas 2014. Returns how many. */
uint32_t fl_reasons(fl_reasoner *r, const fl_head *head, const float *row, fl_reason *out,
                    uint32_t max);

#endif
