/* The network at inference: tokens and inputs, the equations of network.h against a slow second writing of them,
 * tiers against each other, and what must never happen: a NaN, an allocation, a result that depends on a thread. */
#include "support/support.h"
#include "support/model_fixture.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>

enum { H = 24, D = 12, ENTITIES = 9, EVENTS = 120 };
#define START (1600000000 * FL_SECOND_US)

static const char *seeded_path(uint64_t seed)
{
    fl_schema *s = fixture_schema();
    const char *path = fixture_model(scratch_path("fixture.model"), s, H, D, seed);

    fl_schema_free(s);
    return path;
}

static const char *model_path(void)
{
    return seeded_path(7);
}

static fl_model *open_seeded(const char *tier, uint64_t seed)
{
    fl_model *m;
    florin_error err = {0};

    if (fl_model_open(&m, seeded_path(seed), tier, &err)) fail_msg("%s", err.message);
    return m;
}

static fl_model *open_model(const char *tier)
{
    return open_seeded(tier, 7);
}

/* ---- tokens and inputs ---- */

static void test_squash(void **state)
{
    (void)state;
    for (double x = 1e-6; x < 1e30; x *= 1.7) {
        double want = log1p(x), got = (double)fl_squash((float)x);
        assert_true(fabs(got - want) < 3e-7 * (1 + want));
        assert_true(fl_squash((float)-x) == -fl_squash((float)x));
    }
    assert_true(fl_squash(0) == 0);
    assert_true(fl_squash(NAN) == 0 && isfinite(fl_squash(INFINITY)) &&
                isfinite(fl_squash(-INFINITY)));
}

static void test_calendar(void **state)
{
    static const struct {
        const char *text;
        int hour, weekday, day;
    } want[] = {{"1970-01-01 00:00:00", 0, 3, 0},
                {"2024-02-29 23:59:59", 23, 3, 28},
                {"2018-08-01 12:30", 12, 2, 0},
                {"1969-12-31 23:00", 23, 2, 30},
                {"2000-12-31 01:00", 1, 6, 30}};

    (void)state;
    for (size_t i = 0; i < FL_LEN(want); i++) {
        int64_t t;
        assert_true(fl_time_parse(want[i].text, &t));
        fl_calendar c = fl_calendar_of(t);
        assert_int_equal(c.hour, want[i].hour);
        assert_int_equal(c.weekday, want[i].weekday);
        assert_int_equal(c.day, want[i].day);
    }
    for (int i = 0; i < 2; i++) {
        fl_calendar c = fl_calendar_of(i ? INT64_MAX : INT64_MIN);
        assert_true(c.hour < 24 && c.weekday < 7 && c.day < 31);
    }
}

static void test_gap_tokens(void **state)
{
    uint32_t before = 2;

    (void)state;
    assert_int_equal(fl_dt_token(5, true), 0);
    assert_int_equal(fl_dt_token(0, false), 1);
    assert_int_equal(fl_dt_token(-7, false), 1);
    assert_int_equal(fl_dt_token(INT64_MIN, false), 1);
    assert_int_equal(fl_dt_token(1, false), 2);
    assert_int_equal(fl_dt_token(999999, false), 2);
    assert_int_equal(fl_dt_token(1000000, false), 3);
    assert_int_equal(fl_dt_token(INT64_MAX, false), FL_DT_TOKENS - 1);
    for (int64_t dt = 1; dt < INT64_MAX / 3; dt += dt / 4 + 1) {
        uint32_t t = fl_dt_token(dt, false);
        assert_true(t >= before && t <= before + 1);
        before = t;
    }
    assert_int_equal(before, FL_DT_TOKENS - 1);
}

