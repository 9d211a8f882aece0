/* Moments of a table's texts. The plain forms are read here; whatever else a text may be, DuckDB is asked, so the answer
 * is its own (tests/test_import_time.c holds the two against each other). */
#ifndef FL_IMPORT_TIME_H
#define FL_IMPORT_TIME_H

#include "data/duck.h"
#include "data/schema.h"

/* "2018-08-01", "2018-08-01 12:30:45", with 'T', a fraction of up to six digits, 'Z'; or seconds, milliseconds or
 * microseconds since 1970 in digits alone. False: not of these forms, which says nothing yet. */
bool fl_moment_plain(const char *s, size_t n, int64_t *time_us);

/* Asks DuckDB, one thread at a time. */
typedef struct fl_moments fl_moments;
florin_status fl_moments_open(fl_moments **out, fl_duck *db, const fl_schema *schema,
                              florin_error *err);
/* out[i], valid[i] of rows [0, n) of a column of texts. */
florin_status fl_moments_read(fl_moments *m, const fl_duck_vector *text, uint32_t n, int64_t *out,
                              bool *valid, florin_error *err);
void fl_moments_close(fl_moments *m);

#endif
