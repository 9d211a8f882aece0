/* Task files. Every name is checked against the schema, every period against the others. */
#include "task/task.h"
#include "base/file.h"
#include "base/yaml.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    const fl_schema *s;
    fl_task *t;
    florin_error *err;
} loader;

/* "no event type 'x' in the log; it has: a, b" */
static florin_status unknown(loader *l, const fl_yaml *y, const char *what, const char *name,
                             const char *const *have, size_t n)
{
    fl_buf all = {0};
    const char *near = fl_nearest(name, have, n);

    for (size_t i = 0; i < n; i++) fl_buf_printf(&all, "%s%s", i ? ", " : "", have[i]);
    florin_status st = near
                           ? fl_yaml_fail(y, l->err, "no %s '%.64s' in the log: did you mean '%s'?",
                                          what, name, near)
                           : fl_yaml_fail(y, l->err, "no %s '%.64s' in the log; it has: %s", what,
                                          name, all.data ? all.data : "none");
    fl_buf_free(&all);
    return st;
}

typedef enum { TYPES, MARKS, KINDS, LABELS, CATEGORIES } table;

/* Position of a name in one of the schema's tables; *st tells why it is -1. */
static int named(loader *l, const fl_yaml *y, table which, const char *name, florin_status *st)
{
    static const char *const what[] = {"event type", "mark", "entity kind", "label",
                                       "category field"};
    const fl_schema *s = l->s;
    const char *have[FL_CATEGORIES_MAX] = {NULL};
    uint32_t n = which == TYPES    ? s->sources
                 : which == MARKS  ? s->marks
                 : which == KINDS  ? s->kinds
                 : which == LABELS ? s->labels
                                   : s->categories;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (which == TYPES && s->source[i].label_of >= 0) continue;
        have[kept] = which == TYPES    ? s->source[i].name
                     : which == MARKS  ? s->mark[i].name
                     : which == KINDS  ? s->kind[i].name
                     : which == LABELS ? s->label[i].name
                                       : s->category[i].name;
        if (!strcmp(have[kept++], name)) return (int)i;
    }
    *st = unknown(l, y, what[which], name, have, kept);
    return -1;
}

static florin_status rule_values(loader *l, const fl_yaml *y, fl_event_rule *r)
{
    florin_status st = FLORIN_OK;

    if (!y) return FLORIN_OK;
    if (y->kind != FL_YAML_MAP || !y->count || y->count > FL_WHERE_MAX)
        return fl_yaml_fail(y, l->err, "where: needs one to %d pairs of FIELD: VALUE",
                            FL_WHERE_MAX);
    for (uint32_t i = 0; i < y->count && !st; i++) {
        const fl_yaml *v = y->item[i];
        if (v->kind != FL_YAML_SCALAR)
            return fl_yaml_fail(v, l->err, "where: %.64s: needs one value", y->key[i]);
        int field = named(l, v, CATEGORIES, y->key[i], &st);
        if (st) return st;
        r->field[i] = (uint8_t)field;
        r->value[i] = fl_category_hash(v->text, strlen(v->text));
        r->wheres = i + 1;
    }
    return st;
}

static florin_status rule_amount(loader *l, const fl_yaml *y, fl_event_rule *r)
{
    double amount = NAN, scale = pow(10, fl_currency_exponent(l->s->currency));
    florin_status st = fl_yaml_num(y, "amount_from", &amount, l->err);

    if (st || isnan(amount)) return st;
    if (fabs(amount * scale) > 9e15)
        return fl_yaml_fail(fl_yaml_get(y, "amount_from"), l->err, "amount_from: too large");
    r->amount_from = (int64_t)llround(amount * scale);
    return FLORIN_OK;
}

