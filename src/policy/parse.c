/* One rule to flat code. Operators wait on a stack of their own (shunting yard, Dijkstra 1961), so nothing here calls itself,
 * however deep the brackets. A value that is a slot or a constant is kept as such until it is used, so that a comparison of two
 * of them is one instruction. */
#include "policy/lex.h"
#include "policy/program.h"
#include <stdio.h>

enum { DEPTH = 64, OPS_MAX = 4000, SET_MAX = 10000, CODE_MAX = 200000 };

typedef enum {
    V_NUMBER, /* computed: on the program's stack of numbers */
    V_TRUTH,  /* computed: on that of truths */
    V_SLOT,
    V_CONST,
    V_TEXT,
    V_YES_NO
} value_kind;
typedef struct {
    value_kind kind;
    fl_slot slot; /* V_SLOT: not made yet; of METADATA and FREE the type is open */
    double number;
    fl_lexeme token;
    size_t at, end; /* in the text */
} value;

typedef struct {
    fl_lexeme token;
    bool prefix;
    bool call; /* an opening bracket */
} pending;

typedef struct {
    fl_policy *p;
    const char *text;
    const fl_spot *spot;
    florin_error *err;
    florin_status st;
    fl_lexeme token; /* next */
    value stack[DEPTH];
    size_t values;
    pending op[DEPTH];
    size_t ops;
    uint32_t numbers, truths; /* depth of the program's stacks */
    size_t first;             /* of the rule's code */
} parser;

/* ---- errors ---- */

/* Line k of a text, from 0: its bytes. */
static const char *line_of(const char *text, uint32_t k, size_t *n)
{
    while (k-- && text) {
        text = strchr(text, '\n');
        if (text) text++;
    }
    *n = text ? strcspn(text, "\r\n") : 0;
    return text;
}

static bool contains(const char *in, size_t n, const char *what, size_t w, size_t *at)
{
    for (size_t i = 0; w && i + w <= n; i++)
        if (!memcmp(in + i, what, w)) {
            *at = i;
            return true;
        }
    return false;
}

florin_status fl_spot_fail(const fl_spot *at, florin_error *err, const char *fmt, ...)
{
    enum { SHOWN = 160, LEFT = 100 };
    char what[512], caret[SHOWN + 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (!at->source)
        return fl_fail(err, FLORIN_EINPUT, "%s:%u:%u: %s", at->file, at->line, at->column, what);
    size_t n = strcspn(at->source, "\r\n"), column = at->column - 1, cut = 0;
    if (column > LEFT) cut = column - LEFT;
    if (cut > n) cut = n;
    size_t shown = n - cut < SHOWN ? n - cut : SHOWN, pad = column - cut, c = 0;
    for (; c < pad && c < SHOWN; c++) caret[c] = at->source[cut + c] == '\t' ? '\t' : ' ';
    caret[c++] = '^';
    for (uint32_t w = 1; w < at->width && c < shown && c < SHOWN; w++) caret[c++] = '~';
    caret[c] = 0;
    return fl_fail(err, FLORIN_EINPUT, "%s:%u:%u: %s\n  %.*s\n  %s", at->file, at->line, at->column,
                   what, (int)shown, at->source + cut, caret);
}

/* Where offset `at` of the rule lies in the file: the rule's line is looked for in the file's, which finds it unless YAML has
 * folded or unescaped it; then the rule's own text is shown. */
static fl_spot spot_at(const parser *r, size_t at, size_t width)
{
    fl_spot s = *r->spot;
    size_t start = 0, n, k = 0, found, file_n;
    for (size_t i = 0; i < at && r->text[i]; i++)
        if (r->text[i] == '\n') {
            k++;
            start = i + 1;
        }
    n = strcspn(r->text + start, "\r\n");
    const char *line = line_of(r->p->text, s.line - 1 + (uint32_t)k, &file_n);
    size_t own = start;
    while (own < start + n && r->text[own] == ' ') own++;
    if (line && contains(line, file_n, r->text + own, start + n - own, &found)) {
        s.source = line;
        s.column = (uint32_t)(found + at - own + 1);
    } else {
        s.source = r->text + start;
        s.column = (uint32_t)(at - start + 1);
    }
    s.line += (uint32_t)k;
    s.width = (uint32_t)width;
    return s;
}

static bool fail(parser *r, size_t at, size_t width, const char *fmt, ...) FL_PRINTF(4, 5);
static bool fail(parser *r, size_t at, size_t width, const char *fmt, ...)
{
    char what[512];
    va_list ap;
    if (r->st) return false;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    fl_spot s = spot_at(r, at, width);
    r->st = fl_spot_fail(&s, r->err, "%s", what);
    return false;
}

static bool no_memory(parser *r)
{
    if (!r->st) r->st = fl_fail(r->err, FLORIN_ENOMEM, "%s: rules", r->spot->file);
    return false;
}

static bool fail_token(parser *r, const fl_lexeme *t, const char *what)
{
    if (t->kind == TOKEN_BAD) return fail(r, t->at, t->width, "%s", t->why);
    if (t->kind == TOKEN_END) return fail(r, t->at, 1, "%s, but the rule ends here", what);
    return fail(r, t->at, t->width, "%s, not '%.*s'", what, (int)(t->width < 40 ? t->width : 40),
                r->text + t->at);
}

static void next(parser *r)
{
    r->token = fl_lex(r->text, r->token.at + (r->token.kind == TOKEN_END ? 0 : r->token.width));
}

/* ---- slots and code ---- */

florin_status fl_policy_slot(fl_policy *p, const fl_slot *want, uint16_t *out, florin_error *err)
{
    for (size_t i = 0; i < p->slots; i++) {
        const fl_slot *s = &p->slot[i];
        bool same = s->from == want->from && s->index == want->index && s->of == want->of &&
                    s->window_us == want->window_us;
        if (same && s->from == FL_FROM_METADATA) same = s->type == want->type;
        if (same && s->from == FL_FROM_FREE) same = !strcmp(s->name, want->name);
        if (!same) continue;
        *out = (uint16_t)i;
        return FLORIN_OK;
    }
    if (p->slots == FL_SLOTS_MAX)
        return fl_fail(err, FLORIN_EINPUT,
                       "%s: more than %d different attributes, lists and counts in one policy",
                       p->file, FL_SLOTS_MAX);
    if (!fl_grow((void **)&p->slot, &p->slot_cap, p->slots + 1, sizeof *p->slot))
        return fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
    p->slot[p->slots] = *want;
    *out = (uint16_t)p->slots++;
    return FLORIN_OK;
}

static bool emit(parser *r, fl_op op)
{
    fl_policy *p = r->p;
    if (r->st) return false;
    if (p->ops - r->first >= OPS_MAX || p->ops >= CODE_MAX)
        return fail(r, 0, 1, "the rule is too long: split it");
    if (!fl_grow((void **)&p->op, &p->op_cap, p->ops + 1, sizeof *p->op)) return no_memory(r);
    p->op[p->ops++] = op;
    return true;
}

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {"unknown", "a number", "a text", "yes or no",
                                        "an identifier"};
    return names[type];
}

