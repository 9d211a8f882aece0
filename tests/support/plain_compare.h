/* Is a plain file what DuckDB reads too? For tests/test_import_plain.c and the fuzzer. */
#ifndef FL_TEST_PLAIN_COMPARE_H
#define FL_TEST_PLAIN_COMPARE_H

#include "data/plain_csv.h"
#include <stdio.h>

typedef enum { PLAIN_NOT, PLAIN_SAME, PLAIN_DIFFERENT } plain_verdict;

/* Cells of the file, each before a 0x1f, rows before a 0x1e. False: not plain. */
static bool plain_cells(fl_plain *p, fl_buf *out)
{
    enum { LINES = 64 };
    fl_plain_block b[2] = {0};
    bool plain = true, more = true;
    uint32_t columns = fl_plain_columns(p);
    for (uint32_t c = 0; c < columns; c++) fl_plain_want(p, c);
    fl_duck_cell *cells = calloc((size_t)columns * LINES, sizeof *cells);
    for (int i = 0; plain && more; i ^= 1) {
        if (fl_plain_read(p, &b[i], 3, LINES, &plain, NULL)) plain = false;
        more = b[i].pieces > 0;
        for (uint32_t k = 0; k < b[i].pieces && plain; k++) {
            uint32_t lines = b[i].piece[k].lines;
            plain = fl_plain_split(p, b[i].text + b[i].piece[k].start, b[i].piece[k].bytes, lines,
                                   cells, LINES);
            for (uint32_t l = 0; l < lines && plain; l++) {
                for (uint32_t c = 0; c < columns; c++) {
                    const fl_duck_cell *cell = &cells[(size_t)c * LINES + l];
                    fl_buf_add(out, fl_duck_cell_text(cell), cell->near.length);
                    fl_buf_puts(out, "\x1f");
                }
                fl_buf_puts(out, "\x1e");
            }
        }
    }
    fl_plain_block_free(&b[0]);
    fl_plain_block_free(&b[1]);
    free(cells);
    return plain;
}

/* *named false: DuckDB finds other columns. Of two readings that both make sense the schema's names choose one. */
static bool duck_cells(fl_duck *db, const fl_source *src, const char *path, const fl_plain *p,
                       fl_buf *out, bool *named)
{
    static const fl_schema none;
    fl_relation r;
    fl_buf sql = {0};
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    if (fl_source_relation(&r, db, &none, src, path, NULL)) return false;
    *named = r.columns == fl_plain_columns(p);
    for (uint32_t c = 0; *named && c < r.columns; c++)
        *named = fl_plain_column(p, r.name[c]) == (int)c;
    fl_buf_printf(&sql, "SELECT COLUMNS('^raw:') FROM %s", r.sql);
    bool ok = !fl_duck_query(&q, db, sql.data, false, NULL);
    while (ok && (ok = !fl_duck_next(q, &rows, NULL)) && rows)
        for (uint64_t i = 0; i < rows; i++) {
            for (uint32_t c = 0; c < fl_duck_columns(q); c++) {
                size_t n = 0;
                const char *s = fl_duck_null(q, c, i) ? "" : fl_duck_text(q, c, i, &n);
                fl_buf_add(out, s, n);
                fl_buf_puts(out, "\x1f");
            }
            fl_buf_puts(out, "\x1e");
        }
    fl_duck_result_free(q);
    q = NULL;
    if (ok && !fl_duck_query(&q, db, "SELECT count(*) FROM reject_errors", false, NULL)) {
        ok =
            !fl_duck_next(q, &rows, NULL) && rows == 1 && *(const int64_t *)fl_duck_data(q, 0) == 0;
        fl_duck_result_free(q);
    }
    fl_source_forget_rejects(db);
    fl_relation_free(&r);
    fl_buf_free(&sql);
    return ok;
}

static plain_verdict plain_compare(fl_duck *db, const fl_source *src, const char *path)
{
    fl_plain *p = NULL;
    fl_buf ours = {0}, theirs = {0};
    fl_buf_add(&ours, "", 0);
    fl_buf_add(&theirs, "", 0);
    plain_verdict v = PLAIN_NOT;
    bool named = true;
    if (!fl_plain_open(&p, db, src, path, NULL) && p && plain_cells(p, &ours)) {
        bool same = duck_cells(db, src, path, p, &theirs, &named) && ours.len == theirs.len &&
                    !memcmp(ours.data, theirs.data, ours.len);
        v = !named ? PLAIN_NOT : same ? PLAIN_SAME : PLAIN_DIFFERENT;
    }
    if (v == PLAIN_DIFFERENT)
        fprintf(stderr, "here:\n%.500s\nDuckDB:\n%.500s\n", ours.data, theirs.data);
    fl_plain_close(p);
    fl_buf_free(&ours);
    fl_buf_free(&theirs);
    return v;
}

#endif
