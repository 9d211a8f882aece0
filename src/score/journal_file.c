/* Segments and records as they lie in files. Trusts nothing that it reads. */
#include "score/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

enum { VERSION = 1 };

uint64_t fl_journal_seed(const uint8_t id[FL_JOURNAL_ID])
{
    return fl_hash64(id, FL_JOURNAL_ID, 1);
}

uint64_t fl_record_hash(const fl_record_head *h, const void *payload, uint64_t seed)
{
    return fl_hash64(payload, h->n, fl_hash64(h, offsetof(fl_record_head, hash), seed));
}

uint8_t *fl_segment_head_new(const uint8_t id[FL_JOURNAL_ID], uint64_t first, uint64_t epoch,
                             const void *preamble, size_t preamble_bytes, size_t *bytes)
{
    fl_segment_head h = {.magic = FL_JOURNAL_MAGIC,
                         .version = VERSION,
                         .first = first,
                         .epoch = epoch,
                         .preamble_bytes = preamble_bytes};
    size_t padded = (preamble_bytes + 7) / 8 * 8;
    *bytes = sizeof h + padded + sizeof(uint64_t);
    uint8_t *out = fl_calloc(*bytes, 1);
    if (!out) return NULL;
    memcpy(h.id, id, sizeof h.id);
    memcpy(out, &h, sizeof h);
    if (preamble_bytes) memcpy(out + sizeof h, preamble, preamble_bytes);
    uint64_t hash = fl_hash64(out, sizeof h + padded, 0);
    memcpy(out + sizeof h + padded, &hash, sizeof hash);
    return out;
}

static florin_status bad_head(const fl_segment *s, size_t at, const char *what, florin_error *err)
{
    return fl_fail(err, FLORIN_EFORMAT, "%s: offset %zu: %s", s->path, at, what);
}

static florin_status read_head(fl_segment *s, florin_error *err)
{
    if (s->map.size < sizeof s->head + sizeof(uint64_t))
        return bad_head(s, s->map.size, "the head of this part of the journal is cut off", err);
    memcpy(&s->head, s->map.data, sizeof s->head);
    if (memcmp(s->head.magic, FL_JOURNAL_MAGIC, 8)) return bad_head(s, 0, "no journal", err);
    if (s->head.version != VERSION)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: offset 8: journal of version %u, this program reads %d", s->path,
                       s->head.version, VERSION);
    size_t left = s->map.size - sizeof s->head - sizeof(uint64_t);
    if (s->head.preamble_bytes > FL_JOURNAL_PREAMBLE_MAX || s->head.preamble_bytes > left)
        return bad_head(s, 64, "the head of this part of the journal is damaged", err);
    size_t padded = ((size_t)s->head.preamble_bytes + 7) / 8 * 8;
    if (padded > left)
        return bad_head(s, 64, "the head of this part of the journal is cut off", err);
    uint64_t hash;
    memcpy(&hash, s->map.data + sizeof s->head + padded, sizeof hash);
    if (hash != fl_hash64(s->map.data, sizeof s->head + padded, 0))
        return bad_head(s, 0, "the head of this part of the journal is damaged (checksum)", err);
    s->preamble = s->map.data + sizeof s->head;
    s->begin = sizeof s->head + padded + sizeof hash;
    s->seed = fl_journal_seed(s->head.id);
    return FLORIN_OK;
}

florin_status fl_segment_open(fl_segment *s, const char *path, florin_error *err)
{
    memset(s, 0, sizeof *s);
    s->path = fl_strdup(path);
    if (!s->path) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    florin_status st = fl_map_file(&s->map, path, err);
    if (!st) st = read_head(s, err);
    if (st) fl_segment_close(s);
    return st;
}

void fl_segment_close(fl_segment *s)
{
    fl_unmap(&s->map);
    free(s->path);
    memset(s, 0, sizeof *s);
}

