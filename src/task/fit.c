/* Fitting and judging. Invariant: nothing is chosen, calibrated or fitted on a row of the test; labels are used as they
 * were known when validation began (for choosing) and when the test began (for the final fit). */
#include "task/fit.h"
#include "task/auto.h"
#include "task/fit_dist.h"
#include "task/fit_items.h"
#include "task/fit_inside.h"
#include "task/result.h"
#include "task/slices.h"
#include "task/trivial.h"
#include <math.h>
#include <stdio.h>

/* The search, the same for ours and for the baseline. */
static const fl_trees_recipe RECIPES[] = {{6, .05, 5}, {4, .06, 5}, {3, .05, 20}};
/* Where folds are ranked together: one recipe, since margins of different ones would not rank together and one chosen
 * on all folds would have seen every label. */
static const fl_trees_recipe FOLD_RECIPE = {3, .02, 20};

/* Is column c of a sample one of the fold's (what the baseline sees)? */
static bool of_fold(const fl_sample *s, const fl_task *t, const fl_model *m, size_t c)
{
    if (c >= s->base) return true; /* of the task's SELECT */
    if (t->per_event) return !strncmp(s->name[c], "fold:", 5);
    return c < fl_fold_read_features(fl_model_plan(m), t->kind) || c + 1 == s->base;
}

/* Does a task that leaves out a part of what the network says want this column of it? */
static bool part_wanted(const fl_task *t, const char *name)
{
    bool embedding = !strncmp(name, "embedding:", 10);

    if (!strcmp(t->inputs, "fold+surprise")) return !embedding;
    if (!strcmp(t->inputs, "fold+embedding")) return embedding;
    return true;
}

florin_status fl_fit_inputs_take(fl_fit_inputs *out, const fl_sample *s, const fl_task *t,
                                 const fl_model *m, bool fold_only, florin_error *err)
{
    bool fold = fold_only || strcmp(t->inputs, "sequence") != 0,
         sequence = !fold_only && strcmp(t->inputs, "fold") != 0,
         surprise = !fold_only && !strcmp(t->head, "surprise");
    uint32_t from = fl_model_row_surprise(m), to = fl_model_row_tail(m);
    out->column = fl_alloc(s->width, sizeof *out->column);
    if (!out->column) return fl_fail(err, FLORIN_ENOMEM, "fit");
    for (size_t i = 0; i < s->width && out->n < FL_HEAD_INPUTS_MAX; i++)
        if (surprise              ? i >= from && i < to
            : of_fold(s, t, m, i) ? fold
                                  : sequence && part_wanted(t, s->name[i]))
            out->column[out->n++] = i;
    if (!out->n)
        return fl_fail(err, FLORIN_EUSAGE, "task %s: `%s` needs a pretrained model: --model MODEL",
                       t->name, surprise ? "head: surprise" : "inputs: sequence");
    out->x = fl_alloc(s->rows ? s->rows : 1, out->n * sizeof *out->x);
    if (!out->x)
        return fl_fail(err, FLORIN_ENOMEM, "%zu rows of %zu inputs: %s", s->rows, out->n,
                       t->answer == FL_TASK_BINARY ? "set `negatives` lower" : "shorten `train`");
    for (size_t r = 0; r < s->rows; r++)
        for (size_t i = 0; i < out->n; i++)
            out->x[r * out->n + i] = s->x[r * s->width + out->column[i]];
    return FLORIN_OK;
}

void fl_fit_inputs_free(fl_fit_inputs *i)
{
    free(i->column);
    free(i->x);
    *i = (fl_fit_inputs){0};
}

static bool held_out(const fitter *f, size_t r)
{
    return !f->t->validates && fl_fit_holds_out(f->s.cluster[r], f->opt->seed);
}

/* Rows and labels that a fit may see: for choosing when validation period `at` is judged (without one: the first test,
 * but for what is held out); for the final fit when test period `at` is; with folds the rows outside fold `at`. */
typedef enum { FOR_CHOOSING, FOR_FINAL, OUTSIDE_FOLD, ANY_ROW } chooser;

static bool wanted(const fitter *f, size_t r, chooser want, uint32_t at, float *y)
{
    *y = f->s.truth[r];
    if (want == OUTSIDE_FOLD) return f->s.fold[r] != at;
    if (want == ANY_ROW) return true;
    return fl_sample_learns(&f->s, f->t, r, at, y) && f->s.time_us[r] >= f->from_us &&
           (want == FOR_FINAL || !held_out(f, r));
}

