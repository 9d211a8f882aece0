/* Import. Every source becomes one SELECT with the same columns in the same order, all as text but the times; C
 * checks each cell. Small inputs are streamed in file order and sorted by the log writer; past the memory option all
 * event sources are one UNION that DuckDB sorts by time on disk. Invariant: the log changes at the commit or not at
 * all. */
#include "data/import.h"
#include "base/file.h"
#include "data/import_cells.h"
#include "data/source.h"
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VALUE_MAX = 65536, /* bytes of one cell; longer ones are rejected */
    C_SOURCE = 0,
    C_ROW,
    C_KEEP,
    C_TIME,
    C_TIME_TEXT,
    C_ID,
    C_AMOUNT,
    C_CURRENCY,
    C_FIELDS
};

typedef struct {
    const fl_schema *schema;
    const fl_import_options *opt;
    fl_import_stats *stats;
    const florin_context *ctx;
    florin_error *err;
    fl_duck *db;
    fl_log_writer *w;
    fl_writer *rejects;
    char *rejects_path;
    char *path[FL_SOURCES_MAX];
    fl_relation relation[FL_SOURCES_MAX];
    fl_map64 same_rows; /* of rows without an id: how many equal ones came before */
    uint64_t bytes, seen;
    int exponent;
} importer;

/* ---- SQL ---- */

static const char *const NO_TEXT = "NULL::VARCHAR";

static void add_text(fl_buf *b, const fl_expr *e)
{
    if (e->sql) fl_buf_printf(b, ", CAST((%s) AS VARCHAR)", e->sql);
    else fl_buf_printf(b, ", %s", NO_TEXT);
}

/* A moment in UTC from text or number. Bare numbers are epochs, told apart by size (seconds until year 5138). */
static void add_time(fl_buf *b, const fl_schema *s, const char *sql, const char *format)
{
    fl_buf t = {0};
    fl_buf_printf(&t, "CAST((%s) AS VARCHAR)", sql);
    const char *x = t.data ? t.data : "NULL";
    fl_buf naive = {0};
    if (format) {
        fl_buf_printf(&naive, "CAST(try_strptime(trim(%s), '", x);
        for (const char *p = format; *p; p++) fl_buf_printf(&naive, *p == '\'' ? "''" : "%c", *p);
        fl_buf_puts(&naive, "') AS TIMESTAMP)");
    } else {
        fl_buf_printf(&naive, "TRY_CAST(trim(%s) AS TIMESTAMP)", x);
    }
    const char *n = naive.data ? naive.data : "NULL";
    bool utc = !s->time_zone || !strcmp(s->time_zone, "UTC");
    fl_buf_puts(b, ", CASE WHEN false THEN NULL::TIMESTAMP");
    if (!format)
        fl_buf_printf(b,
                      " WHEN TRY_CAST(%s AS DOUBLE) IS NOT NULL AND abs(TRY_CAST(%s AS DOUBLE)) < "
                      "1e17 THEN make_timestamp(CAST(TRY_CAST(%s AS DOUBLE) * CASE WHEN "
                      "abs(TRY_CAST(%s AS DOUBLE)) < 1e11 THEN 1e6 WHEN abs(TRY_CAST(%s AS "
                      "DOUBLE)) < 1e14 THEN 1e3 ELSE 1 END AS BIGINT))",
                      x, x, x, x, x);
    if (!utc) {
        fl_buf_printf(b,
                      " WHEN NOT regexp_matches(trim(%s), '([+-]\\d\\d:?\\d\\d|[+-]\\d\\d|Z)$') OR "
                      "regexp_matches(trim(%s), '^\\d+-\\d+-\\d+$') THEN CAST(timezone('",
                      x, x);
        for (const char *p = s->time_zone; *p; p++) fl_buf_printf(b, *p == '\'' ? "''" : "%c", *p);
        fl_buf_printf(b, "', %s) AS TIMESTAMP)", n);
    }
    fl_buf_printf(b, " ELSE %s END", n);
    fl_buf_free(&t);
    fl_buf_free(&naive);
}

/* One source's SELECT; see the C_ list for its columns, then entities, categories, numbers, marks and, per label, value
 * and arrival. A source of labels uses id for the event it speaks of and its label's value column. */
