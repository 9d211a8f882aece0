/* Stored columns. File: head (64 bytes), rows floats, then the hash of the floats, chained over chunks. */
#include "policy/columns.h"
#include "base/file.h"
#include "model/encode.h"
#include "policy/program.h"
#include "policy/rings.h"
#include "score/scorer.h"
#include <stdio.h>

enum { CHUNK = 65536, NAME_MAX_SHOWN = 60, VERSION = 1 };

typedef struct {
    char magic[8];
    uint32_t version, spare;
    uint64_t rows, key;
    uint8_t zero[32];
} head;
_Static_assert(sizeof(head) == 64, "docs/format.md");

typedef struct {
    uint16_t slot;
    char *path;
    uint64_t key;
    fl_mapping map;
    const float *value;
    /* while it is made */
    fl_writer *writer;
    float *chunk;
    uint32_t n;
    uint64_t hash;
} column;

struct fl_columns {
    const fl_policy *policy;
    const fl_model *model;
    const fl_log *log;
    uint32_t columns, made;
    column column[FL_SLOTS_MAX];
    column *of[FL_SLOTS_MAX];
    uint64_t rows;
};

static bool is_stored(const fl_slot *s)
{
    return s->from == FL_FROM_ROW || s->from == FL_FROM_SCORE || s->from == FL_FROM_PROBABILITY ||
           s->from == FL_FROM_LEVEL || s->from == FL_FROM_RING;
}

/* By where it comes from: the same column whatever a rule calls it. */
static void name_of(const fl_columns *c, const fl_slot *s, char *out, size_t size)
{
    if (s->from == FL_FROM_RING)
        snprintf(out, size, "velocity(%s) %lld", c->policy->series[s->index].name,
                 (long long)s->window_us);
    else if (s->from == FL_FROM_ROW)
        snprintf(out, size, "%s", fl_model_row_name(c->model, s->index));
    else
        snprintf(out, size, "head %u %s", s->index,
                 s->from == FL_FROM_SCORE   ? "score"
                 : s->from == FL_FROM_LEVEL ? "level"
                                            : "probability");
}

static florin_status place(fl_columns *c, column *x, const char *folder, florin_error *err)
{
    const fl_slot *s = &c->policy->slot[x->slot];
    char name[256], file[NAME_MAX_SHOWN + 48];
    fl_buf id = {0};
    name_of(c, s, name, sizeof name);
    fl_buf_printf(&id, "%s\n%s\n%s", name, fl_log_hash(c->log),
                  s->from == FL_FROM_RING ? "" : fl_model_file_hash(fl_model_source(c->model)));
    if (id.failed) return fl_fail(err, FLORIN_ENOMEM, "columns");
    x->key = fl_hash64(id.data, id.len, VERSION);
    fl_buf_free(&id);
    snprintf(file, sizeof file, "%.*s-%016llx.column", NAME_MAX_SHOWN, name,
             (unsigned long long)x->key);
    for (char *p = file; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '.' || *p == '_'))
            *p = '-';
    x->path = fl_path_join(folder, file);
    return x->path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "columns");
}

static uint64_t chained(const float *value, uint64_t rows)
{
    uint64_t h = 0;
    for (uint64_t r = 0; r < rows; r += CHUNK) {
        uint64_t n = rows - r < CHUNK ? rows - r : CHUNK;
        h = fl_hash64(value + r, n * sizeof *value, h);
    }
    return h;
}

/* True: it is there and whole. What is damaged is made anew. */
static bool found(fl_columns *c, column *x)
{
    head h;
    uint64_t hash;
    size_t bytes = c->rows * sizeof(float);
    if (!fl_file_exists(x->path) || fl_map_file(&x->map, x->path, NULL)) return false;
    if (x->map.size == sizeof h + bytes + sizeof hash) {
        memcpy(&h, x->map.data, sizeof h);
        memcpy(&hash, x->map.data + sizeof h + bytes, sizeof hash);
        x->value = (const float *)(const void *)(x->map.data + sizeof h);
        if (!memcmp(h.magic, "FLCOLUMN", 8) && h.version == VERSION && h.rows == c->rows &&
            h.key == x->key && hash == chained(x->value, c->rows))
            return true;
    }
    x->value = NULL;
    fl_unmap(&x->map);
    memset(&x->map, 0, sizeof x->map);
    return false;
}

/* ---- making them ---- */

