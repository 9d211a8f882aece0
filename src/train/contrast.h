/* The contrastive objective: slices of one entity's history lie closer together than slices of others (CoLES, Babaev et al.
 * 2022, arXiv:2002.08232). A slice is a run of 2 to FL_SLICE_MOST of an entity's events that starts from the zero state;
 * what is compared is the backbone's state after its last event, divided by its length. Two slices of an entity are drawn
 * independently, so they may overlap.
 * The loss of a slice i with positives p (the entity's other slices) and negatives j (all slices of others in its share):
 *     mean over p of -log( exp(s_ip / T) / (exp(s_ip / T) + sum over j of exp(s_ij / T)) ),  s: cosine, T: FL_SLICE_WARMTH
 * The softmax gives each negative the weight of its likeness: the hard ones count, and there is no margin to be chosen. */
#ifndef FL_CONTRAST_H
#define FL_CONTRAST_H

#include "train/net.h"

enum { FL_SLICE_STEPS = 64, FL_SLICE_MOST = 32, FL_SLICE_EVENTS = 4, FL_SLICES_MAX = 128 };
#define FL_SLICE_WARMTH 0.1

/* The entities of a stream that slices are drawn from: those with FL_SLICE_EVENTS events that may be trained on. */
typedef struct {
    const fl_sequences *sequences;
    uint32_t entities;
    uint32_t *entity; /* [entities] */
    uint32_t *events; /* [entities] that may be trained on */
    uint32_t filler;  /* a row for positions that no slice takes */
} fl_slices;

florin_status fl_slices_new(fl_slices **out, const fl_rows *rows, int stream, florin_error *err);
void fl_slices_free(fl_slices *s);
/* Lanes of a share's windows of FL_SLICE_STEPS, for a share of so many positions of the next event. */
uint32_t fl_slices_lanes(size_t positions);
/* Fill the windows of `workers` shares with slices; the draws follow from seed alone. Positions that no slice takes begin
 * anew and have no loss. Returns the number of slices. */
uint32_t fl_slices_fill(const fl_slices *s, fl_worker *const *worker, uint32_t workers,
                        uint64_t seed);

#endif
