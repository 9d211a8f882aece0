/* The event log, write side. Rows wait in memory as columns; a flush sorts them, drops known ids, resolves labels
 * and writes one segment file that no manifest names yet; commit replaces the manifest. So whatever is interrupted
 * leaves the old log, and at most files that the next open for writing removes. */
#include "data/import.h"
#include "data/log_layout.h"
#include "data/log_writer.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { EXPECTED_MAX = 100000000, AHEAD = 8 };

typedef struct {
    void *data;
    size_t cap;
} column;

typedef struct {
    uint64_t id;
    int64_t arrival_us;
    float value;
    uint8_t label;
} waiting_label;

/* Names or values: all hashes so far, and the texts of those that this segment brings. */
typedef struct {
    fl_map64 map;
    uint32_t count, old; /* old: already in earlier segments */
    column hash, end;    /* of the new ones, u64 */
    fl_buf text;
} dictionary;

struct fl_log_writer {
    char *path;
    fl_schema *schema;
    const florin_context *ctx;
    bool sorted, keep_ids;
    int lock;
    uint8_t key[16];
    json_t *manifest;           /* as it will be */
    uint32_t files;             /* number of the last segment file */
    uint64_t base;              /* rows in segments, written or not yet in the manifest */
    uint64_t rows, limit, room; /* room: rows that every column has space for */
    column time, amount, type, marks, currency, id, id_end, entity[FL_KINDS_MAX],
        category[FL_CATEGORIES_MAX], number[FL_NUMBERS_MAX], present;
    fl_buf id_text;
    dictionary entities[FL_KINDS_MAX], values[FL_CATEGORIES_MAX];
    fl_map64
        ids; /* event id -> row + 1; of waiting rows as if they were in order of time already */
    uint64_t fresh; /* id of the row added last, 0 when it was a duplicate: its labels are news */
    waiting_label *label;
    size_t labels, labels_cap;
    fl_map64 told;      /* labels that the log has: the same one again is not a correction */
    size_t labels_told; /* of the waiting ones, how many are in `told` */
    int64_t last_us, clock_us;
    uint64_t added;
    fl_log_written stats;
};

static void dictionary_free(dictionary *d)
{
    fl_map64_free(&d->map);
    free(d->hash.data);
    free(d->end.data);
    fl_buf_free(&d->text);
}

static void writer_free(fl_log_writer *w)
{
    if (!w) return;
    column *c[] = {&w->time,     &w->amount, &w->type,   &w->marks,
                   &w->currency, &w->id,     &w->id_end, &w->present};
    for (size_t i = 0; i < FL_LEN(c); i++) free(c[i]->data);
    for (int k = 0; k < FL_KINDS_MAX; k++) {
        free(w->entity[k].data);
        dictionary_free(&w->entities[k]);
    }
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) {
        free(w->category[f].data);
        dictionary_free(&w->values[f]);
    }
    for (int f = 0; f < FL_NUMBERS_MAX; f++) free(w->number[f].data);
    fl_buf_free(&w->id_text);
    fl_map64_free(&w->ids);
    fl_map64_free(&w->told);
    free(w->label);
    json_decref(w->manifest);
    fl_schema_free(w->schema);
    if (w->lock >= 0) close(w->lock);
    free(w->path);
    free(w);
}

/* Files of an import that was killed: in the folder, named like segments, and not in the manifest. */
static void remove_strays(const fl_log_writer *w)
{
    DIR *d = opendir(w->path);
    if (!d) return;
    const json_t *list = json_object_get(w->manifest, "segments");
    for (struct dirent *e; (e = readdir(d));) {
        bool ours = !strncmp(e->d_name, "seg-", 4) || !strncmp(e->d_name, "ids-", 4) ||
                    strstr(e->d_name, ".tmp-");
        size_t i;
        json_t *s;
        json_array_foreach(list, i, s) if (!strcmp(e->d_name, fl_json_str(s, "file", "")) ||
                                           !strcmp(e->d_name, fl_json_str(s, "names", ""))) ours =
            false;
        if (ours) unlinkat(dirfd(d), e->d_name, 0);
    }
    closedir(d);
}

