/* Rings of event times, one table for each series. */
#include "policy/rings.h"
#include "score/table.h"
#include <stdio.h>

typedef struct {
    uint64_t hash;
    uint16_t next, count; /* place of the next time; times that are there */
    uint32_t touched;     /* CLOCK's bit */
    int64_t at[FL_RING_EVENTS];
} ring;

typedef struct {
    fl_series what;
    int64_t begun_us;
    uint32_t most, used, hand;
    uint64_t evicted;
    ring *ring;
    void *block;
    fl_index index;
} series;

struct fl_rings {
    uint32_t count;
    series series[FL_SERIES_MAX];
};

static florin_status open_series(series *s, const fl_series *what, uint32_t most, florin_error *err)
{
    s->what = *what;
    s->most = most;
    s->begun_us = INT64_MAX;
    s->ring = fl_pages(most, sizeof *s->ring, &s->block);
    if (!s->ring || !fl_index_init(&s->index, most, s->ring, sizeof *s->ring))
        return fl_fail(err, FLORIN_ENOMEM, "velocity of %s: %u rings", what->name, most);
    return FLORIN_OK;
}

florin_status fl_rings_open(fl_rings **out, const fl_policy *p, uint32_t most, fl_rings *previous,
                            florin_error *err)
{
    *out = NULL;
    fl_rings *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "velocity");
    florin_status st = FLORIN_OK;
    r->count = fl_policy_series(p);
    for (uint32_t i = 0; i < r->count && !st; i++)
        st = open_series(&r->series[i], fl_policy_series_at(p, i), most ? most : 1000000, err);
    if (st) {
        fl_rings_close(r);
        return st;
    }
    for (uint32_t i = 0; previous && i < r->count; i++)
        for (uint32_t k = 0; k < previous->count; k++)
            if (!strcmp(r->series[i].what.name, previous->series[k].what.name)) {
                series empty = r->series[i];
                r->series[i] = previous->series[k];
                r->series[i].what = empty.what;
                previous->series[k] = empty;
                break;
            }
    *out = r;
    return FLORIN_OK;
}

void fl_rings_close(fl_rings *r)
{
    if (!r) return;
    for (uint32_t i = 0; i < r->count; i++) {
        fl_index_free(&r->series[i].index);
        free(r->series[i].block);
    }
    free(r);
}

uint32_t fl_rings_count(const fl_rings *r, uint32_t i, uint64_t hash, int64_t time_us,
                        int64_t window_us)
{
    if (i >= r->count || !hash || !r->series[i].used) return 0;
    const series *s = &r->series[i];
    uint32_t at = fl_index_find(&s->index, hash), n = 0;
    if (at == FL_NONE) return 0;
    const ring *x = &s->ring[at];
    int64_t after = time_us < INT64_MIN + window_us ? INT64_MIN : time_us - window_us;
    for (uint32_t k = 0; k < x->count; k++) n += x->at[k] > after && x->at[k] <= time_us;
    return n;
}

static bool counts(const fl_series *s, const fl_event *e, fl_action action)
{
    switch ((fl_count_what)s->what) {
    case FL_COUNT_ALL: return true;
    case FL_COUNT_MARK: return e->marks >> s->index & 1;
    case FL_COUNT_TYPE: return e->type == s->index;
    case FL_COUNT_ACTION: return action == (fl_action)s->index;
    }
    return false;
}

/* A place for a new entity: the next free one, or that of one that was not used since the hand last came by. */
static uint32_t place(series *s)
{
    if (s->used < s->most) return s->used++;
    while (s->ring[s->hand].touched) {
        s->ring[s->hand].touched = 0;
        s->hand = s->hand + 1 == s->most ? 0 : s->hand + 1;
    }
    uint32_t i = s->hand;
    s->hand = i + 1 == s->most ? 0 : i + 1;
    if (s->ring[i].hash) {
        fl_index_remove(&s->index, s->ring[i].hash);
        s->evicted++;
    }
    memset(&s->ring[i], 0, sizeof s->ring[i]);
    return i;
}

static void remember(series *s, uint64_t hash, int64_t time_us)
{
    uint32_t i = fl_index_find(&s->index, hash);
    if (i == FL_NONE) {
        i = place(s);
        s->ring[i].hash = hash;
        fl_index_put(&s->index, hash, i);
    }
    ring *x = &s->ring[i];
    x->at[x->next] = time_us;
    x->next = (uint16_t)((x->next + 1) % FL_RING_EVENTS);
    if (x->count < FL_RING_EVENTS) x->count++;
    x->touched = 1;
}

