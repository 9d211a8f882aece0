/* A policy: read, kept, asked. */
#include "policy/policy.h"
#include "base/file.h"
#include "policy/program.h"
#include <stdio.h>

enum { FILE_MAX = 4 << 20 };

const char *fl_action_name(fl_action a)
{
    static const char *const names[FL_ACTIONS] = {"allow", "request_3ds", "review", "block"};
    return (unsigned)a < FL_ACTIONS ? names[a] : "?";
}

static void hash_words(fl_policy *p)
{
    static const char *const levels[3] = {"normal", "elevated", "highest"};
    for (size_t i = 0; i < 3; i++)
        p->level_hash[i] = fl_category_hash(levels[i], strlen(levels[i]));
    if (!p->schema) return;
    p->minor_units = 1;
    for (int i = fl_currency_exponent(p->schema->currency); i > 0; i--) p->minor_units *= 10;
    p->currency_hash = fl_category_hash(p->schema->currency, 3);
    for (uint32_t i = 0; i < p->schema->sources; i++)
        p->type_hash[i] =
            fl_category_hash(p->schema->source[i].name, strlen(p->schema->source[i].name));
}

static florin_status read_head(fl_policy *p, const fl_yaml *root, const fl_model *model,
                               florin_error *err)
{
    static const char *const known[] = {"florin", "name",    "model", "head", "thresholds",
                                        "rules",  "holdout", "lists", "tests"};
    int64_t version = 1;
    const char *name = NULL, *path = NULL;
    florin_status st = fl_yaml_only(root, known, FL_LEN(known), err);
    if (!st) st = fl_yaml_int(root, "florin", &version, err);
    if (!st && version != 1)
        st = fl_yaml_fail(fl_yaml_get(root, "florin"), err,
                          "policy files of version %lld are not known here: 1 is",
                          (long long)version);
    if (!st) st = fl_yaml_str(root, "name", &name, err);
    if (!st) st = fl_yaml_str(root, "model", &path, err);
    if (!st) st = fl_yaml_str(root, "head", &p->head, err);
    if (st) return st;
    p->name = fl_arena_strdup(p->arena, name ? name : "policy");
    if (!p->name) return fl_fail(err, FLORIN_ENOMEM, "%s", p->file);
    return fl_names_new(&p->names, model, p->head, err);
}

/* YAML takes the `: ` within an unquoted rule for its own, and says so in words that help nobody. */
static florin_status explain_yaml(const char *text, florin_status st, florin_error *err)
{
    static const char *const begins[] = {"- Block if", "- Allow if", "- Review if", "- Request 3D"};
    bool rule = false;
    for (size_t i = 0; i < FL_LEN(begins); i++) rule |= strstr(text, begins[i]) != NULL;
    if (st != FLORIN_EINPUT || !rule || !err) return st;
    size_t n = strlen(err->message);
    snprintf(err->message + n, sizeof err->message - n,
             " (a rule in a list needs quotes, because it holds ': ', or write all rules below one "
             "another after `rules: |`)");
    return st;
}

/* What has no risk score needs no head, so a missing one is only told when something asks for it. */
static florin_status read_parts(fl_policy *p, const fl_yaml *root, const fl_model *model,
                                florin_error *err)
{
    fl_sha256 version;
    fl_sha256_init(&version);
    fl_sha256_add(&version, p->text, p->text_n);
    florin_status st = read_head(p, root, model, err);
    if (!st) st = fl_policy_read_lists(p, fl_yaml_get(root, "lists"), &version, err);
    if (!st) st = fl_policy_read_thresholds(p, fl_yaml_get(root, "thresholds"), err);
    if (!st) st = fl_policy_read_holdout(p, fl_yaml_get(root, "holdout"), err);
    if (!st) st = fl_policy_read_rules(p, fl_yaml_get(root, "rules"), err);
    if (!st) st = fl_policy_read_cases(p, fl_yaml_get(root, "tests"), err);
    fl_sha256_hex(&version, p->version);
    return st;
}

florin_status fl_policy_parse(fl_policy **out, const char *text, size_t n, const char *name,
                              const fl_model *model, const uint8_t key[16], florin_error *err)
{
    return fl_policy_parse_given(out, text, n, name, NULL, model, key, err);
}

