/* florin serve: the server; its settings; its keys. */
#include "cli.h"
#include "serve.h"

int cmd_serve(cli *c, int argc, char **argv)
{
    const char *args[1] = {0}, *new_key = NULL, *roles = "score";
    bool print = false;
    int n = 0, code = 0;
    florin_error err = {0};
    const cli_option options[] = {
        {"--print-config", CLI_FLAG, &print, NULL, "the commented settings, every default in them"},
        {"--new-key", CLI_TEXT, &new_key, "NAME",
         "make an API key: its text on standard error, its line for the file of keys on standard "
         "output"},
        {"--role", CLI_TEXT, &roles, "ROLES",
         "of that key: score (default), feedback, analyst, admin, or several joined by commas"},
        {NULL, CLI_FLAG, NULL, NULL, NULL},
    };
    if (!cli_parse(c, argc, argv, options, args, 1, 0, &n, &code)) return code;
    if (print) {
        fputs(serve_settings_text(), stdout);
        return 0;
    }
    if (new_key) {
        char secret[64], line[256];
        if (serve_new_key(new_key, roles, secret, line, sizeof line, &err))
            return cli_fail(c, &err);
        fprintf(stderr, "The key, shown this once: %s\n", secret);
        puts(line);
        return 0;
    }
    if (!n) {
        err.status = FLORIN_EUSAGE;
        snprintf(err.message, sizeof err.message,
                 "name the settings: florin serve CONFIG.yaml (--print-config writes one)");
        return cli_fail(c, &err);
    }
    return serve_run(args[0], &c->context, &err) ? cli_fail(c, &err) : 0;
}
