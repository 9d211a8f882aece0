/* The dishonest: campaigns that start at a steady rate per event, last for days, and end when a bank stops the card.
 * Four kinds act here (stolen card, card testing, compromised terminal, account takeover), the orders of a merchant
 * that is about to vanish too; friendly fraud happens at honest-looking purchases (simulate_card.c). Some of each kind
 * stay close to what their victim does, so that no rule finds them all. Runs on one thread, after the cards' day. */
#include "data/simulate.h"
#include <math.h>

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };
enum { FOR_CAMPAIGN = 0x50000000, FOR_FRAUD_DAY = 0x60000000 };

typedef struct {
    uint64_t device;
    uint32_t slot, merchant; /* victim; cash-out or tested merchant (FL_NONE: any) */
    int32_t from, until;     /* days */
    float size;              /* events: a day, or in all for testing */
    uint16_t gen;
    uint8_t kind; /* fl_sim_kind */
    uint8_t terminal;
    bool mild, spread, online;
} campaign;

typedef struct {
    uint32_t merchant;
    uint8_t terminal;
    int32_t until;
    uint32_t cash_out[2];
    uint64_t device;
} skimmer;

struct sim_fraud {
    campaign *list;
    size_t count, cap;
    skimmer *skim;
    size_t skims, skim_cap;
    uint32_t *bust; /* merchants that will vanish */
    uint32_t busts;
    float due[FL_SIM_KINDS], rate[FL_SIM_KINDS]; /* campaigns owed; launched a day */
    float size; /* of a campaign, relative: small worlds get small campaigns */
    uint32_t ghosts;
    sim_rng r;
};

/* Share of all events by kind, and how many events a campaign of full size makes. */
static const struct {
    float share, events;
} plan[FL_SIM_KINDS] = {
    [FL_SIM_STOLEN_CARD] = {.0017f, 8},
    [FL_SIM_CARD_TESTING] = {.0019f, 90},
    [FL_SIM_COMPROMISED_TERMINAL] = {.0013f, 34},
    [FL_SIM_ACCOUNT_TAKEOVER] = {.0010f, 22},
    [FL_SIM_BUST_OUT] = {.0011f, 110},
};

static float size_of(const fl_simulate_options *opt)
{
    float daily = (float)((double)opt->events / opt->days);
    float size = sqrtf(daily / 3000);
    return size < .35f ? .35f : size > 1 ? 1 : size;
}

uint32_t sim_fraud_bust_outs(const fl_simulate_options *opt)
{
    double n = (double)opt->events * plan[FL_SIM_BUST_OUT].share /
               (plan[FL_SIM_BUST_OUT].events * size_of(opt));
    return opt->steady ? 0 : n < 2 ? 2 : (uint32_t)n;
}

florin_status sim_fraud_new(sim_fraud **out, const sim_world *w, const fl_simulate_options *opt,
                            florin_error *err)
{
    *out = NULL;
    sim_fraud *f = fl_calloc(1, sizeof *f);
    if (!f) return fl_fail(err, FLORIN_ENOMEM, "simulate: campaigns");
    f->r = sim_stream(opt->seed, FOR_CAMPAIGN, 0);
    f->size = size_of(opt);
    for (int k = 0; k < FL_SIM_KINDS && !opt->steady; k++) {
        if (plan[k].events == 0) continue;
        f->rate[k] =
            (float)((double)opt->events / opt->days * plan[k].share / (plan[k].events * f->size));
        f->due[k] = .4f + .6f * sim_unit(&f->r);
    }
    for (int pass = 0; pass < 2; pass++) {
        f->busts = 0;
        for (uint32_t i = w->offline; i < w->merchants; i++)
            if (w->merchant[i].bust_day != INT32_MAX) {
                if (pass) f->bust[f->busts] = i;
                f->busts++;
            }
        if (!pass && !(f->bust = fl_calloc(f->busts + 1, sizeof *f->bust))) {
            free(f);
            return fl_fail(err, FLORIN_ENOMEM, "simulate: campaigns");
        }
    }
    *out = f;
    return FLORIN_OK;
}

