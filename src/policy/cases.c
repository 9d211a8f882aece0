/* The tests that a policy file brings along: an event as values of attributes, and the action that must come of it. */
#include "policy/lists.h"
#include "policy/program.h"
#include <stdio.h>

/* "velocity(card,1h)" and "velocity(card, 1h)" are the same; so are ":amount:" and "amount". */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == ' ' || *a == ':') a++;
        while (*b == ' ' || *b == ':') b++;
        if (*a != *b) return false;
        if (!*a) return true;
    }
}

static florin_status give_cell(const fl_policy *p, const fl_slot *s, const fl_yaml *y,
                               fl_cell *cell, fl_text *text, florin_error *err)
{
    size_t n = strlen(y->text);
    double x = NAN;
    if (!y->quoted && (!n || !strcmp(y->text, "~") || !strcmp(y->text, "null"))) return FLORIN_OK;
    *text = (fl_text){y->text, (uint32_t)n};
    if (s->type == FL_ATTR_ENTITY)
        cell->hash = fl_entity_hash(p->key, p->schema->kind[s->index].name, y->text, n);
    else if (s->type == FL_ATTR_TEXT || s->type == FL_ATTR_UNKNOWN)
        cell->hash = n ? fl_category_hash(y->text, n) : 0;
    else {
        x = s->type == FL_ATTR_FLAG ? fl_text_flag(y->text, n) : fl_text_number(y->text, n);
        if (isnan(x) && s->from != FL_FROM_METADATA)
            return fl_yaml_fail(y, err, "'%s' is %s, not '%.64s'", s->name,
                                s->type == FL_ATTR_FLAG ? "true or false" : "a number", y->text);
        cell->number = x;
    }
    return FLORIN_OK;
}