typedef struct {
    fl_train_set set;
    size_t *pick;
    float *y, *weight;
} training;

static florin_status take_rows(training *t, const fitter *f, const candidate *c, chooser want,
                               uint32_t at)
{
    memset(t, 0, sizeof *t);
    t->pick = fl_alloc(f->s.rows, sizeof *t->pick);
    t->y = fl_alloc(f->s.rows, sizeof *t->y);
    t->weight = fl_alloc(f->s.rows, sizeof *t->weight);
    if (!t->pick || !t->y || !t->weight) return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    size_t n = 0, positives = 0;
    for (size_t r = 0; r < f->s.rows; r++) {
        float y;
        if (!wanted(f, r, want, at, &y)) continue;
        t->pick[n] = r;
        t->y[n] = y > .5f;
        positives += y > .5f;
        t->weight[n++] = f->s.weight[r];
    }
    t->set = (fl_train_set){
        .x = c->in.x, .n = n, .width = c->in.n, .pick = t->pick, .y = t->y, .weight = t->weight};
    if (positives && positives < n) return FLORIN_OK;
    return fl_fail(
        f->err, FLORIN_EINPUT,
        "task %s: %zu rows to learn from, %zu of them positive: both kinds are needed; %s",
        f->t->name, n, positives,
        f->from_us == INT64_MIN ? "lengthen `train`" : "pretrain with an earlier --until");
}

static void drop_rows(training *t)
{
    free(t->pick);
    free(t->y);
    free(t->weight);
}

static florin_status fit_trees(const fitter *f, candidate *c, const training *t,
                               const fl_trees_recipe *r, uint32_t rounds)
{
    fl_trees_options o = {.depth = r->depth,
                          .rounds = rounds,
                          .threads = 2,
                          .eta = r->eta,
                          .subsample = .8,
                          .columns = .6,
                          .l2 = 5,
                          .min_child = r->min_child,
                          .seed = f->opt->seed};
    fl_forest_free(&c->parts.forest);
    free(c->parts.json);
    c->parts.json = NULL;
    if (!c->trees) return FLORIN_OK;
    return fl_trees_fit(&c->parts.forest, &c->parts.json, &t->set, &o, f->ctx, f->err);
}

static florin_status fit_probe(const fitter *f, candidate *c, const training *t)
{
    fl_logit_free(&c->parts.probe);
    c->parts.trees_weight = !c->trees ? 0 : c->probe ? .5f : 1;
    c->parts.probe_weight = !c->probe ? 0 : c->trees ? .5f : 1;
    if (c->surprise) return fl_logit_unusual(&c->parts.probe, &t->set, f->err);
    return c->probe ? fl_logit_fit(&c->parts.probe, &t->set, 10, f->ctx, f->err) : FLORIN_OK;
}

static florin_status fit_parts(const fitter *f, candidate *c, const training *t,
                               const fl_trees_recipe *r, uint32_t rounds)
{
    florin_status st = fit_probe(f, c, t);
    return st ? st : fit_trees(f, c, t, r, rounds);
}

static double margin(const candidate *c, size_t row)
{
    return (double)fl_parts_logit(&c->parts, c->in.x + row * c->in.n);
}

/* The label of a held-out row as known when the test begins, -1: not known then. */
static float outcome(const fitter *f, size_t r)
{
    return *f->t->folds ? f->s.truth[r] : f->s.known[r * f->s.judged + f->t->validates];
}

/* All rows of a validation period are there; held-out rows of the training time stand for those not sampled too. */
static float weight_of(const fitter *f, size_t r)
{
    return f->t->validates ? 1 : f->s.weight[r];
}

florin_status fl_fit_held(const fitter *f, held *h)
{
    *h = (held){.row = fl_alloc(f->s.rows ? f->s.rows : 1, sizeof *h->row),
                .parts = f->t->validates ? f->t->validates : 1};
    if (!h->row) return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t v = 0; v < h->parts; v++) {
        float y;
        for (size_t r = 0; r < f->s.rows; r++)
            if (f->t->validates ? f->s.in[r] == v + 1 && outcome(f, r) >= 0
                                : held_out(f, r) && fl_sample_learns(&f->s, f->t, r, 0, &y))
                h->row[h->n++] = r;
        h->start[v + 1] = h->n;
    }
    return FLORIN_OK;
}

