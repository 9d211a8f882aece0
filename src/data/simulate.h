/* The simulator: a made-up world of cards, merchants, terminals and devices with habits worth learning and six kinds of
 * fraud, written as an event log and, on request, as CSV tables. For demos, scale and fault tests.
 *
 * Invariant: everything is drawn from streams keyed by (seed, who, day), never from a shared stream, so the bytes
 * depend on the options alone, not on threads. Memory is one simulated day of events plus the entities. */
#ifndef FL_SIMULATE_H
#define FL_SIMULATE_H

#include "data/log_writer.h"

typedef struct {
    uint64_t events; /* rows of the log: payments, refunds, logins, salaries */
    uint64_t seed;
    uint32_t days, cards; /* cards 0: about 100 events a card in 180 days */
    int64_t start_us;     /* midnight UTC of the first day */
    bool
        steady; /* habits never change and nobody cheats: no churn, travel, moves, seasons, fraud */
    const char *log;   /* NULL: none */
    const char *csv;   /* folder, NULL: none */
    const char *truth; /* NULL: LOG-truth.csv, or truth.csv in the folder of tables */
} fl_simulate_options;

typedef enum {
    FL_SIM_HONEST = 0,
    FL_SIM_STOLEN_CARD,
    FL_SIM_CARD_TESTING,
    FL_SIM_COMPROMISED_TERMINAL,
    FL_SIM_ACCOUNT_TAKEOVER,
    FL_SIM_FRIENDLY_FRAUD,
    FL_SIM_BUST_OUT,
    FL_SIM_KINDS
} fl_sim_kind;
extern const char *const fl_sim_kind_name[FL_SIM_KINDS];

typedef struct {
    uint64_t payments, refunds, logins, salaries, declined, ghosts;
    uint64_t kind[FL_SIM_KINDS]; /* payments by truth */
    uint64_t labels, testing_labels, corrections;
    uint32_t cards, merchants, terminals, days; /* cards: slots; each holds a card at a time */
    int64_t first_us, last_us;
} fl_simulate_result;

florin_status fl_simulate(const fl_simulate_options *opt, fl_simulate_result *result,
                          const florin_context *ctx, florin_error *err);

/* The schema of the tables and of the log: examples/simulated/schema.yaml is the same text (tested). */
extern const char fl_sim_schema[];

/* ---- inside the simulator (simulate*.c) ---- */

typedef enum {
    SIM_GROCERY,
    SIM_FUEL,
    SIM_RESTAURANT,
    SIM_FAST_FOOD,
    SIM_COFFEE,
    SIM_TRANSIT,
    SIM_TAXI,
    SIM_PHARMACY,
    SIM_CLOTHING,
    SIM_ELECTRONICS,
    SIM_MARKETPLACE,
    SIM_STREAMING,
    SIM_TELECOM,
    SIM_UTILITY,
    SIM_GYM,
    SIM_HOTEL,
    SIM_AIRLINE,
    SIM_GAMING,
    SIM_GIFT_CARD,
    SIM_JEWELRY,
    SIM_DEPARTMENT,
    SIM_HOME,
    SIM_BOOKS,
    SIM_CHARITY,
    SIM_INSURANCE,
    SIM_BAR,
    SIM_CATEGORIES
} sim_category;

enum { SIM_PERSONAS = 9, SIM_ABROAD = 8, SIM_COUNTRIES = 12 };
enum { SIM_CHIP, SIM_CONTACTLESS, SIM_SWIPE, SIM_ONLINE, SIM_RECURRING, SIM_ENTRIES };
enum {
    SIM_OK,
    SIM_NO_FUNDS,
    SIM_DO_NOT_HONOUR,
    SIM_BAD_NUMBER,
    SIM_EXPIRED,
    SIM_SUSPECTED,
    SIM_BAD_CVV,
    SIM_DOWN,
    SIM_RESPONSES
};
enum {
    SIM_PAYMENT,
    SIM_REFUND,
    SIM_LOGIN,
    SIM_SALARY,
    SIM_TYPES
}; /* = source numbers of the schema */

