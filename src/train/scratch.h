/* One large block of memory; past a limit it lies in an unlinked file, so that the system may page it out. */
#ifndef FL_SCRATCH_H
#define FL_SCRATCH_H

#include "base/base.h"

typedef struct {
    void *data; /* zeroed, [bytes] */
    size_t bytes;
    bool mapped;
} fl_scratch;

/* limit: largest size that stays in plain memory. folder: where the file goes else; a full disk is FLORIN_EIO now,
 * not a signal later. */
florin_status fl_scratch_new(fl_scratch *out, size_t count, size_t size, size_t limit,
                             const char *folder, florin_error *err);
void fl_scratch_free(fl_scratch *s);

#endif