static bool open_type(const value *v)
{
    return v->kind == V_SLOT && v->slot.type == FL_ATTR_UNKNOWN;
}

/* Make the value's slot, as the type that this place asks for. Free names take their first type for good. */
static bool slot_as(parser *r, value *v, fl_attr_type type, uint16_t *out)
{
    if (v->slot.type == FL_ATTR_UNKNOWN) v->slot.type = (uint8_t)type;
    if (v->slot.type != type && !(v->slot.type == FL_ATTR_FLAG && type == FL_ATTR_NUMBER))
        return fail(r, v->at, v->end - v->at, "':%s:' is %s, and here %s is needed", v->slot.name,
                    type_name(v->slot.type), type_name((uint8_t)type));
    florin_status st = fl_policy_slot(r->p, &v->slot, out, r->err);
    if (st) {
        r->st = st;
        return false;
    }
    fl_slot *s = &r->p->slot[*out];
    if (s->from != FL_FROM_FREE) return true;
    if (s->type == FL_ATTR_UNKNOWN) s->type = (uint8_t)type;
    if (s->type != type && !(s->type == FL_ATTR_FLAG && type == FL_ATTR_NUMBER))
        return fail(r, v->at, v->end - v->at, "':%s:' is %s elsewhere in this policy, and here %s",
                    s->name, type_name(s->type), type_name((uint8_t)type));
    return true;
}

/* A free name that an earlier rule has typed. */
static void know(const parser *r, value *v)
{
    if (v->slot.from != FL_FROM_FREE) return;
    for (size_t i = 0; i < r->p->slots; i++)
        if (r->p->slot[i].from == FL_FROM_FREE && !strcmp(r->p->slot[i].name, v->slot.name))
            v->slot.type = r->p->slot[i].type;
}

static bool deeper(parser *r, uint32_t *depth, uint32_t most, size_t at)
{
    if (++*depth > most) return fail(r, at, 1, "too deeply nested here: split the rule");
    return true;
}

/* Onto the program's stack of numbers, where it may lie already. */
static bool push_number(parser *r, value *v)
{
    uint16_t slot = 0;
    if (v->kind == V_NUMBER) return true;
    if (v->kind == V_CONST || v->kind == V_YES_NO) {
        if (!emit(r, (fl_op){.code = OP_CONST, .value.number = v->number})) return false;
    } else if (v->kind == V_SLOT) {
        if (!slot_as(r, v, FL_ATTR_NUMBER, &slot)) return false;
        if (!emit(r, (fl_op){.code = OP_NUMBER, .slot = slot})) return false;
    } else
        return fail(r, v->at, v->end - v->at, "a number is needed here, not %s",
                    v->kind == V_TEXT ? "a text" : "a condition");
    return deeper(r, &r->numbers, NUMBER_DEPTH, v->at);
}

static bool push_truth(parser *r, value *v)
{
    uint16_t slot = 0;
    if (v->kind == V_TRUTH) return true;
    if (v->kind == V_YES_NO) {
        if (!emit(r, (fl_op){.code = OP_TRUTH, .compare = v->number > 0 ? YES : NO})) return false;
    } else if (v->kind == V_SLOT && (v->slot.type == FL_ATTR_FLAG || open_type(v))) {
        if (!slot_as(r, v, FL_ATTR_FLAG, &slot)) return false;
        if (!emit(r, (fl_op){.code = OP_FLAG, .slot = slot})) return false;
    } else
        return fail(r, v->at, v->end - v->at,
                    "a condition is needed here, such as a comparison: '%.*s' is %s",
                    (int)(v->end - v->at < 60 ? v->end - v->at : 60), r->text + v->at,
                    v->kind == V_TEXT || (v->kind == V_SLOT && v->slot.type != FL_ATTR_NUMBER)
                        ? "a text"
                        : "a number");
    return deeper(r, &r->truths, TRUTH_DEPTH, v->at);
}

static value *top(parser *r, size_t back)
{
    return &r->stack[r->values - 1 - back];
}

static bool push(parser *r, value v)
{
    if (r->values == DEPTH) return fail(r, v.at, 1, "too deeply nested here: split the rule");
    r->stack[r->values++] = v;
    return true;
}

/* ---- texts ---- */

