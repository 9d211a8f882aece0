/* A policy over a log. Work is dealt out in runs of blocks; each thread counts for itself, in whole numbers, so that the sums are the
 * same whatever the threads. */
#include "policy/backtest.h"
#include "policy/block.h"
#include "policy/columns.h"
#include "policy/lists.h"
#include <stdatomic.h>
#include <stdio.h>

enum { RUN = 32, EXTRA = 3, N = FL_BLOCK_EVENTS, W = FL_BLOCK_WORDS };
enum { DISPUTED = 1, GOOD = 2, REFUNDED = 4 }; /* of an event */

typedef struct {
    uint64_t disputed[W], good[W], refunded[W], declined[W];
    int64_t amount[N];
} outcomes;

typedef struct {
    fl_cell *cell; /* [slots][N] */
    fl_block_stack stack;
    outcomes o;
    uint64_t (*bits)[W]; /* [items] */
    fl_tally all, action[FL_ACTIONS];
    fl_tally *matched, *decided; /* [items] */
    uint64_t *alone, *overlap;
} worker;

typedef struct {
    const fl_policy *p;
    const fl_log *log;
    const fl_backtest_options *opt;
    fl_columns *columns;
    fl_lists *lists;
    uint32_t segments, items, rules;
    fl_log_columns *segment;
    uint8_t *outcome;   /* [rows] */
    uint32_t types;     /* bit t: events of type t are looked at */
    uint8_t declined;   /* bits of marks */
    int64_t matured_us; /* events before it that have no label are good */
    /* by code of a value or number of an entity: until when it is listed; whether its text is like the pattern */
    int64_t *until[FL_SLOTS_MAX];
    double *like[FL_SLOTS_MAX];
    uint64_t *hash[FL_CATEGORIES_MAX]; /* by code */
    fl_action threshold[EXTRA];        /* items past the rules */
    uint32_t thresholds;
    struct block {
        uint32_t segment, rows;
        uint64_t first; /* in its segment */
    } * block;
    uint64_t blocks;
    atomic_ullong next;
    worker **worker;
    const florin_context *ctx;
} run;

/* ---- once ---- */

