/* The state file. Invariant: what is restored goes on bit for bit as if the scorer had never stopped (with the same
 * capacities and kernel tier); a file of another network, fold or key is refused, not read. */
#include "score/state.h"
#include "data/blocks.h"
#include <math.h>

enum {
    STATE_VERSION = 3,
    B_META = 1, /* JSON text */
    B_ENTITY,   /* fl_entity [entities] by kind */
    B_TOUCHED,  /* u64, one bit an entity */
    B_BODY,     /* record, and the state for kinds with a stream */
    B_PAIR,
    B_PAIR_TOUCHED,
    B_PAIR_BODY,
    B_PENDING /* 0: the older part of the ring, 1: the newer */
};
_Static_assert(sizeof(pending_event) == 192 && sizeof(fl_entity) == 16, "on-disk layout");
static const int64_t TIME_LIMIT_US = INT64_C(1) << 60;

struct fl_saved {
    char *path;
    fl_blocks blocks;
    json_t *meta;
};

/* What states depend on: schema, fold and network, not the heads, which may be refitted. */
static florin_status identity(const fl_model *m, char out[65], florin_error *err)
{
    static const char *const part[] = {"schema", "fold", "network"};
    const fl_model_file *f = fl_model_source(m);
    fl_sha256 h;
    fl_sha256_init(&h);
    for (size_t i = 0; i < FL_LEN(part); i++) {
        const json_t *j = json_object_get(fl_model_file_json(f), part[i]);
        char *text = j ? fl_json_text(j) : fl_strdup("");
        if (!text) return fl_fail(err, FLORIN_ENOMEM, "identity of the model");
        fl_sha256_add(&h, text, strlen(text) + 1);
        free(text);
    }
    for (uint32_t i = 0; i < fl_model_file_count(f); i++) {
        const fl_tensor *t = fl_model_file_at(f, i);
        if (!strncmp(t->name, "head.", 5)) continue;
        size_t n = t->type == FL_F32 || t->type == FL_I32 ? 4 : 1;
        for (uint32_t d = 0; d < t->dims; d++) n *= t->dim[d];
        fl_sha256_add(&h, t->name, strlen(t->name) + 1);
        if (n) fl_sha256_add(&h, t->data, n);
    }
    fl_sha256_hex(&h, out);
    return FLORIN_OK;
}

/* ---- writing ---- */

static json_t *table_meta(const fl_table *t, const char *name)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "name", name, "capacity", (json_int_t)t->capacity,
                     "hand", (json_int_t)t->hand, "evicted", (json_int_t)t->evicted);
}

static json_t *meta_of(const fl_scorer *s, const char *model, const char *key)
{
    json_t *kinds = json_array(), *pairs = json_array();
    for (uint32_t k = 0; k < s->schema->kinds; k++)
        json_array_append_new(kinds, table_meta(&s->table[k], s->schema->kind[k].name));
    for (uint32_t p = 0; p < s->schema->pairs; p++)
        json_array_append_new(pairs, table_meta(&s->pairs[p], "pair"));
    return json_pack("{s:i, s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
                     "florin_state", STATE_VERSION, "fold", FL_FOLD_RECORD_VERSION, "model", model,
                     "key", key, "tier", fl_model_kernels(s->model)->tier, "state_bytes",
                     (json_int_t)s->state_bytes, "clock_us", (json_int_t)s->stats.clock_us,
                     "events", (json_int_t)s->stats.events, "labels", (json_int_t)s->stats.labels,
                     "late", (json_int_t)s->stats.late, "forgotten", (json_int_t)s->stats.forgotten,
                     "pending_max", (json_int_t)s->opt.pending_max, "kinds", kinds, "pairs", pairs);
}

