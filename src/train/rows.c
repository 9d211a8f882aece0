/* Owns the encoded training rows. Invariant: nothing at or after T is read into them, and everything that is learnt
 * here is learnt from rows [0, train) alone. */
#include "model/backbone.h"
#include "train/rows.h"
#include <math.h>

/* First row at or after which the log has reached at_us. Rows are in log order; a late row does not turn it back. */
static uint64_t first_row_at(const fl_log *log, uint64_t rows, int64_t at_us)
{
    for (uint64_t r = 0; r < rows; r++)
        if (fl_log_time(log, r) >= at_us) return r;
    return rows;
}

static florin_status cut(fl_rows *r, const fl_log *log, const fl_train_config *c, florin_error *err)
{
    uint64_t rows = first_row_at(log, fl_log_rows(log), c->until_us);
    char until[32];

    fl_time_format(c->until_us, until);
    if (rows >= FL_NO_ROW)
        return fl_fail(err, FLORIN_EINPUT, "%s: more than 4 billion events before %s",
                       fl_log_path(log), until);
    if (rows < 16)
        return fl_fail(
            err, FLORIN_EINPUT,
            "%s: only %llu events before --until %s: nothing to learn from; choose a later moment",
            fl_log_path(log), (unsigned long long)rows, until);
    r->count = (uint32_t)rows;
    r->first_us = fl_log_time(log, 0);
    r->last_us = r->first_us;
    for (uint64_t i = 0; i < rows; i++) {
        int64_t t = fl_log_time(log, i);
        if (t < r->first_us) r->first_us = t;
        if (t > r->last_us) r->last_us = t;
    }
    r->valid_from_us = c->valid_from_us;
    if (r->valid_from_us == INT64_MIN) {
        double span = (double)(r->last_us - r->first_us);
        r->valid_from_us = r->last_us + 1 - (int64_t)(span * c->valid_share);
    }
    r->train = (uint32_t)first_row_at(log, rows, r->valid_from_us);
    if (r->train < 8) {
        char from[32];
        fl_time_format(r->valid_from_us, from);
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: only %u events before the validation moment %s: nothing to learn from; "
                       "choose a later one "
                       "with --valid-from",
                       fl_log_path(log), r->train, from);
    }
    return FLORIN_OK;
}

/* ---- sequences ---- */

/* Entities are numbered by first appearance, so that what comes after T can't move them. */
static florin_status number_entities(fl_sequences *q, uint32_t *of_row, const fl_log *log, int kind,
                                     uint32_t rows, florin_error *err)
{
    size_t cap = 0;
    florin_status st = FLORIN_OK;
    uint32_t *known = NULL; /* the log's number -> ours + 1 */
    uint32_t entities = fl_log_entities(log, kind);

    known = fl_calloc((size_t)entities + 1, sizeof *known);
    if (!known) return fl_fail(err, FLORIN_ENOMEM, "sequences of %u entities", entities);
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t e = fl_log_entity(log, kind, r);
        of_row[r] = FL_NONE;
        if (e == FL_NONE) continue;
        if (!known[e]) {
            if (!fl_grow((void **)&q->hash, &cap, (size_t)q->entities + 1, sizeof *q->hash)) {
                st = fl_fail(err, FLORIN_ENOMEM, "sequences of %u entities", q->entities);
                goto done;
            }
            q->hash[q->entities] = fl_log_entity_hash(log, kind, e);
            known[e] = ++q->entities;
        }
        of_row[r] = known[e] - 1;
        q->rows++;
    }
done:
    free(known);
    return st;
}

