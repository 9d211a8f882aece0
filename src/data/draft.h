/* Drafting a schema: what each column of an unknown table looks like, what it probably means, and why. */
#ifndef FL_DRAFT_H
#define FL_DRAFT_H

#include "data/source.h"

typedef enum {
    FL_DRAFT_IGNORE,
    FL_DRAFT_ID,
    FL_DRAFT_TIME,
    FL_DRAFT_AMOUNT,
    FL_DRAFT_CURRENCY,
    FL_DRAFT_ENTITY,
    FL_DRAFT_CATEGORY,
    FL_DRAFT_NUMBER,
    FL_DRAFT_TEXT,
    FL_DRAFT_MARK,
    FL_DRAFT_LABEL,
    FL_DRAFT_ROLES
} fl_draft_role;
extern const char *const fl_draft_role_name[FL_DRAFT_ROLES];

/* A column of the sample, measured. */
typedef struct {
    const char *name; /* the relation's */
    const char *type; /* as sniffed */
    uint64_t values, distinct;
    uint64_t numbers;    /* that read as numbers as they stand */
    uint64_t money;      /* that read as numbers without $, EUR signs, blanks and commas */
    uint64_t whole;      /* numbers without a fraction */
    uint64_t two_valued; /* yes/no words, 0/1 */
    uint64_t cards;      /* digits that satisfy Luhn's check and are as long as a card number */
    uint64_t days;       /* yyyymmdd */
    uint64_t clock;      /* hh:mm[:ss] */
    double low, high, length; /* of the numbers; mean length of the text */
    char first[64];           /* an example; empty for what may be a card number */
    char symbol;              /* '$', 'E' or 'L' (for the euro and pound signs), 0 */
    char format[40]; /* strptime's, when the text is a date that DuckDB does not read by itself */

    fl_draft_role role;
    char field[FL_NAME_MAX]; /* its name in the schema */
    fl_role side;            /* of an entity */
    int part;                /* place in a time or key made of several columns, from 1; 0: none */
    char why[160];
} fl_draft_column;

typedef struct {
    fl_relation relation;
    fl_draft_column *column; /* [relation.columns] */
    uint64_t rows;           /* of the sample */
    bool whole;              /* the sample is the whole file */
    int price, quantity;     /* columns whose product is the amount, -1 */
    char currency[4];
    char notes[1024]; /* what the user should look at, one line each */
} fl_draft;

florin_status fl_draft_profile(fl_draft *d, fl_duck *db, const char *path, florin_error *err);
void fl_draft_guess(fl_draft *d);
/* The YAML with comments. file: as it is to stand in the schema. */
void fl_draft_write(const fl_draft *d, const char *name, const char *file, fl_buf *out);
void fl_draft_free(fl_draft *d);

#endif
