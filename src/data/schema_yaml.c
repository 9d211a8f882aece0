/* The schema's YAML: what a user writes. Every mistake names file, line, column and the nearest right word. The
 * language is described in docs/schema.md. Invariant: a schema that loads is complete and within schema.h's limits. */
#include "data/schema.h"
#include "base/file.h"
#include "base/yaml.h"
#include <stdio.h>

typedef struct {
    fl_schema *s;
    florin_error *err;
} loader;

static char *text(loader *l, const char *fmt, ...) FL_PRINTF(2, 3);
static char *text(loader *l, const char *fmt, ...)
{
    char buf[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(buf, sizeof buf, fmt, ap);
    va_end(ap);
    return fl_arena_strdup(l->s->arena, buf);
}

/* "raw:X" as an SQL identifier; a quote in the name is doubled. */
static const char *quoted(loader *l, const char *prefix, const char *column, char quote)
{
    fl_buf b = {0};
    fl_buf_quoted(&b, quote, prefix, column);
    const char *out = b.failed ? NULL : fl_arena_strdup(l->s->arena, b.data);
    fl_buf_free(&b);
    return out;
}

static florin_status plain_column(loader *l, fl_expr *e, const char *column)
{
    const char **list = fl_arena_alloc(l->s->arena, 2 * sizeof *list);
    e->column = column;
    e->sql = quoted(l, "raw:", column, '"');
    if (!list || !e->sql) return fl_fail(l->err, FLORIN_ENOMEM, "schema");
    list[0] = column;
    e->columns = list;
    return FLORIN_OK;
}

static florin_status strip_expr(loader *l, fl_expr *e, const char *strip)
{
    while (*strip) { /* character by character, not byte by byte */
        char one[5] = {0};
        size_t n = 1;
        while (n < 4 && ((unsigned char)strip[n] & 0xc0) == 0x80) n++;
        memcpy(one, strip, n);
        strip += n;
        const char *q = quoted(l, "", one, '\'');
        if (q) e->sql = text(l, "replace(%s, %s, '')", e->sql, q);
        if (!q || !e->sql) return fl_fail(l->err, FLORIN_ENOMEM, "schema");
    }
    return FLORIN_OK;
}

/* "1.234,56": blanks and points stand between thousands, the comma before the fraction. */
static florin_status decimal_expr(loader *l, fl_expr *e, const fl_yaml *at, const char *decimal)
{
    if (!strcmp(decimal, ".")) return FLORIN_OK;
    if (strcmp(decimal, ","))
        return fl_yaml_fail(at, l->err,
                            "decimal '%s': the sign before the fraction, \",\" or \".\"", decimal);
    e->sql = text(l, "replace(replace(replace(%s, '.', ''), ' ', ''), ',', '.')", e->sql);
    return e->sql ? FLORIN_OK : fl_fail(l->err, FLORIN_ENOMEM, "schema");
}

static florin_status joined_columns(loader *l, fl_expr *e, const fl_yaml *list, const char *between)
{
    if (list->kind != FL_YAML_LIST || !list->count)
        return fl_yaml_fail(list, l->err, "columns: needs a list of column names");
    const char **names = fl_arena_alloc(l->s->arena, (list->count + 1) * sizeof *names);
    if (!names) return fl_fail(l->err, FLORIN_ENOMEM, "schema");
    fl_buf sql = {0}, shown = {0};
    fl_buf_printf(&sql, "concat_ws('%s'", between);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->item[i]->kind != FL_YAML_SCALAR) {
            fl_buf_free(&sql);
            fl_buf_free(&shown);
            return fl_yaml_fail(list->item[i], l->err, "columns: needs column names");
        }
        names[i] = list->item[i]->text;
        const char *q = quoted(l, "raw:", names[i], '"');
        fl_buf_printf(&sql, ", %s", q ? q : "");
        fl_buf_printf(&shown, "%s%s", i ? " + " : "", names[i]);
    }
    fl_buf_puts(&sql, ")");
    bool ok = !sql.failed && !shown.failed;
    if (ok) {
        e->sql = fl_arena_strdup(l->s->arena, sql.data);
        e->column = fl_arena_strdup(l->s->arena, shown.data);
        e->columns = names;
    }
    fl_buf_free(&sql);
    fl_buf_free(&shown);
    return ok && e->sql && e->column ? FLORIN_OK : fl_fail(l->err, FLORIN_ENOMEM, "schema");
}

