/* Fitting and judging. Invariant: nothing is chosen, calibrated or fitted on a row of the test; labels are used as they
 * were known when validation began (for choosing) and when the test began (for the final fit). */
#include "task/fit.h"
#include "data/duck.h"
#include "task/result.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    uint32_t depth;
    double eta, min_child;
} recipe;

/* The search, the same for ours and for the baseline. */
static const recipe RECIPES[] = {{6, .05, 5}, {4, .06, 5}, {3, .05, 20}};

typedef struct {
    const fl_task *t;
    const fl_model *m;
    const fl_log *log;
    const fl_fit_options *opt;
    const florin_context *ctx;
    florin_error *err;
    fl_sample s;
    uint32_t rounds;
} fitter;

/* One candidate: inputs and how they are joined. */
typedef struct {
    const char *name, *label;
    bool trees, probe;
    size_t *column;
    size_t inputs;
    float *x; /* [rows][inputs] */
    fl_parts parts;
    recipe chosen;
    uint32_t chosen_rounds;
    double figure; /* average precision on validation */
} candidate;

static bool is_fold(const fl_sample *s, const fl_task *t, const fl_model *m, size_t c)
{
    if (t->per_event) return !strncmp(s->name[c], "fold:", 5);
    return c < fl_fold_read_features(fl_model_plan(m), t->kind) || c + 1 == s->width;
}

static florin_status pick_columns(fitter *f, candidate *c, bool fold_only)
{
    c->column = fl_alloc(f->s.width, sizeof *c->column);
    if (!c->column) return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (size_t i = 0; i < f->s.width && c->inputs < FL_HEAD_INPUTS_MAX; i++)
        if (!fold_only || is_fold(&f->s, f->t, f->m, i)) c->column[c->inputs++] = i;
    c->x = fl_alloc(f->s.rows ? f->s.rows : 1, c->inputs * sizeof *c->x);
    if (!c->x)
        return fl_fail(f->err, FLORIN_ENOMEM, "%zu rows of %zu inputs: set `negatives` lower",
                       f->s.rows, c->inputs);
    for (size_t r = 0; r < f->s.rows; r++)
        for (size_t i = 0; i < c->inputs; i++)
            c->x[r * c->inputs + i] = f->s.x[r * f->s.width + c->column[i]];
    return FLORIN_OK;
}

/* Which rows are held out for choosing and calibrating: the validation period, or without one a quarter of the
 * entities of the training rows. */
static bool held_out(const fitter *f, size_t r)
{
    if (f->t->has_validate) return f->s.part[r] == FL_PART_VALIDATE;
    return f->s.part[r] == FL_PART_TRAIN && fl_mix64(f->s.cluster[r] + f->opt->seed) % 4 == 0;
}

typedef struct {
    fl_train_set set;
    size_t *pick;
    float *y, *weight;
} training;

typedef bool (*chooser)(const fitter *f, size_t row, uint32_t fold, float *y);

static bool for_choosing(const fitter *f, size_t r, uint32_t fold, float *y)
{
    (void)fold;
    *y = f->s.early[r];
    return f->s.part[r] == FL_PART_TRAIN && !held_out(f, r) && *y >= 0;
}

static bool for_final(const fitter *f, size_t r, uint32_t fold, float *y)
{
    (void)fold;
    *y = f->s.known[r];
    return f->s.part[r] != FL_PART_TEST && *y >= 0;
}

static bool outside_fold(const fitter *f, size_t r, uint32_t fold, float *y)
{
    *y = f->s.known[r];
    return f->s.fold[r] != fold;
}

static bool any_row(const fitter *f, size_t r, uint32_t fold, float *y)
{
    (void)fold;
    *y = f->s.known[r];
    return true;
}

