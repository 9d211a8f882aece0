/* Figures of rankings of items: recall, hit rate, reciprocal rank and NDCG of the first ten, with intervals by entity. */
#ifndef FL_JUDGE_ITEMS_H
#define FL_JUDGE_ITEMS_H

#include "task/items.h"
#include "task/result.h"

enum { FL_RANKED = 4 }; /* systems: ours, own frequency + global, user kNN, global */
enum { FL_RECALL, FL_HIT, FL_MRR, FL_NDCG, FL_RANKED_FIGURES };

/* Judged rows, in order; `judged` borrows the arrays. */
typedef struct {
    size_t n, cap[6];
    uint64_t *entity, *cluster; /* number; hash */
    uint32_t *part;
    int64_t *time_us;
    float *size; /* of the target */
    struct fl_ranked_row {
        float figure[FL_RANKED][FL_RANKED_FIGURES];
        uint32_t item[FL_ITEMS_TOP], items; /* ours, the best first */
    } * row;
    uint64_t seen[FL_JUDGED_MAX];
} fl_ranked;

void fl_ranked_free(fl_ranked *r);
/* A new row; its figures are for the caller to fill. */
florin_status fl_ranked_add(fl_ranked *r, uint64_t entity, uint64_t cluster, uint32_t part,
                            int64_t time_us, uint32_t size, florin_error *err);
/* Figures of a ranking item [n], the best first, against the target (rising). */
void fl_rank_figures(float out[FL_RANKED_FIGURES], const uint32_t *item, uint32_t n,
                     const uint32_t *target, uint32_t size);

/* systems and differences into `report`. label: of each system. */
florin_status fl_ranked_report(json_t *report, const fl_ranked *r, uint32_t parts,
                               const char *const label[FL_RANKED], uint32_t draws, uint64_t seed,
                               const florin_context *ctx, florin_error *err);
/* A line a judged row, .csv or .parquet: id, y (size of the target), recall_at_10 of ours, of own frequency + global and of
 * user kNN, hit_at_10, item_1 .. item_10, time, period, cluster. */
florin_status fl_ranked_scores(const char *path, const fl_ranked *r, const fl_baskets *b,
                               const fl_task *t, const fl_log *log, const florin_context *ctx,
                               florin_error *err);

#endif
