/* The simulator's clock: one simulated day after the other is drawn from the cards (in parallel, in chunks of cards),
 * then from the campaigns, put in order of time and written, while the next day is being drawn. The number of events a
 * day is steered so that the whole has exactly as many as were asked for. */
#include "data/simulate.h"
#include <math.h>

typedef struct {
    sim_out *chunk; /* [chunks] */
    sim_out extra;  /* campaigns and returns */
    uint64_t events;
    int32_t day;
} sim_day;

typedef struct {
    sim_world world;
    sim_fraud *fraud;
    sim_writer *writer;
    const fl_simulate_options *opt;
    uint32_t chunks;
    sim_day day[2]; /* being drawn; being written */
    int now;
    bool writing; /* day[!now] holds events */
    sim_return *back[SIM_RETURN_DAYS];
    size_t backs[SIM_RETURN_DAYS], back_cap[SIM_RETURN_DAYS];
    sim_clone *clone;
    size_t clone_cap;
    uint64_t drawn, written; /* events */
    int64_t last_us;
    uint64_t *order, *spare; /* ms << 32 | number */
    const sim_event **at;
    size_t order_cap, spare_cap, at_cap;
    florin_status status; /* of the writing task */
    florin_error error;
} sim;

static void draw_chunk(sim *s, uint32_t i)
{
    sim_out *o = &s->day[s->now].chunk[i];
    uint32_t end = (i + 1) * SIM_CHUNK;
    o->events = o->clones = o->backs = 0;
    if (end > s->world.cards) end = s->world.cards;
    for (uint32_t slot = i * SIM_CHUNK; slot < end; slot++) sim_card_day(&s->world, slot, o);
}

/* Stable radix sort by the upper word. */
static void sort_by_ms(uint64_t *a, uint64_t *b, size_t n)
{
    for (int shift = 32; shift < 59; shift += 9) {
        size_t at[513] = {0};
        for (size_t i = 0; i < n; i++) at[(a[i] >> shift & 511) + 1]++;
        for (int k = 0; k < 511; k++) at[k + 1] += at[k];
        for (size_t i = 0; i < n; i++) b[at[a[i] >> shift & 511]++] = a[i];
        uint64_t *t = a;
        a = b;
        b = t;
    }
    memcpy(b, a, n * sizeof *a); /* three passes: the result lies in the spare */
}

static bool list_events(sim *s, const sim_day *d)
{
    size_t n = 0;
    if (!fl_grow((void **)&s->order, &s->order_cap, d->events, sizeof *s->order) ||
        !fl_grow((void **)&s->spare, &s->spare_cap, d->events, sizeof *s->spare) ||
        !fl_grow((void **)&s->at, &s->at_cap, d->events, sizeof *s->at))
        return false;
    for (uint32_t c = 0; c <= s->chunks; c++) {
        const sim_out *o = c < s->chunks ? &d->chunk[c] : &d->extra;
        for (size_t i = 0; i < o->events; i++, n++) {
            s->at[n] = &o->event[i];
            s->order[n] = (uint64_t)o->event[i].ms << 32 | (uint32_t)n;
        }
    }
    return true;
}

static void write_day(sim *s)
{
    const sim_day *d = &s->day[!s->now];
    int64_t base = s->opt->start_us + d->day * FL_DAY_US + 4 * FL_HOUR_US;
    if (!s->writing || d->events == 0) return;
    if (!list_events(s, d)) {
        s->status = fl_fail(&s->error, FLORIN_ENOMEM, "simulate: a day of %llu events",
                            (unsigned long long)d->events);
        return;
    }
    sort_by_ms(s->order, s->spare, d->events);
    for (size_t i = 0; i < d->events && s->written < s->opt->events && !s->status; i++) {
        int64_t t = base + (int64_t)(s->order[i] >> 32) * 1000;
        if (t <= s->last_us)
            t = s->last_us + 1; /* no two events at one moment: every path has the same order */
        s->status = sim_writer_event(s->writer, s->at[(uint32_t)s->order[i]], t, &s->error);
        s->last_us = t;
        s->written++;
    }
}

