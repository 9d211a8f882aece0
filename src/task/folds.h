/* Folds from a file of ids: CSV lines `id,fold`, with or without a header. */
#ifndef FL_FOLDS_H
#define FL_FOLDS_H

#include "base/base.h"

enum { FL_FOLDS_MAX = 64 };

/* out (initialised here): keyed hash of the id as an entity of `kind` -> 1 + fold. Text is changed while it is read.
 * FLORIN_EINPUT names the file (`name`) and line: not two cells, a fold that is not 0 to 63, an id in two folds, fewer
 * than two folds. */
florin_status fl_folds_read(fl_map64 *out, char *text, size_t n, const char *name,
                            const uint8_t key[16], const char *kind, florin_error *err);

#endif
