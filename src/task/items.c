/* Items at a moment. Invariant: every line that is read lies before the moment of the cut. */
#include "task/items.h"
#include <math.h>

enum {
    NEIGHBOURS = 100,
    BUYERS_MAX = 2000, /* of an item: the latest ones are alike enough to look among */
    BASKETS_MAX = 500, /* the same for baskets that go with the last one */
    FEW = 400,         /* up to so many items all are candidates */
    CANDIDATES_KNN = 100,
    CANDIDATES_NEW = 60,
    CANDIDATES_OLD = 40,
    CANDIDATES_WITH = 60
};

static const char *const INPUT[] = {"own: baskets with it",
                                    "own: share of baskets",
                                    "own: count, 30 d",
                                    "own: count, 90 d",
                                    "own: count, 180 d",
                                    "own: days since the last",
                                    "own: baskets since the last",
                                    "own: days since the first",
                                    "own: mean gap",
                                    "own: days since over gap",
                                    "entity: baskets",
                                    "entity: items",
                                    "entity: items a basket",
                                    "entity: days since the last",
                                    "entity: share of repeats",
                                    "item: count",
                                    "item: count, 14 d",
                                    "item: count, 60 d",
                                    "item: trend",
                                    "item: entities",
                                    "item: share of repeats",
                                    "item: days since the last",
                                    "alike: best 100",
                                    "alike: all",
                                    "alike: all, over popularity",
                                    "with last basket",
                                    "with last basket, over popularity",
                                    "own: over all own counts",
                                    "alike: best 100 over most",
                                    "own: count, 90 d, over most",
                                    "item: days since the first",
                                    "entity: days between baskets"};

struct fl_item_cut {
    const fl_baskets *b;
    int64_t at_us;
    uint32_t items;
    double *count, *count14, *count60, *entities, *repeats, *last, *first; /* [items] */
    uint64_t *own_at;                                                      /* [entities + 1] */
    fl_own_item *own;
    uint64_t *buyer_at; /* [items + 1] */
    uint32_t *buyer;    /* place in own */
    uint32_t *owner;    /* [own] its entity */
    uint64_t *in_at;    /* [items + 1] */
    uint32_t *in;       /* baskets that hold an item, by entity and time */
    /* Scratch of one entity. */
    double *alike, *overlap;     /* [entities], [baskets] */
    uint32_t *alikes, *overlaps; /* those above 0 */
    double *knn, *all, *with;    /* [items] */
    uint32_t *place, *candidate; /* [items] 1 + place among candidates */
    uint32_t *top, old[CANDIDATES_OLD], fresh[CANDIDATES_NEW], olds, freshs;
    fl_item_list list;
};

const char *fl_item_input(uint32_t i)
{
    return i < FL_LEN(INPUT) ? INPUT[i] : "";
}

/* Keeps the k largest in a heap whose root is the worst of them. */
static bool worse(const double *score, uint32_t a, uint32_t b)
{
    return score[a] < score[b] || (score[a] == score[b] && a > b);
}

static void sink(uint32_t *heap, uint32_t n, uint32_t at, const double *score)
{
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && worse(score, heap[child + 1], heap[child])) child++;
        if (!worse(score, heap[child], heap[at])) return;
        uint32_t swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
    }
}

static uint32_t top_among(uint32_t *out, const double *score, const uint32_t *among, uint32_t n,
                          uint32_t k)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = among ? among[i] : i;
        if (kept < k) {
            out[kept++] = at;
            if (kept == k)
                for (uint32_t p = k / 2; p-- > 0;) sink(out, k, p, score);
        } else if (k && worse(score, out[0], at)) {
            out[0] = at;
            sink(out, k, 0, score);
        }
    }
    if (kept < k)
        for (uint32_t p = kept / 2; p-- > 0;) sink(out, kept, p, score);
    for (uint32_t left = kept; left > 1; left--) { /* the worst goes to the end, again and again */
        uint32_t swap = out[0];
        out[0] = out[left - 1];
        out[left - 1] = swap;
        sink(out, left - 1, 0, score);
    }
    return kept;
}

uint32_t fl_top_of(uint32_t *out, const double *score, uint32_t n, uint32_t k)
{
    return top_among(out, score, NULL, n, k);
}