static void test_tokens(void **state)
{
    fl_model *m = open_model("ref");
    const fl_network *n = fl_model_network(m);
    const fl_vocabulary *v = &n->vocabulary[0], *shop = &n->vocabulary[2];

    (void)state;
    assert_int_equal(n->categories, 3); /* `code` is known only after the decision */
    assert_string_equal(n->name[1], "country");
    assert_int_equal(fl_token(v, 0), FL_TOKEN_MISSING);
    assert_int_equal(fl_token(v, v->hash[3]), FL_TOKEN_FIRST + 3);
    assert_int_equal(fl_token(v, 12345), FL_TOKEN_UNKNOWN);
    assert_true(fl_token(shop, 12345) >= FL_TOKEN_FIRST + shop->known &&
                fl_token(shop, 12345) < shop->tokens);
    assert_int_equal(fl_amount_token(n, FL_AMOUNT_NONE), 0);
    assert_int_equal(fl_amount_token(n, 0), 1);
    assert_int_equal(fl_amount_token(n, INT64_MIN + 1), 2);
    assert_int_equal(fl_amount_token(n, INT64_MAX), FL_AMOUNT_TOKENS - 1);
    assert_int_equal(fl_amount_token(n, -1750), 2 + 1); /* an edge belongs to the bin above it */
    assert_int_equal(fl_amount_token(n, -1751), 2);
    assert_int_equal(fl_currency_exponent("JPY"), 0);
    assert_int_equal(fl_currency_exponent("EUR"), 2);
    assert_int_equal(fl_currency_exponent("KWD"), 3);
    fl_model_close(m);
}

static void test_network_json(void **state)
{
    fl_model *m = open_model("ref");
    fl_network *n;
    json_t *a = fl_network_to_json(fl_model_network(m)), *b;

    (void)state;
    assert_int_equal(fl_network_from_json(&n, fl_model_schema(m), a, NULL), FLORIN_OK);
    b = fl_network_to_json(n);
    assert_true(json_equal(a, b));
    fl_network_free(n);
    static const char *const key[] = {"h",
                                      "d",
                                      "features",
                                      "categories",
                                      "backbone",
                                      "amount_edge",
                                      "number_mean",
                                      "number_scale",
                                      "feature_mean",
                                      "feature_scale",
                                      "log_amount_scale"};
    for (size_t i = 0; i < FL_LEN(key); i++) {
        json_t *broken = json_deep_copy(a);
        florin_error err = {0};
        json_object_set_new(broken, key[i], json_integer(-1));
        assert_int_equal(fl_network_from_json(&n, fl_model_schema(m), broken, &err),
                         FLORIN_EFORMAT);
        assert_null(n);
        json_decref(broken);
    }
    json_decref(a);
    json_decref(b);
    fl_model_close(m);
}

/* ---- the equations, written a second time ---- */

typedef struct {
    const fl_model *m;
    double h[2][H];
    bool known[2];
    int64_t last[2];
    struct recent {
        bool held;
        uint32_t token;
        long age; /* weight .9^(age / 8) */
    } recent[2][FL_TARGETS_MAX][FL_COPY_SLOTS];
} slow;

static const float *tensor(const slow *x, const char *format, const char *a, const char *b)
{
    char name[128];

    snprintf(name, sizeof name, format, a, b);
    const fl_tensor *t = fl_model_file_find(fl_model_source(x->m), name);
    assert_non_null(t);
    return t->data;
}

static void slow_linear(double *y, const double *x, const float *w, const float *b, int in, int out)
{
    for (int o = 0; o < out; o++) {
        y[o] = b ? (double)b[o] : 0;
        for (int i = 0; i < in; i++) y[o] += x[i] * (double)w[i * out + o];
    }
}