static void task(void *arg, uint32_t i)
{
    sim *s = arg;
    if (i == 0) write_day(s);
    else draw_chunk(s, i - 1);
}

/* Things sent back: kept by the day they arrive at the shop. */
static void post_returns(sim *s, sim_day *d)
{
    int32_t today = d->day;
    for (uint32_t c = 0; c < s->chunks; c++) {
        sim_out *o = &d->chunk[c];
        for (size_t i = 0; i < o->backs; i++) {
            size_t k = (size_t)o->back[i].day % SIM_RETURN_DAYS;
            if (!fl_grow((void **)&s->back[k], &s->back_cap[k], s->backs[k] + 1,
                         sizeof(sim_return))) {
                d->extra.failed = true;
                return;
            }
            s->back[k][s->backs[k]++] = o->back[i];
        }
    }
    size_t k = (size_t)today % SIM_RETURN_DAYS;
    sim_rng r = sim_stream(s->world.seed, 0x80000000u, (uint64_t)(uint32_t)today);
    for (size_t i = 0; i < s->backs[k]; i++) {
        const sim_return *b = &s->back[k][i];
        sim_event e = {.ms = 5 * 3600000 + sim_below(&r, 11 * 3600000),
                       .card = b->card,
                       .gen = b->gen,
                       .merchant = b->merchant,
                       .type = SIM_REFUND,
                       .amount = b->amount,
                       .country = b->country,
                       .entry = SIM_ENTRIES};
        sim_emit(&d->extra, &e);
    }
    s->backs[k] = 0;
}

/* After the cards: campaigns and returns of the day. One thread. */
static florin_status finish_day(sim *s, florin_error *err)
{
    sim_day *d = &s->day[s->now];
    size_t clones = 0;
    bool failed = false;
    d->extra.events = 0;
    for (uint32_t c = 0; c < s->chunks; c++) {
        sim_out *o = &d->chunk[c];
        failed |= o->failed ||
                  !fl_grow((void **)&s->clone, &s->clone_cap, clones + o->clones, sizeof *s->clone);
        if (failed) break;
        if (o->clones) memcpy(s->clone + clones, o->clone, o->clones * sizeof *s->clone);
        clones += o->clones;
    }
    if (!failed) {
        sim_fraud_day(s->fraud, &s->world, s->clone, clones, &d->extra);
        post_returns(s, d);
    }
    if (failed || d->extra.failed)
        return fl_fail(err, FLORIN_ENOMEM, "simulate: events of day %d", d->day);
    d->events = d->extra.events;
    for (uint32_t c = 0; c < s->chunks; c++) d->events += d->chunk[c].events;
    s->drawn += d->events;
    return FLORIN_OK;
}

/* Choose the day's scale: what is missing, spread over the days left by their seasons, over what a scale of one
 * yielded lately. */
static void steer(sim *s, int32_t day, double *yield)
{
    sim_world *w = &s->world;
    double left = 0;
    for (int32_t d = day; d < (int32_t)s->opt->days; d++) {
        sim_world_day(w, d, s->opt->start_us);
        left += w->season;
    }
    sim_world_day(w, day, s->opt->start_us);
    if (day > 0) {
        const sim_day *before = &s->day[!s->now];
        double got = (double)before->events / (w->scale > 0 ? w->scale : 1);
        *yield = day == 1 ? got : .7 * *yield + .3 * got;
    }
    double missing = (double)s->opt->events - (double)s->drawn;
    double today = left > 0 ? missing * w->season / left : missing;
    bool last = day + 1 >= (int32_t)s->opt->days;
    if (last) today = today * 1.3 + 20; /* the surplus of the last day is not written */
    w->scale = (float)(today > 0 ? today / *yield : 0);
    if (w->scale > 100) w->scale = 100;
}

