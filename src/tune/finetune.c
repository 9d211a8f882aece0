/* Owns a fine-tuning for a task, period by period. Invariant: the margins of a judged period come from weights that saw no
 * event and no label later than its beginning. */
#include "tune/finetune.h"
#include "base/file.h"
#include "train/tune.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    const fl_task *t;
    const fl_model *m;
    const fl_log *log;
    const fl_finetune_options *o;
    const florin_context *ctx;
    florin_error *err;
    const char *place;
    fl_tune *tune;
    fl_model *tuned;                 /* of the period at work, in the end of the last */
    fl_logit probe;                  /* its head */
    float *label, *part[FL_STREAMS]; /* [rows]; part: each stream's own margin */
    float *margin[FL_JUDGED_MAX];    /* [rows] */
    float *kept;                     /* [keeps][width] embeddings of the judged period, */
    uint64_t *row;                   /* of these rows */
    size_t keeps, caps[2], width;
    json_t *about;
} tuner;

/* ---- joining the streams' heads ---- */

typedef struct {
    const tuner *f;
    uint64_t rows;
    double n;
} joint;

/* Mean log loss of x[0] payer + x[1] payee + x[2]; weights are drawn to 1/2 a little, so that equal streams share. */
static double joint_loss(void *arg, const double *x, double *g, size_t n)
{
    const joint *j = arg;
    const tuner *f = j->f;
    double loss = 0;

    memset(g, 0, n * sizeof *g);
    for (uint64_t r = 0; r < j->rows; r++) {
        if (f->label[r] < 0) continue;
        double y = (double)f->label[r], a = (double)f->part[0][r], b = (double)f->part[1][r];
        double z = x[0] * a + x[1] * b + x[2], d = (1 / (1 + exp(-z)) - y) / j->n;
        loss += ((z > 0 ? log1p(exp(-z)) + z : log1p(exp(z))) - y * z) / j->n;
        g[0] += d * a;
        g[1] += d * b;
        g[2] += d;
    }
    for (int k = 0; k < 2; k++) {
        loss += .5e-4 * (x[k] - .5) * (x[k] - .5);
        g[k] += 1e-4 * (x[k] - .5);
    }
    return loss;
}

/* One logistic head on [payer's | payee's embedding], from each stream's. */
static florin_status join_heads(tuner *f, double x[3])
{
    const fl_network *n = fl_model_network(f->m);
    joint j = {f, fl_log_rows(f->log), 0};
    uint32_t streams = 0;
    size_t at = 0;

    for (int s = 0; s < FL_STREAMS; s++) streams += n->stream[s];
    for (uint64_t r = 0; r < j.rows; r++) j.n += f->label[r] >= 0;
    x[0] = n->stream[0] ? 1. / streams : 0;
    x[1] = n->stream[1] ? 1. / streams : 0;
    x[2] = 0;
    florin_status st =
        streams > 1 ? fl_minimise(joint_loss, &j, x, 3, 100, 1e-10, f->err) : FLORIN_OK;
    float *w = fl_alloc((size_t)n->h * streams, sizeof *w), b = 0, sum = (float)x[2];
    if (!st && !w) st = fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");
    for (int s = 0; s < FL_STREAMS && !st; s++) {
        const float *own = fl_tune_head(f->tune, s, &b);
        if (!own) continue;
        for (uint32_t i = 0; i < n->h; i++) w[at++] = (float)x[s] * own[i];
        sum += (float)x[s] * b;
    }
    fl_logit_free(&f->probe);
    if (!st && fl_logit_plain(&f->probe, w, sum, (uint32_t)at))
        st = fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");
    free(w);
    return st;
}

/* ---- one period ---- */

static bool keep(tuner *f, uint64_t row, const float *h)
{
    if (!fl_grow((void **)&f->kept, &f->caps[0], f->keeps + 1, f->width * sizeof *f->kept) ||
        !fl_grow((void **)&f->row, &f->caps[1], f->keeps + 1, sizeof *f->row))
        return false;
    memcpy(f->kept + f->keeps * f->width, h, f->width * sizeof *h);
    f->row[f->keeps++] = row;
    return true;
}

/* Each stream's margin at every event before the period's end, by the tuned model as scoring runs it, and the embeddings of
 * the period. */
static florin_status margins(tuner *f, const fl_period *p)
{
    const fl_network *n = fl_model_network(f->tuned);
    fl_encode *e = NULL;
    const fl_fold_carry *carry;
    const float *values, *w[FL_STREAMS];
    float b[FL_STREAMS] = {0};
    fl_event event;
    uint64_t row, last = 0;
    florin_status st = fl_encode_open(&e, f->tuned, f->log, f->err);

    for (uint64_t r = 0; r < fl_log_rows(f->log); r++)
        if (fl_log_time(f->log, r) < p->to_us) last = r;
    f->keeps = 0;
    f->width = fl_model_row_width(f->tuned) - fl_model_row_embedding(f->tuned);
    for (int s = 0; s < FL_STREAMS; s++) w[s] = fl_tune_head(f->tune, s, &b[s]);
    if (!st) fl_encode_threads(e, fl_threads(f->ctx));
    if (!st) st = fl_encode_states(e, -1, INT64_MAX, f->err);
    while (!st && fl_encode_next(e, &row, &event, &values, &carry)) {
        const float *h = values + fl_model_row_embedding(f->tuned);
        if (row > last) break;
        if (event.time_us >= p->to_us) continue; /* a late event may follow */
        if (event.time_us >= p->from_us && !keep(f, row, h))
            st = fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");
        for (int s = 0; s < FL_STREAMS; s++) {
            if (!w[s]) continue;
            float z = b[s];
            for (uint32_t i = 0; i < n->h; i++) z += w[s][i] * h[i];
            f->part[s][row] = z;
            h += n->h;
        }
        if (row % 65536 == 0 && fl_cancelled(f->ctx))
            st = fl_fail(f->err, FLORIN_ECANCELLED, "stopped while reading the log");
    }
    fl_encode_close(e);
    return st;
}

