/* The event log, write side. Rows wait in memory as columns, without those whose id is known; a flush (log_flush.c) sorts
 * them, resolves labels and writes one segment file that no manifest names yet; commit replaces the manifest. So
 * whatever is interrupted leaves the old log, and at most files that the next open for writing removes. */
#include "data/import.h"
#include "data/log_writer_parts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { EXPECTED_MAX = 100000000 };

static void dictionary_free(fl_dictionary *d)
{
    fl_map64_free(&d->map);
    free(d->hash.data);
    free(d->end.data);
    fl_buf_free(&d->text);
}

static void writer_free(fl_log_writer *w)
{
    if (!w) return;
    fl_column *c[] = {&w->time,         &w->amount,     &w->type,
                      &w->marks,        &w->currency,   &w->id,
                      &w->id_end,       &w->present,    &w->labels.arrival_us,
                      &w->labels.value, &w->labels.row, &w->labels.label,
                      &w->labels.id};
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
    fl_map64_free(&w->same_rows);
    free(w->twice);
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
    w->base = w->start = fl_log_rows(log);
    w->clock_us = w->base ? fl_log_time_max(log) : INT64_MIN;
    for (uint32_t k = 0; k < w->schema->kinds && !st; k++) {
        fl_dictionary *d = &w->entities[k];
        d->old = d->count = fl_log_entities(log, (int)k);
        for (uint32_t i = 0; i < d->count && !st; i++)
            st = map_put(&d->map, fl_log_entity_hash(log, (int)k, i), i, err);
    }
    for (uint32_t f = 0; f < w->schema->categories && !st; f++) {
        fl_dictionary *d = &w->values[f];
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
    uint64_t memory = fl_memory(w->ctx);
    uint64_t bytes = 96 + 8 * w->schema->kinds + 4 * (w->schema->categories + w->schema->numbers);
    uint64_t n = memory / 2 / bytes;
    return n < 65536 ? 65536 : n > FL_SEGMENT_ROWS_MAX ? FL_SEGMENT_ROWS_MAX : n;
}

florin_status fl_log_writer_open(fl_log_writer **out, const char *path, const fl_schema *schema,
                                 bool sorted, bool keep_ids, const florin_context *ctx,
                                 florin_error *err)
{
    uint8_t key[16];
    *out = NULL;
    florin_status st = fl_schema_key(schema, key, err);
    return st ? st : fl_log_writer_open_key(out, path, schema, key, sorted, keep_ids, ctx, err);
}

florin_status fl_log_writer_open_key(fl_log_writer **out, const char *path, const fl_schema *schema,
                                     const uint8_t key[16], bool sorted, bool keep_ids,
                                     const florin_context *ctx, florin_error *err)
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
              fl_map64_init(&w->told, 1024) && fl_map64_init(&w->same_rows, 16);
    for (int k = 0; k < FL_KINDS_MAX; k++) ok = ok && fl_map64_init(&w->entities[k].map, 64);
    for (int f = 0; f < FL_CATEGORIES_MAX; f++) ok = ok && fl_map64_init(&w->values[f].map, 64);
    if (!ok) st = fl_fail(err, FLORIN_ENOMEM, "%s", path);
    /* A schema of its own: the caller's may go before the writer does. */
    json_t *j = st ? NULL : fl_schema_to_json(schema);
    if (!st) st = fl_schema_from_json(&w->schema, j, path, err);
    json_decref(j);
    memcpy(w->key, key, sizeof w->key);
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

void fl_log_writer_expect(fl_log_writer *w, uint64_t rows)
{
    fl_map64 ids;
    if (w->ids.count || rows > EXPECTED_MAX || !fl_map64_init(&ids, (size_t)rows)) return;
    fl_map64_free(&w->ids);
    w->ids = ids;
}

const uint8_t *fl_log_writer_key(const fl_log_writer *w)
{
    return w->key;
}

void fl_log_writer_soon(const fl_log_writer *w, uint64_t event_id)
{
    fl_map64_prefetch(&w->ids, event_id);
}

static florin_status dictionary_add(fl_dictionary *d, uint64_t hash, const char *text, size_t n,
                                    uint32_t *code, florin_error *err)
{
    size_t fresh = d->count - d->old;
    if (d->count == UINT32_MAX - 1 || !fl_grow(&d->hash.data, &d->hash.cap, fresh + 1, 8) ||
        !fl_grow(&d->end.data, &d->end.cap, fresh + 1, 8))
        return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
    fl_buf_add(&d->text, text, n);
    if (d->text.failed) return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
    FL_COLUMN(d->hash, uint64_t)[fresh] = hash;
    FL_COLUMN(d->end, uint64_t)[fresh] = d->text.len;
    *code = d->count++;
    return FLORIN_OK;
}

static florin_status dictionary_code(fl_dictionary *d, uint64_t hash, const char *text, size_t n,
                                     uint32_t *code, florin_error *err)
{
    bool inserted;
    uint32_t *v = fl_map64_insert(&d->map, hash, &inserted);
    if (!v) return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
    florin_status st = inserted ? dictionary_add(d, hash, text, n, v, err) : FLORIN_OK;
    *code = *v;
    return st;
}

/* A declared card number is hashed, and its digits are kept nowhere. */
static bool keeps_name(const fl_log_writer *w, const char *text, size_t n)
{
    return w->keep_ids && !(w->schema->card_numbers && fl_is_card_number(text, n));
}

florin_status fl_log_writer_value(fl_log_writer *w, int field, const char *text, size_t n,
                                  uint32_t *code, florin_error *err)
{
    return dictionary_code(&w->values[field], fl_category_hash(text, n), text, n, code, err);
}

florin_status fl_log_writer_entity(fl_log_writer *w, int kind, const char *text, size_t n,
                                   uint32_t *code, florin_error *err)
{
    uint64_t hash = fl_entity_hash(w->key, w->schema->kind[kind].name, text, n);
    return dictionary_code(&w->entities[kind], hash, text, keeps_name(w, text, n) ? n : 0, code,
                           err);
}

florin_status fl_log_writer_hashed(fl_log_writer *w, int kind, uint64_t hash, uint32_t *code,
                                   florin_error *err)
{
    return dictionary_code(&w->entities[kind], hash, "", 0, code, err);
}

/* Space for n more rows. */
static florin_status grow_columns(fl_log_writer *w, uint64_t n, florin_error *err)
{
    const fl_schema *s = w->schema;
    if (w->base + w->rows + n >= UINT32_MAX - 1 || w->base + w->added + n >= UINT32_MAX - 1)
        return fl_fail(err, FLORIN_ENOMEM, "a log holds at most 4 billion events");
    if (w->rows + n <= w->room) return FLORIN_OK;
    size_t room = w->room ? 2 * (size_t)w->room : 1024;
    while (room < w->rows + n) room *= 2;
    bool ok = fl_grow(&w->time.data, &w->time.cap, room, 8) &&
              fl_grow(&w->amount.data, &w->amount.cap, room, 8) &&
              fl_grow(&w->type.data, &w->type.cap, room, 1) &&
              fl_grow(&w->marks.data, &w->marks.cap, room, 1) &&
              fl_grow(&w->currency.data, &w->currency.cap, room, 2) &&
              fl_grow(&w->id.data, &w->id.cap, room, 8) &&
              (!w->id_end.data || fl_grow(&w->id_end.data, &w->id_end.cap, room, 8)) &&
              (!w->id_number.data || fl_grow(&w->id_number.data, &w->id_number.cap, room, 4)) &&
              fl_grow(&w->present.data, &w->present.cap, room, 4);
    for (uint32_t k = 0; k < s->kinds && ok; k++)
        ok = fl_grow(&w->entity[k].data, &w->entity[k].cap, room, 4);
    for (uint32_t f = 0; f < s->categories && ok; f++)
        ok = fl_grow(&w->category[f].data, &w->category[f].cap, room, 4);
    for (uint32_t f = 0; f < s->numbers && ok; f++)
        ok = fl_grow(&w->number[f].data, &w->number[f].cap, room, 4);
    if (!ok) return fl_fail(err, FLORIN_ENOMEM, "%llu rows", (unsigned long long)w->rows);
    w->room = room;
    return FLORIN_OK;
}

/* A column that only some rows need, from the first that does. */
static bool begin_column(const fl_log_writer *w, fl_column *c, size_t width)
{
    if (c->data) return true;
    c->data = fl_calloc((size_t)w->room, width);
    c->cap = c->data ? (size_t)w->room : 0;
    return c->data != NULL;
}

/* Row r of the waiting ones has this text, or, text NULL, is "row N". */
static florin_status name_row(fl_log_writer *w, uint64_t r, const char *text, size_t len,
                              florin_error *err)
{
    if (text) {
        fl_buf_add(&w->id_text, text, len);
        if (w->id_text.failed || !begin_column(w, &w->id_end, 8))
            return fl_fail(err, FLORIN_ENOMEM, "event ids");
    } else {
        if (!begin_column(w, &w->id_number, 4)) return fl_fail(err, FLORIN_ENOMEM, "event ids");
        FL_COLUMN(w->id_number, uint32_t)[r] = (uint32_t)(w->base + w->added);
    }
    if (w->id_end.data) FL_COLUMN(w->id_end, uint64_t)[r] = w->id_text.len;
    if (text && w->id_number.data) FL_COLUMN(w->id_number, uint32_t)[r] = 0;
    return FLORIN_OK;
}

/* The id of a row without one: of its cells, and of how many equal rows of this import came before it. */
static uint64_t content_id(uint64_t cells, uint32_t before)
{
    return fl_mix64((cells | 1) + before) | 1;
}

/* Not the first row of such cells: known is the row + 1 of the first one, of this import or of the log before. */
static florin_status number_equal(fl_log_writer *w, uint64_t cells, uint32_t known, uint64_t *id,
                                  florin_error *err)
{
    bool inserted;
    uint32_t *before = fl_map64_insert(&w->same_rows, cells | 1, &inserted);
    if (!before) return fl_fail(err, FLORIN_ENOMEM, "%zu rows without id", w->same_rows.count);
    if (inserted) *before = known > w->start;
    *id = content_id(cells, (*before)++);
    return FLORIN_OK;
}

/* Take the id of the row that will be number r of the waiting ones. cells: it has none of its own, and *id is made of
 * these. *fresh: it was not known. */
static florin_status add_id(fl_log_writer *w, uint64_t r, uint64_t *id, const uint64_t *cells,
                            bool *fresh, florin_error *err)
{
    florin_status st = FLORIN_OK;
    w->added++;
    uint32_t *seen = fl_map64_insert(&w->ids, *id, fresh);
    if (seen && !*fresh && cells) {
        st = number_equal(w, *cells, *seen, id, err);
        if (!st) seen = fl_map64_insert(&w->ids, *id, fresh);
    }
    if (!seen) return fl_fail(err, FLORIN_ENOMEM, "%zu event ids", w->ids.count);
    w->fresh = *fresh ? *id : 0;
    if (!*fresh) w->stats.duplicates++;
    if (st || !*fresh) return st;
    *seen = (uint32_t)(w->base + r + 1);
    FL_COLUMN(w->id, uint64_t)[r] = *id;
    return FLORIN_OK;
}

static florin_status out_of_order(uint64_t row, florin_error *err)
{
    return fl_fail(err, FLORIN_EINTERNAL, "row %llu is not in time order", (unsigned long long)row);
}

florin_status fl_log_writer_row(fl_log_writer *w, const fl_log_row *row, florin_error *err)
{
    if (w->sorted && row->time_us < w->last_us) return out_of_order(w->added + 1, err);
    w->last_us = row->time_us;
    uint64_t room;
    florin_status st = fl_log_writer_room(w, &room, err);
    if (!st) st = grow_columns(w, 1, err);
    if (st) return st;
    char number[FL_ID_NUMBER];
    uint64_t hash = row->id_hash;
    if (!hash && row->id) hash = fl_event_id_hash(row->type, row->id, row->id_len);
    if (!hash) {
        size_t n = fl_id_number(number, (uint32_t)(w->base + w->added + 1));
        hash = fl_event_id_hash(row->type, number, n);
    }
    bool fresh;
    st = add_id(w, w->rows, &hash, NULL, &fresh, err);
    if (!st && fresh) st = name_row(w, w->rows, row->id, row->id_len, err);
    if (st || !fresh) return st;

    size_t r = (size_t)w->rows++;
    FL_COLUMN(w->time, int64_t)[r] = row->time_us;
    FL_COLUMN(w->amount, int64_t)[r] = row->amount_minor;
    FL_COLUMN(w->type, uint8_t)[r] = row->type;
    FL_COLUMN(w->marks, uint8_t)[r] = row->marks;
    FL_COLUMN(w->currency, uint16_t)[r] = row->currency;
    FL_COLUMN(w->present, uint32_t)[r] = row->number_present;
    for (uint32_t k = 0; k < w->schema->kinds; k++)
        FL_COLUMN(w->entity[k], uint32_t)[r] = row->entity[k];
    for (uint32_t f = 0; f < w->schema->categories; f++) FL_COLUMN(w->category[f], uint32_t)
    [r] = row->category[f] == FL_NONE ? 0 : row->category[f] + 1;
    for (uint32_t f = 0; f < w->schema->numbers; f++)
        FL_COLUMN(w->number[f], float)[r] = row->number[f];
    return FLORIN_OK;
}

/* ---- labels ---- */

florin_status fl_log_writer_settle_told(fl_log_writer *w, florin_error *err)
{
    const fl_waiting_labels *l = &w->labels;
    for (; w->labels_told < l->n; w->labels_told++) {
        size_t i = w->labels_told;
        uint32_t row = FL_COLUMN(l->row, uint32_t)[i];
        uint64_t id = row == FL_NONE ? FL_COLUMN(l->id, uint64_t)[w->ids_told]
                                     : FL_COLUMN(w->id, uint64_t)[row];
        w->ids_told += row == FL_NONE;
        uint64_t key = label_key(id, FL_COLUMN(l->label, uint8_t)[i], FL_COLUMN(l->value, float)[i],
                                 FL_COLUMN(l->arrival_us, int64_t)[i]);
        bool inserted;
        if (!fl_map64_insert(&w->told, key, &inserted))
            return fl_fail(err, FLORIN_ENOMEM, "%zu labels", w->told.count);
    }
    return FLORIN_OK;
}

/* Nobody has spoken of a fresh event yet but the labels just before; of the others `told` knows. */
static florin_status is_told(fl_log_writer *w, uint32_t row, uint64_t id, uint8_t label,
                             float value, int64_t arrival_us, bool *told, florin_error *err)
{
    const fl_waiting_labels *l = &w->labels;
    *told = false;
    if (row != FL_NONE) {
        for (size_t i = l->n; i-- && FL_COLUMN(l->row, uint32_t)[i] == row && !*told;)
            *told = FL_COLUMN(l->label, uint8_t)[i] == label &&
                    FL_COLUMN(l->arrival_us, int64_t)[i] == arrival_us &&
                    memcmp(&FL_COLUMN(l->value, float)[i], &value, sizeof value) == 0;
        return FLORIN_OK;
    }
    florin_status st = fl_log_writer_settle_told(w, err);
    if (!st) *told = fl_map64_find(&w->told, label_key(id, label, value, arrival_us)) != NULL;
    return st;
}

/* row: of the event among the waiting ones when it is fresh, else FL_NONE. */
static florin_status add_label(fl_log_writer *w, uint32_t row, uint64_t id, uint8_t label,
                               float value, int64_t arrival_us, florin_error *err)
{
    fl_waiting_labels *l = &w->labels;
    bool told;
    florin_status st = is_told(w, row, id, label, value, arrival_us, &told, err);
    if (st || told) return st;
    if (!fl_grow(&l->arrival_us.data, &l->arrival_us.cap, l->n + 1, 8) ||
        !fl_grow(&l->value.data, &l->value.cap, l->n + 1, 4) ||
        !fl_grow(&l->row.data, &l->row.cap, l->n + 1, 4) ||
        !fl_grow(&l->label.data, &l->label.cap, l->n + 1, 1) ||
        (row == FL_NONE && !fl_grow(&l->id.data, &l->id.cap, l->ids + 1, 8)))
        return fl_fail(err, FLORIN_ENOMEM, "%zu labels", l->n);
    FL_COLUMN(l->arrival_us, int64_t)[l->n] = arrival_us;
    FL_COLUMN(l->value, float)[l->n] = value;
    FL_COLUMN(l->row, uint32_t)[l->n] = row;
    FL_COLUMN(l->label, uint8_t)[l->n++] = label;
    if (row == FL_NONE) FL_COLUMN(l->id, uint64_t)[l->ids++] = id;
    return FLORIN_OK;
}

florin_status fl_log_writer_label(fl_log_writer *w, uint64_t event_id, uint8_t label, float value,
                                  int64_t arrival_us, florin_error *err)
{
    uint64_t id = event_id ? event_id : 1;
    uint32_t row = id == w->fresh ? (uint32_t)(w->rows - 1) : FL_NONE;
    return add_label(w, row, id, label, value, arrival_us, err);
}

/* ---- turns ---- */

fl_log_batch fl_log_batch_part(const fl_log_batch *rows, uint32_t from, uint32_t n)
{
    fl_log_batch p = *rows;
    p.n = n;
    p.time_us += from;
    p.amount_minor += from;
    p.type += from;
    p.marks += from;
    p.currency += from;
    p.present += from;
    p.id += from;
    p.place += from;
    for (int f = 0; f < FL_NUMBERS_MAX; f++)
        if (p.number[f]) p.number[f] += from;
    for (int k = 0; k < FL_KINDS_MAX; k++)
        if (p.entity[k]) p.entity[k] += from;
    for (int f = 0; f < FL_CATEGORIES_MAX; f++)
        if (p.category[f]) p.category[f] += from;
    uint32_t first = 0, end;
    while (first < rows->labels && rows->label_row[first] < rows->first_row + from) first++;
    for (end = first; end < rows->labels && rows->label_row[end] < rows->first_row + from + n;)
        end++;
    p.first_row += from;
    p.labels = end - first;
    p.label_row += first;
    p.label += first;
    p.label_value += first;
    p.label_arrival_us += first;
    return p;
}

florin_status fl_log_writer_room(fl_log_writer *w, uint64_t *rows, florin_error *err)
{
    florin_status st = FLORIN_OK;
    if (w->sorted && w->rows >= w->limit) st = fl_log_writer_flush(w, true, err);
    *rows = w->sorted ? w->limit - w->rows : UINT64_MAX;
    return st;
}

florin_status fl_log_writer_turn(fl_log_writer *w, uint64_t n, florin_error *err)
{
    w->twices = 0;
    return grow_columns(w, n, err);
}

void fl_log_writer_put_cells(fl_log_writer *w, uint64_t at, const fl_log_batch *p)
{
    size_t r = (size_t)(w->rows + at), n = p->n;
    memcpy(FL_COLUMN(w->time, int64_t) + r, p->time_us, n * 8);
    memcpy(FL_COLUMN(w->amount, int64_t) + r, p->amount_minor, n * 8);
    memcpy(FL_COLUMN(w->type, uint8_t) + r, p->type, n);
    memcpy(FL_COLUMN(w->marks, uint8_t) + r, p->marks, n);
    memcpy(FL_COLUMN(w->currency, uint16_t) + r, p->currency, n * 2);
    memcpy(FL_COLUMN(w->present, uint32_t) + r, p->present, n * 4);
    for (uint32_t f = 0; f < w->schema->numbers; f++)
        memcpy(FL_COLUMN(w->number[f], float) + r, p->number[f], n * 4);
}

/* none: what stands for a value that is absent; the first code is none_is_zero. */
static florin_status put_codes(fl_log_writer *w, fl_dictionary *d, const fl_log_batch *p,
                               const uint64_t *hash, const fl_duck_vector *text, bool names,
                               uint32_t *code, uint32_t *fresh, uint32_t *n_fresh,
                               florin_error *err)
{
    *n_fresh = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        bool inserted;
        code[i] = FL_NONE;
        if (i + FL_WRITER_AHEAD < p->n && hash[i + FL_WRITER_AHEAD])
            fl_map64_prefetch(&d->map, hash[i + FL_WRITER_AHEAD]);
        if (!hash[i]) continue;
        uint32_t *v = fl_map64_insert(&d->map, hash[i], &inserted);
        if (!v) return fl_fail(err, FLORIN_ENOMEM, "dictionary of %u entries", d->count);
        if (inserted) {
            const fl_duck_cell *cell = (const fl_duck_cell *)text->data + p->place[i];
            const char *s = fl_duck_cell_text(cell);
            size_t n = names && !keeps_name(w, s, cell->near.length) ? 0 : cell->near.length;
            florin_status st = dictionary_add(d, hash[i], s, n, v, err);
            if (st) return st;
            fresh[(*n_fresh)++] = i;
        }
        code[i] = *v;
    }
    return FLORIN_OK;
}

