/* Connections of the load: a request is due at its moment, whatever became of those before it; its latency counts from
 * there, so that a server that stalls is not asked less and does not look better for it. */
#include "load.h"

#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_ROOM = 1 << 16, EVENTS = 256, LATEST_S = 10 };

typedef struct {
    int fd;
    double due_us;
    text request;
    size_t written, have, let_go;
    char *answer; /* [have - let_go] */
    size_t whole; /* bytes of the answer, 0: not known yet */
    bool busy;
} link_state;

typedef struct {
    const load_options *o;
    const struct addrinfo *where;
    char head[1024]; /* of a request, without its length */
    link_state *all;
    uint32_t n, *free_list, free_n;
    int poll;
    uint32_t busy;
    double begin_us, count_from_us;
    load_result *out;
    load_source *source;
    uint64_t random;
    bool over; /* the source is at its end, or the server takes no connection any more */
} wire;

static florin_status fail(florin_error *err, florin_status st, const char *what, const char *why)
{
    err->status = st;
    snprintf(err->message, sizeof err->message, "%s: %s", what, why);
    return st;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* --- times: 64 steps for each power of two, below 1.6 % apart --- */

void load_times_add(load_times *t, double us)
{
    uint64_t v = us < 1 ? 1 : us > 1e15 ? (uint64_t)1e15 : (uint64_t)us;
    unsigned at = (unsigned)v;
    if (v >= 64) {
        unsigned shift = 63 - (unsigned)__builtin_clzll(v) - 6;
        at = 64 * (shift + 1) + (unsigned)(v >> shift) - 64;
    }
    t->count[at < 4095 ? at : 4095]++;
    t->n++;
    t->sum_us += us;
    if (us > t->most_us) t->most_us = us;
}

double load_times_at(const load_times *t, double share)
{
    uint64_t so_far = 0, want = (uint64_t)ceil((double)t->n * share);
    for (unsigned i = 0; i < 4096; i++) {
        so_far += t->count[i];
        if (so_far < want || !so_far) continue;
        if (i < 64) return i;
        unsigned shift = i / 64 - 1;
        double upper = (double)((uint64_t)(i % 64 + 65) << shift);
        return upper < t->most_us ? upper : t->most_us;
    }
    return t->most_us;
}

/* --- one connection --- */

static bool link_open(wire *w, link_state *l)
{
    int on = 1;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                            .data.u32 = (uint32_t)(l - w->all)};
    l->fd = socket(w->where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd < 0) return false;
    if (connect(l->fd, w->where->ai_addr, w->where->ai_addrlen)) {
        close(l->fd);
        l->fd = -1;
        return false;
    }
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return epoll_ctl(w->poll, EPOLL_CTL_ADD, l->fd, &e) == 0;
}

static void link_free(wire *w, link_state *l)
{
    l->busy = false;
    w->busy--;
    w->free_list[w->free_n++] = (uint32_t)(l - w->all);
}

static void link_broken(wire *w, link_state *l)
{
    w->out->broken++;
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    if (!link_open(w, l)) w->over = true;
    if (l->busy) link_free(w, l);
}

static void link_write(wire *w, link_state *l)
{
    while (l->busy && l->written < l->request.n) {
        ssize_t n = send(l->fd, l->request.at + l->written, l->request.n - l->written,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) l->written += (size_t)n;
        else if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        else {
            link_broken(w, l);
            return;
        }
    }
}

/* Length of the answer once its head is there, which then ends in a zero byte; 0: not yet. */
static size_t answer_length(link_state *l)
{
    l->answer[l->have] = 0;
    char *end = strstr(l->answer, "\r\n\r\n");
    if (!end) return 0;
    *end = 0;
    char *length = strcasestr(l->answer, "\r\ncontent-length:");
    size_t n = length ? strtoul(length + 17, NULL, 10) : 0;
    return (size_t)(end - l->answer) + 4 + n;
}

static void link_done(wire *w, link_state *l)
{
    double end = now_us();
    int status = l->have > 9 ? l->answer[9] - '0' : 0;
    bool closes = strcasestr(l->answer, "\r\nconnection: close") != NULL;
    w->out->answered++;
    if (status >= 0 && status < 6) w->out->status[status]++;
    if (end >= w->count_from_us) {
        w->out->measured++;
        if (status == 2) {
            w->out->measured_ok++;
            load_times_add(&w->out->times, end - l->due_us);
        }
    }
    link_free(w, l);
    if (closes) {
        close(l->fd);
        l->fd = -1;
        if (!link_open(w, l)) w->over = true;
    }
}

