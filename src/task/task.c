/* Task files. Every name is checked against the schema, every period against the others. */
#include "task/task_inside.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>

/* "no event type 'x' in the log; it has: a, b" */
static florin_status unknown(fl_task_loader *l, const fl_yaml *y, const char *what,
                             const char *name, const char *const *have, size_t n)
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

int fl_task_named(fl_task_loader *l, const fl_yaml *y, fl_task_table which, const char *name,
                  florin_status *st)
{
    static const char *const what[] = {"event type", "mark", "entity kind", "label",
                                       "category field"};
    const fl_schema *s = l->s;
    const char *have[FL_CATEGORIES_MAX] = {NULL};
    uint32_t n = which == FL_TASK_TYPES    ? s->sources
                 : which == FL_TASK_MARKS  ? s->marks
                 : which == FL_TASK_KINDS  ? s->kinds
                 : which == FL_TASK_LABELS ? s->labels
                                           : s->categories;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (which == FL_TASK_TYPES && s->source[i].label_of >= 0) continue;
        have[kept] = which == FL_TASK_TYPES    ? s->source[i].name
                     : which == FL_TASK_MARKS  ? s->mark[i].name
                     : which == FL_TASK_KINDS  ? s->kind[i].name
                     : which == FL_TASK_LABELS ? s->label[i].name
                                               : s->category[i].name;
        if (!strcmp(have[kept++], name)) return (int)i;
    }
    *st = unknown(l, y, what[which], name, have, kept);
    return -1;
}

static florin_status rule_values(fl_task_loader *l, const fl_yaml *y, fl_event_rule *r)
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
        int field = fl_task_named(l, v, FL_TASK_CATEGORIES, y->key[i], &st);
        if (st) return st;
        r->field[i] = (uint8_t)field;
        r->value[i] = fl_category_hash(v->text, strlen(v->text));
        r->wheres = i + 1;
    }
    return st;
}

static florin_status rule_amount(fl_task_loader *l, const fl_yaml *y, fl_event_rule *r)
{
    double amount = NAN, scale = pow(10, fl_currency_exponent(l->s->currency));
    florin_status st = fl_yaml_num(y, "amount_from", &amount, l->err);

    if (st || isnan(amount)) return st;
    if (fabs(amount * scale) > 9e15)
        return fl_yaml_fail(fl_yaml_get(y, "amount_from"), l->err, "amount_from: too large");
    r->amount_from = (int64_t)llround(amount * scale);
    return FLORIN_OK;
}

florin_status fl_task_event_rule(fl_task_loader *l, const fl_yaml *y, fl_event_rule *r)
{
    const char *event = NULL, *with = NULL, *without = NULL;
    florin_status st = FLORIN_OK;

    *r = (fl_event_rule){.type = -1, .mark = -1, .amount_from = FL_AMOUNT_NONE};
    if (y->kind == FL_YAML_SCALAR) {
        r->type = fl_task_named(l, y, FL_TASK_TYPES, y->text, &st);
        return st;
    }
    st = fl_yaml_str(y, "event", &event, l->err);
    if (!st) st = fl_yaml_str(y, "with", &with, l->err);
    if (!st) st = fl_yaml_str(y, "without", &without, l->err);
    if (!st && with && without)
        st = fl_yaml_fail(y, l->err, "`with` and `without` together: one mark at a time");
    const char *mark = with ? with : without;
    if (!st && event)
        r->type = fl_task_named(l, fl_yaml_get(y, "event"), FL_TASK_TYPES, event, &st);
    if (!st && mark)
        r->mark =
            fl_task_named(l, fl_yaml_get(y, with ? "with" : "without"), FL_TASK_MARKS, mark, &st);
    r->without = without != NULL;
    if (!st) st = rule_values(l, fl_yaml_get(y, "where"), r);
    return st ? st : rule_amount(l, y, r);
}

int fl_task_kind_named(fl_task_loader *l, const fl_yaml *y, const char *key, florin_status *st)
{
    const char *name = NULL;
    *st = fl_yaml_str(y, key, &name, l->err);
    if (*st || !name) return -1;
    return fl_task_named(l, fl_yaml_get(y, key), FL_TASK_KINDS, name, st);
}

florin_status fl_task_span(fl_task_loader *l, const fl_yaml *y, const char *key, int64_t *us)
{
    int64_t v = *us;
    florin_status st = fl_yaml_duration(y, key, &v, l->err);

    if (!st && fl_yaml_get(y, key) && (v < 0 || v > 36525 * FL_DAY_US))
        st = fl_yaml_fail(fl_yaml_get(y, key), l->err, "%s: a time of 0 to 100 years", key);
    if (!st) *us = v;
    return st;
}

