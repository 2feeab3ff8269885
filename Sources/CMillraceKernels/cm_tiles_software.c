// Matrix registers as the manual describes them, in plain C.
#include "cm_tiles.h"

#include "cm_mode.h"
#include "cm_widen.h"

#include <string.h>

// Vectors as wide as those beside the processor's own registers, so that sums over lanes have the
// same bits; nothing outside this file takes or gives one.
#pragma clang diagnostic ignored "-Wpsabi"
#define CM_LANES 16
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)

typedef struct {
    size_t rows;
    uint16_t elements[8][CM_TILE_HEIGHT][CM_TILE_INPUTS];  // of registers 4 to 7
    float sums[4][CM_TILE_HEIGHT][CM_TILE_OUTPUTS];        // registers 0 to 3
} registers;

static float from_bfloat16(uint16_t x) {
    const uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// a b + c with one rounding: the product of two bfloat16 is exact in double, and a sum of so few
// digits that is rounded to double first is not rounded otherwise after that.
static inline float add_product(float a, float b, float c) {
    return (float)((double)c + (double)a * (double)b);
}

static void multiply_tiles(registers *r, int c, int a, int b) {
#pragma clang fp contract(off)
    float even[CM_TILE_HEIGHT][CM_TILE_OUTPUTS], odd[CM_TILE_HEIGHT][CM_TILE_OUTPUTS];
    for (int k = 0; k < CM_TILE_HEIGHT; k++) {
        for (int n = 0; n < CM_TILE_OUTPUTS; n++) {
            even[k][n] = from_bfloat16(r->elements[b][k][2 * n]);
            odd[k][n] = from_bfloat16(r->elements[b][k][2 * n + 1]);
        }
    }
    for (size_t m = 0; m < r->rows; m++) {
        float evens[CM_TILE_OUTPUTS] = {0}, odds[CM_TILE_OUTPUTS] = {0};
        for (int k = 0; k < CM_TILE_HEIGHT; k++) {
            const float first = from_bfloat16(r->elements[a][m][2 * k]);
            const float second = from_bfloat16(r->elements[a][m][2 * k + 1]);
            for (int n = 0; n < CM_TILE_OUTPUTS; n++) {
                evens[n] = add_product(first, even[k][n], evens[n]);
                odds[n] = add_product(second, odd[k][n], odds[n]);
            }
        }
        for (int n = 0; n < CM_TILE_OUTPUTS; n++) r->sums[c][m][n] += evens[n] + odds[n];
    }
}

#define CONFIGURE(r, count) ((r)->rows = (count))
#define RELEASE(r) ((void)(r))
#define ZERO_TILE(r, c) memset((r)->sums[c], 0, sizeof((r)->sums[c]))
#define LOAD_TILE(r, i, from)  \
    memcpy((r)->elements[i], from, \
           ((i) > 5 ? CM_TILE_HEIGHT : (r)->rows) * sizeof((r)->elements[i][0]))
#define MULTIPLY_TILES(r, c, a, b) multiply_tiles(r, c, a, b)
#define STORE_TILE(r, c, to) memcpy(to, (r)->sums[c], (r)->rows * sizeof((r)->sums[c][0]))

static inline __attribute__((always_inline)) void store_bfloat16(
    uint16_t *to, float __attribute__((vector_size(64))) x) {
    float values[CM_LANES];
    uint16_t rounded[CM_LANES];
    memcpy(values, &x, sizeof values);
    for (int i = 0; i < CM_LANES; i++) rounded[i] = cm_to_bfloat16(values[i]);
    memcpy(to, rounded, sizeof rounded);
}

#include "cm_tile_layers.h"

const cm_tile_set *cm_tiles_software(void) { return &tile_set; }
