/* The handle of a model, for the other files of this folder. */
#ifndef FL_API_MODEL_H
#define FL_API_MODEL_H

#include "model/model.h"

struct florin_model {
    fl_model *model;
};

#endif
