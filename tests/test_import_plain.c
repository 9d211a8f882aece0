/* Plain CSV is read here as DuckDB reads it: random tables, most of them spoiled in some way, cell by cell, and whole
 * imports, byte by byte. */
#include "support/support.h"

#include "base/file.h"
#include "data/import.h"
#include "support/plain_compare.h"
#include <unistd.h>

static fl_duck *db;
static char path[600];

static void put_cell(fl_buf *b, fl_rng *r, uint32_t column, bool wide)
{
    static const char *const odd[] = {
        "",    "  x ", "NULL", "a b",         "#1",           "\xc3\xa9t\xc3\xa9",
        "'q'", "0x1f", "-",    "exactly12by", "exactly12byt", "exactly12byte",
        "\\N", "a;b|c"};
    switch (fl_rng_below(r, wide ? 6 : 4)) {
    case 0:
    case 1: fl_buf_printf(b, "%u", (uint32_t)fl_rng_below(r, 100000)); break;
    case 2:
        fl_buf_printf(b, "C%08u%s", (uint32_t)fl_rng_below(r, 9999), column % 2 ? "-tail" : "");
        break;
    case 3: fl_buf_printf(b, "2024-01-%02u 10:00:00", 1 + (uint32_t)fl_rng_below(r, 28)); break;
    default: fl_buf_puts(b, odd[fl_rng_below(r, FL_LEN(odd))]);
    }
}

/* A table of up to 400 rows. Half of them are then changed in a byte or a few. */
static void make_table(fl_buf *b, fl_rng *r, bool header, bool spoil)
{
    static const char delimiters[] = ",,,,;\t|";
    static const char spoilers[] = "\",\n\r'\\#;\t| \0\xff\xc3x";
    char delimiter = delimiters[fl_rng_below(r, sizeof delimiters - 1)];
    uint32_t columns = 2 + (uint32_t)fl_rng_below(r, 6), rows = (uint32_t)fl_rng_below(r, 400);
    bool wide = fl_rng_below(r, 2);
    b->len = 0;
    for (uint32_t c = 0; header && c < columns; c++)
        fl_buf_printf(b, "col_%u%c", c, c + 1 < columns ? delimiter : '\n');
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t c = 0; c < columns; c++) {
            put_cell(b, r, c, wide);
            fl_buf_add(b, c + 1 < columns ? &delimiter : "\n", 1);
        }
    if (b->len && fl_rng_below(r, 3) == 0) b->len--;
    for (uint64_t n = spoil ? 1 + fl_rng_below(r, 3) : 0; n && b->len; n--)
        b->data[fl_rng_below(r, b->len)] = spoilers[fl_rng_below(r, sizeof spoilers - 1)];
}

static void cells(void **state)
{
    (void)state;
    fl_rng r;
    fl_buf b = {0};
    uint32_t plain = 0, spoiled_plain = 0;
    fl_rng_seed(&r, 4);
    for (uint32_t i = 0; i < 160; i++) {
        fl_source src = {.header = i % 4 != 0, .label_of = -1};
        make_table(&b, &r, src.header, i % 2);
        assert_int_equal(fl_write_file(path, b.data, b.len, NULL), FLORIN_OK);
        plain_verdict v = plain_compare(db, &src, path);
        if (v == PLAIN_DIFFERENT) fail_msg("table %u", i);
        plain += v == PLAIN_SAME && i % 2 == 0;
        spoiled_plain += v == PLAIN_SAME && i % 2;
    }
    fl_buf_free(&b);
    assert_true(plain > 25);
    assert_true(spoiled_plain < 70);
}

/* Longer than a block, with a line that begins in one and ends in the next; and lines too long for anyone. */
static void blocks(void **state)
{
    (void)state;
    fl_buf b = {0};
    fl_source src = {.header = true, .label_of = -1};
    fl_buf_puts(&b, "a,b,c\n");
    for (uint32_t i = 0; i < 260000; i++) fl_buf_printf(&b, "%u,value %u,%u\n", i, i * 7, i % 10);
    assert_int_equal(fl_write_file(path, b.data, b.len, NULL), FLORIN_OK);
    assert_int_equal(plain_compare(db, &src, path), PLAIN_SAME);
    size_t n = b.len;
    for (uint32_t i = 0; i < 3 << 20; i++) fl_buf_puts(&b, "x");
    fl_buf_puts(&b, ",1,2\n");
    assert_int_equal(fl_write_file(path, b.data, b.len, NULL), FLORIN_OK);
    assert_int_equal(plain_compare(db, &src, path), PLAIN_NOT);
    b.len = n;
    for (uint32_t i = 0; i < 5 << 20; i++) fl_buf_puts(&b, "x");
    assert_int_equal(fl_write_file(path, b.data, b.len, NULL), FLORIN_OK);
    assert_int_equal(plain_compare(db, &src, path), PLAIN_NOT);
    /* Tabs and commas both cut every row: DuckDB's sniffer says tabs, and it reads by commas. */
    src.header = true;
    static const char two[] = "z-R1 10:#0:0t\th 21z\n12\t1neinf0a,,x+,0 lon e\n";
    for (size_t end = 1; end <= 2; end++) { /* also without the last line feed */
        assert_int_equal(fl_write_file(path, two, sizeof two - end, NULL), FLORIN_OK);
        assert_int_equal(plain_compare(db, &src, path), PLAIN_NOT);
    }
    fl_buf_free(&b);
}

/* ---- whole imports ---- */

