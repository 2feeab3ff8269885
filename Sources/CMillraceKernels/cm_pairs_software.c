// Pairs of bfloat16 as the manual describes their products, in plain C.
#include "cm_narrow.h"
#include "cm_tiles.h"

#include "cm_mode.h"
#include "cm_widen.h"

#include <string.h>

// Vectors as wide as the processor's, so that sums over lanes have the same bits; nothing outside
// this file takes or gives one.
#pragma clang diagnostic ignored "-Wpsabi"
#define CM_LANES 16
#define CM_NARROW_ROWS 1
#define CM_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#include "cm_vector.h"

typedef vf sums;
typedef double wide __attribute__((vector_size(CM_LANES * 8)));

// a b + c with one rounding: the product of two bfloat16 is exact in double, and a sum of so few
// digits that is rounded to double first is not rounded otherwise after that.
CM_INLINE vf add_product(vf c, uint32_t a, vu b) {
    const wide product = __builtin_convertvector((vf)((vu){0} + a), wide) *
                         __builtin_convertvector((vf)b, wide);
    return __builtin_convertvector(__builtin_convertvector(c, wide) + product, vf);
}

static __attribute__((noinline)) vf add_pairs(vf s, uint32_t word, vi w) {
    s = add_product(s, word & 0xFFFF0000u, (vu)w & 0xFFFF0000u);
    return add_product(s, word << 16, (vu)w << 16);
}

#define ADD_PRODUCTS(s, word, w) add_pairs(s, word, w)

CM_INLINE void store_bfloat16(uint16_t *to, vf x) {
    float values[CM_LANES];
    memcpy(values, &x, sizeof values);
    uint16_t rounded[CM_LANES];
    for (int i = 0; i < CM_LANES; i++) rounded[i] = cm_to_bfloat16(values[i]);
    memcpy(to, rounded, sizeof rounded);
}

#include "cm_pairs.h"

#include "cm_narrow_layers.h"

const cm_narrow_set *cm_pairs_software(void) { return &narrow_set; }
