// Conversions between float32 and narrow elements, written once over vectors of CM_LANES floats.
// cm_widen.c includes this for each set and defines before:
//   CM_LANES      floats in a vector
//   CM_SET(name)  the name of a function of this set
//   CM_NAME       the name of the set
//   WIDEN_HALVES, NARROW_HALVES   float16 to float32 and back, vector by vector

typedef float CM_SET(vf) __attribute__((vector_size(CM_LANES * 4)));
typedef int32_t CM_SET(vi) __attribute__((vector_size(CM_LANES * 4)));
typedef uint32_t CM_SET(vu) __attribute__((vector_size(CM_LANES * 4)));
typedef uint16_t CM_SET(vh) __attribute__((vector_size(CM_LANES * 2)));
typedef uint8_t CM_SET(vb) __attribute__((vector_size(CM_LANES)));
typedef int8_t CM_SET(vc) __attribute__((vector_size(CM_LANES)));
#define vf CM_SET(vf)
#define vi CM_SET(vi)
#define vu CM_SET(vu)
#define vh CM_SET(vh)
#define vb CM_SET(vb)
#define vc CM_SET(vc)

CM_INLINE vu CM_SET(choose)(vi mask, vu a, vu b) { return ((vu)mask & a) | (~(vu)mask & b); }
#define choose CM_SET(choose)

CM_INLINE vf CM_SET(widen_float16)(vh half) {
#ifdef WIDEN_HALVES
    return WIDEN_HALVES(half);
#else
    vu bits = __builtin_convertvector(half, vu);
    vu magnitude = bits & 0x7FFF;
    // Subnormal numbers are small integers times 2^-24, which float32 holds exactly.
    vf small = __builtin_convertvector((vi)magnitude, vf) * 0x1p-24f;
    vu normal = (magnitude << 13) + (112u << 23);
    vu special = (magnitude << 13) | 0x7F800000u;
    special |= (vu)(magnitude > 0x7C00) & 0x400000u;
    vu result = choose(magnitude < 0x400, (vu)small, normal);
    result = choose(magnitude >= 0x7C00, special, result);
    return (vf)(result | (bits & 0x8000) << 16);
#endif
}

