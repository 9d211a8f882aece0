/* One table of a SQLite file, copied into DuckDB, so that all that reads tables reads it too.
 *
 * SQLite's columns hold values of any type. A column of whole numbers becomes BIGINT, one of numbers DOUBLE, all else text; so
 * does a column of fractions and of whole numbers that a DOUBLE can't hold. Columns with values that are no table's business
 * (binary data, text that is not UTF-8) are left out, by name, row and reason. */
#ifndef FL_SQLITE_TABLE_H
#define FL_SQLITE_TABLE_H

#include "data/duck.h"

typedef struct {
    char
        *from; /* the table in DuckDB, quoted, to stand after FROM; rows in the order of the file */
    char *table; /* its name in the file */
    char *
        others; /* the file's other tables, with their rows when one was chosen: "loan (328), ..." */
    char *left_out; /* columns, one "NAME: REASON" a line; NULL: none */
    uint64_t rows;
} fl_sqlite_copy;

/* table NULL: the only one; with `largest` the one with most rows. FLORIN_EINPUT: damaged file, no table, no such table (with
 * the nearest name), several and none named, no column that can be read. */
florin_status fl_sqlite_copy_table(fl_sqlite_copy *out, fl_duck *db, const char *path,
                                   const char *table, bool largest, florin_error *err);
void fl_sqlite_copy_free(fl_sqlite_copy *c);

#endif
