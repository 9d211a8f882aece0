/* Owns a plan's text and its checks. Invariant: a plan that loads fails later only for what its logs hold. */
#include "ablate/plan.h"
#include "base/file.h"
#include <stdio.h>

/* ---- what a choice may change ---- */

static florin_status take_uint(const fl_yaml *y, const char *key, uint32_t *out, florin_error *err)
{
    int64_t v = -1;
    florin_status st = fl_yaml_int(y, key, &v, err);

    if (st || v < 0) return st;
    if (v > UINT32_MAX) return fl_yaml_fail(fl_yaml_get(y, key), err, "%s: too large", key);
    *out = (uint32_t)v;
    return FLORIN_OK;
}

static florin_status set_pretrain(const fl_yaml *y, fl_train_config *c, florin_error *err)
{
    static const char *const known[] = {
        "size",       "hidden",    "width",    "epochs",        "steps",    "rate",
        "lanes",      "window",    "contrast", "ahead",         "dense",    "ahead_weight",
        "bf16",       "precision", "decay",    "field_dropout", "patience", "unseen_share",
        "vocabulary", "backbone",  "silence"};
    const char *size = NULL, *precision = NULL, *backbone = NULL;
    int64_t steps = 0;
    florin_status st = y ? fl_yaml_only(y, known, FL_LEN(known), err) : FLORIN_OK;

    if (st || !y) return st;
    st = fl_yaml_str(y, "size", &size, err);
    if (!st && size && !fl_train_size(c, size))
        st = fl_yaml_fail(fl_yaml_get(y, "size"), err, "size '%.32s': nano, small or base", size);
    if (!st) st = take_uint(y, "hidden", &c->hidden, err);
    if (!st) st = take_uint(y, "width", &c->width, err);
    if (!st) st = take_uint(y, "lanes", &c->lanes, err);
    if (!st) st = take_uint(y, "window", &c->window, err);
    if (!st) st = take_uint(y, "ahead", &c->ahead, err);
    if (!st) st = take_uint(y, "patience", &c->patience, err);
    if (!st) st = take_uint(y, "vocabulary", &c->vocabulary, err);
    if (!st) st = fl_yaml_int(y, "steps", &steps, err);
    if (!st && steps > 0) c->steps = (uint64_t)steps;
    if (!st) st = fl_yaml_num(y, "epochs", &c->epochs, err);
    if (!st) st = fl_yaml_num(y, "rate", &c->rate, err);
    if (!st) st = fl_yaml_num(y, "silence", &c->silence, err);
    if (!st) st = fl_yaml_num(y, "contrast", &c->contrast, err);
    if (!st) st = fl_yaml_num(y, "ahead_weight", &c->ahead_weight, err);
    if (!st) st = fl_yaml_num(y, "decay", &c->decay, err);
    if (!st) st = fl_yaml_num(y, "field_dropout", &c->field_dropout, err);
    if (!st) st = fl_yaml_num(y, "unseen_share", &c->unseen_share, err);
    if (!st) st = fl_yaml_bool(y, "dense", &c->dense, err);
    if (!st) st = fl_yaml_bool(y, "bf16", &c->bf16, err);
    if (!st) st = fl_yaml_str(y, "backbone", &backbone, err);
    if (!st && backbone && strcmp(backbone, "gru") && strcmp(backbone, "transformer"))
        st = fl_yaml_fail(fl_yaml_get(y, "backbone"), err, "backbone '%.32s': gru or transformer",
                          backbone);
    if (backbone)
        c->blocks = strcmp(backbone, "gru") ? fl_train_blocks_defaults() : (fl_train_blocks){0};
    if (!st) st = fl_yaml_str(y, "precision", &precision, err);
    if (!st && precision && strcmp(precision, "int8") && strcmp(precision, "fp32"))
        st = fl_yaml_fail(fl_yaml_get(y, "precision"), err, "precision '%.32s': int8 or fp32",
                          precision);
    if (precision) c->int8 = !strcmp(precision, "int8");
    return st;
}

