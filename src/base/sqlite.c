/* SQLite behind sqlite.h. A file is opened as one that nobody changes (immutable), since its folder may be read-only; so what
 * a writer left beside it (-wal, -journal) would be missed, and is refused instead. A file is nobody we trust: its schema may
 * call no function with side effects, a value has a limit. */
#include "base/sqlite.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

enum { VALUE_MAX = 64 << 20 }; /* bytes */

struct fl_sqlite {
    sqlite3 *db;
    char *path;
    char **table;
    uint32_t tables;
};

struct fl_sqlite_rows {
    const fl_sqlite *of;
    uint32_t table, columns;
    sqlite3_stmt *statement;
    uint64_t row;
    bool no_memory; /* for a text: told at the next row */
};

bool fl_sqlite_is(const void *head, size_t n)
{
    return n >= 16 && !memcmp(head, "SQLite format 3", 16);
}

static florin_status failed(const fl_sqlite *f, int code, const char *where, florin_error *err)
{
    const char *why = f->db ? sqlite3_errmsg(f->db) : "no memory";
    switch (code & 0xff) {
    case SQLITE_NOMEM: return fl_fail(err, FLORIN_ENOMEM, "%s%s: no memory", f->path, where);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fl_fail(err, FLORIN_EINPUT,
                       "%s%s: the SQLite file is damaged or cut off (%s): copy it again, or rescue "
                       "what there is with `sqlite3 FILE .recover`",
                       f->path, where, why);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return fl_fail(err, FLORIN_EIO, "%s%s: can't be read (%s)", f->path, where, why);
    case SQLITE_TOOBIG:
        return fl_fail(err, FLORIN_EINPUT,
                       "%s%s: a value is larger than 64 MiB: store the table without it", f->path,
                       where);
    default: return fl_fail(err, FLORIN_EINPUT, "%s%s: SQLite says: %s", f->path, where, why);
    }
}

/* Has a writer left something beside the file that belongs into it? A journal whose first byte is zero is done with. */
static florin_status no_writer(const char *path, florin_error *err)
{
    static const char *const end[] = {"-wal", "-journal"};
    for (size_t i = 0; i < FL_LEN(end); i++) {
        char *beside = fl_asprintf("%s%s", path, end[i]);
        if (!beside) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
        FILE *f = fopen(beside, "rb");
        int first = f ? fgetc(f) : EOF;
        if (f) fclose(f);
        free(beside);
        if (first == EOF || (i && !first)) continue;
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: changes that belong to it still stand in %s%s: close the program that "
                       "writes it, then run `sqlite3 FILE \"PRAGMA wal_checkpoint(TRUNCATE)\"`",
                       path, path, end[i]);
    }
    return FLORIN_OK;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Are all pages there that the header counts? SQLite itself takes a part of a page for one. (Database File Format, 1.3: the
 * count at 28 holds when the change counter at 24 is the one at 92.) */
static florin_status is_whole(const char *path, florin_error *err)
{
    uint8_t h[100];
    struct stat sb;
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &sb)) {
        florin_status st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
        if (f) fclose(f);
        return st;
    }
    size_t n = fread(h, 1, sizeof h, f);
    fclose(f);
    uint64_t page = n == sizeof h ? (uint64_t)h[16] << 8 | h[17] : 0;
    if (page == 1) page = 65536;
    uint64_t pages = page ? big_endian(h + 28) : 0;
    if (page && (memcmp(h + 24, h + 92, 4) || !pages))
        pages = ((uint64_t)sb.st_size + page - 1) / page;
    if (page && (uint64_t)sb.st_size >= pages * page) return FLORIN_OK;
    return fl_fail(
        err, FLORIN_EINPUT,
        "%s: the SQLite file is damaged or cut off (%llu bytes of %llu): copy it again, or "
        "rescue what there is with `sqlite3 FILE .recover`",
        path, (unsigned long long)sb.st_size, (unsigned long long)(pages * page));
}

/* "file:/PATH?immutable=1"; NULL: no such file, or no memory. */
static char *address(const char *path)
{
    char full[PATH_MAX];
    fl_buf b = {0};
    if (!realpath(path, full)) return NULL;
    fl_buf_puts(&b, "file:");
    for (const char *p = full; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("/._-", *p)) fl_buf_add(&b, p, 1);
        else fl_buf_printf(&b, "%%%02x", (unsigned)(unsigned char)*p);
    }
    fl_buf_puts(&b, "?immutable=1");
    if (b.failed) fl_buf_free(&b);
    return b.data;
}

static florin_status prepare(sqlite3_stmt **out, const fl_sqlite *f, const char *sql,
                             florin_error *err)
{
    *out = NULL;
    if (!sql) return fl_fail(err, FLORIN_ENOMEM, "%s", f->path);
    int code = sqlite3_prepare_v2(f->db, sql, -1, out, NULL);
    return code ? failed(f, code, "", err) : FLORIN_OK;
}

static florin_status list_tables(fl_sqlite *f, florin_error *err)
{
    sqlite3_stmt *s;
    size_t cap = 0;
    int code = SQLITE_OK;
    florin_status st = prepare(&s, f,
                               "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > "
                               "0 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
                               err);
    while (!st && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(s, 0);
        void *list = f->table;
        bool ok = name && fl_grow(&list, &cap, f->tables + 1, sizeof *f->table);
        if (ok) {
            f->table = list;
            f->table[f->tables] = fl_strdup(name);
            ok = f->table[f->tables++] != NULL;
        }
        if (!ok) st = fl_fail(err, FLORIN_ENOMEM, "%s", f->path);
    }
    if (!st && code != SQLITE_DONE) st = failed(f, code, "", err);
    sqlite3_finalize(s);
    return st;
}

