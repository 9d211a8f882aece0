/* What the simulated world is made of: categories, countries, personas and who buys what next. Data and the tables
 * drawn from it; nothing here depends on a card or a day. */
#include "data/simulate_tables.h"
#include <math.h>

const char *const fl_sim_kind_name[FL_SIM_KINDS] = {
    "honest",           "stolen_card",    "card_testing", "compromised_terminal",
    "account_takeover", "friendly_fraud", "bust_out"};
const char *const sim_country[SIM_COUNTRIES] = {"DE", "FR", "NL", "ES", "IT", "PL",
                                                "AT", "BE", "SE", "PT", "IE", "CZ"};
const char *const sim_entry[SIM_ENTRIES] = {"chip", "contactless", "swipe", "online", "recurring"};
const char *const sim_response[SIM_RESPONSES] = {"00", "51", "05", "14", "54", "59", "N7", "91"};

enum { H_DAY, H_MORNING, H_MEALS, H_COMMUTE, H_EVENING, H_NIGHT, H_BATCH, H_FLAT };

const sim_category_info sim_categories[SIM_CATEGORIES] = {
    /* name            online  median sigma hours     fixed  base  resale prone refund */
    {"grocery", 0.06f, 28.0f, .70f, H_DAY, false, 20.f, .2f, .0f, .002f},
    {"fuel", 0.00f, 52.0f, .35f, H_COMMUTE, false, 7.0f, .8f, .0f, .001f},
    {"restaurant", 0.02f, 34.0f, .55f, H_MEALS, false, 9.0f, .2f, .1f, .001f},
    {"fast_food", 0.10f, 11.0f, .40f, H_MEALS, true, 9.0f, .2f, .1f, .002f},
    {"coffee", 0.02f, 4.20f, .30f, H_MORNING, true, 10.f, .1f, .0f, .001f},
    {"transit", 0.25f, 3.20f, .45f, H_COMMUTE, true, 9.0f, .3f, .0f, .004f},
    {"taxi", 0.70f, 16.0f, .50f, H_NIGHT, false, 3.0f, .3f, .3f, .010f},
    {"pharmacy", 0.10f, 17.0f, .60f, H_DAY, false, 4.0f, .3f, .1f, .005f},
    {"clothing", 0.45f, 49.0f, .65f, H_EVENING, true, 4.5f, 1.0f, 1.6f, .090f},
    {"electronics", 0.55f, 120.f, .95f, H_EVENING, true, 2.0f, 3.0f, 1.5f, .060f},
    {"marketplace", 1.00f, 31.0f, .80f, H_EVENING, true, 9.0f, 1.5f, 1.4f, .060f},
    {"streaming", 1.00f, 9.90f, .40f, H_FLAT, true, 2.0f, .3f, 1.2f, .010f},
    {"telecom", 1.00f, 24.0f, .45f, H_FLAT, true, 1.5f, .6f, .3f, .005f},
    {"utility", 1.00f, 78.0f, .40f, H_BATCH, false, 0.3f, .0f, .0f, .002f},
    {"gym", 0.90f, 29.0f, .30f, H_BATCH, true, 0.4f, .0f, .6f, .008f},
    {"hotel", 0.60f, 135.f, .60f, H_EVENING, false, 1.0f, .7f, 1.3f, .040f},
    {"airline", 1.00f, 190.f, .70f, H_EVENING, false, 0.8f, 1.0f, 1.0f, .030f},
    {"gaming", 1.00f, 12.0f, .80f, H_NIGHT, true, 3.0f, 1.2f, 2.5f, .015f},
    {"gift_card", 0.70f, 35.0f, .60f, H_FLAT, true, 0.8f, 3.0f, .8f, .003f},
    {"jewelry", 0.25f, 160.f, .85f, H_DAY, true, 0.4f, 2.0f, .9f, .040f},
    {"department", 0.20f, 42.0f, .70f, H_DAY, true, 4.0f, 1.3f, .5f, .050f},
    {"home", 0.40f, 55.0f, .80f, H_DAY, true, 2.5f, .8f, .6f, .050f},
    {"books", 0.60f, 18.0f, .50f, H_EVENING, true, 2.0f, .2f, .4f, .020f},
    {"charity", 1.00f, 15.0f, .80f, H_FLAT, true, 0.6f, .1f, .1f, .001f},
    {"insurance", 1.00f, 64.0f, .50f, H_BATCH, false, 0.3f, .0f, .0f, .005f},
    {"bar", 0.00f, 19.0f, .55f, H_NIGHT, false, 4.0f, .5f, .3f, .001f},
};

