/* Labels as known at a moment: the labels of one kind grouped by row, in arrival order within a row. */
#include "fold/replay.h"

struct fl_label_index {
    uint64_t rows;
    uint32_t *first; /* [rows + 1] */
    int64_t *arrival_us;
    float *value;
};

florin_status fl_label_index_new(fl_label_index **out, const fl_log *log, int label,
                                 florin_error *err)
{
    uint64_t n = fl_log_labels(log), kept = 0;
    fl_label_index *x = fl_calloc(1, sizeof *x);
    fl_label l;
    *out = NULL;
    if (n >= UINT32_MAX) {
        free(x);
        return fl_fail(err, FLORIN_ENOMEM, "%s: more labels than an index holds", fl_log_path(log));
    }
    if (x) {
        x->rows = fl_log_rows(log);
        x->first = fl_calloc((size_t)x->rows + 2, sizeof *x->first);
        x->arrival_us = fl_alloc((size_t)n + 1, sizeof *x->arrival_us);
        x->value = fl_alloc((size_t)n + 1, sizeof *x->value);
    }
    if (!x || !x->first || !x->arrival_us || !x->value) {
        fl_label_index_free(x);
        return fl_fail(err, FLORIN_ENOMEM, "%s: index of %llu labels", fl_log_path(log),
                       (unsigned long long)n);
    }
    /* Counting sort by row: first[r + 1] becomes the end of row r while it is filled. */
    for (uint64_t i = 0; i < n; i++) {
        fl_log_label(log, i, &l);
        if (l.label == label) x->first[l.row + 2]++, kept++;
    }
    for (uint64_t r = 2; r < x->rows + 2; r++) x->first[r] += x->first[r - 1];
    for (uint64_t i = 0; kept && i < n; i++) {
        fl_log_label(log, i, &l);
        if (l.label != label) continue;
        uint32_t at = x->first[l.row + 1]++;
        x->arrival_us[at] = l.arrival_us;
        x->value[at] = l.value;
    }
    *out = x;
    return FLORIN_OK;
}

float fl_label_at(const fl_label_index *x, uint64_t row, int64_t at_us)
{
    uint32_t low = x->first[row], high = x->first[row + 1];
    if (low == high || x->arrival_us[low] > at_us) return -1;
    while (high - low > 1) { /* the newest that has arrived */
        uint32_t mid = low + (high - low) / 2;
        if (x->arrival_us[mid] <= at_us) low = mid;
        else high = mid;
    }
    return x->value[low];
}

int64_t fl_label_arrival(const fl_label_index *x, uint64_t row)
{
    return x->first[row] == x->first[row + 1] ? INT64_MAX : x->arrival_us[x->first[row]];
}

void fl_label_index_free(fl_label_index *x)
{
    if (!x) return;
    free(x->first);
    free(x->arrival_us);
    free(x->value);
    free(x);
}
