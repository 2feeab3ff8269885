#ifndef CM_SPLIT_H
#define CM_SPLIT_H

#include <stddef.h>
#include <stdint.h>

/// Byte-stream split, for one kind of processor: stream k of `width` streams holds byte k of every
/// element, and the streams follow each other. Bytes are only moved, so every set gives the same.
/// `width` is 2 or 4. `from` and `to` need no alignment and must not overlap.
/// Source: Apache Parquet, Encodings.md, "Byte Stream Split".
typedef struct {
    const char *name;

    /// to[k * count + i] = from[i * width + k].
    void (*split)(const uint8_t *from, uint8_t *to, size_t count, size_t width);

    /// to[i * width + k] = from[k * count + i].
    void (*unsplit)(const uint8_t *from, uint8_t *to, size_t count, size_t width);
} cm_split_set;

/// The kernels of a set; null where the processor or the operating system lacks what they need.
/// `cm_split_portable` is never null.
const cm_split_set *cm_split_avx512(void);
const cm_split_set *cm_split_avx2(void);
const cm_split_set *cm_split_portable(void);

/// The fastest set of this processor, chosen once.
const cm_split_set *cm_split_best(void);

#endif
