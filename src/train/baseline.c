/* Owns the baselines. Invariant: a prediction uses the entity's events before the one predicted, and popularity and
 * constants from training rows; everything is normalised over the whole vocabulary. */
#include "train/baseline.h"
#include <math.h>

enum { MIXES = 8, LIVES = 3, STRENGTHS = 4, TUNE_EVENTS = 60000 };

static const double mix[MIXES] = {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0};
static const double life[LIVES] = {8, 40, 400};
static const double strength[STRENGTHS] = {0.5, 2, 8, 30};

const char *fl_baseline_name(fl_baseline b)
{
    static const char *const name[FL_BASELINES] = {"popular", "last", "frequent", "decayed"};

    return name[b];
}

/* ---- popularity ---- */

void fl_target_counts_free(double **counts)
{
    if (counts) free(counts[0]);
    free(counts);
}

florin_status fl_target_counts(double ***out, const fl_net *net, const fl_rows *rows, int stream,
                               florin_error *err)
{
    const fl_sequences *q = &rows->stream[stream];
    size_t total = 0;
    double **counts = fl_calloc(FL_TARGETS_MAX, sizeof *counts);

    *out = NULL;
    for (uint32_t t = 0; t < net->targets; t++) total += net->target[t].tokens;
    if (counts) counts[0] = fl_calloc(total, sizeof **counts);
    if (!counts || !counts[0]) {
        free(counts);
        return fl_fail(err, FLORIN_ENOMEM, "counts of %zu values", total);
    }
    for (uint32_t t = 1; t < net->targets; t++)
        counts[t] = counts[t - 1] + net->target[t - 1].tokens;
    for (uint32_t e = 0; e < q->entities; e++) {
        if (q->unseen[e]) continue;
        uint32_t previous = FL_NO_ROW;
        for (uint64_t i = q->start[e]; i < q->start[e + 1] && q->row[i] < rows->train; i++) {
            for (uint32_t t = 0; t < net->targets; t++)
                counts[t][fl_rows_target(rows, &net->target[t], q->row[i], previous)]++;
            previous = q->row[i];
        }
    }
    *out = counts;
    return FLORIN_OK;
}

/* ---- one target ---- */

typedef struct {
    uint32_t entity;      /* whose numbers these are; else they count as zero */
    uint32_t count, at;   /* at: position of the last occurrence */
    float decayed[LIVES]; /* as of `at` */
} tally;

typedef struct {
    const fl_net *net;
    const fl_rows *rows;
    int stream;
    double *const *counts;
    const uint8_t *skip;
    fl_nats *out; /* [FL_BASELINES] */
    florin_status status[FL_TARGETS_MAX];
} job;

typedef struct {
    const job *j;
    uint32_t target;
    double total;         /* of counts, smoothed */
    tally *tally;         /* [tokens] */
    double factor[LIVES]; /* decay of one event */
    /* Of the entity at hand. */
    uint32_t entity, last, frequent, frequent_count, events;
    double mass[LIVES];
    /* Grid sums while tuning, then the choice. */
    double last_sum[MIXES], frequent_sum[MIXES], decayed_sum[LIVES][STRENGTHS];
    int last_mix, frequent_mix, best_life, best_strength;
} state;

static double popular(const state *s, uint32_t token)
{
    return (s->j->counts[s->target][token] + 0.5) / s->total;
}

static double decayed_count(const state *s, uint32_t token, int g)
{
    const tally *y = &s->tally[token];

    if (y->entity != s->entity || !y->count) return 0;
    return (double)y->decayed[g] * pow(s->factor[g], (double)(s->events - y->at));
}

static double mixed(double a, bool hit, double p)
{
    return (1 - a) * hit + a * p;
}

static void tune(state *s, uint32_t token)
{
    double p = popular(s, token);

    for (int i = 0; i < MIXES; i++) { /* without history both are popularity */
        s->last_sum[i] -= log(s->events ? mixed(mix[i], token == s->last, p) : p);
        s->frequent_sum[i] -= log(s->events ? mixed(mix[i], token == s->frequent, p) : p);
    }
    for (int g = 0; g < LIVES; g++) {
        double c = decayed_count(s, token, g);
        for (int i = 0; i < STRENGTHS; i++)
            s->decayed_sum[g][i] -= log((c + strength[i] * p) / (s->mass[g] + strength[i]));
    }
}