static void slow_encode(const slow *x, const fl_event *e, const float *row, double *out)
{
    const fl_network *n = fl_model_network(x->m);
    fl_calendar when = fl_calendar_of(e->time_us);
    float in[2048];
    double numbers[2048], hidden[2 * D], more[D];

    fl_network_number_inputs(n, fl_kernels_ref(), e, row, in);
    for (uint32_t i = 0; i < fl_network_numbers(n); i++) numbers[i] = (double)in[i];
    slow_linear(out, numbers, tensor(x, "num.w", "", ""), tensor(x, "num.b", "", ""),
                (int)fl_network_numbers(n), D);
    for (int i = 0; i < D; i++) {
        for (uint32_t c = 0; c < n->categories; c++)
            out[i] += (double)tensor(
                x, "cat.%s.table", n->name[c],
                "")[fl_token(&n->vocabulary[c], e->category[n->category[c]]) * D + (uint32_t)i];
        out[i] += (double)tensor(x, "type.table", "", "")[e->type * D + i];
        out[i] += (double)tensor(x, "amount.table", "",
                                 "")[(int)fl_amount_token(n, e->amount_minor) * D + i];
        out[i] += (double)tensor(x, "hour.table", "", "")[when.hour * D + i];
        out[i] += (double)tensor(x, "weekday.table", "", "")[when.weekday * D + i];
        out[i] += (double)tensor(x, "day.table", "", "")[when.day * D + i];
    }
    slow_linear(hidden, out, tensor(x, "mlp.w1", "", ""), tensor(x, "mlp.b1", "", ""), D, 2 * D);
    for (int i = 0; i < 2 * D; i++) hidden[i] = hidden[i] > 0 ? hidden[i] : 0;
    slow_linear(more, hidden, tensor(x, "mlp.w2", "", ""), tensor(x, "mlp.b2", "", ""), 2 * D, D);
    for (int i = 0; i < D; i++) out[i] += more[i];
}

static double slow_softmax_nats(const double *h, const float *w, const float *b, uint32_t n,
                                uint32_t which)
{
    double top = -1e300, sum = 0, z[512], mine = 0;

    for (uint32_t i = 0; i < n; i++) {
        z[i] = (double)b[i];
        for (int k = 0; k < H; k++) z[i] += h[k] * (double)w[i * H + (uint32_t)k];
        if (z[i] > top) top = z[i];
        if (i == which) mine = z[i];
    }
    for (uint32_t i = 0; i < n; i++) sum += exp(z[i] - top);
    return top + log(sum) - mine;
}

static double sigmoid(double v)
{
    return 1 / (1 + exp(-v));
}

static double slow_weight(const struct recent *of)
{
    return of->held ? pow(0.9, (double)of->age / 8) : 0;
}

/* The pointer mixture: nats of the softmax in, of the mixture out. */
static double slow_mix(const slow *x, int s, uint32_t t, uint32_t token, double softmax_nats)
{
    const char *name = s ? "payee" : "payer", *target = fl_model_target(x->m, t)->name;
    double all = 0, mine = 0;

    if (!fl_model_network(x->m)->copy || !x->known[s]) return softmax_nats;
    const float *w = tensor(x, "%s.head.%s.gw", name, target);
    double odds = (double)*tensor(x, "%s.head.%s.gb", name, target);
    for (int k = 0; k < H; k++) odds += x->h[s][k] * (double)w[k];
    for (int i = 0; i < FL_COPY_SLOTS; i++) {
        double weight = slow_weight(&x->recent[s][t][i]);
        all += weight;
        if (x->recent[s][t][i].token == token) mine += weight;
    }
    double g = sigmoid(odds);
    return -log((1 - g) * exp(-softmax_nats) + g * mine / all);
}

static void slow_remember(slow *x, int s, const fl_tokens *tokens, uint32_t gap)
{
    for (uint32_t t = 0; t < fl_model_targets(x->m); t++) {
        uint32_t token = fl_target_token(fl_model_target(x->m, t)->slot, tokens, gap);
        struct recent *of = x->recent[s][t], *place = NULL, *lightest = of;
        for (int i = 0; i < FL_COPY_SLOTS; i++) {
            of[i].age += 8;
            if (of[i].held && of[i].token == token) place = &of[i];
            if (!lightest->held) continue;
            if (!of[i].held || of[i].age > lightest->age ||
                (of[i].age == lightest->age && of[i].token < lightest->token))
                lightest = &of[i];
        }
        double weight = place ? slow_weight(place) : 0;
        if (!place) place = lightest;
        *place = (struct recent){true, token, lround(8 * log(weight + 1) / log(0.9))};
    }
}

