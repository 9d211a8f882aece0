/* Walking many trees at once. A comparison of integers is ready sooner than one of floats, and eight trees in turn hide
 * each other's waiting for memory: 200 trees of depth 6 take about a microsecond, faster than vector gathers. */
#include "task/forest.h"

enum { BLOCK_DEPTH = 3, ABREAST = 8, TREES_AT_ONCE = 256 };

/* Node i's children are 2 i and 2 i + 1, from 1 on; place 0 is not used. */
typedef struct {
    int32_t split;
    uint32_t at; /* of the feature in the row's keys, in bytes */
} walk_node;
typedef struct fl_forest_block {
    _Alignas(64) walk_node node[1 << BLOCK_DEPTH];
} fl_forest_block;
typedef struct fl_forest_share {
    float mean;
    uint32_t feature; /* that a step from here is told by */
} fl_forest_share;

/* ---- laying out ---- */

static uint32_t depth_below(const fl_forest *f, uint32_t tree)
{
    /* A path in work and one open sibling at each depth. */
    uint32_t at[FL_FOREST_DEPTH_MAX + 2], used = 0, deepest = 0;
    uint32_t depth[FL_FOREST_DEPTH_MAX + 2];
    at[used] = f->root[tree];
    depth[used++] = 0;
    while (used) {
        uint32_t i = at[--used], d = depth[used];
        const fl_node *n = &f->node[i];
        if (n->feature == FL_LEAF) continue;
        if (d == FL_FOREST_DEPTH_MAX) return FL_FOREST_DEPTH_MAX + 1;
        if (d + 1 > deepest) deepest = d + 1;
        at[used] = n->left;
        depth[used++] = d + 1;
        at[used] = n->right;
        depth[used++] = d + 1;
    }
    return deepest;
}

/* The tree's node reached by the path's bits, or the leaf above it. */
static const fl_node *node_at(const fl_forest *f, uint32_t tree, uint32_t path, uint32_t depth)
{
    const fl_node *n = &f->node[f->root[tree]];
    for (uint32_t d = depth; d-- > 0 && n->feature != FL_LEAF;)
        n = &f->node[path >> d & 1 ? n->right : n->left];
    return n;
}

/* Level by level: what all trees begin with lies together. blocks: of this level, in a tree. */
static inline fl_forest_block *block_at(const fl_forest_walk *w, uint32_t level, size_t blocks,
                                        uint32_t tree, size_t i)
{
    size_t above = level == 0 ? 0 : level == 1 ? 1 : 1 + 8;
    return w->block + (above * w->trees + tree * blocks + i);
}

static void lay_out_node(const fl_forest_walk *w, const uint32_t *column, const fl_node *n,
                         walk_node *to, fl_forest_share *share)
{
    /* Below a leaf every way leads to its value. */
    *to = (walk_node){INT32_MAX, 0};
    *share = (fl_forest_share){n->mean, 0};
    if (n->feature == FL_LEAF) return;
    (void)fl_forest_keys(&to->split, &n->split, 1);
    to->at = (column[n->feature] - w->first) * (uint32_t)sizeof(int32_t);
    share->feature = n->feature;
}

static fl_forest_share *shares_of(const fl_forest_walk *w, uint32_t tree)
{
    return w->share + (size_t)tree * ((size_t)w->blocks * 8 + w->leaves);
}

static void lay_out(fl_forest_walk *w, const fl_forest *f, const uint32_t *column, uint32_t tree)
{
    fl_forest_share *share = shares_of(w, tree);
    for (uint32_t level = 0, blocks = 1; level < w->levels; level++, blocks *= 8)
        for (uint32_t k = 0; k < blocks; k++, share += 8)
            for (uint32_t d = 0; d < BLOCK_DEPTH; d++)
                for (uint32_t i = 0; i < 1u << d; i++) {
                    uint32_t place = (1u << d) + i;
                    lay_out_node(w, column, node_at(f, tree, k << d | i, level * BLOCK_DEPTH + d),
                                 &block_at(w, level, blocks, tree, k)->node[place], &share[place]);
                }
    for (uint32_t i = 0; i < w->leaves; i++) {
        const fl_node *n = node_at(f, tree, i, w->levels * BLOCK_DEPTH);
        w->leaf[(size_t)tree * w->leaves + i] = n->split;
        share[i].mean = n->mean;
    }
}

