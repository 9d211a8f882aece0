/* Training: gradients against finite differences, the same numbers as inference, the same bytes for the same seed
 * whatever the threads and after a stop, nothing after T, early stop, baselines against a slow count. */
#include "support/support.h"
#include "support/train_fixture.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "data/log_writer.h"
#include "kernels/train_gemm.h"
#include "model/encode.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#define UNTIL (FIXTURE_START + 500 * FIXTURE_STEP)

static fl_train_config small_config(void)
{
    fl_train_config c = fl_train_defaults();

    c.hidden = 12;
    c.width = 8;
    c.lanes = 8;
    c.window = 8;
    c.epochs = 3;
    c.until_us = UNTIL;
    c.valid_share = 0.2;
    c.unseen_share = 0.2;
    return c;
}

static void build(const fl_train_config *c, fl_rows **rows, fl_network **n, fl_fold_plan **plan,
                  fl_log **log, const char *name)
{
    florin_error err = {0};

    *log = fixture_log(name, 1);
    if (fl_rows_build(rows, n, plan, *log, c, scratch_folder(), NULL, &err))
        fail_msg("%s", err.message);
}

/* The fixture's shops are too few to be factored after fitting: give them a large vocabulary. */
static void make_factored(fl_network *n)
{
    uint64_t hash[700];

    for (uint32_t i = 0; i < 700; i++) hash[i] = i + 1;
    assert_int_equal(fl_vocabulary_set(&n->vocabulary[n->categories - 1], hash, 700, 9, NULL),
                     FLORIN_OK);
}

/* ---- gradients ---- */

typedef struct {
    fl_worker *k;
    fl_net *net;
    const fl_rows *rows;
    fl_pass pass;
    float *state; /* before the window */
    size_t states;
} point;

/* A pass with the weights as they are now. */
static void pass_now(fl_worker *k, const fl_net *net, const fl_rows *rows, fl_pass pass)
{
    fl_packs *packs;

    assert_int_equal(fl_packs_new(&packs, net, fl_products_get(NULL, false),
                                  FL_PACK_HEADS | (pass.train ? FL_PACK_BACKWARD : 0), NULL),
                     FLORIN_OK);
    for (uint32_t i = 0; i < 3; i++) fl_packs_fill(packs, net, pass.stream, i, 3);
    pass.packs = packs;
    fl_worker_pass(k, net, rows, &pass);
    fl_packs_free(packs);
}

static double loss_at(point *p)
{
    const fl_window *w = fl_worker_window(p->k);
    double sum = 0;

    memcpy(fl_worker_state(p->k), p->state, p->states * sizeof(float));
    pass_now(p->k, p->net, p->rows, p->pass);
    for (size_t i = 0; i < (size_t)w->lanes * w->steps; i++)
        for (uint32_t t = 0; t < p->net->targets; t++)
            sum += (double)w->weight[i] * (double)fl_worker_nats(p->k)[i * p->net->targets + t];
    return sum;
}

/* Along a direction d: (loss(w + e d) - loss(w - e d)) / 2e must be gradient * d. Once along the gradient itself, once
 * along random signs, so that neither a missing nor a wrong entry stays hidden. */
static void check_parameter(point *p, uint32_t i, const float *gradient, fl_rng *r)
{
    const fl_parameter *q = &p->net->list[i];
    size_t n = q->rows * q->cols, at = p->net->offset[i];
    float *keep = fl_alloc(n, sizeof *keep), *d = fl_alloc(n, sizeof *d);
    const float *g = gradient + at;

    memcpy(keep, p->net->w + at, n * sizeof *keep);
    for (int way = 0; way < 2; way++) {
        double norm = 0, expected = 0;
        for (size_t k = 0; k < n; k++) {
            d[k] = way ? (fl_rng_below(r, 2) ? 1.0f : -1.0f) : g[k];
            norm += (double)d[k] * (double)d[k];
        }
        norm = sqrt(norm);
        if (norm < 1e-7) continue;
        double step[2], e = 4e-3;
        for (size_t k = 0; k < n; k++) expected += (double)g[k] * (double)d[k] / norm;
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < n; k++)
                p->net->w[at + k] = keep[k] + (float)((side ? -e : e) * (double)d[k] / norm);
            step[side] = loss_at(p);
        }
        memcpy(p->net->w + at, keep, n * sizeof *keep);
        double found = (step[0] - step[1]) / (2 * e);
        if (fabs(found - expected) > 4e-4 + 0.01 * fabs(found))
            fail_msg("%s, way %d: gradient %.6f, finite difference %.6f", q->name, way, expected,
                     found);
    }
    free(keep);
    free(d);
}

