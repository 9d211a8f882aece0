/* Rules on columns: the program of one rule over a block of events at once. The same answers as fl_rule_eval event by event. */
#ifndef FL_POLICY_BLOCK_H
#define FL_POLICY_BLOCK_H

#include "policy/program.h"

enum { FL_BLOCK_EVENTS = 1024, FL_BLOCK_WORDS = FL_BLOCK_EVENTS / 64 };

typedef struct {
    double number[NUMBER_DEPTH + 1][FL_BLOCK_EVENTS];
    uint8_t truth[TRUTH_DEPTH + 1][FL_BLOCK_EVENTS];
} fl_block_stack;

/* cell [slots][FL_BLOCK_EVENTS], all of them readable; matched [FL_BLOCK_WORDS]: bit i of word w: event 64 w + i. */
void fl_block_eval(const fl_policy *p, const fl_rule *rule, const fl_cell *cell, fl_block_stack *s,
                   uint64_t *matched);

#endif
