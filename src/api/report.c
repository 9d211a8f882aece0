/* florin_report: JSON results in, one HTML page out; the catalogue's page, and a map of entities. */
#include "base/file.h"
#include "similar/map.h"
#include "task/catalogue.h"
#include "task/report.h"
#include <stdio.h>

typedef struct {
    const florin_context *ctx;
    const florin_report_options *opt;
    json_t **part;
    uint32_t n;
} pages;

static florin_status write_page(const char *path, const json_t *const *part, uint32_t n,
                                const char *title, const florin_context *ctx, florin_error *err)
{
    fl_buf page = {0};
    florin_status st = fl_report_html(&page, part, n, title, err);

    if (!st && path) st = fl_write_file(path, page.data, page.len, err);
    else if (!st) fl_write(ctx, page.data, page.len);
    fl_buf_free(&page);
    return st;
}

static florin_status load_result(json_t **out, const char *path, florin_error *err)
{
    florin_status st = fl_json_load(out, path, err);

    if (!st && !json_is_object(*out))
        st = fl_fail(err, FLORIN_EINPUT, "%s: not a result: expected one JSON object", path);
    return st;
}

/* --- the catalogue --- */

/* The page of one task, NAME.html beside the page: made from NAME.json of the folder of results where it is there. */
static florin_status task_page(const pages *p, json_t *task, const char *beside, florin_error *err)
{
    const char *name = fl_json_str(task, "name", "");
    char *html = fl_asprintf("%s/%s.html", beside, name),
         *json = fl_asprintf("%s/%s.json", p->opt->results ? p->opt->results : "", name);
    json_t *result = NULL;
    florin_status st = html && json ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "report");

    if (!st && p->opt->results && fl_file_exists(json)) {
        st = load_result(&result, json, err);
        if (!st) st = write_page(html, (const json_t *const[]){result}, 1, name, p->ctx, err);
        if (!st && json_object_get(result, "slices"))
            json_object_set(task, "slices", json_object_get(result, "slices"));
    }
    if (!st && p->opt->out && fl_file_exists(html)) {
        char *link = fl_asprintf("%s.html", name);
        json_object_set_new(task, "page", json_string(link ? link : ""));
        free(link);
    }
    json_object_del(task, "file"); /* where it lies on this machine is no news to a reader */
    json_decref(result);
    free(html);
    free(json);
    return st;
}

static florin_status add_tasks(pages *p, florin_error *err)
{
    json_t *list = NULL, *task;
    size_t i;
    char *beside = p->opt->out ? fl_path_dir(p->opt->out) : fl_strdup(".");
    florin_status st = fl_catalogue_list(&list, p->opt->tasks, err);

    if (!st && !json_array_size(list))
        st = fl_fail(err, FLORIN_EINPUT, "no task files in %s: set FLORIN_TASKS to their folder",
                     p->opt->tasks);
    if (!st && !beside) st = fl_fail(err, FLORIN_ENOMEM, "report");
    if (!st) json_array_foreach(list, i, task)
        {
            st = task_page(p, task, beside, err);
            if (st) break;
        }
    if (!st) p->part[p->n++] = json_pack("{s:s, s:O}", "report", "tasks", "tasks", list);
    json_decref(list);
    free(beside);
    return st;
}

/* --- the map --- */

static florin_status add_map(pages *p, florin_error *err)
{
    const florin_report_options *o = p->opt;
    fl_model *m = NULL;
    fl_log *log = NULL;
    fl_known_crowd k = {.m = NULL};
    florin_status st = fl_log_open(&log, o->map_log, err);

    if (!st) st = fl_model_open(&m, o->map_model, NULL, err);
    if (!st) st = fl_schema_same(fl_model_schema(m), fl_log_schema(log), err);
    if (!st) {
        const fl_schema *s = fl_log_schema(log);
        fl_crowd_options c = {.kind = o->map_entity ? fl_schema_kind(s, o->map_entity)
                                                    : fl_schema_role(s, FL_ROLE_PAYER),
                              .at_us = fl_log_time_max(log) + 1,
                              .pool = FL_POOL_MEAN,
                              .least = 5};
        if (c.kind < 0)
            st = fl_fail(err, FLORIN_EUSAGE, "map: no entities of kind '%.64s' in the log",
                         o->map_entity ? o->map_entity : "payer");
        if (!st) st = fl_known_crowd_new(&k, m, log, &c, p->ctx, err);
        if (!st)
            st = fl_map_json(&p->part[p->n], &k,
                             fl_crowd_stream(m, c.kind) < 0 ? FL_BY_FOLD : FL_BY_EMBEDDING,
                             o->map_colour, p->ctx, err);
        if (!st) p->n++;
        fl_known_crowd_free(&k);
    }
    fl_model_close(m);
    fl_log_close(log);
    return st;
}

static florin_status check(const florin_report_options *o, florin_error *err)
{
    bool map = o && (o->map_model || o->map_log || o->map_entity || o->map_colour);

    if (!o || o->size < sizeof *o || (o->parts && !o->part))
        return fl_fail(err, FLORIN_EUSAGE, "report: options missing or too small");
    if (map && (!o->map_model || !o->map_log || !o->map_colour))
        return fl_fail(err, FLORIN_EUSAGE,
                       "report: a map needs --map MODEL, --log LOG and --colour FIELD");
    if (!o->parts && !o->tasks && !map)
        return fl_fail(
            err, FLORIN_EUSAGE,
            "report: name at least one file with JSON results, or ask for --tasks or --map");
    if (o->results && (!o->tasks || !o->out))
        return fl_fail(err, FLORIN_EUSAGE, "report: --results goes with --tasks and --out");
    return FLORIN_OK;
}

florin_status florin_report(const florin_context *ctx, const florin_report_options *opt,
                            florin_error *err)
{
    pages p = {.ctx = ctx, .opt = opt};
    florin_status st = check(opt, err);

    if (st) return st;
    p.part = fl_calloc((size_t)opt->parts + 2, sizeof *p.part);
    if (!p.part) return fl_fail(err, FLORIN_ENOMEM, "report");
    if (opt->tasks) st = add_tasks(&p, err);
    if (!st && opt->map_model) st = add_map(&p, err);
    for (uint32_t i = 0; i < opt->parts && !st; i++)
        st = load_result(&p.part[p.n++], opt->part[i], err);
    if (!st)
        st = write_page(opt->out, (const json_t *const *)p.part, p.n,
                        opt->title ? opt->title : "Florin report", ctx, err);
    for (uint32_t i = 0; i < opt->parts + 2; i++) json_decref(p.part[i]);
    free(p.part);
    return st;
}
