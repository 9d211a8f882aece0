/* The GRU behind the backbone's interface (Cho et al. 2014, gates as in PyTorch's nn.GRU); its state is h alone. */
#include "model/internal.h"

static uint32_t state(const fl_network *n)
{
    return n->h;
}

static uint32_t gates(const fl_network *n)
{
    return 3 * n->h;
}

static void advance(const fl_model *m, int stream, float *h, const float *gx, const float *gh)
{
    (void)stream;
    m->kernels->gru(h, gx, gh, m->network->h);
}

const fl_backbone fl_backbone_gru = {
    .name = "gru", .state = state, .input = gates, .own = gates, .advance = advance};

const fl_backbone *fl_backbone_find(const char *name)
{
    return strcmp(name, fl_backbone_gru.name) ? NULL : &fl_backbone_gru;
}
