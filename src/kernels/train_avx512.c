/* Element-wise loops of training for AVX-512: what takes exponentials and long sums by hand, the rest from the common
 * text. A tail is loaded by mask and goes through the same arithmetic as a full register. Products are fused and sums
 * run in sixteen lanes or more, so results differ from the other tiers' in the last bits. */
#include "kernels/train_tiers.h"

#if defined(__AVX512F__)
#include "kernels/math_avx512.h"
#include <math.h>

static void gru(float *restrict gx, const float *restrict gh, const float *restrict before,
                float *restrict after, size_t rows, size_t H)
{
    for (size_t i = 0; i < rows; i++, gx += 3 * H, gh += 3 * H, before += H, after += H)
        for (size_t k = 0; k < H; k += LANE) {
            __mmask16 m = lanes(H - k);
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
            __mmask16 m = lanes(n - i - j * LANE);
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
            __mmask16 m = lanes(n - at);
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
            __mmask16 m = lanes(n - at);
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
