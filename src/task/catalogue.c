/* The files of the catalogue as JSON. What a task is, is read off its YAML without a schema, so a task of any log can be
 * listed; whether it fits its log, florin fit says. */
#include "task/catalogue.h"
#include "base/file.h"
#include "base/yaml.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>

enum { TASKS_MAX = 512, RESULTS_MAX = 16 << 20 };

typedef struct {
    char *name[TASKS_MAX], *path[TASKS_MAX];
    size_t n;
} files;

static void files_free(files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->name[i]);
        free(f->path[i]);
    }
}

static florin_status files_add(files *f, const char *folder, const char *file, florin_error *err)
{
    size_t n = strlen(file);
    if (n < 6 || strcmp(file + n - 5, ".yaml") || file[0] == '.') return FLORIN_OK;
    for (size_t i = 0; i < f->n; i++)
        if (strlen(f->name[i]) == n - 5 && !strncmp(f->name[i], file, n - 5)) return FLORIN_OK;
    if (f->n == TASKS_MAX)
        return fl_fail(err, FLORIN_EINPUT, "%s: more than %d task files", folder, TASKS_MAX);
    f->name[f->n] = fl_asprintf("%.*s", (int)(n - 5), file);
    f->path[f->n] = fl_path_join(folder, file);
    f->n++;
    return f->name[f->n - 1] && f->path[f->n - 1] ? FLORIN_OK
                                                  : fl_fail(err, FLORIN_ENOMEM, "tasks");
}

/* The k-th of the folders, malloc'ed; NULL: there is none. */
static char *folder_at(const char *folders, size_t k)
{
    for (; folders && k > 0; k--) {
        folders = strchr(folders, ':');
        if (folders) folders++;
    }
    if (!folders) return NULL;
    size_t n = strcspn(folders, ":");
    return n ? fl_asprintf("%.*s", (int)n, folders) : fl_strdup(".");
}

static florin_status list_files(files *f, const char *folders, florin_error *err)
{
    florin_status st = FLORIN_OK;
    char *folder;
    for (size_t k = 0; !st && (folder = folder_at(folders, k)); k++) {
        DIR *d = opendir(folder);
        for (struct dirent *e; d && !st && (e = readdir(d));)
            st = files_add(f, folder, e->d_name, err);
        if (d) closedir(d);
        free(folder);
    }
    return st;
}

florin_status fl_catalogue_find(char **path, const char *name, const char *folders,
                                florin_error *err)
{
    files f = {.n = 0};
    *path = NULL;
    if (strpbrk(name, "/.") || !*name || fl_file_exists(name) || !folders) {
        *path = fl_strdup(name);
        return *path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "task");
    }
    florin_status st = list_files(&f, folders, err);
    for (size_t i = 0; i < f.n && !st && !*path; i++)
        if (!strcmp(f.name[i], name)) *path = fl_strdup(f.path[i]);
    const char *near = fl_nearest(name, (const char *const *)f.name, f.n);
    if (!st && !*path)
        st = fl_fail(err, FLORIN_EINPUT,
                     "no task '%.64s' in %s%s%s%s; `florin tasks` lists them, a file is named "
                     "with its folder or .yaml",
                     name, folders, near ? ": did you mean '" : "", near ? near : "",
                     near ? "'" : "");
    files_free(&f);
    return st;
}

/* --- what a task is, in words --- */

static const char *word(const fl_yaml *y, const char *key)
{
    const fl_yaml *v = fl_yaml_get(y, key);
    return v && v->kind == FL_YAML_SCALAR ? v->text : NULL;
}

static const char *kind_of(const fl_yaml *label)
{
    static const struct {
        const char *is, *kind;
    } table[] = {{"sum", "number"},    {"count", "number"},     {"amount", "number"},
                 {"number", "number"}, {"time", "time"},        {"class", "class"},
                 {"items", "items"},   {"alike", "similarity"}, {"same", "similarity"}};
    const char *is = word(label, "is");
    for (size_t i = 0; is && i < FL_LEN(table); i++)
        if (!strcmp(is, table[i].is)) return table[i].kind;
    return word(label, "field") ? "class" : "binary";
}

static const char *metric_of(const char *kind, bool per_event, const fl_yaml *label)
{
    if (!strcmp(kind, "similarity")) return word(label, "of") ? "precision_at_10" : "recall_at_1";
    if (!strcmp(kind, "items")) return "recall_at_10";
    if (strcmp(kind, "binary")) return "skill";
    return per_event ? "ap" : "auc";
}

