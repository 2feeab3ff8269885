// What happens to rows before and after the layers, and what training needs element by element.
// Written once for every set; see cm_body.h.

// What the stage has for some features.
typedef struct {
    vf impute, mean, limit, scale;
} stage_part;

// `missing` is the stage's; without a scale there is nothing to multiply by.
CM_INLINE stage_part part_of_stage(const cm_conditioning *stage, const int32_t missing, size_t i,
                                   size_t count) {
    stage_part part = {.mean = load_first(stage->mean + i, count),
                       .limit = load_first(stage->limit + i, count)};
    if (missing == CM_IMPUTE) part.impute = load_first(stage->impute + i, count);
    part.scale = stage->scale ? load_first(stage->scale + i, count) : splat(1);
    return part;
}

// Some features of one row; `found` gets which of them are missing.
CM_INLINE vf condition_some(const stage_part part, const int32_t missing, vf value, vi *found) {
    *found = (vi){0};
    if (missing == CM_REJECT) {
        *found = not_finite(value);
    } else if (missing == CM_IMPUTE) {
        *found = value != value;
        value = choose(*found, part.impute, value);
    }
    value = value - part.mean;
    value = choose(value > part.limit, part.limit, value);
    value = choose(value < -part.limit, -part.limit, value);
    return value * part.scale;
}

// Some features of `rows` rows, few enough to stand in one unrolled loop: what the stage has for a
// feature is read once for all of them, and nothing is stored before.
CM_INLINE void condition_part(const cm_conditioning *stage, const int32_t missing, const int rows,
                              size_t i, size_t count, const float *x, size_t x_stride, float *y,
                              size_t y_stride, vi *found) {
    const stage_part part = part_of_stage(stage, missing, i, count);
    vf values[4];
    CM_UNROLL for (int r = 0; r < rows; r++) {
        vi some;
        values[r] = condition_some(part, missing, load_first(x + (size_t)r * x_stride + i, count),
                                   &some);
        found[r] -= some;
    }
    CM_UNROLL for (int r = 0; r < rows; r++) {
        store_first(y + (size_t)r * y_stride + i, values[r], count);
    }
}

CM_INLINE void condition_rows(const cm_conditioning *stage, const int32_t missing, const int rows,
                              const float *x, size_t x_stride, float *y, size_t y_stride,
                              uint32_t *counts) {
    vi found[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + CM_LANES <= stage->width; i += CM_LANES) {
        condition_part(stage, missing, rows, i, CM_LANES, x, x_stride, y, y_stride, found);
    }
    if (i < stage->width) {
        condition_part(stage, missing, rows, i, stage->width - i, x, x_stride, y, y_stride, found);
    }
    if (!counts) return;
    CM_UNROLL for (int r = 0; r < rows; r++) {
        counts[r] = (uint32_t)__builtin_reduce_add(found[r]);
    }
}

// Whether an element is infinite.
static int has_infinity(const float *x, size_t count) {
    vi found = {0};
    size_t i = 0;
    for (; i + 4 * CM_LANES <= count; i += 4 * CM_LANES) {
        CM_UNROLL for (size_t v = 0; v < 4; v++) {
            found |= magnitude(load(x + i + v * CM_LANES)) == splat(__builtin_inff());
        }
    }
    for (; i < count; i += CM_LANES) {
        found |= magnitude(load_first(x + i, up_to_lanes(count - i))) == splat(__builtin_inff());
    }
    return __builtin_reduce_or(found) != 0;
}

// Fewer elements than a vector has are looked at one by one: they were stored in pieces a moment ago,
// and a load of more than one piece waits for all of them.
CM_INLINE int has_not_finite(const float *x, size_t count) {
    vi found = {0};
    size_t i = 0;
    for (; i + CM_LANES <= count; i += CM_LANES) found |= not_finite(load(x + i));
    int bad = __builtin_reduce_or(found) != 0;
    for (; i < count; i++) bad |= !(__builtin_fabsf(x[i]) < __builtin_inff());
    return bad;
}

// Whether every element is a number that is not infinite.
static int are_finite(const float *x, size_t count) { return !has_not_finite(x, count); }

#define CM_AHEAD 24  // how many rows before their turn rows are asked for

// Asks for rows before they are needed: several streams at once are more than the processor foresees.
CM_INLINE void prefetch_rows(const float *x, size_t stride, const int rows, size_t width) {
    for (size_t i = 0; i < width; i += 16) {
        CM_UNROLL for (int r = 0; r < rows; r++) __builtin_prefetch(x + (size_t)r * stride + i);
    }
}

