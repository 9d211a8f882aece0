/* Figures of rankings. Invariant: a draw draws entities, with all their rows, for all systems alike: differences are paired. */
#include "task/judge_items.h"
#include "data/duck.h"
#include <math.h>
#include <stdio.h>

enum {
    FIGURES = FL_RANKED * FL_RANKED_FIGURES,
    /* Every figure of every system, then ours less each other's. */
    DRAWN = FIGURES + (FL_RANKED - 1) * FL_RANKED_FIGURES
};
static const char *const NAME[FL_RANKED] = {"florin", "own_global", "user_knn", "global"};
static const char *const FIGURE[FL_RANKED_FIGURES] = {"recall_at_10", "hit_at_10", "mrr_at_10",
                                                      "ndcg_at_10"};

void fl_ranked_free(fl_ranked *r)
{
    free(r->entity);
    free(r->cluster);
    free(r->part);
    free(r->time_us);
    free(r->size);
    free(r->row);
    memset(r, 0, sizeof *r);
}

florin_status fl_ranked_add(fl_ranked *r, uint64_t entity, uint64_t cluster, uint32_t part,
                            int64_t time_us, uint32_t size, florin_error *err)
{
    size_t n = r->n + 1;
    if (!fl_grow((void **)&r->entity, &r->cap[0], n, sizeof *r->entity) ||
        !fl_grow((void **)&r->cluster, &r->cap[1], n, sizeof *r->cluster) ||
        !fl_grow((void **)&r->part, &r->cap[2], n, sizeof *r->part) ||
        !fl_grow((void **)&r->time_us, &r->cap[3], n, sizeof *r->time_us) ||
        !fl_grow((void **)&r->size, &r->cap[4], n, sizeof *r->size) ||
        !fl_grow((void **)&r->row, &r->cap[5], n, sizeof *r->row))
        return fl_fail(err, FLORIN_ENOMEM, "%zu judged rows", n);
    r->entity[r->n] = entity;
    r->cluster[r->n] = cluster;
    r->part[r->n] = part;
    r->time_us[r->n] = time_us;
    r->size[r->n] = (float)size;
    memset(&r->row[r->n++], 0, sizeof *r->row);
    r->seen[part]++;
    return FLORIN_OK;
}

static bool among(uint32_t item, const uint32_t *target, uint32_t size)
{
    for (uint32_t lo = 0, hi = size; lo < hi;) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (target[mid] == item) return true;
        if (target[mid] < item) lo = mid + 1;
        else hi = mid;
    }
    return false;
}

void fl_rank_figures(float out[FL_RANKED_FIGURES], const uint32_t *item, uint32_t n,
                     const uint32_t *target, uint32_t size)
{
    double hits = 0, gain = 0, best = 0, first = 0;
    for (uint32_t i = 0; i < FL_ITEMS_TOP; i++) {
        double worth = 1 / log2(i + 2.);
        if (i < size) best += worth;
        if (i >= n || !among(item[i], target, size)) continue;
        if (hits <= 0) first = 1 / (i + 1.);
        hits++;
        gain += worth;
    }
    out[FL_RECALL] = (float)(hits / size);
    out[FL_HIT] = hits > 0;
    out[FL_MRR] = (float)first;
    out[FL_NDCG] = (float)(gain / best);
}

typedef struct {
    const fl_ranked *r;
    uint32_t parts;
} judge;

/* Means over the rows of a period, then over the periods; weight NULL: ones. */
static void figures(void *self, const double *weight, double *out)
{
    const judge *g = self;
    const fl_ranked *r = g->r;
    uint32_t parts = g->parts;
    double sum[FL_JUDGED_MAX][FIGURES] = {{0}}, all[FL_JUDGED_MAX] = {0};
    uint32_t used = 0;
    for (size_t i = 0; i < r->n; i++) {
        double w = weight ? weight[i] : 1;
        if (w <= 0) continue;
        uint32_t p = r->part[i];
        all[p] += w;
        for (int s = 0; s < FL_RANKED; s++)
            for (int f = 0; f < FL_RANKED_FIGURES; f++)
                sum[p][s * FL_RANKED_FIGURES + f] += w * (double)r->row[i].figure[s][f];
    }
    memset(out, 0, DRAWN * sizeof *out);
    for (uint32_t p = 0; p < parts; p++) used += all[p] > 0;
    for (uint32_t p = 0; p < parts; p++)
        for (int k = 0; k < FIGURES && all[p] > 0; k++) out[k] += sum[p][k] / all[p] / used;
    for (int s = 1; s < FL_RANKED; s++)
        for (int f = 0; f < FL_RANKED_FIGURES; f++)
            out[FIGURES + (s - 1) * FL_RANKED_FIGURES + f] =
                out[f] - out[s * FL_RANKED_FIGURES + f];
}

