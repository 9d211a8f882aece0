/* Task files. Every name is checked against the schema, every period against the others. */
#include "task/task.h"
#include "base/yaml.h"
#include <stdio.h>

typedef struct {
    const fl_schema *s;
    fl_task *t;
    florin_error *err;
} loader;

static florin_status event_rule(loader *l, const fl_yaml *y, fl_event_rule *r)
{
    static const char *const known[] = {"event", "with", "without", "within", "is"};
    *r = (fl_event_rule){-1, -1, false};
    if (y->kind == FL_YAML_SCALAR) {
        r->type = fl_schema_source(l->s, y->text);
        return r->type >= 0 ? FLORIN_OK
                            : fl_yaml_fail(y, l->err, "no event type '%s' in the log", y->text);
    }
    const char *event = NULL, *with = NULL, *without = NULL;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (!st) st = fl_yaml_str(y, "event", &event, l->err);
    if (!st) st = fl_yaml_str(y, "with", &with, l->err);
    if (!st) st = fl_yaml_str(y, "without", &without, l->err);
    if (st) return st;
    if (event && (r->type = fl_schema_source(l->s, event)) < 0)
        return fl_yaml_fail(y, l->err, "no event type '%s' in the log", event);
    const char *mark = with ? with : without;
    if (mark && (r->mark = fl_schema_mark(l->s, mark)) < 0)
        return fl_yaml_fail(y, l->err, "no mark '%s' in the log", mark);
    r->without = without != NULL;
    return FLORIN_OK;
}

static florin_status period(loader *l, const fl_yaml *top, const char *key, fl_period *p,
                            bool *there)
{
    static const char *const known[] = {"from", "to", "at"};
    const fl_yaml *y = fl_yaml_get(top, key);
    *there = y != NULL;
    if (!y) return FLORIN_OK;
    *p = (fl_period){INT64_MIN, INT64_MIN};
    int64_t at = INT64_MIN;
    florin_status st =
        y->kind == FL_YAML_MAP
            ? fl_yaml_only(y, known, 3, l->err)
            : fl_yaml_fail(y, l->err, "%s: needs {from: TIME, to: TIME} or {at: TIME}", key);
    if (!st) st = fl_yaml_time(y, "from", &p->from_us, l->err);
    if (!st) st = fl_yaml_time(y, "to", &p->to_us, l->err);
    if (!st) st = fl_yaml_time(y, "at", &at, l->err);
    if (!st && at != INT64_MIN) *p = (fl_period){at, at + 1};
    if (!st && (p->from_us == INT64_MIN || p->to_us == INT64_MIN || p->to_us <= p->from_us))
        st = fl_yaml_fail(y, l->err, "%s: `to` must be after `from`", key);
    return st;
}

static int kind_named(loader *l, const fl_yaml *y, const char *key, florin_status *st)
{
    const char *name = NULL;
    *st = fl_yaml_str(y, key, &name, l->err);
    if (*st || !name) return -1;
    int k = fl_schema_kind(l->s, name);
    if (k < 0)
        *st = fl_yaml_fail(fl_yaml_get(y, key), l->err, "no entity kind '%s' in the log", name);
    return k;
}