static florin_status take_rows(training *t, const fitter *f, const candidate *c, chooser want,
                               uint32_t fold)
{
    memset(t, 0, sizeof *t);
    t->pick = fl_alloc(f->s.rows, sizeof *t->pick);
    t->y = fl_alloc(f->s.rows, sizeof *t->y);
    t->weight = fl_alloc(f->s.rows, sizeof *t->weight);
    if (!t->pick || !t->y || !t->weight) return fl_fail(f->err, FLORIN_ENOMEM, "fit");
    size_t n = 0, positives = 0;
    for (size_t r = 0; r < f->s.rows; r++) {
        float y;
        if (!want(f, r, fold, &y)) continue;
        t->pick[n] = r;
        t->y[n] = y > .5f;
        positives += y > .5f;
        t->weight[n++] = f->s.weight[r];
    }
    t->set = (fl_train_set){
        .x = c->x, .n = n, .width = c->inputs, .pick = t->pick, .y = t->y, .weight = t->weight};
    if (positives && positives < n) return FLORIN_OK;
    return fl_fail(f->err, FLORIN_EINPUT,
                   "task %s: %zu rows to learn from, %zu of them positive: both kinds are needed; "
                   "lengthen `train`",
                   f->t->name, n, positives);
}

static void drop_rows(training *t)
{
    free(t->pick);
    free(t->y);
    free(t->weight);
}

static florin_status fit_parts(const fitter *f, candidate *c, const training *t, const recipe *r,
                               uint32_t rounds)
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
    florin_status st = FLORIN_OK;
    fl_forest_free(&c->parts.forest);
    fl_logit_free(&c->parts.probe);
    free(c->parts.json);
    c->parts.json = NULL;
    if (c->trees) st = fl_trees_fit(&c->parts.forest, &c->parts.json, &t->set, &o, f->ctx, f->err);
    if (!st && c->probe) st = fl_logit_fit(&c->parts.probe, &t->set, 10, f->ctx, f->err);
    c->parts.trees_weight = !c->trees ? 0 : c->probe ? .5f : 1;
    c->parts.probe_weight = !c->probe ? 0 : c->trees ? .5f : 1;
    return st;
}

static double margin(const candidate *c, size_t row)
{
    return (double)fl_parts_logit(&c->parts, c->x + row * c->inputs);
}

static double weighted_ap(const fitter *f, const double *score, const size_t *row, size_t n)
{
    float *y = fl_alloc(n ? n : 1, sizeof *y);
    double *w = fl_alloc(n ? n : 1, sizeof *w), ap = 0;
    size_t *order = fl_order_scores(score, n);
    for (size_t i = 0; y && w && i < n; i++) {
        y[i] = f->s.known[row[i]] > .5f;
        w[i] = (double)f->s.weight[row[i]];
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
        if (f->s.part[r] != FL_PART_TEST && f->s.known[r] > .5f && f->s.amount[r] > 0)
            sum += f->s.amount[r], n++;
    if (miss <= 0) miss = n > 0 ? sum / n : 0;
    if (miss <= 0) return .5;
    return fmin(fmax(f->t->cost_alert / miss, .01), .9);
}

/* Calibrate on the held-out rows with the parts fitted without them. */
static florin_status calibrate(const fitter *f, candidate *c, const double *m, const size_t *row,
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
        y[i] = f->s.known[row[i]] > .5f;
        w[i] = f->s.weight[row[i]];
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

static florin_status choose(fitter *f, candidate *c)
{
    training t = {0};
    size_t n = 0, *row = fl_alloc(f->s.rows ? f->s.rows : 1, sizeof *row);
    double *m = fl_alloc(f->s.rows ? f->s.rows : 1, sizeof *m),
           *best = fl_alloc(f->s.rows ? f->s.rows : 1, sizeof *best);
    florin_status st = row && m && best ? take_rows(&t, f, c, for_choosing, 0)
                                        : fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (size_t r = 0; !st && r < f->s.rows; r++)
        if (held_out(f, r) && f->s.known[r] >= 0) row[n++] = r;
    c->figure = -1;
    for (size_t k = 0; !st && k < (c->trees ? FL_LEN(RECIPES) : 1); k++) {
        st = fit_parts(f, c, &t, &RECIPES[k], f->rounds);
        fl_forest whole = c->parts.forest;
        for (uint32_t part = 1; !st && part <= (c->trees ? 3u : 1u); part++) {
            uint32_t rounds = c->trees ? f->rounds * part / 3 : 0;
            c->parts.forest = whole;
            if (c->trees) fl_forest_cut(&c->parts.forest, rounds);
            for (size_t i = 0; i < n; i++) m[i] = margin(c, row[i]);
            double ap = weighted_ap(f, m, row, n);
            if (ap <= c->figure) continue;
            c->figure = ap;
            c->chosen = RECIPES[k];
            c->chosen_rounds = rounds;
            memcpy(best, m, n * sizeof *m);
        }
        c->parts.forest = whole;
    }
    if (!st) st = calibrate(f, c, best, row, n);
    drop_rows(&t);
    free(row);
    free(m);
    free(best);
    return st;
}

/* Scores of the judged rows; with folds each row by the parts that did not see its fold. */
static florin_status judge(fitter *f, candidate *c, int part, double *score, size_t n)
{
    size_t k = 0;
    for (size_t r = 0; r < f->s.rows && k < n; r++)
        if (f->s.part[r] == part) score[k++] = margin(c, r);
    return FLORIN_OK;
}

static florin_status by_folds(fitter *f, candidate *c, double *score)
{
    uint32_t folds = 0;
    for (size_t r = 0; r < f->s.rows; r++)
        if (f->s.fold[r] + 1 > folds) folds = f->s.fold[r] + 1;
    c->chosen = RECIPES[2];
    c->chosen_rounds = f->rounds * 2 / 3;
    florin_status st = FLORIN_OK;
    for (uint32_t k = 0; k < folds && !st; k++) {
        training t;
        st = take_rows(&t, f, c, outside_fold, k);
        if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds);
        for (size_t r = 0; !st && r < f->s.rows; r++)
            if (f->s.fold[r] == k) score[r] = margin(c, r);
        drop_rows(&t);
    }
    size_t *row = fl_alloc(f->s.rows ? f->s.rows : 1, sizeof *row);
    for (size_t r = 0; row && r < f->s.rows; r++) row[r] = r;
    if (!st)
        st = row ? calibrate(f, c, score, row, f->s.rows) : fl_fail(f->err, FLORIN_ENOMEM, "fit");
    free(row);
    training t = {0};
    if (!st) st = take_rows(&t, f, c, any_row, 0);
    if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds);
    drop_rows(&t);
    return st;
}

