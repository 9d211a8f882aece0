/* Draws of labelled examples and the arms on each. Invariant: the arms of a draw see the same examples, and both the same
 * unlabelled rows; no label of a judged row is read but to judge. */
#include "task/few.h"
#include "model/forecast.h"
#include "task/few_arm.h"
#include "task/fit.h"
#include "task/metrics.h"
#include "task/result.h"
#include <math.h>
#include <stdio.h>

enum { DRAWS = 20, REDRAWS = 2000, BOOTSTRAP = 2000, ARMS = 3, OURS = 0, BASELINE = 1, ADDED = 2 };

florin_status fl_few_sizes(fl_few_options *o, const char *text, florin_error *err)
{
    const char *p = text && *text ? text : "50,200,1000";
    for (o->sizes = 0;; p++) {
        char *end;
        unsigned long n = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 0;
        if (n < 4 || n > 1000000 || (*end && *end != ','))
            return fl_fail(err, FLORIN_EUSAGE,
                           "--few-labels %.40s: numbers of examples from 4 to 1000000, rising, as "
                           "in 50,200,1000",
                           text);
        if (o->sizes == FL_FEW_SIZES_MAX || (o->sizes && n <= o->size[o->sizes - 1]))
            return fl_fail(err, FLORIN_EUSAGE,
                           "--few-labels %.40s: at most %d numbers, each above the one before",
                           text, FL_FEW_SIZES_MAX);
        o->size[o->sizes++] = (uint32_t)n;
        p = end;
        if (!*p) return FLORIN_OK;
    }
}

typedef struct {
    const fl_task *t;
    const fl_few_options *opt;
    const florin_context *ctx;
    florin_error *err;
    fl_sample s;
    fl_fit_inputs fold;
    float *forecast; /* [rows][FL_FORECASTS]; forecasts: there are some */
    bool forecasts;
    fl_few_arm arm[ARMS];
    uint8_t *pool;  /* [rows] examples may be drawn from it */
    uint32_t folds; /* 0: by time */
    /* Of the draws to come: what may be drawn, [0, candidates) by rising sum of weights; what is judged. */
    size_t *candidate, candidates, *judged, rows;
    double *sum;      /* [candidates] */
    float *label, *y; /* [candidates], [rows] */
    uint32_t *part;   /* [rows] judged period */
    double *score;    /* [rows] */
} few;

/* Which judged period the examples are known for: its beginning. */
static uint32_t first_period(const few *f)
{
    return f->opt->validate_only && f->t->validates ? 0 : f->t->validates;
}

/* Row r when fold k is judged (by time: 0): may an example be it (1), is it judged (2), neither (0)? */
static int role_of(const few *f, size_t r, uint32_t k, float *y)
{
    const fl_sample *s = &f->s;
    const fl_task *t = f->t;
    bool apart = f->opt->validate_only && !t->validates,
         out = apart && fl_fit_holds_out(s->cluster[r], f->opt->seed);
    *y = s->truth[r];
    if (f->folds) {
        bool inside = s->fold[r] == k;
        return apart ? inside ? 0 : out ? 2 : 1 : inside ? 2 : 1;
    }
    uint32_t first = first_period(f), last = t->validates + (f->opt->validate_only ? 0 : t->tests);
    if (!apart && s->in[r] > first && s->in[r] <= last) return 2;
    if (!fl_sample_learns(s, t, r, first, y)) return 0;
    return out ? 2 : 1;
}

static florin_status take_roles(few *f, uint32_t k)
{
    double sum = 0;
    f->candidates = f->rows = 0;
    for (size_t r = 0; r < f->s.rows; r++) {
        float y;
        int role = role_of(f, r, k, &y);
        if (role == 2) {
            f->y[f->rows] = y > .5f;
            f->part[f->rows] = f->folds || !f->s.in[r] ? 0 : f->s.in[r] - 1u - first_period(f);
            f->judged[f->rows++] = r;
        } else if (role == 1) {
            sum += (double)f->s.weight[r];
            f->sum[f->candidates] = sum;
            f->label[f->candidates] = y > .5f;
            f->candidate[f->candidates++] = r;
        }
    }
    return f->rows && f->candidates
               ? FLORIN_OK
               : fl_fail(f->err, FLORIN_EINPUT, "task %s: no rows to %s with few labels",
                         f->t->name, f->rows ? "draw from" : "judge");
}

