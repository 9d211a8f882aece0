/* The live path. Owns entity tables, pair tables and the ring of events that await labels; asks the fold and the
 * model for everything else, so that live and offline cannot differ. */
#include "score/state.h"
#include "fold/replay.h"
#include <math.h>

/* Times beyond +-2^60 us (36,000 years) are nonsense and would overflow differences; amounts beyond 2^61 the same. */
static const int64_t TIME_LIMIT_US = INT64_C(1) << 60, AMOUNT_LIMIT = INT64_C(1) << 61;

/* Heads on events first, then those at a date: two passes over the file's order. */
static florin_status open_heads(fl_scorer *s, florin_error *err)
{
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < fl_heads(s->model); i++) {
            fl_head *h = NULL;
            florin_status st = fl_head_open(&h, s->model, i, err);
            if (st) return st;
            if (fl_head_per_event(h) != !pass) {
                fl_head_close(h);
                continue;
            }
            if (s->heads + s->date_heads == FL_SCORE_HEADS_MAX) {
                fl_head_close(h);
                return fl_fail(err, FLORIN_EFORMAT, "model has more than %d heads",
                               FL_SCORE_HEADS_MAX);
            }
            s->head[s->heads + s->date_heads] = h;
            if (pass) s->date_heads++;
            else s->heads++;
        }
    for (uint32_t i = s->heads; i < s->heads + s->date_heads; i++) {
        const fl_head *h = s->head[i];
        int kind = fl_head_kind(h);
        if (kind < 0)
            return fl_fail(err, FLORIN_EFORMAT, "head %s: its entity kind is not in the schema",
                           fl_head_name(h));
        for (uint32_t k = 0; k < fl_head_inputs(h); k++)
            if (fl_head_input(h, k) >= fl_model_entity_width(s->model, kind))
                return fl_fail(err, FLORIN_ESCHEMA, "head %s: input %u is not a column of a %s",
                               fl_head_name(h), k, s->schema->kind[kind].name);
    }
    return FLORIN_OK;
}

static bool has_stream(const fl_scorer *s, int kind)
{
    return s->role_kind[0] == kind || s->role_kind[1] == kind;
}

static bool open_tables(fl_scorer *s)
{
    for (int k = 0; k < (int)s->schema->kinds; k++)
        if (!fl_table_init(&s->table[k], s->opt.entities_max[k],
                           has_stream(s, k) ? s->state_bytes : 0))
            return false;
    for (uint32_t p = 0; p < s->schema->pairs; p++)
        if (!fl_table_init(&s->pairs[p], s->opt.pairs_max, 0)) return false;
    s->pending = fl_pages(s->opt.pending_max, sizeof *s->pending, &s->pending_block);
    return s->pending && fl_index_init(&s->pending_index, s->opt.pending_max, &s->pending->id,
                                       sizeof *s->pending);
}

static bool open_batch(fl_scorer *s)
{
    uint32_t n = s->opt.batch_max, most = 1;
    s->stride = ((size_t)fl_model_row_width(s->model) + 15) / 16 * 16;
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        if (fl_model_entity_width(s->model, (int)k) > most)
            most = fl_model_entity_width(s->model, (int)k);
    s->event = fl_calloc(n, sizeof *s->event);
    s->item = fl_calloc(n, sizeof *s->item);
    s->place = fl_calloc(n, sizeof *s->place);
    s->row = fl_alloc_aligned(n * s->stride, sizeof *s->row);
    s->entity_row = fl_calloc(most, sizeof *s->entity_row);
    for (int r = 0; r < FL_STREAMS; r++) {
        s->spare_state[r] = fl_alloc_aligned(n, s->state_bytes);
        if (!s->spare_state[r]) return false;
    }
    return s->event && s->item && s->place && s->row && s->entity_row;
}

