/* The GRU behind the backbone's interface (Cho et al. 2014, gates as in PyTorch's nn.GRU); its state is h alone. */
#include "model/internal.h"

static uint32_t gates(const fl_network *n)
{
    return 3 * n->h;
}

static size_t memory(const fl_network *n)
{
    (void)n;
    return 0;
}

static void parameters(const fl_network *n, fl_parameter *list, uint32_t *count)
{
    fl_parameter_add(list, count, n->d, gates(n), FL_INIT_RECURRENT, true, "gru.wx");
    fl_parameter_add(list, count, n->h, gates(n), FL_INIT_RECURRENT, true, "gru.wh");
    fl_parameter_add(list, count, 1, gates(n), FL_INIT_ZERO, false, "gru.bx");
    fl_parameter_add(list, count, 1, gates(n), FL_INIT_ZERO, false, "gru.bh");
}

static void advance(const fl_model *m, float *h, void *none, const float *gx, const float *gh)
{
    (void)none;
    m->kernels->gru(h, gx, gh, m->network->h);
}

const fl_backbone fl_backbone_gru = {.name = "gru",
                                     .input = gates,
                                     .own = gates,
                                     .memory = memory,
                                     .parameters = parameters,
                                     .advance = advance};

const fl_backbone *fl_backbone_find(const char *name)
{
    static const fl_backbone *const all[] = {&fl_backbone_gru, &fl_backbone_transformer};

    for (size_t i = 0; i < FL_LEN(all); i++)
        if (!strcmp(name, all[i]->name)) return all[i];
    return NULL;
}
