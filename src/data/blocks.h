/* A file of numbered, checksummed, 64-byte aligned blocks: the container of segments and of the id dictionary.
 * docs/format.md describes it byte by byte. The reader trusts nothing: every offset, size and checksum is tested
 * before a pointer is given. */
#ifndef FL_BLOCKS_H
#define FL_BLOCKS_H

#include "base/file.h"

enum { FL_BLOCKS_MAX = 256 };

typedef struct {
    uint16_t kind, index; /* what it holds, and of which entity kind or field */
    uint32_t width;       /* bytes of one element */
    uint64_t offset, count;
    uint64_t hash; /* fl_hash64 of its bytes */
} fl_block;

typedef struct {
    fl_mapping map;
    uint32_t blocks;
    const fl_block *block;
    uint64_t hash; /* of the directory, and by it of the whole file */
} fl_blocks;

/* verify: also check every block's checksum (reads the whole file). */
florin_status fl_blocks_open(fl_blocks *out, const char *path, bool verify, florin_error *err);
void fl_blocks_close(fl_blocks *b);
/* Pointer to a block's elements, NULL if there is none or it is not of this width; *count: elements. */
const void *fl_blocks_get(const fl_blocks *b, uint16_t kind, uint16_t index, uint32_t width,
                          uint64_t *count);

typedef struct fl_blocks_writer fl_blocks_writer;
florin_status fl_blocks_writer_open(fl_blocks_writer **out, const char *path, uint32_t mode,
                                    florin_error *err);
/* So many bytes will come, about. */
void fl_blocks_writer_expect(fl_blocks_writer *w, uint64_t bytes);
florin_status fl_blocks_writer_add(fl_blocks_writer *w, uint16_t kind, uint16_t index,
                                   uint32_t width, const void *data, uint64_t count,
                                   florin_error *err);
/* Directory, fsync, rename. Frees w in every case. */
florin_status fl_blocks_writer_commit(fl_blocks_writer *w, uint64_t *hash, uint64_t *bytes,
                                      florin_error *err);
void fl_blocks_writer_abort(fl_blocks_writer *w);

#endif
