/* What the files of import share: the run's state, the SQL of a source, the rows set aside. Nobody else includes this. */
#ifndef FL_IMPORT_PARTS_H
#define FL_IMPORT_PARTS_H

#include "data/import.h"
#include "data/source.h"

/* Columns of a source's SELECT, then entities, categories, numbers, marks and, per label, value and arrival. */
enum { C_SOURCE = 0, C_ROW, C_KEEP, C_TIME, C_TIME_TEXT, C_ID, C_AMOUNT, C_CURRENCY, C_FIELDS };

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
    fl_map64 same_rows; /* of rows without an id: how many equal ones came before */
    fl_card_watch id[FL_SOURCES_MAX], entity[FL_KINDS_MAX], category[FL_CATEGORIES_MAX];
    uint64_t bytes;
    int exponent;
    bool
        refused; /* --strict, and a row was set aside: the rest is only parsed, to number the rows */
} fl_importer;

/* SQL of a moment in UTC from the text `x` (SQL too); NULL: it is none. The draft asks the same. */
void fl_import_moment(fl_buf *b, const char *x);
/* One source's SELECT. A source of labels uses C_ID for the event it speaks of and its label's value column. */
void fl_import_select(fl_buf *b, const fl_importer *m, uint32_t source);
/* After a query failed with `st`: when an expression of the schema is to blame, name it in m->err. Returns st. */
florin_status fl_import_blame(fl_importer *m, uint32_t source, florin_status st);

/* Rows set aside. Rows are counted as DuckDB gives them; lines that it could not read at all are known only when a
 * table is finished, so numbers are settled then and the file is written. */
florin_status fl_rejects_open(fl_rejects **out, const char *path, florin_error *err);
void fl_rejects_close(fl_rejects *r);
/* field and reason are kept, not copied: they live as long as the run. */
florin_status fl_rejects_add(fl_importer *m, uint32_t source, uint64_t row, const char *field,
                             const char *reason);
/* The tables of the sources from..to-1 are read to their end. With --strict and a row set aside: the error. */
florin_status fl_rejects_settle(fl_importer *m, uint32_t from, uint32_t to);
/* The file appears. None was set aside: it stays as it is. */
florin_status fl_rejects_commit(fl_rejects *r, florin_error *err);

#endif
