/* A predicted distribution: probabilities of bins. Of a number or a time the bins are ranges between the quantiles of what
 * was learnt from, with a bin of its own for a value that is frequent (no purchase at all; the horizon); of a class each
 * is a value. Quantiles are read off the bins' own values, so the tails are as long as the data's. */
#ifndef FL_DIST_H
#define FL_DIST_H

#include "base/base.h"
#include "base/json.h"

enum { FL_BINS_MAX = 24, FL_BIN_POINTS = 9 };

typedef struct {
    uint32_t bins;
    float point[FL_BINS_MAX][FL_BIN_POINTS]; /* even quantiles of the values inside, rising */
    float mean[FL_BINS_MAX];
    double share[FL_BINS_MAX]; /* of the values: the distribution without any input */
} fl_bins;

/* About `want` bins of equal numbers of values; a value with more than half a bin's share has one of its own. y is
 * sorted in place. FLORIN_EINPUT: fewer than two different values. */
florin_status fl_bins_fit(fl_bins *out, float *y, size_t n, uint32_t want, florin_error *err);
uint32_t fl_bins_of(const fl_bins *b, float y);

/* p [k] from margins [k]: softmax(margin / temperature). */
void fl_softmax(double *p, const float *margin, uint32_t k, double temperature);

double fl_dist_mean(const fl_bins *b, const double *p);
double fl_dist_quantile(const fl_bins *b, const double *p, double q);
/* P(Y < y) + u P(Y = y): even over [0, 1) when p is right and u is. */
double fl_dist_pit(const fl_bins *b, const double *p, float y, double u);
/* Mean over the quantiles .05, .10, ... .95 of twice the pinball loss: the continuous ranked probability score. */
double fl_dist_crps(const fl_bins *b, const double *p, float y);

/* The temperature that makes y likeliest: margins [n][k], weight NULL: ones. */
double fl_dist_temperature(const float *margin, const uint32_t *y, size_t n, uint32_t k);

#endif
