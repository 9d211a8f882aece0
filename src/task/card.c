/* Cards as Markdown. Sections of tasks begin with "## Task NAME" and stand last; one of the same name is replaced. */
#include "task/card.h"
#include "base/file.h"
#include <math.h>
#include <stdio.h>

enum { VALUES_SHOWN = 8, VALUES_MOST = 64, CARD_MAX = 4 << 20 };
static const char TASK_MARK[] = "\n## Task ", HASH_MARK[] = "Model hash: ";

char *fl_card_path(const char *model)
{
    return fl_asprintf("%s.card.md", model);
}

/* --- data --- */

static void list_names(fl_buf *b, const fl_schema *s, bool after)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->categories; i++)
        if (s->category[i].after == after)
            fl_buf_printf(b, "%s%s", n++ ? ", " : "", s->category[i].name);
    for (uint32_t i = 0; i < s->numbers; i++)
        if (s->number[i].after == after)
            fl_buf_printf(b, "%s%s", n++ ? ", " : "", s->number[i].name);
    for (uint32_t i = 0; after && i < s->marks; i++)
        fl_buf_printf(b, "%s%s (mark)", n++ ? ", " : "", s->mark[i].name);
    if (!n) fl_buf_puts(b, "none");
}

static void fields(fl_buf *b, const fl_schema *s)
{
    fl_buf_puts(b, "- Fields that are inputs, beside time and amount: ");
    list_names(b, s, false);
    fl_buf_puts(b, "\n- Fields known only after the decision, never inputs: ");
    list_names(b, s, true);
    fl_buf_puts(b, "\n- Labels: ");
    for (uint32_t i = 0; i < s->labels; i++)
        fl_buf_printf(b, "%s%s%s", i ? ", " : "", s->label[i].name,
                      (int)i == s->risk_label
                          ? " (the fold counts it from its arrival; pretraining does not see it)"
                          : "");
    fl_buf_puts(b, s->labels ? "\n" : "none\n");
}

typedef struct {
    uint64_t count;
    uint32_t code;
} counted;

static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : (x->code > y->code) - (x->code < y->code);
}

/* "grocery 12,345 (11.7 %), ..." of what was learnt from. */
static void slice_field(fl_buf *b, const fl_log *log, int field, uint64_t rows, int64_t until_us)
{
    counted c[VALUES_MOST + 1] = {{0, 0}};
    uint32_t values = fl_log_values(log, field);
    uint64_t all = 0;

    if (!values || values > VALUES_MOST) return;
    for (uint32_t i = 0; i <= values; i++) c[i].code = i;
    for (uint64_t r = 0; r < rows; r++) {
        if (fl_log_time(log, r) >= until_us) continue;
        c[fl_log_category_code(log, field, r)].count++;
        all++;
    }
    qsort(c, values + 1, sizeof *c, by_count);
    fl_buf_printf(b, "| %s |", fl_log_schema(log)->category[field].name);
    for (uint32_t i = 0; i <= values && i < VALUES_SHOWN && c[i].count; i++) {
        size_t n = 4;
        const char *v =
            c[i].code
                ? fl_log_value_text(log, field, fl_log_value_hash(log, field, c[i].code - 1), &n)
                : "none";
        fl_buf_printf(b, "%s %.*s %llu (%.1f %%)", i ? "," : "", (int)(n < 60 ? n : 60),
                      v ? v : "?", (unsigned long long)c[i].count,
                      100 * (double)c[i].count / (double)all);
    }
    if (values >= VALUES_SHOWN) fl_buf_printf(b, ", and more (%u values)", values);
    fl_buf_puts(b, " |\n");
}

