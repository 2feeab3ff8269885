// The kernels, written once over vectors of CM_LANES floats. A file for each set compiles them and
// defines before:
//   CM_LANES     floats in a vector
//   CM_VECTORS   vectors in a panel of columns (at most 4)
//   CM_FMA       a * b + c, fused or not
// The register block is CM_ROWS rows by CM_VECTORS vectors of accumulators.

#include "cm_kernels.h"

#include <string.h>

#define CM_ROWS 6
#define CM_INLINE static inline __attribute__((always_inline))
#define CM_UNROLL _Pragma("clang loop unroll(full)")

#pragma clang fp contract(off)

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

CM_INLINE vf load_first(const float *p, size_t count) {
    if (count == CM_LANES) return load(p);
    vf x = {0};
    memcpy(&x, p, count * sizeof(float));
    return x;
}

CM_INLINE void store_first(float *p, vf x, size_t count) {
    if (count == CM_LANES) {
        store(p, x);
    } else {
        memcpy(p, &x, count * sizeof(float));
    }
}

CM_INLINE vf select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

CM_INLINE vf magnitude(vf x) { return (vf)((vi)x & 0x7FFFFFFF); }

CM_INLINE vf with_sign_of(vf x, vf sign) {
    return (vf)((vi)x | ((vi)sign & (int32_t)0x80000000));
}

// exp(x), within 2 ulp where the result is normal; 0 and infinity beyond the range.
// Source: range reduction and polynomial of Moshier, Cephes, expf.
CM_INLINE vf vexp(vf x) {
    x = select(x > 89.0f, splat(89.0f), x);
    x = select(x < -104.0f, splat(-104.0f), x);
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
    return select(x >= 0.0f, splat(1.0f), e) / (1.0f + e);
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
    return select(m < 0.625f, small, large);
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
    return select(x >= 0.0f, 1.0f - tail, tail);
}

CM_INLINE vf simple(int32_t activation, vf x) {
    if (activation == CM_RELU) return select(x < 0.0f, splat(0.0f), x);
    if (activation == CM_LEAKY_RELU) return select(x < 0.0f, x * 0.01f, x);
    return x;
}

CM_INLINE vf apply(int32_t activation, vf x) {
    switch (activation) {
    case CM_TANH: return vtanh(x);
    case CM_SIGMOID: return vsigmoid(x);
    case CM_GELU: return x * vnormal(x);
    default: return simple(activation, x);
    }
}

CM_INLINE vf derivative(int32_t activation, vf z, vf a) {
    switch (activation) {
    case CM_RELU: return select(z > 0.0f, splat(1.0f), splat(0.0f));
    case CM_LEAKY_RELU: return select(z > 0.0f, splat(1.0f), splat(0.01f));
    case CM_TANH: return 1.0f - a * a;
    case CM_SIGMOID: return a * (1.0f - a);
    case CM_GELU: return vnormal(z) + z * 0.39894228040143268f * vexp(z * z * -0.5f);
    default: return splat(1.0f);
    }
}

static void transform(int32_t activation, float *y, size_t y_stride, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++, y += y_stride) {
        for (size_t i = 0; i < columns; i += CM_LANES) {
            store(y + i, apply(activation, load(y + i)));
        }
    }
}

// One register block. Activations that need a polynomial are left to `transform`,
// which finds the block in L1.
CM_INLINE void block(const cm_layer *layer, const float *weights, const float *bias, const float *x,
                     size_t x_stride, float *y, size_t y_stride, const int rows,
                     const int vectors) {
    vf sums[CM_ROWS][CM_VECTORS];
    CM_UNROLL for (int r = 0; r < rows; r++) {
        CM_UNROLL for (int v = 0; v < vectors; v++) sums[r][v] = (vf){0};
    }
    for (size_t k = 0; k < layer->inputs; k++) {
        vf w[CM_VECTORS];
        CM_UNROLL for (int v = 0; v < vectors; v++) w[v] = load(weights + v * CM_LANES);
        weights += vectors * CM_LANES;
        CM_UNROLL for (int r = 0; r < rows; r++) {
            vf input = splat(x[(size_t)r * x_stride + k]);
            CM_UNROLL for (int v = 0; v < vectors; v++) {
                sums[r][v] = CM_FMA(input, w[v], sums[r][v]);
            }
        }
    }
    const int32_t activation = layer->activation;
    CM_UNROLL for (int r = 0; r < rows; r++) {
        CM_UNROLL for (int v = 0; v < vectors; v++) {
            vf sum = sums[r][v] + load(bias + v * CM_LANES);
            store(y + (size_t)r * y_stride + v * CM_LANES, simple(activation, sum));
        }
    }
}

#define CM_CASE(R, V)                                                              \
    case (R) * 8 + (V):                                                            \
        block(layer, weights, bias, x, x_stride, y, y_stride, R, V);               \
        break;
