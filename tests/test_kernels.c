/* Every tier agrees with the reference at every tail length, reads and writes nothing past its arrays (they end at
 * an unmapped page), and gives a row the same bits whatever rows are beside it. */
#include "support/support.h"
#include "kernels/kernels.h"
#include <math.h>

enum { LONGEST = 70 };

static float *random_floats(fl_rng *r, size_t n, double scale)
{
    float *x = guarded_floats(n);

    for (size_t i = 0; i < n; i++) x[i] = (float)(fl_rng_normal(r) * scale);
    return x;
}

static float *copy(const float *x, size_t n)
{
    float *y = guarded_floats(n);

    memcpy(y, x, n * sizeof *y);
    return y;
}

static void same(const float *got, const float *want, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= tolerance * (1 + fabs((double)want[i]))))
            fail_msg("element %zu of %zu: %.9g, reference %.9g", i, n, (double)got[i],
                     (double)want[i]);
    }
}

static void check_linear(const fl_kernels *ref, const fl_kernels *k, fl_rng *r, uint32_t rows,
                         uint32_t in, uint32_t out, bool bias)
{
    float *x = random_floats(r, (size_t)rows * in, 1), *w = random_floats(r, (size_t)in * out, 1);
    float *b = bias ? random_floats(r, out, 1) : NULL;
    float *want = guarded_floats((size_t)rows * out), *got = guarded_floats((size_t)rows * out);
    float *one = guarded_floats(out);
    fl_packed pr = ref->pack(w, in, out), pk = k->pack(w, in, out);

    ref->linear(want, out, x, in, rows, &pr, b);
    k->linear(got, out, x, in, rows, &pk, b);
    same(got, want, (size_t)rows * out, 1e-5 * sqrt(in));
    for (uint32_t i = 0; i < rows; i++) {
        k->linear(one, out, x + (size_t)i * in, in, 1, &pk, b);
        assert_memory_equal(one, got + (size_t)i * out, out * sizeof *one);
    }
    fl_packed_free(&pr);
    fl_packed_free(&pk);
    /* In 8 bits the same whole numbers everywhere: the same bits. */
    pr = ref->pack8(w, in, out), pk = k->pack8(w, in, out);
    ref->linear(want, out, x, in, rows, &pr, b);
    k->linear(got, out, x, in, rows, &pk, b);
    assert_memory_equal(got, want, (size_t)rows * out * sizeof *got);
    for (uint32_t i = 0; i < rows; i++) {
        k->linear(one, out, x + (size_t)i * in, in, 1, &pk, b);
        assert_memory_equal(one, got + (size_t)i * out, out * sizeof *one);
    }
    fl_packed_free(&pr);
    fl_packed_free(&pk);
    guarded_free_all();
}

static void linear_all_shapes(const fl_kernels *k)
{
    const fl_kernels *ref = fl_kernels_ref();
    fl_rng r;

    fl_rng_seed(&r, 1);
    for (uint32_t out = 1; out <= LONGEST; out++) check_linear(ref, k, &r, 1, 9, out, out % 2);
    for (uint32_t out = 78; out <= 98; out++) check_linear(ref, k, &r, 1, 5, out, true);
    for (uint32_t rows = 1; rows <= 15; rows++)
        for (uint32_t out = 15; out <= 34; out += 2)
            check_linear(ref, k, &r, rows, 33, out, rows % 2);
    for (uint32_t in = 1; in <= 20; in++) check_linear(ref, k, &r, 3, in, 17, true);
    check_linear(ref, k, &r, 13, 256, 768, true);
}

