/* A log through the fold: the tables of records, and the carries of events whose labels are still to come.
 * Everything is allocated at open, after counting what the log will need; stepping allocates nothing. Slots of
 * carries are reused once an event's last label has come. */
#include "fold/order.h"

enum { AHEAD = 6 };
#define NO_SLOT UINT32_MAX

struct fl_replay {
    const fl_fold_plan *plan;
    const fl_log *log;
    fl_order *order;
    int risk;
    uint32_t kinds, pairs;
    uint64_t rows;
    fl_fold_record *table[FL_KINDS_MAX];
    uint32_t entities[FL_KINDS_MAX];
    fl_fold_record *pair_table[FL_PAIRS_MAX];
    uint32_t *pair_of[FL_PAIRS_MAX]; /* [rows] number of the row's pair, FL_NONE: none */
    uint32_t *slot;                  /* [rows] carry slot of a row that awaits labels */
    uint32_t *left;                  /* [rows] risk labels still to come; saturates */
    fl_fold_carry *carry;
    uint32_t *pair_at; /* [slots][pairs] */
    uint32_t
        *free_slot; /* ring of the free ones: taken in the order in which they were given back */
    uint32_t slots, free_first, free_last;
    fl_cursor ahead; /* the event whose records are being fetched */
    fl_fold_carry scratch;
};

static florin_status count_labels(fl_replay *r, florin_error *err)
{
    uint64_t rows = fl_log_rows(r->log), n = fl_log_labels(r->log);
    if (r->risk < 0 || n == 0) return FLORIN_OK;
    r->slot = fl_alloc(rows, sizeof *r->slot);
    r->left = fl_calloc(rows, sizeof *r->left);
    if (!r->slot || !r->left)
        return fl_fail(err, FLORIN_ENOMEM, "%s: replay of %llu rows", fl_log_path(r->log),
                       (unsigned long long)rows);
    memset(r->slot, 0xff, rows * sizeof *r->slot);
    for (uint64_t i = 0; i < n; i++) {
        const fl_label *l = fl_log_label_array(r->log) + i;
        if (l->label == r->risk && r->left[l->row] < UINT32_MAX) r->left[l->row]++;
    }
    return FLORIN_OK;
}

/* The most carries that wait at one moment, so that the stream itself allocates nothing. */
static florin_status reserve_slots(fl_replay *r, florin_error *err)
{
    uint32_t open = 0, most = 0;
    uint64_t rows = fl_log_rows(r->log), row;
    uint32_t *left;
    fl_order *o = NULL;
    fl_label l;
    int64_t clock;
    if (!r->left) return FLORIN_OK;
    left = fl_alloc(rows ? rows : 1, sizeof *left);
    if (!left) return fl_fail(err, FLORIN_ENOMEM, "%s: replay", fl_log_path(r->log));
    memcpy(left, r->left, rows * sizeof *left);
    florin_status st = fl_order_open(&o, r->log, err);
    if (st) goto done;
    for (fl_step s; (s = fl_order_next(o, &row, &l, &clock)) != FL_STEP_END;) {
        if (s == FL_STEP_EVENT) open += left[row] > 0;
        else if (l.label == r->risk && --left[l.row] == 0) open--;
        if (open > most) most = open;
    }
    r->slots = most;
    r->carry = fl_calloc(most ? most : 1, sizeof *r->carry);
    r->free_slot = fl_alloc(most ? most : 1, sizeof *r->free_slot);
    r->pair_at = fl_alloc(most ? most : 1, FL_PAIRS_MAX * sizeof *r->pair_at);
    if (!r->carry || !r->free_slot || !r->pair_at)
        st = fl_fail(err, FLORIN_ENOMEM, "%s: %u events that await labels", fl_log_path(r->log),
                     most);
    else
        for (uint32_t i = 0; i < most; i++) r->free_slot[i] = i;
done:
    fl_order_close(o);
    free(left);
    return st;
}

