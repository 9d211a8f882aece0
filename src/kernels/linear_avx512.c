/* Products of rows with a packed matrix, AVX-512 + VNNI.
 * Layout: panels of 32 columns, the last padded with zeros; floats [in][32]; 8 bits [in / 4][P][32][4], P = 4 panels side
 * by side, fewer at the end: so one row reads memory in one straight line. Every float of y is one chain of fused multiply-adds, b first, then k ascending, in every tile; sums of 8-bit products are exact: so a
 * row's result does not depend on the rows beside it. */
#include "kernels/linear_avx512.h"
#include "kernels/pack8.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum {
    LANE = 16,
    PANEL = 32,
    WIDE = 4,
    GROUP = WIDE * PANEL,
    ROWS = 12,
    ROUNDED = 1 << 15 /* bytes of rows of x in 8 bits */
};
/* Tiles are whole functions: gcc 12 clones them at calls with constant sizes and then spills. */
#if defined(__clang__)
#define TILE   static __attribute__((noinline))
#define UNROLL _Pragma("unroll")
#else
#define TILE   static __attribute__((noipa))
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

/* Mask of the first n lanes, n may be negative. */
INLINE __mmask16 lanes(int n)
{
    return (__mmask16)(n >= LANE ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}

INLINE __m512 floats(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(lanes(n), p);
}

fl_packed fl_pack_avx512(const float *w, uint32_t in, uint32_t out)
{
    size_t panels = ((size_t)out + PANEL - 1) / PANEL;
    size_t floats = panels * PANEL * in + 1;
    fl_packed p = {in, out, fl_alloc_aligned(floats, sizeof(float)), NULL, floats * sizeof(float)};

    if (!p.data) return p;
    memset(p.data, 0, panels * PANEL * in * sizeof(float));
    for (size_t c = 0; c < panels; c++)
        for (uint32_t k = 0; k < in; k++) {
            float *to = (float *)p.data + (c * in + k) * PANEL;
            size_t n = out - c * PANEL < PANEL ? out - c * PANEL : PANEL;
            memcpy(to, w + (size_t)k * out + c * PANEL, n * sizeof(float));
        }
    return p;
}

static size_t bytes8(uint32_t in, uint32_t out)
{
    return ((size_t)out + PANEL - 1) / PANEL * PANEL * (((size_t)in + 3) / 4) * 4;
}

/* Behind the panels: 128 times the sum of each column, by which a sum is too large because 128 is added to x. */
static int32_t *offsets8(const fl_packed *w)
{
    return (int32_t *)(void *)((uint8_t *)w->data + bytes8(w->in, w->out));
}

/* Of the panel at column c: where it begins, and bytes from one word of it to the next. */
static size_t panel_at(const fl_packed *w, uint32_t c, size_t *step)
{
    uint32_t first = c / GROUP * GROUP, panels = (w->out - first + PANEL - 1) / PANEL;

    *step = (panels < WIDE ? panels : WIDE) * (size_t)PANEL * 4;
    return (size_t)first * ((w->in + 3) / 4) * 4 + (c - first) * 4;
}

fl_packed fl_pack8_avx512(const float *w, uint32_t in, uint32_t out)
{
    size_t step, columns = ((size_t)out + PANEL - 1) / PANEL * PANEL;
    int8_t *q;
    fl_packed p = fl_pack8(&q, w, in, out, bytes8(in, out) + columns * sizeof(int32_t));

    for (uint32_t o = 0; q && o < out; o++) {
        size_t at = panel_at(&p, o / PANEL * PANEL, &step);
        for (uint32_t k = 0; k < in; k++) {
            int8_t v = fl_round8(w[(size_t)k * out + o], p.scale[o]);
            q[at + k / 4 * step + o % PANEL * 4 + k % 4] = v;
            offsets8(&p)[o] += 128 * v;
        }
    }
    return p;
}

/* ---- floats ---- */

/* rows R x panels P, R P <= 12; columns: how many of the last panel's are real. */
INLINE void tile(uint32_t R, uint32_t P, float *y, size_t ldy, const float *x, size_t ldx,
                 const float *w, uint32_t in, const float *b, int columns)
{
    __m512 sum[24];

    UNROLL for (uint32_t p = 0; p < P; p++)
    {
        int n = p + 1 < P ? PANEL : columns;
        __m512 b0 = _mm512_setzero_ps(), b1 = b0;
        if (b) b0 = floats(b + p * PANEL, n), b1 = floats(b + p * PANEL + LANE, n - LANE);
        UNROLL for (uint32_t r = 0; r < R; r++)
        {
            sum[(r * P + p) * 2] = b0;
            sum[(r * P + p) * 2 + 1] = b1;
        }
    }
    for (uint32_t k = 0; k < in; k++) UNROLL for (uint32_t p = 0; p < P; p++)
        {
            const float *v = w + ((size_t)p * in + k) * PANEL;
            __m512 w0 = _mm512_load_ps(v), w1 = _mm512_load_ps(v + LANE);
            UNROLL for (uint32_t r = 0; r < R; r++)
            {
                __m512 a = _mm512_set1_ps(x[r * ldx + k]);
                sum[(r * P + p) * 2] = _mm512_fmadd_ps(a, w0, sum[(r * P + p) * 2]);
                sum[(r * P + p) * 2 + 1] = _mm512_fmadd_ps(a, w1, sum[(r * P + p) * 2 + 1]);
            }
        }
    UNROLL for (uint32_t r = 0; r < R; r++) UNROLL for (uint32_t p = 0; p < P; p++)
    {
        int n = p + 1 < P ? PANEL : columns;
        float *to = y + r * ldy + p * PANEL;
        _mm512_mask_storeu_ps(to, lanes(n), sum[(r * P + p) * 2]);
        if (n > LANE) _mm512_mask_storeu_ps(to + LANE, lanes(n - LANE), sum[(r * P + p) * 2 + 1]);
    }
}

#define TILE_OF(R, P)                                                                              \
    TILE void tile_##R##x##P(float *y, size_t ldy, const float *x, size_t ldx, const float *w,     \
                             uint32_t in, const float *b, int columns)                             \
    {                                                                                              \
        tile(R, P, y, ldy, x, ldx, w, in, b, columns);                                             \
    }
