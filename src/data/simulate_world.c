/* The simulated world at rest: cities with their shops, online merchants, cards with their habits, and the calendar of
 * a day. A habit is a hash of who has it, so it costs no memory and never drifts unless the card's key changes. */
#include "data/simulate_tables.h"
#include <math.h>

enum { CITY_CARDS = 1500, CITIES_MIN = 6, CITIES_MAX = 4096 };
enum { FOR_MERCHANT = 0x10000000, FOR_CARD = 0x20000000, FOR_DAY = 0x30000000 };

uint32_t sim_poisson(sim_rng *r, float mean)
{ /* Knuth, Seminumerical Algorithms 3.4.1; a normal above, where exp(-mean) would vanish */
    if (!(mean > 0)) return 0;
    if (mean > 30) {
        float x = mean + sqrtf(mean) * sim_normal(r) + .5f;
        return x < 0 ? 0 : (uint32_t)x;
    }
    float limit = expf(-mean), p = sim_unit(r);
    uint32_t n = 0;
    while (p > limit) {
        p *= sim_unit(r);
        n++;
    }
    return n;
}

float sim_lognormal(sim_rng *r, float median, float sigma)
{
    return median * expf(sigma * sim_normal(r));
}

static bool has_shops(int c)
{
    return sim_categories[c].online < 1;
}

static bool has_sites(int c)
{
    return sim_categories[c].online > 0;
}

/* Shops of a category in a city, or sites of a category in all. */
static uint32_t shops_of(int c)
{
    uint32_t n = (uint32_t)(sim_categories[c].base * .6f);
    return n < 2 ? 2 : n;
}

static uint32_t sites_of(int c, uint32_t cards)
{
    float n = sim_categories[c].base * 3 + (float)cards * sim_categories[c].base * 2e-4f;
    return n < 4 ? 4 : (uint32_t)n;
}

static void merchant_new(sim_world *w, uint32_t i, int category, uint32_t city, bool online)
{
    sim_merchant *m = &w->merchant[i];
    sim_rng r = sim_stream(w->seed, FOR_MERCHANT, i);
    m->category = (uint8_t)category;
    m->city = (uint16_t)city;
    m->country = (uint8_t)(online ? sim_below(&r, SIM_COUNTRIES) : city % SIM_COUNTRIES);
    if (online && sim_chance(&r, .5f)) m->country = 0;
    m->price = sim_lognormal(&r, 1, .35f);
    m->terminals =
        (uint8_t)(online ? 0
                         : 1 + sim_below(
                                   &r, category == SIM_GROCERY || category == SIM_TRANSIT ? 5 : 3));
    m->terminal = w->terminals;
    w->terminals += m->terminals;
    m->swipe = sim_chance(&r, .06f);
    m->open_day = INT32_MIN;
    m->bust_day = m->close_day = INT32_MAX;
    if (w->steady) return;
    if (sim_chance(&r, .06f)) m->open_day = (int32_t)sim_below(&r, w->days); /* honest newcomers */
    else if (sim_chance(&r, .03f)) m->close_day = (int32_t)sim_below(&r, w->days);
}

/* Bust-outs are ordinary sites of these categories until their day: they open, behave, and then cash in. */
static void plan_bust_outs(sim_world *w, uint32_t n)
{
    static const uint8_t like[] = {SIM_ELECTRONICS, SIM_MARKETPLACE, SIM_CLOTHING, SIM_GIFT_CARD,
                                   SIM_HOME};
    sim_rng r = sim_stream(w->seed, FOR_MERCHANT, UINT32_MAX);
    for (uint32_t i = 0; i < n; i++) {
        int c = like[i % FL_LEN(like)];
        uint32_t count = w->net[c + 1] - w->net[c];
        sim_merchant *m = &w->merchant[w->net[c] + sim_below(&r, count)];
        if (m->bust_day != INT32_MAX) continue;
        float at = ((float)i + sim_unit(&r)) / (float)n;
        m->bust_day = (int32_t)(at * (float)w->days);
        m->open_day =
            sim_chance(&r, .7f) ? m->bust_day - 12 - (int32_t)sim_below(&r, 40) : INT32_MIN;
        m->close_day = m->bust_day + 8 + (int32_t)sim_below(&r, 12);
    }
}

