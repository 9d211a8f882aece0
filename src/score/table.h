/* Fixed-capacity tables of the hot path: everything is allocated at open, nothing after. */
#ifndef FL_SCORE_TABLE_H
#define FL_SCORE_TABLE_H

#include "fold/fold.h"
#include "model/model.h"

/* Open addressing from a non-zero 64-bit key to a 32-bit value, with removal (backward shift, Knuth 6.4 R). */
typedef struct {
    uint64_t *key;
    uint32_t *value;
    size_t mask;
} fl_index;
bool fl_index_init(fl_index *x, uint32_t capacity);
void fl_index_free(fl_index *x);
uint32_t fl_index_find(const fl_index *x, uint64_t key); /* FL_NONE: absent */
void fl_index_put(fl_index *x, uint64_t key,
                  uint32_t value); /* key must be absent; room is the caller's duty */
void fl_index_remove(fl_index *x, uint64_t key);

/* What a table does when an entity it has never seen meets a table that is full. */
typedef enum {
    FL_FULL_EVICT =
        0, /* forget the entity that was not used for longest, roughly (CLOCK, Corbato 1969) */
    FL_FULL_NEUTRAL, /* score the new one as never seen and do not remember it */
    FL_FULL_ERROR    /* refuse the event: FLORIN_ENOMEM, nothing changes */
} fl_full;

/* Records (and hidden states, if the kind has a stream) of the entities of one kind, or of pairs. */
typedef struct {
    uint32_t capacity, count, hand;
    uint64_t evicted;
    size_t state_bytes; /* 0: no stream */
    fl_index index;
    uint64_t *hash;   /* [capacity] */
    uint8_t *touched; /* [capacity] CLOCK's bit */
    int64_t *last_us; /* [capacity] largest time of its events, INT64_MIN: none yet */
    fl_fold_record *record;
    uint8_t *state;
    void *block[2]; /* what record and state lie in */
} fl_table;

/* Zeroed memory comes from the system page by page as it is first touched, so a large capacity costs little until it
 * is used. */
bool fl_table_init(fl_table *t, uint32_t capacity, size_t state_bytes);
void fl_table_free(fl_table *t);
uint32_t fl_table_find(const fl_table *t, uint64_t hash);
bool fl_table_is_full(const fl_table *t);
/* Find or add; FL_NONE only when full and `full` is not FL_FULL_EVICT. A new entity is all zero. An entity that is
 * evicted for it loses its record and state: no pointer to them may be in use. */
uint32_t fl_table_use(fl_table *t, uint64_t hash, fl_full full);
static inline fl_state *fl_table_state(const fl_table *t, uint32_t i)
{
    return t->state_bytes ? (fl_state *)(void *)(t->state + (size_t)i * t->state_bytes) : NULL;
}

#endif
