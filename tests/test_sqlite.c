/* Tables of SQLite files: what types columns get, what is refused and how it is said, and that no damage brings us down. */
#include "support/support.h"
#include "data/draft.h"
#include "data/source.h"
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

/* A fresh file with what the statements make. */
static const char *make(const char *name, const char *sql)
{
    const char *path = scratch_path(name);
    sqlite3 *db = NULL;
    char *why = NULL;
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why)) fail_msg("%s", why);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return path;
}

static const char shop[] = "PRAGMA page_size = 512;"
                           "CREATE TABLE small(a INTEGER);"
                           "INSERT INTO small VALUES (1);"
                           "CREATE TABLE \"sal\"\"e\"(id INTEGER, price, share, account, mixed, "
                           "note TEXT, day TEXT, none, "
                           "\"two words\");"
                           "CREATE INDEX by_price ON \"sal\"\"e\"(price, id);"
                           "INSERT INTO \"sal\"\"e\" VALUES"
                           "(3, 2.5, 1, 9223372036854775807, 1, 'x', '2024-01-02', NULL, 1),"
                           "(1, 7, 0.1, 0.5, 'a', NULL, '2024-01-01', NULL, 2),"
                           "(2, 1, 1e300, NULL, 0.1, 'gr\xc3\xbc\xc3\x9f', '2024-01-03', NULL, 3);";

/* All raw cells of a relation as text: columns before '|', rows before '/'. */
static char *cells(fl_duck *db, const fl_relation *r)
{
    fl_buf sql = {0}, out = {0};
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    fl_buf_printf(&sql, "SELECT CAST(COLUMNS('^raw:') AS VARCHAR) FROM %s", r->sql);
    assert_int_equal(fl_duck_query(&q, db, sql.data, false, NULL), FLORIN_OK);
    while (!fl_duck_next(q, &rows, NULL) && rows)
        for (uint64_t i = 0; i < rows; i++) {
            for (uint32_t c = 0; c < fl_duck_columns(q); c++) {
                size_t n = 4;
                const char *s = fl_duck_null(q, c, i) ? "NULL" : fl_duck_text(q, c, i, &n);
                fl_buf_add(&out, s, n);
                fl_buf_puts(&out, "|");
            }
            fl_buf_puts(&out, "/");
        }
    fl_duck_result_free(q);
    fl_buf_free(&sql);
    return out.data;
}

static fl_duck *duck(void)
{
    fl_duck *db = NULL;
    assert_int_equal(fl_duck_open(&db, NULL, NULL, NULL), FLORIN_OK);
    return db;
}

/* The file can't be read: the message has every one of the words. */
static void refused(const char *path, const char *table, const char *const *words)
{
    fl_duck *db = duck();
    fl_relation r;
    florin_error err = {0};
    fl_source src = {.table = table, .header = true, .label_of = -1};
    florin_status st = fl_source_relation(&r, db, NULL, &src, path, &err);
    if (st != FLORIN_EINPUT && st != FLORIN_EIO) fail_msg("%s: status %d", path, st);
    for (; *words; words++)
        if (!strstr(err.message, *words)) fail_msg("no '%s' in: %s", *words, err.message);
    assert_null(strchr(err.message, '\n'));
    fl_duck_close(db);
}
#define REFUSED(path, table, ...) refused(path, table, (const char *const[]){__VA_ARGS__, NULL})

static void columns_take_the_type_of_all_their_values(void **state)
{
    (void)state;
    static const char *const type[] = {"BIGINT",  "DOUBLE",  "DOUBLE",  "VARCHAR", "VARCHAR",
                                       "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT"};
    fl_duck *db = duck();
    fl_relation r;
    florin_error err = {0};
    fl_source src = {.table = "sal\"e", .header = true, .label_of = -1};
    const char *path = make("shop file?.sqlite", shop);
    for (int again = 0; again < 2; again++) { /* a schema may read a table twice */
        if (fl_source_relation(&r, db, NULL, &src, path, &err)) fail_msg("%s", err.message);
        assert_int_equal(r.columns, FL_LEN(type));
        for (uint32_t c = 0; c < r.columns; c++) assert_string_equal(r.type[c], type[c]);
        assert_string_equal(r.name[8], "two words");
        assert_int_equal(r.rows, 3);
        assert_int_equal(r.first, 1);
        /* In the order of the file, not of the index; numbers among texts as they read. */
        char *all = cells(db, &r);
        assert_string_equal(all, "3|2.5|1.0|9223372036854775807|1|x|2024-01-02|NULL|1|/"
                                 "1|7.0|0.1|0.5|a|NULL|2024-01-01|NULL|2|/"
                                 "2|1.0|1e+300|NULL|0.1|gr\xc3\xbc\xc3\x9f|2024-01-03|NULL|3|/");
        free(all);
        fl_relation_free(&r);
    }
    fl_duck_close(db);
}