static florin_status unknown_name(const fl_policy *p, const char *name, const fl_yaml *y,
                                  bool metadata, florin_error *err)
{
    const char *names[FL_SLOTS_MAX];
    char why[384], copy[96];
    size_t n = 0;
    fl_attr a;
    for (size_t i = 0; i < p->slots; i++)
        if (p->slot[i].from != FL_FROM_LISTED && p->slot[i].from != FL_FROM_LIKE)
            names[n++] = p->slot[i].name;
    snprintf(copy, sizeof copy, "%.90s", name);
    if (!metadata && !strchr(name, '(') && !fl_names_are_free(p->names)) {
        if (fl_names_find(p->names, copy, strlen(copy), &a, why, sizeof why)) return FLORIN_OK;
        return fl_yaml_fail(y, err, "%s", why);
    }
    if (!metadata && fl_names_are_free(p->names) &&
        fl_names_find(p->names, copy, strlen(copy), &a, why, sizeof why) && a.from != FL_FROM_FREE)
        return FLORIN_OK;
    const char *near = fl_nearest(copy, names, n);
    return fl_yaml_fail(y, err, "no rule reads %s'%s'%s%s%s", metadata ? "the metadata " : "", copy,
                        near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Is it the slot of that attribute? By where its value comes from, since :risk_score: may be called :fraud.score: too. */
static bool named(const fl_policy *p, const fl_slot *s, const char *name, bool metadata)
{
    char why[384];
    fl_attr a;
    if (s->from == FL_FROM_LISTED || s->from == FL_FROM_LIKE) return false;
    if (metadata || s->from == FL_FROM_METADATA)
        return metadata == (s->from == FL_FROM_METADATA) && same_name(s->name, name);
    if (s->from == FL_FROM_FREE || s->from == FL_FROM_RING) return same_name(s->name, name);
    return fl_names_find(p->names, name, strlen(name), &a, why, sizeof why) && a.from == s->from &&
           a.index == s->index;
}

static florin_status give(fl_policy *p, fl_policy_case *c, const char *name, const fl_yaml *y,
                          bool metadata, florin_error *err)
{
    bool read = false;
    if (y->kind != FL_YAML_SCALAR) return fl_yaml_fail(y, err, "'%.64s' needs one value", name);
    for (size_t i = 0; i < p->slots; i++) {
        const fl_slot *s = &p->slot[i];
        if (!named(p, s, name, metadata)) continue;
        florin_status st = give_cell(p, s, y, &c->cell[i], &c->text[i], err);
        if (st) return st;
        read = true;
    }
    return read ? FLORIN_OK : unknown_name(p, name, y, metadata, err);
}

static fl_cell nothing(const fl_slot *s)
{
    fl_cell c = {.number = NAN};
    if (s->type == FL_ATTR_TEXT || s->type == FL_ATTR_ENTITY) c.hash = 0;
    if (s->from == FL_FROM_RING) c.number = 0;
    return c;
}

/* The level follows from the score where only the score is given. */
static void level_of_score(const fl_policy *p, fl_policy_case *c)
{
    for (size_t i = 0; i < p->slots; i++)
        for (size_t k = 0; k < p->slots; k++) {
            double score = c->cell[k].number;
            if (p->slot[i].from != FL_FROM_LEVEL || p->slot[k].from != FL_FROM_SCORE ||
                p->slot[i].index != p->slot[k].index || c->cell[i].hash || isnan(score))
                continue;
            c->cell[i].hash = p->level_hash[score < FLORIN_SCORE_ELEVATED  ? 0
                                            : score < FLORIN_SCORE_HIGHEST ? 1
                                                                           : 2];
        }
}

static florin_status read_event(fl_policy *p, fl_policy_case *c, const fl_yaml *event,
                                florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (event && event->kind != FL_YAML_MAP)
        return fl_yaml_fail(event, err, "'event' is written {amount: 120, risk_score: 80}");
    for (uint32_t i = 0; event && i < event->count && !st; i++) {
        const char *name = event->key[i];
        const fl_yaml *y = event->item[i];
        if (!strcmp(name, "time")) st = fl_yaml_time(event, "time", &c->time_us, err);
        else if (!strcmp(name, "metadata") && y->kind == FL_YAML_MAP)
            for (uint32_t k = 0; k < y->count && !st; k++)
                st = give(p, c, y->key[k], y->item[k], true, err);
        else st = give(p, c, name, y, false, err);
    }
    level_of_score(p, c);
    return st;
}

static florin_status read_expected(const fl_policy *p, fl_policy_case *c, const fl_yaml *y,
                                   florin_error *err)
{
    const char *expect = NULL, *names[FL_RULES_MAX];
    florin_status st = fl_yaml_str(y, "expect", &expect, err);
    if (!st) st = fl_yaml_str(y, "rule", &c->rule, err);
    if (st) return st;
    const char *actions[FL_ACTIONS];
    for (int a = 0; a < FL_ACTIONS; a++) actions[a] = fl_action_name((fl_action)a);
    for (c->action = 0; expect && c->action < FL_ACTIONS; c->action++)
        if (!strcmp(actions[c->action], expect)) break;
    if (!expect || c->action == FL_ACTIONS)
        return fl_yaml_fail(expect ? fl_yaml_get(y, "expect") : y, err,
                            "'expect' is allow, request_3ds, review or block");
    for (size_t i = 0; i < p->rules; i++) names[i] = p->rule[i].name;
    for (size_t i = 0; c->rule && i < p->rules; i++)
        if (!strcmp(names[i], c->rule)) return FLORIN_OK;
    if (!c->rule) return FLORIN_OK;
    const char *near = fl_nearest(c->rule, names, p->rules);
    return fl_yaml_fail(fl_yaml_get(y, "rule"), err, "no rule is called '%.64s'%s%s%s", c->rule,
                        near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static florin_status read_case(fl_policy *p, const fl_yaml *y, florin_error *err)
{
    static const char *const known[] = {"name", "event", "expect", "rule"};
    fl_policy_case c = {.line = y->line};
    char number[32];
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), err);
    if (!st) st = fl_yaml_str(y, "name", &c.name, err);
    if (st) return st;
    snprintf(number, sizeof number, "test %zu", p->case_count + 1);
    if (!c.name) c.name = fl_arena_strdup(p->arena, number);
    c.cell = fl_arena_alloc(p->arena, (p->slots + 1) * sizeof *c.cell);
    c.text = fl_arena_alloc(p->arena, (p->slots + 1) * sizeof *c.text);
    if (!c.name || !c.cell || !c.text ||
        !fl_grow((void **)&p->cases, &p->case_cap, p->case_count + 1, sizeof *p->cases))
        return fl_fail(err, FLORIN_ENOMEM, "%s: tests", p->file);
    for (size_t i = 0; i < p->slots; i++) c.cell[i] = nothing(&p->slot[i]);
    st = read_event(p, &c, fl_yaml_get(y, "event"), err);
    if (!st) st = read_expected(p, &c, y, err);
    if (!st) p->cases[p->case_count++] = c;
    return st;
}

/* A test gives the score where a rule may read the level alone. */
static florin_status score_of_levels(fl_policy *p, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (size_t i = 0; i < p->slots && !st; i++) {
        uint16_t slot;
        fl_slot want = {.from = FL_FROM_SCORE,
                        .type = FL_ATTR_NUMBER,
                        .index = p->slot[i].index,
                        .name = "risk_score"};
        if (p->slot[i].from == FL_FROM_LEVEL) st = fl_policy_slot(p, &want, &slot, err);
    }
    return st;
}

florin_status fl_policy_read_cases(fl_policy *p, const fl_yaml *tests, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (!tests) return FLORIN_OK;
    if (tests->kind != FL_YAML_LIST)
        return fl_yaml_fail(tests, err, "'tests' is a list of {event: {...}, expect: block}");
    st = score_of_levels(p, err);
    for (uint32_t i = 0; i < tests->count && !st; i++) st = read_case(p, tests->item[i], err);
    return st;
}

static bool passes(const fl_policy *p, const fl_policy_case *c, const fl_lists *lists,
                   fl_decision *d)
{
    fl_cell cell[FL_SLOTS_MAX];
    memcpy(cell, c->cell, p->slots * sizeof *cell);
    fl_slots_derive(p, c->text, lists, c->time_us, cell);
    fl_policy_judge(p, cell, UINT64_MAX, d);
    return d->action == c->action &&
           (!c->rule || (d->by == FL_BY_RULE && !strcmp(p->rule[d->rule].name, c->rule)));
}

florin_status fl_policy_test(const fl_policy *p, uint32_t *tests, uint32_t *failed, json_t **result,
                             florin_error *err)
{
    fl_lists *lists;
    json_t *all = json_array();
    *tests = *failed = 0;
    if (result) *result = NULL;
    florin_status st = fl_lists_open(&lists, p, NULL, err);
    for (size_t i = 0; i < p->case_count && !st; i++) {
        const fl_policy_case *c = &p->cases[i];
        fl_decision d;
        bool ok = passes(p, c, lists, &d);
        ++*tests;
        *failed += !ok;
        json_array_append_new(
            all,
            json_pack("{s:s, s:i, s:b, s:s, s:s?, s:s, s:s, s:s?}", "name", c->name, "line",
                      (int)c->line, "passed", ok, "expected", fl_action_name((fl_action)c->action),
                      "expected_rule", c->rule, "action", fl_action_name((fl_action)d.action), "by",
                      d.by == FL_BY_RULE        ? "rule"
                      : d.by == FL_BY_THRESHOLD ? "threshold"
                                                : "none",
                      "rule", d.by == FL_BY_RULE ? p->rule[d.rule].name : NULL));
    }
    fl_lists_close(lists);
    if (!st && result)
        *result = json_pack("{s:i, s:i, s:O}", "tests", (int)*tests, "failed", (int)*failed,
                            "cases", all);
    json_decref(all);
    return st;
}
