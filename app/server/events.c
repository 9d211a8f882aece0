/* What becomes known of an evaluation: an outcome as a label, the authorisation's result as marks and fields. */
#include "server.h"

#include <stdlib.h>

typedef struct {
    const schema_name *label;
    bool typed, result, has_value, has_fields;
} event_parts;

static bool read_kind(scan *s, event_parts *p)
{
    const char *word;
    uint32_t n;
    if (!scan_string(s, &word, &n)) return false;
    p->typed = true;
    p->result = SCAN_IS(word, n, "result");
    return p->result || SCAN_IS(word, n, "label") ? true
                                                  : scan_fail(s, "label or result is expected");
}

static bool read_value(scan *s, florin_news *news)
{
    scan_number_value number;
    bool truth;
    if (scan_peek(s) == SCAN_BOOL) {
        if (!scan_bool(s, &truth)) return false;
        news->value = truth;
        return true;
    }
    if (scan_peek(s) != SCAN_NUMBER) return scan_fail(s, "true, false or a number is expected");
    if (!scan_number(s, &number)) return false;
    news->value = (float)number.value;
    return true;
}

static bool read_label(const server *s, scan *sc, event_parts *p, florin_news *news)
{
    const char *word;
    uint32_t n;
    if (!scan_string(sc, &word, &n)) return false;
    p->label = names_label(s->names, word, n);
    if (!p->label) return scan_fail(sc, "the model's schema has no label of this name");
    news->label = p->label->number;
    return true;
}

static bool read_event(const server *s, scan *sc, event_parts *p, news_ask *a)
{
    const char *key;
    uint32_t n;
    if (!scan_enter(sc, SCAN_OBJECT)) return false;
    while (scan_key(sc, &key, &n)) {
        bool ok;
        if (SCAN_IS(key, n, "type")) {
            ok = read_kind(sc, p);
        } else if (SCAN_IS(key, n, "label")) {
            ok = read_label(s, sc, p, &a->news);
        } else if (SCAN_IS(key, n, "value")) {
            ok = read_value(sc, &a->news);
            p->has_value = true;
        } else if (SCAN_IS(key, n, "time")) {
            ok = payment_read_time(sc, &a->news.arrival_us);
        } else if (SCAN_IS(key, n, "fields")) {
            ok = payment_fields(&s->rules, sc, a->value, &a->news.n_values);
            p->has_fields = true;
        } else {
            ok = scan_fail(sc, "an event has type, label, value, time and fields");
        }
        if (!ok) return false;
    }
    scan_end(sc);
    if (sc->fault) return false;
    if (!p->typed) return scan_fail(sc, "the member \"type\" is missing: label or result");
    if (p->result && !a->news.n_values)
        return scan_fail(sc, "a result needs \"fields\": marks, categories or numbers");
    if (p->result && (p->label || p->has_value))
        return scan_fail(sc, "a result has fields, but neither label nor value");
    if (!p->result && (!p->label || !p->has_value))
        return scan_fail(sc, "a label needs \"label\" and \"value\"");
    if (!p->result && p->has_fields) return scan_fail(sc, "a label has no fields");
    return true;
}

void events_post(server *s, call *c)
{
    scan sc;
    event_parts parts = {0};
    char pointer[SCAN_POINTER];
    news_ask *a = calloc(1, sizeof *a);
    if (!a) {
        reply_problem(c, 503, "memory", NULL, "out of memory");
        return;
    }
    c->news = a;
    a->news.arrival_us = INT64_MIN;
    scan_begin(&sc, c->body, c->body_n);
    if (!read_event(s, &sc, &parts, a)) {
        reply_problem(c, sc.content ? 422 : 400, sc.content ? "field" : "json",
                      scan_pointer(&sc, pointer, sizeof pointer), "%s", sc.fault);
        return;
    }
    a->news.kind = parts.result ? FLORIN_NEWS_RESULT : FLORIN_NEWS_LABEL;
    a->news.decision = c->parameter;
    a->news.decision_n = c->parameter_n;
    a->news.type = s->rules.type;
    a->news.values = a->value;
    a->news.key = c->idempotency;
    a->news.key_n = c->idempotency_n;
    list_push(&s->pending, c);
}

/* --- lists of the policy --- */

static bool read_entry(scan *sc, news_ask *a)
{
    const char *key;
    uint32_t n;
    bool remove = false;
    if (!scan_enter(sc, SCAN_OBJECT)) return false;
    while (scan_key(sc, &key, &n)) {
        bool ok;
        if (SCAN_IS(key, n, "value")) ok = scan_string(sc, &a->entry, &a->entry_n);
        else if (SCAN_IS(key, n, "until")) ok = payment_read_time(sc, &a->until_us);
        else if (SCAN_IS(key, n, "remove")) ok = scan_bool(sc, &remove);
        else ok = scan_fail(sc, "an entry has value, until and remove");
        if (!ok) return false;
    }
    scan_end(sc);
    if (sc->fault) return false;
    if (!a->entry_n) return scan_fail(sc, "the member \"value\" is missing, or empty");
    if (remove) a->until_us = INT64_MIN;
    return true;
}

void lists_post(server *s, call *c)
{
    scan sc;
    char pointer[SCAN_POINTER];
    news_ask *a = calloc(1, sizeof *a);
    if (!a) {
        reply_problem(c, 503, "memory", NULL, "out of memory");
        return;
    }
    c->news = a;
    a->list = true;
    a->until_us = INT64_MAX;
    scan_begin(&sc, c->body, c->body_n);
    if (!read_entry(&sc, a)) {
        reply_problem(c, sc.content ? 422 : 400, sc.content ? "field" : "json",
                      scan_pointer(&sc, pointer, sizeof pointer), "%s", sc.fault);
        return;
    }
    list_push(&s->pending, c);
}
