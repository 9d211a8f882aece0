/* One input as a score. Whether more or less of it is suspect is read off the rows that may be learnt from when a period
 * is judged: an AUC below one half there turns it round. */
#include "task/trivial.h"
#include <math.h>
#include <stdio.h>

/* recency and amount are names for an input that every log of their kind has. NULL: the last one, at dates the time since
 * the last event. */
static const char *input_name(const fl_task *t, const fl_model *m, char own[96])
{
    const fl_schema *s = fl_model_schema(m);
    int payer = fl_schema_role(s, FL_ROLE_PAYER);
    if (!strcmp(t->baseline, "amount") && t->per_event) return "event.amount";
    if (strcmp(t->baseline, "recency")) return t->baseline;
    if (!t->per_event || payer < 0) return NULL;
    snprintf(own, 96, "%s.since_last", s->kind[payer].name);
    return own;
}

static const char *bare(const char *name)
{
    return strncmp(name, "fold:", 5) ? name : name + 5;
}

/* Column of the sample that the task's baseline names. */
static florin_status find_column(size_t *out, const fl_sample *s, const fl_task *t,
                                 const fl_model *m, florin_error *err)
{
    char own[96];
    const char *name = input_name(t, m, own), *near = NULL;
    *out = s->base - 1;
    if (!name) return FLORIN_OK;
    name = bare(name);
    const char **have = fl_calloc(s->width, sizeof *have);
    if (!have) return fl_fail(err, FLORIN_ENOMEM, "baseline");
    florin_status st = FLORIN_EINPUT;
    for (size_t c = 0; c < s->width && st; c++) {
        have[c] = bare(s->name[c]);
        *out = c;
        if (!strcmp(have[c], name)) st = FLORIN_OK;
    }
    if (st) near = fl_nearest(name, have, s->width);
    if (st)
        st = fl_fail(err, st,
                     "task %s: baseline: no input '%s'%s%s%s; prior, recency, %sor one that "
                     "--explain-inputs lists",
                     t->name, t->baseline, near ? ": did you mean '" : "", near ? near : "",
                     near ? "'" : "", t->per_event ? "amount " : "");
    free(have);
    return st;
}

typedef struct {
    size_t n;
    double *score, *weight;
    float *y;
} known_rows;

/* +1 or -1: more of the input is more suspect, or less. Judged period p, or with folds the rows outside fold p. */
static florin_status direction(double *out, known_rows *k, const fl_sample *s, const fl_task *t,
                               size_t column, uint32_t p, florin_error *err)
{
    k->n = 0;
    for (size_t r = 0; r < s->rows; r++) {
        float y = s->truth[r];
        if (*t->folds ? s->fold[r] == p : !fl_sample_learns(s, t, r, p, &y)) continue;
        k->score[k->n] = (double)s->x[r * s->width + column];
        k->weight[k->n] = (double)s->weight[r];
        k->y[k->n++] = y > .5f;
    }
    size_t *order = fl_order_scores(k->score, k->n);
    if (!order) return fl_fail(err, FLORIN_ENOMEM, "baseline");
    const fl_scored q = {.n = k->n, .score = k->score, .y = k->y, .parts = 1};
    double auc = fl_auc(&q, order, k->weight);
    *out = isfinite(auc) && auc < .5 ? -1 : 1;
    free(order);
    return FLORIN_OK;
}

static florin_status score_by(double *score, const fl_sample *s, const fl_task *t, size_t column,
                              const fl_judged *j, florin_error *err)
{
    size_t n = s->rows ? s->rows : 1;
    known_rows k = {.score = fl_alloc(n, sizeof(double)),
                    .weight = fl_alloc(n, sizeof(double)),
                    .y = fl_alloc(n, sizeof(float))};
    uint32_t parts = j->parts;
    florin_status st =
        k.score && k.weight && k.y ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "baseline");
    for (size_t r = 0; *t->folds && r < s->rows; r++)
        if (s->fold[r] + 1 > parts) parts = s->fold[r] + 1;
    for (uint32_t p = 0; p < parts && !st; p++) {
        double sign = 1;
        st = direction(&sign, &k, s, t, column, *t->folds ? p : j->first + p, err);
        for (size_t i = 0; i < j->n && !st; i++)
            if ((*t->folds ? s->fold[j->at[i]] : j->part[i]) == p)
                score[i] = sign * (double)s->x[j->at[i] * s->width + column];
    }
    free(k.score);
    free(k.weight);
    free(k.y);
    return st;
}

florin_status fl_trivial_scores(double **out, const fl_sample *s, const fl_task *t,
                                const fl_model *m, const fl_judged *j, florin_error *err)
{
    size_t column = 0;
    *out = NULL;
    if (!*t->baseline || t->answer != FL_TASK_BINARY) return FLORIN_OK;
    bool prior = !strcmp(t->baseline, "prior");
    florin_status st = prior ? FLORIN_OK : find_column(&column, s, t, m, err);
    if (st) return st;
    double *score = fl_calloc(j->n ? j->n : 1, sizeof *score);
    if (!score) return fl_fail(err, FLORIN_ENOMEM, "baseline");
    if (!prior) st = score_by(score, s, t, column, j, err);
    if (st) free(score);
    else *out = score;
    return st;
}

florin_status fl_trivial_report(json_t *report, const fl_task *t, const double *score,
                                const double *ours, const fl_judged *j, uint32_t draws,
                                uint64_t seed, const florin_context *ctx, florin_error *err)
{
    fl_interval iv[6];
    if (!score) return FLORIN_OK;
    fl_scored rows = fl_judged_rows(j, ours);
    florin_status st = fl_bootstrap(iv, &rows, score, draws, seed, ctx, err);
    if (st) return st;
    for (int k = 0; k < 6; k++)
        if (!isfinite(iv[k].value) || !isfinite(iv[k].low) || !isfinite(iv[k].high))
            return FLORIN_OK; /* a single class: nothing to compare */
    json_t *o = json_pack("{s:s, s:{s:o, s:o}, s:[o, o]}", "name", t->baseline, "metrics", "auc",
                          fl_result_interval(&iv[2]), "ap", fl_result_interval(&iv[3]),
                          "differences", fl_result_difference("florin", "trivial", "auc", &iv[4]),
                          fl_result_difference("florin", "trivial", "ap", &iv[5]));
    if (!o || json_object_set_new(report, "trivial", o))
        return fl_fail(err, FLORIN_ENOMEM, "baseline");
    return FLORIN_OK;
}
