/* Rankings of items: the k largest, figures of a ranking, inputs of candidates; against direct computation. */
#include "support/support.h"
#include "task/judge_items.h"

#include <math.h>
#include <stdlib.h>

static void top_is_a_sort(void **state)
{
    (void)state;
    fl_rng rng;
    fl_rng_seed(&rng, 3);
    for (int round = 0; round < 300; round++) {
        double score[60];
        uint32_t out[60], n = (uint32_t)fl_rng_below(&rng, 60),
                          k = (uint32_t)fl_rng_below(&rng, 60);
        for (uint32_t i = 0; i < n; i++) score[i] = (double)fl_rng_below(&rng, 9); /* many ties */
        uint32_t found = fl_top_of(out, score, n, k);
        assert_int_equal(found, k < n ? k : n);
        for (uint32_t i = 0; i < found; i++) {
            uint32_t before = 0; /* how many are ahead of it: larger, or equal and earlier */
            for (uint32_t j = 0; j < n; j++)
                before += score[j] > score[out[i]] || (score[j] == score[out[i]] && j < out[i]);
            assert_int_equal(before, i);
        }
    }
}

static void figures_by_hand(void **state)
{
    (void)state;
    const uint32_t ranked[10] = {7, 3, 9, 1, 20, 21, 22, 23, 24, 25}, target[4] = {1, 3, 8, 30};
    float f[FL_RANKED_FIGURES];
    fl_rank_figures(f, ranked, 10, target, 4);
    double gain = 1 / log2(3) + 1 / log2(5), best = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5);
    assert_true(fabs((double)f[FL_RECALL] - .5) < 1e-6 && f[FL_HIT] == 1);
    assert_true(fabs((double)f[FL_MRR] - .5) < 1e-6);
    assert_true(fabs((double)f[FL_NDCG] - gain / best) < 1e-6);
    fl_rank_figures(f, ranked, 1, target, 4);
    for (int k = 0; k < FL_RANKED_FIGURES; k++) assert_true(f[k] == 0);
}

/* Three entities: 0 had {0, 1} and {1}, 1 had {1, 2}, 2 had {3} and later {0}. */
static void inputs_of_a_small_shop(void **state)
{
    (void)state;
    fl_bought line[] = {{0, 0, 0},
                        {0, 1, 0},
                        {FL_DAY_US * 4, 1, 1},
                        {FL_DAY_US, 1, 2},
                        {FL_DAY_US, 2, 2},
                        {FL_DAY_US * 2, 3, 3},
                        {FL_DAY_US * 9, 0, 4}};
    uint64_t first[] = {0, 3, 5, 7}, basket[] = {0, 2, 3, 5, 6, 7};
    fl_baskets b = {.entities = 3, .baskets = 5, .first = first, .basket = basket, .line = line};
    fl_item_cut *cut = NULL;
    fl_item_list l;
    florin_error e = {0};
    b.items.n = 4;
    assert_int_equal(fl_item_cut_new(&cut, &b, FL_DAY_US * 8, &e), FLORIN_OK);
    assert_int_equal(fl_item_cut_list(&l, cut, 0, &e), FLORIN_OK);
    assert_int_equal(l.n, 4);
    double knn[4], own[4], global[4];
    for (uint32_t i = 0; i < 4; i++) {
        const float *x = l.x + (size_t)i * FL_ITEM_INPUTS;
        uint32_t item = l.item[i];
        knn[item] = l.knn[i];
        own[item] = l.own[i];
        global[item] = l.global[i];
        if (item == 1) {
            assert_true(x[0] == 2 && x[1] == 1 && x[5] == 4 && x[6] == 0 && x[7] == 8 && x[8] == 4);
            assert_true(fabs((double)x[2] - exp2(-8. / 30) - exp2(-4. / 30)) < 1e-5);
        }
        if (item == 2) assert_true(x[0] == 0 && isnan(x[5]) && x[10] == 2);
    }
    /* Entity 2's later basket is not counted; entity 1 is alike, entity 2 isn't. */
    assert_true(global[0] == 1 && global[1] == 3 && global[2] == 1 && global[3] == 1);
    assert_true(own[1] > 2 && own[0] > 1 && own[0] < 1.1 && own[2] < .1);
    assert_true(knn[2] > 0 && knn[1] > 0 && knn[3] == 0 && knn[0] == 0);
    fl_item_cut_free(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(top_is_a_sort),
                                       cmocka_unit_test(figures_by_hand),
                                       cmocka_unit_test(inputs_of_a_small_shop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
