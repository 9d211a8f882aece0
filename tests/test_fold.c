/* The fold, step by step, against slow and obvious references that keep every event. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>

#include "fold/fold.h"

enum { PAYERS = 12, PAYEES = 5, EVENTS = 3000, VALUES = 40 };
_Static_assert(sizeof(fl_fold_record) == 512, "the record's size is part of every capacity plan");

static fl_schema *make_schema(void)
{
    static fl_schema s;
    memset(&s, 0, sizeof s);
    strcpy(s.name, "test");
    strcpy(s.currency, "EUR");
    s.kinds = 2;
    strcpy(s.kind[0].name, "card");
    s.kind[0].role = FL_ROLE_PAYER;
    strcpy(s.kind[1].name, "shop");
    s.kind[1].role = FL_ROLE_PAYEE;
    s.categories = 2;
    strcpy(s.category[0].name, "item");
    strcpy(s.category[1].name, "country");
    s.labels = 1;
    strcpy(s.label[0].name, "fraud");
    s.marks = 3;
    strcpy(s.mark[0].name, "declined");
    strcpy(s.mark[1].name, "retried");
    strcpy(s.mark[2].name, "cancelled");
    s.sources = 1;
    s.source[0].name = "payment";
    s.source[0].label_of = -1;
    s.source[0].amount.sql = "amount";
    s.pairs = 1;
    s.pair[0] = (fl_pair){0, 1};
    return &s;
}

static fl_fold_plan *make_plan(void)
{
    fl_fold_plan *p = NULL;
    florin_error err = {0};
    if (fl_fold_plan_new(&p, make_schema(), &err)) fail_msg("%s", err.message);
    return p;
}

static uint32_t feature(const fl_fold_plan *p, const char *name)
{
    for (uint32_t i = 0; i < fl_fold_features(p); i++)
        if (!strcmp(fl_fold_feature_at(p, i)->name, name)) return i;
    fail_msg("no feature %s", name);
    return 0;
}

/* One entity of each kind and their pair. */
typedef struct {
    fl_fold_record card[PAYERS], shop[PAYEES], pair[PAYERS * PAYEES];
} world;

typedef struct {
    fl_event event;
    fl_fold_carry carry;
    int64_t clock_us, arrival_us;
    int bad; /* -1: never labelled */
    bool labelled;
} item;

static fl_event make_event(fl_rng *rng, int64_t time_us)
{
    fl_event e = {.time_us = time_us, .amount_minor = (int64_t)(fl_rng_double(rng) * 10000) + 1};
    for (int k = 0; k < FL_KINDS_MAX; k++) e.entity[k] = FL_NONE;
    e.entity[0] = (uint32_t)fl_rng_below(rng, PAYERS);
    e.entity[1] = (uint32_t)fl_rng_below(rng, PAYEES);
    for (int k = 0; k < 2; k++)
        e.entity_hash[k] = fl_mix64((uint64_t)(k + 1) << 32 | (e.entity[k] + 1));
    e.category[0] = fl_mix64(1000 + fl_rng_below(rng, VALUES));
    e.category[1] = fl_rng_below(rng, 4) ? fl_mix64(5000 + fl_rng_below(rng, 6)) : 0;
    e.marks = fl_rng_below(rng, 5) == 0 ? (uint8_t)(1 + fl_rng_below(rng, 7)) : 0;
    return e;
}

static void records(world *w, const fl_event *e, fl_fold_record *rec[FL_KINDS_MAX],
                    fl_fold_record *pair[1])
{
    for (int k = 0; k < FL_KINDS_MAX; k++) rec[k] = NULL;
    if (e->entity[0] != FL_NONE) rec[0] = &w->card[e->entity[0]];
    if (e->entity[1] != FL_NONE) rec[1] = &w->shop[e->entity[1]];
    pair[0] = rec[0] && rec[1] ? &w->pair[e->entity[0] * PAYEES + e->entity[1]] : NULL;
}

