#ifndef CM_NARROW_H
#define CM_NARROW_H

#include "cm_kernels.h"

/// Columns of a panel of narrow weights.
#define CM_NARROW_PANEL 64

/// Inputs for which no sum of products of bytes can leave 32 bits.
#define CM_BYTE_INPUTS_MAX 65536

/// Layers in numbers narrower than float32, several of which fill the 32 bits of a *word*: two
/// bfloat16 (pairs) or four bytes. Every set of a kind gives the same bits, whatever the number of
/// rows or their place. What stands before and after the layers is that of
/// `cm_kernel_set.predict`, in float32. Denormal numbers are zero everywhere.
///
/// A layer's `weights` are panels of CM_NARROW_PANEL columns, word by word: panel p starts at word
/// p * CM_NARROW_PANEL * words, where a row of the layer's inputs has `words`, and holds, for each of
/// them in turn, its columns side by side. The last panel is narrower when fewer columns are left:
/// a multiple of 16, filled with zeros. Elements that an input's last word lacks are zeros.
///
/// **Pairs.** What a layer takes, and its weights, are rounded to bfloat16 (`cm_to_bfloat16`). A sum
/// begins with the bias; of each word the product with odd place is added, then that with even
/// place, each with one rounding to float32. Source: Intel's manual, VDPBF16PS, whose rules AMD's
/// processors follow to the bit.
///
/// **Bytes.** What a layer takes is unsigned, its weights signed bytes; see `cm_byte_layer`. Sums of
/// products are exact. A row with a feature that is infinite or NaN has outputs that are NaN: no byte
/// stands for it.
typedef struct {
    /// As `cm_kernel_set.predict`; a row of scratch memory has room for every layer's inputs, padded
    /// to 16, as 16-bit elements (pairs) or bytes.
    void (*predict)(const cm_network *network, const cm_matrix *source, float *output,
                    float *scratch, cm_counts *counts);
} cm_narrow_set;

/// Pairs by the processor (VDPBF16PS); null where it or the operating system lacks AVX-512 (F, BW,
/// DQ, VL, BF16).
const cm_narrow_set *cm_pairs_avx512(void);

/// Pairs in plain C, far slower than float32: what tests and calibration go by.
const cm_narrow_set *cm_pairs_software(void);

/// Bytes by the processor (VPDPBUSD); null where it or the operating system lacks AVX-512 (F, BW,
/// DQ, VL, VNNI).
const cm_narrow_set *cm_bytes_avx512(void);

/// Bytes in plain C: what tests and calibration go by.
const cm_narrow_set *cm_bytes_software(void);

#endif
