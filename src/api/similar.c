/* florin_similar: who is alike, what they share, and how well likeness finds what it should. */
#include "similar/entities.h"
#include "similar/events.h"
#include "similar/judge.h"
#include <inttypes.h>
#include <stdio.h>

typedef struct {
    const florin_similar_options *opt;
    const florin_context *ctx;
    fl_model *model;
    fl_log *log;
    int kind;
    int64_t at_us;
    fl_by by;
    fl_pool pool;
} job;

static florin_status read_words(job *j, florin_error *err)
{
    const florin_similar_options *o = j->opt;
    const char *by = o->by, *pool = o->pool ? o->pool : "mean";

    if (o->at && !fl_time_parse(o->at, &j->at_us))
        return fl_fail(err, FLORIN_EUSAGE,
                       "similar: %s is not a moment, as 2018-08-01 or 2018-08-01 12:30", o->at);
    if (by && strcmp(by, "embedding") && strcmp(by, "fold") && strcmp(by, "both"))
        return fl_fail(err, FLORIN_EUSAGE, "similar: by %s; there are embedding, fold, both", by);
    if (strcmp(pool, "mean") && strcmp(pool, "last"))
        return fl_fail(err, FLORIN_EUSAGE, "similar: pool %s; there are mean and last", pool);
    j->by = !by || !strcmp(by, "embedding") ? FL_BY_EMBEDDING
            : !strcmp(by, "fold")           ? FL_BY_FOLD
                                            : FL_BY_BOTH;
    j->pool = !strcmp(pool, "mean") ? FL_POOL_MEAN : FL_POOL_LAST;
    return FLORIN_OK;
}

static florin_status find_kind(job *j, florin_error *err)
{
    const fl_schema *s = fl_log_schema(j->log);
    const char *have[FL_KINDS_MAX];
    fl_buf all = {0};

    j->kind = fl_schema_kind(s, j->opt->entity);
    if (j->kind >= 0) return FLORIN_OK;
    for (uint32_t k = 0; k < s->kinds; k++) {
        have[k] = s->kind[k].name;
        fl_buf_printf(&all, "%s%s", k ? ", " : "", have[k]);
    }
    const char *near = fl_nearest(j->opt->entity, have, s->kinds);
    (void)fl_fail(err, FLORIN_EUSAGE, "similar: no entities of kind '%.64s'; there are: %s%s%s%s",
                  j->opt->entity, all.data ? all.data : "none", near ? ": did you mean '" : "",
                  near ? near : "", near ? "'?" : "");
    fl_buf_free(&all);
    return FLORIN_EUSAGE;
}

static florin_status judge_mode(job *j, florin_error *err)
{
    const florin_similar_options *o = j->opt;
    bool same = !strcmp(o->judge, "same");
    fl_alike a = {.name = same ? "same" : o->judge,
                  .data = fl_log_schema(j->log)->name,
                  .about = "",
                  .kind = j->kind,
                  .of = same ? -1 : fl_schema_category(fl_log_schema(j->log), o->judge),
                  .at_us = j->at_us,
                  .by = j->by,
                  .pool = j->pool,
                  .least = o->least,
                  .draws = o->draws,
                  .seed = o->seed};
    json_t *out = NULL;

    if (!same && a.of < 0)
        return fl_fail(err, FLORIN_EUSAGE,
                       "similar: judge '%.64s': `same`, or a category field of the log", o->judge);
    florin_status st = fl_alike_judge(&out, &a, j->model, j->log, j->ctx, err);
    if (!st && o->format == FLORIN_JSON) fl_json_write(j->ctx, out);
    else if (!st) fl_alike_text(j->ctx, out);
    json_decref(out);
    return st;
}

/* --- ids --- */

static char *entity_name(const job *j, uint32_t e)
{
    size_t n;
    const char *name = fl_log_entity_name(j->log, j->kind, e, &n);
    return name ? fl_strndup(name, n)
                : fl_asprintf("%016" PRIx64, fl_log_entity_hash(j->log, j->kind, e));
}

/* Edits between two ids; only the first 63 bytes count. */
static uint32_t edits(const char *a, const char *b)
{
    enum { LONG = 63 };
    uint32_t row[LONG + 1], m = (uint32_t)strnlen(a, LONG), n = (uint32_t)strnlen(b, LONG);

    for (uint32_t k = 0; k <= n; k++) row[k] = k;
    for (uint32_t i = 1; i <= m; i++) {
        uint32_t corner = row[0];
        row[0] = i;
        for (uint32_t k = 1; k <= n; k++) {
            uint32_t change = corner + (a[i - 1] != b[k - 1]), above = row[k] + 1,
                     left = row[k - 1] + 1;
            corner = row[k];
            row[k] = change < above ? change : above;
            row[k] = row[k] < left ? row[k] : left;
        }
    }
    return row[n];
}

