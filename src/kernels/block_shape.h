/* Shape of a transformer block: its options, and which parameters follow from them. What they mean: block.h. */
#ifndef FL_BLOCK_SHAPE_H
#define FL_BLOCK_SHAPE_H

#include "base/base.h"

typedef enum { FL_POSITIONS_NONE, FL_POSITIONS_ROTARY, FL_POSITIONS_LEARNED } fl_positions;

enum { FL_BLOCK_WIDTH_MAX = 1024, FL_BLOCK_WINDOW_MAX = 1024, FL_HISTORY = 4 };

typedef struct {
    uint32_t width, heads, inner; /* width: a multiple of heads; inner: of the feed-forward layer */
    uint32_t window;
    fl_positions positions; /* rotary: an even size of heads */
    bool causal, pre_norm, bias, history;
    float epsilon; /* of the norms */
} fl_block_shape;

typedef enum {
    FL_BLOCK_NORM1_GAIN,
    FL_BLOCK_NORM1_BIAS,
    FL_BLOCK_QKV,
    FL_BLOCK_QKV_BIAS,
    FL_BLOCK_DISTANCE,
    FL_BLOCK_HISTORY_KEY,
    FL_BLOCK_HISTORY_VALUE,
    FL_BLOCK_OUT,
    FL_BLOCK_OUT_BIAS,
    FL_BLOCK_NORM2_GAIN,
    FL_BLOCK_NORM2_BIAS,
    FL_BLOCK_UP,
    FL_BLOCK_UP_BIAS,
    FL_BLOCK_DOWN,
    FL_BLOCK_DOWN_BIAS,
    FL_BLOCK_PARAMETERS
} fl_block_parameter;

/* The matrices, as they are packed. */
enum { FL_BLOCK_MATRICES = 4 };
extern const fl_block_parameter fl_block_matrix[FL_BLOCK_MATRICES]; /* QKV, OUT, UP, DOWN */

/* Name and shape of a parameter; false: a block of this shape has none. */
bool fl_block_has(const fl_block_shape *s, fl_block_parameter p, const char **name, size_t *rows,
                  size_t *cols);
/* NULL, or what is wrong with the shape. */
const char *fl_block_wrong(const fl_block_shape *s);
/* Floats that a list carries from one call to the next: keys (turned), values [window][width] each, latest last, mean. */
size_t fl_block_memory(const fl_block_shape *s);

/* Cosines and sines of positions. */
void fl_block_turns(const fl_block_shape *s, const uint32_t *position, size_t n, float *turn);
/* Turn one vector [width] of all heads in place; back: the other way. */
void fl_block_turn(const fl_block_shape *s, float *x, const float *turn, bool back);
/* The same of one head: half pairs. */
void fl_block_turn_head(float *x, const float *turn, size_t half, bool back);
/* The weight of the newest of so many fallen values in their mean. */
static inline float fl_block_fallen_weight(const fl_block_shape *s, size_t fallen)
{
    size_t most = (size_t)FL_HISTORY * s->window;

    return 1.0f / (float)(fallen < most ? fallen : most);
}

#endif
