/* A forest for sixteen rows at once: all nodes are compared, and which leaf a tree comes to follows from their answers. In
 * vectors that takes as long as walking nine rows. */
#ifndef FL_TREES16_H
#define FL_TREES16_H

#include "base/base.h"

enum {
    FL_TREES16_ROWS = 16,
    FL_TREES16_DEPTH = 6,
    FL_TREES16_LEAVES =
        1 << FL_TREES16_DEPTH, /* also places of nodes: children of i are 2 i, 2 i + 1 */
    FL_TREES16_GROUP = 32,     /* trees whose answers lie side by side */
    FL_TREES16_PART = 256,     /* trees at once */
    FL_TREES16_BLOCK = 256     /* columns at once: their values stay in the first cache */
};

/* Right if the row's value is not less than split. */
typedef struct {
    float split;
    uint16_t value; /* FL_TREES16_ROWS * column within its block */
    uint16_t place; /* of the answer in its part: [group][node][tree of the group] */
} fl_trees16_node;

typedef struct {
    uint32_t trees, columns, parts, blocks;
    uint32_t *start;       /* [parts * blocks + 1] first node of each part's block of columns */
    fl_trees16_node *node; /* by part and block */
    float *leaf; /* [trees][FL_TREES16_LEAVES]; below a leaf every way leads to its value */
    float base;
} fl_trees16;

/* For fl_kernels.trees16: sum[r] = base + the leaves of all trees in their order, of rows [columns]. Bit r of the result: row r has a missing
 * value (NaN), and its sum means nothing. */
uint32_t fl_trees16_avx512(const fl_trees16 *t, const float *const row[FL_TREES16_ROWS],
                           float sum[FL_TREES16_ROWS]);

#endif
