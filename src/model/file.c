/* The model file. Owns the bytes of a safetensors file: where each tensor lies and the JSON document in its
 * metadata. Invariant: once a handle is open, every tensor lies inside the mapping, is aligned, no two overlap,
 * and the hash over document and tensors is right; hostile bytes end in FLORIN_EFORMAT before that.
 * Format: github.com/huggingface/safetensors: 8 bytes of header length, JSON header, data without holes. */
#include "model/file.h"
#include "base/file.h"
#include <assert.h>
#include <stdio.h>

#define HEADER_MAX ((size_t)256 << 20)
#define ALIGN      64u
#define PAD        "__pad."
#define FORMAT     2

struct fl_model_file {
    char *path;
    fl_mapping map; /* size 0 when the bytes are the caller's */
    json_t *document;
    char hash[65];
    fl_tensor *tensor; /* [count] without padding, then [all] in file order */
    uint32_t count;
    char **name; /* [all] owned */
    uint32_t all;
};

typedef struct {
    const char *name, *code;
    const json_t *dim;
    fl_dtype type;
    size_t begin, end;
} entry;

static const struct {
    const char *code;
    fl_dtype type;
    size_t size;
} types[] = {{"F32", FL_F32, 4}, {"U8", FL_U8, 1}, {"I32", FL_I32, 4}, {"U64", FL_U64, 8},
             {"I64", FL_I64, 8}, {"I8", FL_I8, 1}, {"F16", FL_F16, 2}, {"BF16", FL_BF16, 2}};

static size_t type_of(const char *code, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(types[i].code, code)) return i;
    return n;
}

static bool is_pad(const char *name)
{
    return !strncmp(name, PAD, sizeof PAD - 1);
}

/* Product of dims times the element size; false on overflow. */
static bool tensor_bytes(const fl_tensor *t, size_t *out)
{
    size_t n = types[t->type].size;

    for (uint32_t d = 0; d < t->dims; d++)
        if (__builtin_mul_overflow(n, t->dim[d], &n)) return false;
    *out = n;
    return true;
}

static void hash_add_tensor(fl_sha256 *h, const fl_tensor *t, size_t bytes)
{
    uint64_t shape[6] = {(uint64_t)t->type, t->dims, 0, 0, 0, 0};

    for (uint32_t d = 0; d < t->dims; d++) shape[2 + d] = t->dim[d];
    fl_sha256_add(h, t->name, strlen(t->name) + 1);
    fl_sha256_add(h, shape, sizeof shape);
    if (bytes) fl_sha256_add(h, t->data, bytes);
}

/* One entry of the header, with the offsets checked against the data's size but not yet against each other. */
static florin_status read_entry(const char *path, const char *name, const json_t *j, size_t data,
                                entry *e, fl_tensor *t, florin_error *err)
{
    const json_t *dim = json_object_get(j, "shape"), *at = json_object_get(j, "data_offsets");
    const char *code = json_string_value(json_object_get(j, "dtype"));
    size_t which = code ? type_of(code, FL_LEN(types)) : FL_LEN(types), bytes;

    if (which == FL_LEN(types))
        return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: unknown type", path, name);
    if (!json_is_array(dim) || json_array_size(dim) > 4 || json_object_size(j) != 3)
        return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: bad shape", path, name);
    *t = (fl_tensor){
        .name = name, .type = types[which].type, .dims = (uint32_t)json_array_size(dim)};
    for (uint32_t d = 0; d < t->dims; d++) {
        const json_t *v = json_array_get(dim, d);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: bad shape", path, name);
        t->dim[d] = (size_t)json_integer_value(v);
    }
    const json_t *b = json_array_get(at, 0), *z = json_array_get(at, 1);
    if (json_array_size(at) != 2 || !json_is_integer(b) || !json_is_integer(z) ||
        json_integer_value(b) < 0 || json_integer_value(z) < json_integer_value(b) ||
        (uint64_t)json_integer_value(z) > data)
        return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: lies outside the file (truncated?)",
                       path, name);
    *e = (entry){.name = name,
                 .type = t->type,
                 .begin = (size_t)json_integer_value(b),
                 .end = (size_t)json_integer_value(z)};
    if (!tensor_bytes(t, &bytes) || bytes != e->end - e->begin)
        return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: shape and size differ", path, name);
    return FLORIN_OK;
}

typedef struct {
    entry e;
    fl_tensor t;
} placed;

