/* The waiting rows become a segment: sorted by time where they are not, labels resolved, indexes counted, columns
 * written. Threads share the columns; the file is the same however many they are. */
#include "data/log_writer_parts.h"
#include <stdio.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* One pass of a radix sort, stable: pairs of (key, row) by the digit of the key at `shift`. */
static void radix_pass(const uint64_t *key, const uint32_t *row, uint64_t *key_out,
                       uint32_t *row_out, size_t n, int shift)
{
    size_t start[DIGITS + 1] = {0};
    for (size_t i = 0; i < n; i++) start[(key[i] >> shift) % DIGITS + 1]++;
    for (size_t d = 1; d < DIGITS; d++) start[d] += start[d - 1];
    for (size_t i = 0; i < n; i++) {
        size_t to = start[(key[i] >> shift) % DIGITS]++;
        key_out[to] = key[i];
        row_out[to] = row[i];
    }
}

/* Rows in the order of their time, equal ones as they came; *order NULL: they are in order. */
static florin_status time_order(uint32_t **order, const int64_t *time, size_t n, florin_error *err)
{
    bool sorted = true;
    int64_t low = n ? time[0] : 0, high = low;
    *order = NULL;
    for (size_t i = 1; i < n; i++) {
        sorted &= time[i - 1] <= time[i];
        low = time[i] < low ? time[i] : low;
        high = time[i] > high ? time[i] : high;
    }
    if (sorted) return FLORIN_OK;
    uint64_t *key = fl_alloc(n, sizeof *key), *key2 = fl_alloc(n, sizeof *key);
    uint32_t *row = fl_alloc(n, sizeof *row), *row2 = fl_alloc(n, sizeof *row);
    bool ok = key && key2 && row && row2;
    for (size_t i = 0; ok && i < n; i++) {
        key[i] = (uint64_t)time[i] - (uint64_t)low;
        row[i] = (uint32_t)i;
    }
    for (int shift = 0; ok && shift < 64 && ((uint64_t)high - (uint64_t)low) >> shift;
         shift += DIGIT_BITS) {
        radix_pass(key, row, key2, row2, n, shift);
        uint64_t *k = key;
        key = key2;
        key2 = k;
        uint32_t *r = row;
        row = row2;
        row2 = r;
    }
    free(key);
    free(key2);
    free(row2);
    if (ok) *order = row;
    else free(row);
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "sorting %zu rows", n);
}

/* ---- columns in another order, one after another on each thread ---- */

typedef struct {
    fl_column *column[16 + FL_KINDS_MAX + FL_CATEGORIES_MAX + FL_NUMBERS_MAX];
    uint8_t width[16 + FL_KINDS_MAX + FL_CATEGORIES_MAX + FL_NUMBERS_MAX];
    uint32_t columns;
    const uint32_t *order;
    size_t n;
    bool failed[16 + FL_KINDS_MAX + FL_CATEGORIES_MAX + FL_NUMBERS_MAX];
} reordering;

static void reorder_column(void *arg, uint32_t c)
{
    reordering *x = arg;
    const uint32_t *order = x->order;
    void *out = fl_alloc(x->n, x->width[c]), *in = x->column[c]->data;
    x->failed[c] = !out;
    if (!out) return;
    switch (x->width[c]) {
    case 1:
        for (size_t i = 0; i < x->n; i++) ((uint8_t *)out)[i] = ((const uint8_t *)in)[order[i]];
        break;
    case 2:
        for (size_t i = 0; i < x->n; i++) ((uint16_t *)out)[i] = ((const uint16_t *)in)[order[i]];
        break;
    case 4:
        for (size_t i = 0; i < x->n; i++) ((uint32_t *)out)[i] = ((const uint32_t *)in)[order[i]];
        break;
    default:
        for (size_t i = 0; i < x->n; i++) ((uint64_t *)out)[i] = ((const uint64_t *)in)[order[i]];
    }
    memcpy(in, out, x->n * x->width[c]);
    free(out);
}

static void add_column(reordering *x, fl_column *c, uint8_t width)
{
    x->column[x->columns] = c;
    x->width[x->columns++] = width;
}

static florin_status reorder(reordering *x, const fl_log_writer *w, florin_error *err)
{
    fl_parallel(fl_threads(w->ctx), x->columns, reorder_column, x);
    for (uint32_t c = 0; c < x->columns; c++)
        if (x->failed[c]) return fl_fail(err, FLORIN_ENOMEM, "sorting %zu rows", x->n);
    return FLORIN_OK;
}