/* A column name, {column: X, strip: "$,", decimal: ","}, {columns: [A, B]} or {sql: "..."}; extra: keys that the caller
 * reads. */
static florin_status expr(loader *l, fl_expr *e, const fl_yaml *y, const char *between,
                          const char *const *extra, size_t extras)
{
    const char *known[12] = {"column", "columns", "sql", "strip", "decimal"};
    memset(e, 0, sizeof *e);
    e->line = y->line;
    if (y->kind == FL_YAML_SCALAR) {
        if (!*y->text) return fl_yaml_fail(y, l->err, "needs a column name");
        return plain_column(l, e, y->text);
    }
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "needs a column name, or {column: X} or {sql: \"...\"}");
    for (size_t i = 0; i < extras; i++) known[5 + i] = extra[i];
    florin_status st = fl_yaml_only(y, known, 5 + extras, l->err);
    const char *column = NULL, *sql = NULL, *strip = NULL, *decimal = NULL;
    const fl_yaml *columns = fl_yaml_get(y, "columns");
    if (!st) st = fl_yaml_str(y, "column", &column, l->err);
    if (!st) st = fl_yaml_str(y, "sql", &sql, l->err);
    if (!st) st = fl_yaml_str(y, "strip", &strip, l->err);
    if (!st) st = fl_yaml_str(y, "decimal", &decimal, l->err);
    if (st) return st;
    if ((column != NULL) + (sql != NULL) + (columns != NULL) != 1)
        return fl_yaml_fail(y, l->err, "needs exactly one of column, columns, sql");
    if (columns) return joined_columns(l, e, columns, between);
    if (column) {
        st = plain_column(l, e, column);
        if (!st && strip) st = strip_expr(l, e, strip);
        return st || !decimal ? st : decimal_expr(l, e, fl_yaml_get(y, "decimal"), decimal);
    }
    e->sql = sql;
    e->column = sql;
    return FLORIN_OK;
}

static florin_status check_name(loader *l, const fl_yaml *at, const char *name)
{
    if (!*name || strlen(name) >= FL_NAME_MAX)
        return fl_yaml_fail(at, l->err, "'%s': a name has 1 to %d characters", name,
                            FL_NAME_MAX - 1);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        strlen(name))
        return fl_yaml_fail(at, l->err, "'%s': a name has letters, digits, _ and - only", name);
    return FLORIN_OK;
}

static florin_status too_many(loader *l, const fl_yaml *at, const char *what, int max)
{
    return fl_yaml_fail(at, l->err, "more than %d %s", max, what);
}

static florin_status load_entities(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"role"};
    fl_schema *s = l->s;
    if (!y || y->kind != FL_YAML_MAP || !y->count)
        return fl_yaml_fail(y, l->err, "entities: needs at least one, as `card: {role: payer}`");
    for (uint32_t i = 0; i < y->count; i++) {
        const fl_yaml *v = y->item[i];
        if (s->kinds == FL_KINDS_MAX) return too_many(l, v, "entity kinds", FL_KINDS_MAX);
        florin_status st = check_name(l, v, y->key[i]);
        const char *role = "other";
        if (!st && v->kind == FL_YAML_MAP) st = fl_yaml_only(v, known, 1, l->err);
        if (!st && v->kind == FL_YAML_MAP) st = fl_yaml_str(v, "role", &role, l->err);
        if (!st && v->kind == FL_YAML_SCALAR && *v->text) role = v->text;
        if (st) return st;
        fl_kind *k = &s->kind[s->kinds++];
        snprintf(k->name, sizeof k->name, "%s", y->key[i]);
        if (!strcmp(role, "payer")) k->role = FL_ROLE_PAYER;
        else if (!strcmp(role, "payee")) k->role = FL_ROLE_PAYEE;
        else if (strcmp(role, "other"))
            return fl_yaml_fail(v, l->err, "role '%s': payer, payee or other", role);
        for (uint32_t j = 0; k->role != FL_ROLE_OTHER && j + 1 < s->kinds; j++)
            if (s->kind[j].role == k->role)
                return fl_yaml_fail(v, l->err, "two entity kinds with role %s", role);
    }
    return FLORIN_OK;
}

