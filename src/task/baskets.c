/* Baskets out of the log. Invariant: a basket lies on one side of every moment, for it has one time: its first line's. */
#include "task/baskets.h"

typedef struct {
    int64_t at_us;
    uint64_t group;
    uint32_t item;
} raw;

typedef struct {
    fl_baskets *b;
    const fl_task *t;
    const fl_log *log;
    raw *raw;
    size_t n, raw_cap, line_cap, basket_cap;
} reader;

void fl_baskets_free(fl_baskets *b)
{
    free(b->first);
    free(b->basket);
    free(b->line);
    fl_classes_free(&b->items);
    memset(b, 0, sizeof *b);
}

static int by_group(const void *a, const void *b)
{
    const raw *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static int by_time(const void *a, const void *b)
{
    const raw *x = a, *y = b;
    if (x->at_us != y->at_us) return x->at_us < y->at_us ? -1 : 1;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static bool read_entity(reader *k, uint32_t entity)
{
    const fl_task *t = k->t;
    k->n = 0;
    for (uint32_t g = 0; g < fl_log_segments(k->log); g++) {
        uint32_t n;
        uint64_t base = fl_log_segment_first(k->log, g);
        const uint32_t *rows = fl_log_entity_rows(k->log, t->outcome_kind, entity, g, &n);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t row = base + rows[i], value = fl_log_category(k->log, t->of, row);
            if (!value || !fl_rule_fits(&t->outcome, k->log, row)) continue;
            if (!fl_grow((void **)&k->raw, &k->raw_cap, k->n + 1, sizeof *k->raw)) return false;
            uint64_t group = t->group >= 0 ? fl_log_category(k->log, t->group, row) : 0;
            raw *r = &k->raw[k->n++];
            r->at_us = fl_log_time(k->log, row);
            r->group = group ? group : fl_mix64((uint64_t)r->at_us);
            r->item = fl_classes_of(&k->b->items, value);
            if (r->item == UINT32_MAX) return false;
        }
    }
    return true;
}

/* The raw lines of an entity as baskets. */
static bool add_entity(reader *k, uint64_t *lines)
{
    fl_baskets *b = k->b;
    if (!k->n) return true;
    qsort(k->raw, k->n, sizeof *k->raw, by_group);
    for (size_t i = 1; i < k->n; i++)
        if (k->raw[i].group == k->raw[i - 1].group) k->raw[i].at_us = k->raw[i - 1].at_us;
    qsort(k->raw, k->n, sizeof *k->raw, by_time);
    if (!fl_grow((void **)&b->line, &k->line_cap, *lines + k->n, sizeof *b->line) ||
        !fl_grow((void **)&b->basket, &k->basket_cap, b->baskets + k->n + 1, sizeof *b->basket))
        return false;
    for (size_t i = 0; i < k->n; i++) {
        const raw *r = &k->raw[i];
        bool fresh = !i || r->group != r[-1].group;
        if (!fresh && r->item == r[-1].item) continue;
        if (fresh) b->basket[b->baskets++] = *lines;
        b->line[(*lines)++] = (fl_bought){r->at_us, r->item, b->baskets - 1};
    }
    return true;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Numbers rise with the hash, so that ties are settled alike whatever comes later. */
static bool number_items(reader *k)
{
    uint32_t n = fl_log_values(k->log, k->t->of);
    uint64_t *hash = fl_alloc((size_t)n + 1, sizeof *hash);
    bool ok = hash != NULL;
    for (uint32_t i = 0; ok && i < n; i++) hash[i] = fl_log_value_hash(k->log, k->t->of, i);
    if (ok) qsort(hash, n, sizeof *hash, by_hash);
    for (uint32_t i = 0; ok && i < n; i++) ok = fl_classes_of(&k->b->items, hash[i]) != UINT32_MAX;
    free(hash);
    return ok;
}

florin_status fl_baskets_read(fl_baskets *out, const fl_task *t, const fl_log *log,
                              florin_error *err)
{
    memset(out, 0, sizeof *out);
    reader k = {.b = out, .t = t, .log = log};
    uint64_t lines = 0;
    out->entities = fl_log_entities(log, t->outcome_kind);
    out->first = fl_alloc((size_t)out->entities + 1, sizeof *out->first);
    bool ok = out->first != NULL && number_items(&k);
    for (uint32_t e = 0; ok && e < out->entities; e++) {
        out->first[e] = lines;
        ok = read_entity(&k, e) && add_entity(&k, &lines);
    }
    free(k.raw);
    ok = ok && fl_grow((void **)&out->basket, &k.basket_cap, (size_t)out->baskets + 1,
                       sizeof *out->basket);
    if (!ok) {
        fl_baskets_free(out);
        return fl_fail(err, FLORIN_ENOMEM, "task %s: baskets", t->name);
    }
    out->first[out->entities] = out->basket[out->baskets] = lines;
    if (out->items.n >= 2) return FLORIN_OK;
    fl_baskets_free(out);
    return fl_fail(err, FLORIN_EINPUT,
                   "task %s: the field of `of` has fewer than two different values among the "
                   "label's events",
                   t->name);
}

uint64_t fl_baskets_from(const fl_baskets *b, uint32_t entity, int64_t at_us)
{
    uint64_t lo = b->first[entity], hi = b->first[entity + 1];
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (b->line[mid].at_us < at_us) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

florin_status fl_baskets_after(fl_came *came, const fl_baskets *b, const fl_task *t,
                               uint32_t entity, int64_t at_us, florin_error *err)
{
    uint64_t from = fl_baskets_from(b, entity, at_us), end = b->first[entity + 1], to = from;
    uint32_t kept = 0;
    came->n = 0;
    came->known_us = INT64_MAX;
    if (t->horizon_us) to = fl_baskets_from(b, entity, at_us + t->horizon_us);
    else if (from < end) to = b->basket[b->line[from].basket + 1];
    if (from == to) return FLORIN_OK;
    if (!fl_grow((void **)&came->item, &came->cap, to - from, sizeof *came->item))
        return fl_fail(err, FLORIN_ENOMEM, "task %s", t->name);
    for (uint64_t i = from; i < to; i++) came->item[came->n++] = b->line[i].item;
    qsort(came->item, came->n, sizeof *came->item, by_number);
    for (uint32_t i = 0; i < came->n; i++)
        if (!i || came->item[i] != came->item[i - 1]) came->item[kept++] = came->item[i];
    came->n = kept;
    /* A basket's later lines follow within the day. */
    came->known_us = (t->horizon_us ? at_us + t->horizon_us : b->line[from].at_us + FL_DAY_US) +
                     t->label_delay_us;
    return FLORIN_OK;
}
