/* A model's weights as inference reads them, shared by model.c (open), infer.c (one event) and batch.c (many), and
 * the pieces of a step that the latter two share. */
#ifndef FL_MODEL_INTERNAL_H
#define FL_MODEL_INTERNAL_H

#include "model/backbone.h"
#include "model/model.h"

typedef struct {
    uint32_t logit;             /* first column of its logits (clusters when factored) */
    uint32_t width;             /* how many */
    const float *member, *bias; /* factored: [tokens][H], [tokens] */
} fl_head_weights;

typedef struct {
    const float *dt_table, *dt_w;
    fl_packed heads; /* [H][logits]: all dense heads, clusters and gates in one */
    float *bias;     /* [logits] */
    uint32_t logits; /* with copy the last [targets] are the gates */
    uint32_t gate;   /* first of them */
    const float *gate_w[FL_TARGETS_MAX], *gate_b[FL_TARGETS_MAX]; /* [H], [1] */
    fl_head_weights head[FL_TARGETS_MAX];
} fl_stream_weights;

struct fl_model {
    fl_model_file *file;
    fl_schema *schema;
    fl_fold_plan *plan;
    fl_network *network; /* NULL: fold only */
    const fl_kernels *kernels;
    fl_arena *arena; /* names of columns */
    int64_t until_us;

    uint32_t targets, streams; /* streams that the network has */
    fl_target target[FL_TARGETS_MAX];
    uint32_t zero_bin; /* amount bins below it are negative */
    const float *category_table[FL_CATEGORIES_MAX];
    const float *type_table, *amount_table, *hour_table, *weekday_table, *day_table;
    const float *num_b, *mlp_b1, *mlp_b2;
    fl_packed num_w, mlp_w1, mlp_w2;
    void *block;      /* where the data of all packed weights lie */
    fl_packed wx, wh; /* of the backbone, for both streams: [D][input], [H][own] */
    const float *bx, *bh;
    fl_stream_weights stream[FL_STREAMS];

    uint32_t features, surprise, tail, embedding, width; /* row */
    const char **name;                                   /* [width] */
};

/* Bytes of the backbone's numbers in a state. */
static inline size_t fl_state_numbers(const fl_model *m)
{
    size_t n = m->network->backbone->state(m->network);
    return m->network->int8 ? (n + 7) / 8 * 8 : n * sizeof(float);
}
/* All of the state's numbers, kept; before the event is counted (fl_infer_count). */
void fl_state_put(const fl_model *m, fl_state *state, const float *numbers);

/* Recent tokens of target t: [FL_COPY_SLOTS] each, behind h. */
static inline fl_copy_slot *fl_state_slots(const fl_model *m, const fl_state *state, uint32_t t)
{
    return (fl_copy_slot *)(void *)(uintptr_t)(state->body + fl_state_numbers(m)) +
           (size_t)t * FL_COPY_SLOTS;
}

void fl_infer_encode(const fl_model *m, uint32_t n, const fl_tokens *tokens, const float *numbers,
                     float *hidden, float *more, float *out);
int64_t fl_infer_gap(const fl_state *state, const fl_event *event);
void fl_infer_add_gap(const fl_model *m, int stream, int64_t dt, bool first, float *x);
/* After an event: what the state remembers besides h. Recent tokens, for the heads; then count and time. */
void fl_infer_copy(const fl_model *m, fl_state *state, const fl_tokens *tokens, uint32_t gap);
void fl_infer_count(fl_state *state, const fl_event *event);

/* judge.c: what the heads say of an event. logits: the stream's, of the state before the event; overwritten. member: room
 * for the members of a cluster, fl_judge_member_size floats. */
uint32_t fl_judge_member_size(const fl_model *m);
/* -log p of every target [targets], and the tails of amount and gap [2]. */
void fl_judge(const fl_model *m, int stream, float *logits, float *member, const fl_state *state,
              const float *h, const fl_tokens *tokens, uint32_t gap, float *surprise, float *tail);
/* Probabilities of all tokens of one target: out [tokens]. */
void fl_judge_predict(const fl_model *m, int stream, float *logits, float *member,
                      const fl_state *state, const float *h, uint32_t target, float *out);

#endif