static void slow_surprise(const slow *x, int s, const fl_tokens *tokens, uint32_t gap, double *out)
{
    const char *name = s ? "payee" : "payer";

    for (uint32_t t = 0; t < fl_model_targets(x->m); t++) {
        const fl_target *g = fl_model_target(x->m, t);
        const float *w = tensor(x, "%s.head.%s.w", name, g->name),
                    *b = tensor(x, "%s.head.%s.b", name, g->name);
        uint32_t token = fl_target_token(g->slot, tokens, gap);
        if (!g->group) {
            out[t] = slow_mix(x, s, t, token, slow_softmax_nats(x->h[s], w, b, g->tokens, token));
            continue;
        }
        uint32_t cluster = token / g->group, first = cluster * g->group;
        uint32_t members = g->tokens - first < g->group ? g->tokens - first : g->group;
        out[t] = slow_softmax_nats(x->h[s], tensor(x, "%s.head.%s.cw", name, g->name),
                                   tensor(x, "%s.head.%s.cb", name, g->name), fl_target_clusters(g),
                                   cluster);
        out[t] += slow_softmax_nats(x->h[s], w + first * H, b + first, members, token - first);
        out[t] = slow_mix(x, s, t, token, out[t]);
    }
}

static void slow_step(slow *x, int s, const fl_event *e, const double *encoded)
{
    const char *name = s ? "payee" : "payer";
    bool first = !x->known[s];
    int64_t dt = first ? 0 : e->time_us - x->last[s];
    double in[D], gx[3 * H], gh[3 * H];

    for (int i = 0; i < D; i++)
        in[i] = encoded[i] +
                (double)tensor(x, "%s.dt.table", name, "")[(int)fl_dt_token(dt, first) * D + i] +
                (double)tensor(x, "%s.dt.w", name, "")[i] *
                    (dt > 0 ? log1p((double)dt * 1e-6) / 10 : 0);
    slow_linear(gx, in, tensor(x, "gru.wx", "", ""), tensor(x, "gru.bx", "", ""), D, 3 * H);
    slow_linear(gh, x->h[s], tensor(x, "gru.wh", "", ""), tensor(x, "gru.bh", "", ""), H, 3 * H);
    for (int i = 0; i < H; i++) {
        double r = sigmoid(gx[i] + gh[i]), z = sigmoid(gx[H + i] + gh[H + i]);
        x->h[s][i] = (1 - z) * tanh(gx[2 * H + i] + r * gh[2 * H + i]) + z * x->h[s][i];
    }
    x->known[s] = true;
    if (first || e->time_us > x->last[s]) x->last[s] = e->time_us;
}

/* One payer and one payee, sometimes absent. */
static void check_equations(const char *tier, uint64_t seed, double tolerance)
{
    if (!fl_kernels_get(tier)) return;
    fl_model *m = open_seeded(tier, seed);
    uint32_t T = fl_model_targets(m), width = fl_model_row_width(m);
    fl_state *st[2] = {fl_alloc_aligned(1, fl_model_state_bytes(m)),
                       fl_alloc_aligned(1, fl_model_state_bytes(m))};
    float *row = fl_calloc(width, sizeof *row);
    fl_model_scratch *scratch;
    slow x = {.m = m};
    fl_rng r;
    fl_event e;

    fl_rng_seed(&r, 11);
    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int i = 0; i < 60; i++) {
        double encoded[D], want[FL_TARGETS_MAX];
        fl_tokens tokens;
        fixture_event(&r, fl_model_schema(m), 1, START + (int64_t)i * i * 3600000000, &e);
        for (uint32_t f = 0; f < fl_model_row_surprise(m); f++)
            row[f] = (float)fl_rng_normal(&r) * 50;
        slow_encode(&x, &e, row, encoded);
        fl_network_tokens(fl_model_network(m), &e, &tokens);
        fl_model_event(m, scratch, &e, e.entity[0] ? NULL : st[0], e.entity[1] ? NULL : st[1], row);
        for (int s = 0; s < 2; s++) {
            const float *surprise = row + fl_model_row_surprise(m) + (uint32_t)s * T;
            const float *h = row + fl_model_row_embedding(m) + s * H;
            if (e.entity[s] == FL_NONE) {
                for (uint32_t t = 0; t < T; t++) assert_true(surprise[t] == 0);
                for (int k = 0; k < H; k++) assert_true(h[k] == 0);
                continue;
            }
            uint32_t gap = fl_dt_token(e.time_us - x.last[s], !x.known[s]);
            slow_surprise(&x, s, &tokens, gap, want);
            slow_remember(&x, s, &tokens, gap);
            slow_step(&x, s, &e, encoded);
            for (uint32_t t = 0; t < T; t++)
                assert_true(fabs((double)surprise[t] - want[t]) < tolerance);
            for (int k = 0; k < H; k++) assert_true(fabs((double)h[k] - x.h[s][k]) < tolerance);
        }
    }
    fl_model_scratch_free(scratch);
    free(st[0]);
    free(st[1]);
    free(row);
    fl_model_close(m);
}

