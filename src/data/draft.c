/* From measures to meaning. Names decide first (tokens of the column's name), the data confirms or refuses; every guess
 * carries its reason, which becomes the comment beside the line. */
#include "data/draft.h"
#include <ctype.h>
#include <stdio.h>

const char *const fl_draft_role_name[FL_DRAFT_ROLES] = {"ignored",  "id",     "time",     "amount",
                                                        "currency", "entity", "category", "number",
                                                        "text",     "mark",   "label"};

/* ---- words of a column's name ---- */

typedef struct {
    char word[12][32];
    int n;
} words;

static words split(const char *s)
{
    words w = {.n = 0};
    size_t len = 0;
    for (size_t i = 0; s[i] && w.n < 12; i++) {
        unsigned char c = (unsigned char)s[i];
        bool starts = isupper(c) && i &&
                      (islower((unsigned char)s[i - 1]) ||
                       (isupper((unsigned char)s[i - 1]) && islower((unsigned char)s[i + 1])));
        if ((starts || !isalnum(c)) && len) {
            w.n++;
            len = 0;
            if (w.n == 12) break;
        }
        if (isalnum(c) && len < 31) w.word[w.n][len++] = (char)tolower(c);
    }
    if (len && w.n < 12) w.n++;
    return w;
}

/* Place of the first of `list` (blank-separated, best first) that is a word of the name or the whole name: 1.., 0 none. */
static int names(const char *column, const char *list)
{
    words w = split(column);
    char whole[32] = {0};
    size_t k = 0;
    for (int i = 0; i < w.n; i++)
        for (size_t j = 0; w.word[i][j] && k < 31; j++) whole[k++] = w.word[i][j];
    int place = 1;
    for (const char *p = list; *p; place++) {
        size_t n = strcspn(p, " ");
        if (strlen(whole) == n && !memcmp(whole, p, n)) return place;
        for (int i = 0; i < w.n; i++)
            if (strlen(w.word[i]) == n && !memcmp(w.word[i], p, n)) return place;
        p += n + strspn(p + n, " ");
    }
    return 0;
}

static bool contains(const char *column, const char *part)
{
    for (const char *p = column; *p; p++)
        if (!strncasecmp(p, part, strlen(part))) return true;
    return false;
}

static void field_name(fl_draft_column *c)
{
    size_t k = 0;
    for (const char *p = c->name; *p && k < FL_NAME_MAX - 1; p++) {
        bool good = isalnum((unsigned char)*p);
        if (good) c->field[k++] = (char)tolower((unsigned char)*p);
        else if (k && c->field[k - 1] != '_') c->field[k++] = '_';
    }
    while (k && c->field[k - 1] == '_') k--;
    c->field[k] = 0;
    if (!k) snprintf(c->field, sizeof c->field, "field");
}

static void set(fl_draft_column *c, fl_draft_role role, const char *why)
{
    c->role = role;
    snprintf(c->why, sizeof c->why, "%s", why);
}

FL_PRINTF(2, 3) static void note(fl_draft *d, const char *fmt, ...)
{
    size_t n = strlen(d->notes), room = sizeof d->notes - n;
    va_list list;
    if (room < 3) return;
    va_start(list, fmt);
    vsnprintf(d->notes + n, room - 1, fmt, list);
    va_end(list);
    strcat(d->notes + n, "\n");
}

static bool undecided(const fl_draft_column *c)
{
    return c->role == FL_DRAFT_IGNORE && !c->why[0];
}

static bool is_time_type(const fl_draft_column *c)
{
    return c->values && (!strncmp(c->type, "TIMESTAMP", 9) || !strcmp(c->type, "DATE") ||
                         c->format[0] || c->iso == c->values || c->days == c->values);
}

/* ---- time ---- */