static florin_status build_sequences(fl_sequences *q, const fl_log *log, int kind, uint32_t rows,
                                     double unseen_share, florin_error *err)
{
    uint32_t *of_row = fl_alloc((size_t)rows + 1, sizeof *of_row);
    florin_status st;

    if (!of_row) return fl_fail(err, FLORIN_ENOMEM, "sequences of %u rows", rows);
    st = number_entities(q, of_row, log, kind, rows, err);
    if (st) goto done;
    q->start = fl_calloc((size_t)q->entities + 2, sizeof *q->start);
    q->row = fl_alloc((size_t)q->rows + 1, sizeof *q->row);
    q->unseen = fl_calloc((size_t)q->entities + 1, 1);
    if (!q->start || !q->row || !q->unseen) {
        st = fl_fail(err, FLORIN_ENOMEM, "sequences of %u entities", q->entities);
        goto done;
    }
    for (uint32_t r = 0; r < rows; r++)
        if (of_row[r] != FL_NONE) q->start[of_row[r] + 2]++;
    for (uint32_t e = 0; e < q->entities; e++) q->start[e + 2] += q->start[e + 1];
    for (uint32_t r = 0; r < rows; r++)
        if (of_row[r] != FL_NONE) q->row[q->start[of_row[r] + 1]++] = r;
    for (uint32_t e = 0; e < q->entities; e++)
        q->unseen[e] =
            (double)(fl_mix64(q->hash[e] ^ 0x756e7365656e) >> 11) * 0x1p-53 < unseen_share;
done:
    free(of_row);
    return st;
}

/* What follows the row at `at` of an entity's rows, whose recent gaps are these. */
static void note_return(const fl_rows *r, fl_sequences *q, uint64_t at, uint64_t end,
                        const fl_copy_slot gaps[FL_COPY_SLOTS])
{
    uint32_t row = q->row[at];
    bool never = at + 1 == end || q->row[at + 1] >= r->train;
    double passed = fl_rows_passed(r, row), all = 0, longer = 0, moments = 0;
    uint32_t gap = never ? FL_GAP_NEVER : fl_rows_gap(r, q->row[at + 1], row);

    for (uint32_t i = 0; i < FL_COPY_SLOTS; i++) {
        double weight = (double)fl_copy_weight(gaps[i]);
        uint32_t token = fl_copy_token(gaps[i]);
        all += weight;
        moments += token > FL_GAP_SAME ? weight : 0;
        longer += weight * (never ? fl_dt_longer(token, passed) : token == gap);
    }
    q->next[row] = (fl_return){.gap = (uint8_t)gap};
    if (!(all > 0)) return;
    q->next[row].answer = (float)(longer / all);
    q->next[row].moments = (float)(moments / all);
}

/* Each row's return, and how rare another moment is. */
static florin_status fill_returns(fl_rows *r, fl_sequences *q, florin_error *err)
{
    uint64_t rows = 0, over = 0;

    q->next = fl_calloc((size_t)r->count + 1, sizeof *q->next);
    if (!q->next) return fl_fail(err, FLORIN_ENOMEM, "gaps of %u events", r->count);
    for (uint32_t e = 0; e < q->entities; e++) {
        fl_copy_slot slot[FL_COPY_SLOTS] = {0};
        uint64_t from = q->start[e], end = q->start[e + 1];
        for (uint64_t i = from; i < end && q->row[i] < r->train; i++) {
            fl_copy_add(slot, fl_rows_gap(r, q->row[i], i > from ? q->row[i - 1] : FL_NO_ROW));
            note_return(r, q, i, end, slot);
            rows += !q->unseen[e];
            over += !q->unseen[e] && q->next[q->row[i]].gap != FL_GAP_SAME;
        }
    }
    q->moments = over ? (double)rows / (double)over : 1;
    return FLORIN_OK;
}

/* What a copy of the entity's recent tokens would say of each row, by the memory that inference keeps. */
static florin_status fill_shares(fl_rows *r, fl_sequences *q, const fl_network *n,
                                 const char *folder, const florin_context *ctx, florin_error *err)
{
    uint64_t memory = fl_memory(ctx);
    fl_target target[FL_TARGETS_MAX];
    uint32_t targets = fl_network_targets(n, target);
    fl_copy_slot slot[FL_TARGETS_MAX][FL_COPY_SLOTS];
    florin_status st = fl_scratch_new(&q->share_block, (size_t)r->count * targets, sizeof(float),
                                      (size_t)(memory / 8), folder, err);
    float *share = q->share_block.data;

    if (st) return st;
    for (uint32_t e = 0; e < q->entities; e++) {
        memset(slot, 0, sizeof slot);
        for (uint64_t i = q->start[e]; i < q->start[e + 1]; i++) {
            uint32_t row = q->row[i], before = i > q->start[e] ? q->row[i - 1] : FL_NO_ROW;
            for (uint32_t t = 0; t < targets; t++) {
                uint32_t token = fl_rows_target(r, &target[t], row, before);
                share[(size_t)row * targets + t] = fl_copy_share(slot[t], token);
                fl_copy_add(slot[t], token);
            }
        }
    }
    q->share = share;
    return FLORIN_OK;
}

