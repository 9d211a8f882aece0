/* Sentences for risk analysts. One table says how each feature of the fold is told; what is not in it is told by
 * the feature's own meaning. Codes are stable: they are made of the schema's names and the stories below. */
#include "score/words.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

typedef struct {
    const char *name, *story, *text, *never;
    fl_normal_part part;
} phrase;

#define ALL    FL_NORMAL_ALL
#define AMOUNT FL_NORMAL_AMOUNT
#define PACE   FL_NORMAL_PACE

/* By the feature's name without owner and time scale. {O}: "this card". never: told when the value is -1, or when a
 * flag is not set. */
static const phrase phrases[] = {
    {"amount", "amount", "the amount is {V}", NULL, AMOUNT},
    {"amount_tail", "amount", "an amount this high is seen once in {V} events", NULL, AMOUNT},
    {"explained", "amount", "{V} of {L} at amounts this high is due to the amount itself", NULL,
     AMOUNT},
    {"hour", "time", "it happened at {V} UTC", NULL, ALL},
    {"weekday", "time", "it happened on a {V}", NULL, ALL},
    {"weekend", "time", "it happened at a weekend", "it happened on a working day", ALL},
    {"month_day", "time", "it happened on day {V} of the month", NULL, ALL},
    {"type", "type", "the type of event itself", NULL, ALL},
    {"foreign_currency", "currency", "it is in a foreign currency", "it is in the usual currency",
     AMOUNT},

    {"events", "history", "{O} has {V} earlier events", NULL, ALL},
    {"tenure", "history", "{O} was first seen {V} ago", "{O} was never seen before", ALL},
    {"active_days", "history", "{O} was active on {V} days so far", NULL, ALL},
    {"visits", "history", "{O} has {V} earlier visits", NULL, ALL},
    {"sum", "history", "{O} has moved {V} in all so far", NULL, ALL},

    {"count", "pace", "{O} had about {V} events {S}", NULL, PACE},
    {"since_last", "pace", "the last event of {O} was {V} ago", "it is the first event of {O}",
     PACE},
    {"visits_recent", "pace", "{O} made about {V} visits {S}", NULL, PACE},
    {"since_visit", "pace", "the last visit of {O} was {V} ago", "{O} has no earlier visit", PACE},
    {"visit_items", "pace", "the last visit of {O} had {V} events", NULL, PACE},
    {"events_per_visit", "pace", "{O} makes {V} events a visit", NULL, PACE},
    {"gap_mean", "pace", "visits of {O} are {V} apart on average", "{O} has no two visits yet",
     PACE},
    {"gap_sd", "pace", "the time between visits of {O} varies by {V}", "{O} has too few visits yet",
     PACE},
    {"gap_last", "pace", "the last two visits of {O} were {V} apart", "{O} has no two visits yet",
     PACE},
    {"gap_max", "pace", "the longest pause of {O} was {V}", "{O} has no two visits yet", PACE},
    {"since_visit_over_gap", "pace", "the pause is {V} times the usual one of {O}",
     "{O} has no usual pause yet", PACE},
    {"visit_rate", "pace", "{O} makes {V} visits a day", NULL, PACE},

    {"mean", "own_amount", "amounts of {O} averaged {V} {S}", "{O} has no recent amounts", AMOUNT},
    {"over_mean", "own_amount", "the amount is {V} times the average of {O} {S}",
     "{O} has no recent amounts to compare with", AMOUNT},
    {"log_z", "own_amount", "the amount is {V} standard deviations from the usual of {O}", NULL,
     AMOUNT},
    {"over_last", "own_amount", "the amount is {V} times the last one of {O}",
     "{O} has no earlier amount", AMOUNT},
    {"normal_amount", "own_amount", "{O} usually pays {V}", "{O} has no usual amount yet", AMOUNT},
    {"over_normal", "own_amount", "the amount is {V} times what is usual for {O}",
     "{O} has no usual amount yet", AMOUNT},
    {"surprise", "own_amount", "the amount is off by {V} times the usual spread of {O}", NULL,
     AMOUNT},
    {"explains", "own_amount", "{V} of {L} at amounts so far above the usual of {O} is due to that",
     NULL, AMOUNT},
    {"over_max", "own_amount", "the amount is {V} times the largest so far of {O}",
     "{O} has no earlier amount", AMOUNT},

    {"high", "high_amounts", "{O} had about {V} unusually high amounts {S}", NULL, AMOUNT},
    {"high_share", "high_amounts", "{V} of the events of {O} {S} were unusually high", NULL,
     AMOUNT},
    {"since_high_1", "high_amounts", "the last unusually high amount of {O} was {V} ago",
     "{O} never had an unusually high amount", AMOUNT},
    {"since_high_2", "high_amounts", "two unusually high amounts of {O} within {V}",
     "{O} never had two unusually high amounts", AMOUNT},
    {"since_high_3", "high_amounts", "three unusually high amounts of {O} within {V}",
     "{O} never had three unusually high amounts", AMOUNT},
    {"since_high_4", "high_amounts", "four unusually high amounts of {O} within {V}",
     "{O} never had four unusually high amounts", AMOUNT},
    {"ratio_max", "high_amounts", "amounts of {O} lately reached {V} times the usual", NULL,
     AMOUNT},

    {"sum_recent", "spending", "{O} moved about {V} {S}", NULL, ALL},
    {"visit_amount", "spending", "the last visit of {O} came to {V}", "{O} has no earlier visit",
     AMOUNT},
    {"sum_per_visit", "spending", "a visit of {O} comes to {V} on average",
     "{O} has no earlier visit", AMOUNT},
    {"out", "refunds", "about {V} was refunded to {O} {S}", NULL, ALL},
    {"out_over_in", "refunds", "refunds of {O} are {V} times its payments", NULL, ALL},
    {"out_events", "refunds", "{O} has {V} refunds so far", NULL, ALL},

    {"bad", "past_cases", "about {V} earlier events of {O} became known as {L} {S}", NULL, ALL},
    {"bad_rate", "past_cases", "{V} of what became known of {O} {S} was {L}",
     "no outcome of {O} is known {S}", ALL},
    {"own_bad", "past_cases", "about {V} cases of {L} that {O} itself explains {S}", NULL, ALL},
    {"own_bad_rate", "past_cases", "{V} of the known outcomes {S} are {L} that {O} itself explains",
     "no outcome of {O} is known {S}", ALL},
    {"bad_total", "past_cases", "{O} has {V} known cases of {L}", NULL, ALL},
    {"bad_share", "past_cases", "{V} of the known outcomes of {O} are {L}",
     "no outcome of {O} is known yet", ALL},
    {"last_label", "past_cases", "the last known outcome of {O} was {L}",
     "the last known outcome of {O} was not {L}", ALL},
    {"bad_run", "past_cases", "the last {V} known outcomes of {O} were all {L}", NULL, ALL},
    {"since_run_first", "past_cases", "the current run of {L} at {O} began {V} ago",
     "{O} has no run of {L}", ALL},
    {"run_gap", "past_cases", "the run of {L} at {O} began {V} after the last good event",
     "{O} has no run of {L}", ALL},
    {"run_ratio", "past_cases", "amounts in the run of {L} at {O} were {V} times the payers' usual",
     NULL, ALL},
    {"since_run_arrival", "past_cases", "the run of {L} at {O} became known {V} ago",
     "{O} has no run of {L}", ALL},
    {"unexplained_run", "past_cases",
     "{V} cases of {L} in a row at {O} that the {N} does not explain", NULL, ALL},
    {"days_since_first_unexplained_bad", "past_cases",
     "the first case of {L} at {O} that the {N} does not explain was {V} ago",
     "{O} has no case of {L} that the {N} does not explain", ALL},
    {"days_since_last_unexplained_bad", "past_cases",
     "the last case of {L} at {O} that the {N} does not explain was {V} ago",
     "{O} has no case of {L} that the {N} does not explain", ALL},
    {"since_bad", "past_cases", "the last known case of {L} of {O} was {V} ago",
     "{O} has no known case of {L}", ALL},

    {"labels", "outcomes", "about {V} outcomes of {O} became known {S}", NULL, ALL},
    {"high_good", "outcomes", "about {V} unusually high amounts of {O} turned out well {S}", NULL,
     ALL},
    {"unlabelled", "outcomes", "{V} events of {O} have no known outcome yet", NULL, ALL},
    {"since_labelled", "outcomes", "the newest event of {O} with a known outcome is {V} old",
     "no outcome of {O} is known yet", ALL},
    {"since_good", "outcomes", "the last event of {O} known to be good was {V} ago",
     "no event of {O} is known to be good", ALL},
    {"good_tail", "outcomes", "the last {V} known outcomes of {O} were good", NULL, ALL},
    {"since_label_arrival", "outcomes", "an outcome of {O} last became known {V} ago",
     "no outcome of {O} is known yet", ALL},

    {"since_marked", "marked", "the last marked event of {O} was {V} ago",
     "{O} never had a marked event", ALL},
    {"marked", "marked", "{O} had about {V} marked events {S}", NULL, ALL},

    {"new_counterparty", "new_counterparty", "first time that {O} deals with this {N}",
     "{O} dealt with this {N} before", ALL},
    {"counterparties", "counterparties", "{O} has dealt with about {V} different {N}s so far", NULL,
     ALL},
    {"new", "counterparties", "{O} dealt with about {V} new {N}s {S}", NULL, ALL},
    {"new_share", "counterparties", "{V} of the events of {O} {S} were with a new {N}",
     "{O} has no recent events", ALL},
    {"hour_share", "hour", "{V} of the events of {O} fall in this part of the day",
     "{O} has no usual part of the day yet", PACE},

    {"peer_surprise", "neighbours",
     "each {N} of {O} sees amounts off by {V} times its usual spread",
     "nothing is known of any {N} of {O}", ALL},
    {"peer_surprise_max", "neighbours",
     "a {N} of {O} lately saw an amount off by {V} times its usual spread", NULL, ALL},
    {"peer_risk", "neighbours", "each {N} of {O} has a rate of {L} of {V} on average",
     "nothing is known of any {N} of {O}", ALL},
    {"peer_risk_max", "neighbours", "a {N} of {O} lately had a rate of {L} of {V}", NULL, ALL},
    {"peer_tenure", "neighbours", "each {N} of {O} was first seen {V} ago on average",
     "nothing is known of any {N} of {O}", ALL},
    {"peer_activity", "neighbours", "each {N} of {O} had about {V} events {S}",
     "nothing is known of any {N} of {O}", ALL},
};

