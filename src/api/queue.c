/* The review queue's section of florin.h. */
#include "policy/queue.h"
#include "api/scorer.h"
#include "score/journal_file.h"
#include "score/journal_record.h"
#include <stdio.h>

enum { BATCH = 1000, TELL = 64 };

struct florin_queue {
    fl_queue *queue;
};

florin_status florin_queue_open(florin_queue **out, const char *path, florin_error *err)
{
    if (!out || !path) return fl_fail(err, FLORIN_EUSAGE, "florin_queue_open: no file given");
    *out = NULL;
    florin_queue *q = fl_calloc(1, sizeof *q);
    if (!q) return fl_fail(err, FLORIN_ENOMEM, "%s: out of memory", path);
    florin_status st = fl_queue_open(&q->queue, path, err);
    if (st) free(q);
    else *out = q;
    return st;
}

void florin_queue_close(florin_queue *q)
{
    if (!q) return;
    fl_queue_close(q->queue);
    free(q);
}

static florin_status asked(const florin_queue *q, const char *call, bool right, florin_error *err)
{
    return q && right ? FLORIN_OK : fl_fail(err, FLORIN_EUSAGE, "%s: an argument is missing", call);
}

/* ---- filling ---- */

typedef struct {
    fl_queue *queue;
    fl_journal_reader *reader;
    fl_schema *schema;
    fl_request *request;
    uint64_t last, read, added;
} filling;

static florin_status read_schema(filling *f, const char *folder, florin_error *err)
{
    size_t n;
    json_t *j = NULL;
    const uint8_t *text = fl_journal_reader_preamble(f->reader, &n);
    florin_status st = fl_json_parse(&j, (const char *)text, n, folder, err);
    if (!st) st = fl_schema_from_json(&f->schema, json_object_get(j, "schema"), folder, err);
    json_decref(j);
    return st;
}

static void currency_of(const fl_schema *s, uint16_t packed, char out[4])
{
    uint32_t v = packed - 1u;
    if (!packed) memcpy(out, s->currency, 4);
    else
        snprintf(out, 4, "%c%c%c", (char)('A' + v / 676 % 26), (char)('A' + v / 26 % 26),
                 (char)('A' + v % 26));
}

static florin_status put(filling *f, const fl_record *record, const fl_answer *a, florin_error *err)
{
    char id[FL_DECISION_ID], currency[4], event[256];
    fl_buf why = {0};
    const fl_request *r = f->request;
    fl_decision_id(fl_journal_reader_id(f->reader), record->sequence, id);
    currency_of(f->schema, r->event.currency, currency);
    snprintf(event, sizeof event, "%.*s", (int)(r->id.n < 255 ? r->id.n : 255),
             r->id.n ? r->id.text : "");
    for (uint32_t i = 0; i < a->reasons; i++)
        fl_buf_printf(&why, "%s%s", i ? "; " : "", a->reason[i].text);
    fl_queue_item item = {
        .decision = id,
        .sequence = record->sequence,
        .decided_us = r->at_us,
        .amount_minor = r->event.amount_minor,
        .currency = currency,
        .type = r->event.type < f->schema->sources ? f->schema->source[r->event.type].name : "",
        .event = event,
        .score = a->head < a->heads ? a->score[a->head].score : 0,
        .rule = *a->rule                       ? a->rule
                : a->by == FLORIN_BY_THRESHOLD ? "threshold"
                                               : "",
        .why = why.len ? why.data : ""};
    florin_status st = why.failed ? fl_fail(err, FLORIN_ENOMEM, "review queue")
                                  : fl_queue_put(f->queue, &item, err);
    fl_buf_free(&why);
    f->added += !st;
    return st;
}

/* So many records in one write to the disk. */
static florin_status fill_some(filling *f, uint64_t most, bool *more, florin_error *err)
{
    fl_record record;
    fl_answer answer;
    florin_status st = fl_queue_begin(f->queue, err);
    if (st) return st;
    for (uint64_t n = 0; n < most && !st; n++) {
        st = fl_journal_reader_next(f->reader, &record, more, err);
        if (st || !*more) break;
        f->last = record.sequence;
        f->read++;
        if (record.type != FL_RECORD_DECISION) continue;
        st = fl_decision_read(f->schema, &record, f->request, &answer, err);
        if (!st && answer.action == FLORIN_REVIEW) st = put(f, &record, &answer, err);
    }
    if (!st) st = fl_queue_reach(f->queue, f->last, err);
    return fl_queue_end(f->queue, st, err);
}

