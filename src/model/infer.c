/* One event through the network: the equations of network.h, in inference order. Allocates nothing; every output
 * is finite for any event, because inputs are held in bounds and weights were checked when the model was opened. */
#include "model/internal.h"
#include <assert.h>

enum { PARTS = 9 };

struct fl_model_scratch {
    float *block; /* all below, one allocation */
    float *numbers, *encoded, *hidden, *logits, *member;
    float *x, *gx, *gh, *h; /* [FL_STREAMS] rows */
};

static size_t padded(size_t floats)
{
    return (floats + 15) / 16 * 16;
}

florin_status fl_model_scratch_new(fl_model_scratch **out, const fl_model *m, florin_error *err)
{
    fl_model_scratch *s = fl_calloc(1, sizeof *s);
    const fl_network *n = m->network;
    uint32_t logits = 0, member;

    *out = NULL;
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    if (!n) {
        *out = s;
        return FLORIN_OK;
    }
    for (int i = 0; i < FL_STREAMS; i++)
        if (m->stream[i].logits > logits) logits = m->stream[i].logits;
    member = fl_judge_member_size(m);
    const fl_backbone *b = n->backbone;
    size_t size[PARTS] = {fl_network_numbers(n),
                          n->d,
                          2 * (size_t)n->d,
                          logits,
                          member,
                          FL_STREAMS * (size_t)n->d,
                          FL_STREAMS * (size_t)b->input(n),
                          FL_STREAMS * (size_t)b->own(n),
                          FL_STREAMS * (size_t)n->h},
           total = 0;
    float **part[PARTS] = {&s->numbers, &s->encoded, &s->hidden, &s->logits, &s->member,
                           &s->x,       &s->gx,      &s->gh,     &s->h};
    for (int i = 0; i < PARTS; i++) total += padded(size[i]);
    s->block = fl_alloc_aligned(total, sizeof *s->block);
    if (!s->block) {
        free(s);
        return fl_fail(err, FLORIN_ENOMEM, "model: out of memory");
    }
    total = 0;
    for (int i = 0; i < PARTS; i++) {
        *part[i] = s->block + total;
        total += padded(size[i]);
    }
    *out = s;
    return FLORIN_OK;
}

void fl_model_scratch_free(fl_model_scratch *s)
{
    if (!s) return;
    free(s->block);
    free(s);
}

/* e_t of n events: out [n][D], from numbers [n][U]; hidden [n][2D] and more [n][D] are working space. */
void fl_infer_encode(const fl_model *m, uint32_t n, const fl_tokens *tokens, const float *numbers,
                     float *hidden, float *more, float *out)
{
    const fl_network *net = m->network;
    const fl_kernels *k = m->kernels;
    uint32_t D = net->d, U = fl_network_numbers(net);

    k->linear(out, D, numbers, U, n, &m->num_w, m->num_b);
    for (uint32_t r = 0; r < n; r++, tokens++) {
        float *e = out + (size_t)r * D;
        for (uint32_t i = 0; i < net->categories; i++)
            k->add(e, m->category_table[i] + (size_t)tokens->category[i] * D, D);
        k->add(e, m->type_table + (size_t)tokens->type * D, D);
        k->add(e, m->amount_table + (size_t)tokens->amount * D, D);
        k->add(e, m->hour_table + (size_t)tokens->when.hour * D, D);
        k->add(e, m->weekday_table + (size_t)tokens->when.weekday * D, D);
        k->add(e, m->day_table + (size_t)tokens->when.day * D, D);
    }
    k->linear(hidden, 2 * (size_t)D, out, D, n, &m->mlp_w1, m->mlp_b1);
    for (uint32_t r = 0; r < n; r++) k->relu(hidden + (size_t)r * 2 * D, 2 * D);
    k->linear(more, D, hidden, 2 * (size_t)D, n, &m->mlp_w2, m->mlp_b2);
    for (uint32_t r = 0; r < n; r++) k->add(out + (size_t)r * D, more + (size_t)r * D, D);
}

/* Time since the state's last event. */
int64_t fl_infer_gap(const fl_state *state, const fl_event *event)
{
    int64_t dt;

    if (!state->events) return 0;
    if (__builtin_sub_overflow(event->time_us, state->last_us, &dt))
        return event->time_us > state->last_us ? INT64_MAX : 0;
    return dt;
}

/* What the time since the last event adds to x. */
void fl_infer_add_gap(const fl_model *m, int stream, int64_t dt, bool first, float *x)
{
    const fl_stream_weights *w = &m->stream[stream];
    uint32_t D = m->network->d;

    m->kernels->add(x, w->dt_table + (size_t)fl_dt_token(dt, first) * D, D);
    m->kernels->axpy(x, fl_dt_number(dt, first), w->dt_w, D);
}