static florin_status lock_folder(fl_log_writer *w, florin_error *err)
{
    char *path = fl_path_join(w->path, "lock");
    if (!path) return fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    florin_status st = FLORIN_OK;
    if (w->lock < 0) st = fl_fail(err, FLORIN_EIO, "%s: %s", path, strerror(errno));
    else if (flock(w->lock, LOCK_EX | LOCK_NB))
        st = fl_fail(err, FLORIN_EIO, "%s: another import is writing to this log", w->path);
    free(path);
    return st;
}

static florin_status map_put(fl_map64 *m, uint64_t key, uint32_t value, florin_error *err)
{
    bool inserted;
    uint32_t *v = fl_map64_insert(m, key, &inserted);
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "table of %zu entries", m->count);
    if (inserted) *v = value;
    return FLORIN_OK;
}

static uint64_t label_key(uint64_t event_id, uint8_t label, float value, int64_t arrival_us)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return fl_mix64(event_id ^
                    fl_mix64((uint64_t)arrival_us ^ fl_mix64((uint64_t)bits << 8 | label))) |
           1;
}

static florin_status same_key(const fl_log_writer *w, florin_error *err)
{
    char key[17];
    fl_key_print(w->key, key);
    const char *old = fl_json_str(w->manifest, "key", key);
    if (!strcmp(old, key)) return FLORIN_OK;
    return fl_fail(
        err, FLORIN_ESCHEMA,
        "%s: its identifiers were hashed with another key: use the same hash_key, or a new log",
        w->path);
}

/* Take over an existing log: tables, ids, manifest. */
static florin_status load_old(fl_log_writer *w, florin_error *err)
{
    fl_log *log = NULL;
    char *path = fl_path_join(w->path, FL_MANIFEST);
    florin_status st =
        path ? fl_log_open(&log, w->path, err) : fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    if (!st) st = fl_schema_same(fl_log_schema(log), w->schema, err);
    if (!st) st = fl_json_load(&w->manifest, path, err);
    if (!st) st = same_key(w, err);
    if (st) goto done;
    w->files = (uint32_t)fl_json_int(w->manifest, "files", 0);
    w->base = fl_log_rows(log);
    w->clock_us = w->base ? fl_log_time_max(log) : INT64_MIN;
    for (uint32_t k = 0; k < w->schema->kinds && !st; k++) {
        dictionary *d = &w->entities[k];
        d->old = d->count = fl_log_entities(log, (int)k);
        for (uint32_t i = 0; i < d->count && !st; i++)
            st = map_put(&d->map, fl_log_entity_hash(log, (int)k, i), i, err);
    }
    for (uint32_t f = 0; f < w->schema->categories && !st; f++) {
        dictionary *d = &w->values[f];
        d->old = d->count = fl_log_values(log, (int)f);
        for (uint32_t i = 0; i < d->count && !st; i++)
            st = map_put(&d->map, fl_log_value_hash(log, (int)f, i), i, err);
    }
    fl_event e;
    for (uint64_t r = 0; r < w->base && !st; r++) {
        fl_log_event(log, r, &e);
        st = map_put(&w->ids, e.id, (uint32_t)(r + 1), err);
    }
    fl_label l;
    for (uint64_t i = 0; i < fl_log_labels(log) && !st; i++) {
        fl_log_label(log, i, &l);
        fl_log_event(log, l.row, &e);
        st = map_put(&w->told, label_key(e.id, l.label, l.value, l.arrival_us), 1, err);
    }
done:
    fl_log_close(log);
    free(path);
    return st;
}

static florin_status start_new(fl_log_writer *w, florin_error *err)
{
    json_t *schema = fl_schema_to_json(w->schema);
    char key[17];
    fl_key_print(w->key, key);
    w->manifest = json_pack("{s:i, s:s, s:o, s:[]}", "florin_log", FL_LOG_VERSION, "key", key,
                            "schema", schema, "segments");
    w->clock_us = INT64_MIN;
    return w->manifest ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "%s: manifest", w->path);
}

/* Rows that fit the memory option, sorting and indexing included. */
static uint64_t row_limit(const fl_log_writer *w)
{
    uint64_t memory = w->ctx && w->ctx->memory_bytes ? w->ctx->memory_bytes : UINT64_C(2) << 30;
    uint64_t bytes = 96 + 8 * w->schema->kinds + 4 * (w->schema->categories + w->schema->numbers);
    uint64_t n = memory / 2 / bytes;
    return n < 65536 ? 65536 : n > FL_SEGMENT_ROWS_MAX ? FL_SEGMENT_ROWS_MAX : n;
}

