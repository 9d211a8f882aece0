/* The review queue: decisions of review wait here for a person, who claims one, looks, and decides: approve, refund, fraud. Off the path of
 * a decision: what goes in is read from the journal, so a queue that is lost or behind is filled again from the sequence it had reached. A
 * person's decision becomes a label; until the journal has taken it (fl_queue_told) it is kept as still to be told, so that none is lost
 * between the two. */
#ifndef FL_POLICY_QUEUE_H
#define FL_POLICY_QUEUE_H

#include "base/base.h"
#include "base/json.h"

typedef struct fl_queue fl_queue;
florin_status fl_queue_open(fl_queue **out, const char *path, florin_error *err);
void fl_queue_close(fl_queue *q);

typedef struct {
    const char *decision; /* its id */
    uint64_t sequence;    /* of its record */
    int64_t decided_us, amount_minor;
    const char *currency, *type, *event; /* event: the caller's own id of it, may be "" */
    int score;
    const char *rule; /* or what else decided */
    const char *why;  /* reasons, a text or JSON as the caller likes it */
} fl_queue_item;

/* In the order of the journal; one that is there changes nothing. Many between begin and end of a batch are one write to the disk. */
florin_status fl_queue_begin(fl_queue *q, florin_error *err);
florin_status fl_queue_put(fl_queue *q, const fl_queue_item *item, florin_error *err);
/* The journal was read up to here, whether or not it held reviews. */
florin_status fl_queue_reach(fl_queue *q, uint64_t sequence, florin_error *err);
florin_status fl_queue_end(fl_queue *q, florin_status st, florin_error *err);
florin_status fl_queue_reached(fl_queue *q, uint64_t *sequence, florin_error *err);

typedef enum {
    FL_REVIEW_APPROVE = 0,
    FL_REVIEW_REFUND,
    FL_REVIEW_FRAUD,
    FL_REVIEW_OUTCOMES
} fl_outcome;
const char *fl_outcome_name(fl_outcome o); /* "approve", "refund", "fraud" */

/* For who, until at_us + for_us: then another may have it. FLORIN_EINPUT: not there, decided, or in another's hands (who is told). */
florin_status fl_queue_claim(fl_queue *q, const char *decision, const char *who, int64_t at_us,
                             int64_t for_us, florin_error *err);
florin_status fl_queue_release(fl_queue *q, const char *decision, const char *who, int64_t at_us,
                               florin_error *err);
/* By who has claimed it, or of one that nobody has. note: may be NULL. */
florin_status fl_queue_decide(fl_queue *q, const char *decision, const char *who,
                              fl_outcome outcome, const char *note, int64_t at_us,
                              florin_error *err);
florin_status fl_queue_note(fl_queue *q, const char *decision, const char *who, const char *text,
                            int64_t at_us, florin_error *err);

/* At most `most` (1,000; 0: as many) after the cursor ("" or NULL: from the beginning), the oldest or the highest score first. state: "open" (nobody has it now), "claimed", "done", NULL: all. {items: [...], next: cursor or null}. */
typedef enum { FL_QUEUE_OLDEST = 0, FL_QUEUE_SCORE } fl_queue_order;
florin_status fl_queue_list(fl_queue *q, const char *state, fl_queue_order by, const char *cursor,
                            uint32_t most, int64_t at_us, json_t **out, florin_error *err);
/* One, with its notes and who did what. */
florin_status fl_queue_get(fl_queue *q, const char *decision, int64_t at_us, json_t **out,
                           florin_error *err);

/* Decisions of people that the journal has not taken yet, oldest first: false at the end. */
typedef struct {
    char decision[64], who[128];
    fl_outcome outcome;
    int64_t at_us;
} fl_queue_news;
florin_status fl_queue_untold(fl_queue *q, fl_queue_news *out, uint32_t most, uint32_t *n,
                              florin_error *err);
florin_status fl_queue_told(fl_queue *q, const char *decision, florin_error *err);

typedef struct {
    uint64_t open, claimed, done, untold;
    int64_t oldest_us; /* decided_us of the oldest that is not done; INT64_MAX: none */
} fl_queue_counts;
florin_status fl_queue_count(fl_queue *q, int64_t at_us, fl_queue_counts *out, florin_error *err);

#endif
