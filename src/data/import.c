/* Import. Every source becomes one SELECT (import_sql.c), whose rows are decoded (import_rows.c) and stored
 * (import_run.c). Small inputs are streamed in file order and sorted by the log writer; past the memory option all event
 * sources are one UNION that DuckDB sorts by time on disk. Invariant: the log changes at the commit or not at all. */
#include "data/import.h"
#include "base/file.h"
#include "data/import_parts.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MEMORY_PER_BYTE = 5, /* of a table as text, while its rows wait to be sorted */
    PACKED = 4,          /* bytes of text in one of Parquet */
    DUCK_MEMORY_MIN = 64 << 20,
    THREADS_MEMORY = 512 << 20
};

/* ---- the run ---- */

static florin_status stream_sources(fl_importer *m, bool labels)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < m->schema->sources && !st; i++) {
        if (!m->path[i] || (m->schema->source[i].label_of >= 0) != labels) continue;
        fl_buf sql = {0};
        fl_select_columns columns;
        const char *name = m->schema->source[i].name;
        if (!m->plain[i]) fl_import_select(&sql, &columns, m, i, false);
        if (sql.failed) st = fl_fail(m->err, FLORIN_ENOMEM, "import");
        else if (m->plain[i]) st = fl_import_run(m, NULL, &m->plain_columns[i], (int)i, name);
        else st = fl_import_blame(m, i, fl_import_run(m, sql.data, &columns, (int)i, name));
        if (st == FLORIN_EINPUT || st == FLORIN_EIO) {
            if (!m->err || strncmp(m->err->message, m->path[i], strlen(m->path[i])))
                fl_fail_prefix(m->err, "%s", m->path[i]);
        }
        if (!st) st = fl_rejects_settle(m, i, i + 1);
        fl_buf_free(&sql);
    }
    return st;
}

static florin_status sorted_sources(fl_importer *m)
{
    fl_buf sql = {0};
    fl_select_columns columns; /* the same of all sources */
    fl_buf_puts(&sql, "SELECT * FROM (");
    bool first = true;
    for (uint32_t i = 0; i < m->schema->sources; i++) {
        if (!m->path[i] || m->schema->source[i].label_of >= 0) continue;
        fl_buf_puts(&sql, first ? "(" : " UNION ALL (");
        fl_import_select(&sql, &columns, m, i, true);
        fl_buf_puts(&sql, ")");
        first = false;
    }
    if (!first)
        fl_buf_printf(&sql, ") AS t ORDER BY %u NULLS FIRST, %u, %u", columns.time.at + 1u,
                      columns.source + 1u, columns.row + 1u);
    florin_status st = FLORIN_OK;
    if (!first)
        st = sql.failed ? fl_fail(m->err, FLORIN_ENOMEM, "import")
                        : fl_import_run(m, sql.data, &columns, -1, "sorting on disk");
    for (uint32_t i = 0; i < m->schema->sources && st == FLORIN_EINPUT; i++)
        if (m->path[i] && m->schema->source[i].label_of < 0 &&
            (!m->err || !strstr(m->err->message, ": field ")))
            st = fl_import_blame(m, i, st);
    if (!st) st = fl_rejects_settle(m, 0, m->schema->sources);
    fl_buf_free(&sql);
    return st;
}

/* Which file each source reads: named by the caller, or the schema's own beside it. */
static florin_status find_files(fl_importer *m)
{
    const fl_schema *s = m->schema;
    for (uint32_t i = 0; i < m->opt->n_files; i++) {
        const char *arg = m->opt->files[i], *eq = strchr(arg, '=');
        int source = 0;
        if (eq) {
            char name[FL_NAME_MAX] = {0};
            if ((size_t)(eq - arg) < sizeof name) memcpy(name, arg, (size_t)(eq - arg));
            source = fl_schema_source(s, name);
            if (source < 0 && fl_file_exists(arg)) eq = NULL, source = 0;
            if (source < 0)
                return fl_fail(m->err, FLORIN_EUSAGE, "'%s': the schema has no source '%s'", arg,
                               name);
        }
        free(m->path[source]);
        m->path[source] = fl_strdup(eq ? eq + 1 : arg);
        if (!m->path[source]) return fl_fail(m->err, FLORIN_ENOMEM, "import");
    }
    for (uint32_t i = 0; i < s->sources && !m->opt->n_files; i++) {
        if (!s->source[i].file)
            return fl_fail(m->err, FLORIN_EUSAGE, "source '%s' names no file: give it as %s=FILE",
                           s->source[i].name, s->source[i].name);
        char *dir = fl_path_dir(s->path ? s->path : ".");
        m->path[i] = dir ? fl_path_join(dir, s->source[i].file) : NULL;
        free(dir);
        if (!m->path[i]) return fl_fail(m->err, FLORIN_ENOMEM, "import");
    }
    struct stat sb;
    for (uint32_t i = 0; i < s->sources; i++)
        if (m->path[i] && !stat(m->path[i], &sb)) {
            size_t n = strlen(m->path[i]);
            bool packed = n > 8 && !strcmp(m->path[i] + n - 8, ".parquet");
            m->bytes += (uint64_t)sb.st_size * (packed ? PACKED : 1);
        }
    return FLORIN_OK;
}

