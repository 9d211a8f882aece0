/* The causal transformer behind the backbone's interface, one event at a time: the block of kernels/block.h over a ring of
 * the last `window` keys and values, which is the entity's memory. With `int8` each head's key or value is rounded once, when
 * its event comes, to 8 bits times a unit of its own. Invariant: sums and products are those of training but for the order of
 * sums and for these roundings. */
#include "model/internal.h"
#include <math.h>

/* One layer's part of a memory. */
typedef struct {
    float *mean;            /* [width] of the values that fell out; NULL: no history token */
    float *k, *v;           /* [window][width] */
    int8_t *k8, *v8;        /* or these, with */
    float *k_unit, *v_unit; /* [window][heads] */
} ring;

enum { FRONT = 16 }; /* bytes before the first layer's: the number of events */

static size_t ring_bytes(const fl_network *n)
{
    const fl_block_shape *s = &n->block;
    size_t all = (size_t)s->window * s->width, mean = s->history ? s->width * sizeof(float) : 0,
           bytes = n->int8 ? 2 * (all + (size_t)s->window * s->heads * sizeof(float))
                           : 2 * all * sizeof(float);

    return (mean + bytes + 15) / 16 * 16;
}

static ring ring_of(const fl_network *n, void *memory, uint32_t layer)
{
    const fl_block_shape *s = &n->block;
    size_t all = (size_t)s->window * s->width, units = (size_t)s->window * s->heads;
    float *at = (float *)(void *)((char *)memory + FRONT + layer * ring_bytes(n));
    ring r = {0};

    if (s->history) {
        r.mean = at;
        at += s->width;
    }
    if (n->int8) {
        r.k_unit = at;
        r.v_unit = at + units;
        r.k8 = (int8_t *)(void *)(at + 2 * units);
        r.v8 = r.k8 + all;
    } else {
        r.k = at;
        r.v = at + all;
    }
    return r;
}

static size_t memory(const fl_network *n)
{
    return FRONT + n->layers * ring_bytes(n);
}

static uint32_t input(const fl_network *n)
{
    return n->block.width;
}

static uint32_t own(const fl_network *n)
{
    (void)n;
    return 0;
}

/* ---- parameters ---- */

static fl_init init_of(fl_block_parameter p)
{
    switch (p) {
    case FL_BLOCK_NORM1_GAIN:
    case FL_BLOCK_NORM2_GAIN: return FL_INIT_ONE;
    case FL_BLOCK_QKV:
    case FL_BLOCK_UP: return FL_INIT_MATRIX;
    case FL_BLOCK_OUT:
    case FL_BLOCK_DOWN: return FL_INIT_RESIDUAL;
    default: return FL_INIT_ZERO;
    }
}

static void parameters(const fl_network *n, fl_parameter *list, uint32_t *count)
{
    const fl_block_shape *s = &n->block;
    const char *name;
    size_t rows, cols;

    fl_parameter_add(list, count, n->d, s->width, FL_INIT_MATRIX, true, "transformer.wx");
    fl_parameter_add(list, count, 1, s->width, FL_INIT_ZERO, false, "transformer.bx");
    for (uint32_t l = 0; l < n->layers; l++)
        for (int p = 0; p < FL_BLOCK_PARAMETERS; p++)
            if (fl_block_has(s, (fl_block_parameter)p, &name, &rows, &cols))
                fl_parameter_add(list, count, rows, cols, init_of((fl_block_parameter)p), rows > 1,
                                 "transformer.%u.%s", l, name);
    if (s->pre_norm)
        fl_parameter_add(list, count, 1, s->width, FL_INIT_ONE, false, "transformer.norm.gain");
    if (s->pre_norm && s->bias)
        fl_parameter_add(list, count, 1, s->width, FL_INIT_ZERO, false, "transformer.norm.bias");
    fl_parameter_add(list, count, s->width, n->h, FL_INIT_MATRIX, true, "transformer.out.w");
    fl_parameter_add(list, count, 1, n->h, FL_INIT_ZERO, false, "transformer.out.b");
}

const char *fl_network_stack_wrong(uint32_t layers, const fl_block_shape *s)
{
    if (!layers || layers > FL_LAYERS_MAX) return "layers must be 1 to 8";
    if (s->width > FL_STACK_WIDTH_MAX) return "width must be 1 to 512";
    if (s->heads > FL_STACK_HEADS_MAX) return "heads must be 1 to 16";
    if (!s->window || s->window > FL_CONTEXT_MAX) return "context must be 1 to 512";
    if (s->inner > 4 * FL_STACK_WIDTH_MAX) return "inner must be 1 to 2048";
    if (!s->causal) return "blocks of a history must be causal";
    return fl_block_wrong(s);
}