static florin_status load_pairs(loader *l, const fl_yaml *y)
{
    fl_schema *s = l->s;
    for (uint32_t i = 0; y && i < y->count; i++) {
        const fl_yaml *p = y->item[i];
        if (s->pairs == FL_PAIRS_MAX) return too_many(l, p, "pairs", FL_PAIRS_MAX);
        if (p->kind != FL_YAML_LIST || p->count != 2)
            return fl_yaml_fail(p, l->err, "a pair is [kind, kind]");
        int a = fl_schema_kind(s, p->item[0]->text ? p->item[0]->text : ""),
            b = fl_schema_kind(s, p->item[1]->text ? p->item[1]->text : "");
        if (a < 0 || b < 0 || a == b)
            return fl_yaml_fail(p, l->err, "a pair names two different entity kinds");
        s->pair[s->pairs++] = (fl_pair){(uint8_t)a, (uint8_t)b};
    }
    return FLORIN_OK;
}

/* Number of a field by name, added when new; -1: the family is full. */
static int field_number(fl_field *f, uint32_t *n, uint32_t max, const char *name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (!strcmp(f[i].name, name)) return (int)i;
    if (*n == max) return -1;
    snprintf(f[*n].name, FL_NAME_MAX, "%s", name);
    return (int)(*n)++;
}

static int name_number(fl_name *f, uint32_t *n, uint32_t max, const char *name)
{
    for (uint32_t i = 0; i < *n; i++)
        if (!strcmp(f[i].name, name)) return (int)i;
    if (*n == max) return -1;
    snprintf(f[*n].name, FL_NAME_MAX, "%s", name);
    return (int)(*n)++;
}

static florin_status load_fields(loader *l, const fl_yaml *y, fl_field *f, uint32_t *n,
                                 uint32_t max, fl_expr *e, const char *what)
{
    static const char *const extra[] = {"after"};
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "%s: needs `name: column` lines", what);
    for (uint32_t i = 0; i < y->count; i++) {
        florin_status st = check_name(l, y->item[i], y->key[i]);
        int k = st ? -1 : field_number(f, n, max, y->key[i]);
        if (st) return st;
        if (k < 0) return too_many(l, y->item[i], what, (int)max);
        st = expr(l, &e[k], y->item[i], " ", extra, 1);
        if (!st && y->item[i]->kind == FL_YAML_MAP)
            st = fl_yaml_bool(y->item[i], "after", &f[k].after, l->err);
        if (st) return st;
    }
    return FLORIN_OK;
}

static florin_status load_names(loader *l, const fl_yaml *y, fl_name *f, uint32_t *n, uint32_t max,
                                fl_expr *e, const char *what)
{
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "%s: needs `name: column` lines", what);
    for (uint32_t i = 0; i < y->count; i++) {
        florin_status st = check_name(l, y->item[i], y->key[i]);
        int k = st ? -1 : name_number(f, n, max, y->key[i]);
        if (st) return st;
        if (k < 0) return too_many(l, y->item[i], what, (int)max);
        st = expr(l, &e[k], y->item[i], " ", NULL, 0);
        if (st) return st;
    }
    return FLORIN_OK;
}

static florin_status load_source_entities(loader *l, const fl_yaml *y, fl_source *src)
{
    const char *names[FL_KINDS_MAX];
    for (uint32_t k = 0; k < l->s->kinds; k++) names[k] = l->s->kind[k].name;
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "entities: needs `kind: column` lines");
    florin_status st = fl_yaml_only(y, names, l->s->kinds, l->err);
    for (uint32_t i = 0; i < y->count && !st; i++)
        st = expr(l, &src->entity[fl_schema_kind(l->s, y->key[i])], y->item[i], "-", NULL, 0);
    return st;
}

