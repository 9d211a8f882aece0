/* florin_import: the schema and files in, the log and a summary out. */
#include "base/json.h"
#include "data/import.h"
#include "score/journal_import.h"

static void write_text(const florin_context *ctx, const char *log, const fl_schema *s,
                       const fl_import_stats *t, double seconds, const char *rejects)
{
    fl_writef(ctx, "%s: %llu events, %llu labels", log, (unsigned long long)t->written.rows_total,
              (unsigned long long)t->written.labels_total);
    for (uint32_t k = 0; k < s->kinds; k++)
        fl_writef(ctx, ", %llu %s", (unsigned long long)t->written.entities[k], s->kind[k].name);
    fl_writef(ctx, "\n  read       %12llu rows\n  added      %12llu events, %llu labels\n",
              (unsigned long long)t->read, (unsigned long long)t->written.rows,
              (unsigned long long)t->written.labels);
    if (t->dropped)
        fl_writef(ctx, "  left out   %12llu by the schema's `where`\n",
                  (unsigned long long)t->dropped);
    if (t->written.duplicates)
        fl_writef(ctx, "  duplicates %12llu event ids seen before\n",
                  (unsigned long long)t->written.duplicates);
    if (t->written.late)
        fl_writef(ctx, "  late       %12llu events before the end of the log\n",
                  (unsigned long long)t->written.late);
    if (t->written.labels_unmatched)
        fl_writef(ctx, "  unmatched  %12llu labels of unknown events\n",
                  (unsigned long long)t->written.labels_unmatched);
    fl_writef(ctx, "  rejected   %12llu rows%s%s\n", (unsigned long long)t->rejected,
              t->rejected ? ", kept in " : "", t->rejected ? rejects : "");
    for (uint32_t i = 0; i < t->reasons; i++)
        fl_writef(ctx, "             %12llu %s\n", (unsigned long long)t->reason[i].count,
                  t->reason[i].reason);
    if (seconds > 0)
        fl_writef(ctx, "  time       %12.2f s, %.0f rows/s\n", seconds, (double)t->read / seconds);
    if (!t->written.rows && !t->written.labels)
        fl_writef(ctx, "Nothing new: the log is as it was.\n");
}

static void write_json(const florin_context *ctx, const char *log, const fl_schema *s,
                       const fl_import_stats *t, double seconds)
{
    json_t *reasons = json_object(), *entities = json_object();
    for (uint32_t i = 0; i < t->reasons; i++)
        json_object_set_new(reasons, t->reason[i].reason,
                            json_integer((json_int_t)t->reason[i].count));
    for (uint32_t k = 0; k < s->kinds; k++)
        json_object_set_new(entities, s->kind[k].name,
                            json_integer((json_int_t)t->written.entities[k]));
    json_t *j = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o}", "log", log,
        "events", (json_int_t)t->written.rows_total, "labels", (json_int_t)t->written.labels_total,
        "read", (json_int_t)t->read, "added", (json_int_t)t->written.rows, "labels_added",
        (json_int_t)t->written.labels, "left_out", (json_int_t)t->dropped, "duplicates",
        (json_int_t)t->written.duplicates, "late", (json_int_t)t->written.late, "labels_unmatched",
        (json_int_t)t->written.labels_unmatched, "rejected", (json_int_t)t->rejected, "seconds",
        seconds, "reasons", reasons, "entities", entities);
    if (j) fl_json_write(ctx, j);
    json_decref(j);
}

static florin_status import_journal(const florin_context *ctx, const florin_import_options *opt,
                                    florin_error *err)
{
    fl_schema *s = NULL;
    fl_journal_imported j;
    fl_import_stats t = {.read = 0};
    int64_t start = fl_monotonic_us(ctx);
    if (opt->n_files)
        return fl_fail(err, FLORIN_EUSAGE, "%s is a journal: it takes no further files",
                       opt->schema);
    florin_status st = fl_journal_import(opt->schema, opt->log, opt->key, &j, &s, ctx, err);
    if (st) return st;
    double seconds = (double)(fl_monotonic_us(ctx) - start) / 1e6;
    t.written = j.written;
    t.read = j.decisions + j.labels + j.results;
    if (opt->format == FLORIN_JSON) write_json(ctx, opt->log, s, &t, seconds);
    else write_text(ctx, opt->log, s, &t, seconds, "");
    fl_schema_free(s);
    return FLORIN_OK;
}

florin_status florin_import(const florin_context *ctx, const florin_import_options *opt,
                            florin_error *err)
{
    if (!opt || !opt->schema || !opt->log)
        return fl_fail(err, FLORIN_EUSAGE, "import needs a schema and a log");
    if (florin_journal_is(opt->schema)) return import_journal(ctx, opt, err);
    fl_schema *s = NULL;
    fl_import_stats t;
    int64_t start = fl_monotonic_us(ctx);
    fl_import_options o = {.log = opt->log,
                           .files = opt->files,
                           .n_files = opt->n_files,
                           .rejects = opt->rejects,
                           .strict = opt->strict != 0,
                           .no_ids = opt->no_ids != 0,
                           .force_sort = opt->sort_on_disk != 0};
    florin_status st = fl_schema_load(&s, opt->schema, err);
    if (!st) st = fl_import(s, &o, &t, ctx, err);
    if (!st) {
        double seconds = (double)(fl_monotonic_us(ctx) - start) / 1e6;
        char *rejects = fl_asprintf("%s%s", opt->rejects ? opt->rejects : opt->log,
                                    opt->rejects ? "" : "/rejects.csv");
        if (opt->format == FLORIN_JSON) write_json(ctx, opt->log, s, &t, seconds);
        else write_text(ctx, opt->log, s, &t, seconds, rejects ? rejects : "");
        free(rejects);
    }
    fl_schema_free(s);
    return st;
}
