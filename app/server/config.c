/* Defaults, names and bounds of the settings, and the file that explains them. */
#include "config.h"

#include <stdio.h>
#include <string.h>

const char config_text[] =
    "# Settings of florin serve. What stands here is what holds when a line is left out; model and "
    "journal are needed.\n"
    "model: fraud.florin         # a model with at least one head (florin fit)\n"
    "journal: florin.journal     # folder of the journal; made when there is none\n"
    "policy:                     # rules, thresholds, lists (docs/policy.md); empty: the head's "
    "own threshold blocks\n"
    "head:                       # task whose score gives level and reasons; empty: the model's "
    "first\n"
    "bootstrap:                  # event log whose histories an empty journal begins with\n"
    "state:                      # or a state file that an empty journal begins with\n"
    "hash_key:                   # file of the hash key, where the schema names one\n"
    "event:                      # event type of a payment that names none; empty: the schema's "
    "first\n"
    "unknown_fields: refuse      # members that the schema does not know: refuse, or ignore (and "
    "count)\n"
    "\n"
    "# --- where it listens. Without keys it listens on this machine alone, and every caller is an "
    "admin.\n"
    "listen: 127.0.0.1           # an address of this machine; :: or 0.0.0.0 for all of them\n"
    "port: 8080                  # 0: any free one, told in the log\n"
    "keys:                       # file of API keys; florin serve --new-key NAME --role ROLE "
    "writes its lines\n"
    "tls:\n"
    "  certificate:              # PEM files\n"
    "  key:\n"
    "\n"
    "# --- what an acknowledged answer promises\n"
    "sync: interval              # interval: survives the end of the process; always: also a loss "
    "of power\n"
    "sync_interval_ms: 10        # how often the disk is told, with interval\n"
    "checkpoint_s: 300           # how often histories are saved, beside the decisions, which "
    "shortens "
    "the next start; 0: never\n"
    "\n"
    "# --- bounds\n"
    "limits:\n"
    "  connections: 10000        # further ones wait in the system's queue\n"
    "  idle_s: 60                # a connection that sends nothing for so long is closed\n"
    "  body_bytes: 262144        # of a request\n"
    "  header_bytes: 8192        # memory of a connection: headers, and the piece of the body just "
    "read\n"
    "  batch: 100                # payments of one request\n"
    "  queue: 256                # payments that wait to be decided; one more is answered 503 at "
    "once\n"
    "  rate_per_s: 0             # requests a second of each key that has no rate of its own; 0: "
    "any\n"
    "deadline_ms: 0              # a payment that waited for longer is decided by rules alone; 0: "
    "none\n"
    "drain_s: 10                 # after SIGTERM, the most that requests in flight get\n"
    "\n"
    "# --- memory for histories (docs/scoring.md, Capacity)\n"
    "entities_max: 0             # of every kind; 0: as the state file has, else 1,000,000\n"
    "capacity: {}                # kinds with a capacity of their own, {card: 5000000}\n"
    "pairs_max: 0                # of each pair; 0: 4 x entities\n"
    "pending_max: 0              # payments that may still get a label; 0: 1,000,000\n"
    "\n"
    "log: info                   # JSON lines on standard error: error, warn, info, or debug "
    "(every request)\n";

static florin_status fail(florin_error *err, const char *path, const char *what)
{
    if (err) {
        err->status = FLORIN_EINPUT;
        snprintf(err->message, sizeof err->message, "%s: %s", path, what);
    }
    return FLORIN_EINPUT;
}

static int one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(text, *list)) return 1;
    return 0;
}

static florin_status check(const config *c, const char *path, florin_error *err)
{
    static const char *const syncs[] = {"interval", "always", NULL};
    static const char *const unknown[] = {"refuse", "ignore", NULL};
    static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
    if (!c->model[0]) return fail(err, path, "'model' is missing: the file of a model with a head");
    if (!c->journal[0]) return fail(err, path, "'journal' is missing: a folder for the journal");
    if (!one_of(c->sync, syncs)) return fail(err, path, "'sync' must be interval or always");
    if (!one_of(c->unknown_fields, unknown))
        return fail(err, path, "'unknown_fields' must be refuse or ignore");
    if (!one_of(c->log, levels)) return fail(err, path, "'log' must be error, warn, info or debug");
    if (!c->certificate[0] != !c->certificate_key[0])
        return fail(err, path, "'tls' needs both certificate and key");
    if (c->queue < c->batch) return fail(err, path, "'limits.queue' must hold 'limits.batch'");
    return FLORIN_OK;
}