/* --- arms --- */

/* The network's forecasts for every row of a task at dates; it passes through the log once more. */
static florin_status take_forecasts(few *f, const fl_model *m, const fl_log *log)
{
    const fl_sample *s = &f->s;
    fl_encode *e = NULL;
    uint64_t row;
    fl_event event;
    const float *values;
    const fl_fold_carry *carry;
    f->forecast = fl_calloc(s->rows + 1, FL_FORECASTS * sizeof *f->forecast);
    florin_status st = f->forecast ? fl_encode_open(&e, m, log, f->err)
                                   : fl_fail(f->err, FLORIN_ENOMEM, "few labels");
    for (size_t r = 0; r < s->rows && !st; r++) {
        while (fl_encode_peek(e) < s->time_us[r] &&
               fl_encode_next(e, &row, &event, &values, &carry))
            continue;
        f->forecasts = fl_encode_forecast(e, f->t->kind, (uint32_t)s->row[r], s->time_us[r],
                                          f->forecast + r * FL_FORECASTS);
    }
    fl_encode_close(e);
    return st;
}

/* Which columns of the network's view come into a view. The state stays as it is, and the label's forecast leads beside it. */
enum { SAID = 1, STATE = 2, AGE = 4 };

/* Which forecast speaks of the label itself: the one whose horizon is nearest to the time that the label looks ahead. It is an
 * answer before any label is seen, so beside the state the fit begins with it: at LEAD times the others' scale. */
#define LEAD 8.0f
static uint32_t leading_forecast(const fl_task *t)
{
    double within = t->horizon_us > 0 ? (double)t->horizon_us / (double)FL_DAY_US : 30,
           least = INFINITY;
    uint32_t best = 0;
    for (uint32_t k = 0; k < FL_FORECASTS; k++) {
        double off = fabs(log(within / fl_forecast_days[k]));
        if (off < least) least = off, best = k;
    }
    return best;
}

/* Of the network: what it says (of an event its surprise and tails; at a date its forecasts), its state, and at a date the time
 * since the last event, without which a state can't be read. */
static size_t network_columns(const few *f, int parts, fl_view_column *out)
{
    const fl_sample *s = &f->s;
    uint32_t lead = leading_forecast(f->t);
    size_t n = 0;
    for (size_t c = 0; c < s->base; c++) {
        const char *name = s->name[c];
        bool state = !strncmp(name, "embedding:", 10);
        int part = state ? STATE : f->t->per_event ? SAID : c + 1 == s->base ? AGE : 0;
        if (!strncmp(name, "fold:", 5) || !(parts & part)) continue;
        out[n++] = (fl_view_column){s->x + c, s->width, state, 1};
    }
    for (uint32_t k = 0; f->forecasts && parts & SAID && k < FL_FORECASTS; k++)
        out[n++] = (fl_view_column){f->forecast + k, FL_FORECASTS, false,
                                    parts & STATE && k == lead ? LEAD : 1};
    return n;
}

static florin_status make_arms(few *f)
{
    static const struct {
        int arm;
        bool fold;
        int parts;
        const char *name;
    } view[] = {{OURS, false, SAID | AGE, "forecasts"},
                {OURS, false, SAID | AGE | STATE, "the label's forecast + state"},
                {BASELINE, true, 0, "logistic regression on the fold"},
                {ADDED, true, SAID, "fold + forecasts"},
                {ADDED, true, SAID | STATE, "fold + the label's forecast + state"}};
    const fl_sample *s = &f->s;
    fl_view_column *column = fl_alloc(2 * s->width + FL_FORECASTS, sizeof *column);
    florin_status st = column ? FLORIN_OK : fl_fail(f->err, FLORIN_ENOMEM, "few labels");
    for (size_t k = 0; k < FL_LEN(view) && !st; k++) {
        fl_few_arm *a = &f->arm[view[k].arm];
        size_t n = network_columns(f, view[k].parts, column);
        for (size_t i = 0; view[k].fold && i < f->fold.n; i++)
            column[n++] = (fl_view_column){s->x + f->fold.column[i], s->width, false, 1};
        st = fl_view_make(&a->view[a->views++], s->rows, column, n, f->pool, view[k].name, f->err);
    }
    f->arm[BASELINE].x = f->fold.x;
    f->arm[BASELINE].width = f->fold.n;
    free(column);
    return st;
}

