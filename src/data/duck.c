/* DuckDB behind duck.h. Invariant: extensions are never installed or loaded, and a sandboxed database can reach
 * neither files nor network: both are set before a statement of a caller runs and then locked. */
#include "data/duck.h"
#include <duckdb.h>
#include <math.h>
#include <stdio.h>

_Static_assert(sizeof(fl_duck_cell) == sizeof(duckdb_string_t) &&
                   offsetof(fl_duck_cell, far.text) ==
                       offsetof(duckdb_string_t, value.pointer.ptr) &&
                   offsetof(fl_duck_cell, near.text) ==
                       offsetof(duckdb_string_t, value.inlined.inlined),
               "layout of DuckDB's texts");

struct fl_duck {
    duckdb_database db;
    duckdb_connection con;
    const florin_context *ctx;
};

struct fl_duck_result {
    fl_duck *db;
    duckdb_prepared_statement statement;
    duckdb_result result;
    bool have_result;
    duckdb_data_chunk chunk;
    uint32_t columns;
    fl_duck_type *type;
    duckdb_vector *vector;
};

static florin_status configure(duckdb_config c, const char *key, const char *value,
                               florin_error *err)
{
    if (duckdb_set_config(c, key, value) == DuckDBSuccess) return FLORIN_OK;
    return fl_fail(err, FLORIN_EINTERNAL, "DuckDB does not know the option %s", key);
}

static florin_status configure_all(duckdb_config c, const fl_duck_options *opt,
                                   const florin_context *ctx, florin_error *err)
{
    char memory[32], threads[16];
    uint64_t bytes = opt->memory_bytes ? opt->memory_bytes : fl_memory(ctx);
    snprintf(memory, sizeof memory, "%lluMiB", (unsigned long long)(bytes >> 20 ? bytes >> 20 : 1));
    snprintf(threads, sizeof threads, "%u", opt->threads ? opt->threads : fl_threads(ctx));
    const char *pair[][2] = {
        {"memory_limit", memory},
        {"threads", threads},
        {"temp_directory", opt->temp_dir ? opt->temp_dir : ""},
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
    };
    florin_status st = FLORIN_OK;
    for (size_t i = 0; i < FL_LEN(pair) && !st; i++) st = configure(c, pair[i][0], pair[i][1], err);
    return st;
}

florin_status fl_duck_open(fl_duck **out, const fl_duck_options *opt, const florin_context *ctx,
                           florin_error *err)
{
    *out = NULL;
    fl_duck_options none = {0};
    duckdb_config config = NULL;
    char *why = NULL;
    fl_duck *d = fl_calloc(1, sizeof *d);
    if (!d || duckdb_create_config(&config) != DuckDBSuccess) {
        free(d);
        return fl_fail(err, FLORIN_ENOMEM, "DuckDB");
    }
    d->ctx = ctx;
    florin_status st = configure_all(config, opt ? opt : &none, ctx, err);
    if (!st && duckdb_open_ext(NULL, &d->db, config, &why) != DuckDBSuccess)
        st = fl_fail(err, FLORIN_EINTERNAL, "DuckDB does not open: %s",
                     why ? why : "no reason given");
    if (!st && duckdb_connect(d->db, &d->con) != DuckDBSuccess)
        st = fl_fail(err, FLORIN_EINTERNAL, "DuckDB does not connect");
    if (!st) st = fl_duck_exec(d, "SET TimeZone = 'UTC'", err);
    if (!st) st = fl_duck_exec(d, "SET preserve_insertion_order = true", err);
    if (!st && opt && opt->sandbox) {
        st = fl_duck_exec(d, "SET enable_external_access = false", err);
        if (!st) st = fl_duck_exec(d, "SET lock_configuration = true", err);
    }
    duckdb_destroy_config(&config);
    duckdb_free(why);
    if (st) fl_duck_close(d);
    else *out = d;
    return st;
}

void fl_duck_close(fl_duck *d)
{
    if (!d) return;
    if (d->con) duckdb_disconnect(&d->con);
    if (d->db) duckdb_close(&d->db);
    free(d);
}

void *fl_duck_native(fl_duck *d)
{
    return d->con;
}

const florin_context *fl_duck_context(const fl_duck *d)
{
    return d->ctx;
}

/* DuckDB's message as one line: what stands before the first empty line, without its list of settings and remedies, and
 * without what it quotes of the table, which may be somebody's data. */
