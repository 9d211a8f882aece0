/* Objectives beside the next event: gradients against finite differences, the same bytes whatever the threads and after a
 * stop, no event that may not be trained on, what they are for, and what is refused. */
#include "support/support.h"
#include "support/gradient.h"
#include "support/model_fixture.h"
#include "support/train_fixture.h"
#include "base/file.h"
#include "model/file.h"
#include <jansson.h>
#include <math.h>

typedef struct {
    fl_train_config config;
    fl_rows *rows;
    fl_network *network;
    fl_fold_plan *plan;
    fl_log *log;
} fixture;

static void open_fixture(fixture *f, const char *name)
{
    f->config = small_train_config();
    fixture_rows(&f->config, &f->rows, &f->network, &f->plan, &f->log, name);
}

static void close_fixture(fixture *f)
{
    fixture_rows_free(f->rows, f->network, f->plan, f->log);
}

/* ---- slices ---- */

static fl_worker *slice_worker(const fl_net *net, const fl_slices *s, uint64_t seed, uint32_t *n)
{
    fl_worker *k;

    assert_int_equal(fl_worker_new(&k, net, fl_slices_lanes(0), FL_SLICE_STEPS, true, NULL),
                     FLORIN_OK);
    *n = fl_slices_fill(s, &k, 1, seed);
    return k;
}

/* Each slice: a run of one entity's rows in order, from the zero state, that may be trained on; slices come in pairs. */
static void test_slices(void **state)
{
    fixture f;
    fl_net *net;
    fl_slices *s;
    uint32_t all = 0;

    (void)state;
    open_fixture(&f, "slices");
    assert_int_equal(fl_net_new(&net, f.network, NULL), FLORIN_OK);
    assert_int_equal(fl_slices_new(&s, f.rows, 0, NULL), FLORIN_OK);
    assert_true(s->entities > 3);
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint32_t n, found = 0;
        fl_worker *k = slice_worker(net, s, seed, &n);
        const fl_window *w = fl_worker_window(k);
        uint32_t pairs[4096] = {0};
        for (uint32_t lane = 0; lane < w->lanes; lane++) {
            uint32_t length = 0;
            for (uint32_t t = 0; t < w->steps; t++) {
                size_t at = (size_t)t * w->lanes + lane;
                assert_true(w->row[at] < f.rows->train);
                if (w->fresh[at]) length = 0;
                else assert_int_equal(w->previous[at], w->row[at - w->lanes]);
                length++;
                if (!w->slice[at]) continue;
                uint32_t e = w->slice[at] - 1;
                assert_true(length >= 2 && length <= FL_SLICE_MOST);
                assert_false(f.rows->stream[0].unseen[e]);
                bool its = false;
                for (uint64_t i = f.rows->stream[0].start[e]; i < f.rows->stream[0].start[e + 1];
                     i++)
                    its |= f.rows->stream[0].row[i] == w->row[at];
                assert_true(its);
                pairs[e]++;
                found++;
            }
        }
        assert_int_equal(found, n);
        for (uint32_t e = 0; e < 4096; e++) assert_int_equal(pairs[e] % 2, 0);
        all += n;
        fl_worker_free(k);
    }
    assert_true(all > 200);
    fl_slices_free(s);
    fl_net_free(net);
    close_fixture(&f);
}

static void check_contrast(int stream)
{
    fixture f;
    fl_net *net;
    fl_slices *s;
    fl_rng r;
    uint32_t n, moved = 0;

    open_fixture(&f, stream ? "contrast.payee" : "contrast.payer");
    assert_int_equal(fl_net_new(&net, f.network, NULL), FLORIN_OK);
    fl_net_init(net, 4); /* no unit of the encoder sits at its kink */
    fl_rng_seed(&r, 5);
    assert_int_equal(fl_slices_new(&s, f.rows, stream, NULL), FLORIN_OK);
    fl_worker *k = slice_worker(net, s, 9, &n);
    gradient_point p = {.k = k,
                        .net = net,
                        .rows = f.rows,
                        .pass = {.stream = stream,
                                 .train = true,
                                 .seed = 77,
                                 .dropout = .2,
                                 .states_alone = true,
                                 .contrast = 1.0f / (float)n},
                        .states = (size_t)fl_slices_lanes(0) * f.network->h,
                        .step = 2e-3};
    p.state = fl_calloc(p.states, sizeof *p.state);
    assert_true(gradient_loss(&p) > .1);
    float *gradient = fl_alloc(net->total, sizeof *gradient);
    memcpy(gradient, fl_worker_gradient(k), net->total * sizeof *gradient);
    const fl_net_stream *own = &net->stream[stream];
    for (uint32_t i = 0; i < net->parameters; i++) {
        size_t at = net->offset[i], size = net->list[i].rows * net->list[i].cols;
        double norm = 0;
        if (!(at < net->shared_to || (at >= own->from && at < own->to))) continue;
        gradient_check(&p, i, gradient, &r);
        for (size_t j = 0; j < size; j++) norm += fabs((double)gradient[at + j]);
        moved += norm > 0;
        if (at >= own->dense_w) assert_true(norm == 0); /* heads stay */
    }
    assert_true(moved >= 15);
    free(gradient);
    free(p.state);
    fl_worker_free(k);
    fl_slices_free(s);
    fl_net_free(net);
    close_fixture(&f);
}

