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

/* Ice Lake, Zen 4 and later: AVX-512 with the 8-bit dot product. */
static bool have_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *fl_kernels_best(void)
{
    if (have_avx512() && fl_kernels_avx512()) return "avx512";
    return have_avx2() && fl_kernels_avx2() ? "avx2" : "ref";
}

const fl_kernels *fl_kernels_get(const char *tier)
{
    if (!tier) tier = fl_kernels_best();
    if (!strcmp(tier, "ref")) return fl_kernels_ref();
    if (!strcmp(tier, "avx2") && have_avx2()) return fl_kernels_avx2();
    if (!strcmp(tier, "avx512") && have_avx512()) return fl_kernels_avx512();
    return NULL;
}
