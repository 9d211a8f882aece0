/* Fixed-capacity index and entity tables. Invariant: an entity's slot never moves while it lives; a slot that
 * is reused is zeroed first, so that a new entity starts as one never seen. */
#include "score/table.h"

bool fl_index_init(fl_index *x, uint32_t capacity)
{
    size_t slots = 16;
    while (slots < (size_t)capacity * 2) slots *= 2;
    x->key = fl_calloc(slots, sizeof *x->key);
    x->value = fl_calloc(slots, sizeof *x->value);
    x->mask = slots - 1;
    return x->key && x->value;
}

void fl_index_free(fl_index *x)
{
    free(x->key);
    free(x->value);
    memset(x, 0, sizeof *x);
}

uint32_t fl_index_find(const fl_index *x, uint64_t key)
{
    size_t i = fl_mix64(key) & x->mask;
    while (x->key[i]) {
        if (x->key[i] == key) return x->value[i];
        i = (i + 1) & x->mask;
    }
    return FL_NONE;
}

void fl_index_put(fl_index *x, uint64_t key, uint32_t value)
{
    size_t i = fl_mix64(key) & x->mask;
    while (x->key[i]) i = (i + 1) & x->mask;
    x->key[i] = key;
    x->value[i] = value;
}

void fl_index_remove(fl_index *x, uint64_t key)
{
    size_t i = fl_mix64(key) & x->mask;
    while (x->key[i] != key) {
        if (!x->key[i]) return;
        i = (i + 1) & x->mask;
    }
    /* Pull later members of the probe run into the hole, unless that would move one before its home slot. */
    for (size_t j = (i + 1) & x->mask; x->key[j]; j = (j + 1) & x->mask) {
        size_t home = fl_mix64(x->key[j]) & x->mask;
        if (((j - home) & x->mask) >= ((j - i) & x->mask)) {
            x->key[i] = x->key[j];
            x->value[i] = x->value[j];
            i = j;
        }
    }
    x->key[i] = 0;
}

/* Zeroed, at a multiple of 64 bytes, and not touched: calloc leaves large blocks to the system's zero page. */
static void *lines(size_t count, size_t size, void **block)
{
    if (size && count > (SIZE_MAX - 64) / size) return NULL;
    *block = fl_calloc(1, count * size + 64);
    uintptr_t at = (uintptr_t)*block;
    return at ? (uint8_t *)*block + (64 - at % 64) % 64 : NULL;
}

bool fl_table_init(fl_table *t, uint32_t capacity, size_t state_bytes)
{
    memset(t, 0, sizeof *t);
    t->capacity = capacity;
    t->state_bytes = state_bytes;
    if (!fl_index_init(&t->index, capacity)) return false;
    t->hash = fl_calloc(capacity, sizeof *t->hash);
    t->touched = fl_calloc(capacity, 1);
    t->last_us = fl_calloc(capacity, sizeof *t->last_us);
    t->record = lines(capacity, sizeof *t->record, &t->block[0]);
    if (state_bytes) t->state = lines(capacity, state_bytes, &t->block[1]);
    return t->hash && t->touched && t->last_us && t->record && (t->state || !state_bytes);
}

void fl_table_free(fl_table *t)
{
    fl_index_free(&t->index);
    free(t->hash);
    free(t->touched);
    free(t->last_us);
    free(t->block[0]);
    free(t->block[1]);
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

static uint32_t evict(fl_table *t)
{
    while (t->touched[t->hand]) {
        t->touched[t->hand] = 0;
        t->hand = (t->hand + 1) % t->capacity;
    }
    uint32_t i = t->hand;
    t->hand = (t->hand + 1) % t->capacity;
    fl_index_remove(&t->index, t->hash[i]);
    memset(&t->record[i], 0, sizeof t->record[i]);
    if (t->state_bytes) memset(t->state + (size_t)i * t->state_bytes, 0, t->state_bytes);
    t->evicted++;
    return i;
}

uint32_t fl_table_use(fl_table *t, uint64_t hash, fl_full full)
{
    uint32_t i = fl_index_find(&t->index, hash);
    if (i != FL_NONE) {
        t->touched[i] = 1;
        return i;
    }
    if (!fl_table_is_full(t)) {
        i = t->count++;
    } else {
        if (full != FL_FULL_EVICT) return FL_NONE;
        i = evict(t);
    }
    t->hash[i] = hash;
    t->touched[i] = 1;
    t->last_us[i] = INT64_MIN;
    fl_index_put(&t->index, hash, i);
    return i;
}