/* The tuned model, by way of a file, so that it is what scoring will run. */
static florin_status reopen(tuner *f, uint32_t j)
{
    char *path = fl_asprintf("%s.tuned-%ld", f->place, (long)getpid());
    florin_status st = path ? fl_tune_save(f->tune, path, f->t->period[j].from_us, f->about, f->err)
                            : fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");

    fl_model_close(f->tuned);
    f->tuned = NULL;
    if (!st) st = fl_model_open(&f->tuned, path, fl_model_kernels(f->m)->tier, f->err);
    if (path) unlink(path);
    free(path);
    return st;
}

static florin_status one_period(tuner *f, uint32_t j, double epochs)
{
    uint64_t rows = fl_log_rows(f->log);
    double loss = 0, x[3];
    florin_status st = fl_sample_labels(f->label, f->t, f->log, j, f->ctx, f->err);

    const float *label = f->label;
    if (!st) st = fl_tune_run(f->tune, &label, f->t->period[j].from_us, epochs, &loss, f->err);
    if (!st) st = reopen(f, j);
    if (!st) st = margins(f, &f->t->period[j]);
    if (!st) st = join_heads(f, x);
    f->margin[j] = fl_calloc(rows + 1, sizeof(float));
    if (!st && !f->margin[j]) st = fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");
    for (size_t i = 0; i < f->keeps && !st; i++)
        f->margin[j][f->row[i]] = fl_logit_margin(&f->probe, f->kept + i * f->width);
    if (!st)
        json_array_append_new(
            json_object_get(f->about, "periods"),
            json_pack("{s:f, s:f, s:f}", "loss", loss, "payer_weight", x[0], "payee_weight", x[1]));
    return st;
}

/* ---- all ---- */

florin_status fl_finetune_suits(const fl_task *t, const fl_model *m, const fl_fit_options *opt,
                                florin_error *err)
{
    if (!fl_model_network(m))
        return fl_fail(err, FLORIN_EUSAGE, "--finetune needs a pretrained --model");
    if (!t->per_event)
        return fl_fail(err, FLORIN_EUSAGE,
                       "task %s: --finetune learns from labels of events, and this task judges "
                       "entities at dates: use its head without --finetune",
                       t->name);
    if (t->answer != FL_TASK_BINARY)
        return fl_fail(
            err, FLORIN_EUSAGE,
            "task %s: --finetune learns answers of yes or no alone: use its head without "
            "--finetune",
            t->name);
    if (*t->folds || !t->validates)
        return fl_fail(err, FLORIN_EUSAGE,
                       "task %s: --finetune needs a `validate` period to be calibrated on",
                       t->name);
    if (opt->later_rows)
        return fl_fail(err, FLORIN_EUSAGE, "--finetune and --later-rows exclude each other");
    return fl_fit_refuse_leak(t, m, true, err);
}

static florin_status prepare(tuner *f, uint32_t judged, uint64_t seed)
{
    uint64_t rows = fl_log_rows(f->log);
    char *folder = fl_path_dir(f->place);
    fl_tune_config c = {.rank = f->o->rank,
                        .rate = f->o->rate > 0 ? f->o->rate : 3e-3,
                        .keep = f->o->keep,
                        .seed = seed + 1,
                        .until_us = f->t->period[judged - 1].from_us};

    f->label = fl_calloc(rows + 1, sizeof *f->label);
    for (int s = 0; s < FL_STREAMS; s++) f->part[s] = fl_calloc(rows + 1, sizeof(float));
    f->about = json_pack("{s:i, s:f, s:f, s:[]}", "rank", (int)c.rank, "rate", c.rate, "keep",
                         c.keep, "periods");
    if (!f->label || !f->part[0] || !f->part[1] || !f->about || !folder) {
        free(folder);
        return fl_fail(f->err, FLORIN_ENOMEM, "fine-tuning");
    }
    florin_status st = fl_tune_open(&f->tune, f->m, f->log, &c, folder, f->ctx, f->err);
    free(folder);
    return st;
}

florin_status fl_finetune(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                          const fl_fit_options *opt, const fl_finetune_options *tune,
                          const char *place, const florin_context *ctx, florin_error *err)
{
    tuner f = {.t = t, .m = m, .log = log, .o = tune, .ctx = ctx, .err = err, .place = place};
    uint32_t judged = opt->validate_only ? t->validates : t->validates + t->tests;
    double epochs = tune->epochs > 0 ? tune->epochs : 3;
    florin_status st = fl_finetune_suits(t, m, opt, err);

    *json = NULL;
    if (!st) st = prepare(&f, judged, opt->seed);
    for (uint32_t j = 0; j < judged && !st; j++) st = one_period(&f, j, j ? epochs / 3 : epochs);
    fl_tune_free(f.tune);
    const fl_given given = {.label =
                                tune->rank ? "network fine-tuned, low rank" : "network fine-tuned",
                            .margin = f.margin,
                            .probe = &f.probe,
                            .about = f.about};
    fl_fit_options with = *opt;
    with.given = &given;
    if (!st) st = fl_fit(json, t, f.tuned, log, &with, ctx, err);
    fl_model_close(f.tuned);
    fl_logit_free(&f.probe);
    free(f.label);
    free(f.kept);
    free(f.row);
    for (int s = 0; s < FL_STREAMS; s++) free(f.part[s]);
    for (uint32_t j = 0; j < FL_JUDGED_MAX; j++) free(f.margin[j]);
    json_decref(f.about);
    return st;
}