/* Which part of a row the nodes read, and how deep they lie. */
static void measure(fl_forest_walk *w, const fl_forest *f, const uint32_t *column)
{
    uint32_t deepest = 1, first = UINT32_MAX, last = 0;
    for (uint32_t t = 0; t < f->trees; t++) {
        uint32_t d = depth_below(f, t);
        if (d > deepest) deepest = d;
    }
    for (uint32_t i = 0; i < f->nodes; i++) {
        if (f->node[i].feature == FL_LEAF) continue;
        uint32_t c = column[f->node[i].feature];
        if (c < first) first = c;
        if (c > last) last = c;
    }
    w->trees = f->trees;
    w->base = f->base;
    w->first = first == UINT32_MAX ? 0 : first;
    w->columns = first == UINT32_MAX ? 1 : last - first + 1;
    if (deepest > FL_FOREST_DEPTH_MAX || w->columns > FL_FOREST_COLUMNS_MAX) return;
    w->levels = (deepest + BLOCK_DEPTH - 1) / BLOCK_DEPTH;
    w->leaves = 1;
    for (uint32_t l = 0; l < w->levels; l++) {
        w->blocks += w->leaves;
        w->leaves *= 8;
    }
}

florin_status fl_forest_walk_init(fl_forest_walk *w, const fl_forest *f, const uint32_t *column,
                                  florin_error *err)
{
    memset(w, 0, sizeof *w);
    if (!f->trees) return FLORIN_OK;
    measure(w, f, column);
    if (!w->levels) return FLORIN_OK;
    w->block = fl_alloc_aligned((size_t)w->trees * w->blocks, sizeof *w->block);
    w->leaf = fl_alloc_aligned((size_t)w->trees * w->leaves, sizeof *w->leaf);
    w->share = fl_calloc((size_t)w->trees * ((size_t)w->blocks * 8 + w->leaves), sizeof *w->share);
    if (!w->block || !w->leaf || !w->share) {
        fl_forest_walk_free(w);
        return fl_fail(err, FLORIN_ENOMEM, "trees: no memory for %u", f->trees);
    }
    for (uint32_t t = 0; t < w->trees; t++) lay_out(w, f, column, t);
    return FLORIN_OK;
}

void fl_forest_walk_free(fl_forest_walk *w)
{
    free(w->block);
    free(w->leaf);
    free(w->share);
    memset(w, 0, sizeof *w);
}

/* ---- walking ---- */

static inline size_t step(const fl_forest_block *b, const int32_t *key, size_t i)
{
    const walk_node *n = &b->node[i];
    int32_t x;
    memcpy(&x, (const uint8_t *)key + n->at, sizeof x);
    return 2 * i + (x >= n->split);
}

static inline size_t through(const fl_forest_block *b, const int32_t *key)
{
    return step(b, key, step(b, key, step(b, key, 1))) - 8;
}

/* The leaf of one tree of any number of levels. */
static uint32_t leaf_of(const fl_forest_walk *w, uint32_t tree, const int32_t *key)
{
    size_t at = 0, blocks = 1;
    for (uint32_t l = 0; l < w->levels; l++, blocks *= 8)
        at = 8 * at + through(block_at(w, l, blocks, tree, at), key);
    return (uint32_t)at;
}

/* The first block of eight trees side by side: which block is next. What that needs is asked for. */
static inline void walk_top(const fl_forest_walk *w, uint32_t tree, const int32_t *key,
                            uint16_t at[ABREAST])
{
    const fl_forest_block *b = block_at(w, 0, 1, tree, 0), *below = block_at(w, 1, 8, tree, 0);
    size_t i[ABREAST];
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++) i[u] = step(b + u, key, 1);
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++) i[u] = step(b + u, key, i[u]);
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++) {
        i[u] = step(b + u, key, i[u]) - 8;
        at[u] = (uint16_t)i[u];
        __builtin_prefetch(below + 8 * u + i[u]);
        __builtin_prefetch(w->leaf + (size_t)(tree + u) * 64 + 8 * i[u]);
    }
}

static inline void walk_bottom(const fl_forest_walk *w, uint32_t tree, const int32_t *key,
                               uint16_t at[ABREAST])
{
    const fl_forest_block *b[ABREAST];
    size_t i[ABREAST];
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++) {
        b[u] = block_at(w, 1, 8, tree + u, at[u]);
        i[u] = step(b[u], key, 1);
    }
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++) i[u] = step(b[u], key, i[u]);
#pragma GCC unroll 8
    for (uint32_t u = 0; u < ABREAST; u++)
        at[u] = (uint16_t)(8u * at[u] + step(b[u], key, i[u]) - 8);
}