static void add_select(fl_buf *b, const importer *m, uint32_t i)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    fl_buf_printf(b, "SELECT %u::UINTEGER, CAST(row_number() OVER () + %u AS UBIGINT)", i,
                  m->relation[i].first - 1);
    if (src->where) fl_buf_printf(b, ", coalesce(CAST((%s) AS BOOLEAN), false)", src->where);
    else fl_buf_puts(b, ", true");
    add_time(b, s, src->time.sql, src->time_format);
    add_text(b, &src->time);
    add_text(b, src->label_of >= 0 ? &src->of : &src->id);
    add_text(b, &src->amount);
    add_text(b, &src->currency);
    for (uint32_t k = 0; k < s->kinds; k++) add_text(b, &src->entity[k]);
    for (uint32_t f = 0; f < s->categories; f++) add_text(b, &src->category[f]);
    for (uint32_t f = 0; f < s->numbers; f++) add_text(b, &src->number[f]);
    for (uint32_t f = 0; f < s->marks; f++) add_text(b, &src->mark[f]);
    for (uint32_t l = 0; l < s->labels; l++) {
        add_text(b, src->label_of == (int)l ? &src->of_value : &src->label[l].value);
        if (src->label[l].arrival.sql) add_time(b, s, src->label[l].arrival.sql, NULL);
        else fl_buf_puts(b, ", NULL::TIMESTAMP");
    }
    fl_buf_printf(b, " FROM %s", m->relation[i].sql);
}

/* ---- rejects ---- */

static florin_status reject(importer *m, uint32_t source, uint64_t row, const char *field,
                            const char *reason)
{
    fl_import_stats *t = m->stats;
    florin_status st = FLORIN_OK;
    t->rejected++;
    uint32_t i = 0;
    while (i < t->reasons && strcmp(t->reason[i].reason, reason)) i++;
    if (i == t->reasons && i < FL_REJECT_REASONS) {
        snprintf(t->reason[i].reason, sizeof t->reason[i].reason, "%s", reason);
        t->reason[t->reasons++].count = 0;
    }
    if (i < FL_REJECT_REASONS) t->reason[i].count++;
    if (!m->rejects) {
        st = fl_writer_open(&m->rejects, m->rejects_path, 0600, m->err);
        static const char head[] = "source,row,field,reason\n";
        if (!st) st = fl_writer_add(m->rejects, head, sizeof head - 1, m->err);
    }
    fl_buf b = {0};
    fl_buf_printf(&b, "%s,%llu,%s,%s\n", m->schema->source[source].name, (unsigned long long)row,
                  field, reason);
    if (!st && b.failed) st = fl_fail(m->err, FLORIN_ENOMEM, "rejected rows");
    if (!st) st = fl_writer_add(m->rejects, b.data, b.len, m->err);
    fl_buf_free(&b);
    if (!st && m->opt->strict)
        st = fl_fail(m->err, FLORIN_EINPUT,
                     "%s: row %llu, field %s: %s (--strict: nothing was imported; without it the "
                     "row would be set aside)",
                     m->path[source], (unsigned long long)row, field, reason);
    return st;
}

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

