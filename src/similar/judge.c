/* Every entity asks once, on as many threads as there are; what is found does not depend on their number. */
#include "similar/judge.h"
#include "similar/share.h"
#include "task/result.h"
#include <math.h>
#include <stdio.h>

enum { NEAR = 10, LEAST = 10, DRAWS = 300, SYSTEMS = 3, HITS = 2, ASKED = 64 };
enum { OURS, FOLD, CHANCE };
static const char *const NAME[SYSTEMS] = {"florin", "fold", "chance"};

typedef struct {
    const fl_kernels *kernels;
    const uint32_t *code; /* of a category; NULL: halves */
    const float *vectors, *other;
    uint32_t width, n; /* that ask; halves: pairs */
    float *out;        /* [n][HITS] */
    bool failed;
} asking;

/* Precision among the ten nearest. */
static void ask_category(asking *a, uint32_t i, float *scratch)
{
    fl_near near[NEAR];
    uint32_t k = fl_near_k(a->kernels, a->vectors + (size_t)i * a->width, a->vectors, a->n,
                           a->width, i, NEAR, scratch, near);
    float same = 0;

    for (uint32_t j = 0; j < k; j++) same += a->code[near[j].item] == a->code[i];
    a->out[(size_t)i * HITS] = same / (float)k;
}

/* Is the other half the first, or among ten? Mean of both ways. */
static void ask_half(asking *a, uint32_t i, float *scratch)
{
    float *out = a->out + (size_t)i * HITS;

    out[0] = out[1] = 0;
    for (int way = 0; way < 2; way++) {
        const float *mine = way ? a->other : a->vectors, *among = way ? a->vectors : a->other;
        fl_near near[NEAR];
        uint32_t k = fl_near_k(a->kernels, mine + (size_t)i * a->width, among, a->n, a->width,
                               UINT32_MAX, NEAR, scratch, near);
        out[0] += near[0].item == i ? .5f : 0;
        for (uint32_t j = 0; j < k; j++) out[1] += near[j].item == i ? .5f : 0;
    }
}

static void ask_some(void *arg, uint32_t part)
{
    asking *a = arg;
    float *scratch = fl_alloc(a->n, sizeof *scratch);

    if (!scratch) a->failed = true;
    for (uint32_t i = part * ASKED; scratch && i < a->n && i < (part + 1) * ASKED; i++) {
        if (a->code) ask_category(a, i, scratch);
        else ask_half(a, i, scratch);
    }
    free(scratch);
}

/* Rows 0, 2, 4 ... of x [2 n][w] before rows 1, 3, 5 ... */
static florin_status part_halves(float **x, uint32_t n, uint32_t w, florin_error *err)
{
    float *y = fl_alloc((size_t)2 * n * w, sizeof *y);

    if (!y) return fl_fail(err, FLORIN_ENOMEM, "no memory for %u halves", 2 * n);
    for (uint32_t i = 0; i < 2 * n; i++)
        memcpy(y + ((size_t)(i & 1) * n + i / 2) * w, *x + (size_t)i * w, w * sizeof *y);
    free(*x);
    *x = y;
    return FLORIN_OK;
}

/* out [n][HITS] by one way to compare. */
static florin_status ask(float *out, const fl_crowd *c, const uint32_t *code, fl_by by,
                         const fl_model *m, const florin_context *ctx, florin_error *err)
{
    float *x = NULL;
    asking a = {
        .kernels = fl_model_kernels(m), .code = code, .n = code ? c->n : c->n / 2, .out = out};
    florin_status st = fl_near_vectors(&x, &a.width, c, by, err);
    if (!st && !code) st = part_halves(&x, a.n, a.width, err);
    if (st) goto done;
    a.vectors = x;
    a.other = x + (size_t)a.n * a.width;
    fl_parallel(fl_threads(ctx), (a.n + ASKED - 1) / ASKED, ask_some, &a);
    if (a.failed) st = fl_fail(err, FLORIN_ENOMEM, "no memory for %u neighbours", a.n);
    else if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
done:
    free(x);
    return st;
}

/* --- figures --- */

typedef struct {
    uint32_t n, hits, systems;
    const float *of[SYSTEMS]; /* [n][HITS] */
} answers;

/* Every hit of every system, then ours less each other's. */
static void figures(void *self, const double *weight, double *out)
{
    const answers *a = self;
    double sum = 0, total[SYSTEMS][HITS] = {{0}};

    for (uint32_t i = 0; i < a->n; i++) {
        double w = weight ? weight[i] : 1;
        sum += w;
        for (uint32_t s = 0; s < a->systems; s++)
            for (uint32_t h = 0; h < a->hits; h++)
                total[s][h] += w * (double)a->of[s][(size_t)i * HITS + h];
    }
    for (uint32_t s = 0; s < a->systems; s++)
        for (uint32_t h = 0; h < a->hits; h++) {
            out[s * a->hits + h] = sum > 0 ? total[s][h] / sum : 0;
            if (s)
                out[(a->systems + s - 1) * a->hits + h] =
                    sum > 0 ? (total[OURS][h] - total[s][h]) / sum : 0;
        }
}

