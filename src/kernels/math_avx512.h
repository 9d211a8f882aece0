/* What the AVX-512 kernels of scoring and of training share: tails by mask, exponentials, gates. For files that are compiled
 * for AVX-512; empty elsewhere. A tail goes through the same arithmetic as a full register. */
#ifndef FL_MATH_AVX512_H
#define FL_MATH_AVX512_H

#if defined(__AVX512F__)
#include <immintrin.h>
#include <stddef.h>

enum { LANE = 16 };
#define INLINE static inline __attribute__((always_inline))

/* The first n lanes. */
INLINE __mmask16 lanes(size_t n)
{
    return (__mmask16)(n >= LANE ? 0xffffu : (1u << n) - 1u);
}

INLINE __m512 all(float x)
{
    return _mm512_set1_ps(x);
}

INLINE __m512 get(const float *p, __mmask16 m)
{
    return _mm512_maskz_loadu_ps(m, p);
}

/* A store by mask is slower, and what is loaded from it soon waits. */
INLINE void put(float *p, __mmask16 m, __m512 v)
{
    if (m == 0xffff) _mm512_storeu_ps(p, v);
    else _mm512_mask_storeu_ps(p, m, v);
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

/* Cephes' logf (Moshier 1989) of x > 0: 2^e m, m within a factor of sqrt 2 of 1; relative error below 2e-7. */
INLINE __m512 log16(__m512 x)
{
    __m512 e = _mm512_getexp_ps(x), m = _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    __mmask16 high = _mm512_cmp_ps_mask(m, all(1.41421356f), _CMP_GT_OQ);
    m = _mm512_mask_mul_ps(m, high, m, all(0.5f));
    e = _mm512_mask_add_ps(e, high, e, all(1.0f));
    m = _mm512_sub_ps(m, all(1.0f));
    __m512 z = _mm512_mul_ps(m, m);
    __m512 p = _mm512_fmadd_ps(all(7.0376836292e-2f), m, all(-1.1514610310e-1f));
    p = _mm512_fmadd_ps(p, m, all(1.1676998740e-1f));
    p = _mm512_fmadd_ps(p, m, all(-1.2420140846e-1f));
    p = _mm512_fmadd_ps(p, m, all(1.4249322787e-1f));
    p = _mm512_fmadd_ps(p, m, all(-1.6668057665e-1f));
    p = _mm512_fmadd_ps(p, m, all(2.0000714765e-1f));
    p = _mm512_fmadd_ps(p, m, all(-2.4999993993e-1f));
    p = _mm512_fmadd_ps(p, m, all(3.3333331174e-1f));
    p = _mm512_fmadd_ps(e, all(-2.12194440e-4f), _mm512_mul_ps(_mm512_mul_ps(p, m), z));
    p = _mm512_add_ps(_mm512_fnmadd_ps(all(0.5f), z, p), m);
    return _mm512_fmadd_ps(e, all(0.693359375f), p);
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

#endif
#endif
