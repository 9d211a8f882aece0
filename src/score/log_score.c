/* Scores of a log. Invariant: what is written comes from one path; with check the other runs beside it and every
 * number of every row must have the same bits. */
#include "score/log_score.h"
#include "data/duck.h"
#include "model/encode.h"
#include <stdio.h>

enum { BATCH = 2048, LIVE = 64, STEPS = 256 };

/* One step of the stream on its way to the live path: an event, or a label and the event that it is about. */
typedef struct {
    fl_step kind;
    uint64_t row;
    fl_event event;
    fl_label label;
} step;

typedef struct {
    const fl_model *model;
    const fl_log *log;
    const fl_log_score_options *opt;
    fl_log_score_result *res;
    const florin_context *ctx;
    florin_error *err;
    fl_encode *encode; /* offline path */
    fl_scorer *scorer; /* live path */
    fl_order *order;
    fl_head *head[FL_SCORE_HEADS_MAX];
    fl_reasoner *reasoner;
    step *step;            /* [STEPS] */
    fl_head_out *live_out; /* [LIVE][heads]: of the events that the live path has scored ahead */
    const step *live[LIVE];
    uint32_t live_n, live_at; /* how many; which is the next to be taken */
    fl_table_writer *table;
    uint32_t pending; /* rows in the batch */
    fl_buf ids;       /* their event ids, each with its zero byte */
    size_t *id_at;
    const char **id_text;
    int64_t *time;
    float *probability[FL_SCORE_HEADS_MAX];
    uint32_t *score[FL_SCORE_HEADS_MAX];
    const char **level[FL_SCORE_HEADS_MAX];
} run;

static const char *const LEVEL[] = {"normal", "elevated", "highest"};

static florin_status open_table(run *x)
{
    fl_table_column col[2 + 3 * FL_SCORE_HEADS_MAX];
    char name[3 * FL_SCORE_HEADS_MAX][96];
    uint32_t n = 0;
    col[n++] = (fl_table_column){"id", FL_DUCK_TEXT};
    col[n++] = (fl_table_column){"time", FL_DUCK_TIME_US};
    for (uint32_t i = 0; i < x->res->heads; i++) {
        static const char *const part[] = {"probability", "score", "level"};
        static const fl_duck_type type[] = {FL_DUCK_FLOAT, FL_DUCK_UINT32, FL_DUCK_TEXT};
        for (int p = 0; p < 3; p++) {
            snprintf(name[3 * i + p], sizeof name[0], "%s_%s", x->res->head_name[i], part[p]);
            col[n++] = (fl_table_column){name[3 * i + p], type[p]};
        }
    }
    return fl_table_open(&x->table, x->opt->out, col, n, x->ctx, x->err);
}

static florin_status open_heads(run *x)
{
    florin_status st = FLORIN_OK;
    fl_log_score_result *r = x->res;
    for (uint32_t i = 0; i < fl_heads(x->model) && !st; i++) {
        fl_head *h = NULL;
        st = fl_head_open(&h, x->model, i, x->err);
        if (st) break;
        if (!fl_head_per_event(h) || r->heads == FL_SCORE_HEADS_MAX) {
            fl_head_close(h);
            continue;
        }
        snprintf(r->head_name[r->heads], sizeof r->head_name[0], "%s", fl_head_name(h));
        if (x->opt->head && !strcmp(x->opt->head, fl_head_name(h))) r->top_head = r->heads;
        x->head[r->heads++] = h;
    }
    if (!st && !r->heads)
        st = fl_fail(x->err, FLORIN_EUSAGE,
                     "the model has no head that scores events: fit one with `florin fit`");
    if (!st && x->opt->head && strcmp(r->head_name[r->top_head], x->opt->head)) {
        uint32_t i;
        st = fl_head_find(&i, x->model, x->opt->head, x->err);
        if (!st)
            st = fl_fail(x->err, FLORIN_EUSAGE, "head '%s' scores entities at a date, not events",
                         x->opt->head);
    }
    return st;
}

