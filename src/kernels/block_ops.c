/* Chooses the tier of a transformer block's loops. */
#include "kernels/block_tiers.h"
#include "kernels/cpu.h"

static bool has_avx2(void)
{
    return fl_block_avx2.tier && fl_cpu_avx2();
}

static bool has_avx512(void)
{
    return fl_block_avx512.tier && fl_cpu_avx512();
}

const fl_block_ops *fl_block_ops_get(const char *tier)
{
    if (!tier) tier = has_avx512() ? "avx512" : has_avx2() ? "avx2" : "ref";
    if (!strcmp(tier, "ref")) return &fl_block_ref;
    if (!strcmp(tier, "avx2") && has_avx2()) return &fl_block_avx2;
    if (!strcmp(tier, "avx512") && has_avx512()) return &fl_block_avx512;
    return NULL;
}
