/* Attention of a transformer block: lists become heads' queries and keys as the loops want them, and back; memories move on.
 * Invariant: an element reads nothing after it (causal), nothing beyond its window, and nothing of another sequence. */
#include "kernels/block_inside.h"
#include <math.h>

/* ---- one list ---- */

/* A list at hand: its elements, and the keys before them that the memory holds. */
typedef struct {
    const fl_block *b;
    fl_block_work *k;
    const fl_block_lists *l;
    size_t first, n, kept; /* kept: places of the memory, the window or none */
    const float *memory;   /* as it was before the pass */
    size_t d, D;           /* of a head, of all */
} list_at_hand;

static list_at_hand open_list(const fl_block *b, fl_block_work *k, const fl_block_lists *l,
                              uint32_t i, const float *memory)
{
    list_at_hand a = {.b = b, .k = k, .l = l, .first = l->first[i], .D = b->shape->width};

    a.n = l->first[i + 1] - a.first;
    a.d = a.D / b->shape->heads;
    if (!l->memory) return a;
    a.kept = b->shape->window;
    a.memory = memory;
    return a;
}

/* Which keys each element sees: [from, to) of the memory's places and then the list's elements. */
static void set_ranges(const list_at_hand *a)
{
    const fl_block_shape *s = a->b->shape;
    const fl_head_room *h = &a->k->head;

    for (size_t i = 0; i < a->n; i++) {
        size_t own = a->kept + i, before = a->l->before[a->first + i], after = 0;
        if (!s->causal) after = a->l->after[a->first + i];
        if (before > s->window - 1) before = s->window - 1;
        if (after > s->window - 1) after = s->window - 1;
        h->from[i] = (uint32_t)(own - before);
        h->to[i] = (uint32_t)(own + after + 1);
        h->own[i] = (uint32_t)own;
    }
}

/* Values that have fallen out of the window by element i. */
static size_t fallen_by(const list_at_hand *a, size_t i)
{
    size_t before = a->l->before[a->first + i], window = a->b->shape->window;

    return before >= window ? before - window + 1 : 0;
}

/* The value at a key's place. */
static const float *value_at(const list_at_hand *a, size_t place)
{
    if (place < a->kept) return a->memory + (a->kept + place) * a->D;
    return a->k->qkv + (size_t)a->l->row[a->first + place - a->kept] * 3 * a->D + 2 * a->D;
}

/* Means of what fell out, by element. */
static void set_means(const list_at_hand *a)
{
    size_t D = a->D, window = a->b->shape->window;
    const float *before = a->memory ? a->memory + 2 * window * D : NULL;
    float *mean = a->k->head.mean;

    for (size_t i = 0; i < a->n; i++, before = mean, mean += D) {
        size_t fallen = fallen_by(a, i);
        if (!fallen) {
            memset(mean, 0, D * sizeof *mean);
            continue;
        }
        const float *v = value_at(a, a->kept + i - window);
        float by = fl_block_fallen_weight(a->b->shape, fallen);
        for (size_t c = 0; c < D; c++) {
            float old = fallen == 1 ? 0 : before[c];
            mean[c] = old + by * (v[c] - old);
        }
    }
}

static void put_padded(float *to, const float *from, size_t d, size_t dims)
{
    memcpy(to, from, d * sizeof *to);
    if (dims > d) memset(to + d, 0, (dims - d) * sizeof *to);
}

/* Queries, and keys and values of the list's own elements; turned where positions are rotary. */
static void take_elements(const list_at_hand *a, uint32_t head)
{
    const fl_head_room *h = &a->k->head;
    bool rotary = a->b->shape->positions == FL_POSITIONS_ROTARY;

    for (size_t i = 0; i < a->n; i++) {
        const float *row =
            a->k->qkv + (size_t)a->l->row[a->first + i] * 3 * a->D + (size_t)head * a->d;
        float *q = h->q + i * h->dims, *k = h->k + (a->kept + i) * h->dims;
        put_padded(q, row, a->d, h->dims);
        put_padded(k, row + a->D, a->d, h->dims);
        put_padded(h->v + (a->kept + i) * h->dims, row + 2 * a->D, a->d, h->dims);
        if (!rotary) continue;
        const float *turn = a->l->turn + (a->first + i) * (a->d / 2) * 2;
        fl_block_turn_head(q, turn, a->d / 2, false);
        fl_block_turn_head(k, turn, a->d / 2, false);
    }
}

static void turn_over(float *out, const float *rows, size_t keys, size_t dims, size_t across)
{
    for (size_t j = 0; j < keys; j++)
        for (size_t c = 0; c < dims; c++) out[c * across + j] = rows[j * dims + c];
}

