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

/* What a list is asked for. */
typedef struct {
    uint64_t before;
    uint32_t limit;
    int action, level; /* -1: any */
    int64_t least_score;
} page_query;

static const char *argument(call *c, const char *name)
{
    return MHD_lookup_connection_value(c->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* A whole number from least to most; absent: as it is. */
static bool read_number(call *c, const char *name, uint64_t least, uint64_t most, uint64_t *out)
{
    const char *given = argument(c, name);
    char *end;
    if (!given) return true;
    unsigned long long v = strtoull(given, &end, 10);
    if (given[0] >= '0' && given[0] <= '9' && !*end && v >= least && v <= most) {
        *out = v;
        return true;
    }
    reply_problem(c, 422, "query", NULL, "%s: a whole number from %llu to %llu is expected", name,
                  (unsigned long long)least, (unsigned long long)most);
    return false;
}

static bool read_word(call *c, const char *name, const char *const *words, int n, int *out)
{
    const char *given = argument(c, name);
    *out = -1;
    if (!given) return true;
    for (int i = 0; i < n; i++)
        if (words[i] && !strcmp(given, words[i])) *out = i;
    if (*out >= 0) return true;
    reply_problem(c, 422, "query", NULL, "%s: not one of its values (GET /openapi.json)", name);
    return false;
}

static bool read_query(call *c, page_query *q)
{
    static const char *const levels[] = {"normal", "elevated", "highest"};
    const char *actions[4];
    uint64_t limit = 20, least = 0;
    for (int a = 0; a < 4; a++) actions[a] = florin_action_name((florin_action)a);
    q->before = UINT64_MAX;
    if (!read_number(c, "limit", 1, BATCH_MOST, &limit) ||
        !read_number(c, "before", 1, INT64_MAX, &q->before) ||
        !read_number(c, "score_from", 0, 99, &least) ||
        !read_word(c, "action", actions, 4, &q->action) ||
        !read_word(c, "level", levels, 3, &q->level))
        return false;
    q->limit = (uint32_t)limit;
    q->least_score = (int64_t)least;
    return true;
}

static bool is_wanted(const page_query *q, const florin_decision *d)
{
    const florin_head_score *h = &d->score[d->head];
    if (q->action >= 0 && q->action != (int)d->action) return false;
    if (q->level >= 0 && (!d->scored || q->level != h->risk)) return false;
    return !q->least_score || (d->scored && h->score >= q->least_score);
}

/* So many decisions are looked at, however few pass: a filter makes pages shorter, never a wait longer. */
static void evaluations_list(server *s, call *c)
{
    page_query q;
    florin_error err = {0};
    florin_status st = FLORIN_OK;
    uint32_t written = 0;
    text *t = &c->out;
    florin_decision *d = s->decision; /* between batches it is free */
    if (!read_query(c, &q)) return;
    text_put(t, "{\"evaluations\":[");
    for (uint32_t i = 0; i < q.limit && !st; i++) {
        st = florin_decider_before(s->decider, q.before, d, &err);
        if (st) break;
        q.before = d->sequence;
        if (!is_wanted(&q, d)) continue;
        if (written++) text_char(t, ',');
        reply_decision(s, t, d, NULL, 0, -1, 0);
    }
    if (st && st != FLORIN_EINPUT) {
        reply_problem(c, 503, "journal", NULL, "%s", err.message);
        return;
    }
    text_put(t, "],\"next\":");
    if (st || q.before <= 1) text_put(t, "null");
    else text_unsigned(t, q.before);
    text_char(t, '}');
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
    {"list", "GET", "/v1/evaluations", READERS, false, evaluations_list},
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
