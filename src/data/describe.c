/* Describing a log. One pass per column keeps memory at a few bytes a row; quantiles are exact up to SAMPLE values and
 * of a fixed random sample beyond. Invariant: no identifier leaves: entities are counted, never named, and a category's
 * value that looks like an identifier (an address, a long number) is shown as hidden. */
#include "data/describe.h"
#include "base/file.h"
#include "data/import.h"
#include <math.h>
#include <stdio.h>

enum {
    SAMPLE = 1 << 20,
    TOP = 10,
    TEXT_MAX = 80,
    CURRENCIES_MAX = 26 * 26 * 26 + 1,
    CURRENCIES_SHOWN = 12,
    REASONS_MAX = 64
};

typedef struct {
    const fl_log *log;
    const fl_schema *s;
    const florin_context *ctx;
    uint64_t rows;
    json_t *root;
} job;

/* ---- quantiles ---- */

typedef struct {
    double *v;
    size_t n, cap;
    uint64_t seen, negative, zero;
    double low, high, sum;
    fl_rng rng;
} sample;

/* Every value up to SAMPLE, then each with equal chance (Vitter 1985, algorithm R). False: no memory. */
static bool sample_add(sample *s, double v)
{
    void *p = s->v;
    if (!s->seen) fl_rng_seed(&s->rng, 1);
    if (!s->seen || v < s->low) s->low = v;
    if (!s->seen || v > s->high) s->high = v;
    s->seen++;
    s->sum += v;
    s->negative += v < 0;
    s->zero += v == 0;
    if (s->n == SAMPLE) {
        uint64_t at = fl_rng_below(&s->rng, s->seen);
        if (at < SAMPLE) s->v[at] = v;
        return true;
    }
    if (!fl_grow(&p, &s->cap, s->n + 1, sizeof *s->v)) return false;
    s->v = p;
    s->v[s->n++] = v;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Smallest value that at least q of the sorted values do not exceed. */
static double quantile(const sample *s, double q)
{
    if (!s->n) return 0;
    size_t i = (size_t)ceil(q * (double)s->n);
    return s->v[i ? i - 1 : 0];
}

static void put_quantiles(json_t *to, sample *s)
{
    static const struct {
        const char *name;
        double q;
    } at[] = {{"p01", .01}, {"p05", .05}, {"p25", .25}, {"median", .5},
              {"p75", .75}, {"p95", .95}, {"p99", .99}};
    if (!s->seen) return;
    if (s->n) qsort(s->v, s->n, sizeof *s->v, by_value);
    json_object_set_new(to, "min", json_real(s->low));
    for (size_t i = 0; i < FL_LEN(at); i++)
        json_object_set_new(to, at[i].name, json_real(quantile(s, at[i].q)));
    json_object_set_new(to, "max", json_real(s->high));
    json_object_set_new(to, "mean", json_real(s->sum / (double)s->seen));
    json_object_set_new(to, "sampled", json_boolean(s->seen > SAMPLE));
}

static void put_count(json_t *to, const char *key, uint64_t n)
{
    json_object_set_new(to, key, json_integer((json_int_t)n));
}

static void put_share(json_t *to, const char *key, uint64_t part, uint64_t whole)
{
    json_object_set_new(to, key, json_real(whole ? (double)part / (double)whole : 0));
}

static florin_status no_memory(florin_error *err)
{
    return fl_fail(err, FLORIN_ENOMEM, "describe: out of memory");
}

static florin_status stopped(const job *j, uint64_t row, florin_error *err)
{
    if (row & 0xffff || !fl_cancelled(j->ctx)) return FLORIN_OK;
    return fl_fail(err, FLORIN_ECANCELLED, "describe: stopped");
}

/* ---- what and when ---- */

static void put_moment(json_t *to, const char *key, int64_t us)
{
    char text[32];
    fl_time_format(us, text);
    json_object_set_new(to, key, json_string(text));
}

static void span(job *j)
{
    int64_t first = fl_log_time_min(j->log), last = fl_log_time_max(j->log), clock = INT64_MIN;
    uint64_t late = 0;
    json_t *time = json_object();
    for (uint64_t r = 0; r < j->rows; r++) {
        int64_t t = fl_log_time(j->log, r);
        late += t < clock;
        if (t > clock) clock = t;
    }
    if (j->rows) {
        put_moment(time, "first", first);
        put_moment(time, "last", last);
        json_object_set_new(time, "days",
                            json_real(((double)last - (double)first) / (double)FL_DAY_US));
    }
    put_count(time, "late_events", late);
    json_object_set_new(j->root, "time", time);
}

static void event_types(job *j)
{
    const fl_schema *s = j->s;
    struct {
        uint64_t n, amounts;
        int64_t first, last;
    } t[FL_SOURCES_MAX] = {{0}};
    uint64_t marks[FL_MARKS_MAX] = {0};
    for (uint64_t r = 0; r < j->rows; r++) {
        uint8_t k = fl_log_type(j->log, r), m = fl_log_marks(j->log, r);
        int64_t us = fl_log_time(j->log, r);
        if (!t[k].n || us < t[k].first) t[k].first = us;
        if (!t[k].n || us > t[k].last) t[k].last = us;
        t[k].n++;
        t[k].amounts += fl_log_amount(j->log, r) != FL_AMOUNT_NONE;
        for (uint32_t i = 0; i < s->marks; i++) marks[i] += m >> i & 1;
    }
    json_t *list = json_array(), *of_marks = json_array();
    for (uint32_t i = 0; i < s->sources; i++) {
        if (s->source[i].label_of >= 0) continue;
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(s->source[i].name));
        put_count(o, "events", t[i].n);
        put_share(o, "share", t[i].n, j->rows);
        put_count(o, "with_amount", t[i].amounts);
        if (t[i].n) put_moment(o, "first", t[i].first);
        if (t[i].n) put_moment(o, "last", t[i].last);
        json_array_append_new(list, o);
    }
    for (uint32_t i = 0; i < s->marks; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(s->mark[i].name));
        put_count(o, "events", marks[i]);
        put_share(o, "share", marks[i], j->rows);
        json_array_append_new(of_marks, o);
    }
    json_object_set_new(j->root, "event_types", list);
    json_object_set_new(j->root, "marks", of_marks);
}

