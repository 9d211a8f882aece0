/* A head's arithmetic, and its way into and out of the model file. */
#include "task/parts.h"
#include <math.h>
#include <stdio.h>

enum { TENSORS_PER_HEAD = 12, NODE_WORDS = 4 };

void fl_parts_free(fl_parts *p)
{
    if (!p) return;
    for (uint32_t i = 0; p->input && i < p->inputs; i++) free(p->input[i]);
    free(p->input);
    free(p->column);
    free(p->json);
    fl_forest_free(&p->forest);
    fl_logit_free(&p->probe);
    json_decref(p->about);
    memset(p, 0, sizeof *p);
}

float fl_parts_logit(const fl_parts *p, const float *x)
{
    return fl_parts_logit_of(p, p->forest.trees ? fl_forest_margin(&p->forest, x) : 0, x);
}

float fl_parts_logit_of(const fl_parts *p, float trees, const float *x)
{
    float f = 0;

    if (p->forest.trees) f += p->trees_weight * trees;
    if (p->probe.inputs) f += p->probe_weight * fl_logit_margin(&p->probe, x);
    return f;
}

void fl_parts_anchor(fl_parts *p, double prior, double threshold)
{
    double t = log(threshold / (1 - threshold)), base = log(prior / (1 - prior));
    double low = t - log(3.);

    p->threshold = (float)threshold;
    p->anchor[2] = (float)t;
    p->anchor[1] = (float)low;
    p->anchor[0] = (float)fmin(base - 3, low - 2);
    p->anchor[3] = (float)fmax(6.9, t + 2);
}

void fl_parts_out(const fl_parts *p, float logit, fl_head_out *out)
{
    static const float at[FL_HEAD_ANCHORS] = {0, 65, 75, 99};
    float odds = p->a * logit + p->b, s = 99;

    for (int i = 1; i < FL_HEAD_ANCHORS; i++) {
        if (odds >= p->anchor[i]) continue;
        float share = (odds - p->anchor[i - 1]) / (p->anchor[i] - p->anchor[i - 1]);
        s = at[i - 1] + (at[i] - at[i - 1]) * fmaxf(share, 0);
        break;
    }
    out->logit = logit;
    out->probability = 1 / (1 + expf(-odds));
    out->score = (uint8_t)s;
    out->level = (uint8_t)(out->score >= 75   ? FL_LEVEL_HIGHEST
                           : out->score >= 65 ? FL_LEVEL_ELEVATED
                                              : FL_LEVEL_NORMAL);
    out->over_threshold = odds >= p->anchor[2];
}

/* --- saving --- */

typedef struct {
    fl_tensor *t;
    size_t n, cap;
    fl_arena *names;
    int32_t *word; /* forest's nodes */
    float *value;
    int32_t *knots;
} tensors;

static bool add(tensors *k, const fl_parts *p, const char *what, fl_dtype type, size_t rows,
                size_t cols, const void *data)
{
    char name[160];

    if (!rows) return true;
    snprintf(name, sizeof name, "head.%s.%s", p->name, what);
    if (!fl_grow((void **)&k->t, &k->cap, k->n + 1, sizeof *k->t)) return false;
    fl_tensor *t = &k->t[k->n++];
    *t = (fl_tensor){
        .name = fl_arena_strdup(k->names, name), .type = type, .dims = cols ? 2 : 1, .data = data};
    t->dim[0] = rows;
    t->dim[1] = cols;
    return t->name != NULL;
}

