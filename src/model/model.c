/* Opening a model: schema, fold plan and network out of the model file, weights checked and packed once, and the
 * names of a row's columns. Read-only afterwards, so shared by threads. */
#include "model/internal.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Far above any trained weight; keeps every sum of products finite. */
#define WEIGHT_LIMIT 1e4f

static const char *const stream_name[FL_STREAMS] = {"payer", "payee"};

/* ---- weights ---- */

enum { PACKED_MAX = 6 + FL_STREAMS + FL_LAYERS_MAX * FL_STACK_MATRICES };

const float *fl_load(fl_loader *l, const char *format, ...)
{
    char name[96];
    va_list arguments;
    const fl_tensor *t = NULL;

    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    for (uint32_t i = 0; i < l->count && !l->st; i++) {
        if (strcmp(l->list[i].name, name) != 0) continue;
        size_t dim[2] = {l->list[i].rows, l->list[i].cols}, n = dim[0] * dim[1];
        l->st = fl_model_file_get(l->m->file, name, FL_F32, 2, dim, &t, l->err);
        if (l->st) return NULL;
        const float *w = t->data;
        for (size_t k = 0; k < n; k++)
            if (!(fabsf(w[k]) < WEIGHT_LIMIT)) {
                l->st = fl_fail(l->err, FLORIN_EFORMAT,
                                "%s: tensor %s: weight %zu is not a usable number",
                                fl_model_file_path(l->m->file), name, k);
                return NULL;
            }
        return w;
    }
    if (!l->st)
        l->st =
            fl_fail(l->err, FLORIN_EINTERNAL, "parameter %s is not in the network's list", name);
    return NULL;
}

fl_packed fl_load_packed(fl_loader *l, const float *w, uint32_t in, uint32_t out)
{
    fl_packed p = {0};

    if (l->st) return p;
    p = l->m->network->int8 ? l->m->kernels->pack8(w, in, out) : l->m->kernels->pack(w, in, out);
    if (!p.data) l->st = fl_fail(l->err, FLORIN_ENOMEM, "model: out of memory for weights");
    return p;
}

/* [H][logits]: the transposed tables of the heads, side by side. */
static void load_heads(fl_loader *l, int s, const float **w, const float **b)
{
    fl_model *m = l->m;
    fl_stream_weights *sw = &m->stream[s];
    size_t H = m->network->h, all = sw->logits;
    float *joined = fl_alloc(H * all, sizeof *joined);

    sw->bias = fl_alloc(all, sizeof *sw->bias);
    if (!joined || !sw->bias) {
        l->st = fl_fail(l->err, FLORIN_ENOMEM, "model: out of memory for weights");
        free(joined);
        return;
    }
    for (uint32_t t = 0; t < m->targets; t++) {
        size_t first = sw->head[t].logit, n = sw->head[t].width;
        memcpy(sw->bias + first, b[t], n * sizeof *sw->bias);
        for (size_t k = 0; k < H; k++)
            for (size_t i = 0; i < n; i++) joined[k * all + first + i] = w[t][i * H + k];
        if (!m->network->copy) continue;
        size_t gate = sw->gate + t;
        sw->bias[gate] = *sw->gate_b[t];
        for (size_t k = 0; k < H; k++) joined[k * all + gate] = sw->gate_w[t][k];
    }
    sw->heads = fl_load_packed(l, joined, (uint32_t)H, (uint32_t)all);
    free(joined);
}

static void load_stream(fl_loader *l, int s)
{
    fl_model *m = l->m;
    const fl_network *n = m->network;
    fl_stream_weights *sw = &m->stream[s];
    const char *name = stream_name[s];
    const float *w[FL_TARGETS_MAX], *b[FL_TARGETS_MAX];

    sw->dt_table = fl_load(l, "%s.dt.table", name);
    sw->dt_w = fl_load(l, "%s.dt.w", name);
    for (uint32_t t = 0; t < m->targets; t++) {
        const fl_target *target = &m->target[t];
        fl_head_weights *head = &sw->head[t];
        w[t] = fl_load(l, "%s.head.%s.w", name, target->name);
        b[t] = fl_load(l, "%s.head.%s.b", name, target->name);
        head->logit = sw->logits;
        head->width = target->tokens;
        if (target->group) {
            head->member = w[t];
            head->bias = b[t];
            head->width = fl_target_clusters(target);
            w[t] = fl_load(l, "%s.head.%s.cw", name, target->name);
            b[t] = fl_load(l, "%s.head.%s.cb", name, target->name);
        }
        sw->logits += head->width;
        if (!n->copy) continue;
        sw->gate_w[t] = fl_load(l, "%s.head.%s.gw", name, target->name);
        sw->gate_b[t] = fl_load(l, "%s.head.%s.gb", name, target->name);
    }
    sw->gate = sw->logits;
    if (n->copy) sw->logits += m->targets;
    if (l->st) return;
    load_heads(l, s, w, b);
}