/* Put in the defaults of options. */
static florin_status complete(fl_scorer *s, florin_error *err)
{
    uint32_t most = 1;
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        if (!s->opt.entities_max[k]) s->opt.entities_max[k] = 1000000;
        if (s->opt.entities_max[k] > most) most = s->opt.entities_max[k];
    }
    if (!s->opt.pairs_max) s->opt.pairs_max = most > 2000000 ? 8000000 : 4 * most;
    if (!s->opt.pending_max) s->opt.pending_max = 1000000;
    if (!s->opt.batch_max) s->opt.batch_max = FL_SCORE_BATCH;
    if (s->opt.batch_max > FL_SCORE_BATCH_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "batch_max %u: at most %d", s->opt.batch_max,
                       FL_SCORE_BATCH_MAX);
    return FLORIN_OK;
}

florin_status fl_scorer_open(fl_scorer **out, const fl_model *model, const fl_scorer_options *opt,
                             florin_error *err)
{
    *out = NULL;
    fl_scorer *s = fl_calloc(1, sizeof *s);
    if (!s) return fl_fail(err, FLORIN_ENOMEM, "scorer");
    s->model = model;
    s->schema = fl_model_schema(model);
    s->state_bytes = fl_model_state_bytes(model);
    for (int r = 0; r < FL_STREAMS; r++) s->role_kind[r] = fl_model_stream_kind(model, r);
    s->stats.clock_us = INT64_MIN;
    if (opt) s->opt = *opt;

    florin_status st = FLORIN_OK;
    fl_saved *saved = NULL;
    if (s->opt.state) st = fl_saved_open(&saved, s->opt.state, model, s->opt.key, err);
    if (saved) fl_saved_capacities(saved, s->schema, &s->opt);
    if (!st) st = complete(s, err);
    if (st) goto done;
    if (!open_tables(s) || !open_batch(s)) {
        st = fl_fail(err, FLORIN_ENOMEM,
                     "tables for up to %u %ss, %u pairs and %u pending events: no memory",
                     s->opt.entities_max[0], s->schema->kind[0].name, s->opt.pairs_max,
                     s->opt.pending_max);
        goto done;
    }
    st = fl_model_scratch_new(&s->scratch, model, err);
    if (!st) st = fl_model_batch_new(&s->batch, model, s->opt.batch_max, err);
    if (!st) st = open_heads(s, err);
    if (!st) st = fl_reasoner_new(&s->reasoner, model, err);
    if (!st && saved) st = fl_saved_restore(saved, s, err);
    if (st) goto done;
    s->opt.state = s->opt.key = NULL; /* the caller's */
    *out = s;
    s = NULL;
done:
    fl_saved_close(saved);
    fl_scorer_close(s);
    return st;
}

void fl_scorer_close(fl_scorer *s)
{
    if (!s) return;
    for (int k = 0; k < FL_KINDS_MAX; k++) fl_table_free(&s->table[k]);
    for (int p = 0; p < FL_PAIRS_MAX; p++) fl_table_free(&s->pairs[p]);
    for (int r = 0; r < FL_STREAMS; r++) free(s->spare_state[r]);
    for (uint32_t i = 0; i < s->heads + s->date_heads; i++) fl_head_close(s->head[i]);
    fl_model_scratch_free(s->scratch);
    fl_model_batch_free(s->batch);
    fl_index_free(&s->pending_index);
    free(s->pending_block);
    free(s->event);
    free(s->item);
    free(s->place);
    free(s->row);
    free(s->entity_row);
    fl_reasoner_free(s->reasoner);
    free(s);
}

uint32_t fl_scorer_heads(const fl_scorer *s)
{
    return s->heads;
}

uint32_t fl_scorer_date_heads(const fl_scorer *s)
{
    return s->date_heads;
}

const fl_head *fl_scorer_head(const fl_scorer *s, uint32_t i)
{
    return s->head[i];
}

uint32_t fl_scorer_batch_max(const fl_scorer *s)
{
    return s->opt.batch_max;
}

fl_scorer_stats fl_scorer_stats_of(const fl_scorer *s)
{
    fl_scorer_stats x = s->stats;
    for (uint32_t k = 0; k < s->schema->kinds; k++) x.evicted += s->table[k].evicted;
    return x;
}

uint32_t fl_scorer_entities(const fl_scorer *s, int kind)
{
    return s->table[kind].count;
}

/* ---- asking for memory ahead of its use ---- */

