/* Dense products for training: oneDNN's sgemm behind one function. The only place that includes dnnl.h; scoring never
 * calls it. Row-major. Same inputs and machine type give the same bytes. */
#ifndef FL_TRAIN_GEMM_H
#define FL_TRAIN_GEMM_H

#include "base/base.h"
#include <signal.h>

/* Products must run between these two, on one thread: oneDNN 2.6's kernels use the stack pointer for other ends, so that a
 * signal handler on the same stack overwrites the heap. Signals that come meanwhile wait; faults do not. */
typedef struct {
    sigset_t before;
} fl_gemm_hold;
void fl_gemm_begin(fl_gemm_hold *hold);
void fl_gemm_end(const fl_gemm_hold *hold);

/* C [m][n] = alpha * op(A) [m][k] * op(B) [k][n] + beta * C; op transposes where ta, tb is set. Leading dimensions are
 * those of the stored matrices. Sizes 0 are allowed. Runs on the calling thread alone. */
void fl_sgemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
              size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc);

#endif
