/* Both tables are copied into DuckDB (join.h): the look-up, to see that its keys are unique, and the joined rows, sorted by their
 * number, since a join by itself keeps no order and rows are known by their place. */
#include "data/join.h"
#include "base/file.h"
#include <stdio.h>

static int column(const fl_relation *r, const char *name)
{
    for (uint32_t c = 0; c < r->columns; c++)
        if (!strcmp(r->name[c], name)) return (int)c;
    return -1;
}

static florin_status needs(const fl_relation *r, const char *name, const fl_schema *s,
                           const fl_source *src, const char *path, florin_error *err)
{
    if (column(r, name) >= 0) return FLORIN_OK;
    const char *near = fl_nearest(name, (const char *const *)r->name, r->columns);
    return fl_fail(err, FLORIN_EINPUT, "%s: has no column '%s' (%s line %u, join)%s%s%s", path,
                   name, s->path ? s->path : "schema", src->join.line,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static florin_status check(const fl_relation *r, const fl_relation *look, const fl_schema *s,
                           const fl_source *src, const char *path, const char *other,
                           florin_error *err)
{
    florin_status st = needs(r, src->join.on, s, src, path, err);
    if (!st) st = needs(look, src->join.key, s, src, other, err);
    for (uint32_t f = 0; f < src->join.fields && !st; f++) {
        const char *name = src->join.field[f];
        st = needs(look, name, s, src, other, err);
        if (!st && column(r, name) >= 0)
            st = fl_fail(
                err, FLORIN_EINPUT,
                "%s: has a column '%s' already, and %s is to give one of that name (%s line "
                "%u, join): rename one of them",
                path, name, other, s->path ? s->path : "schema", src->join.line);
    }
    return st;
}

/* Broken lines of the file that was just read: a copy has no place to name them. */
static florin_status no_broken(fl_duck *db, const char *path, florin_error *err)
{
    int64_t line = 0;
    if (fl_duck_number(&line, db, "SELECT CAST(min(line) AS BIGINT) FROM reject_errors", NULL))
        line = 0; /* no such table: no CSV was read */
    fl_source_forget_rejects(db);
    return line ? fl_fail(
                      err, FLORIN_EINPUT,
                      "%s: line %lld can't be read: correct it, since files that are joined must "
                      "be whole",
                      path, (long long)line)
                : FLORIN_OK;
}

static florin_status run(fl_duck *db, fl_buf *sql, const char *path, florin_error *err)
{
    florin_status st =
        sql->failed ? fl_fail(err, FLORIN_ENOMEM, "%s", path) : fl_duck_exec(db, sql->data, err);
    if (st && !sql->failed) fl_fail_prefix(err, "%s", path);
    fl_buf_free(sql);
    return st;
}

/* The look-up's key and fields as table "lookup AT". */
static florin_status copy_lookup(fl_duck *db, int64_t at, const fl_relation *look,
                                 const fl_source *src, const char *other, florin_error *err)
{
    fl_buf sql = {0};
    int64_t twice = 0;
    fl_buf_printf(&sql, "CREATE TABLE \"lookup %lld\" AS SELECT CAST(", (long long)at);
    fl_buf_quoted(&sql, '"', "raw:", src->join.key);
    fl_buf_puts(&sql, " AS VARCHAR) AS \"join key\"");
    for (uint32_t f = 0; f < src->join.fields; f++) {
        fl_buf_puts(&sql, ", ");
        fl_buf_quoted(&sql, '"', "raw:", src->join.field[f]);
        fl_buf_puts(&sql, ", ");
        fl_buf_quoted(&sql, '"', "", src->join.field[f]);
    }
    fl_buf_printf(&sql, " FROM %s", look->sql);
    florin_status st = run(db, &sql, other, err);
    if (!st) st = no_broken(db, other, err);
    char text[128];
    snprintf(text, sizeof text,
             "SELECT count(\"join key\") - count(DISTINCT \"join key\") FROM \"lookup %lld\"",
             (long long)at);
    if (!st) st = fl_duck_number(&twice, db, text, err);
    if (!st && twice)
        st = fl_fail(err, FLORIN_EINPUT,
                     "%s: %lld rows repeat a '%s' of another row: a look-up needs one row a key",
                     other, (long long)twice, src->join.key);
    return st;
}

/* The source's rows with what was found, as table "joined AT". */
static florin_status copy_rows(fl_duck *db, int64_t at, const fl_relation *r, const fl_source *src,
                               const char *path, const char *other, florin_error *err)
{
    fl_buf sql = {0};
    int64_t rows = 0, found = 0;
    char text[128];
    fl_buf_printf(
        &sql,
        "CREATE TABLE \"joined %lld\" AS SELECT * EXCLUDE (\"row number\") FROM (SELECT *, "
        "row_number() OVER () AS \"row number\" FROM %s) r LEFT JOIN \"lookup %lld\" l ON "
        "CAST(r.",
        (long long)at, r->sql, (long long)at);
    fl_buf_quoted(&sql, '"', "raw:", src->join.on);
    fl_buf_puts(&sql, " AS VARCHAR) = l.\"join key\" ORDER BY r.\"row number\"");
    florin_status st = run(db, &sql, path, err);
    if (!st) st = no_broken(db, path, err);
    snprintf(text, sizeof text, "SELECT count(*) FROM \"joined %lld\"", (long long)at);
    if (!st) st = fl_duck_number(&rows, db, text, err);
    snprintf(text, sizeof text, "SELECT count(\"join key\") FROM \"joined %lld\"", (long long)at);
    if (!st) st = fl_duck_number(&found, db, text, err);
    if (!st && rows && !found)
        st = fl_fail(err, FLORIN_EINPUT,
                     "%s: no row's '%s' stands among the '%s' of %s: are these the same keys?",
                     path, src->join.on, src->join.key, other);
    if (!st && found < rows)
        fl_say(fl_duck_context(db), FLORIN_LOG_WARN, "%s: %lld of %lld rows have no '%s' in %s",
               path, (long long)(rows - found), (long long)rows, src->join.on, other);
    return st;
}

static florin_status grow(fl_relation *r, const fl_relation *look, const fl_source *src,
                          florin_error *err)
{
    char ***list[] = {&r->name, &r->type, &r->path};
    uint32_t n = r->columns + src->join.fields;
    for (size_t i = 0; i < FL_LEN(list); i++) {
        void *p = fl_realloc(*list[i], n, sizeof **list[i]);
        if (!p) return fl_fail(err, FLORIN_ENOMEM, "join of %u columns", n);
        *list[i] = p;
    }
    for (uint32_t f = 0; f < src->join.fields; f++) {
        int c = column(look, src->join.field[f]);
        char *name = fl_strdup(look->name[c]), *type = fl_strdup(look->type[c]),
             *path = fl_strdup(look->path[c]);
        r->name[r->columns] = name;
        r->type[r->columns] = type;
        r->path[r->columns++] = path;
        if (!name || !type || !path) return fl_fail(err, FLORIN_ENOMEM, "join of %u columns", n);
    }
    return FLORIN_OK;
}

florin_status fl_join_lookup(fl_relation *r, fl_duck *db, const fl_schema *schema,
                             const fl_source *src, const char *path, florin_error *err)
{
    fl_relation look = {0};
    fl_source how = {.table = src->join.table, .header = true, .label_of = -1};
    int64_t at = 0;
    char *dir = fl_path_dir(schema->path ? schema->path : "."),
         *other = dir ? fl_path_join(dir, src->join.file) : NULL;
    free(dir);
    if (!other) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    florin_status st =
        fl_source_relation(&look, db, NULL, src->join.table ? &how : NULL, other, err);
    if (!st) st = check(r, &look, schema, src, path, other, err);
    if (!st)
        st = fl_duck_number(
            &at, db, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'lookup %'", err);
    if (!st) st = copy_lookup(db, at, &look, src, other, err);
    if (!st) st = copy_rows(db, at, r, src, path, other, err);
    if (!st) st = grow(r, &look, src, err);
    if (!st) {
        free(r->sql);
        r->sql = fl_asprintf("\"joined %lld\"", (long long)at);
        if (!r->sql) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    fl_relation_free(&look);
    free(other);
    return st;
}
