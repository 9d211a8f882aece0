/* Records to bytes and back. A reader takes each field from what is left of the payload and stops at the first that is
 * not there. */
#include "score/journal_record.h"

enum { VERSION = 1 };

/* ---- names of records: a permutation of their numbers, so that they tell nothing ---- */

static const char LETTERS[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's */

static uint64_t permute(const uint8_t *key, uint64_t x, bool back)
{
    uint32_t left = (uint32_t)(x >> 32), right = (uint32_t)x;
    for (int i = 0; i < 4; i++) { /* Luby & Rackoff 1988 */
        uint32_t round[2] = {(uint32_t)(back ? 3 - i : i), back ? left : right};
        uint32_t next = (back ? right : left) ^ (uint32_t)fl_siphash(round, sizeof round, key);
        if (back) right = left, left = next;
        else left = right, right = next;
    }
    return (uint64_t)left << 32 | right;
}

void fl_decision_id(const uint8_t journal[FL_JOURNAL_ID], uint64_t sequence,
                    char out[FL_DECISION_ID])
{
    uint64_t x = permute(journal + 16, sequence, false);
    memcpy(out, "dec_", 4);
    for (int i = 16; i >= 4; i--, x >>= 5) out[i] = LETTERS[x & 31];
    out[17] = 0;
}

uint64_t fl_decision_id_read(const uint8_t journal[FL_JOURNAL_ID], const char *id, size_t n)
{
    uint64_t x = 0;
    char again[FL_DECISION_ID];
    if (n != 17 || memcmp(id, "dec_", 4)) return 0;
    for (int i = 4; i < 17; i++) {
        const char *at = id[i] ? strchr(LETTERS, id[i]) : NULL;
        if (!at) return 0;
        x = x << 5 | (uint64_t)(at - LETTERS);
    }
    uint64_t sequence = permute(journal + 16, x, true);
    fl_decision_id(journal, sequence, again);
    return memcmp(again, id, 17) ? 0 : sequence;
}

uint64_t fl_decision_event(const uint8_t journal[FL_JOURNAL_ID], uint64_t sequence, uint32_t type)
{
    char id[FL_DECISION_ID];
    fl_decision_id(journal, sequence, id);
    return fl_event_id_hash(type, id, FL_DECISION_ID - 1);
}

/* ---- writing ---- */

#define PUT(b, value)                                                                              \
    do {                                                                                           \
        __typeof__(value) put_ = (value);                                                          \
        fl_buf_add(b, &put_, sizeof put_);                                                         \
    } while (0)

static void put_text(fl_buf *b, fl_span t)
{
    uint16_t n = (uint16_t)t.n;
    PUT(b, n);
    if (n) fl_buf_add(b, t.text, n);
}

static void put_string(fl_buf *b, const char *s)
{
    put_text(b, (fl_span){s, (uint32_t)strlen(s)});
}

static void put_categories(fl_buf *b, uint32_t categories, const fl_span *t)
{
    uint32_t present = 0;
    for (uint32_t i = 0; i < categories; i++) present |= (uint32_t)(t[i].n != 0) << i;
    PUT(b, present);
    for (uint32_t i = 0; i < categories; i++)
        if (t[i].n) put_text(b, t[i]);
}

static void put_numbers(fl_buf *b, uint32_t numbers, uint32_t present, const float *number)
{
    PUT(b, present);
    for (uint32_t i = 0; i < numbers; i++)
        if (present >> i & 1) PUT(b, number[i]);
}

void fl_request_put(fl_buf *b, const fl_schema *s, const fl_request *r)
{
    const fl_event *e = &r->event;
    uint8_t kinds = 0;
    for (uint32_t k = 0; k < s->kinds; k++) kinds |= (uint8_t)((e->entity_hash[k] != 0) << k);
    const uint8_t head[] = {VERSION, r->flags, e->type, e->marks, kinds, (uint8_t)r->metas, 0, 0};
    fl_buf_add(b, head, sizeof head);
    PUT(b, r->at_us);
    PUT(b, e->time_us);
    PUT(b, e->amount_minor);
    PUT(b, e->id);
    fl_buf_add(b, r->key, sizeof r->key);
    PUT(b, r->print);
    PUT(b, e->currency);
    put_text(b, r->id);
    for (uint32_t k = 0; k < s->kinds; k++)
        if (e->entity_hash[k]) PUT(b, e->entity_hash[k]);
    put_categories(b, s->categories, r->category);
    put_numbers(b, s->numbers, e->number_present, e->number);
    for (uint32_t i = 0; i < r->metas; i++) {
        put_text(b, r->meta_key[i]);
        put_text(b, r->meta_value[i]);
    }
}

void fl_answer_put(fl_buf *b, const fl_answer *a)
{
    const uint8_t head[] = {a->action,  a->scored, a->head,    a->heads,
                            a->reasons, a->by,     a->holdout, 0};
    fl_buf_add(b, head, sizeof head);
    PUT(b, a->propensity);
    PUT(b, a->threshold);
    PUT(b, a->model);
    PUT(b, a->policy);
    for (uint32_t i = 0; i < a->heads && a->scored; i++) {
        const fl_answer_score *x = &a->score[i];
        const uint8_t rest[] = {x->score, x->level, x->over_threshold, 0};
        PUT(b, x->probability);
        fl_buf_add(b, rest, sizeof rest);
    }
    put_string(b, a->rule);
    for (uint32_t i = 0; i < a->reasons; i++) {
        const fl_reason *r = &a->reason[i];
        PUT(b, r->share);
        PUT(b, r->value);
        put_string(b, r->code);
        put_string(b, r->text);
        put_string(b, r->normal);
    }
}

void fl_news_put(fl_buf *b, const fl_schema *s, uint16_t type, const fl_news *n)
{
    const uint8_t head[] = {VERSION,         n->label,       n->marks, n->marks_known,
                            n->marks_before, n->marks_fresh, 0,        0};
    fl_buf_add(b, head, sizeof head);
    PUT(b, n->decision);
    PUT(b, n->event);
    PUT(b, n->before);
    fl_buf_add(b, n->key, sizeof n->key);
    PUT(b, n->at_us);
    PUT(b, n->arrival_us);
    PUT(b, n->value);
    if (type != FL_RECORD_RESULT) return;
    PUT(b, n->amount_minor);
    PUT(b, n->time_us);
    for (uint32_t k = 0; k < s->kinds; k++) PUT(b, n->entity_hash[k]);
    put_categories(b, s->categories, n->category);
    put_numbers(b, s->numbers, n->number_present, n->number);
}

void fl_change_put(fl_buf *b, const fl_change *x)
{
    const uint8_t head[8] = {VERSION};
    fl_buf_add(b, head, sizeof head);
    PUT(b, x->at_us);
    PUT(b, x->hash);
    PUT(b, x->until_us);
    put_string(b, x->version);
    put_text(b, x->name);
    put_text(b, x->text);
}

/* ---- reading ---- */

typedef struct {
    const uint8_t *at;
    size_t left;
    bool failed;
} cursor;

static void take(cursor *c, void *out, size_t n)
{
    if (c->failed || c->left < n) {
        c->failed = true;
        memset(out, 0, n);
        return;
    }
    memcpy(out, c->at, n);
    c->at += n;
    c->left -= n;
}

static fl_span take_text(cursor *c)
{
    uint16_t n;
    take(c, &n, sizeof n);
    if (c->failed || c->left < n) {
        c->failed = true;
        return (fl_span){NULL, 0};
    }
    fl_span t = {(const char *)c->at, n};
    c->at += n;
    c->left -= n;
    return t;
}

/* A text that fits out[size] with its zero byte. */
static void take_string(cursor *c, char *out, size_t size)
{
    fl_span t = take_text(c);
    if (t.n >= size) c->failed = true;
    if (c->failed) t.n = 0;
    if (t.n) memcpy(out, t.text, t.n);
    out[t.n] = 0;
}

static void take_categories(cursor *c, const fl_schema *s, fl_span *t)
{
    uint32_t present;
    take(c, &present, sizeof present);
    if ((uint64_t)present >> s->categories) c->failed = true;
    for (uint32_t i = 0; i < s->categories && !c->failed; i++)
        if (present >> i & 1) t[i] = take_text(c);
}

static void take_numbers(cursor *c, const fl_schema *s, uint32_t *present, float *number)
{
    take(c, present, sizeof *present);
    if ((uint64_t)*present >> s->numbers) c->failed = true;
    for (uint32_t i = 0; i < s->numbers && !c->failed; i++)
        if (*present >> i & 1) take(c, &number[i], sizeof *number);
}

static void take_request(cursor *c, const fl_schema *s, fl_request *r)
{
    uint8_t head[8];
    fl_event *e = &r->event;
    take(c, head, sizeof head);
    if (head[0] != VERSION || head[2] >= s->sources || head[4] >> s->kinds || head[5] > FL_META_MAX)
        c->failed = true;
    r->flags = head[1];
    e->type = head[2];
    e->marks = head[3];
    take(c, &r->at_us, sizeof r->at_us);
    take(c, &e->time_us, sizeof e->time_us);
    take(c, &e->amount_minor, sizeof e->amount_minor);
    take(c, &e->id, sizeof e->id);
    take(c, r->key, sizeof r->key);
    take(c, &r->print, sizeof r->print);
    take(c, &e->currency, sizeof e->currency);
    r->id = take_text(c);
    for (uint32_t k = 0; k < s->kinds; k++) {
        e->entity[k] = FL_NONE;
        if (head[4] >> k & 1) take(c, &e->entity_hash[k], sizeof e->entity_hash[k]);
    }
    take_categories(c, s, r->category);
    for (uint32_t i = 0; i < s->categories && !c->failed; i++)
        if (r->category[i].n)
            e->category[i] = fl_category_hash(r->category[i].text, r->category[i].n);
    take_numbers(c, s, &e->number_present, e->number);
    r->metas = c->failed ? 0 : head[5];
    for (uint32_t i = 0; i < r->metas; i++) {
        r->meta_key[i] = take_text(c);
        r->meta_value[i] = take_text(c);
    }
}

static void take_answer(cursor *c, fl_answer *a)
{
    uint8_t head[8];
    take(c, head, sizeof head);
    if (head[0] > FLORIN_BLOCK || head[1] > 1 || head[3] > FL_SCORE_HEADS_MAX ||
        head[4] > FL_REASONS_MAX)
        c->failed = true;
    a->action = head[0];
    a->scored = head[1];
    a->head = head[2];
    a->heads = c->failed ? 0 : head[3];
    a->reasons = c->failed ? 0 : head[4];
    a->by = head[5];
    a->holdout = head[6];
    take(c, &a->propensity, sizeof a->propensity);
    take(c, &a->threshold, sizeof a->threshold);
    take(c, &a->model, sizeof a->model);
    take(c, &a->policy, sizeof a->policy);
    for (uint32_t i = 0; i < a->heads && a->scored; i++) {
        uint8_t rest[4];
        take(c, &a->score[i].probability, sizeof a->score[i].probability);
        take(c, rest, sizeof rest);
        a->score[i].score = rest[0];
        a->score[i].level = rest[1];
        a->score[i].over_threshold = rest[2];
    }
    take_string(c, a->rule, sizeof a->rule);
    for (uint32_t i = 0; i < a->reasons; i++) {
        fl_reason *r = &a->reason[i];
        take(c, &r->share, sizeof r->share);
        take(c, &r->value, sizeof r->value);
        take_string(c, r->code, sizeof r->code);
        take_string(c, r->text, sizeof r->text);
        take_string(c, r->normal, sizeof r->normal);
    }
}

static florin_status done(const cursor *c, const fl_record *record, const char *what,
                          florin_error *err)
{
    if (!c->failed && !c->left) return FLORIN_OK;
    return fl_fail(err, FLORIN_EFORMAT, "record %llu of the journal is no %s of this schema",
                   (unsigned long long)record->sequence, what);
}

florin_status fl_decision_read(const fl_schema *s, const fl_record *record, fl_request *r,
                               fl_answer *a, florin_error *err)
{
    cursor c = {record->payload, record->n, record->type != FL_RECORD_DECISION};
    memset(r, 0, sizeof *r);
    memset(a, 0, sizeof *a);
    take_request(&c, s, r);
    take_answer(&c, a);
    return done(&c, record, "decision", err);
}

florin_status fl_news_read(const fl_schema *s, const fl_record *record, fl_news *n,
                           florin_error *err)
{
    uint8_t head[8];
    bool result = record->type == FL_RECORD_RESULT;
    cursor c = {record->payload, record->n, !result && record->type != FL_RECORD_LABEL};
    memset(n, 0, sizeof *n);
    take(&c, head, sizeof head);
    if (head[0] != VERSION || (!result && head[1] >= s->labels)) c.failed = true;
    n->label = head[1];
    n->marks = head[2];
    n->marks_known = head[3];
    n->marks_before = head[4];
    n->marks_fresh = head[5];
    take(&c, &n->decision, sizeof n->decision);
    take(&c, &n->event, sizeof n->event);
    take(&c, &n->before, sizeof n->before);
    take(&c, n->key, sizeof n->key);
    take(&c, &n->at_us, sizeof n->at_us);
    take(&c, &n->arrival_us, sizeof n->arrival_us);
    take(&c, &n->value, sizeof n->value);
    if (result) {
        take(&c, &n->amount_minor, sizeof n->amount_minor);
        take(&c, &n->time_us, sizeof n->time_us);
        for (uint32_t k = 0; k < s->kinds; k++)
            take(&c, &n->entity_hash[k], sizeof n->entity_hash[k]);
        take_categories(&c, s, n->category);
        take_numbers(&c, s, &n->number_present, n->number);
    }
    return done(&c, record, result ? "result" : "outcome", err);
}

florin_status fl_change_read(const fl_record *record, fl_change *x, florin_error *err)
{
    uint8_t head[8];
    cursor c = {record->payload, record->n,
                record->type != FL_RECORD_POLICY && record->type != FL_RECORD_LIST};
    memset(x, 0, sizeof *x);
    take(&c, head, sizeof head);
    if (head[0] != VERSION) c.failed = true;
    take(&c, &x->at_us, sizeof x->at_us);
    take(&c, &x->hash, sizeof x->hash);
    take(&c, &x->until_us, sizeof x->until_us);
    take_string(&c, x->version, sizeof x->version);
    x->name = take_text(&c);
    x->text = take_text(&c);
    return done(&c, record, "change", err);
}
