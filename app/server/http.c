/* Connections, by libmicrohttpd: bodies are gathered, requests are routed, answers leave. A call whose answer has to
 * wait is suspended and resumed; all of this happens in the thread that runs the daemon. */
#include "server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BODY_FIRST = 4096 };

/* --- calls --- */

static call *take_call(server *s)
{
    call *c = s->free_calls;
    if (c) {
        char *body = c->body;
        size_t room = c->body_room;
        text out = c->out;
        s->free_calls = c->next;
        memset(c, 0, offsetof(call, id));
        c->body = body;
        c->body_room = room;
        c->out = out;
        c->out.n = 0;
        return c;
    }
    c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->body = malloc(BODY_FIRST);
    if (!c->body) {
        free(c);
        return NULL;
    }
    c->body_room = BODY_FIRST;
    return c;
}

static void free_call(server *s, call *c)
{
    enum { KEEP_MOST = 1 << 16 };
    call_release_asks(s, c);
    free(c->news);
    free(c->infer);
    c->news = NULL;
    c->infer = NULL;
    if (c->body_room > KEEP_MOST || c->out.room > KEEP_MOST || c->out.failed) {
        free(c->body);
        text_free(&c->out);
        free(c);
        return;
    }
    c->next = s->free_calls;
    s->free_calls = c;
}

/* Also one byte more, for the scanner's zero. */
static bool take_body(server *s, call *c, const char *bytes, size_t n)
{
    if (n > (size_t)s->config.body_bytes - c->body_n) {
        c->too_large = true;
        return true;
    }
    if (c->body_n + n + 1 > c->body_room) {
        size_t room = c->body_room;
        while (room < c->body_n + n + 1) room *= 2;
        char *more = realloc(c->body, room);
        if (!more) return false;
        c->body = more;
        c->body_room = room;
    }
    memcpy(c->body + c->body_n, bytes, n);
    c->body_n += n;
    return true;
}

/* --- routing --- */

/* Does the path fit? What the star took is copied: one piece of the path; where the pattern ends in two stars, all that is
 * left of it, slashes too. */
static bool path_fits(const char *pattern, const char *url, call *c)
{
    const char *star = strchr(pattern, '*');
    if (!star) return !strcmp(pattern, url);
    bool rest = star[1] == '*';
    const char *tail = star + 1 + rest;
    size_t before = (size_t)(star - pattern), after = strlen(tail), n = strlen(url);
    if (n <= before + after || strncmp(pattern, url, before)) return false;
    if (strcmp(url + n - after, tail)) return false;
    size_t took = n - before - after;
    if ((!rest && memchr(url + before, '/', took)) || took >= sizeof c->parameter) return false;
    memcpy(c->parameter, url + before, took);
    c->parameter[took] = 0;
    c->parameter_n = (uint32_t)took;
    return true;
}

static bool same_method(const char *want, const char *have)
{
    return !strcmp(want, have) || (!strcmp(want, "GET") && !strcmp(have, "HEAD"));
}

static void find_route(call *c, const char *url, const char *method)
{
    for (uint32_t i = 0; i < routes_n; i++) {
        if (!path_fits(routes[i].path, url, c)) continue;
        if (same_method(routes[i].method, method)) {
            c->route = &routes[i];
            return;
        }
        /* The only path that answers two methods. */
        c->allow = c->allow ? "GET, POST" : routes[i].method;
    }
    if (c->allow) reply_problem(c, 405, "method", NULL, "this path answers %s", c->allow);
    else reply_problem(c, 404, "path", NULL, "there is nothing under this path: GET /openapi.json");
}

static const char *header(call *c, const char *name, size_t name_n, size_t *n)
{
    const char *value = NULL;
    if (MHD_lookup_connection_value_n(c->connection, MHD_HEADER_KIND, name, name_n, &value, n) !=
        MHD_YES)
        return NULL;
    return value;
}

