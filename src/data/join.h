/* A look-up table beside a source: its fields become columns of the source's relation, found by a key. */
#ifndef FL_JOIN_H
#define FL_JOIN_H

#include "data/source.h"

/* r: the relation of src, which has a join; afterwards a copy in DuckDB with the look-up's fields as further columns, rows in
 * the same order. Rows without a match have NULL there. FLORIN_EINPUT, naming file, column and what to do: a column that is
 * missing or that both tables have, a key that stands twice in the look-up, no row that matches, broken lines in either file
 * (of a copy they could not be set aside). */
florin_status fl_join_lookup(fl_relation *r, fl_duck *db, const fl_schema *schema,
                             const fl_source *src, const char *path, florin_error *err);

#endif
