/* Columns in, columns out. Source: kserve.github.io, Open Inference Protocol, REST. */
#include "infer.h"

#include <stdio.h>
#include <stdlib.h>

struct infer {
    uint32_t head, rows, done;
    bool output[3]; /* which are asked for */
    uint32_t id_n;
    char id[ID_MOST];
    char wrong[512];
    florin_head_score score[]; /* [rows] */
};

static const char *const outputs[] = {"probability", "score", "level"};
static const char *const output_types[] = {"FP32", "UINT8", "BYTES"};

/* Errors of this protocol are {"error": ".."}. */
static void wrong(call *c, unsigned status, const char *pointer, const char *why)
{
    char all[1200];
    snprintf(all, sizeof all, "%s%s%s", pointer, pointer[0] ? ": " : "", why);
    c->out.n = 0;
    c->status = status;
    c->type = "application/json";
    if (status == 503) c->retry_s = 1;
    text_put(&c->out, "{\"error\":");
    text_json_str(&c->out, all);
    text_char(&c->out, '}');
}

static void say(call *c, const char *word)
{
    text_printf(&c->out, "{\"%s\":true}", word);
    c->status = 200;
    c->type = "application/json";
}

void infer_live(server *s, call *c)
{
    (void)s;
    say(c, "live");
}

void infer_server_ready(server *s, call *c)
{
    florin_decider_counts d = FLORIN_DECIDER_COUNTS_INIT;
    if (s->draining || florin_decider_stats(s->decider, &d, NULL) || d.failing)
        wrong(c, 503, "", "not ready");
    else say(c, "ready");
}

void infer_metadata(server *s, call *c)
{
    (void)s;
    text_put(&c->out, "{\"name\":\"florin\",\"version\":");
    text_json_str(&c->out, florin_version());
    text_put(&c->out, ",\"extensions\":[]}");
    c->status = 200;
    c->type = "application/json";
}

/* The head that the path names; heads at a date are none. */
static bool find_head(server *s, call *c, uint32_t *head)
{
    for (uint32_t h = 0; h < florin_scorer_heads(s->scorer); h++) {
        florin_head_info info = FLORIN_HEAD_INFO_INIT;
        if (florin_scorer_head(s->scorer, h, &info, NULL)) break;
        *head = h;
        if (!info.entity && !strcmp(info.name, c->parameter)) return true;
    }
    wrong(c, 404, "", "there is no model of this name: the heads are listed by /v1/schema");
    return false;
}

static void write_inputs(server *s, text *t)
{
    static const struct {
        florin_what what;
        const char *type;
    } kinds[] = {{FLORIN_ENTITY, "BYTES"},
                 {FLORIN_CATEGORY, "BYTES"},
                 {FLORIN_NUMBER, "FP64"},
                 {FLORIN_MARK, "BOOL"}};
    text_put(t, "{\"name\":\"amount\",\"datatype\":\"INT64\",\"shape\":[-1]},"
                "{\"name\":\"time\",\"datatype\":\"FP64\",\"shape\":[-1]},"
                "{\"name\":\"currency\",\"datatype\":\"BYTES\",\"shape\":[-1]}");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const schema_name *n;
        for (uint32_t i = 0; (n = names_at(s->names, kinds[k].what, i)); i++) {
            text_put(t, ",{\"name\":");
            text_json(t, n->name, n->n);
            text_printf(t, ",\"datatype\":\"%s\",\"shape\":[-1]}", kinds[k].type);
        }
    }
}

void infer_model(server *s, call *c)
{
    uint32_t head;
    text *t = &c->out;
    if (!find_head(s, c, &head)) return;
    text_put(t, "{\"name\":");
    text_json_str(t, c->parameter);
    text_printf(t, ",\"versions\":[\"%s\"],\"platform\":\"florin\",\"inputs\":[", s->model_hash);
    write_inputs(s, t);
    text_put(t, "],\"outputs\":[");
    for (int i = 0; i < 3; i++)
        text_printf(t, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[-1]}", i ? "," : "",
                    outputs[i], output_types[i]);
    text_put(t, "]}");
    c->status = 200;
    c->type = "application/json";
}

void infer_model_ready(server *s, call *c)
{
    uint32_t head;
    if (find_head(s, c, &head)) say(c, "ready");
}

/* The array of one input: a value for every row. The first input makes the rows. */
static bool read_column(server *s, call *c, scan *sc, const char *name_of, uint32_t n, bool first)
{
    ask *a = c->asks;
    uint32_t rows = 0;
    if (!scan_enter(sc, SCAN_ARRAY)) return false;
    while (scan_item(sc)) {
        if (first) {
            if (c->asks_n == (uint32_t)s->config.batch)
                return scan_fail(sc, "more rows than one request may have");
            a = decide_take_ask(s, c);
            if (!a) {
                s->metrics.refused_full++;
                return scan_fail(sc, "full");
            }
            payment_begin(&s->rules, &a->payment);
        }
        if (!a) return scan_fail(sc, "more rows than the inputs before it have");
        if (!payment_member(&s->rules, sc, &a->payment, name_of, n)) return false;
        a = a->next;
        rows++;
    }
    if (sc->fault) return false;
    return rows == c->asks_n ? true : scan_fail(sc, "fewer rows than the inputs before it have");
}

