/* Three tables of the same size: one is filled, one is full and on its way to a file, one is being emptied. A run is a
 * table as it lay in memory, behind a filter that says of nearly every hash that is not there that it is not. */
#include "score/journal_index.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC "FLINDEX1"
enum {
    BLOCK_WORDS = 8,      /* a filter's block: a cache line */
    ENTRIES_IN_BLOCK = 32 /* 16 bits each: about one in a thousand passes that should not */
};

typedef struct {
    uint64_t hash, sequence; /* sequence 0: free */
} slot;

/* At the head of a run; then filter, then slots. */
typedef struct {
    char magic[8];
    uint64_t slots, blocks, count;
    uint64_t first, last; /* records that it covers */
    int64_t newest_us;    /* of their times */
    uint64_t hash;        /* of the 56 bytes before it */
} run_head;

typedef struct {
    slot *slot; /* [slots] open addressing */
    uint64_t *filter;
    void *block; /* both lie in it */
    uint64_t count, first, last;
    int64_t newest_us;
} table;

typedef struct {
    fl_mapping map;
    run_head head;
    const uint64_t *filter;
    const slot *slot;
} run;

struct fl_journal_index {
    char *folder; /* NULL: memory alone */
    uint64_t entries, slots, blocks;
    size_t bytes; /* of a table's block */
    table new, old, spare;
    run *runs; /* oldest first */
    size_t runs_n, runs_cap;
    pthread_t thread;
    bool busy; /* the thread is to be joined */
    bool written;
    atomic_bool failed;
};

/* ---- tables ---- */

static bool open_table(fl_journal_index *x, table *t)
{
    t->block = mmap(NULL, x->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->block == MAP_FAILED) {
        t->block = NULL;
        return false;
    }
    fl_huge_pages(t->block, x->bytes);
    t->filter = t->block;
    t->slot = (slot *)(void *)(t->filter + x->blocks * BLOCK_WORDS);
    t->newest_us = INT64_MIN;
    return true;
}

static void empty_table(const fl_journal_index *x, table *t)
{
    madvise(t->block, x->bytes, MADV_DONTNEED); /* anonymous memory: zeros from here on */
    t->count = t->first = t->last = 0;
    t->newest_us = INT64_MIN;
}

static const slot *find_slot(const slot *s, uint64_t slots, uint64_t hash)
{
    uint64_t i = fl_mix64(hash) & (slots - 1), steps = slots;
    while (s[i].sequence && s[i].hash != hash && --steps) i = (i + 1) & (slots - 1);
    return &s[i];
}

/* Eight bits of one cache line. */
static void filter_add(uint64_t *filter, uint64_t blocks, uint64_t hash)
{
    uint64_t bits = fl_mix64(hash ^ 0x66696c74), *b = filter + bits % blocks * BLOCK_WORDS;
    bits = fl_mix64(bits);
    for (int i = 0; i < BLOCK_WORDS; i++, bits >>= 6) b[i] |= UINT64_C(1) << (bits & 63);
}

static bool filter_has(const uint64_t *filter, uint64_t blocks, uint64_t hash)
{
    uint64_t bits = fl_mix64(hash ^ 0x66696c74);
    const uint64_t *b = filter + bits % blocks * BLOCK_WORDS;
    bits = fl_mix64(bits);
    for (int i = 0; i < BLOCK_WORDS; i++, bits >>= 6)
        if (!(b[i] >> (bits & 63) & 1)) return false;
    return true;
}

/* ---- runs ---- */

static char *run_path(const char *folder, uint64_t first)
{
    return fl_asprintf("%s/%020llu.index", folder, (unsigned long long)first);
}

static bool view_run(run *r)
{
    run_head *h = &r->head;
    if (r->map.size < sizeof *h) return false;
    memcpy(h, r->map.data, sizeof *h);
    if (memcmp(h->magic, MAGIC, 8) || h->hash != fl_hash64(h, offsetof(run_head, hash), 0) ||
        !h->blocks || !h->slots || h->slots & (h->slots - 1) || h->blocks > UINT32_MAX ||
        h->slots > UINT32_MAX || h->count >= h->slots || h->first > h->last)
        return false;
    if (r->map.size != sizeof *h + h->blocks * BLOCK_WORDS * 8 + h->slots * sizeof(slot))
        return false;
    r->filter = (const uint64_t *)(const void *)(r->map.data + sizeof *h);
    r->slot = (const slot *)(const void *)(r->filter + h->blocks * BLOCK_WORDS);
    return true;
}

