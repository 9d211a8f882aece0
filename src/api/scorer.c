/* Live scoring: the scorer's section of florin.h. Turns the caller's texts and numbers into an event, exactly as import
 * would, and hands it to the live path. Allocates nothing after open. */
#include "api/scorer.h"
#include "score/state.h"
#include <math.h>
#include <stdio.h>

/* ---- opening ---- */

static florin_status read_capacities(const fl_schema *s, const florin_scorer_options *opt,
                                     fl_scorer_options *o, florin_error *err)
{
    for (uint32_t k = 0; k < s->kinds; k++) o->entities_max[k] = opt->entities_max;
    if (opt->capacities && !opt->capacity)
        return fl_fail(err, FLORIN_EUSAGE, "florin_scorer_open: capacity is NULL");
    for (uint32_t i = 0; i < opt->capacities; i++) {
        const florin_capacity *c = &opt->capacity[i];
        int k = c->entity ? fl_schema_kind(s, c->entity) : -1;
        if (k < 0)
            return fl_fail(err, FLORIN_ESCHEMA, "capacity: the model has no entity kind '%s'",
                           c->entity ? c->entity : "");
        if (!c->most)
            return fl_fail(err, FLORIN_EUSAGE, "capacity of '%s': must be above 0", c->entity);
        o->entities_max[k] = c->most;
    }
    return FLORIN_OK;
}

static florin_status read_options(florin_scorer *s, const florin_scorer_options *opt,
                                  fl_scorer_options *o, char key[17], florin_error *err)
{
    static const florin_scorer_options defaults = FLORIN_SCORER_INIT;
    if (!opt) opt = &defaults;
    if (opt->size != sizeof *opt)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_scorer_open: options of %u bytes: begin with FLORIN_SCORER_INIT",
                       opt->size);
    if (opt->when_full > FLORIN_FULL_ERROR)
        return fl_fail(err, FLORIN_EUSAGE, "florin_scorer_open: when_full is %d",
                       (int)opt->when_full);
    florin_status st = read_capacities(s->schema, opt, o, err);
    if (st) return st;
    if (s->schema->hash_key && !opt->key)
        return fl_fail(err, FLORIN_EUSAGE,
                       "the model's schema hashes identifiers with the key in '%s': give the path "
                       "of that file as `key`",
                       s->schema->hash_key);
    st = opt->key ? fl_key_load(opt->key, s->key, err) : fl_schema_key(s->schema, s->key, err);
    if (st) return st;
    fl_key_print(s->key, key);
    o->pairs_max = opt->pairs_max;
    o->pending_max = opt->pending_max;
    o->batch_max = opt->batch_max;
    o->when_full = (fl_full)opt->when_full;
    o->state = opt->state;
    o->key = key;
    return FLORIN_OK;
}

static florin_status open_batch(florin_scorer *s, florin_error *err)
{
    size_t n = s->batch_max = fl_scorer_batch_max(s->live);
    s->heads = fl_scorer_heads(s->live);
    s->event = fl_calloc(n, sizeof *s->event);
    s->place = fl_calloc(n, sizeof *s->place);
    s->row_of = fl_calloc(n, sizeof *s->row_of);
    s->status = fl_calloc(n, sizeof *s->status);
    s->error = fl_calloc(2 * n, sizeof *s->error);
    s->out = fl_calloc(n * (s->heads ? s->heads : 1), sizeof *s->out);
    return s->event && s->place && s->row_of && s->status && s->error && s->out
               ? FLORIN_OK
               : fl_fail(err, FLORIN_ENOMEM, "scorer: a batch of %zu events", n);
}

florin_status florin_scorer_open(florin_scorer **out, florin_model *model,
                                 const florin_scorer_options *opt, florin_error *err)
{
    fl_scorer_options o = {.batch_max = 0};
    char key[17];
    if (!out || !model)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_scorer_open: needs a model and a place for the "
                       "scorer");
    *out = NULL;
    florin_scorer *s = fl_calloc(1, sizeof *s);
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "scorer");
    s->model = model;
    atomic_fetch_add(&model->users, 1);
    s->schema = fl_model_schema(model->model);
    fl_api_types(s);
    florin_status st = read_options(s, opt, &o, key, err);
    if (!st) st = fl_scorer_open(&s->live, model->model, &o, err);
    if (!st) st = open_batch(s, err);
    if (st) {
        florin_scorer_close(s);
        return st;
    }
    *out = s;
    return FLORIN_OK;
}

void florin_scorer_close(florin_scorer *s)
{
    if (!s) return;
    fl_scorer_close(s->live);
    fl_api_model_leave(s->model);
    free(s->event);
    free(s->place);
    free(s->row_of);
    free(s->status);
    free(s->error);
    free(s->out);
    free(s);
}