/* --- draws --- */

/* n different candidates, each by its weight; false: one class only. */
static bool draw_rows(const few *f, fl_few_draw *d, fl_rng *rng, uint8_t *taken)
{
    size_t got = 0, positives = 0;
    memset(taken, 0, f->candidates);
    while (got < d->n) {
        double u = fl_rng_double(rng) * f->sum[f->candidates - 1];
        size_t lo = 0, hi = f->candidates - 1;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (f->sum[mid] <= u) lo = mid + 1;
            else hi = mid;
        }
        if (taken[lo]) continue;
        taken[lo] = 1;
        d->row[got] = f->candidate[lo];
        d->y[got++] = f->label[lo];
        positives += f->label[lo] > .5f;
    }
    return positives && positives < d->n;
}

/* Mean over the judged periods. */
static double auc_of(const few *f)
{
    double sum = 0, *score = fl_alloc(f->rows, sizeof *score);
    float *y = fl_alloc(f->rows, sizeof *y);
    uint32_t parts = 1, used = 0;
    for (size_t i = 0; i < f->rows; i++)
        if (f->part[i] + 1 > parts) parts = f->part[i] + 1;
    for (uint32_t p = 0; score && y && p < parts; p++) {
        size_t n = 0;
        for (size_t i = 0; i < f->rows; i++)
            if (f->part[i] == p) score[n] = f->score[i], y[n++] = f->y[i];
        size_t *order = fl_order_scores(score, n);
        const fl_scored q = {.n = n, .score = score, .y = y, .parts = 1};
        double auc = order ? fl_auc(&q, order, NULL) : NAN;
        if (isfinite(auc)) sum += auc, used++;
        free(order);
    }
    free(score);
    free(y);
    return used ? sum / used : NAN;
}

/* One draw through all arms. */
static florin_status run_draw(few *f, const fl_few_draw *d, double auc[ARMS], json_t **pair)
{
    static const char *const key[ARMS] = {"ours", "baseline", "added"};
    size_t positives = 0;
    florin_status st = FLORIN_OK;
    *pair = json_object();
    for (int a = 0; a < ARMS && !st; a++) {
        char choice[64] = "", name[32];
        st = fl_few_arm_run(f->score, &f->arm[a], d, f->judged, f->rows, choice, f->ctx, f->err);
        if (st) break;
        auc[a] = auc_of(f);
        if (!isfinite(auc[a]))
            st = fl_fail(f->err, FLORIN_EINPUT,
                         "task %s: the judged rows are of one class only: no AUC", f->t->name);
        snprintf(name, sizeof name, "%s_by", key[a]);
        json_object_set_new(*pair, key[a], json_real(auc[a]));
        json_object_set_new(*pair, name, json_string(choice));
    }
    for (size_t i = 0; i < d->n; i++) positives += d->y[i] > .5f;
    json_object_set_new(*pair, "positives", json_integer((json_int_t)positives));
    return st;
}

/* --- one size --- */

typedef struct {
    double (*auc)[ARMS];
    size_t n;
} drawn;

/* Means over draws: the arms, then ours - baseline, added - baseline. */
static void means(void *self, const double *weight, double *out)
{
    const drawn *d = self;
    double all = 0;
    memset(out, 0, 5 * sizeof *out);
    for (size_t i = 0; i < d->n; i++) {
        double w = weight ? weight[i] : 1;
        all += w;
        for (int a = 0; a < ARMS; a++) out[a] += w * d->auc[i][a];
    }
    for (int a = 0; a < ARMS; a++) out[a] /= all;
    out[3] = out[OURS] - out[BASELINE];
    out[4] = out[ADDED] - out[BASELINE];
}

static florin_status summary(few *f, uint32_t size, drawn *d, uint64_t redrawn, json_t *pairs,
                             json_t *list)
{
    fl_interval iv[5];
    uint64_t number[1024];
    for (size_t i = 0; i < d->n; i++) number[i] = i + 1;
    florin_status st = fl_bootstrap_figures(iv, 5, means, d, number, d->n, BOOTSTRAP,
                                            f->opt->seed + 1, f->ctx, f->err);
    if (st) return st;
    json_array_append_new(
        list, json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:O}", "n",
                        (json_int_t)size, "draws", (json_int_t)d->n, "redrawn", (json_int_t)redrawn,
                        "ours", iv[0].value, "baseline", iv[1].value, "difference", iv[3].value,
                        "low", iv[3].low, "high", iv[3].high, "added", iv[2].value,
                        "added_difference", fl_result_interval(&iv[4]), "pairs", pairs));
    return FLORIN_OK;
}

