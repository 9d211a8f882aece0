/* What entities had, basket by basket: the items that a task's outcome asks for, out of the log. */
#ifndef FL_BASKETS_H
#define FL_BASKETS_H

#include "task/answer.h"

typedef struct {
    int64_t at_us;         /* when its basket began */
    uint32_t item, basket; /* basket: number among all; rising within an entity */
} fl_bought;

typedef struct {
    uint32_t entities, baskets;
    uint64_t *first;  /* [entities + 1] lines of an entity, by time; an item once a basket */
    uint64_t *basket; /* [baskets + 1] lines of a basket */
    fl_bought *line;
    fl_classes items;
} fl_baskets;

/* Every event that fits t's outcome and has the field `of`, of all entities of t's kind. A basket: all with the same value of
 * the field `group`; without one, all of the same moment. */
florin_status fl_baskets_read(fl_baskets *out, const fl_task *t, const fl_log *log,
                              florin_error *err);
void fl_baskets_free(fl_baskets *b);
/* First line of an entity at or after a moment; the entity's end when there is none. */
uint64_t fl_baskets_from(const fl_baskets *b, uint32_t entity, int64_t at_us);

/* What came after a moment: items [n], each once. known_us: when all of it was known; INT64_MAX: nothing came. */
typedef struct {
    uint32_t *item, n;
    size_t cap;
    int64_t known_us;
} fl_came;
/* Of [at, at + horizon), or with no horizon the first basket at or after it. *came is used again. */
florin_status fl_baskets_after(fl_came *came, const fl_baskets *b, const fl_task *t,
                               uint32_t entity, int64_t at_us, florin_error *err);

#endif
