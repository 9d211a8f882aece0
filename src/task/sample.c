/* Rows of a task. Invariant: a value that a model may learn from or be given was known at the moment of prediction:
 * inputs come from fl_encode before the event's own labels, labels through fl_label_at at the moment of fitting. */
#include "task/sample.h"
#include "base/file.h"
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
    bool silence_is_good; /* the log holds bad labels only: no label means genuine so far */
    fl_map64 bad;   /* drop_kind entity -> 1 + seconds from drop_since to its first bad event */
    fl_map64 folds; /* entity hash -> 1 + fold */
    size_t cap[16];
    uint64_t seed;
} taker;

void fl_sample_free(fl_sample *s)
{
    for (size_t c = 0; s->names_owned && s->name && c < s->width; c++) free(s->name[c]);
    free(s->name);
    free(s->x);
    free(s->early);
    free(s->known);
    free(s->truth);
    free(s->weight);
    free(s->part);
    free(s->fold);
    free(s->cluster);
    free(s->card);
    free(s->row);
    free(s->time_us);
    free(s->amount);
    memset(s, 0, sizeof *s);
}

static bool grow_rows(taker *k)
{
    fl_sample *s = k->s;
    size_t n = s->rows + 1;
    void *p[] = {s->x,    s->early,   s->known, s->truth, s->weight,  s->part,
                 s->fold, s->cluster, s->card,  s->row,   s->time_us, s->amount};
    size_t size[] = {s->width * sizeof(float), 4, 4, 4, 4, 1, 4, 8, 8, 8, 8, 8};
    bool ok = true;
    for (size_t i = 0; i < FL_LEN(p) && ok; i++) ok = fl_grow(&p[i], &k->cap[i], n, size[i]);
    s->x = p[0];
    s->early = p[1];
    s->known = p[2];
    s->truth = p[3];
    s->weight = p[4];
    s->part = p[5];
    s->fold = p[6];
    s->cluster = p[7];
    s->card = p[8];
    s->row = p[9];
    s->time_us = p[10];
    s->amount = p[11];
    return ok;
}

static bool inside(const fl_period *p, int64_t t)
{
    return t >= p->from_us && t < p->to_us;
}

static int part_of(const fl_task *t, int64_t time_us)
{
    if (inside(&t->test, time_us)) return FL_PART_TEST;
    if (t->has_validate && inside(&t->validate, time_us)) return FL_PART_VALIDATE;
    return inside(&t->train, time_us) ? FL_PART_TRAIN : -1;
}

/* Share of rows kept is decided by a hash of the row, so the same rows are taken whatever the order or the threads. */
static bool keep_row(const taker *k, int part, float y, uint64_t row, float *weight)
{
    *weight = 1;
    if (part != FL_PART_TRAIN || y > .5f || k->t->negatives >= 1) return true;
    *weight = (float)(1 / k->t->negatives);
    return (double)(fl_mix64(row ^ fl_mix64(k->seed + 77)) >> 11) * 0x1p-53 < k->t->negatives;
}

static uint64_t entity_of(const taker *k, const fl_event *e, int kind)
{
    int payer = fl_schema_role(fl_log_schema(k->log), FL_ROLE_PAYER);
    int use = kind >= 0 ? kind : payer >= 0 ? payer : 0;
    return e->entity_hash[use] ? e->entity_hash[use] : fl_mix64(e->id) | 1;
}

/* --- every event --- */

static florin_status find_bad(taker *k)
{
    const fl_task *t = k->t;
    fl_label l;
    uint64_t good = 0;
    if (!fl_map64_init(&k->bad, 1024)) return fl_fail(k->err, FLORIN_ENOMEM, "task");
    for (uint64_t i = 0; i < fl_log_labels(k->log); i++) {
        fl_log_label(k->log, i, &l);
        if (l.label != t->label) continue;
        good += l.value <= .5f;
        if (t->drop_kind < 0 || l.value <= .5f) continue;
        fl_event e;
        fl_log_event(k->log, l.row, &e);
        if (e.time_us < t->drop_since_us || !e.entity_hash[t->drop_kind]) continue;
        uint32_t at = (uint32_t)((e.time_us - t->drop_since_us) / FL_SECOND_US) + 1;
        bool inserted;
        uint32_t *v = fl_map64_insert(&k->bad, e.entity_hash[t->drop_kind], &inserted);
        if (!v) return fl_fail(k->err, FLORIN_ENOMEM, "task");
        if (inserted || at < *v) *v = at;
    }
    /* Where most events are never said to be genuine, good labels are corrections, and silence means genuine. */
    k->silence_is_good = good * 2 < fl_log_rows(k->log);
    return FLORIN_OK;
}

