/* The choice of a tier, by what CPU and operating system offer, or by name. */
#include "kernels/kernels.h"

static bool have_avx2(void)
{
#if defined(__x86_64__)
    /* Also asks by xgetbv whether the system saves the registers. */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

const char *fl_kernels_best(void)
{
    return have_avx2() && fl_kernels_avx2() ? "avx2" : "ref";
}

const fl_kernels *fl_kernels_get(const char *tier)
{
    if (!tier) tier = fl_kernels_best();
    if (!strcmp(tier, "ref")) return fl_kernels_ref();
    if (!strcmp(tier, "avx2") && have_avx2()) return fl_kernels_avx2();
    return NULL;
}
