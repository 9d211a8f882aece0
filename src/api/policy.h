/* The handle of a policy, for the other files of this folder. */
#ifndef FL_API_POLICY_H
#define FL_API_POLICY_H

#include "api/model.h"
#include "policy/policy.h"

struct florin_policy {
    fl_policy *policy;
    florin_model *model; /* kept */
};

/* Of the schema, or of a file where that names one. s NULL: the built-in key. */
florin_status fl_api_policy_key(const fl_schema *s, const char *path, uint8_t key[16],
                                florin_error *err);
/* path NULL: an empty policy. without: no model is no error, for a policy's own tests. */
florin_status fl_api_policy_open(florin_policy **out, const char *path, const char *model,
                                 const char *key, bool without, florin_error *err);

#endif
