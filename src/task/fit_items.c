/* A ranker of items. Invariant: what is learnt from for a judged period was known when it begins: the basket, or the whole
 * time looked ahead, lies before it. */
#include "task/fit_items.h"
#include "task/judge_items.h"
#include "task/trees.h"
#include <math.h>

static const fl_trees_recipe RECIPES[] = {{5, .06, 20}, {3, .1, 40}};
enum {
    ROUNDS = 180,
    THIRDS = 3,
    TRIED = 2 * THIRDS,
    ROWS_MOST = 1200000, /* pairs of an entity and a candidate that are learnt from */
    NEGATIVES = 40,      /* candidates kept of an entity that it did not take */
    CHOSEN_BY =
        3 /* without a validation period: the last dates of training, by a quarter of the entities */
};

typedef struct {
    const fl_task *t;
    const fl_log *log;
    const fl_fit_options *opt;
    const florin_context *ctx;
    florin_error *err;
    fl_baskets b;
    fl_came came;
    uint8_t *wanted; /* [items] is it in the target at hand? */
    uint32_t rounds;
    fl_trees_recipe chosen;
    uint32_t chosen_rounds;
    double validation;
    uint64_t moments, used; /* of the last fit */
    fl_forest forest;
    json_t *tried;
} fitter;

/* --- rows to learn from --- */

typedef struct {
    size_t n, cap[4];
    float *x, *y, *weight;
    size_t *pick;
} rows;

static void drop_rows(rows *w)
{
    free(w->x);
    free(w->y);
    free(w->weight);
    free(w->pick);
}

static florin_status add_row(fitter *f, rows *w, const float *x, float y, float weight)
{
    size_t n = w->n + 1;
    if (!fl_grow((void **)&w->x, &w->cap[0], n, FL_ITEM_INPUTS * sizeof *w->x) ||
        !fl_grow((void **)&w->y, &w->cap[1], n, sizeof *w->y) ||
        !fl_grow((void **)&w->weight, &w->cap[2], n, sizeof *w->weight) ||
        !fl_grow((void **)&w->pick, &w->cap[3], n, sizeof *w->pick))
        return fl_fail(f->err, FLORIN_ENOMEM, "%zu rows: shorten `train`", n);
    memcpy(w->x + w->n * FL_ITEM_INPUTS, x, FL_ITEM_INPUTS * sizeof *x);
    w->y[w->n] = y;
    w->weight[w->n] = weight;
    w->pick[w->n] = w->n;
    w->n++;
    return FLORIN_OK;
}

static uint64_t key_of(const fitter *f, uint32_t entity)
{
    return fl_mix64(fl_log_entity_hash(f->log, f->t->kind, entity) + f->opt->seed);
}

static bool held_out(const fitter *f, uint32_t entity)
{
    return fl_fit_holds_out(fl_log_entity_hash(f->log, f->t->kind, entity), f->opt->seed);
}

/* What the entity took and a share of what it did not. Heavy baskets weigh as light ones: recall is a mean over entities. */
static florin_status learn_entity(fitter *f, rows *w, fl_item_cut *cut, uint32_t entity, int64_t at)
{
    fl_item_list l;
    florin_status st = fl_item_cut_list(&l, cut, entity, f->err);
    double keep = l.n > NEGATIVES ? (double)NEGATIVES / l.n : 1;
    float scale = 1 / sqrtf((float)f->came.n);
    uint64_t key = key_of(f, entity) ^ fl_mix64((uint64_t)at);
    for (uint32_t i = 0; i < f->came.n; i++) f->wanted[f->came.item[i]] = 1;
    for (uint32_t i = 0; !st && i < l.n; i++) {
        bool y = f->wanted[l.item[i]];
        if (!y && (double)(fl_mix64(key ^ f->b.items.value[l.item[i]]) >> 11) * 0x1p-53 >= keep)
            continue;
        st =
            add_row(f, w, l.x + (size_t)i * FL_ITEM_INPUTS, y, scale * (y ? 1 : (float)(1 / keep)));
    }
    for (uint32_t i = 0; i < f->came.n; i++) f->wanted[f->came.item[i]] = 0;
    return st;
}

/* One date: of every entity that belongs, and whose answer was known at `known`. quarter: without the held-out one. share:
 * of the entities, so that the rows fit. */