/* --- periods --- */

static florin_status one_period(fl_task_loader *l, const fl_yaml *y, const char *key, bool open,
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
static florin_status periods(fl_task_loader *l, const fl_yaml *top, const char *key, fl_period *p,
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

static florin_status late_label(fl_task_loader *l, const fl_yaml *y, int64_t over)
{
    (void)fl_yaml_fail(y, l->err,
                       "train: the label of its last date is known only after a judged period "
                       "begins: end it %lld days earlier, or leave `to` out",
                       (long long)((over + FL_DAY_US - 1) / FL_DAY_US));
    if (l->err) l->err->status = FLORIN_ELEAK;
    return FLORIN_ELEAK;
}

static florin_status check_train(fl_task_loader *l, const fl_yaml *top)
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

static florin_status all_periods(fl_task_loader *l, const fl_yaml *top)
{
    fl_task *t = l->t;
    const fl_yaml *train = fl_yaml_get(top, "train"), *test = fl_yaml_get(top, "test"),
                  *validate = fl_yaml_get(top, "validate");
    florin_status st = fl_task_span(l, top, "gap", &t->gap_us);

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

/* --- moments, population --- */

static florin_status at_dates(fl_task_loader *l, const fl_yaml *top, const fl_yaml *m)
{
    static const char *const known[] = {"entity", "every"}, *const population[] = {"active"},
                             *const active_keys[] = {"within", FL_TASK_RULE_KEYS};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(m, known, 2, l->err);

    if (!st) t->kind = fl_task_kind_named(l, m, "entity", &st);
    t->step_us = FL_DAY_US * 7;
    if (!st) st = fl_task_span(l, m, "every", &t->step_us);
    if (!st && t->step_us <= 0)
        st = fl_yaml_fail(fl_yaml_get(m, "every"), l->err, "moments: `every` must be above 0");
    if (st) return st;
    const fl_yaml *p = fl_yaml_get(top, "population"), *active = fl_yaml_get(p, "active");
    t->active_us = INT64_MAX / 4;
    if (p) st = fl_yaml_only(p, population, 1, l->err);
    if (st || !active) return st;
    if (active->kind == FL_YAML_MAP)
        st = fl_yaml_only(active, active_keys, FL_LEN(active_keys), l->err);
    if (!st) st = fl_task_event_rule(l, active, &t->active);
    if (!st && active->kind == FL_YAML_MAP) st = fl_task_span(l, active, "within", &t->active_us);
    if (!st && t->active_us <= 0)
        st = fl_yaml_fail(active, l->err, "population: `within` must be above 0");
    return st;
}

static florin_status moments(fl_task_loader *l, const fl_yaml *top)
{
    static const char *const known[] = {FL_TASK_RULE_KEYS};
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
    return st ? st : fl_task_event_rule(l, m, &l->t->moment);
}

/* --- the rest --- */

static florin_status removal(fl_task_loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"entity", "since", "lag"};
    fl_task *t = l->t;
    const char *since = NULL;

    if (!y) return FLORIN_OK;
    florin_status st = fl_yaml_only(y, known, 3, l->err);
    if (!st) t->drop_kind = fl_task_kind_named(l, y, "entity", &st);
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
        st = fl_task_span(l, y, "since", &t->drop_before_us);
    else if (!st) st = fl_yaml_time(y, "since", &t->drop_since_us, l->err);
    if (!st) st = fl_task_span(l, y, "lag", &t->drop_lag_us);
    return st;
}

/* A number or a list of numbers in (0, most]; absent: the default stays. */
static florin_status numbers(fl_task_loader *l, const fl_yaml *top, const char *key, double most,
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

static florin_status metrics(fl_task_loader *l, const fl_yaml *y)
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

static florin_status costs(fl_task_loader *l, const fl_yaml *y)
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

static florin_status text(fl_task_loader *l, const fl_yaml *y, const char *key, char *out,
                          size_t size)
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

static florin_status heading(fl_task_loader *l, const fl_yaml *y)
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
static florin_status check_baseline(fl_task_loader *l, const fl_yaml *y)
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

static florin_status load(fl_task_loader *l, const fl_yaml *y)
{
    florin_status st = heading(l, y);

    if (!st) st = moments(l, y);
    if (!st) st = fl_task_label(l, y);
    if (!st) st = fl_task_features(l, fl_yaml_get(y, "features"));
    if (!st) st = all_periods(l, y);
    if (!st) st = removal(l, fl_yaml_get(y, "removal"));
    if (!st) l->t->cluster = fl_task_kind_named(l, y, "cluster", &st);
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
    fl_task_loader l = {schema, out, err};

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
