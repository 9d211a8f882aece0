/* Many events through the network at once. Events that share no entity go through a product together; an entity's own
 * events go one wave after the other. Bit for bit the same as infer.c, since a kernel's row depends on no other. */
#include "model/internal.h"
#include <assert.h>

enum {
    ROWS = 48, /* that go through a product together: what they write stays in the second cache */
    PARTS = 10
};

struct fl_model_batch {
    uint32_t max, rows; /* rows: ROWS, or max if that is less */
    size_t slots;       /* power of two, of last */
    fl_tokens *tokens;
    uint32_t *wave;  /* [max] of the stream at hand */
    uint32_t *order; /* [max] events of one wave */
    struct {
        const fl_state *state;
        uint32_t event;
    } * last; /* [slots] latest event of a state, while waves are dealt */
    float *block;
    float *encoded;                 /* [max][D] */
    float *numbers, *hidden, *more; /* [rows][U], [rows][2D], [rows][D] */
    float *h, *gh, *logits;         /* [rows][H], [rows][own], [rows][logits] */
    float *x, *gx, *member;         /* [rows][D], [rows][input] */
    size_t logits_width;
};

/* What is asked of a batch. */
typedef struct {
    int stream;  /* -1: all */
    bool states; /* alone: nothing is judged */
} wanted;

static florin_status make_block(fl_model_batch *b, const fl_model *m, florin_error *err)
{
    const fl_network *n = m->network;
    size_t D = n->d, total = 0, rows = b->rows;

    for (int s = 0; s < FL_STREAMS; s++)
        if (m->stream[s].logits > b->logits_width) b->logits_width = m->stream[s].logits;
    struct {
        float **at;
        size_t size;
    } part[PARTS] = {{&b->encoded, b->max * D},
                     {&b->numbers, rows * fl_network_numbers(n)},
                     {&b->hidden, rows * 2 * D},
                     {&b->more, rows * D},
                     {&b->h, rows * n->h},
                     {&b->gh, rows * n->backbone->own(n)},
                     {&b->logits, rows * b->logits_width},
                     {&b->x, rows * D},
                     {&b->gx, rows * n->backbone->input(n)},
                     {&b->member, fl_judge_member_size(m)}};
    for (int i = 0; i < PARTS; i++) total += (part[i].size + 15) / 16 * 16;
    b->block = fl_alloc_aligned(total, sizeof *b->block);
    if (!b->block) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory for a batch");
    total = 0;
    for (int i = 0; i < PARTS; i++) {
        *part[i].at = b->block + total;
        total += (part[i].size + 15) / 16 * 16;
    }
    return FLORIN_OK;
}

florin_status fl_model_batch_new(fl_model_batch **out, const fl_model *m, uint32_t max,
                                 florin_error *err)
{
    fl_model_batch *b = fl_calloc(1, sizeof *b);
    florin_status st = FLORIN_OK;

    *out = NULL;
    if (!b || !max || max > 1 << 16) {
        free(b);
        return fl_fail(err, FLORIN_ENOMEM, "model: no batch of %u events", max);
    }
    b->max = max;
    b->rows = max < ROWS ? max : ROWS;
    for (b->slots = 4; b->slots < 2 * (size_t)max; b->slots *= 2) continue;
    b->tokens = fl_calloc(max, sizeof *b->tokens);
    b->wave = fl_calloc(max, sizeof *b->wave);
    b->order = fl_calloc(max, sizeof *b->order);
    b->last = fl_calloc(b->slots, sizeof *b->last);
    if (!b->tokens || !b->wave || !b->order || !b->last)
        st = fl_fail(err, FLORIN_ENOMEM, "model: out of memory for a batch");
    if (!st && m->network) st = make_block(b, m, err);
    if (st) {
        fl_model_batch_free(b);
        return st;
    }
    *out = b;
    return FLORIN_OK;
}

void fl_model_batch_free(fl_model_batch *b)
{
    if (!b) return;
    free(b->tokens);
    free(b->wave);
    free(b->order);
    free(b->last);
    free(b->block);
    free(b);
}

/* Wave of each event: how many earlier events of the batch have the same state. Returns the number of waves. */
static uint32_t deal_waves(fl_model_batch *b, const fl_model_item *items, uint32_t n, int stream)
{
    uint32_t waves = 0;

    memset(b->last, 0, b->slots * sizeof *b->last);
    for (uint32_t i = 0; i < n; i++) {
        const fl_state *state = items[i].state[stream];
        b->wave[i] = UINT32_MAX;
        if (!state) continue;
        size_t slot = fl_mix64((uintptr_t)state) & (b->slots - 1);
        while (b->last[slot].state && b->last[slot].state != state)
            slot = (slot + 1) & (b->slots - 1);
        b->wave[i] = b->last[slot].state ? b->wave[b->last[slot].event] + 1 : 0;
        b->last[slot].state = state;
        b->last[slot].event = i;
        if (b->wave[i] + 1 > waves) waves = b->wave[i] + 1;
    }
    return waves;
}