static const phrase by_mark = {"", "", "{O} had about {V} events marked {N} {S}", NULL, ALL};
static const phrase mark_share = {"", "", "{V} of the events of {O} {S} were marked {N}", NULL,
                                  ALL};
static const phrase value_new = {"", "", "first time that {O} is seen with this {N}",
                                 "{O} was seen with this {N} before", ALL};
static const phrase value_count = {"", "", "{O} was seen with about {V} different values of {N}",
                                   NULL, ALL};
static const phrase surprise = {"", "", "a {N} like this had a chance of {V} for {O}", NULL, ALL};
static const phrase tail_amount = {"", "", "the amount is {V} of what was expected of {O}", NULL,
                                   AMOUNT};
static const phrase tail_gap = {"", "", "the pause before it is {V} of what was expected of {O}",
                                NULL, PACE};
static const phrase pattern = {
    "", "", "the recent history of {O} as a whole resembles earlier cases", NULL, ALL};

/* ---- which story ---- */

enum { SCALE_NONE, SCALE_1H, SCALE_1D, SCALE_7D, SCALE_30D, SCALE_90D, SCALES_TOLD };
static const char *const scale_suffix[SCALES_TOLD] = {"", "_1h", "_1d", "_7d", "_30d", "_90d"};
static const char *const scale_text[SCALES_TOLD] = {"lately",           "in about an hour",
                                                    "in about a day",   "in about a week",
                                                    "in about a month", "in about three months"};

