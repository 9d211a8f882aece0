/* Fuzzes the YAML reader: any bytes give a bounded tree or one clear error. */
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    florin_error err = {0};
    fl_yaml *y;
    fl_arena *arena = fl_arena_new(4096);

    if (!arena) return 0;
    florin_status st = fl_yaml_parse(arena, &y, (const char *)data, size, "fuzz.yaml", &err);
    if (st ? !err.message[0] || y : !y) abort();
    if (y) {
        double number;
        int64_t whole;
        for (uint32_t i = 0; y->kind == FL_YAML_MAP && i < y->count; i++) {
            if (!fl_yaml_get(y, y->key[i])) abort();
            if (!fl_yaml_num(y, y->key[i], &number, &err) && number * 0 != 0) abort();
            (void)fl_yaml_time(y, y->key[i], &whole, &err);
            (void)fl_yaml_duration(y, y->key[i], &whole, &err);
        }
    }
    fl_arena_free(arena);
    return 0;
}
