/* The products of training: every tier and precision agrees with the plain one at odd sizes, touches nothing past its
 * arrays (they end at an unmapped page), and gives a row the same bits whatever rows are beside it. */
#include "support/support.h"
#include "kernels/train_gemm.h"
#include "kernels/train_product.h"
#include <math.h>

static void *scratch;

static float *random_floats(fl_rng *r, size_t n)
{
    float *x = guarded_floats(n);

    for (size_t i = 0; i < n; i++) x[i] = (float)fl_rng_normal(r);
    return x;
}

static float *copy(const float *x, size_t n)
{
    float *y = guarded_floats(n);

    memcpy(y, x, n * sizeof *y);
    return y;
}

static void same(const float *got, const float *want, size_t n, double tolerance, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tolerance))
            fail_msg("%s, element %zu of %zu: %.9g, plain %.9g", what, i, n, (double)got[i],
                     (double)want[i]);
}

static fl_packed_matrix packed(const fl_products *p, const float *b, size_t ldb, bool transposed,
                               size_t k, size_t n)
{
    fl_packed_matrix to = {.data = fl_alloc_aligned(fl_product_bytes(k, n), 1), .k = k, .n = n};

    memset(to.data, 0xff, fl_product_bytes(k, n)); /* NaN: padding must be written */
    for (uint32_t part = 0; part < 3; part++) p->pack(&to, b, ldb, transposed, part, 3);
    return to;
}

static void check_product(const fl_products *p, fl_rng *r, size_t m, size_t k, size_t n,
                          bool transposed, bool add)
{
    const fl_products *ref = fl_products_get("ref", p->bf16);
    float *a = random_floats(r, m * k), *b = random_floats(r, k * n),
          *want = random_floats(r, m * n), *got = copy(want, m * n), *one = copy(want, m * n),
          *before = copy(want, m * n);
    size_t ldb = transposed ? k : n;
    fl_packed_matrix plain = packed(ref, b, ldb, transposed, k, n),
                     own = packed(p, b, ldb, transposed, k, n);

    ref->product(want, n, a, k, m, &plain, add, scratch);
    p->product(got, n, a, k, m, &own, add, scratch);
    same(got, want, m * n, 1e-5 * sqrt((double)k + 1), p->tier);
    if (fl_product_bytes(k, n) > FL_PRODUCT_PACKED) memcpy(one, got, m * n * sizeof *one);
    else fl_product_of(p, one, n, a, k, m, b, ldb, transposed, k, n, add, scratch);
    assert_memory_equal(one, got, m * n * sizeof *one);
    if (strcmp(p->tier, "onednn") != 0)
        for (size_t i = 0; i < m; i++) {
            memcpy(one + i * n, before + i * n, n * sizeof *one);
            p->product(one + i * n, n, a + i * k, k, 1, &own, add, scratch);
            assert_memory_equal(one + i * n, got + i * n, n * sizeof *one);
        }
    free(plain.data);
    free(own.data);
    guarded_free_all();
}

static void check_outer(const fl_products *p, fl_rng *r, size_t m, size_t n, size_t rows)
{
    const fl_products *ref = fl_products_get("ref", p->bf16);
    float *a = random_floats(r, rows * m), *b = random_floats(r, rows * n),
          *want = random_floats(r, m * n), *got = copy(want, m * n);

    ref->outer(want, n, a, m, m, b, n, n, rows, scratch);
    p->outer(got, n, a, m, m, b, n, n, rows, scratch);
    same(got, want, m * n, 1e-5 * sqrt((double)rows + 1), p->tier);
    guarded_free_all();
}

static void check_slices(const fl_products *p, fl_rng *r)
{
    size_t k = 150, n = 101, k0 = 64, k1 = 129, n0 = 32, n1 = 81, m = 19;
    float *a = random_floats(r, m * k), *b = random_floats(r, k * n), *want = guarded_floats(m * n),
          *got = guarded_floats(m * n);
    fl_packed_matrix whole = packed(p, b, n, false, k, n), part = p->slice(&whole, k0, k1, n0, n1),
                     own = packed(p, b + k0 * n + n0, n, false, k1 - k0, n1 - n0);

    assert_int_equal(part.k, k1 - k0);
    assert_int_equal(part.n, n1 - n0);
    p->product(got, n, a, k, m, &part, false, scratch);
    p->product(want, n, a, k, m, &own, false, scratch);
    for (size_t i = 0; i < m; i++) same(got + i * n, want + i * n, n1 - n0, 1e-5, "slice");
    free(whole.data);
    free(own.data);
    guarded_free_all();
}