static const char *by_word(fl_by by)
{
    return by == FL_BY_EMBEDDING ? "the network's states"
           : by == FL_BY_FOLD    ? "the fold's features"
                                 : "the network's states and the fold's features";
}

static json_t *result(const fl_alike *a, const answers *x, const fl_interval *f, const fl_log *log)
{
    static const char *const metric[2][HITS] = {{"recall_at_1", "recall_at_10"},
                                                {"precision_at_10", NULL}};
    const fl_schema *s = fl_log_schema(log);
    json_t *systems = json_array(), *differences = json_array(), *trivial = NULL;
    char at[32], label[128];
    bool input = a->of >= 0 && !s->category[a->of].after;

    fl_time_format(a->at_us, at);
    for (uint32_t k = 0; k < x->systems; k++) {
        json_t *m = json_object();
        for (uint32_t h = 0; h < x->hits; h++)
            json_object_set_new(m, metric[a->of >= 0][h], fl_result_interval(&f[k * x->hits + h]));
        snprintf(label, sizeof label, "%s",
                 k == CHANCE ? "neighbours drawn by chance" : by_word(k ? FL_BY_FOLD : a->by));
        json_array_append_new(
            systems, json_pack("{s:s, s:s, s:o}", "name", NAME[k], "label", label, "metrics", m));
        for (uint32_t h = 0; k && h < x->hits; h++)
            json_array_append_new(differences,
                                  fl_result_difference(NAME[OURS], NAME[k], metric[a->of >= 0][h],
                                                       &f[(x->systems + k - 1) * x->hits + h]));
    }
    trivial = json_pack("{s:s, s:O, s:[O]}", "name", NAME[FOLD], "metrics",
                        json_object_get(json_array_get(systems, FOLD), "metrics"), "differences",
                        json_array_get(differences, 0));
    json_t *j =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:{s:s, s:s, s:I, s:I}, s:o, s:o, s:o}",
                  "report", "eval", "kind", "similarity", "task", a->name, "data", a->data, "about",
                  a->about, "part", "test", "per_event", 0, "entity", s->kind[a->kind].name, "test",
                  "from", at, "to", at, "rows", (json_int_t)x->n, "entities", (json_int_t)x->n,
                  "systems", systems, "differences", differences, "trivial", trivial);
    if (!j || a->of < 0) return j;
    json_object_set_new(j, "of", json_string(s->category[a->of].name));
    json_object_set_new(j, "of_is_input", json_boolean(input));
    return j;
}

/* How often a neighbour by chance would have the same value. */
static void by_chance(float *out, const uint32_t *code, uint32_t n, uint32_t values)
{
    uint32_t *count = fl_calloc((size_t)values + 1, sizeof *count);

    for (uint32_t i = 0; count && i < n; i++) count[code[i]]++;
    for (uint32_t i = 0; i < n; i++)
        out[(size_t)i * HITS] = count ? (float)(count[code[i]] - 1) / (float)(n - 1) : 0;
    free(count);
}

/* Entities without a value are nobody's neighbours. */
static void keep_valued(fl_crowd *c, uint32_t *code)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->n; i++) {
        if (!code[i]) continue;
        memmove(c->state + (size_t)n * c->states, c->state + (size_t)i * c->states,
                c->states * sizeof *c->state);
        memmove(c->fold + (size_t)n * c->folds, c->fold + (size_t)i * c->folds,
                c->folds * sizeof *c->fold);
        c->entity[n] = c->entity[i];
        c->events[n] = c->events[i];
        code[n++] = code[i];
    }
    c->n = n;
}

static florin_status judge(json_t **out, const fl_alike *a, fl_crowd *c, uint32_t *code,
                           const fl_model *m, const fl_log *log, const florin_context *ctx,
                           florin_error *err)
{
    fl_interval f[(2 * SYSTEMS - 1) * HITS];
    uint32_t n = code ? c->n : c->n / 2;
    answers x = {.n = n, .hits = code ? 1 : HITS, .systems = SYSTEMS};
    float *hit[SYSTEMS] = {NULL};
    uint64_t *cluster = fl_alloc((size_t)n + 1, sizeof *cluster);
    florin_status st = cluster ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "out of memory");

    for (uint32_t s = 0; s < SYSTEMS && !st; s++) {
        x.of[s] = hit[s] = fl_calloc((size_t)n + 1, HITS * sizeof *hit[s]);
        if (!hit[s]) st = fl_fail(err, FLORIN_ENOMEM, "out of memory");
    }
    if (!st) st = ask(hit[OURS], c, code, a->by, m, ctx, err);
    if (!st) st = ask(hit[FOLD], c, code, FL_BY_FOLD, m, ctx, err);
    if (st) goto done;
    if (code) by_chance(hit[CHANCE], code, n, fl_log_values(log, a->of));
    for (uint32_t i = 0; i < n; i++) {
        cluster[i] = i;
        for (uint32_t h = 0; h < HITS && !code; h++)
            hit[CHANCE][(size_t)i * HITS + h] = fminf((h ? NEAR : 1) / (float)n, 1);
    }
    st = fl_bootstrap_figures(f, (2 * SYSTEMS - 1) * x.hits, figures, &x, cluster, n,
                              a->draws ? a->draws : DRAWS, a->seed, ctx, err);
    if (!st && !(*out = result(a, &x, f, log))) st = fl_fail(err, FLORIN_ENOMEM, "result");