/* The blocks of one table; the first of its kinds is `kind`. */
static florin_status add_table(const fl_table *t, fl_blocks_writer *w, uint16_t kind, uint16_t i,
                               florin_error *err)
{
    florin_status st =
        fl_blocks_writer_add(w, kind, i, sizeof *t->entity, t->entity, t->count, err);
    if (!st)
        st = fl_blocks_writer_add(w, (uint16_t)(kind + 1), i, sizeof *t->touched, t->touched,
                                  fl_touched_words(t->count), err);
    if (!st)
        st = fl_blocks_writer_add(w, (uint16_t)(kind + 2), i, (uint32_t)t->stride, t->body,
                                  t->count, err);
    return st;
}

static florin_status add_tables(const fl_scorer *s, fl_blocks_writer *w, florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (uint16_t k = 0; k < s->schema->kinds && !st; k++)
        st = add_table(&s->table[k], w, B_ENTITY, k, err);
    for (uint16_t p = 0; p < s->schema->pairs && !st; p++)
        st = add_table(&s->pairs[p], w, B_PAIR, p, err);
    return st;
}

florin_status fl_state_save(const fl_scorer *s, const char *path, const char *key,
                            florin_error *err)
{
    char model[65];
    uint64_t hash, bytes;
    fl_blocks_writer *w = NULL;
    char *text = NULL;
    json_t *meta = NULL;
    florin_status st = identity(s->model, model, err);
    if (st) return st;
    meta = meta_of(s, model, key);
    text = meta ? fl_json_text(meta) : NULL;
    json_decref(meta);
    if (!text) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    st = fl_blocks_writer_open(&w, path, 0600, err);
    if (!st) st = fl_blocks_writer_add(w, B_META, 0, 1, text, strlen(text), err);
    free(text);
    if (!st) st = add_tables(s, w, err);
    /* The ring from its oldest member on. */
    uint64_t n = s->pending_next, max = s->opt.pending_max, first = n > max ? n % max : 0;
    if (!st)
        st = fl_blocks_writer_add(w, B_PENDING, 0, sizeof *s->pending, s->pending + first,
                                  n > max ? max - first : n, err);
    if (!st) st = fl_blocks_writer_add(w, B_PENDING, 1, sizeof *s->pending, s->pending, first, err);
    if (st) {
        fl_blocks_writer_abort(w);
        return st;
    }
    return fl_blocks_writer_commit(w, &hash, &bytes, err);
}

/* ---- reading ---- */

static florin_status check_meta(const fl_saved *f, const fl_model *m, const char *key,
                                florin_error *err)
{
    char model[65];
    const fl_schema *s = fl_model_schema(m);
    int64_t clock_us = fl_json_int(f->meta, "clock_us", INT64_MAX);
    int64_t version = fl_json_int(f->meta, "florin_state", -1);
    int64_t fold = fl_json_int(f->meta, "fold", -1);
    if (version != STATE_VERSION || fold != FL_FOLD_RECORD_VERSION)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: written by another version of Florin (states %lld, fold %lld; this one "
                       "reads %d, %d): warm up from the log",
                       f->path, (long long)version, (long long)fold, STATE_VERSION,
                       FL_FOLD_RECORD_VERSION);
    florin_status st = identity(m, model, err);
    if (st) return st;
    if (strcmp(model, fl_json_str(f->meta, "model", "")))
        return fl_fail(err, FLORIN_ESCHEMA,
                       "%s: written with another model (its network or fold differs): open it with "
                       "that model, or warm up from the log",
                       f->path);
    if (strcmp(key, fl_json_str(f->meta, "key", "")))
        return fl_fail(err, FLORIN_ESCHEMA,
                       "%s: its identifiers were hashed with another key: give the same key file",
                       f->path);
    if (fl_json_int(f->meta, "state_bytes", -1) != (int64_t)fl_model_state_bytes(m) ||
        json_array_size(json_object_get(f->meta, "kinds")) != s->kinds ||
        json_array_size(json_object_get(f->meta, "pairs")) != s->pairs ||
        (clock_us != INT64_MIN && (clock_us <= -TIME_LIMIT_US || clock_us >= TIME_LIMIT_US)))
        return fl_fail(err, FLORIN_EFORMAT, "%s: damaged: its description makes no sense", f->path);
    return FLORIN_OK;
}

