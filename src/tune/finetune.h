/* Fine-tuning a pretrained model for a task. */
#ifndef FL_FINETUNE_H
#define FL_FINETUNE_H

#include "task/fit.h"

typedef struct {
    uint32_t rank; /* of the low-rank parts; 0: the whole of encoder and backbone moves */
    double rate;   /* 0: 3e-3 */
    double
        epochs; /* over the events up to the first judged period; each later period takes a third. 0: 3 */
    double keep; /* weight of the next-event loss beside the task's */
} fl_finetune_options;

/* As fl_fit, with the network fine-tuned for each judged period in turn, from the weights of the one before, on the labels
 * known when it begins. Model files of each period lie beside `place` for a moment. FLORIN_EUSAGE: the task is not one of events, has no
 * `validate`, or the model no network. */
florin_status fl_finetune(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                          const fl_fit_options *opt, const fl_finetune_options *tune,
                          const char *place, const florin_context *ctx, florin_error *err);

/* FLORIN_OK when the network can learn the task, else the reason. err: NULL, if only the answer counts. */
florin_status fl_finetune_suits(const fl_task *t, const fl_model *m, const fl_fit_options *opt,
                                florin_error *err);

#endif
