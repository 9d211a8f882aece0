/* Inside of a transformer block, shared by block.c and block_attention.c. */
#ifndef FL_BLOCK_INSIDE_H
#define FL_BLOCK_INSIDE_H

#include "kernels/block.h"

/* Room for one head of one list: queries and keys as fl_attend wants them. */
typedef struct {
    size_t n, keys, dims, across; /* largest */
    uint32_t *from, *to, *own;    /* [n] */
    float *q, *o, *extra, *beyond;
    float *k, *v, *kt, *vt, *p;
    float *d_o, *d_q, *d_extra, *d_beyond, *d_k, *d_v, *d_p;
    float *mean;   /* [n][width] of what fell out */
    float *d_mean; /* [width] */
} fl_head_room;

struct fl_block_work {
    float *block;
    uint32_t *numbers;
    float *stat1, *stat2;   /* [rows][2] */
    float *a, *qkv, *mixed; /* what attention reads, q k v, what it gives before `out` */
    float *sum1, *mid, *b;  /* x + A; the same, or its norm; what the feed-forward layer reads */
    float *up, *act, *sum2; /* [rows][inner] twice; mid + F, post-norm alone */
    float *past;            /* [lists] memories before the pass */
    float *d_wide, *d_qkv, *d_one, *d_two;
    fl_head_room head;
};

void fl_block_attend(const fl_block *b, fl_block_work *k, const fl_block_lists *l);
/* From d_mixed to k->d_qkv. */
void fl_block_attend_back(const fl_block *b, fl_block_work *k, const fl_block_lists *l,
                          const float *d_mixed);

#endif
