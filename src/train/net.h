/* The trainable network: all parameters in one array, laid out so that a stream's dense heads form one matrix, and one
 * step's forward and backward over windows of sequences.
 *
 * Letters: N rows of a share (steps x lanes, step-major), L lanes, H state, D encoder, U number inputs, V columns of
 * the dense block: the clusters of every factored target and a copy gate per target, then the targets that are predicted
 * in one softmax. */
#ifndef FL_NET_H
#define FL_NET_H

#include "kernels/block_shape.h"
#include "kernels/train_ops.h"
#include "kernels/train_product.h"
#include "model/network.h"
#include "train/rows.h"

enum { FL_SLICES = 4, FL_AHEAD_TOKENS = 64 };

/* A target's columns in the dense block: its tokens, or its clusters. */
typedef struct {
    uint32_t target, first, size;
} fl_segment;

/* Columns of the dense block that are multiplied together: segments [from, to). The first panel holds all clusters and
 * the gates, the others whole targets. */
typedef struct {
    uint32_t first, columns, from, to;
} fl_panel;
enum { FL_PANELS_MAX = FL_TARGETS_MAX + 1 };

typedef struct {
    size_t dt_table, dt_w;      /* offsets */
    size_t dense_w, dense_b;    /* [V][H], [V] */
    uint32_t V, gate, segments; /* gate: first column of the copy gates, one per target */
    fl_segment segment[FL_TARGETS_MAX];
    uint32_t panels;
    fl_panel panel[FL_PANELS_MAX];
    size_t member_w[FL_TARGETS_MAX],
        member_b[FL_TARGETS_MAX]; /* factored targets: [tokens][H], [tokens] */
    size_t task_w, task_b;        /* with heads of tasks: [tasks][H], [tasks] */
    size_t ahead_w, ahead_b;      /* with heads of several future events: [columns][H], [columns] */
    size_t from, to;              /* the stream's own parameters */
} fl_net_stream;

/* A matrix of which fine-tuning changes a low-rank part alone: W = base + A B (Hu et al. 2021, arXiv:2106.09685). */
typedef struct {
    size_t w, a, b,
        base; /* offsets of [rows][cols], [rows][rank], [rank][cols]; base: into fl_net.base */
    size_t rows, cols;
} fl_low_rank;
enum { FL_LOW_RANKS = 5 + FL_LAYERS_MAX * FL_BLOCK_MATRICES, FL_RANK_MAX = 64 };

typedef struct {
    const fl_network *network;
    const fl_train_ops *ops;
    fl_parameter *list; /* [parameters], as fl_network_parameters */
    size_t *offset;     /* [parameters] */
    uint32_t parameters, targets;
    fl_target target[FL_TARGETS_MAX];
    size_t category[FL_CATEGORIES_MAX], type, amount, hour, weekday, day;
    size_t num_w, num_b, w1, b1, w2, b2;
    size_t wx, bx, wh, bh; /* of the backbone; SIZE_MAX: it has none */
    size_t block[FL_LAYERS_MAX][FL_BLOCK_PARAMETERS], norm_gain, norm_bias, out_w, out_b;
    size_t shared_to; /* what both streams share, encoder and backbone: [0, shared_to) */
    fl_net_stream stream[FL_STREAMS];
    size_t total;
    float *w; /* [total] */
    /* Of several future events (ahead.h): columns of target t are [ahead_at[t], ahead_at[t + 1]), the last two those of the
     * sum and the time; ahead: how many there are, 0 without. */
    uint32_t ahead, ahead_at[FL_TARGETS_MAX + 1];
    /* For fine-tuning. */
    uint32_t own;   /* parameters that are the network's; what serves training alone follows */
    uint8_t *fixed; /* [parameters] 1: the optimiser leaves it */
    uint32_t tasks; /* heads on each stream's state */
    uint32_t rank;  /* 0: whole matrices move */
    uint32_t lows;
    fl_low_rank low[FL_LOW_RANKS]; /* [lows] */
    float *base;                   /* the low-rank matrices as they were */
} fl_net;

florin_status fl_net_new(fl_net **out, const fl_network *network, florin_error *err);
/* The same with a logistic head of each of `tasks` tasks on each stream's state, and with rank > 0 a low-rank part of each matrix of
 * encoder and backbone. */
florin_status fl_net_new_task(fl_net **out, const fl_network *network, uint32_t tasks,
                              uint32_t rank, florin_error *err);
/* The same with heads of several future events on each stream's state. */
florin_status fl_net_new_ahead(fl_net **out, const fl_network *network, florin_error *err);
void fl_net_free(fl_net *net);
/* low.c. Keep the matrices as they are now as the base; then, after a step, add the low-rank parts to it; and turn the
 * gradient of the matrices into that of the parts. Nothing where rank is 0. */
void fl_net_low_begin(fl_net *net);
void fl_net_low_merge(fl_net *net);
void fl_net_low_gradient(const fl_net *net, float *gradient);
/* Initial values by seed and each parameter's name. */
void fl_net_init(fl_net *net, uint64_t seed);
/* Biases of a stream's heads = log of the smoothed popularity of each token: counts [targets] of [tokens]. */
void fl_net_bias(fl_net *net, int stream, double *const *counts);
/* Biases of a stream's copy gates = the mixing that would be best if the heads knew popularity alone. */
void fl_net_gates(fl_net *net, int stream, const fl_rows *rows, double *const *counts);

