/* A trainer's network with the weights of a model file. */
#ifndef TRAIN_FIXTURE_H
#define TRAIN_FIXTURE_H

#include "train/run.h"

/* Every tensor of net from the file; fails the test when one is missing. */
void fixture_load_weights(fl_net *net, const char *path);

#endif
