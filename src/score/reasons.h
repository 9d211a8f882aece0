/* Reasons: why a row got its score, in stable codes and plain words; no identifier in either. */
#ifndef FL_REASONS_H
#define FL_REASONS_H

#include "task/head.h"

enum { FL_REASONS_MAX = 5 };

typedef struct {
    char code[112]; /* "terminal.days_since_bad", "unusual.card.mcc", "pattern.card" */
    char text[288];
    char normal[192]; /* the entity's normal beside it; "" when it has none yet */
    float share; /* of what raised the score, 0..1; 0 for a surprise that the head does not use */
    float value; /* of the strongest input */
} fl_reason;

typedef struct fl_reasoner fl_reasoner; /* scratch; one per thread */
florin_status fl_reasoner_new(fl_reasoner **out, const fl_model *m, florin_error *err);
void fl_reasoner_free(fl_reasoner *r);

/* At most max reasons of a head that scores events.
 *   row   as fl_model_event filled it;  rec [FL_KINDS_MAX]: the entities' records now, NULL where absent
 * Allocates nothing. Source: path attribution, Saabas 2014. Returns how many. */
uint32_t fl_reasons(fl_reasoner *r, const fl_head *head, const float *row,
                    const fl_fold_record *const *rec, fl_reason *out, uint32_t max);

#endif
