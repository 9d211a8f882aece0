/* Distributions by boosted trees: one tree a bin and round, softmax. Invariant as in fit.c: nothing is chosen, tempered or
 * fitted on a row of the test, and each judged period is fitted on what was known when it begins. */
#include "task/fit_dist.h"
#include "task/judge_dist.h"
#include <math.h>
#include <stdio.h>

/* The search, the same for ours and for the baseline; each at a third, two thirds and all of its rounds. */
static const fl_trees_recipe RECIPES[] = {{4, .06, 5}, {3, .06, 20}};
enum { ROUNDS = 90, BINS = 8, ROWS_MOST = 40000, THIRDS = 3 };

typedef struct {
    const fl_task *t;
    const fl_model *m;
    const fl_sample *s;
    const fl_judged *j;
    const fl_fit_options *opt;
    const florin_context *ctx;
    florin_error *err;
    uint32_t rounds;
    uint64_t used; /* rows of the last fit */
} fitter;

typedef struct {
    fl_fit_inputs in;
    fl_trees_recipe chosen;
    uint32_t chosen_rounds;
    double temperature, loss; /* mean -log p of the held-out rows' bins */
    fl_forest forest;
    fl_bins bins;
} candidate;

/* What a fit is for: choosing (held out: a validation period, or a quarter), a judged period, all folds but one. */
typedef struct {
    enum { CHOOSING, JUDGING, FOLD } why;
    uint32_t period, fold;
} purpose;

/* May the row be learnt from; and *held: is it one to choose by? */
static bool learns(const fitter *f, size_t r, purpose w, float *y, bool *held)
{
    const fl_sample *s = f->s;
    *held = false;
    *y = s->truth[r];
    if (w.why == FOLD) return s->fold[r] != w.fold;
    bool may = fl_sample_learns(s, f->t, r, w.period, y);
    if (w.why == JUDGING) return may;
    if (!f->t->validates) {
        *held = may && fl_fit_holds_out(s->cluster[r], f->opt->seed);
        return may && !*held;
    }
    float later = s->known[r * s->judged + f->t->validates];
    *held = s->in[r] == w.period + 1 && !isnan(later);
    if (*held) *y = later;
    return may && !*held;
}

typedef struct {
    size_t n, held, *pick, *held_row;
    float *y, *weight, *held_y;
} rows;

static void drop_rows(rows *w)
{
    free(w->pick);
    free(w->held_row);
    free(w->y);
    free(w->weight);
    free(w->held_y);
}

static florin_status take_rows(fitter *f, purpose why, rows *w)
{
    size_t n = f->s->rows + 1, all = 0;
    *w = (rows){.pick = fl_alloc(n, sizeof *w->pick),
                .held_row = fl_alloc(n, sizeof *w->held_row),
                .y = fl_alloc(n, sizeof *w->y),
                .weight = fl_alloc(n, sizeof *w->weight),
                .held_y = fl_alloc(n, sizeof *w->held_y)};
    if (!w->pick || !w->held_row || !w->y || !w->weight || !w->held_y)
        return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    float y;
    bool held;
    for (size_t r = 0; r < f->s->rows; r++) all += learns(f, r, why, &y, &held);
    double keep = all > ROWS_MOST ? (double)ROWS_MOST / (double)all : 1;
    for (size_t r = 0; r < f->s->rows; r++) {
        bool may = learns(f, r, why, &y, &held);
        if (held) {
            w->held_row[w->held] = r;
            w->held_y[w->held++] = y;
        }
        uint64_t key = fl_mix64(f->s->row[r] ^ fl_mix64((uint64_t)f->s->time_us[r] + 5));
        if (!may || (double)(key >> 11) * 0x1p-53 >= keep) continue;
        w->pick[w->n] = r;
        w->y[w->n] = y;
        w->weight[w->n++] = 1;
    }
    f->used = w->n;
    if (w->n >= 50) return FLORIN_OK;
    return fl_fail(f->err, FLORIN_EINPUT,
                   "task %s: %zu rows to learn from, 50 are needed: lengthen `train`", f->t->name,
                   w->n);
}

/* Bins from what is learnt from; w->y becomes their numbers. */
static florin_status make_bins(const fitter *f, rows *w, fl_bins *b)
{
    if (f->t->answer == FL_TASK_CLASS) {
        memset(b, 0, sizeof *b);
        b->bins = f->s->classes;
        for (size_t i = 0; i < w->n; i++) b->share[(uint32_t)w->y[i]] += 1 / (double)w->n;
        return FLORIN_OK;
    }
    float *y = fl_alloc(w->n, sizeof *y);
    if (!y) return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    memcpy(y, w->y, w->n * sizeof *y);
    florin_status st = fl_bins_fit(b, y, w->n, BINS, f->err);
    for (size_t i = 0; !st && i < w->n; i++) w->y[i] = (float)fl_bins_of(b, w->y[i]);
    free(y);
    return st;
}

static uint32_t bin_of(const fitter *f, const fl_bins *b, float y)
{
    return f->t->answer == FL_TASK_CLASS ? (uint32_t)y : fl_bins_of(b, y);
}

