/* Rules: what they mean, said once more by a plain recursive evaluator on random expressions; missing values; decisions from an
 * event's own values; what is refused, and how it is told. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "policy/lists.h"
#include "policy/rings.h"
#include <math.h>
#include <stdio.h>

static const uint8_t KEY[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static fl_model *fixture(void)
{
    static char path[512];
    fl_model *m;
    fl_schema *s = fixture_schema();
    snprintf(path, sizeof path, "%s", fixture_model(scratch_path("m.florin"), s, 8, 4, 1));
    fl_schema_free(s);
    assert_int_equal(fl_model_open(&m, path, "ref", NULL), FLORIN_OK);
    return m;
}

static fl_policy *parse(const char *text, const fl_model *m)
{
    florin_error err = {0};
    fl_policy *p;
    if (fl_policy_parse(&p, text, strlen(text), "p.yaml", m, KEY, &err))
        fail_msg("%s", err.message);
    return p;
}

/* Does a rule match an event that is written as YAML? */
static bool matches(const char *condition, const char *event)
{
    char text[4096];
    uint32_t tests, failed;
    snprintf(text, sizeof text,
             "lists: {bad: {entries: [x, {value: old, until: 2020-01-01}]}}\n"
             "rules: |\n  Block if %s\ntests: [{event: %s, expect: block}]\n",
             condition, event);
    fl_policy *p = parse(text, NULL);
    assert_int_equal(fl_policy_test(p, &tests, &failed, NULL, NULL), FLORIN_OK);
    assert_int_equal(tests, 1);
    fl_policy_free(p);
    return !failed;
}