/* Score and value of the history token. */
static void take_history(const list_at_hand *a, uint32_t head, float scale)
{
    const fl_head_room *h = &a->k->head;
    const float *key = a->b->w[FL_BLOCK_HISTORY_KEY] + (size_t)head * a->d,
                *value = a->b->w[FL_BLOCK_HISTORY_VALUE] + (size_t)head * a->d;

    for (size_t i = 0; i < a->n; i++) {
        const float *q =
            a->k->qkv + (size_t)a->l->row[a->first + i] * 3 * a->D + (size_t)head * a->d;
        float *to = h->beyond + i * h->dims;
        h->extra[i] = scale * a->b->ops->dot(q, key, a->d);
        put_padded(to, value, a->d, h->dims);
        a->b->ops->add(to, h->mean + i * a->D + (size_t)head * a->d, a->d);
    }
}

/* Everything that fl_attend reads of one head. */
static fl_attend take_head(const list_at_hand *a, uint32_t head)
{
    const fl_block_shape *s = a->b->shape;
    fl_head_room *h = &a->k->head;
    size_t keys = a->kept + a->n, W = s->window;
    fl_attend t = {.n = a->n,
                   .dims = h->dims,
                   .keys = keys,
                   .across = h->across,
                   .from = h->from,
                   .to = h->to,
                   .own = h->own,
                   .scale = 1.0f / sqrtf((float)a->d),
                   .q = h->q,
                   .k = h->k,
                   .v = h->v,
                   .kt = h->kt,
                   .vt = h->vt,
                   .o = h->o,
                   .p = h->p};

    for (size_t j = 0; j < a->kept; j++) {
        const float *k = a->memory + j * a->D + (size_t)head * a->d;
        put_padded(h->k + j * h->dims, k, a->d, h->dims);
        put_padded(h->v + j * h->dims, k + W * a->D, a->d, h->dims);
    }
    take_elements(a, head);
    turn_over(h->kt, h->k, keys, h->dims, h->across);
    if (a->b->w[FL_BLOCK_DISTANCE])
        t.distance = a->b->w[FL_BLOCK_DISTANCE] + head * (s->causal ? W : 2 * W - 1) + (W - 1);
    if (s->history) {
        take_history(a, head, t.scale);
        t.extra = h->extra;
        t.beyond = h->beyond;
    }
    return t;
}

/* ---- forward ---- */

/* The memory after the list: its last places, and the mean at its last element. */
static void keep_memory(const list_at_hand *a, float *memory)
{
    const fl_block_shape *s = a->b->shape;
    size_t W = s->window, D = a->D, stay = a->n < W ? W - a->n : 0;

    memmove(memory, memory + (W - stay) * D, stay * D * sizeof *memory);
    memmove(memory + W * D, memory + (2 * W - stay) * D, stay * D * sizeof *memory);
    for (size_t place = stay; place < W; place++) {
        size_t e = a->first + a->n - (W - place);
        const float *row = a->k->qkv + (size_t)a->l->row[e] * 3 * D;
        float *k = memory + place * D;
        memcpy(k, row + D, D * sizeof *k);
        memcpy(k + W * D, row + 2 * D, D * sizeof *k);
        if (s->positions == FL_POSITIONS_ROTARY)
            fl_block_turn(s, k, a->l->turn + e * (a->d / 2) * 2, false);
    }
    if (s->history)
        memcpy(memory + 2 * W * D, a->k->head.mean + (a->n - 1) * D, D * sizeof *memory);
}

void fl_block_attend(const fl_block *b, fl_block_work *k, const fl_block_lists *l)
{
    const fl_block_shape *s = b->shape;
    size_t floats = fl_block_memory(s), D = s->width;

    memset(k->mixed, 0, (size_t)l->rows * D * sizeof *k->mixed); /* rows of no list */
    for (uint32_t i = 0; i < l->lists; i++) {
        float *memory = l->memory ? l->memory + i * l->stride : NULL;
        if (memory && k->past) memcpy(k->past + i * floats, memory, floats * sizeof *memory);
        list_at_hand a = open_list(b, k, l, i, memory);
        if (!a.n) continue;
        set_ranges(&a);
        if (s->history) set_means(&a);
        for (uint32_t head = 0; head < s->heads; head++) {
            fl_attend t = take_head(&a, head);
            b->own->attend(&t);
            for (size_t e = 0; e < a.n; e++)
                memcpy(k->mixed + (size_t)l->row[a.first + e] * D + (size_t)head * a.d,
                       t.o + e * t.dims, a.d * sizeof(float));
        }
        if (memory) keep_memory(&a, memory);
    }
}

/* ---- backward ---- */

