/* Arrow's columnar format 1.0, IPC file: "ARROW1", schema message, record batches, footer (a flatbuffer that says where
 * each lies), "ARROW1". Owns the little of flatbuffers that this needs: tables are written parent first, so that every
 * offset points forward; a vtable lies right before its table. All integers little-endian, as on every CPU we build for.
 * Names and numbers of fields are those of Schema.fbs, Message.fbs and File.fbs. */
#include "data/arrow_file.h"
#include <math.h>

enum { V5 = 4, HEADER_SCHEMA = 1, HEADER_BATCH = 3, FIELDS_MAX = 6 };
enum { TYPE_INT = 2, TYPE_FLOAT = 3, TYPE_UTF8 = 5, TYPE_BOOL = 6, TYPE_TIMESTAMP = 10 };

typedef struct {
    int64_t offset;
    int32_t meta, spare;
    int64_t body;
} block; /* as File.fbs lays it out */

struct fl_arrow_file {
    fl_writer *file;
    const fl_table_column *column;
    uint32_t columns;
    block *blocks;
    size_t batches, cap;
    const char *path;
};

/* ---- flatbuffers ---- */

static void zeros(fl_buf *b, size_t n)
{
    static const char zero[64];
    for (; n > sizeof zero; n -= sizeof zero) fl_buf_add(b, zero, sizeof zero);
    fl_buf_add(b, zero, n);
}

static void align(fl_buf *b, size_t to, size_t rest)
{
    while (b->len % to != rest && !b->failed) zeros(b, 1);
}

static void put(fl_buf *b, size_t at, const void *value, size_t n)
{
    if (!b->failed) memcpy(b->data + at, value, n);
}

/* The reference at `at` points to `to`. */
static void point(fl_buf *b, size_t at, size_t to)
{
    uint32_t offset = (uint32_t)(to - at);
    put(b, at, &offset, sizeof offset);
}

/* A table of n fields of the given sizes (0: absent), all zero; at[i]: where field i lies. Returns where it begins. */
static size_t table(fl_buf *b, uint32_t n, const uint8_t *size, size_t *at)
{
    uint16_t v[2 + FIELDS_MAX] = {(uint16_t)(4 + 2 * n)};
    size_t end = 4;

    for (uint32_t i = 0; i < n; i++) {
        if (!size[i]) continue;
        end = (end + size[i] - 1) / size[i] * size[i];
        v[2 + i] = (uint16_t)end;
        end += size[i];
    }
    v[1] = (uint16_t)end;
    align(b, 8, (8 - v[0] % 8) % 8);
    fl_buf_add(b, v, v[0]);
    int32_t back = v[0];
    size_t start = b->len;
    fl_buf_add(b, &back, sizeof back);
    zeros(b, end - 4);
    for (uint32_t i = 0; i < n; i++) at[i] = start + v[2 + i];
    return start;
}

static size_t string(fl_buf *b, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);

    align(b, 4, 0);
    fl_buf_add(b, &n, sizeof n);
    fl_buf_add(b, text, (size_t)n + 1);
    return b->len - n - 1 - sizeof n;
}

/* A vector; align_to: of its items. */
static size_t vector(fl_buf *b, const void *items, uint32_t n, size_t size, size_t align_to)
{
    align(b, align_to, align_to == 8 ? 4 : 0);
    size_t start = b->len;
    fl_buf_add(b, &n, sizeof n);
    if (items) fl_buf_add(b, items, n * size);
    else zeros(b, n * size);
    return start;
}

/* ---- metadata ---- */

/* Writes the table of a column's type; *kind: its number in Schema.fbs. */
static size_t column_type(fl_buf *b, fl_duck_type type, uint8_t *kind)
{
    size_t at[FIELDS_MAX], start;
    int32_t bits = type == FL_DUCK_UINT32 ? 32 : 64;
    int16_t precision = type == FL_DUCK_FLOAT ? 1 : 2, microseconds = 2;
    uint8_t is_signed = type == FL_DUCK_INT64;

    switch (type) {
    case FL_DUCK_INT64:
    case FL_DUCK_UINT64:
    case FL_DUCK_UINT32:
        *kind = TYPE_INT;
        start = table(b, 2, (const uint8_t[]){4, 1}, at);
        put(b, at[0], &bits, sizeof bits);
        put(b, at[1], &is_signed, 1);
        return start;
    case FL_DUCK_FLOAT:
    case FL_DUCK_DOUBLE:
        *kind = TYPE_FLOAT;
        start = table(b, 1, (const uint8_t[]){2}, at);
        put(b, at[0], &precision, sizeof precision);
        return start;
    case FL_DUCK_TIME_US:
        *kind = TYPE_TIMESTAMP;
        start = table(b, 1, (const uint8_t[]){2}, at);
        put(b, at[0], &microseconds, sizeof microseconds);
        return start;
    default: *kind = type == FL_DUCK_BOOL ? TYPE_BOOL : TYPE_UTF8; return table(b, 0, NULL, at);
    }
}