/* Weight of each hour from 04:00 on. */
static const uint8_t hours[8][24] = {
    /* 4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23  0  1  2  3 */
    {0, 0, 1, 3, 6, 9, 11, 11, 10, 9, 9, 10, 12, 14, 13, 9, 4, 1, 1, 0, 0, 0, 0, 0}, /* day */
    {0, 2, 9, 18, 19, 14, 9, 5, 4, 5, 6, 5, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0},     /* morning */
    {0, 0, 0, 1, 2, 2, 3, 9, 18, 14, 5, 2, 2, 4, 11, 16, 13, 7, 3, 1, 1, 0, 0, 0},   /* meals */
    {1, 4, 10, 16, 13, 6, 4, 4, 5, 5, 5, 7, 11, 14, 10, 6, 4, 3, 2, 2, 1, 1, 0, 0},  /* commute */
    {0, 0, 1, 2, 3, 5, 6, 6, 7, 6, 6, 6, 6, 7, 9, 12, 14, 14, 10, 5, 2, 1, 0, 0},    /* evening */
    {1, 0, 0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 6, 8, 10, 13, 15, 14, 11, 7, 4, 2},   /* night */
    {30, 20, 10, 8, 6, 4, 2, 2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1},     /* batch */
    {2, 2, 3, 5, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 9, 9, 7, 5, 4, 3, 2, 2},        /* flat */
};

/* How a persona's likes differ from everybody's. */
typedef struct {
    uint8_t persona, category;
    float times;
} like;
static const like likes[] = {
    /* 0 student */ {0, SIM_FAST_FOOD, 3},
    {0, SIM_COFFEE, 2},
    {0, SIM_TRANSIT, 2.5f},
    {0, SIM_BAR, 2.5f},
    {0, SIM_STREAMING, 2},
    {0, SIM_FUEL, .2f},
    {0, SIM_BOOKS, 2},
    {0, SIM_HOME, .3f},
    /* 1 family */ {1, SIM_GROCERY, 2.2f},
    {1, SIM_PHARMACY, 2},
    {1, SIM_DEPARTMENT, 2},
    {1, SIM_FUEL, 1.6f},
    {1, SIM_BAR, .2f},
    {1, SIM_HOME, 1.8f},
    {1, SIM_CLOTHING, 1.6f},
    /* 2 commuter */ {2, SIM_FUEL, 3},
    {2, SIM_COFFEE, 2.5f},
    {2, SIM_TRANSIT, 2},
    {2, SIM_FAST_FOOD, 1.5f},
    /* 3 pensioner */ {3, SIM_GROCERY, 2.5f},
    {3, SIM_PHARMACY, 4},
    {3, SIM_CHARITY, 3},
    {3, SIM_GAMING, .05f},
    {3, SIM_MARKETPLACE, .3f},
    {3, SIM_BAR, .3f},
    {3, SIM_TAXI, .5f},
    {3, SIM_FAST_FOOD, .3f},
    /* 4 traveller */ {4, SIM_AIRLINE, 6},
    {4, SIM_HOTEL, 6},
    {4, SIM_TAXI, 3},
    {4, SIM_RESTAURANT, 2},
    /* 5 professional */ {5, SIM_RESTAURANT, 2.5f},
    {5, SIM_COFFEE, 2},
    {5, SIM_TAXI, 2.5f},
    {5, SIM_CLOTHING, 1.5f},
    {5, SIM_ELECTRONICS, 1.6f},
    {5, SIM_JEWELRY, 1.8f},
    /* 6 gamer */ {6, SIM_GAMING, 9},
    {6, SIM_ELECTRONICS, 2},
    {6, SIM_FAST_FOOD, 2},
    {6, SIM_MARKETPLACE, 2},
    {6, SIM_STREAMING, 2},
    {6, SIM_GIFT_CARD, 3},
    /* 7 small trader */ {7, SIM_MARKETPLACE, 3},
    {7, SIM_FUEL, 2},
    {7, SIM_TELECOM, 3},
    {7, SIM_HOME, 3},
    {7, SIM_DEPARTMENT, 1.5f},
    /* 8 anyone abroad */ {8, SIM_HOTEL, 9},
    {8, SIM_RESTAURANT, 4},
    {8, SIM_TAXI, 4},
    {8, SIM_TRANSIT, 2},
    {8, SIM_BAR, 2.5f},
    {8, SIM_COFFEE, 2},
    {8, SIM_GROCERY, .3f},
    {8, SIM_UTILITY, 0},
    {8, SIM_HOME, .05f},
    {8, SIM_GYM, 0},
    {8, SIM_INSURANCE, 0},
    {8, SIM_MARKETPLACE, .15f},
    {8, SIM_PHARMACY, .8f},
    {8, SIM_FUEL, .7f},
};

