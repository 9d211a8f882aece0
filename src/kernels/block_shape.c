/* Owns what follows from a block's shape: its parameters, the memory of a list, the turns of positions. */
#include "kernels/block_shape.h"
#include <math.h>

const fl_block_parameter fl_block_matrix[FL_BLOCK_MATRICES] = {FL_BLOCK_QKV, FL_BLOCK_OUT,
                                                               FL_BLOCK_UP, FL_BLOCK_DOWN};

bool fl_block_has(const fl_block_shape *s, fl_block_parameter p, const char **name, size_t *rows,
                  size_t *cols)
{
    const size_t D = s->width, F = s->inner, W = s->causal ? s->window : 2 * s->window - 1;
    const bool learned = s->positions == FL_POSITIONS_LEARNED;
    const struct {
        const char *name;
        size_t rows, cols;
        bool there;
    } all[FL_BLOCK_PARAMETERS] = {
        [FL_BLOCK_NORM1_GAIN] = {"norm1.gain", 1, D, true},
        [FL_BLOCK_NORM1_BIAS] = {"norm1.bias", 1, D, s->bias},
        [FL_BLOCK_QKV] = {"qkv.w", D, 3 * D, true},
        [FL_BLOCK_QKV_BIAS] = {"qkv.b", 1, 3 * D, s->bias},
        [FL_BLOCK_DISTANCE] = {"distance", s->heads, W, learned},
        [FL_BLOCK_HISTORY_KEY] = {"history.key", 1, D, s->history},
        [FL_BLOCK_HISTORY_VALUE] = {"history.value", 1, D, s->history},
        [FL_BLOCK_OUT] = {"out.w", D, D, true},
        [FL_BLOCK_OUT_BIAS] = {"out.b", 1, D, s->bias},
        [FL_BLOCK_NORM2_GAIN] = {"norm2.gain", 1, D, true},
        [FL_BLOCK_NORM2_BIAS] = {"norm2.bias", 1, D, s->bias},
        [FL_BLOCK_UP] = {"up.w", D, F, true},
        [FL_BLOCK_UP_BIAS] = {"up.b", 1, F, s->bias},
        [FL_BLOCK_DOWN] = {"down.w", F, D, true},
        [FL_BLOCK_DOWN_BIAS] = {"down.b", 1, D, s->bias},
    };

    *name = all[p].name;
    *rows = all[p].rows;
    *cols = all[p].cols;
    return all[p].there;
}

const char *fl_block_wrong(const fl_block_shape *s)
{
    if (!s->width || s->width > FL_BLOCK_WIDTH_MAX) return "width must be 1 to 1024";
    if (!s->heads || s->width % s->heads) return "heads must divide the width";
    if (!s->inner || s->inner > 4 * FL_BLOCK_WIDTH_MAX) return "inner must be 1 to 4096";
    if (!s->window || s->window > FL_BLOCK_WINDOW_MAX) return "window must be 1 to 1024";
    if (s->positions == FL_POSITIONS_ROTARY && s->width / s->heads % 2)
        return "rotary positions need heads of an even size";
    if (s->history && !s->causal) return "a history token needs a causal block";
    return NULL;
}

size_t fl_block_memory(const fl_block_shape *s)
{
    return ((size_t)2 * s->window + s->history) * s->width;
}

/* ---- positions ---- */

void fl_block_turns(const fl_block_shape *s, const uint32_t *position, size_t n, float *turn)
{
    size_t half = s->width / s->heads / 2;

    for (size_t c = 0; c < half; c++) {
        double by = pow(10000.0, -(double)c / (double)half);
        for (size_t i = 0; i < n; i++) {
            double angle = by * (double)position[i];
            turn[(i * half + c) * 2] = (float)cos(angle);
            turn[(i * half + c) * 2 + 1] = (float)sin(angle);
        }
    }
}

void fl_block_turn_head(float *x, const float *turn, size_t half, bool back)
{
    for (size_t c = 0; c < half; c++) {
        float a = x[c], b = x[c + half], cs = turn[2 * c],
              sn = back ? -turn[2 * c + 1] : turn[2 * c + 1];
        x[c] = a * cs - b * sn;
        x[c + half] = a * sn + b * cs;
    }
}

void fl_block_turn(const fl_block_shape *s, float *x, const float *turn, bool back)
{
    size_t d = s->width / s->heads;

    for (uint32_t h = 0; h < s->heads; h++) fl_block_turn_head(x + h * d, turn, d / 2, back);
}
