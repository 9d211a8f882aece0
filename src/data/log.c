/* The event log, read side. Invariant: after open every array is known to have as many elements as it is indexed
 * by, and every stored number (entity, category, row) is within its table, so the accessors test nothing. */
#include "data/log_layout.h"
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    fl_blocks file, names;
    uint64_t first, rows, labels;
    const int64_t *time, *amount;
    const uint8_t *type, *marks;
    const uint16_t *currency;
    const uint64_t *id, *id_end; /* id_end: NULL when no event has an id of its own */
    const uint32_t *id_number;   /* NULL: all have */
    const char *id_text;
    const uint32_t *entity[FL_KINDS_MAX], *category[FL_CATEGORIES_MAX], *present;
    const float *number[FL_NUMBERS_MAX];
    const int64_t *label_us;
    const uint32_t *label_row;
    const float *label_value;
    const uint8_t *label;
    const uint32_t *start[FL_KINDS_MAX], *row[FL_KINDS_MAX];
    uint32_t entities[FL_KINDS_MAX]; /* known up to and with this segment */
} segment;

/* A table that grows from segment to segment: where each segment's part begins. */
typedef struct {
    uint64_t *hash; /* all parts, joined */
    uint32_t count;

    char **text; /* pointer into a segment's block, NULL: none */
    uint32_t *length;
    fl_map64 map;
    bool mapped;
} table;

struct fl_log {
    char key[17];
    char *path;
    fl_schema *schema;
    char hash[65];
    uint32_t segments;
    segment *segment;
    uint64_t rows, labels;
    table entity[FL_KINDS_MAX], value[FL_CATEGORIES_MAX];
    fl_label *label; /* all segments, merged */
    int64_t time_min, time_max;
    fl_map64 ids;
    bool ids_built;
};

static void table_free(table *t)
{
    free(t->hash);
    free(t->text);
    free(t->length);
    fl_map64_free(&t->map);
}

void fl_log_close(fl_log *log)
{
    if (!log) return;
    for (uint32_t i = 0; log->segment && i < log->segments; i++) {
        fl_blocks_close(&log->segment[i].file);
        fl_blocks_close(&log->segment[i].names);
    }
    for (int k = 0; k < FL_KINDS_MAX; k++) table_free(&log->entity[k]);
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) table_free(&log->value[f]);
    fl_map64_free(&log->ids);
    fl_schema_free(log->schema);
    free(log->segment);
    free(log->label);
    free(log->path);
    free(log);
}

/* A block that must have exactly n elements; empty blocks may be absent. */
static florin_status need(const segment *s, uint16_t kind, uint32_t index, uint32_t width,
                          uint64_t n, const void *out, const char *name, florin_error *err)
{
    uint64_t count;
    const void *p = fl_blocks_get(&s->file, kind, (uint16_t)index, width, &count);
    if (count != n)
        return fl_fail(err, FLORIN_EFORMAT, "%s: column %u.%u has %llu elements, needs %llu", name,
                       kind, index, (unsigned long long)count, (unsigned long long)n);
    memcpy((void *)out, &p, sizeof p);
    return FLORIN_OK;
}