static void fold_one(const fl_fold_plan *p, world *w, item *x, float *features)
{
    fl_fold_record *rec[FL_KINDS_MAX], *pair[1];
    records(w, &x->event, rec, pair);
    fl_fold_event(p, rec, pair, &x->event, x->clock_us, features, &x->carry);
}

static void label_one(const fl_fold_plan *p, world *w, item *x, int64_t clock_us)
{
    fl_fold_record *rec[FL_KINDS_MAX], *pair[1];
    records(w, &x->event, rec, pair);
    fl_fold_label(p, rec, pair, &x->carry, (float)x->bad, clock_us);
    x->labelled = true;
}

static bool close_to(double got, double want)
{
    return fabs(got - want) <= 1e-5 * fabs(want) + 1e-6;
}

/* What the reference says of one entity of kind k just before event n. */
typedef struct {
    double count[4], sum[4], mark0[4], labels[4], bad[4]; /* label scales: 1, 7, 30, 90 days */
    unsigned events, visits, labelled, bads, run, tail, days;
    double since_bad, since_good, run_first;
} reference;

static reference recompute(const item *all, int n, int k)
{
    static const double hours[5] = {1, 24, 168, 720, 2160};
    reference r = {.since_bad = -1, .since_good = -1, .run_first = -1};
    int64_t now = all[n].clock_us, visit = INT64_MIN, day = -1;
    for (int i = 0; i < n; i++) {
        const item *x = &all[i];
        if (x->event.entity[k] != all[n].event.entity[k]) continue;
        double h = (double)(now - x->clock_us) / 3.6e9,
               amount = (double)x->event.amount_minor / 100;
        for (int s = 0; s < 4; s++) {
            double g = exp2(-h / hours[s]);
            r.count[s] += g;
            r.sum[s] += g * amount;
            r.mark0[s] += g * (x->event.marks & 1);
        }
        r.events++;
        if (!x->event.marks && x->event.time_us != visit) visit = x->event.time_us, r.visits++;
        if (x->clock_us / FL_DAY_US != day) day = x->clock_us / FL_DAY_US, r.days++;
        if (!x->labelled) continue;
        double age = floor((double)now / 1e6) - floor((double)x->event.time_us / 1e6);
        r.labelled++;
        r.bads += x->bad == 1;
        for (int s = 0; s < 4; s++) {
            double g = exp2(-(double)(now - x->arrival_us) / 3.6e9 / hours[s + 1]);
            r.labels[s] += g;
            r.bad[s] += g * (x->bad == 1);
        }
        if (x->bad) {
            if (r.run++ == 0) r.run_first = age / 86400;
            r.tail = 0;
            r.since_bad = age / 86400;
        } else {
            r.run = 0;
            r.run_first = -1;
            r.tail++;
            r.since_good = age / 86400;
        }
    }
    return r;
}

static void compare(const fl_fold_plan *p, const float *f, const reference *r, const char *kind)
{
    static const char *const scale[4] = {"1h", "1d", "7d", "30d"};
    char name[96];
    struct {
        const char *name;
        double want;
        bool exact;
    } one[] = {{"events", r->events, true},
               {"visits", r->visits, true},
               {"unlabelled", r->events - r->labelled, true},
               {"bad_total", r->bads, true},
               {"bad_run", r->run, true},
               {"good_tail", r->tail, true},
               {"active_days", r->days, true},
               {"since_bad", r->since_bad, false},
               {"since_good", r->since_good, false},
               {"since_run_first", r->run_first, false},
               {"labels_7d", r->labels[1], false},
               {"bad_30d", r->bad[2], false},
               {"bad_rate_90d", r->labels[3] > 1e-6 ? r->bad[3] / r->labels[3] : -1, false}};
    for (size_t i = 0; i < FL_LEN(one); i++) {
        snprintf(name, sizeof name, "%s.%s", kind, one[i].name);
        double got = (double)f[feature(p, name)];
        if (one[i].exact ? got != one[i].want : !close_to(got, one[i].want))
            fail_msg("%s: %.9g, reference %.9g", name, got, one[i].want);
    }
    for (int s = 0; s < 4; s++) {
        snprintf(name, sizeof name, "%s.count_%s", kind, scale[s]);
        if (!close_to((double)f[feature(p, name)], r->count[s])) fail_msg("%s", name);
        snprintf(name, sizeof name, "%s.declined_%s", kind, scale[s]);
        if (!close_to((double)f[feature(p, name)], r->mark0[s])) fail_msg("%s", name);
        if (r->count[s] < 1e-3) continue; /* a mean of what has all but faded */
        snprintf(name, sizeof name, "%s.mean_%s", kind, scale[s]);
        if (!close_to((double)f[feature(p, name)], r->sum[s] / r->count[s])) fail_msg("%s", name);
    }
}

