/* The handle of a model, for the other files of this folder. */
#ifndef FL_API_MODEL_H
#define FL_API_MODEL_H

#include "model/model.h"
#include <stdatomic.h>

struct florin_model {
    fl_model *model;
    atomic_uint
        users; /* the handle itself and every scorer on it; the last one out frees the model */
};
void fl_api_model_leave(florin_model *m);

#endif