/* "payment with declined, entry_mode online" */
static void put_rule(fl_buf *b, const fl_yaml *y, const char *any)
{
    const fl_yaml *where = fl_yaml_get(y, "where");
    const char *event = y && y->kind == FL_YAML_SCALAR ? y->text : word(y, "event");
    fl_buf_puts(b, event ? event : any);
    if (word(y, "with")) fl_buf_printf(b, " with %s", word(y, "with"));
    if (word(y, "without")) fl_buf_printf(b, " without %s", word(y, "without"));
    for (uint32_t i = 0; where && where->kind == FL_YAML_MAP && i < where->count; i++)
        if (where->item[i]->kind == FL_YAML_SCALAR)
            fl_buf_printf(b, ", %s %s", where->key[i], where->item[i]->text);
    if (word(y, "amount_from")) fl_buf_printf(b, ", from %s", word(y, "amount_from"));
}

static void put_label(fl_buf *b, const fl_yaml *label)
{
    if (!label) fl_buf_puts(b, "the schema's risk label");
    else if (label->kind == FL_YAML_SCALAR) fl_buf_puts(b, label->text);
    else if (word(label, "sql")) fl_buf_puts(b, "a SELECT");
    else if (word(label, "mark")) fl_buf_printf(b, "mark %s of the event", word(label, "mark"));
    else if (word(label, "field")) fl_buf_printf(b, "%s of the event", word(label, "field"));
    else if (!strcmp(kind_of(label), "similarity")) {
        if (word(label, "of")) fl_buf_printf(b, "the %s of its nearest", word(label, "of"));
        else fl_buf_puts(b, "the other half of its history");
    } else {
        const char *is = word(label, "is");
        if (is && !strcmp(is, "absent")) fl_buf_puts(b, "no ");
        else if (is && strcmp(is, "present")) fl_buf_printf(b, "%s of ", is);
        put_rule(b, label, "event");
        if (word(label, "of")) fl_buf_printf(b, ": %s", word(label, "of"));
        if (word(label, "within")) fl_buf_printf(b, " within %s", word(label, "within"));
    }
}

static void put_population(fl_buf *b, const fl_yaml *y)
{
    const fl_yaml *m = fl_yaml_get(y, "moments"),
                  *active = fl_yaml_get(fl_yaml_get(y, "population"), "active");
    if (!word(m, "entity")) {
        fl_buf_puts(b, "every ");
        put_rule(b, m, "event");
        return;
    }
    fl_buf_printf(b, "%s", word(m, "entity"));
    if (!active) return;
    fl_buf_puts(b, " with ");
    put_rule(b, active, "an event");
    if (word(active, "within")) fl_buf_printf(b, " in the last %s", word(active, "within"));
}

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *entry(const fl_yaml *y, const char *name, const char *path)
{
    fl_buf label = {0}, population = {0};
    const char *kind = kind_of(fl_yaml_get(y, "label"));
    bool per_event = !word(fl_yaml_get(y, "moments"), "entity");
    const char *data = word(y, "data"), *about = word(y, "about");
    put_label(&label, fl_yaml_get(y, "label"));
    put_population(&population, y);
    json_t *o = NULL;
    if (!label.failed && !population.failed)
        o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "name", name, "file", path,
                      "data", data ? data : "", "about", about ? about : "", "kind", kind, "label",
                      label.data, "population", population.data, "metric",
                      metric_of(kind, per_event, fl_yaml_get(y, "label")), "baseline",
                      text_or_null(word(y, "baseline")));
    fl_buf_free(&label);
    fl_buf_free(&population);
    return o;
}

/* --- stored results --- */

static florin_status read_lines(json_t *all, const char *path, florin_error *err)
{
    char *body = NULL;
    size_t n = 0;
    unsigned row = 0;
    florin_status st = fl_read_file(&body, &n, path, RESULTS_MAX, err);
    for (char *line = body, *next; !st && line && *line; line = next) {
        char where[512];
        json_t *o = NULL;
        size_t len = strcspn(line, "\n");
        next = line + len + (line[len] == '\n');
        snprintf(where, sizeof where, "%.400s:%u", path, ++row);
        if (!len) continue;
        st = fl_json_parse(&o, line, len, where, err);
        if (!st && !*fl_json_str(o, "task", ""))
            st = fl_fail(err, FLORIN_EINPUT, "%s: a result without \"task\"", where);
        if (st) json_decref(o);
        else json_array_append_new(all, o);
    }
    free(body);
    return st;
}

/* The lines of FILE in the first folder that has some. */
static florin_status read_results(json_t **all, const char *folders, const char *file,
                                  florin_error *err)
{
    florin_status st = FLORIN_OK;
    char *folder;
    *all = json_array();
    for (size_t k = 0; !st && (folder = folder_at(folders, k)); k++) {
        char *path = fl_path_join(folder, file);
        if (path && fl_file_exists(path)) st = read_lines(*all, path, err);
        free(path);
        free(folder);
        if (json_array_size(*all)) break;
    }
    return st;
}