static florin_status load_labels(loader *l, const fl_yaml *y, fl_source *src)
{
    static const char *const extra[] = {"delay", "arrival"};
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "labels: needs `name: {column: X, delay: 7d}` lines");
    for (uint32_t i = 0; i < y->count; i++) {
        const fl_yaml *v = y->item[i];
        florin_status st = check_name(l, v, y->key[i]);
        int k = st ? -1 : name_number(l->s->label, &l->s->labels, FL_LABELS_MAX, y->key[i]);
        if (st) return st;
        if (k < 0) return too_many(l, v, "labels", FL_LABELS_MAX);
        st = expr(l, &src->label[k].value, v, " ", extra, 2);
        const fl_yaml *arrival = fl_yaml_get(v, "arrival"), *delay = fl_yaml_get(v, "delay");
        if (!st && !arrival && !delay)
            return fl_yaml_fail(v, l->err,
                                "label '%s': when is it known? Add `delay: 7d` (after the event) "
                                "or `arrival: COLUMN`",
                                y->key[i]);
        if (!st && arrival) st = expr(l, &src->label[k].arrival, arrival, " ", NULL, 0);
        if (!st && delay) st = fl_yaml_duration(v, "delay", &src->label[k].delay_us, l->err);
        if (!st && src->label[k].delay_us < 0)
            st = fl_yaml_fail(delay, l->err, "a label can't be known before its event");
        if (st) return st;
    }
    return FLORIN_OK;
}

/* `labels_of`: rows that are labels of another source's events. Resolved after all sources are known. */
static florin_status load_labels_of(loader *l, const fl_yaml *y, fl_source *src)
{
    static const char *const known[] = {"event", "id", "label", "value", "delay"};
    florin_status st =
        y->kind == FL_YAML_MAP
            ? fl_yaml_only(y, known, FL_LEN(known), l->err)
            : fl_yaml_fail(y, l->err, "labels_of: needs {event: X, id: COLUMN, label: NAME}");
    const char *label = NULL, *event = NULL;
    if (!st) st = fl_yaml_str(y, "label", &label, l->err);
    if (!st) st = fl_yaml_str(y, "event", &event, l->err);
    if (st) return st;
    if (!label || !event || !fl_yaml_get(y, "id"))
        return fl_yaml_fail(y, l->err, "labels_of: needs event, id and label");
    st = check_name(l, y, label);
    if (st) return st;
    src->label_of = name_number(l->s->label, &l->s->labels, FL_LABELS_MAX, label);
    if (src->label_of < 0) return too_many(l, y, "labels", FL_LABELS_MAX);
    st = expr(l, &src->of, fl_yaml_get(y, "id"), "-", NULL, 0);
    if (!st && fl_yaml_get(y, "value"))
        st = expr(l, &src->of_value, fl_yaml_get(y, "value"), " ", NULL, 0);
    if (!src->of_value.sql) src->of_value = (fl_expr){.sql = "1", .column = "1"};
    if (!st) st = fl_yaml_duration(y, "delay", &src->label[src->label_of].delay_us, l->err);
    src->label_event = fl_schema_source(l->s, event);
    if (!st && (src->label_event < 0 || l->s->source[src->label_event].label_of >= 0))
        st = fl_yaml_fail(fl_yaml_get(y, "event"), l->err,
                          "labels_of: no source of events '%s' stands before this one", event);
    return st;
}

/* `join`: fields of another table, found by a key. */
static florin_status load_join(loader *l, const fl_yaml *y, fl_source *src)
{
    static const char *const known[] = {"file", "table", "on", "key", "fields"};
    if (!y) return FLORIN_OK;
    florin_status st = FLORIN_OK;
    if (y->kind == FL_YAML_MAP) st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (!st) st = fl_yaml_str(y, "file", &src->join.file, l->err);
    if (!st) st = fl_yaml_str(y, "table", &src->join.table, l->err);
    if (!st) st = fl_yaml_str(y, "on", &src->join.on, l->err);
    src->join.key = src->join.on;
    if (!st) st = fl_yaml_str(y, "key", &src->join.key, l->err);
    const fl_yaml *list = fl_yaml_get(y, "fields");
    if (!st &&
        (!src->join.file || !src->join.on || !list || list->kind != FL_YAML_LIST || !list->count))
        return fl_yaml_fail(
            y, l->err, "join: needs {file: PRODUCTS.csv, on: KEY_COLUMN, fields: [COLUMN, ...]}");
    if (!st && list->count > FL_JOIN_FIELDS_MAX)
        return too_many(l, list, "fields of a join", FL_JOIN_FIELDS_MAX);
    for (uint32_t i = 0; i < list->count && !st; i++) {
        if (list->item[i]->kind != FL_YAML_SCALAR)
            return fl_yaml_fail(list->item[i], l->err, "join: a field is a column's name");
        src->join.field[src->join.fields++] = list->item[i]->text;
    }
    src->join.line = y->line;
    return st;
}

