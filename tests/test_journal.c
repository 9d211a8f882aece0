/* The journal: what was acknowledged is found again, whole and once, whatever is cut, flipped or full. */
#include "support/support.h"
#include "score/journal_file.h"
#include "score/journal_index.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static fl_journal *open_in(const char *folder, fl_sync sync, uint64_t segment, uint64_t *cut)
{
    fl_journal_options o = {.folder = folder,
                            .sync = sync,
                            .segment_bytes = segment,
                            .buffer_bytes = 1 << 18,
                            .interval_us = 500,
                            .preamble = "{}",
                            .preamble_bytes = 2};
    fl_journal *j;
    florin_error err = {0};

    o.id[0] = 7;
    if (fl_journal_open(&j, &o, cut, &err)) fail_msg("%s", err.message);
    return j;
}

/* Payload of record i: its length and bytes follow from i. */
static size_t payload(uint64_t i, uint8_t *out)
{
    size_t n = (size_t)(fl_mix64(i) % 300);
    for (size_t k = 0; k < n; k++) out[k] = (uint8_t)(fl_mix64(i + k) >> 8);
    return n;
}

static void put(fl_journal *j, uint64_t from, uint64_t to)
{
    uint8_t bytes[300];
    for (uint64_t i = from; i < to; i++) {
        size_t n = payload(i, bytes);
        assert_int_equal(fl_journal_room(j, n + 40, NULL), FLORIN_OK);
        assert_int_equal(fl_journal_next(j), i);
        fl_journal_put(j, (uint16_t)(1 + i % 3), bytes, n);
        if (i % 5 == 0) fl_journal_flush(j);
    }
    fl_journal_flush(j);
    assert_int_equal(fl_journal_wait(j, to - 1, NULL), FLORIN_OK);
}

static void is_record(const fl_record *r, uint64_t i)
{
    uint8_t bytes[300];
    size_t n = payload(i, bytes);
    assert_int_equal(r->sequence, i);
    assert_int_equal(r->type, 1 + i % 3);
    assert_int_equal(r->n, n);
    assert_memory_equal(r->payload, bytes, n);
}

/* Reads from `from` on; returns the number of the last record. */
static uint64_t read_all(const char *folder, uint64_t from)
{
    fl_journal_reader *r;
    fl_record record;
    bool more;
    uint64_t last = from - 1;
    florin_error err = {0};

    if (fl_journal_reader_open(&r, folder, from, &err)) fail_msg("%s", err.message);
    for (;;) {
        if (fl_journal_reader_next(r, &record, &more, &err)) fail_msg("%s", err.message);
        if (!more) break;
        is_record(&record, ++last);
    }
    fl_journal_reader_close(r);
    return last;
}

static void round_trip(fl_sync sync, const char *name)
{
    const char *folder = scratch_path(name);
    uint64_t bytes, segments, next = 1;
    fl_record record;

    for (int turn = 0; turn < 4; turn++) {
        fl_journal *j = open_in(folder, sync, 20000, NULL);
        assert_int_equal(fl_journal_next(j), next);
        put(j, next, next + 700);
        next += 700;
        for (uint64_t i = 1; i < next; i += 1 + i % 3) {
            assert_int_equal(fl_journal_get(j, i, &record, NULL), FLORIN_OK);
            is_record(&record, i);
        }
        assert_int_equal(fl_journal_get(j, 0, &record, NULL), FLORIN_EINPUT);
        assert_int_equal(fl_journal_get(j, next, &record, NULL), FLORIN_EINPUT);
        assert_int_equal(fl_journal_sync(j, NULL), FLORIN_OK);
        assert_int_equal(fl_journal_synced(j), next - 1);
        fl_journal_size(j, &bytes, &segments);
        assert_true(segments >= (sync == FL_SYNC_INTERVAL ? 5 : 1));
        fl_journal_close(j);
    }
    assert_int_equal(read_all(folder, 1), next - 1);
    assert_int_equal(read_all(folder, 1234), next - 1);
}

static void what_is_put_is_there(void **state)
{
    (void)state;
    round_trip(FL_SYNC_INTERVAL, "interval");
    round_trip(FL_SYNC_ALWAYS, "always");
}

/* A record is there before it is written, and before it is flushed. */
static void waiting_records(void **state)
{
    fl_journal *j = open_in(scratch_path("waiting"), FL_SYNC_INTERVAL, 0, NULL);
    fl_record record;

    (void)state;
    fl_journal_put(j, 2, "abc", 3);
    assert_int_equal(fl_journal_acknowledged(j), 0);
    assert_int_equal(fl_journal_get(j, 1, &record, NULL), FLORIN_OK);
    assert_memory_equal(record.payload, "abc", 3);
    fl_journal_flush(j);
    assert_int_equal(fl_journal_acknowledged(j), 1);
    assert_int_equal(fl_journal_get(j, 1, &record, NULL), FLORIN_OK);
    assert_memory_equal(record.payload, "abc", 3);
    fl_journal_close(j);
}