typedef struct {
    const char *name;
    float online;        /* share of purchases made online; 1: merchants have no terminals */
    float median, sigma; /* amount: log-normal, in euros */
    uint8_t hours;       /* row of the hour profiles */
    bool fixed;          /* price points instead of free amounts */
    float base;          /* how often it is bought, relative */
    float resale;        /* what a thief likes */
    float prone;         /* how often an honest-looking buyer disputes, relative */
    float refund;        /* share of purchases that come back */
} sim_category_info;
extern const sim_category_info sim_categories[SIM_CATEGORIES];
extern const char *const sim_country[SIM_COUNTRIES];
extern const char *const sim_entry[SIM_ENTRIES];
extern const char *const sim_response[SIM_RESPONSES];

/* A stream of random numbers keyed by what it is for. */
typedef struct {
    uint64_t s;
} sim_rng;
static inline sim_rng sim_stream(uint64_t seed, uint64_t who, uint64_t when)
{
    return (sim_rng){
        fl_mix64(fl_mix64(seed + 0x9e3779b97f4a7c15u * (who + 1)) ^ (when * 0xd1342543de82ef95u))};
}
static inline uint64_t sim_u64(sim_rng *r)
{
    return fl_mix64(r->s += 0x9e3779b97f4a7c15u);
}
static inline float sim_unit(sim_rng *r) /* [0, 1) */
{
    return (float)(sim_u64(r) >> 40) * 0x1p-24f;
}
static inline bool sim_chance(sim_rng *r, float p)
{
    return sim_unit(r) < p;
}
static inline uint32_t sim_below(sim_rng *r, uint32_t n) /* n >= 1 */
{
    return (uint32_t)(((sim_u64(r) >> 32) * n) >> 32);
}
/* Near normal, mean 0, sd 1, within +-3.5: a sum of four uniforms (Irwin-Hall). */
static inline float sim_normal(sim_rng *r)
{
    uint64_t u = sim_u64(r);
    uint32_t sum = (uint32_t)(u & 0xffff) + (uint32_t)(u >> 16 & 0xffff) +
                   (uint32_t)(u >> 32 & 0xffff) + (uint32_t)(u >> 48);
    return ((float)sum * (1.0f / 65536) - 2.0f) * 1.7320508f;
}
static inline uint64_t sim_hash(uint64_t a, uint64_t b) /* a habit: the same whenever it is asked */
{
    return fl_mix64(a ^ fl_mix64(b + 0x9e3779b97f4a7c15u));
}
uint32_t sim_poisson(sim_rng *r, float mean);
float sim_lognormal(sim_rng *r, float median, float sigma);

typedef struct {
    float price;
    uint32_t terminal;                     /* number of its first terminal */
    int32_t open_day, bust_day, close_day; /* bust_day INT32_MAX: honest */
    uint16_t city;
    uint8_t category, country, terminals; /* terminals 0: online only */
    uint8_t skimmed;                      /* this terminal is compromised today; 0 none */
    bool swipe;                           /* old terminals that read the stripe */
} sim_merchant;

typedef struct {
    uint64_t key; /* of its habits */
    float rate;   /* shopping trips a day, relative */
    float wealth; /* multiplies amounts */
    float online; /* multiplies the online share */
    float spent;  /* since the last salary, in incomes */
    int32_t born_day, fade_day, gone_day, trip_day, back_day, blocked_day;
    uint16_t gen, home, abroad, phone;
    uint8_t persona, last, payday, subscriptions;
    int8_t shift;            /* hours later than others */
    bool prone, app, shared; /* disputes what it bought; logs in; uses its neighbour's tablet */
} sim_card;

#define SIM_GHOST 0x80000000u /* card numbers that nobody has */
typedef struct {
    uint64_t device;         /* 0: none */
    uint32_t ms;             /* since the simulated day began (04:00 UTC) */
    uint32_t card, merchant; /* slot or ghost; FL_NONE */
    int32_t amount;          /* minor units */
    uint16_t gen;
    uint8_t terminal, type, entry, response, country,
        truth;  /* terminal: 1.. of the merchant, 0 none */
    bool later; /* part of the truth of a campaign, for labels: reported soon or on the statement */
} sim_event;