static void test_equations(void **state)
{
    (void)state;
    for (uint64_t seed = 7; seed < 9; seed++) { /* with copy, and without */
        check_equations("ref", seed, 1e-4);
        check_equations("avx2", seed, 1e-4);
        if (fl_kernels_get("avx512")) check_equations("avx512", seed, 1e-4);
    }
}

/* ---- recent tokens ---- */

/* Beside weights that are never rounded, whatever came: shares stay near. */
static void test_copy_shares(void **state)
{
    enum { TOKENS = 5, LAST = 2 * FL_VOCABULARY_MAX + FL_TOKEN_FIRST - 1 };
    fl_rng r;
    double worst = 0, off = 0;

    (void)state;
    fl_rng_seed(&r, 4);
    for (int trial = 0; trial < 200; trial++) {
        fl_copy_slot slot[FL_COPY_SLOTS] = {0};
        double exact[TOKENS] = {0}, all = 0, often = fl_rng_double(&r);
        for (int i = 0; i < 200; i++) {
            uint32_t which = fl_rng_double(&r) < often ? 0 : (uint32_t)fl_rng_below(&r, TOKENS);
            fl_copy_add(slot, LAST - which);
            all = 0.9 * all + 1;
            for (uint32_t t = 0; t < TOKENS; t++) exact[t] = 0.9 * exact[t] + (t == which ? 1 : 0);
            for (uint32_t t = 0; t < TOKENS; t++) {
                double share = (double)fl_copy_share(slot, LAST - t), d = share - exact[t] / all;
                worst = fabs(d) > worst ? fabs(d) : worst;
                off += d * d / (200 * 200 * TOKENS);
            }
        }
    }
    assert_true(worst < 0.03 && sqrt(off) < 0.005);
}

/* A weight decays exactly, and what no longer comes is forgotten. */
static void test_copy_decay(void **state)
{
    fl_copy_slot slot[FL_COPY_SLOTS] = {0};

    (void)state;
    assert_true(fl_copy_share(slot, 7) == 0);
    fl_copy_add(slot, 7);
    assert_true(fl_copy_share(slot, 7) == 1 && fabsf(fl_copy_weight(slot[0]) - 1) < 1e-6f);
    for (int i = 1; i < 103; i++) {
        fl_copy_add(slot, 8);
        float want = (float)pow(0.9, i);
        assert_true(fabsf(fl_copy_weight(slot[0]) - want) < 1e-5f * want);
        assert_true(fl_copy_share(slot, 7) > 0 && fl_copy_share(slot, 9) == 0);
    }
    fl_copy_add(slot, 8);
    assert_true(fl_copy_share(slot, 7) == 0 && fl_copy_share(slot, 8) == 1);
    /* Any bits are a slot that goes on. */
    memset(slot, 0xff, sizeof slot);
    for (uint32_t i = 0; i < 20; i++) {
        fl_copy_add(slot, i % 3);
        float share = fl_copy_share(slot, i % 3);
        assert_true(share > 0 && share < 1);
    }
}

/* ---- runs over a stream ---- */

typedef struct {
    const fl_model *m;
    float *rows; /* [EVENTS][width] */
} run;

