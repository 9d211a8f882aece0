/* What carries an entity's history: from the input x of an event and the state before it to the state after it. The GRU
 * is the one there is; a causal transformer over a bounded window fits the same table: its state is h, then the keys and
 * values of its window. Training's half is train/backbone.h.
 *
 * A state is `state` floats: first h [H], which heads and embeddings read, then what else the backbone
 * keeps. One event costs two products, whatever the backbone: x with wx, and h with wh, whose columns are what the step
 * needs of the state before. Both streams share these weights and go through each product together. */
#ifndef FL_BACKBONE_H
#define FL_BACKBONE_H

#include "model/network.h"

struct fl_model;

struct fl_backbone {
    const char *name; /* in the model file, and in the names of its parameters */
    uint32_t (*state)(const fl_network *n); /* floats of an entity's state, >= H */
    uint32_t (*input)(const fl_network *n); /* columns of wx [D][input], bx */
    uint32_t (*own)(const fl_network *n);   /* columns of wh [H][own], bh */
    /* state becomes the state after the event. gx [input] = x wx + bx, gh [own] = h wh + bh. Allocates nothing. */
    void (*advance)(const struct fl_model *m, int stream, float *state, const float *gx,
                    const float *gh);
};

extern const fl_backbone fl_backbone_gru;
const fl_backbone *fl_backbone_find(const char *name); /* NULL: unknown */

#endif
