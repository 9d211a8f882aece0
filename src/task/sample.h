/* The rows of a task: what scoring computes at each moment of prediction, with the label as it was known. */
#ifndef FL_SAMPLE_H
#define FL_SAMPLE_H

#include "model/encode.h"
#include "task/task.h"

enum { FL_CLASSES_MAX = 24, FL_CLASS_ROWS_MIN = 20 };

typedef struct {
    size_t rows, width, base; /* columns: those of fold and model, then from `base` on the task's */
    float *x;                 /* [rows][width] */
    char **name;              /* [width] column names */
    uint32_t judged;          /* periods of the task: validations, then tests */
    uint8_t *in;              /* 1 + judged period of the row, 0: none */
    uint8_t *learn;           /* may be learnt from, by fl_sample_learns */
    float *known;   /* [rows][judged] label as known when period j begins; NAN: unknown then */
    float *truth;   /* label in the end; rows without one are not taken. Of a class: its number */
    float *weight;  /* when learnt from: 1 / share of its kind that was kept */
    uint32_t *fold; /* with folds */
    uint64_t *cluster, *card,
        *row; /* entity of the bootstrap, of card precision; log row or entity number */
    int64_t *time_us;
    double *amount;                                         /* major units; 0: none */
    uint64_t seen[FL_JUDGED_MAX], positives[FL_JUDGED_MAX]; /* judged rows */
    uint64_t train_seen, train_positives;                   /* before sampling */
    /* Of a class: the names, the most frequent first; the last is "(other)" when some were too rare to be one. */
    uint32_t classes;
    char *class_name[FL_CLASSES_MAX];
} fl_sample;

florin_status fl_sample_take(fl_sample *out, const fl_task *t, const fl_model *m, const fl_log *log,
                             uint64_t seed, const florin_context *ctx, florin_error *err);
void fl_sample_free(fl_sample *s);
/* For a task of events: y [rows of the log], the label of every row that may be learnt from when period j is judged, as known
 * then; -1: none. No row is sampled away. */
florin_status fl_sample_labels(float *y, const fl_task *t, const fl_log *log, uint32_t j,
                               const florin_context *ctx, florin_error *err);
/* May row r be learnt from when period j is judged? *y: its label as known then. */
bool fl_sample_learns(const fl_sample *s, const fl_task *t, size_t r, uint32_t j, float *y);

#endif
