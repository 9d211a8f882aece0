/* A journal becomes part of an event log: what was decided on, with the marks and outcomes that became known, each at the
 * time when it did. What the log has already is left out, so that it can be done again and again. */
#ifndef FL_JOURNAL_IMPORT_H
#define FL_JOURNAL_IMPORT_H

#include "data/log_writer.h"

typedef struct {
    fl_log_written written;
    uint64_t decisions, labels, results;
} fl_journal_imported;

/* key: file of the hash key, where the journal's schema names one; else NULL. schema (may be NULL) takes the journal's
 * schema: the caller frees it. */
florin_status fl_journal_import(const char *folder, const char *log, const char *key,
                                fl_journal_imported *out, fl_schema **schema,
                                const florin_context *ctx, florin_error *err);

#endif