static void what_rules_mean(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *event;
        bool match;
    } t[] = {
        {":a: > 5", "{a: 6}", true},
        {":a: > 5", "{a: 5}", false},
        {":a: >= 5 and :a: <= 5", "{a: 5}", true},
        {"5 < :a:", "{a: 6}", true},
        {":a: = 5", "{a: 5.0}", true},
        {":a: == 5 && :b: <> 4", "{a: 5, b: 3}", true},
        {":a: = 'x'", "{a: x}", true},
        {":a: != \"x\"", "{a: y}", true},
        {":a: = 'x'", "{a: X}", false},
        {":a: != :b:", "{a: US, b: DE}", true},
        {":a: = :b:", "{a: US, b: US}", true},
        {":a: in ('x', 'y')", "{a: y}", true},
        {":a: not in ('x', 'y')", "{a: y}", false},
        {":a: NOT IN ('x', 'y')", "{a: z}", true},
        {":a: in (1, 2.5, -3)", "{a: -3}", true},
        {":a: in (1, 2.5, -3)", "{a: 3}", false},
        {":a: + 1 in (2)", "{a: 1}", true},
        {":a: in @bad", "{a: x}", true},
        {":a: not in @bad", "{a: y}", true},
        {":a: in @bad", "{a: old, time: 2019-12-31}", true},
        {":a: in @bad", "{a: old, time: 2020-01-01}", false},
        {":a: like '%@x.com'", "{a: me@x.com}", true},
        {":a: like 'a%b%c'", "{a: axxbyyc}", true},
        {":a: like 'a%b%c'", "{a: axxbyyd}", false},
        {":a: like '%aab'", "{a: aaaab}", true},
        {":a: includes '%'", "{a: '50%off'}", true},
        {":a: includes 'b'", "{a: xyz}", false},
        {"not :a: like 'q%'", "{a: xyz}", true},
        {":a: > 2 + 3 * 4 - 1", "{a: 13.5}", true},
        {":a: > (2 + 3) * 4", "{a: 13.5}", false},
        {"10 - 2 - 3 = :a:", "{a: 5}", true},
        {"2 * (:a: - 1) / 4 < -(:b:)", "{a: 3, b: -2}", true},
        {":a: / :b: > 1", "{a: 1, b: 0}", false},
        {"not :a: / :b: > 1", "{a: 1, b: 0}", false},
        {":f:", "{f: true}", true},
        {"not :f:", "{f: false}", true},
        {"!:f: || :a: > 1", "{f: true, a: 2}", true},
        {":f: = true", "{f: true}", true},
        {":f: = false", "{f: false}", true},
        {"true", "{}", true},
        {"::k:: = 'v'", "{metadata: {k: v}}", true},
        {"::k:: > 3", "{metadata: {k: 4}}", true},
        {"::k::", "{metadata: {k: yes}}", true},
        {"::k:: > 3 and ::k:: like '4%'", "{metadata: {k: 4}}", true},
        {"::customer:age:: > 3", "{metadata: {'customer:age': 4}}", true},
        {"velocity(card, 1h) > 5", "{\"velocity(card, 1h)\": 6}", true},
        {"velocity(card, 1h, x) > 63", "{\"velocity(card,1h,x)\": 64}", true},
        {":a: > 1 or :b: > 1 and :c: > 1", "{a: 2, b: 0, c: 0}", true},
        {"(:a: > 1 or :b: > 1) and :c: > 1", "{a: 2, b: 0, c: 0}", false},
        {":a: > 1 # a comment\n    and :b: > 1", "{a: 2, b: 2}", true},
        {":risk_level: = 'highest'", "{risk_score: 75}", true},
        {":hour: < 6", "{hour: 5}", true},
        /* what is missing matches nothing, nor does its negation */
        {":a: > 5", "{}", false},
        {"not :a: > 5", "{}", false},
        {":a: != 'x'", "{}", false},
        {"not (:a: = 'x')", "{}", false},
        {"not :a: in ('x')", "{}", false},
        {"not :a: in @bad", "{}", false},
        {":a: = 'x' or :b: = 'y'", "{b: y}", true},
        {":a: = 'x' and :b: = 'y'", "{b: y}", false},
        {"not (:a: = 'x' and :b: = 'y')", "{b: z}", true},
        {"is_missing(:a:) or not (:a: = 'x')", "{}", true},
        {"is_missing(:a:)", "{a: 1}", false},
        {"is_missing(::k::)", "{}", true},
        {":a: + 1 > 0", "{}", false},
        {":f:", "{}", false},
        {"not :f:", "{}", false},
        {"::k:: > 3", "{metadata: {k: four}}", false},
    };
    for (size_t i = 0; i < FL_LEN(t); i++)
        if (matches(t[i].rule, t[i].event) != t[i].match)
            fail_msg("%s on %s: not %d", t[i].rule, t[i].event, t[i].match);
}

/* ---- random expressions against a recursive evaluator ---- */

typedef struct {
    fl_rng rng;
    double number[4]; /* NaN: missing */
    int text[3];      /* -1: missing */
    char out[1 << 16];
    size_t n;
} random_rule;

static void put(random_rule *r, const char *fmt, ...) FL_PRINTF(2, 3);
static void put(random_rule *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    r->n += (size_t)vsnprintf(r->out + r->n, sizeof r->out - r->n, fmt, ap);
    va_end(ap);
}

static double number_of(random_rule *r, int depth)
{
    uint64_t k = fl_rng_below(&r->rng, depth > 0 ? 6 : 2);
    if (k == 0) {
        int i = (int)fl_rng_below(&r->rng, 4);
        put(r, ":n%d:", i);
        return r->number[i];
    }
    if (k == 1) {
        int x = (int)fl_rng_below(&r->rng, 5);
        put(r, "%d", x);
        return x;
    }
    put(r, "(");
    if (k == 5) {
        put(r, "-");
        double x = -number_of(r, depth - 1);
        put(r, ")");
        return x;
    }
    static const char signs[] = "+-*/";
    char sign = signs[fl_rng_below(&r->rng, 4)];
    double a = number_of(r, depth - 1);
    put(r, " %c ", sign);
    double b = number_of(r, depth - 1);
    put(r, ")");
    double x = sign == '+' ? a + b : sign == '-' ? a - b : sign == '*' ? a * b : a / b;
    return isfinite(x) ? x : NAN;
}

