/* From a request's body to decisions: read, queue, decide in micro-batches, wait for the journal, hand over. */
#include "infer.h"

#include <stdio.h>
#include <unistd.h>

/* --- reading --- */

ask *decide_take_ask(server *s, call *c)
{
    ask *a = s->free_asks;
    if (!a) return NULL;
    s->free_asks = a->next;
    s->queued++;
    a->next = NULL;
    a->of = c;
    if (c->asks) c->last_ask->next = a;
    else c->asks = a;
    c->last_ask = a;
    c->asks_n++;
    return a;
}

void call_release_asks(server *s, call *c)
{
    while (c->asks) {
        ask *a = c->asks;
        c->asks = a->next;
        a->next = s->free_asks;
        s->free_asks = a;
        s->queued--;
    }
    c->asks_n = c->asks_left = 0;
}

static void refuse_full(server *s, call *c)
{
    s->metrics.refused_full++;
    c->retry_s = 1;
    reply_problem(c, 503, "queue-full", NULL, "more payments wait than the queue holds: try again");
}

static void scan_problem(call *c, const scan *s)
{
    char pointer[SCAN_POINTER];
    reply_problem(c, s->content ? 422 : 400, s->content ? "field" : "json",
                  scan_pointer(s, pointer, sizeof pointer), "%s", s->fault);
}

/* A request for the decider out of what was read. */
void decide_fill_request(server *s, call *c, ask *a, int64_t now_us, uint32_t i)
{
    payment *p = &a->payment;
    florin_request *r = &a->request;
    if (!p->has_time) p->event.time_us = now_us;
    s->metrics.ignored_members += p->ignored;
    memset(r, 0, sizeof *r);
    r->event = p->event;
    r->metadata = p->metadata;
    r->metadata_n = p->metadata_n;
    r->flags =
        (p->dry_run ? FLORIN_REQUEST_DRY_RUN : 0) | (p->has_time ? 0 : FLORIN_REQUEST_OWN_TIME);
    if (c->idempotency_n) {
        r->key = c->idempotency;
        r->key_n = c->idempotency_n;
        if (c->batch) {
            r->key = a->key;
            r->key_n = (uint32_t)snprintf(a->key, sizeof a->key, "%s/%u", c->idempotency, i);
        }
    }
    int64_t deadline_ms = p->deadline_ms ? p->deadline_ms : s->config.deadline_ms;
    a->due_us = deadline_ms ? c->began_us + deadline_ms * 1000 : 0;
}

/* The array of {"evaluations": [..]}. What is written wrong fails all of it, before anything is decided. */
static bool read_batch(server *s, call *c, scan *sc, int64_t now_us)
{
    uint32_t most = (uint32_t)s->config.batch;
    if (!scan_enter(sc, SCAN_ARRAY)) return false;
    c->batch = true;
    while (scan_item(sc)) {
        if (c->asks_n == most) return scan_fail(sc, "more payments than one request may have");
        ask *a = decide_take_ask(s, c);
        if (!a) {
            refuse_full(s, c);
            return false;
        }
        if (!payment_read(&s->rules, sc, &a->payment)) return false;
        decide_fill_request(s, c, a, now_us, c->asks_n - 1);
    }
    if (sc->fault) return false;
    return c->asks_n ? true : scan_fail(sc, "at least one payment is expected");
}

static bool is_batch(const char *body, size_t n)
{
    static const char word[] = "\"evaluations\"";
    size_t i = 0;
    while (i < n && (body[i] == ' ' || body[i] == '\n' || body[i] == '\t' || body[i] == '\r')) i++;
    if (i == n || body[i++] != '{') return false;
    while (i < n && (body[i] == ' ' || body[i] == '\n' || body[i] == '\t' || body[i] == '\r')) i++;
    return n - i >= sizeof word - 1 && !memcmp(body + i, word, sizeof word - 1);
}

static bool read_evaluations(server *s, call *c, scan *sc)
{
    int64_t now_us = clock_now_us();
    const char *key;
    uint32_t n;
    if (is_batch(c->body, c->body_n)) {
        if (!scan_enter(sc, SCAN_OBJECT) || !scan_key(sc, &key, &n)) return false;
        if (!read_batch(s, c, sc, now_us)) return false;
        if (scan_key(sc, &key, &n))
            return scan_fail(sc, "nothing may stand beside \"evaluations\"");
    } else {
        ask *a = decide_take_ask(s, c);
        if (!a) {
            refuse_full(s, c);
            return false;
        }
        if (!payment_read(&s->rules, sc, &a->payment)) return false;
        decide_fill_request(s, c, a, now_us, 0);
    }
    scan_end(sc);
    return !sc->fault;
}

