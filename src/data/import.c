/* Import. Every source becomes one SELECT (import_sql.c); C checks each cell. Small inputs are streamed in file order and sorted by the log writer; past the memory option all
 * event sources are one UNION that DuckDB sorts by time on disk. Invariant: the log changes at the commit or not at
 * all. */
#include "data/import.h"
#include "base/file.h"
#include "data/import_cells.h"
#include "data/import_parts.h"
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VALUE_MAX = 65536, /* bytes of one cell; longer ones are rejected */
    CARDS_SURE = 16,
    MEMORY_PER_BYTE = 5, /* of a table as text, while its rows wait to be sorted */
    PACKED = 4,          /* bytes of text in one of Parquet */
    DUCK_MEMORY_MIN = 64 << 20,
    THREADS_MEMORY = 512 << 20
};

/* ---- cells ---- */

typedef struct {
    const char *s;
    size_t n;
} cell;

static cell get(const fl_duck_result *q, uint32_t c, uint64_t r)
{
    cell x = {NULL, 0};
    if (!fl_duck_null(q, c, r)) x.s = fl_duck_text(q, c, r, &x.n);
    if (!x.n) x.s = NULL;
    return x;
}

static const char *read_fields(fl_importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row,
                               const char **field)
{
    const fl_schema *s = m->schema;
    uint32_t c = C_FIELDS + s->kinds + s->categories;
    row->number_present = 0;
    for (uint32_t f = 0; f < s->numbers; f++, c++) {
        cell x = get(q, c, r);
        double d = 0;
        *field = s->number[f].name;
        if (x.s && !fl_number_parse(x.s, x.n, &d)) return "not a finite number";
        if (d > 3e38 || d < -3e38) return "number out of range";
        row->number[f] = (float)d;
        if (x.s) row->number_present |= 1u << f;
    }
    row->marks = 0;
    for (uint32_t f = 0; f < s->marks; f++, c++) {
        cell x = get(q, c, r);
        bool yes = false;
        *field = s->mark[f].name;
        if (x.s && !fl_yes_no(x.s, x.n, &yes)) return "neither yes nor no";
        if (yes) row->marks |= (uint8_t)(1u << f);
    }
    return NULL;
}

static const char *read_amount(fl_importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row,
                               const char **field)
{
    const fl_source *src = &m->schema->source[row->type];
    row->amount_minor = FL_AMOUNT_NONE;
    row->currency = 0;
    int exponent = m->exponent;
    cell cur = get(q, C_CURRENCY, r);
    *field = "currency";
    if (cur.s) {
        char code[4] = {0};
        if (!fl_currency_pack(m->schema, cur.s, cur.n, &row->currency))
            return "not a currency of three letters";
        for (int i = 0; i < 3; i++) code[i] = cur.s[i] >= 'a' ? (char)(cur.s[i] - 32) : cur.s[i];
        exponent = fl_currency_exponent(code);
    }
    *field = "amount";
    if (!src->amount.sql) return NULL;
    cell a = get(q, C_AMOUNT, r);
    if (!a.s) return "missing";
    if (!fl_decimal_parse(a.s, a.n, exponent, &row->amount_minor))
        return "not a finite decimal number";
    return NULL;
}

/* Card numbers in a column that does not say so: better refused than stored. A lone right check digit is chance (one
 * number in ten), most of them being right is not. */
static florin_status refuse_cards(fl_importer *m, const fl_card_watch *w, const fl_expr *e,
                                  bool entity, bool end)
{
    if (!w->cards || w->cards * 10 < w->longs * 6 || (!end && w->longs < CARDS_SURE))
        return FLORIN_OK;
    return fl_fail(m->err, FLORIN_EINPUT,
                   entity ? "%s: column '%s' holds card numbers: use a token instead, or write "
                            "`card_numbers: true` into the schema (they are then hashed and never "
                            "kept)"
                          : "%s: column '%s' holds card numbers, which only an entity may (there "
                            "they are hashed): use a token instead, or leave the column out",
                   m->path[w->source], e->column);
}

