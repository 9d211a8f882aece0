/* Journals without a decider: florin_replay_journal. */
#include "api/policy.h"
#include "api/scorer.h"
#include "base/json.h"
#include "policy/decider.h"
#include "score/journal_file.h"
#include "score/state.h"

int florin_journal_is(const char *path)
{
    bool exists = false;
    return path && !fl_file_is_plain(path) && !fl_journal_exists(path, &exists, NULL) && exists;
}

static florin_status first_record(const char *folder, uint64_t *first, florin_error *err)
{
    uint64_t *list = NULL;
    uint32_t n = 0;
    florin_status st = fl_segments_list(&list, &n, folder, err);
    if (!st && !n) st = fl_fail(err, FLORIN_EINPUT, "%s: no journal is here", folder);
    *first = n ? list[0] : 1;
    free(list);
    return st;
}

static void write_result(const florin_context *ctx, const florin_replay_journal_options *opt,
                         const fl_replayed *r, double seconds)
{
    uint64_t same = r->decisions - r->differ - r->other;
    if (opt->format == FLORIN_JSON) {
        json_t *j = json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "report", "replay_journal",
            "journal", opt->journal, "records", (json_int_t)r->records, "decisions",
            (json_int_t)r->decisions, "labels", (json_int_t)r->labels, "results",
            (json_int_t)r->results, "same", (json_int_t)same, "differ", (json_int_t)r->differ,
            "other_model", (json_int_t)r->other, "last", (json_int_t)r->last, "seconds", seconds);
        if (j) fl_json_write(ctx, j);
        json_decref(j);
        return;
    }
    fl_writef(ctx, "%s: %llu decisions, %llu outcomes, %llu results\n", opt->journal,
              (unsigned long long)r->decisions, (unsigned long long)r->labels,
              (unsigned long long)r->results);
    fl_writef(ctx, "  the same  %12llu\n  differ    %12llu\n", (unsigned long long)same,
              (unsigned long long)r->differ);
    if (r->other)
        fl_writef(ctx, "  not held  %12llu by another model or policy\n",
                  (unsigned long long)r->other);
    if (seconds > 0)
        fl_writef(ctx, "  time      %12.2f s, %.0f records/s\n", seconds,
                  (double)r->records / seconds);
}

static florin_status open_at(florin_scorer **s, florin_model *m,
                             const florin_replay_journal_options *opt, uint64_t *from,
                             florin_error *err)
{
    uint64_t first;
    char *path = NULL;
    florin_scorer_options o = FLORIN_SCORER_INIT;
    florin_status st = first_record(opt->journal, &first, err);
    if (!st) st = fl_decider_state_oldest(opt->journal, first - 1, &path, from, err);
    if (!st && !path)
        st = fl_fail(err, FLORIN_EFORMAT, "%s: no state file stands at the journal's beginning",
                     opt->journal);
    o.state = path;
    o.key = opt->key;
    if (!st) st = florin_scorer_open(s, m, &o, err);
    free(path);
    return st;
}

florin_status florin_replay_journal(const florin_context *ctx,
                                    const florin_replay_journal_options *opt, florin_error *err)
{
    florin_model *m = NULL;
    florin_scorer *s = NULL;
    florin_policy *policy = NULL;
    fl_replayed r = {0};
    char key[17];
    uint64_t from = 0;
    if (!opt || opt->size != sizeof *opt || !opt->journal || !opt->model)
        return fl_fail(err, FLORIN_EUSAGE, "replaying a journal needs the journal and its model");
    int64_t start = fl_monotonic_us(ctx);
    florin_status st = florin_model_open(&m, opt->model, opt->tier, err);
    if (!st) st = open_at(&s, m, opt, &from, err);
    if (!st && opt->policy) st = florin_policy_open(&policy, opt->policy, m, opt->key, err);
    if (!st) {
        fl_key_print(s->key, key);
        fl_decider_options o = {.scorer = s->live, .model = m->model, .key = key, .from = from};
        o.policy = policy ? policy->policy : NULL;
        o.journal.folder = opt->journal;
        st = fl_decider_replay(&o, &r, ctx, err);
    }
    if (!st && opt->state) st = fl_state_save(s->live, opt->state, key, err);
    if (!st) write_result(ctx, opt, &r, (double)(fl_monotonic_us(ctx) - start) / 1e6);
    if (!st && r.differ)
        st = fl_fail(err, FLORIN_EQUALITY,
                     "%s: %llu of %llu decisions differ from what was answered, the first is "
                     "record %llu",
                     opt->journal, (unsigned long long)r.differ, (unsigned long long)r.decisions,
                     (unsigned long long)r.first);
    florin_policy_close(policy);
    florin_scorer_close(s);
    florin_model_close(m);
    return st;
}