/* Grow a table by n new hashes, with texts if end/text are given. */
static florin_status table_add(table *t, const uint64_t *hash, uint64_t n, const uint64_t *end,
                               const char *text, uint64_t bytes, const char *name,
                               florin_error *err)
{
    if (n > UINT32_MAX - 1 - t->count)
        return fl_fail(err, FLORIN_EFORMAT, "%s: too many entries", name);
    uint32_t total = t->count + (uint32_t)n;
    uint64_t *h = fl_realloc(t->hash, total ? total : 1, sizeof *h);
    if (h) t->hash = h;
    char **x = fl_realloc(t->text, total ? total : 1, sizeof *x);
    if (x) t->text = x;
    uint32_t *l = fl_realloc(t->length, total ? total : 1, sizeof *l);
    if (l) t->length = l;
    if (!h || !x || !l) return fl_fail(err, FLORIN_ENOMEM, "%s: table of %u", name, total);
    uint64_t begin = 0;
    for (uint64_t i = 0; i < n; i++) {
        t->hash[t->count + i] = hash[i];
        t->text[t->count + i] = NULL;
        t->length[t->count + i] = 0;
        if (!hash[i]) return fl_fail(err, FLORIN_EFORMAT, "%s: an entry has no hash", name);
        if (!end) continue;
        if (end[i] < begin || end[i] > bytes || end[i] - begin > UINT32_MAX)
            return fl_fail(err, FLORIN_EFORMAT, "%s: texts overlap", name);
        t->text[t->count + i] = (char *)(uintptr_t)(text + begin);
        t->length[t->count + i] = (uint32_t)(end[i] - begin);
        begin = end[i];
    }
    t->count = total;
    return FLORIN_OK;
}

static florin_status table_map(table *t, florin_error *err)
{
    if (!fl_map64_init(&t->map, t->count))
        return fl_fail(err, FLORIN_ENOMEM, "table of %u", t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        bool inserted;
        uint32_t *v = fl_map64_insert(&t->map, t->hash[i], &inserted);
        if (!v) return fl_fail(err, FLORIN_ENOMEM, "table of %u", t->count);
        if (inserted) *v = i;
    }
    t->mapped = true;
    return FLORIN_OK;
}

static florin_status load_tables(fl_log *log, segment *s, const char *name, florin_error *err)
{
    florin_status st = FLORIN_OK;
    uint64_t n, m, bytes;
    for (uint32_t k = 0; k < log->schema->kinds && !st; k++) {
        const uint64_t *hash = fl_blocks_get(&s->file, FL_SEG_ENTITY_NEW, (uint16_t)k, 8, &n);
        const uint64_t *end = fl_blocks_get(&s->names, FL_NAMES_END, (uint16_t)k, 8, &m);
        const char *text = fl_blocks_get(&s->names, FL_NAMES_TEXT, (uint16_t)k, 1, &bytes);
        st = table_add(&log->entity[k], hash, n, m == n && text ? end : NULL, text, bytes, name,
                       err);
        s->entities[k] = log->entity[k].count;
    }
    for (uint32_t f = 0; f < log->schema->categories && !st; f++) {
        const uint64_t *hash = fl_blocks_get(&s->file, FL_SEG_VALUE_HASH, (uint16_t)f, 8, &n);
        const uint64_t *end = fl_blocks_get(&s->file, FL_SEG_VALUE_END, (uint16_t)f, 8, &m);
        const char *text = fl_blocks_get(&s->file, FL_SEG_VALUE_TEXT, (uint16_t)f, 1, &bytes);
        if (m != n)
            return fl_fail(err, FLORIN_EFORMAT, "%s: dictionary of %s is incomplete", name,
                           log->schema->category[f].name);
        st = table_add(&log->value[f], hash, n, text ? end : NULL, text, bytes, name, err);
    }
    return st;
}

/* Texts of the events that have an id of their own, numbers of the others; a column of which no row needs is absent. */
static florin_status load_ids(segment *s, const char *name, florin_error *err)
{
    uint64_t ends, numbers, bytes, n = s->rows;
    s->id_end = fl_blocks_get(&s->file, FL_SEG_ID_END, 0, 8, &ends);
    s->id_number = fl_blocks_get(&s->file, FL_SEG_ID_NUMBER, 0, 4, &numbers);
    s->id_text = fl_blocks_get(&s->file, FL_SEG_ID_TEXT, 0, 1, &bytes);
    if (!ends) s->id_end = NULL;
    if (!numbers) s->id_number = NULL;
    if ((ends && ends != n) || (numbers && numbers != n) || (n && !ends && !numbers))
        return fl_fail(err, FLORIN_EFORMAT, "%s: event ids are incomplete", name);
    for (uint64_t i = 0, begin = 0; i < ends; begin = s->id_end[i++])
        if (s->id_end[i] < begin || s->id_end[i] > bytes)
            return fl_fail(err, FLORIN_EFORMAT, "%s: event ids overlap", name);
    return FLORIN_OK;
}

