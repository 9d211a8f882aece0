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
    uint64_t
        cards; /* as long as a card number, in a column where most such have a right check digit */
    uint64_t iso;                    /* that DuckDB reads as a moment by itself */
    uint64_t comma_ends, point_ends; /* a comma, or a point, before the last one or two digits */
    uint64_t continental;     /* that read as numbers when the comma stands before the fraction */
    uint64_t point_zero;      /* end in ".0" */
    uint64_t days;            /* yyyymmdd */
    uint64_t clock;           /* hh:mm[:ss] */
    double low, high, length; /* of the numbers; mean length of the text */
    char first[64];           /* an example; empty for what may be a card number */
    char symbol;              /* '$', 'E' or 'L' (for the euro and pound signs), 0 */
    char format[40]; /* strptime's, when the text is a date that DuckDB does not read by itself */

    fl_draft_role role;
    char field[FL_NAME_MAX]; /* its name in the schema */
    fl_role side;            /* of an entity */
    int part;                /* place in a time or key made of several columns, from 1; 0: none */
    bool comma;              /* the comma stands before the fraction */
    bool whole_text;         /* whole numbers written with ".0": their text without it is the key */
    char why[160];
} fl_draft_column;

typedef struct {
    fl_relation relation;
    fl_draft_column *column; /* [relation.columns] */
    uint64_t rows;           /* of the sample */
    bool whole;              /* the sample is the whole file */
    int price, quantity;     /* columns whose product is the amount, -1 */
    int owner;               /* the id column, when nothing else says whom a row is about; -1 */
    bool card_numbers;       /* an entity holds card numbers */
    const char *tick;        /* unit of a counter of time: days, hours or seconds */
    char currency[4];
    bool currency_known; /* from the amount's sign or name */
    bool cents;          /* amounts are in hundredths */
    char notes[2048];    /* what the user should look at, one line each */
} fl_draft;

/* table: of a SQLite file; NULL: the one with most rows. */
florin_status fl_draft_profile(fl_draft *d, fl_duck *db, const char *path, const char *table,
                               florin_error *err);
void fl_draft_guess(fl_draft *d);
/* The YAML with comments. file: as it is to stand in the schema. */
void fl_draft_write(const fl_draft *d, const char *name, const char *file, fl_buf *out);
void fl_draft_free(fl_draft *d);

#endif
