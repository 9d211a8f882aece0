/* Two passes of the encoder. */
#include "similar/events.h"
#include <math.h>

enum { SAMPLE = 4096 };

typedef struct {
    const fl_model *m;
    const fl_log *log;
    const florin_context *ctx;
    fl_by by;
    uint64_t row; /* the event asked for */
    uint32_t first, width, folds;
    double *sum, *square;  /* [width] */
    float *scale, *mean;   /* [width] */
    float *query, *vector; /* [width] */
    float *fold;           /* [folds] of the event asked for */
    float *sample;         /* [SAMPLE][folds] */
    uint64_t seen, kept;
    fl_event event;
    uint64_t count[FL_CATEGORIES_MAX]; /* events with the same value */
    fl_near *best;                     /* item: place in `slot` */
    fl_like_event *slot;               /* [k + 1] */
    float *slot_fold;                  /* [k + 1][folds] */
    uint32_t k, found;
} search;

/* Each of a stream's events has the same chance (Vitter 1985); the draw depends on the place alone. */
static void sample_row(search *s, const float *fold)
{
    uint64_t at = s->seen < SAMPLE ? s->seen : fl_mix64(s->seen + 1) % (s->seen + 1);

    s->seen++;
    if (at >= SAMPLE) return;
    memcpy(s->sample + at * s->folds, fold, s->folds * sizeof *fold);
    if (s->kept < SAMPLE) s->kept++;
}

/* values: from s->first on. */
static void vector_of(const search *s, const float *values)
{
    double square = 0;

    for (uint32_t i = 0; i < s->width; i++) {
        float v = (values[i] - s->mean[i]) * s->scale[i];
        if (s->by == FL_BY_FOLD) v = fl_squash(v);
        s->vector[i] = v;
        square += (double)v * v;
    }
    float unit = square > 0 ? (float)(1 / sqrt(square)) : 0;
    for (uint32_t i = 0; i < s->width; i++) s->vector[i] *= unit;
}

static void learn_row(search *s, uint64_t row, const fl_event *e, const float *values)
{
    for (uint32_t i = 0; i < s->width; i++) {
        double v = values[s->first + i];
        s->sum[i] += v;
        s->square[i] += v * v;
    }
    sample_row(s, values);
    if (row != s->row) return;
    memcpy(s->query, values + s->first, s->width * sizeof *s->query);
    memcpy(s->fold, values, s->folds * sizeof *s->fold);
    s->event = *e;
}

static void compare_row(search *s, uint64_t row, const fl_event *e, const float *values)
{
    for (uint32_t f = 0; f < fl_log_schema(s->log)->categories; f++)
        s->count[f] += e->category[f] && e->category[f] == s->event.category[f];
    if (row == s->row) return;
    vector_of(s, values + s->first);
    float cosine = fl_model_kernels(s->m)->dot(s->vector, s->query, s->width);
    if (s->found == s->k && !(cosine > s->best[s->k - 1].cosine)) return;
    /* The slot of the one that falls out, or the next free one. */
    uint32_t at = s->found == s->k ? s->best[s->k - 1].item : s->found;
    fl_near_add(s->best, &s->found, s->k, (fl_near){at, cosine});
    s->slot[at] = (fl_like_event){.row = row, .cosine = cosine, .event = *e};
    memcpy(s->slot_fold + (size_t)at * s->folds, values, s->folds * sizeof *values);
}

