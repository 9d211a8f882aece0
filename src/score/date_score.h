/* All entities of a kind through a head at a date: who of those known before the date is judged how. */
#ifndef FL_DATE_SCORE_H
#define FL_DATE_SCORE_H

#include "task/head.h"

typedef struct {
    const char *out;  /* table, .parquet or .csv; NULL: none */
    const char *head; /* NULL: the first that judges entities at a date */
    int64_t
        at_us; /* events before it and labels that arrived by it count; INT64_MAX: the whole log */
    uint32_t top; /* entities to list, the highest first; at most 1000 */
} fl_date_score_options;

typedef struct {
    uint32_t entity; /* number in the log */
    fl_head_out score;
    float idle_days; /* since its last event */
} fl_top_entity;

typedef struct {
    char head[64];
    int kind;
    int64_t at_us;
    uint64_t entities, level[3];
    uint32_t tops;
    fl_top_entity *top; /* free() */
} fl_date_score_result;

/* FLORIN_EUSAGE: the model has no such head; FLORIN_ESCHEMA; FLORIN_EINPUT no entity has an event before the date. */
florin_status fl_date_score(const fl_model *m, const fl_log *log, const fl_date_score_options *opt,
                            fl_date_score_result *result, const florin_context *ctx,
                            florin_error *err);

/* Name of an entity for people: from the log's id dictionary, else its hash as 16 hex digits. malloc'ed. */
char *fl_entity_text(const fl_log *log, int kind, uint32_t entity);

#endif
