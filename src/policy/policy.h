/* A policy: thresholds, rules, lists, their tests and the share of blocks that is let through, from one YAML file. Its version is
 * the hash of the file's bytes and of the list files that it names. Read-only after open, shared by threads.
 *
 * Order: rules that request 3DS, allow, block, review, the first that matches decides, within a kind the first in the file. A
 * threshold of block is the last of the block rules, one of review the last of the review rules; one of request_3ds comes after
 * everything, except that it goes before a lower threshold of review. */
#ifndef FL_POLICY_H
#define FL_POLICY_H

#include "policy/names.h"
#include "task/head.h"

typedef struct fl_policy fl_policy;
typedef struct fl_lists fl_lists;
typedef struct fl_rings fl_rings;

typedef enum { FL_ALLOW = 0, FL_REQUEST_3DS, FL_REVIEW, FL_BLOCK, FL_ACTIONS } fl_action;
const char *fl_action_name(fl_action a); /* "allow", "request_3ds", "review", "block" */

enum {
    FL_RULES_MAX = 1000,
    FL_SLOTS_MAX = 1024,
    FL_LISTS_MAX = 64,
    FL_SERIES_MAX = 32,
    FL_METADATA_MAX = 128,
    FL_POLICY_NONE = 0xffff
};

/* model NULL: names are free (good for tests alone). key: of the scorer, for identifiers that the file holds. */
florin_status fl_policy_load(fl_policy **out, const char *path, const fl_model *model,
                             const uint8_t key[16], florin_error *err);
/* The same from memory; list files and the model are looked for from the folder of `name`. */
florin_status fl_policy_parse(fl_policy **out, const char *text, size_t n, const char *name,
                              const fl_model *model, const uint8_t key[16], florin_error *err);
void fl_policy_free(fl_policy *p); /* NULL is fine */
/* One rule more, as if it stood last in the file; before the policy is in anybody's hands. `from` stands for the file in messages. */
florin_status fl_policy_add(fl_policy *p, const char *rule, const char *from, florin_error *err);
/* Path of the model that a file names under `model:`, from its folder; malloc'ed, NULL: none. Checks nothing else. */
florin_status fl_policy_model_of(char **out, const char *path, florin_error *err);

const char *fl_policy_version(const fl_policy *p); /* 64 hex digits */
const char *fl_policy_name(const fl_policy *p);
const char *fl_policy_text(const fl_policy *p, size_t *n); /* the file as it was read */
uint32_t fl_policy_rules(const fl_policy *p);
const char *fl_policy_rule_name(const fl_policy *p, uint32_t rule); /* as given, or "rule 3" */
const char *fl_policy_rule_text(const fl_policy *p, uint32_t rule);
fl_action fl_policy_rule_action(const fl_policy *p, uint32_t rule);
uint32_t fl_policy_rule_line(const fl_policy *p, uint32_t rule); /* in the file */
uint32_t fl_policy_rule_at(const fl_policy *p,
                           uint32_t i); /* number of the rule that is asked as the i-th */
/* Scores from which each action comes, INFINITY: never. Returns how many entities have thresholds of their own. */
uint32_t fl_policy_thresholds(const fl_policy *p, float at[FL_ACTIONS]);
double fl_policy_holdout(const fl_policy *p);
uint32_t fl_policy_tests(const fl_policy *p);
const fl_names *fl_policy_names(const fl_policy *p);

/* A text that need not end in a zero byte; NULL: absent. */
typedef struct {
    const char *text;
    uint32_t n;
} fl_text;

/* Metadata: the keys that rules name ("order_kind" of ::order_kind::, "customer:trusted" of ::customer:trusted::). */
uint32_t fl_policy_metadata(const fl_policy *p);
uint32_t fl_policy_metadata_find(const fl_policy *p, const char *key,
                                 size_t n); /* FL_NONE: no rule asks */
const char *fl_policy_metadata_key(const fl_policy *p, uint32_t i);

/* What a decision is made from: the event as the scorer takes it, what the model said, and the state around. */
typedef struct {
    const fl_event *event;
    const float
        *row; /* fl_scorer_row; NULL: the model gave no answer, so that features are missing */
    const fl_head_out *head; /* [fl_scorer_heads]; NULL: likewise */
    const fl_text *
        category; /* [schema's categories]; NULL: texts not at hand: `like` and `includes` are missing */
    const fl_text *metadata; /* [fl_policy_metadata]; NULL: none */
    const fl_lists *lists;   /* of this policy; NULL: empty */
    const fl_rings *rings;   /* of this policy; NULL: no past events */
} fl_policy_view;

typedef enum { FL_BY_NONE = 0, FL_BY_RULE, FL_BY_THRESHOLD } fl_by;
typedef struct {
    uint8_t action; /* fl_action */
    uint8_t by;     /* fl_by */
    uint16_t rule;  /* of FL_BY_RULE, else FL_POLICY_NONE */
    bool holdout;   /* would have been blocked, and is let through: action is allow */
    float
        propensity; /* chance that this event's outcome is seen: 1 where nothing would block, else the holdout's share */
    float threshold; /* of FL_BY_THRESHOLD */
} fl_decision;

/* Decide. Deterministic: holdout is drawn from the event's id (or, without one, from its time and entities). Allocates nothing. */
void fl_policy_decide(const fl_policy *p, const fl_policy_view *view, fl_decision *out);
/* Which rules match, whatever their order: bit r of matched [(rules + 63) / 64]. */
void fl_policy_match(const fl_policy *p, const fl_policy_view *view, uint64_t *matched);

/* Series that the rings keep: kind of entity and what is counted. */
typedef enum { FL_COUNT_ALL = 0, FL_COUNT_MARK, FL_COUNT_TYPE, FL_COUNT_ACTION } fl_count_what;
typedef struct {
    int kind;     /* -1: free names */
    uint8_t what; /* fl_count_what */
    uint8_t index;
    char name[2 * FL_NAME_MAX + 8]; /* "card, declined" */
} fl_series;
uint32_t fl_policy_series(const fl_policy *p);
const fl_series *fl_policy_series_at(const fl_policy *p, uint32_t i);

typedef struct {
    uint64_t hash;
    int64_t until_us;
} fl_list_entry;
typedef struct {
    const char *name;
    int kind;      /* of entity; -1: texts */
    uint32_t most; /* entries */
    uint32_t entries;
    const fl_list_entry *entry; /* of the file */
} fl_list;
uint32_t fl_policy_lists(const fl_policy *p);
const fl_list *fl_policy_list(const fl_policy *p, uint32_t i);

/* Run the file's own tests: *failed of *tests. result (may be NULL; the caller's): {tests, failed, cases: [{name, line, passed,
 * expected, action, rule, by}]}. */
florin_status fl_policy_test(const fl_policy *p, uint32_t *tests, uint32_t *failed, json_t **result,
                             florin_error *err);

#endif
