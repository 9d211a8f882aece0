/* Where a ranking is weak: the judged rows cut by the values of small category fields, bands of the amount, and how much was
 * known of the payer or entity, each slice with its own AUC. AUC, for it does not change with how frequent the bad are in a
 * slice. Of an entity at a date its last event before it says the field and the amount. */
#ifndef FL_SLICES_H
#define FL_SLICES_H

#include "task/result.h"

enum { FL_SLICE_CASES = 10 }; /* slices with fewer positives or negatives are not judged */

/* [{field, value, rows, positives, metric, figure: {value, low, high}, weaker}], the weakest first; weaker: the whole interval
 * lies below the AUC of all rows. Empty: no slice has enough cases. 95 % intervals by bootstrap over clusters. */
florin_status fl_slices(json_t **out, const fl_judged *j, const double *score, const fl_log *log,
                        uint32_t draws, uint64_t seed, const florin_context *ctx,
                        florin_error *err);

#endif