static bool add_forest(tensors *k, const fl_parts *p)
{
    const fl_forest *f = &p->forest;

    if (!f->trees) return true;
    k->word = fl_alloc(f->nodes, NODE_WORDS * sizeof *k->word);
    k->value = fl_alloc(f->nodes, 2 * sizeof *k->value);
    if (!k->word || !k->value) return false;
    for (uint32_t i = 0; i < f->nodes; i++) {
        const fl_node *d = &f->node[i];
        const uint32_t w[NODE_WORDS] = {d->feature, d->left, d->right, d->missing_left};
        memcpy(k->word + (size_t)i * NODE_WORDS, w, sizeof w);
        k->value[2 * i] = d->split;
        k->value[2 * i + 1] = d->mean;
    }
    return add(k, p, "tree.node", FL_I32, f->nodes, NODE_WORDS, k->word) &&
           add(k, p, "tree.value", FL_F32, f->nodes, 2, k->value) &&
           add(k, p, "tree.root", FL_I32, f->trees, 0, f->root) &&
           (!p->json || add(k, p, "tree.xgboost", FL_U8, strlen(p->json), 0, p->json));
}

static bool add_probe(tensors *k, const fl_parts *p)
{
    const fl_logit *l = &p->probe;

    return !l->inputs || (add(k, p, "probe.knots", FL_I32, l->inputs, 0, l->knots) &&
                          add(k, p, "probe.at", FL_F32, l->inputs, FL_KNOTS, l->at) &&
                          add(k, p, "probe.z", FL_F32, l->inputs, FL_KNOTS, l->z) &&
                          add(k, p, "probe.w", FL_F32, l->inputs, 0, l->w));
}

static json_t *head_json(const fl_parts *p, const fl_schema *s)
{
    json_t *inputs = json_array(), *columns = json_array(), *anchor = json_array();

    for (uint32_t i = 0; i < p->inputs; i++) {
        json_array_append_new(inputs, json_string(p->input[i]));
        json_array_append_new(columns, json_integer(p->column[i]));
    }
    for (int i = 0; i < FL_HEAD_ANCHORS; i++)
        json_array_append_new(anchor, json_real((double)p->anchor[i]));
    return json_pack(
        "{s:s, s:b, s:s*, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:I, s:I, s:O*}",
        "name", p->name, "per_event", (int)p->per_event, "kind",
        p->kind >= 0 ? s->kind[p->kind].name : NULL, "inputs", inputs, "columns", columns,
        "trees_weight", (double)p->trees_weight, "probe_weight", (double)p->probe_weight, "base",
        (double)p->forest.base, "intercept", (double)p->probe.b, "a", (double)p->a, "b",
        (double)p->b, "threshold", (double)p->threshold, "anchor", anchor, "until_us",
        (json_int_t)p->until_us, "trees", (json_int_t)p->forest.trees, "about", p->about);
}

static json_t *meta_with(const fl_model *base, const fl_parts *p)
{
    json_t *meta = json_deep_copy(fl_model_file_json(fl_model_source(base)));
    json_t *heads = json_array(), *old = json_object_get(meta, "heads"), *h;
    size_t i;

    json_array_foreach(old, i, h) if (strcmp(fl_json_str(h, "name", ""), p->name))
        json_array_append(heads, h);
    json_array_append_new(heads, head_json(p, fl_model_schema(base)));
    json_object_set_new(meta, "heads", heads);
    json_object_del(meta, "hash");
    return meta;
}

florin_status fl_parts_save(const char *path, const fl_model *base, const fl_parts *p,
                            florin_error *err)
{
    const fl_model_file *f = fl_model_source(base);
    tensors k = {.names = fl_arena_new(4096)};
    char own[FL_NAME_MAX + 8];
    json_t *meta = meta_with(base, p);
    bool ok = k.names && meta;

    snprintf(own, sizeof own, "head.%s.", p->name);
    for (uint32_t i = 0; ok && i < fl_model_file_count(f); i++) {
        const fl_tensor *t = fl_model_file_at(f, i);
        if (!strncmp(t->name, own, strlen(own))) continue;
        ok = fl_grow((void **)&k.t, &k.cap, k.n + 1, sizeof *k.t);
        if (ok) k.t[k.n++] = *t;
    }
    ok = ok && add_forest(&k, p) && add_probe(&k, p);
    florin_status st = ok ? fl_model_file_save(path, meta, k.t, (uint32_t)k.n, err)
                          : fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    json_decref(meta);
    fl_arena_free(k.names);
    free(k.t);
    free(k.word);
    free(k.value);
    return st;
}

