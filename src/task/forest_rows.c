/* Laying a forest out for many rows at once: nodes by part of the forest, then by block of columns. */
#include "task/forest_rows.h"

/* A node of a tree, while they are put in order. */
typedef struct {
    uint32_t block; /* part * blocks + block of columns */
    fl_trees16_node node;
} placed;

typedef struct {
    const fl_forest *f;
    const uint32_t *column;
    fl_forest_rows *w;
    placed *out;
    size_t n;
} layout;

static bool too_deep(const fl_forest *f, uint32_t node, uint32_t depth)
{
    const fl_node *n = &f->node[node];
    if (n->feature == FL_LEAF) return false;
    return depth == FL_TREES16_DEPTH || too_deep(f, n->left, depth + 1) ||
           too_deep(f, n->right, depth + 1);
}

/* node stands at place `at` (1, then 2 at and 2 at + 1) and at that depth. */
static void place(layout *l, uint32_t tree, uint32_t node, uint32_t at, uint32_t depth)
{
    const fl_node *n = &l->f->node[node];
    fl_trees16 *t = &l->w->t;
    if (n->feature == FL_LEAF) {
        uint32_t wide = FL_TREES16_LEAVES >> depth,
                 from = (at << (FL_TREES16_DEPTH - depth)) % FL_TREES16_LEAVES;
        for (uint32_t i = 0; i < wide; i++)
            t->leaf[(size_t)tree * FL_TREES16_LEAVES + from + i] = n->split;
        return;
    }
    uint32_t c = l->column[n->feature] - l->w->first, within = tree % FL_TREES16_PART;
    uint32_t group = within / FL_TREES16_GROUP, u = within % FL_TREES16_GROUP;
    l->out[l->n++] =
        (placed){tree / FL_TREES16_PART * t->blocks + c / FL_TREES16_BLOCK,
                 {n->split, (uint16_t)(c % FL_TREES16_BLOCK * FL_TREES16_ROWS),
                  (uint16_t)((group * FL_TREES16_LEAVES + at) * FL_TREES16_GROUP + u)}};
    place(l, tree, n->left, 2 * at, depth + 1);
    place(l, tree, n->right, 2 * at + 1, depth + 1);
}

/* Within a block by where the answers go, so that they are written from front to back. */
static int by_block_and_place(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->block != y->block) return x->block < y->block ? -1 : 1;
    return x->node.place < y->node.place ? -1 : x->node.place > y->node.place;
}

/* Which part of a row the nodes read. */
static void measure(fl_forest_rows *w, const fl_forest *f, const uint32_t *column)
{
    uint32_t first = UINT32_MAX, last = 0;
    for (uint32_t i = 0; i < f->nodes; i++) {
        if (f->node[i].feature == FL_LEAF) continue;
        uint32_t c = column[f->node[i].feature];
        if (c < first) first = c;
        if (c > last) last = c;
    }
    w->first = first == UINT32_MAX ? 0 : first;
    w->t.columns = first == UINT32_MAX ? 1 : last - first + 1;
    w->t.blocks = (w->t.columns + FL_TREES16_BLOCK - 1) / FL_TREES16_BLOCK;
    w->t.parts = (f->trees + FL_TREES16_PART - 1) / FL_TREES16_PART;
    w->t.base = f->base;
}

florin_status fl_forest_rows_init(fl_forest_rows *w, const fl_forest *f, const uint32_t *column,
                                  florin_error *err)
{
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < f->trees; i++)
        if (too_deep(f, f->root[i], 0)) return FLORIN_OK;
    if (!f->trees) return FLORIN_OK;
    measure(w, f, column);
    /* At most: a damaged forest may come to a node by two ways. */
    size_t nodes = (size_t)f->trees * (FL_TREES16_LEAVES - 1);
    size_t blocks = (size_t)w->t.parts * w->t.blocks, i = 0;
    layout l = {f, column, w, fl_calloc(nodes, sizeof *l.out), 0};
    w->t.start = fl_calloc(blocks + 1, sizeof *w->t.start);
    w->t.node = fl_alloc_aligned(nodes, sizeof *w->t.node);
    w->t.leaf = fl_alloc_aligned((size_t)f->trees * FL_TREES16_LEAVES, sizeof *w->t.leaf);
    if (!l.out || !w->t.start || !w->t.node || !w->t.leaf) {
        free(l.out);
        fl_forest_rows_free(w);
        return fl_fail(err, FLORIN_ENOMEM, "trees: no memory for %u", f->trees);
    }
    for (uint32_t t = 0; t < f->trees; t++) place(&l, t, f->root[t], 1, 0);
    qsort(l.out, l.n, sizeof *l.out, by_block_and_place);
    for (size_t b = 0; b <= blocks; b++) {
        for (; i < l.n && l.out[i].block < b; i++) w->t.node[i] = l.out[i].node;
        w->t.start[b] = (uint32_t)i;
    }
    w->t.trees = f->trees;
    free(l.out);
    return FLORIN_OK;
}

void fl_forest_rows_free(fl_forest_rows *w)
{
    free(w->t.start);
    free(w->t.node);
    free(w->t.leaf);
    memset(w, 0, sizeof *w);
}