/* Plain means over the task's lines (one a seed) of what each has a number for. */
static void add_results(json_t *o, const json_t *all)
{
    static const char *const figure[] = {"trivial", "ours",       "low",        "high",
                                         "paired",  "paired_low", "paired_high"};
    double mean[FL_LEN(figure)] = {0};
    json_int_t seeds = 0;
    const json_t *line, *last = NULL;
    size_t i;
    json_array_foreach(all, i, line)
    {
        if (strcmp(fl_json_str(line, "task", ""), fl_json_str(o, "name", ""))) continue;
        seeds++;
        last = line;
        for (size_t k = 0; k < FL_LEN(figure); k++) mean[k] += fl_json_num(line, figure[k], NAN);
    }
    for (size_t k = 0; k < FL_LEN(figure); k++) {
        mean[k] = seeds ? mean[k] / (double)seeds : NAN;
        if (k < 4)
            json_object_set_new(o, figure[k], isfinite(mean[k]) ? json_real(mean[k]) : json_null());
    }
    bool paired = isfinite(mean[4]) && isfinite(mean[5]) && isfinite(mean[6]);
    json_object_set_new(
        o, "paired",
        paired ? json_pack("{s:f, s:f, s:f}", "value", mean[4], "low", mean[5], "high", mean[6])
               : json_null());
    json_object_set_new(o, "signal", paired ? json_boolean(mean[5] > 0) : json_null());
    json_object_set_new(o, "seeds", json_integer(seeds));
    if (!last) return;
    static const char *const copy[] = {"metric",    "baseline", "rows",
                                       "positives", "model",    "simulator"};
    for (size_t k = 0; k < FL_LEN(copy); k++)
        if (json_object_get(last, copy[k]))
            json_object_set(o, copy[k], json_object_get(last, copy[k]));
}

/* The few-label curve: each size's plain means over the task's lines (one a seed) that have it, in the order of the
 * first. Without a line the row has no "few". */
static void add_few(json_t *o, const json_t *all)
{
    static const char *const figure[] = {"ours", "baseline", "low", "high"};
    json_t *curve = json_array();
    const json_t *line, *at;
    size_t i, k;
    json_array_foreach(all, i, line)
    {
        if (strcmp(fl_json_str(line, "task", ""), fl_json_str(o, "name", ""))) continue;
        json_array_foreach(json_object_get(line, "few"), k, at)
        {
            json_t *sum = NULL, *one;
            size_t j;
            json_array_foreach(curve, j, one) if (fl_json_int(one, "n", 0) ==
                                                  fl_json_int(at, "n", -1)) sum = one;
            if (!sum) {
                sum = json_pack("{s:I, s:i}", "n", fl_json_int(at, "n", 0), "seeds", 0);
                json_array_append_new(curve, sum);
            }
            double seeds = (double)fl_json_int(sum, "seeds", 0);
            for (size_t f = 0; f < FL_LEN(figure); f++)
                json_object_set_new(sum, figure[f],
                                    json_real((fl_json_num(sum, figure[f], 0) * seeds +
                                               fl_json_num(at, figure[f], 0)) /
                                              (seeds + 1)));
            json_object_set_new(sum, "seeds", json_integer((json_int_t)seeds + 1));
        }
    }
    if (json_array_size(curve)) json_object_set(o, "few", curve);
    json_decref(curve);
}

static int by_data(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int c = strcmp(fl_json_str(x, "data", ""), fl_json_str(y, "data", ""));
    return c ? c : strcmp(fl_json_str(x, "name", ""), fl_json_str(y, "name", ""));
}

florin_status fl_catalogue_list(json_t **out, const char *folders, florin_error *err)
{
    files f = {.n = 0};
    json_t *results = NULL, *few = NULL, *at[TASKS_MAX];
    size_t n = 0;
    *out = NULL;
    florin_status st = list_files(&f, folders, err);
    if (!st) st = read_results(&results, folders, "results.jsonl", err);
    if (!st) st = read_results(&few, folders, "few.jsonl", err);
    for (; n < f.n && !st; n++) {
        fl_arena *arena = fl_arena_new(16384);
        fl_yaml *y = NULL;
        at[n] = NULL;
        st = arena ? fl_yaml_load(arena, &y, f.path[n], err) : fl_fail(err, FLORIN_ENOMEM, "tasks");
        if (!st && !(at[n] = entry(y, f.name[n], f.path[n])))
            st = fl_fail(err, FLORIN_EINPUT, "%s: can't be listed: text that is not UTF-8",
                         f.path[n]);
        if (!st) add_results(at[n], results);
        if (!st) add_few(at[n], few);
        fl_arena_free(arena);
    }
    if (!st) {
        qsort(at, n, sizeof *at, by_data);
        *out = json_array();
    }
    for (size_t i = 0; i < n; i++) {
        if (*out) json_array_append(*out, at[i]);
        json_decref(at[i]);
    }
    json_decref(results);
    json_decref(few);
    files_free(&f);
    return st;
}