static florin_status run_days(sim *s, const florin_context *ctx, florin_error *err)
{
    double yield = (double)s->world.cards * 1.7;
    for (int32_t day = 0; s->drawn < s->opt->events || s->writing; day++) {
        bool draw = s->drawn < s->opt->events;
        if (draw) {
            steer(s, day, &yield);
            s->day[s->now].day = day;
        }
        fl_parallel(fl_threads(ctx), draw ? 1 + s->chunks : 1, task, s);
        if (s->status) {
            if (err) *err = s->error;
            return s->status;
        }
        if (draw) {
            florin_status st = finish_day(s, err);
            if (st) return st;
        }
        s->writing = draw;
        s->now = !s->now;
        fl_progress(ctx, "simulate", s->written, s->opt->events);
        if (fl_cancelled(ctx))
            return fl_fail(err, FLORIN_ECANCELLED, "simulate: stopped; nothing was written");
        if (day > (int32_t)s->opt->days + 100000)
            return fl_fail(err, FLORIN_EINTERNAL, "simulate: %llu events do not come together",
                           (unsigned long long)s->opt->events);
    }
    return FLORIN_OK;
}

static void free_out(sim_out *o)
{
    free(o->event);
    free(o->clone);
    free(o->back);
}

static void sim_close(sim *s)
{
    for (int k = 0; k < 2; k++) {
        for (uint32_t c = 0; s->day[k].chunk && c < s->chunks; c++) free_out(&s->day[k].chunk[c]);
        free(s->day[k].chunk);
        free_out(&s->day[k].extra);
    }
    for (int k = 0; k < SIM_RETURN_DAYS; k++) free(s->back[k]);
    free(s->clone);
    free(s->order);
    free(s->spare);
    free(s->at);
    sim_fraud_free(s->fraud);
    sim_world_free(&s->world);
    free(s);
}

static florin_status check(fl_simulate_options *o, florin_error *err)
{
    if (!o->log && !o->csv)
        return fl_fail(err, FLORIN_EUSAGE,
                       "simulate: name a log to write (--out) or a folder (--csv)");
    if (o->events < 1 || o->events > 4000000000u)
        return fl_fail(err, FLORIN_EUSAGE, "simulate: events must be 1 to 4000000000");
    if (o->days < 1 || o->days > 36500)
        return fl_fail(err, FLORIN_EUSAGE, "simulate: days must be 1 to 36500");
    if (o->start_us % FL_DAY_US) o->start_us -= (o->start_us % FL_DAY_US + FL_DAY_US) % FL_DAY_US;
    uint64_t cards = o->cards ? o->cards : o->events * 180 / 100 / o->days;
    if (cards < 20 && !o->cards) cards = 20;
    if (cards > 0x3fffffff || (double)o->events / (double)cards / o->days > 50)
        return fl_fail(err, FLORIN_EUSAGE,
                       "simulate: %llu events on %llu cards in %u days: at most 50 a card and day "
                       "and 2^30 cards",
                       (unsigned long long)o->events, (unsigned long long)cards, o->days);
    o->cards = (uint32_t)cards;
    return FLORIN_OK;
}

florin_status fl_simulate(const fl_simulate_options *options, fl_simulate_result *result,
                          const florin_context *ctx, florin_error *err)
{
    fl_simulate_options opt = *options;
    memset(result, 0, sizeof *result);
    florin_status st = check(&opt, err);
    if (st) return st;
    sim *s = fl_calloc(1, sizeof *s);
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "simulate");
    s->opt = &opt;
    s->last_us = INT64_MIN;
    st = sim_world_init(&s->world, &opt, sim_fraud_bust_outs(&opt), err);
    if (st) goto done;
    s->chunks = (opt.cards + SIM_CHUNK - 1) / SIM_CHUNK;
    for (int k = 0; k < 2; k++)
        if (!(s->day[k].chunk = fl_calloc(s->chunks, sizeof *s->day[k].chunk))) {
            st = fl_fail(err, FLORIN_ENOMEM, "simulate");
            goto done;
        }
    st = sim_fraud_new(&s->fraud, &s->world, &opt, err);
    if (!st) st = sim_writer_open(&s->writer, &opt, &s->world, ctx, err);
    if (!st) st = run_days(s, ctx, err);
    if (!st) {
        st = sim_writer_commit(s->writer, result, err);
        s->writer = NULL;
        result->days = opt.days;
    }
done:
    sim_writer_abort(s->writer);
    sim_close(s);
    return st;
}
