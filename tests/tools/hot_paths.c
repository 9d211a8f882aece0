/* Small fixed runs of the hot paths, for scripts/instructions.sh to count: hot_paths CASE TIER. What happens inside
 * measured_...() counts, unless said. Prints by how many events (rows, steps) the count is to be divided. */
#include "support/support.h"
#include "support/score_fixture.h"
#include "fold/velocity.h"
#include "train/train.h"
#include <stdio.h>

enum { WARM = 500, SCORED = 192, BATCH = 64, HIDDEN = 64, TREES = 100, STEPS = 6, VALUES = 64 };

#ifdef __clang__
#define MEASURED __attribute__((noinline))
#else
#define MEASURED __attribute__((noinline, noclone))
#endif

static void must(florin_status st, const florin_error *err)
{
    if (!st) return;
    fprintf(stderr, "hot_paths: %s\n", err->message);
    exit(st);
}

static fl_log *open_log(void)
{
    fl_log *log;
    florin_error err = {0};
    must(fl_log_open(&log, score_log(), &err), &err);
    return log;
}

/* ---- the fold of an event, with its labels ---- */

MEASURED static uint64_t measured_fold(fl_replay *r, float *features)
{
    fl_event e;
    uint64_t row, n = 0;
    while (fl_replay_next(r, &row, &e, features, NULL)) n++;
    return n;
}

static uint64_t fold(const char *tier)
{
    fl_log *log = open_log();
    fl_fold_plan *plan;
    fl_replay *r;
    fl_event e;
    uint64_t row;
    florin_error err = {0};
    (void)tier;
    must(fl_fold_plan_new(&plan, fl_log_schema(log), &err), &err);
    int64_t middle = fl_log_time_min(log) / 2 + fl_log_time_max(log) / 2;
    must(fl_fold_plan_fit(plan, log, middle, NULL, &err), &err);
    must(fl_replay_open(&r, plan, log, &err), &err);
    float *f = calloc(fl_fold_features(plan), sizeof *f);
    assert_non_null(f);
    for (int i = 0; i < WARM; i++) CHECK(fl_replay_next(r, &row, &e, f, NULL));
    uint64_t n = measured_fold(r, f);
    free(f);
    fl_replay_close(r);
    fl_fold_plan_free(plan);
    fl_log_close(log);
    return n;
}

MEASURED static uint64_t measured_velocity(fl_velocity *v)
{
    uint64_t row, n = 0;
    while (fl_velocity_next(v, &row)) n++;
    return n;
}

static uint64_t velocity(const char *tier)
{
    fl_log *log = open_log();
    const fl_schema *s = fl_log_schema(log);
    fl_velocity *v;
    florin_error err = {0};
    (void)tier;
    must(fl_velocity_open(&v, log, fl_schema_role(s, FL_ROLE_PAYER),
                          fl_schema_role(s, FL_ROLE_PAYEE), s->risk_label, &err),
         &err);
    uint64_t n = measured_velocity(v);
    fl_velocity_close(v);
    fl_log_close(log);
    return n;
}

/* ---- scoring ---- */

typedef struct {
    florin_event event[BATCH];
    florin_value value[BATCH][VALUES];
    char text[BATCH][VALUES][96], id[BATCH][96];
} batch;

/* A copy of what a feed gives, for the feed writes over it. */
static void keep(batch *b, uint32_t i, const florin_event *e)
{
    b->event[i] = *e;
    b->event[i].values = b->value[i];
    b->event[i].id = memcpy(b->id[i], e->id, e->id_n);
    for (uint32_t v = 0; v < e->n_values; v++) {
        b->value[i][v] = e->values[v];
        if (e->values[v].text)
            b->value[i][v].text = memcpy(b->text[i][v], e->values[v].text, e->values[v].n);
    }
}

MEASURED static void measured_score(florin_scorer *s, const florin_event *e, uint32_t n,
                                    florin_head_score *out)
{
    florin_status item[BATCH];
    florin_error err = {0};
    must(florin_score(s, e, n, out, item, &err), &err);
}

static void not_measured(florin_scorer *s, const florin_event *e, florin_head_score *out)
{
    florin_status item;
    florin_error err = {0};
    must(florin_score(s, e, 1, out, &item, &err), &err);
}

