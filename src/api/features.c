/* florin_features: the fold of a log into a table, one row per event or one per entity at a date. */
#include <inttypes.h>
#include <stdio.h>

#include "data/duck.h"
#include "fold/velocity.h"
#include "model/file.h"

enum { BATCH = 1024, KEYS = 2 };

typedef struct {
    const florin_features_options *opt;
    const florin_context *ctx;
    fl_log *log;
    fl_model_file *model;
    fl_fold_plan *plan;
    fl_replay *replay;
    fl_velocity *windows;
    fl_label_index *label[FL_LABELS_MAX];
    int64_t from_us, to_us, until_us, labels_us, at_us;
    int kind;        /* -1: events */
    uint32_t labels; /* label columns */
    uint32_t width;  /* feature columns */
    /* rows on their way to the file, column by column: keys, labels, features */
    fl_table_writer *keys, *table; /* keys: apart where the format holds numbers only */
    char *text[BATCH];
    int64_t time_us[BATCH];
    float *value; /* [labels + width][BATCH] */
    const void **column;
    uint32_t filled;
    uint64_t written, folded;
} job;

static florin_status moment(const char *text, const char *option, int64_t fallback, int64_t *out,
                            florin_error *err)
{
    *out = fallback;
    if (text && !fl_time_parse(text, out))
        return fl_fail(err, FLORIN_EUSAGE,
                       "features: --%s %s is not a moment, as 2018-08-01 or \"2018-08-01 12:30\"",
                       option, text);
    return FLORIN_OK;
}

static florin_status check(job *j, florin_error *err)
{
    const florin_features_options *o = j->opt;
    florin_status st;
    if (!o->log) return fl_fail(err, FLORIN_EUSAGE, "features: a log is needed");
    if (o->entity && (o->velocity || o->labels_at || o->from || o->to))
        return fl_fail(err, FLORIN_EUSAGE,
                       "features: --entity goes with --at, not with --from, --to, --velocity or "
                       "--labels-at: its rows are no events");
    if (o->list && o->velocity)
        return fl_fail(err, FLORIN_EUSAGE,
                       "features: --list shows the fold's features, not --velocity's");
    if (o->at && !o->entity)
        return fl_fail(err, FLORIN_EUSAGE, "features: --at goes with --entity");
    if (o->model && o->until)
        return fl_fail(err, FLORIN_EUSAGE,
                       "features: --model brings its constants; --until would learn others");
    st = moment(o->from, "from", INT64_MIN, &j->from_us, err);
    if (!st) st = moment(o->to, "to", INT64_MAX, &j->to_us, err);
    if (!st) st = moment(o->labels_at, "labels-at", INT64_MAX, &j->labels_us, err);
    if (!st) st = moment(o->at, "at", INT64_MAX, &j->at_us, err);
    if (!st) st = moment(o->until, "until", INT64_MIN, &j->until_us, err);
    if (!st && j->from_us >= j->to_us)
        st = fl_fail(err, FLORIN_EUSAGE, "features: --from is not before --to");
    return st;
}

static florin_status plan_of_model(job *j, florin_error *err)
{
    const fl_schema *s = fl_log_schema(j->log);
    fl_schema *own = NULL;
    florin_status st = fl_model_file_open(&j->model, j->opt->model, err);
    if (st) return st;
    const json_t *meta = fl_model_file_json(j->model);
    st = fl_schema_from_json(&own, json_object_get(meta, "schema"), j->opt->model, err);
    if (!st) st = fl_schema_same(own, s, err);
    if (!st) st = fl_fold_plan_from_json(&j->plan, s, json_object_get(meta, "fold"), err);
    fl_schema_free(own);
    return st;
}

static florin_status make_plan(job *j, florin_error *err)
{
    if (j->opt->model) return plan_of_model(j, err);
    florin_status st = fl_fold_plan_new(&j->plan, fl_log_schema(j->log), err);
    if (st) return st;
    int64_t first = fl_log_time_min(j->log), last = fl_log_time_max(j->log);
    if (!j->opt->until) {
        j->until_us = first + (last / 3 - first / 3);
        if (j->opt->from) j->until_us = j->from_us;
        else if (j->opt->entity) j->until_us = j->at_us;
    }
    return fl_fold_plan_fit(j->plan, j->log, j->until_us, j->ctx, err);
}