/* Gradients of a head's queries, keys and values into those of the rows; of what the memory holds, nowhere. */
static void give_elements(const list_at_hand *a, uint32_t head)
{
    const fl_head_room *h = &a->k->head;
    bool rotary = a->b->shape->positions == FL_POSITIONS_ROTARY;

    for (size_t i = 0; i < a->n; i++) {
        float *row = a->k->d_qkv + (size_t)a->l->row[a->first + i] * 3 * a->D + (size_t)head * a->d;
        float *q = h->d_q + i * h->dims, *k = h->d_k + (a->kept + i) * h->dims;
        if (rotary) {
            const float *turn = a->l->turn + (a->first + i) * (a->d / 2) * 2;
            fl_block_turn_head(q, turn, a->d / 2, true);
            fl_block_turn_head(k, turn, a->d / 2, true);
        }
        memcpy(row, q, a->d * sizeof *row);
        memcpy(row + a->D, k, a->d * sizeof *row);
        memcpy(row + 2 * a->D, h->d_v + (a->kept + i) * h->dims, a->d * sizeof *row);
    }
}

/* Gradients of the history token: its key, its learned value, and through the mean the values that fell out. After
 * give_elements. */
static void give_history(const list_at_hand *a, uint32_t head, float scale)
{
    const fl_head_room *h = &a->k->head;
    size_t at = (size_t)head * a->d, window = a->b->shape->window;
    const float *key = a->b->w[FL_BLOCK_HISTORY_KEY] + at;
    float *d_key = a->b->gradient[FL_BLOCK_HISTORY_KEY] + at,
          *d_value = a->b->gradient[FL_BLOCK_HISTORY_VALUE] + at, *d_mean = h->d_mean;
    const fl_train_ops *op = a->b->ops;

    memset(d_mean, 0, a->d * sizeof *d_mean);
    for (size_t i = a->n; i-- > 0;) {
        size_t row = (size_t)a->l->row[a->first + i] * 3 * a->D + at, fallen = fallen_by(a, i);
        op->axpy(a->k->d_qkv + row, scale * h->d_extra[i], key, a->d);
        op->axpy(d_key, scale * h->d_extra[i], a->k->qkv + row, a->d);
        op->add(d_value, h->d_beyond + i * h->dims, a->d);
        if (!fallen) { /* the mean was zero here: nothing goes further back */
            memset(d_mean, 0, a->d * sizeof *d_mean);
            continue;
        }
        op->add(d_mean, h->d_beyond + i * h->dims, a->d);
        float by = fl_block_fallen_weight(a->b->shape, fallen);
        if (i >= window) { /* else it is of the memory */
            size_t from = (size_t)a->l->row[a->first + i - window] * 3 * a->D + 2 * a->D + at;
            op->axpy(a->k->d_qkv + from, by, d_mean, a->d);
        }
        op->scale(d_mean, 1.0f - by, a->d);
    }
}

static void head_back(const list_at_hand *a, uint32_t head, const float *d_mixed)
{
    const fl_block_shape *s = a->b->shape;
    fl_head_room *h = &a->k->head;
    fl_attend t = take_head(a, head);
    size_t keys = t.keys, W = s->window;

    turn_over(h->vt, h->v, keys, h->dims, h->across);
    for (size_t i = 0; i < a->n; i++)
        put_padded(h->d_o + i * h->dims,
                   d_mixed + (size_t)a->l->row[a->first + i] * a->D + (size_t)head * a->d, a->d,
                   h->dims);
    memset(h->d_k, 0, keys * h->dims * sizeof(float));
    memset(h->d_v, 0, keys * h->dims * sizeof(float));
    t.d_o = h->d_o;
    t.d_q = h->d_q;
    t.d_k = h->d_k;
    t.d_v = h->d_v;
    t.d_p = h->d_p;
    t.d_extra = h->d_extra;
    t.d_beyond = h->d_beyond;
    if (t.distance)
        t.d_distance =
            a->b->gradient[FL_BLOCK_DISTANCE] + head * (s->causal ? W : 2 * W - 1) + (W - 1);
    a->b->own->attend_back(&t);
    give_elements(a, head);
    if (s->history) give_history(a, head, t.scale);
}

void fl_block_attend_back(const fl_block *b, fl_block_work *k, const fl_block_lists *l,
                          const float *d_mixed)
{
    const fl_block_shape *s = b->shape;
    size_t floats = fl_block_memory(s);

    memset(k->d_qkv, 0, (size_t)l->rows * 3 * s->width * sizeof *k->d_qkv);
    for (uint32_t i = 0; i < l->lists; i++) {
        list_at_hand a = open_list(b, k, l, i, l->memory ? k->past + i * floats : NULL);
        if (!a.n) continue;
        set_ranges(&a);
        if (s->history) set_means(&a);
        for (uint32_t head = 0; head < s->heads; head++) head_back(&a, head, d_mixed);
    }
}