/* A random stream with labels seven days late; every feature with an obvious definition equals it at every event. */
static void test_reference(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    item *all = calloc(EVENTS, sizeof *all);
    float *f = calloc(fl_fold_features(p), sizeof *f);
    fl_rng rng;
    int64_t t = 1522540800 * FL_SECOND_US;
    int due = 0;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 7);
    for (int n = 0; n < EVENTS; n++) {
        if (fl_rng_below(&rng, 4)) t += (int64_t)fl_rng_below(&rng, 7200 * FL_SECOND_US);
        item *x = &all[n];
        x->event = make_event(&rng, t);
        x->clock_us = t;
        x->bad = fl_rng_below(&rng, 3) == 0;
        x->arrival_us = t + 7 * FL_DAY_US;
        while (due < n && all[due].arrival_us <= t)
            label_one(p, &w, &all[due], all[due].arrival_us), due++;
        fold_one(p, &w, x, f);
        for (uint32_t i = 0; i < fl_fold_features(p); i++)
            if (!isfinite(f[i])) fail_msg("%s is not finite", fl_fold_feature_at(p, i)->name);
        if (n % 7 && n < EVENTS - 50) continue; /* the reference is quadratic */
        reference card = recompute(all, n, 0), shop = recompute(all, n, 1);
        compare(p, f, &card, "card");
        compare(p, f, &shop, "shop");
    }
    free(f);
    free(all);
    fl_fold_plan_free(p);
}

/* Distinct counts equal a reference bitmap's estimate, and lie near the truth; novelty is never wrong about a value
 * that was seen before. */
static void test_sketches(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    bool seen[VALUES * 8] = {false};
    uint64_t bits[3] = {0};
    uint32_t distinct = 0, wrong_old = 0, missed_new = 0, at = feature(p, "card.item_distinct");
    uint32_t fresh = feature(p, "card.item_new");
    double worst = 0;
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 3);
    for (int n = 0; n < 2000; n++) {
        item x = {.clock_us = n * FL_HOUR_US};
        x.event = make_event(&rng, x.clock_us);
        x.event.entity[0] = 0;
        uint32_t v = (uint32_t)fl_rng_below(
            &rng, 1 + (uint64_t)n / 10 < VALUES * 8 ? 1 + (uint64_t)n / 10 : VALUES * 8);
        x.event.category[0] = fl_mix64(v + 1);
        fold_one(p, &w, &x, f);
        uint32_t set = 0;
        for (int i = 0; i < 3; i++) set += (uint32_t)__builtin_popcountll(bits[i]);
        double want = -192 * log(1 - (set < 192 ? set : 191) / 192.0);
        CHECK(close_to((double)f[at], want));
        if (distinct >= 10 && distinct <= 150) {
            double off = fabs(want - distinct) / distinct;
            if (off > worst) worst = off;
        }
        if (f[fresh] == 1 && seen[v]) wrong_old++;
        if (f[fresh] == 0 && !seen[v]) missed_new++;
        distinct += !seen[v];
        seen[v] = true;
        uint64_t h = fl_mix64(x.event.category[0]) | 1, bit = ((h >> 32) * 192) >> 32;
        bits[bit >> 6] |= (uint64_t)1 << (bit & 63);
    }
    printf("distinct values: worst error %.1f %% between 10 and 150; %u of %u new values taken for "
           "old\n",
           100 * worst, missed_new, distinct);
    CHECK(wrong_old == 0);
    CHECK(worst < 0.25);
    free(f);
    fl_fold_plan_free(p);
}

