/* Block files. Layout: 64-byte head, blocks, directory, 64-byte tail that says where the directory is. The tail is
 * written last, so a file cut short anywhere has none. */
#include "data/blocks.h"

typedef struct {
    char magic[8]; /* "FLBLOCK1" */
    uint64_t zero[7];
} block_head;

typedef struct {
    char magic[8];
    uint64_t directory, blocks,
        bytes; /* offset of the directory, its entries, size of the whole file */
    uint64_t directory_hash, tail_hash;
    uint64_t zero[2];
} block_tail;

_Static_assert(sizeof(block_head) == 64 && sizeof(block_tail) == 64 && sizeof(fl_block) == 32,
               "on-disk layout");
static const char MAGIC[8] = {'F', 'L', 'B', 'L', 'O', 'C', 'K', '1'};

struct fl_blocks_writer {
    fl_writer *file;
    char *path;
    fl_block block[FL_BLOCKS_MAX];
    uint32_t blocks;
};

static uint64_t tail_hash(const block_tail *t)
{
    return fl_hash64(t, offsetof(block_tail, tail_hash), 1);
}

static florin_status check_tail(const fl_mapping *m, const char *path, block_tail *t,
                                florin_error *err)
{
    if (m->size < sizeof(block_head) + sizeof *t || memcmp(m->data, MAGIC, 8))
        return fl_fail(err, FLORIN_EFORMAT, "%s: not a Florin file, or cut short (%zu bytes)", path,
                       m->size);
    memcpy(t, m->data + m->size - sizeof *t, sizeof *t);
    if (memcmp(t->magic, MAGIC, 8) || t->tail_hash != tail_hash(t) || t->bytes != m->size)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: damaged or cut short at its end: restore the file or import again",
                       path);
    uint64_t end = m->size - sizeof *t;
    if (t->blocks > FL_BLOCKS_MAX || t->directory < sizeof(block_head) || t->directory % 8 ||
        t->directory > end || end - t->directory != t->blocks * sizeof(fl_block) ||
        fl_hash64(m->data + t->directory, end - t->directory, 2) != t->directory_hash)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: its directory is damaged: restore the file or import again", path);
    return FLORIN_OK;
}

static bool all_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= b[i];
    return !any;
}

/* Bytes that no hash covers: head, gaps and the tail's end are zeros, and blocks follow one another. */
static bool gaps_are_zero(const fl_mapping *m, const fl_block *block, const block_tail *t)
{
    uint64_t end = sizeof(block_head);
    if (!all_zero(m->data + 8, sizeof(block_head) - 8) || t->zero[0] || t->zero[1]) return false;
    for (uint64_t i = 0; i <= t->blocks; i++) {
        uint64_t next = i < t->blocks ? block[i].offset : t->directory;
        if (next < end || next - end >= 64 || !all_zero(m->data + end, (size_t)(next - end)))
            return false;
        if (i < t->blocks) end = next + block[i].count * block[i].width;
    }
    return true;
}

florin_status fl_blocks_open(fl_blocks *out, const char *path, bool verify, florin_error *err)
{
    memset(out, 0, sizeof *out);
    florin_status st = fl_map_file(&out->map, path, err);
    if (st) return st;
    block_tail t;
    st = check_tail(&out->map, path, &t, err);
    if (st) goto done;
    out->block = (const fl_block *)(const void *)(out->map.data + t.directory);
    out->blocks = (uint32_t)t.blocks;
    out->hash = t.directory_hash;
    for (uint32_t i = 0; i < out->blocks && !st; i++) {
        const fl_block *b = &out->block[i];
        uint64_t room = t.directory > b->offset ? t.directory - b->offset : 0;
        if (!b->width || b->offset % 64 || b->offset < sizeof(block_head) ||
            b->offset > t.directory || b->count > room / b->width)
            st = fl_fail(err, FLORIN_EFORMAT, "%s: block %u lies outside the file", path, i);
        else if (verify && fl_hash64(out->map.data + b->offset, b->count * b->width, 0) != b->hash)
            st = fl_fail(
                err, FLORIN_EFORMAT,
                "%s: block %u (kind %u, field %u) is damaged: restore the file or import again",
                path, i, b->kind, b->index);
    }
    if (!st && !gaps_are_zero(&out->map, out->block, &t))
        st = fl_fail(err, FLORIN_EFORMAT,
                     "%s: damaged between its blocks: restore the file or import again", path);
done:
    if (st) fl_blocks_close(out);
    return st;
}

