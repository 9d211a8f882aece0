/* Bodies: lines of a file, rows of a CSV file by the server's schema, or made up by it. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "scan.h"

enum { COLUMNS = 128, NAMES = 128, CATEGORY_VALUES = 20 };
typedef enum { SKIP, ID, TIME, AMOUNT, CURRENCY, TYPE, ENTITY, CATEGORY, NUMBER, MARK } column_kind;

typedef struct {
    char name[64];
    column_kind kind;
} column;

struct load_source {
    const load_options *o;
    FILE *file;
    char *line, *cell[COLUMNS];
    size_t room;
    column column[COLUMNS], schema[NAMES];
    uint32_t columns, names;
    bool csv;
    uint64_t row, random;
};

static florin_status fail(florin_error *err, florin_status st, const char *what, const char *why)
{
    err->status = st;
    snprintf(err->message, sizeof err->message, "%s: %s", what, why);
    return st;
}

static uint64_t draw(load_source *s, uint64_t below)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (s->random >> 33) % below;
}

/* --- the server's schema --- */

static void add_name(load_source *s, const char *name, uint32_t n, column_kind kind)
{
    if (s->names == NAMES || n >= sizeof s->schema[0].name) return;
    column *c = &s->schema[s->names++];
    memcpy(c->name, name, n);
    c->name[n] = 0;
    c->kind = kind;
}

static bool read_schema(load_source *s, char *text_at, size_t n)
{
    scan sc;
    const char *key, *word;
    uint32_t key_n, word_n;
    scan_begin(&sc, text_at, n);
    if (!scan_enter(&sc, SCAN_OBJECT)) return false;
    while (scan_key(&sc, &key, &key_n)) {
        column_kind kind = SCAN_IS(key, key_n, "entities")     ? ENTITY
                           : SCAN_IS(key, key_n, "categories") ? CATEGORY
                           : SCAN_IS(key, key_n, "numbers")    ? NUMBER
                           : SCAN_IS(key, key_n, "marks")      ? MARK
                                                               : SKIP;
        if (kind == SKIP) {
            scan_skip(&sc);
            continue;
        }
        if (!scan_enter(&sc, SCAN_ARRAY)) return false;
        while (scan_item(&sc))
            if (scan_string(&sc, &word, &word_n)) add_name(s, word, word_n, kind);
    }
    return !sc.fault && s->names;
}

/* --- a CSV file --- */

/* Cells of the line, in place; quotes undone. False: a quote without its end. */
static bool split(load_source *s, uint32_t *n)
{
    char *p = s->line;
    for (*n = 0; *n < COLUMNS; ++*n) {
        char *to = p;
        s->cell[*n] = p;
        if (*p == '"') {
            for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
                if (*p == '"') p++;
                *to++ = *p;
            }
            if (!*p++) return false;
        } else {
            while (*p && *p != ',') p++;
            to = p;
        }
        bool more = *p == ',';
        *to = 0;
        if (!more) {
            ++*n;
            return true;
        }
        p++;
    }
    return true;
}

static bool read_line(load_source *s)
{
    ssize_t n = getline(&s->line, &s->room, s->file);
    if (n < 0) return false;
    while (n && (s->line[n - 1] == '\n' || s->line[n - 1] == '\r')) s->line[--n] = 0;
    s->row++;
    return true;
}

/* The name that a column goes by: its own, unless --as gives another. */
static void name_column(const load_source *s, const char *cell, column *c)
{
    size_t n = strlen(cell);
    const char *name = cell;
    for (const char *const *as = s->o->as; as && *as; as++)
        if (!strncmp(*as, cell, n) && (*as)[n] == '=') name = *as + n + 1;
    snprintf(c->name, sizeof c->name, "%s", name);
}

static void kind_column(const load_source *s, column *c)
{
    static const struct {
        const char *name;
        column_kind kind;
    } own[] = {
        {"id", ID}, {"time", TIME}, {"amount", AMOUNT}, {"currency", CURRENCY}, {"type", TYPE}};
    c->kind = SKIP;
    for (uint32_t i = 0; i < s->names; i++)
        if (!strcmp(s->schema[i].name, c->name)) c->kind = s->schema[i].kind;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!strcmp(own[i].name, c->name)) c->kind = own[i].kind;
    if (c->kind == TIME && !s->o->keep_time) c->kind = SKIP;
}

static florin_status read_header(load_source *s, const florin_context *ctx, florin_error *err)
{
    char line[256];
    uint32_t n, used = 0;
    if (!read_line(s) || !split(s, &n))
        return fail(err, FLORIN_EINPUT, s->o->file, "no header row");
    s->columns = n;
    for (uint32_t i = 0; i < n; i++) {
        name_column(s, s->cell[i], &s->column[i]);
        kind_column(s, &s->column[i]);
        used += s->column[i].kind != SKIP;
        snprintf(line, sizeof line, "column '%.60s' is left out: no field of the server's schema",
                 s->column[i].name);
        if (s->column[i].kind == SKIP && strcmp(s->column[i].name, "time") && ctx->log)
            ctx->log(ctx->user, FLORIN_LOG_INFO, line);
    }
    return used ? FLORIN_OK
                : fail(err, FLORIN_EINPUT, s->o->file,
                       "no column has a name of the server's schema: --as COLUMN=NAME");
}

