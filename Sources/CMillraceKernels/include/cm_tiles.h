#ifndef CM_TILES_H
#define CM_TILES_H

#include "cm_kernels.h"

#include <string.h>

/// A tile is a matrix register of 16 rows of 64 bytes: 32 bfloat16 or 16 float32 each.
#define CM_TILE_HEIGHT 16
#define CM_TILE_INPUTS 32
#define CM_TILE_OUTPUTS 16
#define CM_TILE_ELEMENTS (CM_TILE_HEIGHT * CM_TILE_INPUTS)

/// What there is for matrix registers (AMX) here.
enum {
    CM_AMX_TILE = 1,      // the processor has tiles,
    CM_AMX_BFLOAT16 = 2,  // multiplies bfloat16 in them,
    CM_AMX_INT8 = 4,      // and int8;
    CM_AMX_VECTORS = 8,   // it has AVX-512 (F, BW, DQ, VL) with bfloat16, and the system saves it
    CM_AMX_SAVED = 16,    // the operating system saves tiles: bits 17 and 18 of XCR0
    CM_AMX_GRANTED = 32,  // it lets this process use them: ARCH_REQ_XCOMP_PERM
};

/// Those of the flags above that hold. Asks the operating system for the permission where there is
/// something to be permitted; a second time changes nothing.
uint32_t cm_amx_support(void);

/// A float32 as bfloat16: rounded to nearest, ties to even; a denormal number becomes a zero of its
/// sign, NaN a quiet one. Source: Intel's manual, VCVTNEPS2BF16.
static inline uint16_t cm_to_bfloat16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);
    if (magnitude < 0x00800000u) return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/// Layers in bfloat16, for one kind of matrix register.
///
/// What a layer takes, and its weights, are rounded to bfloat16. Of 32 inputs at a time the
/// products with even and with odd place are summed apart, in order, each with one rounding to
/// float32; the two sums are added up, and then added to what there is. Inputs that are missing in
/// the last 32 are zeros. Bias and activation are float32, and what stands before and after the
/// layers is that of `cm_kernel_set.predict`. Denormal numbers are zero everywhere. Source: Intel's
/// manual, TDPBF16PS. Every set gives the same bits, whatever the number of rows or their place.
///
/// A layer's `weights` are tiles, 16-bit elements: those of 16 outputs one after the other, for 32
/// inputs each; a tile's row k holds, output by output, the weights of inputs 2 k and 2 k + 1.
typedef struct {
    /// As `cm_kernel_set.predict`; `tile_rows` is a multiple of CM_TILE_HEIGHT, and a row of
    /// scratch memory has room for every layer's inputs, padded to whole tiles, as 16-bit elements.
    void (*predict)(const cm_network *network, const cm_matrix *source, float *output,
                    float *scratch, cm_counts *counts);
} cm_tile_set;

/// By the processor's matrix registers; null where `cm_amx_support` lacks one of its flags but
/// CM_AMX_INT8.
const cm_tile_set *cm_tiles_amx(void);

/// By a model of them in plain C, far slower than float32: what tests and calibration go by.
const cm_tile_set *cm_tiles_software(void);

#endif
