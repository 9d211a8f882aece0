/* What the files of import share: the run's state, the SQL of a source, the rows set aside. Nobody else includes this. */
#ifndef FL_IMPORT_PARTS_H
#define FL_IMPORT_PARTS_H

#include "data/import.h"
#include "data/import_time.h"
#include "data/plain_csv.h"
#include "data/source.h"

/* Which column of a SELECT holds what; FL_NO_COLUMN: it has none. */
enum { FL_NO_COLUMN = 0xffff };
typedef struct {
    uint16_t at, text; /* a moment that DuckDB made of it, and as it stands */
} fl_moment_columns;
typedef struct {
    uint16_t columns;
    uint16_t source, row, keep; /* source and row: of a sort alone, else they are known */
    fl_moment_columns time, arrival[FL_LABELS_MAX];
    uint16_t id, amount, currency, entity[FL_KINDS_MAX], category[FL_CATEGORIES_MAX],
        number[FL_NUMBERS_MAX], mark[FL_MARKS_MAX], label[FL_LABELS_MAX];
} fl_select_columns;

/* ---- rows of one chunk, decoded ---- */

enum { FL_BATCH_ROWS = 2048 };

typedef struct {
    uint64_t row;
    uint32_t source;
    const char *field, *reason; /* kept, not copied: they live as long as the run */
} fl_rejected_row;

typedef struct {
    /* Cells from DuckDB, or of a plain file, to be cut from text. Texts are used until the rows are in the log. */
    fl_duck_chunk *chunk;
    const char *text; /* chunk NULL */
    size_t text_bytes;
    const fl_plain *plain;
    fl_duck_cell *cells; /* [columns][FL_BATCH_ROWS] of a plain file */
    bool broken;         /* it is not plain */

    uint32_t n;      /* rows */
    uint32_t source; /* of a stream: of all rows */
    uint64_t first;  /* of a stream: number of the first row */
    uint32_t dropped, rejects;
    fl_log_batch rows; /* those that are events, in order; its arrays are the ones below */
    bool
        labels_only; /* rows of a source of labels: none are events, label_row is a place in `id` */

    void *memory; /* of all arrays, [FL_BATCH_ROWS] each */
    int64_t *time_us, *amount_minor, *arrival_us[FL_LABELS_MAX], *label_arrival_us;
    uint64_t *id, *entity[FL_KINDS_MAX], *category[FL_CATEGORIES_MAX];
    const char **field, **reason; /* why a row is set aside, reason NULL: it is not */
    fl_rejected_row *reject;
    uint32_t *place, *present, *label_row; /* label_row and its kin: [FL_BATCH_ROWS * labels] */
    float *number[FL_NUMBERS_MAX], *value[FL_LABELS_MAX], *label_value;
    uint16_t *currency;
    uint8_t *type, *marks, *label;
    bool *good, *said[FL_LABELS_MAX];
} fl_batch;

typedef struct fl_rejects fl_rejects;

/* Values of a column that are as long as a card number, and those whose check digit is right too. */
typedef struct {
    uint64_t longs, cards;
    uint32_t known;  /* codes below were looked at */
    uint32_t source; /* where the last card number stood */
} fl_card_watch;

typedef struct {
    const fl_schema *schema;
    const fl_import_options *opt;
    fl_import_stats *stats;
    const florin_context *ctx;
    florin_error *err;
    fl_duck *db;
    fl_log_writer *w;
    fl_rejects *rejects;
    char *path[FL_SOURCES_MAX];
    fl_relation relation[FL_SOURCES_MAX];
    fl_plain *plain[FL_SOURCES_MAX]; /* NULL: read by DuckDB */
    fl_select_columns plain_columns[FL_SOURCES_MAX];
    bool not_plain; /* a file turned out not to be: all is read again, by DuckDB */
    fl_moments *moments;
    fl_card_watch id[FL_SOURCES_MAX], entity[FL_KINDS_MAX], category[FL_CATEGORIES_MAX];
    uint64_t bytes;
    int exponent;
    bool
        refused; /* --strict, and a row was set aside: the rest is only parsed, to number the rows */
} fl_importer;

/* SQL of a moment in UTC from the text `x` (SQL too); NULL: it is none. The draft asks the same. */
void fl_import_moment(fl_buf *b, const char *x);
/* One source's SELECT. A source of labels uses `id` for the event it speaks of and its label's value column. In a sort
 * every source has every column, the source's number and the row's among them, and DuckDB makes moments of all times. */
void fl_import_select(fl_buf *b, fl_select_columns *columns, const fl_importer *m, uint32_t source,
                      bool sort);
/* SELECT of the moments of a list of texts, $1, as DuckDB reads them in a source without a format of time. */
void fl_import_ask_select(fl_buf *b, const fl_schema *s);
/* After a query failed with `st`: when an expression of the schema is to blame, name it in m->err. Returns st. */
florin_status fl_import_blame(fl_importer *m, uint32_t source, florin_status st);

/* columns: of a plain file, else 0. */
florin_status fl_batch_open(fl_batch *b, const fl_schema *s, uint32_t columns, florin_error *err);
void fl_batch_close(fl_batch *b);
/* Bytes of one, its cells in so many columns included. */
size_t fl_batch_bytes(const fl_schema *s, uint32_t columns);
/* The cells become rows, labels and rejects. Several batches may be decoded at once. */
florin_status fl_batch_decode(fl_batch *b, const fl_importer *m, const fl_select_columns *columns,
                              florin_error *err);

/* Is all that the schema asks of a source in plain columns of a plain file? Then m->plain[source] reads it. */
florin_status fl_import_plain(fl_importer *m, uint32_t source);
/* Run a SELECT, or read a plain source (sql NULL), and bring its rows into the log, reading, decoding and storing at the
 * same time on several threads. source: of all rows, or -1 in a sort. */
florin_status fl_import_run(fl_importer *m, const char *sql, const fl_select_columns *columns,
                            int source, const char *stage);
/* No more rows come: columns of few long values are judged too. */
florin_status fl_import_watch_end(fl_importer *m);

/* Rows set aside. Rows are counted as DuckDB gives them; lines that it could not read at all are known only when a
 * table is finished, so numbers are settled then and the file is written. */
florin_status fl_rejects_open(fl_rejects **out, const char *path, florin_error *err);
void fl_rejects_close(fl_rejects *r);
florin_status fl_rejects_add(fl_importer *m, const fl_rejected_row *row);
/* The tables of the sources from..to-1 are read to their end. With --strict and a row set aside: the error. */
florin_status fl_rejects_settle(fl_importer *m, uint32_t from, uint32_t to);
/* The file appears. None was set aside: it stays as it is. */
florin_status fl_rejects_commit(fl_rejects *r, florin_error *err);

#endif
