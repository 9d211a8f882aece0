/* Lists: a fixed table each, found by hash. Entries that have expired stay until their place is needed. */
#include "policy/lists.h"
#include "score/table.h"
#include <stdio.h>

typedef struct {
    uint64_t hash;
    int64_t until_us;
    uint64_t added; /* 1: at run time, so that the next policy takes it along */
} entry;

typedef struct {
    char name[FL_NAME_MAX];
    int kind;
    uint32_t most, count;
    entry *entry;
    void *block;
    fl_index index;
} list;

struct fl_lists {
    uint32_t lists;
    list list[FL_LISTS_MAX];
};

static void put(list *l, uint64_t hash, int64_t until_us, bool added)
{
    uint32_t i = fl_index_find(&l->index, hash);
    if (i == FL_NONE) {
        i = l->count++;
        l->entry[i].hash = hash;
        fl_index_put(&l->index, hash, i);
    }
    l->entry[i].until_us = until_us;
    l->entry[i].added = added;
}

static void drop(list *l, uint32_t i)
{
    uint32_t last = --l->count;
    fl_index_remove(&l->index, l->entry[i].hash);
    if (i != last) {
        fl_index_remove(&l->index, l->entry[last].hash);
        l->entry[i] = l->entry[last];
        fl_index_put(&l->index, l->entry[i].hash, i);
    }
    memset(&l->entry[last], 0, sizeof l->entry[last]);
}

static florin_status open_list(list *l, const fl_list *from, florin_error *err)
{
    snprintf(l->name, sizeof l->name, "%s", from->name);
    l->kind = from->kind;
    l->most = from->most;
    l->entry = fl_pages(l->most, sizeof *l->entry, &l->block);
    if (!l->entry || !fl_index_init(&l->index, l->most, l->entry, sizeof *l->entry))
        return fl_fail(err, FLORIN_ENOMEM, "list '%s' of %u entries", l->name, l->most);
    for (uint32_t i = 0; i < from->entries && l->count < l->most; i++)
        put(l, from->entry[i].hash, from->entry[i].until_us, false);
    return FLORIN_OK;
}

/* What was added while the policy before ran. */
static florin_status take_along(list *l, const list *from, florin_error *err)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const entry *e = &from->entry[i];
        if (!e->added) continue;
        if (l->count == l->most && fl_index_find(&l->index, e->hash) == FL_NONE)
            return fl_fail(err, FLORIN_ENOMEM,
                           "list '%s': `most: %u` is too few for the policy's entries and those "
                           "added since",
                           l->name, l->most);
        put(l, e->hash, e->until_us, true);
    }
    return FLORIN_OK;
}

florin_status fl_lists_open(fl_lists **out, const fl_policy *p, const fl_lists *previous,
                            florin_error *err)
{
    *out = NULL;
    fl_lists *l = fl_calloc(1, sizeof *l);
    if (!l) return fl_fail(err, FLORIN_ENOMEM, "lists");
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < fl_policy_lists(p) && !st; i++) {
        st = open_list(&l->list[l->lists++], fl_policy_list(p, i), err);
        uint32_t old = !st && previous ? fl_lists_find(previous, l->list[i].name) : FL_NONE;
        if (old != FL_NONE && previous->list[old].kind == l->list[i].kind)
            st = take_along(&l->list[i], &previous->list[old], err);
    }
    if (st) {
        fl_lists_close(l);
        return st;
    }
    *out = l;
    return FLORIN_OK;
}

void fl_lists_close(fl_lists *l)
{
    if (!l) return;
    for (uint32_t i = 0; i < l->lists; i++) {
        fl_index_free(&l->list[i].index);
        free(l->list[i].block);
    }
    free(l);
}

uint32_t fl_lists_find(const fl_lists *l, const char *name)
{
    for (uint32_t i = 0; i < l->lists; i++)
        if (!strcmp(l->list[i].name, name)) return i;
    return FL_NONE;
}

static void sweep(list *l, int64_t now_us)
{
    for (uint32_t i = l->count; i-- > 0;)
        if (l->entry[i].until_us <= now_us) drop(l, i);
}

