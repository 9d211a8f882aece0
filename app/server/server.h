/* What the files of the server share: a request on its way (call), a payment in it (ask), and the server itself.
 * One thread owns all of it: it reads requests, decides what has gathered, and hands answers over once the journal has
 * acknowledged them. The decider's own thread only wakes it. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "config.h"
#include "florin.h"
#include "keys.h"
#include "metrics.h"
#include "names.h"
#include "payment.h"
#include "text.h"

#include <stdatomic.h>

struct MHD_Connection;
struct MHD_Daemon;
typedef struct server server;
typedef struct call call;
typedef struct infer infer;

enum { BATCH_MOST = 64, KEY_MOST = 255, ID_MOST = 64, PARAMETER_MOST = 300 };

typedef struct route {
    const char *name, *method, *path; /* "*" takes a piece, "**" at the end the rest */
    unsigned roles;                   /* any of them; 0: open to everyone */
    bool body;                        /* takes one */
    void (*run)(server *s, call *c);  /* fills the answer, or queues the call */
} route;
extern const route routes[];
extern const uint32_t routes_n;

/* A payment that waits to be decided. */
typedef struct ask {
    struct ask *next;
    call *of;
    payment payment;
    florin_request request;
    int64_t due_us;          /* monotonic; 0: no deadline */
    char key[KEY_MOST + 16]; /* of an item of a batch: the request's key and its number */
} ask;

/* A label or result that waits. */
typedef struct {
    florin_news news;
    florin_value value[PAYMENT_VALUES];
    bool list; /* an entry of the list that the path names instead, until until_us */
    const char *entry;
    uint32_t entry_n;
    int64_t until_us;
} news_ask;

struct call {
    call *next;
    struct MHD_Connection *connection;
    const route *route;
    api_key *key;
    char *body; /* [body_n], room for one byte more */
    size_t body_n, body_room;
    text out;
    unsigned status; /* 0: not answered yet */
    const char *type, *allow;
    unsigned retry_s;
    ask *asks, *last_ask; /* in order */
    uint32_t asks_n, asks_left;
    news_ask *news;
    infer *infer;                 /* a request of /v2 */
    uint64_t sequence;            /* the answer may leave once this is acknowledged */
    int64_t began_us, decided_us; /* monotonic */
    bool batch, dispatched, released, suspended, too_large;
    uint32_t id_n, idempotency_n, parameter_n;
    char id[ID_MOST + 1]; /* Request-Id */
    char idempotency[KEY_MOST + 1];
    char parameter[PARAMETER_MOST]; /* the piece of the path that "*" took */
};

typedef struct {
    call *first, *last;
    uint32_t n;
} call_list;

struct server {
    config config;
    florin_model *model;
    florin_policy *policy; /* NULL: none */
    florin_decider *decider;
    florin_scorer *scorer; /* the decider's */
    names *names;
    payment_rules rules;
    keys keys;
    bool open; /* no keys: everyone is an admin */
    metrics metrics;
    struct MHD_Daemon *daemon;
    char model_hash[17];
    call *free_calls;
    ask *free_asks;
    ask *asks;         /* [queue] */
    uint32_t queued;   /* asks in use */
    uint32_t released; /* answers that wait for the daemon's next run */
    call_list pending, waiting;
    florin_request request[BATCH_MOST];
    florin_decision *decision; /* [BATCH_MOST] */
    ask *batch[BATCH_MOST];
    florin_status item[BATCH_MOST];
    uint64_t random;
    uint64_t id_count;
    int64_t started_us,
        checkpoint_us; /* checkpoint_us: when the next is due, or looked after; monotonic */
    int checkpointing;
    int64_t looked_us; /* when the journal was last asked whether it fails */
    florin_level log_level;
    bool draining, ready;
    int wake;             /* eventfd */
    atomic_bool sleeping; /* the loop waits: news must wake it */
};

/* clock.c */
int64_t clock_now_us(void); /* wall clock */
int64_t clock_monotonic_us(void);

/* log.c: one JSON line on standard error, without identifiers */
void server_log(const server *s, florin_level level, const char *message, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* http.c: connections, calls, answers */
florin_status http_open(server *s, int socket, florin_error *err);
void http_close(server *s);
/* The answer may leave. */
void http_release(server *s, call *c);
void call_release_asks(server *s, call *c);
static inline void list_push(call_list *l, call *c)
{
    c->next = NULL;
    if (l->last) l->last->next = c;
    else l->first = c;
    l->last = c;
    l->n++;
}
static inline call *list_pop(call_list *l)
{
    call *c = l->first;
    if (!c) return NULL;
    l->first = c->next;
    if (!l->first) l->last = NULL;
    l->n--;
    return c;
}

/* reply.c */
/* The answer becomes a problem (RFC 9457). code: the last word of its type; pointer may be NULL. */
void reply_problem(call *c, unsigned status, const char *code, const char *pointer,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
void reply_problem_into(text *t, const call *c, unsigned status, const char *code,
                        const char *pointer, const char *detail);
void reply_decision(const server *s, text *t, const florin_decision *d, const char *event,
                    uint32_t event_n, int64_t waited_us, int64_t decided_us);

/* decide.c */
void evaluations_post(server *s, call *c);
void events_post(server *s, call *c);
void lists_post(server *s, call *c);
/* A place of the queue for a payment of the call; NULL: it is full. */
ask *decide_take_ask(server *s, call *c);
/* What was read, as the decider takes it; i: its number in a batch. */
void decide_fill_request(server *s, call *c, ask *a, int64_t now_us, uint32_t i);
void decide_queue(server *s, call *c);
/* Decide and learn what has gathered. */
void decide_pending(server *s);
/* Begins a checkpoint when it is time, and takes it up when it is done; cheap otherwise. The last one: decisions wait. */
void decide_checkpoint(server *s), decide_last_checkpoint(server *s);
/* Hand over what has been acknowledged; how many answers that was. */
uint32_t decide_release(server *s);
void decide_wake(void *user, uint64_t sequence);

#endif