/* The keys of an event rule inside a map that may hold others too (which the caller has checked). */
#define RULE_KEYS "event", "with", "without", "where", "amount_from"
static florin_status event_rule(loader *l, const fl_yaml *y, fl_event_rule *r)
{
    const char *event = NULL, *with = NULL, *without = NULL;
    florin_status st = FLORIN_OK;

    *r = (fl_event_rule){.type = -1, .mark = -1, .amount_from = FL_AMOUNT_NONE};
    if (y->kind == FL_YAML_SCALAR) {
        r->type = named(l, y, TYPES, y->text, &st);
        return st;
    }
    st = fl_yaml_str(y, "event", &event, l->err);
    if (!st) st = fl_yaml_str(y, "with", &with, l->err);
    if (!st) st = fl_yaml_str(y, "without", &without, l->err);
    if (!st && with && without)
        st = fl_yaml_fail(y, l->err, "`with` and `without` together: one mark at a time");
    const char *mark = with ? with : without;
    if (!st && event) r->type = named(l, fl_yaml_get(y, "event"), TYPES, event, &st);
    if (!st && mark)
        r->mark = named(l, fl_yaml_get(y, with ? "with" : "without"), MARKS, mark, &st);
    r->without = without != NULL;
    if (!st) st = rule_values(l, fl_yaml_get(y, "where"), r);
    return st ? st : rule_amount(l, y, r);
}

static int kind_named(loader *l, const fl_yaml *y, const char *key, florin_status *st)
{
    const char *name = NULL;
    *st = fl_yaml_str(y, key, &name, l->err);
    if (*st || !name) return -1;
    return named(l, fl_yaml_get(y, key), KINDS, name, st);
}

/* A time of 0 to 100 years: sums of a date and a few of these can't overflow. */
static florin_status span(loader *l, const fl_yaml *y, const char *key, int64_t *us)
{
    int64_t v = *us;
    florin_status st = fl_yaml_duration(y, key, &v, l->err);

    if (!st && fl_yaml_get(y, key) && (v < 0 || v > 36525 * FL_DAY_US))
        st = fl_yaml_fail(fl_yaml_get(y, key), l->err, "%s: a time of 0 to 100 years", key);
    if (!st) *us = v;
    return st;
}

/* --- periods --- */

static florin_status one_period(loader *l, const fl_yaml *y, const char *key, bool open,
                                fl_period *p)
{
    static const char *const known[] = {"from", "to", "at"};
    int64_t at = INT64_MIN;

    *p = (fl_period){INT64_MIN, open ? INT64_MAX : INT64_MIN};
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "%s: needs {from: TIME, to: TIME}%s", key,
                            l->t->per_event ? "" : " or {at: TIME}");
    florin_status st = fl_yaml_only(y, known, l->t->per_event ? 2 : 3, l->err);
    if (!st) st = fl_yaml_time(y, "from", &p->from_us, l->err);
    if (!st) st = fl_yaml_time(y, "to", &p->to_us, l->err);
    if (!st) st = fl_yaml_time(y, "at", &at, l->err);
    if (!st && at != INT64_MIN) {
        if (p->from_us != INT64_MIN)
            return fl_yaml_fail(y, l->err, "%s: either `at`, or `from` and `to`", key);
        *p = (fl_period){at, at + 1};
    }
    if (st) return st;
    if (p->from_us == INT64_MIN) return fl_yaml_fail(y, l->err, "%s: `from` is missing", key);
    if (p->to_us == INT64_MIN) return fl_yaml_fail(y, l->err, "%s: `to` is missing", key);
    if (p->to_us <= p->from_us)
        return fl_yaml_fail(y, l->err, "%s: `to` must be after `from`", key);
    return FLORIN_OK;
}

