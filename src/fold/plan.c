/* The plan: which features a schema gets, their names, and the learned constants, to and from JSON.
 * Constants are written with 9 digits, which gives every float back exactly. */
#include <stdio.h>
#include <math.h>

#include "fold/plan.h"

/* Letters of the currency to decimal places of its minor unit (ISO 4217). */
static int currency_places(const char *code)
{
    static const char *const none[] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY",
                                       "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
                                       "VND", "VUV", "XAF", "XOF", "XPF"};
    static const char *const three[] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
    for (size_t i = 0; i < FL_LEN(none); i++)
        if (!strcmp(code, none[i])) return 0;
    for (size_t i = 0; i < FL_LEN(three); i++)
        if (!strcmp(code, three[i])) return 3;
    return 2;
}

float fl_fold_unit(const fl_schema *schema)
{
    static const float places[] = {1, 0.1f, 0.01f, 0.001f};
    return places[currency_places(schema->currency)];
}

static bool has(const fl_fold_plan *p, const slot *s, int kind)
{
    switch (s->needs) {
    case NEED_LABEL: return p->risk >= 0;
    case NEED_AMOUNT: return p->amounts;
    case NEED_MARK0:
    case NEED_MARK1:
    case NEED_MARK2:
    case NEED_MARK3: return p->marks > (uint32_t)(s->needs - NEED_MARK0);
    case NEED_PEER: return kind >= 0 && p->peer[kind] >= 0;
    case NEED_VALUE0:
    case NEED_VALUE1:
    case NEED_VALUE2:
    case NEED_VALUE3: return kind >= 0 && p->novel[s->needs - NEED_VALUE0] >= 0;
    case NEED_TYPES: return p->sources > 1;
    default: return true;
    }
}

/* "card.count_1d", "card.declined_7d", "card.mcc_new" */
static void name_feature(const fl_fold_plan *p, const char *owner, const slot *s, uint32_t i,
                         fl_fold_feature *f)
{
    const char *middle = NULL;
    if (s->needs >= NEED_MARK0 && s->needs <= NEED_MARK3 && i != F_MARKED_AGE && i != F_MARKED_90D)
        middle = p->mark[s->needs - NEED_MARK0];
    if (s->needs >= NEED_VALUE0 && s->needs <= NEED_VALUE3)
        middle = p->category[s->needs - NEED_VALUE0];
    int n = middle ? snprintf(f->name, sizeof f->name, "%.40s.%.36s_%s", owner, middle, s->name)
                   : snprintf(f->name, sizeof f->name, "%.60s.%s", owner, s->name);
    if (n < 0) f->name[0] = 0;
    snprintf(f->unit, sizeof f->unit, "%s", strcmp(s->unit, "major") ? s->unit : p->currency);
    snprintf(f->meaning, sizeof f->meaning, "%s%s%s", middle ? middle : "", middle ? ": " : "",
             s->meaning);
    f->read = s->read;
}

static bool layout_block(fl_fold_plan *p, block *b, int kind, const char *owner, bool pair)
{
    b->first = p->features;
    b->count = b->reads = b->runs = 0;
    uint32_t slots = kind == -1 ? E_COUNT : SLOT_COUNT;
    for (uint32_t i = 0; i < slots; i++) {
        const slot *s = kind == -1 ? fl_fold_event_slot(i) : fl_fold_slot(i);
        if (!has(p, s, kind) || (pair && !s->pair)) continue;
        if (p->features == FL_FOLD_FEATURES_MAX) return false;
        fl_fold_feature *f = &p->feature[p->features];
        name_feature(p, owner, s, i, f);
        f->kind = kind;
        f->read = s->read && kind >= 0;
        if (f->read) {
            b->read[b->reads] = (uint16_t)i;
            b->read_at[b->reads++] = p->features;
        }
        slot_run *last = b->runs ? &b->run[b->runs - 1] : NULL;
        if (last && last->from + last->count == i) last->count++;
        else b->run[b->runs++] = (slot_run){(uint16_t)i, 1};
        b->count++;
        p->features++;
    }
    return true;
}