static florin_status open_run(run *x)
{
    florin_status st = fl_schema_same(fl_model_schema(x->model), fl_log_schema(x->log), x->err);
    if (!st) st = open_heads(x);
    if (!st && (!x->opt->live || x->opt->check))
        st = fl_encode_open(&x->encode, x->model, x->log, x->err);
    if (!st && (x->opt->live || x->opt->check)) {
        uint64_t rows = fl_log_rows(x->log) ? fl_log_rows(x->log) : 1;
        uint32_t n = rows > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)rows;
        /* Room for the whole log: a replay forgets nothing, so it must equal the offline path. */
        fl_scorer_options o = {
            .pairs_max = n, .pending_max = n, .batch_max = LIVE, .when_full = FL_FULL_ERROR};
        for (uint32_t k = 0; k < fl_log_schema(x->log)->kinds; k++)
            o.entities_max[k] = fl_log_entities(x->log, (int)k) + 1;
        st = fl_scorer_open(&x->scorer, x->model, &o, x->err);
        if (!st) st = fl_order_open(&x->order, x->log, x->err);
    }
    if (!st) st = fl_reasoner_new(&x->reasoner, x->model, x->err);
    x->step = fl_calloc(STEPS, sizeof *x->step);
    x->live_out =
        fl_calloc((size_t)LIVE * (x->res->heads ? x->res->heads : 1), sizeof *x->live_out);
    x->res->top = fl_calloc(x->opt->top ? x->opt->top : 1, sizeof *x->res->top);
    x->id_at = fl_calloc(BATCH, sizeof *x->id_at);
    x->id_text = fl_calloc(BATCH, sizeof *x->id_text);
    x->time = fl_calloc(BATCH, sizeof *x->time);
    bool ok = x->step && x->live_out && x->res->top && x->id_at && x->id_text && x->time;
    for (uint32_t i = 0; i < x->res->heads; i++) {
        x->probability[i] = fl_calloc(BATCH, sizeof(float));
        x->score[i] = fl_calloc(BATCH, sizeof(uint32_t));
        x->level[i] = fl_calloc(BATCH, sizeof(char *));
        ok = ok && x->probability[i] && x->score[i] && x->level[i];
    }
    if (!st && !ok) st = fl_fail(x->err, FLORIN_ENOMEM, "scoring a log");
    if (!st && x->opt->out) st = open_table(x);
    return st;
}

static void close_run(run *x)
{
    fl_encode_close(x->encode);
    fl_scorer_close(x->scorer);
    fl_order_close(x->order);
    for (uint32_t i = 0; i < x->res->heads; i++) {
        fl_head_close(x->head[i]);
        free(x->probability[i]);
        free(x->score[i]);
        free(x->level[i]);
    }
    fl_reasoner_free(x->reasoner);
    fl_table_abort(x->table);
    free(x->step);
    free(x->live_out);
    fl_buf_free(&x->ids);
    free(x->id_at);
    free(x->id_text);
    free(x->time);
}

static florin_status flush(run *x)
{
    const void *data[2 + 3 * FL_SCORE_HEADS_MAX];
    uint32_t n = 0;
    if (!x->table || !x->pending) return FLORIN_OK;
    if (x->ids.failed) return fl_fail(x->err, FLORIN_ENOMEM, "scores: event ids");
    for (uint32_t i = 0; i < x->pending; i++) x->id_text[i] = x->ids.data + x->id_at[i];
    data[n++] = x->id_text;
    data[n++] = x->time;
    for (uint32_t i = 0; i < x->res->heads; i++) {
        data[n++] = x->probability[i];
        data[n++] = x->score[i];
        data[n++] = x->level[i];
    }
    florin_status st = fl_table_add(x->table, data, x->pending, x->err);
    x->pending = 0;
    x->ids.len = 0;
    return st;
}

/* Keep the top list sorted, most suspicious first; reasons are worked out when an event enters it, while its row is
 * at hand. */
static void consider_top(run *x, uint64_t row, const fl_event *e, const float *values,
                         const fl_head_out *out)
{
    fl_log_score_result *r = x->res;
    const fl_head_out *s = &out[r->top_head];
    if (!x->opt->top || (r->tops == x->opt->top && s->logit <= r->top[r->tops - 1].score.logit))
        return;
    uint32_t i = r->tops < x->opt->top ? r->tops++ : r->tops - 1;
    for (; i && r->top[i - 1].score.logit < s->logit; i--) r->top[i] = r->top[i - 1];
    fl_top_event *t = &r->top[i];
    t->row = row;
    t->event = *e;
    t->score = *s;
    t->reasons = fl_reasons(x->reasoner, x->head[r->top_head], values, t->reason, FL_REASONS_MAX);
}

