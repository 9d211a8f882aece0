/* Fixed-capacity index and entity tables. Invariant: an entity's slot never moves while it lives; a slot that
 * is reused is zeroed first, so that a new entity starts as one never seen. */
#include "score/table.h"

enum { LINE = 64, HUGE_BYTES = 2 << 20 };

/* calloc leaves large blocks to the system's zero page, so what is never touched costs nothing. Tables are filled from
 * the front, so a huge page is soon full; an index is touched everywhere at once, and is small. */
void *fl_pages(size_t count, size_t size, void **block)
{
    *block = NULL;
    if (size && count > (SIZE_MAX / 2 - HUGE_BYTES) / size) return NULL;
    size_t bytes = count * size, align = bytes >= 2 * HUGE_BYTES ? HUGE_BYTES : LINE;
    *block = fl_calloc(1, bytes + align);
    if (!*block) return NULL;
    uint8_t *p = (uint8_t *)*block + (align - (uintptr_t)*block % align) % align;
    fl_huge_pages(p, bytes);
    return p;
}

/* ---- index ---- */

/* Two thirds full at most: a search ends within one or two cache lines. */
bool fl_index_init(fl_index *x, uint32_t capacity, const void *key, size_t stride)
{
    uint64_t slots = (uint64_t)capacity + capacity / 2 + 16;
    memset(x, 0, sizeof *x);
    if (slots > UINT32_MAX) return false;
    x->slots = (uint32_t)slots;
    x->key = key;
    x->stride = stride;
    x->slot = fl_pages(slots, sizeof *x->slot, &x->block);
    return x->slot != NULL;
}

void fl_index_free(fl_index *x)
{
    free(x->block);
    memset(x, 0, sizeof *x);
}

static inline uint32_t tag_of(uint64_t key)
{
    return (uint32_t)(fl_mix64(key) >> 32);
}

/* Multiplication instead of a remainder: Lemire 2019. */
static inline uint32_t home_of(const fl_index *x, uint32_t tag)
{
    return (uint32_t)((uint64_t)tag * x->slots >> 32);
}

static inline uint32_t next_of(const fl_index *x, uint32_t i)
{
    return i + 1 == x->slots ? 0 : i + 1;
}

/* How far slot i lies behind slot `from`, going round. */
static inline uint32_t ahead(const fl_index *x, uint32_t from, uint32_t i)
{
    return i >= from ? i - from : i + x->slots - from;
}

static inline uint64_t key_at(const fl_index *x, uint32_t value)
{
    uint64_t key;
    memcpy(&key, x->key + (size_t)value * x->stride, sizeof key);
    return key;
}

void fl_index_fetch(const fl_index *x, uint64_t key)
{
    const uint64_t *home = x->slot + home_of(x, tag_of(key));
    fl_prefetch(home, 1);
    fl_prefetch(home + 4, 1); /* a run that begins late in a line goes on in the next */
}

/* The slot of key, or the empty one where its search ends. */
static uint32_t search(const fl_index *x, uint64_t key)
{
    uint32_t tag = tag_of(key), i = home_of(x, tag);
    for (; x->slot[i]; i = next_of(x, i))
        if (x->slot[i] >> 32 == tag && key_at(x, (uint32_t)x->slot[i] - 1) == key) break;
    return i;
}

uint32_t fl_index_find(const fl_index *x, uint64_t key)
{
    uint64_t slot = x->slot[search(x, key)];
    return slot ? (uint32_t)slot - 1 : FL_NONE;
}

uint32_t fl_index_guess(const fl_index *x, uint64_t key)
{
    uint32_t tag = tag_of(key), i = home_of(x, tag);
    for (; x->slot[i]; i = next_of(x, i))
        if (x->slot[i] >> 32 == tag) return (uint32_t)x->slot[i] - 1;
    return FL_NONE;
}

void fl_index_put(fl_index *x, uint64_t key, uint32_t value)
{
    uint32_t tag = tag_of(key), i = home_of(x, tag);
    while (x->slot[i]) i = next_of(x, i);
    x->slot[i] = (uint64_t)tag << 32 | (value + 1);
}

