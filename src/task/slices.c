/* Slices of judged rows. */
#include "task/slices.h"
#include <math.h>
#include <stdio.h>

enum { VALUES_MOST = 24, BANDS = 5, GROUPS = VALUES_MOST + 1, NO_GROUP = UINT8_MAX };
static const uint32_t history_from[] = {0, 1, 5, 20, 100};

typedef struct {
    const fl_judged *j;
    const double *score;
    const fl_log *log;
    const florin_context *ctx;
    uint32_t draws;
    uint64_t seed;
    double whole;   /* AUC of all rows */
    uint64_t *seen; /* [n] the event that speaks for a row; UINT64_MAX: none */
    uint32_t *past; /* [n] events before it */
    uint8_t *group; /* [n] slice of a row by the field at hand */
    double *s;      /* of the slice at hand: scores, truth, clusters */
    float *y;
    uint64_t *cluster;
    json_t *list;
} slicer;

/* Rows of an entity that come before `row`, or before time_us when row is UINT64_MAX; *last: the last of them. */
static uint32_t rows_before(const fl_log *log, int kind, uint32_t entity, uint64_t row,
                            int64_t time_us, uint64_t *last)
{
    uint32_t n, before = 0;

    *last = UINT64_MAX;
    for (uint32_t s = 0; s < fl_log_segments(log); s++) {
        const uint32_t *rows = fl_log_entity_rows(log, kind, entity, s, &n);
        uint64_t first = fl_log_segment_first(log, s);
        uint32_t lo = 0, hi = n;
        while (lo < hi) {
            uint32_t mid = lo + (hi - lo) / 2;
            uint64_t r = first + rows[mid];
            if (row != UINT64_MAX ? r < row : fl_log_time(log, r) < time_us) lo = mid + 1;
            else hi = mid;
        }
        before += lo;
        if (lo) *last = first + rows[lo - 1];
    }
    return before;
}

static void find_events(slicer *x)
{
    const fl_task *t = x->j->task;
    int payer = fl_schema_role(fl_log_schema(x->log), FL_ROLE_PAYER);

    for (size_t i = 0; i < x->j->n; i++) {
        uint64_t row = x->j->row[i], last;
        if (!t->per_event) {
            x->past[i] = rows_before(x->log, t->kind, (uint32_t)row, UINT64_MAX, x->j->time_us[i],
                                     &x->seen[i]);
            continue;
        }
        uint32_t e = payer < 0 ? FL_NONE : fl_log_entity(x->log, payer, row);
        x->seen[i] = row;
        x->past[i] = e == FL_NONE ? 0 : rows_before(x->log, payer, e, row, 0, &last);
    }
}

/* The rows of one group as a slice of the list, if it has cases enough. */
static florin_status add_slice(slicer *x, uint8_t g, const char *field, const char *value,
                               florin_error *err)
{
    fl_interval iv[6];
    size_t n = 0;
    uint64_t positives = 0;

    for (size_t i = 0; i < x->j->n; i++) {
        if (x->group[i] != g) continue;
        x->s[n] = x->score[i];
        x->y[n] = x->j->y[i];
        x->cluster[n++] = x->j->cluster[i];
        positives += x->j->y[i] > .5f;
    }
    if (positives < FL_SLICE_CASES || n - positives < FL_SLICE_CASES || n == x->j->n)
        return FLORIN_OK;
    const fl_scored rows = {.n = n, .score = x->s, .y = x->y, .cluster = x->cluster, .parts = 1};
    florin_status st = fl_bootstrap(iv, &rows, NULL, x->draws, x->seed, x->ctx, err);
    if (st) return st;
    json_array_append_new(x->list,
                          json_pack("{s:s, s:s, s:I, s:I, s:s, s:o, s:b}", "field", field, "value",
                                    value, "rows", (json_int_t)n, "positives",
                                    (json_int_t)positives, "metric", "auc", "figure",
                                    fl_result_interval(&iv[0]), "weaker", iv[0].high < x->whole));
    return FLORIN_OK;
}

static florin_status by_field(slicer *x, int field, florin_error *err)
{
    uint32_t values = fl_log_values(x->log, field);
    char text[72];
    florin_status st = FLORIN_OK;

    if (values < 2 || values > VALUES_MOST) return FLORIN_OK;
    for (size_t i = 0; i < x->j->n; i++)
        x->group[i] = x->seen[i] == UINT64_MAX
                          ? NO_GROUP
                          : (uint8_t)fl_log_category_code(x->log, field, x->seen[i]);
    for (uint32_t v = 0; v <= values && !st; v++) {
        size_t n = 4;
        const char *name =
            v ? fl_log_value_text(x->log, field, fl_log_value_hash(x->log, field, v - 1), &n)
              : "none";
        snprintf(text, sizeof text, "%.*s", (int)(n < 64 ? n : 64), name ? name : "?");
        st = add_slice(x, (uint8_t)v, fl_log_schema(x->log)->category[field].name, text, err);
    }
    return st;
}