static florin_status load_source(loader *l, const char *name, const fl_yaml *y)
{
    static const char *const known[] = {
        "file",   "format",    "delimiter", "header",     "where",   "id",    "time",
        "amount", "currency",  "entities",  "categories", "numbers", "texts", "marks",
        "labels", "labels_of", "ignore",    "table",      "join"};
    static const char *const time_extra[] = {"format"};
    fl_schema *s = l->s;
    if (s->sources == FL_SOURCES_MAX) return too_many(l, y, "sources", FL_SOURCES_MAX);
    florin_status st = check_name(l, y, name);
    if (!st && y->kind != FL_YAML_MAP)
        st = fl_yaml_fail(y, l->err, "source '%s': needs at least `time:`", name);
    if (!st) st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (st) return st;
    fl_source *src = &s->source[s->sources];
    *src = (fl_source){.name = name, .header = true, .label_of = -1, .label_event = -1};
    st = fl_yaml_str(y, "file", &src->file, l->err);
    if (!st) st = fl_yaml_str(y, "table", &src->table, l->err);
    if (!st) st = fl_yaml_str(y, "format", &src->format, l->err);
    if (!st) st = fl_yaml_str(y, "delimiter", &src->delimiter, l->err);
    if (!st) st = fl_yaml_bool(y, "header", &src->header, l->err);
    if (!st) st = load_join(l, fl_yaml_get(y, "join"), src);
    if (!st) st = fl_yaml_str(y, "where", &src->where, l->err);
    if (!st && src->format && strcmp(src->format, "csv") && strcmp(src->format, "parquet") &&
        strcmp(src->format, "json"))
        st = fl_yaml_fail(fl_yaml_get(y, "format"), l->err, "format '%s': csv, parquet or json",
                          src->format);
    const fl_yaml *time = fl_yaml_get(y, "time");
    if (!st && !time)
        st = fl_yaml_fail(y, l->err, "source '%s': which column is its time? Add `time: COLUMN`",
                          name);
    if (!st && time->kind == FL_YAML_SCALAR && !strcmp(time->text, "?"))
        st = fl_yaml_fail(
            time, l->err,
            "source '%s': which column is its time? Write its name here, or one moment "
            "for all rows as {sql: \"TIMESTAMP '2005-10-01'\"}",
            name);
    if (!st) st = expr(l, &src->time, time, " ", time_extra, 1);
    if (!st && time->kind == FL_YAML_MAP)
        st = fl_yaml_str(time, "format", &src->time_format, l->err);
    if (!st && fl_yaml_get(y, "id")) st = expr(l, &src->id, fl_yaml_get(y, "id"), "-", NULL, 0);
    if (!st && fl_yaml_get(y, "amount"))
        st = expr(l, &src->amount, fl_yaml_get(y, "amount"), " ", NULL, 0);
    if (!st && fl_yaml_get(y, "currency"))
        st = expr(l, &src->currency, fl_yaml_get(y, "currency"), " ", NULL, 0);
    if (!st) st = load_source_entities(l, fl_yaml_get(y, "entities"), src);
    if (!st)
        st = load_fields(l, fl_yaml_get(y, "categories"), s->category, &s->categories,
                         FL_CATEGORIES_MAX, src->category, "categories");
    if (!st)
        st = load_fields(l, fl_yaml_get(y, "numbers"), s->number, &s->numbers, FL_NUMBERS_MAX,
                         src->number, "numbers");
    if (!st)
        st = load_names(l, fl_yaml_get(y, "texts"), s->text, &s->texts, FL_TEXTS_MAX, src->text,
                        "texts");
    if (!st)
        st = load_names(l, fl_yaml_get(y, "marks"), s->mark, &s->marks, FL_MARKS_MAX, src->mark,
                        "marks");
    if (!st) st = load_labels(l, fl_yaml_get(y, "labels"), src);
    if (!st && fl_yaml_get(y, "labels_of"))
        st = load_labels_of(l, fl_yaml_get(y, "labels_of"), src);
    s->sources++;
    return st;
}

