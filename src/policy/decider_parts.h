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
    uint64_t indexed; /* records up to this one are in the index at open */
    uint32_t heads;
    uint64_t model_version, policy_version;
    int saver;       /* process that writes a checkpoint; 0: none */
    uint64_t saving; /* its number */
    fl_lists *lists; /* of opt.policy; NULL without */
    fl_rings *rings;
    fl_text category[FL_CATEGORIES_MAX], metadata[FL_METADATA_MAX]; /* of the request at hand */
    item *item;                                                     /* [batch_max] */
    uint32_t added;   /* requests in the scorer's batch */
    fl_head_out *out; /* [batch_max][heads] */
    fl_buf scratch;   /* of one record; as large as any */
    fl_decider_counts counts;
};

/* All but journal, index and replay. */
florin_status fl_decider_set_up(fl_decider *d, florin_error *err);
/* The answer to a request by its scores and its row; head: whose reasons. */
void fl_decider_answer(fl_decider *d, const fl_request *r, uint32_t head, const fl_head_out *scores,
                       const float *row, fl_answer *a);
/* Is the journal whose head this is one of this schema and key? *model: version of the model that decides in it. */
florin_status fl_decider_check_preamble(const fl_decider *d, const uint8_t *text, size_t n,
                                        uint64_t *model, florin_error *err);
uint64_t fl_decider_version(const char *hash); /* the first 16 hex digits */

/* Records in order, gathered so that the scorer takes many at once. */
typedef struct fl_playback fl_playback;
/* check: answers are worked out again and held against the recorded ones. */
florin_status fl_playback_open(fl_playback **out, fl_decider *d, bool check, florin_error *err);
void fl_playback_close(fl_playback *p);
/* Take one record; its bytes are copied. */
florin_status fl_playback_take(fl_playback *p, const fl_record *record, florin_error *err);
/* Run what is gathered. */
florin_status fl_playback_finish(fl_playback *p, florin_error *err);
void fl_playback_result(const fl_playback *p, fl_replayed *out);

/* Lists and rings for a policy, with what the old ones know. */
florin_status fl_decider_take_policy(fl_decider *d, const fl_policy *policy, florin_error *err);
/* Stop a checkpoint that is being written; remove what one left. */
void fl_decider_state_stop(fl_decider *d);
void fl_decider_state_clean(const char *folder);
/* The options' policy, with lists and velocities as they were at the checkpoint. */
florin_status fl_decider_restore_policy(fl_decider *d, florin_error *err);
/* What is remembered of a decision beside the scorer's histories. */
void fl_decider_count(fl_decider *d, const fl_request *r, uint8_t action);
florin_status fl_decider_apply_change(fl_decider *d, uint16_t type, const fl_change *c,
                                      florin_error *err);

/* Move histories by what became known. False: the event is forgotten. */
bool fl_decider_apply(fl_decider *d, uint16_t type, const fl_news *n);
/* So that it is found again. */
void fl_decider_remember(fl_decider *d, const fl_news *n, uint64_t sequence);

#endif
