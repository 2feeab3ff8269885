// Layers in bfloat16 on matrix registers, written once over a handful of operations on them. A file
// for each kind of register compiles it and defines, beside what cm_vector.h asks for:
//   registers                  what the operations keep, a type; there is one in each call
//   CONFIGURE(r, rows)         registers 0 to 5 have `rows` rows, 6 and 7 have 16; RELEASE(r)
//   ZERO_TILE(r, c)            c = 0
//   LOAD_TILE(r, i, from)      rows of 64 bytes, one after the other
//   MULTIPLY_TILES(r, c, a, b) c += a b; see cm_tile_set
//   STORE_TILE(r, c, to)       rows of 64 bytes, one after the other
//   store_bfloat16(to, x)      a vector, rounded
// Activations between layers are tiles too: those of 16 rows one after the other, for 32 inputs
// each. So all that is loaded is contiguous.

#include "cm_vector.h"

#include "cm_rows.h"

#include "cm_batch.h"

#define TILE_SUMS (CM_TILE_HEIGHT * CM_TILE_OUTPUTS)

CM_INLINE size_t tile_steps(size_t inputs) {
    return (inputs + CM_TILE_INPUTS - 1) / CM_TILE_INPUTS;
}

// The sums of 16 rows, or 32 (`high`), and 16 outputs, or 32 (`wide`), each of 16 and 16 by itself.
CM_INLINE void tile_product(registers *r, const int high, const int wide, size_t steps,
                            const uint16_t *x, const uint16_t *weights, float *sums) {
    const size_t panel = steps * CM_TILE_ELEMENTS;
    ZERO_TILE(r, 0);
    if (wide) ZERO_TILE(r, 1);
    if (high) ZERO_TILE(r, 2);
    if (high && wide) ZERO_TILE(r, 3);
    for (size_t step = 0; step < steps; step++) {
        LOAD_TILE(r, 4, x);
        if (high) LOAD_TILE(r, 5, x + panel);
        LOAD_TILE(r, 6, weights);
        if (wide) LOAD_TILE(r, 7, weights + panel);
        MULTIPLY_TILES(r, 0, 4, 6);
        if (wide) MULTIPLY_TILES(r, 1, 4, 7);
        if (high) MULTIPLY_TILES(r, 2, 5, 6);
        if (high && wide) MULTIPLY_TILES(r, 3, 5, 7);
        x += CM_TILE_ELEMENTS;
        weights += CM_TILE_ELEMENTS;
    }
    STORE_TILE(r, 0, sums);
    if (wide) STORE_TILE(r, 1, sums + TILE_SUMS);
    if (high) STORE_TILE(r, 2, sums + 2 * TILE_SUMS);
    if (high && wide) STORE_TILE(r, 3, sums + 3 * TILE_SUMS);
}

// The first `count` lanes and zeros: what stands in the place of outputs that are not there is
// multiplied by zero in the next layer, and must be finite.
CM_INLINE vf keep_first(vf x, size_t count) {
    const vi lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return choose(lane < (int32_t)count, x, splat(0.0f));
}

// Where the activations of 16 rows go: to the next layer, or else to the outputs.
typedef struct {
    uint16_t *next;
    int fills;  // whether the other half of the next layer's tile has no outputs
    float *y;
    size_t y_stride;
} tile_target;

CM_INLINE void finish_kind(const int32_t activation, const float *bias, const float *sums,
                           size_t rows, size_t outputs, tile_target to) {
    const vf offset = load(bias);
    for (size_t row = 0; row < rows; row++) {
        vf x = apply(activation, load(sums + row * CM_TILE_OUTPUTS) + offset);
        if (!to.next) {
            store_first(to.y + row * to.y_stride, x, outputs);
            continue;
        }
        if (outputs < CM_LANES) x = keep_first(x, outputs);
        uint16_t *target = to.next + row * CM_TILE_INPUTS;
        store_bfloat16(target, x);
        if (to.fills) store_bfloat16(target + CM_TILE_OUTPUTS, splat(0.0f));
    }
}

static void finish(int32_t activation, const float *bias, const float *sums, size_t rows,
                   size_t outputs, tile_target to) {
#define CM_CASE(KIND)                                                                              \
    case KIND: finish_kind(KIND, bias, sums, rows, outputs, to); break;
    switch (activation) {
        CM_CASE(CM_IDENTITY)
        CM_CASE(CM_RELU)
        CM_CASE(CM_LEAKY_RELU)
        CM_CASE(CM_TANH)
        CM_CASE(CM_SIGMOID)
        CM_CASE(CM_GELU)
    }
#undef CM_CASE
}

