/* Tables out: Parquet and CSV through DuckDB's appender and COPY, .npy by hand (NumPy format 1.0), .arrow by
 * arrow_file.h. Invariant: the file appears whole or not at all, and no NaN or infinity leaves: they become NULL in
 * Parquet, CSV and Arrow, and .npy, which has none, refuses them. */
#include "data/arrow_file.h"
#include <duckdb.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

struct fl_table_writer {
    char *path, *temp;
    fl_table_column *column;
    uint32_t columns;
    uint64_t rows;
    const florin_context *ctx;
    fl_writer *npy; /* .npy: rows go straight to the file behind a header of fixed size */
    fl_arrow_file *arrow;
    duckdb_database db;
    duckdb_connection con;
    duckdb_appender appender;
};

enum { NPY_HEAD = 128 };

static bool ends(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && !strcmp(s + n - m, tail);
}

static const char *sql_type(fl_duck_type t)
{
    switch (t) {
    case FL_DUCK_BOOL: return "BOOLEAN";
    case FL_DUCK_INT64: return "BIGINT";
    case FL_DUCK_UINT64: return "UBIGINT";
    case FL_DUCK_UINT32: return "UINTEGER";
    case FL_DUCK_FLOAT: return "FLOAT";
    case FL_DUCK_DOUBLE: return "DOUBLE";
    case FL_DUCK_TIME_US: return "TIMESTAMP";
    default: return "VARCHAR";
    }
}

static florin_status run(fl_table_writer *w, const char *sql, florin_error *err)
{
    duckdb_result r;
    florin_status st = FLORIN_OK;
    if (duckdb_query(w->con, sql, &r) != DuckDBSuccess) {
        const char *why = duckdb_result_error(&r);
        st = fl_fail(err, FLORIN_EIO, "%s: %.600s", w->path, why ? why : "can't be written");
    }
    duckdb_destroy_result(&r);
    return st;
}

