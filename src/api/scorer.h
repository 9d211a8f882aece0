/* The handle of a scorer, and events as callers give them: for the other files of this folder. */
#ifndef FL_API_SCORER_H
#define FL_API_SCORER_H

#include "api/model.h"
#include "score/scorer.h"

enum { TEXT_MAX = 65536, WHAT_SHIFT = 16, INDEX_MASK = 0xffff };

/* What events of a type have, side by side: the schema's own description of it fills many cache lines. */
typedef struct {
    uint32_t field[4]; /* by what - FLORIN_ENTITY: bit i: it has field i */
    bool is_event, amount;
} event_type;

struct florin_scorer {
    florin_model *model;
    const fl_schema *schema;
    fl_scorer *live;
    uint8_t key[16];
    uint32_t batch_max, heads;
    fl_event *event;       /* [batch_max] */
    uint32_t *place;       /* [batch_max] which of the caller's events each is */
    florin_status *status; /* [batch_max] of those that reached the live path */
    fl_head_out *out;      /* [batch_max][heads] */
    florin_error
        *error;    /* [2][batch_max]: of the caller's events; of those that reached the live path */
    uint32_t last; /* events of the last call */
    uint32_t *row_of; /* [batch_max] place in the live path's batch, FL_NONE: refused */
    event_type type[FL_SOURCES_MAX];
};

/* Names of the schema by kind; NULL: none, or a source of labels, which makes no events. */
uint32_t fl_api_names(const fl_schema *s, florin_what what);
const char *fl_api_name(const fl_schema *s, florin_what what, uint32_t i);
void fl_api_types(florin_scorer *s);                                  /* fills s->type */
const event_type *fl_api_type(const florin_scorer *s, uint32_t type); /* NULL: none */

/* What import would have made of the caller's texts and numbers. */
florin_status fl_api_event(const florin_scorer *s, const florin_event *e, fl_event *out,
                           florin_error *err);
florin_status fl_api_event_id(const char *id, uint32_t n, uint32_t type, uint64_t *out,
                              florin_error *err);
/* One field of an event of that type. seen [4]: fields so far, by what - FLORIN_ENTITY. */
florin_status fl_api_value(const florin_scorer *s, const event_type *type, const florin_value *v,
                           uint32_t seen[4], fl_event *out, florin_error *err);

#endif