static void check_gradients(int stream, double dropout)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *lanes;
    fl_rng r;
    florin_error err = {0};

    build(&c, &rows, &n, &plan, &log, stream ? "gradient.payee" : "gradient.payer");
    make_factored(n);
    assert_int_equal(fl_net_new(&net, n, &err), FLORIN_OK);
    fl_net_init(net, 3);
    fl_rng_seed(&r, 5);
    assert_int_equal(fl_worker_new(&k, net, 6, 7, true, &err), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&lanes, rows, stream, 6, 1, &err), FLORIN_OK);
    fl_lanes_next(lanes, &k, 1, 7);
    fl_lanes_next(lanes, &k, 1, 7); /* the second window: states carried in, starts in the middle */
    fl_window *w = fl_worker_window(k);
    w->weight[5] = 0;
    w->weight[11] *= 3;
    uint16_t *peer = fl_alloc((size_t)rows->count * n->h, sizeof *peer);
    for (size_t i = 0; i < (size_t)rows->count * n->h; i++) {
        float x = (float)fl_rng_normal(&r) * 0.5f;
        net->ops->to_bf16(&peer[i], &x, 1);
    }
    point p = {.k = k,
               .net = net,
               .rows = rows,
               .pass = {.stream = stream,
                        .train = true,
                        .encoder = stream == 0,
                        .seed = 77,
                        .dropout = dropout,
                        .peer = stream ? peer : NULL},
               .states = (size_t)6 * n->h};
    p.state = fl_alloc(p.states, sizeof *p.state);
    for (size_t i = 0; i < p.states; i++) p.state[i] = (float)fl_rng_normal(&r) * 0.3f;
    loss_at(&p);
    float *gradient = fl_alloc(net->total, sizeof *gradient);
    memcpy(gradient, fl_worker_gradient(k), net->total * sizeof *gradient);
    size_t from, to;
    fl_pass_range(net, &p.pass, &from, &to);
    uint32_t checked = 0;
    for (uint32_t i = 0; i < net->parameters; i++) {
        bool trained = net->offset[i] >= from && net->offset[i] < to;
        if (trained) check_parameter(&p, i, gradient, &r);
        checked += trained;
    }
    assert_true(checked >= 19);
    free(gradient);
    free(p.state);
    free(peer);
    fl_lanes_free(lanes);
    fl_worker_free(k);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

static void test_gradients(void **state)
{
    (void)state;
    check_gradients(0, 0);
    check_gradients(0, 0.4);
    check_gradients(1, 0);
}

/* ---- whole runs ---- */

static char *read_all(const char *path, size_t *n)
{
    char *text;
    florin_error err = {0};

    if (fl_read_file(&text, n, path, (size_t)1 << 30, &err)) fail_msg("%s", err.message);
    return text;
}

static void assert_same_bytes(const char *a, const char *b)
{
    size_t na, nb;
    char *x = read_all(a, &na), *y = read_all(b, &nb);

    assert_int_equal(na, nb);
    assert_memory_equal(x, y, na);
    free(x);
    free(y);
}

static florin_status train(const fl_log *log, const fl_train_config *c, const char *out,
                           uint32_t threads, bool resume, uint64_t stop_after, json_t **report)
{
    florin_context ctx = FLORIN_CONTEXT_INIT;
    fl_train_files files = {.out = out, .resume = resume, .stop_after = stop_after};
    florin_error err = {0};

    ctx.threads = threads;
    json_t *j = NULL;
    florin_status st = fl_pretrain(log, c, &files, &ctx, &j, &err);
    if (st && st != FLORIN_ECANCELLED) print_message("%s\n", err.message);
    if (report) *report = j;
    else json_decref(j);
    return st;
}

static void test_same_bytes(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("same", 1);
    const char *one = scratch_path("one.model"), *two = scratch_path("two.model"),
               *other = scratch_path("other.model");

    (void)state;
    assert_int_equal(train(log, &c, one, 1, false, 0, NULL), FLORIN_OK);
    assert_int_equal(train(log, &c, two, 2, false, 0, NULL), FLORIN_OK);
    assert_same_bytes(one, two);
    c.seed = 2;
    assert_int_equal(train(log, &c, other, 2, false, 0, NULL), FLORIN_OK);
    size_t na, nb;
    char *a = read_all(one, &na), *b = read_all(other, &nb);
    assert_false(na == nb && !memcmp(a, b, na));
    free(a);
    free(b);
    fl_log_close(log);
}

/* Stopped again and again, in both streams, then finished: the bytes of a run that never stopped. */
static void test_resume(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("resume", 1);
    const char *whole = scratch_path("whole.model"), *parts = scratch_path("parts.model");
    int stops = 0;

    (void)state;
    assert_int_equal(train(log, &c, whole, 2, false, 0, NULL), FLORIN_OK);
    for (uint64_t after = 1;; after = after % 5 + 2) {
        florin_status st = train(log, &c, parts, 1, stops > 0, after, NULL);
        if (!st) break;
        assert_int_equal(st, FLORIN_ECANCELLED);
        assert_false(fl_file_exists(parts));
        assert_true(++stops < 100);
    }
    assert_true(stops > 4);
    assert_same_bytes(whole, parts);
    char *checkpoint = fl_checkpoint_path(parts);
    assert_false(fl_file_exists(checkpoint));

    /* A checkpoint of another configuration, of other data, or damaged is refused in words. */
    assert_int_equal(train(log, &c, parts, 1, false, 2, NULL), FLORIN_ECANCELLED);
    fl_train_config d = c;
    d.rate = 1e-3;
    assert_int_equal(train(log, &d, parts, 1, true, 0, NULL), FLORIN_EINPUT);
    flip_bit(checkpoint, 5000, 3);
    assert_int_equal(train(log, &c, parts, 1, true, 0, NULL), FLORIN_EFORMAT);
    cut_file(checkpoint, 100);
    assert_int_equal(train(log, &c, parts, 1, true, 0, NULL), FLORIN_EFORMAT);
    free(checkpoint);
    fl_log_close(log);
}

