/* Two passes: first what became known of each decision's event, then the events with it. */
#include "score/journal_import.h"

#include "base/json.h"
#include "score/journal_file.h"
#include "score/journal_record.h"

/* What became known of an event: seldom more than marks. */
typedef struct {
    uint8_t marks, marks_known;
    uint32_t more; /* 1 + place in more */
} result;

typedef struct {
    const char *folder;
    fl_schema *schema;
    uint8_t key[16], id[FL_JOURNAL_ID];
    fl_log_writer *writer;
    fl_map64 known; /* decision -> 1 + place in result */
    result *result;
    fl_news *more; /* categories and numbers */
    size_t results, cap, mores, more_cap;
    fl_arena *texts; /* of results */
    fl_journal_imported *out;
} run;

/* Schema and key of the journal, from the head of its oldest file. */
static florin_status read_preamble(run *x, const fl_journal_reader *r, const char *key_file,
                                   florin_error *err)
{
    size_t n;
    json_t *j = NULL;
    char key[17];
    const uint8_t *text = fl_journal_reader_preamble(r, &n);
    florin_status st = fl_json_parse(&j, (const char *)text, n, x->folder, err);
    if (!st) st = fl_schema_from_json(&x->schema, json_object_get(j, "schema"), x->folder, err);
    if (!st && x->schema->hash_key && !key_file)
        st = fl_fail(err, FLORIN_EUSAGE,
                     "%s: its identifiers were hashed with the key in '%s': name that file (--key)",
                     x->folder, x->schema->hash_key);
    if (!st)
        st = key_file ? fl_key_load(key_file, x->key, err) : fl_schema_key(x->schema, x->key, err);
    if (!st) {
        fl_key_print(x->key, key);
        if (strcmp(key, fl_json_str(j, "key", "")))
            st = fl_fail(err, FLORIN_ESCHEMA, "%s: its identifiers were hashed with another key",
                         x->folder);
    }
    memcpy(x->id, fl_journal_reader_id(r), sizeof x->id);
    json_decref(j);
    return st;
}

static florin_status keep_text(run *x, fl_span *t, florin_error *err)
{
    char *copy = fl_arena_alloc(x->texts, t->n + 1);
    if (!copy) return fl_fail(err, FLORIN_ENOMEM, "%s: results", x->folder);
    memcpy(copy, t->text, t->n);
    t->text = copy;
    return FLORIN_OK;
}

/* Categories and numbers of a result. */
static florin_status take_more(run *x, result *to, const fl_news *n, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (!to->more) {
        if (!fl_grow((void **)&x->more, &x->more_cap, x->mores + 1, sizeof *x->more))
            return fl_fail(err, FLORIN_ENOMEM, "%s: results", x->folder);
        memset(&x->more[x->mores], 0, sizeof *x->more);
        to->more = (uint32_t)++x->mores;
    }
    fl_news *all = &x->more[to->more - 1];
    for (uint32_t i = 0; i < x->schema->categories && !st; i++) {
        if (!n->category[i].n) continue;
        all->category[i] = n->category[i];
        st = keep_text(x, &all->category[i], err);
    }
    for (uint32_t i = 0; i < x->schema->numbers; i++)
        if (n->number_present >> i & 1) all->number[i] = n->number[i];
    all->number_present |= n->number_present;
    return st;
}

/* What an authorisation said; a later one adds to it and corrects it. */
static florin_status take_result(run *x, const fl_record *record, florin_error *err)
{
    fl_news n;
    bool fresh, more;
    florin_status st = fl_news_read(x->schema, record, &n, err);
    uint32_t *place = st ? NULL : fl_map64_insert(&x->known, n.decision, &fresh);
    if (st) return st;
    if (!place ||
        (fresh && !fl_grow((void **)&x->result, &x->cap, x->results + 1, sizeof *x->result)))
        return fl_fail(err, FLORIN_ENOMEM, "%s: results", x->folder);
    if (fresh) {
        x->result[x->results] = (result){0, 0, 0};
        *place = (uint32_t)++x->results;
    }
    result *to = &x->result[*place - 1];
    to->marks = (uint8_t)((to->marks & ~n.marks_known) | n.marks);
    to->marks_known |= n.marks_known;
    x->out->results++;
    more = n.number_present != 0;
    for (uint32_t i = 0; i < x->schema->categories; i++) more = more || n.category[i].n;
    return more ? take_more(x, to, &n, err) : FLORIN_OK;
}

