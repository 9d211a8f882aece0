/* The table of paths, and the short answers. */
#include "infer.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READERS = ROLE_SCORE | ROLE_ANALYST,
    ANY = ROLE_SCORE | ROLE_FEEDBACK | ROLE_ANALYST | ROLE_ADMIN
};

static void done(call *c, const char *type)
{
    c->status = 200;
    c->type = type;
}

static void health(server *s, call *c)
{
    (void)s;
    text_put(&c->out, "{\"status\":\"ok\"}");
    done(c, "application/json");
}

static void ready(server *s, call *c)
{
    florin_decider_counts d = FLORIN_DECIDER_COUNTS_INIT;
    if (florin_decider_stats(s->decider, &d, NULL) || d.failing)
        reply_problem(c, 503, "journal", NULL, "the journal can't be written");
    else if (s->draining) reply_problem(c, 503, "draining", NULL, "the server is stopping");
    else health(s, c);
}

static void metrics_get(server *s, call *c)
{
    const char *names_of[METRIC_ROUTES];
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    metrics_more more = {names_of,
                         routes_n + 1,
                         s->queued + s->waiting.n,
                         (uint32_t)s->config.queue,
                         info ? info->num_connections : 0,
                         s->decider,
                         s->scorer,
                         (double)s->started_us * 1e-6};
    for (uint32_t i = 0; i < routes_n; i++) names_of[i] = routes[i].name;
    names_of[routes_n] = "none";
    metrics_write(&s->metrics, &more, &c->out);
    done(c, "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void write_names(server *s, text *t, const char *title, florin_what what)
{
    const schema_name *n;
    text_printf(t, ",\"%s\":[", title);
    for (uint32_t i = 0; (n = names_at(s->names, what, i)); i++) {
        if (i) text_char(t, ',');
        text_json(t, n->name, n->n);
    }
    text_char(t, ']');
}

/* What a payment may hold. */
static void schema_get(server *s, call *c)
{
    text *t = &c->out;
    text_put(t, "{\"default_type\":");
    const schema_name *type;
    for (uint32_t i = 0; (type = names_at(s->names, FLORIN_TYPE, i)); i++)
        if (type->number == s->rules.type) text_json(t, type->name, type->n);
    write_names(s, t, "types", FLORIN_TYPE);
    write_names(s, t, "entities", FLORIN_ENTITY);
    write_names(s, t, "categories", FLORIN_CATEGORY);
    write_names(s, t, "numbers", FLORIN_NUMBER);
    write_names(s, t, "marks", FLORIN_MARK);
    write_names(s, t, "labels", FLORIN_LABEL);
    text_put(t, ",\"heads\":[");
    for (uint32_t h = 0; h < florin_scorer_heads(s->scorer); h++) {
        florin_head_info info = FLORIN_HEAD_INFO_INIT;
        if (florin_scorer_head(s->scorer, h, &info, NULL)) break;
        if (h) text_char(t, ',');
        text_json_str(t, info.name);
    }
    text_put(t, "]}");
    done(c, "application/json");
}

static void evaluation_get(server *s, call *c)
{
    florin_error err = {0};
    florin_decision *d = s->decision; /* between batches it is free */
    if (florin_decider_get(s->decider, c->parameter, c->parameter_n, d, &err)) {
        reply_problem(c, err.status == FLORIN_EINPUT ? 404 : 503,
                      err.status == FLORIN_EINPUT ? "evaluation" : "journal", NULL, "%s",
                      err.message);
        return;
    }
    reply_decision(s, &c->out, d, NULL, 0, -1, 0);
    done(c, "application/json");
}

extern const char openapi_json[]; /* openapi.json, put in by the build */

static void openapi_get(server *s, call *c)
{
    (void)s;
    text_add(&c->out, openapi_json);
    done(c, "application/json");
}

const route routes[] = {
    {"evaluations", "POST", "/v1/evaluations", ROLE_SCORE, true, evaluations_post},
    {"events", "POST", "/v1/evaluations/*/events", ROLE_FEEDBACK, true, events_post},
    {"evaluation", "GET", "/v1/evaluations/*", READERS, false, evaluation_get},
    {"lists", "POST", "/v1/lists/*", ROLE_ADMIN, true, lists_post},
    {"schema", "GET", "/v1/schema", ANY, false, schema_get},
    {"health", "GET", "/health", ROLE_NONE, false, health},
    {"ready", "GET", "/ready", ROLE_NONE, false, ready},
    {"metrics", "GET", "/metrics", ROLE_ANALYST, false, metrics_get},
    {"openapi", "GET", "/openapi.json", ROLE_NONE, false, openapi_get},
    {"v2_live", "GET", "/v2/health/live", ROLE_NONE, false, infer_live},
    {"v2_ready", "GET", "/v2/health/ready", ROLE_NONE, false, infer_server_ready},
    {"v2_server", "GET", "/v2", ROLE_NONE, false, infer_metadata},
    {"v2_model_ready", "GET", "/v2/models/*/ready", ROLE_SCORE, false, infer_model_ready},
    {"v2_infer", "POST", "/v2/models/*/infer", ROLE_SCORE, true, infer_post},
    {"v2_model", "GET", "/v2/models/*", ROLE_SCORE, false, infer_model},
};
const uint32_t routes_n = sizeof routes / sizeof routes[0];