static void slice_amounts(fl_buf *b, const fl_log *log, int64_t until_us)
{
    static const int64_t edge[] = {10, 50, 200, 1000};
    const char *currency = fl_log_schema(log)->currency;
    int64_t unit = 1;
    uint64_t count[FL_LEN(edge) + 1] = {0}, all = 0;

    for (int i = fl_currency_exponent(currency); i > 0; i--) unit *= 10;
    for (uint64_t r = 0; r < fl_log_rows(log); r++) {
        int64_t a = fl_log_amount(log, r);
        size_t k = 0;
        if (a == FL_AMOUNT_NONE || fl_log_time(log, r) >= until_us) continue;
        while (k < FL_LEN(edge) && a >= edge[k] * unit) k++;
        count[k]++;
        all++;
    }
    if (!all) return;
    fl_buf_puts(b, "| amount |");
    for (size_t k = 0; k <= FL_LEN(edge); k++) {
        if (!k) fl_buf_printf(b, " under %lld %s", (long long)edge[0], currency);
        else if (k == FL_LEN(edge)) fl_buf_printf(b, ", %lld and more", (long long)edge[k - 1]);
        else fl_buf_printf(b, ", %lld to %lld", (long long)edge[k - 1], (long long)edge[k]);
        fl_buf_printf(b, " %llu (%.1f %%)", (unsigned long long)count[k],
                      100 * (double)count[k] / (double)all);
    }
    fl_buf_puts(b, " |\n");
}

static void slices(fl_buf *b, const fl_log *log, int64_t until_us)
{
    const fl_schema *s = fl_log_schema(log);
    uint64_t type[FL_SOURCES_MAX] = {0}, all = 0;

    for (uint64_t r = 0; r < fl_log_rows(log); r++) {
        if (fl_log_time(log, r) >= until_us) continue;
        type[fl_log_type(log, r)]++;
        all++;
    }
    fl_buf_puts(b,
                "\n### Slices of what was learnt from\n\n| field | events |\n|---|---|\n| type |");
    for (uint32_t i = 0, n = 0; i < s->sources; i++)
        if (type[i])
            fl_buf_printf(b, "%s %s %llu (%.1f %%)", n++ ? "," : "", s->source[i].name,
                          (unsigned long long)type[i], 100 * (double)type[i] / (double)all);
    fl_buf_puts(b, " |\n");
    for (uint32_t f = 0; f < s->categories; f++)
        slice_field(b, log, (int)f, fl_log_rows(log), until_us);
    slice_amounts(b, log, until_us);
}

static void data(fl_buf *b, const fl_schema *s, const fl_log *log, const json_t *trained)
{
    char from[32], to[32], until[32];
    int64_t until_us = fl_json_int(trained, "until_us", INT64_MIN);

    fl_time_format(until_us, until);
    fl_buf_printf(b, "\n## Data\n\n- Schema `%s`, event types:", s->name);
    for (uint32_t i = 0, n = 0; i < s->sources; i++)
        if (s->source[i].label_of < 0) fl_buf_printf(b, "%s %s", n++ ? "," : "", s->source[i].name);
    fl_buf_printf(b, "; currency %s\n- Nothing at or after %.19s UTC was used\n", s->currency,
                  until);
    if (fl_json_int(trained, "events", 0))
        fl_buf_printf(b, "- %lld events before it, %lld of them learnt from, the rest held out\n",
                      (long long)fl_json_int(trained, "events", 0),
                      (long long)fl_json_int(trained, "train_events", 0));
    if (*fl_json_str(trained, "data_hash", ""))
        fl_buf_printf(b, "- Hash of the log: `%s`\n", fl_json_str(trained, "data_hash", ""));
    if (log && fl_log_rows(log)) {
        fl_time_format(fl_log_time_min(log), from);
        fl_time_format(fl_log_time_max(log), to);
        fl_buf_printf(b, "- The log: %llu events from %.19s to %.19s\n",
                      (unsigned long long)fl_log_rows(log), from, to);
    }
    for (uint32_t k = 0; log && k < s->kinds; k++)
        fl_buf_printf(b, "- %u entities of kind %s%s\n", fl_log_entities(log, (int)k),
                      s->kind[k].name,
                      s->kind[k].role == FL_ROLE_PAYER   ? " (payer)"
                      : s->kind[k].role == FL_ROLE_PAYEE ? " (payee)"
                                                         : "");
    fields(b, s);
    if (log) slices(b, log, until_us);
}

/* --- objective, sizes, metrics --- */

