/* Versions of jansson, libyaml and SQLite. */
#include "base/versions.h"

#include <jansson.h>
#include <sqlite3.h>
#include <yaml.h>

const char *fl_jansson_version(void)
{
    return jansson_version_str();
}

const char *fl_libyaml_version(void)
{
    return yaml_get_version_string();
}

const char *fl_sqlite_version(void)
{
    return sqlite3_libversion();
}