/* The Handbook's removal: on a test day an entity with a bad case before max(end of training, day - lag) is left out. */
static bool dropped(const taker *k, const fl_event *e)
{
    const fl_task *t = k->t;
    if (t->drop_kind < 0 || !e->entity_hash[t->drop_kind]) return false;
    const uint32_t *v = fl_map64_find(&k->bad, e->entity_hash[t->drop_kind]);
    if (!v) return false;
    int64_t bad_us = t->drop_since_us + (int64_t)(*v - 1) * FL_SECOND_US;
    int64_t day = e->time_us / FL_DAY_US * FL_DAY_US, limit = day - t->drop_lag_us;
    return bad_us < (limit > t->train.to_us ? limit : t->train.to_us);
}

static bool event_fits(const fl_event_rule *r, const fl_event *e)
{
    if (r->type >= 0 && e->type != r->type) return false;
    return r->mark < 0 || ((e->marks >> r->mark & 1) != 0) != r->without;
}

static float label_as_of(const taker *k, uint64_t row, int64_t at_us)
{
    float v = fl_label_at(k->labels, row, at_us);
    return v < 0 ? (k->silence_is_good ? 0 : -1) : v > .5f;
}

static florin_status take_event(taker *k, uint64_t row, const fl_event *e, const float *values)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    int part = part_of(t, e->time_us);
    if (part < 0 || !event_fits(&t->moment, e) || (part == FL_PART_TEST && dropped(k, e)))
        return FLORIN_OK;
    float known = label_as_of(k, row, t->test.from_us), weight;
    float truth = fl_label_at(k->labels, row, INT64_MAX) > .5f;
    if (part == FL_PART_TRAIN && known < 0) return FLORIN_OK;
    s->seen[part]++;
    s->positives[part] += truth > 0;
    if (!keep_row(k, part, known, row, &weight)) return FLORIN_OK;
    if (!grow_rows(k))
        return fl_fail(k->err, FLORIN_ENOMEM, "%zu rows of %zu inputs: set `negatives` lower",
                       s->rows, s->width);
    size_t i = s->rows++;
    memcpy(s->x + i * s->width, values, s->width * sizeof(float));
    s->known[i] = known;
    s->early[i] = t->has_validate ? label_as_of(k, row, t->validate.from_us) : known;
    s->truth[i] = truth;
    s->weight[i] = weight;
    s->part[i] = (uint8_t)part;
    s->fold[i] = 0;
    s->cluster[i] = entity_of(k, e, t->cluster);
    s->card[i] = entity_of(k, e, -1);
    s->row[i] = row;
    s->time_us[i] = e->time_us;
    int exponent = fl_currency_exponent(fl_log_schema(k->log)->currency);
    s->amount[i] = e->amount_minor == FL_AMOUNT_NONE
                       ? 0
                       : (double)e->amount_minor / (exponent == 0   ? 1
                                                    : exponent == 3 ? 1000
                                                                    : 100);
    return FLORIN_OK;
}

