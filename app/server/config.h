/* The server's settings: one commented YAML file. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "florin.h"

typedef struct {
    const char *model, *policy, *journal, *state, *bootstrap, *head, *hash_key, *sync;
    const char *listen, *certificate, *certificate_key, *keys, *event, *unknown_fields, *log;
    int64_t port, connections, idle_s, body_bytes, header_bytes, batch, queue, rate_per_s;
    int64_t deadline_ms, sync_interval_ms, entities_max, pairs_max, pending_max, drain_s,
        checkpoint_s;
    florin_settings *settings; /* the texts live in it */
} config;

/* Read a file. FLORIN_EINPUT names line and column. */
florin_status config_open(config *out, const char *path, florin_error *err);
void config_close(config *c);
/* The commented file with every default. */
extern const char config_text[];

#endif
