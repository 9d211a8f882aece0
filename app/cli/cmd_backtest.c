/* florin backtest: what rules and thresholds would have done to a log. */
#include "cli.h"

int cmd_backtest(cli *c, int argc, char **argv)
{
    florin_backtest_options o = FLORIN_BACKTEST_INIT;
    const char *args[1] = {0}, *rules[9] = {0};
    int n = 0, code = 0;
    florin_error err = {0};
    const cli_option options[] = {
        {"--policy", CLI_TEXT, &o.policy, "FILE", "policy file (docs/policy.md)"},
        {"--rule", CLI_LIST, rules, "RULE", "one rule more, as if it stood last in the policy"},
        {"--model", CLI_TEXT, &o.model, "MODEL", "default: `model:` of the policy"},
        {"--key", CLI_TEXT, &o.key, "FILE", "hash key, where the model's schema names one"},
        {"--from", CLI_TEXT, &o.from, "TIME", "events from this moment on"},
        {"--to", CLI_TEXT, &o.to, "TIME", "events before this moment"},
        {"--type", CLI_TEXT, &o.type, "TYPE",
         "events of this type (default: all that the label speaks of)"},
        {"--label", CLI_TEXT, &o.label, "LABEL",
         "whose bad value is a dispute (default: the schema's risk label)"},
        {"--matured", CLI_TEXT, &o.matured, "SPAN",
         "60d: what has no label and is older at the log's end counts as good"},
        {"--columns", CLI_TEXT, &o.columns, "FOLDER",
         "stored scores, made where missing (default LOG.columns)"},
        {0},
    };

    if (!cli_parse(c, argc, argv, options, args, 1, 1, &n, &code)) return code;
    o.log = args[0];
    o.format = c->format;
    o.rules = rules;
    while (rules[o.n_rules]) o.n_rules++;
    return florin_backtest(&c->context, &o, &err) ? cli_fail(c, &err) : FLORIN_OK;
}
