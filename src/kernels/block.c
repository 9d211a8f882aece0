/* Owns the order of a transformer block's layers and their buffers; attention itself is block_attention.c. */
#include "kernels/block_inside.h"

/* ---- buffers ---- */

typedef struct {
    float **at;
    size_t floats;
} part;

static size_t lay_out(const part *list, size_t n, float *block)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        *list[i].at = block && list[i].floats ? block + at : NULL;
        at += (list[i].floats + 15) / 16 * 16;
    }
    return at;
}

static size_t lay_out_all(fl_block_work *k, const fl_block_shape *s, size_t N, size_t lists,
                          bool gradient, float *block)
{
    size_t D = s->width, F = s->inner, post = s->pre_norm ? 0 : N * D, back = gradient ? 1 : 0;
    fl_head_room *h = &k->head;
    size_t queries = h->n * h->dims, keys = h->keys * h->dims, turned = h->dims * h->across;
    const part list[] = {
        {&k->stat1, 2 * N},
        {&k->stat2, 2 * N},
        {&k->a, s->pre_norm ? N * D : 0},
        {&k->qkv, 3 * N * D},
        {&k->mixed, N * D},
        {&k->sum1, post},
        {&k->mid, N * D},
        {&k->b, s->pre_norm ? N * D : 0},
        {&k->up, N * F},
        {&k->act, N * F},
        {&k->sum2, post},
        {&k->past, s->causal ? back * lists * fl_block_memory(s) : 0},
        {&k->d_wide, back * N * F},
        {&k->d_qkv, back * 3 * N * D},
        {&k->d_one, back * N * D},
        {&k->d_two, back * N * D},
        {&h->q, queries},
        {&h->o, queries},
        {&h->extra, h->n},
        {&h->beyond, queries},
        {&h->k, keys},
        {&h->v, keys},
        {&h->kt, turned},
        {&h->vt, back * turned},
        {&h->p, h->across},
        {&h->d_o, back * queries},
        {&h->d_q, back * queries},
        {&h->d_extra, back * h->n},
        {&h->d_beyond, back * queries},
        {&h->d_k, back * keys},
        {&h->d_v, back * keys},
        {&h->d_p, back * h->across},
        {&h->mean, s->history ? h->n * D : 0},
        {&h->d_mean, s->history ? D : 0},
    };

    return lay_out(list, FL_LEN(list), block);
}

fl_block_work *fl_block_work_new(const fl_block_shape *s, uint32_t rows, uint32_t lists,
                                 uint32_t longest, bool gradient)
{
    fl_block_work *k = fl_calloc(1, sizeof *k);

    if (!k) return NULL;
    fl_head_room *h = &k->head;
    h->n = longest;
    h->keys = (size_t)longest + (s->causal ? s->window : 0);
    h->dims = (s->width / s->heads + FL_ATTEND_LANES - 1) / FL_ATTEND_LANES * FL_ATTEND_LANES;
    h->across = (h->keys + 2 * FL_ATTEND_LANES - 1) / FL_ATTEND_LANES * FL_ATTEND_LANES;
    k->block = fl_alloc_aligned(lay_out_all(k, s, rows, lists, gradient, NULL), sizeof(float));
    k->numbers = fl_calloc((size_t)3 * longest, sizeof *k->numbers);
    if (!k->block || !k->numbers) {
        fl_block_work_free(k);
        return NULL;
    }
    lay_out_all(k, s, rows, lists, gradient, k->block);
    h->from = k->numbers;
    h->to = h->from + longest;
    h->own = h->to + longest;
    return k;
}

void fl_block_work_free(fl_block_work *k)
{
    if (!k) return;
    free(k->block);
    free(k->numbers);
    free(k);
}

/* ---- forward ---- */

static void add_bias(const fl_block *b, float *y, fl_block_parameter p, size_t rows, size_t n)
{
    for (size_t i = 0; b->w[p] && i < rows; i++) b->ops->add(y + i * n, b->w[p], n);
}

static void norm(const fl_block *b, float *y, float *stat, const float *x, bool second, size_t rows)
{
    b->own->norm(y, stat, x, b->w[second ? FL_BLOCK_NORM2_GAIN : FL_BLOCK_NORM1_GAIN],
                 b->w[second ? FL_BLOCK_NORM2_BIAS : FL_BLOCK_NORM1_BIAS], b->shape->epsilon, rows,
                 b->shape->width);
}

/* sum = x + A(a), with q, k and v kept. */
static void attention(const fl_block *b, fl_block_work *k, const fl_block_lists *l, const float *x,
                      const float *a, float *sum)
{
    size_t N = l->rows, D = b->shape->width;
    const fl_products *p = b->products;

    p->product(k->qkv, 3 * D, a, D, N, b->forward[0], false, b->scratch);
    add_bias(b, k->qkv, FL_BLOCK_QKV_BIAS, N, 3 * D);
    fl_block_attend(b, k, l);
    memcpy(sum, x, N * D * sizeof *sum);
    p->product(sum, D, k->mixed, D, N, b->forward[1], true, b->scratch);
    add_bias(b, sum, FL_BLOCK_OUT_BIAS, N, D);
}