/* x of some events. */
static void inputs(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                   const uint32_t *order, uint32_t count, int stream)
{
    uint32_t D = m->network->d;

    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[order[r]];
        const fl_state *state = item->state[stream];
        float *x = b->x + (size_t)r * D;
        memcpy(x, b->encoded + (size_t)order[r] * D, D * sizeof *x);
        fl_infer_add_gap(m, stream, fl_infer_gap(state, item->event), !state->events, x);
    }
}

/* Surprise and tails of some events, from the states before them in b->h, and the tokens that the states remember.
 * rank: place of the stream in a row. */
static void judge(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                  const uint32_t *order, uint32_t count, int stream, uint32_t rank)
{
    const fl_stream_weights *w = &m->stream[stream];
    size_t numbers = m->network->h;

    m->kernels->linear(b->logits, b->logits_width, b->h, numbers, count, &w->heads, w->bias);
    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[order[r]];
        fl_state *state = item->state[stream];
        const fl_tokens *tokens = &b->tokens[order[r]];
        uint32_t gap = fl_dt_token(fl_infer_gap(state, item->event), !state->events);
        fl_judge(m, stream, b->logits + r * b->logits_width, b->member, state, b->h + r * numbers,
                 tokens, gap, item->row + m->surprise + rank * m->targets,
                 item->row + m->tail + rank * 2);
        fl_infer_copy(m, state, tokens, gap);
    }
}

/* count <= b->rows events, none of which share a state. */
static void step(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                 const uint32_t *order, uint32_t count, int stream, uint32_t rank, wanted want)
{
    const fl_backbone *bone = m->network->backbone;
    const fl_kernels *k = m->kernels;
    uint32_t D = m->network->d, H = m->network->h;
    size_t input = bone->input(m->network), own = bone->own(m->network);

    for (uint32_t r = 0; r < count; r++)
        fl_model_state_get(m, items[order[r]].state[stream], b->h + (size_t)r * H, H);
    if (!want.states) judge(m, b, items, order, count, stream, rank);
    if (own) k->linear(b->gh, own, b->h, H, count, &m->wh, m->bh);
    inputs(m, b, items, order, count, stream);
    k->linear(b->gx, input, b->x, D, count, &m->wx, m->bx);
    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[order[r]];
        fl_state *state = item->state[stream];
        float *h = b->h + (size_t)r * H;
        bone->advance(m, h, fl_state_memory(m, state), b->gx + r * input, b->gh + r * own);
        fl_state_put(m, state, h);
        fl_infer_count(state, item->event);
        fl_model_state_get(m, state, item->row + m->embedding + (size_t)rank * H, H);
    }
}

void fl_model_encode(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n)
{
    const fl_network *net = m->network;

    assert(n <= b->max);
    if (!net) return;
    uint32_t numbers = fl_network_numbers(net);

    for (uint32_t first = 0, count; first < n; first += count) {
        count = n - first < b->rows ? n - first : b->rows;
        for (uint32_t r = 0; r < count; r++) {
            const fl_model_item *item = &items[first + r];
            fl_network_tokens(net, item->event, &b->tokens[first + r]);
            fl_network_number_inputs(net, m->kernels, item->event, item->row,
                                     b->numbers + (size_t)r * numbers);
        }
        fl_infer_encode(m, count, b->tokens + first, b->numbers, b->hidden, b->more,
                        b->encoded + (size_t)first * net->d);
    }
}

static void run(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n,
                wanted want)
{
    const fl_network *net = m->network;
    uint32_t rank = 0;

    if (!net) return;
    for (uint32_t i = 0; i < n; i++)
        memset(items[i].row + m->surprise, 0, (m->width - m->surprise) * sizeof *items[i].row);
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->stream[s]) continue;
        uint32_t waves = want.stream < 0 || want.stream == s ? deal_waves(b, items, n, s) : 0;
        for (uint32_t wave = 0; wave < waves; wave++) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < n; i++)
                if (b->wave[i] == wave) b->order[count++] = i;
            for (uint32_t r = 0; r < count; r += b->rows)
                step(m, b, items, b->order + r, count - r < b->rows ? count - r : b->rows, s, rank,
                     want);
        }
        rank++;
    }
}

void fl_model_rows(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n)
{
    run(m, b, items, n, (wanted){.stream = -1});
}

void fl_model_states(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n,
                     int stream)
{
    run(m, b, items, n, (wanted){.stream = stream, .states = true});
}

void fl_model_events(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n)
{
    fl_model_encode(m, b, items, n);
    fl_model_rows(m, b, items, n);
}