static florin_status load_top(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"florin",   "name",         "currency", "time_zone",
                                        "hash_key", "card_numbers", "entities", "pairs",
                                        "sources",  "risk_label"};
    fl_schema *s = l->s;
    int64_t version = 1;
    const char *name = "events", *currency = "EUR", *zone = "UTC", *key = NULL, *risk = NULL;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "not a schema: begin with `florin: 1`");
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (!st) st = fl_yaml_int(y, "florin", &version, l->err);
    if (!st && version != 1)
        st = fl_yaml_fail(y, l->err, "schema version %lld: this program knows 1",
                          (long long)version);
    if (!st) st = fl_yaml_str(y, "name", &name, l->err);
    if (!st) st = check_name(l, y, name);
    if (!st) st = fl_yaml_str(y, "currency", &currency, l->err);
    if (!st && (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
        st = fl_yaml_fail(fl_yaml_get(y, "currency"), l->err,
                          "currency '%s': three capital letters, as EUR", currency);
    if (!st) st = fl_yaml_str(y, "time_zone", &zone, l->err);
    if (!st) st = fl_yaml_str(y, "hash_key", &key, l->err);
    if (!st) st = fl_yaml_bool(y, "card_numbers", &s->card_numbers, l->err);
    if (!st) st = fl_yaml_str(y, "risk_label", &risk, l->err);
    if (st) return st;
    snprintf(s->name, sizeof s->name, "%s", name);
    snprintf(s->currency, sizeof s->currency, "%s", currency);
    s->time_zone = zone;
    s->hash_key = key;
    if (!fl_yaml_get(y, "entities"))
        return fl_yaml_fail(
            y, l->err, "entities: missing; whose payments are these? As `card: {role: payer}`");
    st = load_entities(l, fl_yaml_get(y, "entities"));
    if (!st) st = load_pairs(l, fl_yaml_get(y, "pairs"));
    const fl_yaml *sources = fl_yaml_get(y, "sources");
    if (!st && (!sources || sources->kind != FL_YAML_MAP || !sources->count))
        st = fl_yaml_fail(y, l->err,
                          "sources: needs at least one, as `payment: {file: ..., time: ...}`");
    for (uint32_t i = 0; !st && i < sources->count; i++)
        st = load_source(l, sources->key[i], sources->item[i]);
    if (st) return st;
    s->risk_label = risk ? fl_schema_label(s, risk) : s->labels ? 0 : -1;
    if (risk && s->risk_label < 0 && strcmp(risk, "none"))
        st = fl_yaml_fail(fl_yaml_get(y, "risk_label"), l->err, "risk_label '%s' is not a label",
                          risk);
    return st;
}

static florin_status load(fl_schema **out, const char *path, const char *body, size_t n,
                          florin_error *err)
{
    *out = NULL;
    fl_arena *arena = fl_arena_new(16384);
    fl_schema *s = arena ? fl_arena_alloc(arena, sizeof *s) : NULL;
    if (!s) {
        fl_arena_free(arena);
        return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    }
    s->arena = arena;
    loader l = {s, err};
    fl_yaml *y = NULL;
    florin_status st =
        body ? fl_yaml_parse(arena, &y, body, n, path, err) : fl_yaml_load(arena, &y, path, err);
    if (!st) st = load_top(&l, y);
    if (!st && !(s->path = fl_strdup(body ? "./schema" : path)))
        st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    if (st) fl_schema_free(s);
    else *out = s;
    return st;
}

florin_status fl_schema_load(fl_schema **out, const char *path, florin_error *err)
{
    return load(out, path, NULL, 0, err);
}

florin_status fl_schema_parse(fl_schema **out, const char *body, size_t n, const char *name,
                              florin_error *err)
{
    return load(out, name, body, n, err);
}