static void run_stream(const fl_model *m, uint64_t seed, float *rows, bool count)
{
    uint32_t width = fl_model_row_width(m);
    size_t bytes = fl_model_state_bytes(m);
    uint8_t *state[2] = {fl_alloc_aligned(ENTITIES, bytes), fl_alloc_aligned(ENTITIES, bytes)};
    fl_model_scratch *scratch;
    fl_rng r;
    fl_event e;

    fl_rng_seed(&r, seed);
    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int i = 0; i < EVENTS; i++) {
        float *row = rows + (size_t)i * width;
        fl_state *of[2] = {NULL, NULL};
        fixture_event(&r, fl_model_schema(m), ENTITIES, START + i * 977000000ll, &e);
        for (uint32_t f = 0; f < fl_model_row_surprise(m); f++) row[f] = (float)fl_rng_normal(&r);
        for (int s = 0; s < 2; s++)
            if (e.entity[s] != FL_NONE)
                of[s] = (fl_state *)(void *)(state[s] + e.entity[s] * bytes);
        uint64_t before = allocation_count();
        fl_model_event(m, scratch, &e, of[0], of[1], row);
        if (count) assert_int_equal(allocation_count(), before);
    }
    fl_model_scratch_free(scratch);
    free(state[0]);
    free(state[1]);
}

static void in_thread(void *argument, uint32_t i)
{
    run *x = argument;

    run_stream(x->m, 5, x->rows + (size_t)i * EVENTS * fl_model_row_width(x->m), false);
}

static void test_threads_agree(void **state)
{
    fl_model *m = open_model(NULL);
    size_t n = (size_t)EVENTS * fl_model_row_width(m);
    run x = {m, fl_calloc(4 * n, sizeof(float))};

    (void)state;
    fl_parallel(4, 4, in_thread, &x);
    for (int i = 1; i < 4; i++)
        assert_memory_equal(x.rows, x.rows + (size_t)i * n, n * sizeof(float));
    free(x.rows);
    fl_model_close(m);
}

static void test_tiers_agree(void **state)
{
    fl_model *a = open_model("ref"), *b;
    size_t n = (size_t)EVENTS * fl_model_row_width(a);
    float *x = fl_calloc(n, sizeof *x), *y = fl_calloc(n, sizeof *y);

    (void)state;
    run_stream(a, 5, x, true);
    for (int tier = 0; tier < 2; tier++) {
        const char *name = tier ? "avx512" : "avx2";
        if (!fl_kernels_get(name)) continue;
        b = open_model(name);
        run_stream(b, 5, y, true);
        for (size_t i = 0; i < n; i++) assert_true(fabsf(x[i] - y[i]) < 1e-4f * (1 + fabsf(x[i])));
        fl_model_close(b);
    }
    free(x);
    free(y);
    fl_model_close(a);
}

/* With weights, inputs and states rounded, rows stay near those of floats, in every tier. */
static void test_int8(void **state)
{
    static const char *const tier[] = {"ref", "avx2", "avx512"};
    fl_model *a = open_model("ref");
    size_t width = fl_model_row_width(a), n = (size_t)EVENTS * width;
    float *x = fl_calloc(n, sizeof *x), *y = fl_calloc(n, sizeof *y);

    (void)state;
    run_stream(a, 5, x, true);
    for (uint32_t t = 0; t < FL_LEN(tier); t++) {
        if (!fl_kernels_get(tier[t])) continue;
        fl_model *b = open_seeded(tier[t], FIXTURE_INT8 + 7);
        double off = 0, cells = 0;
        assert_true(fl_model_state_bytes(b) < fl_model_state_bytes(a));
        run_stream(b, 5, y, true);
        for (size_t i = 0; i < n; i++) {
            if (i % width < fl_model_row_surprise(a)) continue;
            off += fabs((double)x[i] - (double)y[i]), cells++;
            if (i % width >= fl_model_row_embedding(a)) assert_true(fabsf(x[i] - y[i]) < 0.25f);
        }
        assert_true(off > 0 && off / cells < 0.03);
        fl_model_close(b);
    }
    free(x);
    free(y);
    fl_model_close(a);
}