CM_INLINE vh CM_SET(narrow_float16)(vf x) {
#ifdef NARROW_HALVES
    return NARROW_HALVES(x);
#else
    vu bits = (vu)x;
    vu magnitude = bits & 0x7FFFFFFF;
    // Next to 0.5 the last place of a float32 is 2^-24, that of the smallest float16.
    vu small = (vu)((vf)magnitude + 0.5f) - 0x3F000000u;
    vu normal = (magnitude + 0xFFF + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
    vu result = choose(magnitude < 0x38800000, small, normal);
    result = choose(magnitude >= 0x477FF000, (vu){0} + 0x7C00, result);
    result = choose(magnitude > 0x7F800000, 0x7E00 | (magnitude >> 13 & 0x3FF), result);
    return __builtin_convertvector(result | (bits >> 16 & 0x8000), vh);
#endif
}

CM_INLINE vf CM_SET(widen_bfloat16)(vh x) { return (vf)(__builtin_convertvector(x, vu) << 16); }

CM_INLINE vh CM_SET(narrow_bfloat16)(vf x) {
    vu bits = (vu)x;
    vu rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
    vu quiet = bits >> 16 | 0x40;
    return __builtin_convertvector(
        choose((bits & 0x7FFFFFFF) > 0x7F800000, quiet, rounded), vh);
}

// round(x / scale) + zero, clamped to low ... high; the caller has excluded NaN.
CM_INLINE vi CM_SET(quantise)(vf x, float scale, int32_t zero, int32_t low, int32_t high) {
    vf bottom = (vf){0} + (float)(low - zero), top = (vf){0} + (float)(high - zero);
    vf y = x / scale;
    y = (vf)choose(y < bottom, (vu)bottom, (vu)y);
    y = (vf)choose(y > top, (vu)top, (vu)y);
    // Adding 1.5 * 2^23 rounds to an integer, ties to even.
    return __builtin_convertvector((y + 0x1.8p23f) - 0x1.8p23f, vi) + zero;
}

#define CM_WIDEN(vector, element, expression)                  \
    do {                                                       \
        const element *source = from;                          \
        size_t i = 0;                                          \
        for (; i + CM_LANES <= count; i += CM_LANES) {         \
            vector x;                                          \
            memcpy(&x, source + i, sizeof x);                  \
            vf y = expression;                                 \
            memcpy(to + i, &y, sizeof y);                      \
        }                                                      \
        if (i < count) {                                       \
            vector x = {0};                                    \
            memcpy(&x, source + i, (count - i) * sizeof *source); \
            vf y = expression;                                 \
            memcpy(to + i, &y, (count - i) * sizeof *to);      \
        }                                                      \
    } while (0)

static void CM_SET(widen)(int32_t type, const void *from, float *to, size_t count, float scale,
                          int32_t zero_point) {
    switch (type) {
    case CM_FLOAT16: CM_WIDEN(vh, uint16_t, CM_SET(widen_float16)(x)); break;
    case CM_BFLOAT16: CM_WIDEN(vh, uint16_t, CM_SET(widen_bfloat16)(x)); break;
    case CM_UINT8:
        CM_WIDEN(vb, uint8_t,
                 __builtin_convertvector(__builtin_convertvector(x, vi) - zero_point, vf) * scale);
        break;
    case CM_INT8:
        CM_WIDEN(vc, int8_t,
                 __builtin_convertvector(__builtin_convertvector(x, vi) - zero_point, vf) * scale);
        break;
    }
}

// `refuses`: whether the type cannot hold NaN.
#define CM_NARROW(vector, element, refuses, expression)        \
    do {                                                       \
        element *target = to;                                  \
        for (size_t i = 0; i < count; i += CM_LANES) {         \
            size_t left = count - i < CM_LANES ? count - i : CM_LANES; \
            vf x = {0};                                        \
            if (left == CM_LANES) {                            \
                memcpy(&x, from + i, sizeof x);                \
            } else {                                           \
                memcpy(&x, from + i, left * sizeof *from);     \
            }                                                  \
            if (refuses && __builtin_reduce_or(x != x)) return first_nan(from, i); \
            vector y = expression;                             \
            if (left == CM_LANES) {                            \
                memcpy(target + i, &y, sizeof y);              \
            } else {                                           \
                memcpy(target + i, &y, left * sizeof *target); \
            }                                                  \
        }                                                      \
    } while (0)

static size_t CM_SET(narrow)(int32_t type, const float *from, void *to, size_t count, float scale,
                             int32_t zero_point) {
    switch (type) {
    case CM_FLOAT16: CM_NARROW(vh, uint16_t, 0, CM_SET(narrow_float16)(x)); break;
    case CM_BFLOAT16: CM_NARROW(vh, uint16_t, 0, CM_SET(narrow_bfloat16)(x)); break;
    case CM_UINT8:
        CM_NARROW(vb, uint8_t, 1,
                  __builtin_convertvector(
                      CM_SET(quantise)(x, scale, zero_point, 0, 255), vb));
        break;
    case CM_INT8:
        CM_NARROW(vc, int8_t, 1,
                  __builtin_convertvector(
                      CM_SET(quantise)(x, scale, zero_point, -128, 127), vc));
        break;
    }
    return count;
}

static const cm_widen_set CM_SET(set) = {
    .name = CM_NAME, .widen = CM_SET(widen), .narrow = CM_SET(narrow)};

#undef vf
#undef vi
#undef vu
#undef vh
#undef vb
#undef vc
#undef choose
#undef CM_WIDEN
#undef CM_NARROW
#undef CM_LANES
#undef CM_SET
#undef CM_NAME
#undef WIDEN_HALVES
#undef NARROW_HALVES
