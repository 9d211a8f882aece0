/* The schema's canonical JSON: what logs and models carry. Reading it back gives an equal schema. */
#include "data/schema.h"
#include <stdio.h>

static bool put(json_t *o, const char *key, json_t *v)
{
    return v && !json_object_set_new(o, key, v);
}

static bool put_text(json_t *o, const char *key, const char *text)
{
    return !text || put(o, key, json_string(text));
}

static bool put_expr(json_t *o, const char *key, const fl_expr *e)
{
    if (!e->sql) return true;
    json_t *j = json_object();
    bool ok = j && put_text(j, "sql", e->sql) && put_text(j, "column", e->column);
    return put(o, key, j) && ok;
}

/* Named expressions of one family, only those that are set. */
static bool put_exprs(json_t *o, const char *key, const fl_expr *e, const char *names,
                      size_t stride, uint32_t n)
{
    json_t *j = json_object();
    bool ok = j != NULL;
    for (uint32_t i = 0; i < n && ok; i++) ok = put_expr(j, names + i * stride, &e[i]);
    return put(o, key, j) && ok;
}

static bool put_labels(json_t *o, const fl_schema *s, const fl_source *src)
{
    json_t *list = json_object();
    bool ok = list != NULL;
    for (uint32_t i = 0; i < s->labels && ok; i++) {
        if (!src->label[i].value.sql && src->label_of != (int)i) continue;
        json_t *l = json_object();
        ok = l && put_expr(l, "value", &src->label[i].value) &&
             put_expr(l, "arrival", &src->label[i].arrival) &&
             put(l, "delay_us", json_integer(src->label[i].delay_us));
        ok = put(list, s->label[i].name, l) && ok;
    }
    return put(o, "labels", list) && ok;
}

static bool put_join(json_t *o, const fl_source *src)
{
    if (!src->join.file) return true;
    json_t *j = json_object(), *list = json_array();
    bool ok = j && put_text(j, "file", src->join.file) && put_text(j, "table", src->join.table) &&
              put_text(j, "on", src->join.on) && put_text(j, "key", src->join.key);
    for (uint32_t f = 0; f < src->join.fields && ok; f++)
        ok = !json_array_append_new(list, json_string(src->join.field[f]));
    ok = put(j, "fields", list) && ok;
    return put(o, "join", j) && ok;
}

static json_t *source_json(const fl_schema *s, const fl_source *src)
{
    json_t *o = json_object();
    bool ok =
        o && put_text(o, "name", src->name) && put_text(o, "file", src->file) &&
        put_text(o, "table", src->table) && put_text(o, "format", src->format) &&
        put_text(o, "delimiter", src->delimiter) && put_join(o, src) &&
        put(o, "header", json_boolean(src->header)) && put_text(o, "where", src->where) &&
        put_text(o, "time_format", src->time_format) && put_expr(o, "id", &src->id) &&
        put_expr(o, "time", &src->time) && put_expr(o, "amount", &src->amount) &&
        put_expr(o, "currency", &src->currency) &&
        put_exprs(o, "entities", src->entity, s->kind[0].name, sizeof s->kind[0], s->kinds) &&
        put_exprs(o, "categories", src->category, s->category[0].name, sizeof s->category[0],
                  s->categories) &&
        put_exprs(o, "numbers", src->number, s->number[0].name, sizeof s->number[0], s->numbers) &&
        put_exprs(o, "texts", src->text, s->text[0].name, sizeof s->text[0], s->texts) &&
        put_exprs(o, "marks", src->mark, s->mark[0].name, sizeof s->mark[0], s->marks) &&
        put_labels(o, s, src) && put(o, "label_of", json_integer(src->label_of)) &&
        put(o, "label_event", json_integer(src->label_event)) && put_expr(o, "of", &src->of) &&
        put_expr(o, "of_value", &src->of_value);
    if (ok) return o;
    json_decref(o);
    return NULL;
}

static bool put_fields(json_t *o, const char *key, const fl_field *f, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < n; i++)
        if (json_array_append_new(list,
                                  json_pack("{s:s, s:b}", "name", f[i].name, "after", f[i].after)))
            return false;
    return put(o, key, list);
}

static bool put_names(json_t *o, const char *key, const fl_name *f, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < n; i++)
        if (json_array_append_new(list, json_string(f[i].name))) return false;
    return put(o, key, list);
}

