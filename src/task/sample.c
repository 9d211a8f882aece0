/* Rows of a task. Invariant: a value that a model may learn from or be given was known at the moment of prediction:
 * inputs come from fl_encode before the event's own labels, labels through fl_label_at at the moment of fitting. */
#include "task/sample.h"
#include "base/file.h"
#include "task/folds.h"
#include "task/parts.h"
#include "task/sql_features.h"
#include "task/sql_label.h"
#include "task/answer.h"
#include <math.h>
#include <stdio.h>

typedef struct {
    fl_sample *s;
    const fl_task *t;
    const fl_model *m;
    const fl_log *log;
    const florin_context *ctx;
    florin_error *err;
    fl_encode *enc;
    fl_label_index *labels;
    fl_sql_labels *sql;
    fl_sql_features *features;
    bool silence_is_good; /* the log holds bad labels only: no label means genuine so far */
    fl_map64 bad
        [FL_JUDGED_MAX]; /* drop_kind entity -> 1 + seconds from `since` to its first bad event */
    fl_map64 folds;      /* entity hash -> 1 + fold */
    size_t cap[16];
    uint64_t seed;
    double unit; /* major units in a minor one */
    fl_classes classes;
} taker;

/* A moment of prediction: an event, or an entity at a date. */
typedef struct {
    uint64_t row; /* log row, or entity number */
    uint32_t entity;
    int64_t time_us;
    uint64_t key; /* decides whether it is kept by sampling */
    float y;      /* of an outcome or the event's own: label, whenever it is known */
} moment;

void fl_sample_free(fl_sample *s)
{
    for (size_t c = 0; s->name && c < s->width; c++) free(s->name[c]);
    for (uint32_t c = 0; c < s->classes; c++) free(s->class_name[c]);
    free(s->name);
    free(s->x);
    free(s->in);
    free(s->learn);
    free(s->known);
    free(s->truth);
    free(s->weight);
    free(s->fold);
    free(s->cluster);
    free(s->card);
    free(s->row);
    free(s->time_us);
    free(s->amount);
    memset(s, 0, sizeof *s);
}

static florin_status grow_rows(taker *k)
{
    fl_sample *s = k->s;
    size_t n = s->rows + 1;
    void *p[] = {s->x,    s->in,      s->learn, s->known, s->truth,   s->weight,
                 s->fold, s->cluster, s->card,  s->row,   s->time_us, s->amount};
    size_t size[] = {
        s->width * sizeof(float), 1, 1, s->judged * sizeof(float), 4, 4, 4, 8, 8, 8, 8, 8};
    bool ok = true;
    for (size_t i = 0; i < FL_LEN(p) && ok; i++) ok = fl_grow(&p[i], &k->cap[i], n, size[i]);
    s->x = p[0];
    s->in = p[1];
    s->learn = p[2];
    s->known = p[3];
    s->truth = p[4];
    s->weight = p[5];
    s->fold = p[6];
    s->cluster = p[7];
    s->card = p[8];
    s->row = p[9];
    s->time_us = p[10];
    s->amount = p[11];
    return ok ? FLORIN_OK
              : fl_fail(k->err, FLORIN_ENOMEM, "%zu rows of %zu inputs: set `negatives` lower",
                        s->rows, s->width);
}

static bool inside(const fl_period *p, int64_t t)
{
    return t >= p->from_us && t < p->to_us;
}

/* 1 + the judged period that a time lies in; 0: none. */
static uint32_t judged_in(const fl_task *t, int64_t time_us)
{
    for (uint32_t j = 0; j < t->validates + t->tests; j++)
        if (inside(&t->period[j], time_us)) return j + 1;
    return 0;
}

/* Is it in the time that may be learnt from, for some judged period? Validation is, for the test. */
static bool in_training(const fl_task *t, int64_t time_us)
{
    uint32_t last = t->validates + t->tests - 1, in;
    if (*t->folds || time_us >= fl_task_train_end(t, last)) return false;
    if (inside(&t->train, time_us)) return true;
    in = judged_in(t, time_us);
    return in && in <= t->validates;
}