florin_status fl_fold_plan_layout(fl_fold_plan *p, florin_error *err)
{
    p->features = 0;
    if (!p->feature) p->feature = fl_calloc(FL_FOLD_FEATURES_MAX, sizeof *p->feature);
    if (!p->feature)
        return fl_fail(err, FLORIN_ENOMEM, "fold: names of %d features", FL_FOLD_FEATURES_MAX);
    bool fits = layout_block(p, &p->event, -1, "event", false) && fl_fold_own_layout(p);
    for (uint32_t k = 0; fits && k < p->kinds; k++)
        fits = layout_block(p, &p->of_kind[k], (int)k, p->name[k], false);
    for (uint32_t i = 0; fits && i < p->pairs; i++) {
        char owner[2 * FL_NAME_MAX + 4];
        snprintf(owner, sizeof owner, "%.25s_%.25s", p->name[p->pair[i].a], p->name[p->pair[i].b]);
        fits = layout_block(p, &p->of_pair[i], -2, owner, true);
    }
    if (!fits)
        return fl_fail(err, FLORIN_EINPUT,
                       "fold: more than %d features: declare fewer entity kinds or pairs",
                       FL_FOLD_FEATURES_MAX);
    return FLORIN_OK;
}

static void neutral_tail(tail *t)
{
    for (int i = 0; i < TAIL_EDGES; i++) t->edge[i] = 0.25f * (float)i;
    for (int i = 0; i < TAIL_BINS; i++) t->explain[i] = i < 7 ? 0 : 1 - ldexpf(1, 6 - i);
}

/* Number of different values behind a bitmap of `bits` bits, by how many are set; `hashes` bits a value. */
static void linear_counts(float *out, uint32_t bits, uint32_t hashes)
{
    float m = (float)bits;
    for (uint32_t set = 0; set <= bits; set++)
        out[set] = -m / (float)hashes * fl_fold_log(1 - (float)(set < bits ? set : bits - 1) / m);
}

static void set_kind(kind_plan *k)
{
    k->log_clip = fl_fold_log(k->clip);
    k->log_high = fl_fold_log(k->high);
}

/* Payer and payee are each other's counterparties; every other kind looks at the payer, or at the payee. */
static void choose_peers(fl_fold_plan *p)
{
    for (int k = 0; k < (int)p->kinds; k++) {
        int peer = p->payer >= 0 ? p->payer : p->payee;
        if (k == p->payer) peer = p->payee;
        if (k == p->payee) peer = p->payer;
        if (peer == k) peer = -1;
        p->peer[k] = peer;
    }
    if (p->payer >= 0 && p->payee < 0) /* a payer without payee looks at the first other kind */
        for (int k = 0; k < (int)p->kinds && p->peer[p->payer] < 0; k++)
            if (k != p->payer) p->peer[p->payer] = k;
}

florin_status fl_fold_plan_new(fl_fold_plan **out, const fl_schema *schema, florin_error *err)
{
    fl_fold_plan *p = fl_calloc(1, sizeof *p);
    *out = NULL;
    if (!p) return fl_fail(err, FLORIN_ENOMEM, "fold: plan");
    p->kinds = schema->kinds;
    p->pairs = schema->pairs;
    p->marks = schema->marks;
    for (uint32_t i = 0; i < schema->sources; i++) {
        p->sources += schema->source[i].label_of < 0;
        p->amounts |= schema->source[i].amount.sql != NULL;
    }
    for (uint32_t k = 0; k < p->kinds; k++) {
        memcpy(p->name[k], schema->kind[k].name, FL_NAME_MAX);
        p->kind[k] = (kind_plan){.mean = 0, .spread = 0.5f, .clip = 3, .high = 3};
        set_kind(&p->kind[k]);
        neutral_tail(&p->kind[k].ratio);
    }
    memcpy(p->pair, schema->pair, sizeof p->pair);
    memcpy(p->currency, schema->currency, sizeof p->currency);
    for (uint32_t m = 0; m < p->marks; m++) memcpy(p->mark[m], schema->mark[m].name, FL_NAME_MAX);
    p->payer = fl_schema_role(schema, FL_ROLE_PAYER);
    p->payee = fl_schema_role(schema, FL_ROLE_PAYEE);
    p->risk = schema->labels ? schema->risk_label : -1;
    p->unit = fl_fold_unit(schema);
    choose_peers(p);
    linear_counts(p->met_count, 256, 2);
    linear_counts(p->wide_count, 192, 1);
    linear_counts(p->small_count, 64, 1);
    int n = 0;
    for (int i = 0; i < NOVEL_FIELDS; i++) p->novel[i] = -1;
    for (uint32_t c = 0; c < schema->categories && n < NOVEL_FIELDS; c++) {
        if (schema->category[c].after) continue;
        memcpy(p->category[n], schema->category[c].name, FL_NAME_MAX);
        p->novel[n++] = (int)c;
    }
    p->amount_typical = 1;
    neutral_tail(&p->amount);
    memset(p->amount.explain, 0,
           sizeof p->amount.explain); /* without a known typical amount it explains nothing */
    p->until_us = INT64_MIN;
    florin_status st = fl_fold_plan_layout(p, err);
    if (st) {
        fl_fold_plan_free(p);
        return st;
    }
    *out = p;
    return FLORIN_OK;
}