florin_status fl_log_writer_open(fl_log_writer **out, const char *path, const fl_schema *schema,
                                 bool sorted, bool keep_ids, const florin_context *ctx,
                                 florin_error *err)
{
    *out = NULL;
    fl_log_writer *w = fl_calloc(1, sizeof *w);
    if (!w) return fl_fail(err, FLORIN_ENOMEM, "%s", path);
    w->lock = -1;
    w->ctx = ctx;
    w->sorted = sorted;
    w->keep_ids = keep_ids;
    w->last_us = INT64_MIN;
    florin_status st = FLORIN_OK;
    bool ok = (w->path = fl_strdup(path)) && fl_map64_init(&w->ids, 1024) &&
              fl_map64_init(&w->told, 1024);
    for (int k = 0; k < FL_KINDS_MAX; k++) ok = ok && fl_map64_init(&w->entities[k].map, 64);
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) ok = ok && fl_map64_init(&w->values[f].map, 64);
    if (!ok) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    /* A schema of its own: the caller's may go before the writer does. */
    json_t *j = st ? NULL : fl_schema_to_json(schema);
    if (!st) st = fl_schema_from_json(&w->schema, j, path, err);
    json_decref(j);
    if (!st) st = fl_schema_key(schema, w->key, err);
    char *manifest = fl_path_join(path, FL_MANIFEST);
    bool old = manifest && fl_file_exists(manifest);
    free(manifest);
    if (!st && !old && fl_file_exists(path)) {
        DIR *d = opendir(path);
        if (!d)
            st = fl_fail(err, FLORIN_EIO, "%s: is not a folder; name a new folder for the log",
                         path);
        if (d) closedir(d);
    }
    if (!st) st = fl_make_dir(path, err);
    if (!st) st = lock_folder(w, err);
    if (!st) st = old ? load_old(w, err) : start_new(w, err);
    if (st) {
        writer_free(w);
        return st;
    }
    remove_strays(w);
    w->limit = row_limit(w);
    *out = w;
    return FLORIN_OK;
}

florin_status fl_log_writer_expect(fl_log_writer *w, uint64_t rows, florin_error *err)
{
    fl_map64 ids;
    if (w->ids.count || rows > EXPECTED_MAX) return FLORIN_OK;
    if (!fl_map64_init(&ids, (size_t)rows)) return fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    fl_map64_free(&w->ids);
    w->ids = ids;
    return FLORIN_OK;
}

void fl_log_writer_soon(const fl_log_writer *w, uint64_t event_id)
{
    fl_map64_prefetch(&w->ids, event_id);
}

static florin_status dictionary_add(dictionary *d, uint64_t hash, const char *text, size_t n,
                                    bool keep, uint32_t *code, florin_error *err)
{
    bool inserted;
    uint32_t *v = fl_map64_insert(&d->map, hash, &inserted);
    if (!v || d->count == UINT32_MAX - 1)
        return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
    if (inserted) {
        size_t fresh = d->count - d->old;
        if (!fl_grow(&d->hash.data, &d->hash.cap, fresh + 1, 8) ||
            !fl_grow(&d->end.data, &d->end.cap, fresh + 1, 8))
            return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
        if (keep) fl_buf_add(&d->text, text, n);
        if (d->text.failed)
            return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
        ((uint64_t *)d->hash.data)[fresh] = hash;
        ((uint64_t *)d->end.data)[fresh] = d->text.len;
        *v = d->count++;
    }
    *code = *v;
    return FLORIN_OK;
}

florin_status fl_log_writer_value(fl_log_writer *w, int field, const char *text, size_t n,
                                  uint32_t *code, florin_error *err)
{
    return dictionary_add(&w->values[field], fl_category_hash(text, n), text, n, true, code, err);
}

florin_status fl_log_writer_entity(fl_log_writer *w, int kind, const char *text, size_t n,
                                   uint32_t *code, florin_error *err)
{
    uint64_t hash = fl_entity_hash(w->key, w->schema->kind[kind].name, text, n);
    /* A declared card number is hashed, and its digits are kept nowhere. */
    bool keep = w->keep_ids && !(w->schema->card_numbers && fl_is_card_number(text, n));
    return dictionary_add(&w->entities[kind], hash, text, n, keep, code, err);
}

