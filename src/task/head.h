/* A fitted head, read-only: row of inputs -> logit -> calibrated probability -> 0-99 score and level, with
 * attributions. Read from the model file's "heads"; used alike by eval, score and replay. Allocates nothing after open. */
#ifndef FL_HEAD_H
#define FL_HEAD_H

#include "model/model.h"

typedef struct fl_head fl_head;
typedef enum {
    FL_LEVEL_NORMAL = 0,
    FL_LEVEL_ELEVATED,
    FL_LEVEL_HIGHEST
} fl_level; /* score < 65, < 75, >= 75 */
typedef struct {
    float logit, probability; /* probability: calibrated */
    uint8_t score;            /* 0..99, monotone in the calibrated log-odds */
    uint8_t level;
    bool over_threshold; /* probability >= the cost matrix's threshold */
} fl_head_out;

uint32_t fl_heads(const fl_model *m);
florin_status fl_head_open(fl_head **out, const fl_model *m, uint32_t i, florin_error *err);
/* i by the task's name; FLORIN_EUSAGE lists the names there are. */
florin_status fl_head_find(uint32_t *i, const fl_model *m, const char *name, florin_error *err);
void fl_head_close(fl_head *h);
const char *fl_head_name(const fl_head *h);
bool fl_head_per_event(const fl_head *h); /* false: scores an entity at a date */
int fl_head_kind(const fl_head *h);       /* entity kind of a head at a date, else -1 */
int64_t
fl_head_until(const fl_head *h); /* no label of later arrival was used; INT64_MIN: unknown */
float fl_head_threshold(const fl_head *h); /* probability, of the cost matrix */
uint32_t fl_head_inputs(const fl_head *h);
/* Column of input i in the row it is given: fl_model row, or fl_encode_entity row. */
uint32_t fl_head_input(const fl_head *h, uint32_t i);
const uint32_t *fl_head_columns(const fl_head *h); /* of all inputs */
/* row: the full row. */
void fl_head_score(const fl_head *h, const float *row, fl_head_out *out);
/* The same bits for n rows, faster. */
void fl_head_score_rows(const fl_head *h, const float *const *row, uint32_t n, fl_head_out *out);
/* Path attribution of the trees (Saabas 2014), or weight times input for a probe: [fl_head_inputs] in log-odds, sum +
 * bias = logit. */
void fl_head_attribute(const fl_head *h, const float *row, float *contribution, float *bias);

#endif