static const char YAML[] =
    "florin: 1\nname: t\ncurrency: EUR\nentities:\n  card: {role: payer}\n  shop: {role: payee}\n"
    "sources:\n  pay:\n    time: when\n    amount: amount\n    currency: cur\n"
    "    entities: {card: card, shop: shop}\n    categories: {kind: kind}\n    numbers: {n: n}\n"
    "    marks: {bad: bad}\n    labels:\n      fraud: {column: fraud, arrival: known}\n";

static void make_payments(fl_buf *b, fl_rng *r, uint32_t rows, bool broken)
{
    static const char *const time[] = {
        "2024-01-%02u 10:00:%02u",       "2024-01-%02u", "%u5704067200", "%u Jan 2024",
        "2024-01-%02u 10:%02u:00+02:00", "soon %u"};
    static const char *const amount[] = {"12.34", "7", "-1.005", "(5.25)", "1e3", "", "x", "0.1"};
    static const char *const fraud[] = {"0", "1", "", "yes", "0", "0", "perhaps"};
    b->len = 0;
    fl_buf_puts(b, "when,amount,cur,card,shop,kind,n,bad,fraud,known\n");
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t day = 1 + (uint32_t)fl_rng_below(r, 28), some = (uint32_t)fl_rng_below(r, 60);
        bool odd = fl_rng_below(r, 10) == 0;
        fl_buf_printf(b, time[odd ? fl_rng_below(r, 6) : 0], day, some);
        fl_buf_printf(b, ",%s,%s,C%u,shop number %u,%s,%u.5,%s,%s,2024-02-%02u\n",
                      amount[odd ? fl_rng_below(r, 8) : 0], i % 7 ? "" : "JPY", some, day * 31,
                      i % 3 ? "food" : "travel abroad", some, i % 5 ? "no" : "yes",
                      fraud[odd ? fl_rng_below(r, 7) : 0], day);
        if (i % 50 == 49) fl_buf_printf(b, "2024-01-05,1,,C1,s,food,1,no,0,2024-02-01\n");
        if (broken && i == rows - 20) fl_buf_puts(b, "2024-01-05,1,,C1,s,food\n");
    }
}

static void read_back(fl_buf *b, const char *log, const char *name)
{
    char *text = NULL, file[700];
    size_t n = 0;
    snprintf(file, sizeof file, "%s/%s", log, name);
    b->len = 0;
    fl_buf_add(b, "", 0);
    if (!fl_read_file(&text, &n, file, 1 << 28, NULL)) fl_buf_add(b, text, n);
    free(text);
}

static void import(const char *log, bool by_duckdb, uint32_t threads, fl_import_stats *stats)
{
    static const char *const made[] = {"manifest.json", "seg-000001.fls", "ids-000001.fld",
                                       "rejects.csv"};
    char file[700];
    fl_schema *s = NULL;
    florin_error err = {0};
    florin_context ctx = {.threads = threads};
    const char *files[] = {path};
    for (size_t i = 0; i < FL_LEN(made); i++) {
        snprintf(file, sizeof file, "%s/%s", log, made[i]);
        unlink(file);
    }
    assert_int_equal(fl_schema_parse(&s, YAML, sizeof YAML - 1, "test", &err), FLORIN_OK);
    fl_import_options opt = {.log = log, .files = files, .n_files = 1, .by_duckdb = by_duckdb};
    if (fl_import(s, &opt, stats, &ctx, &err)) fail_msg("%s", err.message);
    fl_schema_free(s);
}

/* The same log and the same rejects, whoever read and on however many threads. */
static void imports(void **state)
{
    (void)state;
    static const char *const made[] = {"manifest.json", "seg-000001.fls", "ids-000001.fld",
                                       "rejects.csv"};
    char one[700], two[700];
    fl_rng r;
    fl_buf b = {0}, x = {0}, y = {0};
    fl_rng_seed(&r, 11);
    snprintf(one, sizeof one, "%s", scratch_path("one"));
    snprintf(two, sizeof two, "%s", scratch_path("two"));
    for (uint32_t i = 0; i < 4; i++) {
        bool broken = i == 3;
        fl_import_stats a, c;
        make_payments(&b, &r, i ? 9000 : 50, broken);
        assert_int_equal(fl_write_file(path, b.data, b.len, NULL), FLORIN_OK);
        import(one, false, 1 + i % 3, &a);
        import(two, true, 2, &c);
        assert_true(a.plain == !broken && c.plain == 0);
        assert_true(a.read == c.read && a.rejected == c.rejected && a.reasons == c.reasons);
        assert_true(a.written.rows == c.written.rows && a.written.labels == c.written.labels);
        assert_true(i == 0 || (a.rejected > 50 && a.written.duplicates == 0));
        for (size_t k = 0; k < FL_LEN(made); k++) {
            read_back(&x, one, made[k]);
            read_back(&y, two, made[k]);
            if (x.len != y.len || memcmp(x.data, y.data, x.len)) fail_msg("%u: %s", i, made[k]);
        }
    }
    fl_buf_free(&b);
    fl_buf_free(&x);
    fl_buf_free(&y);
}

static int open_all(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s", scratch_path("plain.csv"));
    return fl_duck_open(&db, NULL, NULL, NULL) != FLORIN_OK;
}

static int close_all(void **state)
{
    (void)state;
    fl_duck_close(db);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells), cmocka_unit_test(blocks),
                                       cmocka_unit_test(imports)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