void sim_fraud_free(sim_fraud *f)
{
    if (!f) return;
    free(f->list);
    free(f->skim);
    free(f->bust);
    free(f);
}

static uint32_t victim(sim_fraud *f, const sim_world *w)
{ /* cards that are used more are stolen more */
    for (int again = 0; again < 30; again++) {
        uint32_t slot = sim_below(&f->r, w->cards);
        const sim_card *c = &w->card[slot];
        if (w->day >= c->born_day && w->day < c->gone_day && w->day >= c->blocked_day &&
            sim_unit(&f->r) * 2 < c->rate)
            return slot;
    }
    return sim_below(&f->r, w->cards);
}

static void start(sim_fraud *f, const campaign *c, sim_out *out)
{
    if (!fl_grow((void **)&f->list, &f->cap, f->count + 1, sizeof *f->list)) out->failed = true;
    else f->list[f->count++] = *c;
}

static campaign on_card(sim_fraud *f, const sim_world *w, uint32_t slot, fl_sim_kind kind,
                        int32_t from)
{
    return (campaign){.kind = (uint8_t)kind,
                      .slot = slot,
                      .gen = w->card[slot].gen,
                      .merchant = FL_NONE,
                      .from = from,
                      .until = from + 1 + (int32_t)sim_below(&f->r, 3),
                      .mild = sim_chance(&f->r, .3f),
                      .device = sim_u64(&f->r) | 1};
}

static void start_stolen(sim_fraud *f, const sim_world *w, sim_out *out)
{
    campaign c = on_card(f, w, victim(f, w), FL_SIM_STOLEN_CARD, w->day);
    c.size = 1.5f + 3.5f * sim_unit(&f->r);
    c.online = sim_chance(&f->r, .4f);
    start(f, &c, out);
}

static void start_testing(sim_fraud *f, const sim_world *w, sim_out *out)
{
    static const uint8_t soft[] = {SIM_CHARITY, SIM_GAMING,    SIM_STREAMING,
                                   SIM_BOOKS,   SIM_GIFT_CARD, SIM_TELECOM};
    campaign c = {.kind = FL_SIM_CARD_TESTING, .from = w->day, .device = sim_u64(&f->r) | 1};
    c.spread = sim_chance(&f->r, .35f);
    c.mild = sim_chance(&f->r, .35f);
    c.until = w->day + (c.spread ? 3 + (int32_t)sim_below(&f->r, 5) : 1);
    c.merchant = sim_popular(w, &f->r, soft[sim_below(&f->r, FL_LEN(soft))], true, 0);
    c.size = sim_lognormal(&f->r, 75 * f->size, .6f);
    start(f, &c, out);
}

/* A ring that holds several accounts and one or two devices. */
static void start_takeover(sim_fraud *f, const sim_world *w, sim_out *out)
{
    uint64_t device[2] = {sim_u64(&f->r) | 1, sim_u64(&f->r) | 1};
    uint32_t victims = 1 + sim_below(&f->r, 1 + (uint32_t)(8 * f->size));
    for (uint32_t n = 0; n < victims; n++) {
        campaign c = on_card(f, w, victim(f, w), FL_SIM_ACCOUNT_TAKEOVER,
                             w->day + (int32_t)sim_below(&f->r, 14));
        c.device = device[sim_below(&f->r, 2)];
        c.until = c.from + 1 + (int32_t)sim_below(&f->r, 2);
        c.size = 1.5f + 3 * sim_unit(&f->r);
        c.online = true;
        start(f, &c, out);
    }
}