static void join_result(const run *x, uint64_t sequence, fl_request *r)
{
    const uint32_t *place = fl_map64_find(&x->known, sequence);
    if (!place) return;
    const result *known = &x->result[*place - 1];
    r->event.marks = (uint8_t)((r->event.marks & ~known->marks_known) | known->marks);
    if (!known->more) return;
    const fl_news *n = &x->more[known->more - 1];
    for (uint32_t i = 0; i < x->schema->categories; i++)
        if (n->category[i].n) r->category[i] = n->category[i];
    for (uint32_t i = 0; i < x->schema->numbers; i++)
        if (n->number_present >> i & 1) r->event.number[i] = n->number[i];
    r->event.number_present |= n->number_present;
}

static florin_status add_event(run *x, const fl_record *record, florin_error *err)
{
    fl_request r;
    fl_answer a;
    char name[FL_DECISION_ID];
    florin_status st = fl_decision_read(x->schema, record, &r, &a, err);
    if (st) return st;
    join_result(x, record->sequence, &r);
    const fl_event *e = &r.event;
    fl_log_row row = {.time_us = e->time_us,
                      .amount_minor = e->amount_minor,
                      .type = e->type,
                      .marks = e->marks,
                      .currency = e->currency,
                      .number_present = e->number_present,
                      .id = r.id.text,
                      .id_len = r.id.n,
                      .id_hash = e->id};
    if (!r.id.n) { /* its name is the decision's */
        fl_decision_id(x->id, record->sequence, name);
        row.id = name;
        row.id_len = FL_DECISION_ID - 1;
    }
    memcpy(row.number, e->number, sizeof row.number);
    for (uint32_t k = 0; k < x->schema->kinds && !st; k++) {
        row.entity[k] = FL_NONE;
        if (e->entity_hash[k])
            st = fl_log_writer_hashed(x->writer, (int)k, e->entity_hash[k], &row.entity[k], err);
    }
    for (uint32_t i = 0; i < x->schema->categories && !st; i++) {
        row.category[i] = FL_NONE;
        if (r.category[i].n)
            st = fl_log_writer_value(x->writer, (int)i, r.category[i].text, r.category[i].n,
                                     &row.category[i], err);
    }
    x->out->decisions++;
    return st ? st : fl_log_writer_row(x->writer, &row, err);
}

static florin_status add_label(run *x, const fl_record *record, florin_error *err)
{
    fl_news n;
    florin_status st = fl_news_read(x->schema, record, &n, err);
    x->out->labels++;
    return st ? st : fl_log_writer_label(x->writer, n.event, n.label, n.value, n.arrival_us, err);
}

/* Every record once: results first, then the rest. */
static florin_status pass(run *x, bool first, const char *key, const florin_context *ctx,
                          florin_error *err)
{
    fl_journal_reader *r = NULL;
    fl_record record;
    bool more = true;
    florin_status st = fl_journal_reader_open(&r, x->folder, 0, err);
    if (!st && first) st = read_preamble(x, r, key, err);
    while (!st) {
        st = fl_journal_reader_next(r, &record, &more, err);
        if (st || !more) break;
        if (first && record.type == FL_RECORD_RESULT) st = take_result(x, &record, err);
        if (!first && record.type == FL_RECORD_DECISION) st = add_event(x, &record, err);
        if (!first && record.type == FL_RECORD_LABEL) st = add_label(x, &record, err);
        if (st || record.sequence % 65536) continue;
        fl_progress(ctx, first ? "reading results" : "importing", record.sequence, 0);
        if (fl_cancelled(ctx))
            st = fl_fail(err, FLORIN_ECANCELLED, "import: stopped, the log is as it was");
    }
    fl_journal_reader_close(r);
    return st;
}

florin_status fl_journal_import(const char *folder, const char *log, const char *key,
                                fl_journal_imported *out, fl_schema **schema,
                                const florin_context *ctx, florin_error *err)
{
    run x = {.folder = folder, .out = out};
    memset(out, 0, sizeof *out);
    if (schema) *schema = NULL;
    x.texts = fl_arena_new(65536);
    florin_status st = FLORIN_OK;
    if (!x.texts || !fl_map64_init(&x.known, 1024)) st = fl_fail(err, FLORIN_ENOMEM, "%s", folder);
    if (!st) st = pass(&x, true, key, ctx, err);
    if (!st) st = fl_log_writer_open_key(&x.writer, log, x.schema, x.key, false, true, ctx, err);
    if (!st) st = pass(&x, false, key, ctx, err);
    if (!st) {
        fl_log_writer *w = x.writer;
        x.writer = NULL;
        st = fl_log_writer_commit(w, &out->written, err);
    }
    fl_log_writer_abort(x.writer);
    if (!st && schema) *schema = x.schema;
    else fl_schema_free(x.schema);
    fl_map64_free(&x.known);
    fl_arena_free(x.texts);
    free(x.result);
    free(x.more);
    return st;
}