bool fl_sample_learns(const fl_sample *s, const fl_task *t, size_t r, uint32_t j, float *y)
{
    *y = s->known[r * s->judged + j];
    return s->learn[r] && !isnan(*y) && s->time_us[r] < fl_task_train_end(t, j);
}

/* Share of rows kept is decided by a hash of the row, so the same rows are taken whatever the order or the threads. */
static bool keep_row(const taker *k, bool positive, uint64_t key, float *weight)
{
    *weight = 1;
    if (positive || k->t->negatives >= 1) return true;
    *weight = (float)(1 / k->t->negatives);
    return (double)(fl_mix64(key ^ fl_mix64(k->seed + 77)) >> 11) * 0x1p-53 < k->t->negatives;
}

static uint64_t entity_of(const taker *k, const fl_event *e, int kind)
{
    int payer = fl_schema_role(fl_log_schema(k->log), FL_ROLE_PAYER);
    int use = kind >= 0 ? kind : payer >= 0 ? payer : 0;
    return e->entity_hash[use] ? e->entity_hash[use] : fl_mix64(e->id) | 1;
}

/* The label as known at a moment, NAN: not known then. */
static float label_as_of(const taker *k, const moment *m, int64_t at_us)
{
    const fl_task *t = k->t;
    int64_t delay = t->label_delay_us;
    if (t->has_outcome)
        return at_us == INT64_MAX || m->time_us + t->horizon_us + delay <= at_us ? m->y : NAN;
    if (t->own) return at_us == INT64_MAX || m->time_us + delay < at_us ? m->y : NAN;
    if (k->sql)
        return fl_sql_label_at(k->sql, m->row, m->time_us,
                               at_us == INT64_MAX ? at_us : at_us - delay);
    float v = fl_label_at(k->labels, m->row, at_us == INT64_MAX ? at_us : at_us - delay);
    return v < 0 ? (k->silence_is_good ? 0 : NAN) : v > .5f;
}

/* Take the row unless nobody needs it. in: 1 + judged period, 0: none; learn: it lies in training time. *taken: the
 * caller fills in the rest (x, row, cluster, card, amount, fold). */
static florin_status take_moment(taker *k, const moment *m, uint32_t in, bool learn, bool *taken)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    float known[FL_JUDGED_MAX], weight = 1, truth = label_as_of(k, m, INT64_MAX);
    bool ever = false, positive = false;
    *taken = false;
    if (isnan(truth) || (!in && !learn)) return FLORIN_OK;
    for (uint32_t j = 0; j < s->judged; j++) {
        known[j] = label_as_of(k, m, t->period[j].from_us);
        ever |= !isnan(known[j]);
        positive |= known[j] > .5f;
    }
    learn = learn && ever;
    s->train_seen += learn;
    s->train_positives += learn && positive;
    if (in) {
        s->seen[in - 1]++;
        s->positives[in - 1] += truth > .5f;
    }
    learn = learn && keep_row(k, positive, m->key, &weight);
    if (!in && !learn) return FLORIN_OK;
    florin_status st = grow_rows(k);
    if (st) return st;
    size_t i = s->rows++;
    memcpy(s->known + i * s->judged, known, s->judged * sizeof *known);
    s->in[i] = (uint8_t)in;
    s->learn[i] = learn;
    s->truth[i] = truth;
    s->weight[i] = weight;
    s->time_us[i] = m->time_us;
    s->fold[i] = 0;
    *taken = true;
    return FLORIN_OK;
}

/* What the task's SELECT says of row i. */
static florin_status add_features(const taker *k, size_t i)
{
    const fl_sample *s = k->s;
    if (!k->features) return FLORIN_OK;
    return fl_sql_features_row(k->features, s->row[i], s->x + i * s->width + s->base, k->err);
}

/* --- every event --- */

