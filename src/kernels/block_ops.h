/* The loops of a transformer block that are no matrix products, one table per tier, compiled from one text without fused
 * products or reordered sums: all tiers give the same bytes. fp32, rows one after the other; arrays may not overlap unless said. */
#ifndef FL_BLOCK_OPS_H
#define FL_BLOCK_OPS_H

#include "base/base.h"

/* Attention of one head over one list of keys. Query i sees keys [from[i], to[i]), which may not be empty.
 * p(j) = softmax of scale * q_i k_j + distance[j - own[i]] over these keys and, with `extra`, one token more, whose score is
 * extra[i] and whose value is beyond[i]. o_i = sum of p(j) v_j. */
typedef struct {
    size_t n, dims, keys; /* dims: a multiple of FL_ATTEND_LANES; what a head lacks is zero */
    size_t across;        /* floats of a row of kt, vt: at least keys + FL_ATTEND_LANES */
    const uint32_t *from, *to, *own;
    float scale;
    const float *q;        /* [n][dims] */
    const float *k, *v;    /* [keys][dims] */
    const float *kt, *vt;  /* [dims][across] the same, turned; vt for attend_back alone */
    const float *distance; /* points at distance 0; NULL: none */
    const float *extra;    /* [n], NULL: no token more */
    const float *beyond;   /* [n][dims] */
    float *o;              /* [n][dims] */
    float *p;              /* [across] room */
    /* attend_back: from the gradient of o those of the others; all but d_q, d_extra and d_beyond are added to. */
    const float *d_o;
    float *d_q, *d_k, *d_v, *d_distance, *d_extra, *d_beyond;
    float *d_p; /* [across] room */
} fl_attend;
enum { FL_ATTEND_LANES = 8 };

/* One query against a ring of keys and values, of which the first `used` places are taken; `newest` is the query's own event,
 * and others are older the further back they lie, round the ring. The sum is that of fl_attend. */
typedef struct {
    size_t width, heads, window, used, newest;
    float scale;
    const float *q;               /* [width] */
    const float *k, *v;           /* [window][width], or NULL and */
    const int8_t *k8, *v8;        /* the same in 8 bits, times */
    const float *k_unit, *v_unit; /* [window][heads] */
    const float *distance;        /* [heads][window]: of age window - 1 first; NULL: none */
    const float *extra;           /* [heads] score of one token more; NULL: none */
    const float *beyond;          /* [width] its value */
    float *p;                     /* [used][heads] room */
    float *row;                   /* [width] room */
    float *o;                     /* [width] */
} fl_attend_ring;

typedef struct {
    const char *tier;
    /* Layer norm (Ba et al. 2016): y = (x - mean) / sqrt(variance + epsilon) * gain + bias (NULL: none); stat [rows][2]: mean
     * and 1 / sqrt(...), for the way back. y may be x. */
    void (*norm)(float *y, float *stat, const float *x, const float *gain, const float *bias,
                 float epsilon, size_t rows, size_t n);
    /* d_x += the gradient of x; d_gain and d_bias (NULL: none) are added to. */
    void (*norm_back)(float *d_x, float *d_gain, float *d_bias, const float *d_y, const float *x,
                      const float *stat, const float *gain, size_t rows, size_t n);
    /* x += bias (NULL: none), then y = x Phi(x): the exact form (Hendrycks & Gimpel 2016), with erf by Abramowitz & Stegun
     * 7.1.26, within 1.5e-7. */
    void (*gelu)(float *y, float *x, const float *bias, size_t rows, size_t n);
    void (*gelu_back)(float *d, const float *x, size_t n); /* d *= gelu'(x) */
    void (*attend)(const fl_attend *a);
    void (*attend_back)(const fl_attend *a);
    void (*attend_ring)(const fl_attend_ring *a);
    void (*tanh)(float *x, const float *bias, size_t rows, size_t n); /* x = tanh(x + bias) */
    void (*tanh_back)(float *d, const float *y, size_t n);            /* d *= 1 - y^2 */
} fl_block_ops;

/* Best tier of this CPU, or the named one ("ref", "avx2", "avx512"); NULL: unknown or not supported here. */
const fl_block_ops *fl_block_ops_get(const char *tier);

#endif