static void measure(state *s, uint32_t token, int slice)
{
    double p = popular(s, token), a = strength[s->best_strength],
           c = decayed_count(s, token, s->best_life);
    fl_nats *out = s->j->out;
    uint32_t t = s->target;

    out[FL_POPULAR].nats[slice][t] -= log(p);
    out[FL_LAST].nats[slice][t] -=
        log(s->events ? mixed(mix[s->last_mix], token == s->last, p) : p);
    out[FL_FREQUENT].nats[slice][t] -=
        log(s->events ? mixed(mix[s->frequent_mix], token == s->frequent, p) : p);
    out[FL_DECAYED].nats[slice][t] -= log((c + a * p) / (s->mass[s->best_life] + a));
    if (t == 0)
        for (int b = 0; b < FL_BASELINES; b++) out[b].events[slice]++;
}

static void learn(state *s, uint32_t token)
{
    tally *y = &s->tally[token];

    if (y->entity != s->entity) *y = (tally){.entity = s->entity};
    for (int g = 0; g < LIVES; g++) {
        y->decayed[g] = (float)(decayed_count(s, token, g) * s->factor[g] + s->factor[g]);
        s->mass[g] = (s->mass[g] + 1) * s->factor[g];
    }
    s->events++;
    y->at = s->events;
    y->count++;
    if (y->count >= s->frequent_count) {
        s->frequent = token;
        s->frequent_count = y->count;
    }
    s->last = token;
}

/* All histories once. tuning: training rows of about TUNE_EVENTS events; else the slices. */
static void walk(state *s, bool tuning)
{
    const job *j = s->j;
    const fl_rows *rows = j->rows;
    const fl_sequences *q = &rows->stream[j->stream];
    const fl_target *target = &j->net->target[s->target];
    double share = q->rows > TUNE_EVENTS ? (double)TUNE_EVENTS / (double)q->rows : 1.0;
    fl_held_out held = {rows, j->stream};

    memset(s->tally, 0xff, target->tokens * sizeof *s->tally);
    for (uint32_t e = 0; e < q->entities; e++) {
        if (tuning) {
            if (q->unseen[e] ||
                (double)(fl_mix64(q->hash[e] ^ 0x74756e65) >> 11) * 0x1p-53 >= share)
                continue;
        } else if (j->skip && j->skip[e]) {
            continue;
        }
        uint32_t previous = FL_NO_ROW;
        s->entity = e;
        s->events = s->frequent_count = 0;
        memset(s->mass, 0, sizeof s->mass);
        for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
            uint32_t row = q->row[i], token = fl_rows_target(rows, target, row, previous);
            if (tuning && row >= rows->train) break;
            int slice = tuning ? -1 : fl_held_out_slice(&held, e, i - q->start[e], row);
            if (tuning) tune(s, token);
            else if (slice >= 0) measure(s, token, slice);
            learn(s, token);
            previous = row;
        }
    }
}

static int smallest(const double *x, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (x[i] < x[best]) best = i;
    return best;
}

static void run_target(void *arg, uint32_t t)
{
    job *j = arg;
    state *s = fl_calloc(1, sizeof *s);
    uint32_t tokens = j->net->target[t].tokens;

    if (s) s->tally = fl_alloc(tokens, sizeof *s->tally);
    if (!s || !s->tally) {
        free(s);
        j->status[t] = FLORIN_ENOMEM;
        return;
    }
    s->j = j;
    s->target = t;
    s->total = 0.5 * tokens;
    for (uint32_t v = 0; v < tokens; v++) s->total += j->counts[t][v];
    for (int g = 0; g < LIVES; g++) s->factor[g] = exp2(-1.0 / life[g]);
    walk(s, true);
    s->last_mix = smallest(s->last_sum, MIXES);
    s->frequent_mix = smallest(s->frequent_sum, MIXES);
    int best = smallest(&s->decayed_sum[0][0], LIVES * STRENGTHS);
    s->best_life = best / STRENGTHS;
    s->best_strength = best % STRENGTHS;
    walk(s, false);
    free(s->tally);
    free(s);
}

florin_status fl_baselines(const fl_net *net, const fl_rows *rows, int stream,
                           double *const *counts, const uint8_t *skip, uint32_t threads,
                           fl_nats out[FL_BASELINES], florin_error *err)
{
    job j = {
        .net = net, .rows = rows, .stream = stream, .counts = counts, .skip = skip, .out = out};

    memset(out, 0, FL_BASELINES * sizeof *out);
    fl_parallel(threads, net->targets, run_target, &j);
    for (uint32_t t = 0; t < net->targets; t++)
        if (j.status[t]) return fl_fail(err, FLORIN_ENOMEM, "baselines");
    return FLORIN_OK;
}
