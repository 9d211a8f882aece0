/* The journal's writing side. Two buffers of records: the caller fills one; the other is on its way to the file. With
 * FL_SYNC_INTERVAL the caller writes (a copy into the system's cache) and the thread syncs; with FL_SYNC_ALWAYS the
 * thread does both, so that all that came meanwhile shares one sync.
 *
 * Invariant: bytes leave a buffer only when the file has them; a write that failed is repeated from the same place, so a
 * full disk costs time, not records. A failed sync can't be repeated (the system may have dropped the pages): it is the
 * end of this handle. */
#include "score/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RETIRED_MAX = 8 };

typedef struct {
    uint8_t *data;
    size_t n;
    uint64_t last; /* number of its last record */
} buffer;

/* A file of the journal; where every FL_JOURNAL_SPARSEth record begins, once that is known. */
typedef struct {
    uint64_t first, bytes;
    uint32_t *sparse; /* in units of 8 bytes */
    size_t sparse_n, sparse_cap;
} part;

struct fl_journal {
    fl_journal_options opt;
    char *folder;
    uint8_t *preamble;
    uint8_t id[FL_JOURNAL_ID];
    uint64_t seed, epoch;
    int lock_fd;
    size_t capacity; /* of a buffer */
    uint64_t next;   /* the caller's: number of the next record */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work, done;
    pthread_t thread;
    bool started, stop, wanted; /* wanted: FL_SYNC_ALWAYS: the thread should write */
    buffer fill, out;           /* out.n != 0: being written, or waiting for a disk with room */
    int fd,
        retired
            [RETIRED_MAX]; /* retired: full files that the thread may be syncing: it closes them */
    uint32_t retireds;
    uint64_t file_bytes; /* where the next write goes */
    uint64_t written;    /* the file has records up to here */
    part *parts;
    size_t parts_n, parts_cap;
    bool broken; /* a sync failed */
    bool apart;  /* the thread writes, without the lock */
    florin_error failure;
    atomic_bool failing;
    _Atomic uint64_t acknowledged, synced;
    fl_segment view; /* for fl_journal_get; path NULL: none */
    uint8_t *copy;   /* FL_JOURNAL_RECORD_MAX: of a record that still lies in a buffer */
};

/* ---- writing ---- */

static florin_status write_at(const fl_journal *j, int fd, const uint8_t *p, size_t n, uint64_t at,
                              const char *what, florin_error *err)
{
    while (n) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) {
            int e = k ? errno : ENOSPC;
            return fl_fail(err, FLORIN_EIO, "%s: can't write %s: %s%s", j->folder, what,
                           strerror(e),
                           e == ENOSPC || e == EDQUOT || e == EFBIG
                               ? " (nothing that was acknowledged is lost: free some space, and "
                                 "it goes on by itself)"
                               : "");
        }
        p += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return FLORIN_OK;
}

/* The lock is held. */
static void fail_sync(fl_journal *j, int e)
{
    j->broken = true;
    atomic_store(&j->failing, true);
    fl_fail(&j->failure, FLORIN_EIO,
            "%s: can't bring the journal to the disk: %s: stop, look at the disk, start again",
            j->folder, strerror(e));
}

static florin_status add_part(fl_journal *j, uint64_t first, uint64_t bytes, florin_error *err)
{
    if (j->apart) pthread_mutex_lock(&j->lock);
    bool ok = fl_grow((void **)&j->parts, &j->parts_cap, j->parts_n + 1, sizeof *j->parts);
    /* Room for the places of more records than fit, so that writing them allocates nothing. */
    size_t places = (size_t)(j->opt.segment_bytes / (FL_JOURNAL_SPARSE * 2 * FL_RECORD_HEAD)) + 64;
    part p = {.first = first, .bytes = bytes};
    ok = ok && fl_grow((void **)&p.sparse, &p.sparse_cap, places, sizeof *p.sparse);
    if (ok) j->parts[j->parts_n++] = p;
    if (j->apart) pthread_mutex_unlock(&j->lock);
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s: a new file of the journal", j->folder);
}

/* A full file is on the disk before the next one begins: so only the last can end torn. */
static florin_status sync_full(fl_journal *j, florin_error *err)
{
    if (j->fd < 0) return FLORIN_OK;
    int e = fdatasync(j->fd) ? errno : 0;
    if (j->apart) pthread_mutex_lock(&j->lock);
    if (e) fail_sync(j, e);
    else atomic_store(&j->synced, j->written);
    if (e && err) *err = j->failure;
    if (j->apart) pthread_mutex_unlock(&j->lock);
    return e ? FLORIN_EIO : FLORIN_OK;
}

