/* Training: gradients against finite differences, the same numbers as inference, the same bytes for the same seed
 * whatever the threads and after a stop, nothing after T, early stop. What it reads: test_train_rows.c; its kernels:
 * test_train_ops.c; a step: test_train_step.c. */
#include "support/support.h"
#include "support/gradient.h"
#include "support/train_fixture.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include "data/log_writer.h"
#include "model/encode.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

/* The fixture's shops are too few to be factored after fitting: give them a large vocabulary. */
static void make_factored(fl_network *n)
{
    uint64_t hash[700];

    for (uint32_t i = 0; i < 700; i++) hash[i] = i + 1;
    assert_int_equal(fl_vocabulary_set(&n->vocabulary[n->categories - 1], hash, 700, 9, NULL),
                     FLORIN_OK);
}

/* The backbones under test; a test gets its own by its state. */
static fl_train_blocks gru,
    transformer = {.layers = 2,
                   .heads = 2,
                   .context = 4,
                   .width = 12,
                   .positions = FL_POSITIONS_ROTARY},
    learned = {.layers = 1,
               .heads = 3,
               .context = 5,
               .width = 12,
               .positions = FL_POSITIONS_LEARNED,
               .post_norm = true,
               .no_history = true},
    plain = {.layers = 2,
             .heads = 1,
             .context = 3,
             .width = 8,
             .positions = FL_POSITIONS_NONE,
             .no_bias = true};

static fl_train_config config_of(void **state)
{
    fl_train_config c = small_train_config();

    if (*state) c.blocks = *(const fl_train_blocks *)*state;
    return c;
}

/* ---- gradients ---- */

/* A task beside the next event: none; the network's whole, alone; its low-rank parts, with the next event. */
typedef enum { NO_TASK, TASK_ALONE, LOW_RANK } with_task;

/* Labels of two kinds and a third of them unknown; heads and low-rank parts that are not zero. */
static float *add_task(gradient_point *p, with_task task, fl_rng *r)
{
    static const float weight[2] = {0.11f, 0.07f};
    static const float *of[2];
    uint32_t rows = p->rows->count;
    float *label = fl_alloc(2 * (size_t)rows, sizeof *label);

    for (uint32_t i = 0; i < 2 * rows; i++) label[i] = (float)fl_rng_below(r, 3) - 1;
    of[0] = label;
    of[1] = label + rows;
    for (uint32_t i = p->net->own; i < p->net->parameters; i++)
        for (size_t k = 0; k < p->net->list[i].rows * p->net->list[i].cols; k++)
            p->net->w[p->net->offset[i] + k] = (float)fl_rng_normal(r) * 0.3f;
    fl_net_low_begin(p->net);
    p->pass.label = of;
    p->pass.label_weight = weight;
    p->pass.states_alone = task == TASK_ALONE;
    return label;
}

static void check_gradients(void **state, int stream, double dropout, with_task task)
{
    fl_train_config c = config_of(state);
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *lanes;
    fl_rng r;
    florin_error err = {0};

    fixture_rows(&c, &rows, &n, &plan, &log, stream ? "gradient.payee" : "gradient.payer");
    make_factored(n);
    assert_int_equal(task ? fl_net_new_task(&net, n, 2, task == LOW_RANK ? 3 : 0, &err)
                          : fl_net_new(&net, n, &err),
                     FLORIN_OK);
    fl_net_init(net, 3);
    fl_rng_seed(&r, 5);
    assert_int_equal(fl_worker_new(&k, net, 6, 7, true, &err), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&lanes, rows, stream, 6, 1, &err), FLORIN_OK);
    fl_lanes_next(lanes, &k, 1, 7);
    fl_lanes_next(lanes, &k, 1, 7); /* the second window: states carried in, starts in the middle */
    fl_window *w = fl_worker_window(k);
    w->weight[5] = 0;
    w->weight[11] *= 3;
    gradient_point p = {.k = k,
                        .net = net,
                        .rows = rows,
                        .pass = {.stream = stream, .train = true, .seed = 77, .dropout = dropout},
                        .states = 6 * fl_worker_states(k),
                        .step = 1e-3};
    p.state = fl_alloc(p.states, sizeof *p.state);
    for (size_t i = 0; i < p.states; i++) p.state[i] = (float)fl_rng_normal(&r) * 0.3f;
    float *label = task ? add_task(&p, task, &r) : NULL;
    gradient_loss(&p);
    float *gradient = fl_alloc(net->total, sizeof *gradient);
    memcpy(gradient, fl_worker_gradient(k), net->total * sizeof *gradient);
    const fl_net_stream *own = &net->stream[stream];
    uint32_t checked = 0;
    for (uint32_t i = 0; i < net->parameters; i++) {
        size_t at = net->offset[i];
        bool trained = at < net->shared_to || (at >= own->from && at < own->to);
        if (trained) gradient_check(&p, i, gradient, &r);
        checked += trained;
    }
    assert_true(checked >= 19u + (task == LOW_RANK ? 12 : task ? 2 : 0));
    free(label);
    free(gradient);
    free(p.state);
    fl_lanes_free(lanes);
    fl_worker_free(k);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, log);
}

