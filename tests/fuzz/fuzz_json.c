/* Fuzzes JSON text: what is read, written and read again is the same tree. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    florin_error err = {0};
    json_t *first, *second;

    if (fl_json_parse(&first, (const char *)data, size, "fuzz.json", &err)) return 0;
    char *text = fl_json_text(first);
    if (!text || fl_json_parse(&second, text, strlen(text), "again.json", &err)) abort();
    char *again = fl_json_text(second);
    if (!again || strcmp(text, again)) abort();
    free(text);
    free(again);
    json_decref(first);
    json_decref(second);
    return 0;
}
