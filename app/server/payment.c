/* Which member of a request means what:
 *   payment.id, .time, .amount, .currency, .type; every other member of it is a field, an entity kind or metadata
 *   KIND: "id" or KIND: {"id": ..}, an entity; a further member M of that object, or of an object that is no entity, is the
 *   field OBJECT_M or, where the schema has none of that name, M
 *   metadata, dry_run, deadline_ms */
#include "payment.h"

#include <string.h>

static bool two(const char *p, int *v)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9') return false;
    *v = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01. Source: Hinnant, chrono-compatible low-level date algorithms. */
static int64_t days_from(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* ".25" in microseconds, further digits dropped; *p moves past it. */
static bool fraction(const char **p, const char *end, int64_t *us)
{
    *us = 0;
    if (*p == end || **p != '.') return true;
    int64_t unit = 100000;
    const char *from = ++*p;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p, unit /= 10) *us += (**p - '0') * unit;
    return *p > from;
}

static bool zone(const char *p, const char *end, int64_t *minutes)
{
    int hour, minute;
    *minutes = 0;
    if (end - p == 1 && (*p == 'Z' || *p == 'z')) return true;
    if (end - p != 6 || (*p != '+' && *p != '-') || p[3] != ':') return false;
    if (!two(p + 1, &hour) || !two(p + 4, &minute) || hour > 23 || minute > 59) return false;
    *minutes = (hour * 60 + minute) * (*p == '-' ? -1 : 1);
    return true;
}

bool payment_time(const char *p, uint32_t n, int64_t *time_us)
{
    int century, year, month, day, hour, minute, second;
    int64_t us, offset;
    const char *end = p + n;
    if (n < 20 || p[4] != '-' || p[7] != '-' || (p[10] | 32) != 't' || p[13] != ':' || p[16] != ':')
        return false;
    if (!two(p, &century) || !two(p + 2, &year) || !two(p + 5, &month) || !two(p + 8, &day) ||
        !two(p + 11, &hour) || !two(p + 14, &minute) || !two(p + 17, &second))
        return false;
    year += century * 100;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > month_days(year, month) ||
        hour > 23 || minute > 59 || second > 60)
        return false;
    p += 19;
    if (!fraction(&p, end, &us) || !zone(p, end, &offset)) return false;
    int64_t seconds = (days_from(year, month, day) * 24 + hour) * 3600 + minute * 60 + second;
    *time_us = (seconds - offset * 60) * 1000000 + us;
    return true;
}

bool payment_read_time(scan *s, int64_t *time_us)
{
    const char *text;
    scan_number_value number;
    uint32_t n;
    switch (scan_peek(s)) {
    case SCAN_STRING:
        if (!scan_string(s, &text, &n)) return false;
        return payment_time(text, n, time_us)
                   ? true
                   : scan_fail(s, "a time as RFC 3339 writes it, 2025-06-01T12:00:00Z, not before "
                                  "1970, is expected");
    case SCAN_NUMBER:
        if (!scan_number(s, &number)) return false;
        if (number.value < 0 || number.value > 253402300799.0)
            return scan_fail(s, "seconds since 1970 are expected, before the year 10000");
        *time_us = number.whole ? number.integer * 1000000 : (int64_t)(number.value * 1e6 + .5);
        return true;
    default: return scan_fail(s, "a time is expected: RFC 3339 text, or seconds since 1970");
    }
}

/* Text of an id or a category; a whole number stands for its digits, null for nothing. */
static bool read_text(scan *s, const char **text, uint32_t *n)
{
    scan_number_value number;
    bool truth;
    *n = 0;
    *text = "";
    switch (scan_peek(s)) {
    case SCAN_STRING:
        if (!scan_string(s, text, n)) return false;
        return *n <= 65536 ? true : scan_fail(s, "a text of more than 65536 bytes");
    case SCAN_NUMBER:
        if (!scan_number(s, &number)) return false;
        if (!number.whole) return scan_fail(s, "a text or a whole number is expected");
        *text = number.text;
        *n = number.n;
        return true;
    case SCAN_BOOL:
        if (!scan_bool(s, &truth)) return false;
        *text = truth ? "true" : "false";
        *n = truth ? 4 : 5;
        return true;
    case SCAN_NULL: return scan_null(s);
    default: return scan_fail(s, "a text is expected");
    }
}

