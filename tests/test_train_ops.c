/* Kernels of training: avx2 gives the reference's bytes at every tail, avx512 comes close to them, nothing past an array is
 * touched; oneDNN's product against plain loops. */
#include "support/support.h"
#include "kernels/train_gemm.h"
#include "kernels/train_ops.h"
#include <math.h>

/* Conversions and sums of one length, each pair of arrays alike in both tiers. */
static void check_small(const fl_train_ops *ref, const fl_train_ops *fast, fl_rng *r, size_t n)
{
    const fl_train_ops *op[2] = {ref, fast};
    int16_t *fixed = guarded(n * sizeof *fixed);
    uint16_t *half[2];
    float *x[2], *y[2];

    for (size_t i = 0; i < n; i++) fixed[i] = (int16_t)fl_rng_below(r, 65536);
    for (int k = 0; k < 2; k++) {
        half[k] = guarded(n * sizeof *half[k]);
        x[k] = guarded_floats(n);
        y[k] = guarded_floats(n);
        op[k]->from_fixed(x[k], fixed, 1.0f / 3200, n);
        op[k]->to_bf16(half[k], x[k], n);
        op[k]->from_bf16(y[k], half[k], n);
        for (size_t i = 0; i < n; i++) { /* what the conversions are */
            assert_true(fabsf(x[k][i] - (float)fixed[i] / 3200) <= 1e-6f * fabsf(x[k][i]));
            assert_true(fabsf(y[k][i] - x[k][i]) <= fabsf(x[k][i]) / 256);
        }
        op[k]->add(y[k], x[k], n);
    }
    assert_memory_equal(half[0], half[1], n * sizeof *half[0]);
    assert_memory_equal(x[0], x[1], n * sizeof(float));
    assert_memory_equal(y[0], y[1], n * sizeof(float));
    guarded_free_all();
}

/* Both tiers give the same bytes at every tail and touch nothing past their arrays. */
static void test_tiers(void **state)
{
    const fl_train_ops *ref = fl_train_ops_get("ref"), *fast = fl_train_ops_get("avx2");
    enum { EVERY = 34 }; /* all tails of the widest register, then some usual widths */
    static const size_t more[] = {64, 91, 255, 768};
    fl_rng r;

    (void)state;
    if (!fast) {
        print_message("no AVX2 here: only the reference tier\n");
        return;
    }
    fl_rng_seed(&r, 4);
    for (size_t s = 0; s < EVERY + FL_LEN(more); s++) {
        size_t H = s < EVERY ? s + 1 : more[s - EVERY], n = 3 * H;
        float *a[2], *b[2], *c[2], *d[2];
        for (int k = 0; k < 2; k++) {
            a[k] = guarded_floats(2 * n);
            b[k] = guarded_floats(2 * n);
            c[k] = guarded_floats(2 * H);
            d[k] = guarded_floats(2 * H);
        }
        for (size_t i = 0; i < 2 * n; i++) {
            a[0][i] = a[1][i] = (float)fl_rng_normal(&r) * 3;
            b[0][i] = b[1][i] = (float)fl_rng_normal(&r) * 3;
        }
        for (size_t i = 0; i < 2 * H; i++) c[0][i] = c[1][i] = (float)fl_rng_normal(&r);
        const fl_train_ops *op[2] = {ref, fast};
        double square[2];
        float loss[2], product[2];
        fl_adam adam = {1e-3f, 0.9f, 0.999f, 1e-8f, 0.99f, 10, 1000, 0.5f};
        for (int k = 0; k < 2; k++) {
            op[k]->gru(a[k], b[k], c[k], d[k], 2, H);
            op[k]->gru_back(a[k], b[k], c[k], d[k], 2, H);
            op[k]->adam(c[k], a[k], b[k], d[k], H,
                        &(fl_adam){.rate = 0.1f,
                                   .beta1 = 0.9f,
                                   .epsilon = 1e-8f,
                                   .decay = 1,
                                   .correct1 = 1,
                                   .correct2 = 0,
                                   .scale = 1});
            float total;
            loss[k] = op[k]->softmax(d[k], c[k], H, H / 2, &total);
            op[k]->softmax_back(d[k], c[k], H, H / 2, 0.25f, total);
            op[k]->axpy(d[k], 0.3f, c[k], H);
            op[k]->scale(c[k], 0.7f, H);
            op[k]->column_sums(d[k], b[k], 2, H);
            op[k]->bias_relu(b[k], c[k], 2, H);
            op[k]->relu_back(c[k], b[k], H);
            square[k] = op[k]->squares(d[k], 2 * H);
            product[k] = op[k]->dot(c[k], d[k], H);
            for (size_t i = 0; i < H; i++) b[k][i] = fabsf(b[k][i]);
            op[k]->adam(d[k], a[k], b[k], c[k], H, &adam);
        }
        assert_memory_equal(a[0], a[1], 2 * n * sizeof(float));
        assert_memory_equal(b[0], b[1], 2 * n * sizeof(float));
        assert_memory_equal(c[0], c[1], 2 * H * sizeof(float));
        assert_memory_equal(d[0], d[1], 2 * H * sizeof(float));
        assert_memory_equal(&square[0], &square[1], sizeof square[0]);
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
        assert_memory_equal(&product[0], &product[1], sizeof product[0]);
        guarded_free_all();
        check_small(ref, fast, &r, H);
    }
}