static florin_status at_dates(loader *l, const fl_yaml *top, const fl_yaml *m)
{
    static const char *const known[] = {"entity", "every"}, *const population[] = {"active"},
                             *const outcome[] = {"event", "with", "without", "within", "is"};
    fl_task *t = l->t;
    florin_status st = fl_yaml_only(m, known, 2, l->err);
    if (!st) t->kind = kind_named(l, m, "entity", &st);
    if (!st && t->kind < 0)
        st = fl_yaml_fail(m, l->err,
                          "moments: needs `entity: KIND`, or `event: TYPE` to judge every event");
    t->step_us = FL_DAY_US * 7;
    if (!st) st = fl_yaml_duration(m, "every", &t->step_us, l->err);
    if (!st && t->step_us <= 0) st = fl_yaml_fail(m, l->err, "moments: `every` must be above 0");
    if (st) return st;
    const fl_yaml *p = fl_yaml_get(top, "population"), *active = fl_yaml_get(p, "active"),
                  *y = fl_yaml_get(top, "label");
    if (p) st = fl_yaml_only(p, population, 1, l->err);
    if (!st && active) st = event_rule(l, active, &t->active);
    t->active_us = INT64_MAX / 4;
    if (!st && active && active->kind == FL_YAML_MAP)
        st = fl_yaml_duration(active, "within", &t->active_us, l->err);
    if (st) return st;
    if (!y || y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y ? y : top, l->err,
                            "label: needs {event: TYPE, within: 30d, is: present or absent}");
    st = fl_yaml_only(y, outcome, FL_LEN(outcome), l->err);
    if (!st) st = event_rule(l, y, &t->outcome);
    if (!st) st = fl_yaml_duration(y, "within", &t->horizon_us, l->err);
    const char *is = "present";
    if (!st) st = fl_yaml_str(y, "is", &is, l->err);
    if (!st && t->horizon_us <= 0)
        st = fl_yaml_fail(y, l->err, "label: needs `within:`, the time that is looked ahead");
    if (!st && strcmp(is, "present") && strcmp(is, "absent"))
        st = fl_yaml_fail(y, l->err, "label: `is` is present or absent");
    t->outcome_absent = !strcmp(is, "absent");
    return st;
}

static florin_status per_event(loader *l, const fl_yaml *top, const fl_yaml *m)
{
    const char *label = NULL;
    l->t->per_event = true;
    florin_status st = event_rule(l, m, &l->t->moment);
    if (!st) st = fl_yaml_str(top, "label", &label, l->err);
    if (st) return st;
    l->t->label = label ? fl_schema_label(l->s, label) : l->s->risk_label;
    if (l->t->label >= 0) return FLORIN_OK;
    fl_buf all = {0};
    for (uint32_t i = 0; i < l->s->labels; i++)
        fl_buf_printf(&all, "%s%s", i ? ", " : "", l->s->label[i].name);
    st = fl_yaml_fail(fl_yaml_get(top, "label") ? fl_yaml_get(top, "label") : top, l->err,
                      "no label '%s' in the log; it has: %s", label ? label : "",
                      all.data ? all.data : "none");
    fl_buf_free(&all);
    return st;
}

static florin_status removal(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {"entity", "since", "lag"};
    fl_task *t = l->t;
    if (!y) return FLORIN_OK;
    florin_status st = fl_yaml_only(y, known, 3, l->err);
    if (!st) t->drop_kind = kind_named(l, y, "entity", &st);
    if (!st) st = fl_yaml_time(y, "since", &t->drop_since_us, l->err);
    if (!st) st = fl_yaml_duration(y, "lag", &t->drop_lag_us, l->err);
    return st;
}

static florin_status check_periods(loader *l, const fl_yaml *y)
{
    fl_task *t = l->t;
    int64_t known = t->per_event ? 0 : t->horizon_us;
    if (*t->folds) return FLORIN_OK;
    if (t->has_validate && t->validate.from_us < t->train.to_us && t->per_event)
        return fl_yaml_fail(y, l->err, "validate: begins before train ends");
    if (t->test.from_us < t->train.to_us)
        return fl_yaml_fail(y, l->err, "test: begins before train ends");
    int64_t last = t->per_event ? t->train.to_us
                                : t->train.from_us + (t->train.to_us - 1 - t->train.from_us) /
                                                         t->step_us * t->step_us;
    if (last + known > t->test.from_us) {
        (void)fl_yaml_fail(y, l->err,
                           "train: the label of its last date is known only after the test begins: "
                           "end it %lld days earlier",
                           (long long)((last + known - t->test.from_us) / FL_DAY_US + 1));
        if (l->err) l->err->status = FLORIN_ELEAK;
        return FLORIN_ELEAK;
    }
    return FLORIN_OK;
}