/* Amounts and times as no sane source sends them: every feature stays finite, nothing traps. */
static void test_hostile(void **state)
{
    (void)state;
    static const int64_t amounts[] = {INT64_MAX,      INT64_MIN + 1, FL_AMOUNT_NONE, 0, -1, 1,
                                      -99999999999ll, 4200};
    static const int64_t times[] = {0, INT64_MAX, INT64_MIN, -1, 1522540800ll * FL_SECOND_US, 1};
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f), *read = calloc(2 * 300, sizeof *f);
    item *all = calloc(4000, sizeof *all);
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 11);
    for (int n = 0; n < 4000; n++) {
        item *x = &all[n];
        int64_t t = times[fl_rng_below(&rng, FL_LEN(times))];
        if (n % 3 == 0) t = (int64_t)fl_rng_u64(&rng);
        x->event = make_event(&rng, t);
        x->event.amount_minor = amounts[fl_rng_below(&rng, FL_LEN(amounts))];
        for (int k = 0; k < 2; k++)
            if (fl_rng_below(&rng, 9) == 0)
                x->event.entity[k] = FL_NONE, x->event.entity_hash[k] = 0;
        x->clock_us = t;
        x->bad = fl_rng_below(&rng, 2) == 0;
        fold_one(p, &w, x, f);
        item *y = &all[fl_rng_below(&rng, (uint64_t)n + 1)];
        label_one(p, &w, y, (int64_t)fl_rng_u64(&rng));
        y->bad = !y->bad; /* a correction next time */
        for (uint32_t i = 0; i < fl_fold_features(p); i++)
            if (!isfinite(f[i]))
                fail_msg("event %d: %s is not finite", n, fl_fold_feature_at(p, i)->name);
        fl_fold_read(p, n & 1, n & 1 ? &w.shop[n % PAYEES] : &w.card[n % PAYERS],
                     (int64_t)fl_rng_u64(&rng), read);
        for (uint32_t i = 0; i < fl_fold_read_features(p, n & 1); i++)
            if (!isfinite(read[i]))
                fail_msg("read %d: %s is not finite", n,
                         fl_fold_feature_at(p, fl_fold_read_feature(p, n & 1, i))->name);
    }
    free(all);
    free(read);
    free(f);
    fl_fold_plan_free(p);
}

/* An old amount fades below any number while events without one keep the count alive: ratios to it stay finite. */
static void test_faded_mean(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    const int64_t hour_us = 3600 * FL_SECOND_US,
                  start_us = (1522540800ll - 8 * 3600) * FL_SECOND_US; /* an epoch's start */
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 17);
    float largest = 0;
    for (int h = 0; h <= 125; h++) {
        item x = {.clock_us = start_us + h * hour_us, .event = make_event(&rng, start_us)};
        x.event.time_us = x.clock_us;
        x.event.entity[0] = x.event.entity[1] = 0;
        x.event.entity_hash[0] = 11;
        x.event.entity_hash[1] = 12;
        x.event.amount_minor = h == 0 ? 1 : h == 125 ? 500000000 : FL_AMOUNT_NONE;
        fold_one(p, &w, &x, f);
        for (uint32_t i = 0; i < fl_fold_features(p); i++)
            if (!isfinite(f[i]))
                fail_msg("hour %d: %s is not finite", h, fl_fold_feature_at(p, i)->name);
        float ratio = f[feature(p, "card.over_mean_1h")];
        if (ratio > largest) largest = ratio;
    }
    assert_true(largest > 1e5f && largest <= 1e6f);
    free(f);
    fl_fold_plan_free(p);
}

