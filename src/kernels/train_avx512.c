/* Element-wise loops of training for AVX-512: what takes exponentials and long sums by hand, the rest from the common
 * text. A tail is loaded by mask and goes through the same arithmetic as a full register. Products are fused and sums
 * run in sixteen lanes or more, so results differ from the other tiers' in the last bits. */
#include "kernels/train_tiers.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#include <math.h>

enum { LANE = 16 };

#define INLINE static inline __attribute__((always_inline))

INLINE __mmask16 first(size_t n)
{
    return (__mmask16)(n >= LANE ? 0xffffu : (1u << n) - 1u);
}

/* A store by mask is slower, and what is loaded from it soon waits. */
INLINE void put(float *p, __mmask16 m, __m512 v)
{
    if (m == 0xffff) _mm512_storeu_ps(p, v);
    else _mm512_mask_storeu_ps(p, m, v);
}

INLINE __m512 all(float x)
{
    return _mm512_set1_ps(x);
}

/* Cephes' expf (Moshier 1989): 2^k exp(r), |r| <= ln 2 / 2; relative error below 2e-7. */
INLINE __m512 exp16(__m512 x)
{
    x = _mm512_max_ps(_mm512_min_ps(x, all(88.0f)), all(-87.0f));
    __m512 k = _mm512_roundscale_ps(_mm512_mul_ps(x, all(1.44269504f)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(k, all(0.693359375f), x);
    r = _mm512_fnmadd_ps(k, all(-2.12194440e-4f), r);
    __m512 p = _mm512_fmadd_ps(all(1.9875691500e-4f), r, all(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, all(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, all(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, all(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, all(5.0000001201e-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, all(1.0f)));
    return _mm512_scalef_ps(p, k);
}

INLINE __m512 sigmoid16(__m512 x)
{
    return _mm512_div_ps(all(1.0f),
                         _mm512_add_ps(all(1.0f), exp16(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

INLINE __m512 tanh16(__m512 x)
{
    return _mm512_fmsub_ps(all(2.0f), sigmoid16(_mm512_add_ps(x, x)), all(1.0f));
}

static void gru(float *restrict gx, const float *restrict gh, const float *restrict before,
                float *restrict after, size_t rows, size_t H)
{
    for (size_t i = 0; i < rows; i++, gx += 3 * H, gh += 3 * H, before += H, after += H)
        for (size_t k = 0; k < H; k += LANE) {
            __mmask16 m = first(H - k);
            float *x = gx + k;
            const float *h = gh + k;
            __m512 r =
                sigmoid16(_mm512_add_ps(_mm512_maskz_loadu_ps(m, x), _mm512_maskz_loadu_ps(m, h)));
            __m512 z = sigmoid16(
                _mm512_add_ps(_mm512_maskz_loadu_ps(m, x + H), _mm512_maskz_loadu_ps(m, h + H)));
            __m512 n = tanh16(_mm512_fmadd_ps(r, _mm512_maskz_loadu_ps(m, h + 2 * H),
                                              _mm512_maskz_loadu_ps(m, x + 2 * H)));
            __m512 old = _mm512_maskz_loadu_ps(m, before + k);
            put(x, m, r);
            put(x + H, m, z);
            put(x + 2 * H, m, n);
            put(after + k, m, _mm512_fmadd_ps(z, _mm512_sub_ps(old, n), n));
        }
}

INLINE __m512 logit(const float *x, const float *bias, size_t at, __mmask16 m)
{
    __m512 v = _mm512_maskz_loadu_ps(m, x + at);

    return bias ? _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, bias + at)) : v;
}

static float largest(const float *restrict x, const float *restrict bias, size_t n)
{
    __m512 top[4] = {all(-INFINITY), all(-INFINITY), all(-INFINITY), all(-INFINITY)};

    for (size_t i = 0; i < n; i += 4 * LANE)
        for (size_t j = 0; j < 4 && i + j * LANE < n; j++) {
            __mmask16 m = first(n - i - j * LANE);
            top[j] = _mm512_mask_max_ps(top[j], m, top[j], logit(x, bias, i + j * LANE, m));
        }
    return _mm512_reduce_max_ps(
        _mm512_max_ps(_mm512_max_ps(top[0], top[1]), _mm512_max_ps(top[2], top[3])));
}

static float softmax(float *restrict x, const float *restrict bias, size_t n, size_t target,
                     float *total)
{
    __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                     _mm512_setzero_ps()};
    float top = largest(x, bias, n), own = x[target] + (bias ? bias[target] : 0) - top;

    for (size_t i = 0; i < n; i += 4 * LANE)
        for (size_t j = 0; j < 4 && i + j * LANE < n; j++) {
            size_t at = i + j * LANE;
            __mmask16 m = first(n - at);
            __m512 e = exp16(_mm512_sub_ps(logit(x, bias, at, m), all(top)));
            put(x + at, m, e);
            sum[j] = _mm512_mask_add_ps(sum[j], m, sum[j], e);
        }
    *total = _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
    return logf(*total) - own;
}

static float dot(const float *restrict a, const float *restrict b, size_t n)
{
    __m512 sum[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                     _mm512_setzero_ps()};

    for (size_t i = 0; i < n; i += 4 * LANE)
        for (size_t j = 0; j < 4 && i + j * LANE < n; j++) {
            size_t at = i + j * LANE;
            __mmask16 m = first(n - at);
            sum[j] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + at),
                                     _mm512_maskz_loadu_ps(m, b + at), sum[j]);
        }
    return _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

#define FL_BY_HAND
#define FL_TIER  "avx512"
#define FL_TABLE fl_train_avx512
#include "kernels/train_loops.inc"
#else
const fl_train_ops fl_train_avx512 = {.tier = NULL};
#endif
