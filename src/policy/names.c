/* The catalogue of attributes. Order of precedence where names collide: what the policy itself defines (:amount:,
 * :risk_score: ...), entities, categories, numbers, then heads and features, whose names hold a dot. */
#include "policy/names.h"
#include "task/head.h"
#include <stdio.h>

typedef struct {
    char name[96];
    fl_attr attr;
} entry;

struct fl_names {
    const fl_schema *schema;
    entry *entry;
    const char **text; /* [count] for fl_nearest */
    size_t count, cap;
    uint32_t heads;
    int head;
    bool no_memory;
};

static void add(fl_names *n, const char *name, fl_attr a)
{
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->entry[i].name, name)) return;
    if (!fl_grow((void **)&n->entry, &n->cap, n->count + 1, sizeof *n->entry)) {
        n->no_memory = true;
        return;
    }
    entry *e = &n->entry[n->count++];
    memset(e, 0, sizeof *e);
    snprintf(e->name, sizeof e->name, "%s", name);
    e->attr = a;
}

static fl_attr attr(fl_attr_from from, fl_attr_type type, uint32_t index)
{
    return (fl_attr){(uint8_t)from, (uint8_t)type, false, (uint16_t)index};
}

static void add_own(fl_names *n)
{
    uint32_t head = n->head < 0 ? 0 : (uint32_t)n->head;
    add(n, "amount", attr(FL_FROM_AMOUNT, FL_ATTR_NUMBER, 0));
    add(n, "currency", attr(FL_FROM_CURRENCY, FL_ATTR_TEXT, 0));
    add(n, "event_type", attr(FL_FROM_TYPE, FL_ATTR_TEXT, 0));
    add(n, "hour", attr(FL_FROM_HOUR, FL_ATTR_NUMBER, 0));
    add(n, "weekday", attr(FL_FROM_WEEKDAY, FL_ATTR_NUMBER, 0));
    if (n->head < 0 && n->schema) return;
    add(n, "risk_score", attr(FL_FROM_SCORE, FL_ATTR_NUMBER, head));
    add(n, "risk_level", attr(FL_FROM_LEVEL, FL_ATTR_TEXT, head));
    add(n, "probability", attr(FL_FROM_PROBABILITY, FL_ATTR_NUMBER, head));
}

static void add_fields(fl_names *n)
{
    const fl_schema *s = n->schema;
    for (uint32_t i = 0; i < s->kinds; i++)
        add(n, s->kind[i].name, attr(FL_FROM_ENTITY, FL_ATTR_ENTITY, i));
    for (uint32_t i = 0; i < s->categories; i++)
        if (!s->category[i].after)
            add(n, s->category[i].name, attr(FL_FROM_CATEGORY, FL_ATTR_TEXT, i));
    for (uint32_t i = 0; i < s->numbers; i++)
        if (!s->number[i].after) add(n, s->number[i].name, attr(FL_FROM_NUMBER, FL_ATTR_NUMBER, i));
}

static void add_head(fl_names *n, const char *name, uint32_t i)
{
    char full[96];
    snprintf(full, sizeof full, "%.80s.score", name);
    add(n, full, attr(FL_FROM_SCORE, FL_ATTR_NUMBER, i));
    snprintf(full, sizeof full, "%.80s.probability", name);
    add(n, full, attr(FL_FROM_PROBABILITY, FL_ATTR_NUMBER, i));
    snprintf(full, sizeof full, "%.80s.level", name);
    add(n, full, attr(FL_FROM_LEVEL, FL_ATTR_TEXT, i));
}

/* Ages, shares and the event's own values are never below zero: there -1 stands for never or unknown. */
static bool has_unknown(const char *unit)
{
    static const char *const units[] = {"days", "share", "flag", "as given", "place"};
    for (size_t i = 0; i < FL_LEN(units); i++)
        if (!strcmp(unit, units[i])) return true;
    return false;
}

static void add_features(fl_names *n, const fl_fold_plan *plan)
{
    for (uint32_t i = 0; i < fl_fold_features(plan); i++) {
        const fl_fold_feature *f = fl_fold_feature_at(plan, i);
        bool flag = !strcmp(f->unit, "flag");
        fl_attr a = attr(FL_FROM_ROW, flag ? FL_ATTR_FLAG : FL_ATTR_NUMBER, i);
        a.unknown_minus_one = has_unknown(f->unit);
        add(n, f->name, a);
    }
}