/* FLORIN_EINPUT with the three nearest ids of the crowd's entities. */
static florin_status unknown_id(const job *j, const fl_crowd *c, const char *why, florin_error *err)
{
    struct {
        char *name;
        uint32_t far;
    } best[3] = {{NULL, UINT32_MAX}, {NULL, UINT32_MAX}, {NULL, UINT32_MAX}};

    for (uint32_t i = 0; i < c->n; i++) {
        char *name = entity_name(j, c->entity[i]);
        uint32_t far = name ? edits(j->opt->id, name) : UINT32_MAX, at = 3;
        while (at > 0 && name &&
               (far < best[at - 1].far ||
                (far == best[at - 1].far && strcmp(name, best[at - 1].name) < 0)))
            at--;
        if (!name || at == 3) {
            free(name);
            continue;
        }
        free(best[2].name);
        memmove(&best[at + 1], &best[at], (2 - at) * sizeof *best);
        best[at].name = name;
        best[at].far = far;
    }
    (void)fl_fail(err, FLORIN_EINPUT, "%s '%.64s' %s; the nearest ids are: %s, %s, %s",
                  j->opt->entity, j->opt->id, why, best[0].name ? best[0].name : "-",
                  best[1].name ? best[1].name : "-", best[2].name ? best[2].name : "-");
    for (int i = 0; i < 3; i++) free(best[i].name);
    return FLORIN_EINPUT;
}

/* Place in the crowd of the entity that was named: by its id, or by the 16 digits that stand for it without a dictionary. */
static florin_status find_entity(const job *j, const fl_crowd *c, uint32_t *place,
                                 florin_error *err)
{
    uint8_t key[16];
    char *end = NULL;
    const char *id = j->opt->id;
    uint32_t e = FL_NONE;

    for (uint32_t i = 0; i < c->n && e == FL_NONE; i++) {
        size_t n;
        const char *name = fl_log_entity_name(j->log, j->kind, c->entity[i], &n);
        if (name && strlen(id) == n && !memcmp(name, id, n)) e = c->entity[i];
    }
    uint64_t hash = strlen(id) == 16 ? strtoull(id, &end, 16) : 0;
    if (e == FL_NONE && end && !*end) e = fl_log_entity_find(j->log, j->kind, hash);
    if (e == FL_NONE && !fl_schema_key(fl_log_schema(j->log), key, NULL))
        e = fl_log_entity_find(j->log, j->kind,
                               fl_entity_hash(key, j->opt->entity, id, strlen(id)));
    for (uint32_t i = 0; i < c->n && e != FL_NONE; i++)
        if (c->entity[i] == e) {
            *place = i;
            return FLORIN_OK;
        }
    return unknown_id(j, c,
                      e == FL_NONE ? "is not in the log"
                                   : "has too few events before this moment to be compared",
                      err);
}

static florin_status find_event(const job *j, uint64_t *row, florin_error *err)
{
    char number[FL_ID_NUMBER];
    size_t n, len = strlen(j->opt->event);

    for (uint64_t r = 0; r < fl_log_rows(j->log); r++) {
        const char *id = fl_log_event_id(j->log, r, number, &n);
        if (n != len || memcmp(id, j->opt->event, n)) continue;
        *row = r;
        return FLORIN_OK;
    }
    const char *id = fl_log_event_id(j->log, 0, number, &n);
    return fl_fail(err, FLORIN_EINPUT, "no event '%.64s' in the log; its first is '%.*s'",
                   j->opt->event, (int)(n < 64 ? n : 64), id);
}

/* --- neighbours --- */

static json_t *shared_json(const fl_shared *s, uint32_t n)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "code", s[i].code, "text",
                                              s[i].text, "share", s[i].share));
    return list;
}

static const char *by_name(const job *j)
{
    return j->by == FL_BY_EMBEDDING ? "embedding" : j->by == FL_BY_FOLD ? "fold" : "both";
}

static void write_neighbours(const job *j, const json_t *o)
{
    const json_t *list = json_object_get(o, "neighbours"), *n, *s;
    size_t i, k;

    fl_writef(j->ctx, "Like %s %s, by %s, among %lld:\n", fl_json_str(o, "kind", ""),
              fl_json_str(o, "id", ""), by_name(j), (long long)fl_json_int(o, "population", 0));
    json_array_foreach(list, i, n)
    {
        fl_writef(j->ctx, "%3zu. %-20s %.3f  ", i + 1, fl_json_str(n, "id", ""),
                  fl_json_num(n, "similarity", 0));
        if (json_object_get(n, "events"))
            fl_writef(j->ctx, "%lld events\n", (long long)fl_json_int(n, "events", 0));
        else fl_writef(j->ctx, "%s\n", fl_json_str(n, "time", ""));
        json_array_foreach(json_object_get(n, "shared"), k, s)
            fl_writef(j->ctx, "       %s (so are %.1f %%)\n", fl_json_str(s, "text", ""),
                      100 * fl_json_num(s, "share", 0));
    }
}