static void test_gradients(void **state)
{
    check_gradients(state, 0, 0, NO_TASK);
    check_gradients(state, 0, 0.4, NO_TASK);
    check_gradients(state, 1, 0, NO_TASK);
    check_gradients(state, 0, 0, TASK_ALONE);
    check_gradients(state, 1, 0, TASK_ALONE);
    check_gradients(state, 0, 0, LOW_RANK);
    check_gradients(state, 1, 0.4, LOW_RANK);
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
    fl_train_config c = config_of(state);
    fl_log *log = fixture_log("same", 1);
    const char *one = scratch_path("one.model"), *two = scratch_path("two.model"),
               *other = scratch_path("other.model");

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

/* Stopped again and again, then finished: the bytes of a run that never stopped. */
static void test_resume(void **state)
{
    fl_train_config c = config_of(state);
    fl_log *log = fixture_log("resume", 1);
    const char *whole = scratch_path("whole.model"), *parts = scratch_path("parts.model");
    int stops = 0;

    unlink(parts);
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
    d = c;
    d.blocks = c.blocks.layers ? gru : transformer;
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
        fl_log_row row = {.time_us =
                              future ? TRAIN_UNTIL + (i - 500) * 60 * FL_SECOND_US : e.time_us,
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
            assert_int_equal(fl_log_writer_label(w, id, 0, 1, TRAIN_UNTIL + i * FL_SECOND_US, &err),
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
        if (i % 7 == 0 && arrival < TRAIN_UNTIL)
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
    fl_train_config c = config_of(state);
    fl_log *log = fixture_log("leak", 1), *past = only_past("leak.past", log),
           *future = other_future("leak.future", log);
    const char *a = scratch_path("past.model"), *b = scratch_path("future.model");

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
    fl_train_config c = small_train_config();
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
} forward;

/* Each history alone, in one window. */
static void forward_stream(forward *f, int stream)
{
    const fl_sequences *q = &f->rows->stream[stream];
    uint32_t T = f->net->targets;

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
        fl_pass pass = {.stream = stream};
        gradient_pass(k, f->net, f->rows, pass);
        for (uint32_t i = 0; i < n; i++)
            memcpy(f->nats + ((size_t)w->row[i] * 2 + (uint32_t)stream) * T,
                   fl_worker_nats(k) + (size_t)i * T, T * sizeof(float));
        fl_worker_free(k);
    }
}

static void check_inference(fl_train_config c, double most, double mean)
{
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

    fixture_rows(&c, &rows, &n, &plan, &log, "forward");
    assert_int_equal(train(log, &c, path, 2, false, 0, NULL), FLORIN_OK);
    assert_int_equal(fl_net_new(&net, n, &err), FLORIN_OK);
    fixture_load_weights(net, path);
    forward f = {net, rows, fl_calloc((size_t)rows->count * 2 * net->targets, sizeof(float))};
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
    if (worst > most || sum > mean) fail_msg("largest difference %.5f nats, mean %.6f", worst, sum);
    fl_encode_close(e);
    fl_model_close(m);
    free(f.nats);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, log);
}

static void test_equals_inference(void **state)
{
    fl_train_config c = config_of(state);

    check_inference(c, c.blocks.layers ? 0.04 : 0.02, c.blocks.layers ? 2e-3 : 1e-3);
    c.int8 = false;
    check_inference(c, 2e-4, 2e-5);
}

/* Probabilities of a factored and a dense head, mixed with a copy of two values, add up to one over the whole
 * vocabulary: nats are comparable. */
static void test_normalised(void **state)
{
    fl_train_config c = small_train_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;

    (void)state;
    fixture_rows(&c, &rows, &n, &plan, &log, "normalised");
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
            gradient_pass(k, net, rows, pass);
            sum += exp(-(double)fl_worker_nats(k)[net->targets + t]);
        }
        if (fabs(sum - 1) > 1e-4)
            fail_msg("%s: probabilities add up to %.6f", net->target[t].name, sum);
    }
    fl_worker_free(k);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, log);
}