static void start_skimming(sim_fraud *f, sim_world *w, sim_out *out)
{
    static const uint8_t where[] = {SIM_FUEL,    SIM_TRANSIT,    SIM_FAST_FOOD,
                                    SIM_GROCERY, SIM_RESTAURANT, SIM_BAR};
    static const uint8_t cash[] = {SIM_ELECTRONICS, SIM_DEPARTMENT, SIM_JEWELRY, SIM_FUEL,
                                   SIM_GROCERY};
    uint16_t city = (uint16_t)sim_below(&f->r, w->cities);
    uint32_t m = sim_popular(w, &f->r, where[sim_below(&f->r, FL_LEN(where))], false, city);
    if (w->merchant[m].skimmed) return;
    if (!fl_grow((void **)&f->skim, &f->skim_cap, f->skims + 1, sizeof *f->skim)) {
        out->failed = true;
        return;
    }
    skimmer *s = &f->skim[f->skims++];
    *s = (skimmer){.merchant = m,
                   .terminal = (uint8_t)(1 + sim_below(&f->r, w->merchant[m].terminals)),
                   .until = w->day + 7 + (int32_t)sim_below(&f->r, 10)};
    for (int i = 0; i < 2; i++) {
        uint16_t there = sim_chance(&f->r, .6f) ? city : (uint16_t)sim_below(&f->r, w->cities);
        s->cash_out[i] = sim_popular(w, &f->r, cash[sim_below(&f->r, FL_LEN(cash))], false, there);
    }
    w->merchant[m].skimmed = s->terminal;
}

static void use_clones(sim_fraud *f, const sim_world *w, const sim_clone *clone, size_t n,
                       sim_out *out)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < f->skims; k++) {
            const skimmer *s = &f->skim[k];
            if (s->merchant != clone[i].merchant || s->terminal != clone[i].terminal) continue;
            campaign c = on_card(f, w, clone[i].slot, FL_SIM_COMPROMISED_TERMINAL,
                                 w->day + 2 + (int32_t)sim_below(&f->r, 18));
            c.until = c.from + 1;
            c.merchant = sim_chance(&f->r, .75f) ? s->cash_out[sim_below(&f->r, 2)] : FL_NONE;
            c.size = 1.5f + 1.5f * sim_unit(&f->r);
            start(f, &c, out);
            break;
        }
}

static void launch(sim_fraud *f, sim_world *w, sim_out *out)
{
    for (int k = 0; k < FL_SIM_KINDS; k++) {
        f->due[k] += f->rate[k];
        for (; f->due[k] >= 1; f->due[k]--) {
            if (k == FL_SIM_STOLEN_CARD) start_stolen(f, w, out);
            if (k == FL_SIM_CARD_TESTING) start_testing(f, w, out);
            if (k == FL_SIM_ACCOUNT_TAKEOVER) start_takeover(f, w, out);
            if (k == FL_SIM_COMPROMISED_TERMINAL) start_skimming(f, w, out);
        }
    }
    for (size_t k = 0; k < f->skims;) {
        if (w->day < f->skim[k].until) {
            k++;
            continue;
        }
        w->merchant[f->skim[k].merchant].skimmed = 0;
        f->skim[k] = f->skim[--f->skims];
    }
}

/* ---- acting ---- */

static sim_category desired(sim_rng *r, bool online)
{
    float sum = 0, total = 0;
    for (int c = 0; c < SIM_CATEGORIES; c++)
        if (online ? sim_categories[c].online > 0 : sim_categories[c].online < 1)
            total += sim_categories[c].resale;
    float u = sim_unit(r) * total;
    for (int c = 0; c < SIM_CATEGORIES; c++) {
        if (!(online ? sim_categories[c].online > 0 : sim_categories[c].online < 1)) continue;
        sum += sim_categories[c].resale;
        if (u < sum) return (sim_category)c;
    }
    return SIM_ELECTRONICS;
}

/* A login or two from the ring's device; some passwords are wrong at first. */
static void break_in(const campaign *c, sim_world *w, sim_rng *r, uint32_t ms, sim_out *out)
{
    uint32_t tries = sim_below(r, 4);
    uint16_t city = sim_chance(r, .5f) ? w->card[c->slot].home : (uint16_t)sim_below(r, w->cities);
    for (uint32_t i = 0; i <= tries; i++) {
        sim_event e = {.ms = ms + i * 20000 + sim_below(r, 15000),
                       .card = c->slot,
                       .gen = c->gen,
                       .merchant = FL_NONE,
                       .type = SIM_LOGIN,
                       .entry = SIM_ENTRIES,
                       .device = c->device,
                       .truth = c->kind,
                       .country = (uint8_t)(city % SIM_COUNTRIES),
                       .response = i < tries ? SIM_BAD_CVV : SIM_OK};
        sim_emit(out, &e);
    }
}

