/* Fine-tuning: a pretrained network goes on to learn a task's labels, or those of several tasks at once, wholly or by low-rank parts of its matrices. The
 * loss is that of a logistic head on each stream's state after the event, and if asked for the next event's beside it. What
 * comes out is a normal model file. Same log, labels and options: same bytes, whatever the number of threads. */
#ifndef FL_TUNE_H
#define FL_TUNE_H

#include "model/model.h"
#include "train/train.h"

enum { FL_TUNE_TASKS_MAX = 16 };

typedef struct {
    uint32_t tasks; /* learnt at once; 0: 1 */
    uint32_t rank;  /* of the low-rank parts; 0: all of encoder and backbone moves */
    double rate;    /* the highest; it falls to a twentieth along a cosine */
    double keep;    /* weight of the next-event loss, nats beside the task's; 0: none */
    uint64_t seed;
    int64_t until_us; /* no event at or after it is read, by any run */
} fl_tune_config;

typedef struct fl_tune fl_tune;
/* The model must have a network and stay open. folder: for data past --memory. */
florin_status fl_tune_open(fl_tune **out, const fl_model *m, const fl_log *log,
                           const fl_tune_config *config, const char *folder,
                           const florin_context *ctx, florin_error *err);
void fl_tune_free(fl_tune *t);
/* Learn from `label` [tasks] of [rows of the log] (0, 1; below 0: unknown) of events before until_us, so many times over; from the weights
 * that the run before left. *loss: mean over the last quarter of the steps. FLORIN_EINPUT: no known label before it. */
florin_status fl_tune_run(fl_tune *t, const float *const *label, int64_t until_us, double epochs,
                          double *loss, florin_error *err);
/* The model as tuned: its T becomes until_us, heads are left out (they were fitted on other weights), "tuned" is added. */
florin_status fl_tune_save(const fl_tune *t, const char *path, int64_t until_us,
                           const json_t *tuned, florin_error *err);
/* A stream's head of the first task: w [H] and the intercept. NULL: the network has no such stream. */
const float *fl_tune_head(const fl_tune *t, int stream, float *intercept);

#endif
