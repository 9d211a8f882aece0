/* The server's life: open, loop, reload, drain, close. */
#include "serve.h"
#include "server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CAPACITIES_MOST = 32,
    BACKLOG = 4096,
    SPARE_FILES = 64,
    IDLE_WAIT_MS = 1000,
    SHORT_WAIT_MS = 20,
    BUSY_ROUNDS = 16
};

const char *serve_settings_text(void)
{
    return config_text;
}

florin_status serve_new_key(const char *name, const char *roles, char *secret, char *line,
                            size_t room, florin_error *err)
{
    return keys_make(name, roles, secret, line, room, err);
}

static florin_status fail(florin_error *err, florin_status st, const char *what, const char *why)
{
    err->status = st;
    snprintf(err->message, sizeof err->message, "%s: %s", what, why);
    return st;
}

/* --- opening --- */

static florin_level level_of(const char *name)
{
    if (!strcmp(name, "debug")) return FLORIN_LOG_DEBUG;
    if (!strcmp(name, "warn")) return FLORIN_LOG_WARN;
    return !strcmp(name, "error") ? FLORIN_LOG_ERROR : FLORIN_LOG_INFO;
}

static void keep_info(void *user, const char *bytes, size_t n)
{
    text_bytes(user, bytes, n);
}

/* The first digits of the model's hash, which decisions name too. */
static florin_status read_hash(server *s, florin_error *err)
{
    text info = {0};
    scan sc;
    const char *key, *value;
    uint32_t n, value_n;
    florin_context quiet = FLORIN_CONTEXT_INIT;
    quiet.user = &info;
    quiet.write = keep_info;
    florin_status st = florin_model_info(s->model, &quiet, err);
    if (!st && text_room(&info, 1)) {
        scan_begin(&sc, info.at, info.n);
        bool more = scan_enter(&sc, SCAN_OBJECT);
        while (more && scan_key(&sc, &key, &n)) {
            if (!SCAN_IS(key, n, "hash")) more = scan_skip(&sc);
            else if ((more = scan_string(&sc, &value, &value_n)))
                snprintf(s->model_hash, sizeof s->model_hash, "%.*s", (int)value_n, value);
        }
    }
    text_free(&info);
    return st;
}

static florin_status open_decider(server *s, const florin_context *ctx, florin_error *err)
{
    uint8_t random[32];
    florin_capacity capacity[CAPACITIES_MOST];
    const config *c = &s->config;
    florin_decider_options o = FLORIN_DECIDER_INIT;
    int64_t most;
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return fail(err, FLORIN_EIO, "random numbers", "the system gives none");
    memcpy(&s->random, random, sizeof s->random);
    o.folder = c->journal;
    o.head = c->head[0] ? c->head : NULL;
    o.bootstrap = c->bootstrap[0] ? c->bootstrap : NULL;
    o.sync = !strcmp(c->sync, "always") ? FLORIN_SYNC_ALWAYS : FLORIN_SYNC_INTERVAL;
    o.sync_interval_us = (uint32_t)(c->sync_interval_ms * 1000);
    o.random = random;
    o.now_us = clock_now_us();
    o.acknowledged = decide_wake;
    o.user = s;
    o.scorer.batch_max = BATCH_MOST;
    o.scorer.entities_max = (uint32_t)c->entities_max;
    o.scorer.pairs_max = (uint32_t)c->pairs_max;
    o.scorer.pending_max = (uint32_t)c->pending_max;
    o.scorer.key = c->hash_key[0] ? c->hash_key : NULL;
    o.scorer.state = c->state[0] ? c->state : NULL;
    while (o.scorer.capacities < CAPACITIES_MOST &&
           (capacity[o.scorer.capacities].entity =
                florin_settings_pair(c->settings, "capacity", o.scorer.capacities, &most)))
        capacity[o.scorer.capacities++].most = (uint32_t)most;
    o.scorer.capacity = capacity;
    florin_status st = florin_model_open(&s->model, c->model, NULL, err);
    if (st) return st;
    st = read_hash(s, err);
    if (st) return st;
    if (c->policy[0]) {
        st = florin_policy_open(&s->policy, c->policy, s->model, o.scorer.key, err);
        if (st) return st;
        o.policy = s->policy;
    }
    st = florin_decider_open(&s->decider, s->model, &o, ctx, err);
    if (!st) s->scorer = florin_decider_scorer(s->decider);
    return st;
}

static florin_status open_names(server *s, florin_error *err)
{
    const config *c = &s->config;
    florin_status st = names_of_scorer(&s->names, s->scorer, err);
    if (st) return st;
    s->rules.names = s->names;
    s->rules.ignore_unknown = !strcmp(c->unknown_fields, "ignore");
    const schema_name *type = c->event[0]
                                  ? names_type(s->names, c->event, (uint32_t)strlen(c->event))
                                  : names_at(s->names, FLORIN_TYPE, 0);
    if (!type) return fail(err, FLORIN_ESCHEMA, "'event'", "the schema has no such event type");
    s->rules.type = type->number;
    return FLORIN_OK;
}

