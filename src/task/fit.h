/* Fitting a task: choose on validation, calibrate there, fit again on all that is known, judge once on the test, and
 * put the head into the model file. */
#ifndef FL_FIT_H
#define FL_FIT_H

#include "task/parts.h"
#include "task/sample.h"

/* A head that was learnt elsewhere, with the network (src/tune): its margins are judged in place of a fit of our own. */
typedef struct {
    const char *label;    /* what it is, in words */
    float *const *margin; /* [judged periods] of [rows of the log]; of each that is judged */
    const fl_logit
        *probe;          /* the last period's, on the embedding of the model that fl_fit is given */
    const json_t *about; /* how it was learnt */
} fl_given;

/* Ways of using the model that fl_fit does not know itself (src/tune): fl_auto_choose tries them after its own. */
typedef struct {
    const char *const *how; /* their names, NULL after the last */
    /* Average precision on the validation periods; the test stays unseen. */
    florin_status (*attempt)(void *self, const char *how, double *figure);
    void *self;
    const char *chosen; /* out: the best, when it is one of these; fl_fit has judged nothing then */
    json_t *about;      /* out, with chosen: how it was chosen, owned by the caller */
} fl_auto_more;

typedef struct {
    const char *out;    /* model file with the head; NULL: nothing is written */
    const char *scores; /* per-row scores of the test (.csv, .parquet); NULL: none */
    uint64_t seed;
    uint32_t draws;        /* of the bootstrap; 0: 300 */
    uint32_t rounds;       /* most trees; 0: 300 */
    bool validate_only;    /* report on validation; the test stays unseen */
    bool later_rows;       /* learn only from rows at or after the model's T */
    const fl_given *given; /* NULL: the task's own head is fitted */
    double
        auto_minutes; /* above 0: head and inputs are chosen on validation, within so long (auto.h) */
    fl_auto_more *more; /* NULL: fl_fit's own ways alone */
} fl_fit_options;

/* json: what was found, as florin report reads it; owned by the caller. */
florin_status fl_fit(json_t **json, const fl_task *t, const fl_model *m, const fl_log *log,
                     const fl_fit_options *opt, const florin_context *ctx, florin_error *err);
/* FLORIN_ELEAK when the model has seen what it is to be judged on. */
florin_status fl_fit_refuse_leak(const fl_task *t, const fl_model *m, bool validation,
                                 florin_error *err);

/* What the fits of all kinds share. */
typedef struct {
    size_t *column, n; /* of the sample */
    float *x;          /* [rows][n] */
} fl_fit_inputs;
/* The columns that the task's head and inputs ask for; fold_only: those that the baseline sees. */
florin_status fl_fit_inputs_take(fl_fit_inputs *out, const fl_sample *s, const fl_task *t,
                                 const fl_model *m, bool fold_only, florin_error *err);
void fl_fit_inputs_free(fl_fit_inputs *i);
/* Without a validation period a quarter of the entities is held out for choosing and calibrating. */
static inline bool fl_fit_holds_out(uint64_t cluster, uint64_t seed)
{
    return fl_mix64(cluster + seed) % 4 == 0;
}

#endif