florin_status fl_saved_open(fl_saved **out, const char *path, const fl_model *m, const char *key,
                            florin_error *err)
{
    uint64_t n;
    *out = NULL;
    fl_saved *f = fl_calloc(1, sizeof *f);
    if (!f || !(f->path = fl_strdup(path))) {
        free(f);
        return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    }
    florin_status st = fl_blocks_open(&f->blocks, path, true, err);
    if (!st) {
        const char *text = fl_blocks_get(&f->blocks, B_META, 0, 1, &n);
        if (!text || fl_json_parse(&f->meta, text, (size_t)n, path, NULL))
            st = fl_fail(err, FLORIN_EFORMAT, "%s: not a state file of a scorer", path);
    }
    if (!st) st = check_meta(f, m, key, err);
    if (st) {
        fl_saved_close(f);
        return st;
    }
    *out = f;
    return FLORIN_OK;
}

void fl_saved_close(fl_saved *f)
{
    if (!f) return;
    fl_blocks_close(&f->blocks);
    json_decref(f->meta);
    free(f->path);
    free(f);
}

static uint32_t capacity_of(const json_t *meta)
{
    int64_t n = fl_json_int(meta, "capacity", 0);
    return n > 0 && n < UINT32_MAX ? (uint32_t)n : 0;
}

void fl_saved_capacities(const fl_saved *f, const fl_schema *schema, fl_scorer_options *opt)
{
    const json_t *kinds = json_object_get(f->meta, "kinds"),
                 *pairs = json_object_get(f->meta, "pairs");
    for (uint32_t k = 0; k < schema->kinds; k++)
        if (!opt->entities_max[k]) opt->entities_max[k] = capacity_of(json_array_get(kinds, k));
    if (!opt->pairs_max && schema->pairs) opt->pairs_max = capacity_of(json_array_get(pairs, 0));
    int64_t n = fl_json_int(f->meta, "pending_max", 0);
    if (!opt->pending_max && n > 0 && n < UINT32_MAX) opt->pending_max = (uint32_t)n;
}

static florin_status damaged(const fl_saved *f, const char *what, uint32_t i, florin_error *err)
{
    return fl_fail(err, FLORIN_EFORMAT, "%s: %s of %u does not fit the rest: restore the file",
                   f->path, what, i);
}

/* A block of n elements into an array. */
static bool copy(const fl_saved *f, uint16_t kind, uint16_t index, size_t width, uint64_t n,
                 void *to)
{
    uint64_t have;
    const void *from = fl_blocks_get(&f->blocks, kind, index, (uint32_t)width, &have);
    if (!from || have != n) return false;
    if (n) memcpy(to, from, (size_t)n * width);
    return true;
}

static bool time_sound(int64_t us)
{
    return us == INT64_MIN || (us > -TIME_LIMIT_US && us < TIME_LIMIT_US);
}

/* Entities, records and states of a table; its index is built anew. kind: the first of its blocks. */
static florin_status fill_table(const fl_saved *f, const fl_model *m, fl_table *t, uint16_t kind,
                                uint16_t i, const json_t *meta, florin_error *err)
{
    uint64_t n;
    const fl_entity *entity = fl_blocks_get(&f->blocks, kind, i, sizeof *entity, &n);
    const char *name = fl_json_str(meta, "name", "?");
    if (!entity) return damaged(f, name, i, err);
    if (n > t->capacity)
        return fl_fail(err, FLORIN_ENOMEM,
                       "%s: holds %llu of '%s' and the capacity is %u: raise it to at least that",
                       f->path, (unsigned long long)n, name, t->capacity);
    if (!copy(f, (uint16_t)(kind + 1), i, sizeof *t->touched, fl_touched_words((uint32_t)n),
              t->touched) ||
        !copy(f, (uint16_t)(kind + 2), i, t->stride, n, t->body))
        return damaged(f, name, i, err);
    /* Bits past the last entity would stand for entities to come. */
    if (n % 64 && t->touched[n / 64] >> n % 64) return damaged(f, name, i, err);
    for (uint32_t e = 0; e < n; e++) {
        t->entity[e] = entity[e];
        if (!entity[e].hash || fl_index_find(&t->index, entity[e].hash) != FL_NONE ||
            !time_sound(entity[e].last_us) || !fl_fold_record_sound(fl_table_record(t, e)) ||
            (t->state_bytes && !fl_model_state_sound(m, fl_table_state(t, e))))
            return damaged(f, name, i, err);
        fl_index_put(&t->index, entity[e].hash, e);
    }
    t->count = (uint32_t)n;
    t->evicted = (uint64_t)fl_json_int(meta, "evicted", 0);
    int64_t hand = fl_json_int(meta, "hand", 0);
    t->hand = hand > 0 && hand < t->capacity ? (uint32_t)hand : 0;
    return FLORIN_OK;
}

