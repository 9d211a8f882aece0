/* Errors, memory, hashing, random numbers and buffers for all of src/. No I/O here (see file.h). */
#ifndef FL_BASE_H
#define FL_BASE_H

#include "florin.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FL_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define FL_LEN(a)       (sizeof(a) / sizeof((a)[0]))

/* Fill *err (NULL is fine) and return status, so `return fl_fail(err, FLORIN_EIO, "%s: ...", path)`. */
florin_status fl_fail(florin_error *err, florin_status status, const char *fmt, ...)
    FL_PRINTF(3, 4);
/* Put "prefix: " before the message that a callee left. Returns err's status (FLORIN_EINTERNAL if NULL). */
florin_status fl_fail_prefix(florin_error *err, const char *fmt, ...) FL_PRINTF(2, 3);

/* Context helpers: NULL-safe. */
void fl_say(const florin_context *ctx, florin_level level, const char *fmt, ...) FL_PRINTF(3, 4);
void fl_write(const florin_context *ctx, const char *bytes, size_t n);
void fl_writef(const florin_context *ctx, const char *fmt, ...) FL_PRINTF(2, 3);
void fl_progress(const florin_context *ctx, const char *stage, uint64_t done, uint64_t total);
void fl_progress_note(const florin_context *ctx, const char *stage, uint64_t done, uint64_t total,
                      const char *fmt, ...) FL_PRINTF(5, 6);
bool fl_cancelled(const florin_context *ctx);
uint32_t fl_threads(const florin_context *ctx);
uint64_t fl_memory(const florin_context *ctx); /* bytes to stay under: the option, or 2 GiB */
int64_t fl_now_us(const florin_context *ctx);
int64_t fl_monotonic_us(const florin_context *ctx);

/* Allocation. Sizes are checked before they are multiplied; NULL on overflow or no memory. */
void *fl_alloc(size_t count, size_t size);  /* uninitialised */
void *fl_calloc(size_t count, size_t size); /* zeroed */
void *fl_realloc(void *p, size_t count, size_t size);
void *fl_alloc_aligned(size_t count, size_t size); /* 64-byte aligned, zeroed; freed with free() */
/* Asks for huge pages for [p, p + bytes) if it is 4 MiB or more: tables that are looked at here and there save a page walk at
 * every look. A wish: refused, all works as well. Touches nothing. */
void fl_huge_pages(void *p, size_t bytes);
/* Brings bytes at p nearer, for a use that follows some work later. */
static inline void fl_prefetch(const void *p, size_t bytes)
{
    __asm__ volatile("" ::"r"(p)); /* gcc 12 drops calls of a function that does nothing but this */
    for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)p + at);
}
char *fl_strdup(const char *s);
char *fl_strndup(const char *s, size_t n);
char *fl_asprintf(const char *fmt, ...) FL_PRINTF(1, 2);

/* Make room for need elements of size bytes in *p, doubling *cap. False: no memory, *p untouched. */
bool fl_grow(void **p, size_t *cap, size_t need, size_t size);

/* Arena: blocks that are freed together. Not thread-safe. */
typedef struct fl_arena fl_arena;
fl_arena *fl_arena_new(size_t block);
void *fl_arena_alloc(fl_arena *a, size_t n); /* 16-byte aligned, zeroed; NULL: no memory */
char *fl_arena_strdup(fl_arena *a, const char *s);
void fl_arena_free(fl_arena *a);

/* Growing byte buffer. After a failed append `failed` stays true and further appends do nothing. */
typedef struct {
    char *data; /* always NUL-terminated once something was appended */
    size_t len, cap;
    bool failed;
} fl_buf;
void fl_buf_add(fl_buf *b, const void *bytes, size_t n);
void fl_buf_puts(fl_buf *b, const char *s);
void fl_buf_printf(fl_buf *b, const char *fmt, ...) FL_PRINTF(2, 3);
/* prefix and s between quotes; those inside s are doubled, as SQL has names and texts. */
void fl_buf_quoted(fl_buf *b, char quote, const char *prefix, const char *s);
void fl_buf_free(fl_buf *b);

/* Hashes. fl_hash64: fast, for tables and checksums, stable across machines and versions (XXH64,
 * Collet 2012). fl_siphash: keyed (SipHash-2-4, Aumasson & Bernstein 2012), for identifiers. */
