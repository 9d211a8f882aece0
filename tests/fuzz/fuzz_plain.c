/* Fuzzes the reader of plain CSV: whatever it takes for plain, DuckDB reads as the same cells. */
#include "base/file.h"
#include "../support/plain_compare.h"
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fl_duck *db;
    static char path[64];
    if (!db) {
        snprintf(path, sizeof path, "/tmp/fuzz_plain.%ld.csv", (long)getpid());
        if (fl_duck_open(&db, NULL, NULL, NULL)) abort();
    }
    if (!size || size > 65536) return 0;
    fl_source src = {.header = data[0] & 1, .label_of = -1};
    if (fl_write_file(path, data + 1, size - 1, NULL)) abort();
    if (plain_compare(db, &src, path) == PLAIN_DIFFERENT) abort();
    unlink(path);
    return 0;
}
