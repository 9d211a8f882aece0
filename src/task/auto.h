/* Which way of using the model suits a task: heads and inputs tried one after the other on validation data, within a
 * time. */
#ifndef FL_AUTO_H
#define FL_AUTO_H

#include "task/fit.h"

/* Fits a head on what may be learnt from and gives its average precision on what is held out. */
typedef florin_status (*fl_auto_try)(void *self, const char *head, const char *inputs,
                                     double *figure);
/* The best goes into t->head and t->inputs. out: {chosen, why, seconds, tried: [{head, inputs, validation_ap, seconds}],
 * left: [...]}, owned by the caller. net: the model is pretrained. minutes: after them no further one is begun; the first
 * is always tried. more: further ways, NULL: none; when one of them is the best, more->chosen says so and t stays. */
florin_status fl_auto_choose(json_t **out, fl_task *t, bool net, double minutes,
                             fl_auto_try attempt, void *self, fl_auto_more *more,
                             const florin_context *ctx, florin_error *err);

#endif
