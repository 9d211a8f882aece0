/* Opening a decider: the journal's preamble, and the replay of what the scorer's state does not have yet. */
#include "policy/decider_parts.h"
#include "base/json.h"
#include "score/journal_file.h"

/* What a reader of the journal must know: the schema, whose key hashed, which model, which heads. */
static char *preamble_of(const fl_decider *d)
{
    json_t *heads = json_array();
    for (uint32_t i = 0; i < d->heads; i++)
        json_array_append_new(heads, json_string(fl_head_name(fl_scorer_head(d->scorer, i))));
    json_t *j = json_pack("{s:o, s:s, s:s, s:o}", "schema", fl_schema_to_json(d->schema), "model",
                          fl_model_file_hash(fl_model_source(d->opt.model)), "key", d->opt.key,
                          "heads", heads);
    char *text = j ? fl_json_text(j) : NULL;
    json_decref(j);
    return text;
}

/* Does a journal that is there speak of the same events? */
static florin_status check_preamble(const fl_decider *d, const uint8_t *text, size_t n,
                                    florin_error *err)
{
    json_t *j = NULL;
    fl_schema *schema = NULL;
    const char *folder = d->opt.journal.folder;
    florin_status st = fl_json_parse(&j, (const char *)text, n, folder, err);
    if (!st) st = fl_schema_from_json(&schema, json_object_get(j, "schema"), folder, err);
    if (!st) st = fl_schema_same(d->schema, schema, err);
    if (!st && strcmp(fl_json_str(j, "key", ""), d->opt.key))
        st = fl_fail(err, FLORIN_ESCHEMA, "%s: its identifiers were hashed with another key",
                     folder);
    fl_schema_free(schema);
    json_decref(j);
    return st;
}

/* Into the scorer's batch, which is run when it is full. */
static florin_status replay_decision(fl_decider *d, const fl_record *record, fl_request *r,
                                     fl_answer *a, florin_error *err)
{
    if (d->added == fl_scorer_batch_max(d->scorer)) {
        fl_scorer_finish(d->scorer, NULL);
        fl_scorer_begin(d->scorer);
        d->added = 0;
    }
    florin_status st = fl_scorer_add(d->scorer, &r->event, err);
    if (st) {
        fl_fail_prefix(err, "record %llu of the journal", (unsigned long long)record->sequence);
        return st;
    }
    d->added++;
    (void)a;
    return FLORIN_OK;
}

static florin_status take_record(fl_decider *d, const fl_record *record, florin_error *err)
{
    bool replay = record->sequence > d->opt.from;
    if (record->type == FL_RECORD_DECISION) {
        fl_request r;
        fl_answer a;
        florin_status st = fl_decision_read(d->schema, record, &r, &a, err);
        if (!st && replay) st = replay_decision(d, record, &r, &a, err);
        if (st) return st;
        if (r.key[0] || r.key[1]) fl_journal_index_put(d->index, r.key[0], record->sequence);
        if (r.event.id) fl_journal_index_put(d->index, r.event.id, record->sequence);
    } else if (record->type == FL_RECORD_LABEL || record->type == FL_RECORD_RESULT) {
        fl_news n;
        florin_status st = fl_news_read(d->schema, record, &n, err);
        if (st) return st;
        if (replay) (void)fl_decider_apply(d, record->type, &n);
        fl_decider_remember(d, &n, record->sequence);
    }
    d->counts.recovered += replay;
    return FLORIN_OK;
}