static florin_status open_queue(server *s, florin_error *err)
{
    uint32_t n = (uint32_t)s->config.queue;
    s->asks = calloc(n, sizeof *s->asks);
    s->decision = calloc(BATCH_MOST, sizeof *s->decision);
    if (!s->asks || !s->decision) return fail(err, FLORIN_ENOMEM, "queue", "out of memory");
    for (uint32_t i = 0; i < n; i++) {
        s->asks[i].next = s->free_asks;
        s->free_asks = &s->asks[i];
    }
    return FLORIN_OK;
}

/* A socket for each connection, and some for the journal. */
static void raise_files(const server *s)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)s->config.connections + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need) return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < need)
        server_log(s, FLORIN_LOG_WARN, "fewer open files than limits.connections", "\"files\":%llu",
                   (unsigned long long)limit.rlim_cur);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return (((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr &
                htonl(0xff000000)) == htonl(0x7f000000);
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static florin_status open_socket(server *s, int *out, florin_error *err)
{
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *a = NULL;
    int on = 1, fd = -1;
    const char *where = s->config.listen;
    *out = -1;
    snprintf(port, sizeof port, "%d", (int)s->config.port);
    if (getaddrinfo(where, port, &hints, &a))
        return fail(err, FLORIN_EINPUT, where, "'listen' needs an address, 127.0.0.1 or ::1");
    florin_status st = FLORIN_OK;
    if (s->open && !is_loopback(a->ai_addr)) {
        st = fail(err, FLORIN_EINPUT, where,
                  "without 'keys' the server listens on this machine alone (127.0.0.1)");
        goto done;
    }
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, BACKLOG)) {
        st = fail(err, FLORIN_EIO, where, strerror(errno));
        snprintf(err->message, sizeof err->message, "%s port %s: %s", where, port, strerror(errno));
    }
done:
    freeaddrinfo(a);
    if (st && fd >= 0) close(fd);
    else *out = fd;
    return st;
}

static int port_of(int fd)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n)) return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

/* --- running --- */

static void say_error(const server *s, const char *what, const char *why)
{
    text quoted = {0};
    text_json_str(&quoted, why);
    server_log(s, FLORIN_LOG_ERROR, what, "\"detail\":%.*s", (int)quoted.n,
               quoted.at ? quoted.at : "\"\"");
    text_free(&quoted);
}

/* The policy of the file, from the next payment on. */
static florin_status reload_policy(server *s, const config *fresh, florin_error *err)
{
    florin_policy *policy = NULL;
    const char *key = s->config.hash_key[0] ? s->config.hash_key : NULL;
    florin_status st = FLORIN_OK;
    if (fresh->policy[0]) st = florin_policy_open(&policy, fresh->policy, s->model, key, err);
    if (!st) st = florin_decider_set_policy(s->decider, policy, clock_now_us(), err);
    if (st) {
        florin_policy_close(policy);
        return st;
    }
    florin_policy_close(s->policy);
    s->policy = policy;
    return FLORIN_OK;
}

/* What may change while it runs. Everything new is read before anything old is let go. */
static void reload(server *s, const char *path)
{
    config fresh;
    keys more = {0};
    florin_error err = {0};
    florin_status st = config_open(&fresh, path, &err);
    if (!st && fresh.keys[0]) st = keys_open(&more, fresh.keys, (uint32_t)fresh.rate_per_s, &err);
    if (!st) st = reload_policy(s, &fresh, &err);
    if (st) {
        say_error(s, "not reloaded: what ran goes on", err.message);
        keys_close(&more);
        config_close(&fresh);
        return;
    }
    if (fresh.keys[0]) { /* once keys are asked for, they stay asked for */
        keys_close(&s->keys);
        s->keys = more;
        s->open = false;
    }
    s->config.deadline_ms = fresh.deadline_ms;
    s->config.rate_per_s = fresh.rate_per_s;
    s->config.body_bytes = fresh.body_bytes;
    s->rules.ignore_unknown = !strcmp(fresh.unknown_fields, "ignore");
    s->log_level = level_of(fresh.log);
    config_close(&fresh);
    server_log(s, FLORIN_LOG_INFO, "reloaded", "\"policy\":\"%.16s\"",
               s->policy ? florin_policy_version(s->policy) : "");
}

typedef struct {
    int poll, signals, listener;
    const char *path;
    int64_t stop_us; /* monotonic; draining ends */
    bool stop;
} loop;

static void begin_drain(server *s, loop *l)
{
    if (s->draining) {
        l->stop = true; /* asked twice */
        return;
    }
    s->draining = true;
    l->stop_us = clock_monotonic_us() + s->config.drain_s * 1000000;
    MHD_quiesce_daemon(s->daemon);
    server_log(s, FLORIN_LOG_INFO, "draining", "%s", "");
}

static void take_signals(server *s, loop *l)
{
    struct signalfd_siginfo info;
    while (read(l->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) reload(s, l->path);
        else begin_drain(s, l);
    }
}

