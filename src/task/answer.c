/* Answers of outcomes. Invariant: only events at or after the moment are read here; they are labels, never inputs. */
#include "task/answer.h"
#include <math.h>

void fl_classes_free(fl_classes *c)
{
    fl_map64_free(&c->at);
    free(c->value);
    memset(c, 0, sizeof *c);
}

uint32_t fl_classes_of(fl_classes *c, uint64_t value)
{
    bool inserted;
    if (!c->n && !c->value && !fl_map64_init(&c->at, 64)) return UINT32_MAX;
    uint32_t *v = fl_map64_insert(&c->at, value | 1, &inserted);
    if (!v || !fl_grow((void **)&c->value, &c->cap, c->n + 1, sizeof *c->value)) return UINT32_MAX;
    if (inserted) {
        c->value[c->n++] = value;
        *v = c->n;
    }
    return *v - 1;
}

bool fl_rule_fits(const fl_event_rule *r, const fl_log *log, uint64_t row)
{
    if (r->type >= 0 && fl_log_type(log, row) != r->type) return false;
    if (r->mark >= 0 && ((fl_log_marks(log, row) >> r->mark & 1) != 0) == r->without) return false;
    for (uint32_t i = 0; i < r->wheres; i++)
        if (fl_log_category(log, r->field[i], row) != r->value[i]) return false;
    /* FL_AMOUNT_NONE is the smallest number: an event without amount fits only a rule without one. */
    return fl_log_amount(log, row) >= r->amount_from;
}

/* First of n ascending rows of a segment whose time is not before `at`. */
static uint32_t first_not_before(const fl_log *log, uint64_t base, const uint32_t *rows, uint32_t n,
                                 int64_t at)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (fl_log_time(log, base + rows[mid]) < at) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

bool fl_has_event(const fl_log *log, const fl_event_rule *r, int kind, uint32_t entity,
                  int64_t from, int64_t to, uint64_t but)
{
    for (uint32_t g = fl_log_segments(log); g-- > 0;) {
        uint32_t n;
        uint64_t base = fl_log_segment_first(log, g);
        const uint32_t *rows = fl_log_entity_rows(log, kind, entity, g, &n);
        for (uint32_t i = first_not_before(log, base, rows, n, to); i-- > 0;) {
            uint64_t row = base + rows[i];
            if (fl_log_time(log, row) < from) break;
            if (row != but && fl_rule_fits(r, log, row)) return true;
        }
    }
    return false;
}

bool fl_belongs(const fl_task *t, const fl_log *log, uint32_t entity, int64_t at)
{
    int64_t from = at > INT64_MIN / 2 + t->active_us ? at - t->active_us : INT64_MIN / 2;
    return fl_has_event(log, &t->active, t->kind, entity, from, at, UINT64_MAX);
}

florin_status fl_horizon_check(const fl_task *t, const fl_log *log, int64_t last_us,
                               florin_error *err)
{
    if (last_us + t->horizon_us <= fl_log_time_max(log) + FL_DAY_US) return FLORIN_OK;
    char end[32], at[32];
    fl_time_format(fl_log_time_max(log), end);
    fl_time_format(last_us, at);
    return fl_fail(err, FLORIN_EINPUT,
                   "task %s: the horizon of %s ends after the log, whose last event is of %s: "
                   "choose an earlier test",
                   t->name, at, end);
}

/* All events of the rule in a window; the earliest is kept for what asks for the next one. */
typedef struct {
    uint64_t count, first;
    int64_t first_us;
    double sum;
} found;

static void look(const fl_task *t, const fl_log *log, uint32_t entity, int64_t from, uint64_t but,
                 found *f)
{
    int64_t to = from + t->horizon_us;
    *f = (found){.first = UINT64_MAX, .first_us = INT64_MAX};
    for (uint32_t g = 0; g < fl_log_segments(log); g++) {
        uint32_t n;
        uint64_t base = fl_log_segment_first(log, g);
        const uint32_t *rows = fl_log_entity_rows(log, t->outcome_kind, entity, g, &n);
        for (uint32_t i = first_not_before(log, base, rows, n, from); i < n; i++) {
            uint64_t row = base + rows[i];
            int64_t time = fl_log_time(log, row), amount = fl_log_amount(log, row);
            if (time >= to) break;
            if (row == but || !fl_rule_fits(&t->outcome, log, row)) continue;
            f->count++;
            if (amount != FL_AMOUNT_NONE) f->sum += (double)amount;
            if (time >= f->first_us) continue;
            f->first_us = time;
            f->first = row;
        }
    }
}

static float class_at(const fl_log *log, int field, uint64_t row, fl_classes *classes)
{
    uint64_t value = fl_log_category(log, field, row);
    uint32_t n = value ? fl_classes_of(classes, value) : UINT32_MAX;
    return n == UINT32_MAX ? NAN : (float)n;
}

float fl_answer_of(const fl_task *t, const fl_log *log, uint32_t entity, int64_t from, uint64_t but,
                   double unit, fl_classes *classes)
{
    found f;
    if (t->is == FL_IS_PRESENT || t->is == FL_IS_ABSENT)
        return fl_has_event(log, &t->outcome, t->outcome_kind, entity, from, from + t->horizon_us,
                            but) != (t->is == FL_IS_ABSENT);
    look(t, log, entity, from, but, &f);
    switch (t->is) {
    case FL_IS_SUM: return (float)(f.sum * unit);
    case FL_IS_COUNT: return (float)f.count;
    case FL_IS_TIME:
        return (float)((double)(f.count ? f.first_us - from : t->horizon_us) / FL_DAY_US);
    case FL_IS_AMOUNT:
        if (!f.count || fl_log_amount(log, f.first) == FL_AMOUNT_NONE) return NAN;
        return (float)((double)fl_log_amount(log, f.first) * unit);
    default: return f.count ? class_at(log, t->of, f.first, classes) : NAN;
    }
}

float fl_answer_own(const fl_task *t, const fl_log *log, uint64_t row, fl_classes *classes)
{
    if (t->own_mark >= 0) return (fl_log_marks(log, row) >> t->own_mark & 1) != 0;
    return class_at(log, t->of, row, classes);
}