void fl_index_remove(fl_index *x, uint64_t key)
{
    uint32_t i = search(x, key);
    if (!x->slot[i]) return;
    /* Pull later members of the probe run into the hole, unless that would move one before its home slot. */
    for (uint32_t j = next_of(x, i); x->slot[j]; j = next_of(x, j)) {
        uint32_t home = home_of(x, (uint32_t)(x->slot[j] >> 32));
        if (ahead(x, home, j) >= ahead(x, i, j)) {
            x->slot[i] = x->slot[j];
            i = j;
        }
    }
    x->slot[i] = 0;
}

/* ---- table ---- */

bool fl_table_init(fl_table *t, uint32_t capacity, size_t state_bytes)
{
    memset(t, 0, sizeof *t);
    t->capacity = capacity;
    t->state_bytes = state_bytes;
    t->stride = sizeof(fl_fold_record) + state_bytes;
    t->entity = fl_pages(capacity, sizeof *t->entity, &t->block[0]);
    t->body = fl_pages(capacity, t->stride, &t->block[1]);
    t->touched = fl_calloc(fl_touched_words(capacity), sizeof *t->touched);
    if (!t->entity || !t->body || !t->touched) return false;
    return fl_index_init(&t->index, capacity, &t->entity->hash, sizeof *t->entity);
}

void fl_table_free(fl_table *t)
{
    fl_index_free(&t->index);
    free(t->block[0]);
    free(t->block[1]);
    free(t->touched);
    memset(t, 0, sizeof *t);
}

uint32_t fl_table_find(const fl_table *t, uint64_t hash)
{
    return fl_index_find(&t->index, hash);
}

bool fl_table_is_full(const fl_table *t)
{
    return t->count == t->capacity;
}

static void touch(fl_table *t, uint32_t i)
{
    uint64_t bit = UINT64_C(1) << i % 64;
    if (!(t->touched[i / 64] & bit)) t->touched[i / 64] |= bit;
}

static uint32_t evict(fl_table *t)
{
    while (t->touched[t->hand / 64] >> t->hand % 64 & 1) {
        t->touched[t->hand / 64] &= ~(UINT64_C(1) << t->hand % 64);
        t->hand = (t->hand + 1) % t->capacity;
    }
    uint32_t i = t->hand;
    t->hand = (t->hand + 1) % t->capacity;
    fl_index_remove(&t->index, t->entity[i].hash);
    memset(fl_table_record(t, i), 0, t->stride);
    t->evicted++;
    return i;
}

uint32_t fl_table_use(fl_table *t, uint64_t hash, fl_full full)
{
    uint32_t i = fl_index_find(&t->index, hash);
    if (i == FL_NONE) {
        if (!fl_table_is_full(t)) {
            i = t->count++;
        } else {
            if (full != FL_FULL_EVICT) return FL_NONE;
            i = evict(t);
        }
        if (t->coming) t->coming--;
        t->entity[i] = (fl_entity){hash, INT64_MIN};
        fl_index_put(&t->index, hash, i);
    }
    touch(t, i);
    return i;
}

/* Where the entity will lie that is new after `coming` other new ones; roughly: the hand passes over who was used. */
static uint32_t place_of_new(const fl_table *t, uint32_t coming)
{
    uint64_t i = (uint64_t)(fl_table_is_full(t) ? t->hand : t->count) + coming;
    return (uint32_t)(i % t->capacity);
}

void fl_table_fetch(fl_table *t, uint64_t hash)
{
    uint32_t i = fl_index_guess(&t->index, hash);
    if (i == FL_NONE) {
        i = place_of_new(t, t->coming);
        if (fl_table_is_full(t)) {
            /* Who lies there will be taken out of the index; of who comes after, the hash. */
            fl_index_fetch(&t->index, t->entity[i].hash);
            fl_prefetch(&t->entity[place_of_new(t, t->coming + 8)], 1);
        }
        if (t->coming < FL_TABLE_COMING) t->coming++;
    }
    fl_prefetch(&t->entity[i], 1);
    fl_prefetch(&t->touched[i / 64], 1);
    fl_prefetch(t->body + (size_t)i * t->stride, t->stride);
}