static florin_status learn_date(fitter *f, rows *w, int64_t at, int64_t known, bool quarter,
                                double share)
{
    fl_item_cut *cut = NULL;
    florin_status st = fl_item_cut_new(&cut, &f->b, at, f->err);
    for (uint32_t e = 0; !st && e < f->b.entities; e++) {
        uint64_t key = fl_mix64(key_of(f, e) ^ fl_mix64((uint64_t)at + 3));
        if ((quarter && held_out(f, e)) || !fl_belongs(f->t, f->log, e, at)) continue;
        st = fl_baskets_after(&f->came, &f->b, f->t, e, at, f->err);
        if (st || f->came.known_us > known) continue;
        f->moments++;
        if ((double)(key >> 11) * 0x1p-53 < share) st = learn_entity(f, w, cut, e, at);
    }
    fl_item_cut_free(cut);
    if (!st && fl_cancelled(f->ctx))
        st = fl_fail(f->err, FLORIN_ECANCELLED, "stopped while fitting");
    return st;
}

/* The dates that may be learnt from when a period begins, the last first. Validation is, for the test. */
static uint32_t dates_of(const fitter *f, uint32_t period, int64_t out[FL_CUTS_MAX])
{
    const fl_task *t = f->t;
    int64_t end = fl_task_train_end(t, period), to = t->train.to_us < end ? t->train.to_us : end;
    uint32_t n = 0;
    for (uint32_t v = period < t->validates ? 0 : t->validates; v-- > 0;)
        for (int64_t d = t->period[v].from_us; d < t->period[v].to_us && n < FL_CUTS_MAX;
             d += t->step_us)
            if (d < end) out[n++] = d;
    if (to <= t->train.from_us) return n;
    int64_t last = t->train.from_us + (to - 1 - t->train.from_us) / t->step_us * t->step_us;
    for (int64_t d = last; d >= t->train.from_us && n < FL_CUTS_MAX; d -= t->step_us) out[n++] = d;
    return n;
}

static florin_status take_rows(fitter *f, rows *w, uint32_t period, bool quarter)
{
    int64_t at[FL_CUTS_MAX], known = f->t->period[period].from_us;
    uint32_t n = dates_of(f, period, at), counted = 0;
    double entities = 0;
    *w = (rows){0};
    f->moments = 0;
    for (uint32_t e = 0; e < f->b.entities; e++) entities += f->b.first[e + 1] > f->b.first[e];
    double most = entities * n * (NEGATIVES + 10), share = most > ROWS_MOST ? ROWS_MOST / most : 1;
    for (uint32_t d = 0; d < n; d++) {
        florin_status st = learn_date(f, w, at[d], known, quarter, share);
        if (st) return st;
        fl_progress(f->ctx, "learning from past dates", ++counted, n);
    }
    f->used = w->n;
    if (w->n >= 200) return FLORIN_OK;
    return fl_fail(f->err, FLORIN_EINPUT,
                   "task %s: %zu pairs of an entity and an item to learn from, 200 are needed: "
                   "begin `train` earlier",
                   f->t->name, w->n);
}

static florin_status grow(fitter *f, fl_forest *out, const rows *w, const fl_trees_recipe *r,
                          uint32_t rounds)
{
    fl_train_set set = {.x = w->x,
                        .n = w->n,
                        .width = FL_ITEM_INPUTS,
                        .pick = w->pick,
                        .y = w->y,
                        .weight = w->weight};
    fl_trees_options o = {.depth = r->depth,
                          .rounds = rounds,
                          .threads = fl_threads(f->ctx),
                          .eta = r->eta,
                          .subsample = .8,
                          .columns = .6,
                          .l2 = 5,
                          .min_child = r->min_child,
                          .seed = f->opt->seed};
    return fl_trees_fit(out, NULL, &set, &o, f->ctx, f->err);
}

/* --- judging --- */

static void rank_by(const fl_item_list *l, const double *score, uint32_t out[FL_ITEMS_TOP],
                    uint32_t *n)
{
    *n = fl_top_of(out, score, l->n, FL_ITEMS_TOP);
    for (uint32_t i = 0; i < *n; i++) out[i] = l->item[out[i]];
}