CM_INLINE void condition_all(const cm_conditioning *stage, const int32_t missing, const float *x,
                             size_t x_stride, size_t rows, float *y, size_t y_stride,
                             uint32_t *counts) {
    size_t row = 0;
    for (; row + 4 <= rows; row += 4) {
        if (row + CM_AHEAD + 4 <= rows) {
            prefetch_rows(x + (row + CM_AHEAD) * x_stride, x_stride, 4, stage->width);
        }
        condition_rows(stage, missing, 4, x + row * x_stride, x_stride, y + row * y_stride,
                       y_stride, counts ? counts + row : NULL);
    }
    for (; row < rows; row++) {
        condition_rows(stage, missing, 1, x + row * x_stride, x_stride, y + row * y_stride,
                       y_stride, counts ? counts + row : NULL);
    }
}

static void condition(const cm_conditioning *stage, const float *x, size_t x_stride, size_t rows,
                      float *y, size_t y_stride, uint32_t *missing) {
#define CM_CASE(POLICY)                                                                            \
    case POLICY: condition_all(stage, POLICY, x, x_stride, rows, y, y_stride, missing); break;
    switch (stage->missing) {
        CM_CASE(CM_PROPAGATE)
        CM_CASE(CM_IMPUTE)
        CM_CASE(CM_REJECT)
    }
#undef CM_CASE
}

static __attribute__((noinline)) uint32_t condition_row(const cm_conditioning *stage,
                                                        const float *x, float *y) {
    uint32_t missing;
    condition(stage, x, 0, 1, y, 0, &missing);
    return missing;
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

static __attribute__((noinline)) void normalise(int32_t norm, float *x, size_t stride, size_t rows,
                                                size_t columns) {
    for (size_t row = 0; row < rows; row++, x += stride) {
        float length = length_of(norm, x, columns);
        if (length != 0) divide_row(x, length, columns);
    }
}

static __attribute__((noinline)) void softmax(float *x, size_t stride, size_t rows,
                                              size_t columns) {
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

// Some columns of all rows, `vectors` vectors of them unless they are the last.
CM_INLINE void differentiate_part(const int32_t activation, const int vectors, size_t count,
                                  const float *z, const float *a, float *delta, size_t rows,
                                  size_t columns, float *sums) {
    vf sum[4] = {{0}, {0}, {0}, {0}};
    for (size_t at = 0; at < rows * columns; at += columns) {
        CM_UNROLL for (int v = 0; v < vectors; v++) {
            const size_t i = at + (size_t)v * CM_LANES;
            vf value = times_derivative(activation, load_first(delta + i, count),
                                        load_first(z + i, count), load_first(a + i, count));
            store_first(delta + i, value, count);
            sum[v] = sum[v] + value;
        }
    }
    CM_UNROLL for (int v = 0; v < vectors; v++) store_first(sums + v * CM_LANES, sum[v], count);
}

CM_INLINE void differentiate_kind(const int32_t activation, const float *z, const float *a,
                                  float *delta, size_t rows, size_t columns, float *sums) {
    size_t i = 0;
    for (; i + 4 * CM_LANES <= columns; i += 4 * CM_LANES) {
        differentiate_part(activation, 4, CM_LANES, z + i, a + i, delta + i, rows, columns,
                           sums + i);
    }
    for (; i + CM_LANES <= columns; i += CM_LANES) {
        differentiate_part(activation, 1, CM_LANES, z + i, a + i, delta + i, rows, columns,
                           sums + i);
    }
    if (i < columns) {
        differentiate_part(activation, 1, columns - i, z + i, a + i, delta + i, rows, columns,
                           sums + i);
    }
}

static void differentiate(int32_t activation, const float *z, const float *a, float *delta,
                          size_t rows, size_t columns, float *sums) {
#define CM_CASE(KIND)                                                                              \
    case KIND: differentiate_kind(KIND, z, a, delta, rows, columns, sums); break;
    switch (activation) {
        CM_CASE(CM_IDENTITY)
        CM_CASE(CM_RELU)
        CM_CASE(CM_LEAKY_RELU)
        CM_CASE(CM_TANH)
        CM_CASE(CM_SIGMOID)
        CM_CASE(CM_GELU)
        CM_CASE(CM_EXP)
    }
#undef CM_CASE
}