static bool add_run(fl_journal_index *x, const char *path)
{
    run r = {.filter = NULL};
    if (fl_map_file(&r.map, path, NULL)) return false;
    if (!view_run(&r) || !fl_grow((void **)&x->runs, &x->runs_cap, x->runs_n + 1, sizeof r)) {
        fl_unmap(&r.map);
        return false;
    }
    x->runs[x->runs_n++] = r;
    return true;
}

static florin_status write_run(const fl_journal_index *x, const table *t, const char *path)
{
    fl_writer *w = NULL;
    run_head h = {.magic = MAGIC,
                  .slots = x->slots,
                  .blocks = x->blocks,
                  .count = t->count,
                  .first = t->first,
                  .last = t->last,
                  .newest_us = t->newest_us};
    h.hash = fl_hash64(&h, offsetof(run_head, hash), 0);
    florin_status st = fl_writer_open(&w, path, 0600, NULL);
    if (!st) fl_writer_expect(w, sizeof h + x->bytes);
    if (!st) st = fl_writer_add(w, &h, sizeof h, NULL);
    if (!st) st = fl_writer_add(w, t->block, x->bytes, NULL);
    if (!st) return fl_writer_commit(w, NULL);
    fl_writer_abort(w);
    return st;
}

/* The thread of one seal: the full table to its file, the older one empty. */
static void *seal(void *arg)
{
    fl_journal_index *x = arg;
    char *path = run_path(x->folder, x->old.first);
    x->written = path && !write_run(x, &x->old, path);
    free(path);
    empty_table(x, &x->spare);
    return NULL;
}

/* The run of the thread before is in use from now on. */
static void join(fl_journal_index *x)
{
    if (!x->busy) return;
    pthread_join(x->thread, NULL);
    x->busy = false;
    char *path = run_path(x->folder, x->old.first);
    if (!x->written || !path || !add_run(x, path)) atomic_store(&x->failed, true);
    free(path);
}

static void turn(fl_journal_index *x)
{
    join(x);
    table empty = x->spare;
    x->spare = x->old;
    x->old = x->new;
    x->new = empty;
    if (!x->folder || pthread_create(&x->thread, NULL, seal, x)) {
        if (x->folder) atomic_store(&x->failed, true);
        empty_table(x, &x->spare);
    } else x->busy = true;
}

void fl_journal_index_put(fl_journal_index *x, uint64_t hash, uint64_t sequence, int64_t at_us)
{
    slot *at = (slot *)find_slot(x->new.slot, x->slots, hash);
    /* Not between the hashes of one record: a run covers records whole. */
    if (!at->sequence && x->new.count >= x->entries && x->new.last != sequence) {
        turn(x);
        at = (slot *)find_slot(x->new.slot, x->slots, hash);
    }
    table *t = &x->new;
    if (!t->count)
        t->first = x->old.count ? x->old.last + 1
                   : x->runs_n  ? x->runs[x->runs_n - 1].head.last + 1
                                : 1;
    if (!at->sequence) {
        t->count++;
        filter_add(t->filter, x->blocks, hash);
    }
    *at = (slot){hash, sequence};
    t->last = sequence;
    if (at_us > t->newest_us) t->newest_us = at_us;
}

uint64_t fl_journal_index_find(const fl_journal_index *x, uint64_t hash, int64_t since_us)
{
    uint64_t bits = fl_mix64(hash ^ 0x66696c74);
    for (size_t i = x->runs_n; i-- > 0 && x->runs[i].head.newest_us >= since_us;)
        __builtin_prefetch(x->runs[i].filter + bits % x->runs[i].head.blocks * BLOCK_WORDS);
    const slot *s = find_slot(x->new.slot, x->slots, hash);
    if (!s->sequence && x->old.count) s = find_slot(x->old.slot, x->slots, hash);
    if (s->sequence) return s->sequence;
    for (size_t i = x->runs_n; i-- > 0;) {
        const run *r = &x->runs[i];
        if (r->head.newest_us < since_us)
            break; /* those before it are older still, but for a clock that jumped */
        if (!filter_has(r->filter, r->head.blocks, hash)) continue;
        s = find_slot(r->slot, r->head.slots, hash);
        if (s->sequence && s->hash == hash) return s->sequence;
    }
    return 0;
}

