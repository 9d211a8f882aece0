/* The event log, write side: used by import and by the simulator. Adds one segment, or nothing.
 * Rows are added in any order; commit sorts by (time, order added), drops event ids that the log already
 * has (counted), builds the entity indexes and dictionaries, writes one segment with checksums, and last
 * replaces the manifest atomically: kill -9 at any moment leaves the old log. */
#ifndef FL_LOG_WRITER_H
#define FL_LOG_WRITER_H

#include "data/duck.h"
#include "data/log.h"

typedef struct fl_log_writer fl_log_writer;

typedef struct {
    uint64_t rows, duplicates, labels, labels_unmatched, late;
    uint64_t rows_total, labels_total; /* of the log afterwards */
    uint64_t entities[FL_KINDS_MAX];
} fl_log_written;

/* Opens LOG for appending, or creates it; another schema than the log's own is FLORIN_ESCHEMA.
 * sorted: the caller promises rows in time order (no sort is done, a violation is an error).
 * keep_ids: write the id dictionary (mode 0600). */
florin_status fl_log_writer_open(fl_log_writer **out, const char *path, const fl_schema *schema,
                                 bool sorted, bool keep_ids, const florin_context *ctx,
                                 florin_error *err);
/* The same, with a key instead of the one that the schema names. */
florin_status fl_log_writer_open_key(fl_log_writer **out, const char *path, const fl_schema *schema,
                                     const uint8_t key[16], bool sorted, bool keep_ids,
                                     const florin_context *ctx, florin_error *err);
/* Tell how many rows will come, about: saves growing. */
void fl_log_writer_expect(fl_log_writer *w, uint64_t rows);
/* A row with this id_hash comes next, after some work of the caller: hides the wait for memory. */
void fl_log_writer_soon(const fl_log_writer *w, uint64_t event_id);
/* The key of its identifiers (16 bytes), for fl_entity_hash. */
const uint8_t *fl_log_writer_key(const fl_log_writer *w);
/* Codes: dense numbers private to the writer, then rewritten. value_code gives the number of a category
 * value, entity_code that of an identifier; both copy the text when it is new. */
florin_status fl_log_writer_value(fl_log_writer *w, int field, const char *text, size_t n,
                                  uint32_t *code, florin_error *err);
florin_status fl_log_writer_entity(fl_log_writer *w, int kind, const char *text, size_t n,
                                   uint32_t *code, florin_error *err);

/* An identifier of which there is only fl_entity_hash by the writer's key. */
florin_status fl_log_writer_hashed(fl_log_writer *w, int kind, uint64_t hash, uint32_t *code,
                                   florin_error *err);

typedef struct {
    int64_t time_us, amount_minor;
    uint8_t type, marks;
    uint16_t currency;
    uint32_t entity[FL_KINDS_MAX];        /* codes, FL_NONE absent */
    uint32_t category[FL_CATEGORIES_MAX]; /* codes, FL_NONE missing */
    float number[FL_NUMBERS_MAX];
    uint32_t number_present;
    const char *id; /* user's event id; NULL: the writer numbers it "row N" */
    size_t id_len;
    uint64_t id_hash; /* 0: fl_event_id_hash(type, id) */
} fl_log_row;

florin_status fl_log_writer_row(fl_log_writer *w, const fl_log_row *row, florin_error *err);
/* A label of an event of this batch or of the log, by fl_event_id_hash of its source and event id. */
florin_status fl_log_writer_label(fl_log_writer *w, uint64_t event_id, uint8_t label, float value,
                                  int64_t arrival_us, florin_error *err);

/* Many rows at once, column by column. */
typedef struct {
    uint32_t n;
    const int64_t *time_us, *amount_minor;
    const uint8_t *type, *marks;
    const uint16_t *currency;
    const uint32_t *present;
    const float *number[FL_NUMBERS_MAX];
    /* Hashes: 0 is none. A row without an id text has in `id` a hash of its cells: the writer tells equal rows apart. */
    const uint64_t *id, *entity[FL_KINDS_MAX], *category[FL_CATEGORIES_MAX];
    /* Texts of the same, of which row i is place[i]. */
    fl_duck_vector id_text, entity_text[FL_KINDS_MAX], category_text[FL_CATEGORIES_MAX];
    const uint32_t *place;
    /* Labels of these rows, in their order: of row i those whose label_row is first_row + i. */
    uint32_t labels, first_row;
    const uint32_t *label_row;
    const uint8_t *label;
    const float *label_value;
    const int64_t *label_arrival_us;
} fl_log_batch;

/* Rows [from, from + n) of them. */
fl_log_batch fl_log_batch_part(const fl_log_batch *rows, uint32_t from, uint32_t n);
/* How many rows may be put now, at least 1: the waiting ones become a segment when they are enough. */
florin_status fl_log_writer_room(fl_log_writer *w, uint64_t *rows, florin_error *err);
/* The rows of one turn: first a call of ..._turn with their sum, then every put of every part, then ..._turned. The puts
 * touch a column each, so different ones may run at once; `at` is the part's place within the turn, and one column's
 * parts come in their order. fresh (of rows->n) takes the rows whose value is new, *n_fresh their number. */
florin_status fl_log_writer_turn(fl_log_writer *w, uint64_t n, florin_error *err);
void fl_log_writer_put_cells(fl_log_writer *w, uint64_t at, const fl_log_batch *rows);
florin_status fl_log_writer_put_entities(fl_log_writer *w, uint64_t at, const fl_log_batch *rows,
                                         uint32_t kind, uint32_t *fresh, uint32_t *n_fresh,
                                         florin_error *err);
florin_status fl_log_writer_put_values(fl_log_writer *w, uint64_t at, const fl_log_batch *rows,
                                       uint32_t field, uint32_t *fresh, uint32_t *n_fresh,
                                       florin_error *err);
florin_status fl_log_writer_put_ids(fl_log_writer *w, uint64_t at, const fl_log_batch *rows,
                                    florin_error *err);
florin_status fl_log_writer_turned(fl_log_writer *w, uint64_t n, florin_error *err);

florin_status fl_log_writer_commit(fl_log_writer *w, fl_log_written *stats,
                                   florin_error *err); /* frees w */
void fl_log_writer_abort(fl_log_writer *w);

#endif