florin_status florin_scorer_warm(florin_scorer *s, const char *path, int64_t until_us,
                                 const florin_context *ctx, florin_error *err)
{
    fl_log *log = NULL;
    char key[17];
    if (!s || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_scorer_warm: needs a log");
    florin_status st = fl_log_open(&log, path, err);
    if (st) return st;
    fl_key_print(s->key, key);
    if (strcmp(key, fl_log_key(log)))
        st = fl_fail(err, FLORIN_ESCHEMA,
                     "%s: its identifiers were hashed with another key than this scorer's: give "
                     "the key file of its schema as `key`",
                     path);
    s->last = 0;
    if (!st) st = fl_scorer_warm(s->live, log, until_us, ctx, err);
    fl_log_close(log);
    return st;
}

florin_status florin_scorer_save(const florin_scorer *s, const char *path, florin_error *err)
{
    char key[17];
    if (!s || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_scorer_save: needs a file");
    fl_key_print(s->key, key);
    return fl_state_save(s->live, path, key, err);
}

/* ---- names ---- */

const char *florin_scorer_name(const florin_scorer *s, florin_what what, uint32_t i,
                               uint32_t *number)
{
    if (!s) return NULL;
    for (uint32_t k = 0; k < fl_api_names(s->schema, what); k++) {
        const char *name = fl_api_name(s->schema, what, k);
        if (!name || i--) continue; /* sources of labels make no events */
        if (number) *number = (uint32_t)what << WHAT_SHIFT | k;
        return name;
    }
    return NULL;
}

florin_status florin_scorer_find(const florin_scorer *s, florin_what what, const char *name,
                                 uint32_t *number, florin_error *err)
{
    static const char *const whats[] = {"event type", "entity kind", "category",
                                        "number",     "mark",        "label"};
    char list[512] = "none";
    size_t used = 0;
    const char *have;
    if (!s || !name || !number || (uint32_t)what >= FL_LEN(whats))
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_scorer_find: needs a name and a place for its "
                       "number");
    for (uint32_t i = 0; (have = florin_scorer_name(s, what, i, number)); i++) {
        if (!strcmp(have, name)) return FLORIN_OK;
        int n = snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", have);
        if (n > 0 && (size_t)n < sizeof list - used) used += (size_t)n;
    }
    *number = UINT32_MAX;
    return fl_fail(err, FLORIN_ESCHEMA, "the model's schema has no %s '%.64s'; it has: %s",
                   whats[what], name, list);
}

/* ---- events ---- */

static void give_scores(const florin_scorer *s, const fl_head_out *from, florin_head_score *to)
{
    for (uint32_t h = 0; h < s->heads; h++)
        to[h] = (florin_head_score){from[h].probability, from[h].score, from[h].level,
                                    from[h].over_threshold, 0};
}

static florin_status score(florin_scorer *s, fl_score_mode mode, const florin_event *events,
                           uint32_t n, florin_head_score *scores, florin_status *item,
                           florin_error *err)
{
    const char *call = mode == FL_SCORE_PEEK ? "florin_peek" : "florin_score";
    if (!s || (n && (!events || !item)) || (n && !scores && s->heads))
        return fl_fail(err, FLORIN_EUSAGE, "%s: needs events, scores and item", call);
    if (n > s->batch_max)
        return fl_fail(err, FLORIN_EUSAGE, "%s: %u events, batch_max is %u", call, n, s->batch_max);
    florin_error *inner = s->error + s->batch_max;
    uint32_t good = 0;
    for (uint32_t i = 0; i < n; i++) {
        s->error[i].message[0] = 0;
        s->row_of[i] = FL_NONE;
        item[i] = fl_api_event(s, &events[i], &s->event[good], &s->error[i]);
        if (item[i]) continue;
        inner[good].message[0] = 0;
        s->place[good++] = i;
    }
    s->last = n;
    fl_scorer_events(s->live, s->event, good, mode, s->out, s->status, inner);
    for (uint32_t g = 0; g < good; g++) {
        uint32_t i = s->place[g];
        item[i] = s->status[g];
        if (item[i]) s->error[i] = inner[g];
        else s->row_of[i] = g;
        if (!item[i] && s->heads)
            give_scores(s, s->out + (size_t)g * s->heads, scores + (size_t)i * s->heads);
    }
    return FLORIN_OK;
}

florin_status florin_score(florin_scorer *s, const florin_event *events, uint32_t n,
                           florin_head_score *scores, florin_status *item, florin_error *err)
{
    return score(s, FL_SCORE_APPLY, events, n, scores, item, err);
}

florin_status florin_peek(florin_scorer *s, const florin_event *events, uint32_t n,
                          florin_head_score *scores, florin_status *item, florin_error *err)
{
    return score(s, FL_SCORE_PEEK, events, n, scores, item, err);
}

const char *florin_scorer_message(const florin_scorer *s, uint32_t i)
{
    return s && i < s->last ? s->error[i].message : "";
}

florin_status florin_reasons(florin_scorer *s, uint32_t i, uint32_t head, florin_reason *out,
                             uint32_t max, uint32_t *n, florin_error *err)
{
    fl_reason r[FL_REASONS_MAX];
    if (!s || !n || (max && !out))
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_reasons: needs a place for reasons and their "
                       "number");
    *n = 0;
    if (i >= s->last || s->row_of[i] == FL_NONE)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_reasons: event %u of the last call was not scored", i);
    if (head >= s->heads)
        return fl_fail(err, FLORIN_EUSAGE, "florin_reasons: head %u of %u", head, s->heads);
    if (max > FL_REASONS_MAX) max = FL_REASONS_MAX;
    *n = fl_scorer_reasons(s->live, head, fl_scorer_row(s->live, s->row_of[i]), r, max);
    for (uint32_t k = 0; k < *n; k++) {
        _Static_assert(sizeof out->code == sizeof r->code && sizeof out->text == sizeof r->text &&
                           sizeof out->normal == sizeof r->normal,
                       "same texts");
        memcpy(out[k].code, r[k].code, sizeof out->code);
        memcpy(out[k].text, r[k].text, sizeof out->text);
        memcpy(out[k].normal, r[k].normal, sizeof out->normal);
        out[k].share = r[k].share;
        out[k].value = r[k].value;
    }
    return FLORIN_OK;
}