static uint64_t pair_key(const fl_scorer *s, uint32_t p, const fl_event *e)
{
    uint64_t a = e->entity_hash[s->schema->pair[p].a], b = e->entity_hash[s->schema->pair[p].b];
    return a && b ? fl_pair_key(a, b) : 0;
}

/* The slots of everything an event names: all misses are in flight at once. */
void fl_scorer_fetch_soon(const fl_scorer *s, const fl_event *e)
{
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        if (e->entity_hash[k]) fl_index_fetch(&s->table[k].index, e->entity_hash[k]);
    for (uint32_t p = 0; p < s->schema->pairs; p++) {
        uint64_t key = pair_key(s, p, e);
        if (key) fl_index_fetch(&s->pairs[p].index, key);
    }
    if (e->id) fl_index_fetch(&s->pending_index, e->id);
}

/* Then records and states. */
void fl_scorer_fetch_next(fl_scorer *s, const fl_event *e)
{
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        if (e->entity_hash[k]) fl_table_fetch(&s->table[k], e->entity_hash[k]);
    for (uint32_t p = 0; p < s->schema->pairs; p++) {
        uint64_t key = pair_key(s, p, e);
        if (key) fl_table_fetch(&s->pairs[p], key);
    }
    /* It is there already when the event comes for its label. */
    uint32_t slot = e->id ? fl_index_guess(&s->pending_index, e->id) : FL_NONE;
    if (slot == FL_NONE) return;
    fl_prefetch(&s->pending[slot], sizeof *s->pending);
}

/* What the next event's place in the ring needs: the event that will be forgotten for it. */
static void fetch_pending(const fl_scorer *s)
{
    const pending_event *p = &s->pending[s->pending_next % s->opt.pending_max];
    if (s->pending_next >= s->opt.pending_max) fl_index_fetch(&s->pending_index, p->id);
    p = &s->pending[(s->pending_next + 1) % s->opt.pending_max];
    fl_prefetch(p, sizeof *p);
}

/* ---- one event ---- */

/* Refuse before anything is touched: what fails here leaves the scorer as it was. */
static florin_status check_event(const fl_scorer *s, const fl_event *e, fl_score_mode mode,
                                 florin_error *err)
{
    if (e->time_us <= -TIME_LIMIT_US || e->time_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "event time %lld us is out of range",
                       (long long)e->time_us);
    if (e->amount_minor != FL_AMOUNT_NONE &&
        (e->amount_minor <= -AMOUNT_LIMIT || e->amount_minor >= AMOUNT_LIMIT))
        return fl_fail(err, FLORIN_EINPUT, "amount %lld is out of range",
                       (long long)e->amount_minor);
    for (uint32_t i = 0; i < s->schema->numbers; i++)
        if (e->number_present >> i & 1 && !(fabsf(e->number[i]) <= 3e38f))
            return fl_fail(err, FLORIN_EINPUT, "number '%s' is not a finite number",
                           s->schema->number[i].name);
    if (e->type >= s->schema->sources)
        return fl_fail(err, FLORIN_ESCHEMA, "event type %u: the model's schema has %u", e->type,
                       s->schema->sources);
    if (e->id && fl_index_find(&s->pending_index, e->id) != FL_NONE)
        return fl_fail(err, FLORIN_EINPUT,
                       "event id was scored before: not scored or counted again");
    if (s->opt.when_full != FL_FULL_ERROR || mode == FL_SCORE_PEEK) return FLORIN_OK;
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        const fl_table *t = &s->table[k];
        if (e->entity_hash[k] && fl_table_is_full(t) &&
            fl_table_find(t, e->entity_hash[k]) == FL_NONE)
            return fl_fail(err, FLORIN_ENOMEM, "table of %s is full (%u): raise its capacity",
                           s->schema->kind[k].name, t->capacity);
    }
    return FLORIN_OK;
}

/* Would this event make a table forget an entity whose state the waiting events still need? */
static bool may_evict(const fl_scorer *s, const fl_event *e)
{
    for (int r = 0; r < FL_STREAMS; r++) {
        int k = s->role_kind[r];
        if (k >= 0 && e->entity_hash[k] && fl_table_is_full(&s->table[k]) &&
            fl_table_find(&s->table[k], e->entity_hash[k]) == FL_NONE)
            return true;
    }
    return false;
}

