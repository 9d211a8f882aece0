/* Files: read whole, mapped read-only, and written so that a reader sees the old or the new, never half. */
#ifndef FL_FILE_H
#define FL_FILE_H

#include "base/base.h"

typedef struct {
    const uint8_t *data; /* [size]; NULL when size is 0 */
    size_t size;
} fl_mapping;

florin_status fl_map_file(fl_mapping *out, const char *path, florin_error *err);
void fl_unmap(fl_mapping *m);

/* Whole file into malloc'ed memory with a NUL after it; FLORIN_EINPUT if larger than max. */
florin_status fl_read_file(char **out, size_t *size, const char *path, size_t max,
                           florin_error *err);

/* Write to PATH.tmp-PID, fsync, rename over PATH, fsync the folder. On failure PATH is untouched. Such a file that a
 * killed process left is removed by the next writer of the same path. */
florin_status fl_write_file(const char *path, const void *bytes, size_t n, florin_error *err);

/* The same as a stream. After commit or abort the writer is closed. */
typedef struct fl_writer fl_writer;
florin_status fl_writer_open(fl_writer **out, const char *path, uint32_t mode, florin_error *err);
florin_status fl_writer_add(fl_writer *w, const void *bytes, size_t n, florin_error *err);
uint64_t fl_writer_size(const fl_writer *w);
/* So many bytes will come, about: their place on the disk is found now, and what is written starts on its way there. */
void fl_writer_expect(fl_writer *w, uint64_t bytes);
florin_status fl_writer_commit(fl_writer *w, florin_error *err); /* frees w in every case */
void fl_writer_abort(fl_writer *w);                              /* NULL is fine */

florin_status fl_make_dir(const char *path, florin_error *err); /* with parents; existing is fine */
florin_status fl_sync_dir(const char *path, florin_error *err);
bool fl_file_exists(const char *path);
bool fl_file_is_plain(const char *path); /* a file, no folder */
char *fl_path_join(const char *dir,
                   const char *name); /* malloc'ed; name absolute: a copy of name */
char *fl_path_dir(const char *path);  /* malloc'ed: "." if there is no slash */

#endif