/* Number every pair that the log holds, in order of appearance. */
static florin_status number_pairs(fl_replay *r, uint32_t p, fl_pair pair, fl_map64 *number,
                                  florin_error *err)
{
    if (!fl_map64_init(number, 1024)) goto memory;
    r->pair_of[p] = fl_alloc(r->rows ? r->rows : 1, sizeof *r->pair_of[p]);
    if (!r->pair_of[p]) goto memory;
    for (uint64_t row = 0; row < r->rows; row++) {
        uint32_t a = fl_log_entity(r->log, pair.a, row), b = fl_log_entity(r->log, pair.b, row);
        bool fresh;
        r->pair_of[p][row] = FL_NONE;
        if (a == FL_NONE || b == FL_NONE) continue;
        uint32_t *n = fl_map64_insert(number,
                                      fl_pair_key(fl_log_entity_hash(r->log, pair.a, a),
                                                  fl_log_entity_hash(r->log, pair.b, b)),
                                      &fresh);
        if (!n) goto memory;
        if (fresh) *n = (uint32_t)number->count - 1;
        r->pair_of[p][row] = *n;
    }
    r->pair_table[p] = fl_alloc_aligned(number->count + 1, sizeof(fl_fold_record));
    if (r->pair_table[p]) return FLORIN_OK;
memory:
    return fl_fail(err, FLORIN_ENOMEM,
                   "%s: records of pairs: remove `pairs` from the schema, or give more memory",
                   fl_log_path(r->log));
}

static florin_status count_pairs(fl_replay *r, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (uint32_t p = 0; p < r->pairs && !st; p++) {
        fl_map64 number = {0};
        st = number_pairs(r, p, fl_log_schema(r->log)->pair[p], &number, err);
        fl_map64_free(&number);
    }
    return st;
}

florin_status fl_replay_open(fl_replay **out, const fl_fold_plan *plan, const fl_log *log,
                             florin_error *err)
{
    const fl_schema *s = fl_log_schema(log);
    fl_replay *r = fl_calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "%s: replay", fl_log_path(log));
    r->plan = plan;
    r->log = log;
    r->risk = s->labels ? s->risk_label : -1;
    r->kinds = s->kinds;
    r->pairs = s->pairs;
    r->rows = fl_log_rows(log);
    r->ahead = fl_cursor_start(log);
    florin_status st = fl_order_open(&r->order, log, err);
    for (uint32_t k = 0; !st && k < r->kinds; k++) {
        r->entities[k] = fl_log_entities(log, (int)k);
        r->table[k] = fl_alloc_aligned((size_t)r->entities[k] + 1, sizeof(fl_fold_record));
        if (!r->table[k])
            st = fl_fail(err, FLORIN_ENOMEM, "%s: records of %u entities (%s)", fl_log_path(log),
                         r->entities[k], s->kind[k].name);
    }
    if (!st) st = count_labels(r, err);
    if (!st) st = reserve_slots(r, err);
    if (!st) st = count_pairs(r, err);
    if (st) {
        fl_replay_close(r);
        return st;
    }
    *out = r;
    return FLORIN_OK;
}

void fl_replay_close(fl_replay *r)
{
    if (!r) return;
    fl_order_close(r->order);
    for (uint32_t k = 0; k < r->kinds; k++) free(r->table[k]);
    for (uint32_t p = 0; p < r->pairs; p++) {
        free(r->pair_table[p]);
        free(r->pair_of[p]);
    }
    free(r->slot);
    free(r->left);
    free(r->carry);
    free(r->pair_at);
    free(r->free_slot);
    free(r);
}

static void records_of(fl_replay *r, const uint32_t entity[FL_KINDS_MAX],
                       fl_fold_record *rec[FL_KINDS_MAX])
{
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++)
        rec[k] = k < r->kinds && entity[k] != FL_NONE ? &r->table[k][entity[k]] : NULL;
}

static void pairs_of(fl_replay *r, const uint32_t at[FL_PAIRS_MAX],
                     fl_fold_record *pair[FL_PAIRS_MAX])
{
    for (uint32_t p = 0; p < FL_PAIRS_MAX; p++)
        pair[p] = p < r->pairs && at[p] != FL_NONE ? &r->pair_table[p][at[p]] : NULL;
}

static void apply_label(fl_replay *r, const fl_label *l, int64_t clock_us)
{
    if (l->label != r->risk || r->slot[l->row] == NO_SLOT) return;
    uint32_t s = r->slot[l->row];
    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    records_of(r, r->carry[s].entity, rec);
    pairs_of(r, &r->pair_at[(size_t)s * FL_PAIRS_MAX], pair);
    fl_fold_label(r->plan, rec, pair, &r->carry[s], l->value, clock_us);
    if (--r->left[l->row] == 0) {
        r->slot[l->row] = NO_SLOT;
        r->free_slot[r->free_last] = s;
        r->free_last = r->free_last + 1 < r->slots ? r->free_last + 1 : 0;
    }
}