static void vectors_all_lengths(const fl_kernels *k)
{
    const fl_kernels *ref = fl_kernels_ref();
    fl_rng r;

    fl_rng_seed(&r, 2);
    for (uint32_t n = 1; n <= LONGEST; n++) {
        float *x = random_floats(&r, n, 3), *y = random_floats(&r, n, 3), *a, *b;
        a = copy(y, n), b = copy(y, n);
        ref->add(a, x, n), k->add(b, x, n);
        same(b, a, n, 0);
        ref->axpy(a, 0.3f, x, n), k->axpy(b, 0.3f, x, n);
        same(b, a, n, 1e-6);
        a = copy(x, n), b = copy(x, n);
        ref->relu(a, n), k->relu(b, n);
        same(b, a, n, 0);
        a = copy(x, n), b = copy(x, n);
        ref->exp(a, n), k->exp(b, n);
        same(b, a, n, 1e-6);
        a = copy(x, n), b = copy(x, n);
        float top_a, top_b, sum_a = ref->exp_sum(a, n, &top_a), sum_b = k->exp_sum(b, n, &top_b);
        same(b, a, n, 1e-6);
        assert_true(top_a == top_b);
        same(&sum_b, &sum_a, 1, 1e-6);
        sum_a = ref->sum(x, n), sum_b = k->sum(x, n);
        assert_true(fabsf(sum_a - sum_b) < 1e-4f);
        a[0] = b[0] = n % 2 ? 1 : 1e-30f;
        for (uint32_t i = 1; i < n; i++) a[i] = b[i] = 1e-6f + x[i] * x[i] * (n > 40 ? 1e12f : 1);
        ref->log(a, n), k->log(b, n);
        same(b, a, n, 3e-7);
        if (n % 2) assert_true(b[0] == 0);
        assert_true(k->sum(x, 0) == 0);
        a = copy(x, n), b = copy(x, n);
        ref->log_softmax(a, n), k->log_softmax(b, n);
        same(b, a, n, 1e-6);
        float want = ref->dot(x, y, n), got = k->dot(x, y, n);
        assert_true(fabsf(want - got) < 1e-4f);
        float *gx = random_floats(&r, 3 * (size_t)n, 2), *gh = random_floats(&r, 3 * (size_t)n, 2);
        a = copy(x, n), b = copy(x, n);
        ref->gru(a, gx, gh, n), k->gru(b, gx, gh, n);
        same(b, a, n, 1e-6);
        float *w = random_floats(&r, 3 * (size_t)n, 1), *c = random_floats(&r, 3, 1);
        a = guarded_floats(3), b = guarded_floats(3);
        ref->dots(a, w, x, c, 3, n), k->dots(b, w, x, c, 3, n);
        same(b, a, 3, 1e-5);
        float *scale = random_floats(&r, n, 1);
        for (uint32_t i = 0; i < n; i++) scale[i] = fabsf(scale[i]) + 0.1f;
        a = copy(x, n), b = copy(x, n);
        if (n > 5) a[1] = b[1] = NAN, a[3] = b[3] = -INFINITY, a[4] = b[4] = -0.0f;
        float *in = copy(a, n);
        ref->squash(a, in, y, scale, 10, n), k->squash(b, in, y, scale, 10, n);
        assert_memory_equal(a, b, n * sizeof *a);
        int8_t want8[LONGEST], got8[LONGEST + 1];
        for (uint32_t i = 0; i < n; i++) y[i] *= 0.3f;
        got8[n] = 77;
        ref->to8(want8, y, n * 977, n), k->to8(got8, y, n * 977, n);
        assert_memory_equal(got8, want8, n * sizeof *want8);
        assert_int_equal(got8[n], 77);
        ref->from8(a, want8, n), k->from8(b, want8, n);
        assert_memory_equal(a, b, n * sizeof *a);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabsf(a[i] - fminf(fmaxf(y[i], -1), 1)) < 1.00001f / 127);
        guarded_free_all();
    }
}

/* The same value gives the same bits in every lane and in every tail. */
static void place_does_not_matter(const fl_kernels *k)
{
    fl_rng r;
    float want, first[LONGEST], x[LONGEST], gx[3 * LONGEST], gh[3 * LONGEST];

    fl_rng_seed(&r, 3);
    for (int trial = 0; trial < 50; trial++) {
        float v = (float)(fl_rng_normal(&r) * 4), g = (float)fl_rng_normal(&r);
        for (uint32_t n = 1; n <= 33; n++) {
            for (uint32_t i = 0; i < n; i++) x[i] = v;
            k->exp(x, n);
            want = n == 1 ? x[0] : first[0];
            for (uint32_t i = 0; i < n; i++) assert_memory_equal(&x[i], &want, sizeof want);
            first[0] = want;
        }
        for (uint32_t n = 1; n <= 33; n++) {
            for (uint32_t i = 0; i < n; i++) x[i] = v * v + 1e-20f;
            k->log(x, n);
            want = n == 1 ? x[0] : first[0];
            for (uint32_t i = 0; i < n; i++) assert_memory_equal(&x[i], &want, sizeof want);
            first[0] = want;
        }
        for (uint32_t n = 1; n <= 33; n++) {
            for (uint32_t i = 0; i < n; i++) x[i] = v;
            for (uint32_t i = 0; i < 3 * n; i++) gx[i] = g, gh[i] = v;
            k->gru(x, gx, gh, n);
            want = n == 1 ? x[0] : first[0];
            for (uint32_t i = 0; i < n; i++) assert_memory_equal(&x[i], &want, sizeof want);
            first[0] = want;
        }
    }
}

