/* SQLite's one door, for reading other people's files: tables, and their rows in the order of the file. Never writes, never
 * locks, runs nothing that a file brings along but its generated columns: views and virtual tables are not read. */
#ifndef FL_SQLITE_H
#define FL_SQLITE_H

#include "base/base.h"

typedef struct fl_sqlite fl_sqlite;
typedef struct fl_sqlite_rows fl_sqlite_rows;

/* Do the first n bytes of a file say that it is SQLite's? */
bool fl_sqlite_is(const void *head, size_t n);

/* FLORIN_EIO: can't be read. FLORIN_EINPUT: damaged, cut off, or with changes that stand in a file beside it; the message
 * names the file and what to do. */
florin_status fl_sqlite_open(fl_sqlite **out, const char *path, florin_error *err);
void fl_sqlite_close(fl_sqlite *db); /* NULL is fine */

/* Tables by name, without SQLite's own, views and virtual tables. */
uint32_t fl_sqlite_tables(const fl_sqlite *db);
const char *fl_sqlite_table(const fl_sqlite *db, uint32_t i);
/* Rows of that table: reads it, or an index of it, all through. */
florin_status fl_sqlite_count(const fl_sqlite *db, uint32_t i, uint64_t *rows, florin_error *err);

/* All rows of a table. On failure *out is NULL. The rows must be closed before the file. */
florin_status fl_sqlite_read(fl_sqlite_rows **out, fl_sqlite *db, uint32_t table,
                             florin_error *err);
void fl_sqlite_rows_close(fl_sqlite_rows *r); /* NULL is fine */
uint32_t fl_sqlite_columns(const fl_sqlite_rows *r);
const char *fl_sqlite_column(const fl_sqlite_rows *r, uint32_t c);

typedef enum {
    FL_SQLITE_NULL,
    FL_SQLITE_INT,
    FL_SQLITE_REAL,
    FL_SQLITE_TEXT,
    FL_SQLITE_BLOB
} fl_sqlite_type;
typedef struct {
    fl_sqlite_type type; /* of this value: SQLite's columns hold values of any type */
    int64_t whole;       /* INT */
    double real;         /* REAL; may be infinite */
    const char *text;    /* TEXT; may hold zero bytes and need not be UTF-8. Until the next row */
    size_t len;
} fl_sqlite_cell;
/* The next row; *more false at the end. An error names file, table and row, counted from 1. */
florin_status fl_sqlite_next(fl_sqlite_rows *r, bool *more, florin_error *err);
fl_sqlite_cell fl_sqlite_value(fl_sqlite_rows *r, uint32_t c);

#endif
