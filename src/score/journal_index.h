/* Beside the journal: from hashes (of event ids, of idempotency keys) to the numbers of records, for the newest ones. */
#ifndef FL_JOURNAL_INDEX_H
#define FL_JOURNAL_INDEX_H

#include "base/base.h"

typedef struct fl_journal_index fl_journal_index;

/* Knows at least the newest `entries` hashes, and twice as many at most. */
florin_status fl_journal_index_open(fl_journal_index **out, uint32_t entries, florin_error *err);
void fl_journal_index_close(fl_journal_index *x);
/* Number of the record that was put last for this hash; 0: none is known. Allocates nothing. */
uint64_t fl_journal_index_find(const fl_journal_index *x, uint64_t hash);
void fl_journal_index_put(fl_journal_index *x, uint64_t hash, uint64_t sequence);

#endif