static bool read_input(server *s, call *c, scan *sc, bool first)
{
    const char *key, *name_of = NULL;
    uint32_t n, name_n = 0;
    bool data = false;
    if (!scan_enter(sc, SCAN_OBJECT)) return false;
    while (scan_key(sc, &key, &n)) {
        bool ok = true;
        if (SCAN_IS(key, n, "name")) {
            ok = scan_string(sc, &name_of, &name_n);
        } else if (SCAN_IS(key, n, "data")) {
            if (!name_of) return scan_fail(sc, "\"name\" must stand before \"data\"");
            if (data) return scan_fail(sc, "this name was given before");
            data = true;
            ok = read_column(s, c, sc, name_of, name_n, first);
        } else {
            ok = scan_skip(sc); /* datatype, shape, parameters: the values say it themselves */
        }
        if (!ok) return false;
    }
    if (sc->fault) return false;
    return data ? true : scan_fail(sc, "the member \"data\" is missing");
}

static bool read_outputs(scan *sc, bool asked[3])
{
    const char *key, *word;
    uint32_t n, word_n;
    asked[0] = asked[1] = asked[2] = false;
    if (!scan_enter(sc, SCAN_ARRAY)) return false;
    while (scan_item(sc)) {
        if (!scan_enter(sc, SCAN_OBJECT)) return false;
        while (scan_key(sc, &key, &n)) {
            if (!SCAN_IS(key, n, "name")) {
                if (!scan_skip(sc)) return false;
                continue;
            }
            if (!scan_string(sc, &word, &word_n)) return false;
            bool known = false;
            for (int i = 0; i < 3; i++)
                if (scan_is(word, word_n, outputs[i], strlen(outputs[i]))) known = asked[i] = true;
            if (!known) return scan_fail(sc, "the outputs are probability, score and level");
        }
    }
    return !sc->fault;
}

typedef struct {
    const char *id;
    uint32_t id_n;
    bool output[3];
} infer_request;

static bool read_request(server *s, call *c, scan *sc, infer_request *r)
{
    const char *key;
    uint32_t n;
    bool first = true;
    if (!scan_enter(sc, SCAN_OBJECT)) return false;
    while (scan_key(sc, &key, &n)) {
        bool ok = true;
        if (SCAN_IS(key, n, "id")) {
            ok = scan_string(sc, &r->id, &r->id_n);
        } else if (SCAN_IS(key, n, "inputs")) {
            ok = scan_enter(sc, SCAN_ARRAY);
            for (; ok && scan_item(sc); first = false) ok = read_input(s, c, sc, first);
            ok = ok && !sc->fault;
        } else if (SCAN_IS(key, n, "outputs")) {
            ok = read_outputs(sc, r->output);
        } else {
            ok = scan_skip(sc);
        }
        if (!ok) return false;
    }
    scan_end(sc);
    if (sc->fault) return false;
    return c->asks_n ? true : scan_fail(sc, "\"inputs\" with at least one row are expected");
}

void infer_post(server *s, call *c)
{
    scan sc;
    char pointer[SCAN_POINTER];
    infer_request r = {NULL, 0, {true, true, true}};
    uint32_t head;
    if (!find_head(s, c, &head)) return;
    scan_begin(&sc, c->body, c->body_n);
    if (!read_request(s, c, &sc, &r)) {
        call_release_asks(s, c);
        bool full = !strcmp(sc.fault, "full");
        wrong(c,
              full         ? 503
              : sc.content ? 422
                           : 400,
              scan_pointer(&sc, pointer, sizeof pointer),
              full ? "more payments wait than the queue holds: try again" : sc.fault);
        return;
    }
    infer *i = calloc(1, sizeof *i + c->asks_n * sizeof i->score[0]);
    if (!i) {
        call_release_asks(s, c);
        wrong(c, 503, "", "out of memory");
        return;
    }
    i->head = head;
    i->rows = c->asks_n;
    memcpy(i->output, r.output, sizeof i->output);
    i->id_n = r.id_n < ID_MOST ? r.id_n : ID_MOST;
    if (i->id_n) memcpy(i->id, r.id, i->id_n);
    c->infer = i;
    int64_t now_us = clock_now_us();
    for (ask *a = c->asks; a; a = a->next) {
        a->payment.dry_run = true;
        decide_fill_request(s, c, a, now_us, 0);
    }
    decide_queue(s, c);
}

void infer_row(call *c, const florin_decision *d, const char *message)
{
    infer *i = c->infer;
    if (d && d->scored) i->score[i->done] = d->score[i->head];
    else if (!i->wrong[0])
        snprintf(i->wrong, sizeof i->wrong, "row %u: %.400s", i->done,
                 d ? "no score: past its deadline" : message);
    i->done++;
}

static void write_values(text *t, const infer *i, int output)
{
    static const char *const levels[] = {"normal", "elevated", "highest"};
    for (uint32_t r = 0; r < i->rows; r++) {
        const florin_head_score *s = &i->score[r];
        if (r) text_char(t, ',');
        if (output == 0) text_decimal(t, (double)s->probability, 9);
        else if (output == 1) text_unsigned(t, s->score);
        else text_json_str(t, levels[s->risk < 3 ? s->risk : 2]);
    }
}

void infer_finish(server *s, call *c)
{
    infer *i = c->infer;
    text *t = &c->out;
    bool more = false;
    if (i->wrong[0]) {
        wrong(c, 422, "", i->wrong);
        return;
    }
    text_put(t, "{\"model_name\":");
    text_json_str(t, c->parameter);
    text_printf(t, ",\"model_version\":\"%s\"", s->model_hash);
    if (i->id_n) {
        text_put(t, ",\"id\":");
        text_json(t, i->id, i->id_n);
    }
    text_put(t, ",\"outputs\":[");
    for (int o = 0; o < 3; o++) {
        if (!i->output[o]) continue;
        text_printf(t, "%s{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%u],\"data\":[",
                    more ? "," : "", outputs[o], output_types[o], i->rows);
        more = true;
        write_values(t, i, o);
        text_put(t, "]}");
    }
    text_put(t, "]}");
    c->status = 200;
    c->type = "application/json";
}
