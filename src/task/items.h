/* Candidates for an entity's next items, and what is known of each at a moment: own past, popularity, what alike entities
 * had (user kNN), what goes with the last basket. Reads only baskets before the moment. */
#ifndef FL_ITEMS_H
#define FL_ITEMS_H

#include "task/baskets.h"

enum { FL_ITEM_INPUTS = 32, FL_ITEMS_TOP = 10 };

/* One item of one entity before a moment; ages in days. */
typedef struct {
    uint32_t item, n, since; /* baskets it was in; baskets after the last of them */
    float last, first;       /* age of the last and the first of them */
    float d30, d90, d180;    /* decayed counts, by half-life */
    float w, wi;             /* in the entity's unit vector, plain and times idf */
} fl_own_item;

typedef struct fl_item_cut fl_item_cut;
florin_status fl_item_cut_new(fl_item_cut **out, const fl_baskets *b, int64_t at_us,
                              florin_error *err);
void fl_item_cut_free(fl_item_cut *c);

/* The candidates of an entity: item [n] and x [n][FL_ITEM_INPUTS], owned by the cut until the next call. Simple rankings of
 * them: own frequency with ties and gaps filled by global popularity, user kNN, global popularity. */
typedef struct {
    uint32_t n, *item;
    float *x;
    double *own, *knn, *global;
} fl_item_list;
florin_status fl_item_cut_list(fl_item_list *out, fl_item_cut *c, uint32_t entity,
                               florin_error *err);
const char *fl_item_input(uint32_t i);

/* The positions of the k largest scores, falling; of equal ones the first. The number found. */
uint32_t fl_top_of(uint32_t *out, const double *score, uint32_t n, uint32_t k);

#endif