static int split_time(fl_draft *d)
{
    static const char *const parts[] = {"year", "month", "day", "time hour"};
    int at[4] = {-1, -1, -1, -1};
    for (uint32_t i = 0; i < d->relation.columns; i++)
        for (int p = 0; p < 4; p++)
            if (at[p] < 0 && names(d->column[i].name, parts[p]) && !is_time_type(&d->column[i]))
                at[p] = (int)i;
    if (at[0] < 0 || at[1] < 0 || at[2] < 0) return 0;
    for (int p = 0; p < 4; p++) {
        if (at[p] < 0) continue;
        set(&d->column[at[p]], FL_DRAFT_TIME, "one part of the date");
        d->column[at[p]].part = p + 1;
    }
    return 1;
}

/* Times that are not the event's own: of a person, a card, a later stage. */
static bool other_moment(const char *name)
{
    return names(name,
                 "birth dob born birthday expiry expires expiration expire updated modified "
                 "settled settlement due valid registered registration signup opened start end "
                 "report reported dispute disputed chargeback label refunded delivered shipped") !=
           0;
}

static bool epoch(const fl_draft_column *c)
{
    double low = c->low, high = c->high;
    if (c->numbers != c->values || c->whole != c->values) return false;
    for (int unit = 0; unit < 4; unit++, low /= 1000, high /= 1000)
        if (low > 6e8 && high < 4e9) return true; /* 1989 to 2096 */
    return false;
}

static int time_score(const fl_draft_column *c)
{
    int named =
        names(c->name, "timestamp datetime time date ts created occurred when at booked posted "
                       "purchased authorized authorised executed processed epoch unix ms "
                       "millis dt day datum zeit");
    int less = other_moment(c->name) ? 30 : 0;
    if (!c->values) return 0;
    bool reads = c->iso == c->values && c->numbers < c->values;
    if (!strncmp(c->type, "TIMESTAMP", 9) || (reads && c->length > 12))
        return 100 - less + (named ? 22 - named : 0);
    if (c->format[0] && strstr(c->format, "%H")) return 95 - less + (named ? 5 : 0);
    if (!strcmp(c->type, "DATE") || reads || c->format[0]) return 80 - less + (named ? 10 : 0);
    if (c->days == c->values && named) return 75 - less;
    if (epoch(c) && named) return 70 - less;
    if (c->days == c->values) return 40;
    if (c->numbers == c->values && c->whole == c->values && c->low >= 0 &&
        names(c->name, "time step timestamp tick day week dt hour"))
        return 10; /* a counter of steps */
    return 0;
}

/* What a counter counts: its name says, or how far it goes. */
static const char *tick_of(const fl_draft_column *c)
{
    if (c->high > 20000 || names(c->name, "second seconds sec")) return "seconds";
    return names(c->name, "step hour hours") ? "hours" : "days";
}

static void note_ambiguous_day(fl_draft *d, const fl_draft_column *c)
{
    if (!strncmp(c->format, "%m/%d", 5) || !strncmp(c->format, "%m-%d", 5))
        note(d, "If days stand before months in the time, swap %%m and %%d in its format.");
}

static void guess_time(fl_draft *d)
{
    int best = -1, score = 0;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        int s = time_score(&d->column[i]);
        if (s > score) {
            best = (int)i;
            score = s;
        }
    }
    if (score < 70 && split_time(d)) return;
    if (best < 0) {
        note(d, "No column looks like a time: write the right one at `time:`. Without times there "
                "are no events.");
        return;
    }
    fl_draft_column *c = &d->column[best];
    set(c, FL_DRAFT_TIME,
        is_time_type(c) ? "reads as a moment"
        : epoch(c)      ? "seconds or milliseconds since 1970"
                        : "counts steps");
    note_ambiguous_day(d, c);
    if (score == 10) {
        d->tick = tick_of(c);
        note(d, "The time is a counter, not a date: its steps and their start, 2000-01-01, are "
                "guesses.");
    }
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *o = &d->column[i];
        if (undecided(o) &&
            (is_time_type(o) || names(o->name, "time date seconds days week timestamp")) &&
            !names(o->name, "id") && !contains(o->name, "count"))
            set(o, FL_DRAFT_IGNORE, "another form of time; the fold makes its own");
    }
}

