/* The reference tier: what each operation means. Plain C, sums and transcendental functions in double. */
#include "kernels/kernels.h"
#include <math.h>

static fl_packed pack_ref(const float *w, uint32_t in, uint32_t out)
{
    fl_packed p = {in, out, fl_alloc_aligned((size_t)in * out + 1, sizeof(float))};

    if (p.data) memcpy(p.data, w, (size_t)in * out * sizeof(float));
    return p;
}

static void linear_ref(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                       const fl_packed *w, const float *b)
{
    enum { BLOCK = 64 };
    double sum[BLOCK];

    for (uint32_t r = 0; r < rows; r++, x += ldx, y += ldy)
        for (uint32_t o = 0; o < w->out; o += BLOCK) {
            uint32_t n = w->out - o < BLOCK ? w->out - o : BLOCK;
            for (uint32_t i = 0; i < n; i++) sum[i] = b ? (double)b[o + i] : 0.0;
            for (uint32_t k = 0; k < w->in; k++)
                for (uint32_t i = 0; i < n; i++)
                    sum[i] += (double)x[k] * (double)w->data[(size_t)k * w->out + o + i];
            for (uint32_t i = 0; i < n; i++) y[o + i] = (float)sum[i];
        }
}

static void add_ref(float *y, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) y[i] += x[i];
}

static void axpy_ref(float *y, float a, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) y[i] = (float)((double)y[i] + (double)a * (double)x[i]);
}

static void relu_ref(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* Cho et al. 2014, with the reset gate after the product as in PyTorch's nn.GRU. */
static void gru_ref(float *h, const float *gx, const float *gh, uint32_t H)
{
    for (uint32_t i = 0; i < H; i++) {
        double r = sigmoid((double)gx[i] + (double)gh[i]);
        double z = sigmoid((double)gx[H + i] + (double)gh[H + i]);
        double n = tanh((double)gx[2 * H + i] + r * (double)gh[2 * H + i]);
        h[i] = (float)((1.0 - z) * n + z * (double)h[i]);
    }
}

static float dot_ref(const float *a, const float *b, uint32_t n)
{
    double sum = 0;

    for (uint32_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return (float)sum;
}

static void dots_ref(float *y, const float *w, const float *x, const float *b, uint32_t rows,
                     uint32_t n)
{
    for (uint32_t r = 0; r < rows; r++) y[r] = dot_ref(w + (size_t)r * n, x, n) + (b ? b[r] : 0.0f);
}

static void exp_ref(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        double v = (double)x[i];
        x[i] = (float)exp(v < -87.0 ? -87.0 : v > 88.0 ? 88.0 : v);
    }
}

static void log_softmax_ref(float *x, uint32_t n)
{
    double top = (double)x[0], sum = 0;

    for (uint32_t i = 1; i < n; i++)
        if ((double)x[i] > top) top = (double)x[i];
    for (uint32_t i = 0; i < n; i++) sum += exp((double)x[i] - top);
    top += log(sum);
    for (uint32_t i = 0; i < n; i++) x[i] = (float)((double)x[i] - top);
}

const fl_kernels *fl_kernels_ref(void)
{
    static const fl_kernels table = {
        .tier = "ref",
        .pack = pack_ref,
        .linear = linear_ref,
        .add = add_ref,
        .axpy = axpy_ref,
        .relu = relu_ref,
        .gru = gru_ref,
        .dot = dot_ref,
        .dots = dots_ref,
        .exp = exp_ref,
        .log_softmax = log_softmax_ref,
    };

    return &table;
}