void evaluations_post(server *s, call *c)
{
    scan sc;
    if (s->queued >= (uint32_t)s->config.queue) {
        refuse_full(s, c);
        return;
    }
    scan_begin(&sc, c->body, c->body_n);
    bool ok = read_evaluations(s, c, &sc);
    if (ok) {
        decide_queue(s, c);
        return;
    }
    call_release_asks(s, c);
    if (!c->status) scan_problem(c, &sc);
}

void decide_queue(server *s, call *c)
{
    c->asks_left = c->asks_n;
    list_push(&s->pending, c);
}

/* --- deciding --- */

static void finish(server *s, call *c)
{
    if (c->batch) text_put(&c->out, "]}");
    if (c->infer) infer_finish(s, c);
    if (!c->status) {
        c->status = 200;
        c->type = "application/json";
    }
    call_release_asks(s, c);
    if (c->sequence <= florin_decider_acknowledged(s->decider)) http_release(s, c);
    else list_push(&s->waiting, c);
}

static unsigned status_of(florin_status st, const char **code)
{
    switch (st) {
    case FLORIN_EINPUT:
    case FLORIN_ESCHEMA: *code = "payment"; return 422;
    case FLORIN_ENOMEM: *code = "full"; return 503;
    case FLORIN_EIO: *code = "journal"; return 503;
    default: *code = "internal"; return 500;
    }
}

static void answer_item(server *s, ask *a, florin_status st, const florin_decision *d,
                        const char *message, int64_t began_us, int64_t took_us)
{
    call *c = a->of;
    const char *code = "internal";
    if (c->infer) {
        infer_row(c, st ? NULL : d, message);
    } else if (c->batch) {
        if (a == c->asks) text_put(&c->out, "{\"evaluations\":[");
        else text_char(&c->out, ',');
    }
    if (c->infer) {
        /* its rows are written together */
    } else if (!st) {
        metrics_decision(&s->metrics, d);
        if (d->sequence > c->sequence) c->sequence = d->sequence;
        const florin_event *e = &a->request.event;
        reply_decision(s, &c->out, d, e->id_n ? e->id : "", e->id_n, began_us - c->began_us,
                       took_us);
    } else {
        unsigned status = status_of(st, &code);
        if (!c->batch) {
            reply_problem(c, status, code, "/payment", "%s", message);
        } else {
            char pointer[32];
            snprintf(pointer, sizeof pointer, "/evaluations/%u", c->asks_n - c->asks_left);
            reply_problem_into(&c->out, c, status, code, pointer, message);
        }
    }
    if (--c->asks_left == 0) finish(s, c);
}

static void decide_batch(server *s, uint32_t n)
{
    florin_error err = {0};
    if (!n) return;
    int64_t began = clock_monotonic_us();
    for (uint32_t i = 0; i < n; i++) {
        ask *a = s->batch[i];
        s->request[i] = a->request;
        if (a->due_us && began > a->due_us) {
            s->request[i].flags |= FLORIN_REQUEST_RULES_ONLY;
            s->metrics.late++;
        }
    }
    florin_status st =
        florin_decide(s->decider, s->request, n, clock_now_us(), s->decision, s->item, &err);
    int64_t took = clock_monotonic_us() - began;
    histogram_add(&s->metrics.decide, took);
    s->metrics.batches++;
    s->metrics.batched += n;
    if (st)
        server_log(s, FLORIN_LOG_ERROR, "the decider refuses", "\"status\":\"%s\"",
                   florin_status_name(st));
    for (uint32_t i = 0; i < n; i++)
        answer_item(s, s->batch[i], st ? st : s->item[i], &s->decision[i],
                    st ? err.message : florin_decider_message(s->decider, i), began, took);
}

static void change_list(server *s, call *c)
{
    florin_error err = {0};
    const news_ask *a = c->news;
    const char *code = "list";
    florin_status st = florin_decider_list(s->decider, c->parameter, a->entry, a->entry_n,
                                           a->until_us, clock_now_us(), &c->sequence, &err);
    if (st == FLORIN_EINPUT || st == FLORIN_ESCHEMA || st == FLORIN_EUSAGE) {
        reply_problem(c, 404, code, NULL, "%s", err.message);
    } else if (st) {
        unsigned status = status_of(st, &code);
        reply_problem(c, status, code, NULL, "%s", err.message);
    } else {
        text_put(&c->out, "{\"list\":");
        text_json(&c->out, c->parameter, c->parameter_n);
        text_add(&c->out, a->until_us == INT64_MIN ? ",\"removed\":true}" : ",\"removed\":false}");
        c->status = 200;
        c->type = "application/json";
    }
}