florin_status fl_log_writer_put_entities(fl_log_writer *w, uint64_t at, const fl_log_batch *p,
                                         uint32_t k, uint32_t *fresh, uint32_t *n_fresh,
                                         florin_error *err)
{
    return put_codes(w, &w->entities[k], p, p->entity[k], &p->entity_text[k], true,
                     FL_COLUMN(w->entity[k], uint32_t) + w->rows + at, fresh, n_fresh, err);
}

florin_status fl_log_writer_put_values(fl_log_writer *w, uint64_t at, const fl_log_batch *p,
                                       uint32_t f, uint32_t *fresh, uint32_t *n_fresh,
                                       florin_error *err)
{
    uint32_t *code = FL_COLUMN(w->category[f], uint32_t) + w->rows + at;
    florin_status st = put_codes(w, &w->values[f], p, p->category[f], &p->category_text[f], false,
                                 code, fresh, n_fresh, err);
    for (uint32_t i = 0; i < p->n && !st; i++) code[i]++; /* FL_NONE + 1 is 0: missing */
    return st;
}

static florin_status note_duplicate(fl_log_writer *w, uint64_t at, florin_error *err)
{
    void *p = w->twice;
    if (!fl_grow(&p, &w->twice_cap, w->twices + 1, sizeof *w->twice))
        return fl_fail(err, FLORIN_ENOMEM, "%zu duplicates", w->twices);
    w->twice = p;
    w->twice[w->twices++] = (uint32_t)at;
    return FLORIN_OK;
}