/* Takes "_7d" off the end. */
static uint8_t take_scale(char *name)
{
    size_t n = strlen(name);
    for (uint8_t s = SCALE_1H; s < SCALES_TOLD; s++) {
        size_t k = strlen(scale_suffix[s]);
        if (n <= k || strcmp(name + n - k, scale_suffix[s])) continue;
        name[n - k] = 0;
        return s;
    }
    return SCALE_NONE;
}

static bool take_suffix(char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    if (n <= k || strcmp(name + n - k, suffix)) return false;
    name[n - k] = 0;
    return true;
}

static const phrase *find_phrase(const char *base, uint8_t scale)
{
    /* A lifetime total and its recent part have one name. */
    const char *name = scale && !strcmp(base, "visits") ? "visits_recent"
                       : scale && !strcmp(base, "sum")  ? "sum_recent"
                                                        : base;
    for (size_t i = 0; i < FL_LEN(phrases); i++)
        if (!strcmp(phrases[i].name, name)) return &phrases[i];
    return NULL;
}

static void use(fl_told *t, const phrase *p, const char *owner, const char *story)
{
    t->text = p->text;
    t->never = p->never;
    t->part = p->part;
    snprintf(t->code, sizeof t->code, "%.60s.%.48s", owner, story);
}

/* A feature whose name holds a name of the schema: a mark's counts, a category's novelty. */
static bool told_by_name(const fl_schema *s, const char *owner, const char *base, fl_told *t)
{
    char name[96], story[96];
    snprintf(name, sizeof name, "%s", base);
    if (fl_schema_mark(s, name) >= 0) {
        snprintf(t->name, sizeof t->name, "%.63s", name);
        use(t, &by_mark, owner, name);
        return true;
    }
    if (take_suffix(name, "_share") && fl_schema_mark(s, name) >= 0) {
        snprintf(t->name, sizeof t->name, "%.63s", name);
        use(t, &mark_share, owner, name);
        t->scale = SCALE_30D;
        return true;
    }
    snprintf(name, sizeof name, "%s", base);
    bool fresh = take_suffix(name, "_new");
    if ((!fresh && !take_suffix(name, "_distinct")) || fl_schema_category(s, name) < 0)
        return false;
    snprintf(t->name, sizeof t->name, "%.63s", name);
    snprintf(story, sizeof story, "%s_%.63s", fresh ? "new" : "variety_of", name);
    use(t, fresh ? &value_new : &value_count, owner, story);
    return true;
}

