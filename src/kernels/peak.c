/* Loops that do nothing but one thing: products in registers, loads from a buffer, loads that wait for one another.
 * They are written in assembly, so that no compiler flag or optimiser comes between. */
#include "kernels/peak.h"

#include <unistd.h>

enum { RUNS = 50, CHAINS = 14, LINE = 64 };
#define MIB ((size_t)1 << 20)

#if defined(__x86_64__)
/* Fourteen sums in flight hide the latency of any CPU so far. Zeros throughout: no denormal slows it down. */
#define CLEAR(i)       "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"
#define STEP(op, r, i) op " %%" r "14, %%" r "15, %%" r #i "\n"
#define ALL(f)         f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13)
#define REGISTERS                                                                                  \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define WORK(name, steps)                                                                          \
    static void name(uint64_t rounds)                                                              \
    {                                                                                              \
        __asm__ volatile(ALL(CLEAR) CLEAR(14) CLEAR(15) "1:\n" ALL(steps) "dec %0\n"               \
                                                                          "jnz 1b\n"               \
                                                                          "vzeroupper\n"           \
                         : "+r"(rounds)                                                            \
                         :                                                                         \
                         : "cc", REGISTERS);                                                       \
    }
#define FMA512(i) STEP("vfmadd231ps", "zmm", i)
#define FMA256(i) STEP("vfmadd231ps", "ymm", i)
#define BF16(i)   STEP("vdpbf16ps", "zmm", i)
#define INT8(i)   STEP("vpdpbusd", "zmm", i)
WORK(work_fma512, FMA512)
WORK(work_fma256, FMA256)
WORK(work_bf16, BF16)
WORK(work_int8, INT8)

#define READ(name, load, r, step)                                                                  \
    static void name(const char *p, size_t n)                                                      \
    {                                                                                              \
        const char *end = p + n;                                                                   \
        __asm__ volatile("1:\n" load " (%0), %%" r "0\n" load " " #step "(%0), %%" r "1\n" load    \
                         " 2*" #step "(%0), %%" r "2\n" load " 3*" #step "(%0), %%" r "3\n"        \
                         "add $4*" #step ", %0\n"                                                  \
                         "cmp %1, %0\n"                                                            \
                         "jb 1b\n"                                                                 \
                         "vzeroupper\n"                                                            \
                         : "+r"(p)                                                                 \
                         : "r"(end)                                                                \
                         : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3");                        \
    }
READ(read512, "vmovups", "zmm", 64)
READ(read256, "vmovups", "ymm", 32)
#endif

static void read_plain(const char *p, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += 64) {
        uint64_t w[8];
        memcpy(w, p + i, 64);
        for (int k = 0; k < 8; k++) sum += w[k];
    }
    __asm__ volatile("" ::"r"(sum));
}

/* The fastest loop of a kind here, and the operations of one round. NULL: none. */
typedef void work(uint64_t rounds);
static work *work_of(fl_peak_kind kind, double *ops)
{
#if defined(__x86_64__)
    bool wide = __builtin_cpu_supports("avx512f");

    if (kind == FL_PEAK_FP32 && (wide || __builtin_cpu_supports("fma"))) {
        *ops = CHAINS * (wide ? 32 : 16);
        return wide ? work_fma512 : work_fma256;
    }
    if (kind == FL_PEAK_BF16 && wide && __builtin_cpu_supports("avx512bf16")) {
        *ops = CHAINS * 64;
        return work_bf16;
    }
    if (kind == FL_PEAK_INT8 && wide && __builtin_cpu_supports("avx512vnni")) {
        *ops = CHAINS * 128;
        return work_int8;
    }
#endif
    (void)kind;
    *ops = 0;
    return NULL;
}

typedef void reader(const char *p, size_t n);
static reader *reader_here(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return read512;
    if (__builtin_cpu_supports("avx2")) return read256;
#endif
    return read_plain;
}

static size_t cache_bytes(int name, size_t otherwise)
{
    long n = sysconf(name);

    return n > 0 ? (size_t)n : otherwise;
}

size_t fl_peak_bytes(fl_peak_level level)
{
    size_t l1 = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
           l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, MIB);

    switch (level) {
    case FL_PEAK_L1: return l1 / 2;
    case FL_PEAK_L2: return l2 / 2;
    case FL_PEAK_L3: return 3 * l2; /* a guest's share of it may be small */
    default: return 128 * MIB;
    }
}

/* ---- all threads at once ---- */

typedef struct {
    work *work;
    uint64_t rounds;
    reader *read;
    char **buffer; /* [threads] */
    size_t bytes;
} job;

static void do_work(void *arg, uint32_t thread)
{
    const job *j = arg;

    (void)thread;
    j->work(j->rounds);
}

