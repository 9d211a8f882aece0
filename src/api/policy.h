/* The handle of a policy, for the other files of this folder. */
#ifndef FL_API_POLICY_H
#define FL_API_POLICY_H

#include "api/model.h"
#include "policy/policy.h"

struct florin_policy {
    fl_policy *policy;
    florin_model *model; /* kept */
};

#endif