static const char *read_fields(importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row,
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

static const char *read_amount(importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row,
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

static florin_status codes(importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row)
{
    const fl_schema *s = m->schema;
    florin_status st = FLORIN_OK;
    uint32_t c = C_FIELDS;
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) row->entity[k] = FL_NONE;
    for (uint32_t k = 0; k < s->kinds && !st; k++, c++) {
        cell x = get(q, c, r);
        if (x.s) st = fl_log_writer_entity(m->w, (int)k, x.s, x.n, &row->entity[k], m->err);
    }
    for (uint32_t f = 0; f < s->categories && !st; f++, c++) {
        cell x = get(q, c, r);
        row->category[f] = FL_NONE;
        if (x.s) st = fl_log_writer_value(m->w, (int)f, x.s, x.n, &row->category[f], m->err);
    }
    return st;
}

/* Identity of a row without an id: its cells, and how many equal rows came before it. */
static florin_status row_identity(importer *m, const fl_duck_result *q, uint64_t r, fl_log_row *row)
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

static const char *too_long(const importer *m, const fl_duck_result *q, uint64_t r,
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

static const char *read_labels(const importer *m, const fl_duck_result *q, uint64_t r,
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

static florin_status add_labels(importer *m, uint64_t id, const row_labels *l)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < m->schema->labels && !st; i++)
        if (l->present[i])
            st = fl_log_writer_label(m->w, id, (uint8_t)i, l->value[i], l->arrival_us[i], m->err);
    return st;
}

static florin_status take_row(importer *m, const fl_duck_result *q, uint64_t r)
{
    uint32_t source = ((const uint32_t *)fl_duck_data(q, C_SOURCE))[r];
    uint64_t number = ((const uint64_t *)fl_duck_data(q, C_ROW))[r];
    const fl_source *src = &m->schema->source[source];
    const char *field = "time", *why = NULL;
    fl_log_row row = {0};
    row_labels labels = {0};
    row.type = (uint8_t)source;
    m->stats->read++;
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
    if (why) return reject(m, source, number, field, why);
    if (src->label_of >= 0)
        return add_labels(m, fl_event_id_hash((uint32_t)src->label_event, id.s, id.n), &labels);

    florin_status st = codes(m, q, r, &row);
    if (!st && !wants_id) st = row_identity(m, q, r, &row);
    if (!st && wants_id) {
        row.id = id.s;
        row.id_len = id.n;
        row.id_hash = fl_event_id_hash(source, id.s, id.n);
    }
    if (!st) st = fl_log_writer_row(m->w, &row, m->err);
    return st ? st : add_labels(m, row.id_hash ? row.id_hash : 1, &labels);
}

/* ---- the run ---- */

/* Card numbers in a column that does not say so: better refused than stored. Looks at the first rows. */
static florin_status refuse_card_numbers(importer *m, uint32_t i)
{
    const fl_schema *s = m->schema;
    const fl_source *src = &s->source[i];
    for (uint32_t f = 0; f < 1 + s->kinds + s->categories; f++) {
        const fl_expr *e = !f              ? &src->id
                           : f <= s->kinds ? &src->entity[f - 1]
                                           : &src->category[f - 1 - s->kinds];
        bool entity = f && f <= s->kinds;
        if (!e->sql || (entity && s->card_numbers)) continue;
        char *sql = fl_asprintf("SELECT DISTINCT CAST((%s) AS VARCHAR) FROM %s LIMIT 2000", e->sql,
                                m->relation[i].sql);
        fl_duck_result *q = NULL;
        uint64_t rows = 0, longs = 0, cards = 0;
        florin_status st = sql ? fl_duck_query(&q, m->db, sql, false, m->err)
                               : fl_fail(m->err, FLORIN_ENOMEM, "import");
        while (!st && !(st = fl_duck_next(q, &rows, m->err)) && rows)
            for (uint64_t r = 0; r < rows; r++) {
                cell x = get(q, 0, r);
                size_t digits = 0;
                for (size_t k = 0; k < x.n; k++) digits += x.s[k] >= '0' && x.s[k] <= '9';
                longs += digits >= 13 && digits <= 19 && digits + 4 >= x.n;
                cards += x.s && fl_is_card_number(x.s, x.n);
            }
        fl_duck_result_free(q);
        free(sql);
        if (st) return st;
        if (cards >= 3 && cards * 10 >= longs * 6)
            return fl_fail(
                m->err, FLORIN_EINPUT,
                entity
                    ? "%s: column '%s' holds card numbers: use a token instead, or write "
                      "`card_numbers: true` into the schema (they are then hashed and never kept)"
                    : "%s: column '%s' holds card numbers, which only an entity may (there they "
                      "are hashed): use a token instead, or leave the column out",
                m->path[i], e->column);
    }
    return FLORIN_OK;
}

static florin_status run_query(importer *m, const char *sql, const char *stage)
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

/* Lines that are no rows: DuckDB kept them apart. A line too many fields, a quote that never ends ... */
static florin_status take_broken_lines(importer *m, uint32_t source)
{
    fl_duck_result *q = NULL;
    uint64_t rows = 0;
    if (fl_duck_query(
            &q, m->db,
            "SELECT DISTINCT CAST(line AS UBIGINT), CAST(error_type AS VARCHAR) FROM reject_errors",
            false, NULL))
        return FLORIN_OK; /* no such table: this was no CSV */
    florin_status st = FLORIN_OK;
    while (!st && !(st = fl_duck_next(q, &rows, m->err)) && rows)
        for (uint64_t r = 0; r < rows && !st; r++) {
            cell x = get(q, 1, r);
            char why[96];
            snprintf(why, sizeof why, "line can't be read: %.*s", x.n > 60 ? 60 : (int)x.n,
                     x.s ? x.s : "");
            m->stats->read++;
            st = reject(m, source, ((const uint64_t *)fl_duck_data(q, 0))[r], "line", why);
        }
    fl_duck_result_free(q);
    if (!st)
        st =
            fl_duck_exec(m->db, "DROP TABLE IF EXISTS reject_errors", NULL) ? FLORIN_OK : FLORIN_OK;
    if (!st)
        st = fl_duck_exec(m->db, "DROP TABLE IF EXISTS reject_scans", NULL) ? FLORIN_OK : FLORIN_OK;
    return st;
}

static florin_status stream_sources(importer *m, bool labels)
{
    florin_status st = FLORIN_OK;
    for (uint32_t i = 0; i < m->schema->sources && !st; i++) {
        if (!m->path[i] || (m->schema->source[i].label_of >= 0) != labels) continue;
        fl_buf sql = {0};
        add_select(&sql, m, i);
        st = sql.failed ? fl_fail(m->err, FLORIN_ENOMEM, "import")
                        : run_query(m, sql.data, m->schema->source[i].name);
        if (st == FLORIN_EINPUT || st == FLORIN_EIO) {
            if (!m->err || strncmp(m->err->message, m->path[i], strlen(m->path[i])))
                fl_fail_prefix(m->err, "%s", m->path[i]);
        }
        if (!st) st = take_broken_lines(m, i);
        fl_buf_free(&sql);
    }
    return st;
}

static florin_status sorted_sources(importer *m)
{
    fl_buf sql = {0};
    fl_buf_puts(&sql, "SELECT * FROM (");
    bool first = true;
    for (uint32_t i = 0; i < m->schema->sources; i++) {
        if (!m->path[i] || m->schema->source[i].label_of >= 0) continue;
        fl_buf_puts(&sql, first ? "(" : " UNION ALL (");
        add_select(&sql, m, i);
        fl_buf_puts(&sql, ")");
        first = false;
    }
    fl_buf_puts(&sql, ") AS t ORDER BY 4 NULLS FIRST, 1, 2");
    florin_status st = sql.failed ? fl_fail(m->err, FLORIN_ENOMEM, "import")
                                  : run_query(m, sql.data, "sorting on disk");
    if (!st) st = take_broken_lines(m, 0);
    fl_buf_free(&sql);
    return st;
}

/* Which file each source reads: named by the caller, or the schema's own beside it. */
static florin_status find_files(importer *m)
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
        if (m->path[i] && !stat(m->path[i], &sb)) m->bytes += (uint64_t)sb.st_size;
    return FLORIN_OK;
}