/* A text that stands for a fixed set of words: say so when it is none of them. */
static bool known_word(parser *r, const fl_slot *s, const fl_lexeme *t)
{
    static const char *const levels[] = {"normal", "elevated", "highest"};
    const char *words[FL_SOURCES_MAX];
    size_t n = 0;
    char copy[FL_NAME_MAX];
    if (s->from == FL_FROM_LEVEL)
        for (; n < FL_LEN(levels); n++) words[n] = levels[n];
    else if (s->from == FL_FROM_TYPE && r->p->schema) {
        for (uint32_t i = 0; i < r->p->schema->sources; i++)
            if (r->p->schema->source[i].label_of < 0) words[n++] = r->p->schema->source[i].name;
    } else if (s->from == FL_FROM_CURRENCY && (t->n != 3 || t->text[0] < 'A' || t->text[0] > 'Z'))
        return fail(r, t->at, t->width, "a currency is three capital letters, such as 'EUR'");
    if (!n) return true;
    snprintf(copy, sizeof copy, "%.*s", (int)(t->n < 60 ? t->n : 60), t->text);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(words[i], copy)) return true;
    const char *near = fl_nearest(copy, words, n);
    fl_buf all = {0};
    for (size_t i = 0; i < n; i++) fl_buf_printf(&all, "%s'%s'", i ? ", " : "", words[i]);
    fail(r, t->at, t->width, "':%s:' is never '%s'%s%s%s: it is one of %s", s->name, copy,
         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "",
         all.data ? all.data : "");
    fl_buf_free(&all);
    return false;
}

/* How a constant looks from the slot it is compared with. Numbers are texts as they are written: :mcc: = 5411. */
static bool text_hash(parser *r, const fl_slot *s, const fl_lexeme *t, fl_cell *out)
{
    if (!t->n) return fail(r, t->at, t->width, "an empty text is never there: use is_missing(...)");
    if (!known_word(r, s, t)) return false;
    if (s->from == FL_FROM_ENTITY)
        out->hash = fl_entity_hash(r->p->key, r->p->schema->kind[s->index].name, t->text, t->n);
    else out->hash = fl_category_hash(t->text, t->n);
    return true;
}

static bool is_text_slot(const value *v)
{
    return v->kind == V_SLOT && (v->slot.type == FL_ATTR_TEXT || v->slot.type == FL_ATTR_ENTITY);
}

static bool slot_of_text(parser *r, value *v, uint16_t *slot)
{
    return slot_as(r, v, v->slot.type == FL_ATTR_ENTITY ? FL_ATTR_ENTITY : FL_ATTR_TEXT, slot);
}

/* ---- comparisons ---- */

static fl_compare compare_of(fl_lexeme_kind k)
{
    switch (k) {
    case TOKEN_LT: return CMP_LT;
    case TOKEN_LE: return CMP_LE;
    case TOKEN_GT: return CMP_GT;
    case TOKEN_GE: return CMP_GE;
    case TOKEN_EQ: return CMP_EQ;
    default: return CMP_NE;
    }
}

static fl_compare mirrored(fl_compare c)
{
    static const fl_compare to[] = {CMP_GT, CMP_GE, CMP_LT, CMP_LE, CMP_EQ, CMP_NE};
    return to[c];
}

static bool ring_limit(parser *r, const value *v, double number, const value *at)
{
    if (v->kind != V_SLOT || v->slot.from != FL_FROM_RING || !(number > 63)) return true;
    return fail(r, at->at, at->end - at->at,
                "velocity counts exactly up to 63, and the most it tells apart is '64 or more': "
                "write > 63 for that, use a shorter window, or a feature such as "
                "':%s.count_1d:'",
                r->p->series[v->slot.index].kind >= 0 && r->p->schema
                    ? r->p->schema->kind[r->p->series[v->slot.index].kind].name
                    : "card");
}

static bool truth(parser *r, size_t at, size_t end)
{
    if (!deeper(r, &r->truths, TRUTH_DEPTH, at)) return false;
    r->values--;
    *top(r, 0) = (value){.kind = V_TRUTH, .at = at, .end = end};
    return true;
}

static bool compare_texts(parser *r, value *a, value *b, fl_compare c, const fl_lexeme *op)
{
    uint16_t left = 0, right = 0;
    fl_op code = {.code = OP_SAME, .compare = (uint8_t)c};
    if (a->kind == V_TEXT || a->kind == V_CONST) {
        value *swap = a;
        a = b;
        b = swap;
    }
    if (a->kind != V_SLOT)
        return fail(r, a->at, b->end - a->at, "one side of a comparison must be an attribute");
    if (c != CMP_EQ && c != CMP_NE)
        return fail(r, op->at, op->width,
                    "texts are compared with =, !=, in, like and includes, not by size");
    if (!slot_of_text(r, a, &left)) return false;
    if (b->kind == V_CONST && b->number < 0)
        return fail(r, b->at, b->end - b->at, "':%s:' is a text: write '...'", a->slot.name);
    if (b->kind == V_TEXT || b->kind == V_CONST) {
        if (!text_hash(r, &a->slot, &b->token, &code.value)) return false;
    } else {
        if (b->kind != V_SLOT)
            return fail(r, b->at, b->end - b->at, "':%s:' is a text: compare it with a text",
                        a->slot.name);
        if ((a->slot.type == FL_ATTR_ENTITY || b->slot.type == FL_ATTR_ENTITY))
            return fail(r, op->at, op->width,
                        "identifiers are kept as hashes of their kind, so two attributes of which "
                        "one is an identifier can't be compared");
        if (!slot_of_text(r, b, &right)) return false;
        code.code = OP_SAME_SLOT;
        code.b = right;
    }
    code.slot = left;
    return emit(r, code);
}

