/* The event's own fields as features: its numbers as they are, and the values of small category fields as their place
 * among the known ones, sorted as numbers where all are numbers and else as text. So a tree can split a risk class, a
 * status or a number of months at any point. Invariant: which values are known rests on events before the plan's moment. */
#include "fold/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void index_values(own_values *v)
{
    memset(v->slot, 0, sizeof v->slot);
    for (uint32_t i = 0; i < v->n; i++) {
        uint32_t at = (uint32_t)fl_mix64(v->value[i]) % OWN_SLOTS;
        while (v->slot[at]) at = (at + 1) % OWN_SLOTS;
        v->slot[at] = v->value[i];
        v->place[at] = (uint8_t)i;
    }
}

static float place_of(const own_values *v, uint64_t value)
{
    if (!value) return -1;
    for (uint32_t at = (uint32_t)fl_mix64(value) % OWN_SLOTS; v->slot[at];
         at = (at + 1) % OWN_SLOTS)
        if (v->slot[at] == value) return v->place[at];
    return -1;
}

void fl_fold_own_features(const fl_fold_plan *p, const fl_event *event, float *features)
{
    float *out = features + p->own_first;
    for (uint32_t i = 0; i < p->own_numbers; i++) {
        uint32_t n = p->own_number[i];
        *out++ = event->number_present >> n & 1 ? event->number[n] : -1;
    }
    for (uint32_t i = 0; i < p->own_fields; i++)
        *out++ = place_of(&p->own[i], event->category[p->own[i].field]);
}

/* Whether all texts of a field read as numbers; then they are sorted as such. */
typedef struct {
    uint64_t hash;
    double number;
    const char *text;
    size_t len;
    bool is_number;
} known;

static int by_number(const void *a, const void *b)
{
    const known *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_text(const void *a, const void *b)
{
    const known *x = a, *y = b;
    int c = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return c ? c : (x->len > y->len) - (x->len < y->len);
}

static void read_text(known *k, const fl_log *log, int field, uint64_t hash)
{
    char copy[32], *end = copy;
    *k = (known){.hash = hash, .text = ""};
    const char *text = fl_log_value_text(log, field, hash, &k->len);
    if (text) k->text = text;
    else k->len = 0;
    if (!k->len || k->len >= sizeof copy) return;
    memcpy(copy, k->text, k->len);
    copy[k->len] = 0;
    k->number = strtod(copy, &end);
    k->is_number = !*end && isfinite(k->number);
}

/* The values of a field that are in use before the moment; false: none, or too many. */
static bool learn_values(own_values *v, const fl_log *log, int field, int64_t until_us)
{
    known k[OWN_VALUES_MAX];
    bool seen[OWN_VALUES_MAX + 1] = {false}, numbers = true;
    uint32_t n = fl_log_values(log, field), kept = 0, left = n; /* not seen yet */
    if (!n || n > OWN_VALUES_MAX) return false;
    /* A table without a clock, all of one moment, has no past: which values there are is then read off all of it. */
    bool clock = fl_log_time_min(log) < fl_log_time_max(log);
    for (uint64_t r = 0; r < fl_log_rows(log) && left; r++) {
        uint32_t code = fl_log_category_code(log, field, r);
        if (!code || seen[code] || (clock && fl_log_time(log, r) >= until_us)) continue;
        seen[code] = true;
        left--;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!seen[i + 1]) continue;
        read_text(&k[kept], log, field, fl_log_value_hash(log, field, i));
        numbers &= k[kept++].is_number;
    }
    qsort(k, kept, sizeof *k, numbers ? by_number : by_text);
    v->field = field;
    memcpy(v->name, fl_log_schema(log)->category[field].name, FL_NAME_MAX);
    v->n = kept;
    for (uint32_t i = 0; i < kept; i++) v->value[i] = k[i].hash;
    index_values(v);
    return kept > 1;
}

static void take_number(fl_fold_plan *p, const fl_schema *s, uint32_t n)
{
    memcpy(p->own_name[p->own_numbers], s->number[n].name, FL_NAME_MAX);
    p->own_number[p->own_numbers++] = (uint8_t)n;
}