static uint32_t thief_merchant(const campaign *c, sim_world *w, sim_rng *r, bool online)
{
    const sim_card *card = &w->card[c->slot];
    if (c->merchant != FL_NONE && !sim_chance(r, .12f)) return c->merchant;
    if (c->mild) { /* shops where the victim is known */
        sim_category cat = w->next[card->persona][card->last][sim_u64(r) >> 56];
        if (online ? sim_categories[cat].online > 0 : sim_categories[cat].online < 1)
            return sim_favourite(w, card, cat, online, card->home, sim_below(r, 3));
    }
    uint16_t city = sim_chance(r, .75f) ? card->home : (uint16_t)sim_below(r, w->cities);
    return sim_popular(w, r, desired(r, online), online, city);
}

/* Payments with somebody else's card. The bank notices by and by, then every further try is refused. */
static void spend(campaign *c, sim_world *w, sim_rng *r, sim_out *out)
{
    sim_card *card = &w->card[c->slot];
    uint32_t n = sim_poisson(r, c->size), ms = (2 + sim_below(r, 17)) * HOUR_MS;
    if (w->day == c->from && n == 0) n = 1;
    if (c->kind == FL_SIM_ACCOUNT_TAKEOVER && n) break_in(c, w, r, ms, out);
    ms += 3 * MINUTE_MS;
    for (uint32_t i = 0; i < n; i++) {
        bool online = c->online && (c->merchant == FL_NONE);
        uint32_t m = thief_merchant(c, w, r, online);
        online = w->merchant[m].terminals == 0;
        sim_event e = {.ms = ms,
                       .card = c->slot,
                       .gen = c->gen,
                       .merchant = m,
                       .type = SIM_PAYMENT,
                       .truth = c->kind,
                       .country = w->merchant[m].country,
                       .device = online ? c->device : 0,
                       .terminal =
                           (uint8_t)(online ? 0 : 1 + sim_below(r, w->merchant[m].terminals))};
        e.amount = sim_amount(w, r, card, m, c->mild ? 1 : 1 + 1.8f * sim_unit(r));
        e.entry = online                                                         ? SIM_ONLINE
                  : c->kind == FL_SIM_COMPROMISED_TERMINAL && sim_chance(r, .5f) ? SIM_SWIPE
                                                                                 : SIM_CONTACTLESS;
        if (e.entry == SIM_CONTACTLESS && e.amount > 5000)
            e.amount = 2000 + (int32_t)sim_below(r, 2990);
        e.response = w->day < card->blocked_day ? SIM_SUSPECTED
                     : sim_chance(r, .08f) ? (sim_chance(r, .5f) ? SIM_SUSPECTED : SIM_NO_FUNDS)
                                           : SIM_OK;
        sim_emit(out, &e);
        ms += 2 * MINUTE_MS + sim_below(r, (c->mild ? 300 : 60) * MINUTE_MS);
        if (sim_chance(r, .12f) && card->blocked_day <= w->day)
            card->blocked_day = w->day + 2 + (int32_t)sim_below(r, 4);
    }
}