static void test_absent(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 1);
    item x = {.clock_us = FL_DAY_US};
    x.event = make_event(&rng, FL_DAY_US);
    x.event.entity[1] = FL_NONE;
    fold_one(p, &w, &x, f);
    for (uint32_t i = 0; i < fl_fold_features(p); i++) {
        int k = fl_fold_feature_at(p, i)->kind;
        if (k == 1 || k == -2) CHECK(f[i] == -1);
    }
    CHECK(f[feature(p, "card.events")] == 0);
    CHECK(f[feature(p, "card.since_last")] == -1);
    free(f);
    fl_fold_plan_free(p);
}

/* Reading at a date changes nothing and says what the next event would be told. */
static void test_read(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f), *read = calloc(2 * 300, sizeof *f);
    item *all = calloc(400, sizeof *all);
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 5);
    for (int n = 0; n < 400; n++) {
        item *x = &all[n];
        x->event = make_event(&rng, n * 5 * FL_HOUR_US);
        x->clock_us = x->event.time_us;
        x->bad = n % 4 == 0;
        if (n > 30) label_one(p, &w, &all[n - 30], x->clock_us);
        for (int k = 0; k < 2; k++) {
            const fl_fold_record *r = k ? &w.shop[x->event.entity[1]] : &w.card[x->event.entity[0]];
            fl_fold_record copy = *r;
            fl_fold_read(p, k, r, x->clock_us, read + k * 300);
            assert_memory_equal(&copy, r, sizeof copy);
        }
        fold_one(p, &w, x, f);
        for (int k = 0; k < 2; k++)
            for (uint32_t i = 0; i < fl_fold_read_features(p, k); i++)
                if (read[k * 300 + i] != f[fl_fold_read_feature(p, k, i)])
                    fail_msg("%s: read %g, event %g",
                             fl_fold_feature_at(p, fl_fold_read_feature(p, k, i))->name,
                             (double)read[k * 300 + i], (double)f[fl_fold_read_feature(p, k, i)]);
    }
    free(all);
    free(read);
    free(f);
    fl_fold_plan_free(p);
}

/* The payee counts only what the payer does not explain, and the reverse. */
static void test_explaining(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    fl_rng rng;
    item x = {.bad = 1}, plain, wild;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 2);
    for (int n = 0; n < 40; n++) {
        x.event = make_event(&rng, n * FL_DAY_US);
        x.event.entity[0] = x.event.entity[1] = 0;
        x.event.marks = 0;
        x.event.amount_minor = n == 38 ? 400000 : 1000; /* 400 times the normal once */
        x.clock_us = x.event.time_us;
        fold_one(p, &w, &x, f);
        if (n == 38) wild = x;
        if (n == 37) plain = x;
    }
    CHECK(wild.carry.explain > 0.9f);
    CHECK(plain.carry.explain < 0.1f);
    label_one(p, &w, &wild, 40 * FL_DAY_US);
    x.event.time_us = x.clock_us = 41 * FL_DAY_US;
    fold_one(p, &w, &x, f);
    CHECK(f[feature(p, "shop.unexplained_run")] == 0);
    CHECK(f[feature(p, "shop.bad_run")] == 1);
    CHECK(f[feature(p, "card.unexplained_run")] == 1);
    label_one(p, &w, &plain, 41 * FL_DAY_US);
    fold_one(p, &w, &x, f);
    CHECK(f[feature(p, "shop.unexplained_run")] == 1);
    CHECK(f[feature(p, "card.unexplained_run")] == 1);
    CHECK(f[feature(p, "shop.days_since_first_unexplained_bad")] == 4);
    CHECK(f[feature(p, "card.over_normal")] < 1.5f); /* the outlier hardly moved the normal */
    free(f);
    fl_fold_plan_free(p);
}

