/* The parts of a head while it is fitted, and how they lie in the model file. head.h is the read-only view for scoring.
 *
 * logit = trees_weight * forest margin + probe_weight * probe margin
 * log-odds = a * logit + b, a > 0 (Platt 1999, fitted on held-out rows; b also undoes the sampling of negatives)
 * score = piecewise linear in the log-odds through anchor[4] at 0, 65, 75, 99: 75 is the cost matrix's threshold. */
#ifndef FL_PARTS_H
#define FL_PARTS_H

#include "task/head.h"
#include "task/logit.h"

enum { FL_HEAD_INPUTS_MAX = 2048, FL_HEADS_MAX = 16, FL_HEAD_ANCHORS = 4 };

typedef struct {
    char name[FL_NAME_MAX];
    bool per_event;
    int kind;
    uint32_t inputs;
    uint32_t *column; /* [inputs] */
    char **input;     /* [inputs] names */
    fl_forest forest;
    char *json; /* XGBoost's text */
    fl_logit probe;
    float trees_weight, probe_weight;
    float a, b;
    float anchor[FL_HEAD_ANCHORS];
    float threshold;  /* probability */
    int64_t until_us; /* labels of later arrival were not used */
    json_t *about;    /* chosen settings, validation figures, task */
} fl_parts;

void fl_parts_free(fl_parts *p);
/* x: the head's inputs, compact. */
float fl_parts_logit(const fl_parts *p, const float *x);
/* The same from the margin of the trees; x is read by the probe alone. */
float fl_parts_logit_of(const fl_parts *p, float trees, const float *x);
void fl_parts_out(const fl_parts *p, float logit, fl_head_out *out);
/* Anchors from prior and threshold. */
void fl_parts_anchor(fl_parts *p, double prior, double threshold);

/* A model file as `base` (its heads but one of the same name are kept) with this head added. */
florin_status fl_parts_save(const char *path, const fl_model *base, const fl_parts *p,
                            florin_error *err);
florin_status fl_parts_load(fl_parts *out, const fl_model *m, uint32_t i, florin_error *err);

#endif