static florin_status reorder_ids(fl_log_writer *w, const uint32_t *order, florin_error *err)
{
    size_t n = (size_t)w->rows;
    if (!w->id_end.data) return FLORIN_OK;
    uint64_t *end = w->id_end.data, *out = fl_alloc(n ? n : 1, 8);
    fl_buf text = {0};
    for (size_t i = 0; out && i < n; i++) {
        uint64_t from = order[i] ? end[order[i] - 1] : 0;
        fl_buf_add(&text, w->id_text.data + from, (size_t)(end[order[i]] - from));
        out[i] = text.len;
    }
    if (!out || text.failed) {
        free(out);
        fl_buf_free(&text);
        return fl_fail(err, FLORIN_ENOMEM, "event ids");
    }
    memcpy(end, out, n * 8);
    free(out);
    fl_buf_free(&w->id_text);
    w->id_text = text;
    return FLORIN_OK;
}

/* *order: as of time_order, so that others may follow. */
static florin_status sort_rows(fl_log_writer *w, uint32_t **order, florin_error *err)
{
    reordering x = {.n = (size_t)w->rows};
    florin_status st = time_order(order, w->time.data, x.n, err);
    if (st || !*order) return st;
    x.order = *order;
    add_column(&x, &w->time, 8);
    add_column(&x, &w->amount, 8);
    add_column(&x, &w->id, 8);
    add_column(&x, &w->present, 4);
    if (w->id_number.data) add_column(&x, &w->id_number, 4);
    for (uint32_t k = 0; k < w->schema->kinds; k++) add_column(&x, &w->entity[k], 4);
    for (uint32_t f = 0; f < w->schema->categories; f++) add_column(&x, &w->category[f], 4);
    for (uint32_t f = 0; f < w->schema->numbers; f++) add_column(&x, &w->number[f], 4);
    add_column(&x, &w->currency, 2);
    add_column(&x, &w->type, 1);
    add_column(&x, &w->marks, 1);
    st = reorder(&x, w, err);
    return st ? st : reorder_ids(w, *order, err);
}

/* ---- labels ---- */

/* place[row in order of arrival] = row in order of time; NULL when they are the same or there is no memory. */
static florin_status places(uint32_t **place, const uint32_t *order, size_t n, florin_error *err)
{
    *place = order ? fl_alloc(n, sizeof **place) : NULL;
    if (order && !*place) return fl_fail(err, FLORIN_ENOMEM, "sorting %zu rows", n);
    for (size_t i = 0; order && i < n; i++) (*place)[order[i]] = (uint32_t)i;
    return FLORIN_OK;
}

/* Rows got other numbers: labels to come look them up. */
static void number_ids(fl_log_writer *w)
{
    const uint64_t *id = w->id.data;
    for (uint64_t r = 0; r < w->rows; r++) {
        if (r + FL_WRITER_AHEAD < w->rows) fl_map64_prefetch(&w->ids, id[r + FL_WRITER_AHEAD]);
        *fl_map64_find(&w->ids, id[r]) = (uint32_t)(w->base + r + 1);
    }
}

/* The labels whose event has a row now go to the front of their columns, with its number in the whole log; the others
 * wait on, in *rest. */