static florin_status load_columns(fl_log *log, segment *s, const char *name, florin_error *err)
{
    const fl_schema *sc = log->schema;
    uint64_t n = s->rows;
    florin_status st = need(s, FL_SEG_TIME, 0, 8, n, &s->time, name, err);
    if (!st) st = need(s, FL_SEG_AMOUNT, 0, 8, n, &s->amount, name, err);
    if (!st) st = need(s, FL_SEG_TYPE, 0, 1, n, &s->type, name, err);
    if (!st) st = need(s, FL_SEG_MARKS, 0, 1, n, &s->marks, name, err);
    if (!st) st = need(s, FL_SEG_CURRENCY, 0, 2, n, &s->currency, name, err);
    if (!st) st = need(s, FL_SEG_ID, 0, 8, n, &s->id, name, err);
    if (!st && sc->numbers) st = need(s, FL_SEG_PRESENT, 0, 4, n, &s->present, name, err);
    for (uint32_t k = 0; k < sc->kinds && !st; k++)
        st = need(s, FL_SEG_ENTITY, k, 4, n, &s->entity[k], name, err);
    for (uint32_t f = 0; f < sc->categories && !st; f++)
        st = need(s, FL_SEG_CATEGORY, f, 4, n, &s->category[f], name, err);
    for (uint32_t f = 0; f < sc->numbers && !st; f++)
        st = need(s, FL_SEG_NUMBER, f, 4, n, &s->number[f], name, err);
    if (!st) st = need(s, FL_SEG_LABEL_TIME, 0, 8, s->labels, &s->label_us, name, err);
    if (!st) st = need(s, FL_SEG_LABEL_ROW, 0, 4, s->labels, &s->label_row, name, err);
    if (!st) st = need(s, FL_SEG_LABEL_VALUE, 0, 4, s->labels, &s->label_value, name, err);
    if (!st) st = need(s, FL_SEG_LABEL_NUMBER, 0, 1, s->labels, &s->label, name, err);
    return st ? st : load_ids(s, name, err);
}

/* Numbers that index tables: a hostile or damaged file must not make an accessor read outside. */
static florin_status check_numbers(const fl_log *log, segment *s, const char *name,
                                   florin_error *err)
{
    const fl_schema *sc = log->schema;
    bool bad = false;
    for (uint64_t i = 0; i < s->rows; i++)
        bad |= !s->id[i] || s->type[i] >= sc->sources || (i && s->time[i] < s->time[i - 1]);
    for (uint32_t k = 0; k < sc->kinds; k++)
        for (uint64_t i = 0; i < s->rows; i++)
            bad |= s->entity[k][i] != FL_NONE && s->entity[k][i] >= s->entities[k];
    for (uint32_t f = 0; f < sc->categories; f++)
        for (uint64_t i = 0; i < s->rows; i++) bad |= s->category[f][i] > log->value[f].count;
    for (uint64_t i = 0; i < s->labels; i++)
        bad |= s->label_row[i] >= s->first + s->rows || s->label[i] >= sc->labels ||
               !(s->label_value[i] >= -1e30f && s->label_value[i] <= 1e30f) ||
               (i && s->label_us[i] < s->label_us[i - 1]);
    if (bad)
        return fl_fail(err, FLORIN_EFORMAT,
                       "%s: holds a number outside its table: restore the file or import again",
                       name);
    for (uint32_t k = 0; k < sc->kinds; k++) {
        uint64_t rows;
        florin_status st = need(s, FL_SEG_INDEX_START, k, 4, (uint64_t)s->entities[k] + 1,
                                &s->start[k], name, err);
        if (st) return st;
        s->row[k] = fl_blocks_get(&s->file, FL_SEG_INDEX_ROW, (uint16_t)k, 4, &rows);
        bad = s->start[k][0] != 0 || s->start[k][s->entities[k]] != rows;
        for (uint32_t i = 0; i < s->entities[k]; i++) bad |= s->start[k][i] > s->start[k][i + 1];
        for (uint64_t i = 0; i < rows; i++) bad |= s->row[k][i] >= s->rows;
        if (bad)
            return fl_fail(err, FLORIN_EFORMAT, "%s: index of %s is damaged: import again", name,
                           sc->kind[k].name);
    }
    return FLORIN_OK;
}

