/* Versions of a policy with who put which on when: a file of its own, off the path of a decision. What was once added stays as it was,
 * list files included, so that every version can be put on again. */
#ifndef FL_POLICY_VERSIONS_H
#define FL_POLICY_VERSIONS_H

#include "policy/policy.h"

typedef struct fl_versions fl_versions;
florin_status fl_versions_open(fl_versions **out, const char *path, florin_error *err);
void fl_versions_close(fl_versions *v);

typedef struct {
    const char *who, *note; /* who: not empty; note may be NULL */
    int64_t at_us;
} fl_who;

/* The policy as it was read, which must hold with its model and pass its own tests: the caller's duty. Adding one again is no error and
 * changes nothing. */
florin_status fl_versions_add(fl_versions *v, const fl_policy *p, const char *model_hash,
                              const fl_who *who, florin_error *err);
/* prefix: at least 6 digits of a version. FLORIN_EINPUT: none, or several begin so. */
florin_status fl_versions_find(fl_versions *v, const char *prefix, char version[65],
                               florin_error *err);
florin_status fl_versions_activate(fl_versions *v, const char *version, const fl_who *who,
                                   florin_error *err);
/* Puts on what was on before the one that is on: FLORIN_EINPUT when nothing was. */
florin_status fl_versions_rollback(fl_versions *v, const fl_who *who, char version[65],
                                   florin_error *err);
/* "" : none was ever put on. */
florin_status fl_versions_active(fl_versions *v, char version[65], florin_error *err);
/* A version as it was added, read again against a model (NULL: names are free). */
florin_status fl_versions_read(fl_versions *v, const char *version, fl_policy **out,
                               const fl_model *model, const uint8_t key[16], florin_error *err);
/* {active, versions: [{version, name, who, at_us, note, model}], audit: [{at_us, who, what, version, note}]}, newest first. */
florin_status fl_versions_list(fl_versions *v, json_t **out, florin_error *err);
/* {added, removed: rules that only one has; thresholds that differ; lists that differ}. */
json_t *fl_versions_compare(const fl_policy *from, const fl_policy *to);

#endif
