/* Figures in reasons are written as printf writes them. */
#include "support/support.h"

#include "score/words.h"
#include <math.h>
#include <stdio.h>

static uint64_t random_state = 5;

/* Amounts, ratios, eighths that stand in the middle of two decimals, tiny and huge ones, either sign. */
static double draw(int i)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    double x = ldexp((double)(random_state >> 11), (int)((random_state >> 3) % 60) - 80);
    if (i % 7 == 0) x = (double)(random_state % 100000) / 100;
    if (i % 11 == 0) x = (double)(random_state % 100000) / 8;
    return i % 100 == 0 ? -x : x;
}

static void money(void **state)
{
    static const struct {
        const char *currency;
        int decimals;
    } of[] = {{"EUR", 2}, {"JPY", 0}, {"BHD", 3}};
    fl_schema s;
    char got[48], want[48];
    (void)state;
    memset(&s, 0, sizeof s);
    for (int i = 0; i < 300000; i++) {
        double x = draw(i);
        snprintf(s.currency, sizeof s.currency, "%s", of[i % 3].currency);
        fl_words_money(&s, x, got);
        snprintf(want, sizeof want, "%.*f %s", of[i % 3].decimals, x, of[i % 3].currency);
        assert_string_equal(got, want);
    }
}

static void numbers(void **state)
{
    char got[48], want[48];
    (void)state;
    for (int i = 0; i < 300000; i++) {
        double x = draw(i), a = fabs(x);
        fl_words_number(x, got);
        snprintf(want, sizeof want,
                 a >= 9.95 || a == floor(a) ? "%.0f"
                 : a < 0.095                ? "%.2g"
                                            : "%.1f",
                 x);
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(money), cmocka_unit_test(numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