static void one_line(fl_buf *b, const char *message)
{
    static const char *const drop[] = {"Original Line", "Possible", "file =", "  ", "LINE "};
    for (const char *p = message; *p && *p != '\n';) {
        size_t n = strcspn(p, "\n");
        bool keep = true;
        for (size_t i = 0; i < FL_LEN(drop); i++)
            keep = keep && strncmp(p, drop[i], strlen(drop[i]));
        if (keep) {
            if (b->len) fl_buf_puts(b, b->data[b->len - 1] == '.' ? " " : ": ");
            fl_buf_add(b, p, n);
        }
        p += n + (p[n] == '\n');
    }
    /* "Could not convert string 'x' to INT64": the value is nobody's business. */
    char *at = b->data ? strstr(b->data, "string '") : NULL;
    for (at = at ? at + 8 : NULL; at && *at && *at != '\''; at++) *at = '*';
    for (char *p = b->data; p && *p;) {
        size_t digits = strspn(p, "0123456789");
        if (digits >= 9) memset(p, '*', digits);
        p += digits ? digits : 1;
    }
}

static florin_status duck_fail(const char *message, florin_error *err)
{
    fl_buf line = {0};
    if (!message) message = "DuckDB failed without a message";
    bool io = strstr(message, "IO Error") != NULL,
         memory = strstr(message, "Out of Memory") != NULL;
    bool stopped = strstr(message, "INTERRUPT") != NULL;
    florin_status st = stopped  ? FLORIN_ECANCELLED
                       : memory ? FLORIN_ENOMEM
                       : io     ? FLORIN_EIO
                                : FLORIN_EINPUT;
    if (strstr(message, "Maximum line size"))
        fl_buf_puts(&line,
                    "a line is longer than 2 MiB (is a quote left open?): shorten it, or give the "
                    "table as Parquet or JSON");
    else one_line(&line, message);
    st = fl_fail(err, st, "%.800s", line.len && !line.failed ? line.data : "DuckDB failed");
    fl_buf_free(&line);
    return st;
}

florin_status fl_duck_exec(fl_duck *d, const char *sql, florin_error *err)
{
    duckdb_result r;
    florin_status st = FLORIN_OK;
    if (duckdb_query(d->con, sql, &r) != DuckDBSuccess)
        st = duck_fail(duckdb_result_error(&r), err);
    duckdb_destroy_result(&r);
    return st;
}

static fl_duck_type type_of(duckdb_type t)
{
    switch (t) {
    case DUCKDB_TYPE_BOOLEAN: return FL_DUCK_BOOL;
    case DUCKDB_TYPE_BIGINT: return FL_DUCK_INT64;
    case DUCKDB_TYPE_UBIGINT: return FL_DUCK_UINT64;
    case DUCKDB_TYPE_UINTEGER: return FL_DUCK_UINT32;
    case DUCKDB_TYPE_FLOAT: return FL_DUCK_FLOAT;
    case DUCKDB_TYPE_DOUBLE: return FL_DUCK_DOUBLE;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: return FL_DUCK_TEXT;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return FL_DUCK_TIME_US;
    default: return FL_DUCK_OTHER;
    }
}

static florin_status start(fl_duck_result *r, florin_error *err)
{
    duckdb_pending_result pending = NULL;
    florin_status st = FLORIN_OK;
    if (duckdb_pending_prepared_streaming(r->statement, &pending) != DuckDBSuccess)
        st = duck_fail(pending ? duckdb_pending_error(pending) : NULL, err);
    if (!st) {
        r->have_result = true;
        if (duckdb_execute_pending(pending, &r->result) != DuckDBSuccess)
            st = duck_fail(duckdb_result_error(&r->result), err);
    }
    if (pending) duckdb_destroy_pending(&pending);
    return st;
}