/* Begin a segment whose first record is `first`: whole, on the disk and under its name, or not there. */
static florin_status begin_segment(fl_journal *j, uint64_t first, florin_error *err)
{
    size_t n;
    int fd = -1;
    florin_status st = FLORIN_OK;
    char *path = fl_segment_path(j->folder, first), *tmp = fl_asprintf("%s/next.tmp", j->folder);
    uint8_t *head =
        fl_segment_head_new(j->id, first, j->epoch, j->preamble, j->opt.preamble_bytes, &n);
    if (!path || !tmp || !head) {
        st = fl_fail(err, FLORIN_ENOMEM, "%s: a new file of the journal", j->folder);
        goto done;
    }
    st = sync_full(j, err);
    if (st) goto done;
    fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) st = fl_fail(err, FLORIN_EIO, "%s: can't create: %s", tmp, strerror(errno));
    if (!st) st = write_at(j, fd, head, n, 0, "a new file of the journal", err);
    if (!st && (fdatasync(fd) || rename(tmp, path)))
        st = fl_fail(err, FLORIN_EIO, "%s: can't write: %s", path, strerror(errno));
    if (!st) st = fl_sync_dir(j->folder, err);
    if (st || (st = add_part(j, first, n, err))) goto done;
    if (j->fd >= 0) j->retired[j->retireds++] = j->fd;
    j->fd = fd;
    fd = -1;
    j->file_bytes = n;
done:
    if (fd >= 0) close(fd);
    free(path);
    free(tmp);
    free(head);
    return st;
}

/* Remember where the records of b begin. */
static void note_places(fl_journal *j, const buffer *b)
{
    part *p = &j->parts[j->parts_n - 1];
    fl_record_head h;
    for (size_t at = 0; at < b->n; at += fl_record_bytes(h.n)) {
        memcpy(&h, b->data + at, sizeof h);
        if ((h.sequence - p->first) % FL_JOURNAL_SPARSE) continue;
        /* Without memory for its place a record is found by walking from the one before. */
        if (p->sparse_n != (h.sequence - p->first) / FL_JOURNAL_SPARSE ||
            !fl_grow((void **)&p->sparse, &p->sparse_cap, p->sparse_n + 1, sizeof *p->sparse))
            continue;
        p->sparse[p->sparse_n++] = (uint32_t)((p->bytes + at) / 8);
    }
    p->bytes += b->n;
}

static florin_status write_out(fl_journal *j, florin_error *err)
{
    buffer *b = &j->out;
    florin_status st = FLORIN_OK;
    if (j->broken) return FLORIN_EIO;
    fl_record_head h;
    memcpy(&h, b->data, sizeof h);
    bool full =
        j->file_bytes + b->n > j->opt.segment_bytes && j->parts[j->parts_n - 1].first < h.sequence;
    if (full && j->retireds == RETIRED_MAX)
        full = false; /* the disk is behind: this file gets longer */
    if (full) st = begin_segment(j, h.sequence, err);
    if (!st) st = write_at(j, j->fd, b->data, b->n, j->file_bytes, "the journal", err);
    return st;
}

/* Write what waits; the lock is held. thread: let go of it meanwhile, and return after one buffer, which is to be synced. */
static florin_status write_all(fl_journal *j, bool thread)
{
    florin_status st = FLORIN_OK;
    florin_error error;
    bool more = true;
    while (!st && more && (j->out.n || j->fill.n)) {
        if (!j->out.n) {
            buffer empty = j->out;
            j->out = j->fill;
            j->fill = empty;
            pthread_cond_broadcast(&j->done); /* there is room */
        }
        j->apart = thread;
        if (thread) pthread_mutex_unlock(&j->lock);
        st = write_out(j, &error);
        if (thread) pthread_mutex_lock(&j->lock);
        j->apart = false;
        if (st) break;
        note_places(j, &j->out);
        j->file_bytes += j->out.n;
        j->written = j->out.last;
        j->out.n = 0;
        more = !thread;
    }
    if (st && !j->broken) j->failure = error;
    atomic_store(&j->failing, st != FLORIN_OK);
    return st;
}

static void tell(fl_journal *j)
{
    pthread_cond_broadcast(&j->done);
    if (j->opt.acknowledged) j->opt.acknowledged(j->opt.user, atomic_load(&j->acknowledged));
}

