/* Element-wise operations and reductions, AVX-512. A tail is loaded by mask and goes through the same arithmetic as a
 * full register, so a value's result does not depend on its place. */
#include "kernels/linear_avx512.h"
#include "kernels/pack8.h"

#if defined(__AVX512F__)
#include "kernels/math_avx512.h"
#include <math.h>

static void add(float *y, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(y + i, m, _mm512_add_ps(get(y + i, m), get(x + i, m)));
    }
}

static void axpy(float *y, float a, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(y + i, m, _mm512_fmadd_ps(all(a), get(x + i, m), get(y + i, m)));
    }
}

static void relu(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(x + i, m, _mm512_max_ps(get(x + i, m), _mm512_setzero_ps()));
    }
}

/* exp(by x / log2 e) for a gate, by = log2 e times the factor: beyond 2^57 a gate is shut or open in any case. */
INLINE __m512 gate_exp(__m512 x, float by)
{
    __m512 t = _mm512_mul_ps(x, all(by));
    t = _mm512_max_ps(_mm512_min_ps(t, all(57.0f)), all(-57.0f));
    __m512 k = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = _mm512_sub_ps(t, k), p = all(1.327647129e-3f);
    p = _mm512_fmadd_ps(p, f, all(9.675540961e-3f));
    p = _mm512_fmadd_ps(p, f, all(5.550713092e-2f));
    p = _mm512_fmadd_ps(p, f, all(2.402212024e-1f));
    p = _mm512_fmadd_ps(p, f, all(6.931469440e-1f));
    p = _mm512_fmadd_ps(p, f, all(1.000000119f));
    return _mm512_scalef_ps(p, k);
}

/* With a = exp(-z), b = exp(-2 n): z = 1 / (1 + a), n = (1 - b) / (1 + b), so that one division gives
 * h' = (1 - z) n + z h = (a (1 - b) + h (1 + b)) / ((1 + a) (1 + b)). */
static void gru(float *h, const float *gx, const float *gh, uint32_t H)
{
    const float log2_e = 1.44269504f;
    const __m512 one = all(1.0f);

    for (uint32_t i = 0; i < H; i += LANE, gx += LANE, gh += LANE) {
        __mmask16 m = lanes(H - i);
        __m512 r = gate_exp(_mm512_add_ps(get(gx, m), get(gh, m)), -log2_e);
        __m512 a = gate_exp(_mm512_add_ps(get(gx + H, m), get(gh + H, m)), -log2_e);
        r = _mm512_div_ps(one, _mm512_add_ps(one, r));
        __m512 n = _mm512_fmadd_ps(r, get(gh + 2 * (size_t)H, m), get(gx + 2 * (size_t)H, m));
        __m512 b = gate_exp(n, -2 * log2_e), more = _mm512_add_ps(one, b);
        __m512 up = _mm512_fmadd_ps(get(h + i, m), more, _mm512_mul_ps(a, _mm512_sub_ps(one, b)));
        put(h + i, m, _mm512_div_ps(up, _mm512_mul_ps(_mm512_add_ps(one, a), more)));
    }
}

static float dot(const float *a, const float *b, uint32_t n)
{
    __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                   _mm512_setzero_ps()};

    for (uint32_t i = 0; i < n; i += 4 * LANE)
        for (uint32_t j = 0; j < 4 && i + j * LANE < n; j++) {
            uint32_t at = i + j * LANE;
            __mmask16 m = lanes(n - at);
            s[j] = _mm512_fmadd_ps(get(a + at, m), get(b + at, m), s[j]);
        }
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

static void dots(float *y, const float *w, const float *x, const float *b, uint32_t rows,
                 uint32_t n)
{
    for (uint32_t r = 0; r < rows; r++) y[r] = dot(w + (size_t)r * n, x, n) + (b ? b[r] : 0.0f);
}

static void exponential(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(x + i, m, exp16(get(x + i, m)));
    }
}

static void logarithm(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(x + i, m, log16(_mm512_mask_loadu_ps(all(1.0f), m, x + i)));
    }
}

static float sum(const float *x, uint32_t n)
{
    __m512 s = _mm512_setzero_ps();

    for (uint32_t i = 0; i < n; i += LANE) s = _mm512_add_ps(s, get(x + i, lanes(n - i)));
    return _mm512_reduce_add_ps(s);
}

static float exp_sum(float *x, uint32_t n, float *largest)
{
    __m512 top = all(x[0]), s = _mm512_setzero_ps();

    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        top = _mm512_mask_max_ps(top, m, top, get(x + i, m));
    }
    *largest = _mm512_reduce_max_ps(top);
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        __m512 e = exp16(_mm512_sub_ps(get(x + i, m), all(*largest)));
        s = _mm512_mask_add_ps(s, m, s, e);
        put(x + i, m, e);
    }
    return _mm512_reduce_add_ps(s);
}