static void do_read(void *arg, uint32_t thread)
{
    const job *j = arg;

    for (uint64_t r = 0; r < j->rounds; r++) j->read(j->buffer[thread], j->bytes);
}

static double best_seconds(fl_team *team, void (*fn)(void *, uint32_t), job *j,
                           const florin_context *ctx)
{
    double best = 0;

    for (int r = 0; r < RUNS; r++) {
        int64_t from = fl_monotonic_us(ctx);
        fl_team_run(team, fn, j);
        double s = (double)(fl_monotonic_us(ctx) - from) * 1e-6;
        if (s > 0 && (!r || s < best)) best = s;
    }
    return best > 0 ? best : 1e-6;
}

/* A ring through every cache line of the buffer in a random order (Sattolo 1986: one cycle). */
static void lay_ring(char *p, size_t lines, fl_rng *r)
{
    for (size_t i = 0; i < lines; i++) memcpy(p + i * LINE, &i, sizeof i);
    for (size_t i = lines - 1; i > 0; i--) {
        size_t j = fl_rng_below(r, i), a, b;
        memcpy(&a, p + i * LINE, sizeof a);
        memcpy(&b, p + j * LINE, sizeof b);
        memcpy(p + i * LINE, &b, sizeof b);
        memcpy(p + j * LINE, &a, sizeof a);
    }
}

static double latency(char *p, size_t bytes, fl_rng *random, const florin_context *ctx)
{
    enum { STEPS = 20000 };
    size_t at = 0;
    double best = 0;

    lay_ring(p, bytes / LINE, random);
    for (int r = 0; r < RUNS; r++) {
        int64_t from = fl_monotonic_us(ctx);
        for (int i = 0; i < STEPS; i++) memcpy(&at, p + at * LINE, sizeof at);
        __asm__ volatile("" ::"r"(at));
        double ns = (double)(fl_monotonic_us(ctx) - from) * 1000 / STEPS;
        if (!r || ns < best) best = ns;
    }
    return best;
}

bool fl_peaks_measure(fl_peaks *out, fl_team *team, const florin_context *ctx)
{
    uint32_t threads = fl_team_size(team);
    char **buffer = fl_calloc(threads, sizeof *buffer);
    bool ok = buffer != NULL;
    fl_rng random;

    memset(out, 0, sizeof *out);
    fl_rng_seed(&random, 1);
    for (uint32_t t = 0; ok && t < threads; t++)
        ok = (buffer[t] = fl_alloc_aligned(fl_peak_bytes(FL_PEAK_DRAM), 1)) != NULL;
    for (int kind = 0; ok && kind < FL_PEAK_KINDS; kind++) {
        double ops;
        job j = {.work = work_of((fl_peak_kind)kind, &ops), .rounds = 50000};
        if (!j.work) continue;
        out->giga_ops[kind] =
            ops * (double)j.rounds * threads / best_seconds(team, do_work, &j, ctx) * 1e-9;
    }
    for (int level = 0; ok && level < FL_PEAK_LEVELS; level++) {
        job j = {.read = reader_here(), .buffer = buffer};
        j.bytes = fl_peak_bytes((fl_peak_level)level) / 256 * 256;
        j.rounds = 1 + 16 * MIB / j.bytes;
        out->read[level] = (double)j.bytes * (double)j.rounds * threads /
                           best_seconds(team, do_read, &j, ctx) * 1e-9;
        if (threads == 1) out->nanoseconds[level] = latency(buffer[0], j.bytes, &random, ctx);
    }
    for (uint32_t t = 0; buffer && t < threads; t++) free(buffer[t]);
    free(buffer);
    return ok;
}

/* ---- any function ---- */

typedef struct {
    void (*fn)(void *arg, uint32_t thread);
    void *arg;
    uint64_t calls;
} repeated;

static void repeat(void *arg, uint32_t thread)
{
    const repeated *x = arg;

    for (uint64_t i = 0; i < x->calls; i++) x->fn(x->arg, thread);
}

double fl_peak_best_us(fl_team *team, void (*fn)(void *arg, uint32_t thread), void *arg,
                       const florin_context *ctx)
{
    enum { LONG_US = 1000, SHORT_US = 100, MOST = 1 << 24 };
    repeated x = {fn, arg, 1};
    double best = 0;

    for (int r = 0; r < RUNS;) {
        int64_t from = fl_monotonic_us(ctx);
        fl_team_run(team, repeat, &x);
        int64_t us = fl_monotonic_us(ctx) - from;
        if (us < LONG_US && x.calls < MOST) { /* too short for the clock */
            x.calls *= us < SHORT_US ? 8 : 2;
            continue;
        }
        double one = (double)us / (double)x.calls;
        if (!r || one < best) best = one;
        r++;
    }
    return best > 0 ? best : 1e-6;
}
