/* Owns large blocks of training data. Invariant: a mapped block's file has all its space reserved and no name. */
#include "train/scratch.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static florin_status map_file(fl_scratch *out, const char *folder, florin_error *err)
{
    char *path = fl_asprintf("%s/.florin-scratch-XXXXXX", folder);
    florin_status st = FLORIN_OK;

    if (!path) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        st = fl_fail(err, FLORIN_EIO, "%s: no room for training data past --memory: %s", folder,
                     strerror(errno));
        free(path);
        return st;
    }
    unlink(path);
    free(path);
    int code = posix_fallocate(fd, 0, (off_t)out->bytes);
    if (code) {
        st = fl_fail(err, FLORIN_EIO,
                     "%s: %zu MB of training data past --memory do not fit: %s; free space, or "
                     "raise --memory",
                     folder, out->bytes >> 20, strerror(code));
        goto done;
    }
    void *p = mmap(NULL, out->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) {
        st = fl_fail(err, FLORIN_ENOMEM, "%zu MB of training data: %s", out->bytes >> 20,
                     strerror(errno));
        goto done;
    }
    out->data = p;
    out->mapped = true;
done:
    close(fd);
    return st;
}

florin_status fl_scratch_new(fl_scratch *out, size_t count, size_t size, size_t limit,
                             const char *folder, florin_error *err)
{
    memset(out, 0, sizeof *out);
    if (__builtin_mul_overflow(count, size, &out->bytes))
        return fl_fail(err, FLORIN_ENOMEM, "training data: size overflows");
    if (!out->bytes) out->bytes = 64;
    if (out->bytes > limit) return map_file(out, folder, err);
    out->data = fl_alloc_aligned(out->bytes, 1);
    if (!out->data) return fl_fail(err, FLORIN_ENOMEM, "%zu MB of training data", out->bytes >> 20);
    return FLORIN_OK;
}

void fl_scratch_free(fl_scratch *s)
{
    if (s->mapped) munmap(s->data, s->bytes);
    else free(s->data);
    memset(s, 0, sizeof *s);
}
