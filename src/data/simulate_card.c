/* One card's day: its life (leaving, moving, travelling, a new phone), its salary, subscriptions and logins, and its
 * shopping trips through a Markov chain of categories. Reads the world, changes this card only. */
#include "data/simulate.h"
#include <math.h>

enum { MINUTE_MS = 60000, HOUR_MS = 3600000 };
enum { FOR_DAY = 0x40000000, FOR_SUBSCRIPTION = 0x5b00 };

typedef struct {
    sim_world *w;
    sim_card *c;
    uint32_t slot;
    sim_rng r;
    sim_out *out;
    bool away;
    uint16_t city;
} shopper;

void sim_emit(sim_out *o, const sim_event *e)
{
    if (o->failed) return;
    if (!fl_grow((void **)&o->event, &o->event_cap, o->events + 1, sizeof *o->event)) {
        o->failed = true;
        return;
    }
    o->event[o->events++] = *e;
    if (e->ms >= SIM_DAY_MS)
        o->event[o->events - 1].ms = SIM_DAY_MS - 1 - (uint32_t)(e->device & 0xffff);
}

/* What changes a life: seldom, so most days cost one number. */
static void live(shopper *s)
{
    sim_world *w = s->w;
    sim_card *c = s->c;
    if (w->day >= c->gone_day) sim_card_new(w, c, s->slot, (uint16_t)(c->gen + 1), w->day);
    if (w->day >= c->back_day) c->trip_day = c->back_day = INT32_MAX;
    float u = sim_unit(&s->r);
    float travel = c->persona == 4 ? .03f : .0045f;
    if (w->month == 7 || w->month == 8 || w->month == 12) travel *= 1.8f;
    if (u < travel) {
        if (c->trip_day != INT32_MAX) return;
        c->trip_day = w->day + 2 + (int32_t)sim_below(&s->r, 25);
        c->back_day = c->trip_day + 2 + (int32_t)sim_below(&s->r, 12);
        c->abroad = (uint16_t)sim_below(&s->r, w->cities);
        c->last = SIM_AIRLINE; /* the next trips are about the journey: hotel, insurance */
    } else if (u > .9975f) {
        c->phone++;
    } else if (u > .9965f) {
        c->home = (uint16_t)sim_below(&s->r, w->cities);
    } else if (u > .9958f) {
        c->key = fl_mix64(c->key + 1); /* new habits altogether */
    }
}

static float fade(const sim_card *c, int32_t day)
{
    if (day < c->fade_day) return 1;
    float span = (float)(c->gone_day - c->fade_day);
    float left = span > 0 ? (float)(c->gone_day - day) / span : 0;
    return .08f + .92f * left;
}

static uint32_t moment(shopper *s, int category)
{
    const sim_category_info *info = &sim_categories[category];
    float hour;
    if (sim_chance(&s->r, .5f)) { /* the card's own hour for this */
        uint64_t h = sim_hash(s->c->key, 0x40000u + (uint64_t)category);
        hour = (float)s->w->hour[info->hours][h & 255] + (float)(h >> 8 & 255) / 256 +
               .5f * sim_normal(&s->r);
    } else {
        hour = (float)s->w->hour[info->hours][sim_u64(&s->r) >> 56] + sim_unit(&s->r);
    }
    hour += .5f * (float)s->c->shift;
    if (hour < 0) hour += 24;
    if (hour >= 24) hour -= 24;
    uint32_t ms = (uint32_t)(hour * HOUR_MS);
    return ms < SIM_DAY_MS ? ms : SIM_DAY_MS - 1;
}

static uint32_t choose_merchant(shopper *s, sim_category cat, bool online)
{
    float u = sim_unit(&s->r);
    if (s->away && u > .35f) return sim_popular(s->w, &s->r, cat, online, s->city);
    if (u < .50f) return sim_favourite(s->w, s->c, cat, online, s->city, 0);
    if (u < .72f) return sim_favourite(s->w, s->c, cat, online, s->city, 1);
    if (u < .84f) return sim_favourite(s->w, s->c, cat, online, s->city, 2);
    return sim_popular(s->w, &s->r, cat, online, s->city);
}

static uint8_t terminal_of(shopper *s, const sim_merchant *m, uint32_t merchant)
{
    if (!m->terminals) return 0;
    uint64_t usual = sim_hash(s->c->key, merchant);
    return (uint8_t)(1 + (sim_chance(&s->r, .6f) ? usual % m->terminals
                                                 : sim_below(&s->r, m->terminals)));
}

