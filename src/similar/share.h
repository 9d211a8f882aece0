/* What two entities or events have in common, in plain words, the rarest first. */
#ifndef FL_SHARE_H
#define FL_SHARE_H

#include "score/words.h"
#include "similar/crowd.h"

/* The value of a category field that each of the crowd's entities had most often before at_us: 1 + its number in the field's
 * dictionary, 0: none. Ties: the earlier in the dictionary. code [n]. */
florin_status fl_share_usual(uint32_t *code, const fl_crowd *c, const fl_log *log, int kind,
                             int field, int64_t at_us, florin_error *err);

enum { FL_SHARED_MAX = 5 };
typedef struct {
    char code[FL_CODE_MAX], text[FL_WORDS_MAX];
    double share; /* of the population that is so too */
} fl_shared;

/* How the population's fold features and category values are spread. Two agree in a feature when both lie in one of its
 * bands (ends at 1, 5, 10, 25, 50, 75, 90, 95, 99 % of the population), in a field when they have the same value. */
typedef struct fl_traits fl_traits;
/* sample [n][stride]: the fold's features of some of the population, `columns` of them; feature [columns]: which of the plan's
 * each is. usual: the fields speak of an entity's most frequent value, not of an event's own. */
florin_status fl_traits_new(fl_traits **out, const fl_model *m, const fl_log *log,
                            const float *sample, uint32_t n, uint32_t stride, uint32_t columns,
                            const uint32_t *feature, bool usual, florin_error *err);
void fl_traits_free(fl_traits *t);
/* The share of the population that has this value of a field (code as fl_share_usual). */
void fl_traits_field(fl_traits *t, int field, uint32_t code, double share);
/* Those that a and b agree in, one a story, each at most a sixth of the population: rarest first. code [categories] may be
 * NULL. Fields count when both have the value that fl_traits_field named. */
uint32_t fl_traits_shared(const fl_traits *t, const float *a, const float *b,
                          const uint32_t *code_a, const uint32_t *code_b,
                          fl_shared out[FL_SHARED_MAX]);

#endif
