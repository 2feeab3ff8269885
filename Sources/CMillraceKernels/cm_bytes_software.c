// Bytes in plain C.
#include "cm_narrow.h"

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

// Byte by byte of a word, the last one first: an arithmetic shift gives a weight its sign.
static __attribute__((noinline)) vi add_bytes(vi s, uint32_t word, vi w) {
    CM_UNROLL for (int i = 3; i >= 0; i--) {
        s += (int32_t)(word >> 8 * i & 0xFF) * ((vi)((vu)w << 8 * (3 - i)) >> 24);
    }
    return s;
}

#define ADD_PRODUCTS(s, word, w) add_bytes(s, word, w)

#include "cm_bytes.h"

#include "cm_narrow_layers.h"

const cm_narrow_set *cm_bytes_software(void) { return &narrow_set; }
