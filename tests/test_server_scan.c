/* The server's JSON scanner and what it reads a payment into: values, escapes, numbers, faults and where they are. */
#include "support/support.h"

#include "payment.h"
#include "base/base.h"
#include <math.h>
#include <stdio.h>

/* Everything in it is right, or the fault. */
static const char *verdict(const char *text, char *pointer)
{
    static char body[4096];
    scan s;
    size_t n = strlen(text);
    memcpy(body, text, n);
    scan_begin(&s, body, n);
    if (scan_skip(&s)) scan_end(&s);
    scan_pointer(&s, pointer, SCAN_POINTER);
    return s.fault;
}

static void grammar(void **state)
{
    static const char *const good[] = {"{}",
                                       "[]",
                                       " null ",
                                       "true",
                                       "-0",
                                       "0.5e-7",
                                       "[1,2 , 3]",
                                       "\"\"",
                                       "\"\\u0041\\\\\"",
                                       "{\"a\":{\"b\":[{}]}}",
                                       "1E+2",
                                       "\"\xC3\xA9\"",
                                       "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"};
    static const char *const bad[] = {"",
                                      "{",
                                      "[1,]",
                                      "{\"a\"}",
                                      "{\"a\":1,}",
                                      "01",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "1e",
                                      "nul",
                                      "tru",
                                      "'a'",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "[1 2]",
                                      "{} {}",
                                      "NaN",
                                      "-",
                                      "\"\n\"",
                                      "{1:2}",
                                      "\"\xFF\"",
                                      "\"\xC0\x80\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "1e999",
                                      "// a",
                                      "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
                                      "]"};
    char pointer[SCAN_POINTER];
    (void)state;
    for (size_t i = 0; i < FL_LEN(good); i++)
        if (verdict(good[i], pointer)) fail_msg("%s: %s", good[i], verdict(good[i], pointer));
    for (size_t i = 0; i < FL_LEN(bad); i++)
        if (!verdict(bad[i], pointer)) fail_msg("%s is taken", bad[i]);
}

static void pointers(void **state)
{
    static const struct {
        const char *text, *pointer;
    } at[] = {{"{\"a\":[1,{\"b/~\":x}]}", "/a/1/b~1~0"},
              {"[0,1,2,", "/3"},
              {"{\"a\":1,\"b\":", "/b"},
              {"[[],[[", "/1/0/0"},
              {"x", ""}};
    char pointer[SCAN_POINTER];
    (void)state;
    for (size_t i = 0; i < FL_LEN(at); i++) {
        assert_non_null(verdict(at[i].text, pointer));
        assert_string_equal(pointer, at[i].pointer);
    }
    char deep[2000] = "{\"";
    memset(deep + 2, 'k', 1500);
    strcpy(deep + 1502, "\":?");
    assert_non_null(verdict(deep, pointer));
    assert_true(strlen(pointer) < sizeof pointer && pointer[0] == '/');
}

static void strings(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"\"plain\"", "plain"},
                 {"\"a\\tb\\\"c\\\\\\/\"", "a\tb\"c\\/"},
                 {"\"\\u00e9\\u20ac\\ud83d\\ude00!\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!"},
                 {"\"\xE2\x82\xAC\\n\xE2\x82\xAC\"", "\xE2\x82\xAC\n\xE2\x82\xAC"}};
    char body[128];
    (void)state;
    for (size_t i = 0; i < FL_LEN(cases); i++) {
        scan s;
        const char *got;
        uint32_t n;
        strcpy(body, cases[i].text);
        scan_begin(&s, body, strlen(body));
        assert_true(scan_string(&s, &got, &n));
        assert_int_equal(n, strlen(cases[i].want));
        assert_memory_equal(got, cases[i].want, n);
        scan_end(&s);
        assert_null(s.fault);
    }
}

/* Every double reads as strtod reads it; integers of up to 18 digits exactly. */
static void numbers(void **state)
{
    char body[64];
    scan_number_value v;
    scan s;
    (void)state;
    static const char *const text[] = {"0",
                                       "-1.5",
                                       "123456789012345678",
                                       "1e22",
                                       "1e23",
                                       "9007199254740993",
                                       "0.1",
                                       "3.14159265358979",
                                       "1e-300",
                                       "5e-324",
                                       "1.7976931348623157e308",
                                       "2.2250738585072011e-308",
                                       "100000000000000000000",
                                       "0.000001e-5"};
    for (size_t i = 0; i < FL_LEN(text); i++) {
        strcpy(body, text[i]);
        scan_begin(&s, body, strlen(body));
        assert_true(scan_number(&s, &v));
        if (v.value != strtod(text[i], NULL)) fail_msg("%s reads as %.17g", text[i], v.value);
        assert_int_equal(v.n, strlen(text[i]));
    }
    uint64_t random = 7;
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        double x = ldexp((double)(random >> 11), (int)(random % 120) - 80);
        snprintf(body, sizeof body, i % 2 ? "%.17g" : "%.6g", x);
        double want = strtod(body, NULL);
        scan_begin(&s, body, strlen(body));
        assert_true(scan_number(&s, &v));
        assert_true(v.value == want);
    }
    strcpy(body, "-999999999999999999");
    scan_begin(&s, body, strlen(body));
    assert_true(scan_number(&s, &v) && v.whole && v.integer == -999999999999999999);
    strcpy(body, "1000000000000000000");
    scan_begin(&s, body, strlen(body));
    assert_true(scan_number(&s, &v) && !v.whole);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"2025-04-01T12:00:00Z", 1743508800000000},
                {"2025-04-01T14:00:00.25+02:00", 1743508800250000},
                {"2024-02-29t23:59:59.999999z", 1709251199999999},
                {"2025-03-31T19:30:00-16:30", 1743508800000000}};
    static const char *const bad[] = {
        "2025-04-01",           "2025-04-01 12:00:00",   "2025-04-01T12:00:00",
        "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z",  "2025-04-01T24:00:00Z",
        "1969-12-31T23:59:59Z", "2025-04-01T12:00:00.Z", "2025-04-01T12:00:00+0200",
        "2025-04-01T12:00:00Zx"};
    int64_t us;
    (void)state;
    for (size_t i = 0; i < FL_LEN(good); i++) {
        assert_true(payment_time(good[i].text, (uint32_t)strlen(good[i].text), &us));
        if (us != good[i].us) fail_msg("%s: %lld", good[i].text, (long long)us);
    }
    for (size_t i = 0; i < FL_LEN(bad); i++)
        if (payment_time(bad[i], (uint32_t)strlen(bad[i]), &us)) fail_msg("%s is taken", bad[i]);
}