/* --- loading --- */

typedef struct {
    const fl_model_file *f;
    const fl_parts *p;
    florin_error *err;
} source;

static florin_status get(const source *s, const char *what, fl_dtype type, size_t rows, size_t cols,
                         const fl_tensor **t)
{
    char name[160];
    size_t dim[2] = {rows, cols};

    snprintf(name, sizeof name, "head.%s.%s", s->p->name, what);
    return fl_model_file_get(s->f, name, type, cols ? 2 : 1, dim, t, s->err);
}

static florin_status load_forest(const source *s, fl_parts *p, uint32_t trees)
{
    const fl_tensor *node, *value, *root;
    florin_status st = get(s, "tree.root", FL_I32, trees, 0, &root);

    if (!st) st = get(s, "tree.node", FL_I32, 0, NODE_WORDS, &node);
    if (!st) st = get(s, "tree.value", FL_F32, node->dim[0], 2, &value);
    if (st) return st;
    fl_forest *f = &p->forest;
    f->trees = trees;
    f->nodes = (uint32_t)node->dim[0];
    f->features = p->inputs;
    f->root = fl_alloc(trees, sizeof *f->root);
    f->node = fl_alloc(f->nodes, sizeof *f->node);
    if (!f->root || !f->node)
        return fl_fail(s->err, FLORIN_ENOMEM, "head %s: out of memory", p->name);
    memcpy(f->root, root->data, trees * sizeof *f->root);
    const uint8_t *word = node->data, *number = value->data;
    for (uint32_t i = 0; i < f->nodes; i++) {
        memcpy(&f->node[i].feature, word + (size_t)i * 16, 16);
        memcpy(&f->node[i].split, number + (size_t)i * 8, 8);
    }
    return fl_forest_check(f, p->name, s->err);
}

static florin_status load_probe(const source *s, fl_parts *p)
{
    const fl_tensor *knots, *at, *z, *w;
    fl_logit *l = &p->probe;
    florin_status st = get(s, "probe.knots", FL_I32, p->inputs, 0, &knots);

    if (!st) st = get(s, "probe.at", FL_F32, p->inputs, FL_KNOTS, &at);
    if (!st) st = get(s, "probe.z", FL_F32, p->inputs, FL_KNOTS, &z);
    if (!st) st = get(s, "probe.w", FL_F32, p->inputs, 0, &w);
    if (st) return st;
    size_t n = p->inputs;
    l->inputs = p->inputs;
    l->knots = fl_alloc(n, sizeof *l->knots);
    l->at = fl_alloc(n, FL_KNOTS * sizeof *l->at);
    l->z = fl_alloc(n, FL_KNOTS * sizeof *l->z);
    l->w = fl_alloc(n, sizeof *l->w);
    if (!l->knots || !l->at || !l->z || !l->w)
        return fl_fail(s->err, FLORIN_ENOMEM, "head %s: out of memory", p->name);
    memcpy(l->knots, knots->data, n * sizeof *l->knots);
    memcpy(l->at, at->data, n * FL_KNOTS * sizeof *l->at);
    memcpy(l->z, z->data, n * FL_KNOTS * sizeof *l->z);
    memcpy(l->w, w->data, n * sizeof *l->w);
    for (size_t i = 0; i < n; i++) {
        if (l->knots[i] < 1 || l->knots[i] > FL_KNOTS || !isfinite(l->w[i]))
            return fl_fail(s->err, FLORIN_EFORMAT, "head %s: probe input %zu is damaged", p->name,
                           i);
        for (size_t k = 0; k < l->knots[i]; k++)
            if (!isfinite(l->at[i * FL_KNOTS + k]) || !isfinite(l->z[i * FL_KNOTS + k]))
                return fl_fail(s->err, FLORIN_EFORMAT, "head %s: probe input %zu is not finite",
                               p->name, i);
    }
    return FLORIN_OK;
}