/* One period or a list of them, in order of time. */
static florin_status periods(loader *l, const fl_yaml *top, const char *key, fl_period *p,
                             uint32_t *n)
{
    const fl_yaml *y = fl_yaml_get(top, key);
    bool list = y && y->kind == FL_YAML_LIST;
    uint32_t count = !y ? 0 : list ? y->count : 1;

    *n = 0;
    if (!y) return FLORIN_OK;
    if (!count || count > FL_PERIODS_MAX)
        return fl_yaml_fail(y, l->err, "%s: one to %d periods", key, FL_PERIODS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const fl_yaml *item = list ? y->item[i] : y;
        florin_status st = one_period(l, item, key, false, &p[i]);
        if (st) return st;
        if (i && p[i].from_us < p[i - 1].to_us)
            return fl_yaml_fail(item, l->err,
                                "%s: this period begins before the one above it ends: periods "
                                "stand in order and do not overlap",
                                key);
    }
    *n = count;
    return FLORIN_OK;
}

int64_t fl_task_first_test(const fl_task *t)
{
    return t->period[t->validates].from_us;
}

int64_t fl_task_train_end(const fl_task *t, uint32_t j)
{
    int64_t end = t->period[j].from_us - t->gap_us;
    /* What was held out for choosing is learnt from in the end. */
    int64_t to = j < t->validates || !t->validates || t->train.to_us == INT64_MAX
                     ? t->train.to_us
                     : t->period[t->validates - 1].to_us;
    return end < to ? end : to;
}

static int64_t shifted(int64_t at, int64_t by)
{
    return at == INT64_MIN || at == INT64_MAX ? at : at + by;
}

void fl_task_shift(fl_task *t, int64_t by)
{
    t->train = (fl_period){shifted(t->train.from_us, by), shifted(t->train.to_us, by)};
    for (uint32_t j = 0; j < t->validates + t->tests; j++)
        t->period[j] = (fl_period){t->period[j].from_us + by, t->period[j].to_us + by};
    t->drop_since_us = shifted(t->drop_since_us, by);
}

static florin_status late_label(loader *l, const fl_yaml *y, int64_t over)
{
    (void)fl_yaml_fail(y, l->err,
                       "train: the label of its last date is known only after a judged period "
                       "begins: end it %lld days earlier, or leave `to` out",
                       (long long)((over + FL_DAY_US - 1) / FL_DAY_US));
    if (l->err) l->err->status = FLORIN_ELEAK;
    return FLORIN_ELEAK;
}

static florin_status check_train(loader *l, const fl_yaml *top)
{
    fl_task *t = l->t;
    const fl_yaml *y = fl_yaml_get(top, "train");
    int64_t first = t->period[t->validates].from_us, to = t->train.to_us;

    if (to != INT64_MAX && t->validates && t->per_event && t->period[0].from_us < to)
        return fl_yaml_fail(fl_yaml_get(top, "validate"), l->err,
                            "validate: begins before train ends");
    if (to != INT64_MAX && first < to)
        return fl_yaml_fail(fl_yaml_get(top, "test"), l->err, "test: begins before train ends");
    for (uint32_t j = 0; j < t->validates + t->tests; j++)
        if (fl_task_train_end(t, j) <= t->train.from_us)
            return fl_yaml_fail(y, l->err,
                                "train: nothing lies between its `from` and the %s period %u: "
                                "begin earlier, or lower `gap`",
                                j < t->validates ? "validation" : "test",
                                j < t->validates ? j + 1 : j + 1 - t->validates);
    if (t->per_event || to == INT64_MAX) return FLORIN_OK;
    int64_t last = t->train.from_us + (to - 1 - t->train.from_us) / t->step_us * t->step_us;
    int64_t known = last + t->horizon_us + t->label_delay_us;
    return known > first ? late_label(l, y, known - first) : FLORIN_OK;
}