static int by_place(const void *a, const void *b)
{
    const entry *x = &((const placed *)a)->e, *y = &((const placed *)b)->e;

    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* All tensors in file order, without holes or overlaps, aligned. */
static florin_status read_tensors(fl_model_file *f, const json_t *header, const uint8_t *data,
                                  size_t size, fl_sha256 *hash, florin_error *err)
{
    size_t n = json_object_size(header), end = 0, i = 0;
    placed *list = fl_calloc(n + 1, sizeof *list);
    florin_status st = FLORIN_OK;
    const char *key;
    json_t *v;

    f->tensor = fl_calloc(n + 1, sizeof *f->tensor);
    f->name = fl_calloc(n + 1, sizeof *f->name);
    if (!list || !f->tensor || !f->name) {
        st = fl_fail(err, FLORIN_ENOMEM, "%s: %zu tensors", f->path, n);
        goto done;
    }
    json_object_foreach((json_t *)header, key, v)
    {
        if (!strcmp(key, "__metadata__")) continue;
        st = read_entry(f->path, key, v, size, &list[i].e, &list[i].t, err);
        if (st) goto done;
        i++;
    }
    n = i;
    qsort(list, n, sizeof *list, by_place);
    for (i = 0; i < n; i++) {
        fl_tensor *t = &list[i].t;
        if (list[i].e.begin != end || (!is_pad(t->name) && end % ALIGN)) {
            st = fl_fail(err, FLORIN_EFORMAT,
                         "%s: tensor %s: overlaps, leaves a hole or is not aligned", f->path,
                         t->name);
            goto done;
        }
        end = list[i].e.end;
        t->data = data + list[i].e.begin;
        hash_add_tensor(hash, t, end - list[i].e.begin);
        f->name[f->all] = fl_strdup(t->name);
        if (!f->name[f->all]) {
            st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", f->path);
            goto done;
        }
        t->name = f->name[f->all++];
        if (!is_pad(t->name)) f->tensor[f->count++] = *t;
    }
    if (end != size)
        st = fl_fail(err, FLORIN_EFORMAT, "%s: %zu bytes after the last tensor", f->path,
                     size - end);
done:
    free(list);
    return st;
}

/* "damaged" however the JSON reader put it: the file, not the user's input, is wrong. */
static florin_status parse_json(json_t **out, const char *text, size_t n, const char *path,
                                florin_error *err)
{
    florin_status st = fl_json_parse(out, text, n, path, err);

    if (st && st != FLORIN_ENOMEM)
        return fl_fail(err, FLORIN_EFORMAT, "%s: not a model file, or its header is damaged", path);
    if (!st && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return fl_fail(err, FLORIN_EFORMAT, "%s: not a model file: header is no object", path);
    }
    return st;
}

static florin_status read_document(fl_model_file *f, const json_t *header, fl_sha256 *hash,
                                   const char **want, florin_error *err)
{
    const json_t *meta = json_object_get(header, "__metadata__");
    const json_t *text = json_object_get(meta, "florin");

    *want = json_string_value(json_object_get(meta, "sha256"));
    if (!json_is_string(text) || !*want || json_object_size(meta) != 2)
        return fl_fail(err, FLORIN_EFORMAT, "%s: a safetensors file, but not a Florin model",
                       f->path);
    fl_sha256_add(hash, json_string_value(text), json_string_length(text));
    florin_status st =
        parse_json(&f->document, json_string_value(text), json_string_length(text), f->path, err);
    if (st) return st;
    if (fl_json_int(f->document, "florin", 0) != FORMAT)
        return fl_fail(err, FLORIN_EFORMAT, "%s: model format %lld, this program reads %d", f->path,
                       (long long)fl_json_int(f->document, "florin", 0), FORMAT);
    return FLORIN_OK;
}

static florin_status parse(fl_model_file *f, const uint8_t *bytes, size_t size, florin_error *err)
{
    json_t *header = NULL;
    const char *want;
    uint64_t n = 0;
    fl_sha256 hash;
    florin_status st;

    for (uint32_t i = 0; i < 8 && size >= 8; i++) n |= (uint64_t)bytes[i] << (8 * i);
    if (size < 8 || n > size - 8 || n > HEADER_MAX || (8 + n) % ALIGN)
        return fl_fail(err, FLORIN_EFORMAT, "%s: not a model file, or truncated (%zu bytes)",
                       f->path, size);
    fl_sha256_init(&hash);
    st = parse_json(&header, (const char *)bytes + 8, (size_t)n, f->path, err);
    if (st) return st;
    st = read_document(f, header, &hash, &want, err);
    if (!st) st = read_tensors(f, header, bytes + 8 + n, size - 8 - (size_t)n, &hash, err);
    if (!st) {
        fl_sha256_hex(&hash, f->hash);
        if (strcmp(f->hash, want))
            st = fl_fail(err, FLORIN_EFORMAT, "%s: damaged: contents do not match the stored hash",
                         f->path);
        else if (json_object_set_new(f->document, "hash", json_string(f->hash)))
            st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", f->path);
    }
    json_decref(header);
    return st;
}

florin_status fl_model_file_parse(fl_model_file **out, const void *bytes, size_t size,
                                  const char *name, florin_error *err)
{
    fl_model_file *f = fl_calloc(1, sizeof *f);

    *out = NULL;
    if (!f || !(f->path = fl_strdup(name))) {
        free(f);
        return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    }
    florin_status st = parse(f, bytes, size, err);
    if (st) {
        fl_model_file_close(f);
        return st;
    }
    *out = f;
    return FLORIN_OK;
}

florin_status fl_model_file_open(fl_model_file **out, const char *path, florin_error *err)
{
    fl_mapping map;

    *out = NULL;
    florin_status st = fl_map_file(&map, path, err);
    if (st) return st;
    st = fl_model_file_parse(out, map.data, map.size, path, err);
    if (st) fl_unmap(&map);
    else (*out)->map = map;
    return st;
}

void fl_model_file_close(fl_model_file *f)
{
    if (!f) return;
    for (uint32_t i = 0; i < f->all; i++) free(f->name[i]);
    free(f->name);
    free(f->tensor);
    json_decref(f->document);
    if (f->map.size) fl_unmap(&f->map);
    free(f->path);
    free(f);
}

const json_t *fl_model_file_json(const fl_model_file *f)
{
    return f->document;
}

const char *fl_model_file_hash(const fl_model_file *f)
{
    return f->hash;
}

const char *fl_model_file_path(const fl_model_file *f)
{
    return f->path;
}

uint32_t fl_model_file_count(const fl_model_file *f)
{
    return f->count;
}

const fl_tensor *fl_model_file_at(const fl_model_file *f, uint32_t i)
{
    assert(i < f->count);
    return &f->tensor[i];
}

const fl_tensor *fl_model_file_find(const fl_model_file *f, const char *name)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (!strcmp(f->tensor[i].name, name)) return &f->tensor[i];
    return NULL;
}