static florin_status find_label(const run *x, int *label, florin_error *err)
{
    const fl_schema *s = fl_log_schema(x->log);
    *label = x->opt->label ? fl_schema_label(s, x->opt->label) : s->risk_label;
    if (*label >= 0) return FLORIN_OK;
    if (!x->opt->label)
        return fl_fail(err, FLORIN_EINPUT,
                       "%s has no label, so what became of its events is not known",
                       fl_log_path(x->log));
    const char *names[FL_LABELS_MAX];
    for (uint32_t i = 0; i < s->labels; i++) names[i] = s->label[i].name;
    const char *near = fl_nearest(x->opt->label, names, s->labels);
    return fl_fail(err, FLORIN_EINPUT, "%s has no label '%.64s'%s%s%s", fl_log_path(x->log),
                   x->opt->label, near ? ": did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

/* Event types that a label speaks of. */
static florin_status find_types(run *x, int label, florin_error *err)
{
    const fl_schema *s = fl_log_schema(x->log);
    for (uint32_t i = 0; i < s->sources; i++) {
        if (s->source[i].label[label].value.sql) x->types |= 1u << i;
        if (s->source[i].label_of == label) x->types |= 1u << s->source[i].label_event;
    }
    if (!x->opt->type) return FLORIN_OK;
    int t = fl_schema_source(s, x->opt->type);
    if (t < 0 || s->source[t].label_of >= 0)
        return fl_fail(err, FLORIN_EINPUT, "%s has no event type '%.64s'", fl_log_path(x->log),
                       x->opt->type);
    x->types = 1u << t;
    return FLORIN_OK;
}

static bool named(const char *name, const char *begin)
{
    return !strncmp(name, begin, strlen(begin));
}

/* The last label that came counts. */
static florin_status read_outcomes(run *x, fl_backtest *out, int label, florin_error *err)
{
    const fl_schema *s = fl_log_schema(x->log);
    const fl_label *l = fl_log_label_array(x->log);
    uint8_t set[FL_LABELS_MAX][2] = {{0}};
    x->outcome = fl_calloc(fl_log_rows(x->log) + 1, 1);
    if (!x->outcome) return fl_fail(err, FLORIN_ENOMEM, "backtest");
    set[label][0] = GOOD;
    set[label][1] = DISPUTED;
    for (uint32_t i = 0; i < s->labels; i++)
        if ((int)i != label && named(s->label[i].name, "refund")) {
            set[i][1] = REFUNDED;
            out->refunds = true;
        }
    for (uint64_t i = 0; i < fl_log_labels(x->log); i++) {
        uint8_t *o = &x->outcome[l[i].row];
        const uint8_t *v = set[l[i].label];
        *o = (uint8_t)((*o & ~(v[0] | v[1])) | v[l[i].value > 0]);
    }
    for (uint32_t i = 0; i < s->marks; i++)
        if (named(s->mark[i].name, "declined") || named(s->mark[i].name, "blocked"))
            x->declined |= (uint8_t)(1u << i);
    out->declines = x->declined != 0;
    x->matured_us =
        x->opt->matured_us > 0 ? fl_log_time_max(x->log) - x->opt->matured_us : INT64_MIN;
    return FLORIN_OK;
}

static uint32_t codes_of(const run *x, const fl_slot *s)
{
    return s->from == FL_FROM_CATEGORY ? fl_log_values(x->log, s->index) + 1
           : s->from == FL_FROM_ENTITY ? fl_log_entities(x->log, s->index)
                                       : 0;
}

static uint64_t hash_of_code(const run *x, const fl_slot *s, uint32_t code)
{
    if (s->from == FL_FROM_ENTITY) return fl_log_entity_hash(x->log, s->index, code);
    return code ? fl_log_value_hash(x->log, s->index, code - 1) : 0;
}

/* Lists and patterns are asked once for each value, not for each event. */
static florin_status ask_values(run *x, size_t i, florin_error *err)
{
    const fl_slot *s = &x->p->slot[i], *of = &x->p->slot[s->of];
    uint32_t codes = codes_of(x, of);
    if (!codes) return FLORIN_OK;
    if (s->from == FL_FROM_LISTED) {
        x->until[i] = fl_calloc(codes, sizeof *x->until[i]);
        if (!x->until[i]) return fl_fail(err, FLORIN_ENOMEM, "backtest");
        for (uint32_t c = 0; c < codes; c++)
            x->until[i][c] = fl_lists_until(x->lists, s->index, hash_of_code(x, of, c));
        return FLORIN_OK;
    }
    x->like[i] = fl_calloc(codes, sizeof *x->like[i]);
    if (!x->like[i]) return fl_fail(err, FLORIN_ENOMEM, "backtest");
    for (uint32_t c = 0; c < codes; c++) {
        size_t n = 0;
        const char *text =
            c ? fl_log_value_text(x->log, of->index, hash_of_code(x, of, c), &n) : NULL;
        x->like[i][c] = text && n ? fl_like(x->p->pattern[s->index], text, n) : NAN;
    }
    return FLORIN_OK;
}

static florin_status ask_slots(run *x, fl_backtest *out, florin_error *err)
{
    florin_status st = fl_lists_open(&x->lists, x->p, NULL, err);
    for (size_t i = 0; i < x->p->slots && !st; i++) {
        const fl_slot *s = &x->p->slot[i];
        if (s->from == FL_FROM_LISTED || s->from == FL_FROM_LIKE) st = ask_values(x, i, err);
        out->metadata |= s->from == FL_FROM_METADATA;
        if (s->from != FL_FROM_CATEGORY || x->hash[s->index]) continue;
        uint32_t codes = codes_of(x, s);
        x->hash[s->index] = fl_calloc(codes, sizeof(uint64_t));
        if (!x->hash[s->index]) return fl_fail(err, FLORIN_ENOMEM, "backtest");
        for (uint32_t c = 0; c < codes; c++) x->hash[s->index][c] = hash_of_code(x, s, c);
    }
    return st;
}

static florin_status cut_blocks(run *x, florin_error *err)
{
    x->segments = fl_log_segments(x->log);
    x->segment = fl_calloc(x->segments + 1, sizeof *x->segment);
    x->block = fl_calloc(fl_log_rows(x->log) / N + x->segments + 1, sizeof *x->block);
    if (!x->segment || !x->block) return fl_fail(err, FLORIN_ENOMEM, "backtest");
    for (uint32_t s = 0; s < x->segments; s++) {
        x->segment[s] = fl_log_columns_of(x->log, s);
        for (uint64_t r = 0; r < x->segment[s].rows; r += N) {
            uint64_t n = x->segment[s].rows - r;
            x->block[x->blocks++] = (struct block){s, (uint32_t)(n < N ? n : N), r};
        }
    }
    return FLORIN_OK;
}

/* ---- filling the slots of a block ---- */

static void fill_stored(const float *column, uint64_t row, uint32_t n, fl_cell *out)
{
    for (uint32_t i = 0; i < n; i++) out[i].number = column[row + i];
}

static void fill_level(const fl_policy *p, const float *column, uint64_t row, uint32_t n,
                       fl_cell *out)
{
    for (uint32_t i = 0; i < n; i++) out[i].hash = p->level_hash[(int)column[row + i] % 3];
}

static void fill_numbers(const fl_log_columns *c, uint32_t field, uint64_t at, uint32_t n,
                         fl_cell *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i].number = c->present[at + i] >> field & 1 ? c->number[field][at + i] : NAN;
}

static void fill_listed(const run *x, size_t slot, const fl_log_columns *c, uint64_t at, uint32_t n,
                        const fl_cell *cell, fl_cell *out)
{
    const fl_slot *s = &x->p->slot[slot], *of = &x->p->slot[s->of];
    const int64_t *until = x->until[slot];
    bool entity = of->from == FL_FROM_ENTITY;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t hash = cell[(size_t)s->of * N + i].hash;
        uint32_t code = !until   ? 0
                        : entity ? c->entity[of->index][at + i]
                                 : c->category[of->index][at + i];
        int64_t end = !hash ? 0 : until ? until[code] : fl_lists_until(x->lists, s->index, hash);
        out[i].number = hash ? end > c->time_us[at + i] : NAN;
    }
}

