/* YAML text to a tree with positions. Invariant: a tree is bounded in depth, nodes and bytes, and holds
 * no anchors, tags or duplicate keys, so nothing that the user wrote is silently dropped. */
#include "base/yaml.h"
#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <yaml.h>

enum { BYTES_MAX = 4 << 20, DEPTH_MAX = 32, NODES_MAX = 200000 };

/* One open list or map while the events arrive. Children are linked and put into arrays when it closes. */
typedef struct link {
    struct link *next;
    const char *key;
    fl_yaml *node;
} link;
typedef struct {
    fl_yaml *node;
    link *first, *last;
    const char *key; /* read, its value not yet */
} frame;

typedef struct {
    yaml_parser_t parser;
    fl_arena *arena;
    const char *file;
    florin_error *err;
    fl_yaml *root;
    frame stack[DEPTH_MAX];
    size_t depth, nodes, documents;
} reader;

static florin_status fail_at(const reader *r, yaml_mark_t at, const char *what, const char *more)
{
    return fl_fail(r->err, FLORIN_EINPUT, "%s:%zu:%zu: %s%s", r->file, at.line + 1, at.column + 1,
                   what, more);
}

static florin_status no_memory(const reader *r)
{
    return fl_fail(r->err, FLORIN_ENOMEM, "%s: out of memory", r->file);
}

static florin_status new_node(reader *r, fl_yaml **out, fl_yaml_kind kind, yaml_mark_t at)
{
    if (++r->nodes > NODES_MAX) return fail_at(r, at, "too many values in one file", "");
    fl_yaml *y = fl_arena_alloc(r->arena, sizeof *y);
    if (!y) return no_memory(r);
    y->kind = kind;
    y->line = (uint32_t)at.line + 1;
    y->column = (uint32_t)at.column + 1;
    y->file = r->file;
    *out = y;
    return FLORIN_OK;
}

/* Hang a finished or just opened node into the list or map around it. */
static florin_status attach(reader *r, fl_yaml *y, yaml_mark_t at)
{
    if (!r->depth) {
        r->root = y;
        return FLORIN_OK;
    }
    frame *f = &r->stack[r->depth - 1];
    if (f->node->kind == FL_YAML_MAP && !f->key) {
        if (y->kind != FL_YAML_SCALAR) return fail_at(r, at, "a key must be a plain word", "");
        for (const link *l = f->first; l; l = l->next)
            if (!strcmp(l->key, y->text))
                return fl_fail(
                    r->err, FLORIN_EINPUT,
                    "%s:%zu:%zu: key '%.64s' stands twice, first with its value in line %u "
                    "(remove one)",
                    r->file, at.line + 1, at.column + 1, y->text, l->node->line);
        f->key = y->text;
        return FLORIN_OK;
    }
    link *l = fl_arena_alloc(r->arena, sizeof *l);
    if (!l) return no_memory(r);
    l->key = f->key;
    l->node = y;
    f->key = NULL;
    if (f->last) f->last->next = l;
    else f->first = l;
    f->last = l;
    f->node->count++;
    return FLORIN_OK;
}

static florin_status open_node(reader *r, fl_yaml_kind kind, yaml_mark_t at)
{
    fl_yaml *y;
    florin_status st = new_node(r, &y, kind, at);
    if (!st && r->depth == DEPTH_MAX) st = fail_at(r, at, "nested too deeply", "");
    if (!st) st = attach(r, y, at);
    if (st) return st;
    r->stack[r->depth++] = (frame){.node = y};
    return FLORIN_OK;
}

static florin_status close_node(reader *r)
{
    frame *f = &r->stack[--r->depth];
    fl_yaml *y = f->node;
    uint32_t i = 0;

    if (!y->count) return FLORIN_OK;
    y->item = fl_arena_alloc(r->arena, y->count * sizeof *y->item);
    if (y->kind == FL_YAML_MAP) y->key = fl_arena_alloc(r->arena, y->count * sizeof *y->key);
    if (!y->item || (y->kind == FL_YAML_MAP && !y->key)) return no_memory(r);
    for (const link *l = f->first; l; l = l->next, i++) {
        y->item[i] = l->node;
        if (y->key) y->key[i] = l->key;
    }
    return FLORIN_OK;
}