static florin_status replay(fl_decider *d, const florin_context *ctx, florin_error *err)
{
    fl_journal_reader *reader = NULL;
    fl_record record;
    bool more = true;
    uint64_t last = fl_journal_next(d->journal) - 1;
    uint64_t from = last > d->opt.entries ? last - d->opt.entries + 1 : 1;
    if (d->opt.from > last)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: the checkpoint is of record %llu, the journal ends "
                       "with %llu: the journal's last file is missing or of an older backup",
                       d->opt.journal.folder, (unsigned long long)d->opt.from,
                       (unsigned long long)last);
    if (from > d->opt.from + 1) from = d->opt.from + 1;
    florin_status st = fl_journal_reader_open(&reader, d->opt.journal.folder, from, err);
    d->added = 0;
    fl_scorer_begin(d->scorer);
    while (!st) {
        st = fl_journal_reader_next(reader, &record, &more, err);
        if (st || !more) break;
        st = take_record(d, &record, err);
        if (record.sequence % 65536) continue;
        fl_progress(ctx, "reading the journal", record.sequence - from, last - from);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "reading the journal: stopped");
    }
    fl_scorer_finish(d->scorer, NULL);
    fl_journal_reader_close(reader);
    return st;
}

static florin_status set_up(fl_decider *d, florin_error *err)
{
    uint32_t n = fl_scorer_batch_max(d->scorer);
    static const char zero[FL_JOURNAL_RECORD_MAX];
    if (n > FL_DECIDER_BATCH_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "batch_max %u: at most %d", n, FL_DECIDER_BATCH_MAX);
    if (!d->opt.window_us) d->opt.window_us = FL_DAY_US;
    if (!d->opt.ahead_us) d->opt.ahead_us = FL_DAY_US;
    if (!d->opt.entries) d->opt.entries = 4000000;
    d->heads = fl_scorer_heads(d->scorer);
    char first[17] = {0};
    memcpy(first, fl_model_file_hash(fl_model_source(d->opt.model)), 16);
    d->model_version = strtoull(first, NULL, 16);
    d->item = fl_calloc(n, sizeof *d->item);
    d->out = fl_calloc((size_t)n * (d->heads ? d->heads : 1), sizeof *d->out);
    fl_buf_add(&d->scratch, zero, sizeof zero);
    if (!d->item || !d->out || d->scratch.failed)
        return fl_fail(err, FLORIN_ENOMEM, "decider: a batch of %u", n);
    return fl_journal_index_open(&d->index, d->opt.entries, err);
}

static florin_status open_journal(fl_decider *d, florin_error *err)
{
    fl_journal_reader *reader = NULL;
    uint64_t *first = NULL;
    uint32_t n = 0;
    size_t bytes;
    char *preamble = preamble_of(d);
    if (!preamble) return fl_fail(err, FLORIN_ENOMEM, "decider");
    florin_status st = fl_make_dir(d->opt.journal.folder, err);
    if (!st) st = fl_segments_list(&first, &n, d->opt.journal.folder, err);
    if (!st && n) {
        st = fl_journal_reader_open(&reader, d->opt.journal.folder, first[n - 1], err);
        const uint8_t *text = st ? NULL : fl_journal_reader_preamble(reader, &bytes);
        if (!st) st = check_preamble(d, text, bytes, err);
        fl_journal_reader_close(reader);
    }
    free(first);
    d->opt.journal.preamble = preamble;
    d->opt.journal.preamble_bytes = strlen(preamble);
    if (!st) st = fl_journal_open(&d->journal, &d->opt.journal, &d->counts.cut_bytes, err);
    free(preamble);
    d->opt.journal.preamble = NULL;
    return st;
}

florin_status fl_decider_open(fl_decider **out, const fl_decider_options *opt,
                              const florin_context *ctx, florin_error *err)
{
    *out = NULL;
    fl_decider *d = fl_calloc(1, sizeof *d);
    if (!d) return fl_fail(err, FLORIN_ENOMEM, "decider");
    d->opt = *opt;
    d->scorer = opt->scorer;
    d->schema = fl_model_schema(opt->model);
    florin_status st = set_up(d, err);
    if (!st) st = open_journal(d, err);
    if (!st) st = replay(d, ctx, err);
    if (st) fl_decider_close(d);
    else *out = d;
    return st;
}

void fl_decider_close(fl_decider *d)
{
    if (!d) return;
    fl_journal_close(d->journal);
    fl_journal_index_close(d->index);
    fl_buf_free(&d->scratch);
    free(d->item);
    free(d->out);
    free(d);
}
