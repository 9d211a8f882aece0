/* Trees over sixteen rows, AVX-512. */
#include "kernels/trees16.h"

#if defined(__AVX512F__)
#include "kernels/math_avx512.h"

#define UNROLL _Pragma("GCC unroll 16")

/* Sixteen columns of sixteen rows, of which the first n are there: to[c] gets column c. Returns the rows with a NaN. */
static __mmask16 turn(float to[LANE][LANE], const float *const row[LANE], size_t from, size_t n)
{
    __m512 a[LANE], b[LANE];
    __mmask16 missing = 0;

    UNROLL for (int r = 0; r < LANE; r++) a[r] = get(row[r] + from, lanes(n));
    /* Four by four within quarters of registers, then the quarters. */
    UNROLL for (int r = 0; r < LANE; r += 4)
    {
        __m512 p = _mm512_unpacklo_ps(a[r], a[r + 1]), q = _mm512_unpackhi_ps(a[r], a[r + 1]);
        __m512 s = _mm512_unpacklo_ps(a[r + 2], a[r + 3]),
               t = _mm512_unpackhi_ps(a[r + 2], a[r + 3]);
        b[r] = _mm512_shuffle_ps(p, s, 0x44);
        b[r + 1] = _mm512_shuffle_ps(p, s, 0xee);
        b[r + 2] = _mm512_shuffle_ps(q, t, 0x44);
        b[r + 3] = _mm512_shuffle_ps(q, t, 0xee);
    }
    UNROLL for (int c = 0; c < 4; c++)
    {
        __m512 p = _mm512_shuffle_f32x4(b[c], b[c + 4], 0x88),
               q = _mm512_shuffle_f32x4(b[c], b[c + 4], 0xdd);
        __m512 s = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0x88),
               t = _mm512_shuffle_f32x4(b[c + 8], b[c + 12], 0xdd);
        __m512 v[4] = {_mm512_shuffle_f32x4(p, s, 0x88), _mm512_shuffle_f32x4(q, t, 0x88),
                       _mm512_shuffle_f32x4(p, s, 0xdd), _mm512_shuffle_f32x4(q, t, 0xdd)};
        missing |= _mm512_cmp_ps_mask(v[0], v[1], _CMP_UNORD_Q);
        missing |= _mm512_cmp_ps_mask(v[2], v[3], _CMP_UNORD_Q);
        UNROLL for (int i = 0; i < 4; i++) _mm512_store_ps(to[c + 4 * i], v[i]);
    }
    return missing;
}

/* The answers of a part's nodes: a bit a row. Returns the rows with a NaN. */
static __mmask16 compare(const fl_trees16 *t, uint32_t part, const float *const row[LANE],
                         uint16_t *answer)
{
    _Alignas(64) float value[FL_TREES16_BLOCK][LANE];
    __mmask16 missing = 0;

    for (uint32_t b = 0; b < t->blocks; b++) {
        size_t from = (size_t)b * FL_TREES16_BLOCK;
        const uint32_t *start = &t->start[(size_t)part * t->blocks + b];
        for (size_t c = 0; c < FL_TREES16_BLOCK && from + c < t->columns; c += LANE)
            missing |= turn(value + c, row, from + c, t->columns - from - c);
        for (const fl_trees16_node *n = t->node + start[0], *end = t->node + start[1]; n < end;
             n++) {
            __m512 v = _mm512_load_ps(value[0] + n->value);
            answer[n->place] = _mm512_cmp_ps_mask(v, all(n->split), _CMP_NLT_UQ);
        }
    }
    return missing;
}

/* Which way a group's trees go at each depth, from the answers of all their nodes. */
static void ways(const uint16_t *answer, uint16_t way[FL_TREES16_DEPTH][FL_TREES16_GROUP])
{
    const __m512i *a = (const __m512i *)(const void *)answer;
    __m512i went[FL_TREES16_DEPTH], v[FL_TREES16_LEAVES / 4];

    went[0] = _mm512_load_si512(a + 1);
    _mm512_storeu_si512(way[0], went[0]);
#pragma GCC unroll 6
    for (int d = 1; d < FL_TREES16_DEPTH; d++) {
        int half = 1 << (d - 1);
        /* Bit by bit: went ? right : left. */
        UNROLL for (int j = 0; j < half; j++) v[j] =
            _mm512_ternarylogic_epi32(went[0], _mm512_load_si512(a + 3 * half + j),
                                      _mm512_load_si512(a + 2 * half + j), 0xca);
#pragma GCC unroll 5
        for (int e = 1; e < d; e++) {
            half /= 2;
            UNROLL for (int j = 0; j < half; j++) v[j] =
                _mm512_ternarylogic_epi32(went[e], v[j + half], v[j], 0xca);
        }
        went[d] = v[0];
        _mm512_storeu_si512(way[d], went[d]);
    }
}

/* The leaves of one tree, given its rows' ways: [depth][FL_TREES16_GROUP]. */
INLINE __m512 leaves(const float *leaf, const uint16_t *way)
{
    __m512i at = _mm512_maskz_set1_epi32(way[FL_TREES16_GROUP], 16);
    UNROLL for (int d = 2; d < FL_TREES16_DEPTH; d++) at = _mm512_mask_or_epi32(
        at, way[d * FL_TREES16_GROUP], at, _mm512_set1_epi32(FL_TREES16_LEAVES / 2 >> d));
    __m512 low = _mm512_permutex2var_ps(_mm512_load_ps(leaf), at, _mm512_load_ps(leaf + 16));
    __m512 high = _mm512_permutex2var_ps(_mm512_load_ps(leaf + 32), at, _mm512_load_ps(leaf + 48));
    return _mm512_mask_mov_ps(low, way[0], high);
}

uint32_t fl_trees16_avx512(const fl_trees16 *t, const float *const row[FL_TREES16_ROWS],
                           float sum[FL_TREES16_ROWS])
{
    enum { ANSWERS = FL_TREES16_GROUP * FL_TREES16_LEAVES };
    _Alignas(64) uint16_t answer[FL_TREES16_PART * FL_TREES16_LEAVES];
    uint16_t way[FL_TREES16_DEPTH][FL_TREES16_GROUP];
    __m512 s = all(t->base);
    __mmask16 missing = 0;
    const float *leaf = t->leaf;

    memset(answer, 0, sizeof answer); /* where a tree has no node */
    for (uint32_t part = 0; part < t->parts; part++) {
        uint32_t left = t->trees - part * FL_TREES16_PART;
        if (left > FL_TREES16_PART) left = FL_TREES16_PART;
        missing |= compare(t, part, row, answer);
        for (uint32_t g = 0; g < left; g += FL_TREES16_GROUP) {
            ways(answer + (size_t)g / FL_TREES16_GROUP * ANSWERS, way);
            for (uint32_t u = 0; u < FL_TREES16_GROUP && g + u < left;
                 u++, leaf += FL_TREES16_LEAVES)
                s = _mm512_add_ps(s, leaves(leaf, way[0] + u));
        }
    }
    _mm512_storeu_ps(sum, s);
    return missing;
}
#endif
