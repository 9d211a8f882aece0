/* Allocation with checked sizes, the arena, and the growing byte buffer. */
#include "base/base.h"

#include <stdio.h>
#include <sys/mman.h>

enum {
    ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20,
    HUGE_LEAST = 2 * HUGE_PAGE,
    PAGE = 4096,
    ARENA_ALIGN = 16,
    ARENA_BLOCK_MIN = 256
};

/* count * size, or SIZE_MAX (which no allocator grants) on overflow; never 0. */
static size_t bytes_of(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n > PTRDIFF_MAX) return SIZE_MAX;
    return n ? n : 1;
}

void *fl_alloc(size_t count, size_t size)
{
    size_t n = bytes_of(count, size);
    return n == SIZE_MAX ? NULL : malloc(n);
}

void *fl_calloc(size_t count, size_t size)
{
    size_t n = bytes_of(count, size);
    return n == SIZE_MAX ? NULL : calloc(n, 1);
}

void *fl_realloc(void *p, size_t count, size_t size)
{
    size_t n = bytes_of(count, size);
    return n == SIZE_MAX ? NULL : realloc(p, n);
}

void fl_huge_pages(void *p, size_t bytes)
{
    uint8_t *page = (uint8_t *)p + (PAGE - (uintptr_t)p % PAGE) % PAGE;

    if (bytes >= HUGE_LEAST)
        (void)madvise(page, (size_t)((uint8_t *)p + bytes - page), MADV_HUGEPAGE);
}

void *fl_alloc_aligned(size_t count, size_t size)
{
    size_t n = bytes_of(count, size);
    if (n > PTRDIFF_MAX - ALIGNMENT) return NULL;
    n = (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    const size_t align = n >= HUGE_LEAST ? HUGE_PAGE : ALIGNMENT;
    if (n > PTRDIFF_MAX - align) return NULL;
    void *p = aligned_alloc(align, (n + align - 1) / align * align);
    if (!p) return NULL;
    fl_huge_pages(p, n);
    memset(p, 0, n);
    return p;
}

char *fl_strndup(const char *s, size_t n)
{
    n = strnlen(s, n);
    char *p = n < SIZE_MAX ? fl_alloc(n + 1, 1) : NULL;
    if (!p) return NULL;
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *fl_strdup(const char *s)
{
    return fl_strndup(s, SIZE_MAX);
}

char *fl_asprintf(const char *fmt, ...)
{
    va_list ap, again;
    char *p = NULL;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n >= 0) p = fl_alloc((size_t)n + 1, 1);
    if (p) vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

bool fl_grow(void **p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap) return true;
    size_t n = *cap ? *cap : 16;
    while (n < need) {
        if (n > SIZE_MAX / 2) return false;
        n *= 2;
    }
    void *q = fl_realloc(*p, n, size);
    if (!q) return false;
    *p = q;
    *cap = n;
    return true;
}

typedef struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(ARENA_ALIGN) uint8_t bytes[];
} arena_block;

struct fl_arena {
    arena_block *head;
    size_t block;
};

fl_arena *fl_arena_new(size_t block)
{
    fl_arena *a = fl_calloc(1, sizeof *a);
    if (a) a->block = block < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : block;
    return a;
}

void *fl_arena_alloc(fl_arena *a, size_t n)
{
    if (n > PTRDIFF_MAX - ARENA_ALIGN - sizeof(arena_block)) return NULL;
    n = n ? (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
    arena_block *b = a->head;
    if (!b || b->size - b->used < n) {
        size_t size = n > a->block ? n : a->block;
        b = malloc(sizeof *b + size);
        if (!b) return NULL;
        b->used = 0;
        b->size = size;
        b->next = a->head;
        a->head = b;
    }
    void *p = b->bytes + b->used;
    b->used += n;
    memset(p, 0, n);
    return p;
}

char *fl_arena_strdup(fl_arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = fl_arena_alloc(a, n);
    if (p) memcpy(p, s, n);
    return p;
}

void fl_arena_free(fl_arena *a)
{
    if (!a) return;
    while (a->head) {
        arena_block *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    free(a);
}

void fl_buf_add(fl_buf *b, const void *bytes, size_t n)
{
    if (b->failed) return;
    if (n >= SIZE_MAX - b->len || !fl_grow((void **)&b->data, &b->cap, b->len + n + 1, 1)) {
        b->failed = true;
        return;
    }
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
}

void fl_buf_puts(fl_buf *b, const char *s)
{
    fl_buf_add(b, s, strlen(s));
}

void fl_buf_quoted(fl_buf *b, char quote, const char *prefix, const char *s)
{
    fl_buf_add(b, &quote, 1);
    fl_buf_puts(b, prefix);
    for (; *s; s++) {
        if (*s == quote) fl_buf_add(b, &quote, 1);
        fl_buf_add(b, s, 1);
    }
    fl_buf_add(b, &quote, 1);
}

void fl_buf_printf(fl_buf *b, const char *fmt, ...)
{
    va_list ap, again;

    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0 || b->failed || !fl_grow((void **)&b->data, &b->cap, b->len + (size_t)n + 1, 1)) {
        b->failed = true;
    } else {
        vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

void fl_buf_free(fl_buf *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}