static uint32_t packed_weights(fl_model *m, fl_packed *out[])
{
    fl_packed *const all[] = {&m->num_w, &m->mlp_w1,          &m->mlp_w2,         &m->wx,
                              &m->wh,    &m->stream[0].heads, &m->stream[1].heads};
    uint32_t n = 0;

    for (size_t i = 0; i < FL_LEN(all); i++)
        if (all[i]->data) out[n++] = all[i];
    for (uint32_t l = 0; m->stack && l < m->network->layers; l++)
        for (int i = 0; i < FL_STACK_MATRICES; i++)
            if (m->stack->block[l].matrix[i].data) out[n++] = &m->stack->block[l].matrix[i];
    if (m->stack && m->stack->out.data) out[n++] = &m->stack->out;
    return n;
}

/* All packed weights move into one block in the order of an event's use: where caches are cold, an event then pays for one
 * huge page, not for a page walk every 4 KiB. */
static void gather(fl_loader *l)
{
    enum { HUGE = 4 << 20, LINE = 64 };
    fl_packed *each[PACKED_MAX];
    uint32_t n = packed_weights(l->m, each);
    size_t total = 0;

    if (l->st) return;
    for (uint32_t i = 0; i < n; i++) total += (each[i]->bytes + LINE - 1) / LINE * LINE;
    l->m->block = fl_alloc_aligned(total < HUGE ? HUGE : total, 1);
    if (!l->m->block) {
        l->st = fl_fail(l->err, FLORIN_ENOMEM, "model: out of memory for weights");
        return;
    }
    uint8_t *to = l->m->block;
    for (uint32_t i = 0; i < n; i++) {
        fl_packed *p = each[i];
        memcpy(to, p->data, p->bytes);
        if (p->scale) p->scale = (float *)(void *)(to + ((uint8_t *)p->scale - (uint8_t *)p->data));
        free(p->data);
        p->data = to;
        to += (p->bytes + LINE - 1) / LINE * LINE;
    }
}

static florin_status load_weights(fl_model *m, florin_error *err)
{
    const fl_network *n = m->network;
    fl_parameter *list = fl_alloc(FL_PARAMETERS_MAX, sizeof *list);

    if (!list) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    fl_loader l = {.m = m, .list = list, .count = fl_network_parameters(n, list), .err = err};
    for (uint32_t i = 0; i < n->categories; i++)
        m->category_table[i] = fl_load(&l, "cat.%s.table", n->name[i]);
    m->type_table = fl_load(&l, "type.table");
    m->amount_table = fl_load(&l, "amount.table");
    m->hour_table = fl_load(&l, "hour.table");
    m->weekday_table = fl_load(&l, "weekday.table");
    m->day_table = fl_load(&l, "day.table");
    m->num_w = fl_load_packed(&l, fl_load(&l, "num.w"), fl_network_numbers(n), n->d);
    m->num_b = fl_load(&l, "num.b");
    m->mlp_w1 = fl_load_packed(&l, fl_load(&l, "mlp.w1"), n->d, 2 * n->d);
    m->mlp_b1 = fl_load(&l, "mlp.b1");
    m->mlp_w2 = fl_load_packed(&l, fl_load(&l, "mlp.w2"), 2 * n->d, n->d);
    m->mlp_b2 = fl_load(&l, "mlp.b2");
    const fl_backbone *b = n->backbone;
    m->wx = fl_load_packed(&l, fl_load(&l, "%s.wx", b->name), n->d, b->input(n));
    m->bx = fl_load(&l, "%s.bx", b->name);
    if (b->own(n)) {
        m->wh = fl_load_packed(&l, fl_load(&l, "%s.wh", b->name), n->h, b->own(n));
        m->bh = fl_load(&l, "%s.bh", b->name);
    }
    if (b->load && !l.st) b->load(&l);
    for (int s = 0; s < FL_STREAMS && !l.st; s++)
        if (n->stream[s]) load_stream(&l, s);
    gather(&l);
    free(list);
    return l.st;
}

/* ---- columns ---- */

static florin_status set_name(fl_model *m, uint32_t column, const char *format, ...)
    FL_PRINTF(3, 4);