static florin_status open_all(job *j, florin_error *err)
{
    const florin_features_options *o = j->opt;
    florin_status st = fl_log_open(&j->log, o->log, err);
    if (st) return st;
    const fl_schema *s = fl_log_schema(j->log);
    j->kind = -1;
    if (o->entity) {
        j->kind = fl_schema_kind(s, o->entity);
        if (j->kind < 0)
            return fl_fail(err, FLORIN_EUSAGE, "%s: the log has no entity kind %s", o->log,
                           o->entity);
    }
    if (o->velocity) {
        j->width = FL_VELOCITY;
        return fl_velocity_open(&j->windows, j->log, fl_schema_role(s, FL_ROLE_PAYER),
                                fl_schema_role(s, FL_ROLE_PAYEE), s->labels ? s->risk_label : -1,
                                err);
    }
    st = make_plan(j, err);
    if (st || o->list) return st;
    j->width = j->kind < 0 ? fl_fold_features(j->plan) : fl_fold_read_features(j->plan, j->kind);
    return fl_replay_open(&j->replay, j->plan, j->log, err);
}

static florin_status open_labels(job *j, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (!j->opt->labels_at) return st;
    j->labels = fl_log_schema(j->log)->labels;
    for (uint32_t i = 0; i < j->labels && !st; i++)
        st = fl_label_index_new(&j->label[i], j->log, (int)i, err);
    return st;
}

static const char *feature_name(const job *j, uint32_t i)
{
    if (j->windows) return fl_velocity_name(i);
    return fl_fold_feature_at(j->plan, j->kind < 0 ? i : fl_fold_read_feature(j->plan, j->kind, i))
        ->name;
}

static florin_status open_table(job *j, florin_error *err)
{
    const fl_schema *s = fl_log_schema(j->log);
    const char *out = j->opt->out, *dot = strrchr(out, '.');
    uint32_t numbers = j->labels + j->width;
    fl_table_column *c = fl_calloc(numbers + KEYS, sizeof *c);
    char names[FL_LABELS_MAX][FL_NAME_MAX + 8], *apart = NULL;
    florin_status st = FLORIN_OK;

    j->value = fl_alloc((size_t)numbers * BATCH, sizeof *j->value);
    j->column = fl_calloc(numbers + KEYS, sizeof *j->column);
    if (dot && !strcmp(dot, ".npy")) apart = fl_asprintf("%s.ids.csv", out);
    if (!c || !j->value || !j->column || (dot && !strcmp(dot, ".npy") && !apart)) {
        st = fl_fail(err, FLORIN_ENOMEM, "features: %u columns", numbers);
        goto done;
    }
    c[0] = (fl_table_column){j->kind < 0 ? "event" : j->opt->entity, FL_DUCK_TEXT};
    c[1] = (fl_table_column){j->kind < 0 ? "time" : "at", FL_DUCK_TIME_US};
    for (uint32_t i = 0; i < j->labels; i++) {
        snprintf(names[i], sizeof names[i], "label:%s", s->label[i].name);
        c[KEYS + i] = (fl_table_column){names[i], FL_DUCK_FLOAT};
    }
    for (uint32_t i = 0; i < j->width; i++)
        c[KEYS + j->labels + i] = (fl_table_column){feature_name(j, i), FL_DUCK_FLOAT};
    if (apart) {
        st = fl_table_open(&j->keys, apart, c, KEYS, j->ctx, err);
        if (!st) st = fl_table_open(&j->table, out, c + KEYS, numbers, j->ctx, err);
    } else st = fl_table_open(&j->table, out, c, numbers + KEYS, j->ctx, err);
done:
    free(apart);
    free(c);
    return st;
}