static florin_status open_segment(fl_log *log, segment *s, const json_t *j, florin_error *err)
{
    const char *file = fl_json_str(j, "file", NULL), *names = fl_json_str(j, "names", NULL);
    if (!file || strchr(file, '/') || (names && strchr(names, '/')))
        return fl_fail(err, FLORIN_EFORMAT, "%s/" FL_MANIFEST ": a segment has no proper file name",
                       log->path);
    char *path = fl_path_join(log->path, file),
         *names_path = names ? fl_path_join(log->path, names) : NULL;
    florin_status st =
        path && (names_path || !names) ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s", log->path);
    int64_t rows = fl_json_int(j, "rows", -1), labels = fl_json_int(j, "labels", -1);
    if (!st && (rows < 0 || labels < 0 || (uint64_t)rows > FL_SEGMENT_ROWS_MAX))
        st = fl_fail(err, FLORIN_EFORMAT, "%s/" FL_MANIFEST ": %s has no row count", log->path,
                     file);
    if (!st) st = fl_blocks_open(&s->file, path, true, err);
    char hex[17];
    if (!st) {
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)s->file.hash);
        if (strcmp(hex, fl_json_str(j, "checksum", "")))
            st = fl_fail(err, FLORIN_EFORMAT,
                         "%s: is not the file that the manifest names: restore it", path);
    }
    /* The dictionary may be deleted on purpose, or be closed to this user; then names are simply unknown. */
    if (!st && names && access(names_path, R_OK) == 0)
        st = fl_blocks_open(&s->names, names_path, true, err);
    if (!st) {
        s->rows = (uint64_t)rows;
        s->labels = (uint64_t)labels;
        s->first = log->rows;
        st = load_tables(log, s, path, err);
    }
    if (!st) st = load_columns(log, s, path, err);
    if (!st) st = check_numbers(log, s, path, err);
    free(path);
    free(names_path);
    return st;
}

/* k-way merge by repeated two-way merges would keep ties in order too; labels are few, so one stable pass per
 * segment suffices: insert each segment's sorted run behind equal arrivals of the earlier ones. */
static florin_status merge_labels(fl_log *log, florin_error *err)
{
    fl_label *a = fl_alloc(log->labels ? log->labels : 1, sizeof *a),
             *b = fl_alloc(log->labels ? log->labels : 1, sizeof *b);
    if (!a || !b) {
        free(a);
        free(b);
        return fl_fail(err, FLORIN_ENOMEM, "%llu labels", (unsigned long long)log->labels);
    }
    uint64_t n = 0;
    for (uint32_t i = 0; i < log->segments; i++) {
        const segment *s = &log->segment[i];
        uint64_t x = 0, y = 0, o = 0;
        while (x < n || y < s->labels)
            if (y == s->labels || (x < n && a[x].arrival_us <= s->label_us[y])) b[o++] = a[x++];
            else {
                b[o++] = (fl_label){.arrival_us = s->label_us[y],
                                    .row = s->label_row[y],
                                    .value = s->label_value[y],
                                    .label = s->label[y]};
                y++;
            }
        fl_label *t = a;
        a = b;
        b = t;
        n = o;
    }
    free(b);
    log->label = a;
    return FLORIN_OK;
}