florin_status fl_model_file_get(const fl_model_file *f, const char *name, fl_dtype type,
                                uint32_t dims, const size_t *dim, const fl_tensor **out,
                                florin_error *err)
{
    const fl_tensor *t = fl_model_file_find(f, name);

    *out = NULL;
    if (!t) return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s is missing", f->path, name);
    if (t->type != type || t->dims != dims)
        return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: type or number of dimensions", f->path,
                       name);
    for (uint32_t d = 0; d < dims; d++)
        if (dim[d] && dim[d] != t->dim[d])
            return fl_fail(err, FLORIN_EFORMAT, "%s: tensor %s: dimension %u is %zu, should be %zu",
                           f->path, name, d, t->dim[d], dim[d]);
    *out = t;
    return FLORIN_OK;
}

/* ---- writing ---- */

typedef struct {
    fl_tensor *t; /* [n] tensors and padding in file order */
    size_t *bytes;
    uint32_t n;
    char (*pad)[24]; /* names of padding */
} layout;

static const uint8_t zeros[ALIGN];

static florin_status lay_out(layout *l, const char *path, const fl_tensor *tensor, uint32_t n,
                             florin_error *err)
{
    size_t end = 0;

    l->t = fl_calloc(2 * (size_t)n + 1, sizeof *l->t);
    l->bytes = fl_calloc(2 * (size_t)n + 1, sizeof *l->bytes);
    l->pad = fl_calloc((size_t)n + 1, sizeof *l->pad);
    if (!l->t || !l->bytes || !l->pad)
        return fl_fail(err, FLORIN_ENOMEM, "%s: %u tensors", path, n);
    for (uint32_t i = 0; i < n; i++) {
        size_t gap = (ALIGN - end % ALIGN) % ALIGN, bytes;
        if (tensor[i].dims > 4 || (size_t)tensor[i].type >= FL_LEN(types) ||
            !tensor_bytes(&tensor[i], &bytes) || is_pad(tensor[i].name))
            return fl_fail(err, FLORIN_EINTERNAL, "%s: tensor %s can't be written", path,
                           tensor[i].name);
        if (gap) {
            snprintf(l->pad[i], sizeof l->pad[i], PAD "%u", i);
            l->t[l->n] = (fl_tensor){l->pad[i], FL_U8, 1, {gap}, zeros};
            l->bytes[l->n++] = gap;
            end += gap;
        }
        l->t[l->n] = tensor[i];
        l->bytes[l->n++] = bytes;
        end += bytes;
    }
    return FLORIN_OK;
}