static florin_status watch(fl_importer *m, fl_card_watch *w, uint32_t source, cell x,
                           const fl_expr *e, bool entity)
{
    if (x.n < 13 || x.n > 24) return FLORIN_OK;
    size_t digits = 0;
    for (size_t k = 0; k < x.n; k++) digits += x.s[k] >= '0' && x.s[k] <= '9';
    if (digits < 13 || digits > 19 || digits + 5 < x.n) return FLORIN_OK;
    w->longs++;
    if (!fl_is_card_number(x.s, x.n)) return FLORIN_OK;
    w->cards++;
    w->source = source;
    return refuse_cards(m, w, e, entity, false);
}

/* Few long values all in all: judged when there are no more. */
static florin_status watch_end(fl_importer *m)
{
    const fl_schema *s = m->schema;
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < s->sources && !st; i++)
        st = refuse_cards(m, &m->id[i], &s->source[i].id, false, true);
    for (uint32_t k = 0; k < s->kinds && !st && !s->card_numbers; k++)
        st = refuse_cards(m, &m->entity[k], &s->source[m->entity[k].source].entity[k], true, true);
    for (uint32_t f = 0; f < s->categories && !st; f++)
        st = refuse_cards(m, &m->category[f], &s->source[m->category[f].source].category[f], false,
                          true);
    return st;
}

/* Each value is looked at when it is new. */
static florin_status codes(fl_importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[row->type];
    florin_status st = FLORIN_OK;
    uint32_t c = C_FIELDS;
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) row->entity[k] = FL_NONE;
    for (uint32_t k = 0; k < s->kinds && !st; k++, c++) {
        cell x = get(q, c, r);
        fl_card_watch *w = &m->entity[k];
        if (x.s) st = fl_log_writer_entity(m->w, (int)k, x.s, x.n, &row->entity[k], m->err);
        if (st || !x.s || row->entity[k] < w->known) continue;
        w->known = row->entity[k] + 1;
        if (!s->card_numbers) st = watch(m, w, row->type, x, &src->entity[k], true);
    }
    for (uint32_t f = 0; f < s->categories && !st; f++, c++) {
        cell x = get(q, c, r);
        fl_card_watch *w = &m->category[f];
        row->category[f] = FL_NONE;
        if (x.s) st = fl_log_writer_value(m->w, (int)f, x.s, x.n, &row->category[f], m->err);
        if (st || !x.s || row->category[f] < w->known) continue;
        w->known = row->category[f] + 1;
        st = watch(m, w, row->type, x, &src->category[f], false);
    }
    return st;
}

/* Identity of a row without an id: its cells, and how many equal rows came before it. */
static florin_status row_identity(fl_importer *m, const fl_duck_result *q, uint64_t r,
                                  fl_log_row *row)
{
    uint64_t h = fl_mix64(row->type + 1u);
    int64_t t = row->time_us;
    h = fl_hash64(&t, sizeof t, h);
    for (uint32_t c = C_AMOUNT; c < C_FIELDS + m->schema->kinds + m->schema->categories +
                                        m->schema->numbers + m->schema->marks;
         c++) {
        cell x = get(q, c, r);
        h = fl_hash64(x.s ? x.s : "", x.n, h + c);
    }
    bool inserted;
    uint32_t *n = fl_map64_insert(&m->same_rows, h | 1, &inserted);
    if (!n) return fl_fail(m->err, FLORIN_ENOMEM, "%zu rows without id", m->same_rows.count);
    row->id_hash = fl_mix64((h | 1) + (*n)++) | 1;
    row->id = NULL;
    return FLORIN_OK;
}

static const char *too_long(const fl_importer *m, const fl_duck_result *q, uint64_t r,
                            const char **field)
{
    uint32_t end = C_FIELDS + m->schema->kinds + m->schema->categories;
    *field = "row";
    for (uint32_t c = C_TIME_TEXT; c < end; c++)
        if (get(q, c, r).n > VALUE_MAX) {
            if (c >= C_FIELDS + m->schema->kinds)
                *field = m->schema->category[c - C_FIELDS - m->schema->kinds].name;
            else if (c >= C_FIELDS) *field = m->schema->kind[c - C_FIELDS].name;
            return "value longer than 64 KiB";
        }
    return NULL;
}

typedef struct {
    bool present[FL_LABELS_MAX];
    float value[FL_LABELS_MAX];
    int64_t arrival_us[FL_LABELS_MAX];
} row_labels;