static florin_status open_all(importer *m)
{
    florin_status st = find_files(m);
    uint64_t memory = m->ctx && m->ctx->memory_bytes ? m->ctx->memory_bytes : UINT64_C(2) << 30;
    bool sort = m->opt->force_sort || m->bytes > memory;
    m->stats->sorted_on_disk = sort;
    char *temp = fl_path_join(m->opt->log, "tmp");
    m->rejects_path =
        m->opt->rejects ? fl_strdup(m->opt->rejects) : fl_path_join(m->opt->log, "rejects.csv");
    if (!st && (!temp || !m->rejects_path || !fl_map64_init(&m->same_rows, 1024)))
        st = fl_fail(m->err, FLORIN_ENOMEM, "import");
    fl_duck_options duck = {.memory_bytes = sort ? memory / 2 : memory, .temp_dir = temp};
    if (!st) st = fl_duck_open(&m->db, &duck, m->ctx, m->err);
    for (uint32_t i = 0; i < m->schema->sources && !st; i++)
        if (m->path[i])
            st = fl_source_relation(&m->relation[i], m->db, m->schema, &m->schema->source[i],
                                    m->path[i], m->err);
    for (uint32_t i = 0; i < m->schema->sources && !st; i++)
        if (m->path[i]) st = refuse_card_numbers(m, i);
    /* The log is touched only when all files have been looked at. */
    if (!st)
        st = fl_log_writer_open(&m->w, m->opt->log, m->schema, sort, !m->opt->no_ids, m->ctx,
                                m->err);
    free(temp);
    return st;
}

static void close_all(importer *m)
{
    for (uint32_t i = 0; i < FL_SOURCES_MAX; i++) {
        fl_relation_free(&m->relation[i]);
        free(m->path[i]);
    }
    fl_duck_close(m->db);
    fl_log_writer_abort(m->w);
    if (m->rejects) fl_writer_abort(m->rejects);
    free(m->rejects_path);
    fl_map64_free(&m->same_rows);
    char *temp = fl_path_join(m->opt->log, "tmp");
    if (temp) rmdir(temp);
    free(temp);
}

florin_status fl_import(const fl_schema *schema, const fl_import_options *opt,
                        fl_import_stats *stats, const florin_context *ctx, florin_error *err)
{
    memset(stats, 0, sizeof *stats);
    importer m = {.schema = schema, .opt = opt, .stats = stats, .ctx = ctx, .err = err};
    m.exponent = fl_currency_exponent(schema->currency);
    florin_status st = open_all(&m);
    if (!st) st = stats->sorted_on_disk ? sorted_sources(&m) : stream_sources(&m, false);
    if (!st) st = stream_sources(&m, true);
    if (!st && fl_cancelled(ctx))
        st = fl_fail(err, FLORIN_ECANCELLED, "import: stopped, the log is as it was");
    if (!st && m.rejects) {
        st = fl_writer_commit(m.rejects, err);
        m.rejects = NULL;
    }
    if (!st) {
        fl_log_writer *w = m.w;
        m.w = NULL;
        st = fl_log_writer_commit(w, &stats->written, err);
    }
    close_all(&m);
    return st;
}