static void log_softmax(float *x, uint32_t n)
{
    __m512 top = all(x[0]), s = _mm512_setzero_ps();

    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        top = _mm512_mask_max_ps(top, m, top, get(x + i, m));
    }
    float best = _mm512_reduce_max_ps(top);
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        s = _mm512_mask_add_ps(s, m, s, exp16(_mm512_sub_ps(get(x + i, m), all(best))));
    }
    float shift = best + logf(_mm512_reduce_add_ps(s));
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        put(x + i, m, _mm512_sub_ps(get(x + i, m), all(shift)));
    }
}

/* fl_squash, sixteen at a time; products and sums are not fused, so the bits are those of the reference. */
static void squash(float *y, const float *x, const float *mean, const float *scale, float limit,
                   uint32_t n)
{
    static const float term[] = {-1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f,
                                 1.4249322787e-1f,  -1.6668057665e-1f, 2.0000714765e-1f,
                                 -2.4999993993e-1f, 3.3333331174e-1f};
    const __m512 sign = all(-0.0f);

    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 in = lanes(n - i);
        __m512 v = get(x + i, in), a = _mm512_abs_ps(v);
        a = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a); /* NaN: 0 */
        a = _mm512_add_ps(_mm512_min_ps(a, all(3e38f)), all(1.0f));
        __m512i bits = _mm512_castps_si512(a),
                e = _mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(127));
        __m512 m = _mm512_castsi512_ps(_mm512_or_si512(
            _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffff)), _mm512_set1_epi32(0x3f800000)));
        __mmask16 high = _mm512_cmp_ps_mask(m, all(1.41421356f), _CMP_GT_OQ);
        m = _mm512_mask_mul_ps(m, high, m, all(0.5f));
        e = _mm512_mask_add_epi32(e, high, e, _mm512_set1_epi32(1));
        m = _mm512_sub_ps(m, all(1.0f));
        __m512 z = _mm512_mul_ps(m, m), p = all(7.0376836292e-2f);
        for (uint32_t t = 0; t < FL_LEN(term); t++)
            p = _mm512_add_ps(_mm512_mul_ps(p, m), all(term[t]));
        p = _mm512_sub_ps(_mm512_mul_ps(_mm512_mul_ps(p, m), z), _mm512_mul_ps(all(0.5f), z));
        p = _mm512_add_ps(p, m);
        p = _mm512_add_ps(p, _mm512_mul_ps(_mm512_cvtepi32_ps(e), all(0.693147181f)));
        p = _mm512_or_ps(p, _mm512_and_ps(v, sign));
        p = _mm512_div_ps(_mm512_sub_ps(p, get(mean + i, in)),
                          _mm512_mask_loadu_ps(all(1.0f), in, scale + i));
        put(y + i, in, _mm512_max_ps(_mm512_min_ps(p, all(limit)), all(-limit)));
    }
}

static void to8(int8_t *y, const float *x, uint32_t turn, uint32_t n)
{
    const __m512i lane =
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32((int)FL_DITHER_ELEMENT));
    __m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32((int)(turn * FL_DITHER_TURN)));

    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        __m512 v = _mm512_max_ps(_mm512_min_ps(get(x + i, m), all(1.0f)), all(-1.0f));
        __m512 u = _mm512_cvtepi32_ps(_mm512_srli_epi32(at, 16));
        u = _mm512_mul_ps(_mm512_add_ps(u, all(0.5f)), all(0x1p-16f));
        v = _mm512_add_ps(_mm512_mul_ps(v, all(127.0f)), u);
        __m512i w = _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        _mm_mask_storeu_epi8(y + i, m, _mm512_cvtepi32_epi8(w));
        at = _mm512_add_epi32(at, _mm512_set1_epi32((int)(FL_DITHER_ELEMENT * LANE)));
    }
}

static void from8(float *y, const int8_t *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += LANE) {
        __mmask16 m = lanes(n - i);
        __m512i w = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(m, x + i));
        put(y + i, m, _mm512_mul_ps(_mm512_cvtepi32_ps(w), all(1.0f / 127.0f)));
    }
}

const fl_kernels *fl_kernels_avx512(void)
{
    static const fl_kernels table = {
        .tier = "avx512",
        .pack = fl_pack_avx512,
        .pack8 = fl_pack8_avx512,
        .linear = fl_linear_avx512,
        .add = add,
        .axpy = axpy,
        .relu = relu,
        .gru = gru,
        .dot = dot,
        .dots = dots,
        .exp = exponential,
        .log = logarithm,
        .sum = sum,
        .exp_sum = exp_sum,
        .log_softmax = log_softmax,
        .squash = squash,
        .to8 = to8,
        .from8 = from8,
        .trees16 = fl_trees16_avx512,
    };

    return &table;
}
#else
const fl_kernels *fl_kernels_avx512(void)
{
    return NULL;
}
#endif