static const char *read_labels(const fl_importer *m, const fl_duck_result *q, uint64_t r,
                               uint32_t source, int64_t time_us, row_labels *out,
                               const char **field)
{
    const fl_schema *s = m->schema;
    uint32_t c = C_FIELDS + s->kinds + s->categories + s->numbers + s->marks;
    for (uint32_t l = 0; l < s->labels; l++, c += 2) {
        cell x = get(q, c, r);
        bool yes;
        double d = 0;
        *field = s->label[l].name;
        out->present[l] = x.s != NULL;
        if (!x.s) continue;
        if (fl_yes_no(x.s, x.n, &yes)) d = yes;
        else if (!fl_number_parse(x.s, x.n, &d)) return "label is neither yes/no nor a number";
        out->value[l] = (float)d;
        bool column = s->source[source].label[l].arrival.sql != NULL;
        if (column && fl_duck_null(q, c + 1, r)) {
            if (d != 0) return "label without the time of its arrival";
            out->present[l] = false;
            continue;
        }
        out->arrival_us[l] = (column ? ((const int64_t *)fl_duck_data(q, c + 1))[r] : time_us) +
                             s->source[source].label[l].delay_us;
        if (out->arrival_us[l] < time_us) return "label arrives before its event";
    }
    return NULL;
}

static florin_status add_labels(fl_importer *m, uint64_t id, const row_labels *l)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < m->schema->labels && !st; i++)
        if (l->present[i])
            st = fl_log_writer_label(m->w, id, (uint8_t)i, l->value[i], l->arrival_us[i], m->err);
    return st;
}

static florin_status take_row(fl_importer *m, const fl_duck_result *q, uint64_t r)
{
    uint32_t source = ((const uint32_t *)fl_duck_data(q, C_SOURCE))[r];
    uint64_t number = ((const uint64_t *)fl_duck_data(q, C_ROW))[r];
    const fl_source *src = &m->schema->source[source];
    const char *field = "time", *why = NULL;
    fl_log_row row = {0};
    row_labels labels = {0};
    row.type = (uint8_t)source;
    m->stats->read++;
    if (m->refused) return FLORIN_OK;
    if (!((const bool *)fl_duck_data(q, C_KEEP))[r]) {
        m->stats->dropped++;
        return FLORIN_OK;
    }
    if (fl_duck_null(q, C_TIME, r)) why = get(q, C_TIME_TEXT, r).s ? "not a time" : "missing";
    else row.time_us = ((const int64_t *)fl_duck_data(q, C_TIME))[r];
    if (!why && (row.time_us < -(INT64_C(1) << 58) || row.time_us > INT64_C(1) << 58))
        why = "time out of range";
    if (!why) why = too_long(m, q, r, &field);
    if (!why && src->label_of < 0) why = read_amount(m, q, r, &row, &field);
    if (!why && src->label_of < 0) why = read_fields(m, q, r, &row, &field);
    if (!why) why = read_labels(m, q, r, source, row.time_us, &labels, &field);
    cell id = get(q, C_ID, r);
    bool wants_id = src->id.sql || src->label_of >= 0;
    if (!why && wants_id && !id.s) field = "id", why = "missing";
    if (why) return fl_rejects_add(m, source, number, field, why);
    if (src->label_of >= 0)
        return add_labels(m, fl_event_id_hash((uint32_t)src->label_event, id.s, id.n), &labels);

    if (wants_id) {
        row.id_hash = fl_event_id_hash(source, id.s, id.n);
        fl_log_writer_soon(m->w, row.id_hash);
    }
    florin_status st = codes(m, q, r, &row);
    if (!st && !wants_id) st = row_identity(m, q, r, &row);
    if (!st && wants_id) {
        row.id = id.s;
        row.id_len = id.n;
        st = watch(m, &m->id[source], source, id, &src->id, false);
    }
    if (!st) st = fl_log_writer_row(m->w, &row, m->err);
    return st ? st : add_labels(m, row.id_hash ? row.id_hash : 1, &labels);
}

/* ---- the run ---- */

static florin_status run_query(fl_importer *m, const char *sql, const char *stage)
{
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    florin_status st = fl_duck_query(&q, m->db, sql, false, m->err);
    while (!st && !(st = fl_duck_next(q, &rows, m->err)) && rows) {
        for (uint64_t r = 0; r < rows && !st; r++) st = take_row(m, q, r);
        fl_progress(m->ctx, stage, m->stats->read, 0);
        if (st) break;
    }
    fl_duck_result_free(q);
    return st;
}

