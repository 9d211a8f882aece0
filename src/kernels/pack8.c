/* Scales of weights in 8 bits. */
#include "kernels/pack8.h"

fl_packed fl_pack8(int8_t **q, const float *w, uint32_t in, uint32_t out, size_t bytes)
{
    size_t columns = ((size_t)out + 31) / 32 * 32, head = (bytes + 63) / 64 * 64,
           all = head + columns * sizeof(float);
    fl_packed p = {in, out, NULL, NULL, all};

    *q = p.data = fl_alloc_aligned(all, 1);
    if (!p.data) return p;
    memset(p.data, 0, all);
    p.scale = (float *)(void *)(*q + head);
    for (uint32_t o = 0; o < out; o++) {
        float top = 0;
        for (uint32_t k = 0; k < in; k++) {
            float a = fabsf(w[(size_t)k * out + o]);
            top = a > top ? a : top;
        }
        p.scale[o] = fl_unit8(top);
    }
    return p;
}
