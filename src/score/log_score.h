/* A whole log through its scores: the offline path (fl_encode), the live path (fl_scorer), or both held against
 * each other bit for bit. */
#ifndef FL_LOG_SCORE_H
#define FL_LOG_SCORE_H

#include "score/scorer.h"

enum { FL_TOP_MAX = 1000 };

typedef struct {
    const char *out;        /* table of scores (.parquet, .csv); NULL: none */
    const char *head;       /* of the top list; NULL: the first */
    int64_t from_us, to_us; /* events in [from, to) are scored; earlier ones only move the states */
    uint32_t top;           /* most suspicious events, with reasons; at most FL_TOP_MAX */
    bool live, check;       /* check: both paths, FLORIN_EQUALITY at the first difference */
} fl_log_score_options;

typedef struct {
    uint64_t row;
    fl_event event;
    fl_head_out score;
    uint32_t reasons;
    fl_reason reason[FL_REASONS_MAX];
} fl_top_event;

typedef struct {
    uint64_t events, labels;
    double seconds;
    uint32_t heads, top_head, tops;
    fl_top_event *top; /* most suspicious first; free with fl_log_score_free */
    char head_name[FL_SCORE_HEADS_MAX][64];
    uint64_t level[FL_SCORE_HEADS_MAX][3]; /* events by level */
    int64_t
        seen_us; /* scores of events before it are no measure of quality: the model or a head learnt from what
                        became of them. INT64_MIN: no scored event is */
} fl_log_score_result;

florin_status fl_log_score(const fl_model *m, const fl_log *log, const fl_log_score_options *opt,
                           fl_log_score_result *result, const florin_context *ctx,
                           florin_error *err);
void fl_log_score_free(fl_log_score_result *r);

#endif