static florin_status take(run *x, uint64_t row, const fl_event *e, const float *values,
                          const fl_head_out *out)
{
    fl_log_score_result *r = x->res;
    r->events++;
    consider_top(x, row, e, values, out);
    for (uint32_t i = 0; i < r->heads; i++) r->level[i][out[i].level]++;
    if (!x->table) return FLORIN_OK;
    uint32_t p = x->pending++;
    char number[FL_ID_NUMBER];
    size_t len;
    const char *id = fl_log_event_id(x->log, row, number, &len);
    x->id_at[p] = x->ids.len;
    fl_buf_add(&x->ids, id, len);
    fl_buf_add(&x->ids, "", 1);
    x->time[p] = e->time_us;
    for (uint32_t i = 0; i < r->heads; i++) {
        x->probability[i][p] = out[i].probability;
        x->score[i][p] = out[i].score;
        x->level[i][p] = LEVEL[out[i].level];
    }
    return x->pending == BATCH ? flush(x) : FLORIN_OK;
}

/* The next steps of the stream, up to a batch of events. */
static uint32_t gather(run *x)
{
    uint32_t n = 0, events = 0;
    int64_t clock_us;
    while (n < STEPS && events < LIVE) {
        step *t = &x->step[n];
        t->kind = fl_order_next(x->order, &t->row, &t->label, &clock_us);
        if (t->kind == FL_STEP_END) break;
        fl_log_event(x->log, t->kind == FL_STEP_LABEL ? t->label.row : t->row, &t->event);
        events += t->kind == FL_STEP_EVENT;
        n++;
    }
    return n;
}

/* One batch through the live path, labels in their places. live_n 0 afterwards: the log's end. */
static florin_status live_batch(run *x)
{
    x->live_n = x->live_at = 0;
    while (!x->live_n) {
        uint32_t n = gather(x);
        if (!n) return FLORIN_OK;
        fl_scorer_begin(x->scorer);
        for (uint32_t i = 0; i < n && i < FL_SCORE_SOON; i++)
            fl_scorer_fetch_soon(x->scorer, &x->step[i].event);
        for (uint32_t i = 0; i < n && i < FL_SCORE_NEXT; i++)
            fl_scorer_fetch_next(x->scorer, &x->step[i].event);
        for (uint32_t i = 0; i < n; i++) {
            const step *t = &x->step[i];
            if (i + FL_SCORE_SOON < n)
                fl_scorer_fetch_soon(x->scorer, &x->step[i + FL_SCORE_SOON].event);
            if (i + FL_SCORE_NEXT < n)
                fl_scorer_fetch_next(x->scorer, &x->step[i + FL_SCORE_NEXT].event);
            florin_status st = t->kind == FL_STEP_EVENT
                                   ? fl_scorer_add(x->scorer, &t->event, x->err)
                                   : fl_scorer_label(x->scorer, t->event.id, t->label.label,
                                                     t->label.value, t->label.arrival_us, x->err);
            if (st) return st;
            if (t->kind == FL_STEP_EVENT) x->live[x->live_n++] = t;
            else x->res->labels++;
        }
        fl_scorer_finish(x->scorer, x->live_out);
    }
    return FLORIN_OK;
}

/* The live path's next event. False at the end or on *st. */
static bool live_next(run *x, const step **taken, const float **row, const fl_head_out **out,
                      florin_status *st)
{
    if (x->live_at == x->live_n) *st = live_batch(x);
    if (*st || x->live_at == x->live_n) return false;
    *taken = x->live[x->live_at];
    *row = fl_scorer_row(x->scorer, x->live_at);
    *out = x->live_out + (size_t)x->live_at++ * x->res->heads;
    return true;
}