static florin_status all_periods(loader *l, const fl_yaml *top)
{
    fl_task *t = l->t;
    const fl_yaml *train = fl_yaml_get(top, "train"), *test = fl_yaml_get(top, "test"),
                  *validate = fl_yaml_get(top, "validate");
    florin_status st = span(l, top, "gap", &t->gap_us);

    if (st) return st;
    if (!test)
        return fl_yaml_fail(
            top, l->err, "test: missing; when is it judged? As {from: 2018-08-08, to: 2018-08-15}");
    st = periods(l, top, "validate", t->period, &t->validates);
    if (!st) st = periods(l, top, "test", t->period + t->validates, &t->tests);
    if (st) return st;
    if (t->validates && t->period[t->validates - 1].to_us > fl_task_first_test(t))
        return fl_yaml_fail(validate, l->err, "validate: must end before the test begins");
    if (t->answer == FL_TASK_ALIKE) {
        if (train || validate || t->tests > 1 || t->period[0].to_us != t->period[0].from_us + 1)
            return fl_yaml_fail(train      ? train
                                : validate ? validate
                                           : test,
                                l->err,
                                "likeness is learnt from no label: `test: {at: DATE}` is all there "
                                "is to say, without train or validate");
        t->train = (fl_period){INT64_MAX, INT64_MAX};
        return FLORIN_OK;
    }
    if (*t->folds) {
        if (train || validate)
            return fl_yaml_fail(train ? train : validate, l->err,
                                "%s: not together with `folds`: each fold is judged by what learnt "
                                "from the others",
                                train ? "train" : "validate");
        t->train = (fl_period){INT64_MAX, INT64_MAX};
        return FLORIN_OK;
    }
    if (!train)
        return fl_yaml_fail(top, l->err,
                            "train: missing; as {from: 2018-05-01}, up to each judged period");
    st = one_period(l, train, "train", true, &t->train);
    return st ? st : check_train(l, top);
}

/* --- moments, population, label --- */

/* Words of `is` behind a SELECT or an outcome. */
static const struct {
    const char *word;
    fl_outcome_is is;
    fl_task_answer answer;
} WORDS[] = {{"present", FL_IS_PRESENT, FL_TASK_BINARY}, {"absent", FL_IS_ABSENT, FL_TASK_BINARY},
             {"sum", FL_IS_SUM, FL_TASK_NUMBER},         {"count", FL_IS_COUNT, FL_TASK_NUMBER},
             {"amount", FL_IS_AMOUNT, FL_TASK_NUMBER},   {"time", FL_IS_TIME, FL_TASK_TIME},
             {"class", FL_IS_CLASS, FL_TASK_CLASS},      {"items", FL_IS_ITEMS, FL_TASK_ITEMS}};

static florin_status outcome_word(loader *l, const fl_yaml *y)
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

/* `of: FIELD`, for a class or items. */
static florin_status class_field(loader *l, const fl_yaml *y)
{
    const fl_yaml *of = fl_yaml_get(y, "of");
    florin_status st = FLORIN_OK;

    if (l->t->is != FL_IS_CLASS && l->t->is != FL_IS_ITEMS)
        return of ? fl_yaml_fail(of, l->err, "label: of: only with `is: class` or `is: items`")
                  : st;
    if (!of || of->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(of ? of : y, l->err,
                            "label: `is: %s` needs `of: FIELD`, a category of the schema",
                            l->t->is == FL_IS_ITEMS ? "items" : "class");
    l->t->of = named(l, of, CATEGORIES, of->text, &st);
    return st;
}

/* `group: FIELD` of items: what one basket's events share. */
static florin_status items_group(loader *l, const fl_yaml *y)
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
    l->t->group = named(l, group, CATEGORIES, group->text, &st);
    return st;
}

static florin_status label_names(loader *l, const fl_yaml *top, const fl_yaml *y)
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
    t->label = named(l, y, LABELS, y->text, &st);
    return st;
}

/* The text under `sql` of the map y, and the place of it, "file:line", for messages. */
static florin_status select_of(loader *l, const fl_yaml *y, const char *key, char *out, size_t size,
                               char place[128])
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

static florin_status features(loader *l, const fl_yaml *y)
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

