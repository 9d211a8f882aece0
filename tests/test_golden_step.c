/* Three training steps against those that PyTorch made (tests/golden/pytorch_step.py): nats, states, gradients of every
 * parameter, the norm that is clipped, and the weights after AdamW. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "train/net.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>

enum {
    H = 5,
    D = 4,
    ROWS = 48,
    STEPS = 6,
    LANES = 4,
    PARTS = 2,
    WORKERS = 2 * PARTS,
    FEATURES = 3
};

/* ---- the stored file: a plain safetensors ---- */

typedef struct {
    char *bytes;
    size_t size;
    json_t *header;
    const char *data;
} golden;

static void golden_open(golden *g)
{
    char path[1024];
    uint64_t n;
    florin_error err = {0};
    const char *source = getenv("FLORIN_SOURCE");

    snprintf(path, sizeof path, "%s/tests/golden/pytorch_step.safetensors", source ? source : "..");
    if (fl_read_file(&g->bytes, &g->size, path, 1 << 24, &err)) fail_msg("%s", err.message);
    memcpy(&n, g->bytes, 8);
    g->header = json_loadb(g->bytes + 8, n, 0, NULL);
    assert_non_null(g->header);
    g->data = g->bytes + 8 + n;
}

/* A tensor of `bytes` bytes. */
static const void *stored(const golden *g, size_t bytes, const char *format, ...) FL_PRINTF(3, 4);
static const void *stored(const golden *g, size_t bytes, const char *format, ...)
{
    char name[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    const json_t *offsets = json_object_get(json_object_get(g->header, name), "data_offsets");
    if (!offsets) fail_msg("the golden file has no %s", name);
    size_t from = (size_t)json_integer_value(json_array_get(offsets, 0)),
           to = (size_t)json_integer_value(json_array_get(offsets, 1));
    if (to - from != bytes) fail_msg("%s has %zu bytes, not %zu", name, to - from, bytes);
    void *copy = guarded(bytes); /* aligned, and nothing beyond it */
    memcpy(copy, g->data + from, bytes);
    return copy;
}

/* Distance of two arrays in units of the stored one's length. */
static void same(const float *got, const float *want, size_t n, double tolerance, const char *what,
                 int step)
{
    double apart = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        apart += d * d;
        size += (double)want[i] * (double)want[i];
    }
    if (!(sqrt(apart) <= tolerance * sqrt(size) + 1e-9))
        fail_msg("step %d, %s: %.3g apart, size %.3g", step + 1, what, sqrt(apart), sqrt(size));
}

/* ---- the same network and rows ---- */

