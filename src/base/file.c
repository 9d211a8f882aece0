/* Files. Invariant: a path that is written through here holds, at any moment and after any crash, either
 * its old content or its new one. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WRITER_BUFFER = 1 << 18,
    WRITE_BYTES = 1 << 20, /* one call: the kernel is slow at far larger ones */
    SEND_BYTES = 8 << 20   /* written before the disk is told to begin */
};

/* What a user can do about errno, or "". */
static const char *remedy(int e)
{
    switch (e) {
    case ENOENT: return " (check the path)";
    case EACCES:
    case EPERM: return " (check the permissions of the file and of its folder)";
    case EROFS: return " (choose a folder that can be written)";
    case ENOSPC:
    case EDQUOT:
        return " (free some space or choose another disk; what was there before is unchanged)";
    case EMFILE:
    case ENFILE: return " (raise the limit of open files: ulimit -n)";
    case EISDIR: return " (a file is needed, not a folder)";
    default: return "";
    }
}

static florin_status fail_errno(florin_error *err, const char *path, const char *what, int e)
{
    return fl_fail(err, e == ENOMEM ? FLORIN_ENOMEM : FLORIN_EIO, "%s: can't %s: %s%s", path, what,
                   strerror(e), remedy(e));
}

static florin_status open_regular(int *fd, struct stat *st, const char *path, florin_error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return fail_errno(err, path, "open", errno);
    int e = fstat(*fd, st) ? errno : S_ISDIR(st->st_mode) ? EISDIR : 0;
    if (!e) return FLORIN_OK;
    close(*fd);
    return fail_errno(err, path, "read", e);
}

florin_status fl_map_file(fl_mapping *out, const char *path, florin_error *err)
{
    struct stat st;
    int fd;

    memset(out, 0, sizeof *out);
    florin_status status = open_regular(&fd, &st, path, err);
    if (status) return status;
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            status = fail_errno(err, path, "map", errno);
        } else {
            out->data = p;
            out->size = (size_t)st.st_size;
        }
    }
    close(fd);
    return status;
}

void fl_unmap(fl_mapping *m)
{
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    memset(m, 0, sizeof *m);
}

florin_status fl_read_file(char **out, size_t *size, const char *path, size_t max,
                           florin_error *err)
{
    struct stat st;
    fl_buf b = {0};
    char chunk[1 << 14];
    ssize_t n;
    int fd;

    *out = NULL;
    florin_status status = open_regular(&fd, &st, path, err);
    if (status) return status;
    fl_buf_add(&b, "", 0);
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            status = fail_errno(err, path, "read", errno);
            goto done;
        }
        fl_buf_add(&b, chunk, (size_t)n);
        if (b.len > max) {
            status = fl_fail(err, FLORIN_EINPUT,
                             "%s: larger than %zu bytes, the most that is read here", path, max);
            goto done;
        }
    }
    if (b.failed) {
        status = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
        goto done;
    }
    *out = b.data;
    if (size) *size = b.len;
    b.data = NULL;
done:
    close(fd);
    free(b.data);
    return status;
}

struct fl_writer {
    int fd;
    char *path, *temp;
    uint64_t size, written, sent,
        expected; /* sent: on its way to the disk; expected 0: nobody said */
    size_t used;
    uint8_t buffer[WRITER_BUFFER];
};

static void writer_free(fl_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    free(w->path);
    free(w->temp);
    free(w);
}

/* Is NAME the temporary file of `base` whose writer was killed? Its process is gone, and nobody holds its lock, as a
 * process that can't be seen from here would. */
static bool is_leftover(int dir, const char *name, const char *base)
{
    size_t n = strlen(base);
    char *end;
    if (strncmp(name, base, n) || strncmp(name + n, ".tmp-", 5)) return false;
    errno = 0;
    long pid = strtol(name + n + 5, &end, 10);
    if (errno || *end || end == name + n + 5 || pid <= 0 || pid != (pid_t)pid) return false;
    if (kill((pid_t)pid, 0) == 0 || errno != ESRCH) return false;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool free = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) close(fd);
    return free;
}

/* Remove what writers of this path that were killed left behind. False: no memory. */
static bool sweep(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char *folder = fl_path_dir(path);
    DIR *d = folder ? opendir(folder) : NULL;
    bool ok = folder != NULL;
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_leftover(dirfd(d), e->d_name, base)) unlinkat(dirfd(d), e->d_name, 0);
    if (d) closedir(d);
    free(folder);
    return ok;
}