static void load(fl_loader *l)
{
    const fl_network *n = l->m->network;
    fl_stack_weights *s = l->m->stack = fl_calloc(1, sizeof *s);
    const char *name;
    size_t rows, cols;

    if (!s) {
        l->st = fl_fail(l->err, FLORIN_ENOMEM, "model: out of memory for weights");
        return;
    }
    s->ops = fl_block_ops_get(l->m->kernels->tier);
    for (uint32_t i = 0; i < n->layers; i++) {
        for (int p = 0; p < FL_BLOCK_PARAMETERS; p++)
            if (fl_block_has(&n->block, (fl_block_parameter)p, &name, &rows, &cols))
                s->block[i].w[p] = fl_load(l, "transformer.%u.%s", i, name);
        for (int k = 0; k < FL_STACK_MATRICES && !l->st; k++) {
            fl_block_has(&n->block, fl_block_matrix[k], &name, &rows, &cols);
            s->block[i].matrix[k] = fl_load_packed(l, s->block[i].w[fl_block_matrix[k]],
                                                   (uint32_t)rows, (uint32_t)cols);
        }
    }
    if (n->block.pre_norm) s->gain = fl_load(l, "transformer.norm.gain");
    if (n->block.pre_norm && n->block.bias) s->bias = fl_load(l, "transformer.norm.bias");
    s->out = fl_load_packed(l, fl_load(l, "transformer.out.w"), n->block.width, n->h);
    s->out_b = fl_load(l, "transformer.out.b");
}

/* ---- one event ---- */

/* A row of the ring, each head in 8 bits of its own unit. */
static void put8(int8_t *to, float *unit, const float *from, size_t heads, size_t d)
{
    for (size_t h = 0; h < heads; h++, to += d, from += d) {
        float top = 0, by;
        for (size_t c = 0; c < d; c++) top = fabsf(from[c]) > top ? fabsf(from[c]) : top;
        unit[h] = top / 127.0f;
        by = top > 0 ? 127.0f / top : 0;
        for (size_t c = 0; c < d; c++) to[c] = (int8_t)lrintf(from[c] * by);
    }
}

/* The value at `place` falls out. */
static void let_fall(const fl_block_shape *s, const ring *r, size_t place, size_t fallen)
{
    float by = fl_block_fallen_weight(s, fallen);
    size_t d = s->width / s->heads;

    for (size_t c = 0; c < s->width; c++) {
        float v = r->v ? r->v[place * s->width + c]
                       : (float)r->v8[place * s->width + c] * r->v_unit[place * s->heads + c / d];
        r->mean[c] += by * (v - r->mean[c]);
    }
}

/* Keys and values of the event at hand take the oldest one's place. */
static void put(const fl_network *n, const ring *r, size_t place, const float *k, const float *v)
{
    const fl_block_shape *s = &n->block;
    size_t at = place * s->width, d = s->width / s->heads;

    if (n->int8) {
        put8(r->k8 + at, r->k_unit + place * s->heads, k, s->heads, d);
        put8(r->v8 + at, r->v_unit + place * s->heads, v, s->heads, d);
    } else {
        memcpy(r->k + at, k, s->width * sizeof *k);
        memcpy(r->v + at, v, s->width * sizeof *v);
    }
}

/* out [width]: what attention of layer i gives for qkv [3 * width], and the ring moved on. turn: of this event. */
static void attend(const fl_model *m, uint32_t i, const ring *r, uint32_t events, float *qkv,
                   const float *turn, float *out)
{
    const fl_network *n = m->network;
    const fl_block_shape *s = &n->block;
    const float *const *w = m->stack->block[i].w;
    size_t W = s->window, D = s->width, d = D / s->heads, place = events % W;
    float extra[FL_STACK_HEADS_MAX], beyond[FL_STACK_WIDTH_MAX], row[FL_STACK_WIDTH_MAX],
        p[FL_STACK_HEADS_MAX * FL_CONTEXT_MAX];
    fl_attend_ring a = {.width = D,
                        .heads = s->heads,
                        .window = W,
                        .used = events < W ? events + 1 : W,
                        .newest = place,
                        .scale = 1.0f / sqrtf((float)d),
                        .q = qkv,
                        .k = r->k,
                        .v = r->v,
                        .k8 = r->k8,
                        .v8 = r->v8,
                        .k_unit = r->k_unit,
                        .v_unit = r->v_unit,
                        .distance = w[FL_BLOCK_DISTANCE],
                        .p = p,
                        .row = row,
                        .o = out};

    if (s->history) {
        if (events >= W) let_fall(s, r, place, events - W + 1);
        for (uint32_t h = 0; h < s->heads; h++)
            extra[h] = a.scale *
                       m->kernels->dot(qkv + h * d, w[FL_BLOCK_HISTORY_KEY] + h * d, (uint32_t)d);
        for (size_t c = 0; c < D; c++) beyond[c] = w[FL_BLOCK_HISTORY_VALUE][c] + r->mean[c];
        a.extra = extra;
        a.beyond = beyond;
    }
    if (s->positions == FL_POSITIONS_ROTARY) {
        fl_block_turn(s, qkv, turn, false);
        fl_block_turn(s, qkv + D, turn, false);
    }
    put(n, r, place, qkv + D, qkv + 2 * D);
    m->stack->ops->attend_ring(&a);
}