static florin_status fit_candidate(fitter *f, candidate *c, bool fold_only, double *score, size_t n,
                                   int part)
{
    florin_status st = pick_columns(f, c, fold_only);
    if (st) return st;
    if (*f->t->folds) return by_folds(f, c, score);
    st = choose(f, c);
    if (st) return st;
    training t = {0};
    bool final = !f->opt->validate_only;
    st = take_rows(&t, f, c, final ? for_final : for_choosing, 0);
    if (!st) st = fit_parts(f, c, &t, &c->chosen, c->chosen_rounds ? c->chosen_rounds : 1);
    drop_rows(&t);
    return st ? st : judge(f, c, part, score, n);
}

static void free_candidate(candidate *c)
{
    fl_parts_free(&c->parts);
    free(c->column);
    free(c->x);
}

static florin_status name_head(fitter *f, candidate *c)
{
    fl_parts *p = &c->parts;
    snprintf(p->name, sizeof p->name, "%s", f->t->name);
    p->per_event = f->t->per_event;
    p->kind = f->t->kind;
    p->until_us = fl_task_first_test(f->t);
    p->column = fl_alloc(c->inputs, sizeof *p->column);
    p->input = fl_calloc(c->inputs, sizeof *p->input);
    if (!p->column || !p->input) return fl_fail(f->err, FLORIN_ENOMEM, "head");
    for (size_t i = 0; i < c->inputs; i++) {
        p->column[i] = (uint32_t)c->column[i];
        p->input[i] = fl_strdup(f->s.name[c->column[i]]);
        if (!p->input[i]) return fl_fail(f->err, FLORIN_ENOMEM, "head");
    }
    p->inputs = (uint32_t)c->inputs;
    p->about =
        json_pack("{s:s, s:i, s:f, s:i, s:f}", "head", f->t->head, "depth", (int)c->chosen.depth,
                  "eta", c->chosen.eta, "trees", (int)c->parts.forest.trees, "validation_ap",
                  c->figure < 0 ? 0 : c->figure);
    return FLORIN_OK;
}