/* First bad event at or after `since` of every entity that the removal rule may leave out. */
static florin_status note_bad(taker *k, const fl_event *e)
{
    const fl_task *t = k->t;
    for (uint32_t j = 0; j < k->s->judged; j++) {
        int64_t since = t->drop_since_us == INT64_MIN ? t->period[j].from_us - t->drop_before_us
                                                      : t->drop_since_us;
        if (e->time_us < since) continue;
        uint32_t at = (uint32_t)((e->time_us - since) / FL_SECOND_US) + 1;
        bool inserted;
        uint32_t *v = fl_map64_insert(&k->bad[j], e->entity_hash[t->drop_kind], &inserted);
        if (!v) return fl_fail(k->err, FLORIN_ENOMEM, "task");
        if (inserted || at < *v) *v = at;
    }
    return FLORIN_OK;
}

static florin_status read_labels(taker *k)
{
    const fl_task *t = k->t;
    fl_label l;
    uint64_t good = 0;
    florin_status st = fl_label_index_new(&k->labels, k->log, t->label, k->err);
    for (uint32_t j = 0; j < k->s->judged && !st; j++)
        if (!fl_map64_init(&k->bad[j], 64)) st = fl_fail(k->err, FLORIN_ENOMEM, "task");
    for (uint64_t i = 0; i < fl_log_labels(k->log) && !st; i++) {
        fl_log_label(k->log, i, &l);
        if (l.label != t->label) continue;
        good += l.value <= .5f;
        if (t->drop_kind < 0 || l.value <= .5f) continue;
        fl_event e;
        fl_log_event(k->log, l.row, &e);
        if (e.entity_hash[t->drop_kind]) st = note_bad(k, &e);
    }
    /* Where most events are never said to be genuine, good labels are corrections, and silence means genuine. */
    k->silence_is_good = good * 2 < fl_log_rows(k->log);
    return st;
}

static int64_t floor_day(int64_t us)
{
    int64_t d = us / FL_DAY_US * FL_DAY_US;
    return d > us ? d - FL_DAY_US : d;
}

/* The Handbook's removal: on a judged day an entity with a bad case since `since`, before max(end of training, day -
 * lag), is left out. */
static bool dropped(const taker *k, const fl_event *e, uint32_t j)
{
    const fl_task *t = k->t;
    if (t->drop_kind < 0 || !e->entity_hash[t->drop_kind]) return false;
    const uint32_t *v = fl_map64_find(&k->bad[j], e->entity_hash[t->drop_kind]);
    if (!v) return false;
    int64_t since =
        t->drop_since_us == INT64_MIN ? t->period[j].from_us - t->drop_before_us : t->drop_since_us;
    int64_t bad = since + (int64_t)(*v - 1) * FL_SECOND_US, end = fl_task_train_end(t, j);
    int64_t limit = floor_day(e->time_us) - t->drop_lag_us;
    return bad < (limit > end ? limit : end);
}

static florin_status take_event(taker *k, uint64_t row, const fl_event *e, const float *values)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    uint32_t in = judged_in(t, e->time_us);
    bool learn = in_training(t, e->time_us), taken = false;
    if ((!in && !learn) || !fl_rule_fits(&t->moment, k->log, row)) return FLORIN_OK;
    if (in && dropped(k, e, in - 1)) in = 0;
    const uint32_t *fold = NULL;
    if (*t->folds) {
        fold = fl_map64_find(&k->folds, entity_of(k, e, t->cluster));
        if (!fold) return FLORIN_OK;
    }
    moment m = {.row = row, .time_us = e->time_us, .key = row, .y = NAN};
    if (t->own) m.y = fl_answer_own(t, k->log, row, &k->classes);
    if (t->has_outcome) {
        uint32_t entity = e->entity[t->outcome_kind];
        if (entity == FL_NONE) return FLORIN_OK;
        m.y = fl_answer_of(t, k->log, entity, e->time_us, row, k->unit, &k->classes);
    }
    florin_status st = take_moment(k, &m, in, learn, &taken);
    if (st || !taken) return st;
    size_t i = s->rows - 1;
    memcpy(s->x + i * s->width, values, s->base * sizeof(float));
    s->fold[i] = fold ? *fold - 1 : 0;
    s->cluster[i] = entity_of(k, e, t->cluster);
    s->card[i] = entity_of(k, e, -1);
    s->row[i] = row;
    s->amount[i] = e->amount_minor == FL_AMOUNT_NONE ? 0 : (double)e->amount_minor * k->unit;
    return add_features(k, i);
}

