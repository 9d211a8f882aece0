/* Judging without fitting. */
#ifndef FL_EVAL_H
#define FL_EVAL_H

#include "task/fit.h"

/* json: as fl_fit's, with the one system; owned by the caller. draws 0: 300. */
florin_status fl_eval(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                      uint32_t draws, uint64_t seed, const florin_context *ctx, florin_error *err);

#endif