/* ---- amount, currency ---- */

static bool numeric(const fl_draft_column *c)
{
    return c->values && (c->money == c->values || c->comma) && c->days < c->values;
}

/* unit: the price of one piece. */
static void take_amount(fl_draft *d, fl_draft_column *c, bool unit)
{
    static const char *const code[] = {"USD", "EUR", "GBP"};
    int known = c->symbol == '$'                                                      ? 0
                : c->symbol == 'E'                                                    ? 1
                : c->symbol == 'L'                                                    ? 2
                : names(c->name, "dollar dollars usd") || contains(c->name, "dollar") ? 0
                : names(c->name, "eur euro euros")                                    ? 1
                : names(c->name, "gbp pounds")                                        ? 2
                                                                                      : -1;
    set(c, FL_DRAFT_AMOUNT,
        unit ? "price of one piece; the amount is quantity times price"
             : "its name and its numbers");
    if (unit) set(&d->column[d->quantity], FL_DRAFT_AMOUNT, "pieces");
    if (known >= 0) memcpy(d->currency, code[known], 4);
    d->currency_known = known >= 0;
    d->cents = !unit && c->whole == c->values && names(c->name, "cents cent minor pence");
    if (!unit && !d->cents && c->whole == c->values && c->values > 20)
        note(d, "All amounts are whole: if they are in cents, write {sql: \"X / 100.0\"}.");
}

static void guess_amount(fl_draft *d)
{
    static const char list[] =
        "amount amt value total sum paid charged betrag montant importe price cost sales revenue "
        "dollar fare usd eur gbp cents";
    int best = -1, place = 99;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        int p = names(c->name, list);
        if (!p || !undecided(c) || !numeric(c) ||
            names(c->name, "id count no number fee tax tip discount balance limit"))
            continue;
        if (c->symbol) p -= 10;
        if (names(c->name, "unit price")) d->price = (int)i;
        if (p < place) {
            place = p;
            best = (int)i;
        }
    }
    for (uint32_t i = 0; i < d->relation.columns; i++)
        if (undecided(&d->column[i]) && numeric(&d->column[i]) &&
            names(d->column[i].name, "quantity qty units pieces"))
            d->quantity = (int)i;
    if (best < 0) { /* one number with a fraction in every row can only be it */
        for (uint32_t i = 0; i < d->relation.columns; i++)
            if (undecided(&d->column[i]) && numeric(&d->column[i]) && d->column[i].point_ends)
                best = best == -1 ? (int)i : -2;
    }
    if (best >= 0) take_amount(d, &d->column[best], d->price == best && d->quantity >= 0);
    if (best < 0 || d->price != best) d->price = d->quantity = -1;
    if (d->quantity < 0) d->price = -1;
    bool currency = d->currency_known;
    for (uint32_t i = 0; i < d->relation.columns; i++)
        if (undecided(&d->column[i]) && d->column[i].length == 3 && !d->column[i].numbers &&
            names(d->column[i].name, "currency ccy curr cur waehrung devise moneda")) {
            set(&d->column[i], FL_DRAFT_CURRENCY, "its name and three letters");
            currency = true;
        }
    if (best >= 0 && !currency) note(d, "The currency is not in the table: EUR is assumed.");
}

/* ---- label, id ---- */

static const char payer_words[] =
    "card cc pan customer client account user household member cardholder payer sender source "
    "nameorig consumer buyer subscriber person cust kunde konto karte";
static const char payee_words[] =
    "merchant terminal store shop seller vendor payee receiver "
    "recipient target destination namedest beneficiary biller pos retailer haendler";
static const char other_words[] =
    "device ip email phone fingerprint session employee cashier branch bank address";