static florin_status take_events(taker *k)
{
    florin_status st = find_bad(k);
    uint64_t row, done = 0, n = fl_log_rows(k->log);
    fl_event e;
    const float *values;
    const fl_fold_carry *carry;
    if (!st) st = fl_encode_ahead(k->enc, INT64_MAX, k->err);
    while (!st && fl_encode_next(k->enc, &row, &e, &values, &carry)) {
        if (e.time_us >= k->t->test.to_us) break;
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

/* Is there an event of the rule in [from, to) for this entity? Walks the index backwards from the end. */
static bool has_event(const taker *k, const fl_event_rule *r, uint32_t entity, int64_t from,
                      int64_t to)
{
    for (uint32_t g = fl_log_segments(k->log); g-- > 0;) {
        uint32_t n;
        const uint32_t *rows = fl_log_entity_rows(k->log, k->t->kind, entity, g, &n);
        for (uint32_t i = n; i-- > 0;) {
            uint64_t row = fl_log_segment_first(k->log, g) + rows[i];
            int64_t t = fl_log_time(k->log, row);
            if (t >= to) continue;
            if (t < from) break;
            fl_event e = {.type = fl_log_type(k->log, row), .marks = fl_log_marks(k->log, row)};
            if (event_fits(r, &e)) return true;
        }
    }
    return false;
}

static florin_status take_entity(taker *k, uint32_t entity, int64_t at, int part)
{
    fl_sample *s = k->s;
    const fl_task *t = k->t;
    int64_t from = at > INT64_MIN / 2 + t->active_us ? at - t->active_us : INT64_MIN / 2;
    if (!has_event(k, &t->active, entity, from, at)) return FLORIN_OK;
    uint64_t hash = fl_log_entity_hash(k->log, t->kind, entity);
    const uint32_t *fold = *t->folds ? fl_map64_find(&k->folds, hash) : NULL;
    if (*t->folds && !fold) return FLORIN_OK;
    float y = has_event(k, &t->outcome, entity, at, at + t->horizon_us) != t->outcome_absent;
    float weight;
    s->seen[part]++;
    s->positives[part] += y > 0;
    if (!keep_row(k, part, y, fl_mix64(hash) ^ (uint64_t)at, &weight)) return FLORIN_OK;
    if (!grow_rows(k))
        return fl_fail(k->err, FLORIN_ENOMEM, "%zu rows of %zu inputs: set `negatives` lower",
                       s->rows, s->width);
    size_t i = s->rows++;
    fl_encode_entity(k->enc, t->kind, entity, at, s->x + i * s->width);
    s->truth[i] = s->known[i] = y;
    s->early[i] = !t->has_validate || at + t->horizon_us <= t->validate.from_us ? y : -1;
    s->weight[i] = weight;
    s->part[i] = (uint8_t)part;
    s->fold[i] = fold ? *fold - 1 : 0;
    s->cluster[i] = s->card[i] = hash;
    s->row[i] = entity;
    s->time_us[i] = at;
    s->amount[i] = 0;
    return FLORIN_OK;
}

static florin_status read_folds(taker *k)
{
    char *body = NULL;
    size_t n = 0;
    uint8_t key[16];
    const fl_schema *sc = fl_log_schema(k->log);
    florin_status st = fl_read_file(&body, &n, k->t->folds, (size_t)1 << 28, k->err);
    if (!st) st = fl_schema_key(sc, key, k->err);
    if (!st && !fl_map64_init(&k->folds, 1024))
        st = fl_fail(k->err, FLORIN_ENOMEM, "%s", k->t->folds);
    char *p = body;
    for (uint32_t line = 1; !st && p && *p; line++) {
        char *end = strchr(p, '\n'), *comma;
        if (end) *end = 0;
        comma = strchr(p, ',');
        if (!comma) {
            st = fl_fail(k->err, FLORIN_EINPUT, "%s: line %u: needs id,fold", k->t->folds, line);
        } else if (line > 1 || (comma[1] >= '0' && comma[1] <= '9')) {
            bool inserted;
            uint64_t h = fl_entity_hash(key, sc->kind[k->t->kind].name, p, (size_t)(comma - p));
            uint32_t *v = fl_map64_insert(&k->folds, h, &inserted);
            unsigned long fold = strtoul(comma + 1, NULL, 10);
            if (fold >= 64)
                st = fl_fail(k->err, FLORIN_EINPUT, "%s: line %u: fold %lu: 0 to 63", k->t->folds,
                             line, fold);
            else if (!v) st = fl_fail(k->err, FLORIN_ENOMEM, "%s", k->t->folds);
            else *v = (uint32_t)fold + 1;
        }
        p = end ? end + 1 : NULL;
    }
    free(body);
    return st;
}

static int by_date(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The dates of all periods, ascending. */
static uint32_t dates_of(const fl_task *t, int64_t out[FL_CUTS_MAX])
{
    const fl_period *p[] = {&t->train, &t->validate, &t->test};
    uint32_t n = 0;
    for (int i = 0; i < 3; i++)
        for (int64_t d = p[i]->from_us;
             p[i]->to_us > p[i]->from_us && d < p[i]->to_us && n < FL_CUTS_MAX; d += t->step_us)
            if (i != 1 || t->has_validate) out[n++] = d;
    qsort(out, n, sizeof *out, by_date);
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!m || out[m - 1] != out[i]) out[m++] = out[i];
    return m;
}

static florin_status take_dates(taker *k)
{
    const fl_task *t = k->t;
    int64_t date[FL_CUTS_MAX];
    uint32_t n = dates_of(t, date);
    uint64_t row;
    fl_event e;
    const float *values;
    const fl_fold_carry *carry;
    florin_status st = *t->folds ? read_folds(k) : FLORIN_OK;
    for (uint32_t d = 0; d < n && !st; d++) {
        if (date[d] + t->horizon_us > fl_log_time_max(k->log) + FL_DAY_US)
            return fl_fail(
                k->err, FLORIN_EINPUT,
                "task %s: a date's horizon ends after the log does: choose an earlier test",
                t->name);
        while (fl_encode_peek(k->enc) < date[d])
            (void)fl_encode_next(k->enc, &row, &e, &values, &carry);
        int part = *t->folds ? FL_PART_TEST : part_of(t, date[d]);
        for (uint32_t i = 0; part >= 0 && i < fl_log_entities(k->log, t->kind) && !st; i++)
            st = take_entity(k, i, date[d], part);
        fl_progress(k->ctx, "reading the log", d + 1, n);
        if (!st && fl_cancelled(k->ctx))
            st = fl_fail(k->err, FLORIN_ECANCELLED, "stopped while reading the log");
    }
    return st;
}

static florin_status name_columns(taker *k)
{
    fl_sample *s = k->s;
    s->width =
        k->t->per_event ? fl_model_row_width(k->m) : fl_encode_entity_width(k->enc, k->t->kind);
    s->names_owned = true;
    s->name = fl_calloc(s->width, sizeof *s->name);
    for (uint32_t c = 0; s->name && c < s->width; c++) {
        s->name[c] = fl_strdup(k->t->per_event ? fl_model_row_name(k->m, c)
                                               : fl_encode_entity_name(k->enc, k->t->kind, c));
        if (!s->name[c]) return fl_fail(k->err, FLORIN_ENOMEM, "task");
    }
    return s->name ? FLORIN_OK : fl_fail(k->err, FLORIN_ENOMEM, "task");
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
               .silence_is_good = true};
    florin_status st = fl_encode_open(&k.enc, m, log, err);
    if (!st && t->per_event) st = fl_label_index_new(&k.labels, log, t->label, err);
    if (!st) st = name_columns(&k);
    if (!st) st = t->per_event ? take_events(&k) : take_dates(&k);
    for (int p = 0; p < FL_PARTS_OF_SAMPLE && !st; p++) {
        if ((p == FL_PART_VALIDATE && !t->has_validate) || (p == FL_PART_TRAIN && *t->folds))
            continue;
        static const char *const name[] = {"train", "validate", "test"};
        if (!out->seen[p])
            st = fl_fail(err, FLORIN_EINPUT,
                         "task %s: nothing to judge in `%s`: check its dates against the log's "
                         "(florin describe)",
                         t->name, name[p]);
        else if (!out->positives[p] || out->positives[p] == out->seen[p])
            st = fl_fail(err, FLORIN_EINPUT, "task %s: all %llu rows of `%s` have the same label",
                         t->name, (unsigned long long)out->seen[p], name[p]);
    }
    fl_encode_close(k.enc);
    fl_label_index_free(k.labels);
    fl_map64_free(&k.bad);
    fl_map64_free(&k.folds);
    if (st) fl_sample_free(out);
    return st;
}
