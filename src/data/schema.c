/* The schema as a value: lookups, equality, and its canonical JSON form, which logs and models carry. Reading YAML is
 * schema_yaml.c. Invariant: every string of a schema lies in its arena, so a schema is freed in one go. */
#include "data/schema.h"

void fl_schema_free(fl_schema *s)
{
    if (!s) return;
    free(s->path);
    fl_arena *arena = s->arena;
    fl_arena_free(arena); /* s itself lies in it */
}

int fl_schema_kind(const fl_schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->kinds; i++)
        if (!strcmp(s->kind[i].name, name)) return (int)i;
    return -1;
}

int fl_schema_role(const fl_schema *s, fl_role role)
{
    for (uint32_t i = 0; i < s->kinds; i++)
        if (s->kind[i].role == role) return (int)i;
    return -1;
}

static int find_field(const fl_field *f, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(f[i].name, name)) return (int)i;
    return -1;
}

static int find_name(const fl_name *f, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(f[i].name, name)) return (int)i;
    return -1;
}

int fl_schema_category(const fl_schema *s, const char *name)
{
    return find_field(s->category, s->categories, name);
}

int fl_schema_number(const fl_schema *s, const char *name)
{
    return find_field(s->number, s->numbers, name);
}

int fl_schema_label(const fl_schema *s, const char *name)
{
    return find_name(s->label, s->labels, name);
}

int fl_schema_mark(const fl_schema *s, const char *name)
{
    return find_name(s->mark, s->marks, name);
}

int fl_schema_source(const fl_schema *s, const char *name)
{
    for (uint32_t i = 0; i < s->sources; i++)
        if (!strcmp(s->source[i].name, name)) return (int)i;
    return -1;
}

/* ---- equality ---- */

static florin_status differ(florin_error *err, const char *what, uint32_t i, const char *model,
                            const char *log)
{
    if (!model)
        return fl_fail(err, FLORIN_ESCHEMA, "%s '%s' is in the log and not in the model's schema",
                       what, log);
    if (!log)
        return fl_fail(err, FLORIN_ESCHEMA, "%s '%s' of the model's schema is missing from the log",
                       what, model);
    return fl_fail(err, FLORIN_ESCHEMA,
                   "%s number %u is '%s' in the model's schema and '%s' in the log", what, i + 1,
                   model, log);
}

static florin_status same_fields(const fl_field *a, uint32_t na, const fl_field *b, uint32_t nb,
                                 const char *what, florin_error *err)
{
    for (uint32_t i = 0; i < na || i < nb; i++) {
        const char *x = i < na ? a[i].name : NULL, *y = i < nb ? b[i].name : NULL;
        if (!x || !y || strcmp(x, y)) return differ(err, what, i, x, y);
        if (a[i].after != b[i].after)
            return fl_fail(err, FLORIN_ESCHEMA,
                           "%s '%s': `after` is %s in the model's schema and %s in the log", what,
                           x, a[i].after ? "true" : "false", b[i].after ? "true" : "false");
    }
    return FLORIN_OK;
}

static florin_status same_names(const fl_name *a, uint32_t na, const fl_name *b, uint32_t nb,
                                const char *what, florin_error *err)
{
    for (uint32_t i = 0; i < na || i < nb; i++) {
        const char *x = i < na ? a[i].name : NULL, *y = i < nb ? b[i].name : NULL;
        if (!x || !y || strcmp(x, y)) return differ(err, what, i, x, y);
    }
    return FLORIN_OK;
}

static const char *role_name(fl_role role)
{
    return role == FL_ROLE_PAYER ? "payer" : role == FL_ROLE_PAYEE ? "payee" : "other";
}

static florin_status same_entities(const fl_schema *a, const fl_schema *b, florin_error *err)
{
    for (uint32_t i = 0; i < a->kinds || i < b->kinds; i++) {
        const char *x = i < a->kinds ? a->kind[i].name : NULL,
                   *y = i < b->kinds ? b->kind[i].name : NULL;
        if (!x || !y || strcmp(x, y)) return differ(err, "entity kind", i, x, y);
        if (a->kind[i].role != b->kind[i].role)
            return fl_fail(err, FLORIN_ESCHEMA,
                           "entity kind '%s': role is %s in the model's schema and %s in the log",
                           x, role_name(a->kind[i].role), role_name(b->kind[i].role));
    }
    if (a->pairs != b->pairs || memcmp(a->pair, b->pair, a->pairs * sizeof a->pair[0]))
        return fl_fail(err, FLORIN_ESCHEMA,
                       "pairs: the model's schema and the log list different pairs of entities");
    return FLORIN_OK;
}

florin_status fl_schema_same(const fl_schema *model, const fl_schema *log, florin_error *err)
{
    const fl_schema *a = model, *b = log;
    if (strcmp(a->currency, b->currency))
        return fl_fail(err, FLORIN_ESCHEMA,
                       "currency is %s in the model's schema and %s in the log", a->currency,
                       b->currency);
    florin_status st = same_entities(a, b, err);
    if (!st)
        st = same_fields(a->category, a->categories, b->category, b->categories, "category", err);
    if (!st) st = same_fields(a->number, a->numbers, b->number, b->numbers, "number", err);
    if (!st) st = same_names(a->mark, a->marks, b->mark, b->marks, "mark", err);
    if (!st) st = same_names(a->label, a->labels, b->label, b->labels, "label", err);
    if (st) return st;
    for (uint32_t i = 0; i < a->sources || i < b->sources; i++) {
        const char *x = i < a->sources ? a->source[i].name : NULL,
                   *y = i < b->sources ? b->source[i].name : NULL;
        if (!x || !y || strcmp(x, y)) return differ(err, "source", i, x, y);
    }
    if (a->risk_label != b->risk_label)
        return fl_fail(err, FLORIN_ESCHEMA,
                       "risk_label is '%s' in the model's schema and '%s' in the log",
                       a->risk_label < 0 ? "none" : a->label[a->risk_label].name,
                       b->risk_label < 0 ? "none" : b->label[b->risk_label].name);
    return FLORIN_OK;
}

/* ISO 4217's exponents other than 2. */
int fl_currency_exponent(const char *code)
{
    static const char none[] =
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";

    if (strlen(code) != 3) return 2;
    return strstr(none, code) ? 0 : strstr(three, code) ? 3 : 2;
}

bool fl_currency_pack(const fl_schema *s, const char *code, size_t n, uint16_t *out)
{
    char up[4] = {0};

    if (n != 3) return false;
    for (int i = 0; i < 3; i++) {
        up[i] = code[i] >= 'a' && code[i] <= 'z' ? (char)(code[i] - 32) : code[i];
        if (up[i] < 'A' || up[i] > 'Z') return false;
    }
    *out = strcmp(up, s->currency)
               ? (uint16_t)(1 + ((up[0] - 'A') * 26 + (up[1] - 'A')) * 26 + (up[2] - 'A'))
               : 0;
    return true;
}

void fl_currency_unpack(const fl_schema *s, uint16_t packed, char code[4])
{
    uint32_t x = packed ? packed - 1u : 0;
    memcpy(code, s->currency, 4);
    if (!packed) return;
    code[0] = (char)('A' + x / 676 % 26);
    code[1] = (char)('A' + x / 26 % 26);
    code[2] = (char)('A' + x % 26);
}
