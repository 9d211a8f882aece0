/* florin_embed: a vector per entity at a date, or per event, into a table. */
#include "data/duck.h"
#include "model/encode.h"
#include <inttypes.h>
#include <stdio.h>

enum { BATCH = 2048, IDS_MAX = 2 };

typedef enum { POOL_LAST, POOL_MEAN, POOL_EMA } pooling;
#define EMA_WEIGHT 0.1f

/* Rows on their way to the file, column by column. */
typedef struct {
    fl_table_writer *ids, *vectors; /* the same writer unless the format holds numbers only */
    uint32_t width, rows;
    uint64_t written;
    const char *text[BATCH];
    char *text_own[BATCH];
    int64_t number[BATCH];
    float *value; /* [width][BATCH]; NULL where vectors go to a file of their own, row by row */
    const void **column;
} sink;

typedef struct {
    const florin_embed_options *opt;
    const florin_context *ctx;
    fl_model *model;
    fl_log *log;
    fl_encode *encode;
    int kind; /* -1: events */
    int64_t at_us;
    pooling pool;
    uint32_t H;
    float *pooled;   /* [entities][H] when not last */
    uint32_t *count; /* [entities] events that were pooled */
    sink sink;
} job;

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);

    return n >= k && !strcmp(s + n - k, end);
}

static florin_status sink_open(job *j, const char *const *names, uint32_t width,
                               const char *number_name, fl_duck_type number_type, florin_error *err)
{
    sink *k = &j->sink;
    fl_table_column *c = fl_calloc(width + IDS_MAX, sizeof *c);
    bool apart = ends_with(j->opt->out, ".npy");
    char *ids = apart ? fl_asprintf("%s.ids.csv", j->opt->out) : NULL;
    florin_status st = FLORIN_OK;

    k->width = width;
    if (!apart) k->value = fl_alloc((size_t)width * BATCH, sizeof *k->value);
    k->column = fl_calloc(width + IDS_MAX, sizeof *k->column);
    if (!c || !k->column || (apart ? !ids : !k->value)) {
        st = fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
        goto done;
    }
    c[0] = (fl_table_column){j->kind < 0 ? "event" : j->opt->entity, FL_DUCK_TEXT};
    c[1] = (fl_table_column){number_name, number_type};
    for (uint32_t i = 0; i < width; i++)
        c[IDS_MAX + i] = (fl_table_column){names[i], FL_DUCK_FLOAT};
    if (apart) {
        st = fl_table_open(&k->ids, ids, c, IDS_MAX, j->ctx, err);
        if (!st) st = fl_table_open(&k->vectors, j->opt->out, c + IDS_MAX, width, j->ctx, err);
    } else st = fl_table_open(&k->vectors, j->opt->out, c, width + IDS_MAX, j->ctx, err);
done:
    free(ids);
    free(c);
    return st;
}

static florin_status sink_flush(sink *k, florin_error *err)
{
    if (!k->rows) return FLORIN_OK;
    k->column[0] = k->text;
    k->column[1] = k->number;
    for (uint32_t i = 0; k->value && i < k->width; i++)
        k->column[IDS_MAX + i] = k->value + (size_t)i * BATCH;
    florin_status st = fl_table_add(k->ids ? k->ids : k->vectors, k->column, k->rows, err);
    for (uint32_t i = 0; i < k->rows; i++) free(k->text_own[i]);
    k->written += k->rows;
    k->rows = 0;
    return st;
}

/* text is owned from here. */
static florin_status sink_add(sink *k, char *text, int64_t number, bool narrow, const float *vector,
                              florin_error *err)
{
    uint32_t r = k->rows;

    if (!text) return fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
    k->text[r] = k->text_own[r] = text;
    if (narrow) ((uint32_t *)(void *)k->number)[r] = (uint32_t)number;
    else k->number[r] = number;
    for (uint32_t i = 0; k->value && i < k->width; i++) k->value[(size_t)i * BATCH + r] = vector[i];
    k->rows++;
    florin_status st = k->ids ? fl_table_add_row(k->vectors, vector, err) : FLORIN_OK;
    return st ? st : k->rows == BATCH ? sink_flush(k, err) : FLORIN_OK;
}

