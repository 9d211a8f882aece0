/* A loop over independent indices, spread over threads that live for the call. Which thread runs an
 * index is not defined, so fn(i) may depend on i alone. */
#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS_MAX = 64, STACK_BYTES = 8 << 20 };

typedef struct {
    atomic_uint next;
    uint32_t n;
    void (*fn)(void *arg, uint32_t i);
    void *arg;
} work;

static void *run(void *p)
{
    work *w = p;
    for (;;) {
        uint32_t i = atomic_fetch_add(&w->next, 1);
        if (i >= w->n) return NULL;
        w->fn(w->arg, i);
    }
}

void fl_parallel(uint32_t threads, uint32_t n, void (*fn)(void *arg, uint32_t i), void *arg)
{
    pthread_t id[THREADS_MAX];
    uint32_t started = 0;
    work w = {.n = n, .fn = fn, .arg = arg};

    if (threads > n) threads = n;
    if (threads > THREADS_MAX) threads = THREADS_MAX;
    if (threads <= 1) {
        for (uint32_t i = 0; i < n; i++) fn(arg, i);
        return;
    }
    pthread_attr_t attr;
    bool have_attr = pthread_attr_init(&attr) == 0;
    if (have_attr) pthread_attr_setstacksize(&attr, STACK_BYTES);
    /* A thread that can't be started is no error: the others take its share. */
    while (started + 1 < threads &&
           pthread_create(&id[started], have_attr ? &attr : NULL, run, &w) == 0)
        started++;
    if (have_attr) pthread_attr_destroy(&attr);
    run(&w);
    for (uint32_t t = 0; t < started; t++) pthread_join(id[t], NULL);
}