/* A record to work on: the table's own, or a copy (blank for an entity that has none) that is thrown away. */
static fl_fold_record *work_record(fl_table *t, uint32_t i, fl_score_mode mode,
                                   fl_fold_record *spare)
{
    if (i != FL_NONE && mode == FL_SCORE_APPLY) return fl_table_record(t, i);
    if (i != FL_NONE) *spare = *fl_table_record(t, i);
    else memset(spare, 0, sizeof *spare);
    return spare;
}

/* Number an event's entities and find their records. */
static void find_records(fl_scorer *s, fl_event *e, fl_score_mode mode, fl_fold_record **rec)
{
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) {
        rec[k] = NULL;
        e->entity[k] = FL_NONE;
        if (k >= s->schema->kinds || !e->entity_hash[k]) continue;
        fl_table *t = &s->table[k];
        e->entity[k] = mode == FL_SCORE_PEEK ? fl_table_find(t, e->entity_hash[k])
                                             : fl_table_use(t, e->entity_hash[k], s->opt.when_full);
        rec[k] = work_record(t, e->entity[k], mode, &s->spare[k]);
    }
}

static void find_pairs(fl_scorer *s, const fl_event *e, fl_score_mode mode, fl_fold_record **pair)
{
    for (uint32_t p = 0; p < FL_PAIRS_MAX; p++) {
        pair[p] = NULL;
        uint64_t key = p < s->schema->pairs ? pair_key(s, p, e) : 0;
        if (!key) continue;
        /* A pair is a refinement: when its table is full the oldest goes, whatever the entities' rule. */
        uint32_t i = mode == FL_SCORE_PEEK ? fl_table_find(&s->pairs[p], key)
                                           : fl_table_use(&s->pairs[p], key, FL_FULL_EVICT);
        pair[p] = work_record(&s->pairs[p], i, mode, &s->spare[FL_KINDS_MAX + p]);
    }
}

/* State of the event's entity in a stream; slot: which spare it may use. */
static fl_state *stream_state(fl_scorer *s, int stream, const fl_event *e, fl_score_mode mode,
                              uint32_t slot)
{
    int k = s->role_kind[stream];
    if (k < 0 || !e->entity_hash[k]) return NULL;
    fl_state *own = e->entity[k] == FL_NONE ? NULL : fl_table_state(&s->table[k], e->entity[k]);
    if (own && mode == FL_SCORE_APPLY) return own;
    uint8_t *spare = s->spare_state[stream] + slot * s->state_bytes;
    if (own) memcpy(spare, own, s->state_bytes);
    else memset(spare, 0, s->state_bytes);
    return (fl_state *)(void *)spare;
}

/* Keep what the event's labels will need. The ring forgets its oldest member. */
static void remember(fl_scorer *s, const fl_event *e, const fl_fold_carry *carry)
{
    if (!e->id) return;
    uint32_t slot = (uint32_t)(s->pending_next % s->opt.pending_max);
    pending_event *p = &s->pending[slot];
    if (s->pending_next >= s->opt.pending_max) {
        fl_index_remove(&s->pending_index, p->id);
        s->stats.forgotten++;
    }
    s->pending_next++;
    p->id = e->id;
    memcpy(p->hash, e->entity_hash, sizeof p->hash);
    for (uint32_t i = 0; i < s->schema->pairs; i++) p->pair[i] = pair_key(s, i, e);
    p->carry = *carry;
    fl_index_put(&s->pending_index, e->id, slot);
}

