/* A trained model, ready to score: fold plan + network + heads' raw bytes, read-only, shared by threads.
 * One event = fold step (by the caller) then fl_model_event. The same code offline and live. */
#ifndef FL_MODEL_H
#define FL_MODEL_H

#include "fold/fold.h"
#include "kernels/kernels.h"
#include "model/network.h"

typedef struct fl_model fl_model;

/* tier NULL: best of this CPU; else "ref", "avx2", "avx512". */
florin_status fl_model_open(fl_model **out, const char *path, const char *tier, florin_error *err);
/* From an open file, which belongs to the model from then on (also when this fails). */
florin_status fl_model_open_file(fl_model **out, fl_model_file *file, const char *tier,
                                 florin_error *err);
void fl_model_close(fl_model *m);
const fl_model_file *fl_model_source(const fl_model *m);
const fl_schema *fl_model_schema(const fl_model *m);
const fl_fold_plan *fl_model_plan(const fl_model *m);
const fl_network *fl_model_network(const fl_model *m); /* NULL: fold only */
const fl_kernels *fl_model_kernels(const fl_model *m);
int64_t fl_model_until(
    const fl_model *m); /* T: nothing at or after it was used; INT64_MIN: nothing was learned */

/* State of one entity in one stream. All zero = never seen. Size: fl_model_state_bytes (multiple of 64). */
typedef struct {
    int64_t last_us;
    uint32_t events, spare;
    /* h: floats, or with int8 8 bits each (fl_kernels.to8, by events); then with copy [targets][FL_COPY_SLOTS] of
     * fl_copy_slot; then what else the backbone remembers. */
    _Alignas(8) unsigned char body[];
} fl_state;
size_t fl_model_state_bytes(const fl_model *m);
/* The first n numbers of h [H]. */
void fl_model_state_get(const fl_model *m, const fl_state *state, float *out, uint32_t n);
/* False: a state read from a file holds a number that is not finite. */
bool fl_model_state_sound(const fl_model *m, const fl_state *state);

/* Everything known of a scored event, one flat row: [fold features | surprise | tail | embedding].
 *   surprise  per stream, per target: -log p(target | state before), nats; 0 when the stream has no entity
 *   tail      per stream, amount and gap: signed upper tail, -log10 P(X >= x) + log10 P(X <= x), in [-6, 6]
 *   embedding h of payer after the event, then h of payee after the event (zeros where absent)
 * Column names: "fold:NAME", "surprise:STREAM.TARGET", "tail:STREAM.amount", "embedding:STREAM.12". */
uint32_t fl_model_row_width(const fl_model *m);
uint32_t fl_model_row_surprise(const fl_model *m), fl_model_row_tail(const fl_model *m),
    fl_model_row_embedding(const fl_model *m); /* first column */
const char *fl_model_row_name(const fl_model *m, uint32_t column);

typedef struct fl_model_scratch fl_model_scratch; /* one per thread */
florin_status fl_model_scratch_new(fl_model_scratch **out, const fl_model *m, florin_error *err);
void fl_model_scratch_free(fl_model_scratch *s);

/* row[0..features) holds the fold's features; the rest is filled. payer/payee: states, NULL where absent; updated.
 * Allocates nothing; bit-identical whatever the batch or thread. Without a network only the fold part exists. */
void fl_model_event(const fl_model *m, fl_model_scratch *s, const fl_event *event, fl_state *payer,
                    fl_state *payee, float *row);

/* Many events at once, in order: the same bits as fl_model_event one after the other, several times faster. */
typedef struct fl_model_batch fl_model_batch; /* one per thread */
typedef struct {
    const fl_event *event;
    fl_state *state[FL_STREAMS]; /* NULL where absent; the same state may recur in a batch */
    float *row;                  /* fold features in, the rest out */
} fl_model_item;
florin_status fl_model_batch_new(fl_model_batch **out, const fl_model *m, uint32_t max,
                                 florin_error *err);
void fl_model_batch_free(fl_model_batch *b);
void fl_model_events(const fl_model *m, fl_model_batch *b, const fl_model_item *items,
                     uint32_t n); /* n <= max */
/* The halves of fl_model_events: encode reads no state, so that it may run while another thread is at the second half of
 * the batch before. In place of rows, states: the same states and embeddings of a stream (-1: of all), and nothing else:
 * surprise and tails are zero, and the states remember no recent tokens, so that they are good for states alone. */
void fl_model_encode(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n);
void fl_model_rows(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n);
void fl_model_states(const fl_model *m, fl_model_batch *b, const fl_model_item *items, uint32_t n,
                     int stream);

/* Entity kind of a stream (0 payer, 1 payee), -1: the model has no such stream. */
int fl_model_stream_kind(const fl_model *m, int stream);
/* An entity at a date: [fl_fold_read_features(kind)] fold columns, then its state h [H] if the kind has a stream, then
 * log1p(days since its last event; -1: it has none). state: NULL when the kind has no stream. */
uint32_t fl_model_entity_width(const fl_model *m, int kind);
void fl_model_entity_row(const fl_model *m, int kind, const fl_fold_record *rec,
                         const fl_state *state, int64_t last_us, int64_t at_us, float *out);

/* Targets of the heads (the same for both streams), and which streams there are: surprise column of stream s and
 * target t is row_surprise + (rank of s) * targets + t. */
uint32_t fl_model_targets(const fl_model *m);
const fl_target *fl_model_target(const fl_model *m, uint32_t t);

/* Probability of every token of one target given a state: for reasons and next-item heads. out [tokens]. */
void fl_model_predict(const fl_model *m, fl_model_scratch *s, int stream, const fl_state *state,
                      uint32_t target, float *out);

#endif