static void check_tier(const fl_products *p)
{
    static const size_t odd[] = {1, 2, 3, 13, 14, 15, 16, 17, 31, 33, 63, 65};
    fl_rng r;

    fl_rng_seed(&r, 3);
    for (size_t i = 0; i < FL_LEN(odd); i++) {
        check_product(p, &r, odd[i], 37, 29, i % 2, i % 3);
        check_product(p, &r, 5, odd[i], 41, i % 2, i % 3 == 1);
        check_product(p, &r, 4, 35, odd[i], i % 2, i % 3 == 0);
        check_outer(p, &r, odd[i], 45, 23);
        check_outer(p, &r, 23, odd[i], 37);
        check_outer(p, &r, 17, 35, odd[i]);
    }
    check_product(p, &r, 227, 530, 70, false, false);
    check_product(p, &r, 9, 256, 512, false, true);
    check_product(p, &r, 16, 256, 768, true, true);
    check_product(p, &r, 120, 40, 600, true, false);
    check_product(p, &r, 3, 0, 20, false, false);
    check_outer(p, &r, 40, 530, 530);
    check_outer(p, &r, 3, 5, 0);
    check_slices(p, &r);
}

static void tiers_agree(void **state)
{
    static const char *const tier[] = {"onednn", "avx512", "avx512bf16"};
    fl_gemm_hold hold;

    (void)state;
    scratch = fl_alloc_aligned(FL_PRODUCT_SCRATCH, 1);
    fl_gemm_begin(&hold);
    for (size_t i = 0; i < FL_LEN(tier); i++)
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const fl_products *p = fl_products_get(tier[i], bf16);
            if (!p) continue;
            assert_int_equal(p->bf16, bf16);
            check_tier(p);
        }
    fl_gemm_end(&hold);
    free(scratch);
}

/* bf16 keeps eight bits: the rounding itself, against numbers known by hand, in every tier. */
static void factors_are_rounded_to_nearest_even(void **state)
{
    static const char *const tier[] = {"ref", "onednn", "avx512", "avx512bf16"};
    const float step = 1.0f / 128, a[2] = {1 + step / 2, 1 + 3 * step / 2}, one[2] = {1, 1};

    (void)state;
    scratch = fl_alloc_aligned(FL_PRODUCT_SCRATCH, 1);
    for (size_t i = 0; i < FL_LEN(tier); i++) {
        const fl_products *p = fl_products_get(tier[i], true);
        float y[2], w = 0;
        fl_gemm_hold hold;
        if (!p) continue;
        fl_packed_matrix b = packed(p, one, 1, false, 1, 1);
        fl_gemm_begin(&hold);
        p->product(y, 1, a, 1, 2, &b, false, scratch);
        p->outer(&w, 1, a, 1, 1, one, 1, 1, 2, scratch);
        fl_gemm_end(&hold);
        assert_true(y[0] == 1 && y[1] == 1 + 2 * step);
        assert_true(w == 2 + 2 * step);
        free(b.data);
    }
    free(scratch);
}

static void tiers_are_chosen_by_name(void **state)
{
    (void)state;
    assert_null(fl_products_get("avx1024", false));
    assert_null(fl_products_get("avx512bf16", false));
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const fl_products *best = fl_products_get(NULL, bf16);
        assert_non_null(best);
        assert_ptr_equal(best, fl_products_get(best->tier, bf16));
        assert_string_equal(fl_products_get("ref", bf16)->tier, "ref");
    }
    if (fl_products_fast_bf16())
        assert_string_equal(fl_products_get(NULL, true)->tier, "avx512bf16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiers_agree),
        cmocka_unit_test(factors_are_rounded_to_nearest_even),
        cmocka_unit_test(tiers_are_chosen_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