florin_status florin_queue_fill(florin_queue *q, const char *journal, uint64_t most,
                                uint64_t *added, florin_error *err)
{
    filling f = {0};
    bool more = true;
    if (added) *added = 0;
    florin_status st = asked(q, "florin_queue_fill", journal, err);
    if (st) return st;
    f.queue = q->queue;
    f.request = fl_calloc(1, sizeof *f.request);
    if (!f.request) return fl_fail(err, FLORIN_ENOMEM, "review queue");
    st = fl_queue_reached(f.queue, &f.last, err);
    if (!st) st = fl_journal_reader_open(&f.reader, journal, f.last ? f.last + 1 : 0, err);
    if (!st) st = read_schema(&f, journal, err);
    while (!st && more && (!most || f.read < most)) {
        uint64_t left = most ? most - f.read : BATCH;
        st = fill_some(&f, left < BATCH ? left : BATCH, &more, err);
    }
    if (added) *added = f.added;
    fl_journal_reader_close(f.reader);
    fl_schema_free(f.schema);
    free(f.request);
    return st;
}

/* ---- people ---- */

florin_status florin_queue_claim(florin_queue *q, const char *decision, const florin_signature *by,
                                 int64_t for_us, florin_error *err)
{
    florin_status st = asked(q, "florin_queue_claim", decision && by && for_us > 0, err);
    return st ? st : fl_queue_claim(q->queue, decision, by->who, by->now_us, for_us, err);
}

florin_status florin_queue_release(florin_queue *q, const char *decision,
                                   const florin_signature *by, florin_error *err)
{
    florin_status st = asked(q, "florin_queue_release", decision && by, err);
    return st ? st : fl_queue_release(q->queue, decision, by->who, by->now_us, err);
}

florin_status florin_queue_decide(florin_queue *q, const char *decision, florin_outcome outcome,
                                  const florin_signature *by, florin_error *err)
{
    florin_status st = asked(q, "florin_queue_decide", decision && by, err);
    return st ? st
              : fl_queue_decide(q->queue, decision, by->who, (fl_outcome)outcome, by->note,
                                by->now_us, err);
}

florin_status florin_queue_note(florin_queue *q, const char *decision, const florin_signature *by,
                                florin_error *err)
{
    florin_status st = asked(q, "florin_queue_note", decision && by, err);
    return st ? st : fl_queue_note(q->queue, decision, by->who, by->note, by->now_us, err);
}

/* ---- labels ---- */

/* Which label an outcome is, and its value; false: none, so there is nothing to tell. */
static bool label_of(const florin_scorer *s, fl_outcome outcome, florin_news *news)
{
    const fl_schema *schema = s->schema;
    int label = -1;
    for (uint32_t i = 0; outcome == FL_REVIEW_REFUND && i < schema->labels; i++)
        if (!strncmp(schema->label[i].name, "refund", 6)) label = (int)i;
    if (outcome != FL_REVIEW_REFUND) label = schema->risk_label;
    news->value = outcome == FL_REVIEW_APPROVE ? 0.0f : 1.0f;
    return label >= 0 &&
           !florin_scorer_find(s, FLORIN_LABEL, schema->label[label].name, &news->label, NULL);
}

static florin_status tell(florin_queue *q, florin_decider *d, const fl_queue_news *x,
                          int64_t now_us, uint32_t *told, bool *refused, florin_error *err)
{
    char key[96];
    florin_receipt receipt;
    florin_status item = FLORIN_OK, st = FLORIN_OK;
    int n = snprintf(key, sizeof key, "review %s", x->decision);
    florin_news news = {.kind = FLORIN_NEWS_LABEL,
                        .decision = x->decision,
                        .decision_n = (uint32_t)strlen(x->decision),
                        .arrival_us = x->at_us,
                        .key = key,
                        .key_n = (uint32_t)n};
    *refused = false;
    /* The key makes it once, if the process ends between here and fl_queue_told. */
    if (label_of(florin_decider_scorer(d), x->outcome, &news))
        st = florin_decider_learn(d, &news, 1, now_us, &receipt, &item, err);
    *refused = !st && item;
    if (st || item) return st;
    ++*told;
    return fl_queue_told(q->queue, x->decision, err);
}