/* Whom an entity deals with, as the fold pairs them: payer and payee, every other kind with the payer. */
static const char *peer_name(const fl_schema *s, int kind)
{
    int payer = fl_schema_role(s, FL_ROLE_PAYER), payee = fl_schema_role(s, FL_ROLE_PAYEE);
    int peer = kind == payer ? payee : payer >= 0 ? payer : payee;
    return peer < 0 || peer == kind ? "counterparty" : s->kind[peer].name;
}

static void told_fold(const fl_model *m, uint32_t column, fl_told *t)
{
    const fl_schema *s = fl_model_schema(m);
    const fl_fold_feature *f = fl_fold_feature_at(fl_model_plan(m), column);
    const char *dot = strchr(f->name, '.');
    char owner[96], base[96];
    snprintf(owner, sizeof owner, "%.*s", (int)(dot ? dot - f->name : 0), f->name);
    snprintf(base, sizeof base, "%s", dot ? dot + 1 : f->name);
    t->unit = f->unit;
    t->owner = f->kind >= 0 ? f->kind : fl_schema_role(s, FL_ROLE_PAYER);
    snprintf(t->about, sizeof t->about, "this %.63s", f->kind >= 0 ? owner : "event");
    for (uint32_t p = 0; f->kind == -2 && p < s->pairs; p++) {
        const char *a = s->kind[s->pair[p].a].name, *b = s->kind[s->pair[p].b].name;
        char name[96];
        snprintf(name, sizeof name, "%.25s_%.25s", a, b);
        if (strcmp(name, owner)) continue;
        t->owner = -2 - (int)p;
        snprintf(t->about, sizeof t->about, "this %.63s with this %.63s", a, b);
    }
    snprintf(t->name, sizeof t->name, "%s", peer_name(s, f->kind));
    t->scale = take_scale(base);
    const phrase *p = find_phrase(base, t->scale);
    if (p) use(t, p, owner, p->story);
    else if (!told_by_name(s, owner, base, t))
        snprintf(t->code, sizeof t->code, "%.60s.%.48s", owner, base);
    if (!strcmp(base, "peer_activity")) t->scale = SCALE_7D;
}

