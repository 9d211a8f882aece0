/* Chooses the tier of training's element-wise loops. */
#include "kernels/cpu.h"
#include "kernels/train_tiers.h"

static bool has_avx2(void)
{
    return fl_train_avx2.tier && fl_cpu_avx2();
}

static bool has_avx512(void)
{
    return fl_train_avx512.tier && fl_cpu_avx512();
}

const fl_train_ops *fl_train_ops_get(const char *tier)
{
    if (!tier) tier = has_avx512() ? "avx512" : has_avx2() ? "avx2" : "ref";
    if (!strcmp(tier, "ref")) return &fl_train_ref;
    if (!strcmp(tier, "avx2") && has_avx2()) return &fl_train_avx2;
    if (!strcmp(tier, "avx512") && has_avx512()) return &fl_train_avx512;
    return NULL;
}