static florin_status label_sql(loader *l, const fl_yaml *y)
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
static florin_status label_own(loader *l, const fl_yaml *y)
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
        t->own_mark = named(l, mark, MARKS, mark->text, &st);
        return st;
    }
    t->answer = FL_TASK_CLASS;
    t->of = named(l, field, CATEGORIES, field->text, &st);
    if (!st && !l->s->category[t->of].after)
        return fl_yaml_fail(field, l->err,
                            "label: field: %s is known when the event is judged and is an input: "
                            "only a field with `after: true` in the schema can be predicted",
                            field->text);
    return st;
}

static florin_status label_outcome(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"within", "is", "of", "group", "entity", RULE_KEYS};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);

    t->has_outcome = true;
    if (!st) st = event_rule(l, y, &t->outcome);
    if (!st) st = span(l, y, "within", &t->horizon_us);
    if (!st) st = outcome_word(l, y);
    if (!st) st = class_field(l, y);
    if (!st) st = items_group(l, y);
    if (!st) t->outcome_kind = kind_named(l, y, "entity", &st);
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
static florin_status label_alike(loader *l, const fl_yaml *y, bool same)
{
    static const char *const known[] = {"is", "of"};
    const fl_yaml *of = fl_yaml_get(y, "of");
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(y, known, same ? 1 : 2, l->err);

    if (st) return st;
    if (t->per_event || *t->folds)
        return fl_yaml_fail(
            y, l->err, "label: `is: %s` is for entities: moments {entity: KIND}, and no `folds`",
            same ? "same" : "alike");
    t->answer = FL_TASK_ALIKE;
    if (same) return FLORIN_OK;
    if (!of || of->kind != FL_YAML_SCALAR)
        return fl_yaml_fail(of ? of : y, l->err,
                            "label: `is: alike` needs `of: FIELD`, a category of the schema");
    t->of = named(l, of, CATEGORIES, of->text, &st);
    return st;
}

static florin_status label(loader *l, const fl_yaml *top)
{
    const fl_yaml *y = fl_yaml_get(top, "label");
    florin_status st = span(l, top, "label_delay", &l->t->label_delay_us);

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

static florin_status at_dates(loader *l, const fl_yaml *top, const fl_yaml *m)
{
    static const char *const known[] = {"entity", "every"}, *const population[] = {"active"},
                             *const active_keys[] = {"within", RULE_KEYS};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(m, known, 2, l->err);

    if (!st) t->kind = kind_named(l, m, "entity", &st);
    t->step_us = FL_DAY_US * 7;
    if (!st) st = span(l, m, "every", &t->step_us);
    if (!st && t->step_us <= 0)
        st = fl_yaml_fail(fl_yaml_get(m, "every"), l->err, "moments: `every` must be above 0");
    if (st) return st;
    const fl_yaml *p = fl_yaml_get(top, "population"), *active = fl_yaml_get(p, "active");
    t->active_us = INT64_MAX / 4;
    if (p) st = fl_yaml_only(p, population, 1, l->err);
    if (st || !active) return st;
    if (active->kind == FL_YAML_MAP)
        st = fl_yaml_only(active, active_keys, FL_LEN(active_keys), l->err);
    if (!st) st = event_rule(l, active, &t->active);
    if (!st && active->kind == FL_YAML_MAP) st = span(l, active, "within", &t->active_us);
    if (!st && t->active_us <= 0)
        st = fl_yaml_fail(active, l->err, "population: `within` must be above 0");
    return st;
}

static florin_status moments(loader *l, const fl_yaml *top)
{
    static const char *const known[] = {RULE_KEYS};
    const fl_yaml *m = fl_yaml_get(top, "moments");

    if (!m || m->kind != FL_YAML_MAP)
        return fl_yaml_fail(m ? m : top, l->err,
                            "moments: needs {event: TYPE} or {entity: KIND, every: 7d}");
    if (fl_yaml_get(m, "entity")) return at_dates(l, top, m);
    l->t->per_event = true;
    if (fl_yaml_get(top, "population"))
        return fl_yaml_fail(fl_yaml_get(top, "population"), l->err,
                            "population: for entities at dates; events are chosen by `moments`");
    florin_status st = fl_yaml_only(m, known, FL_LEN(known), l->err);
    return st ? st : event_rule(l, m, &l->t->moment);
}

/* --- the rest --- */

static florin_status removal(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"entity", "since", "lag"};
    fl_task *t = l->t;
    const char *since = NULL;

    if (!y) return FLORIN_OK;
    florin_status st = fl_yaml_only(y, known, 3, l->err);
    if (!st) t->drop_kind = kind_named(l, y, "entity", &st);
    if (!st && (t->drop_kind < 0 || !t->per_event || t->label < 0))
        st = fl_yaml_fail(y, l->err,
                          "removal: needs `entity: KIND`, in a task of events with a label of the "
                          "log");
    if (!st) st = fl_yaml_str(y, "since", &since, l->err);
    if (!st && !since)
        st = fl_yaml_fail(y, l->err,
                          "removal: since: missing; a date, or a time before each judged period "
                          "(14d)");
    if (!st && fl_duration_parse(since, &t->drop_before_us))
        st = span(l, y, "since", &t->drop_before_us);
    else if (!st) st = fl_yaml_time(y, "since", &t->drop_since_us, l->err);
    if (!st) st = span(l, y, "lag", &t->drop_lag_us);
    return st;
}