void fl_told_of(const fl_model *m, uint32_t column, fl_told *t)
{
    memset(t, 0, sizeof *t);
    if (column < fl_fold_features(fl_model_plan(m))) {
        told_fold(m, column, t);
        return;
    }
    const fl_schema *s = fl_model_schema(m);
    const char *name = fl_model_row_name(m, column), *dot = strchr(name, '.');
    const char *field = dot ? dot + 1 : name;
    if (!strncmp(field, "cat.", 4)) field += 4;
    int k = fl_schema_role(s, strstr(name, ":payee.") ? FL_ROLE_PAYEE : FL_ROLE_PAYER);
    const char *kind = k < 0 ? "entity" : s->kind[k].name;
    bool gap = !strcmp(field, "gap");
    t->owner = k < 0 ? -1 : k;
    snprintf(t->about, sizeof t->about, "this %s", kind);
    snprintf(t->name, sizeof t->name, "%.63s", gap ? "pause" : field);
    if (!strncmp(name, "embedding:", 10)) {
        use(t, &pattern, "pattern", kind);
        return;
    }
    char story[2 * FL_NAME_MAX];
    snprintf(story, sizeof story, "%.23s.%.24s", kind, field);
    bool tail = !strncmp(name, "tail:", 5);
    t->unit = tail ? "tail" : "nats";
    use(t, !tail ? &surprise : gap ? &tail_gap : &tail_amount, "unusual", story);
    if (!tail && (gap || !strcmp(field, "amount"))) t->part = gap ? PACE : AMOUNT;
}

/* ---- values ---- */

/* "%.*f", and " unit" unless that is NULL: the same text as printf's in a tenth of its time, for the dozen figures that a
 * decision tells. What lies so near the middle that one rounding may differ from another is left to printf. */