/* A copy of the fixture's log in which everything at or after T is different: times, amounts, values, entities, labels
 * that arrive later, and more rows. */
static fl_log *other_future(const char *name, const fl_log *log)
{
    const char *path = scratch_path(name);
    fl_log_writer *w;
    fl_log_written stats;
    fl_log *out;
    florin_error err = {0};
    char text[64];

    if (fl_log_writer_open(&w, path, fl_log_schema(log), true, false, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < FIXTURE_EVENTS + 50; i++) {
        fl_event e;
        bool future = i >= 500;
        fl_log_event(log, (uint64_t)(i < FIXTURE_EVENTS ? i : i - 100), &e);
        fl_log_row row = {.time_us = future ? UNTIL + (i - 500) * 60 * FL_SECOND_US : e.time_us,
                          .amount_minor = future ? 123456 : e.amount_minor,
                          .type = e.type,
                          .number_present = e.number_present};
        memcpy(row.number, e.number, sizeof row.number);
        for (int k = 0; k < FL_KINDS_MAX; k++) {
            row.entity[k] = FL_NONE;
            if (e.entity[k] == FL_NONE) continue;
            snprintf(text, sizeof text, "%s%u", future && i % 3 ? "new" : "", e.entity[k]);
            assert_int_equal(fl_log_writer_entity(w, k, text, strlen(text), &row.entity[k], &err),
                             FLORIN_OK);
        }
        for (int f = 0; f < FL_CATEGORIES_MAX; f++) {
            row.category[f] = FL_NONE;
            if (!e.category[f]) continue;
            snprintf(text, sizeof text, "%s%llx", future ? "new" : "",
                     (unsigned long long)e.category[f]);
            assert_int_equal(fl_log_writer_value(w, f, text, strlen(text), &row.category[f], &err),
                             FLORIN_OK);
        }
        snprintf(text, sizeof text, "event %d", i);
        row.id = text;
        row.id_len = strlen(text);
        assert_int_equal(fl_log_writer_row(w, &row, &err), FLORIN_OK);
        uint64_t id = fl_hash64(text, strlen(text), 0);
        if (i % 7 == 0)
            assert_int_equal(fl_log_writer_label(w, id, 0, (float)(i % 2),
                                                 row.time_us + 40 * FIXTURE_STEP, &err),
                             FLORIN_OK);
        if (future) continue;
        /* A correction after T. */
        if (i % 11 == 0)
            assert_int_equal(fl_log_writer_label(w, id, 0, 1, UNTIL + i * FL_SECOND_US, &err),
                             FLORIN_OK);
    }
    if (fl_log_writer_commit(w, &stats, &err)) fail_msg("%s", err.message);
    if (fl_log_open(&out, path, &err)) fail_msg("%s", err.message);
    return out;
}

/* The same past, once alone and once with a future: the model's bytes are the same. */
static fl_log *only_past(const char *name, const fl_log *log)
{
    const char *path = scratch_path(name);
    fl_log_writer *w;
    fl_log_written stats;
    fl_log *out;
    florin_error err = {0};
    char text[64];

    if (fl_log_writer_open(&w, path, fl_log_schema(log), true, false, NULL, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < 500; i++) {
        fl_event e;
        fl_log_event(log, (uint64_t)i, &e);
        fl_log_row row = {.time_us = e.time_us,
                          .amount_minor = e.amount_minor,
                          .type = e.type,
                          .number_present = e.number_present};
        memcpy(row.number, e.number, sizeof row.number);
        for (int k = 0; k < FL_KINDS_MAX; k++) {
            row.entity[k] = FL_NONE;
            if (e.entity[k] == FL_NONE) continue;
            snprintf(text, sizeof text, "%u", e.entity[k]);
            assert_int_equal(fl_log_writer_entity(w, k, text, strlen(text), &row.entity[k], &err),
                             FLORIN_OK);
        }
        for (int f = 0; f < FL_CATEGORIES_MAX; f++) {
            row.category[f] = FL_NONE;
            if (!e.category[f]) continue;
            snprintf(text, sizeof text, "%llx", (unsigned long long)e.category[f]);
            assert_int_equal(fl_log_writer_value(w, f, text, strlen(text), &row.category[f], &err),
                             FLORIN_OK);
        }
        snprintf(text, sizeof text, "event %d", i);
        row.id = text;
        row.id_len = strlen(text);
        assert_int_equal(fl_log_writer_row(w, &row, &err), FLORIN_OK);
        int64_t arrival = row.time_us + 40 * FIXTURE_STEP;
        if (i % 7 == 0 && arrival < UNTIL)
            assert_int_equal(fl_log_writer_label(w, fl_hash64(text, strlen(text), 0), 0,
                                                 (float)(i % 2), arrival, &err),
                             FLORIN_OK);
    }
    if (fl_log_writer_commit(w, &stats, &err)) fail_msg("%s", err.message);
    if (fl_log_open(&out, path, &err)) fail_msg("%s", err.message);
    return out;
}

static void test_nothing_after_until(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("leak", 1), *past = only_past("leak.past", log),
           *future = other_future("leak.future", log);
    const char *a = scratch_path("past.model"), *b = scratch_path("future.model");

    (void)state;
    assert_int_equal(train(past, &c, a, 2, false, 0, NULL), FLORIN_OK);
    assert_int_equal(train(future, &c, b, 2, false, 0, NULL), FLORIN_OK);
    assert_same_bytes(a, b);
    /* The test can fail: an hour later T lets the other future in. */
    c.until_us += 3600 * FL_SECOND_US;
    assert_int_equal(train(future, &c, b, 2, false, 0, NULL), FLORIN_OK);
    fl_model_file *x, *y;
    assert_int_equal(fl_model_file_open(&x, a, NULL), FLORIN_OK);
    assert_int_equal(fl_model_file_open(&y, b, NULL), FLORIN_OK);
    assert_string_not_equal(fl_model_file_hash(x), fl_model_file_hash(y));
    fl_model_file_close(x);
    fl_model_file_close(y);
    fl_log_close(future);
    fl_log_close(past);
    fl_log_close(log);
}

/* The fixture's events are pure chance, so a large network soon learns them by heart. */
static void test_early_stop(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("early", 1);
    json_t *report;

    (void)state;
    c.hidden = 48;
    c.epochs = 60;
    c.rate = 5e-3;
    c.patience = 1;
    assert_int_equal(train(log, &c, scratch_path("early.model"), 2, false, 0, &report), FLORIN_OK);
    const json_t *payer = json_object_get(json_object_get(report, "trained"), "payer");
    assert_true(json_is_true(json_object_get(payer, "stopped_early")));
    assert_true(fl_json_int(payer, "best_step", 0) < fl_json_int(payer, "steps", 0));
    /* Chance can't be predicted: the report says so where it is so. */
    const json_t *later =
        json_object_get(json_object_get(json_object_get(report, "metrics"), "payer"), "later");
    assert_true(json_is_array(json_object_get(later, "worse_than_a_baseline")));
    json_decref(report);
    fl_log_close(log);
}

/* ---- training and scoring see the same network ---- */

typedef struct {
    const fl_net *net;
    const fl_rows *rows;
    float *nats; /* [rows][streams][targets] */
    uint16_t *peer;
} forward;

/* Each history alone, in one window. */
static void forward_stream(forward *f, int stream)
{
    const fl_sequences *q = &f->rows->stream[stream];
    uint32_t T = f->net->targets, H = f->net->network->h;

    for (uint32_t e = 0; e < q->entities; e++) {
        uint32_t n = (uint32_t)(q->start[e + 1] - q->start[e]);
        fl_worker *k;
        assert_int_equal(fl_worker_new(&k, f->net, 1, n, false, NULL), FLORIN_OK);
        fl_window *w = fl_worker_window(k);
        for (uint32_t i = 0; i < n; i++) {
            w->row[i] = q->row[q->start[e] + i];
            w->previous[i] = i ? w->row[i - 1] : FL_NO_ROW;
            w->fresh[i] = i == 0;
            w->weight[i] = 1;
        }
        fl_pass pass = {.stream = stream, .peer = stream ? f->peer : NULL};
        pass_now(k, f->net, f->rows, pass);
        for (uint32_t i = 0; i < n; i++) {
            memcpy(f->nats + ((size_t)w->row[i] * 2 + (uint32_t)stream) * T,
                   fl_worker_nats(k) + (size_t)i * T, T * sizeof(float));
            if (!stream)
                f->net->ops->to_bf16(f->peer + (size_t)w->row[i] * H,
                                     fl_worker_after(k) + (size_t)i * H, H);
        }
        fl_worker_free(k);
    }
}

static void test_equals_inference(void **state)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_model *m;
    fl_encode *e;
    const char *path = scratch_path("forward.model");
    const float *values;
    const fl_fold_carry *carry;
    uint64_t row;
    florin_error err = {0};

    (void)state;
    build(&c, &rows, &n, &plan, &log, "forward");
    assert_int_equal(train(log, &c, path, 2, false, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_net_new(&net, n, &err), FLORIN_OK);
    fixture_load_weights(net, path);
    forward f = {net, rows, fl_calloc((size_t)rows->count * 2 * net->targets, sizeof(float)),
                 fl_calloc((size_t)rows->count * n->h, sizeof(uint16_t))};
    forward_stream(&f, 0);
    forward_stream(&f, 1);
    if (fl_model_open(&m, path, NULL, &err)) fail_msg("%s", err.message);
    assert_int_equal(fl_model_until(m), c.until_us);
    if (fl_encode_open(&e, m, log, &err)) fail_msg("%s", err.message);
    double worst = 0, sum = 0;
    for (uint32_t r = 0; r < rows->count; r++) {
        assert_true(fl_encode_next(e, &row, NULL, &values, &carry));
        const float *surprise = values + fl_model_row_surprise(m);
        for (uint32_t i = 0; i < 2 * net->targets; i++) {
            double own = (double)f.nats[(size_t)r * 2 * net->targets + i],
                   d = fabs(own - (double)surprise[i]);
            if (d > worst) worst = d;
            sum += d;
        }
    }
    sum /= (double)rows->count * 2 * net->targets;
    if (worst > 0.02 || sum > 1e-3) fail_msg("largest difference %.5f nats, mean %.6f", worst, sum);
    fl_encode_close(e);
    fl_model_close(m);
    free(f.nats);
    free(f.peer);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

/* Probabilities of a factored and a dense head, mixed with a copy of two values, add up to one over the whole
 * vocabulary: nats are comparable. */
static void test_normalised(void **state)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;

    (void)state;
    build(&c, &rows, &n, &plan, &log, "normalised");
    uint32_t shop = n->categories - 1;
    make_factored(n);
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    assert_true(net->target[shop].group > 0);
    fl_net_init(net, 9);
    assert_int_equal(fl_worker_new(&k, net, 1, 2, false, NULL), FLORIN_OK);
    fl_window *w = fl_worker_window(k);
    for (uint32_t t = 0; t < net->targets; t++) {
        double sum = 0;
        if (net->target[t].slot < 0) continue;
        for (uint32_t v = 0; v < net->target[t].tokens; v++) {
            w->row[0] = 3;
            w->row[1] = 4;
            w->previous[0] = FL_NO_ROW;
            w->previous[1] = 3;
            w->fresh[0] = 1;
            w->fresh[1] = 0;
            w->weight[0] = 0;
            w->weight[1] = 1;
            rows->category[4 * rows->categories + t] = v;
            ((float *)rows->stream[0].share_block.data)[4 * net->targets + t] = v < 2 ? 0.5f : 0;
            fl_pass pass = {.stream = 0};
            pass_now(k, net, rows, pass);
            sum += exp(-(double)fl_worker_nats(k)[net->targets + t]);
        }
        if (fabs(sum - 1) > 1e-4)
            fail_msg("%s: probabilities add up to %.6f", net->target[t].name, sum);
    }
    fl_worker_free(k);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

/* Signals that interrupt a pass change nothing (oneDNN's kernels would let a handler overwrite the heap). */
static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void test_signals(void **state)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *l;
    struct sigaction catch = {.sa_handler = count_alarm, .sa_flags = SA_RESTART}, before;
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

    (void)state;
    c.width = 8;
    c.hidden = 16;
    build(&c, &rows, &n, &plan, &log, "signals");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    fl_net_init(net, 1);
    assert_int_equal(fl_worker_new(&k, net, 16, 16, true, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&l, rows, 0, 16, 1, NULL), FLORIN_OK);
    fl_lanes_next(l, &k, 1, 16);
    fl_pass pass = {.stream = 0, .train = true, .encoder = true};
    float *want = fl_alloc(net->total, sizeof *want);
    pass_now(k, net, rows, pass);
    memcpy(want, fl_worker_gradient(k), net->total * sizeof *want);
    sigaction(SIGALRM, &catch, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 2000 && alarms < 100; i++) {
        memset(fl_worker_state(k), 0, (size_t)16 * n->h * sizeof(float));
        pass_now(k, net, rows, pass);
        assert_memory_equal(fl_worker_gradient(k), want, net->total * sizeof *want);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_true(alarms > 0);
    free(want);
    fl_lanes_free(l);
    fl_worker_free(k);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

/* ---- windows ---- */

/* Every trainable event of an epoch comes exactly once, histories in order, nothing of unseen entities or of the later
 * slice, and a fresh start exactly where a history or a piece of it begins. */
static void test_lanes(void **state)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *l;

    (void)state;
    build(&c, &rows, &n, &plan, &log, "lanes");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    assert_int_equal(fl_worker_new(&k, net, 4, 5, false, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&l, rows, 0, 4, 1, NULL), FLORIN_OK);
    uint32_t *seen = fl_calloc(rows->count, sizeof *seen);
    uint64_t total = 0;
    fl_window *w = fl_worker_window(k);
    while (l->epoch < 3) {
        fl_lanes_next(l, &k, 1, 5);
        for (uint32_t i = 0; i < 20; i++) {
            assert_true(w->row[i] < rows->train);
            seen[w->row[i]]++;
            total++;
            if (i >= 4 && !w->fresh[i]) assert_int_equal(w->previous[i], w->row[i - 4]);
            if (w->previous[i] != FL_NO_ROW) assert_true(w->previous[i] < w->row[i]);
        }
    }
    const fl_sequences *q = &rows->stream[0];
    uint32_t unseen = 0;
    for (uint32_t e = 0; e < q->entities; e++) {
        unseen += q->unseen[e];
        for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
            uint32_t times = seen[q->row[i]];
            bool trained = !q->unseen[e] && q->row[i] < rows->train;
            assert_true(trained ? times >= 2 && times <= 4 : times == 0);
        }
    }
    assert_true(unseen > 0 && unseen < q->entities);
    assert_true(total >= 2 * l->rows);
    free(seen);
    fl_lanes_free(l);
    fl_worker_free(k);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(log);
}

/* ---- baselines ---- */

/* popular and last by a plain second count. */
static void test_baselines(void **state)
{
    fl_train_config c = small_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *events;
    fl_net *net;
    double **counts;
    fl_nats *out = fl_calloc(FL_BASELINES, sizeof *out);

    (void)state;
    build(&c, &rows, &n, &plan, &events, "baselines");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    assert_int_equal(fl_target_counts(&counts, net, rows, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_baselines(net, rows, 0, counts, NULL, 2, out, NULL), FLORIN_OK);
    const fl_sequences *q = &rows->stream[0];
    for (uint32_t t = 0; t < net->targets; t++) {
        const fl_target *target = &net->target[t];
        double *count = fl_calloc(target->tokens, sizeof *count), total = 0, popular = 0,
               last[8] = {0};
        static const double mix[8] = {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0};
        for (int pass = 0; pass < 2; pass++)
            for (uint32_t e = 0; e < q->entities; e++)
                for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
                    uint32_t before = i > q->start[e] ? q->row[i - 1] : FL_NO_ROW;
                    uint32_t before2 = i > q->start[e] + 1 ? q->row[i - 2] : FL_NO_ROW;
                    uint32_t token = fl_rows_target(rows, target, q->row[i], before);
                    bool training = !q->unseen[e] && q->row[i] < rows->train;
                    if (!pass && training) count[token]++, total++;
                    if (!pass || training) continue;
                    double p = (count[token] + 0.5) / (total + 0.5 * target->tokens);
                    popular -= log(p);
                    for (int k = 0; k < 8; k++) {
                        bool hit = before != FL_NO_ROW &&
                                   fl_rows_target(rows, target, before, before2) == token;
                        last[k] -= log(before == FL_NO_ROW ? p : (1 - mix[k]) * hit + mix[k] * p);
                    }
                }
        double got = out[FL_POPULAR].nats[0][t] + out[FL_POPULAR].nats[1][t];
        assert_true(fabs(got - popular) < 1e-6 * popular);
        got = out[FL_LAST].nats[0][t] + out[FL_LAST].nats[1][t];
        bool found = false;
        for (int k = 0; k < 8; k++) found |= fabs(got - last[k]) < 1e-6 * last[k];
        assert_true(found);
        assert_true(out[FL_DECAYED].nats[0][t] > 0 && isfinite(out[FL_DECAYED].nats[0][t]));
        free(count);
    }
    fl_target_counts_free(counts);
    free(out);
    fl_net_free(net);
    fl_network_free(n);
    fl_fold_plan_free(plan);
    fl_rows_free(rows);
    fl_log_close(events);
}

/* ---- kernels of training ---- */

/* Conversions and sums of one length, each pair of arrays alike in both tiers. */
static void check_small(const fl_train_ops *ref, const fl_train_ops *fast, fl_rng *r, size_t n)
{
    const fl_train_ops *op[2] = {ref, fast};
    int16_t *fixed = guarded(n * sizeof *fixed);
    uint16_t *half[2];
    float *x[2], *y[2];

    for (size_t i = 0; i < n; i++) fixed[i] = (int16_t)fl_rng_below(r, 65536);
    for (int k = 0; k < 2; k++) {
        half[k] = guarded(n * sizeof *half[k]);
        x[k] = guarded_floats(n);
        y[k] = guarded_floats(n);
        op[k]->from_fixed(x[k], fixed, 1.0f / 3200, n);
        op[k]->to_bf16(half[k], x[k], n);
        op[k]->from_bf16(y[k], half[k], n);
        for (size_t i = 0; i < n; i++) { /* what the conversions are */
            assert_true(fabsf(x[k][i] - (float)fixed[i] / 3200) <= 1e-6f * fabsf(x[k][i]));
            assert_true(fabsf(y[k][i] - x[k][i]) <= fabsf(x[k][i]) / 256);
        }
        op[k]->add(y[k], x[k], n);
    }
    assert_memory_equal(half[0], half[1], n * sizeof *half[0]);
    assert_memory_equal(x[0], x[1], n * sizeof(float));
    assert_memory_equal(y[0], y[1], n * sizeof(float));
    guarded_free_all();
}

/* Both tiers give the same bytes at every tail and touch nothing past their arrays. */
static void test_tiers(void **state)
{
    const fl_train_ops *ref = fl_train_ops_get("ref"), *fast = fl_train_ops_get("avx2");
    enum { EVERY = 34 }; /* all tails of the widest register, then some usual widths */
    static const size_t more[] = {64, 91, 255, 768};
    fl_rng r;

    (void)state;
    if (!fast) {
        print_message("no AVX2 here: only the reference tier\n");
        return;
    }
    fl_rng_seed(&r, 4);
    for (size_t s = 0; s < EVERY + FL_LEN(more); s++) {
        size_t H = s < EVERY ? s + 1 : more[s - EVERY], n = 3 * H;
        float *a[2], *b[2], *c[2], *d[2];
        for (int k = 0; k < 2; k++) {
            a[k] = guarded_floats(2 * n);
            b[k] = guarded_floats(2 * n);
            c[k] = guarded_floats(2 * H);
            d[k] = guarded_floats(2 * H);
        }
        for (size_t i = 0; i < 2 * n; i++) {
            a[0][i] = a[1][i] = (float)fl_rng_normal(&r) * 3;
            b[0][i] = b[1][i] = (float)fl_rng_normal(&r) * 3;
        }
        for (size_t i = 0; i < 2 * H; i++) c[0][i] = c[1][i] = (float)fl_rng_normal(&r);
        const fl_train_ops *op[2] = {ref, fast};
        double square[2];
        float loss[2], product[2];
        fl_adam adam = {1e-3f, 0.9f, 0.999f, 1e-8f, 0.99f, 10, 1000, 0.5f};
        for (int k = 0; k < 2; k++) {
            op[k]->gru(a[k], b[k], c[k], d[k], 2, H);
            op[k]->gru_back(a[k], b[k], c[k], d[k], 2, H);
            op[k]->adam(c[k], a[k], b[k], d[k], H,
                        &(fl_adam){.rate = 0.1f,
                                   .beta1 = 0.9f,
                                   .epsilon = 1e-8f,
                                   .decay = 1,
                                   .correct1 = 1,
                                   .correct2 = 0,
                                   .scale = 1});
            float total;
            loss[k] = op[k]->softmax(d[k], c[k], H, H / 2, &total);
            op[k]->softmax_back(d[k], c[k], H, H / 2, 0.25f, total);
            op[k]->axpy(d[k], 0.3f, c[k], H);
            op[k]->scale(c[k], 0.7f, H);
            op[k]->column_sums(d[k], b[k], 2, H);
            op[k]->bias_relu(b[k], c[k], 2, H);
            op[k]->relu_back(c[k], b[k], H);
            square[k] = op[k]->squares(d[k], 2 * H);
            product[k] = op[k]->dot(c[k], d[k], H);
            for (size_t i = 0; i < H; i++) b[k][i] = fabsf(b[k][i]);
            op[k]->adam(d[k], a[k], b[k], c[k], H, &adam);
        }
        assert_memory_equal(a[0], a[1], 2 * n * sizeof(float));
        assert_memory_equal(b[0], b[1], 2 * n * sizeof(float));
        assert_memory_equal(c[0], c[1], 2 * H * sizeof(float));
        assert_memory_equal(d[0], d[1], 2 * H * sizeof(float));
        assert_memory_equal(&square[0], &square[1], sizeof square[0]);
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
        assert_memory_equal(&product[0], &product[1], sizeof product[0]);
        guarded_free_all();
        check_small(ref, fast, &r, H);
    }
}

static void near_enough(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * (1 + fabsf(want[i]))))
            fail_msg("element %zu of %zu: %.9g, reference %.9g", i, n, (double)got[i],
                     (double)want[i]);
}