florin_status fl_policy_parse_given(fl_policy **out, const char *text, size_t n, const char *name,
                                    const fl_list_file *given, const fl_model *model,
                                    const uint8_t key[16], florin_error *err)
{
    fl_yaml *root;
    *out = NULL;
    fl_policy *p = fl_calloc(1, sizeof *p);
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    p->arena = fl_arena_new(16384);
    char *copy = p->arena && n < FILE_MAX ? fl_arena_alloc(p->arena, n + 1) : NULL;
    florin_status st = FLORIN_OK;
    if (n >= FILE_MAX)
        st = fl_fail(err, FLORIN_EINPUT, "%s: larger than %d bytes: long lists go into files", name,
                     FILE_MAX);
    else if (!copy || !(p->file = fl_arena_strdup(p->arena, name)))
        st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", name);
    if (!st) {
        memcpy(copy, text, n);
        p->text = copy;
        p->text_n = n;
        p->given = given;
        memcpy(p->key, key, sizeof p->key);
        p->schema = model ? fl_model_schema(model) : NULL;
        p->minor_units = 100;
        hash_words(p);
        st = explain_yaml(copy, fl_yaml_parse(p->arena, &root, copy, n, p->file, err), err);
    }
    if (!st) st = read_parts(p, root, model, err);
    if (st) {
        fl_policy_free(p);
        return st;
    }
    p->given = NULL;
    *out = p;
    return FLORIN_OK;
}

florin_status fl_policy_load(fl_policy **out, const char *path, const fl_model *model,
                             const uint8_t key[16], florin_error *err)
{
    char *text;
    size_t n;
    *out = NULL;
    florin_status st = fl_read_file(&text, &n, path, FILE_MAX, err);
    if (st) return st;
    st = fl_policy_parse(out, text, n, path, model, key, err);
    free(text);
    return st;
}

florin_status fl_policy_model_of(char **out, const char *path, florin_error *err)
{
    fl_yaml *root;
    const char *name = NULL;
    *out = NULL;
    fl_arena *arena = fl_arena_new(4096);
    if (!arena) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    florin_status st = fl_yaml_load(arena, &root, path, err);
    if (!st) st = fl_yaml_str(root, "model", &name, err);
    if (!st && name) {
        char *dir = fl_path_dir(path);
        *out = dir ? fl_path_join(dir, name) : NULL;
        free(dir);
        if (!*out) st = fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    }
    fl_arena_free(arena);
    return st;
}

void fl_policy_free(fl_policy *p)
{
    if (!p) return;
    fl_names_free(p->names);
    free(p->slot);
    free(p->op);
    free(p->set);
    free(p->set_value);
    free((void *)p->pattern);
    free(p->rule);
    free(p->order);
    for (uint32_t i = 0; i < FL_LISTS_MAX; i++) free((void *)(uintptr_t)p->list[i].list.entry);
    fl_map64_free(&p->per);
    free(p->per_at);
    free(p->cases);
    fl_arena_free(p->arena);
    free(p);
}

const char *fl_policy_version(const fl_policy *p)
{
    return p->version;
}
const char *fl_policy_name(const fl_policy *p)
{
    return p->name;
}
const char *fl_policy_text(const fl_policy *p, size_t *n)
{
    *n = p->text_n;
    return p->text;
}
uint32_t fl_policy_rules(const fl_policy *p)
{
    return (uint32_t)p->rules;
}
const char *fl_policy_rule_name(const fl_policy *p, uint32_t rule)
{
    return p->rule[rule].name;
}
const char *fl_policy_rule_text(const fl_policy *p, uint32_t rule)
{
    return p->rule[rule].shown;
}
fl_action fl_policy_rule_action(const fl_policy *p, uint32_t rule)
{
    return (fl_action)p->rule[rule].action;
}
uint32_t fl_policy_metadata(const fl_policy *p)
{
    return p->metadatas;
}
const char *fl_policy_metadata_key(const fl_policy *p, uint32_t i)
{
    return p->metadata[i];
}
uint32_t fl_policy_metadata_find(const fl_policy *p, const char *key, size_t n)
{
    for (uint32_t i = 0; i < p->metadatas; i++)
        if (!strncmp(p->metadata[i], key, n) && !p->metadata[i][n]) return i;
    return FL_NONE;
}
uint32_t fl_policy_series(const fl_policy *p)
{
    return p->seriess;
}
const fl_series *fl_policy_series_at(const fl_policy *p, uint32_t i)
{
    return &p->series[i];
}
uint32_t fl_policy_lists(const fl_policy *p)
{
    return p->lists;
}
const fl_list *fl_policy_list(const fl_policy *p, uint32_t i)
{
    return &p->list[i].list;
}
uint32_t fl_policy_rule_line(const fl_policy *p, uint32_t rule)
{
    return p->rule[rule].line;
}
uint32_t fl_policy_rule_at(const fl_policy *p, uint32_t i)
{
    return p->order[i];
}
uint32_t fl_policy_thresholds(const fl_policy *p, float at[FL_ACTIONS])
{
    at[FL_ALLOW] = INFINITY;
    at[FL_REQUEST_3DS] = p->at.request_3ds;
    at[FL_REVIEW] = p->at.review;
    at[FL_BLOCK] = p->at.block;
    return (uint32_t)p->pers;
}
double fl_policy_holdout(const fl_policy *p)
{
    return p->holdout;
}
uint32_t fl_policy_tests(const fl_policy *p)
{
    return (uint32_t)p->case_count;
}
const fl_names *fl_policy_names(const fl_policy *p)
{
    return p->names;
}