static florin_status flush(job *j, florin_error *err)
{
    florin_status st;
    if (!j->filled) return FLORIN_OK;
    j->column[0] = j->text;
    j->column[1] = j->time_us;
    for (uint32_t i = 0; i < j->labels + j->width; i++)
        j->column[KEYS + i] = j->value + (size_t)i * BATCH;
    if (j->keys) {
        st = fl_table_add(j->keys, j->column, j->filled, err);
        if (!st) st = fl_table_add(j->table, j->column + KEYS, j->filled, err);
    } else st = fl_table_add(j->table, j->column, j->filled, err);
    for (uint32_t i = 0; i < j->filled; i++) free(j->text[i]);
    j->filled = 0;
    return st;
}

/* Takes text. row: of the event, for its labels. */
static florin_status add(job *j, char *text, int64_t time_us, uint64_t row, const float *features,
                         florin_error *err)
{
    uint32_t at = j->filled;
    if (!text) return fl_fail(err, FLORIN_ENOMEM, "features: a name");
    j->text[at] = text;
    j->time_us[at] = time_us;
    for (uint32_t i = 0; i < j->labels; i++) {
        float v = fl_label_at(j->label[i], row, j->labels_us);
        j->value[(size_t)i * BATCH + at] =
            v < 0 ? __builtin_nanf("") : v; /* the table writes NULL */
    }
    float *to = j->value + (size_t)j->labels * BATCH + at;
    for (uint32_t i = 0; i < j->width; i++) to[(size_t)i * BATCH] = features[i];
    j->written++;
    return ++j->filled == BATCH ? flush(j, err) : FLORIN_OK;
}

static bool stopped(job *j)
{
    if (++j->folded % 8192) return false;
    fl_progress(j->ctx, "features", j->folded, fl_log_rows(j->log));
    return fl_cancelled(j->ctx);
}

static florin_status cancelled(florin_error *err)
{
    return fl_fail(err, FLORIN_ECANCELLED, "features: stopped; nothing was written");
}

/* The next event's features, in f or elsewhere; NULL at the end. */
static const float *next_event(job *j, uint64_t *row, float *f)
{
    fl_event e;
    if (j->windows) return fl_velocity_next(j->windows, row);
    return fl_replay_next(j->replay, row, &e, f, NULL) ? f : NULL;
}

static florin_status events(job *j, florin_error *err)
{
    float *f = fl_alloc(j->width + 1, sizeof *f);
    florin_status st = f ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "features: a row");
    const float *got;
    uint64_t row;
    size_t n;
    while (!st && (got = next_event(j, &row, f)) != NULL) {
        int64_t t = j->table ? fl_log_time(j->log, row) : INT64_MIN;
        if (j->table && t >= j->from_us && t < j->to_us) {
            char number[FL_ID_NUMBER];
            const char *id = fl_log_event_id(j->log, row, number, &n);
            st = add(j, fl_strndup(id, n), t, row, got, err);
        }
        if (!st && stopped(j)) st = cancelled(err);
    }
    free(f);
    return st;
}

static florin_status entities(job *j, florin_error *err)
{
    uint32_t wide = fl_fold_features(j->plan), n = fl_log_entities(j->log, j->kind),
             at = fl_fold_read_features(j->plan, j->kind);
    int64_t when = j->opt->at ? j->at_us : fl_log_time_max(j->log) + 1;
    float *f = fl_alloc(wide + 1, sizeof *f);
    florin_status st = f ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "features: a row");
    uint64_t row;
    fl_event e;
    size_t len;
    while (!st && fl_replay_peek(j->replay) < when && fl_replay_next(j->replay, &row, &e, f, NULL))
        if (stopped(j)) st = cancelled(err);
    fl_replay_advance(j->replay, when);
    uint32_t count = at;
    for (uint32_t i = 0; i < at; i++)
        if (!strcmp(strrchr(feature_name(j, i), '.'), ".events")) count = i;
    for (uint32_t i = 0; i < n && !st; i++) {
        fl_fold_read(j->plan, j->kind, fl_replay_record(j->replay, j->kind, i), when, f);
        if (count < at && f[count] == 0) continue; /* not seen yet */
        if (!j->table) continue;
        const char *name = fl_log_entity_name(j->log, j->kind, i, &len);
        st = add(j,
                 name ? fl_strndup(name, len)
                      : fl_asprintf("%016" PRIx64, fl_log_entity_hash(j->log, j->kind, i)),
                 when, 0, f, err);
    }
    free(f);
    return st;
}