/* Numbers tried at one merchant: a burst of minutes, or a trickle over days from changing devices. */
static void test_cards(sim_fraud *f, campaign *c, sim_world *w, sim_rng *r, sim_out *out)
{
    float share = c->size / (float)(c->until - c->from);
    uint32_t n = sim_poisson(r, share), from = sim_below(r, SIM_DAY_MS - 4 * HOUR_MS);
    uint32_t span = c->spread ? SIM_DAY_MS - 1 : (10 + sim_below(r, 170)) * MINUTE_MS;
    if (w->day == c->from && n < 3) n = 3;
    for (uint32_t i = 0; i < n; i++) {
        bool ghost = sim_chance(r, c->mild ? .25f : .55f);
        uint32_t slot = ghost ? SIM_GHOST | f->ghosts++ : sim_below(r, w->cards);
        sim_event e = {.ms = (c->spread ? 0 : from) + sim_below(r, span),
                       .card = slot,
                       .merchant = c->merchant,
                       .gen = ghost ? 0 : w->card[slot].gen,
                       .type = SIM_PAYMENT,
                       .truth = c->kind,
                       .entry = SIM_ONLINE,
                       .country = w->merchant[c->merchant].country};
        e.device = sim_hash(c->device, sim_below(r, c->spread ? 12 : 3)) | 1;
        const sim_card *like = &w->card[ghost ? sim_below(r, w->cards) : slot];
        e.amount =
            c->mild ? sim_amount(w, r, like, c->merchant, 1) : 50 + (int32_t)sim_below(r, 450);
        float u = sim_unit(r);
        if (ghost) e.response = u < .85f ? SIM_BAD_NUMBER : SIM_DO_NOT_HONOUR;
        else
            e.response = u < .45f   ? SIM_BAD_CVV
                         : u < .6f  ? SIM_EXPIRED
                         : u < .65f ? SIM_DO_NOT_HONOUR
                                    : SIM_OK;
        sim_emit(out, &e);
        if (ghost || e.response != SIM_OK || !sim_chance(r, .3f)) continue;
        campaign use =
            on_card(f, w, slot, FL_SIM_STOLEN_CARD, w->day + 1 + (int32_t)sim_below(r, 14));
        use.size = 1 + 2 * sim_unit(r);
        use.online = true;
        start(f, &use, out);
    }
}

/* A merchant that cashes in: far more orders than ever, most of which are never sent. */
static void vanish(sim_fraud *f, sim_world *w, uint32_t merchant, sim_rng *r, sim_out *out)
{
    const sim_merchant *m = &w->merchant[merchant];
    float orders = plan[FL_SIM_BUST_OUT].events * f->size / (float)(m->close_day - m->bust_day);
    for (uint32_t n = sim_poisson(r, orders); n > 0; n--) {
        uint32_t slot = victim(f, w);
        const sim_card *c = &w->card[slot];
        sim_event e = {.ms = (uint32_t)((float)w->hour[4][sim_u64(r) >> 56] * HOUR_MS) +
                             sim_below(r, HOUR_MS),
                       .card = slot,
                       .gen = c->gen,
                       .merchant = merchant,
                       .type = SIM_PAYMENT,
                       .entry = SIM_ONLINE,
                       .country = m->country,
                       .device = sim_device(w, slot)};
        e.amount = sim_amount(w, r, c, merchant, 1 + sim_unit(r));
        e.response = sim_chance(r, .04f) ? SIM_NO_FUNDS : SIM_OK;
        if (sim_chance(r, .9f)) e.truth = FL_SIM_BUST_OUT;
        sim_emit(out, &e);
    }
}

void sim_fraud_day(sim_fraud *f, sim_world *w, const sim_clone *clone, size_t clones, sim_out *out)
{
    if (w->steady) return;
    f->r = sim_stream(w->seed, FOR_CAMPAIGN, (uint64_t)(uint32_t)w->day + 1);
    launch(f, w, out);
    use_clones(f, w, clone, clones, out);
    sim_rng r = sim_stream(w->seed, FOR_FRAUD_DAY, (uint64_t)(uint32_t)w->day);
    for (size_t i = 0; i < f->count;) { /* test_cards may append: indexes, not pointers, live on */
        campaign c = f->list[i];
        if (w->day >= c.until || (c.kind != FL_SIM_CARD_TESTING && w->card[c.slot].gen != c.gen)) {
            f->list[i] = f->list[--f->count];
            continue;
        }
        if (w->day >= c.from && c.kind == FL_SIM_CARD_TESTING) test_cards(f, &c, w, &r, out);
        else if (w->day >= c.from) spend(&c, w, &r, out);
        i++;
    }
    for (uint32_t i = 0; i < f->busts; i++) {
        const sim_merchant *m = &w->merchant[f->bust[i]];
        if (w->day >= m->bust_day && w->day < m->close_day) vanish(f, w, f->bust[i], &r, out);
    }
}
