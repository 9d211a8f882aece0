/* The event log, read side: immutable, checksummed, memory-mapped segments; a single stream of events.
 *
 * Order. Row r comes before row r+1 everywhere in Florin: segments in the order they were imported, inside
 * a segment by (time_us, place in the source). A row of a later segment whose time is before the largest
 * time already seen is *late*: it is applied at its place in the log, with the clock standing still.
 * Labels are a second stream, sorted by (arrival_us, order of import) over all segments; see fold/replay.h
 * for how the two are merged.
 *
 * A handle may be shared by threads: everything here is read-only after open. */
#ifndef FL_LOG_H
#define FL_LOG_H

#include "data/schema.h"

#define FL_NONE        UINT32_MAX /* no entity */
#define FL_AMOUNT_NONE INT64_MIN  /* event has no amount */

/* One event, gathered. Also what the live path builds from a request. */
typedef struct {
    uint64_t id; /* hash of the user's event id */
    int64_t time_us;
    int64_t amount_minor; /* in the schema's currency units (minor), FL_AMOUNT_NONE if absent */
    uint8_t type;         /* source number in the schema */
    uint8_t marks;        /* bit m: schema mark m */
    uint16_t currency;    /* ISO 4217 letters packed base 26; 0 = schema's currency */
    uint32_t entity
        [FL_KINDS_MAX]; /* dense number in the log's (or the scorer's) table, FL_NONE if absent */
    uint64_t entity_hash
        [FL_KINDS_MAX]; /* keyed hash of the identifier, 0 if absent: the only identity that
                                             may enter a feature (novelty, pairs); dense numbers differ live */
    uint64_t category[FL_CATEGORIES_MAX]; /* fl_category_hash of the value; 0 = missing */
    float number[FL_NUMBERS_MAX];         /* finite; 0 where missing */
    uint32_t number_present;              /* bit n: number n is present */
} fl_event;

typedef struct {
    int64_t arrival_us;
    uint64_t row;  /* of the event it speaks of */
    float value;   /* 0 or 1 for yes/no labels */
    uint8_t label; /* number in the schema */
} fl_label;

typedef struct fl_log fl_log;

florin_status fl_log_open(fl_log **out, const char *path, florin_error *err);
void fl_log_close(fl_log *log);

const fl_schema *fl_log_schema(const fl_log *log);
const char *fl_log_path(const fl_log *log);
const char *fl_log_key(const fl_log *log); /* fl_key_print of the key that hashed its identifiers */
const char *fl_log_hash(const fl_log *log); /* 64 hex digits over the checksums of all segments */
uint64_t fl_log_rows(const fl_log *log);
uint64_t fl_log_labels(const fl_log *log);
uint32_t fl_log_entities(const fl_log *log, int kind); /* size of that kind's table */
uint32_t fl_log_segments(const fl_log *log);
uint64_t fl_log_segment_first(const fl_log *log, uint32_t segment); /* first row of a segment */
uint32_t fl_log_segment_of(const fl_log *log, uint64_t row);

/* Row r in full. row < fl_log_rows is the caller's duty (asserted). */
void fl_log_event(const fl_log *log, uint64_t row, fl_event *out);
/* Single columns, for scans. */
int64_t fl_log_time(const fl_log *log, uint64_t row);
int64_t fl_log_amount(const fl_log *log, uint64_t row);
uint16_t fl_log_currency(const fl_log *log, uint64_t row);
/* False: missing. */
bool fl_log_number(const fl_log *log, int field, uint64_t row, float *out);
uint8_t fl_log_type(const fl_log *log, uint64_t row);
uint8_t fl_log_marks(const fl_log *log, uint64_t row);
uint32_t fl_log_entity(const fl_log *log, int kind, uint64_t row);
uint64_t fl_log_category(const fl_log *log, int field, uint64_t row);
/* 1 + number of the value in the field's dictionary, 0 missing: for counting without a look-up. */
uint32_t fl_log_category_code(const fl_log *log, int field, uint64_t row);
/* Whole columns of one segment, for scans that cannot afford a call per value. */
typedef struct {
    uint64_t first, rows; /* row r of the log is at r - first */
    const int64_t *time_us, *amount_minor;
    const uint8_t *type, *marks;
    const uint16_t *currency;
    const uint32_t *entity[FL_KINDS_MAX],
        *category[FL_CATEGORIES_MAX]; /* as fl_log_category_code */
    const float *number[FL_NUMBERS_MAX];
    const uint32_t *present; /* bit n: number n is */
} fl_log_columns;
fl_log_columns fl_log_columns_of(const fl_log *log, uint32_t segment);
/* All labels in arrival order [fl_log_labels]. */
const fl_label *fl_log_label_array(const fl_log *log);
/* The i-th label in arrival order. */
void fl_log_label(const fl_log *log, uint64_t i, fl_label *out);
/* Largest time over all rows / smallest; 0 if empty. */
int64_t fl_log_time_min(const fl_log *log), fl_log_time_max(const fl_log *log);

/* The user's own event id as text (not NUL-terminated), e.g. "536365" or, without an id column, "row 17", which is then
 * written into number. */
enum { FL_ID_NUMBER = 16 };
const char *fl_log_event_id(const fl_log *log, uint64_t row, char number[FL_ID_NUMBER],
                            size_t *len);
/* "row n": number's length. */
size_t fl_id_number(char number[FL_ID_NUMBER], uint32_t n);
/* Row of an event id (hash), UINT64_MAX: none. Linear the first time (builds a map), then O(1). Not thread-safe. */
uint64_t fl_log_find(fl_log *log, uint64_t id);

/* Entities: keyed hash of number i; its events (rows in log order) as an index. */
uint64_t fl_log_entity_hash(const fl_log *log, int kind, uint32_t entity);
uint32_t fl_log_entity_find(const fl_log *log, int kind, uint64_t hash); /* FL_NONE: unknown */
/* Rows of an entity in order: call with segment = 0.. ; returns a pointer to n row numbers inside the segment
 * (add fl_log_segment_first). */
const uint32_t *fl_log_entity_rows(const fl_log *log, int kind, uint32_t entity, uint32_t segment,
                                   uint32_t *n);
/* Original identifier from the id dictionary, or NULL when there is none. */
const char *fl_log_entity_name(const fl_log *log, int kind, uint32_t entity, size_t *len);

/* Dictionary of a category field: text of a value's hash, NULL if unknown. Values in order of first appearance. */
uint32_t fl_log_values(const fl_log *log, int field);
uint64_t fl_log_value_hash(const fl_log *log, int field, uint32_t i);
const char *fl_log_value_text(const fl_log *log, int field, uint64_t hash, size_t *len);

/* Hash of an event id; never 0. Sources number their events each for itself, so the source (its number in the
 * schema) is part of it: payment 17 and login 17 are two events. */
uint64_t fl_event_id_hash(uint32_t source, const char *text, size_t n);
/* Stable hash of a category value; never 0. Independent of field and log. */
uint64_t fl_category_hash(const char *text, size_t n);
/* Keyed hash of an identifier of a kind; never 0. Key: fl_schema.hash_key. Shared by import and serving. */
uint64_t fl_entity_hash(const uint8_t key[16], const char *kind, const char *text, size_t n);
florin_status fl_schema_key(const fl_schema *s, uint8_t key[16], florin_error *err);
/* The same from a file. */
florin_status fl_key_load(const char *path, uint8_t key[16], florin_error *err);
/* Which key it is, without telling it: 16 hex digits. */
void fl_key_print(const uint8_t key[16], char out[17]);

#endif
