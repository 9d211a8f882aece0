/* The label of a task file, and the SELECTs in it. */
#include "task/task_inside.h"
#include <stdio.h>

/* Words of `is` behind a SELECT or an outcome. */
static const struct {
    const char *word;
    fl_outcome_is is;
    fl_task_answer answer;
} WORDS[] = {{"present", FL_IS_PRESENT, FL_TASK_BINARY}, {"absent", FL_IS_ABSENT, FL_TASK_BINARY},
             {"sum", FL_IS_SUM, FL_TASK_NUMBER},         {"count", FL_IS_COUNT, FL_TASK_NUMBER},
             {"amount", FL_IS_AMOUNT, FL_TASK_NUMBER},   {"time", FL_IS_TIME, FL_TASK_TIME},
             {"class", FL_IS_CLASS, FL_TASK_CLASS},      {"items", FL_IS_ITEMS, FL_TASK_ITEMS}};

static florin_status outcome_word(fl_task_loader *l, const fl_yaml *y)
{
    const char *is = "present";
    florin_status st = fl_yaml_str(y, "is", &is, l->err);

    for (size_t i = 0; !st && i < FL_LEN(WORDS); i++) {
        if (strcmp(is, WORDS[i].word)) continue;
        l->t->is = WORDS[i].is;
        l->t->answer = WORDS[i].answer;
        return FLORIN_OK;
    }
    return st ? st
              : fl_yaml_fail(
                    fl_yaml_get(y, "is"), l->err,
                    "label: `is` is present, absent, sum, count, amount, time, class or items");
}

/* The category field that `is: WORD` speaks of. */
static florin_status of_field(fl_task_loader *l, const fl_yaml *y, const char *word)
{
    const fl_yaml *of = fl_yaml_get(y, "of");
    florin_status st = FLORIN_OK;

    if (!of || of->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(of ? of : y, l->err,
                            "label: `is: %s` needs `of: FIELD`, a category of the schema", word);
    l->t->of = fl_task_named(l, of, FL_TASK_CATEGORIES, of->text, &st);
    return st;
}

/* `of: FIELD`, for a class or items. */
static florin_status class_field(fl_task_loader *l, const fl_yaml *y)
{
    const fl_yaml *of = fl_yaml_get(y, "of");

    if (l->t->is != FL_IS_CLASS && l->t->is != FL_IS_ITEMS)
        return of ? fl_yaml_fail(of, l->err, "label: of: only with `is: class` or `is: items`")
                  : FLORIN_OK;
    return of_field(l, y, l->t->is == FL_IS_ITEMS ? "items" : "class");
}

/* `group: FIELD` of items: what one basket's events share. */
static florin_status items_group(fl_task_loader *l, const fl_yaml *y)
{
    const fl_yaml *group = fl_yaml_get(y, "group");
    florin_status st = FLORIN_OK;

    if (l->t->is != FL_IS_ITEMS)
        return group ? fl_yaml_fail(group, l->err, "label: group: only with `is: items`") : st;
    if (l->t->per_event || *l->t->folds)
        return fl_yaml_fail(y, l->err,
                            "label: `is: items` is for entities at dates, judged by time: moments "
                            "{entity: KIND, every: 7d}, and no `folds`");
    if (!group) return st;
    if (group->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(group, l->err, "label: group: a category field of the schema");
    l->t->group = fl_task_named(l, group, FL_TASK_CATEGORIES, group->text, &st);
    return st;
}

static florin_status label_names(fl_task_loader *l, const fl_yaml *top, const fl_yaml *y)
{
    fl_task *t = l->t;
    florin_status st = FLORIN_OK;

    if (!t->per_event)
        return fl_yaml_fail(y ? y : top, l->err,
                            "label: needs {event: TYPE, within: 30d, is: present or absent}, or "
                            "{sql: SELECT ...}");
    if (!y && l->s->risk_label >= 0) {
        t->label = l->s->risk_label;
        return FLORIN_OK;
    }
    if (!y) return fl_yaml_fail(top, l->err, "label: missing, and the log has none");
    t->label = fl_task_named(l, y, FL_TASK_LABELS, y->text, &st);
    return st;
}

/* The text under `sql` of the map y, and the place of it, "file:line", for messages. */
static florin_status select_of(fl_task_loader *l, const fl_yaml *y, const char *key, char *out,
                               size_t size, char place[128])
{
    const char *sql = NULL;
    florin_status st = fl_yaml_str(y, "sql", &sql, l->err);

    if (st) return st;
    if (!sql || !*sql || strlen(sql) >= size)
        return fl_yaml_fail(y, l->err, "%s: sql: a SELECT of at most %zu characters", key,
                            size - 1);
    memcpy(out, sql, strlen(sql) + 1);
    const fl_yaml *at = fl_yaml_get(y, "sql");
    const char *slash = strlen(at->file) > 100 ? strrchr(at->file, '/') : NULL;
    snprintf(place, 128, "%.100s:%u", slash ? slash + 1 : at->file, at->line);
    return FLORIN_OK;
}

florin_status fl_task_features(fl_task_loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"sql"};
    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP) return fl_yaml_fail(y, l->err, "features: needs {sql: SELECT ...}");
    florin_status st = fl_yaml_only(y, known, 1, l->err);
    if (st) return st;
    if (!*l->t->folds)
        return fl_yaml_fail(y, l->err,
                            "features: only with `folds`, on tables without a clock: a SELECT sees "
                            "the whole log, so by time it would see the future of what is learnt "
                            "from");
    return select_of(l, y, "features", l->t->features, sizeof l->t->features, l->t->features_place);
}