static int predicate_of(random_rule *r)
{
    uint64_t k = fl_rng_below(&r->rng, 5);
    if (k < 2) {
        static const char *const signs[] = {"<", "<=", ">", ">=", "=", "!="};
        double a = number_of(r, 2);
        uint64_t s = fl_rng_below(&r->rng, 6);
        put(r, " %s ", signs[s]);
        double b = number_of(r, 2);
        if (isnan(a) || isnan(b)) return 1;
        return (s == 0   ? a < b
                : s == 1 ? a <= b
                : s == 2 ? a > b
                : s == 3 ? a >= b
                : s == 4 ? a == b
                         : a != b)
                   ? 2
                   : 0;
    }
    int i = (int)fl_rng_below(&r->rng, 3);
    if (k == 2) {
        put(r, "is_missing(:t%d:)", i);
        return r->text[i] < 0 ? 2 : 0;
    }
    if (k == 3) {
        int with = (int)fl_rng_below(&r->rng, 3);
        bool not_in = fl_rng_below(&r->rng, 2);
        put(r, ":t%d: %sin ('v%d', 'v1')", i, not_in ? "not " : "", with);
        bool in = r->text[i] == with || r->text[i] == 1;
        return r->text[i] < 0 ? 1 : in != not_in ? 2 : 0;
    }
    int j = (int)fl_rng_below(&r->rng, 3);
    bool ne = fl_rng_below(&r->rng, 2);
    put(r, ":t%d: %s :t%d:", i, ne ? "!=" : "=", j);
    if (r->text[i] < 0 || r->text[j] < 0) return 1;
    return (r->text[i] == r->text[j]) != ne ? 2 : 0;
}

static int truth_of(random_rule *r, int depth)
{
    uint64_t k = fl_rng_below(&r->rng, 4);
    if (depth == 0 || k == 0) return predicate_of(r);
    bool bracket = k == 3 || fl_rng_below(&r->rng, 2);
    if (k == 3) put(r, "not ");
    if (bracket) put(r, "(");
    if (k == 1) put(r, "("); /* an `or` within would bind less tightly */
    int a = truth_of(r, depth - 1), b = a;
    if (k < 3) {
        put(r, k == 1 ? ") and (" : " or (");
        b = truth_of(r, depth - 1);
        put(r, ")");
    }
    if (bracket) put(r, ")");
    if (k == 3) return 2 - a;
    return k == 1 ? (a < b ? a : b) : a > b ? a : b;
}

static void random_rules_mean_what_they_say(void **state)
{
    (void)state;
    random_rule *r = calloc(1, sizeof *r);
    char event[512];
    uint32_t yes = 0;
    fl_rng_seed(&r->rng, 7);
    for (int round = 0; round < 3000; round++) {
        size_t n = 0;
        n += (size_t)snprintf(event + n, sizeof event - n, "{");
        for (int i = 0; i < 4; i++) {
            r->number[i] = fl_rng_below(&r->rng, 4) ? (double)fl_rng_below(&r->rng, 9) - 4 : NAN;
            if (!isnan(r->number[i]))
                n += (size_t)snprintf(event + n, sizeof event - n, "n%d: %g, ", i, r->number[i]);
        }
        for (int i = 0; i < 3; i++) {
            r->text[i] = (int)fl_rng_below(&r->rng, 4) - 1;
            if (r->text[i] >= 0)
                n += (size_t)snprintf(event + n, sizeof event - n, "t%d: v%d, ", i, r->text[i]);
        }
        snprintf(event + n, sizeof event - n, "}");
        r->n = 0;
        /* every name is read, so that an event may give it */
        put(r,
            "((:n0: > 99 and :n1: > 99 and :n2: > 99 and :n3: > 99) or (:t0: = 'q' and :t1: = 'q' "
            "and :t2: = 'q')) or (");
        size_t start = r->n;
        int want = truth_of(r, 4);
        put(r, ")");
        if (r->n > 3500) continue;
        bool got = matches(r->out, event);
        if (got != (want == 2))
            fail_msg("%s on %s: %d, not %d", r->out + start, event, got, want == 2);
        yes += got;
    }
    CHECK(yes > 300);
    free(r);
}