static void list(const job *j)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < fl_fold_features(j->plan); i++) {
        const fl_fold_feature *f = fl_fold_feature_at(j->plan, i);
        if (j->kind >= 0 && !(f->kind == j->kind && f->read)) continue;
        if (j->opt->format != FLORIN_JSON) {
            fl_writef(j->ctx, "%-52s %-10s %s\n", f->name, f->unit, f->meaning);
            continue;
        }
        const fl_schema *s = fl_log_schema(j->log);
        json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:s,s:b}", "name", f->name, "unit",
                                             f->unit, "meaning", f->meaning, "about",
                                             f->kind >= 0    ? s->kind[f->kind].name
                                             : f->kind == -1 ? "event"
                                                             : "pair",
                                             "at_a_date", (int)f->read));
    }
    if (j->opt->format == FLORIN_JSON) fl_json_write(j->ctx, all);
    json_decref(all);
}

static void summary(const job *j, int64_t us)
{
    double rate = us > 0 ? (double)j->folded / ((double)us / 1e6) : 0;
    uint64_t late = j->replay ? fl_replay_late(j->replay) : 0;
    const char *out = j->opt->out ? j->opt->out : "";
    if (j->opt->format == FLORIN_JSON) {
        json_t *s =
            json_pack("{s:s,s:I,s:I,s:I,s:I,s:f,s:f}", "out", out, "rows", (json_int_t)j->written,
                      "features", (json_int_t)j->width, "events", (json_int_t)j->folded, "late",
                      (json_int_t)late, "seconds", (double)us / 1e6, "events_per_second", rate);
        fl_json_write(j->ctx, s);
        json_decref(s);
        return;
    }
    if (*out) fl_writef(j->ctx, "%s: %" PRIu64 " rows, %u features\n", out, j->written, j->width);
    fl_writef(j->ctx, "%" PRIu64 " events folded, %u features", j->folded, j->width);
    if (late) fl_writef(j->ctx, ", %" PRIu64 " late events", late);
    if (us > 0) fl_writef(j->ctx, ", %.1f s, %.2f M events/s", (double)us / 1e6, rate / 1e6);
    fl_writef(j->ctx, "\n");
}

static void close_all(job *j)
{
    fl_table_abort(j->keys);
    fl_table_abort(j->table);
    for (uint32_t i = 0; i < j->filled; i++) free(j->text[i]);
    for (uint32_t i = 0; i < FL_LABELS_MAX; i++) fl_label_index_free(j->label[i]);
    free(j->value);
    free(j->column);
    fl_velocity_close(j->windows);
    fl_replay_close(j->replay);
    fl_fold_plan_free(j->plan);
    fl_model_file_close(j->model);
    fl_log_close(j->log);
    free(j);
}

static florin_status commit(job *j, florin_error *err)
{
    florin_status st = flush(j, err);
    fl_table_writer *keys = j->keys, *table = j->table;
    if (st) return st;
    j->keys = j->table = NULL; /* a commit closes in every case */
    if (keys) st = fl_table_commit(keys, err);
    if (st) fl_table_abort(table);
    else if (table) st = fl_table_commit(table, err);
    return st;
}

florin_status florin_features(const florin_context *ctx, const florin_features_options *opt,
                              florin_error *err)
{
    if (!opt || opt->size != sizeof *opt)
        return fl_fail(err, FLORIN_EUSAGE, "features: options of another version");
    job *j = fl_calloc(1, sizeof *j);
    if (!j) return fl_fail(err, FLORIN_ENOMEM, "features: out of memory");
    j->opt = opt;
    j->ctx = ctx;
    florin_status st = check(j, err);
    if (!st) st = open_all(j, err);
    if (!st && opt->list) {
        list(j);
        goto done;
    }
    if (!st) st = open_labels(j, err);
    if (!st && opt->out) st = open_table(j, err);
    if (st) goto done;
    int64_t begin = fl_monotonic_us(ctx);
    st = j->kind < 0 ? events(j, err) : entities(j, err);
    int64_t us = fl_monotonic_us(ctx) - begin;
    if (!st) st = commit(j, err);
    if (!st) summary(j, us);
done:
    close_all(j);
    return st;
}