static florin_status check_zone(fl_importer *m)
{
    const char *zone = m->schema->time_zone;
    fl_buf sql = {0};
    if (!zone || !strcmp(zone, "UTC")) return FLORIN_OK;
    fl_buf_puts(&sql, "SELECT timezone('");
    for (const char *p = zone; *p; p++) fl_buf_printf(&sql, *p == '\'' ? "''" : "%c", *p);
    fl_buf_puts(&sql, "', TIMESTAMP '2000-01-01')");
    florin_status st = sql.failed ? FLORIN_ENOMEM : fl_duck_exec(m->db, sql.data, NULL);
    fl_buf_free(&sql);
    if (!st) return st;
    return fl_fail(m->err, FLORIN_EINPUT,
                   "%s: time_zone '%s' is unknown: name one as Europe/Berlin",
                   m->schema->path ? m->schema->path : "schema", zone);
}

/* What a sort that was killed left behind. The lock is held: nobody else is sorting here. */
static void clear_temp(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(path);
}

static florin_status open_all(fl_importer *m, bool plain)
{
    florin_status st = find_files(m);
    uint64_t memory = fl_memory(m->ctx);
    bool sort = m->opt->force_sort || m->bytes > memory / MEMORY_PER_BYTE;
    m->stats->sorted_on_disk = sort;
    char *temp = fl_path_join(m->opt->log, "tmp");
    char *rejects =
        m->opt->rejects ? fl_strdup(m->opt->rejects) : fl_path_join(m->opt->log, "rejects.csv");
    if (!st && (!temp || !rejects)) st = fl_fail(m->err, FLORIN_ENOMEM, "import");
    if (!st) st = fl_rejects_open(&m->rejects, rejects, m->err);
    fl_duck_options duck = {.memory_bytes = sort ? memory / 2 : memory, .temp_dir = temp};
    if (duck.memory_bytes < DUCK_MEMORY_MIN) duck.memory_bytes = DUCK_MEMORY_MIN;
    if (sort && memory < THREADS_MEMORY) duck.threads = 1; /* each keeps buffers of its own */
    if (!st) st = fl_duck_open(&m->db, &duck, m->ctx, m->err);
    if (!st) st = fl_moments_open(&m->moments, m->db, m->schema, m->err);
    if (!st) st = check_zone(m);
    for (uint32_t i = 0; i < m->schema->sources && !st; i++) {
        if (!m->path[i]) continue;
        if (plain && !sort) st = fl_import_plain(m, i);
        m->stats->plain += m->plain[i] != NULL;
        if (!st && !m->plain[i])
            st = fl_source_relation(&m->relation[i], m->db, m->schema, &m->schema->source[i],
                                    m->path[i], m->err);
    }
    /* The log is touched only when all files have been looked at. */
    if (!st)
        st = fl_log_writer_open(&m->w, m->opt->log, m->schema, sort, !m->opt->no_ids, m->ctx,
                                m->err);
    uint64_t rows = 0;
    for (uint32_t i = 0; i < m->schema->sources && !st; i++)
        if (m->path[i] && m->schema->source[i].label_of < 0) rows += m->relation[i].rows;
    if (!st) fl_log_writer_expect(m->w, rows);
    if (!st) clear_temp(temp);
    free(rejects);
    free(temp);
    return st;
}

static void close_all(fl_importer *m)
{
    for (uint32_t i = 0; i < FL_SOURCES_MAX; i++) {
        fl_relation_free(&m->relation[i]);
        fl_plain_close(m->plain[i]);
        free(m->path[i]);
    }
    fl_moments_close(m->moments);
    fl_duck_close(m->db);
    fl_log_writer_abort(m->w);
    fl_rejects_close(m->rejects);
    char *temp = fl_path_join(m->opt->log, "tmp");
    if (temp) rmdir(temp);
    free(temp);
}

/* plain: plain files are read without DuckDB. */
static florin_status import_once(fl_importer *m, bool plain)
{
    florin_status st = open_all(m, plain);
    if (!st) st = m->stats->sorted_on_disk ? sorted_sources(m) : stream_sources(m, false);
    if (!st) st = stream_sources(m, true);
    if (!st && fl_cancelled(m->ctx))
        st = fl_fail(m->err, FLORIN_ECANCELLED, "import: stopped, the log is as it was");
    if (!st) st = fl_import_watch_end(m);
    if (!st) st = fl_rejects_commit(m->rejects, m->err);
    if (!st) {
        fl_log_writer *w = m->w;
        m->w = NULL;
        st = fl_log_writer_commit(w, &m->stats->written, m->err);
    }
    close_all(m);
    return st;
}

florin_status fl_import(const fl_schema *schema, const fl_import_options *opt,
                        fl_import_stats *stats, const florin_context *ctx, florin_error *err)
{
    florin_status st;
    bool again = false;
    do {
        memset(stats, 0, sizeof *stats);
        if (err) memset(err, 0, sizeof *err);
        fl_importer m = {.schema = schema, .opt = opt, .stats = stats, .ctx = ctx, .err = err};
        m.exponent = fl_currency_exponent(schema->currency);
        st = import_once(&m, !again && !opt->by_duckdb);
        again = !again && m.not_plain;
    } while (again);
    return st;
}