static void fetch_event(fl_replay *r, uint64_t row)
{
    if (row >= r->rows) return;
    r->ahead.row = row;
    if (row - r->ahead.at.first >= r->ahead.at.rows) fl_cursor_turn(&r->ahead);
    uint64_t i = row - r->ahead.at.first;
    for (uint32_t k = 0; k < r->kinds; k++) {
        uint32_t e = r->ahead.at.entity[k][i];
        if (e != FL_NONE) fl_prefetch(&r->table[k][e], sizeof(fl_fold_record));
    }
    for (uint32_t p = 0; p < r->pairs; p++) {
        uint32_t e = r->pair_of[p][row];
        if (e != FL_NONE) fl_prefetch(&r->pair_table[p][e], sizeof(fl_fold_record));
    }
}

/* Slot of the carry of the nth label from here, NO_SLOT: none yet. */
static uint32_t slot_ahead(const fl_replay *r, uint64_t n)
{
    uint64_t row = fl_order_label_ahead(r->order, n);
    return row < r->order->next.row ? r->slot[row] : NO_SLOT;
}

/* The same for labels to come: first the carry, then, nearer, what the label changes in its records. */
static void fetch_label(const fl_replay *r)
{
    uint32_t far = slot_ahead(r, 2 * AHEAD), near = slot_ahead(r, AHEAD);
    if (far != NO_SLOT) fl_prefetch(&r->carry[far], sizeof r->carry[far]);
    if (near == NO_SLOT) return;
    const uint32_t *entity = r->carry[near].entity,
                   *pair = &r->pair_at[(size_t)near * FL_PAIRS_MAX];
    for (uint32_t k = 0; k < r->kinds; k++)
        if (entity[k] != FL_NONE) fl_prefetch(&r->table[k][entity[k]], FL_FOLD_LABEL_BYTES);
    for (uint32_t p = 0; p < r->pairs; p++)
        if (pair[p] != FL_NONE) fl_prefetch(&r->pair_table[p][pair[p]], FL_FOLD_LABEL_BYTES);
}

static void apply_labels(fl_replay *r, int64_t clock_us)
{
    fl_order *o = r->order;
    const fl_label *plain;
    fl_label l;
    int64_t at_us;
    while ((plain = fl_order_plain_label(o, clock_us)) != NULL) {
        if (r->left) fetch_label(r);
        apply_label(r, plain, plain->arrival_us > o->clock_us ? plain->arrival_us : o->clock_us);
    }
    if (!fl_order_label_due(o, clock_us)) return;
    while (fl_order_advance(o, clock_us, &l, &at_us) == FL_STEP_LABEL) apply_label(r, &l, at_us);
}

bool fl_replay_next(fl_replay *r, uint64_t *row, fl_event *event, float *features,
                    const fl_fold_carry **carry)
{
    fl_order *o = r->order;
    if (o->next.row == o->rows) return false;
    const int64_t clock_us = fl_order_next_clock(o);
    apply_labels(r, clock_us);
    *row = o->next.row;
    fl_order_take(o, clock_us);
    fetch_event(r, *row + AHEAD);
    fl_log_event(r->log, *row, event);
    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    uint32_t at[FL_PAIRS_MAX];
    fl_fold_carry *c = &r->scratch;
    for (uint32_t p = 0; p < FL_PAIRS_MAX; p++)
        at[p] = p < r->pairs ? r->pair_of[p][*row] : FL_NONE;
    records_of(r, event->entity, rec);
    pairs_of(r, at, pair);
    if (r->left && r->left[*row]) {
        uint32_t s = r->free_slot[r->free_first];
        r->free_first = r->free_first + 1 < r->slots ? r->free_first + 1 : 0;
        r->slot[*row] = s;
        c = &r->carry[s];
        memcpy(&r->pair_at[(size_t)s * FL_PAIRS_MAX], at, sizeof at);
    }
    fl_fold_event(r->plan, rec, pair, event, clock_us, features, c);
    if (carry) *carry = c;
    return true;
}

void fl_replay_advance(fl_replay *r, int64_t at_us)
{
    fl_label l;
    int64_t clock_us;
    while (fl_order_advance(r->order, at_us, &l, &clock_us) == FL_STEP_LABEL)
        apply_label(r, &l, clock_us);
}

int64_t fl_replay_peek(const fl_replay *r)
{
    return fl_order_peek(r->order);
}

fl_fold_record *fl_replay_record(fl_replay *r, int kind, uint32_t entity)
{
    return &r->table[kind][entity];
}

uint64_t fl_replay_late(const fl_replay *r)
{
    return fl_order_late(r->order);
}

int64_t fl_replay_clock(const fl_replay *r)
{
    return fl_order_clock(r->order);
}
