/* Rows and a configuration for small runs, and a trainer's network with the weights of a model file. */
#ifndef TRAIN_FIXTURE_H
#define TRAIN_FIXTURE_H

#include "support/model_fixture.h"
#include "train/run.h"

#define TRAIN_UNTIL (FIXTURE_START + 500 * FIXTURE_STEP)

fl_train_config small_train_config(void); /* until TRAIN_UNTIL */
/* Rows of the fixture's log, which is made under this name. Fails the test on any error. */
void fixture_rows(const fl_train_config *c, fl_rows **rows, fl_network **n, fl_fold_plan **plan,
                  fl_log **log, const char *name);
void fixture_rows_free(fl_rows *rows, fl_network *n, fl_fold_plan *plan, fl_log *log);

/* Every tensor of net from the file; fails the test when one is missing. */
void fixture_load_weights(fl_net *net, const char *path);

#endif
