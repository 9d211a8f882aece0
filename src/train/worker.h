/* Inside of fl_worker, shared by forward.c, heads.c and backward.c. */
#ifndef FL_WORKER_H
#define FL_WORKER_H

#include "train/net.h"

struct fl_worker {
    uint32_t H, D, U, targets, lanes, steps; /* room */
    size_t states;                           /* floats of a lane's state */
    fl_window window;
    float *block;          /* one allocation; the arrays below point into it */
    float *state;          /* [lanes][states], each beginning with h [H] */
    float *numbers;        /* [N][U] */
    float *encoded;        /* [N][D] sum of tables and numbers */
    float *hidden;         /* [N][2D] after relu */
    float *input;          /* [N][D] what enters the backbone */
    float *gates;          /* of a GRU: [N][3H] gx, then r z n, then their gradient */
    float *recurrent;      /* of a GRU: [N][3H] gh, then its gradient */
    float *before, *after; /* [N][H] */
    float *d_before;       /* [N][H] gradient from the heads */
    float *d_after;        /* [lanes][H] */
    float *d_state; /* [N][H] gradient of `after` from losses on states (fl_pass_on_states) */
    double task_loss, contrast_loss, ahead_loss, silence_loss;
    float *d_input, *d_encoded; /* [N][D] */
    float *d_hidden;            /* [N][2D] */
    float *nats;                /* [N][targets] */
    float *part;     /* [N][targets] share of a prediction that is the head's, not the copy's */
    float *total;    /* [N][targets] sums that a softmax over clusters divides by */
    float *kept;     /* [N][columns of the first panel] logits of clusters and gates */
    float *tile;     /* logits of a tile of rows, then their gradients */
    float *gathered; /* [2][FL_PRODUCT_TILE][H] states of a cluster's rows, and their gradients */
    float *picked, *d_picked; /* [N][H] states of the rows that a head looks at */
    uint32_t *pick, *order;   /* [N] positions with weight; positions by cluster */
    float *alike;             /* [FL_SLICES_MAX][FL_SLICES_MAX] of a contrastive pass */
    uint32_t *cluster_at;     /* [clusters + 2] */
    uint32_t *token;          /* [targets][N] */
    float *gradient;          /* [total], NULL without */
    const struct fl_train_backbone *bone;
    void *own;     /* the backbone's */
    void *scratch; /* [FL_PRODUCT_SCRATCH] bytes of the products */
};

/* Floats from one row of a tile to the next: an odd number of cache lines, so that rows do not share cache sets. */
static inline size_t fl_tile_stride(size_t columns)
{
    return ((columns + 15) / 16 | 1) * 16;
}
/* Rows of a tile of so many columns. */
static inline size_t fl_tile_rows(size_t columns)
{
    enum { FLOATS = 1 << 21, LEAST = 14 };
    size_t most = FLOATS / fl_tile_stride(columns);

    return most < LEAST ? LEAST : most < FL_PRODUCT_TILE ? most : FL_PRODUCT_TILE;
}

/* forward.c. Rows to the states before and after each event; with train their gradient is set to zero. */
void fl_worker_forward(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);
/* heads.c. Predicts the targets of all positions with weight from `before`; fills nats; with train also d_before and
 * the heads' gradients. */
void fl_worker_heads(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);
/* task_head.c. The task's logit of all positions with weight and a known label from `after`; fills task_loss; with train
 * adds to d_state and the head's gradient. */
void fl_worker_task(fl_worker *k, const fl_net *net, const fl_pass *pass);
/* contrast.c. Compares the states after the slices that the window holds; fills contrast_loss; with train adds to d_state.
 * Takes pick, picked and d_picked: no heads in the same pass. */
void fl_worker_contrast(fl_worker *k, const fl_net *net, const fl_pass *pass);
/* ahead.c. Predicts what the next events hold from `after` at all positions with weight; fills ahead_loss; with train adds
 * to d_state and the heads' gradient. */
void fl_worker_ahead(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);
/* silence.c. At events after which the entity comes back at another moment, or not at all: the time until then; fills
 * silence_loss; with train adds to d_state and the gap's head. After fl_worker_heads. */
void fl_worker_silence(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);
/* Is there a loss on states after events, so that backwards reads d_state? */
static inline bool fl_pass_on_states(const fl_pass *pass)
{
    return pass->label || pass->contrast > 0 || pass->ahead || pass->silence > 0;
}
/* backward.c. From d_before to all other gradients. */
void fl_worker_backward(fl_worker *k, const fl_net *net, const fl_rows *rows, const fl_pass *pass);
/* Is category field i of this row shown as the unknown token in this step? */
bool fl_field_lost(const fl_pass *pass, uint32_t row, uint32_t field);

#endif
