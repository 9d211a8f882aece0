/* Counters of the server and their page in OpenMetrics. One thread owns them. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "florin.h"
#include "text.h"

enum { METRIC_BOUNDS = 20, METRIC_ROUTES = 24, METRIC_MODELS = 8, METRIC_SCORES = 10 };

typedef struct {
    uint64_t count[METRIC_BOUNDS + 1]; /* the last: above every bound */
    uint64_t n;
    double sum_s;
} histogram;
void histogram_add(histogram *h, int64_t us);
void histogram_write(text *t, const char *name, const char *labels, const histogram *h);

/* Of one model version. */
typedef struct {
    char model[17];
    uint64_t action[4], level[3], score[METRIC_SCORES], rules_only;
    double score_sum;
} model_counts;

typedef struct {
    uint64_t requests[METRIC_ROUTES][6]; /* by route and hundreds of the status */
    histogram whole, decide;             /* of evaluations: headers read to answer; of a batch */
    uint64_t batches, batched, refused_full, rate_limited, ignored_members, late;
    model_counts model[METRIC_MODELS];
    uint32_t models;
} metrics;

/* Count a decision of a model. */
void metrics_decision(metrics *m, const florin_decision *d);

/* What the metrics do not own. */
typedef struct {
    const char *const *route; /* [routes] names */
    uint32_t routes, queue, queue_limit, connections;
    const florin_decider *decider;
    const florin_scorer *scorer;
    double started_s;
} metrics_more;
void metrics_write(const metrics *m, const metrics_more *more, text *t);

#endif