static void link_read(wire *w, link_state *l)
{
    while (l->busy) {
        /* Only the head is looked at: what follows it is counted, and the room for it used again. */
        if (l->have - l->let_go >= ANSWER_ROOM) l->let_go += ANSWER_ROOM / 2;
        size_t at = l->have - l->let_go;
        ssize_t n = recv(l->fd, l->answer + at, ANSWER_ROOM - at, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            link_broken(w, l);
            return;
        }
        l->have += (size_t)n;
        if (!l->whole) l->whole = answer_length(l);
        if (l->whole && l->have >= l->whole) link_done(w, l);
    }
    char rest;
    if (l->fd >= 0 &&
        recv(l->fd, &rest, 1, MSG_DONTWAIT | MSG_PEEK) == 0) { /* it was closed idle */
        close(l->fd);
        l->fd = -1;
        if (!link_open(w, l)) w->over = true;
    }
}

static bool send_next(wire *w, double due_us)
{
    link_state *l = &w->all[w->free_list[w->free_n - 1]];
    static const char body_mark[] = "\r\n\r\n";
    char length[32];
    size_t head = strlen(w->head), room = 64;
    l->request.n = 0;
    if (!text_room(&l->request, head + room)) return false;
    l->request.n = head + room; /* the body first, its length then before it */
    if (!load_source_next(w->source, &l->request) || l->request.failed) {
        w->over = true;
        return false;
    }
    size_t body = l->request.n - head - room;
    int n = snprintf(length, sizeof length, "%zu%s", body, body_mark);
    size_t from = room - (size_t)n;
    memcpy(l->request.at + from, w->head, head);
    memcpy(l->request.at + from + head, length, (size_t)n);
    l->written = from;
    l->have = l->whole = l->let_go = 0;
    l->due_us = due_us;
    l->busy = true;
    w->free_n--;
    w->busy++;
    w->out->sent++;
    if (l->fd < 0 && !link_open(w, l)) {
        link_broken(w, l);
        return true;
    }
    link_write(w, l);
    return true;
}

/* --- all of them --- */

static double next_gap(wire *w)
{
    if (w->o->even) return 1e6 / w->o->rate;
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    double u = ((double)(w->random >> 11) + 1) * 0x1p-53;
    return -log(u) * 1e6 / w->o->rate;
}

static void take_events(wire *w, int wait_ms)
{
    struct epoll_event happened[EVENTS];
    int n = epoll_wait(w->poll, happened, EVENTS, wait_ms);
    for (int i = 0; i < n; i++) {
        link_state *l = &w->all[happened[i].data.u32];
        if (l->fd < 0) continue;
        if (happened[i].events & EPOLLOUT) link_write(w, l);
        if (happened[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) link_read(w, l);
    }
}

static void run(wire *w, const florin_context *ctx)
{
    const load_options *o = w->o;
    double end_us = w->begin_us + (o->warmup_s + o->seconds) * 1e6, due = w->begin_us;
    w->count_from_us = w->begin_us + o->warmup_s * 1e6;
    double now = now_us();
    uint64_t most = o->requests ? (uint64_t)o->requests : UINT64_MAX, last_sent = UINT64_MAX;
    while (now < end_us && !w->over && w->out->sent < most) {
        if (ctx->cancelled && ctx->cancelled(ctx->user)) break;
        while (w->free_n && !w->over && w->out->sent < most && (o->rate <= 0 || due <= now)) {
            if (!send_next(w, o->rate > 0 ? due : now)) break;
            if (o->rate > 0) due += next_gap(w);
        }
        if (o->rate > 0 && due <= now && !w->free_n && last_sent != w->out->sent) {
            w->out->behind++;
            last_sent = w->out->sent;
        }
        /* A millisecond is the least that can be waited for: what is due sooner is waited for awake. */
        double wait = o->rate > 0 ? due - now_us() : 1e4;
        take_events(w, !w->free_n ? 1 : wait > 1500 ? (int)(wait / 1e3) - 1 : o->rate > 0 ? 0 : 1);
        now = now_us();
    }
    w->out->seconds = (now_us() - w->count_from_us) * 1e-6;
    double latest = now_us() + LATEST_S * 1e6;
    while (w->busy && now_us() < latest) take_events(w, 10);
}

static florin_status look_up(const char *host, const char *port, struct addrinfo **out,
                             florin_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int e = getaddrinfo(host, port, &hints, out);
    return e ? fail(err, FLORIN_EIO, host, gai_strerror(e)) : FLORIN_OK;
}

static void raise_files(uint32_t connections)
{
    struct rlimit limit;
    rlim_t need = connections + 64;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need) return;
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* a connection that fails says so */
}