static bool compare_numbers(parser *r, value *a, value *b, fl_compare c)
{
    uint16_t slot = 0, other = 0;
    bool const_a = a->kind == V_CONST || a->kind == V_YES_NO,
         const_b = b->kind == V_CONST || b->kind == V_YES_NO;
    if (const_b && !ring_limit(r, a, b->number, b)) return false;
    if (const_a && !ring_limit(r, b, a->number, a)) return false;
    if (a->kind == V_SLOT && (b->kind == V_SLOT || const_b)) {
        if (!slot_as(r, a, b->kind == V_YES_NO ? FL_ATTR_FLAG : FL_ATTR_NUMBER, &slot))
            return false;
        if (const_b)
            return emit(r, (fl_op){.code = OP_COMPARE_CONST,
                                   .compare = (uint8_t)c,
                                   .slot = slot,
                                   .value.number = b->number});
        return slot_as(r, b, FL_ATTR_NUMBER, &other) &&
               emit(r,
                    (fl_op){
                        .code = OP_COMPARE_SLOT, .compare = (uint8_t)c, .slot = slot, .b = other});
    }
    if (const_a && b->kind == V_SLOT) return compare_numbers(r, b, a, mirrored(c));
    /* The right side may lie on the stack already while the left still has to come. */
    bool reversed = b->kind == V_NUMBER && a->kind != V_NUMBER;
    if (!push_number(r, reversed ? b : a) || !push_number(r, reversed ? a : b)) return false;
    r->numbers -= 2;
    return emit(r, (fl_op){.code = OP_COMPARE, .compare = (uint8_t)(reversed ? mirrored(c) : c)});
}

static bool compare(parser *r, const fl_lexeme *op)
{
    value *a = top(r, 1), *b = top(r, 0);
    fl_compare c = compare_of(op->kind);
    size_t at = a->at, end = b->end;
    if (a->kind == V_TRUTH || b->kind == V_TRUTH)
        return fail(r, op->at, op->width,
                    "a condition can't be compared: join conditions with and, or");
    if (a->kind == V_SLOT && b->kind == V_SLOT && open_type(a) && open_type(b)) {
        bool by_size = c != CMP_EQ && c != CMP_NE;
        a->slot.type = b->slot.type = by_size ? FL_ATTR_NUMBER : FL_ATTR_TEXT;
    }
    bool text = a->kind == V_TEXT || b->kind == V_TEXT || is_text_slot(a) || is_text_slot(b);
    if (text && ((a->kind == V_TEXT && b->kind == V_SLOT && !is_text_slot(b) && !open_type(b)) ||
                 (b->kind == V_TEXT && a->kind == V_SLOT && !is_text_slot(a) && !open_type(a)))) {
        const value *slot = a->kind == V_SLOT ? a : b, *word = a->kind == V_SLOT ? b : a;
        return fail(r, word->at, word->end - word->at,
                    "':%s:' is %s: compare it with %s, not a text", slot->slot.name,
                    type_name(slot->slot.type),
                    slot->slot.type == FL_ATTR_FLAG ? "true or false" : "a number");
    }
    if (text ? !compare_texts(r, a, b, c, op) : !compare_numbers(r, a, b, c)) return false;
    return truth(r, at, end);
}

/* ---- reduction ---- */

static int precedence(const pending *o)
{
    if (o->call) return 0;
    switch (o->token.kind) {
    case TOKEN_OR: return 1;
    case TOKEN_AND: return 2;
    case TOKEN_NOT: return 3;
    case TOKEN_PLUS: return 5;
    case TOKEN_MINUS: return o->prefix ? 7 : 5;
    case TOKEN_TIMES:
    case TOKEN_DIVIDE: return 6;
    default: return 4;
    }
}

static bool arithmetic(parser *r, const pending *o)
{
    value *a = top(r, 1), *b = top(r, 0);
    size_t at = a->at, end = b->end;
    uint8_t code = o->token.kind == TOKEN_PLUS    ? OP_ADD
                   : o->token.kind == TOKEN_MINUS ? OP_SUB
                   : o->token.kind == TOKEN_TIMES ? OP_MUL
                                                  : OP_DIV;
    bool reversed = b->kind == V_NUMBER && a->kind != V_NUMBER;
    if (!push_number(r, reversed ? b : a) || !push_number(r, reversed ? a : b)) return false;
    if (!emit(r, (fl_op){.code = code, .reversed = reversed})) return false;
    r->numbers--;
    r->values--;
    *top(r, 0) = (value){.kind = V_NUMBER, .at = at, .end = end};
    return true;
}

static bool negate(parser *r, const pending *o)
{
    value *v = top(r, 0);
    v->at = o->token.at;
    if (v->kind == V_CONST) {
        v->number = -v->number;
        return true;
    }
    if (!push_number(r, v) || !emit(r, (fl_op){.code = OP_NEG})) return false;
    v->kind = V_NUMBER;
    return true;
}

static bool logic(parser *r, const pending *o)
{
    if (o->token.kind == TOKEN_NOT) {
        value *v = top(r, 0);
        if (!push_truth(r, v) || !emit(r, (fl_op){.code = OP_NOT})) return false;
        *v = (value){.kind = V_TRUTH, .at = o->token.at, .end = v->end};
        return true;
    }
    value *a = top(r, 1), *b = top(r, 0);
    /* Both orders are the same, so whichever lies on the stack stays there. */
    if (!push_truth(r, a) || !push_truth(r, b)) return false;
    r->truths--;
    if (!emit(r, (fl_op){.code = o->token.kind == TOKEN_AND ? OP_AND : OP_OR})) return false;
    size_t at = a->at, end = b->end;
    r->values--;
    *top(r, 0) = (value){.kind = V_TRUTH, .at = at, .end = end};
    return true;
}

static bool reduce(parser *r)
{
    pending o = r->op[--r->ops];
    int p = precedence(&o);
    if (p == 7) return negate(r, &o);
    if (p >= 5) return arithmetic(r, &o);
    if (p == 4) return compare(r, &o.token);
    return logic(r, &o);
}

/* Everything that binds at least as tightly; comparisons don't chain. */
static bool reduce_to(parser *r, int p, const fl_lexeme *op)
{
    while (r->ops && precedence(&r->op[r->ops - 1]) >= p) {
        if (p == 4 && precedence(&r->op[r->ops - 1]) == 4)
            return fail(r, op->at, op->width,
                        "comparisons can't be chained: write :a: > 1 and :a: < 5");
        if (!reduce(r)) return false;
    }
    return true;
}