static void draft_takes_the_largest_table_and_names_the_others(void **state)
{
    (void)state;
    fl_duck *db = duck();
    fl_draft d;
    florin_error err = {0};
    fl_buf yaml = {0};
    const char *path = make("shop.sqlite", shop);
    if (fl_draft_profile(&d, db, path, NULL, &err)) fail_msg("%s", err.message);
    fl_draft_guess(&d);
    fl_draft_write(&d, "shop", "shop.sqlite", &yaml);
    assert_non_null(strstr(d.notes, "Others: small (1)."));
    assert_non_null(strstr(yaml.data, "    table: \"sal\\\"e\"\n"));
    fl_draft_free(&d);
    fl_buf_free(&yaml);
    fl_duck_close(db);
    db = duck();
    if (fl_draft_profile(&d, db, path, "small", &err)) fail_msg("%s", err.message);
    assert_int_equal(d.relation.columns, 1);
    fl_draft_free(&d);
    fl_duck_close(db);
}

static void the_table_goes_through_schema_and_json(void **state)
{
    (void)state;
    static const char yaml[] = "florin: 1\nentities: {a: {role: payer}}\nsources:\n  e: {file: "
                               "x.sqlite, table: \"sal\\\"e\", time: day, entities: {a: id}, join: "
                               "{file: y.db, table: t, on: a, fields: [b, c]}}\n";
    fl_schema *s = NULL, *again = NULL;
    assert_int_equal(fl_schema_parse(&s, yaml, sizeof yaml - 1, "s", NULL), FLORIN_OK);
    assert_string_equal(s->source[0].table, "sal\"e");
    json_t *j = fl_schema_to_json(s);
    assert_int_equal(fl_schema_from_json(&again, j, "again", NULL), FLORIN_OK);
    assert_string_equal(again->source[0].table, "sal\"e");
    assert_string_equal(again->source[0].join.file, "y.db");
    assert_string_equal(again->source[0].join.table, "t");
    assert_string_equal(again->source[0].join.key, "a");
    assert_int_equal(again->source[0].join.fields, 2);
    assert_string_equal(again->source[0].join.field[1], "c");
    json_decref(j);
    fl_schema_free(s);
    fl_schema_free(again);
}

/* Binary data and broken text cost their column; who names it is told row and reason. */
static void what_is_no_text_is_named(void **state)
{
    (void)state;
    static const char schema[] =
        "florin: 1\nentities: {a: {role: payer}}\nsources:\n  e:\n    file: x\n    table: t\n"
        "    time: day\n    entities: {a: %s}\n";
    static const char *const want[][3] = {
        {"photo", "binary data in row 2 of table t", "line 8"},
        {"latin", "text that is not UTF-8 in row 1 of table t", "line 8"},
        {"hole", "a zero byte in its text in row 3 of table t", "line 8"},
        {"phot", "did you mean 'id'", "line 8"},
    };
    const char *path =
        make("bytes.db", "CREATE TABLE t(id INTEGER, day TEXT, photo, latin, hole);"
                         "INSERT INTO t VALUES (1, '2024-01-01', 'x', CAST(x'e9' AS TEXT), 'a'),"
                         "(2, '2024-01-01', x'00ff', 'x', 'b'),"
                         "(3, '2024-01-01', NULL, 'x', CAST(x'610062' AS TEXT));");
    for (size_t i = 0; i < FL_LEN(want); i++) {
        fl_duck *db = duck();
        fl_schema *s = NULL;
        fl_relation r;
        florin_error err = {0};
        char yaml[300];
        int n = snprintf(yaml, sizeof yaml, schema, want[i][0]);
        assert_int_equal(fl_schema_parse(&s, yaml, (size_t)n, "s.yaml", NULL), FLORIN_OK);
        assert_int_equal(fl_source_relation(&r, db, s, &s->source[0], path, &err), FLORIN_EINPUT);
        for (size_t k = i == 3 ? 2 : 1; k < 3; k++)
            if (!strstr(err.message, want[i][k]))
                fail_msg("no '%s' in: %s", want[i][k], err.message);
        fl_schema_free(s);
        fl_duck_close(db);
    }
    REFUSED(make("blobs.db", "CREATE TABLE t(a); INSERT INTO t VALUES (x'00');"), NULL,
            "no column that can be read", "binary data in row 1");
}

