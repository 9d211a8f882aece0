/* Chooses the tier of training's element-wise loops. */
#include "kernels/train_tiers.h"

static bool has_avx2(void)
{
#if defined(__x86_64__)
    return fl_train_avx2.tier && __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

const fl_train_ops *fl_train_ops_get(const char *tier)
{
    if (tier && !strcmp(tier, "ref")) return &fl_train_ref;
    if (tier && strcmp(tier, "avx2") != 0) return NULL;
    if (has_avx2()) return &fl_train_avx2;
    return tier ? NULL : &fl_train_ref;
}
