/* Element-wise operations and reductions, AVX2 + FMA. A tail is loaded by mask and goes through the same arithmetic
 * as a full register, so a value's result does not depend on its place. */
#include "kernels/linear_avx2.h"
#include "kernels/pack8.h"

#if defined(__AVX2__)
#include <immintrin.h>
#include <math.h>

#define INLINE static inline __attribute__((always_inline))

static const int32_t lane_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

INLINE __m256i lanes(uint32_t n)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(lane_table + 8 - (n < 8 ? n : 8)));
}

/* Of Cephes' logf (Moshier 1989), after the first. */
static const float log_term[] = {-1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f,
                                 1.4249322787e-1f,  -1.6668057665e-1f, 2.0000714765e-1f,
                                 -2.4999993993e-1f, 3.3333331174e-1f};

/* Cephes' expf (Moshier 1989): 2^k exp(r), |r| <= ln 2 / 2; relative error below 2e-7. */
INLINE __m256 exp8(__m256 x)
{
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(88.0f)), _mm256_set1_ps(-87.0f));
    __m256 k = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(0.693359375f), x);
    r = _mm256_fnmadd_ps(k, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.9875691500e-4f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
    p = _mm256_fmadd_ps(p, _mm256_mul_ps(r, r), _mm256_add_ps(r, _mm256_set1_ps(1.0f)));
    __m256i e =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(e));
}

/* Cephes' logf (Moshier 1989) of x > 0 and normal: 2^e m, m within a factor of sqrt 2 of 1; relative error below 2e-7. */
INLINE __m256 log8(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    __m256i bits = _mm256_castps_si256(x),
            e = _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127));
    __m256 m = _mm256_castsi256_ps(_mm256_or_si256(
        _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff)), _mm256_set1_epi32(0x3f800000)));
    __m256 high = _mm256_cmp_ps(m, _mm256_set1_ps(1.41421356f), _CMP_GT_OQ);
    m = _mm256_blendv_ps(m, _mm256_mul_ps(m, _mm256_set1_ps(0.5f)), high);
    __m256 k = _mm256_cvtepi32_ps(_mm256_sub_epi32(e, _mm256_castps_si256(high)));
    m = _mm256_sub_ps(m, one);
    __m256 z = _mm256_mul_ps(m, m), p = _mm256_set1_ps(7.0376836292e-2f);
    for (uint32_t t = 0; t < FL_LEN(log_term); t++)
        p = _mm256_fmadd_ps(p, m, _mm256_set1_ps(log_term[t]));
    p = _mm256_fmadd_ps(k, _mm256_set1_ps(-2.12194440e-4f), _mm256_mul_ps(_mm256_mul_ps(p, m), z));
    p = _mm256_add_ps(_mm256_fnmadd_ps(_mm256_set1_ps(0.5f), z, p), m);
    return _mm256_fmadd_ps(k, _mm256_set1_ps(0.693359375f), p);
}

INLINE __m256 sigmoid8(__m256 x)
{
    __m256 one = _mm256_set1_ps(1.0f);

    return _mm256_div_ps(one, _mm256_add_ps(one, exp8(_mm256_sub_ps(_mm256_setzero_ps(), x))));
}

INLINE __m256 tanh8(__m256 x)
{
    return _mm256_fmsub_ps(_mm256_set1_ps(2.0f), sigmoid8(_mm256_add_ps(x, x)),
                           _mm256_set1_ps(1.0f));
}

INLINE float sum8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

static void add_avx2(float *y, const float *x, uint32_t n)
{
    uint32_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    for (; i < n; i++) y[i] += x[i];
}

static void axpy_avx2(float *y, float a, const float *x, uint32_t n)
{
    __m256 s = _mm256_set1_ps(a);

    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        __m256 v = _mm256_maskload_ps(y + i, m);
        _mm256_maskstore_ps(y + i, m, _mm256_fmadd_ps(s, _mm256_maskload_ps(x + i, m), v));
    }
}

