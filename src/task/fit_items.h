/* Fitting what is a ranking of items: an entity's next basket, or all it takes within a time. */
#ifndef FL_FIT_ITEMS_H
#define FL_FIT_ITEMS_H

#include "task/fit.h"

/* As fl_fit, for FL_TASK_ITEMS: boosted trees order an entity's candidates (items.h); learnt from past dates alone. */
florin_status fl_fit_items(json_t **json, const fl_task *t, const fl_log *log,
                           const fl_fit_options *opt, const florin_context *ctx, florin_error *err);

#endif