static names *fields(void)
{
    names *n = names_new();
    assert_non_null(n);
    assert_true(
        names_add(n, FLORIN_ENTITY, "card", 0) && names_add(n, FLORIN_ENTITY, "device", 1) &&
        names_add(n, FLORIN_CATEGORY, "country", 2) &&
        names_add(n, FLORIN_CATEGORY, "device_country", 3) &&
        names_add(n, FLORIN_NUMBER, "income", 4) && names_add(n, FLORIN_MARK, "declined", 5) &&
        names_add(n, FLORIN_TYPE, "payment", 0) && names_add(n, FLORIN_TYPE, "refund", 1));
    return n;
}

static bool read(const payment_rules *rules, const char *text, payment *p, char *pointer)
{
    static char body[8192];
    scan s;
    strcpy(body, text);
    scan_begin(&s, body, strlen(body));
    bool ok = payment_read(rules, &s, p);
    if (ok) scan_end(&s);
    scan_pointer(&s, pointer, SCAN_POINTER);
    assert_true(ok == (s.fault == NULL));
    return ok;
}

static const florin_value *value_of(const payment *p, uint32_t field)
{
    for (uint32_t i = 0; i < p->event.n_values; i++)
        if (p->value[i].field == field) return &p->value[i];
    return NULL;
}

static void payments(void **state)
{
    static payment p;
    char pointer[SCAN_POINTER];
    names *n = fields();
    payment_rules rules = {n, false, 0};
    (void)state;
    assert_true(read(&rules,
                     "{\"payment\":{\"id\":7,\"amount\":-5,\"currency\":\"eur\",\"type\":"
                     "\"refund\",\"income\":2.5,"
                     "\"declined\":false,\"country\":null},\"card\":\"c\\u0031\",\"device\":{"
                     "\"id\":\"d\",\"country\":\"DE\"},"
                     "\"geo\":{\"country\":5411},\"metadata\":{\"k\":\"v\"},\"deadline_ms\":20}",
                     &p, pointer));
    assert_int_equal(p.event.amount_minor, -5);
    assert_int_equal(p.event.type, 1);
    assert_string_equal(p.event.currency, "EUR");
    assert_memory_equal(p.event.id, "7", 1);
    assert_memory_equal(value_of(&p, 0)->text, "c1", 2);
    assert_memory_equal(value_of(&p, 1)->text, "d", 1);
    assert_memory_equal(value_of(&p, 3)->text, "DE", 2);   /* device_country before country */
    assert_memory_equal(value_of(&p, 2)->text, "5411", 4); /* no geo_country: country */
    assert_true(value_of(&p, 4)->number == 2.5 && value_of(&p, 5)->number == 0);
    assert_int_equal(p.metadata_n, 1);
    assert_int_equal(p.deadline_ms, 20);
    assert_false(p.has_time);

    static const struct {
        const char *text, *pointer;
    } bad[] = {{"{\"payment\":{\"amount\":1},\"card\":{\"id\":1,\"hat\":2}}", "/card/hat"},
               {"{\"payment\":{\"amount\":1},\"cards\":\"c\"}", "/cards"},
               {"{\"payment\":{\"amount\":1,\"amount\":2}}", "/payment/amount"},
               {"{\"payment\":{\"amount\":1},\"payment\":{}}", "/payment"},
               {"{\"payment\":{\"declined\":1}}", "/payment/declined"},
               {"{\"payment\":{\"income\":\"1\"}}", "/payment/income"},
               {"{\"payment\":{\"currency\":\"EURO\"}}", "/payment/currency"},
               {"{\"payment\":{\"type\":\"gift\"}}", "/payment/type"},
               {"{\"payment\":{\"country\":1.5}}", "/payment/country"},
               {"{\"payment\":{\"time\":-1}}", "/payment/time"},
               {"{\"payment\":{},\"metadata\":{\"a\":{}}}", "/metadata/a"},
               {"{\"card\":\"c\"}", ""}};
    for (size_t i = 0; i < FL_LEN(bad); i++) {
        if (read(&rules, bad[i].text, &p, pointer)) fail_msg("%s is taken", bad[i].text);
        assert_string_equal(pointer, bad[i].pointer);
    }
    rules.ignore_unknown = true;
    assert_true(read(&rules, bad[0].text, &p, pointer) && p.ignored == 1);
    assert_true(read(&rules, "{\"payment\":{\"amount\":1},\"cards\":[{\"a\":[1]}]}", &p, pointer));
    names_close(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(grammar), cmocka_unit_test(pointers),
                                       cmocka_unit_test(strings), cmocka_unit_test(numbers),
                                       cmocka_unit_test(times),   cmocka_unit_test(payments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
