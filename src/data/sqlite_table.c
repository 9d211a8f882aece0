/* SQLite's rows, read twice (sqlite_table.h): once to see what types a column holds, once to copy them. */
#include "data/sqlite_table.h"
#include "base/sqlite.h"
#include "data/plain_csv.h"
#include <duckdb.h>
#include <stdio.h>

enum { LOOK_UP_ROWS = 4096 }; /* between two looks whether to stop */
static const int64_t EXACT = INT64_C(1) << 53;

typedef enum { AS_TEXT, AS_WHOLE, AS_REAL, LEFT_OUT } column_as;
typedef struct {
    bool whole, real, text, large; /* values seen; large: a whole number beyond 2^53 */
    uint64_t binary, broken,
        zero; /* first row with binary data, no UTF-8, a zero byte in its text; 0: none */
    column_as as;
} column;

static florin_status stopped(const fl_duck *db, uint64_t row, const char *path, florin_error *err)
{
    return row % LOOK_UP_ROWS == 0 && fl_cancelled(fl_duck_context(db))
               ? fl_fail(err, FLORIN_ECANCELLED, "%s: stopped", path)
               : FLORIN_OK;
}

static bool is_utf8(const char *s)
{
    return fl_plain_utf8((const uint8_t *)s, (const uint8_t *)s + strlen(s));
}

static void first(uint64_t *at, bool is, uint64_t row)
{
    if (is && !*at) *at = row;
}

static void see(column *c, const fl_sqlite_cell *v, uint64_t row)
{
    const uint8_t *s = (const uint8_t *)v->text;
    switch (v->type) {
    case FL_SQLITE_INT:
        c->whole = true;
        c->large |= v->whole > EXACT || v->whole < -EXACT;
        break;
    case FL_SQLITE_REAL: c->real = true; break;
    case FL_SQLITE_TEXT:
        c->text = true;
        first(&c->zero, memchr(s, 0, v->len) != NULL, row);
        first(&c->broken, !fl_plain_utf8(s, s + v->len), row);
        break;
    case FL_SQLITE_BLOB: first(&c->binary, true, row); break;
    case FL_SQLITE_NULL: break;
    }
}

static void decide(column *c)
{
    if (c->binary || c->broken || c->zero) c->as = LEFT_OUT;
    else if (c->text || (c->real && c->large) || (!c->real && !c->whole)) c->as = AS_TEXT;
    else c->as = c->real ? AS_REAL : AS_WHOLE;
}

/* What each column holds. *list [*columns] is the caller's. */
static florin_status look_through(column **list, uint32_t *columns, uint64_t *rows, fl_duck *db,
                                  fl_sqlite *f, uint32_t table, const char *path, florin_error *err)
{
    fl_sqlite_rows *r = NULL;
    florin_status st = fl_sqlite_read(&r, f, table, err);
    if (st) return st;
    *columns = fl_sqlite_columns(r);
    *list = fl_calloc(*columns ? *columns : 1, sizeof **list);
    if (!*list) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    bool more = !st;
    *rows = 0;
    while (!st && !(st = fl_sqlite_next(r, &more, err)) && more) {
        ++*rows;
        for (uint32_t c = 0; c < *columns; c++) {
            fl_sqlite_cell v = fl_sqlite_value(r, c);
            see(&(*list)[c], &v, *rows);
        }
        st = stopped(db, *rows, path, err);
    }
    for (uint32_t c = 0; c < *columns && !st; c++) {
        decide(&(*list)[c]);
        if (!is_utf8(fl_sqlite_column(r, c)))
            st = fl_fail(err, FLORIN_EINPUT,
                         "%s: table '%s': the name of column %u is not UTF-8: rename it", path,
                         fl_sqlite_table(f, table), c + 1);
    }
    fl_sqlite_rows_close(r);
    return st;
}