static florin_status scalar(reader *r, const yaml_event_t *e)
{
    fl_yaml *y;
    const char *text = (const char *)e->data.scalar.value;
    florin_status st = new_node(r, &y, FL_YAML_SCALAR, e->start_mark);

    if (st) return st;
    if (strlen(text) != e->data.scalar.length)
        return fail_at(r, e->start_mark, "a value holds a NUL byte", "");
    y->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    y->text = fl_arena_strdup(r->arena, text);
    return y->text ? attach(r, y, e->start_mark) : no_memory(r);
}

static florin_status on_event(reader *r, const yaml_event_t *e)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++) return fail_at(r, e->start_mark, "only one document per file", "");
        return FLORIN_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(r, e->start_mark, "aliases (*name) are not supported", "");
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return close_node(r);
    default: return FLORIN_OK;
    }
    if (anchor) return fail_at(r, e->start_mark, "anchors (&name) are not supported", "");
    if (tag) return fail_at(r, e->start_mark, "tags (!name) are not supported", "");
    if (e->type == YAML_SCALAR_EVENT) return scalar(r, e);
    return open_node(r, e->type == YAML_MAPPING_START_EVENT ? FL_YAML_MAP : FL_YAML_LIST,
                     e->start_mark);
}

static florin_status fail_parse(const reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return no_memory(r);
    if (p->error == YAML_READER_ERROR)
        return fl_fail(r->err, FLORIN_EINPUT, "%s: byte %zu: %s (save the file as UTF-8)", r->file,
                       p->problem_offset, p->problem ? p->problem : "can't be read");
    return fl_fail(r->err, FLORIN_EINPUT, "%s:%zu:%zu: %s%s%s", r->file, p->problem_mark.line + 1,
                   p->problem_mark.column + 1, p->problem ? p->problem : "not YAML",
                   p->context ? " " : "", p->context ? p->context : "");
}

florin_status fl_yaml_parse(fl_arena *arena, fl_yaml **out, const char *text, size_t n,
                            const char *name, florin_error *err)
{
    reader r = {.arena = arena, .err = err, .file = fl_arena_strdup(arena, name)};
    florin_status st = FLORIN_OK;
    bool end = false;

    *out = NULL;
    if (!r.file) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    if (n > BYTES_MAX)
        return fl_fail(err, FLORIN_EINPUT, "%s: larger than %d bytes: not a settings file", name,
                       BYTES_MAX);
    if (!yaml_parser_initialize(&r.parser)) return no_memory(&r);
    yaml_parser_set_input_string(&r.parser, (const yaml_char_t *)text, n);
    while (!st && !end) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r.parser, &e)) {
            st = fail_parse(&r);
            break;
        }
        end = e.type == YAML_STREAM_END_EVENT;
        st = on_event(&r, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&r.parser);
    if (!st && !r.root) st = fl_fail(err, FLORIN_EINPUT, "%s: the file is empty", name);
    if (!st) *out = r.root;
    return st;
}

florin_status fl_yaml_load(fl_arena *arena, fl_yaml **out, const char *path, florin_error *err)
{
    char *text;
    size_t n;

    *out = NULL;
    florin_status st = fl_read_file(&text, &n, path, BYTES_MAX, err);
    if (st) return st;
    st = fl_yaml_parse(arena, out, text, n, path, err);
    free(text);
    return st;
}

const fl_yaml *fl_yaml_get(const fl_yaml *y, const char *key)
{
    if (!y || y->kind != FL_YAML_MAP) return NULL;
    for (uint32_t i = 0; i < y->count; i++)
        if (!strcmp(y->key[i], key)) return y->item[i];
    return NULL;
}

