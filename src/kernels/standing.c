/* Each kernel at the shapes that the models use, from buffers that stay in the cache. Element-wise kernels are judged by
 * the arithmetic they need: an exponential is counted as 20 operations, a division as one. */
#include "kernels/standing.h"
#include "kernels/kernels.h"
#include "kernels/train_ops.h"
#include "kernels/train_product.h"

#include <stdio.h>

enum {
    HIDDEN = 256,
    BUFFER = 4 << 20, /* floats for each thread */
    GRU_OPS = 79,     /* three exponentials, three divisions, a tanh's and a mixture's sums */
    SOFTMAX_OPS = 25,
    THREADS_MOST = 64,
};

typedef struct {
    fl_standing *out;
    uint32_t count;
    const florin_context *ctx;
    /* of the kernel at hand */
    const fl_kernels *kernels;
    const fl_train_ops *ops;
    const fl_products *products;
    size_t m, k, n;
    fl_packed packed;
    fl_packed_matrix matrix;
    float *buffer[THREADS_MOST]; /* [BUFFER] */
    float *scratch[THREADS_MOST];
} bench;

static void add(bench *b, const char *work, const char *tier, uint32_t threads, double rate,
                const char *unit, const char *bound, double limit)
{
    if (b->count == FL_STANDINGS_MAX) return;
    fl_standing *s = &b->out[b->count++];
    snprintf(s->work, sizeof s->work, "%s", work);
    s->tier = tier;
    s->threads = threads;
    s->rate = rate;
    s->unit = unit;
    s->bound = bound;
    s->limit = limit;
}

static void linear(void *arg, uint32_t thread)
{
    const bench *b = arg;
    float *x = b->buffer[thread], *y = x + b->m * b->k;

    b->kernels->linear(y, b->n, x, b->k, (uint32_t)b->m, &b->packed, NULL);
}

static void gates(void *arg, uint32_t thread)
{
    const bench *b = arg;
    float *x = b->buffer[thread];

    b->kernels->gru(x, x + HIDDEN, x + 4 * HIDDEN, HIDDEN);
}

static void log_softmax(void *arg, uint32_t thread)
{
    const bench *b = arg;

    b->kernels->log_softmax(b->buffer[thread], (uint32_t)b->n);
}

static void train_gates(void *arg, uint32_t thread)
{
    const bench *b = arg;
    size_t n = b->m * HIDDEN;
    float *x = b->buffer[thread];

    b->ops->gru(x, x + 3 * n, x + 6 * n, x + 7 * n, b->m, HIDDEN);
}

static void cross_entropy(void *arg, uint32_t thread)
{
    const bench *b = arg;
    float *x = b->buffer[thread];

    for (size_t i = 0; i < b->m; i++) {
        float total;
        b->ops->softmax(x + i * b->n, NULL, b->n, i, &total);
    }
}

static void product(void *arg, uint32_t thread)
{
    const bench *b = arg;
    float *a = b->buffer[thread];
    fl_gemm_hold before;

    fl_products_begin(b->products, &before);
    b->products->product(a + b->m * b->k, b->n, a, b->k, b->m, &b->matrix, false,
                         b->scratch[thread]);
    fl_products_end(b->products, &before);
}

static void outer(void *arg, uint32_t thread)
{
    const bench *b = arg;
    float *a = b->buffer[thread], *y = a + b->m * b->k;
    fl_gemm_hold before;

    fl_products_begin(b->products, &before);
    b->products->outer(y + b->n * b->k, b->n, a, b->m, b->m, y, b->n, b->n, b->k,
                       b->scratch[thread]);
    fl_products_end(b->products, &before);
}

/* ---- inference ---- */

static bool inference_linear(bench *b, fl_team *alone, const fl_peaks *peak, size_t rows, bool int8)
{
    char work[64];

    b->m = rows;
    b->k = HIDDEN;
    b->n = 3 * HIDDEN;
    b->packed =
        (int8 ? b->kernels->pack8 : b->kernels->pack)(b->buffer[0], (uint32_t)b->k, (uint32_t)b->n);
    if (!b->packed.data) return false;
    snprintf(work, sizeof work, "linear %zu x %zu x %zu%s", b->m, b->k, b->n, int8 ? ", int8" : "");
    double us = fl_peak_best_us(alone, linear, b, b->ctx), cells = (double)(b->k * b->n);
    bool dot8 = int8 && peak->giga_ops[FL_PEAK_INT8] > 0;
    double limit = peak->giga_ops[dot8 ? FL_PEAK_INT8 : FL_PEAK_FP32];
    /* One row or two, the streams of an event, are bound by reading the weights; many rows by the products. */
    if (rows <= 2)
        add(b, work, b->kernels->tier, 1, cells * (int8 ? 1 : sizeof(float)) / us * 1e-3, "GB/s",
            "L2 reads", peak->read[FL_PEAK_L2]);
    else
        add(b, work, b->kernels->tier, 1, 2 * cells * (double)rows / us * 1e-3,
            int8 ? "GOP/s" : "GFLOP/s", dot8 ? "int8 peak" : "fp32 peak", limit);
    fl_packed_free(&b->packed);
    return true;
}

