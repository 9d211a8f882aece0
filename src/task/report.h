/* Results as one self-contained HTML page: a template with its script, and the JSON that the commands print. The page
 * loads nothing, so it can be mailed and kept. */
#ifndef FL_REPORT_H
#define FL_REPORT_H

#include "base/json.h"

/* part [n]: results of `florin eval --json`, `pretrain --json`, `score --json` and so on, in the order of the page. Each says
 * what it is by its key "report"; the template leaves out what it has no figures for. */
florin_status fl_report_html(fl_buf *out, const json_t *const *part, uint32_t n, const char *title,
                             florin_error *err);

#endif