double fl_fit_held_ap(const fitter *f, const double *score, const size_t *row, size_t n)
{
    float *y = fl_alloc(n ? n : 1, sizeof *y);
    double *w = fl_alloc(n ? n : 1, sizeof *w), ap = 0;
    size_t *order = fl_order_scores(score, n);
    for (size_t i = 0; y && w && i < n; i++) {
        y[i] = outcome(f, row[i]) > .5f;
        w[i] = (double)weight_of(f, row[i]);
    }
    fl_scored s = {.n = n, .score = score, .y = y, .parts = 1};
    if (y && w && order) ap = fl_average_precision(&s, order, w);
    free(y);
    free(w);
    free(order);
    return isfinite(ap) ? ap : 0;
}

/* Platt's scaling by Newton steps on weighted rows; a stays positive so that calibration keeps the order. */
static void platt(fl_parts *p, const double *m, const float *y, const float *w, size_t n)
{
    double a = 1, b = 0, pos = 0, neg = 0;
    for (size_t i = 0; i < n; i++) *(y[i] > .5f ? &pos : &neg) += 1;
    p->a = 1;
    p->b = 0;
    if (pos < 10 || neg < 10) return;
    for (int step = 0; step < 50; step++) {
        double g[2] = {0}, h[3] = {1e-9, 0, 1e-9};
        for (size_t i = 0; i < n; i++) {
            double q = 1 / (1 + exp(-(a * m[i] + b))), d = (double)w[i] * (q - (double)y[i]),
                   v = (double)w[i] * q * (1 - q);
            g[0] += d * m[i];
            g[1] += d;
            h[0] += v * m[i] * m[i];
            h[1] += v * m[i];
            h[2] += v;
        }
        double det = h[0] * h[2] - h[1] * h[1];
        if (!(det > 1e-12)) break;
        double da = (h[2] * g[0] - h[1] * g[1]) / det, db = (h[0] * g[1] - h[1] * g[0]) / det;
        double size = fmax(fabs(da), fabs(db)), limit = size > 1 ? 1 / size : 1;
        a -= limit * da;
        b -= limit * db;
        if (size < 1e-9) break;
    }
    if (!isfinite(a) || !isfinite(b) || a < .05) return;
    p->a = (float)a;
    p->b = (float)b;
}

static double threshold_of(const fitter *f)
{
    double miss = f->t->cost_miss, sum = 0, n = 0;
    for (size_t r = 0; r < f->s.rows && miss <= 0; r++)
        if ((f->s.learn[r] || *f->t->folds) && outcome(f, r) > .5f && f->s.amount[r] > 0)
            sum += f->s.amount[r], n++;
    if (miss <= 0) miss = n > 0 ? sum / n : 0;
    if (miss <= 0) return .5;
    return fmin(fmax(f->t->cost_alert / miss, .01), .9);
}

/* Calibrate on the held-out rows with the parts fitted without them. */
florin_status fl_fit_calibrate(const fitter *f, candidate *c, const double *m, const size_t *row,
                               size_t n)
{
    float *y = fl_alloc(n ? n : 1, sizeof *y), *w = fl_alloc(n ? n : 1, sizeof *w);
    if (!y || !w) {
        free(y);
        free(w);
        return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    }
    double pos = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        y[i] = outcome(f, row[i]) > .5f;
        w[i] = weight_of(f, row[i]);
        pos += (double)(w[i] * y[i]);
        all += (double)w[i];
    }
    platt(&c->parts, m, y, w, n);
    double prior = all > 0 ? pos / all : .01;
    fl_parts_anchor(&c->parts, fmin(fmax(prior, 1e-5), .9), threshold_of(f));
    free(y);
    free(w);
    return FLORIN_OK;
}

/* Margins of the held-out rows by a recipe at a third, two thirds and all of its rounds: m [3][h->n]. The probe of each
 * period does not depend on the recipe: it is lent to the candidate. */
static florin_status try_recipe(fitter *f, candidate *c, const held *h, const training *t,
                                const fl_logit *probe, const fl_trees_recipe *k, double *m)
{
    florin_status st = FLORIN_OK;
    for (uint32_t v = 0; v < h->parts && !st; v++) {
        c->parts.probe = probe[v];
        st = fit_trees(f, c, &t[v], k, f->rounds);
        fl_forest whole = c->parts.forest;
        for (uint32_t third = 0; !st && third < (c->trees ? 3u : 1u); third++) {
            c->parts.forest = whole;
            if (c->trees) fl_forest_cut(&c->parts.forest, f->rounds * (third + 1) / 3);
            for (size_t i = h->start[v]; i < h->start[v + 1]; i++)
                m[third * h->n + i] = margin(c, h->row[i]);
        }
        c->parts.forest = whole;
        memset(&c->parts.probe, 0, sizeof c->parts.probe);
    }
    return st;
}