static florin_status resolve_labels(fl_log_writer *w, const uint32_t *place,
                                    fl_waiting_labels *rest, florin_error *err)
{
    fl_waiting_labels *l = &w->labels;
    uint32_t *row = l->row.data;
    const uint64_t *id = l->id.data;
    size_t kept = 0, waiting = 0, next = 0;
    memset(rest, 0, sizeof *rest);
    for (size_t i = 0; i < l->n; i++) {
        const uint32_t *known = NULL;
        uint64_t event = row[i] == FL_NONE ? id[next++] : 0;
        if (next + FL_WRITER_AHEAD < l->ids && event)
            fl_map64_prefetch(&w->ids, id[next + FL_WRITER_AHEAD]);
        if (event) known = fl_map64_find(&w->ids, event);
        uint32_t to = !event            ? (uint32_t)w->base + (place ? place[row[i]] : row[i])
                      : known && *known ? *known - 1
                                        : FL_NONE;
        if (to == FL_NONE) {
            if (!fl_grow(&rest->arrival_us.data, &rest->arrival_us.cap, waiting + 1, 8) ||
                !fl_grow(&rest->value.data, &rest->value.cap, waiting + 1, 4) ||
                !fl_grow(&rest->row.data, &rest->row.cap, waiting + 1, 4) ||
                !fl_grow(&rest->label.data, &rest->label.cap, waiting + 1, 1) ||
                !fl_grow(&rest->id.data, &rest->id.cap, waiting + 1, 8))
                return fl_fail(err, FLORIN_ENOMEM, "%zu labels", waiting);
            FL_COLUMN(rest->arrival_us, int64_t)[waiting] = FL_COLUMN(l->arrival_us, int64_t)[i];
            FL_COLUMN(rest->value, float)[waiting] = FL_COLUMN(l->value, float)[i];
            FL_COLUMN(rest->row, uint32_t)[waiting] = FL_NONE;
            FL_COLUMN(rest->label, uint8_t)[waiting] = FL_COLUMN(l->label, uint8_t)[i];
            FL_COLUMN(rest->id, uint64_t)[waiting++] = event;
            continue;
        }
        FL_COLUMN(l->arrival_us, int64_t)[kept] = FL_COLUMN(l->arrival_us, int64_t)[i];
        FL_COLUMN(l->value, float)[kept] = FL_COLUMN(l->value, float)[i];
        FL_COLUMN(l->label, uint8_t)[kept] = FL_COLUMN(l->label, uint8_t)[i];
        row[kept++] = to;
    }
    l->n = kept;
    rest->n = rest->ids = waiting;
    return FLORIN_OK;
}

/* By arrival, then order of import. */
static florin_status sort_labels(fl_log_writer *w, florin_error *err)
{
    uint32_t *order = NULL;
    fl_waiting_labels *l = &w->labels;
    reordering x = {.n = l->n};
    florin_status st = time_order(&order, l->arrival_us.data, l->n, err);
    if (st || !order) return st;
    x.order = order;
    add_column(&x, &l->arrival_us, 8);
    add_column(&x, &l->value, 4);
    add_column(&x, &l->row, 4);
    add_column(&x, &l->label, 1);
    st = reorder(&x, w, err);
    free(order);
    return st;
}

static void free_labels(fl_waiting_labels *l)
{
    free(l->arrival_us.data);
    free(l->value.data);
    free(l->row.data);
    free(l->label.data);
    free(l->id.data);
    memset(l, 0, sizeof *l);
}

static florin_status write_labels(const fl_log_writer *w, fl_blocks_writer *b, florin_error *err)
{
    const fl_waiting_labels *l = &w->labels;
    florin_status st =
        fl_blocks_writer_add(b, FL_SEG_LABEL_TIME, 0, 8, l->arrival_us.data, l->n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_LABEL_ROW, 0, 4, l->row.data, l->n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_LABEL_VALUE, 0, 4, l->value.data, l->n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_LABEL_NUMBER, 0, 1, l->label.data, l->n, err);
    return st;
}

/* ---- the segment ---- */

/* CSR index: rows of each entity in order, by counting. */
typedef struct {
    uint32_t *start, *rows;
} entity_index;

static void build_index(const fl_log_writer *w, uint32_t k, entity_index *out)
{
    uint32_t entities = w->entities[k].count;
    size_t n = (size_t)w->rows;
    const uint32_t *e = w->entity[k].data;
    uint32_t *start = fl_calloc((size_t)entities + 2, 4), *rows = fl_alloc(n ? n : 1, 4);
    out->start = start;
    out->rows = rows;
    if (!start || !rows) return;
    for (size_t i = 0; i < n; i++)
        if (e[i] != FL_NONE) start[e[i] + 2]++;
    for (uint32_t i = 2; i < entities + 2; i++) start[i] += start[i - 1];
    for (size_t i = 0; i < n; i++)
        if (e[i] != FL_NONE) rows[start[e[i] + 1]++] = (uint32_t)i;
}

