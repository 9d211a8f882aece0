/* Principal components by orthogonal iteration on the covariance; colours as classes. */
#include "similar/map.h"
#include <math.h>
#include <stdio.h>

enum { SWEEPS = 200, FIFTHS = 5 };

/* --- axes --- */

/* cov [w][w] of the rows x [n][w], whose means are nought or nearly so. */
static void covariance(double *cov, const float *x, uint32_t n, uint32_t w)
{
    for (uint32_t i = 0; i < n; i++) {
        const float *v = x + (size_t)i * w;
        for (uint32_t a = 0; a < w; a++)
            for (uint32_t b = 0; b <= a; b++)
                cov[(size_t)a * w + b] += (double)v[a] * (double)v[b] / n;
    }
    for (uint32_t a = 0; a < w; a++)
        for (uint32_t b = a + 1; b < w; b++) cov[(size_t)a * w + b] = cov[(size_t)b * w + a];
}

static double normalise(double *v, uint32_t w)
{
    double square = 0;

    for (uint32_t a = 0; a < w; a++) square += v[a] * v[a];
    double norm = sqrt(square);
    for (uint32_t a = 0; a < w; a++) v[a] = norm > 0 ? v[a] / norm : 0;
    return norm;
}

/* The axis of the largest variance that is square to `other` (NULL: none); returns that variance. Its largest number is
 * positive, so that a map does not turn over by chance. next [w] is scratch. */
static double main_axis(double *v, double *next, const double *cov, uint32_t w, const double *other)
{
    double variance = 0;
    uint32_t top = 0;

    for (uint32_t a = 0; a < w; a++) v[a] = 1 + (double)(a % 7) * .1 * (other ? -1 : 1);
    for (uint32_t s = 0; s < SWEEPS; s++) {
        double along = 0;
        for (uint32_t a = 0; other && a < w; a++) along += v[a] * other[a];
        for (uint32_t a = 0; other && a < w; a++) v[a] -= along * other[a];
        (void)normalise(v, w);
        for (uint32_t a = 0; a < w; a++) {
            next[a] = 0;
            for (uint32_t b = 0; b < w; b++) next[a] += cov[(size_t)a * w + b] * v[b];
        }
        memcpy(v, next, w * sizeof *v);
        variance = normalise(v, w);
    }
    for (uint32_t a = 1; a < w; a++)
        if (fabs(v[a]) > fabs(v[top])) top = a;
    for (uint32_t a = 0, turn = v[top] < 0; turn && a < w; a++) v[a] = -v[a];
    return variance;
}

/* --- classes --- */

typedef struct {
    const fl_known_crowd *k;
    uint8_t *of; /* [crowd.n] class; UINT8_MAX: none */
    uint32_t n, count[FL_MAP_CLASSES];
    char name[FL_MAP_CLASSES][96];
    bool ordered;
} classes;

typedef struct {
    uint32_t code, count;
} counted;
static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : (x->code > y->code) - (x->code < y->code);
}

static florin_status by_field(classes *c, int field, florin_error *err)
{
    const fl_known_crowd *k = c->k;
    uint32_t values = fl_log_values(k->log, field);
    counted *v = fl_calloc((size_t)values + 1, sizeof *v);
    uint8_t *class = fl_alloc((size_t)values + 1, 1);

    if (!v || !class) {
        free(v);
        free(class);
        return fl_fail(err, FLORIN_ENOMEM, "map: out of memory");
    }
    for (uint32_t i = 0; i <= values; i++) v[i].code = i;
    for (uint32_t i = 0; i < k->crowd.n; i++) v[k->code[field][i]].count++;
    v[0].count = 0; /* none: the last class, with the others */
    qsort(v, (size_t)values + 1, sizeof *v, by_count);
    memset(class, FL_MAP_CLASSES - 1, (size_t)values + 1);
    for (c->n = 0; c->n < FL_MAP_CLASSES - 1 && c->n < values && v[c->n].count; c->n++) {
        size_t n;
        const char *text = fl_log_value_text(
            k->log, field, fl_log_value_hash(k->log, field, v[c->n].code - 1), &n);
        snprintf(c->name[c->n], sizeof *c->name, "%.*s", text ? (int)(n < 90 ? n : 90) : 1,
                 text ? text : "?");
        class[v[c->n].code] = (uint8_t)c->n;
    }
    bool others = false;
    for (uint32_t i = 0; i < k->crowd.n; i++) {
        c->of[i] = class[k->code[field][i]];
        others = others || c->of[i] == FL_MAP_CLASSES - 1;
        if (c->of[i] == FL_MAP_CLASSES - 1) c->of[i] = (uint8_t)c->n;
    }
    if (others) snprintf(c->name[c->n++], sizeof *c->name, "other or none");
    free(v);
    free(class);
    return FLORIN_OK;
}

