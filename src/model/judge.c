/* What the heads say of an event that came: -log p of every target, and in which tail amount and gap lie. The softmax of a
 * head is left as exponentials and their sum, and logarithms are taken of all targets at once. */
#include "model/internal.h"

enum { JUDGED_MAX = FL_TARGETS_MAX + 2, GATE_MOST = 60 }; /* a gate beyond it is shut in any case */
#define TAIL_LIMIT 6.0f
#define TINY       1e-12f
#define LOG10_E    0.434294482f

/* All targets of one stream. A prediction is rest * softmax + gate * share of the recent tokens. */
typedef struct {
    float gate[FL_TARGETS_MAX], rest[FL_TARGETS_MAX], share[FL_TARGETS_MAX];
    float log_p[FL_TARGETS_MAX], p[FL_TARGETS_MAX]; /* of the softmax: that of what came */
    float sum[FL_TARGETS_MAX];                      /* of the exponentials */
    float value[JUDGED_MAX];                        /* whose logarithms are wanted */
} judged;

/* An entity without a history has no copy: rest is 1. */
static bool take_gates(const fl_model *m, int stream, const float *logits, const fl_state *state,
                       float *gate, float *rest)
{
    uint32_t n = m->targets;

    if (!m->network->copy || !state->events) {
        for (uint32_t t = 0; t < n; t++) gate[t] = 0, rest[t] = 1;
        return false;
    }
    logits += m->stream[stream].gate;
    for (uint32_t t = 0; t < n; t++)
        rest[t] = logits[t] > GATE_MOST    ? -GATE_MOST
                  : logits[t] < -GATE_MOST ? GATE_MOST
                                           : -logits[t];
    m->kernels->exp(rest, n);
    for (uint32_t t = 0; t < n; t++) {
        gate[t] = 1 / (1 + rest[t]);
        rest[t] *= gate[t];
    }
    return true;
}

/* Members of the cluster of a target: logits into member; their count. */
static uint32_t cluster_members(const fl_model *m, float *member, const fl_head_weights *head,
                                const fl_target *target, uint32_t cluster, const float *h)
{
    uint32_t H = m->network->h, first = cluster * target->group;
    uint32_t n = target->tokens - first < target->group ? target->tokens - first : target->group;

    m->kernels->dots(member, head->member + (size_t)first * H, h, head->bias + first, n, H);
    return n;
}

uint32_t fl_judge_member_size(const fl_model *m)
{
    uint32_t size = 1;

    for (uint32_t t = 0; t < m->targets; t++)
        if (m->target[t].group > size) size = m->target[t].group;
    return size;
}

/* Order of amount tokens: negative bins, zero (token 1), positive bins; 0, no amount, has no place. */
static uint32_t amount_rank(const fl_model *m, uint32_t token)
{
    if (token < 2) return token ? 1 + m->zero_bin : 0;
    return token - 1 + (token - 2 >= m->zero_bin);
}

/* What lies below and above the token among the exponentials of amount or gap; token 0 is in neither. */
static void amount_sides(const fl_model *m, const float *e, uint32_t token, float *below,
                         float *above)
{
    const float *bin = e + 2;
    uint32_t zero = m->zero_bin, bins = FL_AMOUNT_BINS;

    if (token == 1) {
        *below = m->kernels->sum(bin, zero);
        *above = m->kernels->sum(bin + zero, bins - zero);
        return;
    }
    uint32_t mine = token - 2;
    *below = m->kernels->sum(bin, mine) + (mine >= zero ? e[1] : 0);
    *above = m->kernels->sum(bin + mine + 1, bins - mine - 1) + (mine < zero ? e[1] : 0);
}

static void gap_sides(const fl_model *m, const float *e, uint32_t token, float *below, float *above)
{
    *below = m->kernels->sum(e + 1, token - 1);
    *above = m->kernels->sum(e + token + 1, FL_DT_TOKENS - token - 1);
}

/* Odds of at most this against at least this, mid-p within the token; 1 where there is nothing to judge. e: exponentials
 * of target t, which is the amount or the gap. */
static float tail_odds(const fl_model *m, const judged *j, uint32_t t, const float *e,
                       uint32_t token, const fl_copy_slot *slots)
{
    bool amount = m->target[t].slot == -2;
    float below, above, all = 0, slots_below = 0, slots_above = 0, slots_at = 0;

    if (!token) return 1;
    if (amount) amount_sides(m, e, token, &below, &above);
    else gap_sides(m, e, token, &below, &above);
    float soft = j->rest[t] / j->sum[t], at = e[token] * soft;
    below *= soft;
    above *= soft;
    uint32_t mine = amount ? amount_rank(m, token) : token;
    for (uint32_t i = 0; slots && i < FL_COPY_SLOTS; i++) {
        uint32_t past = fl_copy_token(slots[i]), rank = amount ? amount_rank(m, past) : past;
        float weight = fl_copy_weight(slots[i]);
        all += weight;
        slots_below += weight * (float)((rank > 0) & (rank < mine));
        slots_at += weight * (float)(rank == mine);
        slots_above += weight * (float)(rank > mine);
    }
    if (all > 0) {
        float copied = j->gate[t] / all;
        below += copied * slots_below;
        at += copied * slots_at;
        above += copied * slots_above;
    }
    float whole = below + at + above, down = (below + at / 2) / whole,
          up = (above + at / 2) / whole;
    return (down > TINY ? down : TINY) / (up > TINY ? up : TINY);
}

