/* florin_tasks: the catalogue with its stored results, as a table or JSON. */
#include "task/catalogue.h"
#include <stdio.h>

/* "few labels, AUC ours / baseline: 50 .6120 / .6011, 200 ..." */
static void few_labels(const florin_context *ctx, const json_t *curve)
{
    const json_t *at;
    size_t i;
    json_array_foreach(curve, i, at) fl_writef(
        ctx, "%s%lld %.4f / %.4f [%+.4f, %+.4f]",
        i ? ", " : "    few labels, AUC ours / baseline [difference]: ",
        (long long)fl_json_int(at, "n", 0), fl_json_num(at, "ours", 0),
        fl_json_num(at, "baseline", 0), fl_json_num(at, "low", 0), fl_json_num(at, "high", 0));
    if (json_array_size(curve)) fl_writef(ctx, "\n");
}

static void one_row(const florin_context *ctx, const json_t *o)
{
    const json_t *paired = json_object_get(o, "paired"), *ours = json_object_get(o, "ours"),
                 *trivial = json_object_get(o, "trivial");
    char base[80];
    const char *name = fl_json_str(o, "baseline", "none named");
    if (json_is_number(trivial))
        snprintf(base, sizeof base, "%.24s %.4f", name, json_number_value(trivial));
    else snprintf(base, sizeof base, "%.32s", name);
    fl_writef(ctx, "  %-24s %-7s %-12s %-32s ", fl_json_str(o, "name", ""),
              fl_json_str(o, "kind", ""), fl_json_str(o, "metric", ""), base);
    if (!json_is_number(ours)) fl_writef(ctx, "not measured");
    else
        fl_writef(ctx, "%.4f [%.4f, %.4f]", json_number_value(ours), fl_json_num(o, "low", 0),
                  fl_json_num(o, "high", 0));
    if (json_is_object(paired))
        fl_writef(ctx, "  %+.4f [%+.4f, %+.4f]%s", fl_json_num(paired, "value", 0),
                  fl_json_num(paired, "low", 0), fl_json_num(paired, "high", 0),
                  fl_json_bool(o, "signal", false) ? "" : "  no signal");
    fl_writef(ctx, "\n    %s: %s%s%s\n", fl_json_str(o, "population", ""),
              fl_json_str(o, "label", ""), *fl_json_str(o, "about", "") ? "; " : "",
              fl_json_str(o, "about", ""));
    few_labels(ctx, json_object_get(o, "few"));
}

static void write_table(const florin_context *ctx, const json_t *list)
{
    const json_t *o;
    const char *data = NULL;
    size_t i, measured = 0, signal = 0;
    fl_writef(ctx, "  %-24s %-7s %-12s %-32s %s\n", "task", "kind", "metric", "baseline",
              "ours [95 %]  ours - baseline, paired [95 %]");
    json_array_foreach(list, i, o)
    {
        const char *mine = fl_json_str(o, "data", "");
        if (!data || strcmp(data, mine)) fl_writef(ctx, "\n%s\n", *mine ? mine : "(no data named)");
        data = mine;
        measured += json_is_number(json_object_get(o, "ours"));
        signal += fl_json_bool(o, "signal", false);
        one_row(ctx, o);
    }
    fl_writef(ctx, "\n%zu tasks, %zu measured, %zu with signal above the baseline\n",
              json_array_size(list), measured, signal);
}

florin_status florin_tasks(const florin_context *ctx, const florin_tasks_options *opt,
                           florin_error *err)
{
    json_t *list = NULL;
    if (!opt || opt->size < sizeof *opt || !opt->folders)
        return fl_fail(err, FLORIN_EUSAGE, "tasks: needs folders to look in");
    florin_status st = fl_catalogue_list(&list, opt->folders, err);
    if (st) return st;
    if (!json_array_size(list))
        st = fl_fail(err, FLORIN_EINPUT, "no task files in %s: set FLORIN_TASKS to their folder",
                     opt->folders);
    else if (opt->format == FLORIN_JSON) fl_json_write(ctx, list);
    else write_table(ctx, list);
    json_decref(list);
    return st;
}
