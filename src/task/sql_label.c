/* Runs the SELECT, keeps its rows, and runs it again over cut logs to prove that no label is dated too early. */
#include "task/sql_label.h"
#include "task/sql_rows.h"
#include "data/log_sql.h"
#include "task/answer.h"
#include <math.h>
#include <stdio.h>

struct fl_sql_labels {
    const fl_task *t;
    fl_map64 at; /* key of a moment -> 1 + its place below */
    size_t n, cap[3];
    float *value;
    int64_t *known_us;
    uint32_t *checked; /* the last cut in which it came out again */
    fl_classes classes;
    char **class_text; /* [classes.n] */
    uint32_t texts;
    size_t text_cap;
};

typedef struct {
    fl_sql_labels *s;
    const fl_task *t;
    const fl_log *log;
    fl_duck *db;
    fl_map64 name; /* hash of an event id or identifier -> 1 + row or entity */
    char *query;
    fl_sql_where at;
    uint32_t
        cut; /* 0: the whole log, rows are kept. Else the log was cut at cut_us, and rows are held against those kept */
    int64_t cut_us;
} reader;

static uint64_t key_of(const fl_task *t, uint64_t row, int64_t time_us)
{
    return fl_mix64(row + 1 + (t->per_event ? 0 : fl_mix64((uint64_t)time_us))) | 1;
}

void fl_sql_labels_free(fl_sql_labels *s)
{
    if (!s) return;
    fl_map64_free(&s->at);
    for (uint32_t i = 0; i < s->texts; i++) free(s->class_text[i]);
    free(s->class_text);
    fl_classes_free(&s->classes);
    free(s->value);
    free(s->known_us);
    free(s->checked);
    free(s);
}

/* The user's SELECT by itself, so that its errors speak of it; then inside one that gives columns and types. */
static florin_status wrap(reader *r)
{
    static const char *const event[] = {"id", "value", "known_at"};
    static const char *const dates[] = {"entity", "value", "known_at", "date"};
    static const char *const type[] = {"VARCHAR", "DOUBLE", "TIMESTAMP", "TIMESTAMP"};
    const char *const *want = r->t->per_event ? event : dates;
    uint32_t n = r->t->per_event ? 3 : 4;
    fl_duck_result *res = NULL;
    florin_error why = {0};
    florin_status st = fl_duck_query(&res, r->db, r->t->sql, true, &why);

    if (st) return fl_sql_fail(&r->at, st, "%.400s", why.message);
    for (uint32_t i = 0; i < n && !st; i++) {
        bool found = false;
        for (uint32_t c = 0; c < fl_duck_columns(res); c++)
            found |= !strcmp(fl_duck_column_name(res, c), want[i]);
        if (!found)
            st = fl_sql_fail(&r->at, FLORIN_EINPUT, "no column `%s`: it must return %s", want[i],
                             r->t->per_event ? "id, value, known_at"
                                             : "entity, date, value, known_at");
    }
    fl_duck_result_free(res);
    if (st) return st;
    fl_buf q = {0};
    fl_buf_puts(&q, "SELECT ");
    for (uint32_t i = 0; i < n; i++)
        fl_buf_printf(&q, "%sCAST(\"%s\" AS %s)", i ? ", " : "", want[i],
                      i == 1 && r->t->answer == FL_TASK_CLASS ? "VARCHAR" : type[i]);
    fl_buf_printf(&q, " FROM (\n%.*s\n)", (int)fl_sql_length(r->t->sql), r->t->sql);
    r->query = q.data;
    return q.failed ? fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory") : FLORIN_OK;
}

/* Has the entity an event before the moment? One that appears later is nobody's to predict. */
static bool seen_before(const fl_log *log, int kind, uint32_t entity, int64_t at_us)
{
    for (uint32_t g = 0; g < fl_log_segments(log); g++) {
        uint32_t n;
        const uint32_t *rows = fl_log_entity_rows(log, kind, entity, g, &n);
        if (n && fl_log_time(log, fl_log_segment_first(log, g) + rows[0]) < at_us) return true;
    }
    return false;
}

