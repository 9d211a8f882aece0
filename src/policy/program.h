/* Insides of a policy, shared by the files of this folder and by nobody else: slots, the flat program, the parts of a file.
 *
 * Every value that rules read has a slot, filled once per event (or once per block of columns in a backtest); lists, patterns
 * and velocity are slots too, so that the program is comparisons, arithmetic and logic alone. A number is missing as NaN, a text
 * or entity as hash 0. Truth has three values, ordered so that `and` is min, `or` is max and `not` is 2 - x (Kleene 1938). */
#ifndef FL_POLICY_PROGRAM_H
#define FL_POLICY_PROGRAM_H

#include "base/yaml.h"
#include "policy/policy.h"
#include <math.h>

enum { NO = 0, UNKNOWN = 1, YES = 2 };
enum { NUMBER_DEPTH = 16, TRUTH_DEPTH = 32 };

typedef union {
    double number; /* numbers; flags as 0 and 1 */
    uint64_t hash; /* texts and entities */
} fl_cell;

typedef struct {
    uint8_t from, type; /* fl_attr_from, fl_attr_type */
    bool unknown_minus_one;
    bool used;         /* free names: some rule has typed it */
    uint16_t index;    /* as fl_attr; FREE, METADATA: its place in metadata[] or among free names */
    uint16_t of;       /* LISTED, LIKE: slot that it looks at */
    int64_t window_us; /* RING */
    const char *name;  /* as written, "card_country", "velocity(card, 1h, declined)" */
} fl_slot;

typedef enum {
    OP_NUMBER, /* push a slot's number */
    OP_CONST,  /* push a number */
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_NEG,
    OP_COMPARE,       /* two numbers off, truth on */
    OP_COMPARE_CONST, /* slot with a number */
    OP_COMPARE_SLOT,  /* slot with slot b */
    OP_SAME,          /* text slot with a hash; compare: EQ or NE */
    OP_SAME_SLOT,     /* text slot with slot b */
    OP_IN_NUMBERS,    /* number off; set b */
    OP_IN_TEXTS,      /* slot in set b */
    OP_FLAG,
    OP_MISSING,
    OP_TRUTH, /* push a constant truth */
    OP_NOT,
    OP_AND,
    OP_OR
} fl_op_code;
typedef enum { CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_EQ, CMP_NE } fl_compare;
typedef struct {
    uint8_t code,
        compare; /* of ADD .. DIV and COMPARE, compare 1: operands lie the other way round */
    uint16_t slot, b;
    uint8_t reversed, spare;
    fl_cell value;
} fl_op;

typedef struct {
    uint32_t first, count; /* in set_value; texts: hashes */
    bool texts;
} fl_set;

typedef struct {
    const char *name;  /* given, or "rule 3" */
    const char *text;  /* as written, without its name: where its code points to */
    const char *shown; /* the same in one line */
    uint8_t action;
    bool keep_out; /* never let through by the holdout */
    uint32_t first, ops;
    uint32_t line;
} fl_rule;

/* A list file that the policy names, as it was read. */
typedef struct fl_list_file {
    const char *name, *text;
    size_t n;
    struct fl_list_file *next;
} fl_list_file;

typedef struct {
    float block, review, request_3ds; /* INFINITY: none */
} fl_thresholds;
typedef struct {
    uint64_t hash;
    fl_thresholds at;
} fl_threshold_of;

/* A list under construction and as it is kept. */
typedef struct {
    fl_list list;
    size_t cap;
} fl_list_part;

/* A test of the file: values of slots, and what must come out. */
typedef struct {
    const char *name;
    uint32_t line;
    fl_cell *cell; /* [slots] */
    fl_text *text; /* [slots] */
    int64_t time_us;
    uint8_t action;
    const char *rule; /* NULL: any */
} fl_policy_case;