static void norm(const fl_model *m, float *y, const float *x, const float *gain, const float *bias)
{
    const fl_block_shape *s = &m->network->block;
    float stat[2];

    m->stack->ops->norm(y, stat, x, gain, bias, s->epsilon, 1, s->width);
}

/* x [width] through layer i. */
static void through_block(const fl_model *m, uint32_t i, const ring *r, uint32_t events,
                          const float *turn, float *x)
{
    const fl_block_shape *s = &m->network->block;
    const float *const *w = m->stack->block[i].w;
    const fl_packed *matrix = m->stack->block[i].matrix;
    const fl_kernels *k = m->kernels;
    float a[FL_STACK_WIDTH_MAX], mixed[FL_STACK_WIDTH_MAX], wide[4 * FL_STACK_WIDTH_MAX],
        act[4 * FL_STACK_WIDTH_MAX];
    bool pre = s->pre_norm;

    if (pre) norm(m, a, x, w[FL_BLOCK_NORM1_GAIN], w[FL_BLOCK_NORM1_BIAS]);
    k->linear(wide, 0, pre ? a : x, 0, 1, &matrix[0], w[FL_BLOCK_QKV_BIAS]);
    attend(m, i, r, events, wide, turn, mixed);
    k->linear(a, 0, mixed, 0, 1, &matrix[1], w[FL_BLOCK_OUT_BIAS]);
    k->add(x, a, s->width);
    if (!pre) norm(m, x, x, w[FL_BLOCK_NORM1_GAIN], w[FL_BLOCK_NORM1_BIAS]);
    if (pre) norm(m, a, x, w[FL_BLOCK_NORM2_GAIN], w[FL_BLOCK_NORM2_BIAS]);
    k->linear(wide, 0, pre ? a : x, 0, 1, &matrix[2], w[FL_BLOCK_UP_BIAS]);
    m->stack->ops->gelu(act, wide, NULL, 1, s->inner);
    k->linear(a, 0, act, 0, 1, &matrix[3], w[FL_BLOCK_DOWN_BIAS]);
    k->add(x, a, s->width);
    if (!pre) norm(m, x, x, w[FL_BLOCK_NORM2_GAIN], w[FL_BLOCK_NORM2_BIAS]);
}

static void advance(const fl_model *m, float *h, void *memory_of, const float *gx,
                    const float *none)
{
    const fl_network *n = m->network;
    const fl_stack_weights *s = m->stack;
    float x[FL_STACK_WIDTH_MAX], turn[FL_STACK_WIDTH_MAX];
    uint32_t events;

    (void)none;
    memcpy(&events, memory_of, sizeof events);
    memcpy(x, gx, n->block.width * sizeof *x);
    if (n->block.positions == FL_POSITIONS_ROTARY) fl_block_turns(&n->block, &events, 1, turn);
    for (uint32_t i = 0; i < n->layers; i++) {
        ring r = ring_of(n, memory_of, i);
        through_block(m, i, &r, events, turn, x);
    }
    if (s->gain) norm(m, x, x, s->gain, s->bias);
    m->kernels->linear(h, 0, x, 0, 1, &s->out, NULL);
    s->ops->tanh(h, s->out_b, 1, n->h);
    events += events < UINT32_MAX - 1;
    memcpy(memory_of, &events, sizeof events);
}

/* ---- a memory from a file ---- */

static bool sound(const fl_network *n, const void *memory_of)
{
    const fl_block_shape *s = &n->block;
    size_t all = (size_t)s->window * s->width, units = (size_t)s->window * s->heads;

    for (uint32_t i = 0; i < n->layers; i++) {
        ring r = ring_of(n, (void *)(uintptr_t)memory_of, i);
        if (r.mean && !fl_state_sound(r.mean, s->width)) return false;
        if (r.k && (!fl_state_sound(r.k, all) || !fl_state_sound(r.v, all))) return false;
        if (r.k_unit && (!fl_state_sound(r.k_unit, units) || !fl_state_sound(r.v_unit, units)))
            return false;
    }
    return true;
}

const fl_backbone fl_backbone_transformer = {.name = "transformer",
                                             .input = input,
                                             .own = own,
                                             .memory = memory,
                                             .parameters = parameters,
                                             .load = load,
                                             .advance = advance,
                                             .sound = sound};
