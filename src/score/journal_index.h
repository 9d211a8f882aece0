/* Beside the journal: from hashes (of event ids, of idempotency keys) to the numbers of records. The newest lie in memory;
 * each full table becomes a file (a run), written by a thread of its own, so that memory stays flat and a day's ids fit
 * the disk. Everything here can be made again from the journal, and is where it is missing. */
#ifndef FL_JOURNAL_INDEX_H
#define FL_JOURNAL_INDEX_H

#include "base/base.h"

typedef struct fl_journal_index fl_journal_index;

/* Hashes of a table: `entries`, at most FL_INDEX_ENTRIES_MAX. last: the journal's last record. *covered: records up to
 * this one are in runs already; what follows is to be put again. Runs that are damaged, or speak of records that the
 * journal lost, are removed, with those behind them. folder NULL: memory alone, the newest `entries` at least. */
enum { FL_INDEX_ENTRIES_MAX = 1 << 26 };
florin_status fl_journal_index_open(fl_journal_index **out, const char *folder, uint32_t entries,
                                    uint64_t last, uint64_t *covered, florin_error *err);
/* What is in memory is not written: the next open puts it again. */
void fl_journal_index_close(fl_journal_index *x);
/* Number of the record that was put last for this hash; 0: none is known. since_us: runs whose records are all older are
 * not looked at; INT64_MIN: all are. Another hash's record may be named, seldom (a flipped bit, a lost record): the
 * caller looks whether it is the right one. Allocates nothing. */
uint64_t fl_journal_index_find(const fl_journal_index *x, uint64_t hash, int64_t since_us);
/* Numbers never fall. at_us: of the record. */
void fl_journal_index_put(fl_journal_index *x, uint64_t hash, uint64_t sequence, int64_t at_us);

typedef struct {
    uint64_t runs, bytes; /* files */
    bool failed;          /* a run could not be written: what was in it is not known any more */
} fl_journal_index_size;
fl_journal_index_size fl_journal_index_size_of(const fl_journal_index *x);

#endif