uint64_t fl_hash64(const void *bytes, size_t n, uint64_t seed);
uint64_t fl_siphash(const void *bytes, size_t n, const uint8_t key[16]);
static inline uint64_t fl_mix64(uint64_t x)
{ /* finaliser of splitmix64 */
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* SHA-256 as 64 hex digits + NUL, for content hashes of models and logs. */
typedef struct {
    uint32_t h[8];
    uint64_t n;
    uint8_t block[64];
} fl_sha256;
void fl_sha256_init(fl_sha256 *s);
void fl_sha256_add(fl_sha256 *s, const void *bytes, size_t n);
void fl_sha256_hex(fl_sha256 *s, char out[65]);

/* Random numbers: xoshiro256** (Blackman & Vigna 2018), seeded by splitmix64. Same seed, same draws. */
typedef struct {
    uint64_t s[4];
} fl_rng;
void fl_rng_seed(fl_rng *r, uint64_t seed);
uint64_t fl_rng_u64(fl_rng *r);
double fl_rng_double(fl_rng *r);              /* [0, 1) */
uint64_t fl_rng_below(fl_rng *r, uint64_t n); /* [0, n), n >= 1 */
double fl_rng_normal(fl_rng *r);              /* mean 0, sd 1 */

/* Open-addressing map from a non-zero 64-bit key to a 32-bit value. Grows unless fixed. */
typedef struct {
    uint64_t *key;
    uint32_t *value;
    size_t cap, count; /* cap: power of two */
} fl_map64;
bool fl_map64_init(fl_map64 *m, size_t expected);
void fl_map64_free(fl_map64 *m);
uint32_t *fl_map64_find(const fl_map64 *m, uint64_t key); /* NULL: absent */
/* Bring the key's place into the cache for a find or insert that follows some work later. */
static inline void fl_map64_prefetch(const fl_map64 *m, uint64_t key)
{
    size_t i = m->cap ? (size_t)fl_mix64(key) & (m->cap - 1) : 0;
    fl_prefetch(m->key + i, 1);
    fl_prefetch(m->value + i, 1);
}
uint32_t *fl_map64_insert(fl_map64 *m, uint64_t key,
                          bool *inserted); /* NULL: no memory. New value is 0 */

/* Run fn(arg, i) for i in [0, n) on `threads` threads (this one included). Joins before it returns. */
void fl_parallel(uint32_t threads, uint32_t n, void (*fn)(void *arg, uint32_t i), void *arg);

/* A team: threads that stay and work in turns, for steps too short to start threads for. pinned: each stays on a core of
 * its own (the caller while a run lasts), unless the process may use fewer cores than the team has threads.
 * Threads that can't be started are no error: ask the size. NULL: no memory. One caller at a time. */
typedef struct fl_team fl_team;
fl_team *fl_team_new(uint32_t threads, bool pinned);
void fl_team_free(fl_team *t);
uint32_t fl_team_size(const fl_team *t);
bool fl_team_pinned(const fl_team *t);
/* fn(arg, i) on each thread i of the team at once, the caller being thread 0. Returns when all are done. */
void fl_team_run(fl_team *t, void (*fn)(void *arg, uint32_t thread), void *arg);
/* Within a run: waits until every thread of the team is here. What each wrote before, all see after. */
void fl_team_meet(fl_team *t);

/* Time text. fl_time_parse reads "2018-08-01", "2018-08-01 12:30[:45[.123]]" or with 'T' and 'Z'; UTC. */
bool fl_time_parse(const char *s, int64_t *time_us);
void fl_time_format(int64_t time_us,
                    char out[32]); /* "2018-08-01 12:30:45", with fraction only if there is one */
/* "7d", "12h", "30m", "45s", "2w" -> microseconds. False: not a duration. */
bool fl_duration_parse(const char *s, int64_t *us);
#define FL_SECOND_US 1000000ll
#define FL_HOUR_US   (3600ll * FL_SECOND_US)
#define FL_DAY_US    (86400ll * FL_SECOND_US)

/* Nearest of `names` to s by edit distance (at most 3), or NULL: for "did you mean". */
const char *fl_nearest(const char *s, const char *const *names, size_t n);

#endif
