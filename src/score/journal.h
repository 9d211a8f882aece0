/* The journal: an append-only row of records in files (segments), the truth about everything that was decided. Knows
 * records as bytes; journal_record.h says what is in them. docs/format.md has the layout.
 *
 * Invariant: a record that was acknowledged is found again by every later open, whole, in its place and once, unless
 * the disk itself loses it; a record that is not whole is never given out. */
#ifndef FL_JOURNAL_H
#define FL_JOURNAL_H

#include "base/base.h"

enum {
    FL_JOURNAL_RECORD_MAX = 1 << 16, /* bytes of a payload */
    FL_JOURNAL_PREAMBLE_MAX = 1 << 24,
    FL_JOURNAL_ID = 32 /* bytes: 16 name it, 16 are the key of what is published of it */
};

typedef enum { FL_SYNC_INTERVAL = 0, FL_SYNC_ALWAYS } fl_sync;

typedef struct {
    const char *folder;
    fl_sync sync;
    uint32_t interval_us;      /* 0: 10,000 */
    uint32_t buffer_bytes;     /* of records that wait to be written, twice; 0: 8 MiB */
    uint64_t segment_bytes;    /* 0: 256 MiB */
    uint8_t id[FL_JOURNAL_ID]; /* of a new journal */
    const void *preamble; /* [preamble_bytes] stands at the head of every segment that is begun */
    size_t preamble_bytes;
    /* Called by the thread that wrote whenever more is acknowledged, or writing failed. May be NULL. */
    void (*acknowledged)(void *user, uint64_t sequence);
    void *user;
} fl_journal_options;

typedef struct fl_journal fl_journal;

/* One writer a folder (locked). A torn tail is cut: *cut_bytes (may be NULL) says how much. FLORIN_EFORMAT: damage that
 * no torn write explains, with file and offset. */
florin_status fl_journal_open(fl_journal **out, const fl_journal_options *opt, uint64_t *cut_bytes,
                              florin_error *err);
/* Writes and syncs what waits; what can't be written is given up (it was never acknowledged). */
void fl_journal_close(fl_journal *j);
const uint8_t *fl_journal_id(const fl_journal *j);

/* Put a record behind the others; its number is fl_journal_next's. Only as many bytes (payload + 40 each) as
 * fl_journal_room gives, which is the caller's duty to ask: then it can't fail. */
void fl_journal_put(fl_journal *j, uint16_t type, const void *payload, size_t n);
uint64_t fl_journal_next(const fl_journal *j); /* number of the next record; the first is 1 */
/* Room for `bytes`? Waits for the writer where that helps. FLORIN_EIO: writing fails at present; tried once more here. */
florin_status fl_journal_room(fl_journal *j, size_t bytes, florin_error *err);
/* What was put is to be acknowledged now: written before this returns (FL_SYNC_INTERVAL), or soon, by the writer
 * (FL_SYNC_ALWAYS). A failure leaves everything waiting; acknowledged then stays behind. */
void fl_journal_flush(fl_journal *j);

uint64_t fl_journal_acknowledged(const fl_journal *j), fl_journal_synced(const fl_journal *j);
/* Until `sequence` is acknowledged; FLORIN_EIO: writing fails. Any thread. */
florin_status fl_journal_wait(fl_journal *j, uint64_t sequence, florin_error *err);
/* Until all that was put is on the disk. The caller's thread. */
florin_status fl_journal_sync(fl_journal *j, florin_error *err);
bool fl_journal_failing(fl_journal *j);
/* Bytes and files of all segments. */
void fl_journal_size(fl_journal *j, uint64_t *bytes, uint64_t *segments);

/* Is there one in the folder? No folder: no. */
florin_status fl_journal_exists(const char *folder, bool *exists, florin_error *err);

typedef struct {
    uint64_t sequence;
    const uint8_t *payload; /* [n] */
    uint32_t n;
    uint16_t type;
} fl_record;
/* Any record that was put, the last ones included. payload is valid until the next call that is given the journal.
 * FLORIN_EINPUT: there is none of this number. */
florin_status fl_journal_get(fl_journal *j, uint64_t sequence, fl_record *out, florin_error *err);

#endif
