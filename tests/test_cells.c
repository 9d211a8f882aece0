/* Single cells of a table: decimals to the last unit, numbers, yes and no, card numbers. */
#include "support/support.h"

#include "data/import.h"
#include "data/import_cells.h"
#include "data/schema.h"

static void decimals(void **state)
{
    static const struct {
        const char *text;
        int exponent;
        int64_t minor;
    } good[] = {
        {"12.34", 2, 1234},  {" -1.005 ", 2, -101}, {"+7", 2, 700},
        {"(5.25)", 2, -525}, {"0.004", 2, 0},       {"0.005", 2, 1},
        {"12.5", 0, 13},     {"1e3", 2, 100000},    {"1.2345", 3, 1235},
        {".5", 2, 50},       {"5.", 2, 500},        {"-0", 2, 0},
        {"1.5E-1", 2, 15},   {"00012.10", 2, 1210}, {"9999999999999.99", 2, 999999999999999}};
    static const char *const bad[] = {
        "",    " ",     "-",    "+",   ".",   "e3", "1e", "1,5", "12a", "nan",
        "inf", "1e300", "0x10", "1 2", "--1", "()", "(",  "(1",  "1)",  "99999999999999999999"};
    int64_t v;
    (void)state;
    for (size_t i = 0; i < FL_LEN(good); i++) {
        if (!fl_decimal_parse(good[i].text, strlen(good[i].text), good[i].exponent, &v) ||
            v != good[i].minor)
            fail_msg("%s", good[i].text);
    }
    for (size_t i = 0; i < FL_LEN(bad); i++)
        if (fl_decimal_parse(bad[i], strlen(bad[i]), 2, &v)) fail_msg("%s", bad[i]);
    assert_false(fl_decimal_parse("1\0", 2, 2, &v));
    assert_false(fl_decimal_parse("\0", 1, 2, &v));
}

static void numbers(void **state)
{
    double d;
    (void)state;
    assert_true(fl_number_parse(" -2.5e3 ", 8, &d) && d == -2500);
    assert_true(fl_number_parse("12345", 3, &d) && d == 123); /* not a byte further */
    static const char *const bad[] = {"",      " ",     "nan", "inf", "-INFINITY",
                                      "0x1p3", "1e999", "1 2", "x"};
    for (size_t i = 0; i < FL_LEN(bad); i++)
        if (fl_number_parse(bad[i], strlen(bad[i]), &d)) fail_msg("%s", bad[i]);
    assert_false(fl_number_parse("\0\0", 2, &d));
    assert_false(fl_number_parse("1\0", 2, &d));
}

static void yes_and_no(void **state)
{
    bool b = false;
    (void)state;
    static const char *const yes[] = {"yes", "TRUE", "y", "T", "1", " 1.0 ", "ja", "Oui"},
                             *const no[] = {"no", "False", "n", "f", "0", "0.0", "nein", "non"},
                             *const bad[] = {"", "maybe", "2", "-1", "yess", "nan"};
    for (size_t i = 0; i < FL_LEN(yes); i++)
        assert_true(fl_yes_no(yes[i], strlen(yes[i]), &b) && b);
    for (size_t i = 0; i < FL_LEN(no); i++) assert_true(fl_yes_no(no[i], strlen(no[i]), &b) && !b);
    for (size_t i = 0; i < FL_LEN(bad); i++) assert_false(fl_yes_no(bad[i], strlen(bad[i]), &b));
    assert_false(fl_yes_no("\0", 1, &b));
}

static void card_numbers(void **state)
{
    (void)state;
    static const char *const cards[] = {"4111111111111111", "5555 5555 5555 4444",
                                        "3782-822463-10005", "6011111111111117", "4222222222222"},
                             *const others[] = {"4111111111111112",
                                                "411111111111",
                                                "0000000000000000",
                                                "4111111111111111x",
                                                "",
                                                "-4111111111111111",
                                                "41111111111111111111111"};
    for (size_t i = 0; i < FL_LEN(cards); i++)
        assert_true(fl_is_card_number(cards[i], strlen(cards[i])));
    for (size_t i = 0; i < FL_LEN(others); i++)
        assert_false(fl_is_card_number(others[i], strlen(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decimals), cmocka_unit_test(numbers),
                                       cmocka_unit_test(yes_and_no),
                                       cmocka_unit_test(card_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