/* Head and payload at `at`, if they are whole. */
static bool whole(const fl_segment *s, size_t at, fl_record_head *h)
{
    if (at > s->map.size || s->map.size - at < sizeof *h) return false;
    memcpy(h, s->map.data + at, sizeof *h);
    if (h->mark != FL_RECORD_MARK || h->n > FL_JOURNAL_RECORD_MAX ||
        fl_record_bytes(h->n) > s->map.size - at)
        return false;
    const uint8_t *payload = s->map.data + at + sizeof *h;
    for (size_t i = h->n; i < fl_record_bytes(h->n) - sizeof *h; i++)
        if (payload[i]) return false; /* what fills up to 8 is zero */
    return h->hash == fl_record_hash(h, payload, s->seed);
}

bool fl_segment_record(const fl_segment *s, size_t at, uint64_t sequence, fl_record *out)
{
    fl_record_head h;
    if (!whole(s, at, &h) || h.sequence != sequence) return false;
    *out = (fl_record){sequence, s->map.data + at + sizeof h, h.n, h.type};
    return true;
}

florin_status fl_segment_torn(const fl_segment *s, size_t at, uint64_t sequence, uint64_t floor,
                              florin_error *err)
{
    size_t behind = 0;
    for (size_t i = at; sequence > floor && i + sizeof(fl_record_head) <= s->map.size; i += 8) {
        fl_record_head h;
        /* What is not synced may come to the disk in any order: only a record that knew this one to be there accuses. */
        if (!whole(s, i, &h) || h.sequence <= sequence || h.synced < sequence) continue;
        behind = i;
        break;
    }
    if (sequence > floor && !behind) return FLORIN_OK;
    return fl_fail(err, FLORIN_EFORMAT,
                   "%s: offset %zu: record %llu of the journal is damaged, and it was on the disk "
                   "before: restore this file from a backup or a standby",
                   s->path, at, (unsigned long long)sequence);
}

/* ---- folder ---- */

char *fl_segment_path(const char *folder, uint64_t first)
{
    return fl_asprintf("%s/%020llu.journal", folder, (unsigned long long)first);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* 20 digits and ".journal". */
static bool is_segment(const char *name, uint64_t *first)
{
    char *end;
    if (strlen(name) != 28 || strspn(name, "0123456789") != 20 || strcmp(name + 20, ".journal"))
        return false;
    errno = 0;
    *first = strtoull(name, &end, 10);
    return !errno && *first;
}

florin_status fl_segments_list(uint64_t **first, uint32_t *n, const char *folder, florin_error *err)
{
    size_t cap = 0, count = 0;
    void *list = NULL;
    florin_status st = FLORIN_OK;
    uint64_t number;

    *first = NULL;
    *n = 0;
    DIR *d = opendir(folder);
    if (!d) return fl_fail(err, FLORIN_EIO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e; !st && (e = readdir(d));) {
        if (!is_segment(e->d_name, &number)) continue;
        if (!fl_grow(&list, &cap, count + 1, sizeof number))
            st = fl_fail(err, FLORIN_ENOMEM, "%s", folder);
        else ((uint64_t *)list)[count++] = number;
    }
    closedir(d);
    if (st) {
        free(list);
        return st;
    }
    if (count) qsort(list, count, sizeof number, by_number);
    *first = list;
    *n = (uint32_t)count;
    return FLORIN_OK;
}

florin_status fl_journal_exists(const char *folder, bool *exists, florin_error *err)
{
    uint64_t *first = NULL;
    uint32_t n = 0;
    *exists = false;
    if (!fl_file_exists(folder)) return FLORIN_OK;
    florin_status st = fl_segments_list(&first, &n, folder, err);
    *exists = n != 0;
    free(first);
    return st;
}

/* ---- reader ---- */

struct fl_journal_reader {
    char *folder;
    uint64_t *first;
    uint32_t segments, next; /* next: segment to be opened */
    fl_segment segment;      /* the open one; path NULL: none */
    size_t at;
    uint64_t sequence; /* of the record at `at` */
    uint8_t id[FL_JOURNAL_ID];
};

static florin_status open_next(fl_journal_reader *r, florin_error *err)
{
    char *path = fl_segment_path(r->folder, r->first[r->next]);
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "%s", r->folder);
    fl_segment_close(&r->segment);
    florin_status st = fl_segment_open(&r->segment, path, err);
    free(path);
    if (st) return st;
    const fl_segment *s = &r->segment;
    bool begins = r->sequence == 0;
    if (s->head.first != r->first[r->next] || (!begins && s->head.first != r->sequence))
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: begins with record %llu, not %llu: a file of the "
                       "journal is missing or misplaced",
                       s->path, (unsigned long long)s->head.first,
                       (unsigned long long)(begins ? r->first[r->next] : r->sequence));
    if (!begins && memcmp(r->id, s->head.id, sizeof r->id))
        return fl_fail(err, FLORIN_EFORMAT, "%s: belongs to another journal", s->path);
    memcpy(r->id, s->head.id, sizeof r->id);
    r->next++;
    r->sequence = s->head.first;
    r->at = s->begin;
    return FLORIN_OK;
}

