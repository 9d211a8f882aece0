/* Neighbours: the order of ties, cosine against its definition, ranks that ignore scale, maps of constants. */
#include "similar/near.h"
#include "support/support.h"
#include <math.h>

enum { N = 37, STATES = 5, FOLDS = 3 };

static void fill(fl_crowd *c, float scale)
{
    fl_rng rng;

    fl_rng_seed(&rng, 5);
    *c = (fl_crowd){.n = N, .states = STATES, .folds = FOLDS};
    c->state = fl_calloc(N * STATES, sizeof *c->state);
    c->fold = fl_calloc(N * FOLDS, sizeof *c->fold);
    for (uint32_t i = 0; i < N * STATES; i++) c->state[i] = (float)fl_rng_normal(&rng) * 3 + 7;
    for (uint32_t i = 0; i < N * FOLDS; i++)
        c->fold[i] = i % FOLDS == 2 ? 4 : scale * expf((float)fl_rng_normal(&rng));
}

static double cosine(const float *a, const float *b, uint32_t w)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < w; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

static void test_near_is_cosine_of_standardised(void **state)
{
    fl_crowd c;
    float *x, z[N * STATES], scratch[N];
    uint32_t w;
    fl_near near[10];
    florin_error err;

    (void)state;
    fill(&c, 1);
    for (uint32_t d = 0; d < STATES; d++) {
        double mean = 0, square = 0;
        for (uint32_t i = 0; i < N; i++) mean += (double)c.state[i * STATES + d] / N;
        for (uint32_t i = 0; i < N; i++)
            square += pow((double)c.state[i * STATES + d] - mean, 2) / N;
        for (uint32_t i = 0; i < N; i++)
            z[i * STATES + d] = (float)(((double)c.state[i * STATES + d] - mean) / sqrt(square));
    }
    assert_int_equal(fl_near_vectors(&x, &w, &c, FL_BY_EMBEDDING, &err), FLORIN_OK);
    assert_int_equal(w, STATES);
    assert_int_equal(fl_near_k(fl_kernels_ref(), x + 3 * w, x, N, w, 3, 10, scratch, near), 10);
    for (uint32_t k = 0; k < 10; k++) {
        uint32_t better = 0;
        double mine = cosine(z + 3 * STATES, z + near[k].item * STATES, STATES);
        assert_int_not_equal(near[k].item, 3);
        assert_true(fabs(mine - (double)near[k].cosine) < 1e-5);
        for (uint32_t i = 0; i < N; i++)
            better += i != 3 && cosine(z + 3 * STATES, z + i * STATES, STATES) > mine + 1e-9;
        assert_int_equal(better, k);
    }
    free(x);
    fl_crowd_free(&c);
}

/* The fold's part looks at ranks: the same vectors whatever the unit, and a constant says nothing. */
static void test_ranks_ignore_scale(void **state)
{
    fl_crowd a, b;
    float *x, *y;
    uint32_t w;
    florin_error err;

    (void)state;
    fill(&a, 1);
    fill(&b, 1000);
    assert_int_equal(fl_near_vectors(&x, &w, &a, FL_BY_FOLD, &err), FLORIN_OK);
    assert_int_equal(fl_near_vectors(&y, &w, &b, FL_BY_FOLD, &err), FLORIN_OK);
    assert_memory_equal(x, y, N * FOLDS * sizeof *x);
    for (uint32_t i = 0; i < N; i++) assert_true(x[i * FOLDS + 2] == 0);
    free(x);
    free(y);
    assert_int_equal(fl_near_vectors(&x, &w, &a, FL_BY_BOTH, &err), FLORIN_OK);
    assert_int_equal(w, STATES + FOLDS);
    free(x);
    a.states = 0;
    assert_int_equal(fl_near_vectors(&x, &w, &a, FL_BY_BOTH, &err), FLORIN_EUSAGE);
    assert_null(x);
    fl_crowd_free(&a);
    fl_crowd_free(&b);
}

static void test_best_keeps_the_first_of_equals(void **state)
{
    static const float given[] = {.5f, .9f, .5f, .1f, .9f, .5f};
    static const uint32_t want[] = {1, 4, 0, 2};
    fl_near best[4];
    uint32_t n = 0;

    (void)state;
    for (uint32_t i = 0; i < FL_LEN(given); i++) fl_near_add(best, &n, 4, (fl_near){i, given[i]});
    assert_int_equal(n, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(best[i].item, want[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_is_cosine_of_standardised),
        cmocka_unit_test(test_ranks_ignore_scale),
        cmocka_unit_test(test_best_keeps_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
