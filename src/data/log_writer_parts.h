/* What the two files of the log's write side share: rows as they wait (log_writer.c) and how they become a segment
 * (log_flush.c). Nobody else includes this. */
#ifndef FL_LOG_WRITER_PARTS_H
#define FL_LOG_WRITER_PARTS_H

#include "data/log_layout.h"
#include "data/log_writer.h"

enum { FL_WRITER_AHEAD = 16 }; /* rows between the call for a table's place and its use */

typedef struct {
    void *data;
    size_t cap;
} fl_column;

/* Names or values: all hashes so far, and the texts of those that this segment brings. */
typedef struct {
    fl_map64 map;
    uint32_t count, old; /* old: already in earlier segments */
    fl_column hash, end; /* of the new ones, u64 */
    fl_buf text;
} fl_dictionary;

/* Labels in the order of import, column by column. row: among the waiting rows, in order of arrival; FL_NONE: the event
 * is not among them, and its id is the next of `id`. */
typedef struct {
    fl_column arrival_us, value, row, label, id; /* i64, f32, u32, u8, u64 */
    size_t n, ids;
} fl_waiting_labels;

struct fl_log_writer {
    char *path;
    fl_schema *schema;
    const florin_context *ctx;
    bool sorted, keep_ids;
    int lock;
    uint8_t key[16];
    json_t *manifest;           /* as it will be */
    uint32_t files;             /* number of the last segment file */
    uint64_t start;             /* rows that the log had when it was opened */
    uint64_t base;              /* rows in segments, written or not yet in the manifest */
    uint64_t rows, limit, room; /* room: rows that every column has space for */
    fl_column time, amount, type, marks, currency, id, entity[FL_KINDS_MAX],
        category[FL_CATEGORIES_MAX], number[FL_NUMBERS_MAX], present;
    fl_column id_end, id_number; /* data NULL: no waiting row needs it */
    fl_buf id_text;
    fl_dictionary entities[FL_KINDS_MAX], values[FL_CATEGORIES_MAX];
    fl_map64 ids;       /* event id -> row + 1 in the log; of waiting rows in order of arrival */
    fl_map64 same_rows; /* rows without an id, that were equal to one before: how many of them */
    uint64_t fresh;  /* id of the row added last, 0 when it was a duplicate: its labels are news */
    uint32_t *twice; /* of the rows being put, those that are duplicates */
    size_t twices, twice_cap;
    fl_waiting_labels labels;
    fl_map64 told;      /* labels that the log has: the same one again is not a correction */
    size_t labels_told; /* of the waiting ones, how many are in `told` */
    size_t ids_told;
    int64_t last_us, clock_us;
    uint64_t added;
    fl_log_written stats;
};

#define FL_COLUMN(c, type) ((type *)(c).data)

/* Bring `told` up to date with the waiting labels. */
florin_status fl_log_writer_settle_told(fl_log_writer *w, florin_error *err);
/* The waiting rows and labels become a segment. more: rows may follow, so what these labels said must be remembered. */
florin_status fl_log_writer_flush(fl_log_writer *w, bool more, florin_error *err);

#endif