static void objective(fl_buf *b, const json_t *meta)
{
    const json_t *t = json_object_get(meta, "trained"), *c = json_object_get(t, "config"),
                 *net = json_object_get(meta, "network");

    fl_buf_puts(b, "\n## Objective and size\n\n");
    if (!net) {
        fl_buf_puts(b, "The fold alone: counters, means and ages of every entity, with constants "
                       "learnt from the events. No network, no embedding.\n");
        return;
    }
    fl_buf_puts(b, "The next event of every payer and payee is predicted from its past, field by "
                   "field, without any label.\n\n");
    fl_buf_printf(b, "- Backbone %s, %lld numbers of state, %lld parameters, weights in %s\n",
                  fl_json_str(net, "backbone", "?"), (long long)fl_json_int(c, "hidden", 0),
                  (long long)fl_json_int(t, "parameters", 0), fl_json_str(c, "precision", "fp32"));
    fl_buf_printf(b, "- Epochs %g, seed %lld, learning rate %g", fl_json_num(c, "epochs", 0),
                  (long long)fl_json_int(t, "seed", 0), fl_json_num(c, "rate", 0));
    const json_t *s =
        json_object_get(t, "payer") ? json_object_get(t, "payer") : json_object_get(t, "payee");
    fl_buf_printf(b, ", %lld steps%s\n", (long long)fl_json_int(s, "steps", 0),
                  fl_json_bool(s, "stopped_early", false) ? ", stopped early" : "");
    if (json_object_get(t, "finetuned"))
        fl_buf_puts(b, "- Fine-tuned on a task's labels afterwards\n");
}

static const char *best_baseline(const json_t *base, double *nats)
{
    const char *name, *best = NULL;
    const json_t *v;

    *nats = INFINITY;
    json_object_foreach((json_t *)(uintptr_t)base, name, v)
    {
        double x = fl_json_num(v, "sum", INFINITY);
        if (x < *nats) {
            *nats = x;
            best = name;
        }
    }
    return best;
}

/* Rows of the table of held-out nats; worse: fields where counting is better. */
static void metrics(fl_buf *b, const json_t *meta, fl_buf *worse)
{
    const json_t *all = json_object_get(meta, "metrics"), *stream, *slice;
    const char *s, *k;

    if (!all || !json_object_size(all)) return;
    fl_buf_puts(b, "\n## Metrics\n\nNats of the next event on events that were held out; less is "
                   "better.\n\n| stream | slice | events | model | best simple baseline |\n"
                   "|---|---|---|---|---|\n");
    json_object_foreach((json_t *)(uintptr_t)all, s, stream)
        json_object_foreach((json_t *)(uintptr_t)stream, k, slice)
    {
        double nats;
        const json_t *field;
        size_t i;
        const char *best = best_baseline(
            json_object_get(json_object_get(json_object_get(meta, "baselines"), s), k), &nats);
        fl_buf_printf(b, "| %s | %s | %lld | %.3f | %.3f (%s) |\n", s,
                      !strcmp(k, "later") ? "later in time" : "entities never seen",
                      (long long)fl_json_int(slice, "events", 0),
                      fl_json_num(json_object_get(slice, "nats"), "sum", 0),
                      isfinite(nats) ? nats : 0, best ? best : "none");
        json_array_foreach(json_object_get(slice, "worse_than_a_baseline"), i, field)
        {
            if (!i)
                fl_buf_printf(worse,
                              "- Counting predicts these of a %s's next event better (%s):", s,
                              !strcmp(k, "later") ? "later in time" : "entities never seen");
            fl_buf_printf(worse, "%s `%s`", i ? "," : "", json_string_value(field));
        }
        if (i) fl_buf_puts(worse, "\n");
    }
}

