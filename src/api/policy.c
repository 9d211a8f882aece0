/* The policy's section of florin.h. */
#include "api/policy.h"
#include "policy/lists.h"
#include <stdio.h>

florin_status fl_api_policy_key(const fl_schema *s, const char *path, uint8_t key[16],
                                florin_error *err)
{
    if (path) return fl_key_load(path, key, err);
    if (s && s->hash_key)
        return fl_fail(err, FLORIN_EUSAGE,
                       "the model's schema hashes identifiers with the key in '%s': give the path "
                       "of that file as `key`",
                       s->hash_key);
    static const fl_schema built_in;
    return fl_schema_key(s ? s : &built_in, key, err);
}

static florin_status open_with(florin_policy *p, const char *path, const char *key_file,
                               florin_error *err)
{
    uint8_t key[16];
    const fl_model *m = p->model ? p->model->model : NULL; /* none: for tests alone */
    florin_status st = fl_api_policy_key(m ? fl_model_schema(m) : NULL, key_file, key, err);
    if (st) return st;
    return path ? fl_policy_load(&p->policy, path, m, key, err)
                : fl_policy_parse(&p->policy, "name: rules", 11, "rules", m, key, err);
}

static florin_status open_policy(florin_policy *p, const char *path, florin_model *model,
                                 const char *key, bool without, florin_error *err)
{
    if (model) {
        p->model = model;
        atomic_fetch_add(&model->users, 1);
        return open_with(p, path, key, err);
    }
    char *named = NULL;
    florin_status st = path ? fl_policy_model_of(&named, path, err) : FLORIN_OK;
    if (st) return st;
    if (named) st = florin_model_open(&p->model, named, NULL, err);
    else if (!without)
        st =
            fl_fail(err, FLORIN_EUSAGE, "%s names no model: give one, or write `model: FILE` in it",
                    path ? path : "the policy");
    free(named);
    return st ? st : open_with(p, path, key, err);
}

static florin_status open_any(florin_policy **out, const char *path, florin_model *model,
                              const char *key, bool without, florin_error *err)
{
    *out = NULL;
    florin_policy *p = fl_calloc(1, sizeof *p);
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "policy: out of memory");
    florin_status st = open_policy(p, path, model, key, without, err);
    if (st) {
        florin_policy_close(p);
        return st;
    }
    *out = p;
    return FLORIN_OK;
}

florin_status florin_policy_open(florin_policy **out, const char *path, florin_model *model,
                                 const char *key, florin_error *err)
{
    if (!out || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_policy_open: no file given");
    return open_any(out, path, model, key, false, err);
}

void florin_policy_close(florin_policy *p)
{
    if (!p) return;
    fl_policy_free(p->policy);
    florin_model_close(p->model);
    free(p);
}

const char *florin_policy_version(const florin_policy *p)
{
    return p ? fl_policy_version(p->policy) : "";
}

uint32_t florin_policy_rules(const florin_policy *p)
{
    return p ? fl_policy_rules(p->policy) : 0;
}

const char *florin_policy_rule_name(const florin_policy *p, uint32_t rule)
{
    return rule < florin_policy_rules(p) ? fl_policy_rule_name(p->policy, rule) : NULL;
}

const char *florin_policy_rule_text(const florin_policy *p, uint32_t rule)
{
    return rule < florin_policy_rules(p) ? fl_policy_rule_text(p->policy, rule) : NULL;
}

/* ---- check and test ---- */

florin_status fl_api_policy_open(florin_policy **out, const char *path, const char *model,
                                 const char *key, bool without, florin_error *err)
{
    florin_model *m = NULL;
    *out = NULL;
    florin_status st = model ? florin_model_open(&m, model, NULL, err) : FLORIN_OK;
    if (!st) st = open_any(out, path, m, key, without, err);
    florin_model_close(m); /* the policy keeps it */
    return st;
}

static florin_status open_asked(florin_policy **out, const florin_policy_options *opt, bool without,
                                florin_error *err)
{
    *out = NULL;
    if (!opt || opt->size != sizeof *opt || !opt->file)
        return fl_fail(err, FLORIN_EUSAGE, "policy: no file given");
    return fl_api_policy_open(out, opt->file, opt->model, opt->key, without, err);
}

static json_t *thresholds_json(const fl_policy *p)
{
    json_t *o = json_object();
    float at[FL_ACTIONS];
    uint32_t own = fl_policy_thresholds(p, at);
    for (int a = 0; a < FL_ACTIONS; a++)
        if (at[a] <= 100)
            json_object_set_new(o, fl_action_name((fl_action)a), json_real((double)at[a]));
    json_object_set_new(o, "own", json_integer(own));
    return o;
}

static json_t *policy_json(const fl_policy *p)
{
    json_t *rules = json_array(), *lists = json_array(), *series = json_array();
    for (uint32_t i = 0; i < fl_policy_rules(p); i++) {
        uint32_t r = fl_policy_rule_at(p, i);
        json_array_append_new(
            rules, json_pack("{s:s, s:s, s:i, s:s}", "name", fl_policy_rule_name(p, r), "action",
                             fl_action_name(fl_policy_rule_action(p, r)), "line",
                             (int)fl_policy_rule_line(p, r), "rule", fl_policy_rule_text(p, r)));
    }
    for (uint32_t i = 0; i < fl_policy_lists(p); i++)
        json_array_append_new(lists,
                              json_pack("{s:s, s:I, s:I}", "name", fl_policy_list(p, i)->name,
                                        "entries", (json_int_t)fl_policy_list(p, i)->entries,
                                        "most", (json_int_t)fl_policy_list(p, i)->most));
    for (uint32_t i = 0; i < fl_policy_series(p); i++)
        json_array_append_new(series, json_string(fl_policy_series_at(p, i)->name));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:f, s:i}", "name", fl_policy_name(p),
                     "version", fl_policy_version(p), "thresholds", thresholds_json(p), "rules",
                     rules, "lists", lists, "velocity", series, "holdout", fl_policy_holdout(p),
                     "tests", (int)fl_policy_tests(p));
}