/* Everything but the network: checks, fold features into row, states of the streams. */
static florin_status fold(fl_scorer *s, fl_event *e, fl_score_mode mode, float *row,
                          fl_state *state[FL_STREAMS], uint32_t slot, florin_error *err)
{
    florin_status st = check_event(s, e, mode, err);
    if (st) return st;
    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    fl_fold_carry carry;
    int64_t clock_us = e->time_us > s->stats.clock_us ? e->time_us : s->stats.clock_us;
    memset(&carry, 0, sizeof carry);
    find_records(s, e, mode, rec);
    find_pairs(s, e, mode, pair);
    fl_fold_event(fl_model_plan(s->model), rec, pair, e, clock_us, row, &carry);
    for (int r = 0; r < FL_STREAMS; r++) state[r] = stream_state(s, r, e, mode, slot);
    if (mode == FL_SCORE_PEEK) return FLORIN_OK;
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        if (e->entity[k] != FL_NONE && e->time_us > s->table[k].entity[e->entity[k]].last_us)
            s->table[k].entity[e->entity[k]].last_us = e->time_us;
    s->stats.late += e->time_us < clock_us;
    s->stats.clock_us = clock_us;
    s->stats.events++;
    remember(s, e, &carry);
    return FLORIN_OK;
}

static void score_heads(const fl_scorer *s, const float *row, fl_head_out *out)
{
    for (uint32_t i = 0; i < s->heads; i++) fl_head_score(s->head[i], row, &out[i]);
}

static void expect_none(fl_scorer *s)
{
    for (uint32_t k = 0; k < s->schema->kinds; k++) s->table[k].coming = 0;
    for (uint32_t p = 0; p < s->schema->pairs; p++) s->pairs[p].coming = 0;
}

florin_status fl_scorer_event(fl_scorer *s, fl_event *e, float *row, fl_head_out *out,
                              florin_error *err)
{
    fl_state *state[FL_STREAMS];
    expect_none(s);
    fl_scorer_fetch_soon(s, e);
    fetch_pending(s);
    fl_scorer_fetch_next(s, e);
    florin_status st = fold(s, e, FL_SCORE_APPLY, row, state, 0, err);
    if (st) return st;
    fl_model_event(s->model, s->scratch, e, state[0], state[1], row);
    if (out) score_heads(s, row, out);
    return FLORIN_OK;
}

/* ---- a batch ---- */

/* The network for all that wait. One alone takes the path without the batch's copies: the same bits. */
static void run_waiting(fl_scorer *s)
{
    const fl_model_item *item = s->item + s->done;
    uint32_t n = s->items - s->done;
    if (n == 1)
        fl_model_event(s->model, s->scratch, item->event, item->state[0], item->state[1],
                       item->row);
    else if (n) fl_model_events(s->model, s->batch, item, n);
    s->done = s->items;
}

/* Fold one more event of a batch; place: the caller's number of it, below batch_max. */
static florin_status add_event(fl_scorer *s, const fl_event *event, uint32_t place,
                               fl_score_mode mode, florin_error *err)
{
    uint32_t i = s->items;
    fl_event *e = &s->event[i];
    fl_model_item *item = &s->item[i];
    *e = *event;
    item->event = e;
    item->row = s->row + place * s->stride;
    if (mode == FL_SCORE_APPLY && may_evict(s, e)) run_waiting(s);
    florin_status st = fold(s, e, mode, item->row, item->state, i, err);
    if (st) return st;
    s->place[i] = place;
    s->items++;
    return FLORIN_OK;
}

void fl_scorer_begin(fl_scorer *s)
{
    expect_none(s);
    s->items = s->done = 0;
}

florin_status fl_scorer_add(fl_scorer *s, const fl_event *event, florin_error *err)
{
    fetch_pending(s);
    return add_event(s, event, s->items, FL_SCORE_APPLY, err);
}

void fl_scorer_finish(fl_scorer *s, fl_head_out *out)
{
    enum { AT_ONCE = 64 };
    const float *row[AT_ONCE];
    fl_head_out score[AT_ONCE];

    run_waiting(s);
    for (uint32_t from = 0; from < s->items && out; from += AT_ONCE) {
        uint32_t n = s->items - from < AT_ONCE ? s->items - from : AT_ONCE;
        for (uint32_t i = 0; i < n; i++) row[i] = s->item[from + i].row;
        for (uint32_t h = 0; h < s->heads; h++) {
            fl_head_score_rows(s->head[h], row, n, score);
            for (uint32_t i = 0; i < n; i++)
                out[(size_t)s->place[from + i] * s->heads + h] = score[i];
        }
    }
}