static florin_status read_folds(taker *k)
{
    const fl_task *t = k->t;
    const fl_schema *sc = fl_log_schema(k->log);
    int kind = !t->per_event     ? t->kind
               : t->cluster >= 0 ? t->cluster
                                 : fl_schema_role(sc, FL_ROLE_PAYER);
    char *body = NULL;
    size_t n = 0;
    uint8_t key[16];
    if (kind < 0)
        return fl_fail(k->err, FLORIN_EINPUT,
                       "task %s: folds: say by `cluster: KIND` whose ids the file holds", t->name);
    florin_status st = fl_read_file(&body, &n, t->folds, (size_t)1 << 28, k->err);
    if (!st) st = fl_schema_key(sc, key, k->err);
    if (!st) st = fl_folds_read(&k->folds, body, n, t->folds, key, sc->kind[kind].name, k->err);
    free(body);
    return st;
}

static florin_status take_events(taker *k)
{
    florin_status st = FLORIN_OK;
    uint64_t row, done = 0, n = fl_log_rows(k->log);
    fl_event e;
    const float *values;
    const fl_fold_carry *carry;
    int64_t last = k->t->period[k->s->judged - 1].to_us;
    if (k->t->label >= 0) st = read_labels(k);
    if (!st && k->t->has_outcome) st = fl_horizon_check(k->t, k->log, last - 1, k->err);
    if (!st && *k->t->folds) st = read_folds(k);
    if (!st) st = fl_encode_ahead(k->enc, INT64_MAX, k->err);
    while (!st && fl_encode_next(k->enc, &row, &e, &values, &carry)) {
        if (e.time_us >= last) break;
        st = take_event(k, row, &e, values);
        if (++done % 16384) continue;
        fl_progress(k->ctx, "reading the log", done, n);
        if (!st && fl_cancelled(k->ctx))
            st = fl_fail(k->err, FLORIN_ECANCELLED, "stopped while reading the log");
    }
    fl_progress(k->ctx, "reading the log", n, n);
    return st;
}

/* --- entities at dates --- */

static florin_status take_entity(taker *k, uint32_t entity, int64_t at, uint32_t in, bool learn)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    bool taken = false;
    if (!fl_belongs(t, k->log, entity, at)) return FLORIN_OK;
    uint64_t hash = fl_log_entity_hash(k->log, t->kind, entity);
    const uint32_t *fold = *t->folds ? fl_map64_find(&k->folds, hash) : NULL;
    if (*t->folds && !fold) return FLORIN_OK;
    moment m = {.row = entity,
                .entity = entity,
                .time_us = at,
                .key = fl_mix64(hash) ^ (uint64_t)at,
                .y = NAN};
    if (t->has_outcome) m.y = fl_answer_of(t, k->log, entity, at, UINT64_MAX, k->unit, &k->classes);
    florin_status st = take_moment(k, &m, in, learn, &taken);
    if (st || !taken) return st;
    size_t i = s->rows - 1;
    fl_encode_entity(k->enc, t->kind, entity, at, s->x + i * s->width);
    s->fold[i] = fold ? *fold - 1 : 0;
    s->cluster[i] = s->card[i] = hash;
    s->row[i] = entity;
    s->amount[i] = 0;
    return add_features(k, i);
}

typedef struct {
    int64_t at_us;
    uint8_t in; /* 1 + judged period */
    bool learn;
} date;

