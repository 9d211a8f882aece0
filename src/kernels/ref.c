/* The reference tier: what each operation means. Plain C, sums and transcendental functions in double. */
#include "kernels/pack8.h"
#include <math.h>

static fl_packed pack_ref(const float *w, uint32_t in, uint32_t out)
{
    size_t floats = (size_t)in * out + 1;
    fl_packed p = {in, out, fl_alloc_aligned(floats, sizeof(float)), NULL, floats * sizeof(float)};

    if (p.data) memcpy(p.data, w, (size_t)in * out * sizeof(float));
    return p;
}

static void linear_ref(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                       const fl_packed *w, const float *b)
{
    enum { BLOCK = 64 };
    const float *data = w->data;
    double sum[BLOCK];

    for (uint32_t r = 0; r < rows; r++, x += ldx, y += ldy)
        for (uint32_t o = 0; o < w->out; o += BLOCK) {
            uint32_t n = w->out - o < BLOCK ? w->out - o : BLOCK;
            for (uint32_t i = 0; i < n; i++) sum[i] = b ? (double)b[o + i] : 0.0;
            for (uint32_t k = 0; k < w->in; k++)
                for (uint32_t i = 0; i < n; i++)
                    sum[i] += (double)x[k] * (double)data[(size_t)k * w->out + o + i];
            for (uint32_t i = 0; i < n; i++) y[o + i] = (float)sum[i];
        }
}

static fl_packed pack8_ref(const float *w, uint32_t in, uint32_t out)
{
    int8_t *q;
    fl_packed p = fl_pack8(&q, w, in, out, (size_t)in * out);

    for (uint32_t k = 0; q && k < in; k++)
        for (uint32_t o = 0; o < out; o++)
            q[(size_t)k * out + o] = fl_round8(w[(size_t)k * out + o], p.scale[o]);
    return p;
}

static void linear8_ref(float *y, const float *x, const fl_packed *w, const float *b)
{
    const int8_t *q = w->data;
    float top = 0;

    for (uint32_t k = 0; k < w->in; k++) top = fabsf(x[k]) > top ? fabsf(x[k]) : top;
    float unit = fl_unit8(top), by = unit > 0 ? 1.0f / unit : 0;
    for (uint32_t o = 0; o < w->out; o++) {
        int32_t sum = 0;
        for (uint32_t k = 0; k < w->in; k++)
            sum += (int32_t)lrintf(x[k] * by) * q[(size_t)k * w->out + o];
        y[o] = (float)sum * w->scale[o] * unit + (b ? b[o] : 0.0f);
    }
}

static void linear_any_ref(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                           const fl_packed *w, const float *b)
{
    if (!w->scale) linear_ref(y, ldy, x, ldx, rows, w, b);
    else
        for (uint32_t r = 0; r < rows; r++) linear8_ref(y + r * ldy, x + r * ldx, w, b);
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

static void log_ref(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) x[i] = (float)log((double)x[i]);
}

static float sum_ref(const float *x, uint32_t n)
{
    double sum = 0;

    for (uint32_t i = 0; i < n; i++) sum += (double)x[i];
    return (float)sum;
}

static float exp_sum_ref(float *x, uint32_t n, float *top)
{
    *top = x[0];
    for (uint32_t i = 1; i < n; i++)
        if (x[i] > *top) *top = x[i];
    for (uint32_t i = 0; i < n; i++) x[i] = (float)exp((double)x[i] - (double)*top);
    return sum_ref(x, n);
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

float fl_squash(float x)
{
    float a = fabsf(x), m, y, z;
    uint32_t bits;

    if (!(a <= 3e38f)) a = isnan(a) ? 0.0f : 3e38f;
    a += 1.0f;
    memcpy(&bits, &a, 4);
    int e = (int)(bits >> 23) - 127;
    bits = (bits & 0x7fffffu) | 0x3f800000u;
    memcpy(&m, &bits, 4);
    if (m > 1.41421356f) {
        m *= 0.5f;
        e++;
    }
    m -= 1.0f;
    z = m * m;
    y = 7.0376836292e-2f;
    y = y * m - 1.1514610310e-1f;
    y = y * m + 1.1676998740e-1f;
    y = y * m - 1.2420140846e-1f;
    y = y * m + 1.4249322787e-1f;
    y = y * m - 1.6668057665e-1f;
    y = y * m + 2.0000714765e-1f;
    y = y * m - 2.4999993993e-1f;
    y = y * m + 3.3333331174e-1f;
    y = y * m * z - 0.5f * z + m;
    y += (float)e * 0.693147181f;
    return copysignf(y, x);
}

static void squash_ref(float *y, const float *x, const float *mean, const float *scale, float limit,
                       uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        float v = (fl_squash(x[i]) - mean[i]) / scale[i];
        y[i] = v < -limit ? -limit : v > limit ? limit : v;
    }
}

static void to8_ref(int8_t *y, const float *x, uint32_t turn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        float v = x[i] < -1 ? -1 : x[i] > 1 ? 1 : x[i];
        y[i] = (int8_t)floorf(v * 127.0f + fl_dither8(turn, i));
    }
}

static void from8_ref(float *y, const int8_t *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) y[i] = (float)x[i] * (1.0f / 127.0f);
}

const fl_kernels *fl_kernels_ref(void)
{
    static const fl_kernels table = {
        .tier = "ref",
        .pack = pack_ref,
        .pack8 = pack8_ref,
        .linear = linear_any_ref,
        .add = add_ref,
        .axpy = axpy_ref,
        .relu = relu_ref,
        .gru = gru_ref,
        .dot = dot_ref,
        .dots = dots_ref,
        .exp = exp_ref,
        .log = log_ref,
        .sum = sum_ref,
        .exp_sum = exp_sum_ref,
        .log_softmax = log_softmax_ref,
        .squash = squash_ref,
        .to8 = to8_ref,
        .from8 = from8_ref,
    };

    return &table;
}