/* A number or a list of numbers in (0, most]; absent: the default stays. */
static florin_status numbers(loader *l, const fl_yaml *top, const char *key, double most,
                             bool whole, double *out, uint32_t *n)
{
    const fl_yaml *y = fl_yaml_get(top, key);
    bool list = y && y->kind == FL_YAML_LIST;

    if (!y) return FLORIN_OK;
    if (y->kind == FL_YAML_MAP || (list && (!y->count || y->count > FL_CHOICES_MAX)))
        return fl_yaml_fail(y, l->err, "%s: a number, or a list of at most %d", key,
                            FL_CHOICES_MAX);
    *n = list ? y->count : 1;
    for (uint32_t i = 0; i < *n; i++) {
        const fl_yaml *v = list ? y->item[i] : y;
        char *end = NULL;
        double x = v->kind == FL_YAML_SCALAR ? strtod(v->text, &end) : NAN;
        if (!end || end == v->text || *end || !(x > 0 && x <= most) || (whole && x != floor(x)))
            return fl_yaml_fail(v, l->err, "%s: needs a %s above 0, at most %g", key,
                                whole ? "whole number" : "share", most);
        out[i] = x;
    }
    return FLORIN_OK;
}

static florin_status metrics(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"precision_at", "card_precision", "recall_at_fpr",
                                        "money_at"};
    fl_task *t = l->t;
    double k[FL_CHOICES_MAX] = {100}, card[FL_CHOICES_MAX] = {100};
    uint32_t one = 1;

    t->precisions = t->fprs = t->moneys = 1;
    t->fpr[0] = t->money_at[0] = .01;
    florin_status st = y ? fl_yaml_only(y, known, FL_LEN(known), l->err) : FLORIN_OK;
    if (!st) st = numbers(l, y, "precision_at", 1e9, true, k, &t->precisions);
    if (!st) st = numbers(l, y, "card_precision", 1e6, true, card, &one);
    if (!st && one > 1)
        st = fl_yaml_fail(fl_yaml_get(y, "card_precision"), l->err, "card_precision: one number");
    if (!st) st = numbers(l, y, "recall_at_fpr", 1, false, t->fpr, &t->fprs);
    if (!st) st = numbers(l, y, "money_at", 1, false, t->money_at, &t->moneys);
    for (uint32_t i = 0; i < FL_CHOICES_MAX; i++) t->precision_at[i] = (uint32_t)k[i];
    t->card_k = (uint32_t)card[0];
    return st;
}