/* ---- entities ---- */

static int by_count(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static florin_status entities_of(job *j, int kind, json_t *list, florin_error *err)
{
    static const char *const roles[] = {"other", "payer", "payee"};
    uint32_t n = fl_log_entities(j->log, kind);
    uint32_t *events = fl_calloc(n ? n : 1, sizeof *events);
    uint64_t missing = 0, once = 0, known = 0;
    florin_status st = events ? FLORIN_OK : no_memory(err);
    for (uint64_t r = 0; r < j->rows && !st; r++) {
        uint32_t e = fl_log_entity(j->log, kind, r);
        if (e == FL_NONE) missing++;
        else events[e]++;
        st = stopped(j, r, err);
    }
    if (!st) {
        qsort(events, n, sizeof *events, by_count);
        uint32_t first = 0; /* entities that only labels or duplicates brought */
        while (first < n && !events[first]) first++;
        for (uint32_t i = first; i < n; i++) once += events[i] == 1;
        known = n - first;
        json_t *o = json_object();
        json_object_set_new(o, "kind", json_string(j->s->kind[kind].name));
        json_object_set_new(o, "role", json_string(roles[j->s->kind[kind].role]));
        put_count(o, "entities", known);
        put_count(o, "events", j->rows - missing);
        put_count(o, "missing", missing);
        put_share(o, "missing_share", missing, j->rows);
        put_count(o, "seen_once", once);
        put_count(o, "events_each_median", known ? events[first + (known - 1) / 2] : 0);
        put_count(o, "events_each_p95", known ? events[first + (known * 95 + 99) / 100 - 1] : 0);
        put_count(o, "events_each_max", known ? events[n - 1] : 0);
        json_array_append_new(list, o);
    }
    free(events);
    return st;
}

/* ---- fields ---- */

/* An address, or nine digits and more: telephone, account, card, social security ... Such a value is no category. */
static bool looks_like_identifier(const char *s, size_t n)
{
    size_t digits = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '@') return true;
        digits += s[i] >= '0' && s[i] <= '9';
    }
    return digits >= 9 || fl_is_card_number(s, n);
}

/* At most TEXT_MAX bytes, cut between characters, control bytes as blanks; not valid UTF-8: "?" . */
static json_t *shown_value(const char *s, size_t n)
{
    char text[TEXT_MAX + 4];
    if (!s) return json_string("(unknown)");
    if (looks_like_identifier(s, n)) return json_string("(hidden: looks like an identifier)");
    size_t m = n;
    if (m > TEXT_MAX) {
        m = TEXT_MAX;
        while (m && ((uint8_t)s[m] & 0xc0) == 0x80) m--;
    }
    for (size_t i = 0; i < m; i++) text[i] = (uint8_t)s[i] < 0x20 || s[i] == 0x7f ? ' ' : s[i];
    memcpy(text + m, n > m ? "..." : "", n > m ? 4 : 1);
    json_t *j = json_string(text);
    for (size_t i = 0; !j && i < m; i++)
        if (text[i] & 0x80) text[i] = '?';
    return j ? j : json_string(text);
}

