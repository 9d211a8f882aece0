/* CSV files that are plain all through: UTF-8, one character between cells, no quotes, line feeds alone, as many cells in
 * every line. Most exports are, and cutting them here is several times faster than a reader that is ready for anything.
 * DuckDB says how the file is cut (its sniffer), and reads it instead as soon as a line is not so plain. Cells come in
 * DuckDB's layout, so that whoever decodes them need not know who cut them. */
#ifndef FL_PLAIN_CSV_H
#define FL_PLAIN_CSV_H

#include "data/duck.h"
#include "data/source.h"

enum { FL_PLAIN_PIECES = 32 };

typedef struct fl_plain fl_plain;

/* *out NULL: the file is not plain, or DuckDB doesn't know how it is cut. names, columns: of the file. */
florin_status fl_plain_open(fl_plain **out, fl_duck *db, const fl_source *src, const char *path,
                            florin_error *err);
void fl_plain_close(fl_plain *p);
uint32_t fl_plain_columns(const fl_plain *p);
/* Number of a column by its name, -1: none. */
int fl_plain_column(const fl_plain *p, const char *name);
/* Cells of that column will be wanted: their place among those that fl_plain_split gives. */
uint16_t fl_plain_want(fl_plain *p, uint32_t column);
uint16_t fl_plain_wanted(const fl_plain *p); /* columns */
uint32_t fl_plain_first(const fl_plain *p);  /* number of the first row, as in fl_relation */
uint64_t fl_plain_rows(const fl_plain *p);   /* about */

/* A stretch of the file, whole lines, in pieces of at most `lines` each. */
typedef struct {
    char *text;
    size_t room;
    uint32_t pieces;
    struct {
        size_t start, bytes;
        uint32_t lines;
    } piece[FL_PLAIN_PIECES];
} fl_plain_block;

/* The next stretch; no pieces at the end. The block before it must still be as it was read. *plain false: it is not. */
florin_status fl_plain_read(fl_plain *p, fl_plain_block *b, uint32_t pieces, uint32_t lines,
                            bool *plain, florin_error *err);
void fl_plain_block_free(fl_plain_block *b);
/* cells [wanted][stride]: the cells of a piece of `lines` lines; they point into its text, of which 16 bytes beyond the
 * end may be read. False: a line is not plain. */
bool fl_plain_split(const fl_plain *p, const char *text, size_t bytes, uint32_t lines,
                    fl_duck_cell *cells, size_t stride);

/* Is [s, end) UTF-8 (RFC 3629: no overlong forms, no surrogates)? */
bool fl_plain_utf8(const uint8_t *s, const uint8_t *end);

#endif
