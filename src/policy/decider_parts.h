/* Insides of the decider: shared by its files, and by nobody else. */
#ifndef FL_DECIDER_PARTS_H
#define FL_DECIDER_PARTS_H

#include "policy/decider.h"
#include "score/journal_index.h"

typedef struct {
    uint64_t repeat;         /* number of the first answer; 0: none */
    uint64_t sequence;       /* that its record will have */
    uint32_t slot;           /* in the scorer's batch */
    const fl_request *added; /* by slot, not by request: who is in the batch */
} item;

struct fl_decider {
    fl_decider_options opt;
    fl_scorer *scorer;
    const fl_schema *schema;
    fl_journal *journal;
    fl_journal_index *index;
    uint32_t heads;
    uint64_t model_version;
    item *item;       /* [batch_max] */
    uint32_t added;   /* requests in the scorer's batch */
    fl_head_out *out; /* [batch_max][heads] */
    fl_buf scratch;   /* of one record; as large as any */
    fl_decider_counts counts;
};

/* Move histories by what became known. False: the event is forgotten. */
bool fl_decider_apply(fl_decider *d, uint16_t type, const fl_news *n);
/* So that it is found again. */
void fl_decider_remember(fl_decider *d, const fl_news *n, uint64_t sequence);

#endif