florin_status fl_ranked_report(json_t *report, const fl_ranked *r, uint32_t parts,
                               const char *const label[FL_RANKED], uint32_t draws, uint64_t seed,
                               const florin_context *ctx, florin_error *err)
{
    fl_interval iv[DRAWN];
    judge g = {r, parts};
    florin_status st =
        fl_bootstrap_figures(iv, DRAWN, figures, &g, r->cluster, r->n, draws, seed, ctx, err);
    if (st) return st;
    json_t *systems = json_array(), *differences = json_array();
    for (int s = 0; s < FL_RANKED; s++) {
        json_t *metrics = json_object();
        for (int f = 0; f < FL_RANKED_FIGURES; f++)
            json_object_set_new(metrics, FIGURE[f],
                                fl_result_interval(&iv[s * FL_RANKED_FIGURES + f]));
        json_array_append_new(systems, json_pack("{s:s, s:s, s:o}", "name", NAME[s], "label",
                                                 label[s], "metrics", metrics));
    }
    for (int s = 1; s < FL_RANKED; s++)
        for (int f = 0; f < FL_RANKED_FIGURES; f++)
            json_array_append_new(
                differences, fl_result_difference(NAME[0], NAME[s], FIGURE[f],
                                                  &iv[FIGURES + (s - 1) * FL_RANKED_FIGURES + f]));
    json_object_set_new(report, "systems", systems);
    json_object_set_new(report, "differences", differences);
    return FLORIN_OK;
}

enum { BEFORE = 6, AFTER = 3, COLUMNS = BEFORE + FL_ITEMS_TOP + AFTER };

/* The texts of our ten items, column by column: text [FL_ITEMS_TOP][n]. */
static bool item_texts(const char **text, fl_arena *arena, const fl_ranked *r, const fl_baskets *b,
                       const fl_task *t, const fl_log *log)
{
    const char **name = fl_calloc((size_t)b->items.n + 1, sizeof *name);
    bool ok = name != NULL;
    for (uint32_t i = 0; ok && i < b->items.n; i++) {
        size_t len = 0;
        const char *v = fl_log_value_text(log, t->of, b->items.value[i], &len);
        char *copy = fl_arena_alloc(arena, len + 1);
        if ((ok = copy != NULL)) {
            if (v) memcpy(copy, v, len);
            copy[v ? len : 0] = 0;
            name[i] = copy;
        }
    }
    for (size_t i = 0; ok && i < r->n; i++)
        for (uint32_t k = 0; k < r->row[i].items; k++) text[k * r->n + i] = name[r->row[i].item[k]];
    free(name);
    return ok;
}

florin_status fl_ranked_scores(const char *path, const fl_ranked *r, const fl_baskets *b,
                               const fl_task *t, const fl_log *log, const florin_context *ctx,
                               florin_error *err)
{
    static const char *const number[] = {"recall_at_10", "own_global", "user_knn", "hit_at_10"};
    static const uint8_t system[] = {0, 1, 2, 0},
                         figure[] = {FL_RECALL, FL_RECALL, FL_RECALL, FL_HIT};
    fl_judged j = {
        .n = r->n, .row = r->entity, .cluster = r->cluster, .card = r->cluster, .task = t};
    fl_table_column col[COLUMNS] = {{"id", FL_DUCK_TEXT}, {"y", FL_DUCK_FLOAT}};
    const void *data[COLUMNS];
    char item[FL_ITEMS_TOP][16];
    fl_table_writer *w = NULL;
    fl_row_ids ids;
    fl_arena *arena = fl_arena_new(1 << 20);
    const char **text = fl_calloc(r->n + 1, FL_ITEMS_TOP * sizeof *text);
    double *v = fl_alloc(r->n + 1, FL_LEN(number) * sizeof *v);
    florin_status st = fl_result_ids(&ids, &j, log, err);
    if (!st && (!arena || !text || !v || !item_texts(text, arena, r, b, t, log)))
        st = fl_fail(err, FLORIN_ENOMEM, "scores");
    data[0] = ids.id;
    data[1] = r->size;
    for (size_t c = 0; !st && c < FL_LEN(number); c++) {
        for (size_t i = 0; i < r->n; i++)
            v[c * r->n + i] = (double)r->row[i].figure[system[c]][figure[c]];
        col[2 + c] = (fl_table_column){number[c], FL_DUCK_DOUBLE};
        data[2 + c] = v + c * r->n;
    }
    for (uint32_t k = 0; !st && k < FL_ITEMS_TOP; k++) {
        snprintf(item[k], sizeof item[k], "item_%u", k + 1);
        col[BEFORE + k] = (fl_table_column){item[k], FL_DUCK_TEXT};
        data[BEFORE + k] = text + k * r->n;
    }
    col[COLUMNS - 3] = (fl_table_column){"time", FL_DUCK_TIME_US};
    col[COLUMNS - 2] = (fl_table_column){"period", FL_DUCK_UINT32};
    col[COLUMNS - 1] = (fl_table_column){"cluster", FL_DUCK_TEXT};
    data[COLUMNS - 3] = r->time_us;
    data[COLUMNS - 2] = r->part;
    data[COLUMNS - 1] = ids.cluster;
    if (!st) st = fl_table_open(&w, path, col, COLUMNS, ctx, err);
    if (!st) st = fl_table_add(w, data, r->n, err);
    if (!st) st = fl_table_commit(w, err);
    else fl_table_abort(w);
    fl_result_ids_free(&ids);
    fl_arena_free(arena);
    free(text);
    free(v);
    return st;
}
