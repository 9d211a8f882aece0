/* DuckDB's one door. Everything that speaks to DuckDB is behind this header; no extension is ever fetched. */
#ifndef FL_DUCK_H
#define FL_DUCK_H

#include "base/base.h"

typedef struct fl_duck fl_duck;
typedef struct fl_duck_result fl_duck_result;

typedef struct {
    uint64_t memory_bytes; /* 0: ctx's */
    uint32_t threads;      /* 0: ctx's */
    const char *temp_dir;  /* where sorts spill; NULL: no spilling */
    bool sandbox;          /* after opening, no file and no network may be reached any more */
} fl_duck_options;

florin_status fl_duck_open(fl_duck **out, const fl_duck_options *opt, const florin_context *ctx,
                           florin_error *err);
void fl_duck_close(fl_duck *db);
/* duckdb_connection, for other files of this folder. */
void *fl_duck_native(fl_duck *db);
const florin_context *fl_duck_context(const fl_duck *db); /* that it was opened with */
florin_status fl_duck_exec(fl_duck *db, const char *sql, florin_error *err);
/* Streams a result in chunks. select_only: exactly one statement, and it is a SELECT. */
florin_status fl_duck_query(fl_duck_result **out, fl_duck *db, const char *sql, bool select_only,
                            florin_error *err);
uint32_t fl_duck_columns(const fl_duck_result *r);
const char *fl_duck_column_name(const fl_duck_result *r, uint32_t c);
typedef enum {
    FL_DUCK_OTHER,
    FL_DUCK_BOOL,
    FL_DUCK_INT64,
    FL_DUCK_DOUBLE,
    FL_DUCK_TEXT,
    FL_DUCK_TIME_US,
    FL_DUCK_UINT32,
    FL_DUCK_FLOAT,
    FL_DUCK_UINT64
} fl_duck_type;
fl_duck_type fl_duck_column_type(const fl_duck_result *r, uint32_t c);
/* Next chunk: *rows = 0 at the end. Column accessors are valid until the next call. */
florin_status fl_duck_next(fl_duck_result *r, uint64_t *rows, florin_error *err);
const void *fl_duck_data(const fl_duck_result *r,
                         uint32_t c); /* array by type; TEXT: use fl_duck_text */
bool fl_duck_null(const fl_duck_result *r, uint32_t c, uint64_t row);
const char *fl_duck_text(const fl_duck_result *r, uint32_t c, uint64_t row, size_t *len);
/* The one whole number (BIGINT) that sql asks for; 0 when it is NULL or there is no row. */
florin_status fl_duck_number(int64_t *out, fl_duck *db, const char *sql, florin_error *err);
void fl_duck_result_free(fl_duck_result *r);

/* Chunks that live on their own: the result may be read on, and another thread may read the chunk. */
typedef struct fl_duck_chunk fl_duck_chunk;
/* A text as it lies in a column: up to 12 bytes in place, longer ones elsewhere in the chunk. */
typedef union {
    struct {
        uint32_t length;
        char text[12];
    } near;
    struct {
        uint32_t length;
        char head[4];
        const char *text;
    } far;
} fl_duck_cell;
typedef struct {
    const void *data;      /* [rows] by the column's type, text: fl_duck_cell */
    const uint64_t *valid; /* bit r: row r is not NULL; NULL: none is */
} fl_duck_vector;
/* The next chunk, NULL at the end. */
florin_status fl_duck_take(fl_duck_chunk **out, fl_duck_result *r, florin_error *err);
void fl_duck_chunk_free(fl_duck_chunk *c);
uint32_t fl_duck_chunk_rows(const fl_duck_chunk *c);
fl_duck_vector fl_duck_chunk_column(const fl_duck_chunk *c, uint32_t column);
uint32_t fl_duck_chunk_max(void); /* rows of the largest chunk */
static inline bool fl_duck_valid(const fl_duck_vector *v, size_t row)
{
    return !v->valid || (v->valid[row / 64] >> (row % 64) & 1);
}
static inline const char *fl_duck_cell_text(const fl_duck_cell *c)
{
    return c->near.length <= sizeof c->near.text ? c->near.text : c->far.text;
}

/* One statement, prepared once, of one parameter: a list of texts. Streams its answer like a query. */
typedef struct fl_duck_ask fl_duck_ask;
florin_status fl_duck_ask_open(fl_duck_ask **out, fl_duck *db, const char *sql, florin_error *err);
/* out[i], valid[i]: the i-th row of the answer's only column, a time, for texts[i]. */
florin_status fl_duck_ask_times(fl_duck_ask *a, const fl_duck_cell *const *text, size_t n,
                                int64_t *out, bool *valid, florin_error *err);
void fl_duck_ask_close(fl_duck_ask *a);

/* Write columns to a file: Parquet (through DuckDB), CSV, .npy or Arrow IPC by the name's ending. Streaming:
 * open with names and types, add batches, commit (atomic) or abort. NaN and infinite floats are written as NULL. */
typedef struct fl_table_writer fl_table_writer;
typedef struct {
    const char *name;
    fl_duck_type type;
} fl_table_column;
florin_status fl_table_open(fl_table_writer **out, const char *path, const fl_table_column *columns,
                            uint32_t n, const florin_context *ctx, florin_error *err);
/* data[c]: array of rows values of the column's type; TEXT: const char *const *(NULL = null) with NUL-terminated strings. */
florin_status fl_table_add(fl_table_writer *w, const void *const *data, uint64_t rows,
                           florin_error *err);
/* One row [n], straight to the file: of .npy alone, which holds rows. */
florin_status fl_table_add_row(fl_table_writer *w, const float *row, florin_error *err);
florin_status fl_table_commit(fl_table_writer *w, florin_error *err);
void fl_table_abort(fl_table_writer *w);

#endif
