/* YAML through libyaml as a tree that remembers line and column, so that every error can name them.
 * Anchors, tags and documents past the first are refused; depth and size are limited. */
#ifndef FL_YAML_H
#define FL_YAML_H

#include "base/base.h"

typedef enum { FL_YAML_SCALAR, FL_YAML_LIST, FL_YAML_MAP } fl_yaml_kind;
typedef struct fl_yaml {
    fl_yaml_kind kind;
    uint32_t line, column; /* from 1 */
    bool quoted;           /* scalar was quoted: "null" is then text */
    const char *text;      /* scalar */
    uint32_t count;        /* items of a list, pairs of a map */
    struct fl_yaml **item; /* [count] list items or map values */
    const char **key;      /* [count] map keys */
    const char *file;
} fl_yaml;

florin_status fl_yaml_load(fl_arena *arena, fl_yaml **out, const char *path, florin_error *err);
florin_status fl_yaml_parse(fl_arena *arena, fl_yaml **out, const char *text, size_t n,
                            const char *name, florin_error *err);
/* Map lookup; NULL when absent or y is NULL. */
const fl_yaml *fl_yaml_get(const fl_yaml *y, const char *key);
/* "file:line:col: what" as FLORIN_EINPUT. */
florin_status fl_yaml_fail(const fl_yaml *y, florin_error *err, const char *fmt, ...)
    FL_PRINTF(3, 4);
/* Refuse keys not in `known`, with the nearest known one in the message. */
florin_status fl_yaml_only(const fl_yaml *y, const char *const *known, size_t n, florin_error *err);
/* Typed scalars; absent key leaves *out as it is. */
florin_status fl_yaml_str(const fl_yaml *map, const char *key, const char **out, florin_error *err);
florin_status fl_yaml_num(const fl_yaml *map, const char *key, double *out, florin_error *err);
florin_status fl_yaml_int(const fl_yaml *map, const char *key, int64_t *out, florin_error *err);
florin_status fl_yaml_bool(const fl_yaml *map, const char *key, bool *out, florin_error *err);
florin_status fl_yaml_time(const fl_yaml *map, const char *key, int64_t *time_us,
                           florin_error *err);
florin_status fl_yaml_duration(const fl_yaml *map, const char *key, int64_t *us, florin_error *err);

#endif