static void write_thresholds(const florin_context *ctx, const fl_policy *p)
{
    float at[FL_ACTIONS];
    uint32_t own = fl_policy_thresholds(p, at);
    bool any = false;
    for (int a = FL_ACTIONS - 1; a > 0; a--) {
        if (!(at[a] <= 100)) continue;
        fl_writef(ctx, "%s%s from %g", any ? ", " : "  thresholds: ", fl_action_name((fl_action)a),
                  (double)at[a]);
        any = true;
    }
    if (own)
        fl_writef(ctx, "%s%u with thresholds of their own", any ? "; " : "  thresholds: ", own);
    if (any || own) fl_writef(ctx, "\n");
    if (fl_policy_holdout(p) > 0)
        fl_writef(ctx, "  holdout: %g %% of blocks are let through\n", 100 * fl_policy_holdout(p));
}

static void write_policy(const florin_context *ctx, const fl_policy *p, const char *file)
{
    fl_writef(ctx, "%s: %s, version %.12s\n", file, fl_policy_name(p), fl_policy_version(p));
    write_thresholds(ctx, p);
    uint32_t rules = fl_policy_rules(p);
    if (rules) fl_writef(ctx, "  rules, in the order in which they are asked (%u):\n", rules);
    for (uint32_t i = 0; i < rules; i++) {
        uint32_t r = fl_policy_rule_at(p, i);
        fl_writef(ctx, "    line %-4u %-20s %s\n", fl_policy_rule_line(p, r),
                  fl_policy_rule_name(p, r), fl_policy_rule_text(p, r));
    }
    for (uint32_t i = 0; i < fl_policy_lists(p); i++) {
        const fl_list *l = fl_policy_list(p, i);
        fl_writef(ctx, "  list @%s: %u entries, room for %u\n", l->name, l->entries, l->most);
    }
    for (uint32_t i = 0; i < fl_policy_series(p); i++)
        fl_writef(ctx, "  counted: %s\n", fl_policy_series_at(p, i)->name);
    fl_writef(ctx, "  tests: %u (florin policy test runs them)\n", fl_policy_tests(p));
}

static void write_attributes(const florin_context *ctx, const fl_policy *p, bool json)
{
    static const char *const types[] = {"any", "number", "text", "yes or no", "identifier"};
    json_t *all = json_array();
    fl_attr a;
    for (uint32_t i = 0; i < fl_names_count(fl_policy_names(p)); i++) {
        const char *name = fl_names_at(fl_policy_names(p), i, &a);
        if (json)
            json_array_append_new(all,
                                  json_pack("{s:s, s:s}", "name", name, "type", types[a.type]));
        else fl_writef(ctx, "%-52s %s\n", name, types[a.type]);
    }
    if (json) fl_json_write(ctx, all);
    json_decref(all);
}

florin_status florin_policy_check(const florin_context *ctx, const florin_policy_options *opt,
                                  florin_error *err)
{
    florin_policy *p;
    florin_status st = open_asked(&p, opt, false, err);
    if (st) return st;
    if (opt->attributes) write_attributes(ctx, p->policy, opt->format == FLORIN_JSON);
    else if (opt->format == FLORIN_JSON) {
        json_t *j = policy_json(p->policy);
        fl_json_write(ctx, j);
        json_decref(j);
    } else write_policy(ctx, p->policy, opt->file);
    florin_policy_close(p);
    return FLORIN_OK;
}

static void write_tests(const florin_context *ctx, const json_t *result, const char *file)
{
    const json_t *c;
    size_t i;
    json_array_foreach(json_object_get(result, "cases"), i, c)
    {
        if (fl_json_bool(c, "passed", false)) continue;
        const char *want = fl_json_str(c, "expected_rule", ""), *rule = fl_json_str(c, "rule", "");
        fl_writef(ctx, "FAILED %s:%lld %s: expected %s%s%s, got %s%s%s\n", file,
                  (long long)fl_json_int(c, "line", 0), fl_json_str(c, "name", ""),
                  fl_json_str(c, "expected", ""), *want ? " by " : "", want,
                  fl_json_str(c, "action", ""),
                  *rule                                            ? " by "
                  : !strcmp(fl_json_str(c, "by", ""), "threshold") ? " by a threshold"
                                                                   : "",
                  rule);
    }
    fl_writef(ctx, "%lld tests, %lld failed\n", (long long)fl_json_int(result, "tests", 0),
              (long long)fl_json_int(result, "failed", 0));
}

florin_status florin_policy_test(const florin_context *ctx, const florin_policy_options *opt,
                                 florin_error *err)
{
    florin_policy *p;
    json_t *result = NULL;
    uint32_t tests = 0, failed = 0;
    florin_status st = open_asked(&p, opt, true, err);
    if (st) return st;
    st = fl_policy_test(p->policy, &tests, &failed, &result, err);
    if (!st && !tests)
        st = fl_fail(err, FLORIN_EINPUT, "%s has no tests: write some under `tests:`", opt->file);
    else if (!st && opt->format == FLORIN_JSON) fl_json_write(ctx, result);
    else if (!st) write_tests(ctx, result, opt->file);
    if (!st && failed)
        st = fl_fail(err, FLORIN_EQUALITY, "%s: %u of %u tests failed", opt->file, failed, tests);
    json_decref(result);
    florin_policy_close(p);
    return st;
}