static florin_status stream_sources(fl_importer *m, bool labels)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < m->schema->sources && !st; i++) {
        if (!m->path[i] || (m->schema->source[i].label_of >= 0) != labels) continue;
        fl_buf sql = {0};
        fl_import_select(&sql, m, i);
        st = sql.failed ? fl_fail(m->err, FLORIN_ENOMEM, "import")
                        : run_query(m, sql.data, m->schema->source[i].name);
        st = fl_import_blame(m, i, st);
        if (st == FLORIN_EINPUT || st == FLORIN_EIO) {
            if (!m->err || strncmp(m->err->message, m->path[i], strlen(m->path[i])))
                fl_fail_prefix(m->err, "%s", m->path[i]);
        }
        if (!st) st = fl_rejects_settle(m, i, i + 1);
        fl_buf_free(&sql);
    }
    return st;
}

static florin_status sorted_sources(fl_importer *m)
{
    fl_buf sql = {0};
    fl_buf_puts(&sql, "SELECT * FROM (");
    bool first = true;
    for (uint32_t i = 0; i < m->schema->sources; i++) {
        if (!m->path[i] || m->schema->source[i].label_of >= 0) continue;
        fl_buf_puts(&sql, first ? "(" : " UNION ALL (");
        fl_import_select(&sql, m, i);
        fl_buf_puts(&sql, ")");
        first = false;
    }
    fl_buf_puts(&sql, ") AS t ORDER BY 4 NULLS FIRST, 1, 2");
    florin_status st = FLORIN_OK;
    if (!first)
        st = sql.failed ? fl_fail(m->err, FLORIN_ENOMEM, "import")
                        : run_query(m, sql.data, "sorting on disk");
    for (uint32_t i = 0; i < m->schema->sources && st == FLORIN_EINPUT; i++)
        if (m->path[i] && m->schema->source[i].label_of < 0 &&
            (!m->err || !strstr(m->err->message, ": field ")))
            st = fl_import_blame(m, i, st);
    if (!st) st = fl_rejects_settle(m, 0, m->schema->sources);
    fl_buf_free(&sql);
    return st;
}

/* Which file each source reads: named by the caller, or the schema's own beside it. */
static florin_status find_files(fl_importer *m)
{
    const fl_schema *s = m->schema;
    for (uint32_t i = 0; i < m->opt->n_files; i++) {
        const char *arg = m->opt->files[i], *eq = strchr(arg, '=');
        int source = 0;
        if (eq) {
            char name[FL_NAME_MAX] = {0};
            if ((size_t)(eq - arg) < sizeof name) memcpy(name, arg, (size_t)(eq - arg));
            source = fl_schema_source(s, name);
            if (source < 0 && fl_file_exists(arg)) eq = NULL, source = 0;
            if (source < 0)
                return fl_fail(m->err, FLORIN_EUSAGE, "'%s': the schema has no source '%s'", arg,
                               name);
        }
        free(m->path[source]);
        m->path[source] = fl_strdup(eq ? eq + 1 : arg);
        if (!m->path[source]) return fl_fail(m->err, FLORIN_ENOMEM, "import");
    }
    for (uint32_t i = 0; i < s->sources && !m->opt->n_files; i++) {
        if (!s->source[i].file)
            return fl_fail(m->err, FLORIN_EUSAGE, "source '%s' names no file: give it as %s=FILE",
                           s->source[i].name, s->source[i].name);
        char *dir = fl_path_dir(s->path ? s->path : ".");
        m->path[i] = dir ? fl_path_join(dir, s->source[i].file) : NULL;
        free(dir);
        if (!m->path[i]) return fl_fail(m->err, FLORIN_ENOMEM, "import");
    }
    struct stat sb;
    for (uint32_t i = 0; i < s->sources; i++)
        if (m->path[i] && !stat(m->path[i], &sb)) {
            size_t n = strlen(m->path[i]);
            bool packed = n > 8 && !strcmp(m->path[i] + n - 8, ".parquet");
            m->bytes += (uint64_t)sb.st_size * (packed ? PACKED : 1);
        }
    return FLORIN_OK;
}