static size_t schema(fl_buf *b, const fl_arrow_file *a)
{
    size_t at[FIELDS_MAX], start = table(b, 2, (const uint8_t[]){2, 4}, at);
    size_t list = vector(b, NULL, a->columns, sizeof(uint32_t), 4);
    uint8_t kind, nullable = 1;

    point(b, at[1], list);
    for (uint32_t c = 0; c < a->columns; c++) {
        /* name, nullable, type_type, type, dictionary, children */
        size_t field = table(b, 6, (const uint8_t[]){4, 1, 1, 4, 0, 4}, at);
        point(b, list + sizeof(uint32_t) * (c + 1), field);
        put(b, at[1], &nullable, 1);
        point(b, at[0], string(b, a->column[c].name));
        point(b, at[5], vector(b, NULL, 0, sizeof(uint32_t), 4));
        point(b, at[3], column_type(b, a->column[c].type, &kind));
        put(b, at[2], &kind, 1);
    }
    return start;
}

/* Message: version, header_type, header, bodyLength. Returns where the header's reference lies. */
static size_t message(fl_buf *b, uint8_t header, int64_t body)
{
    int16_t version = V5;
    size_t at[FIELDS_MAX];

    zeros(b, 4);
    point(b, 0, table(b, 4, (const uint8_t[]){2, 1, 4, 8}, at));
    put(b, at[0], &version, sizeof version);
    put(b, at[1], &header, 1);
    put(b, at[3], &body, sizeof body);
    return at[2];
}

/* Marker, length, metadata, padded so that a body that follows lies at a multiple of 8. *meta: bytes of all. */
static florin_status add_message(fl_arrow_file *a, fl_buf *b, int32_t *meta, florin_error *err)
{
    align(b, 8, 0);
    if (b->failed) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", a->path);
    uint32_t head[2] = {0xffffffffu, (uint32_t)b->len};
    florin_status st = fl_writer_add(a->file, head, sizeof head, err);
    *meta = (int32_t)(b->len + sizeof head);
    return st ? st : fl_writer_add(a->file, b->data, b->len, err);
}

/* ---- batches ---- */

typedef struct {
    int64_t offset, length;
} buffer; /* also FieldNode: length, null_count */

static bool present(fl_duck_type type, const void *data, uint64_t i)
{
    switch (type) {
    case FL_DUCK_FLOAT: return isfinite(((const float *)data)[i]);
    case FL_DUCK_DOUBLE: return isfinite(((const double *)data)[i]);
    case FL_DUCK_TEXT: return ((const char *const *)data)[i] != NULL;
    default: return true;
    }
}

/* Adds n bits, of which bit i is set where is(i). */
static void bits(fl_buf *b, fl_duck_type type, const void *data, uint64_t n, bool validity)
{
    for (uint64_t i = 0; i < n; i += 8) {
        uint8_t byte = 0;
        for (uint64_t k = i; k < n && k < i + 8; k++) {
            bool set = validity ? present(type, data, k) : ((const uint8_t *)data)[k] != 0;
            byte = (uint8_t)(byte | set << (k - i));
        }
        fl_buf_add(b, &byte, 1);
    }
}

static buffer close_buffer(fl_buf *body, size_t from)
{
    buffer r = {(int64_t)from, (int64_t)(body->len - from)};

    align(body, 64, 0);
    return r;
}

/* Validity, then values (text: offsets, then bytes). Returns how many buffers. */
static uint32_t column_body(fl_buf *body, fl_duck_type type, const void *data, uint64_t n,
                            buffer *out, int64_t *nulls)
{
    const char *const *text = data;
    size_t from = body->len, width;

    *nulls = 0;
    for (uint64_t i = 0; i < n; i++) *nulls += !present(type, data, i);
    if (*nulls) bits(body, type, data, n, true);
    out[0] = close_buffer(body, from);
    from = body->len;
    if (type == FL_DUCK_TEXT) {
        int32_t at = 0;
        fl_buf_add(body, &at, sizeof at);
        for (uint64_t i = 0; i < n; i++) {
            at += text[i] ? (int32_t)strlen(text[i]) : 0;
            fl_buf_add(body, &at, sizeof at);
        }
        out[1] = close_buffer(body, from);
        from = body->len;
        for (uint64_t i = 0; i < n; i++)
            if (text[i]) fl_buf_puts(body, text[i]);
        out[2] = close_buffer(body, from);
        return 3;
    }
    if (type == FL_DUCK_BOOL) {
        bits(body, type, data, n, false);
    } else {
        width = type == FL_DUCK_FLOAT || type == FL_DUCK_UINT32 ? 4 : 8;
        fl_buf_add(body, data, n * width);
    }
    out[1] = close_buffer(body, from);
    return 2;
}