static florin_status fill_kind(const fl_saved *f, fl_scorer *s, uint16_t k, florin_error *err)
{
    const json_t *meta = json_array_get(json_object_get(f->meta, "kinds"), k);
    if (strcmp(fl_json_str(meta, "name", ""), s->schema->kind[k].name))
        return damaged(f, "name", k, err);
    return fill_table(f, s->model, &s->table[k], B_ENTITY, k, meta, err);
}

static bool carry_sound(const fl_fold_carry *c)
{
    float all = c->explain * 0 + c->label[0] * 0 + c->label[1] * 0;
    for (int k = 0; k < FL_KINDS_MAX; k++) all += c->z[k] * 0;
    return all == 0 && c->time_us > -TIME_LIMIT_US && c->time_us < TIME_LIMIT_US;
}

/* Oldest first; a smaller ring keeps the newest. A ring that is full again stands where it stood. */
static florin_status fill_pending(const fl_saved *f, fl_scorer *s, florin_error *err)
{
    const pending_event *part[2];
    uint64_t n[2];
    for (uint16_t i = 0; i < 2; i++) {
        part[i] = fl_blocks_get(&f->blocks, B_PENDING, i, sizeof *s->pending, &n[i]);
        if (!part[i]) return damaged(f, "pending events", i, err);
    }
    uint64_t all = n[0] + n[1], skip = all > s->opt.pending_max ? all - s->opt.pending_max : 0;
    uint64_t begin = all - skip == s->opt.pending_max && !skip ? n[1] : 0;
    s->stats.forgotten += skip;
    s->pending_next = begin + (all - skip);
    for (uint64_t i = skip; i < all; i++) {
        const pending_event *p = i < n[0] ? part[0] + i : part[1] + (i - n[0]);
        uint32_t slot = (uint32_t)((begin + i - skip) % s->opt.pending_max);
        if (!p->id || fl_index_find(&s->pending_index, p->id) != FL_NONE || !carry_sound(&p->carry))
            return damaged(f, "pending events", slot, err);
        s->pending[slot] = *p;
        fl_index_put(&s->pending_index, p->id, slot);
    }
    return FLORIN_OK;
}

florin_status fl_saved_restore(const fl_saved *f, fl_scorer *s, florin_error *err)
{
    florin_status st = FLORIN_OK;
    s->stats.clock_us = fl_json_int(f->meta, "clock_us", INT64_MIN);
    s->stats.events = (uint64_t)fl_json_int(f->meta, "events", 0);
    s->stats.labels = (uint64_t)fl_json_int(f->meta, "labels", 0);
    s->stats.late = (uint64_t)fl_json_int(f->meta, "late", 0);
    s->stats.forgotten = (uint64_t)fl_json_int(f->meta, "forgotten", 0);
    for (uint16_t k = 0; k < s->schema->kinds && !st; k++) st = fill_kind(f, s, k, err);
    for (uint16_t p = 0; p < s->schema->pairs && !st; p++)
        st = fill_table(f, s->model, &s->pairs[p], B_PAIR, p,
                        json_array_get(json_object_get(f->meta, "pairs"), p), err);
    return st ? st : fill_pending(f, s, err);
}