/* Nothing finite makes a NaN or an infinity. */
static void extremes(const fl_kernels *k)
{
    float x[9] = {-3e38f, 3e38f, 0, -0.0f, 1e-40f, 88, -88, 1e20f, -1e20f}, y[9];
    float gx[27], gh[27];

    memcpy(y, x, sizeof y);
    k->exp(y, 9);
    for (int i = 0; i < 9; i++) assert_true(isfinite(y[i]) && y[i] >= 0);
    for (int i = 0; i < 9; i++) y[i] = x[i] * 0.1f;
    float top, sum = k->exp_sum(y, 9, &top);
    assert_true(top == x[1] * 0.1f && sum >= 1 && sum < 2);
    for (int i = 0; i < 9; i++) assert_true(y[i] >= 0 && y[i] <= 1);
    for (int i = 0; i < 9; i++) y[i] = x[i] * 0.1f;
    k->log_softmax(y, 9);
    for (int i = 0; i < 9; i++) assert_true(isfinite(y[i]) && y[i] <= 0);
    for (int i = 0; i < 27; i++) gx[i] = x[i % 9] * 0.1f, gh[i] = x[(i + 4) % 9] * 0.1f;
    memset(y, 0, sizeof y);
    k->gru(y, gx, gh, 9);
    for (int i = 0; i < 9; i++) assert_true(isfinite(y[i]) && fabsf(y[i]) <= 1);
    y[0] = 5;
    k->log_softmax(y, 1);
    assert_true(y[0] == 0);
}

/* Rounding to 8 bits is right on average over turns and over elements, and a value that moves by a fraction of a unit a
 * turn moves. */
static void dither(const fl_kernels *k)
{
    enum { TURNS = 4096, N = 67 };
    float x[N], y[N];
    double sum[N] = {0}, all = 0;
    int8_t q[N];

    for (uint32_t i = 0; i < N; i++) x[i] = -1.0f + 2.0f * (float)i / (N - 1);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        double here = 0;
        k->to8(q, x, turn + 12345, N);
        k->from8(y, q, N);
        for (uint32_t i = 0; i < N; i++) sum[i] += (double)y[i], here += (double)(y[i] - x[i]);
        assert_true(fabs(here / N) < 0.1 / 127); /* at random: up to .2 */
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_true(fabs(sum[i] / TURNS - (double)x[i]) < 0.005 / 127);
        all += sum[i] / TURNS - (double)x[i];
    }
    assert_true(fabs(all / N) < 0.001 / 127);
    /* From 0 towards 1 by a thousandth of the way a turn: 1 - .999^n. */
    memset(x, 0, sizeof x);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        for (uint32_t i = 0; i < N; i++) x[i] += 0.001f * (1 - x[i]);
        k->to8(q, x, turn, N);
        k->from8(x, q, N);
        for (uint32_t i = 0; i < N; i++)
            assert_true(fabs((double)x[i] - (1 - pow(0.999, turn + 1))) < 0.05);
    }
}

static void each_tier(void (*test)(const fl_kernels *))
{
    static const char *const tier[] = {"ref", "avx2", "avx512"};

    for (size_t i = 0; i < FL_LEN(tier); i++) {
        const fl_kernels *k = fl_kernels_get(tier[i]);
        if (k) test(k);
        else print_message("this machine has no tier %s\n", tier[i]);
    }
}

static void test_linear(void **state)
{
    (void)state;
    each_tier(linear_all_shapes);
}

static void test_vectors(void **state)
{
    (void)state;
    each_tier(vectors_all_lengths);
}

static void test_places(void **state)
{
    (void)state;
    each_tier(place_does_not_matter);
}

static void test_extremes(void **state)
{
    (void)state;
    each_tier(extremes);
}

static void test_dither(void **state)
{
    (void)state;
    each_tier(dither);
}

static void test_choice(void **state)
{
    (void)state;
    assert_null(fl_kernels_get("abacus"));
    assert_string_equal(fl_kernels_get("ref")->tier, "ref");
    assert_string_equal(fl_kernels_get(NULL)->tier, fl_kernels_best());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear), cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_places), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_dither), cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