static size_t file_size(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

/* Cut anywhere, the whole records before the cut are there, and writing goes on behind them. */
static void torn_tail(void **state)
{
    const char *folder = scratch_path("torn");
    char *path = fl_segment_path(folder, 1);
    size_t head;
    char *good;

    (void)state;
    fl_journal_close(open_in(folder, FL_SYNC_INTERVAL, 0, NULL));
    head = file_size(path);
    fl_journal *j = open_in(folder, FL_SYNC_INTERVAL, 0, NULL);
    put(j, 1, 12);
    fl_journal_close(j);
    assert_int_equal(fl_read_file(&good, &(size_t){0}, path, 1 << 20, NULL), FLORIN_OK);
    for (size_t n = file_size(path), size = n; n >= head; n -= n > size - 400 ? 1 : 13) {
        uint64_t cut, next;
        assert_int_equal(fl_write_file(path, good, n, NULL), FLORIN_OK);
        j = open_in(folder, FL_SYNC_INTERVAL, 0, &cut);
        next = fl_journal_next(j);
        assert_true(next >= 1 && next <= 12);
        assert_int_equal(file_size(path), n - cut);
        put(j, next, next + 3);
        fl_journal_close(j);
        assert_int_equal(read_all(folder, 1), next + 2);
    }
    /* Zeros, as a file system may leave them, and noise. */
    for (int noise = 0; noise < 2; noise++) {
        uint64_t cut;
        size_t size = head + 1000;
        char *bytes = calloc(size + 5000, 1);
        memcpy(bytes, good, size);
        for (size_t i = 0; noise && i < 5000; i++) bytes[size + i] = (char)fl_mix64(i);
        assert_int_equal(fl_write_file(path, bytes, size + 5000, NULL), FLORIN_OK);
        j = open_in(folder, FL_SYNC_INTERVAL, 0, &cut);
        assert_true(cut >= 5000 && fl_journal_next(j) > 3);
        fl_journal_close(j);
        free(bytes);
    }
    free(good);
    free(path);
}

static florin_status reads(const char *folder, florin_error *err)
{
    fl_journal_reader *r;
    fl_record record;
    bool more = true;
    uint64_t last = 0;
    florin_status st = fl_journal_reader_open(&r, folder, 0, err);
    while (!st && more) {
        st = fl_journal_reader_next(r, &record, &more, err);
        if (!st && more) is_record(&record, ++last);
    }
    fl_journal_reader_close(r);
    return st;
}

/* A bit that turned in what was once on the disk is no torn tail: refused, with file and offset. */
static void flipped_bytes(void **state)
{
    const char *folder = scratch_path("flipped");
    fl_journal_options o = {.folder = folder};
    fl_journal *j = open_in(folder, FL_SYNC_INTERVAL, 4000, NULL);
    fl_rng rng;

    (void)state;
    put(j, 1, 60);
    fl_journal_close(j);
    j = open_in(folder, FL_SYNC_INTERVAL, 4000, NULL);
    put(j, 60, 61); /* it knows that all before it were synced */
    fl_journal_close(j);
    fl_rng_seed(&rng, 3);
    uint64_t *first;
    uint32_t n, refused = 0;
    assert_int_equal(fl_segments_list(&first, &n, folder, NULL), FLORIN_OK);
    assert_true(n >= 3);
    for (uint32_t s = 0; s < n; s++) {
        char *path = fl_segment_path(folder, first[s]);
        size_t size = file_size(path),
               last = fl_record_bytes((uint32_t)payload(60, (uint8_t[300]){0}));
        for (size_t i = 0; i < size - (s + 1 == n ? last : 0); i += 5) {
            florin_error err = {0};
            int bit = (int)fl_rng_below(&rng, 8);
            flip_bit(path, i, bit);
            if (reads(folder, &err) != FLORIN_OK) {
                assert_int_equal(err.status, FLORIN_EFORMAT);
                assert_non_null(strstr(err.message, folder));
                assert_non_null(strstr(err.message, "offset"));
                refused++;
            } else fail_msg("%s: bit %d of byte %zu turned, and nobody saw", path, bit, i);
            if (s + 1 == n) assert_int_equal(fl_journal_open(&j, &o, NULL, &err), FLORIN_EFORMAT);
            flip_bit(path, i, bit);
        }
        free(path);
    }
    assert_true(refused > 500);
    /* A file that is missing in the middle. */
    char *path = fl_segment_path(folder, first[1]);
    florin_error err = {0};
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reads(folder, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, "missing"));
    free(path);
    free(first);
}