void fl_rings_add(fl_rings *r, const fl_event *event, fl_action action)
{
    for (uint32_t i = 0; i < r->count; i++) {
        series *s = &r->series[i];
        if (event->time_us < s->begun_us) s->begun_us = event->time_us;
        uint64_t hash = s->what.kind >= 0 ? event->entity_hash[s->what.kind] : 0;
        if (hash && counts(&s->what, event, action)) remember(s, hash, event->time_us);
    }
}

void fl_rings_marks(fl_rings *r, const fl_event *event, uint8_t fresh)
{
    for (uint32_t i = 0; i < r->count; i++) {
        series *s = &r->series[i];
        uint64_t hash = s->what.kind >= 0 ? event->entity_hash[s->what.kind] : 0;
        if (hash && s->what.what == FL_COUNT_MARK && fresh >> s->what.index & 1)
            remember(s, hash, event->time_us);
    }
}

void fl_rings_fetch(const fl_rings *r, const fl_event *event)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const series *s = &r->series[i];
        uint64_t hash = s->what.kind >= 0 ? event->entity_hash[s->what.kind] : 0;
        if (hash) fl_index_fetch(&s->index, hash);
    }
}

void fl_rings_erase(fl_rings *r, int kind, uint64_t hash)
{
    for (uint32_t i = 0; i < r->count; i++) {
        series *s = &r->series[i];
        uint32_t at = s->what.kind == kind && hash ? fl_index_find(&s->index, hash) : FL_NONE;
        if (at == FL_NONE) continue;
        fl_index_remove(&s->index, hash);
        memset(&s->ring[at], 0, sizeof s->ring[at]);
    }
}

int64_t fl_rings_begun(const fl_rings *r, uint32_t i)
{
    return i < r->count ? r->series[i].begun_us : INT64_MAX;
}

uint64_t fl_rings_evicted(const fl_rings *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->count; i++) n += r->series[i].evicted;
    return n;
}

uint32_t fl_rings_used(const fl_rings *r, uint32_t i)
{
    return i < r->count ? r->series[i].used : 0;
}

/* ---- checkpoints: per series a head, then its rings as they lie ---- */

typedef struct {
    char name[sizeof(((fl_series *)0)->name)];
    int64_t begun_us;
    uint64_t evicted;
    uint32_t most, used, hand, spare;
} head;

florin_status fl_rings_save(const fl_rings *r, fl_writer *w, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < r->count && !st; i++) {
        const series *s = &r->series[i];
        head h = {.begun_us = s->begun_us,
                  .evicted = s->evicted,
                  .most = s->most,
                  .used = s->used,
                  .hand = s->hand};
        memcpy(h.name, s->what.name, sizeof h.name);
        st = fl_writer_add(w, &h, sizeof h, err);
        if (!st) st = fl_writer_add(w, s->ring, s->used * sizeof *s->ring, err);
    }
    return st;
}

static florin_status restore_series(series *s, const head *h, const uint8_t *bytes,
                                    florin_error *err)
{
    if (h->used > s->most)
        return fl_fail(err, FLORIN_ENOMEM,
                       "velocity of %s: %u rings were stored, there is room for %u", s->what.name,
                       h->used, s->most);
    for (uint32_t i = 0; i < h->used; i++) {
        ring *x = &s->ring[i];
        memcpy(x, bytes + (size_t)i * sizeof *x, sizeof *x);
        if (x->next >= FL_RING_EVENTS || x->count > FL_RING_EVENTS ||
            (x->hash && fl_index_find(&s->index, x->hash) != FL_NONE))
            return fl_fail(err, FLORIN_EFORMAT, "velocity of %s: ring %u is damaged", s->what.name,
                           i);
        if (x->hash) fl_index_put(&s->index, x->hash, i);
    }
    s->used = h->used;
    s->hand = h->hand < s->most ? h->hand : 0;
    s->begun_us = h->begun_us;
    s->evicted = h->evicted;
    return FLORIN_OK;
}

florin_status fl_rings_restore(fl_rings *r, const uint8_t *bytes, size_t n, florin_error *err)
{
    size_t at = 0;
    while (at < n) {
        head h;
        if (n - at < sizeof h) return fl_fail(err, FLORIN_EFORMAT, "velocity: cut off");
        memcpy(&h, bytes + at, sizeof h);
        at += sizeof h;
        if (h.name[sizeof h.name - 1] || h.used > (n - at) / sizeof(ring))
            return fl_fail(err, FLORIN_EFORMAT, "velocity: damaged or cut off");
        for (uint32_t i = 0; i < r->count; i++) {
            series *s = &r->series[i];
            if (strcmp(s->what.name, h.name) || s->used) continue;
            florin_status st = restore_series(s, &h, bytes + at, err);
            if (st) return st;
        }
        at += (size_t)h.used * sizeof(ring);
    }
    return FLORIN_OK;
}