static florin_status open_segments(fl_log *log, const json_t *list, florin_error *err)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > FL_SEGMENTS_MAX)
        return fl_fail(err, FLORIN_EFORMAT, "%s/" FL_MANIFEST ": no list of segments", log->path);
    log->segment = fl_calloc(n ? n : 1, sizeof *log->segment);
    if (!log->segment) return fl_fail(err, FLORIN_ENOMEM, "%s", log->path);
    fl_sha256 sha;
    fl_sha256_init(&sha);
    for (size_t i = 0; i < n; i++) {
        segment *s = &log->segment[log->segments++];
        florin_status st = open_segment(log, s, json_array_get(list, i), err);
        if (st) return st;
        fl_sha256_add(&sha, &s->file.hash, sizeof s->file.hash);
        if (s->rows) {
            if (!log->rows || s->time[0] < log->time_min) log->time_min = s->time[0];
            if (!log->rows || s->time[s->rows - 1] > log->time_max)
                log->time_max = s->time[s->rows - 1];
        }
        log->rows += s->rows;
        log->labels += s->labels;
    }
    fl_sha256_hex(&sha, log->hash);
    return FLORIN_OK;
}

florin_status fl_manifest_hash(const json_t *manifest, char out[17], florin_error *err)
{
    json_t *j = json_copy((json_t *)(uintptr_t)manifest); /* jansson's copy takes no const */
    char *text = NULL;
    if (j && (!json_object_get(j, "hash") || !json_object_del(j, "hash"))) text = fl_json_text(j);
    if (text) snprintf(out, 17, "%016llx", (unsigned long long)fl_hash64(text, strlen(text), 0));
    bool ok = text != NULL;
    free(text);
    json_decref(j);
    return ok ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "manifest");
}

static florin_status check_manifest(const json_t *j, const char *path, florin_error *err)
{
    char hash[17];
    if (fl_json_int(j, "florin_log", 0) != FL_LOG_VERSION)
        return fl_fail(err, FLORIN_EFORMAT, "%s: not a log of version %d", path, FL_LOG_VERSION);
    florin_status st = fl_manifest_hash(j, hash, err);
    if (!st && strcmp(hash, fl_json_str(j, "hash", "")))
        st = fl_fail(err, FLORIN_EFORMAT, "%s: damaged or edited: restore the file", path);
    return st;
}

florin_status fl_log_open(fl_log **out, const char *path, florin_error *err)
{
    *out = NULL;
    json_t *j = NULL;
    fl_log *log = fl_calloc(1, sizeof *log);
    if (!log) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    florin_status st = FLORIN_OK;
    log->path = fl_strdup(path);
    char *manifest = fl_path_join(path, FL_MANIFEST);
    if (!log->path || !manifest) {
        st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
        goto done;
    }
    if (!fl_file_exists(manifest)) {
        st = fl_fail(err, FLORIN_EIO,
                     "%s: no event log here (no " FL_MANIFEST "): make one with `florin import`",
                     path);
        goto done;
    }
    st = fl_json_load(&j, manifest, err);
    if (st) {
        st = fl_fail(err, st == FLORIN_EIO ? st : FLORIN_EFORMAT,
                     "%s: damaged, not JSON: restore the file", manifest);
        goto done;
    }
    st = check_manifest(j, manifest, err);
    snprintf(log->key, sizeof log->key, "%.16s", fl_json_str(j, "key", ""));
    if (!st) st = fl_schema_from_json(&log->schema, json_object_get(j, "schema"), manifest, err);
    if (!st) st = open_segments(log, json_object_get(j, "segments"), err);
    for (uint32_t k = 0; !st && k < log->schema->kinds; k++) st = table_map(&log->entity[k], err);
    for (uint32_t f = 0; !st && f < log->schema->categories; f++)
        st = table_map(&log->value[f], err);
    if (!st) st = merge_labels(log, err);
    if (st) goto done;
    *out = log;
    log = NULL;
done:
    json_decref(j);
    free(manifest);
    fl_log_close(log);
    return st;
}