/* The caller's own Request-Id where it is harmless, else one of ours. */
static void name_call(server *s, call *c)
{
    size_t n;
    const char *given = header(c, "X-Request-Id", 12, &n);
    bool fine = given && n >= 1 && n <= ID_MOST;
    for (size_t i = 0; fine && i < n; i++) {
        char x = given[i];
        fine = (x >= '0' && x <= '9') || (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') ||
               x == '-' || x == '_' || x == '.' || x == ':';
    }
    if (fine) {
        memcpy(c->id, given, n);
        c->id_n = (uint32_t)n;
    } else {
        static const char digits[] = "0123456789abcdef";
        uint64_t v = (s->random + ++s->id_count) * 0x9E3779B97F4A7C15u;
        v = (v ^ v >> 32) * 0xD6E8FEB86659FD93u;
        for (int i = 0; i < 16; i++) c->id[i] = digits[v >> (60 - 4 * i) & 15];
        c->id_n = 16;
    }
    c->id[c->id_n] = 0;
}

static void check_key(server *s, call *c)
{
    size_t n;
    unsigned wait_s = 1;
    if (s->open || !c->route->roles) return;
    const char *secret = header(c, "Authorization", 13, &n);
    if (secret && n > 7 && !strncasecmp(secret, "Bearer ", 7)) {
        secret += 7;
        n -= 7;
    } else {
        secret = header(c, "X-Api-Key", 9, &n);
    }
    c->key = secret ? keys_find(&s->keys, secret, n) : NULL;
    if (!c->key) {
        reply_problem(c, 401, "key", NULL, "%s",
                      secret ? "this key is not known"
                             : "a key is needed: Authorization: Bearer KEY");
    } else if (!(c->key->roles & c->route->roles)) {
        reply_problem(c, 403, "role", NULL, "this key's roles do not allow it");
    } else if (!keys_take(c->key, c->began_us, &wait_s)) {
        s->metrics.rate_limited++;
        c->retry_s = wait_s;
        reply_problem(c, 429, "rate", NULL, "this key's rate is %u requests a second",
                      c->key->rate_per_s);
    }
}

static bool is_json(const char *type, size_t n)
{
    static const char json[] = "application/json";
    size_t k = sizeof json - 1;
    if (n < k || strncasecmp(type, json, k)) return false;
    return n == k || type[k] == ';' || type[k] == ' ';
}

static void check_headers(server *s, call *c)
{
    size_t n;
    const char *value = header(c, "Content-Length", 14, &n);
    if (value && strtoull(value, NULL, 10) > (unsigned long long)s->config.body_bytes) {
        reply_problem(c, 413, "body", NULL, "a body may have %lld bytes",
                      (long long)s->config.body_bytes);
        return;
    }
    if (!c->route->body) return;
    value = header(c, "Content-Type", 12, &n);
    if (value && !is_json(value, n)) {
        reply_problem(c, 415, "type", NULL, "Content-Type: application/json is expected");
        return;
    }
    value = header(c, "Idempotency-Key", 15, &n);
    if (!value) return;
    if (n < 1 || n > KEY_MOST) {
        reply_problem(c, 400, "idempotency-key", NULL, "an Idempotency-Key has 1 to %d bytes",
                      KEY_MOST);
        return;
    }
    memcpy(c->idempotency, value, n);
    c->idempotency[n] = 0;
    c->idempotency_n = (uint32_t)n;
}

static void begin(server *s, call *c, const char *url, const char *method)
{
    c->began_us = clock_monotonic_us();
    name_call(s, c);
    find_route(c, url, method);
    if (!c->status) check_key(s, c);
    if (!c->status) check_headers(s, c);
}

/* --- answers --- */

static void count(server *s, call *c)
{
    uint32_t index = c->route ? (uint32_t)(c->route - routes) : routes_n;
    unsigned hundreds = c->status / 100;
    if (index < METRIC_ROUTES && hundreds < 6) s->metrics.requests[index][hundreds]++;
    int64_t took = clock_monotonic_us() - c->began_us;
    if (c->route && c->route->run == evaluations_post) histogram_add(&s->metrics.whole, took);
    if (s->log_level == FLORIN_LOG_DEBUG || c->status >= 500)
        server_log(s, c->status >= 500 && c->status != 503 ? FLORIN_LOG_ERROR : FLORIN_LOG_DEBUG,
                   "request", "\"request_id\":\"%s\",\"route\":\"%s\",\"status\":%u,\"us\":%lld",
                   c->id, c->route ? c->route->name : "none", c->status, (long long)took);
}

static enum MHD_Result answer(server *s, call *c)
{
    char number[16];
    if (c->out.failed || !c->status) {
        text_free(&c->out);
        reply_problem(c, 500, "internal", NULL, "%s",
                      c->status ? "out of memory" : "no answer was made");
    }
    count(s, c);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(c->out.n, c->out.at, MHD_RESPMEM_PERSISTENT);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "X-Request-Id", c->id);
    if (c->type) MHD_add_response_header(r, "Content-Type", c->type);
    if (c->status == 405) MHD_add_response_header(r, "Allow", c->allow);
    if (c->status == 401) MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    if (c->retry_s) {
        snprintf(number, sizeof number, "%u", c->retry_s);
        MHD_add_response_header(r, "Retry-After", number);
    }
    if (s->draining) MHD_add_response_header(r, "Connection", "close");
    enum MHD_Result done = MHD_queue_response(c->connection, c->status, r);
    MHD_destroy_response(r);
    return done;
}

