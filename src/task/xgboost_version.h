/* Version of XGBoost, as loaded now. */
#ifndef FL_XGBOOST_VERSION_H
#define FL_XGBOOST_VERSION_H

void fl_xgboost_version(int *major, int *minor, int *patch);

#endif
