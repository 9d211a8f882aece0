/* One relation per file (source.h). A small look at the file's first bytes decides what DuckDB's sniffer does not:
 * runs of blanks, CR line ends, encodings, and whether this is a table at all. */
#include "data/source.h"
#include "base/file.h"
#include "base/sqlite.h"
#include "data/join.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_BYTES = 65536, COLUMNS_MAX = 4096 };

typedef enum { TABLE_CSV, TABLE_BLANKS, TABLE_PARQUET, TABLE_JSON, TABLE_SQLITE } table_kind;

typedef struct {
    table_kind kind;
    bool cr;              /* lines end in a lone carriage return */
    bool padded;          /* CSV whose rows may end early: missing cells are NULL */
    bool lines;           /* JSON: one object a line, so that a broken one costs only itself */
    const char *encoding; /* NULL: UTF-8 */
    char *head;           /* first bytes, NUL-terminated */
    size_t head_len;
    uint64_t bytes; /* of the file */
} look;

static bool has_ending(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcasecmp(path + n - m, end);
}

static florin_status read_head(look *l, const char *path, florin_error *err)
{
    struct stat sb;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
    florin_status st = FLORIN_OK;
    if (fstat(fd, &sb)) st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(sb.st_mode))
        st = fl_fail(err, FLORIN_EINPUT,
                     "%s: is a folder; name a CSV, Parquet, JSON or SQLite file", path);
    l->head = st ? NULL : fl_calloc(HEAD_BYTES + 1, 1);
    if (!st && !l->head) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    ssize_t n = st ? 0 : read(fd, l->head, HEAD_BYTES);
    if (n < 0) st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
    close(fd);
    l->head_len = n > 0 ? (size_t)n : 0;
    l->bytes = st ? 0 : (uint64_t)sb.st_size;
    if (!st && !l->head_len) st = fl_fail(err, FLORIN_EINPUT, "%s: the file is empty", path);
    return st;
}

/* Is [s, s+n) UTF-8, but for a character cut at the end? */
static bool is_utf8(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t more = s[i] < 0x80             ? 0
                      : (s[i] & 0xe0) == 0xc0 ? 1
                      : (s[i] & 0xf0) == 0xe0 ? 2
                      : (s[i] & 0xf8) == 0xf0 ? 3
                                              : 9;
        if (more == 9) return false;
        for (size_t k = 1; k <= more; k++)
            if (i + k < n && (s[i + k] & 0xc0) != 0x80) return false;
        i += more + 1;
    }
    return true;
}

static uint32_t words(const char *s, const char *end)
{
    uint32_t n = 0;
    bool in = false;
    for (; s < end; s++) {
        bool blank = *s == ' ' || *s == '\t';
        n += !blank && !in;
        in = !blank;
    }
    return n;
}

/* Columns separated by runs of blanks: no other separator in the first lines, and the same count of words in each. */
static bool is_blanks(const look *l)
{
    const char *p = l->head, *stop = l->head + l->head_len;
    uint32_t want = 0, lines = 0;
    bool run = false;
    while (p < stop && lines < 20) {
        const char *end = memchr(p, l->cr ? '\r' : '\n', (size_t)(stop - p));
        if (!end) break;
        for (const char *q = p; q < end; q++) {
            if (strchr(",;|\t\"", *q)) return false;
            run |= *q == ' ' && q + 1 < end && q[1] == ' ';
        }
        uint32_t n = words(p, end[-1] == '\r' && end > p ? end - 1 : end);
        if (!want) want = n;
        if (n != want) return false;
        lines++;
        p = end + 1;
    }
    return lines >= 2 && want >= 2 && run;
}

