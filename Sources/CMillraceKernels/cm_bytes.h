// Bytes; see cm_narrow_layers.h. A file for each processor defines ADD_PRODUCTS.
#include "cm_rows.h"

#include "cm_batch.h"

#define CM_WORD 4

typedef vi sums;
typedef uint8_t bytes __attribute__((vector_size(CM_LANES)));

typedef struct {
    const uint32_t *weights;
    const void *start;
    const float *scale, *offset, *next_scale, *next_zero;
    size_t inputs, outputs;
    int32_t activation;
    int simple;
} narrow_layer;

static narrow_layer narrow_layer_at(const cm_network *network, size_t i) {
    const cm_layer *layer = &network->layers[i];
    const cm_byte_layer *more = &network->bytes[i];
    return (narrow_layer){.weights = (const uint32_t *)layer->weights,
                          .start = more->start,
                          .scale = more->scale,
                          .offset = layer->bias,
                          .next_scale = more->next_scale,
                          .next_zero = more->next_zero,
                          .inputs = layer->inputs,
                          .outputs = layer->outputs,
                          .activation = layer->activation,
                          .simple = !more->next_scale};
}

// To the nearest of 0 to 255, ties to even. Adding 1.5 * 2^23 rounds to an integer, which is then
// in the low bits. NaN becomes 255.
CM_INLINE void store_bytes(void *to, vf x) {
    x = choose(x < 255.0f, x, splat(255.0f));
    x = choose(x > 0.0f, x, splat(0.0f));
    const bytes rounded = __builtin_convertvector((vu)(x + 12582912.0f), bytes);
    memcpy(to, &rounded, sizeof rounded);
}

CM_INLINE vf scaled_sums(const narrow_layer *layer, size_t column, vi s) {
    return CM_FMA(__builtin_convertvector(s, vf), load(layer->scale + column),
                  load(layer->offset + column));
}

static vf finish_bytes(const narrow_layer *layer, size_t column, vi s) {
    return apply(layer->activation, scaled_sums(layer, column, s));
}

CM_INLINE void store_sums(const narrow_layer *layer, size_t column, uint32_t *to, vi s) {
    if (layer->simple) {
        store_bytes(to, scaled_sums(layer, column, s));
    } else {
        store_bytes(to, CM_FMA(finish_bytes(layer, column, s), load(layer->next_scale + column),
                               load(layer->next_zero + column)));
    }
}

static int take_bytes(const cm_network *network, const float *x, uint32_t *to) {
    const size_t width = network->input.width;
    vi bad = {0};
    for (size_t i = 0; i < width; i += CM_LANES) {
        const vf value = load_first(x + i, up_to_lanes(width - i));
        bad |= not_finite(value);
        store_bytes((char *)to + i, CM_FMA(value, load(network->byte_scale + i),
                                           load(network->byte_zero + i)));
    }
    return !__builtin_reduce_or(bad);
}

#define FINISH(layer, column, s) finish_bytes(layer, column, s)
#define STORE_SIMPLE(layer, column, to, s) store_bytes(to, scaled_sums(layer, column, s))
#define STORE_NARROW(layer, column, to, s) store_sums(layer, column, to, s)
#define TAKE_ROW(network, x, to) take_bytes(network, x, to)