/* Share of the absolute attribution over the judged rows, by input: the head's top features. */
static json_t *top_features(const fitter *f, const candidate *c, int part)
{
    double *sum = fl_calloc(c->inputs, sizeof *sum), all = 0;
    float *one = fl_calloc(c->inputs, sizeof *one), bias;
    json_t *list = json_array();
    size_t step = f->s.rows / 2000 + 1;
    for (size_t r = 0; sum && one && c->trees && r < f->s.rows; r += step) {
        if (f->s.part[r] != part) continue;
        memset(one, 0, c->inputs * sizeof *one);
        bias = 0;
        fl_forest_attribute(&c->parts.forest, c->x + r * c->inputs, 1, one, &bias);
        for (size_t i = 0; i < c->inputs; i++) sum[i] += fabs((double)one[i]);
    }
    for (size_t i = 0; sum && i < c->inputs; i++) all += sum[i];
    for (int k = 0; sum && all > 0 && k < 20; k++) {
        size_t best = 0;
        for (size_t i = 1; i < c->inputs; i++)
            if (sum[i] > sum[best]) best = i;
        if (sum[best] <= 0) break;
        const char *name = f->s.name[c->column[best]], *meaning = "";
        if (!strncmp(name, "fold:", 5) && f->t->per_event)
            meaning = fl_fold_feature_at(fl_model_plan(f->m), (uint32_t)c->column[best])->meaning;
        json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "name", name, "meaning", meaning,
                                              "share", sum[best] / all));
        sum[best] = 0;
    }
    free(sum);
    free(one);
    return list;
}

static florin_status write_scores(const fitter *f, const fl_judged *j, const double *ours,
                                  const double *base)
{
    static const fl_table_column col[] = {{"id", FL_DUCK_TEXT},
                                          {"y", FL_DUCK_FLOAT},
                                          {"score", FL_DUCK_DOUBLE},
                                          {"baseline", FL_DUCK_DOUBLE},
                                          {"time", FL_DUCK_TIME_US}};
    fl_table_writer *w = NULL;
    fl_arena *arena = fl_arena_new(1 << 20);
    const char **id = fl_calloc(j->n ? j->n : 1, sizeof *id);
    florin_status st = arena && id
                           ? fl_table_open(&w, f->opt->scores, col, FL_LEN(col), f->ctx, f->err)
                           : fl_fail(f->err, FLORIN_ENOMEM, "scores");
    for (size_t i = 0; i < j->n && !st; i++) {
        size_t len = 0;
        const char *text = f->t->per_event
                               ? fl_log_event_id(f->log, j->row[i], &len)
                               : fl_log_entity_name(f->log, f->t->kind, (uint32_t)j->row[i], &len);
        char *copy = fl_arena_alloc(arena, len + 24);
        if (!copy) st = fl_fail(f->err, FLORIN_ENOMEM, "scores");
        else if (text) snprintf(copy, len + 1, "%.*s", (int)len, text);
        else snprintf(copy, 24, "%016llx", (unsigned long long)j->cluster[i]);
        id[i] = copy;
    }
    const void *data[] = {id, j->y, ours, base, j->time_us};
    if (!st) st = fl_table_add(w, data, j->n, f->err);
    if (!st) st = fl_table_commit(w, f->err);
    else fl_table_abort(w);
    free(id);
    fl_arena_free(arena);
    return st;
}

static florin_status report(fitter *f, candidate *a, candidate *b, const fl_judged *j,
                            const double *ours, const double *base, int part, json_t **out)
{
    fl_interval iv[6];
    fl_scored s = {.n = j->n, .score = ours, .y = j->y, .cluster = j->cluster, .parts = 1};
    florin_status st = fl_bootstrap(iv, &s, base, f->opt->draws ? f->opt->draws : 300,
                                    f->opt->seed + 1, f->ctx, f->err);
    double *p = fl_alloc(j->n ? j->n : 1, sizeof *p), *q = fl_alloc(j->n ? j->n : 1, sizeof *q);
    uint8_t *level = fl_calloc(j->n ? j->n : 1, 1);
    if (!st && (!p || !q || !level)) st = fl_fail(f->err, FLORIN_ENOMEM, "report");
    for (size_t i = 0; !st && i < j->n; i++) {
        fl_head_out o, o2;
        fl_parts_out(&a->parts, (float)ours[i], &o);
        fl_parts_out(&b->parts, (float)base[i], &o2);
        p[i] = (double)o.probability;
        q[i] = (double)o2.probability;
        level[i] = o.score;
    }
    json_t *x = st ? NULL
                   : fl_result_system(a->name, a->label, j, ours, p, level, &iv[0], &iv[1],
                                      (double)a->parts.threshold, f->err);
    json_t *y = st ? NULL
                   : fl_result_system(b->name, b->label, j, base, q, NULL, &iv[2], &iv[3],
                                      (double)b->parts.threshold, f->err);
    if (!st && (!x || !y)) st = FLORIN_ENOMEM;
    free(p);
    free(q);
    free(level);
    if (st) {
        json_decref(x);
        json_decref(y);
        return st;
    }
    json_object_set_new(x, "features", top_features(f, a, part));
    char from[32], to[32];
    const fl_period *period = part == FL_PART_VALIDATE ? &f->t->validate : &f->t->test;
    fl_time_format(period->from_us, from);
    fl_time_format(period->to_us, to);
    *out = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:I, s:I}, s:{s:I, s:I}, s:[o, o], s:[o, o]}",
                     "report", "eval", "task", f->t->name, "data", f->t->data, "test", "from", from,
                     "to", to, "rows", (json_int_t)f->s.seen[part], "positives",
                     (json_int_t)f->s.positives[part], "train", "rows",
                     (json_int_t)f->s.seen[FL_PART_TRAIN], "positives",
                     (json_int_t)f->s.positives[FL_PART_TRAIN], "systems", x, y, "differences",
                     fl_result_difference(a->name, b->name, "auc", &iv[4]),
                     fl_result_difference(a->name, b->name, "ap", &iv[5]));
    json_object_set_new(*out, "part",
                        json_string(part == FL_PART_VALIDATE ? "validation" : "test"));
    return *out ? FLORIN_OK : fl_fail(f->err, FLORIN_ENOMEM, "report");
}