/* ---- labels, entities, counts ---- */

florin_status florin_label(florin_scorer *s, const florin_label_arrival *l, florin_error *err)
{
    uint64_t id = 0;
    if (!s || !l) return fl_fail(err, FLORIN_EUSAGE, "florin_label: needs a label");
    if (!fl_api_type(s, l->type))
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: florin_scorer_find gives the numbers",
                       l->type);
    if (l->label >> WHAT_SHIFT != FLORIN_LABEL || (l->label & INDEX_MASK) >= s->schema->labels)
        return fl_fail(err, FLORIN_ESCHEMA, "label %u: florin_scorer_find gives the numbers",
                       l->label);
    florin_status st = fl_api_event_id(l->id, l->id_n, l->type, &id, err);
    if (st) return st;
    return fl_scorer_label(s->live, id, (int)(l->label & INDEX_MASK), l->value, l->arrival_us, err);
}

uint32_t florin_scorer_heads(const florin_scorer *s)
{
    return s ? s->heads : 0;
}

florin_status florin_scorer_head(const florin_scorer *s, uint32_t i, florin_head_info *out,
                                 florin_error *err)
{
    if (!s || !out || out->size != sizeof *out)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_scorer_head: begin the info with FLORIN_HEAD_INFO_INIT");
    if (i >= s->heads + fl_scorer_date_heads(s->live))
        return fl_fail(err, FLORIN_EUSAGE, "head %u: the model has %u", i,
                       s->heads + fl_scorer_date_heads(s->live));
    const fl_head *h = fl_scorer_head(s->live, i);
    out->name = fl_head_name(h);
    out->entity = fl_head_kind(h) < 0 ? NULL : s->schema->kind[fl_head_kind(h)].name;
    out->threshold = fl_head_threshold(h);
    return FLORIN_OK;
}

florin_status florin_score_entity(florin_scorer *s, uint32_t head, const char *id, uint32_t id_n,
                                  int64_t at_us, florin_head_score *score, florin_error *err)
{
    fl_head_out out;
    if (!s || !id || !id_n || id_n > TEXT_MAX || !score)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_score_entity: needs an identifier and a place "
                       "for the score");
    if (head < s->heads || head >= s->heads + fl_scorer_date_heads(s->live))
        return fl_fail(err, FLORIN_EUSAGE, "head %u judges no entity at a date", head);
    const char *kind = s->schema->kind[fl_head_kind(fl_scorer_head(s->live, head))].name;
    florin_status st =
        fl_scorer_entity(s->live, head, fl_entity_hash(s->key, kind, id, id_n), at_us, &out, err);
    if (st) return st;
    *score = (florin_head_score){out.probability, out.score, out.level, out.over_threshold, 0};
    return FLORIN_OK;
}

florin_status florin_scorer_stats(const florin_scorer *s, florin_scorer_counts *out,
                                  florin_error *err)
{
    if (!s || !out || out->size != sizeof *out)
        return fl_fail(err, FLORIN_EUSAGE,
                       "florin_scorer_stats: begin the counts with FLORIN_SCORER_COUNTS_INIT");
    fl_scorer_stats x = fl_scorer_stats_of(s->live);
    out->events = x.events;
    out->labels = x.labels;
    out->late = x.late;
    out->evicted = x.evicted;
    out->forgotten = x.forgotten;
    out->clock_us = x.clock_us;
    out->entities = 0;
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        out->entities += fl_scorer_entities(s->live, (int)k);
    return FLORIN_OK;
}
