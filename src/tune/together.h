/* Several tasks trained together on one backbone, late in pretraining: their losses beside the next event's, on the labels
 * known at T. The heads of it are left out of the file; each task is then fitted as ever. */
#ifndef FL_TOGETHER_H
#define FL_TOGETHER_H

#include "task/task.h"
#include "train/tune.h"

typedef struct {
    const char *const
        *task; /* [tasks] files of tasks about events, yes or no; 1 to FL_TUNE_TASKS_MAX */
    uint32_t tasks;
    double weight; /* of the tasks' losses beside the next event's; 0: 1 */
    double epochs; /* over the events up to T; 0: 1 */
    uint64_t seed;
    int64_t until_us; /* T: no event and no label after it is read */
} fl_together;
/* What can be known before training: the files can be read, and suit. FLORIN_EUSAGE: a task at dates, or no yes or no. */
florin_status fl_together_check(const fl_together *o, const fl_schema *schema, florin_error *err);
/* The model in `path` goes on to learn and is written anew, or stays as it is. about: {tasks: [{name, rows, positives}], loss,
 * ...}, owned by the caller. FLORIN_EINPUT: a task without a label known at T. */
florin_status fl_together_run(const char *path, const fl_log *log, const fl_together *o,
                              const florin_context *ctx, json_t **about, florin_error *err);

#endif