/* Does the first line hold one whole object? */
static bool is_json_lines(const look *l)
{
    const char *p = l->head, *stop = l->head + l->head_len;
    int depth = 0;
    bool quoted = false;
    if (l->head_len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3;
    while (p < stop && isspace((unsigned char)*p)) p++;
    if (p == stop || *p != '{') return false;
    for (; p < stop && *p != '\n'; p++) {
        if (quoted && *p == '\\') p++;
        else if (*p == '"') quoted = !quoted;
        else if (!quoted && (*p == '{' || *p == '[')) depth++;
        else if (!quoted && (*p == '}' || *p == ']')) depth--;
        if (!depth) return true;
    }
    return false;
}

/* A packed SQLite file, by its name: packed, it does not show what it is. */
static bool is_packed_sqlite(const char *path)
{
    static const char *const end[] = {".sqlite", ".sqlite3", ".db", ".db3"};
    bool is = false;
    for (size_t i = 0; i < FL_LEN(end); i++) {
        char *gz = fl_asprintf("%s.gz", end[i]), *zst = fl_asprintf("%s.zst", end[i]);
        is = is || (gz && has_ending(path, gz)) || (zst && has_ending(path, zst));
        free(gz);
        free(zst);
    }
    return is;
}

static florin_status look_at(look *l, const fl_source *src, const char *path, florin_error *err)
{
    memset(l, 0, sizeof *l);
    florin_status st = read_head(l, path, err);
    if (st) return st;
    const uint8_t *b = (const uint8_t *)l->head;
    size_t n = l->head_len;
    bool packed = has_ending(path, ".gz") || has_ending(path, ".zst");
    if (fl_sqlite_is(b, n)) {
        l->kind = TABLE_SQLITE;
        return FLORIN_OK;
    }
    if (is_packed_sqlite(path))
        return fl_fail(
            err, FLORIN_EINPUT,
            "%s: a SQLite file is read where its parts lie, so not packed: unpack it first "
            "(zstd -d or gunzip)",
            path);
    if (src && src->table)
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: no SQLite file, so it has no table '%s': leave the table out", path,
                       src->table);
    if ((src && src->format && !strcmp(src->format, "parquet")) ||
        (n >= 4 && !memcmp(b, "PAR1", 4))) {
        l->kind = TABLE_PARQUET;
        return FLORIN_OK;
    }
    if ((src && src->format && !strcmp(src->format, "json")) || has_ending(path, ".json") ||
        has_ending(path, ".jsonl") || has_ending(path, ".ndjson") ||
        (!packed && !src && (*b == '{' || *b == '['))) {
        l->kind = TABLE_JSON;
        l->lines = is_json_lines(l);
        return FLORIN_OK;
    }
    l->kind = TABLE_CSV;
    if (packed) return FLORIN_OK;
    if (n >= 2 && ((b[0] == 0xff && b[1] == 0xfe) || (b[0] == 0xfe && b[1] == 0xff))) {
        l->encoding = "utf-16";
        return FLORIN_OK;
    }
    if (memchr(b, 0, n))
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: binary data; name a CSV, Parquet, JSON or SQLite file", path);
    if (!is_utf8(b, n)) l->encoding = "latin-1";
    l->cr = memchr(b, '\r', n) && !memchr(b, '\n', n);
    bool blanks = src && src->delimiter ? !strcmp(src->delimiter, "space") : is_blanks(l);
    if (blanks) l->kind = TABLE_BLANKS;
    return FLORIN_OK;
}

/* read_csv(...) with what is known; text: every column as it stands. DuckDB can't pad rows and read quoted line ends on
 * several threads at once, so rows are padded only where the table needs it. */
static void csv_arguments(fl_buf *b, const look *l, const fl_source *src, const char *path,
                          bool text)
{
    fl_buf_quoted(b, '\'', "", path);
    fl_buf_puts(b, text ? ", all_varchar=true, store_rejects=true, rejects_limit=100000"
                        : ", sample_size=50000, ignore_errors=true");
    if (l->padded) fl_buf_puts(b, ", null_padding=true, parallel=false");
    fl_buf_puts(b, ", max_line_size=2097152, buffer_size=2097152");
    if (src) fl_buf_printf(b, ", header=%s", src->header ? "true" : "false");
    if (src && src->delimiter) {
        fl_buf_puts(b, ", delim=");
        fl_buf_quoted(b, '\'', "", !strcmp(src->delimiter, "tab") ? "\t" : src->delimiter);
    }
    if (l->cr) fl_buf_puts(b, ", new_line='\\r'");
    if (l->encoding) fl_buf_printf(b, ", encoding='%s'", l->encoding);
}