static florin_status load(loader *l, const fl_yaml *y)
{
    static const char *const known[] = {
        "florin_task", "name",    "data",     "about", "moments",       "label",
        "population",  "train",   "validate", "test",  "folds",         "negatives",
        "removal",     "cluster", "cost",     "head",  "card_precision"};
    static const char *const cost[] = {"miss", "alert"};
    fl_task *t = l->t;
    const char *name = NULL, *data = "", *folds = "", *head = "trees";
    bool has_train, has_test;
    int64_t k = 100;
    if (y->kind != FL_YAML_MAP)
        return fl_yaml_fail(y, l->err, "not a task: begin with `florin_task: 1`");
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), l->err);
    if (!st) st = fl_yaml_str(y, "name", &name, l->err);
    if (!st && (!name || !*name || strlen(name) >= sizeof t->name))
        st = fl_yaml_fail(y, l->err, "name: missing or too long");
    if (!st) st = fl_yaml_str(y, "data", &data, l->err);
    if (!st) st = fl_yaml_str(y, "folds", &folds, l->err);
    if (!st) st = fl_yaml_str(y, "head", &head, l->err);
    if (!st && strcmp(head, "trees") && strcmp(head, "probe") && strcmp(head, "blend"))
        st = fl_yaml_fail(fl_yaml_get(y, "head"), l->err, "head '%s': trees, probe or blend", head);
    if (!st) st = fl_yaml_num(y, "negatives", &t->negatives, l->err);
    if (!st && !(t->negatives > 0 && t->negatives <= 1))
        st = fl_yaml_fail(y, l->err, "negatives: a share above 0, at most 1");
    if (!st) st = fl_yaml_int(y, "card_precision", &k, l->err);
    const fl_yaml *m = fl_yaml_get(y, "moments"), *c = fl_yaml_get(y, "cost");
    if (!st && (!m || m->kind != FL_YAML_MAP))
        st = fl_yaml_fail(y, l->err, "moments: needs {event: TYPE} or {entity: KIND, every: 7d}");
    if (st) return st;
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->data, sizeof t->data, "%s", data);
    snprintf(t->folds, sizeof t->folds, "%s", folds);
    snprintf(t->head, sizeof t->head, "%s", head);
    t->card_k = (uint32_t)(k > 0 && k < 100000 ? k : 100);
    st = fl_yaml_get(m, "entity") ? at_dates(l, y, m) : per_event(l, y, m);
    if (!st) st = period(l, y, "train", &t->train, &has_train);
    if (!st) st = period(l, y, "validate", &t->validate, &t->has_validate);
    if (!st) st = period(l, y, "test", &t->test, &has_test);
    if (!st && !has_test)
        st = fl_yaml_fail(
            y, l->err, "test: missing; when is it judged? As {from: 2018-08-08, to: 2018-08-15}");
    if (!st && !has_train && !*t->folds) st = fl_yaml_fail(y, l->err, "train: missing");
    if (!st) st = removal(l, fl_yaml_get(y, "removal"));
    if (!st) t->cluster = kind_named(l, y, "cluster", &st);
    if (!st && c) st = fl_yaml_only(c, cost, 2, l->err);
    if (!st && c) st = fl_yaml_num(c, "miss", &t->cost_miss, l->err);
    if (!st && c) st = fl_yaml_num(c, "alert", &t->cost_alert, l->err);
    if (!st && (t->cost_miss < 0 || t->cost_alert <= 0))
        st = fl_yaml_fail(c ? c : y, l->err, "cost: needs miss >= 0 and alert > 0");
    return st ? st : check_periods(l, y);
}

florin_status fl_task_load(fl_task *out, const char *path, const fl_schema *schema,
                           florin_error *err)
{
    fl_arena *arena = fl_arena_new(16384);
    fl_yaml *y = NULL;
    memset(out, 0, sizeof *out);
    out->kind = out->drop_kind = out->cluster = out->label = -1;
    out->active = out->outcome = (fl_event_rule){-1, -1, false};
    out->negatives = 1;
    out->cost_alert = 5;
    loader l = {schema, out, err};
    florin_status st =
        arena ? fl_yaml_load(arena, &y, path, err) : fl_fail(err, FLORIN_ENOMEM, "%s", path);
    if (!st) st = load(&l, y);
    /* The path of the folds' file is relative to the task's. */
    if (!st && *out->folds && out->folds[0] != '/') {
        const char *slash = strrchr(path, '/');
        char full[512];
        snprintf(full, sizeof full, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path,
                 out->folds);
        if (strlen(full) >= sizeof out->folds)
            st = fl_fail(err, FLORIN_EINPUT, "%s: folds: path too long", path);
        else memcpy(out->folds, full, strlen(full) + 1);
    }
    fl_arena_free(arena);
    return st;
}

int64_t fl_task_first_test(const fl_task *t)
{
    return t->test.from_us;
}