/* Answer of the issuer to an honest payment. Money runs out before payday for those who spend fast. */
static uint8_t respond(shopper *s, const sim_event *e)
{
    sim_world *w = s->w;
    sim_card *c = s->c;
    float income = 2600 * c->wealth;
    float share = (float)e->amount / 100 / income;
    if (w->outage_ms != UINT32_MAX && e->ms - w->outage_ms < 5400000u &&
        sim_hash(w->seed, c->home) % 3 == 0 && sim_chance(&s->r, .6f))
        return SIM_DOWN;
    if (!w->steady && c->spent + share > 1.1f && sim_chance(&s->r, .45f)) return SIM_NO_FUNDS;
    float u = sim_unit(&s->r), strict = s->away ? .02f : .004f;
    if (u < strict) return SIM_DO_NOT_HONOUR;
    if (u < strict + .0015f) return SIM_EXPIRED;
    if (e->entry == SIM_ONLINE && u < strict + .0045f) return SIM_BAD_CVV;
    if (u > .9985f) return SIM_DOWN;
    c->spent += share;
    return SIM_OK;
}

/* What follows from a payment: a thing sent back, a copied stripe, a dispute in bad faith, goods that never come. */
static void consequences(shopper *s, sim_event *e)
{
    sim_world *w = s->w;
    const sim_merchant *m = &w->merchant[e->merchant];
    const sim_category_info *info = &sim_categories[m->category];
    if (e->response != SIM_OK || w->steady) return;
    if (w->day >= m->bust_day && sim_chance(&s->r, .85f)) {
        e->truth = FL_SIM_BUST_OUT;
        return;
    }
    float bad_faith = .0028f * info->prone * (s->c->prone ? 18 : .12f);
    if (e->amount > (int32_t)(info->median * 150)) bad_faith *= 2.5f;
    if (sim_chance(&s->r, bad_faith)) e->truth = FL_SIM_FRIENDLY_FRAUD;
    if (e->terminal && e->terminal == m->skimmed && sim_chance(&s->r, .5f)) {
        if (!fl_grow((void **)&s->out->clone, &s->out->clone_cap, s->out->clones + 1,
                     sizeof(sim_clone))) {
            s->out->failed = true;
            return;
        }
        s->out->clone[s->out->clones++] = (sim_clone){s->slot, e->merchant, e->terminal};
    }
    if (!sim_chance(&s->r, info->refund)) return;
    sim_return back = {.card = s->slot,
                       .merchant = e->merchant,
                       .amount = e->amount,
                       .gen = e->gen,
                       .country = e->country,
                       .online = e->entry == SIM_ONLINE,
                       .day = w->day + 1 + (int32_t)sim_below(&s->r, SIM_RETURN_DAYS - 4)};
    if (sim_chance(&s->r, .3f))
        back.amount = (int32_t)((float)back.amount * (.2f + .6f * sim_unit(&s->r)));
    if (back.amount < 1) back.amount = 1;
    if (!fl_grow((void **)&s->out->back, &s->out->back_cap, s->out->backs + 1, sizeof back))
        s->out->failed = true;
    else s->out->back[s->out->backs++] = back;
}

/* Honest people try again, too: the hard negatives of card testing. */
static void again(shopper *s, const sim_event *first)
{
    sim_event e = *first;
    float p = e.response == SIM_DOWN ? .7f : e.response == SIM_NO_FUNDS ? .3f : .5f;
    for (int n = 0; n < 5 && e.response != SIM_OK && sim_chance(&s->r, p); n++) {
        e.ms += 15000 + sim_below(&s->r, 3 * MINUTE_MS);
        if (e.response == SIM_NO_FUNDS && sim_chance(&s->r, .5f)) e.amount = e.amount / 2 + 1;
        if (e.response == SIM_NO_FUNDS)
            e.response = sim_chance(&s->r, .25f) ? SIM_OK : SIM_NO_FUNDS;
        else if (e.response == SIM_EXPIRED) e.response = SIM_EXPIRED;
        else e.response = sim_chance(&s->r, .5f) ? SIM_OK : e.response;
        consequences(s, &e);
        sim_emit(s->out, &e);
    }
}

static void buy(shopper *s, sim_category cat, uint32_t ms)
{
    sim_world *w = s->w;
    const sim_category_info *info = &sim_categories[cat];
    float share = info->online >= 1 ? 1 : info->online * s->c->online;
    bool online = share > 0 && sim_chance(&s->r, share);
    uint32_t merchant = choose_merchant(s, cat, online);
    const sim_merchant *m = &w->merchant[merchant];
    sim_event e = {.ms = ms,
                   .card = s->slot,
                   .gen = s->c->gen,
                   .merchant = merchant,
                   .type = SIM_PAYMENT,
                   .country = m->country,
                   .terminal = terminal_of(s, m, merchant)};
    float flush = s->c->spent < .25f  ? 1.15f
                  : s->c->spent > .8f ? .85f
                                      : 1; /* after payday people are generous */
    e.amount = sim_amount(w, &s->r, s->c, merchant, flush);
    if (online) {
        e.entry = SIM_ONLINE;
        e.device = sim_device(w, s->slot);
    } else if (m->swipe && sim_chance(&s->r, .5f)) {
        e.entry = SIM_SWIPE;
    } else {
        e.entry = e.amount < 5000 && sim_chance(&s->r, .85f) ? SIM_CONTACTLESS : SIM_CHIP;
    }
    e.response = respond(s, &e);
    consequences(s, &e);
    sim_emit(s->out, &e);
    if (e.response != SIM_OK) again(s, &e);
}