/* A whole request is there: answer it, or leave it to the queue. Nothing is decided inside run: decide_pending follows
 * when the daemon has run, so that most answers are there when it runs next, and asks again for each connection that it
 * got no answer for. That spares three system calls a request that suspending would cost. */
static enum MHD_Result dispatch(server *s, call *c)
{
    if (c->too_large)
        reply_problem(c, 413, "body", NULL, "a body may have %lld bytes",
                      (long long)s->config.body_bytes);
    else c->route->run(s, c);
    c->dispatched = true;
    if (!c->status) return MHD_YES;
    c->released = true;
    return answer(s, c);
}

/* It was asked for again and waits for the journal still: out of the daemon's way until then. */
static enum MHD_Result suspend(call *c)
{
    MHD_suspend_connection(c->connection);
    c->suspended = true;
    return MHD_YES;
}

void http_release(server *s, call *c)
{
    c->released = true;
    s->released++;
    if (!c->suspended) return;
    c->suspended = false;
    MHD_resume_connection(c->connection);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **state)
{
    server *s = user;
    call *c = *state;
    (void)version;
    if (!c) {
        c = take_call(s);
        if (!c) return MHD_NO; /* no memory: the connection closes */
        *state = c;
        c->connection = connection;
        begin(s, c, url, method);
        return c->status ? answer(s, c) : MHD_YES;
    }
    if (*n) {
        bool kept = c->too_large || take_body(s, c, bytes, *n);
        *n = 0;
        return kept ? MHD_YES : MHD_NO;
    }
    if (!c->dispatched) return dispatch(s, c);
    return c->released ? answer(s, c) : suspend(c);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)connection;
    (void)why;
    if (*state) free_call(user, *state);
    *state = NULL;
}

/* What libmicrohttpd has to say may quote a request: only that it said something is logged. */
static void on_log(void *user, const char *format, va_list list)
{
    (void)list;
    char words[200];
    size_t n = 0;
    for (; format[n] && format[n] != '%' && format[n] != '\n' && n + 1 < sizeof words; n++)
        words[n] = format[n] == '"' || format[n] == '\\' ? '\'' : format[n];
    words[n] = 0;
    server_log(user, FLORIN_LOG_DEBUG, "http", "\"detail\":\"%s\"", words);
}

static char *read_pem(const char *path, florin_error *err)
{
    enum { PEM_MOST = 1 << 20 };
    char *pem = calloc(1, PEM_MOST + 1);
    FILE *f = fopen(path, "re");
    size_t n = f && pem ? fread(pem, 1, PEM_MOST, f) : 0;
    if (f) fclose(f);
    if (n) return pem;
    err->status = FLORIN_EIO;
    snprintf(err->message, sizeof err->message, "%s: can't be read, or empty", path);
    free(pem);
    return NULL;
}

florin_status http_open(server *s, int socket, florin_error *err)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_TURBO;
    struct MHD_OptionItem tls[3] = {{MHD_OPTION_END, 0, NULL}};
    char *certificate = NULL, *key = NULL;
    err->status = FLORIN_OK;
    if (s->config.certificate[0]) {
        certificate = read_pem(s->config.certificate, err);
        if (certificate) key = read_pem(s->config.certificate_key, err);
        if (!key) goto done;
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, certificate};
        tls[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->config.connections, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)s->config.idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)s->config.header_bytes, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
    if (!s->daemon) {
        err->status = FLORIN_EIO;
        snprintf(err->message, sizeof err->message, "the server can't start%s",
                 certificate ? ": certificate and key do not fit, or are no PEM files" : "");
    }
done:
    free(certificate); /* the daemon has its own copies of what it made of them */
    free(key);
    return err->status;
}

void http_close(server *s)
{
    if (s->daemon) MHD_stop_daemon(s->daemon);
    s->daemon = NULL;
    while (s->free_calls) {
        call *c = s->free_calls;
        s->free_calls = c->next;
        free(c->body);
        text_free(&c->out);
        free(c);
    }
}
