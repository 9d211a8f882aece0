/* A policy on one event: fill the slots, run the rules in the order of their kinds, then the thresholds. Allocates nothing. */
#include "policy/lists.h"
#include "policy/program.h"
#include "policy/rings.h"

/* ---- texts ---- */

double fl_text_number(const char *text, size_t n)
{
    double value = 0, place = 1;
    size_t i = 0, digits = 0;
    bool minus = n && text[0] == '-';
    if (n && (text[0] == '-' || text[0] == '+')) i++;
    for (; i < n && text[i] >= '0' && text[i] <= '9'; i++, digits++)
        value = value * 10 + (text[i] - '0');
    if (i < n && text[i] == '.')
        for (i++; i < n && text[i] >= '0' && text[i] <= '9'; i++, digits++) {
            value = value * 10 + (text[i] - '0');
            place *= 10;
        }
    if (!digits || i < n || digits > 300) return NAN;
    return (minus ? -value : value) / place;
}

double fl_text_flag(const char *text, size_t n)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"1", 1}, {"0", 0}};
    for (size_t i = 0; i < FL_LEN(words); i++)
        if (n == strlen(words[i].text) && !memcmp(text, words[i].text, n)) return words[i].value;
    return NAN;
}

/* % stands for any run of characters; the last % that matched is the only one worth going back to. */
static bool like(const char *pattern, const char *text, size_t n)
{
    size_t t = 0, back_t = 0;
    const char *p = pattern, *back = NULL;
    while (t < n) {
        if (*p == '%') {
            back = ++p;
            back_t = t;
        } else if (*p && *p == text[t]) {
            p++;
            t++;
        } else if (back) {
            p = back;
            t = ++back_t;
        } else return false;
    }
    while (*p == '%') p++;
    return !*p;
}

bool fl_like(const char *pattern, const char *text, size_t n)
{
    if (pattern[0] != 'I') return like(pattern + 1, text, n);
    size_t k = strlen(pattern + 1);
    for (size_t i = 0; i + k <= n; i++)
        if (!memcmp(text + i, pattern + 1, k)) return true;
    return false;
}

/* ---- slots ---- */

static int64_t day_part(int64_t time_us, int64_t unit_us, int64_t from, int64_t cycle)
{
    int64_t units = time_us / unit_us - (time_us % unit_us < 0);
    int64_t r = (units + from) % cycle;
    return r < 0 ? r + cycle : r;
}

/* Three letters of a currency that is not the schema's. */
static void currency_code(uint16_t packed, char code[4])
{
    uint32_t v = packed - 1u;
    code[0] = (char)('A' + v / 676 % 26);
    code[1] = (char)('A' + v / 26 % 26);
    code[2] = (char)('A' + v % 26);
    code[3] = 0;
}

static uint64_t currency_hash(const fl_policy *p, uint16_t packed)
{
    char code[4];
    if (!packed) return p->currency_hash;
    currency_code(packed, code);
    return fl_category_hash(code, 3);
}

/* In major units of the event's own currency. */
static double amount_of(const fl_policy *p, const fl_event *e)
{
    char code[4];
    double units = p->minor_units;
    if (e->amount_minor == FL_AMOUNT_NONE) return NAN;
    if (e->currency) {
        currency_code(e->currency, code);
        units = 1;
        for (int i = fl_currency_exponent(code); i > 0; i--) units *= 10;
    }
    return (double)e->amount_minor / units;
}

static double row_number(const fl_slot *s, const float *row)
{
    if (!row || (s->unknown_minus_one && row[s->index] == -1.0f)) return NAN;
    return row[s->index];
}

static fl_cell metadata_cell(const fl_slot *s, const fl_text *t)
{
    fl_cell c = {.hash = 0};
    bool there = t && t->text && t->n;
    if (s->type == FL_ATTR_TEXT) c.hash = there ? fl_category_hash(t->text, t->n) : 0;
    else if (s->type == FL_ATTR_FLAG) c.number = there ? fl_text_flag(t->text, t->n) : NAN;
    else c.number = there ? fl_text_number(t->text, t->n) : NAN;
    return c;
}