florin_status fl_sqlite_open(fl_sqlite **out, const char *path, florin_error *err)
{
    *out = NULL;
    florin_status st = is_whole(path, err);
    if (!st) st = no_writer(path, err);
    if (st) return st;
    fl_sqlite *f = fl_calloc(1, sizeof *f);
    char *uri = address(path);
    if (f) f->path = fl_strdup(path);
    if (!f || !f->path || !uri) {
        free(uri);
        fl_sqlite_close(f);
        return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    int code = sqlite3_open_v2(uri, &f->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    free(uri);
    if (!code) {
        sqlite3_extended_result_codes(f->db, 1);
        sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
        code = sqlite3_exec(f->db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    }
    st = code ? failed(f, code, "", err) : list_tables(f, err);
    if (st) fl_sqlite_close(f);
    else *out = f;
    return st;
}

void fl_sqlite_close(fl_sqlite *f)
{
    if (!f) return;
    for (uint32_t i = 0; i < f->tables; i++) free(f->table[i]);
    free(f->table);
    sqlite3_close_v2(f->db);
    free(f->path);
    free(f);
}

uint32_t fl_sqlite_tables(const fl_sqlite *f)
{
    return f->tables;
}

const char *fl_sqlite_table(const fl_sqlite *f, uint32_t i)
{
    return f->table[i];
}

/* SELECT what FROM "table", prepared. */
static florin_status select_from(sqlite3_stmt **out, const fl_sqlite *f, const char *what,
                                 uint32_t table, const char *how, florin_error *err)
{
    fl_buf sql = {0};
    fl_buf_printf(&sql, "SELECT %s FROM \"", what);
    for (const char *p = f->table[table]; *p; p++) {
        if (*p == '"') fl_buf_puts(&sql, "\"");
        fl_buf_add(&sql, p, 1);
    }
    fl_buf_printf(&sql, "\"%s", how);
    florin_status st = prepare(out, f, sql.failed ? NULL : sql.data, err);
    fl_buf_free(&sql);
    return st;
}

florin_status fl_sqlite_count(const fl_sqlite *f, uint32_t i, uint64_t *rows, florin_error *err)
{
    sqlite3_stmt *s;
    char where[128];
    *rows = 0;
    florin_status st = select_from(&s, f, "count(*)", i, "", err);
    int code = st ? SQLITE_ROW : sqlite3_step(s);
    snprintf(where, sizeof where, ": table '%.64s'", f->table[i]);
    if (!st && code != SQLITE_ROW) st = failed(f, code, where, err);
    if (!st) *rows = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return st;
}

florin_status fl_sqlite_read(fl_sqlite_rows **out, fl_sqlite *f, uint32_t table, florin_error *err)
{
    *out = NULL;
    fl_sqlite_rows *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "%s", f->path);
    r->of = f;
    r->table = table;
    /* Not from an index that happens to hold all columns: its order is another one. */
    florin_status st = select_from(&r->statement, f, "*", table, " NOT INDEXED", err);
    if (!st) r->columns = (uint32_t)sqlite3_column_count(r->statement);
    if (st) fl_sqlite_rows_close(r);
    else *out = r;
    return st;
}

void fl_sqlite_rows_close(fl_sqlite_rows *r)
{
    if (!r) return;
    sqlite3_finalize(r->statement);
    free(r);
}

uint32_t fl_sqlite_columns(const fl_sqlite_rows *r)
{
    return r->columns;
}

const char *fl_sqlite_column(const fl_sqlite_rows *r, uint32_t c)
{
    const char *name = sqlite3_column_name(r->statement, (int)c);
    return name ? name : "";
}

florin_status fl_sqlite_next(fl_sqlite_rows *r, bool *more, florin_error *err)
{
    char where[160];
    int code = r->no_memory ? SQLITE_NOMEM : sqlite3_step(r->statement);
    r->row++;
    *more = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE) return FLORIN_OK;
    snprintf(where, sizeof where, ": table '%.64s', row %llu", r->of->table[r->table],
             (unsigned long long)r->row);
    return failed(r->of, code, where, err);
}

fl_sqlite_cell fl_sqlite_value(fl_sqlite_rows *r, uint32_t c)
{
    fl_sqlite_cell v = {0};
    switch (sqlite3_column_type(r->statement, (int)c)) {
    case SQLITE_INTEGER:
        v.type = FL_SQLITE_INT;
        v.whole = sqlite3_column_int64(r->statement, (int)c);
        break;
    case SQLITE_FLOAT:
        v.type = FL_SQLITE_REAL;
        v.real = sqlite3_column_double(r->statement, (int)c);
        break;
    case SQLITE_TEXT:
        v.type = FL_SQLITE_TEXT;
        v.text = (const char *)sqlite3_column_text(r->statement, (int)c);
        v.len = (size_t)sqlite3_column_bytes(r->statement, (int)c);
        if (!v.text) r->no_memory = true, v.text = "", v.len = 0;
        break;
    case SQLITE_BLOB: v.type = FL_SQLITE_BLOB; break;
    default: break;
    }
    return v;
}