static florin_status write_columns(const fl_log_writer *w, fl_blocks_writer *b, florin_error *err)
{
    const fl_schema *s = w->schema;
    uint64_t n = w->rows;
    florin_status st = fl_blocks_writer_add(b, FL_SEG_TIME, 0, 8, w->time.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_AMOUNT, 0, 8, w->amount.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_TYPE, 0, 1, w->type.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_MARKS, 0, 1, w->marks.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_CURRENCY, 0, 2, w->currency.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_ID, 0, 8, w->id.data, n, err);
    if (!st && w->id_number.data)
        st = fl_blocks_writer_add(b, FL_SEG_ID_NUMBER, 0, 4, w->id_number.data, n, err);
    if (!st && w->id_end.data)
        st = fl_blocks_writer_add(b, FL_SEG_ID_END, 0, 8, w->id_end.data, n, err);
    if (!st && w->id_end.data)
        st = fl_blocks_writer_add(b, FL_SEG_ID_TEXT, 0, 1, w->id_text.data, w->id_text.len, err);
    if (!st && s->numbers)
        st = fl_blocks_writer_add(b, FL_SEG_PRESENT, 0, 4, w->present.data, n, err);
    for (uint32_t k = 0; k < s->kinds && !st; k++) {
        const fl_dictionary *d = &w->entities[k];
        st = fl_blocks_writer_add(b, FL_SEG_ENTITY, (uint16_t)k, 4, w->entity[k].data, n, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_ENTITY_NEW, (uint16_t)k, 8, d->hash.data,
                                      d->count - d->old, err);
    }
    for (uint32_t f = 0; f < s->categories && !st; f++) {
        const fl_dictionary *d = &w->values[f];
        st = fl_blocks_writer_add(b, FL_SEG_CATEGORY, (uint16_t)f, 4, w->category[f].data, n, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_HASH, (uint16_t)f, 8, d->hash.data,
                                      d->count - d->old, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_END, (uint16_t)f, 8, d->end.data,
                                      d->count - d->old, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_TEXT, (uint16_t)f, 1, d->text.data,
                                      d->text.len, err);
    }
    for (uint32_t f = 0; f < s->numbers && !st; f++)
        st = fl_blocks_writer_add(b, FL_SEG_NUMBER, (uint16_t)f, 4, w->number[f].data, n, err);
    return st ? st : write_labels(w, b, err);
}

/* Bytes of the segment, about. */
static uint64_t segment_bytes(const fl_log_writer *w)
{
    const fl_schema *s = w->schema;
    uint64_t row = 8 + 8 + 1 + 1 + 2 + 8 + (w->id_end.data ? 8 : 0) + (w->id_number.data ? 4 : 0) +
                   8 * s->kinds + 4 * s->categories + (s->numbers ? 4 + 4 * s->numbers : 0);
    uint64_t n = w->rows * row + w->labels.n * 17 + w->id_text.len;
    for (uint32_t k = 0; k < s->kinds; k++)
        n += 4 * (uint64_t)w->entities[k].count + 8 * (w->entities[k].count - w->entities[k].old);
    return n;
}

/* Columns are written on one thread while others count the indexes, which stand behind them. */
typedef struct {
    const fl_log_writer *w;
    fl_blocks_writer *b;
    entity_index index[FL_KINDS_MAX];
    florin_status st;
    florin_error *err;
} segment_work;

static void segment_part(void *arg, uint32_t i)
{
    segment_work *x = arg;
    if (i == 0) x->st = write_columns(x->w, x->b, x->err);
    else build_index(x->w, i - 1, &x->index[i - 1]);
}

static florin_status write_segment(const fl_log_writer *w, fl_blocks_writer *b, florin_error *err)
{
    segment_work x = {.w = w, .b = b, .err = err};
    const fl_schema *s = w->schema;
    fl_blocks_writer_expect(b, segment_bytes(w));
    fl_parallel(fl_threads(w->ctx), 1 + s->kinds, segment_part, &x);
    florin_status st = x.st;
    for (uint32_t k = 0; k < s->kinds; k++) {
        const entity_index *e = &x.index[k];
        uint32_t n = w->entities[k].count;
        if (!st && (!e->start || !e->rows))
            st = fl_fail(err, FLORIN_ENOMEM, "index of %s", s->kind[k].name);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_INDEX_START, (uint16_t)k, 4, e->start,
                                      (uint64_t)n + 1, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_INDEX_ROW, (uint16_t)k, 4, e->rows, e->start[n],
                                      err);
        free(x.index[k].start);
        free(x.index[k].rows);
    }
    return st;
}