// A layer's activations for some rows, tiles in `x`: tiles in `next`, or, of the last layer, `y`.
static void tile_layer(const cm_layer *layer, registers *r, const uint16_t *x, size_t rows,
                       uint16_t *next, float *y) {
    const size_t steps = tile_steps(layer->inputs), panel = steps * CM_TILE_ELEMENTS;
    const size_t next_panel = tile_steps(layer->outputs) * CM_TILE_ELEMENTS;
    const size_t row_blocks = (rows + CM_TILE_HEIGHT - 1) / CM_TILE_HEIGHT;
    const size_t column_blocks = (layer->outputs + CM_TILE_OUTPUTS - 1) / CM_TILE_OUTPUTS;
    const uint16_t *weights = (const uint16_t *)layer->weights;
    float sums[4 * TILE_SUMS] __attribute__((aligned(64)));
    // The weights of 32 outputs stay in L1 while all rows go by.
    for (size_t c = 0; c < column_blocks; c += 2, weights += 2 * panel) {
        const size_t wide = c + 1 < column_blocks;
        for (size_t b = 0; b < row_blocks; b += 2) {
            const size_t high = b + 1 < row_blocks;
            const uint16_t *from = x + b * panel;
            if (high && wide) tile_product(r, 1, 1, steps, from, weights, sums);
            if (high && !wide) tile_product(r, 1, 0, steps, from, weights, sums);
            if (!high && wide) tile_product(r, 0, 1, steps, from, weights, sums);
            if (!high && !wide) tile_product(r, 0, 0, steps, from, weights, sums);
            for (size_t i = 0; i <= high; i++) {
                const size_t row = (b + i) * CM_TILE_HEIGHT;
                const size_t count = rows - row < CM_TILE_HEIGHT ? rows - row : CM_TILE_HEIGHT;
                for (size_t j = 0; j <= wide; j++) {
                    const size_t column = (c + j) * CM_TILE_OUTPUTS;
                    tile_target to = {.y = y, .y_stride = layer->outputs, .fills = !wide};
                    if (next) {
                        to.next = next + (b + i) * next_panel + c / 2 * CM_TILE_ELEMENTS +
                                  j * CM_TILE_OUTPUTS;
                    } else {
                        to.y = y + row * layer->outputs + column;
                    }
                    finish(layer->activation, layer->bias + column,
                           sums + (2 * i + j) * TILE_SUMS, count,
                           up_to_lanes(layer->outputs - column), to);
                }
            }
        }
    }
}

// Rows of float32 as tiles.
static void round_rows(const float *x, size_t stride, size_t rows, size_t width, uint16_t *tiles) {
    const size_t steps = tile_steps(width);
    for (size_t row = 0; row < rows; row++, x += stride) {
        uint16_t *target = tiles + row / CM_TILE_HEIGHT * steps * CM_TILE_ELEMENTS +
                           row % CM_TILE_HEIGHT * CM_TILE_INPUTS;
        for (size_t i = 0; i < steps * CM_TILE_INPUTS; i += CM_LANES) {
            vf some = i < width ? load_first(x + i, up_to_lanes(width - i)) : splat(0.0f);
            store_bfloat16(target + i / CM_TILE_INPUTS * CM_TILE_ELEMENTS + i % CM_TILE_INPUTS,
                           some);
        }
    }
}

static void tile_rows(const cm_network *network, const cm_matrix *source, size_t first,
                      size_t rows, float *output, float *scratch, registers *r,
                      cm_counts *counts) {
    const size_t columns = network->outputs;
    float *y = output + first * columns;
    tile t;
    t.memory[0] = scratch;
    t.memory[1] = scratch + network->tile_rows * network->scratch_stride;
    take_rows(network, source, first, rows, &t);
    uint16_t *x = (uint16_t *)t.memory[1], *next = (uint16_t *)t.memory[0];
    round_rows(t.rows, t.stride, rows, network->input.width, x);
    for (size_t i = 0; i < network->layer_count; i++) {
        const int last = i + 1 == network->layer_count;
        tile_layer(&network->layers[i], r, x, rows, last ? NULL : next, y);
        uint16_t *before = x;
        x = next;
        next = before;
    }
    apply_head(network, rows, y);
    count_tile(network, &t, rows, y, counts);
}

static void tile_predict(const cm_network *network, const cm_matrix *source, float *output,
                         float *scratch, cm_counts *counts) {
    // A register without rows cannot be configured.
    if (source->rows == 0) return;
    const cm_mode saved = cm_enter_mode(1);
    registers r;
    CONFIGURE(&r, source->rows < CM_TILE_HEIGHT ? source->rows : CM_TILE_HEIGHT);
    const size_t blocks = (source->rows + CM_TILE_HEIGHT - 1) / CM_TILE_HEIGHT;
    const size_t most = network->tile_rows / CM_TILE_HEIGHT;
    const size_t passes = (blocks + most - 1) / most;
    for (size_t i = 0, row = 0; i < passes; i++) {
        // As even as can be, in whole tiles.
        size_t count = (blocks / passes + (i < blocks % passes ? 1 : 0)) * CM_TILE_HEIGHT;
        if (count > source->rows - row) count = source->rows - row;
        tile_rows(network, source, row, count, output, scratch, &r, counts);
        row += count;
    }
    RELEASE(&r);
    cm_leave_mode(saved, 1);
}

static const cm_tile_set tile_set = {.predict = tile_predict};
