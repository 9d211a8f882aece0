/* Products in plain loops (the definition) and through oneDNN, and the choice of a tier. Both keep a packed matrix as
 * plain rows, rounded if need be. */
#include "kernels/cpu.h"
#include "kernels/train_product_tiers.h"

#include <assert.h>

static float rounded(float x)
{
    uint32_t b;

    memcpy(&b, &x, 4);
    b = (b + 0x7fffu + (b >> 16 & 1u)) & 0xffff0000u;
    memcpy(&x, &b, 4);
    return x;
}

static void pack(fl_packed_matrix *to, const float *b, size_t ldb, bool transposed, uint32_t part,
                 uint32_t parts, bool bf16)
{
    float *out = to->data;

    to->stride = to->n;
    for (size_t k = to->k * part / parts; k < to->k * (part + 1) / parts; k++)
        for (size_t j = 0; j < to->n; j++) {
            float x = transposed ? b[j * ldb + k] : b[k * ldb + j];
            out[k * to->n + j] = bf16 ? rounded(x) : x;
        }
}

static void pack_fp32(fl_packed_matrix *to, const float *b, size_t ldb, bool transposed,
                      uint32_t part, uint32_t parts)
{
    pack(to, b, ldb, transposed, part, parts, false);
}

static void pack_bf16(fl_packed_matrix *to, const float *b, size_t ldb, bool transposed,
                      uint32_t part, uint32_t parts)
{
    pack(to, b, ldb, transposed, part, parts, true);
}

static fl_packed_matrix slice(const fl_packed_matrix *b, size_t k0, size_t k1, size_t n0, size_t n1)
{
    return (fl_packed_matrix){(float *)b->data + k0 * b->stride + n0, k1 - k0, n1 - n0, b->stride};
}

/* ---- plain loops ---- */

static void plain_row(float *c, const float *a, const fl_packed_matrix *b, bool add, bool bf16)
{
    const float *w = b->data;

    if (!add) memset(c, 0, b->n * sizeof *c);
    for (size_t k = 0; k < b->k; k++) {
        float x = bf16 ? rounded(a[k]) : a[k];
        for (size_t j = 0; j < b->n; j++) c[j] += x * w[k * b->stride + j];
    }
}

static void plain_fp32(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                       const fl_packed_matrix *b, bool add, void *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < m; i++) plain_row(c + i * ldc, a + i * lda, b, add, false);
}

static void plain_bf16(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                       const fl_packed_matrix *b, bool add, void *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < m; i++) plain_row(c + i * ldc, a + i * lda, b, add, true);
}

static void plain_outer_fp32(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                             const float *b, size_t ldb, size_t n, size_t rows, void *scratch)
{
    (void)scratch;
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) c[i * ldc + j] += a[t * lda + i] * b[t * ldb + j];
}

static void plain_outer_bf16(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                             const float *b, size_t ldb, size_t n, size_t rows, void *scratch)
{
    (void)scratch;
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                c[i * ldc + j] += rounded(a[t * lda + i]) * rounded(b[t * ldb + j]);
}

/* ---- oneDNN ---- */

static void onednn_fp32(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                        const fl_packed_matrix *b, bool add, void *scratch)
{
    (void)scratch;
    fl_sgemm(false, false, m, b->n, b->k, 1, a, lda, b->data, b->stride, add ? 1 : 0, c, ldc);
}

static void onednn_outer_fp32(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                              const float *b, size_t ldb, size_t n, size_t rows, void *scratch)
{
    (void)scratch;
    fl_sgemm(true, false, m, n, rows, 1, a, lda, b, ldb, 1, c, ldc);
}

/* Rows [rows][n] rounded into scratch, side by side. */
static void round_rows(float *out, const float *x, size_t ldx, size_t rows, size_t n)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) out[i * n + j] = rounded(x[i * ldx + j]);
}

enum { SIDE = 128 }; /* two squares of so many floats a side fit beside FL_PRODUCT_PACKED */