static void guess_label(fl_draft *d)
{
    static const char list[] =
        "fraud isfraud label chargeback chargebacked dispute disputed default churn churned target "
        "laundering suspicious illicit bad class betrug fraude";
    bool found = false;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        if (!undecided(c) || !names(c->name, list)) continue;
        /* A rare label may not have shown itself yet. */
        bool two = c->distinct == 2 || (c->distinct == 1 && !d->whole);
        if (!found && c->two_valued == c->values && two) {
            set(c, FL_DRAFT_LABEL, "two values and its name");
            words w = split(c->name);
            for (int k = 0; k < w.n; k++)
                if (names(w.word[k], list)) snprintf(c->field, sizeof c->field, "%s", w.word[k]);
            found = true;
        } else if (names(c->name, "fraud isfraud label chargeback dispute laundering")) {
            set(c, FL_DRAFT_IGNORE, "speaks of the label: reading it would give the answer away");
        }
    }
    if (found) note(d, "A label's delay says how long after the event it is known: 7d is a guess.");
    for (uint32_t i = 0; i < d->relation.columns; i++)
        if (undecided(&d->column[i]) && d->column[i].two_valued == d->column[i].values &&
            d->column[i].values &&
            names(d->column[i].name,
                  "declined refused cancelled canceled failed rejected reversed"))
            set(&d->column[i], FL_DRAFT_MARK, "a yes or no about the event");
}

static void guess_id(fl_draft *d)
{
    static const char list[] =
        "id uuid guid key transaction reference ref no number nummer index trans txn nr num";
    for (int named = 1; named >= 0; named--) /* else the first column */
        for (uint32_t i = 0; i < d->relation.columns; i++) {
            fl_draft_column *c = &d->column[i];
            if (!undecided(c) || c->distinct != d->rows || c->values != d->rows || d->rows < 2)
                continue;
            if (c->cards || names(c->name, payer_words)) continue;
            if (named ? !names(c->name, list) : i != 0) continue;
            if (strcmp(c->type, "BIGINT") && strcmp(c->type, "VARCHAR") && strcmp(c->type, "UUID"))
                continue;
            set(c, FL_DRAFT_ID, "a different value in every row");
            return;
        }
    note(d, "No column names each row: rows are told apart by their content.");
}

/* ---- entities ---- */

static fl_draft_column *best_of(fl_draft *d, const char *list, int *place)
{
    fl_draft_column *best = NULL;
    *place = 1000;
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        int p = names(c->name, list);
        if (!p || !undecided(c) || c->distinct < 1) continue;
        if (names(c->name,
                  "city state country zip zipcode postcode type category name amount age "
                  "gender status count flag segment brand funding last4 network scheme bin "
                  "month year level score lat lon lng latitude longitude balance limit plan "
                  "tier language job region group class mcc mode present") &&
            !(names(c->name, "name nameorig namedest") && c->distinct > 20))
            continue;
        p = p * 4 + (names(c->name, "id key number no") ? 0 : 1);
        if (c->type[0] == 'D' && c->numbers == c->values && c->whole < c->values)
            continue; /* fractions name nobody */
        if (p < *place) {
            *place = p;
            best = c;
        }
    }
    return best;
}

static void kind_name(fl_draft_column *c, const char *list)
{
    words w = split(c->name);
    for (int i = 0; i < w.n; i++)
        if (names(w.word[i], list)) {
            bool card = !strcmp(w.word[i], "cc") || !strcmp(w.word[i], "pan");
            snprintf(c->field, sizeof c->field, "%s", card ? "card" : w.word[i]);
            return;
        }
}

static void note_cards(fl_draft *d)
{
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        if (!c->cards) continue;
        if (c->role == FL_DRAFT_ENTITY) {
            d->card_numbers = true;
            note(
                d,
                "An entity holds card numbers. Use tokens instead, or set card_numbers: true: they "
                "are then hashed and never kept.");
        } else {
            set(c, FL_DRAFT_IGNORE, "card numbers, which only an entity may hold");
        }
    }
}