/* ---- encoding ---- */

static int16_t fixed(float x)
{
    return (int16_t)lrintf(x * (float)FL_FIXED_ONE);
}

/* Mean and spread of each squashed fold feature over the training rows. Welford's update keeps it exact enough when a
 * feature is large and nearly constant. */
static florin_status fit_features(fl_network *n, const fl_log *log, const fl_fold_plan *plan,
                                  uint32_t rows, const florin_context *ctx, florin_error *err)
{
    uint32_t F = n->features;
    double *mean = fl_calloc((size_t)F + 1, sizeof *mean),
           *square = fl_calloc((size_t)F + 1, sizeof *square);
    float *x = fl_calloc((size_t)F + 1, sizeof *x);
    fl_replay *replay = NULL;
    florin_status st = FLORIN_OK;
    const fl_fold_carry *carry;
    fl_event event;
    uint64_t row, seen = 0;

    if (!mean || !square || !x) st = fl_fail(err, FLORIN_ENOMEM, "scales of %u features", F);
    if (!st) st = fl_replay_open(&replay, plan, log, err);
    while (!st && seen < rows && fl_replay_next(replay, &row, &event, x, &carry)) {
        double weight = 1.0 / (double)++seen;
        for (uint32_t i = 0; i < F; i++) {
            double v = (double)fl_squash(x[i]), d = v - mean[i];
            mean[i] += d * weight;
            square[i] += d * (v - mean[i]);
        }
        if (seen % 65536 == 0) {
            fl_progress(ctx, "learn scales", seen, rows);
            if (fl_cancelled(ctx))
                st = fl_fail(err, FLORIN_ECANCELLED, "stopped while reading the log");
        }
    }
    for (uint32_t i = 0; i < F && !st; i++) {
        double sd = sqrt(square[i] / (double)seen);
        n->feature_mean[i] = (float)mean[i];
        n->feature_scale[i] = sd > 1e-5 ? (float)sd : 1.0f;
    }
    if (!st) fl_progress(ctx, "learn scales", rows, rows);
    fl_replay_close(replay);
    free(mean);
    free(square);
    free(x);
    return st;
}

static void encode_row(fl_rows *r, const fl_network *n, const fl_kernels *k, uint32_t row,
                       const fl_event *event, const float *features, float *numbers)
{
    fl_tokens tokens;

    fl_network_tokens(n, event, &tokens);
    r->time_us[row] = event->time_us;
    for (uint32_t i = 0; i < n->categories; i++)
        r->category[(size_t)row * n->categories + i] = tokens.category[i];
    r->small[row] = (fl_small_tokens){(uint8_t)tokens.type, (uint8_t)tokens.amount,
                                      tokens.when.hour, tokens.when.weekday, tokens.when.day};
    fl_network_number_inputs(n, k, event, features, numbers);
    int16_t *out = r->number + (size_t)row * r->numbers;
    for (uint32_t i = 0; i < r->numbers; i++) out[i] = fixed(numbers[i]);
}

static void hash_event(fl_sha256 *h, const fl_event *e, const fl_schema *s)
{
    fl_sha256_add(h, &e->id, sizeof e->id);
    fl_sha256_add(h, &e->time_us, sizeof e->time_us);
    fl_sha256_add(h, &e->amount_minor, sizeof e->amount_minor);
    fl_sha256_add(h, &e->type, 1);
    fl_sha256_add(h, &e->marks, 1);
    fl_sha256_add(h, &e->currency, sizeof e->currency);
    fl_sha256_add(h, e->entity_hash, s->kinds * sizeof e->entity_hash[0]);
    fl_sha256_add(h, e->category, s->categories * sizeof e->category[0]);
    fl_sha256_add(h, e->number, s->numbers * sizeof e->number[0]);
    fl_sha256_add(h, &e->number_present, sizeof e->number_present);
}

