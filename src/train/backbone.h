/* Training's half of a backbone (model/backbone.h). */
#ifndef FL_TRAIN_BACKBONE_H
#define FL_TRAIN_BACKBONE_H

#include "train/worker.h"

typedef struct fl_train_backbone {
    /* Floats that a lane carries from one window to the next: h [H], which heads of the next event read, then its own. */
    size_t (*state)(const fl_network *n);
    /* k->own, what this backbone alone needs; NULL: nothing. gradient: with backward. */
    bool (*open)(fl_worker *k, const fl_net *net, bool gradient);
    void (*close)(fl_worker *k);
    /* From k->input [N][D] and k->state, the states of the lanes before the window, to k->before and k->after [N][H] and
     * the new k->state. A fresh position starts from zero; an empty one keeps the state. */
    void (*forward)(fl_worker *k, const fl_net *net, const fl_pass *pass);
    /* From k->d_before [N][H], the heads' gradient of each state before, to k->d_input [N][D] and its own parameters'
     * gradients, which are added to k->gradient. */
    void (*backward)(fl_worker *k, const fl_net *net, const fl_pass *pass);
} fl_train_backbone;

extern const fl_train_backbone fl_train_gru, fl_train_transformer;
const fl_train_backbone *fl_train_backbone_of(const fl_network *n);

#endif
