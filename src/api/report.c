/* florin_report: JSON results in, one HTML page out. */
#include "base/file.h"
#include "task/report.h"

florin_status florin_report(const florin_context *ctx, const florin_report_options *opt,
                            florin_error *err)
{
    fl_buf page = {0};
    florin_status st = FLORIN_OK;
    if (!opt || opt->size < sizeof *opt || (opt->parts && !opt->part))
        return fl_fail(err, FLORIN_EUSAGE, "report: options missing or too small");
    if (!opt->parts)
        return fl_fail(err, FLORIN_EUSAGE, "report: name at least one file with JSON results");
    json_t **part = fl_calloc(opt->parts, sizeof *part);
    if (!part) return fl_fail(err, FLORIN_ENOMEM, "report");
    for (uint32_t i = 0; i < opt->parts && !st; i++) {
        st = fl_json_load(&part[i], opt->part[i], err);
        if (!st && !json_is_object(part[i]))
            st = fl_fail(err, FLORIN_EINPUT, "%s: not a result: expected one JSON object",
                         opt->part[i]);
    }
    if (!st)
        st = fl_report_html(&page, (const json_t *const *)part, opt->parts,
                            opt->title ? opt->title : "Florin report", err);
    if (!st && opt->out) st = fl_write_file(opt->out, page.data, page.len, err);
    else if (!st) fl_write(ctx, page.data, page.len);
    for (uint32_t i = 0; i < opt->parts; i++) json_decref(part[i]);
    free(part);
    fl_buf_free(&page);
    return st;
}