static void near_enough(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * (1 + fabsf(want[i]))))
            fail_msg("element %zu of %zu: %.9g, reference %.9g", i, n, (double)got[i],
                     (double)want[i]);
}

/* One shape of what a tier may round in its own way: close to the reference, nothing touched past the arrays. */
static void check_rounded(const fl_train_ops *ref, const fl_train_ops *fast, fl_rng *r, size_t H)
{
    const fl_train_ops *op[2] = {ref, fast};
    float *gx[2], *gh[2], *before[2], *after[2], *x[2], loss[2], product[2], sum = 0;
    double square[2];

    for (int k = 0; k < 2; k++) {
        gx[k] = guarded_floats(6 * H), gh[k] = guarded_floats(6 * H);
        before[k] = guarded_floats(2 * H), after[k] = guarded_floats(2 * H),
        x[k] = guarded_floats(H);
    }
    for (size_t i = 0; i < 6 * H; i++) {
        gx[0][i] = gx[1][i] = (float)fl_rng_normal(r) * (i % 9 ? 3 : 60); /* some far out */
        gh[0][i] = gh[1][i] = (float)fl_rng_normal(r) * 3;
    }
    for (size_t i = 0; i < 2 * H; i++) before[0][i] = before[1][i] = (float)fl_rng_normal(r);
    for (size_t i = 0; i < H; i++) x[0][i] = x[1][i] = (float)fl_rng_normal(r) * 4;
    for (int k = 0; k < 2; k++) {
        product[k] = op[k]->dot(gh[k], before[k], H);
        square[k] = op[k]->squares(gh[k], H);
        op[k]->gru(gx[k], gh[k], before[k], after[k], 2, H);
        float total;
        loss[k] = op[k]->softmax(x[k], H % 2 ? before[k] : NULL, H, H / 2, &total);
        op[k]->softmax_back(x[k], before[k] + H, H, H / 2, 0.25f, total);
    }
    near_enough(gx[1], gx[0], 6 * H);
    near_enough(after[1], after[0], 2 * H);
    near_enough(x[1], x[0], H);
    near_enough(&loss[1], &loss[0], 1);
    near_enough(before[1], before[0], 2 * H);
    memcpy(before[1], before[0], 2 * H * sizeof(float));
    for (size_t i = 0; i < H; i++) sum += x[1][i];
    assert_true(fabsf(sum) < 1e-5f); /* weight * (sum of p - 1) */
    assert_true(fabsf(product[1] - product[0]) <= 2e-5f * (float)H);
    assert_true(fabs(square[1] - square[0]) <= 1e-6 * square[0]);
    memcpy(gx[1], gx[0], 6 * H * sizeof(float)); /* backwards from the same gates, the same bytes */
    memcpy(after[1], after[0], 2 * H * sizeof(float));
    for (int k = 0; k < 2; k++) op[k]->gru_back(gx[k], gh[k], before[k], after[k], 2, H);
    assert_memory_equal(gx[1], gx[0], 6 * H * sizeof(float));
    assert_memory_equal(gh[1], gh[0], 6 * H * sizeof(float));
    assert_memory_equal(after[1], after[0], 2 * H * sizeof(float));
    guarded_free_all();
}

static void test_avx512_is_near_the_reference(void **state)
{
    const fl_train_ops *ref = fl_train_ops_get("ref"), *fast = fl_train_ops_get("avx512");
    static const size_t more[] = {64, 91, 255, 768, 8192};
    fl_rng r;

    (void)state;
    if (!fast) {
        print_message("no AVX-512 here\n");
        return;
    }
    fl_rng_seed(&r, 12);
    for (size_t H = 1; H <= 66; H++) check_rounded(ref, fast, &r, H);
    for (size_t i = 0; i < FL_LEN(more); i++) check_rounded(ref, fast, &r, more[i]);
    for (size_t n = 1; n <= 66; n++) check_small(ref, fast, &r, n);
}

static void test_sgemm(void **state)
{
    static const size_t size[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 33, 9}, {64, 48, 100}};
    fl_rng r;

    (void)state;
    fl_rng_seed(&r, 8);
    for (size_t s = 0; s < FL_LEN(size); s++)
        for (int way = 0; way < 4; way++) {
            size_t m = size[s][0], n = size[s][1], k = size[s][2];
            bool ta = way & 1, tb = way & 2;
            float *a = fl_alloc(m * k, sizeof *a), *b = fl_alloc(k * n, sizeof *b),
                  *c = fl_alloc(m * n, sizeof *c);
            for (size_t i = 0; i < m * k; i++) a[i] = (float)fl_rng_normal(&r);
            for (size_t i = 0; i < k * n; i++) b[i] = (float)fl_rng_normal(&r);
            for (size_t i = 0; i < m * n; i++) c[i] = 1;
            fl_sgemm(ta, tb, m, n, k, 0.5f, a, ta ? m : k, b, tb ? k : n, 2, c, n);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double want = 2;
                    for (size_t x = 0; x < k; x++)
                        want += 0.5 * (double)a[ta ? x * m + i : i * k + x] *
                                (double)b[tb ? j * k + x : x * n + j];
                    assert_true(fabs(want - (double)c[i * n + j]) < 1e-4);
                }
            free(a);
            free(b);
            free(c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_avx512_is_near_the_reference),
        cmocka_unit_test(test_sgemm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