static florin_status check_zone(fl_importer *m)
{
    const char *zone = m->schema->time_zone;
    fl_buf sql = {0};
    if (!zone || !strcmp(zone, "UTC")) return FLORIN_OK;
    fl_buf_puts(&sql, "SELECT timezone('");
    for (const char *p = zone; *p; p++) fl_buf_printf(&sql, *p == '\'' ? "''" : "%c", *p);
    fl_buf_puts(&sql, "', TIMESTAMP '2000-01-01')");
    florin_status st = sql.failed ? FLORIN_ENOMEM : fl_duck_exec(m->db, sql.data, NULL);
    fl_buf_free(&sql);
    if (!st) return st;
    return fl_fail(m->err, FLORIN_EINPUT,
                   "%s: time_zone '%s' is unknown: name one as Europe/Berlin",
                   m->schema->path ? m->schema->path : "schema", zone);
}

/* What a sort that was killed left behind. The lock is held: nobody else is sorting here. */
static void clear_temp(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(path);
}

static florin_status open_all(fl_importer *m)
{
    florin_status st = find_files(m);
    uint64_t memory = m->ctx && m->ctx->memory_bytes ? m->ctx->memory_bytes : UINT64_C(2) << 30;
    bool sort = m->opt->force_sort || m->bytes > memory / MEMORY_PER_BYTE;
    m->stats->sorted_on_disk = sort;
    char *temp = fl_path_join(m->opt->log, "tmp");
    char *rejects =
        m->opt->rejects ? fl_strdup(m->opt->rejects) : fl_path_join(m->opt->log, "rejects.csv");
    if (!st && (!temp || !rejects || !fl_map64_init(&m->same_rows, 1024)))
        st = fl_fail(m->err, FLORIN_ENOMEM, "import");
    if (!st) st = fl_rejects_open(&m->rejects, rejects, m->err);
    fl_duck_options duck = {.memory_bytes = sort ? memory / 2 : memory, .temp_dir = temp};
    if (duck.memory_bytes < DUCK_MEMORY_MIN) duck.memory_bytes = DUCK_MEMORY_MIN;
    if (sort && memory < THREADS_MEMORY) duck.threads = 1; /* each keeps buffers of its own */
    if (!st) st = fl_duck_open(&m->db, &duck, m->ctx, m->err);
    if (!st) st = check_zone(m);
    for (uint32_t i = 0; i < m->schema->sources && !st; i++)
        if (m->path[i])
            st = fl_source_relation(&m->relation[i], m->db, m->schema, &m->schema->source[i],
                                    m->path[i], m->err);
    /* The log is touched only when all files have been looked at. */
    if (!st)
        st = fl_log_writer_open(&m->w, m->opt->log, m->schema, sort, !m->opt->no_ids, m->ctx,
                                m->err);
    if (!st) clear_temp(temp);
    free(rejects);
    free(temp);
    return st;
}

static void close_all(fl_importer *m)
{
    for (uint32_t i = 0; i < FL_SOURCES_MAX; i++) {
        fl_relation_free(&m->relation[i]);
        free(m->path[i]);
    }
    fl_duck_close(m->db);
    fl_log_writer_abort(m->w);
    fl_rejects_close(m->rejects);
    fl_map64_free(&m->same_rows);
    char *temp = fl_path_join(m->opt->log, "tmp");
    if (temp) rmdir(temp);
    free(temp);
}

florin_status fl_import(const fl_schema *schema, const fl_import_options *opt,
                        fl_import_stats *stats, const florin_context *ctx, florin_error *err)
{
    memset(stats, 0, sizeof *stats);
    fl_importer m = {.schema = schema, .opt = opt, .stats = stats, .ctx = ctx, .err = err};
    m.exponent = fl_currency_exponent(schema->currency);
    florin_status st = open_all(&m);
    if (!st) st = stats->sorted_on_disk ? sorted_sources(&m) : stream_sources(&m, false);
    if (!st) st = stream_sources(&m, true);
    if (!st && fl_cancelled(ctx))
        st = fl_fail(err, FLORIN_ECANCELLED, "import: stopped, the log is as it was");
    if (!st) st = watch_end(&m);
    if (!st) st = fl_rejects_commit(m.rejects, err);
    if (!st) {
        fl_log_writer *w = m.w;
        m.w = NULL;
        st = fl_log_writer_commit(w, &stats->written, err);
    }
    close_all(&m);
    return st;
}