/* One draw of a size: examples of both classes, then the arms. */
static florin_status next_draw(few *f, fl_few_draw *d, uint32_t k, uint8_t *taken,
                               uint64_t *redrawn, double auc[ARMS], json_t *pairs)
{
    fl_rng rng;
    json_t *pair = NULL;
    florin_status st = f->folds || !k ? take_roles(f, f->folds ? k % f->folds : 0) : FLORIN_OK;
    if (st) return st;
    if (d->n > f->candidates)
        return fl_fail(f->err, FLORIN_EINPUT, "task %s: fold %u leaves %zu rows, %zu are wanted",
                       f->t->name, k % (f->folds ? f->folds : 1), f->candidates, d->n);
    d->seed = fl_mix64(f->opt->seed ^ fl_mix64(d->n * 1000003 + k));
    fl_rng_seed(&rng, d->seed);
    for (uint32_t tries = 0; !draw_rows(f, d, &rng, taken); tries++) {
        ++*redrawn;
        if (tries == REDRAWS)
            return fl_fail(f->err, FLORIN_EINPUT,
                           "task %s: %d draws of %zu examples had one class only: ask for more",
                           f->t->name, REDRAWS, d->n);
    }
    st = run_draw(f, d, auc, &pair);
    json_array_append_new(pairs, pair);
    return st;
}

static florin_status one_size(few *f, uint32_t size, json_t *list)
{
    uint32_t draws = f->opt->draws ? f->opt->draws : DRAWS;
    fl_few_draw d = {
        .n = size, .row = fl_alloc(size, sizeof *d.row), .y = fl_alloc(size, sizeof *d.y)};
    drawn got = {.auc = fl_alloc(draws, sizeof *got.auc)};
    uint8_t *taken = fl_alloc(f->s.rows + 1, 1);
    uint64_t redrawn = 0;
    json_t *pairs = json_array();
    florin_status st = d.row && d.y && got.auc && taken && pairs
                           ? FLORIN_OK
                           : fl_fail(f->err, FLORIN_ENOMEM, "few labels");
    for (; got.n < draws && !st; got.n++) {
        if (fl_cancelled(f->ctx)) st = fl_fail(f->err, FLORIN_ECANCELLED, "stopped");
        if (!st) st = next_draw(f, &d, (uint32_t)got.n, taken, &redrawn, got.auc[got.n], pairs);
        fl_progress(f->ctx, "few labels", got.n + 1, draws);
    }
    if (!st) st = summary(f, size, &got, redrawn, pairs, list);
    if (!st && redrawn)
        fl_say(f->ctx, FLORIN_LOG_INFO,
               "%u examples: %llu draws had one class only and were drawn again", size,
               (unsigned long long)redrawn);
    free(d.row);
    free(d.y);
    free(got.auc);
    free(taken);
    json_decref(pairs);
    return st;
}

/* --- the whole --- */

static florin_status check(const fl_task *t, const fl_model *m, const fl_few_options *opt,
                           florin_error *err)
{
    if (t->answer != FL_TASK_BINARY)
        return fl_fail(err, FLORIN_EUSAGE, "task %s: --few-labels is for a label that is yes or no",
                       t->name);
    if (!fl_model_network(m))
        return fl_fail(err, FLORIN_EUSAGE, "--few-labels needs a pretrained model: --model MODEL");
    if (opt->draws > 1000)
        return fl_fail(err, FLORIN_EUSAGE, "--draws %u: at most 1000 with --few-labels",
                       opt->draws);
    return FLORIN_OK;
}