static florin_status open_duck(fl_table_writer *w, florin_error *err)
{
    duckdb_config config = NULL;
    fl_buf sql = {0};
    florin_status st = FLORIN_OK;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return fl_fail(err, FLORIN_ENOMEM, "DuckDB");
    duckdb_set_config(config, "autoinstall_known_extensions", "false");
    duckdb_set_config(config, "autoload_known_extensions", "false");
    duckdb_set_config(config, "threads", "2");
    if (duckdb_open_ext(NULL, &w->db, config, NULL) != DuckDBSuccess ||
        duckdb_connect(w->db, &w->con) != DuckDBSuccess)
        st = fl_fail(err, FLORIN_EINTERNAL, "DuckDB does not open");
    duckdb_destroy_config(&config);
    fl_buf_puts(&sql, "CREATE TABLE t(");
    for (uint32_t c = 0; c < w->columns; c++) {
        if (c) fl_buf_puts(&sql, ", ");
        fl_buf_quoted(&sql, '"', "", w->column[c].name);
        fl_buf_printf(&sql, " %s", sql_type(w->column[c].type));
    }
    fl_buf_puts(&sql, ")");
    if (!st && sql.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    if (!st) st = run(w, sql.data, err);
    if (!st && duckdb_appender_create(w->con, NULL, "t", &w->appender) != DuckDBSuccess)
        st = fl_fail(err, FLORIN_EINTERNAL, "%s: DuckDB's appender does not open", w->path);
    fl_buf_free(&sql);
    return st;
}

static florin_status open_npy(fl_table_writer *w, florin_error *err)
{
    static const char blank[NPY_HEAD];
    for (uint32_t c = 0; c < w->columns; c++)
        if (w->column[c].type != FL_DUCK_FLOAT)
            return fl_fail(
                err, FLORIN_EUSAGE,
                "%s: .npy holds numbers only, and column '%s' is none: write .parquet or .csv",
                w->path, w->column[c].name);
    florin_status st = fl_writer_open(&w->npy, w->temp, 0644, err);
    return st ? st : fl_writer_add(w->npy, blank, NPY_HEAD, err);
}

florin_status fl_table_open(fl_table_writer **out, const char *path, const fl_table_column *columns,
                            uint32_t n, const florin_context *ctx, florin_error *err)
{
    *out = NULL;
    if (!ends(path, ".parquet") && !ends(path, ".csv") && !ends(path, ".npy") &&
        !ends(path, ".arrow"))
        return fl_fail(err, FLORIN_EUSAGE,
                       "%s: the name must end in .parquet, .arrow, .csv or .npy", path);
    fl_table_writer *w = fl_calloc(1, sizeof *w);
    if (!w) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    w->ctx = ctx;
    w->path = fl_strdup(path);
    w->temp = fl_asprintf("%s.tmp-%ld", path, (long)getpid());
    w->column = fl_calloc(n ? n : 1, sizeof *w->column);
    florin_status st =
        w->path && w->temp && w->column ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", path);
    for (uint32_t c = 0; !st && c < n; c++) {
        w->column[c] = columns[c];
        w->column[c].name = fl_strdup(columns[c].name);
        w->columns++;
        if (!w->column[c].name) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    if (!st && ends(path, ".arrow"))
        st = fl_arrow_open(&w->arrow, w->temp, w->column, w->columns, err);
    else if (!st) st = ends(path, ".npy") ? open_npy(w, err) : open_duck(w, err);
    if (st) fl_table_abort(w);
    else *out = w;
    return st;
}

static size_t width_of(fl_duck_type t)
{
    return t == FL_DUCK_BOOL ? 1 : t == FL_DUCK_FLOAT || t == FL_DUCK_UINT32 ? 4 : 8;
}

/* Copy rows [from, from+n) of one column into a DuckDB vector. */
static void fill_vector(duckdb_vector v, fl_duck_type type, const void *data, uint64_t from,
                        uint64_t n)
{
    duckdb_vector_ensure_validity_writable(v);
    uint64_t *valid = duckdb_vector_get_validity(v);
    if (type == FL_DUCK_TEXT) {
        const char *const *s = data;
        for (uint64_t i = 0; i < n; i++) {
            duckdb_validity_set_row_validity(valid, i, s[from + i] != NULL);
            if (s[from + i]) duckdb_vector_assign_string_element(v, i, s[from + i]);
        }
        return;
    }
    size_t width = width_of(type);
    memcpy(duckdb_vector_get_data(v), (const uint8_t *)data + from * width, n * width);
    for (uint64_t i = 0; i < n; i++) {
        bool ok = type == FL_DUCK_FLOAT    ? isfinite(((const float *)data)[from + i]) != 0
                  : type == FL_DUCK_DOUBLE ? isfinite(((const double *)data)[from + i]) != 0
                                           : true;
        duckdb_validity_set_row_validity(valid, i, ok);
    }
}

static florin_status add_duck(fl_table_writer *w, const void *const *data, uint64_t rows,
                              florin_error *err)
{
    florin_status st = FLORIN_OK;
    duckdb_logical_type *types = fl_calloc(w->columns, sizeof *types);
    if (!types) return fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    for (uint32_t c = 0; c < w->columns; c++)
        types[c] = duckdb_appender_column_type(w->appender, c);
    duckdb_data_chunk chunk = duckdb_create_data_chunk(types, w->columns);
    uint64_t step = duckdb_vector_size();
    for (uint64_t from = 0; from < rows && !st; from += step) {
        uint64_t n = rows - from < step ? rows - from : step;
        duckdb_data_chunk_reset(chunk);
        for (uint32_t c = 0; c < w->columns; c++)
            fill_vector(duckdb_data_chunk_get_vector(chunk, c), w->column[c].type, data[c], from,
                        n);
        duckdb_data_chunk_set_size(chunk, n);
        if (duckdb_append_data_chunk(w->appender, chunk) != DuckDBSuccess) {
            const char *why = duckdb_appender_error(w->appender);
            st = fl_fail(err, FLORIN_EIO, "%s: %.600s", w->path, why ? why : "can't be written");
        }
    }
    duckdb_destroy_data_chunk(&chunk);
    for (uint32_t c = 0; c < w->columns; c++) duckdb_destroy_logical_type(&types[c]);
    free(types);
    return st;
}

/* Exponents of all ones are NaN and infinity. */
static bool finite_all(const float *x, uint32_t n)
{
    uint32_t bad = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits >> 23 & 255) == 255;
    }
    return !bad;
}

florin_status fl_table_add_row(fl_table_writer *w, const float *row, florin_error *err)
{
    if (!finite_all(row, w->columns))
        return fl_fail(err, FLORIN_EINTERNAL, "%s: row %llu holds a number that is not finite",
                       w->path, (unsigned long long)w->rows);
    w->rows++;
    return fl_writer_add(w->npy, row, w->columns * sizeof *row, err);
}