static florin_status build_merchants(sim_world *w, uint32_t bust_outs, florin_error *err)
{
    uint64_t offline = 0, online = 0;
    for (int c = 0; c < SIM_CATEGORIES; c++) {
        if (has_shops(c)) offline += (uint64_t)shops_of(c) * w->cities;
        if (has_sites(c)) online += sites_of(c, w->cards);
    }
    w->merchants = (uint32_t)(offline + online);
    w->offline = (uint32_t)offline;
    w->merchant = fl_calloc(w->merchants, sizeof *w->merchant);
    w->shop = fl_calloc(w->cities, sizeof *w->shop);
    if (!w->merchant || !w->shop)
        return fl_fail(err, FLORIN_ENOMEM, "simulate: %u merchants", w->merchants);
    uint32_t at = 0;
    for (uint32_t city = 0; city < w->cities; city++)
        for (int c = 0; c < SIM_CATEGORIES; c++) {
            w->shop[city][c] = at;
            for (uint32_t k = has_shops(c) ? shops_of(c) : 0; k > 0; k--)
                merchant_new(w, at++, c, city, false);
            w->shop[city][c + 1] = at;
        }
    for (int c = 0; c < SIM_CATEGORIES; c++) {
        w->net[c] = at;
        for (uint32_t k = has_sites(c) ? sites_of(c, w->cards) : 0; k > 0; k--)
            merchant_new(w, at++, c, 0, true);
        w->net[c + 1] = at;
    }
    if (!w->steady) plan_bust_outs(w, bust_outs);
    return FLORIN_OK;
}

/* A card begins on `day`; before the first day it has been used for long. */
void sim_card_new(const sim_world *w, sim_card *c, uint32_t slot, uint16_t gen, int32_t day)
{
    sim_rng r = sim_stream(w->seed, FOR_CARD + slot, gen);
    *c = (sim_card){.key = sim_u64(&r),
                    .gen = gen,
                    .born_day = day,
                    .fade_day = INT32_MAX,
                    .gone_day = INT32_MAX,
                    .trip_day = INT32_MAX,
                    .back_day = INT32_MAX,
                    .blocked_day = INT32_MIN};
    c->rate = w->steady ? 1 : expf(.85f * sim_normal(&r) - .36f);
    c->wealth = expf(.45f * sim_normal(&r));
    c->persona = (uint8_t)sim_below(&r, SIM_ABROAD);
    c->online = sim_lognormal(&r, c->persona == 3 ? .4f : 1, .5f);
    c->home = (uint16_t)sim_below(&r, w->cities);
    c->last = SIM_GROCERY;
    static const uint8_t paydays[] = {1, 1, 15, 25, 28, 28};
    c->payday = paydays[sim_below(&r, FL_LEN(paydays))];
    c->subscriptions = (uint8_t)sim_below(&r, 5);
    c->shift = (int8_t)lrintf(1.2f * sim_normal(&r));
    c->prone = sim_chance(&r, .02f);
    c->app = sim_chance(&r, .6f);
    c->shared = (slot & 1) && sim_chance(&r, .25f);
    c->spent = .5f * sim_unit(&r);
    if (w->steady) return;
    /* One card in four leaves within half a year; most of them fade first. */
    float left = -logf(1 - sim_unit(&r)) * 600;
    if (left < 1e6f) {
        c->gone_day = day + 10 + (int32_t)left;
        c->fade_day = c->gone_day - (sim_chance(&r, .7f) ? 25 + (int32_t)sim_below(&r, 40) : 0);
    }
}

/* The device a card's owner holds today; some share a tablet with the neighbouring card. */
uint64_t sim_device(const sim_world *w, uint32_t slot)
{
    const sim_card *c = &w->card[slot];
    if (c->shared) c = &w->card[slot - 1];
    return sim_hash(c->key, 0xde00 + c->phone) | 1;
}

static bool open_on(const sim_merchant *m, int32_t day)
{
    return day >= m->open_day && day < m->close_day;
}

static void range_of(const sim_world *w, sim_category cat, bool online, uint16_t city,
                     uint32_t *first, uint32_t *n)
{
    const uint32_t *at = online ? w->net : w->shop[city];
    *first = at[cat];
    *n = at[cat + 1] - at[cat];
}

