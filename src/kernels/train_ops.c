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

static bool has_avx512(void)
{
#if defined(__x86_64__)
    return fl_train_avx512.tier && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
#else
    return false;
#endif
}

const fl_train_ops *fl_train_ops_get(const char *tier)
{
    if (!tier) tier = has_avx512() ? "avx512" : has_avx2() ? "avx2" : "ref";
    if (!strcmp(tier, "ref")) return &fl_train_ref;
    if (!strcmp(tier, "avx2") && has_avx2()) return &fl_train_avx2;
    if (!strcmp(tier, "avx512") && has_avx512()) return &fl_train_avx512;
    return NULL;
}
