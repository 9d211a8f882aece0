/* Owns the way to oneDNN. Invariant: each call uses the calling thread only, so that the caller decides how work is
 * split and sums do not depend on the number of threads. */
#include "kernels/train_gemm.h"
#include <assert.h>
#include <oneapi/dnnl/dnnl.h>

/* From the OpenMP runtime that oneDNN itself links: threads that the calling thread's next region may use. */
extern void omp_set_num_threads(int n);

static _Thread_local bool thread_ready;

void fl_gemm_begin(fl_gemm_hold *hold)
{
    sigset_t all;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &all, &hold->before);
}

void fl_gemm_end(const fl_gemm_hold *hold)
{
    pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

void fl_sgemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha, const float *a,
              size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
    if (!m || !n) return;
    if (!k) {
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
        return;
    }
    if (!thread_ready) {
        omp_set_num_threads(1);
        thread_ready = true;
    }
    dnnl_status_t status =
        dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', (dnnl_dim_t)m, (dnnl_dim_t)n, (dnnl_dim_t)k,
                   alpha, a, (dnnl_dim_t)lda, b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    assert(status == dnnl_success); /* wrong leading dimensions: a bug of the caller */
    (void)status;
}