TILE_OF(1, 4)
TILE_OF(1, 1)
TILE_OF(2, 2)
TILE_OF(4, 1)
TILE_OF(12, 1)

static void linear(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                   const fl_packed *w, const float *b)
{
    const float *data = w->data;
    uint32_t c = 0;

    /* One row or two: several panels at a time keep eight chains of four cycles in flight. */
    if (rows == 1)
        for (; c + 4 * PANEL <= w->out; c += 4 * PANEL)
            tile_1x4(y + c, 0, x, 0, data + (size_t)c * w->in, w->in, b ? b + c : NULL, PANEL);
    if (rows == 2)
        for (; c + 2 * PANEL <= w->out; c += 2 * PANEL)
            tile_2x2(y + c, ldy, x, ldx, data + (size_t)c * w->in, w->in, b ? b + c : NULL, PANEL);
    for (; c < w->out; c += PANEL) {
        const float *panel = data + (size_t)c * w->in, *bias = b ? b + c : NULL;
        int n = w->out - c < PANEL ? (int)(w->out - c) : PANEL;
        uint32_t r = 0;
        for (; r + 12 <= rows; r += 12)
            tile_12x1(y + r * ldy + c, ldy, x + r * ldx, ldx, panel, w->in, bias, n);
        for (; r + 4 <= rows; r += 4)
            tile_4x1(y + r * ldy + c, ldy, x + r * ldx, ldx, panel, w->in, bias, n);
        for (; r < rows; r++)
            tile_1x1(y + r * ldy + c, ldy, x + r * ldx, ldx, panel, w->in, bias, n);
    }
}

/* ---- 8 bits ---- */

/* x [n] in 8 bits, 128 added, up to a whole word; returns its unit. */
static float round_row(uint8_t *q, const float *x, uint32_t n)
{
    __m512 top = _mm512_setzero_ps();

    for (uint32_t k = 0; k < n; k += LANE)
        top = _mm512_max_ps(top, _mm512_abs_ps(floats(x + k, (int)(n - k))));
    float unit = fl_unit8(_mm512_reduce_max_ps(top));
    __m512 by = _mm512_set1_ps(unit > 0 ? 1.0f / unit : 0);
    for (uint32_t k = 0; k < n; k += LANE) {
        __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(floats(x + k, (int)(n - k)), by));
        v = _mm512_add_epi32(v, _mm512_set1_epi32(128));
        _mm_storeu_si128((__m128i *)(void *)(q + k), _mm512_cvtepi32_epi8(v));
    }
    return unit;
}

