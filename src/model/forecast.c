/* The distribution of the gap, cut off. */
#include "model/forecast.h"
#include <math.h>

const uint32_t fl_forecast_days[FL_FORECASTS] = {1, 7, 14, 30, 60, 90, 180};
#define LIMIT 8.0

/* p [FL_DT_TOKENS] -> share of gaps longer than x, of those that there are (token 0 is a first event's). */
static double longer(const float *p, double x_us)
{
    double sum = 0;
    for (uint32_t t = 2; t < FL_DT_TOKENS; t++) sum += fl_dt_longer(t, x_us) * (double)p[t];
    return sum;
}

void fl_forecast_of(const float *p, double passed_us, float *out)
{
    double left = fmax(longer(p, passed_us), 1e-12);
    for (uint32_t i = 0; i < FL_FORECASTS; i++) {
        double beyond = longer(p, passed_us + fl_forecast_days[i] * (double)FL_DAY_US) / left;
        double odds = log(fmax(1 - beyond, 1e-6) / fmax(beyond, 1e-6));
        out[i] = (float)fmin(fmax(odds, -LIMIT), LIMIT);
    }
}

void fl_model_forecast(const fl_model *m, fl_model_scratch *s, int stream, const fl_state *state,
                       int64_t at_us, float *out)
{
    float p[FL_DT_TOKENS];
    uint32_t target = fl_model_targets(m);

    memset(out, 0, FL_FORECASTS * sizeof *out);
    for (uint32_t t = 0; t < fl_model_targets(m); t++)
        if (fl_model_target(m, t)->slot == -3) target = t;
    if (target == fl_model_targets(m) || !state || !state->events) return;
    fl_model_predict(m, s, stream, state, target, p);
    fl_forecast_of(p, at_us > state->last_us ? (double)(at_us - state->last_us) : 0, out);
}