florin_status fl_yaml_fail(const fl_yaml *y, florin_error *err, const char *fmt, ...)
{
    char what[768];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return fl_fail(err, FLORIN_EINPUT, "%s:%u:%u: %s", y->file, y->line, y->column, what);
}

florin_status fl_yaml_only(const fl_yaml *y, const char *const *known, size_t n, florin_error *err)
{
    if (y->kind != FL_YAML_MAP) return fl_yaml_fail(y, err, "'key: value' pairs are needed here");
    for (uint32_t i = 0; i < y->count; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) found = !strcmp(known[k], y->key[i]);
        if (found) continue;
        const char *near = fl_nearest(y->key[i], known, n);
        if (near)
            return fl_yaml_fail(y->item[i], err, "unknown key '%.64s': did you mean '%s'?",
                                y->key[i], near);
        fl_buf list = {0};
        for (size_t k = 0; k < n; k++) fl_buf_printf(&list, "%s%s", k ? ", " : "", known[k]);
        florin_status st = fl_yaml_fail(y->item[i], err, "unknown key '%.64s' (known here: %s)",
                                        y->key[i], list.data ? list.data : "");
        fl_buf_free(&list);
        return st;
    }
    return FLORIN_OK;
}

/* The scalar under key, NULL when absent (or a plain empty value, ~ or null). */
static florin_status scalar_at(const fl_yaml *map, const char *key, const fl_yaml **out,
                               florin_error *err)
{
    const fl_yaml *y = fl_yaml_get(map, key);

    *out = NULL;
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(y, err, "'%s' needs one value, not a %s", key,
                            y->kind == FL_YAML_LIST ? "list" : "map");
    if (y->quoted || (y->text[0] && strcmp(y->text, "~") && strcmp(y->text, "null"))) *out = y;
    return FLORIN_OK;
}

florin_status fl_yaml_str(const fl_yaml *map, const char *key, const char **out, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (!st && y) *out = y->text;
    return st;
}

florin_status fl_yaml_num(const fl_yaml *map, const char *key, double *out, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (st || !y) return st;
    char *end;
    double v = strtod(y->text, &end);
    if (end == y->text || *end || !isfinite(v) || strpbrk(y->text, "xXnN \t"))
        return fl_yaml_fail(y, err, "'%s' needs a number, not '%.64s'", key, y->text);
    *out = v;
    return FLORIN_OK;
}

florin_status fl_yaml_int(const fl_yaml *map, const char *key, int64_t *out, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (st || !y) return st;
    char *end;
    errno = 0;
    long long v = strtoll(y->text, &end, 10);
    if (end == y->text || *end || errno)
        return fl_yaml_fail(y, err, "'%s' needs a whole number, not '%.64s'", key, y->text);
    *out = v;
    return FLORIN_OK;
}

florin_status fl_yaml_bool(const fl_yaml *map, const char *key, bool *out, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (st || !y) return st;
    bool yes = !strcmp(y->text, "true") || !strcmp(y->text, "yes");
    if (!yes && strcmp(y->text, "false") && strcmp(y->text, "no"))
        return fl_yaml_fail(y, err, "'%s' needs true or false, not '%.64s'", key, y->text);
    *out = yes;
    return FLORIN_OK;
}

florin_status fl_yaml_time(const fl_yaml *map, const char *key, int64_t *time_us, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (st || !y) return st;
    if (!fl_time_parse(y->text, time_us))
        return fl_yaml_fail(y, err,
                            "'%s' needs a time such as 2018-08-01 or 2018-08-01 12:30, not '%.64s'",
                            key, y->text);
    return FLORIN_OK;
}

florin_status fl_yaml_duration(const fl_yaml *map, const char *key, int64_t *us, florin_error *err)
{
    const fl_yaml *y;
    florin_status st = scalar_at(map, key, &y, err);
    if (st || !y) return st;
    if (!fl_duration_parse(y->text, us))
        return fl_yaml_fail(
            y, err, "'%s' needs a duration such as 7d, 12h, 30m or 45s, not '%.64s'", key, y->text);
    return FLORIN_OK;
}