static florin_status set_name(fl_model *m, uint32_t column, const char *format, ...)
{
    char text[192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    m->name[column] = fl_arena_strdup(m->arena, text);
    return m->name[column] ? FLORIN_OK : FLORIN_ENOMEM;
}

static florin_status name_columns(fl_model *m, florin_error *err)
{
    uint32_t H = m->network ? m->network->h : 0, c = 0, bad = 0;

    m->features = fl_fold_features(m->plan);
    m->surprise = m->features;
    m->tail = m->surprise + m->streams * m->targets;
    m->embedding = m->tail + m->streams * 2;
    m->width = m->embedding + m->streams * H;
    m->name = fl_arena_alloc(m->arena, m->width * sizeof *m->name);
    if (!m->name) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    for (uint32_t i = 0; i < m->features; i++)
        bad |= set_name(m, c++, "fold:%s", fl_fold_feature_at(m->plan, i)->name);
    for (int s = 0; s < FL_STREAMS && m->network; s++)
        for (uint32_t t = 0; t < m->targets && m->network->stream[s]; t++)
            bad |= set_name(m, c++, "surprise:%s.%s", stream_name[s], m->target[t].name);
    for (int s = 0; s < FL_STREAMS && m->network; s++) {
        if (!m->network->stream[s]) continue;
        bad |= set_name(m, c++, "tail:%s.amount", stream_name[s]);
        bad |= set_name(m, c++, "tail:%s.gap", stream_name[s]);
    }
    for (int s = 0; s < FL_STREAMS && m->network; s++)
        for (uint32_t i = 0; i < H && m->network->stream[s]; i++)
            bad |= set_name(m, c++, "embedding:%s.%u", stream_name[s], i);
    return bad ? fl_fail(err, FLORIN_ENOMEM, "model: out of memory") : FLORIN_OK;
}

/* ---- open ---- */

static florin_status read_network(fl_model *m, const json_t *j, florin_error *err)
{
    florin_status st = fl_network_from_json(&m->network, m->schema, j, err);

    if (st) return st;
    if (m->network->features != fl_fold_features(m->plan))
        return fl_fail(err, FLORIN_EFORMAT,
                       "network reads %u fold features, this program computes %u",
                       m->network->features, fl_fold_features(m->plan));
    m->targets = fl_network_targets(m->network, m->target);
    for (int s = 0; s < FL_STREAMS; s++) m->streams += m->network->stream[s];
    if (!m->streams)
        return fl_fail(err, FLORIN_EFORMAT, "network: schema has neither payer nor payee");
    while (m->zero_bin < FL_AMOUNT_BINS - 1 && m->network->amount_edge[m->zero_bin] <= 0)
        m->zero_bin++;
    return load_weights(m, err);
}

static florin_status read_model(fl_model *m, florin_error *err)
{
    const json_t *j = fl_model_file_json(m->file), *part;
    const char *path = fl_model_file_path(m->file);
    florin_status st;

    part = json_object_get(j, "schema");
    if (!part) return fl_fail(err, FLORIN_EFORMAT, "%s: model has no schema", path);
    st = fl_schema_from_json(&m->schema, part, path, err);
    if (st) return st;
    part = json_object_get(j, "fold");
    if (!part) return fl_fail(err, FLORIN_EFORMAT, "%s: model has no fold plan", path);
    st = fl_fold_plan_from_json(&m->plan, m->schema, part, err);
    if (st) return fl_fail_prefix(err, "%s", path);
    m->until_us = fl_json_int(json_object_get(j, "trained"), "until_us", INT64_MIN);
    part = json_object_get(j, "network");
    if (json_is_object(part)) {
        st = read_network(m, part, err);
        if (st) return fl_fail_prefix(err, "%s", path);
    }
    m->arena = fl_arena_new(1 << 14);
    if (!m->arena) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    return name_columns(m, err);
}

florin_status fl_model_open_file(fl_model **out, fl_model_file *file, const char *tier,
                                 florin_error *err)
{
    const fl_kernels *kernels = fl_kernels_get(tier);
    fl_model *m = fl_calloc(1, sizeof *m);
    florin_status st;

    *out = NULL;
    if (!m) {
        fl_model_file_close(file);
        return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    }
    m->file = file;
    m->kernels = kernels;
    if (!kernels)
        st = fl_fail(err, FLORIN_EUSAGE,
                     "kernel tier %s is unknown or this CPU lacks it; there are ref, avx2, avx512",
                     tier);
    else st = read_model(m, err);
    if (st) {
        fl_model_close(m);
        return st;
    }
    *out = m;
    return FLORIN_OK;
}

florin_status fl_model_open(fl_model **out, const char *path, const char *tier, florin_error *err)
{
    fl_model_file *file;

    *out = NULL;
    florin_status st = fl_model_file_open(&file, path, err);
    return st ? st : fl_model_open_file(out, file, tier, err);
}

void fl_model_close(fl_model *m)
{
    fl_packed *each[PACKED_MAX];

    if (!m) return;
    uint32_t packed = m->block ? 0 : packed_weights(m, each); /* else they lie in it */
    for (uint32_t i = 0; i < packed; i++) fl_packed_free(each[i]);
    free(m->block);
    free(m->stack);
    for (int s = 0; s < FL_STREAMS; s++) free(m->stream[s].bias);
    fl_arena_free(m->arena);
    fl_network_free(m->network);
    fl_fold_plan_free(m->plan);
    fl_schema_free(m->schema);
    fl_model_file_close(m->file);
    free(m);
}

/* ---- what it is ---- */

const fl_model_file *fl_model_source(const fl_model *m)
{
    return m->file;
}

const fl_schema *fl_model_schema(const fl_model *m)
{
    return m->schema;
}

const fl_fold_plan *fl_model_plan(const fl_model *m)
{
    return m->plan;
}

const fl_network *fl_model_network(const fl_model *m)
{
    return m->network;
}

const fl_kernels *fl_model_kernels(const fl_model *m)
{
    return m->kernels;
}

int64_t fl_model_until(const fl_model *m)
{
    return m->until_us;
}

size_t fl_model_state_bytes(const fl_model *m)
{
    size_t n = sizeof(fl_state);

    if (m->network) n += fl_state_memory_at(m) + m->network->backbone->memory(m->network);
    return (n + 63) / 64 * 64;
}

void fl_model_state_get(const fl_model *m, const fl_state *state, float *out, uint32_t n)
{
    const void *body = state->body;

    if (m->network->int8) m->kernels->from8(out, body, n);
    else memcpy(out, body, n * sizeof *out);
}

void fl_state_put(const fl_model *m, fl_state *state, const float *h)
{
    uint32_t n = m->network->h;

    if (m->network->int8) m->kernels->to8((int8_t *)(void *)state->body, h, state->events, n);
    else memcpy(state->body, h, n * sizeof *h);
}

/* A GRU's state lies within 1, a transformer's is a normed output: far above it, products leave the range of numbers. */
static const float STATE_LIMIT = 1e6f;

bool fl_state_sound(const void *floats, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, (const uint8_t *)floats + i * sizeof x, sizeof x);
        if (!(fabsf(x) <= STATE_LIMIT)) return false;
    }
    return true;
}

