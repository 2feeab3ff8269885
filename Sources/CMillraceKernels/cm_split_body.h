// Byte-stream split, written once over vectors of CM_BYTES bytes. cm_split.c includes this for each
// set and defines before:
//   CM_BYTES            bytes in a vector
//   CM_SET(name)        the name of a function of this set
//   CM_NAME             the name of the set
//   zip8, zip16         interleave the 8 or 16-bit elements of two vectors into two
//   evens, odds         every other byte of two vectors, as one

#define vb CM_SET(vb)

CM_INLINE vb CM_SET(load)(const uint8_t *p) {
    vb x;
    memcpy(&x, p, sizeof x);
    return x;
}

CM_INLINE void CM_SET(store)(uint8_t *p, vb x) { memcpy(p, &x, sizeof x); }

static void CM_SET(split)(const uint8_t *from, uint8_t *to, size_t count, size_t width) {
    size_t i = 0;
    if (width == 2) {
        for (; i + CM_BYTES <= count; i += CM_BYTES) {
            vb a = CM_SET(load)(from + 2 * i), b = CM_SET(load)(from + 2 * i + CM_BYTES);
            CM_SET(store)(to + i, CM_SET(evens)(a, b));
            CM_SET(store)(to + count + i, CM_SET(odds)(a, b));
        }
    } else if (width == 4) {
        for (; i + CM_BYTES <= count; i += CM_BYTES) {
            const uint8_t *p = from + 4 * i;
            vb a = CM_SET(load)(p), b = CM_SET(load)(p + CM_BYTES);
            vb c = CM_SET(load)(p + 2 * CM_BYTES), d = CM_SET(load)(p + 3 * CM_BYTES);
            vb even1 = CM_SET(evens)(a, b), even2 = CM_SET(evens)(c, d);
            vb odd1 = CM_SET(odds)(a, b), odd2 = CM_SET(odds)(c, d);
            CM_SET(store)(to + i, CM_SET(evens)(even1, even2));
            CM_SET(store)(to + count + i, CM_SET(evens)(odd1, odd2));
            CM_SET(store)(to + 2 * count + i, CM_SET(odds)(even1, even2));
            CM_SET(store)(to + 3 * count + i, CM_SET(odds)(odd1, odd2));
        }
    }
    for (; i < count; i++)
        for (size_t k = 0; k < width; k++) to[k * count + i] = from[i * width + k];
}

static void CM_SET(unsplit)(const uint8_t *from, uint8_t *to, size_t count, size_t width) {
    size_t i = 0;
    if (width == 2) {
        for (; i + CM_BYTES <= count; i += CM_BYTES) {
            vb low, high;
            CM_SET(zip8)(CM_SET(load)(from + i), CM_SET(load)(from + count + i), &low, &high);
            CM_SET(store)(to + 2 * i, low);
            CM_SET(store)(to + 2 * i + CM_BYTES, high);
        }
    } else if (width == 4) {
        for (; i + CM_BYTES <= count; i += CM_BYTES) {
            vb low01, high01, low23, high23, a, b, c, d;
            CM_SET(zip8)(CM_SET(load)(from + i), CM_SET(load)(from + count + i), &low01, &high01);
            CM_SET(zip8)
            (CM_SET(load)(from + 2 * count + i), CM_SET(load)(from + 3 * count + i), &low23,
             &high23);
            CM_SET(zip16)(low01, low23, &a, &b);
            CM_SET(zip16)(high01, high23, &c, &d);
            CM_SET(store)(to + 4 * i, a);
            CM_SET(store)(to + 4 * i + CM_BYTES, b);
            CM_SET(store)(to + 4 * i + 2 * CM_BYTES, c);
            CM_SET(store)(to + 4 * i + 3 * CM_BYTES, d);
        }
    }
    for (; i < count; i++)
        for (size_t k = 0; k < width; k++) to[i * width + k] = from[k * count + i];
}

static const cm_split_set CM_SET(set) = {
    .name = CM_NAME, .split = CM_SET(split), .unsplit = CM_SET(unsplit)};

#undef vb
#undef CM_BYTES
#undef CM_SET
#undef CM_NAME