/* ---- decisions from an event ---- */

static const char SHOP[] =
    "lists: {bad: {of: card, most: 3, entries: [c1]}, lands: {entries: [v0]}}\n"
    "holdout: {share: 0.25, amount_most: 100}\n"
    "rules:\n"
    "  - {name: bad, rule: \"Block if :card: in @bad\", holdout: false}\n"
    "  - {name: fast, rule: \"Block if velocity(card, 1h) >= 3\"}\n"
    "  - {name: far, rule: \"Review if :distance: > 5\"}\n"
    "  - {name: known, rule: \"Allow if :country: in @lands and "
    ":event_type: = 'payment'\"}\n"
    "  - {name: gift, rule: \"Request 3DS if ::gift:: = 'yes'\"}\n"
    "  - {name: old, rule: \"Review if :card.since_last: > 3 and :amount: > "
    "12.34\"}\n"
    "  - {name: text, rule: \"Review if :mcc: like '59%'\"}\n";

static void decisions_come_from_the_event(void **state)
{
    (void)state;
    fl_model *m = fixture();
    const fl_schema *s = fl_model_schema(m);
    fl_policy *p = parse(SHOP, m);
    fl_lists *lists;
    fl_rings *rings;
    fl_decision d;
    fl_event e = {.id = 3, .time_us = FIXTURE_START, .amount_minor = 1235, .type = 0};
    float *row = calloc(fl_model_row_width(m), sizeof *row);
    fl_text text[FL_CATEGORIES_MAX] = {0}, metadata[1] = {{"yes", 3}};
    fl_policy_view v = {.event = &e, .category = text};
    assert_int_equal(fl_lists_open(&lists, p, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_open(&rings, p, 100, NULL, NULL), FLORIN_OK);
    v.lists = lists;
    v.rings = rings;
    e.entity_hash[0] = fl_entity_hash(KEY, s->kind[0].name, "c2", 2);
    uint64_t count = allocation_count();
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_ALLOW && d.by == FL_BY_NONE && d.propensity == 1);
    /* fold features: missing without a row, and where the fold says -1 */
    uint32_t column = 0;
    while (strcmp(fl_model_row_name(m, column), "fold:card.since_last")) column++;
    row[column] = 4;
    v.row = row;
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_REVIEW && !strcmp(fl_policy_rule_name(p, d.rule), "old"));
    e.amount_minor = 1234;
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_ALLOW && d.by == FL_BY_NONE);
    row[column] = -1;
    /* texts */
    int mcc = fl_schema_category(s, "mcc"), country = fl_schema_category(s, "country");
    e.category[mcc] = fl_category_hash("5999", 4);
    text[mcc] = (fl_text){"5999", 4};
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_REVIEW && !strcmp(fl_policy_rule_name(p, d.rule), "text"));
    v.category = NULL;
    fl_policy_decide(p, &v, &d);
    CHECK(d.by == FL_BY_NONE);
    /* numbers; the order of the kinds, whatever that of the file */
    int distance = fl_schema_number(s, "distance");
    e.number[distance] = 6;
    fl_policy_decide(p, &v, &d);
    CHECK(d.by == FL_BY_NONE);
    e.number_present = 1u << distance;
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_REVIEW && !strcmp(fl_policy_rule_name(p, d.rule), "far"));
    e.entity_hash[0] = fl_entity_hash(KEY, s->kind[0].name, "c1", 2);
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_BLOCK && !strcmp(fl_policy_rule_name(p, d.rule), "bad"));
    CHECK(d.propensity == 0 && !d.holdout); /* this rule lets nobody through */
    e.category[country] = fl_category_hash("v0", 2);
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_ALLOW && !strcmp(fl_policy_rule_name(p, d.rule), "known"));
    e.type = 1;
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_BLOCK);
    v.metadata = metadata;
    assert_int_equal(fl_policy_metadata_find(p, "gift", 4), 0);
    assert_int_equal(fl_policy_metadata_find(p, "gif", 3), FL_NONE);
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_REQUEST_3DS && d.propensity == 1);
    uint64_t matched[1];
    fl_policy_match(p, &v, matched);
    assert_int_equal(matched[0], 1 | 4 | 16);
    v.metadata = NULL;
    /* velocity, and the share that is let through */
    e.entity_hash[0] = 77;
    for (int i = 0; i < 3; i++) {
        fl_policy_decide(p, &v, &d);
        CHECK(d.action == FL_REVIEW);
        fl_rings_add(rings, &e, FL_REVIEW);
    }
    uint32_t held = 0;
    for (uint64_t id = 1; id <= 4000; id++) {
        fl_decision again;
        e.id = fl_mix64(id);
        fl_policy_decide(p, &v, &d);
        fl_policy_decide(p, &v, &again);
        CHECK(!memcmp(&again, &d, sizeof d));
        CHECK(d.holdout == (d.action == FL_ALLOW) && d.by == FL_BY_RULE && d.propensity == 0.25f);
        held += d.holdout;
    }
    CHECK(held > 850 && held < 1150);
    e.amount_minor = 10001;
    fl_policy_decide(p, &v, &d);
    CHECK(d.action == FL_BLOCK && d.propensity == 0);
    assert_int_equal(allocation_count(), count);
    fl_lists_close(lists);
    fl_rings_close(rings);
    fl_policy_free(p);
    fl_model_close(m);
    free(row);
}