static void csv_call(fl_buf *b, const look *l, const fl_source *src, const char *path, bool text)
{
    fl_buf_puts(b, "read_csv(");
    csv_arguments(b, l, src, path, text);
    fl_buf_puts(b, ")");
}

/* Times stay the text that they are: DuckDB would drop what is said of their zone. */
static void json_call(fl_buf *b, const look *l, const char *path)
{
    fl_buf_puts(b, "read_json_auto(");
    fl_buf_quoted(b, '\'', "", path);
    fl_buf_puts(b, ", timestampformat='%Y#%m', dateformat='%Y#', sample_size=200000");
    if (l->lines) fl_buf_puts(b, ", format='newline_delimited', ignore_errors=true");
    fl_buf_puts(b, ")");
}

static bool add_column(fl_relation *r, size_t cap[3], char *name, char *type, char *path)
{
    void *a = r->name, *t = r->type, *p = r->path;
    bool ok = name && type && path && fl_grow(&a, &cap[0], r->columns + 1, sizeof *r->name);
    if (ok) r->name = a;
    ok = ok && fl_grow(&t, &cap[1], r->columns + 1, sizeof *r->type);
    if (ok) r->type = t;
    ok = ok && fl_grow(&p, &cap[2], r->columns + 1, sizeof *r->path);
    if (ok) r->path = p;
    if (!ok) {
        free(name);
        free(type);
        free(path);
        return false;
    }
    r->name[r->columns] = name;
    r->type[r->columns] = type;
    r->path[r->columns++] = path;
    return true;
}

static char *quoted_copy(const char *s, char quote)
{
    fl_buf b = {0};
    fl_buf_quoted(&b, quote, "", s);
    return b.failed ? fl_buf_free(&b), NULL : b.data;
}

static florin_status describe(fl_relation *r, size_t cap[3], fl_duck *db, const char *from,
                              const char *path, florin_error *err)
{
    fl_duck_result *q = NULL;
    char *sql =
        fl_asprintf("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM %s)", from);
    if (!sql) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    florin_status st = fl_duck_query(&q, db, sql, false, err);
    if (st) fl_fail_prefix(err, "%s", path);
    uint64_t rows = 0;
    while (!st && !(st = fl_duck_next(q, &rows, err)) && rows)
        for (uint64_t i = 0; i < rows && !st; i++) {
            size_t n, m;
            const char *name = fl_duck_text(q, 0, i, &n), *type = fl_duck_text(q, 1, i, &m);
            char *own = fl_strndup(name, n);
            if (!add_column(r, cap, own, fl_strndup(type, m), own ? quoted_copy(own, '"') : NULL))
                st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
        }
    fl_duck_result_free(q);
    free(sql);
    return st;
}

/* Past a name or type in DuckDB's text of a structure: to the comma or bracket that ends it. */
static const char *type_end(const char *p)
{
    int depth = 0;
    for (char quote = 0; *p; p++) {
        if (quote) quote = *p == quote ? 0 : quote;
        else if (*p == '"' || *p == '\'') quote = *p;
        else if (*p == '(') depth++;
        else if (*p == ')' && depth-- == 0) return p;
        else if (*p == ',' && depth == 0) return p;
    }
    return p;
}

/* One field "name TYPE" of a structure, as a column of its own. */
static bool add_field(fl_relation *r, size_t cap[3], uint32_t outer, const char *p, const char *end)
{
    fl_buf name = {0};
    if (*p == '"') {
        for (p++; p < end && (*p != '"' || p[1] == '"'); p++) {
            if (*p == '"') p++;
            fl_buf_add(&name, p, 1);
        }
        p++;
    } else {
        while (p < end && *p != ' ') fl_buf_add(&name, p++, 1);
    }
    while (p < end && *p == ' ') p++;
    char *key = name.data ? quoted_copy(name.data, '\'') : NULL;
    bool ok = !name.failed && key &&
              add_column(r, cap, fl_asprintf("%s.%s", r->name[outer], name.data),
                         fl_strndup(p, (size_t)(end - p)),
                         fl_asprintf("struct_extract(%s, %s)", r->path[outer], key));
    free(key);
    fl_buf_free(&name);
    return ok;
}