/* A table without names: what recurs most finely pays, the next is paid. */
static void entities_without_names(fl_draft *d)
{
    static const char *const name[] = {"customer", "merchant"};
    static const fl_role side[] = {FL_ROLE_PAYER, FL_ROLE_PAYEE};
    for (int k = 0; k < 2; k++) {
        fl_draft_column *best = NULL;
        for (uint32_t i = 0; i < d->relation.columns; i++) {
            fl_draft_column *c = &d->column[i];
            if (undecided(c) && c->distinct >= 20 && c->distinct < d->rows * 4 / 5 &&
                (c->numbers < c->values || c->whole == c->values) &&
                (!best || c->distinct > best->distinct))
                best = c;
        }
        if (!best) return;
        set(best, FL_DRAFT_ENTITY, k ? "a guess: who is paid" : "a guess: who pays");
        snprintf(best->field, sizeof best->field, "%s", name[k]);
        best->side = side[k];
    }
    note(d, "The table has no names: its entities are guessed from what recurs.");
}

static void guess_entities(fl_draft *d)
{
    int place, kinds = 0;
    fl_draft_column *payer = best_of(d, payer_words, &place), *payee = NULL, *more;
    if (payer) {
        kind_name(payer, payer_words);
        set(payer, FL_DRAFT_ENTITY, "its name: who pays");
        payer->side = FL_ROLE_PAYER;
        kinds++;
        /* A card's number within its owner names a card only together with the owner. */
        more = best_of(d, payer_words, &place);
        if (more && payer->distinct < 100 && more->distinct < 100 && names(payer->name, "card") &&
            names(more->name, "user customer client account")) {
            set(more, FL_DRAFT_ENTITY,
                "numbers of cards begin anew for each owner: owner and card together name a card");
            more->side = FL_ROLE_PAYER;
            more->part = 1;
            payer->part = 2;
        } else if (more && more->distinct > 20) {
            kind_name(more, payer_words);
            if (strcmp(more->field, payer->field)) {
                set(more, FL_DRAFT_ENTITY, "its name");
                kinds++;
            }
        }
    }
    if ((payee = best_of(d, payee_words, &place)) != NULL) {
        kind_name(payee, payee_words);
        set(payee, FL_DRAFT_ENTITY, "its name: who is paid");
        payee->side = FL_ROLE_PAYEE;
        kinds++;
    }
    while (kinds < 6 && (more = best_of(d, payee_words, &place)) != NULL) {
        kind_name(more, payee_words);
        set(more, FL_DRAFT_ENTITY, "its name");
        if (payee && !strcmp(more->field, payee->field))
            set(more, FL_DRAFT_CATEGORY, "few different values");
        else kinds++;
    }
    while (kinds < 7 && (more = best_of(d, other_words, &place)) != NULL) {
        field_name(more);
        set(more, FL_DRAFT_ENTITY, "its name");
        kinds++;
    }
    if (!payer && !payee && !d->relation.header) {
        entities_without_names(d);
        return;
    }
    note_cards(d);
    for (uint32_t i = 0; i < d->relation.columns && !payer && !payee; i++)
        if (d->column[i].role == FL_DRAFT_ID) d->owner = (int)i;
    if (!payer && !payee)
        note(d, "No column looks like a customer, card or merchant: correct `entities:`.");
}

static bool about_a_person(const char *name)
{
    return names(name,
                 "first last firstname lastname surname forename fullname street ssn passport "
                 "cardholder iban bic") != 0;
}

/* ---- what remains ---- */

