/* Answers as JSON: decisions and problems. */
#include "server.h"

#include <stdio.h>

static const char *title_of(unsigned status)
{
    switch (status) {
    case 400: return "Bad request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 413: return "Content too large";
    case 415: return "Unsupported media type";
    case 422: return "Unprocessable content";
    case 429: return "Too many requests";
    case 503: return "Service unavailable";
    default: return "Internal error";
    }
}

void reply_problem_into(text *t, const call *c, unsigned status, const char *code,
                        const char *pointer, const char *detail)
{
    text_put(t, "{\"type\":\"urn:florin:problem:");
    text_add(t, code);
    text_put(t, "\",\"title\":\"");
    text_add(t, title_of(status));
    text_put(t, "\",\"status\":");
    text_unsigned(t, status);
    text_put(t, ",\"detail\":");
    text_json_str(t, detail);
    if (pointer) {
        text_put(t, ",\"pointer\":");
        text_json_str(t, pointer);
    }
    text_put(t, ",\"request_id\":");
    text_json(t, c->id, c->id_n);
    text_char(t, '}');
}

void reply_problem(call *c, unsigned status, const char *code, const char *pointer,
                   const char *format, ...)
{
    char detail[1200];
    va_list list;
    va_start(list, format);
    vsnprintf(detail, sizeof detail, format, list);
    va_end(list);
    c->out.n = 0;
    c->status = status;
    c->type = "application/problem+json";
    if (status == 503 && !c->retry_s) c->retry_s = 1;
    reply_problem_into(&c->out, c, status, code, pointer, detail);
}

static void write_level(text *t, const florin_head_score *h)
{
    static const char *const levels[] = {"normal", "elevated", "highest"};
    text_put(t, "\"score\":");
    text_unsigned(t, h->score);
    text_put(t, ",\"probability\":");
    text_decimal(t, (double)h->probability, 6);
    text_put(t, ",\"level\":\"");
    text_add(t, levels[h->risk < 3 ? h->risk : 2]);
    text_char(t, '"');
}

static void write_reasons(text *t, const florin_decision *d)
{
    text_put(t, ",\"reasons\":[");
    for (uint32_t i = 0; i < d->reasons; i++) {
        const florin_reason *r = &d->reason[i];
        if (i) text_char(t, ',');
        text_put(t, "{\"code\":");
        text_json_str(t, r->code);
        text_put(t, ",\"text\":");
        text_json_str(t, r->text);
        text_put(t, ",\"share\":");
        text_decimal(t, (double)r->share, 4);
        text_put(t, ",\"normal\":");
        if (r->normal[0]) text_json_str(t, r->normal);
        else text_put(t, "null");
        text_char(t, '}');
    }
    text_char(t, ']');
}

static void write_heads(const server *s, text *t, const florin_decision *d)
{
    text_put(t, ",\"heads\":{");
    for (uint32_t h = 0; h < d->heads; h++) {
        florin_head_info info = FLORIN_HEAD_INFO_INIT;
        if (florin_scorer_head(s->scorer, h, &info, NULL)) continue;
        if (h) text_char(t, ',');
        text_json_str(t, info.name);
        text_put(t, ":{");
        write_level(t, &d->score[h]);
        text_char(t, '}');
    }
    text_char(t, '}');
}

static void write_or_null(text *t, const char *s)
{
    if (s[0]) text_json_str(t, s);
    else text_put(t, "null");
}

static void write_truth(text *t, bool truth)
{
    if (truth) text_put(t, "true");
    else text_put(t, "false");
}

void reply_decision(const server *s, text *t, const florin_decision *d, const char *event,
                    uint32_t event_n, int64_t waited_us, int64_t decided_us)
{
    text_put(t, "{\"id\":");
    write_or_null(t, d->id);
    if (event) {
        text_put(t, ",\"payment\":");
        if (event_n) text_json(t, event, event_n);
        else text_put(t, "null");
    }
    text_put(t, ",\"time\":\"");
    text_time(t, d->time_us);
    text_put(t, "\",\"decided\":\"");
    text_time(t, d->decided_us);
    text_put(t, "\",");
    if (d->scored) write_level(t, &d->score[d->head]);
    else text_put(t, "\"score\":null,\"probability\":null,\"level\":null");
    text_put(t, ",\"action\":\"");
    text_add(t, florin_action_name(d->action));
    text_put(t, "\",\"rule\":");
    write_or_null(t, d->rule);
    text_add(t, d->by == FLORIN_BY_RULE        ? ",\"by\":\"rule\""
                : d->by == FLORIN_BY_THRESHOLD ? ",\"by\":\"threshold\""
                                               : ",\"by\":null");
    write_reasons(t, d);
    if (d->scored && d->heads > 1) write_heads(s, t, d);
    text_put(t, ",\"model\":");
    text_json_str(t, d->model);
    text_put(t, ",\"policy\":");
    write_or_null(t, d->policy);
    text_put(t, ",\"holdout\":");
    write_truth(t, d->holdout);
    text_put(t, ",\"propensity\":");
    text_decimal(t, (double)d->propensity, 6);
    text_put(t, ",\"rules_only\":");
    write_truth(t, !d->scored);
    text_put(t, ",\"repeat\":");
    write_truth(t, d->repeat);
    text_put(t, ",\"dry_run\":");
    write_truth(t, d->dry_run);
    if (waited_us >= 0) {
        text_put(t, ",\"timing\":{\"waited_us\":");
        text_signed(t, waited_us);
        text_put(t, ",\"decided_us\":");
        text_signed(t, decided_us);
        text_char(t, '}');
    }
    text_char(t, '}');
}