static void test_contrast(void **state)
{
    (void)state;
    check_contrast(0);
    check_contrast(1);
}

/* ---- several future events ---- */

static void check_ahead(int stream, uint32_t events)
{
    fixture f;
    fl_net *net;
    fl_ahead *a;
    fl_lanes *lanes;
    fl_worker *k;
    fl_rng r;
    uint32_t checked = 0;

    open_fixture(&f, stream ? "ahead.payee" : "ahead.payer");
    assert_int_equal(fl_net_new_ahead(&net, f.network, NULL), FLORIN_OK);
    assert_int_equal(fl_ahead_new(&a, f.rows, net, events, NULL), FLORIN_OK);
    fl_net_init(net, 3);
    fl_ahead_bias(a, net, stream);
    fl_rng_seed(&r, 5);
    for (uint32_t i = net->own; i < net->parameters; i++)
        for (size_t j = 0; j < net->list[i].rows * net->list[i].cols; j++)
            net->w[net->offset[i] + j] += (float)fl_rng_normal(&r) * .3f;
    assert_int_equal(fl_worker_new(&k, net, 6, 7, true, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&lanes, f.rows, stream, 6, 1, NULL), FLORIN_OK);
    fl_lanes_next(lanes, &k, 1, 7);
    gradient_point p = {
        .k = k,
        .net = net,
        .rows = f.rows,
        .pass = {.stream = stream, .train = true, .seed = 77, .ahead = a, .ahead_weight = .4f},
        .states = (size_t)6 * f.network->h};
    p.state = fl_calloc(p.states, sizeof *p.state);
    gradient_loss(&p);
    assert_true(fl_worker_ahead_loss(k) > 0);
    float *gradient = fl_alloc(net->total, sizeof *gradient);
    memcpy(gradient, fl_worker_gradient(k), net->total * sizeof *gradient);
    const fl_net_stream *own = &net->stream[stream];
    for (uint32_t i = 0; i < net->parameters; i++) {
        size_t at = net->offset[i];
        if (!(at < net->shared_to || (at >= own->from && at < own->to))) continue;
        gradient_check(&p, i, gradient, &r);
        checked += i >= net->own;
    }
    assert_int_equal(checked, 2);
    free(gradient);
    free(p.state);
    fl_worker_free(k);
    fl_lanes_free(lanes);
    fl_ahead_free(a);
    fl_net_free(net);
    close_fixture(&f);
}

static void test_ahead(void **state)
{
    (void)state;
    check_ahead(0, 3);
    check_ahead(1, 1);
}

/* ---- where histories break off ---- */

/* Each row that may be trained on: its entity's next gap, FL_GAP_NEVER at the last one; and shares that are shares. */
static void check_returns(const fl_rows *rows, const fl_sequences *q)
{
    uint64_t never = 0, entities = 0, all = 0, over = 0;

    for (uint32_t e = 0; e < q->entities; e++) {
        entities += q->start[e] < q->start[e + 1] && q->row[q->start[e]] < rows->train;
        for (uint64_t i = q->start[e]; i < q->start[e + 1] && q->row[i] < rows->train; i++) {
            const fl_return *next = &q->next[q->row[i]];
            bool last = i + 1 == q->start[e + 1] || q->row[i + 1] >= rows->train;
            assert_int_equal(next->gap,
                             last ? FL_GAP_NEVER : fl_rows_gap(rows, q->row[i + 1], q->row[i]));
            assert_true(next->answer >= 0 && next->moments <= 1 + 1e-6f);
            if (next->gap != FL_GAP_SAME) assert_true(next->answer <= next->moments + 1e-6f);
            never += last;
            all += !q->unseen[e];
            over += !q->unseen[e] && next->gap != FL_GAP_SAME;
        }
    }
    assert_true(never > 3 && never == entities);
    assert_true(fabs(q->moments - (double)all / (double)over) < 1e-9);
}