/* Header: metadata first, then the tensors in file order, then blanks up to the alignment. */
static char *header_text(const layout *l, const char *document, const char *hash, size_t *n)
{
    json_t *h = json_object(), *meta = json_object();
    size_t at = 0;
    fl_buf b = {0};

    json_object_set_new(meta, "florin", json_string(document));
    json_object_set_new(meta, "sha256", json_string(hash));
    json_object_set_new(h, "__metadata__", meta);
    for (uint32_t i = 0; i < l->n; i++) {
        json_t *shape = json_array(), *e;
        for (uint32_t d = 0; d < l->t[i].dims; d++)
            json_array_append_new(shape, json_integer((json_int_t)l->t[i].dim[d]));
        e = json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[l->t[i].type].code, "shape", shape,
                      "data_offsets", (json_int_t)at, (json_int_t)(at + l->bytes[i]));
        json_object_set_new(h, l->t[i].name, e);
        at += l->bytes[i];
    }
    if (json_object_size(h) == (size_t)l->n + 1) { /* fewer: a name twice, or no memory */
        char *text = fl_json_text(h);
        fl_buf_puts(&b, text ? text : "");
        if (!text) b.failed = true;
        free(text);
        while ((8 + b.len) % ALIGN && !b.failed) fl_buf_add(&b, " ", 1);
        *n = b.len;
    } else b.failed = true;
    json_decref(h);
    if (b.failed) fl_buf_free(&b);
    return b.data;
}

static florin_status write_all(const char *path, const layout *l, const char *head, size_t n,
                               florin_error *err)
{
    fl_writer *w;
    uint8_t size[8];
    florin_status st = fl_writer_open(&w, path, 0644, err);

    if (st) return st;
    for (uint32_t i = 0; i < 8; i++) size[i] = (uint8_t)((uint64_t)n >> (8 * i));
    st = fl_writer_add(w, size, sizeof size, err);
    if (!st) st = fl_writer_add(w, head, n, err);
    for (uint32_t i = 0; i < l->n && !st; i++)
        if (l->bytes[i]) st = fl_writer_add(w, l->t[i].data, l->bytes[i], err);
    if (st) {
        fl_writer_abort(w);
        return st;
    }
    return fl_writer_commit(w, err);
}

florin_status fl_model_file_save(const char *path, const json_t *meta, const fl_tensor *tensors,
                                 uint32_t n, florin_error *err)
{
    json_t *copy = json_copy((json_t *)meta);
    char *document = NULL, *head = NULL, hex[65];
    size_t head_size = 0;
    layout l = {0};
    fl_sha256 hash;
    florin_status st;

    if (copy) json_object_del(copy, "hash");
    if (copy) json_object_set_new(copy, "florin", json_integer(FORMAT));
    document = copy ? fl_json_text(copy) : NULL;
    if (!document) {
        st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    st = lay_out(&l, path, tensors, n, err);
    if (st) goto done;
    fl_sha256_init(&hash);
    fl_sha256_add(&hash, document, strlen(document));
    for (uint32_t i = 0; i < l.n; i++) hash_add_tensor(&hash, &l.t[i], l.bytes[i]);
    fl_sha256_hex(&hash, hex);
    head = header_text(&l, document, hex, &head_size);
    if (!head) {
        st = fl_fail(err, FLORIN_ENOMEM,
                     "%s: header can't be made (out of memory, or a name twice)", path);
        goto done;
    }
    st = write_all(path, &l, head, head_size, err);
done:
    free(l.t);
    free(l.bytes);
    free(l.pad);
    free(head);
    free(document);
    json_decref(copy);
    return st;
}