void fl_item_cut_free(fl_item_cut *c)
{
    if (!c) return;
    void *all[] = {c->count,  c->count14,  c->count60,  c->entities,   c->repeats,   c->last,
                   c->first,  c->own_at,   c->own,      c->buyer_at,   c->buyer,     c->owner,
                   c->in_at,  c->in,       c->alike,    c->overlap,    c->alikes,    c->overlaps,
                   c->knn,    c->all,      c->with,     c->place,      c->candidate, c->top,
                   c->list.x, c->list.own, c->list.knn, c->list.global};
    for (size_t i = 0; i < FL_LEN(all); i++) free(all[i]);
    free(c);
}

static bool cut_alloc(fl_item_cut *c)
{
    size_t n = c->items, e = c->b->entities, lines = c->b->first[e], baskets = c->b->baskets;
    c->count = fl_calloc(n, sizeof *c->count);
    c->count14 = fl_calloc(n, sizeof *c->count14);
    c->count60 = fl_calloc(n, sizeof *c->count60);
    c->entities = fl_calloc(n, sizeof *c->entities);
    c->repeats = fl_calloc(n, sizeof *c->repeats);
    c->last = fl_calloc(n, sizeof *c->last);
    c->first = fl_calloc(n, sizeof *c->first);
    c->own_at = fl_calloc(e + 1, sizeof *c->own_at);
    c->own = fl_alloc(lines + 1, sizeof *c->own);
    c->owner = fl_alloc(lines + 1, sizeof *c->owner);
    c->buyer_at = fl_calloc(n + 2, sizeof *c->buyer_at);
    c->buyer = fl_alloc(lines + 1, sizeof *c->buyer);
    c->in_at = fl_calloc(n + 2, sizeof *c->in_at);
    c->in = fl_alloc(lines + 1, sizeof *c->in);
    c->alike = fl_calloc(e + 1, sizeof *c->alike);
    c->alikes = fl_alloc(e + 1, sizeof *c->alikes);
    c->overlap = fl_calloc(baskets + 1, sizeof *c->overlap);
    c->overlaps = fl_alloc(baskets + 1, sizeof *c->overlaps);
    c->knn = fl_calloc(n, sizeof *c->knn);
    c->all = fl_calloc(n, sizeof *c->all);
    c->with = fl_calloc(n, sizeof *c->with);
    c->place = fl_calloc(n, sizeof *c->place);
    c->candidate = fl_alloc(n, sizeof *c->candidate);
    c->top = fl_alloc((n > NEIGHBOURS ? n : NEIGHBOURS) + 1, sizeof *c->top);
    c->list.x = fl_alloc(n, FL_ITEM_INPUTS * sizeof *c->list.x);
    c->list.own = fl_alloc(n, sizeof *c->list.own);
    c->list.knn = fl_alloc(n, sizeof *c->list.knn);
    c->list.global = fl_alloc(n, sizeof *c->list.global);
    return c->count && c->count14 && c->count60 && c->entities && c->repeats && c->last &&
           c->first && c->own_at && c->own && c->owner && c->buyer_at && c->buyer && c->in_at &&
           c->in && c->alike && c->alikes && c->overlap && c->overlaps && c->knn && c->all &&
           c->with && c->place && c->candidate && c->top && c->list.x && c->list.own &&
           c->list.knn && c->list.global;
}

static double days_before(const fl_item_cut *c, int64_t at_us)
{
    return (double)(c->at_us - at_us) / FL_DAY_US;
}

