#ifndef CM_WIDEN_H
#define CM_WIDEN_H

#include <stddef.h>
#include <stdint.h>

/// Narrow element types; the numbers are those of the log's batch header.
enum {
    CM_FLOAT16 = 2,   // IEEE 754 binary16
    CM_BFLOAT16 = 3,  // the upper half of a float32
    CM_UINT8 = 4,
    CM_INT8 = 5,
};

/// Conversion between float32 and narrow elements, for one kind of processor. Every set computes
/// the same bits. `from` and `to` need no alignment and must not overlap.
typedef struct {
    const char *name;

    /// to[i] = from[i] as float32, exactly; of integers (from[i] - zero_point) * scale in float32.
    /// A signalling NaN of float16 becomes quiet; all other bits of a NaN are kept.
    void (*widen)(int32_t type, const void *from, float *to, size_t count, float scale,
                  int32_t zero_point);

    /// The reverse, rounded to nearest, ties to even: float16 overflows to infinity, integers are
    /// round(from[i] / scale) + zero_point, clamped to their range. NaN becomes a quiet NaN of the
    /// same sign; integers cannot hold one. Returns the number of elements converted: `count`, or
    /// the index of the first NaN.
    size_t (*narrow)(int32_t type, const float *from, void *to, size_t count, float scale,
                     int32_t zero_point);
} cm_widen_set;

/// The conversions of a set; null where the processor or the operating system lacks what they need.
/// `cm_widen_portable` is never null.
const cm_widen_set *cm_widen_avx512(void);
const cm_widen_set *cm_widen_avx2(void);
const cm_widen_set *cm_widen_portable(void);

/// The fastest set of this processor, chosen once.
const cm_widen_set *cm_widen_best(void);

#endif