static florin_value *add_value(scan *s, florin_value *value, uint32_t *n, uint32_t field)
{
    for (uint32_t i = 0; i < *n; i++)
        if (value[i].field == field) {
            scan_fail(s, "this field was given before, under this or another name");
            return NULL;
        }
    if (*n == PAYMENT_VALUES) {
        scan_fail(s, "more than 64 fields");
        return NULL;
    }
    florin_value *v = &value[(*n)++];
    v->field = field;
    v->n = 0;
    v->text = NULL;
    v->number = 0;
    return v;
}

static bool read_value(scan *s, florin_value *value, uint32_t *n, const schema_name *field)
{
    scan_number_value number;
    bool mark;
    if (scan_peek(s) == SCAN_NULL) return scan_null(s); /* absent */
    florin_value *v = add_value(s, value, n, field->number);
    if (!v) return false;
    switch (field->what) {
    case FLORIN_NUMBER:
        if (!scan_number(s, &number)) return false;
        v->number = number.value;
        return true;
    case FLORIN_MARK:
        if (scan_peek(s) != SCAN_BOOL) return scan_fail(s, "true or false is expected");
        if (!scan_bool(s, &mark)) return false;
        v->number = mark;
        return true;
    default: return read_text(s, &v->text, &v->n);
    }
}

static bool read_field(scan *s, payment *p, const schema_name *field)
{
    return read_value(s, p->value, &p->event.n_values, field);
}

bool payment_fields(const payment_rules *rules, scan *s, florin_value *value, uint32_t *n)
{
    const char *key;
    uint32_t key_n;
    *n = 0;
    if (!scan_enter(s, SCAN_OBJECT)) return false;
    while (scan_key(s, &key, &key_n)) {
        const schema_name *field = names_field(rules->names, key, key_n);
        if (!field || field->what == FLORIN_ENTITY)
            return scan_fail(
                s, "the model's schema has no field of this name (GET /v1/schema lists them)");
        if (!read_value(s, value, n, field)) return false;
    }
    return !s->fault;
}

static bool unknown(const payment_rules *rules, scan *s, payment *p)
{
    if (!rules->ignore_unknown)
        return scan_fail(
            s, "the model's schema has no field of this name (GET /v1/schema lists them)");
    p->ignored++;
    return scan_skip(s);
}

static bool read_metadata(scan *s, payment *p)
{
    florin_metadata m;
    if (!scan_enter(s, SCAN_OBJECT)) return false;
    while (scan_key(s, &m.key, &m.key_n)) {
        if (scan_peek(s) == SCAN_NUMBER) {
            scan_number_value number;
            if (!scan_number(s, &number)) return false;
            m.value = number.text;
            m.value_n = number.n;
        } else if (!read_text(s, &m.value, &m.value_n)) {
            return false;
        }
        if (!m.key_n || m.key_n > 64) return scan_fail(s, "a key of 1 to 64 bytes is expected");
        if (m.value_n > 1024) return scan_fail(s, "a value of more than 1024 bytes");
        if (p->metadata_n == PAYMENT_METADATA) return scan_fail(s, "more than 50 keys of metadata");
        p->metadata[p->metadata_n++] = m;
    }
    return !s->fault;
}

static bool read_amount(scan *s, payment *p)
{
    scan_number_value number;
    if (!scan_number(s, &number)) return false;
    if (!number.whole)
        return scan_fail(
            s, "whole minor units are expected (1999 is 19.99 EUR), of at most 18 digits");
    p->event.amount_minor = number.integer;
    p->has_amount = true;
    return true;
}

static bool read_currency(scan *s, payment *p)
{
    const char *text;
    uint32_t n;
    if (!scan_string(s, &text, &n)) return false;
    if (n != 3) return scan_fail(s, "three letters are expected (ISO 4217)");
    for (int i = 0; i < 3; i++) {
        char c = text[i] & ~32;
        if (c < 'A' || c > 'Z') return scan_fail(s, "three letters are expected (ISO 4217)");
        p->event.currency[i] = c;
    }
    return true;
}

static bool read_type(const payment_rules *rules, scan *s, payment *p)
{
    const char *text;
    uint32_t n;
    if (!scan_string(s, &text, &n)) return false;
    const schema_name *type = names_type(rules->names, text, n);
    if (!type) return scan_fail(s, "the model's schema has no event type of this name");
    p->event.type = type->number;
    return true;
}