static florin_status grow(const fitter *f, candidate *c, const rows *w, const fl_trees_recipe *r,
                          uint32_t rounds)
{
    fl_train_set set = {
        .x = c->in.x, .n = w->n, .width = c->in.n, .pick = w->pick, .y = w->y, .weight = w->weight};
    fl_trees_options o = {.depth = r->depth,
                          .rounds = rounds,
                          .threads = 2,
                          .eta = r->eta,
                          .subsample = .8,
                          .columns = .5,
                          .l2 = 5,
                          .min_child = r->min_child,
                          .seed = f->opt->seed,
                          .classes = c->bins.bins};
    fl_forest_free(&c->forest);
    return fl_trees_fit(&c->forest, NULL, &set, &o, f->ctx, f->err);
}

/* The mean -log p of the held-out rows for each third of a recipe, over the periods with as many rows each. */
static florin_status try_recipe(const fitter *f, candidate *c, const fl_trees_recipe *r, rows *w,
                                double loss[THIRDS], double temperature[THIRDS])
{
    florin_status st = grow(f, c, w, r, f->rounds);
    uint32_t k = c->bins.bins;
    float *margin = fl_alloc(w->held + 1, k * sizeof *margin);
    uint32_t *y = fl_alloc(w->held + 1, sizeof *y);
    fl_forest whole = c->forest;
    if (!st && (!margin || !y)) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t third = 0; !st && third < THIRDS; third++) {
        c->forest = whole;
        fl_forest_cut(&c->forest, f->rounds * (third + 1) / THIRDS * k);
        for (size_t i = 0; i < w->held; i++) {
            fl_forest_margins(&c->forest, c->in.x + w->held_row[i] * c->in.n, k, margin + i * k);
            y[i] = bin_of(f, &c->bins, w->held_y[i]);
        }
        double t = fl_dist_temperature(margin, y, w->held, k), sum = 0, p[FL_BINS_MAX];
        for (size_t i = 0; i < w->held; i++) {
            fl_softmax(p, margin + i * k, k, t);
            sum -= log(fmax(p[y[i]], 1e-12));
        }
        loss[third] += w->held ? sum / (double)w->held : 0;
        temperature[third] += log(t);
    }
    c->forest = whole;
    free(margin);
    free(y);
    return st;
}

/* The recipe with the smallest loss on what is held out, and the temperature that suits it there. */
static florin_status choose(fitter *f, candidate *c)
{
    double loss[FL_LEN(RECIPES)][THIRDS] = {0}, temperature[FL_LEN(RECIPES)][THIRDS] = {0};
    uint32_t parts = f->t->validates ? f->t->validates : 1;
    florin_status st = FLORIN_OK;
    for (uint32_t v = 0; v < parts && !st; v++) {
        rows w;
        st = take_rows(f, (purpose){.why = CHOOSING, .period = v}, &w);
        if (!st) st = make_bins(f, &w, &c->bins);
        for (size_t r = 0; r < FL_LEN(RECIPES) && !st; r++)
            st = try_recipe(f, c, &RECIPES[r], &w, loss[r], temperature[r]);
        drop_rows(&w);
    }
    c->loss = INFINITY;
    for (size_t r = 0; r < FL_LEN(RECIPES); r++)
        for (uint32_t third = 0; third < THIRDS; third++) {
            if (loss[r][third] >= c->loss * parts) continue;
            c->loss = loss[r][third] / parts;
            c->chosen = RECIPES[r];
            c->chosen_rounds = f->rounds * (third + 1) / THIRDS;
            c->temperature = exp(temperature[r][third] / parts);
        }
    return st;
}

static void tell_class(fl_told *out, size_t i, const double *p, uint32_t k, float y)
{
    uint32_t truth = (uint32_t)y, before = 0, best = 0;
    for (uint32_t c = 0; c < k; c++) {
        if (p[c] > p[best]) best = c;
        before += p[c] > p[truth] || (p[c] == p[truth] && c < truth);
    }
    out->loss[i] = -log(fmax(p[truth], 1e-12));
    out->guess[i] = best;
    out->value[i] = best == truth;
    out->top3[i] = before < 3;
}

static void tell(const fitter *f, fl_told *out, size_t i, const fl_bins *b, const double *p)
{
    float y = f->j->y[i];
    if (f->t->answer == FL_TASK_CLASS) {
        tell_class(out, i, p, b->bins, y);
        return;
    }
    uint64_t key = fl_mix64(f->j->row[i] ^ fl_mix64((uint64_t)f->j->time_us[i] + 11));
    out->loss[i] = fl_dist_crps(b, p, y);
    out->value[i] = fl_dist_mean(b, p);
    out->median[i] = fl_dist_quantile(b, p, .5);
    out->low[i] = fl_dist_quantile(b, p, .1);
    out->high[i] = fl_dist_quantile(b, p, .9);
    out->pit[i] = fl_dist_pit(b, p, y, (double)(key >> 11) * 0x1p-53);
}