static florin_status remember(fl_arrow_file *a, uint64_t offset, int32_t meta, size_t body,
                              florin_error *err)
{
    if (!fl_grow((void **)&a->blocks, &a->cap, a->batches + 1, sizeof *a->blocks))
        return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", a->path);
    a->blocks[a->batches++] = (block){(int64_t)offset, meta, 0, (int64_t)body};
    return FLORIN_OK;
}

florin_status fl_arrow_add(fl_arrow_file *a, const void *const *data, uint64_t rows,
                           florin_error *err)
{
    fl_buf body = {0}, meta = {0};
    buffer *node = fl_calloc((size_t)a->columns + 1, sizeof *node),
           *buffers = fl_calloc((size_t)a->columns * 3 + 1, sizeof *buffers);
    uint32_t n = 0;
    size_t at[FIELDS_MAX];
    int64_t length = (int64_t)rows;
    int32_t size = 0;
    uint64_t offset = fl_writer_size(a->file);
    florin_status st =
        node && buffers ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", a->path);

    for (uint32_t c = 0; c < a->columns && !st; c++) {
        node[c].offset = length;
        n += column_body(&body, a->column[c].type, data[c], rows, buffers + n, &node[c].length);
    }
    if (!st && body.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", a->path);
    if (!st) {
        /* RecordBatch: length, nodes, buffers */
        size_t header = message(&meta, HEADER_BATCH, (int64_t)body.len);
        point(&meta, header, table(&meta, 3, (const uint8_t[]){8, 4, 4}, at));
        put(&meta, at[0], &length, sizeof length);
        point(&meta, at[1], vector(&meta, node, a->columns, sizeof *node, 8));
        point(&meta, at[2], vector(&meta, buffers, n, sizeof *buffers, 8));
        st = add_message(a, &meta, &size, err);
    }
    if (!st && body.len) st = fl_writer_add(a->file, body.data, body.len, err);
    if (!st) st = remember(a, offset, size, body.len, err);
    fl_buf_free(&body);
    fl_buf_free(&meta);
    free(node);
    free(buffers);
    return st;
}

/* ---- the file ---- */

florin_status fl_arrow_open(fl_arrow_file **out, const char *path, const fl_table_column *columns,
                            uint32_t n, florin_error *err)
{
    fl_arrow_file *a = fl_calloc(1, sizeof *a);
    fl_buf meta = {0};
    int32_t size;
    florin_status st;

    *out = NULL;
    if (!a) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    a->column = columns;
    a->columns = n;
    a->path = path;
    st = fl_writer_open(&a->file, path, 0644, err);
    if (!st) st = fl_writer_add(a->file, "ARROW1\0\0", 8, err);
    if (!st) {
        size_t header = message(&meta, HEADER_SCHEMA, 0);
        point(&meta, header, schema(&meta, a));
        st = add_message(a, &meta, &size, err);
    }
    fl_buf_free(&meta);
    if (st) fl_arrow_abort(a);
    else *out = a;
    return st;
}

florin_status fl_arrow_commit(fl_arrow_file *a, florin_error *err)
{
    static const uint32_t end[2] = {0xffffffffu, 0};
    fl_buf b = {0};
    size_t at[FIELDS_MAX];
    int16_t version = V5;
    florin_status st = fl_writer_add(a->file, end, sizeof end, err);

    /* Footer: version, schema, dictionaries, recordBatches */
    zeros(&b, 4);
    point(&b, 0, table(&b, 4, (const uint8_t[]){2, 4, 4, 4}, at));
    put(&b, at[0], &version, sizeof version);
    point(&b, at[1], schema(&b, a));
    point(&b, at[2], vector(&b, NULL, 0, sizeof(block), 8));
    point(&b, at[3], vector(&b, a->blocks, (uint32_t)a->batches, sizeof(block), 8));
    uint32_t size = (uint32_t)b.len;
    if (!st && b.failed) st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", a->path);
    if (!st) st = fl_writer_add(a->file, b.data, b.len, err);
    if (!st) st = fl_writer_add(a->file, &size, sizeof size, err);
    if (!st) st = fl_writer_add(a->file, "ARROW1", 6, err);
    if (!st) {
        st = fl_writer_commit(a->file, err);
        a->file = NULL;
    }
    fl_buf_free(&b);
    fl_arrow_abort(a);
    return st;
}

void fl_arrow_abort(fl_arrow_file *a)
{
    if (!a) return;
    if (a->file) fl_writer_abort(a->file);
    free(a->blocks);
    free(a);
}