typedef struct {
    uint32_t slot, merchant;
    uint8_t terminal;
} sim_clone; /* a card that was skimmed */
typedef struct {
    uint32_t card, merchant;
    int32_t amount, day;
    uint16_t gen;
    uint8_t country;
    bool online;
} sim_return;
typedef struct {
    sim_event *event;
    size_t events, event_cap;
    sim_clone *clone;
    size_t clones, clone_cap;
    sim_return *back;
    size_t backs, back_cap;
    bool failed; /* no memory */
} sim_out;
void sim_emit(sim_out *o, const sim_event *e);

enum { SIM_DAY_MS = 86400000, SIM_RETURN_DAYS = 32, SIM_CHUNK = 2048 };

typedef struct sim_fraud sim_fraud; /* campaigns, simulate_fraud.c */

typedef struct {
    uint64_t seed;
    bool steady;
    uint32_t cards, merchants, terminals, cities;
    uint32_t offline; /* merchants below have terminals */
    sim_card *card;
    sim_merchant *merchant;
    uint32_t (*shop)[SIM_CATEGORIES + 1]; /* [cities] first merchant of a category in a city */
    uint32_t net[SIM_CATEGORIES + 1];     /* first online merchant of a category */
    uint8_t next[SIM_PERSONAS][SIM_CATEGORIES]
                [256];                   /* what is bought next, by persona and last category */
    uint8_t follow[SIM_CATEGORIES][256]; /* within one trip */
    uint8_t hour[8][256];
    /* of the day */
    int32_t day, first_weekday;
    uint32_t days;
    float scale, season;
    int weekday, month_day, month, month_days;
    uint32_t outage_ms; /* an issuer's bad hour begins; UINT32_MAX none */
} sim_world;

florin_status sim_world_init(sim_world *w, const fl_simulate_options *opt, uint32_t bust_outs,
                             florin_error *err);
void sim_world_free(sim_world *w);
void sim_world_day(sim_world *w, int32_t day, int64_t start_us);
void sim_card_new(const sim_world *w, sim_card *c, uint32_t slot, uint16_t gen, int32_t day);
uint64_t sim_device(const sim_world *w, uint32_t slot);
/* The k-th favourite of a card (0 = most loved) or any popular merchant, among those open on the day. */
uint32_t sim_favourite(const sim_world *w, const sim_card *c, sim_category cat, bool online,
                       uint16_t city, uint32_t k);
uint32_t sim_popular(const sim_world *w, sim_rng *r, sim_category cat, bool online, uint16_t city);
int32_t sim_amount(const sim_world *w, sim_rng *r, const sim_card *c, uint32_t merchant,
                   float factor);

/* All events of one card on the day. Changes that card alone. */
void sim_card_day(sim_world *w, uint32_t slot, sim_out *out);

florin_status sim_fraud_new(sim_fraud **out, const sim_world *w, const fl_simulate_options *opt,
                            florin_error *err);
void sim_fraud_free(sim_fraud *f);
uint32_t sim_fraud_bust_outs(const fl_simulate_options *opt);
/* Start and continue campaigns on the day: clones were skimmed today. */
void sim_fraud_day(sim_fraud *f, sim_world *w, const sim_clone *clone, size_t clones, sim_out *out);

typedef struct sim_writer sim_writer;
florin_status sim_writer_open(sim_writer **out, const fl_simulate_options *opt, const sim_world *w,
                              const florin_context *ctx, florin_error *err);
/* Events of one day in order of time. */
florin_status sim_writer_event(sim_writer *x, const sim_event *e, int64_t time_us,
                               florin_error *err);
florin_status sim_writer_commit(sim_writer *x, fl_simulate_result *result,
                                florin_error *err); /* frees */
void sim_writer_abort(sim_writer *x);

#endif