static void guess_rest(fl_draft *d)
{
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        if (!undecided(c)) continue;
        size_t n = strlen(c->type);
        bool counts = c->distinct == d->rows && c->whole == c->values && d->rows > 2 &&
                      c->high - c->low == (double)(d->rows - 1);
        if (c->distinct <= 1) set(c, FL_DRAFT_IGNORE, "always the same");
        else if (counts) set(c, FL_DRAFT_IGNORE, "numbers the rows");
        else if (n > 2 && (!strcmp(c->type + n - 2, "[]") || !strncmp(c->type, "MAP(", 4)))
            set(c, FL_DRAFT_IGNORE, "a list: pick from it with {sql: ...}");
        else if (about_a_person(c->name))
            set(c, FL_DRAFT_IGNORE, "names a person: hash it as an entity if it matters");
        else if (c->comma && c->comma_ends)
            set(c, FL_DRAFT_NUMBER, "numbers with a comma before the fraction");
        else if (c->numbers == c->values && (c->whole < c->values || c->distinct > 1000) &&
                 !names(c->name, "code mcc zip postcode id type category invoiceno invoice basket "
                                 "product stock item sku week account iban"))
            set(c, FL_DRAFT_NUMBER, "many different numbers");
        else if (c->length > 25 && c->distinct > d->rows / 50)
            set(c, FL_DRAFT_TEXT, "long and varied");
        else if (c->distinct > d->rows / 3 && c->distinct > 1000)
            set(c, FL_DRAFT_IGNORE, "nearly every row has its own value: nothing recurs");
        else if (c->numbers == c->values &&
                 names(c->name,
                       "quantity qty count number discount disc items age bal balance limit income "
                       "salary score rate days months years distance duration price cost fee "
                       "tax tip points amt amount sum total lat lon lng long latitude longitude "
                       "pop population"))
            set(c, FL_DRAFT_NUMBER, "its name and its numbers");
        else set(c, FL_DRAFT_CATEGORY, c->distinct < 100 ? "few different values" : "values recur");
    }
}

/* No more of a kind than a schema holds. */
static void limit(fl_draft *d, fl_draft_role role, uint32_t max, const char *why)
{
    for (uint32_t i = 0, n = 0; i < d->relation.columns; i++)
        if (d->column[i].role == role && ++n > max) set(&d->column[i], FL_DRAFT_IGNORE, why);
}

/* A file of several tables is drafted by one of them. */
static void note_tables(fl_draft *d)
{
    const fl_sqlite_copy *q = &d->relation.sqlite;
    if (q->others)
        note(d,
             "Drafted is table %.64s. Others: %s. `florin draft FILE --table NAME` drafts one of "
             "them; "
             "a schema may read several.",
             q->table, q->others);
    for (const char *p = q->left_out; p && *p; p += strcspn(p, "\n") + 1)
        note(d, "Can't be read and is left out: %.*s.", (int)strcspn(p, "\n"), p);
}

void fl_draft_guess(fl_draft *d)
{
    note_tables(d);
    for (uint32_t i = 0; i < d->relation.columns; i++) {
        fl_draft_column *c = &d->column[i];
        field_name(c);
        if (!c->values) set(c, FL_DRAFT_IGNORE, "empty");
    }
    guess_time(d);
    guess_label(d);
    guess_amount(d);
    guess_id(d);
    guess_entities(d);
    guess_rest(d);
    limit(d, FL_DRAFT_CATEGORY, FL_CATEGORIES_MAX, "more categories than a schema holds");
    limit(d, FL_DRAFT_NUMBER, FL_NUMBERS_MAX, "more numbers than a schema holds");
    limit(d, FL_DRAFT_TEXT, FL_TEXTS_MAX, "more texts than a schema holds");
    limit(d, FL_DRAFT_MARK, FL_MARKS_MAX, "more marks than a schema holds");
    for (uint32_t i = 0; i < d->relation.columns; i++) /* one name, one field */
        for (uint32_t j = 0; j < i; j++)
            if (d->column[i].role == d->column[j].role && !d->column[i].part &&
                !strcmp(d->column[i].field, d->column[j].field) &&
                strlen(d->column[i].field) < FL_NAME_MAX - 4) {
                size_t n = strlen(d->column[i].field);
                snprintf(d->column[i].field + n, FL_NAME_MAX - n, "_%u", i % 100);
            }
}