static json_t *top_values(job *j, int field, const uint64_t *count, uint32_t n)
{
    json_t *top = json_array();
    uint32_t best[TOP], k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!count[i] || (k == TOP && count[best[TOP - 1]] >= count[i])) continue;
        uint32_t at = k < TOP ? k++ : TOP - 1;
        while (at && count[best[at - 1]] < count[i]) {
            best[at] = best[at - 1];
            at--;
        }
        best[at] = i;
    }
    for (uint32_t i = 0; i < k; i++) {
        size_t len;
        const char *text =
            fl_log_value_text(j->log, field, fl_log_value_hash(j->log, field, best[i]), &len);
        json_t *o = json_object();
        json_object_set_new(o, "value", shown_value(text, len));
        put_count(o, "events", count[best[i]]);
        put_share(o, "share", count[best[i]], j->rows);
        json_array_append_new(top, o);
    }
    return top;
}

static florin_status category(job *j, int field, json_t *list, florin_error *err)
{
    uint32_t n = fl_log_values(j->log, field), seen = 0;
    uint64_t *count = fl_calloc((size_t)n + 1, sizeof *count);
    florin_status st = count ? FLORIN_OK : no_memory(err);
    for (uint64_t r = 0; r < j->rows && !st; r++) {
        count[fl_log_category_code(j->log, field, r)]++;
        st = stopped(j, r, err);
    }
    for (uint32_t i = 1; !st && i <= n; i++) seen += count[i] != 0;
    if (!st) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(j->s->category[field].name));
        json_object_set_new(o, "after", json_boolean(j->s->category[field].after));
        put_count(o, "values", seen);
        put_count(o, "missing", count[0]);
        put_share(o, "missing_share", count[0], j->rows);
        json_object_set_new(o, "top", top_values(j, field, count + 1, n));
        json_array_append_new(list, o);
    }
    free(count);
    return st;
}

static florin_status number(job *j, uint32_t field, json_t *list, florin_error *err)
{
    sample s = {0};
    float v;
    florin_status st = FLORIN_OK;
    for (uint64_t r = 0; r < j->rows && !st; r++) {
        if (fl_log_number(j->log, (int)field, r, &v) && !sample_add(&s, (double)v))
            st = no_memory(err);
        if (!st) st = stopped(j, r, err);
    }
    if (!st) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(j->s->number[field].name));
        json_object_set_new(o, "after", json_boolean(j->s->number[field].after));
        put_count(o, "missing", j->rows - s.seen);
        put_share(o, "missing_share", j->rows - s.seen, j->rows);
        put_count(o, "negative", s.negative);
        put_count(o, "zero", s.zero);
        put_quantiles(o, &s);
        json_array_append_new(list, o);
    }
    free(s.v);
    return st;
}

/* ---- amounts, by currency ---- */

static void currency_name(const job *j, uint32_t code, char out[4])
{
    memcpy(out, j->s->currency, 4);
    if (!code--) return;
    out[0] = (char)('A' + code / 676);
    out[1] = (char)('A' + code / 26 % 26);
    out[2] = (char)('A' + code % 26);
}

static florin_status amounts_in(job *j, uint32_t code, json_t *list, florin_error *err)
{
    char name[4];
    sample s = {0};
    florin_status st = FLORIN_OK;
    currency_name(j, code, name);
    double unit = pow(10, fl_currency_exponent(name));
    for (uint64_t r = 0; r < j->rows && !st; r++) {
        int64_t a = fl_log_amount(j->log, r);
        if (a == FL_AMOUNT_NONE || fl_log_currency(j->log, r) != code) continue;
        if (!sample_add(&s, (double)a / unit)) st = no_memory(err);
        if (!st) st = stopped(j, r, err);
    }
    if (!st) {
        json_t *o = json_object();
        json_object_set_new(o, "currency", json_string(name));
        put_count(o, "events", s.seen);
        put_count(o, "negative", s.negative);
        put_count(o, "zero", s.zero);
        json_object_set_new(o, "total", json_real(round(s.sum * unit) / unit));
        put_quantiles(o, &s);
        json_array_append_new(list, o);
    }
    free(s.v);
    return st;
}

