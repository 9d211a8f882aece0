/* florin policy check | test: what a policy file says, and whether its own tests pass. */
#include "cli.h"

#include <string.h>

int cmd_policy(cli *c, int argc, char **argv)
{
    florin_policy_options o = FLORIN_POLICY_INIT;
    const char *args[2] = {0};
    bool attributes = false;
    int n = 0, code = 0;
    florin_error err = {0};
    const cli_option options[] = {
        {"--model", CLI_TEXT, &o.model, "MODEL",
         "whose fields, features and heads the rules name (default: `model:` of the file)"},
        {"--key", CLI_TEXT, &o.key, "FILE", "hash key, where the model's schema names one"},
        {"--attributes", CLI_FLAG, &attributes, NULL, "check: list what rules may name"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 2, 2, &n, &code)) return code;
    o.file = args[1];
    o.format = c->format;
    o.attributes = attributes;
    if (!strcmp(args[0], "check"))
        return florin_policy_check(&c->context, &o, &err) ? cli_fail(c, &err) : FLORIN_OK;
    if (!strcmp(args[0], "test"))
        return florin_policy_test(&c->context, &o, &err) ? cli_fail(c, &err) : FLORIN_OK;
    err.status = FLORIN_EUSAGE;
    snprintf(err.message, sizeof err.message, "'%.40s' is neither check nor test", args[0]);
    return cli_fail(c, &err);
}
