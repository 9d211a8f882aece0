/* A forest laid out for many rows at once (kernels/trees16.h), where the CPU is faster that way than walking row by row. The
 * sums are fl_forest_margin's bit for bit. */
#ifndef FL_FOREST_ROWS_H
#define FL_FOREST_ROWS_H

#include "kernels/trees16.h"
#include "task/trees.h"

typedef struct {
    fl_trees16 t;   /* no trees: not to be used */
    uint32_t first; /* column of a row where those that are read begin */
} fl_forest_rows;

/* column [features]: where in a row each feature lies. A forest that is too deep leaves no trees. */
florin_status fl_forest_rows_init(fl_forest_rows *w, const fl_forest *f, const uint32_t *column,
                                  florin_error *err);
void fl_forest_rows_free(fl_forest_rows *w);

#endif