struct fl_policy {
    fl_arena *arena;
    fl_names *names;
    const char *file, *name, *text, *head;
    size_t text_n;
    fl_list_file *list_files;
    const fl_list_file *given; /* list files to take in place of the disk's; NULL: the disk's */
    char version[65];
    uint8_t key[16];
    const fl_schema *schema;
    double minor_units; /* in one major unit of the schema's currency */
    uint64_t type_hash[FL_SOURCES_MAX], level_hash[3], currency_hash;
    /* compiled */
    fl_slot *slot;
    size_t slots, slot_cap;
    fl_op *op;
    size_t ops, op_cap;
    fl_set *set;
    size_t sets, set_cap;
    fl_cell *set_value;
    size_t set_values, set_value_cap;
    const char **pattern; /* NULL-terminated; `like` as written, `includes` with its % added */
    size_t patterns, pattern_cap;
    const char *metadata[FL_METADATA_MAX];
    uint32_t metadatas;
    fl_series series[FL_SERIES_MAX];
    uint32_t seriess;
    fl_rule *rule;
    size_t rules, rule_cap;
    uint16_t *order; /* [rules] rules by action in the order of evaluation */
    fl_list_part list[FL_LISTS_MAX];
    uint32_t lists;
    /* thresholds */
    fl_thresholds at;
    uint16_t per_slot;       /* of the entity whose own thresholds go first, FL_POLICY_NONE */
    uint16_t score_slot;     /* of :risk_score:, when a threshold needs it */
    fl_map64 per;            /* hash -> place in per_at */
    fl_threshold_of *per_at; /* [pers] */
    size_t pers, per_cap;
    double holdout, holdout_most; /* share; largest amount, INFINITY: any */
    uint16_t amount_slot;
    fl_policy_case *cases;
    size_t case_count, case_cap;
};

/* Text of a file position for messages: line from 1, column from 1, the caret's width. */
typedef struct {
    const char *file;
    uint32_t line, column, width;
    const char *source; /* the line itself, NULL: none to show */
} fl_spot;
florin_status fl_spot_fail(const fl_spot *at, florin_error *err, const char *fmt, ...)
    FL_PRINTF(3, 4);

/* parse.c: compile one rule, `text` with its action, which stands in the file at `at` (its first character). Line breaks of the
 * text count from there. */
florin_status fl_rule_compile(fl_policy *p, const char *text, const fl_spot *at, fl_rule *out,
                              florin_error *err);
/* The slot of an attribute as fl_names has it, made where missing; FL_POLICY_NONE: too many (err says). */
florin_status fl_policy_slot(fl_policy *p, const fl_slot *want, uint16_t *out, florin_error *err);

/* fl_policy_parse with list files from memory: `given` is a list of them, which may be a single nameless one. */
florin_status fl_policy_parse_given(fl_policy **out, const char *text, size_t n, const char *name,
                                    const fl_list_file *given, const fl_model *model,
                                    const uint8_t key[16], florin_error *err);

/* file.c, cases.c: the parts of a file. */
florin_status fl_policy_read_lists(fl_policy *p, const fl_yaml *lists, fl_sha256 *version,
                                   florin_error *err);
florin_status fl_policy_read_rules(fl_policy *p, const fl_yaml *rules, florin_error *err);
florin_status fl_policy_read_thresholds(fl_policy *p, const fl_yaml *map, florin_error *err);
florin_status fl_policy_read_holdout(fl_policy *p, const fl_yaml *at, florin_error *err);
florin_status fl_policy_read_cases(fl_policy *p, const fl_yaml *tests, florin_error *err);
/* The slot of an attribute by its name; FLORIN_EINPUT at y when there is none. */
florin_status fl_policy_slot_named(fl_policy *p, const char *name, const fl_yaml *y, uint16_t *out,
                                   florin_error *err);

/* eval.c */
void fl_slots_load(const fl_policy *p, const fl_policy_view *view, fl_cell *cell, fl_text *text);
fl_cell fl_slot_cell(const fl_policy *p, const fl_slot *s, const fl_policy_view *view);
fl_thresholds fl_thresholds_of(const fl_policy *p, uint64_t hash); /* of an entity, 0: none */
void fl_slots_derive(const fl_policy *p, const fl_text *text, const fl_lists *lists, int64_t at_us,
                     fl_cell *cell);
int fl_rule_eval(const fl_policy *p, const fl_rule *rule, const fl_cell *cell);
void fl_policy_judge(const fl_policy *p, const fl_cell *cell, uint64_t draw, fl_decision *out);
bool fl_like(const char *pattern, const char *text, size_t n);
/* What a text says as a number or a flag: NaN where it says none. */
double fl_text_number(const char *text, size_t n), fl_text_flag(const char *text, size_t n);

#endif
