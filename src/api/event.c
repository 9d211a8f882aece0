/* Events as callers give them, made into what import would have made of the same cells. */
#include "api/scorer.h"

#include <math.h>
#include <stdio.h>

static uint32_t bits_of(const fl_expr *expr, uint32_t n)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < n; i++) bits |= (uint32_t)(expr[i].sql != NULL) << i;
    return bits;
}

void fl_api_types(florin_scorer *s)
{
    const fl_schema *schema = s->schema;
    for (uint32_t i = 0; i < schema->sources; i++) {
        const fl_source *src = &schema->source[i];
        s->type[i] = (event_type){
            {bits_of(src->entity, schema->kinds), bits_of(src->category, schema->categories),
             bits_of(src->number, schema->numbers), bits_of(src->mark, schema->marks)},
            src->label_of < 0,
            src->amount.sql != NULL};
    }
}

/* ---- names ---- */

uint32_t fl_api_names(const fl_schema *s, florin_what what)
{
    switch (what) {
    case FLORIN_TYPE: return s->sources;
    case FLORIN_ENTITY: return s->kinds;
    case FLORIN_CATEGORY: return s->categories;
    case FLORIN_NUMBER: return s->numbers;
    case FLORIN_MARK: return s->marks;
    case FLORIN_LABEL: return s->labels;
    }
    return 0;
}

const char *fl_api_name(const fl_schema *s, florin_what what, uint32_t i)
{
    switch (what) {
    case FLORIN_TYPE: return s->source[i].label_of < 0 ? s->source[i].name : NULL;
    case FLORIN_ENTITY: return s->kind[i].name;
    case FLORIN_CATEGORY: return s->category[i].name;
    case FLORIN_NUMBER: return s->number[i].name;
    case FLORIN_MARK: return s->mark[i].name;
    case FLORIN_LABEL: return s->label[i].name;
    }
    return NULL;
}

/* ---- events ---- */

static florin_status take_text(const florin_value *v, const char *name, florin_error *err)
{
    if (v->n > TEXT_MAX)
        return fl_fail(err, FLORIN_EINPUT, "field '%s': longer than %d bytes", name, TEXT_MAX);
    if (v->n && !v->text) return fl_fail(err, FLORIN_EINPUT, "field '%s': text is NULL", name);
    return FLORIN_OK;
}

static florin_status take_number(const florin_value *v, const char *name, florin_error *err)
{
    /* Compared so that NaN fails. */
    return fabs(v->number) <= 3e38
               ? FLORIN_OK
               : fl_fail(err, FLORIN_EINPUT, "field '%s': not a finite number", name);
}

/* seen [4]: fields of the event so far, by what - FLORIN_ENTITY. */
florin_status fl_api_value(const florin_scorer *s, const event_type *type, const florin_value *v,
                           uint32_t seen[4], fl_event *out, florin_error *err)
{
    florin_what what = (florin_what)(v->field >> WHAT_SHIFT);
    uint32_t i = v->field & INDEX_MASK;
    if (what < FLORIN_ENTITY || what > FLORIN_MARK || i >= fl_api_names(s->schema, what))
        return fl_fail(err, FLORIN_EUSAGE, "field %u is no number that florin_scorer_find gave",
                       v->field);
    const char *name = fl_api_name(s->schema, what, i);
    if (!(type->field[what - FLORIN_ENTITY] >> i & 1))
        return fl_fail(err, FLORIN_ESCHEMA, "event type '%s' has no field '%s'",
                       s->schema->source[type - s->type].name, name);
    if (seen[what - FLORIN_ENTITY] >> i & 1)
        return fl_fail(err, FLORIN_EINPUT, "field '%s' is given twice", name);
    seen[what - FLORIN_ENTITY] |= UINT32_C(1) << i;
    bool text = what == FLORIN_ENTITY || what == FLORIN_CATEGORY;
    florin_status st = text ? take_text(v, name, err) : take_number(v, name, err);
    if (st || (text && !v->n)) return st;
    switch (what) {
    case FLORIN_ENTITY: out->entity_hash[i] = fl_entity_hash(s->key, name, v->text, v->n); break;
    case FLORIN_CATEGORY: out->category[i] = fl_category_hash(v->text, v->n); break;
    case FLORIN_NUMBER:
        out->number[i] = (float)v->number;
        out->number_present |= UINT32_C(1) << i;
        break;
    default:
        if (v->number != 0 && v->number != 1)
            return fl_fail(err, FLORIN_EINPUT, "mark '%s': 0 or 1, not %g", name, v->number);
        if (v->number > 0) out->marks |= (uint8_t)(1u << i);
    }
    return FLORIN_OK;
}

florin_status fl_api_event_id(const char *id, uint32_t n, uint32_t type, uint64_t *out,
                              florin_error *err)
{
    if (n > TEXT_MAX) return fl_fail(err, FLORIN_EINPUT, "id: longer than %d bytes", TEXT_MAX);
    if (n && !id) return fl_fail(err, FLORIN_EINPUT, "id: text is NULL");
    *out = n ? fl_event_id_hash(type, id, n) : 0;
    return FLORIN_OK;
}

const event_type *fl_api_type(const florin_scorer *s, uint32_t type)
{
    return type < FL_SOURCES_MAX && s->type[type].is_event ? &s->type[type] : NULL;
}

/* What import would have made of it. */
florin_status fl_api_event(const florin_scorer *s, const florin_event *e, fl_event *out,
                           florin_error *err)
{
    const event_type *type = fl_api_type(s, e->type);
    uint32_t seen[4] = {0};
    memset(out, 0, sizeof *out);
    if (!type)
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: florin_scorer_find gives the numbers",
                       e->type);
    florin_status st = fl_api_event_id(e->id, e->id_n, e->type, &out->id, err);
    if (st) return st;
    out->type = (uint8_t)e->type;
    out->time_us = e->time_us;
    out->amount_minor = e->amount_minor;
    if (type->amount && e->amount_minor == FLORIN_NO_AMOUNT)
        return fl_fail(err, FLORIN_EINPUT, "amount is missing: events of type '%s' have one",
                       s->schema->source[e->type].name);
    if (!type->amount && e->amount_minor != FLORIN_NO_AMOUNT)
        return fl_fail(err, FLORIN_EINPUT,
                       "amount: events of type '%s' have none: give FLORIN_NO_AMOUNT",
                       s->schema->source[e->type].name);
    if (e->currency[0] &&
        !fl_currency_pack(s->schema, e->currency, strnlen(e->currency, 4), &out->currency))
        return fl_fail(err, FLORIN_EINPUT, "currency: three letters such as EUR");
    if (e->n_values && !e->values) return fl_fail(err, FLORIN_EINPUT, "values is NULL");
    for (uint32_t i = 0; i < e->n_values && !st; i++)
        st = fl_api_value(s, type, &e->values[i], seen, out, err);
    return st;
}