static florin_status search(fitter *f, candidate *c, const held *h, const training *t,
                            const fl_logit *probe, double *m, double *best)
{
    florin_status st = FLORIN_OK;
    c->figure = -1;
    for (size_t k = 0; !st && k < (c->trees ? FL_LEN(RECIPES) : 1); k++) {
        st = try_recipe(f, c, h, t, probe, &RECIPES[k], m);
        for (uint32_t third = 0; !st && third < (c->trees ? 3u : 1u); third++) {
            const double *own = m + third * h->n;
            double ap = 0;
            for (uint32_t v = 0; v < h->parts; v++)
                ap += fl_fit_held_ap(f, own + h->start[v], h->row + h->start[v],
                                     h->start[v + 1] - h->start[v]) /
                      h->parts;
            if (ap <= c->figure) continue;
            c->figure = ap;
            c->chosen = RECIPES[k];
            c->chosen_rounds = c->trees ? f->rounds * (third + 1) / 3 : 0;
            memcpy(best, own, h->n * sizeof *best);
        }
    }
    return st;
}

/* The recipe with the best mean over the validation periods; calibrated on its margins there. */
static florin_status choose(fitter *f, candidate *c)
{
    held h;
    training t[FL_PERIODS_MAX] = {0};
    fl_logit probe[FL_PERIODS_MAX] = {0};
    florin_status st = fl_fit_held(f, &h);
    double *m = fl_alloc(h.n ? h.n : 1, 3 * sizeof *m), *best = fl_alloc(h.n ? h.n : 1, sizeof *m);
    if (!st && (!m || !best)) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t v = 0; v < h.parts && !st; v++) {
        st = take_rows(&t[v], f, c, FOR_CHOOSING, v);
        if (!st) st = fit_probe(f, c, &t[v]);
        probe[v] = c->parts.probe;
        memset(&c->parts.probe, 0, sizeof c->parts.probe);
    }
    if (!st) st = search(f, c, &h, t, probe, m, best);
    if (!st) st = fl_fit_calibrate(f, c, best, h.row, h.n);
    for (uint32_t v = 0; v < h.parts; v++) {
        drop_rows(&t[v]);
        fl_logit_free(&probe[v]);
    }
    free(h.row);
    free(m);
    c->held_margin = best;
    return st;
}

/* Each row by the parts that did not see its fold; then the parts of all. */
static florin_status by_folds(fitter *f, candidate *c, const fl_judged *j, double *score)
{
    uint32_t folds = 0;
    for (size_t r = 0; r < f->s.rows; r++)
        if (f->s.fold[r] + 1 > folds) folds = f->s.fold[r] + 1;
    c->chosen = FOLD_RECIPE;
    c->chosen_rounds = f->rounds;
    florin_status st = FLORIN_OK;
    for (uint32_t k = 0; k < folds && !st; k++) {
        training t;
        st = take_rows(&t, f, c, OUTSIDE_FOLD, k);
        if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds);
        for (size_t i = 0; !st && i < j->n; i++)
            if (f->s.fold[j->at[i]] == k) score[i] = margin(c, j->at[i]);
        drop_rows(&t);
    }
    if (!st) st = fl_fit_calibrate(f, c, score, j->at, j->n);
    training t = {0};
    if (!st) st = take_rows(&t, f, c, ANY_ROW, 0);
    if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds);
    drop_rows(&t);
    return st;
}

/* For each judged period fit on what is known when it begins and score its rows. The parts of the last period stay. */
static florin_status fit_periods(fitter *f, candidate *c, const fl_judged *j, double *score)
{
    florin_status st = FLORIN_OK;
    for (uint32_t p = 0; p < j->parts && !st; p++) {
        training t;
        st = take_rows(&t, f, c, FOR_FINAL, j->first + p);
        if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds ? c->chosen_rounds : 1);
        for (size_t i = 0; i < j->n && !st; i++)
            if (j->part[i] == p) score[i] = margin(c, j->at[i]);
        drop_rows(&t);
    }
    return st;
}