/* CREATE TABLE of the columns that stay, and a line for each that does not. */
static florin_status create(fl_duck *db, const char *name, const fl_sqlite_rows *r,
                            const column *list, fl_sqlite_copy *out, const char *path,
                            florin_error *err)
{
    static const char *const type[] = {"VARCHAR", "BIGINT", "DOUBLE"};
    fl_buf sql = {0}, left = {0};
    uint32_t kept = 0;
    fl_buf_printf(&sql, "CREATE TABLE \"%s\" (", name);
    for (uint32_t c = 0; c < fl_sqlite_columns(r); c++) {
        const column *l = &list[c];
        if (l->as == LEFT_OUT) {
            fl_buf_printf(&left, "%s: %s in row %llu of table %s\n", fl_sqlite_column(r, c),
                          l->binary   ? "binary data"
                          : l->broken ? "text that is not UTF-8"
                                      : "a zero byte in its text",
                          (unsigned long long)(l->binary   ? l->binary
                                               : l->broken ? l->broken
                                                           : l->zero),
                          out->table);
            continue;
        }
        fl_buf_puts(&sql, kept++ ? ", " : "");
        fl_buf_quoted(&sql, '"', "", fl_sqlite_column(r, c));
        fl_buf_printf(&sql, " %s", type[l->as]);
    }
    fl_buf_puts(&sql, ")");
    const char *why = left.data ? left.data : "it has none at all";
    florin_status st = FLORIN_OK;
    if (sql.failed || left.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    else if (!kept)
        st = fl_fail(err, FLORIN_EINPUT, "%s: table '%s' has no column that can be read: %.*s",
                     path, out->table, (int)strcspn(why, "\n"), why);
    else if ((st = fl_duck_exec(db, sql.data, err)) != FLORIN_OK)
        fl_fail_prefix(err, "%s: table '%s'", path, out->table);
    fl_buf_free(&sql);
    if (st) fl_buf_free(&left);
    out->left_out = left.data;
    return st;
}

/* A fraction with as many digits as it needs to be read back the same. */
static int show(char out[40], double x)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, 40, "%.*g", digits, x);
        if (strtod(out, NULL) == x) break;
    }
    return n;
}

static duckdb_state append(duckdb_appender a, column_as as, const fl_sqlite_cell *v)
{
    char text[40];
    if (v->type == FL_SQLITE_NULL) return duckdb_append_null(a);
    if (as == AS_WHOLE) return duckdb_append_int64(a, v->whole);
    if (as == AS_REAL)
        return duckdb_append_double(a, v->type == FL_SQLITE_INT ? (double)v->whole : v->real);
    if (v->type == FL_SQLITE_TEXT) return duckdb_append_varchar_length(a, v->text, v->len);
    int n = v->type == FL_SQLITE_INT ? snprintf(text, sizeof text, "%lld", (long long)v->whole)
                                     : show(text, v->real);
    return duckdb_append_varchar_length(a, text, (idx_t)n);
}

static florin_status copy_rows(fl_duck *db, const char *name, fl_sqlite_rows *r, const column *list,
                               const fl_sqlite_copy *out, const char *path, florin_error *err)
{
    duckdb_appender a = NULL;
    bool more = true;
    duckdb_state good = duckdb_appender_create(fl_duck_native(db), NULL, name, &a);
    florin_status st = FLORIN_OK;
    for (uint64_t row = 1; good == DuckDBSuccess && !st; row++) {
        st = fl_sqlite_next(r, &more, err);
        if (st || !more) break;
        for (uint32_t c = 0; c < fl_sqlite_columns(r) && good == DuckDBSuccess; c++) {
            if (list[c].as == LEFT_OUT) continue;
            fl_sqlite_cell v = fl_sqlite_value(r, c);
            good = append(a, list[c].as, &v);
        }
        if (good == DuckDBSuccess) good = duckdb_appender_end_row(a);
        if (!st) st = stopped(db, row, path, err);
    }
    if (good == DuckDBSuccess && !st) good = duckdb_appender_close(a);
    if (good != DuckDBSuccess && !st)
        st = fl_fail(err, FLORIN_EINPUT, "%s: table '%s' can't be copied: %.300s", path, out->table,
                     a && duckdb_appender_error(a) ? duckdb_appender_error(a) : "no reason given");
    if (a) duckdb_appender_destroy(&a);
    return st;
}