florin_status load_wire_run(const load_options *o, const char *host, const char *port,
                            load_source *source, const florin_context *ctx, load_result *out,
                            florin_error *err)
{
    struct addrinfo *where = NULL;
    wire w = {.o = o, .out = out, .source = source, .n = (uint32_t)o->connections};
    florin_status st = look_up(host, port, &where, err);
    if (st) return st;
    w.where = where;
    w.random = (uint64_t)o->seed ^ 0x5DEECE66Du;
    int n = snprintf(w.head, sizeof w.head,
                     "POST /v1/evaluations HTTP/1.1\r\nHost: %.200s\r\nContent-Type: "
                     "application/json\r\n%s%.300s%sContent-Length: ",
                     host, o->key ? "Authorization: Bearer " : "", o->key ? o->key : "",
                     o->key ? "\r\n" : "");
    raise_files(w.n);
    w.poll = epoll_create1(EPOLL_CLOEXEC);
    w.all = calloc(w.n, sizeof *w.all);
    w.free_list = calloc(w.n, sizeof *w.free_list);
    if (n < 0 || w.poll < 0 || !w.all || !w.free_list)
        st = fail(err, FLORIN_ENOMEM, "load", "out of memory");
    for (uint32_t i = 0; i < w.n && !st; i++) {
        w.all[i].fd = -1;
        w.all[i].answer = malloc(ANSWER_ROOM + 1);
        if (!w.all[i].answer) st = fail(err, FLORIN_ENOMEM, "load", "out of memory");
        else if (!link_open(&w, &w.all[i])) st = fail(err, FLORIN_EIO, o->url, strerror(errno));
        else w.free_list[w.free_n++] = i;
    }
    w.begin_us = now_us();
    if (!st) run(&w, ctx);
    for (uint32_t i = 0; w.all && i < w.n; i++) {
        if (w.all[i].answer && w.all[i].fd >= 0) close(w.all[i].fd);
        free(w.all[i].answer);
        text_free(&w.all[i].request);
    }
    if (w.poll >= 0) close(w.poll);
    free(w.all);
    free(w.free_list);
    freeaddrinfo(where);
    return st;
}

florin_status load_wire_get(const char *host, const char *port, const char *path, const char *key,
                            text *body, florin_error *err)
{
    struct addrinfo *where = NULL;
    text request = {0};
    florin_status st = look_up(host, port, &where, err);
    if (st) return st;
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    text_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", path, host);
    if (key) text_printf(&request, "Authorization: Bearer %s\r\n", key);
    text_put(&request, "\r\n");
    if (fd < 0 || connect(fd, where->ai_addr, where->ai_addrlen) ||
        send(fd, request.at, request.n, MSG_NOSIGNAL) != (ssize_t)request.n)
        st = fail(err, FLORIN_EIO, host, strerror(errno));
    ssize_t n = 1;
    while (!st && n > 0 && text_room(body, 4096)) {
        n = recv(fd, body->at + body->n, 4096, 0);
        if (n > 0) body->n += (size_t)n;
    }
    text_char(body, 0);
    char *end = !st && !body->failed ? strstr(body->at, "\r\n\r\n") : NULL;
    if (!st && (!end || strncmp(body->at + 8, " 200", 4)))
        st = fail(err, FLORIN_EIO, path, "the server did not answer with 200");
    if (!st) {
        body->n -= (size_t)(end + 4 - body->at) + 1;
        memmove(body->at, end + 4, body->n);
    }
    if (fd >= 0) close(fd);
    text_free(&request);
    freeaddrinfo(where);
    return st;
}