static void what_is_refused_and_how(void **state)
{
    (void)state;
    fl_model *m = fixture();
    static const struct {
        const char *text, *message;
    } t[] = {
        {"rules: |\n  Block if :contry: = 'x'\n",
         "p.yaml:2:12: no attribute ':contry:': did you mean ':country:'?\n"
         "    Block if :contry: = 'x'\n             ^~~~~~~~"},
        {"rules: |\n\n  # a\n  a: Block if :amount: > 1\n      and :amout: < 3\n",
         "p.yaml:5:11: no attribute ':amout:': did you mean ':amount:'?\n"
         "        and :amout: < 3\n            ^~~~~~~"},
        {"rules: ['Block if :amount: >']\n",
         "p.yaml:1:29: an attribute, a number or a text is needed here, but the rule ends here\n"
         "  rules: ['Block if :amount: >']\n                              ^"},
        {"rules:\n  - Block if :amount: > 5\n", "a rule in a list needs quotes"},
        {"rules: |\n  Block if :risk_score: > 5\n", "has no head"},
        {"thresholds: {block: 80}\n", "has no head"},
        {"rules: |\n  Block if :code: = 'x'\n", "only after the decision"},
        {"rules: |\n  Block if velocity(card, 1h) = 64\n", "exactly up to 63"},
        {"rules: |\n  Block if velocity(card, 1h) in (1, 64)\n", "exactly up to 63"},
        {"rules: |\n  Block if velocity(card, 1x) > 4\n", "a span is needed"},
        {"rules: |\n  Block if :card: in @x\n", "no list '@x'"},
        {"lists: {x: {of: merchant}}\nrules: |\n  Block if :card: in @x\n",
         "a list of kind merchant"},
        {"lists: {x: {of: crad}}\n", "did you mean 'card'"},
        {"lists: {x: {entries: [a, b], most: 1}}\n", "has 2 entries"},
        {"rules: |\n  a: Block if true\n  a: Allow if true\n", "two rules are called 'a'"},
        {"rule: x\n", "did you mean 'rules'"},
        {"florin: 2\n", "version 2"},
        {"holdout: {share: 0.9}\n", "0 to 0.5"},
        {"tests: [{expect: blok}]\n", "'expect' is"},
        {"tests: [{event: {amout: 1}, expect: block}]\n", "did you mean ':amount:'"},
        {"tests: [{rule: x, expect: block}]\n", "no rule is called"},
        {"rules: |\n  Block if :amount: = :country:\n", "is a number"},
        {"rules: |\n  Block if :country: > 'x'\n", "not by size"},
        {"rules: |\n  Block if 'x' = 'x'\n", "must be an attribute"},
        {"rules: |\n  Block if :amount: > 1 :amount:\n", "is needed here, not ':amount:'"},
        {"rules: |\n  Block if (:amount: > 1) > 2\n", "can't be compared"},
        {"rules: |\n  Block if :country: in ('a' 'b')\n", "a comma or a closing bracket"},
        {"rules: |\n  Block if :country: in ()\n", "a text is needed"},
        {"rules: |\n  Block if :country: = 'x\n", "no closing quote"},
        {"rules: |\n  Block when :amount: > 1\n", "'if' is needed"},
    };
    for (size_t i = 0; i < FL_LEN(t); i++) {
        florin_error err = {0};
        fl_policy *p;
        florin_status st =
            fl_policy_parse(&p, t[i].text, strlen(t[i].text), "p.yaml", m, KEY, &err);
        CHECK(st == FLORIN_EINPUT && !p);
        if (!strstr(err.message, t[i].message)) fail_msg("%s\ngave: %s", t[i].text, err.message);
    }
    fl_model_close(m);
}