/* What leads to what; within a trip `follow` is how likely, between trips it multiplies. */
typedef struct {
    uint8_t from, to;
    float follow, times;
} lead;
static const lead leads[] = {
    {SIM_FUEL, SIM_COFFEE, .28f, 2},
    {SIM_FUEL, SIM_GROCERY, .15f, 1},
    {SIM_GROCERY, SIM_PHARMACY, .12f, 2},
    {SIM_GROCERY, SIM_COFFEE, .05f, 1},
    {SIM_CLOTHING, SIM_COFFEE, .14f, 1},
    {SIM_CLOTHING, SIM_DEPARTMENT, .22f, 2},
    {SIM_CLOTHING, SIM_RESTAURANT, .10f, 1},
    {SIM_DEPARTMENT, SIM_CLOTHING, .20f, 2},
    {SIM_TRANSIT, SIM_COFFEE, .25f, 3},
    {SIM_TRANSIT, SIM_FAST_FOOD, .08f, 2},
    {SIM_RESTAURANT, SIM_BAR, .25f, 3},
    {SIM_BAR, SIM_TAXI, .32f, 3},
    {SIM_BAR, SIM_BAR, .18f, 1},
    {SIM_BAR, SIM_FAST_FOOD, .12f, 2},
    {SIM_AIRLINE, SIM_HOTEL, .40f, 12},
    {SIM_AIRLINE, SIM_INSURANCE, .06f, 6},
    {SIM_HOTEL, SIM_RESTAURANT, .20f, 4},
    {SIM_HOTEL, SIM_TAXI, .15f, 4},
    {SIM_ELECTRONICS, SIM_MARKETPLACE, .10f, 3},
    {SIM_ELECTRONICS, SIM_GAMING, .06f, 4},
    {SIM_GAMING, SIM_GAMING, .25f, 4},
    {SIM_GAMING, SIM_FAST_FOOD, .08f, 2},
    {SIM_HOME, SIM_DEPARTMENT, .12f, 2},
    {SIM_BOOKS, SIM_COFFEE, .18f, 2},
    {SIM_COFFEE, SIM_TRANSIT, .12f, 2},
    {SIM_PHARMACY, SIM_GROCERY, .20f, 1.5f},
    {SIM_JEWELRY, SIM_RESTAURANT, .15f, 2},
    {SIM_CHARITY, SIM_BOOKS, .02f, 2},
    {SIM_TAXI, SIM_HOTEL, .04f, 3},
    {SIM_GIFT_CARD, SIM_GAMING, .06f, 3},
};

/* Fill slot[256] so that value i takes its share of w, at least one place when w > 0. */
static void quantise(uint8_t slot[256], const double *w, int n)
{
    double sum = 0, run = 0;
    int at = 0;
    for (int i = 0; i < n; i++) sum += w[i];
    for (int i = 0; i < n; i++) {
        run += w[i];
        int end = (int)lrint(run / sum * 256);
        if (w[i] > 0 && end <= at) end = at + 1;
        for (; at < end && at < 256; at++) slot[at] = (uint8_t)i;
    }
    for (; at < 256; at++) slot[at] = slot[at - 1];
}

/* The row of what is bought after `from`, with the odd likings that no table names. */
static void next_row(sim_world *w, int persona, int from)
{
    double row[SIM_CATEGORIES];
    for (int to = 0; to < SIM_CATEGORIES; to++) {
        uint64_t odd = sim_hash(0x51ed27, (uint64_t)(persona * 4096 + from * 64 + to));
        double noise = (double)(odd >> 40) * 0x1p-24 * 2 - 1;
        row[to] = sim_categories[to].base * exp(.8 * noise);
        if (to == from && to != SIM_GROCERY && to != SIM_TRANSIT && to != SIM_COFFEE) row[to] *= .5;
    }
    for (size_t i = 0; i < FL_LEN(likes); i++)
        if (likes[i].persona == persona) row[likes[i].category] *= likes[i].times;
    for (size_t i = 0; i < FL_LEN(leads); i++)
        if (leads[i].from == from) row[leads[i].to] *= leads[i].times;
    quantise(w->next[persona][from], row, SIM_CATEGORIES);
}

/* Value SIM_CATEGORIES in a row of `follow` means: the trip is over. */
static void follow_row(sim_world *w, int from)
{
    double row[SIM_CATEGORIES + 1] = {0}, stay = 0;
    for (size_t i = 0; i < FL_LEN(leads); i++) {
        if (leads[i].from != from) continue;
        row[leads[i].to] += leads[i].follow;
        stay += leads[i].follow;
    }
    row[SIM_CATEGORIES] = 1 - stay;
    quantise(w->follow[from], row, SIM_CATEGORIES + 1);
}

void sim_tables_fill(sim_world *w)
{
    for (int p = 0; p < SIM_PERSONAS; p++)
        for (int from = 0; from < SIM_CATEGORIES; from++) next_row(w, p, from);
    for (int from = 0; from < SIM_CATEGORIES; from++) follow_row(w, from);
    for (int h = 0; h < 8; h++) {
        double row[24];
        for (int i = 0; i < 24; i++) row[i] = hours[h][i];
        quantise(w->hour[h], row, 24);
    }
}
