/* Makes a damaged segment look whole again: what a deceiver would do, and what checksums cannot catch. Tests and
 * fuzzers edit a segment's bytes and then sign it with this. */
#ifndef BLOCKS_SIGN_H
#define BLOCKS_SIGN_H

#include "data/blocks.h"

/* Recompute every hash of the block file in bytes[0, n). Returns the directory's hash, 0: its frame is beyond repair. */
static inline uint64_t blocks_sign(uint8_t *bytes, size_t n)
{
    uint64_t directory, blocks, tail[8];
    if (n < 128) return 0;
    memcpy(tail, bytes + n - 64, 64);
    directory = tail[1], blocks = tail[2];
    if (directory > n - 64 || blocks > (n - 64 - directory) / sizeof(fl_block)) return 0;
    for (uint64_t i = 0; i < blocks; i++) {
        fl_block b;
        uint8_t *at = bytes + directory + i * sizeof b;
        memcpy(&b, at, sizeof b);
        if (b.offset > directory || (b.width && b.count > (directory - b.offset) / b.width))
            continue;
        b.hash = fl_hash64(bytes + b.offset, b.count * b.width, 0);
        memcpy(at, &b, sizeof b);
    }
    tail[4] = fl_hash64(bytes + directory, blocks * sizeof(fl_block), 2);
    memcpy(bytes + n - 64, tail, 40);
    tail[5] = fl_hash64(bytes + n - 64, 40, 1);
    memcpy(bytes + n - 64, tail, 64);
    return tail[4];
}

#endif
