/* Keys of a row: integers in the order of its floats. Apart from the walk, for here vectors help (CMakeLists.txt). */
#include "task/forest.h"

bool fl_forest_keys(int32_t *restrict key, const float *restrict x, uint32_t n)
{
    int32_t missing = 0;
    for (uint32_t i = 0; i < n; i++) {
        int32_t v;
        memcpy(&v, &x[i], sizeof v);
        missing |= (v & INT32_MAX) > 0x7f800000;
        /* Negative floats fall as their bits rise; -0 must be 0. */
        key[i] = (v ^ (v >> 31 & INT32_MAX)) + (v == INT32_MIN);
    }
    return !missing;
}
