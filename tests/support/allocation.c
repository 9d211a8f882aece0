/* The linker sends malloc and its kin of the static library here (--wrap), so that tests can count
 * allocations and make the nth one fail. Shared libraries keep their own. */
#include "support/support.h"

#include <stdatomic.h>

static atomic_ullong count, fail_at;
static atomic_bool for_good_on, failed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t a, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t a, size_t n);

static bool fails(void)
{
    unsigned long long now = atomic_fetch_add(&count, 1) + 1, at = atomic_load(&fail_at);
    bool fail = at && (now == at || (now > at && atomic_load(&for_good_on)));
    if (fail) atomic_store(&failed, true);
    return fail;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
    return fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t a, size_t n)
{
    return fails() ? NULL : __real_aligned_alloc(a, n);
}

uint64_t allocation_count(void)
{
    return atomic_load(&count);
}

void allocation_fail_at(uint64_t n, bool for_good)
{
    atomic_store(&failed, false);
    atomic_store(&for_good_on, for_good);
    atomic_store(&fail_at, n ? atomic_load(&count) + n : 0);
}

bool allocation_failed(void)
{
    return atomic_load(&failed);
}
