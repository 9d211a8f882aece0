/* Words of the rule language. */
#ifndef FL_POLICY_LEX_H
#define FL_POLICY_LEX_H

#include "base/base.h"

typedef enum {
    TOKEN_END = 0,
    TOKEN_NUMBER,
    TOKEN_TEXT,      /* 'x' or "x" */
    TOKEN_ATTRIBUTE, /* :x: */
    TOKEN_METADATA,  /* ::x:: */
    TOKEN_LIST,      /* @x */
    TOKEN_WORD,
    TOKEN_SPAN, /* 1h */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_TIMES,
    TOKEN_DIVIDE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_NOT,
    TOKEN_BAD /* why says what is wrong */
} fl_lexeme_kind;

typedef struct {
    fl_lexeme_kind kind;
    size_t at, width; /* in the rule's text */
    const char *text; /* what it says, without quotes and colons */
    size_t n;
    double number;
    const char *why; /* of TOKEN_BAD */
} fl_lexeme;

/* The token at or after `at` of a text that ends in a zero byte. */
fl_lexeme fl_lex(const char *text, size_t at);
/* Is the word w, whatever its case? */
bool fl_lexeme_is(const fl_lexeme *t, const char *w);

#endif
