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

uint64_t fl_decider_version(const char *hash)
{
    char first[17] = {0};
    memcpy(first, hash, strnlen(hash, 16));
    return strtoull(first, NULL, 16);
}

florin_status fl_decider_check_preamble(const fl_decider *d, const uint8_t *text, size_t n,
                                        uint64_t *model, florin_error *err)
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
    *model = st ? 0 : fl_decider_version(fl_json_str(j, "model", ""));
    fl_schema_free(schema);
    json_decref(j);
    return st;
}

/* Who asked, for those who ask again. */
static florin_status note(fl_decider *d, const fl_record *record, florin_error *err)
{
    fl_request r;
    fl_answer a;
    fl_news n;
    if (record->type == FL_RECORD_DECISION) {
        florin_status st = fl_decision_read(d->schema, record, &r, &a, err);
        if (st) return st;
        if (r.key[0] || r.key[1])
            fl_journal_index_put(d->index, r.key[0], record->sequence, r.at_us);
        if (r.event.id) fl_journal_index_put(d->index, r.event.id, record->sequence, r.at_us);
    } else if (record->type == FL_RECORD_LABEL || record->type == FL_RECORD_RESULT) {
        florin_status st = fl_news_read(d->schema, record, &n, err);
        if (st) return st;
        fl_decider_remember(d, &n, record->sequence);
    }
    return FLORIN_OK;
}

/* Where reading must begin: what the state lacks, and what the index should know. */
static florin_status start(const fl_decider *d, uint64_t last, uint64_t *from, florin_error *err)
{
    uint64_t *first = NULL;
    uint32_t n = 0;
    if (d->opt.from > last)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: the checkpoint is of record %llu, the journal ends with %llu: the "
                       "journal's last file is missing or of an older backup",
                       d->opt.journal.folder, (unsigned long long)d->opt.from,
                       (unsigned long long)last);
    *from = d->indexed < d->opt.from ? d->indexed + 1 : d->opt.from + 1;
    florin_status st = fl_segments_list(&first, &n, d->opt.journal.folder, err);
    /* Older files may have been taken away: then the state must be younger. */
    if (!st && n && *from < first[0]) *from = first[0];
    if (!st && *from > d->opt.from + 1)
        st = fl_fail(err, FLORIN_EFORMAT,
                     "%s: the journal begins with record %llu and the state ends with %llu: what "
                     "is between is missing",
                     d->opt.journal.folder, (unsigned long long)*from,
                     (unsigned long long)d->opt.from);
    free(first);
    return st;
}

static florin_status replay(fl_decider *d, const florin_context *ctx, florin_error *err)
{
    fl_journal_reader *reader = NULL;
    fl_playback *playback = NULL;
    fl_replayed result = {0};
    fl_record record;
    bool more = true;
    uint64_t from = 1, last = fl_journal_next(d->journal) - 1;
    florin_status st = start(d, last, &from, err);
    if (!st) st = fl_playback_open(&playback, d, false, err);
    if (!st) st = fl_journal_reader_open(&reader, d->opt.journal.folder, from, err);
    while (!st) {
        st = fl_journal_reader_next(reader, &record, &more, err);
        if (st || !more) break;
        if (record.sequence > d->indexed) st = note(d, &record, err);
        if (!st && record.sequence > d->opt.from) st = fl_playback_take(playback, &record, err);
        if (record.sequence % 65536) continue;
        fl_progress(ctx, "reading the journal", record.sequence - from, last - from);
        if (fl_cancelled(ctx)) st = fl_fail(err, FLORIN_ECANCELLED, "reading the journal: stopped");
    }
    if (!st) st = fl_playback_finish(playback, err);
    if (!st) fl_playback_result(playback, &result);
    d->counts.recovered = result.records;
    fl_journal_reader_close(reader);
    fl_playback_close(playback);
    return st;
}

florin_status fl_decider_set_up(fl_decider *d, florin_error *err)
{
    uint32_t n = fl_scorer_batch_max(d->scorer);
    static const char zero[FL_JOURNAL_RECORD_MAX];
    if (n > FL_DECIDER_BATCH_MAX)
        return fl_fail(err, FLORIN_EUSAGE, "batch_max %u: at most %d", n, FL_DECIDER_BATCH_MAX);
    if (!d->opt.window_us) d->opt.window_us = FL_DAY_US;
    if (!d->opt.ahead_us) d->opt.ahead_us = FL_DAY_US;
    if (!d->opt.entries) d->opt.entries = 4000000;
    d->heads = fl_scorer_heads(d->scorer);
    d->model_version = fl_decider_version(fl_model_file_hash(fl_model_source(d->opt.model)));
    d->item = fl_calloc(n, sizeof *d->item);
    d->out = fl_calloc((size_t)n * (d->heads ? d->heads : 1), sizeof *d->out);
    fl_buf_add(&d->scratch, zero, sizeof zero);
    if (!d->item || !d->out || d->scratch.failed)
        return fl_fail(err, FLORIN_ENOMEM, "decider: a batch of %u", n);
    return FLORIN_OK;
}

static florin_status open_journal(fl_decider *d, florin_error *err)
{
    fl_journal_reader *reader = NULL;
    uint64_t *first = NULL;
    uint32_t n = 0;
    size_t bytes;
    uint64_t model;
    char *preamble = preamble_of(d);
    if (!preamble) return fl_fail(err, FLORIN_ENOMEM, "decider");
    florin_status st = fl_make_dir(d->opt.journal.folder, err);
    if (!st) st = fl_segments_list(&first, &n, d->opt.journal.folder, err);
    if (!st && n) {
        st = fl_journal_reader_open(&reader, d->opt.journal.folder, first[n - 1], err);
        const uint8_t *text = st ? NULL : fl_journal_reader_preamble(reader, &bytes);
        if (!st) st = fl_decider_check_preamble(d, text, bytes, &model, err);
        fl_journal_reader_close(reader);
    }
    free(first);
    d->opt.journal.preamble = preamble;
    d->opt.journal.preamble_bytes = strlen(preamble);
    if (!st) st = fl_journal_open(&d->journal, &d->opt.journal, &d->counts.cut_bytes, err);
    if (!st)
        st = fl_journal_index_open(&d->index, d->opt.journal.folder, d->opt.entries,
                                   fl_journal_next(d->journal) - 1, &d->indexed, err);
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
    florin_status st = fl_decider_set_up(d, err);
    if (!st) st = open_journal(d, err);
    if (!st) fl_decider_state_clean(d->opt.journal.folder);
    if (!st) st = fl_decider_restore_policy(d, err);
    if (!st) st = replay(d, ctx, err);
    if (!st && opt->policy) st = fl_decider_set_policy(d, opt->policy, opt->now_us, err);
    if (st) fl_decider_close(d);
    else *out = d;
    return st;
}

void fl_decider_close(fl_decider *d)
{
    if (!d) return;
    fl_decider_state_stop(d);
    fl_journal_close(d->journal);
    fl_journal_index_close(d->index);
    fl_lists_close(d->lists);
    fl_rings_close(d->rings);
    fl_buf_free(&d->scratch);
    free(d->item);
    free(d->out);
    free(d);
}
