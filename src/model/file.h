/* The model file: safetensors whose metadata holds one JSON document, ended by nothing else. Written atomically.
 * Tensors: little-endian, 64-byte aligned (gaps are filled by tensors named "__pad.N", so that the file stays a
 * valid safetensors file; readers here never see them). The document's keys: "florin" (format version), "schema",
 * "fold", "network" (with vocabularies), "trained" {until_us, data_hash, events, seed, ...}, "metrics", "baselines",
 * "heads" [ ... ], "hash" (SHA-256 over everything else: set when read). A model without "network" has fold heads
 * only. Reading checks structure, then the hash over all bytes. */
#ifndef FL_MODEL_FILE_H
#define FL_MODEL_FILE_H

#include "base/base.h"
#include "base/json.h"

typedef enum { FL_F32, FL_U8, FL_I32, FL_U64, FL_I64, FL_I8, FL_F16, FL_BF16 } fl_dtype;
typedef struct {
    const char *name;
    fl_dtype type;
    uint32_t dims; /* 1..4 */
    size_t dim[4];
    const void *data;
} fl_tensor;

typedef struct fl_model_file fl_model_file; /* mapped, read-only */
florin_status fl_model_file_open(fl_model_file **out, const char *path, florin_error *err);
/* The same over bytes (64-byte aligned, to read tensors in place) that outlive the handle; name is used in messages. */
florin_status fl_model_file_parse(fl_model_file **out, const void *bytes, size_t size,
                                  const char *name, florin_error *err);
const char *fl_model_file_path(const fl_model_file *f);
void fl_model_file_close(fl_model_file *f);
const json_t *fl_model_file_json(const fl_model_file *f);
const char *fl_model_file_hash(const fl_model_file *f);
uint32_t fl_model_file_count(const fl_model_file *f);
const fl_tensor *fl_model_file_at(const fl_model_file *f, uint32_t i);
const fl_tensor *fl_model_file_find(const fl_model_file *f, const char *name); /* NULL: none */
/* Shape- and type-checked: FLORIN_EFORMAT names the tensor. dim 0 = any. */
florin_status fl_model_file_get(const fl_model_file *f, const char *name, fl_dtype type,
                                uint32_t dims, const size_t *dim, const fl_tensor **out,
                                florin_error *err);
/* Write. meta is not consumed; "hash" is computed and set in the file. */
florin_status fl_model_file_save(const char *path, const json_t *meta, const fl_tensor *tensors,
                                 uint32_t n, florin_error *err);

#endif
