/* See the header. Invariant: no statement text ever holds a value; a file is ours by its application_id. */
#include "base/store.h"
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

struct fl_store {
    sqlite3 *db;
    char *path;
};

struct fl_query {
    fl_store *store;
    sqlite3_stmt *statement;
    int code; /* SQLITE_ROW, SQLITE_DONE or what went wrong */
};

static florin_status failed(const fl_store *s, int code, florin_error *err)
{
    const char *why = s->db ? sqlite3_errmsg(s->db) : "no memory";
    switch (code & 0xff) {
    case SQLITE_NOMEM: return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", s->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fl_fail(err, FLORIN_EFORMAT, "%s: damaged, or no file of Florin's (%s)", s->path,
                       why);
    case SQLITE_BUSY:
        return fl_fail(err, FLORIN_EIO, "%s: another process has been writing it for %d s", s->path,
                       WAIT_MS / 1000);
    case SQLITE_CONSTRAINT: return fl_fail(err, FLORIN_EINPUT, "%s: %s", s->path, why);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY: return fl_fail(err, FLORIN_EIO, "%s: %s", s->path, why);
    default: return fl_fail(err, FLORIN_EINTERNAL, "%s: SQLite says: %s", s->path, why);
    }
}

static florin_status plain(fl_store *s, const char *sql, florin_error *err)
{
    int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return code ? failed(s, code, err) : FLORIN_OK;
}

static florin_status one_number(fl_store *s, const char *sql, int64_t *out, florin_error *err)
{
    fl_query *q;
    *out = 0;
    florin_status st = fl_query_open(&q, s, err, sql, "");
    if (st) return st;
    if (fl_query_next(q)) *out = fl_query_int(q, 0);
    return fl_query_close(q, err);
}

/* Under the write lock, so that two who open a new file at once do not both begin it. */
static florin_status bring_up(fl_store *s, int64_t id, const char *const *steps, uint32_t n,
                              florin_error *err)
{
    char sql[64];
    int64_t mine = 0, version = 0, tables = 0;
    florin_status st = one_number(s, "PRAGMA application_id", &mine, err);
    if (!st) st = one_number(s, "PRAGMA user_version", &version, err);
    if (!st) st = one_number(s, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (st) return st;
    if (mine != id && (mine || version || tables))
        return fl_fail(err, FLORIN_EFORMAT, "%s: no file of this kind", s->path);
    if (version > n)
        return fl_fail(err, FLORIN_EFORMAT, "%s: written by a later version of Florin", s->path);
    if (version == n) return FLORIN_OK;
    for (int64_t i = version; i < n && !st; i++) st = plain(s, steps[i], err);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %lld", (long long)id);
    if (!st) st = plain(s, sql, err);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %u", n);
    return st ? st : plain(s, sql, err);
}

/* SQLite makes files with the mode that the umask leaves; these are nobody else's business. */
static florin_status make_file(const char *path, florin_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fl_fail(err, FLORIN_EIO, "%s: can't be opened or made for writing", path);
    close(fd);
    return FLORIN_OK;
}

florin_status fl_store_open(fl_store **out, const char *path, const char kind[4],
                            const char *const *steps, uint32_t n, florin_error *err)
{
    int64_t id = (int64_t)kind[0] << 24 | kind[1] << 16 | kind[2] << 8 | kind[3];
    *out = NULL;
    florin_status st = make_file(path, err);
    if (st) return st;
    fl_store *s = fl_calloc(1, sizeof *s);
    if (!s || !(s->path = fl_strdup(path))) {
        free(s);
        return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", path);
    }
    int code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code) st = failed(s, code, err);
    if (!st) sqlite3_busy_timeout(s->db, WAIT_MS);
    if (!st)
        st = plain(s,
                   "PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL; PRAGMA synchronous = "
                   "FULL; PRAGMA foreign_keys = ON",
                   err);
    if (!st) st = fl_store_begin(s, err);
    if (!st) st = fl_store_end(s, bring_up(s, id, steps, n, err), err);
    if (st) {
        fl_store_close(s);
        return st;
    }
    *out = s;
    return FLORIN_OK;
}