uint32_t sim_favourite(const sim_world *w, const sim_card *c, sim_category cat, bool online,
                       uint16_t city, uint32_t k)
{
    uint32_t first, n;
    range_of(w, cat, online, city, &first, &n);
    for (uint32_t again = 0; again < 4;
         again++) { /* a favourite that closed is replaced by the next one */
        uint64_t h = sim_hash(c->key + city, cat * 256u + k * 16 + again);
        double u = (double)(h >> 11) * 0x1p-53;
        uint32_t m = first + (uint32_t)(u * sqrt(u) * n); /* the popular have more regulars */
        if (open_on(&w->merchant[m], w->day)) return m;
    }
    return first;
}

uint32_t sim_popular(const sim_world *w, sim_rng *r, sim_category cat, bool online, uint16_t city)
{
    uint32_t first, n;
    range_of(w, cat, online, city, &first, &n);
    for (int again = 0; again < 4; again++) {
        float u = sim_unit(r);
        uint32_t m = first + (uint32_t)(u * u * (float)n);
        if (open_on(&w->merchant[m], w->day)) return m;
    }
    return first;
}

int32_t sim_amount(const sim_world *w, sim_rng *r, const sim_card *c, uint32_t merchant,
                   float factor)
{
    const sim_merchant *m = &w->merchant[merchant];
    const sim_category_info *info = &sim_categories[m->category];
    float euros;
    if (sim_chance(r, .4f)) { /* the usual: three things this card buys there */
        uint64_t h = sim_hash(c->key, ((uint64_t)merchant << 2) + sim_below(r, 3));
        sim_rng usual = {h};
        euros = sim_lognormal(&usual, info->median, info->sigma);
    } else {
        euros = sim_lognormal(r, info->median, info->sigma);
    }
    euros *= m->price * factor * (info->fixed ? 1 : sqrtf(c->wealth));
    if (euros > 20000) euros = 20000;
    int32_t cents = (int32_t)lrintf(euros * 100);
    if (info->fixed) /* price points: 4.90, 19.99, 129.00 */
        cents = cents < 1000    ? (cents + 24) / 50 * 50 + 40
                : cents < 10000 ? (cents + 50) / 100 * 100 - 1
                                : cents / 500 * 500 + 400;
    return cents < 50 ? 50 : cents;
}

/* Days since 1970-01-01 to a civil date (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static void civil(int64_t days, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
}

void sim_world_day(sim_world *w, int32_t day, int64_t start_us)
{
    static const float of_week[] = {.93f, .92f, .96f, 1.02f, 1.2f, 1.15f, .82f};
    static const float of_year[] = {.88f,  .90f, .96f, .98f, 1.0f,  1.02f,
                                    1.04f, .97f, .98f, 1.0f, 1.08f, 1.25f};
    int64_t since = start_us / FL_DAY_US + day;
    sim_rng r = sim_stream(w->seed, FOR_DAY, (uint64_t)(uint32_t)day);
    w->day = day;
    w->weekday = (int)((since % 7 + 10) % 7); /* 1970-01-01 was a Thursday; 0 = Monday */
    civil(since, &w->month, &w->month_day);
    w->season = w->steady ? 1 : of_week[w->weekday] * of_year[w->month - 1];
    w->outage_ms =
        !w->steady && sim_chance(&r, .06f) ? sim_below(&r, SIM_DAY_MS - 5400000) : UINT32_MAX;
}

florin_status sim_world_init(sim_world *w, const fl_simulate_options *opt, uint32_t bust_outs,
                             florin_error *err)
{
    memset(w, 0, sizeof *w);
    w->seed = opt->seed;
    w->steady = opt->steady;
    w->days = opt->days;
    w->cards = opt->cards;
    w->cities = w->cards / CITY_CARDS;
    w->cities = w->cities < CITIES_MIN   ? CITIES_MIN
                : w->cities > CITIES_MAX ? CITIES_MAX
                                         : w->cities;
    sim_tables_fill(w);
    w->card = fl_calloc(w->cards, sizeof *w->card);
    if (!w->card) return fl_fail(err, FLORIN_ENOMEM, "simulate: %u cards", w->cards);
    for (uint32_t i = 0; i < w->cards; i++) {
        sim_card_new(w, &w->card[i], i, 0, 0);
        w->card[i].born_day = INT32_MIN;
    }
    return build_merchants(w, bust_outs, err);
}

void sim_world_free(sim_world *w)
{
    free(w->card);
    free(w->merchant);
    free(w->shop);
    memset(w, 0, sizeof *w);
}