void fl_fold_plan_free(fl_fold_plan *p)
{
    if (p) free(p->feature);
    free(p);
}

static json_t *floats_to_json(const float *v, int n)
{
    json_t *a = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(a, json_real((double)v[i]));
    return a;
}

static json_t *tail_to_json(const tail *t)
{
    return json_pack("{s:o,s:o}", "edge", floats_to_json(t->edge, TAIL_EDGES), "explain",
                     floats_to_json(t->explain, TAIL_BINS));
}

json_t *fl_fold_plan_to_json(const fl_fold_plan *p)
{
    json_t *kinds = json_object(), *fields = json_array();
    for (uint32_t k = 0; k < p->kinds; k++) {
        const kind_plan *q = &p->kind[k];
        json_object_set_new(kinds, p->name[k],
                            json_pack("{s:f,s:f,s:f,s:f,s:o}", "mean", (double)q->mean, "spread",
                                      (double)q->spread, "clip", (double)q->clip, "high",
                                      (double)q->high, "ratio", tail_to_json(&q->ratio)));
    }
    for (int i = 0; i < NOVEL_FIELDS && p->novel[i] >= 0; i++)
        json_array_append_new(fields, json_string(p->category[i]));
    json_t *j = json_pack("{s:i,s:I,s:f,s:o,s:o,s:o}", "version", FL_FOLD_VERSION, "until_us",
                          (json_int_t)p->until_us, "amount_typical", (double)p->amount_typical,
                          "amount", tail_to_json(&p->amount), "kinds", kinds, "novelty", fields);
    if (j) fl_fold_own_to_json(p, j);
    return j;
}

static florin_status floats_from_json(float *v, int n, const json_t *a, const char *name,
                                      bool ascending, florin_error *err)
{
    if (!json_is_array(a) || json_array_size(a) != (size_t)n)
        return fl_fail(err, FLORIN_EFORMAT, "fold: %s: %d numbers expected", name, n);
    for (int i = 0; i < n; i++) {
        const json_t *x = json_array_get(a, (size_t)i);
        if (!json_is_number(x) || !(fabs(json_number_value(x)) < 1e30))
            return fl_fail(err, FLORIN_EFORMAT, "fold: %s[%d] is not a usable number", name, i);
        v[i] = (float)json_number_value(x);
        if (ascending && i && v[i] < v[i - 1])
            return fl_fail(err, FLORIN_EFORMAT, "fold: %s is not ascending", name);
    }
    return FLORIN_OK;
}

static florin_status tail_from_json(tail *t, const json_t *j, const char *name, florin_error *err)
{
    florin_status st =
        floats_from_json(t->edge, TAIL_EDGES, json_object_get(j, "edge"), name, true, err);
    if (!st)
        st =
            floats_from_json(t->explain, TAIL_BINS, json_object_get(j, "explain"), name, true, err);
    for (int i = 0; !st && i < TAIL_BINS; i++)
        if (t->explain[i] < 0 || t->explain[i] > 1)
            st = fl_fail(err, FLORIN_EFORMAT, "fold: %s: share past 0..1", name);
    return st;
}