florin_status fl_log_writer_put_ids(fl_log_writer *w, uint64_t at, const fl_log_batch *p,
                                    florin_error *err)
{
    const fl_duck_cell *text = p->id_text.data;
    florin_status st = FLORIN_OK;
    uint32_t l = 0;
    for (uint32_t i = 0; i < p->n && !st; i++) {
        const fl_duck_cell *own =
            text && fl_duck_valid(&p->id_text, p->place[i]) ? text + p->place[i] : NULL;
        if (i + FL_WRITER_AHEAD < p->n) {
            uint64_t soon = p->id[i + FL_WRITER_AHEAD];
            fl_map64_prefetch(&w->ids, own ? soon : content_id(soon, 0));
        }
        uint64_t id = own ? p->id[i] : content_id(p->id[i], 0);
        uint64_t r = w->rows + at + i - w->twices;
        bool fresh = false;
        st = add_id(w, r, &id, own ? NULL : &p->id[i], &fresh, err);
        if (!st && fresh)
            st = name_row(w, r, own ? fl_duck_cell_text(own) : NULL, own ? own->near.length : 0,
                          err);
        if (!st && !fresh) st = note_duplicate(w, at + i, err);
        for (; l < p->labels && p->label_row[l] == p->first_row + i && !st; l++)
            st = add_label(w, fresh ? (uint32_t)r : FL_NONE, id, p->label[l], p->label_value[l],
                           p->label_arrival_us[l], err);
    }
    return st;
}