static florin_status label_sql(fl_task_loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"sql", "is"};
    const char *is = "yes or no";
    florin_status st = fl_yaml_only(y, known, 2, l->err);

    if (!st) st = fl_yaml_str(y, "is", &is, l->err);
    if (st) return st;
    if (fl_yaml_get(y, "is") && strcmp(is, "number") && strcmp(is, "class") && strcmp(is, "time"))
        return fl_yaml_fail(fl_yaml_get(y, "is"), l->err,
                            "label: `is` of a SELECT is number, time (days) or class; without it 0 "
                            "and 1");
    l->t->answer = !strcmp(is, "number")  ? FL_TASK_NUMBER
                   : !strcmp(is, "class") ? FL_TASK_CLASS
                   : !strcmp(is, "time")  ? FL_TASK_TIME
                                          : FL_TASK_BINARY;
    return select_of(l, y, "label", l->t->sql, sizeof l->t->sql, l->t->sql_place);
}

/* {mark: M} or {field: F}: what the judged event itself turns out to be. A field must be one that is no input. */
static florin_status label_own(fl_task_loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"mark", "field"};
    const fl_yaml *mark = fl_yaml_get(y, "mark"), *field = fl_yaml_get(y, "field");
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(y, known, 2, l->err);

    if (st) return st;
    if (!t->per_event || (mark && field))
        return fl_yaml_fail(y, l->err,
                            "label: {mark: M} or {field: F}, of the event that is judged: for "
                            "moments {event: TYPE}");
    t->own = true;
    if ((mark ? mark : field)->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(mark ? mark : field, l->err, "label: a name");
    if (mark) {
        t->own_mark = fl_task_named(l, mark, FL_TASK_MARKS, mark->text, &st);
        return st;
    }
    t->answer = FL_TASK_CLASS;
    t->of = fl_task_named(l, field, FL_TASK_CATEGORIES, field->text, &st);
    if (!st && !l->s->category[t->of].after)
        return fl_yaml_fail(field, l->err,
                            "label: field: %s is known when the event is judged and is an input: "
                            "only a field with `after: true` in the schema can be predicted",
                            field->text);
    return st;
}

static florin_status label_outcome(fl_task_loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"within", "is", "of", "group", "entity", FL_TASK_RULE_KEYS};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);

    t->has_outcome = true;
    if (!st) st = fl_task_event_rule(l, y, &t->outcome);
    if (!st) st = fl_task_span(l, y, "within", &t->horizon_us);
    if (!st) st = outcome_word(l, y);
    if (!st) st = class_field(l, y);
    if (!st) st = items_group(l, y);
    if (!st) t->outcome_kind = fl_task_kind_named(l, y, "entity", &st);
    if (st) return st;
    if (t->horizon_us <= 0 && (t->is != FL_IS_ITEMS || fl_yaml_get(y, "within")))
        return fl_yaml_fail(y, l->err, "label: needs `within:`, the time that is looked ahead");
    if (!t->per_event && t->outcome_kind >= 0 && t->outcome_kind != t->kind)
        return fl_yaml_fail(fl_yaml_get(y, "entity"), l->err,
                            "label: entity: the moments' own is meant; leave this out");
    if (t->outcome_kind < 0)
        t->outcome_kind = t->per_event ? fl_schema_role(l->s, FL_ROLE_PAYER) : t->kind;
    if (t->outcome_kind < 0)
        return fl_yaml_fail(y, l->err, "label: needs `entity:`, the log has no payer");
    return FLORIN_OK;
}

/* {is: alike, of: FIELD}: do the nearest neighbours share the value? {is: same}: does one half of a history find the other? */
static florin_status label_alike(fl_task_loader *l, const fl_yaml *y, bool same)
{
    static const char *const known[] = {"is", "of"};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(y, known, same ? 1 : 2, l->err);

    if (st) return st;
    if (t->per_event || *t->folds)
        return fl_yaml_fail(
            y, l->err, "label: `is: %s` is for entities: moments {entity: KIND}, and no `folds`",
            same ? "same" : "alike");
    t->answer = FL_TASK_ALIKE;
    return same ? FLORIN_OK : of_field(l, y, "alike");
}

florin_status fl_task_label(fl_task_loader *l, const fl_yaml *top)
{
    const fl_yaml *y = fl_yaml_get(top, "label");
    florin_status st = fl_task_span(l, top, "label_delay", &l->t->label_delay_us);

    if (st) return st;
    if (y && y->kind == FL_YAML_LIST) return fl_yaml_fail(y, l->err, "label: one, not a list");
    if (!y || y->kind == FL_YAML_SCALAR) return label_names(l, top, y);
    if (fl_yaml_get(y, "sql")) return label_sql(l, y);
    const fl_yaml *is = fl_yaml_get(y, "is");
    bool same = is && is->kind == FL_YAML_SCALAR && !strcmp(is->text, "same");
    if (same || (is && is->kind == FL_YAML_SCALAR && !strcmp(is->text, "alike")))
        return label_alike(l, y, same);
    bool own = fl_yaml_get(y, "mark") || (fl_yaml_get(y, "field") && !fl_yaml_get(y, "event"));
    return own ? label_own(l, y) : label_outcome(l, y);
}