static double ring_number(const fl_policy *p, const fl_slot *s, const fl_policy_view *v)
{
    int kind = p->series[s->index].kind;
    uint64_t hash = kind >= 0 ? v->event->entity_hash[kind] : 0;
    if (!hash) return NAN;
    if (!v->rings) return 0;
    return fl_rings_count(v->rings, s->index, hash, v->event->time_us, s->window_us);
}

fl_cell fl_slot_cell(const fl_policy *p, const fl_slot *s, const fl_policy_view *v)
{
    const fl_event *e = v->event;
    fl_cell c = {.number = NAN};
    switch ((fl_attr_from)s->from) {
    case FL_FROM_ROW: c.number = row_number(s, v->row); break;
    case FL_FROM_SCORE: c.number = v->head ? v->head[s->index].score : NAN; break;
    case FL_FROM_PROBABILITY: c.number = v->head ? v->head[s->index].probability : NAN; break;
    case FL_FROM_LEVEL: c.hash = v->head ? p->level_hash[v->head[s->index].level % 3] : 0; break;
    case FL_FROM_AMOUNT: c.number = amount_of(p, e); break;
    case FL_FROM_CURRENCY: c.hash = currency_hash(p, e->currency); break;
    case FL_FROM_TYPE: c.hash = p->type_hash[e->type % FL_SOURCES_MAX]; break;
    case FL_FROM_HOUR: c.number = (double)day_part(e->time_us, FL_HOUR_US, 0, 24); break;
    case FL_FROM_WEEKDAY: c.number = (double)day_part(e->time_us, FL_DAY_US, 3, 7); break;
    case FL_FROM_NUMBER:
        c.number = e->number_present >> s->index & 1 ? e->number[s->index] : NAN;
        break;
    case FL_FROM_CATEGORY: c.hash = e->category[s->index]; break;
    case FL_FROM_ENTITY: c.hash = e->entity_hash[s->index]; break;
    case FL_FROM_METADATA: c = metadata_cell(s, v->metadata ? &v->metadata[s->index] : NULL); break;
    case FL_FROM_RING: c.number = ring_number(p, s, v); break;
    case FL_FROM_FREE:
        if (s->type == FL_ATTR_TEXT) c.hash = 0;
        break;
    case FL_FROM_LISTED:
    case FL_FROM_LIKE: break;
    }
    return c;
}

static fl_text text_of(const fl_slot *s, const fl_policy_view *v)
{
    if (s->from == FL_FROM_CATEGORY && v->category) return v->category[s->index];
    if (s->from == FL_FROM_METADATA && v->metadata) return v->metadata[s->index];
    return (fl_text){NULL, 0};
}

void fl_slots_load(const fl_policy *p, const fl_policy_view *view, fl_cell *cell, fl_text *text)
{
    for (size_t i = 0; i < p->slots; i++) {
        cell[i] = fl_slot_cell(p, &p->slot[i], view);
        if (p->patterns) text[i] = text_of(&p->slot[i], view);
    }
}

void fl_slots_derive(const fl_policy *p, const fl_text *text, const fl_lists *lists, int64_t at_us,
                     fl_cell *cell)
{
    for (size_t i = 0; i < p->slots; i++) {
        const fl_slot *s = &p->slot[i];
        if (s->from == FL_FROM_LISTED) {
            uint64_t hash = cell[s->of].hash;
            cell[i].number = !hash ? NAN : lists && fl_lists_has(lists, s->index, hash, at_us);
        } else if (s->from == FL_FROM_LIKE) {
            const fl_text *t = &text[s->of];
            cell[i].number = t->text && t->n ? fl_like(p->pattern[s->index], t->text, t->n) : NAN;
        }
    }
}

/* ---- the program ---- */

static inline uint8_t truth_of(fl_compare c, double a, double b)
{
    bool yes = false;
    if (isnan(a) || isnan(b)) return UNKNOWN;
    switch (c) {
    case CMP_LT: yes = a < b; break;
    case CMP_LE: yes = a <= b; break;
    case CMP_GT: yes = a > b; break;
    case CMP_GE: yes = a >= b; break;
    case CMP_EQ: yes = a == b; break;
    case CMP_NE: yes = a != b; break;
    }
    return yes ? YES : NO;
}