static florin_status amounts(job *j, florin_error *err)
{
    uint64_t *of = fl_calloc(CURRENCIES_MAX, sizeof *of), none = 0;
    json_t *o = json_object(), *list = json_array();
    uint32_t kinds = 0;
    florin_status st = of ? FLORIN_OK : no_memory(err);
    for (uint64_t r = 0; r < j->rows && !st; r++) {
        uint16_t c = fl_log_currency(j->log, r);
        if (fl_log_amount(j->log, r) == FL_AMOUNT_NONE) none++;
        else if (c < CURRENCIES_MAX) of[c]++;
        st = stopped(j, r, err);
    }
    for (uint32_t c = 0; c < CURRENCIES_MAX && !st; c++) kinds += of[c] != 0;
    for (uint32_t shown = 0; shown < CURRENCIES_SHOWN && !st; shown++) { /* most used first */
        uint32_t best = 0;
        for (uint32_t c = 1; c < CURRENCIES_MAX; c++)
            if (of[c] > of[best]) best = c;
        if (!of[best]) break;
        st = amounts_in(j, best, list, err);
        of[best] = 0;
    }
    put_count(o, "missing", none);
    put_count(o, "currencies", kinds);
    json_object_set_new(o, "by_currency", list);
    json_object_set_new(j->root, "amounts", o);
    free(of);
    return st;
}

/* ---- labels ---- */

/* Events of the types that carry the label: what a rate is a share of. */
static uint64_t events_with_label(const job *j, uint32_t label)
{
    const fl_schema *s = j->s;
    bool has[FL_SOURCES_MAX] = {false};
    uint64_t n = 0;
    for (uint32_t i = 0; i < s->sources; i++) {
        if (s->source[i].label[label].value.sql) has[i] = true;
        if (s->source[i].label_of == (int)label && s->source[i].label_event >= 0)
            has[s->source[i].label_event] = true;
    }
    for (uint64_t r = 0; r < j->rows; r++) n += has[fl_log_type(j->log, r)];
    return n;
}

typedef struct {
    float *value;     /* [rows] newest; NaN: none so far */
    uint8_t *changed; /* [rows] */
    sample delay, positive;
    uint64_t told, labelled, yes, corrected;
} label_scan;

static florin_status scan_label(job *j, uint32_t label, label_scan *x, florin_error *err)
{
    fl_label l;
    for (uint64_t r = 0; r < j->rows; r++) x->value[r] = NAN;
    for (uint64_t i = 0; i < fl_log_labels(j->log); i++) {
        fl_log_label(j->log, i, &l);
        if (l.label != label) continue;
        double days = (double)(l.arrival_us - fl_log_time(j->log, l.row)) / (double)FL_DAY_US;
        x->told++;
        if (isnan(x->value[l.row])) {
            x->labelled++;
            if (!sample_add(&x->delay, days)) return no_memory(err);
            if (l.value > 0 && !sample_add(&x->positive, days)) return no_memory(err);
        } else if (x->value[l.row] != l.value) {
            x->changed[l.row] = 1;
        }
        x->value[l.row] = l.value;
    }
    for (uint64_t r = 0; r < j->rows; r++) {
        x->yes += x->value[r] > 0;
        x->corrected += x->changed[r];
    }
    return FLORIN_OK;
}

static void put_delay(json_t *to, const char *key, sample *s)
{
    json_t *o = json_object();
    if (s->n) qsort(s->v, s->n, sizeof *s->v, by_value);
    if (s->seen) {
        json_object_set_new(o, "median", json_real(quantile(s, .5)));
        json_object_set_new(o, "p95", json_real(quantile(s, .95)));
        json_object_set_new(o, "max", json_real(s->high));
    }
    json_object_set_new(to, key, o);
}

static florin_status label(job *j, uint32_t i, json_t *list, florin_error *err)
{
    label_scan x = {.value = fl_alloc(j->rows ? j->rows : 1, sizeof(float)),
                    .changed = fl_calloc(j->rows ? j->rows : 1, 1)};
    florin_status st = x.value && x.changed ? scan_label(j, i, &x, err) : no_memory(err);
    if (!st) {
        uint64_t base = events_with_label(j, i);
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(j->s->label[i].name));
        put_count(o, "labels", x.told);
        put_count(o, "events", base);
        put_count(o, "labelled", x.labelled);
        put_share(o, "labelled_share", x.labelled, base);
        put_count(o, "positive", x.yes);
        put_share(o, "rate", x.yes, base);
        put_share(o, "rate_of_labelled", x.yes, x.labelled);
        put_count(o, "corrected", x.corrected);
        put_delay(o, "delay_days", &x.delay);
        put_delay(o, "delay_days_positive", &x.positive);
        json_array_append_new(list, o);
    }
    free(x.value);
    free(x.changed);
    free(x.delay.v);
    free(x.positive.v);
    return st;
}

