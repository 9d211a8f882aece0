/* JSON through jansson: the only place that includes it. Numbers that are not finite are refused. */
#ifndef FL_JSON_H
#define FL_JSON_H

#include "base/base.h"
#include <jansson.h>

florin_status fl_json_load(json_t **out, const char *path, florin_error *err);
florin_status fl_json_parse(json_t **out, const char *text, size_t n, const char *name,
                            florin_error *err);
/* Compact text with sorted keys (stable for hashing), malloc'ed; NULL: no memory. */
char *fl_json_text(const json_t *j);
florin_status fl_json_save(const json_t *j, const char *path, florin_error *err);
const char *fl_json_str(const json_t *obj, const char *key, const char *fallback);
double fl_json_num(const json_t *obj, const char *key, double fallback);
int64_t fl_json_int(const json_t *obj, const char *key, int64_t fallback);
bool fl_json_bool(const json_t *obj, const char *key, bool fallback);
/* Write j to the context in JSON with a newline. */
void fl_json_write(const florin_context *ctx, const json_t *j);

#endif
