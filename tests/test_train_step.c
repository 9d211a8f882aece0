/* A training step: over many tiles of rows it gives what it gives over few, in every tier and in bf16 nearly what it
 * gives in fp32; it allocates nothing; training in bf16 gives the same bytes for any number of threads and after a
 * stop, and learns as much. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "train/worker.h"
#include <jansson.h>
#include <math.h>

enum { ALL_LANES = 16, ALL_STEPS = 40 }; /* 640 rows: three tiles */

typedef struct {
    fl_log *log;
    fl_rows *rows;
    fl_network *network;
    fl_fold_plan *plan;
    fl_net *net;
} fixture;

static fl_train_config small_config(void)
{
    fl_train_config c = fl_train_defaults();

    c.hidden = 24;
    c.width = 16;
    c.lanes = 8;
    c.window = 8;
    c.epochs = 3;
    c.valid_share = 0.2;
    return c;
}

/* dense: one softmax over the shops, wider than a panel. */
static void open_fixture(fixture *f, const char *name, bool dense)
{
    fl_train_config c = small_config();
    uint64_t hash[2000];
    florin_error err = {0};

    f->log = fixture_log(name, 1);
    if (fl_rows_build(&f->rows, &f->network, &f->plan, f->log, &c, scratch_folder(), NULL, &err))
        fail_msg("%s", err.message);
    for (uint32_t i = 0; i < 2000; i++) hash[i] = i + 1;
    fl_vocabulary *shops = &f->network->vocabulary[f->network->categories - 1];
    assert_int_equal(fl_vocabulary_set(shops, hash, 2000, 9, NULL), FLORIN_OK);
    f->network->dense = dense;
    assert_int_equal(fl_net_new(&f->net, f->network, &err), FLORIN_OK);
    fl_net_init(f->net, 3);
    for (uint32_t r = 0; r < f->rows->count; r++) /* shops from all clusters */
        f->rows->category[(size_t)(r + 1) * f->rows->categories - 1] =
            (uint32_t)(fl_mix64(r) % shops->tokens);
}

static void close_fixture(fixture *f)
{
    fl_net_free(f->net);
    fl_network_free(f->network);
    fl_fold_plan_free(f->plan);
    fl_rows_free(f->rows);
    fl_log_close(f->log);
}

static fl_packs *packs_of(const fixture *f, const fl_products *products, uint32_t parts)
{
    fl_packs *p;

    assert_non_null(products);
    assert_int_equal(fl_packs_new(&p, f->net, products, FL_PACK_HEADS | FL_PACK_BACKWARD, NULL),
                     FLORIN_OK);
    for (uint32_t i = 0; i < parts; i++) fl_packs_fill(p, f->net, i, parts);
    return p;
}

/* Lanes [first, first + lanes) of ALL_LANES, each a stretch of rows that begins anew now and then. */
static fl_worker *worker_of(const fixture *f, uint32_t first, uint32_t lanes)
{
    fl_worker *k;

    assert_int_equal(fl_worker_new(&k, f->net, lanes, ALL_STEPS, true, NULL), FLORIN_OK);
    fl_window *w = fl_worker_window(k);
    for (uint32_t t = 0; t < ALL_STEPS; t++)
        for (uint32_t l = 0; l < lanes; l++) {
            uint32_t at = t * lanes + l, row = 1 + (first + l) * 7 % 100 + t;
            w->row[at] = row;
            w->fresh[at] = (t + first + l) % 13 == 0;
            w->previous[at] = w->fresh[at] ? FL_NO_ROW : row - 1;
            w->weight[at] = (t + l) % 11 == 3 ? 0 : 1.0f / (float)(ALL_LANES * ALL_STEPS);
        }
    return k;
}

/* Distance of two arrays in units of the second one's length. */
static double apart(const float *a, const float *b, size_t n)
{
    double d = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    assert_true(size > 0);
    return sqrt(d / size);
}