static bool grow_columns(fl_log_writer *w)
{
    size_t n = w->room ? 2 * (size_t)w->room : 1024;
    const fl_schema *s = w->schema;
    if (w->rows < w->room) return true;
    bool ok = fl_grow(&w->time.data, &w->time.cap, n, 8) &&
              fl_grow(&w->amount.data, &w->amount.cap, n, 8) &&
              fl_grow(&w->type.data, &w->type.cap, n, 1) &&
              fl_grow(&w->marks.data, &w->marks.cap, n, 1) &&
              fl_grow(&w->currency.data, &w->currency.cap, n, 2) &&
              fl_grow(&w->id.data, &w->id.cap, n, 8) &&
              fl_grow(&w->id_end.data, &w->id_end.cap, n, 8) &&
              fl_grow(&w->present.data, &w->present.cap, n, 4);
    for (uint32_t k = 0; k < s->kinds && ok; k++)
        ok = fl_grow(&w->entity[k].data, &w->entity[k].cap, n, 4);
    for (uint32_t f = 0; f < s->categories && ok; f++)
        ok = fl_grow(&w->category[f].data, &w->category[f].cap, n, 4);
    for (uint32_t f = 0; f < s->numbers && ok; f++)
        ok = fl_grow(&w->number[f].data, &w->number[f].cap, n, 4);
    if (ok) w->room = n;
    return ok;
}

static florin_status flush(fl_log_writer *w, bool more, florin_error *err);

florin_status fl_log_writer_row(fl_log_writer *w, const fl_log_row *row, florin_error *err)
{
    if (w->sorted && row->time_us < w->last_us)
        return fl_fail(err, FLORIN_EINTERNAL, "row %llu is not in time order",
                       (unsigned long long)w->added + 1);
    w->last_us = row->time_us;
    if (w->rows == w->limit && w->sorted) {
        florin_status st = flush(w, true, err);
        if (st) return st;
    }
    if (w->base + w->rows >= UINT32_MAX - 1)
        return fl_fail(err, FLORIN_ENOMEM, "a log holds at most 4 billion events");
    char number[32];
    const char *id = row->id;
    size_t len = row->id_len;
    if (!id) {
        len = (size_t)snprintf(number, sizeof number, "row %llu",
                               (unsigned long long)(w->base + w->added + 1));
        id = number;
    }
    uint64_t hash = row->id_hash ? row->id_hash : fl_event_id_hash(row->type, id, len);
    w->added++;
    bool inserted;
    uint32_t *seen = fl_map64_insert(&w->ids, hash, &inserted);
    if (!seen) return fl_fail(err, FLORIN_ENOMEM, "%zu event ids", w->ids.count);
    w->fresh = inserted ? hash : 0;
    if (!inserted) {
        w->stats.duplicates++;
        return FLORIN_OK;
    }
    *seen = (uint32_t)(w->base + w->rows + 1);
    if (!grow_columns(w))
        return fl_fail(err, FLORIN_ENOMEM, "%llu rows", (unsigned long long)w->rows);
    fl_buf_add(&w->id_text, id, len);
    if (w->id_text.failed) return fl_fail(err, FLORIN_ENOMEM, "event ids");

    size_t r = (size_t)w->rows++;
    ((int64_t *)w->time.data)[r] = row->time_us;
    ((int64_t *)w->amount.data)[r] = row->amount_minor;
    ((uint8_t *)w->type.data)[r] = row->type;
    ((uint8_t *)w->marks.data)[r] = row->marks;
    ((uint16_t *)w->currency.data)[r] = row->currency;
    ((uint64_t *)w->id.data)[r] = hash;
    ((uint64_t *)w->id_end.data)[r] = w->id_text.len;
    ((uint32_t *)w->present.data)[r] = row->number_present;
    for (uint32_t k = 0; k < w->schema->kinds; k++)
        ((uint32_t *)w->entity[k].data)[r] = row->entity[k];
    for (uint32_t f = 0; f < w->schema->categories; f++)
        ((uint32_t *)w->category[f].data)[r] =
            row->category[f] == FL_NONE ? 0 : row->category[f] + 1;
    for (uint32_t f = 0; f < w->schema->numbers; f++)
        ((float *)w->number[f].data)[r] = row->number[f];
    return FLORIN_OK;
}