/* Labels that had arrived before T, in order of arrival. */
static void hash_labels(fl_rows *r, fl_sha256 *h, const fl_log *log, int64_t until_us)
{
    fl_label label;

    for (uint64_t i = 0; i < fl_log_labels(log); i++) {
        fl_log_label(log, i, &label);
        if (label.arrival_us >= until_us) break;
        if (label.row >= r->count) continue;
        fl_sha256_add(h, &label.arrival_us, sizeof label.arrival_us);
        fl_sha256_add(h, &label.row, sizeof label.row);
        fl_sha256_add(h, &label.value, sizeof label.value);
        fl_sha256_add(h, &label.label, 1);
        r->labels++;
    }
}

static florin_status encode(fl_rows *r, const fl_network *n, const fl_fold_plan *plan,
                            const fl_log *log, int64_t until_us, const florin_context *ctx,
                            florin_error *err)
{
    float *features = fl_calloc((size_t)n->features + 1, sizeof *features);
    float *numbers = fl_calloc((size_t)r->numbers + 1, sizeof *numbers);
    const fl_kernels *kernels = fl_kernels_get(NULL);
    fl_replay *replay = NULL;
    const fl_fold_carry *carry;
    fl_sha256 hash;
    fl_event event;
    florin_status st = FLORIN_OK;
    uint64_t row;

    fl_sha256_init(&hash);
    if (!features || !numbers)
        st = fl_fail(err, FLORIN_ENOMEM, "encoding of %u features", n->features);
    if (!st) st = fl_replay_open(&replay, plan, log, err);
    for (uint32_t seen = 0; !st && seen < r->count; seen++) {
        if (!fl_replay_next(replay, &row, &event, features, &carry) || row != seen) {
            st = fl_fail(err, FLORIN_EINTERNAL, "replay left the order of the log at row %u", seen);
            break;
        }
        encode_row(r, n, kernels, seen, &event, features, numbers);
        hash_event(&hash, &event, fl_log_schema(log));
        if (seen % 65536 == 65535) {
            fl_progress(ctx, "encode events", seen, r->count);
            if (fl_cancelled(ctx))
                st = fl_fail(err, FLORIN_ECANCELLED, "stopped while reading the log");
        }
    }
    if (!st) {
        hash_labels(r, &hash, log, until_us);
        fl_sha256_hex(&hash, r->hash);
        fl_progress(ctx, "encode events", r->count, r->count);
    }
    fl_replay_close(replay);
    free(features);
    free(numbers);
    return st;
}

static florin_status allocate(fl_rows *r, const fl_network *n, const char *folder,
                              const florin_context *ctx, florin_error *err)
{
    uint64_t memory = fl_memory(ctx);

    r->categories = n->categories;
    r->numbers = fl_network_numbers(n);
    r->time_us = fl_calloc(r->count, sizeof *r->time_us);
    r->category = fl_calloc((size_t)r->count * n->categories + 1, sizeof *r->category);
    r->small = fl_calloc(r->count, sizeof *r->small);
    if (!r->time_us || !r->category || !r->small)
        return fl_fail(err, FLORIN_ENOMEM, "tokens of %u events", r->count);
    florin_status st = fl_scratch_new(&r->number_block, (size_t)r->count * r->numbers,
                                      sizeof *r->number, (size_t)(memory / 2), folder, err);
    r->number = r->number_block.data;
    return st;
}

/* Tokens, numbers and sequences, once network and plan are known. */
static florin_status fill(fl_rows *r, const fl_network *n, const fl_fold_plan *plan,
                          const fl_log *log, const fl_train_config *config, bool shares,
                          const char *folder, const florin_context *ctx, florin_error *err)
{
    florin_status st = allocate(r, n, folder, ctx, err);

    if (!st) st = encode(r, n, plan, log, config->until_us, ctx, err);
    for (int s = 0; s < FL_STREAMS && !st; s++) {
        int kind = fl_schema_role(fl_log_schema(log), s ? FL_ROLE_PAYEE : FL_ROLE_PAYER);
        if (kind < 0) continue;
        st = build_sequences(&r->stream[s], log, kind, r->count, config->unseen_share, err);
        if (!st && shares) st = fill_shares(r, &r->stream[s], n, folder, ctx, err);
        if (!st && config->silence > 0) st = fill_returns(r, &r->stream[s], err);
    }
    return st;
}