/* The items of one entity before the cut, appended to own. */
static void own_items(fl_item_cut *c, uint32_t entity, uint64_t *n)
{
    const fl_baskets *b = c->b;
    uint64_t from = b->first[entity], to = fl_baskets_from(b, entity, c->at_us), start = *n;
    c->own_at[entity] = start;
    for (uint64_t i = from; i < to; i++) {
        const fl_bought *l = &b->line[i];
        float age = (float)days_before(c, l->at_us);
        uint32_t *place = &c->place[l->item];
        if (!*place) {
            c->owner[*n] = entity;
            c->own[(*n)++] = (fl_own_item){.item = l->item, .first = age};
            *place = (uint32_t)(*n - start);
        }
        fl_own_item *o = &c->own[start + *place - 1];
        o->n++;
        o->last = age;
        o->since = b->line[to - 1].basket - l->basket;
        o->d30 += exp2f(-age / 30);
        o->d90 += exp2f(-age / 90);
        o->d180 += exp2f(-age / 180);
        o->w += exp2f(-age / 120);
        c->count[l->item]++;
        c->count14[l->item] += exp2((double)-age / 14);
        c->count60[l->item] += exp2((double)-age / 60);
        if (c->count[l->item] <= 1 || (double)age > c->first[l->item])
            c->first[l->item] = (double)age;
        if (c->count[l->item] <= 1 || (double)age < c->last[l->item])
            c->last[l->item] = (double)age;
    }
    for (uint64_t i = start; i < *n; i++) {
        uint32_t item = c->own[i].item;
        c->place[item] = 0;
        c->entities[item]++;
        c->repeats[item] += c->own[i].n - 1;
        c->buyer_at[item + 2]++;
    }
}

/* Unit vectors of the entities, plain and times idf. */
static void unit_vectors(fl_item_cut *c)
{
    const fl_baskets *b = c->b;
    double had = 0;
    for (uint32_t e = 0; e < b->entities; e++) had += c->own_at[e + 1] > c->own_at[e];
    for (uint32_t e = 0; e < b->entities; e++) {
        double plain = 0, times = 0;
        for (uint64_t i = c->own_at[e]; i < c->own_at[e + 1]; i++) {
            fl_own_item *o = &c->own[i];
            double idf = log(had / (1 + c->count[o->item]));
            o->wi = o->w * (float)(idf > .1 ? idf : .1);
            plain += (double)(o->w * o->w);
            times += (double)(o->wi * o->wi);
        }
        for (uint64_t i = c->own_at[e]; i < c->own_at[e + 1]; i++) {
            c->own[i].w /= (float)(sqrt(plain) + 1e-9);
            c->own[i].wi /= (float)(sqrt(times) + 1e-9);
        }
    }
}

/* Who had an item, and which baskets held it: counting sorts. */
static void invert(fl_item_cut *c)
{
    const fl_baskets *b = c->b;
    for (uint32_t i = 0; i < c->items; i++) c->buyer_at[i + 2] += c->buyer_at[i + 1];
    for (uint64_t i = 0; i < c->own_at[b->entities]; i++)
        c->buyer[c->buyer_at[c->own[i].item + 1]++] = (uint32_t)i;
    for (uint32_t i = 0; i < c->items; i++) c->in_at[i + 2] = (uint64_t)c->count[i];
    for (uint32_t i = 0; i < c->items; i++) c->in_at[i + 2] += c->in_at[i + 1];
    for (uint32_t e = 0; e < b->entities; e++)
        for (uint64_t l = b->first[e], to = fl_baskets_from(b, e, c->at_us); l < to; l++)
            c->in[c->in_at[b->line[l].item + 1]++] = b->line[l].basket;
}

florin_status fl_item_cut_new(fl_item_cut **out, const fl_baskets *b, int64_t at_us,
                              florin_error *err)
{
    fl_item_cut *c = fl_calloc(1, sizeof *c);
    uint64_t n = 0;
    *out = NULL;
    if (c) *c = (fl_item_cut){.b = b, .at_us = at_us, .items = b->items.n};
    if (!c || !cut_alloc(c)) {
        fl_item_cut_free(c);
        return fl_fail(err, FLORIN_ENOMEM, "%u items of %u entities", b->items.n, b->entities);
    }
    for (uint32_t e = 0; e < b->entities; e++) own_items(c, e, &n);
    c->own_at[b->entities] = n;
    unit_vectors(c);
    invert(c);
    c->olds = fl_top_of(c->top, c->count, c->items, CANDIDATES_OLD);
    memcpy(c->old, c->top, c->olds * sizeof *c->old);
    c->freshs = fl_top_of(c->top, c->count14, c->items, CANDIDATES_NEW);
    memcpy(c->fresh, c->top, c->freshs * sizeof *c->fresh);
    *out = c;
    return FLORIN_OK;
}

/* Every step-th of an inverted list: at most `most` of n. */
static uint64_t stride(uint64_t n, uint64_t most)
{
    return n > most ? (n + most - 1) / most : 1;
}