static int rising(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Fifths of a feature; equal values stay together. */
static florin_status by_feature(classes *c, uint32_t column, florin_error *err)
{
    const fl_crowd *crowd = &c->k->crowd;
    const fl_fold_feature *f = fl_fold_feature_at(fl_model_plan(c->k->m), c->k->feature[column]);
    float *v = fl_alloc(crowd->n, sizeof *v), edge[FIFTHS + 1];

    if (!v) return fl_fail(err, FLORIN_ENOMEM, "map: out of memory");
    for (uint32_t i = 0; i < crowd->n; i++) v[i] = crowd->fold[(size_t)i * crowd->folds + column];
    qsort(v, crowd->n, sizeof *v, rising);
    for (uint32_t b = 0; b <= FIFTHS; b++) edge[b] = v[(uint64_t)b * (crowd->n - 1) / FIFTHS];
    free(v);
    for (uint32_t i = 0; i < crowd->n; i++) {
        float x = crowd->fold[(size_t)i * crowd->folds + column];
        uint8_t b = 0;
        while (b + 1 < FIFTHS && x >= edge[b + 1] && edge[b + 1] < edge[FIFTHS]) b++;
        c->of[i] = b;
    }
    c->n = FIFTHS;
    c->ordered = true;
    for (uint32_t b = 0; b < FIFTHS; b++)
        snprintf(c->name[b], sizeof *c->name, "%.4g to %.4g %s", (double)edge[b],
                 (double)edge[b + 1], f->unit);
    return FLORIN_OK;
}

static florin_status colour_by(classes *c, const char *colour, florin_error *err)
{
    const fl_known_crowd *k = c->k;
    const fl_schema *s = fl_log_schema(k->log);
    int field = fl_schema_category(s, colour);

    if (field >= 0) return by_field(c, field, err);
    const char **have = fl_alloc((size_t)k->columns + s->categories, sizeof *have);
    if (!have) return fl_fail(err, FLORIN_ENOMEM, "map: out of memory");
    for (uint32_t i = 0; i < k->columns; i++) {
        have[i] = fl_fold_feature_at(fl_model_plan(k->m), k->feature[i])->name;
        if (strcmp(have[i], colour)) continue;
        free(have);
        return by_feature(c, i, err);
    }
    for (uint32_t i = 0; i < s->categories; i++) have[k->columns + i] = s->category[i].name;
    const char *near = fl_nearest(colour, have, (size_t)k->columns + s->categories);
    (void)fl_fail(err, FLORIN_EUSAGE,
                  "map: colour '%.64s': a category field of the log, or a feature that `florin "
                  "features --list` names%s%s%s",
                  colour, near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
    free(have);
    return FLORIN_EUSAGE;
}

/* --- the map --- */

static json_t *points(const classes *c, const float *x, uint32_t n, uint32_t w, const double *axis,
                      uint32_t *shown, uint32_t *count)
{
    json_t *list = json_array();
    uint64_t limit = n <= FL_MAP_MOST ? UINT64_MAX : UINT64_MAX / n * FL_MAP_MOST;

    *shown = 0;
    for (uint32_t i = 0; i < n; i++) {
        double at[2] = {0, 0};
        if (fl_mix64(i + 1) > limit) continue;
        for (uint32_t d = 0; d < 2; d++)
            for (uint32_t a = 0; a < w; a++)
                at[d] += (double)x[(size_t)i * w + a] * axis[(size_t)d * w + a];
        /* Three places are finer than a screen and the same on every machine but for ties. */
        json_array_append_new(list, json_pack("[f, f, i]", round(at[0] * 1000) / 1000,
                                              round(at[1] * 1000) / 1000, (int)c->of[i]));
        count[c->of[i]]++;
        ++*shown;
    }
    return list;
}

static json_t *class_list(const classes *c, const uint32_t *count)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < c->n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:I}", "name", c->name[i], "entities", (json_int_t)count[i]));
    return list;
}

florin_status fl_map_json(json_t **out, const fl_known_crowd *k, fl_by by, const char *colour,
                          const florin_context *ctx, florin_error *err)
{
    uint32_t n = k->crowd.n, w = 0, shown, count[FL_MAP_CLASSES + 1] = {0};
    classes c = {.k = k, .of = fl_calloc(n, 1)};
    float *x = NULL;
    double *cov = NULL, *axis = NULL, total = 0, variance[2];

    *out = NULL;
    fl_progress(ctx, "map", 0, 1);
    florin_status st = c.of ? colour_by(&c, colour, err) : fl_fail(err, FLORIN_ENOMEM, "map");
    if (!st) st = fl_near_vectors(&x, &w, &k->crowd, by, err);
    if (!st) {
        cov = fl_calloc((size_t)w * w + 1, sizeof *cov);
        axis = fl_calloc((size_t)3 * w, sizeof *axis);
        if (!cov || !axis) st = fl_fail(err, FLORIN_ENOMEM, "map: out of memory");
    }
    if (!st) {
        covariance(cov, x, n < 4 * FL_MAP_MOST ? n : 4 * FL_MAP_MOST, w);
        variance[0] = main_axis(axis, axis + 2 * (size_t)w, cov, w, NULL);
        variance[1] = main_axis(axis + w, axis + 2 * (size_t)w, cov, w, axis);
        for (uint32_t a = 0; a < w; a++) total += cov[(size_t)a * w + a];
        json_t *list = points(&c, x, n, w, axis, &shown, count);
        *out =
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:[f, f], s:b, s:o, s:o}", "report", "map",
                      "entity", fl_log_schema(k->log)->kind[k->opt->kind].name, "colour", colour,
                      "by", by == FL_BY_FOLD ? "the fold's features" : "the network's states",
                      "entities", (json_int_t)n, "shown", (json_int_t)shown, "explained",
                      total > 0 ? variance[0] / total : 0, total > 0 ? variance[1] / total : 0,
                      "ordered", (int)c.ordered, "classes", class_list(&c, count), "points", list);
        if (!*out) st = fl_fail(err, FLORIN_ENOMEM, "map");
    }
    fl_progress(ctx, "map", 1, 1);
    free(c.of);
    free(x);
    free(cov);
    free(axis);
    return st;
}
