/* Describing a log: what is in it, as numbers. Reads the log once; shows no raw identifier, only category values. */
#ifndef FL_DESCRIBE_H
#define FL_DESCRIBE_H

#include "base/json.h"
#include "data/log.h"

/* A JSON object: rows, segments, span, event types, entities, fields, amounts, labels, rejects. */
florin_status fl_describe(json_t **out, const fl_log *log, const florin_context *ctx,
                          florin_error *err);

#endif