static inline uint8_t same(const fl_op *o, uint64_t a, uint64_t b)
{
    if (!a || !b) return UNKNOWN;
    return (a == b) == (o->compare == CMP_EQ) ? YES : NO;
}

static uint8_t in_numbers(const fl_policy *p, const fl_op *o, double x)
{
    const fl_set *s = &p->set[o->b];
    if (isnan(x)) return UNKNOWN;
    for (uint32_t i = 0; i < s->count; i++)
        if (p->set_value[s->first + i].number == x) return YES;
    return NO;
}

static uint8_t in_texts(const fl_policy *p, const fl_op *o, uint64_t hash)
{
    const fl_set *s = &p->set[o->b];
    if (!hash) return UNKNOWN;
    for (uint32_t i = 0; i < s->count; i++)
        if (p->set_value[s->first + i].hash == hash) return YES;
    return NO;
}

/* What is no finite number is missing: a division by zero is no reason to block anybody. */
static double arithmetic(const fl_op *o, double below, double top)
{
    double a = o->reversed ? top : below, b = o->reversed ? below : top, x;
    switch (o->code) {
    case OP_ADD: x = a + b; break;
    case OP_SUB: x = a - b; break;
    case OP_MUL: x = a * b; break;
    default: x = a / b; break;
    }
    return isfinite(x) ? x : NAN;
}

static bool missing(const fl_slot *s, fl_cell c)
{
    return s->type == FL_ATTR_TEXT || s->type == FL_ATTR_ENTITY ? !c.hash : isnan(c.number);
}

static uint8_t flag(double x)
{
    return isnan(x) ? UNKNOWN : x > 0 ? YES : NO;
}

int fl_rule_eval(const fl_policy *p, const fl_rule *rule, const fl_cell *cell)
{
    double number[NUMBER_DEPTH + 1];
    uint8_t truth[TRUTH_DEPTH + 1];
    uint32_t n = 0, t = 0;
    const fl_op *end = p->op + rule->first + rule->ops;
    for (const fl_op *o = p->op + rule->first; o < end; o++) {
        const fl_cell *c = &cell[o->slot];
        switch ((fl_op_code)o->code) {
        case OP_NUMBER: number[n++] = c->number; break;
        case OP_CONST: number[n++] = o->value.number; break;
        case OP_ADD:
        case OP_SUB:
        case OP_MUL:
        case OP_DIV:
            n--;
            number[n - 1] = arithmetic(o, number[n - 1], number[n]);
            break;
        case OP_NEG: number[n - 1] = -number[n - 1]; break;
        case OP_COMPARE:
            n -= 2;
            truth[t++] = truth_of((fl_compare)o->compare, number[n], number[n + 1]);
            break;
        case OP_COMPARE_CONST:
            truth[t++] = truth_of((fl_compare)o->compare, c->number, o->value.number);
            break;
        case OP_COMPARE_SLOT:
            truth[t++] = truth_of((fl_compare)o->compare, c->number, cell[o->b].number);
            break;
        case OP_SAME: truth[t++] = same(o, c->hash, o->value.hash); break;
        case OP_SAME_SLOT: truth[t++] = same(o, c->hash, cell[o->b].hash); break;
        case OP_IN_NUMBERS: truth[t++] = in_numbers(p, o, number[--n]); break;
        case OP_IN_TEXTS: truth[t++] = in_texts(p, o, c->hash); break;
        case OP_FLAG: truth[t++] = flag(c->number); break;
        case OP_MISSING: truth[t++] = missing(&p->slot[o->slot], *c) ? YES : NO; break;
        case OP_TRUTH: truth[t++] = o->compare; break;
        case OP_NOT: truth[t - 1] = (uint8_t)(YES - truth[t - 1]); break;
        case OP_AND:
            t--;
            truth[t - 1] = truth[t] < truth[t - 1] ? truth[t] : truth[t - 1];
            break;
        case OP_OR:
            t--;
            truth[t - 1] = truth[t] > truth[t - 1] ? truth[t] : truth[t - 1];
            break;
        }
    }
    return truth[0];
}

/* ---- decisions ---- */

fl_thresholds fl_thresholds_of(const fl_policy *p, uint64_t hash)
{
    const uint32_t *i = p->pers && hash ? fl_map64_find(&p->per, hash) : NULL;
    return i ? p->per_at[*i].at : p->at;
}

