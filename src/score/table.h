/* Fixed-capacity tables of the hot path: everything is allocated at open, nothing after. Laid out so that an event
 * touches few cache lines, and so that what it will touch can be asked for ahead of time. */
#ifndef FL_SCORE_TABLE_H
#define FL_SCORE_TABLE_H

#include "fold/fold.h"
#include "model/model.h"

/* Zeros at a multiple of 64 bytes that cost nothing until they are touched; huge pages where they fill some. */
void *fl_pages(size_t count, size_t size, void **block); /* free(*block); NULL: no memory */

/* Open addressing from a non-zero 64-bit key to a number below the capacity, with removal (backward shift, Knuth 6.4 R).
 * A slot is 8 bytes: half of the mixed key, which also gives the slot's home, and the number + 1. The keys themselves
 * lie with what they name: key of number i at key + i * stride. */
typedef struct {
    uint64_t *slot;
    uint32_t slots;
    const uint8_t *key;
    size_t stride;
    void *block;
} fl_index;
bool fl_index_init(fl_index *x, uint32_t capacity, const void *key, size_t stride);
void fl_index_free(fl_index *x);
/* Ask for the slots where key's search begins, then for nothing more. */
void fl_index_fetch(const fl_index *x, uint64_t key);
uint32_t fl_index_find(const fl_index *x, uint64_t key); /* FL_NONE: absent */
/* The number that key probably has, from the slots alone: for fetching what it names. FL_NONE: none. */
uint32_t fl_index_guess(const fl_index *x, uint64_t key);
/* key must be absent and lie at its number's place already; room is the caller's duty. */
void fl_index_put(fl_index *x, uint64_t key, uint32_t value);
void fl_index_remove(fl_index *x, uint64_t key);

/* What a table does when an entity it has never seen meets a table that is full. */
typedef enum {
    FL_FULL_EVICT =
        0, /* forget the entity that was not used for longest, roughly (CLOCK, Corbato 1969) */
    FL_FULL_NEUTRAL, /* score the new one as never seen and do not remember it */
    FL_FULL_ERROR    /* refuse the event: FLORIN_ENOMEM, nothing changes */
} fl_full;

/* Who an entity is. Saved as it lies here: docs/format.md. */
typedef struct {
    uint64_t hash;
    int64_t last_us; /* largest time of its events, INT64_MIN: none yet */
} fl_entity;

/* Records (and hidden states, if the kind has a stream) of the entities of one kind, or of pairs. */
typedef struct {
    uint32_t capacity, count, hand;
    uint32_t coming; /* new ones that were asked for and have not come yet */
    uint64_t evicted;
    size_t state_bytes, stride; /* 0: no stream; bytes of record and state together */
    fl_index index;
    fl_entity *entity; /* [capacity] */
    uint64_t *touched; /* [fl_touched_words(capacity)] CLOCK's bits */
    uint8_t *body;     /* [capacity][stride] */
    void *block[2];    /* what entity and body lie in */
} fl_table;

/* A large capacity costs little until it is used: see fl_pages. */
bool fl_table_init(fl_table *t, uint32_t capacity, size_t state_bytes);
void fl_table_free(fl_table *t);
uint32_t fl_table_find(const fl_table *t, uint64_t hash);
bool fl_table_is_full(const fl_table *t);
/* Find or add; FL_NONE only when full and `full` is not FL_FULL_EVICT. A new entity is all zero. An entity that is
 * evicted for it loses its record and state: no pointer to them may be in use. */
uint32_t fl_table_use(fl_table *t, uint64_t hash, fl_full full);
/* Ask for everything of an entity, once fl_index_fetch has brought its slots. `coming` is a guess that makes it ask for the
 * right memory when several new ones follow each other; set it to 0 where those that were asked for may not have come. */
enum { FL_TABLE_COMING = 16 };
void fl_table_fetch(fl_table *t, uint64_t hash);
static inline size_t fl_touched_words(uint32_t entities)
{
    return ((size_t)entities + 63) / 64;
}
static inline fl_fold_record *fl_table_record(const fl_table *t, uint32_t i)
{
    return (fl_fold_record *)(void *)(t->body + (size_t)i * t->stride);
}
static inline fl_state *fl_table_state(const fl_table *t, uint32_t i)
{
    return t->state_bytes ? (fl_state *)(void *)(fl_table_record(t, i) + 1) : NULL;
}

#endif