static florin_status open_few(few *f, const fl_model *m, const fl_log *log)
{
    florin_status st = fl_sample_take(&f->s, f->t, m, log, f->opt->seed, f->ctx, f->err);
    if (!st) st = fl_fit_inputs_take(&f->fold, &f->s, f->t, m, true, f->err);
    size_t n = f->s.rows + 1;
    f->pool = fl_calloc(n, 1);
    f->candidate = fl_alloc(n, sizeof *f->candidate);
    f->judged = fl_alloc(n, sizeof *f->judged);
    f->sum = fl_alloc(n, sizeof *f->sum);
    f->label = fl_alloc(n, sizeof *f->label);
    f->y = fl_alloc(n, sizeof *f->y);
    f->part = fl_alloc(n, sizeof *f->part);
    f->score = fl_alloc(n, sizeof *f->score);
    if (!st && (!f->pool || !f->candidate || !f->judged || !f->sum || !f->label || !f->y ||
                !f->part || !f->score))
        st = fl_fail(f->err, FLORIN_ENOMEM, "few labels");
    for (size_t r = 0; *f->t->folds && r < f->s.rows && !st; r++)
        if (f->s.fold[r] + 1 > f->folds) f->folds = f->s.fold[r] + 1;
    /* With folds every row is an unlabelled one of the table, as for pretraining. */
    for (size_t r = 0; r < f->s.rows && !st; r++) {
        float y;
        f->pool[r] = f->folds || role_of(f, r, 0, &y) == 1;
    }
    if (!st) st = take_roles(f, 0);
    if (!st && !f->t->per_event) st = take_forecasts(f, m, log);
    return st ? st : make_arms(f);
}

static void close_few(few *f)
{
    for (int a = 0; a < ARMS; a++)
        for (uint32_t v = 0; v < FL_FEW_VIEWS; v++) fl_view_free(&f->arm[a].view[v]);
    fl_fit_inputs_free(&f->fold);
    free(f->forecast);
    free(f->pool);
    free(f->candidate);
    free(f->judged);
    free(f->sum);
    free(f->label);
    free(f->y);
    free(f->part);
    free(f->score);
    fl_sample_free(&f->s);
}

static json_t *head_of(const few *f, json_t *list, json_t *skipped)
{
    size_t positives = 0;
    char until[32];
    for (size_t i = 0; i < f->rows; i++) positives += f->y[i] > .5f;
    fl_time_format(f->t->period[first_period(f)].from_us, until);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:{s:I, s:I}, s:{s:i, s:i, s:i}, s:O, s:O}", "report",
        "few", "task", f->t->name, "data", f->t->data, "about", f->t->about, "part",
        f->opt->validate_only ? "validation" : "test", "labels_until", until, "candidates",
        (json_int_t)f->candidates, "test", "rows", (json_int_t)f->rows, "positives",
        (json_int_t)positives, "settings", "ours", (int)fl_few_arm_settings(&f->arm[OURS]),
        "baseline", (int)fl_few_arm_settings(&f->arm[BASELINE]), "added",
        (int)fl_few_arm_settings(&f->arm[ADDED]), "few", list, "skipped", skipped);
}

florin_status fl_few(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                     const fl_few_options *opt, const florin_context *ctx, florin_error *err)
{
    few f = {.t = t, .opt = opt, .ctx = ctx, .err = err};
    json_t *list = json_array(), *skipped = json_array();
    *json = NULL;
    florin_status st = check(t, m, opt, err);
    if (!st) st = fl_fit_refuse_leak(t, m, opt->validate_only && t->validates, err);
    if (!st && opt->validate_only && !t->validates)
        fl_say(ctx, FLORIN_LOG_INFO,
               "task %s has no `validate:` period: entities of the training dates are judged, of "
               "which the network knows what they did next; that flatters it",
               t->name);
    if (!st) st = open_few(&f, m, log);
    for (uint32_t k = 0; k < opt->sizes && !st; k++) {
        if (opt->size[k] <= f.candidates) st = one_size(&f, opt->size[k], list);
        else {
            json_array_append_new(skipped, json_integer(opt->size[k]));
            fl_say(ctx, FLORIN_LOG_INFO, "%u examples: skipped, there are %zu to draw from",
                   opt->size[k], f.candidates);
        }
    }
    if (!st && !json_array_size(list))
        st = fl_fail(err, FLORIN_EINPUT,
                     "task %s: %zu examples to draw from, fewer than the %u asked for", t->name,
                     f.candidates, opt->size[0]);
    if (!st) *json = head_of(&f, list, skipped);
    if (!st && !*json) st = fl_fail(err, FLORIN_ENOMEM, "few labels");
    json_decref(list);
    json_decref(skipped);
    close_few(&f);
    return st;
}
