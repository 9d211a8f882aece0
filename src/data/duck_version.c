/* Version of DuckDB. */
#include "data/duck_version.h"

#include <duckdb.h>

const char *fl_duck_version(void)
{
    return duckdb_library_version();
}