void fl_blocks_close(fl_blocks *b)
{
    fl_unmap(&b->map);
    memset(b, 0, sizeof *b);
}

const void *fl_blocks_get(const fl_blocks *b, uint16_t kind, uint16_t index, uint32_t width,
                          uint64_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < b->blocks; i++) {
        const fl_block *x = &b->block[i];
        if (x->kind != kind || x->index != index || x->width != width) continue;
        *count = x->count;
        return b->map.data + x->offset;
    }
    return NULL;
}

florin_status fl_blocks_writer_open(fl_blocks_writer **out, const char *path, uint32_t mode,
                                    florin_error *err)
{
    *out = NULL;
    fl_blocks_writer *w = fl_calloc(1, sizeof *w);
    if (!w || !(w->path = fl_strdup(path))) {
        free(w);
        return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    florin_status st = fl_writer_open(&w->file, path, mode, err);
    block_head head = {.zero = {0}};
    memcpy(head.magic, MAGIC, 8);
    if (!st) st = fl_writer_add(w->file, &head, sizeof head, err);
    if (st) {
        fl_blocks_writer_abort(w);
        return st;
    }
    *out = w;
    return FLORIN_OK;
}

void fl_blocks_writer_expect(fl_blocks_writer *w, uint64_t bytes)
{
    fl_writer_expect(w->file, bytes);
}

static florin_status pad(fl_blocks_writer *w, florin_error *err)
{
    static const uint8_t zero[64];
    size_t rest = (size_t)(fl_writer_size(w->file) % 64);
    return rest ? fl_writer_add(w->file, zero, 64 - rest, err) : FLORIN_OK;
}

florin_status fl_blocks_writer_add(fl_blocks_writer *w, uint16_t kind, uint16_t index,
                                   uint32_t width, const void *data, uint64_t count,
                                   florin_error *err)
{
    if (w->blocks == FL_BLOCKS_MAX)
        return fl_fail(err, FLORIN_EINTERNAL, "%s: too many blocks", w->path);
    if (count > SIZE_MAX / width)
        return fl_fail(err, FLORIN_ENOMEM, "%s: block of %llu", w->path, (unsigned long long)count);
    florin_status st = pad(w, err);
    if (st) return st;
    size_t n = (size_t)count * width;
    w->block[w->blocks++] =
        (fl_block){kind, index, width, fl_writer_size(w->file), count, fl_hash64(data, n, 0)};
    return n ? fl_writer_add(w->file, data, n, err) : FLORIN_OK;
}

florin_status fl_blocks_writer_commit(fl_blocks_writer *w, uint64_t *hash, uint64_t *bytes,
                                      florin_error *err)
{
    florin_status st = pad(w, err);
    if (st) goto fail;
    size_t n = w->blocks * sizeof w->block[0];
    block_tail t = {.directory = fl_writer_size(w->file), .blocks = w->blocks};
    memcpy(t.magic, MAGIC, 8);
    t.bytes = t.directory + n + sizeof t;
    t.directory_hash = fl_hash64(w->block, n, 2);
    t.tail_hash = tail_hash(&t);
    st = n ? fl_writer_add(w->file, w->block, n, err) : FLORIN_OK;
    if (!st) st = fl_writer_add(w->file, &t, sizeof t, err);
    if (st) goto fail;
    st = fl_writer_commit(w->file, err);
    w->file = NULL;
    *hash = t.directory_hash;
    *bytes = t.bytes;
fail:
    fl_blocks_writer_abort(w);
    return st;
}

void fl_blocks_writer_abort(fl_blocks_writer *w)
{
    if (!w) return;
    if (w->file) fl_writer_abort(w->file);
    free(w->path);
    free(w);
}