/* Bring `told` up to date with the waiting labels. */
static florin_status settle_told(fl_log_writer *w, florin_error *err)
{
    for (; w->labels_told < w->labels; w->labels_told++) {
        const waiting_label *l = &w->label[w->labels_told];
        bool inserted;
        if (!fl_map64_insert(&w->told, label_key(l->id, l->label, l->value, l->arrival_us),
                             &inserted))
            return fl_fail(err, FLORIN_ENOMEM, "%zu labels", w->told.count);
    }
    return FLORIN_OK;
}

/* Nobody has spoken of a fresh event yet but the labels just before; of the others `told` knows. */
static florin_status is_told(fl_log_writer *w, const waiting_label *l, bool *told,
                             florin_error *err)
{
    *told = false;
    if (l->id == w->fresh) {
        for (size_t i = w->labels; i-- && w->label[i].id == l->id && !*told;)
            *told = w->label[i].label == l->label && w->label[i].arrival_us == l->arrival_us &&
                    memcmp(&w->label[i].value, &l->value, sizeof l->value) == 0;
        return FLORIN_OK;
    }
    florin_status st = settle_told(w, err);
    if (!st)
        *told =
            fl_map64_find(&w->told, label_key(l->id, l->label, l->value, l->arrival_us)) != NULL;
    return st;
}

florin_status fl_log_writer_label(fl_log_writer *w, uint64_t event_id, uint8_t label, float value,
                                  int64_t arrival_us, florin_error *err)
{
    waiting_label l = {event_id ? event_id : 1, arrival_us, value, label};
    bool told;
    florin_status st = is_told(w, &l, &told, err);
    if (st || told) return st;
    void *p = w->label;
    if (!fl_grow(&p, &w->labels_cap, w->labels + 1, sizeof *w->label))
        return fl_fail(err, FLORIN_ENOMEM, "%zu labels", w->labels);
    w->label = p;
    w->label[w->labels++] = l;
    return FLORIN_OK;
}

/* Stable merge sort of row numbers by time (bottom up); most inputs are sorted already and cost one pass. */
static uint32_t *time_order(const int64_t *time, size_t n)
{
    uint32_t *a = fl_alloc(n ? n : 1, sizeof *a), *b = NULL;
    if (!a) return NULL;
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        a[i] = (uint32_t)i;
        sorted &= !i || time[i - 1] <= time[i];
    }
    if (sorted) return a;
    b = fl_alloc(n, sizeof *b);
    if (!b) {
        free(a);
        return NULL;
    }
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n,
                   hi = lo + 2 * width < n ? lo + 2 * width : n;
            for (size_t x = lo, y = mid, o = lo; o < hi; o++)
                b[o] = y == hi || (x < mid && time[a[x]] <= time[a[y]]) ? a[x++] : a[y++];
        }
        uint32_t *t = a;
        a = b;
        b = t;
    }
    free(b);
    return a;
}

/* Rewrite a column of elements of `width` bytes in the given order, in place through scratch. */
static void reorder(void *data, size_t width, const uint32_t *order, size_t n, uint8_t *scratch)
{
    const uint8_t *in = data;
    for (size_t i = 0; i < n; i++) memcpy(scratch + i * width, in + order[i] * width, width);
    memcpy(data, scratch, n * width);
}

static florin_status reorder_ids(fl_log_writer *w, const uint32_t *order, florin_error *err)
{
    size_t n = (size_t)w->rows;
    uint64_t *end = w->id_end.data, *out = fl_alloc(n ? n : 1, 8);
    fl_buf text = {0};
    for (size_t i = 0; out && i < n; i++) {
        uint64_t from = order[i] ? end[order[i] - 1] : 0;
        fl_buf_add(&text, w->id_text.data + from, (size_t)(end[order[i]] - from));
        out[i] = text.len;
    }
    if (!out || text.failed) {
        free(out);
        fl_buf_free(&text);
        return fl_fail(err, FLORIN_ENOMEM, "event ids");
    }
    memcpy(end, out, n * 8);
    free(out);
    fl_buf_free(&w->id_text);
    w->id_text = text;
    return FLORIN_OK;
}

