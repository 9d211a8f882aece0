/* Judging without fitting. */
#ifndef FL_EVAL_H
#define FL_EVAL_H

#include "task/fit.h"

typedef struct {
    const char *scores; /* per-row scores of the test (.csv, .parquet); NULL: none */
    uint32_t draws;     /* of the bootstrap; 0: 300 */
    uint64_t seed;
} fl_eval_options;

/* json: as fl_fit's, with the one system; owned by the caller. FLORIN_ELEAK: model or head are later than the test. */
florin_status fl_eval(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                      const fl_eval_options *opt, const florin_context *ctx, florin_error *err);

#endif