void fl_infer_copy(const fl_model *m, fl_state *state, const fl_tokens *tokens, uint32_t gap)
{
    for (uint32_t t = 0; m->network->copy && t < m->targets; t++)
        fl_copy_add(fl_state_slots(m, state, t), fl_target_token(m->target[t].slot, tokens, gap));
}

void fl_infer_count(fl_state *state, const fl_event *event)
{
    if (!state->events || event->time_us > state->last_us) state->last_us = event->time_us;
    if (state->events < UINT32_MAX) state->events++;
}

/* What a stream brings to an event. */
typedef struct {
    int stream;
    fl_state *state;
    int64_t dt;
    bool first;
    uint32_t gap;
    float *surprise, *tail, *embedding; /* in the row */
} side;

/* Streams that have an entity in this event; returns how many. */
static uint32_t sides_of(const fl_model *m, const fl_event *event, fl_state *const state[],
                         float *row, side out[FL_STREAMS])
{
    const fl_network *n = m->network;
    float *surprise = row + m->surprise, *tail = row + m->tail, *embedding = row + m->embedding;
    uint32_t count = 0;

    for (int i = 0; i < FL_STREAMS; i++) {
        if (!n->stream[i]) continue;
        if (state[i]) {
            side *s = &out[count++];
            *s = (side){.stream = i,
                        .state = state[i],
                        .surprise = surprise,
                        .tail = tail,
                        .embedding = embedding};
            s->dt = fl_infer_gap(state[i], event);
            s->first = state[i]->events == 0;
            s->gap = fl_dt_token(s->dt, s->first);
        }
        surprise += m->targets;
        tail += 2;
        embedding += n->h;
    }
    return count;
}

void fl_model_event(const fl_model *m, fl_model_scratch *s, const fl_event *event, fl_state *payer,
                    fl_state *payee, float *row)
{
    const fl_network *n = m->network;
    const fl_kernels *k = m->kernels;
    side sides[FL_STREAMS];
    fl_tokens tokens;

    if (!n) return;
    const fl_backbone *b = n->backbone;
    size_t H = n->h, input = b->input(n), own = b->own(n);
    memset(row + m->surprise, 0, (m->width - m->surprise) * sizeof *row);
    uint32_t count = sides_of(m, event, (fl_state *const[]){payer, payee}, row, sides);
    fl_network_tokens(n, event, &tokens);
    fl_network_number_inputs(n, k, event, row, s->numbers);
    fl_infer_encode(m, 1, &tokens, s->numbers, s->hidden, s->x, s->encoded);
    for (uint32_t i = 0; i < count; i++) {
        float *x = s->x + (size_t)i * n->d;
        memcpy(x, s->encoded, n->d * sizeof *x);
        fl_infer_add_gap(m, sides[i].stream, sides[i].dt, sides[i].first, x);
        fl_model_state_get(m, sides[i].state, s->h + i * H, n->h);
    }
    if (count && own) k->linear(s->gh, own, s->h, H, count, &m->wh, m->bh);
    if (count) k->linear(s->gx, input, s->x, n->d, count, &m->wx, m->bx);
    for (uint32_t i = 0; i < count; i++) {
        const side *e = &sides[i];
        const fl_stream_weights *w = &m->stream[e->stream];
        float *h = s->h + i * H;
        k->linear(s->logits, 0, h, 0, 1, &w->heads, w->bias);
        fl_judge(m, e->stream, s->logits, s->member, e->state, h, &tokens, e->gap, e->surprise,
                 e->tail);
        b->advance(m, h, fl_state_memory(m, e->state), s->gx + i * input, s->gh + i * own);
        fl_state_put(m, e->state, h);
        fl_infer_copy(m, e->state, &tokens, e->gap);
        fl_infer_count(e->state, event);
        fl_model_state_get(m, e->state, e->embedding, n->h);
    }
}

void fl_model_predict(const fl_model *m, fl_model_scratch *s, int stream, const fl_state *state,
                      uint32_t target, float *out)
{
    const fl_stream_weights *w = &m->stream[stream];

    assert(m->network && m->network->stream[stream] && target < m->targets);
    fl_model_state_get(m, state, s->h, m->network->h);
    m->kernels->linear(s->logits, 0, s->h, 0, 1, &w->heads, w->bias);
    fl_judge_predict(m, stream, s->logits, s->member, state, s->h, target, out);
}