/* ---- rejects of the last import that had any ---- */

static void count_reject(json_t *list, const char *line, size_t n)
{
    const char *a = memchr(line, ',', n), *end = line + n;
    const char *b = a ? memchr(a + 1, ',', (size_t)(end - a - 1)) : NULL;
    const char *c = b ? memchr(b + 1, ',', (size_t)(end - b - 1)) : NULL;
    json_t *source = c ? json_stringn(line, (size_t)(a - line)) : NULL,
           *field = c ? json_stringn(b + 1, (size_t)(c - b - 1)) : NULL,
           *reason = c ? json_stringn(c + 1, (size_t)(end - c - 1)) : NULL, *o;
    size_t i;
    bool found = !source || !field || !reason;
    json_array_foreach(list, i, o)
    {
        if (found) break;
        if (!json_equal(json_object_get(o, "source"), source) ||
            !json_equal(json_object_get(o, "field"), field) ||
            !json_equal(json_object_get(o, "reason"), reason))
            continue;
        json_object_set_new(o, "rows", json_integer(fl_json_int(o, "rows", 0) + 1));
        found = true;
    }
    if (!found && json_array_size(list) < REASONS_MAX)
        json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:i}", "source", source, "field",
                                              field, "reason", reason, "rows", 1));
    json_decref(source);
    json_decref(field);
    json_decref(reason);
}

static florin_status rejects(job *j, florin_error *err)
{
    char *path = fl_path_join(fl_log_path(j->log), "rejects.csv");
    json_t *o = json_object(), *list = json_array();
    fl_mapping m = {0};
    uint64_t n = 0;
    florin_status st = path ? FLORIN_OK : no_memory(err);
    if (!st && fl_file_exists(path)) st = fl_map_file(&m, path, err);
    for (size_t at = 0; !st && at < m.size; n++) {
        const uint8_t *line = m.data + at, *end = memchr(line, '\n', m.size - at);
        size_t len = end ? (size_t)(end - line) : m.size - at;
        if (n) count_reject(list, (const char *)line, len);
        at += len + 1;
    }
    put_count(o, "rows", n ? n - 1 : 0);
    json_object_set_new(o, "reasons", list);
    json_object_set_new(j->root, "rejects", o);
    fl_unmap(&m);
    free(path);
    return st;
}

static void head(job *j)
{
    json_t *o = j->root;
    json_object_set_new(o, "report", json_string("describe"));
    json_object_set_new(o, "log", json_string(fl_log_path(j->log)));
    json_object_set_new(o, "schema", json_string(j->s->name));
    json_object_set_new(o, "currency", json_string(j->s->currency));
    json_object_set_new(o, "hash", json_string(fl_log_hash(j->log)));
    put_count(o, "events", j->rows);
    put_count(o, "labels_told", fl_log_labels(j->log));
    put_count(o, "segments", fl_log_segments(j->log));
}

florin_status fl_describe(json_t **out, const fl_log *log, const florin_context *ctx,
                          florin_error *err)
{
    job j = {log, fl_log_schema(log), ctx, fl_log_rows(log), json_object()};
    json_t *entities = json_array(), *categories = json_array(), *numbers = json_array(),
           *labels = json_array();
    florin_status st = FLORIN_OK;
    uint32_t steps = 1 + j.s->kinds + j.s->categories + j.s->numbers + j.s->labels, step = 0;
    *out = NULL;
    head(&j);
    span(&j);
    event_types(&j);
    st = amounts(&j, err);
    for (uint32_t k = 0; k < j.s->kinds && !st; k++) {
        fl_progress(ctx, "describe", ++step, steps);
        st = entities_of(&j, (int)k, entities, err);
    }
    for (uint32_t f = 0; f < j.s->categories && !st; f++) {
        fl_progress(ctx, "describe", ++step, steps);
        st = category(&j, (int)f, categories, err);
    }
    for (uint32_t f = 0; f < j.s->numbers && !st; f++) {
        fl_progress(ctx, "describe", ++step, steps);
        st = number(&j, f, numbers, err);
    }
    for (uint32_t l = 0; l < j.s->labels && !st; l++) {
        fl_progress(ctx, "describe", ++step, steps);
        st = label(&j, l, labels, err);
    }
    json_object_set_new(j.root, "entities", entities);
    json_object_set_new(j.root, "categories", categories);
    json_object_set_new(j.root, "numbers", numbers);
    json_object_set_new(j.root, "labels", labels);
    if (!st) st = rejects(&j, err);
    if (st) json_decref(j.root);
    else *out = j.root;
    return st;
}
