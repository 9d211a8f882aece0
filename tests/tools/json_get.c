/* json_get FILE [PATH]: the value at PATH ("rows.0.name"; "#" is a count) of the JSON text in FILE ("-": standard input),
 * so that shell tests need no other program. Not JSON, or nothing there: a line on stderr and exit 1. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    json_error_t e;

    if (argc < 2) return 2;
    json_t *root = strcmp(argv[1], "-") ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &e)
                                        : json_loadf(stdin, JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], e.line, e.text);
        return 1;
    }
    json_t *at = root;
    size_t count = 0;
    for (char *key = argc > 2 ? strtok(argv[2], ".") : NULL; key && at; key = strtok(NULL, ".")) {
        if (!strcmp(key, "#")) {
            count = json_is_array(at) ? json_array_size(at) : json_object_size(at);
            printf("%zu\n", count);
            json_decref(root);
            return 0;
        }
        at = json_is_array(at) ? json_array_get(at, strtoul(key, NULL, 10))
                               : json_object_get(at, key);
    }
    if (!at) fprintf(stderr, "%s: nothing at that path\n", argv[1]);
    else if (json_is_string(at)) puts(json_string_value(at));
    else if (!json_dumpf(at, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY))
        putchar('\n');
    int code = at ? 0 : 1;
    json_decref(root);
    return code;
}