/* What the log has as it lies there, with the code that judges one event. */
static void fill_event(const run *x, const fl_slot *s, const fl_log_columns *c, uint64_t at,
                       uint32_t n, fl_cell *out)
{
    for (uint32_t i = 0; i < n; i++) {
        fl_event e = {.time_us = c->time_us[at + i],
                      .amount_minor = c->amount_minor[at + i],
                      .type = c->type[at + i],
                      .currency = c->currency[at + i]};
        fl_policy_view v = {.event = &e};
        out[i] = fl_slot_cell(x->p, s, &v);
    }
}

static void fill(const run *x, size_t slot, const fl_log_columns *c, uint64_t at, uint32_t n,
                 fl_cell *cell)
{
    const fl_slot *s = &x->p->slot[slot];
    fl_cell *out = cell + slot * N;
    const float *stored = fl_columns_of(x->columns, (uint32_t)slot);
    switch ((fl_attr_from)s->from) {
    case FL_FROM_LEVEL: fill_level(x->p, stored, c->first + at, n, out); break;
    case FL_FROM_ROW:
    case FL_FROM_SCORE:
    case FL_FROM_PROBABILITY:
    case FL_FROM_RING: fill_stored(stored, c->first + at, n, out); break;
    case FL_FROM_NUMBER: fill_numbers(c, s->index, at, n, out); break;
    case FL_FROM_CATEGORY:
        for (uint32_t i = 0; i < n; i++)
            out[i].hash = x->hash[s->index][c->category[s->index][at + i]];
        break;
    case FL_FROM_ENTITY:
        for (uint32_t i = 0; i < n; i++) {
            uint32_t e = c->entity[s->index][at + i];
            out[i].hash = e == FL_NONE ? 0 : fl_log_entity_hash(x->log, s->index, e);
        }
        break;
    case FL_FROM_LISTED: fill_listed(x, slot, c, at, n, cell, out); break;
    case FL_FROM_LIKE:
        for (uint32_t i = 0; i < n; i++)
            out[i].number =
                x->like[slot] ? x->like[slot][c->category[x->p->slot[s->of].index][at + i]] : NAN;
        break;
    default: fill_event(x, s, c, at, n, out);
    }
}

/* What became of the events of a block; returns which of them are looked at. */
static void read_block(const run *x, const fl_log_columns *c, uint64_t at, uint32_t n, outcomes *o,
                       uint64_t *look)
{
    memset(o, 0, offsetof(outcomes, amount));
    memset(look, 0, W * sizeof *look);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << (i % 64);
        uint8_t out = x->outcome[c->first + at + i];
        int64_t t = c->time_us[at + i], amount = c->amount_minor[at + i];
        uint32_t w = i / 64;
        if (!(out & (DISPUTED | GOOD)) && t < x->matured_us) out |= GOOD;
        if (x->types >> c->type[at + i] & 1 && t >= x->opt->from_us && t < x->opt->to_us)
            look[w] |= bit;
        if (out & DISPUTED) o->disputed[w] |= bit;
        if (out & GOOD) o->good[w] |= bit;
        if (out & REFUNDED) o->refunded[w] |= bit;
        if (c->marks[at + i] & x->declined) o->declined[w] |= bit;
        /* Sums are of the schema's currency alone. */
        o->amount[i] = amount == FL_AMOUNT_NONE || c->currency[at + i] ? 0 : amount;
    }
}