static void onednn_bf16(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                        const fl_packed_matrix *b, bool add, void *scratch)
{
    if (!add && !b->k) onednn_fp32(c, ldc, a, lda, m, b, false, scratch);
    for (size_t k = 0; k < b->k; k += SIDE)
        for (size_t i = 0; i < m; i += SIDE) {
            size_t depth = b->k - k < SIDE ? b->k - k : SIDE, rows = m - i < SIDE ? m - i : SIDE;
            fl_packed_matrix piece = slice(b, k, k + depth, 0, b->n);
            round_rows(scratch, a + i * lda + k, lda, rows, depth);
            onednn_fp32(c + i * ldc, ldc, scratch, depth, rows, &piece, add || k, NULL);
        }
}

static void onednn_outer_bf16(float *c, size_t ldc, const float *a, size_t lda, size_t m,
                              const float *b, size_t ldb, size_t n, size_t rows, void *scratch)
{
    float *left = scratch, *right = left + SIDE * SIDE;

    for (size_t t = 0; t < rows; t += SIDE)
        for (size_t i = 0; i < m; i += SIDE)
            for (size_t j = 0; j < n; j += SIDE) {
                size_t T = rows - t < SIDE ? rows - t : SIDE, M = m - i < SIDE ? m - i : SIDE,
                       N = n - j < SIDE ? n - j : SIDE;
                round_rows(left, a + t * lda + i, lda, T, M);
                round_rows(right, b + t * ldb + j, ldb, T, N);
                onednn_outer_fp32(c + i * ldc + j, ldc, left, M, M, right, N, N, T, NULL);
            }
}

void fl_product_of(const fl_products *p, float *c, size_t ldc, const float *a, size_t lda, size_t m,
                   const float *b, size_t ldb, bool transposed, size_t k, size_t n, bool add,
                   void *scratch)
{
    char *room = scratch;
    fl_packed_matrix packed = {
        .data = room + FL_PRODUCT_SCRATCH - FL_PRODUCT_PACKED, .k = k, .n = n};

    assert(fl_product_bytes(k, n) <= FL_PRODUCT_PACKED);
    p->pack(&packed, b, ldb, transposed, 0, 1);
    p->product(c, ldc, a, lda, m, &packed, add, scratch);
}

/* ---- the choice ---- */

static bool has_avx512(void)
{
    return fl_products_avx512.tier && fl_cpu_avx512();
}

bool fl_products_fast_bf16(void)
{
    return fl_products_avx512bf16.tier && fl_cpu_bf16();
}

const fl_products *fl_products_get(const char *tier, bool bf16)
{
    static const fl_products ref[2] = {
        {"ref", false, pack_fp32, slice, plain_fp32, plain_outer_fp32},
        {"ref", true, pack_bf16, slice, plain_bf16, plain_outer_bf16},
    };
    static const fl_products onednn[2] = {
        {"onednn", false, pack_fp32, slice, onednn_fp32, onednn_outer_fp32},
        {"onednn", true, pack_bf16, slice, onednn_bf16, onednn_outer_bf16},
    };

    if (!tier)
        tier = bf16 && fl_products_fast_bf16() ? "avx512bf16" : has_avx512() ? "avx512" : "onednn";
    if (!strcmp(tier, "ref")) return &ref[bf16];
    if (!strcmp(tier, "onednn")) return &onednn[bf16];
    if (!strcmp(tier, "avx512") && has_avx512())
        return bf16 ? &fl_products_avx512_rounded : &fl_products_avx512;
    if (!strcmp(tier, "avx512bf16") && fl_products_fast_bf16() && bf16)
        return &fl_products_avx512bf16;
    return NULL;
}

static bool is_onednn(const fl_products *p)
{
    return !strcmp(p->tier, "onednn");
}

void fl_products_begin(const fl_products *p, fl_gemm_hold *hold)
{
    if (is_onednn(p)) fl_gemm_begin(hold);
}

void fl_products_end(const fl_products *p, const fl_gemm_hold *hold)
{
    if (is_onednn(p)) fl_gemm_end(hold);
}