static florin_status sink_commit(sink *k, florin_error *err)
{
    florin_status st = sink_flush(k, err);

    if (st) return st;
    if (k->ids) {
        st = fl_table_commit(k->ids, err);
        k->ids = NULL;
        if (st) return st;
    }
    st = fl_table_commit(k->vectors, err);
    k->vectors = NULL;
    return st;
}

static void sink_free(sink *k)
{
    if (k->ids) fl_table_abort(k->ids);
    if (k->vectors) fl_table_abort(k->vectors);
    for (uint32_t i = 0; i < k->rows; i++) free(k->text_own[i]);
    free(k->value);
    free(k->column);
}

static florin_status check(job *j, florin_error *err)
{
    const florin_embed_options *o = j->opt;

    if (!o->log || !o->model || !o->out)
        return fl_fail(err, FLORIN_EUSAGE, "embed: log, model and output file are needed");
    if (!o->entity && (o->at || o->pool))
        return fl_fail(err, FLORIN_EUSAGE,
                       "embed: at and pool go with entity; every event has its own moment");
    j->at_us = INT64_MAX;
    if (o->at && !fl_time_parse(o->at, &j->at_us))
        return fl_fail(err, FLORIN_EUSAGE,
                       "embed: %s is not a moment, as 2018-08-01 or 2018-08-01 12:30", o->at);
    const char *pool = o->pool ? o->pool : "last";
    if (!strcmp(pool, "last")) j->pool = POOL_LAST;
    else if (!strcmp(pool, "mean")) j->pool = POOL_MEAN;
    else if (!strcmp(pool, "ema")) j->pool = POOL_EMA;
    else return fl_fail(err, FLORIN_EUSAGE, "embed: pool %s; there are last, mean, ema", pool);
    return FLORIN_OK;
}

static florin_status open_all(job *j, florin_error *err)
{
    florin_status st = fl_model_open(&j->model, j->opt->model, j->opt->tier, err);

    if (st) return st;
    if (!fl_model_network(j->model))
        return fl_fail(err, FLORIN_EUSAGE,
                       "%s holds heads on the fold only: it has no embedding (see florin pretrain)",
                       j->opt->model);
    st = fl_log_open(&j->log, j->opt->log, err);
    if (!st) st = fl_encode_open(&j->encode, j->model, j->log, err);
    if (st) return st;
    fl_encode_threads(j->encode, fl_threads(j->ctx));
    j->H = fl_model_network(j->model)->h;
    j->kind = -1;
    if (!j->opt->entity) return FLORIN_OK;
    const fl_schema *s = fl_log_schema(j->log);
    j->kind = fl_schema_kind(s, j->opt->entity);
    if (j->kind < 0 || s->kind[j->kind].role == FL_ROLE_OTHER) {
        int payer = fl_schema_role(s, FL_ROLE_PAYER), payee = fl_schema_role(s, FL_ROLE_PAYEE);
        return fl_fail(err, FLORIN_EUSAGE, "embed: entity %s has no stream; there are: %s%s%s",
                       j->opt->entity, payer < 0 ? "" : s->kind[payer].name,
                       payer >= 0 && payee >= 0 ? ", " : "", payee < 0 ? "" : s->kind[payee].name);
    }
    if (j->pool == POOL_LAST) return FLORIN_OK;
    size_t entities = fl_log_entities(j->log, j->kind) + (size_t)1;
    j->pooled = fl_calloc(entities, j->H * sizeof *j->pooled);
    j->count = fl_calloc(entities, sizeof *j->count);
    return j->pooled && j->count ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
}

/* h: the entity's state after the event. */
static void pool_event(job *j, uint32_t entity, const float *h)
{
    if (j->pool == POOL_LAST || entity == FL_NONE) return;
    uint32_t events = ++j->count[entity];
    float w = events == 1 ? 1 : j->pool == POOL_EMA ? EMA_WEIGHT : 1.0f / (float)events;
    float *p = j->pooled + (size_t)entity * j->H;
    for (uint32_t i = 0; i < j->H; i++) p[i] += w * (h[i] - p[i]);
}

static bool stopped(job *j, uint64_t done)
{
    if (done % 4096) return false;
    fl_progress(j->ctx, "embed", done, fl_log_rows(j->log));
    return fl_cancelled(j->ctx);
}

