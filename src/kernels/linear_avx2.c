/* Products of rows with a packed matrix, AVX2 + FMA.
 * Layout: panels of 16 columns, each [in][16], the last padded with zeros. Every element of y is one chain of fused
 * multiply-adds, b first, then k ascending, in every tile: so a row's result does not depend on the rows beside it. */
#include "kernels/linear_avx2.h"

#if defined(__AVX2__)
#include <immintrin.h>

enum { PANEL = 16 };
/* Tiles are whole functions: gcc 12 clones them at calls with constant sizes and then spills. */
#if defined(__clang__)
#define TILE static __attribute__((noinline))
#else
#define TILE static __attribute__((noipa))
#endif
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 6")
#endif
#define INLINE static inline __attribute__((always_inline))

static const int32_t lane_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

/* Mask of the first min(n, 8) lanes; n may be negative. */
INLINE __m256i lanes(int n)
{
    n = n < 0 ? 0 : n > 8 ? 8 : n;
    return _mm256_loadu_si256((const __m256i *)(const void *)(lane_table + 8 - n));
}

fl_packed fl_pack_avx2(const float *w, uint32_t in, uint32_t out)
{
    size_t panels = ((size_t)out + PANEL - 1) / PANEL;
    size_t floats = panels * PANEL * in + 1;
    fl_packed p = {in, out, fl_alloc_aligned(floats, sizeof(float)), NULL, floats * sizeof(float)};

    if (!p.data) return p;
    for (size_t c = 0; c < panels; c++)
        for (uint32_t k = 0; k < in; k++) {
            float *to = (float *)p.data + (c * in + k) * PANEL;
            size_t n = out - c * PANEL < PANEL ? out - c * PANEL : PANEL;
            memcpy(to, w + (size_t)k * out + c * PANEL, n * sizeof(float));
        }
    return p;
}

/* rows R x panels P, R P <= 6; columns: how many of the last panel's are real. */
INLINE void tile(uint32_t R, uint32_t P, float *y, size_t ldy, const float *x, size_t ldx,
                 const float *w, uint32_t in, const float *b, int columns)
{
    __m256 sum[12];
    __m256i low = lanes(columns), high = lanes(columns - 8);

    UNROLL for (uint32_t p = 0; p < P; p++)
    {
        __m256 b0 = _mm256_setzero_ps(), b1 = b0;
        if (b && p + 1 < P) {
            b0 = _mm256_loadu_ps(b + p * PANEL);
            b1 = _mm256_loadu_ps(b + p * PANEL + 8);
        } else if (b) {
            b0 = _mm256_maskload_ps(b + p * PANEL, low);
            b1 = _mm256_maskload_ps(b + p * PANEL + 8, high);
        }
        UNROLL for (uint32_t r = 0; r < R; r++)
        {
            sum[(r * P + p) * 2] = b0;
            sum[(r * P + p) * 2 + 1] = b1;
        }
    }
    for (uint32_t k = 0; k < in; k++) UNROLL for (uint32_t p = 0; p < P; p++)
        {
            const float *v = w + ((size_t)p * in + k) * PANEL;
            __m256 w0 = _mm256_load_ps(v), w1 = _mm256_load_ps(v + 8);
            UNROLL for (uint32_t r = 0; r < R; r++)
            {
                __m256 a = _mm256_broadcast_ss(x + r * ldx + k);
                sum[(r * P + p) * 2] = _mm256_fmadd_ps(a, w0, sum[(r * P + p) * 2]);
                sum[(r * P + p) * 2 + 1] = _mm256_fmadd_ps(a, w1, sum[(r * P + p) * 2 + 1]);
            }
        }
    UNROLL for (uint32_t r = 0; r < R; r++) UNROLL for (uint32_t p = 0; p < P; p++)
    {
        if (p + 1 < P || columns == PANEL) {
            _mm256_storeu_ps(y + r * ldy + p * PANEL, sum[(r * P + p) * 2]);
            _mm256_storeu_ps(y + r * ldy + p * PANEL + 8, sum[(r * P + p) * 2 + 1]);
        } else {
            _mm256_maskstore_ps(y + r * ldy + p * PANEL, low, sum[(r * P + p) * 2]);
            if (columns > 8)
                _mm256_maskstore_ps(y + r * ldy + p * PANEL + 8, high, sum[(r * P + p) * 2 + 1]);
        }
    }
}

#define TILE_OF(R, P)                                                                              \
    TILE void tile_##R##x##P(float *y, size_t ldy, const float *x, size_t ldx, const float *w,     \
                             uint32_t in, const float *b, int columns)                             \
    {                                                                                              \
        tile(R, P, y, ldy, x, ldx, w, in, b, columns);                                             \
    }
TILE_OF(1, 5)
TILE_OF(1, 2)
TILE_OF(1, 1)
TILE_OF(2, 1)
TILE_OF(3, 1)
TILE_OF(4, 1)
TILE_OF(6, 1)

/* One row: five panels at a time keep ten chains of four cycles in flight. */
static void one_row(float *y, const float *x, const fl_packed *w, const float *b)
{
    const float *data = w->data;
    uint32_t c = 0;

    for (; c + 4 * PANEL < w->out; c += 5 * PANEL)
        tile_1x5(y + c, 0, x, 0, data + (size_t)c * w->in, w->in, b ? b + c : NULL,
                 w->out - c < 5 * PANEL ? (int)(w->out - c - 4 * PANEL) : PANEL);
    for (; c + PANEL < w->out; c += 2 * PANEL)
        tile_1x2(y + c, 0, x, 0, data + (size_t)c * w->in, w->in, b ? b + c : NULL,
                 w->out - c < 2 * PANEL ? (int)(w->out - c - PANEL) : PANEL);
    for (; c < w->out; c += PANEL)
        tile_1x1(y + c, 0, x, 0, data + (size_t)c * w->in, w->in, b ? b + c : NULL,
                 w->out - c < PANEL ? (int)(w->out - c) : PANEL);
}

void fl_linear_avx2(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                    const fl_packed *w, const float *b)
{
    if (w->scale) {
        fl_linear8_avx2(y, ldy, x, ldx, rows, w, b);
        return;
    }
    if (rows == 1) {
        one_row(y, x, w, b);
        return;
    }
    for (uint32_t c = 0; c < w->out; c += PANEL) {
        const float *panel = (const float *)w->data + (size_t)c * w->in, *bias = b ? b + c : NULL;
        int n = w->out - c < PANEL ? (int)(w->out - c) : PANEL;
        uint32_t r = 0;
        for (; r + 6 <= rows; r += 6)
            tile_6x1(y + r * ldy + c, ldy, x + r * ldx, ldx, panel, w->in, bias, n);
        float *to = y + r * ldy + c;
        const float *from = x + r * ldx;
        switch (rows - r) {
        case 5:
            tile_1x1(to + 4 * ldy, ldy, from + 4 * ldx, ldx, panel, w->in, bias,
                     n); /* fallthrough */
        case 4: tile_4x1(to, ldy, from, ldx, panel, w->in, bias, n); break;
        case 3: tile_3x1(to, ldy, from, ldx, panel, w->in, bias, n); break;
        case 2: tile_2x1(to, ldy, from, ldx, panel, w->in, bias, n); break;
        case 1: tile_1x1(to, ldy, from, ldx, panel, w->in, bias, n); break;
        default: break;
        }
    }
}
#endif
