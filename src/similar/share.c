/* Usual values: counted entity by entity through the log's index. Bands: of a sorted sample, column by column. */
#include "similar/share.h"
#include <stdio.h>

enum { EDGES = 9 };
static const double SHARED_MOST = 1. / 6;

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The most frequent of v [n], which is sorted; ties: the smallest. 0: n is 0. */
static uint32_t most_frequent(uint32_t *v, size_t n)
{
    uint32_t best = 0;
    size_t most = 0;

    qsort(v, n, sizeof *v, by_number);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && v[j] == v[i];) j++;
        if (j - i > most) {
            most = j - i;
            best = v[i];
        }
    }
    return best;
}

typedef struct {
    const fl_log *log;
    uint32_t *value;
    size_t n, cap;
} values;

static florin_status values_of(values *v, int kind, uint32_t entity, int field, int64_t at_us,
                               florin_error *err)
{
    uint32_t n;

    v->n = 0;
    for (uint32_t s = 0; s < fl_log_segments(v->log); s++) {
        const uint32_t *rows = fl_log_entity_rows(v->log, kind, entity, s, &n);
        uint64_t first = fl_log_segment_first(v->log, s);
        if (!fl_grow((void **)&v->value, &v->cap, v->n + n + 1, sizeof *v->value))
            return fl_fail(err, FLORIN_ENOMEM, "out of memory");
        for (uint32_t i = 0; i < n; i++) {
            uint32_t code = fl_log_category_code(v->log, field, first + rows[i]);
            if (code && fl_log_time(v->log, first + rows[i]) < at_us) v->value[v->n++] = code;
        }
    }
    return FLORIN_OK;
}

florin_status fl_share_usual(uint32_t *code, const fl_crowd *c, const fl_log *log, int kind,
                             int field, int64_t at_us, florin_error *err)
{
    values v = {.log = log};
    florin_status st = FLORIN_OK;

    for (uint32_t i = 0; i < c->n && !st; i++) {
        st = values_of(&v, kind, c->entity[i], field, at_us, err);
        if (!st) code[i] = most_frequent(v.value, v.n);
    }
    free(v.value);
    return st;
}

/* --- what is shared --- */

struct fl_traits {
    const fl_model *m;
    const fl_log *log;
    uint32_t columns;
    bool usual;
    fl_told *told;              /* [columns] */
    float (*edge)[EDGES];       /* [columns] */
    double (*share)[EDGES + 1]; /* [columns] of the population in each band */
    uint32_t code[FL_CATEGORIES_MAX];
    double field_share[FL_CATEGORIES_MAX];
};

void fl_traits_free(fl_traits *t)
{
    if (!t) return;
    free(t->told);
    free(t->edge);
    free(t->share);
    free(t);
}

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static uint32_t band_of(const float edge[EDGES], float x)
{
    uint32_t b = 0;
    for (uint32_t e = 0; e < EDGES; e++) b += x >= edge[e];
    return b;
}

/* sorted [n] */
static void bands(fl_traits *t, uint32_t column, const float *sorted, uint32_t n)
{
    static const double at[EDGES] = {.01, .05, .1, .25, .5, .75, .9, .95, .99};

    for (uint32_t e = 0; e < EDGES; e++)
        t->edge[column][e] = sorted[(uint32_t)(at[e] * (double)(n - 1))];
    for (uint32_t i = 0; i < n; i++)
        t->share[column][band_of(t->edge[column], sorted[i])] += 1.0 / n;
}

florin_status fl_traits_new(fl_traits **out, const fl_model *m, const fl_log *log,
                            const float *sample, uint32_t n, uint32_t stride, uint32_t columns,
                            const uint32_t *feature, bool usual, florin_error *err)
{
    fl_traits *t = fl_calloc(1, sizeof *t);
    float *column = fl_alloc((size_t)n + 1, sizeof *column);

    *out = t;
    if (t) {
        *t = (fl_traits){.m = m, .log = log, .columns = columns, .usual = usual};
        t->told = fl_calloc(columns + 1, sizeof *t->told);
        t->edge = fl_calloc(columns + 1, sizeof *t->edge);
        t->share = fl_calloc(columns + 1, sizeof *t->share);
    }
    if (!t || !column || !t->told || !t->edge || !t->share || !n) {
        free(column);
        fl_traits_free(t);
        *out = NULL;
        return fl_fail(err, FLORIN_ENOMEM, "no memory for what is shared");
    }
    for (uint32_t c = 0; c < columns; c++) {
        fl_told_of(m, feature[c], &t->told[c]);
        for (uint32_t i = 0; i < n; i++) column[i] = sample[(size_t)i * stride + c];
        qsort(column, n, sizeof *column, by_float);
        bands(t, c, column, n);
    }
    free(column);
    return FLORIN_OK;
}

void fl_traits_field(fl_traits *t, int field, uint32_t code, double share)
{
    t->code[field] = code;
    t->field_share[field] = share;
}

/* Into its place; one of the same story stays only if it is rarer. */
static void add_shared(fl_shared *out, uint32_t *n, const fl_shared *one)
{
    uint32_t at = *n;

    for (uint32_t i = 0; i < *n; i++) {
        if (strcmp(out[i].code, one->code)) continue;
        if (out[i].share <= one->share) return;
        memmove(out + i, out + i + 1, (*n - i - 1) * sizeof *out);
        at = --*n;
        break;
    }
    while (at > 0 && one->share < out[at - 1].share) at--;
    if (at == FL_SHARED_MAX) return;
    uint32_t keep = *n < FL_SHARED_MAX ? *n : FL_SHARED_MAX - 1;
    memmove(out + at + 1, out + at, (keep - at) * sizeof *out);
    out[at] = *one;
    *n = keep + 1;
}

static void field_text(const fl_traits *t, uint32_t f, fl_shared *one)
{
    const char *name = fl_log_schema(t->log)->category[f].name;
    size_t n = 0;
    const char *v =
        fl_log_value_text(t->log, (int)f, fl_log_value_hash(t->log, (int)f, t->code[f] - 1), &n);

    snprintf(one->code, sizeof one->code, "field.%s", name);
    snprintf(one->text, sizeof one->text, "%s%s is %.*s", t->usual ? "the usual " : "", name,
             (int)(n < 80 ? n : 80), v ? v : "?");
}

uint32_t fl_traits_shared(const fl_traits *t, const float *a, const float *b,
                          const uint32_t *code_a, const uint32_t *code_b,
                          fl_shared out[FL_SHARED_MAX])
{
    uint32_t n = 0;
    fl_shared one;

    for (uint32_t f = 0; code_a && f < fl_log_schema(t->log)->categories; f++) {
        if (!t->code[f] || code_a[f] != t->code[f] || code_b[f] != t->code[f]) continue;
        one.share = t->field_share[f];
        if (one.share > SHARED_MOST) continue;
        field_text(t, f, &one);
        add_shared(out, &n, &one);
    }
    for (uint32_t c = 0; c < t->columns; c++) {
        uint32_t band = band_of(t->edge[c], a[c]);
        one.share = t->share[c][band];
        if (one.share > SHARED_MOST || band_of(t->edge[c], b[c]) != band) continue;
        memcpy(one.code, t->told[c].code, sizeof one.code);
        fl_told_text(t->m, &t->told[c], b[c], one.text);
        add_shared(out, &n, &one);
    }
    return n;
}