florin_status fl_ablate_config(fl_train_config *out, const fl_ablate_data *d, const fl_choice *c,
                               uint64_t seed, florin_error *err)
{
    *out = fl_train_defaults();
    out->until_us = d->until_us;
    out->seed = seed;
    florin_status st = set_pretrain(d->pretrain, out, err);
    if (!st && c) st = set_pretrain(c->pretrain, out, err);
    if (out->rate_end > out->rate) out->rate_end = out->rate;
    if (!st && (st = fl_train_check(out, err)))
        fl_fail_prefix(err, "%.64s, %.64s", d->name, c ? c->name : "the defaults");
    return st;
}

static florin_status check_fit(const fl_yaml *y, florin_error *err)
{
    static const char *const known[] = {"head", "inputs"};
    static const char *const heads[] = {"trees", "probe", "blend"};
    const char *head = NULL, *inputs = NULL;
    bool right = false;
    florin_status st = y ? fl_yaml_only(y, known, FL_LEN(known), err) : FLORIN_OK;

    if (st || !y) return st;
    st = fl_yaml_str(y, "head", &head, err);
    if (!st) st = fl_yaml_str(y, "inputs", &inputs, err);
    for (size_t i = 0; i < FL_LEN(heads); i++) right |= !head || !strcmp(head, heads[i]);
    if (!st && !right)
        st = fl_yaml_fail(fl_yaml_get(y, "head"), err, "head '%.32s': trees, probe or blend", head);
    if (!st && inputs && !fl_task_inputs_known(inputs))
        st = fl_yaml_fail(fl_yaml_get(y, "inputs"), err, "inputs '%.32s': %s", inputs,
                          FL_TASK_INPUTS);
    return st;
}

florin_status fl_ablate_task(fl_task *out, const char *path, const fl_choice *c, const fl_log *log,
                             florin_error *err)
{
    const char *head = NULL, *inputs = NULL;
    florin_status st = fl_task_load(out, path, fl_log_schema(log), err);

    if (st) return st;
    if (out->answer != FL_TASK_BINARY || *out->folds)
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: an ablation compares answers of yes or no, judged by time", path);
    if (!out->validates)
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: no `validate` period; an ablation judges on validation alone, so that "
                       "tests stay unseen: add one",
                       path);
    if (!c || !c->fit) return FLORIN_OK;
    st = fl_yaml_str(c->fit, "head", &head, err);
    if (!st) st = fl_yaml_str(c->fit, "inputs", &inputs, err);
    if (!st && head) snprintf(out->head, sizeof out->head, "%s", head);
    if (!st && inputs) snprintf(out->inputs, sizeof out->inputs, "%s", inputs);
    return st;
}

/* ---- reading ---- */

typedef struct {
    fl_ablate_plan *p;
    char *folder; /* of the plan: paths of tasks start there */
    florin_error *err;
} reader;

static const char *place(reader *r, const char *name)
{
    char *path = fl_path_join(r->folder, name), *kept = NULL;

    if (path) kept = fl_arena_strdup(r->p->arena, path);
    free(path);
    return kept;
}

static florin_status need_text(reader *r, const fl_yaml *y, const char *key, const char **out)
{
    florin_status st = fl_yaml_str(y, key, out, r->err);

    if (!st && (!*out || !**out)) st = fl_yaml_fail(y, r->err, "`%s` is missing", key);
    return st;
}