#define CM_CASES(V) \
    CM_CASE(1, V) CM_CASE(2, V) CM_CASE(3, V) CM_CASE(4, V) CM_CASE(5, V) CM_CASE(6, V)

static void any_block(const cm_layer *layer, const float *weights, const float *bias,
                      const float *x, size_t x_stride, float *y, size_t y_stride, size_t rows,
                      size_t vectors) {
    switch (rows * 8 + vectors) {
        CM_CASES(1)
        CM_CASES(2)
#if CM_VECTORS > 2
        CM_CASES(3)
        CM_CASES(4)
#endif
    }
}

static void dense(const cm_layer *layer, const float *x, size_t x_stride, size_t rows, float *y,
                  size_t y_stride) {
    const size_t panel = CM_LANES * CM_VECTORS;
    for (size_t column = 0; column < layer->outputs; column += panel) {
        size_t left = (layer->outputs - column + CM_LANES - 1) / CM_LANES;
        size_t vectors = left < CM_VECTORS ? left : CM_VECTORS;
        const float *weights = layer->weights + column * layer->inputs;
        for (size_t row = 0; row < rows; row += CM_ROWS) {
            size_t count = rows - row < CM_ROWS ? rows - row : CM_ROWS;
            any_block(layer, weights, layer->bias + column, x + row * x_stride, x_stride,
                      y + row * y_stride + column, y_stride, count, vectors);
            if (layer->activation >= CM_TANH) {
                transform(layer->activation, y + row * y_stride + column, y_stride, count,
                          vectors * CM_LANES);
            }
        }
    }
}

static void condition(const cm_conditioning *stage, const float *x, size_t x_stride, size_t rows,
                      float *y, size_t y_stride) {
    for (size_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        for (size_t i = 0; i < stage->width; i += CM_LANES) {
            size_t left = stage->width - i, count = left < CM_LANES ? left : CM_LANES;
            vf value = load_first(x + i, count);
            value = select(value == value, value, load_first(stage->impute + i, count));
            value = value - load_first(stage->mean + i, count);
            vf limit = load_first(stage->limit + i, count);
            value = select(value > limit, limit, value);
            value = select(value < -limit, -limit, value);
            if (stage->scale) value = value * load_first(stage->scale + i, count);
            store_first(y + i, value, count);
        }
    }
}

static void activate(int32_t activation, const float *bias, size_t rows, size_t columns, float *z,
                     size_t z_stride, float *a, size_t a_stride) {
    for (size_t row = 0; row < rows; row++, z += z_stride, a += a_stride) {
        for (size_t i = 0; i < columns; i += CM_LANES) {
            size_t left = columns - i, count = left < CM_LANES ? left : CM_LANES;
            vf value = load_first(z + i, count) + load_first(bias + i, count);
            store_first(z + i, value, count);
            store_first(a + i, apply(activation, value), count);
        }
    }
}

static void differentiate(int32_t activation, const float *z, const float *a, float *delta,
                          size_t count) {
    for (size_t i = 0; i < count; i += CM_LANES) {
        size_t n = count - i < CM_LANES ? count - i : CM_LANES;
        vf slope = derivative(activation, load_first(z + i, n), load_first(a + i, n));
        store_first(delta + i, load_first(delta + i, n) * slope, n);
    }
}

static void softmax(float *x, size_t stride, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++, x += stride) {
        float largest = x[0];
        for (size_t i = 1; i < columns; i++) largest = x[i] > largest ? x[i] : largest;
        for (size_t i = 0; i < columns; i += CM_LANES) {
            size_t n = columns - i < CM_LANES ? columns - i : CM_LANES;
            store_first(x + i, vexp(load_first(x + i, n) - largest), n);
        }
        float sum = 0;
        for (size_t i = 0; i < columns; i++) sum += x[i];
        for (size_t i = 0; i < columns; i++) x[i] /= sum;
    }
}

static void adam(const cm_adam_step *step, float *parameters, const float *gradient,
                 float *moment1, float *moment2, size_t count) {
    for (size_t i = 0; i < count; i += CM_LANES) {
        size_t n = count - i < CM_LANES ? count - i : CM_LANES;
        vf w = load_first(parameters + i, n);
        vf g = load_first(gradient + i, n) + step->l2 * w;
        vf m = step->beta1 * load_first(moment1 + i, n) + step->rest1 * g;
        vf v = step->beta2 * load_first(moment2 + i, n) + step->rest2 * (g * g);
        vf spread = __builtin_elementwise_sqrt(v * step->correction2) + step->epsilon;
        store_first(moment1 + i, m, n);
        store_first(moment2 + i, v, n);
        store_first(parameters + i, w - step->rate * (m * step->correction1) / spread, n);
    }
}

static const cm_kernel_set kernel_set = {
    .lanes = CM_LANES,
    .panel = CM_LANES * CM_VECTORS,
    .dense = dense,
    .condition = condition,
    .activate = activate,
    .differentiate = differentiate,
    .softmax = softmax,
    .adam = adam,
};
