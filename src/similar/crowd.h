/* The entities of a kind at a date, as vectors: what is compared by likeness. */
#ifndef FL_CROWD_H
#define FL_CROWD_H

#include "model/encode.h"

typedef enum { FL_POOL_LAST, FL_POOL_MEAN } fl_pool;

typedef struct {
    int kind;
    int64_t at_us;  /* events before it count */
    fl_pool pool;   /* of the network's states after each event */
    uint32_t least; /* events that an entity must have; with halves each half; at least 1 */
    bool halves;
} fl_crowd_options;

/* With halves, entities 2 i and 2 i + 1 of the crowd are halves of one. */
typedef struct {
    uint32_t n, states, folds; /* columns: states 0 when the kind has no stream */
    uint32_t *entity;          /* [n] number in the log, rising */
    uint32_t *events;          /* [n] */
    float *state;              /* [n][states] */
    float *fold; /* [n][folds] features of fl_fold_read, then days since the last event */
} fl_crowd;

/* FLORIN_EINPUT when fewer than two entities are left; FLORIN_ENOMEM past the context's memory. */
florin_status fl_crowd_new(fl_crowd *out, const fl_model *m, const fl_log *log,
                           const fl_crowd_options *opt, const florin_context *ctx,
                           florin_error *err);
/* The same with halves (halves.c). Every day of an entity's history belongs to one half, by a hash; labels are not applied. */
florin_status fl_crowd_halves(fl_crowd *out, const fl_model *m, const fl_log *log,
                              const fl_crowd_options *opt, const florin_context *ctx,
                              florin_error *err);
void fl_crowd_free(fl_crowd *c);

/* Shared by the two: room for n entities; columns as the model has them. */
florin_status fl_crowd_room(fl_crowd *c, const fl_model *m, int kind, uint32_t n,
                            const florin_context *ctx, florin_error *err);
/* A row of fl_model_entity_row goes to place i; pooled: its states, NULL: those of the row. */
void fl_crowd_put(fl_crowd *c, uint32_t i, const float *row, const float *pooled);
/* Stream of a kind, -1: none. */
int fl_crowd_stream(const fl_model *m, int kind);

#endif
