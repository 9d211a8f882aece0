/* What this machine reaches at its best, measured: arithmetic, reads from each level of memory, latency. Kernels are
 * judged as a share of it (docs: florin doctor --bench). All numbers are the best of several short runs, because a
 * shared machine can only be slower than itself. Needs the context's monotonic clock. */
#ifndef FL_PEAK_H
#define FL_PEAK_H

#include "base/base.h"

typedef enum { FL_PEAK_FP32, FL_PEAK_BF16, FL_PEAK_INT8, FL_PEAK_KINDS } fl_peak_kind;
typedef enum { FL_PEAK_L1, FL_PEAK_L2, FL_PEAK_L3, FL_PEAK_DRAM, FL_PEAK_LEVELS } fl_peak_level;

typedef struct {
    double giga_ops
        [FL_PEAK_KINDS]; /* products and sums each count one; 0: this CPU has no such instruction */
    double read[FL_PEAK_LEVELS]; /* GB/s, all threads together */
    double nanoseconds
        [FL_PEAK_LEVELS]; /* from one dependent load to the next; one thread only, else 0 */
} fl_peaks;

size_t fl_peak_bytes(fl_peak_level level); /* that each thread reads to measure a level */
/* By all threads of the team at once. False: no memory. */
bool fl_peaks_measure(fl_peaks *out, fl_team *team, const florin_context *ctx);

/* Best time in microseconds of one call of fn(arg, thread) on all threads of the team at once, out of several runs of some
 * milliseconds. */
double fl_peak_best_us(fl_team *team, void (*fn)(void *arg, uint32_t thread), void *arg,
                       const florin_context *ctx);

#endif