void fl_scorer_events(fl_scorer *s, const fl_event *events, uint32_t n, fl_score_mode mode,
                      fl_head_out *out, florin_status *status, florin_error *err)
{
    fl_scorer_begin(s);
    for (uint32_t i = 0; i < n && i < FL_SCORE_SOON; i++) fl_scorer_fetch_soon(s, &events[i]);
    for (uint32_t i = 0; i < n && i < FL_SCORE_NEXT; i++) fl_scorer_fetch_next(s, &events[i]);
    for (uint32_t i = 0; i < n; i++) {
        if (i + FL_SCORE_SOON < n) fl_scorer_fetch_soon(s, &events[i + FL_SCORE_SOON]);
        if (i + FL_SCORE_NEXT < n) fl_scorer_fetch_next(s, &events[i + FL_SCORE_NEXT]);
        fetch_pending(s);
        status[i] = add_event(s, &events[i], i, mode, err ? &err[i] : NULL);
    }
    fl_scorer_finish(s, out);
}

const float *fl_scorer_row(const fl_scorer *s, uint32_t i)
{
    return s->row + i * s->stride;
}

/* ---- labels, warming up ---- */

/* Records of a pending event; NULL: gone. */
static void records_of(const fl_scorer *s, const pending_event *p, fl_fold_record **rec,
                       fl_fold_record **pair)
{
    memset(rec, 0, FL_KINDS_MAX * sizeof *rec);
    memset(pair, 0, FL_PAIRS_MAX * sizeof *pair);
    for (uint32_t k = 0; k < s->schema->kinds; k++) {
        /* Looked up again: the entity may have been evicted and its slot given to another since. */
        uint32_t i = p->hash[k] ? fl_table_find(&s->table[k], p->hash[k]) : FL_NONE;
        rec[k] = i == FL_NONE ? NULL : fl_table_record(&s->table[k], i);
    }
    for (uint32_t i = 0; i < s->schema->pairs; i++) {
        uint32_t x = p->pair[i] ? fl_table_find(&s->pairs[i], p->pair[i]) : FL_NONE;
        pair[i] = x == FL_NONE ? NULL : fl_table_record(&s->pairs[i], x);
    }
}

florin_status fl_scorer_marks(fl_scorer *s, uint64_t event_id, uint8_t before, uint8_t fresh,
                              int64_t amount_minor, int64_t arrival_us, florin_error *err)
{
    if (arrival_us <= -TIME_LIMIT_US || arrival_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "arrival %lld us is out of range",
                       (long long)arrival_us);
    uint32_t slot = event_id ? fl_index_find(&s->pending_index, event_id) : FL_NONE;
    if (slot == FL_NONE)
        return fl_fail(err, FLORIN_EINPUT,
                       "marks of an event that is unknown or older than the "
                       "last %u",
                       s->opt.pending_max);
    if (!fresh) return FLORIN_OK;
    pending_event *p = &s->pending[slot];
    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    records_of(s, p, rec, pair);
    /* Not the stream's clock: a result says nothing of how late it is. */
    fl_fold_marks(fl_model_plan(s->model), rec, pair, &p->carry, before, fresh, amount_minor,
                  s->stats.clock_us);
    return FLORIN_OK;
}

florin_status fl_scorer_label(fl_scorer *s, uint64_t event_id, int label, float value,
                              int64_t arrival_us, florin_error *err)
{
    if (label < 0 || label >= (int)s->schema->labels)
        return fl_fail(err, FLORIN_ESCHEMA, "label %d: the model's schema has %u", label,
                       s->schema->labels);
    if (!(value >= -1e30f && value <= 1e30f))
        return fl_fail(err, FLORIN_EINPUT, "label value is not a finite number");
    if (arrival_us <= -TIME_LIMIT_US || arrival_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "label arrival %lld us is out of range",
                       (long long)arrival_us);
    uint32_t slot = event_id ? fl_index_find(&s->pending_index, event_id) : FL_NONE;
    if (slot == FL_NONE)
        return fl_fail(err, FLORIN_EINPUT,
                       "label for an event that is unknown or older than the last %u",
                       s->opt.pending_max);
    s->stats.labels++;
    if (arrival_us > s->stats.clock_us) s->stats.clock_us = arrival_us;
    if (label != s->schema->risk_label) return FLORIN_OK;

    pending_event *p = &s->pending[slot];
    fl_fold_record *rec[FL_KINDS_MAX], *pair[FL_PAIRS_MAX];
    records_of(s, p, rec, pair);
    fl_fold_label(fl_model_plan(s->model), rec, pair, &p->carry, value, s->stats.clock_us);
    return FLORIN_OK;
}

