/* Insides of the live path: shared by scorer.c and state.c, and by nobody else. */
#ifndef FL_LIVE_H
#define FL_LIVE_H

#include "score/scorer.h"

/* An event whose labels may still come. Saved as it lies here: docs/format.md. */
typedef struct {
    uint64_t id;
    uint64_t hash[FL_KINDS_MAX];
    uint64_t pair[FL_PAIRS_MAX];
    fl_fold_carry carry;
} pending_event;

struct fl_scorer {
    const fl_model *model;
    const fl_schema *schema;
    fl_scorer_options opt;
    fl_table table[FL_KINDS_MAX];
    fl_table pairs[FL_PAIRS_MAX];
    int role_kind[FL_STREAMS]; /* kind of each stream that the model has, -1: none */
    fl_model_scratch *scratch;
    fl_head *head[FL_SCORE_HEADS_MAX];
    uint32_t heads, date_heads;
    pending_event *pending; /* ring */
    void *pending_block;    /* what it lies in */
    uint64_t pending_next;  /* events ever remembered */
    fl_index pending_index;
    fl_reasoner *reasoner;
    /* Records of entities without a place, and of all when peeking. */
    fl_fold_record spare[FL_KINDS_MAX + FL_PAIRS_MAX];
    uint8_t *spare_state[FL_STREAMS]; /* [batch_max] the same for states */
    size_t state_bytes;
    /* A batch: events that the fold has seen; those from `done` on wait for the network. */
    fl_model_batch *batch;
    fl_event *event;     /* [batch_max] */
    fl_model_item *item; /* [batch_max] */
    uint32_t *place;     /* [batch_max] the caller's number of an item */
    float *row;          /* [batch_max][stride] by the caller's number */
    size_t stride;
    uint32_t items, done;
    float *entity_row;
    fl_scorer_stats stats;
};

#endif