/* A column without the duplicates of this turn. */
static void drop_twice(const fl_log_writer *w, const fl_column *c, size_t width, uint64_t n)
{
    uint8_t *base = (uint8_t *)c->data + w->rows * width;
    size_t to = w->twice[0];
    for (size_t i = 0; i < w->twices; i++) {
        size_t from = w->twice[i] + 1, end = i + 1 < w->twices ? w->twice[i + 1] : (size_t)n;
        memmove(base + to * width, base + from * width, (end - from) * width);
        to += end - from;
    }
}

florin_status fl_log_writer_turned(fl_log_writer *w, uint64_t n, florin_error *err)
{
    const int64_t *time = FL_COLUMN(w->time, int64_t) + w->rows;
    for (uint64_t i = 0; i < n; i++) {
        if (w->sorted && time[i] < w->last_us) return out_of_order(w->added - n + i + 1, err);
        w->last_us = time[i];
    }
    if (w->twices) {
        drop_twice(w, &w->time, 8, n);
        drop_twice(w, &w->amount, 8, n);
        drop_twice(w, &w->type, 1, n);
        drop_twice(w, &w->marks, 1, n);
        drop_twice(w, &w->currency, 2, n);
        drop_twice(w, &w->present, 4, n);
        for (uint32_t k = 0; k < w->schema->kinds; k++) drop_twice(w, &w->entity[k], 4, n);
        for (uint32_t f = 0; f < w->schema->categories; f++) drop_twice(w, &w->category[f], 4, n);
        for (uint32_t f = 0; f < w->schema->numbers; f++) drop_twice(w, &w->number[f], 4, n);
    }
    w->rows += n - w->twices;
    w->twices = 0;
    return FLORIN_OK;
}

florin_status fl_log_writer_commit(fl_log_writer *w, fl_log_written *stats, florin_error *err)
{
    florin_status st = fl_log_writer_flush(w, false, err);
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
    w->stats.labels_unmatched = w->labels.n;
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
