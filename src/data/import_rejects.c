/* Rows set aside, with row, field and reason; never with a value, which may be somebody's card. */
#include "base/file.h"
#include "data/import_parts.h"
#include <stdio.h>

/* Past so many the first are written with the numbers known by then. */
enum { WAITING_MAX = 4000000, ERRORS_MAX = 16 };

/* A line that is no row. */
typedef struct {
    uint64_t number;
    uint32_t error;
} broken_line;

struct fl_rejects {
    fl_writer *file; /* NULL: no row was set aside yet */
    char *path;
    fl_rejected_row *row;
    size_t rows, cap;
    broken_line *line; /* of one source */
    size_t lines, line_cap;
    char error[ERRORS_MAX][96]; /* kinds of broken lines */
    uint32_t errors;
};

florin_status fl_rejects_open(fl_rejects **out, const char *path, florin_error *err)
{
    fl_rejects *r = fl_calloc(1, sizeof *r);
    if (r) r->path = fl_strdup(path);
    if (!r || !r->path) {
        free(r);
        *out = NULL;
        return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    *out = r;
    return FLORIN_OK;
}

void fl_rejects_close(fl_rejects *r)
{
    if (!r) return;
    fl_writer_abort(r->file);
    free(r->path);
    free(r->row);
    free(r->line);
    free(r);
}

static void count_reason(fl_import_stats *t, const char *reason)
{
    uint32_t i = 0;
    t->rejected++;
    while (i < t->reasons && strcmp(t->reason[i].reason, reason)) i++;
    if (i == t->reasons && i < FL_REJECT_REASONS) {
        snprintf(t->reason[i].reason, sizeof t->reason[i].reason, "%s", reason);
        t->reason[t->reasons++].count = 0;
    }
    if (i < FL_REJECT_REASONS) t->reason[i].count++;
}

static int by_place(const void *a, const void *b)
{
    const fl_rejected_row *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static florin_status write_waiting(fl_importer *m)
{
    static const char head[] = "source,row,field,reason\n";
    fl_rejects *r = m->rejects;
    fl_buf b = {0};
    florin_status st = FLORIN_OK;
    if (!r->rows) return st;
    qsort(r->row, r->rows, sizeof *r->row, by_place);
    if (!r->file) {
        st = fl_writer_open(&r->file, r->path, 0600, m->err);
        if (!st) st = fl_writer_add(r->file, head, sizeof head - 1, m->err);
    }
    for (size_t i = 0; i < r->rows && !st; i++) {
        const fl_rejected_row *x = &r->row[i];
        b.len = 0;
        fl_buf_printf(&b, "%s,%llu,%s,%s\n", m->schema->source[x->source].name,
                      (unsigned long long)x->row, x->field, x->reason);
        st = b.failed ? fl_fail(m->err, FLORIN_ENOMEM, "rejected rows")
                      : fl_writer_add(r->file, b.data, b.len, m->err);
    }
    fl_buf_free(&b);
    r->rows = 0;
    return st;
}

florin_status fl_rejects_add(fl_importer *m, const fl_rejected_row *row)
{
    fl_rejects *r = m->rejects;
    void *p = r->row;
    count_reason(m->stats, row->reason);
    if (r->rows == WAITING_MAX && !m->opt->strict) {
        florin_status st = write_waiting(m);
        if (st) return st;
    }
    if (!fl_grow(&p, &r->cap, r->rows + 1, sizeof *r->row))
        return fl_fail(m->err, FLORIN_ENOMEM, "%zu rejected rows", r->rows);
    r->row = p;
    r->row[r->rows++] = *row;
    m->refused = m->opt->strict;
    return FLORIN_OK;
}

/* The kind of a broken line, as words; kept once. */
static uint32_t error_number(fl_rejects *r, const char *kind, size_t n)
{
    char text[96];
    snprintf(text, sizeof text, "line can't be read: %.*s", n > 60 ? 60 : (int)n, kind);
    for (char *p = text + 20; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
        else if (*p == '_' || *p == ',') *p = ' ';
    for (uint32_t i = 0; i < r->errors; i++)
        if (!strcmp(r->error[i], text)) return i;
    if (r->errors == ERRORS_MAX) return ERRORS_MAX - 1;
    memcpy(r->error[r->errors], text, sizeof text);
    return r->errors++;
}

/* Broken lines of the k-th scan of a file, each once, in order. */
static florin_status load_lines(fl_importer *m, const char *path, uint32_t k)
{
    fl_rejects *r = m->rejects;
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    fl_buf sql = {0};
    r->lines = 0;
    fl_buf_puts(&sql,
                "SELECT CAST(min(e.line) AS UBIGINT), CAST(min(CAST(e.error_type AS VARCHAR)) AS "
                "VARCHAR) FROM reject_errors e JOIN (SELECT scan_id, file_id, row_number() OVER "
                "(ORDER BY scan_id, file_id) - 1 AS k FROM reject_scans WHERE file_path = '");
    for (const char *p = path; *p; p++) fl_buf_printf(&sql, *p == '\'' ? "''" : "%c", *p);
    fl_buf_printf(&sql,
                  "') s ON e.scan_id = s.scan_id AND e.file_id = s.file_id AND s.k = %u GROUP BY "
                  "e.line_byte_position ORDER BY e.line_byte_position",
                  k);
    if (sql.failed) return fl_fail(m->err, FLORIN_ENOMEM, "rejected rows");
    florin_status st = FLORIN_OK;
    if (!fl_duck_query(&q, m->db, sql.data, false, NULL)) /* no such tables: this was no CSV */
        while (!st && !(st = fl_duck_next(q, &rows, m->err)) && rows)
            for (uint64_t i = 0; i < rows && !st; i++) {
                size_t n;
                const char *kind = fl_duck_text(q, 1, i, &n);
                uint64_t line = ((const uint64_t *)fl_duck_data(q, 0))[i];
                void *p = r->line;
                if (!fl_grow(&p, &r->line_cap, r->lines + 1, sizeof *r->line)) {
                    st = fl_fail(m->err, FLORIN_ENOMEM, "%zu broken lines", r->lines);
                    break;
                }
                r->line = p;
                r->line[r->lines++] = (broken_line){line, error_number(r, kind, n)};
            }
    fl_duck_result_free(q);
    fl_buf_free(&sql);
    return st;
}

/* Rows come numbered without the broken lines; a reader of the file counts those too. */
static florin_status settle_source(fl_importer *m, uint32_t source)
{
    fl_rejects *r = m->rejects;
    florin_status st = FLORIN_OK;
    if (r->rows) qsort(r->row, r->rows, sizeof *r->row, by_place);
    size_t k = 0, end = r->rows;
    for (size_t i = 0; i < end; i++) {
        if (r->row[i].source != source) continue;
        while (k < r->lines && r->line[k].number <= r->row[i].row + k) k++;
        r->row[i].row += k;
    }
    for (size_t i = 0; i < r->lines && !st; i++) {
        m->stats->read++;
        st = fl_rejects_add(
            m, &(fl_rejected_row){r->line[i].number, source, "line", r->error[r->line[i].error]});
    }
    return st;
}

florin_status fl_rejects_settle(fl_importer *m, uint32_t from, uint32_t to)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = from; i < to && !st; i++) {
        uint32_t k = 0; /* sources before that read the same file in the same query */
        if (!m->path[i] || !m->relation[i].text) continue;
        for (uint32_t o = from; o < i; o++) k += m->path[o] && !strcmp(m->path[o], m->path[i]);
        st = load_lines(m, m->path[i], k);
        if (!st && m->rejects->lines) st = settle_source(m, i);
    }
    fl_source_forget_rejects(m->db);
    if (!st && m->opt->strict && m->rejects->rows) {
        qsort(m->rejects->row, m->rejects->rows, sizeof *m->rejects->row, by_place);
        const fl_rejected_row *x = &m->rejects->row[0];
        return fl_fail(m->err, FLORIN_EINPUT,
                       "%s: row %llu, field %s: %s (--strict: nothing was imported; without it the "
                       "row would be set aside)",
                       m->path[x->source], (unsigned long long)x->row, x->field, x->reason);
    }
    return st ? st : write_waiting(m);
}

florin_status fl_rejects_commit(fl_rejects *r, florin_error *err)
{
    fl_writer *w = r->file;
    r->file = NULL;
    return w ? fl_writer_commit(w, err) : FLORIN_OK;
}
