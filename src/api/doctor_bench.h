/* The measuring half of the doctor; private to src/api. */
#ifndef FL_DOCTOR_BENCH_H
#define FL_DOCTOR_BENCH_H

#include "base/json.h"

/* Measures the machine and how the kernels, the fold and a forest stand beside it, in some seconds; *out: the JSON of
 * it, owned by the caller. Needs a context with a monotonic clock. */
florin_status fl_doctor_bench(json_t **out, const florin_context *ctx, florin_error *err);
void fl_doctor_bench_text(const florin_context *ctx, const json_t *bench);

#endif