static florin_status costs(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"miss", "alert"};
    fl_task *t = l->t;
    florin_status st = y ? fl_yaml_only(y, known, 2, l->err) : FLORIN_OK;

    if (!st) st = fl_yaml_num(y, "miss", &t->cost_miss, l->err);
    if (!st) st = fl_yaml_num(y, "alert", &t->cost_alert, l->err);
    if (!st && (t->cost_miss < 0 || t->cost_alert <= 0))
        st = fl_yaml_fail(y, l->err, "cost: needs miss >= 0 and alert > 0");
    return st;
}

static florin_status text(loader *l, const fl_yaml *y, const char *key, char *out, size_t size)
{
    const char *value = NULL;
    florin_status st = fl_yaml_str(y, key, &value, l->err);

    if (st || !value) return st;
    if (strlen(value) >= size)
        return fl_yaml_fail(fl_yaml_get(y, key), l->err, "%s: at most %zu characters", key,
                            size - 1);
    memcpy(out, value, strlen(value) + 1);
    return FLORIN_OK;
}

static florin_status heading(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {
        "florin_task", "name",        "data",     "about",    "moments", "population",
        "label",       "label_delay", "train",    "validate", "test",    "gap",
        "folds",       "negatives",   "removal",  "cluster",  "cost",    "head",
        "inputs",      "metrics",     "baseline", "features"};
    fl_task *t = l->t;
    int64_t version = 0;

    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "not a task: begin with `florin_task: 1`");
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (!st) st = fl_yaml_int(y, "florin_task", &version, l->err);
    if (!st && version != 1)
        st = fl_yaml_fail(y, l->err, "not a task: begin with `florin_task: 1`");
    if (!st) st = text(l, y, "name", t->name, sizeof t->name);
    if (!st && !*t->name) st = fl_yaml_fail(y, l->err, "name: missing; the head is called by it");
    if (!st) st = text(l, y, "data", t->data, sizeof t->data);
    if (!st) st = text(l, y, "about", t->about, sizeof t->about);
    if (!st) st = text(l, y, "folds", t->folds, sizeof t->folds);
    if (!st) st = text(l, y, "head", t->head, sizeof t->head);
    if (!st && strcmp(t->head, "trees") && strcmp(t->head, "probe") && strcmp(t->head, "blend") &&
        strcmp(t->head, "surprise"))
        st = fl_yaml_fail(fl_yaml_get(y, "head"), l->err,
                          "head '%s': trees, probe, blend or surprise", t->head);
    if (!st) st = text(l, y, "inputs", t->inputs, sizeof t->inputs);
    if (!st && !fl_task_inputs_known(t->inputs))
        st = fl_yaml_fail(fl_yaml_get(y, "inputs"), l->err, "inputs '%s': " FL_TASK_INPUTS,
                          t->inputs);
    if (!st) st = text(l, y, "baseline", t->baseline, sizeof t->baseline);
    if (!st) st = fl_yaml_num(y, "negatives", &t->negatives, l->err);
    if (!st && !(t->negatives > 0 && t->negatives <= 1))
        st = fl_yaml_fail(fl_yaml_get(y, "negatives"), l->err,
                          "negatives: a share above 0, at most 1");
    return st;
}

/* Of a yes or no it is an input, which the model names (trivial.c); else what is reported beside ours in any case. */
static florin_status check_baseline(loader *l, const fl_yaml *y)
{
    static const char *const items[] = {"own_global", "user_knn", "global"};
    const char *name = l->t->baseline;
    if (!y || l->t->answer == FL_TASK_BINARY) return FLORIN_OK;
    for (size_t i = 0; i < FL_LEN(items) && l->t->answer == FL_TASK_ITEMS; i++)
        if (!strcmp(name, items[i])) return FLORIN_OK;
    if (l->t->answer == FL_TASK_ITEMS)
        return fl_yaml_fail(y, l->err, "baseline: own_global, user_knn or global, for items");
    if (l->t->answer == FL_TASK_ALIKE)
        return !strcmp(name, "fold") ? FLORIN_OK
                                     : fl_yaml_fail(y, l->err, "baseline: fold, for likeness");
    if (!strcmp(name, "prior")) return FLORIN_OK;
    return fl_yaml_fail(y, l->err, "baseline: prior, where the label is not yes or no");
}

