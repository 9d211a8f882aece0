/* florin doctor --bench: the machine's measured peaks, then each kernel, the fold and a forest beside what bounds it. */
#include "api/doctor_bench.h"
#include "data/simulate.h"
#include "fold/fold.h"
#include "kernels/standing.h"
#include "task/forest.h"

#include <sched.h>
#include <stdio.h>

static const char *const op_name[FL_PEAK_KINDS] = {"fp32", "bf16", "int8"};
static const char *const level_name[FL_PEAK_LEVELS] = {"L1", "L2", "L3", "memory"};

/* Three significant digits: what a short measurement is worth. */
static json_t *measured(double x)
{
    char text[32];

    snprintf(text, sizeof text, "%.3g", x);
    return json_real(strtod(text, NULL));
}

/* ---- the fold and a forest ---- */

enum { ENTITIES = 4096, FOLD_EVENTS = 64, TREES = 200, DEPTH = 6, COLUMNS = 64 };

typedef struct {
    fl_schema *schema;
    fl_fold_plan *plan;
    fl_fold_record *record, *pair; /* [ENTITIES] for each kind and pair of the schema */
    float *feature;
    fl_rng random;
    int64_t now_us;
    fl_forest forest;
    fl_forest_walk walk;
    float row[COLUMNS];
} load;

static void fold_events(void *arg, uint32_t thread)
{
    load *x = arg;

    (void)thread;
    for (int i = 0; i < FOLD_EVENTS; i++) {
        fl_fold_record *rec[FL_KINDS_MAX] = {NULL}, *pair[FL_PAIRS_MAX] = {NULL};
        fl_event e = {.time_us = x->now_us += FL_SECOND_US};
        fl_fold_carry carry;
        e.amount_minor = 1 + (int64_t)fl_rng_below(&x->random, 20000);
        for (uint32_t k = 0; k < x->schema->kinds; k++) {
            e.entity[k] = (uint32_t)fl_rng_below(&x->random, ENTITIES);
            e.entity_hash[k] = fl_mix64(k * ENTITIES + e.entity[k] + 1);
            rec[k] = x->record + k * ENTITIES + e.entity[k];
        }
        for (uint32_t p = 0; p < x->schema->pairs; p++)
            pair[p] = x->pair + p * ENTITIES + fl_rng_below(&x->random, ENTITIES);
        fl_fold_event(x->plan, rec, pair, &e, e.time_us, x->feature, &carry);
    }
}

static florin_status load_fold(load *x, florin_error *err)
{
    florin_status st = fl_schema_parse(&x->schema, fl_sim_schema, strlen(fl_sim_schema),
                                       "the simulated schema", err);

    if (!st) st = fl_fold_plan_new(&x->plan, x->schema, err);
    if (st) return st;
    x->record = fl_alloc_aligned((size_t)x->schema->kinds * ENTITIES, sizeof *x->record);
    x->pair = fl_alloc_aligned((size_t)x->schema->pairs * ENTITIES + 1, sizeof *x->pair);
    x->feature = fl_calloc(fl_fold_features(x->plan), sizeof *x->feature);
    x->now_us = 20000 * FL_DAY_US;
    if (!x->record || !x->pair || !x->feature) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    return FLORIN_OK;
}

static void walk_forest(void *arg, uint32_t thread)
{
    load *x = arg;
    float margin;

    (void)thread;
    x->row[fl_rng_below(&x->random, COLUMNS)] = (float)fl_rng_normal(&x->random);
    fl_forest_walk_margin(&x->walk, x->row, &margin);
}

/* Complete trees over random columns and splits. */
static florin_status load_forest(load *x, florin_error *err)
{
    enum { NODES = (2 << DEPTH) - 1, INNER = (1 << DEPTH) - 1 };
    fl_forest *f = &x->forest;
    uint32_t column[COLUMNS];

    *f = (fl_forest){.trees = TREES, .nodes = TREES * NODES, .features = COLUMNS};
    f->root = fl_calloc(TREES, sizeof *f->root);
    f->node = fl_calloc(f->nodes, sizeof *f->node);
    if (!f->root || !f->node) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    for (uint32_t t = 0; t < TREES; t++) {
        f->root[t] = t * NODES;
        for (uint32_t i = 0; i < NODES; i++) {
            fl_node *n = &f->node[t * NODES + i];
            n->split = (float)fl_rng_normal(&x->random);
            n->feature = i < INNER ? (uint32_t)fl_rng_below(&x->random, COLUMNS) : FL_LEAF;
            n->left = i < INNER ? t * NODES + 2 * i + 1 : 0;
            n->right = i < INNER ? t * NODES + 2 * i + 2 : 0;
        }
    }
    for (uint32_t c = 0; c < COLUMNS; c++) column[c] = c;
    return fl_forest_walk_init(&x->walk, f, column, err);
}

static void load_free(load *x)
{
    fl_forest_walk_free(&x->walk);
    fl_forest_free(&x->forest);
    free(x->record);
    free(x->pair);
    free(x->feature);
    fl_fold_plan_free(x->plan);
    fl_schema_free(x->schema);
}

/* ---- JSON ---- */

static json_t *peaks_json(const fl_peaks *p, uint32_t threads)
{
    json_t *j = json_object(), *ops = json_object(), *read = json_object(), *ns = json_object();

    for (int i = 0; i < FL_PEAK_KINDS; i++)
        if (p->giga_ops[i] > 0) json_object_set_new(ops, op_name[i], measured(p->giga_ops[i]));
    for (int i = 0; i < FL_PEAK_LEVELS; i++) {
        json_object_set_new(read, level_name[i], measured(p->read[i]));
        if (p->nanoseconds[i] > 0)
            json_object_set_new(ns, level_name[i], measured(p->nanoseconds[i]));
    }
    json_object_set_new(j, "threads", json_integer(threads));
    json_object_set_new(j, "giga_ops", ops);
    json_object_set_new(j, "read_gb_s", read);
    if (json_object_size(ns)) json_object_set(j, "latency_ns", ns);
    json_decref(ns);
    return j;
}