florin_status fl_journal_reader_next(fl_journal_reader *r, fl_record *out, bool *more,
                                     florin_error *err)
{
    *more = false;
    for (;;) {
        const fl_segment *s = &r->segment;
        if (!s->path) return FLORIN_OK;
        if (fl_segment_record(s, r->at, r->sequence, out)) break;
        bool last = r->next == r->segments;
        if (last || r->at != s->map.size) {
            /* The last segment may end torn; so may one before it when the program stopped as it began the next. */
            if (r->at == s->map.size && last) return FLORIN_OK;
            return fl_segment_torn(s, r->at, r->sequence, last ? 0 : r->first[r->next] - 1, err);
        }
        florin_status st = open_next(r, err);
        if (st) return st;
    }
    r->at += fl_record_bytes(out->n);
    r->sequence++;
    *more = true;
    return FLORIN_OK;
}

florin_status fl_journal_reader_open(fl_journal_reader **out, const char *folder, uint64_t from,
                                     florin_error *err)
{
    *out = NULL;
    fl_journal_reader *r = fl_calloc(1, sizeof *r);
    if (!r || !(r->folder = fl_strdup(folder))) {
        free(r);
        return fl_fail(err, FLORIN_ENOMEM, "%s", folder);
    }
    florin_status st = fl_segments_list(&r->first, &r->segments, folder, err);
    if (!st && !r->segments) st = fl_fail(err, FLORIN_EIO, "%s: no journal is here", folder);
    while (!st && r->next + 1 < r->segments && r->first[r->next + 1] <= from) r->next++;
    if (!st) st = open_next(r, err);
    if (!st && from && from < r->sequence)
        st = fl_fail(err, FLORIN_EFORMAT, "%s: record %llu is gone: the journal begins with %llu",
                     folder, (unsigned long long)from, (unsigned long long)r->sequence);
    fl_record record;
    bool more = true;
    while (!st && more && r->sequence < from) st = fl_journal_reader_next(r, &record, &more, err);
    if (st) fl_journal_reader_close(r);
    else *out = r;
    return st;
}

void fl_journal_reader_close(fl_journal_reader *r)
{
    if (!r) return;
    fl_segment_close(&r->segment);
    free(r->folder);
    free(r->first);
    free(r);
}

const uint8_t *fl_journal_reader_preamble(const fl_journal_reader *r, size_t *n)
{
    *n = r->segment.head.preamble_bytes;
    return r->segment.preamble;
}

const uint8_t *fl_journal_reader_id(const fl_journal_reader *r)
{
    return r->id;
}

uint64_t fl_journal_reader_first(const fl_journal_reader *r)
{
    return r->first[0];
}
