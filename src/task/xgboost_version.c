/* Version of XGBoost. */
#include "task/xgboost_version.h"

#include <xgboost/c_api.h>

void fl_xgboost_version(int *major, int *minor, int *patch)
{
    XGBoostVersion(major, minor, patch);
}