typedef struct {
    const int8_t *q; /* the panel */
    size_t step;     /* bytes from a word to the next */
    const float *scale, *b;
    const int32_t *offset;
    uint32_t words;
    int columns;
} panel8;

/* Columns [from, from + 16) of the panel. */
INLINE void finish8(float *y, __m512i sum, const panel8 *p, int from, float unit)
{
    int n = p->columns - from;
    __m512i whole = _mm512_sub_epi32(sum, _mm512_loadu_si512(p->offset + from));
    __m512 v =
        _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole), _mm512_loadu_ps(p->scale + from)),
                      _mm512_set1_ps(unit));

    if (p->b) v = _mm512_add_ps(v, floats(p->b + from, n));
    if (n >= LANE) _mm512_storeu_ps(y + from, v);
    else if (n > 0) _mm512_mask_storeu_ps(y + from, lanes(n), v);
}

/* A word of x for all columns. */
INLINE __m512i word(const uint8_t *q)
{
    int32_t v;

    memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

/* One row: eight chains over the words. */
TILE void tile8_one(float *y, const uint8_t *x, float unit, const panel8 *p)
{
    __m512i s0[4], s1[4];
    uint32_t k = 0;
    const int8_t *w = p->q;

    for (int i = 0; i < 4; i++) s0[i] = s1[i] = _mm512_setzero_si512();
    for (; k + 4 <= p->words; k += 4, w += 4 * p->step) UNROLL for (uint32_t i = 0; i < 4; i++)
        {
            __m512i a = word(x + (size_t)(k + i) * 4);
            const int8_t *v = w + i * p->step;
            s0[i] = _mm512_dpbusd_epi32(s0[i], a, _mm512_load_si512(v));
            s1[i] = _mm512_dpbusd_epi32(s1[i], a, _mm512_load_si512(v + 64));
        }
    for (; k < p->words; k++, w += p->step) {
        __m512i a = word(x + (size_t)k * 4);
        s0[0] = _mm512_dpbusd_epi32(s0[0], a, _mm512_load_si512(w));
        s1[0] = _mm512_dpbusd_epi32(s1[0], a, _mm512_load_si512(w + 64));
    }
    s0[0] = _mm512_add_epi32(_mm512_add_epi32(s0[0], s0[1]), _mm512_add_epi32(s0[2], s0[3]));
    s1[0] = _mm512_add_epi32(_mm512_add_epi32(s1[0], s1[1]), _mm512_add_epi32(s1[2], s1[3]));
    finish8(y, s0[0], p, 0, unit);
    finish8(y, s1[0], p, LANE, unit);
}

/* One row or two, the streams of an event, x four panels: what is read is nearly weights alone. */
INLINE void wide8(uint32_t R, float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                  const panel8 *p)
{
    __m512i s[2 * 2 * WIDE];

    UNROLL for (uint32_t i = 0; i < R * 2 * WIDE; i++) s[i] = _mm512_setzero_si512();
    for (uint32_t k = 0; k < p->words; k++) {
        const int8_t *w = p->q + (size_t)k * GROUP * 4;
        __m512i a = word(x + (size_t)k * 4), b = R > 1 ? word(x + ldx + (size_t)k * 4) : a;
        UNROLL for (uint32_t i = 0; i < 2 * WIDE; i++)
        {
            __m512i v = _mm512_load_si512(w + i * 64);
            s[i] = _mm512_dpbusd_epi32(s[i], a, v);
            if (R > 1) s[2 * WIDE + i] = _mm512_dpbusd_epi32(s[2 * WIDE + i], b, v);
        }
        UNROLL for (uint32_t i = 0; i < R * 2 * WIDE; i++) __asm__("" : "+v"(s[i]));
    }
    UNROLL for (uint32_t r = 0; r < R; r++) UNROLL for (uint32_t i = 0; i < WIDE; i++)
    {
        panel8 each = *p;
        each.scale += i * PANEL;
        each.offset += i * PANEL;
        if (each.b) each.b += i * PANEL;
        finish8(y + r * ldy + i * PANEL, s[r * 2 * WIDE + 2 * i], &each, 0, unit[r]);
        finish8(y + r * ldy + i * PANEL, s[r * 2 * WIDE + 2 * i + 1], &each, LANE, unit[r]);
    }
}
TILE void wide8_1(float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                  const panel8 *p)
{
    wide8(1, y, ldy, x, ldx, unit, p);
}
TILE void wide8_2(float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                  const panel8 *p)
{
    wide8(2, y, ldy, x, ldx, unit, p);
}

INLINE void tile8(uint32_t R, float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                  const panel8 *p)
{
    __m512i s0[ROWS], s1[ROWS];
    const int8_t *w = p->q;

    UNROLL for (uint32_t r = 0; r < R; r++) s0[r] = s1[r] = _mm512_setzero_si512();
    for (uint32_t k = 0; k < p->words; k++, w += p->step) {
        __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + 64);
        UNROLL for (uint32_t r = 0; r < R; r++)
        {
            __m512i a = word(x + r * ldx + (size_t)k * 4);
            s0[r] = _mm512_dpbusd_epi32(s0[r], a, w0);
            s1[r] = _mm512_dpbusd_epi32(s1[r], a, w1);
            /* gcc 12 else stores every sum at every step, at a fifth of the speed. */
            __asm__("" : "+v"(s0[r]), "+v"(s1[r]));
        }
    }
    UNROLL for (uint32_t r = 0; r < R; r++)
    {
        finish8(y + r * ldy, s0[r], p, 0, unit[r]);
        finish8(y + r * ldy, s1[r], p, LANE, unit[r]);
    }
}

