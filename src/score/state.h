/* The state file: everything that a scorer goes on from, in a block file (docs/format.md). Written whole or not at
 * all; reading trusts nothing. */
#ifndef FL_STATE_H
#define FL_STATE_H

#include "score/live.h"

/* key: fl_key_print of the hash key. */
florin_status fl_state_save(const fl_scorer *s, const char *path, const char *key,
                            florin_error *err);

typedef struct fl_saved fl_saved;
/* Checks every byte, and that the file belongs to this model's network and fold and to this key. */
florin_status fl_saved_open(fl_saved **out, const char *path, const fl_model *m, const char *key,
                            florin_error *err);
void fl_saved_close(fl_saved *f);
/* Capacities that are still 0 become those that the file was written with. */
void fl_saved_capacities(const fl_saved *f, const fl_schema *schema, fl_scorer_options *opt);
/* Fill the empty tables of a fresh scorer. FLORIN_ENOMEM: a table is too small for what the file holds. */
florin_status fl_saved_restore(const fl_saved *f, fl_scorer *s, florin_error *err);

#endif
