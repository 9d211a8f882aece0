/* Few labels: the ridge fit against its own gradient, views, an arm's choice, sizes; the forecast of the next gap against direct
 * computation. */
#include "model/forecast.h"
#include "support/support.h"
#include "task/few.h"
#include "task/few_arm.h"
#include "task/ridge.h"

#include <math.h>

enum { N = 300, WIDTH = 12 };

typedef struct {
    float z[N * WIDTH], y[N];
    size_t row[N];
} made_up;

/* The label follows two of the columns. */
static void make(made_up *m, uint64_t seed, double strength)
{
    fl_rng rng;
    fl_rng_seed(&rng, seed);
    for (size_t i = 0; i < N; i++) {
        float *z = m->z + i * WIDTH;
        for (size_t k = 0; k < WIDTH; k++) z[k] = (float)fl_rng_normal(&rng);
        double f = strength * ((double)z[0] - (double)z[3]);
        m->y[i] = fl_rng_double(&rng) < 1 / (1 + exp(-f));
        m->row[i] = i;
    }
}

static double loss(const double *w, const made_up *m, double l2)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) sum += .5 * l2 * w[i] * w[i];
    for (size_t r = 0; r < N; r++) {
        double f = fl_ridge_margin(w, m->z + r * WIDTH, WIDTH);
        sum += log1p(exp(m->y[r] > .5f ? -f : f));
    }
    return sum;
}

static void ridge_is_the_minimum(void **state)
{
    (void)state;
    static made_up m;
    make(&m, 3, 1);
    const fl_ridge_rows rows = {m.z, WIDTH, N, m.row, m.y};
    double norm[2] = {0};
    for (int k = 0; k < 2; k++) {
        double w[WIDTH + 1] = {0}, l2 = k ? 100 : .5;
        assert_int_equal(fl_ridge_fit(w, &rows, l2, NULL), FLORIN_OK);
        for (size_t i = 0; i <= WIDTH; i++) {
            double kept = w[i], h = 1e-5;
            w[i] = kept + h;
            double up = loss(w, &m, l2);
            w[i] = kept - h;
            double down = loss(w, &m, l2);
            w[i] = kept;
            assert_true(fabs((up - down) / (2 * h)) < .1);
            if (i < WIDTH) norm[k] += kept * kept;
        }
        assert_true(w[0] > 0 && w[3] < 0);
    }
    assert_true(norm[1] < norm[0]);
    /* Labels that a line separates: finite all the same. */
    for (size_t r = 0; r < N; r++) m.y[r] = m.z[r * WIDTH] > 0;
    double w[WIDTH + 1] = {0};
    assert_int_equal(fl_ridge_fit(w, &rows, .3, NULL), FLORIN_OK);
    for (size_t i = 0; i <= WIDTH; i++) assert_true(isfinite(w[i]) && fabs(w[i]) < 1e3);
}

static void views_have_the_scale_of_the_pool(void **state)
{
    (void)state;
    static made_up m;
    static uint8_t pool[N];
    fl_view v;
    make(&m, 4, 1);
    for (size_t r = 0; r < N; r++) {
        pool[r] = r < 200;
        m.z[r * WIDTH] = (float)exp((double)m.z[r * WIDTH]);
        m.z[r * WIDTH + 1] *= 30;
    }
    const fl_view_column column[] = {{m.z, WIDTH, false, 1},
                                     {m.z + 1, WIDTH, true, 1},
                                     {m.z + 2, WIDTH, true, 1},
                                     {m.z, WIDTH, false, 3}};
    assert_int_equal(fl_view_make(&v, N, column, 4, pool, "v", NULL), FLORIN_OK);
    double mean = 0, square = 0, plain[2] = {0};
    for (size_t r = 0; r < 200; r++) {
        mean += (double)v.z[r * 4] / 200;
        square += (double)(v.z[r * 4] * v.z[r * 4]) / 200;
        for (size_t k = 0; k < 2; k++)
            plain[k] += (double)(v.z[r * 4 + 1 + k] * v.z[r * 4 + 1 + k]) / 200;
    }
    assert_true(fabs(mean) < .01 && fabs(square - 1) < .05);
    /* Plain columns share one scale: the wider one stays wider. */
    assert_true(fabs((plain[0] + plain[1]) / 2 - 1) < .01 && plain[0] > 100 * plain[1]);
    for (size_t r = 0; r < N; r++) assert_true(fabsf(v.z[r * 4 + 3] - 3 * v.z[r * 4]) < 1e-5f);
    for (size_t r = 1; r < N; r++)
        if (m.z[r * WIDTH] > m.z[(r - 1) * WIDTH]) assert_true(v.z[r * 4] >= v.z[(r - 1) * 4]);
    fl_view_free(&v);
}

static double share_in_order(const double *score, const float *y, size_t from)
{
    double right = 0, all = 0;
    for (size_t i = from; i < N; i++)
        for (size_t k = from; k < N; k++)
            if (y[i] > .5f && y[k] < .5f) right += score[i] > score[k], all++;
    return right / all;
}