static florin_status sort_rows(fl_log_writer *w, bool *moved, florin_error *err)
{
    *moved = false;
    size_t n = (size_t)w->rows;
    if (!n) return FLORIN_OK;
    uint32_t *order = time_order(w->time.data, n);
    uint8_t *scratch = fl_alloc(n, 8);
    florin_status st =
        order && scratch ? FLORIN_OK : fl_fail(err, FLORIN_ENOMEM, "sorting %zu rows", n);
    for (size_t i = 0; !st && i < n && !*moved; i++) *moved = order[i] != i;
    if (!st && *moved) {
        st = reorder_ids(w, order, err);
        reorder(w->time.data, 8, order, n, scratch);
        reorder(w->amount.data, 8, order, n, scratch);
        reorder(w->type.data, 1, order, n, scratch);
        reorder(w->marks.data, 1, order, n, scratch);
        reorder(w->currency.data, 2, order, n, scratch);
        reorder(w->id.data, 8, order, n, scratch);
        reorder(w->present.data, 4, order, n, scratch);
        for (uint32_t k = 0; k < w->schema->kinds; k++)
            reorder(w->entity[k].data, 4, order, n, scratch);
        for (uint32_t f = 0; f < w->schema->categories; f++)
            reorder(w->category[f].data, 4, order, n, scratch);
        for (uint32_t f = 0; f < w->schema->numbers; f++)
            reorder(w->number[f].data, 4, order, n, scratch);
    }
    free(order);
    free(scratch);
    return st;
}

/* Labels whose event has a row now. The others wait for a later flush. */
static florin_status take_labels(fl_log_writer *w, fl_label **out, uint64_t *n, florin_error *err)
{
    fl_label *l = fl_calloc(w->labels ? w->labels : 1, sizeof *l);
    if (!l) return fl_fail(err, FLORIN_ENOMEM, "%zu labels", w->labels);
    size_t kept = 0;
    *n = 0;
    for (size_t i = 0; i < w->labels; i++) {
        if (i + AHEAD < w->labels) fl_map64_prefetch(&w->ids, w->label[i + AHEAD].id);
        const uint32_t *row = fl_map64_find(&w->ids, w->label[i].id);
        if (row && *row)
            l[(*n)++] = (fl_label){.arrival_us = w->label[i].arrival_us,
                                   .row = *row - 1,
                                   .value = w->label[i].value,
                                   .label = w->label[i].label};
        else w->label[kept++] = w->label[i];
    }
    w->labels = kept;

    bool sorted = true;
    for (uint64_t i = 1; i < *n; i++) sorted &= l[i - 1].arrival_us <= l[i].arrival_us;
    if (!sorted) {
        uint32_t *order = NULL;
        int64_t *t = fl_alloc((size_t)*n, sizeof *t);
        for (uint64_t i = 0; t && i < *n; i++) t[i] = l[i].arrival_us;
        order = t ? time_order(t, (size_t)*n) : NULL;
        uint8_t *scratch = fl_alloc((size_t)*n, sizeof *l);
        if (order && scratch) reorder(l, sizeof *l, order, (size_t)*n, scratch);
        bool ok = order && scratch;
        free(t);
        free(order);
        free(scratch);
        if (!ok) {
            free(l);
            return fl_fail(err, FLORIN_ENOMEM, "%llu labels", (unsigned long long)*n);
        }
    }
    *out = l;
    return FLORIN_OK;
}

/* CSR index: rows of each entity in order, by counting. */
static florin_status write_index(fl_log_writer *w, fl_blocks_writer *b, uint32_t k,
                                 florin_error *err)
{
    uint32_t entities = w->entities[k].count;
    size_t n = (size_t)w->rows;
    const uint32_t *e = w->entity[k].data;
    uint32_t *start = fl_calloc((size_t)entities + 2, 4), *rows = fl_alloc(n ? n : 1, 4);
    florin_status st = start && rows
                           ? FLORIN_OK
                           : fl_fail(err, FLORIN_ENOMEM, "index of %s", w->schema->kind[k].name);
    if (!st) {
        for (size_t i = 0; i < n; i++)
            if (e[i] != FL_NONE) start[e[i] + 2]++;
        for (uint32_t i = 2; i < entities + 2; i++) start[i] += start[i - 1];
        for (size_t i = 0; i < n; i++)
            if (e[i] != FL_NONE) rows[start[e[i] + 1]++] = (uint32_t)i;
        st = fl_blocks_writer_add(b, FL_SEG_INDEX_START, (uint16_t)k, 4, start,
                                  (uint64_t)entities + 1, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_INDEX_ROW, (uint16_t)k, 4, rows, start[entities],
                                      err);
    }
    free(start);
    free(rows);
    return st;
}