/* Signals that interrupt a pass change nothing (oneDNN's kernels would let a handler overwrite the heap). */
static volatile sig_atomic_t alarms;

static void count_alarm(int number)
{
    (void)number;
    alarms++;
}

static void signals(const char *tier)
{
    fl_train_config c = small_train_config();
    fl_rows *rows;
    fl_network *n;
    fl_fold_plan *plan;
    fl_log *log;
    fl_net *net;
    fl_worker *k;
    fl_lanes *l;
    struct sigaction catch = {.sa_handler = count_alarm, .sa_flags = SA_RESTART}, before;
    const fl_products *products = fl_products_get(tier, false);
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

    c.width = 8;
    c.hidden = 16;
    fixture_rows(&c, &rows, &n, &plan, &log, "signals");
    assert_int_equal(fl_net_new(&net, n, NULL), FLORIN_OK);
    fl_net_init(net, 1);
    assert_int_equal(fl_worker_new(&k, net, 16, 16, true, NULL), FLORIN_OK);
    assert_int_equal(fl_lanes_new(&l, rows, 0, 16, 1, NULL), FLORIN_OK);
    fl_lanes_next(l, &k, 1, 16);
    fl_pass pass = {.stream = 0, .train = true};
    float *want = fl_alloc(net->total, sizeof *want);
    gradient_pass_by(products, k, net, rows, pass);
    memcpy(want, fl_worker_gradient(k), net->total * sizeof *want);
    alarms = 0;
    sigaction(SIGALRM, &catch, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 2000 && alarms < 100; i++) {
        memset(fl_worker_state(k), 0, (size_t)16 * n->h * sizeof(float));
        gradient_pass_by(products, k, net, rows, pass);
        assert_memory_equal(fl_worker_gradient(k), want, net->total * sizeof *want);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_true(alarms > 0);
    free(want);
    fl_lanes_free(l);
    fl_worker_free(k);
    fl_net_free(net);
    fixture_rows_free(rows, n, plan, log);
}

/* oneDNN's products, which signals must not meet, and those that this machine chooses. */
static void test_signals(void **state)
{
    (void)state;
    signals("onednn");
    signals(NULL);
}

/* ---- bad input ---- */

static void test_bad_options(void **state)
{
    fl_train_config c = small_train_config();
    fl_log *log = fixture_log("bad", 1);
    florin_error err = {0};
    json_t *j = NULL;
    fl_train_files files = {.out = scratch_path("bad.model")};

    (void)state;
    c.until_us = FIXTURE_START;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EINPUT);
    assert_non_null(strstr(err.message, "--until"));
    c = small_train_config();
    c.hidden = 0;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_train_config();
    c.rate = NAN;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_train_config();
    c.lanes = 7;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EUSAGE);
    c = small_train_config();
    c.valid_from_us = FIXTURE_START;
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EINPUT);
    files.out = "/nonexistent-folder/x.model";
    c = small_train_config();
    assert_int_equal(fl_pretrain(log, &c, &files, NULL, &j, &err), FLORIN_EIO);
    fl_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_gradients, &gru),
        cmocka_unit_test_prestate(test_gradients, &transformer),
        cmocka_unit_test_prestate(test_gradients, &learned),
        cmocka_unit_test_prestate(test_gradients, &plain),
        cmocka_unit_test(test_normalised),
        cmocka_unit_test(test_signals),
        cmocka_unit_test_prestate(test_same_bytes, &gru),
        cmocka_unit_test_prestate(test_same_bytes, &transformer),
        cmocka_unit_test_prestate(test_resume, &gru),
        cmocka_unit_test_prestate(test_resume, &transformer),
        cmocka_unit_test_prestate(test_nothing_after_until, &gru),
        cmocka_unit_test_prestate(test_nothing_after_until, &transformer),
        cmocka_unit_test(test_early_stop),
        cmocka_unit_test_prestate(test_equals_inference, &gru),
        cmocka_unit_test_prestate(test_equals_inference, &transformer),
        cmocka_unit_test_prestate(test_equals_inference, &learned),
        cmocka_unit_test_prestate(test_equals_inference, &plain),
        cmocka_unit_test(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
