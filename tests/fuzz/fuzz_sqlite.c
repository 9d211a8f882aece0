/* Fuzzes what reads SQLite files: whatever the bytes, a table comes out or one clear line that names the file. */
#include "base/file.h"
#include "data/sqlite_table.h"
#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static fl_duck *db;
    fl_sqlite_copy copy;
    florin_error err = {0};
    if (size < 16 || size > 65536) return 0;
    if (!db) {
        snprintf(path, sizeof path, "/tmp/fuzz_sqlite.%ld.db", (long)getpid());
        if (fl_duck_open(&db, &(fl_duck_options){.threads = 1}, NULL, NULL)) abort();
    }
    if (fl_write_file(path, data, size, NULL)) abort();
    florin_status st = fl_sqlite_copy_table(&copy, db, path, NULL, true, &err);
    if (st ? !strstr(err.message, path) || copy.from || copy.table : !copy.from || !copy.table)
        abort();
    fl_sqlite_copy_free(&copy);
    if (fl_duck_exec(db, "DROP TABLE IF EXISTS \"sqlite 0\"", NULL)) abort();
    unlink(path);
    return 0;
}
