/* A model's weights as inference reads them, shared by model.c (open), infer.c (one event) and batch.c (many), and
 * the pieces of a step that the latter two share. */
#ifndef FL_MODEL_INTERNAL_H
#define FL_MODEL_INTERNAL_H

#include "kernels/block_ops.h"
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

enum { FL_STACK_MATRICES = 4 };

/* A transformer's blocks and what follows them. */
typedef struct {
    const fl_block_ops *ops;
    struct {
        const float *w[FL_BLOCK_PARAMETERS]; /* NULL: the shape has none */
        fl_packed matrix[FL_STACK_MATRICES]; /* qkv, out, up, down */
    } block[FL_LAYERS_MAX];
    const float *gain, *bias; /* of the last norm; gain NULL: none */
    fl_packed out;            /* [width][H] */
    const float *out_b;
} fl_stack_weights;

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
    fl_stack_weights *stack; /* NULL: the backbone is no transformer */
    fl_stream_weights stream[FL_STREAMS];

    uint32_t features, surprise, tail, embedding, width; /* row */
    const char **name;                                   /* [width] */
};

/* Opening: weights are taken out of the file by name. */
typedef struct fl_loader {
    fl_model *m;
    const fl_parameter *list;
    uint32_t count;
    florin_error *err;
    florin_status st;
} fl_loader;
/* The tensor of a parameter of the network's list; NULL after a failure, which the loader remembers. */
const float *fl_load(fl_loader *l, const char *format, ...) FL_PRINTF(2, 3);
fl_packed fl_load_packed(fl_loader *l, const float *w, uint32_t in, uint32_t out);

/* A state's body: h, then the recent tokens, then the backbone's memory. Bytes of h: */
static inline size_t fl_state_numbers(const fl_model *m)
{
    size_t n = m->network->h;
    return m->network->int8 ? (n + 7) / 8 * 8 : n * sizeof(float);
}
/* h, kept; before the event is counted (fl_infer_count). */
void fl_state_put(const fl_model *m, fl_state *state, const float *h);

/* Recent tokens of target t: [FL_COPY_SLOTS] each, behind h. */
static inline fl_copy_slot *fl_state_slots(const fl_model *m, const fl_state *state, uint32_t t)
{
    return (fl_copy_slot *)(void *)(uintptr_t)(state->body + fl_state_numbers(m)) +
           (size_t)t * FL_COPY_SLOTS;
}

/* Where the backbone's memory lies in the body; 8-byte aligned. */
static inline size_t fl_state_memory_at(const fl_model *m)
{
    size_t slots = m->network->copy ? m->targets * FL_COPY_SLOTS * sizeof(fl_copy_slot) : 0;
    return (fl_state_numbers(m) + slots + 7) / 8 * 8;
}
static inline void *fl_state_memory(const fl_model *m, fl_state *state)
{
    return state->body + fl_state_memory_at(m);
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

/* Can events have made these n floats of a state or memory? Of any alignment. */
bool fl_state_sound(const void *floats, size_t n);

#endif
