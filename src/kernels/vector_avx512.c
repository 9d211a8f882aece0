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

/* What waits for the step before it takes turns: as many registers as that are worked on at once. */
enum { ABREAST = 4 };
#define TURNS _Pragma("GCC unroll 4") for (uint32_t j = 0; j < ABREAST; j++)

/* exp(by x / log2 e) for a gate, by = log2 e times the factor: beyond 2^57 a gate is shut or open in any case. */
INLINE void gate_exp(__m512 x[ABREAST], float by)
{
    static const float term[] = {9.675540961e-3f, 5.550713092e-2f, 2.402212024e-1f, 6.931469440e-1f,
                                 1.000000119f};
    __m512 f[ABREAST], k[ABREAST];

    TURNS
    {
        x[j] = _mm512_mul_ps(x[j], all(by));
        x[j] = _mm512_max_ps(_mm512_min_ps(x[j], all(57.0f)), all(-57.0f));
        k[j] = _mm512_roundscale_ps(x[j], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        f[j] = _mm512_sub_ps(x[j], k[j]);
        x[j] = all(1.327647129e-3f);
    }
#pragma GCC unroll 5
    for (uint32_t t = 0; t < FL_LEN(term); t++)
        TURNS x[j] = _mm512_fmadd_ps(x[j], f[j], all(term[t]));
    TURNS x[j] = _mm512_scalef_ps(x[j], k[j]);
}

/* With a = exp(-z), b = exp(-2 n): z = 1 / (1 + a), n = (1 - b) / (1 + b), so that one division gives
 * h' = (1 - z) n + z h = (a (1 - b) + h (1 + b)) / ((1 + a) (1 + b)). */
static void gru(float *h, const float *gx, const float *gh, uint32_t H)
{
    const float log2_e = 1.44269504f;
    const __m512 one = all(1.0f);

    for (uint32_t i = 0; i < H; i += ABREAST * LANE) {
        __mmask16 m[ABREAST];
        __m512 r[ABREAST], a[ABREAST], b[ABREAST];
        TURNS
        {
            size_t at = i + j * LANE;
            m[j] = at < H ? lanes(H - at) : 0;
            r[j] = _mm512_add_ps(get(gx + at, m[j]), get(gh + at, m[j]));
            at += H;
            a[j] = _mm512_add_ps(get(gx + at, m[j]), get(gh + at, m[j]));
        }
        gate_exp(r, -log2_e);
        gate_exp(a, -log2_e);
        TURNS
        {
            size_t at = i + j * LANE + 2 * (size_t)H;
            r[j] = _mm512_div_ps(one, _mm512_add_ps(one, r[j]));
            b[j] = _mm512_fmadd_ps(r[j], get(gh + at, m[j]), get(gx + at, m[j]));
        }
        gate_exp(b, -2 * log2_e);
        TURNS
        {
            float *to = h + i + j * LANE;
            __m512 more = _mm512_add_ps(one, b[j]);
            __m512 up =
                _mm512_fmadd_ps(get(to, m[j]), more, _mm512_mul_ps(a[j], _mm512_sub_ps(one, b[j])));
            put(to, m[j], _mm512_div_ps(up, _mm512_mul_ps(_mm512_add_ps(one, a[j]), more)));
        }
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

/* fl_squash, sixteen at a time; products and sums are not fused, so the bits are those of the reference: ln a of a >= 1. */
INLINE void log_abreast(__m512 p[ABREAST], const __m512 a[ABREAST])
{
    static const float term[] = {-1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f,
                                 1.4249322787e-1f,  -1.6668057665e-1f, 2.0000714765e-1f,
                                 -2.4999993993e-1f, 3.3333331174e-1f};
    __m512 m[ABREAST], z[ABREAST], e[ABREAST];

    TURNS
    {
        __m512i bits = _mm512_castps_si512(a[j]),
                k = _mm512_sub_epi32(_mm512_srli_epi32(bits, 23), _mm512_set1_epi32(127));
        m[j] = _mm512_castsi512_ps(_mm512_or_si512(
            _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffff)), _mm512_set1_epi32(0x3f800000)));
        __mmask16 high = _mm512_cmp_ps_mask(m[j], all(1.41421356f), _CMP_GT_OQ);
        m[j] = _mm512_mask_mul_ps(m[j], high, m[j], all(0.5f));
        k = _mm512_mask_add_epi32(k, high, k, _mm512_set1_epi32(1));
        e[j] = _mm512_mul_ps(_mm512_cvtepi32_ps(k), all(0.693147181f));
        m[j] = _mm512_sub_ps(m[j], all(1.0f));
        z[j] = _mm512_mul_ps(m[j], m[j]);
        p[j] = all(7.0376836292e-2f);
    }
#pragma GCC unroll 8
    for (uint32_t t = 0; t < FL_LEN(term); t++) {
        TURNS p[j] = _mm512_mul_ps(p[j], m[j]);
        TURNS p[j] = _mm512_add_ps(p[j], all(term[t]));
    }
    TURNS p[j] = _mm512_mul_ps(_mm512_mul_ps(p[j], m[j]), z[j]);
    TURNS p[j] = _mm512_sub_ps(p[j], _mm512_mul_ps(all(0.5f), z[j]));
    TURNS p[j] = _mm512_add_ps(_mm512_add_ps(p[j], m[j]), e[j]);
}

static void squash(float *y, const float *x, const float *mean, const float *scale, float limit,
                   uint32_t n)
{
    for (uint32_t i = 0; i < n; i += ABREAST * LANE) {
        __mmask16 in[ABREAST];
        __m512 v[ABREAST], a[ABREAST], p[ABREAST];
        TURNS
        {
            in[j] = i + j * LANE < n ? lanes(n - i - j * LANE) : 0;
            v[j] = _mm512_maskz_loadu_ps(in[j], x + i + j * LANE);
            a[j] = _mm512_abs_ps(v[j]);
            a[j] =
                _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a[j], a[j], _CMP_ORD_Q), a[j]); /* NaN: 0 */
            a[j] = _mm512_add_ps(_mm512_min_ps(a[j], all(3e38f)), all(1.0f));
        }
        log_abreast(p, a);
        TURNS
        {
            p[j] = _mm512_or_ps(p[j], _mm512_and_ps(v[j], all(-0.0f)));
            p[j] = _mm512_div_ps(
                _mm512_sub_ps(p[j], _mm512_maskz_loadu_ps(in[j], mean + i + j * LANE)),
                _mm512_mask_loadu_ps(all(1.0f), in[j], scale + i + j * LANE));
            p[j] = _mm512_max_ps(_mm512_min_ps(p[j], all(limit)), all(-limit));
            put(y + i + j * LANE, in[j], p[j]);
        }
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
