/* Several tasks trained together on one backbone, late in pretraining: their losses beside the next event's, on the labels
 * known at T. The heads of it are left out of the file; each task is then fitted as ever. */
#ifndef FL_TOGETHER_H
#define FL_TOGETHER_H

#include "task/task.h"
#include "train/tune.h"

typedef struct {
    double weight; /* of the tasks' losses beside the next event's; 0: 1 */
    double epochs; /* over the events up to T; 0: 1 */
    uint64_t seed;
    int64_t until_us; /* T: no event and no label after it is read */
    /* What fl_together_load fills: tasks about events, yes or no. */
    fl_task *task;
    uint32_t tasks;
} fl_together;
/* Reads the task files, names with commas between, and checks all that can be known before training; the caller frees it in
 * every case. FLORIN_EUSAGE: more than FL_TUNE_TASKS_MAX, a task at dates, or no yes or no. */
florin_status fl_together_load(fl_together *o, const char *files, const fl_schema *schema,
                               florin_error *err);
void fl_together_free(fl_together *o);
/* The model in `path` goes on to learn and is written anew, or stays as it is. about: {tasks: [{name, rows, positives}], loss,
 * ...}, owned by the caller. FLORIN_EINPUT: a task without a label known at T. */
florin_status fl_together_run(const char *path, const fl_log *log, const fl_together *o,
                              const florin_context *ctx, json_t **about, florin_error *err);

#endif
