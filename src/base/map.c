/* Open-addressing map from a non-zero 64-bit key to a 32-bit value: linear probing, at most 70% full.
 * A pointer to a value is good until the next insert. */
#include "base/base.h"

enum { CAP_MIN = 16 };

/* Zeros; nothing is touched before its first use. */
static void *table(size_t cap, size_t size)
{
    void *p = fl_calloc(cap, size);
    if (p) fl_huge_pages(p, cap * size);
    return p;
}

static size_t home(const fl_map64 *m, uint64_t key)
{
    return (size_t)fl_mix64(key) & (m->cap - 1);
}

static bool room_for(fl_map64 *m, size_t cap)
{
    m->key = table(cap, sizeof *m->key);
    m->value = table(cap, sizeof *m->value);
    m->cap = cap;
    if (m->key && m->value) return true;
    fl_map64_free(m);
    return false;
}

bool fl_map64_init(fl_map64 *m, size_t expected)
{
    size_t cap = CAP_MIN;

    memset(m, 0, sizeof *m);
    if (expected > SIZE_MAX / 4) return false;
    while (cap / 10 * 7 < expected) cap *= 2;
    return room_for(m, cap);
}

void fl_map64_free(fl_map64 *m)
{
    free(m->key);
    free(m->value);
    memset(m, 0, sizeof *m);
}

uint32_t *fl_map64_find(const fl_map64 *m, uint64_t key)
{
    if (!m->cap || !key) return NULL;
    for (size_t i = home(m, key);; i = (i + 1) & (m->cap - 1)) {
        if (m->key[i] == key) return &m->value[i];
        if (!m->key[i]) return NULL;
    }
}

static bool grow(fl_map64 *m)
{
    fl_map64 bigger = {0};

    if (m->cap > SIZE_MAX / 32 || !room_for(&bigger, m->cap ? m->cap * 2 : CAP_MIN)) return false;
    for (size_t i = 0; i < m->cap; i++) {
        if (!m->key[i]) continue;
        size_t j = home(&bigger, m->key[i]);
        while (bigger.key[j]) j = (j + 1) & (bigger.cap - 1);
        bigger.key[j] = m->key[i];
        bigger.value[j] = m->value[i];
    }
    bigger.count = m->count;
    fl_map64_free(m);
    *m = bigger;
    return true;
}

uint32_t *fl_map64_insert(fl_map64 *m, uint64_t key, bool *inserted)
{
    if (inserted) *inserted = false;
    if (!key) return NULL;
    for (;;) {
        size_t i = m->cap ? home(m, key) : 0;
        for (; m->cap && m->key[i]; i = (i + 1) & (m->cap - 1))
            if (m->key[i] == key) return &m->value[i];
        if (m->count < m->cap / 10 * 7) {
            m->key[i] = key;
            m->value[i] = 0;
            m->count++;
            if (inserted) *inserted = true;
            return &m->value[i];
        }
        if (!grow(m)) return NULL;
    }
}