/* Replace every column that is a structure by its fields, which stand at the end. */
static florin_status flatten(fl_relation *r, size_t cap[3], const char *path, florin_error *err)
{
    for (uint32_t c = 0; c < r->columns && r->columns < COLUMNS_MAX;) {
        const char *t = r->type[c];
        if (strncmp(t, "STRUCT(", 7) || t[strlen(t) - 1] != ')') {
            c++;
            continue;
        }
        for (const char *p = t + 7; *p && *p != ')';) {
            const char *end = type_end(p);
            if (!add_field(r, cap, c, p, end)) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
            p = end + (*end == ',') + (*end == ',' && end[1] == ' ');
        }
        free(r->name[c]);
        free(r->type[c]);
        free(r->path[c]);
        r->columns--;
        for (uint32_t k = c; k < r->columns; k++) {
            r->name[k] = r->name[k + 1];
            r->type[k] = r->type[k + 1];
            r->path[k] = r->path[k + 1];
        }
    }
    return FLORIN_OK;
}

/* Typed columns from text: what does not fit is NULL, as source.h promises. */
static void select_columns(fl_buf *b, const fl_relation *r, bool text)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        fl_buf_printf(b, "%s%s", c ? ", " : "", r->path[c]);
        char *raw = fl_asprintf("raw:%s", r->name[c]);
        fl_buf_puts(b, " AS ");
        fl_buf_quoted(b, '"', "", raw ? raw : "");
        free(raw);
        if (text && strcmp(r->type[c], "VARCHAR")) {
            fl_buf_printf(b, ", TRY_CAST(%s AS %s)", r->path[c], r->type[c]);
        } else {
            fl_buf_printf(b, ", %s", r->path[c]);
        }
        fl_buf_puts(b, " AS ");
        fl_buf_quoted(b, '"', "", r->name[c]);
    }
}