fl_journal_index_size fl_journal_index_size_of(const fl_journal_index *x)
{
    fl_journal_index_size s = {.runs = x->runs_n, .failed = atomic_load(&x->failed)};
    for (size_t i = 0; i < x->runs_n; i++) s.bytes += x->runs[i].map.size;
    return s;
}

/* ---- opening ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static florin_status list_runs(const char *folder, uint64_t **first, size_t *n, florin_error *err)
{
    size_t cap = 0;
    florin_status st = FLORIN_OK;
    DIR *d = opendir(folder);
    if (!d) return fl_fail(err, FLORIN_EIO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; !st && (e = readdir(d));) {
        if (strlen(e->d_name) != 26 || strspn(e->d_name, "0123456789") != 20 ||
            strcmp(e->d_name + 20, ".index"))
            continue;
        if (!fl_grow((void **)first, &cap, *n + 1, sizeof **first))
            st = fl_fail(err, FLORIN_ENOMEM, "%s", folder);
        else (*first)[(*n)++] = strtoull(e->d_name, NULL, 10);
    }
    closedir(d);
    if (!st && *n) qsort(*first, *n, sizeof **first, by_number);
    return st;
}

/* Runs without a gap from the oldest on, none of records that the journal does not have; the rest goes. */
static florin_status take_runs(fl_journal_index *x, uint64_t last, florin_error *err)
{
    uint64_t *first = NULL;
    size_t n = 0;
    bool whole = true;
    florin_status st = list_runs(x->folder, &first, &n, err);
    for (size_t i = 0; i < n && !st; i++) {
        char *path = run_path(x->folder, first[i]);
        if (!path) {
            st = fl_fail(err, FLORIN_ENOMEM, "%s", x->folder);
            break;
        }
        whole = whole && add_run(x, path);
        const run_head *h = whole ? &x->runs[x->runs_n - 1].head : NULL;
        if (h && (h->first != first[i] || h->last > last ||
                  (x->runs_n > 1 && x->runs[x->runs_n - 2].head.last + 1 != h->first))) {
            fl_unmap(&x->runs[--x->runs_n].map);
            whole = false;
        }
        if (!whole) unlink(path);
        free(path);
    }
    free(first);
    return st;
}

florin_status fl_journal_index_open(fl_journal_index **out, const char *folder, uint32_t entries,
                                    uint64_t last, uint64_t *covered, florin_error *err)
{
    *out = NULL;
    *covered = 0;
    if (!entries || entries > FL_INDEX_ENTRIES_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "index of the journal: 1 to %d entries, not %u",
                       FL_INDEX_ENTRIES_MAX, entries);
    fl_journal_index *x = fl_calloc(1, sizeof *x);
    if (!x) return fl_fail(err, FLORIN_ENOMEM, "index of the journal");
    x->entries = entries;
    x->blocks = (entries + ENTRIES_IN_BLOCK - 1) / ENTRIES_IN_BLOCK;
    x->slots = 16;
    while (x->slots < 2 * x->entries) x->slots *= 2;
    x->bytes = x->blocks * BLOCK_WORDS * 8 + x->slots * sizeof(slot);
    bool ok = open_table(x, &x->new) && open_table(x, &x->old) && open_table(x, &x->spare);
    if (ok && folder) ok = (x->folder = fl_strdup(folder)) != NULL;
    florin_status st =
        ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "index of the journal: %u entries", entries);
    if (!st && folder) st = take_runs(x, last, err);
    if (st) {
        fl_journal_index_close(x);
        return st;
    }
    if (x->runs_n) *covered = x->runs[x->runs_n - 1].head.last;
    *out = x;
    return FLORIN_OK;
}

void fl_journal_index_close(fl_journal_index *x)
{
    if (!x) return;
    if (x->busy) pthread_join(x->thread, NULL);
    table *t[] = {&x->new, &x->old, &x->spare};
    for (size_t i = 0; i < FL_LEN(t); i++)
        if (t[i]->block) munmap(t[i]->block, x->bytes);
    for (size_t i = 0; i < x->runs_n; i++) fl_unmap(&x->runs[i].map);
    free(x->runs);
    free(x->folder);
    free(x);
}
