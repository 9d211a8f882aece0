/* The read-only view of a head that scoring holds: the parts, opened from the model file. */
#include "task/forest.h"
#include "task/forest_rows.h"
#include "task/parts.h"
#include <stdio.h>

struct fl_head {
    fl_parts p;
    fl_forest_walk walk;
    fl_forest_rows rows; /* no trees: the walk is faster for any number of rows */
    const fl_kernels *kernels;
};

static const json_t *heads_of(const fl_model *m)
{
    return json_object_get(fl_model_file_json(fl_model_source(m)), "heads");
}

uint32_t fl_heads(const fl_model *m)
{
    size_t n = json_array_size(heads_of(m));
    return (uint32_t)(n < FL_HEADS_MAX ? n : FL_HEADS_MAX);
}

florin_status fl_head_open(fl_head **out, const fl_model *m, uint32_t i, florin_error *err)
{
    fl_head *h = fl_calloc(1, sizeof *h);

    *out = NULL;
    if (!h) return fl_fail(err, FLORIN_ENOMEM, "head: out of memory");
    florin_status st = fl_parts_load(&h->p, m, i, err);
    if (!st) st = fl_forest_walk_init(&h->walk, &h->p.forest, h->p.column, err);
    h->kernels = fl_model_kernels(m);
    if (!st && h->kernels->trees16)
        st = fl_forest_rows_init(&h->rows, &h->p.forest, h->p.column, err);
    if (st) {
        fl_head_close(h);
        return st;
    }
    *out = h;
    return FLORIN_OK;
}

florin_status fl_head_find(uint32_t *i, const fl_model *m, const char *name, florin_error *err)
{
    char list[512] = "";
    size_t used = 0;

    for (uint32_t k = 0; k < fl_heads(m); k++) {
        const char *have = fl_json_str(json_array_get(heads_of(m), k), "name", "");
        if (!strcmp(have, name)) {
            *i = k;
            return FLORIN_OK;
        }
        int n = snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", have);
        if (n > 0 && (size_t)n < sizeof list - used) used += (size_t)n;
    }
    return fl_fail(err, FLORIN_EUSAGE, "the model has no head %s; it has %s", name,
                   used ? list : "none: florin fit makes one");
}

void fl_head_close(fl_head *h)
{
    if (!h) return;
    fl_parts_free(&h->p);
    fl_forest_walk_free(&h->walk);
    fl_forest_rows_free(&h->rows);
    free(h);
}

const char *fl_head_name(const fl_head *h)
{
    return h->p.name;
}

bool fl_head_per_event(const fl_head *h)
{
    return h->p.per_event;
}

int fl_head_kind(const fl_head *h)
{
    return h->p.per_event ? -1 : h->p.kind;
}

int64_t fl_head_until(const fl_head *h)
{
    return h->p.until_us;
}

float fl_head_threshold(const fl_head *h)
{
    return h->p.threshold;
}

uint32_t fl_head_inputs(const fl_head *h)
{
    return h->p.inputs;
}

uint32_t fl_head_input(const fl_head *h, uint32_t i)
{
    return h->p.column[i];
}

const uint32_t *fl_head_columns(const fl_head *h)
{
    return h->p.column;
}

/* walked: trees is the margin of the trees. */
static void score(const fl_head *h, const float *row, bool walked, float trees, fl_head_out *out)
{
    const fl_parts *p = &h->p;
    float x[FL_HEAD_INPUTS_MAX], logit = 0;

    if (!walked || p->probe.inputs)
        for (uint32_t i = 0; i < p->inputs; i++) x[i] = row[p->column[i]];
    /* As fl_parts_logit, with the faster walk of the same trees. */
    if (!walked) logit = fl_parts_logit(p, x);
    else logit = fl_parts_logit_of(p, trees, x);
    fl_parts_out(p, logit, out);
}

void fl_head_score(const fl_head *h, const float *row, fl_head_out *out)
{
    float trees = 0;
    bool walked = h->walk.levels && fl_forest_walk_margin(&h->walk, row, &trees);

    score(h, row, walked, trees, out);
}

/* Rows that take as long one after the other as FL_TREES16_ROWS at once. */
enum { ROWS_WORTH = 9 };

void fl_head_score_rows(const fl_head *h, const float *const *row, uint32_t n, fl_head_out *out)
{
    const float *at[FL_TREES16_ROWS];
    float sum[FL_TREES16_ROWS];

    for (uint32_t from = 0; from < n; from += FL_TREES16_ROWS) {
        uint32_t rows = n - from < FL_TREES16_ROWS ? n - from : FL_TREES16_ROWS, missing = 0;
        bool at_once = h->rows.t.trees && rows >= ROWS_WORTH;
        for (uint32_t i = 0; at_once && i < FL_TREES16_ROWS; i++)
            at[i] = row[from + (i < rows ? i : 0)] + h->rows.first;
        if (at_once) missing = h->kernels->trees16(&h->rows.t, at, sum);
        for (uint32_t i = 0; i < rows; i++) {
            if (at_once && !(missing >> i & 1))
                score(h, row[from + i], true, sum[i], &out[from + i]);
            else fl_head_score(h, row[from + i], &out[from + i]);
        }
    }
}

void fl_head_attribute(const fl_head *h, const float *row, float *contribution, float *bias)
{
    const fl_parts *p = &h->p;
    float x[FL_HEAD_INPUTS_MAX];

    memset(contribution, 0, p->inputs * sizeof *contribution);
    *bias = 0;
    bool walked = h->walk.levels &&
                  fl_forest_walk_attribute(&h->walk, row, p->trees_weight, contribution, bias);
    if (walked && !p->probe.inputs) return;
    for (uint32_t i = 0; i < p->inputs; i++) x[i] = row[p->column[i]];
    if (!walked && p->forest.trees)
        fl_forest_attribute(&p->forest, x, p->trees_weight, contribution, bias);
    if (!p->probe.inputs) return;
    *bias += p->probe_weight * p->probe.b;
    for (uint32_t i = 0; i < p->inputs; i++)
        contribution[i] += p->probe_weight * p->probe.w[i] * fl_logit_z(&p->probe, i, x[i]);
}
