/* florin policy: what a policy file says, whether its own tests pass, and which version is on. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    cli *c;
    florin_policy_options o;
    const char *store;
    florin_signature by;
    const char **args; /* of the action */
    florin_error err;
} run;

static florin_status check(run *r)
{
    r->o.file = r->args[0];
    return florin_policy_check(&r->c->context, &r->o, &r->err);
}

static florin_status test(run *r)
{
    r->o.file = r->args[0];
    return florin_policy_test(&r->c->context, &r->o, &r->err);
}

static void say(run *r, const char *what, const char *version)
{
    char line[128];
    int n = r->c->format == FLORIN_JSON
                ? snprintf(line, sizeof line, "{\"version\":\"%s\"}\n", version)
                : snprintf(line, sizeof line, "%s %.12s\n", what, version);
    r->c->context.write(r->c->context.user, line, (size_t)n);
}

static florin_status change(run *r, florin_versions *v, const char *action)
{
    char version[FLORIN_POLICY_VERSION] = "";
    florin_model *model = NULL;
    florin_status st = FLORIN_OK;
    if (!strcmp(action, "add")) {
        if (r->o.model) st = florin_model_open(&model, r->o.model, NULL, &r->err);
        if (!st) st = florin_versions_add(v, r->args[0], model, r->o.key, &r->by, version, &r->err);
        florin_model_close(model);
        if (!st) say(r, "added", version);
    } else if (!strcmp(action, "activate")) {
        st = florin_versions_activate(v, r->args[0], &r->by, version, &r->err);
        if (!st) say(r, "on now:", version);
    } else {
        st = florin_versions_rollback(v, &r->by, version, &r->err);
        if (!st) say(r, "on again:", version);
    }
    return st;
}

static florin_status versions(run *r, const char *action)
{
    florin_versions *v;
    florin_status st = florin_versions_open(&v, r->store, &r->err);
    if (st) return st;
    if (!strcmp(action, "list"))
        st = florin_versions_list(v, &r->c->context, r->c->format, &r->err);
    else if (!strcmp(action, "compare"))
        st = florin_versions_compare(v, r->args[0], r->args[1], &r->c->context, r->c->format,
                                     &r->err);
    else st = change(r, v, action);
    florin_versions_close(v);
    return st;
}

static const struct {
    const char *name;
    int args;
} actions[] = {{"check", 1}, {"test", 1},     {"add", 1},    {"activate", 1},
               {"list", 0},  {"rollback", 0}, {"compare", 2}};
enum { ACTIONS = sizeof actions / sizeof actions[0] };

static florin_status usage(run *r, const char *action, int given)
{
    int i = 0;
    while (i < ACTIONS && strcmp(actions[i].name, action)) i++;
    r->err.status = FLORIN_EUSAGE;
    if (i == ACTIONS)
        snprintf(r->err.message, sizeof r->err.message,
                 "no action '%.40s': check, test, add, activate, rollback, list or compare",
                 action);
    else if (given != actions[i].args)
        snprintf(r->err.message, sizeof r->err.message, "%s takes %s", action,
                 !actions[i].args      ? "no argument"
                 : actions[i].args > 1 ? "two versions"
                 : i < 3               ? "a policy file"
                                       : "a version");
    else if (i > 1 && !r->store)
        snprintf(r->err.message, sizeof r->err.message, "%s needs --store FILE", action);
    else return FLORIN_OK;
    return FLORIN_EUSAGE;
}

int cmd_policy(cli *c, int argc, char **argv)
{
    run r = {.c = c, .o = FLORIN_POLICY_INIT, .by = {getenv("USER"), NULL, 0}};
    const char *args[3] = {0};
    bool attributes = false;
    int n = 0, code = 0;
    const cli_option options[] = {
        {"--model", CLI_TEXT, &r.o.model, "MODEL",
         "whose fields, features and heads the rules name (default: `model:` of the file)"},
        {"--key", CLI_TEXT, &r.o.key, "FILE", "hash key, where the model's schema names one"},
        {"--attributes", CLI_FLAG, &attributes, NULL, "check: list what rules may name"},
        {"--store", CLI_TEXT, &r.store, "FILE",
         "versions and audit: add, activate, rollback, list, compare"},
        {"--who", CLI_TEXT, &r.by.who, "NAME", "for the audit (default $USER)"},
        {"--note", CLI_TEXT, &r.by.note, "TEXT", "for the audit: why"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 3, 1, &n, &code)) return code;
    r.args = args + 1;
    r.o.format = c->format;
    r.o.attributes = attributes;
    r.by.now_us = c->context.now_us ? c->context.now_us(c->context.user) : 0;
    florin_status st = usage(&r, args[0], n - 1);
    if (!st && !strcmp(args[0], "check")) st = check(&r);
    else if (!st && !strcmp(args[0], "test")) st = test(&r);
    else if (!st) st = versions(&r, args[0]);
    return st ? cli_fail(c, &r.err) : FLORIN_OK;
}