const fl_schema *fl_log_schema(const fl_log *log)
{
    return log->schema;
}

const char *fl_log_key(const fl_log *log)
{
    return log->key;
}

const char *fl_log_path(const fl_log *log)
{
    return log->path;
}

const char *fl_log_hash(const fl_log *log)
{
    return log->hash;
}

uint64_t fl_log_rows(const fl_log *log)
{
    return log->rows;
}

uint64_t fl_log_labels(const fl_log *log)
{
    return log->labels;
}

uint32_t fl_log_entities(const fl_log *log, int kind)
{
    return log->entity[kind].count;
}

uint32_t fl_log_segments(const fl_log *log)
{
    return log->segments;
}

uint64_t fl_log_segment_first(const fl_log *log, uint32_t i)
{
    return i < log->segments ? log->segment[i].first : log->rows;
}

static const segment *segment_of(const fl_log *log, uint64_t *row)
{
    assert(*row < log->rows);
    uint32_t lo = 0, hi = log->segments;
    while (hi - lo > 1) {
        uint32_t mid = (lo + hi) / 2;
        if (log->segment[mid].first <= *row) lo = mid;
        else hi = mid;
    }
    *row -= log->segment[lo].first;
    return &log->segment[lo];
}

void fl_log_event(const fl_log *log, uint64_t r, fl_event *out)
{
    const segment *s = segment_of(log, &r);
    const fl_schema *sc = log->schema;
    memset(out, 0, sizeof *out);
    out->id = s->id[r];
    out->time_us = s->time[r];
    out->amount_minor = s->amount[r];
    out->type = s->type[r];
    out->marks = s->marks[r];
    out->currency = s->currency[r];
    for (uint32_t k = 0; k < FL_KINDS_MAX; k++) {
        out->entity[k] = k < sc->kinds ? s->entity[k][r] : FL_NONE;
        if (out->entity[k] != FL_NONE) out->entity_hash[k] = log->entity[k].hash[out->entity[k]];
    }
    for (uint32_t f = 0; f < sc->categories; f++)
        if (s->category[f][r]) out->category[f] = log->value[f].hash[s->category[f][r] - 1];
    for (uint32_t f = 0; f < sc->numbers; f++) out->number[f] = s->number[f][r];
    out->number_present = sc->numbers ? s->present[r] : 0;
}

int64_t fl_log_time(const fl_log *log, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->time[r];
}

int64_t fl_log_amount(const fl_log *log, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->amount[r];
}

uint16_t fl_log_currency(const fl_log *log, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->currency[r];
}

bool fl_log_number(const fl_log *log, int field, uint64_t r, float *out)
{
    const segment *s = segment_of(log, &r);
    *out = s->number[field][r];
    return s->present[r] >> field & 1;
}

uint8_t fl_log_type(const fl_log *log, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->type[r];
}

uint8_t fl_log_marks(const fl_log *log, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->marks[r];
}

uint32_t fl_log_entity(const fl_log *log, int kind, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->entity[kind][r];
}

uint64_t fl_log_category(const fl_log *log, int field, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    uint32_t c = s->category[field][r];
    return c ? log->value[field].hash[c - 1] : 0;
}

uint32_t fl_log_category_code(const fl_log *log, int field, uint64_t r)
{
    const segment *s = segment_of(log, &r);
    return s->category[field][r];
}

uint32_t fl_log_segment_of(const fl_log *log, uint64_t row)
{
    return (uint32_t)(segment_of(log, &row) - log->segment);
}

fl_log_columns fl_log_columns_of(const fl_log *log, uint32_t i)
{
    const segment *s = &log->segment[i];
    fl_log_columns c = {.first = s->first,
                        .rows = s->rows,
                        .time_us = s->time,
                        .amount_minor = s->amount,
                        .type = s->type,
                        .marks = s->marks,
                        .currency = s->currency,
                        .present = s->present};
    memcpy(c.entity, s->entity, sizeof c.entity);
    memcpy(c.category, s->category, sizeof c.category);
    memcpy(c.number, s->number, sizeof c.number);
    return c;
}