static int by_date(const void *a, const void *b)
{
    const date *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/* The dates of a period, a step apart; false: too many. */
static bool add_dates(date *out, uint32_t *n, const fl_period *p, int64_t step, date like)
{
    for (int64_t d = p->from_us; d < p->to_us; d += step) {
        if (*n == FL_CUTS_MAX) return false;
        like.at_us = d;
        out[(*n)++] = like;
    }
    return true;
}

/* The dates of all periods, ascending, each once. */
static florin_status dates_of(const taker *k, date out[FL_CUTS_MAX], uint32_t *count)
{
    const fl_task *t = k->t;
    uint32_t n = 0, m = 0, judged = k->s->judged;
    fl_period train = {t->train.from_us, fl_task_train_end(t, judged - 1)};
    if (train.to_us > t->train.to_us) train.to_us = t->train.to_us;
    bool fits = *t->folds || add_dates(out, &n, &train, t->step_us, (date){.learn = true});
    for (uint32_t j = 0; j < judged && fits; j++)
        fits = add_dates(out, &n, &t->period[j], t->step_us,
                         (date){.in = (uint8_t)(j + 1), .learn = j < t->validates});
    if (!fits)
        return fl_fail(k->err, FLORIN_EINPUT,
                       "task %s: more than %d dates: shorten its periods or raise `every`", t->name,
                       FL_CUTS_MAX);
    qsort(out, n, sizeof *out, by_date);
    for (uint32_t i = 0; i < n; i++) {
        if (m && out[m - 1].at_us == out[i].at_us) {
            out[m - 1].learn |= out[i].learn;
            if (out[i].in) out[m - 1].in = out[i].in;
        } else out[m++] = out[i];
    }
    *count = m;
    return FLORIN_OK;
}

static florin_status take_dates(taker *k)
{
    const fl_task *t = k->t;
    date at[FL_CUTS_MAX];
    uint32_t n = 0;
    uint64_t row;
    fl_event e;
    const float *values;
    const fl_fold_carry *carry;
    florin_status st = *t->folds ? read_folds(k) : FLORIN_OK;
    if (!st) st = dates_of(k, at, &n);
    for (uint32_t d = 0; d < n && !st; d++) {
        if (at[d].in && t->has_outcome) st = fl_horizon_check(t, k->log, at[d].at_us, k->err);
        while (!st && fl_encode_peek(k->enc) < at[d].at_us)
            (void)fl_encode_next(k->enc, &row, &e, &values, &carry);
        for (uint32_t i = 0; i < fl_log_entities(k->log, t->kind) && !st; i++)
            st = take_entity(k, i, at[d].at_us, at[d].in, at[d].learn);
        fl_progress(k->ctx, "reading the log", d + 1, n);
        if (!st && fl_cancelled(k->ctx))
            st = fl_fail(k->err, FLORIN_ECANCELLED, "stopped while reading the log");
    }
    return st;
}

static florin_status name_columns(taker *k)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    s->base = t->per_event ? fl_model_row_width(k->m) : fl_encode_entity_width(k->enc, t->kind);
    s->width = s->base + (k->features ? fl_sql_features_columns(k->features) : 0);
    if (k->features && s->width > FL_HEAD_INPUTS_MAX)
        return fl_fail(k->err, FLORIN_EINPUT,
                       "%s: features: %zu columns beside the model's %zu: at most %d together",
                       t->features_place, s->width - s->base, s->base, FL_HEAD_INPUTS_MAX);
    s->name = fl_calloc(s->width, sizeof *s->name);
    for (uint32_t c = 0; s->name && c < s->width; c++) {
        s->name[c] =
            c >= s->base
                ? fl_asprintf("sql:%s", fl_sql_features_name(k->features, c - (uint32_t)s->base))
            : t->per_event ? fl_strdup(fl_model_row_name(k->m, c))
                           : fl_strdup(fl_encode_entity_name(k->enc, t->kind, c));
        if (!s->name[c]) return fl_fail(k->err, FLORIN_ENOMEM, "task");
    }
    return s->name ? FLORIN_OK : fl_fail(k->err, FLORIN_ENOMEM, "task");
}

