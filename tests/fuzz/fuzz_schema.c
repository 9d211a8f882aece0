/* Fuzzes the schema, as YAML (first byte even) and as the JSON of logs and models (odd): what loads is the same after a
 * way through its canonical JSON; what does not gives one clear error. */
#include "data/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(fl_schema *s)
{
    fl_schema *again = NULL;
    florin_error err = {0};
    json_t *j = fl_schema_to_json(s);
    if (!j || fl_schema_from_json(&again, j, "again", &err)) abort();
    json_t *k = fl_schema_to_json(again);
    char *a = fl_json_text(j), *b = k ? fl_json_text(k) : NULL;
    if (!a || !b || strcmp(a, b) || fl_schema_same(s, again, &err)) abort();
    free(a);
    free(b);
    json_decref(j);
    json_decref(k);
    fl_schema_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    florin_error err = {0};
    fl_schema *s = NULL;
    json_t *j = NULL;
    if (!size) return 0;
    const char *text = (const char *)data + 1;
    florin_status st = data[0] & 1 ? fl_json_parse(&j, text, size - 1, "fuzz", &err)
                                   : fl_schema_parse(&s, text, size - 1, "fuzz", &err);
    if (!st && j) st = fl_schema_from_json(&s, j, "fuzz", &err);
    if (st ? s || !err.message[0] : !s) abort();
    if (s) round_trip(s);
    fl_schema_free(s);
    json_decref(j);
    return 0;
}
