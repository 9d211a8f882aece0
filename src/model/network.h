/* The network's shape: one list of parameters (name, shape) that inference, training and the model file share.
 *
 * Event t of an entity, stream s in {payer, payee} (a schema may have only one of them):
 *   e_t   = sum of: category tables[token], type table, amount table[bucket], hour/weekday/day tables,
 *           number [U] * num.w + num.b    (U: see fl_network_numbers)
 *   e_t   = e_t + relu(e_t * mlp.w1 + mlp.b1) * mlp.w2 + mlp.b2          shared by both streams, [D];
 *           hidden width 2 D
 *   x_t   = e_t + s.dt.table[bucket(dt)] + s.dt.w * log1p(dt seconds)/10
 *   h_t   = backbone of x_1 .. x_t, its weights shared by both streams: one of
 *           gru          h_t = GRU(x_t, h_{t-1}), gates r, z, n as PyTorch's nn.GRU:
 *           r = sig(x Wr + br + h Ur + cr), z = ..., n = tanh(x Wn + bn + r*(h Un + cn)), h' = (1-z) n + z h
 *           transformer  h_t = tanh(norm(blocks(x wx + bx)) out.w + out.b): causal blocks over the last `window` events,
 *           as in kernels/block.h; the norm where blocks are pre-norm
 *   Targets of event t are predicted from h_{t-1} of the stream (zero state before the first event):
 *   every category field that is an input, event type (if > 1), amount bucket, dt bucket. Softmax by head; a
 *   vocabulary over FL_FACTOR_MIN is factored: p(token) = p(cluster | h) p(member | cluster, h),
 *   cluster = token / group.
 *   With `copy`, an entity that has a history also remembers FL_COPY_SLOTS recent tokens per target with decayed weights,
 *   and p(token) = (1 - g) p_softmax(token) + g * share(token), g = sig(head.gw h + head.gb): a pointer mixture (Merity et
 *   al. 2017). Without it constant and frequent values have to squeeze through h (and lose to counting them).
 * Matrices are stored [in][out], row-major: y = x W + b. Tables [rows][D]. Output tables of heads [rows][H].
 */
#ifndef FL_NETWORK_H
#define FL_NETWORK_H

#include "data/log.h"
#include "kernels/block_shape.h"
#include "kernels/kernels.h"
#include "model/file.h"

enum {
    FL_AMOUNT_BINS = 64,
    FL_AMOUNT_TOKENS = FL_AMOUNT_BINS + 2, /* 0: no amount, 1: zero, 2..: quantile bins */
    FL_DT_TOKENS = 34,                     /* 0: first event, 1: same instant, 2..33: log buckets */
    FL_PLR = 16,                           /* periodic frequencies of the log amount: 32 numbers */
    FL_TOKEN_MISSING = 0,
    FL_TOKEN_UNKNOWN = 1,
    FL_TOKEN_FIRST = 2,
    FL_FACTOR_MIN = 256, /* above it a dense head costs more than both streams' GRUs */
    FL_COPY_SLOTS = 6,
    FL_COPY_TOKEN_BITS = 22,
    FL_STREAMS = 2, /* 0 payer, 1 payee */
    FL_TARGETS_MAX = FL_CATEGORIES_MAX + 3,
    FL_PARAMETERS_MAX = 640,
    /* Of a transformer's blocks. */
    FL_LAYERS_MAX = 8,
    FL_STACK_WIDTH_MAX = 512,
    FL_STACK_HEADS_MAX = 16,
    FL_CONTEXT_MAX = 512,
    FL_H_MAX = 2048,
    FL_D_MAX = 1024,
    FL_NETWORK_FEATURES_MAX = 4096,
    FL_VOCABULARY_MAX = 1 << 20
};

typedef struct {
    uint32_t known; /* values with a token of their own: FL_TOKEN_FIRST .. FL_TOKEN_FIRST+known-1 */
    uint32_t
        buckets; /* hash buckets of the tail, after the known ones; 0: the rest is FL_TOKEN_UNKNOWN */
    uint32_t tokens; /* FL_TOKEN_FIRST + known + buckets */
    uint64_t *hash;  /* [known] fl_category_hash, most frequent first */
    fl_map64 map;    /* hash -> token */
} fl_vocabulary;

