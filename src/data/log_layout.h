/* What the blocks of a segment hold: shared by the log's reader and writer, and by nobody else. */
#ifndef FL_LOG_LAYOUT_H
#define FL_LOG_LAYOUT_H

#include "data/blocks.h"
#include "data/log.h"

enum {
    FL_SEG_TIME = 1, /* i64 [rows] */
    FL_SEG_AMOUNT,   /* i64 [rows] */
    FL_SEG_TYPE,     /* u8 [rows] */
    FL_SEG_MARKS,    /* u8 [rows] */
    FL_SEG_CURRENCY, /* u16 [rows] */
    FL_SEG_ID,       /* u64 [rows] hash of the event id */
    FL_SEG_ID_END,   /* u64 [rows] end of each id's text in FL_SEG_ID_TEXT */
    FL_SEG_ID_TEXT,  /* bytes */
    FL_SEG_ENTITY,   /* u32 [rows] by kind: number in the log's table of that kind */
    FL_SEG_CATEGORY, /* u32 [rows] by field: 1 + number in the log's dictionary of that field, 0 missing */
    FL_SEG_NUMBER,     /* f32 [rows] by field */
    FL_SEG_PRESENT,    /* u32 [rows] bit n: number n is present */
    FL_SEG_LABEL_TIME, /* i64 [labels] arrival; labels are in order of arrival, then of import */
    FL_SEG_ENTITY_NEW, /* u64 by kind: hashes of the entities that this segment brings */
    FL_SEG_INDEX_START, /* u32 [entities so far + 1] by kind: where each entity's rows begin in FL_SEG_INDEX_ROW */
    FL_SEG_INDEX_ROW,    /* u32 by kind: rows inside the segment, entity by entity, in order */
    FL_SEG_VALUE_HASH,   /* u64 by field: category values that this segment brings */
    FL_SEG_VALUE_END,    /* u64 by field */
    FL_SEG_VALUE_TEXT,   /* bytes by field */
    FL_SEG_LABEL_ROW,    /* u32 [labels] row in the whole log */
    FL_SEG_LABEL_VALUE,  /* f32 [labels] */
    FL_SEG_LABEL_NUMBER, /* u8 [labels] label of the schema */
    FL_SEG_ID_NUMBER,    /* u32 [rows] N of "row N" for an event without id, 0 for the others */
    FL_NAMES_END =
        64,       /* u64 by kind: end of each new entity's identifier (id dictionary files only) */
    FL_NAMES_TEXT /* bytes by kind */
};

/* One segment file is at most this many rows, so that row numbers inside it fit 32 bits. */
#define FL_SEGMENT_ROWS_MAX (UINT64_C(1) << 31)

enum { FL_LOG_VERSION = 1, FL_SEGMENTS_MAX = 65536 };
#define FL_MANIFEST "manifest.json"

/* Hash of everything in the manifest but its own "hash", as 16 hex digits. */
florin_status fl_manifest_hash(const json_t *manifest, char out[17], florin_error *err);

#endif
