/* Columns beside a log: what rules read of the model and of velocity, one float for each event, computed once by a replay and kept
 * in a folder, so that the next backtest only maps them. A column belongs to its log, its model and its name: with any other it is
 * not found and made anew. The folder may be removed at any time. */
#ifndef FL_POLICY_COLUMNS_H
#define FL_POLICY_COLUMNS_H

#include "data/log.h"
#include "policy/policy.h"

typedef struct fl_columns fl_columns;
/* Those that the policy reads: found in the folder, or computed with progress and written there. NaN: missing. FLORIN_ESCHEMA: model
 * and log do not belong together. FLORIN_EINPUT: velocity of actions, which a log does not have. */
florin_status fl_columns_open(fl_columns **out, const char *folder, const fl_policy *p,
                              const fl_model *m, const fl_log *log, const florin_context *ctx,
                              florin_error *err);
void fl_columns_close(fl_columns *c);
/* Of a slot of the policy [rows]; NULL: the slot is not of the model or of velocity. A level is 0, 1 or 2. */
const float *fl_columns_of(const fl_columns *c, uint32_t slot);
uint32_t fl_columns_made(const fl_columns *c); /* how many had to be computed */

#endif
