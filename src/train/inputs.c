/* Learns what the encoder needs from the training rows: vocabularies, amount bins, means and scales. Owns nothing.
 * Invariant: the result depends on the rows before the cut and on nothing else, not even on the log's own numbers. */
#include "train/rows.h"
#include <math.h>

enum {
    VALUE_MIN = 2,  /* a value seen once is tail */
    TAIL_MAX = 256, /* hash buckets of the tail */
    AMOUNT_SAMPLE = 1 << 20
};

typedef struct {
    uint64_t hash;
    uint32_t count;
} value_count;

static int by_count(const void *a, const void *b)
{
    const value_count *x = a, *y = b;

    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static florin_status count_values(const fl_log *log, int field, uint32_t rows, value_count **out,
                                  size_t *n, florin_error *err)
{
    fl_map64 map;
    florin_status st = FLORIN_OK;

    *out = NULL;
    *n = 0;
    if (!fl_map64_init(&map, 1024)) return fl_fail(err, FLORIN_ENOMEM, "vocabulary");
    for (uint32_t r = 0; r < rows; r++) {
        uint64_t hash = fl_log_category(log, field, r);
        if (!hash) continue;
        bool inserted;
        uint32_t *count = fl_map64_insert(&map, hash, &inserted);
        if (!count) {
            st = fl_fail(err, FLORIN_ENOMEM, "vocabulary of %zu values", map.count);
            goto done;
        }
        *count += 1;
    }
    *out = fl_alloc(map.count + 1, sizeof **out);
    if (!*out) {
        st = fl_fail(err, FLORIN_ENOMEM, "vocabulary of %zu values", map.count);
        goto done;
    }
    for (size_t i = 0; i < map.cap; i++)
        if (map.key[i]) (*out)[(*n)++] = (value_count){map.key[i], map.value[i]};
    qsort(*out, *n, sizeof **out, by_count);
done:
    fl_map64_free(&map);
    return st;
}

static florin_status fit_vocabulary(fl_network *n, uint32_t i, const fl_log *log, uint32_t rows,
                                    uint32_t most, florin_error *err)
{
    value_count *list = NULL;
    uint64_t *hash = NULL;
    size_t values, known = 0;
    florin_status st = count_values(log, n->category[i], rows, &list, &values, err);

    if (st) return st;
    while (known < values && known < most && list[known].count >= VALUE_MIN) known++;
    size_t tail = values - known, buckets = tail / 4 > TAIL_MAX ? TAIL_MAX : (tail + 3) / 4;
    hash = fl_alloc(known + 1, sizeof *hash);
    if (!hash) st = fl_fail(err, FLORIN_ENOMEM, "vocabulary of %zu values", known);
    for (size_t k = 0; k < known && !st; k++) hash[k] = list[k].hash;
    if (!st)
        st = fl_vocabulary_set(&n->vocabulary[i], hash, (uint32_t)known, (uint32_t)buckets, err);
    free(hash);
    free(list);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Edges are quantiles of the amounts that are not zero; a log without amounts keeps the neutral ones. */
static florin_status fit_amounts(fl_network *n, const fl_log *log, uint32_t rows, florin_error *err)
{
    uint32_t stride = rows / AMOUNT_SAMPLE + 1;
    double *x = fl_alloc((size_t)rows / stride + 2, sizeof *x), sum = 0, square = 0, count = 0;
    size_t k = 0;

    if (!x) return fl_fail(err, FLORIN_ENOMEM, "amount bins");
    for (uint32_t r = 0; r < rows; r += stride) {
        int64_t minor = fl_log_amount(log, r);
        if (minor == FL_AMOUNT_NONE) continue;
        double major = fl_amount_major(n, minor), log_amount = (double)fl_squash((float)major);
        sum += log_amount;
        square += log_amount * log_amount;
        count++;
        if (minor) x[k++] = major;
    }
    if (count > 0) {
        double mean = sum / count, variance = square / count - mean * mean;
        n->log_amount_mean = (float)mean;
        n->log_amount_scale = variance > 1e-8 ? (float)sqrt(variance) : 1.0f;
    }
    qsort(x, k, sizeof *x, by_value);
    for (uint32_t b = 0; b < FL_AMOUNT_BINS - 1 && k; b++)
        n->amount_edge[b] = (float)x[(size_t)(b + 1) * k / FL_AMOUNT_BINS];
    free(x);
    return FLORIN_OK;
}

static void fit_numbers(fl_network *n, const fl_log *log, uint32_t rows)
{
    double sum[FL_NUMBERS_MAX] = {0}, square[FL_NUMBERS_MAX] = {0}, count[FL_NUMBERS_MAX] = {0};
    fl_event event;

    if (!n->numbers) return;
    for (uint32_t r = 0; r < rows; r++) {
        fl_log_event(log, r, &event);
        for (uint32_t i = 0; i < n->numbers; i++) {
            if (!(event.number_present >> n->number[i] & 1)) continue;
            double v = (double)fl_squash(event.number[n->number[i]]);
            sum[i] += v;
            square[i] += v * v;
            count[i]++;
        }
    }
    for (uint32_t i = 0; i < n->numbers; i++) {
        double mean = count[i] > 0 ? sum[i] / count[i] : 0;
        double variance = count[i] > 0 ? square[i] / count[i] - mean * mean : 0;
        n->number_mean[i] = (float)mean;
        n->number_scale[i] = variance > 1e-8 ? (float)sqrt(variance) : 1.0f;
    }
}

florin_status fl_network_fit(fl_network *n, const fl_log *log, uint32_t rows, uint32_t vocabulary,
                             florin_error *err)
{
    florin_status st = FLORIN_OK;

    for (uint32_t i = 0; i < n->categories && !st; i++)
        st = fit_vocabulary(n, i, log, rows, vocabulary, err);
    if (!st) st = fit_amounts(n, log, rows, err);
    if (!st) fit_numbers(n, log, rows);
    return st;
}
