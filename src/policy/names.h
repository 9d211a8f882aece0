/* Attributes: what a rule may name, and where its value comes from. A catalogue is made from a model (schema, fold features,
 * heads), or is free: then every name is accepted and typed by its first use, which is enough to run a policy's own tests.
 *
 * What is known only after the decision (marks of the event itself, `after` fields) is refused: a backtest would see it and
 * the live decision would not. */
#ifndef FL_POLICY_NAMES_H
#define FL_POLICY_NAMES_H

#include "model/model.h"

typedef enum {
    FL_ATTR_UNKNOWN = 0, /* free, not used yet */
    FL_ATTR_NUMBER,
    FL_ATTR_TEXT, /* compared by hash */
    FL_ATTR_FLAG,
    FL_ATTR_ENTITY /* keyed hash of an identifier */
} fl_attr_type;

typedef enum {
    FL_FROM_FREE = 0,
    FL_FROM_ROW, /* index: column of the model's row */
    FL_FROM_SCORE,
    FL_FROM_PROBABILITY,
    FL_FROM_LEVEL, /* index: head that scores events */
    FL_FROM_AMOUNT,
    FL_FROM_CURRENCY,
    FL_FROM_TYPE,
    FL_FROM_HOUR,
    FL_FROM_WEEKDAY,
    FL_FROM_NUMBER,
    FL_FROM_CATEGORY,
    FL_FROM_ENTITY,
    FL_FROM_METADATA, /* index: of the policy's metadata keys */
    FL_FROM_RING,     /* index: series; window_us */
    FL_FROM_LISTED,   /* index: list; of: slot whose value is looked up */
    FL_FROM_LIKE      /* index: pattern; of: slot whose text is matched */
} fl_attr_from;

typedef struct {
    uint8_t from, type;
    bool unknown_minus_one; /* -1 says "never" or "unknown": missing to a rule */
    uint16_t index;
} fl_attr;

typedef struct fl_names fl_names;
/* model NULL: free. head: the one that :risk_score: means, NULL: the first that scores events. FLORIN_ESCHEMA: no such head. */
florin_status fl_names_new(fl_names **out, const fl_model *model, const char *head,
                           florin_error *err);
void fl_names_free(fl_names *n);
bool fl_names_are_free(const fl_names *n);
const fl_schema *fl_names_schema(const fl_names *n); /* NULL: free */

/* name [len], without colons. On failure *why (caller's, may be cut) says what is wrong and what is near. */
bool fl_names_find(const fl_names *n, const char *name, size_t len, fl_attr *out, char *why,
                   size_t why_size);
uint32_t fl_names_count(const fl_names *n);
const char *fl_names_at(const fl_names *n, uint32_t i, fl_attr *out); /* for listing */
/* Heads that score events; the one that :risk_score: means, -1: none. */
uint32_t fl_names_heads(const fl_names *n);
int fl_names_head(const fl_names *n);

#endif
