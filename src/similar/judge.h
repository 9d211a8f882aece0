/* Does likeness find what it should? Two questions with an answer in the log itself, learnt from no label:
 *   of a category   have an entity's ten nearest the value that it has itself? Precision at 10, beside a draw by chance
 *   the same        each history cut into two halves: is a half's nearest among all the other halves its own other half?
 *                   Recall at 1 and at 10
 * Both beside the same question asked of the fold's features alone; intervals by bootstrap over entities, differences
 * paired. */
#ifndef FL_SIMILAR_JUDGE_H
#define FL_SIMILAR_JUDGE_H

#include "similar/near.h"
#include "task/task.h"

typedef struct {
    const char *name, *data, *about;
    int kind, of; /* entity kind; category field, -1: the same */
    int64_t at_us;
    fl_by by;
    fl_pool pool;
    uint32_t least; /* events of an entity, or of each half; 0: 10 */
    uint32_t draws; /* 0: 300 */
    uint64_t seed;
} fl_alike;

/* What a task of likeness asks. */
fl_alike fl_alike_of_task(const fl_task *t);
/* The figures as florin report reads them; the caller's. */
florin_status fl_alike_judge(json_t **out, const fl_alike *a, const fl_model *m, const fl_log *log,
                             const florin_context *ctx, florin_error *err);
void fl_alike_text(const florin_context *ctx, const json_t *j);

#endif
