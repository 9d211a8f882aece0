/* Judging a head that the model already has: the test rows of its task, no fitting. */
#include "task/eval.h"
#include "task/result.h"
#include <stdio.h>

static florin_status score_rows(const fl_sample *s, const fl_head *h, double *score, double *p,
                                uint8_t *level)
{
    size_t k = 0;
    for (size_t r = 0; r < s->rows; r++) {
        fl_head_out o;
        if (s->part[r] != FL_PART_TEST) continue;
        fl_head_score(h, s->x + r * s->width, &o);
        score[k] = (double)o.logit;
        p[k] = (double)o.probability;
        level[k++] = o.score;
    }
    return FLORIN_OK;
}

florin_status fl_eval(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                      uint32_t draws, uint64_t seed, const florin_context *ctx, florin_error *err)
{
    fl_sample s = {0};
    fl_judged j = {0};
    fl_head *h = NULL;
    uint32_t at;
    fl_interval iv[6];
    *json = NULL;
    florin_status st = fl_fit_refuse_leak(t, m, err);
    if (!st) st = fl_head_find(&at, m, t->name, err);
    if (!st) st = fl_head_open(&h, m, at, err);
    if (!st) st = fl_sample_take(&s, t, m, log, seed, ctx, err);
    if (!st) st = fl_judged_take(&j, &s, FL_PART_TEST, t, err);
    size_t n = j.n ? j.n : 1;
    double *score = fl_calloc(n, sizeof *score), *p = fl_calloc(n, sizeof *p);
    uint8_t *level = fl_calloc(n, 1);
    if (!st && (!score || !p || !level)) st = fl_fail(err, FLORIN_ENOMEM, "eval");
    if (!st) st = score_rows(&s, h, score, p, level);
    fl_scored scored = {.n = j.n, .score = score, .y = j.y, .cluster = j.cluster, .parts = 1};
    if (!st) st = fl_bootstrap(iv, &scored, NULL, draws ? draws : 300, seed + 1, ctx, err);
    json_t *x = st ? NULL
                   : fl_result_system("florin", fl_head_name(h), &j, score, p, level, &iv[0],
                                      &iv[1], .5, err);
    if (!st && !x) st = FLORIN_ENOMEM;
    if (!st) {
        char from[32], to[32];
        fl_time_format(t->test.from_us, from);
        fl_time_format(t->test.to_us, to);
        *json = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:I, s:I}, s:[o]}", "report", "eval",
                          "task", t->name, "part", "test", "test", "from", from, "to", to, "rows",
                          (json_int_t)s.seen[FL_PART_TEST], "positives",
                          (json_int_t)s.positives[FL_PART_TEST], "systems", x);
        if (!*json) st = fl_fail(err, FLORIN_ENOMEM, "eval");
    }
    fl_head_close(h);
    fl_judged_free(&j);
    fl_sample_free(&s);
    free(score);
    free(p);
    free(level);
    return st;
}
