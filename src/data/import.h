/* From tables to the log: every cell of every row checked, what fails counted by reason and kept. */
#ifndef FL_IMPORT_H
#define FL_IMPORT_H

#include "data/log_writer.h"

typedef struct {
    const char *log;
    const char *const
        *files; /* [n_files] "path" for the first source, or "source=path"; else the schema's own */
    uint32_t n_files;
    const char *rejects; /* file of rejected rows; NULL: LOG/rejects.csv */
    bool strict;         /* refuse everything when one row is rejected */
    bool no_ids;         /* no id dictionary */
    bool force_sort;     /* sort in DuckDB whatever the size (tests) */
    bool by_duckdb;      /* plain CSV too (tests) */
} fl_import_options;

enum { FL_REJECT_REASONS = 16 };

typedef struct {
    fl_log_written written;
    uint64_t read, dropped, rejected; /* dropped: by the schema's `where` */
    struct {
        char reason[96];
        uint64_t count;
    } reason[FL_REJECT_REASONS];
    uint32_t reasons;
    bool sorted_on_disk;
    uint32_t plain; /* sources that were read without DuckDB */
} fl_import_stats;

florin_status fl_import(const fl_schema *schema, const fl_import_options *opt,
                        fl_import_stats *stats, const florin_context *ctx, florin_error *err);

/* Exact decimal text ("1999.995", "-12", "1e3") to units of 10^-exponent, half away from zero. False: not a
 * number, not finite or out of range. */
bool fl_decimal_parse(const char *s, size_t n, int exponent, int64_t *out);
/* 13 to 19 digits (blanks and dashes between them allowed) with a right check digit (Luhn 1960). */
bool fl_is_card_number(const char *s, size_t n);

#endif