/* One shape of what a tier may round in its own way: close to the reference, nothing touched past the arrays. */
static void check_rounded(const fl_train_ops *ref, const fl_train_ops *fast, fl_rng *r, size_t H)
{
    const fl_train_ops *op[2] = {ref, fast};
    float *gx[2], *gh[2], *before[2], *after[2], *x[2], loss[2], product[2], sum = 0;
    double square[2];

    for (int k = 0; k < 2; k++) {
        gx[k] = guarded_floats(6 * H), gh[k] = guarded_floats(6 * H);
        before[k] = guarded_floats(2 * H), after[k] = guarded_floats(2 * H),
        x[k] = guarded_floats(H);
    }
    for (size_t i = 0; i < 6 * H; i++) {
        gx[0][i] = gx[1][i] = (float)fl_rng_normal(r) * (i % 9 ? 3 : 60); /* some far out */
        gh[0][i] = gh[1][i] = (float)fl_rng_normal(r) * 3;
    }
    for (size_t i = 0; i < 2 * H; i++) before[0][i] = before[1][i] = (float)fl_rng_normal(r);
    for (size_t i = 0; i < H; i++) x[0][i] = x[1][i] = (float)fl_rng_normal(r) * 4;
    for (int k = 0; k < 2; k++) {
        product[k] = op[k]->dot(gh[k], before[k], H);
        square[k] = op[k]->squares(gh[k], H);
        op[k]->gru(gx[k], gh[k], before[k], after[k], 2, H);
        float total;
        loss[k] = op[k]->softmax(x[k], H % 2 ? before[k] : NULL, H, H / 2, &total);
        op[k]->softmax_back(x[k], before[k] + H, H, H / 2, 0.25f, total);
    }
    near_enough(gx[1], gx[0], 6 * H);
    near_enough(after[1], after[0], 2 * H);
    near_enough(x[1], x[0], H);
    near_enough(&loss[1], &loss[0], 1);
    near_enough(before[1], before[0], 2 * H);
    memcpy(before[1], before[0], 2 * H * sizeof(float));
    for (size_t i = 0; i < H; i++) sum += x[1][i];
    assert_true(fabsf(sum) < 1e-5f); /* weight * (sum of p - 1) */
    assert_true(fabsf(product[1] - product[0]) <= 2e-5f * (float)H);
    assert_true(fabs(square[1] - square[0]) <= 1e-6 * square[0]);
    memcpy(gx[1], gx[0], 6 * H * sizeof(float)); /* backwards from the same gates, the same bytes */
    memcpy(after[1], after[0], 2 * H * sizeof(float));
    for (int k = 0; k < 2; k++) op[k]->gru_back(gx[k], gh[k], before[k], after[k], 2, H);
    assert_memory_equal(gx[1], gx[0], 6 * H * sizeof(float));
    assert_memory_equal(gh[1], gh[0], 6 * H * sizeof(float));
    assert_memory_equal(after[1], after[0], 2 * H * sizeof(float));
    guarded_free_all();
}