static void relu_avx2(float *x, uint32_t n)
{
    uint32_t i = 0;

    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(x + i, _mm256_max_ps(_mm256_loadu_ps(x + i), _mm256_setzero_ps()));
    for (; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

INLINE void gru_step(float *h, const float *gx, const float *gh, uint32_t H, __m256i m)
{
    __m256 r = sigmoid8(_mm256_add_ps(_mm256_maskload_ps(gx, m), _mm256_maskload_ps(gh, m)));
    __m256 z =
        sigmoid8(_mm256_add_ps(_mm256_maskload_ps(gx + H, m), _mm256_maskload_ps(gh + H, m)));
    __m256 n = tanh8(
        _mm256_fmadd_ps(r, _mm256_maskload_ps(gh + 2 * H, m), _mm256_maskload_ps(gx + 2 * H, m)));
    __m256 old = _mm256_maskload_ps(h, m);

    /* (1 - z) n + z h = n + z (h - n) */
    _mm256_maskstore_ps(h, m, _mm256_fmadd_ps(z, _mm256_sub_ps(old, n), n));
}

static void gru_avx2(float *h, const float *gx, const float *gh, uint32_t H)
{
    for (uint32_t i = 0; i < H; i += 8) gru_step(h + i, gx + i, gh + i, H, lanes(H - i));
}

static float dot_avx2(const float *a, const float *b, uint32_t n)
{
    __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                   _mm256_setzero_ps()};
    uint32_t i = 0;

    for (; i + 32 <= n; i += 32)
        for (uint32_t j = 0; j < 4; j++)
            s[j] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8 * j), _mm256_loadu_ps(b + i + 8 * j),
                                   s[j]);
    for (; i < n; i += 8) {
        __m256i m = lanes(n - i);
        s[0] = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, m), _mm256_maskload_ps(b + i, m), s[0]);
    }
    return sum8(_mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
}

static void dots_avx2(float *y, const float *w, const float *x, const float *b, uint32_t rows,
                      uint32_t n)
{
    for (uint32_t r = 0; r < rows; r++)
        y[r] = dot_avx2(w + (size_t)r * n, x, n) + (b ? b[r] : 0.0f);
}

static void exp_avx2(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        _mm256_maskstore_ps(x + i, m, exp8(_mm256_maskload_ps(x + i, m)));
    }
}

static void log_avx2(float *x, uint32_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f);

    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        __m256 v = _mm256_blendv_ps(one, _mm256_maskload_ps(x + i, m), _mm256_castsi256_ps(m));
        _mm256_maskstore_ps(x + i, m, log8(v));
    }
}

static float sum_avx2(const float *x, uint32_t n)
{
    __m256 sum = _mm256_setzero_ps();

    for (uint32_t i = 0; i < n; i += 8)
        sum = _mm256_add_ps(sum, _mm256_maskload_ps(x + i, lanes(n - i)));
    return sum8(sum);
}

INLINE float largest(const float *x, uint32_t n)
{
    __m256 top = _mm256_set1_ps(x[0]);

    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        __m256 v = _mm256_blendv_ps(top, _mm256_maskload_ps(x + i, m), _mm256_castsi256_ps(m));
        top = _mm256_max_ps(top, v);
    }
    float t[8], best;
    _mm256_storeu_ps(t, top);
    best = t[0];
    for (int i = 1; i < 8; i++) best = t[i] > best ? t[i] : best;
    return best;
}

static float exp_sum_avx2(float *x, uint32_t n, float *top)
{
    __m256 sum = _mm256_setzero_ps(), most;

    *top = largest(x, n);
    most = _mm256_set1_ps(*top);
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        __m256 e = exp8(_mm256_sub_ps(_mm256_maskload_ps(x + i, m), most));
        sum = _mm256_add_ps(sum, _mm256_and_ps(e, _mm256_castsi256_ps(m)));
        _mm256_maskstore_ps(x + i, m, e);
    }
    return sum8(sum);
}

static void log_softmax_avx2(float *x, uint32_t n)
{
    float best = largest(x, n);
    __m256 top = _mm256_set1_ps(best), sum = _mm256_setzero_ps();

    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        __m256 e = exp8(_mm256_sub_ps(_mm256_maskload_ps(x + i, m), top));
        sum = _mm256_add_ps(sum, _mm256_and_ps(e, _mm256_castsi256_ps(m)));
    }
    float shift = (float)((double)best + log((double)sum8(sum)));
    top = _mm256_set1_ps(shift);
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i m = lanes(n - i);
        _mm256_maskstore_ps(x + i, m, _mm256_sub_ps(_mm256_maskload_ps(x + i, m), top));
    }
}

