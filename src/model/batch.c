/* Many events through the network at once. Events that share no entity go through a product together; an entity's own
 * events go one wave after the other. Bit for bit the same as infer.c, since a kernel's row depends on no other. */
#include "model/internal.h"
#include <assert.h>

struct fl_model_batch {
    uint32_t max;
    size_t slots; /* power of two, of last */
    fl_tokens *tokens;
    uint32_t *wave;  /* [max] of the stream at hand */
    uint32_t *order; /* [max] events of one wave */
    struct {
        const fl_state *state;
        uint32_t event;
    } * last; /* [slots] latest event of a state, while waves are dealt */
    float *block;
    float *numbers, *hidden, *more, *encoded; /* [max][U], [max][2D], [max][D], [max][D] */
    float *h, *gh, *x, *gx;                   /* [max][state], [max][own], [max][D], [max][input] */
    float *logits;                            /* [max][logits] */
    float *member;
    size_t logits_width;
};

enum { PARTS = 10 };

static florin_status make_block(fl_model_batch *b, const fl_model *m, florin_error *err)
{
    const fl_network *n = m->network;
    size_t D = n->d, logits = 0, total = 0;

    for (int s = 0; s < FL_STREAMS; s++)
        if (m->stream[s].logits > logits) logits = m->stream[s].logits;
    b->logits_width = logits;
    float **part[PARTS] = {&b->numbers, &b->hidden, &b->more, &b->encoded, &b->h,
                           &b->gh,      &b->x,      &b->gx,   &b->logits,  &b->member};
    size_t width[PARTS] = {
        fl_network_numbers(n), 2 * D,  D, D, n->backbone->state(n), n->backbone->own(n), D,
        n->backbone->input(n), logits, 0};
    size_t offset[PARTS];
    for (int i = 0; i < PARTS; i++) {
        size_t size = i == PARTS - 1 ? fl_judge_member_size(m) : width[i] * b->max;
        offset[i] = total;
        total += (size + 15) / 16 * 16;
    }
    b->block = fl_alloc_aligned(total, sizeof *b->block);
    if (!b->block) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory for a batch");
    for (int i = 0; i < PARTS; i++) *part[i] = b->block + offset[i];
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

/* x of the wave's events. */
static void wave_inputs(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                        uint32_t count, int stream)
{
    uint32_t D = m->network->d;

    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[b->order[r]];
        const fl_state *state = item->state[stream];
        float *x = b->x + (size_t)r * D;
        memcpy(x, b->encoded + (size_t)b->order[r] * D, D * sizeof *x);
        fl_infer_add_gap(m, stream, fl_infer_gap(state, item->event), !state->events, x);
    }
}

/* The events in b->order, none of which share a state. rank: place of the stream in a row. */
static void run_wave(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                     uint32_t count, int stream, uint32_t rank)
{
    const fl_stream_weights *w = &m->stream[stream];
    const fl_kernels *k = m->kernels;
    uint32_t D = m->network->d, H = m->network->h;
    size_t wide = b->logits_width, input = m->network->backbone->input(m->network),
           own = m->network->backbone->own(m->network),
           numbers = m->network->backbone->state(m->network);

    for (uint32_t r = 0; r < count; r++)
        fl_model_state_get(m, items[b->order[r]].state[stream], b->h + r * numbers,
                           (uint32_t)numbers);
    k->linear(b->gh, own, b->h, numbers, count, &m->wh, m->bh);
    k->linear(b->logits, wide, b->h, numbers, count, &w->heads, w->bias);
    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[b->order[r]];
        const fl_state *state = item->state[stream];
        uint32_t gap = fl_dt_token(fl_infer_gap(state, item->event), !state->events);
        fl_judge(m, stream, b->logits + r * wide, b->member, state, b->h + r * numbers,
                 &b->tokens[b->order[r]], gap, item->row + m->surprise + rank * m->targets,
                 item->row + m->tail + rank * 2);
    }
    wave_inputs(m, b, items, count, stream);
    k->linear(b->gx, input, b->x, D, count, &m->wx, m->bx);
    for (uint32_t r = 0; r < count; r++) {
        const fl_model_item *item = &items[b->order[r]];
        fl_state *state = item->state[stream];
        m->network->backbone->advance(m, stream, b->h + r * numbers, b->gx + r * input,
                                      b->gh + r * own);
        fl_state_put(m, state, b->h + r * numbers);
        uint32_t gap = fl_dt_token(fl_infer_gap(state, item->event), !state->events);
        fl_infer_count(m, state, item->event, &b->tokens[b->order[r]], gap);
        fl_model_state_get(m, state, item->row + m->embedding + (size_t)rank * H, H);
    }
}

void fl_model_events(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n)
{
    const fl_network *net = m->network;
    uint32_t rank = 0;

    assert(n <= b->max);
    if (!net) return;
    for (uint32_t i = 0; i < n; i++) {
        float *row = items[i].row;
        memset(row + m->surprise, 0, (m->width - m->surprise) * sizeof *row);
        fl_network_tokens(net, items[i].event, &b->tokens[i]);
        fl_network_number_inputs(net, m->kernels, items[i].event, row,
                                 b->numbers + (size_t)i * fl_network_numbers(net));
    }
    fl_infer_encode(m, n, b->tokens, b->numbers, b->hidden, b->more, b->encoded);
    for (int s = 0; s < FL_STREAMS; s++) {
        if (!net->stream[s]) continue;
        uint32_t waves = deal_waves(b, items, n, s);
        for (uint32_t wave = 0; wave < waves; wave++) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < n; i++)
                if (b->wave[i] == wave) b->order[count++] = i;
            run_wave(m, b, items, count, s, rank);
        }
        rank++;
    }
}