static florin_status read_data(reader *r, const fl_yaml *y)
{
    static const char *const known[] = {"name", "log", "until", "pretrain", "tasks"};
    fl_ablate_data *d = &r->p->data[r->p->data_sets];
    const fl_yaml *tasks = fl_yaml_get(y, "tasks");
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), r->err);

    d->until_us = INT64_MIN;
    if (!st) st = need_text(r, y, "name", &d->name);
    if (!st) st = need_text(r, y, "log", &d->log);
    if (!st) st = fl_yaml_time(y, "until", &d->until_us, r->err);
    if (!st && d->until_us == INT64_MIN)
        st = fl_yaml_fail(y, r->err,
                          "`until` is missing: pretraining must end before the tasks' "
                          "validation periods");
    d->pretrain = fl_yaml_get(y, "pretrain");
    if (!st &&
        (!tasks || tasks->kind != FL_YAML_LIST || !tasks->count || tasks->count > FL_ABLATE_TASKS))
        st = fl_yaml_fail(tasks ? tasks : y, r->err, "`tasks`: a list of 1 to %d task files",
                          FL_ABLATE_TASKS);
    for (uint32_t i = 0; !st && i < tasks->count; i++) {
        if (tasks->item[i]->kind != FL_YAML_SCALAR)
            return fl_yaml_fail(tasks->item[i], r->err, "`tasks`: a task file's path");
        d->task[d->tasks] = (char *)(uintptr_t)place(r, tasks->item[i]->text);
        if (!d->task[d->tasks]) return fl_fail(r->err, FLORIN_ENOMEM, "plan");
        if (!fl_file_exists(d->task[d->tasks]))
            return fl_yaml_fail(tasks->item[i], r->err, "%s: there is no such task file",
                                d->task[d->tasks]);
        d->tasks++;
    }
    r->p->data_sets++;
    return st;
}

static florin_status read_choice(reader *r, const fl_yaml *y)
{
    static const char *const known[] = {"name", "default", "pretrain", "fit"};
    fl_choice *c = &r->p->choice[r->p->choices];
    const char *name = NULL, *on = "off";
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), r->err);

    if (!st) st = need_text(r, y, "name", &name);
    if (!st) st = fl_yaml_str(y, "default", &on, r->err);
    if (st) return st;
    if (strcmp(on, "on") && strcmp(on, "off"))
        return fl_yaml_fail(fl_yaml_get(y, "default"), r->err, "`default`: on or off");
    snprintf(c->name, sizeof c->name, "%s", name);
    c->on = !strcmp(on, "on");
    c->pretrain = fl_yaml_get(y, "pretrain");
    c->fit = fl_yaml_get(y, "fit");
    if (!c->pretrain && !c->fit)
        return fl_yaml_fail(y, r->err, "choice '%s' changes nothing: give `pretrain` or `fit`",
                            c->name);
    for (uint32_t i = 0; i < r->p->choices; i++)
        if (!strcmp(r->p->choice[i].name, c->name))
            return fl_yaml_fail(y, r->err, "choice '%s' is there twice", c->name);
    r->p->choices++;
    return check_fit(c->fit, r->err);
}

/* Every size with every number of passes becomes a choice. */
static florin_status read_scaling(reader *r, const fl_yaml *y)
{
    static const char *const known[] = {"sizes", "epochs"};
    const fl_yaml *sizes = fl_yaml_get(y, "sizes"), *epochs = fl_yaml_get(y, "epochs");
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), r->err);

    if (st) return st;
    if (!sizes || !epochs || sizes->kind != FL_YAML_LIST || epochs->kind != FL_YAML_LIST ||
        !sizes->count || !epochs->count || sizes->count * epochs->count > FL_ABLATE_CHOICES)
        return fl_yaml_fail(y, r->err, "`scaling`: lists `sizes` and `epochs`, at most %d together",
                            FL_ABLATE_CHOICES);
    r->p->scaling = true;
    for (uint32_t i = 0; i < sizes->count * epochs->count && !st; i++) {
        const fl_yaml *size = sizes->item[i / epochs->count], *e = epochs->item[i % epochs->count];
        fl_choice *c = &r->p->choice[r->p->choices++];
        char body[160];
        fl_yaml *made;
        if (size->kind != FL_YAML_SCALAR || e->kind != FL_YAML_SCALAR)
            return fl_yaml_fail(y, r->err, "`scaling`: lists of names and of numbers");
        snprintf(c->name, sizeof c->name, "%.20s x %.10s", size->text, e->text);
        snprintf(body, sizeof body, "{size: %.40s, epochs: %.40s}", size->text, e->text);
        char *kept = fl_arena_strdup(r->p->arena, body);
        if (!kept) return fl_fail(r->err, FLORIN_ENOMEM, "plan");
        st = fl_yaml_parse(r->p->arena, &made, kept, strlen(kept), r->p->path, r->err);
        c->pretrain = made;
    }
    return st;
}