/* --- classes --- */

typedef struct {
    uint32_t number;
    uint64_t rows;
} class_count;

static int by_rows(const void *a, const void *b)
{
    const class_count *x = a, *y = b;
    if (x->rows != y->rows) return x->rows > y->rows ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static char *class_text(const taker *k, uint32_t number)
{
    size_t len = 0;
    const char *text = k->sql ? fl_sql_label_class(k->sql, number, &len)
                              : fl_log_value_text(k->log, k->t->of, k->classes.value[number], &len);
    return text ? fl_strndup(text, len) : fl_strdup("?");
}

static void renumber(float *y, size_t n, const uint32_t *to)
{
    for (size_t i = 0; i < n; i++)
        if (!isnan(y[i])) y[i] = (float)to[(uint32_t)y[i]];
}

/* The classes that are frequent enough in what is learnt from, the most frequent first; the others become one. */
static florin_status settle_classes(taker *k)
{
    fl_sample *s = k->s;
    uint32_t n = k->sql ? fl_sql_label_classes(k->sql) : k->classes.n, kept = 0;
    class_count *count = fl_calloc(n + 1, sizeof *count);
    uint32_t *to = fl_alloc(n + 1, sizeof *to);
    bool ok = count && to, rest = false;
    for (uint32_t i = 0; ok && i < n; i++) count[i].number = i;
    for (size_t r = 0; ok && r < s->rows; r++)
        if (s->learn[r] || *k->t->folds) count[(uint32_t)s->truth[r]].rows++;
    if (ok) qsort(count, n, sizeof *count, by_rows);
    for (uint32_t i = 0; ok && i < n; i++) {
        bool keep = kept < FL_CLASSES_MAX - 1 && count[i].rows >= FL_CLASS_ROWS_MIN;
        to[count[i].number] = keep ? kept : UINT32_MAX;
        rest |= !keep;
        if (!keep) continue;
        s->class_name[kept] = class_text(k, count[i].number);
        ok = s->class_name[kept] != NULL;
        s->classes = ++kept;
    }
    if (ok && rest) {
        ok = (s->class_name[kept] = fl_strdup("(other)")) != NULL;
        s->classes = kept + 1;
        for (uint32_t i = 0; i < n; i++)
            if (to[i] == UINT32_MAX) to[i] = kept;
    }
    if (ok) {
        renumber(s->truth, s->rows, to);
        renumber(s->known, s->rows * s->judged, to);
    }
    free(count);
    free(to);
    if (!ok) return fl_fail(k->err, FLORIN_ENOMEM, "task %s: classes", k->t->name);
    if (kept >= 2) return FLORIN_OK;
    return fl_fail(k->err, FLORIN_EINPUT,
                   "task %s: %u of %u classes have %d rows to learn from: at least two are needed; "
                   "lengthen `train`",
                   k->t->name, kept, n, FL_CLASS_ROWS_MIN);
}

/* Every judged period, and what is learnt from, needs rows, of both kinds when the answer is yes or no. */
static florin_status check_classes(const taker *k)
{
    const fl_sample *s = k->s;
    const fl_task *t = k->t;
    for (uint32_t j = 0; j <= s->judged; j++) {
        bool train = j == s->judged;
        uint64_t seen = train ? s->train_seen : s->seen[j],
                 positives = train ? s->train_positives : s->positives[j];
        char from[32];
        if (train && *t->folds) break;
        fl_time_format(train ? t->train.from_us : t->period[j].from_us, from);
        const char *part = train ? "train" : j < t->validates ? "validate" : "test";
        if (!seen)
            return fl_fail(k->err, FLORIN_EINPUT,
                           "task %s: `%s` from %s: no row with a known label: check its dates "
                           "against the log's (florin describe)",
                           t->name, part, from);
        if (t->answer == FL_TASK_BINARY && (!positives || positives == seen))
            return fl_fail(k->err, FLORIN_EINPUT,
                           "task %s: `%s` from %s: all %llu rows have the label %d: both kinds are "
                           "needed; lengthen it or choose other dates",
                           t->name, part, from, (unsigned long long)seen, positives != 0);
    }
    return FLORIN_OK;
}

florin_status fl_sample_take(fl_sample *out, const fl_task *t, const fl_model *m, const fl_log *log,
                             uint64_t seed, const florin_context *ctx, florin_error *err)
{
    memset(out, 0, sizeof *out);
    taker k = {.s = out,
               .t = t,
               .m = m,
               .log = log,
               .ctx = ctx,
               .err = err,
               .seed = seed,
               .unit = pow(10, -fl_currency_exponent(fl_log_schema(log)->currency))};
    out->judged = t->validates + t->tests;
    florin_status st = fl_encode_open(&k.enc, m, log, err);
    if (!st) fl_encode_threads(k.enc, fl_threads(ctx));
    if (!st && *t->sql) st = fl_sql_labels_read(&k.sql, t, log, ctx, err);
    if (!st && *t->features) st = fl_sql_features_read(&k.features, t, log, ctx, err);
    if (!st) st = name_columns(&k);
    if (!st) st = t->per_event ? take_events(&k) : take_dates(&k);
    if (!st) st = check_classes(&k);
    if (!st && t->answer == FL_TASK_CLASS) st = settle_classes(&k);
    fl_encode_close(k.enc);
    fl_label_index_free(k.labels);
    fl_sql_labels_free(k.sql);
    fl_sql_features_free(k.features);
    for (uint32_t j = 0; j < FL_JUDGED_MAX; j++) fl_map64_free(&k.bad[j]);
    fl_map64_free(&k.folds);
    fl_classes_free(&k.classes);
    if (st) fl_sample_free(out);
    return st;
}

/* A row's label as known when period j is judged, if it may be learnt from then; else -1. */
static float learnable(taker *k, uint64_t row, const fl_event *e, uint32_t j)
{
    const fl_task *t = k->t;
    moment m = {.row = row, .time_us = e->time_us, .key = row, .y = NAN};
    if (!in_training(t, e->time_us) || e->time_us >= fl_task_train_end(t, j) ||
        !fl_rule_fits(&t->moment, k->log, row))
        return -1;
    if (t->own) m.y = fl_answer_own(t, k->log, row, &k->classes);
    if (t->has_outcome) {
        uint32_t entity = e->entity[t->outcome_kind];
        if (entity == FL_NONE) return -1;
        m.y = fl_answer_of(t, k->log, entity, e->time_us, row, k->unit, &k->classes);
    }
    float y = label_as_of(k, &m, t->period[j].from_us);
    return isnan(y) ? -1 : y;
}

florin_status fl_sample_labels(float *y, const fl_task *t, const fl_log *log, uint32_t j,
                               const florin_context *ctx, florin_error *err)
{
    fl_sample none = {.judged = t->validates + t->tests};
    taker k = {.s = &none, .t = t, .log = log, .ctx = ctx, .err = err};
    florin_status st = FLORIN_OK;
    fl_event e;
    if (*t->sql) st = fl_sql_labels_read(&k.sql, t, log, ctx, err);
    if (!st && t->label >= 0) st = read_labels(&k);
    for (uint64_t row = 0; !st && row < fl_log_rows(log); row++) {
        fl_log_event(log, row, &e);
        y[row] = learnable(&k, row, &e, j);
    }
    fl_label_index_free(k.labels);
    fl_sql_labels_free(k.sql);
    for (uint32_t i = 0; i < FL_JUDGED_MAX; i++) fl_map64_free(&k.bad[i]);
    fl_classes_free(&k.classes);
    return st;
}