static void limits(fl_buf *b, const fl_schema *s, const json_t *meta, const fl_buf *worse)
{
    char until[32];

    fl_time_format(fl_json_int(json_object_get(meta, "trained"), "until_us", 0), until);
    fl_buf_printf(b,
                  "\n## Limits\n\n- It knows the data above and nothing else: other countries, "
                  "products, currencies and times after %.10s are guesses until measured\n",
                  until);
    fl_buf_puts(
        b, "- An entity with few events has little of a state; figures for such entities stand "
           "apart above (\"never seen\") and in the slices of the tasks\n");
    if (worse->data) fl_buf_puts(b, worse->data);
    if (s->labels)
        fl_buf_puts(b,
                    "- Labels arrive late and not for every event: silence is no proof of good\n");
    fl_buf_puts(b, "- It was not examined for unequal treatment of groups of people\n");
    fl_buf_puts(
        b, "\n## Intended use\n\nFeatures, embeddings and scores for tasks on logs of the same "
           "schema, each judged on later data of your own before it decides anything. Not for "
           "decisions about people without a human's review, and not for data of another "
           "schema (it is refused).\n");
}

florin_status fl_card_text(fl_buf *out, const fl_model_file *f, const fl_log *log,
                           florin_error *err)
{
    const json_t *meta = fl_model_file_json(f);
    fl_schema *s = NULL;
    fl_buf worse = {0};
    florin_status st =
        fl_schema_from_json(&s, json_object_get(meta, "schema"), fl_model_file_path(f), err);

    if (st) return st;
    fl_buf_printf(out, "# Model card\n\n%s`%s`\n", HASH_MARK, fl_model_file_hash(f));
    data(out, s, log, json_object_get(meta, "trained"));
    objective(out, meta);
    metrics(out, meta, &worse);
    limits(out, s, meta, &worse);
    const json_t *heads = json_object_get(meta, "heads"), *h;
    size_t i;
    if (json_array_size(heads)) fl_buf_puts(out, "\n## Heads\n\n");
    json_array_foreach(heads, i, h) fl_buf_printf(
        out, "- `%s`: %zu inputs, %s\n", fl_json_str(h, "name", ""),
        json_array_size(json_object_get(h, "inputs")),
        fl_json_bool(h, "per_event", false) ? "of events" : fl_json_str(h, "kind", "of entities"));
    fl_buf_free(&worse);
    fl_schema_free(s);
    return out->failed ? fl_fail(err, FLORIN_ENOMEM, "card") : FLORIN_OK;
}

/* --- tasks --- */

static void interval(fl_buf *b, const json_t *v)
{
    if (json_is_number(v)) fl_buf_printf(b, "%.4f", json_number_value(v));
    else
        fl_buf_printf(b, "%.4f [%.4f, %.4f]", fl_json_num(v, "value", 0), fl_json_num(v, "low", 0),
                      fl_json_num(v, "high", 0));
}

static void system_rows(fl_buf *b, const json_t *systems)
{
    const json_t *s, *v;
    const char *name;
    size_t i;

    fl_buf_puts(b, "\n| system | metric | value [95 %] |\n|---|---|---|\n");
    json_array_foreach(systems, i, s)
        json_object_foreach((json_t *)(uintptr_t)json_object_get(s, "metrics"), name, v)
    {
        if (!json_object_get(v, "low")) continue;
        fl_buf_printf(b, "| %s (%s) | %s | ", fl_json_str(s, "name", ""),
                      fl_json_str(s, "label", ""), name);
        interval(b, v);
        fl_buf_puts(b, " |\n");
    }
}

static void worst_slices(fl_buf *b, const json_t *list)
{
    const json_t *s;
    size_t i;

    if (!json_array_size(list)) return;
    fl_buf_puts(b, "\nWorst slices:\n\n| slice | rows | positives | metric | value [95 %] |\n"
                   "|---|---|---|---|---|\n");
    json_array_foreach(list, i, s)
    {
        if (i == 5) break;
        fl_buf_printf(b, "| %s: %s | %lld | %lld | %s | ", fl_json_str(s, "field", ""),
                      fl_json_str(s, "value", ""), (long long)fl_json_int(s, "rows", 0),
                      (long long)fl_json_int(s, "positives", 0), fl_json_str(s, "metric", ""));
        interval(b, json_object_get(s, "figure"));
        fl_buf_puts(b, " |\n");
    }
}