bool fl_model_state_sound(const fl_model *m, const fl_state *state)
{
    const fl_network *n = m->network;

    if (!n) return true;
    return fl_state_sound(state->body, n->int8 ? 0 : n->h) &&
           (!n->backbone->sound || n->backbone->sound(n, state->body + fl_state_memory_at(m)));
}

int fl_model_stream_kind(const fl_model *m, int stream)
{
    if (!m->network || !m->network->stream[stream]) return -1;
    return fl_schema_role(m->schema, stream ? FL_ROLE_PAYEE : FL_ROLE_PAYER);
}

static bool kind_has_stream(const fl_model *m, int kind)
{
    return fl_model_stream_kind(m, 0) == kind || fl_model_stream_kind(m, 1) == kind;
}

uint32_t fl_model_entity_width(const fl_model *m, int kind)
{
    uint32_t h = kind_has_stream(m, kind) ? m->network->h : 0;

    return fl_fold_read_features(m->plan, kind) + h + 1;
}

void fl_model_entity_row(const fl_model *m, int kind, const fl_fold_record *rec,
                         const fl_state *state, int64_t last_us, int64_t at_us, float *out)
{
    fl_fold_read(m->plan, kind, rec, at_us, out);
    out += fl_fold_read_features(m->plan, kind);
    if (kind_has_stream(m, kind)) {
        fl_model_state_get(m, state, out, m->network->h);
        out += m->network->h;
    }
    if (last_us == INT64_MIN) *out = -1;
    else *out = at_us > last_us ? (float)log1p((double)(at_us - last_us) / (double)FL_DAY_US) : 0;
}

uint32_t fl_model_row_width(const fl_model *m)
{
    return m->width;
}

uint32_t fl_model_row_surprise(const fl_model *m)
{
    return m->surprise;
}

uint32_t fl_model_row_tail(const fl_model *m)
{
    return m->tail;
}

uint32_t fl_model_row_embedding(const fl_model *m)
{
    return m->embedding;
}

const char *fl_model_row_name(const fl_model *m, uint32_t column)
{
    assert(column < m->width);
    return m->name[column];
}

uint32_t fl_model_targets(const fl_model *m)
{
    return m->targets;
}

const fl_target *fl_model_target(const fl_model *m, uint32_t t)
{
    assert(t < m->targets);
    return &m->target[t];
}