static florin_status begin(fl_columns *c, column *x, florin_error *err)
{
    head h = {.magic = "FLCOLUMN", .version = VERSION, .rows = c->rows, .key = x->key};
    x->chunk = fl_calloc(CHUNK, sizeof *x->chunk);
    if (!x->chunk) return fl_fail(err, FLORIN_ENOMEM, "columns");
    florin_status st = fl_writer_open(&x->writer, x->path, 0600, err);
    return st ? st : fl_writer_add(x->writer, &h, sizeof h, err);
}

static florin_status flush(column *x, florin_error *err)
{
    size_t bytes = x->n * sizeof *x->chunk;
    if (!x->n) return FLORIN_OK;
    x->hash = fl_hash64(x->chunk, bytes, x->hash);
    x->n = 0;
    return fl_writer_add(x->writer, x->chunk, bytes, err);
}

static inline florin_status put(column *x, float value, florin_error *err)
{
    x->chunk[x->n++] = value;
    return x->n == CHUNK ? flush(x, err) : FLORIN_OK;
}

static florin_status end(fl_columns *c, column *x, florin_error *err)
{
    florin_status st = flush(x, err);
    if (!st) st = fl_writer_add(x->writer, &x->hash, sizeof x->hash, err);
    if (!st) {
        fl_writer *w = x->writer;
        x->writer = NULL;
        st = fl_writer_commit(w, err);
    }
    if (!st && !found(c, x))
        st = fl_fail(err, FLORIN_EIO, "%s: does not read as it was written", x->path);
    c->made++;
    return st;
}

static bool has_made(const fl_columns *c, bool rings)
{
    for (uint32_t i = 0; i < c->columns; i++)
        if (!c->column[i].value &&
            (c->policy->slot[c->column[i].slot].from == FL_FROM_RING) == rings)
            return true;
    return false;
}

static florin_status open_heads(const fl_columns *c, fl_head **heads, florin_error *err)
{
    uint32_t n = 0;
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < fl_heads(c->model) && n < FL_SCORE_HEADS_MAX && !st; i++) {
        st = fl_head_open(&heads[n], c->model, i, err);
        if (!st && fl_head_per_event(heads[n])) n++;
        else if (!st) {
            fl_head_close(heads[n]);
            heads[n] = NULL;
        }
    }
    return st;
}

static float model_value(const fl_slot *s, const float *row, fl_head *const *heads,
                         fl_head_out *out, uint64_t *scored)
{
    if (s->from == FL_FROM_ROW)
        return s->unknown_minus_one && row[s->index] == -1.0f ? NAN : row[s->index];
    if (!(*scored >> s->index & 1)) fl_head_score(heads[s->index], row, &out[s->index]);
    *scored |= UINT64_C(1) << s->index;
    return s->from == FL_FROM_SCORE   ? out[s->index].score
           : s->from == FL_FROM_LEVEL ? out[s->index].level
                                      : out[s->index].probability;
}

static florin_status replay_model(fl_columns *c, fl_encode *e, fl_head *const *heads,
                                  const florin_context *ctx, florin_error *err)
{
    uint64_t row, done = 0;
    fl_event event;
    const float *values;
    const fl_fold_carry *carry;
    fl_head_out out[FL_SCORE_HEADS_MAX];
    florin_status st = FLORIN_OK;
    while (!st && fl_encode_next(e, &row, &event, &values, &carry)) {
        uint64_t scored = 0;
        for (uint32_t i = 0; i < c->columns && !st; i++) {
            column *x = &c->column[i];
            const fl_slot *s = &c->policy->slot[x->slot];
            if (x->writer && s->from != FL_FROM_RING)
                st = put(x, model_value(s, values, heads, out, &scored), err);
        }
        if (++done % 4096) continue;
        fl_progress(ctx, "score", done, c->rows);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    return st;
}

static florin_status make_of_model(fl_columns *c, const florin_context *ctx, florin_error *err)
{
    fl_encode *e = NULL;
    fl_head *heads[FL_SCORE_HEADS_MAX + 1] = {0};
    florin_status st = fl_schema_same(fl_model_schema(c->model), fl_log_schema(c->log), err);
    if (!st) st = open_heads(c, heads, err);
    if (!st) st = fl_encode_open(&e, c->model, c->log, err);
    if (!st) fl_encode_threads(e, fl_threads(ctx));
    if (!st) st = fl_encode_ahead(e, INT64_MAX, err);
    if (!st) st = replay_model(c, e, heads, ctx, err);
    fl_encode_close(e);
    for (uint32_t i = 0; i < FL_SCORE_HEADS_MAX; i++) fl_head_close(heads[i]);
    return st;
}

static uint32_t most_entities(const fl_columns *c)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < c->policy->seriess; i++) {
        int kind = c->policy->series[i].kind;
        uint32_t n = kind >= 0 ? fl_log_entities(c->log, kind) : 0;
        if (n > most) most = n;
    }
    return most;
}