static void learn(server *s, call *c)
{
    florin_receipt receipt;
    florin_status item = FLORIN_OK;
    florin_error err = {0};
    const char *code = "internal";
    if (c->news->list) {
        change_list(s, c);
        finish(s, c);
        return;
    }
    florin_status st =
        florin_decider_learn(s->decider, &c->news->news, 1, clock_now_us(), &receipt, &item, &err);
    if (!st && !item) {
        c->sequence = receipt.sequence;
        text_put(&c->out, "{\"evaluation\":");
        text_json(&c->out, c->parameter, c->parameter_n);
        text_put(&c->out, ",\"repeat\":");
        text_add(&c->out, receipt.repeat ? "true" : "false");
        text_put(&c->out, ",\"counted\":");
        text_add(&c->out, receipt.counted ? "true}" : "false}");
        c->status = 201;
        c->type = "application/json";
    } else {
        const char *message = st ? err.message : florin_decider_message(s->decider, 0);
        unsigned status = status_of(st ? st : item, &code);
        /* The batch is decided, so that its place is free. */
        if (status == 422 && florin_decider_get(s->decider, c->parameter, c->parameter_n,
                                                s->decision, NULL) == FLORIN_EINPUT) {
            status = 404;
            code = "evaluation";
        }
        reply_problem(c, status, code, NULL, "%s", message);
    }
    finish(s, c);
}

void decide_pending(server *s)
{
    uint32_t n = 0;
    call *c;
    while ((c = list_pop(&s->pending))) {
        if (c->news) {
            decide_batch(s, n);
            n = 0;
            learn(s, c);
            continue;
        }
        ask *next;
        for (ask *a = c->asks; a; a = next) {
            next = a->next; /* the last of a call gives its asks back */
            s->batch[n++] = a;
            if (n < BATCH_MOST) continue;
            decide_batch(s, n);
            n = 0;
        }
    }
    decide_batch(s, n);
}

/* --- checkpoints --- */

static bool has_news(const server *s)
{
    florin_decider_counts c = FLORIN_DECIDER_COUNTS_INIT;
    return !florin_decider_stats(s->decider, &c, NULL) && c.sequence > c.checkpoint;
}

void decide_checkpoint(server *s)
{
    enum { LOOK_US = 200000 };
    florin_error err = {0};
    if (!s->config.checkpoint_s) return;
    int64_t now = clock_monotonic_us();
    if (now < s->checkpoint_us) return;
    bool first = !s->checkpoint_us;
    s->checkpoint_us = now + s->config.checkpoint_s * 1000000;
    if (first) return;
    florin_status st = FLORIN_OK;
    if (!s->checkpointing) {
        if (!has_news(s)) return;
        st = florin_decider_checkpoint_start(s->decider, &err);
        s->checkpointing = !st;
    } else st = florin_decider_checkpoint_poll(s->decider, &s->checkpointing, &err);
    if (s->checkpointing) s->checkpoint_us = now + LOOK_US;
    if (st)
        server_log(s, FLORIN_LOG_ERROR, "a checkpoint could not be written", "\"status\":\"%s\"",
                   florin_status_name(st));
    else if (!s->checkpointing) server_log(s, FLORIN_LOG_INFO, "a checkpoint is written", "%s", "");
}

void decide_last_checkpoint(server *s)
{
    florin_error err = {0};
    if (!s->config.checkpoint_s || !has_news(s)) return;
    florin_status st = florin_decider_checkpoint(s->decider, &err);
    if (st)
        server_log(s, FLORIN_LOG_ERROR, "a checkpoint could not be written", "\"status\":\"%s\"",
                   florin_status_name(st));
}

/* --- handing over --- */

void decide_wake(void *user, uint64_t sequence)
{
    server *s = user;
    uint64_t one = 1;
    (void)sequence;
    if (!atomic_exchange(&s->sleeping, false)) return;
    if (write(s->wake, &one, sizeof one) < 0) atomic_store(&s->sleeping, true);
}

/* The journal can't be written: nobody waits for it. Whoever asks again, by the same key or id, gets the first answer once
 * there is room. */
static void refuse_waiting(server *s)
{
    enum { LOOK_EVERY_US = 1000 }; /* with sync: always somebody waits at every turn */
    florin_decider_counts d = FLORIN_DECIDER_COUNTS_INIT;
    int64_t now = clock_monotonic_us();
    if (now - s->looked_us < LOOK_EVERY_US) return;
    s->looked_us = now;
    if (florin_decider_stats(s->decider, &d, NULL) || !d.failing) return;
    while (s->waiting.first) {
        call *c = list_pop(&s->waiting);
        reply_problem(c, 503, "journal", NULL, "the journal can't be written: ask again");
        http_release(s, c);
    }
}

uint32_t decide_release(server *s)
{
    uint64_t acknowledged = florin_decider_acknowledged(s->decider);
    uint32_t n = 0;
    while (s->waiting.first && s->waiting.first->sequence <= acknowledged) {
        http_release(s, list_pop(&s->waiting));
        n++;
    }
    if (s->waiting.first) refuse_waiting(s);
    return n;
}
