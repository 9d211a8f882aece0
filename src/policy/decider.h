/* Owner of all live state: scorer, rules, journal, and who asked before. One thread calls it, in small batches.
 *
 * Order of things in a batch: each request is looked up (a repeat gets its first answer), scored, judged, put in the
 * journal; its state moves on. Whatever moves state is in the journal, so that a replay of the journal moves it alike.
 * Invariant: nothing moves while the journal can't take it; nothing allocates after open. */
#ifndef FL_DECIDER_H
#define FL_DECIDER_H

#include "policy/lists.h"
#include "policy/rings.h"
#include "score/journal_record.h"

enum { FL_DECIDER_BATCH_MAX = 1024, FL_REQUEST_BYTES_MAX = 32768 };

typedef struct {
    fl_scorer *scorer; /* stays the caller's, who leaves its state alone */
    const fl_model *model;
    const char *key;            /* fl_key_print */
    uint32_t head;              /* whose reasons, and whose threshold where there is no judge */
    fl_journal_options journal; /* preamble is the decider's */
    uint64_t from;              /* the scorer's state is that after this record */
    int64_t window_us;          /* 0: 24 h */
    uint32_t entries;           /* 0: 4,000,000 */
    int64_t ahead_us;           /* 0: 24 h */
    const fl_policy *
        policy; /* NULL: the head's threshold blocks. Lives until another takes its place, or the end */
    uint32_t rings; /* of each velocity that the policy names; 0: 1,000,000 */
    int64_t now_us;
} fl_decider_options;

typedef struct fl_decider fl_decider;

/* Opens the journal and replays what is behind `from`. */
florin_status fl_decider_open(fl_decider **out, const fl_decider_options *opt,
                              const florin_context *ctx, florin_error *err);
void fl_decider_close(fl_decider *d);

typedef struct {
    uint64_t sequence; /* 0: dry run */
    int64_t at_us, time_us;
    bool repeat, dry_run;
    fl_answer answer;
} fl_decided;
/* r [n], n <= the scorer's batch_max; r->at_us is set here. out, status, errors [n]. FLORIN_EIO: nothing was done. */
florin_status fl_decide(fl_decider *d, fl_request *const *r, uint32_t n, int64_t now_us,
                        fl_decided *out, florin_status *status, florin_error *errors,
                        florin_error *err);

typedef struct {
    uint64_t sequence, decision;
    bool repeat, counted;
} fl_receipt;
/* What became known, one after the other. n->decision 0: the event that n->event names. n->before, at_us are set here. */
florin_status fl_decider_learn(fl_decider *d, uint16_t type, fl_news *news, int64_t now_us,
                               fl_receipt *out, florin_error *err);
/* Everything that was learnt goes out: after the last of a row of fl_decider_learn. */
void fl_decider_flush(fl_decider *d);

/* Another policy from the next request on; NULL: none. Velocities and lists that both know go on. On an error the old one
 * stays. Allocates. */
florin_status fl_decider_set_policy(fl_decider *d, const fl_policy *policy, int64_t now_us,
                                    florin_error *err);
/* An entry of a list of the policy comes, with an end (INT64_MAX: none), or goes (INT64_MIN). */
florin_status fl_decider_list(fl_decider *d, const char *list, const char *value, size_t n,
                              int64_t until_us, int64_t now_us, uint64_t *sequence,
                              florin_error *err);

/* A decision by its record. r's texts lie in the journal until the next call. FLORIN_EINPUT: there is none. */
florin_status fl_decider_read(fl_decider *d, uint64_t sequence, fl_request *r, fl_decided *out,
                              florin_error *err);

/* Record of a decision by its public name (fl_decision_id); 0: there is none. */
uint64_t fl_decision_number(const fl_decider *d, const char *id, size_t n);

/* What a request says, as 64 bits: all but the times at which it came. scratch is overwritten. */
uint64_t fl_request_print(const fl_schema *s, const fl_request *r, fl_buf *scratch);

/* The newest checkpoint in a folder: its path, malloc'ed (NULL: none), and the record that it stands behind. */
florin_status fl_decider_state_find(const char *folder, char **path, uint64_t *sequence,
                                    florin_error *err);
/* The oldest one that stands at `least` or behind it; path NULL: none. */
florin_status fl_decider_state_oldest(const char *folder, uint64_t least, char **path,
                                      uint64_t *sequence, florin_error *err);
/* State as it is now, for the next open to go on from; what is older than the one before it is removed, but not the one
 * that stands at the journal's beginning. */
florin_status fl_decider_state_save(fl_decider *d, uint64_t *sequence, florin_error *err);
/* The same beside the decisions: a copy of the process writes it. start does nothing while one is at work. poll, called now and
 * then, takes it up when it is done; *sequence is then its number. */
florin_status fl_decider_state_start(fl_decider *d, florin_error *err);
florin_status fl_decider_state_poll(fl_decider *d, bool *running, uint64_t *sequence,
                                    florin_error *err);
/* The same where no journal is yet: what everything begins with. */
florin_status fl_decider_state_begin(const char *folder, const fl_scorer *s, const char *key,
                                     florin_error *err);

/* A journal once more, from a scorer that stands behind `from`: what differs from what was answered then? */
typedef struct {
    uint64_t records, decisions, labels, results;
    uint64_t differ; /* decisions whose bytes are not the same */
    uint64_t other;  /* decisions by another model or policy: they only moved histories */
    uint64_t first;  /* number of the first that differs; 0: none */
    uint64_t last;   /* record */
} fl_replayed;
florin_status fl_decider_replay(const fl_decider_options *opt, fl_replayed *out,
                                const florin_context *ctx, florin_error *err);

fl_journal *fl_decider_journal(const fl_decider *d);

typedef struct {
    uint64_t decisions, repeats, dry_runs, refused, labels, results, action[4];
    uint64_t recovered, cut_bytes;
} fl_decider_counts;
fl_decider_counts fl_decider_counts_of(const fl_decider *d);

#endif