/* Brackets, minus signs and negations without end meet a limit, not the stack's. */
static void depth_has_a_limit(void **state)
{
    (void)state;
    static const char *const parts[] = {"(", "not ", "-", "1 + (", "true and ("};
    for (size_t k = 0; k < FL_LEN(parts); k++) {
        fl_buf b = {0};
        florin_error err = {0};
        fl_policy *p;
        fl_buf_puts(&b, "rules: |\n  Block if ");
        for (int i = 0; i < 20000; i++) fl_buf_puts(&b, parts[k]);
        fl_buf_puts(&b, ":a:\n");
        assert_int_equal(fl_policy_parse(&p, b.data, b.len, "p.yaml", NULL, KEY, &err),
                         FLORIN_EINPUT);
        CHECK(strstr(err.message, "deep"));
        fl_buf_free(&b);
    }
}

static void lost_memory_is_an_error(void **state)
{
    (void)state;
    fl_model *m = fixture();
    bool through = false;
    for (uint64_t n = 1; n < 3000 && !through; n++) {
        florin_error err = {0};
        fl_policy *p;
        allocation_fail_at(n, false);
        florin_status st = fl_policy_parse(&p, SHOP, strlen(SHOP), "p.yaml", m, KEY, &err);
        through = !allocation_failed();
        allocation_fail_at(0, false);
        if (st == FLORIN_OK) fl_policy_free(p);
        else assert_int_equal(st, FLORIN_ENOMEM);
        CHECK(!through || st == FLORIN_OK);
    }
    CHECK(through);
    fl_model_close(m);
}

/* ---- lists and rings ---- */

