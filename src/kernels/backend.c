/* The choice of a tier, by what CPU and operating system offer, or by name. */
#include "kernels/cpu.h"
#include "kernels/kernels.h"

/* avx512 is Ice Lake, Zen 4 and later: with the 8-bit dot product. */
const char *fl_kernels_best(void)
{
    if (fl_cpu_vnni() && fl_kernels_avx512()) return "avx512";
    return fl_cpu_avx2() && fl_kernels_avx2() ? "avx2" : "ref";
}

const fl_kernels *fl_kernels_get(const char *tier)
{
    if (!tier) tier = fl_kernels_best();
    if (!strcmp(tier, "ref")) return fl_kernels_ref();
    if (!strcmp(tier, "avx2") && fl_cpu_avx2()) return fl_kernels_avx2();
    if (!strcmp(tier, "avx512") && fl_cpu_vnni()) return fl_kernels_avx512();
    return NULL;
}