/* knn: what the most alike entities had; all: what all that are alike at all had. */
static void score_alike(fl_item_cut *c, uint32_t entity)
{
    uint32_t n = 0;
    for (uint64_t i = c->own_at[entity]; i < c->own_at[entity + 1]; i++) {
        const fl_own_item *o = &c->own[i];
        uint64_t from = c->buyer_at[o->item], to = c->buyer_at[o->item + 1],
                 step = stride(to - from, BUYERS_MAX);
        for (uint64_t k = from; k < to; k += step) {
            uint32_t p = c->buyer[k], e = c->owner[p];
            if (e == entity) continue;
            if (c->alike[e] <= 0) c->alikes[n++] = e;
            c->alike[e] += (double)(o->wi * c->own[p].wi) * (double)step;
        }
    }
    uint32_t best = top_among(c->top, c->alike, c->alikes, n, NEIGHBOURS);
    memset(c->knn, 0, c->items * sizeof *c->knn);
    memset(c->all, 0, c->items * sizeof *c->all);
    for (uint32_t k = 0; k < best; k++)
        for (uint64_t i = c->own_at[c->top[k]]; i < c->own_at[c->top[k] + 1]; i++)
            c->knn[c->own[i].item] += c->alike[c->top[k]] * (double)c->own[i].w;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t e = c->alikes[k];
        for (uint64_t i = c->own_at[e]; i < c->own_at[e + 1]; i++)
            c->all[c->own[i].item] += c->alike[e] * (double)c->own[i].w;
        c->alike[e] = 0;
    }
}

/* with: what lies in the baskets, of anybody, that share items with the entity's last one. */
static void score_with(fl_item_cut *c, uint32_t entity)
{
    const fl_baskets *b = c->b;
    uint64_t end = fl_baskets_from(b, entity, c->at_us);
    uint32_t n = 0;
    memset(c->with, 0, c->items * sizeof *c->with);
    if (end == b->first[entity]) return;
    uint32_t last = b->line[end - 1].basket;
    for (uint64_t l = b->basket[last]; l < b->basket[last + 1]; l++) {
        uint32_t item = b->line[l].item;
        uint64_t from = c->in_at[item], to = c->in_at[item + 1],
                 step = stride(to - from, BASKETS_MAX);
        for (uint64_t k = from; k < to; k += step) {
            uint32_t other = c->in[k];
            if (other == last) continue;
            if (c->overlap[other] <= 0) c->overlaps[n++] = other;
            c->overlap[other] += (double)step / c->count[item];
        }
    }
    double own = (double)(b->basket[last + 1] - b->basket[last]);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t other = c->overlaps[k];
        double size = (double)(b->basket[other + 1] - b->basket[other]),
               w = c->overlap[other] / (own * sqrt(size));
        for (uint64_t l = b->basket[other]; l < b->basket[other + 1]; l++)
            c->with[b->line[l].item] += w;
        c->overlap[other] = 0;
    }
}

static void add_candidates(fl_item_cut *c, const uint32_t *item, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (c->place[item[i]] || c->count[item[i]] <= 0) continue;
        c->candidate[c->list.n] = item[i];
        c->place[item[i]] = ++c->list.n;
    }
}

static void candidates(fl_item_cut *c, uint32_t entity)
{
    c->list.n = 0;
    if (c->items <= FEW) {
        for (uint32_t i = 0; i < c->items; i++) add_candidates(c, &i, 1);
        return;
    }
    for (uint64_t i = c->own_at[entity]; i < c->own_at[entity + 1]; i++)
        add_candidates(c, &c->own[i].item, 1);
    add_candidates(c, c->old, c->olds);
    add_candidates(c, c->fresh, c->freshs);
    add_candidates(c, c->top, fl_top_of(c->top, c->knn, c->items, CANDIDATES_KNN));
    add_candidates(c, c->top, fl_top_of(c->top, c->with, c->items, CANDIDATES_WITH));
}

/* What is the same for all candidates of an entity. */
typedef struct {
    float baskets, items, size, since, repeats, between, counts, most90, knn;
} entity_facts;