/* Sync all that is written. The lock is held and let go of meanwhile. */
static void sync_written(fl_journal *j)
{
    uint64_t upto = j->written;
    int fd = j->fd, old[RETIRED_MAX], error = 0;
    uint32_t n = j->retireds;
    memcpy(old, j->retired, n * sizeof *old);
    pthread_mutex_unlock(&j->lock);
    for (uint32_t i = 0; i < n; i++) {
        if (fdatasync(old[i])) error = errno;
        close(old[i]);
    }
    if (fdatasync(fd)) error = errno;
    pthread_mutex_lock(&j->lock);
    j->retireds -= n;
    memmove(j->retired, j->retired + n, j->retireds * sizeof *old);
    if (error) fail_sync(j, error);
    else if (upto > atomic_load(&j->synced)) atomic_store(&j->synced, upto);
}

static void nap(uint32_t us)
{
    struct timespec t = {us / 1000000, (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

/* FL_SYNC_INTERVAL: sync what the caller wrote. */
static void run_interval(fl_journal *j)
{
    while (!j->stop && !j->broken) {
        if (j->written == atomic_load(&j->synced)) {
            pthread_cond_wait(&j->work, &j->lock);
            continue;
        }
        pthread_mutex_unlock(&j->lock);
        nap(j->opt.interval_us);
        pthread_mutex_lock(&j->lock);
        sync_written(j);
        pthread_cond_broadcast(&j->done);
        if (j->broken) tell(j);
    }
}

/* FL_SYNC_ALWAYS: write, sync, acknowledge; whatever came meanwhile is next. */
static void run_always(fl_journal *j)
{
    for (;;) {
        if (!j->wanted && !j->stop) {
            pthread_cond_wait(&j->work, &j->lock);
            continue;
        }
        bool last = j->stop;
        j->wanted = false;
        while ((j->out.n || j->fill.n) && !write_all(j, true)) {
            sync_written(j);
            if (j->broken) break;
            atomic_store(&j->acknowledged, j->written);
            tell(j);
        }
        if (atomic_load(&j->failing)) tell(j);
        if (last) return;
    }
}

static void *run_thread(void *arg)
{
    fl_journal *j = arg;
    pthread_mutex_lock(&j->lock);
    if (j->opt.sync == FL_SYNC_ALWAYS) run_always(j);
    else run_interval(j);
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* ---- the caller's side ---- */

uint64_t fl_journal_next(const fl_journal *j)
{
    return j->next;
}

void fl_journal_put(fl_journal *j, uint16_t type, const void *payload, size_t n)
{
    pthread_mutex_lock(&j->lock);
    buffer *b = &j->fill;
    fl_record_head h = {.n = (uint32_t)n,
                        .type = type,
                        .mark = FL_RECORD_MARK,
                        .sequence = j->next,
                        .synced = atomic_load(&j->synced)};
    size_t bytes = fl_record_bytes(h.n);
    h.hash = fl_record_hash(&h, payload, j->seed);
    memcpy(b->data + b->n, &h, sizeof h);
    if (n) memcpy(b->data + b->n + sizeof h, payload, n);
    memset(b->data + b->n + sizeof h + n, 0, bytes - sizeof h - n);
    b->n += bytes;
    b->last = j->next++;
    pthread_mutex_unlock(&j->lock);
}

static florin_status failed(fl_journal *j, florin_error *err)
{
    if (err) *err = j->failure;
    return FLORIN_EIO;
}

florin_status fl_journal_room(fl_journal *j, size_t bytes, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (bytes > j->capacity)
        return fl_fail(err, FLORIN_EUSAGE, "journal: %zu bytes at once, its buffer has %zu", bytes,
                       j->capacity);
    pthread_mutex_lock(&j->lock);
    if (j->opt.sync == FL_SYNC_INTERVAL) {
        if (atomic_load(&j->failing) || j->fill.n + bytes > j->capacity) st = write_all(j, false);
        if (!st) atomic_store(&j->acknowledged, j->written);
    } else {
        if (atomic_load(&j->failing) && !j->broken) { /* once more, and wait for what comes of it */
            atomic_store(&j->failing, false);
            j->wanted = true;
            pthread_cond_signal(&j->work);
            while (j->wanted || (j->out.n && !atomic_load(&j->failing)))
                pthread_cond_wait(&j->done, &j->lock);
        }
        while (!atomic_load(&j->failing) && j->fill.n + bytes > j->capacity)
            pthread_cond_wait(&j->done, &j->lock);
        if (atomic_load(&j->failing)) st = FLORIN_EIO;
    }
    if (st) st = failed(j, err);
    pthread_mutex_unlock(&j->lock);
    return st;
}

void fl_journal_flush(fl_journal *j)
{
    pthread_mutex_lock(&j->lock);
    if (j->opt.sync == FL_SYNC_ALWAYS) {
        j->wanted = true;
        pthread_cond_signal(&j->work);
    } else {
        if (!write_all(j, false)) atomic_store(&j->acknowledged, j->written);
        pthread_cond_signal(&j->work);
        tell(j);
    }
    pthread_mutex_unlock(&j->lock);
}

uint64_t fl_journal_acknowledged(const fl_journal *j)
{
    return atomic_load(&j->acknowledged);
}

uint64_t fl_journal_synced(const fl_journal *j)
{
    return atomic_load(&j->synced);
}

florin_status fl_journal_wait(fl_journal *j, uint64_t sequence, florin_error *err)
{
    florin_status st = FLORIN_OK;
    pthread_mutex_lock(&j->lock);
    while (atomic_load(&j->acknowledged) < sequence && !atomic_load(&j->failing))
        pthread_cond_wait(&j->done, &j->lock);
    if (atomic_load(&j->acknowledged) < sequence) st = failed(j, err);
    pthread_mutex_unlock(&j->lock);
    return st;
}

florin_status fl_journal_sync(fl_journal *j, florin_error *err)
{
    florin_status st = FLORIN_OK;
    uint64_t upto = j->next - 1;
    fl_journal_flush(j);
    pthread_mutex_lock(&j->lock);
    while (atomic_load(&j->synced) < upto && !atomic_load(&j->failing))
        pthread_cond_wait(&j->done, &j->lock);
    if (atomic_load(&j->synced) < upto) st = failed(j, err);
    pthread_mutex_unlock(&j->lock);
    return st;
}

bool fl_journal_failing(fl_journal *j)
{
    return atomic_load(&j->failing);
}

void fl_journal_size(fl_journal *j, uint64_t *bytes, uint64_t *segments)
{
    *bytes = 0;
    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->parts_n; i++) *bytes += j->parts[i].bytes;
    *segments = j->parts_n;
    pthread_mutex_unlock(&j->lock);
}

const uint8_t *fl_journal_id(const fl_journal *j)
{
    return j->id;
}

/* ---- single records ---- */

/* Copied out, for the writer may be about to reuse the buffer. */
static bool get_waiting(fl_journal *j, const buffer *b, uint64_t sequence, fl_record *out)
{
    fl_record_head h;
    for (size_t at = 0; at < b->n; at += fl_record_bytes(h.n)) {
        memcpy(&h, b->data + at, sizeof h);
        if (h.sequence != sequence) continue;
        memcpy(j->copy, b->data + at + sizeof h, h.n);
        *out = (fl_record){sequence, j->copy, h.n, h.type};
        return true;
    }
    return false;
}

/* The part that holds a record, with the file in view. */
static florin_status view_part(fl_journal *j, uint64_t sequence, part **out, florin_error *err)
{
    size_t low = 0, high = j->parts_n;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (j->parts[mid].first <= sequence) low = mid;
        else high = mid;
    }
    part *p = *out = &j->parts[low];
    if (j->view.path && j->view.head.first == p->first && j->view.map.size >= p->bytes)
        return FLORIN_OK;
    char *path = fl_segment_path(j->folder, p->first);
    fl_segment_close(&j->view);
    florin_status st =
        path ? fl_segment_open(&j->view, path, err) : fl_fail(err, FLORIN_ENOMEM, "%s", j->folder);
    free(path);
    return st;
}

/* A file that was there at open: walk it once for its places. */
static void find_places(const fl_journal *j, part *p)
{
    fl_record_head h;
    uint64_t sequence = p->first;
    for (size_t at = j->view.begin; at + sizeof h <= p->bytes; at += fl_record_bytes(h.n)) {
        memcpy(&h, j->view.map.data + at, sizeof h);
        if (h.mark != FL_RECORD_MARK || h.sequence != sequence) return; /* get says what is wrong */
        if ((sequence++ - p->first) % FL_JOURNAL_SPARSE) continue;
        if (!fl_grow((void **)&p->sparse, &p->sparse_cap, p->sparse_n + 1, sizeof *p->sparse))
            return;
        p->sparse[p->sparse_n++] = (uint32_t)(at / 8);
    }
}

static florin_status get_written(fl_journal *j, uint64_t sequence, fl_record *out,
                                 florin_error *err)
{
    part *p;
    florin_status st = view_part(j, sequence, &p, err);
    if (st) return st;
    if (!p->sparse_n) find_places(j, p);
    size_t k = (size_t)(sequence - p->first) / FL_JOURNAL_SPARSE;
    if (k >= p->sparse_n) k = p->sparse_n ? p->sparse_n - 1 : 0;
    size_t at = p->sparse_n ? (size_t)p->sparse[k] * 8 : j->view.begin;
    for (uint64_t i = p->first + k * FL_JOURNAL_SPARSE; i < sequence; i++) {
        fl_record_head h;
        if (at + sizeof h > j->view.map.size) break;
        memcpy(&h, j->view.map.data + at, sizeof h);
        at += fl_record_bytes(h.n);
    }
    if (fl_segment_record(&j->view, at, sequence, out)) return FLORIN_OK;
    return fl_segment_torn(&j->view, at, sequence, UINT64_MAX, err);
}

florin_status fl_journal_get(fl_journal *j, uint64_t sequence, fl_record *out, florin_error *err)
{
    florin_status st = FLORIN_OK;
    pthread_mutex_lock(&j->lock);
    if (!j->parts_n || sequence < j->parts[0].first || sequence >= j->next)
        st = fl_fail(err, FLORIN_EINPUT, "the journal has no record %llu",
                     (unsigned long long)sequence);
    else if (sequence > j->written) {
        if (!get_waiting(j, &j->out, sequence, out) && !get_waiting(j, &j->fill, sequence, out))
            st = fl_fail(err, FLORIN_EINTERNAL, "record %llu is nowhere",
                         (unsigned long long)sequence);
    } else st = get_written(j, sequence, out, err);
    pthread_mutex_unlock(&j->lock);
    return st;
}

/* ---- opening ---- */

static florin_status lock_folder(fl_journal *j, florin_error *err)
{
    char *path = fl_asprintf("%s/lock", j->folder);
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "%s", j->folder);
    j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    florin_status st = FLORIN_OK;
    if (j->lock_fd < 0) st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
    else if (flock(j->lock_fd, LOCK_EX | LOCK_NB))
        st = fl_fail(err, FLORIN_EIO, "%s: another process writes this journal", j->folder);
    free(path);
    return st;
}

/* The last segment: walked whole, cut behind its last whole record. same: its preamble is the one that is wanted. */
static florin_status take_last(fl_journal *j, uint64_t first, uint64_t *cut, bool *same,
                               florin_error *err)
{
    fl_segment s;
    fl_record record;
    char *path = fl_segment_path(j->folder, first);
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "%s", j->folder);
    florin_status st = fl_segment_open(&s, path, err);
    size_t at = st ? 0 : s.begin;
    uint64_t sequence = first;
    while (!st && fl_segment_record(&s, at, sequence, &record)) {
        at += fl_record_bytes(record.n);
        sequence++;
    }
    if (!st && at < s.map.size) st = fl_segment_torn(&s, at, sequence, 0, err);
    if (st) goto done;
    *cut = s.map.size - at;
    j->seed = s.seed;
    *same = s.head.preamble_bytes == j->opt.preamble_bytes &&
            !memcmp(s.preamble, j->preamble, j->opt.preamble_bytes);
    memcpy(j->id, s.head.id, sizeof j->id);
    j->epoch = s.head.epoch;
    j->next = sequence;
    j->file_bytes = j->parts[j->parts_n - 1].bytes = at;
    j->fd = open(path, O_RDWR | O_CLOEXEC);
    /* What was only in the system's cache when the program before this one was killed is synced before it counts. */
    if (j->fd < 0 || (*cut && ftruncate(j->fd, (off_t)at)) || fdatasync(j->fd))
        st = fl_fail(err, FLORIN_EIO, "%s: can't write: %s", path, strerror(errno));
done:
    fl_segment_close(&s);
    free(path);
    return st;
}

