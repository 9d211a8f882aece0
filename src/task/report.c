/* Fills the report template. The JSON goes into a data block of the page, so every character that could end the block is
 * written as an escape. */
#include "task/report.h"

extern const char fl_report_template[]; /* report.html, embedded when the library is built */

static const char title_mark[] = "{{title}}", data_mark[] = "{{data}}";

static void add_text(fl_buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '<') fl_buf_puts(b, "&lt;");
        else if (*s == '&') fl_buf_puts(b, "&amp;");
        else fl_buf_add(b, s, 1);
    }
}

static void add_json(fl_buf *b, const char *s)
{
    for (; *s; s++) {
        if (*s == '<') fl_buf_puts(b, "\\u003c");
        else fl_buf_add(b, s, 1);
    }
}

florin_status fl_report_html(fl_buf *out, const json_t *const *part, uint32_t n, const char *title,
                             florin_error *err)
{
    const char *at_title = strstr(fl_report_template, title_mark),
               *at_data = strstr(fl_report_template, data_mark);
    if (!at_title || !at_data || at_data < at_title)
        return fl_fail(err, FLORIN_EINTERNAL, "report: the template has lost its marks");
    fl_buf_add(out, fl_report_template, (size_t)(at_title - fl_report_template));
    add_text(out, title);
    at_title += sizeof title_mark - 1;
    fl_buf_add(out, at_title, (size_t)(at_data - at_title));
    fl_buf_puts(out, "[");
    for (uint32_t i = 0; i < n; i++) {
        char *text = fl_json_text(part[i]);
        if (!text) return fl_fail(err, FLORIN_ENOMEM, "report");
        if (i) fl_buf_puts(out, ",");
        add_json(out, text);
        free(text);
    }
    fl_buf_puts(out, "]");
    fl_buf_puts(out, at_data + sizeof data_mark - 1);
    return out->failed ? fl_fail(err, FLORIN_ENOMEM, "report") : FLORIN_OK;
}