static florin_status kind_from_json(kind_plan *k, const json_t *j, const char *name,
                                    florin_error *err)
{
    double mean = fl_json_num(j, "mean", -1), spread = fl_json_num(j, "spread", -1);
    double clip = fl_json_num(j, "clip", -1), high = fl_json_num(j, "high", -1);
    if (!(mean >= 0 && mean < 1e30 && spread > 0 && spread < 1e3 && clip > 1 && clip < 1e9 &&
          high > 1 && high < 1e9))
        return fl_fail(err, FLORIN_EFORMAT,
                       "fold: constants of entity kind %s are missing or out of range", name);
    k->mean = (float)mean;
    k->spread = (float)spread;
    k->clip = (float)clip;
    k->high = (float)high;
    set_kind(k);
    return tail_from_json(&k->ratio, json_object_get(j, "ratio"), name, err);
}

static florin_status novelty_from_json(fl_fold_plan *p, const fl_schema *schema, const json_t *a,
                                       florin_error *err)
{
    size_t n = json_array_size(a);
    if (!json_is_array(a) || n > NOVEL_FIELDS)
        return fl_fail(err, FLORIN_EFORMAT, "fold: novelty: a list of fields expected");
    for (size_t i = 0; i < NOVEL_FIELDS; i++) p->novel[i] = -1;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(a, i));
        int c = name ? fl_schema_category(schema, name) : -1;
        if (c < 0)
            return fl_fail(err, FLORIN_ESCHEMA, "fold: field %s is not in the schema",
                           name ? name : "?");
        p->novel[i] = c;
        memcpy(p->category[i], schema->category[c].name, FL_NAME_MAX);
    }
    return FLORIN_OK;
}

florin_status fl_fold_plan_from_json(fl_fold_plan **out, const fl_schema *schema, const json_t *j,
                                     florin_error *err)
{
    fl_fold_plan *p = NULL;
    *out = NULL;
    if (!json_is_object(j) || fl_json_int(j, "version", -1) != FL_FOLD_VERSION)
        return fl_fail(err, FLORIN_EFORMAT,
                       "fold: written by another version (this one reads %d): fit the model again",
                       FL_FOLD_VERSION);
    florin_status st = fl_fold_plan_new(&p, schema, err);
    if (st) return st;
    double typical = fl_json_num(j, "amount_typical", -1);
    p->until_us = fl_json_int(j, "until_us", INT64_MIN);
    p->amount_typical = (float)typical;
    if (!(typical > 1e-30 && typical < 1e30))
        st = fl_fail(err, FLORIN_EFORMAT, "fold: amount_typical is out of range");
    if (!st) st = tail_from_json(&p->amount, json_object_get(j, "amount"), "amount", err);
    for (uint32_t k = 0; !st && k < p->kinds; k++) {
        const json_t *q = json_object_get(json_object_get(j, "kinds"), p->name[k]);
        if (!q)
            st = fl_fail(err, FLORIN_ESCHEMA, "fold: no constants for entity kind %s", p->name[k]);
        else st = kind_from_json(&p->kind[k], q, p->name[k], err);
    }
    if (!st) st = novelty_from_json(p, schema, json_object_get(j, "novelty"), err);
    if (!st) st = fl_fold_own_from_json(p, schema, j, err);
    if (!st) st = fl_fold_plan_layout(p, err);
    if (st) {
        fl_fold_plan_free(p);
        return st;
    }
    *out = p;
    return FLORIN_OK;
}

uint32_t fl_fold_features(const fl_fold_plan *p)
{
    return p->features;
}

const fl_fold_feature *fl_fold_feature_at(const fl_fold_plan *p, uint32_t i)
{
    return &p->feature[i];
}

uint32_t fl_fold_read_features(const fl_fold_plan *p, int kind)
{
    return p->of_kind[kind].reads;
}

uint32_t fl_fold_read_feature(const fl_fold_plan *p, int kind, uint32_t i)
{
    return p->of_kind[kind].read_at[i];
}