/* Heads that score events come first in the scorer's order, which is theirs in the file. */
static florin_status add_heads(fl_names *n, const fl_model *model, const char *want,
                               florin_error *err)
{
    fl_buf have = {0};
    char names[64][96];
    n->head = -1;
    for (uint32_t i = 0; i < fl_heads(model) && n->heads < FL_LEN(names); i++) {
        fl_head *h;
        florin_status st = fl_head_open(&h, model, i, err);
        if (st) {
            fl_buf_free(&have);
            return st;
        }
        if (fl_head_per_event(h)) {
            fl_buf_printf(&have, "%s%s", n->heads ? ", " : "", fl_head_name(h));
            if (want ? !strcmp(want, fl_head_name(h)) : n->head < 0) n->head = (int)n->heads;
            snprintf(names[n->heads++], sizeof names[0], "%s", fl_head_name(h));
        }
        fl_head_close(h);
    }
    florin_status st = FLORIN_OK;
    if (want && n->head < 0)
        st = fl_fail(err, FLORIN_ESCHEMA, "the model has no head '%.64s' that scores events: %s",
                     want, have.len ? have.data : "it has none (florin fit adds one)");
    fl_buf_free(&have);
    add_own(n);
    add_fields(n);
    for (uint32_t i = 0; i < n->heads; i++) add_head(n, names[i], i);
    return st;
}

florin_status fl_names_new(fl_names **out, const fl_model *model, const char *head,
                           florin_error *err)
{
    *out = NULL;
    fl_names *n = fl_calloc(1, sizeof *n);
    if (!n) return fl_fail(err, FLORIN_ENOMEM, "names of attributes");
    florin_status st = FLORIN_OK;
    n->schema = model ? fl_model_schema(model) : NULL;
    if (!model) add_own(n);
    else st = add_heads(n, model, head, err);
    if (!st && model) add_features(n, fl_model_plan(model));
    n->text = fl_calloc(n->count + 1, sizeof *n->text);
    if (!st && (n->no_memory || !n->text)) st = fl_fail(err, FLORIN_ENOMEM, "names of attributes");
    if (st) {
        fl_names_free(n);
        return st;
    }
    for (size_t i = 0; i < n->count; i++) n->text[i] = n->entry[i].name;
    *out = n;
    return FLORIN_OK;
}

void fl_names_free(fl_names *n)
{
    if (!n) return;
    free(n->entry);
    free((void *)n->text);
    free(n);
}

bool fl_names_are_free(const fl_names *n)
{
    return !n->schema;
}

const fl_schema *fl_names_schema(const fl_names *n)
{
    return n->schema;
}

uint32_t fl_names_count(const fl_names *n)
{
    return (uint32_t)n->count;
}

const char *fl_names_at(const fl_names *n, uint32_t i, fl_attr *out)
{
    if (out) *out = n->entry[i].attr;
    return n->entry[i].name;
}

uint32_t fl_names_heads(const fl_names *n)
{
    return n->heads;
}

int fl_names_head(const fl_names *n)
{
    return n->head;
}

/* A name that the schema has and a rule may not use: say why. */
static bool later_fact(const fl_schema *s, const char *name, char *why, size_t size)
{
    int c = fl_schema_category(s, name), f = fl_schema_number(s, name);
    if ((c >= 0 && s->category[c].after) || (f >= 0 && s->number[f].after)) {
        snprintf(why, size,
                 "':%s:' is known only after the decision (the schema says `after`), so no rule "
                 "can read it",
                 name);
        return true;
    }
    if (fl_schema_mark(s, name) >= 0) {
        const char *kind = s->kinds ? s->kind[0].name : "card";
        snprintf(why, size,
                 "'%s' is a mark: it becomes known with the payment's result, after the decision. "
                 "Count past ones: velocity(%s, 1h, %s) > 3",
                 name, kind, name);
        return true;
    }
    if (fl_schema_label(s, name) >= 0) {
        snprintf(why, size,
                 "'%s' is a label: it is learned after the decision. What is known of past ones is "
                 "in features such as ':%s.bad_total:'",
                 name, s->kinds ? s->kind[0].name : "card");
        return true;
    }
    return false;
}

bool fl_names_find(const fl_names *n, const char *name, size_t len, fl_attr *out, char *why,
                   size_t why_size)
{
    char copy[96];
    if (len >= sizeof copy) {
        snprintf(why, why_size, "an attribute's name has at most %zu characters", sizeof copy - 1);
        return false;
    }
    memcpy(copy, name, len);
    copy[len] = 0;
    for (size_t i = 0; i < n->count; i++)
        if (!strcmp(n->entry[i].name, copy)) {
            *out = n->entry[i].attr;
            return true;
        }
    if (!n->schema) {
        *out = attr(FL_FROM_FREE, FL_ATTR_UNKNOWN, 0);
        return true;
    }
    if (later_fact(n->schema, copy, why, why_size)) return false;
    const char *near = fl_nearest(copy, n->text, n->count);
    if (near) snprintf(why, why_size, "no attribute ':%s:': did you mean ':%s:'?", copy, near);
    else if (n->head < 0 && (!strcmp(copy, "risk_score") || !strcmp(copy, "risk_level")))
        snprintf(why, why_size,
                 "the model has no head that scores events, so there is no ':%s:' (florin fit adds "
                 "one)",
                 copy);
    else
        snprintf(why, why_size,
                 "no attribute ':%s:' (florin policy check --attributes lists those there are)",
                 copy);
    return false;
}