static florin_status write_columns(fl_log_writer *w, fl_blocks_writer *b, florin_error *err)
{
    const fl_schema *s = w->schema;
    uint64_t n = w->rows;
    florin_status st = fl_blocks_writer_add(b, FL_SEG_TIME, 0, 8, w->time.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_AMOUNT, 0, 8, w->amount.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_TYPE, 0, 1, w->type.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_MARKS, 0, 1, w->marks.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_CURRENCY, 0, 2, w->currency.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_ID, 0, 8, w->id.data, n, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_ID_END, 0, 8, w->id_end.data, n, err);
    if (!st)
        st = fl_blocks_writer_add(b, FL_SEG_ID_TEXT, 0, 1, w->id_text.data, w->id_text.len, err);
    if (!st && s->numbers)
        st = fl_blocks_writer_add(b, FL_SEG_PRESENT, 0, 4, w->present.data, n, err);
    for (uint32_t k = 0; k < s->kinds && !st; k++) {
        const dictionary *d = &w->entities[k];
        st = fl_blocks_writer_add(b, FL_SEG_ENTITY, (uint16_t)k, 4, w->entity[k].data, n, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_ENTITY_NEW, (uint16_t)k, 8, d->hash.data,
                                      d->count - d->old, err);
        if (!st) st = write_index(w, b, k, err);
    }
    for (uint32_t f = 0; f < s->categories && !st; f++) {
        const dictionary *d = &w->values[f];
        st = fl_blocks_writer_add(b, FL_SEG_CATEGORY, (uint16_t)f, 4, w->category[f].data, n, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_HASH, (uint16_t)f, 8, d->hash.data,
                                      d->count - d->old, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_END, (uint16_t)f, 8, d->end.data,
                                      d->count - d->old, err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_SEG_VALUE_TEXT, (uint16_t)f, 1, d->text.data,
                                      d->text.len, err);
    }
    for (uint32_t f = 0; f < s->numbers && !st; f++)
        st = fl_blocks_writer_add(b, FL_SEG_NUMBER, (uint16_t)f, 4, w->number[f].data, n, err);
    return st;
}

static florin_status write_names(fl_log_writer *w, const char *path, florin_error *err)
{
    fl_blocks_writer *b = NULL;
    uint64_t hash, bytes;
    florin_status st = fl_blocks_writer_open(&b, path, 0600, err);
    for (uint32_t k = 0; k < w->schema->kinds && !st; k++) {
        const dictionary *d = &w->entities[k];
        st = fl_blocks_writer_add(b, FL_NAMES_END, (uint16_t)k, 8, d->end.data, d->count - d->old,
                                  err);
        if (!st)
            st = fl_blocks_writer_add(b, FL_NAMES_TEXT, (uint16_t)k, 1, d->text.data, d->text.len,
                                      err);
    }
    if (!st) return fl_blocks_writer_commit(b, &hash, &bytes, err);
    fl_blocks_writer_abort(b);
    return st;
}

/* The batch is in its segment: forget rows and texts, keep the tables. */
static void clear_batch(fl_log_writer *w)
{
    w->base += w->rows;
    w->rows = 0;
    w->fresh = 0;
    w->added = 0;
    w->id_text.len = 0;
    for (uint32_t k = 0; k < w->schema->kinds; k++) {
        w->entities[k].old = w->entities[k].count;
        w->entities[k].text.len = 0;
    }
    for (uint32_t f = 0; f < w->schema->categories; f++) {
        w->values[f].old = w->values[f].count;
        w->values[f].text.len = 0;
    }
}

static void number_rows(fl_log_writer *w, bool moved)
{
    const uint64_t *id = w->id.data;
    const int64_t *time = w->time.data;
    for (uint64_t r = 0; r < w->rows; r++) {
        if (moved && r + AHEAD < w->rows) fl_map64_prefetch(&w->ids, id[r + AHEAD]);
        if (moved) *fl_map64_find(&w->ids, id[r]) = (uint32_t)(w->base + r + 1);
        if (time[r] < w->clock_us) w->stats.late++;
        else w->clock_us = time[r];
    }
}