static florin_status finish(const job *j, json_t *o, florin_error *err)
{
    if (!o) return fl_fail(err, FLORIN_ENOMEM, "similar: out of memory");
    if (j->opt->format == FLORIN_JSON) fl_json_write(j->ctx, o);
    else if (json_object_get(o, "neighbours")) write_neighbours(j, o);
    json_decref(o);
    return FLORIN_OK;
}

static json_t *neighbour(const job *j, const fl_crowd *c, const fl_like_entity *e)
{
    char *name = entity_name(j, c->entity[e->place]);
    json_t *o = json_pack("{s:s, s:f, s:I, s:o}", "id", name ? name : "?", "similarity",
                          (double)e->cosine, "events", (json_int_t)c->events[e->place], "shared",
                          shared_json(e->shared, e->shares));
    free(name);
    return o;
}

static florin_status entity_mode(job *j, const fl_known_crowd *k, florin_error *err)
{
    const fl_crowd *c = &k->crowd;
    uint32_t place = 0, n = 0, top = j->opt->top ? j->opt->top : 10;
    json_t *list = NULL;
    florin_status st = find_entity(j, c, &place, err);

    if (st) return st;
    if (top > c->n - 1) top = c->n - 1;
    fl_like_entity *near = fl_alloc(top, sizeof *near);
    st = near ? fl_like_entities(near, &n, top, place, k, j->by, err)
              : fl_fail(err, FLORIN_ENOMEM, "similar: out of memory");
    list = json_array();
    for (uint32_t i = 0; !st && i < n; i++) json_array_append_new(list, neighbour(j, c, &near[i]));
    char *name = entity_name(j, c->entity[place]);
    if (!st)
        st = finish(j,
                    json_pack("{s:s, s:s, s:s, s:I, s:I, s:O}", "kind", j->opt->entity, "id",
                              name ? name : "?", "by", by_name(j), "events",
                              (json_int_t)c->events[place], "population", (json_int_t)c->n,
                              "neighbours", list),
                    err);
    free(name);
    json_decref(list);
    free(near);
    return st;
}

static json_t *like_event(const job *j, const fl_like_event *e)
{
    char number[FL_ID_NUMBER], time[32];
    size_t n;
    const char *id = fl_log_event_id(j->log, e->row, number, &n);

    fl_time_format(e->event.time_us, time);
    json_t *o =
        json_pack("{s:s%, s:f, s:s, s:s, s:o}", "id", id, n, "similarity", (double)e->cosine,
                  "time", time, "type", fl_log_schema(j->log)->source[e->event.type].name, "shared",
                  shared_json(e->shared, e->shares));
    if (o && e->event.amount_minor != FL_AMOUNT_NONE)
        json_object_set_new(o, "amount_minor", json_integer(e->event.amount_minor));
    return o;
}

static florin_status event_mode(job *j, florin_error *err)
{
    uint32_t n = 0, top = j->opt->top ? j->opt->top : 10;
    uint64_t row = 0;
    json_t *list = json_array();
    florin_status st = find_event(j, &row, err);

    if (top > 1000) st = fl_fail(err, FLORIN_EUSAGE, "similar: at most 1000 events");
    fl_like_event *near = st ? NULL : fl_alloc(top, sizeof *near);
    if (!st)
        st = near ? fl_like_events(near, &n, top, row, j->by, j->model, j->log, j->ctx, err)
                  : fl_fail(err, FLORIN_ENOMEM, "similar: out of memory");
    for (uint32_t i = 0; !st && i < n; i++) json_array_append_new(list, like_event(j, &near[i]));
    if (!st)
        st = finish(j,
                    json_pack("{s:s, s:s, s:s, s:I, s:O}", "kind", "event", "id", j->opt->event,
                              "by", by_name(j), "population", (json_int_t)fl_log_rows(j->log),
                              "neighbours", list),
                    err);
    json_decref(list);
    free(near);
    return st;
}

/* --- segments --- */

static json_t *segment_json(const job *j, const fl_crowd *c, const fl_segment *s)
{
    json_t *says = json_array(), *middle = json_array();

    for (uint32_t i = 0; i < s->says; i++) json_array_append_new(says, json_string(s->text[i]));
    for (uint32_t i = 0; i < 3 && s->middle[i] != UINT32_MAX; i++) {
        char *name = entity_name(j, c->entity[s->middle[i]]);
        json_array_append_new(middle, json_string(name ? name : "?"));
        free(name);
    }
    return json_pack("{s:I, s:f, s:o, s:o}", "entities", (json_int_t)s->n, "share",
                     (double)s->n / c->n, "what", says, "typical", middle);
}