/* ---- counting ---- */

static uint64_t ones(uint64_t x)
{
    return (uint64_t)__builtin_popcountll(x);
}

static void tally(fl_tally *t, const uint64_t *bits, const outcomes *o)
{
    for (int w = 0; w < W; w++) {
        uint64_t b = bits[w];
        if (!b) continue;
        t->events += ones(b);
        t->disputed += ones(b & o->disputed[w]);
        t->good += ones(b & o->good[w]);
        t->unknown += ones(b & ~(o->disputed[w] | o->good[w]));
        t->refunded += ones(b & o->refunded[w]);
        t->declined += ones(b & o->declined[w]);
        for (; b; b &= b - 1) {
            int i = __builtin_ctzll(b);
            int64_t amount = o->amount[64 * w + i];
            t->amount += amount;
            t->amount_disputed += (o->disputed[w] >> i & 1) ? amount : 0;
            t->amount_good += (o->good[w] >> i & 1) ? amount : 0;
        }
    }
}

/* A threshold as bits, each event by its own entity's. */
static void threshold_bits(const run *x, fl_action a, const fl_cell *cell, uint64_t *bits)
{
    const fl_cell *score = cell + (size_t)x->p->score_slot * N,
                  *per = cell + (size_t)(x->p->pers ? x->p->per_slot : 0) * N;
    memset(bits, 0, W * sizeof *bits);
    for (uint32_t i = 0; i < N; i++) {
        fl_thresholds t = x->p->pers ? fl_thresholds_of(x->p, per[i].hash) : x->p->at;
        float from = a == FL_BLOCK ? t.block : a == FL_REVIEW ? t.review : t.request_3ds;
        bits[i / 64] |= (uint64_t)((float)score[i].number >= from) << (i % 64);
    }
}

typedef struct {
    uint64_t left[W]; /* not decided yet */
    worker *w;
} deciding;

static void take(deciding *d, uint32_t item, fl_action a)
{
    uint64_t bits[W], any = 0;
    for (int w = 0; w < W; w++) {
        bits[w] = d->w->bits[item][w] & d->left[w];
        d->left[w] &= ~bits[w];
        any |= bits[w];
    }
    if (!any) return;
    tally(&d->w->decided[item], bits, &d->w->o);
    tally(&d->w->action[a], bits, &d->w->o);
}

static void take_kind(const run *x, deciding *d, size_t *at, fl_action kind)
{
    for (; *at < x->rules && x->p->rule[x->p->order[*at]].action == kind; ++*at)
        take(d, x->p->order[*at], kind);
}

static void take_threshold(const run *x, deciding *d, fl_action a)
{
    for (uint32_t i = 0; i < x->thresholds; i++)
        if (x->threshold[i] == a) take(d, x->rules + i, a);
}

/* The order of fl_policy_judge. Where an entity's own thresholds turn the order of review and 3DS round, the file's counts. */
static void decide(const run *x, worker *w, const uint64_t *look)
{
    deciding d = {.w = w};
    size_t at = 0;
    memcpy(d.left, look, sizeof d.left);
    take_kind(x, &d, &at, FL_REQUEST_3DS);
    take_kind(x, &d, &at, FL_ALLOW);
    take_kind(x, &d, &at, FL_BLOCK);
    take_threshold(x, &d, FL_BLOCK);
    take_kind(x, &d, &at, FL_REVIEW);
    if (x->p->at.request_3ds > x->p->at.review) take_threshold(x, &d, FL_REQUEST_3DS);
    take_threshold(x, &d, FL_REVIEW);
    take_threshold(x, &d, FL_REQUEST_3DS);
    tally(&w->action[FL_ALLOW], d.left, &w->o);
}

