/* One instruction at a time over 1,024 events: loops of a fixed length, which the compiler turns into vectors. */
#include "policy/block.h"

enum { N = FL_BLOCK_EVENTS };

/* YES is 2 and UNKNOWN 1, and never both. */
#define COMPARE(OP)                                                                                \
    for (int i = 0; i < N; i++)                                                                    \
        out[i] = (uint8_t)(((a[i] OP b[i * step]) << 1) |                                          \
                           ((a[i] != a[i]) | (b[i * step] != b[i * step])));                       \
    break

static void compare(fl_compare c, const double *a, const double *b, int step, uint8_t *out)
{
    /* A missing side makes <, <=, >, >= and = false; != it would make true. */
    switch (c) {
    case CMP_LT: COMPARE(<);
    case CMP_LE: COMPARE(<=);
    case CMP_GT: COMPARE(>);
    case CMP_GE: COMPARE(>=);
    case CMP_EQ: COMPARE(==);
    case CMP_NE:
        for (int i = 0; i < N; i++) {
            int missing = (a[i] != a[i]) | (b[i * step] != b[i * step]);
            out[i] = (uint8_t)((((a[i] != b[i * step]) & !missing) << 1) | missing);
        }
        break;
    }
}

static void same(const fl_op *o, const fl_cell *a, const fl_cell *b, uint8_t *out)
{
    int want = o->compare == CMP_EQ;
    for (int i = 0; i < N; i++) {
        uint64_t x = a[i].hash, y = b ? b[i].hash : o->value.hash;
        int missing = !x | !y;
        out[i] = (uint8_t)((((x == y) == want) & !missing) << 1 | missing);
    }
}

static void in_numbers(const fl_cell *set, uint32_t count, const double *x, uint8_t *out)
{
    for (int i = 0; i < N; i++) out[i] = x[i] != x[i];
    for (uint32_t k = 0; k < count; k++)
        for (int i = 0; i < N; i++) out[i] |= (uint8_t)((x[i] == set[k].number) << 1);
}

static void in_texts(const fl_cell *set, uint32_t count, const fl_cell *x, uint8_t *out)
{
    for (int i = 0; i < N; i++) out[i] = !x[i].hash;
    for (uint32_t k = 0; k < count; k++)
        for (int i = 0; i < N; i++) out[i] |= (uint8_t)((x[i].hash == set[k].hash) << 1);
}

static void arithmetic(const fl_op *o, double *below, const double *top)
{
    for (int i = 0; i < N; i++) {
        double a = o->reversed ? top[i] : below[i], b = o->reversed ? below[i] : top[i];
        double x = o->code == OP_ADD   ? a + b
                   : o->code == OP_SUB ? a - b
                   : o->code == OP_MUL ? a * b
                                       : a / b;
        below[i] = isfinite(x) ? x : NAN;
    }
}

static void number_op(const fl_policy *p, const fl_op *o, const fl_cell *c, fl_block_stack *s,
                      uint32_t *n, uint32_t *t)
{
    double *top = s->number[*n];
    switch (o->code) {
    case OP_NUMBER:
        for (int i = 0; i < N; i++) top[i] = c[i].number;
        ++*n;
        break;
    case OP_CONST:
        for (int i = 0; i < N; i++) top[i] = o->value.number;
        ++*n;
        break;
    case OP_NEG:
        for (int i = 0; i < N; i++) s->number[*n - 1][i] = -s->number[*n - 1][i];
        break;
    case OP_COMPARE:
        *n -= 2;
        compare((fl_compare)o->compare, s->number[*n], s->number[*n + 1], 1, s->truth[(*t)++]);
        break;
    case OP_IN_NUMBERS:
        --*n;
        in_numbers(p->set_value + p->set[o->b].first, p->set[o->b].count, s->number[*n],
                   s->truth[(*t)++]);
        break;
    default: --*n; arithmetic(o, s->number[*n - 1], s->number[*n]);
    }
}

static void missing(const fl_slot *slot, const fl_cell *c, uint8_t *out)
{
    bool text = slot->type == FL_ATTR_TEXT || slot->type == FL_ATTR_ENTITY;
    for (int i = 0; i < N; i++) out[i] = (text ? !c[i].hash : isnan(c[i].number)) ? YES : NO;
}

static void logic(const fl_op *o, fl_block_stack *s, uint32_t *t)
{
    if (o->code == OP_NOT) {
        for (int i = 0; i < N; i++) s->truth[*t - 1][i] = (uint8_t)(YES - s->truth[*t - 1][i]);
        return;
    }
    uint8_t *a = s->truth[*t - 2];
    const uint8_t *b = s->truth[--*t];
    if (o->code == OP_AND)
        for (int i = 0; i < N; i++) a[i] = b[i] < a[i] ? b[i] : a[i];
    else
        for (int i = 0; i < N; i++) a[i] = b[i] > a[i] ? b[i] : a[i];
}

/* Bit 1 of eight truths at a time, gathered by a multiplication. */
static void pack(const uint8_t *truth, uint64_t *matched)
{
    for (int w = 0; w < FL_BLOCK_WORDS; w++) {
        uint64_t bits = 0;
        for (int k = 0; k < 8; k++) {
            uint64_t x;
            memcpy(&x, truth + 64 * w + 8 * k, sizeof x);
            x = (x >> 1) & UINT64_C(0x0101010101010101);
            bits |= (x * UINT64_C(0x0102040810204080) >> 56) << (8 * k);
        }
        matched[w] = bits;
    }
}

void fl_block_eval(const fl_policy *p, const fl_rule *rule, const fl_cell *cell, fl_block_stack *s,
                   uint64_t *matched)
{
    uint32_t n = 0, t = 0;
    const fl_op *end = p->op + rule->first + rule->ops;
    for (const fl_op *o = p->op + rule->first; o < end; o++) {
        const fl_cell *c = cell + (size_t)o->slot * N, *b = cell + (size_t)o->b * N;
        switch ((fl_op_code)o->code) {
        case OP_NUMBER:
        case OP_CONST:
        case OP_ADD:
        case OP_SUB:
        case OP_MUL:
        case OP_DIV:
        case OP_NEG:
        case OP_COMPARE:
        case OP_IN_NUMBERS: number_op(p, o, c, s, &n, &t); break;
        case OP_COMPARE_CONST:
            compare((fl_compare)o->compare, &c->number, &o->value.number, 0, s->truth[t++]);
            break;
        case OP_COMPARE_SLOT:
            compare((fl_compare)o->compare, &c->number, &b->number, 1, s->truth[t++]);
            break;
        case OP_SAME: same(o, c, NULL, s->truth[t++]); break;
        case OP_SAME_SLOT: same(o, c, b, s->truth[t++]); break;
        case OP_IN_TEXTS:
            in_texts(p->set_value + p->set[o->b].first, p->set[o->b].count, c, s->truth[t++]);
            break;
        case OP_FLAG:
            for (int i = 0; i < N; i++)
                s->truth[t][i] = (uint8_t)((c[i].number > 0) << 1 | (c[i].number != c[i].number));
            t++;
            break;
        case OP_MISSING: missing(&p->slot[o->slot], c, s->truth[t++]); break;
        case OP_TRUTH: memset(s->truth[t++], o->compare, N); break;
        case OP_NOT:
        case OP_AND:
        case OP_OR: logic(o, s, &t); break;
        }
    }
    pack(s->truth[0], matched);
}