static florin_status read_list(reader *r, const fl_yaml *y, const char *key, uint32_t most,
                               florin_status (*one)(reader *, const fl_yaml *))
{
    const fl_yaml *list = fl_yaml_get(y, key);
    florin_status st = FLORIN_OK;

    if (!list || list->kind != FL_YAML_LIST || !list->count || list->count > most)
        return fl_yaml_fail(list ? list : y, r->err, "`%s`: a list of 1 to %u", key, most);
    for (uint32_t i = 0; i < list->count && !st; i++) {
        if (list->item[i]->kind != FL_YAML_MAP)
            return fl_yaml_fail(list->item[i], r->err, "`%s`: each has keys of its own", key);
        st = one(r, list->item[i]);
    }
    return st;
}

static florin_status read_head(reader *r, const fl_yaml *y)
{
    static const char *const known[] = {"florin_ablation", "name",    "seeds", "draws", "data",
                                        "choices",         "scaling", "rounds"};
    fl_ablate_plan *p = r->p;
    int64_t version = 0, seeds = 3, draws = 300;
    florin_status st = fl_yaml_only(y, known, FL_LEN(known), r->err);

    if (!st) st = fl_yaml_int(y, "florin_ablation", &version, r->err);
    if (!st && version != 1)
        st = fl_yaml_fail(y, r->err,
                          "not a plan of an ablation: it begins with `florin_ablation: 1`");
    if (!st) st = need_text(r, y, "name", &p->name);
    if (!st) st = fl_yaml_int(y, "seeds", &seeds, r->err);
    if (!st && (seeds < 1 || seeds > FL_ABLATE_SEEDS))
        st = fl_yaml_fail(fl_yaml_get(y, "seeds"), r->err, "seeds: 1 to %d", FL_ABLATE_SEEDS);
    if (!st) st = fl_yaml_int(y, "draws", &draws, r->err);
    if (!st && (draws < 20 || draws > 100000))
        st = fl_yaml_fail(fl_yaml_get(y, "draws"), r->err, "draws: 20 to 100000");
    if (!st) st = take_uint(y, "rounds", &p->rounds, r->err);
    p->seeds = (uint32_t)seeds;
    p->draws = (uint32_t)draws;
    return st;
}

/* Every setting of every run, now: not after hours. */
static florin_status check_settings(const fl_ablate_plan *p, florin_error *err)
{
    fl_train_config c;
    florin_status st = FLORIN_OK;

    for (uint32_t d = 0; d < p->data_sets && !st; d++) {
        st = fl_ablate_config(&c, &p->data[d], NULL, 1, err);
        for (uint32_t i = 0; i < p->choices && !st; i++)
            st = fl_ablate_config(&c, &p->data[d], &p->choice[i], 1, err);
    }
    return st;
}

florin_status fl_ablate_plan_load(fl_ablate_plan *out, const char *path, florin_error *err)
{
    reader r = {.p = out, .folder = fl_path_dir(path), .err = err};
    fl_yaml *y = NULL;
    florin_status st = FLORIN_OK;

    memset(out, 0, sizeof *out);
    out->arena = fl_arena_new(1 << 14);
    if (out->arena) out->path = fl_arena_strdup(out->arena, path);
    if (!r.folder || !out->path) st = fl_fail(err, FLORIN_ENOMEM, "plan");
    if (!st) st = fl_yaml_load(out->arena, &y, path, err);
    if (!st) st = read_head(&r, y);
    if (!st) st = read_list(&r, y, "data", FL_ABLATE_DATA, read_data);
    const fl_yaml *scaling = st ? NULL : fl_yaml_get(y, "scaling");
    if (!st && scaling && fl_yaml_get(y, "choices"))
        st = fl_yaml_fail(scaling, err, "`scaling` and `choices` exclude each other");
    if (!st)
        st = scaling ? read_scaling(&r, scaling)
                     : read_list(&r, y, "choices", FL_ABLATE_CHOICES, read_choice);
    if (!st) st = check_settings(out, err);
    free(r.folder);
    if (st) fl_ablate_plan_free(out);
    return st;
}

void fl_ablate_plan_free(fl_ablate_plan *p)
{
    fl_arena_free(p->arena);
    memset(p, 0, sizeof *p);
}