static inline float add_leaves(const fl_forest_walk *w, uint32_t tree, uint32_t n,
                               const uint16_t *at, float sum)
{
    for (uint32_t u = 0; u < n; u++) sum += w->leaf[(size_t)(tree + u) * w->leaves + at[u]];
    return sum;
}

/* Leaves of the n <= TREES_AT_ONCE trees from t on; returns sum with what they say. With two levels eight trees go side by side, all upper halves first, so
 * that the lower ones are on their way from memory when their turn comes. */
static float leaves_of(const fl_forest_walk *w, uint32_t t, uint32_t n, const int32_t *key,
                       uint16_t at[TREES_AT_ONCE], float sum)
{
    uint32_t abreast = w->levels == 2 ? n / ABREAST * ABREAST : 0;
    for (uint32_t i = 0; i < abreast; i += ABREAST) walk_top(w, t + i, key, at + i);
    for (uint32_t i = 0; i < abreast; i += ABREAST) {
        walk_bottom(w, t + i, key, at + i);
        sum = add_leaves(w, t + i, ABREAST, at + i, sum);
    }
    for (uint32_t i = abreast; i < n; i++) at[i] = (uint16_t)leaf_of(w, t + i, key);
    return add_leaves(w, t + abreast, n - abreast, at + abreast, sum);
}

bool fl_forest_walk_margin(const fl_forest_walk *w, const float *row, float *margin)
{
    int32_t key[FL_FOREST_COLUMNS_MAX];
    uint16_t at[TREES_AT_ONCE];
    float sum = w->base;

    if (!fl_forest_keys(key, row + w->first, w->columns)) return false;
    for (uint32_t t = 0; t < w->trees; t += TREES_AT_ONCE) {
        uint32_t n = w->trees - t < TREES_AT_ONCE ? w->trees - t : TREES_AT_ONCE;
        sum = leaves_of(w, t, n, key, at, sum);
    }
    *margin = sum;
    return true;
}

/* Along the way to a leaf of one tree: what each step adds. */
static inline __attribute__((always_inline)) void attribute_tree(uint32_t levels,
                                                                 const fl_forest_share *share,
                                                                 uint32_t leaf, float scale,
                                                                 float *contribution)
{
    const fl_forest_share *from = share + 1;
    uint32_t left = levels * BLOCK_DEPTH, blocks = 1; /* left: steps, each told by a bit */
#pragma GCC unroll 2
    for (uint32_t l = 0; l < levels; l++, share += 8 * (size_t)blocks, blocks *= 8) {
        uint32_t at = leaf >> left;
#pragma GCC unroll 3
        for (uint32_t d = 1; d <= BLOCK_DEPTH; d++) {
            uint32_t next = leaf >> --left;
            /* After the last level of a block: the next block's root, or a leaf. */
            const fl_forest_share *to =
                d < BLOCK_DEPTH
                    ? share + 8 * (size_t)at + (1u << d | (next & ((1u << d) - 1)))
                    : share + 8 * (size_t)blocks + (l + 1 < levels ? 8 * (size_t)next + 1 : next);
            contribution[from->feature] += scale * (to->mean - from->mean);
            from = to;
        }
    }
}

bool fl_forest_walk_attribute(const fl_forest_walk *w, const float *row, float scale,
                              float *contribution, float *bias)
{
    int32_t key[FL_FOREST_COLUMNS_MAX];
    uint16_t at[TREES_AT_ONCE];

    if (!fl_forest_keys(key, row + w->first, w->columns)) return false;
    *bias += scale * w->base;
    for (uint32_t t = 0; t < w->trees; t += TREES_AT_ONCE) {
        uint32_t n = w->trees - t < TREES_AT_ONCE ? w->trees - t : TREES_AT_ONCE;
        (void)leaves_of(w, t, n, key, at, 0);
        for (uint32_t i = 0; i < n; i++) {
            const fl_forest_share *share = shares_of(w, t + i);
            *bias += scale * share[1].mean;
            if (w->levels == 2) attribute_tree(2, share, at[i], scale, contribution);
            else attribute_tree(w->levels, share, at[i], scale, contribution);
        }
    }
    return true;
}