static florin_status write_names(const fl_log_writer *w, const char *path, florin_error *err)
{
    fl_blocks_writer *b = NULL;
    uint64_t hash, bytes;
    florin_status st = fl_blocks_writer_open(&b, path, 0600, err);
    for (uint32_t k = 0; k < w->schema->kinds && !st; k++) {
        const fl_dictionary *d = &w->entities[k];
        st = fl_blocks_writer_add(b, FL_NAMES_END, (uint16_t)k, 8, d->end.data, d->count - d->old,
                                  err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_NAMES_TEXT, (uint16_t)k, 1, d->text.data, d->text.len,
                                      err);
    }
    if (!st) return fl_blocks_writer_commit(b, &hash, &bytes, err);
    fl_blocks_writer_abort(b);
    return st;
}

static florin_status write_files(fl_log_writer *w, florin_error *err)
{
    uint64_t hash = 0, bytes = 0;
    fl_blocks_writer *b = NULL;
    char file[32], names[32], hex[17];
    snprintf(file, sizeof file, "seg-%06u.fls", ++w->files);
    snprintf(names, sizeof names, "ids-%06u.fld", w->files);
    char *path = fl_path_join(w->path, file), *names_path = fl_path_join(w->path, names);
    florin_status st = path && names_path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    if (!st) st = fl_blocks_writer_open(&b, path, 0644, err);
    if (!st) st = write_segment(w, b, err);
    if (!st) {
        st = fl_blocks_writer_commit(b, &hash, &bytes, err);
        b = NULL;
    }
    if (!st && w->keep_ids) st = write_names(w, names_path, err);
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
    json_t *s =
        st ? NULL
           : json_pack("{s:s, s:I, s:I, s:I, s:s, s:s*}", "file", file, "rows", (json_int_t)w->rows,
                       "labels", (json_int_t)w->labels.n, "bytes", (json_int_t)bytes, "checksum",
                       hex, "names", w->keep_ids ? names : NULL);
    if (!st && (!s || json_array_append_new(json_object_get(w->manifest, "segments"), s)))
        st = fl_fail(err, FLORIN_ENOMEM, "manifest");
    fl_blocks_writer_abort(b);
    free(path);
    free(names_path);
    return st;
}

/* The batch is in its segment: forget rows and texts, keep the tables. */
static void clear_batch(fl_log_writer *w, fl_waiting_labels *rest)
{
    w->stats.rows += w->rows;
    w->stats.labels += w->labels.n;
    w->base += w->rows;
    w->rows = 0;
    w->fresh = 0;
    w->added = 0;
    w->id_text.len = 0;
    free(w->id_end.data);
    free(w->id_number.data);
    memset(&w->id_end, 0, sizeof w->id_end);
    memset(&w->id_number, 0, sizeof w->id_number);
    for (uint32_t k = 0; k < w->schema->kinds; k++) {
        w->entities[k].old = w->entities[k].count;
        w->entities[k].text.len = 0;
    }
    for (uint32_t f = 0; f < w->schema->categories; f++) {
        w->values[f].old = w->values[f].count;
        w->values[f].text.len = 0;
    }
    free_labels(&w->labels);
    w->labels = *rest;
    memset(rest, 0, sizeof *rest);
    w->labels_told = w->labels.n;
    w->ids_told = w->labels.ids;
}

florin_status fl_log_writer_flush(fl_log_writer *w, bool more, florin_error *err)
{
    uint32_t *order = NULL, *place = NULL;
    fl_waiting_labels rest = {0};
    florin_status st = more ? fl_log_writer_settle_told(w, err) : FLORIN_OK;
    if (!st) st = sort_rows(w, &order, err);
    if (!st) st = places(&place, order, (size_t)w->rows, err);
    if (!st && order && (more || w->labels.ids)) number_ids(w);
    free(order);
    if (!st) st = resolve_labels(w, place, &rest, err);
    free(place);
    if (!st) st = sort_labels(w, err);
    if (!st && !more) { /* nobody asks any more */
        fl_map64_free(&w->ids);
        fl_map64_free(&w->told);
        fl_map64_free(&w->same_rows);
    }
    const int64_t *time = w->time.data;
    for (uint64_t r = 0; r < w->rows && !st; r++) {
        if (time[r] < w->clock_us) w->stats.late++;
        else w->clock_us = time[r];
    }
    if (!st && (w->rows || w->labels.n)) st = write_files(w, err);
    if (!st) clear_batch(w, &rest);
    free_labels(&rest);
    return st;
}