static bool push_op(parser *r, fl_lexeme t, bool prefix, bool call)
{
    if (r->ops == DEPTH) return fail(r, t.at, t.width, "too deeply nested here: split the rule");
    r->op[r->ops++] = (pending){t, prefix, call};
    return true;
}

/* ---- operands ---- */

static const char *keep(parser *r, const char *s, size_t n)
{
    char *copy = fl_arena_alloc(r->p->arena, n + 1);
    if (!copy) no_memory(r);
    else memcpy(copy, s, n);
    return copy;
}

static bool metadata_slot(parser *r, const fl_lexeme *t, fl_slot *out)
{
    fl_policy *p = r->p;
    uint32_t i = fl_policy_metadata_find(p, t->text, t->n);
    if (i == FL_NONE) {
        if (p->metadatas == FL_METADATA_MAX)
            return fail(r, t->at, t->width, "more than %d different metadata keys",
                        FL_METADATA_MAX);
        i = p->metadatas;
        p->metadata[i] = keep(r, t->text, t->n);
        if (!p->metadata[i]) return false;
        p->metadatas++;
    }
    const char *name = keep(r, r->text + t->at, t->width);
    *out = (fl_slot){.from = FL_FROM_METADATA, .index = (uint16_t)i, .name = name};
    return name != NULL;
}

static bool attribute_slot(parser *r, const fl_lexeme *t, fl_slot *out)
{
    fl_attr a;
    char why[384] = "";
    if (t->kind == TOKEN_METADATA) return metadata_slot(r, t, out);
    if (!fl_names_find(r->p->names, t->text, t->n, &a, why, sizeof why))
        return fail(r, t->at, t->width, "%s", why);
    const char *name = keep(r, t->text, t->n);
    *out = (fl_slot){.from = a.from,
                     .type = a.type,
                     .unknown_minus_one = a.unknown_minus_one,
                     .index = a.index,
                     .name = name};
    return name != NULL;
}

static bool expect(parser *r, fl_lexeme_kind kind, const char *what)
{
    if (r->token.kind != kind) return fail_token(r, &r->token, what);
    next(r);
    return true;
}

/* What a velocity counts: nothing named, a mark, an action, an event type. */
static bool series_what(parser *r, const fl_lexeme *t, fl_series *s)
{
    static const struct {
        const char *name;
        uint8_t action;
    } actions[] = {{"allowed", FL_ALLOW},
                   {"blocked", FL_BLOCK},
                   {"reviewed", FL_REVIEW},
                   {"requested_3ds", FL_REQUEST_3DS}};
    const fl_schema *schema = r->p->schema;
    const char *names[FL_MARKS_MAX + FL_SOURCES_MAX + FL_LEN(actions)];
    size_t n = 0;
    char copy[FL_NAME_MAX];
    snprintf(copy, sizeof copy, "%.*s", (int)(t->n < 60 ? t->n : 60), t->text);
    for (uint32_t i = 0; schema && i < schema->marks; i++) names[n++] = schema->mark[i].name;
    for (uint32_t i = 0; schema && i < schema->sources; i++)
        if (schema->source[i].label_of < 0) names[n++] = schema->source[i].name;
    for (size_t i = 0; i < FL_LEN(actions); i++) names[n++] = actions[i].name;
    int mark = schema ? fl_schema_mark(schema, copy) : -1,
        type = schema ? fl_schema_source(schema, copy) : -1;
    s->what = FL_COUNT_MARK;
    if (mark >= 0) {
        s->index = (uint8_t)mark;
        return true;
    }
    for (size_t i = 0; i < FL_LEN(actions); i++)
        if (!strcmp(copy, actions[i].name)) {
            s->what = FL_COUNT_ACTION;
            s->index = actions[i].action;
            return true;
        }
    s->what = FL_COUNT_TYPE;
    s->index = (uint8_t)type;
    if ((type >= 0 && schema->source[type].label_of < 0) || !schema) return true;
    const char *near = fl_nearest(copy, names, n);
    fl_buf all = {0};
    for (size_t i = 0; i < n; i++) fl_buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    fail(r, t->at, t->width, "velocity can't count '%s'%s%s%s: it counts %s", copy,
         near ? " (did you mean " : "", near ? near : "", near ? "?)" : "",
         all.data ? all.data : "");
    fl_buf_free(&all);
    return false;
}

static bool add_series(parser *r, const fl_series *s, size_t at, uint16_t *out)
{
    fl_policy *p = r->p;
    for (uint32_t i = 0; i < p->seriess; i++)
        if (!strcmp(p->series[i].name, s->name)) {
            *out = (uint16_t)i;
            return true;
        }
    if (p->seriess == FL_SERIES_MAX)
        return fail(r, at, 8, "more than %d different things to count: use features for some",
                    FL_SERIES_MAX);
    p->series[p->seriess] = *s;
    *out = (uint16_t)p->seriess++;
    return true;
}

