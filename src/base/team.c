/* Threads that stay and work in turns, each on a core of its own.
 * Invariant: `turn` counts the meetings of all threads; whoever comes last opens the next one. Who waits spins for a
 * while (turns are often microseconds apart), then sleeps. */
#include "base/base.h"
#include "base/file.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { THREADS_MAX = 64, STACK_BYTES = 8 << 20, SPINS = 4000 };

typedef struct {
    fl_team *team;
    uint32_t index;
    pthread_t id;
} member;

struct fl_team {
    member thread[THREADS_MAX]; /* [0]: the caller */
    uint32_t threads;
    bool pinned, stop;
    uint32_t core[THREADS_MAX]; /* of each thread, if pinned */
    void (*fn)(void *arg, uint32_t thread);
    void *arg;
    pthread_mutex_t lock; /* around sleeping and the change of turn */
    pthread_cond_t opened;
    _Alignas(64) atomic_uint arrived;
    _Alignas(64) atomic_uint turn;
};

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void fl_team_meet(fl_team *t)
{
    unsigned turn = atomic_load_explicit(&t->turn, memory_order_acquire);

    if (t->threads == 1) return;
    if (atomic_fetch_add_explicit(&t->arrived, 1, memory_order_acq_rel) == t->threads - 1) {
        atomic_store_explicit(&t->arrived, 0, memory_order_relaxed);
        pthread_mutex_lock(&t->lock);
        atomic_store_explicit(&t->turn, turn + 1, memory_order_release);
        pthread_cond_broadcast(&t->opened);
        pthread_mutex_unlock(&t->lock);
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->turn, memory_order_acquire) != turn) return;
        pause_a_little();
    }
    pthread_mutex_lock(&t->lock);
    while (atomic_load_explicit(&t->turn, memory_order_acquire) == turn)
        pthread_cond_wait(&t->opened, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

/* ---- cores ---- */

/* What tells cores apart from one another's hyperthreads: the first CPU of the core that this CPU belongs to. */
static uint32_t core_of(uint32_t cpu)
{
    char path[96], *text;
    uint32_t core = cpu;

    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
    if (fl_read_file(&text, NULL, path, 4096, NULL)) return cpu;
    core = (uint32_t)strtoul(text, NULL, 10);
    free(text);
    return core;
}

/* A core for each thread among those that the process may use. False: there are too few. */
static bool choose_cores(fl_team *t)
{
    cpu_set_t allowed, taken;
    uint32_t found = 0;

    if (sched_getaffinity(0, sizeof allowed, &allowed)) return false;
    CPU_ZERO(&taken);
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE && found < t->threads; cpu++) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        uint32_t core = core_of(cpu);
        if (core >= CPU_SETSIZE || CPU_ISSET(core, &taken)) continue;
        CPU_SET(core, &taken);
        t->core[found++] = cpu;
    }
    return found == t->threads;
}

static void pin(uint32_t core)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(core, &one);
    sched_setaffinity(0, sizeof one, &one);
}

/* ---- life ---- */

static void *live(void *arg)
{
    member *m = arg;
    fl_team *t = m->team;

    pthread_mutex_lock(&t->lock); /* held until the team is counted */
    pthread_mutex_unlock(&t->lock);
    if (t->pinned) pin(t->core[m->index]);
    for (;;) {
        fl_team_meet(t);
        if (t->stop) return NULL;
        t->fn(t->arg, m->index);
        fl_team_meet(t);
    }
}

fl_team *fl_team_new(uint32_t threads, bool pinned)
{
    fl_team *t = fl_alloc_aligned(1, sizeof *t);
    pthread_attr_t attr;
    bool have_attr;

    if (!t) return NULL;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->opened, NULL);
    have_attr = pthread_attr_init(&attr) == 0;
    if (have_attr) pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_mutex_lock(&t->lock); /* nobody starts before the team is counted */
    for (t->threads = 1; t->threads < threads; t->threads++) {
        member *m = &t->thread[t->threads];
        *m = (member){.team = t, .index = t->threads};
        if (pthread_create(&m->id, have_attr ? &attr : NULL, live, m)) break;
    }
    t->pinned = pinned && t->threads > 1 && choose_cores(t);
    pthread_mutex_unlock(&t->lock);
    if (have_attr) pthread_attr_destroy(&attr);
    return t;
}

void fl_team_free(fl_team *t)
{
    if (!t) return;
    t->stop = true;
    fl_team_meet(t);
    for (uint32_t i = 1; i < t->threads; i++) pthread_join(t->thread[i].id, NULL);
    pthread_cond_destroy(&t->opened);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

uint32_t fl_team_size(const fl_team *t)
{
    return t->threads;
}

bool fl_team_pinned(const fl_team *t)
{
    return t->pinned;
}

void fl_team_run(fl_team *t, void (*fn)(void *arg, uint32_t thread), void *arg)
{
    cpu_set_t before;
    bool moved = t->pinned && !sched_getaffinity(0, sizeof before, &before);

    t->fn = fn;
    t->arg = arg;
    /* Only for the run: threads that the caller starts at other times must not inherit one core. */
    if (moved) pin(t->core[0]);
    fl_team_meet(t);
    fn(arg, 0);
    fl_team_meet(t);
    if (moved) sched_setaffinity(0, sizeof before, &before);
}
