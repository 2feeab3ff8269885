// What happens to rows before and after the layers, and what training needs element by element.
// Written once for every set; see cm_body.h.

static uint32_t condition_row(const cm_conditioning *stage, const float *x, float *y) {
    const vf infinity = splat(__builtin_inff());
    vi found = {0};
    for (size_t i = 0; i < stage->width; i += CM_LANES) {
        size_t count = up_to_lanes(stage->width - i);
        vf value = load_first(x + i, count);
        vi missing = value != value;
        if (stage->missing == CM_REJECT) {
            found -= (vi)(~(magnitude(value) < infinity));
        } else if (stage->missing == CM_IMPUTE) {
            found -= missing;
            value = choose(missing, load_first(stage->impute + i, count), value);
        }
        value = value - load_first(stage->mean + i, count);
        vf limit = load_first(stage->limit + i, count);
        value = choose(value > limit, limit, value);
        value = choose(value < -limit, -limit, value);
        if (stage->scale) value = value * load_first(stage->scale + i, count);
        store_first(y + i, value, count);
    }
    return (uint32_t)__builtin_reduce_add(found);
}

static void condition(const cm_conditioning *stage, const float *x, size_t x_stride, size_t rows,
                      float *y, size_t y_stride, uint32_t *missing) {
    for (size_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        uint32_t count = condition_row(stage, x, y);
        if (missing) missing[row] = count;
    }
}

// A row's largest magnitude, sum of magnitudes or Euclidean length.
CM_INLINE float length_of(int32_t norm, const float *x, size_t columns) {
    vf total = {0};
    for (size_t i = 0; i < columns; i += CM_LANES) {
        vf value = load_first(x + i, up_to_lanes(columns - i));
        vf size = magnitude(value);
        // NaN stays.
        if (norm == CM_NORM_MAX) total = choose(total > size, total, size);
        if (norm == CM_NORM_L1) total = total + size;
        if (norm == CM_NORM_L2) total = CM_FMA(value, value, total);
    }
    if (norm == CM_NORM_MAX) return largest_lane(total);
    float sum = sum_of_lanes(total);
    return norm == CM_NORM_L2 ? __builtin_elementwise_sqrt(sum) : sum;
}

CM_INLINE void divide_row(float *x, float by, size_t columns) {
    for (size_t i = 0; i < columns; i += CM_LANES) {
        size_t n = up_to_lanes(columns - i);
        store_first(x + i, load_first(x + i, n) / by, n);
    }
}

static void normalise(int32_t norm, float *x, size_t stride, size_t rows, size_t columns) {
    for (size_t row = 0; row < rows; row++, x += stride) {
        float length = length_of(norm, x, columns);
        if (length != 0) divide_row(x, length, columns);
    }
}

static void softmax(float *x, size_t stride, size_t rows, size_t columns) {
    const vf lowest = splat(-__builtin_inff());
    for (size_t row = 0; row < rows; row++, x += stride) {
        vf most = lowest;
        for (size_t i = 0; i < columns; i += CM_LANES) {
            size_t n = up_to_lanes(columns - i);
            // Elements that are not there count as the first one.
            vf value = n == CM_LANES ? load(x + i) : splat(x[i]);
            if (n < CM_LANES) {
                float elements[CM_LANES];
                store(elements, value);
                copy_first(elements, x + i, n);
                value = load(elements);
            }
            most = choose(value > most, value, most);
        }
        const float largest = largest_lane(most);
        vf total = {0};
        for (size_t i = 0; i < columns; i += CM_LANES) {
            size_t n = up_to_lanes(columns - i);
            store_first(x + i, vexp(load_first(x + i, n) - largest), n);
            total = total + load_first(x + i, n);
        }
        divide_row(x, sum_of_lanes(total), columns);
    }
}

static void activate(int32_t activation, const float *bias, size_t rows, size_t columns, float *z,
                     size_t z_stride, float *a, size_t a_stride) {
    for (size_t row = 0; row < rows; row++, z += z_stride, a += a_stride) {
        for (size_t i = 0; i < columns; i += CM_LANES) {
            size_t count = up_to_lanes(columns - i);
            vf value = load_first(z + i, count) + load_first(bias + i, count);
            store_first(z + i, value, count);
            store_first(a + i, apply(activation, value), count);
        }
    }
}

static void differentiate(int32_t activation, const float *z, const float *a, float *delta,
                          size_t count) {
    for (size_t i = 0; i < count; i += CM_LANES) {
        size_t n = up_to_lanes(count - i);
        vf slope = derivative(activation, load_first(z + i, n), load_first(a + i, n));
        store_first(delta + i, load_first(delta + i, n) * slope, n);
    }
}
