/* A whole log through the model: fl_replay for the fold, fl_model_event for the streams. Gives one row per event
 * (fl_model_row_*), or the row of an entity at a date. */
#ifndef FL_ENCODE_H
#define FL_ENCODE_H

#include "fold/replay.h"
#include "model/model.h"

typedef struct fl_encode fl_encode;
/* Model and log must share a schema (fl_schema_same), else FLORIN_ESCHEMA names the field. */
florin_status fl_encode_open(fl_encode **out, const fl_model *m, const fl_log *log,
                             florin_error *err);
void fl_encode_close(fl_encode *e);
/* Next event and its row [fl_model_row_width], valid until the next call. False at the end. */
bool fl_encode_next(fl_encode *e, uint64_t *row, fl_event *event, const float **values,
                    const fl_fold_carry **carry);
/* Promise: fl_encode_entity, fl_encode_state and fl_encode_replay won't be used before every event with time < until_us
 * has been taken (INT64_MAX: never). Events are then computed many at a time: the same bits, several times faster. */
florin_status fl_encode_ahead(fl_encode *e, int64_t until_us, florin_error *err);
/* Before it, as many threads may be allowed as help (two do): one folds and encodes events while another is at the streams
 * of those before. The same bits. */
void fl_encode_threads(fl_encode *e, uint32_t threads);
/* The same for one who reads nothing of a row but its embedding, and of that the stream of `kind` alone (-1: all): what
 * else is in a row behind the fold's features is zero. Before the first event. */
florin_status fl_encode_states(fl_encode *e, int kind, int64_t until_us, florin_error *err);
int64_t fl_encode_peek(const fl_encode *e);
/* An entity at a date: fl_model_entity_row. Labels with arrival <= at_us are applied first. Call with dates not
 * decreasing and only when every event with time < at_us has been taken (fl_encode_peek() >= at_us). */
uint32_t fl_encode_entity_width(const fl_encode *e, int kind);
const char *fl_encode_entity_name(const fl_encode *e, int kind, uint32_t column);
void fl_encode_entity(fl_encode *e, int kind, uint32_t entity, int64_t at_us, float *out);
/* First column in a row of an event of the embedding of kind's stream, which there must be. */
uint32_t fl_encode_embedding(const fl_encode *e, int kind);
/* An entity's state now: h [H], valid until the next call, and the number of its events. NULL: the kind has no stream. */
const float *fl_encode_state(const fl_encode *e, int kind, uint32_t entity, uint32_t *events);
/* An entity's forecast at a date (forecast.h), under fl_encode_entity's conditions; false: the kind has no stream. */
bool fl_encode_forecast(fl_encode *e, int kind, uint32_t entity, int64_t at_us, float *out);
fl_replay *fl_encode_replay(fl_encode *e);

#endif