/* Fit on what `why` allows; tell what it says of the judged rows of a period, or of a fold. trivial: may be NULL. */
static florin_status fit_and_tell(fitter *f, candidate *c, purpose why, fl_told *out,
                                  fl_told *trivial)
{
    rows w;
    double p[FL_BINS_MAX];
    float margin[FL_BINS_MAX];
    florin_status st = take_rows(f, why, &w);
    if (!st) st = make_bins(f, &w, &c->bins);
    if (!st) st = grow(f, c, &w, &c->chosen, c->chosen_rounds);
    for (size_t i = 0; !st && i < f->j->n; i++) {
        size_t r = f->j->at[i];
        if (why.why == FOLD ? f->s->fold[r] != why.fold : f->j->part[i] + f->j->first != why.period)
            continue;
        fl_forest_margins(&c->forest, c->in.x + r * c->in.n, c->bins.bins, margin);
        fl_softmax(p, margin, c->bins.bins, c->temperature);
        tell(f, out, i, &c->bins, p);
        if (trivial) tell(f, trivial, i, &c->bins, c->bins.share);
    }
    drop_rows(&w);
    return st;
}

static florin_status run(fitter *f, candidate *c, bool fold_only, fl_told *out, fl_told *trivial)
{
    florin_status st = fl_fit_inputs_take(&c->in, f->s, f->t, f->m, fold_only, f->err);
    if (st) return st;
    if (!*f->t->folds) {
        st = choose(f, c);
        for (uint32_t p = 0; p < f->j->parts && !st; p++)
            st = fit_and_tell(f, c, (purpose){.why = JUDGING, .period = f->j->first + p}, out,
                              trivial);
        return st;
    }
    uint32_t folds = 0;
    for (size_t r = 0; r < f->s->rows; r++)
        if (f->s->fold[r] + 1 > folds) folds = f->s->fold[r] + 1;
    c->chosen = RECIPES[1]; /* one for all folds: chosen on them it would have seen every label */
    c->chosen_rounds = f->rounds;
    c->temperature = 1;
    for (uint32_t k = 0; k < folds && !st; k++)
        st = fit_and_tell(f, c, (purpose){.why = FOLD, .fold = k}, out, trivial);
    return st;
}

static void free_candidate(candidate *c)
{
    fl_fit_inputs_free(&c->in);
    fl_forest_free(&c->forest);
}

static const char *const KIND[] = {"binary", "number", "time", "class"};

static void describe(json_t *report, const fitter *f, const candidate *c)
{
    json_object_set_new(report, "kind", json_string(KIND[f->t->answer]));
    json_object_set_new(report, "horizon_days", json_real((double)f->t->horizon_us / FL_DAY_US));
    json_object_set_new(
        report, "train",
        json_pack("{s:I, s:I}", "rows", (json_int_t)f->s->train_seen, "used", (json_int_t)f->used));
    json_object_set_new(report, "chosen",
                        json_pack("{s:i, s:f, s:i, s:f, s:f}", "depth", (int)c->chosen.depth, "eta",
                                  c->chosen.eta, "rounds", (int)c->chosen_rounds, "temperature",
                                  c->temperature, "validation_loss",
                                  isfinite(c->loss) ? c->loss : 0));
}

florin_status fl_fit_dist(json_t *report, const fl_task *t, const fl_model *m, const fl_log *log,
                          const fl_sample *s, const fl_judged *j, const fl_fit_options *opt,
                          const florin_context *ctx, florin_error *err)
{
    fitter f = {.t = t,
                .m = m,
                .s = s,
                .j = j,
                .opt = opt,
                .ctx = ctx,
                .err = err,
                .rounds = opt->rounds && opt->rounds < ROUNDS ? opt->rounds : ROUNDS};
    bool net = fl_model_network(m) && strcmp(t->inputs, "fold") != 0;
    fl_told base = {0},
            told[3] = {{.name = "florin",
                        .label = !net                            ? "fold features"
                                 : strcmp(t->inputs, "sequence") ? "fold + surprise + embedding"
                                                                 : "surprise + embedding"},
                       {.name = "baseline", .label = "boosted trees on the fold"},
                       {.name = "trivial", .label = "the same for all: what was learnt from"}};
    candidate a = {0}, b = {0};
    florin_status st = fl_told_new(&told[0], j->n, err);
    if (!st) st = fl_told_new(&told[2], j->n, err);
    if (!st && net) st = fl_told_new(&base, j->n, err);
    if (!st) st = run(&f, &a, false, &told[0], &told[2]);
    if (!st && net) st = run(&f, &b, true, &base, NULL);
    /* Nothing but the fold: the baseline is ours. */
    fl_told_as(&told[1], net ? &base : &told[0]);
    if (!st) describe(report, &f, &a);
    if (!st)
        st = fl_dist_report(report, j, told, s, opt->draws ? opt->draws : 300, opt->seed + 1, ctx,
                            err);
    if (!st && opt->scores) st = fl_dist_scores(opt->scores, j, log, s, told, ctx, err);
    fl_told_free(&told[0]);
    fl_told_free(&base);
    fl_told_free(&told[2]);
    free_candidate(&a);
    free_candidate(&b);
    return st;
}