static entity_facts facts_of(const fl_item_cut *c, uint32_t entity)
{
    const fl_baskets *b = c->b;
    uint64_t from = b->first[entity], to = fl_baskets_from(b, entity, c->at_us);
    entity_facts f = {.since = NAN, .between = NAN};
    f.items = (float)(c->own_at[entity + 1] - c->own_at[entity]);
    f.counts = (float)(to - from);
    for (uint32_t i = 0; i < c->items; i++) f.knn = fmaxf(f.knn, (float)c->knn[i]);
    for (uint64_t i = c->own_at[entity]; i < c->own_at[entity + 1]; i++)
        f.most90 = fmaxf(f.most90, c->own[i].d90);
    if (from == to) return f;
    f.baskets = (float)(b->line[to - 1].basket - b->line[from].basket + 1);
    f.size = f.counts / f.baskets;
    f.since = (float)days_before(c, b->line[to - 1].at_us);
    f.repeats = 1 - f.items / f.counts;
    if (f.baskets > 1)
        f.between =
            (float)(days_before(c, b->line[from].at_us) - (double)f.since) / (f.baskets - 1);
    return f;
}

static void inputs_of(const fl_item_cut *c, uint32_t item, const fl_own_item *o,
                      const entity_facts *f, float *x)
{
    double pop = sqrt(c->count[item]) + 1;
    float gap = o && o->n > 1 ? (o->first - o->last) / (float)(o->n - 1) : NAN;
    const float own[] = {o ? (float)o->n : 0,
                         o ? (float)o->n / f->baskets : 0,
                         o ? o->d30 : 0,
                         o ? o->d90 : 0,
                         o ? o->d180 : 0,
                         o ? o->last : NAN,
                         o ? (float)o->since : NAN,
                         o ? o->first : NAN,
                         gap,
                         o ? o->last / (gap + 1) : NAN,
                         f->baskets,
                         f->items,
                         f->size,
                         f->since,
                         f->repeats,
                         (float)c->count[item],
                         (float)c->count14[item],
                         (float)c->count60[item],
                         (float)(c->count14[item] / (c->count60[item] + 1)),
                         (float)c->entities[item],
                         (float)(c->repeats[item] / c->count[item]),
                         (float)c->last[item],
                         (float)c->knn[item],
                         (float)c->all[item],
                         (float)(c->all[item] / pop),
                         (float)c->with[item],
                         (float)(c->with[item] / pop),
                         o ? (float)o->n / f->counts : 0,
                         f->knn > 0 ? (float)c->knn[item] / f->knn : 0,
                         o ? o->d90 / f->most90 : 0,
                         (float)c->first[item],
                         f->between};
    _Static_assert(FL_LEN(own) == FL_ITEM_INPUTS, "an input is missing");
    _Static_assert(FL_LEN(INPUT) == FL_ITEM_INPUTS, "an input has no name");
    memcpy(x, own, sizeof own);
}

florin_status fl_item_cut_list(fl_item_list *out, fl_item_cut *c, uint32_t entity,
                               florin_error *err)
{
    (void)err;
    score_alike(c, entity);
    score_with(c, entity);
    candidates(c, entity);
    entity_facts f = facts_of(c, entity);
    double most = 0;
    fl_item_list *l = &c->list;
    l->item = c->candidate;
    for (uint32_t i = 0; i < c->olds; i++) most = fmax(most, c->count[c->old[i]]);
    for (uint32_t i = 0; i < l->n; i++) {
        uint32_t item = l->item[i];
        l->knn[i] = c->knn[item];
        l->global[i] = c->count[item];
        l->own[i] = 1e-4 * c->count[item] / most;
        inputs_of(c, item, NULL, &f, l->x + (size_t)i * FL_ITEM_INPUTS);
    }
    for (uint64_t i = c->own_at[entity]; i < c->own_at[entity + 1]; i++) {
        const fl_own_item *o = &c->own[i];
        if (!c->place[o->item]) continue;
        uint32_t at = c->place[o->item] - 1;
        l->own[at] += o->n;
        inputs_of(c, o->item, o, &f, l->x + (size_t)at * FL_ITEM_INPUTS);
    }
    for (uint32_t i = 0; i < l->n; i++) c->place[l->item[i]] = 0;
    *out = *l;
    return FLORIN_OK;
}