json_t *fl_schema_to_json(const fl_schema *s)
{
    json_t *o = json_object(), *kinds = json_array(), *pairs = json_array(),
           *sources = json_array();
    bool ok = o && kinds && pairs && sources;
    for (uint32_t i = 0; i < s->kinds && ok; i++)
        ok = !json_array_append_new(
            kinds, json_pack("{s:s, s:i}", "name", s->kind[i].name, "role", (int)s->kind[i].role));
    for (uint32_t i = 0; i < s->pairs && ok; i++)
        ok = !json_array_append_new(pairs, json_pack("[i, i]", s->pair[i].a, s->pair[i].b));
    for (uint32_t i = 0; i < s->sources && ok; i++)
        ok = !json_array_append_new(sources, source_json(s, &s->source[i]));
    ok = ok && put_text(o, "name", s->name) && put_text(o, "currency", s->currency) &&
         put_text(o, "time_zone", s->time_zone) && put_text(o, "hash_key", s->hash_key) &&
         put(o, "card_numbers", json_boolean(s->card_numbers)) &&
         put_fields(o, "categories", s->category, s->categories) &&
         put_fields(o, "numbers", s->number, s->numbers) &&
         put_names(o, "texts", s->text, s->texts) && put_names(o, "labels", s->label, s->labels) &&
         put_names(o, "marks", s->mark, s->marks) &&
         put(o, "risk_label", json_integer(s->risk_label));
    ok = put(o, "entities", kinds) && ok;
    ok = put(o, "pairs", pairs) && ok;
    ok = put(o, "sources", sources) && ok;
    if (ok) return o;
    json_decref(o);
    return NULL;
}

/* ---- back ---- */

typedef struct {
    fl_schema *s;
    const char *file;
    florin_error *err;
    florin_status st;
} reader;

static void bad(reader *r, const char *what)
{
    if (!r->st)
        r->st = fl_fail(r->err, FLORIN_EFORMAT, "%s: its schema is damaged (%s)", r->file, what);
}

static const char *get_text(reader *r, const json_t *o, const char *key)
{
    const char *t = fl_json_str(o, key, NULL);
    return t ? fl_arena_strdup(r->s->arena, t) : NULL;
}

static void get_name(reader *r, char out[FL_NAME_MAX], const json_t *j, const char *what)
{
    const char *t = json_string_value(j);
    if (!t || !*t || strlen(t) >= FL_NAME_MAX) bad(r, what);
    else snprintf(out, FL_NAME_MAX, "%s", t);
}

static void get_expr(reader *r, fl_expr *e, const json_t *o, const char *key)
{
    const json_t *j = json_object_get(o, key);
    if (!j) return;
    e->sql = get_text(r, j, "sql");
    e->column = get_text(r, j, "column");
    if (!e->sql) bad(r, key);
}

static void get_exprs(reader *r, fl_expr *e, const char *names, size_t stride, uint32_t n,
                      const json_t *o, const char *key)
{
    const json_t *j = json_object_get(o, key);
    for (uint32_t i = 0; i < n; i++) get_expr(r, &e[i], j, names + i * stride);
}

static int get_index(reader *r, const json_t *o, const char *key, uint32_t n)
{
    int64_t i = fl_json_int(o, key, -1);
    if (i < -1 || i >= (int64_t)n) bad(r, key);
    return (int)i;
}

static void get_join(reader *r, fl_source *src, const json_t *j)
{
    if (!j) return;
    const json_t *list = json_object_get(j, "fields");
    src->join.file = get_text(r, j, "file");
    src->join.table = get_text(r, j, "table");
    src->join.on = get_text(r, j, "on");
    src->join.key = get_text(r, j, "key");
    size_t n = json_array_size(list);
    if (!src->join.file || !src->join.on || !src->join.key || !n || n > FL_JOIN_FIELDS_MAX) {
        bad(r, "join");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *t = json_string_value(json_array_get(list, i));
        if (!t) bad(r, "join");
        else src->join.field[src->join.fields++] = fl_arena_strdup(r->s->arena, t);
    }
}

static void get_source(reader *r, fl_source *src, const json_t *o)
{
    fl_schema *s = r->s;
    src->name = get_text(r, o, "name");
    if (!src->name) bad(r, "a source has no name");
    src->file = get_text(r, o, "file");
    src->table = get_text(r, o, "table");
    src->format = get_text(r, o, "format");
    src->delimiter = get_text(r, o, "delimiter");
    src->header = fl_json_bool(o, "header", true);
    get_join(r, src, json_object_get(o, "join"));
    src->where = get_text(r, o, "where");
    src->time_format = get_text(r, o, "time_format");
    get_expr(r, &src->id, o, "id");
    get_expr(r, &src->time, o, "time");
    get_expr(r, &src->amount, o, "amount");
    get_expr(r, &src->currency, o, "currency");
    get_exprs(r, src->entity, s->kind[0].name, sizeof s->kind[0], s->kinds, o, "entities");
    get_exprs(r, src->category, s->category[0].name, sizeof s->category[0], s->categories, o,
              "categories");
    get_exprs(r, src->number, s->number[0].name, sizeof s->number[0], s->numbers, o, "numbers");
    get_exprs(r, src->text, s->text[0].name, sizeof s->text[0], s->texts, o, "texts");
    get_exprs(r, src->mark, s->mark[0].name, sizeof s->mark[0], s->marks, o, "marks");
    const json_t *labels = json_object_get(o, "labels");
    for (uint32_t i = 0; i < s->labels; i++) {
        const json_t *l = json_object_get(labels, s->label[i].name);
        get_expr(r, &src->label[i].value, l, "value");
        get_expr(r, &src->label[i].arrival, l, "arrival");
        src->label[i].delay_us = fl_json_int(l, "delay_us", 0);
    }
    src->label_of = get_index(r, o, "label_of", s->labels);
    src->label_event = get_index(r, o, "label_event", s->sources);
    get_expr(r, &src->of, o, "of");
    get_expr(r, &src->of_value, o, "of_value");
}