static int rising(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Fifths of the amounts. */
static florin_status by_amount(slicer *x, florin_error *err)
{
    const char *currency = fl_log_schema(x->log)->currency;
    double unit = pow(10, -fl_currency_exponent(currency));
    int64_t *a = fl_alloc(x->j->n + 1, sizeof *a), edge[BANDS + 1];
    size_t n = 0;
    char text[72];
    florin_status st = a ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "slices");

    for (size_t i = 0; !st && i < x->j->n; i++) {
        int64_t v = x->seen[i] == UINT64_MAX ? FL_AMOUNT_NONE : fl_log_amount(x->log, x->seen[i]);
        if (v != FL_AMOUNT_NONE) a[n++] = v;
    }
    if (st || !n) {
        free(a);
        return st;
    }
    qsort(a, n, sizeof *a, rising);
    for (uint32_t b = 0; b <= BANDS; b++) edge[b] = a[b * (n - 1) / BANDS];
    free(a);
    for (size_t i = 0; i < x->j->n; i++) {
        int64_t v = x->seen[i] == UINT64_MAX ? FL_AMOUNT_NONE : fl_log_amount(x->log, x->seen[i]);
        uint8_t g = 0;
        while (g + 1 < BANDS && v >= edge[g + 1]) g++;
        x->group[i] = v == FL_AMOUNT_NONE ? NO_GROUP : g;
    }
    for (uint8_t g = 0; g < BANDS && !st; g++) {
        snprintf(text, sizeof text, "%.2f to %.2f %s", (double)edge[g] * unit,
                 (double)edge[g + 1] * unit, currency);
        st = add_slice(x, g, x->j->task->per_event ? "amount" : "last amount", text, err);
    }
    return st;
}

static florin_status by_history(slicer *x, florin_error *err)
{
    const fl_schema *s = fl_log_schema(x->log);
    const fl_task *t = x->j->task;
    int kind = t->per_event ? fl_schema_role(s, FL_ROLE_PAYER) : t->kind;
    char text[72], field[FL_NAME_MAX + 24];
    florin_status st = FLORIN_OK;

    if (kind < 0) return FLORIN_OK;
    snprintf(field, sizeof field, "%s's earlier events", s->kind[kind].name);
    for (size_t i = 0; i < x->j->n; i++) {
        uint8_t g = 0;
        while (g + 1u < FL_LEN(history_from) && x->past[i] >= history_from[g + 1]) g++;
        x->group[i] = g;
    }
    for (uint8_t g = 0; g < FL_LEN(history_from) && !st; g++) {
        if (!g) snprintf(text, sizeof text, "none: new");
        else if (g + 1u < FL_LEN(history_from))
            snprintf(text, sizeof text, "%u to %u", history_from[g], history_from[g + 1] - 1);
        else snprintf(text, sizeof text, "%u and more", history_from[g]);
        st = add_slice(x, g, field, text, err);
    }
    return st;
}

static int weakest(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    double p = fl_json_num(json_object_get(x, "figure"), "value", 0),
           q = fl_json_num(json_object_get(y, "figure"), "value", 0);
    return p != q ? (p > q) - (p < q)
                  : strcmp(fl_json_str(x, "value", ""), fl_json_str(y, "value", ""));
}

/* The list in order. */
static json_t *ordered(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **at = fl_alloc(n + 1, sizeof *at), *out = json_array();

    for (size_t i = 0; at && i < n; i++) at[i] = json_array_get(list, i);
    if (at) qsort(at, n, sizeof(json_t *), weakest);
    for (size_t i = 0; at && i < n; i++) json_array_append(out, at[i]);
    free(at);
    json_decref(list);
    return out;
}

florin_status fl_slices(json_t **out, const fl_judged *j, const double *score, const fl_log *log,
                        uint32_t draws, uint64_t seed, const florin_context *ctx, florin_error *err)
{
    size_t n = j->n + 1;
    slicer x = {.j = j,
                .score = score,
                .log = log,
                .ctx = ctx,
                .draws = draws,
                .seed = seed,
                .seen = fl_alloc(n, sizeof *x.seen),
                .past = fl_alloc(n, sizeof *x.past),
                .group = fl_alloc(n, 1),
                .s = fl_alloc(n, sizeof *x.s),
                .y = fl_alloc(n, sizeof *x.y),
                .cluster = fl_alloc(n, sizeof *x.cluster),
                .list = json_array()};
    const fl_scored all = {.n = j->n, .score = score, .y = j->y, .cluster = j->cluster, .parts = 1};
    size_t *order = fl_order_scores(score, j->n);
    bool ok = x.seen && x.past && x.group && x.s && x.y && x.cluster && x.list && order;
    florin_status st = ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "slices");

    *out = NULL;
    if (!st) x.whole = fl_auc(&all, order, NULL);
    if (!st) find_events(&x);
    for (uint32_t f = 0; f < fl_log_schema(log)->categories && !st; f++)
        if (!fl_log_schema(log)->category[f].after) st = by_field(&x, (int)f, err);
    if (!st) st = by_amount(&x, err);
    if (!st) st = by_history(&x, err);
    if (!st) *out = ordered(x.list);
    else json_decref(x.list);
    free(x.seen);
    free(x.past);
    free(x.group);
    free(x.s);
    free(x.y);
    free(x.cluster);
    free(order);
    return st;
}