/* Whatever an event holds, the row is finite and surprise is not negative. */
static void extreme_events(const fl_model *m)
{
    static const int64_t far[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    static const float number[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f, 0};
    fl_state *st[2] = {fl_alloc_aligned(1, fl_model_state_bytes(m)),
                       fl_alloc_aligned(1, fl_model_state_bytes(m))};
    float *row = fl_calloc(fl_model_row_width(m), sizeof *row);
    fl_model_scratch *scratch;

    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int i = 0; i < 7 * 7 * 7; i++) {
        fl_event e = {.time_us = far[i % 7],
                      .amount_minor = far[i / 7 % 7],
                      .type = (uint8_t)(i * 37),
                      .number_present = ~0u};
        for (int k = 0; k < FL_NUMBERS_MAX; k++) e.number[k] = number[i / 49];
        for (int c = 0; c < FL_CATEGORIES_MAX; c++)
            e.category[c] = (uint64_t)i * 0x9e3779b97f4a7c15u;
        for (uint32_t f = 0; f < fl_model_row_surprise(m); f++) row[f] = f % 2 ? 3e38f : -3e38f;
        fl_model_event(m, scratch, &e, i % 3 ? st[0] : NULL, i % 5 ? st[1] : NULL, row);
        for (uint32_t c = fl_model_row_surprise(m); c < fl_model_row_width(m); c++)
            assert_true(isfinite(row[c]));
        for (uint32_t c = fl_model_row_surprise(m); c < fl_model_row_tail(m); c++)
            assert_true(row[c] >= 0);
    }
    fl_model_scratch_free(scratch);
    free(st[0]);
    free(st[1]);
    free(row);
}

static void test_extremes(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        const char *tier = i == 0 ? "ref" : i == 1 ? "avx2" : fl_kernels_best();
        if (!fl_kernels_get(tier)) continue;
        fl_model *m = open_seeded(tier, i == 3 ? FIXTURE_INT8 + 7 : 7);
        extreme_events(m);
        fl_model_close(m);
    }
}

static void test_predict(void **state)
{
    fl_model *m = open_model(NULL);
    fl_state *st = fl_alloc_aligned(1, fl_model_state_bytes(m));
    float p[512];
    fl_model_scratch *scratch;
    fl_rng r;
    float *row = fl_calloc(fl_model_row_width(m), sizeof *row);
    fl_event e;
    fl_tokens tokens;

    (void)state;
    fl_rng_seed(&r, 3);
    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int i = 0; i < 8; i++) {
        fixture_event(&r, fl_model_schema(m), 1, START + i * FL_DAY_US, &e);
        fl_model_event(m, scratch, &e, NULL, st, row);
    }
    for (uint32_t t = 0; t < fl_model_targets(m); t++) {
        fl_state *copy = fl_alloc_aligned(1, fl_model_state_bytes(m));
        memcpy(copy, st, fl_model_state_bytes(m));
        double sum = 0;
        fl_model_predict(m, scratch, 1, st, t, p);
        for (uint32_t i = 0; i < fl_model_target(m, t)->tokens; i++) sum += (double)p[i];
        assert_true(fabs(sum - 1) < 1e-5);
        fixture_event(&r, fl_model_schema(m), 1, START, &e);
        fl_network_tokens(fl_model_network(m), &e, &tokens);
        fl_model_event(m, scratch, &e, NULL, copy, row);
        uint32_t gap = fl_dt_token(START - st->last_us, false);
        uint32_t token = fl_target_token(fl_model_target(m, t)->slot, &tokens, gap);
        float surprise = row[fl_model_row_surprise(m) + fl_model_targets(m) + t];
        assert_true(fabs(log((double)p[token]) + (double)surprise) < 1e-4);
        free(copy);
    }
    fl_model_scratch_free(scratch);
    free(st);
    free(row);
    fl_model_close(m);
}