static florin_status take_parts(fl_journal *j, uint64_t *cut, florin_error *err)
{
    uint64_t *first;
    uint32_t n;
    florin_status st = fl_segments_list(&first, &n, j->folder, err);
    if (st) return st;
    if (!n) {
        memcpy(j->id, j->opt.id, sizeof j->id);
        j->next = 1;
        return begin_segment(j, 1, err);
    }
    for (uint32_t i = 0; i < n && !st; i++) {
        struct stat info;
        char *path = fl_segment_path(j->folder, first[i]);
        if (!path || !fl_grow((void **)&j->parts, &j->parts_cap, j->parts_n + 1, sizeof *j->parts))
            st = fl_fail(err, FLORIN_ENOMEM, "%s", j->folder);
        else if (stat(path, &info)) st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
        else j->parts[j->parts_n++] = (part){.first = first[i], .bytes = (uint64_t)info.st_size};
        free(path);
    }
    bool same = true;
    if (!st) st = take_last(j, first[n - 1], cut, &same, err);
    if (!st && !same) {
        if (j->next == first[n - 1]) j->parts_n--; /* nothing in it: it begins anew */
        st = begin_segment(j, j->next, err);
    }
    free(first);
    return st;
}

static florin_status set_up(fl_journal *j, const fl_journal_options *opt, florin_error *err)
{
    j->opt = *opt;
    if (!j->opt.interval_us) j->opt.interval_us = 10000;
    if (!j->opt.segment_bytes) j->opt.segment_bytes = UINT64_C(256) << 20;
    j->capacity = opt->buffer_bytes ? opt->buffer_bytes : 8u << 20;
    j->folder = fl_strdup(opt->folder);
    j->preamble = fl_alloc(opt->preamble_bytes ? opt->preamble_bytes : 1, 1);
    j->fill.data = fl_alloc(j->capacity, 1);
    j->out.data = fl_alloc(j->capacity, 1);
    j->copy = fl_alloc(FL_JOURNAL_RECORD_MAX, 1);
    if (!j->folder || !j->preamble || !j->fill.data || !j->out.data || !j->copy)
        return fl_fail(err, FLORIN_ENOMEM, "journal: buffers of %zu bytes", j->capacity);
    if (opt->preamble_bytes) memcpy(j->preamble, opt->preamble, opt->preamble_bytes);
    j->opt.preamble = j->preamble;
    return fl_make_dir(j->folder, err);
}