static void task_section(fl_buf *b, const json_t *r)
{
    const json_t *test = json_object_get(r, "test"), *train = json_object_get(r, "train"), *d;
    size_t i;

    fl_buf_printf(b, "%s%s\n\n", TASK_MARK, fl_json_str(r, "task", ""));
    if (*fl_json_str(r, "about", "")) fl_buf_printf(b, "%s\n\n", fl_json_str(r, "about", ""));
    if (*fl_json_str(r, "data", "")) fl_buf_printf(b, "- Data: %s\n", fl_json_str(r, "data", ""));
    if (train)
        fl_buf_printf(b, "- Learnt from %lld rows, %lld positive\n",
                      (long long)fl_json_int(train, "rows", 0),
                      (long long)fl_json_int(train, "positives", 0));
    fl_buf_printf(b, "- Judged on %s, %.19s to %.19s: %lld rows, %lld positive\n",
                  fl_json_str(r, "part", "test"), fl_json_str(test, "from", ""),
                  fl_json_str(test, "to", ""), (long long)fl_json_int(test, "rows", 0),
                  (long long)fl_json_int(test, "positives", 0));
    system_rows(b, json_object_get(r, "systems"));
    fl_buf_puts(b, "\n");
    json_array_foreach(json_object_get(r, "differences"), i, d)
    {
        fl_buf_printf(b, "- %s - %s, paired %s: ", fl_json_str(d, "a", ""), fl_json_str(d, "b", ""),
                      fl_json_str(d, "metric", ""));
        interval(b, d);
        fl_buf_puts(b, "\n");
    }
    worst_slices(b, json_object_get(r, "slices"));
}

/* The sections of tasks of a card, but that of `name`. */
static void other_tasks(fl_buf *b, const char *card, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = strstr(card, TASK_MARK), *next; at; at = next) {
        const char *title = at + sizeof TASK_MARK - 1;
        next = strstr(title, TASK_MARK);
        if (!strncmp(title, name, n) && title[n] == '\n') continue;
        fl_buf_add(b, at, next ? (size_t)(next - at) : strlen(at));
    }
}

static florin_status read_beside(char **out, const char *model, florin_error *err)
{
    char *path = fl_card_path(model);
    size_t n = 0;
    florin_status st = path ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "card");

    *out = NULL;
    if (!st && fl_file_exists(path)) st = fl_read_file(out, &n, path, CARD_MAX, err);
    free(path);
    return st;
}

florin_status fl_card_read(fl_buf *out, const char *model, florin_error *err)
{
    fl_model_file *f = NULL;
    char *beside = NULL;
    florin_status st = fl_model_file_open(&f, model, err);

    if (!st) st = read_beside(&beside, model, err);
    const char *hash = beside ? strstr(beside, HASH_MARK) : NULL;
    if (!st && hash && !strncmp(hash + sizeof HASH_MARK, fl_model_file_hash(f), 64))
        fl_buf_puts(out, beside);
    else if (!st) st = fl_card_text(out, f, NULL, err);
    free(beside);
    fl_model_file_close(f);
    return st;
}

florin_status fl_card_write(const char *model, const fl_log *log, const char *base_card,
                            const json_t *result, florin_error *err)
{
    fl_model_file *f = NULL;
    fl_buf b = {0};
    char *path = fl_card_path(model);
    florin_status st =
        path ? fl_model_file_open(&f, model, err) : fl_fail(err, FLORIN_ENOMEM, "card");

    if (!st) st = fl_card_text(&b, f, log, err);
    if (!st && base_card) other_tasks(&b, base_card, fl_json_str(result, "task", ""));
    if (!st && result) task_section(&b, result);
    if (!st && b.failed) st = fl_fail(err, FLORIN_ENOMEM, "card");
    if (!st) st = fl_write_file(path, b.data, b.len, err);
    fl_model_file_close(f);
    fl_buf_free(&b);
    free(path);
    return st;
}

void fl_card_beside(const char *model, const fl_log *log, const char *base_card,
                    const json_t *result, const florin_context *ctx)
{
    florin_error err;

    if (fl_card_write(model, log, base_card, result, &err))
        fl_say(ctx, FLORIN_LOG_WARN, "the model is written, its card is not: %s", err.message);
}

char *fl_card_old(const char *model)
{
    char *card = NULL;

    return model && read_beside(&card, model, NULL) == FLORIN_OK ? card : NULL;
}
