/* What is in a journal's records: bytes to and from a decision and what became known of it. Reading trusts nothing.
 * Layouts: docs/format.md. All numbers little-endian, floats as their bits. */
#ifndef FL_JOURNAL_RECORD_H
#define FL_JOURNAL_RECORD_H

#include "score/journal.h"
#include "score/scorer.h"

enum {
    FL_RECORD_DECISION = 1, /* an event as it came, and the answer to it */
    FL_RECORD_LABEL = 2,    /* an outcome */
    FL_RECORD_RESULT = 3,   /* of the authorisation */
    FL_RECORD_POLICY = 4,   /* the policy that decides from here on */
    FL_RECORD_LIST = 5      /* an entry of a list comes or goes */
};

typedef struct {
    const char *text; /* [n] */
    uint32_t n;
} fl_span;

enum { FL_META_MAX = 50, FL_META_KEY_MAX = 64, FL_META_VALUE_MAX = 1024, FL_RULE_NAME_MAX = 127 };

/* A request as the decider gets it: identifiers are hashes. Texts are the caller's, or lie in the record. */
typedef struct {
    fl_event event;                      /* entity[] is not kept */
    fl_span id;                          /* the event's */
    fl_span category[FL_CATEGORIES_MAX]; /* n 0: missing */
    uint64_t key[2];                     /* hash of the idempotency key, 0, 0: none */
    uint64_t print;                      /* of all that the request says */
    int64_t at_us;                       /* the decider's clock */
    uint8_t flags;                       /* FLORIN_REQUEST_ */
    uint32_t metas;
    fl_span meta_key[FL_META_MAX], meta_value[FL_META_MAX];
} fl_request;

typedef struct {
    float probability;
    uint8_t score, level, over_threshold;
} fl_answer_score;

typedef struct {
    uint8_t action, scored, head, heads, reasons;
    uint8_t by, holdout;         /* florin_decided_by; 1: a block that was let through */
    float propensity, threshold; /* chance that the outcome is seen; of a decision by threshold */
    uint64_t model, policy;      /* versions: the beginnings of their hashes; policy 0: none */
    fl_answer_score score[FL_SCORE_HEADS_MAX];
    char rule[FL_RULE_NAME_MAX + 1]; /* that decided; "": none */
    fl_reason reason[FL_REASONS_MAX];
} fl_answer;

/* Public names of records of a journal: 17 letters, no order in them to see. */
enum { FL_DECISION_ID = 18 };
void fl_decision_id(const uint8_t journal[FL_JOURNAL_ID], uint64_t sequence,
                    char out[FL_DECISION_ID]);
uint64_t fl_decision_id_read(const uint8_t journal[FL_JOURNAL_ID], const char *id,
                             size_t n); /* 0: none */
/* What stands for the id's hash of an event that has no id. */
uint64_t fl_decision_event(const uint8_t journal[FL_JOURNAL_ID], uint64_t sequence, uint32_t type);

/* Bytes behind b. `failed` of b: no memory. */
void fl_request_put(fl_buf *b, const fl_schema *s, const fl_request *r);
void fl_answer_put(fl_buf *b, const fl_answer *a);
/* FLORIN_EFORMAT: not what the two above wrote by a schema of this shape. */
florin_status fl_decision_read(const fl_schema *s, const fl_record *record, fl_request *r,
                               fl_answer *a, florin_error *err);

/* An outcome or a result, of the event with hash `event`. */
typedef struct {
    uint64_t decision; /* number of its record */
    uint64_t event;    /* hash of the event's id */
    uint64_t before;   /* number of the record of this kind before it, of the same event; 0: none */
    uint64_t key[2];
    int64_t at_us, arrival_us;
    uint8_t label; /* LABEL */
    float value;
    uint8_t marks, marks_known;         /* RESULT: bits */
    uint8_t marks_before, marks_fresh;  /* RESULT: what the event had so far; what is new */
    int64_t amount_minor, time_us;      /* RESULT: of the event */
    uint64_t entity_hash[FL_KINDS_MAX]; /* RESULT: of the event */
    uint32_t number_present;
    float number[FL_NUMBERS_MAX];
    fl_span category[FL_CATEGORIES_MAX];
} fl_news;
/* What decides, and lists: texts lie in the record. */
typedef struct {
    int64_t at_us;
    char version[65]; /* POLICY: hash, hex digits */
    fl_span name;     /* of the policy, of the list */
    fl_span text;     /* POLICY: the file, as far as it fits a record */
    uint64_t hash;    /* LIST */
    int64_t until_us; /* LIST; INT64_MIN: it goes */
} fl_change;
void fl_change_put(fl_buf *b, const fl_change *c);
florin_status fl_change_read(const fl_record *record, fl_change *c, florin_error *err);

void fl_news_put(fl_buf *b, const fl_schema *s, uint16_t type, const fl_news *n);
florin_status fl_news_read(const fl_schema *s, const fl_record *record, fl_news *n,
                           florin_error *err);

#endif
