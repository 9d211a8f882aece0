/* florin load: payments at a rate against a server, open loop. */
#ifndef SERVER_LOAD_H
#define SERVER_LOAD_H

#include "florin.h"
#include "text.h"

typedef struct {
    const char *url;       /* http://host:port */
    const char *file;      /* .jsonl: a body a line; .csv: a payment a row; NULL: made up */
    const char *key;       /* API key; NULL: none */
    const char *const *as; /* "COLUMN=NAME" of a CSV file, ended by NULL; may be NULL */
    double rate; /* requests a second; 0: as many as the connections get done, a closed loop */
    double seconds, warmup_s;
    int64_t connections, entities, seed, requests; /* requests 0: as many as fit the seconds */
    int64_t per_request;                           /* payments in one request */
    int64_t pad_to;                                /* made-up bodies get so many bytes */
    bool keep_time, even;
    uint8_t json;
} load_options;
#define LOAD_INIT                                                                                  \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 100, 10, 0, 64, 100000, 1, 0, 1, 500, false, false, 0              \
    }

florin_status load_run(const load_options *o, const florin_context *ctx, florin_error *err);

/* --- load_source.c: bodies --- */

typedef struct load_source load_source;
/* schema: what GET /v1/schema answered; changed while it is read. */
florin_status load_source_open(load_source **out, const load_options *o, char *schema, size_t n,
                               const florin_context *ctx, florin_error *err);
void load_source_close(load_source *s);
/* The next body, appended; false: the file is at its end. */
bool load_source_next(load_source *s, text *body);

/* --- load_wire.c: connections --- */

typedef struct {
    uint64_t count[4096]; /* by microseconds, 64 steps a power of two */
    uint64_t n;
    double sum_us, most_us;
} load_times;
void load_times_add(load_times *t, double us);
double load_times_at(const load_times *t, double share);

typedef struct {
    uint64_t sent, answered, status[6], broken, behind; /* behind: waited for a free connection */
    load_times times; /* from the moment a request was due to its answer's last byte */
    double seconds;   /* measured */
    uint64_t measured, measured_ok;
} load_result;

florin_status load_wire_run(const load_options *o, const char *host, const char *port,
                            load_source *source, const florin_context *ctx, load_result *out,
                            florin_error *err);
/* One GET; the body into *body. */
florin_status load_wire_get(const char *host, const char *port, const char *path, const char *key,
                            text *body, florin_error *err);

#endif
