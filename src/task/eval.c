/* Judging a head that the model already has: the test rows of its task, no fitting. */
#include "task/eval.h"
#include "task/slices.h"

/* The head's own fit ended where the model's labels did: a test that begins earlier has been learnt from. */
static florin_status refuse_late_head(const fl_task *t, const fl_head *h, florin_error *err)
{
    int64_t until = fl_head_until(h), first = fl_task_first_test(t);
    char a[32], b[32];
    if (until <= first) return FLORIN_OK;
    fl_time_format(until, a);
    fl_time_format(first, b);
    return fl_fail(
        err, FLORIN_ELEAK,
        "the head %s was fitted on what was known at %s, and the test begins at %s: judge "
        "it on a later test, or fit again",
        fl_head_name(h), a, b);
}

typedef struct {
    double *score, *p;
    uint8_t *level;
} scored;

static florin_status score_rows(scored *out, const fl_sample *s, const fl_judged *j,
                                const fl_head *h, florin_error *err)
{
    size_t n = j->n ? j->n : 1;
    *out = (scored){fl_calloc(n, sizeof(double)), fl_calloc(n, sizeof(double)), fl_calloc(n, 1)};
    if (!out->score || !out->p || !out->level) return fl_fail(err, FLORIN_ENOMEM, "eval");
    for (size_t i = 0; i < j->n; i++) {
        fl_head_out o;
        fl_head_score(h, s->x + j->at[i] * s->width, &o);
        out->score[i] = (double)o.logit;
        out->p[i] = (double)o.probability;
        out->level[i] = o.score;
    }
    return FLORIN_OK;
}

static florin_status report(json_t **json, const fl_sample *s, const fl_judged *j,
                            const fl_log *log, const fl_system *sys, const fl_eval_options *opt,
                            const florin_context *ctx, florin_error *err)
{
    fl_interval iv[6];
    fl_scored rows = fl_judged_rows(j, sys->score);
    florin_status st =
        fl_bootstrap(iv, &rows, NULL, opt->draws ? opt->draws : 300, opt->seed + 1, ctx, err);
    if (st) return st;
    json_t *x = fl_result_system(sys, j, iv, err);
    if (!x) return FLORIN_ENOMEM;
    *json = fl_result_head(s, j);
    if (!*json) {
        json_decref(x);
        return fl_fail(err, FLORIN_ENOMEM, "eval");
    }
    json_object_set_new(*json, "systems", json_pack("[o]", x));
    json_t *slices = NULL;
    st = fl_slices(&slices, j, sys->score, log, opt->draws ? opt->draws : 200, opt->seed + 2, ctx,
                   err);
    if (st) return st;
    json_object_set_new(*json, "slices", slices);
    return opt->scores ? fl_result_scores(opt->scores, j, log, sys, NULL, ctx, err) : FLORIN_OK;
}

florin_status fl_eval(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                      const fl_eval_options *opt, const florin_context *ctx, florin_error *err)
{
    fl_sample s = {0};
    fl_judged j = {0};
    fl_head *h = NULL;
    scored k = {0};
    uint32_t at;
    *json = NULL;
    florin_status st = fl_fit_refuse_leak(t, m, false, err);
    if (!st) st = fl_head_find(&at, m, t->name, err);
    if (!st) st = fl_head_open(&h, m, at, err);
    if (!st) st = refuse_late_head(t, h, err);
    if (!st && fl_head_per_event(h) != t->per_event)
        st = fl_fail(err, FLORIN_ESCHEMA, "the head %s judges %s, the task of this name %s",
                     t->name, t->per_event ? "entities at dates" : "events",
                     t->per_event ? "events" : "entities at dates");
    if (!st) st = fl_sample_take(&s, t, m, log, opt->seed, ctx, err);
    if (!st) st = fl_judged_take(&j, &s, false, t, err);
    if (!st) st = score_rows(&k, &s, &j, h, err);
    fl_system sys = {.name = "florin",
                     .label = "the saved head",
                     .score = k.score,
                     .probability = k.p,
                     .score99 = k.level,
                     .threshold = st ? 0 : (double)fl_head_threshold(h)};
    if (!st) st = report(json, &s, &j, log, &sys, opt, ctx, err);
    if (st && *json) {
        json_decref(*json);
        *json = NULL;
    }
    fl_head_close(h);
    fl_judged_free(&j);
    fl_sample_free(&s);
    free(k.score);
    free(k.p);
    free(k.level);
    return st;
}