/* One pass over all lanes: its gradient, and the nats. Caller frees. */
static float *gradient_of(const fixture *f, const fl_products *products, float *nats)
{
    fl_packs *packs = packs_of(f, products, 1);
    fl_worker *k = worker_of(f, 0, ALL_LANES);
    fl_pass pass = {.train = true, .packs = packs};
    float *g = fl_alloc(f->net->total, sizeof *g);

    fl_worker_pass(k, f->net, f->rows, &pass);
    memcpy(g, fl_worker_gradient(k), f->net->total * sizeof *g);
    memcpy(nats, fl_worker_nats(k), (size_t)ALL_LANES * ALL_STEPS * f->net->targets * sizeof *nats);
    fl_worker_free(k);
    fl_packs_free(packs);
    return g;
}

/* ---- tiles ---- */

/* All lanes in one worker, over three tiles, against each lane alone, in one tile: the nats of a row are the same bits. */
static void check_tiles(const char *name, bool dense)
{
    fixture f;
    size_t N = ALL_LANES * ALL_STEPS;

    open_fixture(&f, name, dense);
    uint32_t T = f.net->targets;
    float *nats = fl_calloc(N * T, sizeof *nats), *sum = fl_calloc(f.net->total, sizeof *sum);
    float *whole = gradient_of(&f, fl_products_get(NULL, false), nats);
    fl_packs *packs = packs_of(&f, fl_products_get(NULL, false), 3);
    fl_pass pass = {.train = true, .packs = packs};
    for (uint32_t l = 0; l < ALL_LANES; l++) {
        fl_worker *k = worker_of(&f, l, 1);
        for (uint32_t t = 0; t < ALL_STEPS; t++)
            fl_worker_window(k)->weight[t] =
                (t + l) % 11 == 3 ? 0 : 1.0f / (float)(ALL_LANES * ALL_STEPS);
        fl_worker_pass(k, f.net, f.rows, &pass);
        f.net->ops->add(sum, fl_worker_gradient(k), f.net->total);
        for (uint32_t t = 0; t < ALL_STEPS; t++)
            assert_memory_equal(fl_worker_nats(k) + t * T, nats + (t * ALL_LANES + l) * T,
                                T * sizeof *nats);
        fl_worker_free(k);
    }
    assert_true(apart(whole, sum, f.net->total) < 1e-5);
    fl_packs_free(packs);
    free(nats);
    free(sum);
    free(whole);
    close_fixture(&f);
}

static void test_tiles(void **state)
{
    (void)state;
    check_tiles("tiles.factored", false);
    check_tiles("tiles.dense", true);
}

/* ---- tiers and bf16 ---- */

/* Every tier against plain loops, and bf16, emulated where the CPU lacks it, against fp32. */
static void check_products(const char *name, bool dense)
{
    static const char *const tier[] = {"onednn", "avx512", "avx512bf16"};
    fixture f;

    open_fixture(&f, name, dense);
    size_t n = (size_t)ALL_LANES * ALL_STEPS * f.net->targets;
    float *nats[2] = {fl_calloc(n, sizeof(float)), fl_calloc(n, sizeof(float))},
          *got_nats = fl_calloc(n, sizeof(float)), *want[2];
    for (int bf16 = 0; bf16 < 2; bf16++) {
        want[bf16] = gradient_of(&f, fl_products_get("ref", bf16), nats[bf16]);
        for (size_t i = 0; i < FL_LEN(tier); i++) {
            const fl_products *p = fl_products_get(tier[i], bf16);
            if (!p) continue;
            float *got = gradient_of(&f, p, got_nats);
            double far = apart(got, want[bf16], f.net->total);
            /* In bf16 a last bit of a state decides how the next product rounds it. */
            if (far > (bf16 ? 5e-3 : 1e-5)) fail_msg("%s, bf16 %d: %.3g apart", tier[i], bf16, far);
            assert_true(apart(got_nats, nats[bf16], n) < (bf16 ? 1e-3 : 1e-5));
            free(got);
        }
    }
    double far = apart(want[1], want[0], f.net->total);
    if (!(far > 1e-5 && far < 0.02)) fail_msg("bf16 and fp32 are %.3g apart", far);
    assert_true(apart(nats[1], nats[0], n) < 3e-3);
    for (int i = 0; i < 2; i++) {
        free(nats[i]);
        free(want[i]);
    }
    free(got_nats);
    close_fixture(&f);
}