/* A weight matrix as the products want it: for y = x W, and for the gradient of x. */
typedef struct {
    fl_packed_matrix forward, backward;
} fl_pack;

/* All matrices but the members of clusters, of which a step may touch few, packed anew whenever the weights have changed;
 * shared by all workers. */
typedef struct {
    const fl_products *products;
    uint32_t what;
    fl_pack numbers, mlp1, mlp2, wx, wh, layer[FL_LAYERS_MAX][FL_BLOCK_MATRICES], out;
    fl_pack panel[FL_STREAMS][FL_PANELS_MAX], ahead[FL_STREAMS];
    void *block;
} fl_packs;

/* what: FL_PACK_HEADS for passes that predict, FL_PACK_BACKWARD for those that train. */
enum { FL_PACK_HEADS = 1, FL_PACK_BACKWARD = 2 };
florin_status fl_packs_new(fl_packs **out, const fl_net *net, const fl_products *products,
                           uint32_t what, florin_error *err);
void fl_packs_free(fl_packs *p);
/* Part `part` of `parts`, which may run at once; all must end before a pass. */
void fl_packs_fill(fl_packs *p, const fl_net *net, uint32_t part, uint32_t parts);

/* One share of a window: what a step reads. Positions [steps][lanes]. */
typedef struct {
    uint32_t lanes, steps;
    uint32_t *row;      /* FL_NO_ROW: nothing here, the state stays (never in a pass that trains) */
    uint32_t *previous; /* row before it in the sequence, FL_NO_ROW: the entity's first event */
    uint8_t *fresh;     /* 1: the state before it is zero */
    float *weight;      /* of its loss; 0: context only */
    uint32_t *slice; /* contrastive passes: 1 + entity of the slice that ends here; 0: none does */
} fl_window;

typedef struct fl_worker fl_worker; /* buffers of one share; one thread at a time */
/* Room for `lanes` x `steps` positions. gradient: with gradients. */
florin_status fl_worker_new(fl_worker **out, const fl_net *net, uint32_t lanes, uint32_t steps,
                            bool gradient, florin_error *err);
void fl_worker_free(fl_worker *k);
fl_window *fl_worker_window(
    fl_worker *k); /* to be filled before a pass; lanes, steps may be less than the room */
size_t fl_worker_states(const fl_worker *k); /* floats of a lane's state */
float *
fl_worker_state(fl_worker *k); /* [lanes][states] before the window, after the pass: after it */
float *fl_worker_gradient(
    fl_worker *k); /* [total]; what is shared and the stream's own range are written */
const float *fl_worker_nats(const fl_worker *k); /* [N][targets]: -log p, 0 where weight is 0 */
double
fl_worker_task_loss(const fl_worker *k); /* sum over tasks of label_weight times the task's loss */
double
fl_worker_contrast_loss(const fl_worker *k); /* sum over slices of pass->contrast times theirs */
double fl_worker_silence_loss(
    const fl_worker *k); /* sum of silence times each position's weight and loss */
double fl_worker_ahead_loss(
    const fl_worker *k); /* sum of ahead_weight times each position's weight and loss */

typedef struct {
    int stream;
    bool train;    /* else no dropout, no gradient */
    uint64_t seed; /* of this step's dropout */
    double dropout;
    const fl_packs *packs;     /* of the weights as they are now */
    const float *const *label; /* [net->tasks] of [rows]: 0 .. 1, below 0: unknown; NULL: no task */
    const float *label_weight; /* [net->tasks] of each row's loss */
    bool states_alone;         /* the next event is not predicted */
    float
        contrast; /* weight of each slice's contrastive loss (contrast.h); 0: none. With states_alone */
    const struct fl_ahead *ahead; /* several future events (ahead.h); NULL: none */
    float ahead_weight;           /* of their loss, times each position's weight */
    float silence; /* weight of how long entities stay away (silence.c), times each position's */
} fl_pass;
/* Forward; with pass->train also backward: gradients of sum(weight * -log p over targets) replace those there were. */
void fl_worker_pass(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);

/* The passes of a step, in order, `parts` workers for each: one of each stream that there is, or two, the next event's and
 * the contrastive one. */
typedef struct {
    fl_team *team;
    fl_packs *packs; /* filled anew from the weights first */
    const fl_net *net;
    const fl_rows *rows;
    fl_worker *const *worker; /* [workers] */
    uint32_t workers, parts;
    fl_pass pass[2 * FL_STREAMS];
} fl_train_step;
void fl_train_step_run(fl_train_step *s);

/* AdamW over all parameters: gradients of the workers are summed in order, clipped by their norm, applied. */
typedef struct {
    float *m, *v;   /* [total] */
    double *square; /* sums of the gradient's squares, by block */
    uint64_t steps;
    double rate, clip, decay;
    fl_team *team; /* not its own */
} fl_optimiser;
florin_status fl_optimiser_new(fl_optimiser *o, const fl_net *net, fl_team *team,
                               florin_error *err);
void fl_optimiser_free(fl_optimiser *o);
/* Forget all earlier steps. */
void fl_optimiser_reset(fl_optimiser *o, const fl_net *net);
/* Workers: as many of each stream that the network has, the payer's first. Returns the norm before clipping; not finite:
 * nothing was changed. Allocates nothing. */
double fl_optimiser_step(fl_optimiser *o, fl_net *net, fl_worker *const *worker, uint32_t workers);

#endif