florin_status fl_writer_open(fl_writer **out, const char *path, uint32_t mode, florin_error *err)
{
    struct stat st;

    *out = NULL;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return fail_errno(err, path, "write", EISDIR);
    fl_writer *w = fl_alloc(1, sizeof *w);
    if (!w) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    w->fd = -1;
    w->size = w->written = w->sent = w->expected = 0;
    w->used = 0;
    w->path = fl_strdup(path);
    w->temp = fl_asprintf("%s.tmp-%ld", path, (long)getpid());
    if (!w->path || !w->temp || !sweep(path)) {
        writer_free(w);
        return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    }
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
    if (w->fd < 0) {
        florin_status status = fail_errno(err, path, "write", errno);
        writer_free(w);
        return status;
    }
    (void)flock(w->fd,
                LOCK_EX |
                    LOCK_NB); /* for sweep; a file system without locks has the process alone */
    *out = w;
    return FLORIN_OK;
}

static florin_status write_all(fl_writer *w, const uint8_t *p, size_t n, florin_error *err)
{
    while (n) {
        ssize_t k = write(w->fd, p, n < WRITE_BYTES ? n : WRITE_BYTES);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return fail_errno(err, w->path, "write", errno);
        p += k;
        n -= (size_t)k;
        w->written += (uint64_t)k;
        if (!w->expected || w->written - w->sent < SEND_BYTES) continue;
        sync_file_range(w->fd, (off_t)w->sent, (off_t)(w->written - w->sent),
                        SYNC_FILE_RANGE_WRITE); /* a hint */
        w->sent = w->written;
    }
    return FLORIN_OK;
}

void fl_writer_expect(fl_writer *w, uint64_t bytes)
{
    /* Not every file system can; a full disk is told by the write that meets it. */
    if (bytes && bytes <= INT64_MAX && fallocate(w->fd, 0, 0, (off_t)bytes) == 0)
        w->expected = bytes;
}

florin_status fl_writer_add(fl_writer *w, const void *bytes, size_t n, florin_error *err)
{
    if (n > WRITER_BUFFER - w->used) {
        florin_status status = write_all(w, w->buffer, w->used, err);
        if (status) return status;
        w->used = 0;
    }
    w->size += n;
    if (n > WRITER_BUFFER) return write_all(w, bytes, n, err);
    if (n) memcpy(w->buffer + w->used, bytes, n);
    w->used += n;
    return FLORIN_OK;
}

uint64_t fl_writer_size(const fl_writer *w)
{
    return w->size;
}

florin_status fl_writer_commit(fl_writer *w, florin_error *err)
{
    florin_status status = write_all(w, w->buffer, w->used, err);
    char *dir =
        fl_path_dir(w->path); /* before the rename: nothing but the disk may fail after it */

    if (!status && !dir) status = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", w->path);
    if (!status && w->expected > w->written && ftruncate(w->fd, (off_t)w->written))
        status = fail_errno(err, w->path, "write", errno);
    if (!status && fsync(w->fd)) status = fail_errno(err, w->path, "write", errno);
    int closed = close(w->fd);
    w->fd = -1;
    if (!status && (closed || rename(w->temp, w->path)))
        status = fail_errno(err, w->path, "write", errno);
    if (status) {
        fl_writer_abort(w);
    } else {
        status = fl_sync_dir(dir, err);
        writer_free(w);
    }
    free(dir);
    return status;
}

void fl_writer_abort(fl_writer *w)
{
    if (!w) return;
    unlink(w->temp);
    writer_free(w);
}

florin_status fl_write_file(const char *path, const void *bytes, size_t n, florin_error *err)
{
    fl_writer *w;
    florin_status status = fl_writer_open(&w, path, 0666, err);

    if (status) return status;
    status = fl_writer_add(w, bytes, n, err);
    if (status) {
        fl_writer_abort(w);
        return status;
    }
    return fl_writer_commit(w, err);
}

florin_status fl_make_dir(const char *path, florin_error *err)
{
    char *p = fl_strdup(path);
    florin_status status = FLORIN_OK;
    struct stat st;

    if (!p) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    for (char *s = p + 1; *p && !status; s++) {
        char c = *s;
        if (c && c != '/') continue;
        *s = 0;
        if (mkdir(p, 0777) && errno != EEXIST && !(c && errno == EROFS))
            status = fail_errno(err, p, "make the folder", errno);
        *s = c;
        if (!c) break;
    }
    if (!status && (stat(path, &st) || !S_ISDIR(st.st_mode)))
        status = fl_fail(err, FLORIN_EIO, "%s: is not a folder (choose another path)", path);
    free(p);
    return status;
}

florin_status fl_sync_dir(const char *path, florin_error *err)
{
    florin_status status = FLORIN_OK;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return fail_errno(err, path, "open", errno);
    /* Some file systems have nothing to sync in a folder and say EINVAL. */
    if (fsync(fd) && errno != EINVAL) status = fail_errno(err, path, "write", errno);
    close(fd);
    return status;
}

bool fl_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool fl_file_is_plain(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *fl_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0]) return fl_strdup(name);
    size_t n = strlen(dir);
    return fl_asprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *fl_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return fl_strdup(".");
    return slash == path ? fl_strdup("/") : fl_strndup(path, (size_t)(slash - path));
}