static void a_file_that_is_not_right_is_refused(void **state)
{
    (void)state;
    const char *path = make("shop.sqlite", shop);
    REFUSED(path, "sal", "no table 'sal'", "did you mean 'sal\"e'?", "small");
    REFUSED(path, NULL, "has 2 tables", "as `table: ");
    REFUSED(make("views.db", "CREATE VIEW v AS SELECT 1 AS a;"), NULL, "no table");
    REFUSED(scratch_file("a.csv", "a,b\n1,2\n", 8), "t", "no SQLite file");
    REFUSED(scratch_file("a.sqlite.zst", "\x28\xb5\x2f\xfd", 4), NULL, "unpack it first");
    REFUSED(scratch_file("head.db", "SQLite format 3", 16), NULL, "damaged or cut off");
    REFUSED(make("big.db", "CREATE TABLE t(a); INSERT INTO t VALUES (1), "
                           "(zeroblob(67108865));"),
            NULL, "table 't', row 2", "larger than 64 MiB");
    path = make("cut.db", shop);
    cut_file(path, 1300);
    REFUSED(path, "small", "damaged or cut off", ".recover");
}

/* What a writer has not brought into the file would be missed. */
static void a_file_that_is_being_written_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("wal.db");
    sqlite3 *db = NULL;
    fl_duck *d = duck();
    fl_relation r;
    fl_source src = {.header = true, .label_of = -1};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1);",
                     NULL, NULL, NULL),
        SQLITE_OK);
    REFUSED(path, NULL, "wal.db-wal", "wal_checkpoint");
    sqlite3_close(db);
    assert_int_equal(fl_source_relation(&r, d, NULL, &src, path, NULL), FLORIN_OK);
    assert_int_equal(r.rows, 1);
    fl_relation_free(&r);
    fl_duck_close(d);
}

/* Bits that flip anywhere: either all is read, or one clear line. */
static void damage_is_survived(void **state)
{
    (void)state;
    const char *good = make("good.db", shop);
    FILE *f = fopen(good, "rb");
    static char bytes[32768];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fl_duck *db = duck();
    fl_rng rng;
    uint32_t bad = 0;
    fclose(f);
    fl_rng_seed(&rng, 7);
    for (int i = 0; i < 400; i++) {
        const char *path = scratch_file("flipped.db", bytes, n);
        fl_sqlite_copy copy;
        florin_error err = {0};
        for (int k = 0; k < 3; k++)
            flip_bit(path, 16 + fl_rng_below(&rng, n - 16), (int)fl_rng_below(&rng, 8));
        if (fl_sqlite_copy_table(&copy, db, path, NULL, true, &err)) {
            bad++;
            if (!strstr(err.message, "flipped.db")) fail_msg("no file in: %s", err.message);
        } else {
            fl_sqlite_copy_free(&copy);
        }
    }
    assert_true(bad > 20 && bad < 400);
    fl_duck_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_take_the_type_of_all_their_values),
        cmocka_unit_test(draft_takes_the_largest_table_and_names_the_others),
        cmocka_unit_test(the_table_goes_through_schema_and_json),
        cmocka_unit_test(what_is_no_text_is_named),
        cmocka_unit_test(a_file_that_is_not_right_is_refused),
        cmocka_unit_test(a_file_that_is_being_written_is_refused),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