static florin_status fit_candidate(fitter *f, candidate *c, bool fold_only, const fl_judged *j,
                                   double *score)
{
    if (f->opt->given && !fold_only) return fl_fit_given(f, c, j, score);
    florin_status st = fl_fit_inputs_take(&c->in, &f->s, f->t, f->m, fold_only, f->err);
    if (st) return st;
    if (*f->t->folds) return by_folds(f, c, j, score);
    st = choose(f, c);
    return st ? st : fit_periods(f, c, j, score);
}

static void free_candidate(candidate *c)
{
    fl_parts_free(&c->parts);
    fl_fit_inputs_free(&c->in);
    free(c->held_margin);
}

static florin_status name_head(fitter *f, candidate *c)
{
    fl_parts *p = &c->parts;
    snprintf(p->name, sizeof p->name, "%s", f->t->name);
    p->per_event = f->t->per_event;
    p->kind = f->t->kind;
    p->until_us = f->t->period[f->s.judged - 1].from_us;
    p->column = fl_alloc(c->in.n, sizeof *p->column);
    p->input = fl_calloc(c->in.n, sizeof *p->input);
    if (!p->column || !p->input) return fl_fail(f->err, FLORIN_ENOMEM, "head");
    for (size_t i = 0; i < c->in.n; i++) {
        p->column[i] = (uint32_t)c->in.column[i];
        p->input[i] = fl_strdup(f->s.name[c->in.column[i]]);
        if (!p->input[i]) return fl_fail(f->err, FLORIN_ENOMEM, "head");
    }
    p->inputs = (uint32_t)c->in.n;
    p->about =
        json_pack("{s:s, s:i, s:f, s:i, s:f}", "head",
                  c->parts.forest.trees || !f->opt->given ? f->t->head : "finetune", "depth",
                  (int)c->chosen.depth, "eta", c->chosen.eta, "trees", (int)c->parts.forest.trees,
                  "validation_ap", c->figure < 0 ? 0 : c->figure);
    return FLORIN_OK;
}

/* Share of the absolute attribution over the judged rows, by input: the head's top features. */
static json_t *top_features(const fitter *f, const candidate *c, const fl_judged *j)
{
    double *sum = fl_calloc(c->in.n, sizeof *sum), all = 0;
    float *one = fl_calloc(c->in.n, sizeof *one), bias;
    json_t *list = json_array();
    size_t step = j->n / 2000 + 1;
    for (size_t i = 0; sum && one && c->trees && i < j->n; i += step) {
        size_t r = j->at[i];
        memset(one, 0, c->in.n * sizeof *one);
        bias = 0;
        fl_forest_attribute(&c->parts.forest, c->in.x + r * c->in.n, 1, one, &bias);
        for (size_t k = 0; k < c->in.n; k++) sum[k] += fabs((double)one[k]);
    }
    for (size_t i = 0; sum && i < c->in.n; i++) all += sum[i];
    for (int k = 0; sum && all > 0 && k < 20; k++) {
        size_t best = 0;
        for (size_t i = 1; i < c->in.n; i++)
            if (sum[i] > sum[best]) best = i;
        if (sum[best] <= 0) break;
        const char *name = f->s.name[c->in.column[best]], *meaning = "";
        if (!strncmp(name, "fold:", 5) && f->t->per_event)
            meaning =
                fl_fold_feature_at(fl_model_plan(f->m), (uint32_t)c->in.column[best])->meaning;
        json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "name", name, "meaning", meaning,
                                              "share", sum[best] / all));
        sum[best] = 0;
    }
    free(sum);
    free(one);
    return list;
}

/* Ours and the baseline on the judged rows, with intervals and the paired difference. */
typedef struct {
    double *ours, *base, *p, *q;
    uint8_t *level;
} scored;

static void scored_free(scored *s)
{
    free(s->ours);
    free(s->base);
    free(s->p);
    free(s->q);
    free(s->level);
}

static florin_status scored_new(scored *s, size_t n, florin_error *err)
{
    n = n ? n : 1;
    *s = (scored){.ours = fl_calloc(n, sizeof(double)),
                  .base = fl_calloc(n, sizeof(double)),
                  .p = fl_calloc(n, sizeof(double)),
                  .q = fl_calloc(n, sizeof(double)),
                  .level = fl_calloc(n, 1)};
    return s->ours && s->base && s->p && s->q && s->level ? FLORIN_OK
                                                          : fl_fail(err, FLORIN_ENOMEM, "fit");
}

