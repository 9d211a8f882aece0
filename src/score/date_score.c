/* Scores at a date. The rows are those that the head was fitted on: fl_encode_entity. */
#include "score/date_score.h"
#include "data/duck.h"
#include "model/encode.h"
#include <inttypes.h>
#include <math.h>

enum { BATCH = 2048, COLUMNS = 6, TOP_MAX = 1000 };

typedef struct {
    const fl_log *log;
    fl_date_score_result *res;
    uint32_t top_max, pending;
    fl_table_writer *table;
    char *id[BATCH];
    int64_t at[BATCH];
    float probability[BATCH], idle[BATCH];
    uint32_t score[BATCH];
    const char *level[BATCH];
} run;

static const char *const LEVEL[] = {"normal", "elevated", "highest"};

char *fl_entity_text(const fl_log *log, int kind, uint32_t entity)
{
    size_t n = 0;
    const char *name = fl_log_entity_name(log, kind, entity, &n);
    return name && n ? fl_strndup(name, n)
                     : fl_asprintf("%016" PRIx64, fl_log_entity_hash(log, kind, entity));
}

/* The head by name, or the first at a date. */
static florin_status find_head(fl_head **out, const fl_model *m, const char *name,
                               florin_error *err)
{
    *out = NULL;
    for (uint32_t i = 0; i < fl_heads(m); i++) {
        fl_head *h;
        florin_status st = fl_head_open(&h, m, i, err);
        if (st) return st;
        if (!fl_head_per_event(h) && (!name || !strcmp(name, fl_head_name(h)))) {
            *out = h;
            return FLORIN_OK;
        }
        fl_head_close(h);
    }
    uint32_t i;
    florin_status st = name ? fl_head_find(&i, m, name, err) : FLORIN_OK;
    if (st) return st;
    return name ? fl_fail(err, FLORIN_EUSAGE, "head '%s' scores events, not entities at a date",
                          name)
                : fl_fail(err, FLORIN_EUSAGE,
                          "the model has no head that judges entities at a date: fit one with "
                          "`florin fit`");
}

static florin_status flush(run *x, florin_error *err)
{
    const void *data[COLUMNS] = {x->id, x->at, x->probability, x->score, x->level, x->idle};
    florin_status st = x->pending ? fl_table_add(x->table, data, x->pending, err) : FLORIN_OK;
    for (uint32_t i = 0; i < x->pending; i++) free(x->id[i]);
    x->pending = 0;
    return st;
}

static florin_status add_row(run *x, const fl_top_entity *e, florin_error *err)
{
    uint32_t p = x->pending;
    x->id[p] = fl_entity_text(x->log, x->res->kind, e->entity);
    if (!x->id[p]) return fl_fail(err, FLORIN_ENOMEM, "scores: a name");
    x->at[p] = x->res->at_us;
    x->probability[p] = e->score.probability;
    x->score[p] = e->score.score;
    x->level[p] = LEVEL[e->score.level];
    x->idle[p] = e->idle_days;
    return ++x->pending == BATCH ? flush(x, err) : FLORIN_OK;
}

static void consider_top(run *x, const fl_top_entity *e)
{
    fl_date_score_result *r = x->res;
    if (!x->top_max || (r->tops == x->top_max && e->score.logit <= r->top[r->tops - 1].score.logit))
        return;
    uint32_t i = r->tops < x->top_max ? r->tops++ : r->tops - 1;
    for (; i && r->top[i - 1].score.logit < e->score.logit; i--) r->top[i] = r->top[i - 1];
    r->top[i] = *e;
}