/* Inputs by name: of a row per event they must be the model's own columns. */
static florin_status load_inputs(fl_parts *p, const json_t *h, const fl_model *m, florin_error *err)
{
    const json_t *names = json_object_get(h, "inputs"), *columns = json_object_get(h, "columns");
    size_t n = json_array_size(names);

    if (!n || n > FL_HEAD_INPUTS_MAX || json_array_size(columns) != n)
        return fl_fail(err, FLORIN_EFORMAT, "head %s: %zu inputs", p->name, n);
    p->inputs = (uint32_t)n;
    p->column = fl_alloc(n, sizeof *p->column);
    p->input = fl_calloc(n, sizeof *p->input);
    if (!p->column || !p->input)
        return fl_fail(err, FLORIN_ENOMEM, "head %s: out of memory", p->name);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        p->column[i] = (uint32_t)json_integer_value(json_array_get(columns, i));
        if (!name || (p->per_event && (p->column[i] >= fl_model_row_width(m) ||
                                       strcmp(name, fl_model_row_name(m, p->column[i])))))
            return fl_fail(err, FLORIN_ESCHEMA, "head %s: input %s is not a column of this model",
                           p->name, name ? name : "?");
        p->input[i] = fl_strdup(name);
        if (!p->input[i]) return fl_fail(err, FLORIN_ENOMEM, "head %s: out of memory", p->name);
    }
    return FLORIN_OK;
}

static florin_status load_numbers(fl_parts *p, const json_t *h, florin_error *err)
{
    const json_t *anchor = json_object_get(h, "anchor");
    float all = 0;

    p->trees_weight = (float)fl_json_num(h, "trees_weight", 0);
    p->probe_weight = (float)fl_json_num(h, "probe_weight", 0);
    p->forest.base = (float)fl_json_num(h, "base", 0);
    p->probe.b = (float)fl_json_num(h, "intercept", 0);
    p->a = (float)fl_json_num(h, "a", 1);
    p->b = (float)fl_json_num(h, "b", 0);
    p->threshold = (float)fl_json_num(h, "threshold", .5);
    p->until_us = fl_json_int(h, "until_us", INT64_MIN);
    for (int i = 0; i < FL_HEAD_ANCHORS; i++) {
        p->anchor[i] = (float)json_number_value(json_array_get(anchor, (size_t)i));
        if (i && !(p->anchor[i] > p->anchor[i - 1]))
            return fl_fail(err, FLORIN_EFORMAT, "head %s: anchors do not rise", p->name);
        all += p->anchor[i];
    }
    all += p->trees_weight + p->probe_weight + p->forest.base + p->probe.b + p->a + p->b;
    if (!isfinite(all) || !(p->a > 0))
        return fl_fail(err, FLORIN_EFORMAT, "head %s: a number is not finite", p->name);
    return FLORIN_OK;
}

florin_status fl_parts_load(fl_parts *p, const fl_model *m, uint32_t i, florin_error *err)
{
    const fl_model_file *f = fl_model_source(m);
    const json_t *h = json_array_get(json_object_get(fl_model_file_json(f), "heads"), i);
    const source s = {f, p, err};

    memset(p, 0, sizeof *p);
    if (!h) return fl_fail(err, FLORIN_EUSAGE, "the model has no head %u", i);
    snprintf(p->name, sizeof p->name, "%s", fl_json_str(h, "name", ""));
    p->per_event = fl_json_bool(h, "per_event", true);
    p->kind = fl_schema_kind(fl_model_schema(m), fl_json_str(h, "kind", ""));
    p->about = json_deep_copy(json_object_get(h, "about"));
    florin_status st = load_inputs(p, h, m, err);
    if (!st) st = load_numbers(p, h, err);
    int64_t trees = fl_json_int(h, "trees", 0);
    if (!st && trees > 0 && trees < UINT32_MAX) st = load_forest(&s, p, (uint32_t)trees);
    if (!st && p->probe_weight != 0) st = load_probe(&s, p);
    if (st) fl_parts_free(p);
    return st;
}