static fl_system system_of(const candidate *c, const double *score, const double *p,
                           const uint8_t *level)
{
    return (fl_system){.name = c->name,
                       .label = c->label,
                       .score = score,
                       .probability = p,
                       .score99 = level,
                       .threshold = (double)c->parts.threshold};
}

static florin_status report(fitter *f, candidate *a, candidate *b, const fl_judged *j, scored *s,
                            json_t **out)
{
    fl_interval iv[6];
    fl_scored rows = fl_judged_rows(j, s->ours);
    florin_status st = fl_bootstrap(iv, &rows, s->base, f->opt->draws ? f->opt->draws : 300,
                                    f->opt->seed + 1, f->ctx, f->err);
    if (st) return st;
    for (size_t i = 0; i < j->n; i++) {
        fl_head_out o, o2;
        fl_parts_out(&a->parts, (float)s->ours[i], &o);
        fl_parts_out(&b->parts, (float)s->base[i], &o2);
        s->p[i] = (double)o.probability;
        s->q[i] = (double)o2.probability;
        s->level[i] = o.score;
    }
    const fl_system ours = system_of(a, s->ours, s->p, s->level),
                    base = system_of(b, s->base, s->q, NULL);
    json_t *x = fl_result_system(&ours, j, &iv[0], f->err);
    json_t *y = x ? fl_result_system(&base, j, &iv[2], f->err) : NULL;
    if (!x || !y) {
        json_decref(x);
        return FLORIN_ENOMEM;
    }
    json_object_set_new(x, "features", top_features(f, a, j));
    *out = fl_result_head(&f->s, j);
    if (!*out) return fl_fail(f->err, FLORIN_ENOMEM, "report");
    json_object_set_new(*out, "train",
                        json_pack("{s:I, s:I}", "rows", (json_int_t)f->s.train_seen, "positives",
                                  (json_int_t)f->s.train_positives));
    json_object_set_new(*out, "systems", json_pack("[o, o]", x, y));
    json_object_set_new(*out, "differences",
                        json_pack("[o, o]", fl_result_difference(a->name, b->name, "auc", &iv[4]),
                                  fl_result_difference(a->name, b->name, "ap", &iv[5])));
    json_t *slices = NULL;
    st = fl_slices(&slices, j, s->ours, f->log, f->opt->draws ? f->opt->draws : 200,
                   f->opt->seed + 2, f->ctx, f->err);
    if (!st) json_object_set_new(*out, "slices", slices);
    if (st || !f->opt->scores) return st;
    return fl_result_scores(f->opt->scores, j, f->log, &ours, s->base, f->ctx, f->err);
}

/* --- what pretraining saw --- */

/* Mean over rows of a row's summed surprise, before T among what is learnt from and at or after T; NAN: none there. */
static void mean_surprise(const fitter *f, double out[2])
{
    uint32_t from = fl_model_row_surprise(f->m), to = fl_model_row_tail(f->m);
    double sum[2] = {0}, n[2] = {0};
    for (size_t r = 0; r < f->s.rows; r++) {
        bool after = f->s.time_us[r] >= fl_model_until(f->m);
        double one = 0, w = f->s.in[r] ? 1 : (double)f->s.weight[r];
        for (uint32_t c = from; c < to; c++) one += (double)f->s.x[r * f->s.width + c];
        sum[after] += w * one;
        n[after] += w;
    }
    for (int k = 0; k < 2; k++) out[k] = n[k] > 0 ? sum[k] / n[k] : NAN;
}

/* The recipe that was chosen, fitted on rows at or after T alone, against ours: paired. False: too few such rows. */
static bool later_rows_alone(fitter *f, const candidate *a, const fl_judged *j, const double *ours,
                             json_t *out)
{
    candidate late = *a;
    fl_interval iv[6];
    florin_error why = {0}, *kept = f->err;
    double *score = fl_calloc(j->n ? j->n : 1, sizeof *score);
    memset(&late.parts, 0, sizeof late.parts);
    f->from_us = fl_model_until(f->m);
    f->err = &why;
    florin_status st = score ? fit_periods(f, &late, j, score) : FLORIN_ENOMEM;
    fl_scored rows = fl_judged_rows(j, score);
    if (!st)
        st = fl_bootstrap(iv, &rows, ours, f->opt->draws ? f->opt->draws : 300, f->opt->seed + 1,
                          f->ctx, &why);
    f->from_us = INT64_MIN;
    f->err = kept;
    if (!st)
        json_object_set_new(out, "later_rows_alone",
                            fl_result_difference("later rows alone", a->name, "ap", &iv[5]));
    fl_parts_free(&late.parts);
    free(score);
    return !st;
}

