/* Version of oneDNN. */
#include "kernels/onednn_version.h"

#include <oneapi/dnnl/dnnl.h>

void fl_onednn_version(int *major, int *minor, int *patch)
{
    const dnnl_version_t *v = dnnl_version();
    *major = v->major;
    *minor = v->minor;
    *patch = v->patch;
}