static bool velocity_kind(parser *r, fl_series *s)
{
    char copy[FL_NAME_MAX];
    const fl_schema *schema = r->p->schema;
    const char *names[FL_KINDS_MAX];
    if (r->token.kind != TOKEN_WORD)
        return fail_token(r, &r->token, "velocity(...) begins with a kind of entity, such as card");
    snprintf(copy, sizeof copy, "%.*s", (int)(r->token.n < 60 ? r->token.n : 60), r->token.text);
    s->kind = schema ? fl_schema_kind(schema, copy) : -1;
    for (uint32_t i = 0; schema && i < schema->kinds; i++) names[i] = schema->kind[i].name;
    if (schema && s->kind < 0) {
        const char *near = fl_nearest(copy, names, schema->kinds);
        return fail(r, r->token.at, r->token.width,
                    "velocity counts an entity's events, and '%s' is no kind of entity%s%s%s", copy,
                    near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
    }
    snprintf(s->name, sizeof s->name, "%s", copy);
    next(r);
    return true;
}

/* velocity(card, 1h) or velocity(card, 1h, declined) */
static bool velocity(parser *r, value *v)
{
    fl_series s = {.kind = -1};
    char span[24];
    size_t at = r->token.at;
    int64_t window = 0;
    next(r);
    if (!expect(r, TOKEN_OPEN, "velocity is written velocity(card, 1h, declined)")) return false;
    if (!velocity_kind(r, &s)) return false;
    if (!expect(r, TOKEN_COMMA, "a comma is needed here, then a span such as 1h")) return false;
    snprintf(span, sizeof span, "%.*s", (int)(r->token.n < 20 ? r->token.n : 20), r->token.text);
    if (r->token.kind != TOKEN_SPAN || !fl_duration_parse(span, &window) || window <= 0)
        return fail_token(r, &r->token, "a span is needed here, such as 30m, 1h or 7d");
    next(r);
    if (r->token.kind == TOKEN_COMMA) {
        next(r);
        if (r->token.kind != TOKEN_WORD)
            return fail_token(r, &r->token, "what is counted is needed here, such as declined");
        if (!series_what(r, &r->token, &s)) return false;
        size_t n = strlen(s.name);
        snprintf(s.name + n, sizeof s.name - n, ", %.*s", (int)(r->token.n < 60 ? r->token.n : 60),
                 r->token.text);
        next(r);
    }
    size_t end = r->token.at + 1;
    uint16_t series = 0;
    if (!expect(r, TOKEN_CLOSE, "a closing bracket is needed here")) return false;
    if (!add_series(r, &s, at, &series)) return false;
    const char *comma = strchr(s.name, ',');
    char name[256];
    snprintf(name, sizeof name, "velocity(%.*s, %s%s)",
             (int)(comma ? (size_t)(comma - s.name) : strlen(s.name)), s.name, span,
             comma ? comma : "");
    const char *kept = keep(r, name, strlen(name));
    *v = (value){.kind = V_SLOT,
                 .slot = {.from = FL_FROM_RING,
                          .type = FL_ATTR_NUMBER,
                          .index = series,
                          .window_us = window,
                          .name = kept},
                 .at = at,
                 .end = end};
    return kept != NULL;
}

static bool missing(parser *r)
{
    size_t at = r->token.at;
    uint16_t slot = 0;
    value v = {.kind = V_SLOT};
    next(r);
    if (!expect(r, TOKEN_OPEN, "is_missing is written is_missing(:name:)")) return false;
    if (r->token.kind != TOKEN_ATTRIBUTE && r->token.kind != TOKEN_METADATA)
        return fail_token(r, &r->token, "is_missing asks for one attribute, is_missing(:name:)");
    if (!attribute_slot(r, &r->token, &v.slot)) return false;
    v.at = r->token.at;
    v.end = v.at + r->token.width;
    know(r, &v);
    next(r);
    if (!slot_as(r, &v, open_type(&v) ? FL_ATTR_TEXT : (fl_attr_type)v.slot.type, &slot))
        return false;
    if (!emit(r, (fl_op){.code = OP_MISSING, .slot = slot})) return false;
    size_t end = r->token.at + 1;
    return expect(r, TOKEN_CLOSE, "a closing bracket is needed here") &&
           deeper(r, &r->truths, TRUTH_DEPTH, at) &&
           push(r, (value){.kind = V_TRUTH, .at = at, .end = end});
}

static bool operand_word(parser *r)
{
    static const char *const words[] = {"velocity", "is_missing", "true", "false", "not"};
    fl_lexeme t = r->token;
    value v;
    if (fl_lexeme_is(&t, "velocity")) return velocity(r, &v) && push(r, v);
    if (fl_lexeme_is(&t, "is_missing")) return missing(r);
    bool yes = fl_lexeme_is(&t, "true");
    if (yes || fl_lexeme_is(&t, "false")) {
        next(r);
        return push(
            r, (value){
                   .kind = V_YES_NO, .number = yes, .token = t, .at = t.at, .end = t.at + t.width});
    }
    char copy[64], why[384];
    fl_attr a;
    snprintf(copy, sizeof copy, "%.*s", (int)(t.n < 60 ? t.n : 60), t.text);
    if (!fl_names_are_free(r->p->names) &&
        fl_names_find(r->p->names, copy, strlen(copy), &a, why, sizeof why))
        return fail(r, t.at, t.width, "attributes stand between colons: ':%s:'", copy);
    const char *near = fl_nearest(copy, words, FL_LEN(words));
    return fail(r, t.at, t.width,
                "'%s' means nothing here%s%s%s: attributes are written :name:, texts 'text'", copy,
                near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* One operand, or what may stand before one. *done: an operand was taken. */
static bool operand(parser *r, bool *done)
{
    fl_lexeme t = r->token;
    value v = {.kind = V_SLOT, .token = t, .at = t.at, .end = t.at + t.width};
    *done = true;
    switch (t.kind) {
    case TOKEN_OPEN:
    case TOKEN_NOT:
    case TOKEN_MINUS:
        *done = false;
        next(r);
        return push_op(r, t, t.kind != TOKEN_OPEN, t.kind == TOKEN_OPEN);
    case TOKEN_NUMBER:
        v.kind = V_CONST;
        v.number = t.number;
        break;
    case TOKEN_TEXT: v.kind = V_TEXT; break;
    case TOKEN_ATTRIBUTE:
    case TOKEN_METADATA:
        if (!attribute_slot(r, &t, &v.slot)) return false;
        know(r, &v);
        break;
    case TOKEN_WORD: return operand_word(r);
    case TOKEN_LIST:
        return fail(r, t.at, t.width, "a list stands after 'in': :card: in @%.*s",
                    (int)(t.n < 40 ? t.n : 40), t.text);
    default: return fail_token(r, &t, "an attribute, a number or a text is needed here");
    }
    next(r);
    return push(r, v);
}

/* ---- in, like, includes ---- */

static bool add_set_value(parser *r, fl_cell c)
{
    fl_policy *p = r->p;
    if (!fl_grow((void **)&p->set_value, &p->set_value_cap, p->set_values + 1,
                 sizeof *p->set_value))
        return no_memory(r);
    p->set_value[p->set_values++] = c;
    return true;
}

static bool set_value(parser *r, value *v, bool texts)
{
    bool minus = r->token.kind == TOKEN_MINUS && !texts;
    if (minus) next(r);
    fl_lexeme t = r->token;
    fl_cell c = {0};
    if (texts) {
        if (t.kind != TOKEN_TEXT && t.kind != TOKEN_NUMBER)
            return fail_token(r, &t, "a text is needed here");
        if (!text_hash(r, &v->slot, &t, &c)) return false;
    } else {
        value number = {.kind = V_CONST, .at = t.at, .end = t.at + t.width};
        if (t.kind != TOKEN_NUMBER) return fail_token(r, &t, "a number is needed here");
        if (!ring_limit(r, v, t.number, &number)) return false;
        c.number = minus ? -t.number : t.number;
    }
    next(r);
    return add_set_value(r, c);
}

/* (a, b, ...) after in. */
static bool in_set(parser *r, value *v)
{
    fl_policy *p = r->p;
    uint16_t slot = 0;
    size_t count = 0;
    fl_lexeme first = fl_lex(r->text, r->token.at + r->token.width);
    if (open_type(v)) v->slot.type = first.kind == TOKEN_TEXT ? FL_ATTR_TEXT : FL_ATTR_NUMBER;
    bool texts = is_text_slot(v);
    if (texts ? !slot_of_text(r, v, &slot) : !push_number(r, v)) return false;
    if (p->sets == FL_POLICY_NONE) return fail(r, first.at, 1, "too many sets in one policy");
    if (!fl_grow((void **)&p->set, &p->set_cap, p->sets + 1, sizeof *p->set)) return no_memory(r);
    fl_set set = {.first = (uint32_t)p->set_values, .texts = texts};
    do {
        next(r);
        if (++count > SET_MAX)
            return fail(r, r->token.at, 1, "more than %d values: make it a list, in @name",
                        SET_MAX);
        if (!set_value(r, v, texts)) return false;
    } while (r->token.kind == TOKEN_COMMA);
    if (!expect(r, TOKEN_CLOSE, "a comma or a closing bracket is needed here")) return false;
    set.count = (uint32_t)p->set_values - set.first;
    p->set[p->sets] = set;
    if (!texts) r->numbers--;
    return emit(r, (fl_op){.code = texts ? OP_IN_TEXTS : OP_IN_NUMBERS,
                           .slot = slot,
                           .b = (uint16_t)p->sets++});
}

static bool in_list(parser *r, value *v)
{
    fl_policy *p = r->p;
    const char *names[FL_LISTS_MAX];
    char copy[FL_NAME_MAX];
    uint16_t slot = 0, listed = 0;
    uint32_t l = 0;
    fl_lexeme t = r->token;
    snprintf(copy, sizeof copy, "%.*s", (int)(t.n < 60 ? t.n : 60), t.text);
    for (; l < p->lists && strcmp(p->list[l].list.name, copy); l++) names[l] = p->list[l].list.name;
    if (l == p->lists) {
        const char *near = fl_nearest(copy, names, p->lists);
        return fail(r, t.at, t.width, "no list '@%s'%s%s%s", copy,
                    near ? ": did you mean '@" : " under `lists:` in this file", near ? near : "",
                    near ? "'?" : "");
    }
    if (v->kind != V_SLOT || (!is_text_slot(v) && !open_type(v)))
        return fail(r, v->at, v->end - v->at, "only texts and identifiers can be in a list");
    int kind = p->list[l].list.kind;
    bool entity = v->slot.from == FL_FROM_ENTITY;
    if (p->schema && (entity ? kind != (int)v->slot.index : kind >= 0))
        return fail(r, t.at, t.width, "'@%s' is a list of %s%s, and ':%s:' is %s%s", copy,
                    kind >= 0 ? "kind " : "texts", kind >= 0 ? p->schema->kind[kind].name : "",
                    v->slot.name, entity ? "of kind " : "a text",
                    entity ? p->schema->kind[v->slot.index].name : "");
    if (!slot_of_text(r, v, &slot)) return false;
    fl_slot want = {.from = FL_FROM_LISTED,
                    .type = FL_ATTR_FLAG,
                    .index = (uint16_t)l,
                    .of = slot,
                    .name = "in"};
    r->st = fl_policy_slot(p, &want, &listed, r->err);
    next(r);
    return !r->st && emit(r, (fl_op){.code = OP_FLAG, .slot = listed});
}

static bool like(parser *r, value *v, bool includes)
{
    fl_policy *p = r->p;
    uint16_t slot = 0, matched = 0;
    fl_lexeme t = r->token;
    if (t.kind != TOKEN_TEXT) return fail_token(r, &t, "a text is needed here");
    if (v->kind == V_SLOT && v->slot.type == FL_ATTR_ENTITY)
        return fail(r, v->at, v->end - v->at,
                    "identifiers are hashed when they come in: ':%s:' can only be compared with =, "
                    "!= and in",
                    v->slot.name);
    bool readable =
        v->kind == V_SLOT && (v->slot.from == FL_FROM_CATEGORY || open_type(v) ||
                              (v->slot.from == FL_FROM_FREE && v->slot.type == FL_ATTR_TEXT));
    if (!readable)
        return fail(r, v->at, v->end - v->at, "like and includes look at text attributes");
    if (!slot_of_text(r, v, &slot)) return false;
    if (p->patterns >= FL_POLICY_NONE) return fail(r, t.at, t.width, "too many patterns");
    if (!fl_grow((void **)&p->pattern, &p->pattern_cap, p->patterns + 1, sizeof *p->pattern))
        return no_memory(r);
    char *pattern = fl_arena_alloc(p->arena, t.n + 2);
    if (!pattern) return no_memory(r);
    pattern[0] = includes ? 'I' : 'L';
    memcpy(pattern + 1, t.text, t.n);
    p->pattern[p->patterns] = pattern;
    fl_slot want = {.from = FL_FROM_LIKE,
                    .type = FL_ATTR_FLAG,
                    .index = (uint16_t)p->patterns++,
                    .of = slot,
                    .name = "like"};
    r->st = fl_policy_slot(p, &want, &matched, r->err);
    next(r);
    return !r->st && emit(r, (fl_op){.code = OP_FLAG, .slot = matched});
}

/* [not] in ..., like ..., includes ...: binds as a comparison. *took: it was one. */
static bool membership(parser *r, bool *took)
{
    fl_lexeme op = r->token, after = op;
    bool negated = op.kind == TOKEN_NOT;
    *took = false;
    if (negated) after = fl_lex(r->text, op.at + op.width);
    bool in = fl_lexeme_is(&after, "in"), includes = fl_lexeme_is(&after, "includes");
    if (!in && !includes && !fl_lexeme_is(&after, "like")) return true;
    *took = true;
    if (!reduce_to(r, 4, &after)) return false;
    r->token = after;
    next(r);
    value *v = top(r, 0);
    if (v->kind == V_TEXT || v->kind == V_TRUTH)
        return fail(r, v->at, v->end - v->at, "an attribute is needed before '%.*s'",
                    (int)after.width, after.text);
    size_t at = v->at;
    bool ok = !in                           ? like(r, v, includes)
              : r->token.kind == TOKEN_LIST ? in_list(r, v)
              : r->token.kind == TOKEN_OPEN
                  ? in_set(r, v)
                  : fail_token(r, &r->token, "after 'in' comes ('a', 'b') or @list");
    if (!ok) return false;
    if (negated && !emit(r, (fl_op){.code = OP_NOT})) return false;
    *top(r, 0) = (value){.kind = V_TRUTH, .at = at, .end = r->token.at};
    return deeper(r, &r->truths, TRUTH_DEPTH, at);
}

/* ---- the whole ---- */

static bool close_bracket(parser *r)
{
    fl_lexeme t = r->token;
    if (!reduce_to(r, 1, &t)) return false;
    if (!r->ops) return fail(r, t.at, 1, "this bracket was never opened");
    r->ops--;
    next(r);
    return true;
}

static bool binary(parser *r)
{
    fl_lexeme t = r->token;
    pending o = {t, false, false};
    if (t.kind < TOKEN_PLUS || t.kind > TOKEN_OR)
        return fail_token(r, &t, "a comparison, and, or is needed here");
    int p = precedence(&o);
    if (!reduce_to(r, p, &t)) return false;
    next(r);
    return push_op(r, t, false, false);
}

/* What may follow an operand and is none itself: closing brackets, in, like, includes. */
static bool after_operand(parser *r)
{
    for (;;) {
        bool took = false;
        if (r->token.kind == TOKEN_CLOSE) {
            if (!close_bracket(r)) return false;
            continue;
        }
        if (!membership(r, &took)) return false;
        if (!took) return true;
    }
}

static bool condition(parser *r)
{
    for (;;) {
        bool done = false;
        while (!done)
            if (!operand(r, &done)) return false;
        if (!after_operand(r)) return false;
        if (r->token.kind == TOKEN_END) break;
        if (!binary(r)) return false;
    }
    while (r->ops) {
        if (r->op[r->ops - 1].call)
            return fail(r, r->op[r->ops - 1].token.at, 1, "this bracket is never closed");
        if (!reduce(r)) return false;
    }
    return push_truth(r, top(r, 0));
}

/* Block if, Allow if, Review if, Request 3DS if, Request 3D Secure if */
static bool action(parser *r, uint8_t *out)
{
    static const char *const names[] = {"allow", "request", "review", "block"};
    static const uint8_t actions[] = {FL_ALLOW, FL_REQUEST_3DS, FL_REVIEW, FL_BLOCK};
    fl_lexeme t = r->token;
    size_t i = 0;
    while (i < FL_LEN(names) && !fl_lexeme_is(&t, names[i])) i++;
    if (i == FL_LEN(names)) {
        char copy[64];
        snprintf(copy, sizeof copy, "%.*s", (int)(t.n < 60 ? t.n : 60), t.text);
        const char *near = t.kind == TOKEN_WORD ? fl_nearest(copy, names, FL_LEN(names)) : NULL;
        if (near) return fail(r, t.at, t.width, "no action '%s': did you mean '%s'?", copy, near);
        return fail_token(r, &t,
                          "a rule begins with Request 3DS if, Allow if, Block if or Review if");
    }
    *out = actions[i];
    next(r);
    if (*out == FL_REQUEST_3DS) {
        bool spelt = fl_lexeme_is(&r->token, "3d");
        if (!spelt && !fl_lexeme_is(&r->token, "3ds"))
            return fail_token(r, &r->token, "'3DS' is needed after Request");
        next(r);
        if (spelt && !fl_lexeme_is(&r->token, "secure"))
            return fail_token(r, &r->token, "'Secure' is needed after Request 3D");
        if (spelt) next(r);
    }
    if (!fl_lexeme_is(&r->token, "if")) return fail_token(r, &r->token, "'if' is needed here");
    next(r);
    return true;
}

florin_status fl_rule_compile(fl_policy *p, const char *text, const fl_spot *at, fl_rule *out,
                              florin_error *err)
{
    parser *r = fl_calloc(1, sizeof *r);
    if (!r) return fl_fail(err, FLORIN_ENOMEM, "%s: rules", p->file);
    *r = (parser){.p = p, .text = text, .spot = at, .err = err, .first = p->ops};
    r->token = fl_lex(text, 0);
    if (action(r, &out->action)) (void)condition(r);
    out->first = (uint32_t)r->first;
    out->ops = (uint32_t)(p->ops - r->first);
    florin_status st = r->st;
    free(r);
    return st;
}