typedef struct fl_backbone fl_backbone; /* backbone.h */

typedef struct {
    uint32_t h, d; /* width of the state, width of the encoder */
    const fl_backbone *backbone;
    uint32_t layers; /* of a transformer: blocks of this shape; a GRU has none */
    fl_block_shape block;
    bool copy;         /* heads mix in the entity's own recent tokens */
    bool dense;        /* no vocabulary is factored: slower, to compare with */
    bool int8;         /* weights of products are rounded to 8 bits when the model is opened */
    uint32_t features; /* fold features that enter as numbers */
    bool stream[FL_STREAMS];
    uint32_t categories;                       /* input category fields */
    int category[FL_CATEGORIES_MAX];           /* their schema numbers */
    char name[FL_CATEGORIES_MAX][FL_NAME_MAX]; /* their names */
    fl_vocabulary vocabulary[FL_CATEGORIES_MAX];
    uint32_t numbers; /* input number fields */
    int number[FL_NUMBERS_MAX];
    uint32_t types;                     /* event types: sources that make events */
    uint8_t type_token[FL_SOURCES_MAX]; /* source number -> 0 .. types-1 (0 for others) */
    int exponent; /* of the schema's currency: 10^exponent minor units in one major */
    float amount_edge[FL_AMOUNT_BINS -
                      1]; /* major units, ascending; bin b: edge[b-1] <= a < edge[b] */
    float number_mean[FL_NUMBERS_MAX], number_scale[FL_NUMBERS_MAX];
    float *feature_mean, *feature_scale; /* [features] of fl_fold_squash(value) */
    float log_amount_mean, log_amount_scale;
} fl_network;

/* Sizes that depend on the schema alone (streams, input fields, types, exponent); the caller then sets h, d, features,
 * vocabularies, edges, means and scales. number_scale, feature_mean [features] and feature_scale are set to 0 and 1. */
/* NULL, or what is wrong with a transformer of this shape. */
const char *fl_network_stack_wrong(uint32_t layers, const fl_block_shape *block);
florin_status fl_network_new(fl_network **out, const fl_schema *s, uint32_t h, uint32_t d,
                             uint32_t features, florin_error *err);
/* known values, most frequent first (copied), plus hash buckets for the tail. Replaces what v held. */
florin_status fl_vocabulary_set(fl_vocabulary *v, const uint64_t *hash, uint32_t known,
                                uint32_t buckets, florin_error *err);

/* Recent tokens of one target: weights decay by the same factor at every event; a new token takes the place of the
 * lightest. A slot is a token below a code of its weight, in steps of an eighth of a decay, so that decay is exact; training
 * and inference see the same rounded weights. 0: empty. */
typedef uint32_t fl_copy_slot;
_Static_assert(2 * FL_VOCABULARY_MAX + FL_TOKEN_FIRST <= 1 << FL_COPY_TOKEN_BITS, "a token fits");
static inline uint32_t fl_copy_token(fl_copy_slot slot)
{
    return slot & ((1u << FL_COPY_TOKEN_BITS) - 1);
}
float fl_copy_weight(fl_copy_slot slot);
void fl_copy_add(fl_copy_slot slot[FL_COPY_SLOTS], uint32_t token);
float fl_copy_share(const fl_copy_slot slot[FL_COPY_SLOTS],
                    uint32_t token); /* of all weight, 0 .. 1 */

/* U: 1 signed log amount + 2*FL_PLR + 2 per number field (value, present) + features. In that order. Every input is
 * (fl_squash(value) - mean) / scale, held in [-10, 10]; sin and cos of 2 pi x 2^(k/2)/16 for the log amount x. */
uint32_t fl_network_numbers(const fl_network *n);

