/* The twelve exact sliding-window features that card teams know: how often and how much the payer paid, and how often
 * and how badly the payee was labelled, in the last 1, 7 and 30 days.
 *
 *   payer: events with clock in (t - w, t], this one included: count, mean amount (major units; 0 without amounts)
 *   payee: labels that arrived in (t - w, t]: count, share of bad ones (0 if none)
 * With labels 7 days late the second is the Fraud Detection Handbook's terminal risk. Exact counts and integer sums;
 * time is the stream's clock (replay.h), so late events count where they arrive. A correction is one more label. */
#ifndef FL_VELOCITY_H
#define FL_VELOCITY_H

#include "fold/replay.h"

enum { FL_VELOCITY = 12 };

typedef struct fl_velocity fl_velocity;
/* payer, payee: kinds, -1: none; label: number, -1: none. log must outlive it. */
florin_status fl_velocity_open(fl_velocity **out, const fl_log *log, int payer, int payee,
                               int label, florin_error *err);
/* Next event's row and features [FL_VELOCITY], valid until the next call; NULL at the end. Allocates nothing. */
const float *fl_velocity_next(fl_velocity *v, uint64_t *row);
void fl_velocity_close(fl_velocity *v);
const char *fl_velocity_name(uint32_t i);

#endif