/* "12.34" in minor units of two decimals. */
static void write_amount(text *t, const char *cell)
{
    double v = strtod(cell, NULL);
    text_signed(t, (int64_t)(v * 100 + (v < 0 ? -.5 : .5)));
}

/* "2025-01-01 04:06:56.634" as RFC 3339 */
static void write_time(text *t, const char *cell)
{
    char fixed[48];
    snprintf(fixed, sizeof fixed, "%.40s%s", cell, strchr(cell, 'Z') ? "" : "Z");
    if (strlen(fixed) > 10 && fixed[10] == ' ') fixed[10] = 'T';
    text_json_str(t, fixed);
}

static void write_cell(text *t, const column *c, const char *cell, const char **comma)
{
    if (!cell[0] || c->kind == SKIP) return;
    text_add(t, *comma);
    *comma = ",";
    text_json_str(t, c->name);
    text_char(t, ':');
    switch (c->kind) {
    case AMOUNT: write_amount(t, cell); break;
    case TIME: write_time(t, cell); break;
    case NUMBER: text_add(t, cell); break;
    case MARK:
        text_add(t, !strcmp(cell, "1") || !strcasecmp(cell, "true") ? "true" : "false");
        break;
    default: text_json_str(t, cell);
    }
}

static bool next_row(load_source *s, text *body)
{
    uint32_t n;
    const char *comma = "";
    do
        if (!read_line(s)) return false;
    while (!split(s, &n) || n != s->columns); /* blank and broken rows are passed over */
    text_put(body, "{\"payment\":{");
    for (uint32_t i = 0; i < n; i++) write_cell(body, &s->column[i], s->cell[i], &comma);
    text_put(body, "}}");
    return true;
}

/* --- made up --- */

static void make_up(load_source *s, text *body)
{
    size_t from = body->n;
    text_put(body, "{\"payment\":{\"id\":\"l");
    text_unsigned(body, (uint64_t)s->o->seed);
    text_char(body, '-');
    text_unsigned(body, ++s->row);
    text_put(body, "\",\"amount\":");
    text_unsigned(body, 100 + draw(s, 20000));
    for (uint32_t i = 0; i < s->names; i++) {
        const column *c = &s->schema[i];
        if (c->kind != CATEGORY || strstr(c->name, "response")) continue;
        text_put(body, ",\"");
        text_add(body, c->name);
        text_put(body, "\":\"value-");
        text_unsigned(body, draw(s, CATEGORY_VALUES));
        text_char(body, '"');
    }
    text_char(body, '}');
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < s->names && kinds < 2; i++) {
        const column *c = &s->schema[i];
        if (c->kind != ENTITY) continue;
        kinds++;
        text_put(body, ",\"");
        text_add(body, c->name);
        text_put(body, "\":{\"id\":\"");
        text_unsigned(body, i);
        text_char(body, '-');
        text_unsigned(body, draw(s, (uint64_t)s->o->entities));
        text_put(body, "\"}");
    }
    text_put(body, ",\"metadata\":{\"order\":\"");
    text_unsigned(body, s->row);
    text_put(body, "\",\"channel\":\"web\",\"note\":\"");
    while ((int64_t)(body->n - from) < s->o->pad_to - 3 && text_room(body, 1)) text_char(body, 'x');
    text_put(body, "\"}}");
}

static bool next_one(load_source *s, text *body)
{
    if (!s->file) {
        make_up(s, body);
        return true;
    }
    if (s->csv) return next_row(s, body);
    if (!read_line(s)) return false;
    text_add(body, s->line);
    return true;
}

bool load_source_next(load_source *s, text *body)
{
    if (s->o->per_request < 2) return next_one(s, body);
    text_put(body, "{\"evaluations\":[");
    for (int64_t i = 0; i < s->o->per_request; i++) {
        if (i) text_char(body, ',');
        size_t before = body->n;
        if (next_one(s, body)) continue;
        if (!i) return false;
        body->n = before - 1;
        break;
    }
    text_put(body, "]}");
    return true;
}

florin_status load_source_open(load_source **out, const load_options *o, char *schema, size_t n,
                               const florin_context *ctx, florin_error *err)
{
    *out = NULL;
    load_source *s = calloc(1, sizeof *s);
    if (!s) return fail(err, FLORIN_ENOMEM, "load", "out of memory");
    s->o = o;
    s->random = (uint64_t)o->seed * 2 + 1;
    florin_status st = read_schema(s, schema, n)
                           ? FLORIN_OK
                           : fail(err, FLORIN_EIO, o->url, "GET /v1/schema: no schema came");
    if (!st && o->file) {
        const char *dot = strrchr(o->file, '.');
        s->csv = dot && !strcmp(dot, ".csv");
        s->file = fopen(o->file, "re");
        if (!s->file) st = fail(err, FLORIN_EIO, o->file, strerror(errno));
        else if (s->csv) st = read_header(s, ctx, err);
    }
    if (st) load_source_close(s);
    else *out = s;
    return st;
}

void load_source_close(load_source *s)
{
    if (!s) return;
    if (s->file) fclose(s->file);
    free(s->line);
    free(s);
}
