/* Plain words for the columns of a row: which story a column belongs to, and a sentence with the value in it.
 * Columns of one story would tell a reader the same thing, so only the strongest of them is told. */
#ifndef FL_WORDS_H
#define FL_WORDS_H

#include "model/model.h"

enum { FL_CODE_MAX = 112, FL_WORDS_MAX = 288 };

/* What of the entity's normal belongs beside a sentence. */
typedef enum { FL_NORMAL_ALL = 0, FL_NORMAL_AMOUNT, FL_NORMAL_PACE } fl_normal_part;

/* How one column is told: worked out once. */
typedef struct {
    char code[FL_CODE_MAX];           /* of its story: "card.pace", "unusual.card.category" ... */
    char about[2 * FL_NAME_MAX + 24]; /* "this card", "this card at this merchant" */
    const char *text,
        *never; /* sentences with {V} value, {O} about, {L} label, {N} name, {S} time scale */
    const char *unit;
    char name[FL_NAME_MAX]; /* {N}: category, mark, field, or kind of the counterparty */
    uint8_t scale;          /* of {S} */
    fl_normal_part part;
    int owner; /* entity kind whose normal goes beside; -2 - p: of pair p; -1: none */
} fl_told;

void fl_told_of(const fl_model *m, uint32_t column, fl_told *out);
/* The sentence for a value. */
void fl_told_text(const fl_model *m, const fl_told *t, float value, char out[FL_WORDS_MAX]);
/* A value below this is nought, never or unknown: the sentence says what is not there. */
float fl_told_least(const fl_told *t);

/* Values as people write them. out holds 48 bytes. */
const char *fl_words_money(const fl_schema *s, double major, char out[48]);
const char *fl_words_days(double days, char out[48]);
const char *fl_words_number(double x, char out[48]);

#endif