/* Words of the first line as names, or c1, c2 ... without a header. */
static florin_status blank_names(fl_relation *r, const look *l, const fl_source *src,
                                 const char *path, florin_error *err)
{
    size_t cap[3] = {0};
    const char *p = l->head, *stop = l->head + l->head_len;
    if (l->head_len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3;
    const char *end = memchr(p, l->cr ? '\r' : '\n', (size_t)(stop - p));
    if (!end) end = stop;
    bool header = src ? src->header : true;
    for (uint32_t i = 1; p < end;) {
        while (p < end && isspace((unsigned char)*p)) p++;
        const char *w = p;
        while (p < end && !isspace((unsigned char)*p)) p++;
        if (p == w) break;
        char *name = header ? fl_strndup(w, (size_t)(p - w)) : fl_asprintf("c%u", i);
        i++;
        if (!add_column(r, cap, name, fl_strdup("VARCHAR"), name ? quoted_copy(name, '"') : NULL))
            return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    return FLORIN_OK;
}

/* Each line as one text, split at runs of blanks; types are then sniffed from the values. */
static florin_status blanks_relation(fl_relation *r, fl_duck *db, const look *l,
                                     const fl_source *src, const char *path, florin_error *err)
{
    florin_status st = blank_names(r, l, src, path, err);
    if (st) return st;
    fl_buf inner = {0};
    fl_buf_puts(&inner, "(SELECT ");
    for (uint32_t c = 0; c < r->columns; c++) {
        fl_buf_printf(&inner, "%sw[%u] AS ", c ? ", " : "", c + 1);
        fl_buf_quoted(&inner, '"', "", r->name[c]);
    }
    fl_buf_puts(&inner, " FROM (SELECT string_split_regex(trim(line), '\\s+') AS w FROM read_csv(");
    fl_buf_quoted(&inner, '\'', "", path);
    fl_buf_printf(&inner,
                  ", columns={'line':'VARCHAR'}, auto_detect=false, delim='\\x01', quote='', "
                  "escape='', header=false, skip=%d%s)))",
                  (src ? src->header : true) ? 1 : 0, l->cr ? ", new_line='\\r'" : "");
    for (uint32_t c = 0; c < r->columns && !st && !inner.failed; c++) {
        fl_buf q = {0};
        fl_duck_result *res = NULL;
        uint64_t rows = 0;
        fl_buf_puts(&q, "SELECT count(*) FILTER (x IS NOT NULL), count(TRY_CAST(x AS BIGINT)), "
                        "count(TRY_CAST(x AS DOUBLE)) FROM (SELECT ");
        fl_buf_quoted(&q, '"', "", r->name[c]);
        fl_buf_printf(&q, " AS x FROM %s LIMIT 20000)", inner.data);
        st = q.failed ? fl_fail(err, FLORIN_ENOMEM, "%s", path)
                      : fl_duck_query(&res, db, q.data, false, err);
        if (!st) st = fl_duck_next(res, &rows, err);
        if (!st && rows) {
            int64_t n = *(const int64_t *)fl_duck_data(res, 0),
                    i = *(const int64_t *)fl_duck_data(res, 1),
                    d = *(const int64_t *)fl_duck_data(res, 2);
            const char *type = n && i == n ? "BIGINT" : n && d == n ? "DOUBLE" : "VARCHAR";
            free(r->type[c]);
            r->type[c] = fl_strdup(type);
            if (!r->type[c]) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
        }
        fl_duck_result_free(res);
        fl_buf_free(&q);
    }
    fl_buf out = {0};
    fl_buf_puts(&out, "(SELECT ");
    select_columns(&out, r, true);
    fl_buf_printf(&out, " FROM %s)", inner.data ? inner.data : "");
    if (!st && (inner.failed || out.failed)) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    fl_buf_free(&inner);
    r->sql = out.data;
    return st;
}

/* Does the strict reader find rows that end early, or not even the columns that the patient one finds? */
static bool needs_padding(fl_duck *db, const look *l, const fl_source *src, const fl_relation *r,
                          const char *path)
{
    fl_relation strict = {0};
    fl_buf from = {0}, sql = {0};
    size_t cap[3] = {0};
    look plain = *l;
    uint64_t rows = 0;
    plain.padded = false;
    csv_call(&from, &plain, src, path, true);
    bool needs = from.failed || describe(&strict, cap, db, from.data, path, NULL) ||
                 strict.columns != r->columns;
    for (uint32_t c = 0; !needs && c < r->columns; c++) needs = strcmp(strict.name[c], r->name[c]);
    fl_buf_printf(&sql, "CREATE OR REPLACE TEMP TABLE glance AS SELECT * FROM %s LIMIT 20000",
                  from.data ? from.data : "");
    if (!needs) needs = sql.failed || fl_duck_exec(db, sql.data, NULL);
    fl_duck_result *q = NULL;
    if (!needs && !fl_duck_query(&q, db,
                                 "SELECT 1 FROM reject_errors WHERE CAST(error_type AS VARCHAR) = "
                                 "'MISSING COLUMNS' LIMIT 1",
                                 false, NULL))
        needs = fl_duck_next(q, &rows, NULL) || rows;
    fl_duck_result_free(q);
    fl_source_forget_rejects(db);
    if (fl_duck_exec(db, "DROP TABLE IF EXISTS glance", NULL)) needs = true;
    fl_relation_free(&strict);
    fl_buf_free(&from);
    fl_buf_free(&sql);
    return needs;
}

void fl_source_forget_rejects(fl_duck *db)
{
    static const char *const drop[] = {"DROP TABLE IF EXISTS reject_errors",
                                       "DROP TABLE IF EXISTS reject_scans"};
    for (size_t i = 0; i < FL_LEN(drop); i++)
        if (fl_duck_exec(db, drop[i], NULL)) return; /* none there: no CSV was read yet */
}

static florin_status file_relation(fl_relation *r, fl_duck *db, look *l, const fl_source *src,
                                   const char *path, florin_error *err)
{
    fl_buf from = {0}, out = {0};
    size_t cap[3] = {0};
    florin_status st = FLORIN_OK;
    r->text = l->kind == TABLE_CSV;
    if (l->kind == TABLE_SQLITE) {
        st = fl_sqlite_copy_table(&r->sqlite, db, path, src ? src->table : NULL, !src, err);
        if (!st) fl_buf_puts(&from, r->sqlite.from);
        if (!st && !from.failed) st = describe(r, cap, db, from.data, path, err);
    } else if (l->kind == TABLE_CSV) {
        l->padded = true;
        csv_call(&from, l, src, path, false);
        st = from.failed ? FLORIN_OK : describe(r, cap, db, from.data, path, err);
        if (!st) l->padded = needs_padding(db, l, src, r, path);
        from.len = 0;
        csv_call(&from, l, src, path, true);
    } else {
        if (l->kind == TABLE_JSON) json_call(&from, l, path);
        else {
            fl_buf_puts(&from, "read_parquet(");
            fl_buf_quoted(&from, '\'', "", path);
            fl_buf_puts(&from, ")");
        }
        st = from.failed ? FLORIN_OK : describe(r, cap, db, from.data, path, err);
        if (!st) st = flatten(r, cap, path, err);
    }
    fl_buf_puts(&out, "(SELECT ");
    select_columns(&out, r, r->text);
    fl_buf_printf(&out, " FROM %s)", from.data ? from.data : "");
    if (!st && (from.failed || out.failed)) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    fl_buf_free(&from);
    r->sql = out.data;
    return st;
}

/* Why a column of a SQLite table was left out, to the end of the line; NULL: it was not. */
static const char *left_out(const fl_relation *r, const char *column)
{
    size_t n = strlen(column);
    for (const char *p = r->sqlite.left_out; p && *p; p += strcspn(p, "\n") + 1)
        if (!strncmp(p, column, n) && !strncmp(p + n, ": ", 2)) return p + n + 2;
    return NULL;
}

static florin_status check_expr(const fl_relation *r, const fl_schema *schema, const fl_expr *e,
                                const char *path, florin_error *err)
{
    for (uint32_t i = 0; e->sql && e->columns && e->columns[i]; i++) {
        bool found = false;
        for (uint32_t c = 0; c < r->columns; c++) found |= !strcmp(r->name[c], e->columns[i]);
        if (found) continue;
        const char *why = left_out(r, e->columns[i]);
        if (why)
            return fl_fail(err, FLORIN_EINPUT,
                           "%s: column '%s' (%s line %u) can't be used: %.*s; leave it out of the "
                           "schema, or store it as text in UTF-8",
                           path, e->columns[i], schema->path ? schema->path : "schema", e->line,
                           (int)strcspn(why, "\n"), why);
        const char *near = fl_nearest(e->columns[i], (const char *const *)r->name, r->columns);
        fl_buf all = {0};
        for (uint32_t c = 0; c < r->columns && all.len < 400; c++)
            fl_buf_printf(&all, "%s%s", c ? ", " : "", r->name[c]);
        florin_status st =
            fl_fail(err, FLORIN_EINPUT, "%s: has no column '%s' (%s line %u)%s%s%s; it has: %s",
                    path, e->columns[i], schema->path ? schema->path : "schema", e->line,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                    all.data ? all.data : "none");
        fl_buf_free(&all);
        return st;
    }
    return FLORIN_OK;
}

static florin_status check_columns(const fl_relation *r, const fl_schema *s, const fl_source *src,
                                   const char *path, florin_error *err)
{
    const fl_expr *one[] = {&src->id,       &src->time, &src->amount,
                            &src->currency, &src->of,   &src->of_value};
    florin_status st = FLORIN_OK;
    for (size_t i = 0; i < FL_LEN(one) && !st; i++) st = check_expr(r, s, one[i], path, err);
    for (uint32_t k = 0; k < s->kinds && !st; k++)
        st = check_expr(r, s, &src->entity[k], path, err);
    for (uint32_t f = 0; f < s->categories && !st; f++)
        st = check_expr(r, s, &src->category[f], path, err);
    for (uint32_t f = 0; f < s->numbers && !st; f++)
        st = check_expr(r, s, &src->number[f], path, err);
    for (uint32_t f = 0; f < s->marks && !st; f++) st = check_expr(r, s, &src->mark[f], path, err);
    for (uint32_t f = 0; f < s->labels && !st; f++) {
        st = check_expr(r, s, &src->label[f].value, path, err);
        if (!st) st = check_expr(r, s, &src->label[f].arrival, path, err);
    }
    return st;
}

/* A file of Parquet says it, a text's first lines let it be guessed. */
static uint64_t count_rows(const look *l, fl_duck *db, const char *path)
{
    size_t lines = 0;
    if (l->kind == TABLE_PARQUET) {
        fl_duck_result *q = NULL;
        fl_buf sql = {0};
        uint64_t rows = 0, n = 0;
        fl_buf_puts(&sql, "SELECT CAST(sum(num_rows) AS UBIGINT) FROM parquet_file_metadata(");
        fl_buf_quoted(&sql, '\'', "", path);
        fl_buf_puts(&sql, ")");
        if (!sql.failed && !fl_duck_query(&q, db, sql.data, false, NULL) &&
            !fl_duck_next(q, &rows, NULL) && rows && !fl_duck_null(q, 0, 0))
            n = *(const uint64_t *)fl_duck_data(q, 0);
        fl_duck_result_free(q);
        fl_buf_free(&sql);
        return n;
    }
    if (has_ending(path, ".gz") || has_ending(path, ".zst")) return 0;
    for (size_t i = 0; i < l->head_len; i++) lines += l->head[i] == (l->cr ? '\r' : '\n');
    return lines < 2 ? 0 : l->bytes / (l->head_len / lines);
}

florin_status fl_source_relation(fl_relation *out, fl_duck *db, const fl_schema *schema,
                                 const fl_source *src, const char *path, florin_error *err)
{
    memset(out, 0, sizeof *out);
    look l;
    florin_status st = look_at(&l, src, path, err);
    if (!st)
        st = l.kind == TABLE_BLANKS ? blanks_relation(out, db, &l, src, path, err)
                                    : file_relation(out, db, &l, src, path, err);
    out->header = src ? src->header : out->columns && strcmp(out->name[0], "column0") != 0;
    out->first = (l.kind == TABLE_CSV || l.kind == TABLE_BLANKS) && out->header ? 2 : 1;
    if (!st && src && schema && src->join.file)
        st = fl_join_lookup(out, db, schema, src, path, err);
    if (!st && src && schema) st = check_columns(out, schema, src, path, err);
    if (!st) out->rows = l.kind == TABLE_SQLITE ? out->sqlite.rows : count_rows(&l, db, path);
    free(l.head);
    if (st) fl_relation_free(out);
    return st;
}

florin_status fl_source_look(fl_source_head *out, const fl_source *src, const char *path,
                             florin_error *err)
{
    look l;
    fl_buf call = {0};
    memset(out, 0, sizeof *out);
    florin_status st = look_at(&l, src, path, err);
    bool packed = has_ending(path, ".gz") || has_ending(path, ".zst");
    bool mark = !st && l.head_len >= 3 && !memcmp(l.head, "\xef\xbb\xbf", 3);
    bool joined = src && src->join.file;
    if (!st && !joined && l.kind == TABLE_CSV && !packed && !l.cr && !l.encoding && !mark) {
        csv_arguments(&call, &l, src, path, true);
        if (call.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    out->head = l.head;
    out->head_len = l.head_len;
    out->bytes = l.bytes;
    out->csv_call = call.data;
    if (st) fl_source_head_free(out);
    return st;
}

void fl_source_head_free(fl_source_head *h)
{
    free(h->head);
    free(h->csv_call);
    memset(h, 0, sizeof *h);
}

void fl_relation_free(fl_relation *r)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        free(r->name[c]);
        free(r->type[c]);
        free(r->path[c]);
    }
    free(r->path);
    free(r->name);
    free(r->type);
    free(r->sql);
    fl_sqlite_copy_free(&r->sqlite);
    memset(r, 0, sizeof *r);
}