static florin_status embed_entities(job *j, florin_error *err)
{
    uint64_t row, done = 0;
    fl_event event;
    const float *values;
    const char **names = NULL;
    const fl_fold_carry *carry;
    uint32_t first = fl_encode_entity_width(j->encode, j->kind) - 1 - j->H,
             embedding = fl_encode_embedding(j->encode, j->kind);
    florin_status st = fl_encode_states(j->encode, j->kind, j->at_us, err);

    if (st) return st;
    while (fl_encode_peek(j->encode) < j->at_us &&
           fl_encode_next(j->encode, &row, &event, &values, &carry)) {
        pool_event(j, event.entity[j->kind], values + embedding);
        if (stopped(j, ++done))
            return fl_fail(err, FLORIN_ECANCELLED, "embed: stopped; nothing was written");
    }
    names = fl_alloc(j->H, sizeof *names);
    if (!names) return fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
    for (uint32_t i = 0; i < j->H; i++)
        names[i] = fl_encode_entity_name(j->encode, j->kind, first + i);
    st = sink_open(j, names, j->H, "events", FL_DUCK_UINT32, err);
    for (uint32_t e = 0; e < fl_log_entities(j->log, j->kind) && !st; e++) {
        uint32_t events;
        size_t n;
        const float *h = fl_encode_state(j->encode, j->kind, e, &events);
        if (!events) continue;
        const char *name = fl_log_entity_name(j->log, j->kind, e, &n);
        char *text = name ? fl_strndup(name, n)
                          : fl_asprintf("%016" PRIx64, fl_log_entity_hash(j->log, j->kind, e));
        st = sink_add(&j->sink, text, events, true, j->pooled ? j->pooled + (size_t)e * j->H : h,
                      err);
    }
    free(names);
    return st;
}

static florin_status embed_events(job *j, florin_error *err)
{
    uint32_t first = fl_model_row_embedding(j->model), width = fl_model_row_width(j->model) - first;
    const char **names = fl_alloc(width, sizeof *names);
    const fl_fold_carry *carry;
    uint64_t row, done = 0;
    fl_event event;
    const float *values;
    size_t n;

    if (!names) return fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
    for (uint32_t i = 0; i < width; i++) names[i] = fl_model_row_name(j->model, first + i);
    florin_status st = sink_open(j, names, width, "time", FL_DUCK_TIME_US, err);
    free(names);
    if (!st) st = fl_encode_states(j->encode, -1, INT64_MAX, err);
    while (!st && fl_encode_next(j->encode, &row, &event, &values, &carry)) {
        char number[FL_ID_NUMBER];
        const char *id = fl_log_event_id(j->log, row, number, &n);
        st = sink_add(&j->sink, fl_strndup(id, n), event.time_us, false, values + first, err);
        if (!st && stopped(j, ++done))
            st = fl_fail(err, FLORIN_ECANCELLED, "embed: stopped; nothing was written");
    }
    return st;
}

static void summary(job *j)
{
    const florin_embed_options *o = j->opt;

    if (o->format == FLORIN_JSON) {
        json_t *s =
            json_pack("{s:s, s:I, s:I, s:s}", "out", o->out, "rows", (json_int_t)j->sink.written,
                      "width", (json_int_t)j->sink.width, "tier", fl_model_kernels(j->model)->tier);
        fl_json_write(j->ctx, s);
        json_decref(s);
    } else
        fl_writef(j->ctx, "%s: %" PRIu64 " %s, %u numbers each\n", o->out, j->sink.written,
                  o->entity ? "entities" : "events", j->sink.width);
}

florin_status florin_embed(const florin_context *ctx, const florin_embed_options *opt,
                           florin_error *err)
{
    if (!opt || opt->size != sizeof *opt) return fl_fail(err, FLORIN_EUSAGE, "embed: no options");
    job *j = fl_calloc(1, sizeof *j);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "embed: out of memory");
    j->opt = opt;
    j->ctx = ctx;
    florin_status st = check(j, err);
    if (!st) st = open_all(j, err);
    if (!st) st = j->kind < 0 ? embed_events(j, err) : embed_entities(j, err);
    if (!st) st = sink_commit(&j->sink, err);
    if (!st) summary(j);
    sink_free(&j->sink);
    fl_encode_close(j->encode);
    fl_log_close(j->log);
    fl_model_close(j->model);
    free(j->pooled);
    free(j->count);
    free(j);
    return st;
}