florin_status fl_fit_refuse_leak(const fl_task *t, const fl_model *m, florin_error *err)
{
    int64_t until = fl_model_until(m), first = fl_task_first_test(t);
    if (until <= first) return FLORIN_OK;
    char a[32], b[32];
    fl_time_format(until, a);
    fl_time_format(first, b);
    return fl_fail(err, FLORIN_ELEAK,
                   "the model was trained on events until %s, and task %s is judged from %s on: "
                   "pretrain with --until %s or earlier",
                   a, t->name, b, b);
}

florin_status fl_fit(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                     const fl_fit_options *opt, const florin_context *ctx, florin_error *err)
{
    *json = NULL;
    fitter f = {.t = t,
                .m = m,
                .log = log,
                .opt = opt,
                .ctx = ctx,
                .err = err,
                .rounds = opt->rounds ? opt->rounds : 300};
    bool net = fl_model_network(m) != NULL, trees = strcmp(t->head, "probe") != 0,
         probe = strcmp(t->head, "trees") != 0;
    candidate a = {.name = "florin",
                   .label = net ? "fold + surprise + embedding" : "fold features",
                   .trees = trees,
                   .probe = probe};
    candidate b = {.name = "baseline",
                   .label = net     ? "boosted trees on the fold"
                            : probe ? "boosted trees on the fold"
                                    : "logistic probe on the fold",
                   .trees = net || probe,
                   .probe = !net && !probe};
    fl_judged j = {0};
    double *ours = NULL, *base = NULL;
    florin_status st = fl_fit_refuse_leak(t, m, err);
    if (!st && opt->validate_only && !t->has_validate)
        st = fl_fail(err, FLORIN_EUSAGE, "task %s has no `validate:` period", t->name);
    int part = opt->validate_only ? FL_PART_VALIDATE : FL_PART_TEST;
    if (!st) st = fl_sample_take(&f.s, t, m, log, opt->seed, ctx, err);
    if (!st) st = fl_judged_take(&j, &f.s, part, t, err);
    ours = fl_calloc(j.n ? j.n : 1, sizeof *ours);
    base = fl_calloc(j.n ? j.n : 1, sizeof *base);
    if (!st && (!ours || !base)) st = fl_fail(err, FLORIN_ENOMEM, "fit");
    if (!st) st = fit_candidate(&f, &a, false, ours, j.n, part);
    if (!st) st = fit_candidate(&f, &b, true, base, j.n, part);
    if (!st) st = report(&f, &a, &b, &j, ours, base, part, json);
    if (!st && opt->scores) st = write_scores(&f, &j, ours, base);
    if (!st) st = name_head(&f, &a);
    if (!st && opt->out) st = fl_parts_save(opt->out, m, &a.parts, err);
    free_candidate(&a);
    free_candidate(&b);
    fl_judged_free(&j);
    fl_sample_free(&f.s);
    free(ours);
    free(base);
    return st;
}