static uint32_t list_size(reader *r, const json_t *o, const char *key, uint32_t max)
{
    size_t n = json_array_size(json_object_get(o, key));
    if (n > max) bad(r, key);
    return n > max ? 0 : (uint32_t)n;
}

static void get_fields(reader *r, fl_field *f, uint32_t n, const json_t *o, const char *key)
{
    for (uint32_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(json_object_get(o, key), i);
        get_name(r, f[i].name, json_object_get(j, "name"), key);
        f[i].after = fl_json_bool(j, "after", false);
    }
}

static void get_names(reader *r, fl_name *f, uint32_t n, const json_t *o, const char *key)
{
    for (uint32_t i = 0; i < n; i++)
        get_name(r, f[i].name, json_array_get(json_object_get(o, key), i), key);
}

static void get_entities(reader *r, const json_t *j)
{
    fl_schema *s = r->s;
    for (uint32_t i = 0; i < s->kinds; i++) {
        const json_t *k = json_array_get(json_object_get(j, "entities"), i);
        get_name(r, s->kind[i].name, json_object_get(k, "name"), "entities");
        int64_t role = fl_json_int(k, "role", 0);
        if (role < FL_ROLE_OTHER || role > FL_ROLE_PAYEE) bad(r, "role");
        else s->kind[i].role = (fl_role)role;
    }
    for (uint32_t i = 0; i < s->pairs; i++) {
        const json_t *p = json_array_get(json_object_get(j, "pairs"), i);
        json_int_t a = json_integer_value(json_array_get(p, 0)),
                   b = json_integer_value(json_array_get(p, 1));
        if (a < 0 || b < 0 || a >= s->kinds || b >= s->kinds) bad(r, "pairs");
        else s->pair[i] = (fl_pair){(uint8_t)a, (uint8_t)b};
    }
}

florin_status fl_schema_from_json(fl_schema **out, const json_t *j, const char *name,
                                  florin_error *err)
{
    *out = NULL;
    fl_arena *arena = fl_arena_new(16384);
    fl_schema *s = arena ? fl_arena_alloc(arena, sizeof *s) : NULL;
    if (!s) {
        fl_arena_free(arena);
        return fl_fail(err, FLORIN_ENOMEM, "%s: schema", name);
    }
    s->arena = arena;
    reader r = {s, name, err, FLORIN_OK};
    if (!json_is_object(j)) bad(&r, "missing");
    snprintf(s->name, sizeof s->name, "%s", fl_json_str(j, "name", ""));
    snprintf(s->currency, sizeof s->currency, "%.3s", fl_json_str(j, "currency", ""));
    s->time_zone = get_text(&r, j, "time_zone");
    s->hash_key = get_text(&r, j, "hash_key");
    s->card_numbers = fl_json_bool(j, "card_numbers", false);
    s->kinds = list_size(&r, j, "entities", FL_KINDS_MAX);
    s->pairs = list_size(&r, j, "pairs", FL_PAIRS_MAX);
    s->categories = list_size(&r, j, "categories", FL_CATEGORIES_MAX);
    s->numbers = list_size(&r, j, "numbers", FL_NUMBERS_MAX);
    s->texts = list_size(&r, j, "texts", FL_TEXTS_MAX);
    s->labels = list_size(&r, j, "labels", FL_LABELS_MAX);
    s->marks = list_size(&r, j, "marks", FL_MARKS_MAX);
    s->sources = list_size(&r, j, "sources", FL_SOURCES_MAX);
    get_entities(&r, j);
    get_fields(&r, s->category, s->categories, j, "categories");
    get_fields(&r, s->number, s->numbers, j, "numbers");
    get_names(&r, s->text, s->texts, j, "texts");
    get_names(&r, s->label, s->labels, j, "labels");
    get_names(&r, s->mark, s->marks, j, "marks");
    s->risk_label = get_index(&r, j, "risk_label", s->labels);
    for (uint32_t i = 0; i < s->sources; i++)
        get_source(&r, &s->source[i], json_array_get(json_object_get(j, "sources"), i));
    if (r.st) fl_schema_free(s);
    else *out = s;
    return r.st;
}