static void check_silence(int stream)
{
    enum { LANES = 6, STEPS = 60 };
    fixture f;
    fl_net *net;
    fl_lanes *lanes;
    fl_worker *k;
    fl_rng r;

    open_fixture(&f, stream ? "silence.payee" : "silence.payer");
    check_returns(f.rows, &f.rows->stream[stream]);
    f.rows->stream[stream].moments = 3; /* returns count too */
    assert_int_equal(fl_net_new(&net, f.network, NULL), FLORIN_OK);
    fl_net_init(net, 3);
    fl_rng_seed(&r, 5);
    const fl_net_stream *own = &net->stream[stream];
    for (size_t i = own->dense_w; i < own->to; i++) net->w[i] += (float)fl_rng_normal(&r) * .1f;
    assert_int_equal(fl_worker_new(&k, net, LANES, STEPS, true, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&lanes, f.rows, stream, LANES, 1, NULL), FLORIN_OK);
    fl_lanes_next(lanes, &k, 1, STEPS);
    gradient_point p = {.k = k,
                        .net = net,
                        .rows = f.rows,
                        .pass = {.stream = stream, .train = true, .seed = 77, .silence = 5},
                        .states = (size_t)LANES * f.network->h};
    p.state = fl_calloc(p.states, sizeof *p.state);
    gradient_loss(&p);
    assert_true(fl_worker_silence_loss(k) > .1);
    float *gradient = fl_alloc(net->total, sizeof *gradient);
    memcpy(gradient, fl_worker_gradient(k), net->total * sizeof *gradient);
    for (uint32_t i = 0; i < net->parameters; i++) {
        size_t at = net->offset[i];
        if (at < net->shared_to || (at >= own->from && at < own->to))
            gradient_check(&p, i, gradient, &r);
    }
    free(gradient);
    free(p.state);
    fl_worker_free(k);
    fl_lanes_free(lanes);
    fl_net_free(net);
    close_fixture(&f);
}

static void test_silence(void **state)
{
    (void)state;
    check_silence(0);
    check_silence(1);
}

/* Next rows are the entity's own, in order, and none lies at or after what may be trained on. */
static void test_next_rows(void **state)
{
    fixture f;
    fl_net *net;
    fl_ahead *a;
    florin_error err = {0};
    uint64_t links = 0, expected = 0;

    (void)state;
    open_fixture(&f, "next");
    assert_int_equal(fl_net_new_ahead(&net, f.network, NULL), FLORIN_OK);
    assert_int_equal(fl_ahead_new(&a, f.rows, net, 2, NULL), FLORIN_OK);
    const fl_sequences *q = &f.rows->stream[0];
    for (uint32_t e = 0; e < q->entities; e++)
        for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
            bool known = i + 1 < q->start[e + 1] && q->row[i + 1] < f.rows->train && !q->unseen[e];
            assert_int_equal(a->next[0][q->row[i]], known ? q->row[i + 1] : FL_NO_ROW);
            links += known;
            expected += a->next[0][q->row[i]] != FL_NO_ROW;
        }
    assert_true(links > 50 && links == expected);
    fl_ahead_free(a);
    /* No history is that long. */
    assert_int_equal(fl_ahead_new(&a, f.rows, net, 100000, &err), FLORIN_EINPUT);
    assert_non_null(strstr(err.message, "--ahead 100000: no history"));
    fl_net_free(net);
    close_fixture(&f);
}

/* ---- whole runs ---- */

static florin_status train(const fl_log *log, const fl_train_config *c, const char *out,
                           uint32_t threads, bool resume, uint64_t stop_after)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_train_files files = {.out = out, .resume = resume, .stop_after = stop_after};
    florin_error err = {0};
    json_t *j = NULL;

    ctx.threads = threads;
    florin_status st = fl_pretrain(log, c, &files, &ctx, &j, &err);
    if (st && st != FLORIN_ECANCELLED) print_message("%s\n", err.message);
    json_decref(j);
    return st;
}

static char *read_all(const char *path, size_t *n)
{
    char *text;
    florin_error err = {0};

    if (fl_read_file(&text, n, path, (size_t)1 << 30, &err)) fail_msg("%s", err.message);
    return text;
}

static bool same_bytes(const char *a, const char *b)
{
    size_t na, nb;
    char *x = read_all(a, &na), *y = read_all(b, &nb);
    bool same = na == nb && !memcmp(x, y, na);

    free(x);
    free(y);
    return same;
}

static fl_train_config both(void)
{
    fl_train_config c = small_train_config();

    c.contrast = .3;
    c.ahead = 3;
    return c;
}