/* One step of the log's order; *more false at the end. */
static florin_status warm_step(fl_scorer *s, fl_order *order, const fl_log *log, int64_t until_us,
                               bool *more, florin_error *err)
{
    uint64_t r = 0;
    fl_label label;
    fl_event event;
    int64_t clock_us;
    bool events = fl_order_peek(order) < until_us;
    /* Past the end nobody knows what time it is: only labels that the last event would have seen are applied. */
    int64_t at_us = until_us == INT64_MAX ? fl_order_clock(order) : until_us;
    fl_step step = events ? fl_order_next(order, &r, &label, &clock_us)
                          : fl_order_advance(order, at_us, &label, &clock_us);
    *more = step != FL_STEP_END;
    if (step == FL_STEP_EVENT) {
        fl_log_event(log, r, &event);
        if (s->items == s->opt.batch_max) {
            run_waiting(s);
            s->items = s->done = 0;
        }
        return add_event(s, &event, s->items, FL_SCORE_APPLY, err);
    }
    if (step == FL_STEP_LABEL) {
        fl_log_event(log, label.row, &event);
        /* An event that the ring has forgotten cannot take its label: the same as live, so not an error. */
        (void)fl_scorer_label(s, event.id, label.label, label.value, label.arrival_us, NULL);
    }
    return FLORIN_OK;
}

florin_status fl_scorer_warm(fl_scorer *s, const fl_log *log, int64_t until_us,
                             const florin_context *ctx, florin_error *err)
{
    florin_status st = fl_schema_same(s->schema, fl_log_schema(log), err);
    if (st) return st;
    fl_order *order = NULL;
    st = fl_order_open(&order, log, err);
    uint64_t n = fl_log_rows(log), begin = s->stats.events;
    bool more = true;
    s->items = s->done = 0;
    for (uint64_t steps = 1; !st && more; steps++) {
        st = warm_step(s, order, log, until_us, &more, err);
        if (st || steps % 65536) continue;
        fl_progress(ctx, "warming up", s->stats.events - begin, n);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "warming up: stopped");
    }
    run_waiting(s);
    s->items = s->done = 0;
    fl_order_close(order);
    return st;
}

/* ---- entities at a date, reasons ---- */

florin_status fl_scorer_entity(fl_scorer *s, uint32_t head, uint64_t hash, int64_t at_us,
                               fl_head_out *out, florin_error *err)
{
    const fl_head *h = s->head[head];
    int kind = fl_head_kind(h);
    const fl_table *t = &s->table[kind];
    uint32_t i = fl_table_find(t, hash);
    if (at_us <= -TIME_LIMIT_US || at_us >= TIME_LIMIT_US)
        return fl_fail(err, FLORIN_EINPUT, "date %lld us is out of range", (long long)at_us);
    if (i == FL_NONE)
        return fl_fail(err, FLORIN_EINPUT, "this %s has no history here: nothing to judge it by",
                       s->schema->kind[kind].name);
    fl_model_entity_row(s->model, kind, fl_table_record(t, i), fl_table_state(t, i),
                        t->entity[i].last_us, at_us, s->entity_row);
    fl_head_score(h, s->entity_row, out);
    return FLORIN_OK;
}

uint32_t fl_scorer_reasons(fl_scorer *s, uint32_t head, const float *row, fl_reason *out,
                           uint32_t max)
{
    return fl_reasons(s->reasoner, s->head[head], row, out, max);
}