static void fixed(double x, int decimals, const char *unit, char out[48])
{
    static const double power[] = {1, 10, 100, 1000};
    char digits[24];
    double scaled = decimals >= 0 && decimals <= 3 ? x * power[decimals] : -1, low = floor(scaled);
    if (!(scaled >= 0 && scaled < 1e9) || signbit(x) || fabs(scaled - low - .5) < 1e-6) {
        snprintf(out, 48, "%.*f%s%s", decimals, x, unit ? " " : "", unit ? unit : "");
        return;
    }
    uint32_t v = (uint32_t)low + (scaled - low > .5);
    int at = sizeof digits, written = 0;
    do {
        if (written == decimals && decimals) digits[--at] = '.';
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (++written <= decimals || v);
    size_t n = sizeof digits - (size_t)at, unit_n = unit ? strnlen(unit, 20) : 0;
    memcpy(out, digits + at, n);
    if (unit) out[n++] = ' ';
    if (unit) memcpy(out + n, unit, unit_n);
    out[n + unit_n] = 0;
}

const char *fl_words_number(double x, char out[48])
{
    double a = fabs(x);
    if (a >= 9.95 || a == floor(a)) fixed(x, 0, NULL, out);
    else if (a < 0.095) snprintf(out, 48, "%.2g", x);
    else fixed(x, 1, NULL, out);
    return out;
}

const char *fl_words_money(const fl_schema *s, double major, char out[48])
{
    fixed(major, fl_currency_exponent(s->currency), s->currency, out);
    return out;
}

const char *fl_words_days(double days, char out[48])
{
    static const struct {
        double days, from; /* length of the unit; used from that many units on */
        const char *name;
    } unit[] = {{365.25, 2, "years"},  {30.4375, 3, "months"},    {1, 2, "days"},
                {1. / 24, 2, "hours"}, {1. / 1440, 2, "minutes"}, {1. / 86400, 0, "seconds"}};
    size_t i = 0;
    if (days < 0) days = 0;
    while (i + 1 < FL_LEN(unit) && days < unit[i].from * unit[i].days) i++;
    double x = days / unit[i].days;
    const char *name = unit[i].name;
    if (floor(x + .5) == 1 && i + 1 == FL_LEN(unit)) name = "second";
    if (x < 10 && i + 1 < FL_LEN(unit) && fabs(x - floor(x + .5)) > .05) fixed(x, 1, name, out);
    else fixed(x, 0, name, out);
    return out;
}

static const char *percent(double share, char out[48])
{
    double p = 100 * share;
    if (p > 0 && p < .01) snprintf(out, 48, "under 0.01 %%");
    else if (p < 1 && p > 0) snprintf(out, 48, "%.2g %%", p);
    else fixed(p, p > 99.05 || p == floor(p) ? 0 : p < 10 ? 1 : 0, "%", out);
    return out;
}

/* A tail t says that something as extreme had a probability of 10^-|t|. */
static const char *tail_value(double t, char out[48])
{
    char p[48];
    double rare = pow(10, -fabs(t));
    if (fabs(t) < .3) snprintf(out, 48, "in the middle");
    else snprintf(out, 48, "in the %s %s", t > 0 ? "highest" : "lowest", percent(rare, p));
    return out;
}

/* No logarithm of the fold comes near it; a damaged one shall not read as infinite. */
static const double LOG_MOST = 40;

static const char *value_text(const fl_model *m, const fl_told *t, double v, char out[48])
{
    static const char *const day[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                      "Friday", "Saturday", "Sunday"};
    const fl_schema *s = fl_model_schema(m);
    const char *u = t->unit ? t->unit : "";
    const char *base = strrchr(t->code, '.');
    if (!strcmp(u, "nats")) return percent(exp(-v), out);
    if (!strcmp(u, "tail")) return tail_value(v, out);
    if (!strcmp(u, s->currency)) return fl_words_money(s, v, out);
    if (!strcmp(u, "share")) return percent(v, out);
    if (!strcmp(u, "flag")) return "";
    if (!strcmp(u, "log ratio")) return fl_words_number(exp(fmin(v, LOG_MOST)), out);
    if (!strcmp(u, "log days")) return fl_words_days(exp(fmin(v, LOG_MOST)) - 1, out);
    if (!strcmp(u, "log count")) return fl_words_number(exp(fmin(v, LOG_MOST)) - 1, out);
    if (!strcmp(u, "halvings")) return fl_words_number(exp2(fmin(v, LOG_MOST)), out);
    if (base && !strcmp(base, ".time")) {
        if (!strcmp(u, "hours")) {
            int minutes = v >= 0 && v < 24 ? (int)(v * 60) : 0; /* a time of day, whatever came */
            snprintf(out, 48, "%02d:%02d", minutes / 60 % 24, minutes % 60);
            return out;
        }
        if (strstr(t->text, "on a ")) return day[v >= 0 && v < 7 ? (int)v : 0];
        return fl_words_number(v, out);
    }
    if (!strcmp(u, "days")) return fl_words_days(v, out);
    /* Counts fade, but people count in whole things; what is left of one that faded is none. */
    if (!strcmp(u, "count")) return fl_words_number(v < .5 ? 0 : floor(v + .5), out);
    return fl_words_number(v, out);
}

float fl_told_least(const fl_told *t)
{
    return t->unit && !strcmp(t->unit, "count") ? .5f : FLT_TRUE_MIN;
}

/* Copy the sentence with its places filled. */
static void compose(const char *text, const fl_told *t, const char *value, const char *label,
                    char out[FL_WORDS_MAX])
{
    static const char about[] = "about {V}";
    bool one = !strcmp(value, "1"), none = !strcmp(value, "0");
    size_t n = 0;
    for (const char *p = text; *p && n + 1 < FL_WORDS_MAX; p++) {
        if (none && !strncmp(p, about, sizeof about - 1)) {
            value = "no";
            p += sizeof about - 1 - 3;
        }
        if (p[0] != '{' || !p[1] || p[2] != '}') {
            out[n++] = *p;
            if (one && n > 4 && !memcmp(out + n - 5, "event", 5) && p[1] == 's') p++;
            continue;
        }
        const char *with = p[1] == 'V'   ? value
                           : p[1] == 'O' ? t->about
                           : p[1] == 'L' ? label
                           : p[1] == 'N' ? t->name
                                         : scale_text[t->scale];
        if (one && p[1] == 'N' && p[3] == 's') p++; /* "1 new card" */
        size_t k = strlen(with), room = FL_WORDS_MAX - 1 - n;
        memcpy(out + n, with, k < room ? k : room);
        n += k < room ? k : room;
        p += 2;
    }
    out[n] = 0;
}

void fl_told_text(const fl_model *m, const fl_told *t, float value, char out[FL_WORDS_MAX])
{
    const fl_schema *s = fl_model_schema(m);
    const char *label = s->risk_label >= 0 ? s->label[s->risk_label].name : "bad";
    char v[48], fallback[FL_WORDS_MAX];
    bool flag = t->unit && !strcmp(t->unit, "flag");
    const char *text = t->never && (value < 0 || (flag && value == 0)) ? t->never : t->text;
    if (flag && value < 0 && t->text == value_new.text) text = "no {N} is given";
    if (!text) { /* a feature that the table does not know */
        snprintf(fallback, sizeof fallback, "%.100s of {O}: {V} %.23s", strchr(t->code, '.') + 1,
                 t->unit ? t->unit : "");
        text = fallback;
    }
    compose(text, t, value_text(m, t, (double)value, v), label, out);
}