TILE void tile8_12(float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                   const panel8 *p)
{
    tile8(12, y, ldy, x, ldx, unit, p);
}
TILE void tile8_4(float *y, size_t ldy, const uint8_t *x, size_t ldx, const float *unit,
                  const panel8 *p)
{
    tile8(4, y, ldy, x, ldx, unit, p);
}

/* As many rows as ROUNDED holds; every panel is read once for all of them. */
static void block8(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                   const fl_packed *w, const float *b)
{
    _Alignas(64) uint8_t q[ROUNDED];
    float unit[ROUNDED / LANE];
    size_t wide = ((size_t)w->in + LANE - 1) / LANE * LANE;
    uint32_t words = (w->in + 3) / 4;

    for (uint32_t r = 0; r < rows; r++) unit[r] = round_row(q + r * wide, x + r * ldx, w->in);
    for (uint32_t c = 0; c < w->out;) {
        size_t step, at = panel_at(w, c, &step);
        panel8 p = {(const int8_t *)w->data + at,
                    step,
                    w->scale + c,
                    b ? b + c : NULL,
                    offsets8(w) + c,
                    words,
                    (int)(w->out - c)};
        uint32_t r = 0;
        if (rows <= 2 && c + GROUP <= w->out) {
            (rows == 1 ? wide8_1 : wide8_2)(y + c, ldy, q, wide, unit, &p);
            c += GROUP;
            continue;
        }
        for (; r + 12 <= rows; r += 12)
            tile8_12(y + r * ldy + c, ldy, q + r * wide, wide, unit + r, &p);
        for (; r + 4 <= rows; r += 4)
            tile8_4(y + r * ldy + c, ldy, q + r * wide, wide, unit + r, &p);
        for (; r < rows; r++) tile8_one(y + r * ldy + c, q + r * wide, unit[r], &p);
        c += PANEL;
    }
}

void fl_linear_avx512(float *y, size_t ldy, const float *x, size_t ldx, uint32_t rows,
                      const fl_packed *w, const float *b)
{
    if (!w->scale) {
        linear(y, ldy, x, ldx, rows, w, b);
        return;
    }
    uint32_t wide = (w->in + LANE - 1) / LANE * LANE, most = ROUNDED / (wide ? wide : LANE);
    for (uint32_t r = 0; r < rows; r += most)
        block8(y + r * ldy, ldy, x + r * ldx, ldx, rows - r < most ? rows - r : most, w, b);
}
#endif
