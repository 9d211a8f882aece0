/* What this CPU and its operating system offer. The compiler's question also asks by xgetbv whether the system saves the
 * registers. */
#ifndef FL_CPU_H
#define FL_CPU_H

#include <stdbool.h>

static inline bool fl_cpu_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* All that files named *_avx512.c are compiled for, but VNNI. */
static inline bool fl_cpu_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
    return false;
#endif
}

static inline bool fl_cpu_vnni(void)
{
#if defined(__x86_64__)
    return fl_cpu_avx512() && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

static inline bool fl_cpu_bf16(void)
{
#if defined(__x86_64__)
    return fl_cpu_avx512() && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

#endif