static florin_status pass(search *s, const char *stage,
                          void (*each)(search *, uint64_t, const fl_event *, const float *),
                          florin_error *err)
{
    fl_encode *encode = NULL;
    const fl_fold_carry *carry;
    const float *values;
    uint64_t row, done = 0;
    fl_event event;
    florin_status st = fl_encode_open(&encode, s->m, s->log, err);

    if (!st) fl_encode_threads(encode, fl_threads(s->ctx));
    if (!st) st = fl_encode_states(encode, -1, INT64_MAX, err);
    while (!st && fl_encode_next(encode, &row, &event, &values, &carry)) {
        each(s, row, &event, values);
        if (++done % 4096) continue;
        fl_progress(s->ctx, stage, done, fl_log_rows(s->log));
        if (fl_cancelled(s->ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "stopped");
    }
    fl_encode_close(encode);
    return st;
}

static void settle(search *s)
{
    double n = (double)s->seen;

    for (uint32_t i = 0; i < s->width; i++) {
        double mean = s->sum[i] / n, variance = s->square[i] / n - mean * mean;
        s->mean[i] = (float)mean;
        s->scale[i] = variance > 1e-12 * (1 + mean * mean) ? (float)(1 / sqrt(variance)) : 0;
    }
    vector_of(s, s->query);
    memcpy(s->query, s->vector, s->width * sizeof *s->query);
}

static florin_status say_shared(search *s, fl_like_event *out, uint32_t *n, florin_error *err)
{
    uint32_t code[2][FL_CATEGORIES_MAX] = {{0}}, *feature = fl_alloc(s->folds, sizeof *feature);
    fl_traits *t = NULL;
    florin_status st = feature ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "out of memory");

    for (uint32_t i = 0; !st && i < s->folds; i++) feature[i] = i;
    if (!st)
        st = fl_traits_new(&t, s->m, s->log, s->sample, (uint32_t)s->kept, s->folds, s->folds,
                           feature, false, err);
    free(feature);
    if (st) return st;
    for (uint32_t f = 0; f < fl_log_schema(s->log)->categories; f++) {
        code[0][f] = fl_log_category_code(s->log, (int)f, s->row);
        fl_traits_field(t, (int)f, code[0][f], (double)s->count[f] / (double)s->seen);
    }
    for (*n = 0; *n < s->found; ++*n) {
        uint32_t at = s->best[*n].item;
        out[*n] = s->slot[at];
        for (uint32_t f = 0; f < fl_log_schema(s->log)->categories; f++)
            code[1][f] = fl_log_category_code(s->log, (int)f, out[*n].row);
        out[*n].shares = fl_traits_shared(t, s->fold, s->slot_fold + (size_t)at * s->folds, code[0],
                                          code[1], out[*n].shared);
    }
    fl_traits_free(t);
    return FLORIN_OK;
}

static florin_status room(search *s, florin_error *err)
{
    s->sum = fl_calloc(s->width + 1, sizeof *s->sum);
    s->square = fl_calloc(s->width + 1, sizeof *s->square);
    s->scale = fl_calloc(s->width + 1, sizeof *s->scale);
    s->mean = fl_calloc(s->width + 1, sizeof *s->mean);
    s->query = fl_calloc(s->width + 1, sizeof *s->query);
    s->vector = fl_calloc(s->width + 1, sizeof *s->vector);
    s->fold = fl_calloc(s->folds + 1, sizeof *s->fold);
    s->sample = fl_alloc(SAMPLE, s->folds * sizeof *s->sample);
    s->best = fl_calloc(s->k, sizeof *s->best);
    s->slot = fl_calloc(s->k, sizeof *s->slot);
    s->slot_fold = fl_alloc(s->k, s->folds * sizeof *s->slot_fold);
    bool ok = s->sum && s->square && s->scale && s->mean && s->query && s->vector && s->fold &&
              s->sample && s->best && s->slot && s->slot_fold;
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "no memory for %u neighbours", s->k);
}

florin_status fl_like_events(fl_like_event *out, uint32_t *n, uint32_t k, uint64_t row, fl_by by,
                             const fl_model *m, const fl_log *log, const florin_context *ctx,
                             florin_error *err)
{
    search s = {.m = m, .log = log, .ctx = ctx, .by = by, .row = row, .k = k};
    florin_status st = FLORIN_OK;

    *n = 0;
    s.folds = fl_fold_features(fl_model_plan(m));
    s.first = by == FL_BY_FOLD ? 0 : fl_model_row_embedding(m);
    s.width = by == FL_BY_FOLD ? s.folds : fl_model_row_width(m) - s.first;
    if (by == FL_BY_BOTH || !s.width)
        st = fl_fail(err, FLORIN_EUSAGE, "events are compared by embedding or by fold%s",
                     s.width ? "" : "; this model holds no network: by fold");
    if (!st) st = room(&s, err);
    if (!st) st = pass(&s, "measure", learn_row, err);
    if (!st) settle(&s);
    if (!st) st = pass(&s, "compare", compare_row, err);
    if (!st) st = say_shared(&s, out, n, err);
    free(s.sum);
    free(s.square);
    free(s.scale);
    free(s.mean);
    free(s.query);
    free(s.vector);
    free(s.fold);
    free(s.sample);
    free(s.best);
    free(s.slot);
    free(s.slot_fold);
    return st;
}
