/* What carries an entity's history: from the input x of an event and the state before it to the state after it. There are
 * the GRU and the transformer. Training's half is train/backbone.h.
 *
 * A state is h [H], which heads and embeddings read, and what else the backbone remembers, in a form of its own. One event
 * costs x times wx and, where the backbone has it, h times wh; both streams share these weights and go through each
 * product together. What follows is `advance`. */
#ifndef FL_BACKBONE_H
#define FL_BACKBONE_H

#include "model/network.h"

struct fl_model;
struct fl_loader;

struct fl_backbone {
    const char *name; /* in the model file, and in the names of its parameters */
    uint32_t (*input)(const fl_network *n); /* columns of wx [D][input], bx */
    uint32_t (*own)(const fl_network *n);   /* columns of wh [H][own], bh; 0: there is none */
    size_t (*memory)(const fl_network *n);  /* bytes beside h; all zero: nothing has come yet */
    void (*parameters)(const fl_network *n, fl_parameter *list, uint32_t *count);
    /* Takes its further weights out of the model file; NULL: it has none. */
    void (*load)(struct fl_loader *l);
    /* h and memory become those after the event. gx [input] = x wx + bx, gh [own] = h wh + bh. Allocates nothing. */
    void (*advance)(const struct fl_model *m, float *h, void *memory, const float *gx,
                    const float *gh);
    /* False: a memory read from a file makes no sense. NULL: it has none. */
    bool (*sound)(const fl_network *n, const void *memory);
};

extern const fl_backbone fl_backbone_gru, fl_backbone_transformer;
const fl_backbone *fl_backbone_find(const char *name); /* NULL: unknown */

#endif