static bool first_rule(const fl_policy *p, fl_action kind, size_t *at, const fl_cell *cell,
                       fl_decision *out)
{
    for (; *at < p->rules && p->rule[p->order[*at]].action == kind; (*at)++) {
        if (fl_rule_eval(p, &p->rule[p->order[*at]], cell) != YES) continue;
        out->action = (uint8_t)kind;
        out->by = FL_BY_RULE;
        out->rule = p->order[*at];
        return true;
    }
    return false;
}

static bool reached(fl_decision *out, fl_action a, float score, float threshold)
{
    if (!(score >= threshold)) return false;
    out->action = (uint8_t)a;
    out->by = FL_BY_THRESHOLD;
    out->threshold = threshold;
    return true;
}

/* A share of what would be blocked is let through, so that later models see what became of it. */
static void hold_out(const fl_policy *p, const fl_cell *cell, uint64_t draw, fl_decision *out)
{
    if (out->action != FL_BLOCK) return;
    out->propensity = 0;
    if (p->holdout <= 0 || (out->by == FL_BY_RULE && p->rule[out->rule].keep_out)) return;
    if (p->holdout_most < INFINITY && !(fabs(cell[p->amount_slot].number) <= p->holdout_most))
        return;
    out->propensity = (float)p->holdout;
    if ((double)(draw >> 11) * 0x1p-53 >= p->holdout) return;
    out->action = FL_ALLOW;
    out->holdout = true;
}

void fl_policy_judge(const fl_policy *p, const fl_cell *cell, uint64_t draw, fl_decision *out)
{
    size_t at = 0;
    fl_thresholds t = fl_thresholds_of(p, p->pers ? cell[p->per_slot].hash : 0);
    float score = p->score_slot == FL_POLICY_NONE ? NAN : (float)cell[p->score_slot].number;
    *out = (fl_decision){.action = FL_ALLOW, .rule = FL_POLICY_NONE, .propensity = 1};
    (void)(first_rule(p, FL_REQUEST_3DS, &at, cell, out) ||
           first_rule(p, FL_ALLOW, &at, cell, out) || first_rule(p, FL_BLOCK, &at, cell, out) ||
           reached(out, FL_BLOCK, score, t.block) || first_rule(p, FL_REVIEW, &at, cell, out) ||
           (t.request_3ds > t.review && reached(out, FL_REQUEST_3DS, score, t.request_3ds)) ||
           reached(out, FL_REVIEW, score, t.review) ||
           reached(out, FL_REQUEST_3DS, score, t.request_3ds));
    hold_out(p, cell, draw, out);
}

/* The same event draws the same, under every policy and after a restart. */
static uint64_t draw_of(const fl_event *e)
{
    uint64_t h = e->id;
    if (!h) {
        h = (uint64_t)e->time_us ^ fl_mix64((uint64_t)e->amount_minor);
        for (int k = 0; k < FL_KINDS_MAX; k++) h = fl_mix64(h ^ e->entity_hash[k]);
    }
    return fl_mix64(h ^ 0x9e3779b97f4a7c15u);
}

void fl_policy_decide(const fl_policy *p, const fl_policy_view *view, fl_decision *out)
{
    fl_cell cell[FL_SLOTS_MAX];
    fl_text text[FL_SLOTS_MAX];
    fl_slots_load(p, view, cell, text);
    fl_slots_derive(p, text, view->lists, view->event->time_us, cell);
    fl_policy_judge(p, cell, draw_of(view->event), out);
}

void fl_policy_match(const fl_policy *p, const fl_policy_view *view, uint64_t *matched)
{
    fl_cell cell[FL_SLOTS_MAX];
    fl_text text[FL_SLOTS_MAX];
    fl_slots_load(p, view, cell, text);
    fl_slots_derive(p, text, view->lists, view->event->time_us, cell);
    memset(matched, 0, (p->rules + 63) / 64 * sizeof *matched);
    for (size_t i = 0; i < p->rules; i++)
        if (fl_rule_eval(p, &p->rule[i], cell) == YES) matched[i / 64] |= UINT64_C(1) << (i % 64);
}