static void margins(const fl_forest *forest, const fl_item_list *l, double *out)
{
    for (uint32_t i = 0; i < l->n; i++)
        out[i] = (double)fl_forest_margin(forest, l->x + (size_t)i * FL_ITEM_INPUTS);
}

/* A date of choosing: adds every tried forest's recall of every entity to sum [TRIED]. */
static florin_status try_date(fitter *f, const fl_forest *tried, uint32_t n, int64_t at,
                              int64_t known, bool quarter, double *sum, double *count)
{
    fl_item_cut *cut = NULL;
    double *score = fl_alloc(f->b.items.n, sizeof *score);
    florin_status st = fl_item_cut_new(&cut, &f->b, at, f->err);
    if (!st && !score) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t e = 0; !st && e < f->b.entities; e++) {
        fl_item_list l;
        if ((quarter && !held_out(f, e)) || !fl_belongs(f->t, f->log, e, at)) continue;
        st = fl_baskets_after(&f->came, &f->b, f->t, e, at, f->err);
        if (st || f->came.known_us > known) continue;
        st = fl_item_cut_list(&l, cut, e, f->err);
        for (uint32_t k = 0; !st && k < n; k++) {
            uint32_t item[FL_ITEMS_TOP], found;
            float figure[FL_RANKED_FIGURES];
            margins(&tried[k], &l, score);
            rank_by(&l, score, item, &found);
            fl_rank_figures(figure, item, found, f->came.item, f->came.n);
            sum[k] += (double)figure[FL_RECALL];
        }
        *count += 1;
    }
    fl_item_cut_free(cut);
    free(score);
    return st;
}

/* The dates to choose by for validation period v, or with none the last of training. */
static florin_status try_all(fitter *f, const fl_forest *tried, uint32_t n, uint32_t v, double *sum,
                             double *count)
{
    const fl_task *t = f->t;
    int64_t at[FL_CUTS_MAX], known = t->period[t->validates].from_us;
    uint32_t dates = 0;
    florin_status st = FLORIN_OK;
    if (t->validates)
        for (int64_t d = t->period[v].from_us; d < t->period[v].to_us && dates < FL_CUTS_MAX;
             d += t->step_us)
            at[dates++] = d;
    else {
        dates = dates_of(f, 0, at);
        if (dates > CHOSEN_BY) dates = CHOSEN_BY;
    }
    for (uint32_t d = 0; d < dates && !st; d++)
        st = try_date(f, tried, n, at[d], known, !t->validates, sum, count);
    return st;
}

static florin_status choose(fitter *f)
{
    fl_forest tried[TRIED] = {0};
    fl_forest whole[FL_LEN(RECIPES)] = {0};
    double sum[TRIED] = {0}, count = 0;
    uint32_t parts = f->t->validates ? f->t->validates : 1;
    florin_status st = FLORIN_OK;
    for (uint32_t v = 0; v < parts && !st; v++) {
        rows w;
        st = take_rows(f, &w, v, !f->t->validates);
        for (uint32_t r = 0; r < FL_LEN(RECIPES) && !st; r++) {
            st = grow(f, &whole[r], &w, &RECIPES[r], f->rounds);
            for (uint32_t k = 0; k < THIRDS && !st; k++) {
                tried[r * THIRDS + k] = whole[r]; /* borrowed: cut, never freed */
                fl_forest_cut(&tried[r * THIRDS + k], f->rounds * (k + 1) / THIRDS);
            }
        }
        drop_rows(&w);
        if (!st) st = try_all(f, tried, TRIED, v, sum, &count);
        for (uint32_t r = 0; r < FL_LEN(RECIPES); r++) fl_forest_free(&whole[r]);
    }
    if (!st && count <= 0)
        return fl_fail(f->err, FLORIN_EINPUT,
                       "task %s: no entity to choose by: lengthen `train`, or give a `validate` "
                       "period",
                       f->t->name);
    f->validation = -1;
    for (uint32_t k = 0; !st && k < TRIED; k++) {
        json_array_append_new(f->tried, json_pack("{s:i, s:i, s:f, s:I}", "depth",
                                                  (int)RECIPES[k / THIRDS].depth, "rounds",
                                                  (int)(f->rounds * (k % THIRDS + 1) / THIRDS),
                                                  "validation_recall_at_10", sum[k] / count, "rows",
                                                  (json_int_t)count));
        if (sum[k] / count <= f->validation) continue;
        f->validation = sum[k] / count;
        f->chosen = RECIPES[k / THIRDS];
        f->chosen_rounds = f->rounds * (k % THIRDS + 1) / THIRDS;
    }
    return st;
}