/* Which table: that of the name, the only one, or the one with most rows. Says which others there are. */
static florin_status choose(uint32_t *chosen, fl_sqlite_copy *out, const fl_sqlite *f,
                            const char *table, bool largest, const char *path, florin_error *err)
{
    uint32_t n = fl_sqlite_tables(f), best = UINT32_MAX;
    uint64_t most = 0, *rows = fl_calloc(n ? n : 1, sizeof *rows);
    const char **names = fl_calloc(n ? n : 1, sizeof *names);
    florin_status st = rows && names ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", path);
    if (!st && !n)
        st = fl_fail(err, FLORIN_EINPUT, "%s: the SQLite file has no table (views are not read)",
                     path);
    for (uint32_t i = 0; i < n && !st; i++) {
        names[i] = fl_sqlite_table(f, i);
        if (!is_utf8(names[i]))
            st = fl_fail(err, FLORIN_EINPUT, "%s: table %u has a name that is not UTF-8: rename it",
                         path, i + 1);
        if (!st && !table && n > 1) st = fl_sqlite_count(f, i, &rows[i], err);
        if (table ? !strcmp(table, names[i]) : best == UINT32_MAX || rows[i] > most) {
            best = i;
            most = rows[i];
        }
    }
    fl_buf others = {0};
    for (uint32_t i = 0; i < n && !st && others.len < 400; i++) {
        if (i == best) continue;
        fl_buf_printf(&others, "%s%.64s", others.len ? ", " : "", names[i]);
        if (!table) fl_buf_printf(&others, " (%llu)", (unsigned long long)rows[i]);
    }
    if (!st && n > 1 && !table && !largest)
        st = fl_fail(
            err, FLORIN_EINPUT,
            "%s: has %u tables: say in the schema which one is meant, as `table: %.64s`; the "
            "others are %s",
            path, n, names[best], others.data ? others.data : "");
    if (!st && best == UINT32_MAX) {
        const char *near = fl_nearest(table, names, n);
        st = fl_fail(err, FLORIN_EINPUT, "%s: has no table '%.64s'%s%.64s%s; it has: %s", path,
                     table, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                     others.data ? others.data : "none");
    }
    if (!st && others.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    if (!st) out->table = fl_strdup(names[best]);
    if (!st && !out->table) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    *chosen = best;
    out->others = others.data;
    free(rows);
    free(names);
    return st;
}

/* A name that is free: a schema may read the same table twice. */
static florin_status free_name(char name[32], fl_duck *db, florin_error *err)
{
    int64_t n = 0;
    florin_status st = fl_duck_number(
        &n, db, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'sqlite %'", err);
    if (!st) snprintf(name, 32, "sqlite %lld", (long long)n);
    return st;
}

florin_status fl_sqlite_copy_table(fl_sqlite_copy *out, fl_duck *db, const char *path,
                                   const char *table, bool largest, florin_error *err)
{
    memset(out, 0, sizeof *out);
    fl_sqlite *f = NULL;
    fl_sqlite_rows *r = NULL;
    column *list = NULL;
    uint32_t at = 0, columns = 0;
    char name[32] = "";
    florin_status st = fl_sqlite_open(&f, path, err);
    if (!st) st = choose(&at, out, f, table, largest, path, err);
    if (!st) st = look_through(&list, &columns, &out->rows, db, f, at, path, err);
    if (!st) st = free_name(name, db, err);
    if (!st) st = fl_sqlite_read(&r, f, at, err);
    if (!st) st = create(db, name, r, list, out, path, err);
    if (!st) st = copy_rows(db, name, r, list, out, path, err);
    if (!st) out->from = fl_asprintf("\"%s\"", name);
    if (!st && !out->from) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    fl_sqlite_rows_close(r);
    fl_sqlite_close(f);
    free(list);
    if (st) fl_sqlite_copy_free(out);
    return st;
}

void fl_sqlite_copy_free(fl_sqlite_copy *c)
{
    free(c->from);
    free(c->table);
    free(c->others);
    free(c->left_out);
    memset(c, 0, sizeof *c);
}