static fl_network *make_network(const fl_schema *s)
{
    static const uint32_t known[] = {5, 4, 253}, buckets[] = {0, 0, 7};
    uint64_t hash[253];
    fl_network *n;
    florin_error err = {0};

    for (uint32_t i = 0; i < 253; i++) hash[i] = i + 1;
    if (fl_network_new(&n, s, H, D, FEATURES, &err)) fail_msg("%s", err.message);
    assert_int_equal(n->categories, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(fl_vocabulary_set(&n->vocabulary[i], hash, known[i], buckets[i], NULL),
                         FLORIN_OK);
    n->copy = true;
    return n;
}

typedef struct {
    fl_rows rows;
} inputs;

static void make_rows(inputs *in, const golden *g, const fl_net *net)
{
    fl_rows *r = &in->rows;
    size_t T = net->targets;
    const float *share = stored(g, 2 * ROWS * T * sizeof(float), "rows/share");

    *r = (fl_rows){
        .count = ROWS, .train = ROWS, .categories = 3, .numbers = fl_network_numbers(net->network)};
    r->time_us = (int64_t *)(uintptr_t)stored(g, ROWS * 8, "rows/time_us");
    r->category = (uint32_t *)(uintptr_t)stored(g, ROWS * 3 * sizeof(uint32_t), "rows/category");
    r->small = (fl_small_tokens *)(uintptr_t)stored(g, ROWS * 5, "rows/small");
    r->number =
        (int16_t *)(uintptr_t)stored(g, ROWS * (size_t)r->numbers * sizeof(int16_t), "rows/fixed");
    for (int s = 0; s < 2; s++) r->stream[s].share = share + (size_t)s * ROWS * T;
}

/* Both streams see the same rows. */
static void fill_window(fl_worker *const *worker, const double *window)
{
    enum { SHARE = LANES / PARTS };

    for (uint32_t t = 0; t < STEPS; t++)
        for (uint32_t lane = 0; lane < 2 * LANES; lane++) {
            const double *v = window + (t * LANES + lane % LANES) * 4;
            fl_window *w = fl_worker_window(worker[lane / SHARE]);
            size_t at = t * SHARE + lane % SHARE;
            w->row[at] = (uint32_t)v[0];
            w->previous[at] = (uint32_t)v[1];
            w->fresh[at] = v[2] > 0;
            w->weight[at] = (float)v[3];
        }
}

/* ---- a step ---- */

static void check_pass(fl_worker *const *worker, const fl_net *net, const golden *g, int step,
                       const char *stream)
{
    enum { SHARE = LANES / PARTS };
    size_t T = net->targets;
    const float *nats = stored(g, STEPS * LANES * T * sizeof(float), "nats/%d/%s", step, stream);
    const float *state = stored(g, LANES * H * sizeof(float), "state/%d/%s", step, stream);

    for (uint32_t k = 0; k < PARTS; k++) {
        same(fl_worker_state(worker[k]), state + (size_t)k * SHARE * H, SHARE * H, 1e-5, "state",
             step);
        for (size_t t = 0; t < STEPS; t++)
            same(fl_worker_nats(worker[k]) + t * SHARE * T, nats + (t * LANES + k * SHARE) * T,
                 SHARE * T, 1e-5, "nats", step);
    }
}

/* Of every parameter: what the gradients of the workers that have one add up to. */
static void check_gradients(fl_worker *const *worker, const fl_net *net, const golden *g, int step)
{
    for (uint32_t i = 0; i < net->parameters; i++) {
        const fl_parameter *p = &net->list[i];
        size_t at = net->offset[i], n = p->rows * p->cols;
        float *sum = guarded_floats(n);
        for (uint32_t k = 0; k < WORKERS; k++) {
            const fl_net_stream *own = &net->stream[k / PARTS];
            if (at >= net->shared_to && (at < own->from || at >= own->to)) continue;
            net->ops->add(sum, fl_worker_gradient(worker[k]) + at, n);
        }
        same(sum, stored(g, n * sizeof(float), "gradient/%d/%s", step, p->name), n, 1e-5, p->name,
             step);
    }
}

static void one_step(fl_worker *const *worker, fl_net *net, inputs *in, fl_optimiser *adam,
                     const golden *g, int step)
{
    const double *window = stored(g, (size_t)3 * STEPS * LANES * 4 * sizeof(double), "window");
    fl_packs *packs;

    fill_window(worker, window + (size_t)step * STEPS * LANES * 4);
    assert_int_equal(fl_packs_new(&packs, net, fl_products_get(NULL, false),
                                  FL_PACK_HEADS | FL_PACK_BACKWARD, NULL),
                     FLORIN_OK);
    fl_packs_fill(packs, net, 0, 1);
    for (uint32_t k = 0; k < WORKERS; k++) {
        fl_pass pass = {.stream = k >= PARTS, .train = true, .packs = packs};
        fl_worker_pass(worker[k], net, &in->rows, &pass);
    }
    fl_packs_free(packs);
    check_pass(worker, net, g, step, "payer");
    check_pass(worker + PARTS, net, g, step, "payee");
    if (step != 1) check_gradients(worker, net, g, step);
    float norm = (float)fl_optimiser_step(adam, net, worker, WORKERS);
    same(&norm, stored(g, sizeof norm, "norm/%d", step), 1, 1e-5, "norm", step);
    assert_true((double)norm > adam->clip);
    for (uint32_t i = 0; i < net->parameters && step; i++) {
        const fl_parameter *p = &net->list[i];
        size_t n = p->rows * p->cols;
        same(net->w + net->offset[i], stored(g, n * sizeof(float), "after/%d/%s", step, p->name), n,
             1e-5, p->name, step);
    }
}

static void test_steps(void **state)
{
    golden g;
    inputs in = {0};
    fl_schema *schema = fixture_schema();
    fl_network *n = make_network(schema);
    fl_net *net;
    fl_worker *worker[WORKERS];

    (void)state;
    golden_open(&g);
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    make_rows(&in, &g, net);
    for (uint32_t i = 0; i < net->parameters; i++) {
        size_t bytes = net->list[i].rows * net->list[i].cols * sizeof(float);
        memcpy(net->w + net->offset[i], stored(&g, bytes, "start/%s", net->list[i].name), bytes);
    }
    const double *settings = stored(&g, 3 * sizeof(double), "settings");
    fl_team *team = fl_team_new(2, false);
    fl_optimiser adam;
    assert_non_null(team);
    assert_int_equal(fl_optimiser_new(&adam, net, team, NULL), FLORIN_OK);
    adam.rate = settings[0];
    adam.clip = settings[1];
    adam.decay = settings[2];
    for (uint32_t k = 0; k < WORKERS; k++)
        assert_int_equal(fl_worker_new(&worker[k], net, LANES / PARTS, STEPS, true, NULL),
                         FLORIN_OK);
    for (int step = 0; step < 3; step++) {
        if (step == 2) { /* anew */
            fl_optimiser_reset(&adam, net);
            for (uint32_t k = 0; k < WORKERS; k++)
                memset(fl_worker_state(worker[k]), 0, LANES / PARTS * H * sizeof(float));
        }
        one_step(worker, net, &in, &adam, &g, step);
    }
    for (uint32_t k = 0; k < WORKERS; k++) fl_worker_free(worker[k]);
    fl_optimiser_free(&adam);
    fl_team_free(team);
    fl_net_free(net);
    fl_network_free(n);
    fl_schema_free(schema);
    json_decref(g.header);
    free(g.bytes);
    guarded_free_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
