/* What a reader would try first: four simple predictors of the next event, each with its constants chosen on training
 * rows, measured on the same events as the network. */
#ifndef FL_BASELINE_H
#define FL_BASELINE_H

#include "train/evaluate.h"

typedef enum { FL_POPULAR = 0, FL_LAST, FL_FREQUENT, FL_DECAYED, FL_BASELINES } fl_baseline;
const char *fl_baseline_name(fl_baseline b); /* "popular", "last", "frequent", "decayed" */

/* counts [targets][tokens] of the stream's training rows (seen entities). Caller frees counts[0], then counts. */
florin_status fl_target_counts(double ***out, const fl_net *net, const fl_rows *rows, int stream,
                               florin_error *err);
void fl_target_counts_free(double **counts);

/* Sums of -log p over the events of both slices, entities with skip left out.
 *   popular   share of the value among training rows, smoothed by half a count
 *   last      (1 - a) [value = entity's last] + a popular
 *   frequent  (1 - a) [value = entity's most frequent so far] + a popular
 *   decayed   (c + s popular) / (sum c + s): c = counts that halve every g events
 * a, s, g: the best of a fixed grid on training rows, per target. */
florin_status fl_baselines(const fl_net *net, const fl_rows *rows, int stream,
                           double *const *counts, const uint8_t *skip, uint32_t threads,
                           fl_nats out[FL_BASELINES], florin_error *err);

#endif