const fl_label *fl_log_label_array(const fl_log *log)
{
    return log->label;
}

void fl_log_label(const fl_log *log, uint64_t i, fl_label *out)
{
    *out = log->label[i];
}

int64_t fl_log_time_min(const fl_log *log)
{
    return log->time_min;
}

int64_t fl_log_time_max(const fl_log *log)
{
    return log->time_max;
}

size_t fl_id_number(char number[FL_ID_NUMBER], uint32_t n)
{
    char digit[10];
    size_t k = 0;
    do digit[k++] = (char)('0' + n % 10);
    while (n /= 10);
    memcpy(number, "row ", 4);
    for (size_t i = 0; i < k; i++) number[4 + i] = digit[k - 1 - i];
    return 4 + k;
}

const char *fl_log_event_id(const fl_log *log, uint64_t r, char number[FL_ID_NUMBER], size_t *len)
{
    const segment *s = segment_of(log, &r);
    if (s->id_number && s->id_number[r]) {
        *len = fl_id_number(number, s->id_number[r]);
        return number;
    }
    uint64_t begin = s->id_end && r ? s->id_end[r - 1] : 0;
    *len = s->id_end ? (size_t)(s->id_end[r] - begin) : 0;
    return *len ? s->id_text + begin : "";
}

uint64_t fl_log_find(fl_log *log, uint64_t id)
{
    if (!log->ids_built) {
        if (log->rows > UINT32_MAX || !fl_map64_init(&log->ids, (size_t)log->rows))
            return UINT64_MAX;
        for (uint32_t i = 0; i < log->segments; i++)
            for (uint64_t r = 0; r < log->segment[i].rows; r++) {
                bool inserted;
                uint32_t *v = fl_map64_insert(&log->ids, log->segment[i].id[r], &inserted);
                if (!v) return UINT64_MAX;
                if (inserted) *v = (uint32_t)(log->segment[i].first + r);
            }
        log->ids_built = true;
    }
    uint32_t *v = id ? fl_map64_find(&log->ids, id) : NULL;
    return v ? *v : UINT64_MAX;
}

uint64_t fl_log_entity_hash(const fl_log *log, int kind, uint32_t entity)
{
    return log->entity[kind].hash[entity];
}

static uint32_t table_find(const table *t, uint64_t hash)
{
    uint32_t *v = hash ? fl_map64_find(&t->map, hash) : NULL;
    return v ? *v : FL_NONE;
}

uint32_t fl_log_entity_find(const fl_log *log, int kind, uint64_t hash)
{
    return table_find(&log->entity[kind], hash);
}

const uint32_t *fl_log_entity_rows(const fl_log *log, int kind, uint32_t entity, uint32_t i,
                                   uint32_t *n)
{
    const segment *s = &log->segment[i];
    *n = 0;
    if (entity >= s->entities[kind]) return NULL;
    *n = s->start[kind][entity + 1] - s->start[kind][entity];
    return s->row[kind] + s->start[kind][entity];
}

const char *fl_log_entity_name(const fl_log *log, int kind, uint32_t entity, size_t *len)
{
    *len = log->entity[kind].length[entity];
    return *len ? log->entity[kind].text[entity] : NULL;
}

uint32_t fl_log_values(const fl_log *log, int field)
{
    return log->value[field].count;
}

uint64_t fl_log_value_hash(const fl_log *log, int field, uint32_t i)
{
    return log->value[field].hash[i];
}

const char *fl_log_value_text(const fl_log *log, int field, uint64_t hash, size_t *len)
{
    uint32_t i = table_find(&log->value[field], hash);
    *len = i == FL_NONE ? 0 : log->value[field].length[i];
    return i == FL_NONE ? NULL : log->value[field].text[i];
}
