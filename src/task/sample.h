/* The rows of a task: what scoring computes at each moment of prediction, with the label as it was known. */
#ifndef FL_SAMPLE_H
#define FL_SAMPLE_H

#include "model/encode.h"
#include "task/task.h"

typedef enum { FL_PART_TRAIN = 0, FL_PART_VALIDATE, FL_PART_TEST, FL_PARTS_OF_SAMPLE } fl_part;

typedef struct {
    size_t rows, width;
    float *x;    /* [rows][width] */
    char **name; /* [width] column names; borrowed from the model for events, owned else */
    bool names_owned;
    float *early;   /* label as known when validation begins; -1: unknown then */
    float *known;   /* label as known when the test begins; -1: unknown then */
    float *truth;   /* label in the end */
    float *weight;  /* 1 / share of its kind that was kept */
    uint8_t *part;  /* fl_part */
    uint32_t *fold; /* with folds */
    uint64_t *cluster, *card,
        *row; /* entity of the bootstrap, of card precision; log row or entity number */
    int64_t *time_us;
    double *amount;                                                   /* major units; 0: none */
    uint64_t seen[FL_PARTS_OF_SAMPLE], positives[FL_PARTS_OF_SAMPLE]; /* before sampling */
} fl_sample;

florin_status fl_sample_take(fl_sample *out, const fl_task *t, const fl_model *m, const fl_log *log,
                             uint64_t seed, const florin_context *ctx, florin_error *err);
void fl_sample_free(fl_sample *s);

#endif
