/* Puts a head of 200 trees on a model, for bench/score.sh: every column of a row is an input; splits are values that real
 * rows have, so that paths are as varied as a fitted forest's. The time of scoring does not depend on what a head has
 * learnt. Uses the inside of the library, as only a tool of the project may.
 *   score_model LOG MODEL OUT */
#include "model/encode.h"
#include "task/parts.h"
#include <stdio.h>

enum { TREES = 200, DEPTH = 6, INNER = (1 << DEPTH) - 1, NODES = 2 * INNER + 1, ROWS = 1000 };

static void must(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "score_model: %s\n", err->message);
    exit(st);
}

static void *need(void *p)
{
    if (!p) abort();
    return p;
}

/* Rows of the log, evenly from all of it. */
static float *take_rows(const fl_model *m, const fl_log *log)
{
    uint32_t width = fl_model_row_width(m);
    float *rows = need(fl_calloc((size_t)ROWS * width, sizeof *rows));
    uint64_t row, seen = 0, every = fl_log_rows(log) / ROWS;
    const float *values;
    const fl_fold_carry *carry;
    fl_encode *e;
    florin_error err;
    must(fl_encode_open(&e, m, log, &err), &err);
    must(fl_encode_ahead(e, INT64_MAX, &err), &err);
    while (fl_encode_next(e, &row, NULL, &values, &carry)) {
        if (every && seen % every == 0 && seen / every < ROWS)
            memcpy(rows + seen / every * width, values, width * sizeof *rows);
        seen++;
    }
    fl_encode_close(e);
    return rows;
}

static void grow(fl_forest *f, const float *rows, uint32_t width, fl_rng *r)
{
    f->trees = TREES;
    f->nodes = TREES * NODES;
    f->features = width;
    f->root = need(fl_alloc(TREES, sizeof *f->root));
    f->node = need(fl_calloc(f->nodes, sizeof *f->node));
    for (uint32_t t = 0; t < TREES; t++) {
        f->root[t] = t * NODES;
        for (uint32_t i = 0; i < NODES; i++) {
            fl_node *n = &f->node[t * NODES + i];
            n->mean = (float)fl_rng_normal(r) * 0.02f;
            n->split = n->mean;
            n->feature = FL_LEAF;
            if (i >= INNER) continue;
            n->feature = (uint32_t)fl_rng_below(r, width);
            n->split = rows[fl_rng_below(r, ROWS) * width + n->feature];
            n->left = t * NODES + 2 * i + 1;
            n->right = n->left + 1;
        }
    }
}

int main(int argc, char **argv)
{
    fl_model *m;
    fl_log *log;
    fl_rng r;
    fl_parts p = {.name = "bench", .per_event = true, .kind = -1, .trees_weight = 1, .a = 1};
    florin_error err;

    if (argc != 4) return FLORIN_EUSAGE;
    must(fl_model_open(&m, argv[2], NULL, &err), &err);
    must(fl_log_open(&log, argv[1], &err), &err);
    fl_rng_seed(&r, 1);
    uint32_t width = fl_model_row_width(m);
    float *rows = take_rows(m, log);
    p.inputs = width;
    p.column = need(fl_alloc(width, sizeof *p.column));
    p.input = need(fl_calloc(width, sizeof *p.input));
    for (uint32_t i = 0; i < width; i++) {
        p.column[i] = i;
        p.input[i] = need(fl_strdup(fl_model_row_name(m, i)));
    }
    grow(&p.forest, rows, width, &r);
    fl_parts_anchor(&p, 0.01, 0.2);
    must(fl_parts_save(argv[3], m, &p, &err), &err);
    printf("h %u, row of %u columns, %d trees of depth %d\n", fl_model_network(m)->h, width, TREES,
           DEPTH);
    fl_parts_free(&p);
    free(rows);
    fl_log_close(log);
    fl_model_close(m);
    return 0;
}
