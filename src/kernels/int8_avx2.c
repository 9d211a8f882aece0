/* Products with weights in 8 bits, AVX2: as pairs of 16 bits (maddubs would saturate).
 * Layout: panels of 8 columns, each [in / 2][8][2] of int16, zeros at the end. Sums are exact. */
#include "kernels/linear_avx2.h"
#include "kernels/pack8.h"

#if defined(__AVX2__)
#include <immintrin.h>

enum { COLUMNS = 8, PAIRS = 2048 }; /* PAIRS: of a row of x that are rounded at a time */

fl_packed fl_pack8_avx2(const float *w, uint32_t in, uint32_t out)
{
    size_t panels = ((size_t)out + COLUMNS - 1) / COLUMNS, pairs = ((size_t)in + 1) / 2;
    int8_t *block;
    fl_packed p = fl_pack8(&block, w, in, out, panels * pairs * COLUMNS * 2 * sizeof(int16_t));
    int16_t *q = p.data;

    for (uint32_t o = 0; q && o < out; o++)
        for (uint32_t k = 0; k < in; k++)
            q[((o / COLUMNS * pairs + k / 2) * COLUMNS + o % COLUMNS) * 2 + k % 2] =
                fl_round8(w[(size_t)k * out + o], p.scale[o]);
    return p;
}

static float unit_of(const float *x, uint32_t n)
{
    __m256 top = _mm256_setzero_ps(), sign = _mm256_set1_ps(-0.0f);
    float t[8], most = 0;
    uint32_t i = 0;

    for (; i + 8 <= n; i += 8)
        top = _mm256_max_ps(top, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
    _mm256_storeu_ps(t, top);
    for (; i < n; i++) most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    for (i = 0; i < 8; i++) most = t[i] > most ? t[i] : most;
    return fl_unit8(most);
}

static void round_row(int16_t *q, const float *x, uint32_t n, float unit)
{
    float by = unit > 0 ? 1.0f / unit : 0;
    __m256 f = _mm256_set1_ps(by);
    uint32_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i v = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), f));
        _mm_storeu_si128(
            (__m128i *)(void *)(q + i),
            _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
    }
    for (; i < n; i++) q[i] = (int16_t)lrintf(x[i] * by);
    if (n % 2) q[n] = 0;
}

/* Four panels at once: sums of 32 columns of one row over some pairs. */
static void sums_32(int32_t *sum, const int16_t *q, const int16_t *w, size_t panel, uint32_t pairs)
{
    __m256i s[4];

    for (int c = 0; c < 4; c++)
        s[c] = _mm256_loadu_si256((const __m256i *)(const void *)(sum + c * COLUMNS));
    for (uint32_t k = 0; k < pairs; k++) {
        int32_t pair;
        memcpy(&pair, q + 2 * k, sizeof pair);
        __m256i a = _mm256_set1_epi32(pair);
        for (int c = 0; c < 4; c++) {
            const void *v = w + c * panel + (size_t)k * COLUMNS * 2;
            s[c] = _mm256_add_epi32(s[c], _mm256_madd_epi16(a, _mm256_loadu_si256(v)));
        }
    }
    for (int c = 0; c < 4; c++) _mm256_storeu_si256((__m256i *)(void *)(sum + c * COLUMNS), s[c]);
}

static void sums_8(int32_t *sum, const int16_t *q, const int16_t *w, uint32_t pairs)
{
    __m256i s = _mm256_loadu_si256((const __m256i *)(const void *)sum);

    for (uint32_t k = 0; k < pairs; k++) {
        int32_t pair;
        memcpy(&pair, q + 2 * k, sizeof pair);
        const void *v = w + (size_t)k * COLUMNS * 2;
        s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_set1_epi32(pair), _mm256_loadu_si256(v)));
    }
    _mm256_storeu_si256((__m256i *)(void *)sum, s);
}

void fl_linear8_avx2(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                     const fl_packed *w, const float *b)
{
    size_t pairs = ((size_t)w->in + 1) / 2, panel = pairs * COLUMNS * 2;
    int16_t q[2 * PAIRS];

    for (uint32_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        float unit = unit_of(x, w->in);
        for (uint32_t o = 0; o < w->out; o += 32) {
            int32_t sum[32] = {0};
            uint32_t n = w->out - o < 32 ? w->out - o : 32;
            const int16_t *v = (const int16_t *)w->data + o / COLUMNS * panel;
            for (uint32_t k = 0; k < pairs; k += PAIRS) {
                uint32_t some = pairs - k < PAIRS ? (uint32_t)(pairs - k) : PAIRS;
                uint32_t real = w->in - 2 * k < 2 * some ? w->in - 2 * k : 2 * some;
                if (o == 0 || pairs > PAIRS) round_row(q, x + (size_t)2 * k, real, unit);
                const int16_t *at = v + (size_t)k * COLUMNS * 2;
                if (n == 32) sums_32(sum, q, at, panel, some);
                else
                    for (uint32_t c = 0; c < n; c += COLUMNS)
                        sums_8(sum + c, q, at + c / COLUMNS * panel, some);
            }
            for (uint32_t i = 0; i < n; i++)
                y[o + i] = (float)sum[i] * w->scale[o + i] * unit + (b ? b[o + i] : 0.0f);
        }
    }
}
#endif
