/* What a choice gains, from the per-row scores that two fits wrote for each seed. */
#ifndef FL_ABLATE_GAIN_H
#define FL_ABLATE_GAIN_H

#include "task/metrics.h"

/* Per-row scores of one task's judged rows, of several runs: all have the same rows in the same order. */
typedef struct {
    size_t n;
    float *y;
    uint64_t *cluster;
    uint32_t *part, parts;
    uint32_t runs;
    double **score;  /* [runs][n] */
    uint64_t digest; /* of ids, labels and periods */
} fl_runs_scores;

/* Adds a file of florin fit --scores. FLORIN_EFORMAT: not one, or of other rows than the first. */
florin_status fl_runs_add(fl_runs_scores *s, const char *path, florin_error *err);
void fl_runs_free(fl_runs_scores *s);

typedef struct {
    double off, on;   /* means over seeds */
    fl_interval gain; /* on - off; interval over entities and seeds, drawn together */
} fl_gain;
/* Runs [0, seeds) are without, [seeds, 2 seeds) with; run i and seeds + i have one seed. ap: average precision, else AUC. */
florin_status fl_gain_of(fl_gain *out, const fl_runs_scores *s, uint32_t seeds, bool ap,
                         uint32_t draws, const florin_context *ctx, florin_error *err);
/* Mean of a figure over all runs, without an interval. */
florin_status fl_mean_of(double *out, const fl_runs_scores *s, bool ap, florin_error *err);

#endif