florin_status fl_duck_query(fl_duck_result **out, fl_duck *d, const char *sql, bool select_only,
                            florin_error *err)
{
    *out = NULL;
    duckdb_extracted_statements list = NULL;
    fl_duck_result *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "query");
    r->db = d;
    florin_status st = FLORIN_OK;
    idx_t n = duckdb_extract_statements(d->con, sql, &list);
    if (!n) st = duck_fail(duckdb_extract_statements_error(list), err);
    else if (n != 1)
        st = fl_fail(err, FLORIN_EINPUT, "needs exactly one statement, has %llu",
                     (unsigned long long)n);
    if (!st && duckdb_prepare_extracted_statement(d->con, list, 0, &r->statement) != DuckDBSuccess)
        st = duck_fail(duckdb_prepare_error(r->statement), err);
    if (!st && select_only &&
        duckdb_prepared_statement_type(r->statement) != DUCKDB_STATEMENT_TYPE_SELECT)
        st = fl_fail(err, FLORIN_EINPUT, "needs a SELECT");
    if (!st) st = start(r, err);
    if (!st) {
        r->columns = (uint32_t)duckdb_column_count(&r->result);
        r->type = fl_calloc(r->columns ? r->columns : 1, sizeof *r->type);
        r->vector = fl_calloc(r->columns ? r->columns : 1, sizeof *r->vector);
        if (!r->type || !r->vector)
            st = fl_fail(err, FLORIN_ENOMEM, "query of %u columns", r->columns);
        for (uint32_t c = 0; !st && c < r->columns; c++)
            r->type[c] = type_of(duckdb_column_type(&r->result, c));
    }
    duckdb_destroy_extracted(&list);
    if (st) fl_duck_result_free(r);
    else *out = r;
    return st;
}

void fl_duck_result_free(fl_duck_result *r)
{
    if (!r) return;
    if (r->chunk) duckdb_destroy_data_chunk(&r->chunk);
    if (r->have_result) duckdb_destroy_result(&r->result);
    if (r->statement) duckdb_destroy_prepare(&r->statement);
    free(r->type);
    free(r->vector);
    free(r);
}

florin_status fl_duck_number(int64_t *out, fl_duck *db, const char *sql, florin_error *err)
{
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    *out = 0;
    florin_status st = fl_duck_query(&q, db, sql, false, err);
    if (!st) st = fl_duck_next(q, &rows, err);
    if (!st && rows && !fl_duck_null(q, 0, 0)) *out = *(const int64_t *)fl_duck_data(q, 0);
    fl_duck_result_free(q);
    return st;
}

uint32_t fl_duck_columns(const fl_duck_result *r)
{
    return r->columns;
}

const char *fl_duck_column_name(const fl_duck_result *r, uint32_t c)
{
    return duckdb_column_name((duckdb_result *)&r->result, c);
}

fl_duck_type fl_duck_column_type(const fl_duck_result *r, uint32_t c)
{
    return r->type[c];
}

florin_status fl_duck_next(fl_duck_result *r, uint64_t *rows, florin_error *err)
{
    *rows = 0;
    if (r->chunk) duckdb_destroy_data_chunk(&r->chunk);
    if (fl_cancelled(r->db->ctx)) return fl_fail(err, FLORIN_ECANCELLED, "stopped");
    r->chunk = duckdb_stream_fetch_chunk(r->result);
    if (!r->chunk) {
        const char *why = duckdb_result_error(&r->result);
        return why && *why ? duck_fail(why, err) : FLORIN_OK;
    }
    *rows = duckdb_data_chunk_get_size(r->chunk);
    for (uint32_t c = 0; c < r->columns; c++)
        r->vector[c] = duckdb_data_chunk_get_vector(r->chunk, c);
    return FLORIN_OK;
}

florin_status fl_duck_take(fl_duck_chunk **out, fl_duck_result *r, florin_error *err)
{
    uint64_t rows;
    florin_status st = fl_duck_next(r, &rows, err);
    *out = (fl_duck_chunk *)r->chunk;
    r->chunk = NULL;
    return st;
}

void fl_duck_chunk_free(fl_duck_chunk *c)
{
    duckdb_data_chunk chunk = (duckdb_data_chunk)c;
    if (chunk) duckdb_destroy_data_chunk(&chunk);
}

uint32_t fl_duck_chunk_rows(const fl_duck_chunk *c)
{
    return (uint32_t)duckdb_data_chunk_get_size((duckdb_data_chunk)(uintptr_t)c);
}

fl_duck_vector fl_duck_chunk_column(const fl_duck_chunk *c, uint32_t column)
{
    duckdb_vector v = duckdb_data_chunk_get_vector((duckdb_data_chunk)(uintptr_t)c, column);
    return (fl_duck_vector){duckdb_vector_get_data(v), duckdb_vector_get_validity(v)};
}

uint32_t fl_duck_chunk_max(void)
{
    return (uint32_t)duckdb_vector_size();
}