static void lists_expire_and_are_bounded(void **state)
{
    (void)state;
    fl_model *m = fixture();
    fl_policy *p = parse(SHOP, m);
    fl_lists *l, *later;
    fl_buf stored = {0};
    assert_int_equal(fl_lists_open(&l, p, NULL, NULL), FLORIN_OK);
    uint32_t bad = fl_lists_find(l, "bad");
    uint64_t c1 = fl_lists_hash(p, bad, "c1", 2), c2 = fl_lists_hash(p, bad, "c2", 2),
             c3 = fl_lists_hash(p, bad, "c3", 2), c4 = fl_lists_hash(p, bad, "c4", 2);
    CHECK(fl_lists_has(l, bad, c1, 0) && !fl_lists_has(l, bad, c2, 0));
    assert_int_equal(fl_lists_add(l, bad, c2, 100, 0, NULL), FLORIN_OK);
    CHECK(fl_lists_has(l, bad, c2, 99) && !fl_lists_has(l, bad, c2, 100));
    assert_int_equal(fl_lists_add(l, bad, c3, INT64_MAX, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_lists_add(l, bad, c4, INT64_MAX, 99, NULL), FLORIN_ENOMEM);
    assert_int_equal(fl_lists_add(l, bad, c3, 500, 99, NULL), FLORIN_OK); /* a new end */
    assert_int_equal(fl_lists_add(l, bad, c4, INT64_MAX, 100, NULL), FLORIN_OK);
    CHECK(fl_lists_has(l, bad, c1, 200) && fl_lists_has(l, bad, c3, 200) &&
          fl_lists_has(l, bad, c4, 200) && !fl_lists_has(l, bad, c3, 500));
    CHECK(fl_lists_remove(l, bad, c1) && !fl_lists_remove(l, bad, c1));
    CHECK(!fl_lists_has(l, bad, c1, 0) && fl_lists_has(l, bad, c4, 0));
    /* the next policy: its own entries, and what was added */
    assert_int_equal(fl_lists_open(&later, p, l, NULL), FLORIN_OK);
    CHECK(fl_lists_has(later, bad, c1, 0) && fl_lists_has(later, bad, c4, 0) &&
          fl_lists_count(later, bad) == 3);
    /* a checkpoint: as it was */
    fl_lists_store(l, &stored);
    assert_int_equal(fl_lists_restore(later, (uint8_t *)stored.data, stored.len, NULL), FLORIN_OK);
    CHECK(!fl_lists_has(later, bad, c1, 0) && fl_lists_has(later, bad, c4, 0) &&
          fl_lists_count(later, bad) == 2);
    for (size_t n = 0; n < stored.len; n++) {
        florin_status st = fl_lists_restore(later, (uint8_t *)stored.data, n, NULL);
        size_t one = FL_NAME_MAX + 8 + 2 * 24;
        CHECK(n == 0 || n == one ? !st : st == FLORIN_EFORMAT);
    }
    fl_lists_erase(l, c4);
    CHECK(!fl_lists_has(l, bad, c4, 0));
    fl_buf_free(&stored);
    fl_lists_close(l);
    fl_lists_close(later);
    fl_policy_free(p);
    fl_model_close(m);
}

enum { RING_EVENTS = 20000, RING_CARDS = 12, WINDOW = 5000 };

/* Exact up to 63, whatever the order of times; forgets by use; comes back from a checkpoint. */
static void rings_count_exactly(void **state)
{
    (void)state;
    fl_model *m = fixture();
    fl_policy *p = parse("rules: |\n  Block if velocity(card, 5000s) > 2 and velocity(card, 1h, "
                         "refund) > 1 and velocity(card, 1h, blocked) > 1\n",
                         m);
    fl_rings *r, *back, *moved;
    fl_rng rng;
    static struct {
        int64_t at;
        uint64_t card;
        int type, action;
    } seen[RING_EVENTS];
    fl_rng_seed(&rng, 5);
    assert_int_equal(fl_policy_series(p), 3);
    assert_int_equal(fl_rings_open(&r, p, RING_CARDS, NULL, NULL), FLORIN_OK);
    int64_t now = FIXTURE_START;
    for (int i = 0; i < RING_EVENTS; i++) {
        now += (int64_t)fl_rng_below(&rng, 100) * FL_SECOND_US;
        fl_event e = {.time_us = now - (fl_rng_below(&rng, 8) ? 0 : 50 * FL_SECOND_US),
                      .type = (uint8_t)fl_rng_below(&rng, 2)};
        e.entity_hash[0] =
            1 + fl_rng_below(&rng, RING_CARDS) % (1 + fl_rng_below(&rng, RING_CARDS));
        fl_action action = fl_rng_below(&rng, 3) ? FL_ALLOW : FL_BLOCK;
        uint32_t all = 0, refunds = 0, blocked = 0, last[3] = {0};
        for (int k = i; k-- > 0;) {
            if (seen[k].card != e.entity_hash[0]) continue;
            bool in = seen[k].at > e.time_us - WINDOW * FL_SECOND_US && seen[k].at <= e.time_us;
            if (last[0]++ < 64) all += in;
            if (seen[k].type == 1 && last[1]++ < 64) refunds += in;
            if (seen[k].action == FL_BLOCK && last[2]++ < 64) blocked += in;
        }
        int64_t w = WINDOW * FL_SECOND_US;
        assert_int_equal(fl_rings_count(r, 0, e.entity_hash[0], e.time_us, w), all);
        assert_int_equal(fl_rings_count(r, 1, e.entity_hash[0], e.time_us, w), refunds);
        assert_int_equal(fl_rings_count(r, 2, e.entity_hash[0], e.time_us, w), blocked);
        fl_rings_add(r, &e, action);
        seen[i].at = e.time_us;
        seen[i].card = e.entity_hash[0];
        seen[i].type = e.type;
        seen[i].action = action;
    }
    CHECK(fl_rings_evicted(r) == 0 && fl_rings_used(r, 0) == RING_CARDS);
    /* a checkpoint */
    fl_writer *w;
    const char *path = scratch_path("rings");
    assert_int_equal(fl_writer_open(&w, path, 0600, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_save(r, w, NULL), FLORIN_OK);
    assert_int_equal(fl_writer_commit(w, NULL), FLORIN_OK);
    fl_mapping map;
    assert_int_equal(fl_map_file(&map, path, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_open(&back, p, RING_CARDS, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_restore(back, map.data, map.size, NULL), FLORIN_OK);
    for (uint64_t c = 1; c <= RING_CARDS; c++)
        for (uint32_t s = 0; s < 3; s++)
            assert_int_equal(fl_rings_count(back, s, c, now, 3600 * FL_SECOND_US),
                             fl_rings_count(r, s, c, now, 3600 * FL_SECOND_US));
    assert_int_equal(fl_rings_begun(back, 0), fl_rings_begun(r, 0));
    assert_int_equal(fl_rings_restore(back, map.data, map.size - 1, NULL), FLORIN_EFORMAT);
    fl_rings_close(back);
    assert_int_equal(fl_rings_open(&back, p, 3, NULL, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_restore(back, map.data, map.size, NULL), FLORIN_ENOMEM);
    fl_unmap(&map);
    /* more entities than rings: the newest is always there */
    fl_event e = {.time_us = now};
    for (uint64_t c = 100; c < 200; c++) {
        e.entity_hash[0] = c;
        fl_rings_add(r, &e, FL_ALLOW);
        assert_int_equal(fl_rings_count(r, 0, c, now, FL_SECOND_US), 1);
    }
    CHECK(fl_rings_evicted(r) > 0);
    /* the next policy takes over what it names too */
    fl_policy *next =
        parse("rules: |\n  Block if velocity(card, 1d) > 2 or velocity(merchant, 1h) > 1\n", m);
    assert_int_equal(fl_rings_open(&moved, next, 7, r, NULL), FLORIN_OK);
    assert_int_equal(fl_rings_count(moved, 0, 199, now, FL_SECOND_US), 1);
    CHECK(fl_rings_begun(moved, 0) < INT64_MAX && fl_rings_begun(moved, 1) == INT64_MAX);
    fl_rings_erase(moved, 0, 199);
    assert_int_equal(fl_rings_count(moved, 0, 199, now, FL_SECOND_US), 0);
    fl_rings_close(moved);
    fl_rings_close(r);
    fl_rings_close(back);
    fl_policy_free(next);
    fl_policy_free(p);
    fl_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_rules_mean),
                                       cmocka_unit_test(random_rules_mean_what_they_say),
                                       cmocka_unit_test(decisions_come_from_the_event),
                                       cmocka_unit_test(what_is_refused_and_how),
                                       cmocka_unit_test(depth_has_a_limit),
                                       cmocka_unit_test(lost_memory_is_an_error),
                                       cmocka_unit_test(lists_expire_and_are_bounded),
                                       cmocka_unit_test(rings_count_exactly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