static void overlaps(const run *x, worker *w)
{
    uint64_t once[W] = {0}, twice[W] = {0};
    uint32_t hit[FL_RULES_MAX + EXTRA], hits = 0;
    for (uint32_t r = 0; r < x->items; r++) {
        uint64_t any = 0;
        for (int k = 0; k < W; k++) {
            twice[k] |= once[k] & w->bits[r][k];
            once[k] |= w->bits[r][k];
            any |= w->bits[r][k];
        }
        if (any) hit[hits++] = r;
    }
    for (uint32_t i = 0; i < hits; i++) {
        const uint64_t *a = w->bits[hit[i]];
        for (int k = 0; k < W; k++) w->alone[hit[i]] += ones(a[k] & ~twice[k]);
        for (uint32_t j = i + 1; j < hits; j++) {
            uint64_t n = 0;
            for (int k = 0; k < W; k++) n += ones(a[k] & w->bits[hit[j]][k]);
            w->overlap[(size_t)hit[i] * x->items + hit[j]] += n;
        }
    }
}

static void one_block(const run *x, worker *w, const struct block *b)
{
    const fl_log_columns *c = &x->segment[b->segment];
    uint64_t look[W];
    for (size_t s = 0; s < x->p->slots; s++) fill(x, s, c, b->first, b->rows, w->cell);
    read_block(x, c, b->first, b->rows, &w->o, look);
    for (uint32_t r = 0; r < x->rules; r++)
        fl_block_eval(x->p, &x->p->rule[r], w->cell, &w->stack, w->bits[r]);
    for (uint32_t i = 0; i < x->thresholds; i++)
        threshold_bits(x, x->threshold[i], w->cell, w->bits[x->rules + i]);
    for (uint32_t r = 0; r < x->items; r++) {
        for (int k = 0; k < W; k++) w->bits[r][k] &= look[k];
        tally(&w->matched[r], w->bits[r], &w->o);
    }
    tally(&w->all, look, &w->o);
    decide(x, w, look);
    overlaps(x, w);
}

static void work(void *arg, uint32_t thread)
{
    run *x = arg;
    for (;;) {
        uint64_t first = atomic_fetch_add(&x->next, RUN);
        if (first >= x->blocks || fl_cancelled(x->ctx)) return;
        for (uint64_t b = first; b < x->blocks && b < first + RUN; b++)
            one_block(x, x->worker[thread], &x->block[b]);
    }
}

/* ---- the whole ---- */

static void free_worker(worker *w)
{
    if (!w) return;
    free(w->cell);
    free(w->bits);
    free(w->matched);
    free(w->decided);
    free(w->alone);
    free(w->overlap);
    free(w);
}

static worker *new_worker(const run *x)
{
    worker *w = fl_calloc(1, sizeof *w);
    size_t items = x->items ? x->items : 1;
    if (!w) return NULL;
    w->cell = fl_calloc((x->p->slots + 1) * N, sizeof *w->cell);
    w->bits = fl_calloc(items, sizeof *w->bits);
    w->matched = fl_calloc(items, sizeof *w->matched);
    w->decided = fl_calloc(items, sizeof *w->decided);
    w->alone = fl_calloc(items, sizeof *w->alone);
    w->overlap = fl_calloc(items * items, sizeof *w->overlap);
    if (w->cell && w->bits && w->matched && w->decided && w->alone && w->overlap) return w;
    free_worker(w);
    return NULL;
}

static void add_tally(fl_tally *to, const fl_tally *t)
{
    to->events += t->events;
    to->disputed += t->disputed;
    to->good += t->good;
    to->unknown += t->unknown;
    to->refunded += t->refunded;
    to->declined += t->declined;
    to->amount += t->amount;
    to->amount_disputed += t->amount_disputed;
    to->amount_good += t->amount_good;
}

static void add_worker(const run *x, fl_backtest *out, const worker *w)
{
    add_tally(&out->all, &w->all);
    for (int a = 0; a < FL_ACTIONS; a++) add_tally(&out->action[a], &w->action[a]);
    for (uint32_t i = 0; i < x->items; i++) {
        add_tally(&out->item[i].matched, &w->matched[i]);
        add_tally(&out->item[i].decided, &w->decided[i]);
        out->item[i].alone += w->alone[i];
        for (uint32_t j = i + 1; j < x->items; j++) {
            out->overlap[(size_t)i * x->items + j] += w->overlap[(size_t)i * x->items + j];
            out->overlap[(size_t)j * x->items + i] = out->overlap[(size_t)i * x->items + j];
        }
    }
}