/* One row of the result: where it belongs, UINT64_MAX when no such event or entity is judged. */
typedef struct {
    const char *name;
    size_t len;
    uint64_t row;
    int64_t time_us, known_us;
    float value;
} answer;

/* The class of a row of the result by its text. */
static florin_status read_class(reader *r, const fl_duck_result *res, uint64_t i, answer *a)
{
    fl_sql_labels *s = r->s;
    size_t len;
    const char *text = fl_duck_text(res, 1, i, &len);
    uint32_t n = fl_classes_of(&s->classes, fl_category_hash(text, len));
    if (n == UINT32_MAX ||
        !fl_grow((void **)&s->class_text, &s->text_cap, n + 1, sizeof *s->class_text))
        return fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
    if (n == s->texts) {
        s->class_text[n] = fl_strndup(text, len);
        if (!s->class_text[n]) return fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
        s->texts++;
    }
    a->value = (float)n;
    return FLORIN_OK;
}

static florin_status read_value(reader *r, const fl_duck_result *res, uint64_t i, int shown,
                                answer *a)
{
    if (r->t->answer == FL_TASK_CLASS) return read_class(r, res, i, a);
    double v = ((const double *)fl_duck_data(res, 1))[i];
    if (r->t->answer == FL_TASK_BINARY && v != 0 && v != 1)
        return fl_sql_fail(
            &r->at, FLORIN_EINPUT,
            "value of '%.*s' is %g: only 0 and 1, true and false; for numbers say `is: "
            "number`",
            shown, a->name, isfinite(v) ? v : -1);
    if (!isfinite(v) || fabs(v) > 1e30 || (r->t->answer == FL_TASK_TIME && v < 0))
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "value of '%.*s' is no %s", shown, a->name,
                           r->t->answer == FL_TASK_TIME ? "time in days" : "number");
    a->value = (float)v;
    return FLORIN_OK;
}

static florin_status read_answer(reader *r, const fl_duck_result *res, uint64_t i, answer *a)
{
    const fl_task *t = r->t;
    *a = (answer){.name = "", .row = UINT64_MAX};
    if (fl_duck_null(res, 0, i))
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "%s is NULL", t->per_event ? "id" : "entity");
    a->name = fl_duck_text(res, 0, i, &a->len);
    int shown = a->len > 60 ? 60 : (int)a->len;
    if (fl_duck_null(res, 1, i)) return FLORIN_OK;
    florin_status st = read_value(r, res, i, shown, a);
    if (st) return st;
    if (fl_duck_null(res, 2, i) || (!t->per_event && fl_duck_null(res, 3, i)))
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "%s of '%.*s' is NULL",
                           fl_duck_null(res, 2, i) ? "known_at" : "date", shown, a->name);
    const uint32_t *at = fl_map64_find(&r->name, fl_sql_name(a->name, a->len));
    if (!at) {
        if (t->per_event) return FLORIN_OK; /* another type of event */
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "the log has no %s '%.*s'",
                           fl_log_schema(r->log)->kind[t->kind].name, shown, a->name);
    }
    uint64_t row = *at - 1;
    a->known_us = ((const int64_t *)fl_duck_data(res, 2))[i];
    a->time_us =
        t->per_event ? fl_log_time(r->log, row) : ((const int64_t *)fl_duck_data(res, 3))[i];
    if (t->per_event || seen_before(r->log, t->kind, (uint32_t)row, a->time_us)) a->row = row;
    return FLORIN_OK;
}

static florin_status keep(reader *r, const answer *a)
{
    fl_sql_labels *s = r->s;
    bool inserted;
    int shown = a->len > 60 ? 60 : (int)a->len;
    if (a->known_us < a->time_us)
        return fl_sql_fail(
            &r->at, FLORIN_ELEAK,
            "'%.*s' has a label that is known_at before the moment it is predicted at: a "
            "label comes later",
            shown, a->name);
    uint32_t *v = fl_map64_insert(&s->at, key_of(r->t, a->row, a->time_us), &inserted);
    if (v && !inserted)
        return fl_sql_fail(&r->at, FLORIN_EINPUT, "two rows for '%.*s'%s: one each", shown, a->name,
                           r->t->per_event ? "" : " at one date");
    if (!v || !fl_grow((void **)&s->value, &s->cap[0], s->n + 1, sizeof *s->value) ||
        !fl_grow((void **)&s->known_us, &s->cap[1], s->n + 1, sizeof *s->known_us) ||
        !fl_grow((void **)&s->checked, &s->cap[2], s->n + 1, sizeof *s->checked))
        return fl_sql_fail(&r->at, FLORIN_ENOMEM, "out of memory");
    *v = (uint32_t)s->n + 1;
    s->value[s->n] = a->value;
    s->known_us[s->n] = a->known_us;
    s->checked[s->n++] = 0;
    return FLORIN_OK;
}

