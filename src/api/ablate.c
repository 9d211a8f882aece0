/* florin_ablate: a plan in, its runs done or gone on with, the table out. */
#include "ablate/run.h"

florin_status florin_ablate(const florin_context *ctx, const florin_ablate_options *opt,
                            florin_error *err)
{
    florin_ablate_options o = FLORIN_ABLATE_INIT;
    fl_ablate_plan plan = {0};
    json_t *result = NULL;
    char *work = NULL;

    if (!opt || opt->size < offsetof(florin_ablate_options, work) || opt->size > sizeof o)
        return fl_fail(err, FLORIN_EUSAGE, "ablate: options are missing or of another version");
    memcpy(&o, opt, opt->size);
    if (!o.plan) return fl_fail(err, FLORIN_EUSAGE, "ablate: name the plan");
    if (!(o.minutes >= 0)) return fl_fail(err, FLORIN_EUSAGE, "--budget must be at least 0");
    florin_status st = fl_ablate_plan_load(&plan, o.plan, err);
    if (!st && o.plot && !plan.scaling)
        st = fl_fail(err, FLORIN_EUSAGE, "--plot draws a plan with `scaling`; %s has `choices`",
                     o.plan);
    work = o.work ? fl_strdup(o.work) : fl_asprintf("%s.work", o.plan);
    if (!st && !work) st = fl_fail(err, FLORIN_ENOMEM, "ablate");
    const fl_ablate_options inner = {.work = work, .minutes = o.minutes};
    if (!st) st = fl_ablate(&result, &plan, &inner, ctx, err);
    if (!st && plan.scaling) st = fl_ablate_curve(result, err);
    if (!st && o.plot) st = fl_ablate_plot(result, o.plot, err);
    if (!st && o.format == FLORIN_JSON) fl_json_write(ctx, result);
    else if (!st) fl_ablate_text(ctx, result);
    json_decref(result);
    fl_ablate_plan_free(&plan);
    free(work);
    return st;
}