florin_status florin_queue_tell(florin_queue *q, florin_decider *d, int64_t now_us, uint32_t *told,
                                florin_error *err)
{
    fl_queue_news news[TELL];
    uint32_t n = TELL, count = 0, refused = 0;
    florin_status st = asked(q, "florin_queue_tell", d, err);
    while (!st && n == TELL && refused < TELL) {
        refused = 0;
        st = fl_queue_untold(q->queue, news, TELL, &n, err);
        for (uint32_t i = 0; i < n && !st; i++) {
            bool no;
            st = tell(q, d, &news[i], now_us, &count, &no, err);
            refused += no;
        }
    }
    if (told) *told = count;
    return st;
}

/* ---- reports ---- */

static void write_item(const florin_context *ctx, const json_t *o)
{
    char at[32], amount[48] = "";
    const json_t *a = json_object_get(o, "amount");
    const char *currency = fl_json_str(o, "currency", "");
    fl_time_format(fl_json_int(o, "decided_us", 0) / FL_SECOND_US * FL_SECOND_US, at);
    if (a) {
        double units = 1;
        for (int i = fl_currency_exponent(currency); i > 0; i--) units *= 10;
        snprintf(amount, sizeof amount, "%.2f %.3s", (double)json_integer_value(a) / units,
                 currency);
    }
    fl_writef(ctx, "%-18s %s  %2lld  %14s  %-20.20s %-8s %s\n", fl_json_str(o, "decision", ""), at,
              (long long)fl_json_int(o, "score", 0), amount, fl_json_str(o, "rule", ""),
              fl_json_str(o, "outcome", fl_json_str(o, "state", "")),
              fl_json_str(o, "outcome_by", fl_json_str(o, "claimed_by", "")));
}

static florin_status check_options(const florin_queue *q, const char *call,
                                   const florin_queue_options *opt, florin_error *err)
{
    return asked(q, call, opt && opt->size == sizeof *opt, err);
}

florin_status florin_queue_list(florin_queue *q, const florin_queue_options *opt,
                                const florin_context *ctx, florin_error *err)
{
    json_t *page = NULL;
    const json_t *o;
    size_t i;
    fl_queue_counts c;
    florin_status st = check_options(q, "florin_queue_list", opt, err);
    if (!st) st = fl_queue_count(q->queue, opt->now_us, &c, err);
    if (!st)
        st = fl_queue_list(q->queue, opt->state, opt->by_score ? FL_QUEUE_SCORE : FL_QUEUE_OLDEST,
                           opt->cursor, opt->most, opt->now_us, &page, err);
    if (st) return st;
    if (opt->format == FLORIN_JSON) {
        json_object_set_new(page, "open", json_integer((json_int_t)c.open));
        json_object_set_new(page, "claimed", json_integer((json_int_t)c.claimed));
        json_object_set_new(page, "done", json_integer((json_int_t)c.done));
        json_object_set_new(page, "untold", json_integer((json_int_t)c.untold));
        fl_json_write(ctx, page);
    } else {
        json_array_foreach(json_object_get(page, "items"), i, o) write_item(ctx, o);
        fl_writef(ctx, "%llu open, %llu claimed, %llu done\n", (unsigned long long)c.open,
                  (unsigned long long)c.claimed, (unsigned long long)c.done);
        if (fl_json_str(page, "next", NULL))
            fl_writef(ctx, "more: --cursor %s\n", fl_json_str(page, "next", ""));
    }
    json_decref(page);
    return FLORIN_OK;
}

florin_status florin_queue_get(florin_queue *q, const char *decision,
                               const florin_queue_options *opt, const florin_context *ctx,
                               florin_error *err)
{
    json_t *o = NULL;
    const json_t *h;
    size_t i;
    florin_status st = check_options(q, "florin_queue_get", opt, err);
    if (!st) st = asked(q, "florin_queue_get", decision, err);
    if (!st) st = fl_queue_get(q->queue, decision, opt->now_us, &o, err);
    if (st) return st;
    if (opt->format == FLORIN_JSON) fl_json_write(ctx, o);
    else {
        write_item(ctx, o);
        fl_writef(ctx, "  %s\n", fl_json_str(o, "why", ""));
        json_array_foreach(json_object_get(o, "history"), i, h)
        {
            char at[32];
            fl_time_format(fl_json_int(h, "at_us", 0) / FL_SECOND_US * FL_SECOND_US, at);
            fl_writef(ctx, "  %s  %-12s %-8s %s\n", at, fl_json_str(h, "who", ""),
                      fl_json_str(h, "what", ""), fl_json_str(h, "text", ""));
        }
    }
    json_decref(o);
    return FLORIN_OK;
}