/* The members of "payment" that are no fields of the schema; *mine: it was one of them. */
static bool read_own(const payment_rules *rules, scan *s, payment *p, const char *key, uint32_t n,
                     bool *mine)
{
    *mine = true;
    if (SCAN_IS(key, n, "id")) {
        if (!read_text(s, &p->event.id, &p->event.id_n)) return false;
        return p->event.id_n <= 256 ? true : scan_fail(s, "an id of more than 256 bytes");
    }
    if (SCAN_IS(key, n, "time")) {
        if (!payment_read_time(s, &p->event.time_us)) return false;
        p->has_time = true;
        return true;
    }
    if (SCAN_IS(key, n, "amount")) return read_amount(s, p);
    if (SCAN_IS(key, n, "currency")) return read_currency(s, p);
    if (SCAN_IS(key, n, "type")) return read_type(rules, s, p);
    if (SCAN_IS(key, n, "metadata")) return read_metadata(s, p);
    *mine = false;
    return true;
}

bool payment_member(const payment_rules *rules, scan *s, payment *p, const char *key, uint32_t n)
{
    bool mine;
    if (!read_own(rules, s, p, key, n, &mine)) return false;
    if (mine) return true;
    const schema_name *field = names_field(rules->names, key, n);
    return field ? read_field(s, p, field) : unknown(rules, s, p);
}

static bool read_main(const payment_rules *rules, scan *s, payment *p)
{
    const char *key;
    uint32_t n;
    bool id = false, amount = false, time = false;
    if (!scan_enter(s, SCAN_OBJECT)) return false;
    while (scan_key(s, &key, &n)) {
        if ((p->has_amount && (amount |= SCAN_IS(key, n, "amount"))) ||
            (p->event.id && (id |= SCAN_IS(key, n, "id"))) ||
            (p->has_time && (time |= SCAN_IS(key, n, "time"))))
            return scan_fail(s, "this name was given before");
        if (!payment_member(rules, s, p, key, n)) return false;
    }
    return !s->fault;
}

/* {"id": .., "country": ..} under a name; entity NULL: the name is no kind of entity. */
static bool read_object(const payment_rules *rules, scan *s, payment *p, const schema_name *entity,
                        const char *of, uint32_t of_n)
{
    const char *key;
    uint32_t n;
    if (!scan_enter(s, SCAN_OBJECT)) return false;
    while (scan_key(s, &key, &n)) {
        const schema_name *field = NULL;
        if (entity && SCAN_IS(key, n, "id")) field = entity;
        if (!field) field = names_joined(rules->names, of, of_n, key, n);
        if (!field && !SCAN_IS(key, n, "id")) field = names_field(rules->names, key, n);
        if (!(field ? read_field(s, p, field) : unknown(rules, s, p))) return false;
    }
    return !s->fault;
}

static bool read_deadline(scan *s, payment *p)
{
    scan_number_value number;
    if (!scan_number(s, &number)) return false;
    if (!number.whole || number.integer < 1 || number.integer > DEADLINE_MS_MOST)
        return scan_fail(s, "whole milliseconds from 1 to 60000 are expected");
    p->deadline_ms = (uint32_t)number.integer;
    return true;
}

static bool read_member(const payment_rules *rules, scan *s, payment *p, const char *key,
                        uint32_t n)
{
    if (SCAN_IS(key, n, "metadata")) return read_metadata(s, p);
    if (SCAN_IS(key, n, "dry_run")) return scan_bool(s, &p->dry_run);
    if (SCAN_IS(key, n, "deadline_ms")) return read_deadline(s, p);
    const schema_name *field = names_field(rules->names, key, n);
    scan_kind kind = scan_peek(s);
    if (kind == SCAN_OBJECT) {
        const schema_name *entity = field && field->what == FLORIN_ENTITY ? field : NULL;
        return read_object(rules, s, p, entity, key, n);
    }
    return field ? read_field(s, p, field) : unknown(rules, s, p);
}

void payment_begin(const payment_rules *rules, payment *p)
{
    memset(&p->event, 0, sizeof p->event);
    p->event.type = rules->type;
    p->event.amount_minor = FLORIN_NO_AMOUNT;
    p->event.values = p->value;
    p->metadata_n = p->deadline_ms = p->ignored = 0;
    p->has_time = p->has_amount = p->dry_run = false;
}

bool payment_read(const payment_rules *rules, scan *s, payment *p)
{
    const char *key;
    uint32_t n;
    bool found = false;
    payment_begin(rules, p);
    if (!scan_enter(s, SCAN_OBJECT)) return false;
    while (scan_key(s, &key, &n)) {
        bool main = SCAN_IS(key, n, "payment");
        if (main && found) return scan_fail(s, "this name was given before");
        found |= main;
        if (!(main ? read_main(rules, s, p) : read_member(rules, s, p, key, n))) return false;
    }
    if (s->fault) return false;
    return found ? true : scan_fail(s, "the member \"payment\" is missing");
}