static void test_same_bytes(void **state)
{
    fl_train_config c = both();
    fl_log *log = fixture_log("objectives", 1);
    const char *one = scratch_path("one.model"), *two = scratch_path("two.model"),
               *plain = scratch_path("plain.model"), *parts = scratch_path("parts.model");
    int stops = 0;

    (void)state;
    assert_int_equal(train(log, &c, one, 1, false, 0), FLORIN_OK);
    assert_int_equal(train(log, &c, two, 3, false, 0), FLORIN_OK);
    assert_true(same_bytes(one, two));
    for (uint64_t after = 1;; after = after % 3 + 1) {
        florin_status st = train(log, &c, parts, 2, stops > 0, after);
        if (!st) break;
        assert_int_equal(st, FLORIN_ECANCELLED);
        assert_true(++stops < 100);
    }
    assert_true(stops > 3);
    assert_true(same_bytes(one, parts));
    c.contrast = 0;
    assert_int_equal(train(log, &c, two, 1, false, 0), FLORIN_OK);
    assert_false(same_bytes(one, two));
    c.ahead = 0;
    assert_int_equal(train(log, &c, plain, 1, false, 0), FLORIN_OK);
    assert_false(same_bytes(plain, two));
    fl_log_close(log);
}

/* The model file records the objectives and holds no head of theirs. */
static void test_recorded(void **state)
{
    fl_train_config c = both();
    fl_log *log = fixture_log("recorded", 1);
    const char *out = scratch_path("recorded.model");
    fl_model_file *m;

    (void)state;
    assert_int_equal(train(log, &c, out, 1, false, 0), FLORIN_OK);
    assert_int_equal(fl_model_file_open(&m, out, NULL), FLORIN_OK);
    const json_t *config =
        json_object_get(json_object_get(fl_model_file_json(m), "trained"), "config");
    assert_true(json_number_value(json_object_get(config, "contrast")) == .3);
    assert_int_equal(json_integer_value(json_object_get(config, "ahead")), 3);
    assert_true(json_number_value(json_object_get(config, "ahead_weight")) == .2);
    assert_null(fl_model_file_find(m, "payer.ahead.w"));
    assert_non_null(fl_model_file_find(m, "gru.wx"));
    fl_model_file_close(m);
    fl_log_close(log);
}

/* Trained with the contrastive loss, slices that training never saw find each other more often than without. */
static double likeness(const fl_log *log, double contrast)
{
    fixture f = {.config = small_train_config()};
    const char *out = scratch_path(contrast > 0 ? "with.model" : "without.model");
    fl_net *net;
    fl_slices *s;
    double loss = 0;
    uint32_t n;

    f.config.contrast = contrast;
    f.config.epochs = 20;
    f.config.patience = 0;
    assert_int_equal(train(log, &f.config, out, 2, false, 0), FLORIN_OK);
    fixture_rows(&f.config, &f.rows, &f.network, &f.plan, &f.log, "likeness");
    assert_int_equal(fl_net_new(&net, f.network, NULL), FLORIN_OK);
    fixture_load_weights(net, out);
    assert_int_equal(fl_slices_new(&s, f.rows, 0, NULL), FLORIN_OK);
    for (uint64_t seed = 1000; seed < 1010; seed++) {
        fl_worker *k = slice_worker(net, s, seed, &n);
        fl_pass pass = {.train = true, .states_alone = true, .contrast = 1.0f / (float)n};
        gradient_pass(k, net, f.rows, pass);
        loss += fl_worker_contrast_loss(k) / 10;
        fl_worker_free(k);
    }
    fl_slices_free(s);
    fl_net_free(net);
    close_fixture(&f);
    return loss;
}

static void test_it_learns(void **state)
{
    fl_log *log = fixture_log("learns", 1);

    (void)state;
    double without = likeness(log, 0), with = likeness(log, 1);
    if (!(with < without - .05)) fail_msg("loss of slices %.3f with, %.3f without", with, without);
    fl_log_close(log);
}

static void test_refused(void **state)
{
    florin_error err = {0};
    fl_train_config c = small_train_config();

    (void)state;
    c.contrast = -1;
    assert_int_equal(fl_train_check(&c, &err), FLORIN_EUSAGE);
    assert_non_null(strstr(err.message, "--contrast must be 0 to 1000"));
    c.contrast = (double)NAN;
    assert_int_equal(fl_train_check(&c, &err), FLORIN_EUSAGE);
    c = small_train_config();
    c.ahead = 65;
    assert_int_equal(fl_train_check(&c, &err), FLORIN_EUSAGE);
    assert_non_null(strstr(err.message, "--ahead must be 1 to 64"));
    c.ahead = 0;
    c.ahead_weight = .5;
    assert_int_equal(fl_train_check(&c, &err), FLORIN_EUSAGE);
    assert_non_null(strstr(err.message, "--ahead-weight without --ahead"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),    cmocka_unit_test(test_contrast),
        cmocka_unit_test(test_silence),   cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_next_rows), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_recorded),  cmocka_unit_test(test_it_learns),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