static void add_standing(json_t *list, const fl_standing *s)
{
    json_t *j = json_object();

    json_object_set_new(j, "work", json_string(s->work));
    if (s->tier) json_object_set_new(j, "tier", json_string(s->tier));
    json_object_set_new(j, "threads", json_integer(s->threads));
    json_object_set_new(j, "rate", measured(s->rate));
    json_object_set_new(j, "unit", json_string(s->unit));
    if (s->limit > 0) {
        json_object_set_new(j, "bound", json_string(s->bound));
        json_object_set_new(j, "limit", measured(s->limit));
        json_object_set_new(j, "share", measured(s->rate / s->limit));
    }
    json_array_append_new(list, j);
}

static florin_status add_loads(json_t *list, fl_team *alone, const florin_context *ctx,
                               florin_error *err)
{
    load x = {0};
    fl_rng_seed(&x.random, 1);
    florin_status st = load_fold(&x, err);

    if (!st) st = load_forest(&x, err);
    if (!st) {
        double us = fl_peak_best_us(alone, fold_events, &x, ctx);
        add_standing(list, &(fl_standing){.work = "fold, the simulated schema",
                                          .threads = 1,
                                          .rate = FOLD_EVENTS / us * 1e3,
                                          .unit = "k events/s"});
        us = fl_peak_best_us(alone, walk_forest, &x, ctx);
        add_standing(list, &(fl_standing){.work = "forest, 200 trees of depth 6",
                                          .threads = 1,
                                          .rate = 1e3 / us,
                                          .unit = "k rows/s"});
    }
    load_free(&x);
    return st;
}

static uint32_t usable_threads(const florin_context *ctx)
{
    cpu_set_t set;
    uint32_t wanted = fl_threads(ctx),
             cores = sched_getaffinity(0, sizeof set, &set) ? 1 : (uint32_t)CPU_COUNT(&set);

    return wanted < cores ? wanted : cores;
}

florin_status fl_doctor_bench(json_t **out, const florin_context *ctx, florin_error *err)
{
    fl_team *alone = fl_team_new(1, false), *team = fl_team_new(usable_threads(ctx), true);
    fl_peaks one, all;
    fl_standing standing[FL_STANDINGS_MAX];
    json_t *peaks = json_array(), *kernels = json_array();
    florin_status st = FLORIN_OK;
    uint32_t n = 0;

    *out = NULL;
    if (!ctx || !ctx->monotonic_us) {
        st = fl_fail(err, FLORIN_EUSAGE,
                     "the doctor can't measure without a clock: set the context's monotonic_us");
    } else if (!alone || !team || !fl_peaks_measure(&one, alone, ctx) ||
               !fl_peaks_measure(&all, team, ctx) ||
               !(n = fl_standings(standing, alone, &one, team, &all, ctx))) {
        st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    } else {
        json_array_append_new(peaks, peaks_json(&one, 1));
        if (fl_team_size(team) > 1)
            json_array_append_new(peaks, peaks_json(&all, fl_team_size(team)));
        for (uint32_t i = 0; i < n; i++) add_standing(kernels, &standing[i]);
        st = add_loads(kernels, alone, ctx, err);
    }
    if (!st) *out = json_pack("{s:O,s:O}", "peaks", peaks, "kernels", kernels);
    json_decref(peaks);
    json_decref(kernels);
    fl_team_free(alone);
    fl_team_free(team);
    return st;
}

/* ---- text ---- */

static void numbers(const florin_context *ctx, const char *title, const json_t *values,
                    const char *unit)
{
    const char *key;
    json_t *v;

    fl_writef(ctx, "%s", title);
    json_object_foreach((json_t *)(uintptr_t)values, key, v)
        fl_writef(ctx, "  %s %.4g", key, json_number_value(v));
    fl_writef(ctx, "  %s\n", unit);
}

void fl_doctor_bench_text(const florin_context *ctx, const json_t *bench)
{
    const json_t *v, *latency;
    size_t i;

    json_array_foreach(json_object_get(bench, "peaks"), i, v)
    {
        int threads = (int)fl_json_int(v, "threads", 1);
        fl_writef(ctx, "\npeaks of %d thread%s\n", threads, threads > 1 ? "s" : "");
        numbers(ctx, "  products ", json_object_get(v, "giga_ops"), "billion operations/s");
        numbers(ctx, "  reads    ", json_object_get(v, "read_gb_s"), "GB/s");
        if ((latency = json_object_get(v, "latency_ns")))
            numbers(ctx, "  latency  ", latency, "ns");
    }
    fl_writef(ctx, "\n%-48s %-10s %7s %9s %-10s %6s of\n", "kernel", "tier", "threads", "rate", "",
              "share");
    json_array_foreach(json_object_get(bench, "kernels"), i, v)
    {
        double limit = fl_json_num(v, "limit", 0);
        fl_writef(ctx, "%-48s %-10s %7d %9.4g %-10s ", fl_json_str(v, "work", ""),
                  fl_json_str(v, "tier", ""), (int)fl_json_int(v, "threads", 1),
                  fl_json_num(v, "rate", 0), fl_json_str(v, "unit", ""));
        if (limit > 0)
            fl_writef(ctx, "%5.0f%% %s\n", 100 * fl_json_num(v, "share", 0),
                      fl_json_str(v, "bound", ""));
        else fl_writef(ctx, "%6s\n", "-");
    }
}