done:
    for (uint32_t s = 0; s < SYSTEMS; s++) free(hit[s]);
    free(cluster);
    return st;
}

fl_alike fl_alike_of_task(const fl_task *t)
{
    return (fl_alike){.name = t->name,
                      .data = t->data,
                      .about = t->about,
                      .kind = t->kind,
                      .of = t->of,
                      .at_us = t->period[0].from_us,
                      .by = !strcmp(t->inputs, "fold")       ? FL_BY_FOLD
                            : !strcmp(t->inputs, "sequence") ? FL_BY_EMBEDDING
                                                             : FL_BY_BOTH,
                      .pool = FL_POOL_MEAN};
}

florin_status fl_alike_judge(json_t **out, const fl_alike *a, const fl_model *m, const fl_log *log,
                             const florin_context *ctx, florin_error *err)
{
    const fl_crowd_options o = {.kind = a->kind,
                                .at_us = a->at_us,
                                .pool = a->pool,
                                .least = a->least ? a->least : LEAST,
                                .halves = a->of < 0};
    fl_crowd c;
    uint32_t *code = NULL;
    florin_status st = fl_crowd_new(&c, m, log, &o, ctx, err);

    *out = NULL;
    if (!st && a->of >= 0) {
        code = fl_alloc(c.n, sizeof *code);
        st = code ? fl_share_usual(code, &c, log, a->kind, a->of, a->at_us, err)
                  : fl_fail(err, FLORIN_ENOMEM, "out of memory");
        if (!st) keep_valued(&c, code);
    }
    if (!st && (code ? c.n : c.n / 2) <= NEAR)
        st =
            fl_fail(err, FLORIN_EINPUT,
                    "%u entities of kind %s have enough events%s: neighbours are judged among more "
                    "than %d",
                    code ? c.n : c.n / 2, fl_log_schema(log)->kind[a->kind].name,
                    code ? " and a value" : "", NEAR);
    if (!st) st = judge(out, a, &c, code, m, log, ctx, err);
    fl_crowd_free(&c);
    free(code);
    return st;
}

void fl_alike_text(const florin_context *ctx, const json_t *j)
{
    const json_t *systems = json_object_get(j, "systems"),
                 *differences = json_object_get(j, "differences"), *s, *v;
    const char *name, *of = fl_json_str(j, "of", "");
    size_t i;

    fl_writef(ctx, "Task %s, judged on %.19s: %lld of kind %s, ", fl_json_str(j, "task", ""),
              fl_json_str(json_object_get(j, "test"), "from", ""),
              (long long)fl_json_int(json_object_get(j, "test"), "rows", 0),
              fl_json_str(j, "entity", ""));
    if (*of)
        fl_writef(
            ctx, "do the ten nearest share its %s?\n%s", of,
            fl_json_bool(j, "of_is_input", false)
                ? "  (the field is an input of the model: this asks whether likeness keeps it)\n"
                : "");
    else fl_writef(ctx, "each cut into two halves: is the nearest its own other half?\n");
    json_array_foreach(systems, i, s)
    {
        fl_writef(ctx, "  %-8s", fl_json_str(s, "name", ""));
        json_object_foreach((json_t *)(uintptr_t)json_object_get(s, "metrics"), name, v)
            fl_writef(ctx, " %s %.4f [%.4f, %.4f]", name, fl_json_num(v, "value", 0),
                      fl_json_num(v, "low", 0), fl_json_num(v, "high", 0));
        fl_writef(ctx, "  %s\n", fl_json_str(s, "label", ""));
    }
    json_array_foreach(differences, i, s)
        fl_writef(ctx, "  %s - %s, paired %-16s %+.4f [%+.4f, %+.4f]\n", fl_json_str(s, "a", ""),
                  fl_json_str(s, "b", ""), fl_json_str(s, "metric", ""), fl_json_num(s, "value", 0),
                  fl_json_num(s, "low", 0), fl_json_num(s, "high", 0));
}