/* Trees are best fitted on rows that pretraining did not see: their surprise is honest. How far it is from that here. */
static void pretraining_overlap(fitter *f, const candidate *a, const fl_judged *j,
                                const double *ours, json_t *report)
{
    uint64_t before = 0, all = 0;
    double surprise[2];
    char until[32];
    for (size_t r = 0; r < f->s.rows; r++) {
        all += f->s.learn[r] != 0;
        before += f->s.learn[r] && f->s.time_us[r] < fl_model_until(f->m);
    }
    fl_time_format(fl_model_until(f->m), until);
    json_t *o = json_pack("{s:s, s:I, s:I}", "until", until, "rows", (json_int_t)all, "rows_before",
                          (json_int_t)before);
    if (f->t->per_event) {
        mean_surprise(f, surprise);
        if (isfinite(surprise[0]))
            json_object_set_new(o, "surprise_before", json_real(surprise[0]));
        if (isfinite(surprise[1])) json_object_set_new(o, "surprise_after", json_real(surprise[1]));
    }
    if (before && before < all && !f->opt->later_rows && !*f->t->folds)
        (void)later_rows_alone(f, a, j, ours, o);
    json_object_set_new(report, "pretraining", o);
}

florin_status fl_fit_refuse_leak(const fl_task *t, const fl_model *m, bool validation,
                                 florin_error *err)
{
    int64_t until = fl_model_until(m),
            first = validation ? t->period[0].from_us : fl_task_first_test(t);
    if (until <= first) return FLORIN_OK;
    char a[32], b[32];
    fl_time_format(until, a);
    fl_time_format(first, b);
    return fl_fail(err, FLORIN_ELEAK,
                   "the model was trained on events until %s, and task %s is judged from %s on: "
                   "pretrain with --until '%s' or earlier",
                   a, t->name, b, b);
}

/* One way of fl_auto_choose: average precision on what is held out. */
static florin_status try_way(void *self, const char *head, const char *inputs, double *figure)
{
    fitter *f = self;
    const fl_task *kept = f->t;
    fl_task t = *kept;
    snprintf(t.head, sizeof t.head, "%s", head);
    snprintf(t.inputs, sizeof t.inputs, "%s", inputs);
    candidate c = {.trees = strcmp(head, "probe") != 0, .probe = strcmp(head, "trees") != 0};
    f->t = &t;
    florin_status st = fl_fit_inputs_take(&c.in, &f->s, f->t, f->m, false, f->err);
    if (!st) st = choose(f, &c);
    *figure = c.figure;
    f->t = kept;
    free_candidate(&c);
    return st;
}

static florin_status choose_way(fitter *f, fl_task *t, json_t **how)
{
    if (t->answer != FL_TASK_BINARY || *t->folds)
        return fl_fail(
            f->err, FLORIN_EUSAGE,
            "task %s: --auto chooses on validation data, for a label that is yes or no%s", t->name,
            *t->folds ? "; with `folds` every row is judged" : "");
    return fl_auto_choose(how, t, fl_model_network(f->m) != NULL, f->opt->auto_minutes, try_way, f,
                          f->opt->more, f->ctx, f->err);
}

/* Ours by the task's head and inputs, and the baseline. */
static void candidates(const fitter *f, candidate *a, candidate *b)
{
    const fl_task *t = f->t;
    const fl_given *given = f->opt->given;
    bool net = fl_model_network(f->m) && (given || strcmp(t->inputs, "fold") != 0),
         probe = strcmp(t->head, "trees") != 0, surprise = !strcmp(t->head, "surprise") && !given;
    *a = (candidate){.name = "florin",
                     .label = given && !strcmp(t->head, "blend")
                                  ? "trees on the fold + tuned network"
                              : given    ? given->label
                              : surprise ? "surprise of all fields together, no label learnt from"
                              : !net     ? "fold features"
                              : !strcmp(t->inputs, "fold+surprise")  ? "fold + surprise"
                              : !strcmp(t->inputs, "fold+embedding") ? "fold + embedding"
                              : strcmp(t->inputs, "sequence")        ? "fold + surprise + embedding"
                                                                     : "surprise + embedding",
                     .trees = strcmp(t->head, "probe") != 0 && !surprise && !given,
                     .probe = probe || given,
                     .surprise = surprise};
    *b = (candidate){.name = "baseline",
                     .label =
                         net || probe ? "boosted trees on the fold" : "logistic probe on the fold",
                     .trees = net || probe,
                     .probe = !net && !probe};
}

