// Pairs of bfloat16; see cm_narrow_layers.h. A file for each processor defines ADD_PRODUCTS and
//   store_bfloat16(to, x)   a vector, rounded
#include "cm_rows.h"

#include "cm_batch.h"

#define CM_WORD 2

typedef struct {
    const uint32_t *weights;
    const void *start;
    size_t inputs, outputs;
    int32_t activation;
    int simple;
} narrow_layer;

static narrow_layer narrow_layer_at(const cm_network *network, size_t i) {
    const cm_layer *layer = &network->layers[i];
    return (narrow_layer){.weights = (const uint32_t *)layer->weights,
                          .start = layer->bias,
                          .inputs = layer->inputs,
                          .outputs = layer->outputs,
                          .activation = layer->activation,
                          .simple = layer->activation == CM_RELU};
}

static vf finish_kind(int32_t activation, vf x) { return apply(activation, x); }

CM_INLINE vf finish_pairs(const narrow_layer *layer, vf x) {
    return layer->activation == CM_RELU ? vrelu(x) : finish_kind(layer->activation, x);
}

// What stands in the place of outputs that are not there is multiplied by zero in the next layer,
// and must be finite.
CM_INLINE void store_pairs(const narrow_layer *layer, size_t column, uint32_t *to, vf x) {
    x = finish_pairs(layer, x);
    if (layer->outputs - column < CM_LANES) {
        const vi lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        x = choose(lane < (int32_t)(layer->outputs - column), x, splat(0.0f));
    }
    store_bfloat16((uint16_t *)to, x);
}

static int take_pairs(const float *x, size_t width, uint32_t *to) {
    for (size_t i = 0; i < width; i += CM_LANES) {
        store_bfloat16((uint16_t *)to + i, load_first(x + i, up_to_lanes(width - i)));
    }
    return 1;
}

#define FINISH(layer, column, s) finish_pairs(layer, s)
#define STORE_SIMPLE(layer, column, to, s) store_bfloat16((uint16_t *)(to), vrelu(s))
#define STORE_NARROW(layer, column, to, s) store_pairs(layer, column, to, s)
#define TAKE_ROW(network, x, to) take_pairs(x, (network)->input.width, to)
