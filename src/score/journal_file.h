/* A journal's files: how a segment and a record lie there, reading them, telling a torn tail from damage. Private to the
 * journal and its readers. */
#ifndef FL_JOURNAL_FILE_H
#define FL_JOURNAL_FILE_H

#include "base/file.h"
#include "score/journal.h"

#define FL_JOURNAL_MAGIC "FLJOURN1"
enum { FL_RECORD_HEAD = 32, FL_SEGMENT_HEAD = 80, FL_JOURNAL_SPARSE = 32, FL_RECORD_MARK = 0x4c46 };

/* As it lies at the head of a segment; the preamble, zeros to a multiple of 8, and the hash of all that follow. */
typedef struct {
    char magic[8];
    uint32_t version, spare;
    uint8_t id[FL_JOURNAL_ID];
    uint64_t first; /* number of the first record */
    uint64_t epoch;
    uint64_t preamble_bytes;
    int64_t spare2;
} fl_segment_head;
_Static_assert(sizeof(fl_segment_head) == FL_SEGMENT_HEAD, "as docs/format.md says");

/* Before every payload, which zeros fill up to a multiple of 8. */
typedef struct {
    uint32_t n; /* of the payload */
    uint16_t type, mark;
    uint64_t sequence;
    uint64_t synced; /* records up to this one were on the disk when it was written */
    uint64_t hash;   /* of the 24 bytes before it and of the payload, with the journal's name */
} fl_record_head;
_Static_assert(sizeof(fl_record_head) == FL_RECORD_HEAD, "as docs/format.md says");

static inline size_t fl_record_bytes(uint32_t n)
{
    return FL_RECORD_HEAD + ((size_t)n + 7) / 8 * 8;
}
uint64_t fl_journal_seed(const uint8_t id[FL_JOURNAL_ID]);
uint64_t fl_record_hash(const fl_record_head *h, const void *payload, uint64_t seed);
/* The head of a segment, malloc'ed. */
uint8_t *fl_segment_head_new(const uint8_t id[FL_JOURNAL_ID], uint64_t first, uint64_t epoch,
                             const void *preamble, size_t preamble_bytes, size_t *bytes);

typedef struct {
    char *path;
    fl_mapping map;
    fl_segment_head head;
    const uint8_t *preamble;
    size_t begin; /* of the first record */
    uint64_t seed;
} fl_segment;
/* The head is checked whole. FLORIN_EFORMAT names file and offset. */
florin_status fl_segment_open(fl_segment *s, const char *path, florin_error *err);
void fl_segment_close(fl_segment *s);

/* Is there a whole record with this number at `at`? */
bool fl_segment_record(const fl_segment *s, size_t at, uint64_t sequence, fl_record *out);
/* The record at `at` should be `sequence` and is not whole. FLORIN_OK: as a torn write leaves it, nothing that was synced is
 * behind it, nor is `sequence` at most `floor`, which is known to have been. Else FLORIN_EFORMAT with file and offset. */
florin_status fl_segment_torn(const fl_segment *s, size_t at, uint64_t sequence, uint64_t floor,
                              florin_error *err);

/* Numbers of the first records of a folder's segments, rising; malloc'ed, *n 0: none, NULL. */
florin_status fl_segments_list(uint64_t **first, uint32_t *n, const char *folder,
                               florin_error *err);
char *fl_segment_path(const char *folder, uint64_t first); /* malloc'ed */

/* Reading from a record on, to the end of what is whole. Needs no writer, locks nothing, changes nothing. */
typedef struct fl_journal_reader fl_journal_reader;
florin_status fl_journal_reader_open(fl_journal_reader **out, const char *folder, uint64_t from,
                                     florin_error *err);
void fl_journal_reader_close(fl_journal_reader *r);
/* The next record; *more false at the end. FLORIN_EFORMAT: damage. out->payload is valid until the next call. */
florin_status fl_journal_reader_next(fl_journal_reader *r, fl_record *out, bool *more,
                                     florin_error *err);
/* Of the segment that holds the record that was read last, or begins the folder. */
const uint8_t *fl_journal_reader_preamble(const fl_journal_reader *r, size_t *n);
const uint8_t *fl_journal_reader_id(const fl_journal_reader *r);
uint64_t fl_journal_reader_first(const fl_journal_reader *r); /* oldest record of the folder */

#endif