/* A later label corrects an earlier one: counts follow, nothing is counted twice. */
static void test_correction(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    fl_rng rng;
    item x = {.bad = 1};
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 2);
    x.event = make_event(&rng, FL_DAY_US);
    x.clock_us = FL_DAY_US;
    fold_one(p, &w, &x, f);
    label_one(p, &w, &x, 2 * FL_DAY_US);
    label_one(p, &w, &x, 3 * FL_DAY_US); /* the same again */
    item y = x;
    y.clock_us = y.event.time_us = 4 * FL_DAY_US;
    world before = w;
    fold_one(p, &before, &y, f);
    CHECK(f[feature(p, "card.bad_total")] == 1 && f[feature(p, "card.bad_run")] == 1);
    CHECK(f[feature(p, "card.unlabelled")] == 0);
    x.bad = 0;
    label_one(p, &w, &x, 3 * FL_DAY_US);
    fold_one(p, &w, &y, f);
    CHECK(f[feature(p, "card.bad_total")] == 0 && f[feature(p, "card.bad_run")] == 0);
    CHECK(f[feature(p, "card.bad_30d")] == 0 && f[feature(p, "card.unlabelled")] == 0);
    free(f);
    fl_fold_plan_free(p);
}

/* Marks that are known at once, or a moment later in one or two steps: the same features, but for the gaps between visits,
 * which keep the visit that was none. */
static void test_later_marks(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world at_once, later;
    uint32_t n = fl_fold_features(p), marked = 0, compared = 0;
    float *f = calloc(n, sizeof *f), *g = calloc(n, sizeof *g);
    fl_rng rng;
    memset(&at_once, 0, sizeof at_once);
    memset(&later, 0, sizeof later);
    fl_rng_seed(&rng, 9);
    for (int i = 0; i < 400; i++) {
        item x = {.bad = -1}, y;
        fl_fold_record *rec[FL_KINDS_MAX], *pair[1];
        x.event = make_event(&rng, FL_DAY_US + i * (FL_HOUR_US + 1));
        x.clock_us = x.event.time_us;
        y = x;
        y.event.marks = 0;
        fold_one(p, &at_once, &x, f);
        fold_one(p, &later, &y, g);
        for (uint32_t k = 0; k < n; k++) {
            if (strstr(fl_fold_feature_at(p, k)->name, "gap")) continue;
            if (strstr(fl_fold_feature_at(p, k)->name, "visit")) continue;
            compared++;
            if (!(fabsf(f[k] - g[k]) <= 1e-3f * (1 + fabsf(f[k]))))
                fail_msg("event %d: %s %g, later %g", i, fl_fold_feature_at(p, k)->name,
                         (double)f[k], (double)g[k]);
        }
        if (!x.event.marks) continue;
        marked++;
        records(&later, &y.event, rec, pair);
        uint8_t first = x.event.marks & 1 ? 1 : x.event.marks;
        fl_fold_marks(p, rec, pair, &y.carry, 0, first, y.event.amount_minor, y.clock_us);
        if (first != x.event.marks)
            fl_fold_marks(p, rec, pair, &y.carry, first, x.event.marks & (uint8_t)~first,
                          y.event.amount_minor, y.clock_us);
    }
    CHECK(marked > 50 && compared > 10000);
    free(f);
    free(g);
    fl_fold_plan_free(p);
}

static void test_no_allocation(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan();
    static world w;
    float *f = calloc(fl_fold_features(p), sizeof *f);
    fl_rng rng;
    memset(&w, 0, sizeof w);
    fl_rng_seed(&rng, 2);
    uint64_t before = allocation_count();
    for (int n = 0; n < 100; n++) {
        item x = {.clock_us = n * FL_DAY_US, .bad = n & 1};
        x.event = make_event(&rng, x.clock_us);
        fold_one(p, &w, &x, f);
        label_one(p, &w, &x, x.clock_us);
        fl_fold_read(p, 0, &w.card[0], x.clock_us, f);
    }
    CHECK(allocation_count() == before);
    free(f);
    fl_fold_plan_free(p);
}