static void write_segments(const job *j, const json_t *list)
{
    const json_t *s, *w;
    size_t i, k;

    json_array_foreach(list, i, s)
    {
        fl_writef(j->ctx, "%zu. %lld of kind %s (%.1f %%), typical:", i + 1,
                  (long long)fl_json_int(s, "entities", 0), j->opt->entity,
                  100 * fl_json_num(s, "share", 0));
        json_array_foreach(json_object_get(s, "typical"), k, w)
            fl_writef(j->ctx, "%s %s", k ? "," : "", json_string_value(w));
        fl_writef(j->ctx, "\n");
        json_array_foreach(json_object_get(s, "what"), k, w)
            fl_writef(j->ctx, "     %s\n", json_string_value(w));
        if (!json_array_size(json_object_get(s, "what")))
            fl_writef(j->ctx, "     nothing that was counted sets it apart\n");
    }
}

static florin_status segment_mode(job *j, const fl_known_crowd *k, florin_error *err)
{
    uint32_t n = j->opt->segments;
    fl_segment *s = fl_calloc(n, sizeof *s);
    json_t *list = json_array();
    florin_status st = s ? fl_segments(s, NULL, n, k, j->by, j->opt->seed, j->ctx, err)
                         : fl_fail(err, FLORIN_ENOMEM, "similar: out of memory");

    for (uint32_t i = 0; !st && i < n; i++)
        json_array_append_new(list, segment_json(j, &k->crowd, &s[i]));
    if (!st && j->opt->format != FLORIN_JSON) write_segments(j, list);
    if (!st)
        st = finish(j,
                    json_pack("{s:s, s:s, s:I, s:O}", "kind", j->opt->entity, "by", by_name(j),
                              "population", (json_int_t)k->crowd.n, "segments", list),
                    err);
    json_decref(list);
    free(s);
    return st;
}

static florin_status crowd_mode(job *j, florin_error *err)
{
    const fl_crowd_options o = {.kind = j->kind,
                                .at_us = j->at_us,
                                .pool = j->pool,
                                .least = j->opt->least ? j->opt->least : 1};
    fl_known_crowd k;
    florin_status st = fl_known_crowd_new(&k, j->model, j->log, &o, j->ctx, err);

    if (st) return st;
    st = j->opt->segments ? segment_mode(j, &k, err) : entity_mode(j, &k, err);
    fl_known_crowd_free(&k);
    return st;
}

static florin_status check(const florin_similar_options *o, florin_error *err)
{
    if (!o || o->size < sizeof *o || !o->log || !o->model)
        return fl_fail(err, FLORIN_EUSAGE, "similar: log and model are needed");
    if ((o->entity != NULL) == (o->event != NULL))
        return fl_fail(err, FLORIN_EUSAGE, "similar: name either an entity's kind or an event");
    if (o->event && (o->id || o->judge || o->segments || o->at || o->pool || o->least))
        return fl_fail(err, FLORIN_EUSAGE,
                       "similar: an event goes with top and by alone; it has its own moment");
    if (o->entity && (o->id != NULL) + (o->judge != NULL) + (o->segments > 0) != 1)
        return fl_fail(err, FLORIN_EUSAGE,
                       "similar: say whom (--id ID), or ask for --segments K or --judge WHAT");
    if (o->segments > 64) return fl_fail(err, FLORIN_EUSAGE, "similar: segments: 2 to 64");
    return FLORIN_OK;
}

florin_status florin_similar(const florin_context *ctx, const florin_similar_options *opt,
                             florin_error *err)
{
    job j = {.opt = opt, .ctx = ctx, .kind = -1};
    florin_status st = check(opt, err);

    if (st) return st;
    st = fl_log_open(&j.log, opt->log, err);
    if (!st) j.at_us = fl_log_time_max(j.log) + 1;
    if (!st) st = read_words(&j, err);
    if (!st && opt->entity) st = find_kind(&j, err);
    if (!st) st = fl_model_open(&j.model, opt->model, opt->tier, err);
    if (!st) st = fl_schema_same(fl_model_schema(j.model), fl_log_schema(j.log), err);
    bool states =
        !st && fl_model_network(j.model) && (!opt->entity || fl_crowd_stream(j.model, j.kind) >= 0);
    if (!st && !opt->by) j.by = states ? FL_BY_EMBEDDING : FL_BY_FOLD;
    if (!st)
        st = opt->judge    ? judge_mode(&j, err)
             : opt->entity ? crowd_mode(&j, err)
                           : event_mode(&j, err);
    fl_model_close(j.model);
    fl_log_close(j.log);
    return st;
}