static bool inference(bench *b, fl_team *alone, const fl_peaks *peak)
{
    static const char *const tier[] = {"ref", "avx2", "avx512"};
    double limit = peak->giga_ops[FL_PEAK_FP32];

    for (size_t i = 0; i < FL_LEN(tier); i++) {
        b->kernels = fl_kernels_get(tier[i]);
        if (!b->kernels) continue;
        for (int int8 = 0; int8 < 2; int8++)
            if (!inference_linear(b, alone, peak, 1, int8) ||
                !inference_linear(b, alone, peak, 2, int8) ||
                !inference_linear(b, alone, peak, 64, int8))
                return false;
        double us = fl_peak_best_us(alone, gates, b, b->ctx);
        add(b, "gates of a GRU, h 256", tier[i], 1, HIDDEN * GRU_OPS / us * 1e-3, "GFLOP/s",
            "fp32 peak", limit);
        b->n = 1024;
        us = fl_peak_best_us(alone, log_softmax, b, b->ctx);
        add(b, "log-softmax of 1024", tier[i], 1, (double)b->n * SOFTMAX_OPS / us * 1e-3, "GFLOP/s",
            "fp32 peak", limit);
    }
    return true;
}

/* ---- training ---- */

static void training_loops(bench *b, fl_team *alone, const fl_peaks *peak)
{
    double limit = peak->giga_ops[FL_PEAK_FP32], us;

    b->ops = fl_train_ops_get(NULL);
    b->m = 16;
    us = fl_peak_best_us(alone, train_gates, b, b->ctx);
    add(b, "training: gates of a GRU, h 256", b->ops->tier, 1,
        (double)(b->m * HIDDEN * GRU_OPS) / us * 1e-3, "GFLOP/s", "fp32 peak", limit);
    b->n = 1024;
    us = fl_peak_best_us(alone, cross_entropy, b, b->ctx);
    add(b, "training: softmax and loss of 1024", b->ops->tier, 1,
        (double)(b->m * b->n * SOFTMAX_OPS) / us * 1e-3, "GFLOP/s", "fp32 peak", limit);
}

/* y = x W for the trunk's input and a head, the step in time, both ways; then a gradient of weights. */
static bool training_products(bench *b, bool bf16, fl_team *team, const fl_peaks *peak)
{
    static const struct {
        const char *name;
        size_t m, k, n;
        bool outer;
    } shape[] = {{"trunk input", 448, 128, 768, false},
                 {"step in time", 32, 256, 768, false},
                 {"step back in time", 32, 768, 256, false},
                 {"head", FL_PRODUCT_TILE, 256, 1024, false},
                 {"head's weights", 1024, FL_PRODUCT_TILE, 256, true}};
    bool fast = bf16 && fl_products_fast_bf16();

    b->products = fl_products_get(NULL, bf16);
    for (size_t i = 0; i < FL_LEN(shape); i++) {
        char work[64];
        b->m = shape[i].m;
        b->k = shape[i].k;
        b->n = shape[i].n;
        b->matrix = (fl_packed_matrix){
            .data = fl_alloc_aligned(fl_product_bytes(b->k, b->n), 1), .k = b->k, .n = b->n};
        if (!b->matrix.data) return false;
        b->products->pack(&b->matrix, b->buffer[0], b->n, false, 0, 1);
        double us = fl_peak_best_us(team, shape[i].outer ? outer : product, b, b->ctx);
        uint32_t threads = fl_team_size(team);
        snprintf(work, sizeof work, "training: %s %zu x %zu x %zu%s", shape[i].name, b->m, b->k,
                 b->n, bf16 ? ", bf16" : "");
        add(b, work, b->products->tier, threads,
            2.0 * (double)(b->m * b->k * b->n) * threads / us * 1e-3, "GFLOP/s",
            fast ? "bf16 peak" : "fp32 peak", peak->giga_ops[fast ? FL_PEAK_BF16 : FL_PEAK_FP32]);
        free(b->matrix.data);
    }
    return true;
}

static bool buffers(bench *b, uint32_t threads)
{
    fl_rng r;

    fl_rng_seed(&r, 1);
    for (uint32_t t = 0; t < threads; t++) {
        b->buffer[t] = fl_alloc_aligned(BUFFER, sizeof(float));
        b->scratch[t] = fl_alloc_aligned(FL_PRODUCT_SCRATCH, 1);
        if (!b->buffer[t] || !b->scratch[t]) return false;
        for (size_t i = 0; i < BUFFER; i++)
            b->buffer[t][i] = (float)(int32_t)(fl_rng_u64(&r) >> 40) / (1 << 24) - 0.5f;
    }
    return true;
}

uint32_t fl_standings(fl_standing *out, fl_team *alone, const fl_peaks *one, fl_team *team,
                      const fl_peaks *all, const florin_context *ctx)
{
    bench b = {.out = out, .ctx = ctx};
    uint32_t threads = fl_team_size(team);
    bool ok = buffers(&b, threads) && inference(&b, alone, one);

    if (ok) training_loops(&b, alone, one);
    for (int bf16 = 0; ok && bf16 < 2; bf16++) {
        ok = training_products(&b, bf16, alone, one);
        if (ok && threads > 1) ok = training_products(&b, bf16, team, all);
    }
    for (uint32_t t = 0; t < THREADS_MOST; t++) {
        free(b.buffer[t]);
        free(b.scratch[t]);
    }
    return ok ? b.count : 0;
}
