/* What the network says of an entity at a date: when its next event comes, given that none has come since its last. */
#ifndef FL_FORECAST_H
#define FL_FORECAST_H

#include "model/model.h"

enum { FL_FORECASTS = 7 };
extern const uint32_t fl_forecast_days[FL_FORECASTS];
/* From the probabilities p [FL_DT_TOKENS] of the next gap, when `passed_us` of it have passed. */
void fl_forecast_of(const float *p, double passed_us, float *out);
/* out [FL_FORECASTS]: log-odds, within [-8, 8], that the next event comes within so many days of at_us, which is not before
 * the last. The gap's head after the state, cut off at the time that has passed. Zeros: no event yet. Allocates nothing. */
void fl_model_forecast(const fl_model *m, fl_model_scratch *s, int stream, const fl_state *state,
                       int64_t at_us, float *out);

#endif