/* Requests in flight that the server knows of: when there are none, idle connections may be closed. */
static bool is_idle(const server *s)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return !s->pending.n && !s->waiting.n && (!info || !info->num_connections);
}

/* How long nothing is to be done; 0: the daemon has work at hand. */
static int wait_ms(server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (s->released) return 0;
    int most = s->draining || s->waiting.first ? SHORT_WAIT_MS : IDLE_WAIT_MS;
    return MHD_get_timeout(s->daemon, &ms) == MHD_YES && ms < (unsigned)most ? (int)ms : most;
}

static void look(server *s, loop *l, int ms)
{
    struct epoll_event happened[4];
    uint64_t drained;
    /* What is acknowledged from here on wakes us. */
    atomic_store(&s->sleeping, true);
    if (decide_release(s)) ms = 0;
    int n = epoll_wait(l->poll, happened, 4, ms);
    atomic_store(&s->sleeping, false);
    for (int i = 0; i < n; i++) {
        if (happened[i].data.fd == l->signals) take_signals(s, l);
        else if (happened[i].data.fd == s->wake && read(s->wake, &drained, 8) < 0) continue;
    }
}

static void run_loop(server *s, loop *l)
{
    uint32_t busy = 0;
    while (!l->stop) {
        int ms = wait_ms(s);
        /* Under load the daemon looks at its sockets itself; signals can wait for some rounds. */
        if (ms || ++busy % BUSY_ROUNDS == 0) look(s, l, ms);
        decide_release(s);
        s->released = 0;
        MHD_run(s->daemon);
        decide_pending(s);
        decide_checkpoint(s);
        if (s->draining && (clock_monotonic_us() > l->stop_us || is_idle(s))) l->stop = true;
    }
}

static florin_status watch(server *s, loop *l, florin_error *err)
{
    sigset_t set;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    l->poll = epoll_create1(EPOLL_CLOEXEC);
    l->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int fds[] = {info ? info->epoll_fd : -1, l->signals, s->wake};
    for (int i = 0; i < 3; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fds[i]};
        if (epoll_ctl(l->poll, EPOLL_CTL_ADD, fds[i], &e))
            return fail(err, FLORIN_EIO, "epoll", strerror(errno));
    }
    return FLORIN_OK;
}

/* Signals come through a descriptor; no thread that is begun later takes them. */
static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void close_all(server *s, loop *l)
{
    /* The journal first: what it acknowledges while closing may still be answered. */
    if (s->daemon) {
        MHD_run(s->daemon);
        decide_pending(s);
    }
    call *c;
    while (s->decider && (c = s->waiting.first)) {
        if (florin_decider_wait(s->decider, c->sequence, NULL))
            reply_problem(c, 503, "journal", NULL, "the journal can't be written");
        http_release(s, list_pop(&s->waiting));
    }
    if (s->daemon) MHD_run(s->daemon);
    http_close(s);
    if (s->decider) decide_last_checkpoint(s);
    florin_decider_close(s->decider);
    florin_policy_close(s->policy);
    florin_model_close(s->model);
    names_close(s->names);
    keys_close(&s->keys);
    config_close(&s->config);
    free(s->asks);
    free(s->decision);
    if (s->wake > 0) close(s->wake);
    if (l->poll > 0) close(l->poll);
    if (l->signals > 0) close(l->signals);
    if (l->listener > 0) close(l->listener);
}

florin_status serve_run(const char *path, const florin_context *ctx, florin_error *err)
{
    server *s = calloc(1, sizeof *s);
    loop l = {.path = path};
    if (!s) return fail(err, FLORIN_ENOMEM, "server", "out of memory");
    florin_status st = config_open(&s->config, path, err);
    if (!st) {
        s->log_level = level_of(s->config.log);
        s->started_us = clock_now_us();
        s->open = !s->config.keys[0];
        s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        block_signals();
        if (s->wake < 0) st = fail(err, FLORIN_EIO, "eventfd", strerror(errno));
    }
    if (!st && !s->open)
        st = keys_open(&s->keys, s->config.keys, (uint32_t)s->config.rate_per_s, err);
    if (!st) st = open_socket(s, &l.listener, err);
    if (!st) st = open_decider(s, ctx, err);
    if (!st) st = open_names(s, err);
    if (!st) st = open_queue(s, err);
    if (!st) raise_files(s);
    if (!st) st = http_open(s, l.listener, err);
    if (!st) st = watch(s, &l, err);
    if (!st) {
        server_log(s, FLORIN_LOG_INFO, "listening", "\"port\":%d,\"tls\":%s,\"keys\":%u",
                   port_of(l.listener), s->config.certificate[0] ? "true" : "false", s->keys.n);
        run_loop(s, &l);
        server_log(s, FLORIN_LOG_INFO, "stopped", "\"decisions\":%llu",
                   (unsigned long long)s->metrics.batched);
    }
    close_all(s, &l);
    free(s);
    return st;
}