/* Learns from 100 rows, judged on the others; the choice among views is right when only one says anything. */
static void an_arm_chooses(void **state)
{
    (void)state;
    static made_up m, noise;
    static double score[N], again[N];
    uint8_t pool[N];
    char choice[64], same[64];
    make(&m, 5, 3);
    make(&noise, 6, 0);
    memset(pool, 1, sizeof pool);
    fl_view_column column[WIDTH], other[WIDTH];
    for (size_t k = 0; k < WIDTH; k++) {
        column[k] = (fl_view_column){m.z + k, WIDTH, false, 1};
        other[k] = (fl_view_column){noise.z + k, WIDTH, false, 1};
    }
    fl_few_arm a = {.views = 2};
    fl_few_draw d = {.n = 100, .row = m.row, .y = m.y, .seed = 7};
    assert_int_equal(fl_view_make(&a.view[0], N, other, WIDTH, pool, "noise", NULL), FLORIN_OK);
    assert_int_equal(fl_view_make(&a.view[1], N, column, WIDTH, pool, "signal", NULL), FLORIN_OK);
    assert_int_equal(fl_few_arm_settings(&a), 14);
    assert_int_equal(fl_few_arm_run(score, &a, &d, m.row, N, choice, NULL, NULL), FLORIN_OK);
    assert_true(!strncmp(choice, "signal", 6));
    assert_true(share_in_order(score, m.y, 100) > .85);
    assert_int_equal(fl_few_arm_run(again, &a, &d, m.row, N, same, NULL, NULL), FLORIN_OK);
    assert_memory_equal(score, again, sizeof score);
    /* Labels of the judged rows are not read. */
    for (size_t i = 100; i < N; i++) m.y[i] = 1 - m.y[i];
    assert_int_equal(fl_few_arm_run(again, &a, &d, m.row, N, same, NULL, NULL), FLORIN_OK);
    assert_memory_equal(score, again, sizeof score);
    /* Trees alone. */
    fl_few_arm trees = {.x = m.z, .width = WIDTH};
    assert_int_equal(fl_few_arm_settings(&trees), 9);
    assert_int_equal(fl_few_arm_run(score, &trees, &d, m.row, N, choice, NULL, NULL), FLORIN_OK);
    assert_true(!strncmp(choice, "trees", 5) && share_in_order(score, m.y, 100) < .35);
    /* One example of a class: nothing can be held out, the middle penalty is taken. */
    float one[10] = {1};
    fl_few_draw small = {.n = 10, .row = m.row, .y = one, .seed = 7};
    assert_int_equal(fl_few_arm_run(score, &a, &small, m.row, N, choice, NULL, NULL), FLORIN_OK);
    assert_string_equal(choice, "noise, penalty 10");
    for (int v = 0; v < 2; v++) fl_view_free(&a.view[v]);
}

static void sizes_are_read(void **state)
{
    (void)state;
    fl_few_options o = {0};
    florin_error e;
    assert_int_equal(fl_few_sizes(&o, NULL, &e), FLORIN_OK);
    assert_true(o.sizes == 3 && o.size[0] == 50 && o.size[1] == 200 && o.size[2] == 1000);
    assert_int_equal(fl_few_sizes(&o, "10,20", &e), FLORIN_OK);
    assert_true(o.sizes == 2 && o.size[1] == 20);
    const char *const bad[] = {"x",     "50,",   ",50",        "50;60",
                               "60,50", "3",     "50 ,60",     "-50",
                               "1e3",   "50,50", "9999999999", "4,5,6,7,8,9,10,11,12"};
    for (size_t i = 0; i < FL_LEN(bad); i++)
        assert_int_equal(fl_few_sizes(&o, bad[i], &e), FLORIN_EUSAGE);
}

/* All gaps in one bucket, of which a share has passed. */
static void forecasts_are_cut_off(void **state)
{
    (void)state;
    float p[FL_DT_TOKENS] = {0}, out[FL_FORECASTS];
    uint32_t token = fl_dt_token(20 * (int64_t)FL_DAY_US, false);
    double from = fl_dt_from(token), to = fl_dt_from(token + 1), day = (double)FL_DAY_US;
    assert_true(from <= 20 * day && to > 20 * day);
    p[token] = 1;
    for (uint32_t t = 2; t < FL_DT_TOKENS; t++)
        assert_int_equal(fl_dt_token((int64_t)fl_dt_from(t) + (t == 2), false), t);
    fl_forecast_of(p, 0, out);
    assert_true(out[0] == -8 && out[6] == 8); /* never within a day, always within 180 */
    double passed = from + .25 * (to - from), left = log(to / passed),
           beyond = passed + day < to ? log(to / (passed + day)) / left : 0;
    fl_forecast_of(p, passed, out);
    assert_true(fabs((double)out[0] - log((1 - beyond) / beyond)) < 1e-4);
    /* Of even gaps, later dates are likelier, and who has been silent for long is less so. */
    for (uint32_t t = 1; t < FL_DT_TOKENS; t++) p[t] = 1.f / (FL_DT_TOKENS - 1);
    float late[FL_FORECASTS];
    fl_forecast_of(p, day, out);
    fl_forecast_of(p, 60 * day, late);
    for (uint32_t i = 0; i < FL_FORECASTS; i++) {
        assert_true(isfinite(out[i]) && late[i] < out[i]);
        if (i) assert_true(out[i] > out[i - 1]);
    }
    /* Nothing is that long: a limit, not NaN. */
    memset(p, 0, sizeof p);
    p[1] = 1;
    fl_forecast_of(p, 1e18, out);
    for (uint32_t i = 0; i < FL_FORECASTS; i++) assert_true(isfinite(out[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ridge_is_the_minimum),  cmocka_unit_test(views_have_the_scale_of_the_pool),
        cmocka_unit_test(an_arm_chooses),        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(forecasts_are_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