static void test_avx512_is_near_the_reference(void **state)
{
    const fl_train_ops *ref = fl_train_ops_get("ref"), *fast = fl_train_ops_get("avx512");
    static const size_t more[] = {64, 91, 255, 768, 8192};
    fl_rng r;

    (void)state;
    if (!fast) {
        print_message("no AVX-512 here\n");
        return;
    }
    fl_rng_seed(&r, 12);
    for (size_t H = 1; H <= 66; H++) check_rounded(ref, fast, &r, H);
    for (size_t i = 0; i < FL_LEN(more); i++) check_rounded(ref, fast, &r, more[i]);
    for (size_t n = 1; n <= 66; n++) check_small(ref, fast, &r, n);
}

static void test_sgemm(void **state)
{
    static const size_t size[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 33, 9}, {64, 48, 100}};
    fl_rng r;

    (void)state;
    fl_rng_seed(&r, 8);
    for (size_t s = 0; s < FL_LEN(size); s++)
        for (int way = 0; way < 4; way++) {
            size_t m = size[s][0], n = size[s][1], k = size[s][2];
            bool ta = way & 1, tb = way & 2;
            float *a = fl_alloc(m * k, sizeof *a), *b = fl_alloc(k * n, sizeof *b),
                  *c = fl_alloc(m * n, sizeof *c);
            for (size_t i = 0; i < m * k; i++) a[i] = (float)fl_rng_normal(&r);
            for (size_t i = 0; i < k * n; i++) b[i] = (float)fl_rng_normal(&r);
            for (size_t i = 0; i < m * n; i++) c[i] = 1;
            fl_sgemm(ta, tb, m, n, k, 0.5f, a, ta ? m : k, b, tb ? k : n, 2, c, n);
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double want = 2;
                    for (size_t x = 0; x < k; x++)
                        want += 0.5 * (double)a[ta ? x * m + i : i * k + x] *
                                (double)b[tb ? j * k + x : x * n + j];
                    assert_true(fabs(want - (double)c[i * n + j]) < 1e-4);
                }
            free(a);
            free(b);
            free(c);
        }
}

/* ---- bad input ---- */

static void test_bad_options(void **state)
{
    fl_train_config c = small_config();
    fl_log *log = fixture_log("bad", 1);
    florin_error err = {0};
    json_t *j = NULL;
    fl_train_files files = {.out = scratch_path("bad.model")};

    (void)state;
    c.until_us = FIXTURE_START;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EINPUT);
    assert_non_null(strstr(err.message, "--until"));
    c = small_config();
    c.hidden = 0;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_config();
    c.rate = NAN;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_config();
    c.lanes = 7;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_config();
    c.valid_from_us = FIXTURE_START;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EINPUT);
    files.out = "/nonexistent-folder/x.model";
    c = small_config();
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EIO);
    fl_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avx512_is_near_the_reference),
        cmocka_unit_test(test_sgemm),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_nothing_after_until),
        cmocka_unit_test(test_early_stop),
        cmocka_unit_test(test_equals_inference),
        cmocka_unit_test(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
