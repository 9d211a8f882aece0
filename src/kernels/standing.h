/* Where each kernel of this CPU stands beside what bounds it: the second half of `florin doctor --bench`. */
#ifndef FL_STANDING_H
#define FL_STANDING_H

#include "kernels/peak.h"

typedef struct {
    char work[64]; /* "linear 1 x 256 x 768" */
    const char *tier;
    uint32_t threads;
    double rate;       /* in the unit */
    const char *unit;  /* "GFLOP/s", "GB/s" */
    const char *bound; /* what it can't pass: "fp32 peak", "L2 reads" */
    double limit;      /* measured, in the unit; 0: unknown here */
} fl_standing;

enum { FL_STANDINGS_MAX = 48 };
/* Inference and element-wise kernels on one thread, in each tier; products of training in the best tier of each
 * precision, on one thread and on the team. one, all: peaks of one thread and of the team. Returns how many were
 * written to out [FL_STANDINGS_MAX]; 0: no memory. */
uint32_t fl_standings(fl_standing *out, fl_team *alone, const fl_peaks *one, fl_team *team,
                      const fl_peaks *all, const florin_context *ctx);

#endif