static florin_status compare(run *x, uint64_t row, uint64_t live_row, const float *offline,
                             const float *live, const fl_head_out *a, const fl_head_out *b)
{
    char number[FL_ID_NUMBER];
    size_t len;
    const char *id = fl_log_event_id(x->log, row, number, &len);
    if (row != live_row)
        return fl_fail(x->err, FLORIN_EQUALITY, "order differs: offline row %llu, live row %llu",
                       (unsigned long long)row, (unsigned long long)live_row);
    for (uint32_t c = 0; c < fl_model_row_width(x->model); c++)
        if (memcmp(&offline[c], &live[c], sizeof(float)))
            return fl_fail(x->err, FLORIN_EQUALITY, "event %.*s: %s is %.9g offline and %.9g live",
                           (int)len, id, fl_model_row_name(x->model, c), (double)offline[c],
                           (double)live[c]);
    for (uint32_t i = 0; i < x->res->heads; i++)
        if (memcmp(&a[i].logit, &b[i].logit, sizeof a[i].logit) ||
            memcmp(&a[i].probability, &b[i].probability, sizeof a[i].probability))
            return fl_fail(x->err, FLORIN_EQUALITY,
                           "event %.*s: head %s differs: %.9g offline, %.9g live", (int)len, id,
                           x->res->head_name[i], (double)a[i].probability,
                           (double)b[i].probability);
    return FLORIN_OK;
}

static florin_status score_all(run *x)
{
    fl_head_out off[FL_SCORE_HEADS_MAX];
    const fl_head_out *out = NULL;
    fl_event e;
    const step *live = NULL;
    const fl_fold_carry *carry;
    const float *values = NULL, *live_values = NULL;
    uint64_t row = 0, done = 0, n = fl_log_rows(x->log);
    florin_status st = FLORIN_OK;
    for (;;) {
        bool more = true;
        if (x->encode) more = fl_encode_next(x->encode, &row, &e, &values, &carry);
        if (x->encode && !more) break;
        if (x->encode && e.time_us >= x->opt->from_us)
            for (uint32_t i = 0; i < x->res->heads; i++) fl_head_score(x->head[i], values, &off[i]);
        if (x->scorer && !live_next(x, &live, &live_values, &out, &st)) break;
        int64_t time_us = x->encode ? e.time_us : live->event.time_us;
        bool in = time_us >= x->opt->from_us && time_us < x->opt->to_us;
        if (x->encode && x->scorer && in)
            st = compare(x, row, live->row, values, live_values, off, out);
        if (!st && in)
            st = x->scorer ? take(x, live->row, &live->event, live_values, out)
                           : take(x, row, &e, values, off);
        if (!st && ++done % 4096 == 0) {
            fl_progress(x->ctx, x->scorer ? "replaying" : "scoring", done, n);
            if (fl_cancelled(x->ctx))
                st = fl_fail(x->err, FLORIN_ECANCELLED, "scoring: stopped, nothing was written");
        }
        if (st) break;
    }
    fl_progress(x->ctx, x->scorer ? "replaying" : "scoring", n, n);
    return st ? st : flush(x);
}

/* Scoring what was learnt from is allowed, and said. */
static void note_seen(run *x)
{
    fl_log_score_result *r = x->res;
    int64_t first = fl_log_time_min(x->log), seen = fl_model_until(x->model);
    char from[32], until[32];
    if (x->opt->from_us > first) first = x->opt->from_us;
    for (uint32_t i = 0; i < r->heads; i++)
        if (fl_head_until(x->head[i]) > seen) seen = fl_head_until(x->head[i]);
    r->seen_us = INT64_MIN;
    if (seen <= first || first >= x->opt->to_us || !fl_log_rows(x->log)) return;
    r->seen_us = seen;
    fl_time_format(first, from);
    fl_time_format(seen, until);
    fl_say(x->ctx, FLORIN_LOG_WARN,
           "the model learnt from what became known before %s: scores from %s to there are no "
           "measure of its quality",
           until, from);
}

florin_status fl_log_score(const fl_model *m, const fl_log *log, const fl_log_score_options *opt,
                           fl_log_score_result *result, const florin_context *ctx,
                           florin_error *err)
{
    memset(result, 0, sizeof *result);
    if (opt->top > FL_TOP_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "at most %d events in a top list", FL_TOP_MAX);
    run x = {.model = m, .log = log, .opt = opt, .res = result, .ctx = ctx, .err = err};
    int64_t start = fl_monotonic_us(ctx);
    florin_status st = open_run(&x);
    if (!st) note_seen(&x);
    if (!st) st = score_all(&x);
    if (!st && x.table) {
        fl_table_writer *t = x.table;
        x.table = NULL;
        st = fl_table_commit(t, err);
    }
    result->seconds = (double)(fl_monotonic_us(ctx) - start) / 1e6;
    close_run(&x);
    if (st) fl_log_score_free(result);
    return st;
}

void fl_log_score_free(fl_log_score_result *r)
{
    free(r->top);
    memset(r, 0, sizeof *r);
}
