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

/* Means over the rows of a period, then over the periods; weight NULL: ones. */
static void figures(const fl_ranked *r, uint32_t parts, const double *weight, double out[DRAWN])
{
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

/* Clusters as numbers from 0; their number. 0: no memory. */
static uint32_t dense_clusters(const fl_ranked *r, uint32_t *out)
{
    fl_map64 at = {0};
    uint32_t n = 0;
    bool ok = fl_map64_init(&at, 1024);
    for (size_t i = 0; ok && i < r->n; i++) {
        bool inserted;
        uint32_t *c = fl_map64_insert(&at, fl_mix64(r->cluster[i] + 1) | 1, &inserted);
        ok = c != NULL;
        if (ok && inserted) *c = n++;
        if (ok) out[i] = *c;
    }
    fl_map64_free(&at);
    return ok ? n : 0;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static florin_status bootstrap(fl_interval out[DRAWN], const fl_ranked *r, uint32_t parts,
                               uint32_t draws, uint64_t seed, const florin_context *ctx,
                               florin_error *err)
{
    uint32_t *cluster = fl_alloc(r->n + 1, sizeof *cluster), done = 0;
    uint32_t n = cluster ? dense_clusters(r, cluster) : 0;
    double *times = fl_alloc((size_t)n + 1, sizeof *times),
           *weight = fl_alloc(r->n + 1, sizeof *weight),
           *kept = fl_alloc((size_t)draws + 1, DRAWN * sizeof *kept), one[DRAWN];
    florin_status st =
        n && times && weight && kept ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "bootstrap");
    fl_rng rng;
    fl_rng_seed(&rng, seed);
    for (; !st && done < draws && !fl_cancelled(ctx); done++) {
        memset(times, 0, n * sizeof *times);
        for (uint32_t c = 0; c < n; c++) times[fl_rng_below(&rng, n)] += 1;
        for (size_t i = 0; i < r->n; i++) weight[i] = times[cluster[i]];
        figures(r, parts, weight, one);
        for (int k = 0; k < DRAWN; k++) kept[(size_t)k * draws + done] = one[k];
        fl_progress(ctx, "bootstrap", done + 1, draws);
    }
    if (!st) figures(r, parts, NULL, one);
    for (int k = 0; !st && k < DRAWN; k++) {
        double *v = kept + (size_t)k * draws;
        out[k] = (fl_interval){one[k], one[k], one[k]};
        if (done < 20) continue;
        qsort(v, done, sizeof *v, rising);
        out[k].low = v[(size_t)(.025 * (done - 1))];
        out[k].high = v[(size_t)ceil(.975 * (done - 1))];
    }
    free(cluster);
    free(times);
    free(weight);
    free(kept);
    return st;
}

florin_status fl_ranked_report(json_t *report, const fl_ranked *r, uint32_t parts,
                               const char *const label[FL_RANKED], uint32_t draws, uint64_t seed,
                               const florin_context *ctx, florin_error *err)
{
    fl_interval iv[DRAWN];
    florin_status st = bootstrap(iv, r, parts, draws, seed, ctx, err);
    if (st) return st;
    json_t *systems = json_array(), *differences = json_array();
    for (int s = 0; s < FL_RANKED; s++) {
        json_t *metrics = json_object();
        for (int f = 0; f < FL_RANKED_FIGURES; f++) {
            const fl_interval *v = &iv[s * FL_RANKED_FIGURES + f];
            json_object_set_new(
                metrics, FIGURE[f],
                json_pack("{s:f, s:f, s:f}", "value", v->value, "low", v->low, "high", v->high));
        }
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