static florin_status add_npy(fl_table_writer *w, const void *const *data, uint64_t rows,
                             florin_error *err)
{
    float *row = fl_alloc(w->columns ? w->columns : 1, sizeof *row);
    florin_status st = row ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    for (uint64_t i = 0; i < rows && !st; i++) {
        for (uint32_t c = 0; c < w->columns; c++) {
            row[c] = ((const float *)data[c])[i];
            if (!isfinite(row[c]) && !st)
                st = fl_fail(err, FLORIN_EINTERNAL, "%s: row %llu, column '%s' is not finite",
                             w->path, (unsigned long long)(w->rows + i), w->column[c].name);
        }
        if (!st) st = fl_writer_add(w->npy, row, w->columns * sizeof *row, err);
    }
    free(row);
    return st;
}

florin_status fl_table_add(fl_table_writer *w, const void *const *data, uint64_t rows,
                           florin_error *err)
{
    florin_status st = w->npy     ? add_npy(w, data, rows, err)
                       : w->arrow ? fl_arrow_add(w->arrow, data, rows, err)
                                  : add_duck(w, data, rows, err);
    w->rows += rows;
    return st;
}

static florin_status commit_duck(fl_table_writer *w, florin_error *err)
{
    if (duckdb_appender_destroy(&w->appender) != DuckDBSuccess)
        return fl_fail(err, FLORIN_EIO, "%s: can't be written", w->path);
    fl_buf sql = {0};
    fl_buf_puts(&sql, "COPY t TO '");
    for (const char *p = w->temp; *p; p++) fl_buf_printf(&sql, *p == '\'' ? "''" : "%c", *p);
    fl_buf_puts(&sql, ends(w->path, ".csv") ? "' (FORMAT csv, HEADER)"
                                            : "' (FORMAT parquet, COMPRESSION zstd)");
    florin_status st =
        sql.failed ? fl_fail(err, FLORIN_ENOMEM, "%s", w->path) : run(w, sql.data, err);
    fl_buf_free(&sql);
    return st;
}

/* The header was left blank; its text has the row count, known only now. */
static florin_status commit_npy(fl_table_writer *w, florin_error *err)
{
    char head[NPY_HEAD + 1];
    memset(head, ' ', sizeof head);
    memcpy(head, "\x93NUMPY\x01\x00", 8);
    head[8] = NPY_HEAD - 10;
    head[9] = 0;
    int n = snprintf(head + 10, NPY_HEAD - 10,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %u), }",
                     (unsigned long long)w->rows, w->columns);
    head[10 + n] = ' ';
    head[NPY_HEAD - 1] = '\n';
    fl_writer *f = w->npy;
    w->npy = NULL;
    florin_status st = fl_writer_commit(f, err);
    if (st) return st;
    FILE *out = fopen(w->temp, "r+b");
    bool ok = out && fwrite(head, 1, NPY_HEAD, out) == NPY_HEAD;
    if (out) ok = !fclose(out) && ok;
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_EIO, "%s: its header can't be written", w->path);
}

florin_status fl_table_commit(fl_table_writer *w, florin_error *err)
{
    fl_arrow_file *arrow = w->arrow;
    w->arrow = NULL;
    florin_status st = w->npy  ? commit_npy(w, err)
                       : arrow ? fl_arrow_commit(arrow, err)
                               : commit_duck(w, err);
    if (!st && rename(w->temp, w->path))
        st = fl_fail(err, FLORIN_EIO, "%s: can't be put in place", w->path);
    fl_table_abort(w);
    return st;
}

void fl_table_abort(fl_table_writer *w)
{
    if (!w) return;
    if (w->npy) fl_writer_abort(w->npy);
    fl_arrow_abort(w->arrow);
    if (w->appender) duckdb_appender_destroy(&w->appender);
    if (w->con) duckdb_disconnect(&w->con);
    if (w->db) duckdb_close(&w->db);
    if (w->temp) unlink(w->temp);
    for (uint32_t c = 0; c < w->columns; c++) free((char *)(uintptr_t)w->column[c].name);
    free(w->column);
    free(w->path);
    free(w->temp);
    free(w);
}