florin_status fl_lists_add(fl_lists *l, uint32_t i, uint64_t hash, int64_t until_us, int64_t now_us,
                           florin_error *err)
{
    if (i >= l->lists || !hash) return fl_fail(err, FLORIN_EINPUT, "no such list, or no value");
    list *to = &l->list[i];
    if (to->count == to->most && fl_index_find(&to->index, hash) == FL_NONE) sweep(to, now_us);
    if (to->count == to->most && fl_index_find(&to->index, hash) == FL_NONE)
        return fl_fail(err, FLORIN_ENOMEM,
                       "list '%s' is full: it has `most: %u` entries in the policy", to->name,
                       to->most);
    put(to, hash, until_us, true);
    return FLORIN_OK;
}

bool fl_lists_remove(fl_lists *l, uint32_t i, uint64_t hash)
{
    uint32_t at = i < l->lists && hash ? fl_index_find(&l->list[i].index, hash) : FL_NONE;
    if (at == FL_NONE) return false;
    drop(&l->list[i], at);
    return true;
}

void fl_lists_erase(fl_lists *l, uint64_t hash)
{
    for (uint32_t i = 0; i < l->lists; i++) (void)fl_lists_remove(l, i, hash);
}

int64_t fl_lists_until(const fl_lists *l, uint32_t i, uint64_t hash)
{
    if (i >= l->lists || !l->list[i].count || !hash) return INT64_MIN;
    uint32_t at = fl_index_find(&l->list[i].index, hash);
    return at == FL_NONE ? INT64_MIN : l->list[i].entry[at].until_us;
}

bool fl_lists_has(const fl_lists *l, uint32_t i, uint64_t hash, int64_t at_us)
{
    return fl_lists_until(l, i, hash) > at_us;
}

uint32_t fl_lists_count(const fl_lists *l, uint32_t i)
{
    return i < l->lists ? l->list[i].count : 0;
}

/* ---- checkpoints: per list its name (FL_NAME_MAX bytes), kind and count (u32 each), entries as they lie ---- */

void fl_lists_store(const fl_lists *l, fl_buf *out)
{
    for (uint32_t i = 0; i < l->lists; i++) {
        const list *x = &l->list[i];
        uint32_t head[2] = {(uint32_t)x->kind, x->count};
        fl_buf_add(out, x->name, sizeof x->name);
        fl_buf_add(out, head, sizeof head);
        fl_buf_add(out, x->entry, x->count * sizeof *x->entry);
    }
}

static florin_status restore_list(list *l, const uint8_t *bytes, uint32_t count, florin_error *err)
{
    if (count > l->most)
        return fl_fail(err, FLORIN_ENOMEM, "list '%s': %u entries were stored, `most: %u`", l->name,
                       count, l->most);
    while (l->count) drop(l, l->count - 1);
    for (uint32_t i = 0; i < count; i++) {
        entry e;
        memcpy(&e, bytes + i * sizeof e, sizeof e);
        if (!e.hash || e.added > 1 || fl_index_find(&l->index, e.hash) != FL_NONE)
            return fl_fail(err, FLORIN_EFORMAT, "list '%s': entry %u is damaged", l->name, i);
        put(l, e.hash, e.until_us, e.added);
    }
    return FLORIN_OK;
}

florin_status fl_lists_restore(fl_lists *l, const uint8_t *bytes, size_t n, florin_error *err)
{
    enum { HEAD = FL_NAME_MAX + 8 };
    size_t at = 0;
    while (at < n) {
        char name[FL_NAME_MAX];
        uint32_t head[2];
        if (n - at < HEAD) return fl_fail(err, FLORIN_EFORMAT, "lists: cut off");
        memcpy(name, bytes + at, sizeof name);
        memcpy(head, bytes + at + sizeof name, sizeof head);
        at += HEAD;
        if (name[FL_NAME_MAX - 1] || head[1] > (n - at) / sizeof(entry))
            return fl_fail(err, FLORIN_EFORMAT, "lists: damaged or cut off");
        uint32_t i = fl_lists_find(l, name);
        if (i != FL_NONE && l->list[i].kind == (int)head[0]) {
            florin_status st = restore_list(&l->list[i], bytes + at, head[1], err);
            if (st) return st;
        }
        at += head[1] * sizeof(entry);
    }
    return FLORIN_OK;
}