/* more: rows may follow, so what these labels said must be remembered. */
static florin_status flush(fl_log_writer *w, bool more, florin_error *err)
{
    bool moved;
    fl_label *labels = NULL;
    uint64_t n = 0, hash = 0, bytes = 0;
    fl_blocks_writer *b = NULL;
    char file[32], names[32];
    florin_status st = sort_rows(w, &moved, err);
    if (st) return st;
    number_rows(w, moved);
    if (more) st = settle_told(w, err);
    if (!st) st = take_labels(w, &labels, &n, err);
    if (st) return st;
    w->labels_told = w->labels;
    if (!w->rows && !n) {
        free(labels);
        return FLORIN_OK;
    }
    snprintf(file, sizeof file, "seg-%06u.fls", ++w->files);
    snprintf(names, sizeof names, "ids-%06u.fld", w->files);
    char *path = fl_path_join(w->path, file), *names_path = fl_path_join(w->path, names);
    if (!path || !names_path) st = fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    if (!st) st = fl_blocks_writer_open(&b, path, 0644, err);
    if (!st) st = write_columns(w, b, err);
    if (!st) st = fl_blocks_writer_add(b, FL_SEG_LABEL, 0, sizeof *labels, labels, n, err);
    if (!st) {
        st = fl_blocks_writer_commit(b, &hash, &bytes, err);
        b = NULL;
    }
    if (!st && w->keep_ids) st = write_names(w, names_path, err);
    if (!st) {
        char hex[17];
        snprintf(hex, sizeof hex, "%016llx", (unsigned long long)hash);
        json_t *s =
            json_pack("{s:s, s:I, s:I, s:I, s:s, s:s*}", "file", file, "rows", (json_int_t)w->rows,
                      "labels", (json_int_t)n, "bytes", (json_int_t)bytes, "checksum", hex, "names",
                      w->keep_ids ? names : NULL);
        if (!s || json_array_append_new(json_object_get(w->manifest, "segments"), s))
            st = fl_fail(err, FLORIN_ENOMEM, "manifest");
    }
    if (!st) {
        w->stats.rows += w->rows;
        w->stats.labels += n;
        clear_batch(w);
    }
    fl_blocks_writer_abort(b);
    free(path);
    free(names_path);
    free(labels);
    return st;
}

florin_status fl_log_writer_commit(fl_log_writer *w, fl_log_written *stats, florin_error *err)
{
    florin_status st = flush(w, false, err);
    char *path = fl_path_join(w->path, FL_MANIFEST);
    if (!st && !path) st = fl_fail(err, FLORIN_ENOMEM, "%s", w->path);
    bool changed = w->stats.rows || w->stats.labels || !fl_file_exists(path ? path : "");
    if (!st && changed) {
        char hash[17];
        json_object_set_new(w->manifest, "files", json_integer(w->files));
        st = fl_manifest_hash(w->manifest, hash, err);
        if (!st && json_object_set_new(w->manifest, "hash", json_string(hash)))
            st = fl_fail(err, FLORIN_ENOMEM, "manifest");
        if (!st) st = fl_json_save(w->manifest, path, err);
    }
    w->stats.labels_unmatched = w->labels;
    w->stats.rows_total = w->base;
    size_t i;
    json_t *segment;
    json_array_foreach(json_object_get(w->manifest, "segments"), i, segment)
        w->stats.labels_total += (uint64_t)fl_json_int(segment, "labels", 0);
    for (uint32_t k = 0; k < w->schema->kinds; k++) w->stats.entities[k] = w->entities[k].count;
    if (stats) *stats = w->stats;
    free(path);
    writer_free(w);
    return st;
}

void fl_log_writer_abort(fl_log_writer *w)
{
    if (!w) return;
    /* Files that no manifest names: remove them now rather than at the next import. */
    json_t *old = NULL;
    char *path = fl_path_join(w->path, FL_MANIFEST);
    if (path && fl_file_exists(path) && !fl_json_load(&old, path, NULL)) {
        json_decref(w->manifest);
        w->manifest = old;
    } else {
        json_array_clear(json_object_get(w->manifest, "segments"));
    }
    remove_strays(w);
    free(path);
    writer_free(w);
}