static void one_writer(void **state)
{
    const char *folder = scratch_path("one");
    fl_journal_options o = {.folder = folder};
    fl_journal *j = open_in(folder, FL_SYNC_INTERVAL, 0, NULL), *k;
    florin_error err = {0};

    (void)state;
    assert_int_equal(fl_journal_open(&k, &o, NULL, &err), FLORIN_EIO);
    assert_non_null(strstr(err.message, "another process"));
    fl_journal_close(j);
}

/* ---- a disk without room: in a process of its own, whose files may not grow ---- */

static void limit_files(uint64_t bytes)
{
    struct rlimit l = {bytes, RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void fill_up(const char *folder, fl_sync sync)
{
    fl_journal *j;
    uint8_t bytes[300];
    florin_error err = {0};
    fl_record record;
    uint64_t i = 1;

    signal(SIGXFSZ, SIG_IGN);
    j = open_in(folder, sync, 1 << 20, NULL);
    limit_files(50000);
    for (;; i++) {
        size_t n = payload(i, bytes);
        if (fl_journal_room(j, n + 40, &err)) break;
        fl_journal_put(j, (uint16_t)(1 + i % 3), bytes, n);
        fl_journal_flush(j);
        if (fl_journal_wait(j, i, &err)) {
            i++;
            break;
        }
    }
    uint64_t acknowledged = fl_journal_acknowledged(j);
    assert_int_equal(err.status, FLORIN_EIO);
    assert_non_null(strstr(err.message, "free some space"));
    assert_true(acknowledged > 100 && acknowledged < i);
    assert_true(fl_journal_failing(j));
    for (int again = 0; again < 3; again++)
        assert_int_equal(fl_journal_room(j, 40, &err), FLORIN_EIO);
    /* What waits is there to be read, and nothing that was acknowledged is gone. */
    assert_int_equal(fl_journal_get(j, acknowledged, &record, NULL), FLORIN_OK);
    is_record(&record, acknowledged);
    assert_int_equal(fl_journal_get(j, i - 1, &record, NULL), FLORIN_OK);
    is_record(&record, i - 1);
    limit_files(RLIM_INFINITY);
    put(j, i, i + 200);
    assert_false(fl_journal_failing(j));
    fl_journal_close(j);
    assert_int_equal(read_all(folder, 1), i + 199);
}

static void full_disk(void **state)
{
    int status;

    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        const char *folder = scratch_path(sync ? "full.always" : "full.interval");
        pid_t child = fork();
        if (!child) {
            fill_up(folder, sync ? FL_SYNC_ALWAYS : FL_SYNC_INTERVAL);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

/* Closed while the disk is full: what was acknowledged is there, the rest is not, or is whole. */
static void closed_when_full(void **state)
{
    int status, ends[2];
    uint64_t acknowledged;
    const char *folder = scratch_path("full.closed");

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (!child) {
        uint8_t bytes[300];
        signal(SIGXFSZ, SIG_IGN);
        fl_journal *j = open_in(folder, FL_SYNC_INTERVAL, 1 << 20, NULL);
        limit_files(30000);
        for (uint64_t i = 1; !fl_journal_failing(j); i++) {
            size_t n = payload(i, bytes);
            if (fl_journal_room(j, n + 40, NULL)) break;
            fl_journal_put(j, (uint16_t)(1 + i % 3), bytes, n);
            fl_journal_flush(j);
        }
        acknowledged = fl_journal_acknowledged(j);
        fl_journal_close(j);
        _exit(write(ends[1], &acknowledged, sizeof acknowledged) != sizeof acknowledged);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(read(ends[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
    uint64_t cut;
    fl_journal *j = open_in(folder, FL_SYNC_INTERVAL, 1 << 20, &cut);
    assert_true(acknowledged > 50 && fl_journal_next(j) > acknowledged);
    put(j, fl_journal_next(j), fl_journal_next(j) + 5);
    uint64_t last = fl_journal_next(j) - 1;
    fl_journal_close(j);
    assert_int_equal(read_all(folder, 1), last);
}

/* Hash i belongs to record i / 2 + 1, as of a key and an id. */
static void put_hashes(fl_journal_index *x, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        fl_journal_index_put(x, fl_mix64(i + 1), i / 2 + 1, (int64_t)i * 1000);
}

static void index_knows_all(void **state)
{
    const char *folder = scratch_path("index");
    fl_journal_index *x;
    uint64_t covered, n = 20001;

    (void)state;
    assert_int_equal(fl_make_dir(folder, NULL), FLORIN_OK);
    assert_int_equal(fl_journal_index_open(&x, folder, 0, 0, &covered, NULL), FLORIN_EUSAGE);
    assert_int_equal(fl_journal_index_open(&x, folder, 999, 0, &covered, NULL), FLORIN_OK);
    assert_int_equal(covered, 0);
    for (uint64_t i = 0; i < n; i++) {
        assert_int_equal(fl_journal_index_find(x, fl_mix64(i + 1), INT64_MIN), 0);
        put_hashes(x, i, i + 1);
        for (uint64_t k = 0; k <= i; k += 1 + n / 7)
            assert_int_equal(fl_journal_index_find(x, fl_mix64(k + 1), INT64_MIN), k / 2 + 1);
    }
    for (uint64_t i = 0; i < n; i++)
        assert_int_equal(fl_journal_index_find(x, fl_mix64(i + 1), INT64_MIN), i / 2 + 1);
    assert_int_equal(fl_journal_index_find(x, fl_mix64(1), (int64_t)n * 900),
                     0); /* too old to be asked for */
    assert_int_equal(fl_journal_index_find(x, fl_mix64(n - 1), (int64_t)n * 900), (n - 2) / 2 + 1);
    fl_journal_index_put(x, fl_mix64(5), 123456, (int64_t)n * 1000); /* the newest counts */
    assert_int_equal(fl_journal_index_find(x, fl_mix64(5), INT64_MIN), 123456);
    fl_journal_index_size size = fl_journal_index_size_of(x);
    assert_true(size.runs >= 17 && !size.failed);
    fl_journal_index_close(x);
    /* What the runs cover is known at once; the rest is put again. */
    assert_int_equal(fl_journal_index_open(&x, folder, 701, n, &covered, NULL), FLORIN_OK);
    assert_true(covered > 8500 && covered < n / 2 + 1);
    for (uint64_t i = 0; i < 2 * covered; i++)
        assert_int_equal(fl_journal_index_find(x, fl_mix64(i + 1), INT64_MIN), i / 2 + 1);
    put_hashes(x, 2 * covered, n + 5000);
    for (uint64_t i = 0; i < n + 5000; i++)
        assert_int_equal(fl_journal_index_find(x, fl_mix64(i + 1), INT64_MIN), i / 2 + 1);
    fl_journal_index_close(x);
}

/* A run that is damaged or missing, or that speaks of records which the journal lost, goes, and those behind it. */
static void index_is_made_again(void **state)
{
    const char *folder = scratch_path("index.again");
    fl_journal_index *x;
    uint64_t covered, all;

    (void)state;
    assert_int_equal(fl_make_dir(folder, NULL), FLORIN_OK);
    assert_int_equal(fl_journal_index_open(&x, folder, 999, 0, &covered, NULL), FLORIN_OK);
    put_hashes(x, 0, 12000);
    fl_journal_index_close(x);
    assert_int_equal(fl_journal_index_open(&x, folder, 1000, 6000, &all, NULL), FLORIN_OK);
    assert_true(all >= 5000);
    fl_journal_index_close(x);
    assert_int_equal(fl_journal_index_open(&x, folder, 1000, all - 1, &covered, NULL), FLORIN_OK);
    assert_int_equal(covered, all - 500);
    fl_journal_index_close(x);
    for (int damage = 0; damage < 3; damage++) {
        char *path = fl_asprintf("%s/%020d.index", folder, 3001 - 1000 * damage);
        if (damage == 0) flip_bit(path, 20, 3);
        if (damage == 1) cut_file(path, 5000);
        if (damage == 2) assert_int_equal(unlink(path), 0);
        assert_int_equal(fl_journal_index_open(&x, folder, 1000, 6000, &covered, NULL), FLORIN_OK);
        assert_int_equal(covered, 3000 - 1000 * damage);
        assert_int_equal(fl_journal_index_find(x, fl_mix64(6100), INT64_MIN), 0);
        assert_int_equal(fl_journal_index_find(x, fl_mix64(1000), INT64_MIN), 500);
        fl_journal_index_close(x);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there),
        cmocka_unit_test(waiting_records),
        cmocka_unit_test(torn_tail),
        cmocka_unit_test(flipped_bytes),
        cmocka_unit_test(one_writer),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(closed_when_full),
        cmocka_unit_test(index_knows_all),
        cmocka_unit_test(index_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
