/* Few labels: how well a task is learnt from n labelled examples, by the frozen network's view of the rows and by the fold's
 * features. Both arms see the same draws, the same unlabelled rows (for the scale of their inputs) and try as many settings. */
#ifndef FL_FEW_H
#define FL_FEW_H

#include "task/parts.h"
#include "task/sample.h"

enum { FL_FEW_SIZES_MAX = 8 };

typedef struct {
    uint32_t size[FL_FEW_SIZES_MAX], sizes; /* labelled examples, rising */
    uint32_t draws;                         /* of each size; 0: 20 */
    uint64_t seed;
    bool
        validate_only; /* judge the validation periods, or without one a quarter of the entities that are held out of the
                           training time; the test stays unseen */
} fl_few_options;

/* "50,200,1000" -> sizes; FLORIN_EUSAGE says what is wrong. NULL or "": the default, 50,200,1000. */
florin_status fl_few_sizes(fl_few_options *o, const char *text, florin_error *err);

/* json: {report, task, data, part, test, few: [{n, draws, redrawn, ours, baseline, low, high, added: {value, low, high}, pairs:
 * [{ours, baseline, added, ...}], ...}], skipped, about}; owned by the caller. low, high: 95 % interval of ours - baseline over
 * draws, paired. FLORIN_EUSAGE: no network, or a label that is no yes or no; FLORIN_ELEAK as fl_fit. */
florin_status fl_few(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                     const fl_few_options *opt, const florin_context *ctx, florin_error *err);

#endif