static florin_status replay_rings(fl_columns *c, fl_rings *rings, const florin_context *ctx,
                                  florin_error *err)
{
    florin_status st = FLORIN_OK;
    for (uint64_t row = 0; row < c->rows && !st; row++) {
        fl_event e;
        fl_log_event(c->log, row, &e);
        for (uint32_t i = 0; i < c->columns && !st; i++) {
            column *x = &c->column[i];
            const fl_slot *s = &c->policy->slot[x->slot];
            if (!x->writer || s->from != FL_FROM_RING) continue;
            uint64_t hash = e.entity_hash[c->policy->series[s->index].kind];
            st = put(x,
                     hash ? (float)fl_rings_count(rings, s->index, hash, e.time_us, s->window_us)
                          : NAN,
                     err);
        }
        fl_rings_add(rings, &e, FL_ALLOW);
        if (row % 65536) continue;
        fl_progress(ctx, "velocity", row, c->rows);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    return st;
}

static florin_status make_of_rings(fl_columns *c, const florin_context *ctx, florin_error *err)
{
    fl_rings *rings;
    for (uint32_t i = 0; i < c->policy->seriess; i++)
        if (c->policy->series[i].what == FL_COUNT_ACTION)
            return fl_fail(err, FLORIN_EINPUT,
                           "velocity(%s): a log does not say what was decided, so decisions can't "
                           "be counted in a backtest of it",
                           c->policy->series[i].name);
    florin_status st = fl_rings_open(&rings, c->policy, most_entities(c), NULL, err);
    if (st) return st;
    st = replay_rings(c, rings, ctx, err);
    fl_rings_close(rings);
    return st;
}

static florin_status make_missing(fl_columns *c, const char *folder, const florin_context *ctx,
                                  florin_error *err)
{
    bool model = has_made(c, false), rings = has_made(c, true);
    if (!model && !rings) return FLORIN_OK;
    florin_status st = fl_make_dir(folder, err);
    for (uint32_t i = 0; i < c->columns && !st; i++)
        if (!c->column[i].value) st = begin(c, &c->column[i], err);
    if (!st && model) st = make_of_model(c, ctx, err);
    if (!st && rings) st = make_of_rings(c, ctx, err);
    for (uint32_t i = 0; i < c->columns && !st; i++)
        if (c->column[i].writer) st = end(c, &c->column[i], err);
    return st;
}

florin_status fl_columns_open(fl_columns **out, const char *folder, const fl_policy *p,
                              const fl_model *m, const fl_log *log, const florin_context *ctx,
                              florin_error *err)
{
    *out = NULL;
    fl_columns *c = fl_calloc(1, sizeof *c);
    if (!c) return fl_fail(err, FLORIN_ENOMEM, "columns");
    florin_status st = FLORIN_OK;
    c->policy = p;
    c->model = m;
    c->log = log;
    c->rows = fl_log_rows(log);
    for (size_t i = 0; i < p->slots && !st; i++) {
        if (!is_stored(&p->slot[i])) continue;
        column *x = &c->column[c->columns++];
        x->slot = (uint16_t)i;
        c->of[i] = x;
        st = place(c, x, folder, err);
        if (!st) (void)found(c, x);
    }
    if (!st) st = make_missing(c, folder, ctx, err);
    if (st) {
        fl_columns_close(c);
        return st;
    }
    *out = c;
    return FLORIN_OK;
}

void fl_columns_close(fl_columns *c)
{
    if (!c) return;
    for (uint32_t i = 0; i < c->columns; i++) {
        column *x = &c->column[i];
        if (x->map.data) fl_unmap(&x->map);
        if (x->writer) fl_writer_abort(x->writer);
        free(x->chunk);
        free(x->path);
    }
    free(c);
}

const float *fl_columns_of(const fl_columns *c, uint32_t slot)
{
    return c->of[slot] ? c->of[slot]->value : NULL;
}

uint32_t fl_columns_made(const fl_columns *c)
{
    return c->made;
}