void fl_fold_own_fit(fl_fold_plan *p, const fl_log *log, int64_t until_us)
{
    const fl_schema *s = fl_log_schema(log);
    p->own_numbers = p->own_fields = 0;
    for (uint32_t n = 0; n < s->numbers; n++)
        if (!s->number[n].after) take_number(p, s, n);
    for (uint32_t c = 0; c < s->categories && p->own_fields < OWN_FIELDS_MAX; c++)
        if (!s->category[c].after && learn_values(&p->own[p->own_fields], log, (int)c, until_us))
            p->own_fields++;
}

static bool add_feature(fl_fold_plan *p, const char *name, const char *unit, const char *meaning)
{
    if (p->features == FL_FOLD_FEATURES_MAX) return false;
    fl_fold_feature *f = &p->feature[p->features++];
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "event.%.60s_value", name);
    snprintf(f->unit, sizeof f->unit, "%s", unit);
    snprintf(f->meaning, sizeof f->meaning, "%.40s: %s", name, meaning);
    f->kind = -1;
    return true;
}

bool fl_fold_own_layout(fl_fold_plan *p)
{
    bool fits = true;
    p->own_first = p->features;
    for (uint32_t i = 0; fits && i < p->own_numbers; i++)
        fits = add_feature(p, p->own_name[i], "as given", "the event's own number, -1: none");
    for (uint32_t i = 0; fits && i < p->own_fields; i++)
        fits = add_feature(p, p->own[i].name, "place",
                           "place of the event's own value among the known ones, -1: none of them");
    return fits;
}

void fl_fold_own_to_json(const fl_fold_plan *p, json_t *to)
{
    json_t *numbers = json_array(), *fields = json_array();
    for (uint32_t i = 0; i < p->own_numbers; i++)
        json_array_append_new(numbers, json_string(p->own_name[i]));
    for (uint32_t i = 0; i < p->own_fields; i++) {
        json_t *values = json_array();
        for (uint32_t k = 0; k < p->own[i].n; k++)
            json_array_append_new(values, json_integer((json_int_t)p->own[i].value[k]));
        json_array_append_new(fields,
                              json_pack("{s:s, s:o}", "field", p->own[i].name, "values", values));
    }
    json_object_set_new(to, "own_numbers", numbers);
    json_object_set_new(to, "own_values", fields);
}

static int number_named(const fl_schema *s, const char *name)
{
    for (uint32_t n = 0; name && n < s->numbers; n++)
        if (!strcmp(s->number[n].name, name)) return (int)n;
    return -1;
}

florin_status fl_fold_own_from_json(fl_fold_plan *p, const fl_schema *s, const json_t *j,
                                    florin_error *err)
{
    const json_t *numbers = json_object_get(j, "own_numbers"),
                 *fields = json_object_get(j, "own_values"), *x;
    size_t i, k;
    p->own_numbers = p->own_fields = 0;
    if (json_array_size(numbers) > FL_NUMBERS_MAX || json_array_size(fields) > OWN_FIELDS_MAX)
        return fl_fail(err, FLORIN_EFORMAT, "fold: more own fields than a schema can have");
    json_array_foreach(numbers, i, x)
    {
        int n = number_named(s, json_string_value(x));
        if (n < 0)
            return fl_fail(err, FLORIN_ESCHEMA, "fold: own number %zu is not in the schema", i);
        take_number(p, s, (uint32_t)n);
    }
    json_array_foreach(fields, i, x)
    {
        own_values *v = &p->own[p->own_fields];
        const json_t *values = json_object_get(x, "values"), *one;
        v->field = fl_schema_category(s, fl_json_str(x, "field", ""));
        if (v->field < 0)
            return fl_fail(err, FLORIN_ESCHEMA, "fold: own field %zu is not in the schema", i);
        memcpy(v->name, s->category[v->field].name, FL_NAME_MAX);
        if (json_array_size(values) > OWN_VALUES_MAX)
            return fl_fail(err, FLORIN_EFORMAT, "fold: own field %zu has too many values", i);
        v->n = 0;
        json_array_foreach(values, k, one)
        {
            uint64_t hash = (uint64_t)json_integer_value(one);
            if (!hash) return fl_fail(err, FLORIN_EFORMAT, "fold: own field %zu: no value", i);
            v->value[v->n++] = hash;
        }
        index_values(v);
        p->own_fields++;
    }
    return FLORIN_OK;
}