florin_status config_open(config *c, const char *path, florin_error *err)
{
    *c = (config){.model = "",
                  .policy = "",
                  .journal = "",
                  .state = "",
                  .bootstrap = "",
                  .head = "",
                  .hash_key = "",
                  .sync = "interval",
                  .listen = "127.0.0.1",
                  .certificate = "",
                  .certificate_key = "",
                  .keys = "",
                  .event = "",
                  .unknown_fields = "refuse",
                  .log = "info",
                  .port = 8080,
                  .connections = 10000,
                  .idle_s = 60,
                  .body_bytes = 262144,
                  .header_bytes = 8192,
                  .batch = 100,
                  .queue = 256,
                  .sync_interval_ms = 10,
                  .checkpoint_s = 300,
                  .drain_s = 10};
    const florin_setting list[] = {
        {"model", FLORIN_SETTING_TEXT, &c->model, 0, 0},
        {"policy", FLORIN_SETTING_TEXT, &c->policy, 0, 0},
        {"journal", FLORIN_SETTING_TEXT, &c->journal, 0, 0},
        {"head", FLORIN_SETTING_TEXT, &c->head, 0, 0},
        {"bootstrap", FLORIN_SETTING_TEXT, &c->bootstrap, 0, 0},
        {"state", FLORIN_SETTING_TEXT, &c->state, 0, 0},
        {"hash_key", FLORIN_SETTING_TEXT, &c->hash_key, 0, 0},
        {"event", FLORIN_SETTING_TEXT, &c->event, 0, 0},
        {"unknown_fields", FLORIN_SETTING_TEXT, &c->unknown_fields, 0, 0},
        {"listen", FLORIN_SETTING_TEXT, &c->listen, 0, 0},
        {"port", FLORIN_SETTING_INT, &c->port, 0, 65535},
        {"keys", FLORIN_SETTING_TEXT, &c->keys, 0, 0},
        {"tls.certificate", FLORIN_SETTING_TEXT, &c->certificate, 0, 0},
        {"tls.key", FLORIN_SETTING_TEXT, &c->certificate_key, 0, 0},
        {"sync", FLORIN_SETTING_TEXT, &c->sync, 0, 0},
        {"sync_interval_ms", FLORIN_SETTING_INT, &c->sync_interval_ms, 1, 10000},
        {"limits.connections", FLORIN_SETTING_INT, &c->connections, 1, 1000000},
        {"limits.idle_s", FLORIN_SETTING_INT, &c->idle_s, 1, 86400},
        {"limits.body_bytes", FLORIN_SETTING_INT, &c->body_bytes, 1024, 64 << 20},
        {"limits.header_bytes", FLORIN_SETTING_INT, &c->header_bytes, 4096, 1 << 20},
        {"limits.batch", FLORIN_SETTING_INT, &c->batch, 1, 10000},
        {"limits.queue", FLORIN_SETTING_INT, &c->queue, 1, 65536},
        {"limits.rate_per_s", FLORIN_SETTING_INT, &c->rate_per_s, 0, 10000000},
        {"deadline_ms", FLORIN_SETTING_INT, &c->deadline_ms, 0, 60000},
        {"checkpoint_s", FLORIN_SETTING_INT, &c->checkpoint_s, 0, 86400},
        {"drain_s", FLORIN_SETTING_INT, &c->drain_s, 0, 3600},
        {"entities_max", FLORIN_SETTING_INT, &c->entities_max, 0, UINT32_MAX},
        {"capacity", FLORIN_SETTING_PAIRS, NULL, 1, UINT32_MAX},
        {"pairs_max", FLORIN_SETTING_INT, &c->pairs_max, 0, UINT32_MAX},
        {"pending_max", FLORIN_SETTING_INT, &c->pending_max, 0, UINT32_MAX},
        {"log", FLORIN_SETTING_TEXT, &c->log, 0, 0},
    };
    c->settings = NULL;
    florin_status st =
        florin_settings_open(&c->settings, path, list, sizeof list / sizeof list[0], err);
    if (st) return st;
    st = check(c, path, err);
    if (st) config_close(c);
    return st;
}

void config_close(config *c)
{
    florin_settings_close(c->settings);
    c->settings = NULL;
}