/* Every event before the date, then every entity that had one. */
static florin_status score_all(run *x, fl_encode *e, const fl_head *head, float *row,
                               const florin_context *ctx, florin_error *err)
{
    fl_date_score_result *r = x->res;
    uint32_t width = fl_encode_entity_width(e, r->kind), n = fl_log_entities(x->log, r->kind);
    const float *values;
    const fl_fold_carry *carry;
    uint64_t event, done = 0;
    fl_encode_threads(e, fl_threads(ctx));
    florin_status st = fl_encode_ahead(e, r->at_us, err);
    while (!st && fl_encode_peek(e) < r->at_us &&
           fl_encode_next(e, &event, NULL, &values, &carry)) {
        if (++done % 4096) continue;
        fl_progress(ctx, "scoring", done, fl_log_rows(x->log));
        if (fl_cancelled(ctx))
            st = fl_fail(err, FLORIN_ECANCELLED, "scoring: stopped, nothing was written");
    }
    for (uint32_t i = 0; i < n && !st; i++) {
        fl_encode_entity(e, r->kind, i, r->at_us, row);
        if (row[width - 1] < 0) continue; /* its first event is still to come */
        fl_top_entity t = {.entity = i, .idle_days = (float)expm1((double)row[width - 1])};
        fl_head_score(head, row, &t.score);
        r->entities++;
        r->level[t.score.level]++;
        consider_top(x, &t);
        if (x->table) st = add_row(x, &t, err);
    }
    if (!st && !r->entities)
        st = fl_fail(err, FLORIN_EINPUT, "no %s has an event before the date: choose a later one",
                     fl_log_schema(x->log)->kind[r->kind].name);
    if (!st && x->table) st = flush(x, err);
    return st;
}

static florin_status open_table(run *x, const char *out, const florin_context *ctx,
                                florin_error *err)
{
    const fl_table_column col[COLUMNS] = {
        {fl_log_schema(x->log)->kind[x->res->kind].name, FL_DUCK_TEXT},
        {"at", FL_DUCK_TIME_US},
        {"probability", FL_DUCK_FLOAT},
        {"score", FL_DUCK_UINT32},
        {"level", FL_DUCK_TEXT},
        {"days_since_last_event", FL_DUCK_FLOAT}};
    return fl_table_open(&x->table, out, col, COLUMNS, ctx, err);
}

florin_status fl_date_score(const fl_model *m, const fl_log *log, const fl_date_score_options *opt,
                            fl_date_score_result *r, const florin_context *ctx, florin_error *err)
{
    run *x = NULL;
    fl_encode *e = NULL;
    fl_head *head = NULL;
    float *row = NULL;
    memset(r, 0, sizeof *r);
    if (opt->top > TOP_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "at most %d entities in a top list", TOP_MAX);
    florin_status st = fl_schema_same(fl_model_schema(m), fl_log_schema(log), err);
    if (!st) st = find_head(&head, m, opt->head, err);
    if (!st) st = fl_encode_open(&e, m, log, err);
    if (st) goto done;
    r->kind = fl_head_kind(head);
    r->at_us = opt->at_us == INT64_MAX ? fl_log_time_max(log) + 1 : opt->at_us;
    memcpy(r->head, fl_head_name(head), strnlen(fl_head_name(head), sizeof r->head - 1));
    x = fl_calloc(1, sizeof *x);
    row = fl_calloc(fl_encode_entity_width(e, r->kind), sizeof *row);
    r->top = fl_calloc(opt->top + 1, sizeof *r->top);
    if (!x || !row || !r->top) {
        st = fl_fail(err, FLORIN_ENOMEM, "scoring at a date");
        goto done;
    }
    x->log = log;
    x->res = r;
    x->top_max = opt->top;
    if (opt->out) st = open_table(x, opt->out, ctx, err);
    if (!st) st = score_all(x, e, head, row, ctx, err);
    if (!st && x->table) {
        fl_table_writer *t = x->table;
        x->table = NULL;
        st = fl_table_commit(t, err);
    }
done:
    if (x) {
        fl_table_abort(x->table);
        for (uint32_t i = 0; i < x->pending; i++) free(x->id[i]);
    }
    free(x);
    free(row);
    fl_encode_close(e);
    fl_head_close(head);
    if (st) {
        free(r->top);
        memset(r, 0, sizeof *r);
    }
    return st;
}