static uint64_t score_in(uint32_t size, const char *tier)
{
    static batch b;
    const char *path = scratch_path("model");
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_model *model;
    florin_scorer *s;
    florin_event e;
    florin_label_arrival l;
    florin_error err = {0};
    score_feed f;
    uint32_t filled = 0;
    uint64_t events = 0;
    o.entities_max = 5000;
    o.pairs_max = o.pending_max = 5000;
    score_model_of(path, score_log(), HIDDEN, TREES, 5, 77);
    must(florin_model_open(&model, path, tier, &err), &err);
    must(florin_scorer_open(&s, model, &o, &err), &err);
    florin_head_score *out = calloc((size_t)BATCH * florin_scorer_heads(s), sizeof *out);
    assert_non_null(out);
    score_feed_open(&f, score_log(), s);
    while (events < WARM + SCORED) {
        fl_step step = score_feed_next(&f, &e, &l);
        if (step == FL_STEP_LABEL) continue;
        CHECK(step == FL_STEP_EVENT);
        if (events++ < WARM) {
            not_measured(s, &e, out);
            continue;
        }
        keep(&b, filled, &e);
        if (++filled < size) continue;
        measured_score(s, b.event, size, out);
        filled = 0;
    }
    score_feed_close(&f);
    free(out);
    florin_scorer_close(s);
    florin_model_close(model);
    return SCORED;
}

static uint64_t score(const char *tier)
{
    return score_in(1, tier);
}
static uint64_t score64(const char *tier)
{
    return score_in(BATCH, tier);
}

/* ---- a training step: fl_worker_pass and fl_optimiser_step count, validations included ---- */

/* In place of oneDNN's products (linked by --wrap): valgrind is hundreds of times too slow for them, and they are not
 * this project's instructions. Products are zero. */
void __wrap_fl_sgemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                     size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);
void __wrap_fl_sgemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
                     size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    (void)ta, (void)tb, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb;
    for (size_t i = 0; i < m && beta == 0; i++) memset(c + i * ldc, 0, n * sizeof *c);
}

static uint64_t train(const char *tier)
{
    fl_log *log = open_log();
    fl_train_config c = fl_train_defaults();
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_train_files files = {.out = scratch_path("trained"), .checkpoint_s = 1e9};
    json_t *report = NULL;
    florin_error err = {0};
    (void)tier; /* training takes the best */
    ctx.threads = 1;
    c.hidden = c.width = HIDDEN;
    c.lanes = 16;
    c.window = 16;
    c.steps = STEPS;
    c.patience = 0;
    must(fl_pretrain(log, &c, &files, &ctx, &report, &err), &err);
    json_decref(report);
    fl_log_close(log);
    return STEPS;
}

/* ---- import of a small table: the whole program counts, for the work is on several threads ---- */

enum { ROWS = 4000 };

static uint64_t import(const char *tier)
{
    static const char schema[] = "florin: 1\nname: small\ncurrency: EUR\nentities:\n"
                                 "  card: {role: payer}\n  shop: {role: payee}\nsources:\n"
                                 "  payment:\n    file: %s\n    id: id\n    time: at\n"
                                 "    amount: amount\n    entities: {card: card, shop: shop}\n"
                                 "    categories: {kind: kind}\n    labels:\n"
                                 "      fraud: {column: fraud, delay: 7d}\n";
    char *table = malloc(ROWS * 96), *text = malloc(sizeof schema + 4096);
    size_t n = 0;
    florin_import_options o = {.size = sizeof o};
    florin_context ctx = FLORIN_CONTEXT_INIT;
    florin_error err = {0};
    (void)tier;
    assert_non_null(table);
    assert_non_null(text);
    n += (size_t)sprintf(table, "id,at,amount,card,shop,kind,fraud\n");
    for (int i = 0; i < ROWS; i++)
        n += (size_t)sprintf(table + n, "%d,2025-01-%02d %02d:%02d:%02d,%d.%02d,c%d,s%d,k%d,%d\n",
                             i, 1 + i * 28 / ROWS, i / 60 % 24, i % 60, i * 7 % 60, i * 37 % 900,
                             i * 13 % 100, i * 31 % 700, i * 17 % 90, i % 11, i % 97 == 0);
    int m = sprintf(text, schema, scratch_file("table.csv", table, n));
    o.schema = scratch_file("schema.yaml", text, (size_t)m);
    o.log = scratch_path("imported");
    ctx.threads = 1;
    must(florin_import(&ctx, &o, &err), &err);
    free(table);
    free(text);
    return ROWS;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t (*run)(const char *tier);
    } cases[] = {{"fold", fold},       {"velocity", velocity}, {"score", score},
                 {"score64", score64}, {"train", train},       {"import", import}};
    for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(argv[1], cases[i].name)) continue;
        printf("%llu\n", (unsigned long long)cases[i].run(strcmp(argv[2], "-") ? argv[2] : NULL));
        return 0;
    }
    fprintf(stderr, "usage: hot_paths fold|velocity|score|score64|train|import TIER|-\n");
    return 2;
}