static florin_status judge_entity(fitter *f, fl_ranked *out, fl_item_cut *cut, uint32_t entity,
                                  int64_t at, uint32_t part, double *score)
{
    fl_item_list l;
    florin_status st = fl_item_cut_list(&l, cut, entity, f->err);
    if (!st)
        st = fl_ranked_add(out, entity, fl_log_entity_hash(f->log, f->t->kind, entity), part, at,
                           f->came.n, f->err);
    if (st) return st;
    struct fl_ranked_row *row = &out->row[out->n - 1];
    margins(&f->forest, &l, score);
    const double *by[FL_RANKED] = {score, l.own, l.knn, l.global};
    for (int s = 0; s < FL_RANKED; s++) {
        uint32_t item[FL_ITEMS_TOP], n;
        rank_by(&l, by[s], item, &n);
        fl_rank_figures(row->figure[s], item, n, f->came.item, f->came.n);
        if (s) continue;
        memcpy(row->item, item, n * sizeof *item);
        row->items = n;
    }
    return FLORIN_OK;
}

static florin_status judge_date(fitter *f, fl_ranked *out, int64_t at, uint32_t part)
{
    fl_item_cut *cut = NULL;
    double *score = fl_alloc(f->b.items.n, sizeof *score);
    florin_status st = fl_item_cut_new(&cut, &f->b, at, f->err);
    if (!st && !score) st = fl_fail(f->err, FLORIN_ENOMEM, "fit");
    for (uint32_t e = 0; !st && e < f->b.entities; e++) {
        if (!fl_belongs(f->t, f->log, e, at)) continue;
        st = fl_baskets_after(&f->came, &f->b, f->t, e, at, f->err);
        if (!st && f->came.n) st = judge_entity(f, out, cut, e, at, part, score);
    }
    fl_item_cut_free(cut);
    free(score);
    return st;
}

static florin_status judge_period(fitter *f, fl_ranked *out, uint32_t period, uint32_t part)
{
    const fl_task *t = f->t;
    const fl_period *p = &t->period[period];
    rows w;
    florin_status st = take_rows(f, &w, period, false);
    fl_forest_free(&f->forest);
    if (!st) st = grow(f, &f->forest, &w, &f->chosen, f->chosen_rounds);
    drop_rows(&w);
    for (int64_t d = p->from_us; !st && d < p->to_us; d += t->step_us)
        st = judge_date(f, out, d, part);
    if (st || out->seen[part]) return st;
    char from[32];
    fl_time_format(p->from_us, from);
    return fl_fail(f->err, FLORIN_EINPUT,
                   "task %s: nobody who belongs has such an event after %s: check the dates "
                   "against the log's (florin describe)",
                   t->name, from);
}

/* --- the report --- */

/* Share of the gain is not kept by the forest: how often, weighted by rows, an input decides, is what its walk shows. */
static json_t *top_inputs(const fl_forest *forest)
{
    double uses[FL_ITEM_INPUTS] = {0}, all = 0;
    json_t *list = json_array();
    for (uint32_t i = 0; i < forest->nodes; i++)
        if (forest->node[i].feature != FL_LEAF) {
            const fl_node *n = &forest->node[i];
            double step = fabs((double)forest->node[n->left].mean - (double)n->mean) +
                          fabs((double)forest->node[n->right].mean - (double)n->mean);
            uses[n->feature] += step;
            all += step;
        }
    for (int k = 0; all > 0 && k < 12; k++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < FL_ITEM_INPUTS; i++)
            if (uses[i] > uses[best]) best = i;
        if (uses[best] <= 0) break;
        json_array_append_new(
            list, json_pack("{s:s, s:f}", "name", fl_item_input(best), "share", uses[best] / all));
        uses[best] = 0;
    }
    return list;
}