void fl_store_close(fl_store *s)
{
    if (!s) return;
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

florin_status fl_store_begin(fl_store *s, florin_error *err)
{
    return plain(s, "BEGIN IMMEDIATE", err);
}

florin_status fl_store_end(fl_store *s, florin_status st, florin_error *err)
{
    if (!st) st = plain(s, "COMMIT", err);
    if (st) (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static int bind_all(sqlite3_stmt *statement, const char *kinds, va_list ap)
{
    int code = 0;
    for (int i = 0; kinds[i] && !code; i++) {
        const void *bytes;
        switch (kinds[i]) {
        case 't':
            code = sqlite3_bind_text(statement, i + 1, va_arg(ap, const char *), -1, SQLITE_STATIC);
            break;
        case 'b':
            bytes = va_arg(ap, const void *);
            code = sqlite3_bind_blob64(statement, i + 1, bytes ? bytes : "", va_arg(ap, size_t),
                                       SQLITE_STATIC);
            break;
        case 'i': code = sqlite3_bind_int64(statement, i + 1, va_arg(ap, int64_t)); break;
        default: code = sqlite3_bind_double(statement, i + 1, va_arg(ap, double));
        }
    }
    return code;
}

static florin_status query_open(fl_query **out, fl_store *s, florin_error *err, const char *sql,
                                const char *kinds, va_list ap)
{
    *out = NULL;
    fl_query *q = fl_calloc(1, sizeof *q);
    if (!q) return fl_fail(err, FLORIN_ENOMEM, "%s: no memory", s->path);
    q->store = s;
    q->code = SQLITE_ROW;
    int code = sqlite3_prepare_v2(s->db, sql, -1, &q->statement, NULL);
    if (!code) code = bind_all(q->statement, kinds, ap);
    if (code) {
        florin_status st = failed(s, code, err);
        sqlite3_finalize(q->statement);
        free(q);
        return st;
    }
    *out = q;
    return FLORIN_OK;
}

florin_status fl_query_open(fl_query **out, fl_store *s, florin_error *err, const char *sql,
                            const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    florin_status st = query_open(out, s, err, sql, kinds, ap);
    va_end(ap);
    return st;
}

bool fl_query_next(fl_query *q)
{
    if (q->code != SQLITE_ROW) return false;
    q->code = sqlite3_step(q->statement);
    return q->code == SQLITE_ROW;
}

florin_status fl_query_close(fl_query *q, florin_error *err)
{
    if (!q) return FLORIN_OK;
    bool good = q->code == SQLITE_ROW || q->code == SQLITE_DONE;
    florin_status st = good ? FLORIN_OK : failed(q->store, q->code, err);
    sqlite3_finalize(q->statement);
    free(q);
    return st;
}

const char *fl_query_text(fl_query *q, int column)
{
    const char *s = (const char *)sqlite3_column_text(q->statement, column);
    return s ? s : "";
}

const void *fl_query_bytes(fl_query *q, int column, size_t *n)
{
    const void *p = sqlite3_column_blob(q->statement, column);
    *n = (size_t)sqlite3_column_bytes(q->statement, column);
    return p ? p : "";
}

int64_t fl_query_int(fl_query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

double fl_query_number(fl_query *q, int column)
{
    return sqlite3_column_double(q->statement, column);
}

bool fl_query_null(fl_query *q, int column)
{
    return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

florin_status fl_store_run(fl_store *s, int64_t *changed, florin_error *err, const char *sql,
                           const char *kinds, ...)
{
    fl_query *q;
    va_list ap;
    va_start(ap, kinds);
    florin_status st = query_open(&q, s, err, sql, kinds, ap);
    va_end(ap);
    if (st) return st;
    while (fl_query_next(q)) continue;
    st = fl_query_close(q, err);
    if (!st && changed) *changed = sqlite3_changes(s->db);
    return st;
}