florin_status fl_journal_open(fl_journal **out, const fl_journal_options *opt, uint64_t *cut_bytes,
                              florin_error *err)
{
    uint64_t cut = 0;
    *out = NULL;
    fl_journal *j = fl_calloc(1, sizeof *j);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "journal");
    j->fd = j->lock_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->work, NULL);
    pthread_cond_init(&j->done, NULL);
    florin_status st = set_up(j, opt, err);
    if (!st) st = lock_folder(j, err);
    if (!st) st = take_parts(j, &cut, err);
    if (st) {
        fl_journal_close(j);
        return st;
    }
    j->seed = fl_journal_seed(j->id);
    j->written = j->next - 1;
    atomic_store(&j->acknowledged, j->written);
    atomic_store(&j->synced, j->written);
    j->started = !pthread_create(&j->thread, NULL, run_thread, j);
    if (!j->started) {
        fl_journal_close(j);
        return fl_fail(err, FLORIN_ENOMEM, "journal: can't start its thread");
    }
    if (cut_bytes) *cut_bytes = cut;
    *out = j;
    return FLORIN_OK;
}

void fl_journal_close(fl_journal *j)
{
    if (!j) return;
    if (j->started) {
        pthread_mutex_lock(&j->lock);
        if (j->opt.sync == FL_SYNC_INTERVAL && !j->broken) {
            if (!write_all(j, false)) atomic_store(&j->acknowledged, j->written);
        }
        j->stop = true;
        pthread_cond_signal(&j->work);
        pthread_mutex_unlock(&j->lock);
        pthread_join(j->thread, NULL);
    }
    for (uint32_t i = 0; i < j->retireds; i++) {
        fdatasync(j->retired[i]);
        close(j->retired[i]);
    }
    if (j->fd >= 0) {
        if (j->started) fdatasync(j->fd);
        close(j->fd);
    }
    if (j->lock_fd >= 0) close(j->lock_fd);
    fl_segment_close(&j->view);
    for (size_t i = 0; i < j->parts_n; i++) free(j->parts[i].sparse);
    free(j->parts);
    free(j->fill.data);
    free(j->out.data);
    free(j->copy);
    free(j->preamble);
    free(j->folder);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->work);
    pthread_cond_destroy(&j->done);
    free(j);
}