struct fl_duck_ask {
    duckdb_connection con; /* of its own: the database's may be in the midst of a result */
    duckdb_prepared_statement statement;
};

florin_status fl_duck_ask_open(fl_duck_ask **out, fl_duck *d, const char *sql, florin_error *err)
{
    *out = NULL;
    fl_duck_ask *a = fl_calloc(1, sizeof *a);
    if (!a) return fl_fail(err, FLORIN_ENOMEM, "DuckDB");
    duckdb_result r;
    florin_status st = FLORIN_OK;
    if (duckdb_connect(d->db, &a->con) != DuckDBSuccess)
        st = fl_fail(err, FLORIN_EINTERNAL, "DuckDB does not connect");
    if (!st) {
        if (duckdb_query(a->con, "SET TimeZone = 'UTC'", &r) != DuckDBSuccess)
            st = duck_fail(duckdb_result_error(&r), err);
        duckdb_destroy_result(&r);
    }
    if (!st && duckdb_prepare(a->con, sql, &a->statement) != DuckDBSuccess)
        st = duck_fail(duckdb_prepare_error(a->statement), err);
    if (st) fl_duck_ask_close(a);
    else *out = a;
    return st;
}

void fl_duck_ask_close(fl_duck_ask *a)
{
    if (!a) return;
    if (a->statement) duckdb_destroy_prepare(&a->statement);
    if (a->con) duckdb_disconnect(&a->con);
    free(a);
}

/* NULL: no memory */
static duckdb_value list_of(const fl_duck_cell *const *text, size_t n)
{
    duckdb_value list = NULL, *v = fl_calloc(n ? n : 1, sizeof(duckdb_value));
    duckdb_logical_type type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    bool ok = v && type;
    for (size_t i = 0; i < n && ok; i++) {
        v[i] = duckdb_create_varchar_length(fl_duck_cell_text(text[i]), text[i]->near.length);
        ok = v[i] != NULL;
    }
    if (ok) list = duckdb_create_list_value(type, v, n);
    for (size_t i = 0; i < n && v; i++)
        if (v[i]) duckdb_destroy_value(&v[i]);
    if (type) duckdb_destroy_logical_type(&type);
    free(v);
    return list;
}

florin_status fl_duck_ask_times(fl_duck_ask *a, const fl_duck_cell *const *text, size_t n,
                                int64_t *out, bool *valid, florin_error *err)
{
    duckdb_result r = {0};
    duckdb_value list = list_of(text, n);
    if (!list) return fl_fail(err, FLORIN_ENOMEM, "%zu times", n);
    florin_status st = FLORIN_OK;
    bool bound = duckdb_bind_value(a->statement, 1, list) == DuckDBSuccess;
    duckdb_destroy_value(&list);
    if (!bound) return duck_fail(duckdb_prepare_error(a->statement), err);
    if (duckdb_execute_prepared(a->statement, &r) != DuckDBSuccess)
        st = duck_fail(duckdb_result_error(&r), err);
    size_t at = 0;
    while (!st) {
        duckdb_data_chunk c = duckdb_fetch_chunk(r);
        if (!c) break;
        size_t rows = (size_t)duckdb_data_chunk_get_size(c);
        fl_duck_vector v = fl_duck_chunk_column((fl_duck_chunk *)c, 0);
        for (size_t i = 0; i < rows && at < n; i++, at++) {
            valid[at] = fl_duck_valid(&v, i);
            out[at] = valid[at] ? ((const int64_t *)v.data)[i] : 0;
        }
        duckdb_destroy_data_chunk(&c);
    }
    duckdb_destroy_result(&r);
    if (!st && at != n) st = fl_fail(err, FLORIN_EINTERNAL, "%zu times asked, %zu told", n, at);
    return st;
}

const void *fl_duck_data(const fl_duck_result *r, uint32_t c)
{
    return duckdb_vector_get_data(r->vector[c]);
}

bool fl_duck_null(const fl_duck_result *r, uint32_t c, uint64_t row)
{
    uint64_t *valid = duckdb_vector_get_validity(r->vector[c]);
    return valid && !duckdb_validity_row_is_valid(valid, row);
}

const char *fl_duck_text(const fl_duck_result *r, uint32_t c, uint64_t row, size_t *len)
{
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(r->vector[c]) + row;
    *len = duckdb_string_t_length(*s);
    return duckdb_string_t_data(s);
}