uint32_t fl_token(const fl_vocabulary *v, uint64_t hash);
uint32_t fl_amount_token(const fl_network *n, int64_t amount_minor);
double fl_amount_major(const fl_network *n, int64_t amount_minor);
uint32_t fl_dt_token(int64_t dt_us, bool first);
double
fl_dt_from(uint32_t token); /* microseconds at which the bucket of a token from 2 on begins */
/* Share of the gaps in a token's bucket that are longer than x_us, which is at least 0: inside a bucket the logarithm of the gap
 * is taken as uniform; beyond the last edge the share falls as 1/x. None of tokens 0 and 1. */
double fl_dt_longer(uint32_t token, double x_us);
/* log1p(dt seconds)/10, the scalar of s.dt.w; 0 before the first event and for dt <= 0. */
float fl_dt_number(int64_t dt_us, bool first);
/* Hour 0-23, weekday 0-6 (Monday 0), day of month 0-30, of UTC. */
typedef struct {
    uint8_t hour, weekday, day;
} fl_calendar;
fl_calendar fl_calendar_of(int64_t time_us);

/* Tokens of one event: what the encoder reads, and the targets but for the gap, which is per stream. */
typedef struct {
    uint32_t category[FL_CATEGORIES_MAX]; /* [categories] */
    uint32_t type, amount;
    fl_calendar when;
} fl_tokens;
void fl_network_tokens(const fl_network *n, const fl_event *event, fl_tokens *out);
/* Token of a target; gap: fl_dt_token of the stream. */
uint32_t fl_target_token(int slot, const fl_tokens *tokens, uint32_t gap);
/* Dense inputs of one event: out [fl_network_numbers]; the same bits whatever the kernels. */
void fl_network_number_inputs(const fl_network *n, const fl_kernels *k, const fl_event *event,
                              const float *features, float *out);

/* Targets of a stream's heads, the same list for both. */
typedef struct {
    char name
        [FL_NAME_MAX]; /* field name ("cat.NAME" if it is one of these), "type", "amount", "gap" */
    uint32_t tokens;
    uint32_t group; /* 0: dense softmax; else members per cluster: ceil(sqrt(tokens)) */
    int slot;       /* category slot, -1 type, -2 amount, -3 dt */
} fl_target;
uint32_t fl_network_targets(const fl_network *n, fl_target out[FL_TARGETS_MAX]);

/* Parameters in file order: name, shape, and kind of initial value. Count returned. */
uint32_t fl_target_clusters(const fl_target *t); /* 0 when dense */
typedef enum {
    FL_INIT_ZERO,
    FL_INIT_ONE,
    FL_INIT_TABLE,
    FL_INIT_MATRIX,
    FL_INIT_RESIDUAL, /* what a block adds to its input: small, the more so the more blocks */
    FL_INIT_RECURRENT
} fl_init;
typedef struct {
    char name[96];
    size_t rows, cols; /* vectors: rows = 1 */
    fl_init init;
    bool decay; /* weight decay applies */
} fl_parameter;
uint32_t fl_network_parameters(const fl_network *n, fl_parameter out[FL_PARAMETERS_MAX]);
/* For backbones: one more at the end of a list of *count. */
void fl_parameter_add(fl_parameter *list, uint32_t *count, size_t rows, size_t cols, fl_init init,
                      bool decay, const char *format, ...) FL_PRINTF(7, 8);
/* names: cat.<field>.table type.table amount.table hour.table weekday.table day.table num.w num.b
 *  mlp.w1 mlp.b1 mlp.w2 mlp.b2 ; gru.wx gru.wh gru.bx gru.bh, or transformer.wx transformer.bx, per block i
 *  transformer.i.<fl_block_has>, transformer.norm.gain transformer.norm.bias transformer.out.w transformer.out.b ; per stream s: s.dt.table s.dt.w ;
 *  per target t: s.head.<t>.w [tokens][H] s.head.<t>.b [1][tokens],
 *  factored also s.head.<t>.cw [clusters][H] s.head.<t>.cb ; with copy s.head.<t>.gw [1][H] s.head.<t>.gb [1][1] */

json_t *fl_network_to_json(const fl_network *n);
florin_status fl_network_from_json(fl_network **out, const fl_schema *s, const json_t *j,
                                   florin_error *err);
void fl_network_free(fl_network *n);

#endif