static florin_status one_row(void *self, const fl_duck_result *res, uint64_t i)
{
    reader *r = self;
    fl_sql_labels *s = r->s;
    answer a;
    florin_status st = read_answer(r, res, i, &a);

    if (st || a.row == UINT64_MAX) return st;
    if (!r->cut) return keep(r, &a);
    const uint32_t *v = fl_map64_find(&s->at, key_of(r->t, a.row, a.time_us));
    if (v && s->known_us[*v - 1] <= r->cut_us && s->value[*v - 1] == a.value)
        s->checked[*v - 1] = r->cut;
    return FLORIN_OK;
}

static florin_status run(reader *r, uint32_t cut, int64_t at_us)
{
    fl_sql_labels *s = r->s;

    r->cut = cut;
    r->cut_us = at_us;
    florin_status st = fl_sql_each(&r->at, r->db, r->query, one_row, r);
    for (size_t i = 0; cut && i < s->n && !st; i++) {
        if (s->known_us[i] > at_us || s->checked[i] == cut) continue;
        char known[32], then[32];
        fl_time_format(s->known_us[i], known);
        fl_time_format(at_us, then);
        st =
            fl_sql_fail(&r->at, FLORIN_ELEAK,
                        "a label that is said to be known at %s comes out differently from the log "
                        "as it stood at %s: its known_at is too early for what it rests on",
                        known, then);
    }
    return st;
}

florin_status fl_sql_labels_read(fl_sql_labels **out, const fl_task *t, const fl_log *log,
                                 const florin_context *ctx, florin_error *err)
{
    reader r = {
        .s = fl_calloc(1, sizeof *r.s), .t = t, .log = log, .at = {t->sql_place, "label", err}};
    florin_status st = FLORIN_OK;

    *out = NULL;
    if (!r.s || !fl_map64_init(&r.s->at, 1024)) st = fl_fail(err, FLORIN_ENOMEM, "labels");
    if (r.s) r.s->t = t;
    fl_progress(ctx, "asking for labels", 0, 1);
    if (!st) st = fl_log_sql_open(&r.db, log, ctx, err);
    if (!st) st = fl_sql_names(&r.name, t, log, err);
    if (!st) st = wrap(&r);
    if (!st) st = run(&r, 0, INT64_MAX);
    if (!st && !r.s->n) st = fl_sql_fail(&r.at, FLORIN_EINPUT, "it returned no label");
    /* From the last cut to the first, as the tables only shrink. */
    for (uint32_t j = t->validates + t->tests; j-- > 0 && !st;) {
        st = fl_log_sql_cut(r.db, t->period[j].from_us, err);
        if (!st) st = run(&r, j + 1, t->period[j].from_us);
    }
    fl_progress(ctx, "asking for labels", 1, 1);
    free(r.query);
    fl_map64_free(&r.name);
    fl_duck_close(r.db);
    if (st) fl_sql_labels_free(r.s);
    else *out = r.s;
    return st;
}

float fl_sql_label_at(const fl_sql_labels *s, uint64_t row, int64_t time_us, int64_t at_us)
{
    const uint32_t *v = fl_map64_find(&s->at, key_of(s->t, row, time_us));
    return v && s->known_us[*v - 1] <= at_us ? s->value[*v - 1] : NAN;
}

uint32_t fl_sql_label_classes(const fl_sql_labels *s)
{
    return s->texts;
}

const char *fl_sql_label_class(const fl_sql_labels *s, uint32_t i, size_t *len)
{
    *len = strlen(s->class_text[i]);
    return s->class_text[i];
}