/* A label that is yes or no. */
static florin_status fit_binary(fitter *f, const fl_judged *j, json_t **json)
{
    candidate a, b;
    scored s = {0};
    double *trivial = NULL;
    candidates(f, &a, &b);
    bool blend = f->opt->given && !strcmp(f->t->head, "blend");
    florin_status st = scored_new(&s, j->n, f->err);
    if (!st) st = fl_trivial_scores(&trivial, &f->s, f->t, f->m, j, f->err);
    if (!st && !blend) st = fit_candidate(f, &a, false, j, s.ours);
    if (!st) st = fit_candidate(f, &b, true, j, s.base);
    if (!st && blend) st = fl_fit_blend(f, &a, &b, j, s.base, s.ours);
    if (!st) st = report(f, &a, &b, j, &s, json);
    if (!st)
        st = fl_trivial_report(*json, f->t, trivial, s.ours, j, f->opt->draws ? f->opt->draws : 300,
                               f->opt->seed + 1, f->ctx, f->err);
    if (!st && f->opt->given)
        json_object_set_new(*json, "finetune", json_deep_copy(f->opt->given->about));
    else if (!st && fl_model_network(f->m) && strcmp(f->t->inputs, "fold") != 0)
        pretraining_overlap(f, &a, j, s.ours, *json);
    if (!st && blend) {
        json_object_set_new(*json, "network_share", json_real((double)a.parts.probe_weight));
        st = fl_fit_widen(f, &a);
    }
    if (!st) st = name_head(f, &a);
    if (!st && f->opt->out && !*f->t->features)
        st = fl_parts_save(f->opt->out, f->m, &a.parts, f->err);
    free_candidate(&a);
    free_candidate(&b);
    scored_free(&s);
    free(trivial);
    return st;
}

static florin_status fit_other(const fitter *f, const fl_judged *j, json_t **json)
{
    *json = fl_result_head(&f->s, j);
    if (!*json) return fl_fail(f->err, FLORIN_ENOMEM, "report");
    return fl_fit_dist(*json, f->t, f->m, f->log, &f->s, j, f->opt, f->ctx, f->err);
}

florin_status fl_fit(json_t **json, const fl_task *given, const fl_model *m, const fl_log *log,
                     const fl_fit_options *opt, const florin_context *ctx, florin_error *err)
{
    fl_task t = *given;
    json_t *how = NULL;
    fitter f = {.t = &t,
                .m = m,
                .log = log,
                .opt = opt,
                .ctx = ctx,
                .err = err,
                .rounds = opt->rounds ? opt->rounds : 300,
                .from_us = opt->later_rows ? fl_model_until(m) : INT64_MIN};
    fl_judged j = {0};
    *json = NULL;
    if (opt->validate_only && !t.validates)
        return fl_fail(err, FLORIN_EUSAGE, "task %s has no `validate:` period", t.name);
    florin_status st = opt->given ? FLORIN_OK : fl_fit_refuse_leak(&t, m, opt->validate_only, err);
    if (!st && t.answer == FL_TASK_ITEMS) return fl_fit_items(json, &t, log, opt, ctx, err);
    if (!st) st = fl_sample_take(&f.s, &t, m, log, opt->seed, ctx, err);
    if (!st) st = fl_judged_take(&j, &f.s, opt->validate_only, &t, err);
    if (!st && opt->auto_minutes > 0) st = choose_way(&f, &t, &how);
    bool elsewhere = opt->more && opt->more->chosen;
    if (!st && !elsewhere)
        st = t.answer == FL_TASK_BINARY ? fit_binary(&f, &j, json) : fit_other(&f, &j, json);
    if (!st && how && elsewhere) opt->more->about = json_incref(how);
    else if (!st && how) json_object_set(*json, "auto", how);
    json_decref(how);
    fl_judged_free(&j);
    fl_sample_free(&f.s);
    return st;
}