static json_t *test_json(const fitter *f, const fl_ranked *r, uint32_t first, uint32_t parts)
{
    char from[32], to[32], begin[32];
    json_t *list = json_array();
    fl_map64 entities = {0};
    bool ok = fl_map64_init(&entities, 1024);
    for (size_t i = 0; ok && i < r->n; i++)
        ok = fl_map64_insert(&entities, fl_mix64(r->cluster[i]) | 1, NULL) != NULL;
    json_int_t drawn = ok ? (json_int_t)entities.count : 0;
    fl_map64_free(&entities);
    for (uint32_t p = 0; p < parts; p++) {
        const fl_period *d = &f->t->period[first + p];
        fl_time_format(d->from_us, from);
        fl_time_format(d->to_us == d->from_us + 1 ? d->from_us : d->to_us, to);
        if (!p) memcpy(begin, from, sizeof begin);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "from", from, "to", to, "rows",
                                              (json_int_t)r->seen[p]));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:o}", "from", begin, "to", to, "rows", (json_int_t)r->n,
                     "entities", drawn, "periods", list);
}

static florin_status report(fitter *f, const fl_ranked *r, uint32_t first, uint32_t parts,
                            json_t **out)
{
    static const char *const label[FL_RANKED] = {
        "boosted trees over candidates: own past, popularity, alike entities, last basket",
        "own frequency, ties and gaps filled by global popularity", "user kNN (100)",
        "global popularity"};
    const fl_task *t = f->t;
    json_t *j = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:f, s:o, s:{s:I, s:I}, s:{s:i, s:f, s:i, s:f}}",
        "report", "eval", "task", t->name, "data", t->data, "about", t->about, "kind", "items",
        "part", first < t->validates ? "validation" : "test", "per_event", 0, "horizon_days",
        (double)t->horizon_us / FL_DAY_US, "test", test_json(f, r, first, parts), "train", "rows",
        (json_int_t)f->moments, "used", (json_int_t)f->used, "chosen", "depth",
        (int)f->chosen.depth, "eta", f->chosen.eta, "rounds", (int)f->chosen_rounds,
        "validation_recall_at_10", f->validation);
    if (!j) return fl_fail(f->err, FLORIN_ENOMEM, "report");
    json_object_set_new(j, "items", json_integer(f->b.items.n));
    json_object_set(j, "tried", f->tried);
    florin_status st = fl_ranked_report(j, r, parts, label, f->opt->draws ? f->opt->draws : 300,
                                        f->opt->seed + 1, f->ctx, f->err);
    if (!st)
        json_object_set_new(json_array_get(json_object_get(j, "systems"), 0), "features",
                            top_inputs(&f->forest));
    *out = j;
    return st;
}

florin_status fl_fit_items(json_t **json, const fl_task *t, const fl_log *log,
                           const fl_fit_options *opt, const florin_context *ctx, florin_error *err)
{
    fitter f = {.t = t,
                .log = log,
                .opt = opt,
                .ctx = ctx,
                .err = err,
                .tried = json_array(),
                .rounds = opt->rounds && opt->rounds < ROUNDS ? opt->rounds : ROUNDS};
    uint32_t first = opt->validate_only ? 0 : t->validates,
             parts = opt->validate_only ? t->validates : t->tests;
    fl_ranked r = {0};
    florin_status st = FLORIN_OK;
    if (f.rounds < THIRDS) f.rounds = THIRDS;
    if (opt->auto_minutes > 0)
        st = fl_fail(err, FLORIN_EUSAGE,
                     "task %s: --auto chooses on validation data, for a label that is yes or no",
                     t->name);
    const fl_period *end = &t->period[t->validates + t->tests - 1];
    int64_t last = end->from_us + (end->to_us - 1 - end->from_us) / t->step_us * t->step_us;
    if (!st) st = fl_horizon_check(t, log, last, err);
    if (!st) st = fl_baskets_read(&f.b, t, log, err);
    if (!st && !(f.wanted = fl_calloc(f.b.items.n, 1))) st = fl_fail(err, FLORIN_ENOMEM, "fit");
    if (!st) st = choose(&f);
    for (uint32_t p = 0; p < parts && !st; p++) st = judge_period(&f, &r, first + p, p);
    if (!st) st = report(&f, &r, first, parts, json);
    if (!st && opt->scores) st = fl_ranked_scores(opt->scores, &r, &f.b, t, log, ctx, err);
    fl_baskets_free(&f.b);
    fl_ranked_free(&r);
    fl_forest_free(&f.forest);
    free(f.came.item);
    free(f.wanted);
    json_decref(f.tried);
    return st;
}