/* Target t: what the softmax says of the token that came. */
static void judge_target(const fl_model *m, const fl_head_weights *head, float *logit,
                         float *member, const float *h, uint32_t token, uint32_t t, judged *j)
{
    const fl_kernels *k = m->kernels;
    const fl_target *target = &m->target[t];
    uint32_t group = target->group, cluster = group ? token / group : token;
    float top, came = logit[cluster];

    j->sum[t] = k->exp_sum(logit, head->width, &top);
    j->log_p[t] = came - top;
    if (!group) return;
    uint32_t n = cluster_members(m, member, head, target, cluster, h);
    came = member[token - cluster * group];
    j->sum[t] *= k->exp_sum(member, n, &top);
    j->log_p[t] += came - top;
}

void fl_judge(const fl_model *m, int stream, float *logits, float *member, const fl_state *state,
              const float *h, const fl_tokens *tokens, uint32_t gap, float *surprise, float *tail)
{
    const fl_kernels *k = m->kernels;
    uint32_t n = m->targets;
    judged j;
    bool copies = take_gates(m, stream, logits, state, j.gate, j.rest);

    j.value[n] = j.value[n + 1] = 1;
    for (uint32_t t = 0; t < n; t++) {
        const fl_head_weights *head = &m->stream[stream].head[t];
        int slot = m->target[t].slot;
        uint32_t token = fl_target_token(slot, tokens, gap);
        const fl_copy_slot *slots = copies ? fl_state_slots(m, state, t) : NULL;
        judge_target(m, head, logits + head->logit, member, h, token, t, &j);
        j.share[t] = slots ? fl_copy_share(slots, token) : 0;
        if (slot == -2 || slot == -3)
            j.value[n + (slot == -3)] = tail_odds(m, &j, t, logits + head->logit, token, slots);
    }
    k->log(j.sum, n);
    for (uint32_t t = 0; t < n; t++) j.p[t] = j.log_p[t] -= j.sum[t];
    k->exp(j.p, n);
    /* What was not among the recent tokens is judged by logarithms alone: p may be too small for a float. */
    for (uint32_t t = 0; t < n; t++)
        j.value[t] = j.share[t] > 0 ? j.rest[t] * j.p[t] + j.gate[t] * j.share[t] : j.rest[t];
    k->log(j.value, n + 2);
    for (uint32_t t = 0; t < n; t++) {
        float log_p = j.value[t] + (j.share[t] > 0 ? 0 : j.log_p[t]);
        surprise[t] = log_p < 0 ? -log_p : 0;
    }
    for (uint32_t i = 0; i < 2; i++) {
        float x = j.value[n + i] * LOG10_E;
        tail[i] = x < -TAIL_LIMIT ? -TAIL_LIMIT : x > TAIL_LIMIT ? TAIL_LIMIT : x;
    }
}

void fl_judge_predict(const fl_model *m, int stream, float *logits, float *member,
                      const fl_state *state, const float *h, uint32_t target, float *out)
{
    const fl_kernels *k = m->kernels;
    const fl_target *t = &m->target[target];
    const fl_head_weights *head = &m->stream[stream].head[target];
    float gate[FL_TARGETS_MAX], rest[FL_TARGETS_MAX], all = 0, *log_p = logits + head->logit;
    bool copies = take_gates(m, stream, logits, state, gate, rest);

    k->log_softmax(log_p, head->width);
    if (!t->group) memcpy(out, log_p, t->tokens * sizeof *out);
    for (uint32_t c = 0; t->group && c < head->width; c++) {
        uint32_t members = cluster_members(m, member, head, t, c, h);
        k->log_softmax(member, members);
        for (uint32_t i = 0; i < members; i++) out[c * t->group + i] = log_p[c] + member[i];
    }
    k->exp(out, t->tokens);
    if (!copies) return;
    const fl_copy_slot *slots = fl_state_slots(m, state, target);
    for (uint32_t i = 0; i < FL_COPY_SLOTS; i++) all += fl_copy_weight(slots[i]);
    if (!(all > 0)) return;
    for (uint32_t i = 0; i < t->tokens; i++) out[i] *= rest[target];
    for (uint32_t i = 0; i < FL_COPY_SLOTS; i++) {
        uint32_t token = fl_copy_token(slots[i]);
        if (token < t->tokens) out[token] += gate[target] * fl_copy_weight(slots[i]) / all;
    }
}
