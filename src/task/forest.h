/* The forest as scoring walks it: every tree filled up to the same depth, split values as integers in the same order as
 * the floats, nodes in blocks of one cache line that hold three levels. The result is fl_forest_margin's bit for bit,
 * on every CPU alike: plain integers, and leaves summed in the order of the trees. */
#ifndef FL_FOREST_H
#define FL_FOREST_H

#include "task/trees.h"

enum { FL_FOREST_DEPTH_MAX = 9, FL_FOREST_COLUMNS_MAX = 8192 };

typedef struct {
    uint32_t trees,
        levels; /* levels of blocks: three of nodes each. 0: too deep, not to be walked so */
    uint32_t first, columns;       /* the part of a row that any node reads */
    uint32_t blocks, leaves;       /* of one tree */
    struct fl_forest_block *block; /* level by level, there tree by tree */
    float *leaf;                   /* [trees][leaves] */
    struct fl_forest_share
        *share; /* [trees][8 * blocks + leaves]: what attribution needs of nodes and leaves */
    float base;
} fl_forest_walk;

/* Integers in the order of the floats, 0 and -0 alike. False: one is missing (NaN). */
bool fl_forest_keys(int32_t *restrict key, const float *restrict x, uint32_t n);
/* column [features]: where in a row each feature lies. A forest that can't be laid out so leaves levels 0. */
florin_status fl_forest_walk_init(fl_forest_walk *w, const fl_forest *f, const uint32_t *column,
                                  florin_error *err);
void fl_forest_walk_free(fl_forest_walk *w);
/* False: the row has a missing value among these columns, for which fl_forest_margin must be asked. */
bool fl_forest_walk_margin(const fl_forest_walk *w, const float *row, float *margin);
/* As fl_forest_attribute, the same bits; contribution by feature. False: as above, nothing was added. */
bool fl_forest_walk_attribute(const fl_forest_walk *w, const float *row, float scale,
                              float *contribution, float *bias);

#endif