/* fl_squash, eight at a time; products and sums are not fused, so the bits are those of the reference. */
static void squash_avx2(float *y, const float *x, const float *mean, const float *scale,
                        float limit, uint32_t n)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f),
                 most = _mm256_set1_ps(3e38f), top = _mm256_set1_ps(limit);

    for (uint32_t i = 0; i < n; i += 8) {
        __m256i in = lanes(n - i);
        __m256 v = _mm256_maskload_ps(x + i, in), a = _mm256_andnot_ps(sign, v);
        a = _mm256_and_ps(a, _mm256_cmp_ps(a, a, _CMP_ORD_Q)); /* NaN: 0 */
        a = _mm256_add_ps(_mm256_min_ps(a, most), one);
        __m256i bits = _mm256_castps_si256(a),
                e = _mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127));
        __m256 m = _mm256_castsi256_ps(_mm256_or_si256(
            _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff)), _mm256_set1_epi32(0x3f800000)));
        __m256 high = _mm256_cmp_ps(m, _mm256_set1_ps(1.41421356f), _CMP_GT_OQ);
        m = _mm256_blendv_ps(m, _mm256_mul_ps(m, _mm256_set1_ps(0.5f)), high);
        e = _mm256_sub_epi32(e, _mm256_castps_si256(high));
        m = _mm256_sub_ps(m, one);
        __m256 z = _mm256_mul_ps(m, m), p = _mm256_set1_ps(7.0376836292e-2f);
        for (uint32_t t = 0; t < FL_LEN(log_term); t++)
            p = _mm256_add_ps(_mm256_mul_ps(p, m), _mm256_set1_ps(log_term[t]));
        p = _mm256_sub_ps(_mm256_mul_ps(_mm256_mul_ps(p, m), z),
                          _mm256_mul_ps(_mm256_set1_ps(0.5f), z));
        p = _mm256_add_ps(p, m);
        p = _mm256_add_ps(p, _mm256_mul_ps(_mm256_cvtepi32_ps(e), _mm256_set1_ps(0.693147181f)));
        p = _mm256_or_ps(p, _mm256_and_ps(v, sign));
        p = _mm256_div_ps(
            _mm256_sub_ps(p, _mm256_maskload_ps(mean + i, in)),
            _mm256_blendv_ps(one, _mm256_maskload_ps(scale + i, in), _mm256_castsi256_ps(in)));
        p = _mm256_max_ps(_mm256_min_ps(p, top), _mm256_sub_ps(_mm256_setzero_ps(), top));
        _mm256_maskstore_ps(y + i, in, p);
    }
}

static void to8_avx2(int8_t *y, const float *x, uint32_t turn, uint32_t n)
{
    const __m256i lane = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                            _mm256_set1_epi32((int)FL_DITHER_ELEMENT));
    __m256i at = _mm256_add_epi32(lane, _mm256_set1_epi32((int)(turn * FL_DITHER_TURN)));

    for (uint32_t i = 0; i < n; i += 8) {
        __m256 v = _mm256_min_ps(_mm256_maskload_ps(x + i, lanes(n - i)), _mm256_set1_ps(1.0f));
        v = _mm256_max_ps(v, _mm256_set1_ps(-1.0f));
        __m256 u = _mm256_cvtepi32_ps(_mm256_srli_epi32(at, 16));
        u = _mm256_mul_ps(_mm256_add_ps(u, _mm256_set1_ps(0.5f)), _mm256_set1_ps(0x1p-16f));
        v = _mm256_add_ps(_mm256_mul_ps(v, _mm256_set1_ps(127.0f)), u);
        __m256i w = _mm256_cvttps_epi32(_mm256_floor_ps(v));
        __m128i t = _mm_packs_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
        uint64_t bytes = (uint64_t)_mm_cvtsi128_si64(_mm_packs_epi16(t, t));
        if (n - i >= 8) memcpy(y + i, &bytes, 8);
        else memcpy(y + i, &bytes, n - i);
        at = _mm256_add_epi32(at, _mm256_set1_epi32((int)(FL_DITHER_ELEMENT * 8)));
    }
}

static void from8_avx2(float *y, const int8_t *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t bytes = 0;
        if (n - i >= 8) memcpy(&bytes, x + i, 8);
        else memcpy(&bytes, x + i, n - i);
        __m256i v = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)bytes));
        _mm256_maskstore_ps(y + i, lanes(n - i),
                            _mm256_mul_ps(_mm256_cvtepi32_ps(v), _mm256_set1_ps(1.0f / 127.0f)));
    }
}

const fl_kernels *fl_kernels_avx2(void)
{
    static const fl_kernels table = {
        .tier = "avx2",
        .pack = fl_pack_avx2,
        .pack8 = fl_pack8_avx2,
        .linear = fl_linear_avx2,
        .add = add_avx2,
        .axpy = axpy_avx2,
        .relu = relu_avx2,
        .gru = gru_avx2,
        .dot = dot_avx2,
        .dots = dots_avx2,
        .exp = exp_avx2,
        .log = log_avx2,
        .sum = sum_avx2,
        .exp_sum = exp_sum_avx2,
        .log_softmax = log_softmax_avx2,
        .squash = squash_avx2,
        .to8 = to8_avx2,
        .from8 = from8_avx2,
    };

    return &table;
}
#else
const fl_kernels *fl_kernels_avx2(void)
{
    return NULL;
}
#endif