/* Every feature is named once, explained, and of a known unit. */
static void test_names(void **state)
{
    (void)state;
    static const char *const units[] = {"EUR",   "count",     "days",     "flag",      "halvings",
                                        "hours", "log count", "log days", "log ratio", "per day",
                                        "ratio", "sd",        "share",    "spreads"};
    fl_fold_plan *p = make_plan();
    uint32_t n = fl_fold_features(p);
    CHECK(n > 200 && n <= FL_FOLD_FEATURES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        const fl_fold_feature *f = fl_fold_feature_at(p, i);
        bool known = false;
        for (size_t u = 0; u < FL_LEN(units); u++) known |= !strcmp(f->unit, units[u]);
        if (!known) fail_msg("%s: unit %s", f->name, f->unit);
        CHECK(strlen(f->meaning) > 5 && strchr(f->name, '.'));
        for (uint32_t j = 0; j < i; j++)
            if (!strcmp(f->name, fl_fold_feature_at(p, j)->name)) fail_msg("%s twice", f->name);
    }
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < fl_fold_read_features(p, k); i++) {
            const fl_fold_feature *f = fl_fold_feature_at(p, fl_fold_read_feature(p, k, i));
            CHECK(f->kind == k && f->read);
        }
    fl_fold_plan_free(p);
}

static void test_plan_json(void **state)
{
    (void)state;
    fl_fold_plan *p = make_plan(), *q = NULL;
    florin_error err = {0};
    json_t *j = fl_fold_plan_to_json(p);
    char *text = fl_json_text(j);
    assert_int_equal(fl_fold_plan_from_json(&q, make_schema(), j, &err), FLORIN_OK);
    json_t *again = fl_fold_plan_to_json(q);
    char *text_again = fl_json_text(again);
    assert_string_equal(text, text_again);
    assert_int_equal(fl_fold_features(p), fl_fold_features(q));
    fl_fold_plan_free(q);
    json_object_set_new(j, "version", json_integer(FL_FOLD_VERSION + 1));
    assert_int_equal(fl_fold_plan_from_json(&q, make_schema(), j, &err), FLORIN_EFORMAT);
    json_object_set_new(j, "version", json_integer(FL_FOLD_VERSION));
    json_object_set_new(json_object_get(json_object_get(j, "kinds"), "card"), "clip",
                        json_real(-1));
    assert_int_equal(fl_fold_plan_from_json(&q, make_schema(), j, &err), FLORIN_EFORMAT);
    assert_non_null(strstr(err.message, "card"));
    json_object_del(json_object_get(j, "kinds"), "card");
    assert_int_equal(fl_fold_plan_from_json(&q, make_schema(), j, &err), FLORIN_ESCHEMA);
    assert_null(q);
    for (uint64_t n = 1; n < 100;
         n++) { /* the nth allocation fails: a clean error, nothing leaks */
        allocation_fail_at(n, false);
        florin_status st = fl_fold_plan_new(&q, make_schema(), &err);
        bool failed = allocation_failed();
        allocation_fail_at(0, false);
        fl_fold_plan_free(q);
        if (!failed) break;
        assert_int_equal(st, FLORIN_ENOMEM);
    }
    json_decref(j);
    json_decref(again);
    free(text);
    free(text_again);
    fl_fold_plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),  cmocka_unit_test(test_sketches),
        cmocka_unit_test(test_hostile),    cmocka_unit_test(test_absent),
        cmocka_unit_test(test_faded_mean), cmocka_unit_test(test_read),
        cmocka_unit_test(test_explaining), cmocka_unit_test(test_later_marks),
        cmocka_unit_test(test_correction), cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_plan_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