/* A larger amount never has a smaller tail; the middle of the distribution is near zero. */
static void test_tail(void **state)
{
    fl_model *m = open_model(NULL);
    fl_state *st = fl_alloc_aligned(1, fl_model_state_bytes(m));
    float *row = fl_calloc(fl_model_row_width(m), sizeof *row), before = -7;
    fl_model_scratch *scratch;
    bool low = false, high = false;

    (void)state;
    assert_int_equal(fl_model_scratch_new(&scratch, m, NULL), FLORIN_OK);
    for (int64_t amount = -3000; amount < 22000; amount += 50) {
        fl_event e = {.time_us = START, .amount_minor = amount};
        memset(st, 0, fl_model_state_bytes(m));
        fl_model_event(m, scratch, &e, st, NULL, row);
        float tail = row[fl_model_row_tail(m)];
        assert_true(tail >= before && tail >= -6 && tail <= 6);
        assert_true(row[fl_model_row_tail(m) + 1] == 0); /* first event: no gap */
        low |= tail < -1;
        high |= tail > 1;
        before = tail;
    }
    assert_true(low && high);
    fl_model_scratch_free(scratch);
    free(st);
    free(row);
    fl_model_close(m);
}

/* ---- opening ---- */

static void test_names(void **state)
{
    fl_model *m = open_model("ref");

    (void)state;
    assert_string_equal(fl_model_row_name(m, fl_model_row_surprise(m)), "surprise:payer.mcc");
    assert_string_equal(fl_model_row_name(m, fl_model_row_tail(m) + 2), "tail:payee.amount");
    assert_string_equal(fl_model_row_name(m, fl_model_row_width(m) - 1), "embedding:payee.23");
    assert_int_equal(strncmp(fl_model_row_name(m, 0), "fold:", 5), 0);
    for (uint32_t i = 0; i < fl_model_row_width(m); i++)
        for (uint32_t k = 0; k < i; k++)
            assert_string_not_equal(fl_model_row_name(m, i), fl_model_row_name(m, k));
    assert_int_equal(fl_model_until(m), 1700000000 * FL_SECOND_US);
    assert_int_equal(fl_model_state_bytes(m) % 64, 0);
    fl_model_close(m);
}

static void test_damaged(void **state)
{
    char *path = fl_strdup(model_path()), *bytes; /* scratch names are reused */
    size_t n;
    fl_model *m;
    florin_error err = {0};

    (void)state;
    assert_int_equal(fl_read_file(&bytes, &n, path, 1 << 26, NULL), FLORIN_OK);
    for (size_t i = 0; i < 40; i++) {
        const char *bad = scratch_file("bad.model", bytes, n);
        flip_bit(bad, (n - 1) * i / 39, (int)(i % 8));
        assert_int_equal(fl_model_open(&m, bad, NULL, &err), FLORIN_EFORMAT);
        assert_non_null(strstr(err.message, "bad.model"));
        assert_null(m);
    }
    free(bytes);
    assert_int_equal(fl_model_open(&m, path, "abacus", &err), FLORIN_EUSAGE);
    assert_int_equal(fl_model_open(&m, scratch_path("none.model"), NULL, &err), FLORIN_EIO);
    free(path);
}

static void test_no_memory(void **state)
{
    const char *path = model_path();
    fl_model *m;

    (void)state;
    for (uint64_t n = 1;; n += 1 + n / 20) {
        florin_error err = {0};
        allocation_fail_at(n, true);
        florin_status st = fl_model_open(&m, path, NULL, &err);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        if (!failed) {
            assert_int_equal(st, FLORIN_OK);
            fl_model_close(m);
            return;
        }
        assert_int_not_equal(st, FLORIN_OK);
        assert_null(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_squash),        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_gap_tokens),    cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_network_json),  cmocka_unit_test(test_equations),
        cmocka_unit_test(test_copy_shares),   cmocka_unit_test(test_copy_decay),
        cmocka_unit_test(test_threads_agree), cmocka_unit_test(test_tiers_agree),
        cmocka_unit_test(test_int8),          cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_predict),       cmocka_unit_test(test_tail),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