static florin_status load(loader *l, const fl_yaml *y)
{
    florin_status st = heading(l, y);

    if (!st) st = moments(l, y);
    if (!st) st = label(l, y);
    if (!st) st = features(l, fl_yaml_get(y, "features"));
    if (!st) st = all_periods(l, y);
    if (!st) st = removal(l, fl_yaml_get(y, "removal"));
    if (!st) l->t->cluster = kind_named(l, y, "cluster", &st);
    if (!st) st = costs(l, fl_yaml_get(y, "cost"));
    if (!st && !strcmp(l->t->head, "surprise") &&
        (!l->t->per_event || l->t->answer != FL_TASK_BINARY))
        st =
            fl_yaml_fail(fl_yaml_get(y, "head"), l->err,
                         "head: surprise is of events, with a label that is yes or no to judge it");
    if (!st && l->t->answer != FL_TASK_BINARY && l->t->negatives < 1)
        st = fl_yaml_fail(fl_yaml_get(y, "negatives"), l->err,
                          "negatives: only where the label is yes or no");
    if (!st) st = check_baseline(l, fl_yaml_get(y, "baseline"));
    return st ? st : metrics(l, fl_yaml_get(y, "metrics"));
}

/* The path of the folds' file is relative to the task's. */
static florin_status place_folds(fl_task *t, const char *path, florin_error *err)
{
    const char *slash = strrchr(path, '/');
    char full[512];

    if (!*t->folds || t->folds[0] == '/') return FLORIN_OK;
    int n =
        snprintf(full, sizeof full, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, t->folds);
    if (n < 0 || (size_t)n >= sizeof t->folds)
        return fl_fail(err, FLORIN_EINPUT, "%s: folds: path too long", path);
    memcpy(t->folds, full, (size_t)n + 1);
    return FLORIN_OK;
}

florin_status fl_task_parse(fl_task *out, const char *body, size_t n, const char *name,
                            const fl_schema *schema, florin_error *err)
{
    fl_arena *arena = fl_arena_new(16384);
    fl_yaml *y = NULL;
    loader l = {schema, out, err};

    memset(out, 0, sizeof *out);
    out->kind = out->drop_kind = out->cluster = out->label = out->outcome_kind = -1;
    out->of = out->own_mark = out->group = -1;
    out->moment = out->active = out->outcome =
        (fl_event_rule){.type = -1, .mark = -1, .amount_from = FL_AMOUNT_NONE};
    out->negatives = 1;
    out->cost_alert = 5;
    out->drop_since_us = INT64_MIN;
    memcpy(out->head, "trees", 6);
    memcpy(out->inputs, "all", 4);
    florin_status st = arena ? fl_yaml_parse(arena, &y, body, n, name, err)
                             : fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    if (!st) st = load(&l, y);
    if (!st) st = place_folds(out, name, err);
    fl_arena_free(arena);
    return st;
}

bool fl_task_inputs_known(const char *inputs)
{
    static const char *const known[] = {"all", "fold", "sequence", "fold+surprise",
                                        "fold+embedding"};
    bool found = false;

    for (size_t i = 0; i < FL_LEN(known); i++) found |= !strcmp(inputs, known[i]);
    return found;
}

florin_status fl_task_load(fl_task *out, const char *path, const fl_schema *schema,
                           florin_error *err)
{
    char *body = NULL;
    size_t n = 0;
    florin_status st = fl_read_file(&body, &n, path, 1 << 20, err);

    if (!st) st = fl_task_parse(out, body, n, path, schema, err);
    free(body);
    return st;
}