florin_status fl_rows_of(fl_rows **out, const fl_network *network, const fl_fold_plan *plan,
                         const fl_log *log, int64_t until_us, bool shares, const char *folder,
                         const florin_context *ctx, florin_error *err)
{
    fl_train_config config = {.until_us = until_us, .valid_from_us = INT64_MIN};
    fl_rows *r = fl_calloc(1, sizeof *r);

    *out = NULL;
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    florin_status st = cut(r, log, &config, err);
    if (!st) st = fill(r, network, plan, log, &config, shares, folder, ctx, err);
    if (st) {
        fl_rows_free(r);
        return st;
    }
    *out = r;
    return FLORIN_OK;
}

florin_status fl_rows_build(fl_rows **out, fl_network **network, fl_fold_plan **plan,
                            const fl_log *log, const fl_train_config *config, const char *folder,
                            const florin_context *ctx, florin_error *err)
{
    const fl_schema *schema = fl_log_schema(log);
    fl_rows *r = fl_calloc(1, sizeof *r);
    florin_status st;

    *out = NULL;
    *network = NULL;
    *plan = NULL;
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "out of memory");
    st = cut(r, log, config, err);
    if (!st) st = fl_fold_plan_new(plan, schema, err);
    if (!st) st = fl_fold_plan_fit(*plan, log, r->valid_from_us, ctx, err);
    if (!st)
        st = fl_network_new(network, schema, config->hidden, config->width, fl_fold_features(*plan),
                            err);
    if (!st && !(*network)->stream[0] && !(*network)->stream[1])
        st = fl_fail(
            err, FLORIN_EINPUT,
            "%s: the schema has neither a payer nor a payee: mark an entity with `role: payer`",
            fl_log_path(log));
    if (!st) {
        (*network)->copy = true;
        (*network)->dense = config->dense;
        (*network)->int8 = config->int8;
        if (config->blocks.layers) {
            (*network)->backbone = &fl_backbone_transformer;
            (*network)->layers = config->blocks.layers;
            (*network)->block =
                fl_train_blocks_shape(&config->blocks, config->hidden, config->width);
        }
    }
    if (!st) st = fl_network_fit(*network, log, r->train, config->vocabulary, err);
    if (!st) st = fit_features(*network, log, *plan, r->train, ctx, err);
    if (!st) st = fill(r, *network, *plan, log, config, true, folder, ctx, err);
    if (st) {
        fl_rows_free(r);
        fl_network_free(*network);
        fl_fold_plan_free(*plan);
        *network = NULL;
        *plan = NULL;
        return st;
    }
    *out = r;
    return FLORIN_OK;
}

void fl_rows_free(fl_rows *r)
{
    if (!r) return;
    for (int s = 0; s < FL_STREAMS; s++) {
        free(r->stream[s].start);
        free(r->stream[s].row);
        free(r->stream[s].hash);
        free(r->stream[s].unseen);
        free(r->stream[s].next);
        fl_scratch_free(&r->stream[s].share_block);
    }
    free(r->time_us);
    free(r->category);
    free(r->small);
    fl_scratch_free(&r->number_block);
    free(r);
}

/* ---- reading ---- */

uint32_t fl_rows_gap(const fl_rows *r, uint32_t row, uint32_t previous)
{
    bool first = previous == FL_NO_ROW;

    return fl_dt_token(first ? 0 : r->time_us[row] - r->time_us[previous], first);
}

double fl_rows_passed(const fl_rows *r, uint32_t row)
{
    return fmax((double)(r->valid_from_us - r->time_us[row]), 0);
}

uint32_t fl_rows_target(const fl_rows *r, const fl_target *t, uint32_t row, uint32_t previous)
{
    switch (t->slot) {
    case -1: return r->small[row].type;
    case -2: return r->small[row].amount;
    case -3: return fl_rows_gap(r, row, previous);
    default: return r->category[(size_t)row * r->categories + (size_t)t->slot];
    }
}
