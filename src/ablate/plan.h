/* A plan of an ablation, read from YAML. */
#ifndef FL_ABLATE_PLAN_H
#define FL_ABLATE_PLAN_H

#include "base/yaml.h"
#include "data/log.h"
#include "task/task.h"
#include "train/train.h"

enum { FL_ABLATE_DATA = 8, FL_ABLATE_TASKS = 8, FL_ABLATE_CHOICES = 48, FL_ABLATE_SEEDS = 16 };

/* What a choice changes: settings of pretraining, or of the task's head and inputs, or both. */
typedef struct {
    char name[64];
    bool on; /* by default: then the run with it changed is the one without it */
    const fl_yaml *pretrain, *fit;
} fl_choice;

typedef struct {
    const char *name, *log;
    int64_t until_us;        /* pretraining uses nothing at or after it */
    const fl_yaml *pretrain; /* settings of this data set; NULL: none */
    uint32_t tasks;
    char *task[FL_ABLATE_TASKS]; /* paths */
} fl_ablate_data;

typedef struct {
    fl_arena *arena; /* owns all text */
    const char *name, *path;
    uint32_t seeds, draws, data_sets, choices;
    uint32_t rounds; /* most trees of a fit; 0: as florin fit */
    fl_ablate_data data[FL_ABLATE_DATA];
    fl_choice choice[FL_ABLATE_CHOICES];
    bool scaling; /* choices are sizes times events, made from `scaling:` */
} fl_ablate_plan;

/* Reads and checks all that can be checked without a log. Messages name file, line and field. */
florin_status fl_ablate_plan_load(fl_ablate_plan *out, const char *path, florin_error *err);
void fl_ablate_plan_free(fl_ablate_plan *p);
/* Settings of pretraining for a data set with a choice's change (NULL: the defaults). */
florin_status fl_ablate_config(fl_train_config *out, const fl_ablate_data *d, const fl_choice *c,
                               uint64_t seed, florin_error *err);
/* The task with the choice's change. FLORIN_EINPUT: it has no `validate`, or its answer is not yes or no. */
florin_status fl_ablate_task(fl_task *out, const char *path, const fl_choice *c, const fl_log *log,
                             florin_error *err);

#endif
