/* YAML: a tree with positions, typed access, and a clear line for everything that is refused. */
#include "support/support.h"
#include "base/file.h"
#include "base/yaml.h"

#include <stdio.h>

static fl_arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = fl_arena_new(4096);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fl_arena_free(arena);
    return 0;
}

static fl_yaml *parse(const char *text)
{
    florin_error e = {0};
    fl_yaml *y;
    florin_status st = fl_yaml_parse(arena, &y, text, strlen(text), "t.yaml", &e);
    if (st) print_error("%s\n", e.message);
    assert_int_equal(st, FLORIN_OK);
    return y;
}

static void refused(const char *text, const char *message)
{
    florin_error e = {0};
    fl_yaml *y;
    assert_int_equal(fl_yaml_parse(arena, &y, text, strlen(text), "t.yaml", &e), FLORIN_EINPUT);
    assert_null(y);
    if (!strstr(e.message, message)) fail_msg("'%s' lacks '%s'", e.message, message);
}

static void tree_remembers_positions(void **state)
{
    (void)state;
    fl_yaml *y =
        parse("# comment\nname: pay\nlist:\n  - a\n  - 'null'\nmap: {x: 1, y: [2, 3]}\nempty:\n");
    CHECK(y->kind == FL_YAML_MAP && y->count == 4);
    assert_string_equal(y->key[1], "list");
    const fl_yaml *list = fl_yaml_get(y, "list");
    CHECK(list->kind == FL_YAML_LIST && list->count == 2);
    CHECK(list->item[1]->line == 5 && list->item[1]->column == 5 && list->item[1]->quoted);
    const fl_yaml *inner = fl_yaml_get(fl_yaml_get(y, "map"), "y");
    assert_string_equal(inner->item[1]->text, "3");
    assert_null(fl_yaml_get(y, "none"));
    assert_null(fl_yaml_get(NULL, "none"));
    assert_null(fl_yaml_get(list, "none"));
    assert_string_equal(y->file, "t.yaml");
}

static void typed_values(void **state)
{
    (void)state;
    florin_error e = {0};
    fl_yaml *y =
        parse("s: text\nn: 2.5\ni: -7\nb: true\nt: 2018-08-01 12:30\nd: 7d\nnothing: ~\nl: [1]\n");
    const char *s = "old";
    double n = 0;
    int64_t i = 5, t = 0, d = 0;
    bool b = false;
    CHECK(!fl_yaml_str(y, "s", &s, &e) && !strcmp(s, "text"));
    CHECK(!fl_yaml_num(y, "n", &n, &e) && n == 2.5);
    CHECK(!fl_yaml_int(y, "i", &i, &e) && i == -7);
    CHECK(!fl_yaml_bool(y, "b", &b, &e) && b);
    CHECK(!fl_yaml_time(y, "t", &t, &e) && t == 1533126600000000);
    CHECK(!fl_yaml_duration(y, "d", &d, &e) && d == 7 * FL_DAY_US);
    CHECK(!fl_yaml_int(y, "absent", &i, &e) && i == -7);
    CHECK(!fl_yaml_int(y, "nothing", &i, &e) && i == -7);
    CHECK(fl_yaml_int(y, "s", &i, &e) == FLORIN_EINPUT);
    assert_string_equal(e.message, "t.yaml:1:4: 's' needs a whole number, not 'text'");
    CHECK(fl_yaml_int(y, "n", &i, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_num(y, "s", &n, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_bool(y, "i", &b, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_time(y, "d", &t, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_duration(y, "t", &d, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_str(y, "l", &s, &e) == FLORIN_EINPUT);
    y = parse("a: nan\nb: inf\nc: 1e999\nd: 0x10\ne: 99999999999999999999\n");
    for (uint32_t k = 0; k < 4; k++) CHECK(fl_yaml_num(y, y->key[k], &n, &e) == FLORIN_EINPUT);
    CHECK(fl_yaml_int(y, "e", &i, &e) == FLORIN_EINPUT);
}

static void unknown_keys_get_a_suggestion(void **state)
{
    (void)state;
    static const char *const known[] = {"amount", "time"};
    florin_error e = {0};
    CHECK(!fl_yaml_only(parse("time: 1\namount: 2\n"), known, 2, &e));
    CHECK(fl_yaml_only(parse("tme: 1\n"), known, 2, &e) == FLORIN_EINPUT);
    assert_string_equal(e.message, "t.yaml:1:6: unknown key 'tme': did you mean 'time'?");
    CHECK(fl_yaml_only(parse("zzzzzz: 1\n"), known, 2, &e) == FLORIN_EINPUT);
    assert_non_null(strstr(e.message, "known here: amount, time"));
    CHECK(fl_yaml_only(parse("[1]"), known, 2, &e) == FLORIN_EINPUT);
}

static void what_is_refused(void **state)
{
    (void)state;
    char deep[200], *huge = calloc(1, 5 << 20);
    florin_error e = {0};
    fl_yaml *y;
    refused("", "empty");
    refused("# only a comment\n", "empty");
    refused("a: &x 1\n", "t.yaml:1:4: anchors");
    refused("a: *x\n", "aliases");
    refused("a: !!str 1\n", "tags");
    refused("a: 1\n---\nb: 2\n", "one document");
    refused("a: 1\nb: 2\na: 3\n",
            "t.yaml:3:1: key 'a' stands twice, first with its value in line 1");
    refused("{[1]: 2}", "plain word");
    refused("a: [1, 2\n", "t.yaml:");
    refused("a: \"\\0\"\n", "NUL");
    refused("a: \xff\xfe\n", "t.yaml: byte");
    memset(deep, '[', 100);
    memset(deep + 100, ']', 99);
    deep[199] = 0;
    refused(deep, "nested");
    CHECK(fl_yaml_parse(arena, &y, huge, 5 << 20, "t.yaml", &e) == FLORIN_EINPUT);
    free(huge);
    CHECK(fl_yaml_load(arena, &y, scratch_path("none.yaml"), &e) == FLORIN_EIO);
    const char *path = scratch_file("bom.yaml",
                                    "\xef\xbb\xbf"
                                    "a: 1\n",
                                    8);
    CHECK(fl_yaml_load(arena, &y, path, &e) == FLORIN_OK);
    assert_string_equal(y->key[0], "a");
}

/* Every allocation may fail; the result is then an error and nothing leaks (seen by the leak checker). */
static void lost_memory_is_an_error(void **state)
{
    (void)state;
    const char *text = "a: 1\nb: [x, y]\nc: {d: e}\n";
    bool through = false;
    for (uint64_t n = 1; n < 1000 && !through; n++) {
        florin_error e = {0};
        fl_yaml *y;
        fl_arena *a = fl_arena_new(256);
        allocation_fail_at(n, false);
        florin_status st = fl_yaml_parse(a, &y, text, strlen(text), "t.yaml", &e);
        through = !allocation_failed();
        allocation_fail_at(0, false);
        assert_int_equal(st, through ? FLORIN_OK : FLORIN_ENOMEM);
        fl_arena_free(a);
    }
    CHECK(through);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_remembers_positions), cmocka_unit_test(typed_values),
        cmocka_unit_test(unknown_keys_get_a_suggestion), cmocka_unit_test(what_is_refused),
        cmocka_unit_test(lost_memory_is_an_error)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