static void trip(shopper *s)
{
    sim_world *w = s->w;
    int persona = s->away ? SIM_ABROAD : s->c->persona;
    int cat = w->next[persona][s->c->last][sim_u64(&s->r) >> 56];
    if (!s->away && sim_chance(&s->r, .22f)) { /* one of three categories that this card loves */
        uint64_t h = sim_hash(s->c->key, 0x7a0 + sim_below(&s->r, 3));
        cat = w->next[persona][h & 7][h >> 56];
    }
    uint32_t ms = moment(s, cat);
    for (int n = 0; n < 5; n++) {
        s->c->last = (uint8_t)cat;
        buy(s, (sim_category)cat, ms);
        cat = w->follow[cat][sim_u64(&s->r) >> 56];
        if (cat == SIM_CATEGORIES) break;
        ms += 4 * MINUTE_MS + sim_below(&s->r, 70 * MINUTE_MS);
    }
}

static void subscriptions(shopper *s)
{
    static const uint8_t kinds[] = {SIM_STREAMING, SIM_TELECOM,   SIM_UTILITY,
                                    SIM_GYM,       SIM_INSURANCE, SIM_GAMING};
    sim_world *w = s->w;
    for (uint32_t k = 0; k < s->c->subscriptions; k++) {
        uint64_t h = sim_hash(s->c->key, FOR_SUBSCRIPTION + k);
        if (1 + h % 28 != (uint64_t)w->month_day) continue;
        sim_category cat = kinds[(h >> 32) % FL_LEN(kinds)];
        uint32_t merchant = sim_favourite(w, s->c, cat, true, 0, k);
        sim_rng price = {sim_hash(s->c->key, merchant)}; /* the same amount every month */
        sim_event e = {.ms = (uint32_t)(h >> 40) % HOUR_MS + sim_below(&s->r, 3 * HOUR_MS),
                       .card = s->slot,
                       .gen = s->c->gen,
                       .merchant = merchant,
                       .type = SIM_PAYMENT,
                       .entry = SIM_RECURRING,
                       .country = w->merchant[merchant].country};
        e.amount = sim_amount(w, &price, s->c, merchant, 1);
        e.response = respond(s, &e);
        consequences(s, &e);
        sim_emit(s->out, &e);
    }
}

static void salary_and_logins(shopper *s)
{
    sim_world *w = s->w;
    sim_card *c = s->c;
    if (c->payday == w->month_day) {
        sim_rng fixed = {sim_hash(c->key, 0x5a1a)};
        sim_event e = {.ms = 2 * HOUR_MS + sim_below(&s->r, 5 * HOUR_MS),
                       .card = s->slot,
                       .gen = c->gen,
                       .merchant = FL_NONE,
                       .type = SIM_SALARY,
                       .country = 0,
                       .entry = SIM_ENTRIES,
                       .amount = (int32_t)(260000 * c->wealth * (1 + .05f * sim_normal(&fixed)))};
        c->spent = c->spent > 1 ? .3f * (c->spent - 1) : 0;
        sim_emit(s->out, &e);
    }
    float logins = c->app ? .05f * c->rate * w->scale : 0;
    for (uint32_t n = sim_poisson(&s->r, logins < 3 ? logins : 3); n > 0; n--) {
        sim_event e = {.ms = moment(s, SIM_STREAMING),
                       .card = s->slot,
                       .gen = c->gen,
                       .merchant = FL_NONE,
                       .type = SIM_LOGIN,
                       .entry = SIM_ENTRIES,
                       .device = sim_device(w, s->slot),
                       .country = (uint8_t)(s->city % SIM_COUNTRIES)};
        if (sim_chance(&s->r, .05f)) e.response = SIM_BAD_CVV; /* wrong password */
        sim_emit(s->out, &e);
    }
}

void sim_card_day(sim_world *w, uint32_t slot, sim_out *out)
{
    shopper s = {.w = w, .c = &w->card[slot], .slot = slot, .out = out};
    s.r = sim_stream(w->seed, FOR_DAY + (uint64_t)slot, (uint64_t)(uint32_t)w->day);
    if (!w->steady) live(&s);
    s.away = w->day >= s.c->trip_day && w->day < s.c->back_day;
    s.city = s.away ? s.c->abroad : s.c->home;
    if (w->day < s.c->blocked_day)
        return; /* the bank has stopped the card; a few days later it is usable again */
    subscriptions(&s);
    salary_and_logins(&s);
    float rate = s.c->rate * w->scale * fade(s.c, w->day) * (s.away ? 1.6f : 1);
    rate *= s.c->spent < .25f ? 1.15f : s.c->spent > .9f ? .75f : 1;
    if (rate > 40) rate = 40;
    for (uint32_t n = sim_poisson(&s.r, rate); n > 0; n--) trip(&s);
}