static florin_status name_items(run *x, fl_backtest *out, florin_error *err)
{
    static const char *const names[FL_ACTIONS] = {NULL, "threshold of 3DS", "threshold of review",
                                                  "threshold of block"};
    float at[FL_ACTIONS];
    fl_policy_thresholds(x->p, at);
    for (size_t i = 0; i < x->p->pers; i++) {
        const fl_thresholds *own = &x->p->per_at[i].at;
        at[FL_BLOCK] = fminf(at[FL_BLOCK], own->block);
        at[FL_REVIEW] = fminf(at[FL_REVIEW], own->review);
        at[FL_REQUEST_3DS] = fminf(at[FL_REQUEST_3DS], own->request_3ds);
    }
    x->rules = fl_policy_rules(x->p);
    for (int a = FL_ACTIONS - 1; a > 0; a--)
        if (x->p->score_slot != FL_POLICY_NONE && at[a] < 100)
            x->threshold[x->thresholds++] = (fl_action)a;
    out->items = x->items = x->rules + x->thresholds;
    out->item = fl_calloc(x->items + 1, sizeof *out->item);
    out->overlap = fl_calloc((size_t)x->items * x->items + 1, sizeof *out->overlap);
    if (!out->item || !out->overlap) return fl_fail(err, FLORIN_ENOMEM, "backtest");
    for (uint32_t i = 0; i < x->items; i++) {
        bool rule = i < x->rules;
        fl_action a = rule ? fl_policy_rule_action(x->p, i) : x->threshold[i - x->rules];
        out->item[i] = (fl_backtest_item){.name = rule ? fl_policy_rule_name(x->p, i) : names[a],
                                          .text = rule ? fl_policy_rule_text(x->p, i) : "",
                                          .action = (uint8_t)a};
    }
    return FLORIN_OK;
}

static florin_status work_all(run *x, fl_backtest *out, florin_error *err)
{
    fl_team *team = fl_team_new(fl_threads(x->ctx), false);
    uint32_t threads = team ? fl_team_size(team) : 0;
    x->worker = fl_calloc(threads + 1, sizeof *x->worker);
    florin_status st = team && x->worker ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "backtest");
    for (uint32_t i = 0; i < threads && !st; i++) {
        x->worker[i] = new_worker(x);
        if (!x->worker[i]) st = fl_fail(err, FLORIN_ENOMEM, "backtest");
    }
    int64_t began = fl_monotonic_us(x->ctx);
    if (!st) fl_team_run(team, work, x);
    out->seconds = (double)(fl_monotonic_us(x->ctx) - began) * 1e-6;
    if (!st && fl_cancelled(x->ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    for (uint32_t i = 0; i < threads && x->worker; i++) {
        if (!st) add_worker(x, out, x->worker[i]);
        free_worker(x->worker[i]);
    }
    fl_team_free(team);
    return st;
}

static void close_run(run *x)
{
    fl_columns_close(x->columns);
    fl_lists_close(x->lists);
    free(x->segment);
    free(x->outcome);
    free(x->block);
    free(x->worker);
    for (int i = 0; i < FL_SLOTS_MAX; i++) {
        free(x->until[i]);
        free(x->like[i]);
    }
    for (int i = 0; i < FL_CATEGORIES_MAX; i++) free(x->hash[i]);
    free(x);
}

florin_status fl_backtest_run(fl_backtest *out, const fl_policy *p, const fl_model *m,
                              const fl_log *log, const fl_backtest_options *opt,
                              const florin_context *ctx, florin_error *err)
{
    int label = -1;
    memset(out, 0, sizeof *out);
    if (!m || fl_names_are_free(fl_policy_names(p)))
        return fl_fail(err, FLORIN_EUSAGE, "a backtest needs the policy's model");
    run *x = fl_calloc(1, sizeof *x);
    if (!x) return fl_fail(err, FLORIN_ENOMEM, "backtest");
    *x = (run){.p = p, .log = log, .opt = opt, .ctx = ctx};
    florin_status st = fl_schema_same(fl_model_schema(m), fl_log_schema(log), err);
    if (!st) st = find_label(x, &label, err);
    if (!st) st = find_types(x, label, err);
    if (!st) st = fl_columns_open(&x->columns, opt->folder, p, m, log, ctx, err);
    if (!st) st = read_outcomes(x, out, label, err);
    if (!st) st = ask_slots(x, out, err);
    if (!st) st = cut_blocks(x, err);
    if (!st) st = name_items(x, out, err);
    if (!st) st = work_all(x, out, err);
    if (!st) {
        out->made = fl_columns_made(x->columns);
        snprintf(out->label, sizeof out->label, "%s", fl_log_schema(log)->label[label].name);
    }
    close_run(x);
    if (st) fl_backtest_free(out);
    return st;
}

void fl_backtest_free(fl_backtest *b)
{
    free(b->item);
    free(b->overlap);
    memset(b, 0, sizeof *b);
}
