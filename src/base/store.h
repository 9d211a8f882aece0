/* SQLite for what Florin itself keeps off the path of a decision: policy versions, audit, queues. One file in WAL mode; every commit is on
 * the disk before it returns. Several processes may use a file; a writer waits up to 5 s for another. */
#ifndef FL_STORE_H
#define FL_STORE_H

#include "base/base.h"

typedef struct fl_store fl_store;
typedef struct fl_query fl_query;

/* Opens or makes (mode 0600) a file. kind: four letters that say what it is; steps [n]: SQL that brings a file of version i to version
 * i + 1. FLORIN_EFORMAT: another program's file, damaged, or of a later version; FLORIN_EIO. */
florin_status fl_store_open(fl_store **out, const char *path, const char kind[4],
                            const char *const *steps, uint32_t n, florin_error *err);
void fl_store_close(fl_store *s); /* NULL is fine */

/* All or nothing: begin, then end; end rolls back when `st` is not FLORIN_OK, and returns st or what went wrong. */
florin_status fl_store_begin(fl_store *s, florin_error *err);
florin_status fl_store_end(fl_store *s, florin_status st, florin_error *err);

/* A statement; its ?1, ?2 ... are given by `kinds`, a letter each: t (const char *, may be NULL), b (const void *, size_t), i (int64_t),
 * d (double). What is given must live until the query is closed. */
florin_status fl_query_open(fl_query **out, fl_store *s, florin_error *err, const char *sql,
                            const char *kinds, ...);
/* The next row; false: no more, or an error. */
bool fl_query_next(fl_query *q);
/* Frees q; what went wrong, if anything. */
florin_status fl_query_close(fl_query *q, florin_error *err);
/* Of the row, from 0; valid until the next. text is never NULL. */
const char *fl_query_text(fl_query *q, int column);
const void *fl_query_bytes(fl_query *q, int column, size_t *n);
int64_t fl_query_int(fl_query *q, int column);
double fl_query_number(fl_query *q, int column);
bool fl_query_null(fl_query *q, int column);

/* A statement that gives no rows; *changed (may be NULL): rows that it changed. */
florin_status fl_store_run(fl_store *s, int64_t *changed, florin_error *err, const char *sql,
                           const char *kinds, ...);

#endif
