/* florin_describe: the figures of data/describe.h as JSON, as text tables, or as one HTML page. Text and page are
 * made from the same tables, so that they say the same. */
#include "base/json.h"
#include "base/file.h"
#include "data/describe.h"
#include "task/card.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { COLUMNS_MAX = 10, CELL_MAX = 128, TITLE_MAX = 96 };

/* ---- figures as words ---- */

static void grouped(char out[CELL_MAX], uint64_t n)
{
    char digits[32];
    int k = snprintf(digits, sizeof digits, "%" PRIu64, n), at = 0;
    for (int i = 0; i < k; i++) {
        if (i && (k - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

static void count_word(char out[CELL_MAX], const json_t *o, const char *key)
{
    int64_t n = fl_json_int(o, key, 0);
    grouped(out, n > 0 ? (uint64_t)n : 0);
}

static void percent(char out[CELL_MAX], const json_t *o, const char *key)
{
    double p = 100 * fl_json_num(o, key, 0);
    if (p > 0 && p < .005) snprintf(out, CELL_MAX, "< 0.01 %%");
    else snprintf(out, CELL_MAX, p == 0 || p == 100 ? "%.0f %%" : "%.2f %%", p);
}

static void real(char out[CELL_MAX], const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    double d = json_number_value(v);
    if (!v) snprintf(out, CELL_MAX, "-");
    else if (d == 0 || (fabs(d) >= .01 && fabs(d) < 1e12)) snprintf(out, CELL_MAX, "%.2f", d);
    else snprintf(out, CELL_MAX, "%.3g", d);
}

static void word(char out[CELL_MAX], const json_t *o, const char *key)
{
    snprintf(out, CELL_MAX, "%s", fl_json_str(o, key, "-"));
}

static void day(char out[CELL_MAX], const json_t *o, const char *key)
{
    snprintf(out, CELL_MAX, "%.10s", fl_json_str(o, key, "-"));
}

/* ---- one table, two forms ---- */

typedef struct {
    const char *head, *key;
    void (*show)(char out[CELL_MAX], const json_t *o, const char *key);
    bool left;
} column;

typedef struct {
    const florin_context *ctx;
    bool html;
} page;

static void escaped(const page *p, const char *s)
{
    const char *run = s;
    for (; *s; s++) {
        const char *as = *s == '<' ? "&lt;" : *s == '&' ? "&amp;" : *s == '>' ? "&gt;" : NULL;
        if (!as) continue;
        fl_write(p->ctx, run, (size_t)(s - run));
        fl_write(p->ctx, as, strlen(as));
        run = s + 1;
    }
    fl_write(p->ctx, run, (size_t)(s - run));
}

/* Characters, not bytes, so that columns stand straight. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++) n += ((uint8_t)*s & 0xc0) != 0x80;
    return n;
}

static void text_cell(const page *p, const char *s, size_t width, bool left, bool last)
{
    size_t n = width_of(s), fill = n < width ? width - n : 0;
    fl_writef(p->ctx, "  ");
    if (!left) fl_writef(p->ctx, "%*s", (int)fill, "");
    fl_writef(p->ctx, "%s", s);
    if (left && !last) fl_writef(p->ctx, "%*s", (int)fill, "");
}

static void text_table(const page *p, const char *title, const json_t *rows, const column *c,
                       uint32_t n)
{
    size_t width[COLUMNS_MAX] = {0}, i;
    char cell[CELL_MAX];
    const json_t *o;
    for (uint32_t k = 0; k < n; k++) width[k] = width_of(c[k].head);
    json_array_foreach(rows, i, o) for (uint32_t k = 0; k < n; k++)
    {
        c[k].show(cell, o, c[k].key);
        if (width_of(cell) > width[k]) width[k] = width_of(cell);
    }
    fl_writef(p->ctx, "\n%s\n", title);
    for (uint32_t k = 0; k < n; k++) text_cell(p, c[k].head, width[k], c[k].left, k + 1 == n);
    fl_writef(p->ctx, "\n");
    json_array_foreach(rows, i, o)
    {
        for (uint32_t k = 0; k < n; k++) {
            c[k].show(cell, o, c[k].key);
            text_cell(p, cell, width[k], c[k].left, k + 1 == n);
        }
        fl_writef(p->ctx, "\n");
    }
}

static void html_table(const page *p, const char *title, const json_t *rows, const column *c,
                       uint32_t n)
{
    char cell[CELL_MAX];
    const json_t *o;
    size_t i;
    fl_writef(p->ctx, "<h2>");
    escaped(p, title);
    fl_writef(p->ctx, "</h2>\n<div class=scroll><table><tr>");
    for (uint32_t k = 0; k < n; k++) {
        fl_writef(p->ctx, "<th%s>", c[k].left ? " class=text" : "");
        escaped(p, c[k].head);
    }
    json_array_foreach(rows, i, o)
    {
        fl_writef(p->ctx, "\n<tr>");
        for (uint32_t k = 0; k < n; k++) {
            c[k].show(cell, o, c[k].key);
            fl_writef(p->ctx, "<td%s>", c[k].left ? " class=text" : "");
            escaped(p, cell);
        }
    }
    fl_writef(p->ctx, "\n</table></div>\n");
}

static void table(const page *p, const char *title, const json_t *rows, const column *c, uint32_t n)
{
    if (!json_array_size(rows)) return;
    if (p->html) html_table(p, title, rows, c, n);
    else text_table(p, title, rows, c, n);
}

static void line(const page *p, const char *fmt, ...) FL_PRINTF(2, 3);
static void line(const page *p, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (p->html) fl_writef(p->ctx, "<p>");
    if (p->html) escaped(p, text);
    else fl_writef(p->ctx, "%s", text);
    fl_writef(p->ctx, p->html ? "</p>\n" : "\n");
}

/* ---- what is shown ---- */

static void overview(const page *p, const json_t *j)
{
    char events[CELL_MAX], late[CELL_MAX];
    const json_t *time = json_object_get(j, "time");
    count_word(events, j, "events");
    count_word(late, time, "late_events");
    line(p, "%s events in %" PRId64 " segment%s, schema %s, currency %s", events,
         fl_json_int(j, "segments", 0), fl_json_int(j, "segments", 0) == 1 ? "" : "s",
         fl_json_str(j, "schema", ""), fl_json_str(j, "currency", ""));
    if (!json_object_get(time, "first")) return;
    line(p, "from %s to %s (%.1f days)%s%s%s", fl_json_str(time, "first", ""),
         fl_json_str(time, "last", ""), fl_json_num(time, "days", 0),
         fl_json_int(time, "late_events", 0) ? ", " : "",
         fl_json_int(time, "late_events", 0) ? late : "",
         fl_json_int(time, "late_events", 0) ? " came late (after a later event)" : "");
}

static void events_and_entities(const page *p, const json_t *j)
{
    static const column types[] = {
        {"type", "name", word, true},       {"events", "events", count_word, false},
        {"share", "share", percent, false}, {"with amount", "with_amount", count_word, false},
        {"first", "first", day, false},     {"last", "last", day, false}};
    static const column kinds[] = {{"kind", "kind", word, true},
                                   {"role", "role", word, true},
                                   {"how many", "entities", count_word, false},
                                   {"events each: median", "events_each_median", count_word, false},
                                   {"95 %", "events_each_p95", count_word, false},
                                   {"most", "events_each_max", count_word, false},
                                   {"seen once", "seen_once", count_word, false},
                                   {"events without", "missing_share", percent, false}};
    static const column marks[] = {{"mark", "name", word, true},
                                   {"events", "events", count_word, false},
                                   {"share", "share", percent, false}};
    table(p, "Event types", json_object_get(j, "event_types"), types, FL_LEN(types));
    table(p, "Entities", json_object_get(j, "entities"), kinds, FL_LEN(kinds));
    table(p, "Marks", json_object_get(j, "marks"), marks, FL_LEN(marks));
}

static void quantities(const page *p, const json_t *j)
{
    static const column money[] = {{"currency", "currency", word, true},
                                   {"events", "events", count_word, false},
                                   {"negative", "negative", count_word, false},
                                   {"zero", "zero", count_word, false},
                                   {"least", "min", real, false},
                                   {"5 %", "p05", real, false},
                                   {"median", "median", real, false},
                                   {"95 %", "p95", real, false},
                                   {"99 %", "p99", real, false},
                                   {"most", "max", real, false}};
    static const column numbers[] = {{"number", "name", word, true},
                                     {"missing", "missing_share", percent, false},
                                     {"negative", "negative", count_word, false},
                                     {"least", "min", real, false},
                                     {"5 %", "p05", real, false},
                                     {"median", "median", real, false},
                                     {"95 %", "p95", real, false},
                                     {"most", "max", real, false},
                                     {"mean", "mean", real, false}};
    const json_t *amounts = json_object_get(j, "amounts");
    int64_t more = fl_json_int(amounts, "currencies", 0) -
                   (int64_t)json_array_size(json_object_get(amounts, "by_currency"));
    table(p, "Amounts", json_object_get(amounts, "by_currency"), money, FL_LEN(money));
    if (more > 0) line(p, "  and %" PRId64 " more currencies", more);
    if (fl_json_int(amounts, "missing", 0))
        line(p, "  %" PRId64 " events have no amount", fl_json_int(amounts, "missing", 0));
    table(p, "Numbers", json_object_get(j, "numbers"), numbers, FL_LEN(numbers));
}

static void categories(const page *p, const json_t *j)
{
    static const column top[] = {{"value", "value", word, true},
                                 {"events", "events", count_word, false},
                                 {"share", "share", percent, false}};
    const json_t *o;
    size_t i;
    json_array_foreach(json_object_get(j, "categories"), i, o)
    {
        char title[CELL_MAX * 2 + TITLE_MAX], values[CELL_MAX], missing[CELL_MAX];
        count_word(values, o, "values");
        percent(missing, o, "missing_share");
        snprintf(title, sizeof title, "Category %s%s: %s different values, %s missing",
                 fl_json_str(o, "name", ""),
                 fl_json_bool(o, "after", false) ? " (known after the decision)" : "", values,
                 missing);
        table(p, title, json_object_get(o, "top"), top, FL_LEN(top));
        if (!json_array_size(json_object_get(o, "top"))) line(p, "%s", title);
    }
}

static void median_delay(char out[CELL_MAX], const json_t *o, const char *key)
{
    real(out, json_object_get(o, key), "median");
}

static void late_delay(char out[CELL_MAX], const json_t *o, const char *key)
{
    real(out, json_object_get(o, key), "p95");
}

static void labels_and_rejects(const page *p, const json_t *j)
{
    static const column labels[] = {
        {"label", "name", word, true},
        {"labelled", "labelled", count_word, false},
        {"of its events", "labelled_share", percent, false},
        {"positive", "positive", count_word, false},
        {"rate", "rate", percent, false},
        {"of labelled", "rate_of_labelled", percent, false},
        {"corrected", "corrected", count_word, false},
        {"known after (days): median", "delay_days", median_delay, false},
        {"95 %", "delay_days", late_delay, false},
        {"positive, median", "delay_days_positive", median_delay, false}};
    static const column rejects[] = {{"source", "source", word, true},
                                     {"field", "field", word, true},
                                     {"reason", "reason", word, true},
                                     {"rows", "rows", count_word, false}};
    const json_t *r = json_object_get(j, "rejects");
    char n[CELL_MAX], title[CELL_MAX + TITLE_MAX];
    table(p, "Labels", json_object_get(j, "labels"), labels, FL_LEN(labels));
    count_word(n, r, "rows");
    snprintf(title, sizeof title, "Rejected rows: %s (rejects.csv of the log says which)", n);
    table(p, title, json_object_get(r, "reasons"), rejects, FL_LEN(rejects));
}

static void html_head(const page *p, const char *log)
{
    static const char head[] =
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
        "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>";
    static const char style[] =
        "</title>\n<style>\n"
        ":root { --ink: #1b1f24; --soft: #5b6673; --line: #d9dee5; --paper: #fff; }\n"
        "@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #a2adba; "
        "--line: #37404b; --paper: #14181d; } }\n"
        "body { margin: 0 auto; max-width: 1040px; padding: 16px; background: var(--paper); "
        "color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }\n"
        "h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; "
        "margin: 1.6em 0 .2em; }\n"
        ".scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; "
        "font-variant-numeric: tabular-nums; }\n"
        "th, td { padding: .35em .7em; text-align: right; border-bottom: 1px solid var(--line); "
        "white-space: nowrap; }\n"
        "th { color: var(--soft); font-weight: 600; } td.text, th.text { text-align: left; }\n"
        "</style>\n<h1>";
    fl_write(p->ctx, head, sizeof head - 1);
    escaped(p, log);
    fl_write(p->ctx, style, sizeof style - 1);
    escaped(p, log);
    fl_writef(p->ctx, "</h1>\n");
}

static void show(const page *p, const json_t *j)
{
    const char *log = fl_json_str(j, "log", "");
    if (p->html) html_head(p, log);
    else fl_writef(p->ctx, "%s\n", log);
    overview(p, j);
    events_and_entities(p, j);
    quantities(p, j);
    categories(p, j);
    labels_and_rejects(p, j);
    if (p->html) fl_writef(p->ctx, "</html>\n");
}

/* A model file: its card, or what the file says of itself as JSON. */
static florin_status describe_model(const florin_context *ctx, const char *path,
                                    florin_format format, florin_error *err)
{
    static const char *const shown[] = {"trained", "metrics", "baselines", "hash"};
    fl_buf card = {0};
    fl_model_file *f = NULL;
    florin_status st = fl_card_read(&card, path, err);

    if (!st && format == FLORIN_HTML)
        st = fl_fail(err, FLORIN_EUSAGE, "describe: a model's card is text or --json");
    if (!st && format == FLORIN_TEXT) fl_write(ctx, card.data, card.len);
    if (!st && format == FLORIN_JSON) st = fl_model_file_open(&f, path, err);
    if (f) {
        json_t *o = json_object(), *heads = json_array(), *h;
        size_t i;
        for (size_t k = 0; k < FL_LEN(shown); k++)
            json_object_set(o, shown[k], json_object_get(fl_model_file_json(f), shown[k]));
        json_array_foreach(json_object_get(fl_model_file_json(f), "heads"), i, h)
            json_array_append(heads, json_object_get(h, "name"));
        json_object_set_new(o, "heads", heads);
        fl_json_write(ctx, o);
        json_decref(o);
    }
    fl_model_file_close(f);
    fl_buf_free(&card);
    return st;
}

florin_status florin_describe(const florin_context *ctx, const florin_describe_options *opt,
                              florin_error *err)
{
    if (!opt || opt->size < sizeof *opt)
        return fl_fail(err, FLORIN_EUSAGE, "describe: options missing or too small");
    if (!opt->log) return fl_fail(err, FLORIN_EUSAGE, "describe: name an event log");
    fl_log *log = NULL;
    json_t *j = NULL;
    if (fl_file_is_plain(opt->log)) return describe_model(ctx, opt->log, opt->format, err);
    florin_status st = fl_log_open(&log, opt->log, err);
    if (!st) st = fl_describe(&j, log, ctx, err);
    if (!st && opt->format == FLORIN_JSON) fl_json_write(ctx, j);
    else if (!st) show(&(page){ctx, opt->format == FLORIN_HTML}, j);
    json_decref(j);
    fl_log_close(log);
    return st;
}
