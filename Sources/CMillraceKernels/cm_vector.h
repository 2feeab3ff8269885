// Vectors of CM_LANES floats and the functions of one number, written once for every set; see
// cm_body.h for what a set defines before it.

#pragma clang fp contract(off)

#define CM_INLINE static inline __attribute__((always_inline))
#define CM_UNROLL _Pragma("clang loop unroll(full)")

typedef float vf __attribute__((vector_size(CM_LANES * 4)));
typedef int32_t vi __attribute__((vector_size(CM_LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(CM_LANES * 4)));

CM_INLINE vf splat(float x) { return x - (vf){0}; }

CM_INLINE vf load(const float *p) {
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}

CM_INLINE void store(float *p, vf x) { memcpy(p, &x, sizeof x); }

// Copies of one size each, for fewer elements than a vector has: no call, no loop.
CM_INLINE void copy_first(float *to, const float *from, size_t count) {
    size_t i = 0;
#if CM_LANES > 8
    if (count & 8) memcpy(to + i, from + i, 32), i += 8;
#endif
#if CM_LANES > 4
    if (count & 4) memcpy(to + i, from + i, 16), i += 4;
#endif
    if (count & 2) memcpy(to + i, from + i, 8), i += 2;
    if (count & 1) memcpy(to + i, from + i, 4);
}

// The first `count` elements, at most a vector, and zeros; nothing behind them is touched.
CM_INLINE vf load_first(const float *p, size_t count) {
    if (count == CM_LANES) return load(p);
#ifdef CM_LOAD_FIRST
    return CM_LOAD_FIRST(p, count);
#else
    float elements[CM_LANES] = {0};
    copy_first(elements, p, count);
    return load(elements);
#endif
}

CM_INLINE void store_first(float *p, vf x, size_t count) {
    if (count == CM_LANES) {
        store(p, x);
    } else {
        float elements[CM_LANES];
        store(elements, x);
        copy_first(p, elements, count);
    }
}

CM_INLINE size_t up_to_lanes(size_t count) { return count < CM_LANES ? count : CM_LANES; }

CM_INLINE vf choose(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

CM_INLINE vf magnitude(vf x) { return (vf)((vi)x & 0x7FFFFFFF); }

CM_INLINE vi not_finite(vf x) { return ~(magnitude(x) < __builtin_inff()); }

CM_INLINE vf with_sign_of(vf x, vf sign) {
    return (vf)((vi)x | ((vi)sign & (int32_t)0x80000000));
}

// All lanes added up or compared, the halves of the vector pairwise: always in this order.
CM_INLINE float sum_of_lanes(vf x) {
    float elements[CM_LANES];
    store(elements, x);
    CM_UNROLL for (int width = CM_LANES / 2; width > 0; width /= 2) {
        CM_UNROLL for (int i = 0; i < width; i++) elements[i] += elements[i + width];
    }
    return elements[0];
}

CM_INLINE float largest_lane(vf x) {
    float elements[CM_LANES];
    store(elements, x);
    CM_UNROLL for (int width = CM_LANES / 2; width > 0; width /= 2) {
        CM_UNROLL for (int i = 0; i < width; i++) {
            float other = elements[i + width];
            elements[i] = other > elements[i] ? other : elements[i];
        }
    }
    return elements[0];
}

// exp(x), within 2 ulp where the result is normal; 0 and infinity beyond the range.
// Source: range reduction and polynomial of Moshier, Cephes, expf.
CM_INLINE vf vexp(vf x) {
    x = choose(x > 89.0f, splat(89.0f), x);
    x = choose(x < -104.0f, splat(-104.0f), x);
    // Adding 1.5 * 2^23 rounds to an integer, which is then in the low bits.
    vf shifted = CM_FMA(x, splat(1.44269504088896341f), splat(12582912.0f));
    vf n = shifted - 12582912.0f;
    vf r = CM_FMA(n, splat(-0.693359375f), x);
    r = CM_FMA(n, splat(2.12194440e-4f), r);
    vf p = splat(1.9875691500e-4f);
    p = CM_FMA(p, r, splat(1.3981999507e-3f));
    p = CM_FMA(p, r, splat(8.3334519073e-3f));
    p = CM_FMA(p, r, splat(4.1665795894e-2f));
    p = CM_FMA(p, r, splat(1.6666665459e-1f));
    p = CM_FMA(p, r, splat(5.0000001201e-1f));
    p = CM_FMA(p, r * r, r) + 1.0f;
    // 2^n in two halves, so that neither leaves the range of exponents.
    vi whole = (vi)shifted - 0x4B400000;
    vi half = whole >> 1;
    vf scale1 = (vf)((vu)(half + 127) << 23);
    vf scale2 = (vf)((vu)(whole - half + 127) << 23);
    return p * scale1 * scale2;
}

// 1 / (1 + exp(-x)), relatively accurate in both tails: within 4 ulp where the result is normal.
CM_INLINE vf vsigmoid(vf x) {
    vf e = vexp(-magnitude(x));
    return choose(x >= 0.0f, splat(1.0f), e) / (1.0f + e);
}

// tanh(x), within 4 ulp. Source: polynomial of Moshier, Cephes, tanhf.
CM_INLINE vf vtanh(vf x) {
    vf m = magnitude(x), z = x * x;
    vf p = splat(-5.70498872745e-3f);
    p = CM_FMA(p, z, splat(2.06390887954e-2f));
    p = CM_FMA(p, z, splat(-5.37397155531e-2f));
    p = CM_FMA(p, z, splat(1.33314422036e-1f));
    p = CM_FMA(p, z, splat(-3.33332819422e-1f));
    vf small = CM_FMA(p * z, x, x);
    vf large = with_sign_of(1.0f - 2.0f / (vexp(m + m) + 1.0f), x);
    return choose(m < 0.625f, small, large);
}

// The normal distribution function, relatively accurate in the lower tail (error below 4e-7 plus
// 6e-8 x^2). Source: Press et al., Numerical Recipes, erfcc (Chebyshev fit of erfc).
CM_INLINE vf vnormal(vf x) {
    static const float c[] = {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f,
                              0.09678418f, 0.37409196f,  1.00002368f,  -1.26551223f};
    vf u = magnitude(x) * 0.70710678118654752f;
    vf t = 1.0f / (1.0f + 0.5f * u);
    vf p = splat(0.17087277f);
    CM_UNROLL for (int i = 0; i < 9; i++) p = CM_FMA(p, t, splat(c[i]));
    vf tail = 0.5f * t * vexp(CM_FMA(-u, u, p));
    return choose(x >= 0.0f, 1.0f - tail, tail);
}

CM_INLINE vf vrelu(vf x) { return choose(x < 0.0f, splat(0.0f), x); }

CM_INLINE vf vleaky(vf x) { return choose(x < 0.0f, x * 0.01f, x); }

CM_INLINE vf apply(int32_t activation, vf x) {
    switch (activation) {
    case CM_RELU: return vrelu(x);
    case CM_LEAKY_RELU: return vleaky(x);
    case CM_TANH: return vtanh(x);
    case CM_SIGMOID: return vsigmoid(x);
    case CM_GELU: return x * vnormal(x);
    case CM_EXP: return vexp(x);
    default: return x;
    }
}

// delta times the derivative of an activation, from its argument z and its value a; what meets a
// rectifier's slope of nothing is nothing, whatever it was.
CM_INLINE vf times_derivative(int32_t activation, vf delta, vf z, vf a) {
    switch (activation) {
    case CM_RELU: return choose(z > 0.0f, delta, splat(0.0f));
    case CM_LEAKY_RELU: return delta * choose(z > 0.0f, splat(1.0f), splat(0.01f));
    case CM_TANH: return delta * (1.0f - a * a);
    case CM_SIGMOID: return delta * (a * (1.0f - a));
    case CM_GELU:
        return delta * (vnormal(z) + z * 0.39894228040143268f * vexp(z * z * -0.5f));
    case CM_EXP: return delta * a;
    default: return delta;
    }
}