/* sum = mid + F(x). */
static void feed_forward(const fl_block *b, fl_block_work *k, size_t N, const float *x, float *sum)
{
    size_t D = b->shape->width, F = b->shape->inner;
    const fl_products *p = b->products;

    p->product(k->up, F, x, D, N, b->forward[2], false, b->scratch);
    b->own->gelu(k->act, k->up, b->w[FL_BLOCK_UP_BIAS], N, F);
    memcpy(sum, k->mid, N * D * sizeof *sum);
    p->product(sum, D, k->act, F, N, b->forward[3], true, b->scratch);
    add_bias(b, sum, FL_BLOCK_DOWN_BIAS, N, D);
}

void fl_block_forward(const fl_block *b, fl_block_work *k, const fl_block_lists *l, const float *x,
                      float *y)
{
    if (b->shape->pre_norm) {
        norm(b, k->a, k->stat1, x, false, l->rows);
        attention(b, k, l, x, k->a, k->mid);
        norm(b, k->b, k->stat2, k->mid, true, l->rows);
        feed_forward(b, k, l->rows, k->b, y);
    } else {
        attention(b, k, l, x, x, k->sum1);
        norm(b, k->mid, k->stat1, k->sum1, false, l->rows);
        feed_forward(b, k, l->rows, k->mid, k->sum2);
        norm(b, y, k->stat2, k->sum2, true, l->rows);
    }
}

/* ---- backward ---- */

static void bias_back(const fl_block *b, fl_block_parameter p, const float *d, size_t rows,
                      size_t n)
{
    if (b->gradient[p]) b->ops->column_sums(b->gradient[p], d, rows, n);
}

/* d_x += the gradient of x. */
static void norm_back(const fl_block *b, float *d_x, const float *d_y, const float *x,
                      const float *stat, bool second, size_t rows)
{
    fl_block_parameter gain = second ? FL_BLOCK_NORM2_GAIN : FL_BLOCK_NORM1_GAIN;

    b->own->norm_back(d_x, b->gradient[gain],
                      b->gradient[second ? FL_BLOCK_NORM2_BIAS : FL_BLOCK_NORM1_BIAS], d_y, x, stat,
                      b->w[gain], rows, b->shape->width);
}

/* From the gradient of F to d_x, that of its input. */
static void feed_forward_back(const fl_block *b, fl_block_work *k, size_t N, const float *x,
                              const float *d, float *d_x)
{
    size_t D = b->shape->width, F = b->shape->inner;
    const fl_products *p = b->products;

    bias_back(b, FL_BLOCK_DOWN_BIAS, d, N, D);
    p->outer(b->gradient[FL_BLOCK_DOWN], D, k->act, F, F, d, D, D, N, b->scratch);
    p->product(k->d_wide, F, d, D, N, b->backward[3], false, b->scratch);
    b->own->gelu_back(k->d_wide, k->up, N * F);
    bias_back(b, FL_BLOCK_UP_BIAS, k->d_wide, N, F);
    p->outer(b->gradient[FL_BLOCK_UP], F, x, D, D, k->d_wide, F, F, N, b->scratch);
    p->product(d_x, D, k->d_wide, F, N, b->backward[2], false, b->scratch);
}

/* From the gradient of A to d_x, that of its input; d_x is room on the way. */
static void attention_back(const fl_block *b, fl_block_work *k, const fl_block_lists *l,
                           const float *x, const float *d, float *d_x)
{
    size_t N = l->rows, D = b->shape->width;
    const fl_products *p = b->products;

    bias_back(b, FL_BLOCK_OUT_BIAS, d, N, D);
    p->outer(b->gradient[FL_BLOCK_OUT], D, k->mixed, D, D, d, D, D, N, b->scratch);
    p->product(d_x, D, d, D, N, b->backward[1], false, b->scratch);
    fl_block_attend_back(b, k, l, d_x);
    bias_back(b, FL_BLOCK_QKV_BIAS, k->d_qkv, N, 3 * D);
    p->outer(b->gradient[FL_BLOCK_QKV], 3 * D, x, D, D, k->d_qkv, 3 * D, 3 * D, N, b->scratch);
    p->product(d_x, D, k->d_qkv, 3 * D, N, b->backward[0], false, b->scratch);
}

void fl_block_backward(const fl_block *b, fl_block_work *k, const fl_block_lists *l, const float *x,
                       float *d_y, float *d_x)
{
    size_t N = l->rows, n = N * b->shape->width;

    if (b->shape->pre_norm) {
        feed_forward_back(b, k, N, k->b, d_y, k->d_one);
        norm_back(b, d_y, k->d_one, k->mid, k->stat2, true, N); /* d_y: now that of mid */
        attention_back(b, k, l, k->a, d_y, k->d_one);
        memcpy(d_x, d_y, n * sizeof *d_x);
        norm_back(b, d_x, k->d_one, x, k->stat1, false, N);
    } else {
        memset(k->d_two, 0, n * sizeof *d_x);
        norm_back(b, k->d_two, d_y, k->sum2, k->stat2, true, N);
        feed_forward_back(b, k, N, k->mid, k->d_two, k->d_one);
        b->ops->add(k->d_two, k->d_one, n); /* that of mid */
        memset(d_y, 0, n * sizeof *d_y);
        norm_back(b, d_y, k->d_two, k->sum1, k->stat1, false, N);
        attention_back(b, k, l, x, d_y, d_x);
        b->ops->add(d_x, d_y, n);
    }
}