static void test_products(void **state)
{
    (void)state;
    check_products("products.factored", false);
    check_products("products.dense", true);
}

/* ---- memory ---- */

typedef struct {
    fixture *f;
    fl_team *team;
    fl_packs *packs;
    fl_worker *worker[4]; /* the payer's two, the payee's two */
} step;

static void run_step(void *arg, uint32_t thread)
{
    step *s = arg;

    fl_packs_fill(s->packs, s->f->net, thread, 2);
    fl_team_meet(s->team);
    for (int stream = 0; stream < FL_STREAMS; stream++) {
        fl_pass pass = {.stream = stream, .train = true, .packs = s->packs};
        fl_worker_pass(s->worker[2 * (uint32_t)stream + thread], s->f->net, s->f->rows, &pass);
    }
}

static void test_nothing_is_allocated(void **state)
{
    fixture f;
    fl_optimiser adam;
    step s = {.f = &f, .team = fl_team_new(2, true)};

    (void)state;
    open_fixture(&f, "allocation", false);
    if (fl_team_size(s.team) != 2) skip();
    s.packs = packs_of(&f, fl_products_get(NULL, false), 1);
    for (uint32_t i = 0; i < 4; i++) s.worker[i] = worker_of(&f, i % 2 * 8, 8);
    assert_int_equal(fl_optimiser_new(&adam, f.net, s.team, NULL), FLORIN_OK);
    adam.rate = 1e-3;
    adam.clip = 1;
    uint64_t before = allocation_count();
    for (int i = 0; i < 3; i++) {
        fl_team_run(s.team, run_step, &s);
        assert_true(fl_optimiser_step(&adam, f.net, s.worker, 4) > 0);
    }
    assert_int_equal(allocation_count(), before);
    for (uint32_t i = 0; i < 4; i++) fl_worker_free(s.worker[i]);
    fl_optimiser_free(&adam);
    fl_packs_free(s.packs);
    fl_team_free(s.team);
    close_fixture(&f);
}

/* ---- training in bf16 ---- */

static double train(const fl_log *log, const fl_train_config *c, const char *out, uint32_t threads,
                    bool resume, uint64_t stop_after)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_train_files files = {.out = out, .resume = resume, .stop_after = stop_after};
    florin_error err = {0};
    json_t *report = NULL;
    double nats = 0;

    ctx.threads = threads;
    florin_status st = fl_pretrain(log, c, &files, &ctx, &report, &err);
    if (st != (stop_after ? FLORIN_ECANCELLED : FLORIN_OK)) fail_msg("%s", err.message);
    const json_t *later =
        json_object_get(json_object_get(json_object_get(report, "metrics"), "payer"), "later");
    if (report) nats = json_number_value(json_object_get(json_object_get(later, "nats"), "sum"));
    json_decref(report);
    return nats;
}

static char *read_all(const char *path, size_t *n)
{
    char *text;

    assert_int_equal(fl_read_file(&text, n, path, (size_t)1 << 30, NULL), FLORIN_OK);
    return text;
}

static void test_bf16(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("bf16", 1);
    const char *out[3] = {scratch_path("one.model"), scratch_path("two.model"),
                          scratch_path("fp32.model")};
    char *text[3];
    size_t n[3];

    (void)state;
    double fp32 = train(log, &c, out[2], 2, false, 0);
    c.bf16 = true;
    double bf16 = train(log, &c, out[0], 1, false, 0);
    train(log, &c, out[1], 2, false, 4);
    train(log, &c, out[1], 2, true, 0);
    for (int i = 0; i < 3; i++) text[i] = read_all(out[i], &n[i]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    assert_false(n[0] == n[2] && !memcmp(text[0], text[2], n[0]));
    if (!(fp32 > 0 && fabs(bf16 / fp32 - 1) < 0.01))
        fail_msg("%.4f nats in bf16, %.4f in fp32", bf16, fp32);
    for (int i = 0; i < 3; i++) free(text[i]);
    fl_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_nothing_is_allocated),
        cmocka_unit_test(test_bf16),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
